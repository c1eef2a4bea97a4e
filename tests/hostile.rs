//! One hostile text in every place that a server, an env file, an argument or a store entry can choose, and every byte
//! that comes of it, on stdout and on stderr: nothing there that a terminal or a CI runner obeys, or that nobody sees.

use std::fs;
use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::time::Duration;

use crmauth::declaration::Kind;
use crmauth::output::Format;
use crmauth::secret::foreign::{printable, unseen};
use crmauth::secret::percent;
use crmauth::store::Key;
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::proxy::Gateway;
use crate::sandbox::Running;
use crate::support::demo::ALL;
use crate::support::harm::{HOSTILE, UNSEEN, harm, without_controls};
use crate::support::machine::wait;
use crate::support::stored::{change, edit, read, store, stored, systems};
use crate::support::{Demo, Machine, Outcome, Reply, Server, Terminal};

/// Whatever prints what is known of a target. `EACH` is each system in turn, `ALL` are all of them.
const VERBS: &str = "
    login --all
    login --all --json
    login --all -vv
    login --all -f json -v
    login ALL -q
    login EACH
    login EACH -f FORMAT
    token EACH -f FORMAT -v
    token EACH -f json
    token EACH -f json --cached
    token EACH --json --min-ttl 86000 -v
    status
    status --json
    status ALL
    status --check
    status --check --json
    status EACH --check -v
    exec ALL -v -- true
    exec ALL --json -- true
    api EACH /x/{session} --json -H Accept:x
    login zeev --as HOSTILE -v
    login zeev --as HOSTILE --json -v
    token zeev --as HOSTILE -f json --cached
    exec zeev --as HOSTILE -- true
    status
    status --json
    providers
    providers zeev
    providers --json
    completions --targets
    logout zeev --as HOSTILE
    login zeev --as HOSTILE
    logout zeev --as HOSTILE --json
    login zeev --as HOSTILE
    logout ALL
    login ALL
    logout ALL --json
    logout --all
    login --all
    login zeev --as HOSTILE
    logout --all --json
    login --all
    login zeev --as HOSTILE
    logout --all --local
";

/// Runs, and what harms in what they print.
#[derive(Default)]
struct Runs {
    harms: Vec<String>,
}

impl Runs {
    /// Runs these lines.
    fn lines(&mut self, machine: &Machine, lines: &str) {
        let systems = systems();
        for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
            let each = if line.contains("EACH") {
                &systems[..]
            } else {
                &systems[..1]
            };
            for system in each {
                let formats = Format::ALL.map(Format::name);
                let formats = if line.contains("FORMAT") {
                    &formats[..]
                } else {
                    &formats[..1]
                };
                for format in formats {
                    let words = line.split(' ').flat_map(|word| match word {
                        "ALL" => systems.clone(),
                        "EACH" => vec![*system],
                        "FORMAT" => vec![*format],
                        "HOSTILE" => vec![HOSTILE],
                        word => vec![word],
                    });
                    self.run(machine, &words.collect::<Vec<_>>());
                }
            }
        }
    }

    /// Runs the program and reads all that it prints; of an answer that `api` passes on as it is, only what is ours.
    fn run(&mut self, machine: &Machine, arguments: &[&str]) -> Outcome {
        self.of(arguments, machine, machine.command(arguments))
    }

    fn of(&mut self, arguments: &[&str], machine: &Machine, command: Command) -> Outcome {
        let outcome = wait(machine.start(command));
        assert!(!outcome.stderr.contains("panicked"), "{}", outcome.stderr);
        let mut streams = vec![("stderr", outcome.stderr.clone())];
        if arguments[0] != "api" {
            // A tab stands between the columns; a runner is meant to obey these, and no more of their lines.
            let mut stdout = outcome.stdout.replace('\t', " ");
            if ["github", "azure"].iter().any(|ci| arguments.contains(ci)) {
                for meant in ["::add-mask::", "##vso[task.setvariable "] {
                    stdout = stdout.replace(&["\n", meant].concat(), "\n");
                    stdout = stdout
                        .strip_prefix(meant)
                        .map(str::to_owned)
                        .unwrap_or(stdout);
                }
            }
            streams.push(("stdout", stdout));
        }
        if let Ok(text) = fs::read_to_string(machine.path("github")) {
            streams.push(("GITHUB_ENV", text));
            fs::remove_file(machine.path("github")).expect("removed");
        }
        for (stream, text) in streams {
            self.harms
                .extend(harm(&text).map(|harm| format!("{arguments:?}, {stream}: {harm}")));
        }
        outcome
    }
}

