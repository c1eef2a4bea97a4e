//! Programs that read our output back where they are installed.

/// Not to be had as Debian packages, so that CI goes without them.
const OPTIONAL: &[&str] = &["pwsh", "ksh", "node with parseEnv"];

/// Says that a check was left out; where every tool is required (`CRMAUTH_TEST_TOOLS`, set by `.ci/run`), fails.
#[expect(
    clippy::disallowed_methods,
    reason = "whether a missing tool is a failure is for the caller to say"
)]
#[expect(clippy::print_stdout, reason = "cargo test shows it with --nocapture")]
pub fn skipped(program: &str) {
    let required = std::env::var_os("CRMAUTH_TEST_TOOLS").is_some() && !OPTIONAL.contains(&program);
    assert!(!required, "{program} is not installed");
    println!("skipped: {program} not installed");
}
