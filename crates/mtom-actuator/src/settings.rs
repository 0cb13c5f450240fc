//! How a link behaves.

use crate::address::LinkAddress;
use crate::address::bluetooth::BluetoothId;
use mtom_mqtt::target::Target;
use mtom_protocol::link::keyed::Key;
use std::time::Duration;

/// How one actuator is reached. [`Settings::new`] gives the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// What the actuator is called, for logs.
    pub name: String,
    /// Where it is.
    pub link: LinkAddress,
    /// The device that a Bluetooth name led to before ([`crate::Report::Found`]): it alone is meant.
    pub remembered: Option<BluetoothId>,
    /// What it speaks.
    pub protocol: Protocol,
    /// What the device has to have too; `None`: it is believed and told without.
    pub key: Option<Key>,
    /// What to do when somebody switches the LED by hand.
    pub drift: Drift,
    /// The way to an `mqtt:` switch; `None`: there is no broker.
    pub broker: Option<Target>,
    /// The state is sent again this long after it was last sent.
    pub refresh: Duration,
    /// The first refresh of a connection: many boards restart when their port is opened and hear
    /// nothing for a second.
    pub first_refresh: Duration,
    /// A connection that takes longer is given up.
    pub connect_timeout: Duration,
    /// A write that takes longer breaks the connection: the other end is gone without a word.
    pub write_timeout: Duration,
    /// A device that does not answer `?` for so long is taken for an original one.
    pub probe_timeout: Duration,
    /// A command without an answer is sent again after this, then after twice as long, up to
    /// `refresh`.
    pub ack_timeout: Duration,
    /// A device of the second version that was not heard for so long is asked how it is.
    pub keep_alive: Duration,
    /// When it does not answer that for so long, the connection is broken.
    pub answer_timeout: Duration,
    /// The shortest pause between two attempts to connect.
    pub backoff_min: Duration,
    /// The longest; each pause is up to twice the one before and has a random part.
    pub backoff_max: Duration,
}

/// What a device speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Protocol {
    /// Ask, and see whether it answers; one that has answered once is expected to from then on.
    #[default]
    Auto,
    /// Nothing but bare `h` and `c`, ever (`wire.md` §1.5).
    Original,
    /// Lines with numbers (`wire.md` §2); silence is a fault.
    Second,
}

/// What to do when a device is not as it was a moment ago, and nobody here told it to: somebody has pressed
/// its button.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Drift {
    /// It is told again.
    #[default]
    Correct,
    /// It stays so until another state is desired.
    Adopt,
}

impl Settings {
    /// The defaults for an actuator called `name` at `link`.
    #[must_use]
    pub fn new(name: impl Into<String>, link: LinkAddress) -> Self {
        Self {
            name: name.into(),
            link,
            remembered: None,
            protocol: Protocol::Auto,
            key: None,
            drift: Drift::Correct,
            broker: None,
            refresh: Duration::from_secs(60),
            first_refresh: Duration::from_secs(2),
            connect_timeout: Duration::from_secs(5),
            write_timeout: Duration::from_secs(2),
            probe_timeout: Duration::from_millis(300),
            ack_timeout: Duration::from_millis(500),
            keep_alive: Duration::from_secs(5),
            answer_timeout: Duration::from_secs(2),
            backoff_min: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
        }
    }

    /// A connection to nobody is found out within this: one that lasts longer is taken for a good one,
    /// also when the device never says anything.
    pub(crate) fn proven_after(&self) -> Duration {
        self.write_timeout.max(self.answer_timeout) * 2
    }
}
