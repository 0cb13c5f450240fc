//! The conversation with the loader in a board's ROM, or with the faster one that is sent to its RAM.
//!
//! A port that cannot move the lines behind RESET and BOOT (a pseudo terminal, a bare adapter) is
//! spoken to as it is: somebody has brought the board into its loader already.

use crate::board::Board;
use crate::image::{FLASH_SIZE, Image};
use crate::log::Log;
use crate::ports;
use espflash::Error;
use espflash::connection::{Connection, Port, ResetAfterOperation, ResetBeforeOperation};
use espflash::flasher::{FlashSize, Flasher};
use espflash::image_format::Segment;
use espflash::target::{Chip, ProgressCallbacks};
use serialport::{ErrorKind, SerialPort, UsbPortInfo};
use std::borrow::Cow;
use std::error::Error as StdError;
use std::io;
use std::time::Duration;

/// The speed at which every loader begins, and the device's log.
pub(crate) const BAUD: u32 = 115_200;
/// How long the library waits before it knows better.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How a board is spoken to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Bring it into its loader through the lines behind RESET and BOOT.
    pub reset: bool,
    /// Send the faster loader to its RAM.
    pub stub: bool,
    /// The speed of the transfer, in baud.
    pub baud: u32,
}

/// Why a board could not be written. Each says what to do.
#[derive(Debug, thiserror::Error)]
pub enum LoaderError {
    /// The port is not there.
    #[error("there is no port {path}: is the board plugged in, with a cable that carries data?")]
    NoSuchPort {
        /// The port.
        path: String,
    },
    /// It may not be opened.
    #[error(
        "permission denied on {path}: join the group that owns it (sudo usermod -aG dialout $USER), then log in again"
    )]
    Denied {
        /// The port.
        path: String,
    },
    /// Somebody else has it.
    #[error(
        "{path} is in use by another program: close it (a serial monitor, another mtom), then run the same command again"
    )]
    Busy {
        /// The port.
        path: String,
    },
    /// It is something else.
    #[error("{path} is not usable as a serial port: {reason}")]
    NotAPort {
        /// The port.
        path: String,
        /// Why.
        reason: String,
    },
    /// No loader behind it.
    #[error(
        "nothing answers on {path}: hold BOOT, press RESET (EN) and let it go, let BOOT go, then run the same command with --before no-reset"
    )]
    NoAnswer {
        /// The port.
        path: String,
    },
    /// A chip there is no firmware for.
    #[error("{}", no_firmware(.chip))]
    NotBuilt {
        /// The chip's name.
        chip: String,
    },
    /// Another board than was asked for.
    #[error("the board on {path} is an {found}, and an {wanted} was asked for")]
    OtherBoard {
        /// The port.
        path: String,
        /// What is there.
        found: Board,
        /// What was asked for.
        wanted: Board,
    },
    /// Its flash is too small.
    #[error("the board on {path} has {found} of flash, and the firmware needs {FLASH_SIZE}")]
    SmallFlash {
        /// The port.
        path: String,
        /// What it has.
        found: FlashSize,
    },
    /// The port has vanished.
    #[error(
        "the board went away at {percent} %: plug it in again and run the same command; a half-written board can always be flashed again"
    )]
    Gone {
        /// How much was written.
        percent: u8,
    },
    /// No answer in the middle.
    #[error(
        "the board stopped answering at {percent} % ({reason}): run the same command again, with another cable or --baud 115200 if it happens again; a half-written board can always be flashed again"
    )]
    Silent {
        /// How much was written.
        percent: u8,
        /// What the library says.
        reason: String,
    },
    /// The loader said no.
    #[error(
        "the board refused at {percent} % ({reason}): run the same command again; if it refuses again its flash may be worn out or locked"
    )]
    Refused {
        /// How much was written.
        percent: u8,
        /// What it said.
        reason: String,
    },
}

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Bytes of the image that stand in flash.
    pub written: usize,
    /// Bytes of the image.
    pub total: usize,
}

impl Progress {
    /// Between 0 and 100.
    #[must_use]
    pub fn percent(self) -> u8 {
        let percent = self.written.saturating_mul(100) / self.total.max(1);
        u8::try_from(percent).unwrap_or(100).min(100)
    }
}

