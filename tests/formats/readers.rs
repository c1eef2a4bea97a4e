//! The programs that outputs are made for, each asked what it has read.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use crate::support::tools::skipped;

/// Variables with their values.
pub type Pairs = Vec<(String, String)>;

/// A program that reads the file `f` and writes each variable as `NAME=VALUE`, ended by a NUL.
pub struct Reader {
    /// What the report calls it where it is missing.
    pub name: &'static str,
    program: &'static str,
    arguments: &'static [&'static str],
}

const fn reader(program: &'static str, arguments: &'static [&'static str]) -> Reader {
    Reader {
        name: program,
        program,
        arguments,
    }
}

const EVAL: &str = r#"eval "$(cat f)" && exec env -0"#;
const SOURCE: &str = "set -a && . ./f && exec env -0";

pub static SH: &[Reader] = &[
    reader("sh", &["-c", EVAL]),
    reader("dash", &["-c", EVAL]),
    reader("bash", &["--norc", "-c", EVAL]),
    reader("bash", &["--norc", "--posix", "-c", EVAL]),
    reader("zsh", &["-f", "-c", EVAL]),
    reader("zsh", &["-f", "-o", "rcquotes", "-c", EVAL]),
    reader("ksh", &["-c", EVAL]),
];

pub static FISH: &[Reader] = &[reader(
    "fish",
    &["--no-config", "-c", "cat f | source; and exec env -0"],
)];

pub static POWERSHELL: &[Reader] = &[reader(
    "pwsh",
    &[
        "-NoProfile",
        "-NonInteractive",
        "-Command",
        "Invoke-Expression (Get-Content -Raw f); \
         Get-ChildItem env: | ForEach-Object { [Console]::Out.Write(\"{0}={1}`0\" -f $_.Name, $_.Value) }",
    ],
)];

/// The names are those that other formats use, and `PREFIX_USER`.
pub static JSON: &[Reader] = &[reader(
    "jq",
    &[
        "-j",
        r#".[] | (.target | ascii_upcase | sub("@"; "__")) as $prefix
        | ["TOKEN", .token], ["TOKEN_EXPIRES_AT", .expires_at], ["URL", .url], ["USER", .user]
        | select(.[1] != null) | "\($prefix)__\(.[0])=\(.[1])\u0000""#,
        "f",
    ],
)];

pub static ENV: &[Reader] = &[
    Reader {
        name: "python-dotenv",
        program: "python3",
        arguments: &[
            "-c",
            "import dotenv\n\
             for pair in dotenv.dotenv_values('f').items(): print('='.join(pair), end='\\0')",
        ],
    },
    Reader {
        name: "node with parseEnv",
        program: "node",
        arguments: &[
            "-e",
            r#"const text = require("fs").readFileSync("f", "utf8");
            for (const pair of Object.entries(require("util").parseEnv(text)))
                process.stdout.write(pair.join("=") + "\0");"#,
        ],
    },
    reader("sh", &["-c", SOURCE]),
    reader("bash", &["-c", SOURCE]),
    reader("zsh", &["-f", "-c", SOURCE]),
];

/// It reads a header of its own for each request, so that it only stands here to be looked for.
pub static CURL: &[Reader] = &[reader("curl", &[])];

impl Reader {
    /// Whether it is installed; says so where it is not.
    fn installed(&self) -> bool {
        let probe: &[&str] = match self.name {
            "python-dotenv" => &["-c", "import dotenv"],
            "node with parseEnv" => &["-e", "if (!require('util').parseEnv) throw 0"],
            "dash" | "ksh" | "sh" => &["-c", ":"],
            _ => &["--version"],
        };
        let found = match Command::new(self.program).args(probe).output() {
            Err(error) if error.kind() == ErrorKind::NotFound => false,
            ran => ran.expect(self.program).status.success(),
        };
        if !found {
            skipped(self.name);
        }
        found
    }

    fn read(&self, bytes: &[u8]) -> Pairs {
        let dir = tempfile::tempdir().expect("a folder");
        fs::write(dir.path().join("f"), bytes).expect("a file");
        let output = command(self.program, dir.path())
            .args(self.arguments)
            .output()
            .expect(self.program);
        assert!(
            output.status.success() && output.stderr.is_empty(),
            "{}: {}",
            self.name,
            String::from_utf8_lossy(&output.stderr)
        );
        let text = String::from_utf8(output.stdout).expect("UTF-8");
        text.split_terminator('\0')
            .map(|pair| pair.split_once('=').expect(pair))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }
}

/// Those of the readers that are installed.
pub fn installed(readers: &'static [Reader]) -> Vec<&'static Reader> {
    readers.iter().filter(|reader| reader.installed()).collect()
}

/// Every one of them reads these variables and no others of these systems.
pub fn all_read(readers: &[&Reader], bytes: &[u8], expected: &[(String, String)]) {
    for reader in readers {
        same(reader.name, &reader.read(bytes), expected);
    }
}

/// The same for what a reader has read.
pub fn same(reader: &str, read: &[(String, String)], expected: &[(String, String)]) {
    let ours = |name: &str| name.starts_with("DEMO__") || name.starts_with("SYSTEMSWAY__");
    let mut read: Vec<_> = read.iter().filter(|(name, _)| ours(name)).collect();
    let mut expected: Vec<_> = expected.iter().collect();
    read.sort();
    expected.sort();
    for (read, expected) in read.iter().zip(&expected) {
        assert_eq!(read, expected, "{reader}");
    }
    assert_eq!(read.len(), expected.len(), "{reader}");
}

/// A program in a folder, without what would change how a shell starts.
pub fn command(program: &str, folder: &Path) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env_remove("BASH_ENV")
        .env_remove("ENV");
    command
}
