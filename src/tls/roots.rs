//! Checks that a server's certificate comes from a root of the system's or of `--ca-file`.
//!
//! A system keeps its roots twice, as a bundle and as a folder. Reading both costs more than the rest of a login, and
//! the folder is needed for what an administrator put there alone: it is read only if no root of the bundle vouches.
//!
//! A root counts if it is a CA's certificate and valid today. Only roots that a server's chain names are parsed.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::crypto::{WebPkiSupportedAlgorithms, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};

use super::certificate::Certificate;
use super::{CA_FILE_MAX, folder, in_pem};
use crate::error::{Error, error};
use crate::files;
use crate::i18n::tr;

type Root = CertificateDer<'static>;
type Verdict = Result<(), rustls::Error>;

const BEGIN: &str = "-----BEGIN CERTIFICATE-----\n";
const END: &str = "-----END CERTIFICATE-----\n";
const DASHES: &str = "-----";
/// How long a bundle that is a pipe may take.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many bytes a line of a plain bundle has, its end included.
const LINE: usize = 65;

/// Where the system's roots are, according to OpenSSL's environment variables.
#[derive(Debug, Default, Clone)]
pub struct CaLocations {
    /// `SSL_CERT_FILE`: a bundle in place of the system's.
    pub file: Option<PathBuf>,
    /// `SSL_CERT_DIR`: folders in place of the system's.
    pub folders: Vec<PathBuf>,
}

impl CaLocations {
    /// Why there is no root: what is wrong with what the environment names, if it names anything.
    fn fault(&self) -> Error {
        let (name, path) = match (&self.file, self.folders.first()) {
            (Some(file), _) => ("SSL_CERT_FILE", file),
            (None, Some(folder)) => ("SSL_CERT_DIR", folder),
            (None, None) => {
                return error!(Certificate: "this system has no certificates to check servers against" =>
                    hint "install the package ca-certificates, or name a PEM file with --ca-file");
            }
        };
        let (found, is_empty) = (std::fs::metadata(path), path.as_os_str().is_empty());
        let path = path.display();
        let error = match found {
            _ if is_empty => error!(Certificate: "{name} is set and empty"; name),
            Err(why) => error!(Certificate: "{name} names {path}"; name, path).because(why),
            Ok(_) => error!(Certificate:
                "{name} names {path}, which contains no CA's certificate"; name, path),
        };
        error.hint(tr!("unset {name} to use the system's certificates, or name others with --ca-file"; name))
    }
}

#[cfg(any(windows, target_vendor = "apple"))]
async fn system() -> (Vec<Root>, Vec<PathBuf>) {
    (rustls_native_certs::load_native_certs().certs, Vec::new())
}

#[cfg(not(any(windows, target_vendor = "apple")))]
async fn system() -> (Vec<Root>, Vec<PathBuf>) {
    let found = openssl_probe::probe();
    let bundle = certificates(found.cert_file.as_deref()).await;
    (bundle, found.cert_dir)
}

/// Why a chain is refused, if the TLS library's own reason would mislead.
#[derive(Debug)]
pub(super) enum Refusal {
    /// `--ca-file` has neither a CA's certificate nor the server's own.
    NoAuthority,
    /// The CA is trusted, but not at this time.
    Untimely(CertificateError),
    /// Its RSA key, or a CA's, has so many bits. The TLS library says that the signature is wrong.
    SmallKey(usize),
}

impl std::fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(formatter, "{self:?}")
    }
}

impl std::error::Error for Refusal {}

impl From<Refusal> for rustls::Error {
    fn from(refusal: Refusal) -> Self {
        CertificateError::Other(OtherError(Arc::new(refusal))).into()
    }
}

fn small_key(certificate: &CertificateDer<'_>) -> Option<rustls::Error> {
    Some(Refusal::SmallKey(Certificate::read(certificate)?.small_key()?).into())
}

