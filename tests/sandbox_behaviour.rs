//! What no single exchange shows: what one request does to the next, and what time does.

use std::io::Write;
use std::net::Shutdown;
use std::time::Duration;

use crmauth::secret::{md5_hex, percent};
use crmauth::session::check_token;
use serde_json::{Value, json};

use crate::support::raw::{self, Reply, Request};
use crate::support::sandbox::{EPOCH, Servers};
use crate::support::stored::systems;

const TESTE: &str = "46070D4BF934FB0D4B06D9E2C46E346944E322444900A435D7D9A95E6D7435F5";
const NEW: &str = "EB078EB1ABFC9722EBAB9BA3DD303AFD37DD1AE50A791CBA16ABEE0A727029DF";

fn token(answer: &Value, pointer: &str) -> String {
    let token = answer.pointer(pointer).and_then(Value::as_str);
    let token = token.unwrap_or_else(|| panic!("no {pointer} in {answer}"));
    check_token(token).expect("a token that crmauth takes");
    token.to_owned()
}

mod gluo {
    use super::*;

    fn challenge(servers: &Servers, user: &str) -> String {
        let target = format!("/webservice.php?operation=getchallenge&username={user}");
        let answer = servers.call("gluo", "GET", &target, None).json();
        let token = token(&answer, "/result/token");
        assert_eq!(token.len(), 13);
        assert!(token.bytes().all(|b| b.is_ascii_hexdigit()));
        token
    }

    fn post(servers: &Servers, target: &str, form: &str) -> Reply {
        let media = "application/x-www-form-urlencoded".to_owned();
        let request = Request {
            method: "POST",
            target,
            headers: vec![("Content-Type", media)],
            body: Some(form.as_bytes().to_vec()),
        };
        raw::send(servers.host("gluo"), &request)
    }

    fn login(servers: &Servers, challenge: &str) -> Value {
        let hash = md5_hex(&[challenge, servers.setting("GLUO_ACCESS_KEY")]);
        let form = format!("operation=login&username=admin&accessKey={}", hash.expose());
        post(servers, "/webservice.php", &form).json()
    }

    fn alive(servers: &Servers, session: &str) -> bool {
        let target = format!("/webservice.php?operation=listtypes&sessionName={session}");
        servers.call("gluo", "GET", &target, None).json()["success"] == true
    }

    #[test]
    fn a_new_challenge_replaces_the_old_one_whatever_the_case_of_the_name() {
        let servers = Servers::start();
        let first = challenge(&servers, "admin");
        let second = challenge(&servers, "ADMIN");
        assert_ne!(first, second);
        assert_eq!(
            login(&servers, &first)["error"]["code"],
            "INVALID_USER_CREDENTIALS"
        );
        assert_eq!(login(&servers, &second)["success"], true);
    }

    #[test]
    fn accents_do_not_count() {
        let servers = Servers::start();
        challenge(&servers, "Jose%20Muller");
    }

    #[test]
    fn sessions_live_side_by_side_until_they_are_idle() {
        let servers = Servers::start();
        let first = token(
            &login(&servers, &challenge(&servers, "admin")),
            "/result/sessionName",
        );
        let second = token(
            &login(&servers, &challenge(&servers, "admin")),
            "/result/sessionName",
        );
        servers.advance(20 * 60);
        assert!(alive(&servers, &first));
        servers.advance(20 * 60);
        assert!(alive(&servers, &first));
        assert!(!alive(&servers, &second));
    }

    #[test]
    fn extending_is_a_use_and_wants_its_operation_in_the_body() {
        let servers = Servers::start();
        let answer = login(&servers, &challenge(&servers, "admin"));
        let session = token(&answer, "/result/sessionName");
        servers.advance(20 * 60);
        let form = format!("sessionName={session}");
        let answer = post(&servers, "/webservice.php?operation=extendsession", &form).json();
        assert_eq!(answer["error"]["code"], "AUTHENTICATION_REQUIRED");
        let form = format!("operation=extendsession&{form}");
        let answer = post(&servers, "/webservice.php", &form).json();
        assert_eq!(answer["result"]["sessionName"], session);
        servers.advance(20 * 60);
        assert!(alive(&servers, &session));
    }

