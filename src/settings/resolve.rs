//! From declared fields to a plan: which way of several, what is missing, and the guards against a planted file.

mod guards;
mod missing;

use std::collections::BTreeSet;
use std::path::Path;

use tokio::time::Instant;

use super::names::Form;
use super::plan::Plan;
use super::setting::{Origin, Setting};
use super::sources::Sources;
use super::value::{self, Unmeant};
use crate::declaration::{
    Alternatives, BaseUrl, COMMON, Credentials, Default, Field, Kind, Need, Settings, Target,
};
use crate::error::{Error, Result, error};
use crate::i18n::{Argument, Text, tr};
use crate::secret::Secret;

/// Finds a target's settings. No `_CMD` is run. Where only secrets are missing, the plan tells: there may be a session.
pub async fn find(target: &Target, sources: &Sources) -> Result<Plan> {
    let named = |error: Error| error.target(&target.to_string());
    let resolution = Resolution::new(target, sources).map_err(named)?;
    let missing = resolution.missing();
    let error = (!missing.is_empty()).then(|| named(resolution.missing_error(&missing)));
    let only_secrets = |way: &Vec<&Field>| way.iter().all(|field| field.secret());
    if let Some(error) = &error
        && !missing.iter().all(|ways| ways.iter().any(only_secrets))
    {
        return Err(error.clone());
    }
    resolution.refuse_planted_route().map_err(named)?;
    let plan = resolution.plan(error).await.map_err(named)?;
    if sources.gateway.as_ref() == Some(&plan.url.origin()) {
        return Err(named(error!(BadSetting:
            "{url} is the gateway that runs this command, which has the session already"; url = target.variable("URL") =>
            hint "call that URL with any HTTP client; the gateway places the session")));
    }
    Ok(plan)
}

/// What a person may be asked for, so that a login has all that it needs.
pub struct Questions {
    /// The fields, in the order of their declaration; of several ways, those of the usual one, or of the chosen kind.
    pub fields: Vec<&'static Field>,
    /// The kinds of credentials to choose from; empty where there is one, or what is set tells which.
    pub kinds: &'static [Credentials],
    /// What decides where the answers go and comes from a file that nobody named: the variable, its place, its value.
    pub planted: Vec<(String, Origin, String)>,
    /// Which account a mistyped one may have been meant to be.
    pub near: Option<Text>,
    /// Where the login goes, if that is known.
    pub url: Option<BaseUrl>,
    /// The guards that are set.
    flags: Vec<(&'static str, Secret)>,
}

impl Questions {
    /// What is known of a login to this URL and decides whether it may be sent.
    pub fn settings_so_far(&self, target: &Target, url: BaseUrl) -> Settings {
        Settings::new(target.clone(), url, self.flags.clone())
    }
}

/// What is missing for a login of a target with one kind of its credentials, where a person has chosen one.
pub fn questions(
    target: &Target,
    sources: &Sources,
    kind: Option<&Credentials>,
) -> Result<Questions> {
    let resolution = Resolution::new(target, sources)?;
    let kinds = target.spec.credentials;
    let kinds_with = |field: &Field| {
        let has = |kind: &&Credentials| kind.fields.contains(&field.name);
        kinds.iter().filter(has).count()
    };
    let tells = |field: &Field| {
        let some = (1..kinds.len()).contains(&kinds_with(field));
        some || matches!(field.default, Default::IfSet(..))
    };
    let missing = resolution.missing();
    let usual = missing.iter().filter_map(|ways| ways.first());
    let usual: Vec<_> = usual.flatten().collect();
    let fields = target.spec.all_fields().filter(|field| match kind {
        Some(kind) if kinds_with(field) > 0 => {
            kind.fields.contains(&field.name) && !resolution.has(field.name)
        }
        _ => usual.iter().any(|other| other.name == field.name),
    });
    let planted = resolution.planted().map(|hit| {
        let value = match hit.field.kind {
            Kind::Url => target.spec.base_url(hit.text.expose())?.to_string(),
            _ => hit.text.expose().to_owned(),
        };
        Ok((hit.written.clone(), hit.origin.clone(), value))
    });
    let flags = resolution.used().filter(|hit| hit.field.kind == Kind::Flag);
    let flags = flags.map(|hit| (hit.field.name, hit.text.clone()));
    let told = resolution.hits.iter().any(|hit| tells(hit.field));
    Ok(Questions {
        fields: fields.collect(),
        kinds: if told { &[] } else { kinds },
        planted: planted.collect::<Result<_>>()?,
        near: sources.near_account(target),
        url: resolution.url()?,
        flags: flags.collect(),
    })
}

/// Checks an answer; white space around it is no part of it, but for a password. Errors begin with a verb.
pub fn answer(text: &str, field: &Field, target: &Target) -> std::result::Result<Secret, Text> {
    if text.trim().is_empty() {
        return Err(tr!("is required"));
    }
    let text = match field.kind {
        Kind::Secret => text,
        _ => text.trim(),
    };
    value::check(text, field, target.spec)
}

/// What is set for a target, and which of it the login needs.
struct Resolution<'a> {
    target: &'a Target,
    sources: &'a Sources,
    /// What is set, in the order of the fields, checked where it can be.
    hits: Vec<Setting>,
    /// Fields that the login leaves out: of ways not chosen, and of conditions that do not hold.
    unused: BTreeSet<&'static str>,
}

