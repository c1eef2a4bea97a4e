//! The env files of a run: those that were named, or `./.env`, and which of them are refused or passed over.

use std::collections::BTreeSet;
use std::fs::Metadata;
use std::io::ErrorKind;
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
    pub(super) fn named_file(&mut self, path: &Path, by: &str) -> Result<()> {
        let shown = printable(&path.display().to_string());
        let place = self.cwd.join(path);
        let file = EnvFile::new(&shown, false);
        let read = files::read(&place, FILE_MAX, self.patience);
        let (bytes, meta) = read.map_err(|why| unread(file, by, &why))?;
        self.read.push((shown.clone(), place));
        let settings = envfile::read(&bytes, file)?;
        self.add(file, settings, &bytes, &meta);
        Ok(())
    }

    pub(super) fn implicit_file(&mut self) -> Result<()> {
        let file = EnvFile::new(IMPLICIT, true);
        let place = self.cwd.join(".env");
        let (bytes, meta) = match open_implicit(&place, file)? {
            Ok(read) => read,
            Err(why) => {
                self.pass_over(&why);
                return Ok(());
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
        if holds_secret && meta.is_file() && files::readable_by_others(meta) {
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

/// Reads `./.env`. The inner error tells why it is passed over.
fn open_implicit(path: &Path, file: EnvFile<'_>) -> Result<Result<(Bytes, Metadata), Text>> {
    // Looked at before it is opened: whoever writes to a pipe would write to a reader that leaves.
    let meta = match std::fs::metadata(path) {
        Ok(meta) => meta,
        Err(error) if error.kind() != ErrorKind::NotFound => {
            return Ok(Err(tr!("cannot be reached")));
        }
        Err(_) if path.is_symlink() => return Ok(Err(tr!("a dangling link"))),
        Err(_) => return Ok(Err(tr!("not found"))),
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
    let bad = |why| {
        let next = tr!("move it elsewhere, or name another file with --env-file");
        file.bad(&why).hint(next)
    };
    let opened = match options.open(path) {
        Ok(opened) => opened,
        Err(_) if !files::is_ours(&meta) => return Err(foreign_file(file)),
        Err(error) => return Err(bad(files::why(&error))),
    };
    match opened.metadata() {
        Ok(meta) if meta.is_file() => Ok(Ok((files::slurp(opened, FILE_MAX).map_err(bad)?, meta))),
        _ => Ok(Err(tr!("not a regular file"))),
    }
}
