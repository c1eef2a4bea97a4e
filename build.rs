//! Tells the program which commit it was built from, and for which target.
#![expect(
    clippy::disallowed_methods,
    reason = "cargo speaks to a build script by variables"
)]

use std::path::Path;
use std::process::Command;

/// What a source tree without git and without cargo's note of it can say.
const UNKNOWN: &str = "unknown";
/// What a debug build says: it is built again and again between commits, and is not for keeping.
const DEBUG: &str = "none, a debug build";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let release = variable("PROFILE").as_deref() == Some("release");
    let commit = if release { commit() } else { DEBUG.to_owned() };
    println!("cargo:rustc-env=CRMAUTH_COMMIT={commit}");
    println!(
        "cargo:rustc-env=CRMAUTH_BUILD_TARGET={}",
        variable("TARGET").unwrap_or_default()
    );
}

/// The commit as git says, else as `cargo package` noted it. The script runs again when the commit changes, and
/// only then.
fn commit() -> String {
    // Above a source tree that was unpacked somewhere there may be a repository of something else.
    if !Path::new(".git").exists() {
        return packaged().unwrap_or_else(|| UNKNOWN.to_owned());
    }
    for name in ["HEAD", "logs/HEAD", "packed-refs"] {
        // A file that does not exist would count as changed each time.
        if let Some(path) =
            git(&["rev-parse", "--git-path", name]).filter(|path| Path::new(path).exists())
        {
            println!("cargo:rerun-if-changed={path}");
        }
    }
    git(&["log", "-1", "--format=%H (%cs)"]).unwrap_or_else(|| UNKNOWN.to_owned())
}

fn git(arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
    (output.status.success() && !text.is_empty()).then_some(text)
}

/// The commit in `.cargo_vcs_info.json`, which `cargo package` puts into its archive.
fn packaged() -> Option<String> {
    let text = std::fs::read_to_string(".cargo_vcs_info.json").ok()?;
    let (_, rest) = text.split_once("\"sha1\"")?;
    let commit: String = rest
        .chars()
        .skip_while(|c| !c.is_ascii_hexdigit())
        .take(40)
        .collect();
    (commit.len() == 40).then_some(commit)
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}
