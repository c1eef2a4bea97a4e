//! Reads whom a certificate may vouch for, and when. The TLS library itself accepts every root that it is
//! given as a CA.

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
        let mut body = Der(der).inside(der::SEQUENCE)?.inside(der::SEQUENCE)?;
        let ancient = body.read(der::CONTEXT_0).is_none();
        body.read(der::INTEGER)?;
        let mut part = || body.read(der::SEQUENCE);
        part()?;
        Some(Self {
            der,
            issuer: part()?,
            validity: part()?,
            subject: part()?,
            key: part()?,
            ancient,
            extensions: body.read(der::CONTEXT_3),
        })
    }

    pub fn der(&self) -> CertificateDer<'a> {
        self.der.into()
    }

    /// The length in bits of an RSA key that is too short.
    pub fn small_key(&self) -> Option<usize> {
        let mut key = Der(self.key);
        let algorithm = key.inside(der::SEQUENCE)?.read(der::OID)?;
        let bits = key.read(der::BIT_STRING)?.get(1..)?;
        let modulus = Der(bits).inside(der::SEQUENCE)?.read(der::INTEGER)?;
        let length = modulus.iter().skip_while(|byte| **byte == 0).count() * 8;
        (algorithm == RSA && length < 2048).then_some(length)
    }

    /// How many CAs may stand between this one and a server; `None` if it is not a CA that may vouch for servers.
    /// Version 1 cannot say that. As in OpenSSL, its certificate is a CA's if it names itself as the issuer.
    pub fn reach(&self) -> Option<usize> {
        if self.ancient {
            return (self.issuer == self.subject).then_some(usize::MAX);
        }
        let mut reach = None;
        let mut extensions = Der(self.extensions?).inside(der::SEQUENCE)?;
        while !extensions.0.is_empty() {
            let mut extension = extensions.inside(der::SEQUENCE)?;
            let kind = extension.read(der::OID)?;
            let critical = extension.read(der::BOOLEAN).is_some_and(|is| is == [0xff]);
            let mut value = extension.inside(der::OCTET_STRING)?;
            let allowed = match kind {
                BASIC_CONSTRAINTS => {
                    let mut constraints = value.inside(der::SEQUENCE)?;
                    let authority = constraints.read(der::BOOLEAN) == Some(&[0xff]);
                    reach = Some(match constraints.read(der::INTEGER) {
                        None => usize::MAX,
                        Some(&[length @ 0..=0x7f]) => usize::from(length),
                        Some(&[0..=0x7f, _, ..]) => usize::MAX,
                        Some(_) => return None,
                    });
                    authority
                }
                // The first byte counts the bits that the last one does not use.
                KEY_USAGE => value.read(der::BIT_STRING)?.get(1)? & KEY_CERT_SIGN != 0,
                EXTENDED_KEY_USAGE => value
                    .inside(der::SEQUENCE)?
                    .take_while(|(tag, _)| *tag == der::OID)
                    .any(|(_, purpose)| purpose == SERVER_AUTH),
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
        let mut times = Der(self.validity).map_while(moment);
        let (Some(not_before), Some(not_after)) = (times.next(), times.next()) else {
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

/// A time as certificates write it: `YYMMDDHHMMSSZ` for 1950 to 2049, with all four digits of the year for others.
fn moment((tag, text): (u8, &[u8])) -> Option<UnixTime> {
    let digits = std::str::from_utf8(text).ok()?.strip_suffix('Z')?;
    let century = match (tag, digits.len()) {
        _ if !digits.bytes().all(|digit| digit.is_ascii_digit()) => return None,
        // jiff takes a leap second for the one before.
        _ if digits.ends_with("60") => return None,
        (der::UTC_TIME, 12) if digits < "50" => "20",
        (der::UTC_TIME, 12) => "19",
        (der::GENERALIZED_TIME, 14) => "",
        _ => return None,
    };
    let digits = [century, digits].concat();
    let moment = DateTime::strptime("%Y%m%d%H%M%S", digits).ok()?;
    // The end of 9999, which means no end, is out of a timestamp's range.
    let moment = Offset::UTC.to_timestamp(moment).unwrap_or(Timestamp::MAX);
    let seconds = u64::try_from(moment.as_second()).ok()?;
    Some(UnixTime::since_unix_epoch(Duration::from_secs(seconds)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rcgen::{
        BasicConstraints, CertificateParams, ExtendedKeyUsagePurpose, IsCa, KeyUsagePurpose,
    };

    use super::*;
    use crate::tls::folder;

    #[test]
    fn times_as_they_are_written() {
        let last = Timestamp::MAX.as_second() as u64;
        for (tag, text, seconds) in [
            (der::UTC_TIME, "700101000001Z", Some(1)),
            (der::UTC_TIME, "491231235959Z", Some(2_524_607_999)),
            (der::GENERALIZED_TIME, "20000229120000Z", Some(951_825_600)),
            (der::GENERALIZED_TIME, "99991231235959Z", Some(last)),
            (der::GENERALIZED_TIME, "000229120000Z", None),
            (der::OCTET_STRING, "000229120000Z", None),
        ] {
            let read = moment((tag, text.as_bytes()));
            assert_eq!(read.map(|time| time.as_secs()), seconds, "{text}");
        }
        let wrong = "20000229120000Z,000230120000Z,001301120000Z,000229120060Z,0002291200Z,000229120000,\
            000229120000+0100,00022912 000Z,+0022912000Z,500101000000Z,";
        for text in wrong.split(',') {
            assert_eq!(moment((der::UTC_TIME, text.as_bytes())), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..200),
            places in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..4),
            end in any::<prop::sample::Index>(),
        ) {
            let mut params = CertificateParams::new([]).expect("no names");
            params.is_ca = IsCa::Ca(BasicConstraints::Constrained(1));
            params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
            params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
            let key = rcgen::KeyPair::generate().expect("a key");
            let mut broken = params.self_signed(&key).expect("a certificate").der().to_vec();
            for (place, byte) in places {
                *place.get_mut(&mut broken) = byte;
            }
            let cut = broken[..end.index(broken.len())].to_vec();
            for der in [bytes, broken, cut] {
                folder::find(&[], &[&*der].into());
                let der = der.into();
                let Some(one) = Certificate::read(&der) else { continue };
                let _ = (one.reach(), one.small_key(), one.in_time(UnixTime::now()).is_ok());
                folder::find(&[], &[one.subject].into());
            }
        }
    }
}
