//! `crmauth token`: the stored session while it does, else a renewed or a new one, and never more than that.

use std::fs;
use std::io::{BufRead, BufReader, PipeWriter, Read, Write, pipe};
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crmauth::store::Key;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::machine::signal;
use crate::support::sandbox::Servers;
use crate::support::stored::{
    change, ending, ends, entry, entry_of, first_login, five, five_at, from_now, purposes, read,
    store, systems, unseen,
};
use crate::support::{Machine, Outcome, Reply, Server, canned, raw, zeev_at};

/// The token of a run that went well and had nothing to say about it.
#[track_caller]
fn token(machine: &Machine, line: &str) -> String {
    machine.run(line).answer().trim_end().to_owned()
}

/// A machine that knows SystemsWay at `server`.
fn systemsway_at(server: &Server) -> Machine {
    let given = "USERNAME=ana PASSWORD=Vq7wayPassword2Lw";
    Machine::of("SYSTEMSWAY", &server.url(), given)
}

/// A machine that knows Broker at `server`, with a partner.
fn broker_at(server: &Server) -> Machine {
    let given = "USERNAME=loja PASSWORD=Yt5Loja1Qz PARTNER_USERNAME=parceiro PARTNER_PASSWORD=Yt5Parceiro1Qz";
    Machine::of("BROKER", &server.url(), given)
}

/// The warnings of a run.
fn warnings(outcome: &Outcome) -> Vec<&str> {
    outcome
        .stderr
        .lines()
        .filter(|line| line.starts_with("warning:"))
        .collect()
}

#[test]
fn a_stored_session_costs_no_request() {
    let (servers, machine) = five();
    for system in systems() {
        let before = servers.events().len();
        let first = token(&machine, &format!("token {system}"));
        assert_eq!(purposes(&servers, before), first_login(system), "{system}");
        let before = servers.events().len();
        assert_eq!(
            token(&machine, &format!("token {system}")),
            first,
            "{system}"
        );
        let session = machine.run(&format!("token {system} --json")).json();
        assert_eq!(
            (&session["token"], &session["target"]),
            (&json!(first), &json!(system))
        );
        assert_eq!(servers.events().len(), before, "{system}");
    }
}

#[test]
fn a_stored_session_costs_no_connection() {
    let server = Server::start(vec![canned::zeev("T0zeevSession9Xq")]);
    let machine = zeev_at(&server);
    for _ in 0..3 {
        assert_eq!(token(&machine, "token zeev"), "T0zeevSession9Xq");
    }
    assert_eq!(server.connections(), 1);
}

#[test]
fn what_login_gets_is_what_token_gives() {
    let (_servers, machine) = five();
    for system in systems() {
        let got = token(&machine, &format!("login {system}"));
        assert_eq!(token(&machine, &format!("token {system}")), got);
    }
}

#[test]
fn a_command_runs_for_a_login_only_and_is_known_by_its_text() {
    let server = Server::start(vec![canned::zeev("T1zeev"), canned::zeev("T2zeev")]);
    let mut machine = zeev_at(&server);
    machine
        .unset("ZEEV_PASSWORD")
        .set("ZEEV_PASSWORD_CMD", "echo >>mark; echo Vq7zeevPassword2Lw");
    let runs = |machine: &Machine| fs::read(machine.path("mark")).expect("a mark").len();
    for _ in 0..2 {
        assert_eq!(token(&machine, "token zeev"), "T1zeev");
        assert_eq!(runs(&machine), 1);
    }
    machine.set("ZEEV_PASSWORD_CMD", "echo >>mark;  echo Vq7zeevPassword2Lw");
    for _ in 0..2 {
        assert_eq!(token(&machine, "token zeev"), "T2zeev");
        assert_eq!(runs(&machine), 2);
    }
}

#[test]
fn a_changed_credential_is_a_miss_and_an_absent_one_is_none() {
    let server = Server::start(vec![canned::zeev("T1zeev"), canned::zeev("T2zeev")]);
    let mut machine = zeev_at(&server);
    assert_eq!(token(&machine, "token zeev"), "T1zeev");
    machine.secret("ZEEV_PASSWORD", "Zc4another5Password");
    let run = machine.run("token zeev --cached");
    run.fails(3, &["obtained with other credentials"]);
    let outcome = machine.run("token zeev -v");
    assert_eq!(outcome.stdout, "T2zeev\n");
    outcome.says(&["note: zeev: the stored session was obtained with other credentials"]);
    machine.unset("ZEEV_PASSWORD");
    assert_eq!(token(&machine, "token zeev"), "T2zeev");
    // The store must be looked into before anything is called missing, and what is missing is named then.
    ends(&entry(&machine), -1);
    machine.run("token zeev").fails(2, &["ZEEV_PASSWORD"]);
}

