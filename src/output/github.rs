//! `github`: masks on stdout, then variables in the file that hands them to the job's later steps.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::{Outcome, Rendered, Shape, variables};
use crate::error::{Result, error};
use crate::files::{plainly, random};
use crate::i18n::tr;
use crate::secret::foreign::printable;
use crate::secret::hex;

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
    let (mut masks, mut env) = (Buffer::default(), Buffer::default());
    // Nobody can guess it: a server that knew it could end its value early and set variables of its own.
    let delimiter = ["crmauth_", &hex(&random()?)].concat();
    for entry in outcomes.iter().flatten() {
        masks.push("::add-mask::");
        masks.escaped(entry.token()?, &[('%', "%25")]);
        masks.push("\n");
        for (name, value, _) in variables(entry, shape)? {
            env.all(&[&name, "<<", &delimiter, "\n"]);
            env.all(&[&value, "\n", &delimiter, "\n"]);
        }
    }
    let (Buffer(main), Buffer(github_env)) = (masks, env);
    Ok(Rendered { main, github_env })
}

pub fn open(path: Option<&Path>) -> Result<File> {
    let Some(path) = path else {
        let error = error!(BadSetting: "GITHUB_ENV is not set: the format github works inside GitHub Actions only" =>
            hint "use -f sh or -f env outside of it");
        return Err(error);
    };
    let fail = |what| {
        error!(Storage: "{path} {what}"; path = printable(&path.display().to_string()), what =>
            hint "inside GitHub Actions the runner sets GITHUB_ENV; use -f sh or -f env outside of it")
    };
    let mut options = OpenOptions::new();
    match plainly(options.read(true).append(true).create(true)).open(path) {
        Ok(file) if file.metadata().is_ok_and(|found| found.is_file()) => Ok(file),
        Ok(_) => Err(fail(tr!("is not a regular file; GITHUB_ENV names it"))),
        Err(error) => Err(fail(tr!("cannot be opened; GITHUB_ENV names it")).because(error)),
    }
}

pub fn append(file: File, block: &[u8]) -> Result<()> {
    write_block(file, block)
        .map_err(|error| error!(Storage: "GitHub's env file cannot be written").because(error))
}

/// Writes once, on a fresh line. Of a part everything is taken back: the runner would misread the whole file.
fn write_block(mut file: File, bytes: &[u8]) -> io::Result<()> {
    let before = file.seek(SeekFrom::End(0))?;
    let mut last = [b'\n'];
    if before > 0 {
        file.seek(SeekFrom::End(-1))?;
        file.read_exact(&mut last)?;
    }
    let line_end: &[u8] = if last == *b"\n" { b"" } else { b"\n" };
    let block = Zeroizing::new([line_end, bytes].concat());
    match file.write(&block) {
        Ok(count) if count == block.len() => Ok(()),
        written => {
            file.set_len(before)?;
            written.and(Err(ErrorKind::WriteZero.into()))
        }
    }
}
