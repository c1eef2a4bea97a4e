use super::*;
use crate::settings::fixture::{folder, load};

#[test]
fn configured_targets() {
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
        GLUO_TOKEN=t CRMAUTH_STORE=none||";
    let rows = rows.replace("CLIENT|", "HELLOCLOUD_URL=h HELLOCLOUD_CLIENT_SECRET=s|");
    for row in rows.lines().map(str::trim) {
        let [environment, file, expected] = row.split('|').collect::<Vec<_>>()[..] else {
            panic!("{row}")
        };
        let dir = folder(&[("e", &file.replace(' ', "\n"))]);
        let vars = environment.split(' ').filter_map(|set| set.split_once('='));
        let sources = load(dir.path(), &vars.collect::<Vec<_>>(), &["e"]).expect("read");
        let targets: Vec<String> = sources.configured().iter().map(Target::to_string).collect();
        assert_eq!(targets.join(" "), expected, "{row}");
    }
}
