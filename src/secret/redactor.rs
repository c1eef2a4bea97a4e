//! Blanks known secrets in texts of others, in every form a server may echo them in.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::iter::successors;
use std::ops::Bound::{Excluded, Included, Unbounded};
use std::ops::Range;

use base64::Engine;
use base64::engine::general_purpose::{GeneralPurpose, STANDARD_NO_PAD};
use md5::Digest;
use ring::digest::{SHA1_FOR_LEGACY_USE_ONLY, SHA256, SHA512, digest};
use zeroize::{Zeroize, Zeroizing};

use super::decoders::{find_in_readings, unaccented, windows_1252};
use super::foreign::printable;
use super::{BLANK, Secret, hex};

/// A shorter secret is blanked in texts of others only: our own sentences may have words that merely look like it.
pub(super) const OWN_TEXT_MIN: usize = 4;

/// The beginning of a secret that tells too much of it if a line's end cuts it, and the beginning of a hash: any four
/// digits begin one of the thousands that a batch has.
const CUT_MIN: usize = 4;
const CUT_DIGITS_MIN: usize = 8;

/// The part of a secret that tells too much of it wherever it stands.
const LONG: usize = 1024;

/// Another form of a secret must be so long: a shorter one may stand in a text by chance. Tokens are too long to be
/// respelled, and a hash is known by its first digits.
const FORM_MIN: usize = 6;
const SPELLING_MAX: usize = 256;
const DIGITS_MAX: usize = 24;

/// No hash is shorter than this, and no encoding that [`DIGITS_MAX`] cuts.
const DIGITS_MIN: usize = 20;

/// The longest escape that the end of a text may cut.
const ESCAPE_MAX: usize = 12;

/// How many of the latest secrets a new one is compared with before it is looked for among all.
const LATEST: usize = 8;

/// A text that still contains secrets after so many rounds is not shown.
const ROUNDS: usize = 32;

/// Knows the secrets of this run and blanks them wherever they appear.
#[derive(Default)]
pub struct Redactor(RefCell<Known>);

impl Redactor {
    /// Blanks `secret` from now on. An empty one is ignored.
    pub fn learn(&self, secret: &Secret) {
        let known = &mut *self.0.borrow_mut();
        // A session is named again with each request.
        let mut latest = known.secrets.iter().rev().take(LATEST);
        if latest.any(|known| known.expose() == secret.expose()) {
            return;
        }
        let needle = folded(secret.expose());
        if !needle.is_empty() && !matches!(known.needles.get(&*needle), Some(Kind::Secret(_))) {
            known.add(&needle, Kind::Secret(known.secrets.len()));
            known.secrets.push(secret.clone());
            known.undigested.push(secret.clone());
        }
    }

    /// What has been learnt after so many secrets.
    pub(super) fn learnt_since(&self, before: usize) -> Vec<Secret> {
        self.0.borrow().secrets[before..].to_vec()
    }

    /// Blanks every known secret in a text of others, and every beginning of one that a line's end cuts.
    pub fn foreign(&self, text: &str) -> String {
        self.blank(text, false)
    }

    /// Blanks every known secret in a sentence of our own, unless it is so short that it may be a common word.
    pub fn own(&self, text: &str) -> String {
        self.blank(text, true)
    }

    /// Blanks what can be read in a text. Escapes that must be undone to read a secret are undone in the whole text.
    fn blank(&self, text: &str, own: bool) -> String {
        let known = &mut *self.0.borrow_mut();
        known.index(text.len(), own);
        let mut text = text.to_owned();
        for _ in 0..ROUNDS {
            // Another reading may show a whole secret where this one shows only a spelling or a beginning.
            let mut later = [None, None];
            let first = find_in_readings(&text, |reading| {
                let [secrets, spellings, beginnings] = known.find(reading, own);
                let others = [spellings, beginnings].into_iter().filter(|_| !own);
                for (later, hits) in later.iter_mut().zip(others) {
                    *later = later.take().or_else(|| blanked(reading, hits));
                }
                blanked(reading, secrets)
            });
            match first.or_else(|| later.into_iter().flatten().next()) {
                Some(blanked) => text = blanked,
                None => return text,
            }
        }
        BLANK.to_owned()
    }
}

