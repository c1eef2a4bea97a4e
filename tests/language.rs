//! The language of what people read: who chooses it, and what it leaves as it is.

use crate::support::Machine;

/// What the program says of a target that has no settings, in both languages.
const ENGLISH: &str = "error: gluo: not set";
const PORTUGUESE: &str = "erro: gluo: ";

#[test]
fn the_flag_goes_before_the_variable_and_the_variable_before_the_locale() {
    let run = |line: &str, variables: &[(&str, &str)]| {
        let mut machine = Machine::new();
        variables.iter().for_each(|(name, value)| {
            machine.set(name, value);
        });
        machine.run(line)
    };
    let plain = "token gluo";
    for (line, variables) in [
        (plain, &[("LANG", "pt_BR.UTF-8")][..]),
        (plain, &[("LC_ALL", "pt_BR"), ("LANG", "en_US.UTF-8")]),
        (plain, &[("LC_MESSAGES", "pt_PT.UTF-8"), ("LANG", "C.UTF-8")]),
        (plain, &[("CRMAUTH_LANG", "pt-BR"), ("LC_ALL", "C")]),
        ("token gluo --lang pt-BR", &[("CRMAUTH_LANG", "en"), ("LC_ALL", "en_US.UTF-8")]),
        ("--lang pt_BR token gluo", &[]),
    ] {
        run(line, variables).fails(2, &[PORTUGUESE]);
    }
    for (line, variables) in [
        (plain, &[][..]),
        (plain, &[("LANG", "de_DE.UTF-8")]),
        (plain, &[("LC_ALL", "C.UTF-8"), ("LANG", "pt_BR.UTF-8")]),
        (plain, &[("CRMAUTH_LANG", "en"), ("LANG", "pt_BR.UTF-8")]),
        ("token gluo --lang EN", &[("CRMAUTH_LANG", "pt-BR"), ("LANG", "pt_BR.UTF-8")]),
    ] {
        run(line, variables).fails(2, &[ENGLISH]);
    }
}

#[test]
fn a_language_that_nobody_here_speaks_is_refused() {
    let mut machine = Machine::new();
    machine.run("token gluo --lang fr").fails(2, &["error: ", "'fr'", "hint: "]);
    machine.set("CRMAUTH_LANG", "fr");
    machine.run("token gluo").fails(2, &["error: CRMAUTH_LANG ", "hint: it takes en or pt-BR"]);
    machine.set("LANG", "pt_BR.UTF-8");
    machine.run("token gluo").fails(2, &["erro: CRMAUTH_LANG ", "dica: use en ou pt-BR"]);
    let refused = machine.run("token gluo -f sh");
    assert_eq!((refused.code, refused.stdout.as_str()), (2, "false\n"), "{}", refused.stderr);
    assert_eq!(machine.run("exec gluo -- true").code, 125);
    machine.run("token gluo --lang en").fails(2, &[ENGLISH]);
}
