//! One alert to one web server: a POST over a connection of its own, with limits on everything.
//!
//! Addresses come from the operator's own rules, so private ones are allowed. Redirects are not followed: what
//! an alert says is for the server that was named and for no other. Nothing of a URL but its server gets into
//! an error.

use super::queue::Blame;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper::header::{AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, USER_AGENT};
use hyper::{Request, Response, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use mtom_store::maria::chain;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// The head of an answer, and of its body, that is read at most, each, in bytes.
const ANSWER_LEN_MAX: usize = 64 * 1024;
/// Lets a receiver recognise what it has already.
const ID_HEADER: &str = "x-mtom-alert";

/// Why an alert was not taken.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Refused {
    /// Trying again changes nothing.
    ForGood(String),
    /// It is worth another try.
    ForNow(Blame, String),
}

/// Posts to web servers. Cheap to clone.
#[derive(Clone)]
pub(super) struct Webhooks {
    limit: Duration,
    /// Read when the first https URL is used: most installations have none.
    tls: Arc<OnceCell<TlsConnector>>,
}

impl Webhooks {
    /// `limit` is for everything from the name to the end of the answer.
    pub(super) fn new(limit: Duration) -> Self {
        Self { limit, tls: Arc::default() }
    }

    /// Trusts `roots` and not whom the system trusts.
    #[cfg(test)]
    pub(super) fn trusting(roots: RootCertStore, limit: Duration) -> Self {
        Self { limit, tls: Arc::new(OnceCell::new_with(Some(connector(roots)))) }
    }

    /// Says `body` to the server of `url` once.
    pub(super) async fn post(&self, url: &str, id: u64, body: String) -> Result<(), Refused> {
        let url = Url::parse(url).map_err(|problem| Refused::ForGood(problem.into()))?;
        let request = url.request(id, body).map_err(Refused::ForGood)?;
        let deadline = Instant::now() + self.limit;
        let outcome = match timeout_at(deadline, self.connect(&url)).await {
            Ok(Ok(stream)) => converse(stream, request, deadline).await,
            Ok(Err(reason)) => Err(reason),
            Err(_) => Err("cannot connect in time".into()),
        };
        judge(outcome.map_err(|reason| Refused::ForNow(Blame::Target, reason))?)
    }

    async fn connect(&self, url: &Url) -> Result<Box<dyn Stream>, String> {
        let connected = TcpStream::connect((url.host.as_str(), url.port)).await;
        let stream = connected.map_err(say("cannot connect"))?;
        if !url.is_tls {
            return Ok(Box::new(stream));
        }
        let name = ServerName::try_from(url.host.clone()).map_err(say("cannot use TLS"))?;
        let tls = self.tls.get_or_try_init(system_connector).await?;
        let stream = tls.connect(name, stream).await.map_err(say("cannot use TLS"))?;
        Ok(Box::new(stream))
    }
}

/// With TLS or without.
trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// What is needed of a URL.
#[derive(Debug, PartialEq, Eq)]
struct Url {
    is_tls: bool,
    host: String,
    port: u16,
    /// As the server is to see its own name.
    server: String,
    path: String,
    /// User and password, not decoded.
    credentials: Option<String>,
}

impl Url {
    fn parse(text: &str) -> Result<Self, &'static str> {
        let url: Uri = text.parse().map_err(|_| "the URL cannot be read")?;
        let is_tls = match url.scheme_str() {
            Some("http") => false,
            Some("https") => true,
            _ => return Err("the URL is neither http:// nor https://"),
        };
        let authority = url.authority().ok_or("the URL names no server")?;
        let (credentials, server) = match authority.as_str().rsplit_once('@') {
            Some((credentials, server)) => (Some(credentials.to_owned()), server.to_owned()),
            None => (None, authority.as_str().to_owned()),
        };
        let host = authority.host();
        // Brackets are how a URL writes it, not how a socket does.
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() {
            return Err("the URL names no server");
        }
        let port = authority.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let path = url.path_and_query().map_or("/", |path| path.as_str()).to_owned();
        Ok(Self { is_tls, host: host.to_owned(), port, server, path, credentials })
    }

    fn request(&self, id: u64, body: String) -> Result<Request<Full<Bytes>>, String> {
        let is_json = body.starts_with(['{', '[']);
        let kind = if is_json { "application/json" } else { "text/plain; charset=utf-8" };
        let mut request = Request::post(&self.path)
            .header(HOST, &self.server)
            .header(USER_AGENT, concat!("mtom/", env!("CARGO_PKG_VERSION")))
            .header(CONTENT_TYPE, kind)
            .header(CONNECTION, "close")
            .header(ID_HEADER, id);
        if let Some(credentials) = &self.credentials {
            let credentials = STANDARD.encode(decoded(credentials));
            request = request.header(AUTHORIZATION, format!("Basic {credentials}"));
        }
        // The error names no part of the URL.
        request.body(Full::from(body)).map_err(|error| format!("the URL cannot be used: {error}"))
    }
}

