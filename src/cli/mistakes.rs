//! What is said of a command line that cannot be run: help, or one sentence and one hint.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::IsTerminal;

use clap::ValueEnum;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use crate::cli::Cli;
use crate::command::{Color, Refused, exec};
use crate::error::{Cause, Error, Result};
use crate::i18n::{self, Lang, Text, tr};
use crate::output;
use crate::output::sink::print_now;
use crate::provider;
use crate::report::{Manner, Report};
use crate::settings::{self, Environment};

/// Answers a command line that asks for help, or that makes no sense; the exit code.
pub fn explain(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> u8 {
    let words = Words::of(arguments);
    let color = words.value(None, "color").and_then(|word| Color::from_str(word, false).ok());
    let color = color.unwrap_or(Color::Auto);
    let for_stdout = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if for_stdout || error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        let color = colored(color, environment, std::io::stdout().is_terminal());
        let text = if color { error.render().ansi().to_string() } else { error.render().to_string() };
        let report = Report::new(Manner::default());
        if !for_stdout {
            report.help(&text);
            return Cause::Usage.exit();
        }
        return print_now(&text).map_or_else(|error| error.cause.exit(), |()| 0);
    }
    let color = colored(color, environment, std::io::stderr().is_terminal());
    let named = words.value(None, "lang").and_then(Lang::named);
    let lang = language(named, environment).unwrap_or_else(|_| locale(environment));
    let report = Report::new(Manner { json: words.flag("--json"), color, lang, ..Manner::default() });
    report_usage_error(&report, &usage(error, &words), &words)
}

/// Says what is wrong with a command line, or with what the environment adds to it; the exit code.
pub fn report_usage_error(report: &Report, error: &Error, words: &Words<'_>) -> u8 {
    report.error(error);
    // The answer may be meant for `eval`, which must fail too.
    let format = words.value(Some('f'), "format").and_then(output::find);
    let stdout = words.value(Some('o'), "output").is_none_or(|path| path == "-") && !words.flag("--save");
    let on_failure = format.filter(|_| stdout).map_or("", |format| format.on_failure());
    if !on_failure.is_empty() {
        let _ = print_now(on_failure);
    }
    // There every other code may be the command's own.
    if words.verb() == Some("exec") { exec::FAILED } else { Cause::Usage.exit() }
}

/// The words of a command line as far as `--`, and whether there is one: what can be told of it where clap does
/// not.
pub struct Words<'a> {
    ours: Vec<&'a str>,
    more: bool,
}

impl<'a> Words<'a> {
    /// The words of these arguments, the program's name first.
    pub fn of(arguments: &'a [OsString]) -> Self {
        let words = arguments.iter().skip(1).map(|word| word.to_str().unwrap_or_default());
        let ours: Vec<&str> = words.take_while(|word| *word != "--").collect();
        let more = ours.len() + 1 < arguments.len();
        Self { ours, more }
    }

    fn flag(&self, name: &str) -> bool {
        self.ours.contains(&name)
    }

    /// The first word that is a verb's name.
    fn verb(&self) -> Option<&'a str> {
        let known = Cli::program();
        self.ours.iter().copied().find(|word| known.find_subcommand(word).is_some())
    }

    /// An option's value: `--format sh`, `--format=sh`, `-f sh`, `-fsh`, and behind flags, `-qf sh`.
    fn value(&self, short: Option<char>, long: &str) -> Option<&'a str> {
        let behind_name = |word: &'a str| match word.strip_prefix("--") {
            Some(word) => word.strip_prefix(long).filter(|rest| rest.is_empty() || rest.starts_with('=')),
            None => word.strip_prefix('-')?.trim_start_matches(['q', 'v']).strip_prefix(short?),
        };
        let (at, rest) =
            self.ours.iter().enumerate().find_map(|(at, word)| Some((at, behind_name(word)?)))?;
        if rest.is_empty() { self.ours.get(at + 1).copied() } else { Some(rest.trim_start_matches('=')) }
    }
}

/// clap's error as one sentence and one hint.
fn usage(error: &clap::Error, words: &Words<'_>) -> Error {
    if let Some(error) = misplaced(words) {
        return error;
    }
    let message = sentence(error);
    let suggestion =
        [ContextKind::SuggestedArg, ContextKind::SuggestedSubcommand, ContextKind::SuggestedValue]
            .iter()
            .find_map(|kind| match error.get(*kind)? {
                ContextValue::String(one) => Some(one.clone()),
                // The best one stands last.
                ContextValue::Strings(many) => many.last().cloned(),
                _ => None,
            });
    let hint = match (suggestion, words.verb(), form(error)) {
        _ if asks_for_a_secret(error) => tr!(
            "no option takes a secret, which others could read; set it in the environment or .env, as `crmauth providers` shows"
        ),
        (Some(word), ..) => tr!("did you mean `{word}`?", word),
        (None, Some(verb), Some(form)) => {
            tr!("it is written `{form}`; `crmauth {verb} --help` shows more", form, verb)
        }
        (None, Some(verb), None) => tr!("`crmauth {verb} --help` shows what is possible", verb),
        (None, None, _) => tr!("`crmauth --help` shows what is possible"),
    };
    Error::new(Cause::Usage, message).hint(hint)
}

/// Whether an option was tried that other programs have for a secret.
fn asks_for_a_secret(error: &clap::Error) -> bool {
    const NAMES: [&str; 6] =
        ["--password", "--pass", "--senha", "--secret", "--client-secret", "--access-key"];
    let tried = error.get(ContextKind::InvalidArg);
    matches!(tried, Some(ContextValue::String(name)) if NAMES.contains(&name.as_str()))
}