#[test]
fn every_user_server_and_path_has_a_session_of_its_own() {
    let server = Server::start(["T1", "T2", "T3"].map(canned::zeev).into());
    let other = Server::start(vec![canned::zeev("T4")]);
    let mut machine = zeev_at(&server);
    for round in 0..2 {
        machine
            .set("ZEEV_URL", &server.url())
            .set("ZEEV_USERNAME", "ana");
        assert_eq!(token(&machine, "token zeev"), "T1", "{round}");
        machine.set("ZEEV_USERNAME", "bia");
        assert_eq!(token(&machine, "token zeev"), "T2", "{round}");
        machine.set("ZEEV_URL", &format!("{}/filial", server.url()));
        assert_eq!(token(&machine, "token zeev"), "T3", "{round}");
        machine.set("ZEEV_URL", &other.url());
        assert_eq!(token(&machine, "token zeev"), "T4", "{round}");
    }
    assert_eq!(ending(&store(&machine), ".json").len(), 4);
}

#[test]
fn accounts_of_one_user_share_a_session() {
    let server = Server::start(vec![canned::zeev("T1")]);
    let mut machine = zeev_at(&server);
    machine
        .set("ZEEV__FILIAL__USERNAME", "ana")
        .set("ZEEV__FILIAL__PASSWORD", "Vq7zeevPassword2Lw");
    assert_eq!(token(&machine, "token zeev"), "T1");
    assert_eq!(token(&machine, "token zeev@filial"), "T1");
}

#[test]
fn an_expiring_session_is_renewed_or_replaced() {
    let (servers, machine) = five();
    for (system, expected) in [
        ("hellocloud", "login"),
        ("broker", "login"),
        ("zeev", "renew"),
    ] {
        let old = token(&machine, &format!("token {system}"));
        ends(&entry_of_system(&machine, system), 45);
        let before = servers.events().len();
        assert_eq!(token(&machine, &format!("token {system} --min-ttl 5")), old);
        assert_eq!(servers.events().len(), before);
        let outcome = machine.run(&format!("token {system} -v"));
        outcome.says(&[&format!("note: {system}: the stored session expires in ")]);
        // Broker's partner is in the store.
        assert_eq!(purposes(&servers, before), [expected], "{system}");
        let new = outcome.stdout.trim_end();
        assert_ne!(new, old);
        assert_eq!(token(&machine, &format!("token {system}")), new);
        if system == "zeev" {
            let header = ("authorization".to_owned(), format!("Bearer {old}"));
            assert!(servers.events()[before].headers.contains(&header));
        }
    }
}

/// A system's entry of the role `user`.
#[track_caller]
fn entry_of_system(machine: &Machine, system: &str) -> PathBuf {
    let found = ending(&store(machine), ".json").into_iter().find(|path| {
        let key = &read(path)["key"];
        key["provider"] == system && key["role"] == "user"
    });
    found.expect("an entry")
}

#[test]
fn zeev_renews_without_credentials() {
    let (servers, mut machine) = five();
    let old = token(&machine, "token zeev");
    ends(&entry(&machine), 45);
    machine.unset("ZEEV_PASSWORD");
    assert_ne!(token(&machine, "token zeev"), old);
    assert_eq!(purposes(&servers, 1), ["renew"]);
}

#[test]
fn more_time_than_the_server_gives_is_a_warning() {
    let (servers, machine) = five();
    for system in ["hellocloud", "broker", "zeev"] {
        let mut seen = Vec::new();
        for round in 0..2 {
            let before = servers.events().len();
            let outcome = machine.run(&format!("token {system} --min-ttl 86400"));
            assert_eq!(outcome.code, 0, "{outcome}");
            assert_eq!(warnings(&outcome).len(), 1, "{outcome}");
            outcome.says(&["less than --min-ttl 86400"]);
            let once = if round == 0 {
                first_login(system).len()
            } else {
                1
            };
            assert_eq!(servers.events().len() - before, once, "{system}");
            assert!(!seen.contains(&outcome.stdout), "{system}: not the newest");
            seen.push(outcome.stdout);
        }
    }
}

