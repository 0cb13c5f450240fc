//! What a gateway is started with: valid by construction.

use crate::control::RuleSource;
pub use crate::drain::Database;
use mtom_actuator::{Drift, LinkAddress, Protocol};
use mtom_broker::clients::Admission;
use mtom_mqtt::target::Target;
use mtom_protocol::link::keyed::Key;
use mtom_protocol::topic;
pub use mtom_store::retention::Keep;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The file in the data folder with this installation's name at brokers and databases.
pub const NAME_FILE: &str = "client-id";

/// Everything a gateway needs to know.
pub struct Settings {
    /// The folder of the journal; made when it is missing.
    pub data_dir: PathBuf,
    /// Where messages come from.
    pub source: Source,
    /// Topic filters of the messages that are readings.
    pub topics: Vec<String>,
    /// The original's ports and that of lines; `None`: nobody is served (a controller).
    pub ports: Option<Ports>,
    /// The devices to drive.
    pub actuators: Vec<Actuator>,
    /// Decides what they should be.
    pub rules: RuleSource,
    /// Another database that gets a copy of everything.
    pub database: Option<Database>,
    /// How much of the history is kept.
    pub keep: Keep,
    /// What is said to Home Assistant, and heard of what others say to it.
    pub home_assistant: HomeAssistant,
}

/// What is said to Home Assistant, and heard of what others say to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HomeAssistant {
    /// Where devices tell it what they are: its own discovery prefix.
    pub prefix: String,
    /// What they tell is heard, and their readings come by themselves.
    pub discover: bool,
    /// Our sensors and actuators are told to it.
    pub announce: bool,
    /// A sensor that says nothing for so long is unavailable there.
    pub expire_after: Duration,
}

impl Default for HomeAssistant {
    fn default() -> Self {
        let expire_after = Duration::from_secs(15 * 60);
        Self { prefix: "homeassistant".into(), discover: false, announce: false, expire_after }
    }
}

/// Where messages come from.
#[derive(Clone)]
pub enum Source {
    /// rmqtt in this process, on this address.
    Embedded {
        /// Port 0 chooses one.
        listen: SocketAddr,
        /// Who of other computers is let in.
        admission: Admission,
    },
    /// Somebody else's broker.
    External {
        /// Where it is, and how to get in.
        target: Target,
        /// Our name there; `None`: this installation's own, kept in the data folder.
        client_id: Option<String>,
        /// Messages that are not on the disk and that it sends nevertheless, at most.
        receive_max: u16,
    },
    /// Another gateway, or the original server.
    Forwarded {
        /// `tcp://host:8766`, `ws://host:8080/live`, or `ws://host:8765`, the original's live port.
        url: String,
        /// What persons call this controller.
        name: String,
    },
}

/// The original's ports and that of lines.
#[derive(Clone, Debug)]
pub struct Ports {
    /// The live port.
    pub live: SocketAddr,
    /// The history port.
    pub history: SocketAddr,
    /// The port of readings as lines.
    pub tcp: SocketAddr,
    /// Readings as datagrams.
    pub udp: Udp,
    /// Viewers on each of them; more are refused.
    pub viewers_max: usize,
    /// Meant to be reached from elsewhere, so any Host is accepted.
    pub insecure: bool,
    /// The page's port, whose origin may open the live and history ports.
    pub dashboard: Option<u16>,
}

/// Readings as datagrams: to those who ask, and to those who are named here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Udp {
    /// Where one asks for them; `None`: nowhere.
    pub listen: Option<SocketAddr>,
    /// Who gets all of them unasked, multicast too.
    pub targets: Vec<SocketAddr>,
    /// What targets are sent from; `None`: the system chooses.
    pub from: Option<IpAddr>,
    /// Over so many routers, less one, multicast goes.
    pub ttl: u8,
}

impl Default for Udp {
    /// To nobody.
    fn default() -> Self {
        Self { listen: None, targets: Vec::new(), from: None, ttl: mtom_forward::udp::TTL }
    }
}

/// One device with an LED.
#[derive(Clone, Debug)]
pub struct Actuator {
    /// Its name in rules and on the page.
    pub name: String,
    /// How to reach it.
    pub link: LinkAddress,
    /// The state is said again this often.
    pub refresh: Duration,
    /// Which version of the link it speaks.
    pub protocol: Protocol,
    /// What the device has to have too; `None`: it is believed without.
    pub key: Option<Key>,
    /// What to do when somebody switches it by hand.
    pub drift: Drift,
    /// mtom simulates it.
    pub simulated: bool,
}

/// How many bytes the disk of `folder` has left; `None` where that is not known.
#[must_use]
pub fn disk_free(folder: &Path) -> Option<u64> {
    fs4::available_space(folder).ok()
}

/// Says whether `text` can be subscribed to; where it is shared (`$share/group/filter`), its filter.
///
/// # Errors
/// The rule of MQTT (3.1.1 §4.7, 5 §4.8.2) that it breaks, in words.
pub fn check_subscription(text: &str) -> Result<Option<&str>, String> {
    let (group, filter) = topic::subscription(text).map_err(|error| error.to_string())?;
    Ok(group.map(|_| filter))
}

/// Says whether `link` is an address of a device.
///
/// # Errors
/// What is expected, in words.
pub fn check_link(link: &str) -> Result<(), String> {
    link.parse::<LinkAddress>().map(drop).map_err(|error| error.to_string())
}

/// Says whether readings can be received from `url`.
///
/// # Errors
/// What is expected, in words.
pub fn check_forwarded_url(url: &str) -> Result<(), String> {
    crate::forwarded::Upstream::parse(url).map(drop)
}

/// Says whether `url` is a database that readings can be copied to.
///
/// # Errors
/// What is expected, in words.
pub fn check_store_url(url: &str) -> Result<(), String> {
    url.parse::<mtom_store::maria::Url>().map(drop).map_err(|error| error.to_string())
}

/// What to do when somebody switches an LED by hand, as `word` names it: `correct` or `adopt`.
#[must_use]
pub fn drift(word: &str) -> Option<Drift> {
    match word {
        "correct" => Some(Drift::Correct),
        "adopt" => Some(Drift::Adopt),
        _ => None,
    }
}

/// The version of the link that `word` names: `auto`, `original` or `second`.
#[must_use]
pub fn protocol(word: &str) -> Option<Protocol> {
    match word {
        "auto" => Some(Protocol::Auto),
        "original" => Some(Protocol::Original),
        "second" => Some(Protocol::Second),
        _ => None,
    }
}