impl Drop for Runs {
    fn drop(&mut self) {
        assert!(
            std::thread::panicking() || self.harms.is_empty(),
            "{}",
            self.harms.join("\n")
        );
    }
}

/// A server for each system, whose every answer is a good one.
fn servers() -> Vec<Server> {
    let servers: Vec<_> = ALL.iter().map(|_| Server::start(Vec::new())).collect();
    answer_well(&servers);
    servers
}

fn answer_well(servers: &[Server]) {
    for (demo, server) in ALL.iter().zip(servers) {
        server.rest(Reply::json(200, good(demo).to_string()));
    }
}

/// The same with hostile texts in them.
fn infested() -> Vec<Server> {
    let servers = servers();
    for (demo, server) in ALL.iter().zip(&servers) {
        let mut good = good(demo);
        infest(&mut good);
        server.rest(Reply::json(200, good.to_string()));
    }
    servers
}

/// The good answer to each step of a login at once.
fn good(demo: &Demo) -> Value {
    let mut good: Value = serde_json::from_str(&demo.good()).expect("JSON");
    match demo.id {
        "gluo" => good["result"]["token"] = json!("chA11eNge5Jd0s"),
        "zeev" => {
            good["current"] = json!({ "username": "x" });
            good["impersonate"] = json!({ "username": "y", "temporaryToken": "tmp-imp3rs0n4t3d" });
        }
        _ => {}
    }
    good
}

/// Whatever is read for people, and more besides, becomes the hostile text.
fn infest(value: &mut Value) {
    const READ: [&str; 6] = [
        "username",
        "name",
        "Message",
        "MensagemRetorno",
        "Token_Type",
        "version",
    ];
    if let Value::Object(fields) = value {
        for (name, value) in fields.iter_mut() {
            infest(value);
            if READ.contains(&name.as_str()) {
                *value = HOSTILE.into();
            }
        }
        fields.insert("about".into(), json!([{ HOSTILE: HOSTILE }, HOSTILE]));
        fields.insert(HOSTILE.into(), HOSTILE.into());
    }
}

/// A machine that knows all systems. Its env file has hostile user names, and lines that are almost settings.
fn machine(servers: &[Server]) -> Machine {
    let mut machine = Machine::new();
    let github = machine.path("github");
    machine.set("GITHUB_ENV", github.to_str().expect("UTF-8"));
    let mut file = String::new();
    for (demo, server) in ALL.iter().zip(servers) {
        demo.settle(&mut machine, &server.url());
        let user = demo
            .spec()
            .fields
            .iter()
            .find(|field| field.kind == Kind::Text)
            .expect("a user");
        let user = demo.variable(user.name);
        machine.unset(&user);
        let hostile = without_controls();
        file.push_str(&format!("{user}='{hostile}'\n"));
        file.push_str(&format!("{user}{}=1\n", hostile.replace(['=', ' '], "")));
    }
    machine.write(".env", file);
    machine
}

#[test]
fn what_a_good_server_says_of_itself() {
    let servers = infested();
    let mut machine = machine(&servers);
    let mut runs = Runs::default();
    assert_eq!(runs.run(&machine, &["login", "--all"]).code, 0);
    runs.lines(&machine, VERBS);
    // With such a token nobody but the server says who it stands for.
    machine
        .unset("ZEEV_PASSWORD")
        .set("ZEEV_API_TOKEN", "api-t0ken-Zk7")
        .write(".env", "");
    runs.lines(&machine, VERBS);

    let token = runs.run(&machine, &["login", "zeev", "-f", "json"]).json();
    assert_eq!(
        (&token["user"], &token["details"][HOSTILE]),
        (&json!(HOSTILE), &json!(HOSTILE))
    );
    runs.run(&machine, &["login", "zeev", "--as", HOSTILE]);
    let rows = runs.run(&machine, &["status", "zeev", "--json"]).json();
    assert_eq!(
        (&rows[0]["user"], &rows[1]["impersonating"]),
        (&json!(HOSTILE), &json!(HOSTILE))
    );
    let ended = runs.run(&machine, &["logout", "--all", "--json"]).json();
    let targets = [&ended[0]["target"], &ended[1]["target"]];
    assert_eq!(
        targets,
        [&json!(format!("zeev (as:{HOSTILE})")), &json!("zeev")]
    );
}

