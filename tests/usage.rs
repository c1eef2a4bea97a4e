//! The command line itself: help, mistakes, and how stderr is written.

use std::process::{Command, Stdio};

use crmauth::error::EXIT_CODES;
use crmauth::output::Format;
use serde_json::{Value, json};

use crate::support::harm::HOSTILE;
use crate::support::machine::{ANNOTATIONS, beside, feed, installed, lacks, set_mode};
use crate::support::{Machine, Outcome, Reply, Server, canned, cells, program};
use crate::zeev;

/// Options of every verb.
const GLOBAL: &str =
    "--env-file --timeout --ca-file --sandbox --json --quiet --verbose --color --help";

/// The only line on stderr, as JSON.
#[track_caller]
fn error(outcome: &Outcome) -> Value {
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    serde_json::from_str(&outcome.stderr).unwrap_or_else(|error| panic!("{error}: {outcome}"))
}

/// A machine where `login zeev` warns once and works.
fn warned(server: &Server) -> Machine {
    let machine = Machine::new();
    let text = format!(
        "ZEEV_URL={}\nZEEV_API_TOKEN=Perm4nentUsage3\n",
        server.url()
    );
    set_mode(&machine.write(".env", text), 0o644);
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
        outcome.exits(0, line);
        assert_eq!(outcome.stderr.contains("trace: "), traced, "{outcome}");
    }
}

