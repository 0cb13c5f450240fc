//! A simulated actuator: the firmware's own code behind a real socket, serial port, pseudo terminal,
//! Bluetooth controller or classic Bluetooth port, all of them at once; or an original device that knows three bytes and
//! never answers.
//!
//! The LED and the last command survive a reconnect, as they do in a device that stays powered. On TCP
//! and classic Bluetooth one connection at a time: a newer one takes the place of an older one, which may be half open.

mod bluetooth;
pub mod fault;
mod original;
mod serial_profile;
mod state;

pub use bluetooth::Bluetooth;
pub use serial_profile::SerialProfile;

use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read};
use fault::{Faults, Heard, Trouble};
use mtom_device::actuator::{Actuator, Pin, Served};
use mtom_device::flash::Bonds;
use mtom_device::settings::{Passkey, Settings as DeviceSettings, SettingsError};
use mtom_protocol::link::Led;
use mtom_protocol::link::keyed::{Key, NONCE_LEN, Nonce};
use original::Original;
use state::Kept;
use std::future::pending;
use std::io;
use std::path::PathBuf;
use std::pin::pin;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};
use tokio_serial::SerialPortBuilderExt;
#[cfg(unix)]
use tokio_serial::SerialStream;
use tokio_util::sync::CancellationToken;

/// Between two attempts to open a serial port, or to accept when the system is out of sockets.
const RETRY: Duration = Duration::from_millis(250);
/// What a connection said before it closed may arrive after the next one has opened.
const GRACE: Duration = Duration::from_millis(100);

/// Which actuator to be.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// The name it answers with and is found under.
    pub name: String,
    /// Be an original device: bare bytes, no answers, nothing of what follows.
    pub original: bool,
    /// The LED returns to its safe state when nothing was asked for so long, in whole milliseconds.
    pub lease: Option<Duration>,
    /// What the LED is at the start and when the lease ends.
    pub safe: Led,
    /// The file that stands for the device's flash; without it the last command is forgotten.
    pub state: Option<PathBuf>,
    /// Obeys nobody who has not this key.
    pub key: Option<Key>,
    /// Over Bluetooth LE obeys only whom it was paired with, which it can be for so long, in whole seconds,
    /// after its start.
    pub pairing: Option<Duration>,
    /// What is typed to pair it; `None`: a new one each time, which its log shows.
    pub passkey: Option<Passkey>,
    /// Pair by comparing numbers, and what its person says then.
    pub compare: Option<Compare>,
    /// What goes wrong.
    pub faults: Faults,
    /// The same seed gives the same faults.
    pub seed: u64,
}

impl Default for Settings {
    /// As a device that was never configured.
    fn default() -> Self {
        let device = DeviceSettings::default();
        Self {
            name: device.name.as_str().into(),
            original: false,
            lease: Some(Duration::from_millis(device.lease_millis.into())),
            safe: device.safe,
            state: None,
            key: None,
            pairing: None,
            passkey: None,
            compare: None,
            faults: Faults::default(),
            seed: 1,
        }
    }
}

/// What the person at a device says of two numbers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compare {
    /// That they are the same by a press of the button, and else nothing.
    #[default]
    Ask,
    /// At once that they are the same, whatever they are.
    Same,
    /// At once that they are not.
    Different,
}

/// Where gateways reach it.
#[derive(Debug, Default)]
pub struct Links {
    /// On this socket.
    pub tcp: Option<TcpListener>,
    /// On this serial port, which is opened again and again while it is away.
    pub serial: Option<Port>,
    /// On the path of this terminal.
    pub pty: Option<Pty>,
    /// Over Bluetooth LE; not for an original device, which spoke the classic one.
    pub bluetooth: Option<Bluetooth>,
    /// As a serial port over classic Bluetooth, as the original was.
    pub serial_profile: Option<SerialProfile>,
}

/// A serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// Its path, or its name on Windows.
    pub path: String,
    /// Its speed in bits per second.
    pub baud: u32,
}

/// Why a simulated actuator cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ActuatorError {
    /// The settings are wrong.
    #[error("simulated actuator: {0}")]
    Settings(#[from] SettingsError),
    /// No pseudo terminal is to be had.
    #[cfg_attr(unix, error("no pseudo terminal can be opened"))]
    #[cfg_attr(
        not(unix),
        error(
            "there are no pseudo terminals here: listen with --listen 127.0.0.1:7000, or take one end of a pair of \
             virtual serial ports, as --serial COM5"
        )
    )]
    Pty(#[source] io::Error),
    /// The file is not to be had, or it is no state of a simulated actuator.
    #[error("cannot keep the last command in {}", path.display())]
    State {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        cause: io::Error,
    },
}

