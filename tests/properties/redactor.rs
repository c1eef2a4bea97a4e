//! Whatever secrets and texts there are: after redaction no form of a secret is left, and what is shown of a
//! text of others is one harmless line.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use crmauth::secret::foreign::Foreign;
use crmauth::secret::{Redactor, Secret, percent};

use super::forms::{hashes, readable};
use super::one_harmless_line;

/// The first lines are secrets, up to an empty one; what follows is the text. In it the bytes 1 to 15 stand for a
/// secret in a form, the byte behind them says which secret.
pub fn holds(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let mut rest = &*text;
    let mut secrets = Vec::new();
    while let Some((line, behind)) = rest.split_once('\n') {
        rest = behind;
        if line.is_empty() || secrets.len() == 4 {
            break;
        }
        // A blank would be taken for a secret that was left over, and so would a CI command that is broken by a space.
        let like_ours = ["*", ": ", " :"].iter().any(|ours| line.contains(ours));
        if !like_ours && !line.trim().is_empty() {
            secrets.push(line.to_owned());
        }
    }
    let redactor = Redactor::default();
    secrets
        .iter()
        .for_each(|secret| redactor.learn(&Secret::new(secret.clone())));
    let text = fill(rest, &secrets);
    let blanked = redactor.foreign(&text);
    let shown = Foreign::new(&text).clean(&redactor);
    one_harmless_line(&shown);
    assert!(shown.chars().count() <= 300, "too long: {shown}");
    for secret in &secrets {
        for said in [&blanked, &shown] {
            assert!(
                !readable(said, secret),
                "{secret:?} of {text:?} is left in {said:?}"
            );
        }
    }
    if secrets.is_empty() {
        assert_eq!(blanked, text);
    }
}

/// The text with secrets put in.
fn fill(text: &str, secrets: &[String]) -> String {
    let mut out = String::new();
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if !('\u{1}'..='\u{f}').contains(&c) || "\t\n\r".contains(c) || secrets.is_empty() {
            out.push(c);
            continue;
        }
        let which = chars.next().map_or(0, |c| c as usize);
        out.push_str(&form(c as u32, which, &secrets[which % secrets.len()]));
    }
    out
}

/// A secret in the form of that number; `seed` chooses where a form has a choice for each character.
fn form(number: u32, seed: usize, secret: &str) -> String {
    let each = |escape: &dyn Fn(usize, char) -> String| {
        secret
            .chars()
            .enumerate()
            .map(|(at, c)| escape(at, c))
            .collect::<String>()
    };
    let bytes = |c: char| {
        let mut buffer = [0; 4];
        c.encode_utf8(&mut buffer)
            .bytes()
            .map(|byte| format!("%{byte:02x}"))
            .collect::<String>()
    };
    let units = |c: char| {
        let mut buffer = [0; 2];
        c.encode_utf16(&mut buffer)
            .iter()
            .map(|unit| format!("\\u{unit:04x}"))
            .collect::<String>()
    };
    match number {
        1 => percent(secret),
        2 => percent(secret).to_lowercase(),
        3 => percent(secret).replace("%20", "+"),
        4 => each(&|_, c| format!("&#{};", c as u32)),
        5 => each(&|_, c| format!("&#x{:X};", c as u32)),
        6 => each(&|_, c| units(c)),
        7 => serde_json::Value::String(secret.to_owned()).to_string(),
        8 => STANDARD.encode(format!("ana:{secret}")),
        9 | 10 | 13 => each(&|_, c| bytes(c)),
        11 => hashes(secret)[seed % 3].clone(),
        12 => hashes(secret)[seed % 3].to_uppercase(),
        14 => percent(
            &secret
                .replace('&', "&amp;")
                .replace('<', "&lt;")
                .replace('"', "&quot;"),
        ),
        _ => each(&|at, c| match (at + seed) % 4 {
            0 => bytes(c),
            1 => units(c),
            2 => format!("&#{};", c as u32),
            _ => c.to_string(),
        }),
    }
}
