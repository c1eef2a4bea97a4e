//! The connection breaks, takes too long or never ends, or what comes is no HTTP.

use std::sync::LazyLock;

use crmauth::declaration::Renewal;

use super::*;
use crate::support::server::Door;

/// The reply to each try: what carries no secret is asked again twice.
pub fn each_try(scene: &Scene, reply: &Reply) -> Vec<Reply> {
    vec![reply.clone(); if scene.step.secret { 1 } else { 3 }]
}

/// Whether a login goes over the connection of the step before it, and is repeated where that has ended.
fn is_repeated(scene: &Scene) -> bool {
    let step = scene.step;
    let reuses = step.kind == Kind::Login && step.secret && !step.before.is_empty();
    reuses && step.spec().login_is_repeatable
}

/// Every step whose answer crmauth reads itself.
pub fn read() -> Vec<&'static Step> {
    let mut read = steps::all();
    read.retain(|step| step.kind != Kind::Call);
    read
}

/// A head, and a body that is the good answer but longer.
fn with_head(head: &str, scene: &Scene) -> Vec<u8> {
    let good = scene.good();
    let head = head.replace("LENGTH", &(good.len() + 1).to_string());
    [head, good].concat().into_bytes()
}

#[test]
fn a_connection_that_ends_before_the_answer_does() {
    let replies = [
        (8, Reply::Reset),
        (9, Reply::Last(Vec::new())),
        (9, Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec())),
    ];
    for (place, (number, reply)) in replies.into_iter().enumerate() {
        Row::of(number, steps::all())
            .fault(move |scene| match is_repeated(scene) {
                true => vec![reply.clone(); 2],
                false => each_try(scene, &reply),
            })
            .fails(5, &["closed the connection before answering"])
            .but(|scene, promise| {
                if is_repeated(scene) {
                    promise.sent = 2;
                }
            })
            .but(|scene, promise| {
                let what = match scene.step.kind {
                    Kind::Login if scene.step.secret => "login",
                    Kind::Revocation => "logout",
                    Kind::Renewal if scene.step.spec().renewal == Renewal::OnceExpired => return,
                    _ => return promise.unsaid.push("may have taken effect".to_owned()),
                };
                promise
                    .says
                    .push(format!("; the {what} may have taken effect"));
            })
            .suspect()
            .brief_unless(place != 1)
            .check();
    }
}

#[test]
fn an_answer_that_is_cut() {
    let heads = [
        "HTTP/1.1 200 OK\r\nContent-Length: LENGTH\r\n\r\n",
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2000\r\n",
    ];
    for head in heads {
        Row::of(10, read())
            .fault(move |scene| Reply::Last(with_head(head, scene)))
            .fails(5, &["answer was cut short"])
            .suspect()
            .brief_unless(head == heads[0])
            .check();
    }
    Row::of(10, steps::of_kind(steps::Kind::Call))
        .fault(|_| Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n[1, 2,".to_vec()))
        .fails(5, &["answer was cut short"])
        .but(|_, promise| promise.stdout = Stdout::Is("[1, 2,".to_owned()))
        .check();
}

#[test]
fn a_server_that_is_silent() {
    Row::of(11, steps::all())
        .fault(|_| Reply::Silence)
        .timeout(2.0)
        .measured()
        .says(&["--timeout SECONDS"])
        .fails(5, &["no answer from 127.0.0.1:", " within 2 s"])
        .suspect()
        .check();
}

#[test]
fn a_server_that_sends_a_byte_now_and_then() {
    let head = b"HTTP/1.1 200 OK\r\nX-Slow: ".to_vec();
    let body = b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n{".to_vec();
    // A call's body may take as long as it likes, as long as something comes.
    for (bytes, steps, first) in [(head, steps::all(), true), (body, read(), false)] {
        Row::of(12, steps)
            .brief_unless(first)
            .fault(move |_| Reply::Drip(bytes.clone(), b' '))
            .timeout(2.0)
            .measured()
            .fails(5, &["no answer from 127.0.0.1:", " within 2 s"])
            .suspect()
            .check();
    }
}

#[test]
fn an_answer_without_an_end() {
    let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    let chunk = [b"8000\r\n".to_vec(), vec![b' '; 0x8000], b"\r\n".to_vec()].concat();
    Row::of(13, read())
        .fault(move |_| Reply::Endless(head.clone(), chunk.clone()))
        .measured()
        .fails(6, &["answer is larger than 1 MiB"])
        .suspect()
        .check();
    let head = b"HTTP/1.1 200 OK\r\n".to_vec();
    let line = [b"X: ".to_vec(), vec![b'x'; 1000], b"\r\n".to_vec()].concat();
    Row::of(13, steps::all())
        .fault(move |_| Reply::Endless(head.clone(), line.clone()))
        .measured()
        .fails(6, &["too many or too large headers"])
        .brief()
        .suspect()
        .check();
    Row::of(13, read())
        .fault(|_| Reply::json(200, vec![b' '; 1024 * 1024 + 1]))
        .brief()
        .measured()
        .fails(6, &["answer is larger than 1 MiB"])
        .suspect()
        .check();
}

/// 200 MB of nothing.
static BOMB: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let script = "head -c 200000000 /dev/zero | gzip";
    let gzip = Command::new("sh").args(["-c", script]).output();
    let bomb = gzip.expect("gzip").stdout;
    assert!((100_000..400_000).contains(&bomb.len()), "{}", bomb.len());
    bomb
});

#[test]
fn an_answer_that_is_compressed() {
    for encoding in ["gzip", "br", "deflate"] {
        let steps = read().into_iter();
        Row::of(14, steps.filter(|step| step.kind != Kind::Renewal))
            .fault(move |_| {
                let kind = ("Content-Type", "application/json");
                Reply::with_headers(200, &[("Content-Encoding", encoding), kind], &*BOMB)
            })
            .measured()
            .fails(
                6,
                &["sent a compressed answer, which crmauth did not ask for"],
            )
            .brief_unless(encoding == "gzip")
            .suspect()
            .check();
    }
}

#[test]
fn a_server_of_another_protocol() {
    for bytes in [
        &b"SSH-2.0-\x1b[2JOpenSSH_9.6\r\n"[..],
        b"220 ::error::mail.example ESMTP\r\n",
        b"\x15\x03\x03\x00\x02\x02\x28",
    ] {
        Row::of(15, steps::all())
            .fault(|_| Reply::Last(bytes.to_vec()))
            .fails(6, &["is not an HTTP server"])
            .unsaid(&["SSH", "mail.example"])
            .brief_unless(bytes.starts_with(b"SSH"))
            .suspect()
            .check();
    }
    // Such servers speak before they are asked.
    Row::of(15, steps::first())
        .fault(|scene| {
            let banner = b"SSH-2.0-OpenSSH_9.6\r\n".to_vec();
            scene.server.door(Door::Greeting(banner));
            Fault::Door
        })
        .fails(6, &["is not an HTTP server"])
        // Whether the login had left before the banner came depends on who was first.
        .suspect()
        .check();
}
