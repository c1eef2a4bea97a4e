//! `crmauth completions`: scripts that every shell takes, and that know which targets there are.

use crate::support::Machine;
use crate::support::machine::installed;

/// Settings of three targets.
const SETTINGS: &str =
    "GLUO_USERNAME=api\nGLUO__FILIAL__USERNAME=api\nZEEV_API_TOKEN=zV7Kq2Xw9Lm4Rt\n";

/// Shells that show what the Tab key does, and how they load the script.
const SHELLS: [(&str, &str); 2] = [
    ("bash --norc", "source <(crmauth completions bash)"),
    (
        "zsh -f",
        "autoload -U compinit; compinit -D; source <(crmauth completions zsh)",
    ),
];

/// Lines whose last word is begun after a target, and what the Tab key makes of them.
const LINES: [(&str, &str); 9] = [
    ("login gluo -f pow", "login gluo -f powershell"),
    ("login gluo --form", "login gluo --format"),
    ("login gluo --format=pow", "login gluo --format=powershell"),
    ("login gluo zee", "login gluo zeev"),
    ("exec gluo --tok", "exec gluo --token-file"),
    ("status gluo --ch", "status gluo --check"),
    ("logout zeev gluo@f", "logout zeev gluo@filial"),
    ("token gluo --lang=pt", "token gluo --lang=pt-BR"),
    ("token gluo --color ne", "token gluo --color never"),
];

/// A machine with those settings.
fn configured() -> Machine {
    let mut machine = Machine::new();
    machine.canary("zV7Kq2Xw9Lm4Rt").set("TERM", "vt100");
    machine.write(".env", SETTINGS);
    machine
}

/// What an interactive shell shows when these keys are typed, the script loaded by `rc`.
fn typed(machine: &Machine, shell: &str, rc: &str, keys: &str) -> String {
    machine.write("keys", format!("{rc}\n{keys}\nexit\n"));
    let outcome = machine.shell("sh", &format!("script -qec '{shell} -i' /dev/null <keys"));
    assert_eq!(outcome.stderr, "");
    outcome.stdout
}

/// What bash offers for the last of these words.
fn offered_by_bash(machine: &Machine, line: &str) -> String {
    let words: Vec<&str> = line.split(' ').collect();
    let last = words.len() - 1;
    let script = format!(
        "source <(crmauth completions bash); COMP_WORDS=({line} ''); COMP_CWORD={last}; COMP_LINE='{line}'; \
         COMP_POINT=${{#COMP_LINE}}; _crmauth_at crmauth '{}' '{}'; echo \"${{COMPREPLY[@]}}\"",
        words[last],
        words[last - 1],
    );
    machine
        .shell("bash", &script)
        .answer()
        .trim_end()
        .to_owned()
}

#[test]
fn every_shells_script_parses() {
    let machine = Machine::new();
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let outcome = machine.run(&format!("completions {shell}"));
        let script = outcome.answer();
        for word in ["crmauth", "providers", "sandbox", "env-file"] {
            assert!(script.contains(word), "no {word} for {shell}");
        }
        assert!(
            !script.contains("__crmauth_targets__"),
            "a placeholder for {shell}"
        );
        assert!(!script.contains("see more"), "-h and --help say the same");
        if ["bash", "zsh", "fish"].contains(&shell) {
            assert!(
                script.contains("completions --targets"),
                "{shell} asks for no targets"
            );
            if installed(shell) {
                machine.write("script", script);
                assert_eq!(
                    machine.shell("sh", &format!("{shell} -n script")).answer(),
                    "",
                    "{shell}"
                );
            }
        }
    }
    machine.fails(
        "completions tcsh",
        2,
        &["'tcsh'", "bash, elvish, fish, powershell, zsh"],
    );
    machine.fails("completions bash --targets", 2, &["--targets"]);
}

#[test]
fn targets_are_those_of_the_settings_and_the_store() {
    let mut machine = configured();
    machine.set("BROKER_USERNAME", "loja");
    machine.prints("completions --targets", "gluo\ngluo@filial\nbroker\nzeev\n");
    assert_eq!(
        std::fs::read_dir(machine.work().join("../home"))
            .expect("a home")
            .count(),
        0,
        "no store is made"
    );

    let machine = Machine::new();
    assert_eq!(machine.run("completions --targets").answer(), "");
    let adopt = "crmauth sandbox -q -- sh -c 'CRMAUTH_STORE=file:$PWD/store crmauth login zeev -q >/dev/null'";
    machine.shell("sh", adopt).answer();
    machine.prints("completions --targets --store file:store", "zeev\n");
    machine.prints("completions --targets --store none", "");
    machine.prints("completions --targets --store redis://127.0.0.1:1", "");
}

