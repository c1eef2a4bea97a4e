//! The server that the measurements talk to: the logins of Gluocrm and HelloCloud over http and over https, quick
//! enough not to hide what a client costs. The challenge is always the same, so that a client that cannot compute
//! can log in with a hash made beforehand; the hash is checked.
//!
//! `server FOLDER [DELAY_MS]` writes the authority's certificate to `FOLDER/ca.pem`, prints one JSON object with the
//! URLs, and serves until its stdin ends. `GET /counts` tells how many connections and requests there were. For what
//! passes answers on, `/1k` is a small one, `/down/N` one of N MiB, and `/up` takes a body of any size.

use std::cell::Cell;
use std::convert::Infallible;
use std::error::Error;
use std::io::Read;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crmauth::secret::md5_hex;
use http_body_util::{BodyExt, Either, Full, StreamBody};
use hyper::body::{Body, Bytes, Frame, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The one access key.
const ACCESS_KEY: &str = "chave-de-acesso";
/// The one challenge.
const CHALLENGE: &str = "5f8b1c6d2a9e4";

/// A large body's parts.
const PART: usize = 64 * 1024;

/// What all connections share.
struct State {
    delay: Duration,
    key: String,
    connections: Cell<u64>,
    requests: Cell<u64>,
}

type Result<T> = std::result::Result<T, Box<dyn Error>>;

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().collect();
    let folder = arguments.get(1).ok_or("usage: server FOLDER [DELAY_MS]")?;
    let delay = arguments.get(2).map_or(Ok(0), |text| text.parse())?;
    let state = Rc::new(State {
        delay: Duration::from_millis(delay),
        key: md5_hex(&[CHALLENGE, ACCESS_KEY]).expose().to_owned(),
        connections: Cell::new(0),
        requests: Cell::new(0),
    });
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    tokio::task::LocalSet::new().block_on(&runtime, serve(state, folder))
}

async fn serve(state: Rc<State>, folder: &str) -> Result<()> {
    let tls = TlsAcceptor::from(identity(folder)?);
    let (plain, secure) = (
        TcpListener::bind(("127.0.0.1", 0)).await?,
        TcpListener::bind(("127.0.0.1", 0)).await?,
    );
    let urls = serde_json::json!({
        "http": format!("http://{}", plain.local_addr()?),
        "https": format!("https://localhost:{}", secure.local_addr()?.port()),
        "access_key": ACCESS_KEY,
        "hash": state.key,
    });
    announce(&urls.to_string())?;
    let (tell, mut end) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        let _ = tell.send(());
    });
    loop {
        tokio::select! {
            accepted = plain.accept() => {
                let stream = accepted?.0;
                stream.set_nodelay(true)?;
                tokio::task::spawn_local(converse(stream, Rc::clone(&state)));
            }
            accepted = secure.accept() => {
                let (stream, state, tls) = (accepted?.0, Rc::clone(&state), tls.clone());
                stream.set_nodelay(true)?;
                tokio::task::spawn_local(async move {
                    // Whoever does not like our certificate goes away.
                    if let Ok(stream) = tls.accept(stream).await {
                        converse(stream, state).await;
                    }
                });
            }
            _ = &mut end => return Ok(()),
        }
    }
}

#[expect(
    clippy::print_stdout,
    reason = "whoever starts the server reads its stdout"
)]
fn announce(line: &str) -> Result<()> {
    println!("{line}");
    Ok(std::io::Write::flush(&mut std::io::stdout())?)
}

