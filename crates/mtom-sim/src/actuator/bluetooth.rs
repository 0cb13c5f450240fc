//! The actuator over Bluetooth LE, on a controller that speaks HCI: a virtual one over TCP, or on
//! Linux one of the machine's own, which the kernel leaves to us alone as long as we use it.

use super::RETRY;
use embassy_sync::blocking_mutex::raw::NoopRawMutex;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read};
use mtom_device::actuator::Served;
use mtom_device::ble;
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::io;
use std::str::FromStr;
use tokio::net::TcpStream;
use tokio::time::sleep;
use trouble_host::prelude::{Address, ExternalController};

/// Commands that may be on their way to the controller.
const SLOTS: usize = 8;

/// btvirt tells of an advertiser when it begins and when a search begins, and Linux does not hear the
/// latter every time. Over a radio one is heard several times a second.
#[cfg(target_os = "linux")]
const RENEW: embassy_time::Duration = embassy_time::Duration::from_secs(1);

/// A controller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bluetooth {
    /// Behind this `host:port`, by the UART transport (H4).
    Tcp(String),
    /// The machine's own by its number: 0 is `hci0`. It must be down, and we need `CAP_NET_ADMIN`.
    #[cfg(target_os = "linux")]
    Hci(u16),
}

/// No controller is called so.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[cfg_attr(target_os = "linux", error("expected host:port of a controller, or hci0 and so on"))]
#[cfg_attr(not(target_os = "linux"), error("expected host:port of a controller"))]
pub struct NoController;

impl FromStr for Bluetooth {
    type Err = NoController;

    fn from_str(text: &str) -> Result<Self, NoController> {
        #[cfg(target_os = "linux")]
        if let Some(number) = text.strip_prefix("hci") {
            return number.parse().map(Self::Hci).map_err(|_| NoController);
        }
        let (host, port) = text.rsplit_once(':').ok_or(NoController)?;
        let is_port = port.parse::<u16>().is_ok();
        (is_port && !host.is_empty()).then(|| Self::Tcp(text.into())).ok_or(NoController)
    }
}

impl fmt::Display for Bluetooth {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => f.write_str(address),
            #[cfg(target_os = "linux")]
            Self::Hci(number) => write!(f, "hci{number}"),
        }
    }
}

impl Bluetooth {
    /// Serves centrals for ever; while the controller is away it is tried again and again.
    pub(super) async fn serve(&self, actuator: &impl Served) -> ! {
        let mut said = String::new();
        loop {
            let reason = match self.serve_once(actuator).await {
                Ok(reason) => reason,
                Err(error) => error.to_string(),
            };
            // A controller that is away for a day is one line.
            if said != reason {
                tracing::warn!("no Bluetooth on {self}, tried again: {reason}");
                said = reason;
            }
            sleep(RETRY).await;
        }
    }

    /// A random static address that is always the same for one name on one of the machine's controllers,
    /// so that a central knows it again and tells two of one name apart [Core 5.4, Vol 6, Part B,
    /// 1.3.2.1].
    fn address(&self, name: &str) -> Address {
        let mut hasher = DefaultHasher::new();
        name.hash(&mut hasher);
        match self {
            // Where it is reached is new every time.
            Self::Tcp(_) => {}
            #[cfg(target_os = "linux")]
            Self::Hci(number) => number.hash(&mut hasher),
        }
        let [a, b, c, d, e, f, ..] = hasher.finish().to_le_bytes();
        Address::random([a, b, c, d, e, f | 0xc0])
    }

    /// Until the controller fails, and why.
    async fn serve_once(&self, actuator: &impl Served) -> io::Result<String> {
        let address = Some(self.address(actuator.name()));
        match self {
            Self::Tcp(controller) => {
                let tcp = TcpStream::connect(controller).await?;
                tcp.set_nodelay(true)?;
                let (rx, tx) = tcp.into_split();
                let (rx, tx) = (OneByOne(FromTokio::new(rx)), FromTokio::new(tx));
                let transport = bt_hci_serial::SerialTransport::<NoopRawMutex, _, _>::new(rx, tx);
                let controller = ExternalController::<_, SLOTS>::new(transport);
                let error = Box::pin(ble::run(controller, address, None, actuator)).await;
                Ok(format!("{error:?}"))
            }
            #[cfg(target_os = "linux")]
            Self::Hci(number) => {
                let transport = bt_hci_linux::Transport::new(*number)?;
                let controller = ExternalController::<_, SLOTS>::new(transport);
                let error = Box::pin(ble::run(controller, address, Some(RENEW), actuator)).await;
                Ok(format!("{error:?}"))
            }
        }
    }
}

/// A controller brings its packets one by one. Those that wait in a socket must not all be taken
/// before any of them is looked at.
struct OneByOne<R>(R);

impl<R: ErrorType> ErrorType for OneByOne<R> {
    type Error = R::Error;
}

impl<R: Read> Read for OneByOne<R> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, R::Error> {
        tokio::task::yield_now().await;
        self.0.read(bytes).await
    }
}

#[cfg(test)]
mod tests;
