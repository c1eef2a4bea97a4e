//! The systems' pages: settings from the declarations, exchanges and messages from scenes that are played.

use crmauth::declaration::Spec;
use crmauth::provider;
use serde_json::Value;

use super::{code, fill, portuguese, read, scenes, table};
use crate::support::{Machine, at_once};

/// A page's language, and the head of its table.
const LANGUAGES: [(&str, [&str; 4]); 2] = [
    (
        "en",
        ["Setting", "What it is", "Where to find it", "Needed"],
    ),
    (
        "pt-BR",
        ["Variável", "O que é", "Onde encontrar", "É preciso?"],
    ),
];

#[test]
fn each_page_shows_what_the_program_does() {
    let pages = pages()
        .into_iter()
        .flat_map(|page| LANGUAGES.iter().map(move |lang| (page, lang)));
    at_once(pages, |((page, spec), (lang, head))| {
        let english = format!("docs/{page}.md");
        let path = if *lang == "en" {
            english
        } else {
            portuguese(&english)
        };
        let scenes = scenes::of(page);
        let scene = |name: &str| {
            let scene = scenes.iter().find(|scene| scene.name == name);
            scene
                .unwrap_or_else(|| panic!("{path}: no scene {name:?}"))
                .play(lang, spec.example_url)
        };
        fill(&path, |name| match name.split_once(": ") {
            Some(("exchange", name)) => Some(format!("\n```http\n{}```\n\n", scene(name).wire)),
            Some(("run", name)) => Some(format!("\n```console\n{}```\n\n", scene(name).terminal)),
            _ if name == "settings" => Some(format!("\n{}\n", settings(spec, lang, head))),
            _ if name == "pages" => Some(format!("\n{}\n\n", links().join(" · "))),
            _ => None,
        });
    });
}

#[test]
fn each_scene_is_on_its_page() {
    for (page, _) in pages() {
        let text = read(&format!("docs/{page}.md"));
        for scene in scenes::of(page) {
            let marks = [
                format!("<!-- run: {} -->", scene.name),
                format!("<!-- exchange: {} -->", scene.name),
            ];
            assert!(
                marks.iter().any(|mark| text.contains(mark)),
                "{page}: {}",
                scene.name
            );
        }
    }
}

#[test]
fn the_page_on_errors_leads_to_each_systems_page() {
    let text = read("docs/errors.md");
    for link in links() {
        assert!(text.contains(&link), "docs/errors.md has no link {link}");
    }
}

fn links() -> Vec<String> {
    provider::specs()
        .iter()
        .map(|spec| format!("[{}]({}.md)", spec.product, spec.id))
        .collect()
}

/// Each system's page, and the one on what they have in common, which shows it with Zeev.
fn pages() -> Vec<(&'static str, &'static Spec)> {
    let specs = provider::specs();
    let zeev = specs.iter().find(|spec| spec.id == "zeev").expect("Zeev");
    specs
        .iter()
        .map(|spec| (spec.id, *spec))
        .chain([("errors", *zeev)])
        .collect()
}

/// A system's settings, as `providers` tells them.
fn settings(spec: &Spec, lang: &str, head: &[&str]) -> String {
    let outcome = Machine::new().run(&format!("providers {} --json --lang {lang}", spec.id));
    let answer = outcome.json();
    let text = |field: &Value, name: &str| field[name].as_str().expect("a text").to_owned();
    let found = |field: &Value| field["found"].as_str().unwrap_or("–").to_owned();
    let fields = answer[0]["settings"].as_array().expect("settings").iter();
    table(
        head,
        fields.map(|field| {
            vec![
                code(&text(field, "variable")),
                text(field, "help"),
                found(field),
                text(field, "rule"),
            ]
        }),
    )
}
