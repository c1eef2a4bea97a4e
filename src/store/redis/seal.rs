//! Sealing: what leaves this machine is unreadable without the key from the settings, of which each use derives its own.
//!
//! A sealed text is XChaCha20-Poly1305 with a random nonce: a version byte, 24 bytes of nonce, the text, and 16 bytes
//! that authenticate it. They cover its purpose too, so that no sealed text can be put in another's place.

use std::cmp::Ordering;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::{Result, error};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, hex};
use crate::store::{KEY_LENGTH, NAME_LENGTH, hmac};

/// The form that this program seals in.
const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;
/// Texts are padded with spaces to a multiple of so many bytes, so that their length tells little.
const BLOCK: usize = 256;

/// Why something sealed cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Broken {
    /// Its form is newer than this program.
    Newer,
    /// It was sealed with another key, for something else, or was changed.
    NotOurs,
}

/// The keys of a store.
pub struct Keys {
    cipher: XChaCha20Poly1305,
    names: Zeroizing<[u8; KEY_LENGTH]>,
    prints: Zeroizing<[u8; KEY_LENGTH]>,
}

impl Keys {
    /// Takes 32 bytes in base64, with or without `=` at the end. The message of an error begins with a verb.
    pub fn new(key: &Secret) -> Result<Self> {
        let bad = || error!(BadSetting, "is no key: it needs 32 bytes in base64").hint(make_key());
        let text = key.expose().trim();
        let bytes = STANDARD
            .decode(text)
            .or_else(|_| STANDARD_NO_PAD.decode(text))
            .map_err(|_| bad())?;
        let bytes = Zeroizing::new(bytes);
        let key: &[u8; KEY_LENGTH] = bytes.as_slice().try_into().map_err(|_| bad())?;
        let below = |label: &str| Zeroizing::new(hmac(key, label.as_bytes()));
        Ok(Self {
            cipher: XChaCha20Poly1305::new((&*below("crmauth store 1: seal")).into()),
            names: below("crmauth store 1: names"),
            prints: below("crmauth store 1: prints"),
        })
    }

    /// A name that tells nothing about what it names.
    pub fn name(&self, of: &str) -> String {
        hex(&hmac(&self.names, of.as_bytes())[..NAME_LENGTH / 2])
    }

    /// A secret's fingerprint, equal on every machine with this key.
    pub fn fingerprint(&self, secret: &Secret) -> String {
        hex(&hmac(&self.prints, secret.expose().as_bytes()))
    }

    pub fn seal(&self, text: &[u8], purpose: &str) -> Result<Vec<u8>> {
        let failed = || error!(Other, "the session could not be sealed");
        let mut filled = Zeroizing::new(Vec::with_capacity(text.len() + BLOCK));
        filled.extend_from_slice(text);
        filled.resize(text.len().next_multiple_of(BLOCK), b' ');
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let payload = Payload {
            msg: &filled,
            aad: &authenticated(purpose),
        };
        let body = self
            .cipher
            .encrypt(&XNonce::from(nonce), payload)
            .map_err(|_| failed())?;
        Ok([&[VERSION], &nonce[..], &body].concat())
    }

    /// The text that was sealed for a purpose, with its padding.
    pub fn open(
        &self,
        sealed: &[u8],
        purpose: &str,
    ) -> std::result::Result<Zeroizing<Vec<u8>>, Broken> {
        let (version, rest) = sealed.split_first().ok_or(Broken::NotOurs)?;
        match version.cmp(&VERSION) {
            Ordering::Greater => return Err(Broken::Newer),
            Ordering::Less => return Err(Broken::NotOurs),
            Ordering::Equal => {}
        }
        let (nonce, body) = rest
            .split_first_chunk::<NONCE_LENGTH>()
            .ok_or(Broken::NotOurs)?;
        let payload = Payload {
            msg: body,
            aad: &authenticated(purpose),
        };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        opened.map(Zeroizing::new).map_err(|_| Broken::NotOurs)
    }
}

