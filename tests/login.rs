//! `crmauth login`: what is printed, where it goes, and what becomes of a batch.

use std::fs::{self, File};
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::sync::{Arc, Barrier};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::declaration::Placement;
use crmauth::output::Format;
use crmauth::secret::hex;
use jiff::Timestamp;
use md5::Digest;
use rustix::process::Signal;
use serde_json::{Value, json};
use tokio::net::TcpSocket;

use crate::support::machine::{installed, make_pipe, mode, set_mode, signal};
use crate::support::sandbox::Servers;
use crate::support::stored::{entry, expiring, first_login, five_at, purposes, read, systems};
use crate::support::{Machine, Outcome, Reply, Server, canned, demo, program, zeev_at};

/// A machine that knows Gluocrm at `server`.
fn gluo_at(server: &Server) -> Machine {
    let mut machine = Machine::new();
    machine
        .set("GLUO_URL", &server.url())
        .set("GLUO_USERNAME", "admin");
    machine.secret("GLUO_ACCESS_KEY", "Kx93gluoAccessKey0Rt");
    machine
}

/// A URL where nobody listens, as long as the socket that holds its port is there.
fn nobody() -> (TcpSocket, String) {
    let socket = TcpSocket::new_v4().expect("a socket");
    socket.bind(([127, 0, 0, 1], 0).into()).expect("a port");
    let url = format!("http://{}", socket.local_addr().expect("an address"));
    (socket, url)
}

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
    text.lines()
        .map(|line| {
            let line = line
                .strip_prefix(before)
                .and_then(|line| line.strip_suffix(after))
                .expect(line);
            let (name, value) = line.split_once(between).expect(line);
            (name.to_owned(), value.to_owned())
        })
        .collect()
}

#[test]
fn no_detail_contains_a_secret() {
    for demo in demo::ALL {
        let (variable, secret) = demo.secret;
        let hash = hex(&sha2::Sha256::digest(secret));
        let percent = secret
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<String>();
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
        let stored = read(&entry(&machine));
        for (place, details) in [
            ("stdout", &printed["details"]),
            ("the store", &stored["details"]),
        ] {
            let details = details.to_string();
            assert!(
                details.contains("k3pt-as-it-is"),
                "{}, {place}: {details}",
                demo.id
            );
            for secret in [
                "x1y2",
                "918273",
                secret,
                &hash,
                &hash.to_uppercase(),
                &percent,
                demo.token,
                &STANDARD.encode(secret)[..8],
            ] {
                assert!(
                    !details.contains(secret),
                    "{}, {place}, {secret}: {details}",
                    demo.id
                );
            }
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
            let token_like = |text: &str| {
                text.len() > 8
                    && text
                        .bytes()
                        .all(|byte| byte.is_ascii_graphic() && byte != b'\'')
            };
            match format {
                "plain" => assert!(
                    token_like(answer.strip_suffix('\n').expect("a line")),
                    "{answer}"
                ),
                "header" => {
                    let token = answer
                        .strip_prefix("Authorization: Bearer ")
                        .expect("a header");
                    assert!(
                        token_like(token.strip_suffix('\n').expect("a line")),
                        "{answer}"
                    );
                }
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
                    check_variables(system, format, &variables(format, &written), token_like);
                }
            }
        }
    }
}

fn check_json(system: &str, session: &Value) {
    for (field, expected) in [
        ("schema", json!(1)),
        ("target", json!(system)),
        ("provider", json!(system)),
        ("account", Value::Null),
    ] {
        assert_eq!(session[field], expected, "{session}");
    }
    let names: Vec<&str> = session
        .as_object()
        .expect("an object")
        .keys()
        .map(String::as_str)
        .collect();
    let declared = "schema target provider account token token_type url user impersonating obtained_at \
                    expires_at placement details";
    assert_eq!(names.join(" "), declared);
    assert_eq!(
        session["expires_at"].is_string(),
        expiring().contains(&system),
        "{session}"
    );
    let placement = demo::of(system).spec().placement;
    assert_eq!(
        session["placement"],
        json!({ "in": placement.place(), "name": placement.name() })
    );
    assert!(
        session["url"]
            .as_str()
            .is_some_and(|url| url.starts_with("http://127.0.0.1:")),
        "{session}"
    );
    for time in ["obtained_at", "expires_at"] {
        let Some(text) = session[time].as_str() else {
            continue;
        };
        assert!(
            text.ends_with('Z') && text.parse::<Timestamp>().is_ok(),
            "{text}"
        );
    }
}

fn check_variables(
    system: &str,
    format: &str,
    variables: &[(String, String)],
    token_like: impl Fn(&str) -> bool,
) {
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
    assert!(
        variables
            .last()
            .expect("a URL")
            .1
            .starts_with("http://127.0.0.1:"),
        "{variables:?}"
    );
}

