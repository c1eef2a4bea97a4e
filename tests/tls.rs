//! Whose signature is taken: that of CAs in their time, wherever they are named, and the one certificate itself that
//! `--ca-file` has.

mod chains;

use rcgen::{
    BasicConstraints, CertificateParams, CustomExtension, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyUsagePurpose, date_time_ymd,
};

use rustix::process::Signal;
use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use crate::broker;
use crate::support::machine::{installed, make_pipe, signal};
use crate::support::tls::Identity;
use crate::support::{Machine, Reply, Server, at_once, cells};

/// What `openssl x509 -hash` prints for the subject `CN=root`.
const HASH: &str = "dcaaf7f0";
const LOST: &str = "contains neither 127.0.0.1:";
const UNKNOWN: &str = "certificate comes from an unknown issuer";

/// A certificate for 127.0.0.1, or a CA's, with this common name.
fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(["127.0.0.1".to_owned()]).expect("a name");
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

fn authority(name: &str) -> CertificateParams {
    let mut params = named(name);
    params.subject_alt_names.clear();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params
}

fn with(
    mut params: CertificateParams,
    change: impl FnOnce(&mut CertificateParams),
) -> CertificateParams {
    change(&mut params);
    params
}

/// A certificate of its own that says that it is no CA's.
fn no_ca() -> Identity {
    Identity::alone(with(named("root"), |params| {
        params.is_ca = IsCa::ExplicitNoCa
    }))
}

fn root(change: impl FnOnce(&mut CertificateParams)) -> Identity {
    Identity::alone(with(authority("root"), change))
}

/// Where certificates can be named.
const PLACES: &[&str] = &["--ca-file", "SSL_CERT_FILE", "SSL_CERT_DIR"];
const OWN: &[&str] = &["--ca-file"];
const SYSTEM: &[&str] = &["SSL_CERT_FILE", "SSL_CERT_DIR"];

/// A server that presents this chain, and that a login reaches or not.
fn serve(chain: &[&Identity], trusted: bool) -> Server {
    let good = trusted.then(|| Reply::json(200, broker::DEMO.good()));
    Server::start_tls(chain[0].serve(&chain[1..]), Vec::from_iter(good))
}

