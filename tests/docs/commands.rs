//! The commands in documents are run, and the files that they link to exist.

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
            assert_eq!(outcome.code, 0, "{path}: {script}{}", outcome.stderr);
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
fn links_lead_somewhere() {
    let mut links = 0;
    for path in documents()
        .iter()
        .flat_map(|path| [path.clone(), portuguese(path)])
    {
        let text = read(&path);
        let folder = at(&path).parent().expect("a folder").to_owned();
        for part in text.split("](").skip(1) {
            let link = part.split_once(')').expect("a link's end").0;
            let file = link.split('#').next().unwrap_or_default();
            if link.starts_with("http") || file.is_empty() {
                continue;
            }
            assert!(folder.join(file).exists(), "{path}: {link}");
            links += 1;
        }
    }
    assert!(links > 20, "{links} links");
}