#[derive(Default)]
struct Known {
    secrets: Vec<Secret>,
    /// How many secrets have their other spellings among the needles: most runs have nothing to blank.
    spelled: usize,
    /// The secrets whose hashes and encodings are not among the needles.
    undigested: Vec<Secret>,
    /// Everything to look for, folded. It is sorted, so that a text is compared with its neighbours only.
    needles: BTreeMap<Vec<u8>, Kind>,
    /// A bit for each hash of a needle's first bytes: it rules out most places of a text.
    heads: Vec<u64>,
    /// Whether a needle is too short to have such a hash.
    headless: bool,
}

#[derive(Clone, Copy)]
enum Kind {
    /// The secret of this number
    Secret(usize),
    /// Digits of a hash or an encoding
    Digits,
    /// Another spelling of a secret
    Spelling,
}

impl Drop for Known {
    fn drop(&mut self) {
        let needles = std::mem::take(&mut self.needles);
        needles.into_keys().for_each(|mut needle| needle.zeroize());
    }
}

impl Known {
    /// Makes the forms that a text of `length` bytes may hold: encodings are as long, our own texts hold no spelling.
    fn index(&mut self, length: usize, own: bool) {
        while let Some(secret) = self.secrets.get(self.spelled).filter(|_| !own).cloned() {
            self.spelled += 1;
            self.add_all(&spellings(secret.expose()), Kind::Spelling);
        }
        let least = |secret: &Secret| secret.expose().len().clamp(FORM_MIN, DIGITS_MIN);
        let fits = |secret: &mut Secret| length >= least(secret);
        for secret in self.undigested.extract_if(.., fits).collect::<Vec<_>>() {
            self.add_all(&digits(secret.expose()), Kind::Digits);
        }
    }

    fn add_all(&mut self, forms: &[Zeroizing<String>], kind: Kind) {
        forms.iter().for_each(|form| self.add(&folded(form), kind));
    }

    fn add(&mut self, needle: &[u8], kind: Kind) {
        let is_secret = matches!(kind, Kind::Secret(_));
        if !is_secret && (needle.len() < FORM_MIN || self.needles.contains_key(needle)) {
            return;
        }
        if self.heads.is_empty() {
            self.heads = vec![0; 1 << (HEAD_BITS - 6)];
        }
        match head(needle) {
            Some((word, bit)) => self.heads[word] |= bit,
            None => self.headless = true,
        }
        self.needles.insert(needle.to_vec(), kind);
    }

    /// Finds secrets with their hashes and encodings, other spellings, and beginnings that the end of a line cuts.
    fn find(&self, text: &str, own: bool) -> [Vec<Range<usize>>; 3] {
        let is_digit = |byte: &&u8| byte.is_ascii_alphanumeric() || b"+/=".contains(byte);
        let mut hits = [const { Vec::new() }; 3];
        let folded = folded(text);
        let mut at = 0;
        while at < folded.len() {
            let rest = &folded[at..];
            let mut next = at + 1;
            for (needle, kind) in self.near(rest) {
                let same = alike(needle, rest);
                let fits = match kind {
                    Kind::Secret(number) => !own || self.is_own(*number, &text.as_bytes()[at..]),
                    Kind::Spelling => !own,
                    Kind::Digits => true,
                };
                let (is_digits, mut end) = (matches!(kind, Kind::Digits), at + same);
                if fits && same == needle.len() || same >= LONG {
                    next = if same < LONG { next } else { end };
                    if is_digits {
                        end += rest[same..].iter().take_while(is_digit).count();
                    }
                    hits[usize::from(matches!(kind, Kind::Spelling))].push(at..end);
                    break;
                }
                let cut_min = if is_digits { CUT_DIGITS_MIN } else { CUT_MIN };
                let cut = cut_at(rest, same);
                if cut >= cut_min {
                    hits[2].push(at..at + cut);
                }
            }
            at = next;
        }
        hits
    }