/// A login at such a server; it ends well, or with these texts and nothing sent.
#[track_caller]
fn login(server: &Server, machine: &Machine, options: &str, refusal: Option<&[&str]>, title: &str) {
    let demo = &broker::DEMO;
    let outcome = machine.run(&format!("login {} --json{options}", demo.id));
    match refusal {
        None => _ = outcome.exits(0, title),
        Some(texts) => {
            let sent = server.received();
            assert!(sent.is_empty(), "{title}: sent to whom nobody vouches for");
            outcome.gives(5, "", title).says(texts);
            outcome.says(&[r#""code":"certificate""#, r#""retryable":false"#]);
        }
    }
}

/// A login where this file of certificates is named in each of these places.
#[track_caller]
fn expect(title: &str, places: &[&str], file: &str, chain: &[&Identity], refusal: Option<&str>) {
    for place in places {
        let server = serve(chain, refusal.is_none());
        let mut machine = broker::DEMO.machine(&server.url());
        let path = machine.write("trusted.pem", file);
        let mut options = "";
        match *place {
            "--ca-file" => options = " --ca-file trusted.pem",
            "SSL_CERT_DIR" => {
                let folder = machine.path("certs");
                std::fs::create_dir(&folder).expect("a folder");
                std::os::unix::fs::symlink(path, folder.join(format!("{HASH}.0"))).expect("a link");
                machine.set(place, folder.to_str().expect("UTF-8"));
            }
            _ => {
                machine.set(place, path.to_str().expect("UTF-8"));
            }
        }
        let texts = refusal.as_ref().map(std::slice::from_ref);
        let title = format!("{title}, {place}");
        login(&server, &machine, options, texts, &title);
    }
}

#[test]
fn only_a_ca_in_its_time_vouches_for_others() {
    let says = |is_ca: IsCa| move |params: &mut CertificateParams| params.is_ca = is_ca;
    let usages = |usages: &'static [KeyUsagePurpose]| {
        move |params: &mut CertificateParams| params.key_usages = usages.to_vec()
    };
    let purpose = |purpose: ExtendedKeyUsagePurpose| {
        move |params: &mut CertificateParams| params.extended_key_usages = vec![purpose]
    };
    let unheard_of = |critical: bool| {
        move |params: &mut CertificateParams| {
            let mut extension =
                CustomExtension::from_oid_content(&[1, 3, 6, 1, 4, 1, 99999, 1], vec![5, 0]);
            extension.set_criticality(critical);
            params.custom_extensions.push(extension);
        }
    };
    let (taken, lost) = ([None; 2], [Some(LOST), Some(UNKNOWN)]);
    let (expired, early) = (
        [Some("comes from a CA whose certificate expired on 2020-01-01"); 2],
        [Some("comes from a CA whose certificate is not valid yet"); 2],
    );
    use ExtendedKeyUsagePurpose::{ClientAuth, ServerAuth};
    use KeyUsagePurpose::{CrlSign, DigitalSignature, KeyCertSign};
    let past = root(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let future = root(|params| params.not_before = date_time_ymd(4000, 1, 1));
    let endless = root(|params| params.not_after = date_time_ymd(9999, 12, 31));
    let no_cert_sign = usages(&[DigitalSignature, CrlSign]);
    let rows = [
        ("a CA", root(|_| {}), taken),
        ("CA:FALSE", root(says(IsCa::ExplicitNoCa)), lost),
        ("no word on CAs", root(says(IsCa::NoCa)), lost),
        ("keyCertSign", root(usages(&[KeyCertSign, CrlSign])), taken),
        ("no keyCertSign", root(no_cert_sign), lost),
        ("for servers", root(purpose(ServerAuth)), taken),
        ("for clients", root(purpose(ClientAuth)), lost),
        ("something critical", root(unheard_of(true)), lost),
        ("something else", root(unheard_of(false)), taken),
        ("expired", past, expired),
        ("not yet valid", future, early),
        ("without an end", endless, taken),
    ];
    at_once(&rows, |(title, root, [own, system])| {
        let server = root.sign(named("server"));
        expect(title, OWN, &root.pem(), &[&server], *own);
        expect(title, SYSTEM, &root.pem(), &[&server], *system);
    });
}

#[test]
fn a_server_vouches_for_no_other() {
    let issuer = Identity::alone(authority("issuer"));
    let rows = [
        ("signed by itself", no_ca()),
        ("signed by a CA", issuer.sign(named("root"))),
    ];
    at_once(&rows, |(title, known)| {
        let (other, pem) = (known.sign(named("other")), known.pem());
        expect(title, OWN, &pem, &[&other], Some(LOST));
        expect(title, OWN, &pem, &[&other, known], Some(LOST));
        expect(title, SYSTEM, &pem, &[&other], Some(UNKNOWN));
        // The server's next certificate, under the same name, or that of somebody else.
        let [next, theirs] = ["root", "else"].map(|name| issuer.sign(named(name)));
        for other in [Identity::alone(named("root")), next, theirs] {
            expect(title, OWN, &known.pem(), &[&other], Some(LOST));
        }
    });
}

#[test]
fn a_servers_own_certificate_is_taken_from_the_ca_file_alone() {
    let issuer = Identity::alone(authority("issuer"));
    let both = with(named("root"), |params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained)
    });
    let mut elsewhere = CertificateParams::new(["other.example".to_owned()]).expect("a name");
    let names = &mut elsewhere.distinguished_name;
    names.push(DnType::CommonName, "root");
    let (mut past, mut early) = (both.clone(), both.clone());
    past.not_after = date_time_ymd(2020, 1, 1);
    early.not_before = date_time_ymd(4000, 1, 1);
    let alone = |params: &CertificateParams| Identity::alone(params.clone());
    let other = Some("is for another name: other.example");
    let expired = Some("'s certificate expired on 2020-01-01");
    let not_yet = Some("'s certificate is not valid yet");
    let rows = [
        ("CA:FALSE", no_ca(), None),
        ("no word on CAs", Identity::alone(named("root")), None),
        ("CA:TRUE", alone(&both), None),
        ("signed by a CA", issuer.sign(named("root")), None),
        ("another name", alone(&elsewhere), other),
        ("another name, signed", issuer.sign(elsewhere), other),
        ("expired", alone(&past), expired),
        ("expired, signed", issuer.sign(past), expired),
        ("not yet valid", alone(&early), not_yet),
    ];
    at_once(&rows, |(title, server, refusal)| {
        let pem = server.pem();
        expect(title, OWN, &pem, &[server], *refusal);
        // Elsewhere it is refused, for whichever reason comes first.
        expect(title, SYSTEM, &pem, &[server], Some("127.0.0.1"));
    });
    let (_, server, _) = &rows[2];
    let stranger = Identity::alone(authority("stranger")).pem();
    let refusal = Some(" presents a CA's certificate as its own");
    expect("CA:TRUE, not named", OWN, &stranger, &[server], refusal);
    let reversed = issuer.sign(with(named("server"), |params| {
        params.not_before = date_time_ymd(4000, 1, 1);
        params.not_after = date_time_ymd(3000, 1, 1);
    }));
    let refusal = Some("'s certificate ends before it begins");
    expect("reversed", OWN, &issuer.pem(), &[&reversed], refusal);
}

