//! The store's URL, its key and its password.

use std::os::unix::fs::PermissionsExt;

use super::*;
use crate::support::Outcome;
use crate::support::stored::five;
use crate::support::tls::Authority;

pub const OTHER_KEY: &str = "YW5vdGhlciBrZXkgb2YgdGhpcnR5LXR3byBieXRlcy4=";

/// A run that fails with exit code 2 before anything is sent.
#[track_caller]
fn refused(machine: &Machine, servers: &Servers, line: &str, texts: &[&str]) -> Outcome {
    let before = servers.events().len();
    let outcome = machine.run(line);
    outcome.fails(2, texts);
    assert_eq!(servers.events().len(), before, "something was sent");
    outcome
}

#[test]
fn a_store_needs_its_key() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    let mut machine = sharing(&servers, &redis.url());
    machine.unset("CRMAUTH_STORE_KEY");
    let hint = "`openssl rand -base64 32` makes one";
    refused(
        &machine,
        &servers,
        "token zeev",
        &["CRMAUTH_STORE_KEY is not set", hint],
    );
    for (key, why) in [
        ("short", "is not a key"),
        ("c2hvcnQ=", "is not a key"),
        ("  ", "is not set"),
    ] {
        machine.set("CRMAUTH_STORE_KEY", key);
        refused(
            &machine,
            &servers,
            "token zeev",
            &["CRMAUTH_STORE_KEY", why, hint],
        );
    }
    assert_eq!(redis.names(), Vec::<String>::new());
    machine.set("CRMAUTH_STORE_KEY_CMD", &format!("echo {KEY}"));
    machine.set("CRMAUTH_STORE_KEY", KEY);
    refused(
        &machine,
        &servers,
        "token zeev",
        &["both CRMAUTH_STORE_KEY and CRMAUTH_STORE_KEY_CMD are set"],
    );
    // All three ways are one key.
    machine.unset("CRMAUTH_STORE_KEY");
    let got = token(&machine, "token zeev");
    let path = machine.write("key", format!("{KEY}\n"));
    machine
        .unset("CRMAUTH_STORE_KEY_CMD")
        .set("CRMAUTH_STORE_KEY_FILE", path.to_str().expect("UTF-8"));
    assert_eq!(token(&machine, "token zeev"), got);
    machine.set("CRMAUTH_STORE_KEY_FILE", "none");
    refused(
        &machine,
        &servers,
        "token zeev",
        &["CRMAUTH_STORE_KEY_FILE from the environment names"],
    );
    machine
        .unset("CRMAUTH_STORE_KEY_FILE")
        .set("CRMAUTH_STORE_KEY_CMD", "false");
    refused(
        &machine,
        &servers,
        "token zeev",
        &["CRMAUTH_STORE_KEY_CMD", "ended with exit status 1"],
    );
    // It comes from the environment alone.
    machine
        .unset("CRMAUTH_STORE_KEY_CMD")
        .write(".env", format!("CRMAUTH_STORE_KEY={KEY}\n"));
    refused(
        &machine,
        &servers,
        "token zeev",
        &["CRMAUTH_STORE_KEY is not set"],
    );
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
        let outcome = other.run(line);
        assert_eq!(outcome.code, 2, "{line}: {outcome}");
        outcome.says(&["this store was encrypted with another key"]);
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
    let machines: Vec<_> = [KEY, OTHER_KEY]
        .into_iter()
        .cycle()
        .take(8)
        .map(|key| {
            let mut machine = sharing(&servers, &redis.url());
            machine.secret("CRMAUTH_STORE_KEY", key);
            machine
        })
        .collect();
    let codes = std::sync::Mutex::new(Vec::new());
    crate::support::at_once(machines.iter().enumerate(), |(number, machine)| {
        codes
            .lock()
            .expect("codes")
            .push((number % 2, machine.run("token systemsway").code));
    });
    let codes = codes.into_inner().expect("codes");
    for side in 0..2 {
        let mut own = codes
            .iter()
            .filter(|(its, _)| *its == side)
            .map(|(_, code)| *code);
        let first = own.next().expect("a code");
        assert!(own.all(|code| code == first), "{codes:?}");
    }
    assert!(
        codes.iter().any(|(_, code)| *code == 0) && codes.iter().any(|(_, code)| *code == 2),
        "{codes:?}"
    );
    assert_eq!(logins(&servers), 1);
}

