//! Values that must not be seen: a type that cannot print itself, encoders that keep what they write
//! secret, and the redactor that blanks known secrets in texts of others.

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

/// Keeps this process's memory out of core dumps, and from being read by other processes of the same user. What a
/// kernel does not offer is done without. A command that is started gets its own memory's default back, which a
/// limit on the size of dumps would not allow.
pub fn undumpable() {
    #[cfg(target_os = "linux")]
    let _ = rustix::process::set_dumpable_behavior(rustix::process::DumpableBehavior::NotDumpable);
}

/// A text nobody may see. It has no `Display`, its `Debug` is blank, and its memory, which clones share, is wiped when
/// the last of them is dropped.
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

/// Everything but the unreserved characters of RFC 3986.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// One path segment or query value, percent-encoded so that it stays one.
pub fn percent(text: &str) -> String {
    utf8_percent_encode(text, RESERVED).to_string()
}

/// Whether a field of that name contains a secret: a token (not its type), another session, a password or a key, in English
/// or in Portuguese.
pub fn names_secret(name: &str) -> bool {
    const PARTS: &[&str] = &[
        "token",
        "secret",
        "passw",
        "passphrase",
        "pwd",
        "accesskey",
        "apikey",
        "privatekey",
        "credential",
        "cookie",
        "bearer",
        "authorization",
        "sessionid",
        "sessionname",
        "senha",
        "segredo",
        "chave",
        "credencia",
        "sessao",
        "autorizacao",
        "jwt",
    ];
    const WHOLE: &[&str] = &["pass", "key", "auth", "sid", "pin", "otp", "session"];
    let letters = name.chars().filter(|c| c.is_alphanumeric());
    let plain = letters.flat_map(char::to_lowercase).map(|c| match c {
        'ã' | 'á' => 'a',
        'ç' => 'c',
        c => c,
    });
    let plain: String = plain.collect();
    let is_type = plain.ends_with("tokentype");
    !is_type
        && (WHOLE.contains(&plain.as_str())
            || plain.ends_with("pass")
            || (plain.char_indices())
                .any(|(at, _)| PARTS.iter().any(|part| plain[at..].starts_with(part))))
}

/// Lower-case hex digits of `bytes`.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let halves = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    halves
        .map(|half| char::from(DIGITS[usize::from(half)]))
        .collect()
}

/// MD5 of the parts one after the other, 32 lower-case hex digits.
pub fn md5_hex(parts: &[&str]) -> Secret {
    let mut hash = md5::Md5::new();
    for part in parts {
        hash.update(part.as_bytes());
    }
    Secret::new(hex(&hash.finalize()))
}

/// SHA-256 of `text`, 64 lower-case hex digits.
pub fn sha256_hex(text: &str) -> Secret {
    let hash = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    Secret::new(hex(hash.as_ref()))
}

