//! The page on CI: its examples are read as their CI reads them, and their steps are run, each in a shell of its
//! own, against the sandbox, with what the CI carries from one step to the next carried likewise.

use std::collections::BTreeMap;

use yaml_rust2::{Yaml, YamlLoader};

use super::read;
use crate::support::Machine;
use crate::support::machine::installed;
use crate::support::sandbox::Servers;

/// A job's variables.
type Variables = BTreeMap<String, String>;

/// A CI's machine beside the systems.
struct Job {
    servers: Servers,
    machine: Machine,
    variables: Variables,
    log: String,
}

impl Job {
    fn new() -> Self {
        Self {
            servers: Servers::start(),
            machine: Machine::new(),
            variables: Variables::new(),
            log: String::new(),
        }
    }

    /// What the sandbox has for a variable that the example takes from the CI's settings.
    fn demo(&self, name: &str) -> String {
        self.servers.setting(name).to_owned()
    }

    /// Runs a step in bash as these CIs do, and returns what it printed.
    fn step(&mut self, script: &str, own: &Variables) -> String {
        for (name, value) in self.variables.iter().chain(own) {
            self.machine.set(name, value);
        }
        self.machine.set("CI", "true");
        let outcome = self
            .machine
            .shell("bash", &format!("set -eo pipefail\n{script}"));
        assert_eq!(outcome.code, 0, "{script}\n{}", outcome.stderr);
        for name in own.keys() {
            self.machine.unset(name);
        }
        self.log.push_str(&outcome.stdout);
        outcome.stdout
    }
}

/// The code under a heading, of a kind.
fn example(heading: &str, kind: &str) -> String {
    let page = read("docs/ci.md");
    let (_, section) = page
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no {heading}"));
    let section = section.split("\n## ").next().expect("a section");
    let (_, block) = section
        .split_once(&format!("```{kind}\n"))
        .expect("an example");
    block.split_once("```").expect("an end").0.to_owned()
}

fn yaml(heading: &str) -> Yaml {
    YamlLoader::load_from_str(&example(heading, "yaml"))
        .expect("YAML")
        .remove(0)
}

/// The names and texts of a mapping.
fn texts(mapping: &Yaml) -> Variables {
    let entries = mapping.as_hash().into_iter().flatten();
    entries
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

fn text(value: &Yaml) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text: {value:?}"))
        .to_owned()
}

/// `(prefix NAME suffix)` with the demo's value in its place; every such expression must name a known setting.
fn expanded(value: &str, before: &str, after: &str, known: impl Fn(&str) -> String) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((text, expression)) = rest.split_once(before) {
        let (name, behind) = expression.split_once(after).expect("an expression's end");
        result.push_str(text);
        result.push_str(&known(name.trim()));
        rest = behind;
    }
    result + rest
}

