//! Names and their addresses: each case in a network of its own, with a DNS server of ours and an /etc of the case's own.
//!
//! glibc asks as the machine is set up. The static program's C library knows less, and docs/install.md says what.

mod dns;
mod network;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use crate::support::at_once;
use crate::support::machine::{installed, is_static, wrapped};
use crate::support::{Machine, Reply, Server, canned};
use dns::Dns;
use network::Network;

const TOKEN: &str = "tmp-Zv6Bn4Mq0Lp8";
const FOUR: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
const SIX: IpAddr = IpAddr::V6(Ipv6Addr::LOCALHOST);

/// Who gets to the server.
#[derive(Clone, Copy, PartialEq)]
enum By {
    Both,
    Glibc,
    Static,
    Neither,
}

struct Case {
    /// The host in the URL.
    host: &'static str,
    /// Where its server listens.
    server: IpAddr,
    hosts: &'static str,
    resolv: Option<&'static str>,
    nsswitch: &'static str,
    /// What the first DNS server knows; see [`Dns`].
    zone: &'static [&'static str],
    /// What a second one at 127.0.0.2 knows; the first then answers after it.
    second: &'static [&'static str],
    by: By,
}

const CASE: Case = Case {
    host: "crm.example",
    server: FOUR,
    hosts: "",
    resolv: Some("nameserver 127.0.0.1"),
    nsswitch: "hosts: files dns",
    zone: &["crm.example A 127.0.0.1"],
    second: &[],
    by: By::Both,
};

const BOTH: &[&str] = &["crm.example A 127.0.0.1", "crm.example AAAA ::1"];
const SEARCH: Option<&str> = Some("nameserver 127.0.0.1\nsearch corp.example");

#[rustfmt::skip]
const CASES: &[(&str, Case)] = &[
    ("hosts, IPv4", Case { hosts: "127.0.0.1 crm.example", zone: &[], ..CASE }),
    ("hosts, IPv6", Case { hosts: "::1 crm.example", server: SIX, zone: &[], ..CASE }),
    ("hosts, an alias", Case { hosts: "127.0.0.1 first.example crm.example", zone: &[], ..CASE }),
    ("hosts, in capitals", Case { hosts: "127.0.0.1 CRM.example", zone: &[], by: By::Glibc, ..CASE }),
    ("both families, the server on IPv4", Case { zone: BOTH, ..CASE }),
    ("both families, the server on IPv6", Case { zone: BOTH, server: SIX, ..CASE }),
    ("an IPv6 address", Case { host: "[::1]", server: SIX, zone: &[], ..CASE }),
    ("A only", CASE),
    ("AAAA only", Case { zone: &["crm.example AAAA ::1"], server: SIX, ..CASE }),
    ("AAAA fails", Case { zone: &["crm.example A 127.0.0.1", "crm.example AAAA SERVFAIL"], ..CASE }),
    ("AAAA denies the name", Case { zone: &["crm.example A 127.0.0.1", "crm.example AAAA NXDOMAIN"], ..CASE }),
    ("AAAA is dropped", Case { zone: &["crm.example A 127.0.0.1", "crm.example AAAA DROP"], by: By::Static, ..CASE }),
    ("A fails", Case { zone: &["crm.example A SERVFAIL", "crm.example AAAA ::1"], server: SIX, ..CASE }),
    ("A denies the name", Case { zone: &["crm.example A NXDOMAIN", "crm.example AAAA ::1"], server: SIX, ..CASE }),
    ("a bare name, searched", Case { host: "crm", resolv: SEARCH, zone: &["crm.corp.example A 127.0.0.1"], ..CASE }),
    ("a name with a dot, searched", Case { host: "x.y", resolv: SEARCH, zone: &["x.y.corp.example A 127.0.0.1"], by: By::Glibc, ..CASE }),
    ("ndots", Case { resolv: Some("nameserver 127.0.0.1\nsearch corp.example\noptions ndots:5"), ..CASE }),
    ("an alias in DNS", Case { zone: &["crm.example CNAME lb.example", "lb.example A 127.0.0.1"], ..CASE }),
    ("an underscore", Case { host: "my_crm.example", zone: &["my_crm.example A 127.0.0.1"], ..CASE }),
    ("a trailing dot", Case { host: "crm.example.", ..CASE }),
    ("an accent", Case { host: "gestão.example", zone: &["xn--gesto-dra.example A 127.0.0.1"], ..CASE }),
    ("by TCP", Case { zone: &["crm.example A 127.0.0.1 TCP"], ..CASE }),
    ("no resolv.conf", Case { resolv: None, ..CASE }),
    ("a dead first server", Case { resolv: Some("nameserver 127.0.0.3\nnameserver 127.0.0.1"), ..CASE }),
    ("a first server that knows no such name", Case {
        resolv: Some("nameserver 127.0.0.1\nnameserver 127.0.0.2"),
        zone: &[],
        second: &["crm.example A 127.0.0.1"],
        by: By::Static,
        ..CASE
    }),
    ("refused", Case { zone: &["crm.example A REFUSED", "crm.example AAAA REFUSED"], by: By::Neither, ..CASE }),
    ("no server", Case { resolv: Some("nameserver 127.0.0.3"), by: By::Neither, ..CASE }),
    ("no such name", Case { zone: &[], by: By::Neither, ..CASE }),
    ("another source of names", Case { host: "ours.example", nsswitch: "hosts: files ours", zone: &[], by: By::Glibc, ..CASE }),
];

