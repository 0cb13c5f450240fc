//! Classic Bluetooth by BlueZ: the serial port profile, whose channel the device tells (SDP), or a
//! socket to a channel that is known.

use super::{Bluez, Held, SERIAL_PORT};
use crate::address::bluetooth::{BluetoothAddress, BluetoothId};
use crate::bluetooth::trouble::Trouble;
use crate::bluetooth::{Radio, Sighting};
use bluer::rfcomm::{Profile, Role, Socket, SocketAddr, Stream};
use bluer::{Device, DiscoveryTransport};
use futures_util::StreamExt;
use std::io;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// The channel of nearly every device that has one serial port.
const CHANNEL_DEFAULT: u8 = 1;
/// How often a socket that is being connected is looked at.
const CONNECT_POLL: Duration = Duration::from_millis(20);

/// Classic Bluetooth on one adapter.
pub(crate) struct SerialPort {
    held: Held,
    channel: Option<u8>,
    connect_timeout: Duration,
}

impl SerialPort {
    pub(crate) fn new(device: &BluetoothAddress, connect_timeout: Duration) -> Self {
        Self { held: Held::new(device), channel: device.channel, connect_timeout }
    }
}

impl Radio for SerialPort {
    type Stream = Stream;
    // An inquiry takes ten seconds [Core 5.4, Vol 2, Part B, 8.4.2], then names are asked for.
    const RESTART: Duration = Duration::from_secs(15);
    const WAYS: u32 = 2;

    async fn look(&mut self, seen: mpsc::Sender<Sighting>) -> Trouble {
        self.held.look(DiscoveryTransport::BrEdr, seen).await
    }

    async fn connect(&mut self, id: &BluetoothId) -> Result<Stream, String> {
        let bluez = self.held.opened()?;
        let device = bluez.device(id)?;
        let asked = match self.channel {
            Some(_) => Err("its channel is configured".to_owned()),
            None => match timeout(self.connect_timeout, by_profile(bluez, &device)).await {
                Ok(connected) => connected.map_err(|error| error.to_string()),
                Err(_) => Err(format!("no answer within {:?}", self.connect_timeout)),
            },
        };
        let reason = match asked {
            Ok(stream) => return Ok(stream),
            Err(reason) => reason,
        };
        let channel = self.channel.unwrap_or(CHANNEL_DEFAULT);
        tracing::debug!(%id, reason, channel, "the device is not asked for its channel");
        match timeout(self.connect_timeout, by_socket(bluez, &device, channel)).await {
            Ok(Ok(stream)) => Ok(stream),
            Ok(Err(cause)) => Err(format!("{id}: no serial port on channel {channel}: {cause}")),
            Err(_) => Err(format!("{id} does not answer within {:?}", self.connect_timeout)),
        }
    }

    async fn disconnect(&mut self, id: &BluetoothId) {
        self.held.disconnect(id).await;
    }

    async fn power_cycle(&mut self) -> Result<(), String> {
        self.held.power_cycle().await
    }
}

/// Asks the device for its channel and connects.
async fn by_profile(bluez: &Bluez, device: &Device) -> Result<Stream, bluer::Error> {
    let profile = Profile {
        uuid: SERIAL_PORT,
        name: Some("mtom".into()),
        role: Some(Role::Client),
        require_authentication: Some(false),
        require_authorization: Some(false),
        ..Profile::default()
    };
    let mut requests = bluez.session.register_profile(profile).await?;
    let mut connect = std::pin::pin!(device.connect_profile(&SERIAL_PORT));
    let mut asked = false;
    loop {
        tokio::select! {
            Some(request) = requests.next() => {
                // Somebody else's device may come at the same moment.
                if request.device() == device.address() {
                    return request.accept();
                }
                request.reject(bluer::rfcomm::ReqError::Rejected);
            }
            done = &mut connect, if !asked => {
                done?;
                asked = true;
            }
        }
    }
}

/// Connects to a channel.
async fn by_socket(bluez: &Bluez, device: &Device, channel: u8) -> io::Result<Stream> {
    let socket = Socket::new()?;
    socket.bind(SocketAddr::new(bluez.adapter.address().await?, 0))?;
    let stream = socket.connect(SocketAddr::new(device.address(), channel)).await?;
    // That it has returned does not mean that it is connected: the socket was writable before.
    loop {
        match stream.as_ref().conn_info() {
            Err(cause) if cause.kind() == io::ErrorKind::NotConnected => {}
            connected => return connected.map(|_| stream),
        }
        let mut byte = [0];
        tokio::select! {
            peeked = stream.peek(&mut byte) => {
                if peeked? == 0 {
                    return Err(io::ErrorKind::ConnectionRefused.into());
                }
            }
            () = sleep(CONNECT_POLL) => {}
        }
    }
}