#[test]
fn a_file_may_have_several_certificates() {
    let useless = Identity::alone(named("root"));
    let (right, stranger) = (root(|_| {}), root(|_| {}));
    let expired = root(|params| params.not_after = date_time_ymd(2020, 1, 1));
    let server = right.sign(named("server"));
    for other in [&useless, &stranger, &expired] {
        for file in [right.pem() + &other.pem(), other.pem() + &right.pem()] {
            expect("one of two", PLACES, &file, &[&server], None);
        }
    }
    let marked = format!("\u{feff}{}", right.pem());
    expect("a byte order mark", &PLACES[..2], &marked, &[&server], None);
    let both = useless.pem() + &stranger.pem();
    expect("a server's beside a CA's", OWN, &both, &[&useless], None);
    let other = useless.sign(named("other"));
    let both = useless.pem() + &Identity::alone(authority("elsewhere")).pem();
    expect("the CA is another", OWN, &both, &[&other], Some(LOST));
}

#[test]
fn cas_between_must_be_such_and_no_more_than_the_root_allows() {
    let free = root(|_| {});
    let limited =
        |length| root(|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length)));
    let (none, one) = (limited(0), limited(1));
    let chain = |root: &Identity, change: fn(&mut CertificateParams)| {
        let upper = root.sign(with(authority("upper"), change));
        let lower = upper.sign(authority("lower"));
        [lower.sign(named("server")), lower, upper]
    };
    let as_is = |_: &mut CertificateParams| {};
    let [server, lower, upper] = &chain(&free, as_is);
    let direct = [&none.sign(named("server"))];
    let taken = |title, root: &Identity, sent: &[&Identity]| {
        expect(title, PLACES, &root.pem(), sent, None);
    };
    taken("a CA between", &free, &[server, lower, upper]);
    taken("in any order", &free, &[server, &free, upper, lower]);
    let (title, pem) = ("the one in the middle is known", upper.pem());
    expect(title, &PLACES[..2], &pem, &[server, lower], None);
    taken("no CA between is allowed", &none, &direct);
    taken("nor is one sent", &none, &[direct[0], &none]);
    let between = one.sign(authority("between"));
    let below = between.sign(named("server"));
    taken("one is allowed", &one, &[&below, &between, &one]);
    for root in [&none, &one] {
        let [server, lower, upper] = &chain(root, as_is);
        for sent in [vec![server, lower, upper], vec![server, upper, root, lower]] {
            let (pem, refused) = (root.pem(), Some("'s certificate "));
            expect("more than allowed", PLACES, &pem, &sent, refused);
        }
    }
    let unable: [fn(&mut CertificateParams); 3] = [
        |params| params.is_ca = IsCa::ExplicitNoCa,
        |params| params.is_ca = IsCa::NoCa,
        |params| params.key_usages = vec![KeyUsagePurpose::DigitalSignature],
    ];
    for change in unable {
        let [server, lower, upper] = &chain(&free, change);
        let sent = [server, lower, upper];
        expect("no CA between", PLACES, &free.pem(), &sent, Some(UNKNOWN));
    }
}

/// As OpenSSL: by the name that `openssl rehash` gives it.
#[test]
fn a_folder_has_what_its_hash_names() {
    let (right, stranger) = (root(|_| {}), root(|_| {}));
    let chain = [&right.sign(named("server"))];
    let upper = HASH.to_uppercase();
    let names = "HASH.0|HASH.0 README|HASH.1|HASH.00|HASH.0.disabled|HASH.r0|HASH|UPPER.0|0HASH.0|00000000.0|\
                 root.pem root.crt .root.swp";
    at_once(names.split('|').enumerate(), |(number, names)| {
        let trusted = number < 2;
        let server = serve(&chain, trusted);
        let mut machine = broker::DEMO.machine(&server.url());
        let folder = machine.path("certs");
        std::fs::create_dir(&folder).expect("a folder");
        for name in names.split(' ') {
            let name = name.replace("HASH", HASH).replace("UPPER", &upper);
            std::fs::write(folder.join(name), right.pem()).expect("a file");
        }
        std::fs::write(folder.join("11111111.0"), stranger.pem()).expect("a file");
        machine.set("SSL_CERT_DIR", folder.to_str().expect("UTF-8"));
        let refusal: Option<&[&str]> = (!trusted).then_some(&[UNKNOWN]);
        login(&server, &machine, "", refusal, names);
    });
}

