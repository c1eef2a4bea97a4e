//! Gluocrm's users, their challenges and their logins.

use serde_json::{Value, json};

use super::super::message::{Pairs, last, quoted};
use super::super::{SECOND, random_hex};
use super::answer::{Result, refused};
use super::{Gluo, Version};
use crate::secret::md5_hex;

pub struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// Empty where there is none.
    key: String,
    first_name: &'static str,
    last_name: &'static str,
    pub active: bool,
}

impl User {
    /// The old key is worth nothing from here on; the user's sessions live on.
    pub fn change_key(&mut self) {
        self.key = random_hex(16);
    }
}

/// Id, name, access key, first and last name.
static USERS: [&str; 6] = [
    "19x1|admin|SandboxAdminKey|Ana|Administradora",
    "19x5|plain.user|SandboxPlainKey||plain.user",
    "19x6|sleeper|SandboxSleepKey||sleeper",
    "19x7|josé müller|SandboxJoseKey0|José|Müller",
    "19x8|nokey|||nokey",
    "19x9|o'brien+x@lab.invalid|SandboxBrienKey|Pat|O'Brien",
];

pub(super) fn users() -> Vec<User> {
    let user = |row: &'static str| {
        let mut parts = row.split('|');
        let mut next = || parts.next().unwrap_or_default();
        User {
            id: next(),
            name: next(),
            key: next().to_owned(),
            first_name: next(),
            last_name: next(),
            active: !row.contains("sleeper"),
        }
    };
    USERS.map(user).into()
}

/// How long a challenge lives, in seconds.
const LIFETIME: i64 = 300;

impl Gluo {
    /// The user whom a request's `username` names by MySQL's collation: neither case nor accents count.
    pub(super) fn named(&self, pairs: &Pairs) -> Option<&User> {
        let name = fold(last(pairs, "username")?);
        self.users.iter().find(|user| fold(user.name) == name)
    }

    /// `deleted`: the user's old challenge is gone already. The new one is lost where a rival has inserted one
    /// since the DELETE: the table has one row a user, and nobody looks whether the INSERT went well.
    pub(super) fn challenge(&mut self, query: &Pairs, deleted: bool) -> Result {
        if last(query, "username").unwrap_or_default().is_empty() {
            return Err(refused("ACCESS_DENIED", "No username given"));
        }
        let Some(id) = self.named(query).map(|user| user.id) else {
            return Err(refused("ACCESS_DENIED", "username does not exists"));
        };
        if !deleted {
            self.challenges.remove(id);
        }
        let now = self.rules.now();
        let (token, end) = (random_hex(13), now + LIFETIME * SECOND);
        let row = self.challenges.entry(id);
        row.or_insert_with(|| (token.clone(), end));
        Ok(json!({"token": token, "serverTime": now / SECOND, "expireTime": end / SECOND}))
    }

    pub(super) fn login(&mut self, body: &Pairs) -> Result {
        let user = self.named(body);
        let row = user.and_then(|user| Some((user, self.challenges.get(user.id)?)));
        let Some((user, (token, _))) = row.filter(|(_, (_, end))| *end > self.rules.now()) else {
            let text = "Specified token is invalid or expired";
            return Err(refused("INVALID_AUTH_TOKEN", text));
        };
        if user.key.is_empty() {
            let text = "Access key for the user is undefined";
            return Err(refused("ACCESSKEY_UNDEFINED", text));
        }
        let seven = self.version == Version::Seven;
        let right = last(body, "accessKey") == Some(md5_hex(&[token, &user.key]).expose());
        if right && !user.active && seven {
            return Err(refused("AUTHENTICATION_REQUIRED", "Given user is inactive"));
        }
        if !right || !user.active {
            let text = "Invalid username or password";
            return Err(refused("INVALID_USER_CREDENTIALS", text));
        }
        let about = match self.version {
            Version::Seven => json!({}),
            Version::Eight => json!({
                "username": escape(user.name),
                "first_name": escape(user.first_name), "last_name": escape(user.last_name),
                "email": "u@sandbox.invalid",
                "time_zone": "UTC", "hour_format": "24", "date_format": "yyyy-mm-dd",
                "is_admin": if user.name == "admin" { "on" } else { "off" },
                "call_duration": "5", "other_event_duration": "5",
            }),
        };
        let (id, session) = (user.id, random_hex(21));
        self.sessions.put(&session, Some(id));
        Ok(self.with_session(about, &session, id))
    }

    /// An answer that ends with the session that it is about.
    pub(super) fn with_session(&self, mut answer: Value, session: &str, user: &str) -> Value {
        let vtiger = match self.version {
            Version::Eight => "8.2.0",
            Version::Seven => "7.0.1",
        };
        answer["sessionName"] = json!(session);
        answer["userId"] = json!(user);
        answer["version"] = json!("0.22");
        answer["vtigerVersion"] = json!(vtiger);
        answer
    }
}

/// Letters with an entity of their own in HTML, which begins with the letter below the accent.
const ENTITIES: &str = "áaacute àagrave âacirc ãatilde éeacute êecirc íiacute óoacute ôocirc \
                        õotilde úuacute üuuml çccedil ñntilde";

fn entity(letter: char) -> Option<&'static str> {
    let mut entities = ENTITIES.split(' ');
    entities.find_map(|entity| entity.strip_prefix(letter))
}

fn fold(text: &str) -> String {
    let letters = text.to_lowercase();
    let bare = |letter| match entity(letter) {
        Some(entity) => char::from(entity.as_bytes()[0]),
        None => letter,
    };
    letters.chars().map(bare).collect()
}

/// PHP's `htmlentities` with `ENT_QUOTES`, as the service writes names.
fn escape(text: &str) -> String {
    let escaped = |letter: char| match entity(letter) {
        Some(entity) => format!("&{entity};"),
        None => letter.to_string(),
    };
    let text = quoted(&text.replace('&', "&amp;"));
    text.chars().map(escaped).collect()
}