#[test]
fn what_a_server_refuses_with() {
    let texts = json!({
        "success": false, "Status": HOSTILE, "CodigoRetorno": HOSTILE, "code": HOSTILE, "codigo": HOSTILE,
        "error_description": HOSTILE, "message": HOSTILE, "hint": HOSTILE, "Message": HOSTILE, "detail": HOSTILE
    });
    let refusal = |error: Value| {
        let mut texts = texts.clone();
        texts["error"] = error;
        texts.to_string()
    };
    let one_line = without_controls();
    let answers = [
        Reply::json(401, refusal(json!({ "code": HOSTILE, "message": HOSTILE }))),
        Reply::json(400, refusal(HOSTILE.into())),
        Reply::json(200, refusal(json!({ "code": HOSTILE, "message": HOSTILE }))),
        Reply::json(
            403,
            json!({ "errors": { "title": HOSTILE, "detail": HOSTILE } }).to_string(),
        ),
        Reply::json(500, HOSTILE),
        Reply::http(200, &one_line, HOSTILE),
        Reply::with_headers(302, &[("Location", &one_line)], HOSTILE),
        Reply::with_headers(
            301,
            &[("Location", &format!("https://else.test/{one_line}"))],
            HOSTILE,
        ),
        Reply::Bytes(format!("HTTP/1.1 404 {one_line}\r\nContent-Length: 0\r\n\r\n").into_bytes()),
        Reply::Last(HOSTILE.as_bytes().to_vec()),
    ];
    let servers = servers();
    let machine = machine(&servers);
    let mut runs = Runs::default();
    for answer in answers {
        answer_well(&servers);
        runs.run(&machine, &["login", "--all"]);
        servers
            .iter()
            .for_each(|server| server.rest(answer.clone()));
        runs.lines(
            &machine,
            "
            login --all
            login --all --json
            login EACH -vv
            token EACH --min-ttl 86000 --json
            token zeev --as HOSTILE
            token zeev --as HOSTILE --json
            status --check
            status --check --json
            api EACH /x/{session}
            exec ALL -- true
            exec ALL --json --token-file -- true
            logout ALL
            logout --all --json
            ",
        );
    }
}

#[test]
fn what_stands_in_the_store() {
    let servers = servers();
    let machine = machine(&servers);
    let mut runs = Runs::default();
    type Edit = fn(&mut Value);
    let edits: [(&str, Edit); 6] = [
        ("its user", |entry| entry["user"] = HOSTILE.into()),
        ("whom it stands for", |entry| {
            entry["impersonating"] = HOSTILE.into()
        }),
        ("its details", |entry| {
            entry["details"] = json!({ HOSTILE: HOSTILE })
        }),
        ("its token's type", |entry| {
            entry["token_type"] = HOSTILE.into()
        }),
        ("its role", |entry| entry["key"]["role"] = HOSTILE.into()),
        ("its target", |entry| entry["target"] = HOSTILE.into()),
    ];
    for (what, edit) in edits {
        runs.lines(&machine, "logout --all --local\nlogin --all");
        for path in stored(&machine, ".json") {
            change(&path, edit);
            let key: Key = serde_json::from_value(read(&path)["key"].clone()).expect("a key");
            fs::rename(&path, path.with_file_name(key.name() + ".json")).expect(what);
        }
        runs.lines(
            &machine,
            "
            status
            status --json
            status --check
            token EACH -f FORMAT --cached
            token EACH -f json --cached -v --json
            completions --targets
            ",
        );
        servers
            .iter()
            .for_each(|server| server.rest(Reply::json(500, "{}")));
        runs.lines(
            &machine,
            "logout --all\nlogout --all --json\nlogout --all --local",
        );
        answer_well(&servers);
        runs.lines(&machine, "login --all");
        stored(&machine, ".json")
            .iter()
            .for_each(|path| change(path, edit));
        runs.lines(
            &machine,
            "status\nstatus --check --json\nlogout ALL\nlogout --all",
        );
    }
    // Nobody can tell which one is meant: both are named.
    for user in ["ana", "eva"] {
        let mut other = machine.command(&["login", "zeev"]);
        other.env("ZEEV_USERNAME", user);
        runs.of(&["login"], &machine, other);
    }
    edit(&machine, "zeev", |entry| entry["user"] = HOSTILE.into());
    let mut bare = Machine::new();
    bare.set(
        "CRMAUTH_STORE",
        &format!("file:{}", store(&machine).display()),
    );
    runs.lines(
        &bare,
        "status\nlogout zeev\nlogout zeev --json\nlogout --all",
    );
}

