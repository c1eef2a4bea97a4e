//! The guided login: asks a person for the settings that are missing, and offers to keep them.

mod keep;
mod question;

use super::{Run, each_once, missing_argument};
use crate::declaration::{Credentials, Default, Field, Kind, Target};
use crate::error::{Cause, Error, Result};
use crate::i18n::{Text, and, tr};
use crate::lifecycle::Services;
use crate::secret::Secret;
use crate::settings::{self, Questions, Sources};

/// What a person was asked about a target.
struct Asked<'a> {
    run: &'a Run<'a>,
    services: &'a Services,
    target: &'a Target,
    answers: Vec<(&'static Field, Secret)>,
    /// Which kind of credentials was chosen.
    kind: Option<usize>,
    /// How often the server has refused the answers.
    refusals: usize,
    /// Why nobody was asked: nothing may be sent there.
    refused: Option<Error>,
}

/// What a person was asked in this run.
pub(super) struct Guide<'a> {
    pub run: &'a Run<'a>,
    pub services: &'a Services,
    /// With the answers.
    pub sources: Sources,
    asked: Vec<Asked<'a>>,
}

impl<'a> Guide<'a> {
    /// Asks for what these targets' logins need and nobody has set; what nobody can be asked for, the logins miss.
    pub(super) async fn ask(
        run: &'a Run<'a>,
        services: &'a Services,
        mut sources: Sources,
        wanted: &'a [Target],
    ) -> Result<Self> {
        sources.login_asks = false;
        let mut guide = Self {
            run,
            services,
            sources,
            asked: Vec::new(),
        };
        if why_not_asking(run).is_none() && !run.global.json && !run.global.sandbox {
            for target in wanted {
                let asked = guide.ask_about(target).await?;
                guide.asked.push(asked);
            }
        }
        Ok(guide)
    }

