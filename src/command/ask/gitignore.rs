//! Keeps a file with secrets out of git.

use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Makes git ignore a file, where it lies in a git folder and is not ignored yet; the file that now says so.
pub(super) fn ignore(file: &Path) -> io::Result<Option<PathBuf>> {
    let (Some(folder), Some(name)) = (file.parent(), file.file_name().and_then(|name| name.to_str())) else {
        return Ok(None);
    };
    let Some(root) = folder.ancestors().find(|folder| folder.join(".git").exists()) else { return Ok(None) };
    // The last word counts, and the nearest file speaks last.
    let mut between: Vec<&Path> = folder.ancestors().take_while(|folder| folder.starts_with(root)).collect();
    between.reverse();
    let own = |folder: &Path| (folder.to_owned(), folder.join(".gitignore"));
    let exclude = (root.to_owned(), root.join(".git/info/exclude"));
    let mut ignored = false;
    for (from, rules) in std::iter::once(exclude).chain(between.into_iter().map(own)) {
        let path = file.strip_prefix(&from).unwrap_or(file).to_string_lossy().into_owned();
        let rules = rules_of(&rules);
        ignored = verdict(&rules, &path).unwrap_or(ignored);
    }
    if ignored {
        return Ok(None);
    }
    let rules = folder.join(".gitignore");
    let old = rules_of(&rules);
    let crlf = old.lines().next().is_some_and(|first| old[first.len()..].starts_with("\r\n"));
    let end = if crlf { "\r\n" } else { "\n" };
    let before = if old.is_empty() || old.ends_with('\n') { "" } else { end };
    let mut options = std::fs::OpenOptions::new();
    options.append(true).create(true).open(&rules)?.write_all(format!("{before}{name}{end}").as_bytes())?;
    Ok(Some(rules))
}

/// A file's rules, none where there is no file. Names in another encoding than UTF-8 keep their places.
fn rules_of(path: &Path) -> String {
    String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()
}

/// What a `.gitignore` says of a file, `path` seen from its folder: the last rule that matches counts.
fn verdict(rules: &str, path: &str) -> Option<bool> {
    let name = path.rsplit('/').next().unwrap_or(path);
    let mut verdict = None;
    for rule in rules.lines().map(str::trim_end) {
        let (rule, ignored) = rule.strip_prefix('!').map_or((rule, true), |rule| (rule, false));
        let bare = rule.strip_prefix("**/").unwrap_or(rule);
        let matches = match bare.strip_prefix('/') {
            _ if bare.is_empty() || bare.starts_with('#') || bare.ends_with('/') => false,
            Some(anchored) => glob(anchored, path),
            None if bare.contains('/') => glob(bare, path),
            None => glob(bare, name),
        };
        if matches {
            verdict = Some(ignored);
        }
    }
    verdict
}

/// Whether a pattern of letters, `*` and `?` matches all of a text; neither stands for a slash.
fn glob(pattern: &str, text: &str) -> bool {
    let Some(first) = pattern.chars().next() else { return text.is_empty() };
    let rest = &pattern[first.len_utf8()..];
    match (first, text.chars().next()) {
        ('*', Some(c)) if c != '/' => glob(rest, text) || glob(pattern, &text[c.len_utf8()..]),
        ('*', _) => glob(rest, text),
        ('?', Some(c)) if c != '/' => glob(rest, &text[c.len_utf8()..]),
        (first, Some(c)) if first == c => glob(rest, &text[c.len_utf8()..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rules_in_another_encoding_stay_as_they_are() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join(".git")).expect("a folder");
        let rules = folder.path().join(".gitignore");
        std::fs::write(&rules, b"# configura\xe7\xe3o\n*.log").expect("a file");
        let file = folder.path().join(".env");
        assert_eq!(ignore(&file).expect("written"), Some(rules.clone()));
        assert_eq!(std::fs::read(&rules).expect("a file"), b"# configura\xe7\xe3o\n*.log\n.env\n");
        assert_eq!(ignore(&file).expect("read"), None);
    }

    #[test]
    fn rules_are_read_as_git_reads_them() {
        for (rules, path, expected) in [
            ("", ".env", None),
            (".env", ".env", Some(true)),
            (".env\r\n", "sub/.env", Some(true)),
            ("/.env", ".env", Some(true)),
            ("/.env", "sub/.env", None),
            ("sub/.env", "sub/.env", Some(true)),
            ("**/.env", "sub/.env", Some(true)),
            (".env*", ".env", Some(true)),
            ("*.env", ".env", Some(true)),
            (".e?v", ".env", Some(true)),
            ("*", ".env", Some(true)),
            (".env/", ".env", None),
            ("# .env", ".env", None),
            (".env.local", ".env", None),
            (".env\n!.env", ".env", Some(false)),
            ("!.env\n*", ".env", Some(true)),
            ("s*/.env", "sub/deep/.env", None),
        ] {
            assert_eq!(verdict(rules, path), expected, "{rules:?} {path}");
        }
    }
}
