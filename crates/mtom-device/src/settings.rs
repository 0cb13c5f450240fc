//! What a device is told beside its image: which network, which broker, what to publish and how.
//!
//! In flash they are a text, one `key=value` a line, written whole or not at all (see [`crate::flash`]).
//! A key that this version does not know is left alone, a key that is missing has its default: so a
//! device can be given a newer or an older firmware without losing its network. A value that cannot
//! be used is one [`SettingsError`] that names the key and what is expected.

use core::fmt::{self, Write as _};
use core::str;
use heapless::String;
use mtom_protocol::link::Led;
use mtom_protocol::link::keyed::Key;

/// The longest text of all settings, in bytes.
pub const TEXT_LEN_MAX: usize = 1_536;
/// The shortest and the longest time between two readings.
pub const PERIOD_MILLIS: (u32, u32) = (200, 24 * 60 * 60 * 1_000);
/// The longest lease of an actuator; 0 is none.
pub const LEASE_MILLIS_MAX: u32 = 24 * 60 * 60 * 1_000;
/// The longest time after its power came in which an actuator can be paired; 0 is never.
pub const PAIRING_SECONDS_MAX: u16 = 600;
/// The longest topic, in bytes.
pub const TOPIC_LEN_MAX: usize = 64;

/// Everything that may differ between two devices with the same firmware.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Names the device: MQTT client id, and its place below `mtom/`. Empty: the board makes one
    /// from its hardware address.
    pub id: String<32>,
    /// Name of the wireless network, 1 to 32 bytes.
    pub wifi_ssid: String<32>,
    /// Its password; empty for an open network.
    pub wifi_password: String<64>,
    /// The broker's name or address.
    pub broker_host: String<64>,
    /// The broker's port: 1883, with TLS 8883.
    pub broker_port: u16,
    /// Speak TLS 1.3 to the broker and check it against the broker's CA.
    pub tls: bool,
    /// User name for the broker; empty for none.
    pub user: String<64>,
    /// Password for the broker.
    pub password: String<64>,
    /// Where readings are published.
    pub topic: String<TOPIC_LEN_MAX>,
    /// What a reading looks like.
    pub format: Format,
    /// How often the sensor measures, in milliseconds.
    pub period_millis: u32,
    /// The time server; empty for none.
    pub ntp: String<64>,
    /// Announce the device to Home Assistant.
    pub discovery: bool,
    /// How many readings may wait in memory before the oldest go to flash; 0: each goes to flash first.
    pub ram: u16,
    /// Which reading goes when there is no room left.
    pub when_full: WhenFull,
    /// The name under which an actuator is found over Bluetooth and answers `?`.
    pub name: String<20>,
    /// An actuator returns to its safe state when the gateway has been silent for this long; 0: never.
    pub lease_millis: u32,
    /// The state of the LED at start and when the lease ends.
    pub safe: Led,
    /// What an actuator's gateway has to know; `None`: anybody on the link is obeyed.
    pub key: Option<Key>,
    /// Over Bluetooth LE an actuator obeys only whom it was paired with, which it can be for so long after
    /// its power came; 0: it obeys anybody there.
    pub pairing_seconds: u16,
    /// What is typed at the other end to pair it; `None`: a new one each time, which its log shows.
    pub passkey: Option<Passkey>,
    /// Pair by comparing: both ends show a number, and a press of its button says that it is the same.
    pub pairing_compare: bool,
}

/// Six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Passkey(u32);

impl Passkey {
    /// Reads exactly six digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let is_six = text.len() == 6 && text.bytes().all(|byte| byte.is_ascii_digit());
        text.parse().ok().filter(|_| is_six).map(Self)
    }

    /// The number.
    #[must_use]
    pub const fn number(self) -> u32 {
        self.0
    }
}

impl fmt::Display for Passkey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// What a published reading looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// `23.4 °C` (`wire.md` §1.1).
    Text,
    /// `{"temperature":23.4,"time":"…","seq":7,"boot":"…"}` (`wire.md` §3): kept exactly once.
    Json,
}

/// Which reading is given up when there is no room left; both are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhenFull {
    /// The oldest.
    DropOldest,
    /// The newest.
    DropNewest,
}

/// A setting that cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{key}: expected {expected}")]
pub struct SettingsError {
    /// Which one.
    pub key: &'static str,
    /// What can be used.
    pub expected: &'static str,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            id: String::new(),
            wifi_ssid: String::new(),
            wifi_password: String::new(),
            broker_host: String::new(),
            broker_port: 1883,
            tls: false,
            user: String::new(),
            password: String::new(),
            topic: text("Environ/Temperature"),
            format: Format::Text,
            period_millis: 2_000,
            ntp: text("pool.ntp.org"),
            discovery: false,
            ram: 32,
            when_full: WhenFull::DropOldest,
            name: text("TEMP_LED"),
            lease_millis: 30_000,
            safe: Led::Off,
            key: None,
            pairing_seconds: 0,
            passkey: None,
            pairing_compare: false,
        }
    }
}

