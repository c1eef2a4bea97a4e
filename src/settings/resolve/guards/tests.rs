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

/// Settings as `NAME=value NAME=value`.
fn settings(text: &str) -> Vec<(&str, &str)> {
    text.split_whitespace()
        .filter_map(|set| set.split_once('='))
        .collect()
}

const GLUO: &str = "GLUO_URL=h GLUO_USERNAME=u GLUO_ACCESS_KEY=k";
const KEY: &str = "GLUO_ACCESS_KEY=k";
const CLIENT: &str = "HELLOCLOUD_URL=h HELLOCLOUD_CLIENT_ID=c HELLOCLOUD_CLIENT_SECRET=s";
const PARTNER: &str = "BROKER_URL=h BROKER_PARTNER_TOKEN=t";
const BROKER: &str = "BROKER_URL=h BROKER_USERNAME=u BROKER_PASSWORD=p BROKER_PARTNER_USERNAME=u BROKER_PARTNER_PASSWORD=p";

#[test]
fn a_route_that_nobody_named_meets_no_secret_from_elsewhere() {
    // The target, what `./.env` has, and the environment.
    let refused = [
        ("gluo", GLUO, KEY),
        ("gluo", "GLUO_URL=h", "GLUO_USERNAME=u GLUO_ACCESS_KEY=k"),
        ("gluo", "link=h username=u acceskey=k GLUO_URL=h", KEY),
        ("gluo", "GLUO_ALLOW_HTTP=1", GLUO),
        ("gluo", "GLUO_ALLOW_PROXY=yes", GLUO),
        // An account's URL may be the default account's.
        (
            "gluo@a",
            "GLUO_URL=h",
            "GLUO__A__USERNAME=u GLUO__A__ACCESS_KEY=k",
        ),
        (
            "broker@a",
            "BROKER__A__URL=h BROKER__A__USERNAME=u BROKER__A__PASSWORD=p",
            PARTNER,
        ),
        // So does a path below the URL that a secret is posted to.
        ("hellocloud", "HELLOCLOUD_TOKEN_PATH=~m/log.php", CLIENT),
        (
            "hellocloud@a",
            "HELLOCLOUD__A__USERNAME=u HELLOCLOUD__A__PASSWORD=p HELLOCLOUD_TOKEN_PATH=x",
            CLIENT,
        ),
        ("broker", "BROKER_PARTNER_LOGIN_PATH=x", BROKER),
    ];
    let taken = [
        ("gluo", GLUO, ""),
        ("gluo", GLUO, "GLUO_URL=h GLUO_USERNAME=u"),
        ("gluo", "GLUO_USERNAME=u GLUO_ACCESS_KEY=k", "GLUO_URL=h"),
        ("gluo", GLUO, GLUO),
        ("gluo", "GLUO_ALLOW_PROXY=0", GLUO),
        ("gluo", "GLUO_USERNAME=u", "GLUO_URL=h GLUO_ACCESS_KEY=k"),
        // At a URL of its own it gets nothing of the default account's.
        (
            "broker@a",
            "BROKER__A__URL=i BROKER__A__USERNAME=u BROKER__A__PASSWORD=p",
            PARTNER,
        ),
        ("hellocloud", "HELLOCLOUD_TOKEN_PATH=x", "HELLOCLOUD_URL=h"),
        (
            "hellocloud",
            &format!("{CLIENT} HELLOCLOUD_TOKEN_PATH=x"),
            "",
        ),
        (
            "hellocloud",
            "HELLOCLOUD_TOKEN_PATH=x",
            &format!("{CLIENT} HELLOCLOUD_TOKEN_PATH=y"),
        ),
        // A secret that is not sent does not count.
        ("zeev", "ZEEV_URL=h ZEEV_API_TOKEN=t", "ZEEV_PASSWORD=p"),
    ];
    let rows = refused
        .map(|row| (row, true))
        .into_iter()
        .chain(taken.map(|row| (row, false)));
    for ((target, file, environment), refused) in rows {
        let told = refusal(target, &settings(environment), &file.replace(' ', "\n"));
        let guarded = told
            .as_ref()
            .is_some_and(|told| told.ends_with("could send the secret elsewhere"));
        assert_eq!(guarded, refused, "{file} {environment} {told:?}");
    }
    let dir = folder(&[(".env", "link=h\nusername=u\nacceskey=k")]);
    let error = find(
        "gluo",
        &load(dir.path(), &settings(KEY), &[]).expect("read"),
    )
    .expect_err("guarded");
    let hint = "set GLUO_URL in the environment too, or consent with `--env-file .env`";
    assert_eq!(error.hint.expect("a hint"), hint);
}