#[test]
fn what_cannot_be_read_is_passed_over_in_silence() {
    let mut machine = Machine::new();
    machine.write(".env", "GLUO_URL=$broken\n");
    assert_eq!(machine.run("completions --targets").answer(), "gluo\n");
    machine
        .set("CRMAUTH_ENV_FILE", "missing")
        .set("CRMAUTH_STORE", "file:/dev/null");
    assert_eq!(machine.run("completions --targets").answer(), "");
}

#[test]
fn bash_completes_verbs_targets_and_formats() {
    if !installed("bash") {
        return;
    }
    let bare = Machine::new();
    for (words, expected) in [
        ("crmauth logi", "login"),
        ("crmauth login zee", "zeev"),
        ("crmauth login gluo -f pow", "powershell"),
        ("crmauth providers hello", "hellocloud"),
        ("crmauth completions fi", "fish"),
        ("crmauth exec g", "gluo"),
    ] {
        assert_eq!(offered_by_bash(&bare, words), expected, "{words:?}");
    }
    let machine = configured();
    for (words, expected) in [
        ("crmauth token g", "gluo gluo@filial"),
        ("crmauth api ze", "zeev"),
        ("crmauth exec zeev g", "gluo gluo@filial"),
        ("crmauth token hello", "hellocloud"),
        ("crmauth token --cach", "--cached"),
    ] {
        assert_eq!(offered_by_bash(&machine, words), expected, "{words:?}");
    }
    machine.write(".env", "GLUO_URL=$broken\n");
    assert_eq!(offered_by_bash(&machine, "crmauth token g"), "gluo");
}

#[test]
fn fish_completes_targets() {
    if !installed("fish") {
        return;
    }
    let machine = configured();
    let offered = |line: &str| {
        let script = format!(
            "crmauth completions fish | source; complete -C '{line}' | string replace -r '\\t.*' ''; true"
        );
        machine.shell("fish", &script).answer().trim().to_owned()
    };
    assert_eq!(offered("crmauth token "), "gluo\ngluo@filial\nzeev");
    assert_eq!(offered("crmauth status gluo@"), "gluo@filial");
    assert_eq!(offered("crmauth login hello"), "hellocloud");
    assert_eq!(offered("crmauth providers sys"), "systemsway");
    for (typed, line) in LINES {
        let last = line.rsplit(' ').next().expect("a word");
        assert_eq!(offered(&format!("crmauth {typed}")), last, "{typed}");
    }
    machine.write(".env", "GLUO_URL=$broken\n");
    assert_eq!(offered("crmauth token ze"), "zeev");
}

#[test]
fn the_tab_key_completes_targets_in_bash_and_zsh() {
    if !["bash", "zsh", "script"].into_iter().all(installed) {
        return;
    }
    for (shell, rc) in SHELLS {
        let machine = configured();
        // Without a session the command tells for which target it has none.
        let screen = typed(
            &machine,
            shell,
            rc,
            "crmauth token gluo@f\t --cached --json",
        );
        assert!(
            screen.contains(r#""target":"gluo@filial""#),
            "{shell}: {screen}"
        );
        let screen = typed(&machine, shell, rc, "crmauth token hello\t --cached --json");
        assert!(
            screen.contains(r#""target":"hellocloud""#),
            "{shell}: {screen}"
        );
        // A broken .env is told by the command, not by the key.
        machine.write(".env", "GLUO_URL=$broken\n");
        let screen = typed(
            &machine,
            shell,
            rc,
            "crmauth token gl\t\u{15}crmauth providers sys\t --json",
        );
        assert!(!screen.contains("error"), "{shell}: {screen}");
        assert!(
            screen.contains(r#""provider":"systemsway""#),
            "{shell}: {screen}"
        );
    }
}

#[test]
fn the_tab_key_completes_options_and_values_after_a_target() {
    if !["bash", "zsh", "script"].into_iter().all(installed) {
        return;
    }
    for (shell, rc) in SHELLS {
        let machine = configured();
        // Ctrl-A leads to the line's beginning.
        let keys: Vec<String> = LINES
            .iter()
            .map(|(typed, _)| format!("crmauth {typed}\t\u{1}echo "))
            .collect();
        let screen = typed(&machine, shell, rc, &keys.join("\n"));
        for (keys, line) in LINES {
            let line = format!("crmauth {line}");
            let echoed = |shown: &str| shown.trim().ends_with(&line) && !shown.contains("echo");
            let found = screen.lines().any(echoed);
            assert!(found, "{shell}: {keys}: {screen}");
        }
    }
}
