//! Real chains in one table: whether we take them, whether curl with OpenSSL does, and why they differ where they do.
//!
//! What curl says was seen with OpenSSL 3.0, and is asked again where that is installed. The tables
//! are written to `target/tmp`.

use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use rcgen::{
    CidrSubnet, DistinguishedName, DnValue, ExtendedKeyUsagePurpose as Purpose, GeneralSubtree,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose as Usage, NameConstraints, SanType, SerialNumber,
};
use rustls::ServerConfig;
use rustls::pki_types::CertificateDer;
use rustls::sign::{CertifiedKey, SingleCertAndKey};

use super::*;
use crate::support::Outcome;

/// Ours, curl's, and why they differ.
type Verdict = (bool, bool, &'static str);
const YES: Verdict = (true, true, "");
const NO: Verdict = (false, false, "");

/// The places where certificates are named: `--ca-file`, `SSL_CERT_FILE`, `SSL_CERT_DIR`.
const ALL: [&str; 3] = ["own", "file", "folder"];
const FILE: [&str; 1] = ["file"];

type Change<'a> = &'a dyn Fn(&mut CertificateParams);

#[derive(Clone)]
struct Cert {
    params: CertificateParams,
    key: Arc<KeyPair>,
    der: CertificateDer<'static>,
    pem: String,
}

fn key() -> Arc<KeyPair> {
    Arc::new(KeyPair::generate().expect("a key"))
}

impl Cert {
    fn new(params: CertificateParams, key: Arc<KeyPair>, issuer: Option<&Self>) -> Self {
        let made = match issuer {
            None => params.self_signed(&*key),
            Some(by) => params.signed_by(&*key, &Issuer::from_params(&by.params, &*by.key)),
        };
        let made = made.expect("a certificate");
        let (der, pem) = (made.der().clone(), made.pem());
        Self {
            params,
            key,
            der,
            pem,
        }
    }

    fn alone(params: CertificateParams) -> Self {
        Self::new(params, key(), None)
    }

    fn sign(&self, params: CertificateParams) -> Self {
        Self::new(params, key(), Some(self))
    }

    /// The same key and names under another certificate.
    fn again(&self, issuer: Option<&Self>, change: Change<'_>) -> Self {
        let mut params = self.params.clone();
        change(&mut params);
        Self::new(params, Arc::clone(&self.key), issuer)
    }
}

fn leaf() -> CertificateParams {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let mut params = CertificateParams::new(names).expect("names");
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "leaf");
    params.is_ca = IsCa::ExplicitNoCa;
    params
}

fn leaf_with(change: Change<'_>) -> CertificateParams {
    with(leaf(), change)
}

fn root_with(change: Change<'_>) -> CertificateParams {
    with(authority("root"), change)
}

fn named(params: &mut CertificateParams, value: impl Into<DnValue>) {
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, value);
}

fn dns(name: &str) -> SanType {
    SanType::DnsName(name.to_owned().try_into().expect("a name"))
}

fn expired(params: &mut CertificateParams) {
    params.not_after = date_time_ymd(2020, 1, 1);
}

fn early(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(4000, 1, 1);
}

fn extension(critical: bool, oid: &[u64], content: &[u8]) -> impl Fn(&mut CertificateParams) {
    move |params: &mut CertificateParams| {
        let mut extension = CustomExtension::from_oid_content(oid, content.to_vec());
        extension.set_criticality(critical);
        params.custom_extensions.push(extension);
    }
}

fn unheard_of(critical: bool) -> impl Fn(&mut CertificateParams) {
    extension(critical, &[1, 3, 6, 1, 4, 1, 99999, 1], &[5, 0])
}

fn constraints(
    permitted: &[GeneralSubtree],
    excluded: &[GeneralSubtree],
) -> Option<NameConstraints> {
    Some(NameConstraints {
        permitted_subtrees: permitted.to_vec(),
        excluded_subtrees: excluded.to_vec(),
    })
}

struct Row {
    title: String,
    place: &'static str,
    host: &'static str,
    bundle: Vec<u8>,
    chain: Vec<Cert>,
    verdict: Verdict,
}

#[derive(Default)]
struct Table(Vec<Row>);

