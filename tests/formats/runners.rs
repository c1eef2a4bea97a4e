//! What CI runners and PowerShell make of an output, by the rules that their sources and their documents give.
//! Written apart from the formats, which they check.

use super::readers::Pairs;

/// The runner's rules for a line on stdout: `TryParseV2` and `UnescapeData` in `src/Runner.Common/ActionCommand.cs`
/// of github.com/actions/runner. Escapes are undone in this order, `%25` last.
pub fn github_masks(stdout: &str) -> Vec<String> {
    stdout
        .lines()
        .map(|line| {
            let rest = line.trim_start().strip_prefix("::").expect("a command");
            let (command, data) = rest.split_once("::").expect("data");
            assert_eq!(command, "add-mask");
            data.replace("%0D", "\r")
                .replace("%0A", "\n")
                .replace("%25", "%")
        })
        .collect()
}

/// The runner's rules for the file that `GITHUB_ENV` names: `SetEnvFileCommand.ProcessCommand` in
/// `src/Runner.Worker/FileCommandManager.cs` of github.com/actions/runner. A line whose `=` comes before any
/// `<<` is `NAME=VALUE`; else it is `NAME<<DELIMITER`, and the value goes to the line that equals it.
pub fn github_env(text: &str) -> Pairs {
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

/// GitLab's rules: `app/services/ci/parse_dotenv_artifact_service.rb` of gitlab.com/gitlab-org/gitlab scans each
/// line with `/^(.*?)=(.*)$/`, strips both sides, and knows neither quotes nor comments nor empty lines.
pub fn gitlab_report(text: &str) -> Pairs {
    assert!(text.len() < GITLAB_MAX);
    text.lines()
        .map(|line| {
            let (name, value) = line.split_once('=').expect("Invalid Format");
            (name.trim().to_owned(), value.trim().to_owned())
        })
        .collect()
}

/// It takes less than 5 KiB.
pub const GITLAB_MAX: usize = 5 * 1024;

/// The variables are no raw ones, so that the server (`lib/expand_variables.rb`) expands `$name`, `${name}` and
/// `%name%`, and the runner (`common/variables.go`) whatever Go's `os.Expand` does.
pub fn gitlab_expands(value: &str) -> bool {
    value.contains('$')
        || value.match_indices('%').any(|(at, _)| {
            let rest = &value[at + 1..];
            let name = rest
                .split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
                .next()
                .unwrap_or_default();
            rest[name.len()..].starts_with('%') && name.starts_with(|c: char| !c.is_ascii_digit())
        })
}

/// The agent's rules: `Command.TryParse` and `CommandStringConvertor.Unescape` of
/// github.com/microsoft/azure-pipelines-agent. The command is found anywhere in the line and ends at the first
/// `]`; escapes are undone in this order, `%AZP25` last.
pub fn azure_variables(stdout: &str) -> Pairs {
    stdout
        .lines()
        .map(|line| {
            let unescape = |text: &str| {
                [
                    ("%3B", ";"),
                    ("%0D", "\r"),
                    ("%0A", "\n"),
                    ("%5D", "]"),
                    ("%AZP25", "%"),
                ]
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
            assert_eq!(
                property("issecret").as_deref() == Some("true"),
                name.ends_with("TOKEN")
            );
            (name, unescape(data))
        })
        .collect()
}

/// Before each step `Variables.RecalculateExpanded` replaces `$(name)`.
pub fn azure_expands(value: &str) -> bool {
    value.find("$(").is_some_and(|at| value[at..].contains(')'))
}

/// PowerShell's rule for a single-quoted string (about_Quoting_Rules, and `ScanStringLiteral` in `tokenizer.cs` of
/// github.com/PowerShell/PowerShell): nothing is expanded, one quote ends it, two stand for the second. Five
/// characters are single quotes to it.
pub fn powershell_variables(text: &str) -> Pairs {
    let quote = |c: &char| ['\'', '\u{2018}', '\u{2019}', '\u{201a}', '\u{201b}'].contains(c);
    let mut rest = text.chars().peekable();
    let mut read = Vec::new();
    while rest.peek().is_some() {
        assert!(
            "$env:".chars().all(|c| rest.next() == Some(c)),
            "a variable"
        );
        let mut name = String::new();
        while let Some(c) = rest.next_if(|c| c.is_ascii_alphanumeric() || *c == '_') {
            name.push(c);
        }
        assert!(
            " = ".chars().all(|c| rest.next() == Some(c)),
            "an assignment"
        );
        assert!(rest.next().is_some_and(|c| quote(&c)), "a string");
        let mut value = String::new();
        while let Some(mut c) = rest.next() {
            if quote(&c) {
                match rest.next_if(quote) {
                    Some(second) => c = second,
                    None => break,
                }
            }
            value.push(c);
        }
        assert_eq!(rest.next(), Some('\n'), "{name} ends with its line");
        read.push((name, value));
    }
    read
}
