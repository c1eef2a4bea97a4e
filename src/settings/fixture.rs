//! Made-up systems for the tests of this module.

use std::path::{Path, PathBuf};
use std::time::Duration;

use super::{Environment, Sources};
use crate::declaration::{Ageing, Alternatives, Default, Field, Group, Kind, Placement, Spec, Target};
use crate::error::Result;

const ACME: Spec = Spec {
    id: "acme",
    aliases: &["acmecrm"],
    product: "Acme",
    method: "made up",
    endpoint: "webservice.php",
    example_url: "https://acme.example",
    url_found: "on the invoice",
    fields: &[],
    seed_url: None,
    alternatives: &[],
    placement: Placement::Bearer,
    ageing: Ageing::Idle { ask_after: 60 },
    renewal: crate::declaration::Renewal::Never,
    content_type: "application/json",
    refuses_in_json: false,
    impersonation: false,
};

static PLAIN: Spec = Spec {
    fields: &[
        Field::new("USERNAME", Kind::Text, "the user", "on the invoice").required().seed_name("username"),
        Field::new("ACCESS_KEY", Kind::Secret, "the key from the user's page", "on the invoice")
            .required()
            .seed_name("acceskey"),
    ],
    seed_url: Some("link"),
    ..ACME
};

static BROKER: Spec = Spec {
    id: "broker",
    aliases: &[],
    fields: &[
        Field::new("USERNAME", Kind::Text, "the user", "on the invoice").required(),
        Field::new("PASSWORD", Kind::Secret, "the password", "on the invoice").required(),
        Field::new("PARTNER_TOKEN", Kind::Token, "the partner's token", "on the invoice")
            .shared(Group::Partner),
        Field::new("PARTNER_USERNAME", Kind::Text, "the partner's user", "on the invoice")
            .shared(Group::Partner),
        Field::new("PARTNER_PASSWORD", Kind::Secret, "the partner's password", "on the invoice")
            .shared(Group::Partner),
        Field::option("PARTNER_LOGIN_PATH", Kind::Path, "the partner's login")
            .default(Default::Value("/partner/login"))
            .shared(Group::Partner),
    ],
    seed_url: None,
    alternatives: &[Alternatives {
        required: false,
        ways: &[&["PARTNER_TOKEN"], &["PARTNER_USERNAME", "PARTNER_PASSWORD"]],
    }],
    ..ACME
};

static WAY: Spec = Spec {
    id: "way",
    aliases: &[],
    fields: &[
        Field::new("USERNAME", Kind::Text, "the user", "on the invoice"),
        Field::new("PASSWORD", Kind::Secret, "the password", "on the invoice"),
        Field::new("API_TOKEN", Kind::Token, "a permanent token", "on the invoice"),
        Field::option("HASH_CASE", Kind::Choice(&["upper", "lower"]), "the case")
            .default(Default::Value("upper")),
    ],
    seed_url: None,
    alternatives: &[Alternatives { required: true, ways: &[&["USERNAME", "PASSWORD"], &["API_TOKEN"]] }],
    ..ACME
};

static PORTAL: Spec = Spec {
    id: "portal",
    aliases: &[],
    fields: &[
        Field::new("CLIENT_SECRET", Kind::Secret, "the client's secret", "on the invoice")
            .required()
            .shared(Group::Client),
        Field::new("USERNAME", Kind::Text, "the user", "on the invoice").required_when("GRANT", "password"),
        Field::new("PASSWORD", Kind::Secret, "the password", "on the invoice")
            .required_when("GRANT", "password"),
        Field::option("GRANT", Kind::Choice(&["client_credentials", "password"]), "the grant")
            .shared(Group::Client)
            .default(Default::IfSet { field: "USERNAME", then: "password", otherwise: "client_credentials" }),
    ],
    ..ACME
};

pub(super) static SPECS: &[&Spec] = &[&PLAIN, &BROKER, &WAY, &PORTAL];

pub(super) fn target(text: &str) -> Target {
    super::target(text, SPECS).expect(text)
}

/// Long enough for whatever ends by itself.
pub(super) const LONG: Duration = Duration::from_secs(60);

/// Does work that may have to wait.
pub(super) fn wait_for<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime").block_on(work)
}

/// The sources of a run in that folder with these variables and `--env-file`s.
pub(super) fn load(dir: &Path, vars: &[(&str, &str)], files: &[&str]) -> Result<Sources> {
    let vars = vars.iter().map(|(name, value)| (name.into(), value.into()));
    let files: Vec<PathBuf> = files.iter().map(PathBuf::from).collect();
    Sources::load(&Environment::new(vars, dir.to_owned()), &files, SPECS, Duration::from_millis(50))
}

/// A new folder with these files, readable by their owner only.
pub(super) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = dir.path().join(name);
        std::fs::write(&path, text).expect("written");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt;
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).expect("rights");
        }
    }
    dir
}
