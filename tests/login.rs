//! `crmauth login`: what is printed, where it goes, and what becomes of a batch.

use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, symlink};
use std::sync::{Arc, Barrier};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::declaration::Placement;
use crmauth::output::Format;
use crmauth::secret::hex;
use jiff::Timestamp;
use md5::Digest;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{
    full, holds, installed, lacks, make_pipe, mode, pause, set_mode, signal,
};
use crate::support::sandbox::Servers;
use crate::support::server::Nobody;
use crate::support::stored::{entry, expiring, first_login, five_at, purposes, read, systems};
use crate::support::{
    Machine, Outcome, Reply, Server, at, canned, demo, digits, program, rows, zeev_at,
};

/// The targets of a plain batch.
fn targets(outcome: &Outcome) -> Vec<&str> {
    let lines = outcome.stdout.lines();
    lines
        .map(|line| line.split_once('\t').expect("TARGET<TAB>TOKEN").0)
        .collect()
}

/// The variables that the output of `format` sets.
fn variables(format: &str, text: &str) -> Vec<(String, String)> {
    if format == "github" {
        let lines: Vec<&str> = text.lines().collect();
        return lines
            .chunks(3)
            .map(|lines| {
                let (name, delimiter) = lines[0].split_once("<<").expect("a delimiter");
                assert_eq!(lines[2], delimiter);
                (name.to_owned(), lines[1].to_owned())
            })
            .collect();
    }
    let (before, between, after) = match format {
        "env" => ("", "='", "'"),
        "sh" => ("export ", "='", "'"),
        "fish" => ("set -gx ", " '", "'"),
        "powershell" => ("$env:", " = '", "'"),
        "gitlab" => ("", "=", ""),
        "azure" => ("##vso[task.setvariable variable=", "]", ""),
        _ => panic!("{format} sets no variables"),
    };
    let read = |line: &str| {
        let inner = line.strip_prefix(before).expect(line);
        let inner = inner.strip_suffix(after).expect(line);
        let (name, value) = inner.split_once(between).expect(line);
        (name.to_owned(), value.to_owned())
    };
    text.lines().map(read).collect()
}

#[test]
fn no_detail_contains_a_secret() {
    for demo in demo::ALL {
        let (variable, secret) = demo.secret;
        let hash = hex(&sha2::Sha256::digest(secret));
        let percent = secret.bytes().map(|byte| format!("%{byte:02x}"));
        let percent = percent.collect::<String>();
        // Under a secret's name nothing is left, of whatever kind; what is a text there is known from then on.
        let names = "Senha pwd chave Credencial jwt sessionId authorization PasswordHash cookie segredo sessão pin";
        let named = |value: &dyn Fn(usize) -> Value| {
            let fields = names.split(' ').zip(10..);
            let fields = fields.map(|(name, number)| (name.to_owned(), value(number)));
            Value::Object(fields.collect())
        };
        let texts = named(&|number| format!("id=x1y2{number}").into());
        let numbers = named(&|number| json!(918_273_400 + number));
        let lists = named(&|number| json!([918_273_500 + number, [format!("x1y2-{number}")]]));
        let objects = named(&|number| json!({ "a": 918_273_600 + number }));
        let more = json!({
            "texts": texts, "numbers": numbers, "lists": lists, "objects": objects,
            "otp": "918273700", "number": 918_273_700, "numbers in a list": [918_273_700],
            "echo": format!("User=ana&Passwd={hash}"), "HASH": hash.to_uppercase(), "list": [[secret], { "a": percent }],
            (secret): 1, "basic": STANDARD.encode(format!("ana:{secret}")), "again": demo.token, "kept": "k3pt-as-it-is",
        });
        let mut good: Value = serde_json::from_str(&demo.good()).expect("JSON");
        let mut fields = good.as_object().expect("an object").iter();
        let inner = fields.find(|(_, value)| value.is_object());
        let whole = match inner.map(|(name, _)| name.clone()) {
            Some(name) => &mut good[name],
            None => &mut good,
        };
        let fields = whole.as_object_mut().expect("an object");
        fields.extend(more.as_object().expect("an object").clone());
        let server = Server::start(demo.script([Reply::json(200, good.to_string())]));
        let mut machine = Machine::new();
        demo.settle(&mut machine, &server.url());
        let printed = machine.run(&format!("login {} -f json", demo.id)).json();
        let (upper, basic) = (hash.to_uppercase(), STANDARD.encode(secret));
        let written = [
            "x1y2",
            "918273",
            secret,
            &hash,
            &upper,
            &percent,
            demo.token,
            &basic[..8],
        ];
        // On stdout and in the store.
        for session in [&printed, &read(&entry(&machine))] {
            let details = session["details"].to_string();
            holds(&details, &["k3pt-as-it-is"]);
            lacks(&details, &written);
        }
        assert_eq!(printed["token"], demo.token, "{variable}");
    }
}

#[test]
fn every_system_in_every_format() {
    for system in systems() {
        for format in Format::ALL.map(Format::name) {
            let mut machine = Machine::new();
            let github_env = machine.path("github");
            machine.set("GITHUB_ENV", &github_env.display().to_string());
            let outcome = machine.run(&format!("login {system} --sandbox -f {format}"));
            if format == "header" && demo::of(system).spec().placement != Placement::Bearer {
                outcome.fails(2, &[system, "not in a header", "hint: use -f plain"]);
                continue;
            }
            if format == "curl" && demo::of(system).spec().placement == Placement::Path {
                outcome.fails(2, &[system, "in the path", "hint: `crmauth api"]);
                continue;
            }
            let answer = outcome.answer();
            let line_of = |answer: &str, before: &str| {
                let token = answer
                    .strip_prefix(before)
                    .and_then(|token| token.strip_suffix('\n'));
                assert!(token.is_some_and(token_like), "{answer}");
            };
            match format {
                "plain" => line_of(answer, ""),
                "header" => line_of(answer, "Authorization: Bearer "),
                "json" => check_json(system, &outcome.json()),
                "curl" => {
                    let option = answer.split(" = ").next().expect("an option");
                    assert!(["header", "url-query"].contains(&option), "{answer}");
                }
                _ => {
                    let written = match format {
                        "github" => {
                            let masked = answer.strip_prefix("::add-mask::").expect("a mask");
                            let env = fs::read_to_string(&github_env).expect("GitHub's file");
                            assert_eq!(variables(format, &env)[0].1, masked.trim_end());
                            env
                        }
                        _ => answer.to_owned(),
                    };
                    check_variables(system, format, &variables(format, &written));
                }
            }
        }
    }
}

