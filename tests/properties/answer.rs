//! Whatever a server answers: each provider's own protocol, over a real connection, comes to a session that can
//! be used or to an error of the contract that shows nothing of what was sent.

use std::rc::Rc;
use std::time::Duration;

use crmauth::declaration::{self, Alternatives, BaseUrl, Kind, Settings, Spec, Target};
use crmauth::error::Error;
use crmauth::http::{Channel, Http, Proxies};
use crmauth::output::{Entry, Format, Shape};
use crmauth::provider::{self, Context, Provider, Renewed, Role, System};
use crmauth::report::Report;
use crmauth::secret::Secret;
use crmauth::session::{Session, check_token};
use crmauth::tls::Trust;
use jiff::{SignedDuration, Timestamp};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;

use super::forms::readable;
use super::{CANARY, shown, silent};

/// What separates two answers.
const NEXT: u8 = 0x1e;
/// Shorter than the pause before a repetition, so that none is waited for.
const LIMIT: Duration = Duration::from_millis(190);
/// No verb of any provider asks more often: two ways with one repetition each.
const REQUESTS_MAX: usize = 8;
const TEN_YEARS: SignedDuration = SignedDuration::from_hours(24 * 3653);

thread_local! {
    static RUNTIME: tokio::runtime::Runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
}

/// The first byte chooses the provider and what it does; then come the answers, each whole (`HTTP/…`) or a body
/// alone. The last one stands for all that follow.
pub fn holds(data: &[u8]) {
    let Some((choice, answers)) = data.split_first() else {
        return;
    };
    let providers = provider::ALL.len();
    let provider = provider::ALL[usize::from(*choice) % providers];
    let verb = usize::from(*choice) / providers % 5;
    let answers: Vec<Vec<u8>> = answers.split(|byte| *byte == NEXT).map(whole).collect();
    RUNTIME.with(|runtime| {
        runtime.block_on(tokio::task::LocalSet::new().run_until(play(provider, verb, &answers)));
    });
}

/// A body gets the head that a real server would send with it.
fn whole(answer: &[u8]) -> Vec<u8> {
    if answer.starts_with(b"HTTP/") {
        return answer.to_vec();
    }
    let head = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n",
        answer.len()
    );
    [head.as_bytes(), answer].concat()
}

async fn play(provider: System, verb: usize, answers: &[Vec<u8>]) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address");
    let url = BaseUrl::parse(&format!("http://{address}/crm")).expect("a URL");
    let spec = provider.spec();
    let settings = Settings::new(Target::new(spec, None), url, values(spec));
    let http = Http::new(Proxies::default(), Rc::new(Trust::default()), LIMIT);
    let report = silent();
    let prior = held();
    // As the app does with what it hands over.
    settings
        .secrets()
        .chain([&prior.token])
        .chain(&prior.refresh)
        .for_each(|secret| report.learn(secret));
    let channel = Channel {
        http: &http,
        report: &report,
        settings: &settings,
        deadline: Instant::now() + LIMIT,
        timeout: LIMIT,
    };
    let role = if verb == 4 && spec.impersonation {
        Role::As("bia".to_owned())
    } else {
        Role::User
    };
    let context = Context {
        settings: &settings,
        role,
        prerequisite: Some(&prior),
        channel,
    };
    let work = async {
        match verb {
            1 => provider
                .renew(&context, &prior)
                .await
                .map(|renewed| match renewed {
                    Renewed::Session(session) => Some(*session),
                    Renewed::Refused | Renewed::Impossible => None,
                }),
            2 => provider.check(&context, &prior).await.map(|_| None),
            3 => provider.revoke(&context, &prior).await.map(|_| None),
            _ => provider.login(&context).await.map(Some),
        }
    };
    tokio::select! {
        outcome = work => match outcome {
            Ok(Some(session)) => good(&settings, &session),
            Ok(None) => {}
            Err(error) => bad(&report, &settings, &error),
        },
        () = serve(&listener, answers) => unreachable!("it serves for ever"),
    }
}

/// Every text setting is `ana`, every secret the canary; of several ways to log in the first one.
fn values(spec: &Spec) -> Vec<(&'static str, Secret)> {
    let mut values = Vec::new();
    for field in spec.fields {
        let later =
            |ways: &Alternatives| ways.ways[1..].iter().any(|way| way.contains(&field.name));
        let usual = match field.default {
            declaration::Default::None => None,
            declaration::Default::Value(value) | declaration::Default::IfSet(_, value, _) => {
                Some(value)
            }
        };
        let value = match field.kind {
            _ if spec.alternatives.iter().any(later) => None,
            Kind::Text => Some("ana"),
            Kind::Secret | Kind::Key => Some(CANARY),
            Kind::Token => Some("token-Zk7q9Xw2"),
            Kind::Choice(_) | Kind::Path | Kind::Url | Kind::Flag => usual,
        };
        values.extend(value.map(|value| (field.name, Secret::new(value.to_owned()))));
    }
    values
}

/// A session that was obtained before.
fn held() -> Session {
    let mut session = Session::new("held-Zk7q9Xw2", "Bearer").expect("a token");
    session.refresh = Some(Secret::new(CANARY.to_owned()));
    session.user = Some("ana".to_owned());
    session
}

async fn serve(listener: &TcpListener, answers: &[Vec<u8>]) {
    for request in 0.. {
        let Ok((mut stream, _)) = listener.accept().await else {
            continue;
        };
        assert!(request < REQUESTS_MAX, "a request is sent again and again");
        if take_request(&mut stream).await {
            let answer = answers.get(request).or(answers.last());
            // A client that has seen enough may be gone.
            let _ = stream.write_all(answer.map_or(&[], Vec::as_slice)).await;
            let _ = stream.shutdown().await;
        }
    }
}

/// Reads a request to its end, so that closing afterwards resets nothing.
async fn take_request(stream: &mut TcpStream) -> bool {
    let mut request = Vec::new();
    loop {
        let Ok(1..) = stream.read_buf(&mut request).await else {
            return false;
        };
        let text = String::from_utf8_lossy(&request).to_ascii_lowercase();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head
            .split("content-length: ")
            .nth(1)
            .and_then(|rest| rest.lines().next());
        if body.len() >= length.and_then(|digits| digits.parse().ok()).unwrap_or(0) {
            return true;
        }
    }
}

fn good(settings: &Settings, session: &Session) {
    check_token(session.token.expose()).expect("a token");
    let left = session
        .expires_at
        .map(|end| end.duration_since(session.obtained_at));
    assert!(
        left.is_none_or(|left| left.is_positive() && left <= TEN_YEARS),
        "{left:?}"
    );
    assert!(session.obtained_at <= Timestamp::now());
    for format in Format::ALL {
        let entry = Entry {
            target: &settings.target,
            url: &settings.url,
            session,
        };
        match format.write(&[Ok(entry)], &Shape::default()) {
            Ok(rendered) if format.name() == "json" => {
                let json: Value = serde_json::from_slice(&rendered.main).expect("JSON");
                assert_eq!(json["token"], session.token.expose());
            }
            Ok(_) => {}
            Err(error) => assert_eq!(error.cause.exit(), 2, "{}: {error:?}", format.name()),
        }
    }
}

fn bad(report: &Report, settings: &Settings, error: &Error) {
    assert!(matches!(error.cause.exit(), 4..=6), "{error:?}");
    for text in shown(report, error) {
        assert!(text.chars().count() <= 600, "too long: {text}");
        for secret in settings.secrets().chain([&held().token]) {
            assert!(
                !readable(&text, secret.expose()),
                "a secret is shown: {text}"
            );
        }
    }
}
