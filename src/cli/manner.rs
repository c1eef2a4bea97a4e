//! How a run speaks: its language, its colours, and whether progress is shown.

use std::io::IsTerminal;

use crate::command::{Color, Global};
use crate::error::{Result, error};
use crate::i18n::{self, Lang};
use crate::report::{Manner, RUNNERS, Runner};
use crate::settings::Environment;

/// How stderr is written, and the error if `CRMAUTH_LANG` is wrong.
pub fn manner(global: &Global, environment: &Environment) -> (Manner, Result<()>) {
    let lang = language(global.lang, environment);
    let terminal = std::io::stderr().is_terminal();
    let manner = Manner {
        json: global.json,
        quiet: global.quiet,
        verbosity: global.verbose,
        color: colored(global.color, environment, terminal),
        lang: *lang.as_ref().unwrap_or(&locale(environment)),
        person: terminal,
        live: terminal && !global.json && !global.quiet && is_capable_terminal(environment),
        runner: runner(environment),
    };
    (manner, lang.map(|_| ()))
}

/// The CI runner that this run is a step of.
pub(super) fn runner(environment: &Environment) -> Option<Runner> {
    let value = |name| environment.get(name).ok().flatten();
    let is_true = |value: &str| value.eq_ignore_ascii_case("true");
    let mut known = RUNNERS.into_iter();
    known.find(|[variable, ..]| value(variable).is_some_and(is_true))
}

/// The language that `--lang` names, else `CRMAUTH_LANG`, else the locale's.
pub(super) fn language(named: Option<Lang>, environment: &Environment) -> Result<Lang> {
    if let Some(lang) = named {
        return Ok(lang);
    }
    match environment.get("CRMAUTH_LANG")? {
        None => Ok(locale(environment)),
        Some(name) => Lang::named(name).ok_or_else(|| {
            error!(BadSetting: "CRMAUTH_LANG is not a language that crmauth speaks" =>
                hint "use {names}"; names = i18n::or(&Lang::NAMES))
        }),
    }
}

pub(super) fn locale(environment: &Environment) -> Lang {
    Lang::of_locale(|name| environment.get(name).ok().flatten())
}

/// Whether to use colour on a stream; `terminal` says whether it is one.
pub fn colored(choice: Color, environment: &Environment, terminal: bool) -> bool {
    let refused = || matches!(environment.get("NO_COLOR"), Ok(Some(_)));
    match choice {
        Color::Always => true,
        Color::Never => false,
        Color::Auto => terminal && !refused() && is_capable_terminal(environment),
    }
}

/// Whether a terminal can do more than print lines, with a person in front of it.
fn is_capable_terminal(environment: &Environment) -> bool {
    let term = environment.get("TERM");
    !environment.is_ci() && !term.is_ok_and(|term| term == Some("dumb"))
}
