//! The file store under faults: what lies in it, what it survives, and what the user hears of it.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use crmauth::store::{Key, Store};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{installed, make_pipe, mode, set_mode, signal};
use crate::support::stored::{
    change, ending, ends, entry, five, from_now, purposes, read, store, systems, under,
};
use crate::support::{Machine, Outcome, Reply, Server, canned};

/// The token of a run that went well and had nothing to say about it.
#[track_caller]
fn token(machine: &Machine, line: &str) -> String {
    machine.run(line).answer().trim_end().to_owned()
}

/// The token of a run that went well with one warning, which holds these texts.
#[track_caller]
fn warned(outcome: &Outcome, texts: &[&str]) -> String {
    assert_eq!(outcome.code, 0, "{outcome}");
    assert_eq!(outcome.stderr.lines().count(), 1, "{outcome}");
    assert!(outcome.stderr.starts_with("warning: "), "{outcome}");
    outcome.says(texts);
    outcome.stdout.trim_end().to_owned()
}

/// Every file below a folder, with its path.
fn all_below(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for file in fs::read_dir(folder).expect("a folder") {
        let path = file.expect("a file").path();
        if path.is_dir() {
            found.extend(all_below(&path));
        }
        found.push(path);
    }
    found
}

#[track_caller]
fn no_drafts(folder: &Path) {
    let names = fs::read_dir(folder).expect("a folder");
    let mut names = names.map(|file| {
        file.expect("a file")
            .file_name()
            .to_string_lossy()
            .into_owned()
    });
    assert_eq!(names.find(|name| name.starts_with(".crmauth-")), None);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime");
    runtime.block_on(work)
}

/// What the program itself finds under an entry's key: the token, or why there is none.
fn found(folder: &Path, key: &Key) -> Result<Option<String>, String> {
    let found = block_on(Store::folder(folder.to_owned()).read(key, tokio::time::Instant::now()))
        .expect("a store");
    match found.unusable {
        Some(why) => Err(why.english()),
        None => Ok(found
            .entry
            .map(|entry| entry.session.token.expose().to_owned())),
    }
}

fn key_of(entry: &Path) -> Key {
    serde_json::from_value(read(entry)["key"].clone()).expect("a key")
}

#[test]
fn a_session_is_a_private_file_whose_name_tells_nothing() {
    let (_servers, machine) = five();
    for system in systems() {
        token(&machine, &format!("token {system}"));
    }
    let folder = store(&machine);
    assert_eq!(mode(&folder), 0o700);
    // Broker's partner has an entry of its own.
    assert_eq!(ending(&folder, ".json").len(), systems().len() + 1);
    for path in all_below(&folder) {
        assert_eq!(mode(&path), 0o600, "{}", path.display());
        let name = path.file_name().expect("a name").to_str().expect("UTF-8");
        if let Some((stem, end)) = name.split_once('.').filter(|(stem, _)| *stem != "key") {
            assert!(["json", "lock"].contains(&end), "{name}");
            assert!(
                stem.len() == 32 && stem.bytes().all(|byte| byte.is_ascii_hexdigit()),
                "{name}"
            );
        } else {
            assert!(["key", "key.lock"].contains(&name), "{name}");
        }
    }
    // No password is in it, nor a hash of one that could be guessed at without the key.
    for path in ending(&folder, ".json") {
        let text = fs::read_to_string(&path).expect("an entry");
        let secrets = "Sandbox-Ana-1 sandbox-password-client SandboxAdminKey 46070D4BF934 123456";
        for secret in secrets.split(' ') {
            assert!(!text.contains(secret), "{secret}");
        }
        assert_eq!(read(&path)["schema"], 1);
    }
}

#[test]
fn the_store_is_where_the_settings_say() {
    let server = Server::start(["T1", "T2", "T3", "T4", "T5"].map(canned::zeev).into());
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana PASSWORD=Vq7Password");
    let at = |path: &Path| ending(path, ".json").len();
    assert_eq!(token(&machine, "token zeev"), "T1");
    assert_eq!(at(&store(&machine)), 1);

    let state = machine.path("state");
    machine.set("XDG_STATE_HOME", &state.display().to_string());
    assert_eq!(token(&machine, "token zeev"), "T2");
    assert_eq!(at(&state.join("crmauth")), 1);
    assert_eq!((mode(&state), mode(&state.join("crmauth"))), (0o700, 0o700));
    // As its specification says, a relative one does not count.
    machine.set("XDG_STATE_HOME", "state");
    assert_eq!(token(&machine, "token zeev"), "T1");

    machine.set("CRMAUTH_STORE", "file:one");
    assert_eq!(token(&machine, "token zeev"), "T3");
    assert_eq!(at(&machine.path("one")), 1);
    assert_eq!(token(&machine, "token zeev --store file:two/deep"), "T4");
    assert_eq!(at(&machine.path("two/deep")), 1);
    let absolute = format!(
        "token zeev --store file://{}",
        machine.path("one").display()
    );
    assert_eq!(token(&machine, &absolute), "T3");
    // An empty value is an unset one.
    machine
        .set("CRMAUTH_STORE", "")
        .unset("XDG_STATE_HOME")
        .set("HOME", "");
    let outcome = machine.run("token zeev");
    outcome.tells(
        "warning: HOME is not set: sessions are not stored, unless CRMAUTH_STORE names a place",
    );
    assert_eq!(outcome.stdout, "T5\n");
    let why = "error: the store ~/s begins with ~, and HOME is not set";
    machine.fails("token zeev --store file:~/s", 2, &[why]);
}