#[test]
fn what_is_typed() {
    let servers = servers();
    let machine = machine(&servers);
    let mut runs = Runs::default();
    let file = HOSTILE.replace('/', "|");
    let beside = |start: &str| format!("{start}{HOSTILE}");
    let (account, below, option) = (beside("gluo@"), beside("/dev/null/"), beside("--"));
    let (store, redis, path) = (
        beside("file:/dev/null/"),
        beside("redis://h/"),
        beside("/x/{session}?"),
    );
    let (data, header) = (beside("@"), beside("K:"));
    runs.lines(&machine, "login --all");
    machine.write(&file, "GLUO_URL\nZEEV_PASSWORD='x\nBROKER_USERNAME='x' y\n");
    machine.write("not-run", "");
    fs::rename(machine.path("not-run"), machine.path(&format!("x{file}"))).expect("a name");
    let program = format!("./x{file}");
    for arguments in [
        &[HOSTILE][..],
        &[&option],
        &["login", HOSTILE],
        &["login", &account],
        &["login", "zeev", HOSTILE, "--all"],
        &["login", "zeev", &option],
        &["login", "zeev", "-f", HOSTILE],
        &["login", "zeev", "-f", "sh", "--var", HOSTILE],
        &["login", "zeev", "-o", HOSTILE],
        &["login", "zeev", "-o", &below],
        &["login", "zeev", "-j", HOSTILE],
        &["login", "zeev", "--min-ttl", HOSTILE],
        &["login", "gluo", "--as", HOSTILE],
        &["token", HOSTILE],
        &["token", "zeev", "--as", HOSTILE, "--cached"],
        &["exec", HOSTILE, "--", "true"],
        &["exec", "gluo", HOSTILE],
        &["exec", "gluo", "--", HOSTILE],
        &["exec", "gluo", "--", &program],
        &["sandbox", "--", HOSTILE],
        &["sandbox", "--ttl", HOSTILE],
        &["api", "gluo", HOSTILE],
        &["api", "systemsway", &path],
        &["api", "zeev", "/x", "-X", HOSTILE],
        &["api", "zeev", "/x", "-H", HOSTILE],
        &["api", "zeev", "/x", "-H", &header],
        &["api", "zeev", "/x", "-d", &data],
        &["status", HOSTILE],
        &["status", &account, "--check"],
        &["logout", HOSTILE],
        &["logout", "gluo", "--as", HOSTILE],
        &["providers", HOSTILE],
        &["providers", &account, "--env"],
        &["completions", HOSTILE],
        &["status", "--env-file", HOSTILE],
        &["status", "--env-file", &file],
        &["status", "--ca-file", HOSTILE],
        &["status", "--ca-file", &file],
        &["status", "--store", HOSTILE],
        &["login", "zeev", "--store", &store],
        &["status", "--store", &redis],
        &["status", "--timeout", HOSTILE],
        &["status", "--color", HOSTILE],
        &["status", "--lang", HOSTILE],
    ] {
        runs.run(&machine, arguments);
        // Before `--`, where there is one.
        let (ours, rest) = arguments.split_at(
            arguments
                .iter()
                .position(|word| *word == "--")
                .unwrap_or(arguments.len()),
        );
        runs.run(&machine, &[ours, &["--json"], rest].concat());
    }
    // Nor does it matter what the program is called by whoever starts it.
    for arguments in [
        &[][..],
        &["--help"],
        &["login", "--help"],
        &["--version"],
        &["login", "--wrong"],
        &["login"],
    ] {
        let mut command = machine.command(arguments);
        command.arg0(&file);
        runs.of(&["started under another name"], &machine, command);
    }
}

#[test]
fn what_is_set() {
    let servers = servers();
    let base = machine(&servers);
    let mut runs = Runs::default();
    let specs = crmauth::provider::specs();
    let settings = specs.iter().flat_map(|spec| {
        spec.all_fields().flat_map(|field| {
            let name = format!("{}_{}", spec.id.to_uppercase(), field.name);
            [name.clone(), format!("{name}_FILE"), format!("{name}_CMD")]
        })
    });
    let others = [
        "CRMAUTH_STORE",
        "CRMAUTH_STORE_KEY",
        "CRMAUTH_ENV_FILE",
        "CRMAUTH_LANG",
        "HTTPS_PROXY",
        "http_proxy",
    ];
    let others = others.into_iter().chain([
        "NO_PROXY",
        "SSL_CERT_FILE",
        "SSL_CERT_DIR",
        "XDG_STATE_HOME",
        "HOME",
        "PATH",
    ]);
    let one_line = without_controls();
    for name in settings.chain(others.map(str::to_owned)) {
        for value in [HOSTILE, &one_line] {
            for line in [
                "login --all --json --no-store",
                "login --all -v --no-store",
                "status ALL",
            ] {
                let words: Vec<&str> = line.split(' ').collect();
                let mut command = base.command(&words);
                command.env(&name, value);
                runs.of(&[&name, line], &base, command);
            }
        }
        base.write("settings", format!("{name}='{one_line}'\n"));
        runs.lines(&base, "status ALL --env-file settings --env-file .env");
        base.write(
            "settings",
            format!("{name}{one_line}='\n{one_line}\n{name}='{one_line}\n"),
        );
        runs.lines(&base, "login --all --env-file settings --json");
    }
}

