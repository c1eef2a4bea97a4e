//! Env files as editors, other programs and attackers leave them.

use std::os::unix::fs::{chown, symlink};

use super::*;
use crate::support::machine::make_pipe;

/// The scene's env file.
fn text(scene: &Scene) -> String {
    fs::read_to_string(scene.machine.path(".env")).expect("an env file")
}

/// The line of the first secret: its number, the variable, and the text before and behind it.
fn secret_line(scene: &Scene) -> (usize, String, String, String) {
    let text = text(scene);
    let lines: Vec<&str> = text.split_inclusive('\n').collect();
    let secret = |line: &&str| line.contains(scene.secret());
    let at = lines.iter().position(secret).expect("a secret");
    let variable = lines[at].split('=').next().expect("a variable").to_owned();
    let [before, rest] = [&lines[..at], &lines[at + 1..]].map(|lines| lines.concat());
    (at + 1, variable, before, rest)
}

/// A login that works with this env file.
fn works(row: u8, scene: &Scene, content: impl AsRef<[u8]>) {
    let kept = text(scene);
    scene.source(".env", content);
    welcome(scene);
    scene.hold(row, "login T", &delivered(scene));
    scene.source(".env", kept);
}

/// Verbs that would log in, and how each ends where the settings are refused.
const VERBS: [(&str, i32); 4] = [
    ("login T", 2),
    ("token T --json", 2),
    ("exec T -vv -- env", 125),
    ("api T PATH", 2),
];

/// Logins with each of these env files, in turn by one verb and another, are refused before anything is sent.
fn are_refused(row: u8, scene: &Scene, contents: impl IntoIterator<Item = Vec<u8>>, says: &[&str]) {
    let kept = text(scene);
    for (content, (line, code)) in contents.into_iter().zip(VERBS.into_iter().cycle()) {
        scene.source(".env", content);
        scene.hold(row, line, &before_any_request(code, says));
    }
    scene.source(".env", kept);
}

#[test]
fn line_ends_and_marks_of_other_systems() {
    each(|scene| {
        let plain = text(scene);
        works(60, scene, plain.replace('\n', "\r\n"));
        works(61, scene, format!("\u{feff}{plain}"));
        let both = format!("\u{feff}{}", plain.replace('\n', "\r\n"));
        works(61, scene, both);
    });
}