#[test]
fn var_renames_the_token_only() {
    let machine = Machine::new();
    for (format, first) in [
        ("sh", "export MY_TOKEN="),
        ("env", "MY_TOKEN="),
        ("fish", "set -gx MY_TOKEN "),
        ("gitlab", "MY_TOKEN="),
    ] {
        let outcome = machine.run(&format!("login zeev --sandbox -f {format} --var MY_TOKEN"));
        let answer = outcome.answer();
        assert!(answer.starts_with(first), "{answer}");
        assert!(
            !answer.contains("ZEEV_TOKEN=") && answer.contains("ZEEV_TOKEN_EXPIRES_AT"),
            "{answer}"
        );
        assert!(answer.contains("ZEEV_URL"), "{answer}");
    }
    for (line, why) in [
        ("zeev --var X", "nothing to rename in the format plain"),
        (
            "zeev -f json --var X",
            "nothing to rename in the format json",
        ),
        ("zeev gluo -f env --var X", "--var names one token"),
        ("--all -f env --var X", "--var names one token"),
        ("zeev -f env --var 1X", "--var is not a variable's name"),
        ("zeev -f env --var X-Y", "--var is not a variable's name"),
        ("zeev -f env --var ZEEV_URL", "the name of another variable"),
        (
            "zeev -f azure --var Secret_x",
            "begins like the agent's own",
        ),
    ] {
        machine
            .run(&format!("login --sandbox {line}"))
            .fails(2, &[why]);
    }
}

