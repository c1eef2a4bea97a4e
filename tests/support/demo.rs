//! The providers as tests set them up: their settings, and what a good server answers.

use super::{Machine, Reply};

/// A provider with settings that work.
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
    /// Other settings.
    settings: &'static [(&'static str, &'static str)],
    /// The answers that come before the login's.
    first: &'static [&'static str],
    /// The good answer; `TOKEN` stands for the session as JSON.
    answer: &'static str,
}

/// Every provider.
pub static ALL: &[&Demo] = &[&GLUO, &HELLOCLOUD, &SYSTEMSWAY, &BROKER, &ZEEV];

/// A provider by its name.
#[track_caller]
pub fn of(id: &str) -> &'static Demo {
    let found = ALL.iter().find(|demo| demo.id == id);
    found.unwrap_or_else(|| panic!("`ALL` of tests/support/demo.rs lacks {id}"))
}

pub static GLUO: Demo = Demo {
    id: "gluo",
    path: "/webservice.php",
    token: "tok7fQm2Zx91LwKd",
    secret: ("GLUO_ACCESS_KEY", "kEy8Rt5Yp3Wn6Vb1"),
    asked: true,
    settings: &[("GLUO_USERNAME", "api")],
    first: &[
        r#"{"success":true,"result":{"token":"chA11eNge5Jd0s","serverTime":1795288795,"expireTime":1795289095}}"#,
    ],
    answer: r#"{"success":true,"result":{"sessionName":TOKEN,"userId":"19x1","version":"0.22"}}"#,
};

pub static HELLOCLOUD: Demo = Demo {
    id: "hellocloud",
    path: "/Api/access_token",
    token: "eyJ0eXAi.Hc4Nn7Qk2Tz.s1gn",
    secret: ("HELLOCLOUD_CLIENT_SECRET", "s3cR3t-Lk9Jh2Gf5Ds"),
    asked: true,
    settings: &[("HELLOCLOUD_CLIENT_ID", "3d7f3fda-97d8")],
    first: &[],
    answer: r#"{"token_type":"Bearer","expires_in":3600,"access_token":TOKEN}"#,
};

pub static SYSTEMSWAY: Demo = Demo {
    id: "systemsway",
    path: "/api/main",
    token: "EB078EB1ABFC9722EBAB9BA3DD303AFD37DD1AE50A791CBA16ABEE0A727029DF",
    secret: ("SYSTEMSWAY_PASSWORD", "pW-Ss4Xc8Vb2Nm6"),
    asked: true,
    settings: &[("SYSTEMSWAY_USERNAME", "admin")],
    first: &[],
    answer: r#"{"Status":"OK","IDSessao":TOKEN,"Message":"Login Realizado com sucesso"}"#,
};

pub static BROKER: Demo = Demo {
    id: "broker",
    path: "/api/broker/estabelecimento/login",
    token: "eyJhbGci.Br5Uy8Ik3Ol.s1gn",
    secret: ("BROKER_PASSWORD", "pW-Br7Qa1Zx5Sw9"),
    asked: false,
    settings: &[("BROKER_USERNAME", "loja")],
    first: &[],
    answer: r#"{"CodigoRetorno":1,"MensagemRetorno":"OK","Expires_In":3600,"Access_Token":TOKEN,"Token_Type":"Bearer"}"#,
};

pub static ZEEV: Demo = Demo {
    id: "zeev",
    path: "/api/2/tokens",
    token: "tmp-Zv6Bn4Mq0Lp8",
    secret: ("ZEEV_PASSWORD", "pW-Zv3Ed7Cr1Fv5"),
    asked: true,
    settings: &[("ZEEV_USERNAME", "maria")],
    first: &[],
    answer: r#"{"userId":7,"name":"Maria","username":"maria","temporaryToken":TOKEN}"#,
};

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
        machine.set(&self.variable("URL"), url).secret(self.secret.0, self.secret.1);
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
        self.first.iter().map(|body| Reply::json(200, body)).chain(replies).collect()
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
