//! What an env file's other reader, the seed script's python-dotenv, makes of the values that are taken.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crmauth::settings::{self, Environment, Sources};
use tokio::runtime::Runtime;

use super::*;
use crate::support::tools::skipped;

/// What readers disagree on, and a plain letter.
const PIECES: [&str; 10] = ["'", "\"", "\\", "$", "${a}", "#", " ", "\u{a0}", "`", "n"];

/// Every text of at most so many pieces.
fn texts(pieces: usize) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut longest = texts.clone();
    for _ in 0..pieces {
        let longer = |text: String| PIECES.map(|piece| format!("{text}{piece}"));
        longest = longest.into_iter().flat_map(longer).collect();
        texts.extend(longest.iter().cloned());
    }
    texts
}

/// Each text as it may be written for a field, without quotes and with them.
fn written() -> Vec<(&'static str, String)> {
    let mut written = Vec::new();
    for text in texts(3) {
        let quoted = ["'", "\""].map(|quote| [quote, &text, quote].concat());
        let all = quoted.into_iter().chain([text]);
        written.extend(all.map(|text| ("PASSWORD", text)));
    }
    for text in texts(2) {
        for field in ["USERNAME", "PASSWORD"] {
            let noted = [format!(" '{text}'\t# \"$a"), format!("\"{text}\" # it's")];
            written.extend(noted.map(|text| (field, text)));
        }
        written.extend([format!("{text} # it's"), text].map(|text| ("USERNAME", text)));
    }
    written
}

/// What a login gets for a field from a file with this line, if the line is taken.
fn taken(folder: &Path, runtime: &Runtime, field: &str, written: &str) -> Option<String> {
    let other = match field {
        "USERNAME" => "PASSWORD",
        _ => "USERNAME",
    };
    let file = format!("ZEEV_URL=h\nZEEV_{other}=x\nZEEV_{field}={written}\n");
    fs::write(folder.join("env"), file).expect("a file");
    let nothing: [(OsString, OsString); 0] = [];
    let environment = Environment::new(nothing, folder.to_owned());
    let files = [PathBuf::from("env")];
    let sources = Sources::load(&environment, &files, Duration::ZERO);
    let sources = runtime.block_on(sources).ok()?;
    let target = settings::target("zeev").expect("a target");
    let plan = runtime.block_on(settings::find(&target, &sources)).ok()?;
    Some(plan.found(field)?.known()?.expose().to_owned())
}

#[test]
fn python_dotenv_reads_every_value_that_is_taken_as_it_is() {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let runtime = runtime.expect("a runtime");
    let (mut lines, mut values) = (Vec::new(), Vec::new());
    for (field, written) in written() {
        if let Some(value) = taken(folder.path(), &runtime, field, &written) {
            lines.push(format!("V{}={written}\n", lines.len()));
            values.push(value);
        }
    }
    // What every reader takes alike is not refused.
    assert_eq!(values.len(), 977);
    fs::write(folder.path().join("env"), lines.concat()).expect("a file");
    let script =
        "import dotenv\nfor value in dotenv.dotenv_values('env').values(): print(value, end='\\0')";
    let mut command = Command::new("python3");
    command.args(["-c", script]).env("a", "taken");
    let output = command.current_dir(folder.path()).output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        return skipped("python-dotenv");
    };
    let text = String::from_utf8(output.stdout).expect("UTF-8");
    let read: Vec<&str> = text.split_terminator('\0').collect();
    for ((line, value), read) in lines.iter().zip(&values).zip(&read) {
        assert_eq!(read, value, "{line}");
    }
    assert_eq!(read.len(), values.len());
}
