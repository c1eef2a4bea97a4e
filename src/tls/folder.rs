//! Finds certificates in folders as OpenSSL does: each file is named after a hash of its certificate's subject, and
//! `openssl rehash` makes links with such names. Files with other names are not used.

use std::path::{Path, PathBuf};

use ring::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::der::{self, Der};

/// The certificates of these subjects.
pub(super) fn find(folders: &[PathBuf], subjects: &[&[u8]]) -> Vec<CertificateDer<'static>> {
    let files = subjects
        .iter()
        .filter_map(|subject| hash(subject))
        .flat_map(|hash| {
            folders.iter().flat_map(move |folder| {
                // Certificates with the same hash are numbered.
                (0u32..).map_while(move |number| {
                    certificates(&folder.join(format!("{hash:08x}.{number}")))
                })
            })
        });
    files.flatten().collect()
}

/// Whether a folder has any file that can be found.
pub(super) fn has_any(folder: &Path) -> bool {
    let named = |name: &str| {
        name.split_once('.').is_some_and(|(hash, number)| {
            hash.len() == 8
                && hash
                    .bytes()
                    .all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
                && number == "0"
        })
    };
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries
        .map(|entry| entry.file_name())
        .any(|name| name.to_str().is_some_and(named))
}

/// The certificates in a file; `None` if it has none.
fn certificates(path: &Path) -> Option<Vec<CertificateDer<'static>>> {
    // Reading a pipe could block.
    if !std::fs::metadata(path).ok()?.is_file() {
        return None;
    }
    let found = CertificateDer::pem_file_iter(path).ok()?;
    let found: Vec<_> = found.filter_map(Result::ok).collect();
    (!found.is_empty()).then_some(found)
}

/// The hash of a subject that `openssl x509 -hash` prints. Names that differ only in case, blanks or encoding have the
/// same.
fn hash(subject: &[u8]) -> Option<u32> {
    let mut canonical = Vec::new();
    let mut parts = Der(subject);
    while !parts.0.is_empty() {
        let mut part = Der(parts.take(der::SET)?);
        let mut attributes = Vec::new();
        while !part.0.is_empty() {
            let mut attribute = Der(part.take(der::SEQUENCE)?);
            let kind = der::element(der::OID, attribute.take(der::OID)?)?;
            let value = attribute
                .next()
                .and_then(|(tag, value)| plain(tag, value))?;
            attributes.push(der::element(der::SEQUENCE, &[kind, value].concat())?);
        }
        attributes.sort();
        canonical.extend(der::element(der::SET, &attributes.concat())?);
    }
    let hash = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, &canonical);
    let first = hash.as_ref().first_chunk()?;
    Some(u32::from_le_bytes(*first))
}

