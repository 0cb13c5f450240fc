//! A simulated actuator: the firmware's own logic behind a real socket, serial port or pseudo
//! terminal, or an original device that knows three bytes and never answers.
//!
//! The LED and the last command survive a reconnect, as they do in a device that stays powered. One
//! connection at a time: a newer one takes the place of an older one, which may be half open.

use mtom_device::actuator::{Actuator, Board, IdentityError};
use mtom_protocol::link::{Led, Report};
use std::io;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{Instant, sleep, sleep_until, timeout};
use tokio_serial::{SerialPortBuilderExt, SerialStream};
use tokio_util::sync::CancellationToken;

const READ_LEN: usize = 256;
/// A gateway that does not take an answer for so long is gone.
const WRITE_MAX: Duration = Duration::from_secs(2);
/// Between two attempts to open a serial port, or to accept when the system is out of sockets.
const RETRY: Duration = Duration::from_millis(250);

/// Which actuator to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The name it answers with.
    pub name: String,
    /// The firmware version it answers with.
    pub version: String,
    /// Be an original device: bare bytes, no answers.
    pub original: bool,
    /// The LED goes dark when nothing was heard for so long.
    pub lease: Option<Duration>,
}

impl Default for Settings {
    /// The original's name, no lease.
    fn default() -> Self {
        Self {
            name: "TEMP_LED".into(),
            version: env!("CARGO_PKG_VERSION").into(),
            original: false,
            lease: None,
        }
    }
}

/// Why a simulated actuator cannot be.
#[derive(Debug, thiserror::Error)]
pub enum ActuatorError {
    /// The settings are wrong.
    #[error("simulated actuator: {0}")]
    Identity(#[from] IdentityError),
    /// No pseudo terminal is to be had.
    #[error("no pseudo terminal can be opened")]
    Pty(#[source] io::Error),
}

/// Serves gateways that connect to `listener` until `stop`. `observe` hears every change of the LED.
///
/// # Errors
/// At once, when name or version would break the line that carries them.
pub async fn serve_tcp(
    listener: TcpListener,
    settings: Settings,
    observe: impl Fn(Led) + Send,
    stop: CancellationToken,
) -> Result<(), ActuatorError> {
    let mut device = Device::new(&settings, observe)?;
    let mut client: Option<TcpStream> = None;
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            accepted = listener.accept() => match accepted {
                Ok((tcp, _)) => {
                    // Answers are short: they must not wait for more of them.
                    let _ = tcp.set_nodelay(true);
                    device.disconnected();
                    client = Some(tcp);
                }
                // Out of file descriptors, most likely: it passes.
                Err(_) => drop(timeout(RETRY, stop.cancelled()).await),
            },
            () = device.turn(&mut client) => {}
        }
    }
}

/// Serves the gateway at the other end of a serial port until `stop`; opens the port again and again
/// while it is away. `observe` hears every change of the LED.
///
/// # Errors
/// At once, when name or version would break the line that carries them.
pub async fn serve_serial(
    path: &str,
    baud: u32,
    settings: Settings,
    observe: impl Fn(Led) + Send,
    stop: CancellationToken,
) -> Result<(), ActuatorError> {
    let mut device = Device::new(&settings, observe)?;
    let mut client: Option<SerialStream> = None;
    loop {
        if client.is_none() {
            client = tokio_serial::new(path, baud).open_native_async().ok();
        }
        tokio::select! {
            biased;
            () = stop.cancelled() => return Ok(()),
            () = device.turn(&mut client) => {}
            () = sleep(RETRY), if client.is_none() => {}
        }
    }
}

/// A pseudo terminal: a serial port for a gateway, without a cable.
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

/// Serves the gateway that opens `pty`'s path, until `stop`. `observe` hears every change of the LED.
///
/// # Errors
/// At once, when name or version would break the line that carries them.
#[cfg(unix)]
pub async fn serve_pty(
    pty: Pty,
    settings: Settings,
    observe: impl Fn(Led) + Send,
    stop: CancellationToken,
) -> Result<(), ActuatorError> {
    let mut device = Device::new(&settings, observe)?;
    let Pty { master, slave } = pty;
    let mut client = Some(master);
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            () = device.turn(&mut client) => {}
        }
    }
    drop(slave);
    Ok(())
}

