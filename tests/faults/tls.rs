//! TLS that fails. Nothing is sent to a server that is not trusted.

use std::sync::LazyLock;

use super::*;
use crate::support::server::Door;

static AUTHORITY: LazyLock<Authority> = LazyLock::new(Authority::new);
static STRANGER: LazyLock<Authority> = LazyLock::new(Authority::new);

/// A row whose server meets whoever connects like this; each run connects once, since no certificate changes by
/// asking again.
fn certificate(number: u8, door: impl Fn() -> Door + Sync + 'static) -> Row {
    Row::new(number)
        .brief_unless(number == 4)
        .at(steps::first())
        .scene(|step| Scene::over_tls(step, &AUTHORITY))
        .fault(move |scene| {
            scene.server.door(door());
            Fault::Door
        })
        .exit(5)
        .unsaid(&["may have taken effect", "disable"])
        .connects(1)
}

#[test]
fn an_expired_certificate() {
    certificate(4, || Door::Tls(AUTHORITY.expired("127.0.0.1")))
        .says(&["expired on 2020-01-01", "clock"])
        .check();
}

#[test]
fn an_unknown_issuer() {
    let row = certificate(5, || Door::Tls(STRANGER.server("127.0.0.1")));
    row.says(&["from an unknown issuer", "--ca-file FILE.pem"])
        .check();
}

#[test]
fn a_certificate_for_another_host() {
    let row = certificate(6, || Door::Tls(AUTHORITY.server("other.example")));
    row.says(&["for another name: other.example\n", "the host in "])
        .check();
}

#[test]
fn alerts_in_the_middle_of_the_handshake() {
    let of_ours = "it may require a client certificate";
    for (number, name, hint) in [
        (40, "HandshakeFailure", "ciphers of TLS 1.2 with ECDHE"),
        (42, "BadCertificate", of_ours),
        (45, "CertificateExpired", of_ours),
        (
            114,
            "BadCertificateHashValue",
            "ask the server's administrator\n",
        ),
    ] {
        let alert = [0x15, 3, 3, 0, 2, 2, number].to_vec();
        certificate(7, move || Door::Greeting(alert.clone()))
            .says(&[format!("the alert {name}\n"), hint.to_owned()])
            .check();
    }
}

#[test]
fn another_protocol_behind_https() {
    let http = "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n";
    for greeting in [http, "SSH-2.0-OpenSSH_9.6\r\n"] {
        let row = certificate(7, move || Door::Greeting(greeting.into()));
        row.says(&["does not speak TLS"]).check();
    }
}

/// The setting to change is named, with its value.
#[test]
fn an_http_server_behind_https_has_a_setting_to_fix() {
    let servers = crate::support::sandbox::Servers::start();
    for line in ["login zeev", "token zeev", "api zeev /x"] {
        let url = servers.setting("ZEEV_URL");
        let over_tls = url.replacen("http:", "https:", 1);
        let given = "USERNAME=ana PASSWORD=kEy8Rt5Yp3Wn6Vb1";
        let machine = crate::support::Machine::of("ZEEV", &over_tls, given);
        let hint = "or is it an http:// server? For a private address write ZEEV_URL=";
        machine.fails(line, 5, &[&format!("{hint}'{url}'\n")]);
    }
}

/// How a server's hello begins.
const HELLO: &[u8] = b"\x16\x03\x03\x00\x7a\x02\x00";

#[test]
fn a_handshake_that_is_cut() {
    // Nothing was sent, so it is tried once more.
    let row = certificate(7, || Door::Parting(HELLO.to_vec()));
    row.says(&["closed the connection during the TLS handshake"])
        .connects(2)
        .check();
}

#[test]
fn a_handshake_that_never_ends() {
    let row = certificate(7, || Door::Greeting(HELLO.to_vec())).measured();
    // A fifth of it is for reading the roots.
    let row = row.timeout(5.0);
    row.says(&["timed out connecting to 127.0.0.1:"]).check();
}

#[test]
fn tls_behind_http() {
    Row::of(7, steps::first())
        .fault(|scene| {
            scene.server.door(Door::Tls(AUTHORITY.server("127.0.0.1")));
            Fault::Door
        })
        .fails(6, &["is not an HTTP server"])
        .suspect()
        .check();
}

#[test]
fn a_redirect_from_https_to_http() {
    let listener = std::sync::Arc::new(Server::start(Vec::new()));
    let elsewhere = std::sync::Arc::clone(&listener);
    Row::of(30, steps::all())
        .scene(|step| Scene::over_tls(step, &AUTHORITY))
        .fault(move |scene| {
            let same = scene.server.url().replace("https:", "http:");
            let to = [elsewhere.url(), same][usize::from(scene.step.secret)].clone();
            Reply::with_headers(308, &[("Location", &to)], "")
        })
        .says(&["redirects are not followed"])
        .fails(
            6,
            &["redirected from https to http, a downgrade (HTTP 308): http://127.0.0.1:"],
        )
        .check();
    assert_eq!(listener.connections(), 0);
}
