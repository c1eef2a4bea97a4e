//! Reads whom a certificate may vouch for, and when. The TLS library takes every root that it is given for a CA's.

use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::Offset;
use rustls::CertificateError;
use rustls::pki_types::{CertificateDer, UnixTime};

use super::der::{self, Der};

const BASIC_CONSTRAINTS: &[u8] = &[0x55, 0x1d, 19];
const KEY_USAGE: &[u8] = &[0x55, 0x1d, 15];
const EXTENDED_KEY_USAGE: &[u8] = &[0x55, 0x1d, 37];
const SERVER_AUTH: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 3, 1];
const KEY_CERT_SIGN: u8 = 4;
const RSA: &[u8] = &[0x2a, 0x86, 0x48, 0x86, 0xf7, 0x0d, 1, 1, 1];

/// An X.509 certificate, as far as it tells whom it may vouch for.
#[derive(Debug, Clone)]
pub(super) struct Certificate<'a> {
    der: &'a [u8],
    pub issuer: &'a [u8],
    pub subject: &'a [u8],
    validity: &'a [u8],
    key: &'a [u8],
    /// Whether it is a version 1 certificate, which has no extensions.
    ancient: bool,
    extensions: Option<&'a [u8]>,
}

impl<'a> Certificate<'a> {
    /// `None` if it is not a certificate. Signatures, names and all else are left to the TLS library.
    pub fn read(der: &'a CertificateDer<'_>) -> Option<Self> {
        let mut signed = Der(Der(der).take(der::SEQUENCE)?);
        let mut body = Der(signed.take(der::SEQUENCE)?);
        let ancient = body.take(der::CONTEXT_0).is_none();
        body.take(der::INTEGER)?;
        body.take(der::SEQUENCE)?;
        let issuer = body.take(der::SEQUENCE)?;
        let validity = body.take(der::SEQUENCE)?;
        let subject = body.take(der::SEQUENCE)?;
        let key = body.take(der::SEQUENCE)?;
        let extensions = body.take(der::CONTEXT_3);
        Some(Self {
            der,
            issuer,
            subject,
            validity,
            key,
            ancient,
            extensions,
        })
    }

    pub fn der(&self) -> CertificateDer<'a> {
        self.der.into()
    }

    /// The length in bits of an RSA key that is too short.
    pub fn small_key(&self) -> Option<usize> {
        let mut key = Der(self.key);
        let algorithm = Der(key.take(der::SEQUENCE)?).take(der::OID)?;
        let bits = key.take(der::BIT_STRING)?.get(1..)?;
        let modulus = Der(Der(bits).take(der::SEQUENCE)?).take(der::INTEGER)?;
        let zeros = modulus.iter().take_while(|byte| **byte == 0).count();
        let length = (modulus.len() - zeros) * 8;
        (algorithm == RSA && length < 2048).then_some(length)
    }

    /// How many CAs may stand between this one and a server; `None` if it is not a CA that may vouch for servers.
    ///
    /// Version 1 cannot say that. As in OpenSSL, its certificate is a CA's if it names itself as the issuer.
    pub fn reach(&self) -> Option<usize> {
        if self.ancient {
            return (self.issuer == self.subject).then_some(usize::MAX);
        }
        let mut reach = None;
        let mut extensions = Der(Der(self.extensions?).take(der::SEQUENCE)?);
        while !extensions.0.is_empty() {
            let mut extension = Der(extensions.take(der::SEQUENCE)?);
            let kind = extension.take(der::OID)?;
            let critical = extension.take(der::BOOLEAN).is_some_and(|is| is == [0xff]);
            let mut value = Der(extension.take(der::OCTET_STRING)?);
            let allowed = match kind {
                BASIC_CONSTRAINTS => {
                    let mut constraints = Der(value.take(der::SEQUENCE)?);
                    let authority = constraints.take(der::BOOLEAN) == Some(&[0xff]);
                    reach = Some(match constraints.take(der::INTEGER) {
                        None => usize::MAX,
                        Some(&[length @ 0..=0x7f]) => usize::from(length),
                        Some(&[0..=0x7f, _, ..]) => usize::MAX,
                        Some(_) => return None,
                    });
                    authority
                }
                // The first byte counts the bits that the last one does not use.
                KEY_USAGE => value.take(der::BIT_STRING)?.get(1)? & KEY_CERT_SIGN != 0,
                EXTENDED_KEY_USAGE => {
                    let mut purposes = Der(value.take(der::SEQUENCE)?);
                    std::iter::from_fn(|| purposes.take(der::OID))
                        .any(|purpose| purpose == SERVER_AUTH)
                }
                // X.509's own. The TLS library checks name constraints; the others do not matter here.
                [0x55, 0x1d, _] => true,
                _ => !critical,
            };
            if !allowed {
                return None;
            }
        }
        reach
    }

    pub fn in_time(&self, time: UnixTime) -> Result<(), CertificateError> {
        let mut validity = Der(self.validity);
        let mut next = || validity.next().and_then(|(tag, text)| moment(tag, text));
        let (Some(not_before), Some(not_after)) = (next(), next()) else {
            return Err(CertificateError::BadEncoding);
        };
        if time < not_before {
            return Err(CertificateError::NotValidYetContext { time, not_before });
        }
        if time > not_after {
            return Err(CertificateError::ExpiredContext { time, not_after });
        }
        Ok(())
    }
}

