//! `crmauth providers`: what the declarations tell.

use std::collections::BTreeSet;

use crmauth::provider;
use serde_json::Value;

use crate::faults::steps::Kind;
use crate::support::sandbox::Servers;
use crate::support::stored::systems;
use crate::support::{Machine, Reply, Server, cells, demo};

/// A system's settings as `--json` tells them.
fn settings(name: &str) -> Vec<Value> {
    let outcome = Machine::new().run(&format!("providers {name} --json"));
    outcome.answer();
    let json = outcome.json();
    assert_eq!(json.as_array().expect("an array").len(), 1);
    json[0]["settings"].as_array().expect("an array").clone()
}

fn variable(setting: &Value) -> &str {
    setting["variable"].as_str().expect("a name")
}

#[test]
fn every_system_is_played_and_tested() {
    let servers = Servers::start();
    for (system, demo) in systems().into_iter().zip(demo::ALL) {
        assert_eq!(demo.id, system, "`DEMO` of tests/{system}.rs");
        let url = demo.variable("URL");
        assert!(
            servers.demo().any(|(name, _)| name == url),
            "`ACCOUNT` of src/sandbox/{system}.rs"
        );
        for kind in [Kind::Login, Kind::Call] {
            let known = demo
                .steps
                .iter()
                .any(|step| step.kind == kind && step.system == system);
            assert!(known, "`steps` of tests/{system}.rs lack one of {kind:?}");
        }
    }
}

#[test]
fn the_table_names_every_system() {
    let outcome = Machine::new().run("providers");
    let first_words: Vec<&str> = outcome
        .answer()
        .lines()
        .take(systems().len())
        .map(|line| line.split(' ').next().expect("a word"))
        .collect();
    assert_eq!(first_words, systems());
    for spec in provider::specs() {
        assert!(outcome.stdout.contains(spec.product), "{outcome}");
    }
}

#[test]
fn json_tells_every_declared_field() {
    for [system, fields] in cells([
        "gluo | USERNAME ACCESS_KEY",
        "hellocloud | CLIENT_ID CLIENT_SECRET USERNAME PASSWORD GRANT BODY TOKEN_PATH",
        "systemsway | USERNAME PASSWORD PASSWORD_SHA256 HASH_CASE",
        "broker | USERNAME PASSWORD PARTNER_TOKEN PARTNER_USERNAME PARTNER_PASSWORD PARTNER_LOGIN_PATH",
        "zeev | USERNAME PASSWORD API_TOKEN",
    ]) {
        let expected: BTreeSet<String> = fields
            .split(' ')
            .chain(["URL", "ALLOW_HTTP", "ALLOW_PROXY"])
            .map(|field| format!("{}_{field}", system.to_uppercase()))
            .collect();
        let settings = settings(system);
        assert_eq!(settings.len(), expected.len(), "{system}");
        assert_eq!(
            settings
                .iter()
                .map(|one| variable(one).to_owned())
                .collect::<BTreeSet<_>>(),
            expected
        );
        for setting in &settings {
            let name = variable(setting);
            let secret = [
                "PASSWORD",
                "PASSWORD_SHA256",
                "ACCESS_KEY",
                "CLIENT_SECRET",
                "_TOKEN",
            ];
            let secret = secret.iter().any(|end| name.ends_with(end));
            assert_eq!(setting["secret"], secret, "{name}");
            assert!(
                setting["help"]
                    .as_str()
                    .is_some_and(|help| !help.is_empty()),
                "{name}"
            );
            let chosen = [
                "GRANT",
                "BODY",
                "_PATH",
                "HASH_CASE",
                "ALLOW_HTTP",
                "ALLOW_PROXY",
            ];
            let chosen = chosen.iter().any(|end| name.ends_with(end));
            assert_eq!(setting["found"].is_null(), chosen, "{name}");
        }
    }
    let all = Machine::new().run("providers --json");
    all.answer();
    let all = all.json();
    let named: Vec<&str> = all
        .as_array()
        .expect("an array")
        .iter()
        .filter_map(|one| one["provider"].as_str())
        .collect();
    assert_eq!(named, systems());
    assert_eq!(all[0]["aliases"][0], "gluocrm");
    let impersonating = all
        .as_array()
        .expect("an array")
        .iter()
        .filter(|one| one["impersonation"] == true);
    assert_eq!(
        impersonating
            .map(|one| &one["provider"])
            .collect::<Vec<_>>(),
        ["zeev"]
    );
}

