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
        machine.set("CRMAUTH_STORE", "none");
        machine.canary("File9Secret4Qz");
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
        let filled = text.replace("{home}", &self.home.url());
        let filled = filled.replace("{HOME}", &spelt);
        let filled = filled.replace("{away}", &self.away.url());
        filled.replace("{pass}", "'File9Secret4Qz'")
    }

    /// A run in this environment with these env files.
    fn goes(&mut self, line: &str, environment: &[&str], files: &[(&str, String)], goes: Goes) {
        let told = format!("{line} {environment:?} {files:?}");
        for (name, text) in files {
            self.machine.write(name, self.fill(text));
        }
        let environment = environment.iter().map(|setting| self.fill(setting));
        let environment: Vec<String> = environment.collect();
        let set = || environment.iter().filter_map(|text| text.split_once('='));
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
        match goes {
            Goes::Nowhere => outcome.gives(2, "", &told),
            _ => outcome.gives(0, "tok-4K\n", &told),
        };
        let after = [self.home.connections(), self.away.connections()];
        let more = [0, 1].map(|server| after[server] - before[server]);
        let expected = [Goes::Home, Goes::Away].map(|there| usize::from(goes == there));
        assert_eq!(more, expected, "{told}");
        for (name, _) in set() {
            self.machine.unset(name);
        }
        for (name, _) in files {
            std::fs::remove_file(self.machine.path(name)).expect("a file");
        }
    }
}

