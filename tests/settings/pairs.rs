//! Which server a secret of an env file goes to, by where the secret and the URL come from.

use crate::support::{Machine, Server, canned, cells};

/// Where a login goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Goes {
    /// To the server that the env files name.
    Home,
    /// To another, which the environment names.
    Away,
    /// Nowhere: exit 2.
    Nowhere,
}

/// Two servers, and a machine that stores nothing.
struct Scene {
    home: Server,
    away: Server,
    machine: Machine,
}

impl Scene {
    fn new() -> Self {
        let mut machine = Machine::new();
        machine
            .set("CRMAUTH_STORE", "none")
            .canary("File9Secret4Qz");
        machine.write("pass", "File9Secret4Qz");
        Self {
            home: Server::start(Vec::new()),
            away: Server::start(Vec::new()),
            machine,
        }
    }

    /// Settings with `{home}`, `{away}` and `{pass}` in them; `{HOME}` is another spelling.
    fn fill(&self, text: &str) -> String {
        let spelt = format!("HTTP://{}/below/", self.home.host());
        let filled = text
            .replace("{home}", &self.home.url())
            .replace("{HOME}", &spelt);
        filled
            .replace("{away}", &self.away.url())
            .replace("{pass}", "'File9Secret4Qz'")
    }

    /// A run in this environment with these env files.
    fn goes(&mut self, line: &str, environment: &[&str], files: &[(&str, String)], goes: Goes) {
        let told = format!("{line} {environment:?} {files:?}");
        for (name, text) in files {
            self.machine.write(name, self.fill(text));
        }
        let environment: Vec<String> = environment
            .iter()
            .map(|setting| self.fill(setting))
            .collect();
        let set = || {
            environment
                .iter()
                .filter_map(|setting| setting.split_once('='))
        };
        for (name, value) in set() {
            self.machine.set(name, value.trim_matches('\''));
        }
        let before = [self.home.connections(), self.away.connections()];
        match goes {
            Goes::Home => self.home.push([canned::zeev("tok-4K")]),
            Goes::Away => self.away.push([canned::zeev("tok-4K")]),
            Goes::Nowhere => {}
        }
        let outcome = self.machine.run(line);
        let more = [
            self.home.connections() - before[0],
            self.away.connections() - before[1],
        ];
        let expected = if goes == Goes::Nowhere {
            (2, "")
        } else {
            (0, "tok-4K\n")
        };
        assert_eq!(
            (outcome.code, outcome.stdout.as_str()),
            expected,
            "{told}: {outcome}"
        );
        assert_eq!(
            more,
            [
                usize::from(goes == Goes::Home),
                usize::from(goes == Goes::Away)
            ],
            "{told}"
        );
        for (name, _) in set() {
            self.machine.unset(name);
        }
        for (name, _) in files {
            std::fs::remove_file(self.machine.path(name)).expect("a file");
        }
    }
}

/// Where a secret may stand: in the environment, in which files, and how they are named. `URL` stands for the line of the
/// URL, `PASSWORD` for the account's variable.
type Place = (
    &'static [&'static str],
    &'static [(&'static str, &'static str)],
    &'static str,
);

const PLACES: &[Place] = &[
    (&[], &[(".env", "URL\nPASSWORD={pass}\n")], ""),
    (
        &[],
        &[("secrets", "PASSWORD={pass}\n"), ("urls", "URL\n")],
        "--env-file secrets --env-file urls",
    ),
    (
        &[],
        &[("urls", "URL\n"), ("secrets", "PASSWORD={pass}\n")],
        "--env-file urls --env-file secrets",
    ),
    (&[], &[("one", "PASSWORD={pass}\nURL\n")], "--env-file one"),
    (
        &["CRMAUTH_ENV_FILE=one"],
        &[("one", "URL\nPASSWORD={pass}\n")],
        "",
    ),
    (
        &[],
        &[("one", "URL\nPASSWORD_FILE=pass\n")],
        "--env-file one",
    ),
    (
        &[],
        &[("one", "URL\nPASSWORD_CMD='cat pass'\n")],
        "--env-file one",
    ),
    (&["PASSWORD={pass}"], &[("one", "URL\n")], "--env-file one"),
    (
        &["PASSWORD={pass}"],
        &[("one", "URL\nPASSWORD=an0ther\n")],
        "--env-file one",
    ),
    (
        &["PASSWORD_FILE=pass"],
        &[("one", "URL\n")],
        "--env-file one",
    ),
    (
        &["PASSWORD_CMD=cat pass"],
        &[("one", "URL\n")],
        "--env-file one",
    ),
];

