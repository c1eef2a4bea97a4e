//! What the tests that go through all systems know of each: the settings, what a good server answers, what the sandbox
//! is asked for, the steps for the fault matrix, the scenes of its page. Each system's own test file declares it.

use crmauth::declaration::Spec;
use crmauth::provider;
use crmauth::sandbox::Request;

use super::{Machine, Reply};
use crate::docs::scenes::Scene;
use crate::faults::steps::Step;

/// A system with settings that work.
pub struct Demo {
    /// Its name on the command line.
    pub id: &'static str,
    /// Where the login goes.
    pub path: &'static str,
    /// The session that the good answer holds.
    pub token: &'static str,
    /// What the secret is called, and its value.
    pub secret: (&'static str, &'static str),
    /// Whether its server tells if a session is alive.
    pub asked: bool,
    /// Whether its server shows without a secret that it is this system.
    pub recognised: bool,
    /// Other settings.
    pub settings: &'static [(&'static str, &'static str)],
    /// The answers that come before the login's.
    pub first: &'static [&'static str],
    /// The good answer; `TOKEN` stands for the session as JSON.
    pub answer: &'static str,
    /// What the server answers a request with a dead session: a status and JSON.
    pub dead: (u16, &'static str),
    /// What a request to the sandbox was for: `login`, `renew`, `ask`, or a step of its own.
    pub purpose: fn(&Request) -> &'static str,
    /// What the first login asks the sandbox for.
    pub first_login: &'static [&'static str],
    /// Asks the sandbox at a host whether a token is alive.
    pub alive: fn(&str, &str) -> bool,
    /// Its requests, the last one of the usual login first.
    pub steps: &'static [Step],
    /// What its page shows.
    pub scenes: fn() -> Vec<Scene>,
}

macro_rules! demos {
    ($($module:ident $System:ident,)*) => {
        /// Every system's, in the order in which people see them.
        pub static ALL: &[&Demo] = &[$(&crate::$module::DEMO),*];
    };
}

crmauth::systems!(demos);

/// A provider by its name.
pub fn of(id: &str) -> &'static Demo {
    ALL.iter().find(|demo| demo.id == id).expect(id)
}

/// What a request is for where a login is one POST and all else is a question.
pub fn by_method(event: &Request) -> &'static str {
    if event.method == "POST" {
        "login"
    } else {
        "ask"
    }
}

impl Demo {
    /// A machine with the provider's settings for a server at `url`.
    pub fn machine(&self, url: &str) -> Machine {
        let mut machine = Machine::new();
        self.settle(&mut machine, url);
        machine.canary(self.token).canary("chA11eNge5Jd0s");
        machine
    }

    /// Gives a machine the provider's settings for a server at `url`.
    pub fn settle(&self, machine: &mut Machine, url: &str) {
        machine
            .set(&self.variable("URL"), url)
            .secret(self.secret.0, self.secret.1);
        self.settings.iter().for_each(|(name, value)| {
            machine.set(name, value);
        });
    }

    /// A setting's variable.
    pub fn variable(&self, field: &str) -> String {
        format!("{}_{field}", self.id.to_uppercase())
    }

    /// The replies of a login whose last step is answered like this.
    pub fn script(&self, replies: impl IntoIterator<Item = Reply>) -> Vec<Reply> {
        self.first
            .iter()
            .map(|body| Reply::json(200, body))
            .chain(replies)
            .collect()
    }

    /// Its declaration.
    pub fn spec(&self) -> &'static Spec {
        provider::specs()
            .into_iter()
            .find(|spec| spec.id == self.id)
            .expect(self.id)
    }

    /// The answer to a request with a dead session.
    pub fn dead(&self) -> Reply {
        Reply::json(self.dead.0, self.dead.1)
    }

    /// The good answer.
    pub fn good(&self) -> String {
        self.answer_with(&format!("{:?}", self.token))
    }

    /// The good answer with something else, written as JSON, in the session's place.
    pub fn answer_with(&self, token: &str) -> String {
        self.answer.replace("TOKEN", token)
    }
}
