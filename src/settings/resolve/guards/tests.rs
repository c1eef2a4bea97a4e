use super::*;
use crate::secret::Secret;
use crate::settings::fixture::{folder, load, target, wait_for};
use crate::settings::{Plan, Sources};

fn find(text: &str, sources: &Sources) -> Result<Plan> {
    wait_for(crate::settings::find(&target(text), sources))
}

#[test]
fn an_answer_goes_where_it_was_asked_for_and_to_no_planted_place() {
    let vars = ["URL", "USERNAME", "PARTNER_USERNAME"].map(|name| format!("BROKER_{name}"));
    let vars = vars.each_ref().map(|name| (&**name, "h"));
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
    let elsewhere = find("broker@x", &sources).expect("settings").found;
    assert!(elsewhere.iter().all(|found| found.origin != Origin::Answer));
    let refused = find("broker@y", &sources).expect_err("guarded");
    let told = "BROKER__Y__ALLOW_HTTP comes from ./.env line 4 and BROKER_PARTNER_PASSWORD";
    assert!(refused.message.english().contains(told), "{refused:?}");
}

#[test]
fn whose_url_counts_for_an_accounts_secret() {
    // The environment's variable, what the file has besides the account, and the secret that is refused.
    let rows = "\
        BROKER_URL|BROKER__X__URL=b|
        BROKER__X__URL|BROKER_URL=b|BROKER__X__PASSWORD
        BROKER__X__URL|BROKER_URL=b BROKER__X__URL=a|
        BROKER_URL|BROKER_URL=b|BROKER__X__PASSWORD
        BROKER_URL|BROKER_URL=b BROKER__X__URL=a BROKER_PARTNER_TOKEN=t|PARTNER_TOKEN
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
        let file = file.replace(' ', "\n") + "\nBROKER__X__USERNAME=u\nBROKER__X__PASSWORD=p";
        let dir = folder(&[(".env", &file)]);
        let found = find(
            "broker@x",
            &load(dir.path(), &[(url, "a")], &[]).expect("read"),
        );
        let told = found.err().map(|error| error.message.english());
        let told = told.unwrap_or_default();
        assert_eq!(told.is_empty(), refused.is_empty(), "{row}: {told}");
        assert!(told.contains(refused), "{row}: {told}");
    }
}
