//! Sparkplug B 3.0: where a message belongs, what its metrics are, and the one command that mtom says.
//!
//! A message alone is not enough to read it: data name their metrics by the numbers that the birth before gave
//! them, so whoever reads keeps the births. What is here knows no message before this one. Integers are two's
//! complement in an unsigned field (clause 6.4.16); some publishers cut negative ones to their own width, others
//! fill all of the field, and either is read. Texts, times, arrays, data sets, files and templates measure nothing.

use super::series::Series;
use super::{NotAReading, TOPIC_LEN_MAX};
use crate::reading::Reading;
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::string::{String, ToString as _};
use alloc::vec::Vec;
use prost::Message as _;
use prost::bytes::Buf as _;
use prost::encoding::{DecodeContext, decode_key, skip_field};

mod messages;

pub use messages::{Metric, Payload, PropertySet, PropertyValue, Value, property_value};

/// What every topic of theirs begins with (clause 4.1).
pub const PREFIX: &str = "spBv1.0/";
/// The metric that numbers the sessions of a node (clause 6.4.9).
pub const BD_SEQ: &str = "bdSeq";
/// The metric that makes a node say its births again (clause 6.4.11).
pub const REBIRTH: &str = "Node Control/Rebirth";
/// The longest payload that is looked at, in bytes: births of a whole plant are long.
pub const PAYLOAD_LEN_MAX: usize = 256 * 1024;
/// The most metrics that one message may have.
pub const METRICS_LEN_MAX: usize = 2_048;

/// Where hosts say that they are there.
const STATE: &str = "STATE/";
/// Metrics that are about the node or the device, and measure nothing.
const CONTROLS: [&str; 2] = ["Node Control/", "Device Control/"];
/// The property that says a metric's unit.
const UNIT_PROPERTY: &str = "engUnit";
/// The property that says how good a value is, and the one word of it for a value that holds (clause 6.4.13).
const QUALITY_PROPERTY: &str = "Quality";
const GOOD: u64 = 192;
/// The largest whole number up to which all are exact.
const EXACT_MAX: u64 = 1 << 53;

const TOPIC: NotAReading =
    NotAReading::Sparkplug("spBv1.0/GROUP/NBIRTH/NODE or spBv1.0/GROUP/DBIRTH/NODE/DEVICE");
const PROTOBUF: NotAReading = NotAReading::Sparkplug("a Sparkplug B payload in protobuf");
const SHORT: NotAReading = NotAReading::Sparkplug("a payload of at most 256 KiB");
const FEW: NotAReading = NotAReading::Sparkplug("at most 2048 metrics in a message");

/// What a message is (clause 4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `NBIRTH`, `DBIRTH`: it is there, and this is all that it has.
    Birth,
    /// `NDATA`, `DDATA`: something has changed.
    Data,
    /// `NDEATH`, `DDEATH`: it has gone.
    Death,
    /// `NCMD`, `DCMD`: somebody wants something of it.
    Command,
}

impl Kind {
    /// The word of the topic without its first letter, which tells nodes from devices.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Birth => "BIRTH",
            Self::Data => "DATA",
            Self::Death => "DEATH",
            Self::Command => "CMD",
        }
    }
}

/// Whose message it is, and what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place<'a> {
    /// What it is.
    pub kind: Kind,
    /// The group of the node.
    pub group: &'a str,
    /// The edge node.
    pub node: &'a str,
    /// The device behind the node; `None`: the node itself.
    pub device: Option<&'a str>,
}

impl Place<'_> {
    /// The name of the node, `group/node`.
    #[must_use]
    pub fn node_name(&self) -> String {
        alloc::format!("{}/{}", self.group, self.node)
    }

    /// The name of whoever speaks, as its readings have it: `group/node` or `group/node/device`.
    #[must_use]
    pub fn name(&self) -> String {
        match self.device {
            Some(device) => alloc::format!("{}/{}/{device}", self.group, self.node),
            None => self.node_name(),
        }
    }

    /// The topic.
    #[must_use]
    pub fn topic(&self) -> String {
        let Self { kind, group, node, device } = self;
        let word = kind.word();
        match device {
            Some(device) => alloc::format!("{PREFIX}{group}/D{word}/{node}/{device}"),
            None => alloc::format!("{PREFIX}{group}/N{word}/{node}"),
        }
    }
}

