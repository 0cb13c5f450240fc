//! Why Bluetooth cannot be used on this computer, each with the next step.

/// What is wrong. The text is for people and says what to do.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Trouble {
    /// No system bus to reach the daemon by.
    #[error("no D-Bus, by which Bluetooth is reached: install dbus and start it")]
    NoBus,
    /// The bus is there, the daemon is not.
    #[error("bluetoothd does not run: install bluez, then systemctl start bluetooth")]
    NoDaemon,
    /// No adapter at all.
    #[error("no Bluetooth adapter: plug one in until bluetoothctl list shows it")]
    NoAdapter,
    /// Not the one that is wanted.
    #[error("no adapter {wanted}: expected one of {there}")]
    OtherAdapter {
        /// As configured.
        wanted: String,
        /// Those there are, by commas.
        there: String,
    },
    /// Blocked by software.
    #[error("Bluetooth is blocked: rfkill unblock bluetooth")]
    Blocked,
    /// Blocked by a switch or a key.
    #[error("Bluetooth is blocked by a switch of this computer: move it")]
    BlockedHard,
    /// Switched off.
    #[error("adapter {adapter} is switched off: bluetoothctl power on")]
    Off {
        /// Which.
        adapter: String,
    },
    /// Refused by the bus or the daemon.
    #[error(
        "this user may not use Bluetooth: usermod -aG bluetooth with its name, then log in again"
    )]
    NotPermitted,
    /// Classic Bluetooth elsewhere than on Linux.
    #[error(
        "spp: is for Linux; here pair the device, see which serial port the system made of it, and \
         write serial:COM10 with its number, or serial:/dev/cu.NAME"
    )]
    OnlyLinux,
    /// The adapter still does what somebody has asked of it who is gone, a search say.
    #[error(
        "Bluetooth is busy with something else ({0}): it ends by itself, or systemctl restart bluetooth"
    )]
    Busy(String),
    /// Anything else, in the stack's words.
    #[error("Bluetooth does not work: {0}")]
    Other(String),
}