impl Settings {
    /// Reads the text of [`Settings`]'s `Display`. Later lines win.
    ///
    /// # Errors
    /// The first value that cannot be used.
    pub fn parse(text: &[u8]) -> Result<Self, SettingsError> {
        let text = str::from_utf8(text)
            .map_err(|_| SettingsError { key: "settings", expected: "UTF-8 text" })?;
        let mut settings = Self::default();
        for line in text.lines() {
            if let Some((key, value)) = line.split_once('=') {
                settings.set(key, &unescaped(value))?;
            }
        }
        Ok(settings)
    }

    /// Sets one key from its text; an unknown key changes nothing.
    ///
    /// # Errors
    /// What the key expects.
    pub fn set(&mut self, key: &str, value: &str) -> Result<(), SettingsError> {
        let (period_min, period_max) = PERIOD_MILLIS;
        let good = match key {
            "id" => fits(&mut self.id, value, is_id),
            "wifi_ssid" => fits(&mut self.wifi_ssid, value, |text| !text.is_empty()),
            "wifi_password" => fits(&mut self.wifi_password, value, is_wifi_password),
            "broker_host" => fits(&mut self.broker_host, value, is_host),
            "broker_port" => number(&mut self.broker_port, value, 1..=u16::MAX),
            "tls" => put(&mut self.tls, truth(value)),
            "user" => fits(&mut self.user, value, |_| true),
            "password" => fits(&mut self.password, value, |_| true),
            "topic" => fits(&mut self.topic, value, is_topic),
            "format" => put(&mut self.format, Format::parse(value)),
            "period_millis" => number(&mut self.period_millis, value, period_min..=period_max),
            "ntp" => fits(&mut self.ntp, value, |text| text.is_empty() || is_host(text)),
            "discovery" => put(&mut self.discovery, truth(value)),
            "ram" => number(&mut self.ram, value, 0..=u16::MAX),
            "when_full" => put(&mut self.when_full, WhenFull::parse(value)),
            "name" => fits(&mut self.name, value, is_name),
            "lease_millis" => number(&mut self.lease_millis, value, 0..=LEASE_MILLIS_MAX),
            "safe" => {
                let safe = truth(value).map(|on| if on { Led::On } else { Led::Off });
                put(&mut self.safe, safe)
            }
            "pairing_seconds" => number(&mut self.pairing_seconds, value, 0..=PAIRING_SECONDS_MAX),
            "pairing_compare" => put(&mut self.pairing_compare, truth(value)),
            "passkey" => put(&mut self.passkey, Passkey::parse(value).map(Some)),
            "key" => put(&mut self.key, Key::parse(value).ok().map(Some)),
            // Of a newer firmware.
            _ => true,
        };
        let wrong = EXPECTED.iter().find(|(known, _)| !good && *known == key);
        wrong.map_or(Ok(()), |&(key, expected)| Err(SettingsError { key, expected }))
    }
}

/// What each key takes; every key of [`Settings::set`] stands here.
const EXPECTED: [(&str, &str); 22] = [
    ("id", "at most 32 letters, digits, - and _"),
    ("wifi_ssid", "1 to 32 bytes"),
    ("wifi_password", "nothing, or 8 to 63 characters (64 hexadecimal digits)"),
    ("broker_host", "a name or an address of at most 64 bytes"),
    ("broker_port", "a port from 1 to 65535"),
    ("tls", "on or off"),
    ("user", "at most 64 bytes"),
    ("password", "at most 64 bytes"),
    ("topic", "a topic of 1 to 64 bytes without +, # and control characters"),
    ("format", "text or json"),
    ("period_millis", "200 to 86400000 milliseconds"),
    ("ntp", "nothing, or a name or an address of at most 64 bytes"),
    ("discovery", "on or off"),
    ("ram", "a number of readings"),
    ("when_full", "drop-oldest or drop-newest"),
    ("name", "1 to 20 visible ASCII characters without spaces"),
    ("lease_millis", "0 to 86400000 milliseconds, 0 for none"),
    ("safe", "on or off"),
    ("pairing_seconds", "0 to 600 seconds, 0 for none"),
    ("pairing_compare", "on or off"),
    ("passkey", "six digits"),
    ("key", "64 hexadecimal digits"),
];

