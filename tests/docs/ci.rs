//! The page on CI: its examples are read as their CI reads them, and their steps are run, each in a shell of its
//! own, against the sandbox, with what the CI carries from one step to the next carried likewise.

use std::collections::BTreeMap;
use std::path::Path;

use yaml_rust2::{Yaml, YamlLoader};

use super::{read, templates};
use crate::support::machine::{Outcome, PATH, installed};
use crate::support::sandbox::Servers;
use crate::support::{Machine, program};
use templates::{Inputs, published};

/// A job's variables.
pub type Variables = BTreeMap<String, String>;

/// A CI's machine beside the systems.
pub struct Job {
    pub servers: Servers,
    pub machine: Machine,
    /// Folders that steps added to the PATH; at first the program's.
    pub path: Vec<String>,
    variables: Variables,
    /// Azure's: a step gets those that it names.
    pub secrets: Variables,
    log: String,
}

impl Job {
    pub fn new() -> Self {
        let folder = Path::new(program()).parent().expect("a folder");
        Self {
            servers: Servers::start(),
            machine: Machine::new(),
            path: vec![folder.to_str().expect("UTF-8").to_owned()],
            variables: Variables::new(),
            secrets: Variables::new(),
            log: String::new(),
        }
    }

    /// What the sandbox has for a variable that the example takes from the CI's settings.
    fn demo(&self, name: &str) -> String {
        self.servers.setting(name).to_owned()
    }

    /// Runs a step in bash and returns what it printed.
    fn step(&mut self, script: &str, own: &Variables) -> String {
        let outcome = self.run(script, own);
        assert_eq!(outcome.code, 0, "{script}\n{outcome}");
        outcome.stdout
    }

    /// Runs a step in bash as GitHub and GitLab do.
    pub fn run(&mut self, script: &str, own: &Variables) -> Outcome {
        self.run_plainly(&format!("set -eo pipefail\n{script}"), own)
    }

    /// Runs a step in bash.
    pub fn run_plainly(&mut self, script: &str, own: &Variables) -> Outcome {
        for (name, value) in self.variables.iter().chain(own) {
            self.machine.set(name, value);
        }
        self.machine.set("CI", "true");
        let mut command = self.machine.shell_command("bash", script);
        let path = [&self.path[..], &[PATH.to_owned()]].concat();
        command.env("PATH", path.join(":"));
        let outcome = self.machine.finish(command);
        for name in own.keys() {
            self.machine.unset(name);
        }
        self.log.push_str(&outcome.stdout);
        outcome
    }

    /// Runs a step with the files by which GitHub's steps hand something on, and does what they say.
    pub fn github(&mut self, mut own: Variables, script: &str) -> Outcome {
        for name in ["GITHUB_ENV", "GITHUB_PATH"] {
            let file = self.machine.root().join(name);
            std::fs::write(&file, "").expect("a file");
            own.insert(name.to_owned(), file.to_str().expect("UTF-8").to_owned());
        }
        own.insert("GITHUB_ACTIONS".to_owned(), "true".to_owned());
        let outcome = self.run(script, &own);
        let file = |name| std::fs::read_to_string(&own[name]).expect("the file");
        self.path
            .extend(file("GITHUB_PATH").lines().map(str::to_owned));
        let set = file("GITHUB_ENV");
        let mut lines = set.lines();
        while let Some(line) = lines.next() {
            let (name, end) = line.split_once("<<").expect("NAME<<DELIMITER");
            let value: Vec<&str> = lines.by_ref().take_while(|line| *line != end).collect();
            self.variables.insert(name.to_owned(), value.join("\n"));
        }
        outcome
    }

