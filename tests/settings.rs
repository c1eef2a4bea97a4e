//! Settings as the program meets them: where they come from, what is refused, and what arrives on the wire.

mod accounts;
mod pairs;
mod readers;
mod secrets;

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::io::{BufRead, BufReader, Read};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;

use rustix::process::Signal;
use serde_json::{Value, json};

use crate::faults::canary::md5_hex;
use crate::support::canned::{self, CHALLENGE};
use crate::support::machine::{holds, make_pipe, set_mode, signal};
use crate::support::{Machine, Reply, Server, cells, demo, rows, zeev_at};

/// A server that Zeev's login reaches `logins` times.
fn zeev(logins: usize) -> Server {
    Server::start(vec![canned::zeev("tok-4K"); logins])
}

/// A server that nobody may reach.
fn nobody() -> Server {
    zeev(0)
}

/// User name and password of Zeev's logins, as they came.
fn sent(server: &Server) -> Vec<(String, String)> {
    let text = |body: &Value, name: &str| body[name].as_str().expect("a text").to_owned();
    let requests = server.received().into_iter().map(|request| {
        let body: Value = serde_json::from_str(&request.body).expect("JSON");
        (text(&body, "login"), text(&body, "password"))
    });
    requests.collect()
}

/// An env file with a URL, and what `rest` adds.
fn env_file(server: &Server, rest: &str) -> String {
    format!("ZEEV_URL={}\n{rest}", server.url())
}

fn pair(user: &str, password: &str) -> (String, String) {
    (user.to_owned(), password.to_owned())
}

#[test]
fn the_environment_alone_is_enough() {
    let server = zeev(1);
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
    machine.secret("ZEEV_PASSWORD", "pa$s \"w'o\\rd# é");
    assert_eq!(machine.run("login zeev").answer(), "tok-4K\n");
    assert_eq!(sent(&server), [pair("ana", "pa$s \"w'o\\rd# é")]);
}

#[test]
fn env_files_take_turns() {
    let server = zeev(9);
    let mut machine = Machine::new();
    let settings =
        |user: &str| env_file(&server, &format!("ZEEV_USERNAME={user}\nZEEV_PASSWORD=p\n"));
    machine.write(".env", settings("dotenv"));
    machine.write("one", settings("one"));
    machine.write("two", "ZEEV_USERNAME=two\n");
    machine.write("empty", "ZEEV_USERNAME=\nZEEV_URL=''\n");
    for (line, variable, user) in [
        ("login zeev", "", "dotenv"),
        ("login zeev --env-file one", "", "one"),
        ("--env-file one login --env-file two zeev", "", "two"),
        ("login zeev --env-file two --env-file one", "", "one"),
        ("login zeev --env-file one --env-file empty", "", "one"),
        ("login zeev", "one", "one"),
        ("login zeev --env-file one", "two", "one"),
    ] {
        machine.set("CRMAUTH_ENV_FILE", variable);
        machine.run(line).answer();
        let (last, _) = sent(&server).pop().expect("a login");
        assert_eq!(last, user, "{line} {variable}");
    }
    machine.unset("CRMAUTH_ENV_FILE");
    let odd = OsStr::from_bytes(b"od\xff");
    fs::write(machine.work().join(odd), settings("odd")).expect("written");
    set_mode(&machine.work().join(odd), 0o600);
    for verb in ["login zeev --env-file empty", "--env-file=empty login zeev"] {
        let mut command = machine.command(&["--env-file"]);
        command.arg(odd).args(verb.split(' '));
        machine.finish(command).answer();
        assert_eq!(sent(&server).last().expect("a login").0, "odd", "{verb:?}");
    }
    // It replaces ./.env, which would have the rest.
    machine.refuses("login zeev --env-file two | ZEEV_URL | ZEEV_PASSWORD | two");
    machine.refuses("login zeev --env-file missing | missing: there is no such file");
    machine.refuses("login zeev --env-file . | . is a folder");
    let unseen = "login zeev --env-file none\u{1b}[31m.env";
    machine.fails(
        unseen,
        2,
        &["--env-file none [31m.env: there is no such file"],
    );
    machine.set("CRMAUTH_ENV_FILE", "missing");
    machine.refuses("login zeev | missing: there is no such file");
}

#[test]
fn an_env_file_has_room_for_ten_thousand_settings() {
    let machine = zeev_at(&nobody());
    for (settings, refused) in [(10_000, false), (10_001, true)] {
        let setting = |number| format!("ZEEV__A{number}__USERNAME=u\n");
        machine.write("many", (0..settings).map(setting).collect::<String>());
        let outcome = machine.run("status zeev --env-file many");
        outcome.exits(if refused { 2 } else { 3 }, settings);
        let told = outcome.stderr.contains("more than 10000 settings");
        assert_eq!(told, refused, "{settings}: {outcome}");
    }
}

#[test]
fn an_env_file_does_not_set_variables_of_the_program() {
    let server = zeev(1);
    let machine = Machine::new();
    machine.write("other", "ZEEV_USERNAME=other\n");
    let rest = "ZEEV_USERNAME=ana\nZEEV_PASSWORD=p\nCRMAUTH_ENV_FILE=other\nhttp_proxy=http://127.0.0.1:9\n";
    machine.write(".env", env_file(&server, rest));
    let run = machine.run("login zeev");
    run.gives(0, "tok-4K\n", "");
    let warning =
        "CRMAUTH_ENV_FILE (./.env line 4) has no effect: it is read from the environment only";
    assert_eq!(run.stderr, format!("warning: {warning}\n"));
    assert_eq!(sent(&server)[0].0, "ana");
}

#[test]
fn the_environment_wins_and_v_tells_the_sources() {
    let server = zeev(2);
    let mut machine = Machine::new();
    let rest = "ZEEV_USERNAME=from-file\n\nZEEV_PASSWORD=InTheFile5Hs\n";
    machine.write(".env", env_file(&server, rest));
    machine.canary("InTheFile5Hs");
    machine.set("ZEEV_USERNAME", "Env1ronmentUser");
    let outcome = machine.run("login zeev -v");
    outcome.gives(0, "tok-4K\n", "");
    outcome.tells("note: zeev: ZEEV_URL from ./.env line 1\n");
    outcome.tells("note: zeev: ZEEV_USERNAME from the environment\n");
    outcome.tells("note: zeev: ZEEV_PASSWORD from ./.env line 4\n");
    outcome.lacks(&["Env1ronmentUser"]);
    // An empty value is an unset one.
    for empty in ["", " "] {
        machine.set("ZEEV_USERNAME", empty);
        if empty.is_empty() {
            machine.run("login zeev").answer();
        }
    }
    let users: Vec<String> = sent(&server).into_iter().map(|(user, _)| user).collect();
    assert_eq!(users, ["Env1ronmentUser", "from-file"]);
}

#[test]
fn all_that_is_missing_is_named_at_once() {
    let machine = Machine::new();
    for [target, names] in rows(
        "gluo | GLUO_URL, GLUO_USERNAME, GLUO_ACCESS_KEY
        hellocloud | HELLOCLOUD_URL, HELLOCLOUD_CLIENT_ID, HELLOCLOUD_CLIENT_SECRET
        systemsway | SYSTEMSWAY_URL, SYSTEMSWAY_USERNAME, SYSTEMSWAY_PASSWORD or SYSTEMSWAY_PASSWORD_SHA256
        broker | BROKER_URL, BROKER_USERNAME, BROKER_PASSWORD
        zeev | ZEEV_URL, (ZEEV_USERNAME and ZEEV_PASSWORD) or ZEEV_API_TOKEN
        gluo@filial | GLUO__FILIAL__URL, GLUO__FILIAL__USERNAME, GLUO__FILIAL__ACCESS_KEY",
    ) {
        let names: Vec<&str> = names.split(", ").collect();
        let outcome = machine.run(&format!("login {target}"));
        outcome.fails(2, &names).says(&[
            &format!("error: {target}: not set: "),
            "looked in: the environment, ./.env (not found)",
            "hint: `crmauth providers",
        ]);
    }
    machine.write("a.env", "GLUO_URL=h\n");
    machine.write("b.env", "GLUO_USERNAME=u\n");
    let outcome = machine.run("login gluo --env-file a.env --env-file b.env --json");
    outcome.fails(2, &[]);
    outcome.tells("GLUO_ACCESS_KEY is not set; looked in: the environment, b.env, a.env");
    outcome.says(&["\"code\":\"missing_setting\"", "\"target\":\"gluo\""]);
    for [target, set, missing] in rows(
        "zeev | URL USERNAME | not set: ZEEV_PASSWORD or ZEEV_API_TOKEN;
        gluo | USERNAME ACCESS_KEY | GLUO_URL is not set;
        broker | URL USERNAME PASSWORD PARTNER_USERNAME | BROKER_PARTNER_PASSWORD is not set;
        hellocloud | URL CLIENT_ID CLIENT_SECRET USERNAME | HELLOCLOUD_PASSWORD is not set;
        hellocloud | URL CLIENT_ID GRANT | \
        not set: HELLOCLOUD_CLIENT_SECRET, HELLOCLOUD_USERNAME, HELLOCLOUD_PASSWORD;",
    ) {
        let mut machine = Machine::new();
        for name in set.split(' ') {
            let value = if name == "GRANT" { "password" } else { "x" };
            machine.set(&format!("{}_{name}", target.to_uppercase()), value);
        }
        machine.run(&format!("login {target}")).fails(2, &[missing]);
    }
}

