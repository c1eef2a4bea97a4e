//! The help in the reader's language: clap's texts and ours, from the catalogue.

use clap::{Arg, Command};

use crate::command::GLOBAL_OPTIONS;
use crate::i18n::{Lang, translation};

/// A text's words in another language, if it has any there.
type Words<'a> = &'a mut dyn FnMut(&str) -> Option<&'static str>;

pub fn translated(program: Command, lang: Lang) -> Command {
    match lang {
        Lang::En => program,
        Lang::PtBr => with_words(program, &mut |english| translation(english, lang)),
    }
}

/// Asks `words` for each text that a help shows. clap's own words become texts of ours first.
pub fn with_words(mut program: Command, words: Words<'_>) -> Command {
    program.build();
    command(program, words)
}

fn command(mut command: Command, words: Words<'_>) -> Command {
    let style = *clap::builder::Styles::default().get_usage();
    let template = format!(
        "{{about-with-newline}}\n{style}{}{style:#} {{usage}}\n\n{{all-args}}{{after-help}}\n",
        fixed("Usage:", words)
    );
    command = command.subcommand_value_name(fixed("COMMAND", words));
    // clap writes this word itself.
    let options = format!("[{}]", fixed("OPTIONS", words));
    let usage = command.render_usage().to_string();
    let usage = usage.replace("[OPTIONS]", &options);
    command = command
        .override_usage(usage.trim_start_matches("Usage: ").to_owned())
        .help_template(template)
        .subcommand_help_heading(fixed("Commands", words));
    if let Some(about) = command.get_about().map(ToString::to_string) {
        command = command.about(text(about, words));
    }
    if let Some(more) = command.get_after_help().map(ToString::to_string) {
        let lines: Vec<String> = more.lines().map(|line| self::line(line, words)).collect();
        command = command.after_help(lines.join("\n"));
    }
    let shown = |arg: &Arg| arg.get_help_heading().is_some() && !arg.is_hide_set();
    let on_top = command.has_subcommands() && command.get_arguments().any(shown);
    // `mut_arg` moves an argument to the end, and headings come in the order of their arguments.
    let options = command.get_arguments().filter(|arg| !arg.is_positional());
    let ids = command.get_positionals().chain(options);
    for id in ids.map(|arg| arg.get_id().clone()).collect::<Vec<_>>() {
        command = command.mut_arg(id, |arg| argument(arg, on_top, words));
    }
    let verbs = command.get_subcommands().map(Command::get_name);
    for name in verbs.map(str::to_owned).collect::<Vec<_>>() {
        command = command.mut_subcommand(name, |verb| self::command(verb, words));
    }
    command
}

fn argument(arg: Arg, on_top: bool, words: Words<'_>) -> Arg {
    let heading = match arg.get_help_heading() {
        Some(_) => GLOBAL_OPTIONS,
        None if arg.is_positional() => "Arguments",
        // clap puts headings in the order of their arguments, and these two come last.
        None if on_top && ["help", "version"].iter().any(|id| arg.get_id() == id) => GLOBAL_OPTIONS,
        None => "Options",
    };
    let heading = fixed(heading, words);
    let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
    let mut help = text(help, words);
    let defaults = arg.get_default_values().iter();
    let defaults: Vec<String> = defaults.map(|value| value.display().to_string()).collect();
    let values = arg.get_possible_values().into_iter();
    let values: Vec<String> = values.map(|value| value.get_name().to_owned()).collect();
    let takes = arg.get_action().takes_values();
    for (hidden, name, list) in [
        (arg.is_hide_default_value_set(), "default", defaults),
        (arg.is_hide_possible_values_set(), "possible values", values),
    ] {
        if takes && !hidden && !list.is_empty() {
            help.push_str(&format!(" [{}: {}]", fixed(name, words), list.join(", ")));
        }
    }
    let arg = match arg.get_index() {
        Some(index) => arg.display_order(index),
        None => arg,
    };
    arg.help(help)
        .help_heading(heading)
        .hide_default_value(true)
        .hide_possible_values(true)
}

/// A line of the text after the options: a heading, a command that stands as it is, or a word or a command and what is
/// said of it after two spaces.
fn line(line: &str, words: Words<'_>) -> String {
    let (indent, rest) = line.split_at(line.len() - line.trim_start().len());
    match rest.split_once("  ") {
        Some((code, said)) => {
            let (gap, said) = said.split_at(said.len() - said.trim_start().len());
            format!("{indent}{code}  {gap}{}", text(said.to_owned(), words))
        }
        None if indent.is_empty() && !rest.is_empty() => text(rest.to_owned(), words),
        None => line.to_owned(),
    }
}

fn text(english: String, words: Words<'_>) -> String {
    words(&english).map_or(english, str::to_owned)
}

fn fixed(english: &'static str, words: Words<'_>) -> &'static str {
    words(english).unwrap_or(english)
}
