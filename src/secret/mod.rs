//! Values that must not be seen: a type that cannot print itself, encoders, and the redactor of texts of others.

mod decoders;
pub mod foreign;
mod mask;
mod redactor;

use std::fmt;
use std::sync::Arc;

use md5::Digest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use decoders::windows_1252;
pub use mask::Mask;
pub use redactor::Redactor;

/// What stands where a secret stood.
pub const BLANK: &str = "***";

/// Keeps this process's memory out of core dumps, and from other processes of the same user, where the kernel can. A
/// command that is started gets its own memory's default back, which a limit on the size of dumps would not allow.
pub fn undumpable() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// A text nobody may see: no `Display`, a blank `Debug`, and memory, shared by clones, that the last of them wipes.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(Arc<Zeroizing<String>>);

impl Secret {
    /// Takes ownership of `text`; an empty text is allowed.
    pub fn new(text: String) -> Self {
        Self(Arc::new(Zeroizing::new(text)))
    }

    /// The text itself: the one way to read it, so that `grep expose` finds every reader.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(***)")
    }
}

/// One path segment or query value, percent-encoded so that it stays one: all but RFC 3986's unreserved characters.
pub fn percent(text: &str) -> String {
    const MARKS: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.');
    const RESERVED: &AsciiSet = &MARKS.remove(b'_').remove(b'~');
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether a field of that name, English or Portuguese, has a token (not its type), a session, a password or a key.
pub fn names_secret(name: &str) -> bool {
    const PARTS: &str = "token secret passw passphrase pwd accesskey apikey privatekey credential cookie bearer \
        authorization sessionid sessionname senha segredo chave credencia sessao autorizacao jwt";
    const WHOLE: &[&str] = &["pass", "key", "auth", "sid", "pin", "otp", "session"];
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let plain = letters.flat_map(char::to_lowercase).map(|c| match c {
        'ã' | 'á' => 'a',
        'ç' => 'c',
        c => c,
    });
    let plain: String = plain.collect();
    let letters = plain.as_bytes();
    let has = |part: &str| letters.windows(part.len()).any(|at| at == part.as_bytes());
    let is_one = WHOLE.contains(&plain.as_str()) || plain.ends_with("pass");
    !plain.ends_with("tokentype") && (is_one || PARTS.split(' ').any(has))
}

/// Lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    let digit = |half| char::from(b"0123456789abcdef"[usize::from(half)]);
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves.map(digit).collect()
}

/// MD5 of the parts one after the other, 32 lower-case hex digits.
pub fn md5_hex(parts: &[&str]) -> Secret {
    let mut hash = md5::Md5::new();
    parts.iter().for_each(|part| hash.update(part));
    Secret::new(hex(&hash.finalize()))
}

/// SHA-256 of `text`, 64 lower-case hex digits.
pub fn sha256_hex(text: &str) -> Secret {
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    Secret::new(hex(hash.as_ref()))
}

/// A request body under construction, fields in the order given; each secret one goes to the redactor with it.
#[derive(Default)]
pub struct Fields {
    fields: Vec<(&'static str, Secret)>,
    pub secrets: Vec<Secret>,
}

impl Fields {
    /// Adds a field that anybody may see.
    #[must_use]
    pub fn text(mut self, name: &'static str, value: &str) -> Self {
        self.fields.push((name, Secret::new(value.to_owned())));
        self
    }

    /// Adds a secret field.
    #[must_use]
    pub fn secret(mut self, name: &'static str, value: &Secret) -> Self {
        self.fields.push((name, value.clone()));
        self.secrets.push(value.clone());
        self
    }

    /// The body as `application/x-www-form-urlencoded`, spaces as `+`.
    pub fn form(&self) -> Secret {
        let mut body = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.fields {
            body.append_pair(name, value.expose());
        }
        Secret::new(body.finish())
    }

    /// The body as one JSON object of strings.
    pub fn json(&self) -> Secret {
        let member = |(name, value): &(&str, Secret)| ((*name).to_owned(), value.expose().into());
        let object: Map<String, Value> = self.fields.iter().map(member).collect();
        Secret::new(Value::Object(object).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_known_by_its_name() {
        let secret = "temporaryToken refresh_token Access_Token Senha SENHA_USUARIO pwd userPass pass Passwd PasswordHash \
            chave chaveAcesso Credencial credenciais credentials cookie Set-Cookie jwt id_jwt sessionId session_id IDSessao \
            sess\u{e3}o authorization bearer client_secret segredo apiKey key accessKey auth";
        let public = " token_type TokenType userId username expires_in scope passo passageiro keyword author side version codigo";
        for (names, is_secret) in [(secret, true), (public, false)] {
            for name in names.split(' ') {
                assert_eq!(names_secret(name), is_secret, "{name}");
            }
        }
    }

    #[test]
    fn a_secret_cannot_print_itself() {
        let printed = format!("{:?}", Secret::new("hunter2".into()));
        assert_eq!(printed, "Secret(***)");
    }
}
