//! What a named account takes from the default one: its URL, and at that URL whole groups of what belongs together.

use serde_json::{Value, json};

use crate::support::server::Received;
use crate::support::{Machine, Outcome, Reply, Server, canned};

/// What an account's URL is, beside the default account's `{main}/base`: the setting, and whether it is the same one.
const URLS: [(&str, bool); 7] = [
    ("", true),
    ("{main}/base", true),
    ("{MAIN}/base/", true),
    ("{main}", false),
    ("{main}/base/more", false),
    ("{main}/Base", false),
    ("{other}/base", false),
];

/// An answer that has a token.
type Answer = fn(&str) -> Reply;

/// The default account's server and another one, and a machine that knows the first.
struct Scene {
    main: Server,
    other: Server,
    machine: Machine,
}

impl Scene {
    fn new(system: &str, default: &[(&str, &str)]) -> Self {
        let mut machine = Machine::new();
        machine.set("CRMAUTH_STORE", "none");
        let scene = Self {
            main: Server::start(Vec::new()),
            other: Server::start(Vec::new()),
            machine,
        };
        let mut scene = scene.with(&[(&format!("{system}_URL"), "{main}/base")]);
        for (name, value) in default {
            scene.machine.set(name, value);
        }
        scene
    }

    /// With these settings too, but for empty ones.
    fn with(mut self, settings: &[(&str, &str)]) -> Self {
        let spelt = format!("HTTP://{}", self.main.host());
        for (name, value) in settings {
            let value = value.replace("{main}", &self.main.url());
            let value = value.replace("{other}", &self.other.url());
            self.machine.set(name, &value.replace("{MAIN}", &spelt));
        }
        self
    }

    /// A run that so many answers await, and what was asked for.
    fn run(&self, line: &str, url: &str, answers: &[Answer]) -> (Outcome, Vec<Received>) {
        let server = match url.contains("{other}") {
            true => &self.other,
            false => &self.main,
        };
        server.push(answers.iter().map(|answer| answer("tok-7")));
        let outcome = self.machine.run(line);
        let received = [self.main.received(), self.other.received()];
        (outcome, received.concat())
    }
}

fn body(request: &Received) -> Value {
    serde_json::from_str(&request.body).expect("JSON")
}

#[test]
fn brokers_partner_is_taken_whole_and_at_the_same_url() {
    let own = [
        ("BROKER__LOJA__USERNAME", "loja"),
        ("BROKER__LOJA__PASSWORD", "Loja5Password"),
    ];
    let own_token = ("BROKER__LOJA__PARTNER_TOKEN", "Own-partner-2Yt");
    let own_user = ("BROKER__LOJA__PARTNER_USERNAME", "meu");
    let own_password = ("BROKER__LOJA__PARTNER_PASSWORD", "OwnPartner6Pf");
    let path = ("BROKER_PARTNER_LOGIN_PATH", "entrar");
    let token = [("BROKER_PARTNER_TOKEN", "Main-partner-8Kd"), path];
    let user = [
        ("BROKER_PARTNER_USERNAME", "parceiro"),
        ("BROKER_PARTNER_PASSWORD", "MainPartner3Xw"),
        path,
    ];
    for default in [&token[..], &user] {
        for (url, same) in URLS {
            // What the account sets of a partner, and whose partner it has then.
            for (set, whose) in [
                (&[][..], if same { "main" } else { "none" }),
                (&[own_token], "own token"),
                (&[own_user, own_password], "own user"),
                (&[("BROKER__LOJA__PARTNER_LOGIN_PATH", "meu")], "none"),
                (&[own_user], "half"),
                (&[own_password], "half"),
            ] {
                let told = format!("{default:?} {url} {set:?}");
                let scene = Scene::new("BROKER", default)
                    .with(&own)
                    .with(set)
                    .with(&[("BROKER__LOJA__URL", url)]);
                let whose = match (whose, default.len()) {
                    ("main", 2) => "main token",
                    _ => whose,
                };
                let steps = match whose {
                    "half" => 0,
                    "main" | "own user" => 2,
                    _ => 1,
                };
                let answers = &[canned::broker as Answer; 2][..steps];
                let (outcome, received) = scene.run("login broker@loja", url, answers);
                assert_eq!(received.len(), steps, "{told}: {outcome}");
                let Some((login, partner)) = received.split_last() else {
                    outcome.fails(2, &["error: broker@loja: BROKER__LOJA__PARTNER_"]);
                    continue;
                };
                assert_eq!(outcome.answer(), "tok-7\n");
                let sent = json!({"UserName": "loja", "Password": "Loja5Password"});
                assert_eq!(body(login), sent, "{told}");
                let bearer = match whose {
                    "main token" => Some("Bearer Main-partner-8Kd"),
                    "own token" => Some("Bearer Own-partner-2Yt"),
                    "none" => None,
                    _ => Some("Bearer tok-7"),
                };
                assert_eq!(login.header("authorization"), bearer, "{told}");
                if let [partner] = partner {
                    let (path, user, password) = match whose {
                        "main" => ("/base/entrar", "parceiro", "MainPartner3Xw"),
                        _ => ("/api/Autenticacao/login", "meu", "OwnPartner6Pf"),
                    };
                    assert!(partner.target.ends_with(path), "{told}: {}", partner.target);
                    let sent = json!({"UserName": user, "Password": password});
                    assert_eq!(body(partner), sent, "{told}");
                }
            }
        }
    }
}