    #[test]
    fn a_crash_speaks_http_1_0_and_logout_ends_nothing() {
        let servers = Servers::start();
        let answer = login(&servers, &challenge(&servers, "admin"));
        let session = token(&answer, "/result/sessionName");
        let form = format!("operation=logout&sessionName={session}");
        let reply = post(&servers, "/webservice.php", &form);
        assert_eq!((reply.version.as_str(), reply.status), ("HTTP/1.0", 500));
        assert!(alive(&servers, &session));
    }

    #[test]
    fn only_the_installed_folders_have_the_service() {
        let servers = Servers::start();
        let call = |folder: &str| {
            let target = format!("{folder}/webservice.php?operation=getchallenge&username=admin");
            servers.call("gluo", "GET", &target, None)
        };
        for folder in ["", "/crm"] {
            assert_eq!(call(folder).json()["success"], true, "{folder}");
        }
        for folder in ["/a/b", "/nada", "/crm/crm", "/x/crm"] {
            let reply = call(folder);
            assert_eq!(
                (reply.status, reply.header("Content-Type")),
                (404, Some("text/html; charset=iso-8859-1")),
                "{folder}"
            );
        }
        assert_eq!(servers.call("gluo", "GET", "/", None).status, 200);
    }
}

mod hellocloud {
    use super::*;

    fn grant(servers: &Servers, target: &str, fields: Value) -> Reply {
        let mut body = json!({
            "client_id": servers.setting("HELLOCLOUD_CLIENT_ID"),
            "client_secret": servers.setting("HELLOCLOUD_CLIENT_SECRET"),
        });
        for (name, value) in fields.as_object().expect("fields") {
            body[name] = value.clone();
        }
        servers.json("hellocloud", "POST", target, None, &body)
    }

    fn login(servers: &Servers) -> Value {
        let fields = json!({
            "grant_type": "password",
            "username": servers.setting("HELLOCLOUD_USERNAME"),
            "password": servers.setting("HELLOCLOUD_PASSWORD"),
        });
        grant(servers, "/Api/access_token", fields).json()
    }

    fn refresh(servers: &Servers, answer: &Value) -> Reply {
        let fields =
            json!({"grant_type": "refresh_token", "refresh_token": answer["refresh_token"]});
        grant(servers, "/Api/access_token", fields)
    }

    fn status(servers: &Servers, answer: &Value) -> u16 {
        let access = token(answer, "/access_token");
        let call = servers.call("hellocloud", "GET", "/Api/V8/current-user", Some(&access));
        call.status
    }

    #[test]
    fn a_refresh_ends_both_old_tokens_and_reuse_harms_nobody() {
        let servers = Servers::start();
        let old = login(&servers);
        token(&old, "/refresh_token");
        let new = refresh(&servers, &old).json();
        assert_eq!((status(&servers, &old), status(&servers, &new)), (401, 200));
        let reuse = refresh(&servers, &old);
        assert_eq!(
            (reuse.status, &reuse.json()["error"]),
            (401, &json!("invalid_request"))
        );
        assert_eq!(status(&servers, &new), 200);
        assert_eq!(refresh(&servers, &new).status, 200);
    }

    #[test]
    fn a_refresh_works_for_a_month_after_the_access_token_has_died() {
        let servers = Servers::start();
        let old = login(&servers);
        servers.advance(3599);
        assert_eq!(status(&servers, &old), 200);
        servers.advance(1);
        assert_eq!(status(&servers, &old), 401);
        let new = refresh(&servers, &old).json();
        assert_eq!(status(&servers, &new), 200);
        servers.advance(30 * 86_400);
        assert_eq!(refresh(&servers, &new).json()["hint"], "Token has expired");
    }

