use super::*;
use crate::secret::Secret;
use crate::settings::fixture::{folder, load, target, wait_for};
use crate::settings::{Plan, Sources};

fn find(text: &str, sources: &Sources) -> Result<Plan> {
    wait_for(crate::settings::find(&target(text), sources))
}

/// Why a login of that target is refused, if it is.
fn refusal(text: &str, vars: &[(&str, &str)], implicit: &str) -> Option<String> {
    let dir = folder(&[(".env", implicit)]);
    let plan = find(text, &load(dir.path(), vars, &[]).expect("read"));
    plan.err().map(|error| {
        assert_eq!(error.target.as_deref(), Some(text));
        error.message.english()
    })
}

const GLUO: [(&str, &str); 3] = [
    ("GLUO_URL", "h"),
    ("GLUO_USERNAME", "u"),
    ("GLUO_ACCESS_KEY", "k"),
];

const CLIENT: [(&str, &str); 3] = [
    ("HELLOCLOUD_URL", "h"),
    ("HELLOCLOUD_CLIENT_ID", "c"),
    ("HELLOCLOUD_CLIENT_SECRET", "s"),
];

#[test]
fn a_route_that_nobody_named_meets_no_secret_from_elsewhere() {
    let whole = "GLUO_URL=h\nGLUO_USERNAME=u\nGLUO_ACCESS_KEY=k\n";
    let open = "GLUO_ALLOW_HTTP=1\n";
    for (file, vars, text, refused) in [
        (whole, &[][..], "gluo", false),
        (whole, &GLUO[..2], "gluo", false),
        (
            "GLUO_USERNAME=u\nGLUO_ACCESS_KEY=k",
            &GLUO[..1],
            "gluo",
            false,
        ),
        (whole, &GLUO[2..], "gluo", true),
        ("GLUO_URL=h", &GLUO[1..], "gluo", true),
        (
            "link=h\nusername=u\nacceskey=k\nGLUO_URL=h",
            &GLUO[2..],
            "gluo",
            true,
        ),
        // The environment's URL counts.
        (whole, &GLUO[..], "gluo", false),
        (open, &GLUO[..], "gluo", true),
        ("GLUO_ALLOW_PROXY=yes", &GLUO[..], "gluo", true),
        ("GLUO_ALLOW_PROXY=0", &GLUO[..], "gluo", false),
        ("GLUO_USERNAME=u", &[GLUO[0], GLUO[2]], "gluo", false),
        // An account's URL may be the default account's.
        (
            "GLUO_URL=h",
            &[("GLUO__A__USERNAME", "u"), ("GLUO__A__ACCESS_KEY", "k")],
            "gluo@a",
            true,
        ),
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
        // So does a path below the URL that a secret is posted to; one of the environment's own counts first.
        (
            "HELLOCLOUD_TOKEN_PATH=~m/log.php",
            &CLIENT[..],
            "hellocloud",
            true,
        ),
        ("HELLOCLOUD_TOKEN_PATH=x", &[CLIENT[0]], "hellocloud", false),
        (
            "HELLOCLOUD_URL=h\nHELLOCLOUD_TOKEN_PATH=x\nHELLOCLOUD_CLIENT_ID=c\nHELLOCLOUD_CLIENT_SECRET=s",
            &[],
            "hellocloud",
            false,
        ),
        (
            "HELLOCLOUD_TOKEN_PATH=x",
            &[
                CLIENT[0],
                CLIENT[1],
                CLIENT[2],
                ("HELLOCLOUD_TOKEN_PATH", "y"),
            ],
            "hellocloud",
            false,
        ),
        (
            "HELLOCLOUD__A__USERNAME=u\nHELLOCLOUD__A__PASSWORD=p\nHELLOCLOUD_TOKEN_PATH=x",
            &CLIENT[..],
            "hellocloud@a",
            true,
        ),
        (
            "BROKER_PARTNER_LOGIN_PATH=x",
            &[
                ("BROKER_URL", "h"),
                ("BROKER_USERNAME", "u"),
                ("BROKER_PASSWORD", "p"),
                ("BROKER_PARTNER_USERNAME", "u"),
                ("BROKER_PARTNER_PASSWORD", "p"),
            ],
            "broker",
            true,
        ),
        // Nor does a secret from a file or a command.
        (
            "GLUO_URL=h",
            &[GLUO[1], ("GLUO_ACCESS_KEY_CMD", "echo k")],
            "gluo",
            true,
        ),
        (
            "GLUO_URL=h",
            &[GLUO[1], ("GLUO_ACCESS_KEY_FILE", "/dev/null")],
            "gluo",
            true,
        ),
        // A secret that is not sent does not count.
        (
            "ZEEV_URL=h\nZEEV_API_TOKEN=t",
            &[("ZEEV_PASSWORD", "p")],
            "zeev",
            false,
        ),
    ] {
        let told = refusal(text, vars, file);
        let guarded = told
            .as_ref()
            .is_some_and(|told| told.ends_with("could send the secret elsewhere"));
        assert_eq!(guarded, refused, "{file} {vars:?} {told:?}");
    }
    let dir = folder(&[(".env", "link=h\nusername=u\nacceskey=k")]);
    let error =
        find("gluo", &load(dir.path(), &GLUO[2..], &[]).expect("read")).expect_err("guarded");
    let hint = "set GLUO_URL in the environment too, or consent with `--env-file .env`";
    assert_eq!(error.hint.expect("a hint").english(), hint);
    let dir = folder(&[(".env", whole)]);
    for (vars, files) in [
        (&GLUO[2..], &[".env"][..]),
        (&[GLUO[2], ("CRMAUTH_ENV_FILE", ".env")], &[]),
    ] {
        assert!(find("gluo", &load(dir.path(), vars, files).expect("read")).is_ok());
    }
}

