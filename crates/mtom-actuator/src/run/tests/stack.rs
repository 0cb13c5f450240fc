//! A virtual Bluetooth stack with one device in reach. Time is the paused clock's.
//!
//! As real ones do it keeps what it was given to write and the device has not answered, and brings it
//! over the next connection, unless it was told to let go of the device meanwhile.

use crate::bluetooth::finder::Finder;
use crate::bluetooth::trouble::Trouble;
use crate::bluetooth::uart::{Uart, Writing};
use crate::bluetooth::{Kind, Radio, Sighting};
use crate::settings::Settings;
use std::future::pending;
use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

pub(super) const ID: &str = "C6:55:44:33:22:11";
/// How long the device is looked for until it is heard.
const HEARD_AFTER: Duration = Duration::from_millis(100);

/// How a connection attempt goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Turn {
    Opens,
    Hangs,
}

/// What the device does with a piece of a line or with a whole one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    /// Takes it and says this; nothing where it is empty.
    Says(String),
    /// Is gone without a word, before it has answered the write.
    Dies,
    /// Closes the connection.
    Cuts,
}

/// The device behind the stack.
pub(super) trait Device: Send + 'static {
    /// It is searched.
    fn is_in_reach(&mut self) -> bool {
        true
    }

    /// A connection is asked for.
    fn connect(&mut self) -> Turn {
        Turn::Opens
    }

    /// The first part of a line has come.
    fn half(&mut self) -> Answer {
        Answer::Says(String::new())
    }

    /// A line has come, without its newline.
    fn line(&mut self, line: &str) -> Answer;
}

/// What happened, and when: what was said of the link, and what the stack was asked for.
pub(super) type Log = Arc<Mutex<Vec<(Duration, String)>>>;

/// The stack. Clones are the same one.
pub(super) struct Stack<D>(Arc<Mutex<Inner<D>>>);

struct Inner<D> {
    device: D,
    write_timeout: Duration,
    began: Instant,
    log: Log,
    /// Pieces that were taken and are not answered.
    held: Vec<Vec<u8>>,
    line: String,
    is_dead: bool,
    notifier: Option<DuplexStream>,
}

impl<D> Clone for Stack<D> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<D: Device> Stack<D> {
    pub(super) fn new(device: D, write_timeout: Duration, log: Log) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            device,
            write_timeout,
            began: Instant::now(),
            log,
            held: Vec::new(),
            line: String::new(),
            is_dead: false,
            notifier: None,
        })))
    }

    /// What searches the device, by its address.
    pub(super) fn finder(&self, settings: &Settings) -> Finder<Self> {
        let crate::LinkAddress::Ble(address) = &settings.link else { unreachable!() };
        Finder::new(self.clone(), Kind::Le, address, None, settings.connect_timeout)
    }

    pub(super) fn device<T>(&self, look: impl FnOnce(&mut D) -> T) -> T {
        look(&mut self.0.lock().unwrap().device)
    }

    fn call(&self, what: &str) {
        let inner = &mut *self.0.lock().unwrap();
        inner.log.lock().unwrap().push((inner.began.elapsed(), format!("  {what}")));
    }

    /// Brings a piece to the device.
    fn deliver(&self, bytes: &[u8]) -> Answer {
        let inner = &mut *self.0.lock().unwrap();
        if inner.is_dead {
            return Answer::Dies;
        }
        inner.line.push_str(std::str::from_utf8(bytes).unwrap());
        let answer = if inner.line.ends_with('\n') {
            let line = std::mem::take(&mut inner.line);
            inner.device.line(line.trim_end())
        } else {
            inner.device.half()
        };
        inner.is_dead = answer == Answer::Dies;
        answer
    }

    async fn write(self, bytes: Vec<u8>) -> io::Result<()> {
        self.0.lock().unwrap().held.push(bytes.clone());
        let said = match self.deliver(&bytes) {
            Answer::Says(said) => said,
            Answer::Dies => pending().await,
            Answer::Cuts => {
                self.0.lock().unwrap().notifier = None;
                return Err(io::ErrorKind::NotConnected.into());
            }
        };
        let notifier = {
            let inner = &mut *self.0.lock().unwrap();
            inner.held.pop();
            inner.notifier.take()
        };
        if let Some(mut notifier) = notifier {
            notifier.write_all(said.as_bytes()).await?;
            self.0.lock().unwrap().notifier = Some(notifier);
        }
        Ok(())
    }

    fn open(&self) -> Uart<DuplexStream> {
        let (notified, notifier) = duplex(4_096);
        let (held, write_timeout) = {
            let inner = &mut *self.0.lock().unwrap();
            inner.notifier = Some(notifier);
            inner.line.clear();
            inner.is_dead = false;
            (std::mem::take(&mut inner.held), inner.write_timeout)
        };
        for bytes in held {
            self.deliver(&bytes);
        }
        let stack = self.clone();
        let write = move |bytes| -> Writing { Box::pin(stack.clone().write(bytes)) };
        Uart::new(notified, write, write_timeout)
    }
}

impl<D: Device> Radio for Stack<D> {
    type Stream = Uart<DuplexStream>;
    const RESTART: Duration = Duration::from_secs(3);

    async fn look(&mut self, seen: mpsc::Sender<Sighting>) -> Trouble {
        self.call("look");
        if self.device(Device::is_in_reach) {
            sleep(HEARD_AFTER).await;
            let id = ID.parse().unwrap();
            let (name, signal_dbm) = (Some("TEMP_LED".to_owned()), Some(-40));
            let sighting = Sighting { id, name, kind: Kind::Le, signal_dbm, has_service: None };
            let _ = seen.send(sighting).await;
        }
        pending().await
    }

    async fn connect(&mut self, _: &crate::BluetoothId) -> Result<Self::Stream, String> {
        self.call("connect");
        match self.device(Device::connect) {
            Turn::Opens => Ok(self.open()),
            Turn::Hangs => pending().await,
        }
    }

    async fn disconnect(&mut self, _: &crate::BluetoothId) {
        self.call("disconnect");
        let inner = &mut *self.0.lock().unwrap();
        inner.held.clear();
        inner.notifier = None;
    }

    async fn power_cycle(&mut self) -> Result<(), String> {
        self.call("power cycle");
        self.0.lock().unwrap().held.clear();
        Ok(())
    }
}