#[test]
fn of_one_hash_several_and_of_folders_several_and_a_file_before_them() {
    let (right, stranger) = (root(|_| {}), root(|_| {}));
    let chain = [&right.sign(named("server"))];
    let rows: [(&[&str], _); 7] = [
        (&["one/.0", "one/.1"], true),
        (&["one/.0", "two/.0"], true),
        (&["one/.0", "one/.2"], false),
        // What is no file of certificates ends a search.
        (&["one/.0", "pipe one/.1", "one/.2"], false),
        (&["one/.0", "noise one/.1", "one/.2"], false),
        (&["file", "two/.0"], true),
        (&["file"], false),
    ];
    at_once(&rows, |(places, trusted)| {
        let server = serve(&chain, *trusted);
        let mut machine = broker::DEMO.machine(&server.url());
        let [one, two] = ["one", "two"].map(|name| machine.path(name));
        for folder in [&one, &two] {
            std::fs::create_dir(folder).expect("a folder");
        }
        for (number, place) in places.iter().enumerate() {
            let (kind, place) = place.split_once(' ').unwrap_or(("", place));
            let path = machine.path(&place.replace('/', &format!("/{HASH}")));
            // The right one is the last.
            let pem = match (kind, number) {
                ("pipe", _) => {
                    make_pipe(&path);
                    continue;
                }
                ("noise", _) => "no certificate".to_owned(),
                (_, 0) => stranger.pem(),
                _ => right.pem(),
            };
            std::fs::write(&path, pem).expect("a file");
            if place == "file" {
                machine.set("SSL_CERT_FILE", path.to_str().expect("UTF-8"));
            }
        }
        let folders = format!("{}::{}", one.display(), two.display());
        machine.set("SSL_CERT_DIR", &folders);
        let refusal: Option<&[&str]> = (!trusted).then_some(&[UNKNOWN]);
        login(&server, &machine, "", refusal, &format!("{places:?}"));
    });
}

#[test]
fn what_the_ca_file_lacks_is_said_with_the_next_step() {
    let known = Identity::alone(named("root"));
    let server = serve(&[&known.sign(named("server"))], false);
    let machine = broker::DEMO.machine(&server.url());
    machine.write("ca.pem", known.pem());
    let outcome = machine.run("login broker --ca-file ca.pem");
    let host = server.host();
    assert_eq!(
        outcome.fails(5, &[]).stderr,
        format!(
            "error: broker: --ca-file contains neither {host}'s certificate nor that of a CA that could have signed it\n\
             hint: a certificate that is not a CA's is trusted for itself only: name the CA's, or the server's \
             current one\n"
        )
    );
}

/// Runs `openssl` in a folder.
fn openssl(folder: &Path, line: &str) {
    let run = Command::new("openssl")
        .args(line.split(' '))
        .current_dir(folder)
        .output();
    let run = run.expect("openssl");
    let told = String::from_utf8_lossy(&run.stderr);
    assert!(run.status.success(), "{line}: {told}");
}

/// Makes a CA's certificate with OpenSSL: `NAME.pem` and `NAME.key`.
fn make_root(folder: &Path, name: &str, subject: &str, key: &str, more: &str) {
    let files = format!("-keyout {name}.key -out {name}.pem");
    let line = format!("req -x509 -newkey {key} -nodes -days 30 {files} -subj /CN={subject}{more}");
    openssl(folder, &line);
}

/// Makes a server's certificate with such a CA's signature, and with these extensions.
fn issue(folder: &Path, name: &str, ca: &str, extensions: &str, key: &str, sign: &str) {
    let files = format!("-keyout {name}.key -out {name}.csr");
    let request = format!("req -newkey {key} -nodes {files} -subj /CN=127.0.0.1");
    openssl(folder, &request);
    let by = format!("-CA {ca}.pem -CAkey {ca}.key");
    let mut line = format!("x509 -req -in {name}.csr {by} -set_serial 7 -out {name}.pem {sign}");
    if !extensions.is_empty() {
        std::fs::write(folder.join(format!("{name}.ext")), extensions).expect("a file");
        line += &format!(" -extfile {name}.ext");
    }
    openssl(folder, &line);
}

