//! HelloCloud's clients and users: one of each kind that a real server treats differently.

pub(super) struct Client {
    pub id: &'static str,
    /// As stored: what was typed into the admin pages is HTML-escaped.
    pub secret: &'static str,
    pub grant: Grant,
    /// Whose rights a client has that logs in by itself.
    pub user: Option<&'static User>,
    pub confidential: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Grant {
    ClientCredentials,
    Password,
    Refresh,
}

const fn client(id: &'static str, secret: &'static str, grant: Grant) -> Client {
    Client { id, secret, grant, user: Some(&USERS[0]), confidential: true }
}

pub(super) static CLIENTS: [Client; 7] = [
    client("11111111-1111-4111-8111-111111111111", "sandbox-machine-client", Grant::ClientCredentials),
    client("22222222-2222-4222-8222-222222222222", "sandbox-password-client", Grant::Password),
    client("33333333-3333-4333-8333-333333333333", "s&e\"c<r>e't`%+ é:x", Grant::ClientCredentials),
    Client {
        user: None,
        ..client("44444444-4444-4444-8444-444444444444", "sandbox-userless-client", Grant::ClientCredentials)
    },
    Client {
        confidential: false,
        ..client("55555555-5555-4555-8555-555555555555", "sandbox-public-client", Grant::ClientCredentials)
    },
    client("66666666-6666-4666-8666-666666666666", "sandbox-other-client", Grant::Password),
    client(
        "77777777-7777-4777-8777-777777777777",
        "s&e&quot;c&lt;r&gt;e&#039;t&#096;%+ é:x",
        Grant::ClientCredentials,
    ),
];

pub(super) struct User {
    pub id: &'static str,
    pub name: &'static str,
    pub password: &'static str,
    pub admin: bool,
    pub active: bool,
}

pub(super) static USERS: [User; 3] = [
    User { id: "1", name: "admin", password: "Sandbox-Admin-1", admin: true, active: true },
    User {
        id: "aaaaaaaa-0000-4000-8000-000000000001",
        name: "ana",
        password: "Sandbox-Ana-1",
        admin: false,
        active: true,
    },
    User {
        id: "aaaaaaaa-0000-4000-8000-000000000002",
        name: "gone",
        password: "Sandbox-Gone-1",
        admin: false,
        active: false,
    },
];