/// How the verb is written, where a part of it is missing.
fn form(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let Some(ContextValue::StyledStr(usage)) = error.get(ContextKind::Usage) else { return None };
    Some(usage.to_string().trim().strip_prefix("Usage: ")?.to_owned())
}

/// What clap has to say, in a sentence of ours where it is a mistake that people make.
fn sentence(error: &clap::Error) -> Text {
    let text = |kind| match error.get(kind) {
        Some(ContextValue::String(text)) => Some(text.clone()),
        Some(ContextValue::Strings(texts)) => Some(texts.join(" ")),
        Some(ContextValue::StyledStr(text)) => Some(text.to_string()),
        _ => None,
    };
    let argument = text(ContextKind::InvalidArg).unwrap_or_default();
    let value = text(ContextKind::InvalidValue).unwrap_or_default();
    match error.kind() {
        ErrorKind::MissingRequiredArgument => tr!("this needs more: {argument}", argument),
        ErrorKind::UnknownArgument => tr!("unexpected argument '{argument}' found", argument),
        ErrorKind::InvalidSubcommand => {
            let name = text(ContextKind::InvalidSubcommand).unwrap_or_default();
            tr!("unrecognized subcommand '{name}'", name)
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => {
            tr!("a value is required for '{argument}' but none was supplied", argument)
        }
        ErrorKind::InvalidValue => match error.get(ContextKind::ValidValue) {
            Some(ContextValue::Strings(words)) if !words.is_empty() => tr!(
                "invalid value '{value}' for '{argument}' [possible values: {words}]",
                value,
                argument,
                words = words.join(", ")
            ),
            _ => tr!("invalid value '{value}' for '{argument}'", value, argument),
        },
        ErrorKind::ValueValidation => match error.source().and_then(|source| source.downcast_ref()) {
            Some(Refused(why)) => {
                tr!("invalid value '{value}' for '{argument}': {why}", value, argument, why)
            }
            None => tr!("invalid value '{value}' for '{argument}'", value, argument),
        },
        ErrorKind::TooManyValues => {
            tr!("unexpected value '{value}' for '{argument}' found; no more were expected", value, argument)
        }
        ErrorKind::ArgumentConflict => match text(ContextKind::PriorArg) {
            Some(prior) if prior == argument => {
                tr!("the argument '{argument}' cannot be used multiple times", argument)
            }
            Some(prior) => tr!("the argument '{argument}' cannot be used with '{prior}'", argument, prior),
            None => tr!("the argument '{argument}' cannot be used with the others", argument),
        },
        ErrorKind::InvalidUtf8 => tr!("an argument is not valid UTF-8"),
        ErrorKind::MissingSubcommand => match error.get(ContextKind::ValidSubcommand) {
            Some(ContextValue::Strings(verbs)) => {
                tr!("a command is missing: {verbs}", verbs = i18n::or(verbs))
            }
            _ => tr!("a command is missing"),
        },
        _ => {
            let rendered = error.render().to_string();
            let first = rendered.lines().next().unwrap_or_default();
            tr!("{words}", words = first.strip_prefix("error: ").unwrap_or(first))
        }
    }
}

/// What is wrong where a word stands in a place that clap cannot make sense of, and people often put it.
fn misplaced(words: &Words<'_>) -> Option<Error> {
    let verb = words.verb()?;
    let behind = words.ours.iter().skip_while(|word| **word != verb).skip(1);
    let typed: Vec<&str> = behind.copied().take_while(|word| !word.starts_with('-')).collect();
    let is_target = |word: &&str| settings::target(word, &provider::specs()).is_ok();
    let targets: Vec<&str> = typed.iter().copied().take_while(is_target).collect();
    match (verb, typed.get(targets.len())) {
        ("exec", Some(command)) if !targets.is_empty() && !words.more => {
            let line = format!("crmauth exec {} -- {command}", targets.join(" "));
            let message = tr!("`{command}` is no target", command);
            Some(Error::new(Cause::Usage, message).hint(tr!("put `--` before the command: {line}", line)))
        }
        ("token", _) if targets.len() > 1 => {
            let error = Error::new(Cause::Usage, tr!("token takes one target"));
            Some(error.hint(tr!("`login` and `exec` take several")))
        }
        _ => None,
    }
}

/// The language to speak: the one that `--lang` names, else `CRMAUTH_LANG`, else that of the locale.
pub fn language(named: Option<Lang>, environment: &Environment) -> Result<Lang> {
    if let Some(lang) = named {
        return Ok(lang);
    }
    match environment.get("CRMAUTH_LANG")? {
        None => Ok(locale(environment)),
        Some(name) => Lang::named(name).ok_or_else(|| {
            Error::new(Cause::BadSetting, tr!("CRMAUTH_LANG names no language that crmauth speaks"))
                .hint(tr!("it takes {names}", names = i18n::or(&Lang::NAMES)))
        }),
    }
}

/// The language of the machine's locale.
pub fn locale(environment: &Environment) -> Lang {
    Lang::of_locale(|name| environment.get(name).ok().flatten())
}

/// Whether to use colour on a stream that is a terminal or not.
pub fn colored(choice: Color, environment: &Environment, terminal: bool) -> bool {
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !is_set("NO_COLOR", environment) && is_capable_terminal(environment),
    }
}

/// Whether a person sits at a terminal that can do more than print lines.
pub fn is_capable_terminal(environment: &Environment) -> bool {
    !is_set("CI", environment) && !environment.get("TERM").is_ok_and(|term| term == Some("dumb"))
}

fn is_set(name: &str, environment: &Environment) -> bool {
    environment.get(name).is_ok_and(|value| value.is_some())
}
