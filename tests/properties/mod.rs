//! What must hold for bytes that nobody thought of. Each property takes any bytes and panics where it does not
//! hold; the fuzz targets and the tests over their corpus share them.

mod answer;
mod envfile;
mod forms;
mod header;
mod lifetime;
mod object;
mod redactor;
mod store;
mod url;

use crmauth::error::Error;
use crmauth::report::{Manner, Report};

/// Panics where it does not hold.
pub type Property = fn(&[u8]);

/// Every property under the name of its fuzz target.
pub static ALL: &[(&str, Property)] = &[
    ("answer", answer::holds),
    ("envfile", envfile::holds),
    ("header", header::holds),
    ("lifetime", lifetime::holds),
    ("object", object::holds),
    ("redactor", redactor::holds),
    ("store", store::holds),
    ("url", url::holds),
];

/// Runs the property of that name.
pub fn hold(name: &str, data: &[u8]) {
    let (_, property) = ALL
        .iter()
        .find(|(known, _)| *known == name)
        .expect("a property of that name");
    property(data);
}

/// The text in all properties' seeds that no message may show.
const CANARY: &str = "Zk7\"q<\u{e9}&+%2w\\9";

/// An error's sentence and its hint as people read them.
fn shown(report: &Report, error: &Error) -> Vec<String> {
    let json = report.error_json(error);
    let texts = ["message", "hint"]
        .iter()
        .filter_map(|name| json[name].as_str().map(str::to_owned));
    texts.inspect(|text| one_harmless_line(text)).collect()
}

/// A report that knows no secret and says nothing by itself.
fn silent() -> Report {
    Report::new(Manner {
        quiet: true,
        ..Manner::default()
    })
}

/// What holds for every line that people read: printable, one line, no CI command.
fn one_harmless_line(line: &str) {
    assert!(
        !line.chars().any(crmauth::secret::foreign::unseen),
        "an unseen character: {line:?}"
    );
    assert!(
        !line.starts_with("::") && !line.contains("##[") && !line.contains("##vso["),
        "a command: {line}"
    );
}
