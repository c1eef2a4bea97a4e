//! Finds certificates in folders as OpenSSL does: each file is named after a hash of its certificate's subject, and
//! `openssl rehash` makes links with such names. Files with other names are not used.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use ring::digest;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;

use super::der::{self, Der};

/// The certificates of these subjects.
pub(super) fn find(
    folders: &[PathBuf],
    subjects: &BTreeSet<&[u8]>,
) -> Vec<CertificateDer<'static>> {
    let mut found = Vec::new();
    for hash in subjects.iter().filter_map(|subject| hash(subject)) {
        for folder in folders {
            // Certificates with the same hash are numbered.
            let paths = (0u32..).map(|number| folder.join(format!("{hash:08x}.{number}")));
            found.extend(paths.map_while(|path| certificates(&path)).flatten());
        }
    }
    found
}

/// Whether a folder has any file that can be found.
pub(super) fn has_any(folder: &Path) -> bool {
    let is_digit = |digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f');
    let named = |name: &str| {
        let hash = name.strip_suffix(".0").unwrap_or_default();
        hash.len() == 8 && hash.bytes().all(is_digit)
    };
    let mut entries = std::fs::read_dir(folder).into_iter().flatten().flatten();
    entries.any(|entry| entry.file_name().to_str().is_some_and(named))
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

/// The hash that `openssl x509 -hash` prints; names that differ only in case, blanks or encoding have the same.
fn hash(subject: &[u8]) -> Option<u32> {
    let mut canonical = Vec::new();
    let mut parts = Der(subject);
    while !parts.0.is_empty() {
        let mut part = parts.inside(der::SET)?;
        let mut attributes = Vec::new();
        while !part.0.is_empty() {
            let mut attribute = part.inside(der::SEQUENCE)?;
            let kind = der::element(der::OID, attribute.read(der::OID)?)?;
            let value = plain(attribute.next()?)?;
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
fn plain((tag, value): (u8, &[u8])) -> Option<Vec<u8>> {
    let width = match tag {
        0x13 | 0x14 | 0x16 => 1, // PrintableString, T61String, IA5String
        0x1e => 2,               // BMPString
        0x1c => 4,               // UniversalString
        der::UTF8_STRING => 0,
        _ => return der::element(tag, value),
    };
    let text = if width == 0 {
        String::from_utf8(value.to_vec()).ok()?
    } else {
        let codes = value.chunks(width).map(der::number);
        codes.map(char::from_u32).collect::<Option<_>>()?
    };
    let words = text.split(|letter| matches!(letter, ' ' | '\t'..='\r'));
    let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
    let text = words.join(" ").to_ascii_lowercase();
    der::element(der::UTF8_STRING, text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    const UTF8: u8 = der::UTF8_STRING;
    const PRINTABLE: u8 = 0x13;

    /// Which attribute it is (3: a name, 10: an organization, …), its value's tag and the value.
    type Attribute<'a> = (u8, u8, &'a [u8]);

    /// A subject of parts, each of which has one attribute or more.
    fn subject(parts: &[&[Attribute<'_>]]) -> Vec<u8> {
        let wrap = |tag, contents: &[u8]| der::element(tag, contents).expect("short");
        let attribute = |&(kind, tag, value): &Attribute<'_>| {
            let kind = wrap(der::OID, &[0x55, 4, kind]);
            wrap(der::SEQUENCE, &[kind, wrap(tag, value)].concat())
        };
        let part = |part: &&[_]| {
            let attributes: Vec<_> = part.iter().map(attribute).collect();
            wrap(der::SET, &attributes.concat())
        };
        parts.iter().flat_map(part).collect()
    }

    #[test]
    fn hashes_are_those_that_openssl_prints() {
        let wide = |width: usize| {
            let letters = "Ação".chars().map(|letter| u32::from(letter).to_be_bytes());
            let bytes = letters.flat_map(|bytes| bytes[4 - width..].to_vec());
            bytes.collect::<Vec<_>>()
        };
        let blanks: Attribute<'_> = (10, PRINTABLE, b"ACME  Root\t\n CA");
        let long: Attribute<'_> = (11, PRINTABLE, b"Long  one");
        let several: &[Attribute<'_>] = &[(3, UTF8, b"b"), (10, UTF8, b"a"), long];
        let rows: [(&[&[Attribute<'_>]], _); 17] = [
            (&[], 0xeea3_39da),
            (&[&[(3, UTF8, b"")]], 0x5da7_8770),
            (&[&[(3, UTF8, b"root")]], 0xdcaa_f7f0),
            (&[&[(3, PRINTABLE, b"root")]], 0xdcaa_f7f0),
            (&[&[(3, 0x16, b"Root")]], 0xdcaa_f7f0),
            (&[&[(3, UTF8, b" \t RooT ")]], 0xdcaa_f7f0),
            (&[&[(3, UTF8, b"a\x0bb\x0cc\x1cd")]], 0xdc2e_ea5d),
            (&[&[blanks], &[(3, UTF8, b"x")]], 0x700c_fd66),
            (&[&[(3, UTF8, "Ação".as_bytes())]], 0xa88d_7dfb),
            (&[&[(3, 0x14, &wide(1))]], 0xa88d_7dfb),
            (&[&[(3, 0x1e, &wide(2))]], 0xa88d_7dfb),
            (&[&[(3, 0x1c, &wide(4))]], 0xa88d_7dfb),
            // A numeric string is not put into another form.
            (&[&[(5, 0x12, b"12 3")]], 0x815d_bf82),
            (&[several, &[(6, PRINTABLE, b"BR")]], 0xde1d_b67d),
            (&[&[(10, UTF8, b"CCCC"), (10, UTF8, b"d")]], 0x754f_e418),
            (&[&[(3, UTF8, &[b'A'; 200])]], 0xc8ab_ec7b),
            (&[&[(3, UTF8, &[b'A'; 300])]], 0xdbb5_c2fe),
        ];
        for (parts, expected) in rows {
            assert_eq!(hash(&subject(parts)), Some(expected), "{parts:x?}");
        }
        for broken in [
            subject(&[&[(3, UTF8, &[0xff])]]),
            subject(&[&[(3, 0x1e, &[0xd8, 0])]]),
            subject(&[&[(3, 0x1c, &[0, 0x11, 0, 0])]]),
            vec![der::SET, 2, der::SEQUENCE, 0],
            vec![der::SEQUENCE, 0],
            vec![0],
        ] {
            assert_eq!(hash(&broken), None, "{broken:x?}");
        }
    }
}
