//! What changes something is done at most once: generated answers, interruptions, rivals and expiries before a server
//! that counts what it has done. `CRMAUTH_TEST_CASES=1000000` makes more of them, `CRMAUTH_TEST_SEED` others.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::TcpListener as Listener;
use std::rc::Rc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crmauth::http::{Effect, Http, Method, Part, Proxies, Request};
use crmauth::lifecycle::{Account, Active, Services, Want};
use crmauth::report::{Manner, Report};
use crmauth::settings::{self, Sources};
use crmauth::store::Store;
use crmauth::tls::{CaLocations, Trust};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::support::{Machine, at_once, demo, number, split_mix};

const SYSTEMS: [&str; 3] = ["gluo", "hellocloud", "systemsway"];
/// Cases of all systems.
const IN_PROCESS: u64 = 10_002;
const BY_BINARY: usize = 300;

struct Random(u64);

impl Random {
    fn below(&mut self, most: usize) -> usize {
        usize::try_from(split_mix(&mut self.0) % most.max(1) as u64).expect("small")
    }

    fn percent(&mut self, chance: usize) -> bool {
        self.below(100) < chance
    }

    fn of<'a>(&mut self, texts: &[&'a str]) -> &'a str {
        texts[self.below(texts.len())]
    }
}

/// What becomes of a request's answer.
enum Answer {
    Whole(u16, &'static str, String),
    /// The connection ends in the middle of the body.
    Cut(String),
    /// The connection ends, or nothing comes.
    Lost,
    Silence,
}

/// What somebody between client and server answers, whether or not the request went on.
const BETWEEN: [(u16, &str, &str); 9] = [
    (502, "text/html", "<html>Bad Gateway"),
    (503, "text/html", ""),
    (504, "text/html", "<html>Gateway Time-out"),
    (401, "text/html", "<html>INVALID_SESSIONID"),
    (401, "application/json", "{}"),
    (403, "application/json", r#"{"error":"access_denied"}"#),
    (302, "text/html", ""),
    (429, "text/plain", ""),
    (
        200,
        "text/html",
        "<!DOCTYPE html>{\"success\":false,\"error\":{\"code\":\"INVALID_SESSIONID\"}}",
    ),
];

/// What a request that was done is answered with: all of it looks like a refusal of the session to somebody who does not
/// look closely.
const DONE: [&str; 9] = [
    r#"{"success":true,"result":{"id":"17x1","title":"INVALID_SESSIONID"}}"#,
    r#"{"success":true,"error":{"code":"INVALID_SESSIONID"},"result":{}}"#,
    r#"{"success":false,"error":{"code":"ACCESS_DENIED","message":"no such owner: INVALID_SESSIONID"}}"#,
    r#"{"success":false,"result":{"id":"17x1"},"error":{"code":"INVALID_SESSIONID"}}"#,
    r#"{"data":{"error":"access_denied","hint":"Access token has been revoked"}}"#,
    r#"{"Status":"OK","Message":"\"Status\":\"ERROR\""}"#,
    r#"{"codigo":"00","Usuario":{"Status":"ERROR"}}"#,
    r#"[{"Status":"ERROR"}]"#,
    "",
];

const CRASHES: [(u16, &str); 4] = [
    (500, ""),
    (500, "<b>Fatal error</b>:  x"),
    (
        200,
        "<br />\n<b>Fatal error</b>:  Uncaught TypeError in /a.php:1",
    ),
    (200, "Sorry! Attempt to access restricted file."),
];

/// The server.
struct Model {
    system: &'static str,
    random: Random,
    alive: BTreeSet<String>,
    /// Sessions without a user.
    broken: BTreeSet<String>,
    sessions: usize,
    done: Vec<u32>,
    asked: Vec<u32>,
    /// How often in a hundred something comes between, and an answer never comes.
    trouble: usize,
    silence: usize,
}

impl Model {
    fn new(system: &'static str, seed: u64, cases: usize, silence: usize) -> Self {
        Self {
            system,
            random: Random(seed),
            alive: BTreeSet::new(),
            broken: BTreeSet::new(),
            sessions: 0,
            done: vec![0; cases],
            asked: vec![0; cases],
            trouble: 8,
            silence,
        }
    }

    fn answer(&mut self, target: &str, head: &str, body: &str) -> Answer {
        let session = self.session(target, head, body);
        if let Some(case) = target.split("case=").nth(1) {
            let case = case.split('&').next().and_then(|case| case.parse().ok());
            return self.user(case.expect("a number"), &session);
        }
        if self.random.percent(self.trouble) {
            return self.between();
        }
        if target.contains("getchallenge") {
            return ok(
                r#"{"success":true,"result":{"token":"1","serverTime":1,"expireTime":2}}"#.into(),
            );
        }
        if ["operation=login", "grant_type", "\"Passwd\""]
            .iter()
            .any(|word| body.contains(word))
        {
            return self.login();
        }
        // Whether the session lives.
        self.strike(&session);
        match self.alive.contains(&session) {
            true if self.system == "systemsway" => ok("[]".into()),
            true => ok(r#"{"success":true,"result":{},"data":{}}"#.into()),
            false => self.refusal(&session),
        }
    }

    /// The session that a request carries.
    fn session(&self, target: &str, head: &str, body: &str) -> String {
        let between = |text: &str, start: &str| {
            let rest = text.split(start).nth(1).unwrap_or_default();
            rest.split(['&', '?', '\r', ' '])
                .next()
                .unwrap_or_default()
                .to_owned()
        };
        match self.system {
            "gluo" => between(&[target, "&", body].concat(), "sessionName="),
            "hellocloud" => between(head, "Bearer "),
            _ => between(target, "Usuario/"),
        }
    }

    /// The request that must not be done twice.
    fn user(&mut self, case: usize, session: &str) -> Answer {
        self.asked[case] += 1;
        self.strike(session);
        if self.random.percent(self.trouble) {
            return self.between();
        }
        if !self.alive.contains(session) {
            return self.refusal(session);
        }
        let crash = self.random.percent(15);
        if crash && self.random.percent(30) || self.random.percent(5) {
            // Refused for its content, or dead before it was done.
            return match (crash, self.system) {
                (true, _) => self.crash(),
                (_, "systemsway") => ok(r#"{"Status":"ERROR","Message":"Ja Existe"}"#.into()),
                _ => ok(
                    r#"{"success":false,"error":{"code":"ACCESS_DENIED","message":"x"}}"#.into(),
                ),
            };
        }
        self.done[case] += 1;
        // Whoever asks now finds it dead.
        self.strike(session);
        if crash {
            return self.crash();
        }
        if self.random.percent(25) {
            return self.between();
        }
        let text = self.random.of(&DONE);
        // What this system says only of a request that it has not carried out.
        let refuses = self.system == "systemsway"
            && text.contains(r#"{"Status":"ERROR"#)
            && !text.starts_with('[');
        self.spoilt(if refuses {
            String::new()
        } else {
            text.to_owned()
        })
    }

    /// Time passes: the session dies, or a rival's login ends it, or somebody revives it without a user.
    fn strike(&mut self, session: &str) {
        if self.random.percent(20)
            && self.alive.remove(session)
            && self.random.percent(30)
            && self.system == "gluo"
        {
            self.broken.insert(session.to_owned());
        }
    }

    fn login(&mut self) -> Answer {
        if self.system == "gluo" && self.random.percent(5) {
            let code = self
                .random
                .of(&["INVALID_USER_CREDENTIALS", "INVALID_AUTH_TOKEN"]);
            return ok(format!(
                r#"{{"success":false,"error":{{"code":"{code}"}}}}"#
            ));
        }
        if self.system == "systemsway" {
            self.alive.clear();
        }
        self.sessions += 1;
        let session = format!("S{}x", self.sessions);
        self.alive.insert(session.clone());
        ok(match self.system {
            "gluo" => format!(
                r#"{{"success":true,"result":{{"sessionName":"{session}","userId":"19x1"}}}}"#
            ),
            "hellocloud" => {
                format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{session}"}}"#)
            }
            _ => format!(r#"{{"Status":"OK","IDSessao":"{session}"}}"#),
        })
    }

    fn refusal(&mut self, session: &str) -> Answer {
        if self.broken.contains(session) {
            return self.crash();
        }
        let text = match self.system {
            "gluo" => {
                let code =
                    self.random
                        .of(&["INVALID_SESSIONID", "SESSION_EXPIRED", "SESSION_LEFT_IDLE"]);
                format!(r#"{{"success":false,"error":{{"code":"{code}","message":"x"}}}}"#)
            }
            "hellocloud" => {
                let body = r#"{"error":"access_denied","hint":"Access token has been revoked"}"#;
                return Answer::Whole(401, "application/json", body.to_owned());
            }
            _ => r#"{"Status":"ERROR","IDSessao":"","Message":"x"}"#.to_owned(),
        };
        self.spoilt(text)
    }

    fn crash(&mut self) -> Answer {
        let (status, text) = CRASHES[self.random.below(CRASHES.len())];
        Answer::Whole(status, "text/html", text.to_owned())
    }

    fn between(&mut self) -> Answer {
        match self.random.below(BETWEEN.len() + 2) {
            0 if self.random.percent(self.silence) => Answer::Silence,
            0 | 1 => Answer::Lost,
            place => {
                let (status, kind, text) = BETWEEN[place - 2];
                Answer::Whole(status, kind, text.to_owned())
            }
        }
    }

    /// With PHP's text before it, or cut.
    fn spoilt(&mut self, text: String) -> Answer {
        let noise = "<br />\n<b>Deprecated</b>:  INVALID_SESSIONID in <b>/a.php</b> on line <b>1</b><br />\n";
        match self.random.below(10) {
            0 => Answer::Cut(text),
            1 if !text.is_empty() => ok([noise, &text].concat()),
            2 if !text.is_empty() && self.random.percent(10) => {
                ok([&noise.repeat(1 + self.random.below(900)), text.as_str()].concat())
            }
            _ => ok(text),
        }
    }
}

fn ok(body: String) -> Answer {
    Answer::Whole(200, "application/json", body)
}

/// The bytes of an answer, and whether the connection ends after them; `None` for no answer.
fn bytes(answer: Answer) -> (Option<Vec<u8>>, bool) {
    let head = |status, kind: &str, length| {
        format!(
            "HTTP/1.1 {status} x\r\nContent-Type: {kind}\r\nLocation: /x\r\nContent-Length: {length}\r\n\r\n"
        )
    };
    match answer {
        Answer::Whole(status, kind, body) => {
            (Some((head(status, kind, body.len()) + &body).into()), false)
        }
        Answer::Cut(body) => (
            Some((head(200, "text/html", body.len() + 9) + &body).into()),
            true,
        ),
        Answer::Lost => (Some(Vec::new()), true),
        Answer::Silence => (None, true),
    }
}

/// The length of a request that is whole; its head, target and body.
fn parse(buffer: &[u8]) -> Option<(usize, String, String, String)> {
    let end = buffer.windows(4).position(|part| part == b"\r\n\r\n")? + 4;
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    let lower = head.to_ascii_lowercase();
    let length = lower
        .split("content-length: ")
        .nth(1)
        .and_then(|rest| rest.split("\r\n").next());
    let length: usize = length.map_or(0, |length| length.parse().expect("a length"));
    let body = String::from_utf8_lossy(buffer.get(end..end + length)?).into_owned();
    let target = head.split(' ').nth(1).expect("a target").to_owned();
    Some((end + length, head, target, body))
}

async fn serve(listener: TcpListener, model: Rc<RefCell<Model>>) {
    loop {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let model = Rc::clone(&model);
        tokio::task::spawn_local(async move {
            let (mut buffer, mut part) = (Vec::new(), [0; 4096]);
            while let Ok(read @ 1..) = stream.read(&mut part).await {
                buffer.extend_from_slice(&part[..read]);
                while let Some((length, head, target, body)) = parse(&buffer) {
                    buffer.drain(..length);
                    let answer = model.borrow_mut().answer(&target, &head, &body);
                    let (answer, ends) = bytes(answer);
                    match answer {
                        Some(answer) => stream.write_all(&answer).await.unwrap_or_default(),
                        None => std::future::pending().await,
                    }
                    if ends {
                        return;
                    }
                }
            }
        });
    }
}

/// Cases of a system in a process whose clock stands still unless everybody waits.
fn in_process(system: &'static str, seed: u64, cases: usize) -> Model {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .expect("a runtime");
    let model = Rc::new(RefCell::new(Model::new(system, seed, cases, 50)));
    let work = async {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let url = format!("http://{}", listener.local_addr().expect("an address"));
        tokio::task::spawn_local(serve(listener, Rc::clone(&model)));
        let (minute, places) = (
            Duration::from_secs(30),
            CaLocations {
                file: None,
                folders: Vec::new(),
            },
        );
        let trust = Rc::new(Trust::new(places, None, minute).await.expect("no CA file"));
        let http = Http::new(Proxies::default(), trust, minute);
        let report = Rc::new(Report::new(Manner {
            quiet: true,
            ..Manner::default()
        }));
        let services = Services::new(report, http, Store::memory(None), minute);
        let demo = demo::of(system);
        let mut vars = vec![(demo.variable("URL"), url)];
        let settings = demo.settings.iter().chain([&demo.secret]);
        vars.extend(settings.map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        let sources = Sources::only(vars);
        let target = settings::target(system).expect("a system");
        let account = Account::find(&services, &sources, &target, None).await;
        let account = account.expect("an account");
        for case in 0..cases {
            let make = |login: &Active<'_>| {
                let request = Request::new(Method::POST, login.place(&user_path(system, case)));
                let request = request
                    .effect(Effect::Change)
                    .parts(vec![Part::bytes(b"b=1".to_vec())]);
                match system {
                    "hellocloud" => request.bearer(&login.session.token),
                    _ => request,
                }
            };
            let login = account.again().session(&Want::Usable(Duration::ZERO));
            let Ok(login) = login.await else {
                continue;
            };
            let Ok((_, mut answer, _)) = login.exchange(make).await else {
                continue;
            };
            while let Ok(Some(_)) = answer.response.next().await {}
        }
    };
    let tasks = tokio::task::LocalSet::new();
    tasks.block_on(&runtime, work);
    drop(tasks);
    drop(runtime);
    Rc::into_inner(model)
        .expect("the server has ended")
        .into_inner()
}

fn user_path(system: &str, case: usize) -> String {
    match system {
        "systemsway" => format!("/api/Usuario/{{session}}?case={case}"),
        _ => format!("/own?case={case}"),
    }
}

/// The same against the program itself, which keeps its sessions from case to case.
fn by_binary(system: &'static str, seed: u64, cases: usize) -> Model {
    let listener = Listener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let model = Arc::new(Mutex::new(Model::new(system, seed, cases, 0)));
    let server = Arc::clone(&model);
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (mut stream, model) = (stream.expect("a connection"), Arc::clone(&server));
            std::thread::spawn(move || {
                let (mut buffer, mut part) = (Vec::new(), [0; 4096]);
                while let Ok(read @ 1..) = stream.read(&mut part) {
                    buffer.extend_from_slice(&part[..read]);
                    while let Some((length, head, target, body)) = parse(&buffer) {
                        buffer.drain(..length);
                        let answer = model
                            .lock()
                            .expect("no panic")
                            .answer(&target, &head, &body);
                        let (answer, ends) = bytes(answer);
                        let sent = answer.is_some_and(|answer| stream.write_all(&answer).is_ok());
                        if ends || !sent {
                            return;
                        }
                    }
                }
            });
        }
    });
    let mut machine = Machine::new();
    demo::of(system).settle(&mut machine, &url);
    for case in 0..cases {
        machine.run_args(&["api", system, &user_path(system, case), "-d", "b=1"]);
    }
    let mut model = model.lock().expect("no panic");
    std::mem::replace(&mut *model, Model::new(system, 0, 0, 0))
}

fn check(model: &Model, seed: u64) {
    let system = model.system;
    let most = model.done.iter().max().expect("a case");
    let case = model.done.iter().position(|done| done == most);
    assert!(
        *most <= 1,
        "{system}, seed {seed}: case {case:?} was done {most} times"
    );
    // It would hold as well if nothing were ever done, or asked for again.
    let share = |counts: &[u32], count| {
        counts.iter().filter(|own| **own == count).count() * 100 / counts.len()
    };
    assert!(
        share(&model.done, 1) > 30,
        "{system}, seed {seed}: {} % done",
        share(&model.done, 1)
    );
    assert!(
        share(&model.asked, 2) > 3,
        "{system}, seed {seed}: {} % repeated",
        share(&model.asked, 2)
    );
}

#[test]
fn nothing_is_done_twice() {
    let cases = number("CRMAUTH_TEST_CASES").unwrap_or(IN_PROCESS);
    let cases = usize::try_from(cases).expect("cases") / SYSTEMS.len();
    let seed = number("CRMAUTH_TEST_SEED").unwrap_or(7);
    at_once(SYSTEMS, |system| {
        check(&in_process(system, seed, cases), seed);
    });
}

#[test]
fn nothing_is_done_twice_by_the_program() {
    at_once(SYSTEMS, |system| {
        check(&by_binary(system, 11, BY_BINARY / SYSTEMS.len()), 11)
    });
}
