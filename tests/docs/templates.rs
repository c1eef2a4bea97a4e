//! What CI owners include: the action, the GitLab component, the Azure template. Each is read and run as its CI does it,
//! with a package of the program under test in place of the published one.

use std::process::Command;

use yaml_rust2::{Yaml, YamlLoader};

use super::ci::{Job, Variables, expanded, text, texts};
use super::{at, read};
use crate::support::machine::{Outcome, installed, program, set_mode};

/// What a user of a template says: its inputs, and the environment that the CI has for it.
pub struct Inputs<'a> {
    pub targets: &'a str,
    pub version: &'a str,
    pub env: Variables,
}

impl Inputs<'_> {
    fn value(&self, name: &str) -> String {
        match name {
            "inputs.targets" | "parameters.targets" => self.targets.to_owned(),
            "inputs.version" | "parameters.version" => self.version.to_owned(),
            _ => panic!("an unknown {name}"),
        }
    }
}

type Runner = fn(&mut Job, &Inputs<'_>, &str) -> Outcome;

/// Each template's runner.
const RUNNERS: &[(&str, Runner)] = &[
    ("action.yml", github),
    ("templates/login.yml", gitlab),
    ("templates/azure/login.yml", azure),
];

fn documents(path: &str) -> Vec<Yaml> {
    YamlLoader::load_from_str(&read(path)).expect("YAML")
}

/// Runs the action, then a script as a later step.
pub fn github(job: &mut Job, inputs: &Inputs<'_>, script: &str) -> Outcome {
    let action = documents("action.yml").remove(0);
    for step in action["runs"]["steps"].as_vec().expect("steps") {
        match step["if"].as_str() {
            Some("inputs.targets != ''") if inputs.targets.is_empty() => continue,
            None | Some("inputs.targets != ''") => {}
            Some(other) => panic!("an unknown condition: {other}"),
        }
        let mut own = inputs.env.clone();
        for (name, value) in texts(&step["env"]) {
            own.insert(
                name,
                expanded(&value, "${{", "}}", |name| inputs.value(name)),
            );
        }
        let temporary = job.machine.root().join("tmp");
        own.insert(
            "RUNNER_TEMP".to_owned(),
            temporary.to_str().expect("UTF-8").to_owned(),
        );
        let outcome = job.github(own, &text(&step["run"]));
        if outcome.code != 0 {
            return outcome;
        }
    }
    job.run(script, &Variables::new())
}

/// Runs a job that extends the component's.
pub fn gitlab(job: &mut Job, inputs: &Inputs<'_>, script: &str) -> Outcome {
    let [about, jobs] = &documents("templates/login.yml")[..] else {
        panic!("two documents")
    };
    let declared = about["spec"]["inputs"].as_hash().expect("inputs");
    let names: Vec<String> = declared.keys().map(text).collect();
    assert_eq!(names, ["targets", "version"]);
    let job_template = &jobs[".crmauth"];
    let mut own = inputs.env.clone();
    for (name, variable) in job_template["variables"].as_hash().expect("variables") {
        assert_eq!(variable["expand"].as_bool(), Some(false), "{name:?}");
        let value = text(&variable["value"]);
        own.insert(
            text(name),
            expanded(&value, "$[[", "]]", |name| inputs.value(name)),
        );
    }
    let lines = job_template["before_script"].as_vec().expect("lines");
    let before: String = lines.iter().map(text).collect();
    job.run(&format!("{before}{script}"), &own)
}

/// Runs the template's steps, then a script as a later step.
pub fn azure(job: &mut Job, inputs: &Inputs<'_>, script: &str) -> Outcome {
    let template = documents("templates/azure/login.yml").remove(0);
    let mut steps = Vec::new();
    for step in template["steps"].as_vec().expect("steps") {
        let inner = &step["${{ if ne(parameters.targets, '') }}"];
        match inner.as_vec() {
            None => steps.push(step.clone()),
            Some(inner) if !inputs.targets.is_empty() => steps.extend(inner.iter().cloned()),
            Some(_) => {}
        }
    }
    for step in steps {
        let mut own = Variables::new();
        for (name, value) in step["env"].as_hash().expect("an env") {
            if text(name) == "${{ each setting in parameters.env }}" {
                own.extend(inputs.env.clone());
                continue;
            }
            let value = text(value).replace("$(Agent.TempDirectory)", "/tmp");
            own.insert(
                text(name),
                expanded(&value, "${{", "}}", |name| inputs.value(name)),
            );
        }
        // Azure runs a bash step without -e.
        let outcome = job.run_plainly(&text(&step["bash"]), &own);
        if outcome.code != 0 {
            return outcome;
        }
        job.obey_azure(&outcome.stdout);
    }
    let secrets = job.secrets.clone();
    job.run(script, &secrets)
}

/// A folder with a wheel that starts the program under test, beside a machine that has no crmauth.
pub fn published(job: &mut Job) -> String {
    let make = r#"
import sys
sys.dont_write_bytecode = True
sys.path.insert(0, "dist")
import packages
about = {"name": "crmauth", "version": sys.argv[2], "description": "-", "license": "MIT", "keywords": []}
script = f'#!/bin/sh\nexec "{sys.argv[1]}" "$@"\n'
wheel = packages.wheel(about, ["any"], script.encode(), "crmauth", "", {}, 1_800_000_000)
open(f"{sys.argv[3]}/crmauth-{sys.argv[2]}-py3-none-any.whl", "wb").write(wheel)
"#;
    let folder = job.machine.root().join("published");
    std::fs::create_dir_all(&folder).expect("a folder");
    let version = env!("CARGO_PKG_VERSION");
    let done = Command::new("python3")
        .args(["-c", make, program(), version])
        .arg(&folder)
        .current_dir(at(""))
        .status();
    assert!(done.expect("python3").success());
    job.path.clear();
    folder.to_str().expect("UTF-8").to_owned()
}

fn possible() -> bool {
    installed("python3") && installed("curl")
}

/// A machine beside the systems, and the settings of their demo accounts.
fn job() -> (Job, Variables) {
    let job = Job::new();
    let demo = job.servers.demo();
    let env = demo.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let env = env.collect();
    (job, env)
}

/// A `uv` that installs the program under test, and keeps what it was asked for in `uv.log`.
fn with_uv(job: &mut Job) {
    let script = r#"#!/bin/sh
printf '%s\n' "$@" >"$HOME/uv.log"
[ "$1" = pip ] || { mkdir -p "$3/bin" && ln -s "PROGRAM" "$3/bin/crmauth"; }
"#;
    let folder = job.machine.root().join("uv");
    std::fs::create_dir(&folder).expect("a folder");
    let uv = folder.join("uv");
    std::fs::write(&uv, script.replace("PROGRAM", program())).expect("a file");
    set_mode(&uv, 0o755);
    job.path = vec![folder.to_str().expect("UTF-8").to_owned()];
}

#[test]
fn each_template_installs_and_logs_in() {
    if !possible() {
        return;
    }
    let both = r#"test -n "$GLUO_TOKEN" && test -n "${ZEEV__RH__TOKEN-$GLUO_URL}" && crmauth -V"#;
    for (path, run) in RUNNERS {
        for (targets, script, pip) in [
            ("", "crmauth -V", false),
            ("gluo", r#"test -n "$GLUO_TOKEN" && crmauth -V"#, false),
            (" gluo  zeev@rh\n", both, true),
        ] {
            let (mut job, mut env) = job();
            let version = published(&mut job);
            if !pip {
                with_uv(&mut job);
            }
            for field in ["USERNAME", "PASSWORD"] {
                let value = env[&format!("ZEEV_{field}")].clone();
                env.insert(format!("ZEEV__RH__{field}"), value);
            }
            let version = version.as_str();
            let inputs = Inputs {
                targets,
                version,
                env,
            };
            let outcome = run(&mut job, &inputs, script);
            assert_eq!(outcome.code, 0, "{path} {targets:?}: {outcome}");
            let expected = concat!("crmauth ", env!("CARGO_PKG_VERSION"), "\n");
            assert!(outcome.stdout.ends_with(expected), "{path}: {outcome}");
        }
    }
}

/// Inputs that a shell would take for more than words.
const HOSTILE: &[&str] = &[
    "*",
    "gluo; touch harm",
    "$(touch harm)",
    "`touch harm`",
    "gluo\ntouch harm",
    "--all",
    "-o harm",
    "';touch harm;'",
    "\";touch harm;\"",
];

#[test]
fn targets_are_words_and_never_code() {
    for (path, run) in RUNNERS {
        for targets in HOSTILE {
            let (mut job, env) = job();
            with_uv(&mut job);
            // What a star would find.
            job.machine.write("gluo", "");
            let version = "";
            let outcome = run(
                &mut job,
                &Inputs {
                    targets,
                    version,
                    env,
                },
                "true",
            );
            assert_ne!(outcome.code, 0, "{path} {targets:?}");
            assert_eq!(job.machine.files(), ["gluo"], "{path}: {targets}");
        }
    }
}

#[test]
fn a_version_is_one_word_to_the_installer() {
    let asked = |version: &str| match version {
        "" => "crmauth\n".to_owned(),
        _ if version.starts_with('0') => format!("crmauth=={version}\n"),
        _ => format!("--no-index\n--find-links={version}\ncrmauth\n"),
    };
    for (path, run) in RUNNERS {
        for version in ["", "0.1.0", "0.1.0 -r x", "./files"].iter().chain(HOSTILE) {
            let (mut job, env) = job();
            with_uv(&mut job);
            let targets = "";
            let outcome = run(
                &mut job,
                &Inputs {
                    targets,
                    version,
                    env,
                },
                "true",
            );
            assert_eq!(outcome.code, 0, "{path} {version}: {outcome}");
            let log = job.machine.root().join("home/uv.log");
            let log = std::fs::read_to_string(log).expect("a log");
            let (_, last) = log.split_once("/bin/python\n").expect("a python");
            assert_eq!(last, asked(version), "{path}");
            assert!(
                job.machine.files().iter().all(|name| name != "harm"),
                "{path}"
            );
        }
    }
}

#[test]
fn all_templates_install_alike() {
    let mut blocks = RUNNERS.iter().map(|(path, _)| {
        let text = read(path);
        let (_, block) = text.split_once("(\n").expect("a block");
        let lines = block.lines().map(str::trim);
        lines
            .take_while(|line| *line != ")")
            .collect::<Vec<_>>()
            .join("\n")
    });
    let first = blocks.next().expect("a template");
    assert!(first.contains("pip") && blocks.all(|block| block == first));
}

/// A file in templates/, and a `template.yml` one folder below, are each a component to GitLab.
#[test]
fn there_is_one_component() {
    let entries = std::fs::read_dir(at("templates")).expect("a folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").path())
        .collect();
    names.retain(|path| path.is_file() || path.join("template.yml").exists());
    assert_eq!(names, [at("templates/login.yml")]);
}