#[test]
fn a_named_account_takes_the_url_and_the_partner_and_nothing_else() {
    let server = Server::start(vec![canned::broker("tok-6")]);
    let given = "USERNAME=head-office PASSWORD=HeadOffice4Xc PARTNER_TOKEN=Partner-token-7Jm";
    let mut machine = Machine::of("BROKER", &server.url(), given);
    let names = ["BROKER__FILIAL_2__USERNAME", "BROKER__FILIAL_2__PASSWORD"];
    machine.run("login broker@filial_2").fails(2, &names);
    machine
        .set(names[0], "branch")
        .secret(names[1], "Branch8Password2");
    machine.run("login broker@filial_2").answer();
    let request = &server.received()[0];
    let bearer = request.header("authorization");
    assert_eq!(bearer, Some("Bearer Partner-token-7Jm"));
    let body: Value = serde_json::from_str(&request.body).expect("JSON");
    let own = json!({ "UserName": "branch", "Password": "Branch8Password2" });
    assert_eq!(body, own);
}

#[test]
fn a_secret_may_be_a_file() {
    for (content, password) in [
        (&b"Fi1eSecret9Zr"[..], "Fi1eSecret9Zr"),
        (b"Fi1eSecret9Zr\n", "Fi1eSecret9Zr"),
        (b"Fi1eSecret9Zr\r\n", "Fi1eSecret9Zr"),
        (b" Fi1eSecret9Zr ", " Fi1eSecret9Zr "),
        ("Fi1e$'\"\\é".as_bytes(), "Fi1e$'\"\\é"),
    ] {
        let server = zeev(1);
        let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
        // As Kubernetes mounts a secret.
        fs::create_dir(machine.path("..data")).expect("a folder");
        machine.write("..data/password", content);
        symlink("..data/password", machine.path("password")).expect("a link");
        machine.set("ZEEV_PASSWORD_FILE", "password");
        machine.canary(password).run("login zeev").answer();
        assert_eq!(sent(&server)[0].1, password);
    }
}

#[test]
fn a_file_or_command_that_gives_no_secret_is_named_without_its_text() {
    let server = nobody();
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
    machine.canary("Canary5Output");
    std::fs::create_dir(machine.path("folder")).expect("a folder");
    machine.write("two lines", "Canary5Output\nCanary5Output\n");
    machine.write("empty", "\n");
    machine.write("nul", "Canary5Output\0");
    machine.write("latin", b"Canary5Output\xe9");
    machine.write("large", "Canary5Output".repeat(5042));
    machine.write("two ends", "Canary5Output\n\n");
    machine.write("return", "Canary5Output\r");
    machine.write("blank", " \r\n");
    machine.write("marked", "\u{feff}Canary5Output");
    for [form, value, why] in cells([
        "FILE | missing | names a file that does not exist",
        "FILE | . | names a file that is a folder",
        "FILE | two lines | a second line",
        "FILE | ./missing | names ./missing, which does not exist",
        // Base64 may begin so.
        "FILE | /Canary5Output | names a file that does not exist",
        "FILE | /Canary5Output/x+y== | names a file that does not exist",
        "FILE | /etc/missing | names /etc/missing, which does not exist",
        "FILE | /etc/no-such-folder/missing | names /etc/no-such-folder/missing, which does not exist",
        "FILE | folder/missing | names folder/missing, which does not exist",
        "FILE | empty | is blank",
        "FILE | nul | a control character",
        "FILE | latin | is not valid UTF-8",
        "FILE | large | is larger than 64 KiB",
        "FILE | two ends | ends with a line break",
        "FILE | return | ends with a line break",
        "FILE | blank | is blank",
        "FILE | marked | begins with a byte order mark",
        "CMD | cat; echo x >&2 | printed nothing",
        "CMD | kill -9 $$ | was ended by a signal",
        "CMD | head -c 65536 /dev/zero | a control character",
        "CMD | cat /dev/zero | printed more than 64 KiB and was stopped",
        "CMD | echo Canary5Output; exit 3 | ended with exit status 3",
        "CMD | echo Canary5Output >&2; false | ended with exit status 1",
        "CMD | true | printed nothing",
        "CMD | echo Canary5Output; echo x | a second line",
        "CMD | printf 'Canary5Output\\033' | a control character",
        "CMD | no-such-command Canary5Output | ended with exit status 127: there is no such command",
    ]) {
        let variable = format!("ZEEV_PASSWORD_{form}");
        machine.set(&variable, value);
        let from = format!("{variable} from the environment ");
        machine.fails("login zeev", 2, &["error: zeev: ", &from, why]);
        machine.unset(&variable);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_secret_may_be_what_a_command_prints() {
    let server = zeev(2);
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
    machine.canary("Cmd$Secret'3Gp");
    let command = r#"printf '%s\n' "$MINE"; echo noise >&2"#;
    machine.set("ZEEV_PASSWORD_CMD", command);
    machine.set("MINE", "Cmd$Secret'3Gp");
    machine.run("login zeev").answer();
    machine.write("named", "ZEEV_PASSWORD_CMD='echo \"$MINE\"'\n");
    machine.unset("ZEEV_PASSWORD_CMD");
    machine.run("login zeev --env-file named").answer();
    let ours = pair("ana", "Cmd$Secret'3Gp");
    assert_eq!(sent(&server), [ours.clone(), ours]);
}

#[test]
fn a_command_ends_with_the_run_that_waits_for_it() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = nobody();
        let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
        for pipe in ["alive", "never"] {
            make_pipe(&machine.path(pipe));
        }
        let command = "exec 3>alive; echo go >&3; cat never; echo x";
        machine.set("ZEEV_PASSWORD_CMD", command);
        let child = machine.begin("login zeev");
        let mut alive = BufReader::new(fs::File::open(machine.path("alive")).expect("a writer"));
        alive.read_line(&mut String::new()).expect("a line");
        signal(&child, sent);
        let outcome = machine.end(child);
        outcome.gives(code, "", code);
        // The pipe ends when the last process that holds it has ended.
        alive.read_to_string(&mut String::new()).expect("an end");
        assert_eq!(server.connections(), 0);
    }
}

#[test]
fn what_a_command_leaves_running_is_not_waited_for() {
    for command in [
        "cat pipe & echo Left7Running",
        "echo Left7Running; cat pipe &",
        "(cat pipe; echo late) & sleep 0 & echo Left7Running",
        "sh -c \"cat pipe &\"; echo Left7Running; exit 0",
    ] {
        let server = zeev(1);
        let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
        make_pipe(&machine.path("pipe"));
        machine.set("ZEEV_PASSWORD_CMD", command);
        machine.run("login zeev").answer();
        assert_eq!(sent(&server), [pair("ana", "Left7Running")], "{command}");
        // It reads, so it is there still; now it ends.
        fs::write(machine.path("pipe"), "").expect("a reader");
    }
}

#[test]
fn a_command_that_does_not_end_is_ended() {
    let server = nobody();
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
    make_pipe(&machine.path("pipe"));
    for command in ["cat pipe; echo", "exec tail -f /dev/null"] {
        // In what was left of the time, which is hardly less.
        let late = "ZEEV_PASSWORD_CMD from the environment did not finish within 0.";
        machine
            .set("ZEEV_PASSWORD_CMD", command)
            .run("login zeev --timeout 0.2")
            .fails(2, &[late]);
    }
}

#[test]
fn a_planted_url_gets_no_secret() {
    let server = zeev(3);
    let mut machine = Machine::new();
    machine.write(".env", env_file(&server, "ZEEV_USERNAME=ana\n"));
    machine.write("pass", "Mounted6Secret");
    machine.canary("Mounted6Secret");
    for (variable, value) in [
        ("ZEEV_PASSWORD", "Mounted6Secret"),
        ("ZEEV_PASSWORD_FILE", "pass"),
        ("ZEEV_PASSWORD_CMD", "touch ran; echo Mounted6Secret"),
    ] {
        machine.set(variable, value);
        let from = format!("{variable} from the environment");
        let why = [
            "ZEEV_URL comes from ./.env line 1",
            &from,
            "--env-file .env",
        ];
        machine.fails("login zeev", 2, &why);
        machine.unset(variable);
    }
    assert_eq!(server.connections(), 0);
    assert_eq!(machine.files(), [".env", "pass"]);
    // Naming the file is consent.
    machine.set("ZEEV_PASSWORD", "Mounted6Secret");
    machine.run("login zeev --env-file .env").answer();
    machine.set("CRMAUTH_ENV_FILE", ".env");
    machine.run("login zeev").answer();
    // A secret that is not sent meets no route.
    machine.unset("CRMAUTH_ENV_FILE");
    machine.write(".env", env_file(&server, "ZEEV_API_TOKEN=t\n"));
    machine.run("login zeev").answer();
}

