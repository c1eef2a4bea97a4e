//! Which secret goes where, over all pairs of where it, the URL and what else decides the way come from. A model in a few
//! lines says what the settings may answer; the program must say the same of every pair.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crmauth::secret::Secret;
use crmauth::settings::{Environment, Origin, Sources, find, target};

use super::*;

/// What becomes of a secret.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Fate {
    /// It goes to this server.
    Sent(&'static str),
    /// Nobody says where to.
    NoUrl,
    /// A file that nobody named would decide its way.
    Planted,
    /// The environment names a server other than the secret's files.
    Stray,
}

/// How env files are found: their names, and whether naming them is consent.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Files {
    /// `./.env`, which nobody named.
    Implicit,
    /// `--env-file .env`.
    Named,
    /// `CRMAUTH_ENV_FILE=.env`.
    Variable,
    /// `--env-file one --env-file two`.
    Two,
}

impl Files {
    fn names(self) -> &'static [&'static str] {
        match self {
            Self::Two => &["one", "two"],
            _ => &[".env"],
        }
    }
}

/// A secret, and what a login has to have besides.
struct Case {
    target: &'static str,
    secret: &'static str,
    url: &'static str,
    besides: &'static [(&'static str, &'static str)],
    /// The path that the secret is posted to, where a setting says it.
    path: &'static str,
}

#[rustfmt::skip]
const CASES: &[Case] = &[
    Case { target: "hellocloud", secret: "HELLOCLOUD_CLIENT_SECRET", url: "HELLOCLOUD_URL",
        besides: &[("HELLOCLOUD_CLIENT_ID", "c")], path: "HELLOCLOUD_TOKEN_PATH" },
    Case { target: "broker", secret: "BROKER_PARTNER_PASSWORD", url: "BROKER_URL",
        besides: &[("BROKER_USERNAME", "u"), ("BROKER_PARTNER_USERNAME", "p")], path: "BROKER_PARTNER_LOGIN_PATH" },
    Case { target: "hellocloud", secret: "HELLOCLOUD_PASSWORD", url: "HELLOCLOUD_URL",
        besides: &[("HELLOCLOUD_CLIENT_ID", "c"), ("HELLOCLOUD_USERNAME", "u")], path: "" },
    Case { target: "broker", secret: "BROKER_PARTNER_TOKEN", url: "BROKER_URL", besides: &[("BROKER_USERNAME", "u")], path: "" },
    Case { target: "broker", secret: "BROKER_PASSWORD", url: "BROKER_URL", besides: &[("BROKER_USERNAME", "u")], path: "" },
    Case { target: "gluo", secret: "GLUO_ACCESS_KEY", url: "GLUO_URL", besides: &[("GLUO_USERNAME", "u")], path: "" },
    Case { target: "systemsway", secret: "SYSTEMSWAY_PASSWORD", url: "SYSTEMSWAY_URL", besides: &[("SYSTEMSWAY_USERNAME", "u")], path: "" },
    Case { target: "systemsway", secret: "SYSTEMSWAY_PASSWORD_SHA256", url: "SYSTEMSWAY_URL", besides: &[("SYSTEMSWAY_USERNAME", "u")], path: "" },
    Case { target: "zeev", secret: "ZEEV_PASSWORD", url: "ZEEV_URL", besides: &[("ZEEV_USERNAME", "u")], path: "" },
    Case { target: "zeev", secret: "ZEEV_API_TOKEN", url: "ZEEV_URL", besides: &[], path: "" },
    // An account with everything of its own, with the default account's URL, and with its client or partner.
    Case { target: "gluo@x", secret: "GLUO__X__ACCESS_KEY", url: "GLUO__X__URL", besides: &[("GLUO__X__USERNAME", "u")], path: "" },
    Case { target: "gluo@x", secret: "GLUO__X__ACCESS_KEY", url: "GLUO_URL", besides: &[("GLUO__X__USERNAME", "u")], path: "" },
    Case { target: "hellocloud@x", secret: "HELLOCLOUD_CLIENT_SECRET", url: "HELLOCLOUD_URL",
        besides: &[("HELLOCLOUD_CLIENT_ID", "c"), ("HELLOCLOUD__X__USERNAME", "u")], path: "HELLOCLOUD_TOKEN_PATH" },
    Case { target: "broker@x", secret: "BROKER_PARTNER_PASSWORD", url: "BROKER_URL",
        besides: &[("BROKER__X__USERNAME", "u"), ("BROKER_PARTNER_USERNAME", "p")], path: "BROKER_PARTNER_LOGIN_PATH" },
    Case { target: "broker@x", secret: "BROKER_PARTNER_TOKEN", url: "BROKER_URL", besides: &[("BROKER__X__USERNAME", "u")], path: "" },
];

const SECRET: &str = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
const HERE: &str = "https://a.example";
const SPELT: &str = "HTTPS://A.Example:443/below/";
const AWAY: &str = "https://b.example";