#[test]
fn short_lives_are_warned_of_once() {
    let servers = Servers::with_ttl(Some(std::time::Duration::from_secs(20)));
    let machine = five_at(&servers);
    let outcome = machine.run("token broker");
    assert_eq!(
        (outcome.code, warnings(&outcome).len()),
        (0, 1),
        "{outcome}"
    );
    outcome.says(&["less than --min-ttl 60"]);
}

#[test]
fn an_expired_hellocloud_session_is_refreshed_with_the_latest_pair() {
    let (servers, mut machine) = five();
    let mut token_before = token(&machine, "token hellocloud");
    for _ in 0..2 {
        let refresh = read(&entry(&machine))["refresh"]
            .as_str()
            .expect("a refresh token")
            .to_owned();
        machine.canary(&refresh);
        ends(&entry(&machine), -1);
        let before = servers.events().len();
        let outcome = machine.run("token hellocloud -v");
        outcome.says(&["note: hellocloud: the stored session has expired"]);
        assert!(!outcome.stdout.contains(&refresh));
        assert_eq!(purposes(&servers, before), ["renew"]);
        let body = String::from_utf8(servers.events()[before].body.clone()).expect("UTF-8");
        assert!(body.contains(&refresh));
        let stored = read(&entry(&machine));
        assert_eq!(stored["token"], outcome.stdout.trim_end());
        assert_ne!(stored["refresh"], refresh);
        assert_eq!(stored["user"], "ana");
        assert_ne!(outcome.stdout.trim_end(), token_before);
        token_before = outcome.stdout.trim_end().to_owned();
    }
}

#[test]
fn a_refused_login_leaves_the_entry_alone() {
    let (servers, mut machine) = five();
    for (system, variable, wrong) in [
        ("gluo", "GLUO_ACCESS_KEY", "Wr0ngKeyWr0ngKey"),
        ("hellocloud", "HELLOCLOUD_PASSWORD", "Wr0ngPassword1"),
        ("systemsway", "SYSTEMSWAY_PASSWORD", "Wr0ngPassword2"),
        ("broker", "BROKER_PASSWORD", "Wr0ngPassword3"),
        ("zeev", "ZEEV_PASSWORD", "Wr0ngPassword4"),
    ] {
        let good = token(&machine, &format!("token {system}"));
        let path = entry_of_system(&machine, system);
        let bytes = fs::read(&path).expect("an entry");
        machine.secret(variable, wrong);
        for verb in ["token", "login"] {
            let outcome = machine.run(&format!("{verb} {system} -q"));
            outcome.fails(4, &[system, "127.0.0.1", "hint:"]);
            assert_eq!(fs::read(&path).expect("an entry"), bytes, "{verb} {system}");
        }
        let right = servers.setting(variable).to_owned();
        machine.set(variable, &right);
        let before = servers.events().len();
        assert_eq!(token(&machine, &format!("token {system}")), good);
        assert_eq!(servers.events().len(), before);
    }
}

#[test]
fn a_session_unseen_for_a_while_is_asked_for_first() {
    let (servers, machine) = five();
    for (system, patience) in [("gluo", 600), ("systemsway", 120)] {
        let first = token(&machine, &format!("token {system}"));
        let path = entry_of_system(&machine, system);
        unseen(&path, patience - 60);
        let before = servers.events().len();
        assert_eq!(token(&machine, &format!("token {system}")), first);
        assert_eq!(servers.events().len(), before);

        unseen(&path, patience + 1);
        let unseen_at = read(&path)["seen_at"].clone();
        let outcome = machine.run(&format!("token {system} -v"));
        outcome.says(&["was last seen alive"]);
        assert_eq!(outcome.stdout.trim_end(), first);
        let asked = &servers.events()[before..];
        assert_eq!(asked.len(), 1);
        match system {
            "gluo" => {
                let question = format!("operation=listtypes&sessionName={first}");
                assert_eq!(
                    (asked[0].method.as_str(), asked[0].query.as_str()),
                    ("GET", question.as_str())
                );
            }
            _ => {
                let expected = (format!("/api/Usuario/{first}"), "id=0");
                assert_eq!((asked[0].path.clone(), asked[0].query.as_str()), expected);
            }
        }
        assert_ne!(read(&path)["seen_at"], unseen_at);
        assert_eq!(token(&machine, &format!("token {system}")), first);
        assert_eq!(servers.events().len(), before + 1);
    }
}

