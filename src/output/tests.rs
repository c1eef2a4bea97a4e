use serde_json::{Value, json};

use super::*;
use crate::declaration::{Placement, Spec};
use crate::error::Cause;

static GLUO: Spec = spec("gluo", Placement::Query("sessionName"));
static BROKER: Spec = spec("broker", Placement::Bearer);
static SYSTEMSWAY: Spec = spec("systemsway", Placement::Path);

const fn spec(id: &'static str, placement: Placement) -> Spec {
    Spec {
        id,
        url_found: "on the invoice",
        placement,
        ..Spec::PLAIN
    }
}

fn target(spec: &'static Spec, account: Option<&str>) -> Target {
    Target {
        spec,
        account: account.map(str::to_owned),
    }
}

fn session(token: &str) -> Session {
    let mut session = Session::new("placeholder", "session").expect("a session");
    session.token = crate::secret::Secret::new(token.to_owned());
    session.obtained_at = "2026-01-02T03:04:05.9Z".parse().expect("a time");
    session
}

/// What the format makes of `targets`, each with the same session; of none where the session is none.
fn render_all(
    format: &str,
    targets: &[(&Target, Option<&Session>)],
    shape: &Shape<'_>,
) -> Result<(String, Option<String>)> {
    let url = BaseUrl::parse("https://h.example/crm").expect("a URL");
    let outcomes: Vec<Outcome<'_>> = targets
        .iter()
        .map(|&(target, session)| match session {
            Some(session) => Outcome::Session(Entry {
                target,
                url: &url,
                session,
            }),
            None => Outcome::Failed {
                target,
                error_json: json!({"code": "refused"}),
            },
        })
        .collect();
    let rendered = Format::named(format)
        .expect(format)
        .write(&outcomes, shape)?;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
    Ok((
        text(&rendered.main),
        rendered.github_env.as_deref().map(|b| text(b)),
    ))
}

fn one(format: &str, token: &str, shape: &Shape<'_>) -> Result<String> {
    render_all(
        format,
        &[(&target(&BROKER, None), Some(&session(token)))],
        shape,
    )
    .map(|(main, _)| main)
}

const ALONE: Shape<'static> = Shape {
    batch: false,
    var: None,
    to_file: false,
};
const BATCH: Shape<'static> = Shape {
    batch: true,
    var: None,
    to_file: false,
};
const FILE: Shape<'static> = Shape {
    batch: false,
    var: None,
    to_file: true,
};

#[test]
fn names_are_unique_and_told() {
    for format in Format::ALL {
        assert_eq!(Format::named(format.name()), Some(format));
        assert!(!format.about().is_empty() && !format.about().ends_with('.'));
    }
    assert!(Format::named("xml").is_none());
}

#[test]
fn plain_is_the_token() {
    assert_eq!(one("plain", "t1", &ALONE).expect("plain"), "t1\n");
    assert_eq!(one("plain", "t1", &FILE).expect("plain"), "t1");
    let (a, b, s) = (
        target(&GLUO, Some("filial")),
        target(&BROKER, None),
        session("t1"),
    );
    let batch = [(&a, Some(&s)), (&b, None), (&b, Some(&s))];
    for to_file in [false, true] {
        let shape = Shape { to_file, ..BATCH };
        assert_eq!(
            render_all("plain", &batch, &shape).expect("plain").0,
            "gluo@filial\tt1\nbroker\tt1\n"
        );
    }
    assert_eq!(
        render_all("plain", &batch[..1], &BATCH).expect("plain").0,
        "gluo@filial\tt1\n"
    );
    assert_eq!(
        render_all("plain", &batch[1..2], &ALONE).expect("plain").0,
        ""
    );
}

