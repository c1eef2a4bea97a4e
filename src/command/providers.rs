//! `crmauth providers`: the systems, their settings, and a block for `.env`.

use serde_json::{Value, json};

use super::{Run, TargetName, target_help};
use crate::config;
use crate::error::Result;
use crate::provider;
use crate::spec::{Alternatives, Default, Field, Kind, Need, Spec, Target};

/// List the systems, or one system's settings
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:\n  \
    crmauth providers                        the systems\n  \
    crmauth providers gluo                   one system's settings\n  \
    crmauth providers gluo --env >> .env     a block to fill in\n  \
    crmauth providers gluo@filial --env      the same for a named account")]
pub struct Args {
    #[arg(value_name = "NAME", value_parser = TargetName, help = target_help(), hide_possible_values = true)]
    name: Option<String>,
    /// Print a block for .env
    #[arg(long)]
    env: bool,
}

/// Prints what was asked for.
///
/// # Errors
/// Exit codes 2 and 7.
pub fn run(args: &Args, run: &Run<'_>) -> Result<u8> {
    let specs = provider::specs();
    let target = args.name.as_deref().map(|name| config::target(name, &specs)).transpose()?;
    let targets: Vec<Target> = match &target {
        Some(target) => vec![target.clone()],
        None => specs.iter().map(|spec| Target { spec, account: None }).collect(),
    };
    let text = if run.global.json {
        let mut text = Value::Array(targets.iter().map(to_json).collect()).to_string();
        text.push('\n');
        text
    } else if args.env {
        targets.iter().map(env_block).collect::<Vec<_>>().join("\n")
    } else if let Some(target) = &target {
        page(target)
    } else {
        overview(&specs)
    };
    run.print(&text)?;
    Ok(0)
}

/// A line a system.
fn overview(specs: &[&Spec]) -> String {
    let mut text = String::new();
    for spec in specs {
        text.push_str(&format!("{:<12} {:<12} {}\n", spec.id, spec.product, spec.method));
    }
    text.push_str("\n`crmauth providers NAME` lists a system's settings, `--env` prints a block for .env.\n");
    text
}

/// One system: its names, its settings, how its session is carried.
fn page(target: &Target) -> String {
    let spec = target.spec;
    let mut text = format!("{} ({}): {}\n", spec.product, spec.id, spec.method);
    for alias in spec.aliases {
        text.push_str(&format!("also called {alias}\n"));
    }
    text.push_str("\nSettings, in the environment or in .env:\n");
    let fields: Vec<&Field> = spec.all_fields().collect();
    let width = fields.iter().map(|field| target.variable(field.name).len()).max().unwrap_or_default();
    for field in &fields {
        text.push_str(&format!("  {:<width$}  {}\n", target.variable(field.name), field.help));
        text.push_str(&format!("  {:<width$}  {}\n", "", needed(field, target)));
    }
    text.push_str("\nA secret may also come from a file (…_FILE) or from a command's output (…_CMD).\n");
    let carried = match spec.placement.place() {
        "header" => "the header `Authorization: Bearer …`".to_owned(),
        "query" => format!("the parameter `{}` of every request", spec.placement.name()),
        _ => "a segment of every request's path".to_owned(),
    };
    text.push_str(&format!("The session goes into {carried}.\n"));
    text
}

/// Whether a field is needed, and what holds where it is not set.
pub fn needed(field: &Field, target: &Target) -> String {
    let spec = target.spec;
    let mut parts = Vec::new();
    match field.need {
        Need::Always => parts.push("required".to_owned()),
        Need::When { field, value } => {
            parts.push(format!("required where {} is {value}", target.variable(field)))
        }
        Need::Optional => match alternative(spec, field) {
            Some(group) if group.required => parts.push(format!("one of: {}", ways(group, target))),
            Some(group) => parts.push(format!("optional, one of: {}", ways(group, target))),
            None => parts.push("optional".to_owned()),
        },
    }
    if let Kind::Choice(words) = field.kind {
        parts.push(words.join(" or "));
    }
    match field.default {
        Default::None => {}
        Default::Value(value) => parts.push(format!("default: {value}")),
        Default::IfSet { field, then, otherwise } => {
            parts.push(format!("default: {then} where {} is set, else {otherwise}", target.variable(field)));
        }
    }
    parts.join("; ")
}

fn alternative(spec: &Spec, field: &Field) -> Option<&'static Alternatives> {
    spec.alternatives.iter().find(|group| group.ways.iter().any(|way| way.contains(&field.name)))
}

fn ways(group: &Alternatives, target: &Target) -> String {
    let way = |fields: &&[&str]| {
        fields.iter().map(|field| target.variable(field)).collect::<Vec<_>>().join(" and ")
    };
    group.ways.iter().map(way).collect::<Vec<_>>().join(", or ")
}

/// The settings as lines to fill in; what may be left out stands behind a `#`.
pub fn env_block(target: &Target) -> String {
    let spec = target.spec;
    let mut text = format!("# {}: {}\n", spec.product, spec.method);
    for field in spec.all_fields() {
        let usual_way = alternative(spec, field)
            .is_some_and(|group| group.required && group.ways[0].contains(&field.name));
        let shared = target.account.is_some() && field.shared;
        let off = if (field.need == Need::Always || usual_way) && !shared { "" } else { "#" };
        text.push_str(&format!("# {}: {}\n", field.help, needed(field, target)));
        if field.kind == Kind::Url {
            text.push_str(&format!("# for example {}\n", spec.example_url));
        }
        text.push_str(&format!("{off}{}=\n", target.variable(field.name)));
    }
    text
}

fn to_json(target: &Target) -> Value {
    let spec = target.spec;
    let fields: Vec<Value> = spec
        .all_fields()
        .map(|field| {
            json!({
                "variable": target.variable(field.name),
                "secret": field.secret(),
                "required": field.need == Need::Always,
                "default": match field.default { Default::Value(value) => Some(value), _ => None },
                "help": field.help,
                "rule": needed(field, target),
            })
        })
        .collect();
    json!({
        "provider": spec.id,
        "aliases": spec.aliases,
        "product": spec.product,
        "method": spec.method,
        "placement": { "in": spec.placement.place(), "name": spec.placement.name() },
        "impersonation": spec.impersonation,
        "settings": fields,
    })
}