/// Where a message belongs; `Ok(None)`: it is a host's word about itself.
///
/// # Errors
/// [`NotAReading::Sparkplug`] when the topic is none of theirs.
pub fn place(topic: &str) -> Result<Option<Place<'_>>, NotAReading> {
    if topic.len() > TOPIC_LEN_MAX {
        return Err(NotAReading::TopicTooLong { len: topic.len() });
    }
    if topic.chars().any(char::is_control) {
        return Err(NotAReading::TopicControl);
    }
    let rest = topic.strip_prefix(PREFIX).ok_or(TOPIC)?;
    if rest.starts_with(STATE) {
        return Ok(None);
    }
    let mut levels = rest.split('/');
    let (Some(group), Some(word), Some(node)) = (levels.next(), levels.next(), levels.next())
    else {
        return Err(TOPIC);
    };
    let device = levels.next();
    let of_device = match word.get(..1) {
        Some("N") => false,
        Some("D") => true,
        _ => return Err(TOPIC),
    };
    let kinds = [Kind::Birth, Kind::Data, Kind::Death, Kind::Command];
    let kind = kinds.into_iter().find(|kind| word.get(1..) == Some(kind.word())).ok_or(TOPIC)?;
    let names = [Some(group), Some(node), device];
    let is_whole = levels.next().is_none() && device.is_some() == of_device;
    if !is_whole || names.into_iter().flatten().any(str::is_empty) {
        return Err(TOPIC);
    }
    Ok(Some(Place { kind, group, node, device }))
}

impl Payload {
    /// Reads a payload.
    ///
    /// # Errors
    /// [`NotAReading`] when it is too long, has too many metrics, or is no such payload.
    pub fn read(bytes: &[u8]) -> Result<Self, NotAReading> {
        if bytes.len() > PAYLOAD_LEN_MAX {
            return Err(SHORT);
        }
        // Before there is room made for them: an empty metric is two bytes here and two hundred there.
        if metrics_len(bytes)? > METRICS_LEN_MAX {
            return Err(FEW);
        }
        Self::decode(bytes).map_err(|_| PROTOBUF)
    }

    /// The bytes of it.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        self.encode_to_vec()
    }

    /// A command that sets one metric to a truth value (clause 6.4.24).
    #[must_use]
    pub fn command(metric: Named<'_>, is_on: bool, now: UnixMicros) -> Self {
        let timestamp = u64::try_from(now.millis()).ok();
        let (name, alias) = match metric {
            Named::Name(name) => (Some(name.as_bytes().to_vec()), None),
            Named::Alias(alias) => (None, Some(alias)),
        };
        let metric = Metric {
            name,
            alias,
            timestamp,
            datatype: Some(BOOLEAN),
            value: Some(Value::Boolean(is_on)),
            ..Metric::default()
        };
        Self { timestamp, metrics: alloc::vec![metric], ..Self::default() }
    }

    /// The number of the node's session that a birth or a death belongs to.
    #[must_use]
    pub fn bd_seq(&self) -> Option<u64> {
        let metric = self.metrics.iter().find(|metric| metric.called() == Some(BD_SEQ))?;
        match metric.value {
            Some(Value::Int(number)) => Some(number.into()),
            Some(Value::Long(number)) => Some(number),
            _ => None,
        }
    }
}

/// How many metrics are in it.
fn metrics_len(mut bytes: &[u8]) -> Result<usize, NotAReading> {
    let mut count = 0;
    while bytes.has_remaining() {
        let (tag, wire_type) = decode_key(&mut bytes).map_err(|_| PROTOBUF)?;
        count += usize::from(tag == messages::METRICS_TAG);
        let skipped = skip_field(wire_type, tag, &mut bytes, DecodeContext::default());
        skipped.map_err(|_| PROTOBUF)?;
    }
    Ok(count)
}

/// The datatype of a truth value (clause 6.4.16).
pub const BOOLEAN: u32 = 11;

/// What a command calls its metric: by its number alone where the birth has given it one
/// [tck-id-payloads-alias-data-cmd-requirement].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Named<'a> {
    /// By its name.
    Name(&'a str),
    /// By its number.
    Alias(u64),
}

impl Metric {
    /// What it is called; one that is no text is called "", which nothing can be.
    #[must_use]
    pub fn called(&self) -> Option<&str> {
        Some(core::str::from_utf8(self.name.as_ref()?).unwrap_or_default())
    }

    /// Whether its value holds: no property says that it is bad or stale.
    #[must_use]
    pub fn is_good(&self) -> bool {
        let properties = self.properties.as_ref();
        let quality = properties.and_then(|properties| properties.whole(QUALITY_PROPERTY));
        quality.is_none_or(|quality| quality == GOOD)
    }

    /// True of those that are about the node or the device, and no measurement.
    #[must_use]
    pub fn is_control(name: &str) -> bool {
        name == BD_SEQ || CONTROLS.iter().any(|prefix| name.starts_with(prefix))
    }

