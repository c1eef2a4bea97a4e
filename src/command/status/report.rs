//! `status --report`: what was asked and answered, in a file that may be shown to anybody.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use super::super::ask::why_not_asking;
use super::super::delivery::spare_settings;
use super::{Args, Row, Run};
use crate::error::Result;
use crate::http::Transcript;
use crate::i18n::tr;
use crate::lifecycle::{Services, Want};
use crate::output::file::Replacement;
use crate::provider;
use crate::settings::Sources;

/// Begins to write down what is asked, once the file is known to be writable.
pub async fn begin(path: &Path, services: &Services, sources: &Sources) -> Result<Replacement> {
    spare_settings("--report", path, sources)?;
    let mut transcript = Transcript::default();
    let words = &mut transcript.words;
    for system in provider::ALL {
        let (spec, probe) = (system.spec(), system.probe());
        words.extend(spec.words.iter().copied().flatten());
        words.extend(spec.endpoints());
        words.extend(probe.requests.iter().chain(probe.install_paths));
    }
    *services.http.transcript.borrow_mut() = Some(transcript);
    Replacement::open(path.to_owned()).await
}

/// Logs in too, where that is wanted, and writes the file.
pub async fn end(
    file: Replacement,
    services: &Services,
    rows: &[Row<'_>],
    args: &Args,
    run: &Run<'_>,
) -> Result<()> {
    let mut targets = Vec::new();
    for row in rows.iter().filter(|row| row.person.is_none()) {
        let login = log_in(row, args, run).await?;
        let transcript = services.http.transcript.borrow();
        let name = row.target.to_string();
        let exchanges = transcript.iter().flat_map(|all| all.of(&name));
        targets.push(json!({
            "system": row.target.spec.id,
            "settings": row.settings().map(|found| found.field.name).collect::<Vec<_>>(),
            "session": row.state.word(),
            "checked": row.checked_word(),
            "error": row.error.as_ref().map(|error| error.cause.code()),
            "diagnosis": row.diagnosis.as_ref().map(|error| error.cause.code()),
            "login": login,
            "exchanges": exchanges.collect::<Vec<_>>(),
        }));
    }
    let version = env!("CARGO_PKG_VERSION");
    let report = json!({ "report": 1, "crmauth": version, "system": std::env::consts::OS, "targets": targets });
    let warnings = file.write(format!("{report:#}\n").as_bytes())?;
    run.report.warn_of_all(warnings);
    run.report
        .chat(tr!("the report is written; read it before you pass it on"));
    Ok(())
}

/// What came of a login, and of the question whether its session is alive.
async fn log_in(row: &Row<'_>, args: &Args, run: &Run<'_>) -> Result<Option<Value>> {
    let Some(account) = row.account.as_ref().filter(|_| row.missing().is_none()) else {
        return Ok(None);
    };
    let target = &row.target;
    let question = tr!(
        "log in to {target} too, for the report? A new session replaces the stored one",
        target
    );
    let consent = args.login
        || why_not_asking(run).is_none()
            && !run.global.json
            && run.report.confirm(question, false).await?;
    if !consent {
        return Ok(None);
    }
    let login = async {
        let active = account.again().session(&Want::New(Duration::ZERO)).await?;
        active.account.again().check(&active.session).await
    };
    let code = match login.await {
        Ok(_) => "done",
        Err(error) => {
            let text = tr!("the report shows a login that failed");
            run.report.warn_of(Some(target), text, &error);
            error.cause.code()
        }
    };
    Ok(Some(code.into()))
}