#[test]
fn an_answer_goes_where_it_was_asked_for_and_to_no_planted_place() {
    let vars = [
        ("BROKER_URL", "h"),
        ("BROKER_USERNAME", "u"),
        ("BROKER_PARTNER_USERNAME", "p"),
    ];
    let planted = "BROKER__X__URL=evil\nBROKER__X__USERNAME=a\nBROKER__X__PASSWORD=b\n\
                   BROKER__Y__ALLOW_HTTP=1\nBROKER__Y__USERNAME=a\nBROKER__Y__PASSWORD=b\n";
    let dir = folder(&[(".env", planted)]);
    let mut sources = load(dir.path(), &vars, &[]).expect("read");
    let answer = |name: &str| (name.to_owned(), Secret::new("typed".into()));
    sources.answer(&[answer("BROKER_PASSWORD"), answer("BROKER_PARTNER_PASSWORD")]);
    assert!(find("broker", &sources).is_ok());
    let elsewhere = find("broker@x", &sources).expect("settings");
    assert!(
        elsewhere
            .found
            .iter()
            .all(|found| found.origin != Origin::Answer),
        "{elsewhere:?}"
    );
    let refused = find("broker@y", &sources)
        .expect_err("guarded")
        .message
        .english();
    let told = "BROKER__Y__ALLOW_HTTP comes from ./.env line 4 and BROKER_PARTNER_PASSWORD";
    assert!(refused.contains(told), "{refused}");
}