#[test]
fn every_verbs_help_names_its_options() {
    let machine = Machine::new();
    for [verb, options] in cells([
        " | login,providers,sandbox,completions,--version,Exit codes",
        "login  | --all,-j,--as,-f,--format,-o,--output,--save,--var,TARGET,gluo",
        "providers  | --env,NAME,gluo",
        "sandbox  | --ttl,CMD",
        "completions  | SHELL,bash,zsh,fish,powershell,elvish",
    ]) {
        for help in ["--help", "-h"] {
            let outcome = machine.run(&format!("{verb}{help}"));
            outcome.shows(&[&format!("Usage: crmauth {}", verb.trim_end())]);
            let text = outcome.answer();
            for option in options.split(',').chain(GLOBAL.split(' ')) {
                assert!(text.contains(option), "no {option} in `{verb}`'s: {text}");
            }
            assert!(text.lines().all(|line| !line.contains('\u{1b}')), "{text}");
        }
    }
    let help = machine.run("--help");

    machine
        .run("login --help")
        .shows(&Format::ALL.map(Format::name));
    let words = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    for (codes, meaning, _) in EXIT_CODES {
        let line = words(&format!("{codes} {}", meaning.replace('`', "")));
        assert!(
            words(help.answer()).contains(&line),
            "no {line:?} in {help}"
        );
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
    outcome.lacks(&["Exit codes", "--timeout"]);
    for target in ["gluo", "gluocrm", "zeev@filial"] {
        let texts = ["TARGET is a system", "`crmauth login TARGET`"];
        let [is, login] = texts.map(|text| text.replace("TARGET", target));
        machine.fails(target, 2, &[&is, &login]);
    }
}

#[test]
fn help_is_a_command_too_and_speaks_portuguese() {
    let machine = Machine::new();
    let verbs = " login token exec api proxy status logout providers sandbox completions";
    for verb in verbs.split(' ') {
        let option = machine.run(format!("{verb} --help").trim());
        let command = machine.run(format!("help {verb}").trim());
        assert_eq!(option.answer(), command.answer());
        let help = machine.run(&format!("help {verb} --lang pt-BR").replace("  ", " "));
        let text = help.shows(&["Uso: crmauth"]).answer();
        let words = "Usage|Options|Arguments|Commands|Examples|Exit codes|default:|possible values| the |\
                Print|[OPTIONS]|COMMAND";
        lacks(text, &words.split('|').collect::<Vec<_>>());
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
        "token gluo --timeout 50 5 | unexpected argument '5' found | --help",
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
        machine.refuses(&format!(
            "{line} | --env does not print JSON | leave --json out"
        ));
    }
    machine.run("sandbox --json -- true").answer();
}

#[test]
fn what_people_call_a_thing_leads_to_its_name() {
    let machine = Machine::new();
    for [lines, hint] in cells([
        "signin gluo|entrar gluo|autenticar | did you mean `login`?",
        "sair gluo|revoke gluo|log-out | did you mean `logout`?",
        "run gluo -- env | did you mean `exec`?",
        "curl gluo /x|request gluo /x | did you mean `api`?",
        "list|doctor gluo|whoami | did you mean `status`?",
        "server|mock | did you mean `sandbox`?",
        "ajuda | did you mean `--help`?",
        "version | did you mean `--version`?",
        "complete bash | did you mean `completions`?",
        "gluo login | write it as `crmauth login gluo`",
        "zev|orquestra | did you mean `crmauth login zeev`?",
        "vtiger|gluo@ | did you mean `crmauth login gluo`?",
        "login vtigercrm|login vtiger-crm|login glu|login GULO|login gluo-crm | did you mean `gluo`?",
        "login borkre | did you mean `broker`?",
        "login gluo_filial|login gluo/filial|login gluo:filial|login gluo.filial|login gluo-filial | \
            did you mean `gluo@filial`?",
        "login broker/1|login broker__1|login broker-1 | did you mean `broker@1`?",
        "login hello-cloud|login hello/cloud | did you mean `hellocloud`?",
        "login xyz|login @filial | the systems are gluo, ",
        "login gluo@a__b|login gluo@a@b|login gluo@\u{e9} | an account's name consists of a-z, 0-9 and single _",
        "login suite-crm|login hello | did you mean `hellocloud`?",
        "login gluo,zeev|login gluo;zeev | did you mean `gluo zeev`?",
        "login all|logout todos | did you mean `--all`?",
        "login https://x|login GLUO_URL=x gluo | `crmauth providers` lists them",
        "login gluo --url x|login gluo --host=x | set GLUO_URL in the environment or .env",
        "login gluo -u a:b|token gluo --usuario a | set GLUO_USERNAME in the",
        "login gluo --key x|login gluo --chave=x|login gluo --token x|login gluo --pwd x | no option accepts a secret",
        "login gluo --insecure|login gluo -k|api gluo /x --cacert x | did you mean `--ca-file`?",
        "login gluo --conta filial|login gluo --account=x | did you mean `gluo@filial`?",
        "login gluo --dotenv x|login gluo --config x | did you mean `--env-file`?",
        "login gluo --no-color | did you mean `--color`?",
        "login gluo --out x | did you mean `--output`?",
        "status --debug | did you mean `--verbose`?",
        "login gluo -f JSON | did you mean `json`?",
        "login gluo -f bash|login gluo -f zsh | did you mean `sh`?",
        "login gluo -f gha|token gluo --format=github-actions | did you mean `github`?",
        "login gluo --lang portugues | did you mean `pt-BR`?",
        "status --color no | did you mean `never`?",
        "api gluo GET /x|api gluo get /x | write it as `crmauth api gluo /x -X GET`",
        "api gluo /x --request POST | did you mean `--method`?",
        "api gluo /x --data-urlencode a=b|api gluo /x --form a=b | did you mean `--field`?",
        "api gluo /x -G|api gluo /x --param a=b | did you mean `--query`?",
        "api gluo /x a=b | -Q adds a parameter to PATH, -F to the body",
        "api gluo /x -d a=1 -d b=2 | -F NAME=VALUE can be repeated",
        "proxy gluo --port 80 | did you mean `--listen`?",
        "api gluo /x -f json|status -f plain | -f is an option of login and token",
        "login gluo --token-file | --token-file is an option of exec",
        "status --all|token --all | --all is an option of login and logout",
        "--save login gluo | put --save after `login`",
        "-f json login gluo | put -f after `login`",
    ]) {
        for line in lines.split('|') {
            let outcome = machine.fails(line, 2, &["error: ", hint]);
            assert_eq!(outcome.stderr.lines().count(), 2, "{line}: {outcome}");
        }
    }
    let line = "login GLUO_ACCESS_KEY=Qk7x gluo";
    let outcome = machine.fails(line, 2, &["`gluo_access_key` is not a target"]);
    outcome.lacks(&["k7x"]);
    let line = format!("login {}", "x".repeat(500));
    let outcome = machine.fails(&line, 2, &["no system is called"]);
    assert!(outcome.stderr.len() < 200, "{outcome}");
    for [typed, target] in cells([
        "gluocrm | gluo",
        "GluoCRM@a_1 | gluo@a_1",
        "broker@0 | broker@0",
    ]) {
        let missing = format!("error: {target}: not set");
        machine.fails(&format!("login {typed}"), 2, &[&missing]);
    }
}

#[test]
fn json_makes_every_error_json() {
    let machine = Machine::new();
    for [line, code, target] in cells([
        "--json | usage | ",
        "--json logn | usage | ",
        "login gluo --bogus --json | usage | ",
        "login --json | usage | ",
        "login glou --json | usage | ",
        "login gluo -f plain --json | usage | ",
        "login gluo --json | missing_setting | gluo",
        "login --all --json | missing_setting | ",
        "providers glou --json | usage | ",
        "login gluo --sandbox --json --as x | usage | gluo",
        "login gluo --env-file missing --json | bad_setting | ",
    ]) {
        let outcome = machine.fails(line, 2, &[]);
        let object = &error(&outcome)["error"];
        let fields: Vec<&String> = object.as_object().expect("an object").keys().collect();
        let expected = "code exit target message hint http_status retryable";
        assert_eq!(fields, expected.split(' ').collect::<Vec<_>>(), "{line}");
        let target = (!target.is_empty()).then_some(target);
        let names = ["code", "exit", "target", "retryable"];
        let told = json!(names.map(|name| &object[name]));
        assert_eq!(told, json!([code, 2, target, false]), "{line}");
        let message = object["message"].as_str().expect("a text");
        assert!(!message.contains('\n'), "{line}");
    }
    // The child's own words are not ours.
    let outcome = machine.run_args(&["sandbox", "--bogus", "--", "sh", "--json"]);
    outcome.fails(2, &["error: unexpected argument '--bogus'"]);
}

#[test]
fn json_makes_warnings_json_too() {
    let server = Server::start(vec![canned::zeev("tok-7")]);
    let outcome = warned(&server).run("login zeev --json");
    outcome.exits(0, "warned");
    assert_eq!(outcome.json()["token"], "tok-7");
    let warning = &error(&outcome)["warning"];
    assert_eq!(warning["target"], Value::Null);
    let message = warning["message"].as_str().expect("a text");
    assert!(message.contains("./.env"), "{warning}");
}

#[test]
fn quiet_hides_warnings_and_no_errors() {
    let [first, second] = ["tok-7", "tok-8"].map(canned::zeev);
    let server = Server::start(vec![first, second, Reply::json(401, "{}")]);
    let machine = warned(&server);
    machine.run("login zeev").says(&["warning: "]);
    machine.prints("login zeev -q", "tok-8\n");
    let refused = machine.fails("login zeev -qvv", 4, &["error: zeev: ", "hint: "]);
    assert_eq!(refused.stderr.lines().count(), 2, "{refused}");
    machine.fails("login glou --quiet", 2, &["error: ", "hint: "]);
    machine.fails("login gluo -q --bogus", 2, &["error: ", "hint: "]);
    machine.fails("-q", 2, &["error: a command is missing: login, token, "]);
}

#[test]
fn verbose_tells_what_is_done_and_every_request() {
    for [option, told, hidden] in cells([
        "-v | note: zeev: ZEEV_API_TOKEN from the environment | trace: ",
        "-vv | note: zeev: +trace: zeev: +GET+/api/2/tokens+200 | ",
        "-v -v | trace: zeev:  | ",
        " |  | note: +trace: ",
    ]) {
        let server = Server::start(vec![canned::zeev("tok-Trace4Canary")]);
        let mut machine = Machine::of("ZEEV", &server.url(), "API_TOKEN=Perm4nentTrace5");
        machine.canary("tok-Trace4Canary");
        let line = format!("login zeev {option}");
        let outcome = machine.run(line.trim_end());
        outcome.gives(0, "tok-Trace4Canary\n", option);
        outcome.says(&told.split('+').collect::<Vec<_>>());
        let lines = outcome.stderr.lines();
        let notes: Vec<&str> = lines.filter(|line| line.starts_with("note: ")).collect();
        let once: std::collections::BTreeSet<&&str> = notes.iter().collect();
        assert_eq!(notes.len(), once.len(), "{outcome}");
        let mut hidden = hidden.split('+').filter(|text| !text.is_empty());
        let shown = hidden.find(|text| outcome.stderr.contains(text));
        assert_eq!(shown, None, "{option}: {outcome}");
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
    let text = stderr(&mut machine.line("--color always --json login glou"));
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
            let run = format!("{} {option} {line}", program());
            let (name, value) = variable.split_once('=').expect("NAME=VALUE");
            let mut machine = Machine::new();
            machine.set("TERM", "xterm").set(name, value);
            let mut terminal = beside(
                &machine.command(&[]),
                &["script", "-qec", &run, "/dev/null"],
            );
            let output = terminal.output().expect("script");
            let text = String::from_utf8(output.stdout).expect("UTF-8");
            for code in [RED, "\u{1b}"] {
                assert_eq!(text.contains(code), colored, "{variable} {run}: {text:?}");
            }
        }
    }
}

