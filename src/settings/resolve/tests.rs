use super::*;
use crate::settings::fixture::{LONG, folder, load, target, wait_for};

fn find(target: &Target, sources: &Sources) -> Result<Plan> {
    wait_for(super::find(target, sources))
}

/// What a login of that target would get, as `FIELD=value`; or the error's message.
fn settings(text: &str, vars: &[(&str, &str)], implicit: &str) -> std::result::Result<Vec<String>, String> {
    let dir = folder(&[(".env", implicit)]);
    let sources = load(dir.path(), vars, &[]).map_err(|error| error.message.english())?;
    reveal(text, &sources)
}

fn reveal(text: &str, sources: &Sources) -> std::result::Result<Vec<String>, String> {
    let plan = find(&target(text), sources).map_err(|error| {
        assert_eq!(error.target.as_deref(), Some(text));
        assert_eq!(error.cause.exit(), 2);
        error.message.english()
    })?;
    let fields: Vec<&str> = plan.found.iter().map(|found| found.field.name).collect();
    let settings = wait_for(plan.reveal(LONG)).map_err(|error| {
        assert!(matches!(error.cause, Cause::BadSetting | Cause::MissingSetting));
        error.message.english()
    })?;
    let mut all = vec![format!("URL={}", settings.url)];
    for field in fields {
        if let Some(value) = settings.secret(field) {
            all.push(format!("{field}={}", value.expose()));
        }
    }
    Ok(all)
}

fn gives(text: &str, vars: &[(&str, &str)], expected: &[&str]) {
    let expected: Vec<String> = expected.iter().map(|text| (*text).to_owned()).collect();
    assert_eq!(settings(text, vars, ""), Ok(expected));
}

fn refuses(text: &str, vars: &[(&str, &str)], message: &str) {
    assert_eq!(settings(text, vars, ""), Err(message.to_owned()));
}

const ACME: [(&str, &str); 3] = [("ACME_URL", "h"), ("ACME_USERNAME", "u"), ("ACME_ACCESS_KEY", " pa$s' ")];
const LOOKED: &str = "looked at: the environment, ./.env";

#[test]
fn a_complete_target() {
    let expected = ["URL=https://h", "USERNAME=u", "ACCESS_KEY= pa$s' "];
    gives("acme", &ACME, &expected);
    let mut vars = ACME.to_vec();
    vars.extend([("ACME_ALLOW_HTTP", "Yes"), ("ACME_ALLOW_PROXY", "")]);
    gives("acme", &vars, &[&expected[..], &["ALLOW_HTTP=yes"]].concat());
}

#[test]
fn everything_missing_is_named_at_once() {
    refuses("acme", &[], &format!("not set: ACME_URL, ACME_USERNAME, ACME_ACCESS_KEY; {LOOKED}"));
    refuses("acme", &ACME[..2], &format!("ACME_ACCESS_KEY is not set; {LOOKED}"));
    refuses(
        "acme@filial",
        &ACME,
        &format!("not set: ACME__FILIAL__USERNAME, ACME__FILIAL__ACCESS_KEY; {LOOKED}"),
    );
    refuses(
        "way",
        &[],
        &format!("not set: WAY_URL, (WAY_USERNAME and WAY_PASSWORD) or WAY_API_TOKEN; {LOOKED}"),
    );
    refuses(
        "way",
        &[("WAY_URL", "h"), ("WAY_USERNAME", "u")],
        &format!("not set: WAY_PASSWORD or WAY_API_TOKEN; {LOOKED}"),
    );
    refuses(
        "broker",
        &[
            ("BROKER_URL", "h"),
            ("BROKER_USERNAME", "u"),
            ("BROKER_PASSWORD", "p"),
            ("BROKER_PARTNER_USERNAME", "p"),
        ],
        &format!("BROKER_PARTNER_PASSWORD is not set; {LOOKED}"),
    );
    refuses(
        "portal",
        &[("PORTAL_URL", "h"), ("PORTAL_GRANT", "password")],
        &format!("not set: PORTAL_CLIENT_SECRET, PORTAL_USERNAME, PORTAL_PASSWORD; {LOOKED}"),
    );
}