    #[test]
    fn a_refused_scope_spends_no_refresh_token() {
        let servers = Servers::start();
        let old = login(&servers);
        let fields = json!({
            "grant_type": "refresh_token",
            "refresh_token": old["refresh_token"],
            "scope": "all",
        });
        let refused = grant(&servers, "/Api/access_token", fields);
        assert_eq!(
            (refused.status, &refused.json()["error"]),
            (400, &json!("invalid_scope"))
        );
        assert_eq!(refresh(&servers, &old).status, 200);
    }

    #[test]
    fn every_path_that_a_suitecrm_may_have() {
        let servers = Servers::start();
        let machine = |target: &str| {
            let fields = json!({
                "grant_type": "client_credentials",
                "client_id": servers.setting("HELLOCLOUD__MAQUINA__CLIENT_ID"),
                "client_secret": servers.setting("HELLOCLOUD__MAQUINA__CLIENT_SECRET"),
            });
            grant(&servers, target, fields)
        };
        for target in [
            "/Api/access_token",
            "/Api/index.php/access_token",
            "/legacy/Api/access_token",
            "/legacy/Api/index.php/access_token",
        ] {
            assert_eq!(status(&servers, &machine(target).json()), 200, "{target}");
        }
        for target in ["/api/access_token", "/Api/token", "/access_token"] {
            let reply = machine(target);
            assert_eq!(reply.status, 404, "{target}");
            assert!(reply.text().contains("<h1>"), "{target}");
        }
    }
}

mod systemsway {
    use super::*;

    fn login(servers: &Servers, user: &str, hash: &str) -> Value {
        let body = json!({"User": user, "Passwd": hash});
        servers
            .json("systemsway", "POST", "/api/main", None, &body)
            .json()
    }

    fn seat(servers: &Servers, user: &str, hash: &str) -> String {
        let answer = login(servers, user, hash);
        assert_eq!(answer["Status"], "OK", "{answer}");
        token(&answer, "/IDSessao")
    }

    fn users(servers: &Servers, session: &str) -> Value {
        let target = format!("/api/Usuario/{session}");
        servers.call("systemsway", "GET", &target, None).json()
    }

    fn manage(servers: &Servers, method: &str, session: &str, query: &str, body: Value) -> Value {
        let target = format!("/api/Usuario/{session}{query}");
        servers
            .json("systemsway", method, &target, None, &body)
            .json()
    }

    #[test]
    fn a_login_takes_the_only_seat() {
        let servers = Servers::start();
        let first = seat(&servers, "admin", TESTE);
        assert!(users(&servers, &first).is_array());
        let other = seat(&servers, "user2", TESTE);
        let second = seat(&servers, "admin", &TESTE.to_lowercase());
        assert_eq!(users(&servers, &first)["Status"], "ERROR");
        assert!(users(&servers, &second).is_array());
        assert!(users(&servers, &other).is_array());
        assert_eq!(login(&servers, "admin", NEW)["Status"], "ERROR");
        assert!(users(&servers, &second).is_array());
    }

    #[test]
    fn a_new_user_can_log_in_and_a_deleted_one_cannot() {
        let servers = Servers::start();
        let admin = seat(&servers, "admin", TESTE);
        let user = json!({"UserName": "user3", "PassWord": NEW, "Ativo": "true"});
        assert_eq!(manage(&servers, "POST", &admin, "", user)["Status"], "OK");
        let session = seat(&servers, "user3", NEW);
        let id = users(&servers, &admin)
            .as_array()
            .expect("a list")
            .last()
            .expect("a user")["Id"]
            .clone();
        let query = format!("?id={}", id.as_str().expect("a text"));
        assert_eq!(
            manage(&servers, "DELETE", &admin, &query, Value::Null)["Status"],
            "OK"
        );
        assert_eq!(users(&servers, &session)["Status"], "ERROR");
        assert_eq!(login(&servers, "user3", NEW)["Status"], "ERROR");
        let list = users(&servers, &admin);
        assert_eq!(
            list.as_array()
                .and_then(|list| list.last())
                .expect("a user")["Ativo"],
            "false"
        );
    }

