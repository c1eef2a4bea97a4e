//! The guided login: asks a person for the settings that are missing, and offers to keep them.

mod gitignore;

use std::path::Path;

use super::Run;
use crate::declaration::{BaseUrl, Field, Kind, Target};
use crate::error::{Cause, Error, Result, error, why};
use crate::i18n::{Text, and, tr};
use crate::lifecycle::{Active, Services};
use crate::output;
use crate::output::file::replace;
use crate::secret::Secret;
use crate::settings::{self, Questions, Sources, Wrapping};
use crate::signals::interruptible;

/// A target's answers, by variable.
type Answers = (Target, Vec<(String, Secret)>);

/// What a person was asked in this run.
pub(super) struct Guide {
    answers: Vec<Answers>,
    not_asking: Option<Text>,
    /// Targets that nobody was asked about, since nothing may be sent there.
    refused: Vec<(Target, Error)>,
}

impl Guide {
    /// Asks for whatever these targets' logins need and nobody has set. If nobody can be asked, the logins will fail and
    /// say what they miss.
    pub(super) async fn ask(
        run: &Run<'_>,
        services: &Services,
        sources: &mut Sources,
        targets: &[Target],
    ) -> Result<Self> {
        let mut guide = Self {
            answers: Vec::new(),
            not_asking: why_not_asking(run)?,
            refused: Vec::new(),
        };
        if guide.not_asking.is_some() || run.global.json || run.global.sandbox {
            return Ok(guide);
        }
        for target in targets {
            guide.ask_about(run, services, sources, target).await?;
        }
        Ok(guide)
    }

    async fn ask_about(
        &mut self,
        run: &Run<'_>,
        services: &Services,
        sources: &mut Sources,
        target: &Target,
    ) -> Result<()> {
        let mut given = Vec::new();
        // An answer may make another setting necessary.
        while let Ok(questions) = settings::questions(target, sources)
            && !questions.fields.is_empty()
        {
            if let Some(url) = &questions.url
                && let Err(error) = admitted(services, target, &questions, url).await
            {
                self.refused
                    .push((target.clone(), error.target(&target.to_string())));
                break;
            }
            let Some(answers) =
                ask_each(run, services, target, &questions, given.is_empty()).await?
            else {
                break;
            };
            sources.answer(&answers);
            given.extend(answers);
        }
        self.answers.push((target.clone(), given));
        Ok(())
    }

    /// Adds to an error about missing settings why nobody was asked for them.
    pub(super) fn explain(&self, mut error: Error) -> Error {
        if let (Cause::MissingSetting, Some(why), Some(hint)) =
            (error.cause, &self.not_asking, &error.hint)
        {
            error.hint = Some(tr!("{hint}; {why}", hint, why));
        }
        error
    }

    /// Why nothing may be sent to a target.
    pub(super) fn refused(&self, target: &Target) -> Option<Error> {
        self.refused
            .iter()
            .find(|(other, _)| other == target)
            .map(|(_, error)| error.clone())
    }

    /// If the server refused credentials that a person typed, offers to type them again. Returns whether they were.
    pub(super) async fn retry(
        &mut self,
        run: &Run<'_>,
        sources: &mut Sources,
        target: &Target,
        error: &Error,
    ) -> Result<bool> {
        let Some((_, answers)) = self.answers.iter_mut().find(|(other, _)| other == target) else {
            return Ok(false);
        };
        let typed = |field: &&Field| {
            let variable = target.variable(field.name);
            field.credential() && answers.iter().any(|(name, _)| *name == variable)
        };
        let fields: Vec<&Field> = target.spec.all_fields().filter(typed).collect();
        if error.cause != Cause::Refused || fields.is_empty() {
            return Ok(false);
        }
        let names: Vec<String> = fields
            .iter()
            .map(|field| target.variable(field.name))
            .collect();
        let question = tr!(
            "Type {names} again? A server may lock the account after some refusals.",
            names = and(&names)
        );
        run.report.tell_of(target, error);
        if !run.report.confirm(question, true).await? {
            return Ok(false);
        }
        for (field, variable) in fields.into_iter().zip(names) {
            let before = answers
                .iter()
                .find(|(name, _)| *name == variable)
                .map(|(_, value)| value.clone());
            let Some(answer) = answer(run, target, field, before).await? else {
                return Ok(false);
            };
            answers.retain(|(name, _)| *name != variable);
            answers.push((variable, answer));
        }
        sources.answer(answers);
        Ok(true)
    }