#[test]
fn hints_for_what_is_missing() {
    let dir = folder(&[]);
    let hint = |vars: &[(&str, &str)]| {
        let found = find(&target("acme"), &load(dir.path(), vars, &[]).expect("read"));
        // Where only secrets are missing there is a plan, and it says so.
        let error = found.map_or_else(Some, |plan| plan.missing).expect("missing");
        assert_eq!(error.cause, Cause::MissingSetting);
        let message = error.message.english();
        assert!(message.ends_with("looked at: the environment, ./.env (not there)"), "{message}");
        error.hint.expect("a hint").english()
    };
    assert_eq!(hint(&ACME[..2]), "ACME_ACCESS_KEY: the key from the user's page (on the invoice)");
    assert_eq!(hint(&ACME[..1]), "`crmauth providers acme --env` prints the block to fill in");
    let sources = load(dir.path(), &ACME[1..], &[]).expect("read");
    let error = find(&target("acme"), &sources).expect_err("no URL");
    assert_eq!(
        error.message.english(),
        "ACME_URL is not set; looked at: the environment, ./.env (not there)"
    );
}

#[test]
fn the_way_from_the_higher_source_is_chosen() {
    let url = ("WAY_URL", "https://h");
    let user = [("WAY_USERNAME", "u"), ("WAY_PASSWORD", "p")];
    let token = ("WAY_API_TOKEN", "t");
    gives("way", &[url, user[0], user[1]], &["URL=https://h", "USERNAME=u", "PASSWORD=p", "HASH_CASE=upper"]);
    gives("way", &[url, token], &["URL=https://h", "API_TOKEN=t", "HASH_CASE=upper"]);
    // An incomplete way is none.
    gives("way", &[url, token, user[0]], &["URL=https://h", "API_TOKEN=t", "HASH_CASE=upper"]);
    refuses(
        "way",
        &[url, token, user[0], user[1]],
        "both WAY_USERNAME with WAY_PASSWORD and WAY_API_TOKEN are set, and one of them is used",
    );
    let dir = folder(&[("e", "WAY_URL=h\nWAY_USERNAME=u\nWAY_PASSWORD=p\n"), ("t", "WAY_API_TOKEN=t\n")]);
    let chosen = |vars: &[(&str, &str)], files: &[&str]| {
        let sources = load(dir.path(), vars, files).expect("read");
        reveal("way", &sources).expect("settings")[1].clone()
    };
    assert_eq!(chosen(&[token], &["e"]), "API_TOKEN=t");
    assert_eq!(chosen(&[], &["e", "t"]), "API_TOKEN=t");
    assert_eq!(chosen(&[], &["t", "e"]), "USERNAME=u");
    assert_eq!(chosen(&user[1..], &["e", "t"]), "USERNAME=u");
}

#[test]
fn conditions_and_defaults() {
    let base = [("PORTAL_URL", "h"), ("PORTAL_CLIENT_SECRET", "s")];
    let with = |more: &[(&'static str, &'static str)]| [&base[..], more].concat();
    gives("portal", &base, &["URL=https://h", "CLIENT_SECRET=s", "GRANT=client_credentials"]);
    let user = [("PORTAL_USERNAME", "u"), ("PORTAL_PASSWORD", "p")];
    gives(
        "portal",
        &with(&user),
        &["URL=https://h", "CLIENT_SECRET=s", "USERNAME=u", "PASSWORD=p", "GRANT=password"],
    );
    // What another grant needs is left out, and a command for it is not run.
    gives(
        "portal",
        &with(&[user[0], ("PORTAL_PASSWORD_CMD", "exit 3"), ("PORTAL_GRANT", "CLIENT_CREDENTIALS")]),
        &["URL=https://h", "CLIENT_SECRET=s", "GRANT=client_credentials"],
    );
    refuses(
        "portal",
        &with(&[("PORTAL_GRANT", "c4n4ry")]),
        "PORTAL_GRANT from the environment is none of client_credentials, password",
    );
    refuses("portal", &with(&user[..1]), &format!("PORTAL_PASSWORD is not set; {LOOKED}"));
}