#[test]
fn values_that_readers_disagree_on() {
    each(|scene| {
        let (number, variable, before, rest) = secret_line(scene);
        let line = format!("line {number}");
        // A secret without what only quotes can hold, so that the fault is the one that is meant.
        let word = scene
            .secret()
            .replace(|c: char| !c.is_ascii_alphanumeric(), "");
        scene.canary(Canary::of(Class::Setting, &word));
        let with = |value: &[u8]| {
            let [before, rest] = [before.as_bytes(), rest.as_bytes()];
            [before, variable.as_bytes(), b"=", value, b"\n", rest].concat()
        };
        let says = [&*line, &variable, "hint: "];
        for (row, values) in [
            (62, r#"WORD$word|"WORD${word}"|'WORD${word}'"#),
            (63, r#"WORD #cd|WORDdon't|'WORD|"WORD\q"|'WORD\\x'"#),
            (64, "'WORD\nmore'|'WORD\0'|\"WORD"),
        ] {
            let values = values.split('|').map(|value| value.replace("WORD", &word));
            let contents = values.map(|value| with(value.as_bytes()));
            are_refused(row, scene, contents, &says);
        }
        let latin = with(&[word.as_bytes(), b"\xe9"].concat());
        are_refused(64, scene, [latin], &says);
    });
}

#[test]
fn lines_of_other_programs() {
    each(|scene| {
        let plain = text(scene);
        let others =
            b"OTHER=a$b #c\nDONT=don't\nMULTI='one\ntwo'\nNUL=a\0b\nBAD=\xff\xfe\nexport X=\"\\q\"\n";
        works(64, scene, [others, plain.as_bytes()].concat());
    });
}

#[test]
fn a_file_of_two_megabytes() {
    each(|scene| {
        let content = format!("{}{}", text(scene), "# filler\n".repeat(250_000));
        let says = [".env", "larger than 1024 KiB", "hint: "];
        are_refused(64, scene, [content.into_bytes()], &says);
        // To the byte.
        let full = 1024 * 1024 - text(scene).len();
        let (fits, larger) = ("#".repeat(full), "#".repeat(full + 1));
        works(64, scene, text(scene) + &fits);
        let larger = (text(scene) + &larger).into_bytes();
        are_refused(64, scene, [larger], &says[1..2]);
    });
}

#[test]
fn the_environment_wins() {
    each(|scene| {
        let (number, variable, ..) = secret_line(scene);
        let plain = text(scene);
        let name = scene.variable("URL");
        let url = scene.server.url();
        let environment = |name: &str| format!("{name} from the environment");
        let wins = |scene: &Scene, says: &[String]| {
            welcome(scene);
            let promise = delivered(scene).says(says);
            scene.hold(65, "login T -v", &promise);
        };
        // The same server in another spelling, so that the file's secret is for it.
        let spelt = format!("{}/", url.replace("http:", "HTTP:"));
        scene.machine.set(&name, &spelt);
        let from = format!("{variable} from ./.env line {number}");
        wins(scene, &[environment(&name), from]);
        // Both are the environment's, whatever the file says of either. No canary: it stands in the program's own.
        let machine = &mut scene.machine;
        machine.set(&variable, "An0therSecretOfTheEnvironment");
        let elsewhere = plain.replace(&url, "https://nowhere.invalid");
        for content in [&plain, &elsewhere] {
            scene.source(".env", content);
            wins(scene, &[environment(&name), environment(&variable)]);
        }
        scene.machine.unset(&variable).unset(&name);
        scene.source(".env", plain);
    });
}

#[test]
fn a_files_secret_meets_no_other_server_of_the_environment() {
    each(|scene| {
        let (_, variable, ..) = secret_line(scene);
        let plain = text(scene);
        let name = scene.variable("URL");
        let url = scene.server.url();
        scene.source(".env", plain.replace(&url, "https://nowhere.invalid"));
        scene.machine.set(&name, &url);
        let told = format!("{name} in the environment names a server other than ./.env line");
        for (line, code) in VERBS.into_iter().chain([("login T --env-file ./.env", 2)]) {
            let promise = before_any_request(code, &[&told, &variable, "hint: "]);
            scene.hold(65, line, &promise);
        }
        scene.machine.unset(&name);
        scene.source(".env", plain);
    });
}

#[test]
fn a_planted_url_meets_no_secret_from_elsewhere() {
    each(|scene| {
        let (_, variable, before, rest) = secret_line(scene);
        // No canary: what a person puts into the environment stands in the program's own.
        let machine = &mut scene.machine;
        machine.set(&variable, "Pl4ntedSecretOfTheEnvironment");
        let plain = text(scene);
        scene.source(".env", format!("{before}{rest}"));
        for (line, code) in [
            ("login T", 2),
            ("token T --json", 2),
            ("exec T -- env", 125),
            ("api T PATH -vv", 2),
        ] {
            let planted = "a planted file could send the secret to another server";
            let promise = before_any_request(code, &[planted, &variable, "hint: "]);
            scene.hold(65, line, &promise.unsaid(&["Pl4nted"]));
        }
        scene.machine.unset(&variable);
        scene.source(".env", plain);
    });
}

#[test]
fn settings_that_are_not_there() {
    each(|scene| {
        let plain = text(scene);
        let lines = plain.lines().filter_map(|line| line.split_once('='));
        let names: Vec<&str> = lines.map(|(name, _)| name).collect();
        let with = |value: &str| -> String {
            let lines = names.iter().map(|name| format!("{name}={value}\n"));
            lines.collect()
        };
        let [bare, quoted, blank, double] = ["", "''", "'   '", "\"\""].map(with);
        let contents = [bare, quoted, blank, double, String::new()];
        let says = [&names[..], &["hint: "]].concat();
        are_refused(66, scene, contents.map(String::into_bytes), &says);
    });
}

#[test]
fn files_that_cannot_be_read_as_such() {
    each(|scene| {
        fs::create_dir(scene.machine.path("folder")).expect("a folder");
        for (file, why) in [
            ("missing", "there is no such file"),
            ("folder", "is a folder"),
        ] {
            for line in ["login T", "token T --json"] {
                let command = scene.command(&format!("{line} --env-file {file}"));
                let promise = before_any_request(2, &[file, why, "hint: "]);
                hold(67, scene, command, &promise);
            }
        }
        // An implicit one is passed over.
        let plain = text(scene);
        let path = scene.machine.path(".env");
        let url = scene.variable("URL");
        for kind in ["folder", "fifo", "link", "none"] {
            fs::remove_file(&path).expect("an env file");
            match kind {
                "folder" => fs::create_dir(&path).expect("a folder"),
                "fifo" => make_pipe(&path),
                "link" => symlink("nothing", &path).expect("a link"),
                _ => {}
            }
            let promise = before_any_request(2, &[&url, "./.env (", "hint: "]);
            scene.hold(67, "login T", &promise);
            match kind {
                "folder" => fs::remove_dir(&path).expect("a folder"),
                _ => drop(fs::remove_file(&path)),
            }
            fs::write(&path, &plain).expect("an env file");
        }
    });
}

#[test]
fn files_of_others_or_open_to_them() {
    each(|scene| {
        let path = scene.machine.path(".env");
        set_mode(&path, 0o644);
        welcome(scene);
        let told = "./.env contains a secret, and others can read it";
        let promise = delivered(scene).says(&[told]);
        scene.hold(67, "login T", &promise);
        set_mode(&path, 0o600);
        // Only root can give files away, and root can read what it has given away.
        if chown(&path, Some(12_345), None).is_ok() {
            let promise = before_any_request(2, &["./.env belongs to another user", "hint: "]);
            scene.hold(67, "login T", &promise);
            welcome(scene);
            scene.hold(67, "login T --env-file .env", &delivered(scene));
            // Without settings of ours it is nobody's affair.
            fs::write(&path, "OTHER=1\n").expect("an env file");
            let told = "./.env (another user's file without crmauth's settings)";
            let promise = before_any_request(2, &[told]);
            scene.hold(67, "login T", &promise);
        }
    });
}

#[test]
fn the_file_of_a_parent_folder() {
    each(|scene| {
        fs::create_dir(scene.machine.path("child")).expect("a folder");
        let command = script(scene, "cd child && crmauth login T");
        let url = scene.variable("URL");
        let promise = before_any_request(2, &[&url, "./.env (not found)"]);
        hold(68, scene, command, &promise);
        // Its session is stored, which is all that is asked.
        let command = script(scene, "cd child && crmauth status 2>/dev/null >&2");
        hold(68, scene, command, &Promise::exit(0).offline());
    });
}