/// What a server presents, and when.
struct Chain<'a> {
    parsed: ParsedCertificate<'a>,
    server: Certificate<'a>,
    /// The CAs that it sent along.
    authorities: Vec<Certificate<'a>>,
    /// The names of whoever signed one of these.
    issuers: BTreeSet<&'a [u8]>,
    now: UnixTime,
}

impl<'a> Chain<'a> {
    fn read(
        server: &'a CertificateDer<'_>,
        others: &'a [CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<Self, rustls::Error> {
        let parsed = ParsedCertificate::try_from(server)?;
        let server = Certificate::read(server).ok_or(CertificateError::BadEncoding)?;
        let mut authorities: Vec<_> = others.iter().filter_map(Certificate::read).collect();
        authorities.retain(|other| other.reach().is_some());
        let issuers = authorities.iter().map(|one| one.issuer);
        Ok(Self {
            issuers: issuers.chain([server.issuer]).collect(),
            parsed,
            server,
            authorities,
            now,
        })
    }

    /// The roots that may have signed one of its certificates.
    fn named<'r>(&self, roots: impl IntoIterator<Item = &'r Root>) -> Vec<Certificate<'r>> {
        let roots = roots.into_iter().filter_map(Certificate::read);
        let named = roots.filter(|root| self.issuers.contains(root.subject));
        named.collect()
    }

    /// The CAs between the server and `root`, at most `reach` of them.
    fn up_to(&self, root: &Certificate<'_>, reach: usize) -> Vec<CertificateDer<'a>> {
        let mut path = Vec::new();
        let mut issuer = self.server.issuer;
        while path.len() < reach {
            let next = self.authorities.iter();
            let next = next.filter(|other| other.subject == issuer && other.issuer != issuer);
            let Some(next) = next.max_by_key(|other| other.issuer == root.subject) else {
                break;
            };
            path.push(next.der());
            issuer = next.issuer;
        }
        path
    }
}

/// Checks servers against the system's roots and those of `--ca-file`.
#[derive(Debug)]
pub(super) struct Verifier {
    own: Vec<Root>,
    bundle: Vec<Root>,
    folders: Vec<PathBuf>,
    algorithms: WebPkiSupportedAlgorithms,
}

impl Verifier {
    pub async fn new(
        places: &CaLocations,
        own: Vec<Root>,
        algorithms: WebPkiSupportedAlgorithms,
    ) -> Result<Self, Error> {
        let (bundle, folders) = match (&places.file, &places.folders[..]) {
            (None, []) => system().await,
            (file, folders) => (certificates(file.as_deref()).await, folders.to_vec()),
        };
        let any_file = || folders.iter().any(|path| folder::has_any(path));
        if own.is_empty() && bundle.is_empty() && !any_file() {
            return Err(places.fault());
        }
        Ok(Self {
            own,
            bundle,
            folders,
            algorithms,
        })
    }