fn token_like(text: &str) -> bool {
    let usual = |byte: u8| byte.is_ascii_graphic() && byte != b'\'';
    text.len() > 8 && text.bytes().all(usual)
}

fn check_json(system: &str, session: &Value) {
    let placement = demo::of(system).spec().placement;
    for (field, expected) in [
        ("schema", json!(1)),
        ("target", json!(system)),
        ("provider", json!(system)),
        ("account", Value::Null),
        (
            "placement",
            json!({ "in": placement.place(), "name": placement.name() }),
        ),
    ] {
        assert_eq!(session[field], expected, "{session}");
    }
    let names = session.as_object().expect("an object").keys();
    let names: Vec<&str> = names.map(String::as_str).collect();
    let declared = "schema target provider account token token_type url user impersonating obtained_at \
                    expires_at placement details";
    assert_eq!(names.join(" "), declared);
    let expires = session["expires_at"].is_string();
    assert_eq!(expires, expiring().contains(&system), "{session}");
    let url = session["url"].as_str().expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:"), "{session}");
    for time in ["obtained_at", "expires_at"] {
        let Some(text) = session[time].as_str() else {
            continue;
        };
        let read = text.parse::<Timestamp>().is_ok();
        assert!(text.ends_with('Z') && read, "{text}");
    }
}

fn check_variables(system: &str, format: &str, variables: &[(String, String)]) {
    let prefix = system.to_uppercase();
    let mut expected = vec![format!("{prefix}_TOKEN")];
    if expiring().contains(&system) {
        expected.push(format!("{prefix}_TOKEN_EXPIRES_AT"));
        assert!(variables[1].1.parse::<Timestamp>().is_ok(), "{variables:?}");
    }
    expected.push(format!("{prefix}_URL"));
    if format == "azure" {
        expected[0].push_str(";issecret=true");
    }
    let names: Vec<&String> = variables.iter().map(|(name, _)| name).collect();
    assert_eq!(names, expected.iter().collect::<Vec<_>>(), "{format}");
    assert!(token_like(&variables[0].1), "{variables:?}");
    let (_, url) = variables.last().expect("a URL");
    assert!(url.starts_with("http://127.0.0.1:"), "{variables:?}");
}

#[test]
fn var_renames_the_token_only() {
    let machine = Machine::new();
    for [format, first] in rows(
        "sh | export MY_TOKEN=
        env | MY_TOKEN=
        fish | set -gx MY_TOKEN^
        gitlab | MY_TOKEN=",
    ) {
        let outcome = machine.run(&format!("login zeev --sandbox -f {format} --var MY_TOKEN"));
        let answer = outcome.answer();
        assert!(answer.starts_with(&first.replace('^', " ")), "{answer}");
        holds(answer, &["ZEEV_TOKEN_EXPIRES_AT", "ZEEV_URL"]);
        lacks(answer, &["ZEEV_TOKEN="]);
    }
    for [line, why] in rows(
        "zeev --var X | nothing to rename in the format plain
        zeev -f json --var X | nothing to rename in the format json
        zeev gluo -f env --var X | --var names one token
        --all -f env --var X | --var names one token
        zeev -f env --var 1X | --var is not a variable's name
        zeev -f env --var X-Y | --var is not a variable's name
        zeev -f env --var ZEEV_URL | the name of another variable
        zeev -f azure --var Secret_x | begins like the agent's own",
    ) {
        machine.fails(&format!("login --sandbox {line}"), 2, &[why]);
    }
}

#[test]
fn no_token_takes_the_place_of_what_shells_live_by() {
    let machine = Machine::new();
    let relied_on = "PATH path LD_PRELOAD DYLD_INSERT_LIBRARIES IFS BASH_ENV HOME NODE_OPTIONS";
    for name in relied_on.split(' ') {
        for format in ["sh", "powershell"] {
            let outcome = machine.run(&format!("login zeev --sandbox -f {format} --var {name}"));
            let why =
                format!("--var {name} would replace a variable that shells and programs rely on");
            assert_eq!(outcome.code, 2, "{}", outcome.stderr);
            outcome.says(&[&why, "hint: choose a name of your own"]);
            assert!(!outcome.stdout.contains(name), "{}", outcome.stdout);
        }
    }
    for name in ["PATHS", "MY_PATH", "OLD_LD_X", "ENVIRONMENT"] {
        let outcome = machine.run(&format!("login zeev --sandbox -f sh --var {name}"));
        let set = format!("export {name}=");
        assert!(outcome.answer().starts_with(&set), "{}", outcome.stdout);
    }
}

#[test]
fn an_account_has_variables_of_its_own() {
    let server = Server::start(vec![canned::zeev("tok-Hm51account")]);
    let mut machine = zeev_at(&server);
    machine.secret("ZEEV__ROBO__API_TOKEN", "Perm4nentZeevToken77");
    let outcome = machine.run("login zeev@robo -f sh");
    let lines: Vec<&str> = outcome.answer().lines().collect();
    assert_eq!(lines[0], "export ZEEV__ROBO__TOKEN='tok-Hm51account'");
    let url = format!("export ZEEV__ROBO__URL='{}'", server.url());
    assert_eq!(lines[2], url);
    let asked = &server.received()[0];
    let bearer = Some("Bearer Perm4nentZeevToken77");
    assert_eq!(asked.header("authorization"), bearer);
}

#[test]
fn a_file_takes_the_token_and_nothing_else() {
    for (option, name) in [
        ("-o token", "token"),
        ("--output=./token", "token"),
        ("--save", "session.txt"),
    ] {
        let server = Server::start(vec![canned::zeev("tok-8fJq")]);
        let machine = zeev_at(&server);
        assert_eq!(machine.run(&format!("login zeev {option}")).answer(), "");
        assert_eq!(fs::read(machine.path(name)).expect("a file"), b"tok-8fJq");
        assert_eq!(mode(&machine.path(name)), 0o600);
        assert_eq!(machine.files(), [name]);
    }
}