impl Table {
    fn add(
        &mut self,
        title: &str,
        places: &[&'static str],
        bundle: impl AsRef<[u8]>,
        chain: &[&Cert],
        verdict: Verdict,
    ) {
        for place in places {
            self.at("localhost", title, place, bundle.as_ref(), chain, verdict);
        }
    }

    fn at(
        &mut self,
        host: &'static str,
        title: &str,
        place: &'static str,
        bundle: &[u8],
        chain: &[&Cert],
        verdict: Verdict,
    ) {
        let chain = chain.iter().map(|cert| (*cert).clone()).collect();
        self.0.push(Row {
            title: title.to_owned(),
            place,
            host,
            bundle: bundle.to_vec(),
            chain,
            verdict,
        });
    }
}

fn joined(certs: &[&Cert]) -> String {
    certs.iter().map(|cert| cert.pem.as_str()).collect()
}

const FIRST: &str = "OpenSSL follows the first issuer of that name, and no other";
const BYTES: &str = "webpki compares names byte by byte, as RFC 5280 allows";

#[rustfmt::skip]
fn paths(table: &mut Table) {
    let root = Cert::alone(authority("root"));
    let inter = root.sign(authority("inter"));
    let end = inter.sign(leaf());
    let direct = root.sign(leaf());
    let stranger = Cert::alone(authority("stranger"));
    let pem = &root.pem;
    table.add("leaf < root", &ALL, pem, &[&direct], YES);
    table.add("leaf < inter < root", &ALL, pem, &[&end, &inter], YES);
    table.add("inter not sent", &FILE, pem, &[&end], NO);
    table.add("inter not sent, beside the root in the store", &FILE, joined(&[&root, &inter]), &[&end], YES);
    table.add("the root is another", &ALL, &stranger.pem, &[&direct], NO);
    table.add("only the inter in the store", &["own", "file"], &inter.pem, &[&end], YES);
    table.add("only the inter in the store, sent too", &["own", "file"], &inter.pem, &[&end, &inter], YES);
    let root2 = Cert::alone(authority("root2"));
    let inter2 = inter.again(Some(&root2), &|_| {});
    table.add("cross-signed inter, the unknown root's first", &FILE, &root2.pem, &[&end, &inter, &inter2], (true, false, FIRST));
    table.add("cross-signed inter, the known root's first", &FILE, &root2.pem, &[&end, &inter2, &inter], YES);
    let short = root2.again(None, &|params| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1)));
    let sent = |first, last| [&end, &root, first, last, &stranger];
    let title = "cross-signed inter, the known root allows one between";
    table.add(&format!("{title}, the unknown root's first"), &FILE, &short.pem, &sent(&inter, &inter2), (true, false, FIRST));
    table.add(&format!("{title}, the known root's first"), &FILE, &short.pem, &sent(&inter2, &inter), YES);
    let cross = root.again(Some(&root2), &|_| {});
    table.add("root cross-signed by a known one", &FILE, &root2.pem, &[&end, &inter, &cross], YES);
    table.add("the same, the root itself sent too", &FILE, &root2.pem, &[&end, &inter, &root, &cross], (true, false, FIRST));
    let fake = Cert::alone(authority("root"));
    table.add("two of one name in the store, the right one last", &FILE, joined(&[&fake, &root]), &[&end, &inter], (true, false, FIRST));
    table.add("two of one name in the store, the right one first", &FILE, joined(&[&root, &fake]), &[&end, &inter], YES);
    table.add("one of that name in the store, with another key", &ALL, &fake.pem, &[&end, &inter], NO);
    let forged = fake.sign(leaf());
    table.add("forged under the root's name", &ALL, pem, &[&forged], NO);
    table.add("forged, its own root sent along", &ALL, pem, &[&forged, &fake], NO);
    let printable = root.again(None, &|params| named(params, DnValue::PrintableString("root".try_into().expect("plain"))));
    table.add("the root's name is a PrintableString, the issuer's UTF8String", &FILE, &printable.pem, &[&direct], (false, true, BYTES));
    table.add("the same for an inter's issuer", &FILE, &printable.pem, &[&end, &inter], (false, true, BYTES));
    let spaced = root.again(None, &|params| named(params, "ROOT"));
    table.add("the root's name in other case", &FILE, &spaced.pem, &[&direct], (false, true, BYTES));
    let identified = |by: u8| {
        root.again(None, &move |params| {
            params.key_identifier_method = KeyIdMethod::PreSpecified(vec![by; 20]);
        })
    };
    let [one, other] = [1, 2].map(identified);
    let end_of = |root: &Cert| root.sign(leaf_with(&|params| params.use_authority_key_identifier_extension = true));
    let why = "webpki does not look at key identifiers: the signature decides";
    let another = (true, false, why);
    table.add("the authority's key identifier is another", &FILE, &one.pem, &[&end_of(&other)], another);
    table.add("the authority's key identifier is the root's", &FILE, &one.pem, &[&end_of(&one)], YES);
    for (length, verdict) in [(4, YES), (5, YES), (6, YES), (7, (false, true, "webpki follows at most six CAs between"))] {
        let mut between = vec![root.clone()];
        for number in 0..length {
            let next = between[number].sign(authority(&format!("inter{number}")));
            between.push(next);
        }
        let end = between[length].sign(leaf());
        let chain: Vec<&Cert> = std::iter::once(&end).chain(between[1..].iter().rev()).collect();
        table.add(&format!("{length} CAs between"), &FILE, pem, &chain, verdict);
    }
    table.add("strangers sent along", &FILE, pem, &[&end, &stranger, &fake, &inter, &root2], YES);
    table.add("the leaf sent twice", &FILE, pem, &[&end, &end, &inter], YES);
    table.add("the root before the inter", &FILE, pem, &[&end, &root, &inter], YES);
    let other = inter.again(Some(&stranger), &|_| {});
    let knot = stranger.again(Some(&inter), &|_| {});
    table.add("two CAs that sign each other", &FILE, pem, &[&end, &other, &knot], NO);
    table.add("serial of 20 bytes", &FILE, pem, &[&root.sign(leaf_with(&|params| params.serial_number = Some(SerialNumber::from_slice(&[0x7f; 20]))))], YES);
    table.add("serial 0", &FILE, pem, &[&root.sign(leaf_with(&|params| params.serial_number = Some(SerialNumber::from_slice(&[0]))))], YES);
    for (name, algorithm) in [("P-384", &rcgen::PKCS_ECDSA_P384_SHA384), ("Ed25519", &rcgen::PKCS_ED25519)] {
        let key = Arc::new(KeyPair::generate_for(algorithm).expect("a key"));
        let strong = Cert::new(authority("root"), Arc::clone(&key), None);
        table.add(&format!("root of {name}"), &FILE, &strong.pem, &[&strong.sign(leaf())], YES);
        table.add(&format!("leaf of {name}"), &FILE, pem, &[&Cert::new(leaf(), key, Some(&root))], YES);
    }
}

