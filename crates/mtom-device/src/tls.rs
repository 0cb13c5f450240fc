//! TLS 1.3 to the broker without a heap: its certificate is checked against the broker's own CA.
//!
//! [`open`] makes a [`Stream`] out of any byte stream. It checks that the certificate was issued by
//! the CA in flash, names the host, is meant for a server, and that its time is now. Before a time
//! server has answered, its time cannot be compared with now: then it is enough that there was a
//! moment since 2024 at which the whole chain was valid, and the next connection checks the rest.
//!
//! Needs of the broker: TLS 1.3 with AES-128-GCM and P-256, and certificates that are X.509 v3, with
//! P-256 keys, signed with ECDSA and SHA-256, the host among the subject alternative names (a name,
//! or an address where `broker_host` is one). RSA is refused: its arithmetic needs a heap. There is
//! no revocation. A handshake waits for as long as the other end does: put a time limit around it.
//!
//! Why these crates. `embedded-tls` is the one TLS in Rust that needs no heap; `mbedtls-rs` needs a
//! heap and a C compiler for the chip. embedded-tls' own certificate check (`rustpki`) takes the clock
//! from a static function, knows no addresses, takes any certificate of the CA for an issuer and names
//! no reason: so the module `certificate` asks `rustls-webpki`, as rustls does. Two more gaps are closed
//! here: embedded-tls finishes a handshake in which the server has shown no certificate, and (module
//! `records`) it panics at some records and loses its place when a read or a write is given up.
//! All of it takes 104 KB of flash on a C3, a quarter of that to check certificates.

use crate::tls::certificate::{Checker, Provider};
use crate::tls::records::{Records, Shared};
use core::net::IpAddr;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use embedded_tls::alert::AlertDescription;
use embedded_tls::{
    Aes128GcmSha256, FlushPolicy, MaxFragmentLength, TlsConfig, TlsConnection, TlsContext,
};
use heapless::Vec;
use mtom_protocol::time::UnixMicros;
use rustls_pki_types::ServerName;

pub use p256::elliptic_curve::rand_core::{CryptoRng, CryptoRngCore, Error as RngError, RngCore};

mod certificate;
mod records;

/// The broker is asked for records of at most 4 KiB; encryption adds at most 256 bytes [RFC 8446 5.2].
const RECORD_LEN_MAX: usize = 4_096 + 256;
/// Room for a record that leaves: an MQTT packet of 1 KiB and what embedded-tls keeps free.
const OUTGOING_LEN: usize = 1_024 + embedded_tls::TLS_RECORD_OVERHEAD;
/// The longest certificate of a broker, as DER, in bytes.
pub const CERTIFICATE_LEN_MAX: usize = 2_048;

/// Memory for one connection, 11 KiB: use it again for the next one.
#[derive(Debug)]
pub struct Buffers {
    /// A record as it comes in, until it is whole.
    incoming: [u8; records::HEADER_LEN + RECORD_LEN_MAX],
    /// The same record while it is decrypted.
    decrypted: [u8; RECORD_LEN_MAX],
    /// A record while it is encrypted.
    encrypted: [u8; OUTGOING_LEN],
    /// The same record until the socket has taken it.
    outgoing: [u8; OUTGOING_LEN],
    shared: Shared,
}

impl Buffers {
    /// Empty ones.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            incoming: [0; records::HEADER_LEN + RECORD_LEN_MAX],
            decrypted: [0; RECORD_LEN_MAX],
            encrypted: [0; OUTGOING_LEN],
            outgoing: [0; OUTGOING_LEN],
            shared: Shared::new(),
        }
    }
}

impl Default for Buffers {
    fn default() -> Self {
        Self::new()
    }
}

