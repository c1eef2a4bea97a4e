//! The requests that the program makes, each of them a place where a fault can strike.

/// What a request is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// It is a part of a login.
    Login,
    /// It renews a session.
    Renewal,
    /// It asks whether a session is alive.
    Check,
    /// It ends a session.
    Revocation,
    /// It is the user's own.
    Call,
}

/// A request, and how the program is brought to make it.
///
/// In settings and answers `SECRET` (`HEADER` where a header must carry it, or blanks are refused) stands for the secret
/// of the settings, `OTHER` for another one, and `TOKEN`, `PRIOR`, `REFRESH` and `CHALLENGE` for what the server gives,
/// as it stands in JSON.
pub struct Step {
    /// For people: `gluo's challenge`.
    pub name: &'static str,
    /// The target.
    pub system: &'static str,
    pub kind: Kind,
    /// Every setting but the URL.
    pub settings: &'static [(&'static str, &'static str)],
    /// What every command line gets.
    pub arguments: &'static str,
    /// The good answers to the requests before it.
    pub before: &'static [&'static str],
    /// The good answer to this one.
    pub answer: &'static str,
    /// The good answers to the requests after it.
    pub after: &'static [&'static str],
    /// Where the session stands in the last answer.
    pub field: &'static str,
    /// Whether it carries a secret.
    pub secret: bool,
}

impl Step {
    /// Whether the session is the only one of its user.
    pub fn single_seat(&self) -> bool {
        self.system == "systemsway"
    }

    /// Whose session is had anew before this step, beside the one that is wanted.
    pub fn prior_role(&self) -> Option<&'static str> {
        let prior = self.before.iter().any(|answer| answer.contains("PRIOR"));
        prior.then_some(if self.system == "broker" { "partner" } else { "user" })
    }

    /// A path for `api`.
    pub fn path(&self) -> &'static str {
        if self.system == "systemsway" { "/api/Usuario/{session}?id=3" } else { "/api/anything?id=3" }
    }
}

const GLUO: Step = Step {
    name: "gluo's login",
    system: "gluo",
    kind: Kind::Login,
    settings: &[("USERNAME", "api"), ("ACCESS_KEY", "HEADER")],
    arguments: "",
    before: &[GLUO_CHALLENGE],
    answer: r#"{"success":true,"result":{"sessionName":TOKEN,"userId":"19x1","version":"0.22"}}"#,
    after: &[],
    field: "sessionName",
    secret: true,
};
const GLUO_CHALLENGE: &str =
    r#"{"success":true,"result":{"token":CHALLENGE,"serverTime":1795288795,"expireTime":1795289095}}"#;

const HELLOCLOUD: Step = Step {
    name: "hellocloud's login",
    system: "hellocloud",
    settings: &[("CLIENT_ID", "3d7f3fda-97d8"), ("CLIENT_SECRET", "SECRET")],
    before: &[],
    answer: r#"{"token_type":"Bearer","expires_in":3600,"access_token":TOKEN,"refresh_token":REFRESH}"#,
    field: "access_token",
    ..GLUO
};

const SYSTEMSWAY: Step = Step {
    name: "systemsway's login",
    system: "systemsway",
    settings: &[("USERNAME", "admin"), ("PASSWORD", "SECRET")],
    before: &[],
    answer: r#"{"Status":"OK","IDSessao":TOKEN,"Message":"Login Realizado com sucesso"}"#,
    field: "IDSessao",
    ..GLUO
};

const BROKER: Step = Step {
    name: "broker's login",
    system: "broker",
    settings: &[("USERNAME", "loja"), ("PASSWORD", "SECRET")],
    before: &[],
    answer: r#"{"CodigoRetorno":1,"MensagemRetorno":"OK","Expires_In":3600,"Access_Token":TOKEN,"Token_Type":"Bearer"}"#,
    field: "Access_Token",
    ..GLUO
};
const PARTNER: &str = r#"{"CodigoRetorno":1,"Expires_In":3600,"Access_Token":PRIOR,"Token_Type":"Bearer"}"#;
const PARTNERS: &[(&str, &str)] = &[
    ("USERNAME", "loja"),
    ("PASSWORD", "SECRET"),
    ("PARTNER_USERNAME", "parceiro"),
    ("PARTNER_PASSWORD", "OTHER"),
];

const ZEEV: Step = Step {
    name: "zeev's login",
    system: "zeev",
    settings: &[("USERNAME", "maria"), ("PASSWORD", "SECRET")],
    before: &[],
    answer: r#"{"userId":7,"name":"Maria","username":"maria","temporaryToken":TOKEN}"#,
    field: "temporaryToken",
    ..GLUO
};
const IMPERSONATOR: &str = r#"{"userId":7,"name":"Maria","username":"maria","temporaryToken":PRIOR}"#;
const IMPERSONATED: &str = r#"{"current":{"userId":7,"username":"maria"},"impersonate":{"id":42,"username":"joao","temporaryToken":TOKEN}}"#;

