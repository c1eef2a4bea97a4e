//! What the pages of the systems show, played by the real program against a scripted server: each scene is a
//! machine with settings, the server's answers, and a command.

use serde_json::Value;

use crate::support::server::Nobody;
use crate::support::tls::Authority;
use crate::support::{Machine, Outcome, Reply, Server, demo};

/// A JWT as short as a page wants it.
pub const JWT: &str = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.EVGuRisoMxSIZut3";

/// A scene.
pub struct Scene {
    /// The name that a page calls it by.
    pub name: &'static str,
    system: &'static str,
    command: &'static str,
    /// Commands that come before it and are not shown.
    before: &'static [&'static str],
    settings: Vec<(&'static str, &'static str)>,
    env_file: &'static str,
    answers: Vec<Answer>,
    server: Kind,
}

/// What stands at the URL.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A server that answers as the scene says.
    Scripted,
    /// Nothing.
    Nobody,
    /// A server that never answers.
    Silent,
    /// A server whose certificate nobody vouches for.
    Untrusted,
    /// A server whose certificate is too old.
    Expired,
}

/// One answer of the server.
#[derive(Clone)]
struct Answer {
    status: u16,
    headers: Vec<(&'static str, &'static str)>,
    body: String,
}

/// A scene that was played.
pub struct Played {
    /// The command with what it printed, as a terminal shows it, and the exit code where it is not 0.
    pub terminal: String,
    /// The requests and answers.
    pub wire: String,
}

impl Scene {
    pub fn command(mut self, command: &'static str) -> Self {
        self.command = command;
        self
    }

    pub fn after(mut self, before: &'static [&'static str]) -> Self {
        self.before = before;
        self
    }

    /// Sets a setting, or with an empty value takes one away.
    pub fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value));
        self
    }

    /// Settings of a `./.env` in place of those so far.
    pub fn env_file(mut self, text: &'static str) -> Self {
        self.env_file = text;
        self.settings.clear();
        self
    }

    fn at(mut self, server: Kind) -> Self {
        self.server = server;
        self
    }

    pub fn json(self, body: &Value) -> Self {
        self.status(200, body)
    }

    pub fn status(mut self, status: u16, body: &Value) -> Self {
        let headers = vec![("Content-Type", "application/json")];
        self.answers.push(Answer {
            status,
            headers,
            body: body.to_string(),
        });
        self
    }

    pub fn html(mut self, status: u16, body: &str) -> Self {
        self.answers.push(Answer {
            status,
            headers: vec![("Content-Type", "text/html")],
            body: body.to_owned(),
        });
        self
    }

    pub fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.answers
            .last_mut()
            .expect("an answer")
            .headers
            .push((name, value));
        self
    }

    /// Plays it in a language; `url` is the base URL that the page shows in place of the test server's.
    pub fn play(&self, lang: &str, url: &str) -> Played {
        let (authority, nobody) = (Authority::new(), Nobody::new());
        let server = self.start(&authority);
        let (base, host) = match self.server {
            Kind::Nobody => (format!("http://{}", nobody.host()), nobody.host()),
            _ => (server.url(), server.host()),
        };
        let mut machine = Machine::new();
        machine.set("CRMAUTH_LANG", lang);
        if self.server == Kind::Expired {
            let ca = machine.write("ca.pem", authority.pem());
            machine.set("SSL_CERT_FILE", ca.to_str().expect("UTF-8"));
        }
        if self.env_file.is_empty() {
            machine.set(&format!("{}_URL", self.system.to_uppercase()), &base);
        } else {
            machine.write(".env", self.env_file);
        }
        for (name, value) in self.settings.iter().filter(|(_, value)| !value.is_empty()) {
            machine.set(name, value);
        }
        self.before
            .iter()
            .for_each(|command| drop(machine.run(command)));
        let outcome = machine.run_args(&self.command.split(' ').collect::<Vec<_>>());
        let shown = |text: &str| {
            let (_, its) = url.split_once("://").expect("a URL");
            let home = machine.root().join("home").display().to_string();
            timeless(
                &text
                    .replace(&base, url)
                    .replace(&host, its)
                    .replace(&home, "/home/ana"),
            )
        };
        Played {
            terminal: shown(&self.terminal(&outcome)),
            wire: shown(&self.wire(&server)),
        }
    }

    fn start(&self, authority: &Authority) -> Server {
        let answers = self.answers.iter();
        let answers =
            answers.map(|answer| Reply::with_headers(answer.status, &answer.headers, &answer.body));
        match self.server {
            Kind::Scripted | Kind::Nobody => Server::start(answers.collect()),
            Kind::Silent => Server::start(vec![Reply::Silence]),
            Kind::Untrusted => Server::start_tls(authority.server("127.0.0.1"), Vec::new()),
            Kind::Expired => Server::start_tls(authority.expired("127.0.0.1"), Vec::new()),
        }
    }

    fn terminal(&self, outcome: &Outcome) -> String {
        let Outcome {
            code,
            stdout,
            stderr,
        } = outcome;
        let code = if *code == 0 {
            String::new()
        } else {
            format!("$ echo $?\n{code}\n")
        };
        format!("$ crmauth {}\n{stderr}{stdout}{code}", self.command)
    }

    fn wire(&self, server: &Server) -> String {
        let mut wire = String::new();
        for (request, answer) in server.received().iter().zip(&self.answers) {
            wire.push_str(&format!("{} {} HTTP/1.1\n", request.method, request.target));
            for name in ["Accept", "Authorization", "Content-Type"] {
                if let Some(value) = request.header(name) {
                    wire.push_str(&format!("{name}: {value}\n"));
                }
            }
            wire.push_str(&format!(
                "{}\nHTTP/1.1 {}\n",
                body(&request.body),
                answer.status
            ));
            wire.push_str(&format!("{}\n", body(&answer.body)));
        }
        wire.trim_end().to_owned() + "\n"
    }
}

