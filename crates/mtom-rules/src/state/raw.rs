//! Version 1 of the bytes.

use super::{DamagedError, Entry, StateError};
use crate::decision::Witness;
use crate::machine::{Memory, SERIES_LEN_MAX, Seen, Shown, Wish};
use crate::spec::RuleVersion;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;

const VERSION: u64 = 1;

/// The only field that every version has.
#[derive(Deserialize)]
struct RawVersion {
    version: u64,
}

#[derive(Serialize, Deserialize)]
struct RawState<'a> {
    version: u64,
    clock_micros: i64,
    #[serde(borrow)]
    rules: Vec<RawRule<'a>>,
}

#[derive(Serialize, Deserialize)]
struct RawRule<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    last_id: u64,
    heard_micros: i64,
    silent: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    shown: Option<RawShown>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    forming: Option<RawWish<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    settled: Option<RawWish<'a>>,
    #[serde(borrow)]
    series: Vec<RawSeen<'a>>,
}

#[derive(Serialize, Deserialize)]
struct RawShown {
    on: bool,
    since_micros: i64,
}

#[derive(Serialize, Deserialize)]
struct RawWish<'a> {
    on: bool,
    since_micros: i64,
    #[serde(borrow)]
    reading: RawWitness<'a>,
}

#[derive(Serialize, Deserialize)]
struct RawWitness<'a> {
    id: u64,
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    quantity: Cow<'a, str>,
    /// As text: it comes back to the last bit, whatever the JSON library does with numbers.
    #[serde(borrow)]
    value: Cow<'a, str>,
    #[serde(borrow)]
    unit: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct RawSeen<'a> {
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    quantity: Cow<'a, str>,
    at_micros: i64,
}

pub(super) fn encode(clock: UnixMicros, entries: &[Entry]) -> Vec<u8> {
    let rules = entries.iter().map(RawRule::from).collect();
    let raw = RawState { version: VERSION, clock_micros: clock.0, rules };
    serde_json::to_vec(&raw).expect("numbers and texts always have a JSON form")
}

pub(super) fn decode(bytes: &[u8]) -> Result<(UnixMicros, Vec<Entry>), StateError> {
    let json = |error: serde_json::Error| StateError::Damaged(error.into());
    let RawVersion { version } = serde_json::from_slice(bytes).map_err(json)?;
    if version > VERSION {
        return Err(StateError::Newer { found: version, known: VERSION });
    }
    let raw: RawState<'_> = serde_json::from_slice(bytes).map_err(json)?;
    let entries = raw.rules.into_iter().map(Entry::try_from).collect::<Result<_, _>>();
    Ok((UnixMicros(raw.clock_micros), entries.map_err(StateError::Damaged)?))
}

impl<'a> From<&'a Entry> for RawRule<'a> {
    fn from(entry: &'a Entry) -> Self {
        let memory = &entry.memory;
        Self {
            name: Cow::Borrowed(&entry.name),
            version: entry.version.to_string().into(),
            last_id: memory.last_id,
            heard_micros: memory.heard.0,
            silent: memory.silent,
            shown: memory
                .shown
                .map(|shown| RawShown { on: shown.led == Led::On, since_micros: shown.since.0 }),
            forming: memory.forming.as_ref().map(RawWish::from),
            settled: memory.settled.as_ref().map(RawWish::from),
            series: memory
                .series
                .iter()
                .map(|seen| RawSeen {
                    device: Cow::Borrowed(&seen.device),
                    quantity: Cow::Borrowed(&seen.quantity),
                    at_micros: seen.at.0,
                })
                .collect(),
        }
    }
}

impl<'a> From<&'a Wish> for RawWish<'a> {
    fn from(wish: &'a Wish) -> Self {
        let Witness { id, device, quantity, value, unit, condition: _ } = &wish.witness;
        let reading = RawWitness {
            id: *id,
            device: Cow::Borrowed(device),
            quantity: Cow::Borrowed(quantity),
            value: value.to_string().into(),
            unit: unit.symbol().into(),
        };
        Self { on: wish.led == Led::On, since_micros: wish.since.0, reading }
    }
}

impl TryFrom<RawRule<'_>> for Entry {
    type Error = DamagedError;

    fn try_from(raw: RawRule<'_>) -> Result<Self, DamagedError> {
        let version = u64::from_str_radix(&raw.version, 16);
        let version = version.map_err(|_| wrong("version", &raw.version))?;
        let mut series: Vec<Seen> = raw
            .series
            .into_iter()
            .map(|seen| Seen {
                device: seen.device.into(),
                quantity: seen.quantity.into(),
                at: UnixMicros(seen.at_micros),
            })
            .collect();
        // The order is what finding them relies on.
        series.sort_by(|a, b| (&a.device, &a.quantity).cmp(&(&b.device, &b.quantity)));
        series.dedup_by(|a, b| (&a.device, &a.quantity) == (&b.device, &b.quantity));
        series.truncate(SERIES_LEN_MAX);
        Ok(Self {
            name: raw.name.into(),
            version: RuleVersion(version),
            memory: Memory {
                last_id: raw.last_id,
                heard: UnixMicros(raw.heard_micros),
                silent: raw.silent,
                shown: raw.shown.map(|shown| Shown {
                    led: led(shown.on),
                    since: UnixMicros(shown.since_micros),
                }),
                forming: raw.forming.map(Wish::try_from).transpose()?,
                settled: raw.settled.map(Wish::try_from).transpose()?,
                series,
            },
        })
    }
}

impl TryFrom<RawWish<'_>> for Wish {
    type Error = DamagedError;

    fn try_from(raw: RawWish<'_>) -> Result<Self, DamagedError> {
        let RawWitness { id, device, quantity, value, unit } = raw.reading;
        let number = value.parse().ok().filter(|number: &f64| number.is_finite());
        let witness = Witness {
            id,
            device: device.into(),
            quantity: quantity.into(),
            value: number.ok_or_else(|| wrong("value", &value))?,
            unit: Unit::parse(&unit).ok_or_else(|| wrong("unit", &unit))?,
            condition: "".into(),
        };
        Ok(Self { led: led(raw.on), since: UnixMicros(raw.since_micros), witness })
    }
}

const fn led(on: bool) -> Led {
    if on { Led::On } else { Led::Off }
}

fn wrong(what: &'static str, found: &str) -> DamagedError {
    DamagedError::Value { what, found: found.into() }
}