#[test]
fn json_is_the_contracts_object_on_one_line() {
    let mut full = session("t1");
    full.user = Some("ana".into());
    full.impersonating = Some("7".into());
    full.expires_at = Some("2026-01-02T04:04:05.999Z".parse().expect("a time"));
    full.details.insert("z".into(), json!([1, null]));
    full.details.insert("a".into(), json!("x"));
    let filial = target(&GLUO, Some("filial"));
    let (text, _) = render_all("json", &[(&filial, Some(&full))], &ALONE).expect("json");
    assert_eq!(
        text,
        concat!(
            r#"{"schema":1,"target":"gluo@filial","provider":"gluo","account":"filial","token":"t1","#,
            r#""token_type":"session","url":"https://h.example/crm","user":"ana","impersonating":"7","#,
            r#""obtained_at":"2026-01-02T03:04:05Z","expires_at":"2026-01-02T04:04:05Z","#,
            r#""placement":{"in":"query","name":"sessionName"},"details":{"z":[1,null],"a":"x"}}"#,
            "\n"
        )
    );

    let broker = target(&BROKER, None);
    let (text, _) = render_all(
        "json",
        &[(&filial, None), (&broker, Some(&session("t2")))],
        &BATCH,
    )
    .expect("json");
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(
        value[0],
        json!({"target": "gluo@filial", "error": {"code": "refused"}})
    );
    assert_eq!(value[1]["account"], Value::Null);
    assert_eq!(value[1]["expires_at"], Value::Null);
    assert_eq!(
        value[1]["placement"],
        json!({"in": "header", "name": "Authorization"})
    );
    assert_eq!(render_all("json", &[], &BATCH).expect("json").0, "[]\n");
    assert_eq!(
        render_all("json", &[(&filial, None)], &ALONE)
            .expect("json")
            .0,
        ""
    );
}

#[test]
fn json_neither_commands_a_runner_nor_a_terminal() {
    let said = "a ##vso[task.complete]###[x] \u{1b}[2J\u{9b}2J\u{202e}b\\##";
    let mut session = session("t1");
    session.user = Some(said.into());
    session.details.insert(said.into(), json!(said));
    let broker = target(&BROKER, None);
    let (text, _) = render_all("json", &[(&broker, Some(&session))], &ALONE).expect("json");
    assert!(!text.contains("##") && !text.contains('\u{9b}') && !text.contains('\u{202e}'));
    let value: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(value["token"], "t1");
    assert_eq!(value["user"], said);
    assert_eq!(value["details"][said], said);
}

#[test]
fn header_names_the_alternative_where_there_is_none() {
    assert_eq!(
        one("header", "t1", &ALONE).expect("a header"),
        "Authorization: Bearer t1\n"
    );
    for (spec, place) in [
        (&GLUO, "the parameter sessionName"),
        (&SYSTEMSWAY, "the path, where {session} stands"),
    ] {
        let error = Format::Header
            .check(&[&target(spec, None)], &ALONE)
            .expect_err("no header");
        assert_eq!(error.cause, Cause::Format);
        let message = format!("{} takes its session in {place}, not in a header", spec.id);
        assert_eq!(error.message.english(), message);
        assert!(
            error
                .hint
                .is_some_and(|hint| hint.english().contains("-f plain"))
        );
    }
    let error = Format::Header
        .check(&[&target(&BROKER, None)], &BATCH)
        .expect_err("many headers");
    assert_eq!(error.cause, Cause::Usage);
}

#[test]
fn a_token_that_is_two_lines_is_written_nowhere() {
    for format in Format::ALL {
        let error = one(format.name(), "a\nX: b", &ALONE).expect_err(format.name());
        assert_eq!(error.cause, Cause::BadToken, "{}", format.name());
    }
}

#[test]
fn variables_are_named_for_their_account() {
    let mut expiring = session("t1");
    expiring.expires_at = Some("2026-01-02T04:04:05Z".parse().expect("a time"));
    let filial = target(&GLUO, Some("filial"));
    let sh = |shape: &Shape<'_>| {
        render_all("sh", &[(&filial, Some(&expiring))], shape)
            .expect("sh")
            .0
    };
    assert_eq!(
        sh(&ALONE),
        "export GLUO__FILIAL__TOKEN='t1'\n\
         export GLUO__FILIAL__TOKEN_EXPIRES_AT='2026-01-02T04:04:05Z'\n\
         export GLUO__FILIAL__URL='https://h.example/crm'\n"
    );
    let renamed = sh(&Shape {
        var: Some("SESSION"),
        ..ALONE
    });
    assert!(
        renamed.starts_with("export SESSION='t1'\nexport GLUO__FILIAL__TOKEN_EXPIRES_AT="),
        "{renamed}"
    );
}

