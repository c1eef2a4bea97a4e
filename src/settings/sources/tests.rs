use super::*;
use crate::settings::fixture::{SPECS, folder, load, target};

fn origin(sources: &Sources, text: &str, field: &str) -> Option<String> {
    let target = target(text);
    let field = target.spec.field(field).expect("a field");
    let hit = sources.lookup(&target, field).expect("one form")?;
    Some(format!("{}={} from {}", hit.written, hit.text.expose(), hit.origin.text().english()))
}

fn refusal(result: Result<Sources>) -> (String, Option<String>) {
    let error = result.err().expect("refused");
    assert_eq!(error.cause, Cause::BadSetting);
    (error.message.english(), error.hint.map(|hint| hint.english()))
}

#[test]
fn the_environment_comes_first_then_the_later_file() {
    let dir = folder(&[
        (".env", "ACME_URL=dot\nACME_ACCESS_KEY=dot\n"),
        ("a.env", "ACME_URL=a\nACME_USERNAME=a\nACME_ALLOW_HTTP=1\n"),
        ("b.env", "ACME_URL=b\nACME_USERNAME=b\n"),
    ]);
    let vars = [("ACME_URL", "env"), ("ACME_USERNAME", "  ")];
    let sources = load(dir.path(), &vars, &["a.env", "b.env"]).expect("read");
    for (field, expected) in [
        ("URL", Some("ACME_URL=env from the environment")),
        ("USERNAME", Some("ACME_USERNAME=b from b.env line 2")),
        ("ALLOW_HTTP", Some("ACME_ALLOW_HTTP=1 from a.env line 3")),
        ("ACCESS_KEY", None),
    ] {
        assert_eq!(origin(&sources, "acme", field).as_deref(), expected);
    }
    assert_eq!(sources.looked(), ["the environment", "b.env", "a.env"]);

    let sources = load(dir.path(), &vars, &[]).expect("read");
    assert_eq!(
        origin(&sources, "acme", "ACCESS_KEY").as_deref(),
        Some("ACME_ACCESS_KEY=dot from ./.env line 2")
    );
    let named = [("CRMAUTH_ENV_FILE", "b.env")];
    let sources = load(dir.path(), &named, &[]).expect("read");
    assert_eq!(origin(&sources, "acme", "URL").as_deref(), Some("ACME_URL=b from b.env line 1"));
    let sources = load(dir.path(), &named, &["a.env"]).expect("read");
    assert_eq!(origin(&sources, "acme", "URL").as_deref(), Some("ACME_URL=a from a.env line 1"));
    assert_eq!(sources.looked(), ["the environment", "a.env"]);
}

#[test]
fn no_parents_file_and_no_settings_of_crmauth_from_files() {
    let dir = folder(&[(".env", "ACME_URL=h\n")]);
    let child = dir.path().join("child");
    std::fs::create_dir(&child).expect("a folder");
    let sources = load(&child, &[], &[]).expect("read");
    assert_eq!(origin(&sources, "acme", "URL"), None);
    assert_eq!(sources.looked(), ["the environment", "./.env (not there)"]);
    assert_eq!(sources.notes(), ["./.env: not there, passed over"]);

    std::fs::write(child.join(".env"), "CRMAUTH_ENV_FILE=../.env\n").expect("written");
    let sources = load(&child, &[], &[]).expect("read");
    assert_eq!(origin(&sources, "acme", "URL"), None);
}

#[test]
fn two_forms_in_one_source_are_refused_across_sources_the_higher_one_counts() {
    let dir = folder(&[("e", "ACME_ACCESS_KEY_CMD='pass x'\n")]);
    let sources = load(dir.path(), &[("ACME_ACCESS_KEY_FILE", "/x")], &["e"]).expect("read");
    assert_eq!(
        origin(&sources, "acme", "ACCESS_KEY").as_deref(),
        Some("ACME_ACCESS_KEY_FILE=/x from the environment")
    );
    let vars = [("ACME_ACCESS_KEY_FILE", "/x"), ("ACME_ACCESS_KEY", "c4n4ry")];
    let sources = load(dir.path(), &vars, &["e"]).expect("read");
    let acme = target("acme");
    let error = sources.lookup(&acme, acme.spec.field("ACCESS_KEY").expect("a field")).err().expect("two");
    assert_eq!(
        error.message.english(),
        "both ACME_ACCESS_KEY (from the environment) and ACME_ACCESS_KEY_FILE (from the environment) are set"
    );
}

