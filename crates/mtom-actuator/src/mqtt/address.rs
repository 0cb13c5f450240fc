//! Which topics a switch listens to and speaks on, and what its messages mean.
//!
//! `mqtt:SET?state=STATE` says it all; `mqtt+tasmota:NAME` and its like know it of one kind of device. A
//! switch without a state topic says nothing: what it was told is only *sent*.

use super::sparkplug::Metric;
use crate::address::TEXT_LEN_MAX;
use mtom_protocol::link::Led;
use mtom_protocol::topic;
use serde_json::Value;
use std::fmt;

/// The longest payload that is looked into, in bytes; a device's state is a few hundred.
const PAYLOAD_LEN_MAX: usize = 64 * 1024;
/// Relays of one device.
const RELAY_MAX: u32 = 32;

/// A switch on the gateway's broker. `Display` writes what it was read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct MqttAddress {
    text: String,
    pub(crate) set: String,
    on: String,
    off: String,
    pub(crate) state: Option<Source>,
    pub(crate) online: Option<Source>,
    pub(crate) ask: Option<(String, &'static str)>,
    /// Where it is a metric of a Sparkplug node; what it is told and says is no text then.
    pub(crate) metric: Option<Metric>,
}

/// A topic on which a device tells one of two things.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Source {
    pub(crate) topic: String,
    /// Where it stands in a JSON object; empty: the payload is the word itself.
    path: Vec<String>,
    /// The payload may as well be the word itself.
    is_bare_too: bool,
    yes: String,
    no: String,
}

/// Why a text is no address of a switch on the broker.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MqttAddressError {
    /// After `mqtt+` stands something else than a kind that is known.
    #[error(
        "unknown kind of device: expected mqtt:, mqtt+tasmota:, mqtt+esphome:, mqtt+zigbee2mqtt:, mqtt+shelly: or mqtt+sparkplug:"
    )]
    Kind,
    /// No topic, or one that nobody can publish on.
    #[error("{0}: expected a topic without + and # as in mqtt:lamp/set?state=lamp/state")]
    Topic(&'static str),
    /// ESPHome names a switch in its node.
    #[error("expected the node's topic prefix and the switch, as in mqtt+esphome:kitchen/relay")]
    EspHome,
    /// Sparkplug names a metric in its device, node and group.
    #[error(
        "expected the group, the node, the device and the metric, as in \
         mqtt+sparkplug:plant/pump/relay/Outputs/LED; without a device plant/pump//Outputs/LED"
    )]
    Sparkplug,
    /// Something else than an option of this kind of device.
    #[error("unknown option `{found}`: expected {expected}")]
    Option {
        /// What stood there, shortened.
        found: String,
        /// What could have.
        expected: &'static str,
    },
    /// Not a relay of the device.
    #[error("relay: expected a whole number from {min} to {max}")]
    Relay {
        /// The lowest.
        min: u32,
        /// The highest.
        max: u32,
    },
    /// `on` and `off` are the same word, or none.
    #[error("on and off: expected two different words, as in ?on=ON&off=OFF")]
    Words,
    /// An option of a device that says nothing.
    #[error("path: expected with ?state=… only, since it says where in that message the state is")]
    Path,
    /// Not what percent-encoding makes.
    #[error("expected % and two hexadecimal digits, as in %3F for a question mark")]
    Percent,
}

type Result<T> = std::result::Result<T, MqttAddressError>;

const PLAIN_OPTIONS: &str = "state, path, on, off or online, as in ?state=lamp/state&on=1&off=0";
const RELAY_OPTIONS: &str = "relay, as in ?relay=2";
const NO_OPTIONS: &str = "none";

