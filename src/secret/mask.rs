//! Blanks secrets in bytes that come in pieces, wherever the pieces end.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::redactor::{OWN_TEXT_MIN, Redactor};
use super::{BLANK, Secret, percent};

/// So much of a secret is blanked where the bytes end in the middle of it.
const CUT_MIN: usize = 8;

/// What has passed of a stream, as far as it must be known.
pub struct Mask<'a> {
    redactor: &'a Redactor,
    /// How many of the redactor's secrets `needles` knows: a long run learns more of them.
    learnt: usize,
    needles: Vec<Zeroizing<Vec<u8>>>,
    /// The end of what has come, which may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
}

impl<'a> Mask<'a> {
    pub fn new(redactor: &'a Redactor) -> Self {
        Self {
            redactor,
            learnt: 0,
            needles: Vec::new(),
            held: Zeroizing::default(),
        }
    }

    /// What may be shown once `part` has come.
    pub fn pass(&mut self, part: &[u8]) -> Vec<u8> {
        for secret in self.redactor.learnt_since(self.learnt) {
            self.learnt += 1;
            self.needles.extend(forms(&secret));
        }
        self.held.extend_from_slice(part);
        let (mut shown, mut at, mut plain) = (Vec::new(), 0, 0);
        while at < self.held.len() {
            let rest = &self.held[at..];
            let found = self
                .needles
                .iter()
                .filter(|needle| rest.starts_with(needle));
            match found.map(|needle| needle.len()).max() {
                Some(length) => {
                    shown.extend_from_slice(&self.held[plain..at]);
                    shown.extend_from_slice(BLANK.as_bytes());
                    at += length;
                    plain = at;
                }
                None if self.needles.iter().any(|needle| needle.starts_with(rest)) => break,
                None => at += 1,
            }
        }
        shown.extend_from_slice(&self.held[plain..at]);
        self.held = self.held[at..].to_vec().into();
        shown
    }

    /// What is left at the end.
    pub fn end(self) -> Vec<u8> {
        match self.held.len() {
            CUT_MIN.. => BLANK.into(),
            _ => self.held.to_vec(),
        }
    }
}

/// A secret as it is, and as it stands in URLs, in JSON and in base64.
fn forms(secret: &Secret) -> Vec<Zeroizing<Vec<u8>>> {
    let text = secret.expose();
    let json = serde_json::Value::from(text).to_string();
    let json = &json[1..json.len() - 1];
    let escaped = percent(text);
    let lower = escaped
        .split_inclusive('%')
        .map(|part| match part.char_indices().nth(2) {
            Some((end, _)) => [&part[..end].to_lowercase(), &part[end..]].concat(),
            None => part.to_owned(),
        });
    let lower: String = lower.collect();
    let escapes = [escaped, lower, json.to_owned(), json.replace('/', "\\/")];
    let mut forms: Vec<Zeroizing<Vec<u8>>> = vec![text.as_bytes().to_vec().into()];
    forms.extend(escapes.map(|form| form.into_bytes().into()));
    // Inside a longer base64 text, without the digits that it shares with its neighbours.
    for offset in 0..3 {
        let padded = Zeroizing::new([&[0; 2][..offset], text.as_bytes()].concat());
        let digits = (offset * 8).div_ceil(6)..padded.len() * 8 / 6;
        for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
            let encoded = Zeroizing::new(engine.encode(&padded));
            let own = &encoded.as_bytes()[digits.start.min(digits.end)..digits.end];
            forms.push(own.to_vec().into());
        }
    }
    forms.retain(|form| form.len() >= OWN_TEXT_MIN);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
        let redactor = Redactor::new();
        for secret in secrets {
            redactor.learn(&Secret::new((*secret).to_owned()));
        }
        let mut mask = Mask::new(&redactor);
        let mut shown: Vec<u8> = pieces.iter().flat_map(|piece| mask.pass(piece)).collect();
        shown.extend(mask.end());
        shown
    }

    #[test]
    fn a_secret_is_found_wherever_it_is_cut() {
        const TOKEN: &str = "tok+en/7=\"x";
        for form in [
            "tok+en/7=\"x",
            "tok%2Ben%2F7%3D%22x",
            "tok%2ben%2f7%3d%22x",
            "tok+en\\/7=\\\"x",
            "dG9rK2VuLzc9Ing=",
        ] {
            let text = [b"a\xff\x00", form.as_bytes(), b"\xfez", form.as_bytes()].concat();
            for cut in 0..text.len() {
                let shown = masked(&[TOKEN], &[&text[..cut], &text[cut..]]);
                let shown = String::from_utf8_lossy(&shown).replace("***g=", "***");
                assert_eq!(shown, "a\u{fffd}\0***\u{fffd}z***", "{form} {cut}");
            }
        }
        let bytes: Vec<&[u8]> = TOKEN.as_bytes().chunks(1).collect();
        assert_eq!(masked(&[TOKEN], &bytes), b"***");
        assert_eq!(masked(&[TOKEN], &[b"tok+", b"en/", b"7="]), b"***");
        assert_eq!(masked(&[TOKEN], &[b"tok+e"]), b"tok+e");
        assert_eq!(masked(&["abcabd"], &[b"abcabcabd"]), b"abc***");
    }

    #[test]
    fn other_bytes_pass_as_they_are() {
        let bytes = (0..1_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8);
        let bytes: Vec<u8> = bytes.collect();
        let pieces: Vec<&[u8]> = bytes.chunks(4099).collect();
        assert!(masked(&["s3cret-token", "0b71c0de0b71c0de"], &pieces) == bytes);
    }
}
