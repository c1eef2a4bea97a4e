//! Bytes that may hold a secret: growing leaves no copy behind.

use std::io;

use zeroize::Zeroizing;

/// What every encoder writes into. A `Vec` that grows frees its old memory as it is; this one wipes it.
#[derive(Default)]
pub(super) struct Buffer(Zeroizing<Vec<u8>>);

impl Buffer {
    pub(super) fn push(&mut self, text: &str) {
        self.bytes(text.as_bytes());
    }

    /// `text` with some of its characters replaced.
    pub(super) fn escaped(&mut self, text: &str, escape: impl Fn(char) -> Option<&'static str>) {
        let mut utf8 = [0; 4];
        for c in text.chars() {
            self.push(escape(c).unwrap_or_else(|| c.encode_utf8(&mut utf8)));
        }
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let len = self.0.len() + bytes.len();
        if len > self.0.capacity() {
            let mut larger =
                Zeroizing::new(Vec::with_capacity(len.max(2 * self.0.capacity()).max(512)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(bytes);
    }
}

impl io::Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.bytes(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
