//! Command lines that cannot be run: clap's errors in one sentence and one hint of our own, and the help.

use std::error::Error as _;
use std::ffi::OsString;
use std::io::IsTerminal;

use clap::Arg;
use clap::ValueEnum;
use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::manner::{colored, language, locale, runner};
use super::translate::translated;
use super::{Cli, Verb};
use crate::command::{Color, Refused, api, exec, missing_argument};
use crate::error::{Cause, Error, error};
use crate::i18n::{self, Lang, Text, tr};
use crate::output::stdout::print_now;
use crate::output::{Format, shell_word};
use crate::report::{Manner, Report};
use crate::secret::names_secret;
use crate::settings::{self, Environment, nearest};

/// Prints the help if clap's error is a request for it, else explains what is wrong; returns the exit code.
pub fn explain(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> u8 {
    let words = Words::of(arguments);
    let color = words.value(None, "color");
    let color = color.and_then(|word| Color::from_str(word, false).ok());
    let color = |terminal| colored(color.unwrap_or(Color::Auto), environment, terminal);
    let named = words.value(None, "lang").and_then(Lang::named);
    let lang = language(named, environment).unwrap_or_else(|_| locale(environment));
    let (help, asked_for) = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if lang == Lang::En => {
            (error.render(), true)
        }
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // clap has no languages: the same command line is read once more.
            let again = translated(Cli::program(), lang).try_get_matches_from(arguments);
            (again.as_ref().err().unwrap_or(error).render(), true)
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            (translated(Cli::verbs(), lang).render_help(), false)
        }
        _ => {
            let report = Report::new(Manner {
                json: words.flag("--json"),
                color: color(std::io::stderr().is_terminal()),
                lang,
                runner: runner(environment),
                ..Manner::default()
            });
            return report_usage_error(&report, &usage(error, &words), &words);
        }
    };
    let text = match color(std::io::stdout().is_terminal()) {
        true => help.ansi().to_string(),
        false => help.to_string(),
    };
    if asked_for {
        return print_now(&text).map_or_else(|error| error.cause.exit(), |()| 0);
    }
    Report::new(Manner::default()).help(&text);
    Cause::Usage.exit()
}

/// Reports a mistake in the command line, or in what the environment adds to it; returns the exit code.
pub fn report_usage_error(report: &Report, error: &Error, words: &Words<'_>) -> u8 {
    report.error(error);
    // A shell that evaluates stdout must fail too.
    let format = words.value(Some('f'), "format").and_then(Format::named);
    let output = words.value(Some('o'), "output");
    let stdout = output.is_none_or(|path| path == "-") && !words.flag("--save");
    let on_failure = format.filter(|_| stdout).map_or("", Format::on_failure);
    if !on_failure.is_empty() {
        let _ = print_now(on_failure);
    }
    match words.verb() {
        // Every other code of `exec` may be its command's.
        Some("exec") => exec::FAILED,
        _ => Cause::Usage.exit(),
    }
}

/// The words of a command line, for what clap's errors do not tell.
pub struct Words<'a> {
    /// The words before `--`.
    ours: Vec<&'a str>,
    /// Whether there is a `--`.
    more: bool,
}

impl<'a> Words<'a> {
    /// `arguments` begin with the program's name.
    pub fn of(arguments: &'a [OsString]) -> Self {
        let words = arguments.iter().skip(1);
        let words = words.map(|word| word.to_str().unwrap_or_default());
        let ours: Vec<&str> = words.take_while(|word| *word != "--").collect();
        let more = ours.len() + 1 < arguments.len();
        Self { ours, more }
    }

    fn flag(&self, name: &str) -> bool {
        self.ours.contains(&name)
    }

    /// The first word that is a verb's name.
    fn verb(&self) -> Option<&'a str> {
        let mut ours = self.ours.iter().copied();
        ours.find(|word| Verb::named(word.as_ref()).is_some())
    }

    /// The option whose value is a number with a sign, which clap takes for an option too.
    fn before_negative(&self, unknown: &str) -> Option<&'a str> {
        let digits = unknown.strip_prefix('-')?;
        digits.chars().next().filter(char::is_ascii_digit)?;
        let is_it = |word: &&str| word.starts_with(unknown);
        let at = self.ours.iter().position(is_it)?;
        let option = self.ours[..at].last().copied()?;
        let program = Cli::program();
        let verb = self.verb().and_then(|verb| program.find_subcommand(verb));
        let mut arguments = [Some(&program), verb]
            .into_iter()
            .flatten()
            .flat_map(clap::Command::get_arguments);
        let takes_it =
            |arg: &Arg| arg.get_action().takes_values() && names(arg).any(|name| name == option);
        arguments.any(takes_it).then_some(option)
    }

    /// An option's value: `--format sh`, `--format=sh`, `-f sh`, `-fsh`, and after flags, `-qf sh`.
    fn value(&self, short: Option<char>, long: &str) -> Option<&'a str> {
        let after_name = |word: &'a str| match word.strip_prefix("--") {
            Some(word) => {
                let rest = word.strip_prefix(long)?;
                (rest.is_empty() || rest.starts_with('=')).then_some(rest)
            }
            None => {
                let letters = word.strip_prefix('-')?.trim_start_matches(['q', 'v']);
                letters.strip_prefix(short?)
            }
        };
        let mut ours = self.ours.iter();
        match ours.find_map(|word| after_name(word))? {
            "" => ours.next().copied(),
            rest => Some(rest.trim_start_matches('=')),
        }
    }
}