/// The last step of each system's login.
pub static LAST: &[Step] = &[GLUO, HELLOCLOUD, SYSTEMSWAY, BROKER, ZEEV];

/// Logins by other ways, whose last step gives the session too.
pub static OTHERS: &[Step] = &[
    Step {
        name: "hellocloud's login with a password",
        settings: &[
            ("CLIENT_ID", "3d7f3fda-97d8"),
            ("CLIENT_SECRET", "OTHER"),
            ("USERNAME", "admin"),
            ("PASSWORD", "SECRET"),
            ("BODY", "form"),
        ],
        ..HELLOCLOUD
    },
    Step { name: "broker's login behind its partner's", settings: PARTNERS, before: &[PARTNER], ..BROKER },
    Step { name: "zeev's login with a permanent token", settings: &[("API_TOKEN", "HEADER")], ..ZEEV },
    Step {
        name: "zeev's impersonation",
        arguments: " --as 42",
        before: &[IMPERSONATOR],
        answer: IMPERSONATED,
        ..ZEEV
    },
];

/// What comes before the last step.
pub static FIRST: &[Step] = &[
    Step {
        name: "gluo's challenge",
        before: &[],
        answer: GLUO_CHALLENGE,
        after: &[GLUO.answer],
        secret: false,
        ..GLUO
    },
    Step {
        name: "broker's partner's login",
        settings: PARTNERS,
        answer: PARTNER,
        after: &[BROKER.answer],
        ..BROKER
    },
    Step {
        name: "zeev's login before an impersonation",
        arguments: " --as 42",
        answer: IMPERSONATOR,
        after: &[IMPERSONATED],
        ..ZEEV
    },
];

/// Renewals.
pub static RENEWALS: &[Step] = &[
    Step { name: "hellocloud's refresh", kind: Kind::Renewal, ..HELLOCLOUD },
    Step { name: "zeev's renewal", kind: Kind::Renewal, ..ZEEV },
];

/// Questions whether a session is alive.
pub static CHECKS: &[Step] = &[
    Step {
        name: "gluo's listtypes",
        kind: Kind::Check,
        answer: r#"{"success":true,"result":{"types":["Contacts"],"information":{}}}"#,
        ..GLUO
    },
    Step { name: "hellocloud's modules", kind: Kind::Check, answer: r#"{"data":[]}"#, ..HELLOCLOUD },
    Step { name: "systemsway's question for nobody", kind: Kind::Check, answer: "[]", ..SYSTEMSWAY },
    Step { name: "zeev's whoami", kind: Kind::Check, ..ZEEV },
];

/// Ends of sessions.
pub static REVOCATIONS: &[Step] = &[
    Step { name: "gluo's logout", kind: Kind::Revocation, answer: r#"{"success":true,"result":{}}"#, ..GLUO },
    Step { name: "hellocloud's logout", kind: Kind::Revocation, answer: r#"{"meta":{}}"#, ..HELLOCLOUD },
];

/// Requests of the user's own.
pub static CALLS: &[Step] = &[
    Step { name: "a call to gluo", kind: Kind::Call, ..GLUO },
    Step { name: "a call to hellocloud", kind: Kind::Call, ..HELLOCLOUD },
    Step { name: "a call to systemsway", kind: Kind::Call, ..SYSTEMSWAY },
    Step { name: "a call to broker", kind: Kind::Call, ..BROKER },
    Step { name: "a call to zeev", kind: Kind::Call, ..ZEEV },
];

/// Every step of every login.
pub fn logins() -> Vec<&'static Step> {
    [FIRST, LAST, OTHERS].into_iter().flatten().collect()
}

/// The steps whose answers give the session.
pub fn last() -> Vec<&'static Step> {
    [LAST, OTHERS].into_iter().flatten().collect()
}

/// Every step there is.
pub fn all() -> Vec<&'static Step> {
    [FIRST, LAST, OTHERS, RENEWALS, CHECKS, REVOCATIONS, CALLS].into_iter().flatten().collect()
}

/// The steps that are the first of their kind, so that they meet the server itself.
pub fn first() -> Vec<&'static Step> {
    let mut all = all();
    all.retain(|step| step.kind != Kind::Login || step.before.is_empty());
    all
}

/// Those of them that belong to a login, so that no session is needed before.
pub fn first_logins() -> Vec<&'static Step> {
    let mut first = first();
    first.retain(|step| step.kind == Kind::Login);
    first
}