/// Why there is no connection, or none any more. Each says what to look at next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TlsError {
    /// The device was given something else.
    #[error("the CA in flash is no certificate: expected the broker's CA, X.509 as DER")]
    BadCa,
    /// The device was given something else.
    #[error("the broker's host is neither an address nor a name that a certificate can have")]
    BadHost,
    /// Another CA, or somebody between.
    #[error("the broker's certificate was not issued by the CA in flash")]
    WrongCa,
    /// The certificate is for other hosts.
    #[error(
        "the broker's certificate does not name the broker's host: expected it among the subject alternative names"
    )]
    WrongHost,
    /// Its time is over.
    #[error("the broker's certificate has expired")]
    Expired,
    /// Its time comes later.
    #[error("the broker's certificate is not valid yet")]
    NotYetValid,
    /// A self-signed certificate of a CA is no broker's.
    #[error("the broker shows a CA's certificate: expected one of its own, issued by that CA")]
    CaAsBroker,
    /// RSA, P-384, X.509 v1, not for servers ...
    #[error(
        "the broker's certificate cannot be used: expected X.509 v3 for a server, P-256, ECDSA with SHA-256"
    )]
    BadCertificate,
    /// The broker did not show that it has the certificate's key.
    #[error("the broker has not proven that its certificate is its own")]
    NotProven,
    /// An older TLS.
    #[error("the broker does not speak TLS 1.3 with P-256")]
    OldTls,
    /// Nothing in common.
    #[error(
        "the broker refuses the handshake: it needs AES-128-GCM and a certificate with a P-256 key"
    )]
    NothingInCommon,
    /// Another alert, with its number [RFC 8446 6].
    #[error("the broker refuses the connection with TLS alert {0}")]
    Refused(u8),
    /// It ended an open connection with an alert, say because it wants a certificate of the device.
    #[error("the broker ended the connection with a TLS alert: its log says why")]
    Alert,
    /// Something else listens at that port.
    #[error("what answers there does not speak TLS")]
    NotTls,
    /// The broker ignores what it was asked for.
    #[error("the broker sends a TLS record of more than {RECORD_LEN_MAX} bytes")]
    RecordTooLong,
    /// It speaks TLS, but not by the rules, or somebody changes what it says.
    #[error("the broker breaks the rules of TLS 1.3")]
    Broken,
    /// It went away.
    #[error("the broker closed the connection without ending TLS")]
    Closed,
    /// The network failed.
    #[error("the connection failed")]
    Socket(ErrorKind),
}

impl embedded_io_async::Error for TlsError {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Socket(kind) => *kind,
            Self::Closed => ErrorKind::ConnectionReset,
            Self::BadCa | Self::BadHost => ErrorKind::InvalidInput,
            Self::RecordTooLong => ErrorKind::OutOfMemory,
            Self::WrongCa
            | Self::WrongHost
            | Self::Expired
            | Self::NotYetValid
            | Self::CaAsBroker
            | Self::BadCertificate
            | Self::NotProven => ErrorKind::PermissionDenied,
            Self::OldTls | Self::NothingInCommon | Self::Refused(_) => ErrorKind::ConnectionRefused,
            Self::Alert => ErrorKind::ConnectionAborted,
            Self::NotTls | Self::Broken => ErrorKind::InvalidData,
        }
    }
}

/// Does the handshake over `socket` with the broker at `host`, whose CA is `ca` (X.509 as DER).
///
/// `time` is now, where it is known. On a chip a handshake computes for some tenths of a second.
///
/// # Errors
/// Why the broker is not trusted or not understood.
pub async fn open<'a, S: Read + Write + 'a>(
    socket: S,
    host: &str,
    ca: &[u8],
    time: Option<UnixMicros>,
    rng: impl CryptoRngCore,
    buffers: &'a mut Buffers,
) -> Result<Stream<'a, S>, TlsError> {
    let name = ServerName::try_from(host).map_err(|_| TlsError::BadHost)?;
    let mut leaf = Vec::new();
    let mut provider = Provider { rng, checker: Checker::new(ca, name, time, &mut leaf)? };
    let mut config = TlsConfig::new().with_max_fragment_length(MaxFragmentLength::Bits12);
    // An address is no server name [RFC 6066 3].
    if host.parse::<IpAddr>().is_err() {
        config = config.with_server_name(host);
    }

    let Buffers { incoming, decrypted, encrypted, outgoing, shared } = buffers;
    shared.reset();
    let shared = &*shared;
    let records = Records::new(socket, incoming, outgoing, shared);
    let mut inner = TlsConnection::new(records, decrypted, encrypted);
    inner.set_flush_policy(FlushPolicy::Relaxed);
    let opened = inner.open(TlsContext::new(&config, &mut provider)).await;
    match opened {
        // Finished proves only that nobody changed the handshake, not who is at the other end.
        Ok(()) if provider.checker.is_proven() => Ok(Stream { inner, shared }),
        Ok(()) => Err(TlsError::NotProven),
        Err(error) => Err(provider.checker.refused().unwrap_or_else(|| reason(error, shared))),
    }
}

