//! `crmauth api`: what its options make of a request, seen from the server, and what becomes of its answers.

use std::fs;
use std::sync::Arc;

use crmauth::declaration::Placement;
use serde_json::{Value, json};

use crate::api::{TOKEN, logged_in, login, machine_at, ok, path};
use crate::support::machine::{feed, installed, mode};
use crate::support::server::Received;
use crate::support::stored::{five, systems};
use crate::support::{Machine, Reply, Server, Terminal, demo};

const NUMBER: &str = "123456789012345678901234567890";

/// Texts that an encoding could change.
const TEXTS: [&str; 14] = [
    "a b",
    "SELECT * FROM Contacts WHERE lastname = 'D''Ávila' AND x <> \"1\";",
    "a&b=c",
    "1+1",
    "50%",
    "%41%zz",
    "ação 株 🙂",
    "[x]{y}",
    "=",
    "",
    "@",
    "a@b.c",
    "line\r\nline\t#?/\\",
    NUMBER,
];

fn pairs(text: &str) -> Vec<(String, String)> {
    url::form_urlencoded::parse(text.as_bytes())
        .into_owned()
        .collect()
}

fn query(request: &Received) -> Vec<(String, String)> {
    pairs(
        request
            .target
            .split_once('?')
            .map_or("", |(_, query)| query),
    )
}