    #[test]
    fn a_change_without_ativo_deactivates() {
        let servers = Servers::start();
        let admin = seat(&servers, "admin", TESTE);
        let user = seat(&servers, "user2", TESTE);
        let change = json!({"PassWord": NEW});
        assert_eq!(
            manage(&servers, "PUT", &admin, "?id=2", change)["Status"],
            "OK"
        );
        assert_eq!(users(&servers, &user)["Status"], "ERROR");
        assert_eq!(login(&servers, "user2", NEW)["Status"], "ERROR");
        let change = json!({"Ativo": "true"});
        assert_eq!(
            manage(&servers, "PUT", &admin, "?id=2", change)["Status"],
            "OK"
        );
        seat(&servers, "user2", NEW);
    }

    #[test]
    fn changing_oneself_ends_ones_own_session() {
        let servers = Servers::start();
        let admin = seat(&servers, "admin", TESTE);
        let change = json!({"UserName": "chefe", "Ativo": true});
        assert_eq!(
            manage(&servers, "PUT", &admin, "?id=1", change)["Status"],
            "OK"
        );
        assert_eq!(users(&servers, &admin)["Status"], "ERROR");
        seat(&servers, "chefe", TESTE);
    }

    #[test]
    fn nobody_reaches_into_another_company() {
        let servers = Servers::start();
        let admin = seat(&servers, "admin", TESTE);
        let names = users(&servers, &admin).to_string();
        assert!(!names.contains("fechada"), "{names}");
        for query in ["", "?id=4", "?id=0", "?id=99", "?id=x"] {
            let answer = manage(&servers, "PUT", &admin, query, json!({"Ativo": "true"}));
            assert_eq!(answer["Status"], "ERROR", "{query}");
        }
        let target = format!("/api/Usuario/{admin}?id=0");
        let nobody = servers.call("systemsway", "GET", &target, None).json();
        assert_eq!(nobody, json!([]));
    }
}

mod broker {
    use super::*;

    fn partner(servers: &Servers) -> Value {
        let body = json!({
            "UserName": servers.setting("BROKER_PARTNER_USERNAME"),
            "Password": servers.setting("BROKER_PARTNER_PASSWORD"),
        });
        servers
            .json("broker", "POST", "/api/Autenticacao/login", None, &body)
            .json()
    }

    fn establishment(servers: &Servers, partner: Option<&str>, password: &str) -> Reply {
        let body = json!({"UserName": servers.setting("BROKER_USERNAME"), "Password": password});
        let target = "/api/broker/estabelecimento/login";
        servers.json("broker", "POST", target, partner, &body)
    }

    #[test]
    fn the_establishment_needs_its_partner() {
        let servers = Servers::start();
        let partner = token(&partner(&servers), "/Access_Token");
        assert_eq!(establishment(&servers, None, "123456").status, 401);
        assert_eq!(establishment(&servers, Some("x"), "123456").status, 401);
        let reply = establishment(&servers, Some(&partner), "123456");
        assert_eq!(reply.status, 200);
        let answer = reply.json();
        assert_eq!(
            (&answer["Created"], &answer["Expires_In"]),
            (&json!(EPOCH), &json!(3600))
        );
        let own = token(&answer, "/Access_Token");
        assert_eq!(establishment(&servers, Some(&own), "123456").status, 403);
        servers.advance(3600);
        assert_eq!(
            establishment(&servers, Some(&partner), "123456").status,
            401
        );
    }

    #[test]
    fn a_refusal_is_http_200() {
        let servers = Servers::start();
        let partner = token(&partner(&servers), "/Access_Token");
        let reply = establishment(&servers, Some(&partner), "654321");
        assert_eq!(reply.status, 200);
        let answer = reply.json();
        assert_eq!(
            (&answer["CodigoRetorno"], &answer["Access_Token"]),
            (&json!(2), &Value::Null)
        );
    }
}