#[test]
fn names_are_resolved_as_the_machine_is_set_up() {
    if !network::possible() {
        return;
    }
    let plugin = installed("gcc").then(network::plugin);
    at_once(CASES, |(name, case)| {
        if !case.nsswitch.ends_with("ours") || plugin.is_some() {
            check(name, case, plugin.as_ref().map(tempfile::TempDir::path));
        }
    });
}

fn check(name: &str, case: &Case, plugins: Option<&std::path::Path>) {
    let _network = Network::enter();
    let _dns = Dns::start(case.zone, case.second);
    let by = [By::Both, if is_static() { By::Static } else { By::Glibc }];
    let reached = by.contains(&case.by);
    let script: Vec<Reply> = reached.then(|| canned::zeev(TOKEN)).into_iter().collect();
    let server = Server::start_at(case.server, script);
    let mut machine = Machine::new();
    let url = format!("http://{}:{}", case.host, server.address().port());
    machine
        .set("ZEEV_URL", &url)
        .set("ZEEV_USERNAME", "maria")
        .secret("ZEEV_PASSWORD", "pW-Zv3Ed7Cr1Fv5");
    if let Some(plugins) = plugins {
        machine.set("LD_LIBRARY_PATH", plugins.to_str().expect("UTF-8"));
    }
    let etc = network::etc(&machine, case.hosts, case.resolv, case.nsswitch);
    let command = machine.command(&["login", "zeev"]);
    let outcome = machine.finish(wrapped(&command, &etc));
    if reached {
        assert_eq!(outcome.code, 0, "{name}: {outcome}");
        assert_eq!(outcome.stdout.trim_end(), TOKEN, "{name}");
    } else {
        assert_eq!(outcome.code, 5, "{name}: {outcome}");
        // A C library that gets no answer may ask for longer than a connection may take.
        let why = ["cannot resolve", "timed out connecting"];
        let stderr = &outcome.stderr;
        assert!(
            why.iter().any(|why| stderr.contains(why)),
            "{name}: {stderr}"
        );
    }
}

const NOT: &str = "not encrypted: anybody on the network can read the credentials";
const PUBLIC: &str = "would send the credentials unencrypted over a public network";
const UNCHECKED: &str = "through a proxy cannot be checked: the address may not be private";

