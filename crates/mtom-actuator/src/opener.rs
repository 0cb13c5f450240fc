//! Opens and closes what a link address names.

use crate::address::LinkAddress;
use crate::address::bluetooth::BluetoothId;
use crate::bluetooth::finder::{Finder, Say};
use crate::bluetooth::{Kind, LowEnergy, Radio, SerialPort as Spp};
use crate::mqtt::address::MqttAddress;
use crate::report::LinkState;
use crate::settings::Settings;
use futures_util::future::{BoxFuture, FutureExt};
use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
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
    Bluetooth(Box<dyn Duplex>),
}

/// What a Bluetooth stack gives, whichever it is.
pub(crate) trait Duplex: AsyncRead + AsyncWrite + Unpin + Send {}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Duplex for S {}

/// Where the device is, and what remembers how to get there.
enum Way {
    Serial { path: String, baud: u32 },
    Tcp { host: String, port: u16 },
    Search(Box<dyn Search>),
}

/// The way to a device that has to be found first.
pub(crate) trait Search: Send {
    /// Finds the device and connects to it.
    fn open<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>>;

    /// Lets go of the device by force, if there may be a connection.
    fn leave(&mut self) -> BoxFuture<'_, ()>;

    /// The last connection has brought something, or nothing: an adapter that connects and then
    /// carries nothing has failed as well.
    fn judge(&mut self, was_useful: bool);

    /// The device that a name has led to.
    fn remembered(&self) -> Option<&BluetoothId>;
}

impl<R: Radio> Search for Finder<R> {
    fn open<'a>(&'a mut self, say: &'a Say<'a>) -> BoxFuture<'a, Result<Box<dyn Duplex>, String>> {
        async move {
            let stream: Box<dyn Duplex> = Box::new(Finder::open(self, say).await?);
            Ok(stream)
        }
        .boxed()
    }

    fn leave(&mut self) -> BoxFuture<'_, ()> {
        Finder::leave(self).boxed()
    }

    fn judge(&mut self, was_useful: bool) {
        Finder::judge(self, was_useful);
    }

    fn remembered(&self) -> Option<&BluetoothId> {
        Finder::remembered(self)
    }
}

/// Opens one address, again and again. Reasons are for people and do not name the address.
pub(crate) struct Opener {
    way: Way,
    connect_timeout: Duration,
    write_timeout: Duration,
    /// A port that hangs while it opens or closes holds its thread: never more than this one.
    blocked: Option<JoinHandle<Result<Option<SerialStream>, String>>>,
}

impl Opener {
    /// An opener, or the switch on the broker, which has no stream of bytes.
    pub(crate) fn new(settings: &Settings) -> Result<Self, &MqttAddress> {
        let (connect_timeout, write_timeout) = (settings.connect_timeout, settings.write_timeout);
        let remembered = settings.remembered.clone();
        let way = match &settings.link {
            LinkAddress::Mqtt(switch) => return Err(switch),
            LinkAddress::Serial { path, baud } => Way::Serial { path: path.clone(), baud: *baud },
            LinkAddress::Tcp { host, port } => Way::Tcp { host: host.clone(), port: *port },
            LinkAddress::Ble(device) => {
                let radio = LowEnergy::new(device, write_timeout);
                let finder = Finder::new(radio, Kind::Le, device, remembered, connect_timeout);
                Way::Search(Box::new(finder))
            }
            LinkAddress::Spp(device) => {
                let radio = Spp::new(device, connect_timeout);
                let finder = Finder::new(radio, Kind::Classic, device, remembered, connect_timeout);
                Way::Search(Box::new(finder))
            }
        };
        Ok(Self { way, connect_timeout, write_timeout, blocked: None })
    }

    /// An opener of a device that is searched by `search`.
    #[cfg(test)]
    pub(crate) fn over(search: Box<dyn Search>, settings: &Settings) -> Self {
        let (connect_timeout, write_timeout) = (settings.connect_timeout, settings.write_timeout);
        Self { way: Way::Search(search), connect_timeout, write_timeout, blocked: None }
    }