mod zeev {
    use super::*;

    fn login(servers: &Servers, login: &str, password: &str) -> Reply {
        let body = json!({"login": login, "password": password});
        servers.json("zeev", "POST", "/api/2/tokens", None, &body)
    }

    fn integration(servers: &Servers) -> String {
        let reply = login(
            servers,
            servers.setting("ZEEV_USERNAME"),
            servers.setting("ZEEV_PASSWORD"),
        );
        token(&reply.json(), "/temporaryToken")
    }

    fn impersonate(servers: &Servers, bearer: &str, whom: &str) -> Reply {
        let target = format!("/api/2/tokens/impersonate/{whom}");
        servers.call("zeev", "GET", &target, Some(bearer))
    }

    #[test]
    fn impersonation() {
        let servers = Servers::start();
        let bearer = integration(&servers);
        let maria = impersonate(&servers, &bearer, "2").json();
        assert_eq!(maria["current"]["username"], "integracao");
        let maria = token(&maria, "/impersonate/temporaryToken");
        let who = servers
            .call("zeev", "GET", "/api/2/tokens", Some(&maria))
            .json();
        assert_eq!(who["username"], "maria.souza");
        assert_eq!(impersonate(&servers, &maria, "1").status, 403);
        assert_eq!(impersonate(&servers, &maria, "").status, 404);
        let odd = impersonate(&servers, &bearer, &percent("josé araújo/filial@sul"));
        assert_eq!(odd.json()["impersonate"]["id"], 3);
        for nobody in ["99", "ninguem", "maria.souza/2", ""] {
            let reply = impersonate(&servers, &bearer, nobody);
            assert_eq!(reply.status, 404, "{nobody}");
            assert!(reply.json()["message"].is_string());
        }
        assert_eq!(impersonate(&servers, "x", "2").status, 401);
    }

    #[test]
    fn refusals() {
        let servers = Servers::start();
        assert_eq!(login(&servers, "integracao", "x").status, 401);
        assert_eq!(login(&servers, "ninguem", "x").status, 401);
        assert_eq!(login(&servers, "integracao", "").status, 400);
        assert_eq!(
            servers.call("zeev", "GET", "/api/2/tokens", None).status,
            401
        );
        assert_eq!(servers.call("zeev", "GET", "/api/2", None).status, 404);
    }

    #[test]
    fn a_temporary_token_lives_ten_minutes_and_renews_itself_and_a_permanent_one_stays() {
        let servers = Servers::start();
        let old = integration(&servers);
        let status = |bearer: &str| {
            servers
                .call("zeev", "GET", "/api/2/tokens", Some(bearer))
                .status
        };
        servers.advance(599);
        let answer = servers
            .call("zeev", "GET", "/api/2/tokens", Some(&old))
            .json();
        let new = token(&answer, "/temporaryToken");
        assert_ne!(old, new);
        servers.advance(1);
        assert_eq!((status(&old), status(&new)), (401, 200));
        servers.advance(86_400);
        assert_eq!(status(&new), 401);
        assert_eq!(status(servers.setting("ZEEV__ROBO__API_TOKEN")), 200);
    }
}