/// A time as certificates write it: `YYMMDDHHMMSSZ` for the years from 1950 to 2049, with all four digits of the year
/// for others.
fn moment(tag: u8, text: &[u8]) -> Option<UnixTime> {
    let digits = text
        .strip_suffix(b"Z")
        .filter(|digits| digits.iter().all(u8::is_ascii_digit))?;
    let mut pairs = digits
        .chunks_exact(2)
        .map(|pair| (pair[0] - b'0') * 10 + (pair[1] - b'0'));
    let mut next = || pairs.next().and_then(|pair| i8::try_from(pair).ok());
    let (century, year) = match (tag, digits.len()) {
        (der::UTC_TIME, 12) => {
            let year = next()?;
            (if year < 50 { 20 } else { 19 }, year)
        }
        (der::GENERALIZED_TIME, 14) => (next()?, next()?),
        _ => return None,
    };
    let year = i16::from(century) * 100 + i16::from(year);
    let moment = DateTime::new(year, next()?, next()?, next()?, next()?, next()?, 0).ok()?;
    // The end of 9999, which means no end, is out of a timestamp's range.
    let moment = Offset::UTC.to_timestamp(moment).unwrap_or(Timestamp::MAX);
    let seconds = u64::try_from(moment.as_second()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{BasicConstraints, CertificateParams, CustomExtension, IsCa, KeyUsagePurpose};

    use super::*;

    fn made(change: impl FnOnce(&mut CertificateParams)) -> CertificateDer<'static> {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        change(&mut params);
        let key = rcgen::KeyPair::generate().expect("a key");
        let certificate = params.self_signed(&key).expect("a certificate");
        certificate.der().clone()
    }

    fn reach(der: &CertificateDer<'_>) -> Option<usize> {
        Certificate::read(der).expect("a certificate").reach()
    }

    /// What tests of the program do not show: constraints, usages and purposes that are written oddly.
    #[test]
    fn extensions_are_read_strictly() {
        let endless = Some(usize::MAX);
        for (kind, content, critical, expected) in [
            // Nothing within, a truth that is not 0xff, a length that is negative or none, no bits, no list.
            (19, &[][..], true, None),
            (19, &[0x30, 3, 1, 1, 1], true, None),
            (19, &[0x30, 6, 1, 1, 0xff, 2, 1, 0xff], true, None),
            (19, &[0x30, 5, 1, 1, 0xff, 2, 0], true, None),
            (19, &[0x30, 6, 1, 1, 0xff, 2, 1, 127], true, Some(127)),
            (19, &[0x30, 7, 1, 1, 0xff, 2, 2, 0, 0xff], true, endless),
            (15, &[3, 1, 0], true, None),
            (15, &[3, 2, 2, 4], false, endless),
            // Nine bits, so two bytes.
            (15, &[3, 3, 7, 0x80, 0x80], false, None),
            (37, &[6, 0], false, None),
            // Names' constraints.
            (30, &[0x30, 0], true, endless),
        ] {
            let der = made(|params| {
                if kind == 19 {
                    params.is_ca = IsCa::NoCa;
                }
                let oid = [2, 5, 29, kind];
                let mut extension = CustomExtension::from_oid_content(&oid, content.to_vec());
                extension.set_criticality(critical);
                params.custom_extensions = vec![extension];
            });
            assert_eq!(reach(&der), expected, "{kind} {content:?}");
        }
    }

    /// Turns a certificate into one of version 1, whose signature is wrong.
    fn ancient(der: &CertificateDer<'_>, issuer: Option<&[u8]>) -> CertificateDer<'static> {
        let mut body = Der(Der(Der(der).take(der::SEQUENCE).expect("all"))
            .take(der::SEQUENCE)
            .expect("a body"));
        body.take(der::CONTEXT_0).expect("a version");
        let mut parts: Vec<_> = std::iter::from_fn(|| body.next()).collect();
        parts.pop();
        parts[2].1 = issuer.unwrap_or(parts[2].1);
        let parts: Vec<u8> = parts
            .iter()
            .flat_map(|(tag, part)| der::element(*tag, part).expect("short"))
            .collect();
        let body = der::element(der::SEQUENCE, &parts).expect("short");
        der::element(der::SEQUENCE, &body).expect("short").into()
    }

    #[test]
    fn version_1_vouches_where_it_is_its_own_issuer() {
        let der = made(|_| {});
        assert_eq!(reach(&ancient(&der, None)), Some(usize::MAX));
        assert_eq!(reach(&ancient(&der, Some(&[0x31, 0]))), None);
    }

    #[test]
    fn times_as_they_are_written() {
        let at = |tag, text: &str| moment(tag, text.as_bytes()).map(|time| time.as_secs());
        assert_eq!(at(der::UTC_TIME, "700101000001Z"), Some(1));
        assert_eq!(at(der::UTC_TIME, "491231235959Z"), Some(2_524_607_999));
        assert_eq!(
            at(der::GENERALIZED_TIME, "20000229120000Z"),
            Some(951_825_600)
        );
        assert!(
            at(der::GENERALIZED_TIME, "99991231235959Z")
                .is_some_and(|seconds| seconds > 253_402_000_000)
        );
        for (tag, text) in [
            (der::UTC_TIME, "20000229120000Z"),
            (der::GENERALIZED_TIME, "000229120000Z"),
            (der::UTC_TIME, "000230120000Z"),
            (der::UTC_TIME, "001301120000Z"),
            (der::UTC_TIME, "0002291200Z"),
            (der::UTC_TIME, "000229120000"),
            (der::UTC_TIME, "000229120000+0100"),
            (der::UTC_TIME, "00022912 000Z"),
            (der::UTC_TIME, "+0022912000Z"),
            (der::UTC_TIME, "500101000000Z"),
            (der::OCTET_STRING, "000229120000Z"),
            (der::UTC_TIME, ""),
        ] {
            assert_eq!(at(tag, text), None, "{tag:#x} {text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
            end in any::<prop::sample::Index>(),
        ) {
            let mut broken = made(|params| params.key_usages = vec![KeyUsagePurpose::KeyCertSign]).to_vec();
            for (place, byte) in places {
                *place.get_mut(&mut broken) = byte;
            }
            let cut = broken[..end.index(broken.len())].to_vec();
            for der in [bytes, broken, cut] {
                if let Some(certificate) = Certificate::read(&der.into()) {
                    let _ = (certificate.reach(), certificate.in_time(UnixTime::since_unix_epoch(Duration::ZERO)));
                }
            }
        }
    }
}
