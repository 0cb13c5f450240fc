//! Links over Bluetooth, for whom a device is first searched and then connected to.
//!
//! [`Radio`] is what a link needs of a Bluetooth stack: BlueZ's on Linux, the system's own through
//! `btleplug` elsewhere, a scripted one in tests. [`finder`] knows the order of things and no stack.

mod choice;
pub(crate) mod finder;
pub(crate) mod trouble;
pub(crate) mod uart;

#[cfg(all(target_os = "linux", not(feature = "btleplug")))]
mod bluez;
#[cfg(any(not(target_os = "linux"), feature = "btleplug"))]
mod elsewhere;
#[cfg(any(not(target_os = "linux"), feature = "btleplug"))]
mod portable;
pub(crate) mod scan;

#[cfg(all(target_os = "linux", not(feature = "btleplug")))]
pub use bluez::check;
#[cfg(all(target_os = "linux", not(feature = "btleplug")))]
pub(crate) use bluez::{look, low_energy::LowEnergy, pair::pair, serial_port::SerialPort};
#[cfg(any(not(target_os = "linux"), feature = "btleplug"))]
pub use elsewhere::check;
#[cfg(any(not(target_os = "linux"), feature = "btleplug"))]
pub(crate) use elsewhere::{SerialPort, look, pair};
#[cfg(any(not(target_os = "linux"), feature = "btleplug"))]
pub(crate) use portable::LowEnergy;

use crate::address::bluetooth::BluetoothId;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use trouble::Trouble;
use uuid::Uuid;

/// The Nordic UART Service (`wire.md` §2), what a gateway writes and what it is notified of.
pub(crate) const UART: Uuid = Uuid::from_u128(0x6e40_0001_b5a3_f393_e0a9_e50e_24dc_ca9e);
pub(crate) const UART_RX: Uuid = Uuid::from_u128(0x6e40_0002_b5a3_f393_e0a9_e50e_24dc_ca9e);
pub(crate) const UART_TX: Uuid = Uuid::from_u128(0x6e40_0003_b5a3_f393_e0a9_e50e_24dc_ca9e);

/// How long a search may take until it is given up for a while.
const SEARCH_MAX: Duration = Duration::from_secs(12);
/// Sightings on their way to the one who chooses. Full: the stack waits.
pub(crate) const SIGHTINGS_LEN: usize = 16;

/// One Bluetooth stack on one adapter. Reasons are for people and name the next step.
pub(crate) trait Radio: Send {
    /// An open link.
    type Stream: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A search is begun anew this often: adapters stop telling of devices that they have told of.
    const RESTART: Duration;
    /// Ways to connect; each has the whole time for one.
    const WAYS: u32 = 1;

    /// Tells of what is in reach until it is dropped; ends only when it cannot.
    fn look(&mut self, seen: mpsc::Sender<Sighting>) -> impl Future<Output = Trouble> + Send;

    /// Connects to a device that was seen.
    fn connect(
        &mut self,
        id: &BluetoothId,
    ) -> impl Future<Output = Result<Self::Stream, String>> + Send;

    /// Ends whatever connection there is with the device, also one that nobody answers on.
    fn disconnect(&mut self, id: &BluetoothId) -> impl Future<Output = ()> + Send;

    /// Switches the adapter off and on.
    fn power_cycle(&mut self) -> impl Future<Output = Result<(), String>> + Send;
}

/// A device in reach.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sighting {
    /// What tells it apart.
    pub id: BluetoothId,
    /// What it calls itself, once it has said so.
    pub name: Option<String>,
    /// Which Bluetooth it speaks.
    pub kind: Kind,
    /// The strength of its signal in dBm, while it is heard.
    pub signal_dbm: Option<i16>,
    /// It offers what a link needs; `None` when it does not say.
    pub has_service: Option<bool>,
}

/// Which Bluetooth a device speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Bluetooth LE: `ble:`.
    Le,
    /// Classic Bluetooth: `spp:`.
    Classic,
}
