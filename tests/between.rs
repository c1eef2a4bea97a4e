//! What stands between: servers that hang up, proxies, and what PHP, .NET and gateways put around an answer.

use crate::support::demo::{self, Demo};
use crate::support::tls::Authority;
use crate::support::{Machine, Outcome, Reply, Server, at, at_once, cells, digits};
use crate::{broker, gluo, hellocloud, systemsway, zeev};

const BOM: &str = "\u{feff}";
const DEPRECATED: &str = "<br />\n<b>Deprecated</b>:  Using ${var} in strings is deprecated, use {$var} instead in <b>/a.php</b><br />\n";
const XDEBUG: &str = "<br />\n<font size='1'><table class='xdebug-error'><tr><td>1</td><td>{main}(  )</td></tr></table></font>\n";

/// An answer with these lines in its head.
fn answer(lines: &str, body: impl AsRef<[u8]>) -> Reply {
    let (body, ok) = (body.as_ref(), "HTTP/1.1 200 OK\r\n");
    let head = format!("{ok}{lines}Content-Length: {}\r\n\r\n", body.len());
    Reply::Bytes([head.as_bytes(), body].concat())
}

fn around(before: &str, body: &str, after: &str) -> Reply {
    Reply::json(200, [before, body, after].concat())
}

/// The body with a field more, in an encoding.
fn encoded(body: &str, charset: &str, encode: impl Fn(&str) -> Vec<u8>) -> Reply {
    let body = body.replacen('{', "{\"nota\":\"São João\",", 1);
    let head = format!("Content-Type: application/json; charset={charset}\r\n");
    answer(&head, encode(&body))
}

fn latin1(text: &str) -> Vec<u8> {
    let byte = |c| u8::try_from(c).expect("one of 256");
    text.chars().map(byte).collect()
}

fn utf16(text: &str, mark: bool, bytes: fn(u16) -> [u8; 2]) -> Vec<u8> {
    let text = [if mark { BOM } else { "" }, text].concat();
    text.encode_utf16().flat_map(bytes).collect()
}

const NOISES: &str = "200 deprecations|63 xdebug tables|notices around it|two byte order marks|blank lines, a mark|\
    a mark behind a notice|ISO-8859-1|UTF-16|a coding that is none|a folded line|a blank before a colon|\
    a warning in the head|a comma too many";

/// What a kind of noise makes of an answer, and a word of the warning that tells it.
fn noisy(noise: &str, it: &str) -> (Reply, &'static str) {
    match noise {
        "200 deprecations" => (around(&DEPRECATED.repeat(200), it, ""), "PHP"),
        "63 xdebug tables" => (around(&XDEBUG.repeat(63), it, ""), "PHP"),
        "notices around it" => (around(DEPRECATED, it, &DEPRECATED.repeat(40)), "PHP"),
        "two byte order marks" => (around(&BOM.repeat(2), it, ""), MARK),
        "blank lines, a mark" => (around("\r\n\r\n\u{feff}\n", it, "\r\n"), MARK),
        "a mark behind a notice" => (around(DEPRECATED, &[BOM, it].concat(), BOM), "PHP"),
        "ISO-8859-1" => (encoded(it, "iso-8859-1", latin1), "ISO-8859-1"),
        "UTF-16" => (
            encoded(it, "utf-16", |it| utf16(it, true, u16::to_le_bytes)),
            "UTF-16",
        ),
        "a coding that is none" => (answer("Content-Encoding: none\r\n", it), "Content-Encoding"),
        "a folded line" => (answer("X-Policy: a;\r\n  b\r\n", it), ODD),
        "a blank before a colon" => (answer("X-Powered-By : PHP/7.4\r\n", it), ODD),
        "a warning in the head" => (answer(IN_THE_HEAD, it), ODD),
        "a comma too many" => (
            around("", &[&it[..it.len() - 1], ",\n}"].concat(), ""),
            "comma",
        ),
        _ => panic!("{noise}"),
    }
}

const MARK: &str = "byte order mark";
const ODD: &str = "well-formed";
const IN_THE_HEAD: &str = "PHP Warning:  Unable to load 'x.so' in Unknown\r\n";