    fn check_chain(&self, chain: &Chain<'_>) -> Verdict {
        let near = chain.named(self.own.iter().chain(&self.bundle));
        let Err(error) = self.check_against(&near, chain) else {
            return Ok(());
        };
        let found = folder::find(&self.folders, &chain.issuers);
        let far = chain.named(&found);
        let error = match self.check_against(&far, chain) {
            Ok(()) => return Ok(()),
            Err(_) if far.is_empty() => error,
            Err(error) => error,
        };
        let mut roots = near.iter().chain(&far);
        let refusal = match &error {
            rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer) => {
                let lacks = || self.lacks_authority(chain).then_some(Refusal::NoAuthority);
                let late = roots.find_map(|root| untimely(root, chain.now));
                late.or_else(lacks)
            }
            rustls::Error::InvalidCertificate(CertificateError::BadSignature) => {
                let mut keys = roots.chain(&chain.authorities).map(Certificate::small_key);
                keys.find_map(|bits| bits.map(Refusal::SmallKey))
            }
            _ => None,
        };
        Err(refusal.map_or(error, Into::into))
    }

    /// Whether one of these roots vouches for the chain. This is the only place that decides whether a root counts.
    fn check_against(&self, roots: &[Certificate<'_>], chain: &Chain<'_>) -> Verdict {
        let (server, now, algorithms) = (&chain.parsed, chain.now, self.algorithms.all);
        let ask = |roots: &[&Certificate<'_>], between: &[CertificateDer<'_>]| {
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(roots.iter().map(|root| root.der()));
            verify_server_cert_signed_by_trust_anchor(server, &store, between, now, algorithms)
        };
        let (mut free, mut limited) = (Vec::new(), Vec::new());
        for root in roots.iter().filter(|root| root.in_time(now).is_ok()) {
            match root.reach() {
                Some(reach) if reach < chain.authorities.len() => limited.push((root, reach)),
                Some(_) => free.push(root),
                None => {}
            }
        }
        let all: Vec<_> = chain.authorities.iter().map(Certificate::der).collect();
        let mut verdict = ask(&free, &all);
        for (root, reach) in limited {
            let Err(error) = &verdict else { break };
            let later = ask(&[root], &chain.up_to(root, reach));
            if later.is_ok() || *error == CertificateError::UnknownIssuer.into() {
                verdict = later;
            }
        }
        verdict
    }

    /// Whether `--ca-file` was meant to vouch for this chain and cannot.
    fn lacks_authority(&self, chain: &Chain<'_>) -> bool {
        let own = self.own.iter().filter_map(Certificate::read);
        let (able, unable): (Vec<_>, Vec<_>) = own.partition(|one| one.reach().is_some());
        let meant = |one: &Certificate<'_>| able.is_empty() || chain.issuers.contains(one.subject);
        unable.iter().any(meant)
    }
}

/// Why a CA that is not valid today cannot vouch.
fn untimely(root: &Certificate<'_>, now: UnixTime) -> Option<Refusal> {
    root.reach()?;
    let why = root.in_time(now).err()?;
    (why != CertificateError::BadEncoding).then_some(Refusal::Untimely(why))
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        _: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let chain = Chain::read(end_entity, intermediates, now)?;
        if self.own.contains(end_entity) {
            chain.server.in_time(now)?;
        } else {
            self.check_chain(&chain)?;
        }
        verify_server_name(&chain.parsed, server_name)?;
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.algorithms)
            .map_err(|error| small_key(certificate).unwrap_or(error))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.algorithms)
            .map_err(|error| small_key(certificate).unwrap_or(error))
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.algorithms.supported_schemes()
    }
}

/// The certificates of a bundle; none if it is missing. One that is a pipe is waited for.
async fn certificates(path: Option<&Path>) -> Vec<Root> {
    let Some(path) = path else { return Vec::new() };
    let read = files::read(path, CA_FILE_MAX, PATIENCE, files::deadline(PATIENCE)).await;
    // Wiping what is no secret would be a tenth of an https login's instructions.
    let pem = read.map_or_else(|_| Vec::new(), |(mut pem, _)| std::mem::take(&mut *pem));
    let plain = std::str::from_utf8(&pem).ok().and_then(parse);
    // The usual reader accepts more than plain bundles.
    plain.unwrap_or_else(|| in_pem(&pem).filter_map(Result::ok).collect())
}

/// Reads a plain bundle, with 64 digits a line. The usual reader's base64 takes the same time for every digit, as
/// secrets need: an https login takes 13.2 million instructions with it, and 7.4 million with this.
fn parse(text: &str) -> Option<Vec<Root>> {
    let mut found = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(BEGIN) {
        let (block, after) = after.split_at(after.find('-')?);
        rest = after.strip_prefix(END)?;
        // A mark within a line may begin a certificate that is commented out.
        if before.contains(DASHES) || !(before.is_empty() || before.ends_with('\n')) {
            return None;
        }
        let mut digits = Vec::with_capacity(block.len());
        for line in block.as_bytes().chunks(LINE) {
            digits.extend_from_slice(line.strip_suffix(b"\n")?);
        }
        found.push(STANDARD.decode(digits).ok()?.into());
    }
    (!found.is_empty() && !rest.contains(DASHES)).then_some(found)
}
