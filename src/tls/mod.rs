//! TLS for every connection to another machine: whom it trusts, and why it failed.

mod certificate;
mod der;
mod folder;
mod roots;
mod verdict;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::OnceCell;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Cause, Error, Result, error};
use crate::files;
use crate::i18n::{Text, tr};

pub use roots::CaLocations;
use roots::Verifier;
pub use verdict::explain;

/// The largest CA file, in bytes; a system's own is a quarter of a mebibyte.
const CA_FILE_MAX: usize = 4 * 1024 * 1024;

/// Whom a run trusts: the system's certificates, loaded when first needed, and those of `--ca-file`, also a server's.
#[derive(Default)]
pub struct Trust {
    places: CaLocations,
    extra: Vec<CertificateDer<'static>>,
    config: OnceCell<ClientConfig>,
}

impl Trust {
    /// Reads a CA file before anything is sent, since it may be wrong; waits no longer than `patience` for a pipe.
    pub async fn new(
        places: CaLocations,
        ca_file: Option<&Path>,
        patience: Duration,
    ) -> Result<Self> {
        let mut extra = Vec::new();
        if let Some(path) = ca_file {
            let refuse = |why: Text| {
                error!(BadSetting: "--ca-file {path} {why}"; path = path.display(), why =>
                    hint "it must be a file of PEM certificates")
            };
            let read = files::read(path, CA_FILE_MAX, patience, files::deadline(patience)).await;
            let (pem, _) = read.map_err(refuse)?;
            let certificates = in_pem(&pem).collect::<Result<_, _>>();
            extra = certificates.unwrap_or_default();
            if extra.is_empty() {
                return Err(refuse(tr!("contains no certificate")));
            }
        }
        Ok(Self {
            places,
            extra,
            config: OnceCell::new(),
        })
    }

    /// Loads the certificates, once in a run.
    pub async fn config(&self) -> Result<&ClientConfig> {
        self.config.get_or_try_init(|| self.load()).await
    }

    async fn load(&self) -> Result<ClientConfig> {
        let mut own = RootCertStore::empty();
        let mut extra = self.extra.iter().cloned();
        if extra.any(|certificate| own.add(certificate).is_err()) {
            let why = tr!("a certificate in --ca-file cannot be used as a root");
            return Err(Error::new(Cause::BadSetting, why));
        }
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let algorithms = ring.signature_verification_algorithms;
        let verifier = Verifier::new(&self.places, self.extra.clone(), algorithms).await?;
        let builder = ClientConfig::builder_with_provider(ring);
        Ok(builder
            .with_safe_default_protocol_versions()
            .expect("ring has ciphers for all versions")
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth())
    }

    /// Speaks TLS on a connection to this host, and one of these protocols in it.
    pub async fn connect<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        host: &str,
        stream: S,
        protocols: &[&str],
    ) -> std::io::Result<Result<TlsStream<S>>> {
        let mut config = match self.config().await {
            Ok(config) => config.clone(),
            Err(error) => return Ok(Err(error)),
        };
        let protocols = protocols.iter().map(|name| name.as_bytes().to_vec());
        config.alpn_protocols = protocols.collect();
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            let error = error!(BadSetting: "{host} is not a name that TLS can check"; host);
            return Ok(Err(error));
        };
        let connector = TlsConnector::from(Arc::new(config));
        connector.connect(name, stream).await.map(Ok)
    }
}

/// The certificates in a text, which some editors begin with a byte order mark.
fn in_pem(text: &[u8]) -> impl Iterator<Item = Result<CertificateDer<'static>, pem::Error>> {
    CertificateDer::pem_slice_iter(text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text))
}
