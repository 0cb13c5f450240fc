//! BlueZ, over D-Bus: the adapter, what is in reach of it, and what may be wrong with it.

pub(crate) mod low_energy;
pub(crate) mod pair;
mod rfkill;
pub(crate) mod serial_port;

use super::trouble::Trouble;
use super::{Kind, Sighting, UART};
use crate::address::bluetooth::{BluetoothAddress, BluetoothDevice, BluetoothId};
use bluer::{
    Adapter, AdapterEvent, Address, DiscoveryFilter, DiscoveryTransport, Error, ErrorKind,
    InternalErrorKind, Session,
};
use futures_util::StreamExt;
use futures_util::stream::SelectAll;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::timeout;
use uuid::Uuid;

/// The serial port profile of classic Bluetooth (`wire.md` §1.5).
const SERIAL_PORT: Uuid = Uuid::from_u128(0x0000_1101_0000_1000_8000_0080_5f9b_34fb);

/// The adapter of one link, opened anew by every search: the daemon may have been started again.
pub(crate) struct Held {
    wanted: Option<String>,
    power: bool,
    bluez: Option<Bluez>,
}

/// What a daemon that works takes to answer.
const ANSWER_MAX: Duration = Duration::from_secs(5);

/// An adapter that works, and the way to it.
pub(crate) struct Bluez {
    // Also what keeps the way open.
    session: Session,
    adapter: Adapter,
}

impl Bluez {
    /// Opens `wanted`, or else the first adapter there is; with `power` one that is off is switched on.
    pub(crate) async fn open(wanted: Option<&str>, power: bool) -> Result<Self, Trouble> {
        let opened = timeout(ANSWER_MAX, Self::open_patiently(wanted, power));
        let silent = || Trouble::Other(format!("bluetoothd does not answer within {ANSWER_MAX:?}"));
        opened.await.unwrap_or_else(|_| Err(silent()))
    }

    async fn open_patiently(wanted: Option<&str>, power: bool) -> Result<Self, Trouble> {
        let session = Session::new().await.map_err(|error| bus_trouble(&error))?;
        let mut there = session.adapter_names().await.map_err(|error| trouble(&error))?;
        there.sort();
        let name = match wanted {
            Some(wanted) if there.iter().any(|name| name == wanted) => wanted,
            Some(wanted) if !there.is_empty() => {
                let (wanted, there) = (wanted.to_owned(), there.join(", "));
                return Err(Trouble::OtherAdapter { wanted, there });
            }
            _ => there.first().ok_or(Trouble::NoAdapter)?,
        };
        let adapter = session.adapter(name).map_err(|error| trouble(&error))?;
        if !adapter.is_powered().await.map_err(|error| trouble(&error))? {
            rfkill::check(Path::new(rfkill::SWITCHES))?;
            if !power {
                return Err(Trouble::Off { adapter: name.to_owned() });
            }
            adapter.set_powered(true).await.map_err(|error| trouble(&error))?;
        }
        Ok(Self { session, adapter })
    }

    /// Tells of what is in reach until it is dropped or cannot.
    pub(crate) async fn look(
        &self,
        transport: DiscoveryTransport,
        seen: &mpsc::Sender<Sighting>,
    ) -> Result<(), Error> {
        let filter =
            DiscoveryFilter { transport, duplicate_data: true, ..DiscoveryFilter::default() };
        match self.adapter.set_discovery_filter(filter).await {
            Err(Error { kind: ErrorKind::DiscoveryActive, .. }) | Ok(()) => {}
            Err(error) => return Err(error),
        }
        let mut found = pin!(self.adapter.discover_devices().await?);
        // What a device is called and how strong it is comes after the device.
        let mut changes = SelectAll::new();
        loop {
            let address = tokio::select! {
                event = found.next() => match event {
                    Some(AdapterEvent::DeviceAdded(address)) => {
                        let device = self.adapter.device(address)?;
                        if let Ok(events) = device.events().await {
                            changes.push(events.map(move |_| address).boxed());
                        }
                        address
                    }
                    Some(_) => continue,
                    None => return Ok(()),
                },
                Some(address) = changes.next(), if !changes.is_empty() => address,
            };
            // A device may be gone again: that is no trouble of the adapter's.
            if let Ok(Some(sighting)) = self.sighting(address).await
                && seen.send(sighting).await.is_err()
            {
                return Ok(());
            }
        }
    }

