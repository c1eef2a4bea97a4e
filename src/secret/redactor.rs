//! Blanks known secrets in texts of others, in every form a server may echo them in.

use std::cell::RefCell;
use std::collections::HashMap;
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use md5::Digest;
use zeroize::Zeroizing;

use super::escapes::{Reading, cut_at, readings};
use super::{BLANK, Secret, hex};

/// A secret shorter than this many bytes is blanked in texts of others only: in our own sentences it would
/// blank words that merely look like it.
const OWN_TEXT_MIN: usize = 4;

/// So far beyond what is shown of a text secrets are looked for: there is room for so much of one that stands
/// across the end, with every byte escaped more than once, that it is known by what is read of it.
const BEYOND: usize = 2048;

/// How many bytes of a text stand for one that is read, at most; so many may be cut off of an escape.
const ESCAPED_MAX: usize = 128;

/// Knows the secrets of this run and blanks them wherever they appear.
#[derive(Default)]
pub struct Redactor {
    known: RefCell<Known>,
}

impl Redactor {
    /// Knows nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// From here on `secret` is blanked. An empty one is ignored.
    pub fn learn(&self, secret: &Secret) {
        let mut known = self.known.borrow_mut();
        if !secret.expose().is_empty() && !known.secrets.contains(secret) {
            known.secrets.push(secret.clone());
        }
    }

    /// A text of others with every known secret blanked, and every beginning of one that a line's end cuts.
    pub fn foreign(&self, text: &str) -> String {
        self.blanked(text.to_owned())
    }

    /// Looks again until nothing is found, since a blank may lay open what stands beside it: of `%23` it leaves a `%`
    /// that begins no escape any more.
    fn blanked(&self, mut text: String) -> String {
        loop {
            let next = replace(
                &text,
                self.hits(
                    &text,
                    &Look {
                        min: 1,
                        cut: true,
                        goes_on: false,
                    },
                ),
            );
            if next == text {
                return text;
            }
            text = next;
        }
    }

    /// The first `shown` bytes of such a text. Of a secret that stands across the end nothing shows. However long
    /// the text and the secrets are, no more is looked at than a little beyond the end.
    pub fn foreign_start(&self, text: &str, shown: usize) -> String {
        let end = text.floor_char_boundary(shown);
        let window = text.floor_char_boundary(shown.saturating_add(BEYOND));
        let look = Look {
            min: 1,
            cut: true,
            goes_on: window < text.len(),
        };
        let mut hits = self.hits(&text[..window], &look);
        hits.retain(|hit| hit.start < end);
        if hits.is_empty() {
            return text[..end].to_owned();
        }
        hits.iter_mut().for_each(|hit| hit.end = hit.end.min(end));
        self.blanked(replace(&text[..end], hits))
    }

    /// A sentence of our own with every known secret blanked that is long enough not to be a common word.
    pub fn own(&self, text: &str) -> String {
        replace(
            text,
            self.hits(
                text,
                &Look {
                    min: OWN_TEXT_MIN,
                    cut: false,
                    goes_on: false,
                },
            ),
        )
    }

    /// Where the secrets stand.
    fn hits(&self, text: &str, look: &Look) -> Vec<Range<usize>> {
        let mut known = self.known.borrow_mut();
        known.index();
        let mut hits = Vec::new();
        if !known.needles.is_empty() {
            let spaces = known
                .secrets
                .iter()
                .any(|secret| secret.expose().contains(' '));
            let readings = readings(text, spaces);
            // A match that comes so far would go on where the text does.
            let open = if look.goes_on {
                text.len().saturating_sub(ESCAPED_MAX)
            } else {
                usize::MAX
            };
            readings
                .iter()
                .for_each(|reading| known.find(reading, look, open, &mut hits));
        }
        hits
    }
}

/// What to look for in a text.
struct Look {
    /// Secrets of at least so many bytes.
    min: usize,
    /// Also their beginnings that a line's end cuts.
    cut: bool,
    /// The text goes on behind what is looked at.
    goes_on: bool,
}

/// By so many bytes at most is a needle looked up, and so many of a secret that is cut tell too much of it. A batch
/// has thousands of them, and most are made of the same few digits: by one byte each place of a text would be
/// compared with hundreds.
const START: usize = 4;

/// The secrets, and an index of what to look for.
#[derive(Default)]
struct Known {
    secrets: Vec<Secret>,
    /// How many of the secrets the index knows: it is made when something is to be blanked, which most runs never do.
    indexed: usize,
    needles: Vec<Needle>,
    /// Places in `needles`, by the first [`START`] bytes, or by all of one that is shorter.
    by_start: [HashMap<[u8; START], Vec<usize>>; START],
    /// Whether a needle begins with a byte and goes on with another: most places are ruled out before anything is
    /// looked up.
    pairs: Vec<[bool; 256]>,
}

/// Something to look for, and how long the secret is that it stands for.
struct Needle {
    text: Zeroizing<Vec<u8>>,
    secret: usize,
    /// So many bytes of it are blanked where a line's end cuts it.
    cut: usize,
}