#[test]
fn a_file_takes_what_stdout_would_have_held() {
    let server = Server::start(["tok-1", "tok-2", "tok-3"].map(canned::zeev).into());
    let mut machine = zeev_at(&server);
    machine.set("ZEEV__B__USERNAME", "b");
    machine.secret("ZEEV__B__PASSWORD", "Another9Password");
    machine.prints("login zeev -f sh -o vars", "");
    let vars = machine.text("vars");
    assert!(vars.starts_with("export ZEEV_TOKEN='tok-1'\n"), "{vars}");
    machine.prints("login --all -j 1 -o many", "");
    assert_eq!(machine.text("many"), "zeev\ttok-2\nzeev@b\ttok-3\n");
}

#[test]
fn a_dash_is_stdout() {
    let server = Server::start(vec![canned::zeev("tok-3w")]);
    let machine = zeev_at(&server);
    assert_eq!(machine.run("login zeev -o -").answer(), "tok-3w\n");
    assert_eq!(machine.files(), [""; 0]);
}

#[test]
fn an_old_file_is_replaced_at_once_or_not_at_all() {
    const OLD: &str = "the old session, which is longer";
    let both = Arc::new(Barrier::new(2));
    let good = canned::zeev("tok-new").together(&both);
    let server = Server::start(vec![good, canned::zeev_refuses()]);
    let machine = zeev_at(&server);
    let path = machine.write("session.txt", OLD);
    fs::hard_link(&path, machine.path("another name of it")).expect("a link");
    let inode = || fs::metadata(&path).expect("a file").ino();
    let before = inode();

    let child = machine.begin("login zeev --save");
    server.wait_for(1);
    assert_eq!(machine.text("session.txt"), OLD);
    both.wait();
    assert_eq!(machine.end(child).answer(), "");
    assert_eq!(machine.text("session.txt"), "tok-new");
    assert_ne!(inode(), before);
    assert_eq!(machine.text("another name of it"), OLD);

    machine.fails("login zeev --save", 4, &["zeev"]);
    assert_eq!(machine.text("session.txt"), "tok-new");
    assert_eq!(machine.files(), ["another name of it", "session.txt"]);
}

#[test]
fn a_file_that_others_could_read_is_closed() {
    let server = Server::start(vec![canned::zeev("tok-a"), canned::zeev("tok-b")]);
    let machine = zeev_at(&server);
    let path = machine.write("session.txt", "old");
    set_mode(&path, 0o644);
    let outcome = machine.run("login zeev --save");
    assert_eq!((outcome.code, outcome.stdout.as_str()), (0, ""));
    outcome.says(&["warning: session.txt was readable by others; it is 0600 now"]);
    assert_eq!(mode(&path), 0o600);
    set_mode(&path, 0o644);
    assert_eq!(machine.run("login zeev --save -q").answer(), "");
    assert_eq!(mode(&path), 0o600);
}

#[test]
fn a_secrets_own_file_and_settings_that_stand_aside_are_not_replaced_either() {
    let mut machine = Machine::new();
    machine.write("key", "Uu5SecretOfAFile");
    machine.write(".env", "ZEEV_URL=h\n");
    machine.set("ZEEV_URL", "http://127.0.0.1:1");
    machine
        .set("ZEEV_USERNAME", "a")
        .set("ZEEV_PASSWORD_FILE", "key");
    for [line, why] in rows(
        "login zeev -o key | -o key would replace ZEEV_PASSWORD_FILE
        login zeev --sandbox -o .env | -o .env would replace ./.env",
    ) {
        machine.fails(line, 2, &[why]);
    }
}

#[test]
fn the_null_device_is_no_file_of_settings() {
    let machine = Machine::new();
    let why = ["is not a regular file but a pipe, a device or a socket"];
    for verb in [
        "login zeev -o",
        "token zeev -o",
        "api zeev /x -o",
        "status --check --report",
    ] {
        for null in ["/dev/null", "/dev/../dev/null"] {
            let line = format!("--env-file /dev/null {verb} {null}");
            machine.fails(&line, 7, &why);
        }
    }
    let mut inside = machine.command(&["sandbox", "--"]);
    inside.args([program(), "token", "zeev@x", "-o", "/dev/null"]);
    machine.finish(inside).fails(7, &["is not a regular file"]);
    let looked = ["looked in: the environment\n"];
    machine.fails("--env-file /dev/null token zeev", 2, &looked);
}

