//! A network of a test's own: nothing but loopback, and only the thread that made it and its children are in it.

use std::fs::{self, File};
use std::io::{BufRead, BufReader};
use std::os::fd::AsFd;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use super::*;
use crate::support::tools::skipped;

/// Holds the network until the thread's end.
pub struct Network {
    holder: Child,
}

/// Whether this user may make networks.
pub fn possible() -> bool {
    let root = rustix::process::geteuid().is_root();
    if !root {
        skipped("a network of its own (root)");
    }
    root && installed("unshare") && installed("ip")
}

impl Network {
    /// Makes a network and moves this thread into it.
    pub fn enter() -> Self {
        let mut holder = Command::new("unshare")
            .args(["--net", "sh", "-c", "ip link set lo up && echo && read end"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("unshare");
        let mut line = String::new();
        let stdout = holder.stdout.as_mut().expect("a stdout");
        BufReader::new(stdout).read_line(&mut line).expect("a line");
        assert_eq!(line, "\n", "no network of its own");
        let file = File::open(format!("/proc/{}/ns/net", holder.id())).expect("its network");
        move_into_link_name_space(file.as_fd(), Some(LinkNameSpaceType::Network)).expect("a move");
        Self { holder }
    }

    /// Gives this machine one more address.
    pub fn add(&self, address: &str) {
        let mut run = Command::new("ip");
        run.args(["addr", "add", &format!("{address}/32"), "dev", "lo"]);
        if address.contains(':') {
            // Else it can be listened at only once the kernel has looked for others that have it.
            run.arg("nodad");
        }
        assert!(run.status().expect("ip").success(), "{address}");
    }
}

impl Drop for Network {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

/// Gives a machine an /etc, and says with which words before a command it runs with that.
pub fn etc(
    machine: &Machine,
    hosts: &str,
    resolv: Option<&str>,
    nsswitch: &str,
) -> [&'static str; 5] {
    let folder = machine.path("etc");
    fs::create_dir(&folder).expect("a folder");
    let files = [
        ("hosts", Some(hosts)),
        ("resolv.conf", resolv),
        ("nsswitch.conf", Some(nsswitch)),
    ];
    for (name, text) in files {
        if let Some(text) = text {
            fs::write(folder.join(name), format!("{text}\n")).expect("a file");
        }
    }
    let script = r#"mount --bind etc /etc && exec "$0" "$@""#;
    ["unshare", "--mount", "sh", "-c", script]
}

/// A folder with a source of names for nsswitch, as sssd, winbind and mDNS bring one: `ours`.
pub fn plugin() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    build(folder.path());
    folder
}

fn build(folder: &Path) {
    const SOURCE: &str = r#"
        #include <netdb.h>
        #include <nss.h>
        #include <string.h>
        #include <sys/socket.h>
        enum nss_status _nss_ours_gethostbyname2_r(const char *name, int family, struct hostent *host, char *buffer,
                                                   size_t size, int *error, int *host_error) {
            static char *addresses[2] = {"\177\0\0\1"}, *names[1];
            if (family != AF_INET || strcmp(name, "ours.example") != 0) {
                *host_error = HOST_NOT_FOUND;
                return NSS_STATUS_NOTFOUND;
            }
            *host = (struct hostent){(char *)name, names, AF_INET, 4, addresses};
            return NSS_STATUS_SUCCESS;
        }
    "#;
    let source = folder.join("ours.c");
    fs::write(&source, SOURCE).expect("a file");
    let output = Command::new("gcc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.join("libnss_ours.so.2"))
        .arg(source)
        .output()
        .expect("gcc");
    let messages = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{messages}");
}
