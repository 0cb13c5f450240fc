//! `[broker]`: the embedded broker, or the way to another one.

use super::Surroundings;
use super::reader::{Problems, Section, count, text};
use super::sections::{Listen, optional, password, section};
use super::tree::{Node, Place};
use mtom_broker::clients::Admission;
use mtom_mqtt::endpoint::{Endpoint, EndpointError};
use mtom_mqtt::target::{Target, Version};
use mtom_mqtt::tls::{PemError, Tls};
use std::fmt;
use std::io;
use std::net::SocketAddr;

const PASSWORD_VARIABLE: &str = "MTOM_BROKER_PASSWORD";
/// So many may wait for the disk; fewer than fit into the gateway's queue, so that a broker that keeps to it never
/// makes us stop reading.
const RECEIVE_MAX: u16 = 1_000;

/// `[broker]`
#[derive(Clone, PartialEq)]
pub(crate) enum Broker {
    Embedded { listen: SocketAddr, admission: Admission },
    External { target: Target, client_id: Option<String>, receive_max: u16 },
}

impl fmt::Debug for Broker {
    /// Without the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Embedded { listen, .. } => write!(f, "Embedded({listen})"),
            Self::External { target, .. } => write!(f, "External({})", target.endpoint),
        }
    }
}

pub(super) fn read(
    root: &mut Section,
    listen: &Listen,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Option<Broker> {
    let mut section = section(root, "broker", problems);
    let listen = listen.get(&mut section, 1883, problems);
    let url = section.get("url", problems, |node| broker_url(&text(node)?));
    let username = optional(&mut section, "username", problems);
    let client_id = optional(&mut section, "client_id", problems);
    let password = password(&mut section, PASSWORD_VARIABLE, around, problems);
    let admission = section.get("clients", problems, |node| match text(node)?.as_str() {
        "everyone" => Ok(Admission::Everyone),
        "allowed" => Ok(Admission::Named),
        other => Err(format!("expected everyone or allowed, found {other:?}")),
    });
    let version = section.get("version", problems, |node| match text(node)?.as_str() {
        "auto" => Ok(Version::Auto),
        "3.1.1" => Ok(Version::V3),
        "5" => Ok(Version::V5),
        other => Err(format!("expected \"auto\", \"3.1.1\" or \"5\", found {other:?}")),
    });
    let receive_max = section.get("receive_maximum", problems, |node| {
        let number = count(u32::from(u16::MAX))(node)?;
        match u16::try_from(number) {
            Ok(number) if number > 0 => Ok(number),
            _ => Err(format!("expected 1 to {}, found {number}", u16::MAX)),
        }
    });
    let endpoint = url.flatten();
    let tls = tls(&mut section, endpoint.as_ref(), around, problems);
    let name = section.name("username");
    section.finish(problems);
    let Some(endpoint) = endpoint else {
        return Some(Broker::Embedded { listen, admission: admission.unwrap_or_default() });
    };
    let credentials = match (username, password) {
        (None, None) => None,
        (Some(user), password) => Some((user, password.unwrap_or_default())),
        (None, Some(_)) => {
            problems.add(&name, Place::Default, "missing: a password is given without its user");
            return None;
        }
    };
    let target = Target { endpoint, tls: tls?, credentials, version: version.unwrap_or_default() };
    Some(Broker::External { target, client_id, receive_max: receive_max.unwrap_or(RECEIVE_MAX) })
}

/// Whom we trust and who we are there; `None` only together with a problem.
fn tls(
    section: &mut Section,
    endpoint: Option<&Endpoint>,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Option<Tls> {
    let places = section.places();
    let place = |key: &str| {
        let found = places.iter().find(|(name, _)| name == key);
        found.map_or(Place::Default, |(_, place)| place.clone())
    };
    let name = |key: &str| format!("broker.{key}");
    let count = problems.count();
    let mut file = |key, problems: &mut Problems| {
        section.get(key, problems, |node| pem_file(node, endpoint, around)).flatten()
    };
    let authorities = file("ca_file", problems);
    let certificate = file("certificate_file", problems);
    let key = file("key_file", problems);
    if problems.count() > count {
        return None;
    }
    let mut tls = Tls::default();
    if let Some((path, pem)) = authorities {
        let trusting = tls.trusting(&pem).map_err(|error| format!("{path}: {error}"));
        tls = problems.check(&name("ca_file"), &place("ca_file"), trusting)?;
    }
    match (certificate, key) {
        (None, None) => {}
        (Some((path, pem)), Some((key_path, key_pem))) => {
            let (key, path, identified) = match tls.identified(&pem, &key_pem) {
                Ok(tls) => return Some(tls),
                Err(error @ (PemError::Certificate | PemError::Broken(_))) => {
                    ("certificate_file", path, error)
                }
                Err(error) => ("key_file", key_path, error),
            };
            problems.add(&name(key), place(key), format!("{path}: {identified}"));
            return None;
        }
        (Some(_), None) => {
            let why = "missing: a certificate proves nothing without its key";
            problems.add(&name("key_file"), place("certificate_file"), why);
            return None;
        }
        (None, Some(_)) => {
            let why = "missing: a key without its certificate";
            problems.add(&name("certificate_file"), place("key_file"), why);
            return None;
        }
    }
    Some(tls)
}

/// A file of certificates or of a key, and its name; empty is none.
fn pem_file(
    node: Node,
    endpoint: Option<&Endpoint>,
    around: &impl Surroundings,
) -> Result<Option<(String, String)>, String> {
    let path = text(node)?;
    if path.is_empty() {
        return Ok(None);
    }
    match endpoint {
        Some(endpoint) if !endpoint.scheme.is_secure() => {
            return Err(format!(
                "of use with mqtts:// and wss:// only: broker.url is {endpoint}, change that or take this away"
            ));
        }
        None => {
            return Err("of use for another broker only: set broker.url, or take this away".into());
        }
        Some(_) => {}
    }
    match around.file(path.as_ref()) {
        Ok(pem) => Ok(Some((path, pem))),
        Err(cause) if cause.kind() == io::ErrorKind::InvalidData => {
            Err(format!("{path}: not in PEM form: openssl x509 -inform der -in {path} makes it so"))
        }
        Err(cause) => Err(format!("cannot read {path}: {cause}")),
    }
}

/// `mqtt://host[:port]` and its like; empty is none.
pub(crate) fn broker_url(url: &str) -> Result<Option<Endpoint>, String> {
    if url.is_empty() {
        return Ok(None);
    }
    Endpoint::parse(url).map(Some).map_err(|error| match error {
        EndpointError::Secret => format!(
            "a password does not belong into the configuration: use broker.username and \
             broker.password_file, or the environment variable {PASSWORD_VARIABLE}"
        ),
        other => other.to_string(),
    })
}

#[cfg(test)]
mod tests;
