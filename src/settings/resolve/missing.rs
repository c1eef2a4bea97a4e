//! What a login needs and nobody has set.

use super::Resolution;
use crate::declaration::{COMMON, Field, Need};
use crate::error::{Cause, Error};
use crate::i18n::{self, Text, tr};

/// Something that a login needs and nobody has set.
pub(super) struct Missing {
    /// Sets of fields of which one must be filled in; most often one set of one field.
    pub ways: Vec<Vec<&'static Field>>,
}

impl Resolution<'_> {
    pub(super) fn missing(&self) -> Vec<Missing> {
        let spec = self.target.spec;
        let absent = |field: &&'static Field| !self.hits.contains_key(field.name);
        let mut missing = Vec::new();
        for field in spec.all_fields().filter(absent) {
            let needed = match field.need {
                Need::Always => true,
                Need::Optional => false,
                Need::When { .. } => !self.unused.contains(field.name),
            };
            if needed && self.default(field).is_none() {
                missing.push(Missing {
                    ways: vec![vec![field]],
                });
            }
        }
        for group in spec.alternatives {
            let begun = |way: &&[&str]| way.iter().any(|field| self.hits.contains_key(field));
            let complete = |way: &&[&str]| way.iter().all(|field| self.hits.contains_key(field));
            if group.ways.iter().any(complete) {
                continue;
            }
            let ways: Vec<Vec<&'static Field>> = group
                .ways
                .iter()
                .filter(|way| group.required || begun(way))
                .map(|way| {
                    let fields = way.iter().filter_map(|name| spec.field(name));
                    fields
                        .filter(absent)
                        .filter(|field| field.need != Need::Always)
                        .collect()
                })
                .collect();
            if !ways.is_empty() && ways.iter().all(|way| !way.is_empty()) {
                missing.push(Missing { ways });
            }
        }
        missing
    }

    /// Names all that is missing, and the places looked at.
    pub(super) fn missing_error(&self, missing: &[Missing]) -> Error {
        let (target, sources) = (self.target, self.sources);
        let phrase = |missing: &Missing| {
            let several = missing.ways.len() > 1;
            let way = |way: &Vec<&'static Field>| {
                let names: Vec<String> = way
                    .iter()
                    .map(|field| target.variable(field.name))
                    .collect();
                let names = i18n::and(&names);
                if several && way.len() > 1 {
                    tr!("({names})", names)
                } else {
                    names
                }
            };
            i18n::or(&missing.ways.iter().map(way).collect::<Vec<_>>())
        };
        let names: Vec<Text> = missing.iter().map(phrase).collect();
        let looked = Text::list(sources.looked(), ", ");
        let only = match missing {
            [Missing { ways }] if ways.len() == 1 && ways[0].len() == 1 => Some(ways[0][0]),
            _ => None,
        };
        let message = match only {
            Some(_) => tr!(
                "{variable} is not set; looked at: {looked}",
                variable = names[0],
                looked
            ),
            None => tr!(
                "not set: {names}; looked at: {looked}",
                names = Text::list(&names, ", "),
                looked
            ),
        };
        let error = Error::new(Cause::MissingSetting, message);
        if let Some(near) = sources.near_account(target) {
            return error.hint(tr!(
                "{target} has no settings; did you mean `{near}`?",
                target,
                near
            ));
        }
        let fields = || {
            missing
                .iter()
                .flat_map(|missing| missing.ways.iter().flatten())
        };
        let near_miss = fields().find_map(|field| sources.near_miss(target, field));
        if let Some(hint) = near_miss.or_else(|| fields().find_map(|field| self.untaken(field))) {
            return error.hint(hint);
        }
        match only {
            Some(field) => error.hint(tr!(
                "{variable}: {help}",
                variable = names[0],
                help = target.spec.about(field)
            )),
            None => error.hint(tr!(
                "`crmauth providers {target} --env` prints the block to fill in",
                target
            )),
        }
    }

    /// Why a named account does not take what the default account has of a field, and what to do.
    fn untaken(&self, field: &Field) -> Option<Text> {
        field.shared?;
        let (target, default) = (self.target, self.target.default_account());
        let there = self.sources.lookup(&default, field).ok()??.written;
        let mut group = target
            .spec
            .fields
            .iter()
            .filter(|other| other.shared == field.shared);
        let variable = target.variable(field.name);
        let url = self.hits.get(COMMON[0].name)?;
        Some(
            if let Some(own) = group.find_map(|field| self.hits.get(field.name)) {
                tr!(
                    "{there} is not taken for {target}, since {own} is set and they belong together: set {variable} too, \
                 or unset {own}",
                    there,
                    target,
                    own = own.written,
                    variable
                )
            } else if url.owner == *target {
                tr!(
                    "{there} is not taken for {target}, since {url} is not the URL of {default}: set {variable}",
                    there,
                    target,
                    url = url.written,
                    default,
                    variable
                )
            } else {
                tr!(
                    "{there} is not taken for {target}, which has no setting of its own: \
                 `crmauth providers {target} --env` prints the block to fill in",
                    there,
                    target
                )
            },
        )
    }
}
