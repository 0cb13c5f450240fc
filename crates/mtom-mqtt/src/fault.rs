//! What keeps us from a broker, in words that say what to do next.

use crate::endpoint::Scheme;
use crate::target::Target;
use std::error::Error;
use std::io;
use std::time::Duration;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

/// Why there is no connection, or no longer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Fault {
    /// Nobody knows the name.
    #[error("the name {host} leads nowhere ({reason}): check broker.url")]
    Name {
        /// Of `broker.url`.
        host: String,
        /// The resolver's words.
        reason: String,
    },
    /// Nobody listens there, or nothing leads there.
    #[error(
        "cannot reach {address} ({reason}): start the broker, or check broker.url and the firewall"
    )]
    Unreachable {
        /// `host:port`
        address: String,
        /// The system's words.
        reason: String,
    },
    /// Whoever is there says nothing.
    #[error("no answer within {0:?}: is it a broker, and does broker.url say how it is spoken to?")]
    Silent(Duration),
    /// No trust.
    #[error(transparent)]
    Tls(TlsFault),
    /// No WebSocket.
    #[error(transparent)]
    Web(WebFault),
    /// The broker has answered, and does not let us in.
    #[error(transparent)]
    Refused(Refusal),
    /// The connection ended before the broker greeted back.
    #[error("{reason} before it greeted{hint}")]
    NoGreeting {
        /// How it ended.
        reason: String,
        /// What to look at.
        hint: &'static str,
    },
    /// An established connection has ended.
    #[error("{0}")]
    Ended(String),
}

/// Why a broker is not trusted, or does not trust us.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsFault {
    /// Signed by somebody else than we trust.
    #[error("the certificate of {host} is signed by nobody that {trusts}: {next}")]
    Unknown {
        /// Of `broker.url`.
        host: String,
        /// Whom we trust.
        trusts: &'static str,
        /// What to do.
        next: &'static str,
    },
    /// For another name.
    #[error(
        "the certificate is not for {host}{names}: use a name that it is for in broker.url, or give the broker one for {host}"
    )]
    Name {
        /// Of `broker.url`.
        host: String,
        /// Those that it is for.
        names: String,
    },
    /// No longer, or not yet.
    #[error(
        "the certificate of {host} {how}: renew it at the broker, and see that this computer's clock is right"
    )]
    Time {
        /// Of `broker.url`.
        host: String,
        /// Expired, or not yet valid.
        how: &'static str,
    },
    /// A CA's own certificate.
    #[error(
        "the certificate of {host} is that of an authority, not of a server: let it sign one for the broker (basicConstraints CA:FALSE), and name the authority's in broker.ca_file"
    )]
    Authority {
        /// Of `broker.url`.
        host: String,
    },
    /// Something else is wrong with it.
    #[error("the certificate of {host} is not accepted: {reason}")]
    Certificate {
        /// Of `broker.url`.
        host: String,
        /// rustls's words.
        reason: String,
    },
    /// It speaks, but not TLS.
    #[error("no TLS is spoken at that port: check broker.url, {expected}")]
    NotSpoken {
        /// What would fit.
        expected: &'static str,
    },
    /// We show no certificate.
    #[error(
        "the broker wants a certificate of ours: set broker.certificate_file and broker.key_file"
    )]
    NoIdentity,
    /// It does not like ours.
    #[error(
        "the broker does not accept broker.certificate_file ({0}): it has to be valid and signed by whom the broker trusts"
    )]
    Identity(String),
    /// Neither files nor the system have a root.
    #[error("this system trusts no certificates: install ca-certificates, or set broker.ca_file")]
    NobodyTrusted,
    /// Something else.
    #[error("TLS: {0}")]
    Other(String),
}

/// Why there is no WebSocket.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebFault {
    /// A web server, but not there.
    #[error(
        "the web server answers {status} to {path}: check the path of broker.url, which is often /mqtt, /ws or /"
    )]
    Status {
        /// Of `broker.url`.
        path: String,
        /// Of HTTP.
        status: u16,
    },
    /// Something else.
    #[error("no WebSocket is spoken at that port ({0}): check broker.url")]
    Other(String),
}

/// Why the broker does not let us in [MQTT-3.1.1 §3.2.2.3, MQTT-5.0 §3.2.2.2].
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It does not speak our version.
    #[error("the broker does not speak this version of MQTT: set broker.version to auto")]
    Version,
    /// It does not like our name.
    #[error("the broker does not accept our name: set broker.client_id to one that it accepts")]
    ClientId,
    /// User or password.
    #[error(
        "the broker knows no such user, or another password: check broker.username and broker.password_file, or MTOM_BROKER_PASSWORD"
    )]
    Credentials,
    /// We may not; 3.1.1 brokers say so about a password too.
    #[error(
        "the broker does not let us in: check broker.username and its password, and whom the broker allows"
    )]
    NotAuthorized,
    /// For now, or for another reason.
    #[error("the broker refuses us: {0}")]
    Other(String),
}

