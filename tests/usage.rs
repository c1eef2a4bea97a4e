//! The command line itself: help, mistakes, and how stderr is written.

use std::process::{Command, Stdio};

use crmauth::error::EXIT_CODES;
use crmauth::output::Format;
use serde_json::{Value, json};

use crate::support::harm::HOSTILE;
use crate::support::machine::{ANNOTATIONS, feed, installed, set_mode};
use crate::support::{Machine, Outcome, Reply, Server, canned, cells, program};
use crate::zeev;

/// Options of every verb.
const GLOBAL: [&str; 9] = [
    "--env-file",
    "--timeout",
    "--ca-file",
    "--sandbox",
    "--json",
    "--quiet",
    "--verbose",
    "--color",
    "--help",
];

/// The only line on stderr, as JSON.
#[track_caller]
fn error(outcome: &Outcome) -> Value {
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    serde_json::from_str(&outcome.stderr).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// A machine where `login zeev` warns once and works.
fn warned(server: &Server) -> Machine {
    let machine = Machine::new();
    let path = machine.write(
        ".env",
        format!(
            "ZEEV_URL={}\nZEEV_API_TOKEN=Perm4nentUsage3\n",
            server.url()
        ),
    );
    set_mode(&path, 0o644);
    machine
}

#[test]
fn what_counts_adds_up_on_both_sides_of_the_verb() {
    for (line, traced) in [
        ("-v login zeev -v", true),
        ("-vq login zeev --verbose", false),
        ("-v login zeev", false),
        ("login zeev -vv", true),
    ] {
        let server = Server::start(vec![canned::zeev("tok-5B")]);
        let outcome = zeev::DEMO.machine(&server.url()).run(line);
        assert_eq!(
            (outcome.code, outcome.stderr.contains("trace: ")),
            (0, traced),
            "{outcome}"
        );
    }
}

#[test]
fn every_verbs_help_names_its_options() {
    let machine = Machine::new();
    for (verb, options) in [
        (
            "",
            &[
                "login",
                "providers",
                "sandbox",
                "completions",
                "--version",
                "Exit codes",
            ][..],
        ),
        (
            "login ",
            &[
                "--all", "-j", "--as", "-f", "--format", "-o", "--output", "--save", "--var",
                "TARGET", "gluo",
            ],
        ),
        ("providers ", &["--env", "NAME", "gluo"]),
        ("sandbox ", &["--ttl", "CMD"]),
        (
            "completions ",
            &["SHELL", "bash", "zsh", "fish", "powershell", "elvish"],
        ),
    ] {
        for help in ["--help", "-h"] {
            let outcome = machine.run(&format!("{verb}{help}"));
            let text = outcome.answer();
            assert!(
                text.contains(&format!("Usage: crmauth {}", verb.trim_end())),
                "{text}"
            );
            for option in options.iter().chain(&GLOBAL) {
                assert!(
                    text.contains(option),
                    "no {option} in the help of `{verb}`: {text}"
                );
            }
            assert!(text.lines().all(|line| !line.contains('\u{1b}')), "{text}");
        }
    }
    for format in Format::ALL.map(Format::name) {
        assert!(
            machine.run("login --help").answer().contains(format),
            "no {format}"
        );
    }
    let help = machine.run("--help");
    for (codes, meaning, _) in EXIT_CODES {
        let line = format!("{codes:<8}  {}", meaning.replace('`', ""));
        let told = help
            .answer()
            .split_whitespace()
            .collect::<Vec<_>>()
            .join(" ");
        let line = line.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(told.contains(&line), "no {line:?} in {help}");
    }
}

#[test]
fn the_version_says_what_runs() {
    let machine = Machine::new();
    let short = concat!("crmauth ", env!("CARGO_PKG_VERSION"));
    assert_eq!(machine.run("-V").answer().trim_end(), short);
    let long = machine.run("--version");
    let [first, commit, target] = long.answer().lines().collect::<Vec<_>>()[..] else {
        panic!("three lines: {long}")
    };
    assert_eq!(first, short);
    // What a release says is compared with git's word where its package is tested.
    let debug = commit == "commit: none, a debug build";
    let built_here = program() == env!("CARGO_BIN_EXE_crmauth");
    assert_eq!(debug, built_here && cfg!(debug_assertions), "{commit}");
    assert!(target.contains(std::env::consts::ARCH), "{target}");
}

#[test]
fn no_arguments_are_a_mistake_that_shows_the_help() {
    let machine = Machine::new();
    let outcome = machine.run_args(&[]);
    outcome.fails(2, &[]);
    outcome.tells("Usage: crmauth | Try it: crmauth login gluo --sandbox");
    assert!(
        !outcome.stderr.contains("Exit codes") && !outcome.stderr.contains("--timeout"),
        "short: {outcome}"
    );
    for target in ["gluo", "gluocrm", "zeev@filial"] {
        machine.run(target).fails(
            2,
            &[
                &format!("{target} is a system"),
                &format!("`crmauth login {target}`"),
            ],
        );
    }
}

#[test]
fn help_is_a_command_too_and_speaks_portuguese() {
    let machine = Machine::new();
    let verbs = [
        "",
        "login",
        "token",
        "exec",
        "api",
        "proxy",
        "status",
        "logout",
        "providers",
        "sandbox",
        "completions",
    ];
    for verb in verbs {
        let option = machine.run(format!("{verb} --help").trim());
        let command = machine.run(format!("help {verb}").trim());
        assert_eq!(option.answer(), command.answer());
        let help = machine.run(&format!("help {verb} --lang pt-BR").replace("  ", " "));
        let text = help.answer();
        assert!(text.contains("Uso: crmauth"), "{text}");
        let words = "Usage|Options|Arguments|Commands|Examples|Exit codes|default:|possible values| the |\
                Print|[OPTIONS]|COMMAND";
        for english in words.split('|') {
            assert!(!text.contains(english), "{verb}: {english} in {text}");
        }
        let names = |text: &str| {
            let lines = text.lines().map(str::trim_start);
            let lines = lines.filter(|line| line.starts_with(['-', '<', '[']));
            let names = lines.filter_map(|line| Some(line.split_once("  ")?.0.to_owned()));
            let mut names: Vec<String> = names.collect();
            if verb.is_empty() {
                // In Portuguese --help and --version are among the global options.
                names.sort();
            }
            names
        };
        assert_eq!(names(text), names(option.answer()), "{verb}");
        assert!(text.ends_with('\n') && !text.ends_with("\n\n"), "{text:?}");
    }
    let mut portuguese = Machine::new();
    portuguese.set("CRMAUTH_LANG", "pt-BR");
    let short = portuguese.run_args(&[]);
    short.fails(2, &["Uso: crmauth <COMANDO>", "\nOpções:\n"]);
    machine.fails("help nope", 2, &["unrecognized command 'nope'"]);
}

#[test]
fn a_mistake_is_one_sentence_and_one_hint() {
    let machine = Machine::new();
    for [line, message, hint] in cells([
        "logn | unrecognized command 'logn' | did you mean `login`?",
        "provider | unrecognized command 'provider' | did you mean `providers`?",
        "login gluo --sve | unexpected argument '--sve' | did you mean `--save`?",
        "login gluo --jsn | unexpected argument '--jsn' | did you mean `--json`?",
        "login gluo -f plian | invalid value 'plian' for '--format <FORMAT>' | did you mean `plain`?",
        "login glou | no system is called `glou` | did you mean `gluo`?",
        "login vtiger | no system is called `vtiger` | did you mean `gluo`?",
        "login gluo/filial | no system is called `gluo/filial` | did you mean `gluo@filial`?",
        "token HelloCloud__loja_2 | no system is called `hellocloud__loja_2` | did you mean `hellocloud@loja_2`?",
        "token hello-cloud | no system is called `hello-cloud` | did you mean `hellocloud`?",
        "api glou:filial /x | no system is called `glou:filial` | the systems are gluo",
        "status SuiteCRM | no system is called `suitecrm` | did you mean `hellocloud`?",
        "login | a required argument is missing: <TARGET>... | \
            name a target, as in `crmauth login gluo`, or all of them with `crmauth login --all`",
        "logout | a required argument is missing: <TARGET>... | \
            `crmauth logout gluo`, or all of them with `crmauth logout --all`",
        "token gluo --min-ttl -5 | --min-ttl cannot be negative | leave the sign out",
        "login gluo -j -2 | -j cannot be negative | sign",
        "token gluo -q -5 | unexpected argument '-5' found | --help",
        "token gluo --cached -1 | unexpected argument '-1' found | --help",
        "--timeout -0.5 status | --timeout cannot be negative | sign",
        "api gluo zeev /x | api takes only one target | `login` and `exec` take several",
        "api GET /x?a=1 | `GET` is a method | write it as `crmauth api TARGET '/x?a=1' -X GET`",
        "api post gluo /x | `post` is a method | write it as `crmauth api gluo /x -X POST`",
        "api gluo DELETE /x -i | `DELETE` is a method | write it as `crmauth api gluo /x -X DELETE`",
        "api get get get | `get` is a method | write it as `crmauth api TARGET PATH -X GET`",
        "api gluo /x -Q operation | -Q takes NAME=VALUE | for example -Q operation=VALUE",
        "api gluo /x -F =1 | -F takes NAME=VALUE | -F NAME=VALUE",
        "login gluo --all | '[TARGET]...' cannot be used with '--all' | --help",
        "login gluo --save -o x | cannot be used with | --help",
        "login gluo -j 0 | it must be between 1 and 1000 | --help",
        "login gluo -j x | invalid value 'x' for '--jobs <N>' | --help",
        "login gluo --timeout 0 | a number of seconds | --help",
        "login gluo --timeout inf | a number of seconds | --help",
        "login gluo --env-file | a value is required for '--env-file <FILE>' | --help",
        "login gluo --color pink | [possible values: auto, always, never] | --help",
        "login gluo --password=x | unexpected argument '--password' | no option accepts a secret",
        "exec gluo env | there is no `--` before the command `env` | write it as `crmauth exec gluo -- env",
        "exec gluo ZEEV sh -c x | there is no `--` before the command `sh` | crmauth exec gluo ZEEV -- sh -c x",
        "token gluo zeev | token takes only one target | `login` and `exec` take several",
        "login gluo@ | the account's name is missing after @ | gluo@filial",
        "token gluo --bogus | unexpected argument '--bogus' | `crmauth token --help`",
        "--bogus | unexpected argument '--bogus' | `crmauth --help`",
        "exec gluo | a required argument is missing: <CMD>... | `crmauth exec <TARGET>... -- <CMD>...`",
        "completions | a required argument is missing: <SHELL> | --help",
        "--timeout 5 exec --min-ttl 3 gluo -v --as=2 ./x.sh it's | there is no `--` before the command `./x.sh` | \
            crmauth --timeout 5 exec --min-ttl 3 gluo -v --as=2 -- ./x.sh 'it'\\''s'",
        "sandbox ./test.sh | there is no `--` before the command `./test.sh` | \
            write it as `crmauth sandbox -- ./test.sh",
        "sandbox --ttl 5 ./test.sh -x | there is no `--` before the command `./test.sh` | \
            crmauth sandbox --ttl 5 -- ./test.sh -x",
        "sandbox --bogus true | unexpected argument '--bogus' | --help",
        "login gluo --ca-file missing | missing | ",
    ]) {
        let outcome = machine.run(line);
        let code = if line.contains("exec") { 125 } else { 2 };
        outcome.fails(code, &["error: ", message, hint]);
        let lines = outcome.stderr.lines().count();
        assert_eq!(lines, if hint.is_empty() { lines } else { 2 }, "{outcome}");
    }
}

#[test]
fn json_is_refused_where_the_answer_is_none() {
    let machine = Machine::new();
    for line in ["providers gluo --env --json", "--json providers --env"] {
        let run = machine.run(line);
        run.fails(2, &["--env does not print JSON", "leave --json out"]);
    }
    machine.run("sandbox --json -- true").answer();
}

#[test]
fn what_people_call_a_thing_leads_to_its_name() {
    let machine = Machine::new();
    let secret = "no option accepts a secret";
    for (lines, hint) in [
        (
            "signin gluo|entrar gluo|autenticar",
            "did you mean `login`?",
        ),
        ("sair gluo|revoke gluo|log-out", "did you mean `logout`?"),
        ("run gluo -- env", "did you mean `exec`?"),
        ("curl gluo /x|request gluo /x", "did you mean `api`?"),
        ("list|doctor gluo|whoami", "did you mean `status`?"),
        ("server|mock", "did you mean `sandbox`?"),
        ("ajuda", "did you mean `--help`?"),
        ("version", "did you mean `--version`?"),
        ("complete bash", "did you mean `completions`?"),
        ("gluo login", "write it as `crmauth login gluo`"),
        ("zev|orquestra", "did you mean `crmauth login zeev`?"),
        ("vtiger|gluo@", "did you mean `crmauth login gluo`?"),
        (
            "login vtigercrm|login vtiger-crm|login glu|login GULO|login gluo-crm",
            "did you mean `gluo`?",
        ),
        ("login borkre", "did you mean `broker`?"),
        (
            "login gluo_filial|login gluo/filial|login gluo:filial|login gluo.filial|login gluo-filial",
            "did you mean `gluo@filial`?",
        ),
        (
            "login broker/1|login broker__1|login broker-1",
            "did you mean `broker@1`?",
        ),
        (
            "login hello-cloud|login hello/cloud",
            "did you mean `hellocloud`?",
        ),
        ("login xyz|login @filial", "the systems are gluo, "),
        (
            "login gluo@a__b|login gluo@a@b|login gluo@\u{e9}",
            "an account's name consists of a-z, 0-9 and single _",
        ),
        ("login suite-crm|login hello", "did you mean `hellocloud`?"),
        (
            "login gluo,zeev|login gluo;zeev",
            "did you mean `gluo zeev`?",
        ),
        ("login all|logout todos", "did you mean `--all`?"),
        (
            "login https://x|login GLUO_URL=x gluo",
            "`crmauth providers` lists them",
        ),
        (
            "login gluo --url x|login gluo --host=x",
            "set GLUO_URL in the environment or .env",
        ),
        (
            "login gluo -u a:b|token gluo --usuario a",
            "set GLUO_USERNAME in the",
        ),
        (
            "login gluo --key x|login gluo --chave=x|login gluo --token x|login gluo --pwd x",
            secret,
        ),
        (
            "login gluo --insecure|login gluo -k|api gluo /x --cacert x",
            "did you mean `--ca-file`?",
        ),
        (
            "login gluo --conta filial|login gluo --account=x",
            "did you mean `gluo@filial`?",
        ),
        (
            "login gluo --dotenv x|login gluo --config x",
            "did you mean `--env-file`?",
        ),
        ("login gluo --no-color", "did you mean `--color`?"),
        ("login gluo --out x", "did you mean `--output`?"),
        ("status --debug", "did you mean `--verbose`?"),
        ("login gluo -f JSON", "did you mean `json`?"),
        ("login gluo -f bash|login gluo -f zsh", "did you mean `sh`?"),
        (
            "login gluo -f gha|token gluo --format=github-actions",
            "did you mean `github`?",
        ),
        ("login gluo --lang portugues", "did you mean `pt-BR`?"),
        ("status --color no", "did you mean `never`?"),
        (
            "api gluo GET /x|api gluo get /x",
            "write it as `crmauth api gluo /x -X GET`",
        ),
        ("api gluo /x --request POST", "did you mean `--method`?"),
        (
            "api gluo /x --data-urlencode a=b|api gluo /x --form a=b",
            "did you mean `--field`?",
        ),
        (
            "api gluo /x -G|api gluo /x --param a=b",
            "did you mean `--query`?",
        ),
        (
            "api gluo /x a=b",
            "-Q adds a parameter to PATH, -F to the body",
        ),
        ("api gluo /x -d a=1 -d b=2", "-F NAME=VALUE can be repeated"),
        ("proxy gluo --port 80", "did you mean `--listen`?"),
        (
            "api gluo /x -f json|status -f plain",
            "-f is an option of login and token",
        ),
        (
            "login gluo --token-file",
            "--token-file is an option of exec",
        ),
        (
            "status --all|token --all",
            "--all is an option of login and logout",
        ),
        ("--save login gluo", "put --save after `login`"),
        ("-f json login gluo", "put -f after `login`"),
    ] {
        for line in lines.split('|') {
            let outcome = machine.run(line);
            outcome.fails(2, &["error: ", hint]);
            assert_eq!(outcome.stderr.lines().count(), 2, "{line}: {outcome}");
        }
    }
    let outcome = machine.run("login GLUO_ACCESS_KEY=Qk7x gluo");
    outcome.fails(2, &["`gluo_access_key` is not a target"]);
    assert!(!outcome.stderr.contains("k7x"), "{outcome}");
    let outcome = machine.run(&format!("login {}", "x".repeat(500)));
    outcome.fails(2, &["no system is called"]);
    assert!(outcome.stderr.len() < 200, "{outcome}");
    for (typed, target) in [
        ("gluocrm", "gluo"),
        ("GluoCRM@a_1", "gluo@a_1"),
        ("broker@0", "broker@0"),
    ] {
        let missing = format!("error: {target}: not set");
        machine.run(&format!("login {typed}")).fails(2, &[&missing]);
    }
}

#[test]
fn json_makes_every_error_json() {
    let machine = Machine::new();
    for (line, code, target) in [
        ("--json", "usage", Value::Null),
        ("--json logn", "usage", Value::Null),
        ("login gluo --bogus --json", "usage", Value::Null),
        ("login --json", "usage", Value::Null),
        ("login glou --json", "usage", Value::Null),
        ("login gluo -f plain --json", "usage", Value::Null),
        ("login gluo --json", "missing_setting", json!("gluo")),
        ("login --all --json", "missing_setting", Value::Null),
        ("providers glou --json", "usage", Value::Null),
        ("login gluo --sandbox --json --as x", "usage", json!("gluo")),
        (
            "login gluo --env-file missing --json",
            "bad_setting",
            Value::Null,
        ),
    ] {
        let outcome = machine.run(line);
        outcome.fails(2, &[]);
        let object = &error(&outcome)["error"];
        let fields: Vec<&str> = object
            .as_object()
            .expect("an object")
            .keys()
            .map(String::as_str)
            .collect();
        assert_eq!(
            fields,
            [
                "code",
                "exit",
                "target",
                "message",
                "hint",
                "http_status",
                "retryable"
            ],
            "{line}"
        );
        assert_eq!(
            (&object["code"], &object["exit"]),
            (&json!(code), &json!(2)),
            "{line}"
        );
        assert_eq!(
            (&object["target"], &object["retryable"]),
            (&target, &json!(false)),
            "{line}"
        );
        assert!(
            object["message"]
                .as_str()
                .is_some_and(|text| !text.contains('\n')),
            "{line}"
        );
    }
    // The child's own words are not ours.
    let outcome = machine.run_args(&["sandbox", "--bogus", "--", "sh", "--json"]);
    outcome.fails(2, &["error: unexpected argument '--bogus'"]);
}

#[test]
fn json_makes_warnings_json_too() {
    let server = Server::start(vec![canned::zeev("tok-7")]);
    let outcome = warned(&server).run("login zeev --json");
    assert_eq!(
        (outcome.code, outcome.json()["token"].as_str()),
        (0, Some("tok-7"))
    );
    let warning = error(&outcome);
    assert_eq!(warning["warning"]["target"], Value::Null);
    assert!(
        warning["warning"]["message"]
            .as_str()
            .is_some_and(|text| text.contains("./.env")),
        "{warning}"
    );
}

#[test]
fn quiet_hides_warnings_and_no_errors() {
    let server = Server::start(vec![
        canned::zeev("tok-7"),
        canned::zeev("tok-8"),
        Reply::json(401, "{}"),
    ]);
    let machine = warned(&server);
    machine.run("login zeev").says(&["warning: "]);
    assert_eq!(machine.run("login zeev -q").answer(), "tok-8\n");
    let refused = machine.run("login zeev -qvv");
    refused.fails(4, &["error: zeev: ", "hint: "]);
    assert_eq!(refused.stderr.lines().count(), 2, "{refused}");
    machine.fails("login glou --quiet", 2, &["error: ", "hint: "]);
    machine.fails("login gluo -q --bogus", 2, &["error: ", "hint: "]);
    machine
        .run_args(&["-q"])
        .fails(2, &["error: a command is missing: login, token, "]);
}

#[test]
fn verbose_tells_what_is_done_and_every_request() {
    for (option, told, hidden) in [
        (
            "-v",
            &["note: zeev: ZEEV_API_TOKEN from the environment"][..],
            &["trace: "][..],
        ),
        (
            "-vv",
            &[
                "note: zeev: ",
                "trace: zeev: ",
                "GET",
                "/api/2/tokens",
                "200",
            ],
            &[],
        ),
        ("-v -v", &["trace: zeev: "], &[]),
        ("", &[], &["note: ", "trace: "]),
    ] {
        let server = Server::start(vec![canned::zeev("tok-Trace4Canary")]);
        let mut machine = Machine::of("ZEEV", &server.url(), "API_TOKEN=Perm4nentTrace5");
        machine.canary("tok-Trace4Canary");
        let line = format!("login zeev {option}");
        let outcome = machine.run(line.trim_end());
        outcome.gives(0, "tok-Trace4Canary\n", "");
        outcome.says(told);
        let notes: Vec<&str> = outcome
            .stderr
            .lines()
            .filter(|line| line.starts_with("note: "))
            .collect();
        let once: std::collections::BTreeSet<&str> = notes.iter().copied().collect();
        assert_eq!(notes.len(), once.len(), "{outcome}");
        for text in hidden {
            assert!(!outcome.stderr.contains(text), "{option}: {outcome}");
        }
    }
}

const RED: &str = "\u{1b}[1m\u{1b}[31merror:\u{1b}[0m ";
const ERRORS: [&str; 3] = ["login glou", "logn", "login gluo"];

/// Stderr of a run, colours and all.
fn stderr(command: &mut Command) -> String {
    let output = command.output().expect("it starts");
    assert_eq!(output.status.code(), Some(2));
    String::from_utf8(output.stderr).expect("UTF-8")
}

#[test]
fn off_a_terminal_colour_is_for_those_who_ask() {
    let machine = Machine::new();
    for line in ERRORS {
        for (option, colored) in [
            ("", false),
            ("--color auto", false),
            ("--color never", false),
            ("--color always", true),
            ("--color=always", true),
        ] {
            let line = format!("{option} {line}");
            let text = stderr(&mut machine.command(&line.split_whitespace().collect::<Vec<_>>()));
            assert_eq!(text.starts_with(RED), colored, "{line}: {text:?}");
            assert_eq!(text.contains('\u{1b}'), colored, "{line}: {text:?}");
        }
    }
    let text = stderr(
        machine
            .command(&["--color", "always", "--json", "login", "glou"])
            .env("X", ""),
    );
    assert!(!text.contains('\u{1b}'), "{text:?}");
}

#[test]
fn at_a_terminal_colour_can_be_switched_off() {
    if !cfg!(target_os = "linux") || !installed("script") {
        return;
    }
    for line in ERRORS {
        for (variable, option, colored) in [
            ("X=1", "", true),
            ("NO_COLOR=1", "", false),
            ("NO_COLOR=", "", true),
            ("CI=true", "", false),
            ("TERM=dumb", "", false),
            ("X=1", "--color never", false),
            ("NO_COLOR=1", "--color always", true),
            ("CI=true", "--color always", true),
        ] {
            let machine = Machine::new();
            let crmauth = program();
            let run = format!("{crmauth} {option} {line}");
            let mut command = machine.command(&[]);
            let (name, value) = variable.split_once('=').expect("NAME=VALUE");
            command.env("TERM", "xterm").env(name, value);
            let mut terminal = Command::new("script");
            terminal
                .args(["-qec", &run, "/dev/null"])
                .current_dir(machine.work())
                .env_clear();
            terminal.envs(
                command
                    .get_envs()
                    .filter_map(|(name, value)| Some((name, value?))),
            );
            terminal.stdin(Stdio::null());
            let output = terminal.output().expect("script");
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            assert_eq!(text.contains(RED), colored, "{variable} {run}: {text:?}");
            assert_eq!(
                text.contains('\u{1b}'),
                colored,
                "{variable} {run}: {text:?}"
            );
        }
    }
}

#[test]
fn what_was_typed_is_shown_harmless() {
    let machine = Machine::new();
    for word in [
        "\u{1b}[31mx",
        "a\nb",
        "::error::x",
        "##[error]x",
        "\u{202e}x",
        &"x".repeat(5000),
    ] {
        machine.run_args(&["login", word]).fails(2, &["error: "]);
        machine.run_args(&[word]).fails(2, &["error: "]);
        machine
            .run_args(&["login", "gluo", "-f", word])
            .fails(2, &["error: "]);
        machine
            .run_args(&["login", "gluo", "--sandbox", "--as", word])
            .fails(2, &["error: "]);
        machine
            .run_args(&["login", "gluo", "--env-file", word])
            .fails(2, &["error: "]);
        machine
            .run_args(&["login", "gluo", "--sandbox", "-o", &format!("no/{word}")])
            .fails(7, &["error: "]);
        let var = format!("--var=-{word}");
        machine
            .run_args(&["login", "gluo", "--sandbox", "-f", "env", &var])
            .fails(2, &["error: "]);
    }
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let machine = Machine::new();
    for arguments in [
        &[&b"login"[..], b"gl\xffuo"][..],
        &[b"\xff"],
        &[b"login", b"gluo", b"-f\xff"],
    ] {
        let mut command = machine.command(&[]);
        command.args(arguments.iter().map(|word| OsStr::from_bytes(word)));
        machine.finish(command).fails(2, &["error: "]);
    }
}

#[test]
fn a_closed_stderr_changes_nothing() {
    let machine = Machine::new();
    for (script, code) in [
        ("crmauth login gluo --sandbox -v 2>&-", 0),
        ("crmauth login glou 2>&-", 2),
        ("crmauth 2>&-", 2),
        ("crmauth login gluo --sandbox >&-", 0),
    ] {
        assert_eq!(machine.shell("sh", script).code, code, "{script}");
    }
}

#[test]
fn stdin_is_left_to_the_script() {
    let machine = Machine::new();
    let script = "crmauth login gluo --sandbox >token; crmauth providers >table; cat";
    let mut command = machine.shell_command("sh", script);
    command.stdin(Stdio::piped());
    let mut child = machine.start(command);
    feed(&mut child, "the next line\n");
    assert_eq!(machine.end(child).answer(), "the next line\n");
}

#[test]
fn a_runner_is_told_an_error_in_its_own_way_too() {
    let rows = [
        (("GITHUB_ACTIONS", "true"), ANNOTATIONS[0], "%25"),
        (("TF_BUILD", "True"), ANNOTATIONS[1], "%AZP25"),
    ];
    for ((variable, value), begin, percent) in rows {
        let mut machine = Machine::new();
        let annotations = |outcome: &Outcome| -> Vec<String> {
            let told = outcome
                .stderr
                .lines()
                .filter_map(|line| line.strip_prefix(begin));
            told.map(str::to_owned).collect()
        };
        let words = [
            "zev",
            "50%",
            "%0A::error::x",
            "%5D;%3B",
            "a\r\n::stop-commands::x",
            "]##vso[task.setvariable variable=a]b",
            HOSTILE,
        ];
        for word in words {
            machine.set(variable, value);
            for args in [
                &["login", word][..],
                &[word],
                &["login", "gluo", "-f", word],
            ] {
                let outcome = machine.run_args(args);
                let [told] = &annotations(&outcome)[..] else {
                    panic!("{word:?}: {outcome}");
                };
                let lines: Vec<&str> = outcome.stderr.lines().collect();
                let message = lines[0].strip_prefix("error: ").expect("an error");
                let hint = lines[1].strip_prefix("hint: ").expect("a hint");
                assert_eq!(told.replace(percent, "%"), format!("{message} ({hint})"));
                assert!(!told.replace(percent, "").contains('%'), "{told}");
            }
            for other in ["false", "0", ""] {
                machine.set(variable, other);
                assert_eq!(annotations(&machine.run_args(&["login", word])).len(), 0);
            }
            machine.set(variable, value);
            assert_eq!(
                annotations(&machine.run_args(&["login", word, "--json"])).len(),
                0
            );
        }
    }
}