#[test]
fn an_account_of_a_planted_url_gets_no_secret_either() {
    let server = nobody();
    let mut machine = Machine::new();
    machine.write(".env", env_file(&server, ""));
    machine.secret("ZEEV__ROBO__API_TOKEN", "Perm4nentRobo6Token");
    machine.refuses("login zeev@robo | ZEEV_URL comes from ./.env line 1 | ZEEV__ROBO__API_TOKEN");
    machine.write(".env", "ZEEV_ALLOW_HTTP=1\n");
    machine
        .set("ZEEV_URL", "http://example.test")
        .secret("ZEEV_API_TOKEN", "Perm4nentMain6Token");
    machine.refuses("login zeev | ZEEV_ALLOW_HTTP comes from ./.env line 1");
    assert_eq!(server.connections(), 0);
}

#[test]
fn a_planted_file_names_no_commands_and_files() {
    for (line, name) in [
        ("ZEEV_PASSWORD_CMD='touch ran; echo x'", "ZEEV_PASSWORD_CMD"),
        ("ZEEV_PASSWORD_FILE=pass", "ZEEV_PASSWORD_FILE"),
    ] {
        let server = zeev(1);
        let machine = Machine::new();
        machine.write("pass", "x");
        let rest = format!("ZEEV_USERNAME=ana\n{line}\n");
        machine.write(".env", env_file(&server, &rest));
        let why = format!("./.env line 3: {name} is not accepted from a file that was not named");
        let hint = "hint: `--env-file .env` names the file and so allows it";
        machine.fails("login zeev", 2, &[&why, hint]);
        assert_eq!(server.connections(), 0);
        assert_eq!(machine.files(), [".env", "pass"]);
        machine.run("login zeev --env-file .env").answer();
        assert_eq!(sent(&server), [pair("ana", "x")]);
    }
}

#[test]
fn the_seed_scripts_file_still_works() {
    let server = Server::start([canned::gluo("tok-1"), canned::gluo("tok-2")].concat());
    let mut machine = Machine::new();
    let url = server.url();
    machine.write(
        ".env",
        format!("link={url}\nusername=admin\nacceskey=TestKey4Seed\n"),
    );
    machine.canary("TestKey4Seed");
    assert_eq!(machine.run("login gluo").answer(), "tok-1\n");
    assert_eq!(machine.run("login --all").answer(), "gluo\ttok-2\n");
    let status = machine.run("status gluo -v");
    status.tells("note: gluo: username from ./.env line 2");
    let received = server.received();
    let challenge = "/webservice.php?operation=getchallenge&username=admin";
    assert_eq!(received[0].target, challenge);
    let key = md5_hex(&[CHALLENGE, "TestKey4Seed"].concat());
    holds(&received[1].body, &[&format!("accessKey={key}")]);
    // From a file only: `username` is anybody's variable.
    fs::remove_file(machine.path(".env")).expect("no file");
    machine.set("link", &url).set("username", "admin");
    machine.set("acceskey", "TestKey4Seed");
    machine.refuses("login gluo | GLUO_URL | GLUO_USERNAME | GLUO_ACCESS_KEY");
}

#[test]
fn a_value_of_an_env_file_arrives_byte_for_byte() {
    for (written, password) in [
        ("abc", "abc"),
        ("a#b", "a#b"),
        ("a=b==", "a=b=="),
        ("a`b", "a`b"),
        ("  abc  ", "abc"),
        ("'abc' # a comment", "abc"),
        ("'pa$w #x\"\\n`'", "pa$w #x\"\\n`"),
        ("\"it's\"", "it's"),
        ("'a\\nb'", "a\\nb"),
        ("`a`", "`a`"),
        ("' spaces '", " spaces "),
        ("senha-é-ç-€", "senha-é-ç-€"),
        ("'::add-mask::x'", "::add-mask::x"),
        ("abc\r", "abc"),
        ("'a b'\r", "a b"),
    ] {
        let server = zeev(1);
        let mut machine = Machine::new();
        machine.canary(password);
        let rest = format!("ZEEV_USERNAME=ana\nZEEV_PASSWORD={written}\n");
        machine.write(".env", env_file(&server, &rest));
        machine.run("login zeev").answer();
        assert_eq!(sent(&server), [pair("ana", password)], "{written}");
    }
}

#[test]
fn a_value_that_readers_disagree_on_is_refused_without_its_text() {
    let server = nobody();
    let single = "put it between single quotes, on one line: ZEEV_PASSWORD='…'";
    let double = "put it between double quotes, on one line: ZEEV_PASSWORD=\"…\"";
    let neither = "no quoting works for every program that reads the file: set ZEEV_PASSWORD in the environment instead";
    let (unreadable, comment) = ("cannot be read as written", "has a # after the value");
    let unclosed = ": its quote is not closed";
    let typographic = "begins and ends with typographic quotes (“ ”)";
    let straight = "use straight single quotes: ZEEV_PASSWORD='…'";
    for (written, why, hint) in [
        ("C4naryLine$x", unreadable, single),
        ("\"C4naryLine$x\"", unreadable, single),
        ("C4naryLine #x", comment, single),
        ("C4nary Line", unreadable, single),
        ("C4nary\u{a0}Line", unreadable, single),
        ("C4nary\"Line", unreadable, single),
        ("C4nary\\Line", unreadable, single),
        ("\"C4nary\\Line\"", unreadable, single),
        ("\"C4nary\\\"Line\"", unreadable, single),
        ("#C4naryLine", unreadable, single),
        (
            "C4nary # Line",
            comment,
            "put the comment on a line of its own",
        ),
        ("“C4naryLine”", typographic, straight),
        ("“C4nary Line”", typographic, straight),
        ("'C4naryLine", unclosed, single),
        ("\"C4naryLine", unclosed, single),
        ("C4nary'Line", unreadable, double),
        ("'C4nary'Line'", unreadable, double),
        ("'C4nary'#Line", comment, double),
        ("'C4nary'Line", unreadable, double),
        ("'C4nary''Line'", unreadable, double),
        ("don't # C4naryLine", comment, double),
        ("C4nary\tLine", unreadable, single),
        ("\u{a0}C4naryLine", unreadable, single),
        ("\"C4nary\"Line\"", unreadable, single),
        ("\"C4naryLine$x\" # x", unreadable, single),
        ("\"C4nary\"#Line", comment, single),
        ("\"C4nary\" Line # x", comment, single),
        ("C4nary\u{a0}#Line", comment, single),
        ("'C4nary Line # x", unclosed, single),
        ("\"C4nary$Line", unclosed, single),
        ("”C4nary # Line”", typographic, "use straight"),
        ("'C4nary'$Line", unreadable, neither),
        ("${C4naryLine}", unreadable, neither),
        ("C4naryLine\\", unreadable, neither),
        ("don't pay $C4naryLine", unreadable, neither),
        ("'C4nary${Line}'", unreadable, neither),
        ("'C4nary\\\\Line'", unreadable, neither),
        ("'C4naryLine\\'", unreadable, neither),
        ("\"C4nary'\\\"Line\"", unreadable, neither),
    ] {
        let mut machine = Machine::new();
        // Nothing is taken from the environment, also where it would give back what is written.
        machine.set("x", "$x").set("Line", "${Line}");
        let rest = format!("ZEEV_USERNAME=ana\nZEEV_PASSWORD={written}\n");
        machine.write(".env", env_file(&server, &rest));
        let outcome = machine.run("login zeev");
        outcome.fails(2, &["ZEEV_PASSWORD", "./.env line 3", why, hint]);
        outcome.lacks(&["C4nary", "Line"]);
    }
    for [file, line, why] in cells([
        "ZEEV_PASSWORD=C4nary\0Line\n | 1 | ZEEV_PASSWORD contains a control character",
        "ZEEV_PASSWORD='C4nary\x1b[31mLine'\n | 1 | ZEEV_PASSWORD contains a control character",
        "ZEEV_PASSWORD=C4nary\u{ff}Line\n | 1 | ZEEV_PASSWORD is not valid UTF-8",
        "ZEEV_PASSWORD=a\nX=1\nZEEV_PASSWORD=C4nary\n | 3 | ZEEV_PASSWORD is already set in line 1",
        "ZEEV_URL=C4nary\nX=1\nZEEV_URL=\n | 3 | ZEEV_URL is already set in line 1",
        "ZEEV_USERNAME=C4nary\rLine\n | 1 | ZEEV_USERNAME contains a control character",
        "ZEEV_USERNAME=C4nary\r\r\n | 1 | ZEEV_USERNAME contains a control character",
        "ZEEV_PASSWORD\r=C4nary\n | 1 | ZEEV_PASSWORD has no `=` after it",
        "ZEEV_USERNAME=C4nary\u{c2}\u{85}\n | 1 | ZEEV_USERNAME contains a control character",
        "ZEEV_USERNAME=C4nary Line # x\n | 1 | ZEEV_USERNAME cannot be read as written",
        "ZEEV_URL='C4nary'#Line\n | 1 | ZEEV_URL has a # after the value",
        "ZEEV_PASSWORD C4nary\n | 1 | ZEEV_PASSWORD has no `=` after it",
        "export ZEEV_PASSWORD: C4nary\n | 1 | ZEEV_PASSWORD has no `=` after it",
        "NOTE='x\nZEEV_PASSWORD='C4nary'\n | 2 | ZEEV_PASSWORD is inside the quoted value that opens in line 1",
        "NOTE=\"a\\\"\nZEEV_PASSWORD=C4nary\n\"\n | 2 | ZEEV_PASSWORD is inside the quoted value that opens in line 1",
        "NOTE='\nZEEV_PASSWORD=C4nary\n'\n | 2 | ZEEV_PASSWORD is inside the quoted value",
        "X=1\rZEEV_PASSWORD=C4nary\r | 1 | ZEEV_PASSWORD follows a carriage return",
        "X=1\rZEEV_PASSWORD=C4nary\n | 1 | ZEEV_PASSWORD follows a carriage return",
        "\u{ef}\u{bb}\u{bf}X=1\r\nZEEV_PASSWORD=C4nary$x\r\n | 2 | ZEEV_PASSWORD cannot be read as written",
    ]) {
        let machine = Machine::new();
        machine.write(".env", latin(file));
        let why = format!("./.env line {line}: {why}");
        let outcome = machine.fails("login zeev", 2, &[&why]);
        outcome.lacks(&["C4nary", "Line", "[31m"]);
    }
    // The seed script's name is for env files only.
    let machine = Machine::new();
    machine.write(".env", "link=h\nusername=ana\nacceskey='C4nary${Line}'\n");
    let why = [
        "line 3: acceskey cannot be read as written",
        "set GLUO_ACCESS_KEY in the",
    ];
    machine.fails("login gluo", 2, &why);
    assert_eq!(server.connections(), 0);
}