#[test]
fn every_system_logs_in_through_every_kind_of_noise() {
    let noises = |demo| NOISES.split('|').map(move |noise| (demo, noise));
    at_once(demo::ALL.iter().flat_map(noises), |(demo, noise)| {
        let good = demo.good();
        let bodies = demo.first.iter().copied().chain([&*good]);
        let (replies, words): (_, Vec<_>) = bodies.map(|it| noisy(noise, it)).unzip();
        let server = Server::start(replies);
        let outcome = at(demo.id, &server).run(&format!("login {}", demo.id));
        outcome.gives(0, &format!("{}\n", demo.token), noise);
        outcome.says(&["warning: ", words[0]]);
    });
}

/// .NET's services do so; vtiger and SuiteCRM never.
#[test]
fn json_in_a_json_text_is_read_once_and_where_it_is_known() {
    for demo in demo::ALL {
        let known = demo.spec().json_in_text;
        let once = |body: &str| serde_json::to_string(body).expect("JSON");
        for (text, good) in [
            (once(&demo.good()), known),
            (once(&once(&demo.good())), false),
            (once(&[&demo.good(), "x"].concat()), false),
            ([&once(&demo.good()), "\n"].concat(), known),
            ([DEPRECATED, &once(&demo.good())].concat(), false),
        ] {
            let server = Server::start(demo.script([Reply::json(200, &text)]));
            let outcome = at(demo.id, &server).run(&format!("login {}", demo.id));
            outcome.exits(if good { 0 } else { 6 }, text);
        }
    }
    let known = demo::ALL.iter().filter(|demo| demo.spec().json_in_text);
    assert_eq!(known.count(), 3);
}

#[test]
fn a_content_encoding_counts_where_it_names_a_coding() {
    let none = "none|utf-8|UTF-8|ISO-8859-1||Identity|identity, identity|8bit|binary";
    let codings = "gzip|GZIP|identity, gzip|br|deflate|zstd|x-gzip|none, gzip";
    let values = none.split('|').map(|value| (value, 0));
    let values = values.chain(codings.split('|').map(|value| (value, 6)));
    at_once(values, |(value, exit)| {
        let header = format!("Content-Encoding: {value}\r\n");
        let server = Server::start(vec![answer(&header, systemsway::DEMO.good())]);
        let outcome = at("systemsway", &server).run("login systemsway");
        outcome.exits(exit, value);
    });
}

#[test]
fn what_http_does_not_allow_is_said_without_doubting_the_url() {
    let body = systemsway::DEMO.good();
    let whole = format!("{:x}\r\n{body}\r\n", body.len());
    let (chunked, ok) = ("Transfer-Encoding: chunked\r\n", "HTTP/1.1 200 OK");
    let (malformed, compressed) = ("is not well-formed HTTP", "sent a compressed answer");
    let (two_ways, headers) = ("can be read in two ways", "too many or too large headers");
    let size = |size: &str| format!("{size}\r\n{body}\r\n0\r\n\r\n");
    let end = |end: &str| [&whole, end].concat();
    let length = |length: &str| format!("Content-Length: {length}\r\n");
    let many = "X-A: b\r\n".repeat(101);
    let plain = || body.clone();
    let long = ["7f;", &"a".repeat(20_000)].concat();
    let trailers = ["0\r\n", &many.repeat(50), "\r\n"].concat();
    let coded = |codings: &str| format!("Transfer-Encoding: {codings}\r\n");
    let last = || end("0\r\n\r\n");
    let rows = [
        (ok, chunked, size("zz"), malformed),
        (ok, chunked, size("-5"), malformed),
        (ok, chunked, size(""), malformed),
        (ok, chunked, size("0x7f"), malformed),
        (ok, chunked, size("fffffffffffffffff"), malformed),
        (ok, chunked, size(&long), malformed),
        (ok, chunked, whole.replace("\r\n", "\n"), malformed),
        (ok, chunked, end("0\r\nX A: b\r\n\r\n"), malformed),
        (ok, chunked, end(&trailers), malformed),
        ("HTTP/1.1 099 OK", &length("9"), plain(), malformed),
        ("HTTP/1.1 20 OK", &length("9"), plain(), malformed),
        ("HTTP/2 200 OK", &length("9"), plain(), malformed),
        ("HTTP/1.0 200 OK", chunked, last(), malformed),
        (ok, "X-A: a\0b\r\n", plain(), malformed),
        (ok, &coded("gzip, chunked"), last(), compressed),
        (ok, &coded("chunked, deflate"), last(), compressed),
        (ok, &coded("X-GZIP"), plain(), compressed),
        (ok, &length("18446744073709551615"), plain(), two_ways),
        (ok, &length("99999999999999999999999"), plain(), two_ways),
        (ok, &many, plain(), headers),
    ];
    at_once(rows, |(status, lines, body, says)| {
        let answer = [status, "\r\n", lines, "\r\n", &body].concat();
        let other = answer.replace(systemsway::DEMO.token, &"x".repeat(64));
        let server = Server::start(vec![
            Reply::Last(answer.into_bytes()),
            Reply::json(200, systemsway::DEMO.good()),
            Reply::Last(other.into_bytes()),
        ]);
        let machine = systemsway::DEMO.machine(&server.url());
        let row = format!("{status} {lines}");
        let outcome = machine.run("login systemsway");
        let texts = [says, "hint: the server itself has answered"];
        outcome.exits(6, &row).says(&texts);
        assert_eq!(machine.run("login systemsway").code, 0);
        let outcome = machine.run("api systemsway /api/Usuario/{session} -X POST");
        let texts = [says, "hint: it may have taken effect: look first"];
        outcome.exits(6, &row).says(&texts);
    });
}