#[test]
fn a_secret_of_env_files_goes_to_no_other_server_than_theirs() {
    let mut scene = Scene::new();
    // The target, and what the variables of the environment's URL, the files' URL and the account begin with.
    for [target, url_there, url_here, own] in cells([
        "zeev | ZEEV_ | ZEEV_ | ZEEV_",
        "zeev@filial | ZEEV__FILIAL__ | ZEEV__FILIAL__ | ZEEV__FILIAL__",
        "zeev@filial | ZEEV_ | ZEEV_ | ZEEV__FILIAL__",
        "zeev@filial | ZEEV__FILIAL__ | ZEEV_ | ZEEV__FILIAL__",
    ]) {
        for (set, files, options) in PLACES {
            for (there, here, goes) in [
                // Nothing but the files names a server.
                ("", "{home}", Goes::Home),
                // The environment names it too, in whatever spelling.
                ("{home}", "{HOME}", Goes::Home),
                ("{HOME}", "{home}", Goes::Home),
                // The ordinary split: the server is named there, the secret wherever.
                ("{away}", "", Goes::Away),
                (
                    "{away}",
                    "{home}",
                    if set.iter().any(|set| set.contains("PASS")) {
                        Goes::Away
                    } else {
                        Goes::Nowhere
                    },
                ),
            ] {
                let line = if here.is_empty() {
                    String::new()
                } else {
                    format!("{url_here}URL={here}")
                };
                let owned = |text: &str| {
                    text.replace("PASSWORD", &format!("{own}PASSWORD"))
                        .replace("URL", &line)
                };
                let files: Vec<_> = files
                    .iter()
                    .map(|(name, text)| (*name, owned(text)))
                    .collect();
                let user = format!("{own}USERNAME=ana");
                let mut environment: Vec<String> =
                    set.iter().map(|set| owned(set)).chain([user]).collect();
                if !there.is_empty() {
                    environment.push(format!("{url_there}URL={there}"));
                }
                let environment: Vec<&str> = environment.iter().map(String::as_str).collect();
                let line = format!("login {target} {options}");
                scene.goes(line.trim_end(), &environment, &files, goes);
            }
        }
    }
}

#[test]
fn of_several_servers_in_env_files_the_one_beside_the_secret_counts() {
    let mut scene = Scene::new();
    let secret = "ZEEV_PASSWORD={pass}\n";
    let (home, away) = ("ZEEV_URL={home}\n", "ZEEV_URL={away}\n");
    let both = |url: &str| format!("{url}{secret}");
    for (files, goes) in [
        // The environment names the one that is away.
        ([both(home), away.to_owned(), String::new()], Goes::Nowhere),
        ([away.to_owned(), both(home), String::new()], Goes::Nowhere),
        ([both(away), home.to_owned(), String::new()], Goes::Away),
        ([home.to_owned(), both(away), String::new()], Goes::Away),
        // Beside the secret none is named: the last one that is.
        (
            [home.to_owned(), away.to_owned(), secret.to_owned()],
            Goes::Away,
        ),
        (
            [away.to_owned(), home.to_owned(), secret.to_owned()],
            Goes::Nowhere,
        ),
        (
            [secret.to_owned(), away.to_owned(), home.to_owned()],
            Goes::Nowhere,
        ),
    ] {
        let files: Vec<_> = ["1", "2", "3"].into_iter().zip(files).collect();
        let line = "login zeev --env-file 1 --env-file 2 --env-file 3";
        scene.goes(
            line,
            &["ZEEV_URL={away}", "ZEEV_USERNAME=ana"],
            &files,
            goes,
        );
    }
    // Among themselves they count in the order in which they were named.
    let files = [("1", both(away)), ("2", home.to_owned())];
    scene.goes(
        "login zeev --env-file 1 --env-file 2",
        &["ZEEV_USERNAME=ana"],
        &files,
        Goes::Home,
    );
}

