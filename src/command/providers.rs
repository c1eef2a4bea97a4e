//! `crmauth providers`: the systems, their settings, and a block for `.env`.

use serde_json::{Value, json};

use super::{Run, target_help};
use crate::declaration::{Alternatives, Default, Field, Kind, Need, Placement, Spec, Target};
use crate::error::{Result, error};
use crate::i18n::{self, Lang, Text, tr};
use crate::json;
use crate::provider;
use crate::settings;

/// List the systems, or one system's settings
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth providers                        the systems\n  \
    crmauth providers gluo                   one system's settings\n  \
    crmauth providers gluo --env >> .env     a block to fill in\n  \
    crmauth providers gluo@filial --env      the same for a named account")]
pub struct Args {
    #[arg(value_name = "NAME", help = target_help())]
    name: Option<String>,
    /// Print a block for .env
    #[arg(long)]
    env: bool,
}

pub async fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let specs = provider::specs();
    let target = args.name.as_deref().map(settings::target).transpose()?;
    let targets: Vec<Target> = match &target {
        Some(target) => vec![target.clone()],
        None => specs.iter().map(|spec| Target::new(spec, None)).collect(),
    };
    if args.env && run.global.json {
        return Err(error!(Usage: "--env does not print JSON" => hint "leave --json out"));
    }
    let lang = run.report.lang();
    let text = if run.global.json {
        let all = targets.iter().map(|target| to_json(target, lang));
        json::text(&Value::Array(all.collect())) + "\n"
    } else if args.env {
        let blocks: Vec<Text> = targets.iter().map(env_block).collect();
        // A file that it is appended to may lack its last line's end.
        "\n".to_owned() + &Text::list(&blocks, "\n").render(lang)
    } else if let Some(target) = &target {
        page(target).render(lang) + "\n"
    } else {
        overview(&specs, lang)
    };
    crate::output::stdout::print_now(&text)?;
    Ok(0)
}

fn overview(specs: &[&Spec], lang: Lang) -> String {
    let mut text = String::new();
    for spec in specs {
        let method = Text::declared(spec.method).render(lang);
        text += &format!("{:<12} {:<12} {method}\n", spec.id, spec.product);
    }
    let more =
        tr!("`crmauth providers NAME` lists a system's settings, `--env` prints a block for .env.");
    text + "\n" + &more.render(lang) + "\n"
}

/// One system: its names, its settings, how its session is carried.
fn page(target: &Target) -> Text {
    let spec = target.spec;
    let name = format!("{} ({})", spec.product, spec.id);
    let mut lines = vec![title(spec, &name)];
    let aliases = spec.aliases.iter();
    lines.extend(aliases.map(|alias| tr!("also called {alias}"; alias)));
    lines.push(Text::default());
    lines.push(tr!("Settings, in the environment or in .env:"));
    let names = spec.all_fields().map(|field| target.variable(field.name));
    let width = names.map(|name| name.len()).max().unwrap_or_default();
    for field in spec.all_fields() {
        let mut variable = target.variable(field.name);
        let (help, needed) = (Text::declared(field.help), needed(field, target));
        let texts = [Some(help), found(field, target), Some(needed)];
        for text in texts.into_iter().flatten() {
            lines.push(tr!("  {variable}  {text}"; variable = format!("{variable:<width$}"), text));
            // The next line stands below it.
            variable.clear();
        }
    }
    lines.push(Text::default());
    lines.push(tr!(
        "A secret may also come from a file (…_FILE) or from a command's output (…_CMD)."
    ));
    lines.push(match spec.placement {
        Placement::Bearer => tr!("The session goes into the header `Authorization: Bearer …`."),
        Placement::Query(name) => tr!(
            "The session goes into the parameter `{name}` of every request."; name),
        Placement::Path => tr!("The session goes into a segment of every request's path."),
    });
    Text::list(&lines, "\n")
}

fn title(spec: &Spec, name: &str) -> Text {
    tr!("{name}: {method}"; name, method = Text::declared(spec.method))
}