#[test]
fn a_length_beside_chunks_does_not_count_and_ends_the_connection() {
    for (length, chunked) in [("", false), ("Content-Length: 7\r\n", true)] {
        let demo = &gluo::DEMO;
        let (first, size) = (demo.first[0], demo.first[0].len());
        let head = format!("HTTP/1.1 200 OK\r\n{length}Transfer-Encoding: chunked\r\n\r\n");
        let first = format!("{head}{size:x}\r\n{first}\r\n0\r\n\r\n");
        let first = Reply::Bytes(first.into_bytes());
        let server = Server::start(vec![first, Reply::json(200, demo.good())]);
        let outcome = demo.machine(&server.url()).run("login gluo");
        outcome.exits(0, length);
        assert_eq!(server.connections(), if chunked { 2 } else { 1 });
    }
}

#[test]
fn a_refusal_is_one_in_every_charset() {
    let refusal =
        r#"{"Status":"ERROR","IDSessao":"","Message":"Usuário ou senha estão inválidos"}"#;
    let said = "Usuário ou senha estão inválidos";
    let signs = || latin1(&refusal.replace("inválidos", "inválidos ¤¦¼½"));
    let latin = || latin1(refusal);
    let (le, be) = (u16::to_le_bytes, u16::to_be_bytes);
    let rows = [
        ("; charset=iso-8859-1", latin(), said),
        ("; charset=ISO-8859-1", latin(), said),
        (";charset=\"iso-8859-1\"", latin(), said),
        ("; version=1; charset = latin1", latin(), said),
        ("; charset=windows-1252", latin(), said),
        ("; charset=cp1252", latin(), said),
        ("; charset=iso-8859-15", latin(), said),
        ("; charset=windows-1252", signs(), "inválidos ¤¦¼½"),
        ("; charset=iso-8859-15", signs(), "inválidos €ŠŒœ"),
        ("; charset=us-ascii", latin(), said),
        ("; charset=utf-8", refusal.into(), said),
        // What is UTF-8 is that, whatever it is called.
        ("; charset=iso-8859-1", refusal.into(), said),
        ("; charset=utf-16", utf16(refusal, false, le), said),
        ("; charset=utf-16le", utf16(refusal, false, le), said),
        ("; charset=UTF-16BE", utf16(refusal, false, be), said),
        ("; charset=utf-16", utf16(refusal, true, be), said),
        ("", utf16(refusal, true, le), said),
        ("", utf16(refusal, true, be), said),
        // Nobody says what these are.
        ("", latin(), ""),
        ("; charset=utf-8", latin(), ""),
        ("; charset=koi8-r", latin(), ""),
    ];
    at_once(rows, |(charset, body, said)| {
        let header = format!("Content-Type: application/json{charset}\r\n");
        let server = Server::start(vec![answer(&header, body)]);
        let outcome = at("systemsway", &server).run("login systemsway");
        outcome.exits(if said.is_empty() { 6 } else { 4 }, charset);
        outcome.says(&[said]);
    });
}

