//! What goes into a link and what comes out of it, in the caller's words.

use crate::address::bluetooth::BluetoothId;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;

/// Tells the time; the binary gives the real one, tests their own.
pub type Clock = Arc<dyn Fn() -> UnixMicros + Send + Sync>;

/// How the LED shall be. Only the newest one counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Desired {
    /// Lit or dark.
    pub led: Led,
    /// The command's number, rising across restarts of the gateway; devices ignore lower ones.
    pub number: u64,
}

/// What happened on a link.
///
/// Texts from a device are shortened by the line limit and hold visible ASCII and spaces only.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The link changed.
    Link {
        /// To what.
        state: LinkState,
        /// Why, for people; empty where there is nothing to say. While the device is searched or connected to
        /// it is why the last try came to nothing.
        reason: String,
    },
    /// The name of a Bluetooth link has led to this device, whose UART or serial port is open. Give it
    /// to the next [`crate::Settings`], and the name is asked for no more.
    Found {
        /// What tells it apart.
        id: BluetoothId,
    },
    /// Which version of the link the device speaks: once per connection, and on every change.
    Identified {
        /// The version and, where it says, who it is.
        version: Version,
    },
    /// Whether what the device says is believed because of its key: of actuators that have one, and of
    /// devices that want one.
    Trusted {
        /// Whether it is.
        trust: Trust,
    },
    /// A command left: its last byte was accepted by the operating system.
    Sent {
        /// The state asked for.
        led: Led,
        /// The command.
        number: u64,
        /// When the write ended.
        at: UnixMicros,
    },
    /// The device says that the LED is so because of this command.
    Applied {
        /// The state of the LED.
        led: Led,
        /// The command.
        number: u64,
        /// When the device's line had arrived.
        at: UnixMicros,
    },
    /// The device says how it is, and it is not what it said last.
    State {
        /// The state of the LED.
        led: Led,
        /// The last command it applied.
        number: u64,
    },
    /// The LED was as desired and is not any more, on a connection that held: somebody switched it by hand.
    Drifted {
        /// The state of the LED.
        led: Led,
        /// The last command it applied.
        number: u64,
        /// It stays so ([`crate::Drift::Adopt`]); else it is told again.
        is_adopted: bool,
    },
    /// The device refused a line; the command is sent again later.
    Refused {
        /// The last command sent; 0 before the first.
        number: u64,
        /// The device's words.
        reason: String,
    },
    /// The device will not obey: the last command it applied has a number that is not below ours and
    /// its LED is not as desired, or the number is above ours (the gateway lost its journal, or the
    /// device's lease ended). Give [`Desired`] a number above this one.
    Ahead {
        /// The state of its LED.
        led: Led,
        /// The last command it applied.
        number: u64,
    },
    /// The device sent lines that mean nothing; they were ignored. At most once a second.
    Noise {
        /// How many on this connection so far.
        lines: u64,
    },
    /// Lines came that nobody with the device's key has said now; they were ignored. At most once a second.
    Forged {
        /// How many on this connection so far.
        lines: u64,
    },
}

/// Whether a device proves what it says.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Trust {
    /// It vouches for each line with its key.
    Authenticated,
    /// It does not: whoever can write on the link can speak for it.
    Unauthenticated,
    /// It has a key, and it is not ours.
    WrongKey,
}

/// How a link is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LinkState {
    /// There is nothing to connect to; tried again later.
    Away,
    /// Looking for the device.
    Searching,
    /// Connecting now, or waiting for the device's first answer.
    Connecting,
    /// Connected, and a device is at the other end: it has answered, or is known as one that never does.
    Up,
    /// The connection was there and ended.
    Broken,
}

/// The version of the link that a device speaks (`wire.md` §1.5 and §2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Version {
    /// Bare bytes, no answers.
    Original,
    /// Lines with numbers, answered.
    Second {
        /// The device's name.
        name: String,
        /// The device's firmware version.
        firmware: String,
    },
}
