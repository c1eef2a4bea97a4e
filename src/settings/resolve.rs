//! From declared fields to a plan: which way of several, what is missing, and the guards against a planted
//! file. No command is run here.

mod guards;
mod missing;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use tokio::time::Instant;

use missing::Missing;

use super::names::Form;
use super::plan::{Found, Plan, Value};
use super::sources::{Origin, Setting, Sources};
use super::value::{self, Unmeant};
use crate::declaration::{
    Alternatives, BaseUrl, COMMON, Credentials, Default, Field, Kind, Need, Settings, Target,
};
use crate::error::{Cause, Error, Result, error};
use crate::i18n::{Argument, Text, tr};
use crate::secret::Secret;

/// Finds a target's settings. Files that a `_FILE` names are read, a pipe is waited for as long as the sources allow, no
/// `_CMD` is run. Where only secrets are missing, the plan says so instead of failing: a stored session may do without
/// them.
pub async fn find(target: &Target, sources: &Sources) -> Result<Plan> {
    let named = |error: Error| error.target(&target.to_string());
    let resolution = Resolution::new(target, sources).map_err(named)?;
    let missing = resolution.missing();
    let error = (!missing.is_empty()).then(|| named(resolution.missing_error(&missing)));
    let only_secrets = |missing: &Missing| {
        missing
            .ways
            .iter()
            .any(|way| way.iter().all(|field| field.secret()))
    };
    if let Some(error) = &error
        && !missing.iter().all(only_secrets)
    {
        return Err(error.clone());
    }
    resolution.guard().map_err(named)?;
    let mut plan = resolution.plan().await.map_err(named)?;
    if sources.gateway.as_ref() == Some(&plan.url.origin()) {
        return Err(named(error!(
            BadSetting, "{url} is the gateway that runs this command, which has the session already",
            url = target.variable("URL");
            hint "call that URL with any HTTP client; the gateway places the session"
        )));
    }
    plan.missing = error;
    Ok(plan)
}