    /// Its number, where a metric of that `datatype` is one; `None`: it measures nothing, or says nothing now.
    #[must_use]
    pub fn number(&self, datatype: u32) -> Option<Result<f64, NotAReading>> {
        if self.is_null == Some(true) {
            return None;
        }
        let (Some(bits @ 8..=64), is_signed) = (match datatype {
            1 | 5 => (Some(8), datatype == 1),
            2 | 6 => (Some(16), datatype == 2),
            3 | 7 => (Some(32), datatype == 3),
            4 | 8 => (Some(64), datatype == 4),
            9 | 10 => return self.real(),
            BOOLEAN => return self.truth().map(|is_on| is_on.map(|on| f64::from(u8::from(on)))),
            _ => return None,
        }) else {
            return None;
        };
        let field = match self.value.as_ref()? {
            Value::Int(field) if is_signed => i64::from(field.cast_signed()).cast_unsigned(),
            Value::Int(field) => u64::from(*field),
            Value::Long(field) => *field,
            _ => return Some(Err(NotAReading::NotANumber)),
        };
        Some(whole(field, bits, is_signed))
    }

    /// Its truth value; `None`: it has none now.
    #[must_use]
    pub fn truth(&self) -> Option<Result<bool, NotAReading>> {
        match self.value.as_ref().filter(|_| self.is_null != Some(true))? {
            Value::Boolean(is_on) => Some(Ok(*is_on)),
            _ => Some(Err(NotAReading::NotANumber)),
        }
    }

    fn real(&self) -> Option<Result<f64, NotAReading>> {
        Some(match self.value.as_ref()? {
            Value::Float(number) => Ok(decimal(*number)),
            Value::Double(number) => Ok(*number),
            _ => Err(NotAReading::NotANumber),
        })
    }

    /// The unit that its properties say, as far as mtom has it; else the one that its name implies.
    #[must_use]
    pub fn unit(&self, name: &str) -> Unit {
        let said = self.properties.as_ref().and_then(|properties| properties.text(UNIT_PROPERTY));
        match said {
            Some(symbol) => unit(symbol.trim()).unwrap_or_default(),
            None => super::default_unit(name.rsplit('/').next().unwrap_or(name)),
        }
    }
}

/// A 32-bit number as it was meant: 21.4, and not 21.399999618530273.
fn decimal(number: f32) -> f64 {
    number.to_string().parse().unwrap_or_else(|_| f64::from(number))
}

/// A whole number of so many bits from a field that may be wider.
fn whole(field: u64, bits: u32, is_signed: bool) -> Result<f64, NotAReading> {
    let shift = 64 - bits;
    if !is_signed {
        let is_within = field << shift >> shift == field;
        return if is_within { exact(field, false) } else { Err(NotAReading::NotANumber) };
    }
    let number = (field << shift).cast_signed() >> shift;
    // Cut to its width, or all of the field filled.
    let is_within = field == number.cast_unsigned() || field << shift >> shift == field;
    if is_within { exact(number.unsigned_abs(), number < 0) } else { Err(NotAReading::NotANumber) }
}

fn exact(number: u64, is_negative: bool) -> Result<f64, NotAReading> {
    if number > EXACT_MAX {
        return Err(NotAReading::Inexact);
    }
    #[expect(clippy::cast_precision_loss, reason = "up to 2^53 all are exact")]
    let number = number as f64;
    Ok(if is_negative { -number } else { number })
}

/// Spellings of units that are seen in plants, beside those of [`Unit::parse`].
fn unit(symbol: &str) -> Option<Unit> {
    Unit::parse(symbol).or(match symbol {
        "degC" | "deg C" | "Cel" | "Celsius" => Some(Unit::Celsius),
        "degF" | "deg F" | "Fahrenheit" => Some(Unit::Fahrenheit),
        "%RH" => Some(Unit::Percent),
        _ => None,
    })
}

/// Whose metrics one message has: their readings share its topic and the name of the device.
pub struct Speaker(Series);

impl Speaker {
    /// Whoever speaks at `place`.
    #[must_use]
    pub fn new(place: Place<'_>) -> Self {
        Self(Series::new(&place.topic(), &place.name()))
    }

    /// What a metric of that name and number says; `taken_at` is its time, or its message's.
    ///
    /// # Errors
    /// When the names cannot be used, or the number cannot be a measurement in `unit`.
    pub fn reading(
        &mut self,
        (name, number, unit): (&str, f64, Unit),
        taken_at: Option<UnixMicros>,
    ) -> Result<Reading, NotAReading> {
        self.0.taken_at = taken_at;
        self.0.reading(name, number, unit)
    }
}

/// The time of a field of milliseconds.
#[must_use]
pub fn time(millis: u64) -> Option<UnixMicros> {
    i64::try_from(millis).ok()?.checked_mul(1_000).map(UnixMicros)
}

#[cfg(test)]
mod tests;