/// A value as it is hashed: a text in lower case, in UTF-8 and with single blanks, anything else as it is.
fn plain(tag: u8, value: &[u8]) -> Option<Vec<u8>> {
    let width = match tag {
        der::PRINTABLE_STRING | der::T61_STRING | der::IA5_STRING => 1,
        der::BMP_STRING => 2,
        der::UNIVERSAL_STRING => 4,
        der::UTF8_STRING => 0,
        _ => return der::element(tag, value),
    };
    let text = if width == 0 {
        String::from_utf8(value.to_vec()).ok()?
    } else {
        let codes = value.chunks(width).map(|code| {
            code.iter()
                .fold(0, |code, &byte| code << 8 | u32::from(byte))
        });
        codes.map(char::from_u32).collect::<Option<_>>()?
    };
    let words = text
        .split(|letter| matches!(letter, ' ' | '\t'..='\r'))
        .filter(|word| !word.is_empty());
    let words: Vec<_> = words.collect();
    der::element(
        der::UTF8_STRING,
        words.join(" ").to_ascii_lowercase().as_bytes(),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::der::{BMP_STRING as BMP, PRINTABLE_STRING as PRINTABLE, UTF8_STRING as UTF8};
    use super::*;

    const COUNTRY: u8 = 6;
    const ORGANIZATION: u8 = 10;
    const UNIT: u8 = 11;
    const NAME: u8 = 3;

    type Attribute<'a> = (u8, u8, &'a [u8]);

    /// A subject of parts, each of which has one attribute or more: what it is, its value's tag and the value.
    fn subject(parts: &[&[Attribute<'_>]]) -> Vec<u8> {
        let wrap = |tag, contents: &[u8]| der::element(tag, contents).expect("short");
        let attribute = |&(kind, tag, value): &Attribute<'_>| {
            wrap(
                der::SEQUENCE,
                &[wrap(der::OID, &[0x55, 4, kind]), wrap(tag, value)].concat(),
            )
        };
        parts
            .iter()
            .flat_map(|part| {
                wrap(
                    der::SET,
                    &part.iter().flat_map(attribute).collect::<Vec<_>>(),
                )
            })
            .collect()
    }

    #[test]
    fn hashes_are_those_that_openssl_prints() {
        let wide = |width: usize| -> Vec<u8> {
            "Ação"
                .chars()
                .flat_map(|letter| u32::from(letter).to_be_bytes()[4 - width..].to_vec())
                .collect()
        };
        let rows: [(&[&[Attribute<'_>]], _); 17] = [
            (&[], 0xeea3_39da),
            (&[&[(NAME, UTF8, b"")]], 0x5da7_8770),
            (&[&[(NAME, UTF8, b"root")]], 0xdcaa_f7f0),
            (&[&[(NAME, PRINTABLE, b"root")]], 0xdcaa_f7f0),
            (&[&[(NAME, der::IA5_STRING, b"Root")]], 0xdcaa_f7f0),
            (&[&[(NAME, UTF8, b" \t RooT ")]], 0xdcaa_f7f0),
            (&[&[(NAME, UTF8, b"a\x0bb\x0cc\x1cd")]], 0xdc2e_ea5d),
            (
                &[
                    &[(ORGANIZATION, PRINTABLE, b"ACME  Root\t\n CA")],
                    &[(NAME, UTF8, b"x")],
                ],
                0x700c_fd66,
            ),
            (&[&[(NAME, UTF8, "Ação".as_bytes())]], 0xa88d_7dfb),
            (&[&[(NAME, der::T61_STRING, &wide(1))]], 0xa88d_7dfb),
            (&[&[(NAME, BMP, &wide(2))]], 0xa88d_7dfb),
            (&[&[(NAME, der::UNIVERSAL_STRING, &wide(4))]], 0xa88d_7dfb),
            // A numeric string is not put into another form.
            (&[&[(5, 0x12, b"12 3")]], 0x815d_bf82),
            (
                &[
                    &[
                        (NAME, UTF8, b"b"),
                        (ORGANIZATION, UTF8, b"a"),
                        (UNIT, PRINTABLE, b"Long  one"),
                    ],
                    &[(COUNTRY, PRINTABLE, b"BR")],
                ],
                0xde1d_b67d,
            ),
            (
                &[&[(ORGANIZATION, UTF8, b"CCCC"), (ORGANIZATION, UTF8, b"d")]],
                0x754f_e418,
            ),
            (&[&[(NAME, UTF8, &[b'A'; 200])]], 0xc8ab_ec7b),
            (&[&[(NAME, UTF8, &[b'A'; 300])]], 0xdbb5_c2fe),
        ];
        for (parts, expected) in rows {
            assert_eq!(hash(&subject(parts)), Some(expected), "{parts:x?}");
        }
    }

    #[test]
    fn what_is_not_a_name_has_no_hash() {
        for broken in [
            subject(&[&[(NAME, UTF8, &[0xff])]]),
            subject(&[&[(NAME, BMP, &[0xd8, 0])]]),
            subject(&[&[(NAME, der::UNIVERSAL_STRING, &[0, 0x11, 0, 0])]]),
            vec![der::SET, 2, der::SEQUENCE, 0],
            vec![der::SEQUENCE, 0],
            vec![0],
        ] {
            assert_eq!(hash(&broken), None, "{broken:x?}");
        }
    }

    proptest! {
        #[test]
        fn nothing_makes_it_panic(
            bytes in prop::collection::vec(any::<u8>(), 0..100),
            tag in any::<u8>(),
            value in prop::collection::vec(any::<u8>(), 0..20),
        ) {
            let _ = (hash(&bytes), hash(&subject(&[&[(NAME, tag, &value)]])));
        }
    }

    #[cfg(unix)]
    #[test]
    fn what_is_no_file_of_certificates_ends_the_search() {
        let folder = tempfile::tempdir().expect("a folder");
        let made = rcgen::generate_simple_self_signed([])
            .expect("a certificate")
            .cert;
        let certificate =
            crate::tls::certificate::Certificate::read(made.der()).expect("a certificate");
        let path = |number: u32| {
            folder.path().join(format!(
                "{:08x}.{number}",
                hash(certificate.subject).expect("a hash")
            ))
        };
        let count = || find(&[folder.path().to_owned()], &[certificate.subject]).len();
        std::fs::write(path(0), made.pem()).expect("a file");
        std::fs::write(path(2), made.pem()).expect("a file");
        assert_eq!(count(), 1);
        let pipe = std::process::Command::new("mkfifo")
            .arg(path(1))
            .status()
            .expect("mkfifo");
        assert!(pipe.success());
        assert_eq!(count(), 1);
        std::fs::remove_file(path(1)).expect("removed");
        std::fs::write(path(1), "no certificate").expect("a file");
        assert_eq!(count(), 1);
        std::fs::remove_file(path(1)).expect("removed");
        std::os::unix::fs::symlink(path(0), path(1)).expect("a link");
        assert_eq!(count(), 3);
    }
}
