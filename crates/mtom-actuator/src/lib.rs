//! Links to devices: brings the newest desired state to an LED and says what the LED reports.
//!
//! One [`run`] is one actuator. It holds one desired state, the newest, and writes that one when a
//! connection begins, when it changes and again every `refresh`; nothing older is ever written and
//! nothing waits in a queue. A state is *applied* when the device says so; a device of the original
//! kind never says anything, so its state is only *sent*.
//!
//! Knows serial ports, TCP and Bluetooth. Knows no readings, rules or storage. Numbers of commands come from
//! the caller, who must raise them when [`Report::Ahead`] says so.

mod address;
mod backoff;
mod bluetooth;
mod lines;
mod mqtt;
mod opener;
mod pairing;
mod pump;
mod report;
mod run;
mod session;
mod settings;

pub use address::bluetooth::{BluetoothAddress, BluetoothDevice, BluetoothId, NoBluetoothId};
pub use address::{AddressError, LinkAddress};
pub use bluetooth::scan::scan;
pub use bluetooth::trouble::Trouble;
pub use bluetooth::{Kind, Sighting, check};
pub use mqtt::address::{MqttAddress, MqttAddressError};
pub use pairing::{Answer, PAIRING_MAX, PairError, Say, Step, pair};
pub use report::{Clock, Desired, LinkState, Report, Trust, Version};
pub use run::run;
#[cfg(feature = "model")]
pub use session::model;
pub use settings::{Drift, Protocol, Settings};