/// What a failed handshake means.
pub(crate) fn tls_fault(error: &io::Error, target: &Target) -> Fault {
    match find::<rustls::Error>(error) {
        Some(found) => Fault::Tls(of_rustls(found, target)),
        None => Fault::NoGreeting { reason: words(error), hint: hint(target) },
    }
}

/// What an error of a connection means. `is_up`: the broker had greeted.
pub(crate) fn of_connection(error: &(dyn Error + 'static), target: &Target, is_up: bool) -> Fault {
    if let Some(fault) = find::<Fault>(error) {
        return fault.clone();
    }
    if let Some(found) = find::<rustls::Error>(error) {
        return Fault::Tls(of_rustls(found, target));
    }
    if is_up {
        Fault::Ended(words(error))
    } else {
        Fault::NoGreeting { reason: words(error), hint: hint(target) }
    }
}

/// Where to look when a broker hangs up without a word.
fn hint(target: &Target) -> &'static str {
    let is_secure = target.endpoint.scheme.is_secure();
    match (is_secure, target.tls.has_identity()) {
        (false, _) => {
            ": does it want TLS (mqtts://, wss://), or does it not speak this version of MQTT?"
        }
        (true, false) => ": does it want a certificate of ours (broker.certificate_file)?",
        (true, true) => ": does it accept broker.certificate_file?",
    }
}

fn of_rustls(error: &rustls::Error, target: &Target) -> TlsFault {
    let host = target.endpoint.host.clone();
    match error {
        rustls::Error::InvalidCertificate(problem) => of_certificate(problem, target),
        rustls::Error::InvalidMessage(_) | rustls::Error::InappropriateMessage { .. } => {
            let expected = match target.endpoint.scheme {
                Scheme::Mqtt | Scheme::Mqtts => "where mqtts:// is usually port 8883",
                Scheme::Ws | Scheme::Wss => "where ws:// is without TLS",
            };
            TlsFault::NotSpoken { expected }
        }
        rustls::Error::AlertReceived(alert) => match alert {
            AlertDescription::CertificateRequired => TlsFault::NoIdentity,
            AlertDescription::HandshakeFailure if !target.tls.has_identity() => {
                TlsFault::NoIdentity
            }
            AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::AccessDenied
            | AlertDescription::DecryptError => TlsFault::Identity(format!("{alert:?}")),
            other => TlsFault::Other(format!("{host} ends it with {other:?}")),
        },
        other => TlsFault::Other(other.to_string()),
    }
}

fn of_certificate(problem: &CertificateError, target: &Target) -> TlsFault {
    let host = target.endpoint.host.clone();
    match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            let (trusts, next) = if target.tls.has_authorities() {
                (
                    "broker.ca_file names",
                    "put the certificate of the authority that signed it there",
                )
            } else {
                (
                    "this system trusts",
                    "name the certificate of the authority that signed it in broker.ca_file",
                )
            };
            TlsFault::Unknown { host, trusts, next }
        }
        CertificateError::NotValidForName => TlsFault::Name { host, names: String::new() },
        CertificateError::NotValidForNameContext { presented, .. } => {
            let names = presented.iter().map(|name| readable(name)).collect::<Vec<_>>().join(", ");
            let names = if names.is_empty() { names } else { format!(" but for {names}") };
            TlsFault::Name { host, names }
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            TlsFault::Time { host, how: "has expired" }
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            TlsFault::Time { host, how: "is not valid yet" }
        }
        // webpki has no variant of rustls for it.
        CertificateError::Other(other) if other.to_string().contains("CaUsedAsEndEntity") => {
            TlsFault::Authority { host }
        }
        other => TlsFault::Certificate { host, reason: format!("{other:?}") },
    }
}

/// `DnsName("a")` and `IpAddress(1.2.3.4)`, without what is around the name.
fn readable(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    let plain = inner.unwrap_or(name).trim_matches('"');
    plain.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// The first error of a kind among an error and its causes; also those that `io::Error` keeps to itself.
fn find<'a, E: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a E> {
    let mut next = Some(error);
    while let Some(error) = next {
        if let Some(found) = error.downcast_ref::<E>() {
            return Some(found);
        }
        let inner = error.downcast_ref::<io::Error>().and_then(|error| error.get_ref());
        next = match inner {
            Some(inner) => Some(inner),
            None => error.source(),
        };
    }
    None
}

/// The cause below all others; those above only repeat it.
fn words(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(source) = last.source() {
        last = source;
    }
    if let Some(error) = last.downcast_ref::<io::Error>()
        && error.kind() == io::ErrorKind::UnexpectedEof
    {
        return "the broker closed the connection".into();
    }
    let text = last.to_string();
    // tokio-util's words for an end within a packet.
    if text == "bytes remaining on stream" {
        return "the broker closed the connection within a packet".into();
    }
    text
}

#[cfg(test)]
mod tests;
