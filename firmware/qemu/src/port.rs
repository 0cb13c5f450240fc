//! A serial port as a byte stream of `embedded-io-async`.
//!
//! A byte that is not there yet is asked for again and again, as everything is under `block_on`.

use embassy_futures::yield_now;
use embedded_hal_nb::serial;
use embedded_io_async::{ErrorKind, ErrorType, Read, Write};
use nb::Error;

/// The receiving half.
pub struct Receiver<R>(pub R);

/// The sending half.
pub struct Sender<W>(pub W);

/// Both halves.
pub struct Port<R, W> {
    /// Receives.
    pub rx: Receiver<R>,
    /// Sends.
    pub tx: Sender<W>,
}

impl<R> ErrorType for Receiver<R> {
    type Error = ErrorKind;
}

impl<R: serial::Read> Read for Receiver<R> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        let mut len = 0;
        while len == 0 && !bytes.is_empty() {
            for free in bytes.iter_mut() {
                match self.0.read() {
                    Ok(byte) => *free = byte,
                    Err(Error::WouldBlock) => break,
                    Err(Error::Other(_)) => return Err(ErrorKind::Other),
                }
                len += 1;
            }
            if len == 0 {
                yield_now().await;
            }
        }
        Ok(len)
    }
}

impl<W> ErrorType for Sender<W> {
    type Error = ErrorKind;
}

impl<W: serial::Write> Write for Sender<W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        let Some(first) = bytes.first() else { return Ok(0) };
        ready(|| self.0.write(*first)).await.map(|()| 1)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        ready(|| self.0.flush()).await
    }
}

impl<R, W> ErrorType for Port<R, W> {
    type Error = ErrorKind;
}

impl<R: serial::Read, W> Read for Port<R, W> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        self.rx.read(bytes).await
    }
}

impl<R, W: serial::Write> Write for Port<R, W> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        self.tx.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.tx.flush().await
    }
}

async fn ready<E>(mut attempt: impl FnMut() -> nb::Result<(), E>) -> Result<(), ErrorKind> {
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(Error::WouldBlock) => yield_now().await,
            Err(Error::Other(_)) => return Err(ErrorKind::Other),
        }
    }
}