impl MqttAddress {
    /// Reads what stands behind `mqtt`: `:SET?state=STATE` or `+tasmota:NAME`.
    ///
    /// # Errors
    /// [`MqttAddressError`] says what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let (kind, rest) = text.split_once(':').ok_or(MqttAddressError::Kind)?;
        let (name, options) = match rest.split_once('?') {
            Some((name, options)) => (name, options),
            None => (rest, ""),
        };
        let name = decoded(name)?;
        let options = Options::read(options)?;
        let mut address = match kind {
            "" => plain(&name, options)?,
            "+tasmota" => tasmota(&name, options)?,
            "+esphome" => esphome(&name, options)?,
            "+zigbee2mqtt" => zigbee2mqtt(&name, options)?,
            "+shelly" => shelly(&name, options)?,
            "+sparkplug" => sparkplug(&name, options)?,
            _ => return Err(MqttAddressError::Kind),
        };
        address.text = format!("mqtt{text}");
        let heard = [address.state.as_ref(), address.online.as_ref()];
        let heard = heard.into_iter().flatten().map(|of| &of.topic);
        let births = address.metric.iter().flat_map(|metric| &metric.topics);
        for topic in [&address.set].into_iter().chain(heard).chain(births) {
            check(topic)?;
        }
        Ok(address)
    }

    /// What is published to make the LED so.
    pub(crate) fn payload(&self, led: Led) -> &str {
        match led {
            Led::On => &self.on,
            Led::Off => &self.off,
        }
    }

    /// The topics on which it is spoken to and answers, and nobody else speaks: not those on which a node says
    /// what it measures, too.
    pub fn topics(&self) -> impl Iterator<Item = &str> {
        let told = self.ask.iter().map(|(topic, _)| topic.as_str());
        let heard = self.sources().map(|source| source.topic.as_str());
        heard.chain([self.set.as_str()]).chain(told)
    }

    /// The topics that it speaks on.
    pub(crate) fn heard(&self) -> impl Iterator<Item = &str> {
        let births = self.metric.iter().flat_map(|metric| &metric.topics).map(String::as_str);
        self.sources().map(|source| source.topic.as_str()).chain(births)
    }

    /// It tells how it is.
    pub(crate) fn answers(&self) -> bool {
        self.state.is_some() || self.metric.is_some()
    }

    /// It tells whether it is there.
    pub(crate) fn greets(&self) -> bool {
        self.online.is_some() || self.metric.is_some()
    }

    /// It can be asked how it is whenever that is of use. A whole node is asked once.
    pub(crate) fn can_be_asked(&self) -> bool {
        self.ask.is_some() && self.metric.is_none()
    }

    fn sources(&self) -> impl Iterator<Item = &Source> {
        self.state.iter().chain(&self.online)
    }
}

impl fmt::Display for MqttAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl Source {
    fn words(topic: String, yes: &str, no: &str) -> Self {
        Self { topic, path: Vec::new(), is_bare_too: false, yes: yes.into(), no: no.into() }
    }

    fn json(topic: String, path: &str, yes: &str, no: &str) -> Self {
        let path = path.split('.').map(String::from).collect();
        Self { path, ..Self::words(topic, yes, no) }
    }

    /// Which of the two a payload tells; `None`: it is about something else.
    pub(crate) fn tells(&self, payload: &[u8]) -> Option<bool> {
        if payload.len() > PAYLOAD_LEN_MAX {
            return None;
        }
        let text = std::str::from_utf8(payload).ok()?.trim();
        if self.path.is_empty() || (self.is_bare_too && !text.starts_with('{')) {
            return self.word(text);
        }
        let json: Value = serde_json::from_str(text).ok()?;
        let found = self.path.iter().try_fold(&json, |value, key| value.get(key))?;
        match found {
            Value::Bool(is_on) => Some(*is_on),
            Value::String(word) => self.word(word),
            Value::Number(number) => self.word(&number.to_string()),
            _ => None,
        }
    }

    fn word(&self, word: &str) -> Option<bool> {
        if word == self.yes { Some(true) } else { (word == self.no).then_some(false) }
    }
}

fn address(set: String, on: &str, off: &str) -> MqttAddress {
    let (on, off, text) = (on.into(), off.into(), String::new());
    MqttAddress { text, set, on, off, state: None, online: None, ask: None, metric: None }
}

fn plain(set: &str, mut options: Options) -> Result<MqttAddress> {
    let state = options.take("state");
    let path = options.take("path");
    let on = options.take("on").unwrap_or_else(|| "ON".into());
    let off = options.take("off").unwrap_or_else(|| "OFF".into());
    let online = options.take("online");
    options.none_left(PLAIN_OPTIONS)?;
    if on == off || on.is_empty() || off.is_empty() {
        return Err(MqttAddressError::Words);
    }
    let state = match (state, path) {
        (None, Some(_)) => return Err(MqttAddressError::Path),
        (None, None) => None,
        (Some(state), None) => Some(Source::words(state, &on, &off)),
        (Some(state), Some(path)) => Some(Source::json(state, &path, &on, &off)),
    };
    let online = online.map(|topic| Source::words(topic, "online", "offline"));
    Ok(MqttAddress { state, online, ..address(set.into(), &on, &off) })
}

/// Tasmota: <https://tasmota.github.io/docs/MQTT/>.
fn tasmota(name: &str, mut options: Options) -> Result<MqttAddress> {
    let relay = options.relay(1)?;
    options.none_left(RELAY_OPTIONS)?;
    named(name)?;
    // A device with one relay leaves out its number.
    let power = relay.map_or_else(|| "POWER".into(), |relay| format!("POWER{relay}"));
    let set = format!("cmnd/{name}/{power}");
    Ok(MqttAddress {
        state: Some(Source::json(format!("stat/{name}/RESULT"), &power, "ON", "OFF")),
        online: Some(Source::words(format!("tele/{name}/LWT"), "Online", "Offline")),
        // An empty payload asks [Commands: Power].
        ask: Some((set.clone(), "")),
        ..address(set, "ON", "OFF")
    })
}

