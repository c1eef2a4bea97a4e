//! Broker: the partner's login, and the establishment's login that the partner's token opens.
//!
//! Paths and names are the seed's. It says that `CodigoRetorno` tells whether the login worked, so a refusal is HTTP
//! 200 and carries it. A missing or dead partner is 401, as ASP.NET answers before any code of the product runs.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::message::text;
use super::{Account, Request, Response, Rules, SECOND, System, jwt, random_hex, seconds};

pub(super) const ACCOUNT: Account = &[
    "BROKER_USERNAME=TesteBroker",
    "BROKER_PASSWORD=123456",
    "BROKER_PARTNER_USERNAME=parceiro.sandbox",
    "BROKER_PARTNER_PASSWORD=Sandbox-Parceiro-1",
];

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
}

impl System for Broker {
    fn new(rules: Rules) -> Self {
        let tokens = HashMap::new();
        Self { rules, tokens }
    }

    fn answer(&mut self, request: &Request) -> Response {
        let role = match request.path.to_ascii_lowercase().as_str() {
            "/api/autenticacao/login" => Role::Partner,
            "/api/broker/estabelecimento/login" => Role::Establishment,
            _ => return Response::empty(404),
        };
        if request.method != "POST" {
            return Response::empty(405).header("Allow", "POST");
        }
        if role == Role::Establishment {
            let refuse = |challenge| Response::empty(401).header("WWW-Authenticate", challenge);
            match request.bearer().map(|token| self.role(token)) {
                Some(Some(Role::Partner)) => {}
                Some(Some(Role::Establishment)) => return Response::empty(403),
                Some(None) => return refuse("Bearer error=\"invalid_token\""),
                None => return refuse("Bearer"),
            }
        }
        let body = request.json();
        let (Some(name), Some(password)) = (text(&body, "UserName"), text(&body, "Password"))
        else {
            let body = json!({"title": "One or more validation errors occurred.", "status": 400});
            let media = "application/problem+json; charset=utf-8";
            return Response::new(400, media, body.to_string());
        };
        let (known_name, known_password) = match role {
            Role::Partner => ("parceiro.sandbox", "Sandbox-Parceiro-1"),
            Role::Establishment => ("TesteBroker", "123456"),
        };
        if name.eq_ignore_ascii_case(known_name) && password == known_password {
            Response::json(200, &self.issue(role, name)).outcome("CodigoRetorno=1")
        } else {
            Response::json(200, &refusal()).outcome("CodigoRetorno=2")
        }
    }
}

impl Broker {
    fn role(&self, token: &str) -> Option<Role> {
        let (role, end) = self.tokens.get(token)?;
        (*end > self.rules.now()).then_some(*role)
    }

    fn issue(&mut self, role: Role, name: &str) -> Value {
        let now = self.rules.now();
        let lifetime = self.rules.lifetime(LIFETIME);
        let (id, level) = match role {
            Role::Partner => ("5b1d7f6a-3c84-4f0e-8a92-c01e9d24b7f3", 1),
            Role::Establishment => ("e07a92c4-61bd-4d3f-85e0-1f6c8b2a9d57", 0),
        };
        let (start, end) = (now / SECOND, (now + lifetime) / SECOND);
        let claims = json!({
            "nameid": id, "unique_name": name, "jti": random_hex(32),
            "nbf": start, "exp": end, "iat": start,
        });
        let token = jwt(&json!({"alg": "HS256", "typ": "JWT"}), &claims, 32);
        let own = i32::from(role == Role::Establishment);
        let answer = json!({
            "Created": start, "Expires_In": seconds(lifetime), "Access_Token": token,
            "UserId": id, "Token_Type": "Bearer", "RoleLevel": level,
            "IdEstabelecimento": 4711 * own, "IdDispositivo": 12 * own,
            "IdEstabelecimentoOperador": 34 * own,
            "CodigoRetorno": 1, "MensagemRetorno": "Autenticação efetuada com sucesso",
        });
        self.tokens.insert(token, (role, now + lifetime));
        answer
    }
}

/// The same members with nothing in them, as a .NET class without values is written.
fn refusal() -> Value {
    json!({
        "Created": 0, "Expires_In": 0, "Access_Token": null,
        "UserId": "00000000-0000-0000-0000-000000000000", "Token_Type": null, "RoleLevel": 0,
        "IdEstabelecimento": 0, "IdDispositivo": 0, "IdEstabelecimentoOperador": 0,
        "CodigoRetorno": 2, "MensagemRetorno": "Usuário ou senha inválidos",
    })
}
