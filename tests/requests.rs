//! `crmauth api`: what its options make of a request, seen from the server, and what becomes of its answers.

use std::fs;
use std::sync::Arc;

use crmauth::declaration::Placement;
use serde_json::{Value, json};

use crate::api::{TOKEN, logged_in, login, machine_at, ok, path};
use crate::support::machine::{beside, feed, holds, installed, mode};
use crate::support::server::Received;
use crate::support::stored::{five, systems};
use crate::support::{Machine, Outcome, Reply, Server, Terminal, cells, demo};

const NUMBER: &str = "123456789012345678901234567890";

/// Gluocrm's answer with these rows, or other results.
fn page(result: impl Into<Value>) -> Reply {
    let answer = json!({"success": true, "result": result.into()});
    Reply::json(200, answer.to_string())
}

/// Sends `system` a request to its path, with words that come after a line's.
fn asks(machine: &Machine, line: &str, words: &[&str]) -> Outcome {
    machine.run_args(&[&line.split(' ').collect::<Vec<_>>(), words].concat())
}

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
    let query = request.target.split_once('?');
    pairs(query.map_or("", |(_, query)| query))
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
            let fields = [("q", text), ("page[n]", text), ("f", text), ("a[b]", text)];
            let more = [("j", &*json), ("n", NUMBER), ("s", &number)];
            let options = ["-Q", "-Q", "-F", "-F", "-J", "-J", "-J"];
            let typed = fields.iter().chain(&more);
            let typed: Vec<_> = typed.map(|(name, text)| format!("{name}={text}")).collect();
            let words = options.iter().zip(&typed);
            let words: Vec<&str> = words.flat_map(|(option, field)| [*option, field]).collect();
            let line = format!("api {system} {}", path(system));
            asks(&machine, &line, &words).answer();
            let upload = ["--upload", "up=@file"];
            asks(&machine, &line, &[&words[..6], &upload].concat()).answer();
            let sent = server.received().split_off(before);
            let [plain, multipart] = &sent[sent.len() - 2..] else {
                panic!("two requests")
            };
            let shown = format!("{system} {text:?} {plain:?} {multipart:?}");
            for request in [plain, multipart] {
                assert_eq!(request.method, "POST", "{shown}");
                let asked = own(query(request));
                assert_eq!(asked, [pair("q", text), pair("page[n]", text)], "{shown}");
            }
            if system == "gluo" {
                let session = ("sessionName", TOKEN);
                let expected = fields[2..].iter().chain(&more).chain([&session]);
                let expected: Vec<_> = expected.map(|(name, text)| pair(name, text)).collect();
                assert_eq!(pairs(&plain.body), expected, "{shown}");
                for request in [plain, multipart] {
                    assert!(!request.target.contains("sessionName"), "{shown}");
                }
                let part = format!("name=\"sessionName\"\r\n\r\n{TOKEN}\r\n");
                assert!(multipart.body.contains(&part), "{shown}");
            } else {
                let body: Value = serde_json::from_str(&plain.body).expect(&shown);
                for value in [&body["f"], &body["a"]["b"], &body["j"]["t"], &body["s"]] {
                    assert_eq!(value, text, "{shown}");
                }
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
    let long = ["HC?", &"a".repeat(65_600), " | is longer than 64000 bytes"].concat();
    let (bad, deep) = (
        "has brackets that name no member",
        "more than 100 levels of brackets",
    );
    let deep = [(100, bad), (101, deep), (20_000, deep)].map(|(levels, said)| {
        let levels = "[b]".repeat(levels);
        format!("HC -F a{levels}=1 -F b[=1 | {said}")
    });
    for [line, said] in cells([
        &deep[0],
        &deep[1],
        &deep[2],
        &long,
        "HC -Q x | -Q takes NAME=VALUE",
        "HC -F =x | -F takes NAME=VALUE",
        "HC -J a={x} | -J a is not JSON",
        "HC -F a=1 -F a=2 | -F a is given twice",
        "HC -F a=1 -F a[b]=2 | -F a[b] is both a value and a table",
        "HC -F a[b]=1 -J a={} | -J a is both a value and a table",
        "HC -F a[=1 | brackets that name no member",
        "HC -F a[]=1 | brackets that name no member",
        "HC -F a=@latin1 | is not UTF-8 text",
        "HC -F a=@none | none, which -F names, cannot be read",
        // The name of the file may come from a variable that is empty.
        "HC -d @ | -d names no file after @",
        "HC --upload a=@ | NAME=@FILE",
        "HC -F a=@- -F b=@- | @- is given twice",
        "HC -d @- --upload b=@- | cannot be used with",
        "HC --upload a=b | NAME=@FILE",
        "HC --upload a=@latin1 -H Content-Type:x/y | which --upload sets",
        "HC -d x --retry 1 | --retry repeats only GET, HEAD and OPTIONS",
        "HC --paginate -X POST | --paginate asks with GET",
        "HC --paginate -i | cannot be used with",
        "HC -Q page[number]=x --paginate | page[number] is not a number",
        "api zeev /x --paginate | --paginate does not work with Zeev",
        "api gluo /x --paginate | goes through the rows of a query",
        "api gluo /webservice.php?operation=query&query=SELECT+*+FROM+A+LIMIT+5; --paginate | has its own LIMIT",
        "HC -o . | is a directory",
    ]) {
        let line = line.replace("HC", "api hellocloud /x");
        machine.fails(&line, if line.ends_with("-o .") { 7 } else { 2 }, &[said]);
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
    let row = |n| json!({"id": format!("12x{n}"), "n": n});
    (from..to).map(row).collect()
}

/// This parameter of each request that has it.
fn asked(sent: &[Received], name: &str) -> Vec<(String, String)> {
    let queries = sent.iter().flat_map(query);
    queries.filter(|(its, _)| its == name).collect()
}

#[test]
fn all_pages_come_once_and_in_order_though_the_session_dies() {
    let mut replies = vec![page(rows(0, 100)), demo::of("gluo").dead()];
    replies.extend(login("gluo", "Nw2token"));
    replies.extend([page(rows(100, 200)), page(rows(200, 257))]);
    let (server, machine, before) = logged_in("gluo", replies);
    let line = "api gluo /webservice.php?operation=query --paginate -Q";
    let contacts = "query=SELECT * FROM Contacts WHERE a='LIMIT'";
    let outcome = asks(&machine, line, &[&format!("{contacts};")]);
    outcome.answer();
    assert_eq!(outcome.json(), json!(rows(0, 257)));
    let sent = server.received().split_off(before);
    let expected = [0, 100, 100, 200].map(|at| format!("{contacts} LIMIT {at}, 100;"));
    let expected = expected.map(|text| pair("query", &text["query=".len()..]));
    assert_eq!(asked(&sent, "query"), expected);

    let page = |n: usize| {
        let next = (n < 5).then_some("V8/module/Accounts?page[number]=x");
        let body = json!({"meta": {"total-pages": 5}, "data": rows(n * 20, n * 20 + 20), "links": {"next": next}});
        let [first, number] = [&*(n * 20).to_string(), NUMBER].map(|n| format!("\"n\": {n}\n"));
        Reply::json(200, format!("{body:#}").replace(&first, &number))
    };
    let dead = json!({"error": "access_denied", "hint": "Access token has been revoked"});
    let mut replies = vec![page(1), page(2), Reply::json(401, dead.to_string())];
    replies.extend(login("hellocloud", "Nw2token"));
    replies.extend([page(3), page(4), page(5)]);
    let (server, machine, before) = logged_in("hellocloud", replies);
    let line = "api hellocloud /Api/V8/module/Accounts -Q page[size]=20 --paginate -o all.json";
    machine.run(line).gives(0, "", "");
    let all = machine.text("all.json");
    assert_eq!(all.matches(NUMBER).count(), 5, "digits are kept");
    let found: Vec<Value> = serde_json::from_str(&all).expect("JSON");
    let ids = |rows: &[Value]| -> Vec<_> { rows.iter().map(|row| row["id"].clone()).collect() };
    assert_eq!(ids(&found), ids(&rows(20, 120)));
    let sent = server.received().split_off(before);
    let expected = ["1", "2", "3", "3", "4", "5"].map(|n| pair("page[number]", n));
    assert_eq!(asked(&sent, "page[number]"), expected);
}

#[test]
fn a_page_that_fails_ends_the_list() {
    let refused =
        json!({"success": false, "error": {"code": "QUERY_SYNTAX_ERROR", "message": "x"}});
    let refused = Reply::json(200, refused.to_string());
    let (_server, machine, _) = logged_in("gluo", [page(rows(0, 100)), refused]);
    machine.write("all.json", "old");
    let line = "api gluo /webservice.php?operation=query&query=SELECT+*+FROM+A; --paginate";
    let to_file = format!("{line} -o all.json");
    machine.fails(&to_file, 1, &["QUERY_SYNTAX_ERROR"]);
    assert_eq!(machine.text("all.json"), "old");
    // A server that goes round in circles.
    let circle = [0, 100, 200, 100].map(|from| page(rows(from, from + 100)));
    let (_server, machine, _) = logged_in("gluo", circle);
    machine.fails(&to_file, 6, &["sent the same page twice"]);
    let (_server, machine, _) = logged_in("gluo", [page(rows(0, 0))]);
    machine.prints(line, "[]\n");
}

#[test]
fn what_changes_nothing_is_asked_again() {
    let away = |status| Reply::with_headers(status, &[("Retry-After", "0")], "away");
    let again = [(429, 2, 0), (502, 2, 0), (503, 3, 0), (504, 1, 5)];
    for (status, retries, code) in again.into_iter().chain([(500, 2, 6), (404, 2, 6)]) {
        let repeated = again.iter().any(|(its, ..)| *its == status);
        let mut replies = vec![away(status)];
        replies.extend(repeated.then(|| away(status)));
        replies.extend((code == 0).then(|| ok("done")));
        let count = replies.len();
        let (server, machine, before) = logged_in("zeev", replies);
        let outcome = machine.run(&format!("api zeev /x --retry {retries}"));
        outcome.gives(code, if code == 0 { "done" } else { "away" }, status);
        assert_eq!(server.received().len() - before, count, "{status}");
    }
    let later = Reply::with_headers(503, &[("Retry-After", "90")], "");
    let (server, machine, before) = logged_in("zeev", [later]);
    assert_eq!(machine.run("api zeev /x --retry 5").code, 5);
    let asked = server.received().len() - before;
    assert_eq!(asked, 1, "the time-out is over before");
}

#[test]
fn a_file_takes_the_answer_whole() {
    let cut = b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\ncut";
    let replies = [ok("one"), Reply::json(404, "{}"), Reply::Last(cut.to_vec())];
    let (_server, machine, _) = logged_in("zeev", replies);
    machine.prints("api zeev /x -o out", "");
    assert_eq!(machine.text("out"), "one");
    assert_eq!(mode(&machine.path("out")), 0o600);
    // What is cut short takes no place.
    for code in [6, 5] {
        machine.run("api zeev /x -o out").exits(code, code);
        assert_eq!(machine.text("out"), "{}", "{code}");
    }
}

#[test]
fn a_wrong_path_and_a_wrong_method_are_told_apart() {
    let not_found = || Reply::http(404, "text/html", "<html>");
    let (_server, machine, _) = logged_in("hellocloud", [not_found(), Reply::json(405, "{}")]);
    for [path, said] in cells([
        "/V8/module/Accounts | links in SuiteCRM's answers lack Api/: ask for /Api/V8/module/Accounts",
        "/Api/V8/module/Accounts | that path does not take GET; -X METHOD chooses another method",
    ]) {
        machine.run(&format!("api hellocloud {path}")).says(&[said]);
    }
}

#[test]
fn heads_are_shown_without_secrets() {
    let cookie = ("Set-Cookie", "PHPSESSID=c00kie7Value");
    let headers = [("X-Own", "abc"), cookie, ("X-Echo", TOKEN)];
    let (_server, machine, _) = logged_in("zeev", [Reply::with_headers(200, &headers, "{}")]);
    let outcome = asks(&machine, "api zeev /x -vv -F a=b -H", &["X-Key: s3cr3tKey"]);
    outcome.tells("> content-type: application/json | > authorization: *** | > x-key: ***");
    outcome.tells("< HTTP/1.1 200 OK | < x-own: abc | < set-cookie: *** | < x-echo: ***");
    outcome.lacks(&["s3cr3tKey", "c00kie7"]);
}

#[test]
fn at_a_terminal_json_is_indented_and_elsewhere_it_is_the_servers() {
    let text = format!("{{\"a\":[1,{NUMBER}],\"b\":{{}}}}");
    let (_server, machine, _) = logged_in("zeev", [(); 2].map(|()| Reply::json(200, &text)));
    machine.prints("api zeev /x --color always", text);
    let shown = Terminal::start(machine.line("api zeev /x --color never"), 80).ends();
    let indented = format!("{{\n  \"a\": [\n    1,\n    {NUMBER}\n  ],\n  \"b\": {{}}\n}}\n");
    holds(&shown.output.replace('\r', ""), &[&indented]);
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
            machine.prints(&format!("api {system} {}", path(system)), "done");
            continue;
        }
        machine.write("options", outcome.answer());
        let url = format!("{}/base/x?a=b", server.url());
        let words = ["curl", "-s", "-K", "options", &url];
        let curl = machine.finish(beside(&machine.command(&[]), &words));
        assert_eq!(curl.stdout, "done", "{system}: {curl}");
        let request = &server.received()[before];
        let bearer = format!("Bearer {TOKEN}");
        match placement {
            Placement::Query(name) => {
                assert_eq!(query(request), [pair("a", "b"), pair(name, TOKEN)])
            }
            _ => assert_eq!(request.header("authorization"), Some(&*bearer)),
        }
    }
    let line = "login --all -f curl --sandbox";
    Machine::new().fails(line, 2, &["one target at a time"]);
}

