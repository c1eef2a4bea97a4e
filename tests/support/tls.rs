//! Certificates that are right, expired, foreign or for another name, and a server's end of TLS.

use std::io::{Read, Result, Write};
use std::net::TcpStream;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A certificate and its key.
pub struct Identity(CertifiedIssuer<'static, KeyPair>);

impl Identity {
    /// One that is signed by itself.
    pub fn alone(params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::self_signed(params, key).expect("a certificate"))
    }

    /// One that is signed by this one.
    pub fn sign(&self, params: CertificateParams) -> Self {
        let key = KeyPair::generate().expect("a key");
        Self(CertifiedIssuer::signed_by(params, key, &self.0).expect("a certificate"))
    }

    /// Its certificate.
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// The configuration of a server that presents it, and others along with it.
    pub fn serve(&self, along: &[&Self]) -> Arc<ServerConfig> {
        let chain = [&[self], along].concat();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.0.key().serialize_der()));
        let ring = Arc::new(rustls::crypto::ring::default_provider());
        let config = ServerConfig::builder_with_provider(ring)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain.iter().map(|one| one.0.der().clone()).collect(), key);
        Arc::new(config.expect("a configuration"))
    }
}

/// Whoever signs certificates.
pub struct Authority {
    identity: Identity,
    pem: String,
}

impl Authority {
    /// What OpenSSL calls its certificate in a folder of certificates.
    pub const FILE: &str = "3b291c1d.0";

    /// One that nobody knows.
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let identity = Identity::alone(params);
        Self {
            pem: identity.pem(),
            identity,
        }
    }

    /// Its certificate, for `--ca-file`.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A server's certificate for a name, and the configuration that uses it.
    pub fn server(&self, name: &str) -> Arc<ServerConfig> {
        self.sign(name).serve(&[])
    }

    /// A server's certificate for a name and its key, as PEM files hold them.
    pub fn files(&self, name: &str) -> (String, String) {
        let server = self.sign(name);
        (server.pem(), server.0.key().serialize_pem())
    }

    /// The same, but its time ran out at the beginning of 2020.
    pub fn expired(&self, name: &str) -> Arc<ServerConfig> {
        let mut params = CertificateParams::new([name.to_owned()]).expect("a name");
        params.not_after = rcgen::date_time_ymd(2020, 1, 1);
        self.identity.sign(params).serve(&[])
    }

    fn sign(&self, name: &str) -> Identity {
        self.identity
            .sign(CertificateParams::new([name.to_owned()]).expect("a name"))
    }
}

/// A connection with or without TLS.
pub enum Stream {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ServerConnection, TcpStream>>),
}

impl Stream {
    /// Awaits a handshake on this connection.
    pub fn tls(socket: TcpStream, config: &Arc<ServerConfig>) -> Option<Self> {
        let session = ServerConnection::new(Arc::clone(config)).ok()?;
        Some(Self::Tls(Box::new(StreamOwned::new(session, socket))))
    }

    /// The connection below.
    pub fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(socket) => socket,
            Self::Tls(stream) => stream.get_ref(),
        }
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> Result<usize> {
        match self {
            Self::Plain(socket) => socket.read(buffer),
            Self::Tls(stream) => stream.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        match self {
            Self::Plain(socket) => socket.write(bytes),
            Self::Tls(stream) => stream.write(bytes),
        }
    }

    fn flush(&mut self) -> Result<()> {
        match self {
            Self::Plain(socket) => socket.flush(),
            Self::Tls(stream) => stream.flush(),
        }
    }
}