#[test]
fn a_session_that_died_unused_is_replaced_by_one_login() {
    let (servers, machine) = five();
    for system in ["gluo", "systemsway"] {
        let first = token(&machine, &format!("token {system}"));
        unseen(&entry_of_system(&machine, system), 86_400);
        servers.advance(86_400);
        let before = servers.events().len();
        let outcome = machine.run(&format!("token {system} -v"));
        outcome.tells("was last seen alive | the server says that the stored session is dead");
        assert!(!outcome.stderr.contains("warning:"), "{outcome}");
        assert_ne!(outcome.stdout.trim_end(), first);
        let all = [&["ask"], first_login(system)].concat();
        assert_eq!(purposes(&servers, before), all);
        assert_eq!(
            token(&machine, &format!("token {system}")),
            outcome.stdout.trim_end()
        );
    }
}

#[test]
fn a_dead_session_does_not_outlive_a_refused_login() {
    let dead =
        json!({ "Status": "ERROR", "IDSessao": "", "Message": "O ID da sessão está inválido" });
    let refused =
        json!({ "Status": "ERROR", "IDSessao": "", "Message": "Usuário ou senha estão inválidos" });
    let replies = [dead, refused].map(|answer| Reply::json(200, answer.to_string()));
    let server = Server::start([&[canned::systemsway("T1way")], &replies[..]].concat());
    let machine = systemsway_at(&server);
    assert_eq!(token(&machine, "token systemsway"), "T1way");
    unseen(&entry(&machine), 500);
    machine.run("token systemsway").fails(4, &["refused"]);
    machine.fails("token systemsway --cached", 3, &["no session is stored"]);
}

#[test]
fn a_session_that_is_refused_on_renewal_is_not_handed_out_again() {
    let server = Server::start(vec![
        canned::zeev("Z1token"),
        canned::zeev_refuses(),
        Reply::json(503, ""),
    ]);
    let machine = zeev_at(&server);
    assert_eq!(token(&machine, "token zeev"), "Z1token");
    ends(&entry(&machine), 45);
    machine.run("token zeev").fails(5, &["unavailable"]);
    machine.fails("token zeev --cached", 3, &["no session is stored"]);
}

#[test]
fn a_check_that_says_neither_is_no_reason_to_keep_a_session_back() {
    let neither = r#"{"success":false,"error":{"code":"UNKNOWN_OPERATION","message":"?"}}"#;
    let server = Server::start([canned::gluo("G1name"), vec![Reply::json(200, neither)]].concat());
    let given = "USERNAME=ana ACCESS_KEY=Vq7gluoKey2Lw";
    let machine = Machine::of("GLUO", &server.url(), given);
    assert_eq!(token(&machine, "token gluo"), "G1name");
    unseen(&entry(&machine), 3600);
    let outcome = machine.run("token gluo");
    outcome.gives(0, "G1name\n", "");
    outcome.tells("does not say whether the session is alive | UNKNOWN_OPERATION");
}

#[test]
fn an_unreachable_server_takes_no_session_away() {
    let (_servers, mut machine) = five();
    // Nobody listens there as long as the socket holds the port.
    let nobody = TcpSocket::new_v4().expect("a socket");
    nobody.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let url = format!("http://{}", nobody.local_addr().expect("an address"));
    for system in ["gluo", "systemsway", "zeev", "hellocloud"] {
        let first = token(&machine, &format!("token {system}"));
        let path = entry_of_system(&machine, system);
        change(&path, |entry| {
            entry["key"]["origin"] = json!(url);
            match system {
                "gluo" | "systemsway" => entry["seen_at"] = from_now(-1000),
                _ => entry["expires_at"] = from_now(45),
            }
        });
        let key: Key = serde_json::from_value(read(&path)["key"].clone()).expect("a key");
        let there = store(&machine).join(format!("{}.json", key.name()));
        fs::rename(&path, &there).expect("a rename");
        machine.set(&format!("{}_URL", system.to_uppercase()), &url);
        let bytes = fs::read(&there).expect("an entry");
        let run = machine.run(&format!("token {system}"));
        run.fails(5, &[system, "connection refused", &url[7..]]);
        assert_eq!(fs::read(&there).expect("an entry"), bytes);
        assert_eq!(
            token(&machine, &format!("token {system} --cached --min-ttl 5")),
            first
        );
    }
}

#[test]
fn a_file_that_may_not_grow_is_an_error() {
    let (_servers, machine) = five();
    token(&machine, "token zeev");
    for line in ["token zeev --cached", "token zeev -f json"] {
        let script = format!("ulimit -f 0; exec crmauth {line} >answer");
        let outcome = machine.shell("sh", &script);
        outcome.fails(7, &["cannot write to stdout"]);
    }
}

