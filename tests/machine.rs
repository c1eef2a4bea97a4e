//! What a machine lacks or has too much of: threads, files to open, locks, text in its paths, variables of others.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};

use crate::support::machine::{installed, set_mode};
use crate::support::stored::under;
use crate::support::{Machine, Reply, Server, at_once, demo};
use crate::{gluo, zeev};

const NO_THREAD: [&str; 7] = [
    "strace",
    "-f",
    "-o/dev/null",
    "-e",
    "trace=clone,clone3",
    "-e",
    "inject=clone,clone3:error=EAGAIN",
];
/// What std says where it has no words.
const NO_WORDS: [&str; 3] = ["uncategorized", "other error", "os error"];

/// A login of each system works without a thread, over a name that must be resolved; what waits for a pipe says why not.
#[test]
fn without_a_thread_a_login_works_and_the_rest_says_why_not() {
    if !installed("strace") {
        return;
    }
    at_once(demo::ALL, |demo| {
        let server = Server::start(demo.script([Reply::json(200, demo.good())]));
        let machine = demo.machine(&server.url().replace("127.0.0.1", "localhost"));
        let outcome = machine.finish(under(&machine, &NO_THREAD, &["login", demo.id]));
        assert_eq!(outcome.answer().trim_end(), demo.token, "{}", demo.id);
    });
    let refused = Server::start(Vec::new());
    let mut machine = gluo::DEMO.machine(&refused.url());
    let pipe = machine.shell("bash", "mkfifo pipe");
    assert_eq!(pipe.code, 0);
    let busy = "the system cannot do that now, usually because of too many processes or threads";
    for (variable, line, code) in [
        ("", "login gluo --env-file pipe", 2),
        ("GLUO_ACCESS_KEY_FILE", "login gluo", 2),
        ("GLUO_ACCESS_KEY_CMD", "login gluo", 2),
        ("", "login gluo --ca-file pipe", 2),
        ("CRMAUTH_ENV_FILE", "token gluo", 2),
        ("", "sandbox -- true", 126),
    ] {
        if !variable.is_empty() {
            machine.set(variable, "pipe");
        }
        if variable.starts_with("GLUO") {
            machine.unset("GLUO_ACCESS_KEY");
        }
        let words: Vec<&str> = line.split(' ').collect();
        let outcome = machine.finish(under(&machine, &NO_THREAD, &words));
        outcome.fails(code, &[busy]);
        machine.unset(variable);
    }
}

#[test]
fn few_files_to_open_are_named_as_the_reason() {
    let server = Server::start(Vec::new());
    server.rest(Reply::json(200, zeev::DEMO.good()));
    let machine = zeev::DEMO.machine(&server.url().replace("127.0.0.1", "localhost"));
    let mut worked = 0;
    for (limit, line) in (4..=40).flat_map(|limit| {
        [
            "login zeev",
            "exec zeev -- true",
            "token zeev --sandbox",
            "status --check",
        ]
        .map(|line| (limit, line))
    }) {
        let script = format!("ulimit -n {limit}; exec crmauth {line}");
        let outcome = machine.shell("bash", &script);
        let stderr = &outcome.stderr;
        // The loader itself needs a few.
        if outcome.code == 127 && stderr.contains("shared librar") {
            continue;
        }
        worked += u32::from(outcome.code == 0);
        let named = stderr.contains("this process has reached its limit of open files");
        assert_eq!(named, outcome.code != 0, "{script}: {stderr}");
        assert!(
            NO_WORDS.iter().all(|word| !stderr.contains(word)),
            "{stderr}"
        );
    }
    assert!(worked >= 20, "{worked} runs worked");
}