#[test]
fn what_a_client_of_the_gateway_sends() {
    let servers = infested();
    let machine = machine(&servers);
    let seen = without_controls().replace(' ', "");
    let escaped = percent(HOSTILE);
    let rest = "HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n";
    let get = |header: &str| {
        format!("GET BASE/x HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n{header}\r\n\r\n")
    };
    for options in ["zeev", "zeev --read-only", "zeev --lang pt-BR -v"]
        .map(|words| format!("{words} --timeout 1"))
    {
        let gateway = Gateway::start(&machine, &options);
        let mut own = 0;
        for text in [
            format!("GET BASE/{escaped}?{escaped} {rest}"),
            format!("GET BASE/{seen} {rest}"),
            format!("GET /{escaped}/zeev/x {rest}"),
            format!("GET BASE{escaped}/x {rest}"),
            format!("{seen} BASE/x {rest}"),
            format!("X::add-mask::y BASE/x {rest}"),
            format!("GET BASE/x HTTP/1.1\r\nHost: {seen}\r\nConnection: close\r\n\r\n"),
            get(&format!("Origin: {seen}")),
            get(&format!("Sec-Fetch-Site: {seen}")),
            get(&format!("{seen}: x")),
            get(&format!("Content-Length: {seen}")),
            get(&format!("Transfer-Encoding: {seen}")),
            get(&format!("Cookie: PHPSESSID={seen}")),
            format!("{HOSTILE}\r\n\r\n"),
        ] {
            let answer = gateway.raw(&text);
            // An error of its own is JSON, which a client may log; what a system says is passed on as it is.
            if answer.contains("{\"error\"") {
                own += 1;
                assert_eq!(harm(&answer.replace('\r', "")), None, "{text:?}");
            }
        }
        assert!(own > 5, "{own} errors of its own");
        assert_eq!(harm(&gateway.urls.join("\n")), None, "{options}");
        assert_eq!(harm(&gateway.end().stderr), None, "{options}");
    }
}

#[test]
fn what_a_client_of_the_sandbox_sends() {
    let machine = Machine::new();
    let seen = without_controls().replace(' ', "");
    let escaped = percent(HOSTILE);
    let requests = [
        format!("GET /{escaped}?{escaped} HTTP/1.1\r\n\r\n"),
        format!("GET /{seen}?{seen} HTTP/1.1\r\n\r\n"),
        "GET /::debug::x/##[group]x HTTP/1.1\r\n\r\n".to_owned(),
        format!("GET /webservice.php?operation={escaped}&sessionName={seen} HTTP/1.1\r\n\r\n"),
        "X##vso|y /x HTTP/1.1\r\n\r\n".to_owned(),
        format!("{seen} /x HTTP/1.1\r\n\r\n"),
        format!("GET /x HTTP/1.1\r\nHost: {seen}\r\nAuthorization: Bearer {seen}\r\n\r\n"),
        format!("GET /x HTTP/1.1\r\n{seen}: x\r\n\r\n"),
        format!("GET /x HTTP/1.1\r\nX: {HOSTILE}\r\n\r\n"),
        format!("{HOSTILE}\r\n\r\n"),
    ];
    let form = format!("operation={escaped}&grant_type={escaped}&username={escaped}");
    let field = json!(HOSTILE);
    let fields = ["grant_type", "username", "Usuario", "Senha", "login"];
    let object: Value = fields
        .map(|name| (name, field.clone()))
        .into_iter()
        .collect();
    let posts = [
        ("x-www-form-urlencoded", form),
        ("json", object.to_string()),
    ];
    let paths = [
        "/webservice.php",
        "/Api/access_token",
        "/api/x",
        "/api/2/tokens",
        "/",
    ];
    let posts = paths.iter().flat_map(|path| {
        posts.iter().map(move |(kind, body)| {
            let length = body.len();
            format!("POST {path} HTTP/1.1\r\nContent-Type: application/{kind}\r\nContent-Length: {length}\r\n\r\n{body}")
        })
    });
    let requests: Vec<String> = requests.into_iter().chain(posts).collect();
    for options in [&["sandbox"][..], &["sandbox", "--json", "-vv"]] {
        let running = Running::start(&machine, options);
        let block = machine.text("sandbox.env");
        let hosts = block
            .lines()
            .filter_map(|line| line.split_once("_URL='http://"));
        for (_, host) in hosts {
            for request in &requests {
                let mut stream =
                    TcpStream::connect(host.trim_end_matches('\'')).expect("a sandbox");
                let limit = Some(Duration::from_secs(20));
                stream.set_read_timeout(limit).expect("a time-out");
                stream.write_all(request.as_bytes()).expect("sent");
                // A server that saw the client's end first would drop the request.
                let _ = stream.read(&mut [0]);
                let _ = stream.shutdown(Shutdown::Write);
                let _ = stream.read_to_end(&mut Vec::new());
            }
        }
        let log = running.stop(Signal::INT).stderr;
        assert_eq!(log.matches("X# #vso|y /x").count(), ALL.len(), "{log}");
        assert_eq!(harm(&log), None, "{options:?}");
    }
}