    /// Does what a step told Azure.
    pub fn obey_azure(&mut self, printed: &str) {
        for line in printed.lines() {
            if let Some(folder) = line.strip_prefix("##vso[task.prependpath]") {
                self.path.insert(0, folder.to_owned());
            }
            let Some(set) = line.strip_prefix("##vso[task.setvariable variable=") else {
                continue;
            };
            let (about, value) = set.split_once(']').expect("a value");
            let (name, secret) = about.split_once(';').unwrap_or((about, ""));
            assert_eq!(
                secret == "issecret=true",
                name.ends_with("_TOKEN"),
                "{line}"
            );
            // A secret is no environment variable of later steps until they ask for it.
            let place = if secret.is_empty() {
                &mut self.variables
            } else {
                &mut self.secrets
            };
            place.insert(name.to_owned(), value.to_owned());
        }
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
pub fn texts(mapping: &Yaml) -> Variables {
    let entries = mapping.as_hash().into_iter().flatten();
    entries
        .map(|(name, value)| (text(name), text(value)))
        .collect()
}

pub fn text(value: &Yaml) -> String {
    value
        .as_str()
        .unwrap_or_else(|| panic!("a text: {value:?}"))
        .to_owned()
}

/// `(prefix NAME suffix)` with the demo's value in its place; every such expression must name a known setting.
pub fn expanded(value: &str, before: &str, after: &str, known: impl Fn(&str) -> String) -> String {
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

/// Without a version a template would install a stranger's package.
fn has_version(inputs: &Yaml) {
    let version = text(&inputs["version"]);
    assert!(version.starts_with("https://"), "{version}");
}

#[test]
fn github_actions() {
    if !installed("python3") {
        return;
    }
    let mut job = Job::new();
    let folder = published(&mut job);
    let steps = yaml("GitHub Actions")["jobs"]["import"]["steps"].clone();
    let [uses, later] = &steps.as_vec().expect("steps")[..] else {
        panic!("two steps")
    };
    assert!(text(&uses["uses"]).contains("/crmauth@v"));
    let mut env = texts(&uses["env"]);
    for value in env.values_mut() {
        *value = expanded(value, "${{", "}}", |name| {
            let (context, name) = name.split_once('.').expect("secrets.NAME or vars.NAME");
            assert!(["secrets", "vars"].contains(&context), "{context}");
            job.demo(name)
        });
    }
    has_version(&uses["with"]);
    let inputs = Inputs {
        targets: &text(&uses["with"]["targets"]),
        version: &folder,
        env,
    };
    let outcome = templates::github(&mut job, &inputs, &text(&later["run"]));
    assert_eq!(outcome.code, 0, "{outcome}");
    let mask = format!("::add-mask::{}\n", job.variables["GLUO_TOKEN"]);
    assert!(job.log.starts_with(&mask), "{}", job.log);
    assert!(job.log.contains(r#""success":true"#), "{}", job.log);
}

#[test]
fn gitlab_ci() {
    if !installed("curl") || !installed("python3") {
        return;
    }
    let mut job = Job::new();
    let folder = published(&mut job);
    let pipeline = yaml("GitLab CI");
    // Masked variables of the project's settings are in the environment of each job.
    let env: Variables = job
        .servers
        .demo()
        .filter(|(name, _)| name.starts_with("HELLOCLOUD"))
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .collect();
    let component = &pipeline["include"][0];
    assert!(text(&component["component"]).contains("/crmauth/login@"));
    has_version(&component["inputs"]);
    let script = |name: &str| {
        let lines = pipeline[name]["script"].as_vec().expect("a script").iter();
        lines.map(text).collect::<Vec<_>>().join("\n")
    };
    let play = |job: &mut Job, name: &str, env: Variables| {
        let extends = pipeline[name]["extends"].as_str();
        let inputs = Inputs {
            targets: &text(&component["inputs"]["targets"]),
            version: &folder,
            env,
        };
        let outcome = match extends {
            Some(".crmauth") => templates::gitlab(job, &inputs, &script(name)),
            _ => job.run(&script(name), &inputs.env),
        };
        assert_eq!(outcome.code, 0, "{name}: {outcome}");
        outcome.stdout
    };
    let printed = play(&mut job, "import", env.clone());
    assert!(printed.contains(r#""id":"#), "{printed}");

    play(&mut job, "login", env);
    let report = text(&pipeline["login"]["artifacts"]["reports"]["dotenv"]);
    let report = std::fs::read_to_string(job.machine.path(&report)).expect("the report");
    let report = report.lines().map(|line| {
        let (name, value) = line.split_once('=').expect("NAME=value");
        (name.to_owned(), value.to_owned())
    });
    assert_eq!(text(&pipeline["later"]["needs"][0]), "login");
    // The later job has the report's variables and none of the credentials.
    let printed = play(&mut job, "later", report.collect());
    assert!(printed.contains(r#""id":"#), "{printed}");
}

#[test]
fn azure_pipelines() {
    if !["curl", "jq", "python3"].into_iter().all(installed) {
        return;
    }
    let mut job = Job::new();
    let folder = published(&mut job);
    let steps = yaml("Azure Pipelines")["steps"].clone();
    let [template, later] = &steps.as_vec().expect("steps")[..] else {
        panic!("two steps")
    };
    assert_eq!(
        text(&template["template"]),
        "templates/azure/login.yml@crmauth"
    );
    let mut env = texts(&template["parameters"]["env"]);
    for value in env.values_mut() {
        *value = expanded(value, "$(", ")", |name| job.demo(name));
    }
    has_version(&template["parameters"]);
    let inputs = Inputs {
        targets: &text(&template["parameters"]["targets"]),
        version: &folder,
        env,
    };
    templates::azure(&mut job, &inputs, "true");
    let mut own = texts(&later["env"]);
    for value in own.values_mut() {
        *value = expanded(value, "$(", ")", |name| job.secrets[name].clone());
    }
    let script = text(&later["script"]);
    assert_eq!(job.step(&script, &own), "integracao\n");
    own.insert("TOKEN".to_owned(), "ended".to_owned());
    assert_ne!(job.run_plainly(&script, &own).code, 0, "{script}");
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