#[test]
fn without_a_store_nothing_is_kept_and_nothing_read() {
    let (servers, mut machine) = five();
    for line in "token zeev --no-store|token zeev --store none|login zeev --no-store".split('|') {
        let before = servers.events().len();
        token(&machine, line);
        assert_eq!(purposes(&servers, before), ["login"], "{line}");
    }
    machine.set("CRMAUTH_STORE", "none");
    token(&machine, "token zeev");
    machine.fails("token zeev --cached", 3, &["no session is stored"]);
    assert_eq!(servers.events().len(), 4);
    assert!(!store(&machine).exists());
    machine.run("token zeev --sandbox --store file:x").answer();
    assert_eq!(machine.files(), Vec::<String>::new());
}

#[test]
fn a_store_that_is_none_is_a_mistake() {
    let server = Server::start(vec![]);
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana PASSWORD=Vq7Password");
    machine.canary("Us3rInf0Secret");
    for store in [
        "",
        "x",
        "/tmp/x",
        "file:",
        "ftp://h/x",
        "s3://ana:Us3rInf0Secret@h",
    ] {
        let outcome = machine.run_args(&["token", "zeev", "--store", store]);
        outcome.fails(2, &["--store", "hint: use file:DIR"]);
    }
    machine.set("CRMAUTH_STORE", "memcached:x");
    machine.run("token zeev").fails(2, &["CRMAUTH_STORE"]);
    machine.fails("token zeev --store none --no-store", 2, &["--no-store"]);
}

/// The program under a shell command that comes before it.
fn after(machine: &Machine, first: &str, arguments: &[&str]) -> Outcome {
    let script = format!("{first}; exec \"$0\" \"$@\"");
    machine.finish(under(machine, &["sh", "-c", &script], arguments))
}

#[test]
fn no_umask_opens_or_closes_the_store() {
    let (servers, machine) = five();
    for umask in ["000", "777"] {
        let place = format!("file:{umask}/deep/store");
        let arguments = ["token", "zeev", "--store", &place];
        let before = servers.events().len();
        let mut command = under(
            &machine,
            &["sh", "-c", &format!("umask {umask}; exec \"$0\" \"$@\"")],
            &arguments,
        );
        // Root may do anything in any folder, unless it lays that down.
        if rustix::process::geteuid().is_root() && installed("setpriv") {
            let bare = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
            let script = format!("umask {umask}; exec \"$0\" \"$@\"");
            command = under(
                &machine,
                &[&bare[..], &["sh", "-c", &script]].concat(),
                &arguments,
            );
        }
        let first = machine.finish(command).answer().to_owned();
        let folder = machine.path(umask);
        for path in all_below(&folder).into_iter().chain([folder]) {
            let expected = if path.is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode(&path), expected, "{}", path.display());
        }
        assert_eq!(machine.run_args(&arguments).answer(), first);
        assert_eq!(servers.events().len(), before + 1);
    }
}

