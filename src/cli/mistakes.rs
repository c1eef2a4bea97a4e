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
use crate::settings::{self, Environment, nearest};

/// Prints the help if clap's error is a request for it, else explains what is wrong; returns the exit code.
pub fn explain(error: &clap::Error, arguments: &[OsString], environment: &Environment) -> u8 {
    let words = Words::of(arguments);
    let color = words.value(None, "color");
    let color = color.and_then(|word| Color::from_str(word, false).ok());
    let color = |terminal| colored(color.unwrap_or(Color::Auto), environment, terminal);
    let named = words.value(None, "lang").and_then(Lang::named);
    let lang = language(named, environment).unwrap_or_else(|_| locale(environment));
    let help = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion if lang == Lang::En => error.render(),
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
            // clap has no languages: the same command line is read once more.
            let again = translated(Cli::program(), lang).try_get_matches_from(arguments);
            again.as_ref().err().unwrap_or(error).render()
        }
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand => {
            translated(Cli::verbs(), lang).render_help()
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
    if error.exit_code() == 0 {
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
        unknown.strip_prefix('-')?.parse::<f64>().ok()?;
        let mut ours = self.ours.iter();
        let at = ours.position(|word| word.starts_with(unknown))?;
        let option = self.ours[..at].last().copied()?;
        let program = Cli::program();
        let verb = self.verb().and_then(|verb| program.find_subcommand(verb));
        let commands = verb.into_iter().chain([&program]);
        let mut arguments = commands.flat_map(clap::Command::get_arguments);
        let is_named = |arg: &Arg| names(arg).any(|name| name == option);
        let takes_it = arguments.any(|arg| arg.get_action().takes_values() && is_named(arg));
        takes_it.then_some(option)
    }

    /// An option's value: `--format sh`, `--format=sh`, `-f sh`, `-fsh`, and after flags, `-qf sh`.
    fn value(&self, short: Option<char>, long: &str) -> Option<&'a str> {
        let after_name = |word: &'a str| match word.strip_prefix("--") {
            Some(word) => {
                let rest = word.strip_prefix(long)?;
                (rest.is_empty() || rest.starts_with('=')).then_some(rest)
            }
            None => {
                let letters = word.strip_prefix('-')?;
                letters.trim_start_matches(['q', 'v']).strip_prefix(short?)
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
        return error!(Usage: "{name} is a system; put a command before it"; name => hint "write it as `{line}`"; line);
    }
    let argument = context(error, ContextKind::InvalidArg);
    if let Some(option) = words.before_negative(&argument) {
        return error!(Usage: "{option} cannot be negative"; option => hint "leave the sign out");
    }
    let value = context(error, ContextKind::InvalidValue);
    let hint = match (
        error.kind(),
        error.get(ContextKind::ValidValue),
        words.verb(),
    ) {
        (ErrorKind::MissingRequiredArgument, _, Some(verb)) => {
            let form = context(error, ContextKind::Usage);
            let form = form.trim().trim_start_matches("Usage: ");
            return missing_argument(&argument, form, verb);
        }
        (ErrorKind::InvalidSubcommand, ..) => verb_meant(&name).map(did_you_mean),
        (ErrorKind::InvalidValue, Some(ContextValue::Strings(valid)), _) => {
            nearest(&value, valid.clone()).map(did_you_mean)
        }
        (ErrorKind::UnknownArgument, ..) => unknown(&argument, words),
        (ErrorKind::ArgumentConflict, ..) if argument.starts_with("--data ") => Some(tr!(
            "-F NAME=VALUE can be repeated; or join the values with `&`"
        )),
        _ => None,
    };
    let hint = hint.unwrap_or_else(|| match words.verb() {
        Some(verb) => tr!("`crmauth {verb} --help` shows the options"; verb),
        None => tr!("`crmauth --help` shows the options"),
    });
    Error::new(Cause::Usage, sentence(error)).hint(hint)
}

fn did_you_mean(word: String) -> Text {
    tr!("did you mean `{word}`?"; word)
}

/// The verb that an unknown one was meant to be; for a system's name, the login to it.
fn verb_meant(name: &str) -> Option<String> {
    let word = nearest(name, Verb::names().chain(["--help", "--version"])).map(str::to_owned);
    word.or_else(|| Some(format!("crmauth login {}", settings::target_meant(name)?)))
}

