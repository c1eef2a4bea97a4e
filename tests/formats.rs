//! Each format is read back by its real reader, for every character that a token may hold.

mod program;
mod readers;
mod runners;
mod samples;

use std::fs;
use std::io::ErrorKind;

use crmauth::declaration::{Ageing, BaseUrl, Placement, Spec, Target};
use crmauth::error::{Cause, Result};
use crmauth::output::{Entry, Format, Outcome, Rendered, Shape};
use crmauth::secret::Secret;
use crmauth::session::Session;

use self::readers::{Pairs, Reader, all_read, command, installed, same};
use self::runners::{
    GITLAB_MAX, azure_expands, azure_variables, github_env, github_masks, gitlab_expands,
    gitlab_report, powershell_variables,
};
use self::samples::{Sample, for_all};
use crate::support::tools::skipped;
use crate::support::{Reply, Server};

static DEMO: Spec = Spec {
    id: "demo",
    aliases: &[],
    known_as: &[],
    product: "",
    method: "",
    endpoint: "",
    other_endpoints: &[],
    example_url: "",
    url_found: "on the invoice",
    fields: &[],
    seed_url: None,
    alternatives: &[],
    credentials: &[],
    placement: Placement::Bearer,
    ageing: Ageing::Fixed,
    renewal: crmauth::declaration::Renewal::Never,
    words: &[],
    pages: None,
    content_type: "application/json",
    refuses_in_json: false,
    login_is_repeatable: false,
    json_in_text: false,
    common_word: false,
    impersonation: false,
};

const EXPIRY: &str = "2026-01-02T04:04:05Z";

/// What `format` makes of the samples, each an account of its own: `x0`, `x1`, ….
fn rendered(format: &str, samples: &[&Sample]) -> Result<Rendered> {
    let target = |index| Target::new(&DEMO, Some(format!("x{index}")));
    let sessions: Vec<(Target, Session)> = samples
        .iter()
        .enumerate()
        .map(|(index, sample)| {
            let mut session = Session::new(&sample.token, "Bearer").expect("a token");
            session.expires_at = Some(EXPIRY.parse().expect("a time"));
            session.user = Some(sample.user.clone());
            (target(index), session)
        })
        .collect();
    let entries = samples.iter().zip(&sessions);
    let outcomes: Vec<Outcome<'_>> = entries
        .map(|(sample, (target, session))| {
            Ok(Entry {
                target,
                url: &sample.url,
                session,
            })
        })
        .collect();
    Format::named(format).expect(format).write(
        &outcomes,
        &Shape {
            batch: format == "json",
            ..Shape::default()
        },
    )
}

/// The variables that a reader should see.
fn variables(samples: &[&Sample]) -> Pairs {
    let all = samples.iter().enumerate().flat_map(|(index, sample)| {
        [
            ("TOKEN", &*sample.token),
            ("TOKEN_EXPIRES_AT", EXPIRY),
            ("URL", &sample.url.to_string()),
        ]
        .map(|(name, value)| (format!("DEMO__X{index}__{name}"), value.to_owned()))
    });
    all.collect()
}

/// Those that `format` writes. It refuses the others, and only those whose values its readers would change.
fn carried<'a>(
    format: &str,
    samples: &'a [Sample],
    changes: impl Fn(&Sample) -> bool,
) -> Vec<(&'a Sample, Rendered)> {
    samples
        .iter()
        .filter_map(|sample| {
            let refuses = changes(sample);
            match rendered(format, &[sample]) {
                Ok(rendered) => {
                    assert!(!refuses, "{format} took {sample:?}");
                    Some((sample, rendered))
                }
                Err(error) => {
                    assert_eq!(error.cause, Cause::Format, "{format} {sample:?}");
                    assert!(
                        refuses,
                        "{format} refused {sample:?}: {}",
                        error.message.english()
                    );
                    None
                }
            }
        })
        .collect()
}

fn nothing(_: &Sample) -> bool {
    false
}

fn any(sample: &Sample, changes: impl Fn(&str) -> bool) -> bool {
    changes(&sample.token) || changes(&sample.url.to_string())
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("UTF-8")
}

/// All samples that the format carries, in one output, arrive in each reader.
fn read_back(format: &str, readers: &'static [Reader], changes: fn(&Sample) -> bool) {
    let readers = installed(readers);
    for_all(|samples| {
        let samples: Vec<&Sample> = carried(format, samples, changes)
            .into_iter()
            .map(|(sample, _)| sample)
            .collect();
        let bytes = rendered(format, &samples).expect(format).main;
        all_read(&readers, &bytes, &variables(&samples));
    });
}

/// Each sample that the format carries, alone, arrives by the rules of a reader that is not to be had here.
fn read_by_rule(format: &str, changes: impl Fn(&Sample) -> bool, read: impl Fn(&str) -> Pairs) {
    for_all(|samples| {
        for (sample, rendered) in carried(format, samples, &changes) {
            same(format, &read(text(&rendered.main)), &variables(&[sample]));
        }
    });
}

#[test]
fn shells_read_sh() {
    read_back("sh", readers::SH, nothing);
}

#[test]
fn fish_reads_fish() {
    read_back("fish", readers::FISH, nothing);
}

#[test]
fn powershell_reads_powershell() {
    read_by_rule("powershell", nothing, powershell_variables);
    read_back("powershell", readers::POWERSHELL, nothing);
}

#[test]
fn what_stands_for_a_failure_fails_the_shell() {
    for (shell, format) in [
        ("sh", "sh"),
        ("bash", "sh"),
        ("zsh", "sh"),
        ("fish", "fish"),
    ] {
        let code = Format::named(format).expect(format).on_failure();
        let script = if format == "fish" {
            "cat f | source"
        } else {
            r#"eval "$(cat f)""#
        };
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("f"), code).expect("a file");
        match command(shell, dir.path()).args(["-c", script]).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => skipped(shell),
            status => assert_eq!(status.expect(shell).code(), Some(1), "{shell}"),
        }
    }
}