#[test]
fn cached_never_touches_the_network() {
    let (servers, machine) = five();
    for system in systems() {
        let cached = format!("token {system} --cached");
        let run = machine.run(&cached);
        run.fails(3, &[system, "no session is stored", "crmauth login"]);
        let error: Value =
            serde_json::from_str(&machine.run(&format!("{cached} --json")).stderr).expect("JSON");
        assert_eq!(
            (&error["error"]["code"], &error["error"]["exit"]),
            (&json!("no_session"), &json!(3))
        );
        let first = token(&machine, &format!("token {system}"));
        let before = servers.events().len();
        assert_eq!(token(&machine, &cached), first);
        let path = entry_of_system(&machine, system);
        if ["gluo", "systemsway"].contains(&system) {
            unseen(&path, 100_000);
            assert_eq!(token(&machine, &cached), first);
        } else {
            ends(&path, 45);
            assert_eq!(token(&machine, &format!("{cached} --min-ttl 5")), first);
            machine.fails(&cached, 3, &["the stored session expires in "]);
            ends(&path, -1);
            machine.fails(&cached, 3, &["the stored session has expired"]);
        }
        assert_eq!(servers.events().len(), before, "{system}");
    }
}

#[test]
fn cached_finds_nothing_where_there_is_no_store() {
    let server = Server::start(vec![]);
    let machine = zeev_at(&server);
    for none in ["--no-store", "--sandbox"] {
        let outcome = machine.run(&format!("token zeev --cached {none}"));
        outcome.fails(3, &["no session is stored"]);
        outcome.tells("hint: this run has no store; only `token`");
    }
}

#[test]
fn cached_runs_no_command() {
    let server = Server::start(vec![]);
    let mut machine = zeev_at(&server);
    machine
        .unset("ZEEV_PASSWORD")
        .set("ZEEV_PASSWORD_CMD", "touch mark; echo x");
    machine.run("token zeev --cached").fails(3, &[]);
    assert!(!machine.path("mark").exists());
}

#[test]
fn establishments_share_their_partners_session() {
    let (servers, mut machine) = five();
    for (account, user) in [("CENTRO", "TesteBroker"), ("SUL", "testebroker")] {
        machine.set(&format!("BROKER__{account}__USERNAME"), user);
        machine.set(&format!("BROKER__{account}__PASSWORD"), "123456");
    }
    let centro = token(&machine, "token broker@centro");
    let sul = token(&machine, "token broker@sul");
    assert_eq!(purposes(&servers, 0), ["partner", "login", "login"]);
    assert_eq!(token(&machine, "token broker@centro"), centro);
    assert_eq!(token(&machine, "token broker@sul"), sul);
    assert_eq!(servers.events().len(), 3);
    assert_eq!(ending(&store(&machine), ".json").len(), 3);
}

/// Broker's partner, and Zeev's impersonator: the server has lost its stored session, or never takes one.
#[test]
fn a_stored_prerequisite_that_is_refused_is_obtained_anew_once() {
    let (servers, machine) = five();
    for (stored, command, role, purposes) in [
        (
            "token broker",
            "login broker",
            "partner",
            ["login", "partner", "login"],
        ),
        (
            "token zeev",
            "login zeev --as 2",
            "user",
            ["as", "login", "as"],
        ),
    ] {
        token(&machine, stored);
        let prior = entry_of(&machine, role);
        change(&prior, |entry| entry["token"] = json!("dead.prior.token"));
        let before = servers.events().len();
        token(&machine, command);
        assert_eq!(self::purposes(&servers, before), purposes);
        assert_ne!(read(&prior)["token"], "dead.prior.token");
        prior.exists().then(|| fs::remove_dir_all(store(&machine)));
    }

    let partner = |token| json!({ "Access_Token": token, "Expires_In": 3600 }).to_string();
    let refused = || Reply::json(401, "{}");
    let server = Server::start(vec![
        Reply::json(200, partner("p.1")),
        Reply::json(200, partner("e.1")),
        refused(),
        Reply::json(200, partner("p.2")),
        refused(),
    ]);
    let machine = broker_at(&server);
    token(&machine, "token broker");
    machine.fails("login broker", 4, &["refused", "BROKER_PASSWORD"]);
    assert_eq!(server.received().len(), 5);
    assert_eq!(read(&entry_of(&machine, "partner"))["token"], "p.2");
}