/// What to do instead of a word that the program or the verb does not take there.
fn unknown(argument: &str, words: &Words<'_>) -> Option<Text> {
    let verb = words.verb();
    if !argument.starts_with('-') {
        let is_value = verb == Some("api") && argument.contains('=');
        return is_value.then(|| tr!("-Q adds a parameter to PATH, -F to the body"));
    }
    let program = Cli::program();
    let of = |verb: &str| program.find_subcommand(verb).into_iter().flat_map(options);
    let has = |verb: &&str| of(verb).any(|option| option == argument);
    if let Some(verb) = verb.filter(has) {
        return Some(tr!("put {argument} after `{verb}`"; argument, verb));
    }
    let others: Vec<&str> = Verb::names().filter(has).collect();
    if !others.is_empty() {
        let others = i18n::and(&others);
        return Some(tr!("{argument} is an option of {others}"; argument, others));
    }
    let mut known: Vec<String> = verb.into_iter().flat_map(of).collect();
    known.extend(options(&program).chain(["gluo@filial".to_owned()]));
    if let Some(near) = nearest(argument, known) {
        return Some(did_you_mean(near));
    }
    if crate::secret::names_secret(argument) {
        return Some(tr!(
            "no option accepts a secret, because others could read it; set it in the environment or .env, as `crmauth providers` shows"
        ));
    }
    let mut typed = words.ours.iter();
    let target = typed.find_map(|word| settings::target(word).ok())?;
    let variable = settings::variable_meant(argument, &target)?;
    Some(tr!("set {variable} in the environment or .env"; variable))
}

fn options(command: &clap::Command) -> impl Iterator<Item = String> {
    command.get_arguments().flat_map(names)
}

fn names(arg: &Arg) -> impl Iterator<Item = String> + use<> {
    let long = arg.get_long().map(|name| format!("--{name}"));
    let short = arg.get_short().map(|name| format!("-{name}"));
    long.into_iter().chain(short)
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
    let prior = context(error, ContextKind::PriorArg);
    match error.kind() {
        ErrorKind::UnknownArgument => tr!("unexpected argument '{argument}' found"; argument),
        ErrorKind::InvalidSubcommand => {
            let name = context(error, ContextKind::InvalidSubcommand);
            tr!("unrecognized command '{name}'"; name)
        }
        ErrorKind::InvalidValue | ErrorKind::ValueValidation if value.is_empty() => tr!(
            "a value is required for '{argument}' but none was supplied"; argument),
        ErrorKind::InvalidValue | ErrorKind::ValueValidation => {
            let invalid = tr!("invalid value '{value}' for '{argument}'"; value, argument);
            let refused = error.source().and_then(|source| source.downcast_ref());
            match (refused, error.get(ContextKind::ValidValue)) {
                (Some(Refused(why)), _) => tr!("{invalid}: {why}"; invalid, why),
                (_, Some(ContextValue::Strings(words))) if !words.is_empty() => {
                    let words = words.join(", ");
                    tr!("{invalid} [possible values: {words}]"; invalid, words)
                }
                _ => invalid,
            }
        }
        ErrorKind::TooManyValues => tr!(
            "unexpected value '{value}' for '{argument}' found; no more were expected"; value, argument),
        ErrorKind::ArgumentConflict if prior == argument => tr!(
            "the argument '{argument}' cannot be used multiple times"; argument),
        ErrorKind::ArgumentConflict => tr!(
            "the argument '{argument}' cannot be used with '{prior}'"; argument, prior),
        ErrorKind::InvalidUtf8 => tr!("an argument is not valid UTF-8"),
        ErrorKind::MissingSubcommand => {
            let verbs = i18n::or(&Verb::names().collect::<Vec<_>>());
            tr!("a command is missing: {verbs}"; verbs)
        }
        kind => tr!("{kind}"; kind),
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
    let is_target = |word: &&&str| settings::target(word).is_ok();
    match (verb, typed.iter().take_while(is_target).count()) {
        ("api", _) if typed.len() > 2 && typed[..2].iter().any(|word| api::is_method(word)) => {
            let is_method = |word: &&str| api::is_method(word);
            let (methods, rest): (Vec<&str>, Vec<&str>) = typed.into_iter().partition(is_method);
            let word = |at: usize, or| rest.get(at).copied().unwrap_or(or);
            let (target, path) = (word(0, "TARGET"), word(1, "PATH"));
            Some(api::method_first(methods[0], target, path))
        }
        ("token" | "api", 2..) => Some(error!(Usage: "{verb} takes only one target"; verb =>
            hint "`login` and `exec` take several")),
        _ => None,
    }
}

/// A command that lacks the `--` before it: the first word that is no target's and can be one.
fn without_dashes(typed: &[&str]) -> Option<Error> {
    let line = |at: usize| [&["crmauth"], &typed[..at], &["--"], &typed[at..]].concat();
    let runs = |at: &usize| {
        let is_word = !typed[*at].starts_with('-') && settings::target(typed[*at]).is_err();
        let line = line(*at).into_iter().map(OsString::from);
        is_word && Cli::read(&line.collect::<Vec<_>>()).is_ok()
    };
    let at = (0..typed.len()).find(runs)?;
    let line: Vec<String> = line(at).into_iter().map(shell_word).collect();
    let error = error!(Usage: "there is no `--` before the command `{command}`"; command = typed[at] =>
        hint "write it as `{line}`"; line = line.join(" "));
    Some(error)
}