/// What a person may be asked for, so that a login has all that it needs.
pub struct Questions {
    /// The fields, in the order of their declaration; of several ways, those of the usual one, or of the chosen kind.
    pub fields: Vec<&'static Field>,
    /// The kinds of credentials to choose from; empty where there is one, or what is set tells which.
    pub kinds: &'static [Credentials],
    /// What a file that nobody named says of where the answers go: the variable, where it stands, its value; of a URL the
    /// server that is connected to, however it is spelt.
    pub planted: Vec<(String, Origin, String)>,
    /// The account that a mistyped one may have been meant to be.
    pub near: Option<Target>,
    /// Where the login goes, if that is known.
    pub url: Option<BaseUrl>,
    /// The guards that are set.
    flags: Vec<(&'static str, Secret)>,
}

impl Questions {
    /// What is known of a login to this URL and decides whether it may be sent.
    pub fn guards(&self, target: &Target, url: BaseUrl) -> Settings {
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
    let of_all = |field: &Field| kinds.iter().all(|kind| kind.fields.contains(&field.name));
    let of_any = |field: &Field| kinds.iter().any(|kind| kind.fields.contains(&field.name));
    let tells = |field: &Field| {
        matches!(field.default, Default::IfSet { .. }) || of_any(field) && !of_all(field)
    };
    let missing = resolution.missing();
    let usual = missing
        .iter()
        .filter_map(|missing| missing.ways.first())
        .flatten()
        .copied();
    let usual: Vec<&Field> = usual.collect();
    let fields = target.spec.all_fields().filter(|field| match kind {
        Some(kind) if of_any(field) => {
            kind.fields.contains(&field.name) && !resolution.hits.contains_key(field.name)
        }
        _ => usual.iter().any(|other| other.name == field.name),
    });
    let told = |name: &&str| target.spec.field(name).is_some_and(tells);
    let planted = resolution.planted().map(|hit| {
        let text = hit.text.expose();
        let value = match hit.variable == hit.owner.variable(COMMON[0].name) {
            true => target.spec.base_url(text)?.to_string(),
            false => text.to_owned(),
        };
        Ok((hit.written.clone(), hit.origin.clone(), value))
    });
    let planted = planted.collect::<Result<_>>()?;
    let url = resolution
        .hits
        .get(COMMON[0].name)
        .map(|hit| target.spec.base_url(hit.text.expose()))
        .transpose()?;
    let flags = resolution
        .used()
        .filter(|(field, _)| field.kind == Kind::Flag);
    let flags = flags
        .map(|(field, hit)| (field.name, hit.text.clone()))
        .collect();
    Ok(Questions {
        fields: fields.collect(),
        kinds: match resolution.hits.keys().any(told) {
            true => &[],
            false => kinds,
        },
        planted,
        near: sources.near_account(target),
        url,
        flags,
    })
}

/// Checks an answer to the question for a field; white space around it is no part of it, but for a password.
///
/// Errors: what is wrong with it, beginning with a verb.
pub fn answer(text: &str, field: &Field, target: &Target) -> std::result::Result<Secret, Text> {
    if text.trim().is_empty() {
        return Err(tr!("is needed"));
    }
    let text = if field.kind == Kind::Secret {
        text
    } else {
        text.trim()
    };
    value::check(text, field, target.spec)
}

/// What is set for a target, and which of it the login needs.
struct Resolution<'a> {
    target: &'a Target,
    sources: &'a Sources,
    /// What is set, by field, checked where it can be.
    hits: BTreeMap<&'static str, Setting>,
    /// Fields that the login leaves out: of ways not chosen, and of conditions that do not hold.
    unused: BTreeSet<&'static str>,
}

impl<'a> Resolution<'a> {
    fn new(target: &'a Target, sources: &'a Sources) -> Result<Self> {
        let spec = target.spec;
        let mut resolution = Self {
            target,
            sources,
            hits: hits(target, sources)?,
            unused: BTreeSet::new(),
        };
        for group in spec.alternatives {
            // Of an incomplete way the user's name still says whose session it is.
            let begun = |way: &&&[&str]| {
                way.iter().any(|name| {
                    resolution.hits.contains_key(name)
                        && spec.field(name).is_some_and(|field| !field.secret())
                })
            };
            let chosen = resolution
                .choose(group)?
                .or_else(|| group.ways.iter().find(begun).copied());
            for field in group.ways.iter().copied().flatten() {
                if !chosen.is_some_and(|way| way.contains(field)) {
                    resolution.unused.insert(field);
                }
            }
        }
        // Choices first: conditions look at them.
        for field in spec.all_fields() {
            if let Some(hit) = resolution.hits.get_mut(field.name)
                && hit.form == Form::Plain
                && !resolution.unused.contains(field.name)
            {
                let cure = Unmeant::of(hit.text.expose()).map(|it| it.cure(&hit.variable));
                let next = cure.unwrap_or_else(|| match field.kind {
                    Kind::Url => tr!(
                        "a base URL looks like {example}",
                        example = spec.example_url
                    ),
                    _ => {
                        tr!(
                            "{variable}: {help}",
                            variable = hit.variable,
                            help = spec.about(field)
                        )
                    }
                });
                hit.text = value::check(hit.text.expose(), field, spec)
                    .map_err(|why| bad_value(&hit.written, &hit.origin, why).hint(next))?;
                if field.credential() && hit.origin != Origin::Answer {
                    value::refuse_quotes(hit.text.expose()).map_err(|why| {
                        bad_value(&hit.written, &hit.origin, why).hint(tr!(
                            "one pair of quotes is enough, and in the environment's value there is none: write {variable}='…'",
                            variable = hit.written
                        ))
                    })?;
                }
            }
        }
        for field in spec.all_fields() {
            if let Need::When {
                field: other,
                value,
            } = field.need
                && resolution.text(other) != Some(value)
            {
                resolution.unused.insert(field.name);
            }
        }
        resolution.keep_pairs()?;
        Ok(resolution)
    }

