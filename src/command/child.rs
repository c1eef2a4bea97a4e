//! Commands that crmauth runs for the user: found first, then waited for; signals are passed on to them.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, ErrorKind, Read as _};
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::sync::watch;
use zeroize::Zeroizing;

use super::Run;
use crate::declaration::Target;
use crate::error::{Error, Result, error};
use crate::files::{self, PrivateFolder};
use crate::i18n::tr;
use crate::output::{shell_word, stdout};
use crate::report::Report;
use crate::settings::Sources;
use crate::signals;

/// How long a pipe must be silent once the command has ended.
const LAST_WRITES: Duration = Duration::from_secs(1);

/// Finds a command as a shell would.
pub fn find(name: &OsStr, run: &Run<'_>) -> Result<PathBuf> {
    let direct = name.as_encoded_bytes().contains(&b'/');
    let usual = Path::new("/usr/local/bin:/usr/bin:/bin");
    let path = run.environment.path("PATH").unwrap_or(usual);
    let folders = std::env::split_paths(path).filter(|_| !name.is_empty());
    // A script sees the path that it is started with, so a path that was typed stays as it is.
    let candidates: Vec<PathBuf> = match direct {
        true => vec![PathBuf::from(name)],
        false => folders.map(|folder| folder.join(name)).collect(),
    };
    let (shown, here) = (name.to_string_lossy(), Path::new("./").join(name));
    let line = |path: &Path| shell_word(&path.display().to_string());
    if let Some(found) = candidates.iter().find(|path| is_executable(path)) {
        let Some(program) = missing_interpreter(found) else {
            return Ok(found.clone());
        };
        return Err(error!(NotExecutable:
            "the command `{shown}` cannot be executed: its interpreter `{program}` does not exist"; shown, program =>
            hint "check the first line of {path}; it must end with LF, not with CR LF"; path = line(found)));
    }
    Err(match candidates.iter().find(|path| path.exists()) {
        Some(file) if file.is_file() => {
            let refused = error!(NotExecutable: "the command `{name}` cannot be executed"; name = shown =>
                hint "`chmod +x {file}` makes it executable"; file = line(file));
            refused.because(ErrorKind::PermissionDenied.into())
        }
        Some(_) => cannot_start(name, ErrorKind::IsADirectory.into()),
        None if here.is_file() => error!(CommandNotFound: "there is no command `{shown}`"; shown =>
            hint "to run the file in this folder, write {here}"; here = line(&here)),
        None => error!(CommandNotFound:
            "there is no command `{shown}`"; shown => hint "check its name and PATH"),
    })
}

/// The interpreter that a script's first line names, if there is none.
fn missing_interpreter(script: &Path) -> Option<String> {
    let (mut head, file) = (Vec::new(), File::open(script).ok()?);
    file.take(256).read_to_end(&mut head).ok()?;
    let head = String::from_utf8_lossy(head.strip_prefix(b"#!")?);
    let line = head.trim_start_matches([' ', '\t']);
    let program = line.split([' ', '\t', '\n']).next()?;
    let named = program.trim_end();
    (!named.is_empty() && !Path::new(program).exists()).then(|| named.to_owned())
}

pub fn private_folder(prefix: &str) -> Result<PrivateFolder> {
    PrivateFolder::create(prefix)
        .map_err(|error| error!(Storage: "cannot create a temporary folder").because(error))
}

pub fn cannot_start(name: &OsStr, error: io::Error) -> Error {
    let name = name.to_string_lossy();
    let refused = error!(NotExecutable: "the command `{name}` cannot be executed"; name);
    let missing = tr!("the program that loads it is missing: it was built for another system");
    let other = tr!("give the path of a program that this machine can run");
    match error.kind() {
        ErrorKind::NotFound => refused.hint(missing),
        _ => refused.because(error).hint(other),
    }
}

