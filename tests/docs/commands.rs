//! The commands in documents are run, what they link to exists, and none shows a session to other users.

use super::{at, documents, portuguese, read};
use crate::support::Machine;
use crate::support::machine::{installed, set_mode};

#[test]
fn commands_work_in_the_sandbox() {
    if !["curl", "jq", "python3"].into_iter().all(installed) {
        return;
    }
    let mut blocks = 0;
    for path in documents() {
        let text = read(&path);
        for part in text
            .split("<!-- runs in the sandbox -->\n\n```sh\n")
            .skip(1)
        {
            let script = part.split_once("```").expect("a block's end").0;
            let mut machine = Machine::new();
            machine.write(
                "import.sh",
                "#!/bin/sh\necho \"$GLUO_URL ${#GLUO_TOKEN}\"\n",
            );
            set_mode(&machine.path("import.sh"), 0o700);
            let github = machine.write("github.env", "");
            machine.set("GITHUB_ENV", github.to_str().expect("UTF-8"));
            machine.write("script.sh", format!("set -eu\n{script}"));
            let outcome = machine.shell("sh", "crmauth sandbox -q -- sh script.sh");
            assert_eq!(outcome.code, 0, "{path}: {script}{outcome}");
            let stdout = &outcome.stdout;
            assert!(
                !stdout.is_empty() && !stdout.contains("ERROR"),
                "{path}: {script}{stdout}"
            );
            blocks += 1;
        }
    }
    assert!(blocks >= 5, "{blocks} blocks");
}

#[test]
fn snippets_in_other_languages_work_in_the_sandbox() {
    let text = read("docs/scripts.md");
    for (kind, program) in [("php", "php"), ("js", "node")] {
        let (_, block) = text.split_once(&format!("```{kind}\n")).expect("a block");
        let machine = Machine::new();
        machine.write("snippet", block.split_once("```").expect("an end").0);
        if installed(program) {
            let outcome = machine.shell("sh", &format!("crmauth sandbox -q -- {program} snippet"));
            assert_eq!(outcome.code, 0, "{kind}: {outcome}");
            assert!(!outcome.stdout.is_empty(), "{kind} printed nothing");
        }
    }
}

#[test]
fn no_command_line_carries_a_session() {
    let mut looked_at = 0;
    for path in documents() {
        for block in read(&path).split("```").skip(1).step_by(2) {
            for line in block.replace("\\\n", " ").lines() {
                for arguments in line.split("curl ").skip(1) {
                    assert!(!arguments.contains("TOKEN"), "{path}: {line}");
                    looked_at += 1;
                }
            }
        }
    }
    assert!(looked_at > 5, "{looked_at} command lines");
}

#[test]
fn links_lead_somewhere() {
    let mut links = 0;
    let own = ["CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md"].map(str::to_owned);
    let paths = documents().into_iter();
    let paths = paths.flat_map(|path| [portuguese(&path), path]);
    for path in paths.chain(own) {
        let text = read(&path);
        let folder = at(&path).parent().expect("a folder").to_owned();
        for part in text.split("](").skip(1) {
            let link = part.split_once(')').expect("a link's end").0;
            if link.starts_with("http") {
                continue;
            }
            let (file, anchor) = link.split_once('#').unwrap_or((link, ""));
            let other = if file.is_empty() {
                at(&path)
            } else {
                folder.join(file)
            };
            assert!(other.exists(), "{path}: {link}");
            if !anchor.is_empty() {
                let other = std::fs::read_to_string(other).expect("a document");
                let found = other.lines().filter_map(heading).any(|it| it == anchor);
                assert!(found, "{path}: no heading for {link}");
            }
            links += 1;
        }
    }
    assert!(links > 20, "{links} links");
}

/// A heading as a link names it.
fn heading(line: &str) -> Option<String> {
    let title = line.strip_prefix('#')?.trim_start_matches('#');
    let title = title.trim().to_lowercase().replace(' ', "-");
    Some(title.replace(|c: char| !c.is_alphanumeric() && !"-_".contains(c), ""))
}