#[test]
fn an_account_takes_the_url_and_whole_groups_at_it_and_nothing_else() {
    let base = [
        ("BROKER_URL", "h"),
        ("BROKER_USERNAME", "u"),
        ("BROKER_PASSWORD", "p"),
        ("BROKER_ALLOW_PROXY", "1"),
        ("BROKER_PARTNER_USERNAME", "pu"),
        ("BROKER_PARTNER_PASSWORD", "pp"),
        ("BROKER_PARTNER_LOGIN_PATH", "/x"),
    ];
    let own = [("BROKER__A__USERNAME", "a"), ("BROKER__A__PASSWORD", "b")];
    let shared = ["PARTNER_USERNAME=pu", "PARTNER_PASSWORD=pp", "PARTNER_LOGIN_PATH=/x"];
    let token = ("BROKER__A__PARTNER_TOKEN", "t");
    let usual = "PARTNER_LOGIN_PATH=/partner/login";
    for (more, url, partner) in [
        (&[][..], "h", &shared[..]),
        (&[("BROKER__A__URL", "HTTPS://H:443/")], "h", &shared),
        (&[("BROKER__A__URL", "h/webservice.php")], "h", &shared),
        (&[("BROKER__A__URL", "h/y")], "h/y", &[usual]),
        (&[("BROKER__A__URL", "h:444")], "h:444", &[usual]),
        (&[("BROKER__A__URL", "i")], "i", &[usual]),
        (&[token], "h", &["PARTNER_TOKEN=t", usual]),
        (&[token, ("BROKER__A__URL", "i")], "i", &["PARTNER_TOKEN=t", usual]),
        (&[("BROKER__A__PARTNER_LOGIN_PATH", "z")], "h", &["PARTNER_LOGIN_PATH=z"]),
    ] {
        let url = format!("URL=https://{url}");
        let expected = [&[&*url, "USERNAME=a", "PASSWORD=b"], partner].concat();
        gives("broker@a", &[&own[..], &base, more].concat(), &expected);
    }
    // What the default account sets beside no URL is for no account.
    gives(
        "broker@a",
        &[&own[..], &base[1..], &[("BROKER__A__URL", "h")]].concat(),
        &["URL=https://h", "USERNAME=a", "PASSWORD=b", usual],
    );
    refuses(
        "broker@a",
        &[&own[..], &base, &[("BROKER__A__PARTNER_USERNAME", "x")]].concat(),
        &format!("BROKER__A__PARTNER_PASSWORD is not set; {LOOKED}"),
    );
}

#[test]
fn an_account_takes_a_client_with_its_grant() {
    let base = [("PORTAL_URL", "h"), ("PORTAL_CLIENT_SECRET", "s"), ("PORTAL_GRANT", "password")];
    let own = [("PORTAL__A__USERNAME", "a"), ("PORTAL__A__PASSWORD", "b")];
    let missing = Err(format!("PORTAL__A__CLIENT_SECRET is not set; {LOOKED}"));
    let url = |url| [("PORTAL__A__URL", url)];
    let as_user = |secret: &str| {
        let rest = ["USERNAME=a", "PASSWORD=b", "GRANT=password"].map(str::to_owned);
        Ok([vec!["URL=https://h".to_owned(), format!("CLIENT_SECRET={secret}")], rest.into()].concat())
    };
    for (vars, expected) in [
        ([&base[..], &own].concat(), as_user("s")),
        // The grant is an account's own affair where the client says nothing of it.
        ([&base[..2], &own].concat(), as_user("s")),
        ([&base[..], &own, &url("https://h/")].concat(), as_user("s")),
        ([&base[..], &own, &url("i")].concat(), missing.clone()),
        ([&base[..], &own, &url("h/y")].concat(), missing.clone()),
        ([&base[1..], &own, &url("h")].concat(), missing.clone()),
        ([&base[..], &own, &[("PORTAL__A__GRANT", "password")]].concat(), missing.clone()),
        ([&base[..], &own, &[("PORTAL__A__CLIENT_SECRET", "t")]].concat(), as_user("t")),
        // An account is one by a setting of its own: a mistyped name would be the client.
        (base[..2].to_vec(), missing),
    ] {
        assert_eq!(settings("portal@a", &vars, ""), expected, "{vars:?}");
    }
}