#[test]
fn a_name_is_checked_before_it_is_written() {
    let broker = target(&BROKER, None);
    let with = |format: &str, var, batch| {
        let shape = Shape {
            batch,
            var: Some(var),
            to_file: false,
        };
        Format::named(format)
            .expect(format)
            .check(&[&broker], &shape)
            .map_err(|error| error.cause)
    };
    assert_eq!(with("sh", "_x9", false), Ok(()));
    assert_eq!(with("sh", "BROKER_TOKEN", false), Ok(()));
    for bad in [
        "",
        "9x",
        "a b",
        "a;id",
        "a=b",
        "$(id)",
        "é",
        "BROKER_URL",
        "a\nb",
    ] {
        assert_eq!(with("sh", bad, false), Err(Cause::Usage), "{bad}");
    }
    assert_eq!(with("sh", "X", true), Err(Cause::Usage));
    assert_eq!(with("plain", "X", false), Err(Cause::Usage));
}

#[test]
fn all_or_nothing() {
    for (format, failure) in [
        ("sh", "false\n"),
        ("fish", "false\n"),
        ("powershell", "throw 'crmauth: no session'\n"),
        ("env", ""),
        ("github", ""),
        ("gitlab", ""),
        ("azure", ""),
    ] {
        let format = Format::named(format).expect(format);
        assert_eq!(
            (format.all_or_nothing(), format.on_failure()),
            (true, failure),
            "{}",
            format.name()
        );
    }
}

#[test]
fn powershell_doubles_every_quote_that_it_knows() {
    let mut out = Buffer::default();
    let variable = vars::Variable {
        name: "X".into(),
        value: "a'b\u{2018}\u{2019}\u{201a}\u{201b}$`\"".into(),
        secret: false,
    };
    powershell::line(&mut out, &variable).expect("a line");
    assert_eq!(
        std::str::from_utf8(out.as_bytes()).expect("UTF-8"),
        "$env:X = 'a''b\u{2018}\u{2018}\u{2019}\u{2019}\u{201a}\u{201a}\u{201b}\u{201b}$`\"'\n"
    );
}

#[test]
fn a_value_that_a_reader_would_change_is_refused() {
    for (format, tokens) in [
        (
            "env",
            &["a'b\"", "a'b\\", "a'$b", "a'`", r"a\\b", r"a\", "${HOME}"][..],
        ),
        (
            "gitlab",
            &["$", "a$b", "$$a", "%HOME%", "x%1%a_b%", &*"x".repeat(5100)],
        ),
        ("azure", &["$(id)", "a$($(b))"]),
    ] {
        for token in tokens {
            let error = one(format, token, &ALONE).expect_err(token);
            assert_eq!(error.cause, Cause::Format, "{format} {token}");
            let message = error.message.english();
            assert!(!message.contains(token) || token.len() < 3, "{message}");
        }
    }
    for (format, token) in [
        ("gitlab", "%%1b%41%2B"),
        ("azure", "$(a"),
        ("env", r"a\b$c"),
        ("env", "it's"),
    ] {
        assert!(one(format, token, &ALONE).is_ok(), "{format} {token}");
    }
    let reserved = Shape {
        var: Some("Secret_x"),
        ..ALONE
    };
    assert_eq!(
        one("azure", "t", &reserved).expect_err("reserved").cause,
        Cause::Format
    );
}

#[test]
fn github_masks_first_and_never_twice_with_the_same_word() {
    let broker = target(&BROKER, None);
    let render =
        || render_all("github", &[(&broker, Some(&session("a%0Ab")))], &ALONE).expect("github");
    let (masks, env) = render();
    assert_eq!(masks, "::add-mask::a%250Ab\n");
    let env = env.expect("an env block");
    let (name, rest) = env.split_once("<<").expect("a delimiter");
    let (word, rest) = rest.split_once('\n').expect("a line");
    assert_eq!(name, "BROKER_TOKEN");
    assert_eq!(word.len(), "crmauth_".len() + 32);
    assert!(rest.starts_with(&format!("a%0Ab\n{word}\nBROKER_URL<<{word}\n")));
    assert_ne!(render().1, Some(env));
    assert_eq!(
        one("github", "t", &FILE).expect_err("a file").cause,
        Cause::Usage
    );
}

#[test]
fn azure_hides_the_token_only() {
    assert_eq!(
        one("azure", "a;b]c%3B", &ALONE).expect("azure"),
        "##vso[task.setvariable variable=BROKER_TOKEN;issecret=true]a;b]c%AZP253B\n\
         ##vso[task.setvariable variable=BROKER_URL]https://h.example/crm\n"
    );
}