#[test]
fn an_answer_goes_where_it_was_asked_for_and_to_no_planted_place() {
    let vars = settings("BROKER_URL=h BROKER_USERNAME=u BROKER_PARTNER_USERNAME=p");
    let planted = "BROKER__X__URL=evil\nBROKER__X__USERNAME=a\nBROKER__X__PASSWORD=b\n\
                   BROKER__Y__ALLOW_HTTP=1\nBROKER__Y__USERNAME=a\nBROKER__Y__PASSWORD=b\n";
    let dir = folder(&[(".env", planted)]);
    let mut sources = load(dir.path(), &vars, &[]).expect("read");
    let broker = target("broker");
    let answers = ["PASSWORD", "PARTNER_PASSWORD"].map(|name| {
        let field = broker.spec.field(name).expect(name);
        (field, Secret::new("typed".into()))
    });
    sources.answer(&broker, &answers);
    assert!(find("broker", &sources).is_ok());
    let elsewhere = find("broker@x", &sources).expect("settings");
    let mut found = elsewhere.found.iter();
    assert!(
        found.all(|found| found.origin != Origin::Answer),
        "{elsewhere:?}"
    );
    let refused = find("broker@y", &sources).expect_err("guarded");
    let refused = refused.message.english();
    let told = "BROKER__Y__ALLOW_HTTP comes from ./.env line 4 and BROKER_PARTNER_PASSWORD";
    assert!(refused.contains(told), "{refused}");
}

#[test]
fn whose_url_counts_for_an_accounts_secret() {
    let own = "BROKER__X__USERNAME=u\nBROKER__X__PASSWORD=p";
    let partner = "BROKER_PARTNER_TOKEN=t";
    for (url, file, refused) in [
        // The account's own URL in the file is the one that counts, whatever the default account's is elsewhere.
        ("BROKER_URL", "BROKER__X__URL=b", ""),
        ("BROKER__X__URL", "BROKER_URL=b", "BROKER__X__PASSWORD"),
        ("BROKER__X__URL", "BROKER_URL=b\nBROKER__X__URL=a", ""),
        ("BROKER_URL", "BROKER_URL=b", "BROKER__X__PASSWORD"),
        // A partner's secret is for the default account's server, where the account goes by its own file as well.
        (
            "BROKER_URL",
            &format!("BROKER_URL=b\nBROKER__X__URL=a\n{partner}"),
            "PARTNER_TOKEN",
        ),
        (
            "BROKER_URL",
            &format!("BROKER_URL=a\nBROKER__X__URL=a\n{partner}"),
            "",
        ),
        ("BROKER_URL", &format!("BROKER__X__URL=a\n{partner}"), ""),
        // Another server is another host, port or scheme, and what is no URL.
        ("BROKER_URL", "BROKER_URL=HTTPS://A:443/x/", ""),
        ("BROKER_URL", "BROKER_URL=a:444", "BROKER__X__PASSWORD"),
        ("BROKER_URL", "BROKER_URL=http://a", "BROKER__X__PASSWORD"),
        ("BROKER_URL", "BROKER_URL=ftp://a", "BROKER__X__PASSWORD"),
    ] {
        let told = refusal("broker@x", &[(url, "a")], &format!("{file}\n{own}"));
        assert_eq!(
            told.is_some(),
            !refused.is_empty(),
            "{url} {file}: {told:?}"
        );
        assert!(
            told.is_none_or(|told| told.contains(refused)),
            "{url} {file}"
        );
    }
}
