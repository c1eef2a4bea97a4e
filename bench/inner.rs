//! What has an inner loop: `cargo bench`.

use std::path::Path;
use std::time::Duration;

use crmauth::http::response::Response;
use crmauth::secret::foreign::Foreign;
use crmauth::secret::{Redactor, Secret};
use crmauth::session::Session;
use crmauth::settings::{Environment, Sources};
use crmauth::store::{Entry, Key, Store};
use divan::{Bencher, black_box};
use tokio::time::Instant;

fn main() {
    divan::main();
}

/// A login's answer, alone and behind what PHP prints before it.
#[divan::bench(args = ["", "<br />\n<b>Notice</b>: Undefined index: a {0} in <b>/var/www/x.php</b> on line <b>3</b><br />\n"])]
fn answer(bencher: Bencher<'_, '_>, before: &str) {
    let token = "eyJ0eXAi".repeat(140);
    let fields = format!(r#"{{"token_type":"Bearer","expires_in":3600,"access_token":"{token}"}}"#);
    let answer = Response {
        host: "h".to_owned(),
        status: 200,
        body: [before, &fields].concat().into_bytes(),
        ..Response::default()
    };
    bencher.bench_local(|| black_box(&answer).object().expect("an object"));
}

fn knowing(secrets: usize) -> Redactor {
    let redactor = Redactor::default();
    for number in 0..secrets {
        redactor.learn(&Secret::new(format!("chave-{number:06}")));
    }
    redactor
}

/// A text of 1 MB, of which nothing is secret.
#[divan::bench(args = [3, 10, 3000])]
fn redactor_of_1_mb(bencher: Bencher<'_, '_>, secrets: usize) {
    let redactor = knowing(secrets);
    let text = "Notice: the user 4711 & others were not found; a7f3 in /var/www. ".repeat(16_000);
    bencher.bench_local(|| redactor.foreign(black_box(&text)));
}

/// What a server may send to make the redactor work, as much of it as is looked at of an answer: escapes of every kind
/// around each other, each of which may be meant or not, and a secret's beginning at every place.
#[divan::bench(args = ["escapes", "beginnings"])]
fn redactor_of_a_hostile_text(bencher: Bencher<'_, '_>, kind: &str) {
    const LOOKED_AT: usize = 17 * 1024;
    let redactor = knowing(9);
    let text = match kind {
        "escapes" => "%2525\\u0026amp;+%5cu0025&#37;26\\\\x2525".repeat(LOOKED_AT / 16),
        _ => "a".repeat(2 * LOOKED_AT),
    };
    redactor.learn(&Secret::new(
        ["a".repeat(LOOKED_AT), " b".to_owned()].concat(),
    ));
    let text = Foreign::new(&text);
    bencher.bench_local(|| black_box(&text).clean(&redactor));
}

/// A batch learns so many tokens, which begin alike, and shows one text.
#[divan::bench(args = [3000, 30_000], sample_count = 3)]
fn redactor_of_a_batch(bencher: Bencher<'_, '_>, tokens: usize) {
    let token = |number| {
        format!(
            "{}{number:08}{}",
            "eyJ0eXAi".repeat(30),
            "c2lnbmVk".repeat(90)
        )
    };
    let text = format!("invalid_token: {} of {}", token(7), "eyJ0eXAi".repeat(500));
    bencher.bench_local(|| {
        let redactor = Redactor::default();
        (0..tokens).for_each(|number| redactor.learn(&Secret::new(token(number))));
        redactor.foreign(black_box(&text))
    });
}

/// A sentence of our own, of which a batch prints thousands.
#[divan::bench(args = [3, 3000])]
fn redactor_of_a_sentence(bencher: Bencher<'_, '_>, secrets: usize) {
    let redactor = knowing(secrets);
    let text = "gluo@filial: 127.0.0.1:8080 refused the login: Invalid username or password";
    bencher.bench_local(|| redactor.own(black_box(text)));
}

/// An env file with so many accounts.
#[divan::bench(args = [1, 1000])]
fn env_file(bencher: Bencher<'_, '_>, accounts: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let mut text = String::from("# settings\nGLUO_URL='https://empresa.example'\nOTHER=1\n");
    for number in 0..accounts {
        text.push_str(&format!(
            "GLUO__A{number}__USERNAME=ana\nGLUO__A{number}__ACCESS_KEY='k e y'\n"
        ));
    }
    std::fs::write(folder.path().join(".env"), text).expect("a file");
    let environment = Environment::new([], folder.path().to_owned());
    bencher.bench_local(|| {
        let load = Sources::load(&environment, &[], Duration::from_secs(1));
        let sources = futures_util::FutureExt::now_or_never(load).expect("no wait");
        sources.expect("settings").configured()
    });
}

fn key(number: usize) -> Key {
    Key {
        provider: "gluo".to_owned(),
        origin: "https://empresa.example".to_owned(),
        path: "/".to_owned(),
        user: vec![format!("ana{number}")],
        grant: None,
        role: crmauth::session::Role::User,
    }
}

/// A store in `folder` with so many sessions.
async fn filled(folder: &Path, sessions: usize) {
    let store = Store::folder(folder.to_owned());
    for number in 0..sessions {
        let session = Session::new("1eaf6c9d5d7a558d1e0f2", "session").expect("a session");
        let seen_at = Some(session.obtained_at);
        let entry = Entry {
            target: "gluo".to_owned(),
            session,
            seen_at,
            credentials: [].into(),
        };
        let lock = store
            .lock(&key(number), Instant::now())
            .await
            .expect("a lock");
        lock.write(&entry).await.expect("written");
        lock.release().await.expect("released");
    }
}

/// Opening a store and reading one of its sessions.
#[divan::bench(args = [1, 1000])]
fn store(bencher: Bencher<'_, '_>, sessions: usize) {
    let folder = tempfile::tempdir().expect("a folder");
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(filled(folder.path(), sessions));
    bencher.bench_local(|| {
        let store = Store::folder(folder.path().to_owned());
        let found = runtime
            .block_on(store.read(black_box(&key(0)), Instant::now()))
            .expect("read");
        found.entry.expect("an entry")
    });
}
