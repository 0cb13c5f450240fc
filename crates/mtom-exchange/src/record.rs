//! What a file holds: one record per reading, and what stands in for that which a file leaves out.

use crate::reason::Reason;
use jiff::fmt::temporal::DateTimeParser;
use jiff::tz::TimeZone;
use mtom_protocol::payload::{NotAReading, default_unit, plausible};
use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::collections::HashSet;
use std::sync::Arc;

/// The longest topic, device, quantity or boot in bytes; none may be empty.
pub const TEXT_LEN_MAX: usize = 1024;
/// The first instant that RFC 3339 can write: 0000-01-01T00:00:00Z.
pub const AT_MIN: UnixMicros = UnixMicros(-62_167_219_200_000_000);
/// The last one that every zone can write: 9999-12-30T22:00:00Z.
pub const AT_MAX: UnixMicros = UnixMicros(253_402_207_200_000_000);
/// How many names are kept, so that equal ones share their memory.
const NAMES_LEN_MAX: usize = 4096;

/// One reading in a file.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its number in the journal that it comes from.
    pub id: Option<u64>,
    /// The time it counts for.
    pub at: UnixMicros,
    /// When it reached the gateway.
    pub arrived_at: Option<UnixMicros>,
    /// When the device says it measured.
    pub taken_at: Option<UnixMicros>,
    /// The device sent a time that cannot be true, so `at` is the arrival.
    pub suspect: bool,
    /// The MQTT topic it came on; `device/quantity` where a file does not say.
    pub topic: Arc<str>,
    /// Which device.
    pub device: Arc<str>,
    /// What was measured.
    pub quantity: Arc<str>,
    /// The number, finite and within the range of its unit.
    pub value: f64,
    /// What the number counts.
    pub unit: Unit,
    /// The device's own count of its readings.
    pub key: Option<ReadingKey>,
}

impl Record {
    /// The record as a reading of the journal under the number `id`. What the file does not know about
    /// its arrival is its time.
    #[must_use]
    pub fn into_stored(self, id: u64) -> StoredReading {
        StoredReading {
            id,
            at: self.at,
            arrived_at: self.arrived_at.unwrap_or(self.at),
            suspect: self.suspect,
            reading: Reading {
                topic: self.topic,
                device: self.device,
                quantity: self.quantity,
                value: self.value,
                unit: self.unit,
                taken_at: self.taken_at,
                key: self.key,
            },
        }
    }

    /// Says whether every format of ours can hold it.
    pub(crate) fn check(&self) -> Result<(), Reason> {
        let boot = self.key.as_ref().map(|key| &*key.boot);
        let texts = [
            ("topic", Some(&*self.topic)),
            ("device", Some(&*self.device)),
            ("quantity", Some(&*self.quantity)),
            ("boot", boot),
        ];
        for (name, text) in texts {
            check_text(name, text.unwrap_or("-"))?;
        }
        for time in [Some(self.at), self.arrived_at, self.taken_at].into_iter().flatten() {
            check_time(time)?;
        }
        if self.value.is_finite() { Ok(()) } else { Err(NotAReading::NotFinite.into()) }
    }
}

impl From<StoredReading> for Record {
    fn from(stored: StoredReading) -> Self {
        let StoredReading { id, at, arrived_at, suspect, reading } = stored;
        let Reading { topic, device, quantity, value, unit, taken_at, key } = reading;
        Self {
            id: Some(id),
            at,
            arrived_at: Some(arrived_at),
            taken_at,
            suspect,
            topic,
            device,
            quantity,
            value,
            unit,
            key,
        }
    }
}

/// What the fields of a line protocol's timestamp count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Precision {
    /// Nanoseconds, as InfluxDB takes them when nothing is said; what is below a microsecond is cut off.
    #[default]
    Nanoseconds,
    /// Microseconds.
    Microseconds,
    /// Milliseconds.
    Milliseconds,
    /// Seconds.
    Seconds,
}

/// What counts where a file does not say.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The device of lines that name none.
    pub device: Option<Arc<str>>,
    /// The quantity of lines that name none.
    pub quantity: Option<Arc<str>>,
    /// The unit of lines that name none; without it the one that the quantity's name implies.
    pub unit: Option<Unit>,
    /// The zone of times that name none.
    pub zone: TimeZone,
    /// What timestamps of line protocol count.
    pub precision: Precision,
    /// When the file was made: the time of lines that give none or say "seconds ago". Without it they are bad.
    pub now: Option<UnixMicros>,
}

impl Default for Defaults {
    fn default() -> Self {
        Self {
            device: None,
            quantity: None,
            unit: None,
            zone: TimeZone::UTC,
            precision: Precision::default(),
            now: None,
        }
    }
}

