//! Blanks secrets in bytes that come in pieces, wherever the pieces end.

use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use zeroize::Zeroizing;

use super::redactor::{OWN_TEXT_MIN, Redactor, in_base64};
use super::{BLANK, Secret, percent};

/// So much of a secret is blanked where the bytes end in the middle of it.
const CUT_MIN: usize = 8;

/// What has passed of a stream, as far as it must be known.
pub struct Mask<'a> {
    redactor: &'a Redactor,
    /// How many of the redactor's secrets `needles` knows: a long run learns more of them.
    learnt: usize,
    needles: Vec<Zeroizing<Vec<u8>>>,
    /// Whether a needle begins with this byte.
    starts: [bool; 256],
    /// The end of what has come, which may be the beginning of a secret.
    held: Zeroizing<Vec<u8>>,
}

impl<'a> Mask<'a> {
    pub fn new(redactor: &'a Redactor) -> Self {
        Self {
            redactor,
            learnt: 0,
            needles: Vec::new(),
            starts: [false; 256],
            held: Zeroizing::default(),
        }
    }

    /// What may be shown once `part` has come.
    pub fn pass(&mut self, part: &[u8]) -> Vec<u8> {
        for secret in self.redactor.learnt_since(self.learnt) {
            self.learnt += 1;
            for needle in forms(&secret) {
                self.starts[usize::from(needle[0])] = true;
                self.needles.push(needle);
            }
        }
        self.held.extend_from_slice(part);
        self.blank(false)
    }

    /// What is left at the end.
    pub fn end(mut self) -> Vec<u8> {
        self.blank(true)
    }

    /// Blanks what is held, up to where more bytes may complete a secret; once all has `ended`, a long beginning too.
    fn blank(&mut self, ended: bool) -> Vec<u8> {
        let (mut shown, mut at, mut plain) = (Vec::new(), 0, 0);
        while at < self.held.len() {
            let rest = &self.held[at..];
            if !self.starts[usize::from(rest[0])] {
                at += 1;
                continue;
            }
            let (mut longer, whole) = (self.needles.iter(), self.needles.iter());
            let cut = longer.any(|form| form.len() > rest.len() && form.starts_with(rest));
            if cut && !ended {
                break;
            }
            let whole = whole.filter(|needle| rest.starts_with(needle));
            let hit = match cut && rest.len() >= CUT_MIN {
                true => Some(rest.len()),
                false => whole.map(|needle| needle.len()).max(),
            };
            if let Some(length) = hit {
                shown.extend_from_slice(&self.held[plain..at]);
                shown.extend_from_slice(BLANK.as_bytes());
                plain = at + length;
            }
            at += hit.unwrap_or(1);
        }
        shown.extend_from_slice(&self.held[plain..at]);
        self.held = self.held[at..].to_vec().into();
        shown
    }
}

/// A secret as it is, and as it stands in URLs, in JSON, in HTML and in base64.
fn forms(secret: &Secret) -> Vec<Zeroizing<Vec<u8>>> {
    let text = secret.expose();
    let json = serde_json::Value::from(text).to_string();
    let json = json[1..json.len() - 1].to_owned();
    let mut html = text.replace('&', "&amp;").replace('"', "&quot;");
    html = html.replace('<', "&lt;").replace('>', "&gt;");
    let upper = percent(text);
    let mut parts = upper.split('%');
    let mut lower = parts.next().unwrap_or_default().to_owned();
    parts.for_each(|part| lower.extend(["%", &part[..2].to_lowercase(), &part[2..]]));
    let slashes = json.replace('/', "\\/");
    let mut forms: Vec<Zeroizing<Vec<u8>>> = [text.to_owned(), json, slashes, html, upper, lower]
        .map(|form| form.into_bytes().into())
        .into();
    for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
        let inside = (0..3).map(|offset| in_base64(engine, text.as_bytes(), offset));
        forms.extend(inside.map(|digits| digits.as_bytes().to_vec().into()));
    }
    forms.retain(|form| form.len() >= OWN_TEXT_MIN);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn masked(secrets: &[&str], pieces: &[&[u8]]) -> Vec<u8> {
        let redactor = Redactor::default();
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
        let escaped = "tok%2Ben%2F7%3D%22x tok%2ben%2f7%3d%22x tok+en\\/7=\\\"x dG9rK2VuLzc9Ing=";
        for form in escaped.split(' ').chain([TOKEN]) {
            let text = [b"a\xff\x00", form.as_bytes(), b"\xfez", form.as_bytes()].concat();
            for cut in 0..text.len() {
                let shown = masked(&[TOKEN], &[&text[..cut], &text[cut..]]);
                let shown = String::from_utf8_lossy(&shown).replace("***g=", "***");
                assert_eq!(shown, "a\u{fffd}\0***\u{fffd}z***", "{form} {cut}");
            }
        }
        // One that begins another one.
        let two = ["token", "token-and-more"];
        for (secrets, pieces, shown) in [
            (&[TOKEN][..], "t|o|k|+|e|n|/|7|=|\"|x", "***"),
            (&[TOKEN], "tok+|en/|7=", "***"),
            (&[TOKEN], "tok+e", "tok+e"),
            (&["abcabd"], "abcabcabd", "abc***"),
            (&two, "a token|-and-more b", "a *** b"),
            (&two, "a token|-an b", "a ***-an b"),
            (&two, "a token|-a", "a ***-a"),
        ] {
            let pieces: Vec<&[u8]> = pieces.split('|').map(str::as_bytes).collect();
            assert_eq!(masked(secrets, &pieces), shown.as_bytes());
        }
    }
}