/// What is there without a wait.
fn at_once<T>(work: impl Future<Output = T>) -> T {
    futures_util::FutureExt::now_or_never(work).expect("no wait")
}

/// What a value names.
fn server(url: &str) -> &'static str {
    if url == AWAY { AWAY } else { HERE }
}

/// Where each thing stands: `None` is the environment, a number one of the files.
struct Row {
    files: Files,
    /// The place of the secret, and whether it is there by a `_FILE` or a `_CMD`.
    secret: (Option<usize>, &'static str),
    url_there: &'static str,
    urls: [&'static str; 2],
    /// What else decides the way: its variable, its value, its place.
    route: Option<(&'static str, &'static str, Option<usize>)>,
}

impl Row {
    /// The model. A secret is for the server that its own file names, or else the one that the files together do; what
    /// nobody named decides no way but that of its own secrets.
    fn fate(&self) -> Fate {
        let last = self.urls.iter().rev().find(|url| !url.is_empty());
        let url = match (self.url_there, last) {
            ("", None) => None,
            ("", Some(last)) => Some(*last),
            (there, _) => Some(there),
        };
        if let Some(place) = self.secret.0
            && !self.url_there.is_empty()
        {
            let home = Some(&self.urls[place]).filter(|url| !url.is_empty());
            let home = home.or(last);
            if home.is_some_and(|home| server(home) != server(self.url_there)) {
                return Fate::Stray;
            }
        }
        let Some(url) = url else { return Fate::NoUrl };
        let implicit = |place: Option<usize>| self.files == Files::Implicit && place.is_some();
        let decides = |(_, value, place): (_, &str, _)| implicit(place) && value != "0";
        let planted =
            self.url_there.is_empty() && implicit(Some(0)) || self.route.is_some_and(decides);
        if planted && !implicit(self.secret.0) {
            return Fate::Planted;
        }
        Fate::Sent(server(url))
    }

    /// What the program says.
    fn said(&self, case: &Case, folder: &Path) -> Fate {
        let (place, form) = self.secret;
        let value = match form {
            "" => SECRET.to_owned(),
            "_FILE" => folder.join("pass").display().to_string(),
            _ => "cat pass".to_owned(),
        };
        let mut texts = [String::new(), String::new()];
        let mut there: BTreeMap<String, String> = BTreeMap::new();
        let mut set = |name: &str, value: &str, place: Option<usize>| match place {
            Some(file) => texts[file] += &format!("{name}='{value}'\n"),
            None => drop(there.insert(name.to_owned(), value.to_owned())),
        };
        set(&format!("{}{form}", case.secret), &value, place);
        for (name, value) in case.besides {
            set(name, value, None);
        }
        set(case.url, self.url_there, None);
        let urls = self.urls.iter().enumerate();
        for (file, url) in urls.filter(|(_, url)| !url.is_empty()) {
            set(case.url, url, Some(file));
        }
        if let Some((name, value, place)) = self.route {
            set(name, value, place);
        }
        for (name, text) in self.files.names().iter().zip(&texts) {
            fs::write(folder.join(name), text).expect("a file");
            set_mode(&folder.join(name), 0o600);
        }
        if self.files == Files::Variable {
            there.insert("CRMAUTH_ENV_FILE".into(), ".env".into());
        }
        let named: &[&str] = match self.files {
            Files::Implicit | Files::Variable => &[],
            files => files.names(),
        };
        let named: Vec<PathBuf> = named.iter().map(PathBuf::from).collect();
        let there = there.into_iter();
        let there = there.map(|(name, value)| (name.into(), value.into()));
        let environment = Environment::new(there, folder.to_owned());
        let account = target(case.target).expect("a target");
        let sources = at_once(Sources::load(&environment, &named, Duration::from_secs(5)));
        let sources = sources.expect("files");
        match at_once(find(&account, &sources)) {
            Ok(plan) => {
                let name = case.secret.rsplit("__").next().expect("a name");
                let mut found = plan.found.iter().map(|found| found.field);
                let used = found.any(|field| name.ends_with(field.name) && field.secret());
                assert!(used, "{}: the secret is not used", case.target);
                let origin = plan.url.origin();
                Fate::Sent(if origin == AWAY { AWAY } else { HERE })
            }
            Err(error) => {
                let told = error.message.english();
                assert!(!told.contains(SECRET), "{told}");
                let tells = |text: &str| told.contains(text);
                match () {
                    () if tells("could send the secret to another server") => Fate::Planted,
                    () if tells("names a server other than") => Fate::Stray,
                    () if tells("not set") && tells("_URL") => Fate::NoUrl,
                    () if tells("_URL is empty in ") => Fate::NoUrl,
                    () => panic!("{}: {told}", case.target),
                }
            }
        }
    }
}

#[test]
fn every_secret_goes_where_its_own_source_says_or_nowhere() {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("pass"), SECRET).expect("a file");
    set_mode(&folder.path().join("pass"), 0o600);
    let mut counts: BTreeMap<Fate, usize> = BTreeMap::new();
    let (mut wrong, mut table) = (String::new(), String::new());
    for (number, case) in CASES.iter().enumerate() {
        let whole = number < 2;
        let account = target(case.target).expect("a target");
        let flags = ["ALLOW_HTTP", "ALLOW_PROXY"].map(|flag| account.variable(flag));
        let [http, proxy] = flags.map(|flag| &*flag.leak());
        let mut routes = vec![None];
        if !case.path.is_empty() {
            routes.extend([None, Some(0)].map(|place| Some((case.path, "x/y", place))));
        }
        routes.extend([Some(0), None].map(|place| Some((http, "1", place))));
        routes.push(Some((proxy, "0", Some(0))));
        // Two systems in full, and of the others what differs between them: their fields.
        let all = [Files::Implicit, Files::Named, Files::Two, Files::Variable];
        for files in all.into_iter().take(if whole { 4 } else { 3 }) {
            let two = files == Files::Two;
            let mut secrets = vec![(None, ""), (Some(0), "")];
            if whole {
                secrets.extend([(None, "_FILE"), (None, "_CMD")]);
            }
            if whole && files != Files::Implicit {
                secrets.extend([(Some(0), "_FILE"), (Some(0), "_CMD")]);
            }
            secrets.extend(two.then_some((Some(1), "")));
            let seconds: &[&str] = if two { &["", HERE, AWAY] } else { &[""] };
            let firsts = ["", HERE, AWAY, SPELT];
            let firsts = &firsts[..if whole { 4 } else { 3 }];
            for secret in secrets {
                let decided = match files {
                    Files::Implicit if secret.1.is_empty() => routes.len(),
                    Files::Named if whole && secret.1.is_empty() => routes.len(),
                    _ => 1,
                };
                for route in &routes[..decided] {
                    for url_there in ["", HERE, AWAY] {
                        for first in firsts {
                            for second in seconds {
                                let urls = [*first, *second];
                                let row = Row {
                                    files,
                                    secret,
                                    url_there,
                                    urls,
                                    route: *route,
                                };
                                let (said, fate) = (row.said(case, folder.path()), row.fate());
                                let line = format!(
                                    "{} {}{} in {:?}, {files:?}, URL there {url_there:?}, in files {urls:?}, {route:?}",
                                    case.target, case.secret, secret.1, secret.0
                                );
                                let _ = writeln!(table, "{line}: {said:?}");
                                if said != fate {
                                    let _ = writeln!(wrong, "{line}: {said:?}, not {fate:?}");
                                }
                                *counts.entry(fate).or_default() += 1;
                            }
                        }
                    }
                }
            }
        }
    }
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("secrets.txt");
    fs::write(path, table + &format!("{counts:?}\n")).expect("a file");
    assert_eq!(wrong, "");
    assert_eq!(counts.len(), 5, "{counts:?}");
    assert!(counts.values().all(|count| *count > 100), "{counts:?}");
}

#[test]
fn an_answer_goes_where_it_was_asked_for_and_to_no_planted_place() {
    let folder = tempfile::tempdir().expect("a folder");
    let planted = "BROKER__X__URL=evil\nBROKER__X__USERNAME=a\nBROKER__X__PASSWORD=b\n\
                   BROKER__Y__ALLOW_HTTP=1\nBROKER__Y__USERNAME=a\nBROKER__Y__PASSWORD=b\n";
    fs::write(folder.path().join(".env"), planted).expect("a file");
    let there = ["BROKER_URL", "BROKER_USERNAME", "BROKER_PARTNER_USERNAME"];
    let there = there.map(|name| (name.into(), "h".into()));
    let environment = Environment::new(there, folder.path().to_owned());
    let sources = at_once(Sources::load(&environment, &[], Duration::from_secs(5)));
    let mut sources = sources.expect("files");
    let broker = target("broker").expect("a target");
    let answers = ["PASSWORD", "PARTNER_PASSWORD"].map(|name| {
        let field = broker.spec.field(name).expect(name);
        (field, Secret::new("typed".into()))
    });
    sources.answer(&broker, &answers);
    let find = |name: &str| at_once(find(&target(name).expect("a target"), &sources));
    assert!(find("broker").is_ok());
    let elsewhere = find("broker@x").expect("settings").found;
    let answered = elsewhere.iter().any(|found| found.origin == Origin::Answer);
    assert!(!answered, "{elsewhere:?}");
    let refused = find("broker@y").expect_err("guarded");
    let told = "BROKER__Y__ALLOW_HTTP comes from ./.env line 4 and BROKER_PARTNER_PASSWORD";
    let message = refused.message.english();
    assert!(message.contains(told), "{message}");
}
