//! Bluetooth LE by BlueZ: connects, finds the UART service and listens to it.

use super::Held;
use crate::address::bluetooth::{BluetoothAddress, BluetoothId};
use crate::bluetooth::trouble::Trouble;
use crate::bluetooth::uart::Uart;
use crate::bluetooth::{Radio, Sighting, UART, UART_RX, UART_TX};
use bluer::gatt::CharacteristicReader;
use bluer::gatt::WriteOp;
use bluer::gatt::remote::{Characteristic, CharacteristicWriteRequest};
use bluer::{Device, DiscoveryTransport, Error};
use std::time::Duration;
use tokio::sync::mpsc;

/// Bluetooth LE on one adapter.
pub(crate) struct LowEnergy {
    held: Held,
    write_timeout: Duration,
}

impl LowEnergy {
    pub(crate) fn new(device: &BluetoothAddress, write_timeout: Duration) -> Self {
        Self { held: Held::new(device), write_timeout }
    }
}

impl Radio for LowEnergy {
    type Stream = Uart<CharacteristicReader>;
    const RESTART: Duration = Duration::from_secs(3);

    async fn look(&mut self, seen: mpsc::Sender<Sighting>) -> Trouble {
        self.held.look(DiscoveryTransport::Le, seen).await
    }

    async fn connect(&mut self, id: &BluetoothId) -> Result<Self::Stream, String> {
        let bluez = self.held.opened()?;
        let device = bluez.device(id)?;
        let (rx, notified) = connect(&device)
            .await
            .map_err(|error| format!("{id}: {error}"))?
            .ok_or_else(|| format!("{id} has no UART service ({UART}); is it one of ours?"))?;
        let write = move |bytes: Vec<u8>| -> crate::bluetooth::uart::Writing {
            let rx = rx.clone();
            Box::pin(async move {
                let request = CharacteristicWriteRequest {
                    op_type: WriteOp::Request,
                    ..CharacteristicWriteRequest::default()
                };
                Ok(rx.write_ext(&bytes, &request).await?)
            })
        };
        Ok(Uart::new(notified, write, self.write_timeout))
    }

    async fn disconnect(&mut self, id: &BluetoothId) {
        self.held.disconnect(id).await;
    }

    async fn power_cycle(&mut self) -> Result<(), String> {
        self.held.power_cycle().await
    }
}

/// The service's RX and what TX notifies; `None` where there is no such service.
async fn connect(device: &Device) -> Result<Option<(Characteristic, CharacteristicReader)>, Error> {
    // One that an earlier process has left open is as good as a new one, or its first write shows
    // that it is not.
    if !device.is_connected().await? {
        device.connect().await?;
    }
    for service in device.services().await? {
        if service.uuid().await? != UART {
            continue;
        }
        let (mut rx, mut tx) = (None, None);
        for characteristic in service.characteristics().await? {
            match characteristic.uuid().await? {
                UART_RX => rx = Some(characteristic),
                UART_TX => tx = Some(characteristic),
                _ => {}
            }
        }
        if let (Some(rx), Some(tx)) = (rx, tx) {
            return Ok(Some((rx, tx.notify_io().await?)));
        }
    }
    Ok(None)
}