#[test]
fn odd_lines_of_a_head_are_read_and_end_its_connection_unless_they_frame_the_answer() {
    let rows = [
        ("X-Policy: a;\r\n b\r\n", true),
        ("X-Policy: a;\r\n\tb\r\n\tc\r\n", true),
        ("X-Policy:\r\n a\r\n", true),
        ("X-Powered-By : PHP/7.4\r\n", true),
        ("X-Powered-By\t: PHP/7.4\r\n", true),
        ("X Powered By: PHP/7.4\r\n", true),
        (IN_THE_HEAD, true),
        ("Notice\r\n", true),
        (": nameless\r\n", true),
        ("<br />\r\n", true),
        ("X-Bell: \u{7}\r\n", true),
        ("Content-Length : 7\r\n", false),
        ("Content-Length\t: 7\r\n", false),
        (" Content-Length: 7\r\n", false),
        ("CONTENT-LENGTH : 7\r\n", false),
        ("Transfer-Encoding : chunked\r\n", false),
        ("Transfer-Encoding:\r\n chunked\r\n", false),
        ("Transfer-Encoding: identity,\r\n chunked\r\n", false),
        ("X-A: b\r\n Transfer-Encoding: chunked\r\n", false),
        ("Connection : keep-alive\r\n", false),
        ("Connection: close,\r\n X-B\r\n", false),
        ("Content-Encoding : gzip\r\n", false),
        ("Content-Encoding:\r\n gzip\r\n", false),
        ("Content-Length: 7\u{1}\r\n", false),
        ("Content-Length: 7\r\n", false),
        ("content-length: 7, 7\r\n", false),
        ("Content-Length: -1\r\n", false),
        ("Content-Length: +7\r\n", false),
        ("Content-Length:\r\n", false),
        ("Content-Length: x\r\n", false),
    ];
    at_once(rows, |(lines, read)| {
        let demo = &gluo::DEMO;
        let replies = [answer(lines, demo.first[0]), Reply::json(200, demo.good())];
        let server = Server::start(replies.into_iter().take(if read { 2 } else { 1 }).collect());
        let outcome = demo.machine(&server.url()).run("login gluo");
        let (code, says, connections) = match read {
            true => (0, "not well-formed", 2),
            false => (6, "can be read in two ways", 1),
        };
        outcome.exits(code, lines).says(&[says]);
        assert_eq!(server.connections(), connections, "{lines:?}");
    });
}

#[test]
fn an_odd_head_is_told_in_a_batch_of_whom_it_is() {
    let (odd, plain) = (&systemsway::DEMO, &zeev::DEMO);
    let servers = [
        Server::start(vec![answer("X-A : b\r\n", odd.good())]),
        Server::start(vec![Reply::json(200, plain.good())]),
    ];
    let mut machine = odd.machine(&servers[0].url());
    plain.settle(&mut machine, &servers[1].url());
    let outcome = machine.run("login systemsway zeev -j 2");
    outcome.exits(0, "a batch").lacks(&["zeev"]);
    outcome.says(&["warning: systemsway: the server sent header lines"]);
}

const HANGS_UP: Reply = Reply::Last(Vec::new());
/// Broker's login behind its partner's.
const PARTNER: &str = "partner";