/// The device: its logic, its pins and its uptime.
struct Device<'a, F> {
    logic: Logic<'a>,
    board: Pins<F>,
    booted_at: Instant,
}

enum Logic<'a> {
    Original { led: Led },
    Second(Box<Actuator<'a>>),
}

/// Collects answers; the observer is the LED.
struct Pins<F> {
    observe: F,
    answers: String,
}

impl<F: Fn(Led)> Board for Pins<F> {
    fn set_led(&mut self, led: Led) {
        (self.observe)(led);
    }

    fn reply(&mut self, report: Report<'_>) {
        self.answers.push_str(&report.to_string());
        self.answers.push('\n');
    }
}

impl<'a, F: Fn(Led)> Device<'a, F> {
    fn new(settings: &'a Settings, observe: F) -> Result<Self, ActuatorError> {
        let mut actuator = Actuator::new(&settings.name, &settings.version, 0)?;
        if let Some(lease) = settings.lease {
            actuator = actuator.with_lease(lease);
        }
        let logic = if settings.original {
            Logic::Original { led: Led::Off }
        } else {
            Logic::Second(Box::new(actuator))
        };
        let board = Pins { observe, answers: String::new() };
        Ok(Self { logic, board, booted_at: Instant::now() })
    }

    /// Waits for bytes or for what is due and answers. Without a client only what is due happens.
    async fn turn<S: AsyncRead + AsyncWrite + Unpin>(&mut self, client: &mut Option<S>) {
        let mut buffer = [0; READ_LEN];
        let due = match &self.logic {
            Logic::Original { .. } => None,
            Logic::Second(actuator) => actuator.deadline().map(|at| self.booted_at + at),
        };
        let read = tokio::select! {
            read = read(client, &mut buffer) => read,
            () = wait(due) => Ok(None),
        };
        match read {
            Ok(None) => self.poll(),
            Ok(Some(len)) if len > 0 => self.receive(buffer.get(..len).unwrap_or_default()),
            Ok(Some(_)) | Err(_) => {
                self.disconnected();
                *client = None;
            }
        }
        if !self.answer(client).await {
            self.disconnected();
            *client = None;
        }
    }

    fn receive(&mut self, bytes: &[u8]) {
        let now = self.booted_at.elapsed();
        match &mut self.logic {
            Logic::Second(actuator) => actuator.receive(bytes, now, &mut self.board),
            Logic::Original { led } => {
                for new in bytes.iter().copied().filter_map(Led::from_byte) {
                    if new != *led {
                        *led = new;
                        self.board.set_led(new);
                    }
                }
            }
        }
    }

    fn poll(&mut self) {
        if let Logic::Second(actuator) = &mut self.logic {
            actuator.poll(self.booted_at.elapsed(), &mut self.board);
        }
    }

    fn disconnected(&mut self) {
        if let Logic::Second(actuator) = &mut self.logic {
            actuator.disconnect(self.booted_at.elapsed(), &mut self.board);
        }
        self.board.answers.clear();
    }

    /// Sends what was answered; false when nobody takes it.
    async fn answer<S: AsyncWrite + Unpin>(&mut self, client: &mut Option<S>) -> bool {
        // Taken, not copied: were this dropped half way, the rest of a line would be no answer.
        let answers = std::mem::take(&mut self.board.answers);
        match client {
            Some(client) if !answers.is_empty() => {
                let written = timeout(WRITE_MAX, client.write_all(answers.as_bytes())).await;
                matches!(written, Ok(Ok(())))
            }
            _ => true,
        }
    }
}

async fn read<S: AsyncRead + Unpin>(
    client: &mut Option<S>,
    buffer: &mut [u8],
) -> io::Result<Option<usize>> {
    match client {
        Some(client) => client.read(buffer).await.map(Some),
        None => std::future::pending().await,
    }
}

async fn wait(due: Option<Instant>) {
    match due {
        Some(at) => sleep_until(at).await,
        None => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests;
