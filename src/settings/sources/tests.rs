use super::*;
use crate::settings::fixture::{folder, load};

#[test]
fn configured_targets() {
    let configured = |vars: &[(&str, &str)], file: &str| {
        let dir = folder(&[("e", file)]);
        let sources = load(dir.path(), vars, &["e"]).expect("read");
        let targets: Vec<String> = sources.configured().iter().map(Target::to_string).collect();
        targets.join(" ")
    };
    assert_eq!(configured(&[], ""), "");
    assert_eq!(configured(&[("GLUO_URL", "h")], ""), "gluo");
    assert_eq!(configured(&[("GLUO_URL", " ")], "GLUO_USERNAME=\n"), "");
    assert_eq!(
        configured(&[("GLUO_URL", "h")], "GLUO__B__USERNAME=u\nGLUO__A__URL=h"),
        "gluo@a gluo@b"
    );
    assert_eq!(
        configured(&[("GLUO_USERNAME", "h")], "GLUO__A__URL=h"),
        "gluo gluo@a"
    );
    assert_eq!(
        configured(
            &[("BROKER_PARTNER_TOKEN", "t")],
            "BROKER__A__USERNAME=u\nZEEV_API_TOKEN=t"
        ),
        "broker@a zeev"
    );
    assert_eq!(
        configured(&[("ZEEV_API_TOKEN_CMD", "x")], "GLUO_URL=h"),
        "gluo zeev"
    );
    // A client is a base where an account takes it, and else may be a login by itself.
    let client = [("HELLOCLOUD_URL", "h"), ("HELLOCLOUD_CLIENT_SECRET", "s")];
    assert_eq!(configured(&client, ""), "hellocloud");
    assert_eq!(
        configured(&client, "HELLOCLOUD__A__USERNAME=u"),
        "hellocloud@a"
    );
    assert_eq!(
        configured(
            &client,
            "HELLOCLOUD__A__USERNAME=u\nHELLOCLOUD__B__CLIENT_SECRET=t"
        ),
        "hellocloud@a hellocloud@b"
    );
    assert_eq!(
        configured(&client, "HELLOCLOUD__B__CLIENT_SECRET=t"),
        "hellocloud hellocloud@b"
    );
    assert_eq!(
        configured(&client, "HELLOCLOUD__A__URL=i"),
        "hellocloud hellocloud@a"
    );
    assert_eq!(
        configured(&client, "HELLOCLOUD_USERNAME=u\nHELLOCLOUD__A__USERNAME=u"),
        "hellocloud hellocloud@a"
    );
    assert_eq!(configured(&[], "link=h\nusername=u\nacceskey=k"), "gluo");
    assert_eq!(
        configured(
            &[("acceskey", "k"), ("username", "u")],
            "link=h\nusername=u"
        ),
        ""
    );
    assert_eq!(
        configured(&[("GLUO_TOKEN", "t"), ("CRMAUTH_STORE", "none")], ""),
        ""
    );
}