#[test]
fn a_partners_password_that_changed_is_a_miss_for_the_establishment_too() {
    let (_servers, mut machine) = five();
    token(&machine, "token broker");
    machine.secret("BROKER_PARTNER_PASSWORD", "An0therPartners");
    machine.fails("token broker", 4, &["partner's login was refused"]);
    let run = machine.run("token broker --cached");
    run.fails(3, &["obtained with other credentials"]);
}

#[test]
fn an_establishments_refusal_leaves_the_partners_session_alone() {
    let token = |text: &str| {
        Reply::json(
            200,
            json!({ "Access_Token": text, "Expires_In": 3600 }).to_string(),
        )
    };
    let wrong = Reply::json(
        401,
        r#"{"CodigoRetorno":2,"MensagemRetorno":"Senha invalida"}"#,
    );
    let server = Server::start(vec![token("p.a.r"), token("e.s.t"), wrong]);
    let machine = broker_at(&server);
    assert_eq!(self::token(&machine, "token broker"), "e.s.t");
    machine.run("login broker").fails(4, &["Senha invalida"]);
    assert_eq!(read(&entry_of(&machine, "partner"))["token"], "p.a.r");
}

#[test]
fn what_stands_before_a_system_refuses_no_stored_session() {
    let basic = || {
        let head = [
            ("WWW-Authenticate", "Basic realm=\"x\""),
            ("Content-Type", "text/html"),
        ];
        Reply::with_headers(401, &head, "<html>")
    };
    let partner = json!({ "Access_Token": "p.a.r", "Expires_In": 3600 }).to_string();
    let answers = [
        Reply::json(200, &partner),
        Reply::json(200, partner.replace("p.a.r", "e.s.t")),
        basic(),
    ];
    let server = Server::start(answers.into());
    let machine = broker_at(&server);
    assert_eq!(self::token(&machine, "token broker"), "e.s.t");
    machine.run("login broker").fails(6, &["in front of"]);
    assert_eq!(read(&entry_of(&machine, "partner"))["token"], "p.a.r");

    let server = Server::start(vec![canned::zeev("1mpersonator"), basic()]);
    let given = "USERNAME=maria PASSWORD=pW-Zv3Ed7Cr1";
    let machine = Machine::of("ZEEV", &server.url(), given);
    assert_eq!(self::token(&machine, "token zeev"), "1mpersonator");
    machine.run("token zeev --as 2").fails(6, &["in front of"]);
    assert_eq!(read(&entry_of(&machine, "user"))["token"], "1mpersonator");
    assert_eq!(server.received().len(), 2);
}

#[test]
fn an_impersonated_session_is_stored_apart_and_shares_the_impersonators() {
    let (servers, machine) = five();
    let own = token(&machine, "token zeev");
    let marias = token(&machine, "token zeev --as maria.souza");
    assert_ne!(own, marias);
    assert_eq!(purposes(&servers, 0), ["login", "as"]);
    assert_eq!(token(&machine, "token zeev --as maria.souza"), marias);
    assert_eq!(token(&machine, "token zeev"), own);
    assert_eq!(servers.events().len(), 2);
    let session = machine.run("token zeev --as maria.souza --json").json();
    assert_eq!(
        (&session["user"], &session["impersonating"]),
        (&json!("integracao"), &json!("maria.souza"))
    );
    machine.fails("token zeev --as 3 --cached", 3, &["no session is stored"]);

    // It is renewed as it is, too.
    ends(&entry_of(&machine, "as:maria.souza"), 45);
    let session = machine.run("token zeev --as maria.souza --json").json();
    assert_eq!(session["impersonating"], "maria.souza");
    assert_ne!(session["token"], marias);
    assert_eq!(purposes(&servers, 2), ["renew"]);
}

#[test]
fn token_never_replaces_a_live_single_seat_and_login_says_that_it_does() {
    let (_servers, machine) = five();
    let first = token(&machine, "token systemsway");
    unseen(&entry(&machine), 10_000);
    assert_eq!(token(&machine, "token systemsway --min-ttl 86400"), first);
    let since = read(&entry(&machine))["obtained_at"]
        .as_str()
        .expect("a time")[..16]
        .replace('T', " ");
    let outcome = machine.run("login systemsway");
    assert_eq!(
        (outcome.code, warnings(&outcome).len()),
        (0, 1),
        "{outcome}"
    );
    let place = store(&machine).display().to_string();
    outcome.says(&[
        "this ended the session of",
        &since,
        &place,
        "crmauth token systemsway",
    ]);
    let second = outcome.stdout.trim_end();
    assert_ne!(second, first);
    assert_eq!(token(&machine, "token systemsway"), second);
    // The others have no seat to lose.
    for system in ["gluo", "hellocloud", "broker", "zeev"] {
        let tokens = [(); 2].map(|()| token(&machine, &format!("login {system}")));
        assert_ne!(tokens[0], tokens[1]);
    }
}