    /// The complete way whose values come from the highest source.
    fn choose(&self, group: &Alternatives) -> Result<Option<&'static [&'static str]>> {
        let complete =
            |way: &&'static [&'static str]| way.iter().all(|field| self.hits.contains_key(field));
        let rank = |way: &&'static [&'static str]| {
            // A field of every way, such as a user name, prefers none.
            let own = way
                .iter()
                .filter(|field| !group.ways.iter().all(|way| way.contains(field)));
            own.filter_map(|field| self.hits.get(field))
                .map(|hit| hit.rank)
                .min()
        };
        let mut ways: Vec<_> = group.ways.iter().copied().filter(complete).collect();
        ways.sort_by_key(rank);
        if let [first, second, ..] = ways[..]
            && rank(&first) == rank(&second)
        {
            let names = |way: &[&'static str], besides: &[&'static str]| {
                let own = way.iter().filter(|field| !besides.contains(field));
                let names: Vec<&str> = own
                    .filter_map(|field| Some(self.hits.get(field)?.written.as_str()))
                    .collect();
                match &names[..] {
                    [one, other] => tr!("{one} with {other}", one, other),
                    _ => Text::list(&names, ", "),
                }
            };
            let (first, second) = (names(first, second), names(second, first));
            return Err(both_set(&first, &second));
        }
        Ok(ways.first().copied())
    }

    /// A field's value that anybody may see, set or by default.
    fn text(&self, name: &str) -> Option<&str> {
        let field = self.target.spec.field(name)?;
        match self.hits.get(name) {
            Some(hit) if !field.secret() => Some(hit.text.expose()),
            _ => self.default(field),
        }
    }

    fn default(&self, field: &Field) -> Option<&'static str> {
        match field.default {
            Default::None => None,
            Default::Value(value) => Some(value),
            Default::IfSet {
                field,
                then,
                otherwise,
            } => Some(if self.hits.contains_key(field) {
                then
            } else {
                otherwise
            }),
        }
    }

    fn used(&self) -> impl Iterator<Item = (&'static Field, &Setting)> {
        let fields = self.target.spec.all_fields();
        fields
            .filter(|field| !self.unused.contains(field.name))
            .filter_map(|field| Some((field, self.hits.get(field.name)?)))
    }

    async fn plan(&self) -> Result<Plan> {
        let spec = self.target.spec;
        let deadline = self.sources.deadline();
        let mut url = None;
        let mut found = Vec::new();
        for field in spec
            .all_fields()
            .filter(|field| !self.unused.contains(field.name))
        {
            let Some(hit) = self.hits.get(field.name) else {
                if let Some(value) = self.default(field) {
                    found.push(Found {
                        field,
                        variable: self.target.variable(field.name),
                        origin: Origin::Default,
                        value: Value::Known(Secret::new(value.to_owned())),
                    });
                }
                continue;
            };
            let bad = |why: Text| bad_value(&hit.written, &hit.origin, why);
            let value = match hit.form {
                Form::Command => Value::Command(hit.text.clone()),
                Form::File => Value::Known(self.file(hit, field, deadline).await?),
                Form::Plain => Value::Known(hit.text.clone()),
            };
            if field.name == COMMON[0].name {
                let parsed = spec.base_url(hit.text.expose());
                url = Some(parsed.map_err(|error| bad(error.message))?);
            }
            found.push(Found {
                field,
                variable: hit.written.clone(),
                origin: hit.origin.clone(),
                value,
            });
        }
        // Every provider declares its URL as needed, so it is not missing here.
        let url = url.ok_or_else(|| error!(MissingSetting, "no URL is set"))?;
        Ok(Plan::new(self.target.clone(), url, found))
    }

    async fn file(
        &self,
        hit: &Setting,
        field: &'static Field,
        deadline: Instant,
    ) -> Result<Secret> {
        let path = self.sources.path(hit.text.expose());
        let bad = |why: Text| {
            bad_value(
                &hit.written,
                &hit.origin,
                tr!("names {file} {why}", file = named(hit.text.expose()), why),
            )
        };
        let value = self.sources.secret_file(&path, deadline).await;
        let checked = value.map_err(|why| (why, None)).and_then(|value| {
            let cure =
                Unmeant::of(value.expose()).map(|it| it.cure(&hit.owner.variable(field.name)));
            value::check(value.expose(), field, self.target.spec).map_err(|why| (why, cure))
        });
        checked.map_err(|(why, cure)| bad(why).hint(cure.unwrap_or_else(|| instead(&hit.written))))
    }
}

/// What to do about a setting that names where its value is, by a `_FILE` or a `_CMD`.
pub(super) fn instead(variable: &str) -> Text {
    tr!(
        "mend what {variable} names, or set the value itself, without the _FILE or _CMD",
        variable
    )
}

/// A file as a message names it. What does not look like a path may be the secret itself, typed into the wrong
/// variable; base64 may begin with `/`, but not with the name of a folder that is there.
pub(super) fn named(path: &str) -> Text {
    let in_folder = || {
        Path::new(path)
            .parent()
            .is_some_and(|folder| folder != "/" && folder.is_dir())
    };
    let is_path = match path.starts_with('/') {
        true => in_folder(),
        false => ["./", "../", "~/"]
            .iter()
            .any(|start| path.starts_with(start)),
    };
    if is_path {
        tr!("{path}, which", path)
    } else {
        tr!("a file that")
    }
}

/// What is set for a target, its own and what a named account takes from the default one.
fn hits(target: &Target, sources: &Sources) -> Result<BTreeMap<&'static str, Setting>> {
    let default = target.default_account();
    let mut hits = BTreeMap::new();
    for field in target.spec.all_fields() {
        let takes = || {
            field
                .shared
                .map_or(field.inherited(), |group| sources.takes(target, group))
        };
        let hit = match sources.lookup(target, field)? {
            None if takes() => sources.lookup(&default, field)?,
            own => own,
        };
        hits.extend(hit.map(|hit| (field.name, hit)));
    }
    Ok(hits)
}

/// A refusal of two settings that stand for the same.
pub(super) fn both_set(first: &impl Argument, second: &impl Argument) -> Error {
    let message = tr!(
        "both {first} and {second} are set, and one of them is used",
        first = *first,
        second = *second
    );
    let hint = tr!(
        "keep either {first} or {second}",
        first = *first,
        second = *second
    );
    Error::new(Cause::BadSetting, message).hint(hint)
}

/// A refusal that names the variable and where it was found.
pub(super) fn bad_value(variable: &str, origin: &Origin, why: Text) -> Error {
    error!(
        BadSetting,
        "{variable} from {origin} {why}",
        variable,
        origin = origin.text(),
        why
    )
}