#[test]
fn what_was_typed_is_shown_harmless() {
    let machine = Machine::new();
    let long = "x".repeat(5000);
    for word in [
        "\u{1b}[31mx",
        "a\nb",
        "::error::x",
        "##[error]x",
        "\u{202e}x",
        &long,
    ] {
        for (line, code) in [
            ("login W", 2),
            ("W", 2),
            ("login gluo -f W", 2),
            ("login gluo --sandbox --as W", 2),
            ("login gluo --env-file W", 2),
            ("login gluo --sandbox -o no/W", 7),
            ("login gluo --sandbox -f env --var=-W", 2),
        ] {
            machine.fails(&line.replace('W', word), code, &["error: "]);
        }
    }
}

#[test]
fn arguments_that_are_no_text_are_refused() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    let machine = Machine::new();
    for line in [&b"login gl\xffuo"[..], b"\xff", b"login gluo -f\xff"] {
        let mut command = machine.command(&[]);
        command.args(line.split(|byte| *byte == b' ').map(OsStr::from_bytes));
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
        ("GITHUB_ACTIONS", "true", ANNOTATIONS[0], "%25"),
        ("TF_BUILD", "True", ANNOTATIONS[1], "%AZP25"),
    ];
    for (variable, value, begin, percent) in rows {
        let mut machine = Machine::new();
        let annotations = |outcome: &Outcome| -> Vec<String> {
            let told = outcome.stderr.lines();
            let told = told.filter_map(|line| line.strip_prefix(begin));
            told.map(str::to_owned).collect()
        };
        let words = "zev|50%|%0A::error::x|%5D;%3B|a\r\n::stop-commands::x|]##vso[task.setvariable variable=a]b";
        for word in words.split('|').chain([HOSTILE]) {
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
            let outcome = machine.run_args(&["login", word, "--json"]);
            assert_eq!(annotations(&outcome).len(), 0);
        }
    }
}
