//! Each format is read back by its real reader, for every character that a token may hold.

use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::process::Command;

use crate::support::tools::skipped;
use crmauth::error::{Cause, Result};
use crmauth::output::{Entry, Outcome, Rendered, Shape, find, render};
use crmauth::session::Session;
use crmauth::spec::{Ageing, BaseUrl, Placement, Spec, Target};

static DEMO: Spec = Spec {
    id: "demo",
    aliases: &[],
    product: "",
    method: "",
    endpoint: "",
    example_url: "",
    fields: &[],
    seed_url: None,
    alternatives: &[],
    placement: Placement::Bearer,
    ageing: Ageing::Fixed,
    renewal: crmauth::spec::Renewal::Never,
    content_type: "application/json",
    impersonation: false,
};

const URL: &str = "https://h.example:8443/a%20b'c;d]e";
const EXPIRY: &str = "2026-01-02T04:04:05Z";

/// Each printable character alone, all of them at once, and what readers are known to trip over.
fn tokens() -> Vec<String> {
    let printable = || (0x21..=0x7eu8).map(char::from);
    let mut tokens: Vec<String> = printable().map(String::from).collect();
    tokens.push(printable().collect());
    tokens.push(printable().rev().collect());
    tokens.extend(
        [
            "-n",
            "-e",
            "--",
            "-",
            "--help",
            "$(id)",
            "`id`",
            "${HOME}",
            "$HOME",
            "$$",
            "!x!",
            "!!",
            "%0A",
            "%0D%0A",
            "%25",
            "%AZP25",
            "%3B%5D",
            "%HOME%",
            "%%",
            "''",
            "'",
            "'a",
            "a'",
            "\"a\"",
            "it's",
            r"\",
            r"\\",
            r"a\",
            r"\'",
            r"'\''",
            r"a\nb",
            r"\t\0",
            "a#b",
            "#a",
            "a=b",
            "=",
            "a;b",
            "a&&b",
            "a|b",
            "a>b",
            "<<EOF",
            "EOF",
            "~",
            "~root",
            "*",
            "?",
            "[a-z]",
            "{a,b}",
            "::stop::x",
            "##vso[x]",
            "##[x]",
            "a]b;c",
            "(id)",
            "a,b",
            "@x",
            "^a",
            "export",
            "0",
            "1e3",
            "true",
        ]
        .map(String::from),
    );
    tokens.push("x".repeat(4000));
    tokens
}

fn rendered(format: &str, token: &str) -> Result<Rendered> {
    let mut session = Session::new(token, "Bearer").expect(token);
    session.expires_at = Some(EXPIRY.parse().expect("a time"));
    let outcomes = [Outcome::Session(Entry {
        target: &Target { spec: &DEMO, account: Some("x".to_owned()) },
        url: &BaseUrl::parse(URL, "").expect("a URL"),
        session: &session,
    })];
    render(find(format).expect(format), &outcomes, &Shape::default())
}

/// The tokens with what `format` makes of them; those in `refused` must be refused and are left out.
fn written(format: &str, refused: impl Fn(&str) -> bool) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    for token in tokens() {
        match rendered(format, &token) {
            Ok(bytes) => {
                assert!(!refused(&token), "{format} took {token}");
                all.push((token, bytes.main.to_vec()));
            }
            Err(error) => {
                assert_eq!(error.cause, Cause::Format, "{format} {token}");
                assert!(refused(&token), "{format} refused {token}: {}", error.message.english());
            }
        }
    }
    all
}

/// Writes each output to a file of its own, `0`, `1`, …, lets the reader print what it read, a line each, and
/// compares.
fn read_back(
    program: &str,
    arguments: &[&str],
    all: &[(String, Vec<u8>)],
    expected: impl Fn(&str) -> String,
) {
    let dir = tempfile::tempdir().expect("a folder");
    for (index, (_, bytes)) in all.iter().enumerate() {
        fs::write(dir.path().join(index.to_string()), bytes).expect("a file");
    }
    let output = match command(program, dir.path()).args(arguments).output() {
        Err(error) if error.kind() == ErrorKind::NotFound => {
            skipped(program);
            return;
        }
        output => output.expect(program),
    };
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{program}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let read = String::from_utf8(output.stdout).expect("UTF-8");
    let expected: Vec<String> = all.iter().map(|(token, _)| expected(token)).collect();
    for (read, expected) in read.lines().zip(&expected) {
        assert_eq!(read, expected, "{program}");
    }
    assert_eq!(read, expected.join("\n") + "\n", "{program}");
}

fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir(folder).env_remove("BASH_ENV").env_remove("ENV");
    command
}

/// The token, then the other two, as one line.
fn all_three(token: &str) -> String {
    format!("{token} {EXPIRY} {URL}")
}

const PRINT_IN_SH: &str =
    r#"printf '%s %s %s\n' "$(printenv DEMO__X__TOKEN)" "$DEMO__X__TOKEN_EXPIRES_AT" "$DEMO__X__URL""#;

#[test]
fn shells_read_sh() {
    let all = written("sh", |_| false);
    let script =
        format!(r#"i=0; while [ -f "$i" ]; do eval "$(cat "$i")"; {PRINT_IN_SH}; i=$((i + 1)); done"#);
    read_back("sh", &["-c", &script], &all, all_three);
    read_back("dash", &["-c", &script], &all, all_three);
    read_back("bash", &["--norc", "-c", &script], &all, all_three);
    read_back("zsh", &["-f", "-c", &script], &all, all_three);
    read_back("zsh", &["-f", "-o", "rcquotes", "-c", &script], &all, all_three);
    read_back("ksh", &["-c", &script], &all, all_three);
}

#[test]
fn fish_reads_fish() {
    let script = "set i 0; while test -f $i; cat $i | source; \
                  echo (printenv DEMO__X__TOKEN) $DEMO__X__TOKEN_EXPIRES_AT $DEMO__X__URL; \
                  set i (math $i + 1); end";
    // `echo` takes options, so that the token's line does not begin with it.
    let script = script.replace("echo (", "echo '' (");
    read_back("fish", &["--no-config", "-c", &script], &written("fish", |_| false), |token| {
        format!(" {}", all_three(token))
    });
}

#[test]
fn powershell_reads_powershell() {
    let script = "$i = 0; while (Test-Path \"$i\") { Invoke-Expression (Get-Content -Raw \"$i\"); \
                  [Console]::Out.Write(\"{0} {1} {2}`n\" -f $env:DEMO__X__TOKEN, \
                  $env:DEMO__X__TOKEN_EXPIRES_AT, $env:DEMO__X__URL); $i++ }";
    read_back(
        "pwsh",
        &["-NoProfile", "-NonInteractive", "-Command", script],
        &written("powershell", |_| false),
        all_three,
    );
}

#[test]
fn what_stands_for_a_failure_fails_the_shell() {
    for (shell, format) in [("sh", "sh"), ("bash", "sh"), ("zsh", "sh"), ("fish", "fish")] {
        let code = find(format).expect(format).on_failure();
        let script = if format == "fish" { "cat f | source" } else { r#"eval "$(cat f)""# };
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("f"), code).expect("a file");
        match command(shell, dir.path()).args(["-c", script]).status() {
            Err(error) if error.kind() == ErrorKind::NotFound => skipped(shell),
            status => assert_eq!(status.expect(shell).code(), Some(1), "{shell}"),
        }
    }
}

#[test]
fn jq_reads_json() {
    let script = r#"jq -r '"\(.token) \(.expires_at) \(.url)"' $(ls | sort -n)"#;
    read_back("sh", &["-c", script], &written("json", |_| false), all_three);
}

fn no_env_file_can(token: &str) -> bool {
    token.contains("${")
        || token.contains('\'') && token.contains(['"', '\\', '$', '`'])
        || !token.contains('\'') && (token.contains(r"\\") || token.ends_with('\\'))
}

#[test]
fn every_reader_of_env_files_reads_env() {
    let all = written("env", no_env_file_can);
    for (token, bytes) in &all {
        let read: Vec<(String, String)> =
            dotenvy::from_read_iter(&bytes[..]).collect::<std::result::Result<_, _>>().expect(token);
        let expected = [("TOKEN", &**token), ("TOKEN_EXPIRES_AT", EXPIRY), ("URL", URL)]
            .map(|(name, value)| (format!("DEMO__X__{name}"), value.to_owned()));
        assert_eq!(read, expected);
    }
    let python = r#"
import os
import dotenv
i = 0
while os.path.exists(str(i)):
    print(*dotenv.dotenv_values(str(i)).values())
    i += 1
"#;
    if has("python3", "import dotenv", "-c") {
        read_back("python3", &["-c", python], &all, all_three);
    } else {
        skipped("python-dotenv");
    }
    let node = r#"
const fs = require("fs"), { parseEnv } = require("util");
for (let i = 0; fs.existsSync(String(i)); i++)
    console.log(Object.values(parseEnv(fs.readFileSync(String(i), "utf8"))).join(" "));
"#;
    if has("node", "if (!require('util').parseEnv) throw 0", "-e") {
        read_back("node", &["-e", node], &all, all_three);
    } else {
        skipped("node with parseEnv");
    }
    let script =
        format!(r#"i=0; while [ -f "$i" ]; do set -a; . "./$i"; set +a; {PRINT_IN_SH}; i=$((i + 1)); done"#);
    for shell in ["sh", "bash", "zsh"] {
        read_back(shell, &["-c", &script], &all, all_three);
    }
}

fn has(program: &str, script: &str, flag: &str) -> bool {
    Command::new(program).args([flag, script]).output().is_ok_and(|output| output.status.success())
}

#[test]
fn curl_sends_header() {
    if !has("curl", "--version", "-q") {
        skipped("curl");
        return;
    }
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}/", listener.local_addr().expect("an address"));
    let dir = tempfile::tempdir().expect("a folder");
    let all = written("header", |_| false);
    let awkward: Vec<_> = all.iter().filter(|(token, _)| token.len() > 1).collect();
    for (token, bytes) in awkward {
        fs::write(dir.path().join("header"), bytes).expect("a file");
        let mut child = command("curl", dir.path())
            .args(["-s", "--noproxy", "*", "-o", "answer", "-H", "@header", &url])
            .spawn()
            .expect("curl");
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = Vec::new();
        let mut part = [0; 8192];
        while !request.ends_with(b"\r\n\r\n") {
            let count = stream.read(&mut part).expect("a request");
            assert!(count > 0, "a whole request");
            request.extend_from_slice(&part[..count]);
        }
        stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").expect("an answer");
        assert!(child.wait().expect("curl").success());
        let request = String::from_utf8(request).expect("UTF-8");
        let sent = request.lines().find_map(|line| line.strip_prefix("Authorization: "));
        assert_eq!(sent, Some(&*format!("Bearer {token}")));
    }
}

/// The runner's rules for a line on stdout: `TryParseV2` and `UnescapeData` in `src/Runner.Common/ActionCommand.cs`
/// of github.com/actions/runner. Escapes are undone in this order, `%25` last.
fn github_masks(stdout: &str) -> Vec<String> {
    stdout
        .lines()
        .map(|line| {
            let rest = line.trim_start().strip_prefix("::").expect("a command");
            let (command, data) = rest.split_once("::").expect("data");
            assert_eq!(command, "add-mask");
            data.replace("%0D", "\r").replace("%0A", "\n").replace("%25", "%")
        })
        .collect()
}

/// The runner's rules for the file that `GITHUB_ENV` names: `SetEnvFileCommand.ProcessCommand` in
/// `src/Runner.Worker/FileCommandManager.cs` of github.com/actions/runner. A line whose `=` comes before any
/// `<<` is `NAME=VALUE`; else it is `NAME<<DELIMITER`, and the value goes to the line that equals it.
fn github_env(text: &str) -> Vec<(String, String)> {
    let mut lines = text.split_terminator('\n');
    let mut read = Vec::new();
    while let Some(line) = lines.next() {
        if line.is_empty() {
            continue;
        }
        let (equals, heredoc) = (line.find('='), line.find("<<"));
        if equals.is_some_and(|equals| heredoc.is_none_or(|heredoc| equals < heredoc)) {
            let (name, value) = line.split_once('=').expect("=");
            read.push((name.to_owned(), value.to_owned()));
        } else {
            let (name, delimiter) = line.split_once("<<").expect("invalid format");
            assert!(!name.is_empty() && !delimiter.is_empty());
            let mut value = Vec::new();
            loop {
                match lines.next().expect("matching delimiter not found") {
                    line if line == delimiter => break,
                    line => value.push(line),
                }
            }
            read.push((name.to_owned(), value.join("\n")));
        }
    }
    read
}

fn three(token: &str) -> Vec<(String, String)> {
    [("TOKEN", token), ("TOKEN_EXPIRES_AT", EXPIRY), ("URL", URL)]
        .map(|(name, value)| (format!("DEMO__X__{name}"), value.to_owned()))
        .to_vec()
}

#[test]
fn githubs_runner_reads_github() {
    for token in tokens() {
        let rendered = rendered("github", &token).expect(&token);
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("UTF-8");
        assert_eq!(github_masks(&text(&rendered.main)), [&*token]);
        let block = text(rendered.github_env.as_ref().expect("an env block"));
        assert_eq!(github_env(&block), three(&token));
        let mut expected = vec![("A".to_owned(), "1".to_owned())];
        expected.extend(three(&token));
        assert_eq!(github_env(&format!("A=1\n{block}")), expected);
    }
}

/// GitLab's rules: `app/services/ci/parse_dotenv_artifact_service.rb` of gitlab.com/gitlab-org/gitlab scans each
/// line with `/^(.*?)=(.*)$/`, strips both sides, knows neither quotes nor comments nor empty lines, and takes
/// less than 5 KiB. The variables are no raw ones, so that the server (`lib/expand_variables.rb`) expands
/// `$name`, `${name}` and `%name%`, and the runner (`common/variables.go`) whatever Go's `os.Expand` does.
fn gitlab_report(text: &str) -> Vec<(String, String)> {
    assert!(text.len() < 5 * 1024);
    text.lines()
        .map(|line| {
            let (name, value) = line.split_once('=').expect("Invalid Format");
            (name.trim().to_owned(), value.trim().to_owned())
        })
        .inspect(|(_, value)| {
            assert!(!value.contains('$'), "expanded: {value}");
            let parts: Vec<&str> = value.split('%').collect();
            for name in parts.iter().skip(1).rev().skip(1) {
                let word = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
                let digit = name.bytes().next().is_none_or(|b| b.is_ascii_digit());
                assert!(!word || digit, "expanded: {value}");
            }
        })
        .collect()
}

#[test]
fn gitlab_reads_gitlab() {
    for (token, bytes) in written("gitlab", |token| token.contains('$') || token == "%HOME%") {
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(gitlab_report(&text), three(&token));
    }
    let error = rendered("gitlab", &"x".repeat(5 * 1024)).err().expect("too large");
    assert_eq!(error.cause, Cause::Format);
}

/// The agent's rules: `Command.TryParse` and `CommandStringConvertor.Unescape` of
/// github.com/microsoft/azure-pipelines-agent. The command is found anywhere in the line and ends at the first
/// `]`; escapes are undone in this order, `%AZP25` last. Before each step `Variables.RecalculateExpanded`
/// replaces `$(name)`.
fn azure_variables(stdout: &str) -> Vec<(String, String)> {
    stdout
        .lines()
        .map(|line| {
            let unescape = |text: &str| {
                [("%3B", ";"), ("%0D", "\r"), ("%0A", "\n"), ("%5D", "]"), ("%AZP25", "%")]
                    .iter()
                    .fold(text.to_owned(), |text, (escape, c)| text.replace(escape, c))
            };
            let command = &line[line.find("##vso[").expect("a command") + 6..];
            let (info, data) = command.split_once(']').expect("]");
            let (name, properties) = info.split_once(' ').expect("properties");
            assert_eq!(name, "task.setvariable");
            let property = |key: &str| {
                properties
                    .split(';')
                    .filter_map(|pair| pair.split_once('='))
                    .find(|(name, _)| name.eq_ignore_ascii_case(key))
                    .map(|(_, value)| unescape(value))
            };
            let name = property("variable").expect("a name");
            assert_eq!(property("issecret").as_deref() == Some("true"), name.ends_with("TOKEN"));
            let value = unescape(data);
            if let Some(at) = value.find("$(") {
                assert!(!value[at..].contains(')'), "expanded: {value}");
            }
            (name, value)
        })
        .collect()
}

#[test]
fn azures_agent_reads_azure() {
    for (token, bytes) in written("azure", |token| token == "$(id)") {
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_eq!(azure_variables(&text), three(&token));
    }
}

#[test]
fn plain_is_read_by_anything() {
    for (token, bytes) in written("plain", |_| false) {
        assert_eq!(bytes, format!("{token}\n").into_bytes());
    }
}
