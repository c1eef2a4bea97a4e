//! Bytes that may hold a secret: growing leaves no copy behind.

use std::io::{Result, Write};

use zeroize::Zeroizing;

/// What every encoder writes into. A `Vec` that grows frees its old memory as it is; this one wipes it.
#[derive(Default)]
pub(super) struct Buffer(pub Zeroizing<Vec<u8>>);

impl Buffer {
    pub fn push(&mut self, text: &str) {
        // It takes every byte.
        let _ = self.write(text.as_bytes());
    }

    pub fn all(&mut self, parts: &[&str]) {
        parts.iter().for_each(|part| self.push(part));
    }

    /// `text` with some of its characters replaced.
    pub fn escaped(&mut self, text: &str, escapes: &[(char, &str)]) {
        let mut utf8 = [0; 4];
        for c in text.chars() {
            let escape = escapes.iter().find(|(special, _)| *special == c);
            self.push(escape.map_or_else(|| &*c.encode_utf8(&mut utf8), |(_, escape)| escape));
        }
    }
}

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> Result<usize> {
        let len = self.0.len() + bytes.len();
        if len > self.0.capacity() {
            let room = len.max(2 * self.0.capacity()).max(512);
            let mut larger = Zeroizing::new(Vec::with_capacity(room));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> Result<()> {
        Ok(())
    }
}
