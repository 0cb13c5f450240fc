//! Who may ask, and what every answer says to the browser.
//!
//! `Host` must be a name of this gateway: a foreign name that was made to point here (DNS rebinding)
//! is refused, however local the connection looks. `Origin`, where a browser names one, must be the
//! page's own; neither `null` nor another port of the same computer will do. Who is no browser sends
//! none and may read.

use crate::problem::Problem;
use crate::server::Shared;
use axum::extract::{Request, State};
use axum::http::uri::Authority;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

/// The rule of one listening socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Access {
    listen: IpAddr,
    any_host: bool,
}

const HOST_NEXT: &str = "open it as http://localhost or by the address that it listens on";
const ORIGIN_NEXT: &str = "open the page from the gateway itself";

impl Access {
    /// With `any_host` any `Host` is served (`security.insecure`). Foreign origins stay refused.
    pub(crate) const fn new(listen: SocketAddr, any_host: bool) -> Self {
        Self { listen: listen.ip(), any_host }
    }

    /// The checked `Host`.
    fn check(self, headers: &HeaderMap) -> Result<Authority, Problem> {
        let host = single(headers, &header::HOST)?
            .and_then(|host| host.parse::<Authority>().ok())
            .filter(|host| !host.as_str().contains('@'))
            .ok_or_else(|| Problem::forbidden("expected one readable Host header", HOST_NEXT))?;
        if !self.any_host && !self.is_ours(host.host()) {
            return Err(Problem::forbidden("this Host is not served", HOST_NEXT));
        }
        if let Some(origin) = single(headers, &header::ORIGIN)? {
            let own = origin
                .split_once("://")
                .filter(|(scheme, _)| matches!(*scheme, "http" | "https"))
                .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host.as_str()));
            if !own {
                return Err(Problem::forbidden("this Origin may not ask", ORIGIN_NEXT));
            }
        }
        // Where a browser leaves `Origin` out (images, scripts) it says so here; following a link is fine.
        let site = single(headers, &HeaderName::from_static("sec-fetch-site"))?;
        let mode = single(headers, &HeaderName::from_static("sec-fetch-mode"))?;
        if matches!(site, Some("cross-site" | "same-site")) && mode != Some("navigate") {
            return Err(Problem::forbidden("another site may not ask", ORIGIN_NEXT));
        }
        Ok(host)
    }

    fn is_ours(self, host: &str) -> bool {
        // `localhost.` with the root's dot is the same name.
        let name = host.strip_suffix('.').unwrap_or(host);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        match address.map(|address| address.to_canonical()) {
            Ok(address) => address.is_loopback() || address == self.listen.to_canonical(),
            Err(_) => name.eq_ignore_ascii_case("localhost"),
        }
    }
}

/// Refuses who may not ask, and gives every answer, a refusal too, the headers that keep the page its own.
pub(crate) async fn guard(
    State((access, shared)): State<(Access, Arc<Shared>)>,
    request: Request,
    next: Next,
) -> Response {
    match access.check(request.headers()) {
        Ok(host) => with_headers(next.run(request).await, Some(&host)),
        Err(problem) => {
            shared.tallies.forbidden();
            with_headers(problem.into_response(), None)
        }
    }
}

fn with_headers(mut response: Response, host: Option<&Authority>) -> Response {
    let headers = response.headers_mut();
    for (name, value) in [
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cross-origin-resource-policy", "same-origin"),
        ("cross-origin-opener-policy", "same-origin"),
        ("permissions-policy", "camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
    }
    headers.insert(header::CONTENT_SECURITY_POLICY, policy(host));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Not every browser takes `'self'` for a WebSocket, so the page's own is named too. The one policy of trusted
/// types, which may be made once, makes a script of one address only: that of the worker (`web/parts/renew.js`).
fn policy(host: Option<&Authority>) -> HeaderValue {
    let sockets = host.map(|host| format!(" ws://{host} wss://{host}")).unwrap_or_default();
    let policy = format!(
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'{sockets}; \
         img-src 'self' data:; manifest-src 'self'; worker-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
         trusted-types worker"
    );
    HeaderValue::from_str(&policy).expect("an authority is visible ASCII")
}

/// The value of a header that may stand once. A second one could be read differently by a proxy.
fn single<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Result<Option<&'a str>, Problem> {
    let unreadable =
        || Problem::forbidden("expected Host and Origin once, and readable", HOST_NEXT);
    let mut values = headers.get_all(name).iter();
    let first = values.next();
    if values.next().is_some() {
        return Err(unreadable());
    }
    first.map(|value| value.to_str().map_err(|_| unreadable())).transpose()
}

#[cfg(test)]
mod tests;