#[test]
fn why_an_account_takes_nothing_is_told() {
    let dir = folder(&[]);
    let base = [("PORTAL_URL", "h"), ("PORTAL_CLIENT_SECRET_CMD", "s")];
    for (own, hint) in [
        (
            &[("PORTAL__A__URL", "i")][..],
            "PORTAL_CLIENT_SECRET_CMD is not taken for portal@a, since PORTAL__A__URL is not the URL of portal: set \
             PORTAL__A__CLIENT_SECRET",
        ),
        (
            &[("PORTAL__A__GRANT", "client_credentials")],
            "PORTAL_CLIENT_SECRET_CMD is not taken for portal@a, since PORTAL__A__GRANT is set and they belong together: \
             set PORTAL__A__CLIENT_SECRET too, or unset PORTAL__A__GRANT",
        ),
        (
            &[],
            "PORTAL_CLIENT_SECRET_CMD is not taken for portal@a, which has no setting of its own: \
             `crmauth providers portal@a --env` prints the block to fill in",
        ),
    ] {
        let sources = load(dir.path(), &[&base, own].concat(), &[]).expect("read");
        let missing = find(&target("portal@a"), &sources).expect("a plan").missing.expect("an error");
        assert_eq!(missing.hint.expect("a hint").english(), hint);
    }
}

#[test]
fn bad_values_name_the_variable_and_its_place() {
    let with = |name: &'static str, value: &'static str| {
        let mut vars = ACME.to_vec();
        vars.retain(|(known, _)| *known != name);
        vars.push((name, value));
        vars
    };
    for (name, value, message) in [
        ("ACME_URL", "ftp://c4n4ry", "is neither an http:// nor an https:// URL"),
        ("ACME_ACCESS_KEY", "c4n4ry\u{1b}", "holds a control character, which no setting may"),
        ("ACME_ALLOW_HTTP", "c4n4ry", "is none of 1, true, yes, on, 0, false, no, off"),
    ] {
        refuses("acme", &with(name, value), &format!("{name} from the environment {message}"));
    }
    assert_eq!(
        settings("acme", &[], "\nACME_URL=ftp://h\nACME_USERNAME=u\nACME_ACCESS_KEY=k"),
        Err("ACME_URL from ./.env line 2 is neither an http:// nor an https:// URL".to_owned())
    );
}

#[test]
fn secrets_from_files() {
    let dir = folder(&[("key", "k\r\n"), ("two", "a\nb\n"), ("empty", "\n"), ("large", &"x".repeat(65_537))]);
    let key = |path: &str| {
        let vars = [ACME[0], ACME[1], ("ACME_ACCESS_KEY_FILE", path)];
        reveal("acme", &load(dir.path(), &vars, &[]).expect("read")).map(|settings| settings[2].clone())
    };
    assert_eq!(key("key").as_deref(), Ok("ACCESS_KEY=k"));
    assert_eq!(key(&dir.path().join("key").display().to_string()).as_deref(), Ok("ACCESS_KEY=k"));
    for (path, why) in [
        ("none", "is not there"),
        (".", "is a folder"),
        ("two", "holds a control character or a second line, which no setting may"),
        ("empty", "is blank"),
        ("large", "is larger than 64 KiB"),
    ] {
        let message = format!("ACME_ACCESS_KEY_FILE from the environment names a file that {why}");
        assert_eq!(key(path), Err(message));
    }
    let message = "ACME_ACCESS_KEY_FILE from the environment names /dev/null, which is blank";
    assert_eq!(key("/dev/null"), Err(message.to_owned()));
}

#[test]
fn secrets_from_commands() {
    let key = |command: &str| {
        let vars = [ACME[0], ACME[1], ("ACME_ACCESS_KEY_CMD", command)];
        settings("acme", &vars, "").map(|settings| settings[2].clone())
    };
    assert_eq!(key("echo 'a b'").as_deref(), Ok("ACCESS_KEY=a b"));
    for (command, why) in [
        ("echo c4n4ry; exit 3", "ended with exit status 3"),
        ("c4n4ry-is-no-command", "ended with exit status 127: there is no such command"),
        (":", "printed nothing"),
        (
            "printf 'c4n4ry\\nx'",
            "printed what holds a control character or a second line, which no setting may",
        ),
    ] {
        assert_eq!(key(command), Err(format!("ACME_ACCESS_KEY_CMD from the environment {why}")));
    }
}

#[test]
fn a_plan_knows_the_commands_text_and_where_everything_is_from() {
    let dir = folder(&[("e", "ACME_URL=h\nACME_ACCESS_KEY_CMD='exit 3'\nusername=u\nacceskey=k")]);
    let sources = load(dir.path(), &[], &["e"]).expect("read");
    let plan = find(&target("acme"), &sources).expect("complete");
    let notes: Vec<Text> = plan.notes().collect();
    assert_eq!(
        notes,
        ["ACME_URL from e line 1", "username from e line 3", "ACME_ACCESS_KEY_CMD from e line 2"]
    );
    assert_eq!(plan.text("USERNAME"), Some("u"));
    assert_eq!(plan.text("ACCESS_KEY"), None);
    let command = Value::Command(Secret::new("exit 3".to_owned()));
    assert_eq!(plan.found("ACCESS_KEY").expect("set").value, command);
}