#[test]
fn what_a_person_at_a_terminal_reads() {
    let servers = infested();
    let mut machine = machine(&servers);
    for api_token in [false, true] {
        if api_token {
            machine
                .unset("ZEEV_PASSWORD")
                .set("ZEEV_API_TOKEN", "api-t0ken-Zk7")
                .write(".env", "");
        }
        for arguments in [
            &["login", "zeev"][..],
            &["login", "zeev", "--as", HOSTILE],
            &["status"],
        ] {
            // One that can do no more than print lines, so that none of what comes out is ours; and one whose screen is
            // read, narrow enough for lines to be folded.
            let mut plain = machine.command(arguments);
            plain.env("TERM", "dumb");
            let left = Terminal::start(plain, 200).ends();
            assert_eq!(
                harm(&left.output.replace("\r\n", "\n")),
                None,
                "{arguments:?}"
            );
            let left = Terminal::start(machine.command(arguments), 20).ends();
            assert_eq!(harm(&left.screen.join("\n")), None, "{arguments:?}");
        }
    }
}

#[test]
fn every_character_that_nobody_sees() {
    let all: Vec<char> = ('\0'..=char::MAX).collect();
    for c in &all {
        let listed = c.is_control() || UNSEEN.iter().any(|range| range.contains(&u32::from(*c)));
        // What Unicode adds may be unseen as well.
        assert!(unseen(*c) || !listed, "U+{:04X}", u32::from(*c));
    }
    for c in "aZ09~ é\u{301}ßçã株한א\u{5b0}ا\u{64e}क्🎉€“\u{a0}".chars() {
        assert!(!unseen(c), "U+{:04X}", u32::from(c));
    }
    let all = all.into_iter().collect::<String>();
    assert_eq!(harm(&printable(&all)), None);
    let written = crmauth::json::text(&json!(all));
    assert_eq!(harm(&written), None);
    assert!(serde_json::from_str::<String>(&written).expect("JSON") == all);
}

#[test]
fn json_escapes_what_a_reader_would_obey_and_nothing_else() {
    let value = json!({
        "a\"\\/é株❤": [null, true, -1, 1.5e300, u64::MAX, "", "#", "# #", "::x", "a\n\u{1}\u{7f}"],
        "e\u{301}": {}, "z": []
    });
    let written = crmauth::json::text(&value);
    assert_eq!(written.replace("\\u007f", "\u{7f}"), value.to_string());
    for (value, expected) in [
        ("##vso[x]", r##"#\u0023vso[x]"##),
        ("###", r"#\u0023\u0023"),
        ("#\n#\u{9b}2J\u{85}", r"#\n#\u009b2J\u0085"),
        ("\u{202e}\u{2028}\u{e0041}", r"\u202e\u2028\udb40\udc41"),
    ] {
        let object = json!({ value: [value] });
        let written = crmauth::json::text(&object);
        assert_eq!(written, format!(r#"{{"{expected}":["{expected}"]}}"#));
        assert_eq!(serde_json::from_str::<Value>(&written).ok(), Some(object));
    }
}