/// A board in its loader.
pub struct Loader {
    flasher: Flasher,
    path: String,
    board: Board,
    mac: String,
    can_reset: bool,
}

impl Loader {
    /// Opens the port and finds out what is there.
    ///
    /// # Errors
    /// When there is no board, or none that firmware is built for; nothing was written.
    pub fn connect(path: &str, options: Options) -> Result<Self, LoaderError> {
        let mut port = open(path)?;
        // Reading the lines does not move them.
        let can_reset = port.read_clear_to_send().is_ok();
        if !can_reset && options.reset {
            tracing::warn!("{path} cannot reset the board: it must be in its loader already");
        }
        let before = if can_reset && options.reset {
            ResetBeforeOperation::DefaultReset
        } else {
            ResetBeforeOperation::NoReset
        };
        let after = ResetAfterOperation::NoResetNoStub;
        let connection = Connection::new(port, usb(path), after, before, BAUD);
        // What stands in flash already is skipped, what was written is read back.
        let (verify, skip) = (true, true);
        let mut flasher = Flasher::try_connect(connection, options.stub, verify, skip, None, None)
            .map_err(|failed| refused_to_begin(path, failed.0, failed.1))?;
        let chip = flasher.chip();
        let board =
            Board::of(chip).ok_or_else(|| LoaderError::NotBuilt { chip: chip.to_string() })?;
        let mut loader = |work: &mut dyn FnMut(&mut Flasher) -> Result<(), Error>| {
            work(&mut flasher).map_err(|error| failed(&mut flasher, error, 0))
        };
        let (mut size, mut mac) = (FLASH_SIZE, String::new());
        loader(&mut |flasher| {
            let info = flasher.device_info()?;
            size = info.flash_size;
            mac = info.mac_address.unwrap_or_default();
            Ok(())
        })?;
        if size.size() < FLASH_SIZE.size() {
            return Err(LoaderError::SmallFlash { path: path.into(), found: size });
        }
        if options.baud != BAUD {
            loader(&mut |flasher| flasher.change_baud(options.baud))?;
        }
        Ok(Self { flasher, path: path.into(), board, mac, can_reset })
    }

    /// What is there.
    #[must_use]
    pub fn board(&self) -> Board {
        self.board
    }

    /// Its hardware address, as in `40:4c:ca:12:34:56`.
    #[must_use]
    pub fn mac(&self) -> &str {
        &self.mac
    }

    /// Refuses a board that was not asked for.
    ///
    /// # Errors
    /// When another one is there.
    pub fn expect(&self, wanted: Board) -> Result<(), LoaderError> {
        if self.board == wanted {
            return Ok(());
        }
        Err(LoaderError::OtherBoard { path: self.path.clone(), found: self.board, wanted })
    }

    /// Writes the image; `progress` is told after each piece.
    ///
    /// # Errors
    /// When the board goes away, falls silent or refuses; it can be written again then.
    pub fn write(
        &mut self,
        image: &Image,
        progress: &mut dyn FnMut(Progress),
    ) -> Result<(), LoaderError> {
        let parts = image.parts();
        let segments: Vec<Segment<'_>> = parts
            .iter()
            .map(|part| Segment { addr: part.at, data: Cow::Borrowed(&part.bytes) })
            .collect();
        let lens: Vec<usize> = parts.iter().map(|part| part.bytes.len()).collect();
        let total = lens.iter().sum();
        let mut meter = Meter {
            lens,
            at: 0,
            before: 0,
            blocks: 1,
            now: Progress { written: 0, total },
            progress,
        };
        let outcome = self.flasher.write_bins_to_flash(&segments, &mut meter);
        let percent = meter.now.percent();
        outcome.map_err(|error| failed(&mut self.flasher, error, percent))
    }

    /// Starts what was written. The log says whether the board was reset or somebody has to.
    ///
    /// # Errors
    /// When the board goes away.
    pub fn start(mut self) -> Result<Log, LoaderError> {
        let connection = self.flasher.connection();
        let mut outcome = connection.set_baud(BAUD);
        if outcome.is_ok() && self.can_reset {
            outcome = connection.reset();
        }
        outcome.map_err(|error| failed(&mut self.flasher, error, 100))?;
        let port: Port = self.flasher.into();
        Ok(Log::new(port, self.can_reset))
    }
}