/// `openssl s_server`, which speaks what this program's library does not; ended when dropped.
struct Old(Child, u16);

impl Old {
    fn start(folder: &Path, name: &str, options: &str) -> Self {
        let line = format!("s_server -accept 127.0.0.1:0 -cert {name}.pem -key {name}.key");
        let mut child = Command::new("openssl")
            .args(line.split(' ').chain(options.split(' ')))
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("openssl");
        let mut lines = BufReader::new(child.stdout.take().expect("stdout")).lines();
        let port = lines.by_ref().find_map(|line| {
            let line = line.expect("a line");
            let (_, port) = line.strip_prefix("ACCEPT ")?.rsplit_once(':')?;
            port.parse().ok()
        });
        // Nobody reads on, and it says little.
        Self(child, port.expect("a port"))
    }

    /// A login there with the root trusted.
    fn login(&self, folder: &Path, root: &str) -> (Machine, crate::support::Outcome) {
        let machine = broker::DEMO.machine(&format!("https://127.0.0.1:{}", self.1));
        let root = folder.join(root).display().to_string();
        let outcome = machine.run_args(&["login", "broker", "--json", "--ca-file", &root]);
        (machine, outcome)
    }
}

impl Drop for Old {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// What makes a certificate that is wrong in its own way: the root and the server's extensions, how the key is made and
/// how the certificate is signed; then what is said.
#[test]
fn each_verdict_has_a_sentence_and_a_next_step_of_its_own() {
    if !installed("openssl") {
        return;
    }
    const NAME: &str = "subjectAltName=IP:127.0.0.1\n";
    let rows = cells([
        "sha1 | free | NAME | rsa:2048 -sha1 | has a signature that is no longer safe, such as SHA-1 | REPLACE",
        "rsa1024 | free | NAME | rsa:1024 -sha256 | has an RSA key of 1024 bits | at least 2048 bits",
        "rsa1536 | free | NAME | rsa:1536 -sha256 | has an RSA key of 1536 bits | at least 2048 bits",
        "small-ca | small | NAME | rsa:2048 -sha256 | has an RSA key of 1024 bits | at least 2048 bits",
        "purpose | free | NAMEextendedKeyUsage=clientAuth\n | rsa:2048 -sha256 | is not for servers | REPLACE",
        "v1 | free |  | rsa:2048 -sha256 | is version 1 | REPLACE",
        "nosan | free | basicConstraints=CA:FALSE\n | rsa:2048 -sha256 | \
            names no host: it has no subjectAltName | REPLACE",
        "other | free | subjectAltName=DNS:other.example\n | rsa:2048 -sha256 | is for another name | other.example",
        "constraint | narrow | NAME | rsa:2048 -sha256 | a CA that may not sign for this name | from another CA",
        "critical | free | NAME1.2.3.4=critical,ASN1:UTF8String:x\n | rsa:2048 -sha256 | \
            has a critical extension | REPLACE",
        "ca | free | NAMEbasicConstraints=CA:TRUE\n | rsa:2048 -sha256 | \
            presents a CA's certificate as its own | make one for the server",
        "key | namesake | NAME | rsa:2048 -sha256 | an unknown issuer with the name of a known one | --ca-file",
        "unknown | stranger | NAME | rsa:2048 -sha256 | comes from an unknown issuer | --ca-file",
    ]);
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    make_root(folder, "free", "free", "rsa:2048", "");
    make_root(folder, "small", "small", "rsa:1024", "");
    make_root(folder, "namesake", "free", "rsa:2048", "");
    make_root(folder, "stranger", "stranger", "rsa:2048", "");
    let narrow = " -addext nameConstraints=critical,permitted;IP:10.0.0.0/255.0.0.0";
    make_root(folder, "narrow", "narrow", "rsa:2048", narrow);
    at_once(rows, |[title, ca, extensions, made, said, next]| {
        let (key, sign) = made.split_once(' ').expect("a key and a hash");
        let extensions = extensions.replace("NAME", NAME);
        issue(folder, title, ca, &extensions, key, sign);
        let server = Old::start(folder, title, "-cipher ALL:@SECLEVEL=0");
        let unknown = matches!(title, "key" | "unknown");
        let trusted = if unknown { "free" } else { ca };
        let (_machine, outcome) = server.login(folder, &format!("{trusted}.pem"));
        let next = next.replace("REPLACE", "the server's administrator must replace it");
        outcome.fails(
            5,
            &[
                said,
                &next,
                r#""code":"certificate""#,
                r#""retryable":false"#,
            ],
        );
        let told = outcome.stderr.contains("unknown issuer");
        assert!(unknown || !told, "{title}: {outcome}");
    });
}

#[test]
fn what_a_server_cannot_speak_is_told_from_what_it_wants() {
    if !installed("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    let address = " -addext subjectAltName=IP:127.0.0.1";
    make_root(folder, "s", "s", "rsa:2048", address);
    let (old, cipher) = (
        "supports no TLS newer than 1.1",
        "ciphers of TLS 1.2 with ECDHE",
    );
    let rows = [
        ("-tls1_1 -cipher ALL:@SECLEVEL=0", old),
        ("-tls1 -cipher ALL:@SECLEVEL=0", old),
        ("-tls1_2 -cipher AES128-SHA:@SECLEVEL=0", cipher),
        ("-tls1_2 -cipher DHE-RSA-AES128-GCM-SHA256", cipher),
        ("-tls1_3 -ciphersuites TLS_AES_128_CCM_SHA256", cipher),
        ("-tls1_3 -Verify 1", "it may require a client certificate"),
    ];
    at_once(rows, |(options, text)| {
        let server = Old::start(folder, "s", options);
        let (_machine, outcome) = server.login(folder, "s.pem");
        outcome.exits(5, options).says(&[text]);
        let wants = [&*outcome.stderr, text].map(|text| text.contains("client certificate"));
        assert_eq!(wants[0], wants[1], "{options}: {outcome}");
    });
}

#[test]
fn certificates_that_the_environment_names_and_are_not_there_are_named() {
    let server = Server::start_tls(root(|_| {}).serve(&[]), Vec::new());
    for [name, value, said, more] in cells([
        "SSL_CERT_FILE | /gone/cacert.pem | names /gone/cacert.pem: no such file | ",
        "SSL_CERT_DIR | /gone/certs | names /gone/certs: no such file | ",
        "SSL_CERT_DIR | /gone/certs:/gone/too | names /gone/certs | ",
        "SSL_CERT_FILE |  | is set and empty | ",
        "SSL_CERT_FILE | empty | names  | contains no CA's certificate",
        "SSL_CERT_FILE | noise | names  | contains no CA's certificate",
        "SSL_CERT_FILE | . | names  | contains no CA's certificate",
        "SSL_CERT_FILE | /dev/zero | names /dev/zero, which contains no CA's certificate | ",
        "SSL_CERT_DIR | noise | names  | contains no CA's certificate",
    ]) {
        let mut machine = broker::DEMO.machine(&server.url());
        machine.write("empty", "");
        machine.write("noise", "-----BEGIN CERTIFICATE-----\n");
        machine.set(name, value);
        let outcome = machine.run("login broker");
        outcome.fails(5, &[&format!("{name} {said}"), more]);
        outcome.says(&["hint: unset ", name]);
    }
    // A pipe is read as a file is.
    let root = root(|_| {});
    let trusted = serve(&[&root.sign(named("server"))], true);
    let machine = broker::DEMO.machine(&trusted.url());
    machine.write("root.pem", root.pem());
    let script = "exec 3< <(cat root.pem); SSL_CERT_FILE=/dev/fd/3 crmauth login broker";
    let outcome = machine.shell("bash", script);
    assert_eq!(outcome.answer().trim_end(), broker::DEMO.token);
}

#[test]
fn a_bundle_that_is_a_pipe_without_a_writer_stops_no_signal() {
    for (sent, code) in [(Signal::INT, 130), (Signal::TERM, 143)] {
        let server = Server::start_tls(root(|_| {}).serve(&[]), Vec::new());
        let mut machine = broker::DEMO.machine(&server.url());
        let pipe = machine.path("pipe");
        make_pipe(&pipe);
        machine.set("SSL_CERT_FILE", pipe.to_str().expect("UTF-8"));
        let child = machine.begin("login broker");
        // It opens once there is a reader, who waits.
        let writer = std::fs::File::options().write(true).open(&pipe);
        signal(&child, sent);
        assert_eq!(machine.end(child).code, code);
        drop(writer);
    }
}
