//! What a library or the system reported stands under our own sentence at `-v`, and tells no secret.

use crate::broker::DEMO;
use crate::support::server::Nobody;
use crate::support::tls::Authority;
use crate::support::{Machine, Reply, Server};

/// A failure, what `-v` says of it, and a part of that which is the password here.
struct Row {
    name: &'static str,
    machine: Machine,
    code: i32,
    link: &'static str,
    secret: &'static str,
}

fn row(name: &'static str, url: &str, code: i32, link: &'static str, secret: &'static str) -> Row {
    Row {
        name,
        machine: DEMO.machine(url),
        code,
        link,
        secret,
    }
}

#[test]
fn causes_are_told_on_request_without_secrets() {
    let answering = |body: &str| {
        let server = Server::start(Vec::new());
        server.rest(Reply::json(200, body));
        server
    };
    let strangers = Server::start_tls(Authority::new().server("127.0.0.1"), Vec::new());
    let cut = answering(r#"{"CodigoRetorno":1,"#);
    let good = answering(&DEMO.good());
    let nobody = Nobody::new();
    let (issuer, lookup) = ("UnknownIssuer", "address information");
    let certificate = "invalid peer certificate: UnknownIssuer";
    let unresolved = "failed to lookup address information";
    let cut_off = "EOF while parsing a value at line 1 column 19";
    let (refused, no_folder) = (
        "Connection refused (os error 111)",
        "Not a directory (os error 20)",
    );
    let mut rows = vec![
        row("TLS", &strangers.url(), 5, certificate, issuer),
        row("DNS", "https://nowhere.invalid", 5, unresolved, lookup),
        row("JSON", &cut.url(), 6, cut_off, "EOF while parsing"),
        row("Redis", &good.url(), 0, refused, "os error 111"),
        row("a file", &good.url(), 0, no_folder, "os error 20"),
    ];
    rows[3]
        .machine
        .set("CRMAUTH_STORE", &format!("redis://{}", nobody.host()));
    rows[3].machine.set(
        "CRMAUTH_STORE_KEY",
        "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    );
    rows[4].machine.write("a-file", "");
    let store = format!("file:{}/store", rows[4].machine.path("a-file").display());
    rows[4].machine.set("CRMAUTH_STORE", &store);
    for mut row in rows {
        let login = |options: &str| {
            let outcome = row.machine.run(&format!("login broker{options}"));
            assert_eq!(outcome.code, row.code, "{}: {}", row.name, outcome.stderr);
            outcome.stderr
        };
        let told = login(" -v");
        let found = told.lines().any(|line| {
            line.starts_with("note: ") && line.contains("caused by: ") && line.contains(row.link)
        });
        assert!(found, "{}: {told}", row.name);
        assert!(!login("").contains("caused by"), "{}", row.name);
        row.machine
            .set("BROKER_PASSWORD", row.secret)
            .canary(row.secret);
        let told = row.machine.run("login broker -v");
        assert!(
            told.stderr.contains("caused by: ") && told.stderr.contains("***"),
            "{}: {}",
            row.name,
            told.stderr
        );
    }
}