/// What one entry of a file says, before defaults and checks.
#[derive(Debug, Default)]
pub(crate) struct Draft<'a> {
    pub(crate) id: Option<u64>,
    pub(crate) at: Option<UnixMicros>,
    pub(crate) arrived_at: Option<UnixMicros>,
    pub(crate) taken_at: Option<UnixMicros>,
    pub(crate) suspect: bool,
    pub(crate) topic: Option<&'a str>,
    pub(crate) device: Option<&'a str>,
    pub(crate) quantity: Option<&'a str>,
    pub(crate) value: f64,
    pub(crate) unit: Option<Unit>,
    pub(crate) boot: Option<&'a str>,
    pub(crate) seq: Option<u64>,
}

/// Makes records of drafts; equal names share their memory.
#[derive(Debug)]
pub(crate) struct Finisher {
    pub(crate) defaults: Defaults,
    names: HashSet<Arc<str>>,
}

impl Finisher {
    pub(crate) fn new(defaults: Defaults) -> Self {
        Self { defaults, names: HashSet::new() }
    }

    /// The record, when it can be one.
    pub(crate) fn record(&mut self, draft: &Draft<'_>) -> Result<Record, Reason> {
        let at = draft.at.or(self.defaults.now);
        let at = at.ok_or_else(|| Reason::new("time", "no time: expected one in the file"))?;
        let device = match draft.device {
            Some(device) => self.name("device", device)?,
            None => self.defaults.device.clone().ok_or_else(|| unnamed("device"))?,
        };
        let quantity = match draft.quantity {
            Some(quantity) => self.name("quantity", quantity)?,
            None => self.defaults.quantity.clone().ok_or_else(|| unnamed("quantity"))?,
        };
        let topic = match draft.topic {
            Some(topic) => self.name("topic", topic)?,
            None => self.name("topic", &format!("{device}/{quantity}"))?,
        };
        let unit = draft.unit.or(self.defaults.unit).unwrap_or_else(|| default_unit(&quantity));
        let key = match (draft.boot, draft.seq) {
            (None, None) => None,
            (Some(boot), Some(seq)) => {
                check_text("boot", boot)?;
                Some(ReadingKey { boot: boot.into(), seq })
            }
            _ => {
                let text = "seq and boot: expected both or neither";
                return Err(Reason::new(NotAReading::Key.code(), text));
            }
        };
        for time in [Some(at), draft.arrived_at, draft.taken_at].into_iter().flatten() {
            check_time(time)?;
        }
        Ok(Record {
            id: draft.id,
            at,
            arrived_at: draft.arrived_at,
            taken_at: draft.taken_at,
            suspect: draft.suspect,
            topic,
            device,
            quantity,
            value: plausible(draft.value, unit)?,
            unit,
            key,
        })
    }

    fn name(&mut self, what: &'static str, text: &str) -> Result<Arc<str>, Reason> {
        if let Some(known) = self.names.get(text) {
            return Ok(Arc::clone(known));
        }
        check_text(what, text)?;
        if self.names.len() == NAMES_LEN_MAX {
            self.names.clear();
        }
        let name: Arc<str> = Arc::from(text);
        self.names.insert(Arc::clone(&name));
        Ok(name)
    }
}

/// A time as a person or a program writes it: RFC 3339, or without a zone, which is then `zone`. Of the two
/// that a clock shows twice when summer ends, the first.
pub(crate) fn parse_time(text: &str, zone: &TimeZone) -> Result<UnixMicros, Reason> {
    static PARSER: DateTimeParser = DateTimeParser::new();
    if let Some(at) = UnixMicros::parse_rfc3339(text) {
        return Ok(at);
    }
    let local = PARSER.parse_datetime(text).ok();
    local
        .and_then(|local| zone.to_timestamp(local).ok())
        .map(|at| UnixMicros(at.as_microsecond()))
        .ok_or_else(|| {
            let text = "time cannot be read: expected 2026-11-23T08:06:30Z or 2026-11-23 08:06:30";
            Reason::new(NotAReading::Time.code(), text)
        })
}

/// A number as it stands in a text.
pub(crate) fn parse_value(text: &str) -> Result<f64, Reason> {
    let why = match text.parse() {
        Ok(value) => return Ok(value),
        Err(_) if text.contains(',') => NotAReading::DecimalComma,
        Err(_) => NotAReading::NotANumber,
    };
    Err(why.into())
}

fn check_text(name: &'static str, text: &str) -> Result<(), Reason> {
    if (1..=TEXT_LEN_MAX).contains(&text.len()) {
        return Ok(());
    }
    let found = text.len();
    Err(Reason::new("text", format!("{name} has {found} bytes: expected 1 to {TEXT_LEN_MAX}")))
}

fn check_time(time: UnixMicros) -> Result<(), Reason> {
    if (AT_MIN..=AT_MAX).contains(&time) {
        return Ok(());
    }
    let text = format!("time {} µs: expected one of the years 0 to 9999", time.0);
    Err(Reason::new(NotAReading::Time.code(), text))
}

fn unnamed(what: &'static str) -> Reason {
    Reason::new("unnamed", format!("no {what}: expected one in the file or as a default"))
}
