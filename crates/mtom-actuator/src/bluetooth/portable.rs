//! Bluetooth LE by btleplug: the system's own stack on Windows and macOS, and BlueZ for those who
//! want to compare.
//!
//! What surprises: it cannot switch an adapter off and on, and a search goes on until the next one
//! or a connection ends it.

use super::trouble::Trouble;
use super::uart::{Uart, Writing};
use super::{Kind, Radio, Sighting, UART, UART_RX, UART_TX};
use crate::address::bluetooth::{BluetoothAddress, BluetoothId};
use btleplug::api::{
    Central, CentralEvent, CentralState, Characteristic, Manager as _, Peripheral as _, ScanFilter,
    WriteType,
};
use btleplug::platform::{Adapter, Manager, Peripheral, PeripheralId};
use futures_util::StreamExt;
use futures_util::stream::BoxStream;
use std::io::{self, Cursor};
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio_util::io::StreamReader;

/// What TX notifies, piece by piece.
type Notified = StreamReader<BoxStream<'static, io::Result<Cursor<Vec<u8>>>>, Cursor<Vec<u8>>>;

/// Bluetooth LE on one adapter.
pub(crate) struct LowEnergy {
    wanted: Option<String>,
    write_timeout: Duration,
    /// Opened anew by every search: the system's part may have been started again.
    adapter: Option<Adapter>,
}

impl LowEnergy {
    pub(crate) fn new(device: &BluetoothAddress, write_timeout: Duration) -> Self {
        Self { wanted: device.adapter.clone(), write_timeout, adapter: None }
    }

    /// Opens the adapter that is wanted, or else the first there is.
    pub(crate) async fn open(wanted: Option<&str>) -> Result<Adapter, Trouble> {
        let manager = Manager::new().await.map_err(trouble)?;
        let mut there = Vec::new();
        for adapter in manager.adapters().await.map_err(trouble)? {
            let name = name(&adapter).await?;
            if wanted.is_none_or(|wanted| wanted == name) {
                return match adapter.adapter_state().await.map_err(trouble)? {
                    CentralState::PoweredOff => Err(Trouble::Off { adapter: name }),
                    CentralState::PoweredOn | CentralState::Unknown => Ok(adapter),
                };
            }
            there.push(name);
        }
        Err(match wanted {
            Some(wanted) if !there.is_empty() => {
                Trouble::OtherAdapter { wanted: wanted.to_owned(), there: there.join(", ") }
            }
            _ => Trouble::NoAdapter,
        })
    }

