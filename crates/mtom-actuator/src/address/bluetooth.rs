//! The part of an address behind `ble:` and `spp:`: a name or an address, then options.
//!
//! A text of six pairs of hexadecimal digits is an address, anything else a name. On macOS, which
//! keeps addresses to itself, an identifier as in `ble:1b2c3d4e-…` stands for one.

use super::{AddressError, number};
use std::fmt;
use std::str::FromStr;

/// The longest name that a device can have [Core 5.4, Vol 4, Part E, 7.3.11].
const NAME_LEN_MAX: usize = 248;
/// Channels of RFCOMM.
const CHANNEL_MAX: u32 = 30;
/// Adapters are `hci0` to `hci65535`.
const ADAPTER_PREFIX: &str = "hci";

/// A device that is reached over Bluetooth, and how. `Display` writes what is read.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct BluetoothAddress {
    /// Which device.
    pub device: BluetoothDevice,
    /// The adapter to use, as in `hci0`; without one the system's first.
    pub adapter: Option<String>,
    /// The RFCOMM channel, 1 to 30, when the device does not tell it; only of classic Bluetooth.
    pub channel: Option<u8>,
    /// The adapter may be switched off and on as the last resort: other devices lose it as well.
    pub power_cycle: bool,
}

/// Which device.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum BluetoothDevice {
    /// The one that calls itself so.
    Name(String),
    /// The one with this address.
    Id(BluetoothId),
}

/// What tells devices apart: `C6:55:44:33:22:11`, or on macOS an identifier of the system's own.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BluetoothId(String);

/// A text is neither an address nor an identifier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no Bluetooth address: expected one as in C6:55:44:33:22:11")]
pub struct NoBluetoothId;

impl FromStr for BluetoothId {
    type Err = NoBluetoothId;

    fn from_str(text: &str) -> Result<Self, NoBluetoothId> {
        let is_hex = |group: &str| group.bytes().all(|byte| byte.is_ascii_hexdigit());
        let has = |separator, lens: &[usize]| {
            let groups: Vec<&str> = text.split(separator).collect();
            groups.iter().map(|group| group.len()).eq(lens.iter().copied())
                && groups.into_iter().all(is_hex)
        };
        if has(':', &[2; 6]) || has('-', &[8, 4, 4, 4, 12]) {
            Ok(Self(text.to_ascii_uppercase()))
        } else {
            Err(NoBluetoothId)
        }
    }
}

impl fmt::Display for BluetoothId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for BluetoothDevice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl fmt::Display for BluetoothAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.device.fmt(f)?;
        let options = [
            self.adapter.as_ref().map(|adapter| format!("adapter={adapter}")),
            self.channel.map(|channel| format!("channel={channel}")),
            self.power_cycle.then(|| "power=cycle".to_owned()),
        ];
        for (option, sign) in
            options.into_iter().flatten().zip(std::iter::once('?').chain(std::iter::repeat('&')))
        {
            write!(f, "{sign}{option}")?;
        }
        Ok(())
    }
}

/// Reads what stands behind `ble:` or, with a channel, behind `spp:`.
pub(super) fn parse(text: &str, has_channel: bool) -> Result<BluetoothAddress, AddressError> {
    let (device, options) = match text.split_once('?') {
        Some((device, options)) => (device, Some(options)),
        None => (text, None),
    };
    let is_name = !device.trim().is_empty() && device.len() <= NAME_LEN_MAX;
    if !is_name || device.chars().any(char::is_control) {
        return Err(AddressError::Device);
    }
    let mut address = BluetoothAddress {
        device: match device.parse() {
            Ok(id) => BluetoothDevice::Id(id),
            Err(NoBluetoothId) => BluetoothDevice::Name(device.to_owned()),
        },
        adapter: None,
        channel: None,
        power_cycle: false,
    };
    for option in options.into_iter().flat_map(|options| options.split('&')) {
        match option.split_once('=') {
            Some(("adapter", adapter)) if address.adapter.is_none() => {
                address.adapter = Some(parse_adapter(adapter).ok_or(AddressError::Adapter)?);
            }
            Some(("channel", channel)) if has_channel && address.channel.is_none() => {
                address.channel = Some(parse_channel(channel).ok_or(AddressError::Channel)?);
            }
            Some(("power", "cycle")) => address.power_cycle = true,
            Some(("power", _)) => return Err(AddressError::Power),
            _ if has_channel => return Err(AddressError::SppOption),
            _ => return Err(AddressError::BleOption),
        }
    }
    Ok(address)
}

fn parse_adapter(text: &str) -> Option<String> {
    let digits = text.strip_prefix(ADAPTER_PREFIX).filter(|digits| !digits.is_empty())?;
    number(digits).and_then(|number| u16::try_from(number).ok())?;
    Some(text.to_owned())
}

fn parse_channel(digits: &str) -> Option<u8> {
    let channel = number(digits).filter(|channel| (1..=CHANNEL_MAX).contains(channel))?;
    u8::try_from(channel).ok()
}
