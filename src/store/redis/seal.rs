//! Sealing: what leaves this machine is unreadable without the key from the settings, of which each use derives its own.
//!
//! A sealed text is XChaCha20-Poly1305 with a random nonce: a version byte, 24 bytes of nonce, the text, and 16 bytes
//! that authenticate it. They cover its purpose too, so that no sealed text can be put in another's place.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use chacha20poly1305::aead::{Aead, Payload};
use chacha20poly1305::{KeyInit, XChaCha20Poly1305, XNonce};
use zeroize::Zeroizing;

use crate::error::{Result, error};
use crate::i18n::{Text, tr};
use crate::secret::{Secret, hex};
use crate::store::{KEY_LENGTH, NAME_LENGTH, hmac};

const VERSION: u8 = 1;
const NONCE_LENGTH: usize = 24;
/// Texts are padded with spaces to a multiple of so many bytes, so that their length tells little.
const BLOCK: usize = 256;

pub struct Keys {
    cipher: XChaCha20Poly1305,
    names: Zeroizing<[u8; KEY_LENGTH]>,
    prints: Zeroizing<[u8; KEY_LENGTH]>,
}

impl Keys {
    /// Takes 32 bytes in base64, with or without `=` at the end. The message of an error begins with a verb.
    pub fn new(key: &Secret) -> Result<Self> {
        let bad =
            || error!(BadSetting: "is not a key: it must be 32 bytes in base64").hint(make_key());
        let text = key.expose().trim();
        let padded = STANDARD.decode(text);
        let bytes = padded.or_else(|_| STANDARD_NO_PAD.decode(text));
        let bytes = Zeroizing::new(bytes.map_err(|_| bad())?);
        let key: &[u8; KEY_LENGTH] = bytes.as_slice().try_into().map_err(|_| bad())?;
        let below = |label: &str| Zeroizing::new(hmac(key, label.as_bytes()));
        Ok(Self {
            cipher: XChaCha20Poly1305::new((&*below("crmauth store 1: seal")).into()),
            names: below("crmauth store 1: names"),
            prints: below("crmauth store 1: prints"),
        })
    }

    pub fn name(&self, of: &str) -> String {
        hex(&hmac(&self.names, of.as_bytes())[..NAME_LENGTH / 2])
    }

    /// A secret's fingerprint, equal on every machine with this key.
    pub fn fingerprint(&self, secret: &Secret) -> String {
        hex(&hmac(&self.prints, secret.expose().as_bytes()))
    }

    pub fn seal(&self, text: &[u8], purpose: &str) -> Result<Vec<u8>> {
        let failed = || error!(Other: "the session could not be encrypted");
        let mut filled = Zeroizing::new(Vec::with_capacity(text.len() + BLOCK));
        filled.extend_from_slice(text);
        filled.resize(text.len().next_multiple_of(BLOCK), b' ');
        let mut nonce = [0; NONCE_LENGTH];
        getrandom::fill(&mut nonce).map_err(|_| failed())?;
        let (msg, aad) = (&filled[..], &authenticated(purpose)[..]);
        let payload = Payload { msg, aad };
        let body = self.cipher.encrypt(&XNonce::from(nonce), payload);
        let body = body.map_err(|_| failed())?;
        Ok([&[VERSION], &nonce[..], &body].concat())
    }

    /// The text with its padding. `None`: it was changed, or sealed with another key or version, or for something else.
    pub fn open(&self, sealed: &[u8], purpose: &str) -> Option<Zeroizing<Vec<u8>>> {
        let (&VERSION, rest) = sealed.split_first()? else {
            return None;
        };
        let (nonce, msg) = rest.split_first_chunk::<NONCE_LENGTH>()?;
        let aad = &authenticated(purpose)[..];
        let payload = Payload { msg, aad };
        let opened = self.cipher.decrypt(&XNonce::from(*nonce), payload);
        opened.map(Zeroizing::new).ok()
    }
}

pub fn is_newer(sealed: &[u8]) -> bool {
    sealed.first() > Some(&VERSION)
}

pub fn make_key() -> Text {
    tr!("`openssl rand -base64 32` makes one; every machine that shares the store needs the same")
}

/// The version is authenticated too, so that nobody can make one form look like another.
fn authenticated(purpose: &str) -> Vec<u8> {
    [&[VERSION], purpose.as_bytes()].concat()
}