    /// Opens the link, empty of whatever was in its buffers; says what it is about to do.
    pub(crate) async fn open(&mut self, say: &Say<'_>) -> Result<Stream, String> {
        if let Way::Search(search) = &mut self.way {
            return search.open(say).await.map(Stream::Bluetooth);
        }
        say(LinkState::Connecting);
        match &self.way {
            Way::Tcp { host, port } => {
                let limits = (self.connect_timeout, self.write_timeout);
                open_tcp(host, *port, limits).await.map(Stream::Tcp)
            }
            Way::Serial { path, baud } => {
                let (path, baud) = (path.clone(), *baud);
                self.open_serial(path, baud).await.map(Stream::Serial)
            }
            Way::Search(_) => Err("opened above".into()),
        }
    }

    /// Tells whether the last connection has brought anything.
    pub(crate) fn judge(&mut self, was_useful: bool) {
        if let Way::Search(search) = &mut self.way {
            search.judge(was_useful);
        }
    }

    /// The device that a name has led to.
    pub(crate) fn remembered(&self) -> Option<&BluetoothId> {
        match &self.way {
            Way::Search(search) => search.remembered(),
            Way::Serial { .. } | Way::Tcp { .. } => None,
        }
    }

    /// Closes a link whose other end may be gone: what has not left the operating system never will.
    pub(crate) async fn abort(&mut self, stream: Stream) {
        match stream {
            // A plain close would go on delivering in the background, beside the next connection.
            Stream::Tcp(tcp) => drop(tcp.set_zero_linger()),
            Stream::Serial(serial) => self.close(serial, true).await,
            Stream::Bluetooth(stream) => {
                drop(stream);
                self.leave().await;
            }
        }
    }

    /// Closes a link in good order: what was written still arrives.
    pub(crate) async fn finish(&mut self, stream: Stream) {
        match stream {
            Stream::Tcp(tcp) => drop(tcp),
            Stream::Serial(serial) => self.close(serial, false).await,
            Stream::Bluetooth(mut stream) => {
                // A device that does not answer the last write gets nothing more.
                let _ = timeout(self.write_timeout, stream.flush()).await;
                drop(stream);
                self.leave().await;
            }
        }
    }

    /// Lets go of a connection that was being made.
    pub(crate) async fn leave(&mut self) {
        if let Way::Search(search) = &mut self.way {
            search.leave().await;
        }
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

async fn open_tcp(
    host: &str,
    port: u16,
    (connect_timeout, write_timeout): (Duration, Duration),
) -> Result<TcpStream, String> {
    let tcp = timeout(connect_timeout, TcpStream::connect((host, port)))
        .await
        .map_err(|_| format!("no answer within {connect_timeout:?}; is the device on?"))?
        .map_err(|cause| tcp_reason(&cause))?;
    tune(&tcp, write_timeout).map_err(|cause| format!("connection cannot be set up: {cause}"))?;
    Ok(tcp)
}

fn tune(tcp: &TcpStream, write_timeout: Duration) -> io::Result<()> {
    tcp.set_nodelay(true)?;
    let socket = SockRef::from(tcp);
    let probes = TcpKeepalive::new().with_time(TCP_PROBE_AFTER).with_interval(TCP_PROBE_EVERY);
    socket.set_tcp_keepalive(&probes.with_retries(TCP_PROBES))?;
    // Written and not taken by the other end for so long: broken, although the write went well.
    #[cfg(target_os = "linux")]
    socket.set_tcp_user_timeout(Some(write_timeout))?;
    #[cfg(not(target_os = "linux"))]
    let _ = write_timeout;
    Ok(())
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
        // On Windows the library calls both so, and the way to look is another.
        ErrorKind::NoDevice if cfg!(windows) => {
            "no such port, or in use by another program; the Device Manager lists them under Ports (COM & LPT)".into()
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