#[test]
fn an_entry_that_cannot_be_used_is_a_miss_with_one_warning() {
    let (servers, machine) = five();
    let mut last = token(&machine, "token zeev");
    let path = entry(&machine);
    let good = |path: &Path| fs::read(path).expect("an entry");
    type Fault = (&'static str, fn(&Path), &'static str);
    let faults: [Fault; 15] = [
        (
            "empty",
            |path| fs::write(path, "").expect("a file"),
            "is incomplete, or is not a stored session",
        ),
        (
            "binary",
            |path| fs::write(path, [0, 255, 7, 128].repeat(99)).expect("a file"),
            "is incomplete, or is not a stored session",
        ),
        (
            "not an object",
            |path| fs::write(path, "[1]").expect("a file"),
            "is incomplete, or is not a stored session",
        ),
        (
            "100 MB",
            |path| {
                File::options()
                    .write(true)
                    .open(path)
                    .expect("a file")
                    .set_len(100 << 20)
                    .expect("a length")
            },
            "is too large",
        ),
        (
            "newer",
            |path| change(path, |entry| entry["schema"] = json!(2)),
            "was written by a newer crmauth",
        ),
        (
            "from the future",
            |path| change(path, |entry| entry["obtained_at"] = from_now(3600)),
            "is from the future",
        ),
        (
            "seen in the future",
            |path| change(path, |entry| entry["seen_at"] = from_now(3600)),
            "is from the future",
        ),
        (
            "of another user",
            |path| change(path, |entry| entry["key"]["user"] = json!(["bia"])),
            "belongs to another session",
        ),
        (
            "of another server",
            |path| change(path, |entry| entry["key"]["origin"] = json!("https://h")),
            "belongs to another session",
        ),
        (
            "without a token",
            |path| change(path, |entry| entry["token"] = json!("NA")),
            "is incomplete, or is not a stored session",
        ),
        (
            "with a bad token",
            |path| change(path, |entry| entry["token"] = json!("a\nb")),
            "is incomplete, or is not a stored session",
        ),
        (
            "with a bad time",
            |path| change(path, |entry| entry["expires_at"] = json!("soon")),
            "is incomplete, or is not a stored session",
        ),
        ("0644", |path| set_mode(path, 0o644), "is open to others"),
        (
            "a link",
            |path| {
                let other = path.with_extension("moved");
                fs::rename(path, &other).expect("a rename");
                symlink(&other, path).expect("a link");
            },
            "cannot be read",
        ),
        (
            "a pipe",
            |path| {
                fs::remove_file(path).expect("a file");
                make_pipe(path);
            },
            "is not a regular file",
        ),
    ];
    for (round, (name, spoil, why)) in faults.into_iter().enumerate() {
        let kept = good(&path);
        spoil(&path);
        let outcome = machine.run("token zeev");
        let new = warned(
            &outcome,
            &[
                "warning: zeev: the stored session",
                &path.display().to_string(),
                why,
            ],
        );
        assert_ne!(new, last, "{name}");
        assert_eq!(purposes(&servers, round + 1), ["login"], "{name}");
        assert_eq!(token(&machine, "token zeev"), new, "{name}");
        assert_eq!(read(&path)["token"], new, "{name}");
        assert_eq!(mode(&path), 0o600);
        if name == "a link" {
            assert_eq!(
                good(&path.with_extension("moved")),
                kept,
                "the link's target"
            );
        }
        last = new;
    }
}

#[test]
fn an_entry_of_somebody_else_is_not_used() {
    if !rustix::process::geteuid().is_root() {
        return;
    }
    let (servers, machine) = five();
    let first = token(&machine, "token zeev");
    chown(entry(&machine), Some(65534), None).expect("another owner");
    let second = warned(&machine.run("token zeev"), &["belongs to somebody else"]);
    assert_ne!(second, first);
    assert_eq!(token(&machine, "token zeev"), second);
    assert_eq!(purposes(&servers, 0), ["login", "login"]);
}

#[test]
fn a_store_that_others_may_write_is_told_of_and_one_of_others_refused() {
    let (_servers, machine) = five();
    token(&machine, "token zeev");
    let folder = store(&machine);
    for (bits, warned) in [
        (0o777, true),
        (0o702, true),
        (0o1777, false),
        (0o770, false),
        (0o755, false),
    ] {
        set_mode(&folder, bits);
        let outcome = machine.run("token zeev");
        assert_eq!(outcome.code, 0, "{outcome}");
        let told = outcome
            .stderr
            .contains("others may put sessions into the store file:")
            && outcome.stderr.contains("`chmod go-w ");
        assert_eq!(told, warned, "{bits:o}: {outcome}");
    }
    if !rustix::process::geteuid().is_root() {
        return;
    }
    chown(&folder, Some(65534), None).expect("another owner");
    for verb in "token zeev|login zeev|status|logout --all|exec zeev -- true".split('|') {
        let code = if verb.starts_with("exec") { 125 } else { 7 };
        machine.fails(verb, code, &["belongs to another user", "CRMAUTH_STORE"]);
    }
    // To anybody else, root's is as good as one's own.
    chown(&folder, Some(0), None).expect("root's");
    token(&machine, "token zeev");
}

#[test]
fn a_lock_is_opened_through_no_link() {
    let (_servers, machine) = five();
    token(&machine, "token zeev");
    let lock = entry(&machine).with_extension("lock");
    for there in [true, false] {
        let precious = machine.path("precious");
        if there {
            machine.write("precious", "x");
            set_mode(&precious, 0o444);
        }
        let _ = fs::remove_file(&lock);
        symlink(&precious, &lock).expect("a link");
        machine
            .run("login zeev --timeout 2")
            .says(&["cannot be locked"]);
        assert_eq!(precious.exists(), there);
        if there {
            assert_eq!(mode(&precious), 0o444);
            fs::remove_file(&precious).expect("a file");
        }
    }
}