/// The text that [`Settings::parse`] reads.
impl fmt::Display for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let texts: [(&str, &str); 9] = [
            ("id", &self.id),
            ("wifi_ssid", &self.wifi_ssid),
            ("wifi_password", &self.wifi_password),
            ("broker_host", &self.broker_host),
            ("user", &self.user),
            ("password", &self.password),
            ("topic", &self.topic),
            ("ntp", &self.ntp),
            ("name", &self.name),
        ];
        for (key, value) in texts {
            // An empty one is a default, except the time server: that one can be turned off.
            if !value.is_empty() || key == "ntp" {
                writeln!(f, "{key}={}", Escaped(value))?;
            }
        }
        writeln!(f, "broker_port={}", self.broker_port)?;
        writeln!(f, "tls={}", on_off(self.tls))?;
        writeln!(f, "format={}", self.format)?;
        writeln!(f, "period_millis={}", self.period_millis)?;
        writeln!(f, "discovery={}", on_off(self.discovery))?;
        writeln!(f, "ram={}", self.ram)?;
        writeln!(f, "when_full={}", self.when_full)?;
        writeln!(f, "lease_millis={}", self.lease_millis)?;
        writeln!(f, "safe={}", on_off(self.safe == Led::On))?;
        writeln!(f, "pairing_seconds={}", self.pairing_seconds)?;
        writeln!(f, "pairing_compare={}", on_off(self.pairing_compare))?;
        if let Some(passkey) = &self.passkey {
            writeln!(f, "passkey={passkey}")?;
        }
        match &self.key {
            Some(key) => writeln!(f, "key={}", key.digits()),
            None => Ok(()),
        }
    }
}

impl Format {
    /// Reads `text` or `json`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        match text {
            "text" => Some(Self::Text),
            "json" => Some(Self::Json),
            _ => None,
        }
    }
}

impl WhenFull {
    fn parse(text: &str) -> Option<Self> {
        match text {
            "drop-oldest" => Some(Self::DropOldest),
            "drop-newest" => Some(Self::DropNewest),
            _ => None,
        }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Text => "text",
            Self::Json => "json",
        })
    }
}

impl fmt::Display for WhenFull {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::DropOldest => "drop-oldest",
            Self::DropNewest => "drop-newest",
        })
    }
}

/// Whether it can name a topic to publish on [MQTT-4.7.1-1].
#[must_use]
pub fn is_topic(text: &str) -> bool {
    (1..=TOPIC_LEN_MAX).contains(&text.len())
        && !text.chars().any(|each| matches!(each, '+' | '#' | '"' | '\\') || each.is_control())
}

fn is_id(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

fn is_host(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// WPA2: 8 to 63 characters, or the 64 digits of the key itself.
fn is_wifi_password(text: &str) -> bool {
    matches!(text.len(), 0 | 8..=63)
        || text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

fn truth(value: &str) -> Option<bool> {
    match value {
        "on" => Some(true),
        "off" => Some(false),
        _ => None,
    }
}

/// Whether there is a value; it is in its place then.
fn put<T>(place: &mut T, value: Option<T>) -> bool {
    let is_there = value.is_some();
    if let Some(value) = value {
        *place = value;
    }
    is_there
}

fn number<N: str::FromStr + PartialOrd>(
    place: &mut N,
    value: &str,
    range: core::ops::RangeInclusive<N>,
) -> bool {
    put(place, value.parse().ok().filter(|number| range.contains(number)))
}

fn fits<const N: usize>(place: &mut String<N>, value: &str, good: impl Fn(&str) -> bool) -> bool {
    put(place, String::try_from(value).ok().filter(|text: &String<N>| good(text)))
}

/// A default that fits by its length.
fn text<const N: usize>(value: &str) -> String<N> {
    String::try_from(value).unwrap_or_default()
}

/// A value on a line of its own: only the newline and the backslash are not themselves.
struct Escaped<'a>(&'a str);

impl fmt::Display for Escaped<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for each in self.0.chars() {
            match each {
                '\\' => f.write_str("\\\\")?,
                '\n' => f.write_str("\\n")?,
                '\r' => f.write_str("\\r")?,
                other => f.write_char(other)?,
            }
        }
        Ok(())
    }
}

/// The longest value there is, 64 bytes, and one more character, so that a longer one is refused and not cut.
fn unescaped(value: &str) -> String<68> {
    let mut text = String::new();
    let mut escape = false;
    for each in value.chars() {
        let plain = match (escape, each) {
            (false, '\\') => {
                escape = true;
                continue;
            }
            (true, 'n') => '\n',
            (true, 'r') => '\r',
            (_, other) => other,
        };
        escape = false;
        if text.push(plain).is_err() {
            break;
        }
    }
    text
}

#[cfg(test)]
mod tests;