#[test]
fn a_store_where_locks_do_not_work_says_why() {
    if !installed("strace") {
        return;
    }
    for (errno, why) in [
        ("ENOLCK", "files cannot be locked there"),
        ("EOPNOTSUPP", "it cannot be done there"),
        ("ENOSYS", "it cannot be done there"),
        ("EIO", "the device reports an error"),
    ] {
        let server = Server::start(vec![Reply::json(200, zeev::DEMO.good())]);
        let machine = zeev::DEMO.machine(&server.url());
        let inject = format!("inject=flock:error={errno}");
        let program = ["strace", "-o/dev/null", "-e", "trace=flock", "-e", &inject];
        let outcome = machine.finish(under(&machine, &program, &["login", "zeev"]));
        assert_eq!(outcome.code, 0);
        outcome.says(&["the session is not stored: ", "cannot be locked: ", why]);
    }
}

/// A server that lets every login of a demo in, and a machine for it.
fn welcoming() -> (Server, Machine) {
    let server = Server::start(Vec::new());
    server.rest(Reply::json(200, zeev::DEMO.good()));
    let machine = zeev::DEMO.machine(&server.url());
    (server, machine)
}

#[test]
fn paths_are_bytes() {
    let (_server, machine) = welcoming();
    let home = [machine.root().as_os_str().as_bytes(), b"/jos\xe9"].concat();
    let home = OsString::from_vec(home);
    std::fs::create_dir(&home).expect("a folder");
    let file = std::path::Path::new(&home).join("e");
    std::fs::write(&file, "ZEEV__A__USERNAME=ana\nZEEV__A__PASSWORD=b\n").expect("a file");
    set_mode(&file, 0o600);
    let below = |name: &str| {
        let mut path = home.clone();
        path.push(name);
        path
    };
    let path = OsString::from_vec(b"/opt/aplica\xe7\xf5es:/usr/bin:/bin".to_vec());
    for (name, value, line) in [
        ("HOME", home.clone(), "login zeev"),
        ("HOME", home.clone(), "token zeev --store file:~/s"),
        ("XDG_STATE_HOME", home.clone(), "login zeev"),
        ("PATH", path, "exec zeev -- true"),
        ("GITHUB_ENV", below("/env"), "login zeev -f github"),
        ("CRMAUTH_ENV_FILE", below("/e"), "login zeev@a"),
        ("REQUEST_METHOD", home.clone(), "login zeev"),
        ("CI", home.clone(), "login zeev"),
        ("TERM", home.clone(), "login zeev"),
        ("NO_COLOR", home.clone(), "login zeev"),
        ("LANG", home.clone(), "login zeev"),
        ("SSL_CERT_FILE", home.clone(), "login zeev"),
        // Another program's.
        ("BROKER_PASSWORD", home.clone(), "login zeev"),
        ("GLUO__A__URL", home.clone(), "token zeev"),
    ] {
        let words: Vec<&str> = line.split(' ').collect();
        let mut command = machine.command(&words);
        command.env(name, value);
        let outcome = machine.finish(command);
        assert_eq!(
            (outcome.code, outcome.stderr.as_str()),
            (0, ""),
            "{name}, {line}"
        );
    }
    let stored = std::path::Path::new(&home).join(".local/state/crmauth");
    assert!(stored.is_dir() && std::path::Path::new(&home).join("s").is_dir());
    let mut command = machine.command(&["login", "zeev"]);
    command.env("ZEEV_PASSWORD", &home);
    machine.finish(command).fails(
        2,
        &["ZEEV_PASSWORD from the environment is not valid UTF-8"],
    );
}