#[rustfmt::skip]
fn times(table: &mut Table) {
    let root = Cert::alone(authority("root"));
    let old = root.again(None, &expired);
    let inter = root.sign(authority("inter"));
    let late = inter.again(Some(&root), &expired);
    let direct = root.sign(leaf());
    let end = inter.sign(leaf());
    table.add("expired root", &ALL, &old.pem, &[&direct], NO);
    table.add("root not valid yet", &ALL, &root.again(None, &early).pem, &[&direct], NO);
    table.add("expired root before the valid one of one key", &ALL[..2], joined(&[&old, &root]), &[&direct], YES);
    table.add("expired root after the valid one of one key", &ALL[..2], joined(&[&root, &old]), &[&direct], YES);
    table.add("expired inter alone in the store", &ALL[..2], &late.pem, &[&end], NO);
    table.add("expired inter sent", &FILE, &root.pem, &[&end, &late], NO);
    table.add("expired inter sent, then a valid one", &FILE, &root.pem, &[&end, &late, &inter], YES);
    table.add("expired leaf", &FILE, &root.pem, &[&root.sign(leaf_with(&expired))], NO);
    table.add("leaf not valid yet", &FILE, &root.pem, &[&root.sign(leaf_with(&early))], NO);
    let short = root.again(None, &|params| params.not_after = date_time_ymd(3000, 1, 1));
    table.add("leaf that outlives its root", &FILE, &short.pem, &[&direct], YES);
    table.add("root until the end of 9999", &FILE, &root.again(None, &|params| params.not_after = date_time_ymd(9999, 12, 31)).pem, &[&direct], YES);
}