/// Where plain http goes without encryption: the URL's host, the proxy, what is allowed besides, who listens, and what is
/// said: a warning, or why nothing was sent.
#[rustfmt::skip]
const PLAIN: &[(&str, &str, &str, &str, &str)] = &[
    ("127.0.0.1", "", "", "127.0.0.1", ""),
    ("[::1]", "", "", "::1", ""),
    ("10.1.2.3", "", "", "10.1.2.3", NOT),
    ("172.16.0.1", "", "", "172.16.0.1", NOT),
    ("192.168.0.1", "", "", "192.168.0.1", NOT),
    ("169.254.1.1", "", "", "169.254.1.1", NOT),
    ("[fd00::1]", "", "", "fd00::1", NOT),
    ("[::ffff:10.1.2.3]", "", "", "10.1.2.3", NOT),
    ("8.8.8.8", "", "", "8.8.8.8", PUBLIC),
    ("8.8.2056", "", "", "8.8.8.8", PUBLIC),
    ("[::ffff:8.8.8.8]", "", "", "8.8.8.8", PUBLIC),
    ("private.example", "", "", "10.1.2.3", NOT),
    ("public.example", "", "", "8.8.8.8", PUBLIC),
    ("public.example", "", "HTTP", "8.8.8.8", NOT),
    ("127.0.0.1", "http://127.0.0.1", "PROXY", "127.0.0.1", ""),
    ("127.0.0.1", "http://10.1.2.3", "PROXY", "10.1.2.3", NOT),
    ("127.0.0.1", "http://private.example", "PROXY", "10.1.2.3", NOT),
    ("10.9.9.9", "http://127.0.0.1", "PROXY", "127.0.0.1", NOT),
    ("127.0.0.1", "http://8.8.8.8", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "8.8.8.8", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "http://134744072", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "http://[::ffff:8.8.8.8]", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "http://u:p@public.example", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "socks5://8.8.8.8", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "socks5h://public.example", "PROXY", "8.8.8.8", PUBLIC),
    ("127.0.0.1", "socks4a://public.example", "PROXY", "8.8.8.8", PUBLIC),
    ("8.8.8.8", "http://127.0.0.1", "PROXY", "127.0.0.1", PUBLIC),
    ("private.example", "http://127.0.0.1", "PROXY", "127.0.0.1", UNCHECKED),
    ("private.example", "http://8.8.8.8", "PROXY", "8.8.8.8", PUBLIC),
    ("private.example", "http://8.8.8.8", "PROXY HTTP", "8.8.8.8", NOT),
    ("127.0.0.1", "http://8.8.8.8", "PROXY HTTP", "8.8.8.8", NOT),
];

#[test]
fn plain_http_is_judged_by_every_address_that_is_connected_to() {
    if !network::possible() {
        return;
    }
    at_once(PLAIN, |row @ (host, proxy, allowed, listens, said)| {
        let network = Network::enter();
        for address in "8.8.8.8 10.1.2.3 172.16.0.1 192.168.0.1 169.254.1.1 fd00::1".split(' ') {
            network.add(address);
        }
        let refused = !["", NOT].contains(said);
        let script = (!refused).then(|| canned::zeev(TOKEN));
        let server = Server::start_at(
            listens.parse().expect("an address"),
            script.into_iter().collect(),
        );
        let port = server.address().port();
        let given = "USERNAME=maria PASSWORD=pW-Zv3Ed7Cr1Fv5";
        let mut machine = Machine::of("ZEEV", &format!("http://{host}:{port}"), given);
        if !proxy.is_empty() {
            machine.set("all_proxy", &format!("{proxy}:{port}"));
        }
        for what in allowed.split_whitespace() {
            machine.set(&format!("ZEEV_ALLOW_{what}"), "1");
        }
        let hosts = "8.8.8.8 public.example\n10.1.2.3 private.example";
        let etc = network::etc(&machine, hosts, None, "hosts: files");
        let command = machine.command(&["login", "zeev"]);
        let outcome = machine.finish(wrapped(&command, &etc));
        let code = if refused { 2 } else { 0 };
        assert_eq!(outcome.code, code, "{row:?}: {outcome}");
        assert_eq!(server.connections(), usize::from(!refused), "{row:?}");
        match *said {
            "" => assert_eq!(outcome.stderr, "", "{row:?}"),
            said => assert!(outcome.stderr.contains(said), "{row:?}: {outcome}"),
        }
    });
}