    /// What is known of a device, if it is in reach.
    async fn sighting(&self, address: Address) -> Result<Option<Sighting>, Error> {
        let device = self.adapter.device(address)?;
        let signal_dbm = device.rssi().await?;
        let services = device.uuids().await?.unwrap_or_default();
        let is_classic = device.class().await?.is_some() || services.contains(&SERIAL_PORT);
        // A paired device of the classic kind keeps silent until it is connected to.
        let is_there = signal_dbm.is_some()
            || device.is_connected().await?
            || (is_classic && device.is_paired().await?);
        if !is_there {
            return Ok(None);
        }
        let (kind, service) =
            if is_classic { (Kind::Classic, SERIAL_PORT) } else { (Kind::Le, UART) };
        let Ok(id) = address.to_string().parse() else { return Ok(None) };
        Ok(Some(Sighting {
            id,
            name: device.name().await?,
            kind,
            signal_dbm,
            has_service: (!services.is_empty()).then(|| services.contains(&service)),
        }))
    }

    /// A device of the adapter.
    fn device(&self, id: &BluetoothId) -> Result<bluer::Device, String> {
        let address: Address = id
            .to_string()
            .parse()
            .map_err(|_| format!("{id} is no address; expected one as in C6:55:44:33:22:11"))?;
        self.adapter.device(address).map_err(|error| error.to_string())
    }
}

impl Held {
    fn new(device: &BluetoothAddress) -> Self {
        Self { wanted: device.adapter.clone(), power: device.power_cycle, bluez: None }
    }

    async fn look(
        &mut self,
        transport: DiscoveryTransport,
        seen: mpsc::Sender<Sighting>,
    ) -> Trouble {
        let opened = match self.bluez.take() {
            Some(bluez) => Ok(bluez),
            None => Bluez::open(self.wanted.as_deref(), self.power).await,
        };
        let bluez = match opened {
            Ok(bluez) => self.bluez.insert(bluez),
            Err(trouble) => return trouble,
        };
        let ended = bluez.look(transport, &seen).await;
        self.bluez = None;
        match ended {
            Ok(()) => Trouble::Other("the adapter has stopped searching".into()),
            Err(error) => trouble(&error),
        }
    }

    fn opened(&self) -> Result<&Bluez, String> {
        self.bluez.as_ref().ok_or_else(|| "no adapter is open".into())
    }

    async fn disconnect(&mut self, id: &BluetoothId) {
        let Some(bluez) = self.bluez.take() else { return };
        if let Ok(device) = bluez.device(id)
            && let Err(error) = device.disconnect().await
        {
            tracing::debug!(%id, %error, "is not let go of");
        }
    }

    async fn power_cycle(&mut self) -> Result<(), String> {
        self.bluez = None;
        let opened = Bluez::open(self.wanted.as_deref(), true).await;
        let bluez = opened.map_err(|trouble| trouble.to_string())?;
        let cycle = async {
            bluez.adapter.set_powered(false).await?;
            bluez.adapter.set_powered(true).await
        };
        cycle.await.map_err(|error: Error| trouble(&error).to_string())
    }
}

/// Tells of what is in reach, of either kind, until dropped.
pub(crate) async fn look(adapter: Option<&str>, seen: mpsc::Sender<Sighting>) -> Trouble {
    let device = BluetoothDevice::Name(String::new());
    let adapter = adapter.map(str::to_owned);
    let any = BluetoothAddress { device, adapter, channel: None, power_cycle: false };
    Held::new(&any).look(DiscoveryTransport::Auto, seen).await
}

/// Which adapter works, for people who ask what is wrong.
///
/// # Errors
/// What is wrong.
pub async fn check(wanted: Option<&str>) -> Result<String, Trouble> {
    Ok(Bluez::open(wanted, false).await?.adapter.name().to_owned())
}

/// Nothing answers on the bus, or there is none.
fn bus_trouble(error: &Error) -> Trouble {
    match trouble(error) {
        Trouble::Other(_) => Trouble::NoBus,
        known => known,
    }
}

/// What an error of the daemon means.
pub(crate) fn trouble(error: &Error) -> Trouble {
    const PREFIX: &str = "org.freedesktop.DBus.Error.";
    match &error.kind {
        ErrorKind::Internal(InternalErrorKind::DBus(name)) => match name.strip_prefix(PREFIX) {
            Some("ServiceUnknown" | "NameHasNoOwner" | "Spawn.ServiceNotFound" | "NoReply") => {
                Trouble::NoDaemon
            }
            Some("AccessDenied") => Trouble::NotPermitted,
            _ if name == "org.bluez.Error.Blocked" => Trouble::Blocked,
            _ => Trouble::Other(error.to_string()),
        },
        ErrorKind::NotPermitted | ErrorKind::NotAuthorized => Trouble::NotPermitted,
        ErrorKind::NotFound => Trouble::NoAdapter,
        ErrorKind::InProgress => Trouble::Busy(error.to_string()),
        _ => Trouble::Other(error.to_string()),
    }
}

#[cfg(test)]
mod tests;