/// Serves gateways on `links` until `stop`. Each of `presses` presses the button of the device, `observe`
/// hears every change of the LED.
///
/// Must run inside [`mtom_time::run`].
///
/// # Errors
/// At once, when the settings are wrong or the state cannot be read.
pub async fn run(
    links: Links,
    settings: Settings,
    presses: mpsc::Receiver<()>,
    observe: impl Fn(Led),
    stop: CancellationToken,
) -> Result<(), ActuatorError> {
    // In boxes: each link has room for a page of the state file.
    let name = settings.name.clone();
    let device = Box::pin(Device::new(settings, observe)).await?;
    let served = Box::pin(async {
        tokio::join!(
            on_tcp(&device, links.tcp),
            on_serial(&device, links.serial),
            on_pty(&device, links.pty),
            device.on_bluetooth(links.bluetooth),
            on_serial_profile(&device, &name, links.serial_profile),
            device.supervise(),
            device.under_hands(presses),
        )
    });
    tokio::select! {
        biased;
        () = stop.cancelled() => {}
        _ = served => {}
    }
    Ok(())
}

/// A pseudo terminal: a serial port for a gateway, without a cable. There are none on Windows.
#[cfg(unix)]
#[derive(Debug)]
pub struct Pty {
    master: SerialStream,
    /// Kept open, or the master's end would fail whenever no gateway has the port open.
    slave: SerialStream,
}

#[cfg(unix)]
impl Pty {
    /// Opens a new one.
    ///
    /// # Errors
    /// When the system has none left.
    pub fn open() -> Result<Self, ActuatorError> {
        let (master, slave) =
            SerialStream::pair().map_err(|cause| ActuatorError::Pty(cause.into()))?;
        Ok(Self { master, slave })
    }

    /// The path for the gateway's link: `serial:<path>`.
    #[must_use]
    pub fn path(&self) -> String {
        tokio_serial::SerialPort::name(&self.slave).unwrap_or_default()
    }
}

/// A pseudo terminal: a serial port for a gateway, without a cable. There are none on Windows.
#[cfg(not(unix))]
#[derive(Debug)]
pub enum Pty {}

#[cfg(not(unix))]
impl Pty {
    /// Never opens one.
    ///
    /// # Errors
    /// Always.
    pub fn open() -> Result<Self, ActuatorError> {
        Err(ActuatorError::Pty(io::ErrorKind::Unsupported.into()))
    }

    /// Of none.
    #[must_use]
    pub fn path(&self) -> String {
        match *self {}
    }
}

async fn on_tcp<F: Fn(Led)>(device: &Device<F>, listener: Option<TcpListener>) -> ! {
    let Some(listener) = listener else { pending().await };
    device.serve_newest(async || Some(accept(&listener).await)).await;
    pending().await
}

#[cfg(target_os = "linux")]
async fn on_serial_profile<F: Fn(Led)>(
    device: &Device<F>,
    name: &str,
    profile: Option<SerialProfile>,
) -> ! {
    let Some(profile) = profile else { pending().await };
    let serve = |mut port: serial_profile::Port| async move {
        device.serve_newest(async || port.next().await).await;
    };
    profile.serve(name, serve).await
}

#[cfg(not(target_os = "linux"))]
async fn on_serial_profile<F>(_: &Device<F>, _: &str, _: Option<SerialProfile>) -> ! {
    pending().await
}

async fn accept(listener: &TcpListener) -> TcpStream {
    loop {
        match listener.accept().await {
            Ok((tcp, _)) => {
                // Answers are short: they must not wait for more of them.
                let _ = tcp.set_nodelay(true);
                return tcp;
            }
            // Out of file descriptors, most likely: it passes.
            Err(_) => sleep(RETRY).await,
        }
    }
}

async fn on_serial<F: Fn(Led)>(device: &Device<F>, port: Option<Port>) -> ! {
    let Some(port) = port else { pending().await };
    loop {
        if let Ok(stream) = tokio_serial::new(&port.path, port.baud).open_native_async() {
            device.serve(stream, &CancellationToken::new()).await;
        }
        sleep(RETRY).await;
    }
}

#[cfg(unix)]
async fn on_pty<F: Fn(Led)>(device: &Device<F>, pty: Option<Pty>) -> ! {
    let Some(Pty { mut master, slave: _slave }) = pty else { pending().await };
    loop {
        device.serve(&mut master, &CancellationToken::new()).await;
        sleep(RETRY).await;
    }
}

#[cfg(not(unix))]
async fn on_pty<F>(_device: &Device<F>, _pty: Option<Pty>) -> ! {
    pending().await
}

/// The device behind its links.
struct Device<F> {
    kind: Kind<F>,
    compare: Compare,
    trouble: Trouble,
}

enum Kind<F> {
    Original(Original<Observed<F>>),
    Second(Box<Actuator<Observed<F>, Kept>>),
}