/// A server that hangs up without a word: the request is lost on its way, whatever the client does before.
#[test]
fn no_login_is_lost_to_a_server_that_has_hung_up() {
    let good = |demo: &Demo| Reply::json(200, demo.good());
    let challenge = || Reply::json(200, gluo::DEMO.first[0]);
    let said = || answer("Connection: close\r\n", gluo::DEMO.first[0]);
    let (gluo, broker, hello, zeev) = (&gluo::DEMO, &broker::DEMO, &hellocloud::DEMO, &zeev::DEMO);
    let token = broker.answer_with("\"eyJhbGci.Pt8We2Rt5Yu.s1gn\"");
    let behind = |last| vec![Reply::json(200, &token), last, good(broker)];
    let impersonated =
        r#"{"current":{"userId":7},"impersonate":{"id":42,"temporaryToken":"tmp-As5"}}"#;
    let impersonated = Reply::json(200, impersonated);
    let not_found = Reply::json(404, r#"{"message":"Not found"}"#);
    // What the server does, the exit code, and how many connections were made.
    let rows: Vec<(&Demo, &str, Vec<Reply>, i32, usize)> = vec![
        (gluo, "", vec![challenge(), HANGS_UP, good(gluo)], 0, 2),
        (gluo, "", vec![challenge(), Reply::Reset, good(gluo)], 0, 2),
        (gluo, "", vec![challenge(), HANGS_UP, HANGS_UP], 5, 2),
        (gluo, "", vec![HANGS_UP, challenge(), good(gluo)], 0, 2),
        // A connection that was new has not been left: the login may have been taken.
        (gluo, "", vec![said(), HANGS_UP], 5, 2),
        (broker, PARTNER, behind(HANGS_UP), 0, 2),
        (broker, PARTNER, behind(Reply::Reset), 0, 2),
        (broker, PARTNER, vec![HANGS_UP], 5, 1),
        (broker, "", vec![HANGS_UP], 5, 1),
        // These are sent once, so each has a connection of its own.
        (zeev, " --as 42", vec![good(zeev), impersonated], 0, 2),
        (zeev, " --as 42", vec![good(zeev), HANGS_UP], 5, 2),
        (hello, "", vec![not_found, good(hello)], 0, 2),
        (&systemsway::DEMO, "", vec![HANGS_UP], 5, 1),
    ];
    let authority = Authority::new();
    let config = authority.server("127.0.0.1");
    let cells = rows
        .into_iter()
        .flat_map(|row| [(row.clone(), false), (row, true)]);
    at_once(cells, |((demo, how, replies, exit, connections), tls)| {
        let server = match tls {
            true => Server::start_tls(config.clone(), replies.clone()),
            false => Server::start(replies.clone()),
        };
        let mut machine = demo.machine(&server.url());
        machine.write("ca.pem", authority.pem());
        if how == PARTNER {
            machine.set("BROKER_PARTNER_USERNAME", "parceiro");
            machine.secret("BROKER_PARTNER_PASSWORD", "pW-Pt4Cv7Bn1Mq");
        }
        let how = how.trim_start_matches(PARTNER);
        let outcome = machine.run(&format!("login {}{how} --ca-file ca.pem", demo.id));
        let row = format!("{} {how} {replies:?}", demo.id);
        outcome.exits(exit, &row);
        assert_eq!(server.connections(), connections, "{row}");
    });
}

/// Machine of a target that only a proxy leads to.
fn proxied(proxy: &str, variable: &str) -> Machine {
    let mut machine = zeev::DEMO.machine("https://zeev.example");
    machine.set(variable, proxy).canary("pxPass9Ik4Ol");
    machine
}

#[test]
fn a_proxys_refusal_is_said_as_such_and_sent_once() {
    let rows = [407, 403, 405, 500].map(|status| (status, false));
    let again = [408, 429, 502, 503, 504].map(|status| (status, true));
    at_once(rows.into_iter().chain(again), |(status, retryable)| {
        let page = "<p>pxPass9Ik4Ol cHhVc2VyOnB4UGFzczlJazRPbA==</p>";
        let proxy = Server::start(vec![Reply::http(status, "text/html", page)]);
        let url = format!("http://pxUser:pxPass9Ik4Ol@{}", proxy.host());
        let outcome = proxied(&url, "https_proxy").run("login zeev --json -vv");
        let text = match status {
            407 => "requires a user name and a password".to_owned(),
            _ => format!("refused to connect to zeev.example (HTTP {status})"),
        };
        let code = if retryable { "proxy" } else { "proxy_refused" };
        outcome.fails(5, &[&text, "no_proxy", &proxy.host()]);
        outcome.tells(&format!(
            "\"code\":\"{code}\" | \"retryable\":{retryable} | \"http_status\":{status}"
        ));
        assert_eq!(proxy.received().len(), 1);
    });
    let silent = Server::start(vec![Reply::Silence]);
    let outcome = proxied(&silent.url(), "https_proxy").run("login zeev --timeout 0.5");
    let words = format!("zeev.example through the proxy {} after", silent.host());
    outcome.fails(
        5,
        &["timed out connecting to ", &words, "check https_proxy"],
    );
    // Plain http through a proxy: 407 is its own, and so is what it says to be.
    let rows = cells([
        "407 | Via | 1.1 px | proxy_refused | 5",
        "403 | X-Squid-Error | ERR_ACCESS_DENIED 0 | proxy_refused | 5",
        "503 | X-Squid-Error | ERR_DNS_FAIL 0 | proxy | 5",
        "502 | Proxy-Status | px; error=dns_error | proxy | 5",
        "502 | Proxy-Status | px; error=dns_error; details=\"não há\" | proxy | 5",
        "403 | Proxy-Status | px; received-status=403 | refused | 4",
        "503 | Via | 1.1 px | unavailable | 5",
    ]);
    at_once(rows, |[status, name, value, code, exit]| {
        let reply = Reply::with_headers(digits(status), &[(name, value)], "{}");
        let proxy = Server::start(vec![reply]);
        let mut machine = zeev::DEMO.machine("http://127.0.0.1:9");
        machine.set("http_proxy", &proxy.url());
        machine.set("ZEEV_ALLOW_PROXY", "1");
        let field = format!("\"code\":\"{code}\"");
        machine.fails("login zeev --json", digits(exit), &[&field]);
    });
}

/// Each is used, and what the proxy gets is `Basic` of these bytes, or the run ends with 2. None is passed by.
#[test]
fn a_proxy_is_used_or_ends_the_run() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    let rows: &[(&str, Option<&[u8]>)] = &[
        ("http://HOST", None),
        (" http://HOST\t", None),
        ("HOST", None),
        ("HTTP://HOST/", None),
        ("http://HOST/path?x#y", None),
        ("http://@HOST", None),
        ("http://CORP\\ana:pw-X1@HOST", Some(b"CORP\\ana:pw-X1")),
        ("http://CORP%5Cana:pw-X1@HOST", Some(b"CORP\\ana:pw-X1")),
        ("CORP\\ana:pw-X1@HOST", Some(b"CORP\\ana:pw-X1")),
        ("http://ana:seç-X1@HOST", Some("ana:seç-X1".as_bytes())),
        ("http://ana:se%C3%A7-X1@HOST", Some("ana:seç-X1".as_bytes())),
        ("http://ana:se%E7-X1@HOST", Some(b"ana:se\xe7-X1")),
        ("http://ana:p@ss-X1@HOST", Some(b"ana:p@ss-X1")),
        ("http://ana:p:ss-X1@HOST", Some(b"ana:p:ss-X1")),
        ("http://ana:p/s?s#-X1@HOST", Some(b"ana:p/s?s#-X1")),
        ("http://ana:p ss-X1@HOST", Some(b"ana:p ss-X1")),
        ("http://ana:100%-X1@HOST", Some(b"ana:100%-X1")),
        (
            "http://ana:[{|^`\"<>}]-X1@HOST",
            Some(b"ana:[{|^`\"<>}]-X1"),
        ),
        ("http://ana@HOST", Some(b"ana:")),
        ("http://:pw-X1@HOST", Some(b":pw-X1")),
    ];
    at_once(rows, |(url, login)| {
        let proxy = Server::start(vec![Reply::http(403, "text/html", "")]);
        let outcome = proxied(&url.replace("HOST", &proxy.host()), "https_proxy").run("login zeev");
        outcome.fails(5, &["refused to connect to zeev.example"]);
        let basic = login.map(|login| format!("Basic {}", STANDARD.encode(login)));
        let sent = &proxy.received()[0];
        let sent = sent.header("proxy-authorization");
        assert_eq!(sent, basic.as_deref(), "{url}");
        outcome.lacks(&["-X1"]);
    });
    let bad = "http:// http:/// http://:3128 http://ana:pw@ ftp://127.0.0.1 socks6://127.0.0.1 ://127.0.0.1 \
               http://[::1 http://[fe80::1%25eth0]:1 http://127.0.0.1:99999 http://127.0.0.1:x \
               socks5://ana:%E7@127.0.0.1 127.0.0.1:1:2 \\\\127.0.0.1";
    at_once(bad.split(' ').chain(["http://a b"]), |url| {
        let outcome = proxied(url, "ALL_PROXY").run("login zeev");
        let texts = ["the environment's proxy is not a usable URL"];
        outcome.exits(2, url).says(&texts);
    });
}

