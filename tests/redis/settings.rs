//! The store's URL, its key and its password.

use super::*;
use crate::support::cells;
use crate::support::machine::set_mode;
use crate::support::stored::five;
use crate::support::tls::Authority;

pub const OTHER_KEY: &str = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcy4=";

/// A run that fails with exit code 2 before anything is sent: its line and what it says, between ` | `.
#[track_caller]
fn refused(machine: &Machine, servers: &Servers, line_and_texts: &str) {
    let before = servers.events().len();
    machine.refuses(line_and_texts);
    assert_eq!(servers.events().len(), before, "something was sent");
}

#[test]
fn a_store_needs_its_key() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let mut machine = sharing(&servers, &redis.url());
    let refused = |machine: &Machine, texts: &str| {
        refused(machine, &servers, &format!("token zeev | {texts}"));
    };
    machine.unset("CRMAUTH_STORE_KEY");
    let hint = "`openssl rand -base64 32` makes one";
    refused(&machine, &format!("CRMAUTH_STORE_KEY is not set | {hint}"));
    for [key, why] in cells([
        "short | is not a key",
        "c2hvcnQ= | is not a key",
        "   | is not set",
    ]) {
        machine.set("CRMAUTH_STORE_KEY", key);
        refused(&machine, &format!("CRMAUTH_STORE_KEY | {why} | {hint}"));
    }
    assert_eq!(redis.names(), Vec::<String>::new());
    machine.set("CRMAUTH_STORE_KEY_CMD", &format!("echo {KEY}"));
    machine.set("CRMAUTH_STORE_KEY", KEY);
    refused(
        &machine,
        "both CRMAUTH_STORE_KEY and CRMAUTH_STORE_KEY_CMD are set",
    );
    // All three ways are one key.
    machine.unset("CRMAUTH_STORE_KEY");
    let got = token(&machine, "token zeev");
    let path = machine.write("key", format!("{KEY}\n"));
    machine.unset("CRMAUTH_STORE_KEY_CMD");
    machine.set("CRMAUTH_STORE_KEY_FILE", path.to_str().expect("UTF-8"));
    assert_eq!(token(&machine, "token zeev"), got);
    machine.set("CRMAUTH_STORE_KEY_FILE", "none");
    refused(
        &machine,
        "CRMAUTH_STORE_KEY_FILE from the environment names",
    );
    machine.unset("CRMAUTH_STORE_KEY_FILE");
    machine.set("CRMAUTH_STORE_KEY_CMD", "false");
    refused(&machine, "CRMAUTH_STORE_KEY_CMD | ended with exit status 1");
    // It comes from the environment alone.
    machine.unset("CRMAUTH_STORE_KEY_CMD");
    machine.write(".env", format!("CRMAUTH_STORE_KEY={KEY}\n"));
    refused(&machine, "CRMAUTH_STORE_KEY is not set");
    // Whoever keeps nothing needs none.
    assert_eq!(machine.run("token zeev --no-store").code, 0);
}

#[test]
fn another_key_is_no_way_in() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let machine = sharing(&servers, &redis.url());
    let got = token(&machine, "token systemsway");
    let names = redis.names();
    let mut other = sharing(&servers, &redis.url());
    other.secret("CRMAUTH_STORE_KEY", OTHER_KEY);
    let lines = "token systemsway|login systemsway|token systemsway --cached|logout systemsway|\
            logout --all|status systemsway";
    for line in lines.split('|') {
        let before = servers.events().len();
        let texts = ["this store was encrypted with another key"];
        other.run(line).exits(2, line).says(&texts);
        assert_eq!(servers.events().len(), before, "{line}");
    }
    assert_eq!(redis.names(), names);
    assert_eq!(token(&machine, "token systemsway"), got);
    // In a database of its own it is welcome.
    other.set("CRMAUTH_STORE", &format!("{}/1", redis.url()));
    assert_eq!(other.run("token zeev").code, 0);
    assert_eq!(token(&machine, "token systemsway"), got);
}

#[test]
fn whoever_came_first_with_another_key_is_noticed_by_the_second() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let codes = std::sync::Mutex::new([(); 2].map(|()| Vec::new()));
    at_once(0..8, |number| {
        let mut machine = sharing(&servers, &redis.url());
        machine.secret("CRMAUTH_STORE_KEY", [KEY, OTHER_KEY][number % 2]);
        let code = machine.run("token systemsway").code;
        codes.lock().expect("codes")[number % 2].push(code);
    });
    let mut codes = codes.into_inner().expect("codes");
    codes.sort();
    assert_eq!(codes, [[0; 4], [2; 4]]);
    assert_eq!(logins(&servers), 1);
}