/// Runs a command and returns its exit code; signals are passed on. With `mask` its output passes without our secrets.
pub async fn wait(name: &OsStr, mut command: Command, mask: Option<&Report>) -> Result<u8> {
    if mask.is_some() {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    // Listens before the child starts, so that no signal leaves it behind.
    let mut stop = Box::pin(signals::any());
    let mut child = command.spawn().map_err(|error| cannot_start(name, error))?;
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let (end, ended) = watch::channel(false);
    let mut masked = pin!(async {
        let Some(report) = mask else { return };
        let out = pass(report, out, ended.clone(), stdout::write);
        let err = pass(report, err, ended, Report::pass_on);
        futures_util::future::join(out, err).await;
    });
    let (mut code, mut printed) = (None, false);
    loop {
        tokio::select! {
            () = &mut masked, if !printed => printed = true,
            status = child.wait(), if code.is_none() => {
                let lost = |error| error!(Other: "cannot wait for the command").because(error);
                code = Some(exit_code(status.map_err(lost)?));
                let _ = end.send(true);
            }
            signal = &mut stop => {
                // What it has written waits for a reader.
                if let Some(code) = code {
                    return Ok(code);
                }
                signals::forward(signal, child.id());
                stop = Box::pin(signals::any());
            }
        }
        if let Some(code) = code.filter(|_| printed) {
            return Ok(code);
        }
    }
}

/// Passes on what comes out of a pipe. Whatever the command has left behind may keep the pipe open for ever.
async fn pass<E>(
    report: &Report,
    pipe: Option<impl AsyncRead + Unpin>,
    mut ended: watch::Receiver<bool>,
    write: impl AsyncFn(Zeroizing<Vec<u8>>) -> Result<(), E>,
) {
    let Some(mut pipe) = pipe else { return };
    let (mut mask, mut part) = (report.mask(), vec![0; 64 * 1024]);
    loop {
        let quiet = async {
            let _ = ended.wait_for(|ended| *ended).await;
            tokio::time::sleep(LAST_WRITES).await;
        };
        let count = tokio::select! {
            biased;
            read = pipe.read(&mut part) => read.unwrap_or(0),
            () = quiet => 0,
        };
        if count == 0 {
            break;
        }
        if write(mask.pass(&part[..count]).into()).await.is_err() {
            return;
        }
    }
    let _ = write(mask.end().into()).await;
}

/// The environment without the settings' secrets, for a command that needs none of them.
pub fn public_environment<'a>(
    run: &'a Run<'_>,
    sources: &Sources,
    wanted: &[Target],
) -> impl Iterator<Item = (&'a OsString, Cow<'a, OsStr>)> {
    let mut used = sources.configured();
    used.retain(|target| sources.has_url(target));
    used.extend_from_slice(wanted);
    run.environment
        .public_vars(move |spec| used.iter().any(|target| target.spec.id == spec.id))
}

/// The variables that keep a command's requests to loopback from a proxy.
pub fn direct_loopback(run: &Run<'_>) -> [(&'static str, OsString); 2] {
    ["no_proxy", "NO_PROXY"].map(|name| {
        let set = run.environment.path(name).map(Path::as_os_str);
        let hosts = set.into_iter().chain([OsStr::new("127.0.0.1,localhost")]);
        (name, hosts.collect::<Vec<_>>().join(OsStr::new(",")))
    })
}

/// A command's own code; 128 and the signal's number if a signal ended it.
fn exit_code(status: ExitStatus) -> u8 {
    #[cfg(unix)]
    if let Some(signal) = std::os::unix::process::ExitStatusExt::signal(&status) {
        return u8::try_from(128 + signal).unwrap_or(u8::MAX);
    }
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    code.unwrap_or(1)
}

fn is_executable(path: &Path) -> bool {
    let may_run = |found: &Metadata| cfg!(not(unix)) || files::mode(found) & 0o111 != 0;
    std::fs::metadata(path).is_ok_and(|found| found.is_file() && may_run(&found))
}