#[test]
fn hellocloud_client_is_taken_whole_and_at_the_same_url() {
    let default = [
        ("HELLOCLOUD_CLIENT_ID", "main-id"),
        ("HELLOCLOUD_CLIENT_SECRET", "MainClient4Vn"),
        ("HELLOCLOUD_GRANT", "password"),
        ("HELLOCLOUD_BODY", "form"),
        ("HELLOCLOUD_TOKEN_PATH", "oauth/token"),
    ];
    let own = [
        ("HELLOCLOUD__ANA__USERNAME", "ana"),
        ("HELLOCLOUD__ANA__PASSWORD", "Ana7Password"),
    ];
    let of = |name: &str| format!("HELLOCLOUD__ANA__{name}");
    let [id, secret, grant, body_kind, path] =
        ["CLIENT_ID", "CLIENT_SECRET", "GRANT", "BODY", "TOKEN_PATH"].map(of);
    let user = "&username=ana&password=Ana7Password";
    let main = format!("grant_type=password&client_id=main-id&client_secret=MainClient4Vn{user}");
    for (url, same) in URLS {
        // What the account sets of a client, and what is missing then.
        for (set, missing) in [
            (vec![], if same { vec![] } else { vec![&id, &secret] }),
            (vec![(&id, "own-id"), (&secret, "OwnClient9Lr")], vec![]),
            (vec![(&id, "own-id")], vec![&secret]),
            (vec![(&secret, "OwnClient9Lr")], vec![&id]),
            (vec![(&grant, "password")], vec![&id, &secret]),
            (vec![(&body_kind, "form")], vec![&id, &secret]),
            (vec![(&path, "oauth/token")], vec![&id, &secret]),
        ] {
            let told = format!("{url} {set:?}");
            let settings = set.iter().map(|(name, value)| (name.as_str(), *value));
            let settings: Vec<_> = settings.collect();
            let scene = Scene::new("HELLOCLOUD", &default)
                .with(&own)
                .with(&settings)
                .with(&[(&of("URL"), url)]);
            let answers = &[canned::hellocloud as Answer][missing.len().min(1)..];
            let (outcome, received) = scene.run("login hellocloud@ana", url, answers);
            let Some(login) = received.first() else {
                let names: Vec<&str> = missing.iter().map(|name| name.as_str()).collect();
                outcome.fails(2, &names);
                let why = match set.first() {
                    Some((name, _)) => format!("because {name} is set and they belong together"),
                    None => format!("because {} is not the URL of hellocloud", of("URL")),
                };
                outcome.says(&[&why]);
                continue;
            };
            assert_eq!(outcome.answer(), "tok-7\n", "{told}");
            if set.is_empty() {
                assert_eq!(login.target, "/base/oauth/token", "{told}");
                assert_eq!(login.body, main, "{told}");
            } else {
                let sent = json!({"grant_type": "password", "client_id": "own-id", "client_secret": "OwnClient9Lr",
                    "username": "ana", "password": "Ana7Password"});
                assert_eq!(body(login), sent, "{told}");
                let is_its = login.target.ends_with("/Api/access_token");
                assert!(is_its, "{told}: {}", login.target);
            }
        }
    }
}

#[test]
fn what_the_default_account_sets_beside_no_url_is_for_no_account() {
    let client = [
        ("HELLOCLOUD_CLIENT_ID", "main-id"),
        ("HELLOCLOUD_CLIENT_SECRET", "MainClient4Vn"),
    ];
    let partner = [("BROKER_PARTNER_TOKEN", "Main-partner-8Kd")];
    let broker: &[Answer] = &[canned::broker];
    for (system, default, answers) in [
        ("broker", &partner[..], broker),
        ("hellocloud", &client, &[]),
    ] {
        let prefix = system.to_uppercase();
        let [url, user, password] =
            ["URL", "USERNAME", "PASSWORD"].map(|name| format!("{prefix}__X__{name}"));
        let own = [(&*user, "ana"), (&*password, "Ana7Password")];
        let mut scene = Scene::new(&prefix, default).with(&own);
        scene.machine.unset(&format!("{prefix}_URL"));
        let scene = scene.with(&[(&url, "{main}")]);
        let (outcome, received) = scene.run(&format!("login {system}@x"), "", answers);
        let mut logins = received.iter();
        let bare = logins.all(|login| login.header("authorization").is_none());
        assert!(bare, "{outcome}");
        if system == "hellocloud" {
            let missing = ["HELLOCLOUD__X__CLIENT_ID", "HELLOCLOUD__X__CLIENT_SECRET"];
            let why = "because HELLOCLOUD__X__URL is not the URL of hellocloud";
            outcome.fails(2, &missing).says(&[why]);
        }
    }
}