#[test]
fn jq_reads_json() {
    let readers = installed(readers::JSON);
    for_all(|samples| {
        let samples: Vec<&Sample> = samples.iter().collect();
        let mut expected = variables(&samples);
        let users = samples.iter().map(|sample| sample.user.clone()).enumerate();
        expected.extend(users.map(|(index, user)| (format!("DEMO__X{index}__USER"), user)));
        all_read(
            &readers,
            &rendered("json", &samples).expect("json").main,
            &expected,
        );
    });
}

/// What the readers of env files do not read alike in any quotes.
fn no_env_file_can(value: &str) -> bool {
    value.contains("${")
        || value.contains('\'') && value.contains(['"', '\\', '$', '`'])
        || !value.contains('\'') && (value.contains(r"\\") || value.ends_with('\\'))
}

#[test]
fn every_reader_of_env_files_reads_env() {
    let changes = |sample: &Sample| any(sample, no_env_file_can);
    read_by_rule("env", changes, |text| {
        dotenvy::from_read_iter(text.as_bytes())
            .collect::<std::result::Result<_, _>>()
            .expect("an env file")
    });
    read_back("env", readers::ENV, |sample| any(sample, no_env_file_can));
}

#[test]
fn curl_sends_header() {
    if installed(readers::CURL).is_empty() {
        return;
    }
    for_all(|samples| {
        let dir = tempfile::tempdir().expect("a folder");
        let server = Server::start(vec![Reply::json(200, "{}"); samples.len()]);
        let mut transfers = Vec::new();
        for (index, sample) in samples.iter().enumerate() {
            let header = rendered("header", &[sample]).expect("a header").main;
            fs::write(dir.path().join(index.to_string()), header).expect("a file");
            transfers.push(format!(
                "header = @{index}\nurl = {}\noutput = answer\n",
                server.url()
            ));
        }
        fs::write(dir.path().join("all"), transfers.join("next\n")).expect("a file");
        let mut curl = command("curl", dir.path());
        curl.args(["-q", "-s", "-K", "all"]).env("no_proxy", "*");
        assert!(curl.status().expect("curl").success());
        let received = server.received();
        assert_eq!(received.len(), samples.len());
        for (request, sample) in received.iter().zip(samples) {
            assert_eq!(
                request.header("authorization"),
                Some(&*format!("Bearer {}", sample.token))
            );
        }
    });
}

#[test]
fn githubs_runner_reads_github() {
    for_all(|samples| {
        for (sample, rendered) in carried("github", samples, nothing) {
            assert_eq!(github_masks(text(&rendered.main)), [&*sample.token]);
            let block = text(&rendered.github_env);
            let mut expected = variables(&[sample]);
            assert_eq!(github_env(block), expected);
            expected.insert(0, ("A".to_owned(), "1".to_owned()));
            assert_eq!(github_env(&format!("A=1\n{block}")), expected);
        }
    });
}

#[test]
fn gitlab_reads_gitlab() {
    let size = |sample: &Sample| -> usize {
        variables(&[sample])
            .iter()
            .map(|(name, value)| format!("{name}={value}\n").len())
            .sum()
    };
    let changes = |sample: &Sample| any(sample, gitlab_expands) || size(sample) >= GITLAB_MAX;
    read_by_rule("gitlab", changes, gitlab_report);
}

#[test]
fn azures_agent_reads_azure() {
    read_by_rule(
        "azure",
        |sample| any(sample, azure_expands),
        azure_variables,
    );
}

#[test]
fn plain_is_read_by_anything() {
    for_all(|samples| {
        for (sample, rendered) in carried("plain", samples, nothing) {
            assert_eq!(text(&rendered.main), format!("{}\n", sample.token));
        }
    });
}

/// One outcome of the account `x`, with this session.
fn write(format: Format, session: &Session) -> Result<Rendered> {
    let target = Target::new(&DEMO, Some("x".to_owned()));
    let url = BaseUrl::parse("https://h.example/crm").expect("a URL");
    let outcome = Ok(Entry {
        target: &target,
        url: &url,
        session,
    });
    format.write(&[outcome], &Shape::default())
}

#[test]
fn a_token_that_is_two_lines_is_written_nowhere() {
    let mut session = Session::new("t1", "Bearer").expect("a session");
    session.token = Secret::new("a\nX: b".to_owned());
    for format in Format::ALL {
        let cause = write(format, &session).err().map(|error| error.cause);
        assert_eq!(cause, Some(Cause::BadToken), "{}", format.name());
    }
}

#[test]
fn json_neither_commands_a_runner_nor_a_terminal() {
    let said = "a ##vso[task.complete]###[x] \u{1b}[2J\u{9b}2J\u{202e}b\\##";
    let mut session = Session::new("t1", "Bearer").expect("a session");
    session.user = Some(said.into());
    session.details.insert(said.into(), said.into());
    let written = write(Format::Json, &session).expect("json").main;
    let json = text(&written);
    assert!(!json.contains("##") && !json.contains('\u{9b}') && !json.contains('\u{202e}'));
    let value: serde_json::Value = serde_json::from_str(json).expect("JSON");
    assert_eq!(
        (&value["user"], &value["details"][said]),
        (&said.into(), &said.into())
    );
}

#[test]
fn github_gets_another_delimiter_each_time() {
    let session = Session::new("t1", "Bearer").expect("a session");
    let block = || write(Format::GitHub, &session).expect("github").github_env;
    assert_ne!(block(), block());
}
