//! Questions to the person at the terminal: asked on stderr, answered on stdin.

use std::io::IsTerminal;

use super::Report;
#[cfg(not(unix))]
use super::console::{Modes, forget_typed, typed};
#[cfg(unix)]
use super::typing::{Modes, forget_typed, typed};
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::terminal::{size, style, wrap};

impl Report {
    /// Whether there is a person to be asked: a terminal to ask at, and one to answer at.
    pub fn meets_person(&self) -> bool {
        self.manner.person && std::io::stdin().is_terminal()
    }

    /// Tells a person what belongs to a question; `-q` hides it.
    pub fn tell(&self, text: Text) {
        if self.chats() {
            self.fold(&self.words(&text));
        }
    }

    /// Shows a text that need not be read to answer.
    pub fn aside(&self, text: Text) {
        if self.chats() {
            self.line(&self.styled(style::DIM, &folded(&self.words(&text))));
        }
    }

    /// Tells a person what went wrong with a target and the next step, before a question about it; `-q` hides neither.
    pub fn tell_of(&self, target: &crate::declaration::Target, error: &Error) {
        let target = self.safe(&target.to_string());
        self.fold(&[&target, ": ", &self.message(error)].concat());
        if let Some(hint) = &error.hint {
            let label = tr!("hint:").render(self.manner.lang);
            self.fold(&[&label, " ", &self.words(hint)].concat());
        }
    }

    fn fold(&self, text: &str) {
        self.line(&folded(text));
    }

    /// Asks which of several is meant; Enter alone is the `usual` one. `None` where the input has ended.
    pub async fn choose(&self, title: Text, all: &[Text], usual: usize) -> Result<Option<usize>> {
        let (last, enter) = (all.len(), usual + 1);
        loop {
            self.line(&self.styled(style::BOLD, &folded(&self.words(&title))));
            for (number, choice) in (1..).zip(all) {
                self.fold(&format!("{number}) {}", self.words(choice)));
            }
            let number = tr!("A number from 1 to {last} [{enter}]:"; last, enter);
            let Some(answer) = self.ask(number, true).await? else {
                return Ok(None);
            };
            let answer = answer.expose().trim().trim_end_matches(')').to_lowercase();
            // A choice may be a name and what it stands for.
            let is = |choice: &Text| {
                let choice = self.words(choice).to_lowercase();
                choice == answer || choice.split(": ").any(|part| part == answer)
            };
            let place = match answer.parse() {
                _ if answer.is_empty() => Some(usual),
                Ok(number) if (1..=last).contains(&number) => Some(number - 1),
                _ => all.iter().position(is),
            };
            if place.is_some() {
                return Ok(place);
            }
            self.fold(&self.words(&tr!("type a number from 1 to {last}"; last)));
        }
    }

    /// Asks yes or no; Enter alone is `usual`, the end of the input a no. What was typed before does not answer it.
    pub async fn confirm(&self, question: Text, usual: bool) -> Result<bool> {
        let choice = if usual { tr!("[Y/n]") } else { tr!("[y/N]") };
        loop {
            let question = Text::list(&[&question, &choice], " ");
            forget_typed();
            let Some(answer) = self.ask(question, true).await? else {
                return Ok(false);
            };
            match answer.expose().trim().to_lowercase().as_str() {
                "" => return Ok(usual),
                "y" | "yes" | "s" | "sim" => return Ok(true),
                "n" | "no" | "não" | "nao" => return Ok(false),
                _ => self.line(&self.words(&tr!("answer y or n"))),
            }
        }
    }

    /// Asks for a line that is `shown` while it is typed, or a secret. `None` where the input has ended.
    pub async fn ask(&self, question: Text, shown: bool) -> Result<Option<Secret>> {
        let _hold = self.hold();
        // Whatever ends the wait, the terminal is as it was.
        let _modes = Modes::keep();
        let question = folded(&self.words(&question));
        self.write(&[&self.styled(style::BOLD, &question), " "].concat());
        // Nothing can stop a read from the terminal: a thread waits, not we.
        let typed = async { Ok(crate::threads::apart(move || typed(shown)).await.flatten()) };
        let typed = crate::signals::interruptible(None, typed).await;
        if !shown || !matches!(typed, Ok(Ok(Some(_)))) {
            self.line("");
        }
        let unread = |error| error!(Other: "the terminal cannot be read").because(error);
        let line = typed?.map_err(unread)?;
        let line = line.map(|line| Secret::new(line.trim_end_matches(['\r', '\n']).to_owned()));
        let secret = line.iter().filter(|_| !shown);
        secret.for_each(|secret| self.learn(secret));
        Ok(line)
    }
}

/// A text whose lines end between words at the terminal's edge, with room for the cursor.
pub(super) fn folded(text: &str) -> String {
    match size(std::io::stderr())[0] {
        Some(columns) => wrap(text, columns.saturating_sub(1)).join("\n"),
        None => text.to_owned(),
    }
}