#[test]
fn urls_that_are_refused() {
    let (servers, mut machine) = five();
    shares(&mut machine, "x");
    machine.canary("Pw7Qx2Store");
    for row in [
        "rediss://h#insecure | CRMAUTH_STORE asks for #insecure | rediss://USER:PASSWORD@HOST",
        "redis:// | has no usable host",
        "redis:///0 | has no usable host",
        "redis:h | has no usable host",
        "redis://a%zz | has no usable host",
        "redis://h:99999 | is not a valid URL",
        "redis://h#x | contains a fragment (#)",
        "redis://h/x | has a database that is not a number",
        "redis://h/-1 | has a database that is not a number",
        "redis://h/1/2 | has a database that is not a number",
        "redis://h/99999999999 | has too large a database number",
        "redis://secret@h | has a user but no password | redis://:PASSWORD@HOST",
        "redis://:%ff@h | has a user or a password that is not valid UTF-8",
        "redis:// h | contains white space or a control character, which is not allowed in a URL",
        "redis://h?a=b | has parameters (?), and none are supported",
        "redis://:Pw7Qx2Store@h?a=b | has parameters",
        "redis://192.0.2.1 | redis:// to 192.0.2.1:6379 is not encrypted | CRMAUTH_STORE_ALLOW_PLAIN=1",
        "redis://user:Pw7Qx2Store@[2001:db8::1]:7000 | redis:// to [2001:db8::1]:7000 is not encrypted",
    ] {
        let (url, texts) = row.split_once(" | ").expect("a text");
        machine.set("CRMAUTH_STORE", url);
        refused(&machine, &servers, &format!("token zeev | {texts}"));
        if !url.contains(['@', ' ']) {
            machine.unset("CRMAUTH_STORE");
            refused(
                &machine,
                &servers,
                &format!("token zeev --store {url} | error: "),
            );
        }
    }
    let texts = "--store contains a password | set CRMAUTH_STORE instead";
    let line = "token zeev --store redis://:Pw7Qx2Store@127.0.0.1";
    refused(&machine, &servers, &format!("{line} | {texts}"));
}

#[test]
fn passwords_users_and_databases() {
    let Some(redis) = Redis::with(&["--requirepass", "Pw7 Qx2:Store"]) else {
        return;
    };
    let servers = Servers::start();
    let mut machine = sharing(&servers, &redis.url());
    let refused = |machine: &Machine, line: &str| refused(machine, &servers, line);
    machine.canary("Pw7 Qx2:Store").canary("Wr0ngPassword");
    refused(&machine, "token zeev | requires a password");
    let at = |user: &str, end: &str| format!("redis://{user}@{}{end}", redis.address());
    machine.set("CRMAUTH_STORE", &at(":Wr0ngPassword", ""));
    refused(
        &machine,
        "token zeev | does not accept the user or the password | check the user",
    );
    machine.set("CRMAUTH_STORE", &at(":Pw7%20Qx2%3AStore", "/99"));
    refused(&machine, "token zeev | out of range | the database");
    machine.set("CRMAUTH_STORE", &at(":Pw7%20Qx2%3AStore", "/3"));
    let got = token(&machine, "token zeev");
    assert_eq!(redis.names(), Vec::<String>::new(), "database 0 is empty");
    ask::<()>(
        &redis,
        "ACL SETUSER ci on >Ci5Password ~crmauth:* +@all -@scripting",
    );
    machine.set("CRMAUTH_STORE", &at("ci:Ci5Password", "/3"));
    assert_eq!(token(&machine, "token zeev"), got);
    refused(&machine, "login zeev | answered NOPERM");
    // A password where none is wanted is a setting to be mended too.
    let Some(open) = Redis::start() else { return };
    let place = format!("redis://:Pw7%20Qx2%3AStore@{}", open.address());
    machine.set("CRMAUTH_STORE", &place);
    refused(
        &machine,
        "token zeev | check the user, the password and the database",
    );
}

#[test]
fn over_tls() {
    let authority = Authority::new();
    let (certificate, key) = authority.files("localhost");
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str, text: &str| {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("a file");
        set_mode(&path, 0o600);
        path.to_str().expect("UTF-8").to_owned()
    };
    let port = crate::support::redis::free_port();
    let (certificate, key) = (file("certificate", &certificate), file("key", &key));
    let files = format!("--tls-cert-file {certificate} --tls-key-file {key}");
    let options = format!("--tls-port {port} {files} --tls-auth-clients no");
    let options: Vec<&str> = options.split(' ').collect();
    let Some(redis) = Redis::with(&options).map(Redis::settled) else {
        return;
    };
    let servers = Servers::start();
    let mut machine = sharing(&servers, &format!("rediss://localhost:{port}"));
    let ca = machine.write("ca.pem", authority.pem());
    let trusting = format!("token systemsway --ca-file {}", ca.display());
    let got = token(&machine, &trusting);
    assert_eq!(token(&machine, &trusting), got);
    let own = format!("token systemsway --ca-file {certificate}");
    assert_eq!(token(&machine, &own), got, "its own certificate");
    assert_eq!(logins(&servers), 1);
    // Who is not trusted, or is another, gets nothing.
    let plain = redis.address().port();
    for (line, url, texts) in [
        (
            "token systemsway",
            format!("rediss://localhost:{port}"),
            "unknown issuer | --no-store",
        ),
        (
            &trusting,
            format!("rediss://127.0.0.1:{port}"),
            "is for another name",
        ),
        (
            &trusting,
            format!("rediss://127.0.0.1:{plain}"),
            "cannot be reached",
        ),
        (
            &trusting,
            format!("redis://127.0.0.1:{port}"),
            "cannot be reached",
        ),
    ] {
        machine.set("CRMAUTH_STORE", &url);
        machine.fails(line, 5, &[]).tells(texts);
    }
    assert_eq!(logins(&servers), 1);
}