/// A byte for each character.
fn latin(text: &str) -> Vec<u8> {
    text.chars().map(|c| c as u8).collect()
}

#[test]
fn lines_of_other_programs_do_no_harm() {
    for [before, after] in cells([
        "\u{ef}\u{bb}\u{bf} | ",
        "KEY='-----BEGIN KEY-----\nMIIB+x/=\n-----END KEY-----'\n | ",
        "KEY=\"-----BEGIN KEY-----\n$x\\\n-----END KEY-----\"\n | ",
        "NOTE=don't\n | OTHER=isn't\n",
        "NOTE=\"never closed\n | ",
        // Only a value that begins with a quote can go on.
        "NOTE=x'\n# NOTE='x\n#NOTE='x\n | OTHER='\n",
        "NOTE=\"a\\\"b\nx\"\n | ",
        "#\u{ef}\u{bb}\u{bf}\n | ZEEV_USERNAME='ana'\n",
        "NOTE='x\nZEEV_URL is y'\n | ",
        "export NOTE = 'x\r\n' # y\r\n | ",
        "X=a\0b\n | Y=\u{ff}\u{fe}\n",
        "X=$HOME `x` \\\nthis is no setting\n=\n\r\n | export\n",
        "link=http://elsewhere\nusername=somebody\n | ",
        "X=1\nX=2\nexport PATH=/x\n  \t\n# ZEEV_PASSWORD=commented\n | ZEEVX_URL=$\nZEEV_NOTE=$x\n",
        "zeev_note=$lower\n | ZEEV_USERNAME_FILE=$no\n",
    ]) {
        let server = zeev(1);
        let machine = Machine::new();
        let url = server.url();
        let ours = "export\tZEEV_USERNAME = ana\t# don't $x\n  ZEEV_PASSWORD\t=\t'Good5Pass'\n";
        let ours = format!("ZEEV_URL={url}\r\n{ours}");
        machine.write(".env", latin(&[before, &ours, after].concat()));
        machine.run("login zeev").answer();
        assert_eq!(sent(&server), [pair("ana", "Good5Pass")], "{before:?}");
    }
}

#[test]
fn only_this_folders_file_is_read() {
    let machine = Machine::new();
    machine.write(".env", "ZEEV_URL=h\nZEEV_USERNAME=ana\nZEEV_PASSWORD=p\n");
    let folder = machine.path("below");
    fs::create_dir(&folder).expect("a folder");
    let mut command = machine.command(&["login", "zeev"]);
    command.current_dir(folder);
    let run = machine.finish(command);
    run.fails(2, &["ZEEV_URL", "./.env (not found)"]);
}

#[test]
fn what_is_no_regular_file_is_passed_over() {
    for (kind, why) in [
        ("fifo", "./.env (a pipe, which `--env-file .env` reads)"),
        ("folder", "./.env (not a regular file)"),
        ("dangling", "./.env (a dangling link)"),
        ("device", "./.env (not a regular file)"),
    ] {
        let server = zeev(1);
        let mut machine = Machine::new();
        let path = machine.path(".env");
        match kind {
            "fifo" => make_pipe(&path),
            "folder" => fs::create_dir(&path).expect("a folder"),
            "dangling" => symlink("nowhere", &path).expect("a link"),
            _ => symlink("/dev/zero", &path).expect("a link"),
        }
        machine.run("login zeev").fails(2, &[why]);
        machine.set("ZEEV_URL", &server.url());
        machine.secret("ZEEV_API_TOKEN", "Perm4nent2Token");
        let outcome = machine.run("login zeev -v");
        assert_eq!(outcome.stdout, "tok-4K\n", "{kind}: {outcome}");
        outcome.says(&["note: ./.env: ", "ignored"]);
    }
}

/// Whoever waits for a reader of the pipe would write its settings to one that leaves at once.
#[test]
fn a_pipe_that_nobody_named_is_not_opened() {
    let machine = Machine::new();
    let pipe = machine.path(".env");
    make_pipe(&pipe);
    let there = pipe.clone();
    let writer = std::thread::spawn(move || fs::write(there, "ZEEV_URL=h"));
    machine.refuses("login zeev | ./.env (a pipe");
    assert!(!writer.is_finished());
    assert_eq!(fs::read_to_string(pipe).expect("a writer"), "ZEEV_URL=h");
    writer.join().expect("no panic").expect("a reader");
}

#[test]
fn a_pipe_that_was_named_is_read_and_waited_for_no_longer_than_allowed() {
    let server = zeev(1);
    let machine = Machine::new();
    let pipe = machine.path("pipe");
    make_pipe(&pipe);
    let run = machine.run("login zeev --env-file pipe --timeout 0.2");
    run.fails(2, &["pipe produced nothing within 0.2 s"]);
    let content = env_file(&server, "ZEEV_USERNAME=ana\nZEEV_PASSWORD=p\n");
    let writer = std::thread::spawn(move || fs::write(pipe, content));
    machine.run("login zeev --env-file pipe").answer();
    writer.join().expect("no panic").expect("a reader");
}

/// A pipe's other end, once there is a reader.
fn writer_of(pipe: &std::path::Path) -> fs::File {
    let pipe = fs::File::options().write(true).open(pipe);
    pipe.expect("a reader")
}

#[test]
fn a_signal_ends_the_wait_for_a_pipe() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let machine = Machine::new();
        let pipe = machine.path("pipe");
        make_pipe(&pipe);
        let child = machine.begin("login zeev --env-file pipe -o out");
        let writer = writer_of(&pipe);
        signal(&child, sent);
        assert_eq!(machine.end(child).code, code);
        assert_eq!(machine.files(), ["pipe"]);
        drop(writer);
    }
}

#[test]
fn a_secrets_pipe_without_a_writer_stops_neither_signals_nor_other_targets() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = nobody();
        let machine = with_pipe(&server);
        let child = machine.begin("login zeev");
        let writer = writer_of(&machine.path("pipe"));
        signal(&child, sent);
        machine.end(child).fails(code, &["error: interrupted"]);
        drop(writer);
        assert_eq!(server.connections(), 0);
    }
    let other = Server::start(vec![canned::hellocloud("Hc2pipeToken")]);
    let server = zeev(1);
    let mut machine = with_pipe(&server);
    machine.set("HELLOCLOUD_URL", &other.url());
    machine.set("HELLOCLOUD_CLIENT_ID", "c");
    machine.secret("HELLOCLOUD_CLIENT_SECRET", "Hc2pipeSecret");
    let child = machine.begin("login zeev hellocloud");
    other.wait_for(1);
    fs::write(machine.path("pipe"), "Pi9peSecret").expect("a reader");
    let ended = machine.end(child);
    holds(ended.answer(), &["hellocloud\tHc2pipeToken\n"]);
    assert_eq!(sent(&server), [pair("ana", "Pi9peSecret")]);
}

#[test]
fn a_secrets_pipe_is_waited_for_no_longer_than_allowed_and_read_once() {
    let server = zeev(2);
    let mut machine = with_pipe(&server);
    let silent =
        "ZEEV_PASSWORD_FILE from the environment names a file that produced nothing within 0.2 s";
    machine.run("login zeev --timeout 0.2").fails(2, &[silent]);
    machine.set("ZEEV__OUTRA__PASSWORD_FILE", "pipe");
    machine.set("ZEEV__OUTRA__USERNAME", "bia");
    let child = machine.begin("login zeev zeev@outra");
    fs::write(machine.path("pipe"), "Pi9peSecret").expect("a reader");
    assert_eq!(machine.end(child).answer().lines().count(), 2);
    let mut both = sent(&server);
    both.sort();
    assert_eq!(both, ["ana", "bia"].map(|user| pair(user, "Pi9peSecret")));
}

/// A machine whose Zeev password comes from a pipe.
fn with_pipe(server: &Server) -> Machine {
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana");
    make_pipe(&machine.path("pipe"));
    machine
        .set("ZEEV_PASSWORD_FILE", "pipe")
        .canary("Pi9peSecret");
    machine
}

