//! HelloCloud's clients and users: one of each kind that a real server treats differently.

pub struct Client {
    pub(super) id: &'static str,
    /// As stored: what was typed into the admin pages is HTML-escaped.
    pub secret: String,
    pub(super) grant: Grant,
    /// Id of the user whose rights a client has that logs in by itself.
    pub(super) user: Option<&'static str>,
    pub confidential: bool,
    pub deleted: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    ClientCredentials,
    Password,
    Refresh,
}

pub struct User {
    pub(super) id: &'static str,
    pub(super) name: &'static str,
    /// As stored: what was typed into the admin pages is HTML-escaped.
    pub password: String,
    pub deleted: bool,
}

/// Id and secret. The last one is the third as it is stored where its secret was typed into the admin pages.
static CLIENTS: [&str; 7] = [
    "11111111-1111-4111-8111-111111111111 sandbox-machine-client",
    "22222222-2222-4222-8222-222222222222 sandbox-password-client",
    "33333333-3333-4333-8333-333333333333 s&e\"c<r>e't`%+ é:x",
    "44444444-4444-4444-8444-444444444444 sandbox-userless-client",
    "55555555-5555-4555-8555-555555555555 sandbox-public-client",
    "66666666-6666-4666-8666-666666666666 sandbox-other-client",
    "77777777-7777-4777-8777-777777777777 s&e&quot;c&lt;r&gt;e&#039;t&#096;%+ é:x",
];

pub(super) fn clients() -> Vec<Client> {
    let client = |text: &'static str| {
        let (id, secret) = text.split_once(' ').unwrap_or_default();
        Client {
            id,
            secret: secret.to_owned(),
            grant: Grant::ClientCredentials,
            user: Some(ADMIN),
            confidential: true,
            deleted: false,
        }
    };
    let mut clients = CLIENTS.map(client);
    clients[1].grant = Grant::Password;
    clients[3].user = None;
    clients[4].confidential = false;
    clients[5].grant = Grant::Password;
    clients.into()
}

/// Id of the one administrator.
pub(super) const ADMIN: &str = "1";
/// Id of the one inactive user.
pub(super) const INACTIVE: &str = "aaaaaaaa-0000-4000-8000-000000000002";

pub(super) fn users() -> Vec<User> {
    let user = |id, name, password: &str| User {
        id,
        name,
        password: password.to_owned(),
        deleted: false,
    };
    let ana = "aaaaaaaa-0000-4000-8000-000000000001";
    vec![
        user(ADMIN, "admin", "Sandbox-Admin-1"),
        user(ana, "ana", "Sandbox-Ana-1"),
        user(INACTIVE, "gone", "Sandbox-Gone-1"),
    ]
}
