//! Pairs a device over Bluetooth LE with this computer, while a person watches.
//!
//! A passkey is typed here that the device shows, or both show a number and the person says whether it is
//! the same. A device that can neither show nor compare anything is not paired: whoever is in between
//! could be paired in its place. The bond is the system's, which encrypts every later connection by it.

use crate::address::LinkAddress;
use crate::address::bluetooth::BluetoothId;
use crate::bluetooth::trouble::Trouble;
use crate::settings::Settings;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// A pairing takes no longer.
pub const PAIRING_MAX: Duration = Duration::from_secs(120);

/// What a pairing has come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// The device is looked for.
    Searching,
    /// It was found.
    Connecting,
    /// It shows six digits, which are wanted here.
    PasskeyWanted,
    /// It shows a number: is it this one?
    Compare(u32),
    /// It wants this number to be typed.
    Shown(u32),
}

/// What a person answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Answer {
    /// The digits that the device shows.
    Passkey(u32),
    /// Whether the device shows the same number.
    Same(bool),
}

/// Why a device is not paired. The text is for people and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairError {
    /// Its link is no Bluetooth LE.
    #[error(
        "only devices over Bluetooth LE are paired, and its link is {0}; docs/keys.md has a way for every link"
    )]
    NotLowEnergy(String),
    /// Bluetooth cannot be used.
    #[error("{0}")]
    Trouble(#[from] Trouble),
    /// It was not found, or not for sure.
    #[error("{0}")]
    NotFound(String),
    /// The passkey was another, or the device wants nobody.
    #[error(
        "the passkey is wrong, or the device refuses: it can be paired within its first minutes of \
         power, so switch it off and on, and pair it again"
    )]
    Refused,
    /// The numbers are not the same, as it was said here.
    #[error(
        "not paired: the numbers are not the same, so somebody may be in between; pair it again, and give it a \
         key instead if they differ again: mtom actuator key"
    )]
    Different,
    /// The number was not confirmed at the device.
    #[error(
        "not paired: nobody has said at the device that the numbers are the same; pair it again, and press its \
         button while both show them"
    )]
    NotConfirmed,
    /// Nobody has compared the numbers here, and the system waits no longer.
    #[error(
        "not paired: nobody has said here in time whether the numbers are the same; pair it again"
    )]
    NotCompared,
    /// It can show nothing.
    #[error(
        "the device has nothing to show or to compare, so that anybody could be paired in its place; \
         give it a key instead: mtom actuator key"
    )]
    Unproven,
    /// The stack says so.
    #[error("not paired: {0}")]
    Other(String),
    /// Nobody has answered, or the device has not.
    #[error("not paired within {PAIRING_MAX:?}")]
    TooLate,
    /// Somebody has said so.
    #[error("given up")]
    GivenUp,
    /// Windows and macOS do it by themselves.
    #[error("this system pairs a device by itself, when it is connected to for the first time")]
    BySystem,
}

/// Tells of each step.
pub type Say = Arc<dyn Fn(Step) + Send + Sync>;

/// Pairs the device of `settings`; an earlier bond with it is forgotten first. `answers` brings what the
/// person says. Once `given_up`, it ends as soon as nothing of it is left.
///
/// # Errors
/// Why it is not paired; nothing is kept then.
pub async fn pair(
    settings: &Settings,
    say: Say,
    answers: mpsc::Receiver<Answer>,
    given_up: &CancellationToken,
) -> Result<BluetoothId, PairError> {
    let LinkAddress::Ble(address) = &settings.link else {
        return Err(PairError::NotLowEnergy(settings.link.to_string()));
    };
    let over = async {
        tokio::select! {
            () = given_up.cancelled() => PairError::GivenUp,
            () = sleep(PAIRING_MAX) => PairError::TooLate,
        }
    };
    crate::bluetooth::pair(address, settings, say, answers, over).await
}