#[test]
fn github_actions() {
    if !installed("curl") {
        return;
    }
    let mut job = Job::new();
    let steps = yaml("GitHub Actions")["jobs"]["import"]["steps"].clone();
    let mut ran = 0;
    for step in steps.as_vec().expect("steps") {
        let Some(script) = step["run"]
            .as_str()
            .filter(|script| !script.contains("dpkg"))
        else {
            continue;
        };
        let mut own = texts(&step["env"]);
        for value in own.values_mut() {
            *value = expanded(value, "${{", "}}", |name| {
                let (context, name) = name.split_once('.').expect("secrets.NAME or vars.NAME");
                assert!(["secrets", "vars"].contains(&context), "{context}");
                job.demo(name)
            });
        }
        let env_file = job.machine.write("github_env", "");
        own.insert(
            "GITHUB_ENV".to_owned(),
            env_file.to_str().expect("UTF-8").to_owned(),
        );
        own.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
        job.step(script, &own);
        let set = std::fs::read_to_string(env_file).expect("the file");
        let mut lines = set.lines();
        while let Some(line) = lines.next() {
            let (name, end) = line.split_once("<<").expect("NAME<<DELIMITER");
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            job.variables.insert(name.to_owned(), value.join("\n"));
        }
        ran += 1;
    }
    assert_eq!(ran, 2);
    let token = &job.variables["GLUO_TOKEN"];
    assert!(
        job.log.starts_with(&format!("::add-mask::{token}\n")),
        "{}",
        job.log
    );
    assert!(job.log.contains(r#""success":true"#), "{}", job.log);
}

#[test]
fn gitlab_ci() {
    if !installed("curl") {
        return;
    }
    let mut job = Job::new();
    let pipeline = yaml("GitLab CI");
    // Masked variables of the project's settings are in the environment of each job.
    let settings: Vec<_> = job
        .servers
        .demo()
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    job.variables.extend(
        settings
            .into_iter()
            .filter(|(name, _)| name.starts_with("HELLOCLOUD")),
    );
    let script = |name: &str| {
        let lines = pipeline[name]["script"].as_vec().expect("a script").iter();
        lines.map(text).collect::<Vec<_>>().join("\n")
    };
    let printed = job.step(&script("import"), &Variables::new());
    assert!(printed.contains(r#""id":"#), "{printed}");

    job.step(&script("login"), &Variables::new());
    let report = text(&pipeline["login"]["artifacts"]["reports"]["dotenv"]);
    let report = std::fs::read_to_string(job.machine.path(&report)).expect("the report");
    job.variables.clear();
    for line in report.lines() {
        let (name, value) = line.split_once('=').expect("NAME=value");
        job.variables.insert(name.to_owned(), value.to_owned());
    }
    let later = &pipeline["later"];
    assert_eq!(text(&later["needs"][0]), "login");
    // The later job has the report's variables and none of the credentials.
    for name in ["URL", "CLIENT_ID", "CLIENT_SECRET", "USERNAME", "PASSWORD"] {
        job.machine.unset(&format!("HELLOCLOUD_{name}"));
    }
    let printed = job.step(&script("later"), &Variables::new());
    assert!(printed.contains(r#""id":"#), "{printed}");
}

#[test]
fn azure_pipelines() {
    if !installed("curl") {
        return;
    }
    let mut job = Job::new();
    let steps = yaml("Azure Pipelines")["steps"].clone();
    let mut secrets = Variables::new();
    let mut ran = 0;
    for step in steps.as_vec().expect("steps") {
        let Some(script) = step["script"]
            .as_str()
            .filter(|script| !script.contains("dpkg"))
        else {
            continue;
        };
        let mut own = texts(&step["env"]);
        for value in own.values_mut() {
            *value = expanded(value, "$(", ")", |name| {
                secrets.get(name).cloned().unwrap_or_else(|| job.demo(name))
            });
        }
        let printed = job.step(script, &own);
        for line in printed
            .lines()
            .filter_map(|line| line.strip_prefix("##vso[task.setvariable variable="))
        {
            let (about, value) = line.split_once(']').expect("a value");
            let (name, secret) = about.split_once(';').unwrap_or((about, ""));
            assert_eq!(
                secret == "issecret=true",
                name.ends_with("_TOKEN"),
                "{line}"
            );
            // A secret is no environment variable of later steps until they ask for it.
            let place = if secret.is_empty() {
                &mut job.variables
            } else {
                &mut secrets
            };
            place.insert(name.to_owned(), value.to_owned());
        }
        ran += 1;
    }
    assert_eq!(ran, 2);
    assert!(
        job.log.contains(r#""username":"integracao""#),
        "{}",
        job.log
    );
}

#[test]
fn jenkins() {
    if !installed("curl") {
        return;
    }
    let mut job = Job::new();
    let pipeline = example("Jenkins", "groovy");
    let (_, environment) = pipeline
        .split_once("environment {\n")
        .expect("an environment");
    let environment = environment.split_once('}').expect("its end").0;
    let mut own = Variables::new();
    for line in environment.lines().filter(|line| line.contains('=')) {
        let (name, value) = line.trim().split_once(" = ").expect("NAME = value");
        assert!(
            value.starts_with("'") || value.starts_with("credentials('"),
            "{line}"
        );
        own.insert(name.to_owned(), job.demo(name));
    }
    assert!(own.contains_key("SYSTEMSWAY_PASSWORD"), "{environment}");
    let (_, script) = pipeline.split_once("sh '''").expect("a step");
    let script = script.split_once("'''").expect("its end").0;
    let printed = job.step(script, &own);
    assert!(printed.contains(r#""UserName":"admin""#), "{printed}");
}
