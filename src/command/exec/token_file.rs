//! `exec --token-file`: files with tokens, kept fresh while the command runs.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::pin::pin;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use jiff::{SignedDuration, Timestamp};

use super::super::{Run, child};
use super::Args;
use crate::declaration::{Ageing, Target};
use crate::error::{Error, Result, error};
use crate::files::Draft;
use crate::i18n::tr;
use crate::lifecycle::{Active, Compared, Want};
use crate::session::Session;

/// How often the store is looked at.
const LOOK: Duration = Duration::from_secs(2);
/// No session is renewed more often than this.
const SHORTEST: Duration = Duration::from_secs(1);
/// The pause before a renewal that failed is tried again.
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// At most, if the pause grows from one failure to the next.
const TRY_LATER: Duration = Duration::from_secs(300);

/// Runs the command and keeps a file fresh for each session until it ends.
pub(super) async fn run(
    args: &Args,
    run: &Run<'_>,
    logins: &[Active<'_>],
    name: &OsString,
    mut command: std::process::Command,
) -> Result<u8> {
    let folder = child::private_folder("crmauth-exec-")?;
    let mut upkeep = Vec::new();
    for login in logins {
        let path = folder.path().join(login.target().variable("TOKEN"));
        write(&path, &login.session)?;
        command.env(login.target().variable("TOKEN_FILE"), &path);
        command.env(login.target().variable("URL"), login.url().to_string());
        upkeep.push(keep_fresh(args, run, login, path));
    }
    let mask = args.mask.then_some(&*run.report);
    let mut ended = pin!(child::wait(name, command.into(), mask));
    tokio::select! {
        biased;
        code = &mut ended => code,
        _ = join_all(upkeep) => ended.await,
    }
}

/// Renews a session in time until that is hopeless. One that others have stored is taken over.
async fn keep_fresh(args: &Args, run: &Run<'_>, login: &Active<'_>, path: PathBuf) {
    let target = login.target();
    let mut session = login.session.clone();
    let [mut pause, mut margin] = due(&session, target, args.min_ttl);
    let mut failures = 0;
    loop {
        let fresh = match wait(login, &session, pause).await {
            Some(newer) => Ok(*newer),
            None => {
                let (suspect, dead) = (Box::new(session.clone()), false);
                let want = match target.spec.ageing {
                    Ageing::Fixed => Want::Usable(margin),
                    // The server is asked, and the session is replaced only if it is dead, stored or not.
                    _ => Want::InsteadOf { suspect, dead },
                };
                let login = login.account.again().session(&want).await;
                login.map(|login| login.session)
            }
        };
        match fresh.and_then(|fresh| write(&path, &fresh).map(|()| fresh)) {
            Ok(fresh) => {
                [pause, margin] = due(&fresh, target, args.min_ttl);
                session = fresh;
                failures = 0;
            }
            // Refused credentials are not tried again: that is how accounts get locked. Settings do not change.
            Err(error) if matches!(error.cause.exit(), 2 | 4) => {
                let text = tr!(
                    "the session could not be renewed, and its file will not be updated any more"
                );
                return run.report.warn_of(Some(target), text, &error);
            }
            Err(error) => {
                let text = tr!("the session could not be renewed; trying again");
                run.report.warn_of(Some(target), text, &error);
                pause = until_next_try(&error, failures);
                failures += 1;
            }
        }
    }
}

/// Waits until a session is due, by the wall clock too (laptops sleep), or until the store has none or another one.
async fn wait(login: &Active<'_>, session: &Session, pause: Duration) -> Option<Box<Session>> {
    let pause = pause.max(SHORTEST);
    let (begun, end) = (Instant::now(), Timestamp::now().checked_add(pause));
    let mut was_stored = false;
    loop {
        match login.account.again().compare(session).await {
            Compared::Newer(newer) => return Some(newer),
            Compared::Gone if was_stored => return None,
            compared => was_stored |= matches!(compared, Compared::Same),
        }
        let left = pause.saturating_sub(begun.elapsed());
        if left.is_zero() || end.as_ref().is_ok_and(|end| *end <= Timestamp::now()) {
            return None;
        }
        tokio::time::sleep(LOOK.min(left)).await;
    }
}

/// How long to wait after a failure behind so many others. One that will not pass may be a refusal in disguise.
fn until_next_try(error: &Error, failures: u32) -> Duration {
    if error.cause.retryable() || error.cause.exit() == 7 {
        return TRY_AGAIN;
    }
    let pause = TRY_AGAIN.saturating_mul(2_u32.saturating_pow(failures));
    pause.min(TRY_LATER)
}

/// How long a session can be left alone, and how long the next one must then last.
fn due(session: &Session, target: &Target, min_ttl: Duration) -> [Duration; 2] {
    match (target.spec.ageing, session.expires_at) {
        (Ageing::Idle { ask_after } | Ageing::SingleSeat { ask_after }, _) => {
            [Duration::from_secs(ask_after.into()), Duration::ZERO]
        }
        (Ageing::Fixed, None) => [Duration::MAX, Duration::ZERO],
        (Ageing::Fixed, Some(end)) => {
            let margin = session.margin(end, min_ttl).max(SignedDuration::ZERO);
            let left = end.duration_since(Timestamp::now()).saturating_sub(margin);
            [left, margin].map(|time| time.try_into().unwrap_or_default())
        }
    }
}

/// Writes the token into the file, which is whole at any time.
fn write(path: &Path, session: &Session) -> Result<()> {
    let folder = path.parent().unwrap_or(Path::new("."));
    let replaced = Draft::create(folder).and_then(|mut draft| {
        draft.fill(session.token.expose().as_bytes())?;
        draft.replace(path)
    });
    let path = path.display();
    let failed = |error| error!(Storage: "{path} cannot be written"; path).because(error);
    replaced.map(|_| ()).map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;
    use crate::i18n::Text;

    /// Seconds until the next look, and what the session must then last.
    fn seconds(provider: &str, age: i64, lifetime: Option<i64>, min_ttl: u64) -> (u64, f64) {
        let target = crate::settings::target(provider).expect("a provider");
        let mut session = Session::new("t", "Bearer").expect("a token");
        session.obtained_at -= SignedDuration::from_secs(age);
        if let Some(lifetime) = lifetime {
            session.lasts(SignedDuration::from_secs(lifetime));
        }
        let [pause, margin] = due(&session, &target, Duration::from_secs(min_ttl));
        (pause.as_secs_f64().round() as u64, margin.as_secs_f64())
    }

    #[test]
    fn a_session_is_renewed_when_min_ttl_or_half_its_life_is_left() {
        assert_eq!(seconds("zeev", 0, Some(600), 60), (540, 60.0));
        assert_eq!(seconds("zeev", 100, Some(600), 60), (440, 60.0));
        assert_eq!(seconds("zeev", 0, Some(600), 500), (300, 300.0));
        assert_eq!(seconds("hellocloud", 0, Some(2), 60), (1, 1.0));
        assert_eq!(seconds("broker", 700, Some(600), 60), (0, 60.0));
        assert_eq!(seconds("broker", 0, None, 60).1, 0.0);
        // Another look may come as late as twice that: Gluocrm's die after about 24 minutes.
        assert_eq!(seconds("gluo", 0, None, 60), (600, 0.0));
        assert_eq!(seconds("systemsway", 0, None, 60), (120, 0.0));
    }

    #[test]
    fn what_may_be_a_refusal_in_disguise_is_tried_ever_more_rarely() {
        let pauses = |cause| {
            let error = Error::new(cause, Text::default());
            [0, 1, 2, 6, u32::MAX].map(|failures| until_next_try(&error, failures).as_secs())
        };
        assert_eq!(pauses(Cause::Html), [5, 10, 20, 300, 300]);
        assert_eq!(pauses(Cause::Certificate), [5, 10, 20, 300, 300]);
        assert_eq!(pauses(Cause::Unavailable), [5; 5]);
        assert_eq!(pauses(Cause::Storage), [5; 5]);
    }
}