    /// The needles that may have most in common with a text's start, with all that it begins with, the longest first.
    fn near(&self, text: &[u8]) -> impl Iterator<Item = (&Vec<u8>, &Kind)> {
        // Fewer bytes than a head has are the beginning of nothing that tells too much.
        let word_of = |(word, bit)| Some(self.heads.get(word)? & bit).filter(|bits| *bits != 0);
        let may_start = self.headless || head(text).and_then(word_of).is_some();
        let needles = &self.needles;
        let up_to = move |end: usize| {
            let before = (Unbounded, Included(&text[..end]));
            needles.range::<[u8], _>(before).next_back()
        };
        let first = may_start.then(|| up_to(text.len())).flatten();
        // A beginning of the text sorts before it, and so does a beginning of that.
        let before = successors(first, move |(needle, _)| {
            up_to(alike(needle, text).min(needle.len() - 1))
        });
        let after = || needles.range::<[u8], _>((Excluded(text), Unbounded)).next();
        before.chain(may_start.then(after).flatten())
    }

    /// Whether a sentence of ours contains this secret here, in the same case, and not a common word.
    fn is_own(&self, number: usize, text: &[u8]) -> bool {
        let secret = self.secrets[number].expose();
        secret.len() >= OWN_TEXT_MIN && text.starts_with(secret.as_bytes())
    }
}

/// Returns the word and the bit of [`Known::heads`] for the first bytes of a text.
fn head(text: &[u8]) -> Option<(usize, u64)> {
    let first = u32::from_le_bytes(*text.first_chunk()?);
    let hash = first.wrapping_mul(0x9e37_79b1) >> (32 - HEAD_BITS);
    Some((hash as usize / 64, 1 << (hash % 64)))
}

const HEAD_BITS: u32 = 18;

fn alike(one: &[u8], other: &[u8]) -> usize {
    let chunks = one.chunks_exact(64).zip(other.chunks_exact(64));
    let same = 64 * chunks.take_while(|(one, other)| one == other).count();
    let rest = one[same..].iter().zip(&other[same..]);
    same + rest.take_while(|(one, other)| one == other).count()
}

/// Returns how many of the first `alike` bytes of a text stand before the end of its line, or 0 if the line continues.
/// Dots may show that it was cut, and the end of the text may cut an escape.
fn cut_at(text: &[u8], alike: usize) -> usize {
    let rest = &text[alike..];
    let mut ends = ["\n", "\r", "...", "\u{2026}"].iter();
    if rest.is_empty() || ends.any(|end| rest.starts_with(end.as_bytes())) {
        return alike;
    }
    let mut begun = text[..=alike].iter();
    let escape = begun.rposition(|byte| b"%\\&".contains(byte));
    let is_cut = |escape: &usize| text.len() - escape < ESCAPE_MAX;
    escape.filter(is_cut).unwrap_or(0)
}

/// Replaces the ranges of a text by [`BLANK`]; ranges that touch become one. Returns `None` if that changes nothing.
fn blanked(text: &str, mut hits: Vec<Range<usize>>) -> Option<String> {
    if hits.is_empty() {
        return None;
    }
    hits.sort_by_key(|hit| hit.start);
    let (mut out, mut done) = (String::with_capacity(text.len()), 0);
    for hit in hits {
        if out.is_empty() || hit.start > done {
            out.push_str(&text[done..hit.start]);
            out.push_str(BLANK);
        }
        done = done.max(text.ceil_char_boundary(hit.end));
    }
    out.push_str(&text[done..]);
    Some(out).filter(|blanked| *blanked != text)
}