#[test]
fn errors_name_the_file_and_the_line() {
    let dir = folder(&[(".env", "\nACME_ACCESS_KEY=c4n4ry$x\n"), ("b.env", "ACME_URL\n")]);
    let (message, hint) = refusal(load(dir.path(), &[], &[]));
    assert_eq!(message, "./.env line 2: `$` in ACME_ACCESS_KEY needs single quotes");
    assert!(hint.expect("advice").contains("ACME_ACCESS_KEY='…'"));
    let (message, _) = refusal(load(dir.path(), &[], &["b.env"]));
    assert_eq!(message, "b.env line 1: ACME_URL has no `=` behind it");
    let (message, _) = refusal(load(dir.path(), &[], &["none\u{1b}[31m.env"]));
    assert_eq!(message, "--env-file none [31m.env: there is no such file");
    let (message, _) = refusal(load(dir.path(), &[], &["."]));
    assert_eq!(message, ". is a folder");
    let (message, _) = refusal(load(dir.path(), &[("CRMAUTH_ENV_FILE", "none")], &[]));
    assert_eq!(message, "CRMAUTH_ENV_FILE none: there is no such file");
}

#[test]
fn large_files_are_refused() {
    let line = "# 345678901234567890123456789012\n";
    let full = line.repeat(FILE_MAX / line.len()) + &"#".repeat(FILE_MAX % line.len());
    let dir = folder(&[(".env", &format!("{full}#")), ("full", &full)]);
    assert_eq!(full.len(), FILE_MAX);
    assert!(load(dir.path(), &[], &["full"]).is_ok());
    assert_eq!(refusal(load(dir.path(), &[], &[])).0, "./.env is larger than 1024 KiB");
    assert_eq!(refusal(load(dir.path(), &[], &[".env"])).0, ".env is larger than 1024 KiB");
}

#[test]
fn commands_and_files_need_a_file_that_was_named() {
    for line in ["ACME_ACCESS_KEY_CMD='echo x'", "ACME__A__ACCESS_KEY_FILE=/etc/passwd"] {
        let dir = folder(&[(".env", line)]);
        let (message, hint) = refusal(load(dir.path(), &[], &[]));
        assert!(message.starts_with("./.env line 1: ACME_"), "{message}");
        assert!(message.ends_with("is not taken from a file that nobody named"), "{message}");
        assert_eq!(hint.as_deref(), Some("`--env-file .env` names it, which is consent"));
        assert!(load(dir.path(), &[], &[".env"]).is_ok());
        assert!(load(dir.path(), &[("CRMAUTH_ENV_FILE", ".env")], &[]).is_ok());
    }
    let dir = folder(&[(".env", "ACME_ACCESS_KEY_CMD=\nX_CMD=y\n")]);
    assert!(load(dir.path(), &[], &[]).is_ok());
}

#[test]
fn an_implicit_file_that_is_none_is_passed_over() {
    let dir = folder(&[]);
    std::fs::create_dir(dir.path().join(".env")).expect("a folder");
    let sources = load(dir.path(), &[], &[]).expect("passed over");
    assert_eq!(sources.looked(), ["the environment", "./.env (not a regular file)"]);
    assert_eq!(sources.notes(), ["./.env: not a regular file, passed over"]);
}

#[cfg(unix)]
#[test]
fn links_and_pipes() {
    use std::os::unix::fs::symlink;
    let dir = folder(&[("real", "ACME_URL=h")]);
    let path = dir.path().join(".env");
    symlink("none", &path).expect("a link");
    let sources = load(dir.path(), &[], &[]).expect("passed over");
    assert_eq!(sources.looked()[1], "./.env (a link to nothing)");
    std::fs::remove_file(&path).expect("removed");
    symlink("real", &path).expect("a link");
    assert!(origin(&load(dir.path(), &[], &[]).expect("read"), "acme", "URL").is_some());
    std::fs::remove_file(&path).expect("removed");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo");
    assert!(made.success());
    let sources = load(dir.path(), &[], &[]).expect("passed over");
    assert_eq!(sources.looked()[1], "./.env (not a regular file)");
    // Named, it is read; nobody writes to it here.
    assert_eq!(refusal(load(dir.path(), &[], &[".env"])).0, ".env gave nothing within 0.05 s");
    let null = load(dir.path(), &[], &["/dev/null"]).expect("empty");
    assert_eq!(null.looked(), ["the environment", "/dev/null"]);
}