#[rustfmt::skip]
fn authorities(table: &mut Table) {
    let root = Cert::alone(authority("root"));
    let stranger = Cert::alone(authority("stranger"));
    let kinds: [(&str, Cert); 5] = [
        ("CA:FALSE", Cert::alone(root_with(&|params| params.is_ca = IsCa::ExplicitNoCa))),
        ("no basicConstraints", Cert::alone(root_with(&|params| params.is_ca = IsCa::NoCa))),
        (
            "no basicConstraints, keyUsage digitalSignature",
            Cert::alone(root_with(&|params| {
                params.is_ca = IsCa::NoCa;
                params.key_usages = vec![Usage::DigitalSignature];
            })),
        ),
        ("another server's, signed by a CA", stranger.sign(root_with(&|params| params.is_ca = IsCa::ExplicitNoCa))),
        ("a CA without keyCertSign", Cert::alone(root_with(&|params| params.key_usages = vec![Usage::DigitalSignature]))),
    ];
    for (title, known) in &kinds {
        let other = known.sign(leaf());
        table.add(&format!("{title}, in the store, signs another"), &ALL, &known.pem, &[&other], NO);
        table.add(&format!("{title}, in the store and sent"), &FILE, &known.pem, &[&other, known], NO);
        // Between a root and a leaf.
        let between = known.again(Some(&root), &|_| {});
        table.add(&format!("{title}, between"), &FILE, &root.pem, &[&other, &between], NO);
    }
    let purposes = |purposes: &'static [Purpose]| move |params: &mut CertificateParams| params.extended_key_usages = purposes.to_vec();
    let usages = |usages: &'static [Usage]| move |params: &mut CertificateParams| params.key_usages = usages.to_vec();
    let client = purposes(&[Purpose::ClientAuth]);
    let direct = |change: Change<'_>| root.sign(leaf_with(change));
    table.add("root for clients", &FILE, &root.again(None, &client).pem, &[&direct(&|_| {})], NO);
    table.add("root for servers", &FILE, &root.again(None, &purposes(&[Purpose::ServerAuth])).pem, &[&direct(&|_| {})], YES);
    let inter = root.sign(with(authority("inter"), client));
    table.add("inter for clients", &FILE, &root.pem, &[&inter.sign(leaf()), &inter], NO);
    table.add("leaf for clients", &FILE, &root.pem, &[&direct(&client)], NO);
    table.add("leaf for servers and clients", &FILE, &root.pem, &[&direct(&purposes(&[Purpose::ServerAuth, Purpose::ClientAuth]))], YES);
    table.add("leaf for any purpose", &FILE, &root.pem, &[&direct(&purposes(&[Purpose::Any]))], NO);
    table.add("leaf, keyUsage digitalSignature", &FILE, &root.pem, &[&direct(&usages(&[Usage::DigitalSignature]))], YES);
    table.add("leaf, keyUsage keyAgreement", &FILE, &root.pem, &[&direct(&usages(&[Usage::KeyAgreement]))], YES);
    table.add(
        "leaf, keyUsage keyCertSign alone",
        &FILE,
        &root.pem,
        &[&direct(&usages(&[Usage::KeyCertSign]))],
        (true, false, "webpki does not look at the key usage of a server's own"),
    );
    let why = "webpki takes no CA's certificate for a server's, unless --ca-file has it";
    table.add("leaf CA:TRUE under a root", &ALL, &root.pem, &[&direct(&|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained))], (false, true, why));
    let limited = |length| move |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Constrained(length));
    let inter = root.sign(authority("inter"));
    let lower = inter.sign(authority("lower"));
    let [top, middle, bottom] = [&root, &inter, &lower].map(|ca| ca.sign(leaf()));
    for (length, verdicts) in [(0, [YES, NO, NO]), (1, [YES, YES, NO]), (2, [YES; 3])] {
        let root = root.again(None, &limited(length));
        let chains = [vec![&top], vec![&middle, &inter], vec![&bottom, &lower, &inter]];
        for (between, (chain, verdict)) in chains.iter().zip(verdicts).enumerate() {
            table.add(&format!("root allows {length} between, {between} there"), &FILE, &root.pem, chain, verdict);
        }
    }
    // Oddly written: nothing within, a truth that is not 0xff, a length that is negative, none or long; no bits, two bytes of
    // them; no list, something else in it; names' constraints.
    for (kind, content, verdict) in [
        (19, &[][..], NO),
        (19, &[0x30, 3, 1, 1, 1], (false, true, "in DER a truth is 0xff")),
        (19, &[0x30, 6, 1, 1, 0xff, 2, 1, 0xff], NO),
        (19, &[0x30, 5, 1, 1, 0xff, 2, 0], NO),
        (19, &[0x30, 6, 1, 1, 0xff, 2, 1, 127], YES),
        (19, &[0x30, 7, 1, 1, 0xff, 2, 2, 0, 0xff], YES),
        (15, &[3, 1, 0], NO),
        (15, &[3, 2, 2, 4], YES),
        (15, &[3, 3, 7, 0x80, 0x80], NO),
        (37, &[6, 0], NO),
        (37, &[0x30, 12, 5, 0, 6, 8, 0x2b, 6, 1, 5, 5, 7, 3, 1], NO),
        (30, &[0x30, 0], YES),
    ] {
        let odd = root.again(None, &|params| {
            if kind == 19 {
                params.is_ca = IsCa::NoCa;
            }
            extension(true, &[2, 5, 29, kind], content)(params);
        });
        table.add(&format!("root: extension {kind} {content:x?}"), &FILE, &odd.pem, &[&direct(&|_| {})], verdict);
    }
    let narrow = inter.again(Some(&root), &limited(0));
    table.add("inter allows none below, one there", &FILE, &root.pem, &[&lower.sign(leaf()), &lower, &narrow], NO);
    for (critical, verdict) in [(true, NO), (false, YES)] {
        let change = unheard_of(critical);
        let word = if critical { "critical" } else { "optional" };
        table.add(&format!("leaf: unknown {word} extension"), &FILE, &root.pem, &[&direct(&change)], verdict);
        table.add(&format!("root: unknown {word} extension"), &FILE, &root.again(None, &change).pem, &[&direct(&|_| {})], verdict);
        let inter = inter.again(Some(&root), &change);
        table.add(&format!("inter: unknown {word} extension"), &FILE, &root.pem, &[&inter.sign(leaf()), &inter], verdict);
    }
}