#[test]
fn a_client_that_accounts_take_is_no_target_of_its_own() {
    let client = [
        ("HELLOCLOUD_CLIENT_ID", "main-id"),
        ("HELLOCLOUD_CLIENT_SECRET", "MainClient4Vn"),
    ];
    let scene = Scene::new("HELLOCLOUD", &client);
    let hellocloud = canned::hellocloud as Answer;
    let (outcome, _) = scene.run("login --all", "", &[hellocloud]);
    assert_eq!(outcome.answer(), "hellocloud\ttok-7\n");
    // An account by name alone is none: what was mistyped, or is not set in this job, is nobody else's login.
    let why =
        "HELLOCLOUD_CLIENT_ID is not used for hellocloud@ana, which has no setting of its own";
    let missing = ["HELLOCLOUD__ANA__CLIENT_ID", why];
    scene.machine.fails("login hellocloud@ana", 2, &missing);
    let scene = scene.with(&[
        ("HELLOCLOUD__ANA__USERNAME", "ana"),
        ("HELLOCLOUD__ANA__PASSWORD", "Ana7Password"),
    ]);
    let (outcome, _) = scene.run("login --all", "", &[hellocloud]);
    assert_eq!(outcome.answer(), "hellocloud@ana\ttok-7\n");
    let nearest = "login hellocloud@an | did you mean `hellocloud@ana`?";
    scene.machine.refuses(nearest);
    // A client that nobody takes is a login by itself again.
    let own = [
        ("HELLOCLOUD__ANA__CLIENT_ID", "own-id"),
        ("HELLOCLOUD__ANA__CLIENT_SECRET", "OwnClient9Lr"),
    ];
    let (outcome, _) = scene.with(&own).run("login --all", "", &[hellocloud; 2]);
    let both = "hellocloud\ttok-7\nhellocloud@ana\ttok-7\n";
    assert_eq!(outcome.answer(), both);
}

#[test]
fn what_makes_a_target() {
    // The environment, an env file, and what is configured. A client is a base where an account takes it, and else may be
    // a login by itself.
    let rows = "\
        ||
        GLUO_URL=h||gluo
        GLUO_URL=|GLUO_USERNAME=|
        GLUO_URL=h|GLUO__B__USERNAME=u GLUO__A__URL=h|gluo@a gluo@b
        GLUO_USERNAME=h|GLUO__A__URL=h|gluo gluo@a
        BROKER_PARTNER_TOKEN=t|BROKER__A__USERNAME=u ZEEV_API_TOKEN=t|broker@a zeev
        ZEEV_API_TOKEN_CMD=x|GLUO_URL=h|gluo zeev
        CLIENT||hellocloud
        CLIENT|HELLOCLOUD__A__USERNAME=u|hellocloud@a
        CLIENT|HELLOCLOUD__A__USERNAME=u HELLOCLOUD__B__CLIENT_SECRET=t|hellocloud@a hellocloud@b
        CLIENT|HELLOCLOUD__B__CLIENT_SECRET=t|hellocloud hellocloud@b
        CLIENT|HELLOCLOUD__A__URL=i|hellocloud hellocloud@a
        CLIENT|HELLOCLOUD_USERNAME=u HELLOCLOUD__A__USERNAME=u|hellocloud hellocloud@a
        |link=h username=u acceskey=k|gluo
        acceskey=k username=u|link=h username=u|
        GLUO__A___URL=h GLUO___A__URL=h GLUO__A_1__ACCESS_KEY_CMD=h||gluo@_a gluo@a_ gluo@a_1
        GLUO____A__URL=h GLUO__A__B__URL=h GLUO____URL=h GLUO__FILIAL_URL=h GLUO__filial__URL=h||
        GLUO__\u{c9}__URL=h GLUO_URL_FILE=h GLUO_URL_CMD=h gluo_url=h XGLUO_URL=h GLUOURL=h||
        GLUO_TOKEN=t CRMAUTH_STORE=none||";
    let rows = rows.replace("CLIENT|", "HELLOCLOUD_URL=h HELLOCLOUD_CLIENT_SECRET=s|");
    for row in rows.lines().map(str::trim) {
        let [environment, file, expected] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let mut machine = Machine::new();
        machine.write("e", file.replace(' ', "\n"));
        for (name, value) in environment.split(' ').filter_map(|set| set.split_once('=')) {
            machine.set(name, value);
        }
        let run = machine.run("status --json --env-file e");
        let found: Value = serde_json::from_str(&run.stdout).expect("JSON");
        let found = found.as_array().expect("an array").iter();
        let found = found.map(|row| row["target"].as_str().expect("a name"));
        let found: Vec<&str> = found.collect();
        assert_eq!(found.join(" "), expected, "{row}");
    }
}
