//! One question of the guided login: what a field is, and its answer until that can be used.

use super::super::Run;
use super::Asked;
use crate::declaration::{Field, Kind, Settings};
use crate::error::{Error, Result};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::settings::{self, Questions, Wrapping};
use crate::signals::interruptible;

impl Asked<'_> {
    /// Asks for a field until the answer can be used. Enter keeps the one before; `None` if the person ends it.
    pub async fn about(&self, questions: &Questions, field: &Field) -> Result<Option<Secret>> {
        let (report, spec) = (&self.run.report, self.target.spec);
        let (about, example) = (spec.about(field), spec.example_url);
        report.tell(Text::default());
        report.aside(match field.kind {
            Kind::Url => tr!("{about}, as in {example}"; about, example),
            _ => about,
        });
        let mut before = self.answer(field).cloned();
        loop {
            let Some(answer) = self.checked(field, before.as_ref()).await? else {
                return Ok(None);
            };
            if field.kind != Kind::Url || before.as_ref() == Some(&answer) {
                return Ok(Some(answer));
            }
            let url = spec.base_url(answer.expose())?;
            let settings = questions.settings_so_far(self.target, url);
            if let Err(error) = self.admits(&settings).await {
                self.wrong(error)?;
                continue;
            }
            if let Some(found) = self.knock(&answer, settings).await? {
                return Ok(Some(found));
            }
            before = Some(answer);
        }
    }

    /// Whether a login may be sent to a URL. Its host is looked up, which a person may want to interrupt.
    pub async fn admits(&self, settings: &Settings) -> Result<()> {
        interruptible(None, self.services.channel(settings).admits()).await
    }

    /// Tells what is wrong with an answer, unless it is that the person stopped the run.
    fn wrong(&self, error: Error) -> Result<()> {
        if error.cause.is_signal() {
            return Err(error);
        }
        self.run.report.tell_of(self.target, &error);
        Ok(())
    }

    /// Looks what answers at a URL that was typed: the URL to use, or `None` where the person must say.
    async fn knock(&self, typed: &Secret, mut settings: Settings) -> Result<Option<Secret>> {
        let Some((error, mut better)) = self.look(&settings).await? else {
            return Ok(Some(typed.clone()));
        };
        let url = settings.url.to_string();
        if let (5 | 6, Some(host)) = (error.cause.exit(), url.strip_prefix("https://")) {
            settings.url = self.target.spec.base_url(&["http://", host].concat())?;
            if better.is_none() && self.admits(&settings).await.is_ok() {
                better = match self.look(&settings).await? {
                    None => Some(settings.url),
                    Some((_, below)) => below,
                };
            }
        }
        self.wrong(error)?;
        let Some(url) = better else { return Ok(None) };
        let question = tr!("Use {url}?"; url);
        let used = self.run.report.confirm(question, true).await?;
        Ok(used.then(|| Secret::new(url.to_string())))
    }

    async fn look(&self, settings: &Settings) -> Result<Option<crate::lifecycle::Lost>> {
        interruptible(None, self.services.look(settings)).await
    }

    /// Asks for a field until the answer passes its check.
    async fn checked(&self, field: &Field, before: Option<&Secret>) -> Result<Option<Secret>> {
        let (report, name) = (&self.run.report, self.target.variable(field.name));
        let question = match before {
            Some(_) if field.secret() => tr!("{name} (not shown; Enter keeps it):"; name),
            None if field.secret() => tr!("{name} (not shown):"; name),
            Some(before) => tr!("{name} [{before}]:"; name, before = before.expose()),
            None => tr!("{name}:"; name),
        };
        loop {
            let typed = report.ask(question.clone(), !field.secret()).await?;
            let Some(typed) = typed else { return Ok(None) };
            if before.is_some() && typed.expose().trim().is_empty() {
                return Ok(before.cloned());
            }
            let text = match field.kind {
                Kind::Url => pasted(typed.expose()),
                _ => typed.expose(),
            };
            match settings::answer(text, field, self.target) {
                Ok(checked) => return meant(self.run, field, &checked).await.map(Some),
                Err(why) => report.tell(tr!("{name} {why}"; name, why)),
            }
        }
    }
}

/// A URL without what comes with it from a browser, a mail or a file: a query, quotes, a variable's name.
fn pasted(text: &str) -> &str {
    const AROUND: &str = " \"'`<>,;“”‘’«»";
    let text = text.split(['?', '#']).next().unwrap_or_default();
    let (name, value) = text.split_once('=').unwrap_or_default();
    let in_name = |c: char| c.is_alphanumeric() || c == '_' || c == ' ';
    let is_name = !name.is_empty() && name.chars().all(in_name);
    let text = if is_name { value } else { text };
    text.trim_matches(|c| AROUND.contains(c))
}

/// An answer without the blanks, quotes and unseen characters around it that a person says are not part of it.
async fn meant(run: &Run<'_>, field: &Field, answer: &Secret) -> Result<Secret> {
    let report = &run.report;
    let mut meant = answer.expose();
    let question = tr!("It begins or ends with a space. Is that part of it?");
    if meant.trim().len() < meant.len() && !report.confirm(question, false).await? {
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