#[test]
fn a_route_that_nobody_named_meets_no_secret_from_elsewhere() {
    let whole = "ACME_URL=h\nACME_USERNAME=u\nACME_ACCESS_KEY=k\n";
    let open = "ACME_ALLOW_HTTP=1\n";
    let guarded = |file: &str, vars: &[(&str, &str)], text: &str| {
        settings(text, vars, file)
            .err()
            .filter(|message| message.ends_with("could send the secret elsewhere"))
    };
    for (file, vars, text, refused) in [
        (whole, &[][..], "acme", false),
        (whole, &ACME[..2], "acme", false),
        ("ACME_USERNAME=u\nACME_ACCESS_KEY=k", &ACME[..1], "acme", false),
        (whole, &ACME[2..], "acme", true),
        ("ACME_URL=h", &ACME[1..], "acme", true),
        ("link=h\nusername=u\nacceskey=k\nACME_URL=h", &ACME[2..], "acme", true),
        // The environment's URL counts.
        (whole, &ACME[..], "acme", false),
        (open, &ACME[..], "acme", true),
        ("ACME_ALLOW_PROXY=yes", &ACME[..], "acme", true),
        ("ACME_ALLOW_PROXY=0", &ACME[..], "acme", false),
        ("ACME_USERNAME=u", &[ACME[0], ACME[2]], "acme", false),
        // An account's URL may be the default account's.
        ("ACME_URL=h", &[("ACME__A__USERNAME", "u"), ("ACME__A__ACCESS_KEY", "k")], "acme@a", true),
        (
            "BROKER__A__URL=h\nBROKER__A__USERNAME=u\nBROKER__A__PASSWORD=p",
            &[("BROKER_URL", "h"), ("BROKER_PARTNER_TOKEN", "t")],
            "broker@a",
            true,
        ),
        // At a URL of its own it gets nothing of the default account's.
        (
            "BROKER__A__URL=i\nBROKER__A__USERNAME=u\nBROKER__A__PASSWORD=p",
            &[("BROKER_URL", "h"), ("BROKER_PARTNER_TOKEN", "t")],
            "broker@a",
            false,
        ),
        // Nor does a secret from a file or a command.
        ("ACME_URL=h", &[ACME[1], ("ACME_ACCESS_KEY_CMD", "echo k")], "acme", true),
        ("ACME_URL=h", &[ACME[1], ("ACME_ACCESS_KEY_FILE", "/dev/null")], "acme", true),
        // A secret that is not sent does not count.
        ("WAY_URL=h\nWAY_API_TOKEN=t", &[("WAY_PASSWORD", "p")], "way", false),
    ] {
        assert_eq!(
            guarded(file, vars, text).is_some(),
            refused,
            "{file} {vars:?} {:?}",
            settings(text, vars, file)
        );
    }
    assert_eq!(
        guarded(whole, &ACME[2..], "acme").as_deref(),
        Some(
            "ACME_URL comes from ./.env line 1 and ACME_ACCESS_KEY from the environment: a planted file could \
             send the secret elsewhere"
        )
    );
    let dir = folder(&[(".env", "link=h\nusername=u\nacceskey=k")]);
    let error =
        find(&target("acme"), &load(dir.path(), &ACME[2..], &[]).expect("read")).expect_err("guarded");
    let hint = "set ACME_URL in the environment too, or consent with `--env-file .env`";
    assert_eq!(error.hint.expect("a hint").english(), hint);
    let dir = folder(&[(".env", whole)]);
    for (vars, files) in [(&ACME[2..], &[".env"][..]), (&[ACME[2], ("CRMAUTH_ENV_FILE", ".env")], &[])] {
        assert!(find(&target("acme"), &load(dir.path(), vars, files).expect("read")).is_ok());
    }
}

