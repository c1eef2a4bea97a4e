//! TLS for every connection to another machine: whom it trusts, and why it failed.

mod certificate;
mod der;
mod folder;
mod roots;

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{
    AlertDescription, CertificateError, ClientConfig, ConfigBuilder, RootCertStore, WantsVerifier,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::error::{Cause, Error, Result, error, find};
use crate::files;
use crate::i18n::{Text, tr};

pub use roots::CaLocations;
use roots::{Refusal, Verifier};

/// The largest CA file, in bytes; a system's own is a quarter of a mebibyte.
const CA_FILE_MAX: usize = 4 * 1024 * 1024;

/// Whom a run trusts: the system's certificates, loaded when they are first needed, and those of `--ca-file`. A server
/// whose own certificate is in that file is trusted as well.
#[derive(Default)]
pub struct Trust {
    places: CaLocations,
    extra: Vec<CertificateDer<'static>>,
    verifier: OnceCell<Arc<Verifier>>,
}

impl Trust {
    /// Reads a CA file at once, so that a wrong one is found before anything is sent. Waits for one that is a pipe no
    /// longer than `patience`.
    pub async fn new(
        places: CaLocations,
        ca_file: Option<&Path>,
        patience: Duration,
    ) -> Result<Self> {
        let extra = match ca_file {
            Some(path) => read_certificates(path, patience).await?,
            None => Vec::new(),
        };
        Ok(Self {
            places,
            extra,
            verifier: OnceCell::new(),
        })
    }

    pub fn config(&self) -> Result<ClientConfig> {
        let ring = ring();
        let verifier = self.verifier(&ring)?;
        Ok(builder(ring)?
            .dangerous()
            .with_custom_certificate_verifier(verifier)
            .with_no_client_auth())
    }

    /// A configuration for plain connections, which loads no certificate.
    pub fn nobody() -> Result<ClientConfig> {
        Ok(builder(ring())?
            .with_root_certificates(RootCertStore::empty())
            .with_no_client_auth())
    }

    /// Made once in a run, since loading the roots takes long.
    fn verifier(&self, ring: &CryptoProvider) -> Result<Arc<Verifier>> {
        if let Some(verifier) = self.verifier.get() {
            return Ok(Arc::clone(verifier));
        }
        let mut own = RootCertStore::empty();
        if self
            .extra
            .iter()
            .any(|certificate| own.add(certificate.clone()).is_err())
        {
            let message = tr!("a certificate in --ca-file cannot be used as a root");
            return Err(Error::new(Cause::BadSetting, message));
        }
        let algorithms = ring.signature_verification_algorithms;
        let verifier =
            Verifier::new(&self.places, self.extra.clone(), algorithms).ok_or_else(|| {
                error!(
                    Certificate, "this system has no certificates to check servers against";
                    hint "install the package ca-certificates, or name a PEM file with --ca-file"
                )
            })?;
        Ok(Arc::clone(self.verifier.get_or_init(|| Arc::new(verifier))))
    }

    /// Speaks TLS on a connection to this host.
    pub async fn connect(
        &self,
        host: &str,
        socket: TcpStream,
    ) -> std::io::Result<Result<TlsStream<TcpStream>>> {
        let config = match self.config() {
            Ok(config) => config,
            Err(error) => return Ok(Err(error)),
        };
        let Ok(name) = ServerName::try_from(host.to_owned()) else {
            return Ok(Err(error!(
                BadSetting,
                "{host} is no name that TLS can check", host
            )));
        };
        TlsConnector::from(Arc::new(config))
            .connect(name, socket)
            .await
            .map(Ok)
    }
}

async fn read_certificates(
    path: &Path,
    patience: Duration,
) -> Result<Vec<CertificateDer<'static>>> {
    let refuse = |why: Text| {
        let message = tr!("--ca-file {path} {why}", path = path.display(), why);
        Err(Error::new(Cause::BadSetting, message)
            .hint(tr!("it must be a file of PEM certificates")))
    };
    let pem = match files::wait_for(path, CA_FILE_MAX, patience, files::deadline(patience)).await {
        Ok(pem) => pem,
        Err(why) => return refuse(why),
    };
    match CertificateDer::pem_slice_iter(&pem).collect::<std::result::Result<Vec<_>, _>>() {
        Ok(certificates) if !certificates.is_empty() => Ok(certificates),
        _ => refuse(tr!("holds no certificate")),
    }
}