fn own(mut pairs: Vec<(String, String)>) -> Vec<(String, String)> {
    pairs.retain(|(name, _)| name != "sessionName" && name != "id");
    pairs
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn every_text_arrives_as_it_was_typed() {
    for system in systems() {
        let (server, machine, before) = logged_in(system, []);
        server.rest(ok("{}"));
        machine.write("file", "x\0\r\n--y");
        for text in TEXTS {
            let json = json!({ "t": text }).to_string();
            let number = json!(text).to_string();
            let typed = |name: &str, value: &str| format!("{name}={value}");
            let (q, qb, f, fb) = (
                typed("q", text),
                typed("page[n]", text),
                typed("f", text),
                typed("a[b]", text),
            );
            let (j, jn, js) = (typed("j", &json), typed("n", NUMBER), typed("s", &number));
            let arguments = [
                "api",
                system,
                path(system),
                "-Q",
                &q,
                "-Q",
                &qb,
                "-F",
                &f,
                "-F",
                &fb,
                "-J",
                &j,
                "-J",
                &jn,
                "-J",
                &js,
            ];
            machine.run_args(&arguments).answer();
            let upload = ["--upload", "up=@file"];
            machine
                .run_args(&[&arguments[..9], &upload].concat())
                .answer();
            let sent = server.received().split_off(before);
            let [plain, multipart] = &sent[sent.len() - 2..] else {
                panic!("two requests")
            };
            let shown = format!("{system} {text:?} {plain:?} {multipart:?}");
            assert_eq!(
                (plain.method.as_str(), multipart.method.as_str()),
                ("POST", "POST"),
                "{shown}"
            );
            for request in [plain, multipart] {
                assert_eq!(
                    own(query(request)),
                    [pair("q", text), pair("page[n]", text)],
                    "{shown}"
                );
            }
            if system == "gluo" {
                let mut expected = vec![
                    pair("f", text),
                    pair("a[b]", text),
                    pair("j", &json),
                    pair("n", NUMBER),
                    pair("s", &number),
                ];
                expected.push(pair("sessionName", TOKEN));
                assert_eq!(pairs(&plain.body), expected, "{shown}");
                assert!(
                    !plain.target.contains("sessionName")
                        && !multipart.target.contains("sessionName"),
                    "{shown}"
                );
                assert!(
                    multipart
                        .body
                        .contains(&format!("name=\"sessionName\"\r\n\r\n{TOKEN}\r\n")),
                    "{shown}"
                );
            } else {
                let body: Value = serde_json::from_str(&plain.body).expect(&shown);
                assert_eq!(
                    (&body["f"], &body["a"]["b"], &body["j"]["t"], &body["s"]),
                    (&json!(text), &json!(text), &json!(text), &json!(text)),
                    "{shown}"
                );
                assert!(plain.body.contains(&format!("\"n\":{NUMBER},")), "{shown}");
            }
            for part in [
                format!("name=\"f\"\r\n\r\n{text}\r\n--crmauth-"),
                "name=\"up\"; filename=\"file\"\r\nContent-Type: application/octet-stream\r\n\r\nx\0\r\n--y\r\n--crmauth-".to_owned(),
            ] {
                assert!(multipart.body.contains(&part), "{part:?} {shown}");
            }
            assert!(multipart.body.ends_with("--\r\n"), "{shown}");
        }
    }
}

#[test]
fn what_cannot_be_sent_is_refused_before_anything_is() {
    let server = Server::start(Vec::new());
    let machine = machine_at(&server);
    machine.write("latin1", b"\xe9");
    let long = |options: &str| format!("api hellocloud /x {options}");
    for (line, said) in [
        (long("-Q x"), "-Q takes NAME=VALUE"),
        (long("-F =x"), "-F takes NAME=VALUE"),
        (long("-J a={x}"), "-J a is not JSON"),
        (long("-F a=1 -F a=2"), "-F a is given twice"),
        (
            long("-F a=1 -F a[b]=2"),
            "-F a[b] is both a value and a table",
        ),
        (
            long("-F a[b]=1 -J a={}"),
            "-J a is both a value and a table",
        ),
        (long("-F a[=1"), "brackets that name no member"),
        (long("-F a[]=1"), "brackets that name no member"),
        (
            long(&format!("-F a{}=1", "[b]".repeat(20_000))),
            "more than 100 levels of brackets",
        ),
        (
            long(&format!("-J a{}=1", "[b]".repeat(100))),
            "more than 100 levels of brackets",
        ),
        (long("-F a=@latin1"), "is not UTF-8 text"),
        (long("-F a=@none"), "none, which -F names, cannot be read"),
        // The name of the file may come from a variable that is empty.
        (long("-d @"), "which -d names, cannot be read"),
        (long("--upload a=@"), "NAME=@FILE"),
        (long("-F a=@- -F b=@-"), "@- is given twice"),
        (long("-d @- --upload b=@-"), "cannot be used with"),
        (long("--upload a=b"), "NAME=@FILE"),
        (
            long("--upload a=@latin1 -H Content-Type:x/y"),
            "which --upload sets",
        ),
        (
            long("-d x --retry 1"),
            "--retry repeats only GET, HEAD and OPTIONS",
        ),
        (long("--paginate -X POST"), "--paginate asks with GET"),
        (long("--paginate -i"), "cannot be used with"),
        (
            long("-Q page[number]=x --paginate"),
            "page[number] is not a number",
        ),
        (
            "api zeev /x --paginate".to_owned(),
            "--paginate does not work with Zeev",
        ),
        (
            "api gluo /x --paginate".to_owned(),
            "goes through the rows of a query",
        ),
        (
            "api gluo /webservice.php?operation=query&query=SELECT+*+FROM+A+LIMIT+5; --paginate"
                .to_owned(),
            "has its own LIMIT",
        ),
        (long("-o ."), "is a directory"),
    ] {
        let outcome = machine.run(&line);
        outcome.fails(if line.ends_with("-o .") { 7 } else { 2 }, &[said]);
    }
    for (c, what, escaped) in [
        (' ', "contains a space", "%20"),
        ('#', "contains a fragment (#)", "%23"),
        ('\\', "contains a backslash", "%5C"),
        ('"', "contains a quote (\")", "%22"),
        ('\'', "contains a quote (')", "%27"),
        ('\u{a0}', "contains white space", "%C2%A0"),
        ('\u{1b}', "contains a control character", "%1B"),
    ] {
        let outcome = machine.run_args(&["api", "zeev", &format!("/x?a={c}")]);
        outcome.fails(2, &[&format!("PATH {what}"), "-Q NAME=VALUE", escaped]);
    }
    assert!(server.received().is_empty());
}

fn rows(from: usize, to: usize) -> Vec<Value> {
    (from..to)
        .map(|n| json!({"id": format!("12x{n}"), "n": n}))
        .collect()
}

#[test]
fn all_pages_come_once_and_in_order_though_the_session_dies() {
    let page = |from, to| {
        Reply::json(
            200,
            json!({"success": true, "result": rows(from, to)}).to_string(),
        )
    };
    let mut replies = vec![page(0, 100), demo::of("gluo").dead()];
    replies.extend(login("gluo", "Nw2token"));
    replies.extend([page(100, 200), page(200, 257)]);
    let (server, machine, before) = logged_in("gluo", replies);
    let line = [
        "api",
        "gluo",
        "/webservice.php?operation=query",
        "-Q",
        "query=SELECT * FROM Contacts WHERE a='LIMIT';",
        "--paginate",
    ];
    let outcome = machine.run_args(&line);
    assert_eq!(
        serde_json::from_str::<Value>(outcome.answer()).expect("JSON"),
        json!(rows(0, 257))
    );
    let sent = server.received().split_off(before);
    let asked: Vec<_> = sent
        .iter()
        .filter_map(|request| query(request).into_iter().find(|(name, _)| name == "query"))
        .collect();
    let expected = [0, 100, 100, 200].map(|at| {
        pair(
            "query",
            &format!("SELECT * FROM Contacts WHERE a='LIMIT' LIMIT {at}, 100;"),
        )
    });
    assert_eq!(asked, expected);

    let page = |n: usize| {
        let next = (n < 5).then_some("V8/module/Accounts?page[number]=x");
        let body = json!({"meta": {"total-pages": 5}, "data": rows(n * 20, n * 20 + 20), "links": {"next": next}});
        Reply::json(
            200,
            format!("{body:#}").replace(
                &format!("\"n\": {}\n", n * 20),
                &format!("\"n\": {NUMBER}\n"),
            ),
        )
    };
    let dead = json!({"error": "access_denied", "hint": "Access token has been revoked"});
    let mut replies = vec![page(1), page(2), Reply::json(401, dead.to_string())];
    replies.extend(login("hellocloud", "Nw2token"));
    replies.extend([page(3), page(4), page(5)]);
    let (server, machine, before) = logged_in("hellocloud", replies);
    let outcome = machine
        .run("api hellocloud /Api/V8/module/Accounts -Q page[size]=20 --paginate -o all.json");
    outcome.gives(0, "", "");
    let all = fs::read_to_string(machine.path("all.json")).expect("a file");
    assert_eq!(all.matches(NUMBER).count(), 5, "digits are kept");
    let found: Value = serde_json::from_str(&all).expect("JSON");
    let ids: Vec<_> = found
        .as_array()
        .expect("rows")
        .iter()
        .map(|row| row["id"].clone())
        .collect();
    let expected: Vec<_> = rows(20, 120).iter().map(|row| row["id"].clone()).collect();
    assert_eq!(ids, expected);
    let sent = server.received().split_off(before);
    let asked: Vec<_> = sent
        .iter()
        .filter_map(|request| {
            query(request)
                .into_iter()
                .find(|(name, _)| name == "page[number]")
        })
        .collect();
    assert_eq!(
        asked,
        ["1", "2", "3", "3", "4", "5"].map(|n| pair("page[number]", n))
    );
}

#[test]
fn a_page_that_fails_ends_the_list() {
    let page = Reply::json(
        200,
        json!({"success": true, "result": rows(0, 100)}).to_string(),
    );
    let refused =
        json!({"success": false, "error": {"code": "QUERY_SYNTAX_ERROR", "message": "x"}});
    let (_server, machine, _) = logged_in("gluo", [page, Reply::json(200, refused.to_string())]);
    machine.write("all.json", "old");
    let line =
        "api gluo /webservice.php?operation=query&query=SELECT+*+FROM+A; --paginate -o all.json";
    machine.run(line).fails(1, &["QUERY_SYNTAX_ERROR"]);
    assert_eq!(
        fs::read_to_string(machine.path("all.json")).expect("a file"),
        "old"
    );
    // A server that goes round in circles.
    let circle = [(0, 100), (100, 200), (200, 300), (100, 200)];
    let circle = circle.map(|(from, to)| {
        Reply::json(
            200,
            json!({"success": true, "result": rows(from, to)}).to_string(),
        )
    });
    let (_server, machine, _) = logged_in("gluo", circle);
    machine.run(line).fails(6, &["sent the same page twice"]);
    let empty = Reply::json(200, json!({"success": true, "result": []}).to_string());
    let (_server, machine, _) = logged_in("gluo", [empty]);
    assert_eq!(
        machine.run(line.trim_end_matches(" -o all.json")).answer(),
        "[]\n"
    );
}

#[test]
fn what_changes_nothing_is_asked_again() {
    let away = |status| Reply::with_headers(status, &[("Retry-After", "0")], "away");
    for (status, retries, code) in [
        (429, 2, 0),
        (502, 2, 0),
        (503, 3, 0),
        (504, 1, 5),
        (500, 2, 6),
        (404, 2, 6),
    ] {
        let repeated = [429, 502, 503, 504].contains(&status);
        let mut replies = vec![away(status)];
        replies.extend(repeated.then(|| away(status)));
        replies.extend((code == 0).then(|| ok("done")));
        let count = replies.len();
        let (server, machine, before) = logged_in("zeev", replies);
        let outcome = machine.run(&format!("api zeev /x --retry {retries}"));
        assert_eq!(outcome.code, code, "{status}: {outcome}");
        assert_eq!(outcome.stdout, if code == 0 { "done" } else { "away" });
        assert_eq!(server.received().len() - before, count, "{status}");
    }
    let later = Reply::with_headers(503, &[("Retry-After", "90")], "");
    let (server, machine, before) = logged_in("zeev", [later]);
    assert_eq!(machine.run("api zeev /x --retry 5").code, 5);
    assert_eq!(
        server.received().len(),
        before + 1,
        "the time-out is over before"
    );
}

#[test]
fn a_file_takes_the_answer_whole() {
    let (_server, machine, _) = logged_in(
        "zeev",
        [
            ok("one"),
            Reply::json(404, "{}"),
            Reply::Last(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut".to_vec()),
        ],
    );
    let file = || fs::read_to_string(machine.path("out")).expect("a file");
    assert_eq!(machine.run("api zeev /x -o out").answer(), "");
    assert_eq!(
        (file().as_str(), mode(&machine.path("out"))),
        ("one", 0o600)
    );
    assert_eq!(machine.run("api zeev /x -o out").code, 6);
    assert_eq!(file(), "{}");
    assert_eq!(machine.run("api zeev /x -o out").code, 5);
    assert_eq!(file(), "{}", "what is cut short takes no place");
}

#[test]
fn a_wrong_path_and_a_wrong_method_are_told_apart() {
    let not_found = || Reply::http(404, "text/html", "<html>");
    let (_server, machine, _) = logged_in("hellocloud", [not_found(), Reply::json(405, "{}")]);
    machine
        .run("api hellocloud /V8/module/Accounts")
        .says(&["links in SuiteCRM's answers lack Api/: ask for /Api/V8/module/Accounts"]);
    machine
        .run("api hellocloud /Api/V8/module/Accounts")
        .says(&["that path does not take GET; -X METHOD chooses another method"]);
}

#[test]
fn heads_are_shown_without_secrets() {
    let headers = [
        ("X-Own", "abc"),
        ("Set-Cookie", "PHPSESSID=c00kie7Value"),
        ("X-Echo", TOKEN),
    ];
    let (_server, machine, _) = logged_in("zeev", [Reply::with_headers(200, &headers, "{}")]);
    let outcome = machine.run_args(&[
        "api",
        "zeev",
        "/x",
        "-vv",
        "-H",
        "X-Key: s3cr3tKey",
        "-F",
        "a=b",
    ]);
    outcome.tells("> content-type: application/json | > authorization: *** | > x-key: ***");
    outcome.tells("< HTTP/1.1 200 OK | < x-own: abc | < set-cookie: *** | < x-echo: ***");
    assert!(
        !outcome.stderr.contains("s3cr3tKey") && !outcome.stderr.contains("c00kie7"),
        "{outcome}"
    );
}

#[test]
fn at_a_terminal_json_is_indented_and_elsewhere_it_is_the_servers() {
    let text = format!("{{\"a\":[1,{NUMBER}],\"b\":{{}}}}");
    let (_server, machine, _) =
        logged_in("zeev", [Reply::json(200, &text), Reply::json(200, &text)]);
    assert_eq!(machine.run("api zeev /x --color always").answer(), text);
    let shown = Terminal::start(
        machine.command(&["api", "zeev", "/x", "--color", "never"]),
        80,
    )
    .ends()
    .output;
    assert!(
        shown.replace('\r', "").contains(&format!(
            "{{\n  \"a\": [\n    1,\n    {NUMBER}\n  ],\n  \"b\": {{}}\n}}\n"
        )),
        "{shown}"
    );
}

#[test]
fn curl_reads_what_the_format_writes() {
    if !installed("curl") {
        return;
    }
    for system in systems() {
        let (server, machine, before) = logged_in(system, [ok("done")]);
        let placement = demo::of(system).spec().placement;
        let outcome = machine.run(&format!("token {system} -f curl"));
        if placement == Placement::Path {
            outcome.fails(2, &["in the path", "crmauth api systemsway PATH"]);
            machine
                .run(&format!("api {system} {}", path(system)))
                .answer();
            continue;
        }
        machine.write("options", outcome.answer());
        let url = format!("{}/base/x?a=b", server.url());
        let curl = std::process::Command::new("curl")
            .args(["-s", "-K"])
            .arg(machine.path("options"))
            .arg(&url)
            .output()
            .expect("curl");
        assert_eq!(
            curl.stdout,
            b"done",
            "{system}: {}",
            String::from_utf8_lossy(&curl.stderr)
        );
        let request = &server.received()[before];
        match placement {
            Placement::Query(name) => {
                assert_eq!(query(request), [pair("a", "b"), pair(name, TOKEN)])
            }
            _ => assert_eq!(
                request.header("authorization"),
                Some(format!("Bearer {TOKEN}").as_str())
            ),
        }
    }
    let machine = Machine::new();
    let run = machine.run("login --all -f curl --sandbox");
    run.fails(2, &["one target at a time"]);
}

/// The whole way in the sandbox: made, found, changed, sent with a file, gone.
#[test]
fn a_record_that_is_made_can_be_read_back() {
    let (_servers, machine) = five();
    let api = |arguments: &[&str]| -> Value {
        let outcome = machine.run_args(&[&["api"], arguments].concat());
        serde_json::from_str(outcome.answer()).expect("JSON")
    };
    machine.write("nota.txt", "1 & 2");
    let made = api(&[
        "gluo",
        "/webservice.php",
        "-F",
        "operation=create",
        "-F",
        "elementType=Contacts",
        "-J",
        r#"element={"lastname":"A & B + 100% ç","assigned_user_id":"19x1"}"#,
        "--upload",
        "filename=@nota.txt",
    ]);
    let id = made["result"]["id"].as_str().expect("an id").to_owned();
    let found = api(&[
        "gluo",
        "/webservice.php",
        "-Q",
        "operation=retrieve",
        "-Q",
        &format!("id={id}"),
    ]);
    assert_eq!(found["result"]["lastname"], "A & B + 100% ç");
    let element = r#"element={"notes_title":"Nota","assigned_user_id":"19x1"}"#;
    let line = [
        "-F",
        "operation=create",
        "-F",
        "elementType=Documents",
        "-J",
        element,
    ];
    let upload = ["--upload", "filename=@nota.txt"];
    let made = api(&[&["gluo", "/webservice.php"], &line[..], &upload].concat());
    let facts = ["filename", "filesize"].map(|name| &made["result"][name]);
    assert_eq!(facts, ["nota.txt", "5"]);

    let made = api(&[
        "hellocloud",
        "/Api/V8/module",
        "-F",
        "data[type]=Contacts",
        "-F",
        "data[attributes][last_name]=Silva & Cia",
    ]);
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    let path = format!("/Api/V8/module/Contacts/{id}");
    assert_eq!(
        api(&["hellocloud", &path])["data"]["attributes"]["last_name"],
        "Silva & Cia"
    );
    let changed = api(&[
        "hellocloud",
        "/Api/V8/module",
        "-X",
        "PATCH",
        "-F",
        "data[type]=Contacts",
        "-F",
        &format!("data[id]={id}"),
        "-F",
        "data[attributes][last_name]=Souza",
    ]);
    assert_eq!(changed["data"]["attributes"]["last_name"], "Souza");
    assert_eq!(
        api(&["hellocloud", &path])["data"]["attributes"]["last_name"],
        "Souza"
    );
    api(&["hellocloud", &path, "-X", "DELETE"]);
    assert_eq!(machine.run(&format!("api hellocloud {path}")).code, 1);

    let hash = "ab".repeat(32);
    api(&[
        "systemsway",
        "/api/Usuario/{session}",
        "-F",
        "UserName=ana",
        "-F",
        &format!("PassWord={hash}"),
        "-F",
        "Ativo=true",
    ]);
    let users = api(&["systemsway", "/api/Usuario/{session}"]);
    assert_eq!(
        users
            .as_array()
            .and_then(|users| users.last())
            .expect("a user")["UserName"],
        "ana"
    );
}

/// What an answer means that says no, or nothing, with a status that says something else.
#[test]
fn what_a_system_says_counts_and_not_its_status_alone() {
    const FATAL: &str = "<br />\n<b>Fatal error</b>: Uncaught TypeError in /var/www/x.php";
    const AROUND: &str = "the server printed text around its JSON";
    let html = |body: &str| Reply::http(200, "text/html", body);
    let notices = "<br />\n<b>Warning</b>: x in /a.php<br />\n".repeat(5000);
    let data =
        json!({"success": true, "result": [{"a": "Fatal error".repeat(20_000)}]}).to_string();
    let location = [("Location", "Location: index.php?action=Error&module=Users")];
    for (system, reply, code, said) in [
        (
            "hellocloud",
            Reply::with_headers(301, &location, ""),
            1,
            "the session may not do this",
        ),
        (
            "broker",
            Reply::json(200, r#"{"CodigoRetorno":7,"MensagemRetorno":"Sem saldo"}"#),
            1,
            "Sem saldo",
        ),
        ("broker", Reply::json(200, r#"{"codigoRetorno":1}"#), 0, ""),
        (
            "gluo",
            html("Sorry! Attempt to access restricted file."),
            6,
            "failed",
        ),
        ("zeev", html(""), 0, ""),
        ("gluo", html(""), 0, ""),
        ("gluo", html(&format!("{notices}{data}")), 0, AROUND),
        ("gluo", html(&format!("{data}{notices}")), 0, AROUND),
        ("gluo", Reply::json(200, &data), 0, ""),
        ("gluo", html(&format!("{notices}{FATAL}")), 6, "failed"),
        (
            "gluo",
            html(&format!(
                "<br />\n<b>Notice</b>: x\n{}",
                json!({"success": true})
            )),
            0,
            AROUND,
        ),
        (
            "hellocloud",
            html(&format!(
                "{}<br />\n<b>Deprecated</b>: x",
                json!({"data": []})
            )),
            0,
            AROUND,
        ),
    ] {
        let (server, machine, _) = logged_in(system, [reply]);
        // Where an answer is unclear, the session is asked for.
        server.rest(Reply::json(200, r#"{"success":true,"result":{}}"#));
        let outcome = machine.run_args(&["api", system, path(system)]);
        let begin = &outcome.stdout[..outcome.stdout.len().min(80)];
        assert_eq!(outcome.code, code, "{system} {begin}: {outcome}");
        assert_eq!(
            outcome.stderr.is_empty(),
            said.is_empty(),
            "{system} {begin}: {outcome}"
        );
        outcome.says(&[said]);
    }
    // Gluocrm's own endpoint always says something.
    for (line, body, code) in [
        ("-F operation=create", "", 6),
        ("?operation=query", "\r\n", 6),
        ("-X HEAD", "", 0),
    ] {
        let (_server, machine, _) = logged_in("gluo", [html(body)]);
        let outcome = machine.run(
            &["api gluo /webservice.php ", line]
                .concat()
                .replace(" ?", "?"),
        );
        assert_eq!(outcome.code, code, "{line}: {outcome}");
        assert_eq!(outcome.stderr.contains("sent an empty answer"), code == 6);
        assert_eq!(
            outcome.stderr.contains("look first"),
            line.contains("create")
        );
    }
    for system in systems() {
        let mut replies = vec![html(FATAL)];
        // Gluocrm's session may have lost its user: it is asked.
        replies.extend(
            (system == "gluo")
                .then(|| Reply::json(200, json!({"success": true, "result": {}}).to_string())),
        );
        let (_server, machine, _) = logged_in(system, replies);
        let outcome = machine.run_args(&["api", system, path(system)]);
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            (6, FATAL),
            "{system}: {outcome}"
        );
        outcome.says(&["its program ended without an answer"]);
    }
}

#[test]
fn a_form_that_is_posted_takes_the_session_and_nothing_else_does() {
    for (arguments, in_body) in [
        (&["-d", "a=b"][..], true),
        (&["-X", "POST"], true),
        (
            &[
                "-d",
                "a=b",
                "-H",
                "Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8",
            ],
            true,
        ),
        (&["-d", "{}", "-H", "Content-Type: application/json"], false),
        (&["-d", "a=b", "-X", "PUT"], false),
        (&["-F", "a=b", "-X", "GET"], false),
    ] {
        let (server, machine, before) = logged_in("gluo", [Reply::json(200, "{}")]);
        machine
            .run_args(&[&["api", "gluo", "/x"], arguments].concat())
            .answer();
        let request = &server.received()[before];
        let places = [&request.target, &request.body].map(|text| text.contains("sessionName="));
        assert_eq!(places, [!in_body, in_body], "{arguments:?}: {request:?}");
    }
}

/// A file is read as it is sent, and once more where the session was dead.
#[test]
fn files_of_any_size_are_sent_and_sent_again() {
    let mut replies = vec![demo::of("gluo").dead()];
    replies.extend(login("gluo", "Nw2token"));
    replies.push(ok("done"));
    let (server, machine, before) = logged_in("gluo", replies);
    let content: String = (0..40_000).map(|n| format!("{n:>7}\n")).collect();
    machine.write("big", &content);
    machine.run("api gluo /x -F a=b --upload big=@big").answer();
    let sent = server.received().split_off(before);
    let [first, .., last] = &sent[..] else {
        panic!("{sent:?}")
    };
    for (request, token) in [(first, TOKEN), (last, "Nw2token")] {
        assert!(request.body.contains(&content));
        assert!(
            request
                .body
                .contains(&format!("name=\"sessionName\"\r\n\r\n{token}\r\n"))
        );
        assert_eq!(
            request.header("content-length"),
            Some(request.body.len().to_string().as_str())
        );
    }

    let (server, machine, before) = logged_in("zeev", [ok("1"), ok("2"), ok("3")]);
    machine.write("big", &content);
    machine.run("api zeev /x -d @big").answer();
    machine.run_args(&["api", "zeev", "/x", "-d", ""]).answer();
    let mut piped = machine.start({
        let mut command = machine.command(&["api", "zeev", "/x", "-F", "a=@-"]);
        command.stdin(std::process::Stdio::piped());
        command
    });
    feed(&mut piped, "@ana");
    assert_eq!(machine.end(piped).answer(), "3");
    let bodies: Vec<_> = server
        .received()
        .split_off(before)
        .into_iter()
        .map(|sent| sent.body)
        .collect();
    assert_eq!(bodies, [content.as_str(), "", r#"{"a":"@ana"}"#]);
    fs::File::create(machine.path("huge"))
        .and_then(|file| file.set_len(1 << 30))
        .expect("a file");
    let outcome = machine.run("api zeev /x -F a=@huge");
    outcome.fails(2, &["larger than 32 MiB"]);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_blamed_and_not_the_server() {
    let mut replies = vec![demo::of("gluo").dead()];
    replies.extend(login("gluo", "Nw2token"));
    let (server, machine, _) = logged_in("gluo", replies);
    machine.write("big", "x".repeat(300_000));
    let big = machine.path("big");
    server.watch(Arc::new(move || {
        let file = fs::File::options().write(true).open(&big);
        file.and_then(|file| file.set_len(100_000))
            .expect("a shorter file");
    }));
    let outcome = machine.run("api gluo /x --upload big=@big");
    outcome.fails(1, &["ended early or cannot be read", "look first"]);
}

/// Pages share one session, also where nothing can be stored; a page that comes again ends the list.
#[test]
fn pages_need_one_login() {
    let page = |n: usize, more: bool| {
        let next = more.then_some("x");
        Reply::json(
            200,
            json!({"data": rows(n, n + 2), "links": {"next": next}}).to_string(),
        )
    };
    let mut replies = login("hellocloud", TOKEN);
    replies.extend([page(0, true), page(2, true), page(4, false)]);
    let server = Server::start(replies);
    let machine = machine_at(&server);
    let outcome = machine.run("api hellocloud /Api/V8/module/Accounts --paginate --no-store");
    let found: Value = serde_json::from_str(outcome.answer()).expect("JSON");
    assert_eq!(found, json!(rows(0, 6)));

    let (_server, machine, _) = logged_in("hellocloud", [page(0, true), page(0, true)]);
    machine
        .run("api hellocloud /x --paginate")
        .says(&["the same page twice"]);

    let note = "<br />\n<b>Deprecated</b>: x in /a.php<br />\n";
    let odd = |n: usize, more: bool| {
        let body = json!({"data": rows(n, n + 1), "links": {"next": more.then_some("x")}});
        Reply::http(200, "text/html", format!("{body}{note}"))
    };
    let (_server, machine, _) = logged_in("hellocloud", [odd(0, true), odd(1, false)]);
    let outcome = machine.run("api hellocloud /x --paginate");
    assert_eq!(
        serde_json::from_str::<Value>(&outcome.stdout).expect("JSON"),
        json!(rows(0, 2))
    );
    assert_eq!(
        outcome.stderr.matches("text around its JSON").count(),
        1,
        "{outcome}"
    );
    for (status, body, code, said) in [
        (200, r#"{"data":{"id":"1"}}"#, 6, "contains no list"),
        (500, r#"{"data":[]}"#, 6, "HTTP 500"),
        (200, "<html>", 6, "contains no list"),
    ] {
        let (_server, machine, _) = logged_in("hellocloud", [Reply::json(status, body)]);
        machine.fails("api hellocloud /x --paginate", code, &[said]);
    }
}
