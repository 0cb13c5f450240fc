//! What other systems than Linux do differently: a classic device is a serial port there, which the
//! system makes when it is paired.
//!
//! Linux takes part with the feature `btleplug`, so that this code is checked and tried there too.

use super::portable::LowEnergy;
use super::trouble::Trouble;
use super::{Radio, Sighting};
use crate::address::bluetooth::{BluetoothAddress, BluetoothDevice, BluetoothId};
use crate::pairing::{Answer, PairError, Say};
use crate::settings::Settings;
use std::time::Duration;
use tokio::io::DuplexStream;
use tokio::sync::mpsc;

/// Classic Bluetooth, which only names the other way.
pub(crate) struct SerialPort;

impl SerialPort {
    pub(crate) fn new(_device: &BluetoothAddress, _connect_timeout: Duration) -> Self {
        Self
    }
}

impl Radio for SerialPort {
    // There never is one.
    type Stream = DuplexStream;
    const RESTART: Duration = Duration::from_secs(15);

    async fn look(&mut self, _seen: mpsc::Sender<Sighting>) -> Trouble {
        Trouble::OnlyLinux
    }

    async fn connect(&mut self, _id: &BluetoothId) -> Result<DuplexStream, String> {
        Err(Trouble::OnlyLinux.to_string())
    }

    async fn disconnect(&mut self, _id: &BluetoothId) {}

    async fn power_cycle(&mut self) -> Result<(), String> {
        Err(Trouble::OnlyLinux.to_string())
    }
}

/// Tells of what is in reach until dropped.
pub(crate) async fn look(adapter: Option<&str>, seen: mpsc::Sender<Sighting>) -> Trouble {
    let device = BluetoothDevice::Name(String::new());
    let adapter = adapter.map(str::to_owned);
    let any = BluetoothAddress { device, adapter, channel: None, power_cycle: false };
    // It writes nothing.
    LowEnergy::new(&any, Duration::ZERO).look(seen).await
}

/// Which adapter works, for people who ask what is wrong.
///
/// # Errors
/// What is wrong.
pub async fn check(wanted: Option<&str>) -> Result<String, Trouble> {
    LowEnergy::open(wanted).await?;
    Ok(wanted.unwrap_or("the system's").to_owned())
}

/// Pairs nothing: the system does when it connects.
pub(crate) async fn pair(
    _address: &BluetoothAddress,
    _settings: &Settings,
    _say: Say,
    _answers: mpsc::Receiver<Answer>,
    _over: impl Future<Output = PairError>,
) -> Result<BluetoothId, PairError> {
    Err(PairError::BySystem)
}