/// A hint for those who have no key.
pub fn make_key() -> Text {
    tr!("`openssl rand -base64 32` makes one; every machine that shares the store needs the same")
}

/// The version is authenticated too, so that nobody can make one form look like another.
fn authenticated(purpose: &str) -> Vec<u8> {
    [&[VERSION], purpose.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Cause;

    fn keys(byte: u8) -> Keys {
        Keys::new(&Secret::new(STANDARD.encode([byte; 32]))).expect("a key")
    }

    #[test]
    fn what_is_sealed_is_opened_by_its_key_for_its_purpose_alone() {
        let sealed = keys(1).seal(b"{\"a\":1}", "x").expect("sealed");
        let opened = keys(1).open(&sealed, "x").expect("opened");
        assert_eq!(opened.trim_ascii_end(), b"{\"a\":1}");
        assert_eq!(keys(2).open(&sealed, "x").err(), Some(Broken::NotOurs));
        assert_eq!(keys(1).open(&sealed, "y").err(), Some(Broken::NotOurs));
        for at in 0..sealed.len() {
            let mut changed = sealed.clone();
            changed[at] ^= 1;
            assert!(keys(1).open(&changed, "x").is_err(), "{at}");
            assert!(keys(1).open(&sealed[..at], "x").is_err(), "{at}");
        }
        let mut newer = sealed;
        newer[0] = VERSION + 1;
        assert_eq!(keys(1).open(&newer, "x").err(), Some(Broken::Newer));
        let again = || keys(1).seal(b"a", "x").expect("sealed");
        assert_ne!(again(), again(), "the nonce is new");
        let length = |text: &[u8]| keys(1).seal(text, "x").expect("sealed").len();
        assert_eq!(length(b"a"), length(&[b'a'; BLOCK]), "lengths tell little");
    }

    #[test]
    fn names_and_prints_are_under_keys_of_their_own() {
        let (one, other) = (keys(1), keys(2));
        let secret = Secret::new("x".to_owned());
        assert_eq!(one.name("x").len(), 32);
        assert_ne!(one.name("x"), other.name("x"));
        assert_ne!(one.fingerprint(&secret), other.fingerprint(&secret));
        assert!(!one.fingerprint(&secret).starts_with(&one.name("x")));
    }

    #[test]
    fn what_is_no_key() {
        let text = STANDARD_NO_PAD.encode([7; 32]);
        assert!(Keys::new(&Secret::new(format!(" {text}\n"))).is_ok());
        for text in [
            "",
            "x",
            "not base64!",
            &STANDARD.encode([7; 31]),
            &STANDARD.encode([7; 33]),
        ] {
            let error = Keys::new(&Secret::new(text.to_owned()))
                .err()
                .expect("no key");
            assert_eq!(error.cause, Cause::BadSetting, "{text}");
        }
    }

    /// The vectors of draft-irtf-cfrg-xchacha-03, A.3.1, hold for the cipher; ours must be that cipher with what
    /// stands before the body as its nonce.
    #[test]
    fn the_cipher_is_the_one_that_others_know() {
        let key: [u8; 32] = std::array::from_fn(|at| 0x80 + u8::try_from(at).expect("small"));
        let nonce: [u8; 24] = std::array::from_fn(|at| 0x40 + u8::try_from(at).expect("small"));
        let aad = [
            0x50, 0x51, 0x52, 0x53, 0xc0, 0xc1, 0xc2, 0xc3, 0xc4, 0xc5, 0xc6, 0xc7,
        ];
        let text =
            b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, \
            sunscreen would be it.";
        let cipher = XChaCha20Poly1305::new_from_slice(&key).expect("a key");
        let body = cipher
            .encrypt(
                &XNonce::from(nonce),
                Payload {
                    msg: text,
                    aad: &aad,
                },
            )
            .expect("sealed");
        assert_eq!(hex(&body[..8]), "bd6d179d3e83d43b");
        assert_eq!(
            hex(&body[body.len() - 16..]),
            "c0875924c1c7987947deafd8780acf49"
        );
    }
}
