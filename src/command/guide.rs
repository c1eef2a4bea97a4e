//! The guided login: asks a person for the settings that are missing, and offers to keep them.

mod gitignore;

use std::path::Path;

use super::Run;
use crate::app::{App, Login};
use crate::config::{self, Inquiry, Origin};
use crate::error::{Cause, Error, Result};
use crate::output;
use crate::output::sink::{Destination, Sink};
use crate::provider;
use crate::say::{Text, and, say};
use crate::secret::Secret;
use crate::spec::{Field, Kind, Target};

/// A target's answers, by variable.
type Answers = (Target, Vec<(String, Secret)>);

/// What a person was asked in this run, or why nobody was.
pub(super) struct Guide {
    answers: Vec<Answers>,
    silence: Option<Text>,
}

impl Guide {
    /// Asks for whatever these targets' logins need and nobody has set. Where nobody can be asked, nothing
    /// happens here: a login then says what it misses.
    ///
    /// # Errors
    /// [`Cause::Interrupted`] and its like: nothing has been done then.
    pub(super) async fn ask(run: &Run<'_>, app: &mut App, targets: &[Target]) -> Result<Self> {
        let mut guide = Self { answers: Vec::new(), silence: silence(run)? };
        if guide.silence.is_some() || run.global.json || run.global.sandbox {
            return Ok(guide);
        }
        for target in targets {
            let mut given = Vec::new();
            // An answer may make another setting necessary.
            while let Ok(inquiry) = config::inquire(target, &app.sources)
                && !inquiry.fields.is_empty()
            {
                let Some(answers) = questions(run, target, &inquiry, given.is_empty()).await? else { break };
                app.sources.answer(&answers);
                given.extend(answers);
            }
            guide.answers.push((target.clone(), given));
        }
        Ok(guide)
    }

    /// Says with an error about missing settings why nobody was asked for them.
    pub(super) fn explain(&self, mut error: Error) -> Error {
        if let (Cause::MissingSetting, Some(why), Some(hint)) = (error.cause, &self.silence, &error.hint) {
            error.hint = Some(say!("{hint}; {why}", hint, why));
        }
        error
    }

    /// Offers to keep the answers that led to a session in the env file that is read first.
    ///
    /// # Errors
    /// Exit code 7 where that file cannot be written, and [`Cause::Interrupted`] and its like.
    pub(super) async fn keep(
        &self,
        run: &Run<'_>,
        app: &App,
        results: &[(&Target, Result<Login>)],
    ) -> Result<()> {
        let Some((shown, path)) = app.sources.first_file() else { return Ok(()) };
        let worked = |target: &Target| results.iter().any(|(other, login)| *other == target && login.is_ok());
        let mut settings = Vec::new();
        for (target, answers) in self.answers.iter().filter(|(_, answers)| !answers.is_empty()) {
            if !worked(target) {
                run.report.tell(say!("{target}: nothing was written to {shown}", target, shown));
                continue;
            }
            if shown == "./.env" && would_be_refused(app, target).await {
                run.report.tell(say!(
                    "{target}: nothing is written to {shown}, where a URL beside a secret from elsewhere is refused",
                    target,
                    shown
                ));
                continue;
            }
            for (name, value) in answers {
                match output::env::quoted(value) {
                    Ok(quoted) => settings.push((name.clone(), value.clone(), quoted)),
                    Err(why) => run.report.warn(
                        Some(target),
                        say!("{name} cannot be written to {shown}: its value {why}", name, shown, why),
                    ),
                }
            }
        }
        let regular = std::fs::symlink_metadata(path).map_or(true, |found| found.is_file());
        if settings.is_empty() || !regular {
            return Ok(());
        }
        let names: Vec<&str> = settings.iter().map(|(name, ..)| name.as_str()).collect();
        if !run.report.confirm(say!("Write {names} to {shown}?", names = and(&names), shown), true).await? {
            return Ok(());
        }
        write(path, shown, &settings)?.into_iter().for_each(|warning| run.report.warn(None, warning));
        run.report.tell(say!("{shown} is written, readable by you alone", shown));
        match gitignore::ignore(path) {
            Ok(None) => {}
            Ok(Some(file)) => {
                let file = file.display();
                run.report.tell(say!("{file} keeps it out of git", file));
            }
            Err(error) => run.report.warn(
                None,
                say!(
                    "git does not ignore {shown}, and .gitignore cannot be written ({why})",
                    shown,
                    why = error.kind()
                ),
            ),
        }
        Ok(())
    }
}

