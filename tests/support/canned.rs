//! Answers of real servers, cut down to what a login reads.

use serde_json::json;

use super::Reply;

/// What [`gluo`] sends as its challenge.
pub const CHALLENGE: &str = "4b9d1c0f7e";

/// Gluocrm's two answers.
pub fn gluo(token: &str) -> Vec<Reply> {
    let challenge =
        json!({ "token": CHALLENGE, "serverTime": 1_795_000_000, "expireTime": 1_795_000_300 });
    let login = json!({ "sessionName": token, "userId": "19x1" });
    [challenge, login]
        .map(|result| ok(&json!({ "success": true, "result": result })))
        .into()
}

/// Gluocrm's answer to a request without a session.
pub fn gluo_knocked() -> Reply {
    ok(&json!({ "success": false, "error": { "code": "AUTHENTICATION_REQUIRED", "message": "" } }))
}

/// HelloCloud's answer to a request without a token.
pub fn hellocloud_knocked() -> Reply {
    let refusal = json!({ "error": "access_denied", "message": "no", "hint": "Missing \"Authorization\" header" });
    Reply::json(401, refusal.to_string())
}

/// Zeev's answer to a request without a token.
pub fn zeev_knocked() -> Reply {
    Reply::json(401, "{}")
}

/// SystemsWay's answer.
pub fn systemsway(token: &str) -> Reply {
    ok(&json!({ "Status": "OK", "IDSessao": token }))
}

/// HelloCloud's answer.
pub fn hellocloud(token: &str) -> Reply {
    ok(&json!({ "token_type": "Bearer", "expires_in": 3600, "access_token": token }))
}

/// Broker's answer.
pub fn broker(token: &str) -> Reply {
    ok(
        &json!({ "CodigoRetorno": 1, "Token_Type": "Bearer", "Access_Token": token, "Expires_In": 3600 }),
    )
}

/// Zeev's answer.
pub fn zeev(token: &str) -> Reply {
    ok(&json!({ "temporaryToken": token }))
}

/// Zeev's refusal, after which it hangs up without a word.
pub fn zeev_refuses() -> Reply {
    Reply::Last(b"HTTP/1.1 401 Scripted\r\nContent-Length: 2\r\n\r\n{}".to_vec())
}

fn ok(answer: &serde_json::Value) -> Reply {
    Reply::json(200, answer.to_string())
}
