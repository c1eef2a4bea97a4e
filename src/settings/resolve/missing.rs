//! What a login needs and nobody has set.

use std::collections::BTreeSet;

use super::{Origin, Resolution, Setting};
use crate::declaration::{COMMON, Field, Need};
use crate::error::{Error, error};
use crate::i18n::{self, Text, tr};

/// What a login needs and nobody has set: sets of fields of which one must be filled in; mostly one set of one field.
pub(super) type Missing = Vec<Vec<&'static Field>>;

impl Resolution<'_> {
    pub(super) fn missing(&self) -> Vec<Missing> {
        let spec = self.target.spec;
        let absent = |field: &&'static Field| !self.has(field.name);
        let needed = |field: &&'static Field| match field.need {
            Need::Always => true,
            Need::Optional => false,
            Need::When(..) => !self.unused.contains(field.name),
        };
        let fields = spec.all_fields().filter(absent).filter(needed);
        let fields = fields.filter(|field| self.default(field).is_none());
        let mut missing: Vec<Missing> = fields.map(|field| vec![vec![field]]).collect();
        for group in spec.alternatives {
            let begun = |way: &&[&str]| way.iter().any(|field| self.has(field));
            let complete = |way: &&[&str]| way.iter().all(|field| self.has(field));
            if group.ways.iter().any(complete) {
                continue;
            }
            let open = group.ways.iter().filter(|way| group.required || begun(way));
            let ways = open.map(|way| {
                let fields = way.iter().filter_map(|name| spec.field(name));
                let own = fields.filter(|field| field.need != Need::Always);
                own.filter(absent).collect()
            });
            let ways: Missing = ways.collect();
            if !ways.is_empty() && ways.iter().all(|way| !way.is_empty()) {
                missing.push(ways);
            }
        }
        missing
    }

    /// Names all that is missing, and the places looked at.
    pub(super) fn missing_error(&self, missing: &[Missing]) -> Error {
        let (target, sources) = (self.target, self.sources);
        let looked = Text::list(&sources.looked, ", ");
        let names: Vec<Text> = missing.iter().map(|ways| self.names(ways)).collect();
        let fields: Vec<&Field> = missing.iter().flatten().flatten().copied().collect();
        let empty = |field: &Field| sources.empty(&target.variable(field.name));
        let error = match (&fields[..], &names[..]) {
            ([field], _) if let Some(origin) = empty(field) => {
                error!(MissingSetting: "{variable} is empty in {origin}";
                    variable = target.variable(field.name), origin = origin.text() =>
                    hint "{variable}: {help}"; variable = target.variable(field.name), help = target.spec.about(field))
            }
            ([field], [variable]) => {
                error!(MissingSetting: "{variable} is not set; looked in: {looked}"; variable, looked =>
                    hint "{variable}: {help}"; variable, help = target.spec.about(field))
            }
            _ => error!(MissingSetting: "not set: {names}; looked in: {looked}";
                names = Text::list(&names, ", "), looked =>
                hint "`crmauth providers {target} --env` prints the block to fill in"; target),
        };
        let near_miss = |field: &&Field| sources.near_miss(target, field);
        let mistyped = || fields.iter().find_map(near_miss);
        let untaken = || fields.iter().find_map(|field| self.untaken(field));
        let near = sources.near_account(target);
        let better = near.or_else(mistyped).or_else(untaken);
        let asks = tr!("`crmauth login {target}` asks for what is missing"; target);
        let guided = |hint| match sources.login_asks {
            true => Text::list(&[asks, hint], "; "),
            false => hint,
        };
        let lines = self.empty_lines(missing).filter(|_| fields.len() > 1);
        let hint = better.or(lines.or(error.hint).map(guided));
        Error { hint, ..error }
    }

    /// The next step where all that is missing has its line in one file already.
    fn empty_lines(&self, missing: &[Missing]) -> Option<Text> {
        let line = |field: &&Field| match self.sources.empty(&self.target.variable(field.name))? {
            Origin::File { path, line, .. } => Some((path, line)),
            _ => None,
        };
        let lines = |way: &Vec<_>| way.iter().map(line).collect::<Option<Vec<_>>>();
        let found = missing.iter().map(|ways| ways.iter().find_map(lines));
        let found = found.collect::<Option<Vec<_>>>()?.into_iter().flatten();
        let (paths, lines): (BTreeSet<&String>, BTreeSet<&usize>) = found.unzip();
        let lines: Vec<_> = lines.into_iter().collect();
        let path = paths.first().filter(|_| paths.len() == 1)?;
        Some(match lines[..] {
            [line] => tr!("fill in line {line} of {path}"; line, path),
            _ => tr!("fill in lines {lines} of {path}"; lines = i18n::and(&lines), path),
        })
    }

    /// `A`, `A or B`, `(A and B) or C`.
    fn names(&self, ways: &Missing) -> Text {
        let way = |way: &Vec<&'static Field>| {
            let names = way.iter().map(|field| {
                let variable = self.target.variable(field.name);
                match self.sources.empty(&variable).map(Origin::text) {
                    Some(origin) => tr!("{variable} (empty in {origin})"; variable, origin),
                    None => tr!("{variable}"; variable),
                }
            });
            let names = i18n::and(&names.collect::<Vec<_>>());
            match ways.len() > 1 && way.len() > 1 {
                true => tr!("({names})"; names),
                false => names,
            }
        };
        i18n::or(&ways.iter().map(way).collect::<Vec<_>>())
    }

    /// Why a named account does not take what the default account has of a field, and what to do.
    fn untaken(&self, field: &Field) -> Option<Text> {
        field.shared?;
        let (target, default) = (self.target, self.target.default_account());
        let there = &self.sources.lookup(&default, field).ok()??.written;
        let variable = target.variable(field.name);
        let url = self.hit(COMMON[0].name)?;
        let is_beside = |hit: &&Setting| hit.field.shared == field.shared;
        let own = self.hits.iter().find(is_beside);
        let why = match own.map(|own| &own.written) {
            Some(own) => tr!(
                "because {own} is set and they belong together: set {variable} too, or unset {own}"; own, variable),
            None if url.owner == *target => tr!(
                "because {url} is not the URL of {default}: set {variable}"; url = url.written, default, variable),
            None => tr!(
                "which has no setting of its own: `crmauth providers {target} --env` prints the block to fill in";
                target),
        };
        let unused = tr!("{there} is not used for {target}"; there, target);
        Some(Text::list(&[unused, why], ", "))
    }
}