#[test]
fn a_folder_in_an_entrys_place_is_left_alone() {
    let (_servers, machine) = five();
    token(&machine, "token zeev");
    let path = entry(&machine);
    fs::remove_file(&path).expect("an entry");
    fs::create_dir(&path).expect("a folder");
    fs::write(path.join("file"), "x").expect("a file");
    let outcome = machine.run("token zeev");
    assert_eq!(
        (outcome.code, outcome.stderr.lines().count()),
        (0, 2),
        "{outcome}"
    );
    outcome.tells("is not a regular file; it is not used | the session is not stored");
    assert!(path.join("file").exists());
    no_drafts(&store(&machine));
}

#[test]
fn an_entry_cut_at_any_byte_is_a_miss() {
    let (servers, machine) = five();
    let first = token(&machine, "token hellocloud");
    let path = entry(&machine);
    let (whole, key, folder) = (
        fs::read(&path).expect("an entry"),
        key_of(&path),
        store(&machine),
    );
    assert_eq!(found(&folder, &key), Ok(Some(first)));
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("a file");
        let why = found(&folder, &key).expect_err("a cut entry");
        assert!(
            why.ends_with("is incomplete, or is not a stored session"),
            "{length}: {why}"
        );
    }
    for (round, length) in (1..whole.len()).step_by(whole.len() / 12).enumerate() {
        fs::write(&path, &whole[..length]).expect("a file");
        let new = warned(
            &machine.run("token hellocloud"),
            &["is incomplete, or is not a stored session"],
        );
        assert_eq!(servers.events().len(), round + 2);
        assert_eq!(token(&machine, "token hellocloud"), new);
    }
}

#[test]
fn a_spoilt_entry_is_replaced_by_login_too() {
    let (_servers, machine) = five();
    for system in systems() {
        token(&machine, &format!("token {system}"));
        for path in ending(&store(&machine), ".json") {
            fs::write(path, "{").expect("a file");
        }
        let outcome = machine.run(&format!("login {system}"));
        // Broker's partner has an entry of its own.
        let expected = if system == "broker" { 2 } else { 1 };
        assert_eq!(
            (outcome.code, outcome.stderr.lines().count()),
            (0, expected),
            "{outcome}"
        );
        assert_eq!(
            token(&machine, &format!("token {system}")),
            outcome.stdout.trim_end()
        );
        fs::remove_dir_all(store(&machine)).expect("a store");
    }
}

