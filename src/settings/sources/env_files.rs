//! The env files of a run: those that were named, or `./.env`, and which of them are refused or passed over.

use std::fs::Metadata;
use std::path::Path;

use super::{IMPLICIT, Layer, Origin, Sources};
use crate::error::{Error, Result, error};
use crate::files::{self, Bytes};
use crate::i18n::{Text, tr};
use crate::secret::foreign::printable;
use crate::settings::envfile::{self, Entry};
use crate::settings::names::Form;

/// The largest env file, in bytes.
const FILE_MAX: usize = 1024 * 1024;

impl Sources {
    pub(super) fn named_file(&mut self, path: &Path, by: &str) -> Result<()> {
        let shown = printable(&path.display().to_string());
        let place = self.cwd.join(path);
        let (bytes, meta) =
            files::read(&place, FILE_MAX, self.patience).map_err(|why| unread(&shown, by, &why))?;
        self.read.push((shown.clone(), place));
        let entries = entries(&shown, &bytes)?;
        self.unknown_in(&shown, &bytes, false);
        self.looked.push(named_place(&shown));
        self.add(&shown, entries, &meta, false);
        Ok(())
    }

    pub(super) fn implicit_file(&mut self) -> Result<()> {
        let (bytes, meta) = match open_implicit(&self.cwd.join(".env"))? {
            Ok(read) => read,
            Err(why) => {
                self.notes
                    .push(tr!("{path}: {why}, passed over", path = IMPLICIT, why));
                self.looked
                    .push(tr!("{path} ({why})", path = IMPLICIT, why));
                return Ok(());
            }
        };
        self.read.push((IMPLICIT.to_owned(), self.cwd.join(".env")));
        let foreign = !files::is_ours(&meta);
        let mut entries = match entries(IMPLICIT, &bytes) {
            Ok(entries) if entries.is_empty() && foreign => {
                self.notes.push(tr!(
                    "{path}: another user's file without settings of ours, passed over",
                    path = IMPLICIT
                ));
                self.looked
                    .push(tr!("{path} (another user's)", path = IMPLICIT));
                return Ok(());
            }
            entries => entries?,
        };
        for entry in &mut entries {
            let why = tr!(
                "line {line}: {written} is not taken from a file that nobody named",
                line = entry.line,
                written = entry.written
            );
            if foreign {
                entry.fault = Some(foreign_file());
            } else if entry.form != Form::Plain && !is_empty(entry) {
                let hint = tr!("`--env-file .env` names it, which is consent");
                entry.fault = Some(bad_file(IMPLICIT, &why).hint(hint));
            }
        }
        self.unknown_in(IMPLICIT, &bytes, true);
        self.looked.push(named_place(IMPLICIT));
        self.add(IMPLICIT, entries, &meta, true);
        Ok(())
    }

    fn add(&mut self, path: &str, entries: Vec<Entry>, meta: &Metadata, implicit: bool) {
        let mut layer = Layer::new();
        let mut holds_secret = false;
        for entry in entries {
            if let Some(fault) = entry.fault {
                self.faults
                    .insert((self.layers.len(), entry.variable.clone()), fault);
            } else if is_empty(&entry) {
                continue;
            }
            holds_secret |= entry.secret && entry.form == Form::Plain;
            let origin = Origin::File {
                path: path.to_owned(),
                line: entry.line,
                implicit,
            };
            layer.insert(entry.variable, (entry.written, entry.text, origin));
        }
        if holds_secret && meta.is_file() && files::readable_by_others(meta) {
            self.warnings.push(tr!(
                "{path} holds a secret and others may read it: `chmod 600 {path}`",
                path
            ));
        }
        self.notes.push(tr!(
            "{path}: read, {count} of its settings are ours",
            path,
            count = layer.len()
        ));
        self.layers.push(layer);
    }
}

fn named_place(path: &str) -> Text {
    tr!("{path}", path)
}

fn is_empty(entry: &Entry) -> bool {
    entry.text.expose().trim().is_empty()
}

fn bad_file(shown: &str, why: &Text) -> Error {
    error!(BadSetting, "{shown} {why}", shown, why)
}

fn unread(shown: &str, by: &str, why: &Text) -> Error {
    if *why == files::not_there() {
        return error!(
            BadSetting, "{by} {shown}: there is no such file", by, shown;
            hint "check the path; it counts from the current folder"
        );
    }
    bad_file(shown, why).hint(tr!(
        "name a file of settings: lines such as GLUO_URL='…', 1 MiB at most"
    ))
}

fn foreign_file() -> Error {
    bad_file(IMPLICIT, &tr!("belongs to another user"))
        .hint(tr!("`--env-file .env` names it, which is consent"))
}

fn entries(shown: &str, bytes: &Bytes) -> Result<Vec<Entry>> {
    let named = |mut error: Error| {
        error.message = tr!("{shown} {why}", shown, why = error.message);
        error
    };
    let mut entries = envfile::read(bytes).map_err(named)?;
    for entry in &mut entries {
        entry.fault = entry.fault.take().map(named);
    }
    Ok(entries)
}

/// What to do about a `./.env` that cannot be used.
fn next() -> Text {
    tr!("move it away, or name another file with --env-file")
}

/// Reads `./.env`. The inner error tells why it is passed over.
fn open_implicit(path: &Path) -> Result<std::result::Result<(Bytes, Metadata), Text>> {
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
            let dangling = std::fs::symlink_metadata(path).is_ok();
            return Ok(Err(if dangling {
                tr!("a link to nothing")
            } else {
                tr!("not there")
            }));
        }
        Err(_) => return Ok(Err(tr!("out of reach"))),
    };
    #[cfg(unix)]
    if std::os::unix::fs::FileTypeExt::is_fifo(&meta.file_type()) {
        return Ok(Err(tr!("a pipe, which `--env-file .env` reads")));
    }
    if !meta.is_file() {
        return Ok(Err(tr!("not a regular file")));
    }
    let mut options = std::fs::OpenOptions::new();
    options.read(true);
    #[cfg(unix)]
    {
        use std::os::unix::fs::OpenOptionsExt;
        // Should a pipe have taken the file's place meanwhile, this keeps the call from waiting.
        options.custom_flags(i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0));
    }
    let file = match options.open(path) {
        Ok(file) => file,
        Err(_) if !files::is_ours(&meta) => return Err(foreign_file()),
        Err(error) => return Err(bad_file(IMPLICIT, &files::why(&error)).hint(next())),
    };
    match file.metadata() {
        Ok(meta) if meta.is_file() => {
            let bytes = files::slurp(file, FILE_MAX)
                .map_err(|why| bad_file(IMPLICIT, &why).hint(next()))?;
            Ok(Ok((bytes, meta)))
        }
        _ => Ok(Err(tr!("not a regular file"))),
    }
}