/// A connection to a broker that has proven who it is. Reading and writing may be given up at any
/// moment and taken up again, as minimq does.
pub struct Stream<'a, S: Read + Write> {
    inner: TlsConnection<'a, Records<'a, S>, Aes128GcmSha256>,
    shared: &'a Shared,
}

impl<S: Read + Write> ErrorType for Stream<'_, S> {
    type Error = TlsError;
}

impl<S: Read + Write> Read for Stream<'_, S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, TlsError> {
        match self.inner.read(bytes).await {
            Ok(len) => Ok(len),
            Err(embedded_tls::TlsError::ConnectionClosed) => Ok(0),
            Err(error) => Err(reason(error, self.shared)),
        }
    }
}

impl<S: Read + Write> Write for Stream<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, TlsError> {
        // With nothing left below, embedded-tls takes the bytes without waiting: never are bytes
        // taken and the one who waits for the answer given up.
        if self.shared.has_unflushed() {
            self.drain().await?;
        }
        self.inner.write(bytes).await.map_err(|error| reason(error, self.shared))
    }

    async fn flush(&mut self) -> Result<(), TlsError> {
        self.inner.flush().await.map_err(|error| reason(error, self.shared))?;
        if self.shared.has_unflushed() {
            self.drain().await?;
        }
        Ok(())
    }
}

impl<S: Read + Write> Stream<'_, S> {
    /// Waits until the socket has taken what embedded-tls has given out.
    async fn drain(&mut self) -> Result<(), TlsError> {
        // The way to the socket leads through embedded-tls, which flushes only when it has a record:
        // an empty one, which is given back instead of being sent and so does not count.
        self.shared.set_draining(true);
        self.inner.write(&[]).await.map_err(|error| reason(error, self.shared))?;
        let drained = self.inner.flush().await;
        self.shared.set_draining(false);
        match drained {
            Err(error) if self.shared.has_unflushed() => Err(reason(error, self.shared)),
            _ => Ok(()),
        }
    }
}

/// What an error of embedded-tls means here.
fn reason(error: embedded_tls::TlsError, shared: &Shared) -> TlsError {
    use embedded_tls::TlsError as Inner;
    if let Some(fault) = shared.fault() {
        return fault;
    }
    match error {
        Inner::IoError | Inner::ConnectionClosed => TlsError::Closed,
        Inner::Io(kind) => TlsError::Socket(kind),
        Inner::HandshakeAborted(_, AlertDescription::ProtocolVersion) => TlsError::OldTls,
        Inner::HandshakeAborted(_, AlertDescription::HandshakeFailure) => TlsError::NothingInCommon,
        #[expect(clippy::as_conversions, reason = "the crate offers no other way to its number")]
        Inner::HandshakeAborted(_, alert) => TlsError::Refused(alert as u8),
        // The hello of an older TLS, or one that asks for another group.
        Inner::InvalidKeyShare | Inner::InvalidSupportedVersions => TlsError::OldTls,
        Inner::InternalError => TlsError::Alert,
        Inner::InsufficientSpace => TlsError::RecordTooLong,
        _ => TlsError::Broken,
    }
}

#[cfg(test)]
mod tests;