    async fn ask_about(&mut self, target: &'a Target) -> Result<Asked<'a>> {
        let (run, services) = (self.run, self.services);
        let mut asked = Asked {
            run,
            services,
            target,
            answers: Vec::new(),
            kind: None,
            refusals: 0,
            refused: None,
        };
        // An answer may make another setting necessary.
        while let Ok(questions) = settings::questions(target, &self.sources, asked.kind())
            && let [first, ..] = questions.fields[..]
        {
            if let Some(url) = &questions.url {
                let settings = questions.settings_so_far(target, url.clone());
                if let Err(error) = asked.admits(&settings).await {
                    asked.refused = Some(error.target(&target.to_string()));
                    break;
                }
            }
            if asked.answers.is_empty() && asked.kind.is_none() {
                let near = questions.near.iter();
                near.for_each(|near| run.report.tell(near.clone()));
                let product = target.spec.product;
                run.report.aside(tr!(
                    "{target}: {product} needs some settings. Ctrl-C stops without changing anything."; target, product));
            }
            // Nothing else is asked before the URL is known to lead somewhere.
            let fields = match first.kind {
                Kind::Url => &questions.fields[..1],
                _ if asked.kind.is_none() && !questions.kinds.is_empty() => {
                    if !asked.choose().await? {
                        break;
                    }
                    continue;
                }
                _ => &questions.fields[..],
            };
            let done = asked.consents(&questions).await? && asked.ask(&questions, fields).await?;
            self.sources.answer(target, &asked.answers);
            if !done {
                break;
            }
        }
        Ok(asked)
    }

    /// Adds to an error about missing settings why nobody was asked for them.
    pub(super) fn explain(&self, mut error: Error) -> Error {
        let why = why_not_asking(self.run).filter(|_| error.cause == Cause::MissingSetting);
        if let (Some(why), Some(hint)) = (why, &error.hint) {
            error.hint = Some(tr!("{hint} – {why}"; hint, why));
        }
        error
    }

    pub(super) fn refused(&self, target: &Target) -> Option<Error> {
        let mut asked = self.asked.iter();
        asked.find(|asked| asked.target == target)?.refused.clone()
    }

    /// If a login failed with what a person typed, offers to change that. Returns whether it was changed.
    pub(super) async fn retry(&mut self, target: &Target, error: &Error) -> Result<bool> {
        let sources = &mut self.sources;
        let Some(asked) = self.asked.iter_mut().find(|asked| asked.target == target) else {
            return Ok(false);
        };
        let refused = error.cause == Cause::Refused;
        let is = |field: &&Field| asked.answer(field).is_some() && (field.credential() || !refused);
        let typed: Vec<&'static Field> = target.spec.all_fields().filter(is).collect();
        let may_change = matches!(error.cause.exit(), 4..=6) && error.cause != Cause::Locked;
        if typed.is_empty() || !may_change {
            return Ok(false);
        }
        asked.run.report.tell(Text::default());
        asked.run.report.tell_of(target, error);
        asked.refusals += usize::from(refused);
        let (hinted, of_kind) = asked.hinted(&typed, error);
        let usual = of_kind || !hinted.is_empty();
        let change = if usual { hinted } else { typed };
        if !asked.would_change(&change, of_kind, usual).await? || of_kind && !asked.choose().await?
        {
            return Ok(false);
        }
        let kinds = target.spec.credentials;
        for field in kinds.iter().flat_map(|kind| kind.fields) {
            let kind = asked.kind();
            if kind.is_some_and(|kind| !kind.fields.contains(field)) {
                asked.answers.retain(|(other, _)| other.name != *field);
                sources.unanswer(target, field);
            }
        }
        let questions = settings::questions(target, sources, asked.kind())?;
        let wanted = |field: &&Field| {
            let is = |other: &&Field| other.name == field.name;
            asked.answer(field).is_some() && change.iter().any(is)
                || questions.fields.iter().any(is)
        };
        let fields: Vec<&'static Field> = target.spec.all_fields().filter(wanted).collect();
        let changed = asked.ask(&questions, &fields).await?;
        sources.answer(target, &asked.answers);
        Ok(changed)
    }
}

impl Asked<'_> {
    fn kind(&self) -> Option<&'static Credentials> {
        Some(&self.target.spec.credentials[self.kind?])
    }

    /// Asks before secrets go where a file says that nobody named.
    async fn consents(&self, questions: &Questions) -> Result<bool> {
        let (report, target) = (&self.run.report, self.target);
        let secret = questions.fields.iter().any(|field| field.secret());
        for (name, origin, value) in questions.planted.iter().filter(|_| secret) {
            let ask = match *name == target.variable("URL") {
                true => tr!("Send what you type to that server?"),
                false => tr!("Send what you type anyway?"),
            };
            let origin = origin.text();
            let question = tr!("{name} is {value} ({origin}). {ask}"; name, value, origin, ask);
            if !report.confirm(question, false).await? {
                report.tell(tr!("{target}: nothing was sent"; target));
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Asks which kind of credentials there are, the one before usual. Returns whether there was an answer.
    async fn choose(&mut self) -> Result<bool> {
        let kinds = self.target.spec.credentials.iter();
        let kinds: Vec<Text> = kinds.map(|kind| Text::declared(kind.about)).collect();
        self.run.report.tell(Text::default());
        let question = tr!("What do you log in with?");
        let usual = self.kind.unwrap_or_default();
        let chosen = self.run.report.choose(question, &kinds, usual).await?;
        self.kind = chosen.or(self.kind);
        Ok(chosen.is_some())
    }

    fn answer(&self, field: &Field) -> Option<&Secret> {
        let mut answers = self.answers.iter();
        answers.find_map(|(other, value)| (other.name == field.name).then_some(value))
    }

    /// Asks for some fields. Returns whether all of them were answered.
    async fn ask(&mut self, questions: &Questions, fields: &[&'static Field]) -> Result<bool> {
        for field in fields {
            let Some(answer) = self.about(questions, field).await? else {
                return Ok(false);
            };
            self.answers.retain(|(other, _)| other.name != field.name);
            self.answers.push((field, answer));
        }
        Ok(true)
    }

    /// Which of what was typed an error's hint names, and whether it names what the kind of credentials decides.
    fn hinted(&self, typed: &[&'static Field], error: &Error) -> (Vec<&'static Field>, bool) {
        let hint = error.hint.as_ref().map(Text::english).unwrap_or_default();
        let in_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
        let words: Vec<&str> = hint.split(|c| !in_name(c)).collect();
        let names = |field: &&Field| words.contains(&&*self.target.variable(field.name));
        let kinds = self.target.spec.credentials;
        let of_kind = self.kind().is_some_and(|kind| {
            let has = |kind: &Credentials, field: &Field| kind.fields.contains(&field.name);
            let decides = |field: &Field| {
                matches!(field.default, Default::IfSet(..))
                    || !has(kind, field) && kinds.iter().any(|other| has(other, field))
            };
            self.target.spec.all_fields().filter(names).any(decides)
        });
        (typed.iter().copied().filter(names).collect(), of_kind)
    }

    /// Asks whether a person would change what was typed, and the kind of credentials.
    async fn would_change(&self, fields: &[&Field], kind: bool, usual: bool) -> Result<bool> {
        let variables = fields.iter().map(|field| self.target.variable(field.name));
        let names = variables.map(|variable| tr!("{variable}"; variable));
        let kind = kind.then(|| tr!("the kind of login"));
        let names = and(&names.chain(kind).collect::<Vec<_>>());
        let question = match self.refusals {
            0 => tr!("Change {names}?"; names),
            number => tr!(
                "Refusal {number}; a server may lock the account after a few. Change {names}?"; number, names),
        };
        self.run.report.confirm(question, usual).await
    }
}

/// Asks which system or account to log in to, where none was named.
pub(super) async fn which(run: &Run<'_>, sources: &Sources) -> Result<Target> {
    let all = crate::provider::specs().into_iter();
    let all = all.map(|spec| Target::new(spec, None));
    let mut targets = each_once(sources.configured(), all);
    if why_not_asking(run).is_none() && !run.global.json {
        let label = |target: &Target| tr!("{target}: {name}"; target, name = target.spec.product);
        let labels: Vec<Text> = targets.iter().map(label).collect();
        let question = tr!("Where do you want to log in?");
        if let Some(place) = run.report.choose(question, &labels, 0).await? {
            return Ok(targets.swap_remove(place));
        }
    }
    Err(missing_argument("<TARGET>...", "", "login"))
}

pub(super) fn why_not_asking(run: &Run<'_>) -> Option<Text> {
    Some(match run.global.no_input {
        true => tr!("nothing is asked because of --no-input"),
        _ if run.environment.is_ci() => tr!("nothing is asked because CI is set"),
        _ if run.report.meets_person() => return None,
        _ => tr!("nothing is asked because there is no terminal"),
    })
}
