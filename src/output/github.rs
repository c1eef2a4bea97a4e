//! `github`: masks on stdout, then variables in the file that hands them to the job's later steps.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::lines::variables;
use super::{Outcome, Rendered, Shape, sessions};
use crate::error::{Result, error};
use crate::files::{plainly, random};
use crate::i18n::tr;
use crate::secret::foreign::printable;
use crate::secret::hex;

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
    let (mut masks, mut env) = (Buffer::default(), Buffer::default());
    // Nobody can guess it: a server that knew it could end its value early and set variables of its own.
    let delimiter = ["crmauth_", &hex(&random()?)].concat();
    for entry in sessions(outcomes) {
        for variable in variables(entry, shape)? {
            let (name, value) = (&*variable.name, &*variable.value);
            if variable.secret {
                masks.push("::add-mask::");
                masks.escaped(value, &[('%', "%25")]);
                masks.push("\n");
            }
            env.all(&[name, "<<", &delimiter, "\n", value, "\n", &delimiter, "\n"]);
        }
    }
    Ok(Rendered {
        main: masks.0,
        github_env: Some(env.0),
    })
}

/// Opens the file that hands variables to the job's later steps: `GITHUB_ENV` names it.
pub fn open(path: Option<&Path>) -> Result<File> {
    let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
        let error = error!(BadSetting: "GITHUB_ENV is not set: the format github works inside GitHub Actions only" =>
            hint "use -f sh or -f env outside of it");
        return Err(error);
    };
    let mut options = OpenOptions::new();
    options.read(true).append(true).create(true);
    let shown = printable(&path.display().to_string());
    let fail = |what| {
        error!(Storage: "{path} {what}"; path = shown, what =>
            hint "inside GitHub Actions the runner sets GITHUB_ENV; use -f sh or -f env outside of it")
    };
    let opened = plainly(&mut options).open(path);
    let file = opened
        .map_err(|error| fail(tr!("cannot be opened; GITHUB_ENV names it")).because(error))?;
    match file.metadata() {
        Ok(found) if !found.is_file() => {
            Err(fail(tr!("is not a regular file; GITHUB_ENV names it")))
        }
        _ => Ok(file),
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
    let mut block = Zeroizing::new(Vec::with_capacity(bytes.len() + 1));
    if last != *b"\n" {
        block.push(b'\n');
    }
    block.extend_from_slice(bytes);
    let written = file.write(&block);
    if let Ok(count) = written
        && count == block.len()
    {
        return Ok(());
    }
    file.set_len(before)?;
    written.and(Err(ErrorKind::WriteZero.into()))
}