    /// Offers to write the answers that led to a session to the env file that is read first.
    pub(super) async fn offer_to_save(
        &self,
        run: &Run<'_>,
        sources: &Sources,
        results: &[(&Target, Result<Active<'_>>)],
    ) -> Result<()> {
        let Some((shown, path)) = sources.first_file() else {
            return Ok(());
        };
        let settings = self.worth_saving(run, sources, shown, results).await;
        let regular = std::fs::symlink_metadata(path).map_or(true, |found| found.is_file());
        if settings.is_empty() || !regular {
            return Ok(());
        }
        let names: Vec<&str> = settings.iter().map(|(name, ..)| name.as_str()).collect();
        if !run
            .report
            .confirm(
                tr!("Write {names} to {shown}?", names = and(&names), shown),
                true,
            )
            .await?
        {
            return Ok(());
        }
        write(path, shown, &settings)?
            .into_iter()
            .for_each(|warning| run.report.warn(None, warning));
        run.report
            .tell(tr!("{shown} is written, readable by you alone", shown));
        if !gitignore::is_exposed(path, run).await? {
            return Ok(());
        }
        match gitignore::add(path) {
            Ok(None) => {}
            Ok(Some(file)) => run
                .report
                .tell(tr!("{file} keeps it out of git", file = file.display())),
            Err(why) => run.report.warn(
                None,
                tr!(
                    "git does not ignore {shown}, and .gitignore cannot be written ({why})",
                    shown,
                    why
                ),
            ),
        }
        Ok(())
    }

    /// The settings that led to a session, each with its value also as the file will show it. Tells why others are left out.
    async fn worth_saving(
        &self,
        run: &Run<'_>,
        sources: &Sources,
        shown: &str,
        results: &[(&Target, Result<Active<'_>>)],
    ) -> Vec<(String, Secret, Secret)> {
        let mut settings = Vec::new();
        for (target, answers) in self
            .answers
            .iter()
            .filter(|(_, answers)| !answers.is_empty())
        {
            if !results
                .iter()
                .any(|(other, login)| *other == target && login.is_ok())
            {
                run.report.tell(tr!(
                    "{target}: nothing was written to {shown}",
                    target,
                    shown
                ));
                continue;
            }
            if would_be_refused(sources, target).await {
                run.report.tell(tr!(
                    "{target}: nothing is written to {shown}, where it would be refused",
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
                        tr!(
                            "{name} cannot be written to {shown}: its value {why}",
                            name,
                            shown,
                            why
                        ),
                    ),
                }
            }
        }
        settings
    }
}

/// Why nobody can be asked.
pub(super) fn why_not_asking(run: &Run<'_>) -> Result<Option<Text>> {
    Ok(if run.global.no_input {
        Some(tr!("nothing is asked because of --no-input"))
    } else if run.environment.is_ci() {
        Some(tr!("nothing is asked because CI is set"))
    } else if !run.report.meets_person() {
        Some(tr!("nothing is asked because there is no terminal"))
    } else {
        None
    })
}

/// Whether a later run would refuse the answers in the env file that is read first.
async fn would_be_refused(sources: &Sources, target: &Target) -> bool {
    settings::find(target, &sources.with_answers_kept())
        .await
        .is_err()
}

/// Asks for some of a target's fields. `None` if the person ends it.
async fn ask_each(
    run: &Run<'_>,
    services: &Services,
    target: &Target,
    questions: &Questions,
    first: bool,
) -> Result<Option<Vec<(String, Secret)>>> {
    if first {
        introduce(run, target, questions);
    }
    if !consents(run, target, questions).await? {
        return Ok(None);
    }
    let mut answers = Vec::new();
    for field in &questions.fields {
        match question(run, services, target, field, questions).await? {
            Some(answer) => answers.push((target.variable(field.name), answer)),
            None => return Ok(None),
        }
    }
    Ok(Some(answers))
}

fn introduce(run: &Run<'_>, target: &Target, questions: &Questions) {
    if let Some(near) = &questions.near {
        run.report.tell(tr!(
            "{target} has no settings; did you mean `{near}`?",
            target,
            near
        ));
    }
    let product = target.spec.product;
    run.report.tell(tr!(
        "{target}: {product} needs some settings. Ctrl-C leaves all as it is.",
        target,
        product
    ));
}

/// Asks before secrets go where a file says that nobody named.
async fn consents(run: &Run<'_>, target: &Target, questions: &Questions) -> Result<bool> {
    if !questions.fields.iter().any(|field| field.secret()) {
        return Ok(true);
    }
    for (name, origin, value) in &questions.planted {
        let ask = match *name == target.variable("URL") {
            true => tr!("Send what you type to that server?"),
            false => tr!("Send what you type all the same?"),
        };
        let question = tr!(
            "{name} is {value} ({origin}). {ask}",
            name,
            value,
            origin = origin.text(),
            ask
        );
        if !run.report.confirm(question, false).await? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a login may be sent to a URL. Its host is looked up, which a person may want to interrupt.
async fn admitted(
    services: &Services,
    target: &Target,
    questions: &Questions,
    url: &BaseUrl,
) -> Result<()> {
    let settings = questions.guards(target, url.clone());
    interruptible(None, services.admits(&settings)).await
}

/// Says what a field is and asks for it until the answer can be used.
async fn question(
    run: &Run<'_>,
    services: &Services,
    target: &Target,
    field: &Field,
    questions: &Questions,
) -> Result<Option<Secret>> {
    let report = &run.report;
    let name = target.variable(field.name);
    let help = Text::declared(field.help);
    report.tell(match field.kind {
        Kind::Url => {
            let example = target.spec.example_url;
            tr!("{name}: {help}, as in {example}", name, help, example)
        }
        _ => tr!("{name}: {help}", name, help),
    });
    if let Some(found) = target.spec.found(field) {
        report.tell(tr!("where to find it: {found}", found));
    }
    loop {
        let Some(answer) = answer(run, target, field, None).await? else {
            return Ok(None);
        };
        if field.kind != Kind::Url {
            return Ok(Some(answer));
        }
        let url = target.spec.base_url(answer.expose())?;
        match admitted(services, target, questions, &url).await {
            Ok(()) => return Ok(Some(answer)),
            Err(error) if error.cause.is_signal() => return Err(error),
            Err(error) => {
                report.tell(error.message);
                error.hint.into_iter().for_each(|hint| report.tell(hint));
            }
        }
    }
}

/// Asks for a field until the answer passes its check. Enter alone keeps what was answered `before`, unless that is a
/// secret, which must not be seen.
async fn answer(
    run: &Run<'_>,
    target: &Target,
    field: &Field,
    before: Option<Secret>,
) -> Result<Option<Secret>> {
    let report = &run.report;
    let name = target.variable(field.name);
    let before = before.filter(|_| !field.secret());
    let question = match &before {
        _ if field.secret() => tr!("{name} (not shown):", name),
        Some(before) => tr!("{name} [{before}]:", name, before = before.expose()),
        None => tr!("{name}:", name),
    };
    loop {
        let typed = match field.secret() {
            true => report.ask_unseen(question.clone()).await?,
            false => report.ask(question.clone()).await?,
        };
        let Some(typed) = typed else { return Ok(None) };
        if before.is_some() && typed.expose().trim().is_empty() {
            return Ok(before);
        }
        match settings::answer(typed.expose(), field, target) {
            Ok(checked) => return meant(run, field, &checked).await.map(Some),
            Err(why) => report.tell(tr!("{name} {why}", name, why)),
        }
    }
}

/// An answer without the blanks, quotes and unseen characters around it that a person says are not part of it.
async fn meant(run: &Run<'_>, field: &Field, answer: &Secret) -> Result<Secret> {
    let report = &run.report;
    let mut meant = answer.expose();
    if meant.trim().len() < meant.len()
        && !report
            .confirm(
                tr!("It begins or ends with a space. Is that part of it?"),
                false,
            )
            .await?
    {
        meant = meant.trim();
    }
    while let Some((wrapping, inner)) =
        settings::wrapped(meant).filter(|(_, inner)| !inner.is_empty())
        && field.credential()
    {
        let question = match wrapping {
            Wrapping::Quotes => tr!("It begins and ends with quotes. Are they part of it?"),
            Wrapping::Unseen => {
                tr!("It begins or ends with an invisible character. Is that part of it?")
            }
        };
        if report.confirm(question, false).await? {
            break;
        }
        meant = inner;
    }
    Ok(Secret::new(meant.to_owned()))
}

/// Writes settings to an env file; returns warnings.
fn write(path: &Path, shown: &str, settings: &[(String, Secret, Secret)]) -> Result<Vec<Text>> {
    let old = match std::fs::read(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Vec::new(),
        read => read.map_err(|error| {
            error!(
                Storage,
                "{shown} cannot be read ({why})",
                shown,
                why = why(&error)
            )
        })?,
    };
    let old = zeroize::Zeroizing::new(old);
    let new = settings::fill(&old, settings).ok_or_else(|| {
        error!(
            Storage, "{shown} would not be read back as it was meant", shown;
            hint "is there a quote in it that does not close?"
        )
    })?;
    replace(path, &new)
}