/// Turns the library's blocks into bytes of the whole image.
struct Meter<'a> {
    lens: Vec<usize>,
    /// Which part is being written.
    at: usize,
    /// Bytes of the parts before it.
    before: usize,
    blocks: usize,
    now: Progress,
    progress: &'a mut dyn FnMut(Progress),
}

impl Meter<'_> {
    fn tell(&mut self, written: usize) {
        self.now.written = written;
        (self.progress)(self.now);
    }

    fn len(&self) -> usize {
        self.lens.get(self.at).copied().unwrap_or_default()
    }
}

impl ProgressCallbacks for Meter<'_> {
    fn init(&mut self, _addr: u32, total: usize) {
        self.blocks = total.max(1);
    }

    fn update(&mut self, current: usize) {
        let written = self.len().saturating_mul(current) / self.blocks;
        self.tell(self.before.saturating_add(written));
    }

    fn verifying(&mut self) {}

    fn finish(&mut self, _skipped: bool) {
        self.before = self.before.saturating_add(self.len());
        self.at = self.at.saturating_add(1);
        self.tell(self.before);
    }
}

fn open(path: &str) -> Result<Port, LoaderError> {
    let opened = serialport::new(path, BAUD).timeout(TIMEOUT).open_native();
    let path = path.to_owned();
    opened.map_err(|cause| match cause.kind() {
        ErrorKind::Io(io::ErrorKind::NotFound) => LoaderError::NoSuchPort { path },
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => LoaderError::Denied { path },
        // How the library calls a port that another program has opened.
        ErrorKind::NoDevice => LoaderError::Busy { path },
        ErrorKind::Io(_) | ErrorKind::InvalidInput | ErrorKind::Unknown => {
            LoaderError::NotAPort { path, reason: cause.to_string() }
        }
    })
}

/// What the library decides by how to reset a board.
fn usb(path: &str) -> UsbPortInfo {
    let port = ports::list().into_iter().find(|port| port.path == path);
    port.and_then(|port| port.usb).unwrap_or(UsbPortInfo {
        vid: 0,
        pid: 0,
        serial_number: None,
        manufacturer: None,
        product: None,
    })
}

fn refused_to_begin(path: &str, error: Error, connection: Connection) -> LoaderError {
    match error {
        Error::ChipDetectError(_) => LoaderError::NotBuilt { chip: "unknown chip".into() },
        _ if connection.baud().is_err() => LoaderError::Gone { percent: 0 },
        Error::RomError(_) | Error::FlashConnect => {
            LoaderError::Refused { percent: 0, reason: chain(&error) }
        }
        error => {
            tracing::debug!(error = &error as &dyn StdError, "no loader");
            LoaderError::NoAnswer { path: path.into() }
        }
    }
}

fn failed(flasher: &mut Flasher, error: Error, percent: u8) -> LoaderError {
    let reason = chain(&error);
    match error {
        Error::RomError(_) | Error::VerifyFailed => LoaderError::Refused { percent, reason },
        // A port that is gone does not even say how fast it is.
        _ if flasher.connection().baud().is_err() => LoaderError::Gone { percent },
        _ => LoaderError::Silent { percent, reason },
    }
}

/// An error and its causes, on one line.
fn chain(error: &dyn StdError) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}

fn no_firmware(chip: &str) -> String {
    let built = Board::ALL.map(|board| board.to_string()).join(" and ");
    // Xtensa needs a compiler of Espressif's own.
    let xtensa = [Chip::Esp32, Chip::Esp32s2, Chip::Esp32s3].map(|chip| chip.to_string());
    if xtensa.iter().any(|name| name == chip) {
        return format!(
            "the board is an {chip}, whose firmware cannot be built here (built are {built}); the original's Arduino sketch works with mtom unchanged"
        );
    }
    format!("the board is an {chip}, and there is firmware for {built} alone")
}

#[cfg(test)]
mod tests;