#[test]
fn settings_of_other_programs_harm_nobody() {
    for lines in [
        "BROKER_URL=amqp://guest:guest@rabbit:5672//",
        "BROKER_URL=redis://redis:6379/0\nBROKER_USERNAME=x\nBROKER_PASSWORD=y",
        "BROKER_URL=mqtt://mosquitto:1883",
        "BROKER_URL=tcp://mosquitto:1883",
        "BROKER_URL=ssl://mosquitto:8883",
        "BROKER_PASSWORD=mq$ecret",
        "BROKER_PASSWORD=\"a b",
        "BROKER_PASSWORD",
        "BROKER_PASSWORD=a\nBROKER_PASSWORD=b",
        "BROKER_PASSWORD=a\u{1}",
        "BROKER_PASSWORD_FILE=/run/secrets/mq",
        "BROKER_PASSWORD_CMD=false",
        "X=\"\nBROKER_PASSWORD=a\n\"",
        "X=1\rBROKER_PASSWORD=a",
        "set BROKER_PASSWORD=a",
        "GLUO__OLD__ACCESS_KEY=a b",
        "GLUO_USER=root\nGLUO_PASS=toor\nZEEV_USER=root\nZEEV_PASS=toor",
    ] {
        let (server, machine) = welcoming();
        let url = server.url();
        let mut machine = { machine };
        let own = format!("ZEEV_URL={url}\nZEEV_USERNAME=ana\nZEEV_PASSWORD=b\n{lines}\n");
        machine.unset("ZEEV_URL ZEEV_USERNAME ZEEV_PASSWORD");
        machine.write(".env", own);
        for line in ["login zeev", "token zeev", "exec zeev -- true"] {
            let outcome = machine.run(line);
            assert_eq!(
                (outcome.code, outcome.stderr.as_str()),
                (0, ""),
                "{lines}, {line}"
            );
        }
        // What names an account, or may be half of a login, is tried or told.
        let all = machine.run("login --all");
        let told = all.stderr.is_empty()
            || all
                .stderr
                .contains("warning: broker: ignored, because BROKER_URL is not set");
        assert!(
            all.code == 0 && told || lines.starts_with("GLUO__OLD"),
            "{lines}: {all}"
        );
        // Whoever asks for it hears what is wrong with it.
        if lines.contains("BROKER") {
            machine.run("login broker").fails(2, &["BROKER_"]);
        }
    }
}

#[test]
fn a_command_keeps_what_is_another_programs() {
    let secrets = [
        ("BROKER_PASSWORD", "a"),
        ("BROKER_PASSWORD_FILE", "b"),
        ("GLUO_ACCESS_KEY", "c"),
    ];
    for (url, target, kept) in [
        (None, "zeev", "ab"),
        (Some("amqp://h"), "zeev", "ab"),
        (Some("https://broker.example"), "zeev", ""),
    ] {
        let (_server, mut machine) = welcoming();
        for (name, value) in secrets {
            machine.set(name, value);
        }
        if let Some(url) = url {
            machine.set("BROKER_URL", url);
        }
        let print =
            "printf '%s' \"$BROKER_PASSWORD$BROKER_PASSWORD_FILE$GLUO_ACCESS_KEY$ZEEV_PASSWORD\"";
        let outcome = machine.run_args(&["exec", target, "--", "sh", "-c", print]);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (0, kept),
            "{url:?}: {outcome}"
        );
    }
}

#[test]
fn the_sandboxs_command_reaches_it_past_a_proxy() {
    for (name, value, line) in [
        ("no_proxy", "", "sandbox"),
        ("no_proxy", "a.example", "sandbox"),
        ("NO_PROXY", "*", "sandbox"),
        ("NO_PROXY", "a.example", "exec zeev --sandbox"),
    ] {
        let mut machine = Machine::new();
        machine
            .set("http_proxy", "http://127.0.0.1:9")
            .set(name, value);
        let print = "echo \"$no_proxy $NO_PROXY\"";
        let mut words: Vec<&str> = line.split(' ').collect();
        words.extend(["--", "sh", "-c", print]);
        let outcome = machine.run_args(&words);
        let printed = outcome.stdout.trim_end();
        assert_eq!(
            printed.matches("127.0.0.1,localhost").count(),
            2,
            "{printed}{outcome}"
        );
        assert!(printed.contains(value), "{printed}");
    }
}

#[test]
fn a_pipe_as_env_file_says_how_it_is_read() {
    let machine = Machine::new();
    assert_eq!(machine.shell("bash", "mkfifo .env").code, 0);
    let outcome = machine.run("login gluo");
    outcome.fails(2, &["./.env (a pipe, which `--env-file .env` reads)"]);
}

