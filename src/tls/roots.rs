//! The roots that servers are checked against: the system's, and those of `--ca-file`.
//!
//! A system keeps its roots twice, as one bundle and as a folder with a file for each. Reading both costs more than
//! the rest of a login. The bundle is enough for all but what an administrator put into the folder alone, so the
//! folder is read only where nobody in the bundle vouches for a server.

use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use base64::Engine;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{DigitallySignedStruct, RootCertStore, SignatureScheme};

const BEGIN: &str = "-----BEGIN CERTIFICATE-----";
const END: &str = "-----END CERTIFICATE-----";
const DASHES: &str = "-----";
/// What most roots take in base64, in bytes.
const LENGTH: usize = 2048;

/// What the environment says about the system's roots, to OpenSSL and to us.
#[derive(Debug, Default, Clone)]
pub struct CaLocations {
    /// `SSL_CERT_FILE`: a bundle in place of the system's.
    pub file: Option<PathBuf>,
    /// Whether `SSL_CERT_DIR` names folders in place of the system's.
    pub folder: bool,
}

impl CaLocations {
    /// The one file that holds all or nearly all of the system's roots.
    fn bundle(&self) -> Option<PathBuf> {
        match &self.file {
            _ if self.folder => None,
            Some(file) => Some(file.clone()),
            None if cfg!(any(windows, target_vendor = "apple")) => None,
            None => openssl_probe::probe().cert_file,
        }
    }
}

/// A verifier for the system's roots and our own ones; none where there is no root at all.
pub(super) fn verifier(
    places: &CaLocations,
    own: RootCertStore,
    provider: &Arc<CryptoProvider>,
) -> Option<Arc<dyn ServerCertVerifier>> {
    let all = All { own, provider: Arc::clone(provider) };
    let bundle = places.bundle().and_then(|path| certificates(&path)).and_then(|roots| all.with(roots));
    match bundle {
        Some(bundle) => Some(Arc::new(BundleFirst { bundle, all, everything: OnceLock::new() })),
        None => all.load().map(|verifier| verifier as Arc<dyn ServerCertVerifier>),
    }
}

/// What it takes to make a verifier.
#[derive(Debug)]
struct All {
    own: RootCertStore,
    provider: Arc<CryptoProvider>,
}

impl All {
    /// For these roots and our own; none where there are no roots.
    fn with(&self, certificates: Vec<CertificateDer<'static>>) -> Option<Arc<WebPkiServerVerifier>> {
        let mut roots = self.own.clone();
        roots.add_parsable_certificates(certificates);
        let builder =
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&self.provider));
        builder.build().ok()
    }

    /// For everything that the system trusts.
    fn load(&self) -> Option<Arc<WebPkiServerVerifier>> {
        self.with(rustls_native_certs::load_native_certs().certs)
    }
}

/// Asks the bundle first; where that says no, everything has the last word. It decides nothing itself.
#[derive(Debug)]
struct BundleFirst {
    bundle: Arc<WebPkiServerVerifier>,
    all: All,
    everything: OnceLock<Option<Arc<WebPkiServerVerifier>>>,
}

impl ServerCertVerifier for BundleFirst {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> std::result::Result<ServerCertVerified, rustls::Error> {
        let ask = |verifier: &WebPkiServerVerifier| {
            verifier.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
        };
        ask(&self.bundle).or_else(|error| {
            self.everything.get_or_init(|| self.all.load()).as_deref().map_or(Err(error), ask)
        })
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.bundle.verify_tls12_signature(message, certificate, signature)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> std::result::Result<HandshakeSignatureValid, rustls::Error> {
        self.bundle.verify_tls13_signature(message, certificate, signature)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.bundle.supported_verify_schemes()
    }
}

/// The certificates of a bundle; none where it is missing or not quite what bundles are, so that a more patient
/// reader must look at it.
fn certificates(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    parse(&String::from_utf8(std::fs::read(path).ok()?).ok()?)
}

/// Certificates are public: nothing here needs to take the same time for all of them, which is what makes the
/// usual reader slow.
fn parse(text: &str) -> Option<Vec<CertificateDer<'static>>> {
    let mut found = Vec::new();
    let mut digits = None::<Vec<u8>>;
    for line in text.lines().map(str::trim_ascii_end) {
        match &mut digits {
            None if line == BEGIN => digits = Some(Vec::with_capacity(LENGTH)),
            // A mark that does not fill its line may be a certificate that is commented out.
            None if line.contains(DASHES) => return None,
            None => {}
            Some(block) if line == END => {
                found.push(base64::engine::general_purpose::STANDARD.decode(block).ok()?.into());
                digits = None;
            }
            Some(block) => block.extend_from_slice(line.trim_ascii_start().as_bytes()),
        }
    }
    (digits.is_none() && !found.is_empty()).then_some(found)
}

