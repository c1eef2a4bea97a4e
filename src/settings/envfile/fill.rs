//! Adds settings to an env file.

use zeroize::Zeroizing;

use super::{EnvFile, Line, read, skip_blanks};
use crate::secret::Secret;

/// A file's bytes with these settings in it: each variable with its value, and the value as it is quoted for the
/// file. A line that sets one of them to nothing is filled in, the others come behind the last line; no other byte
/// is changed. `None` where the file as a whole would then not be read back as meant.
pub fn fill(old: &[u8], settings: &[(String, Secret, Secret)]) -> Option<Zeroizing<Vec<u8>>> {
    let size = |(name, _, quoted): &(String, _, Secret)| name.len() + quoted.expose().len() + 5;
    let added: usize = settings.iter().map(size).sum();
    // Growing would leave copies of secrets behind.
    let mut new = Zeroizing::new(Vec::with_capacity(old.len() + added + 2));
    let mut left: Vec<_> = settings.iter().collect();
    let mut rest = old.strip_prefix(b"\xef\xbb\xbf").unwrap_or(old);
    new.extend_from_slice(&old[..old.len() - rest.len()]);
    while !rest.is_empty() {
        let end = rest.iter().position(|byte| *byte == b'\n');
        let (whole, behind) = rest.split_at(end.map_or(rest.len(), |at| at + 1));
        rest = behind;
        let line = Line::new(whole.strip_suffix(b"\n").unwrap_or(whole));
        let fits = |(name, ..): &&(String, Secret, Secret)| line.name() == Some(name);
        match (line.remark_of_nothing(), left.iter().position(fits)) {
            (Some(remark), Some(at)) => {
                let (_, _, quoted) = left.remove(at);
                let value = line.value.unwrap_or_default();
                let (name, end) = (line.bytes.len() - value.len(), &whole[line.bytes.len()..]);
                for part in [&line.bytes[..name], quoted.expose().as_bytes(), remark, end] {
                    new.extend_from_slice(part);
                }
            }
            _ => new.extend_from_slice(whole),
        }
    }
    let first = old.iter().position(|byte| *byte == b'\n');
    let crlf = first.is_some_and(|at| old[..at].ends_with(b"\r"));
    let end: &[u8] = if crlf { b"\r\n" } else { b"\n" };
    if !left.is_empty() && !new.is_empty() && !new.ends_with(b"\n") {
        new.extend_from_slice(end);
    }
    for (name, _, quoted) in left {
        for part in [name.as_bytes(), b"=", quoted.expose().as_bytes(), end] {
            new.extend_from_slice(part);
        }
    }
    let found = read(&new, EnvFile::new("", false)).ok()?;
    let as_meant = |(name, value, _): &(String, Secret, Secret)| {
        let mut found = found.iter();
        found.any(|setting| setting.written == *name && setting.text == *value)
    };
    settings.iter().all(as_meant).then_some(new)
}

impl<'a> Line<'a> {
    /// Where the line sets its name to nothing, what stands behind that: a comment with the blanks before it.
    fn remark_of_nothing(&self) -> Option<&'a [u8]> {
        let value = self.value?;
        let text = skip_blanks(value);
        match text {
            [] | b"''" | b"\"\"" => Some(&[]),
            [b'#', ..] if text.len() < value.len() => Some(value),
            _ => None,
        }
    }
}