#[test]
fn a_session_is_adopted_whatever_the_pipe_put_around_it() {
    let demo = &gluo::DEMO;
    let places = "|,|\r\n,\u{feff}|\r\n,\u{feff}\u{feff}|,\r\n\u{feff}|\n,\u{feff}|\u{feff}";
    for place in places.split(',') {
        let (before, after) = place.split_once('|').expect("two");
        let alive = Reply::json(200, r#"{"success":true,"result":{}}"#);
        let server = Server::start(demo.script([Reply::json(200, demo.good()), alive]));
        let session = demo.machine(&server.url()).run("token gluo -f json").stdout;
        let machine = demo.machine(&server.url());
        machine.write("session.json", [before, session.trim(), after].concat());
        let outcome = machine.shell("bash", "crmauth login gluo --adopt < session.json");
        outcome.exits(0, format!("{place:?}"));
    }
}

/// What a login makes of a body where `@` is the good answer and `%` the same without its last brace.
fn outcome_of(body: &str, line: &str) -> Outcome {
    let good = zeev::DEMO.good();
    let body = body.replace('@', &good);
    let body = body.replace('%', &good[..good.len() - 1]);
    let server = Server::start(vec![Reply::json(200, body)]);
    zeev::DEMO.machine(&server.url()).run(line)
}

#[test]
fn one_object_is_found_wherever_it_stands() {
    let many = "PHP Notice:  {closure} in a.php\n".repeat(1000);
    let many = [&many, "@", &many].concat();
    let (around, commas) = ("text around its JSON", "a comma too many");
    let rows = [
        ("<br />\n<b>Warning</b>: x {closure} in /a.php\n@", around),
        ("<br /><b>Warning</b><br />@", around),
        ("@<br />\n<b>Notice</b>: y", around),
        ("@\n<b>Notice</b>: function() {} in {main}<br />\n", around),
        ("Warning: x\n@", around),
        ("Warning: f({\"a\":1}) x\n@", around),
        ("Warning: x\n{\n{main}\n{ $a }\n@", around),
        (&many, around),
        ("%,\"a\":{\"b\":1,},}", commas),
        ("%,\r\n}", commas),
        ("%,\"a\":{\"b\":1\t,\t}\n,\n}\n", commas),
        ("<b>x</b>\n%,}<br />", commas),
        (" \r\n@\r\n", ""),
    ];
    at_once(rows, |(body, warning)| {
        let outcome = outcome_of(body, "login zeev");
        outcome.gives(0, &format!("{}\n", zeev::DEMO.token), body);
        assert_eq!(outcome.stderr.is_empty(), warning.is_empty(), "{body}");
        outcome.says(&[warning]);
    });
    let odd = r#"%,"a":",}","b":[1,"\",]",],}"#;
    let details = &outcome_of(odd, "login zeev -f json").json()["details"];
    assert_eq!(details["a"], ",}");
    assert_eq!(details["b"], serde_json::json!([1, "\",]"]));
}

#[test]
fn what_holds_no_object_or_more_than_one_is_refused() {
    let cut = r#"% | %, | {,} | %,,} | {"a":bad,^@^} | {"a":{"b":1}"#;
    let two = "@{} | @ @ | @^@ | @^{} | %,}^%,}";
    let other = "[@] | \"x\" |  | \u{feff}\r^\u{feff} | Invalid request";
    let deep = "[".repeat(10_000);
    let bad = [cut, two, other, &deep].join(" | ").replace('^', "\n");
    let script = "<html><script type=\"application/ld+json\">\n@\n</script></html>";
    let upper = script.to_uppercase();
    let starts = "|<!DOCTYPE html>|<?xml version=\"1.0\"?>\n<!DOCTYPE html>|<!-- cached -->\n|\
        \u{feff}\n<!-- a --><!-- b -->\n<!doctype HTML PUBLIC \"x\">|<b>Warning</b>: x<br />\n|<head>\n";
    let pages = starts.split('|').flat_map(|start| {
        let pages = [script, &upper, &script[6..]];
        pages.map(|page| ("html", [start, page].concat()))
    });
    let bad = bad.split(" | ").map(|body| ("bad_answer", body.to_owned()));
    let rows = bad.chain(pages).chain([("html", "<b>x</b>%".to_owned())]);
    at_once(rows, |(code, body)| {
        let outcome = outcome_of(&body, "login zeev --json");
        let code = format!("{{\"error\":{{\"code\":\"{code}\"");
        outcome.exits(6, &body).says(&[&code]);
    });
}

/// What is not linear takes minutes for these.
#[test]
fn a_mebibyte_of_braces_is_soon_judged() {
    let parts =
        r#"{ | ^{ | >{ | ^{" | ^{"": | ^{"a":[1,], | ^{ } | ^{"a":1,}x | < | {"a":1} | ^{   "#;
    let parts = parts.replace('^', "\n");
    let many = |part: &str| part.repeat(((1 << 20) - 3) / part.len());
    let nested = ["\n{\"a\":".repeat(100), "1,".repeat(400_000)].concat();
    at_once(parts.split(" | ").map(many).chain([nested]), |text| {
        let outcome = outcome_of(&["<b>", &text].concat(), "login zeev --timeout 20");
        outcome.fails(6, &["sent HTML instead of JSON"]);
    });
}
