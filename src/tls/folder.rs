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

    /// A subject of parts with `|` between them, each of which has attributes with `+` between them: which one it is
    /// (03: a name, 0a: an organization, …), its value's tag and the value, as letters of one, two or four bytes or UTF-8.
    fn subject(parts: &str) -> Vec<u8> {
        let wrap = |tag, contents: &[u8]| der::element(tag, contents).expect("short");
        let attribute = |text: &str| {
            let number = |at| u8::from_str_radix(&text[at..at + 2], 16).expect(text);
            let value = text[6..].chars().flat_map(|letter| match number(3) {
                0x14 => vec![letter as u8],
                0x1e => (letter as u16).to_be_bytes().to_vec(),
                0x1c => u32::from(letter).to_be_bytes().to_vec(),
                _ => letter.to_string().into_bytes(),
            });
            let value: Vec<u8> = value.collect();
            let kind = wrap(der::OID, &[0x55, 4, number(0)]);
            wrap(der::SEQUENCE, &[kind, wrap(number(3), &value)].concat())
        };
        let part = |part: &str| {
            let attributes: Vec<_> = part.split('+').map(attribute).collect();
            wrap(der::SET, &attributes.concat())
        };
        let parts = parts.split('|').filter(|part| !part.is_empty());
        parts.flat_map(part).collect()
    }

    #[test]
    fn hashes_are_those_that_openssl_prints() {
        let [long, longer] = [200, 300].map(|length| "03 0c ".to_owned() + &"A".repeat(length));
        for (parts, expected) in [
            ("", 0xeea3_39da),
            ("03 0c ", 0x5da7_8770),
            ("03 0c root", 0xdcaa_f7f0),
            ("03 13 root", 0xdcaa_f7f0),
            ("03 16 Root", 0xdcaa_f7f0),
            ("03 0c  \t RooT ", 0xdcaa_f7f0),
            ("03 0c a\x0bb\x0cc\x1cd", 0xdc2e_ea5d),
            ("0a 13 ACME  Root\t\n CA|03 0c x", 0x700c_fd66),
            ("03 0c Ação", 0xa88d_7dfb),
            ("03 14 Ação", 0xa88d_7dfb),
            ("03 1e Ação", 0xa88d_7dfb),
            ("03 1c Ação", 0xa88d_7dfb),
            // A numeric string is not put into another form.
            ("05 12 12 3", 0x815d_bf82),
            ("03 0c b+0a 0c a+0b 13 Long  one|06 13 BR", 0xde1d_b67d),
            ("0a 0c CCCC+0a 0c d", 0x754f_e418),
            (&long, 0xc8ab_ec7b),
            (&longer, 0xdbb5_c2fe),
        ] {
            assert_eq!(hash(&subject(parts)), Some(expected), "{parts}");
        }
        assert_eq!(plain((0x0c, b"\xff")), None, "no UTF-8");
        assert_eq!(plain((0x1e, b"\xd8\0")), None, "half a letter");
        assert_eq!(plain((0x1c, b"\0\x11\0\0")), None, "no letter");
        for broken in [&b"\x31\x02\x30\0"[..], b"\x30\0", b"\0"] {
            assert_eq!(hash(broken), None, "{broken:x?}");
        }
    }
}
