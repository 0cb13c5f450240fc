//! Whole records between the socket and embedded-tls, and no other ones.
//!
//! embedded-tls reads a record in pieces and forgets where it was when a read is given up; it forgets
//! a record that it was writing, too. Here an incoming record is handed on only when it is whole, and
//! an outgoing one is kept until the socket has taken it. Records that TLS 1.3 does not allow at their
//! place are refused: embedded-tls takes some of them unencrypted, and others make it panic.

use crate::tls::TlsError;
use core::cell::Cell;
use embedded_io_async::{Error as _, ErrorKind, ErrorType, Read, Write};

/// Content type, version, length [RFC 8446 5.1].
pub(super) const HEADER_LEN: usize = 5;
/// What encryption adds at least: the content type and the tag of AES-GCM.
const SEALED_LEN_MIN: usize = 1 + 16;

const CHANGE_CIPHER_SPEC: u8 = 20;
const ALERT: u8 = 21;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;

/// What the stream above embedded-tls has to know of the records below it.
#[derive(Debug)]
pub(super) struct Shared {
    unflushed: Cell<bool>,
    draining: Cell<bool>,
    fault: Cell<Option<TlsError>>,
}

impl Shared {
    pub(super) const fn new() -> Self {
        Self { unflushed: Cell::new(false), draining: Cell::new(false), fault: Cell::new(None) }
    }

    pub(super) fn reset(&mut self) {
        *self = Self::new();
    }

    /// Whether a record waits for the socket to take it.
    pub(super) fn has_unflushed(&self) -> bool {
        self.unflushed.get()
    }

    /// Whether a record that comes is given back as soon as the one before it has left.
    pub(super) fn set_draining(&self, is_draining: bool) {
        self.draining.set(is_draining);
    }

    /// What was wrong first, more exactly than embedded-tls can say it.
    pub(super) fn fault(&self) -> Option<TlsError> {
        self.fault.get()
    }

    fn fail(&self, fault: TlsError) -> ErrorKind {
        let first = self.fault.get().unwrap_or(fault);
        self.fault.set(Some(first));
        first.kind()
    }
}

/// The socket as embedded-tls sees it.
pub(super) struct Records<'a, S> {
    socket: S,
    incoming: &'a mut [u8],
    /// How much of a record has come in, its header included.
    filled: usize,
    /// How much of it was handed on; `None` until it is whole.
    taken: Option<usize>,
    outgoing: &'a mut [u8],
    outgoing_len: usize,
    /// How much of `outgoing` the socket has taken.
    sent: usize,
    /// From the server's hello on everything is encrypted.
    is_sealed: bool,
    shared: &'a Shared,
}

impl<'a, S: Read + Write> Records<'a, S> {
    pub(super) fn new(
        socket: S,
        incoming: &'a mut [u8],
        outgoing: &'a mut [u8],
        shared: &'a Shared,
    ) -> Self {
        Self {
            socket,
            incoming,
            filled: 0,
            taken: None,
            outgoing,
            outgoing_len: 0,
            sent: 0,
            is_sealed: false,
            shared,
        }
    }

    /// Waits until a record is whole; false at the end of the stream between two of them.
    async fn whole(&mut self) -> Result<bool, ErrorKind> {
        while self.taken.is_none() {
            let len = self.len_wanted()?;
            if self.filled == len {
                self.is_sealed |= self.incoming.first() == Some(&HANDSHAKE);
                self.taken = Some(0);
                break;
            }
            let free = self.incoming.get_mut(self.filled..len).unwrap_or_default();
            match self.socket.read(free).await {
                Ok(0) if self.filled == 0 => return Ok(false),
                Ok(0) => return Err(self.shared.fail(TlsError::Closed)),
                Ok(len) => self.filled = self.filled.saturating_add(len),
                Err(error) => return Err(self.shared.fail(TlsError::Socket(error.kind()))),
            }
        }
        Ok(true)
    }

    /// How long the record is, as far as that is known: first its header.
    fn len_wanted(&self) -> Result<usize, ErrorKind> {
        let header = self.incoming.get(..self.filled).and_then(|came| came.first_chunk());
        let Some([kind, version, _, high, low]) = header else { return Ok(HEADER_LEN) };
        let len = usize::from(u16::from_be_bytes([*high, *low]));
        let is_allowed = match *kind {
            HANDSHAKE | ALERT => !self.is_sealed && len > 0,
            APPLICATION_DATA => self.is_sealed && len >= SEALED_LEN_MIN,
            CHANGE_CIPHER_SPEC => self.is_sealed && len == 1,
            _ => return Err(self.shared.fail(TlsError::NotTls)),
        };
        if *version != 3 {
            return Err(self.shared.fail(TlsError::NotTls));
        }
        if !is_allowed {
            return Err(self.shared.fail(TlsError::Broken));
        }
        let whole = HEADER_LEN.saturating_add(len);
        if whole > self.incoming.len() {
            return Err(self.shared.fail(TlsError::RecordTooLong));
        }
        Ok(whole)
    }

    /// Gives the socket all it has not taken.
    async fn send(&mut self) -> Result<(), ErrorKind> {
        while self.sent < self.outgoing_len {
            let rest = self.outgoing.get(self.sent..self.outgoing_len).unwrap_or_default();
            match self.socket.write(rest).await {
                Ok(0) => return Err(self.shared.fail(TlsError::Closed)),
                Ok(len) => self.sent = self.sent.saturating_add(len),
                Err(error) => return Err(self.shared.fail(TlsError::Socket(error.kind()))),
            }
        }
        self.sent = 0;
        self.outgoing_len = 0;
        Ok(())
    }
}

impl<S> ErrorType for Records<'_, S> {
    type Error = ErrorKind;
}

impl<S: Read + Write> Read for Records<'_, S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, ErrorKind> {
        if !self.whole().await? {
            return Ok(0);
        }
        let from = self.taken.unwrap_or(0);
        let rest = self.incoming.get(from..self.filled).unwrap_or_default();
        let mut len = 0;
        for (place, byte) in bytes.iter_mut().zip(rest) {
            *place = *byte;
            len += 1;
        }
        let taken = from.saturating_add(len);
        self.taken = Some(taken);
        if taken == self.filled {
            self.taken = None;
            self.filled = 0;
        }
        Ok(len)
    }
}

impl<S: Read + Write> Write for Records<'_, S> {
    /// Takes a whole record at once: there is room, because [`Shared::has_unflushed`] is asked before.
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, ErrorKind> {
        if self.shared.draining.get() {
            self.flush().await?;
            return Err(ErrorKind::Interrupted);
        }
        let mut len = 0;
        for (place, byte) in self.outgoing.iter_mut().zip(bytes) {
            *place = *byte;
            len += 1;
        }
        self.outgoing_len = len;
        self.shared.unflushed.set(len > 0);
        Ok(len)
    }

    async fn flush(&mut self) -> Result<(), ErrorKind> {
        self.send().await?;
        let flushed = self.socket.flush().await;
        flushed.map_err(|error| self.shared.fail(TlsError::Socket(error.kind())))?;
        self.shared.unflushed.set(false);
        Ok(())
    }
}