#[test]
fn a_file_that_others_may_read_is_told() {
    for (rest, modes) in [
        (
            "ZEEV_USERNAME=ana\nZEEV_PASSWORD=p\n",
            &[(0o644, true), (0o640, true), (0o604, true), (0o600, false)][..],
        ),
        // Without a secret in it, the file may be anybody's to read.
        ("ZEEV_USERNAME=ana\n", &[(0o644, false)]),
    ] {
        for (mode, told) in modes {
            let server = zeev(2);
            let mut machine = Machine::new();
            let path = machine.write(".env", env_file(&server, rest));
            set_mode(&path, *mode);
            if !rest.contains("PASSWORD") {
                machine.set("ZEEV_PASSWORD", "p");
                machine.set("ZEEV_URL", &server.url());
            }
            let outcome = machine.run("login zeev");
            outcome.gives(0, "tok-4K\n", "");
            let warning =
                "warning: ./.env contains a secret, and others can read it: `chmod 600 ./.env`\n";
            assert_eq!(outcome.stderr, if *told { warning } else { "" }, "{mode:o}");
            machine.run("login zeev -q").answer();
        }
    }
}

#[test]
fn a_url_that_is_no_base_url_is_refused_unseen() {
    let mut machine = Machine::new();
    machine.secret("ZEEV_API_TOKEN", "Perm4nent4Token");
    for [url, why] in cells([
        "https://ana:S3crUrl@S3crUrl.test | contains a user name or a password",
        "https://S3crUrl@h.test | contains a user name or a password",
        "ana:S3crUrl@h.test | contains a user name or a password",
        "https://h.test\\@S3crUrl | contains a backslash",
        "https://h.test/#S3crUrl | contains a fragment (#)",
        "https://h.test/?key=S3crUrl | contains a query (?)",
        "https://h.test/\tS3crUrl | control character",
        "https://h.test/\u{1b}[31mS3crUrl | control character",
        "https://h.test/ S3crUrl | white space",
        "ftp://S3crUrl.test | is neither an http:// nor an https:// URL",
        "file:///S3crUrl | is neither an http:// nor an https:// URL",
        "https:///S3crUrl | names no host",
        "https://:443/S3crUrl | names no host",
        "https://S3crUrl:99999 | is not a valid URL: its port 99999 is not between 1 and 65535",
        "https://ana:S3crUrl | is not a valid URL: its port is not a number between 1 and 65535",
        "https://[S3crUrl] | is not a valid URL: its host is not an IP address",
        "https://S3crUrl,h | is not a valid URL: a host's name cannot contain `,`",
        "https://S3crUrl..h | is not a valid URL: its host has nothing between two dots, or before one",
        "https://https://S3crUrl | contains its scheme twice",
        "http:/S3crUrl | has no :// after its scheme",
        "http//S3crUrl | has no :// after its scheme",
        "https://h/S3crUrl' | has a quote in its host",
        "https://S3crUrl%27/x | has a quote in its host",
        "https://S3crUrl\"/api/2/tokens | has a quote in its host",
        "S3crUrl:0 | its port 0 is not between 1 and 65535",
        "LONG.h | name is too long",
    ]) {
        machine.set("ZEEV_URL", &url.replace("LONG", &"S3crUrl".repeat(10)));
        let outcome = machine.run("login zeev");
        outcome.fails(2, &["error: zeev: ZEEV_URL from the environment ", why]);
        outcome.lacks(&["S3crUrl"]);
    }
    machine.write(".env", "\nZEEV_URL=ftp://h\n");
    machine.unset("ZEEV_URL");
    machine.refuses("login zeev | ZEEV_URL from ./.env line 2 is neither");
}

#[test]
fn a_bare_host_means_https() {
    // What comes is a TLS handshake: it begins with byte 22.
    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut machine = Machine::new();
    let address = listener.local_addr().expect("an address");
    machine.set("ZEEV_URL", &address.to_string());
    machine.secret("ZEEV_API_TOKEN", "Perm4nent4Token");
    let first = std::thread::spawn(move || {
        let (mut client, _) = listener.accept().expect("a client");
        let mut byte = [0];
        client.read_exact(&mut byte).expect("a byte");
        byte[0]
    });
    machine.run("login zeev").fails(5, &["zeev"]);
    assert_eq!(first.join().expect("no panic"), 22);
}

#[test]
fn a_path_prefix_is_kept() {
    for (suffix, target) in [
        ("", "/api/2/tokens"),
        ("/", "/api/2/tokens"),
        ("/crm", "/crm/api/2/tokens"),
        ("/crm/v%20x//", "/crm/v%20x/api/2/tokens"),
        ("/crm/api/2/tokens", "/crm/api/2/tokens"),
    ] {
        let server = zeev(1);
        let mut machine = Machine::new();
        machine.set("ZEEV_URL", &format!("{}{suffix}", server.url()));
        machine.secret("ZEEV_API_TOKEN", "Perm4nent4Token");
        machine.run("login zeev").answer();
        let request = &server.received()[0];
        let sent = (request.method.as_str(), request.target.as_str());
        assert_eq!(sent, ("GET", target));
        assert_eq!(request.header("host"), Some(&*server.host()));
    }
}

#[test]
fn a_url_may_be_written_in_many_ways() {
    let table = "\
        empresa.gluocrm.com.br https://empresa.gluocrm.com.br
        http://10.0.0.7:5000/ http://10.0.0.7:5000
        localhost:5000 https://localhost:5000
        https://h/crm/ https://h/crm
        HTTPS://H/crm/webservice.php https://h/crm
        https://h/webservice.php/ https://h
        https://h/xwebservice.php https://h/xwebservice.php
        https://h/a%20b https://h/a%20b
        https://[::1]:8443/x https://[::1]:8443/x
        https://a_b.example.:1/x https://a_b.example.:1/x
        https://b\u{fc}ro.example https://xn--bro-hoa.example";
    for line in table.lines().map(str::trim) {
        let (written, url) = line.split_once(' ').expect(line);
        let mut machine = Machine::new();
        machine.set("GLUO_URL", written).set("GLUO_USERNAME", "ana");
        machine.secret("GLUO_ACCESS_KEY", "Ways5OfWriting");
        let run = machine.run("status gluo --json");
        let rows: Value = serde_json::from_str(&run.stdout).expect("JSON");
        assert_eq!(rows[0]["url"], url, "{}", run.stderr);
    }
}

/// What is wrong with the settings of a login that has this value for a variable.
fn wrong(variable: &str, value: &str) -> String {
    let (prefix, field) = variable.split_once('_').expect("a field");
    let fields: &[&str] = match (prefix, field) {
        (_, "API_TOKEN") => &["URL"],
        ("GLUO", _) => &["URL", "USERNAME", "ACCESS_KEY"],
        ("HELLOCLOUD", _) => &["URL", "CLIENT_ID", "CLIENT_SECRET"],
        _ => &["URL", "USERNAME", "PASSWORD"],
    };
    let mut machine = Machine::new();
    for field in fields {
        machine.set(&format!("{prefix}_{field}"), "h");
    }
    let line = format!("status {} --json", prefix.to_lowercase());
    let run = machine.set(variable, value).run(&line);
    let rows: Value = serde_json::from_str(&run.stdout).expect("JSON");
    let message = rows[0]["error"]["message"].as_str().unwrap_or_default();
    message.to_owned()
}

#[test]
fn values_are_checked_by_their_kind() {
    let path = "HELLOCLOUD_TOKEN_PATH";
    for (variable, value, why) in [
        ("GLUO_URL", "h", ""),
        ("GLUO_URL", "http://10.0.0.7:5/x/", ""),
        ("GLUO_USERNAME", " a b ", ""),
        ("ZEEV_PASSWORD", " pa$w'\"\\ ", ""),
        ("ZEEV_API_TOKEN", "abc", ""),
        ("SYSTEMSWAY_HASH_CASE", "lower", ""),
        ("SYSTEMSWAY_HASH_CASE", " UPPER ", ""),
        ("GLUO_ALLOW_HTTP", "1", ""),
        ("GLUO_ALLOW_HTTP", "Off", ""),
        (path, "/a/b", ""),
        (path, "a/b?c=d", ""),
        ("GLUO_URL", "ftp://h", "is neither an http://"),
        ("GLUO_USERNAME", "a\u{1b}b", "contains a control character"),
        ("GLUO_ACCESS_KEY", "a b", "contains white space"),
        ("ZEEV_PASSWORD", "a\n", "ends with a line break"),
        ("ZEEV_API_TOKEN", "a b", "is not a token: it must be 1"),
        ("SYSTEMSWAY_HASH_CASE", "up", "is not one of upper, lower"),
        ("GLUO_ALLOW_HTTP", "2", "is not one of 1, true, yes, on, 0"),
        (path, "https://h/x", "is a whole URL"),
        (path, "//h/x", "begins with //"),
        (path, "/a\\b", "contains a backslash"),
        (path, "/a#b", "contains a fragment (#)"),
        (path, "/a b", "contains white space"),
        (
            "HELLOCLOUD_TOKEN_PATH",
            "/a/../%2e%2E/b",
            "leads out of the",
        ),
    ] {
        let told = wrong(variable, value);
        let begins = format!("{variable} from the environment {why}");
        let expected = if why.is_empty() { "" } else { &*begins };
        assert!(told.starts_with(expected), "{value}: {told}");
        assert_eq!(told.is_empty(), why.is_empty(), "{value}: {told}");
    }
}