/// Where a secret may stand: what the environment has, the files that semicolons separate, and how they are named. `URL`
/// stands for the line of the URL, `PASSWORD` for the account's variable.
const PLACES: [&str; 11] = [
    " | .env:URL\nPASSWORD={pass}\n | ",
    " | secrets:PASSWORD={pass}\n;urls:URL\n | --env-file secrets --env-file urls",
    " | urls:URL\n;secrets:PASSWORD={pass}\n | --env-file urls --env-file secrets",
    " | one:PASSWORD={pass}\nURL\n | --env-file one",
    "CRMAUTH_ENV_FILE=one | one:URL\nPASSWORD={pass}\n | ",
    " | one:URL\nPASSWORD_FILE=pass\n | --env-file one",
    " | one:URL\nPASSWORD_CMD='cat pass'\n | --env-file one",
    "PASSWORD={pass} | one:URL\n | --env-file one",
    "PASSWORD={pass} | one:URL\nPASSWORD=an0ther\n | --env-file one",
    "PASSWORD_FILE=pass | one:URL\n | --env-file one",
    "PASSWORD_CMD=cat pass | one:URL\n | --env-file one",
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
        for [set, files, options] in cells(PLACES) {
            let beside = if set.contains("PASS") {
                Goes::Away
            } else {
                Goes::Nowhere
            };
            for (there, here, goes) in [
                // Nothing but the files names a server.
                ("", "{home}", Goes::Home),
                // The environment names it too, in whatever spelling.
                ("{home}", "{HOME}", Goes::Home),
                ("{HOME}", "{home}", Goes::Home),
                // The ordinary split: the server is named there, the secret wherever.
                ("{away}", "", Goes::Away),
                ("{away}", "{home}", beside),
            ] {
                let named = [(url_here, here), (url_there, there)].map(|named| match named {
                    (_, "") => String::new(),
                    (start, url) => format!("{start}URL={url}"),
                });
                let owned = |text: &str| {
                    let text = text.replace("PASSWORD", &format!("{own}PASSWORD"));
                    text.replace("URL", &named[0])
                };
                let files = files.split(';').filter_map(|file| file.split_once(':'));
                let files: Vec<_> = files.map(|(name, text)| (name, owned(text))).collect();
                let user = format!("{own}USERNAME=ana");
                let line = format!("login {target} {options}");
                let set = owned(set);
                let environment = [&set, &user, &named[1]].map(String::as_str);
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
        ([home, away, secret].map(str::to_owned), Goes::Away),
        ([away, home, secret].map(str::to_owned), Goes::Nowhere),
        ([secret, away, home].map(str::to_owned), Goes::Nowhere),
    ] {
        let files: Vec<_> = ["1", "2", "3"].into_iter().zip(files).collect();
        let line = "login zeev --env-file 1 --env-file 2 --env-file 3";
        let environment = ["ZEEV_URL={away}", "ZEEV_USERNAME=ana"];
        scene.goes(line, &environment, &files, goes);
    }
    // Among themselves they count in the order in which they were named.
    let files = [("1", both(away)), ("2", home.to_owned())];
    let line = "login zeev --env-file 1 --env-file 2";
    scene.goes(line, &["ZEEV_USERNAME=ana"], &files, Goes::Home);
}

#[test]
fn no_session_that_was_handed_over_takes_another_folders_secret_with_it() {
    let scene = Scene::new();
    let machine = &scene.machine;
    let urls = |server: &Server| format!("ZEEV_URL={}\nZEEV_USERNAME=ana\n", server.url());
    for (folder, server, secret) in [
        ("here", &scene.home, "File9Secret4Qz"),
        ("same", &scene.away, "From5Secret2Ks"),
        ("from", &scene.away, "From5Secret2Ks"),
    ] {
        std::fs::create_dir(machine.path(folder)).expect("a folder");
        let settings = format!("{}ZEEV_PASSWORD={secret}\n", urls(server));
        machine.write(&format!("{folder}/.env"), settings);
    }
    machine.write("here/urls", urls(&scene.home));
    machine.write("here/secrets", "ZEEV_PASSWORD='File9Secret4Qz'\n");
    let sh = "eval \"$(crmauth token zeev -f sh)\"; ";
    let crm = "eval \"$(crmauth token zeev -f sh --var CRM)\"; ";
    let env = "set -a; crmauth token zeev -f env >../env; . ../env; ";
    for [handed_over, line, code] in cells([
        "SH LINE | login zeev | 2",
        "SH LINE | login zeev --env-file .env | 2",
        "CRM LINE | login zeev | 2",
        "SH unset ZEEV_TOKEN; LINE | login zeev | 2",
        "SH LINE | login zeev --env-file urls --env-file secrets | 2",
        "CRM LINE | login zeev --env-file urls --env-file secrets | 2",
        "ENV LINE | token zeev | 2",
        "crmauth exec zeev -- sh -c 'LINE' | login zeev | 2",
        "crmauth exec zeev -- sh -c 'LINE' | exec zeev -- true | 125",
        "crmauth exec zeev -- sh -c 'unset ZEEV_TOKEN; LINE' | token zeev | 2",
        "crmauth exec zeev --token-file -- sh -c 'LINE' | api zeev /api/2/tokens | 2",
    ]) {
        let handed_over = handed_over.replace("SH ", sh).replace("CRM ", crm);
        let handed_over = handed_over.replace("ENV ", env);
        let code: i32 = code.parse().expect("a code");
        for (folder, code) in [("here", code), ("same", 0)] {
            if folder == "same" && (line.contains("urls") || line.contains("api ")) {
                continue;
            }
            let logins = 1 + usize::from(folder == "same");
            scene.away.push(vec![canned::zeev("tok-4K"); logins]);
            let before = scene.away.connections();
            let there = format!("cd ../{folder}; crmauth {line} >../out");
            let script = format!("cd from; {}", handed_over.replace("LINE", &there));
            let outcome = scene.machine.shell("sh", &script);
            outcome.exits(code, &script);
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
    let file = "ZEEV_URL={home}\nZEEV_USERNAME=ana\nZEEV_PASSWORD={pass}\n";
    scene.machine.write(".env", scene.fill(file));
    let away = scene.away.url();
    scene.machine.set("ZEEV_URL", &away);
    let told = "ZEEV_URL in the environment names a server other than ./.env line 1, which ZEEV_PASSWORD from ./.env line 3 is for";
    let hint = "`unset ZEEV_URL`, which an earlier login may have left; or set ZEEV_PASSWORD in the environment too, or give \
                the other server an account of its own, as in `zeev@filial`";
    let error = scene.machine.run("login zeev --json");
    let error: serde_json::Value = serde_json::from_str(&error.stderr).expect("JSON");
    for (member, value) in [
        ("code", "bad_setting".into()),
        ("exit", serde_json::Value::from(2)),
        ("message", told.into()),
        ("hint", hint.into()),
    ] {
        assert_eq!(error["error"][member], value);
    }
    scene.machine.run("status zeev").says(&[told]);
    assert_eq!((scene.home.connections(), scene.away.connections()), (0, 0));
    scene.home.push(vec![canned::zeev("tok-4K"); 2]);
    scene.away.push([canned::zeev("tok-4K")]);
    scene.machine.set("ZEEV_PASSWORD", "theirs");
    scene.machine.run("login zeev").answer();
    scene.machine.unset("ZEEV_PASSWORD ZEEV_URL");
    scene.machine.run("login zeev").answer();
    scene.machine.set("ZEEV_URL", &away);
    let account =
        "ZEEV__FILIAL__URL={home}\nZEEV__FILIAL__USERNAME=ana\nZEEV__FILIAL__PASSWORD={pass}\n";
    scene.machine.write(".env", scene.fill(account));
    scene.machine.run("login zeev@filial").answer();
    let two = "HELLOCLOUD_URL={home}\nHELLOCLOUD_CLIENT_ID=c\nHELLOCLOUD_CLIENT_SECRET={pass}\nHELLOCLOUD_PASSWORD={pass}\n";
    scene.machine.write(".env", scene.fill(two));
    scene.machine.set("HELLOCLOUD_URL", &away);
    scene.machine.set("HELLOCLOUD_USERNAME", "ana");
    let which = "which HELLOCLOUD_CLIENT_SECRET from ./.env line 3";
    let both = "or set HELLOCLOUD_CLIENT_SECRET and HELLOCLOUD_PASSWORD in the environment too";
    scene.machine.fails("login hellocloud", 2, &[which, both]);
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