#[test]
fn a_systems_page_names_its_settings() {
    let machine = Machine::new();
    for system in systems() {
        let page = machine.run(&format!("providers {system}"));
        let block = machine.run(&format!("providers {system} --env"));
        for setting in settings(system) {
            let name = variable(&setting);
            assert!(page.answer().contains(&format!("  {name}  ")), "{page}");
            assert!(block.answer().contains(&format!("{name}=\n")), "{block}");
            if let Some(found) = setting["found"].as_str() {
                let line = format!(" where to find it: {found}\n");
                assert!(
                    page.stdout.contains(&line) && block.stdout.contains(&line),
                    "{name}: {page}"
                );
            }
        }
    }
    let alias = machine.run("providers gluocrm");
    assert_eq!(alias.answer(), machine.run("providers gluo").answer());
    let account = machine.run("providers gluo@filial --env");
    assert!(
        account.answer().contains("\nGLUO__FILIAL__ACCESS_KEY=\n"),
        "{account}"
    );
    assert!(
        account.stdout.contains("\n#GLUO__FILIAL__URL=\n"),
        "{account}"
    );
}

#[test]
fn the_block_filled_in_is_an_env_file_that_works() {
    for demo in demo::ALL {
        for account in ["", "@filial"] {
            let server = Server::start(demo.script([Reply::json(200, demo.good())]));
            let machine = Machine::new();
            let target = format!("{}{account}", demo.id);
            let block = machine.run(&format!("providers {target} --env"));
            let filled = block.answer().lines().map(|line| {
                let line = line
                    .strip_prefix('#')
                    .filter(|line| line.ends_with("_URL="))
                    .unwrap_or(line);
                match line {
                    line if line.is_empty() || line.starts_with('#') => format!("{line}\n"),
                    line if line.ends_with("URL=") => format!("{line}{}\n", server.url()),
                    line if line.ends_with("ACCESS_KEY=") => format!("{line}'some#value'\n"),
                    line => format!("{line}'some value'\n"),
                }
            });
            machine.write(".env", filled.collect::<String>());
            assert_eq!(
                machine.run(&format!("login {target}")).answer().trim_end(),
                demo.token,
                "{target}"
            );
        }
    }
}

#[test]
fn the_blocks_of_all_systems_are_one_env_file() {
    let machine = Machine::new();
    let block = machine.run("providers --env");
    machine.write(".env", block.answer());
    // Empty values are unset ones.
    machine.fails("login --all", 2, &["no target is configured"]);
    for system in systems() {
        let name = format!("{}_URL", system.to_uppercase());
        let run = machine.run(&format!("login {system}"));
        run.fails(2, &[&name, "looked in: the environment, ./.env"]);
    }
}

#[test]
fn a_block_spares_the_last_line_of_the_file_that_it_is_appended_to() {
    let machine = Machine::new();
    for target in ["gluo", "broker@loja", "systemsway"] {
        machine.write(".env", "ZEEV_URL=https://zeev.example\nZEEV_USERNAME=ana");
        let line = format!("crmauth providers {target} --env >>.env");
        machine.shell("sh", &line).answer();
        let status = machine.run("status zeev --json");
        assert!(
            status.stdout.contains(r#""user":"ana""#),
            "{target}: {status}"
        );
    }
}

#[test]
fn an_unknown_name_is_refused_with_the_nearest_one() {
    let machine = Machine::new();
    let all = format!("the systems are {}", systems().join(", "));
    for (name, hint) in [
        ("glou", "did you mean `gluo`?"),
        ("Zev", "did you mean `zeev`?"),
        ("system-way", "did you mean `systemsway`?"),
        ("hellocluod", "did you mean `hellocloud`?"),
        ("salesforce", all.as_str()),
        ("gluo@a-b", "as in `gluo@filial`"),
    ] {
        for verb in ["providers", "login"] {
            machine.fails(&format!("{verb} {name}"), 2, &["error: ", hint]);
        }
    }
    let lower = machine.run("providers gluo@filial").answer().to_owned();
    assert_eq!(
        machine.run("providers GLUO@Filial").answer(),
        lower,
        "letters of any case"
    );
}

#[test]
fn nothing_is_read_and_nobody_is_asked() {
    let server = Server::start(Vec::<Reply>::new());
    let mut machine = Machine::new();
    machine
        .set("ZEEV_URL", &server.url())
        .set("CRMAUTH_ENV_FILE", "missing");
    machine.write(".env", "GLUO_URL=$broken\n");
    machine.run("providers").answer();
    machine.run("completions bash").answer();
    assert_eq!(server.connections(), 0);
}
