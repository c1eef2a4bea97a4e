//! The file store under faults: what lies in it, what it survives, and what the user hears of it.

use std::fs::{self, File};
use std::os::unix::fs::{chown, symlink};
use std::path::{Path, PathBuf};
use std::process::Stdio;

use crmauth::store::{Key, Store};
use rustix::process::Signal;
use serde_json::{Value, json};

use crate::support::machine::{beside, installed, make_pipe, mode, set_mode, signal};
use crate::support::stored::{
    change, ending, ends, entry, five, from_now, purposes, read, store, systems, under,
};
use crate::support::{Machine, Outcome, Reply, Server, canned, zeev_at};

/// The token of a run that went well and had nothing to say about it.
#[track_caller]
fn token(machine: &Machine, line: &str) -> String {
    machine.run(line).answer().trim_end().to_owned()
}

/// The token of a run that went well with one warning, which holds these texts.
#[track_caller]
fn warned(outcome: &Outcome, texts: &[&str]) -> String {
    assert!(outcome.stderr.starts_with("warning: "), "{outcome}");
    warns(outcome, 1).says(texts);
    outcome.stdout.trim_end().to_owned()
}

/// A run that went well with so many warnings.
#[track_caller]
fn warns(outcome: &Outcome, lines: usize) -> &Outcome {
    assert_eq!(outcome.stderr.lines().count(), lines, "{outcome}");
    outcome.exits(0, "warned")
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

/// The names of what was not finished.
fn drafts(folder: &Path) -> Vec<String> {
    let names = fs::read_dir(folder).expect("a folder");
    let names = names.map(|file| file.expect("a file").file_name().into_string());
    let mut names: Vec<_> = names.map(|name| name.expect("UTF-8")).collect();
    names.retain(|name| name.starts_with(".crmauth-"));
    names
}

#[track_caller]
fn no_drafts(folder: &Path) {
    assert_eq!(drafts(folder), [""; 0]);
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    let runtime = runtime.enable_time().build().expect("a runtime");
    runtime.block_on(work)
}

/// What the program itself finds under an entry's key: the token, or why there is none.
fn found(folder: &Path, key: &Key) -> Result<Option<String>, String> {
    let store = Store::folder(folder.to_owned());
    let found = block_on(store.read(key, tokio::time::Instant::now())).expect("a store");
    let token = |entry: crmauth::store::Entry| entry.session.token.expose().to_owned();
    match found.unusable {
        Some(why) => Err(why.english()),
        None => Ok(found.entry.map(token)),
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
            let hex = stem.bytes().all(|byte| byte.is_ascii_hexdigit());
            assert!(stem.len() == 32 && hex, "{name}");
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
    let one = machine.path("one");
    let absolute = format!("token zeev --store file://{}", one.display());
    assert_eq!(token(&machine, &absolute), "T3");
    // An empty value is an unset one.
    machine.unset("XDG_STATE_HOME");
    machine.set("CRMAUTH_STORE", "").set("HOME", "");
    let outcome = machine.run("token zeev");
    let why =
        "warning: HOME is not set: sessions are not stored, unless CRMAUTH_STORE names a place";
    outcome.tells(why);
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
    let stores = "|x|/tmp/x|file:|ftp://h/x|s3://ana:Us3rInf0Secret@h";
    for store in stores.split('|') {
        let outcome = machine.run_args(&["token", "zeev", "--store", store]);
        outcome.fails(2, &["--store", "hint: use file:DIR"]);
    }
    machine.set("CRMAUTH_STORE", "memcached:x");
    machine.fails("token zeev", 2, &["CRMAUTH_STORE"]);
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
        let script = format!("umask {umask}; exec \"$0\" \"$@\"");
        let mut words = vec!["sh", "-c", &script];
        // Root may do anything in any folder, unless it lays that down.
        if rustix::process::geteuid().is_root() && installed("setpriv") {
            let bare = ["setpriv", "--bounding-set=-dac_override,-dac_read_search"];
            words.splice(..0, bare);
        }
        let command = under(&machine, &words, &arguments);
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
    let incomplete = "is incomplete, or is not a stored session";
    let (future, another) = ("is from the future", "belongs to another session");
    let write = |content: &[u8]| fs::write(&path, content).expect("a file");
    let member = |name: &str, value: Value| change(&path, |entry| entry[name] = value);
    let faults = [
        ("empty", incomplete),
        ("binary", incomplete),
        ("not an object", incomplete),
        ("100 MB", "is too large"),
        ("newer", "was written by a newer crmauth"),
        ("from the future", future),
        ("seen in the future", future),
        ("of another user", another),
        ("of another server", another),
        ("without a token", incomplete),
        ("with a bad token", incomplete),
        ("with a bad time", incomplete),
        ("0644", "is open to others"),
        ("a link", "cannot be read"),
        ("a pipe", "is not a regular file"),
    ];
    for (round, (name, why)) in faults.into_iter().enumerate() {
        let kept = good(&path);
        match name {
            "empty" => write(b""),
            "binary" => write(&[0, 255, 7, 128].repeat(99)),
            "not an object" => write(b"[1]"),
            "100 MB" => {
                let file = File::options().write(true).open(&path);
                file.expect("a file").set_len(100 << 20).expect("a length");
            }
            "newer" => member("schema", json!(2)),
            "from the future" => member("obtained_at", from_now(3600)),
            "seen in the future" => member("seen_at", from_now(3600)),
            "of another user" => change(&path, |entry| entry["key"]["user"] = json!(["bia"])),
            "of another server" => {
                change(&path, |entry| entry["key"]["origin"] = json!("https://h"))
            }
            "without a token" => member("token", json!("NA")),
            "with a bad token" => member("token", json!("a\nb")),
            "with a bad time" => member("expires_at", json!("soon")),
            "0644" => set_mode(&path, 0o644),
            "a link" => {
                let other = path.with_extension("moved");
                fs::rename(&path, &other).expect("a rename");
                symlink(&other, &path).expect("a link");
            }
            "a pipe" => {
                fs::remove_file(&path).expect("a file");
                make_pipe(&path);
            }
            _ => panic!("{name}"),
        }
        let outcome = machine.run("token zeev");
        let place = path.display().to_string();
        let new = warned(
            &outcome,
            &["warning: zeev: the stored session", &place, why],
        );
        assert_ne!(new, last, "{name}");
        assert_eq!(purposes(&servers, round + 1), ["login"], "{name}");
        assert_eq!(token(&machine, "token zeev"), new, "{name}");
        assert_eq!(read(&path)["token"], new, "{name}");
        assert_eq!(mode(&path), 0o600);
        if name == "a link" {
            let target = good(&path.with_extension("moved"));
            assert_eq!(target, kept, "the link's target");
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
    for bits in [0o777, 0o702, 0o1777, 0o770, 0o755] {
        set_mode(&folder, bits);
        let outcome = machine.run("token zeev");
        outcome.exits(0, format!("{bits:o}"));
        let texts = [
            "others may put sessions into the store file:",
            "`chmod go-w ",
        ];
        let told = texts.iter().all(|text| outcome.stderr.contains(text));
        assert_eq!(told, [0o777, 0o702].contains(&bits), "{bits:o}: {outcome}");
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
        let outcome = machine.run("login zeev --timeout 2");
        outcome.says(&["cannot be locked"]);
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
    let texts = "is not a regular file; it is not used | the session is not stored";
    warns(&outcome, 2).tells(texts);
    assert!(path.join("file").exists());
    no_drafts(&store(&machine));
}

#[test]
fn an_entry_cut_at_any_byte_is_a_miss() {
    let (servers, machine) = five();
    let first = token(&machine, "token hellocloud");
    let path = entry(&machine);
    let whole = fs::read(&path).expect("an entry");
    let (key, folder) = (key_of(&path), store(&machine));
    let cut = "is incomplete, or is not a stored session";
    assert_eq!(found(&folder, &key), Ok(Some(first)));
    for length in 0..whole.len() {
        fs::write(&path, &whole[..length]).expect("a file");
        let why = found(&folder, &key).expect_err("a cut entry");
        assert!(why.ends_with(cut), "{length}: {why}");
    }
    for (round, length) in (1..whole.len()).step_by(whole.len() / 12).enumerate() {
        fs::write(&path, &whole[..length]).expect("a file");
        let new = warned(&machine.run("token hellocloud"), &[cut]);
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
        warns(&outcome, if system == "broker" { 2 } else { 1 });
        machine.prints(&format!("token {system}"), outcome.stdout);
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
        let there = fs::symlink_metadata(&key).expect("a key");
        assert!(there.is_file(), "{name}");
    }
}

#[test]
fn without_a_key_no_credential_counts_as_the_same() {
    let (servers, mut machine) = five();
    let folder = store(&machine);
    fs::create_dir_all(folder.join("key")).expect("a folder in the key's place");
    let first = token(&machine, "token zeev");
    machine.secret("ZEEV_PASSWORD", "Zc4another5Password");
    machine.fails("token zeev", 4, &["refused"]);
    let right = servers.setting("ZEEV_PASSWORD").to_owned();
    machine.set("ZEEV_PASSWORD", &right);
    assert_ne!(token(&machine, "token zeev"), first);
}

#[test]
fn a_lock_is_waited_for_no_longer_than_the_time_out() {
    let server = Server::start(vec![Reply::Silence, canned::zeev("T2zeev")]);
    let machine = zeev_at(&server);
    let mut holder = machine.begin("token zeev");
    server.wait_for(1);
    signal(&holder, Signal::STOP);
    let mut locks = ending(&store(&machine), ".lock");
    locks.retain(|path| !path.ends_with("key.lock"));
    let lock = locks[0].display().to_string();
    for line in ["token zeev --timeout 0.3", "login zeev --timeout 0.3"] {
        let start = std::time::Instant::now();
        let texts = [
            "zeev",
            "another crmauth has locked",
            &lock,
            "hint:",
            "--timeout",
        ];
        machine.fails(line, 7, &texts);
        assert!(start.elapsed() < std::time::Duration::from_secs(20));
    }
    let told = machine.run("token zeev --timeout 0.1 --json").stderr;
    let error = &serde_json::from_str::<Value>(&told).expect("JSON")["error"];
    assert_eq!(json!([error["code"], error["exit"]]), json!(["busy", 7]));
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
    let machine = zeev_at(&server);
    let holder = machine.begin("token zeev");
    server.wait_for(1);
    let waiter = machine.begin("token zeev");
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
        let texts = "the session is not stored | another one takes a new login, which ends it";
        warns(&outcome, 2).tells(texts);
        assert!(!outcome.stdout.is_empty());
        machine.fails("token zeev --cached", 3, &[]);
    }
    // To say that nothing is stored there would be a guess.
    for line in ["logout --all", "status"] {
        machine.set("CRMAUTH_STORE", "file:file");
        machine.fails(line, 7, &["file cannot be listed: a part of its path"]);
    }
    machine.set("CRMAUTH_STORE", "file:missing");
    machine.run("logout --all").answer();
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
    injected(
        machine,
        arguments,
        name,
        &format!("signal=KILL:when={number}"),
    )
}

/// The same run, with no room on the disk at those calls of that name.
fn full_at(machine: &Machine, arguments: &[&str], name: &str, when: &str) -> Outcome {
    injected(
        machine,
        arguments,
        name,
        &format!("error=ENOSPC:when={when}"),
    )
}

/// The same run, where this happens at calls of that name.
fn injected(machine: &Machine, arguments: &[&str], name: &str, what: &str) -> Outcome {
    let (trace, inject) = (format!("trace={name}"), format!("inject={name}:{what}"));
    let strace = ["strace", "-o", "/dev/null", "-e", &trace, "-e", &inject];
    machine.finish(under(machine, &strace, arguments))
}

/// Every call by which the store can change.
const CALLS: &str = "openat write writev pwrite64 fsync fdatasync fchmod rename renameat renameat2 unlink unlinkat mkdir flock";

/// Calls that this machine's strace knows.
fn calls(machine: &Machine) -> Vec<&'static str> {
    let knows = |call: &&str| {
        let trace = format!("trace={call}");
        let mut strace = beside(
            &machine.command(&[]),
            &["strace", "-e", &trace, "-o", "/dev/null", "true"],
        );
        strace.stdout(Stdio::null()).stderr(Stdio::null());
        strace.status().is_ok_and(|status| status.success())
    };
    CALLS.split(' ').filter(knows).collect()
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
        let token = found(&folder, &key_of(path)).expect(what);
        assert!(token.is_some(), "{what}");
    }
    let new = machine.run(line).answer().trim_end().to_owned();
    assert_ne!(new, old, "{what}");
    no_drafts(&folder);
    let there = found(&folder, &key_of(&entry(machine)));
    assert_eq!(there, Ok(Some(new)), "{what}");
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
            match system {
                "hellocloud" => entry["expires_at"] = from_now(-1),
                _ => entry["token"] = json!("DEADSESSION"),
            }
        });
        let old = read(&path)["token"].as_str().map_or(old, str::to_owned);
        let key = key_of(&path);
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
            let theirs = ["\"/etc/", "\"/lib", "\"/usr", "\"/proc"];
            writing.retain(|(name, _, rest)| {
                name != "openat" || !theirs.iter().any(|at| rest.contains(at))
            });
            let renamed = writing.iter().any(|(name, ..)| name.starts_with("rename"));
            assert!(renamed, "{writing:?}");
            for (name, number, _) in &writing {
                reset();
                let what = format!("{system}, {name} {number}, fresh: {fresh}");
                let outcome = killed_at(&machine, &arguments, name, *number);
                outcome.exits(137, &what);
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

    for next in ["login zeev", "logout --all"] {
        fs::remove_file(entry(&machine)).expect("an entry");
        let renames = traced(&machine, &line, &["rename", "renameat", "renameat2"]);
        let (name, number, _) = renames.last().expect("a rename");
        fs::remove_file(entry(&machine)).expect("an entry");
        assert_eq!(killed_at(&machine, &line, name, *number).code, 137);
        let left = drafts(&folder);
        assert_eq!(left.len(), 1);
        let drafted = fs::read_to_string(folder.join(&left[0])).expect("a draft");
        assert!(drafted.contains("\"token\""), "{drafted}");
        machine.run(next);
        assert_eq!(drafts(&folder), [""; 0], "{next}");
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
    let old = read(&entry(&machine))["token"].clone();
    let (old, key) = (old.as_str().expect("a token"), key_of(&entry(&machine)));
    let mut killed = 0;
    let line = ["token", "hellocloud"];
    let calls = traced(&machine, &line, &["all"]);
    let key_read = |(.., rest): &(_, _, String)| rest.contains("/key\"");
    let first = calls
        .iter()
        .position(key_read)
        .expect("a look at the store");
    for round in 0..200 {
        copy(&template, &folder);
        let (name, number, _) = &calls[first + random_below(calls.len() - first)];
        let outcome = killed_at(&machine, &line, name, *number);
        // Two runs do not wait for the network equally often.
        let what = format!("{round}: {name} {number}");
        assert!([0, 137].contains(&outcome.code), "{what}: {outcome}");
        after_a_kill(&machine, "token hellocloud", Some(&key), old, &what);
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
    let rows = [
        ("token", "zeev", 1),
        ("token", "systemsway", 2),
        ("login", "systemsway", 3),
    ];
    for (verb, system, warnings) in rows {
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
            warns(&outcome, warnings).tells("warning: | the session is not stored");
            outcome.says(&[&folder.display().to_string()]);
            assert!(!["", &first].contains(&outcome.stdout.trim_end()), "{what}");
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
    let calls = "openat fchmod write fsync rename renameat renameat2 flock";
    let writing = traced(&machine, &line, &calls.split(' ').collect::<Vec<_>>());
    let drafts = |(.., rest): &(_, _, String)| rest.contains(".crmauth-");
    let first = writing.iter().position(drafts).expect("a draft");
    for (name, number, _) in &writing[first..] {
        machine.write("session.txt", "old session");
        assert_eq!(killed_at(&machine, &line, name, *number).code, 137);
        let left = fs::read_to_string(&output).expect("a file");
        assert!(
            ["old session", &session].contains(&&*left),
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
        machine.fails(&format!("token systemsway -o {output}"), 7, &[]);
    }
    assert_eq!(servers.events().len(), 0);
}

#[test]
fn a_store_that_others_may_write_still_holds_private_files() {
    let (_servers, machine) = five();
    let folder = store(&machine);
    fs::create_dir_all(&folder).expect("a folder");
    set_mode(&folder, 0o755);
    let first = token(&machine, "token zeev");
    assert_eq!(token(&machine, "token zeev"), first);
    assert!(all_below(&folder).iter().all(|path| mode(path) == 0o600));
}

#[test]
fn a_tilde_in_the_stores_place_is_the_home() {
    let server = Server::start(["tok-1", "tok-2", "tok-3"].map(canned::zeev).into());
    let mut machine = Machine::of("ZEEV", &server.url(), "USERNAME=ana PASSWORD=Qx4passwordZp");
    machine.run("login zeev --store file:~/one").answer();
    // Only there: elsewhere it is a name like any other.
    for place in ["file:~/two", "file:x/~/three"] {
        machine.set("CRMAUTH_STORE", place);
        machine.run("login zeev").answer();
    }
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
    assert_ne!(outcome.exits(0, "locked").stdout.trim_end(), "");
    outcome
        .tells("warning: zeev: the session is not stored: another crmauth has locked | key.lock");
}