impl<'a> Resolution<'a> {
    fn new(target: &'a Target, sources: &'a Sources) -> Result<Self> {
        let mut resolution = Self {
            target,
            sources,
            hits: hits(target, sources)?,
            unused: BTreeSet::new(),
        };
        for group in target.spec.alternatives {
            resolution.leave_out(group)?;
        }
        // Choices first: conditions look at them.
        resolution.check()?;
        for field in target.spec.all_fields() {
            if let Need::When(other, value) = field.need
                && resolution.text(other) != Some(value)
            {
                resolution.unused.insert(field.name);
            }
        }
        resolution.refuse_stray_secrets()?;
        Ok(resolution)
    }

    fn leave_out(&mut self, group: &Alternatives) -> Result<()> {
        // Of an incomplete way the user's name still says whose session it is.
        let names = |name: &&str| self.hit(name).is_some_and(|hit| !hit.field.secret());
        let begun = |way: &&&[&str]| way.iter().any(names);
        let chosen = self.choose(group)?;
        let chosen = chosen.or_else(|| group.ways.iter().find(begun).copied());
        let of_chosen = |field: &&str| chosen.is_some_and(|way| way.contains(field));
        let fields = group.ways.iter().copied().flatten().copied();
        self.unused.extend(fields.filter(|field| !of_chosen(field)));
        Ok(())
    }

    fn check(&mut self) -> Result<()> {
        let plain = self.hits.iter_mut().filter(|hit| hit.form == Form::Plain);
        for hit in plain.filter(|hit| !self.unused.contains(hit.field.name)) {
            let text = hit.text.expose();
            if hit.field.credential() && hit.origin != Origin::Answer {
                let quotes = value::refuse_quotes(text, &hit.written);
                quotes.map_err(|(why, cure)| hit.bad(why).hint(cure))?;
            }
            let checked = value::check(text, hit.field, hit.owner.spec);
            hit.text = checked.map_err(|why| hit.bad(why).hint(cure(hit)))?;
        }
        Ok(())
    }

