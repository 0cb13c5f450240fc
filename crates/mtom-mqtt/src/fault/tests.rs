use super::{Fault, TlsFault, of_connection, words};
use crate::endpoint::Endpoint;
use crate::target::Target;
use std::error::Error;
use std::io;
use tokio_rustls::rustls::{self, AlertDescription, CertificateError};

fn target(url: &str) -> Target {
    Target { endpoint: Endpoint::parse(url).unwrap(), ..Target::plain("", 0) }
}

/// As a client library wraps it.
#[derive(Debug, thiserror::Error)]
#[error("I/O: {0}")]
struct Wrapped(#[from] io::Error);

fn wrapped(cause: impl Error + Send + Sync + 'static) -> Wrapped {
    Wrapped(io::Error::other(cause))
}

#[test]
fn a_cause_is_found_however_deep_it_is() {
    let target = target("mqtts://host");
    let own = Fault::Unreachable { address: "host:8883".into(), reason: "refused".into() };
    assert_eq!(of_connection(&wrapped(own.clone()), &target, false), own);
    let alert = rustls::Error::AlertReceived(AlertDescription::CertificateRequired);
    let found = of_connection(&wrapped(alert), &target, true);
    assert_eq!(found, Fault::Tls(TlsFault::NoIdentity));
    let unknown = rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
    let said = of_connection(&wrapped(unknown), &target, false).to_string();
    assert_eq!(
        said,
        "the certificate of host is signed by nobody that this system trusts: name the certificate of the \
         authority that signed it in broker.ca_file"
    );
}

#[test]
fn a_broker_that_hangs_up_at_once_is_said_to_and_what_to_look_at() {
    let closed = Wrapped(io::ErrorKind::UnexpectedEof.into());
    let said = of_connection(&closed, &target("mqtt://host"), false).to_string();
    assert_eq!(
        said,
        "the broker closed the connection before it greeted: does it want TLS (mqtts://, wss://), or does it \
         not speak this version of MQTT?"
    );
    let said = of_connection(&closed, &target("mqtt://host"), true).to_string();
    assert_eq!(said, "the broker closed the connection");
}

#[test]
fn the_last_cause_is_said_and_not_those_that_repeat_it() {
    assert_eq!(words(&wrapped(Wrapped(io::Error::other("the disk is full")))), "the disk is full");
    let within = io::Error::other("bytes remaining on stream");
    assert_eq!(words(&Wrapped(within)), "the broker closed the connection within a packet");
}
