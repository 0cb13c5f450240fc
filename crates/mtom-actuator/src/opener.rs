//! Opens and closes what a link address names.

use crate::address::LinkAddress;
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_blocking};
use tokio::time::timeout;
use tokio_serial::{ClearBuffer, SerialPort, SerialPortBuilderExt, SerialStream};

/// A silent TCP connection is probed after this, and so often; three probes without an answer end
/// it. It finds a half open link to an original device, which never answers for itself.
const TCP_PROBE_AFTER: Duration = Duration::from_secs(10);
const TCP_PROBE_EVERY: Duration = Duration::from_secs(5);
const TCP_PROBES: u32 = 3;

/// An open link.
pub(crate) enum Stream {
    Tcp(TcpStream),
    Serial(SerialStream),
}

/// Opens one address, again and again. Reasons are for people and do not name the address.
pub(crate) struct Opener {
    address: LinkAddress,
    connect_timeout: Duration,
    write_timeout: Duration,
    /// A port that hangs while it opens or closes holds its thread: never more than this one.
    blocked: Option<JoinHandle<Result<Option<SerialStream>, String>>>,
}

impl Opener {
    pub(crate) fn new(
        address: &LinkAddress,
        connect_timeout: Duration,
        write_timeout: Duration,
    ) -> Self {
        Self { address: address.clone(), connect_timeout, write_timeout, blocked: None }
    }

    /// Opens the link, empty of whatever was in its buffers.
    pub(crate) async fn open(&mut self) -> Result<Stream, String> {
        match self.address.clone() {
            // It has a way of its own.
            LinkAddress::Mqtt(_) => Err("a switch on the broker has no stream".into()),
            LinkAddress::Tcp { host, port } => self.open_tcp(&host, port).await.map(Stream::Tcp),
            LinkAddress::Serial { path, baud } => {
                self.open_serial(path, baud).await.map(Stream::Serial)
            }
        }
    }

    /// Closes a link whose other end may be gone: what has not left the operating system never will.
    pub(crate) async fn abort(&mut self, stream: Stream) {
        match stream {
            // A plain close would go on delivering in the background, beside the next connection.
            Stream::Tcp(tcp) => drop(tcp.set_zero_linger()),
            Stream::Serial(serial) => self.close(serial, true).await,
        }
    }

    /// Closes a link in good order: what was written still arrives.
    pub(crate) async fn finish(&mut self, stream: Stream) {
        match stream {
            Stream::Tcp(tcp) => drop(tcp),
            Stream::Serial(serial) => self.close(serial, false).await,
        }
    }

    async fn open_tcp(&self, host: &str, port: u16) -> Result<TcpStream, String> {
        let tcp = timeout(self.connect_timeout, TcpStream::connect((host, port)))
            .await
            .map_err(|_| format!("no answer within {:?}; is the device on?", self.connect_timeout))?
            .map_err(|cause| tcp_reason(&cause))?;
        self.tune(&tcp).map_err(|cause| format!("connection cannot be set up: {cause}"))?;
        Ok(tcp)
    }

    fn tune(&self, tcp: &TcpStream) -> io::Result<()> {
        tcp.set_nodelay(true)?;
        let socket = SockRef::from(tcp);
        let probes = TcpKeepalive::new().with_time(TCP_PROBE_AFTER).with_interval(TCP_PROBE_EVERY);
        socket.set_tcp_keepalive(&probes.with_retries(TCP_PROBES))?;
        // Written and not taken by the other end for so long: broken, although the write went well.
        #[cfg(target_os = "linux")]
        socket.set_tcp_user_timeout(Some(self.write_timeout))?;
        Ok(())
    }

    async fn open_serial(&mut self, path: String, baud: u32) -> Result<SerialStream, String> {
        for _ in 0..2 {
            let path = Arc::<str>::from(path.as_str());
            let task = self
                .blocked
                .get_or_insert_with(|| spawn_blocking(move || open_port(&path, baud).map(Some)));
            let Ok(joined) = timeout(self.connect_timeout, task).await else {
                return Err(format!("the port does not open within {:?}", self.connect_timeout));
            };
            self.blocked = None;
            match joined {
                Ok(Ok(Some(port))) => return Ok(port),
                Ok(Err(reason)) => return Err(reason),
                // The last one has closed at last: now the port can be opened.
                Ok(Ok(None)) => {}
                Err(cause) => return Err(format!("the port cannot be opened: {cause}")),
            }
        }
        Err("the port does not close".into())
    }

    /// Closing a serial port can wait for what is in its buffer, so it has a thread of its own.
    async fn close(&mut self, serial: SerialStream, discard: bool) {
        let task = self.blocked.insert(spawn_blocking(move || {
            if discard {
                // A port that is gone has nothing to discard.
                let _ = serial.clear(ClearBuffer::All);
            }
            drop(serial);
            Ok(None)
        }));
        if timeout(self.write_timeout, task).await.is_ok() {
            self.blocked = None;
        }
    }
}

fn open_port(path: &str, baud: u32) -> Result<SerialStream, String> {
    let port = tokio_serial::new(path, baud)
        .open_native_async()
        .map_err(|cause| serial_reason(path, &cause))?;
    // What an earlier connection left in the buffers is neither sent nor taken for an answer.
    port.clear(ClearBuffer::All).map_err(|cause| serial_reason(path, &cause))?;
    Ok(port)
}

fn serial_reason(path: &str, cause: &tokio_serial::Error) -> String {
    use tokio_serial::ErrorKind;
    match cause.kind() {
        ErrorKind::Io(io::ErrorKind::NotFound) if path.contains("rfcomm") => {
            "no such port; is the device paired and bound?".into()
        }
        ErrorKind::Io(io::ErrorKind::NotFound) => {
            "no such port; is the device plugged in, or paired?".into()
        }
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => {
            "permission denied; is this user in the group that owns the port (dialout)?".into()
        }
        // How the library calls a port that another program has opened.
        ErrorKind::NoDevice => "in use by another program, or no device behind it".into(),
        ErrorKind::Io(_) | ErrorKind::InvalidInput | ErrorKind::Unknown => {
            format!("not usable as a serial port: {cause}")
        }
    }
}

fn tcp_reason(cause: &io::Error) -> String {
    match cause.kind() {
        io::ErrorKind::ConnectionRefused => {
            "connection refused; is the device listening on this port?".into()
        }
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => {
            "not reachable; is the device on, in this network?".into()
        }
        io::ErrorKind::TimedOut => "no answer; is the device on?".into(),
        _ => format!("no connection: {cause}"),
    }
}

#[cfg(test)]
mod tests;
