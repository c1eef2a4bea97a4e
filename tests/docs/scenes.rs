//! What the pages of the systems show, played by the real program against a scripted server: each scene is a
//! machine with settings, the server's answers, and a command.

use serde_json::{Value, json};

use crate::support::server::Nobody;
use crate::support::tls::Authority;
use crate::support::{Machine, Outcome, Reply, Server};

/// The session of the good answers where it is no JWT.
const SESSION: &str = "5e430dfb6b01eedbb2fc0";
/// A JWT as short as a page wants it.
const JWT: &str = "eyJ0eXAiOiJKV1QifQ.eyJzdWIiOiIxIn0.EVGuRisoMxSIZut3";
/// SystemsWay's session: the seed document's.
const ID: &str = "EB078EB1ABFC9722EBAB9BA3DD303AFD37DD1AE50A791CBA16ABEE0A727029DF";

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
    fn command(mut self, command: &'static str) -> Self {
        self.command = command;
        self
    }

    fn after(mut self, before: &'static [&'static str]) -> Self {
        self.before = before;
        self
    }

    /// Sets a setting, or with an empty value takes one away.
    fn with(mut self, name: &'static str, value: &'static str) -> Self {
        self.settings.retain(|(other, _)| *other != name);
        self.settings.push((name, value));
        self
    }

    /// Settings of a `./.env` in place of those so far.
    fn env_file(mut self, text: &'static str) -> Self {
        self.env_file = text;
        self.settings.clear();
        self
    }

    fn at(mut self, server: Kind) -> Self {
        self.server = server;
        self
    }

    fn json(self, body: &Value) -> Self {
        self.status(200, body)
    }

    fn status(mut self, status: u16, body: &Value) -> Self {
        let headers = vec![("Content-Type", "application/json")];
        self.answers.push(Answer { status, headers, body: body.to_string() });
        self
    }

    fn html(mut self, status: u16, body: &str) -> Self {
        self.answers.push(Answer {
            status,
            headers: vec![("Content-Type", "text/html")],
            body: body.to_owned(),
        });
        self
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.answers.last_mut().expect("an answer").headers.push((name, value));
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
        self.before.iter().for_each(|command| drop(machine.run(command)));
        let outcome = machine.run_args(&self.command.split(' ').collect::<Vec<_>>());
        let shown = |text: &str| {
            let (_, its) = url.split_once("://").expect("a URL");
            let home = machine.root().join("home").display().to_string();
            timeless(&text.replace(&base, url).replace(&host, its).replace(&home, "/home/ana"))
        };
        Played { terminal: shown(&self.terminal(&outcome)), wire: shown(&self.wire(&server)) }
    }

    fn start(&self, authority: &Authority) -> Server {
        let answers = self.answers.iter();
        let answers = answers.map(|answer| Reply::with_headers(answer.status, &answer.headers, &answer.body));
        match self.server {
            Kind::Scripted | Kind::Nobody => Server::start(answers.collect()),
            Kind::Silent => Server::start(vec![Reply::Silence]),
            Kind::Untrusted => Server::start_tls(authority.server("127.0.0.1"), Vec::new()),
            Kind::Expired => Server::start_tls(authority.expired("127.0.0.1"), Vec::new()),
        }
    }

    fn terminal(&self, outcome: &Outcome) -> String {
        let Outcome { code, stdout, stderr } = outcome;
        let code = if *code == 0 { String::new() } else { format!("$ echo $?\n{code}\n") };
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
            wire.push_str(&format!("{}\nHTTP/1.1 {}\n", body(&request.body), answer.status));
            wire.push_str(&format!("{}\n", body(&answer.body)));
        }
        wire.trim_end().to_owned() + "\n"
    }
}

/// A body behind its empty line, JSON on lines of its own.
fn body(text: &str) -> String {
    let pretty = serde_json::from_str::<Value>(text).ok().map(|value| format!("{value:#}"));
    let text = pretty.unwrap_or_else(|| text.to_owned());
    if text.is_empty() { text } else { format!("\n{text}\n") }
}