#[test]
fn no_token_takes_the_place_of_what_shells_live_by() {
    let machine = Machine::new();
    for name in [
        "PATH",
        "path",
        "LD_PRELOAD",
        "DYLD_INSERT_LIBRARIES",
        "IFS",
        "BASH_ENV",
        "HOME",
        "NODE_OPTIONS",
    ] {
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
        assert!(
            outcome.answer().starts_with(&format!("export {name}=")),
            "{}",
            outcome.stdout
        );
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
    assert_eq!(
        lines[2],
        format!("export ZEEV__ROBO__URL='{}'", server.url())
    );
    assert_eq!(
        server.received()[0].header("authorization"),
        Some("Bearer Perm4nentZeevToken77")
    );
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
    let server = Server::start(vec![
        canned::zeev("tok-1"),
        canned::zeev("tok-2"),
        canned::zeev("tok-3"),
    ]);
    let mut machine = zeev_at(&server);
    machine
        .set("ZEEV__B__USERNAME", "b")
        .secret("ZEEV__B__PASSWORD", "Another9Password");
    let content = |name: &str| fs::read_to_string(machine.path(name)).expect("a file");
    assert_eq!(machine.run("login zeev -f sh -o vars").answer(), "");
    assert!(
        content("vars").starts_with("export ZEEV_TOKEN='tok-1'\n"),
        "{}",
        content("vars")
    );
    assert_eq!(machine.run("login --all -j 1 -o many").answer(), "");
    assert_eq!(content("many"), "zeev\ttok-2\nzeev@b\ttok-3\n");
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
    let both = Arc::new(Barrier::new(2));
    let server = Server::start(vec![
        canned::zeev("tok-new").together(&both),
        canned::zeev_refuses(),
    ]);
    let machine = zeev_at(&server);
    let path = machine.write("session.txt", "the old session, which is longer");
    fs::hard_link(&path, machine.path("another name of it")).expect("a link");
    let before = fs::metadata(&path).expect("a file").ino();

    let child = machine.start(machine.command(&["login", "zeev", "--save"]));
    server.wait_for(1);
    assert_eq!(
        fs::read(&path).expect("a file"),
        b"the old session, which is longer"
    );
    both.wait();
    assert_eq!(machine.end(child).answer(), "");
    assert_eq!(fs::read(&path).expect("a file"), b"tok-new");
    assert_ne!(fs::metadata(&path).expect("a file").ino(), before);
    let old = fs::read(machine.path("another name of it")).expect("a file");
    assert_eq!(old, b"the old session, which is longer");

    machine.run("login zeev --save").fails(4, &["zeev"]);
    assert_eq!(fs::read(&path).expect("a file"), b"tok-new");
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
    machine
        .set("ZEEV_URL", "http://127.0.0.1:1")
        .set("ZEEV_USERNAME", "a")
        .set("ZEEV_PASSWORD_FILE", "key");
    machine
        .run("login zeev -o key")
        .fails(2, &["-o key would replace ZEEV_PASSWORD_FILE"]);
    machine
        .run("login zeev --sandbox -o .env")
        .fails(2, &["-o .env would replace ./.env"]);
}

#[test]
fn the_null_device_is_no_file_of_settings() {
    let machine = Machine::new();
    for verb in [
        "login zeev",
        "token zeev",
        "api zeev /x",
        "status --check --report",
    ] {
        for null in ["/dev/null", "/dev/../dev/null"] {
            let option = if verb.starts_with("status") {
                ""
            } else {
                "-o "
            };
            let line = format!("--env-file /dev/null {verb} {option}{null}");
            machine.run(&line).fails(
                7,
                &["is not a regular file but a pipe, a device or a socket"],
            );
        }
    }
    let mut inside = machine.command(&["sandbox", "--"]);
    inside.args([program(), "token", "zeev@x", "-o", "/dev/null"]);
    machine.finish(inside).fails(7, &["is not a regular file"]);
    machine
        .run("--env-file /dev/null token zeev")
        .fails(2, &["looked in: the environment\n"]);
}

#[test]
fn a_file_that_settings_come_from_is_not_replaced() {
    let server = Server::start(Vec::new());
    let settings = format!(
        "ZEEV_URL={}\nZEEV_USERNAME=ana\nZEEV_PASSWORD=Kept7Secret\n",
        server.url()
    );
    let mut machine = Machine::new();
    machine.write(".env", &settings);
    machine.write("session.txt", &settings);
    std::os::unix::fs::symlink(machine.path(".env"), machine.path("linked")).expect("a link");
    for line in [
        "login zeev -o .env",
        "token zeev -o ./../work/.env",
        "login zeev --env-file linked -o .env",
        "login zeev --env-file session.txt --save",
        "login zeev --env-file linked --env-file session.txt -o .env",
    ] {
        machine.run(line).fails(
            2,
            &[
                "error: ",
                "would replace",
                "the file that settings come from",
            ],
        );
    }
    machine.set("CRMAUTH_ENV_FILE", "session.txt");
    machine
        .run("login zeev --save")
        .fails(2, &["-o session.txt would replace session.txt"]);
    assert_eq!(
        std::fs::read_to_string(machine.path(".env")).expect("a file"),
        settings
    );
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
    for (path, why) in [
        ("link", "link is a symbolic link"),
        ("dangling", "dangling is a symbolic link"),
        ("loop", "loop is a symbolic link"),
        ("folder", "folder is a directory"),
        ("new/", "new/ is a directory"),
        ("fifo", "fifo is not a regular file"),
        ("/dev/null", "/dev/null is not a regular file"),
        (
            "missing/file",
            "missing/file cannot be written: no such file or folder\n",
        ),
        ("victim/file", "victim/file cannot be examined"),
        ("/proc/file", "/proc/file cannot be written"),
    ] {
        machine
            .run(&format!("login zeev -o {path}"))
            .fails(7, &[why, "hint: "]);
        machine
            .run(&format!("login zeev -f sh -o {path}"))
            .fails(7, &[why]);
    }
    symlink(&victim, machine.path("session.txt")).expect("a link");
    machine
        .run("login zeev --save")
        .fails(7, &["session.txt is a symbolic link"]);
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

/// A shell, the format for it, how it takes the output of a line of ours, and how it then prints the token.
const SHELLS: [(&str, &str, &str, &str); 5] = [
    (
        "sh",
        "sh",
        "eval \"$(LINE)\"",
        "printf %s \"$(printenv GLUO_TOKEN)\"",
    ),
    (
        "bash",
        "sh",
        "eval \"$(LINE)\"",
        "printf %s \"$(printenv GLUO_TOKEN)\"",
    ),
    (
        "dash",
        "sh",
        "eval \"$(LINE)\"",
        "printf %s \"$(printenv GLUO_TOKEN)\"",
    ),
    (
        "zsh",
        "sh",
        "eval \"$(LINE)\"",
        "printf %s \"$(printenv GLUO_TOKEN)\"",
    ),
    (
        "fish",
        "fish",
        "LINE | source",
        "printf %s (printenv GLUO_TOKEN)",
    ),
];

/// Those that are installed.
fn shells() -> impl Iterator<Item = (&'static str, &'static str, &'static str, &'static str)> {
    SHELLS.into_iter().filter(|(shell, ..)| installed(shell))
}

#[test]
fn shells_take_the_token_byte_for_byte_and_run_nothing_of_it() {
    for (shell, format, take, print) in shells() {
        for token in hostile() {
            let server = Server::start(canned::gluo(&token));
            let machine = gluo_at(&server);
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
            let machine = gluo_at(&server);
            let take = take.replace("LINE", &format!("crmauth {line}"));
            let or = if shell == "fish" { "; or" } else { " ||" };
            let outcome = machine.shell(shell, &format!("{take}{or} echo failed"));
            assert_eq!(
                outcome.stdout, "failed\n",
                "{shell}: {line}: {}",
                outcome.stderr
            );
            assert!(outcome.stderr.contains("error"), "{shell}: {line}");
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
        machine.set("GITHUB_ENV", &path.display().to_string());
        assert_eq!(
            machine.run("login zeev -f github").answer(),
            "::add-mask::tok-%2525g\n"
        );
        let text = fs::read_to_string(&path).expect("GitHub's file");
        let block = text.strip_prefix(after).expect(&text);
        let read = variables("github", block);
        assert_eq!(
            read[0],
            ("ZEEV_TOKEN".to_owned(), "tok-%25g".to_owned()),
            "{before:?}"
        );
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
        machine
            .run("login zeev -f github")
            .fails(7, &["GITHUB_ENV"]);
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
        let outcome = machine.run("login zeev -f github");
        outcome.fails(7, &["is not a regular file; GITHUB_ENV names it"]);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_session_that_a_ci_system_would_obey_is_refused() {
    for demo in demo::ALL {
        for token in [
            "##vso[task.prependpath]/opt/evil",
            "a##[group]b",
            "::stop-commands::x",
            "::add-mask::",
        ] {
            let reply = Reply::json(200, demo.answer_with(&format!("{token:?}")));
            let server = Server::start(demo.script([reply]));
            let mut machine = Machine::new();
            demo.settle(&mut machine, &server.url());
            let outcome = machine.run(&format!("login {}", demo.id));
            outcome.fails(6, &["contains a command for a CI system"]);
            assert!(!outcome.stderr.contains(token), "{}", outcome.stderr);
            assert_eq!(outcome.stdout, "", "{}", demo.id);
        }
    }
}

#[test]
fn githubs_file_must_be_there_before_any_request() {
    let server = Server::start(vec![]);
    let mut machine = zeev_at(&server);
    machine
        .run("login zeev -f github")
        .fails(2, &["GITHUB_ENV is not set", "hint: use -f sh or -f env"]);
    machine.set("GITHUB_ENV", "");
    machine
        .run("login zeev -f github")
        .fails(2, &["GITHUB_ENV is not set"]);
    machine.set("GITHUB_ENV", "missing/file");
    machine
        .run("login zeev -f github")
        .fails(7, &["GITHUB_ENV"]);
    machine.set("GITHUB_ENV", "github");
    machine
        .run("login zeev -f github -o x")
        .fails(2, &["cannot go to a file"]);
    machine
        .run("login zeev -f github --save")
        .fails(2, &["cannot go to a file"]);
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
    let named: Vec<&Value> = json
        .as_array()
        .expect("an array")
        .iter()
        .map(|one| &one["target"])
        .collect();
    assert_eq!(named, ["zeev", "gluo"]);
    let vars = machine.run("login zeev gluo --sandbox -f env");
    let names: Vec<&str> = vars
        .answer()
        .lines()
        .map(|line| line.split_once('=').expect("NAME=").0)
        .collect();
    assert_eq!(
        names,
        [
            "ZEEV_TOKEN",
            "ZEEV_TOKEN_EXPIRES_AT",
            "ZEEV_URL",
            "GLUO_TOKEN",
            "GLUO_URL"
        ]
    );
}

#[test]
fn one_target_in_many_ways_is_one_answer() {
    let machine = Machine::new();
    for line in [
        "login gluo --sandbox",
        "login gluo gluo --sandbox",
        "login gluocrm gluo --sandbox",
    ] {
        let outcome = machine.run(line);
        assert!(
            !outcome.answer().contains('\t'),
            "{line}: {}",
            outcome.stdout
        );
    }
    let server = Server::start(vec![canned::zeev("tok-5"), canned::zeev("tok-6")]);
    let machine = zeev_at(&server);
    // `--all` has a form for many, even if only one comes of it.
    assert_eq!(machine.run("login --all").answer(), "zeev\ttok-5\n");
    assert_eq!(
        machine.run("login --all --json").json()[0]["token"],
        "tok-6"
    );
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
        for line in [
            "login",
            "login -j 1",
            "login --no-store",
            "login --no-store -j 1",
        ] {
            let first = servers.events().len();
            let outcome = machine.run(&format!("{line} {system} {system}@filial -q"));
            let tokens: Vec<&str> = outcome
                .answer()
                .lines()
                .map(|line| line.split_once('\t').expect("a tab").1)
                .collect();
            assert_eq!((tokens.len(), tokens[0]), (2, tokens[1]), "{line} {system}");
            let logins = purposes(&servers, first);
            assert_eq!(
                logins.iter().filter(|purpose| **purpose == "login").count(),
                1,
                "{line}: {logins:?}"
            );
        }
        let first = servers.events().len();
        let print = format!("echo ${prefix}_TOKEN ${prefix}__FILIAL__TOKEN");
        let target = format!("{system}@filial");
        let outcome = machine.run_args(&[
            "exec",
            "--no-store",
            system,
            &target,
            "--",
            "sh",
            "-c",
            &print,
        ]);
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
    assert_eq!(
        machine.run("login --all -q").answer().lines().count(),
        2 * systems().len()
    );
    let logins = purposes(&servers, first);
    let logins = logins.iter().filter(|purpose| **purpose == "login").count();
    assert_eq!(logins, systems().len());
    // Nothing is said of an ended session, since none was ended.
    machine.run("logout --all --local").answer();
    machine.run("login systemsway systemsway@filial").answer();
}

#[test]
fn a_lifetime_counts_from_before_the_question() {
    for (system, lifetime) in [("zeev", 600), ("hellocloud", 3600), ("broker", 3600)] {
        let gate = Arc::new(Barrier::new(2));
        let answer = match system {
            "zeev" => canned::zeev("Sl0wToken"),
            "hellocloud" => canned::hellocloud("Sl0wToken"),
            _ => canned::broker("Sl0wToken"),
        };
        let server = Server::start(vec![answer.together(&gate)]);
        let mut machine = zeev_at(&server);
        machine
            .set("HELLOCLOUD_URL", &server.url())
            .set("HELLOCLOUD_CLIENT_ID", "c");
        machine
            .set("BROKER_URL", &server.url())
            .set("BROKER_USERNAME", "loja");
        machine
            .secret("HELLOCLOUD_CLIENT_SECRET", "Cs7slowSecret")
            .secret("BROKER_PASSWORD", "Bp7slowPassword");
        let child = machine.start(machine.command(&["login", system, "--json"]));
        server.wait_for(1);
        let asked = Timestamp::now();
        // The real clock is the subject: the answer comes in another second than the question.
        let (_sender, nobody) = std::sync::mpsc::channel::<()>();
        while Timestamp::now().as_second() <= asked.as_second() {
            let _ = nobody.recv_timeout(std::time::Duration::from_millis(20));
        }
        gate.wait();
        let session = machine.end(child).json();
        let end: Timestamp = session["expires_at"]
            .as_str()
            .expect("a time")
            .parse()
            .expect("a time");
        assert!(
            end.as_second() <= asked.as_second() + lifetime,
            "{system}: {end} {asked}"
        );
    }
}

#[test]
fn a_refusal_is_shared_and_other_settings_have_a_login_of_their_own() {
    let server = Server::start(vec![canned::zeev_refuses(), canned::zeev("Zv3otherToken")]);
    let mut machine = zeev_at(&server);
    machine
        .set("ZEEV__FILIAL__USERNAME", "ana")
        .set("ZEEV__FILIAL__PASSWORD", "Vq7zeevPassword2Lw");
    machine
        .set("ZEEV__OUTRA__USERNAME", "ana")
        .secret("ZEEV__OUTRA__PASSWORD", "Another9Password");
    let outcome = machine.run("login -j 1 zeev zeev@filial zeev@outra");
    assert_eq!(
        (outcome.code, outcome.stdout.as_str()),
        (4, "zeev@outra\tZv3otherToken\n"),
        "{}",
        outcome.stderr
    );
    outcome.says(&["error: zeev: ", "error: zeev@filial: "]);
}

/// A server may hang up after a refusal without having said so.
#[test]
fn after_a_refusal_no_login_is_lost() {
    let refusals = [
        ("401", Reply::json(401, "{}")),
        ("200", Reply::json(200, r#"{"CodigoRetorno":2}"#)),
    ];
    for (status, refusal) in refusals {
        let server = Server::start(vec![
            refusal,
            Reply::Last(Vec::new()),
            canned::broker("Tk2secondToken"),
            canned::broker("Tk3thirdToken"),
        ]);
        let mut machine = Machine::new();
        machine.set("BROKER_URL", &server.url());
        for (account, password) in [
            ("A", "Ap7firstPassword"),
            ("B", "Bp7secondPassword"),
            ("C", "Cp7thirdPassword"),
        ] {
            machine.set(&format!("BROKER__{account}__USERNAME"), "loja");
            machine.secret(&format!("BROKER__{account}__PASSWORD"), password);
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
    outcome.says(&[
        "error: systemsway: ",
        "hint: check SYSTEMSWAY_USERNAME and SYSTEMSWAY_PASSWORD",
    ]);
    assert_eq!(outcome.stderr.lines().count(), 2, "{}", outcome.stderr);
}

#[test]
fn the_exit_code_of_a_batch_is_the_one_that_its_failures_share() {
    let (_held, dead) = nobody();
    for (settings, code) in [
        (&[][..], 0),
        (&[("ZEEV_PASSWORD", "wrong")], 4),
        (
            &[("ZEEV_PASSWORD", "wrong"), ("SYSTEMSWAY_PASSWORD", "wrong")],
            4,
        ),
        (&[("GLUO_URL", "NOBODY")], 5),
        (&[("GLUO_URL", "NOBODY"), ("ZEEV_URL", "NOBODY")], 5),
        (&[("GLUO_USERNAME", "")], 2),
        (&[("GLUO_URL", "NOBODY"), ("ZEEV_PASSWORD", "wrong")], 1),
        (&[("GLUO_USERNAME", ""), ("ZEEV_PASSWORD", "wrong")], 1),
    ] {
        let servers = Servers::start();
        let mut machine = five_at(&servers);
        for (name, value) in settings {
            machine.set(name, &value.replace("NOBODY", &dead));
        }
        let outcome = machine.run("login --all");
        assert_eq!(outcome.code, code, "{settings:?}: {}", outcome.stderr);
        assert_eq!(
            targets(&outcome).len(),
            systems().len() - settings.len(),
            "{settings:?}"
        );
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
    let (_held, dead) = nobody();
    machine
        .set("GLUO_URL", &dead)
        .secret("ZEEV_PASSWORD", "wr0ng-Password-Zx8");
    let outcome = machine.run("login zeev broker gluo hellocloud --json");
    assert_eq!(outcome.code, 1, "{}", outcome.stderr);
    let json = outcome.json();
    let all = json.as_array().expect("an array");
    let told: Vec<(&str, &str)> = all
        .iter()
        .map(|one| {
            let code = one["error"]["code"].as_str().unwrap_or("");
            assert_eq!(one["token"].is_string(), code.is_empty(), "{one}");
            (one["target"].as_str().expect("a target"), code)
        })
        .collect();
    assert_eq!(
        told,
        [
            ("zeev", "refused"),
            ("broker", ""),
            ("gluo", "connect"),
            ("hellocloud", "")
        ]
    );
    let fields: Vec<&str> = all[0]["error"]
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
        ]
    );
    assert_eq!(
        all[0].as_object().expect("an object").len(),
        2,
        "{}",
        all[0]
    );
    assert_eq!(
        (&all[0]["error"]["exit"], &all[0]["error"]["http_status"]),
        (&json!(4), &json!(401))
    );
    assert_eq!(
        (&all[2]["error"]["exit"], &all[2]["error"]["retryable"]),
        (&json!(5), &json!(true))
    );
    // The same objects, a line each, on stderr.
    let lines: Vec<Value> = outcome
        .stderr
        .lines()
        .map(|line| serde_json::from_str(line).expect("JSON"))
        .collect();
    assert_eq!(
        lines,
        [
            json!({ "error": all[0]["error"] }),
            json!({ "error": all[2]["error"] })
        ]
    );
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
        let good = Server::start(vec![
            canned::systemsway("TOKgoodBatch81"),
            canned::systemsway("TOKother82"),
        ]);
        let bad = Server::start(vec![canned::zeev_refuses(), canned::zeev_refuses()]);
        let mut machine = zeev_at(&bad);
        machine
            .set("SYSTEMSWAY_URL", &good.url())
            .set("SYSTEMSWAY_USERNAME", "x");
        machine
            .secret("SYSTEMSWAY_PASSWORD", "Gm4systemswayPasswd")
            .canary("TOKgoodBatch81");
        machine.set("GITHUB_ENV", "github");
        machine.write("github", "A=1\n");
        machine.write("out", "old");
        let outcome = machine.run(&format!("login systemsway zeev -f {format}"));
        assert_eq!(outcome.code, 4, "{format}: {}", outcome.stderr);
        assert!(
            outcome.stdout.starts_with(stdout) && outcome.stdout.is_empty() == stdout.is_empty()
        );
        assert_eq!(
            fs::read(machine.path("github")).expect("a file"),
            b"A=1\n",
            "{format}"
        );
        if format == "github" {
            machine
                .run("login systemsway zeev -f github")
                .fails(4, &["zeev"]);
        } else {
            machine
                .run(&format!("login systemsway zeev -f {format} -o out"))
                .fails(4, &["zeev"]);
        }
        assert_eq!(
            fs::read(machine.path("out")).expect("a file"),
            b"old",
            "{format}"
        );
        assert_eq!(machine.files(), ["github", "out"]);
    }
    let machine = Machine::new();
    machine
        .run("login broker zeev --sandbox -f header")
        .fails(2, &["header is for one target"]);
    machine
        .run("login --all --sandbox -f header")
        .fails(2, &["header is for one target"]);
}

#[test]
fn a_format_that_cannot_carry_the_token_writes_nothing() {
    for (format, token) in [("gitlab", "a$HOME"), ("azure", "$(id)"), ("env", "a${b}")] {
        let server = Server::start(vec![canned::zeev(token), canned::zeev(token)]);
        let machine = zeev_at(&server);
        let why = format!("the format {format} cannot carry the value of ZEEV_TOKEN");
        machine
            .run(&format!("login zeev -f {format}"))
            .fails(2, &[&why, "hint: use -f json"]);
        machine
            .run(&format!("login zeev -f {format} -o out"))
            .fails(2, &[&why]);
        assert_eq!(machine.files(), [""; 0]);
    }
}

/// Five accounts of Zeev at one server.
fn five_accounts(server: &Server) -> Machine {
    let mut machine = Machine::new();
    machine.set("ZEEV_URL", &server.url());
    for account in ["A", "B", "C", "D", "E"] {
        machine.secret(
            &format!("ZEEV__{account}__API_TOKEN"),
            &format!("Perm4nent{account}Token5X"),
        );
    }
    machine
}

#[test]
fn the_logins_of_a_batch_run_at_once() {
    // Nobody is answered before all five have asked.
    let all = Arc::new(Barrier::new(5));
    let server = Server::start(vec![canned::zeev("tok-x").together(&all); 5]);
    let outcome = five_accounts(&server).run("login --all");
    outcome.answer();
    assert_eq!(
        targets(&outcome),
        ["zeev@a", "zeev@b", "zeev@c", "zeev@d", "zeev@e"]
    );
    assert_eq!(server.most_at_once(), 5);
}

#[test]
fn every_session_of_a_batch_is_stored() {
    let all = Arc::new(Barrier::new(5));
    let server = Server::start(vec![canned::zeev("tok-x").together(&all); 5]);
    let machine = five_accounts(&server);
    machine.run("login --all").answer();
    for account in ["a", "b", "c", "d", "e"] {
        assert_eq!(
            machine
                .run(&format!("token zeev@{account} --cached"))
                .answer(),
            "tok-x\n"
        );
    }
}

#[test]
fn a_target_that_hangs_delays_nobody_and_keeps_its_place() {
    let (others, held) = (vec![canned::zeev("tok-x"); 4], Arc::new(Barrier::new(2)));
    let (server, slow) = (
        Server::start(others),
        Server::start(vec![canned::zeev("tok-slow").together(&held)]),
    );
    let mut machine = five_accounts(&server);
    machine.set("ZEEV__A__URL", &slow.url());
    let run = machine.start(machine.command(&["login", "--all", "--jobs", "2"]));
    slow.wait_for(1);
    server.wait_for(4);
    held.wait();
    let outcome = machine.end(run);
    outcome.answer();
    assert_eq!(
        targets(&outcome),
        ["zeev@a", "zeev@b", "zeev@c", "zeev@d", "zeev@e"]
    );
}

#[test]
fn jobs_bound_how_many_run_at_once() {
    for (jobs, requests) in [(1, 5), (2, 4)] {
        let some = Arc::new(Barrier::new(jobs));
        let server = Server::start(vec![canned::zeev("tok-x").together(&some); requests]);
        let machine = five_accounts(&server);
        let targets = &["zeev@a", "zeev@b", "zeev@c", "zeev@d", "zeev@e"][..requests];
        machine
            .run(&format!("login {} -j {jobs}", targets.join(" ")))
            .answer();
        assert_eq!(server.most_at_once(), jobs);
        assert_eq!(
            server.connections(),
            requests,
            "a login that may not be sent twice has a connection of its own"
        );
        if jobs == 1 {
            let asked: Vec<_> = server
                .received()
                .iter()
                .map(|one| one.header("authorization").map(str::to_owned))
                .collect();
            let accounts = ["A", "B", "C", "D", "E"];
            assert_eq!(
                asked,
                accounts.map(|name| Some(format!("Bearer Perm4nent{name}Token5X")))
            );
        }
    }
}

#[test]
fn another_person_is_for_those_who_can() {
    let machine = Machine::new();
    for system in ["gluo", "hellocloud", "systemsway", "broker"] {
        let outcome = machine.run(&format!("login {system} --sandbox --as 2"));
        outcome.fails(
            2,
            &[
                "cannot log in as somebody else",
                "hint: --as works with zeev",
            ],
        );
    }
    let outcome = machine.run("login zeev --sandbox --as 2 --json");
    outcome.answer();
    let session = outcome.json();
    assert_eq!(session["user"], "integracao");
    assert!(session["impersonating"].is_string(), "{session}");
    // Nothing is sent for a target that cannot.
    let server = Server::start(vec![]);
    gluo_at(&server)
        .run("login gluo --as 2")
        .fails(2, &["gluo"]);
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
        let command = machine.command(&line.split(' ').collect::<Vec<_>>());
        let outcome = machine.end(machine.start_onto(command, writer));
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
        let full = File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device");
        let command = machine.command(&line.split(' ').collect::<Vec<_>>());
        let outcome = machine.end(machine.start_onto(command, full));
        assert_eq!(outcome.code, 7, "{line}");
        outcome.says(&[
            "error: cannot write to stdout",
            "hint: free space where stdout goes",
        ]);
    }
}

/// HelloCloud at a server that gives a session, and then answers `replies`.
fn hellocloud_at(replies: Vec<Reply>) -> (Server, Machine) {
    let server = Server::start([vec![canned::hellocloud("Hc1lostToken")], replies].concat());
    let mut machine = Machine::new();
    machine
        .set("HELLOCLOUD_URL", &server.url())
        .set("HELLOCLOUD_CLIENT_ID", "c1");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", "Sx8clientSecret4Tn");
    (server, machine)
}

#[test]
#[cfg(target_os = "linux")]
fn a_session_that_nobody_gets_is_ended() {
    let full = || {
        File::options()
            .write(true)
            .open("/dev/full")
            .expect("a device")
    };
    let revoked = Reply::json(200, r#"{"meta":{"message":"Logged out"}}"#);
    for (line, reply, says) in [
        (
            "login hellocloud",
            revoked.clone(),
            "warning: hellocloud: the session that was not delivered was ended",
        ),
        (
            "token hellocloud --json",
            Reply::json(503, ""),
            "a session was opened and lost; it stays active until",
        ),
        (
            "login hellocloud --no-store",
            revoked,
            "the session that was not delivered was ended",
        ),
    ] {
        let (server, mut machine) = hellocloud_at(vec![reply]);
        machine.write("no-folder", "");
        machine.set("CRMAUTH_STORE", "file:no-folder/below");
        let command = machine.command(&line.split(' ').collect::<Vec<_>>());
        let outcome = machine.end(machine.start_onto(command, full()));
        assert_eq!(outcome.code, 7, "{line}: {}", outcome.stderr);
        outcome.says(&["cannot write to stdout", says]);
        let last = server.received().pop().expect("a request");
        assert_eq!(last.target, "/Api/V8/logout", "{line}");
        assert_eq!(
            last.header("authorization"),
            Some("Bearer Hc1lostToken"),
            "{line}"
        );
    }
    // One that is stored can be had again.
    let (server, machine) = hellocloud_at(Vec::new());
    for line in ["login hellocloud", "token hellocloud"] {
        let command = machine.command(&line.split(' ').collect::<Vec<_>>());
        assert_eq!(
            machine.end(machine.start_onto(command, full())).code,
            7,
            "{line}"
        );
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
            let child = machine.start(machine.command(&line.split(' ').collect::<Vec<_>>()));
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
    let mut machine = Machine::new();
    machine.set(
        "ZEEV_URL",
        &format!("http://{}", listener.local_addr().expect("an address")),
    );
    machine.secret("ZEEV_API_TOKEN", "Perm4nentNever6Token");
    machine
        .run("login zeev --timeout 0.2")
        .fails(5, &["zeev", "--timeout SECONDS"]);
}

#[test]
fn the_sandbox_needs_nothing_and_reads_nothing() {
    let mut machine = Machine::new();
    machine
        .set("GLUO_URL", "ftp://x")
        .set("GLUO_ACCESS_KEY_CMD", "touch ran");
    machine.set("CRMAUTH_ENV_FILE", "missing");
    machine.write(".env", "GLUO_URL=$broken\n");
    machine.run("login gluo --sandbox").answer();
    assert_eq!(machine.files(), [".env"]);
    machine
        .run("login gluo@filial --sandbox")
        .fails(2, &["gluo@filial", "looked in: the sandbox"]);
}

#[test]
fn a_file_elsewhere_is_written_there() {
    let server = Server::start(vec![canned::zeev("tok-far"), canned::zeev("tok-near")]);
    let machine = zeev_at(&server);
    fs::create_dir(machine.path("sub")).expect("a folder");
    let absolute = machine.path("sub").join("abs");
    for path in [absolute.as_path(), Path::new("sub/rel")] {
        assert_eq!(
            machine
                .run_args(&["login", "zeev", "-o", path.to_str().expect("UTF-8")])
                .answer(),
            ""
        );
    }
    assert_eq!(fs::read(&absolute).expect("a file"), b"tok-far");
    assert_eq!(
        fs::read(machine.path("sub/rel")).expect("a file"),
        b"tok-near"
    );
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
        assert_eq!(
            (outcome.code, outcome.stdout.is_empty()),
            (0, false),
            "{}",
            outcome.stderr
        );
        assert_eq!(
            outcome.stderr.contains("less than --min-ttl 7200"),
            told,
            "{}",
            outcome.stderr
        );
        assert_eq!(outcome.stderr.is_empty(), !told, "{}", outcome.stderr);
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
        assert_eq!(
            (
                outcome.code,
                outcome.stderr.contains("git does not ignore session.txt")
            ),
            (0, told),
            "{rules}"
        );
        let kept = std::fs::read_to_string(machine.path(".gitignore")).expect("a file");
        assert_eq!(kept, rules, "nobody was asked");
    }
}