#[test]
fn no_session_that_was_handed_over_takes_another_folders_secret_with_it() {
    let scene = Scene::new();
    let settings = |server: &Server, secret: &str| {
        format!(
            "ZEEV_URL={}\nZEEV_USERNAME=ana\nZEEV_PASSWORD={secret}\n",
            server.url()
        )
    };
    for (folder, server) in [
        ("here", &scene.home),
        ("same", &scene.away),
        ("from", &scene.away),
    ] {
        std::fs::create_dir(scene.machine.path(folder)).expect("a folder");
        let secret = if folder == "here" {
            "File9Secret4Qz"
        } else {
            "From5Secret2Ks"
        };
        scene
            .machine
            .write(&format!("{folder}/.env"), settings(server, secret));
    }
    scene.machine.write(
        "here/urls",
        format!("ZEEV_URL={}\nZEEV_USERNAME=ana\n", scene.home.url()),
    );
    scene
        .machine
        .write("here/secrets", "ZEEV_PASSWORD='File9Secret4Qz'\n");
    let two = "--env-file urls --env-file secrets";
    for (handed_over, line, code) in [
        (
            "eval \"$(crmauth token zeev -f sh)\"; LINE",
            "login zeev",
            2,
        ),
        (
            "eval \"$(crmauth token zeev -f sh)\"; LINE",
            "login zeev --env-file .env",
            2,
        ),
        (
            "eval \"$(crmauth token zeev -f sh --var CRM)\"; LINE",
            "login zeev",
            2,
        ),
        (
            "eval \"$(crmauth token zeev -f sh)\"; unset ZEEV_TOKEN; LINE",
            "login zeev",
            2,
        ),
        ("eval \"$(crmauth token zeev -f sh)\"; LINE", two, 2),
        (
            "eval \"$(crmauth token zeev -f sh --var CRM)\"; LINE",
            two,
            2,
        ),
        (
            "set -a; crmauth token zeev -f env >../env; . ../env; LINE",
            "token zeev",
            2,
        ),
        ("crmauth exec zeev -- sh -c 'LINE'", "login zeev", 2),
        (
            "crmauth exec zeev -- sh -c 'LINE'",
            "exec zeev -- true",
            125,
        ),
        (
            "crmauth exec zeev -- sh -c 'unset ZEEV_TOKEN; LINE'",
            "token zeev",
            2,
        ),
        (
            "crmauth exec zeev --token-file -- sh -c 'LINE'",
            "api zeev /api/2/tokens",
            2,
        ),
    ] {
        let line = if line == two {
            format!("login zeev {two}")
        } else {
            line.to_owned()
        };
        for (folder, code) in [("here", code), ("same", 0)] {
            if folder == "same" && (line.contains(two) || line.contains("api ")) {
                continue;
            }
            let logins = 1 + usize::from(folder == "same");
            scene.away.push(vec![canned::zeev("tok-4K"); logins]);
            let before = scene.away.connections();
            let there = format!("cd ../{folder}; crmauth {line} >../out");
            let script = format!("cd from; {}", handed_over.replace("LINE", &there));
            let outcome = scene
                .machine
                .finish(scene.machine.shell_command("sh", &script));
            assert_eq!(outcome.code, code, "{script}: {outcome}");
            if folder == "here" {
                outcome.tells("ZEEV_URL in the environment names a server other than");
                outcome.tells("hint: `unset ZEEV_URL`");
            }
            assert_eq!(scene.away.connections() - before, logins, "{script}");
        }
    }
    assert_eq!(scene.home.connections(), 0);
}