/// The whole way in the sandbox: made, found, changed, sent with a file, gone.
#[test]
fn a_record_that_is_made_can_be_read_back() {
    let (_servers, machine) = five();
    let api = |line: &str, words: &[&str]| -> Value {
        let outcome = asks(&machine, &format!("api {line}"), words);
        serde_json::from_str(outcome.answer()).expect("JSON")
    };
    machine.write("nota.txt", "1 & 2");
    let create =
        "gluo /webservice.php -F operation=create --upload filename=@nota.txt -F elementType=";
    let element = r#"element={"lastname":"A & B + 100% ç","assigned_user_id":"19x1"}"#;
    let made = api(&format!("{create}Contacts -J"), &[element]);
    let id = made["result"]["id"].as_str().expect("an id").to_owned();
    let retrieve = "gluo /webservice.php -Q operation=retrieve -Q";
    let found = api(retrieve, &[&format!("id={id}")]);
    assert_eq!(found["result"]["lastname"], "A & B + 100% ç");
    let element = r#"element={"notes_title":"Nota","assigned_user_id":"19x1"}"#;
    let made = api(&format!("{create}Documents -J"), &[element]);
    let facts = ["filename", "filesize"].map(|name| &made["result"][name]);
    assert_eq!(facts, ["nota.txt", "5"]);

    let line = "hellocloud /Api/V8/module -F data[type]=Contacts -F";
    let made = api(line, &["data[attributes][last_name]=Silva & Cia"]);
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    let path = format!("hellocloud /Api/V8/module/Contacts/{id}");
    let name = || api(&path, &[])["data"]["attributes"]["last_name"].clone();
    assert_eq!(name(), "Silva & Cia");
    let fields = [
        &format!("data[id]={id}"),
        "-F",
        "data[attributes][last_name]=Souza",
    ];
    let changed = api(&line.replace(" -F data", " -X PATCH -F data"), &fields);
    assert_eq!(changed["data"]["attributes"]["last_name"], "Souza");
    assert_eq!(name(), "Souza");
    api(&path, &["-X", "DELETE"]);
    assert_eq!(machine.run(&format!("api {path}")).code, 1);

    let users = "systemsway /api/Usuario/{session}";
    let hash = format!("PassWord={}", "ab".repeat(32));
    api(
        &format!("{users} -F UserName=ana -F Ativo=true -F"),
        &[&hash],
    );
    let users = api(users, &[]);
    let last = users.as_array().and_then(|users| users.last());
    assert_eq!(last.expect("a user")["UserName"], "ana");
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
    let no_rights = Reply::with_headers(301, &location, "");
    let no_money = r#"{"CodigoRetorno":7,"MensagemRetorno":"Sem saldo"}"#;
    let restricted = html("Sorry! Attempt to access restricted file.");
    let notice = html("<br />\n<b>Notice</b>: x\n{\"success\":true}");
    let deprecated = html("{\"data\":[]}<br />\n<b>Deprecated</b>: x");
    for (system, reply, code, said) in [
        ("hellocloud", no_rights, 1, "the session may not do this"),
        ("broker", Reply::json(200, no_money), 1, "Sem saldo"),
        ("broker", Reply::json(200, r#"{"codigoRetorno":1}"#), 0, ""),
        ("gluo", restricted, 6, "failed"),
        ("zeev", html(""), 0, ""),
        ("gluo", html(""), 0, ""),
        ("gluo", html(&format!("{notices}{data}")), 0, AROUND),
        ("gluo", html(&format!("{data}{notices}")), 0, AROUND),
        ("gluo", Reply::json(200, &data), 0, ""),
        ("gluo", html(&format!("{notices}{FATAL}")), 6, "failed"),
        ("gluo", notice, 0, AROUND),
        ("hellocloud", deprecated, 0, AROUND),
    ] {
        let (server, machine, _) = logged_in(system, [reply]);
        // Where an answer is unclear, the session is asked for.
        server.rest(Reply::json(200, r#"{"success":true,"result":{}}"#));
        let outcome = machine.run_args(&["api", system, path(system)]);
        outcome.exits(code, system).says(&[said]);
        assert_eq!(outcome.stderr.is_empty(), said.is_empty(), "{outcome}");
    }
    // Gluocrm's own endpoint always says something.
    let rows = [
        (" -F operation=create", "", 6),
        ("?operation=query", "\r\n", 6),
        (" -X HEAD", "", 0),
    ];
    for (line, body, code) in rows {
        let (_server, machine, _) = logged_in("gluo", [html(body)]);
        let outcome = machine.run(&format!("api gluo /webservice.php{line}"));
        outcome.exits(code, line);
        let told = ["sent an empty answer", "look first"].map(|text| outcome.stderr.contains(text));
        assert_eq!(told, [code == 6, line.contains("create")], "{line}");
    }
    for system in systems() {
        let mut replies = vec![html(FATAL)];
        // Gluocrm's session may have lost its user: it is asked.
        replies.extend((system == "gluo").then(|| page(json!({}))));
        let (_server, machine, _) = logged_in(system, replies);
        let outcome = machine.run_args(&["api", system, path(system)]);
        let texts = ["its program ended without an answer"];
        outcome.gives(6, FATAL, system).says(&texts);
    }
}

#[test]
fn a_form_that_is_posted_takes_the_session_and_nothing_else_does() {
    for (arguments, in_body) in [
        ("-d|a=b", true),
        ("-X|POST", true),
        (
            "-d|a=b|-H|Content-Type: Application/X-WWW-Form-Urlencoded; charset=utf-8",
            true,
        ),
        ("-d|{}|-H|Content-Type: application/json", false),
        ("-d|a=b|-X|PUT", false),
        ("-F|a=b|-X|GET", false),
    ] {
        let (server, machine, before) = logged_in("gluo", [Reply::json(200, "{}")]);
        let words: Vec<&str> = arguments.split('|').collect();
        asks(&machine, "api gluo /x", &words).answer();
        let request = &server.received()[before];
        let places = [&request.target, &request.body].map(|text| text.contains("sessionName="));
        assert_eq!(places, [!in_body, in_body], "{arguments}: {request:?}");
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
        let session = format!("name=\"sessionName\"\r\n\r\n{token}\r\n");
        assert!(request.body.contains(&content) && request.body.contains(&session));
        let length = request.body.len().to_string();
        assert_eq!(request.header("content-length"), Some(&*length));
    }

    let (server, machine, before) = logged_in("zeev", [ok("1"), ok("2"), ok("3")]);
    machine.write("big", &content);
    machine.run("api zeev /x -d @big").answer();
    asks(&machine, "api zeev /x -d", &[""]).answer();
    let mut command = machine.line("api zeev /x -F a=@-");
    command.stdin(std::process::Stdio::piped());
    let mut piped = machine.start(command);
    feed(&mut piped, "@ana");
    assert_eq!(machine.end(piped).answer(), "3");
    let sent = server.received().split_off(before);
    let bodies: Vec<_> = sent.iter().map(|sent| sent.body.as_str()).collect();
    assert_eq!(bodies, [content.as_str(), "", r#"{"a":"@ana"}"#]);
    let huge = fs::File::create(machine.path("huge")).expect("a file");
    huge.set_len(1 << 30).expect("a length");
    machine.fails("api zeev /x -F a=@huge", 2, &["larger than 32 MiB"]);
}

#[test]
fn a_file_that_shrinks_while_it_is_sent_is_blamed_and_not_the_server() {
    let mut replies = vec![demo::of("gluo").dead()];
    replies.extend(login("gluo", "Nw2token"));
    let (server, machine, _) = logged_in("gluo", replies);
    machine.write("big", "x".repeat(300_000));
    let big = machine.path("big");
    server.watch(Arc::new(move || {
        let file = fs::File::options().write(true).open(&big).expect("a file");
        file.set_len(100_000).expect("a shorter file");
    }));
    let texts = ["ended early or cannot be read", "look first"];
    machine.fails("api gluo /x --upload big=@big", 1, &texts);
}

/// Pages share one session, also where nothing can be stored; a page that comes again ends the list.
#[test]
fn pages_need_one_login() {
    let body = |n: usize, rest: usize, more: bool| {
        json!({"data": rows(n, n + rest), "links": {"next": more.then_some("x")}}).to_string()
    };
    let page = |n: usize, more: bool| Reply::json(200, body(n, 2, more));
    let mut replies = login("hellocloud", TOKEN);
    replies.extend([page(0, true), page(2, true), page(4, false)]);
    let server = Server::start(replies);
    let machine = machine_at(&server);
    let outcome = machine.run("api hellocloud /Api/V8/module/Accounts --paginate --no-store");
    outcome.answer();
    assert_eq!(outcome.json(), json!(rows(0, 6)));

    let line = "api hellocloud /x --paginate";
    let (_server, machine, _) = logged_in("hellocloud", [page(0, true), page(0, true)]);
    machine.run(line).says(&["the same page twice"]);

    let note = "<br />\n<b>Deprecated</b>: x in /a.php<br />\n";
    let odd = |n: usize, more: bool| Reply::http(200, "text/html", body(n, 1, more) + note);
    let (_server, machine, _) = logged_in("hellocloud", [odd(0, true), odd(1, false)]);
    let outcome = machine.run(line);
    assert_eq!(outcome.json(), json!(rows(0, 2)));
    let told = outcome.stderr.matches("text around its JSON").count();
    assert_eq!(told, 1, "{outcome}");
    for (status, body, code, said) in [
        (200, r#"{"data":{"id":"1"}}"#, 6, "contains no list"),
        (500, r#"{"data":[]}"#, 6, "HTTP 500"),
        (200, "<html>", 6, "contains no list"),
    ] {
        let (_server, machine, _) = logged_in("hellocloud", [Reply::json(status, body)]);
        machine.fails(line, code, &[said]);
    }
}
