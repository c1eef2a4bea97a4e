//! Questions to the person at the terminal: asked on stderr, answered on stdin.

use std::io::IsTerminal;

use zeroize::Zeroizing;

use super::Report;
#[cfg(not(unix))]
use super::console::{Modes, forget_typed, typed};
#[cfg(unix)]
use super::typing::{Modes, forget_typed, typed};
use crate::declaration::Target;
use crate::error::{Error, Result, error};
use crate::i18n::{Text, tr};
use crate::secret::Secret;
use crate::signals::interruptible;
use crate::terminal::{size, style, wrap};
use crate::threads::apart;

impl Report {
    /// Whether there is a person to be asked: a terminal to ask at, and one to answer at.
    pub fn meets_person(&self) -> bool {
        self.manner.person && std::io::stdin().is_terminal()
    }

    /// Tells a person what belongs to a question; `-q` hides it.
    pub fn tell(&self, text: Text) {
        if !self.manner.quiet {
            self.line(&folded(&self.words(&text)));
        }
    }

    /// The same for what need not be read to answer.
    pub fn aside(&self, text: Text) {
        if !self.manner.quiet {
            self.line(&self.styled(style::DIM, &folded(&self.words(&text))));
        }
    }

    /// Tells a person what went wrong with a target and the next step, before a question about it; `-q` hides neither.
    pub fn tell_of(&self, target: &Target, error: &Error) {
        let target = self.safe(&target.to_string());
        self.line(&folded(&[&target, ": ", &self.message(error)].concat()));
        if let Some(hint) = &error.hint {
            let label = tr!("hint:").render(self.manner.lang);
            self.line(&folded(&[&label, " ", &self.words(hint)].concat()));
        }
    }

    /// Asks which of several is meant; Enter alone is the `usual` one. `None` where the input has ended.
    pub async fn choose(
        &self,
        question: Text,
        choices: &[Text],
        usual: usize,
    ) -> Result<Option<usize>> {
        loop {
            self.line(&self.styled(style::BOLD, &folded(&self.words(&question))));
            for (number, choice) in (1..).zip(choices) {
                self.line(&folded(&format!("{number}) {}", self.words(choice))));
            }
            let (last, enter) = (choices.len(), usual + 1);
            let number = tr!("A number from 1 to {last} [{enter}]:"; last, enter);
            let Some(answer) = self.ask(number).await? else {
                return Ok(None);
            };
            let answer = answer.expose().trim().trim_end_matches(')').to_lowercase();
            // A choice may be a name and what it stands for.
            let is = |choice: &Text| {
                let choice = self.words(choice).to_lowercase();
                choice == answer || choice.split(": ").any(|part| part == answer)
            };
            match answer.parse() {
                _ if answer.is_empty() => return Ok(Some(usual)),
                Ok(number) if (1..=last).contains(&number) => return Ok(Some(number - 1)),
                _ => {}
            }
            if let Some(place) = choices.iter().position(is) {
                return Ok(Some(place));
            }
            let right = tr!("type a number from 1 to {last}"; last);
            self.line(&folded(&self.words(&right)));
        }
    }

    /// Asks for a line that may be seen. `None` where the input has ended.
    pub async fn ask(&self, question: Text) -> Result<Option<Secret>> {
        let answer = self.line_of(question, true).await?;
        if answer.is_none() {
            self.line("");
        }
        Ok(answer)
    }

    /// Asks for a line that is not shown while it is typed.
    pub async fn ask_unseen(&self, question: Text) -> Result<Option<Secret>> {
        let answer = self.line_of(question, false).await;
        self.line("");
        let answer = answer?;
        answer.iter().for_each(|answer| self.learn(answer));
        Ok(answer)
    }

    /// Asks yes or no; Enter alone is `usual`, the end of the input a no. What was typed before does not answer it.
    pub async fn confirm(&self, question: Text, usual: bool) -> Result<bool> {
        let choice = if usual { tr!("[Y/n]") } else { tr!("[y/N]") };
        loop {
            let question = Text::list(&[&question, &choice], " ");
            forget_typed();
            let Some(answer) = self.ask(question).await? else {
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

    async fn line_of(&self, question: Text, shown: bool) -> Result<Option<Secret>> {
        let _hold = self.hold();
        // Whatever ends the wait, the terminal is as it was.
        let _modes = Modes::keep();
        let question = folded(&self.words(&question));
        self.write(&[&self.styled(style::BOLD, &question), " "].concat());
        // Nothing can stop a read from the terminal: a thread waits, not we.
        let answer = interruptible(None, async { Ok(apart(move || typed(shown)).await) }).await;
        let answer = answer.inspect_err(|_| self.line(""))?;
        let line = |line: Zeroizing<String>| line.trim_end_matches(['\r', '\n']).to_owned();
        match answer.flatten() {
            Ok(answer) => Ok(answer.map(|answer| Secret::new(line(answer)))),
            Err(error) => Err(error!(Other: "the terminal cannot be read").because(error)),
        }
    }
}

/// A text whose lines end between words at the terminal's edge, with room for the cursor.
pub(super) fn folded(text: &str) -> String {
    match size(std::io::stderr())[0] {
        Some(columns) => wrap(text, columns.saturating_sub(1)).join("\n"),
        None => text.to_owned(),
    }
}