#[test]
fn a_files_secret_is_for_the_server_that_the_files_name() {
    // The environment, the files in their order, whether that is refused.
    type Row = (
        &'static [(&'static str, &'static str)],
        &'static [&'static str],
        bool,
    );
    const ROWS: &[Row] = &[
        // The files name no server: the ordinary split.
        (&[("URL", "a")], &["ACCESS_KEY=k"], false),
        (&[("URL", "a")], &["OTHER_URL=b\nACCESS_KEY=k", ""], false),
        (&[("URL", "a")], &["ACCESS_KEY=k\nURL=", "URL=''"], false),
        // The same server, however it is spelt.
        (&[("URL", "a")], &["URL=a\nACCESS_KEY=k"], false),
        (
            &[("URL", "a")],
            &["URL=HTTPS://A:443/x/\nACCESS_KEY=k"],
            false,
        ),
        (
            &[("URL", "a/webservice.php")],
            &["URL=a/y", "ACCESS_KEY=k"],
            false,
        ),
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
        (
            &[("URL", "a"), ("ACCESS_KEY", "k")],
            &["URL=b\nACCESS_KEY=l"],
            false,
        ),
        (
            &[("URL", "a"), ("ACCESS_KEY_CMD", "echo k")],
            &["URL=b\nACCESS_KEY=l"],
            false,
        ),
        // A session beside the URL makes no difference.
        (
            &[("URL", "a"), ("TOKEN", "t")],
            &["URL=b\nACCESS_KEY=k"],
            true,
        ),
        (
            &[("URL", "a"), ("TOKEN", "t")],
            &["URL=a\nACCESS_KEY=k"],
            false,
        ),
        (&[("URL", "a"), ("TOKEN", "t")], &["ACCESS_KEY=k"], false),
    ];
    let names = ["1", "2", "3"];
    for (vars, files, refused) in ROWS {
        for (text, url, own) in [
            ("gluo", "GLUO_", "GLUO_"),
            ("gluo@x", "GLUO__X__", "GLUO__X__"),
            ("gluo@x", "GLUO_", "GLUO__X__"),
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
            if files.iter().any(|file| file.contains("link=")) && text != "gluo" {
                continue;
            }
            let files: Vec<String> = files
                .iter()
                .map(|file| file.lines().map(line).collect())
                .collect();
            let files: Vec<_> = names
                .into_iter()
                .zip(files.iter().map(String::as_str))
                .collect();
            let dir = folder(&files);
            let vars: Vec<_> = vars
                .iter()
                .map(|(name, value)| (owned(name), *value))
                .collect();
            let user = owned("USERNAME");
            let mut vars: Vec<_> = vars
                .iter()
                .map(|(name, value)| (name.as_str(), *value))
                .collect();
            vars.push((&user, "u"));
            let sources = load(dir.path(), &vars, &names[..files.len()]).expect("read");
            let told = find(text, &sources)
                .err()
                .map(|error| error.message.english());
            let of_pairs = told
                .as_ref()
                .is_some_and(|told| told.contains("names another server than"));
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
        (
            &[("BROKER_URL", "a")][..],
            format!("BROKER__X__URL=b\n{own}"),
            None,
        ),
        (
            &[("BROKER__X__URL", "a")],
            format!("BROKER_URL=b\n{own}"),
            Some("BROKER__X__PASSWORD"),
        ),
        (
            &[("BROKER__X__URL", "a")],
            format!("BROKER_URL=b\nBROKER__X__URL=a\n{own}"),
            None,
        ),
        // A partner's secret is for the default account's server, where the account goes by its own file as well.
        (
            &[("BROKER_URL", "a")],
            format!("BROKER_URL=b\nBROKER__X__URL=a\n{own}\n{partner}"),
            Some("PARTNER_TOKEN"),
        ),
        (
            &[("BROKER_URL", "b")],
            format!("BROKER_URL=b\nBROKER__X__URL=b\n{own}\n{partner}"),
            None,
        ),
        (
            &[("BROKER_URL", "a")],
            format!("BROKER__X__URL=a\n{own}\n{partner}"),
            None,
        ),
        (
            &[("BROKER_URL", "a")],
            format!("BROKER_URL=b\n{own}"),
            Some("BROKER__X__PASSWORD"),
        ),
    ] {
        let told = refusal("broker@x", vars, &file);
        assert_eq!(
            told.is_some(),
            refused.is_some(),
            "{vars:?} {file}: {told:?}"
        );
        let named = |told: &String| told.contains(refused.unwrap_or_default());
        assert!(told.as_ref().is_none_or(named), "{told:?}");
    }
}
