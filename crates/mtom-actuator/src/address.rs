//! Where a device is: `serial:/dev/rfcomm0?baud=115200`, `serial:COM10`, `tcp:host:port`,
//! `ble:TEMP_LED`, `spp:C6:55:44:33:22:11?channel=1`, `mqtt+tasmota:plug`.

pub(crate) mod bluetooth;

use crate::mqtt::address::{MqttAddress, MqttAddressError};
use bluetooth::BluetoothAddress;
use std::fmt;
use std::str::FromStr;

/// The speed of the original's port.
pub(crate) const BAUD_DEFAULT: u32 = 115_200;
const BAUD_MIN: u32 = 50;
const BAUD_MAX: u32 = 4_000_000;
/// The longest path that Linux opens; also a limit for host names.
pub(crate) const TEXT_LEN_MAX: usize = 4_095;

/// Where a device is. `Display` writes what [`FromStr`] reads.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LinkAddress {
    /// A serial port, 8N1: a USB cable, `/dev/rfcomm0`, `COM10`.
    Serial {
        /// The port.
        path: String,
        /// Bits per second.
        baud: u32,
    },
    /// A TCP server.
    Tcp {
        /// Host name or address; an IPv6 address stands here without its brackets.
        host: String,
        /// Its port.
        port: u16,
    },
    /// A switch on the gateway's broker.
    Mqtt(Box<MqttAddress>),
    /// The Nordic UART Service of a Bluetooth LE device.
    Ble(BluetoothAddress),
    /// The serial port profile of a classic Bluetooth device.
    Spp(BluetoothAddress),
}

/// Why a text is no address.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// None of the forms there are.
    #[error(
        "unknown link: expected serial:/dev/ttyUSB0?baud=115200, serial:COM10, tcp:host:port, \
         ble:NAME, ble:ADDRESS, spp:NAME, spp:ADDRESS, mqtt:SET?state=STATE or mqtt+tasmota:NAME"
    )]
    Scheme,
    /// `mqtt:` and something that is no switch.
    #[error(transparent)]
    Mqtt(#[from] MqttAddressError),
    /// `serial:` and nothing, or with control characters.
    #[error("no serial port: expected one as in serial:/dev/ttyUSB0 or serial:COM10")]
    Path,
    /// Something else than `baud` after the question mark.
    #[error("unknown option of a serial port: expected ?baud=115200")]
    Option,
    /// Not a speed.
    #[error("baud: expected a whole number from {BAUD_MIN} to {BAUD_MAX}")]
    Baud,
    /// `tcp:` without a usable host.
    #[error("no host: expected one as in tcp:192.168.1.20:7000 or tcp:[fe80::1]:7000")]
    Host,
    /// `tcp:host` without a usable port.
    #[error("no port: expected a number from 1 to 65535 as in tcp:192.168.1.20:7000")]
    Port,
    /// `ble:` or `spp:` and nothing, or with control characters.
    #[error("no device: expected a name or an address as in ble:TEMP_LED or spp:C6:55:44:33:22:11")]
    Device,
    /// Something else than the options of a Bluetooth LE link.
    #[error("unknown option of a ble link: expected ?adapter=hci0 or ?power=cycle, joined by &")]
    BleOption,
    /// Something else than the options of a classic Bluetooth link.
    #[error(
        "unknown option of a spp link: expected ?adapter=hci0, ?channel=1 or ?power=cycle, joined by &"
    )]
    SppOption,
    /// Not an adapter.
    #[error("adapter: expected hci0, hci1 and so on")]
    Adapter,
    /// Not a channel of RFCOMM.
    #[error("channel: expected a whole number from 1 to 30")]
    Channel,
    /// Not what can be done with an adapter's power.
    #[error("power: expected cycle, which switches the adapter off and on as the last resort")]
    Power,
}

impl FromStr for LinkAddress {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if let Some(serial) = text.strip_prefix("serial:") {
            parse_serial(serial)
        } else if let Some(tcp) = text.strip_prefix("tcp:") {
            parse_tcp(tcp)
        } else if let Some(mqtt) = text.strip_prefix("mqtt")
            && mqtt.starts_with([':', '+'])
        {
            Ok(Self::Mqtt(Box::new(MqttAddress::parse(mqtt)?)))
        } else if let Some(ble) = text.strip_prefix("ble:") {
            bluetooth::parse(ble, false).map(LinkAddress::Ble)
        } else if let Some(spp) = text.strip_prefix("spp:") {
            bluetooth::parse(spp, true).map(LinkAddress::Spp)
        } else {
            Err(AddressError::Scheme)
        }
    }
}

impl fmt::Display for LinkAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Serial { path, baud: BAUD_DEFAULT } => write!(f, "serial:{path}"),
            Self::Serial { path, baud } => write!(f, "serial:{path}?baud={baud}"),
            Self::Tcp { host, port } if host.contains(':') => write!(f, "tcp:[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "tcp:{host}:{port}"),
            Self::Mqtt(address) => address.fmt(f),
            Self::Ble(device) => write!(f, "ble:{device}"),
            Self::Spp(device) => write!(f, "spp:{device}"),
        }
    }
}

fn parse_serial(text: &str) -> Result<LinkAddress, AddressError> {
    let (path, options) = match text.split_once('?') {
        Some((path, options)) => (path, Some(options)),
        None => (text, None),
    };
    if path.is_empty() || path.len() > TEXT_LEN_MAX || path.chars().any(char::is_control) {
        return Err(AddressError::Path);
    }
    let baud = match options {
        None => BAUD_DEFAULT,
        Some(options) => {
            let digits = options.strip_prefix("baud=").ok_or(AddressError::Option)?;
            number(digits)
                .filter(|baud| (BAUD_MIN..=BAUD_MAX).contains(baud))
                .ok_or(AddressError::Baud)?
        }
    };
    Ok(LinkAddress::Serial { path: path.to_owned(), baud })
}

fn parse_tcp(text: &str) -> Result<LinkAddress, AddressError> {
    let (host, port) = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']').ok_or(AddressError::Host)?;
            if host.parse::<std::net::Ipv6Addr>().is_err() {
                return Err(AddressError::Host);
            }
            (host, port.strip_prefix(':').ok_or(AddressError::Port)?)
        }
        None => {
            let (host, port) = text.rsplit_once(':').ok_or(AddressError::Port)?;
            let odd = |c: char| c.is_control() || c.is_whitespace() || "/:@[]".contains(c);
            if host.is_empty() || host.len() > TEXT_LEN_MAX || host.contains(odd) {
                return Err(AddressError::Host);
            }
            (host, port)
        }
    };
    let port = number(port).and_then(|port| u16::try_from(port).ok()).filter(|port| *port > 0);
    Ok(LinkAddress::Tcp { host: host.to_owned(), port: port.ok_or(AddressError::Port)? })
}

/// Decimal digits only: `u32::from_str` alone would let `+5` through.
fn number(digits: &str) -> Option<u32> {
    if digits.bytes().all(|byte| byte.is_ascii_digit()) { digits.parse().ok() } else { None }
}

#[cfg(test)]
mod tests;
