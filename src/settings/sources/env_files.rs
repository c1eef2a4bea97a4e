//! The env files of a run: those that were named, or `./.env`, and which of them are refused or passed over.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io;
use std::path::Path;

use super::{IMPLICIT, Sources};
use crate::error::{Error, Result, error};
use crate::files::{self, Bytes};
use crate::i18n::{Text, tr};
use crate::secret::foreign::printable;
use crate::settings::envfile::{self, EnvFile};
use crate::settings::names::Form;
use crate::settings::setting::{Origin, Setting};

/// The largest env file, in bytes.
const FILE_MAX: usize = 1024 * 1024;

impl Sources {
    pub(super) async fn named_file(&mut self, path: &Path, by: &str) -> Result<()> {
        let shown = printable(&path.display().to_string());
        let place = self.cwd.join(path);
        let file = EnvFile::new(&shown, false);
        let read = files::read(&place, FILE_MAX, self.patience, self.deadline()).await;
        let (bytes, meta) = read.map_err(|why| unread(file, by, &why))?;
        self.read.push((shown.clone(), place));
        let settings = envfile::read(&bytes, file)?;
        self.add(file, settings, &bytes, &meta);
        Ok(())
    }

    pub(super) fn implicit_file(&mut self) -> Result<()> {
        let file = EnvFile::new(IMPLICIT, true);
        let place = self.cwd.join(".env");
        // Looked at before it is opened: whoever writes to a pipe would write to a reader that leaves.
        let found = match std::fs::metadata(&place) {
            Ok(found) if found.is_file() => found,
            found => {
                self.pass_over(&not_regular(&place, found));
                return Ok(());
            }
        };
        let (bytes, meta) = match files::read_regular(&place, FILE_MAX) {
            Ok(read) => read,
            Err(_) if !files::is_ours(&found) => return Err(foreign_file(file)),
            Err(why) => {
                let next = tr!("move it elsewhere, or name another file with --env-file");
                return Err(file.bad(&why).hint(next));
            }
        };
        self.read.push((IMPLICIT.to_owned(), place));
        let mut settings = envfile::read(&bytes, file)?;
        let foreign = !files::is_ours(&meta);
        if settings.is_empty() && foreign {
            self.pass_over(&tr!("another user's file without crmauth's settings"));
            return Ok(());
        }
        for setting in &mut settings {
            if foreign {
                setting.fault = Some(foreign_file(file));
            } else if let Origin::File { line, .. } = setting.origin
                && setting.form != Form::Plain
                && !is_empty(setting)
            {
                let why = tr!("is not accepted from a file that was not named");
                let why = tr!("{name} {why}"; name = setting.written, why);
                setting.fault = Some(file.refuse(line, why).hint(consent()));
            }
        }
        self.add(file, settings, &bytes, &meta);
        Ok(())
    }

    fn pass_over(&mut self, why: &Text) {
        let path = IMPLICIT;
        self.notes.push(tr!("{path}: {why}, ignored"; path, why));
        self.looked.push(tr!("{path} ({why})"; path, why));
    }

    fn add(&mut self, file: EnvFile<'_>, settings: Vec<Setting>, bytes: &Bytes, meta: &Metadata) {
        let path = file.path;
        self.unknown_in(file, bytes);
        // Who names the null device names no file.
        if path != "/dev/null" {
            self.looked.push(tr!("{path}"; path));
        }
        let (mut variables, mut holds_secret) = (BTreeSet::new(), false);
        for setting in settings {
            if setting.fault.is_none() && is_empty(&setting) {
                self.empty.push((setting.variable(), setting.origin));
                continue;
            }
            variables.insert(setting.variable());
            holds_secret |= setting.field.secret() && setting.form == Form::Plain;
            let rank = self.read.len();
            self.insert(Setting { rank, ..setting });
        }
        if holds_secret && meta.is_file() && files::mode(meta) & 0o044 != 0 {
            self.warnings.push(
                tr!("{path} contains a secret, and others can read it: `chmod 600 {path}`"; path),
            );
        }
        let count = variables.len();
        let ours = tr!("read, {count} of its settings are crmauth's"; count);
        self.notes.push(tr!("{path}: {ours}"; path, ours));
    }
}

fn is_empty(setting: &Setting) -> bool {
    setting.text.expose().trim().is_empty()
}

fn unread(file: EnvFile<'_>, by: &str, why: &Text) -> Error {
    if *why == files::not_there() {
        return error!(BadSetting: "{by} {shown}: there is no such file"; by, shown = file.path =>
            hint "check the path; it is relative to the current folder");
    }
    let hint = tr!("name a settings file, with lines such as GLUO_URL='…', 1 MiB at most");
    file.bad(why).hint(hint)
}

fn foreign_file(file: EnvFile<'_>) -> Error {
    file.bad(&tr!("belongs to another user")).hint(consent())
}

fn consent() -> Text {
    tr!("`--env-file .env` names the file and so allows it")
}

/// Why what stands at the place of `./.env` is passed over.
fn not_regular(place: &Path, found: io::Result<Metadata>) -> Text {
    match found {
        #[cfg(unix)]
        Ok(found) if std::os::unix::fs::FileTypeExt::is_fifo(&found.file_type()) => {
            tr!("a pipe, which `--env-file .env` reads")
        }
        Ok(_) => tr!("not a regular file"),
        Err(error) if error.kind() != io::ErrorKind::NotFound => tr!("cannot be reached"),
        Err(_) if place.is_symlink() => tr!("a dangling link"),
        Err(_) => tr!("not found"),
    }
}