#[test]
fn what_nobody_means_is_a_whole_value() {
    let placeholders = "$(KEY)| $(KEY) |$(cat key.txt)|${KEY}|${KEY:-x}|${{ secrets.KEY }}|${{secrets.KEY}}|{{ key }}|\
        {{resolve:secretsmanager:a}}|#{Key}|<%= key %>|%KEY%|%key_1%|$GLUO_KEY";
    let references = "op://vault/item/field|vault:secret/data/a#b|vault:v1:8SDd3WHDOjf7mq==|ref+vault://a#/b|\
        ENC[AES256_GCM,data:p673w==,type:str]|ENC(abc=)|arn:aws:secretsmanager:eu-west-1:1:secret:a|!vault >|\
        $ANSIBLE_VAULT;1.1;AES256|@Microsoft.KeyVault(SecretUri=https://v/a)";
    let real = "a$(b)|$(a)b|$(a)$(b)|${a|$a}|%|%%|%a b%|%1%|50%off%|a%b%|{{|{{}}|$()|${1}|$ECRET|$a_b|pa$$_WORD|op:/|\
        op://|vault|vault:|ENC[a|xENC[a]|<a>|{a}|(a)|[a]|`a`|#a#";
    for (why, texts) in [
        ("is a placeholder that was never replaced", placeholders),
        ("refers to a value kept elsewhere", references),
        ("ends with a line break", "a\n|a\r\n|a\r|$(KEY)\n"),
        ("", real),
    ] {
        for text in texts.split('|') {
            let told = wrong("ZEEV_PASSWORD", text);
            assert!(told.contains(why), "{text:?}: {told}");
            assert_eq!(told.is_empty(), why.is_empty(), "{text:?}: {told}");
        }
    }
}

#[test]
fn two_ways_in_one_source_are_refused() {
    let server = Server::start(["SESSION1", "SESSION2"].map(canned::systemsway).into());
    let hash = "46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5";
    let given = "USERNAME=admin PASSWORD=0ther4Password";
    let mut machine = Machine::of("SYSTEMSWAY", &server.url(), given);
    machine.secret("SYSTEMSWAY_PASSWORD_SHA256", hash);
    let both = "SYSTEMSWAY_PASSWORD and SYSTEMSWAY_PASSWORD_SHA256";
    machine.fails("login systemsway", 2, &[both, "hint: keep"]);
    machine.unset("SYSTEMSWAY_PASSWORD_SHA256");
    machine.set("SYSTEMSWAY_PASSWORD_CMD", "echo x");
    machine.refuses("login systemsway | both SYSTEMSWAY_PASSWORD | SYSTEMSWAY_PASSWORD_CMD");
    // In two sources the higher one counts.
    machine.unset("SYSTEMSWAY_PASSWORD_CMD SYSTEMSWAY_PASSWORD");
    machine.write("low", "SYSTEMSWAY_PASSWORD=0ther4Password\n");
    machine.write("high", format!("SYSTEMSWAY_PASSWORD_SHA256={hash}\n"));
    let line = "login systemsway --env-file low";
    machine.run(&format!("{line} --env-file high")).answer();
    machine.set("SYSTEMSWAY_PASSWORD_SHA256", hash);
    machine.run(&format!("{line} --no-store")).answer();
    for request in server.received() {
        assert!(request.body.contains(hash), "{}", request.body);
    }
    for (first, second) in [
        ("ZEEV_PASSWORD", "ZEEV_API_TOKEN"),
        ("BROKER_PARTNER_PASSWORD", "BROKER_PARTNER_TOKEN"),
    ] {
        let mut machine = Machine::new();
        for prefix in ["ZEEV", "BROKER"] {
            machine.set(&format!("{prefix}_URL"), &server.url());
            machine.set(&format!("{prefix}_USERNAME"), "u");
        }
        machine.set("BROKER_PARTNER_USERNAME", "u");
        machine.secret("BROKER_PASSWORD", "Br0kerPassword6");
        machine.secret(first, "F1rstSecret7Lk");
        machine.secret(second, "S3condSecret7Lk");
        let target = first.split('_').next().expect("a prefix").to_lowercase();
        let run = machine.run(&format!("login {target}"));
        run.fails(2, &[first, second, "hint: keep either"]);
    }
}

#[test]
fn the_way_from_the_higher_source_is_used() {
    let (token, user, password) = ("ZEEV_API_TOKEN", "ZEEV_USERNAME", "ZEEV_PASSWORD");
    for (set, files, method) in [
        (&[token][..], &["user"][..], "GET"),
        (&[], &["user", "token"], "GET"),
        (&[], &["token", "user"], "POST"),
        (&[password], &["user", "token"], "POST"),
        // An incomplete way is none.
        (&[token, user], &[], "GET"),
    ] {
        let server = zeev(1);
        let mut machine = Machine::new();
        machine.write("user", "ZEEV_USERNAME=ana\nZEEV_PASSWORD=p\n");
        machine.write("token", "ZEEV_API_TOKEN=t\n");
        machine.set("ZEEV_URL", &server.url());
        for name in set {
            machine.set(name, "x");
        }
        let files = files.iter().map(|file| format!(" --env-file {file}"));
        let files: String = files.collect();
        machine.run(&format!("login zeev{files}")).answer();
        assert_eq!(server.received()[0].method, method, "{set:?}{files}");
    }
}

#[test]
fn what_another_grant_needs_is_left_out() {
    let server = Server::start(vec![canned::hellocloud("Hc2Token")]);
    let given = "CLIENT_ID=c GRANT=CLIENT_CREDENTIALS CLIENT_SECRET=Hc2ClientSecret USERNAME=ana";
    let mut machine = Machine::of("HELLOCLOUD", &server.url(), given);
    machine.set("HELLOCLOUD_PASSWORD_CMD", "touch ran; exit 3");
    machine.run("login hellocloud").answer();
    assert!(server.received()[0].body.contains("client_credentials") && machine.files().is_empty());
}

#[test]
fn words_that_are_none_of_the_known_ones_are_listed() {
    let server = nobody();
    for [target, variable, words] in cells([
        "hellocloud | HELLOCLOUD_GRANT | client_credentials, password",
        "hellocloud | HELLOCLOUD_BODY | json, form",
        "systemsway | SYSTEMSWAY_HASH_CASE | upper, lower",
        "zeev | ZEEV_ALLOW_HTTP | 1, true, yes, on, 0, false, no, off",
    ]) {
        let given = "USERNAME=u CLIENT_ID=c PASSWORD=S3cret5Words CLIENT_SECRET=S3cret5Words";
        let mut machine = Machine::of(&target.to_uppercase(), &server.url(), given);
        machine.set(variable, "0dd-w0rd");
        let outcome = machine.run(&format!("login {target}"));
        let why = format!("{variable} from the environment is not one of {words}");
        outcome.fails(2, &[&why]).lacks(&["0dd-w0rd"]);
    }
    assert_eq!(server.connections(), 0);
}

#[test]
fn all_means_what_is_configured() {
    let server = zeev(5);
    let mut machine = Machine::new();
    machine.refuses("login --all | no target is configured | hint: ");
    machine.set("ZEEV_URL", "");
    machine.refuses("login --all | no target is configured");
    machine.canary("Perm4nent1Token");
    let three = "ZEEV_API_TOKEN=x\nZEEV__B__API_TOKEN=x\nZEEV__A_1__API_TOKEN=x\nZEEV__B__NOTE=x\n";
    for (rest, targets) in [
        ("ZEEV_API_TOKEN=Perm4nent1Token\n", "zeev"),
        (three, "zeev zeev@a_1 zeev@b"),
        // A URL alone is a base for named accounts, and no target of its own beside them.
        ("ZEEV__B__API_TOKEN=x\n", "zeev@b"),
    ] {
        machine.write(".env", env_file(&server, rest));
        let lines = targets
            .split(' ')
            .map(|target| format!("{target}\ttok-4K\n"));
        machine.prints("login --all", lines.collect::<String>());
    }
    machine.write(".env", "GLUO_URL=h\n");
    machine.refuses("login --all | error: gluo: not set: GLUO_USERNAME, GLUO_ACCESS_KEY");
}

#[test]
fn the_block_to_fill_in_is_the_accounts_own() {
    let machine = Machine::new();
    machine.refuses("login gluo@filial | `crmauth providers gluo@filial --env` prints the block");
}

#[test]
fn an_env_file_in_utf_16_is_refused_as_such() {
    let machine = Machine::new();
    let text = "\u{feff}ZEEV_URL=h\n";
    for bytes in [u16::to_le_bytes, u16::to_be_bytes] {
        let marked: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
        for (name, options) in [(".env", ""), ("named", " --env-file named")] {
            machine.write(".env", "");
            machine.write(name, &marked);
            let run = machine.run(&format!("login zeev{options}"));
            run.fails(2, &[&format!("{name} is UTF-16"), "hint: save it as UTF-8"]);
        }
    }
}