#[test]
fn a_key_that_cannot_be_trusted_is_made_anew() {
    let (servers, machine) = five();
    token(&machine, "token zeev");
    let key = store(&machine).join("key");
    assert_eq!(fs::metadata(&key).expect("a key").len(), 32);
    type Fault = (&'static str, fn(&Path));
    let faults: [Fault; 5] = [
        ("cut", |key| fs::write(key, [1; 31]).expect("a key")),
        ("long", |key| fs::write(key, [1; 33]).expect("a key")),
        ("0644", |key| set_mode(key, 0o644)),
        ("gone", |key| fs::remove_file(key).expect("a key")),
        ("a link", |key| {
            fs::rename(key, key.with_extension("moved")).expect("a rename");
            symlink(key.with_extension("moved"), key).expect("a link");
        }),
    ];
    for (round, (name, spoil)) in faults.into_iter().enumerate() {
        let before = fs::read(&key).expect("a key");
        spoil(&key);
        let new = token(&machine, "token zeev");
        assert_eq!(purposes(&servers, round + 1), ["login"], "{name}");
        assert_eq!(token(&machine, "token zeev"), new, "{name}");
        let after = fs::read(&key).expect("a key");
        assert_ne!(after, before, "{name}");
        assert_eq!((after.len(), mode(&key)), (32, 0o600), "{name}");
        assert!(
            fs::symlink_metadata(&key).expect("a key").is_file(),
            "{name}"
        );
    }
}

#[test]
fn without_a_key_no_credential_counts_as_the_same() {
    let (servers, mut machine) = five();
    let folder = store(&machine);
    fs::create_dir_all(folder.join("key")).expect("a folder in the key's place");
    let first = token(&machine, "token zeev");
    machine.secret("ZEEV_PASSWORD", "Zc4another5Password");
    machine.run("token zeev").fails(4, &["refused"]);
    let right = servers.setting("ZEEV_PASSWORD").to_owned();
    machine.set("ZEEV_PASSWORD", &right);
    assert_ne!(token(&machine, "token zeev"), first);
}

#[test]
fn a_lock_is_waited_for_no_longer_than_the_time_out() {
    let server = Server::start(vec![Reply::Silence, canned::zeev("T2zeev")]);
    let given = "USERNAME=ana PASSWORD=Vq7zeevPassword2Lw";
    let machine = Machine::of("ZEEV", &server.url(), given);
    let mut holder = machine.start(machine.command(&["token", "zeev"]));
    server.wait_for(1);
    signal(&holder, Signal::STOP);
    let lock = ending(&store(&machine), ".lock")
        .into_iter()
        .find(|path| !path.ends_with("key.lock"));
    let lock = lock.expect("a lock").display().to_string();
    for line in ["token zeev --timeout 0.3", "login zeev --timeout 0.3"] {
        let start = std::time::Instant::now();
        machine.run(line).fails(
            7,
            &[
                "zeev",
                "another crmauth has locked",
                &lock,
                "hint:",
                "--timeout",
            ],
        );
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }
    let error: Value =
        serde_json::from_str(&machine.run("token zeev --timeout 0.1 --json").stderr).expect("JSON");
    assert_eq!(
        (&error["error"]["code"], &error["error"]["exit"]),
        (&json!("busy"), &json!(7))
    );
    // It needs no lock to read, and none of another user.
    machine.fails("token zeev --cached", 3, &["no session is stored"]);
    signal(&holder, Signal::KILL);
    holder.wait().expect("an end");
    assert_eq!(token(&machine, "token zeev"), "T2zeev");
}

#[test]
fn a_waiter_takes_what_the_holder_got() {
    let gate = std::sync::Arc::new(std::sync::Barrier::new(2));
    let server = Server::start(vec![canned::zeev("T1zeev").together(&gate)]);
    let given = "USERNAME=ana PASSWORD=Vq7zeevPassword2Lw";
    let machine = Machine::of("ZEEV", &server.url(), given);
    let holder = machine.start(machine.command(&["token", "zeev"]));
    server.wait_for(1);
    let waiter = machine.start(machine.command(&["token", "zeev"]));
    gate.wait();
    assert_eq!(machine.end(waiter).answer(), "T1zeev\n");
    assert_eq!(machine.end(holder).answer(), "T1zeev\n");
}

#[test]
fn a_store_that_cannot_be_written_costs_a_warning_only() {
    let (_servers, mut machine) = five();
    machine.write("file", "mine");
    for place in "file:file file:file/below file:/proc/x file:/proc/self/x/y".split(' ') {
        machine.set("CRMAUTH_STORE", place);
        for system in ["gluo", "hellocloud", "zeev"] {
            let outcome = machine.run(&format!("token {system}"));
            assert!(!warned(&outcome, &["the session is not stored", &place[5..]]).is_empty());
        }
        let outcome = machine.run("token systemsway");
        assert_eq!(
            (outcome.code, outcome.stderr.lines().count()),
            (0, 2),
            "{outcome}"
        );
        outcome.tells("the session is not stored | another one takes a new login, which ends it");
        assert!(!outcome.stdout.is_empty());
        machine.run("token zeev --cached").fails(3, &[]);
    }
    assert_eq!(fs::read(machine.path("file")).expect("a file"), b"mine");
}

/// A run's calls in the order made, as strace writes them: the name, which one of that name it is, and the rest.
fn traced(machine: &Machine, arguments: &[&str], which: &[&str]) -> Vec<(String, usize, String)> {
    let log = machine.path("strace.log");
    let trace = format!("trace={}", which.join(","));
    let strace = ["strace", "-o", log.to_str().expect("UTF-8"), "-e", &trace];
    let outcome = machine.finish(under(machine, &strace, arguments));
    assert_eq!(outcome.code, 0, "{outcome}");
    let text = fs::read_to_string(&log).expect("a log");
    fs::remove_file(&log).expect("a log");
    let mut counts = std::collections::BTreeMap::<&str, usize>::new();
    let calls = text.lines().filter_map(|line| {
        let (name, rest) = line.split_once('(')?;
        let count = counts.entry(name).or_default();
        *count += 1;
        Some((name.to_owned(), *count, rest.to_owned()))
    });
    calls.collect()
}

/// The same run, killed at that call of that name.
fn killed_at(machine: &Machine, arguments: &[&str], name: &str, number: usize) -> Outcome {
    let (trace, inject) = (
        format!("trace={name}"),
        format!("inject={name}:signal=KILL:when={number}"),
    );
    let strace = ["strace", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    machine.finish(under(machine, &strace, arguments))
}

/// The same run, with no room on the disk at those calls of that name.
fn full_at(machine: &Machine, arguments: &[&str], name: &str, when: &str) -> Outcome {
    let (trace, inject) = (
        format!("trace={name}"),
        format!("inject={name}:error=ENOSPC:when={when}"),
    );
    let strace = ["strace", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    machine.finish(under(machine, &strace, arguments))
}

/// Every call by which the store can change.
const CALLS: [&str; 14] = [
    "openat",
    "write",
    "writev",
    "pwrite64",
    "fsync",
    "fdatasync",
    "fchmod",
    "rename",
    "renameat",
    "renameat2",
    "unlink",
    "unlinkat",
    "mkdir",
    "flock",
];

/// Calls that this machine's strace knows.
fn calls(machine: &Machine) -> Vec<&'static str> {
    let knows = |call: &&&str| {
        let trace = format!("trace={call}");
        let mut command = Command::new("strace");
        command
            .args(["-e", &trace, "-o", "/dev/null", "true"])
            .current_dir(machine.work());
        command
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    };
    CALLS.iter().filter(knows).copied().collect()
}

fn copy(from: &Path, to: &Path) {
    let _ = fs::remove_dir_all(to);
    fs::create_dir_all(to).expect("a folder");
    set_mode(to, 0o700);
    for file in fs::read_dir(from).expect("a folder") {
        let file = file.expect("a file");
        fs::copy(file.path(), to.join(file.file_name())).expect("a copy");
    }
}

/// After a killed run: the entry is the old one or a new one, and the next run works and leaves no draft.
#[track_caller]
fn after_a_kill(machine: &Machine, line: &str, key: Option<&Key>, old: &str, what: &str) {
    let folder = store(machine);
    if let Some(key) = key {
        let token = found(&folder, key).unwrap_or_else(|why| panic!("{what}: {why}"));
        assert!(token.is_some(), "{what}: the entry is gone");
    } else if let Some(path) = ending(&folder, ".json").first() {
        assert!(
            found(&folder, &key_of(path)).expect(what).is_some(),
            "{what}"
        );
    }
    let new = machine.run(line).answer().to_owned();
    assert_ne!(new.trim_end(), old, "{what}");
    no_drafts(&folder);
    assert_eq!(
        found(&folder, &key_of(&entry(machine))),
        Ok(Some(new.trim_end().to_owned())),
        "{what}"
    );
}

#[test]
fn a_kill_at_every_call_that_writes_leaves_the_old_or_the_new() {
    if !installed("strace") {
        return;
    }
    let (_servers, machine) = five();
    let calls = calls(&machine);
    for system in ["hellocloud", "systemsway"] {
        let line = format!("token {system}");
        let arguments: Vec<&str> = line.split(' ').collect();
        let old = token(&machine, &line);
        let path = entry(&machine);
        // An expired session, and a dead one.
        change(&path, |entry| {
            entry["seen_at"] = from_now(-3000);
            if system == "hellocloud" {
                entry["expires_at"] = from_now(-1);
            } else {
                entry["token"] = json!("DEADSESSION");
            }
        });
        let (old, key) = (
            read(&path)["token"].as_str().map_or(old, str::to_owned),
            key_of(&path),
        );
        let (folder, template) = (store(&machine), machine.path("template"));
        copy(&folder, &template);
        for fresh in [false, true] {
            let reset = || match fresh {
                true => fs::remove_dir_all(&folder).expect("a store"),
                false => copy(&template, &folder),
            };
            reset();
            let mut writing = traced(&machine, &arguments, &calls);
            // What the loader and the libraries open.
            writing.retain(|(name, _, rest)| {
                name != "openat"
                    || !["\"/etc/", "\"/lib", "\"/usr", "\"/proc"]
                        .iter()
                        .any(|at| rest.contains(at))
            });
            assert!(
                writing.iter().any(|(name, ..)| name.starts_with("rename")),
                "{writing:?}"
            );
            for (name, number, _) in &writing {
                reset();
                let what = format!("{system}, {name} {number}, fresh: {fresh}");
                let outcome = killed_at(&machine, &arguments, name, *number);
                assert_eq!(outcome.code, 137, "{what}: {outcome}");
                if fresh && !folder.exists() {
                    token(&machine, &line);
                    continue;
                }
                after_a_kill(&machine, &line, (!fresh).then_some(&key), &old, &what);
            }
        }
        fs::remove_dir_all(&folder).expect("a store");
    }
}

/// What a login leaves that is killed before its session has a place: somebody's token, in a draft alone.
#[test]
fn the_draft_of_a_killed_login_goes_with_the_next_login_or_logout() {
    if !installed("strace") {
        return;
    }
    let (_servers, machine) = five();
    let line = ["login", "zeev"];
    token(&machine, "login zeev");
    let folder = store(&machine);
    let drafts = || {
        let files = fs::read_dir(&folder)
            .expect("a folder")
            .map(|file| file.expect("a file").file_name());
        files
            .filter(|name| name.to_string_lossy().starts_with(".crmauth-"))
            .collect::<Vec<_>>()
    };
    for next in ["login zeev", "logout --all"] {
        fs::remove_file(entry(&machine)).expect("an entry");
        let renames = traced(&machine, &line, &["rename", "renameat", "renameat2"]);
        let (name, number, _) = renames.last().expect("a rename");
        fs::remove_file(entry(&machine)).expect("an entry");
        assert_eq!(killed_at(&machine, &line, name, *number).code, 137);
        assert_eq!(drafts().len(), 1);
        let drafted = fs::read_to_string(folder.join(&drafts()[0])).expect("a draft");
        assert!(drafted.contains("\"token\""), "{drafted}");
        machine.run(next);
        assert_eq!(drafts(), [""; 0], "{next}");
        token(&machine, "login zeev");
    }
}

#[test]
fn two_hundred_kills_anywhere_leave_the_old_or_the_new() {
    if !installed("strace") {
        return;
    }
    let (_servers, machine) = five();
    token(&machine, "token hellocloud");
    ends(&entry(&machine), -1);
    let (folder, template) = (store(&machine), machine.path("template"));
    copy(&folder, &template);
    let old = read(&entry(&machine))["token"]
        .as_str()
        .expect("a token")
        .to_owned();
    let key = key_of(&entry(&machine));
    let mut killed = 0;
    let line = ["token", "hellocloud"];
    let calls = traced(&machine, &line, &["all"]);
    let first = calls
        .iter()
        .position(|(.., rest)| rest.contains("/key\""))
        .expect("the store is looked at");
    for round in 0..200 {
        copy(&template, &folder);
        let (name, number, _) = &calls[first + random_below(calls.len() - first)];
        let outcome = killed_at(&machine, &line, name, *number);
        // Two runs do not wait for the network equally often.
        assert!(
            [0, 137].contains(&outcome.code),
            "{name} {number}: {outcome}"
        );
        after_a_kill(
            &machine,
            "token hellocloud",
            Some(&key),
            &old,
            &format!("{round}: {name} {number}"),
        );
        killed += i32::from(outcome.code == 137);
    }
    assert!(killed > 100, "{killed}");
}

/// A random number below `end`.
fn random_below(end: usize) -> usize {
    let random = getrandom::u32().expect("a random number");
    usize::try_from(random).expect("a number") % end
}

#[test]
fn a_full_disk_costs_the_store_a_warning_and_the_user_nothing() {
    if !installed("strace") {
        return;
    }
    let (servers, machine) = five();
    for (verb, system, warnings) in [
        ("token", "zeev", 1),
        ("token", "systemsway", 2),
        ("login", "systemsway", 3),
    ] {
        let line = [verb, system];
        let first = token(&machine, &format!("token {system}"));
        let path = entry(&machine);
        match line {
            ["token", "zeev"] => ends(&path, -1),
            ["token", _] => change(&path, |entry| {
                entry["seen_at"] = from_now(-3000);
                entry["token"] = json!("DEADSESSION");
            }),
            _ => {}
        }
        let old = fs::read(&path).expect("an entry");
        let folder = store(&machine);
        for name in ["write", "fsync", "rename", "fchmod"] {
            fs::write(&path, &old).expect("an entry");
            set_mode(&path, 0o600);
            let before = servers.events().len();
            let outcome = match name {
                // Writing beyond no bytes at all: stdout and stderr are pipes, to which no limit applies.
                "write" => after(&machine, "ulimit -f 0", &line),
                // As the C library of the place calls it.
                "rename" => full_at(&machine, &line, "rename,renameat,renameat2", "1+"),
                _ => full_at(&machine, &line, name, "1+"),
            };
            let what = format!("{verb} {system}, {name}: {outcome}");
            assert_eq!(
                (outcome.code, outcome.stderr.lines().count()),
                (0, warnings),
                "{what}"
            );
            outcome.says(&[
                "warning:",
                "the session is not stored",
                &folder.display().to_string(),
            ]);
            assert!(
                !outcome.stdout.is_empty() && outcome.stdout.trim_end() != first,
                "{what}"
            );
            assert!(purposes(&servers, before).contains(&"login"), "{what}");
            no_drafts(&folder);
            if system == "systemsway" {
                // The login has ended the old one.
                outcome.says(&["keep this session: another one takes a new login, which ends it"]);
                assert!(!path.exists(), "{what}");
            } else {
                assert_eq!(fs::read(&path).expect("an entry"), old, "{what}");
            }
        }
        fs::remove_dir_all(folder).expect("a store");
    }
}

#[test]
fn a_full_disk_at_the_output_leaves_the_session_in_the_store() {
    if !installed("strace") {
        return;
    }
    let (servers, machine) = five();
    let output = machine.write("session.txt", "old session");
    for system in ["hellocloud", "systemsway"] {
        let line = ["token", system, "--save"];
        let before = servers.events().len();
        // The store's key, its entry and the file are synced, each with its folder: the file has no room.
        let outcome = full_at(&machine, &line, "fsync", "5");
        outcome.fails(7, &["session.txt cannot be written", "the disk is full"]);
        assert_eq!(fs::read(&output).expect("a file"), b"old session");
        no_drafts(&machine.work());
        let requests = servers.events().len();
        assert!(requests > before);
        let kept = token(&machine, &format!("token {system} --cached"));
        machine.run(&format!("token {system} --save")).answer();
        assert_eq!(fs::read(&output).expect("a file"), kept.as_bytes());
        assert_eq!(servers.events().len(), requests);
        fs::write(&output, "old session").expect("a file");
        fs::remove_dir_all(store(&machine)).expect("a store");
    }
}

#[test]
fn a_kill_leaves_the_old_output_or_the_new_and_the_next_run_tidies_up() {
    if !installed("strace") {
        return;
    }
    let (_servers, machine) = five();
    let session = token(&machine, "token zeev");
    let output = machine.write("session.txt", "old session");
    // What is the user's own and only looks like ours.
    machine.write(".crmauth-notes.txt", "mine");
    fs::create_dir(machine.path(".crmauth-aaaaaaaaaaaaaaaa")).expect("a folder");
    let own = machine.files();
    let line = ["token", "zeev", "--save"];
    let calls = [
        "openat",
        "fchmod",
        "write",
        "fsync",
        "rename",
        "renameat",
        "renameat2",
        "flock",
    ];
    let writing = traced(&machine, &line, &calls);
    let first = writing
        .iter()
        .position(|(.., rest)| rest.contains(".crmauth-"))
        .expect("a draft");
    for (name, number, _) in &writing[first..] {
        machine.write("session.txt", "old session");
        assert_eq!(killed_at(&machine, &line, name, *number).code, 137);
        let left = fs::read_to_string(&output).expect("a file");
        assert!(
            left == "old session" || left == session,
            "{name} {number}: {left}"
        );
        machine.run("token zeev --save").answer();
        assert_eq!(machine.files(), own, "{name} {number}");
        assert_eq!(fs::read_to_string(&output).expect("a file"), session);
    }
}

#[test]
fn an_output_that_cannot_be_written_is_found_out_before_the_login() {
    let (servers, machine) = five();
    machine.write("file", "x");
    for output in ["file/below", "/proc/x", "missing/x", "."] {
        machine
            .run_args(&["token", "systemsway", "-o", output])
            .fails(7, &[]);
    }
    assert_eq!(servers.events().len(), 0);
}

#[test]
fn a_store_that_others_may_write_still_holds_private_files() {
    let (_servers, machine) = five();
    let folder = store(&machine);
    fs::create_dir_all(&folder).expect("a folder");
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).expect("a mode");
    let first = token(&machine, "token zeev");
    assert_eq!(token(&machine, "token zeev"), first);
    assert!(all_below(&folder).iter().all(|path| mode(path) == 0o600));
}

#[test]
fn a_tilde_in_the_stores_place_is_the_home() {
    let server = Server::start(vec![
        canned::zeev("tok-1"),
        canned::zeev("tok-2"),
        canned::zeev("tok-3"),
    ]);
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana PASSWORD=Qx4passwordZp");
    machine.run("login zeev --store file:~/one").answer();
    machine
        .set("CRMAUTH_STORE", "file:~/two")
        .run("login zeev")
        .answer();
    // Only there: elsewhere it is a name like any other.
    machine
        .set("CRMAUTH_STORE", "file:x/~/three")
        .run("login zeev")
        .answer();
    let home = machine.work().with_file_name("home");
    for folder in [
        home.join("one"),
        home.join("two"),
        machine.path("x/~/three"),
    ] {
        assert!(folder.is_dir(), "{}", folder.display());
    }
    assert_eq!(machine.files(), ["x"]);
}

#[test]
fn a_session_in_hand_is_delivered_whoever_holds_the_stores_key() {
    let (_servers, machine) = five();
    fs::create_dir_all(store(&machine)).expect("a folder");
    let held = fs::File::create(store(&machine).join("key.lock")).expect("a lock file");
    held.lock().expect("a lock");
    let outcome = machine.run("login zeev --timeout 2");
    assert_eq!(
        (outcome.code, outcome.stdout.trim_end().is_empty()),
        (0, false),
        "{outcome}"
    );
    outcome.tells("warning: zeev: the session is not stored: another crmauth has locked");
    outcome.tells("key.lock");
}
