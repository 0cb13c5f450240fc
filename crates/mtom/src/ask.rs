//! One request to a running gateway, by the address of its page.

use crate::Failure;
use crate::past::arguments::Place;
use crate::past::with_journal;
use anyhow::{Context, Result, bail};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;

/// How long a gateway may take.
const ANSWER: Duration = Duration::from_secs(30);
/// The longest answer.
const ANSWER_LEN_MAX: usize = 16 * 1024 * 1024;

/// What is asked.
pub(crate) struct Ask<'a> {
    pub(crate) method: Method,
    pub(crate) path: &'a str,
    pub(crate) kind: &'static str,
    pub(crate) body: String,
}

/// Asks; the answer's JSON. `None`: nobody listens there.
///
/// # Errors
/// What the gateway answers when it does not do it, or when it is no gateway.
pub(crate) async fn ask(address: SocketAddr, ask: Ask<'_>) -> Result<Option<serde_json::Value>> {
    let answered = tokio::time::timeout(ANSWER, exchange(address, ask)).await;
    answered.with_context(|| format!("the gateway at http://{address} does not answer"))?
}

async fn exchange(address: SocketAddr, ask: Ask<'_>) -> Result<Option<serde_json::Value>> {
    let Ok(stream) = TcpStream::connect(address).await else { return Ok(None) };
    let (mut sender, connection) =
        hyper::client::conn::http1::handshake(TokioIo::new(stream)).await?;
    let request = Request::builder()
        .method(ask.method)
        .uri(ask.path)
        .header(HOST, address.to_string())
        .header(CONTENT_TYPE, ask.kind)
        .body(Full::new(Bytes::from(ask.body)))?;
    // The connection ends when nobody can ask any more.
    let answer = async move {
        let answer = sender.send_request(request).await?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), ANSWER_LEN_MAX).collect().await;
        let body = body.map_err(|error| anyhow::anyhow!("{error}"))?.to_bytes();
        anyhow::Ok((status, body))
    };
    let (answer, _) = tokio::join!(answer, connection);
    let (status, body) =
        answer.with_context(|| format!("who listens on {address} is no mtom gateway"))?;
    let json: serde_json::Value = serde_json::from_slice(&body).unwrap_or_default();
    if status.is_success() {
        return Ok(Some(json));
    }
    let text = |key: &str| json.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
    match text("detail") {
        "" => bail!("who listens on {address} is no mtom gateway: it answered {status}"),
        detail => bail!("{detail}; {}", text("next")),
    }
}

/// The address of the page in this configuration; `None` where it is not known, and where a folder is named.
pub(crate) fn page(place: &Place) -> Result<Option<SocketAddr>, Failure> {
    let mut page = None;
    if place.data.is_none() {
        with_journal(place, |config, _| {
            page = Some(config.dashboard).filter(|page| page.port() != 0);
            Ok(())
        })?;
    }
    Ok(page)
}

/// The address of the gateway of this configuration and its answer; `None` where none runs.
pub(crate) fn asked(
    place: &Place,
    request: Ask<'_>,
) -> Result<Option<(SocketAddr, serde_json::Value)>, Failure> {
    let Some(page) = page(place)? else { return Ok(None) };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    Ok(runtime.block_on(ask(page, request))?.map(|answer| (page, answer)))
}

/// For a query: everything but letters and digits is escaped.
pub(crate) fn percent(text: &str) -> String {
    use std::fmt::Write;
    let mut out = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() {
            out.push(char::from(byte));
        } else {
            write!(out, "%{byte:02X}").expect("a String takes everything");
        }
    }
    out
}
