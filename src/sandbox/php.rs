//! What PHP itself writes into an answer where display_errors is on.

/// A message that PHP goes on after: `Warning`, `Deprecated`.
pub(super) fn notice(kind: &str, text: &str, file: &str, line: u32) -> String {
    format!(
        "<br />\n<b>{kind}</b>:  {text} in <b>/var/www/crm/{file}</b> on line <b>{line}</b><br />\n"
    )
}

/// The message that PHP dies with; the status stays 200.
pub(super) fn fatal(error: &str, file: &str, line: u32) -> String {
    let trace = format!(
        "Uncaught {error} in /var/www/crm/{file}:{line}\nStack trace:\n#0 {{main}}\n  thrown"
    );
    notice("Fatal error", &trace, file, line)
}
