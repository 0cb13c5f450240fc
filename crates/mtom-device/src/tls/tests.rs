// What the other end says and shows is tried in `tests/it/tls.rs`, over real sockets.

use super::{Buffers, RECORD_LEN_MAX, TlsError};
use embedded_io_async::{Error as _, ErrorKind};
use expect_test::expect;

#[test]
fn every_error_says_what_to_look_at() {
    let errors = [
        TlsError::BadCa,
        TlsError::BadHost,
        TlsError::WrongCa,
        TlsError::WrongHost,
        TlsError::Expired,
        TlsError::NotYetValid,
        TlsError::CaAsBroker,
        TlsError::BadCertificate,
        TlsError::NotProven,
        TlsError::OldTls,
        TlsError::NothingInCommon,
        TlsError::Refused(80),
        TlsError::Alert,
        TlsError::NotTls,
        TlsError::RecordTooLong,
        TlsError::Broken,
        TlsError::Closed,
        TlsError::Socket(ErrorKind::TimedOut),
    ];
    let said: String = errors.iter().map(|error| format!("{error}\n")).collect();
    expect![[r#"
        the CA in flash is no certificate: expected the broker's CA, X.509 as DER
        the broker's host is neither an address nor a name that a certificate can have
        the broker's certificate was not issued by the CA in flash
        the broker's certificate does not name the broker's host: expected it among the subject alternative names
        the broker's certificate has expired
        the broker's certificate is not valid yet
        the broker shows a CA's certificate: expected one of its own, issued by that CA
        the broker's certificate cannot be used: expected X.509 v3 for a server, P-256, ECDSA with SHA-256
        the broker has not proven that its certificate is its own
        the broker does not speak TLS 1.3 with P-256
        the broker refuses the handshake: it needs AES-128-GCM and a certificate with a P-256 key
        the broker refuses the connection with TLS alert 80
        the broker ended the connection with a TLS alert: its log says why
        what answers there does not speak TLS
        the broker sends a TLS record of more than 4352 bytes
        the broker breaks the rules of TLS 1.3
        the broker closed the connection without ending TLS
        the connection failed
    "#]].assert_eq(&said);
    assert_eq!(TlsError::Socket(ErrorKind::TimedOut).kind(), ErrorKind::TimedOut);
}

#[test]
fn a_connection_takes_the_memory_that_its_description_says() {
    assert_eq!(size_of::<Buffers>().div_ceil(1_024), 11);
    assert_eq!(RECORD_LEN_MAX, 4_352);
}