/// A request body under construction: fields in the order given, each told whether it is secret.
///
/// The finished body is a [`Secret`] of its own, and every secret field goes to the redactor with it.
#[derive(Default)]
pub struct Fields {
    fields: Vec<(&'static str, Secret)>,
    secrets: Vec<Secret>,
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

    pub fn secrets(&self) -> &[Secret] {
        &self.secrets
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
        let fields = self.fields.iter();
        let object: Map<String, Value> = fields
            .map(|(name, value)| ((*name).to_owned(), value.expose().into()))
            .collect();
        Secret::new(Value::Object(object).to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn redactor(secrets: &[&str]) -> Redactor {
        let redactor = Redactor::new();
        for secret in secrets {
            redactor.learn(&Secret::new((*secret).to_owned()));
        }
        redactor
    }

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
        assert_eq!(
            format!("{:?}", Secret::new("hunter2".into())),
            "Secret(***)"
        );
    }

    #[test]
    fn escapes_may_be_mixed_and_wrapped_around_each_other() {
        let redactor = redactor(&["p\u{e9}&\"x y+1"]);
        for form in [
            "p%C3%A9&amp;\\u0022x+y%2b1",
            "p%e9&#38;\\\"x\\u0020y+1",
            "p&eacute;&amp;&quot;x y&plus;1",
            "p%26eacute%3B%26amp%3B%26quot%3Bx%20y%2B1",
            "p&amp;eacute;\\u0026amp;\\u0026quot;x y+1",
            "p\u{e9}&\\x22x y+1",
            "p\u{e9}&\"x\r\n y+1",
            "p\u{e9}&<br />\n\"x y+1",
        ] {
            assert_eq!(
                redactor.foreign(&format!("is {form}!")),
                "is ***!",
                "{form}"
            );
        }
    }

    #[test]
    fn what_a_secret_holds_may_look_like_an_escape() {
        let secret = "a%41&amp;b\\u0041";
        let redactor = redactor(&[secret]);
        for form in [
            secret,
            &percent(secret),
            "a%41&amp;amp;b\\u0041",
            "a%41&amp;b\\\\u0041",
        ] {
            assert_eq!(
                redactor.foreign(&format!("is {form}!")),
                "is ***!",
                "{form}"
            );
        }
        // Nor does an escape that is cut off before a secret hide it.
        assert_eq!(redactor.foreign(&format!("\\u00{secret}")), "\\u00***");
    }

    #[test]
    fn a_secret_that_a_line_cuts_is_blanked() {
        let redactor = redactor(&["hunter2 & co"]);
        for (text, blanked) in [
            ("is: hunter2", "is: ***"),
            ("is: hunter2...", "is: ***..."),
            ("is: hunter2 &am", "is: ***&am"),
            ("is: hunt\u{2026}\nnext", "is: ***\u{2026}\nnext"),
            ("is: hunt\nhunt er", "is: ***\nhunt er"),
            ("is: hun", "is: hun"),
        ] {
            assert_eq!(redactor.foreign(text), blanked, "{text}");
        }
        assert_eq!(redactor.own("do not hunt"), "do not hunt");
    }

    #[test]
    fn overlapping_secrets_leave_nothing_over() {
        assert_eq!(
            redactor(&["abcdef", "defghi"]).foreign("xabcdefghiy"),
            "x***y"
        );
        assert_eq!(redactor(&["aa"]).foreign("aaa b aa"), "*** b ***");
    }

    #[test]
    fn a_short_secret_spares_our_own_sentences() {
        let redactor = redactor(&["a"]);
        assert_eq!(redactor.own("a broken answer"), "a broken answer");
        assert_eq!(redactor.foreign("a b"), "*** b");
    }

    #[test]
    fn secrets_of_every_length_are_found_among_many() {
        let many: Vec<String> = (0..500).map(|number| format!("key-{number:04}")).collect();
        let short = ["#", "~!", "=+=", "^^^^", "<<>><"];
        let redactor = redactor(&short);
        for secret in &many {
            redactor.learn(&Secret::new(secret.clone()));
        }
        for secret in short.into_iter().chain(many.iter().map(String::as_str)) {
            for (before, behind) in [("", ""), ("a ", " b"), ("", "c"), ("key-", "")] {
                let text = [before, secret, behind].concat();
                assert_eq!(
                    redactor.foreign(&text),
                    [before, BLANK, behind].concat(),
                    "{text}"
                );
            }
        }
        // What is learnt later is found too.
        redactor.learn(&Secret::new("later".to_owned()));
        assert_eq!(
            redactor.foreign("key-0499 later key-0500"),
            "*** *** key-0500"
        );
    }

    #[test]
    fn known_hashes() {
        assert_eq!(
            md5_hex(&["123", "456"]).expose(),
            "e10adc3949ba59abbe56e057f20f883e"
        );
        assert_eq!(
            sha256_hex("teste").expose(),
            "46070d4bf934fb0d4b06d9e2c46e346944e322444900a435d7d9a95e6d7435f5"
        );
    }
}
