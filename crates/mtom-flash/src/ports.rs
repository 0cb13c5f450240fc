//! Which serial ports there are, and which of them a board is likely to be plugged into.

use serialport::{SerialPortType, UsbPortInfo, available_ports};
use std::fmt;
use std::path::Path;

/// The USB ids of what sits on boards with an ESP32: vendor and, where that vendor makes many other
/// things, product.
const KNOWN: [(u16, Option<u16>); 4] = [
    // Espressif: the chip's own USB.
    (0x303a, None),
    // Silicon Labs CP210x.
    (0x10c4, Some(0xea60)),
    // WCH CH340, CH343, CH9102.
    (0x1a86, None),
    // FTDI.
    (0x0403, None),
];

/// A serial port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Port {
    /// By which it is opened.
    pub path: String,
    /// What is plugged in, when it is a USB port.
    pub usb: Option<UsbPortInfo>,
}

/// No port that may be taken without asking.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoPort {
    /// Nothing that looks like a board.
    #[error(
        "no board is plugged in{}\nplug it in with a USB cable that carries data; when it does not show up, hold BOOT while you plug it in\non Linux you must be in the group that owns serial ports: sudo usermod -aG dialout $USER, then log in again\na port by another name: --port PATH",
        unlikely(.others)
    )]
    None {
        /// Ports that look like something else.
        others: Vec<Port>,
    },
    /// More than one.
    #[error("{} boards are plugged in; say which one with --port:{}", .ports.len(), lines(.ports))]
    Several {
        /// All of them.
        ports: Vec<Port>,
    },
}

impl Port {
    fn is_likely(&self) -> bool {
        self.usb.as_ref().is_some_and(|usb| {
            KNOWN.iter().any(|(vid, pid)| usb.vid == *vid && pid.is_none_or(|pid| usb.pid == pid))
        })
    }
}

/// `/dev/ttyUSB0 (Silicon Labs CP2102 USB to UART Bridge Controller, 10c4:ea60)`
impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Some(usb) = &self.usb else { return f.write_str(&self.path) };
        write!(f, "{} (", self.path)?;
        for name in [&usb.manufacturer, &usb.product].into_iter().flatten() {
            // A name is the device's own: it cannot be trusted with a terminal.
            let name: String = name.chars().filter(|each| !each.is_control()).collect();
            write!(f, "{name} ")?;
        }
        write!(f, "{:04x}:{:04x})", usb.vid, usb.pid)
    }
}

/// The ports of this computer.
#[must_use]
pub fn list() -> Vec<Port> {
    // Where there is no such folder the library would panic, and there are no ports.
    if cfg!(target_os = "linux") && !Path::new("/sys/class/tty").exists() {
        return Vec::new();
    }
    // Ports that cannot be listed can still be named.
    let ports = available_ports().unwrap_or_default();
    let ports = ports.into_iter().map(|port| Port {
        path: port.port_name,
        usb: match port.port_type {
            SerialPortType::UsbPort(usb) => Some(usb),
            _ => None,
        },
    });
    // On macOS each port has two names, and this one waits for a carrier that never comes.
    ports.filter(|port| !port.path.starts_with("/dev/tty.")).collect()
}

/// The only one of `ports` that looks like a board.
///
/// # Errors
/// When none does or several do.
pub fn choose(ports: Vec<Port>) -> Result<Port, NoPort> {
    let (mut likely, others): (Vec<_>, Vec<_>) = ports.into_iter().partition(Port::is_likely);
    match (likely.len(), likely.pop()) {
        (1, Some(port)) => Ok(port),
        (_, None) => Err(NoPort::None { others }),
        (_, Some(last)) => {
            likely.push(last);
            Err(NoPort::Several { ports: likely })
        }
    }
}

fn lines(ports: &[Port]) -> String {
    ports.iter().map(|port| format!("\n  --port {port}")).collect()
}

fn unlikely(ports: &[Port]) -> String {
    if ports.is_empty() {
        return String::new();
    }
    format!("; these ports look like something else:{}", lines(ports))
}

#[cfg(test)]
mod tests;