fn ring() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn builder(provider: Arc<CryptoProvider>) -> Result<ConfigBuilder<ClientConfig, WantsVerifier>> {
    let builder =
        ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    builder.map_err(|_| error!(Other, "TLS could not be set up"))
}

/// Explains a failure of TLS to this host; `None` for another failure.
pub fn explain(error: &(dyn std::error::Error + 'static), host: &str) -> Option<Error> {
    Some(match find(error)? {
        rustls::Error::InvalidCertificate(problem) => invalid(problem, host),
        rustls::Error::AlertReceived(alert) => {
            let cause = match alert {
                AlertDescription::BadCertificate
                | AlertDescription::UnsupportedCertificate
                | AlertDescription::CertificateRevoked
                | AlertDescription::CertificateExpired
                | AlertDescription::CertificateUnknown
                | AlertDescription::CertificateRequired => Cause::Certificate,
                _ => Cause::Tls,
            };
            let alert = format!("{alert:?}");
            let message = tr!(
                "{host} ended the TLS handshake with the alert {alert}",
                host,
                alert
            );
            Error::new(cause, message).hint(tr!(
                "ask who runs the server; it may want a client certificate"
            ))
        }
        rustls::Error::InvalidMessage(_) => {
            Error::new(Cause::Tls, tr!("{host} does not speak TLS", host))
                .hint(tr!("is it an http:// server?"))
        }
        _ => error!(Tls, "the TLS handshake with {host} failed", host),
    })
}

fn invalid(problem: &CertificateError, host: &str) -> Error {
    let certificate = |why: Text| Error::new(Cause::Certificate, why);
    let expired = |why: Text| {
        certificate(why).hint(tr!(
            "whoever runs the server must renew it; if it is new, check this machine's clock"
        ))
    };
    match problem {
        CertificateError::Expired => expired(tr!("{host}'s certificate expired", host)),
        CertificateError::ExpiredContext { not_after, .. } => expired(tr!(
            "{host}'s certificate expired on {day}",
            host,
            day = day(not_after)
        )),
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            certificate(tr!("{host}'s certificate is not valid yet", host))
                .hint(tr!("check this machine's clock"))
        }
        CertificateError::NotValidForName => {
            certificate(tr!("{host}'s certificate is for another name", host))
        }
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names: Vec<_> = presented.iter().map(|name| plain_name(name)).collect();
            certificate(tr!("{host}'s certificate is for another name", host))
                .said(&names.join(", "))
        }
        CertificateError::Revoked => certificate(tr!("{host}'s certificate is revoked", host)),
        CertificateError::Other(other) => match other.0.downcast_ref() {
            Some(refusal) => refused(*refusal, host),
            None => certificate(tr!(
                "{host}'s certificate is none that a server may use as its own",
                host
            ))
            .hint(tr!("whoever runs the server must replace it")),
        },
        _ => certificate(tr!(
            "{host}'s certificate comes from an unknown issuer",
            host
        ))
        .hint(tr!(
            "if you trust the issuer, name its certificate with --ca-file FILE.pem"
        )),
    }
}

fn refused(refusal: Refusal, host: &str) -> Error {
    let (why, hint) = match refusal {
        Refusal::NoAuthority => (
            tr!(
                "--ca-file has neither {host}'s certificate nor that of a CA which could have signed it",
                host
            ),
            tr!(
                "a certificate that is not a CA's vouches for itself alone: name the CA's, or the server's own as it is now"
            ),
        ),
        Refusal::AuthorityExpired(not_after) => (
            tr!(
                "{host}'s certificate comes from a CA whose own expired on {day}",
                host,
                day = day(&not_after)
            ),
            tr!("get the CA's new certificate; if this one is new, check this machine's clock"),
        ),
        Refusal::AuthorityNotYetValid => (
            tr!(
                "{host}'s certificate comes from a CA whose own is not valid yet",
                host
            ),
            tr!("check this machine's clock"),
        ),
        Refusal::ServerIsAuthority => (
            tr!("{host} presents a CA's certificate as its own", host),
            tr!(
                "make one for the server, signed by that CA; or trust this one by naming it with --ca-file FILE.pem"
            ),
        ),
    };
    Error::new(Cause::Certificate, why).hint(hint)
}

/// A certificate's name as people write it. The TLS library writes `DnsName("a.example")`.
fn plain_name(name: &str) -> &str {
    let inner = name
        .split_once('(')
        .and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"')
}

fn day(time: &UnixTime) -> String {
    let time = Timestamp::from_second(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    time.map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}