#[test]
fn after_a_login_that_was_cut_off_a_single_seat_is_asked_for() {
    let alive = Reply::json(200, "[]");
    let server = Server::start(vec![
        canned::systemsway("T1way"),
        Reply::Last(vec![]),
        alive,
    ]);
    let machine = systemsway_at(&server);
    assert_eq!(token(&machine, "token systemsway"), "T1way");
    machine.fails("login systemsway", 5, &["may have taken effect"]);
    assert_eq!(read(&entry(&machine))["seen_at"], Value::Null);
    let outcome = machine.run("token systemsway -v");
    outcome.says(&["note: systemsway: the stored session may have ended"]);
    assert_eq!(outcome.stdout, "T1way\n");
    assert_eq!(server.received()[2].target, "/api/Usuario/T1way?id=0");
    assert_eq!(token(&machine, "token systemsway"), "T1way");
}

#[test]
fn after_an_answer_that_is_no_refusal_a_single_seat_is_asked_for() {
    let cut = Reply::json(200, r#"{"Status":"OK","IDSess"#);
    for (reply, code) in [
        (cut, 6),
        (Reply::json(502, ""), 5),
        (Reply::http(200, "text/html", "<html>"), 6),
    ] {
        let server = Server::start(vec![
            canned::systemsway("T1way"),
            reply,
            Reply::json(200, "[]"),
        ]);
        let machine = systemsway_at(&server);
        assert_eq!(token(&machine, "token systemsway"), "T1way");
        machine.run("login systemsway").fails(code, &[]);
        assert_eq!(token(&machine, "token systemsway"), "T1way");
        assert_eq!(server.received()[2].target, "/api/Usuario/T1way?id=0");
    }
}

#[test]
fn after_a_login_that_was_killed_or_interrupted_a_single_seat_is_asked_for() {
    for (end, code) in [(Signal::KILL, 137), (Signal::INT, 130), (Signal::TERM, 143)] {
        let alive = Reply::json(200, "[]");
        let server = Server::start(vec![canned::systemsway("T1way"), Reply::Silence, alive]);
        let machine = systemsway_at(&server);
        assert_eq!(token(&machine, "token systemsway"), "T1way");
        let run = machine.start(machine.command(&["login", "systemsway", "-q"]));
        server.wait_for(2);
        signal(&run, end);
        assert_eq!(machine.end(run).code, code);
        assert_eq!(token(&machine, "token systemsway"), "T1way");
        assert_eq!(server.received()[2].target, "/api/Usuario/T1way?id=0");
    }
}

/// Runs that have all started, and that go on once the gate opens: they read their settings from it.
pub struct Crowd {
    gate: PipeWriter,
    runs: Vec<Child>,
}

impl Crowd {
    pub fn gather(machine: &Machine, size: usize, line: &str) -> Self {
        let (reader, gate) = pipe().expect("a pipe");
        let arguments: Vec<&str> = line
            .split(' ')
            .chain(["--env-file", "/dev/stdin"])
            .collect();
        let runs = (0..size).map(|_| {
            let mut command = machine.command(&arguments);
            command.stdin(Stdio::from(reader.try_clone().expect("a pipe")));
            machine.start(command)
        });
        Self {
            runs: runs.collect(),
            gate,
        }
    }

    /// Lets them go; what they printed.
    #[track_caller]
    pub fn go(self, machine: &Machine) -> Vec<String> {
        drop(self.gate);
        // All of them are read from at once, so that nobody waits for a reader.
        let outcomes = std::thread::scope(|scope| {
            let ends: Vec<_> = self
                .runs
                .into_iter()
                .map(|run| scope.spawn(move || machine.end(run)))
                .collect();
            ends.into_iter()
                .map(|end| end.join().expect("a run"))
                .collect::<Vec<_>>()
        });
        outcomes
            .iter()
            .map(|outcome| outcome.answer().to_owned())
            .collect()
    }
}

#[track_caller]
fn all_equal(answers: &[String]) {
    assert!(!answers[0].is_empty());
    assert!(
        answers.iter().all(|answer| *answer == answers[0]),
        "{answers:?}"
    );
}

#[test]
fn fifty_at_once_log_in_once() {
    for system in systems() {
        let (servers, machine) = five();
        let start = std::time::Instant::now();
        let answers = Crowd::gather(&machine, 50, &format!("token {system}")).go(&machine);
        eprintln!("50 x token {system}: {:?}", start.elapsed());
        all_equal(&answers);
        assert_eq!(purposes(&servers, 0), first_login(system), "{system}");
        let drafts = fs::read_dir(store(&machine)).expect("a store");
        let drafts = drafts.filter(|file| {
            file.as_ref()
                .expect("a file")
                .file_name()
                .to_string_lossy()
                .starts_with(".crmauth-")
        });
        assert_eq!(drafts.count(), 0);
    }
}

#[test]
fn fifty_at_once_refresh_once() {
    let (servers, machine) = five();
    let old = token(&machine, "token hellocloud");
    ends(&entry(&machine), -1);
    let answers = Crowd::gather(&machine, 50, "token hellocloud").go(&machine);
    all_equal(&answers);
    assert_ne!(answers[0].trim_end(), old);
    assert_eq!(purposes(&servers, 1), ["renew"]);
}

#[test]
fn fifty_at_once_with_a_key_that_is_cut_log_in_once() {
    let (servers, machine) = five();
    token(&machine, "token zeev");
    let key = store(&machine).join("key");
    fs::write(&key, [7; 31]).expect("a key");
    let answers = Crowd::gather(&machine, 50, "token zeev").go(&machine);
    all_equal(&answers);
    assert_eq!(purposes(&servers, 1), ["login"]);
}

/// Stands before Gluocrm and passes everything on, but takes a challenge for a rival right after the first one.
fn with_a_rival(host: &str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let (host, mut rivals) = (host.to_owned(), 1);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.expect("a connection");
            let mut reader = BufReader::new(stream.try_clone().expect("a connection"));
            let (mut head, mut length) = (String::new(), 0);
            while !head.ends_with("\r\n\r\n") {
                let start = head.len();
                reader.read_line(&mut head).expect("a request");
                let line = head[start..].to_ascii_lowercase();
                length = line
                    .strip_prefix("content-length: ")
                    .map_or(length, |number| number.trim().parse().expect("a length"));
            }
            let mut body = vec![0; length];
            reader.read_exact(&mut body).expect("a body");
            let mut server = TcpStream::connect(&host).expect("the sandbox");
            let head = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
            server
                .write_all(&[head.as_bytes(), &body].concat())
                .expect("a server");
            let mut answer = Vec::new();
            server.read_to_end(&mut answer).expect("an answer");
            if head.contains("getchallenge") && rivals > 0 {
                rivals -= 1;
                let target = "/webservice.php?operation=getchallenge&username=admin";
                raw::send(
                    &host,
                    &raw::Request {
                        method: "GET",
                        target,
                        ..raw::Request::default()
                    },
                );
            }
            stream.write_all(&answer).expect("a client");
        }
    });
    url
}