#[test]
fn the_refusal_names_every_secret_and_the_cures_work() {
    let mut scene = Scene::new();
    scene.machine.write(
        ".env",
        scene.fill("ZEEV_URL={home}\nZEEV_USERNAME=ana\nZEEV_PASSWORD={pass}\n"),
    );
    let away = scene.away.url();
    scene.machine.set("ZEEV_URL", &away);
    let told = "ZEEV_URL in the environment names a server other than ./.env line 1, which ZEEV_PASSWORD from ./.env line 3 is for";
    let hint = "`unset ZEEV_URL`, which an earlier login may have left; or set ZEEV_PASSWORD in the environment too, or give \
                the other server an account of its own, as in `zeev@filial`";
    let error = scene.machine.run("login zeev --json");
    let error: serde_json::Value = serde_json::from_str(&error.stderr).expect("JSON");
    let error = &error["error"];
    assert_eq!(
        (&error["code"], &error["exit"]),
        (&"bad_setting".into(), &2.into())
    );
    assert_eq!(
        (&error["message"], &error["hint"]),
        (&told.into(), &hint.into())
    );
    scene.machine.run("status zeev").says(&[told]);
    assert_eq!((scene.home.connections(), scene.away.connections()), (0, 0));
    scene.home.push(vec![canned::zeev("tok-4K"); 2]);
    scene.away.push([canned::zeev("tok-4K")]);
    scene
        .machine
        .set("ZEEV_PASSWORD", "theirs")
        .run("login zeev")
        .answer();
    scene
        .machine
        .unset("ZEEV_PASSWORD")
        .unset("ZEEV_URL")
        .run("login zeev")
        .answer();
    scene.machine.set("ZEEV_URL", &away);
    let account =
        "ZEEV__FILIAL__URL={home}\nZEEV__FILIAL__USERNAME=ana\nZEEV__FILIAL__PASSWORD={pass}\n";
    scene.machine.write(".env", scene.fill(account));
    scene.machine.run("login zeev@filial").answer();
    let two = "HELLOCLOUD_URL={home}\nHELLOCLOUD_CLIENT_ID=c\nHELLOCLOUD_CLIENT_SECRET={pass}\nHELLOCLOUD_PASSWORD={pass}\n";
    scene.machine.write(".env", scene.fill(two));
    scene
        .machine
        .set("HELLOCLOUD_URL", &away)
        .set("HELLOCLOUD_USERNAME", "ana");
    let both = "or set HELLOCLOUD_CLIENT_SECRET and HELLOCLOUD_PASSWORD in the environment too";
    scene.machine.run("login hellocloud").fails(
        2,
        &["which HELLOCLOUD_CLIENT_SECRET from ./.env line 3", both],
    );
}

/// Whose URL counts for an account's secret, and what is another server.
#[test]
fn an_accounts_secret_is_for_the_server_that_its_own_file_names() {
    // The environment's variable, what the file has besides the account, and the secret that is refused.
    let rows = "\
        BROKER_URL|BROKER__X__URL=b|
        BROKER__X__URL|BROKER_URL=b|BROKER__X__PASSWORD
        BROKER__X__URL|BROKER_URL=b BROKER__X__URL=a|
        BROKER_URL|BROKER_URL=b|BROKER__X__PASSWORD
        BROKER_URL|BROKER_URL=b BROKER__X__URL=a BROKER_PARTNER_TOKEN=t|BROKER_PARTNER_TOKEN
        BROKER_URL|BROKER_URL=a BROKER__X__URL=a BROKER_PARTNER_TOKEN=t|
        BROKER_URL|BROKER__X__URL=a BROKER_PARTNER_TOKEN=t|
        BROKER_URL|BROKER_URL=HTTPS://A:443/x/|
        BROKER_URL|BROKER_URL=a:444|BROKER__X__PASSWORD
        BROKER_URL|BROKER_URL=http://a|BROKER__X__PASSWORD
        BROKER_URL|BROKER_URL=ftp://a|BROKER__X__PASSWORD";
    for row in rows.lines().map(str::trim) {
        let [url, file, refused] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let mut machine = Machine::new();
        let own = "\nBROKER__X__USERNAME=u\nBROKER__X__PASSWORD=p\n";
        machine.write(".env", file.replace(' ', "\n") + own);
        let run = machine.set(url, "a").run("token broker@x --cached");
        let code = if refused.is_empty() { 3 } else { 2 };
        assert_eq!(run.code, code, "{row}: {}", run.stderr);
        if !refused.is_empty() {
            let told = format!("which {refused} from ./.env line");
            run.says(&["names a server other than", &told]);
        }
    }
}
