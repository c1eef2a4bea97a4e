//! Broker: the partner's login, and the establishment's login that the partner's token opens.
//!
//! Paths and names are the seed's. A refused login is HTTP 200 with another `CodigoRetorno`: the seed says that
//! this field tells whether the login worked, which only makes sense if a refusal carries it. A missing or dead
//! partner is 401, as ASP.NET's authorization answers before any code of the product runs.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use serde_json::{Value, json};

use super::message::{guid, member};
use super::{Entry, Request, Response, Rules, SECOND, System, jwt, random_hex, seconds};

pub(super) const ENTRY: Entry = Entry {
    id: "broker",
    account: &[
        ("USERNAME", "TesteBroker"),
        ("PASSWORD", "123456"),
        ("PARTNER_USERNAME", "parceiro.sandbox"),
        ("PARTNER_PASSWORD", "Sandbox-Parceiro-1"),
    ],
    more_accounts: &[],
    start: |rules| Rc::new(RefCell::new(Broker::new(rules))),
};

/// A token's lifetime, in seconds; the seed names none.
const LIFETIME: i64 = 3600;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Partner,
    Establishment,
}

pub(super) struct Broker {
    rules: Rules,
    tokens: HashMap<String, (Role, i64)>,
    partner_id: String,
    user_id: String,
}

impl System for Broker {
    fn answer(&mut self, request: &Request) -> Response {
        let role = match request.path.to_ascii_lowercase().as_str() {
            "/api/autenticacao/login" => Role::Partner,
            "/api/broker/estabelecimento/login" => Role::Establishment,
            _ => return Response::new(404, "", ""),
        };
        if request.method != "POST" {
            return Response::new(405, "", "").header("Allow", "POST");
        }
        if role == Role::Establishment {
            let challenge = match request.bearer().map(|token| self.role(token)) {
                Some(Some(Role::Partner)) => None,
                Some(Some(Role::Establishment)) => return Response::new(403, "", ""),
                Some(None) => Some("Bearer error=\"invalid_token\""),
                None => Some("Bearer"),
            };
            if let Some(challenge) = challenge {
                return Response::new(401, "", "").header("WWW-Authenticate", challenge);
            }
        }
        let body = request.json();
        let text = |name: &str| member(&body, name).and_then(Value::as_str);
        let (Some(name), Some(password)) = (text("UserName"), text("Password")) else {
            let body = json!({"title": "One or more validation errors occurred.", "status": 400});
            return Response::json(400, "application/problem+json; charset=utf-8", &body);
        };
        let (known_name, known_password) = match role {
            Role::Partner => ("parceiro.sandbox", "Sandbox-Parceiro-1"),
            Role::Establishment => ("TesteBroker", "123456"),
        };
        let (code, answer) =
            match name.eq_ignore_ascii_case(known_name) && password == known_password {
                true => (1, self.issue(role, name)),
                false => (2, refusal()),
            };
        Response::json(200, "application/json; charset=utf-8", &answer)
            .outcome(format!("CodigoRetorno={code}"))
    }
}

impl Broker {
    pub fn new(rules: Rules) -> Self {
        Self {
            rules,
            tokens: HashMap::new(),
            partner_id: guid(),
            user_id: guid(),
        }
    }

    fn role(&self, token: &str) -> Option<Role> {
        let (role, end) = self.tokens.get(token)?;
        (*end > self.rules.now()).then_some(*role)
    }

    fn issue(&mut self, role: Role, name: &str) -> Value {
        let now = self.rules.now();
        let lifetime = self.rules.lifetime(LIFETIME);
        let (id, level) = match role {
            Role::Partner => (&self.partner_id, 1),
            Role::Establishment => (&self.user_id, 0),
        };
        let token = jwt(
            &json!({"alg": "HS256", "typ": "JWT"}),
            &json!({
                "nameid": id,
                "unique_name": name,
                "jti": random_hex(32),
                "nbf": now / SECOND,
                "exp": (now + lifetime) / SECOND,
                "iat": now / SECOND,
            }),
            32,
        );
        let establishment = i32::from(role == Role::Establishment);
        let answer = json!({
            "Created": now / SECOND,
            "Expires_In": seconds(lifetime),
            "Access_Token": token,
            "UserId": id,
            "Token_Type": "Bearer",
            "RoleLevel": level,
            "IdEstabelecimento": 4711 * establishment,
            "IdDispositivo": 12 * establishment,
            "IdEstabelecimentoOperador": 34 * establishment,
            "CodigoRetorno": 1,
            "MensagemRetorno": "Autenticação efetuada com sucesso",
        });
        self.tokens.insert(token, (role, now + lifetime));
        answer
    }
}

/// The same members with nothing in them, as a .NET class without values is written.
fn refusal() -> Value {
    json!({
        "Created": 0,
        "Expires_In": 0,
        "Access_Token": null,
        "UserId": "00000000-0000-0000-0000-000000000000",
        "Token_Type": null,
        "RoleLevel": 0,
        "IdEstabelecimento": 0,
        "IdDispositivo": 0,
        "IdEstabelecimentoOperador": 0,
        "CodigoRetorno": 2,
        "MensagemRetorno": "Usuário ou senha inválidos",
    })
}