/// A body behind its empty line, JSON on lines of its own.
fn body(text: &str) -> String {
    let pretty = serde_json::from_str::<Value>(text)
        .ok()
        .map(|value| format!("{value:#}"));
    let text = pretty.unwrap_or_else(|| text.to_owned());
    if text.is_empty() {
        text
    } else {
        format!("\n{text}\n")
    }
}

/// Times of this run as one that always was, by the clocks of machines and of people.
fn timeless(text: &str) -> String {
    const TIMES: [(&str, &str); 2] = [
        ("0000-00-00T00:00:00Z", "2026-11-20T12:00:00Z"),
        ("0000-00-00 00:00 UTC", "2026-11-20 09:00 -03"),
    ];
    let begins = |text: &str, shape: &str| {
        let begin = text.get(..shape.len()).unwrap_or_default();
        begin.replace(|c: char| c.is_ascii_digit(), "0") == shape
    };
    let mut result = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match TIMES.iter().find(|(shape, _)| begins(rest, shape)) {
            Some((shape, time)) => {
                result.push_str(time);
                rest = &rest[shape.len()..];
            }
            None => {
                result.push(c);
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    result
}

/// The scenes of a system's page, or of the page on errors that every system knows.
pub fn of(page: &str) -> Vec<Scene> {
    if page == "errors" {
        errors()
    } else {
        (demo::of(page).scenes)()
    }
}

pub fn scene(
    name: &'static str,
    system: &'static str,
    command: &'static str,
    settings: &[(&'static str, &'static str)],
) -> Scene {
    let settings = settings.to_vec();
    Scene {
        name,
        system,
        command,
        before: &[],
        settings,
        env_file: "",
        answers: Vec::new(),
        server: Kind::Scripted,
    }
}

/// What every system has in common, shown with Zeev.
fn errors() -> Vec<Scene> {
    let scene = |name| {
        let settings = [
            ("ZEEV_USERNAME", "maria"),
            ("ZEEV_PASSWORD", "aS3nhaD4M4ria"),
        ];
        scene(name, "zeev", "login zeev", &settings)
    };
    vec![
        scene("mistyped").command("login zev"),
        scene("planted")
            .env_file("ZEEV_URL=https://empresa.zeev.it\n")
            .with("ZEEV_API_TOKEN", "zV7Kq2Xw9Lm4Rt"),
        scene("another server")
            .env_file("ZEEV_URL=https://filial.zeev.it\nZEEV_API_TOKEN=zV7Kq2Xw9Lm4Rt\n")
            .with("ZEEV_URL", "https://empresa.zeev.it"),
        scene("no name").with("ZEEV_URL", "https://empresa-zeev.invalid"),
        scene("closed port").at(Kind::Nobody),
        scene("unknown issuer").at(Kind::Untrusted),
        scene("expired").at(Kind::Expired),
        scene("silent")
            .at(Kind::Silent)
            .command("login zeev --timeout 1"),
        scene("away").html(503, "<title>Service Unavailable</title>"),
        scene("no session").command("token zeev --cached"),
        scene("no folder").command("login zeev -o sessions/zeev.txt"),
    ]
}