/// ESPHome: <https://esphome.io/components/mqtt/>.
fn esphome(name: &str, options: Options) -> Result<MqttAddress> {
    options.none_left(NO_OPTIONS)?;
    let (node, id) = name.rsplit_once('/').ok_or(MqttAddressError::EspHome)?;
    if node.is_empty() || id.is_empty() {
        return Err(MqttAddressError::EspHome);
    }
    // It retains its state, so nobody has to ask.
    Ok(MqttAddress {
        state: Some(Source::words(format!("{node}/switch/{id}/state"), "ON", "OFF")),
        online: Some(Source::words(format!("{node}/status"), "online", "offline")),
        ..address(format!("{node}/switch/{id}/command"), "ON", "OFF")
    })
}

/// Zigbee2MQTT: <https://www.zigbee2mqtt.io/guide/usage/mqtt_topics_and_messages.html>.
fn zigbee2mqtt(name: &str, options: Options) -> Result<MqttAddress> {
    options.none_left(NO_OPTIONS)?;
    named(name)?;
    let base = format!("zigbee2mqtt/{name}");
    let online = Source::json(format!("{base}/availability"), "state", "online", "offline");
    Ok(MqttAddress {
        ask: Some((format!("{base}/get"), r#"{"state":""}"#)),
        // Before version 2 the word alone.
        online: Some(Source { is_bare_too: true, ..online }),
        state: Some(Source::json(base.clone(), "state", "ON", "OFF")),
        ..address(format!("{base}/set"), r#"{"state":"ON"}"#, r#"{"state":"OFF"}"#)
    })
}

/// Shelly of the second generation and later:
/// <https://shelly-api-docs.shelly.cloud/gen2/ComponentsAndServices/Mqtt/>.
fn shelly(name: &str, mut options: Options) -> Result<MqttAddress> {
    let relay = options.relay(0)?.unwrap_or(0);
    options.none_left(RELAY_OPTIONS)?;
    named(name)?;
    Ok(MqttAddress {
        state: Some(Source::json(
            format!("{name}/status/switch:{relay}"),
            "output",
            "true",
            "false",
        )),
        online: Some(Source::words(format!("{name}/online"), "true", "false")),
        ask: Some((format!("{name}/command"), "status_update")),
        ..address(format!("{name}/command/switch:{relay}"), "on", "off")
    })
}

/// Sparkplug B 3.0: <https://sparkplug.eclipse.org/specification/version/3.0/>.
fn sparkplug(name: &str, options: Options) -> Result<MqttAddress> {
    options.none_left(NO_OPTIONS)?;
    let metric = Metric::parse(name).ok_or(MqttAddressError::Sparkplug)?;
    // The births are asked for.
    let ask = Some((metric.ask(), ""));
    Ok(MqttAddress { ask, metric: Some(metric.clone()), ..address(metric.set(), "", "") })
}

fn named(name: &str) -> Result<()> {
    if name.is_empty() { Err(MqttAddressError::Topic("no name of a device")) } else { Ok(()) }
}

/// A topic that can be published on [MQTT 3.1.1 §4.7].
fn check(name: &str) -> Result<()> {
    let problem = if name.is_empty() {
        "no topic"
    } else if name.len() > TEXT_LEN_MAX || name.chars().any(char::is_control) {
        "a topic that is too long or has control characters"
    } else if name.starts_with('$') {
        "a topic of the broker itself"
    } else if name.contains(['+', '#']) || topic::check_filter(name).is_err() {
        "a filter"
    } else {
        return Ok(());
    };
    Err(MqttAddressError::Topic(problem))
}

/// `a=b&c=d`, each asked for once.
struct Options(Vec<(String, String)>);

impl Options {
    fn read(text: &str) -> Result<Self> {
        let pairs = text.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
            let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((decoded(key)?, decoded(value)?))
        });
        pairs.collect::<Result<_>>().map(Self)
    }

    fn take(&mut self, key: &str) -> Option<String> {
        let place = self.0.iter().position(|(found, _)| found == key)?;
        Some(self.0.remove(place).1)
    }

    fn relay(&mut self, min: u32) -> Result<Option<u32>> {
        let Some(digits) = self.take("relay") else { return Ok(None) };
        let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
        let relay =
            digits.parse().ok().filter(|relay| is_number && (min..=RELAY_MAX).contains(relay));
        relay.map(Some).ok_or(MqttAddressError::Relay { min, max: RELAY_MAX })
    }

    fn none_left(self, expected: &'static str) -> Result<()> {
        match self.0.into_iter().next() {
            None => Ok(()),
            Some((key, _)) => {
                let found = key.chars().filter(|c| !c.is_control()).take(40).collect();
                Err(MqttAddressError::Option { found, expected })
            }
        }
    }
}

fn decoded(text: &str) -> Result<String> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let digit = |byte: Option<u8>| byte.and_then(|byte| char::from(byte).to_digit(16));
        let (Some(high), Some(low)) = (digit(rest.next()), digit(rest.next())) else {
            return Err(MqttAddressError::Percent);
        };
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| MqttAddressError::Percent)?);
    }
    String::from_utf8(bytes).map_err(|_| MqttAddressError::Percent)
}

#[cfg(test)]
mod tests;