#[rustfmt::skip]
fn own(table: &mut Table) {
    let stranger = Cert::alone(authority("stranger"));
    let mine = |change: Change<'_>| with(leaf_with(change), |params| named(params, "root"));
    let elsewhere = |params: &mut CertificateParams| params.subject_alt_names = vec![dns("a.example")];
    let authority = |params: &mut CertificateParams| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let only = "a server's own certificate counts in --ca-file alone";
    let as_it_is = "in --ca-file the server's own is accepted by its name and dates";
    let here = [true, false, false];
    for (title, cert, good) in [
        ("CA:FALSE", Cert::alone(mine(&|_| {})), true),
        ("no basicConstraints", Cert::alone(mine(&|params| params.is_ca = IsCa::NoCa)), true),
        ("CA:TRUE", Cert::alone(mine(&authority)), true),
        ("signed by a CA", stranger.sign(mine(&|_| {})), true),
        ("for clients", Cert::alone(mine(&|params| params.extended_key_usages = vec![Purpose::ClientAuth])), true),
        ("expired", Cert::alone(mine(&expired)), false),
        ("not valid yet", Cert::alone(mine(&early)), false),
        ("for another name", Cert::alone(mine(&elsewhere)), false),
        (
            "CA:TRUE, for another name",
            Cert::alone(mine(&|params| {
                authority(params);
                elsewhere(params);
            })),
            false,
        ),
        ("signed by a CA, expired", stranger.sign(mine(&expired)), false),
    ] {
        for (place, here) in ALL.into_iter().zip(here) {
            let verdict = match (good, here) {
                (true, _) if title == "for clients" => [NO, (true, false, as_it_is)][usize::from(here)],
                (true, true) => YES,
                (true, false) => (false, true, only),
                (false, _) => NO,
            };
            table.add(&format!("the server's own: {title}"), &[place], &cert.pem, &[&cert], verdict);
        }
        let next = Cert::alone(mine(&|_| {}));
        table.add(&format!("its next certificate, the store has the old one: {title}"), &ALL[..1], &cert.pem, &[&next], NO);
    }
}

#[rustfmt::skip]
fn names(table: &mut Table) {
    let root = Cert::alone(authority("root"));
    let sans = |sans: Vec<SanType>| root.sign(leaf_with(&|params| params.subject_alt_names = sans.clone()));
    let ip = |text: &str| SanType::IpAddress(text.parse::<IpAddr>().expect("an address"));
    let common = |name: &'static str| {
        root.sign(leaf_with(&|params| {
            params.subject_alt_names.clear();
            named(params, name);
        }))
    };
    let why = "a common name is no host's name to us, as to browsers";
    for (host, title, cert, verdict) in [
        ("localhost", "no subjectAltName, CN=localhost", common("localhost"), (false, true, why)),
        ("127.0.0.1", "no subjectAltName, CN=127.0.0.1", common("127.0.0.1"), (false, true, why)),
        ("127.0.0.1", "IP:127.0.0.1 for the address", sans(vec![ip("127.0.0.1")]), YES),
        ("127.0.0.1", "DNS:127.0.0.1 for the address", sans(vec![dns("127.0.0.1")]), NO),
        ("127.0.0.1", "IP:::ffff:127.0.0.1 for the address", sans(vec![ip("::ffff:127.0.0.1")]), NO),
        ("127.0.0.1", "IP:127.0.0.2 for the address", sans(vec![ip("127.0.0.2")]), NO),
        ("localhost", "IP:127.0.0.1 for the name", sans(vec![ip("127.0.0.1")]), NO),
        ("localhost", "DNS:LOCALHOST", sans(vec![dns("LOCALHOST")]), YES),
        ("LOCALHOST", "DNS:localhost, the URL in capitals", sans(vec![dns("localhost")]), YES),
        ("localhost", "DNS:*.localhost", sans(vec![dns("*.localhost")]), NO),
        ("localhost", "DNS:*", sans(vec![dns("*")]), NO),
        ("localhost", "DNS:local*", sans(vec![dns("local*")]), NO),
        ("localhost", "DNS:localhost.example", sans(vec![dns("localhost.example")]), NO),
        ("localhost", "the second of two names", sans(vec![dns("a.example"), dns("localhost")]), YES),
        ("localhost", "an e-mail's name alone", sans(vec![SanType::Rfc822Name("a@localhost".to_owned().try_into().expect("plain"))]), NO),
        ("localhost", "a URI alone", sans(vec![SanType::URI("https://localhost/".to_owned().try_into().expect("plain"))]), NO),
    ] {
        table.at(host, title, "file", root.pem.as_bytes(), &[&cert], verdict);
    }
    let tree = |name: &str| GeneralSubtree::DnsName(name.to_owned());
    let net = |a| GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([a, 0, 0, 0], 8));
    let both = sans(vec![dns("localhost"), ip("127.0.0.1")]);
    let name = sans(vec![dns("localhost")]);
    for (title, cert, allowed, verdict) in [
        ("permits other.test", &name, constraints(&[tree("other.test")], &[]), NO),
        ("permits localhost", &name, constraints(&[tree("localhost")], &[]), YES),
        ("permits localhost, the leaf has an address too", &both, constraints(&[tree("localhost")], &[]), YES),
        ("excludes localhost", &name, constraints(&[], &[tree("localhost")]), NO),
        ("excludes other.test", &name, constraints(&[], &[tree("other.test")]), YES),
        ("permits 10.0.0.0/8", &both, constraints(&[net(10)], &[]), NO),
        ("permits 127.0.0.0/8", &both, constraints(&[net(127)], &[]), YES),
        ("excludes 127.0.0.0/8", &both, constraints(&[], &[net(127)]), NO),
        ("permits 10.0.0.0/8, the leaf has a name alone", &name, constraints(&[net(10)], &[]), YES),
    ] {
        let root = root.again(None, &|params| params.name_constraints = allowed.clone());
        table.add(&format!("root {title}"), &FILE, &root.pem, &[cert], verdict);
    }
    let inter = root.sign(with(authority("inter"), |params| params.name_constraints = constraints(&[tree("other.test")], &[])));
    table.add("inter permits other.test", &FILE, &root.pem, &[&inter.sign(leaf()), &inter], NO);
}