/// Values that nobody means are refused, with a cure, before anything is sent: each secret of each system, from each source.
#[test]
fn values_that_cannot_be_meant_are_not_sent() {
    const PLACEHOLDER: [&str; 2] = ["is a placeholder that was never replaced", "check the name"];
    const REFERENCE: [&str; 2] = ["refers to a value kept elsewhere", "_CMD print the value"];
    const QUOTES: [&str; 2] = [
        "begins and ends with quotes",
        "one pair of quotes is enough",
    ];
    const TYPOGRAPHIC: [&str; 2] = [
        "begins and ends with typographic quotes (“ ”)",
        "use straight single quotes",
    ];
    let values = [
        ("$(KEY)", PLACEHOLDER),
        ("${{ secrets.KEY }}", PLACEHOLDER),
        ("${KEY}", PLACEHOLDER),
        ("%KEY%", PLACEHOLDER),
        ("{{ key }}", PLACEHOLDER),
        ("op://vault/item/field", REFERENCE),
        ("ENC[AES256_GCM,data:p673w==,type:str]", REFERENCE),
        ("vault:secret/data/crm#key", REFERENCE),
        ("\"kEy8Rt5Yp3Wn6Vb1\"", QUOTES),
        ("'kEy8Rt5Yp3Wn6Vb1'", QUOTES),
        ("“kEy8Rt5Yp3Wn6Vb1”", TYPOGRAPHIC),
        ("’kEy8Rt5Yp3Wn6Vb1’", TYPOGRAPHIC),
        (
            "kEy8Rt5Yp3Wn6Vb1\n",
            ["ends with a line break", "`printf %s`"],
        ),
        (
            "kEy8Rt5Yp3Wn6Vb1\r\n",
            ["ends with a line break", "`printf %s`"],
        ),
    ];
    at_once(demo::ALL, |demo| {
        let secrets = demo.spec().fields.iter().filter(|field| field.secret());
        for (field, (value, texts)) in secrets.flat_map(|field| values.map(|value| (field, value)))
        {
            let variable = demo.variable(field.name);
            for source in ["", "_FILE", "_CMD"] {
                // Nobody quotes what is in a file.
                if source == "_FILE" && [QUOTES, TYPOGRAPHIC].contains(&texts) {
                    continue;
                }
                let server = Server::start(Vec::new());
                let mut machine = demo.machine(&server.url());
                if variable.contains("PARTNER_PASSWORD") {
                    machine.set("BROKER_PARTNER_USERNAME", "partner");
                }
                if demo.id == "zeev" {
                    machine.unset("ZEEV_PASSWORD");
                    machine.unset("ZEEV_USERNAME");
                    if field.name == "PASSWORD" {
                        machine.set("ZEEV_USERNAME", "ana");
                    }
                }
                if demo.id == "systemsway" {
                    machine.unset("SYSTEMSWAY_PASSWORD SYSTEMSWAY_PASSWORD_SHA256");
                }
                if demo.id == "hellocloud" && field.name == "PASSWORD" {
                    machine.set("HELLOCLOUD_USERNAME", "ana");
                }
                machine.unset(&variable);
                let path = machine.write("value", format!("{value}\n"));
                let given = match source {
                    "" => value.to_owned(),
                    "_FILE" => path.display().to_string(),
                    _ => format!("cat {}", path.display()),
                };
                machine.set(&[&variable, source].concat(), &given);
                let outcome = machine.run(&format!("login {}", demo.id));
                assert!(server.received().is_empty(), "{variable}{source} {value}");
                assert_eq!(outcome.code, 2, "{variable}{source} {value}: {outcome}");
                outcome.says(&texts[..1]).says(&[&variable]);
                if source.is_empty() {
                    outcome.says(&texts);
                }
            }
        }
    });
}
