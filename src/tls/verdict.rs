//! Why TLS failed, in a sentence of its own for each of the library's verdicts.

use jiff::Timestamp;
use rustls::pki_types::UnixTime;
use rustls::{AlertDescription, CertificateError, PeerIncompatible};

use super::roots::Refusal;
use crate::error::{Cause, Error, error, find};
use crate::i18n::{Text, tr};

/// Explains a failure of TLS to this host; `None` for another failure.
pub fn explain(error: &(dyn std::error::Error + 'static), host: &str) -> Option<Error> {
    use PeerIncompatible::ServerDoesNotSupportTls12Or13 as TooOld;
    Some(match find(error)? {
        rustls::Error::InvalidCertificate(problem) => invalid(problem, host),
        rustls::Error::AlertReceived(alert) => alerted(*alert, host),
        rustls::Error::PeerIncompatible(TooOld) => outdated(host),
        rustls::Error::PeerIncompatible(_) => {
            no_cipher(tr!("{host} offers only ciphers that are no longer safe"; host))
        }
        rustls::Error::InvalidMessage(_) => error!(Tls: "{host} does not speak TLS"; host),
        _ => error!(Tls: "the TLS handshake with {host} failed"; host),
    })
}

fn outdated(host: &str) -> Error {
    error!(Tls: "{host} supports no TLS newer than 1.1, which is no longer safe"; host =>
        hint "the server's administrator must turn on TLS 1.2 or 1.3")
}

fn no_cipher(why: Text) -> Error {
    Error::new(Cause::Tls, why).hint(tr!(
        "the server's administrator must turn on TLS 1.3, or ciphers of TLS 1.2 with ECDHE; the server may \
        also require a certificate from the client"
    ))
}

/// The server has ended the handshake.
fn alerted(alert: AlertDescription, host: &str) -> Error {
    use AlertDescription as Alert;
    let name = format!("{alert:?}");
    let why = tr!("{host} ended the TLS handshake with the alert {alert}"; host, alert = name);
    match alert {
        Alert::ProtocolVersion => outdated(host),
        Alert::HandshakeFailure | Alert::InsufficientSecurity => no_cipher(why),
        Alert::UnrecognisedName => error!(Tls: "{host} has no site with that name"; host =>
            hint "is the host in the URL the right one?"),
        Alert::BadCertificate
        | Alert::UnsupportedCertificate
        | Alert::CertificateRevoked
        | Alert::CertificateExpired
        | Alert::CertificateUnknown
        | Alert::CertificateRequired
        | Alert::UnknownCA
        | Alert::AccessDenied => Error::new(Cause::Certificate, why).hint(tr!(
            "ask the server's administrator; it may require a client certificate"
        )),
        _ => Error::new(Cause::Tls, why).hint(tr!("ask the server's administrator")),
    }
}

fn invalid(problem: &CertificateError, host: &str) -> Error {
    use CertificateError as Problem;
    match problem {
        Problem::ExpiredContext { not_after, .. } => error!(Certificate:
            "{host}'s certificate expired on {day}"; host, day = day(not_after) =>
            hint "the server's administrator must renew it; if it is new, check this machine's clock"),
        // Its only source is a validity whose end comes before its beginning.
        Problem::Expired => replace(tr!("{host}'s certificate ends before it begins"; host)),
        Problem::NotValidYetContext { .. } => error!(Certificate:
            "{host}'s certificate is not valid yet"; host => hint "check this machine's clock"),
        Problem::NotValidForNameContext { presented, .. } => another_name(host, presented),
        Problem::BadEncoding => replace(tr!("{host}'s certificate cannot be read"; host)),
        Problem::BadSignature => unknown_issuer(tr!(
            "{host}'s certificate comes from an unknown issuer with the name of a known one"; host)),
        Problem::UnsupportedSignatureAlgorithmContext { .. }
        | Problem::UnsupportedSignatureAlgorithmForPublicKeyContext { .. } => replace(tr!(
            "{host}'s certificate, or one of its CAs', has a signature that is no longer safe, such as SHA-1"; host)),
        Problem::InvalidPurposeContext { .. } => replace(tr!(
            "{host}'s certificate is not for servers: its extended key usage has no serverAuth"; host)),
        Problem::UnknownIssuer => unknown_issuer(tr!(
            "{host}'s certificate comes from an unknown issuer"; host)),
        Problem::Other(other) => match other.0.downcast_ref() {
            Some(refusal) => refused(refusal, host),
            None => unnamed(&other.0.to_string(), host),
        },
        other => unnamed(&format!("{other:?}"), host),
    }
}

/// The TLS library writes the certificate's names as `DnsName("a.example")`.
fn another_name(host: &str, presented: &[String]) -> Error {
    if presented.is_empty() {
        return replace(tr!(
            "{host}'s certificate names no host: it has no subjectAltName, and a common name does not count"; host));
    }
    let plain = |name: &String| {
        let inner = name.split_once('(').map_or(name.as_str(), |(_, rest)| rest);
        inner.trim_end_matches(')').trim_matches('"').to_owned()
    };
    let names: Vec<_> = presented.iter().map(plain).collect();
    let message = tr!("{host}'s certificate is for another name"; host);
    Error::new(Cause::Certificate, message).said(&names.join(", "))
}

fn unknown_issuer(why: Text) -> Error {
    Error::new(Cause::Certificate, why).hint(tr!(
        "if you trust the issuer, name its certificate with --ca-file FILE.pem"
    ))
}

fn replace(why: Text) -> Error {
    Error::new(Cause::Certificate, why).hint(tr!("the server's administrator must replace it"))
}

/// A verdict that has no name in the TLS library, only in what it builds on.
fn unnamed(verdict: &str, host: &str) -> Error {
    let plain = verdict.chars().all(char::is_alphanumeric);
    let named = |why| replace(why).said(if plain { verdict } else { "" });
    match verdict {
        "CaUsedAsEndEntity" => {
            error!(Certificate: "{host} presents a CA's certificate as its own"; host =>
                hint "make one for the server, signed by that CA; or trust this one by naming it with --ca-file \
                FILE.pem")
        }
        "NameConstraintViolation" => error!(Certificate:
            "{host}'s certificate comes from a CA that may not sign for this name"; host =>
            hint "use a host name that its CA may sign for, or get a certificate from another CA"),
        "UnsupportedCertVersion" => named(tr!(
            "{host}'s certificate, or one of its CAs', is version 1, which can neither name hosts nor mark a CA";
            host)),
        "UnsupportedCriticalExtension" => named(tr!(
            "{host}'s certificate, or one of its CAs', has a critical extension that crmauth does not know"; host)),
        "PathLenConstraintViolated" | "MaximumPathDepthExceeded" => named(tr!(
            "{host}'s certificate has a longer chain of CAs than its root allows"; host)),
        "EndEntityUsedAsCa" => named(tr!(
            "{host}'s certificate is signed by a certificate that is not a CA's"; host)),
        _ => named(tr!("{host}'s certificate cannot be used"; host)),
    }
}

fn refused(refusal: &Refusal, host: &str) -> Error {
    match refusal {
        Refusal::NoAuthority => error!(Certificate:
            "--ca-file contains neither {host}'s certificate nor that of a CA that could have signed it"; host =>
            hint "a certificate that is not a CA's is trusted for itself only: name the CA's, or the server's \
            current one"),
        Refusal::Untimely(CertificateError::ExpiredContext { not_after, .. }) => {
            error!(Certificate:
            "{host}'s certificate comes from a CA whose certificate expired on {day}"; host, day = day(not_after) =>
            hint "get the CA's new certificate; if this one is new, check this machine's clock")
        }
        Refusal::Untimely(_) => error!(Certificate:
            "{host}'s certificate comes from a CA whose certificate is not valid yet"; host =>
            hint "check this machine's clock"),
        Refusal::SmallKey(bits) => error!(Certificate:
            "{host}'s certificate, or one of its CAs', has an RSA key of {bits} bits, which is no longer safe";
            host, bits =>
            hint "the server's administrator must replace it with one of at least 2048 bits"),
    }
}

fn day(time: &UnixTime) -> String {
    let time = Timestamp::from_second(i64::try_from(time.as_secs()).unwrap_or(i64::MAX));
    time.map(|time| time.strftime("%Y-%m-%d").to_string())
        .unwrap_or_default()
}