impl Known {
    /// Takes what has been learnt into the index.
    fn index(&mut self) {
        if self.indexed == self.secrets.len() {
            return;
        }
        self.pairs.resize(256, [false; 256]);
        for secret in &self.secrets[self.indexed..] {
            for (text, cut) in needles(secret.expose()) {
                let (length, start) = start(&text, START);
                match start {
                    [first, ..] if length == 1 => self.pairs[usize::from(first)].fill(true),
                    [first, second, ..] => {
                        self.pairs[usize::from(first)][usize::from(second)] = true
                    }
                }
                self.by_start[length - 1]
                    .entry(start)
                    .or_default()
                    .push(self.needles.len());
                self.needles.push(Needle {
                    text,
                    secret: secret.expose().len(),
                    cut,
                });
            }
        }
        self.indexed = self.secrets.len();
    }

    /// Adds where needles stand in a reading, and where one begins that is cut, or that comes as far as the place
    /// `open` of the text.
    fn find(&self, reading: &Reading<'_>, look: &Look, open: usize, hits: &mut Vec<Range<usize>>) {
        let bytes = reading.bytes();
        for at in 0..bytes.len() {
            let rest = &bytes[at..];
            if let [first, second, ..] = rest
                && !self.pairs[usize::from(*first)][usize::from(*second)]
            {
                continue;
            }
            for length in 1..=rest.len().min(START) {
                let places = self.by_start[length - 1].get(&start(rest, length).1);
                for needle in places
                    .into_iter()
                    .flatten()
                    .map(|place| &self.needles[*place])
                {
                    if needle.secret < look.min {
                        continue;
                    }
                    let alike = needle
                        .text
                        .iter()
                        .zip(rest)
                        .take_while(|(one, other)| one == other)
                        .count();
                    let told = |length: &usize| *length >= needle.cut;
                    let found = if alike == needle.text.len() {
                        Some(alike)
                    } else if reading.span(at + alike - 1).end >= open {
                        Some(alike).filter(told)
                    } else {
                        cut_at(rest, alike).filter(|length| look.cut && told(length))
                    };
                    if let Some(length) = found {
                        hits.push(reading.span(at).start..reading.span(at + length - 1).end);
                    }
                }
            }
        }
    }
}

/// The first bytes of a text that is not empty, `most` at most, and how many they are.
fn start(text: &[u8], most: usize) -> (usize, [u8; START]) {
    let length = text.len().min(most);
    let mut start = [0; START];
    start[..length].copy_from_slice(&text[..length]);
    (length, start)
}

/// `text` with the byte ranges replaced by [`BLANK`]; ranges that touch become one.
fn replace(text: &str, mut hits: Vec<Range<usize>>) -> String {
    hits.sort_by_key(|hit| (hit.start, hit.end));
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    let mut blanked_to = None;
    for hit in hits {
        if hit.start > at {
            out.push_str(&text[at..hit.start]);
            blanked_to = None;
        }
        if blanked_to.is_none() {
            out.push_str(BLANK);
        }
        at = at.max(hit.end);
        blanked_to = Some(at);
    }
    out.push_str(&text[at..]);
    out
}

/// What to look for: the secret itself, as it is and as a reading shows it whose escapes are undone to the end,
/// its hashes and its base64 forms. With each goes how much of it tells that it was cut: derived forms are many,
/// and any four digits begin one of them.
fn needles(secret: &str) -> Vec<(Zeroizing<Vec<u8>>, usize)> {
    let mut needles = vec![secret.as_bytes().to_vec()];
    for reading in readings(secret, false)
        .iter()
        .skip(1)
        .filter(|reading| !reading.bytes().is_empty())
    {
        needles.push(reading.bytes().to_vec());
    }
    let plain = needles.len();
    for hash in [
        hex(&md5::Md5::digest(secret.as_bytes())),
        hex(&sha1::Sha1::digest(secret.as_bytes())),
        hex(&sha2::Sha256::digest(secret.as_bytes())),
    ] {
        needles.push(hash.to_uppercase().into_bytes());
        needles.push(hash.into_bytes());
    }
    // A secret inside a longer base64 text stands at one of three offsets; the digits that share bits with
    // its neighbours are left out.
    for offset in 0..3usize {
        let mut padded = Zeroizing::new(vec![0u8; offset]);
        padded.extend_from_slice(secret.as_bytes());
        let from = (offset * 8).div_ceil(6);
        let to = padded.len() * 8 / 6;
        if to.saturating_sub(from) >= 6 {
            for engine in [&STANDARD_NO_PAD, &URL_SAFE_NO_PAD] {
                needles.push(Zeroizing::new(engine.encode(&padded)).as_bytes()[from..to].to_vec());
            }
        }
    }
    let cut = |at| if at < plain { START } else { 2 * START };
    needles
        .into_iter()
        .enumerate()
        .map(|(at, needle)| (Zeroizing::new(needle), cut(at)))
        .collect()
}

#[cfg(test)]
mod tests;
