//! A connector with TLS on top where the settings ask for it.

use crate::clock::WallClock;
use crate::sensor::Connector;
use crate::tls::{self, Buffers, CryptoRngCore, Stream, TlsError};
use core::fmt;
use embassy_time::Instant;
use embedded_io_async::{Error, ErrorKind, ErrorType, Read, Write};

/// Opens streams through another connector and proves who is at the other end.
#[derive(Debug)]
pub struct Secured<'a, C, G> {
    plain: C,
    tls: Option<Tls<'a>>,
    rng: G,
    buffers: Buffers,
}

/// What a broker is checked against.
#[derive(Clone, Copy, Debug)]
pub struct Tls<'a> {
    /// The broker's name or address.
    pub host: &'a str,
    /// The certificate of its CA, as DER.
    pub ca: &'a [u8],
    /// Says whether a certificate is valid now.
    pub clock: &'a WallClock,
}

impl<'a, C, G> Secured<'a, C, G> {
    /// `plain` alone without `tls`; `rng` must be fit for secrets.
    pub const fn new(plain: C, tls: Option<Tls<'a>>, rng: G) -> Self {
        Self { plain, tls, rng, buffers: Buffers::new() }
    }
}

impl<C: Connector, G: CryptoRngCore> Connector for Secured<'_, C, G> {
    type Io<'a>
        = Secure<'a, C::Io<'a>>
    where
        Self: 'a;
    type Error = SecuredError<C::Error>;

    async fn ready(&mut self) {
        self.plain.ready().await;
    }

    async fn connect(&mut self) -> Result<Self::Io<'_>, Self::Error> {
        let socket = self.plain.connect().await.map_err(SecuredError::Plain)?;
        let Some(Tls { host, ca, clock }) = self.tls else { return Ok(Secure::Plain(socket)) };
        let time = clock.at(Instant::now());
        let opened = tls::open(socket, host, ca, time, &mut self.rng, &mut self.buffers).await;
        opened.map(Secure::Tls).map_err(SecuredError::Tls)
    }
}

/// A stream to the broker.
#[expect(clippy::large_enum_variant, reason = "there is no heap to put the larger one on")]
pub enum Secure<'a, S: Read + Write> {
    /// Anybody in between can read it.
    Plain(S),
    /// Nobody can.
    Tls(Stream<'a, S>),
}

/// Why there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SecuredError<E> {
    /// What the other connector said, or the stream without TLS.
    Plain(E),
    /// What TLS said.
    Tls(TlsError),
}

impl<E: fmt::Display> fmt::Display for SecuredError<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Plain(error) => error.fmt(f),
            Self::Tls(error) => error.fmt(f),
        }
    }
}

impl<E: fmt::Debug + fmt::Display> core::error::Error for SecuredError<E> {}

impl<E: Error> Error for SecuredError<E> {
    fn kind(&self) -> ErrorKind {
        match self {
            Self::Plain(error) => error.kind(),
            Self::Tls(error) => error.kind(),
        }
    }
}

impl<S: Read + Write> ErrorType for Secure<'_, S> {
    type Error = SecuredError<S::Error>;
}

impl<S: Read + Write> Read for Secure<'_, S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        match self {
            Self::Plain(stream) => stream.read(bytes).await.map_err(SecuredError::Plain),
            Self::Tls(stream) => stream.read(bytes).await.map_err(SecuredError::Tls),
        }
    }
}

impl<S: Read + Write> Write for Secure<'_, S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, Self::Error> {
        match self {
            Self::Plain(stream) => stream.write(bytes).await.map_err(SecuredError::Plain),
            Self::Tls(stream) => stream.write(bytes).await.map_err(SecuredError::Tls),
        }
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        match self {
            Self::Plain(stream) => stream.flush().await.map_err(SecuredError::Plain),
            Self::Tls(stream) => stream.flush().await.map_err(SecuredError::Tls),
        }
    }
}

#[cfg(test)]
mod tests;
