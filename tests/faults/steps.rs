//! The requests that the program makes, each of them a place where a fault can strike. Each system's are in its own
//! test file.

use crmauth::declaration::{Ageing, Placement, Spec};

use crate::support::{Demo, demo};

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
    /// A login's only request, which carries a secret.
    pub const LOGIN: Self = Self {
        name: "",
        system: "",
        kind: Kind::Login,
        settings: &[],
        arguments: "",
        before: &[],
        answer: "",
        after: &[],
        field: "",
        secret: true,
    };

    pub fn spec(&self) -> &'static Spec {
        demo::of(self.system).spec()
    }

    /// Whether the session is the only one of its user.
    pub fn single_seat(&self) -> bool {
        matches!(self.spec().ageing, Ageing::SingleSeat { .. })
    }

    /// Whose session is had anew before this step, beside the one that is wanted.
    pub fn prior_role(&self) -> Option<&'static str> {
        let prior = self.before.iter().any(|answer| answer.contains("PRIOR"));
        let impersonation = usize::from(self.spec().impersonation);
        prior.then_some(["partner", "user"][impersonation])
    }

    /// A path for `api`.
    pub fn path(&self) -> &'static str {
        match self.spec().placement {
            Placement::Path => "/api/Usuario/{session}?id=3",
            _ => "/api/anything?id=3",
        }
    }
}

fn every() -> impl Iterator<Item = &'static Step> {
    demo::ALL.iter().flat_map(|demo| demo.steps)
}

/// The step of this name.
#[track_caller]
pub fn named(name: &str) -> &'static Step {
    let named = every().find(|step| step.name == name);
    named.unwrap_or_else(|| panic!("no step is called {name}"))
}

pub fn of_kind(kind: Kind) -> Vec<&'static Step> {
    every().filter(|step| step.kind == kind).collect()
}

/// The usual login of a system: its last step.
#[track_caller]
pub fn usual(demo: &Demo) -> &'static Step {
    let mut steps = demo.steps.iter();
    let usual = steps.find(|step| step.kind == Kind::Login && step.after.is_empty());
    usual.unwrap_or_else(|| panic!("{} has no login among its steps", demo.id))
}

/// The last step of each system's usual login.
pub fn usual_logins() -> Vec<&'static Step> {
    demo::ALL.iter().map(|demo| usual(demo)).collect()
}

/// Every step of every login: those before the last one first.
pub fn logins() -> Vec<&'static Step> {
    let mut logins = of_kind(Kind::Login);
    logins.sort_by_key(|step| step.after.is_empty());
    logins
}

/// The steps that ask about a session.
pub fn questions() -> Vec<&'static Step> {
    [Kind::Check, Kind::Revocation].map(of_kind).concat()
}

/// The steps whose answers give the session.
pub fn last() -> Vec<&'static Step> {
    let mut last = logins();
    last.retain(|step| step.after.is_empty());
    last
}

/// Every step there is.
pub fn all() -> Vec<&'static Step> {
    let others = [Kind::Renewal, Kind::Check, Kind::Revocation, Kind::Call];
    [logins(), others.map(of_kind).concat()].concat()
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