    async fn try_look(&mut self, seen: mpsc::Sender<Sighting>) -> Result<(), Trouble> {
        let adapter = match self.adapter.take() {
            Some(adapter) => adapter,
            None => Self::open(self.wanted.as_deref()).await?,
        };
        let adapter = self.adapter.insert(adapter);
        // It may not be searching at all.
        let _ = adapter.stop_scan().await;
        let mut events = adapter.events().await.map_err(trouble)?;
        adapter.start_scan(ScanFilter::default()).await.map_err(trouble)?;
        while let Some(event) = events.next().await {
            let id = match event {
                CentralEvent::DeviceDiscovered(id)
                | CentralEvent::DeviceUpdated(id)
                | CentralEvent::DeviceConnected(id)
                | CentralEvent::ServicesAdvertisement { id, .. }
                | CentralEvent::RssiUpdate { id, .. } => id,
                CentralEvent::StateUpdate(CentralState::PoweredOff) => {
                    return Err(Trouble::Off { adapter: name(adapter).await? });
                }
                _ => continue,
            };
            // A device may be gone again: that is no trouble of the adapter's.
            let Ok(peripheral) = adapter.peripheral(&id).await else { continue };
            if let Some(sighting) = sighting(&peripheral).await
                && seen.send(sighting).await.is_err()
            {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn try_connect(&self, id: &BluetoothId) -> Result<Uart<Notified>, String> {
        let said = |error: btleplug::Error| format!("{id}: {error}");
        let adapter = self.adapter.as_ref().ok_or("no adapter is open")?;
        // Some adapters do not connect while they search.
        let _ = adapter.stop_scan().await;
        let device = find(adapter, id).await.ok_or_else(|| format!("{id} is gone again"))?;
        if !device.is_connected().await.map_err(said)? {
            device.connect().await.map_err(said)?;
        }
        device.discover_services().await.map_err(said)?;
        let of = |uuid| {
            let is_it = |it: &Characteristic| it.service_uuid == UART && it.uuid == uuid;
            device.characteristics().into_iter().find(is_it)
        };
        let (Some(rx), Some(tx)) = (of(UART_RX), of(UART_TX)) else {
            return Err(format!("{id} has no UART service ({UART}); is it one of ours?"));
        };
        let gone = gone(adapter, device.id()).await.map_err(said)?;
        let notifications = device.notifications().await.map_err(said)?;
        device.subscribe(&tx).await.map_err(said)?;
        let pieces = notifications.filter_map(|notification| async move {
            (notification.uuid == UART_TX).then(|| Ok(Cursor::new(notification.value)))
        });
        let notified: Notified = StreamReader::new(pieces.take_until(gone).boxed());
        let write = move |bytes: Vec<u8>| -> Writing {
            let (device, rx) = (device.clone(), rx.clone());
            Box::pin(async move {
                let written = device.write(&rx, &bytes, WriteType::WithResponse).await;
                written.map_err(io::Error::other)
            })
        };
        Ok(Uart::new(notified, write, self.write_timeout))
    }
}

impl Radio for LowEnergy {
    type Stream = Uart<Notified>;
    const RESTART: Duration = Duration::from_secs(3);

    async fn look(&mut self, seen: mpsc::Sender<Sighting>) -> Trouble {
        let ended = self.try_look(seen).await;
        self.adapter = None;
        match ended {
            Ok(()) => Trouble::Other("the adapter has stopped searching".into()),
            Err(trouble) => trouble,
        }
    }

    async fn connect(&mut self, id: &BluetoothId) -> Result<Uart<Notified>, String> {
        self.try_connect(id).await
    }

    async fn disconnect(&mut self, id: &BluetoothId) {
        let Some(adapter) = self.adapter.take() else { return };
        if let Some(device) = find(&adapter, id).await
            && let Err(error) = device.disconnect().await
        {
            tracing::debug!(%id, %error, "is not let go of");
        }
    }

    async fn power_cycle(&mut self) -> Result<(), String> {
        Err("power=cycle is for BlueZ's own library; expected no such option here".into())
    }
}

/// `hci0` on Linux, elsewhere the system's words for it.
async fn name(adapter: &Adapter) -> Result<String, Trouble> {
    let info = adapter.adapter_info().await.map_err(trouble)?;
    Ok(info.split(' ').next().unwrap_or_default().to_owned())
}

/// What is known of a device, if it is in reach.
async fn sighting(peripheral: &Peripheral) -> Option<Sighting> {
    let known = peripheral.properties().await.ok()??;
    let is_there = known.rssi.is_some() || peripheral.is_connected().await.unwrap_or(false);
    let kind = if known.class.is_some() { Kind::Classic } else { Kind::Le };
    let has_service = (!known.services.is_empty()).then(|| known.services.contains(&UART));
    let (name, signal_dbm) = (known.local_name, known.rssi);
    let id = id(peripheral)?;
    is_there.then_some(Sighting { id, name, kind, signal_dbm, has_service })
}

/// The address, or where the system keeps it to itself what it has instead.
fn id(peripheral: &Peripheral) -> Option<BluetoothId> {
    let address = peripheral.address();
    let is_known = address != btleplug::api::BDAddr::default();
    let text = if is_known { address.to_string() } else { peripheral.id().to_string() };
    text.parse().ok()
}

async fn find(adapter: &Adapter, wanted: &BluetoothId) -> Option<Peripheral> {
    let devices = adapter.peripherals().await.ok()?;
    devices.into_iter().find(|device| id(device).as_ref() == Some(wanted))
}

/// Ends when the device is disconnected: its notifications alone would only fall silent.
async fn gone(
    adapter: &Adapter,
    wanted: PeripheralId,
) -> Result<impl Future<Output = ()> + Send + use<>, btleplug::Error> {
    let events = adapter.events().await?;
    Ok(async move {
        let left = events.filter(|event| {
            let is_it = matches!(event, CentralEvent::DeviceDisconnected(id) if *id == wanted);
            std::future::ready(is_it)
        });
        pin!(left).next().await;
    })
}

fn trouble(error: btleplug::Error) -> Trouble {
    match error {
        btleplug::Error::PermissionDenied => Trouble::NotPermitted,
        btleplug::Error::NoAdapterAvailable => Trouble::NoAdapter,
        error => Trouble::Other(error.to_string()),
    }
}