/// clap's error as one sentence and one hint.
fn usage(error: &clap::Error, words: &Words<'_>) -> Error {
    if let Some(error) = misplaced(words) {
        return error;
    }
    let name = context(error, ContextKind::InvalidSubcommand);
    if settings::target(&name).is_ok() {
        let line = format!("crmauth {} {name}", words.verb().unwrap_or("login"));
        return error!(
            Usage, "{name} is a system; put a command before it", name;
            hint "write it as `{line}`", line
        );
    }
    if let Some(option) = words.before_negative(&context(error, ContextKind::InvalidArg)) {
        return error!(Usage, "{option} cannot be negative", option; hint "leave the sign out");
    }
    if let (Some(form), Some(verb)) = (form(error), words.verb()) {
        return missing_argument(&context(error, ContextKind::InvalidArg), &form, verb);
    }
    let hint = meant(error, words).unwrap_or_else(|| match words.verb() {
        Some(verb) => tr!("`crmauth {verb} --help` shows the options", verb),
        None => tr!("`crmauth --help` shows the options"),
    });
    Error::new(Cause::Usage, sentence(error)).hint(hint)
}

/// The verb that an unknown one was meant to be; for a system's name, the login to it.
fn verb_meant(name: &str) -> Option<String> {
    let verbs = Verb::ALL.iter().map(|(verb, _)| *verb);
    let word = nearest(name, verbs.chain(["--help", "--version"])).map(str::to_owned);
    word.or_else(|| Some(format!("crmauth login {}", settings::target_meant(name)?)))
}

/// What to do instead of a word that the program, the option or the verb does not take there.
fn meant(error: &clap::Error, words: &Words<'_>) -> Option<Text> {
    let word = |word: String| tr!("did you mean `{word}`?", word);
    let argument = context(error, ContextKind::InvalidArg);
    match (error.kind(), error.get(ContextKind::ValidValue)) {
        (ErrorKind::InvalidSubcommand, _) => {
            return verb_meant(&context(error, ContextKind::InvalidSubcommand)).map(word);
        }
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid))) => {
            return nearest(&context(error, ContextKind::InvalidValue), valid.clone()).map(word);
        }
        (ErrorKind::ArgumentConflict, _) if argument.starts_with("--data ") => {
            return Some(tr!(
                "-F NAME=VALUE can be repeated; or join the values with `&`"
            ));
        }
        (ErrorKind::UnknownArgument, _) => {}
        _ => return None,
    }
    let verb = words.verb();
    if !argument.starts_with('-') {
        let is_value = verb == Some("api") && argument.contains('=');
        return is_value.then(|| tr!("-Q adds a parameter to PATH, -F to the body"));
    }
    let program = Cli::program();
    let of = |verb: &str| program.find_subcommand(verb).into_iter().flat_map(options);
    let has = |verb: &&str| of(verb).any(|option| option == argument);
    if let Some(verb) = verb.filter(has) {
        return Some(tr!("put {argument} after `{verb}`", argument, verb));
    }
    let others = Verb::ALL.iter().map(|(verb, _)| *verb).filter(has);
    let others: Vec<&str> = others.collect();
    if !others.is_empty() {
        let others = i18n::and(&others);
        return Some(tr!("{argument} is an option of {others}", argument, others));
    }
    let mut known: Vec<String> = verb.into_iter().flat_map(of).collect();
    known.extend(options(&program).chain(["gluo@filial".to_owned()]));
    if let Some(near) = nearest(&argument, known) {
        return Some(word(near));
    }
    if names_secret(&argument) {
        return Some(tr!(
            "no option accepts a secret, because others could read it; set it in the environment or .env, as `crmauth providers` shows"
        ));
    }
    let mut typed = words.ours.iter();
    let target = typed.find_map(|word| settings::target(word).ok())?;
    let variable = settings::variable_meant(&argument, &target)?;
    Some(tr!("set {variable} in the environment or .env", variable))
}

fn options(command: &clap::Command) -> impl Iterator<Item = String> {
    command.get_arguments().flat_map(names)
}

/// An option's names as they are typed.
fn names(arg: &Arg) -> impl Iterator<Item = String> + use<> {
    let long = arg.get_long().map(|name| format!("--{name}"));
    let short = arg.get_short().map(|name| format!("-{name}"));
    long.into_iter().chain(short)
}