/// Times of this run as one that always was.
fn timeless(text: &str) -> String {
    let is_time = |text: &str| {
        let shape: String = text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        shape == "0000-00-00T00:00:00Z"
    };
    let mut result = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        match rest.get(..20).filter(|text| is_time(text)) {
            Some(_) => {
                result.push_str("2026-11-20T12:00:00Z");
                rest = &rest[20..];
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
    match page {
        "gluo" => gluo(),
        "hellocloud" => hellocloud(),
        "systemsway" => systemsway(),
        "broker" => broker(),
        "zeev" => zeev(),
        "errors" => errors(),
        _ => panic!("tests/docs/scenes.rs has no scenes for the page {page}"),
    }
}

fn scene(
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

fn gluo() -> Vec<Scene> {
    let scene = |name| {
        let settings = [("GLUO_USERNAME", "integracao"), ("GLUO_ACCESS_KEY", "fZ3kT8wQ1xYb6LmN")];
        scene(name, "gluo", "login gluo", &settings)
    };
    let challenge = json!({ "success": true, "result": {
        "token": "6b01eedb68214", "serverTime": 1_795_288_795, "expireTime": 1_795_289_095,
    } });
    let good = json!({ "success": true, "result": {
        "sessionName": SESSION, "userId": "19x1", "version": "0.22", "vtigerVersion": "8.0.0",
    } });
    let error = |code: &str, message: &str| json!({ "success": false, "error": { "code": code, "message": message } });
    let wrong = error("INVALID_USER_CREDENTIALS", "Invalid username or password");
    vec![
        scene("login").json(&challenge).json(&good),
        scene("wrong key").json(&challenge).json(&wrong).json(&challenge).json(&wrong),
        scene("unknown user").json(&error("ACCESS_DENIED", "username does not exists")),
        scene("web page").html(200, "<!DOCTYPE html><title>Gluocrm</title>"),
        scene("redirect").html(301, "").header("Location", "https://crm.empresa.com.br/gluo/"),
        scene("missing").with("GLUO_ACCESS_KEY", ""),
        scene("dollar").env_file(
            "GLUO_URL=empresa.gluocrm.com.br\nGLUO_USERNAME=integracao\nGLUO_ACCESS_KEY=fZ3k$T8w\n",
        ),
        scene("logout")
            .after(&["login gluo"])
            .command("logout gluo")
            .json(&challenge)
            .json(&good)
            .html(500, ""),
    ]
}

fn hellocloud() -> Vec<Scene> {
    let scene = |name| {
        let settings = [
            ("HELLOCLOUD_CLIENT_ID", "3d7f3fda-97d8-e2b9-ad89-5a2fe9b07650"),
            ("HELLOCLOUD_CLIENT_SECRET", "oS3gr3doD0Cl1ente"),
        ];
        scene(name, "hellocloud", "login hellocloud", &settings)
    };
    let with_user =
        |name| scene(name).with("HELLOCLOUD_USERNAME", "maria").with("HELLOCLOUD_PASSWORD", "aS3nhaD4M4ria");
    let good = json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": JWT });
    let renewable = json!({
        "token_type": "Bearer", "expires_in": 3600, "access_token": JWT, "refresh_token": "def50200d2fb757e4c01",
    });
    let unknown =
        |message: &str| json!({ "error": "unknown_error", "error_description": message, "message": message });
    let client = json!({ "error": "invalid_client", "message": "Client authentication failed" });
    vec![
        scene("client credentials").json(&good),
        with_user("password").json(&renewable),
        scene("wrong secret").status(401, &client),
        scene("escaped").with("HELLOCLOUD_CLIENT_SECRET", "o<segredo>").status(401, &client),
        scene("unknown client").status(
            500,
            &unknown("OAuth2Clients module with id 3d7f3fda-97d8-e2b9-ad89-5a2fe9b07650 is not found"),
        ),
        with_user("wrong password").status(500, &unknown("The password is invalid: aS3nhaD4M4ria")),
        with_user("locked").status(401, &json!({ "error": "lockout_reached", "message": "lockout_reached" })),
        scene("rewriting").html(404, "<title>404 Not Found</title>").json(&good),
        scene("legacy").html(404, "<title>404 Not Found</title>").html(404, "<title>404 Not Found</title>"),
        scene("keys").html(500, ""),
    ]
}

fn systemsway() -> Vec<Scene> {
    let scene = |name| {
        let settings = [("SYSTEMSWAY_USERNAME", "admin"), ("SYSTEMSWAY_PASSWORD", "teste")];
        scene(name, "systemsway", "login systemsway", &settings)
    };
    let good = json!({ "Status": "OK", "IDSessao": ID, "Message": "Login Realizado com sucesso" });
    let refused = json!({ "Status": "ERROR", "IDSessao": "", "Message": "Usuário ou senha estão inválidos" });
    vec![
        scene("login").json(&good),
        scene("refused").json(&refused),
        scene("no hash").with("SYSTEMSWAY_PASSWORD", "").with("SYSTEMSWAY_PASSWORD_SHA256", "46070D4B"),
        scene("lost seat").after(&["login systemsway"]).json(&good).json(&good),
        scene("in clear").with("SYSTEMSWAY_URL", "http://203.0.113.7:5000"),
        scene("wrong URL").html(404, "<title>404</title>"),
    ]
}

fn broker() -> Vec<Scene> {
    let scene = |name| {
        let settings = [("BROKER_USERNAME", "loja"), ("BROKER_PASSWORD", "aS3nhaD4Loja")];
        scene(name, "broker", "login broker", &settings)
    };
    let with_partner = |name| {
        scene(name)
            .with("BROKER_PARTNER_USERNAME", "parceiro")
            .with("BROKER_PARTNER_PASSWORD", "aS3nhaD0Parceiro")
    };
    let good = |user: &str| {
        json!({
            "Created": 1_795_288_800, "Expires_In": 3600, "Access_Token": JWT, "Token_Type": "Bearer",
            "UserId": user, "RoleLevel": 0, "IdEstabelecimento": 42, "CodigoRetorno": 1, "MensagemRetorno": "Sucesso",
        })
    };
    let partner = good("5f0f1e2d-0000-4000-8000-000000000001");
    // What names no time lasts, whenever this is played.
    let short = json!({ "Access_Token": JWT, "Expires_In": 3600, "CodigoRetorno": 1 });
    let shop = good("5f0f1e2d-0000-4000-8000-000000000002");
    let refused = json!({ "CodigoRetorno": 99, "MensagemRetorno": "Usuário ou senha inválidos" });
    vec![
        with_partner("login").json(&partner).json(&shop),
        with_partner("refused").json(&short).json(&refused),
        scene("no partner").status(401, &json!({ "message": "Unauthorized" })),
        with_partner("partner refused").json(&refused),
        scene("half a partner").with("BROKER_PARTNER_USERNAME", "parceiro"),
    ]
}

fn zeev() -> Vec<Scene> {
    let scene = |name| {
        let settings = [("ZEEV_USERNAME", "maria"), ("ZEEV_PASSWORD", "aS3nhaD4M4ria")];
        scene(name, "zeev", "login zeev", &settings)
    };
    let person = |id: u32, name: &str, username: &str, token: &str| json!({ "id": id, "userId": id, "name": name, "username": username, "temporaryToken": token });
    let maria = json!({
        "userId": 7, "name": "Maria Souza", "username": "maria", "temporaryToken": "tmp7Qk2Xw9Lm4RtZ",
    });
    let both = json!({
        "current": person(7, "Maria Souza", "maria", "tmp8Rt5Yp3Wn6Vb1"),
        "impersonate": person(9, "João Lima", "joao.lima", "tmp3Ed7Cr1Fv5Gb2"),
    });
    let none = json!({ "message": "Not found" });
    vec![
        scene("login").json(&maria),
        scene("impersonate").command("login zeev --as joao.lima").json(&maria).json(&both),
        scene("refused").status(401, &json!({ "message": "Unauthorized" })),
        scene("may not").command("login zeev --as joao.lima").json(&maria).status(403, &none),
        scene("nobody").command("login zeev --as joao.lyma").json(&maria).status(404, &none),
        scene("too many").html(429, ""),
        scene("two ways").with("ZEEV_API_TOKEN", "zV7Kq2Xw9Lm4Rt"),
    ]
}

/// What every system has in common, shown with Zeev.
fn errors() -> Vec<Scene> {
    let scene = |name| {
        let settings = [("ZEEV_USERNAME", "maria"), ("ZEEV_PASSWORD", "aS3nhaD4M4ria")];
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
        scene("silent").at(Kind::Silent).command("login zeev --timeout 1"),
        scene("away").html(503, "<title>Service Unavailable</title>"),
        scene("no session").command("token zeev --cached"),
        scene("no folder").command("login zeev -o sessions/zeev.txt"),
    ]
}
