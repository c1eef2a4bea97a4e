//! Whatever a store's file holds: a session that can be used and is written back as it was, or a reason.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::time::Duration;

use crmauth::session::{Role, check_token};
use crmauth::store::{Key, Store};
use tokio::time::Instant;

use super::one_harmless_line;

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    static FOLDER: tempfile::TempDir = tempfile::tempdir().expect("a folder");
}

/// The entry that is asked for: the one that the seeds hold.
fn key() -> Key {
    Key {
        provider: "gluo".to_owned(),
        origin: "https://h".to_owned(),
        path: "/".to_owned(),
        user: vec!["ana".to_owned()],
        grant: None,
        role: Role::User,
    }
}

/// The bytes are an entry's file.
pub fn holds(data: &[u8]) {
    FOLDER.with(|folder| {
        let path = folder.path().join(format!("{}.json", key().name()));
        let mut options = std::fs::OpenOptions::new();
        let file = options
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(path);
        file.and_then(|mut file| file.write_all(data))
            .expect("a file");
        RUNTIME.with(|runtime| runtime.block_on(read(&Store::folder(folder.path().to_owned()))));
    });
}

async fn read(store: &Store) {
    let deadline = Instant::now() + Duration::from_secs(60);
    let found = store
        .read(&key(), deadline)
        .await
        .expect("an unusable entry is no error");
    assert!(
        found.entry.is_some() != found.unusable.is_some(),
        "an entry or a reason"
    );
    let listed = store.list(deadline).await.expect("a list");
    let Some(entry) = found.entry else {
        one_harmless_line(&found.unusable.unwrap_or_default().english());
        return assert!(listed.is_empty());
    };
    assert_eq!(listed.len(), 1);
    check_token(entry.session.token.expose()).expect("a token");

    let lock = store.lock(&key(), deadline).await.expect("a lock");
    lock.write(&entry).await.expect("written");
    lock.release().await.expect("released");
    let back = store
        .read(&key(), deadline)
        .await
        .expect("read")
        .entry
        .expect("what was written is read");
    assert_eq!(format!("{back:?}"), format!("{entry:?}"));
    assert_eq!(back.session.token, entry.session.token);
    assert_eq!(back.session.refresh, entry.session.refresh);
}
