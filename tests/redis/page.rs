//! The examples of the page on sharing run as they stand there.

use yaml_rust2::{Yaml, YamlLoader};

use super::{fleet, sharing};
use crate::support::machine::installed;

/// A step: what runs, and the variables of its own.
type Step = (String, Vec<(String, String)>);

/// The steps of every example on the page.
fn steps() -> Vec<Step> {
    let page = include_str!("../../docs/ci-redis.md");
    let mut steps = Vec::new();
    for block in page.split("```yaml\n").skip(1) {
        let text = block.split("```").next().expect("a block");
        let yaml = YamlLoader::load_from_str(text).expect("YAML").remove(0);
        let job = &yaml["import"]["script"];
        if let Some(lines) = job.as_vec() {
            let lines = lines.iter().map(|line| line.as_str().expect("a line"));
            steps.push((lines.collect::<Vec<_>>().join("\n"), Vec::new()));
        }
        let list = [&yaml["steps"], &yaml["jobs"]["import"]["steps"]];
        for step in list.iter().filter_map(|list| list.as_vec()).flatten() {
            let script = step["run"].as_str().or(step["script"].as_str());
            let script = script.expect("a script").to_owned();
            steps.push((script, variables(&step["env"])));
        }
    }
    steps
}

fn variables(mapping: &Yaml) -> Vec<(String, String)> {
    let text = |yaml: &Yaml| yaml.as_str().expect("a text").to_owned();
    let pair = |(name, value)| (text(name), text(value));
    mapping
        .as_hash()
        .expect("variables")
        .iter()
        .map(pair)
        .collect()
}

#[test]
fn the_examples_share() {
    let Some((servers, redis)) = fleet() else {
        return;
    };
    if !installed("curl") {
        return;
    }
    let steps = steps();
    assert_eq!(steps.len(), 3);
    let machine = sharing(&servers, &redis.url());
    for (script, own) in steps {
        // What a step names comes from the CI's settings under the same name.
        for (name, value) in own {
            assert!(value.contains(&name), "{name}: {value}");
        }
        let outcome = machine.shell("bash", &format!("set -eo pipefail\n{script}"));
        outcome.exits(0, &script);
        let json = outcome.stdout.starts_with(['[', '{', '"']);
        assert!(json, "{script}: {outcome}");
    }
    let names = redis.names();
    let last = names.iter().filter(|name| name.ends_with(":last"));
    assert_eq!(last.count(), 3);
}