#[test]
fn an_answer_goes_where_it_was_asked_for_and_to_no_planted_place() {
    let vars = [("BROKER_URL", "h"), ("BROKER_USERNAME", "u"), ("BROKER_PARTNER_USERNAME", "p")];
    let planted = "BROKER__X__URL=evil\nBROKER__X__USERNAME=a\nBROKER__X__PASSWORD=b\n\
                   BROKER__Y__ALLOW_HTTP=1\nBROKER__Y__USERNAME=a\nBROKER__Y__PASSWORD=b\n";
    let dir = folder(&[(".env", planted)]);
    let mut sources = load(dir.path(), &vars, &[]).expect("read");
    let answer = |name: &str| (name.to_owned(), Secret::new("typed".into()));
    sources.answer(&[answer("BROKER_PASSWORD"), answer("BROKER_PARTNER_PASSWORD")]);
    assert!(reveal("broker", &sources).is_ok());
    let elsewhere = reveal("broker@x", &sources).expect("settings");
    assert!(!elsewhere.iter().any(|setting| setting.contains("typed")), "{elsewhere:?}");
    let refused = reveal("broker@y", &sources).expect_err("guarded");
    let told = "BROKER__Y__ALLOW_HTTP comes from ./.env line 4 and BROKER_PARTNER_PASSWORD";
    assert!(refused.contains(told), "{refused}");
}

