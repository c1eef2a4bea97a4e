//! The same with the program itself: what a server answered comes out of it as the readers read it.

use std::fs;

use super::readers::{self, Pairs, all_read, installed, same};
use super::runners::{
    azure_variables, github_env, github_masks, gitlab_expands, gitlab_report, powershell_variables,
};
use super::samples::AWKWARD;
use crate::support::{Machine, Outcome, Reply, Server};
use crate::systemsway;

/// A URL's path with a dollar and characters of several bytes, as it is set and as it is written.
const AWKWARD_PATH: (&str, &str) = (
    "it$s/a\u{e7}\u{e3}o/\u{6771}\u{4eac}",
    "it$s/a%C3%A7%C3%A3o/%E6%9D%B1%E4%BA%AC",
);
const USER: &str = "Zo\u{eb} \"d'\u{c1}vila\"";
/// One that every format carries.
const PATH: (&str, &str) = ("crm", "crm");

/// Accounts of SystemsWay, whose sessions have no known end. Each is at a server of its own, so that each gets the
/// token that is meant for it.
struct Accounts {
    machine: Machine,
    servers: Vec<(Server, String)>,
    targets: Vec<String>,
    expected: Pairs,
}

impl Accounts {
    fn new(tokens: &[&str], (path, shown): (&str, &str)) -> Self {
        let mut machine = Machine::new();
        let (mut servers, mut targets, mut expected) = (Vec::new(), Vec::new(), Vec::new());
        for (index, token) in tokens.iter().enumerate() {
            let answer = systemsway::DEMO.answer_with(&serde_json::json!(token).to_string());
            let server = Server::start(Vec::new());
            machine.set(
                &format!("SYSTEMSWAY__A{index}__URL"),
                &format!("{}/{path}", server.url()),
            );
            machine.set(&format!("SYSTEMSWAY__A{index}__USERNAME"), USER);
            machine.secret(
                &format!("SYSTEMSWAY__A{index}__PASSWORD"),
                "pW-Sw5Sn7Kq2Xw9",
            );
            expected.push((format!("SYSTEMSWAY__A{index}__TOKEN"), (*token).to_owned()));
            expected.push((
                format!("SYSTEMSWAY__A{index}__URL"),
                format!("{}/{shown}", server.url()),
            ));
            targets.push(format!("systemsway@a{index}"));
            servers.push((server, answer));
        }
        Self {
            machine,
            servers,
            targets,
            expected,
        }
    }

    /// What the program writes for all of them.
    fn written(&self, format: &str) -> String {
        self.login(&["-f", format]).answer().to_owned()
    }

    /// Logs in to all of them.
    fn login(&self, options: &[&str]) -> Outcome {
        self.servers
            .iter()
            .for_each(|(server, answer)| server.push([Reply::json(200, answer)]));
        let targets = self.targets.iter().map(String::as_str);
        let arguments: Vec<&str> = ["login", "--no-store"]
            .into_iter()
            .chain(targets)
            .chain(options.iter().copied())
            .collect();
        self.machine.run_args(&arguments)
    }
}

/// Twenty tokens of which every format carries each, but env files and GitLab.
fn tokens() -> Vec<&'static str> {
    let carried = AWKWARD
        .iter()
        .filter(|token| !token.contains("$("))
        .step_by(3);
    carried
        .copied()
        .chain(["'", "\"", "\\", "`x'$x\\\"y"])
        .collect()
}

#[test]
fn every_reader_reads_what_the_program_writes() {
    let accounts = Accounts::new(&tokens(), AWKWARD_PATH);
    assert!(tokens().len() >= 20);
    for (format, readers) in [
        ("sh", readers::SH),
        ("fish", readers::FISH),
        ("powershell", readers::POWERSHELL),
    ] {
        all_read(
            &installed(readers),
            accounts.written(format).as_bytes(),
            &accounts.expected,
        );
    }
    let json = accounts.written("json");
    let user = |index| (format!("SYSTEMSWAY__A{index}__USER"), USER.to_owned());
    let expected: Pairs = accounts
        .expected
        .iter()
        .cloned()
        .chain((0..tokens().len()).map(user))
        .collect();
    all_read(&installed(readers::JSON), json.as_bytes(), &expected);
    same(
        "powershell",
        &powershell_variables(&accounts.written("powershell")),
        &accounts.expected,
    );
    same(
        "azure",
        &azure_variables(&accounts.written("azure")),
        &accounts.expected,
    );
    let plain: String = accounts
        .targets
        .iter()
        .zip(tokens())
        .map(|(target, token)| format!("{target}\t{token}\n"))
        .collect();
    assert_eq!(accounts.written("plain"), plain);
}

#[test]
fn githubs_runner_reads_what_the_program_writes() {
    let mut accounts = Accounts::new(&tokens(), AWKWARD_PATH);
    let file = accounts.machine.write("github_env", "A=1\n");
    accounts
        .machine
        .set("GITHUB_ENV", &file.display().to_string());
    assert_eq!(github_masks(&accounts.written("github")), tokens());
    same(
        "github",
        &github_env(&fs::read_to_string(file).expect("a file")),
        &accounts.expected,
    );
}

#[test]
fn every_reader_reads_the_files_that_the_program_writes() {
    let only = |carried: fn(&str) -> bool| -> Vec<&str> {
        tokens()
            .into_iter()
            .filter(|token| carried(token))
            .collect()
    };
    let quoted = only(|token| !token.contains("${") && !token.contains(['\'', '\\']));
    let accounts = Accounts::new(&quoted, AWKWARD_PATH);
    all_read(
        &installed(readers::ENV),
        accounts.written("env").as_bytes(),
        &accounts.expected,
    );
    let accounts = Accounts::new(&only(|token| !gitlab_expands(token)), PATH);
    same(
        "gitlab",
        &gitlab_report(&accounts.written("gitlab")),
        &accounts.expected,
    );
}

#[test]
fn a_format_that_cannot_carry_a_token_writes_nothing() {
    for (format, token) in [
        ("azure", "$(id)"),
        ("gitlab", "a$b"),
        ("gitlab", "%HOME%"),
        ("env", "a'\"b"),
        ("env", "${HOME}"),
        ("env", r"a\"),
    ] {
        let accounts = Accounts::new(&["t1", token], PATH);
        let says = [
            "systemsway@a1",
            "SYSTEMSWAY__A1__TOKEN",
            "use -f json or -f plain",
        ];
        accounts.login(&["-f", format]).fails(2, &says);
        accounts
            .login(&["-f", format, "-o", "session.env"])
            .fails(2, &says);
        assert!(accounts.machine.files().is_empty(), "{format} {token}");
    }
}