const PASSED: &str = "what cannot be read of a system's bundle is passed over";

#[rustfmt::skip]
/// Ways to write a root in a file; ours for a bundle and for `--ca-file`, and curl's.
fn bundles(table: &mut Table) {
    let root = Cert::alone(authority("root"));
    let stranger = Cert::alone(authority("stranger"));
    let direct = root.sign(leaf());
    let pem = root.pem.as_str();
    let lines =
        |start: &str, marks: &str| -> String { pem.lines().map(|line| format!("{}{line}\n", if line.contains("--") { marks } else { start })).collect() };
    let wide = |text: &str| -> Vec<u8> { [0xfeff].into_iter().chain(text.encode_utf16()).flat_map(u16::to_le_bytes).collect() };
    let (begin, end) = ("-----BEGIN CERTIFICATE-----\n", "-----END CERTIFICATE-----\n");
    let digits: String = pem.lines().filter(|line| !line.contains("--")).collect();
    let broken = format!("{begin}MIIB\n{end}{pem}");
    type Bundle = (&'static str, Vec<u8>, bool, bool, bool, &'static str);
    let rows: Vec<Bundle> = vec![
        ("as it is", pem.into(), true, true, true, ""),
        ("CRLF", pem.replace('\n', "\r\n").into(), true, true, true, ""),
        ("CR alone", pem.replace('\n', "\r").into(), true, true, false, "OpenSSL takes CR for no end of a line"),
        ("no end of line at the end", pem.trim_end().into(), true, true, true, ""),
        ("END and BEGIN on one line", format!("{}{pem}", stranger.pem.trim_end()).into(), false, false, false, ""),
        ("all lines indented", lines("  ", "  ").into(), false, false, false, ""),
        ("digits indented", lines("\t ", "").into(), true, true, true, ""),
        ("blanks after the marks", pem.replace("-----\n", "-----  \n").into(), true, true, true, ""),
        ("empty lines inside", pem.replace('\n', "\n\n").into(), true, true, false, "OpenSSL takes an empty line for the end of headers"),
        ("one line of base64", format!("{begin}{digits}\n{end}").into(), true, true, true, ""),
        ("commented out, a stranger after it", (lines("#", "#") + &stranger.pem).into(), false, false, false, ""),
        ("BEGIN commented out", format!("{}#{pem}", stranger.pem).into(), false, false, false, ""),
        ("BEGIN with four dashes", (pem.replace("-----BEGIN", "----BEGIN") + &stranger.pem).into(), false, false, false, ""),
        ("dashes in a comment before", format!("----- my CA -----\n{pem}").into(), true, true, true, ""),
        ("a comment in Latin-1", [b"# Certifica\xe7\xe3o\n", pem.as_bytes()].concat(), true, true, true, ""),
        ("a byte order mark", format!("\u{feff}{pem}").into(), true, true, true, ""),
        ("UTF-16", wide(pem), false, false, false, ""),
        ("label X509 CERTIFICATE", pem.replace(" CERTIFICATE", " X509 CERTIFICATE").into(), false, false, true, "the label is one of OpenSSL's own"),
        ("label TRUSTED CERTIFICATE", pem.replace(" CERTIFICATE", " TRUSTED CERTIFICATE").into(), false, false, true, "the label is one of OpenSSL's own"),
        ("headers inside", pem.replace(begin, &format!("{begin}Comment: x\n\n")).into(), false, false, false, ""),
        ("a broken certificate before", broken.clone().into(), true, false, false, PASSED),
        ("a broken certificate after", format!("{pem}{begin}MIIB\n{end}").into(), true, false, false, PASSED),
        ("no base64 before", format!("{begin}!!!!\n{end}{pem}").into(), true, false, false, PASSED),
        ("an open BEGIN at the end", format!("{pem}{begin}MIIB\n").into(), true, false, false, PASSED),
        ("a private key before", (stranger.key.serialize_pem() + pem).into(), true, true, true, ""),
        ("twice", pem.repeat(2).into(), true, true, true, ""),
        ("empty", Vec::new(), false, false, false, ""),
        ("empty lines", b"\n\n".to_vec(), false, false, false, ""),
        ("DER", root.der.to_vec(), false, false, false, ""),
        ("NULs at the end", [pem.as_bytes(), b"\0\0\0"].concat(), true, true, true, ""),
        ("text after END", (pem.replace("CERTIFICATE-----\n", "CERTIFICATE-----x\n") + &stranger.pem).into(), false, false, false, ""),
        ("256 strangers before", (stranger.pem.repeat(256) + pem).into(), true, true, true, ""),
    ];
    for (title, bundle, file, own, curl, why) in rows {
        for (place, ours) in [("file", file), ("own", own)] {
            let why = if ours == curl { "" } else { why };
            table.add(&format!("bundle: {title}"), &[place], &bundle, &[&direct], (ours, curl, why));
        }
    }
}