async fn converse(stream: impl AsyncRead + AsyncWrite + Unpin + 'static, state: Rc<State>) {
    state.connections.set(state.connections.get() + 1);
    let service = service_fn(move |request| exchange(request, Rc::clone(&state)));
    // A client that goes away is no concern of the server's.
    let _ = http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn exchange(
    request: Request<Incoming>,
    state: Rc<State>,
) -> std::result::Result<
    Response<impl Body<Data = Bytes, Error = Box<dyn Error + Send + Sync>>>,
    Infallible,
> {
    if let Some(mebibytes) = request.uri().path().strip_prefix("/down/") {
        let parts = mebibytes.parse().unwrap_or(1) * (1024 * 1024 / PART);
        let part = Bytes::from(vec![b'x'; PART]);
        let body =
            std::iter::repeat_n(part, parts).map(|part| Ok::<_, Infallible>(Frame::data(part)));
        let body = StreamBody::new(futures_util::stream::iter(body));
        let mut answer = Response::new(Either::Right(body));
        answer
            .headers_mut()
            .insert(hyper::header::CONTENT_LENGTH, (parts * PART).into());
        return Ok(answer);
    }
    small(request, state)
        .await
        .map(|answer| answer.map(Either::Left))
}

async fn small(
    request: Request<Incoming>,
    state: Rc<State>,
) -> std::result::Result<Response<Full<Bytes>>, Infallible> {
    let (head, mut body) = request.into_parts();
    match head.uri.path() {
        "/counts" => {
            let counts = [state.connections.get() - 1, state.requests.get()];
            let counts = serde_json::json!(counts).to_string();
            return Ok(answer(StatusCode::OK, counts));
        }
        "/1k" => {
            return Ok(answer(
                StatusCode::OK,
                format!("[\"{}\"]", "x".repeat(1020)),
            ));
        }
        "/up" => {
            let mut length = 0;
            while let Some(Ok(frame)) = body.frame().await {
                length += frame.data_ref().map_or(0, Bytes::len);
            }
            return Ok(answer(StatusCode::OK, length.to_string()));
        }
        _ => {}
    }
    state.requests.set(state.requests.get() + 1);
    let body = body
        .collect()
        .await
        .map(|body| body.to_bytes())
        .unwrap_or_default();
    // No time at all would still be a tick of the clock, a millisecond.
    if !state.delay.is_zero() {
        tokio::time::sleep(state.delay).await;
    }
    let challenge = head
        .uri
        .query()
        .is_some_and(|query| query.contains("operation=getchallenge"));
    Ok(match (head.uri.path(), challenge) {
        ("/webservice.php", true) => {
            let now = jiff::Timestamp::now().as_second();
            let result = serde_json::json!({
                "success": true,
                "result": { "token": CHALLENGE, "serverTime": now, "expireTime": now + 300 },
            });
            answer(StatusCode::OK, result.to_string())
        }
        ("/webservice.php", false) => answer(StatusCode::OK, logged_in(&body, &state.key)),
        ("/Api/access_token", _) => {
            let (access, refresh) = ("eyJ0eXAi".repeat(140), "def50200".repeat(90));
            let result = serde_json::json!({
                "token_type": "Bearer", "expires_in": 3600, "access_token": access, "refresh_token": refresh,
            });
            answer(StatusCode::OK, result.to_string())
        }
        _ => answer(StatusCode::NOT_FOUND, String::new()),
    })
}

fn logged_in(body: &[u8], key: &str) -> String {
    let right = ["accessKey=", key].concat();
    if String::from_utf8_lossy(body)
        .split('&')
        .any(|field| field == right)
    {
        return serde_json::json!({
            "success": true,
            "result": {
                "sessionName": "1eaf6c9d5d7a558d1e0f2", "userId": "19x1", "version": "0.22",
                "vtigerVersion": "8.0.0",
            },
        })
        .to_string();
    }
    r#"{"success":false,"error":{"code":"INVALID_USER_CREDENTIALS","message":"Invalid username or password"}}"#
        .to_owned()
}

fn answer(status: StatusCode, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::from(body));
    *response.status_mut() = status;
    response.headers_mut().insert(
        hyper::header::CONTENT_TYPE,
        hyper::header::HeaderValue::from_static("application/json"),
    );
    response
}

/// A certificate for `localhost` under an authority of its own, whose certificate is written into `folder`.
fn identity(folder: &str) -> Result<Arc<rustls::ServerConfig>> {
    let mut params = CertificateParams::new(Vec::new())?;
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    // OpenSSL tells the one who signs from the one who is signed by their names.
    params
        .distinguished_name
        .push(DnType::CommonName, "crmauth bench authority");
    let key = KeyPair::generate()?;
    std::fs::write(format!("{folder}/ca.pem"), params.self_signed(&key)?.pem())?;
    let issuer = Issuer::new(params, key);
    let key = KeyPair::generate()?;
    let certificate = CertificateParams::new(["localhost".to_owned()])?.signed_by(&key, &issuer)?;
    let ring = Arc::new(rustls::crypto::ring::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(ring)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )?;
    Ok(Arc::new(config))
}