/// A secret as servers spell it that cannot echo it byte for byte, and as it reads if parts are taken for escapes.
fn spellings(secret: &str) -> Vec<Zeroizing<String>> {
    if secret.len() > SPELLING_MAX {
        return Vec::new();
    }
    let mut all = vec![printable(secret)];
    find_in_readings(secret, |reading| {
        all.push(reading.to_owned());
        None::<()>
    });
    // ASCII is the same in all character sets.
    if !secret.is_ascii() {
        all.extend(misread(secret));
    }
    all.into_iter().map(Zeroizing::new).collect()
}

/// Spells a secret as a server does that has or takes another character set.
fn misread(secret: &str) -> Vec<String> {
    let mut all = vec![
        secret.to_lowercase(),
        secret.to_uppercase(),
        secret.chars().map(unaccented).collect(),
        // UTF-8 that was read as Latin-1.
        secret.bytes().map(char::from).collect(),
        secret.bytes().map(windows_1252).collect(),
    ];
    // What a character set lacks becomes a mark, for each character, each unit of UTF-16 or each byte.
    let sets: [fn(char) -> bool; 3] = [
        |c| c.is_ascii(),
        |c| c <= '\u{ff}',
        |c| (0..=255).any(|byte| windows_1252(byte) == c),
    ];
    let counts: [fn(char) -> usize; 3] = [|_| 1, char::len_utf16, char::len_utf8];
    for (has, count) in sets.iter().flat_map(|has| counts.map(|count| (has, count))) {
        for mark in ["?", "\u{fffd}"] {
            let marked = secret.chars().map(|c| match has(c) {
                true => c.to_string(),
                false => mark.repeat(count(c)),
            });
            all.push(marked.collect());
        }
    }
    all
}

/// Returns the first digits of the hashes and the encodings of a secret.
fn digits(secret: &str) -> Vec<Zeroizing<String>> {
    let bytes = secret.as_bytes();
    let start = &bytes[..bytes.len().min(DIGITS_MAX)];
    let units = secret.encode_utf16().take(DIGITS_MAX);
    let wide: Zeroizing<Vec<u8>> = Zeroizing::new(units.flat_map(u16::to_le_bytes).collect());
    let mut all = vec![hex(start), hex(&wide)];
    let of_ring = |algorithm| digest(algorithm, bytes).as_ref().to_vec();
    let hashes = [&SHA1_FOR_LEGACY_USE_ONLY, &SHA256, &SHA512].map(of_ring);
    for hash in hashes.into_iter().chain([md5::Md5::digest(bytes).to_vec()]) {
        all.extend([hex(&hash), STANDARD_NO_PAD.encode(hash)]);
    }
    for (offset, bytes) in (0..3).flat_map(|offset| [(offset, start), (offset, &wide)]) {
        all.push(in_base64(&STANDARD_NO_PAD, bytes, offset).to_string());
    }
    all.iter_mut().for_each(|form| form.truncate(DIGITS_MAX));
    all.into_iter().map(Zeroizing::new).collect()
}

/// The digits of bytes in a longer base64 text, `offset` bytes after a group's start, without those shared with others.
pub(super) fn in_base64(engine: &GeneralPurpose, bytes: &[u8], offset: usize) -> Zeroizing<String> {
    let padded = Zeroizing::new([&[0; 2][..offset], bytes].concat());
    let mut digits = engine.encode(&padded);
    digits.truncate(padded.len() * 8 / 6);
    let shared = (offset * 8).div_ceil(6).min(digits.len());
    digits.replace_range(..shared, "");
    digits.into()
}

fn folded(text: &str) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(text.bytes().map(fold).collect())
}

/// Makes one of the two cases of a letter, and of the two alphabets of base64.
fn fold(byte: u8) -> u8 {
    match byte {
        b'-' => b'+',
        b'_' => b'/',
        byte => byte.to_ascii_lowercase(),
    }
}

#[cfg(test)]
mod tests;