#[cfg(test)]
mod tests {
    use rustls::pki_types::pem::PemObject;

    use super::*;

    /// An authority: its certificate, and what it needs to sign others.
    fn authority() -> (rcgen::Certificate, rcgen::Issuer<'static, rcgen::KeyPair>) {
        let mut params = rcgen::CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let key = rcgen::KeyPair::generate().expect("a key");
        (params.self_signed(&key).expect("a certificate"), rcgen::Issuer::new(params, key))
    }

    fn bundle() -> String {
        let [one, other] = [authority(), authority()].map(|(certificate, _)| certificate.pem());
        format!("# A root\n{one}\n# Über alles\n{}", other.replace('\n', "\r\n"))
    }

    #[test]
    fn a_bundle_is_read_as_the_usual_reader_reads_it() {
        let text = bundle();
        let usual: Vec<_> = CertificateDer::pem_slice_iter(text.as_bytes())
            .map(|root| root.expect("a certificate"))
            .collect();
        assert_eq!(usual.len(), 2);
        assert_eq!(parse(&text), Some(usual));
    }

    #[test]
    fn a_certificate_that_is_commented_out_is_left_to_the_usual_reader() {
        let text = bundle();
        let mark = text.rfind(BEGIN).expect("a second root");
        assert_eq!(parse(&[&text[..mark], "#", &text[mark..]].concat()), None);
    }

    #[test]
    fn what_is_no_plain_bundle_is_left_to_the_usual_reader() {
        let text = bundle();
        for broken in ["", "no certificate", text.trim_end().trim_end_matches('-')] {
            assert_eq!(parse(broken), None, "{broken}");
        }
        assert_eq!(parse(&text.replacen("MII", "M!I", 1)), None);
        assert_eq!(certificates(Path::new("/no/such/file")), None);
    }

    #[test]
    fn folders_that_the_environment_names_rule_out_a_bundle() {
        let file = Some(PathBuf::from("/a.pem"));
        assert_eq!(CaLocations { file: file.clone(), folder: false }.bundle(), file);
        assert_eq!(CaLocations { file, folder: true }.bundle(), None);
        assert_eq!(CaLocations { file: None, folder: true }.bundle(), None);
    }

    #[test]
    fn everything_has_the_last_word_and_the_bundle_the_first() {
        let [known, elsewhere, stranger] = [authority(), authority(), authority()];
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let all = All { own: RootCertStore::empty(), provider };
        let of = |authority: &(rcgen::Certificate, _)| all.with(vec![authority.0.der().clone()]);
        let (bundle, everything) = (of(&known).expect("a verifier"), of(&elsewhere));
        let verifier = BundleFirst { bundle, all, everything: OnceLock::from(everything) };
        for (authority, trusted) in [(&known, true), (&elsewhere, true), (&stranger, false)] {
            let key = rcgen::KeyPair::generate().expect("a key");
            let params = rcgen::CertificateParams::new(["localhost".to_owned()]).expect("a name");
            let server = params.signed_by(&key, &authority.1).expect("a certificate");
            let asked = |name: &'static str| {
                let name = ServerName::try_from(name).expect("a name");
                verifier.verify_server_cert(server.der(), &[], &name, &[], UnixTime::now())
            };
            assert_eq!(asked("localhost").is_ok(), trusted);
            assert!(asked("other.example").is_err());
        }
    }
}