impl<F: Fn(Led)> Device<F> {
    async fn new(settings: Settings, observe: F) -> Result<Self, ActuatorError> {
        let led = Observed { observe, led: Led::Off };
        let trouble = Trouble::new(settings.faults.clone(), settings.seed);
        let compare = settings.compare.unwrap_or_default();
        if settings.original || settings.faults.legacy {
            return Ok(Self { kind: Kind::Original(Original::new(led)), compare, trouble });
        }
        let device = settings.for_device()?;
        let (memory, last_number) = match settings.state {
            None => (Kept::Nowhere(Bonds::new()), 0),
            Some(path) => match Kept::open(&path).await {
                Ok(opened) => opened,
                Err(cause) => return Err(ActuatorError::State { path, cause }),
            },
        };
        let actuator = Box::new(Actuator::new(&device, last_number, led, memory, draw));
        Ok(Self { kind: Kind::Second(actuator), compare, trouble })
    }

    /// Serves one connection after the other until there is none; a newer one takes the place of an
    /// older one.
    async fn serve_newest<S: AsyncRead + AsyncWrite + Unpin>(
        &self,
        mut next: impl AsyncFnMut() -> Option<S>,
    ) {
        let mut client = next().await;
        while let Some(stream) = client {
            let replaced = CancellationToken::new();
            let mut served = pin!(self.serve(stream, &replaced));
            let newer = tokio::select! {
                newer = next() => Some(newer),
                () = &mut served => None,
            };
            client = match newer {
                Some(newer) => {
                    if timeout(GRACE, &mut served).await.is_err() {
                        replaced.cancel();
                        served.await;
                    }
                    newer
                }
                None => next().await,
            };
        }
    }

    /// Serves a connection until it ends, or until another has `replaced` it.
    async fn serve(
        &self,
        stream: impl AsyncRead + AsyncWrite + Unpin,
        replaced: &CancellationToken,
    ) {
        let (rx, tx) = tokio::io::split(stream);
        let rx = Until { rx: FromTokio::new(rx), replaced };
        let tx = FromTokio::new(tx);
        match &self.kind {
            Kind::Original(original) => original.serve(Heard::new(rx, &self.trouble)).await,
            Kind::Second(actuator) => {
                let device = self.trouble.around(actuator, self.compare);
                device.serve(rx, tx).await;
            }
        }
    }

    async fn on_bluetooth(&self, bluetooth: Option<Bluetooth>) -> ! {
        match (&self.kind, bluetooth) {
            (Kind::Second(actuator), Some(bluetooth)) => {
                bluetooth.serve(&self.trouble.around(actuator, self.compare)).await
            }
            (Kind::Original(_), _) | (_, None) => pending().await,
        }
    }

    /// An original device has no button.
    async fn under_hands(&self, mut presses: mpsc::Receiver<()>) -> ! {
        while let Some(()) = presses.recv().await {
            if let Kind::Second(actuator) = &self.kind
                && !self.trouble.is_dead()
            {
                actuator.press();
            }
        }
        pending().await
    }

    async fn supervise(&self) -> ! {
        match &self.kind {
            Kind::Second(actuator) => tokio::select! {
                biased;
                // One that has died keeps no lease.
                () = self.trouble.dies() => pending().await,
                never = actuator.supervise(NoWatchdog) => never,
            },
            Kind::Original(_) => pending().await,
        }
    }
}

impl Settings {
    fn for_device(&self) -> Result<DeviceSettings, SettingsError> {
        let (safe, key, passkey) = (self.safe, self.key.clone(), self.passkey);
        let mut settings = DeviceSettings { safe, key, passkey, ..DeviceSettings::default() };
        let pairing_seconds = self.pairing.map_or(0, |window| window.as_secs());
        settings.set("pairing_seconds", &pairing_seconds.to_string())?;
        settings.pairing_compare = self.compare.is_some();
        settings.set("name", &self.name)?;
        let lease_millis = self.lease.map_or(0, |lease| lease.as_millis());
        settings.set("lease_millis", &lease_millis.to_string())?;
        Ok(settings)
    }
}

/// The system's random numbers.
fn draw() -> Option<Nonce> {
    let mut nonce = [0; NONCE_LEN];
    getrandom::fill(&mut nonce).ok()?;
    Some(Nonce(nonce))
}

/// An LED that somebody looks at. Dark until it is first lit.
struct Observed<F> {
    observe: F,
    led: Led,
}

impl<F: Fn(Led)> Pin for Observed<F> {
    fn set(&mut self, led: Led) {
        if self.led != led {
            self.led = led;
            (self.observe)(led);
        }
    }
}

/// A process has nobody who would start it again.
struct NoWatchdog;

impl mtom_device::actuator::Watchdog for NoWatchdog {
    fn feed(&mut self) {}
}

/// What a connection says until another has replaced it.
struct Until<'a, R> {
    rx: R,
    replaced: &'a CancellationToken,
}

impl<R: ErrorType> ErrorType for Until<'_, R> {
    type Error = R::Error;
}

impl<R: Read> Read for Until<'_, R> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, R::Error> {
        tokio::select! {
            biased;
            () = self.replaced.cancelled() => Ok(0),
            read = self.rx.read(bytes) => read,
        }
    }
}

#[cfg(test)]
mod tests;
