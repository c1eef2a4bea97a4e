//! Offers to keep the answers that led to a session.

use std::path::Path;

use super::super::{delivery::Login, gitignore};
use super::Guide;
use crate::error::{Result, error, why};
use crate::i18n::{Text, and, tr};
use crate::output;
use crate::secret::Secret;
use crate::settings;

/// A setting's name and value, and the value as the file will show it.
type Shown = (String, Secret, Secret);

impl Guide<'_> {
    /// Offers to write the answers that led to a session to the env file that is read first.
    pub async fn offer_to_save(&self, results: &[Login<'_>]) -> Result<()> {
        let (shown, path) = &self.sources.first_file();
        let settings = self.worth_saving(shown, results).await;
        let regular = std::fs::symlink_metadata(path).map_or(true, |found| found.is_file());
        if settings.is_empty() || !regular {
            return Ok(());
        }
        let names: Vec<&str> = settings.iter().map(|(name, ..)| name.as_str()).collect();
        let report = &self.run.report;
        let question = tr!("Write {names} to {shown}?"; names = and(&names), shown);
        if !report.confirm(question, true).await? {
            return Ok(());
        }
        report.warn_of_all(write(path, shown, &settings).await?);
        report.tell(tr!("saved {shown}; only you can read it"; shown));
        gitignore::keep_out(path, shown, self.run).await
    }

    /// The settings that led to a session. Tells why others are left out.
    async fn worth_saving(&self, shown: &str, results: &[Login<'_>]) -> Vec<Shown> {
        let (report, mut settings) = (&self.run.report, Vec::new());
        for asked in self.asked.iter().filter(|asked| !asked.answers.is_empty()) {
            let target = asked.target;
            let mut results = results.iter();
            if !results.any(|(other, login)| *other == target && login.is_ok()) {
                report.tell(tr!("{target}: nothing was written to {shown}"; target, shown));
                continue;
            }
            // What a later run would refuse there.
            let later = self.sources.with_answers_kept();
            if settings::find(target, &later).await.is_err() {
                let text = tr!("{target}: nothing is written to {shown}, where it would be refused"; target, shown);
                report.tell(text);
                continue;
            }
            for (field, value) in &asked.answers {
                let name = target.variable(field.name);
                match output::quoted(value) {
                    Ok(quoted) => settings.push((name, value.clone(), quoted)),
                    Err(why) => {
                        let text = tr!("{name} cannot be written to {shown}: its value {why}"; name, shown, why);
                        report.warn(Some(target), text);
                    }
                }
            }
        }
        settings
    }
}

async fn write(path: &Path, shown: &str, settings: &[Shown]) -> Result<Vec<Text>> {
    let old = std::fs::read(path).or_else(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Ok(Vec::new()),
        _ => Err(error!(Storage: "{shown} cannot be read ({why})"; shown, why = why(&error))),
    });
    let old = zeroize::Zeroizing::new(old?);
    let new = settings::fill(&old, settings).ok_or_else(|| {
        error!(Storage: "{shown} would not be read back as intended"; shown =>
            hint "does it contain an unclosed quote?")
    })?;
    let file = output::file::Replacement::open(path.to_owned()).await?;
    file.write(&new)
}
