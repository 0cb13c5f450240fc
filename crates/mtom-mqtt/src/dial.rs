//! The way to a broker, up to where MQTT begins: TCP, then TLS, then WebSocket, as the endpoint says.

use crate::endpoint::Endpoint;
use crate::fault::{Fault, TlsFault, WebFault, of_connection, tls_fault};
use crate::target::Target;
use crate::websocket::WebSocket;
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpStream, lookup_host};
use tokio::time::timeout;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_tungstenite::client_async;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::http::header::{HeaderValue, SEC_WEBSOCKET_PROTOCOL};

/// How long one address of a name may take: the next one may be there.
const ADDRESS_MAX: Duration = Duration::from_secs(3);

/// What MQTT is spoken over.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Wire for T {}

/// Opens a way to `target`; whoever calls it has the patience.
pub(crate) async fn dial(target: &Target) -> Result<Box<dyn Wire>, Fault> {
    let Target { endpoint, tls, .. } = target;
    let mut wire: Box<dyn Wire> = Box::new(tcp(endpoint).await?);
    if endpoint.scheme.is_secure() {
        let connector = tls.connector().await?;
        let name = ServerName::try_from(endpoint.host.clone())
            .map_err(|error| Fault::Tls(TlsFault::Other(error.to_string())))?;
        let secured = connector.connect(name, wire).await;
        wire = Box::new(secured.map_err(|error| tls_fault(&error, target))?);
    }
    if endpoint.scheme.is_web() {
        wire = Box::new(web(target, wire).await?);
    }
    Ok(wire)
}

async fn tcp(endpoint: &Endpoint) -> Result<TcpStream, Fault> {
    let addresses = lookup_host((endpoint.host.as_str(), endpoint.port)).await;
    let addresses = addresses
        .map_err(|error| Fault::Name { host: endpoint.host.clone(), reason: error.to_string() })?;
    let mut last = io::Error::from(io::ErrorKind::AddrNotAvailable);
    for address in addresses {
        let connected = timeout(ADDRESS_MAX, TcpStream::connect(address)).await;
        match connected.unwrap_or_else(|_| Err(io::ErrorKind::TimedOut.into())) {
            Ok(stream) => {
                // An acknowledgement must not wait for the next message. Refused: it does.
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Err(error) => last = error,
        }
    }
    Err(Fault::Unreachable { address: endpoint.address(), reason: last.to_string() })
}

async fn web(target: &Target, wire: Box<dyn Wire>) -> Result<WebSocket<Box<dyn Wire>>, Fault> {
    let endpoint = &target.endpoint;
    let fault = |error: &tungstenite::Error| {
        // A broker that takes no such certificate says so with the first that is read.
        if let tls @ Fault::Tls(_) = of_connection(error, target, false) {
            return tls;
        }
        Fault::Web(match error {
            tungstenite::Error::Http(answer) => {
                WebFault::Status { path: endpoint.plain_path(), status: answer.status().as_u16() }
            }
            other => WebFault::Other(other.to_string()),
        })
    };
    // tungstenite looks at the scheme; the wire below is what the endpoint says in any case.
    let request = endpoint.whole().into_client_request();
    let mut request = request.map_err(|error| fault(&error))?;
    // The name of MQTT among WebSockets [MQTT-6.0.0-3].
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, HeaderValue::from_static("mqtt"));
    let (stream, _) = client_async(request, wire).await.map_err(|error| fault(&error))?;
    Ok(WebSocket::new(stream))
}