/// `%41` is `A`; a `%` that begins no such thing is itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, behind @ ..] = rest {
        let digits = behind.get(..2).and_then(|digits| std::str::from_utf8(digits).ok());
        match digits.and_then(|digits| u8::from_str_radix(digits, 16).ok()) {
            Some(byte) if *first == b'%' => {
                bytes.push(byte);
                rest = behind.get(2..).unwrap_or_default();
            }
            _ => {
                bytes.push(*first);
                rest = behind;
            }
        }
    }
    bytes
}

/// Asks, and reads the answer for as long as it is worth it. Only the status counts.
async fn converse(
    stream: Box<dyn Stream>,
    request: Request<Full<Bytes>>,
    deadline: Instant,
) -> Result<StatusCode, String> {
    let mut builder = http1::Builder::new();
    builder.max_buf_size(ANSWER_LEN_MAX);
    let shaken = builder.handshake(TokioIo::new(stream)).await;
    let (mut sender, connection) = shaken.map_err(say("cannot speak HTTP"))?;
    let exchange = async {
        let answer = timeout_at(deadline, sender.send_request(request)).await;
        let answer = answer.map_err(|_| "no answer in time")?.map_err(say("no answer"))?;
        let status = answer.status();
        // A server whose answer nobody takes may think that nobody wants what it does.
        let _ = timeout_at(deadline, read(answer)).await;
        Ok(status)
    };
    tokio::pin!(exchange, connection);
    tokio::select! {
        biased;
        outcome = &mut exchange => outcome,
        // An answer may have come with the end, and an error is told to whoever asked.
        _ = &mut connection => exchange.await,
    }
}

async fn read(answer: Response<hyper::body::Incoming>) {
    let (mut body, mut len) = (answer.into_body(), 0);
    while let Some(Ok(frame)) = body.frame().await {
        len += frame.data_ref().map_or(0, Bytes::len);
        if len >= ANSWER_LEN_MAX {
            return;
        }
    }
}

fn judge(status: StatusCode) -> Result<(), Refused> {
    let reason = format!("answered {status}");
    match status {
        _ if status.is_success() => Ok(()),
        StatusCode::REQUEST_TIMEOUT
        | StatusCode::TOO_EARLY
        | StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Err(Refused::ForNow(Blame::Target, reason)),
        _ if status.is_client_error() => Err(Refused::ForGood(reason)),
        _ if status.is_redirection() => {
            let reason = format!("{reason}: redirects are not followed, name the URL it leads to");
            Err(Refused::ForNow(Blame::Alert, reason))
        }
        _ => Err(Refused::ForNow(Blame::Alert, reason)),
    }
}

async fn system_connector() -> Result<TlsConnector, String> {
    // It reads many files.
    let found = tokio::task::spawn_blocking(rustls_native_certs::load_native_certs).await;
    let found = found.map_err(say("cannot use TLS"))?;
    let mut roots = RootCertStore::empty();
    // One that cannot be read is one that is not trusted.
    if roots.add_parsable_certificates(found.certs).0 == 0 {
        return Err(
            "cannot use TLS: this system trusts no certificates, install ca-certificates".into()
        );
    }
    Ok(connector(roots))
}

fn connector(roots: RootCertStore) -> TlsConnector {
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("ring has what the protocol versions need")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}

/// The error and its causes in one line, after what could not be done.
fn say<E: std::error::Error>(what: &'static str) -> impl Fn(E) -> String {
    move |error| format!("{what}: {}", chain(&error))
}

#[cfg(test)]
mod tests;