fn rows() -> Vec<Row> {
    let mut table = Table::default();
    for part in [paths, times, authorities, own, names, bundles] {
        part(&mut table);
    }
    table.0
}

/// Presents whatever the chain is: the library's own way would refuse some.
fn config(chain: &[Cert]) -> Arc<ServerConfig> {
    let key = chain[0].key.serialize_der().try_into().expect("a key");
    let key = rustls::crypto::ring::sign::any_supported_type(&key).expect("a key");
    let chain = chain.iter().map(|cert| cert.der.clone()).collect();
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth();
    let shown = SingleCertAndKey::from(CertifiedKey::new(chain, key));
    Arc::new(config.with_cert_resolver(Arc::new(shown)))
}

/// A login at this URL, where these certificates are trusted.
fn login(url: &str, place: &str, bundle: &Path) -> (Machine, Outcome) {
    let mut machine = broker::DEMO.machine(url);
    let mut line = vec!["login", "broker", "--json", "--no-store"];
    let path = bundle.to_str().expect("UTF-8");
    match place {
        "own" => line.extend(["--ca-file", path]),
        "file" => {
            machine.set("SSL_CERT_FILE", path);
        }
        _ => {
            machine.set("SSL_CERT_DIR", path);
        }
    }
    let outcome = machine.run_args(&line);
    (machine, outcome)
}

/// Whether curl is of the kind that was asked.
fn is_curl() -> bool {
    let version = || Command::new("curl").arg("--version").output().ok();
    installed("curl")
        && version()
            .is_some_and(|out| String::from_utf8_lossy(&out.stdout).contains(" OpenSSL/3.0."))
}

fn curl(url: &str, place: &str, bundle: &Path) -> bool {
    let folder = place == "folder";
    let option = if folder { "--capath" } else { "--cacert" };
    let mut curl = Command::new("curl");
    curl.args(["-sS", "-m", "20", "--noproxy", "*", option]);
    let run = curl.arg(bundle).arg(url).env_clear().output();
    // 1 says that the answer is no HTTP.
    matches!(run.expect("curl").status.code(), Some(0 | 1))
}

/// What is wrong with a row, and the row as a line of the table.
fn judge(
    title: &str,
    place: &str,
    said: (bool, Option<bool>),
    verdict: Verdict,
    seen: &Mutex<(String, String)>,
    told: &str,
) {
    let (ours, by_curl, why) = verdict;
    let (lines, wrong) = &mut *seen.lock().expect("rows");
    let there = said.1.unwrap_or(by_curl);
    let [us, curl] = [said.0, there].map(|yes| if yes { "yes" } else { "no" });
    let _ = writeln!(lines, "| {title} | {place} | {us} | {curl} | {why} |");
    if said.0 != ours || there != by_curl || (ours == by_curl) != why.is_empty() {
        let _ = writeln!(wrong, "{title}, {place}: ours {us}, curl {curl}; {told}");
    }
}

/// A handful at a time: each is a process or two.
fn in_handfuls<T: Send>(rows: Vec<T>, work: impl Fn(T) + Sync) {
    let mut rows = rows.into_iter().peekable();
    while rows.peek().is_some() {
        at_once(rows.by_ref().take(8).collect::<Vec<_>>(), &work);
    }
}

fn done(seen: Mutex<(String, String)>, at_least: usize, name: &str) {
    let (lines, wrong) = seen.into_inner().expect("rows");
    let mut lines: Vec<&str> = lines.lines().collect();
    lines.sort_unstable();
    assert!(lines.len() >= at_least, "{} rows", lines.len());
    let table = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(table, lines.join("\n") + "\n").expect("a file");
    assert_eq!(wrong, "");
}

#[test]
fn whom_we_trust_and_whom_curl_trusts() {
    let folder = tempfile::tempdir().expect("a folder");
    let (asks, seen) = (is_curl(), Mutex::default());
    in_handfuls(rows().into_iter().enumerate().collect(), |(number, row)| {
        let mut bundle = folder.path().join(format!("{number}"));
        if row.place == "folder" {
            std::fs::create_dir(&bundle).expect("a folder");
            std::fs::write(bundle.join(format!("{HASH}.0")), &row.bundle).expect("a file");
        } else {
            bundle.set_extension("pem");
            std::fs::write(&bundle, &row.bundle).expect("a file");
        }
        let server = Server::start_tls(config(&row.chain), Vec::new());
        server.rest(Reply::json(200, broker::DEMO.good()));
        let url = format!("https://{}:{}", row.host, server.address().port());
        let (_machine, outcome) = login(&url, row.place, &bundle);
        let ours = outcome.code == 0;
        assert_eq!(server.received().is_empty(), !ours, "{}", row.title);
        let known = ours || matches!(outcome.code, 2 | 5);
        assert!(known, "{}: {outcome}", row.title);
        let by_curl = asks.then(|| curl(&url, row.place, &bundle));
        let (said, told) = ((ours, by_curl), &outcome.stderr);
        judge(&row.title, row.place, said, row.verdict, &seen, told);
    });
    done(seen, 200, "chains.md");
}

