//! `github`: masks on stdout, then variables in the file that hands them to the job's later steps.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::Path;

use zeroize::Zeroizing;

use super::buffer::Buffer;
use super::vars::{Variable, variables};
use super::{Outcome, Rendered, Shape, sessions};
use crate::error::{Result, error};
use crate::files;
use crate::i18n::tr;
use crate::secret::foreign::printable;
use crate::secret::hex;

/// The runner reads masks from stdout only: in a file the variables would be there, and unmasked.
pub(super) fn check(shape: &Shape<'_>) -> Result<()> {
    if !shape.to_file {
        return Ok(());
    }
    Err(error!(
        Usage, "the format github masks the token on stdout, so it cannot go to a file";
        hint "leave -o and --save out, or choose another format"
    ))
}

pub(super) fn write(outcomes: &[Outcome<'_>], shape: &Shape<'_>) -> Result<Rendered> {
    let mut all = Vec::new();
    for entry in sessions(outcomes) {
        all.extend(variables(entry, shape)?);
    }
    let mut masks = Buffer::default();
    for variable in all.iter().filter(|variable| variable.secret) {
        masks.push("::add-mask::");
        masks.escaped(&variable.value, |c| (c == '%').then_some("%25"));
        masks.push("\n");
    }
    let delimiter = delimiter(&all)?;
    let mut env = Buffer::default();
    for variable in &all {
        let (name, value) = (&*variable.name, &*variable.value);
        for part in [name, "<<", &delimiter, "\n", value, "\n", &delimiter, "\n"] {
            env.push(part);
        }
    }
    Ok(Rendered {
        main: masks.finish(),
        github_env: Some(env.finish()),
    })
}

/// A word that nobody can guess and no value contains: a server that knew it could end its value early and set
/// variables of its own.
fn delimiter(variables: &[Variable<'_>]) -> Result<String> {
    loop {
        let mut random = [0u8; 16];
        getrandom::fill(&mut random)
            .map_err(|error| error!(Other, "no random bytes").said(&error.to_string()))?;
        let word = format!("crmauth_{}", hex(&random));
        let mut values = variables.iter().map(|variable| &variable.value);
        if !values.any(|value| value.contains(&word)) {
            return Ok(word);
        }
    }
}

/// The file that hands variables to the job's later steps.
pub struct EnvFile(File);

impl EnvFile {
    /// `path` is the value of the environment variable `GITHUB_ENV`.
    pub fn open(path: Option<&Path>) -> Result<Self> {
        let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
            return Err(error!(
                BadSetting, "GITHUB_ENV is not set: the format github works inside GitHub Actions only";
                hint "use -f sh or -f env outside of it"
            ));
        };
        let mut options = OpenOptions::new();
        options.read(true).append(true).create(true);
        let shown = printable(&path.display().to_string());
        let fail = |what| {
            error!(
                Storage, "{path} {what}", path = shown, what;
                hint "inside GitHub Actions the runner sets GITHUB_ENV; use -f sh or -f env outside of it"
            )
        };
        let opened = files::plainly(&mut options).open(path);
        let file = opened
            .map_err(|error| fail(tr!("cannot be opened; GITHUB_ENV names it")).because(error))?;
        match file.metadata() {
            Ok(found) if !found.is_file() => {
                Err(fail(tr!("is not a regular file; GITHUB_ENV names it")))
            }
            _ => Ok(Self(file)),
        }
    }

    pub fn append(mut self, block: &[u8]) -> Result<()> {
        append(&mut self.0, block)
            .map_err(|error| error!(Storage, "GitHub's env file cannot be written").because(error))
    }
}

/// Writes once, beginning on a fresh line. Half a block would make the runner misread the whole file, so what was written
/// of it is taken back.
fn append(file: &mut File, bytes: &[u8]) -> io::Result<()> {
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