/// Why nobody can be asked.
fn silence(run: &Run<'_>) -> Result<Option<Text>> {
    Ok(if run.global.no_input {
        Some(say!("nothing is asked because of --no-input"))
    } else if run.environment.get("CI")?.is_some() {
        Some(say!("nothing is asked because CI is set"))
    } else if !run.report.meets_person() {
        Some(say!("nothing is asked because there is no terminal"))
    } else {
        None
    })
}

/// Whether the implicit env file, with the answers in it, would be refused beside what is set elsewhere.
async fn would_be_refused(app: &App, target: &Target) -> bool {
    let Ok(plan) = config::find(target, &app.sources).await else { return false };
    let implicit = |origin: &Origin| matches!(origin, Origin::Answer | Origin::File { implicit: true, .. });
    let url = plan.found("URL").is_some_and(|found| implicit(&found.origin));
    url && plan.found.iter().any(|found| found.field.secret() && !implicit(&found.origin))
}

/// Asks for some of a target's fields. `None` where no answer comes any more.
async fn questions(
    run: &Run<'_>,
    target: &Target,
    inquiry: &Inquiry,
    first: bool,
) -> Result<Option<Vec<(String, Secret)>>> {
    if let (true, Some(near)) = (first, &inquiry.near) {
        run.report.tell(say!("{target} has no settings; did you mean `{near}`?", target, near));
    }
    if first {
        let product = target.spec.product;
        run.report.tell(say!(
            "{target}: {product} needs some settings. Ctrl-C leaves all as it is.",
            target,
            product
        ));
    }
    if let Some((name, origin, value)) = &inquiry.route
        && inquiry.fields.iter().any(|field| field.secret())
    {
        let question = say!(
            "{name} is {value} ({origin}). Shall your answers go there?",
            name,
            value,
            origin = origin.text()
        );
        if !run.report.confirm(question, false).await? {
            return Ok(None);
        }
    }
    let mut answers = Vec::new();
    for field in &inquiry.fields {
        match question(run, target, field).await? {
            Some(answer) => answers.push((target.variable(field.name), answer)),
            None => return Ok(None),
        }
    }
    Ok(Some(answers))
}

/// Asks for a field until the answer is one.
async fn question(run: &Run<'_>, target: &Target, field: &Field) -> Result<Option<Secret>> {
    let report = &run.report;
    let name = target.variable(field.name);
    let help = Text::declared(field.help);
    report.tell(match field.kind {
        Kind::Url => {
            let example = target.spec.example_url;
            say!("{name}: {help}, as in {example}", name, help, example)
        }
        _ => say!("{name}: {help}", name, help),
    });
    if let Some(found) = target.spec.found(field) {
        report.tell(say!("where to find it: {found}", found));
    }
    loop {
        let answer = match field.secret() {
            true => report.ask_unseen(say!("{name} (not shown):", name)).await?,
            false => report.ask(say!("{name}:", name)).await?,
        };
        let Some(answer) = answer else { return Ok(None) };
        let checked = match config::answer(answer.expose(), field, target) {
            Ok(checked) => checked,
            Err(why) => {
                report.tell(say!("{name} {why}", name, why));
                continue;
            }
        };
        let bare = checked.expose().trim();
        if bare.len() < checked.expose().len()
            && !report.confirm(say!("It begins or ends with a space. Is that part of it?"), false).await?
        {
            return Ok(Some(Secret::new(bare.to_owned())));
        }
        return Ok(Some(checked));
    }
}

/// Writes settings to an env file; the warnings that this causes.
fn write(path: &Path, shown: &str, settings: &[(String, Secret, Secret)]) -> Result<Vec<Text>> {
    let old = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(|error| {
            Error::new(Cause::Storage, say!("{shown} cannot be read ({why})", shown, why = error.kind()))
        })?,
    };
    let old = zeroize::Zeroizing::new(old);
    let new = config::fill(&old, settings, &provider::specs()).ok_or_else(|| {
        Error::new(Cause::Storage, say!("{shown} would not be read back as it was meant", shown))
            .hint(say!("is there a quote in it that does not close?"))
    })?;
    Sink::prepare(Destination::File(path.to_owned()))?.write(&new)
}
