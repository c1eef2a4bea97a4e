//! Arguments and environment in, exit code out.

use std::process::ExitCode;

use crmauth::settings::Environment;

#[expect(
    clippy::disallowed_methods,
    reason = "this is the one place where the environment is read"
)]
fn main() -> ExitCode {
    let folder = std::env::current_dir().unwrap_or_default();
    let environment = Environment::new(std::env::vars_os(), folder);
    ExitCode::from(crmauth::run(std::env::args_os().collect(), &environment))
}