#[test]
fn a_ttl_shortens_every_session() {
    let servers = Servers::with_ttl(Some(Duration::from_secs(5)));
    let body = json!({"login": "integracao", "password": servers.setting("ZEEV_PASSWORD")});
    let zeev = servers
        .json("zeev", "POST", "/api/2/tokens", None, &body)
        .json();
    let zeev = token(&zeev, "/temporaryToken");
    let body = json!({"User": "admin", "Passwd": TESTE});
    let seat = servers
        .json("systemsway", "POST", "/api/main", None, &body)
        .json();
    let seat = format!("/api/Usuario/{}?id=0", token(&seat, "/IDSessao"));
    let body = json!({
        "grant_type": "client_credentials",
        "client_id": servers.setting("HELLOCLOUD__MAQUINA__CLIENT_ID"),
        "client_secret": servers.setting("HELLOCLOUD__MAQUINA__CLIENT_SECRET"),
    });
    let cloud = servers
        .json("hellocloud", "POST", "/Api/access_token", None, &body)
        .json();
    assert_eq!(cloud["expires_in"], 5);
    let cloud = token(&cloud, "/access_token");
    let alive = || {
        [
            servers
                .call("zeev", "GET", "/api/2/tokens", Some(&zeev))
                .status
                == 200,
            servers
                .call("systemsway", "GET", &seat, None)
                .json()
                .is_array(),
            servers
                .call("hellocloud", "GET", "/Api/V8/meta/modules", Some(&cloud))
                .status
                == 200,
        ]
    };
    assert_eq!(alive(), [true; 3]);
    servers.advance(5);
    assert_eq!(alive(), [false; 3]);
}

#[test]
fn the_log_tells_of_each_request_and_holds_no_secret() {
    let servers = Servers::start();
    servers.call(
        "gluo",
        "GET",
        "/webservice.php?operation=getchallenge&username=admin",
        None,
    );
    servers.call("gluo", "GET", "/webservice.php?operation=segredo", None);
    let body = json!({"User": "admin", "Passwd": TESTE});
    let answer = servers.json("systemsway", "POST", "/api/main", None, &body);
    let session = token(&answer.json(), "/IDSessao");
    servers.call(
        "systemsway",
        "GET",
        &format!("/api/Usuario/{session}"),
        None,
    );
    let body = json!({"grant_type": "password", "client_id": "x"});
    servers.json("hellocloud", "POST", "/Api/access_token", None, &body);
    let events = servers.events();
    let lines: Vec<&str> = events.iter().map(|event| event.line.as_str()).collect();
    assert_eq!(
        lines,
        [
            "gluo GET /webservice.php operation=getchallenge → 200 ok",
            "gluo GET /webservice.php → 500",
            "systemsway POST /api/main → 200 OK",
            "systemsway GET /api/Usuario/… → 200",
            "hellocloud POST /Api/access_token grant_type=password → 500 unknown_error",
        ]
    );
    assert_eq!(events[0].query, "operation=getchallenge&username=admin");
    assert!(events[3].path.ends_with(&session));
    assert_eq!(events[4].status, 500);
}

#[test]
fn a_body_above_a_mebibyte_is_too_large() {
    let servers = Servers::start();
    let body = json!({"User": "x".repeat(1024 * 1024)});
    let reply = servers.json("systemsway", "POST", "/api/main", None, &body);
    assert_eq!(reply.status, 413);
    let body = json!({"User": "x".repeat(1024 * 1000)});
    let reply = servers.json("systemsway", "POST", "/api/main", None, &body);
    assert_eq!(reply.status, 200);
}

#[test]
fn a_body_that_is_cut_or_no_chunks_is_a_bad_request() {
    let servers = Servers::start();
    for (header, value, body) in [
        ("Transfer-Encoding", "chunked", "zz\r\n"),
        ("Content-Length", "9", "{}"),
    ] {
        let request = Request {
            method: "POST",
            target: "/api/main",
            headers: vec![(header, value.to_owned())],
            body: None,
        };
        let mut stream = raw::begin(servers.host("systemsway"), &request);
        stream.write_all(body.as_bytes()).expect("a reader");
        stream.shutdown(Shutdown::Write).expect("an open stream");
        assert_eq!(raw::receive(stream).status, 400, "{header}");
    }
}

#[test]
fn every_demo_account_has_a_url_on_loopback() {
    let servers = Servers::start();
    for system in systems() {
        assert!(servers.host(system).starts_with("127.0.0.1:"), "{system}");
        let reply = servers.call(system, "GET", "/nothing", None);
        assert_eq!(reply.status, 404, "{system}");
        assert!(reply.header("Date").is_some(), "{system}");
    }
}