    /// The complete way whose values come from the highest source.
    fn choose(&self, group: &Alternatives) -> Result<Option<&'static [&'static str]>> {
        let complete = |way: &&'static [&'static str]| way.iter().all(|field| self.has(field));
        let rank = |way: &&'static [&'static str]| {
            // A field of every way, such as a user name, prefers none.
            let of_all = |field: &str| group.ways.iter().all(|way| way.contains(&field));
            let own = way.iter().filter(|field| !of_all(field));
            own.filter_map(|field| Some(self.hit(field)?.rank)).min()
        };
        let mut ways: Vec<_> = group.ways.iter().copied().filter(complete).collect();
        ways.sort_by_key(rank);
        if let [first, second, ..] = ways[..]
            && rank(&first) == rank(&second)
        {
            let names = |way: &[&'static str], besides: &[&'static str]| {
                let own = way.iter().filter(|field| !besides.contains(field));
                let names = own.filter_map(|field| Some(&*self.hit(field)?.written));
                let names: Vec<&str> = names.collect();
                match &names[..] {
                    [one, other] => tr!("{one} with {other}"; one, other),
                    _ => Text::list(&names, ", "),
                }
            };
            return Err(both_set(&names(first, second), &names(second, first)));
        }
        Ok(ways.first().copied())
    }

    fn hit(&self, field: &str) -> Option<&Setting> {
        self.hits.iter().find(|hit| hit.field.name == field)
    }

    fn has(&self, field: &str) -> bool {
        self.hit(field).is_some()
    }

    fn url(&self) -> Result<Option<BaseUrl>> {
        let read = |hit: &Setting| self.target.spec.base_url(hit.text.expose());
        self.hit(COMMON[0].name).map(read).transpose()
    }

    /// A field's value that anybody may see, set or by default.
    fn text(&self, name: &str) -> Option<&str> {
        let field = self.target.spec.field(name)?;
        match self.hit(name) {
            Some(hit) if !field.secret() => Some(hit.text.expose()),
            _ => self.default(field),
        }
    }

    fn default(&self, field: &Field) -> Option<&'static str> {
        match field.default {
            Default::None => None,
            Default::Value(value) => Some(value),
            Default::IfSet(field, then, otherwise) => {
                Some(if self.has(field) { then } else { otherwise })
            }
        }
    }

    /// What is set and goes into the login.
    fn used(&self) -> impl Iterator<Item = &Setting> {
        let is_used = |hit: &&Setting| !self.unused.contains(hit.field.name);
        self.hits.iter().filter(is_used)
    }

    async fn plan(&self, missing: Option<Error>) -> Result<Plan> {
        let deadline = self.sources.deadline();
        let mut found = Vec::new();
        let fields = self.target.spec.all_fields();
        for field in fields.filter(|field| !self.unused.contains(field.name)) {
            if let Some(hit) = self.hit(field.name) {
                found.push(match hit.form {
                    Form::File => self.read(hit, deadline).await?,
                    _ => hit.clone(),
                });
            } else if let Some(value) = self.default(field) {
                let (value, origin) = (Secret::new(value.to_owned()), Origin::Default);
                found.push(Setting::unwritten(self.target, field, value, origin));
            }
        }
        // Every provider declares its URL as needed, so it is not missing here.
        let no_url = || error!(MissingSetting: "no URL is set");
        Ok(Plan {
            target: self.target.clone(),
            url: self.url()?.ok_or_else(no_url)?,
            found,
            missing,
        })
    }

    /// A secret that stands in a file.
    async fn read(&self, hit: &Setting, deadline: Instant) -> Result<Setting> {
        let bad = |why: Text| hit.bad(named(hit.text.expose(), &why));
        let read = self.sources.secret_file(hit, deadline).await;
        let read = read.map_err(|why| bad(why).hint(instead(&hit.written)))?;
        let checked = value::check(read.expose(), hit.field, self.target.spec);
        let text = checked.map_err(|why| {
            bad(why).hint(match Unmeant::of(read.expose()) {
                Some(unmeant) => unmeant.cure(&hit.owner.variable(hit.field.name)),
                None => instead(&hit.written),
            })
        })?;
        Ok(Setting {
            form: Form::Plain,
            text,
            ..hit.clone()
        })
    }
}

/// What to do about a value that cannot be used.
fn cure(hit: &Setting) -> Text {
    let (variable, spec) = (hit.variable(), hit.owner.spec);
    match Unmeant::of(hit.text.expose()) {
        Some(unmeant) => unmeant.cure(&variable),
        None if hit.field.kind == Kind::Url => {
            let example = spec.example_url;
            tr!("a base URL looks like {example}"; example)
        }
        None => tr!("{variable}: {help}"; variable, help = spec.about(hit.field)),
    }
}

/// What to do about a setting that names where its value is, by a `_FILE` or a `_CMD`.
pub(super) fn instead(variable: &str) -> Text {
    tr!("fix what {variable} names, or set the value itself, without the _FILE or _CMD"; variable)
}

/// What is wrong with the file that a setting names. What does not look like a path may be the secret itself, typed into
/// the wrong variable, and is not shown; base64 may begin with `/`, but not with the name of a folder that is there.
pub(super) fn named(path: &str, why: &Text) -> Text {
    let mut folders = Path::new(path).ancestors().skip(1);
    let mut starts = ["./", "../", "~/"].iter();
    let is_path = starts.any(|start| path.starts_with(start))
        || folders.any(|folder| folder != "/" && folder.is_dir());
    match is_path {
        true => tr!("names {path}, which {why}"; path, why),
        false => tr!("names a file that {why}"; why),
    }
}

/// What is set for a target, its own and what a named account takes from the default one.
fn hits(target: &Target, sources: &Sources) -> Result<Vec<Setting>> {
    let default = target.default_account();
    let mut hits = Vec::new();
    for field in target.spec.all_fields() {
        let takes = || match field.shared {
            Some(group) => sources.takes(target, group),
            None => field.inherited(),
        };
        let hit = match sources.lookup(target, field)? {
            None if takes() => sources.lookup(&default, field)?,
            own => own,
        };
        hits.extend(hit.cloned());
    }
    Ok(hits)
}

/// A refusal of two settings that stand for the same.
pub(super) fn both_set(first: &impl Argument, second: &impl Argument) -> Error {
    error!(BadSetting: "both {first} and {second} are set, and only one may be"; first = *first, second = *second =>
        hint "keep either {first} or {second}"; first = *first, second = *second)
}