#[test]
fn a_file_that_settings_come_from_is_not_replaced() {
    let server = Server::start(Vec::new());
    let url = server.url();
    let settings = format!("ZEEV_URL={url}\nZEEV_USERNAME=ana\nZEEV_PASSWORD=Kept7Secret\n");
    let mut machine = Machine::new();
    machine.write(".env", &settings);
    machine.write("session.txt", &settings);
    symlink(machine.path(".env"), machine.path("linked")).expect("a link");
    for line in [
        "login zeev -o .env",
        "token zeev -o ./../work/.env",
        "login zeev --env-file linked -o .env",
        "login zeev --env-file session.txt --save",
        "login zeev --env-file linked --env-file session.txt -o .env",
    ] {
        let why = [
            "error: ",
            "would replace",
            "the file that settings come from",
        ];
        machine.fails(line, 2, &why);
    }
    machine.set("CRMAUTH_ENV_FILE", "session.txt");
    let why = ["-o session.txt would replace session.txt"];
    machine.fails("login zeev --save", 2, &why);
    assert_eq!(machine.text(".env"), settings);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_file_that_cannot_be_replaced_is_found_out_before_any_request() {
    let server = Server::start(vec![]);
    let machine = zeev_at(&server);
    let victim = machine.write("victim", "precious");
    symlink(&victim, machine.path("link")).expect("a link");
    symlink(machine.path("nowhere"), machine.path("dangling")).expect("a link");
    symlink("loop", machine.path("loop")).expect("a link");
    fs::create_dir(machine.path("folder")).expect("a folder");
    make_pipe(&machine.path("fifo"));
    let before = machine.files();
    for [path, why] in rows(
        "link | link is a symbolic link
        dangling | dangling is a symbolic link
        loop | loop is a symbolic link
        folder | folder is a directory
        new/ | new/ is a directory
        fifo | fifo is not a regular file
        /dev/null | /dev/null is not a regular file
        missing/file | missing/file cannot be written: no such file or folder^
        victim/file | victim/file cannot be examined
        /proc/file | /proc/file cannot be written",
    ) {
        let why = why.replace('^', "\n");
        machine.fails(&format!("login zeev -o {path}"), 7, &[&why, "hint: "]);
        machine.fails(&format!("login zeev -f sh -o {path}"), 7, &[&why]);
    }
    symlink(&victim, machine.path("session.txt")).expect("a link");
    machine.fails("login zeev --save", 7, &["session.txt is a symbolic link"]);
    fs::remove_file(machine.path("session.txt")).expect("no link");
    assert_eq!(fs::read(&victim).expect("a file"), b"precious");
    assert_eq!(machine.files(), before);
    assert_eq!(server.connections(), 0);
}

/// Every printable character, and what a careless shell would run: each would make a file `pwned`.
fn hostile() -> [String; 5] {
    [
        (0x21..=0x7eu8).map(char::from).collect(),
        "$(touch${IFS}pwned)".to_owned(),
        "`touch${IFS}pwned`".to_owned(),
        "';>pwned;'".to_owned(),
        "\\';(touch${IFS}pwned);\\'".to_owned(),
    ]
}

/// Shells that are installed, the format for each, how it takes the output of a line of ours, and how it then prints
/// the token.
fn shells() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    let all = ["sh", "bash", "dash", "zsh", "fish"].into_iter();
    let posix = (
        "sh",
        "eval \"$(LINE)\"",
        "printf %s \"$(printenv GLUO_TOKEN)\"",
    );
    let fish = ("fish", "LINE | source", "printf %s (printenv GLUO_TOKEN)");
    all.filter(|shell| installed(shell)).map(move |shell| {
        let (format, take, print) = if shell == "fish" { fish } else { posix };
        (shell, format, take, print)
    })
}

#[test]
fn shells_take_the_token_byte_for_byte_and_run_nothing_of_it() {
    for (shell, format, take, print) in shells() {
        for token in hostile() {
            let server = Server::start(canned::gluo(&token));
            let machine = at("gluo", &server);
            let take = take.replace("LINE", &format!("crmauth login gluo -f {format}"));
            let outcome = machine.shell(shell, &format!("{take} && {print}"));
            assert_eq!(outcome.answer(), token, "{shell}");
            assert_eq!(machine.files(), [""; 0], "{shell}");
        }
    }
}

#[test]
fn a_login_that_fails_makes_the_shell_fail() {
    let refusal = json!({ "success": false, "error": { "code": "ACCESS_DENIED", "message": "$(touch pwned)" } });
    for (shell, format, take, _) in shells() {
        for (line, requests) in [
            (format!("login gluo -f {format}"), 1),
            (format!("login gluo -f {format} -o -"), 1),
            (format!("login gluo zeev -f {format}"), 1),
            (format!("login gluo -f {format} --bogus"), 0),
            (format!("login gluo --bogus -f{format}"), 0),
            (format!("login gluo --bogus --format={format}"), 0),
            (format!("login gluo --bogus -qf {format}"), 0),
            (format!("login gluo --bogus -qf{format}"), 0),
            (format!("login --format {format}"), 0),
            (format!("login nosuch -f {format}"), 0),
            (format!("login gluo -f {format} --json"), 0),
            (format!("logn gluo -f {format}"), 0),
        ] {
            let server = Server::start(vec![Reply::json(200, refusal.to_string()); requests]);
            let machine = at("gluo", &server);
            let take = take.replace("LINE", &format!("crmauth {line}"));
            let or = if shell == "fish" { "; or" } else { " ||" };
            let outcome = machine.shell(shell, &format!("{take}{or} echo failed"));
            let said = format!("{shell}: {line}: {}", outcome.stderr);
            assert_eq!(outcome.stdout, "failed\n", "{said}");
            assert!(outcome.stderr.contains("error"), "{said}");
            assert_eq!(machine.files(), [""; 0]);
        }
    }
}

#[test]
fn githubs_file_is_appended_to_on_a_fresh_line() {
    for (before, after) in [
        (None, ""),
        (Some(""), ""),
        (Some("A=1\n"), "A=1\n"),
        (Some("A=1"), "A=1\n"),
        (Some("\n"), "\n"),
    ] {
        let server = Server::start(vec![canned::zeev("tok-%25g")]);
        let mut machine = zeev_at(&server);
        let path = machine.path("github");
        if let Some(before) = before {
            machine.write("github", before);
            set_mode(&path, 0o644);
        }
        machine.set("GITHUB_ENV", "github");
        machine.prints("login zeev -f github", "::add-mask::tok-%2525g\n");
        let text = machine.text("github");
        let block = text.strip_prefix(after).expect(&text);
        let read = variables("github", block);
        let token = ("ZEEV_TOKEN".to_owned(), "tok-%25g".to_owned());
        assert_eq!(read[0], token, "{before:?}");
        assert_eq!(read[2], ("ZEEV_URL".to_owned(), server.url()), "{before:?}");
        let expected = if before.is_none() { 0o600 } else { 0o644 };
        assert_eq!(mode(&path), expected, "{before:?}");
    }
}