#[test]
fn a_files_secret_is_for_the_server_that_the_files_name() {
    // The environment, the files in their order, whether that is refused.
    type Row = (&'static [(&'static str, &'static str)], &'static [&'static str], bool);
    const ROWS: &[Row] = &[
        // The files name no server: the ordinary split.
        (&[("URL", "a")], &["ACCESS_KEY=k"], false),
        (&[("URL", "a")], &["OTHER_URL=b\nACCESS_KEY=k", ""], false),
        (&[("URL", "a")], &["ACCESS_KEY=k\nURL=", "URL=''"], false),
        // The same server, however it is spelt.
        (&[("URL", "a")], &["URL=a\nACCESS_KEY=k"], false),
        (&[("URL", "a")], &["URL=HTTPS://A:443/x/\nACCESS_KEY=k"], false),
        (&[("URL", "a/webservice.php")], &["URL=a/y", "ACCESS_KEY=k"], false),
        // Another one: by its host, its port, its scheme, and by what is no URL.
        (&[("URL", "a")], &["URL=b\nACCESS_KEY=k"], true),
        (&[("URL", "a")], &["URL=a:444\nACCESS_KEY=k"], true),
        (&[("URL", "a")], &["URL=http://a\nACCESS_KEY=k"], true),
        (&[("URL", "a")], &["URL=ftp://b\nACCESS_KEY=k"], true),
        (&[("URL", "a")], &["link=b\nusername=u\nacceskey=k"], true),
        (&[("URL", "a")], &["URL=b\nACCESS_KEY_FILE=/dev/null"], true),
        (&[("URL", "a")], &["URL=b\nACCESS_KEY_CMD='echo k'"], true),
        // In another file than the secret, before or behind it.
        (&[("URL", "a")], &["URL=b", "ACCESS_KEY=k"], true),
        (&[("URL", "a")], &["ACCESS_KEY=k", "URL=b"], true),
        // Of several, the one in the secret's own file, or else the last.
        (&[("URL", "a")], &["URL=a\nACCESS_KEY=k", "URL=b"], false),
        (&[("URL", "a")], &["URL=a", "URL=b\nACCESS_KEY=k"], true),
        (&[("URL", "a")], &["URL=b\nACCESS_KEY=k", "URL=a"], true),
        (&[("URL", "a")], &["URL=a", "URL=b", "ACCESS_KEY=k"], true),
        (&[("URL", "a")], &["URL=b", "URL=a", "ACCESS_KEY=k"], false),
        // Among themselves the files count in their order, as they were named.
        (&[], &["URL=b\nACCESS_KEY=k", "URL=a"], false),
        // A secret of the environment's goes with its URL, and what is not used goes nowhere.
        (&[("URL", "a"), ("ACCESS_KEY", "k")], &["URL=b\nACCESS_KEY=l"], false),
        (&[("URL", "a"), ("ACCESS_KEY_CMD", "echo k")], &["URL=b\nACCESS_KEY=l"], false),
        // A session beside the URL makes no difference.
        (&[("URL", "a"), ("TOKEN", "t")], &["URL=b\nACCESS_KEY=k"], true),
        (&[("URL", "a"), ("TOKEN", "t")], &["URL=a\nACCESS_KEY=k"], false),
        (&[("URL", "a"), ("TOKEN", "t")], &["ACCESS_KEY=k"], false),
    ];
    let names = ["1", "2", "3"];
    for (vars, files, refused) in ROWS {
        for (text, url, own) in [
            ("acme", "ACME_", "ACME_"),
            ("acme@x", "ACME__X__", "ACME__X__"),
            ("acme@x", "ACME_", "ACME__X__"),
        ] {
            let owned = |name: &str| match name {
                "URL" => format!("{url}URL"),
                _ => format!("{own}{name}"),
            };
            let line = |line: &str| match line.split_once('=') {
                Some((name, value)) if name.chars().all(|c| c.is_ascii_uppercase() || c == '_') => {
                    format!("{}={value}\n", owned(name))
                }
                _ => format!("{line}\n"),
            };
            if files.iter().any(|file| file.contains("link=")) && text != "acme" {
                continue;
            }
            let files: Vec<String> = files.iter().map(|file| file.lines().map(line).collect()).collect();
            let files: Vec<_> = names.into_iter().zip(files.iter().map(String::as_str)).collect();
            let dir = folder(&files);
            let vars: Vec<_> = vars.iter().map(|(name, value)| (owned(name), *value)).collect();
            let user = owned("USERNAME");
            let mut vars: Vec<_> = vars.iter().map(|(name, value)| (name.as_str(), *value)).collect();
            vars.push((&user, "u"));
            let sources = load(dir.path(), &vars, &names[..files.len()]).expect("read");
            let found = find(&target(text), &sources);
            let told = found.as_ref().err().map(|error| error.message.english());
            let of_pairs = told.as_ref().is_some_and(|told| told.contains("names another server than"));
            assert_eq!(of_pairs, *refused, "{text} {vars:?} {files:?}: {told:?}");
        }
    }
}

#[test]
fn whose_url_counts_for_an_accounts_secret() {
    let partner = "BROKER_PARTNER_TOKEN=t";
    let own = "BROKER__X__USERNAME=u\nBROKER__X__PASSWORD=p";
    for (vars, file, refused) in [
        // The account's own URL in the file is the one that counts, whatever the default account's is elsewhere.
        (&[("BROKER_URL", "a")][..], format!("BROKER__X__URL=b\n{own}"), None),
        (&[("BROKER__X__URL", "a")], format!("BROKER_URL=b\n{own}"), Some("BROKER__X__PASSWORD")),
        (&[("BROKER__X__URL", "a")], format!("BROKER_URL=b\nBROKER__X__URL=a\n{own}"), None),
        // A partner's secret is for the default account's server, where the account goes by its own file as well.
        (
            &[("BROKER_URL", "a")],
            format!("BROKER_URL=b\nBROKER__X__URL=a\n{own}\n{partner}"),
            Some("PARTNER_TOKEN"),
        ),
        (&[("BROKER_URL", "b")], format!("BROKER_URL=b\nBROKER__X__URL=b\n{own}\n{partner}"), None),
        (&[("BROKER_URL", "a")], format!("BROKER__X__URL=a\n{own}\n{partner}"), None),
        (&[("BROKER_URL", "a")], format!("BROKER_URL=b\n{own}"), Some("BROKER__X__PASSWORD")),
    ] {
        let told = settings("broker@x", vars, &file).err();
        assert_eq!(told.is_some(), refused.is_some(), "{vars:?} {file}: {told:?}");
        let named = |told: &String| told.contains(refused.unwrap_or_default());
        assert!(told.as_ref().is_none_or(named), "{told:?}");
    }
}

#[test]
fn a_stray_secret_is_told_with_its_cures() {
    let dir = folder(&[(".env", "PORTAL_URL=b\n\nPORTAL_CLIENT_SECRET=c4n4ry1\nPORTAL_PASSWORD=c4n4ry2\n")]);
    let vars = [("PORTAL_URL", "a"), ("PORTAL_USERNAME", "u")];
    let error = find(&target("portal"), &load(dir.path(), &vars, &[]).expect("read")).expect_err("refused");
    assert_eq!(
        error.message.english(),
        "PORTAL_URL in the environment names another server than ./.env line 1, which PORTAL_CLIENT_SECRET from \
         ./.env line 3 is for"
    );
    assert_eq!(
        error.hint.expect("a hint").english(),
        "`unset PORTAL_URL`, which an earlier login may have left; or set PORTAL_CLIENT_SECRET and PORTAL_PASSWORD in \
         the environment too, or give the other server an account of its own, as in `portal@filial`"
    );
}
