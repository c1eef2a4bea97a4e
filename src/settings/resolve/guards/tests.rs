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

#[test]
fn a_secret_that_is_not_sent_meets_no_route() {
    let file = "ZEEV_URL=h\nZEEV_API_TOKEN=t";
    assert_eq!(refusal("zeev", &[("ZEEV_PASSWORD", "p")], file), None);
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