type Text = &'static str;
type Made = (Text, Text, Text, Text, Text, Text, Verdict);

/// What the test's own library neither signs nor serves: the server's extensions, its key, who signs and how, the
/// server's options.
#[rustfmt::skip]
const OLD: &[Made] = &[
    ("leaf RSA 2048", NAME, "rsa:2048", "root", "-sha256", "", YES),
    ("leaf RSA 1024", NAME, "rsa:1024", "root", "-sha256", "", NO),
    ("leaf RSA 1536", NAME, "rsa:1536", "root", "-sha256", "", NO),
    ("leaf RSA 2048, exponent 3", NAME, "rsa:2048 -pkeyopt rsa_keygen_pubexp:3", "root", "-sha256", "", YES),
    ("leaf P-521", NAME, "ec -pkeyopt ec_paramgen_curve:P-521", "root", "-sha256", "", (false, true, CURVES)),
    ("leaf secp256k1", NAME, "ec -pkeyopt ec_paramgen_curve:secp256k1", "root", "-sha256", "", NO),
    ("leaf Ed448", NAME, "ed448", "root", "-sha256", "", (false, true, CURVES)),
    ("leaf of version 1", "", EC, "root", "-sha256", "", (false, true, "it has no subjectAltName, and cannot have one")),
    ("signed with SHA-1", NAME, EC, "rsa", "-sha1", "", NO),
    ("signed with SHA-512", NAME, EC, "rsa", "-sha512", "", YES),
    ("signed with RSA-PSS", NAME, EC, "rsa", "-sha256 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:32", "", YES),
    ("signed by RSA 1024", NAME, EC, "small", "-sha256", "", NO),
    ("signed by version 1", NAME, EC, "v1", "-sha256", "", YES),
    ("signed by version 1 that another signed", NAME, EC, "v1-of-root", "-sha256", "", NO),
    ("signed by P-521", NAME, EC, "p521", "-sha256", "", (false, true, CURVES)),
    ("signed by P-384 with SHA-256", NAME, EC, "p384", "-sha256", "", YES),
    ("signed by P-256 with SHA-512", NAME, EC, "root", "-sha512", "", (false, true, CURVES)),
    ("TLS 1.2", NAME, EC, "root", "-sha256", "-tls1_2", YES),
    ("TLS 1.2, RSA's key exchange", NAME, "rsa:2048", "root", "-sha256", "-tls1_2 -cipher AES128-GCM-SHA256", (false, true, "no forward secrecy")),
    ("TLS 1.1", NAME, EC, "root", "-sha256", "-tls1_1 -cipher ALL:@SECLEVEL=0", NO),
];
const NAME: &str = "subjectAltName=IP:127.0.0.1\n";
const EC: &str = "ec -pkeyopt ec_paramgen_curve:P-256";
const CURVES: &str = "ring has neither this curve nor this pair of curve and hash";

#[test]
fn whom_we_trust_and_whom_curl_trusts_of_what_openssl_makes() {
    if !installed("openssl") {
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let folder = folder.path();
    for (name, key) in [
        ("root", EC),
        ("rsa", "rsa:2048"),
        ("small", "rsa:1024"),
        ("p384", "ec -pkeyopt ec_paramgen_curve:P-384"),
        ("p521", "ec -pkeyopt ec_paramgen_curve:P-521"),
    ] {
        make_root(folder, name, name, key, "");
    }
    issue(folder, "v1-of-root", "root", "", EC, "-sha256");
    let request = format!("req -newkey {EC} -nodes -keyout v1.key -out v1.csr -subj /CN=v1");
    openssl(folder, &request);
    openssl(folder, "x509 -req -in v1.csr -signkey v1.key -out v1.pem");
    let (asks, seen) = (is_curl(), Mutex::default());
    in_handfuls(
        OLD.iter().enumerate().collect(),
        |(number, (title, extensions, key, by, sign, options, verdict))| {
            let name = number.to_string();
            issue(folder, &name, by, extensions, key, sign);
            let options = if options.is_empty() {
                "-cipher ALL:@SECLEVEL=0"
            } else {
                options
            };
            let server = Old::start(folder, &name, &format!("-rev {options}"));
            let url = format!("https://127.0.0.1:{}", server.1);
            let bundle = folder.join(format!("{by}.pem"));
            // Whoever speaks to it hears his own words backwards, which is no HTTP.
            let (_machine, outcome) = login(&url, "file", &bundle);
            let by_curl = asks.then(|| curl(&url, "file", &bundle));
            let said = (outcome.code == 6, by_curl);
            judge(title, "file", said, *verdict, &seen, &outcome.stderr);
        },
    );
    done(seen, OLD.len(), "chains-of-openssl.md");
}