/// The usage line of a verb that lacks an argument.
fn form(error: &clap::Error) -> Option<String> {
    if error.kind() != ErrorKind::MissingRequiredArgument {
        return None;
    }
    let usage = context(error, ContextKind::Usage);
    Some(usage.trim().strip_prefix("Usage: ")?.to_owned())
}

/// A part of what clap knows about an error, empty if it knows none.
fn context(error: &clap::Error, kind: ContextKind) -> String {
    match error.get(kind) {
        Some(ContextValue::String(text)) => text.clone(),
        Some(ContextValue::Strings(texts)) => texts.join(" "),
        Some(ContextValue::StyledStr(text)) => text.to_string(),
        _ => String::new(),
    }
}

/// clap's error in our own words, so that it can be translated.
fn sentence(error: &clap::Error) -> Text {
    let argument = context(error, ContextKind::InvalidArg);
    let value = context(error, ContextKind::InvalidValue);
    match error.kind() {
        ErrorKind::UnknownArgument => tr!("unexpected argument '{argument}' found", argument),
        ErrorKind::InvalidSubcommand => {
            let name = context(error, ContextKind::InvalidSubcommand);
            tr!("unrecognized command '{name}'", name)
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => tr!(
            "a value is required for '{argument}' but none was supplied",
            argument
        ),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            invalid_value(error, &argument, &value)
        }
        ErrorKind::TooManyValues => tr!(
            "unexpected value '{value}' for '{argument}' found; no more were expected",
            value,
            argument
        ),
        ErrorKind::ArgumentConflict => match &*context(error, ContextKind::PriorArg) {
            "" => tr!(
                "the argument '{argument}' cannot be used with the others",
                argument
            ),
            prior if prior == argument => tr!(
                "the argument '{argument}' cannot be used multiple times",
                argument
            ),
            prior => tr!(
                "the argument '{argument}' cannot be used with '{prior}'",
                argument,
                prior
            ),
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
            let words = first.strip_prefix("error: ").unwrap_or(first);
            tr!("{words}", words)
        }
    }
}

/// What is wrong with an option's value, with the reason or the possible values.
fn invalid_value(error: &clap::Error, argument: &str, value: &str) -> Text {
    if let Some(Refused(why)) = error.source().and_then(|source| source.downcast_ref()) {
        return tr!(
            "invalid value '{value}' for '{argument}': {why}",
            value,
            argument,
            why
        );
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(words)) if !words.is_empty() => tr!(
            "invalid value '{value}' for '{argument}' [possible values: {words}]",
            value,
            argument,
            words = words.join(", ")
        ),
        _ => tr!("invalid value '{value}' for '{argument}'", value, argument),
    }
}

/// Mistakes that people often make with words in the wrong place, of which clap's error says less.
fn misplaced(words: &Words<'_>) -> Option<Error> {
    let verb = words.verb()?;
    if let ("exec" | "sandbox", false) = (verb, words.more) {
        return without_dashes(&words.ours);
    }
    let rest = words.ours.iter().skip_while(|word| **word != verb).skip(1);
    let typed = rest.copied().take_while(|word| !word.starts_with('-'));
    let typed: Vec<&str> = typed.collect();
    let is_target = |word: &&str| settings::target(word).is_ok();
    let targets: Vec<&str> = typed.iter().copied().take_while(is_target).collect();
    match (verb, targets.len()) {
        ("api", _) if typed.len() > 2 && typed[..2].iter().any(|word| api::is_method(word)) => {
            let (methods, rest): (Vec<&str>, Vec<&str>) =
                typed.iter().partition(|word| api::is_method(word));
            Some(api::method_first(
                methods[0],
                rest.first().unwrap_or(&"TARGET"),
                rest.get(1).unwrap_or(&"PATH"),
            ))
        }
        ("token" | "api", 2..) => Some(error!(
            Usage, "{verb} takes only one target", verb;
            hint "`login` and `exec` take several"
        )),
        _ => None,
    }
}

/// A command that lacks the `--` before it: the first word that is no target's and can be one.
fn without_dashes(typed: &[&str]) -> Option<Error> {
    let line = |at: usize| [&["crmauth"], &typed[..at], &["--"], &typed[at..]].concat();
    let is_target = |at: &usize| settings::target(typed[*at]).is_ok();
    let runs =
        |at: &usize| Cli::read(&line(*at).iter().map(OsString::from).collect::<Vec<_>>()).is_ok();
    let mut words = (0..typed.len()).filter(|at| !typed[*at].starts_with('-') && !is_target(at));
    let at = words.find(runs)?;
    let line: Vec<String> = line(at).into_iter().map(shell_word).collect();
    Some(error!(
        Usage, "there is no `--` before the command `{command}`", command = typed[at];
        hint "write it as `{line}`", line = line.join(" ")
    ))
}