#[test]
fn githubs_file_is_none_that_a_link_names() {
    for there in [true, false] {
        let server = Server::start(vec![]);
        let mut machine = zeev_at(&server);
        if there {
            machine.write("precious", "x");
        }
        symlink("precious", machine.path("github")).expect("a link");
        machine.set("GITHUB_ENV", "github");
        machine.fails("login zeev -f github", 7, &["GITHUB_ENV"]);
        let left = fs::read_to_string(machine.path("precious")).ok();
        assert_eq!(left.as_deref(), there.then_some("x"));
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn githubs_file_is_a_regular_one() {
    let server = Server::start(vec![]);
    let mut machine = zeev_at(&server);
    make_pipe(&machine.path("pipe"));
    for place in ["pipe", "/dev/full"] {
        machine.set("GITHUB_ENV", place);
        machine.fails(
            "login zeev -f github",
            7,
            &["is not a regular file; GITHUB_ENV names it"],
        );
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_session_that_a_ci_system_would_obey_is_refused() {
    for demo in demo::ALL {
        for token in [
            "##vso[task.prependpath]/opt/evil",
            "a##[group]b",
            "###[group]b",
            "::stop-commands::x",
            "::add-mask::",
        ] {
            let reply = Reply::json(200, demo.answer_with(&format!("{token:?}")));
            let server = Server::start(demo.script([reply]));
            let mut machine = Machine::new();
            demo.settle(&mut machine, &server.url());
            let outcome = machine.run(&format!("login {}", demo.id));
            outcome.fails(6, &["contains a command for a CI system"]);
            outcome.lacks(&[token]);
        }
    }
}

#[test]
fn githubs_file_must_be_there_before_any_request() {
    let server = Server::start(vec![]);
    let mut machine = zeev_at(&server);
    let unset = ["GITHUB_ENV is not set", "hint: use -f sh or -f env"];
    machine.fails("login zeev -f github", 2, &unset);
    for (file, option, code, why) in [
        ("", "", 2, "GITHUB_ENV is not set"),
        ("missing/file", "", 7, "GITHUB_ENV"),
        ("github", " -o x", 2, "cannot go to a file"),
        ("github", " --save", 2, "cannot go to a file"),
    ] {
        machine.set("GITHUB_ENV", file);
        machine.fails(&format!("login zeev -f github{option}"), code, &[why]);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn many_targets_come_in_the_order_typed_each_once() {
    let machine = Machine::new();
    let all = machine.run("login --all --sandbox");
    all.answer();
    assert_eq!(targets(&all), systems());
    let typed = machine.run("login zeev gluo broker gluocrm zeev --sandbox");
    typed.answer();
    assert_eq!(targets(&typed), ["zeev", "gluo", "broker"]);
    let json = machine.run("login zeev gluo --sandbox --json");
    json.answer();
    let json = json.json();
    let named = json.as_array().expect("an array").iter();
    let named: Vec<&Value> = named.map(|one| &one["target"]).collect();
    assert_eq!(named, ["zeev", "gluo"]);
    let vars = machine.run("login zeev gluo --sandbox -f env");
    let lines = vars.answer().lines();
    let names: Vec<&str> = lines
        .map(|line| line.split_once('=').expect("NAME=").0)
        .collect();
    let expected = "ZEEV_TOKEN ZEEV_TOKEN_EXPIRES_AT ZEEV_URL GLUO_TOKEN GLUO_URL";
    assert_eq!(names.join(" "), expected);
}

#[test]
fn one_target_in_many_ways_is_one_answer() {
    let machine = Machine::new();
    for names in ["gluo", "gluo gluo", "gluocrm gluo"] {
        let outcome = machine.run(&format!("login {names} --sandbox"));
        assert!(
            !outcome.answer().contains('\t'),
            "{names}: {}",
            outcome.stdout
        );
    }
    let server = Server::start(vec![canned::zeev("tok-5"), canned::zeev("tok-6")]);
    let machine = zeev_at(&server);
    // `--all` has a form for many, even if only one comes of it.
    machine.prints("login --all", "zeev\ttok-5\n");
    let json = machine.run("login --all --json").json();
    assert_eq!(json[0]["token"], "tok-6");
}

/// How many of these requests were logins.
fn logins_of(purposes: &[&str]) -> usize {
    let logins = purposes.iter().filter(|purpose| **purpose == "login");
    logins.count()
}

#[test]
fn accounts_with_equal_settings_share_one_login() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    for system in systems() {
        let prefix = system.to_uppercase();
        for (name, value) in servers.demo() {
            if let Some(field) = name.strip_prefix(&format!("{prefix}_")) {
                machine.set(&format!("{prefix}__FILIAL__{field}"), value);
            }
        }
        for options in ["", "-j 1 ", "--no-store ", "--no-store -j 1 "] {
            let first = servers.events().len();
            let line = format!("login {options}{system} {system}@filial -q");
            let outcome = machine.run(&line);
            let lines = outcome.answer().lines();
            let tokens: Vec<&str> = lines
                .map(|line| line.split_once('\t').expect("a tab").1)
                .collect();
            assert_eq!((tokens.len(), tokens[0]), (2, tokens[1]), "{line}");
            let logins = logins_of(&purposes(&servers, first));
            assert_eq!(logins, 1, "{line}");
        }
        let first = servers.events().len();
        let print = format!("echo ${prefix}_TOKEN ${prefix}__FILIAL__TOKEN");
        let line = format!("exec --no-store {system} {system}@filial -- sh -c");
        let mut command = machine.line(&line);
        command.arg(print);
        let outcome = machine.finish(command);
        let (one, other) = outcome
            .answer()
            .trim_end()
            .split_once(' ')
            .expect("two tokens");
        assert_eq!(one, other, "{system}");
        let logins = purposes(&servers, first);
        assert_eq!(logins, first_login(system), "exec");
    }
    let first = servers.events().len();
    let all = machine.run("login --all -q");
    assert_eq!(all.answer().lines().count(), 2 * systems().len());
    let logins = logins_of(&purposes(&servers, first));
    assert_eq!(logins, systems().len());
    // Nothing is said of an ended session, since none was ended.
    machine.run("logout --all --local").answer();
    machine.run("login systemsway systemsway@filial").answer();
}

#[test]
fn a_lifetime_counts_from_before_the_question() {
    for (system, lifetime) in [("zeev", 600), ("hellocloud", 3600), ("broker", 3600)] {
        let gate = Arc::new(Barrier::new(2));
        let answer = Reply::json(200, demo::of(system).good());
        let server = Server::start(vec![answer.together(&gate)]);
        let machine = at(system, &server);
        let child = machine.begin(&format!("login {system} --json"));
        server.wait_for(1);
        let asked = Timestamp::now();
        // The real clock is the subject: the answer comes in another second than the question.
        while Timestamp::now().as_second() <= asked.as_second() {
            pause(Duration::from_millis(20));
        }
        gate.wait();
        let session = machine.end(child).json();
        let end = session["expires_at"].as_str().expect("a time");
        let end: Timestamp = end.parse().expect("a time");
        let latest = asked.as_second() + lifetime;
        assert!(end.as_second() <= latest, "{system}: {end} {asked}");
    }
}

#[test]
fn a_refusal_is_shared_and_other_settings_have_a_login_of_their_own() {
    let server = Server::start(vec![canned::zeev_refuses(), canned::zeev("Zv3otherToken")]);
    let mut machine = zeev_at(&server);
    for (account, password) in [
        ("FILIAL", "Vq7zeevPassword2Lw"),
        ("OUTRA", "Another9Password"),
    ] {
        machine.set(&format!("ZEEV__{account}__USERNAME"), "ana");
        machine.secret(&format!("ZEEV__{account}__PASSWORD"), password);
    }
    let outcome = machine.run("login -j 1 zeev zeev@filial zeev@outra");
    outcome.gives(4, "zeev@outra\tZv3otherToken\n", "");
    outcome.says(&["error: zeev: ", "error: zeev@filial: "]);
}

/// A server may hang up after a refusal without having said so.
#[test]
fn after_a_refusal_no_login_is_lost() {
    for (status, body) in [(401, "{}"), (200, r#"{"CodigoRetorno":2}"#)] {
        let others = ["Tk2secondToken", "Tk3thirdToken"].map(canned::broker);
        let refusal = [Reply::json(status, body), Reply::Last(Vec::new())];
        let server = Server::start([refusal, others].concat());
        let mut machine = Machine::new();
        machine.set("BROKER_URL", &server.url());
        for account in ["A", "B", "C"] {
            machine.set(&format!("BROKER__{account}__USERNAME"), "loja");
            let password = format!("{account}p7ownPassword");
            machine.secret(&format!("BROKER__{account}__PASSWORD"), &password);
        }
        let outcome = machine.run("login --no-store -j 1 broker@a broker@b broker@c");
        assert_eq!(outcome.code, 4, "{status}: {}", outcome.stderr);
        assert_eq!(targets(&outcome), ["broker@b", "broker@c"], "{status}");
    }
}

#[test]
fn one_bad_target_leaves_the_others_their_sessions() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    machine.secret("SYSTEMSWAY_PASSWORD", "wr0ng-Password-Mx2");
    let outcome = machine.run("login --all");
    assert_eq!(outcome.code, 4, "{}", outcome.stderr);
    let mut good = systems();
    good.retain(|system| *system != "systemsway");
    assert_eq!(targets(&outcome), good);
    let hint = "hint: check SYSTEMSWAY_USERNAME and SYSTEMSWAY_PASSWORD";
    outcome.says(&["error: systemsway: ", hint]);
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
}

#[test]
fn the_exit_code_of_a_batch_is_the_one_that_its_failures_share() {
    let nobody = Nobody::new();
    let dead = format!("http://{}", nobody.host());
    for [settings, code] in rows(
        " | 0
        ZEEV_PASSWORD=wrong | 4
        ZEEV_PASSWORD=wrong SYSTEMSWAY_PASSWORD=wrong | 4
        GLUO_URL=NOBODY | 5
        GLUO_URL=NOBODY ZEEV_URL=NOBODY | 5
        GLUO_USERNAME= | 2
        GLUO_URL=NOBODY ZEEV_PASSWORD=wrong | 1
        GLUO_USERNAME= ZEEV_PASSWORD=wrong | 1",
    ) {
        let servers = Servers::start();
        let mut machine = five_at(&servers);
        let settings: Vec<_> = settings
            .split(' ')
            .filter_map(|one| one.split_once('='))
            .collect();
        for (name, value) in &settings {
            machine.set(name, &value.replace("NOBODY", &dead));
        }
        let outcome = machine.run("login --all");
        outcome.exits(digits(code), format_args!("{settings:?}"));
        let good = systems().len() - settings.len();
        assert_eq!(targets(&outcome).len(), good, "{settings:?}");
        for (name, _) in settings {
            let target = name.split('_').next().expect("a prefix").to_lowercase();
            outcome.says(&[&format!("error: {target}: ")]);
        }
    }
}

#[test]
fn a_json_batch_tells_what_became_of_each() {
    let servers = Servers::start();
    let mut machine = five_at(&servers);
    let nobody = Nobody::new();
    machine.set("GLUO_URL", &format!("http://{}", nobody.host()));
    machine.secret("ZEEV_PASSWORD", "wr0ng-Password-Zx8");
    let outcome = machine.run("login zeev broker gluo hellocloud --json");
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let json = outcome.json();
    let all = json.as_array().expect("an array");
    let told = all.iter().map(|one| {
        let code = one["error"]["code"].as_str().unwrap_or("");
        assert_eq!(one["token"].is_string(), code.is_empty(), "{one}");
        format!("{} {code}", one["target"].as_str().expect("a target"))
    });
    let told: Vec<String> = told.collect();
    assert_eq!(
        told,
        ["zeev refused", "broker ", "gluo connect", "hellocloud "]
    );
    let fields = all[0]["error"].as_object().expect("an object").keys();
    let fields: Vec<&str> = fields.map(String::as_str).collect();
    assert_eq!(
        fields.join(" "),
        "code exit target message hint http_status retryable"
    );
    let members = all[0].as_object().expect("an object").len();
    assert_eq!(members, 2, "{}", all[0]);
    let [zeev, gluo] = [&all[0]["error"], &all[2]["error"]];
    assert_eq!(
        (&zeev["exit"], &zeev["http_status"]),
        (&json!(4), &json!(401))
    );
    assert_eq!(
        (&gluo["exit"], &gluo["retryable"]),
        (&json!(5), &json!(true))
    );
    // The same objects, a line each, on stderr.
    let lines = outcome.stderr.lines();
    let lines: Vec<Value> = lines
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(lines, [zeev, gluo].map(|error| json!({ "error": error })));
}

#[test]
fn variables_of_a_batch_come_all_or_not_at_all() {
    for (format, stdout) in [
        ("env", ""),
        ("sh", "false\n"),
        ("fish", "false\n"),
        ("powershell", "throw"),
        ("github", ""),
        ("gitlab", ""),
        ("azure", ""),
    ] {
        let good = Server::start(
            ["TOKgoodBatch81", "TOKother82"]
                .map(canned::systemsway)
                .into(),
        );
        let bad = Server::start(vec![canned::zeev_refuses(), canned::zeev_refuses()]);
        let mut machine = zeev_at(&bad);
        demo::of("systemsway").settle(&mut machine, &good.url());
        machine.canary("TOKgoodBatch81").set("GITHUB_ENV", "github");
        machine.write("github", "A=1\n");
        machine.write("out", "old");
        let line = format!("login systemsway zeev -f {format}");
        let outcome = machine.run(&line);
        outcome.exits(4, format);
        let given = &outcome.stdout;
        assert!(given.starts_with(stdout) && given.is_empty() == stdout.is_empty());
        assert_eq!(machine.text("github"), "A=1\n", "{format}");
        let file = if format == "github" { "" } else { " -o out" };
        machine.fails(&[&line, file].concat(), 4, &["zeev"]);
        assert_eq!(machine.text("out"), "old", "{format}");
        assert_eq!(machine.files(), ["github", "out"]);
    }
    let machine = Machine::new();
    for targets in ["broker zeev", "--all"] {
        let line = format!("login {targets} --sandbox -f header");
        machine.fails(&line, 2, &["header is for one target"]);
    }
}

#[test]
fn a_format_that_cannot_carry_the_token_writes_nothing() {
    for (format, token) in [("gitlab", "a$HOME"), ("azure", "$(id)"), ("env", "a${b}")] {
        let server = Server::start(vec![canned::zeev(token), canned::zeev(token)]);
        let machine = zeev_at(&server);
        let why = format!("the format {format} cannot carry the value of ZEEV_TOKEN");
        machine.fails(
            &format!("login zeev -f {format}"),
            2,
            &[&why, "hint: use -f json"],
        );
        machine.fails(&format!("login zeev -f {format} -o out"), 2, &[&why]);
        assert_eq!(machine.files(), [""; 0]);
    }
}

/// Five accounts of Zeev at one server.
fn five_accounts(server: &Server) -> Machine {
    let mut machine = Machine::new();
    machine.set("ZEEV_URL", &server.url());
    for account in ["A", "B", "C", "D", "E"] {
        let name = format!("ZEEV__{account}__API_TOKEN");
        machine.secret(&name, &format!("Perm4nent{account}Token5X"));
    }
    machine
}

const ACCOUNTS: [&str; 5] = ["zeev@a", "zeev@b", "zeev@c", "zeev@d", "zeev@e"];

#[test]
fn the_logins_of_a_batch_run_at_once_and_each_session_is_stored() {
    // Nobody is answered before all five have asked.
    let all = Arc::new(Barrier::new(5));
    let server = Server::start(vec![canned::zeev("tok-x").together(&all); 5]);
    let machine = five_accounts(&server);
    let outcome = machine.run("login --all");
    outcome.answer();
    assert_eq!(targets(&outcome), ACCOUNTS);
    assert_eq!(server.most_at_once(), 5);
    for account in ACCOUNTS {
        machine.prints(&format!("token {account} --cached"), "tok-x\n");
    }
}

#[test]
fn a_target_that_hangs_delays_nobody_and_keeps_its_place() {
    let (others, held) = (vec![canned::zeev("tok-x"); 4], Arc::new(Barrier::new(2)));
    let slow = vec![canned::zeev("tok-slow").together(&held)];
    let (server, slow) = (Server::start(others), Server::start(slow));
    let mut machine = five_accounts(&server);
    machine.set("ZEEV__A__URL", &slow.url());
    let run = machine.begin("login --all --jobs 2");
    slow.wait_for(1);
    server.wait_for(4);
    held.wait();
    let outcome = machine.end(run);
    outcome.answer();
    assert_eq!(targets(&outcome), ACCOUNTS);
}

#[test]
fn jobs_bound_how_many_run_at_once() {
    for (jobs, requests) in [(1, 5), (2, 4)] {
        let some = Arc::new(Barrier::new(jobs));
        let server = Server::start(vec![canned::zeev("tok-x").together(&some); requests]);
        let machine = five_accounts(&server);
        let line = format!("login {} -j {jobs}", ACCOUNTS[..requests].join(" "));
        machine.run(&line).answer();
        assert_eq!(server.most_at_once(), jobs);
        // A login that may not be sent twice has a connection of its own.
        assert_eq!(server.connections(), requests);
        if jobs == 1 {
            let asked = server.received();
            let asked = asked
                .iter()
                .map(|one| one.header("authorization").expect("a token"));
            let asked: Vec<&str> = asked.collect();
            let all =
                ["A", "B", "C", "D", "E"].map(|name| format!("Bearer Perm4nent{name}Token5X"));
            assert_eq!(asked, all);
        }
    }
}

#[test]
fn another_person_is_for_those_who_can() {
    let machine = Machine::new();
    for system in ["gluo", "hellocloud", "systemsway", "broker"] {
        let why = [
            "cannot log in as somebody else",
            "hint: --as works with zeev",
        ];
        machine.fails(&format!("login {system} --sandbox --as 2"), 2, &why);
    }
    let outcome = machine.run("login zeev --sandbox --as 2 --json");
    outcome.answer();
    let session = outcome.json();
    assert_eq!(session["user"], "integracao");
    assert!(session["impersonating"].is_string(), "{session}");
    // Nothing is sent for a target that cannot.
    let server = Server::start(vec![]);
    at("gluo", &server).fails("login gluo --as 2", 2, &["gluo"]);
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_reader_that_went_away_ends_the_run_quietly() {
    let machine = Machine::new();
    for line in [
        "login gluo --sandbox",
        "login --all --sandbox --json",
        "login zeev --sandbox -f sh",
        "providers",
        "completions bash",
        "sandbox",
        "--help",
        "--version",
    ] {
        let (reader, writer) = std::io::pipe().expect("a pipe");
        drop(reader);
        let outcome = machine.end(machine.start_onto(machine.line(line), writer));
        assert_eq!((outcome.code, outcome.stderr.as_str()), (7, ""), "{line}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_is_told() {
    let machine = Machine::new();
    for line in [
        "login gluo --sandbox",
        "login gluo --sandbox -f sh",
        "providers",
        "sandbox",
    ] {
        let outcome = machine.end(machine.start_onto(machine.line(line), full()));
        outcome.exits(7, line);
        outcome.says(&[
            "error: cannot write to stdout",
            "hint: free space where stdout goes",
        ]);
    }
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_that_nobody_gets_is_ended() {
    let begin = |replies: Vec<Reply>| {
        let server = Server::start([vec![canned::hellocloud("Hc1lostToken")], replies].concat());
        let machine = at("hellocloud", &server);
        (server, machine)
    };
    let to_nowhere = |machine: &Machine, line: &str| {
        let outcome = machine.end(machine.start_onto(machine.line(line), full()));
        outcome.exits(7, line);
        outcome
    };
    let ended = "the session that was not delivered was ended";
    for (line, status, says) in [
        (
            "login hellocloud",
            200,
            &*format!("warning: hellocloud: {ended}"),
        ),
        (
            "token hellocloud --json",
            503,
            "a session was opened and lost; it stays active until",
        ),
        ("login hellocloud --no-store", 200, ended),
    ] {
        let revoked = r#"{"meta":{"message":"Logged out"}}"#;
        let body = if status == 200 { revoked } else { "" };
        let (server, mut machine) = begin(vec![Reply::json(status, body)]);
        machine.write("no-folder", "");
        machine.set("CRMAUTH_STORE", "file:no-folder/below");
        to_nowhere(&machine, line).says(&["cannot write to stdout", says]);
        let last = server.received().pop().expect("a request");
        assert_eq!(last.target, "/Api/V8/logout", "{line}");
        let bearer = Some("Bearer Hc1lostToken");
        assert_eq!(last.header("authorization"), bearer, "{line}");
    }
    // One that is stored can be had again.
    let (server, machine) = begin(Vec::new());
    for line in ["login hellocloud", "token hellocloud"] {
        to_nowhere(&machine, line);
    }
    assert_eq!(server.received().len(), 1);
}

#[test]
fn a_signal_ends_a_login_and_leaves_nothing_behind() {
    for (sent, code) in [(Signal::INT, 130), (Signal::QUIT, 131), (Signal::TERM, 143)] {
        for option in ["-o out", "-f sh", "--json"] {
            let server = Server::start(vec![Reply::Silence]);
            let machine = zeev_at(&server);
            let line = format!("login zeev {option}");
            let child = machine.begin(&line);
            server.wait_for(1);
            signal(&child, sent);
            let outcome = machine.end(child);
            assert_eq!(outcome.code, code, "{option}: {}", outcome.stderr);
            let stdout = if option == "-f sh" { "false\n" } else { "" };
            assert_eq!(outcome.stdout, stdout, "{option}");
            outcome.says(&["interrupted", "a login under way may have taken effect"]);
            assert_eq!(machine.files(), [""; 0], "{option}");
        }
    }
}

#[test]
fn a_login_that_never_ends_is_given_up() {
    // Connections come about, and nobody takes them.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let machine = demo::of("zeev").machine(&url);
    machine.fails(
        "login zeev --timeout 0.2",
        5,
        &["zeev", "--timeout SECONDS"],
    );
}

#[test]
fn the_sandbox_needs_nothing_and_reads_nothing() {
    let mut machine = Machine::new();
    machine
        .set("GLUO_URL", "ftp://x")
        .set("CRMAUTH_ENV_FILE", "missing");
    machine.set("GLUO_ACCESS_KEY_CMD", "touch ran");
    machine.write(".env", "GLUO_URL=$broken\n");
    machine.run("login gluo --sandbox").answer();
    assert_eq!(machine.files(), [".env"]);
    let why = ["gluo@filial", "looked in: the sandbox"];
    machine.fails("login gluo@filial --sandbox", 2, &why);
}

#[test]
fn a_file_elsewhere_is_written_there() {
    let server = Server::start(vec![canned::zeev("tok-far"), canned::zeev("tok-near")]);
    let machine = zeev_at(&server);
    fs::create_dir(machine.path("sub")).expect("a folder");
    let absolute = machine.path("sub/abs").display().to_string();
    for path in [&*absolute, "sub/rel"] {
        machine.prints(&format!("login zeev -o {path}"), "");
    }
    assert_eq!(machine.text("sub/abs"), "tok-far");
    assert_eq!(machine.text("sub/rel"), "tok-near");
}

#[test]
fn a_session_shorter_than_asked_for_is_told() {
    for (option, told) in [
        ("", false),
        (" --min-ttl 0", false),
        (" --min-ttl 60", false),
        (" --min-ttl 7200", true),
    ] {
        let outcome = Machine::new().run(&format!("login hellocloud --sandbox{option}"));
        outcome.exits(0, option);
        assert_ne!(outcome.stdout, "");
        let stderr = &outcome.stderr;
        assert_eq!(
            stderr.contains("less than --min-ttl 7200"),
            told,
            "{stderr}"
        );
        assert_eq!(stderr.is_empty(), !told, "{stderr}");
    }
}

#[test]
fn a_saved_session_that_git_would_take_in_is_told() {
    if !installed("git") {
        return;
    }
    for (rules, told) in [
        ("", true),
        ("session.txt\n", false),
        ("*.txt\n", false),
        ("*.txt\n!session.txt\n", true),
    ] {
        let machine = Machine::new();
        machine.shell("sh", "git init -q .").answer();
        machine.write(".gitignore", rules);
        let outcome = machine.run("login gluo --sandbox --save");
        outcome.exits(0, rules);
        let said = outcome.stderr.contains("git does not ignore session.txt");
        assert_eq!(said, told, "{rules}");
        assert_eq!(machine.text(".gitignore"), rules, "nobody was asked");
    }
}