#[cfg(unix)]
#[test]
fn a_secret_that_others_may_read_is_worth_a_warning() {
    use std::fs::Permissions;
    use std::os::unix::fs::PermissionsExt;
    let dir = folder(&[("secret", "ACME_ACCESS_KEY=k"), ("none", "ACME_URL=h\nACME_ACCESS_KEY=\nX=k")]);
    let warned = |name: &str, mode| {
        std::fs::set_permissions(dir.path().join(name), Permissions::from_mode(mode)).expect("rights");
        load(dir.path(), &[], &[name]).expect("read").warnings().to_vec()
    };
    let warning = "secret holds a secret and others may read it: `chmod 600 secret`";
    for mode in [0o644, 0o640, 0o604] {
        assert_eq!(warned("secret", mode), [warning]);
    }
    for mode in [0o600, 0o400, 0o611] {
        assert!(warned("secret", mode).is_empty());
    }
    assert!(warned("none", 0o644).is_empty());
}

#[cfg(unix)]
#[test]
fn another_users_file_is_refused_where_it_holds_settings_of_ours() {
    let dir = folder(&[(".env", "ACME_URL=h\n")]);
    let path = dir.path().join(".env");
    if std::os::unix::fs::chown(&path, Some(12_345), None).is_err() {
        // Only root can give a file away.
        return;
    }
    for text in ["ACME_URL=h\n", "ACME_URL=$\n"] {
        std::fs::write(&path, text).expect("written");
        let (message, hint) = refusal(load(dir.path(), &[], &[]));
        assert_eq!(message, "./.env belongs to another user");
        assert_eq!(hint.as_deref(), Some("`--env-file .env` names it, which is consent"));
    }
    std::fs::write(&path, "OTHER=1\n").expect("written");
    let sources = load(dir.path(), &[], &[]).expect("passed over");
    assert_eq!(sources.looked()[1], "./.env (another user's)");
    std::fs::write(&path, "ACME_URL=h\n").expect("written");
    assert!(load(dir.path(), &[], &[".env"]).is_ok());
}

#[test]
fn configured_targets() {
    let configured = |vars: &[(&str, &str)], file: &str| {
        let dir = folder(&[("e", file)]);
        let sources = load(dir.path(), vars, &["e"]).expect("read");
        let targets: Vec<String> = sources.configured(SPECS).iter().map(Target::to_string).collect();
        targets.join(" ")
    };
    assert_eq!(configured(&[], ""), "");
    assert_eq!(configured(&[("ACME_URL", "h")], ""), "acme");
    assert_eq!(configured(&[("ACME_URL", " ")], "ACME_USERNAME=\n"), "");
    assert_eq!(configured(&[("ACME_URL", "h")], "ACME__B__USERNAME=u\nACME__A__URL=h"), "acme@a acme@b");
    assert_eq!(configured(&[("ACME_USERNAME", "h")], "ACME__A__URL=h"), "acme acme@a");
    assert_eq!(
        configured(&[("BROKER_PARTNER_TOKEN", "t")], "BROKER__A__USERNAME=u\nWAY_API_TOKEN=t"),
        "broker@a way"
    );
    assert_eq!(configured(&[("WAY_API_TOKEN_CMD", "x")], "ACME_URL=h"), "acme way");
    // A client is a base where an account takes it, and else may be a login by itself.
    let client = [("PORTAL_URL", "h"), ("PORTAL_CLIENT_SECRET", "s")];
    assert_eq!(configured(&client, ""), "portal");
    assert_eq!(configured(&client, "PORTAL__A__USERNAME=u"), "portal@a");
    assert_eq!(configured(&client, "PORTAL__A__USERNAME=u\nPORTAL__B__CLIENT_SECRET=t"), "portal@a portal@b");
    assert_eq!(configured(&client, "PORTAL__B__CLIENT_SECRET=t"), "portal portal@b");
    assert_eq!(configured(&client, "PORTAL__A__URL=i"), "portal portal@a");
    assert_eq!(configured(&client, "PORTAL_USERNAME=u\nPORTAL__A__USERNAME=u"), "portal portal@a");
    assert_eq!(configured(&[], "link=h\nusername=u\nacceskey=k"), "acme");
    assert_eq!(configured(&[("acceskey", "k"), ("username", "u")], "link=h\nusername=u"), "");
    assert_eq!(configured(&[("ACME_TOKEN", "t"), ("CRMAUTH_STORE", "none")], ""), "");
}

#[test]
fn the_sandbox_takes_the_place_of_everything() {
    let sources = Sources::only(vec![("ACME_URL".to_owned(), "http://127.0.0.1:1".to_owned())]);
    assert_eq!(
        origin(&sources, "acme", "URL").as_deref(),
        Some("ACME_URL=http://127.0.0.1:1 from the sandbox")
    );
    assert_eq!(sources.configured(SPECS), [target("acme")]);
    assert_eq!(sources.looked(), ["the sandbox"]);
}