#[test]
fn a_name_that_is_nearly_a_settings_is_told_where_one_is_missing() {
    let mut machine = Machine::new();
    machine.write(".env", "GLUO_URL=h\nGLUO_USER=ana\nGLUO_ACCESS_KEY=x\n");
    let run = machine.run("login gluo");
    run.fails(2, &[]);
    run.tells("GLUO_USERNAME is not set");
    run.tells("hint: GLUO_USER (./.env line 2) is not a setting; did you mean GLUO_USERNAME?");
    machine.write(
        ".env",
        "GLUO_URL=h\nGLUO_USERNAME=ana\nGLUO__FILIAL__USERNAM=bia\nGLUO_TOKEN=t\n",
    );
    machine.refuses("login gluo | GLUO_ACCESS_KEY is not set | hint: GLUO_ACCESS_KEY: the user's");
    machine.set("GLUO_ACESS_KEY", "x");
    let run = machine.run("login gluo");
    run.fails(2, &[]);
    run.tells(
        "hint: GLUO_ACESS_KEY (the environment) is not a setting; did you mean GLUO_ACCESS_KEY?",
    );
    let run = machine.run("login gluo@filial");
    run.fails(2, &[]);
    run.tells("GLUO__FILIAL__USERNAM (./.env line 3) is not a setting; did you mean GLUO__FILIAL__USERNAME?");
    machine.write(".env", "");
    machine.refuses("login zeev | `crmauth providers zeev --env`");
    // An account's own, with an underscore too few, and what it takes from the default account.
    machine.write(
        ".env",
        "GLUO_FILIAL_USERNAME=bia\nGLUO_ULR=h\nGLUO__FILIAL__ACCESS_KEY=x\n",
    );
    for [set, missing, wrong, meant] in cells([
        "GLUO__FILIAL__URL | GLUO__FILIAL__USERNAME | GLUO_FILIAL_USERNAME (./.env line 1) | GLUO__FILIAL__USERNAME",
        "GLUO__FILIAL__USERNAME | GLUO__FILIAL__URL | GLUO_ULR (./.env line 2) | GLUO_URL",
    ]) {
        machine.set(set, "h");
        let hint = format!("hint: {wrong} is not a setting; did you mean {meant}?");
        let run = machine.run("login gluo@filial");
        run.fails(2, &[&format!("{missing} is not set"), &hint]);
        machine.unset(set);
    }
}

#[test]
fn what_is_nearly_a_setting_was_meant_to_be_it() {
    // What was typed, the target, and what was meant: nothing in others' variables and those that the formats make.
    let table = "\
        GLUO_USERNAM|GLUO_USER|GLUO_EMAIL|gluo_username gluo GLUO_USERNAME
        GLUO_BASE_URL|GLUO_ENDERECO|GLUO-URL|VTIGER_URL|Gluo_Url|GLUO_ULR|GLUO__URL gluo GLUO_URL
        GLUO_API_KEY|GLUO_SENHA|gluo.access_key|vtiger_accesskey gluo GLUO_ACCESS_KEY
        GLUO_PASSWORD_FILE|GLUO_ACESS_KEY_FIEL gluo GLUO_ACCESS_KEY_FILE
        GLUO_CHAVE_CMD gluo GLUO_ACCESS_KEY_CMD
        SUITECRM_CLIENT_ID hellocloud HELLOCLOUD_CLIENT_ID
        HELLOCLOUD_SEGREDO hellocloud HELLOCLOUD_CLIENT_SECRET
        ZEEV_PWD|ZEEV_PASS zeev ZEEV_PASSWORD
        ZEEV_CHAVE zeev ZEEV_API_TOKEN
        GLUO_CERT|GLUO__A__USERNAM|GLUO_COLOR|GLUO_TOKEN|GLUO_TOKEN_EXPIRES_AT|GLUO_UID|GLUO_URL_OLD gluo
        GLUO_|GLUO__|GLUO_ACCESS_KEYab|GLUOX_URL|GLUOURL|XGLUO_URL gluo
        GLUO__FILIAL__USRNAME|GLUO__FILIAL_USERNAME|GLUO_FILIAL__USERNAME gluo@filial GLUO__FILIAL__USERNAME
        GLUO_FILIAL_USERNAME gluo@filial GLUO__FILIAL__USERNAME
        gluo__filial__url gluo@filial GLUO__FILIAL__URL
        GLUO_ULR gluo@filial GLUO_URL
        HELLOCLOUD_CLIENT_IDD hellocloud@filial HELLOCLOUD_CLIENT_ID
        GLUO_USERNAM|GLUO__FILIAL__TOKEN gluo@filial
        GLUO_ULR zeev
        GLUO__A__USERNAM gluo@b
        GLUO__DA__USERNAM gluo@d
        BROKER_TOKEN broker
        HELLOCLOUD_TOKEN hellocloud
        SYSTEMSWAY_TOKEN systemsway";
    for line in table.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        for typed in words[0].split('|') {
            let mut machine = Machine::new();
            let run = machine.set(typed, "x").run(&format!("login {}", words[1]));
            let meant = words.get(2).map(|meant| {
                format!("hint: {typed} (the environment) is not a setting; did you mean {meant}?")
            });
            let told = run.stderr.contains("did you mean");
            assert_eq!(told, meant.is_some(), "{typed}: {}", run.stderr);
            run.fails(2, &[&meant.unwrap_or_default()]);
        }
    }
}

#[test]
fn a_name_that_is_nearly_a_settings_is_warned_about() {
    let server = Server::start(vec![canned::zeev("tok-9"); 3]);
    let url = server.url();
    let mut machine = Machine::new();
    machine.write(
        ".env",
        format!(
            "ZEEV_URL={url}\nZEEV_USERNAME=ana\nZEEV_PASSWORD=x\nZEEV_ALOW_HTTP=1\nZEEV_COLOR=1\n\
             ZEEV_TOKEN=t\nZEEV__FILIAL__PASWORD=y\nGLUO_ULR=h\nCRMAUTH_STORE=none\nZEEV__ROBO__API_TOKEN=t\n"
        ),
    );
    machine
        .set("zeev_username", "bia")
        .set("ZEEV_TIMEOUT", "5")
        .set("CRMAUTH_STOER", "none");
    let warnings = [
        "warning: CRMAUTH_STOER (the environment) is not a setting; did you mean CRMAUTH_STORE?",
        "warning: CRMAUTH_STORE (./.env line 9) has no effect: it is read from the environment only",
        "warning: zeev: ZEEV_TIMEOUT (the environment) is not a setting; did you mean --timeout?",
        "warning: zeev: ZEEV_ALOW_HTTP (./.env line 4) is not a setting; did you mean ZEEV_ALLOW_HTTP?",
    ];
    // An account's ALLOW_HTTP is its own.
    for (line, count) in [
        ("login zeev", 4),
        ("token zeev", 4),
        ("status zeev", 4),
        ("login zeev@robo", 3),
    ] {
        let run = machine.run(line);
        assert_eq!(run.code, 0, "{line}: {run}");
        let (_, target) = line.split_once(' ').expect("a target");
        let warnings = warnings.map(|text| text.replace(" zeev: ", &format!(" {target}: ")));
        let told: Vec<&str> = run.stderr.lines().collect();
        assert_eq!(told, warnings[..count], "{line}");
    }
    assert_eq!(machine.run("login zeev -q").stderr, "");
    machine.refuses("token zeev@filial | ZEEV__FILIAL__PASWORD (./.env line 7) is not a setting");
}

#[test]
fn what_is_nearly_one_of_crmauths_own_was_meant_to_be_it() {
    for (name, meant) in [
        ("crmauth_lang", "CRMAUTH_LANG"),
        ("CRMAUTH_ENVFILE", "CRMAUTH_ENV_FILE"),
        ("CRMAUTH_TIMEOUT", "--timeout"),
        ("CRMAUTH_COLOR", ""),
        ("CRMAUTH_LONG_NAME", ""),
        ("CRMAUTH_", ""),
        ("CRMAUTH", ""),
    ] {
        let run = Machine::new().set(name, "x").run("login gluo");
        let warning = format!("{name} (the environment) is not a setting; did you mean {meant}?");
        let told = run.stderr.contains("is not a setting");
        assert_eq!(told, !meant.is_empty(), "{name}: {}", run.stderr);
        assert!(!told || run.stderr.contains(&warning), "{}", run.stderr);
    }
}

#[test]
fn every_variable_of_crmauths_own_is_told_from_a_mistyped_one() {
    let mut sources = String::new();
    let mut folders = vec![std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("a folder") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                folders.push(path);
            } else if !path.ends_with("suggest.rs") {
                sources.push_str(&std::fs::read_to_string(path).unwrap_or_default());
            }
        }
    }
    let is_letter = |byte: u8| byte.is_ascii_uppercase() || byte == b'_';
    let is_name = |text: &&str| {
        let rest = text.strip_prefix("CRMAUTH_");
        rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_letter))
    };
    // The build puts its own into the program, and `proxy` one into its command's environment.
    let built = ["CRMAUTH_COMMIT", "CRMAUTH_BUILD_TARGET", "CRMAUTH_GATEWAY"];
    let names = sources.split('"').filter(is_name);
    let names: BTreeSet<&str> = names.filter(|name| !built.contains(name)).collect();
    assert!(names.contains("CRMAUTH_STORE"), "{names:?}");
    let machine = Machine::new();
    for name in names {
        machine.write(".env", format!("{name}=x\n"));
        let run = machine.run("login gluo");
        run.says(&[&format!("{name} (./.env line 1) has no effect")]);
    }
}