#[test]
fn urls_that_are_refused() {
    let (servers, mut machine) = five();
    shares(&mut machine, "x");
    machine.canary("Pw7Qx2Store");
    for (url, texts) in [
        (
            "rediss://h#insecure",
            &[
                "CRMAUTH_STORE asks for #insecure",
                "rediss://USER:PASSWORD@HOST",
            ][..],
        ),
        ("redis://", &["has no usable host"]),
        ("redis:///0", &["has no usable host"]),
        ("redis:h", &["has no usable host"]),
        ("redis://a%zz", &["has no usable host"]),
        ("redis://h:99999", &["is not a valid URL"]),
        ("redis://h#x", &["contains a fragment (#)"]),
        ("redis://h/x", &["has a database that is not a number"]),
        ("redis://h/-1", &["has a database that is not a number"]),
        ("redis://h/1/2", &["has a database that is not a number"]),
        (
            "redis://h/99999999999",
            &["has too large a database number"],
        ),
        (
            "redis://secret@h",
            &["has a user but no password", "redis://:PASSWORD@HOST"],
        ),
        (
            "redis://:%ff@h",
            &["has a user or a password that is not valid UTF-8"],
        ),
        (
            "redis:// h",
            &["contains white space or a control character, which is not allowed in a URL"],
        ),
        (
            "redis://h?a=b",
            &["has parameters (?), and none are supported"],
        ),
        ("redis://:Pw7Qx2Store@h?a=b", &["has parameters"]),
        (
            "redis://192.0.2.1",
            &[
                "redis:// to 192.0.2.1:6379 is not encrypted",
                "CRMAUTH_STORE_ALLOW_PLAIN=1",
            ],
        ),
        (
            "redis://user:Pw7Qx2Store@[2001:db8::1]:7000",
            &["redis:// to [2001:db8::1]:7000 is not encrypted"],
        ),
    ] {
        machine.set("CRMAUTH_STORE", url);
        refused(&machine, &servers, "token zeev", texts);
        if !url.contains(['@', ' ']) {
            machine.unset("CRMAUTH_STORE");
            refused(
                &machine,
                &servers,
                &format!("token zeev --store {url}"),
                &texts[..0],
            );
        }
    }
    let texts = &["--store contains a password", "set CRMAUTH_STORE instead"];
    refused(
        &machine,
        &servers,
        "token zeev --store redis://:Pw7Qx2Store@127.0.0.1",
        texts,
    );
}

#[test]
fn passwords_users_and_databases() {
    let (Some(redis), servers) = (
        Redis::with(&["--requirepass", "Pw7 Qx2:Store"]),
        Servers::start(),
    ) else {
        return;
    };
    let mut machine = sharing(&servers, &redis.url());
    machine.canary("Pw7 Qx2:Store").canary("Wr0ngPassword");
    refused(&machine, &servers, "token zeev", &["requires a password"]);
    let at = |user: &str, end: &str| format!("redis://{user}@{}{end}", redis.address());
    machine.set("CRMAUTH_STORE", &at(":Wr0ngPassword", ""));
    refused(
        &machine,
        &servers,
        "token zeev",
        &["does not accept the user or the password", "check the user"],
    );
    machine.set("CRMAUTH_STORE", &at(":Pw7%20Qx2%3AStore", "/99"));
    refused(
        &machine,
        &servers,
        "token zeev",
        &["out of range", "the database"],
    );
    machine.set("CRMAUTH_STORE", &at(":Pw7%20Qx2%3AStore", "/3"));
    let got = token(&machine, "token zeev");
    assert_eq!(redis.names(), Vec::<String>::new(), "database 0 is empty");
    let mut client = redis.client();
    let rule = [
        "ACL",
        "SETUSER",
        "ci",
        "on",
        ">Ci5Password",
        "~crmauth:*",
        "+@all",
        "-@scripting",
    ];
    let mut command = redis::cmd(rule[0]);
    rule[1..].iter().for_each(|word| {
        command.arg(*word);
    });
    let _: () = command.query(&mut client).expect("a user");
    machine.set("CRMAUTH_STORE", &at("ci:Ci5Password", "/3"));
    assert_eq!(token(&machine, "token zeev"), got);
    refused(&machine, &servers, "login zeev", &["answered NOPERM"]);
    // A password where none is wanted is a setting to be mended too.
    let Some(open) = Redis::start() else { return };
    machine.set(
        "CRMAUTH_STORE",
        &format!("redis://:Pw7%20Qx2%3AStore@{}", open.address()),
    );
    refused(
        &machine,
        &servers,
        "token zeev",
        &["check the user, the password and the database"],
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
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("a mode");
        path.to_str().expect("UTF-8").to_owned()
    };
    let port = crate::support::redis::free_port().to_string();
    let (certificate, key) = (file("certificate", &certificate), file("key", &key));
    let options = [
        "--tls-port",
        &port,
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-auth-clients",
        "no",
    ];
    let Some(redis) = Redis::with(&options).map(Redis::settled) else {
        return;
    };
    let servers = Servers::start();
    let mut machine = sharing(&servers, &format!("rediss://localhost:{port}"));
    let ca = machine.write("ca.pem", authority.pem());
    let trusting = format!("token systemsway --ca-file {}", ca.display());
    let got = token(&machine, &trusting);
    assert_eq!(token(&machine, &trusting), got);
    assert_eq!(
        token(
            &machine,
            &format!("token systemsway --ca-file {certificate}")
        ),
        got,
        "its own certificate"
    );
    assert_eq!(logins(&servers), 1);
    // Who is not trusted, or is another, gets nothing.
    for (line, url, texts) in [
        (
            "token systemsway".to_owned(),
            format!("rediss://localhost:{port}"),
            &["unknown issuer", "--no-store"][..],
        ),
        (
            trusting.clone(),
            format!("rediss://127.0.0.1:{port}"),
            &["is for another name"],
        ),
        (
            trusting.clone(),
            format!("rediss://{}", redis.address()),
            &["cannot be reached"],
        ),
        (
            trusting.clone(),
            format!("redis://127.0.0.1:{port}"),
            &["cannot be reached"],
        ),
    ] {
        machine.set("CRMAUTH_STORE", &url);
        machine.run(&line).fails(5, texts);
    }
    assert_eq!(logins(&servers), 1);
}