/// Where people find a field's value, if the declaration says so.
fn found(field: &Field, target: &Target) -> Option<Text> {
    let found = target.spec.found(field)?;
    Some(tr!("where to find it: {found}"; found))
}

/// Whether a field is needed, the words it takes, and its default.
fn needed(field: &Field, target: &Target) -> Text {
    let spec = target.spec;
    let mut parts = vec![match field.need {
        Need::Always => tr!("required"),
        Need::When(field, value) => {
            let variable = target.variable(field);
            tr!("required where {variable} is {value}"; variable, value)
        }
        Need::Optional => match alternative(spec, field) {
            Some(group) if group.required => tr!("one of: {ways}"; ways = ways(group, target)),
            Some(group) => tr!("optional, one of: {ways}"; ways = ways(group, target)),
            None => tr!("optional"),
        },
    }];
    if target.account.is_some() && field.inherited() {
        let variable = target.default_account().variable(field.name);
        parts.push(match field.shared {
            None => tr!("else {variable}"; variable),
            Some(_) => tr!("else {variable} at the same URL"; variable),
        });
    }
    if let Kind::Choice(words) = field.kind {
        parts.push(i18n::or(words));
    }
    match field.default {
        Default::None => {}
        Default::Value(value) => parts.push(tr!("default: {value}"; value)),
        Default::IfSet(field, then, otherwise) => {
            let variable = target.variable(field);
            parts.push(tr!("default: {then} where {variable} is set, else {otherwise}"; then, variable, otherwise));
        }
    }
    Text::list(&parts, "; ")
}

fn alternative(spec: &Spec, field: &Field) -> Option<&'static Alternatives> {
    let mut groups = spec.alternatives.iter();
    groups.find(|group| group.ways.iter().any(|way| way.contains(&field.name)))
}

fn ways(group: &Alternatives, target: &Target) -> Text {
    let way = |fields: &&[&str]| {
        let names: Vec<String> = fields.iter().map(|field| target.variable(field)).collect();
        i18n::and(&names)
    };
    match &group.ways.iter().map(way).collect::<Vec<_>>()[..] {
        [one, other] => tr!("{one}, or {other}"; one, other),
        ways => i18n::or(ways),
    }
}

/// The settings as lines to fill in; those that are optional begin with a `#`.
fn env_block(target: &Target) -> Text {
    let spec = target.spec;
    let mut lines = vec![tr!("# {title}"; title = title(spec, spec.product))];
    for field in spec.all_fields() {
        let usual_way = alternative(spec, field)
            .is_some_and(|group| group.required && group.ways[0].contains(&field.name));
        let inherited = target.account.is_some() && field.kind == Kind::Url;
        let (help, needed) = (Text::declared(field.help), needed(field, target));
        lines.push(tr!("# {help}: {needed}"; help, needed));
        lines.extend(found(field, target).map(|found| tr!("# {found}"; found)));
        if field.kind == Kind::Url {
            let example = tr!("for example {url}"; url = spec.example_url);
            lines.push(tr!("# {example}"; example));
        }
        let off = match (field.need == Need::Always || usual_way) && !inherited {
            true => "",
            false => "#",
        };
        lines.push(tr!("{off}{variable}="; off, variable = target.variable(field.name)));
    }
    lines.push(Text::default());
    Text::list(&lines, "\n")
}

fn to_json(target: &Target, lang: Lang) -> Value {
    let spec = target.spec;
    let fields = spec.all_fields().map(|field| {
        json!({
            "variable": target.variable(field.name),
            "secret": field.secret(),
            "required": field.need == Need::Always,
            "default": match field.default { Default::Value(value) => Some(value), _ => None },
            "help": Text::declared(field.help).render(lang),
            "found": spec.found(field).map(|found| found.render(lang)),
            "rule": needed(field, target).render(lang),
        })
    });
    json!({
        "provider": spec.id,
        "aliases": spec.aliases,
        "product": spec.product,
        "method": spec.method,
        "placement": { "in": spec.placement.place(), "name": spec.placement.name() },
        "impersonation": spec.impersonation,
        "settings": fields.collect::<Vec<_>>(),
    })
}