#[test]
fn fifty_at_once_survive_a_rival_that_takes_the_challenge() {
    let (servers, mut machine) = five();
    machine.set("GLUO_URL", &with_a_rival(servers.host("gluo")));
    let answers = Crowd::gather(&machine, 50, "token gluo").go(&machine);
    all_equal(&answers);
    // The rival's challenge ended ours, the right key was refused once, and nobody heard of it.
    assert_eq!(
        purposes(&servers, 0),
        ["challenge", "challenge", "login", "challenge", "login"]
    );
}

#[test]
fn twenty_at_once_into_one_file_do_not_sweep_each_other_away() {
    let (_servers, machine) = five();
    let session = token(&machine, "token zeev");
    for _ in 0..3 {
        let answers = Crowd::gather(&machine, 20, "token zeev --save").go(&machine);
        assert!(answers.iter().all(String::is_empty));
        assert_eq!(
            fs::read_to_string(machine.path("session.txt")).expect("a file"),
            session
        );
        assert_eq!(machine.files(), ["session.txt"]);
    }
}

#[test]
fn twenty_logins_at_once_take_turns() {
    let (servers, machine) = five();
    let answers = Crowd::gather(&machine, 20, "login gluo").go(&machine);
    let mut different = answers.clone();
    different.sort();
    different.dedup();
    assert_eq!(different.len(), 20);
    // Each challenge is answered before the next one is asked for.
    assert_eq!(purposes(&servers, 0), ["challenge", "login"].repeat(20));
    let last = token(&machine, "token gluo");
    assert!(answers.iter().any(|answer| answer.trim_end() == last));
}