#[test]
fn a_value_whose_equals_sign_was_forgotten_is_no_name() {
    let machine = Machine::new();
    for line in [
        "GLUO_ACCESS_KEY}'s3cr3tW0rd=",
        "GLUO_ACCESS_KEYs3cr3tW0rd=",
        "GLUO_ACCESS_KEYS3CR3TW0RD=",
    ] {
        machine.write(".env", format!("GLUO_URL=h\nGLUO_USERNAME=ana\n{line}\n"));
        let why = [
            "GLUO_ACCESS_KEY is not set",
            "hint: GLUO_ACCESS_KEY: the user's",
        ];
        let run = machine.fails("login gluo -vv", 2, &why);
        assert!(!run.stderr.to_lowercase().contains("s3cr3t"), "{run}");
    }
}

#[test]
fn a_mistyped_account_gets_the_nearest_one() {
    let mut machine = Machine::new();
    machine.set("GLUO_URL", "http://127.0.0.1:1");
    machine.set("GLUO__FILIAL__USERNAME", "api");
    for [typed, hint] in cells([
        "gluo@filal | hint: gluo@filal has no settings; did you mean `gluo@filial`?",
        "gluo@matriz | hint: `crmauth providers gluo@matriz --env` prints the block",
        "gluo@filial | hint: GLUO__FILIAL__ACCESS_KEY: ",
    ]) {
        machine.run(&format!("token {typed}")).fails(2, &[hint]);
    }
}

#[test]
fn a_session_may_be_added_to_the_file_that_it_came_from() {
    for demo in demo::ALL {
        let server = Server::start(demo.script([Reply::json(200, demo.good())]));
        let machine = Machine::new();
        let mut lines = format!("{}='{}'\n", demo.variable("URL"), server.url());
        for (name, value) in demo.settings.iter().chain([&demo.secret]) {
            lines.push_str(&format!("{name}='{value}'\n"));
        }
        machine.write(".env", &lines);
        let added = machine.run(&format!("token {} -f env", demo.id));
        machine.write(".env", lines + added.answer());
        let again = machine.run(&format!("token {}", demo.id));
        assert_eq!(again.answer().trim_end(), demo.token, "{again}");
    }
}

/// Names of the seed script's, nearly: the next name is the one that its style has, until a variable is there.
#[test]
fn a_name_beside_the_seed_scripts_leads_to_its_own() {
    let key = "GLUO_ACCESS_KEY";
    let rows = [
        ("link username accesskey", "accesskey", "acceskey"),
        ("link username ACCESSKEY", "ACCESSKEY", "acceskey"),
        ("link username senha", "senha", "acceskey"),
        ("link username key", "key", "acceskey"),
        ("link usuario acceskey", "usuario", "username"),
        ("link user acceskey", "user", "username"),
        ("link email senha", "email", "username"),
        ("url username acceskey", "url", "link"),
        ("LINK USERNAME ACCESKEY", "LINK", "link"),
        ("link USERNAME acceskey", "USERNAME", "username"),
        ("link username GLUO_ACCESS_KEY", "link", "GLUO_URL"),
        ("GLUO_URL GLUO_USERNAME accesskey", "accesskey", key),
        ("GLUO_URL GLUO_USERNAME acesskey", "acesskey", key),
        ("GLUO_URL username acceskey", "", ""),
        ("link username acceskey", "", ""),
        // Without the unmistakable names they are another program's.
        ("USERNAME SENHA HOST", "", ""),
        ("url user senha", "", ""),
    ];
    for (names, typed, meant) in rows {
        let machine = Machine::new();
        let lines = names.split(' ').map(|name| format!("{name}=h\n"));
        machine.write(".env", lines.collect::<String>());
        let stderr = machine.run("login gluo").stderr;
        let seeds = ["link", "username", "acceskey"];
        let beside = match seeds.contains(&meant) {
            true => {
                let others: Vec<_> = seeds.into_iter().filter(|name| *name != meant).collect();
                format!(" It goes with {}", others.join(" and "))
            }
            false => String::new(),
        };
        if typed.is_empty() {
            assert!(!stderr.contains("did you mean"), "{names}: {stderr}");
        } else {
            let hint = format!(" is not a setting; did you mean {meant}?{beside}");
            holds(&stderr, &[&hint, &format!("hint: {typed} (./.env")]);
        }
    }
}

/// What is there without a value is to be filled in, not added.
#[test]
fn empty_lines_are_named_where_all_that_is_missing_has_one() {
    for [target, file, hint] in cells([
        "gluo | #\nGLUO_URL=\n\nGLUO_USERNAME=\nGLUO_ACCESS_KEY=''\n | lines 2, 4 and 5",
        "gluo | GLUO_ACCESS_KEY=\nGLUO_URL=h\nGLUO_USERNAME=\n | lines 1 and 3",
        "gluo | acceskey=\nusername=\nlink=\n | lines 1, 2 and 3",
        "gluo@filial | GLUO_URL=h\nGLUO__FILIAL__USERNAME=\nGLUO__FILIAL__ACCESS_KEY=\n | lines 2 and 3",
        "systemsway | SYSTEMSWAY_URL=h\nSYSTEMSWAY_USERNAME=a\nSYSTEMSWAY_PASSWORD=\n | line 3",
        "zeev | ZEEV_URL=\nZEEV_API_TOKEN=\n | lines 1 and 2",
        "zeev | ZEEV_URL=\nZEEV_USERNAME=\nZEEV_PASSWORD=\nZEEV_API_TOKEN=\n | lines 1, 2 and 3",
        "zeev | ZEEV_URL=\n | ",
        "zeev | ZEEV_URL=\nZEEV_USERNAME=\n | ",
        "zeev | X=1\n | ",
    ]) {
        let hint = match hint {
            "" => "providers zeev --env` prints the block".to_owned(),
            lines => format!("hint: fill in {lines} of ./.env –"),
        };
        let machine = Machine::new();
        machine.write(".env", file);
        let line = format!("login {target} --no-input");
        machine.fails(&line, 2, &["not set: ", &hint]);
    }
}

#[test]
fn a_setting_without_a_value_is_called_empty_where_it_stands() {
    for [target, file, why] in cells([
        "gluo | GLUO_URL=h\nGLUO_USERNAME=ana\nGLUO_ACCESS_KEY=\n | \
        error: gluo: GLUO_ACCESS_KEY is empty in ./.env line 3\n",
        "gluo | link=h\nusername=\nacceskey=k\n | error: gluo: GLUO_USERNAME is empty in ./.env line 2\n",
        "gluo | GLUO_URL=h\nGLUO_USERNAME=\nGLUO_ACCESS_KEY=''\n | \
        not set: GLUO_USERNAME (empty in ./.env line 2), GLUO_ACCESS_KEY (empty in ./.env line 3);",
        "zeev | ZEEV_URL=h\nZEEV_USERNAME=\nZEEV_PASSWORD=x\n | \
        ZEEV_USERNAME (empty in ./.env line 2) or ZEEV_API_TOKEN",
        "gluo@filial | GLUO_URL=h\nGLUO__FILIAL__USERNAME=a\nGLUO__FILIAL__ACCESS_KEY=\"\"\n | \
        GLUO__FILIAL__ACCESS_KEY is empty in ./.env line 3\n",
        // What is only a synonym has the right name beside it.
        "gluo | GLUO_URL=h\nGLUO_USERNAME=a\nGLUO_PASSWORD=k\n | \
        GLUO_PASSWORD (./.env line 3) is not a setting; did you mean GLUO_ACCESS_KEY?",
        "gluo | GLUO_URL=h\nGLUO_USERNAME=a\nGLUO_SENHA=k\n | did you mean GLUO_ACCESS_KEY?",
        "gluo | GLUOCRM_URL=h\nGLUO_USERNAME=a\nGLUO_ACCESS_KEY=k\n | \
        GLUOCRM_URL (./.env line 1) is not a setting; did you mean GLUO_URL?",
        "gluo | link=h\nusername=a\naccesskey=k\n | \
        accesskey (./.env line 3) is not a setting; did you mean acceskey? It goes with link and username",
        "zeev | ZEEV_URL=h\nZEEV_USUARIO=a\nZEEV_SENHA=k\n | \
        ZEEV_USUARIO (./.env line 2) is not a setting; did you mean ZEEV_USERNAME?",
        "hellocloud | HELLOCLOUD_URL=h\nHELLOCLOUD_CLIENT_ID=a\nHELLOCLOUD_SECRET=k\n | \
        did you mean HELLOCLOUD_CLIENT_SECRET?",
    ]) {
        let machine = Machine::new();
        machine.write(".env", file);
        machine.fails(&format!("login {target}"), 2, &[why]);
    }
    let mut machine = Machine::new();
    machine.write(".env", "GLUO_URL=h\nGLUO_USERNAME=ana\n");
    machine.set("GLUO_ACCESS_KEY", "");
    machine.refuses("login gluo | GLUO_ACCESS_KEY is empty in the environment\n");
}
