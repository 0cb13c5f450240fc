//! The bytes: version 2, and version 1, which knew rules only and stood in one row.

use super::{DamagedError, Entry, Kept, Part, State, StateError};
use crate::decision::Witness;
use crate::lamp::{Lamp, Manual, Told};
use crate::machine::{Memory, Shown, Wish};
use crate::schedule::Turn;
use crate::series::Series;
use crate::spec::RuleVersion;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use serde::{Deserialize, Serialize};
use std::borrow::Cow;
use std::sync::Arc;

const VERSION: u64 = 2;

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
    #[serde(borrow, default)]
    actuators: Vec<RawLamp<'a>>,
}

/// One rule or one actuator.
#[derive(Serialize, Deserialize)]
struct RawPart<'a> {
    version: u64,
    clock_micros: i64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    rule: Option<RawRule<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    actuator: Option<RawLamp<'a>>,
}

#[derive(Serialize, Deserialize)]
struct RawLamp<'a> {
    #[serde(borrow)]
    name: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    manual: Option<RawManual>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    told: Option<RawTold<'a>>,
}

#[derive(Serialize, Deserialize)]
struct RawManual {
    on: bool,
    since_micros: i64,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    until_micros: Option<i64>,
}

#[derive(Serialize, Deserialize)]
struct RawTold<'a> {
    on: bool,
    since_micros: i64,
    #[serde(borrow)]
    rule: Cow<'a, str>,
    #[serde(borrow)]
    version: Cow<'a, str>,
    #[serde(default, skip_serializing_if = "is_false")]
    has_left: bool,
}

#[derive(Serialize, Deserialize)]
struct RawTurn {
    active: bool,
    until_micros: i64,
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
    #[serde(default, skip_serializing_if = "is_false")]
    episode: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    turn: Option<RawTurn>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    shown: Option<RawShown<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    forming: Option<RawWish<'a>>,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    settled: Option<RawWish<'a>>,
    #[serde(borrow)]
    series: Vec<RawSeen<'a>>,
}

#[derive(Serialize, Deserialize)]
struct RawShown<'a> {
    on: bool,
    since_micros: i64,
    #[serde(borrow, default, skip_serializing_if = "Option::is_none")]
    reading: Option<RawWitness<'a>>,
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
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    topic: Cow<'a, str>,
    #[serde(borrow, default, skip_serializing_if = "str::is_empty")]
    condition: Cow<'a, str>,
}

#[derive(Serialize, Deserialize)]
struct RawSeen<'a> {
    #[serde(borrow)]
    device: Cow<'a, str>,
    #[serde(borrow)]
    quantity: Cow<'a, str>,
    at_micros: i64,
}

pub(super) fn encode(state: &State) -> Vec<u8> {
    let rules = state.entries.iter().map(|entry| RawRule::from(&**entry)).collect();
    let actuators = state.lamps.iter().map(|entry| RawLamp::from(&entry.lamp)).collect();
    bytes(&RawState { version: VERSION, clock_micros: state.clock.0, rules, actuators })
}

pub(super) fn rule(clock: UnixMicros, entry: &Entry) -> Part {
    let rule = Some(RawRule::from(entry));
    let raw = RawPart { version: VERSION, clock_micros: clock.0, rule, actuator: None };
    Part { key: rule_key(&entry.name), bytes: bytes(&raw) }
}

pub(super) fn lamp(clock: UnixMicros, lamp: &Lamp) -> Part {
    let actuator = Some(RawLamp::from(lamp));
    let raw = RawPart { version: VERSION, clock_micros: clock.0, rule: None, actuator };
    Part { key: lamp_key(&lamp.name), bytes: bytes(&raw) }
}

pub(crate) fn rule_key(name: &str) -> String {
    format!("rule/{name}")
}

pub(crate) fn lamp_key(name: &str) -> String {
    format!("actuator/{name}")
}

fn bytes(raw: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(raw).expect("numbers and texts always have a JSON form")
}

/// Reads what [`encode`] wrote, also of version 1.
pub(crate) fn decode(bytes: &[u8]) -> Result<Kept, StateError> {
    let raw: RawState<'_> = read(bytes)?;
    let mut kept = Kept { clock: UnixMicros(raw.clock_micros), ..Kept::NOTHING };
    for rule in raw.rules {
        kept.rules.push(memory(rule).map_err(StateError::Damaged)?);
    }
    for actuator in raw.actuators {
        kept.lamps.push(actuator.try_into().map_err(StateError::Damaged)?);
    }
    Ok(kept)
}

/// Adds what [`rule`] or [`lamp`] wrote.
pub(crate) fn decode_part(bytes: &[u8], kept: &mut Kept) -> Result<(), StateError> {
    let raw: RawPart<'_> = read(bytes)?;
    kept.clock = kept.clock.max(UnixMicros(raw.clock_micros));
    if let Some(rule) = raw.rule {
        kept.rules.push(memory(rule).map_err(StateError::Damaged)?);
    }
    if let Some(actuator) = raw.actuator {
        kept.lamps.push(actuator.try_into().map_err(StateError::Damaged)?);
    }
    Ok(())
}

fn read<'a, T: Deserialize<'a>>(bytes: &'a [u8]) -> Result<T, StateError> {
    let json = |error: serde_json::Error| StateError::Damaged(error.into());
    let RawVersion { version } = serde_json::from_slice(bytes).map_err(json)?;
    if version > VERSION {
        return Err(StateError::Newer { found: version, known: VERSION });
    }
    serde_json::from_slice(bytes).map_err(json)
}

impl<'a> From<&'a Lamp> for RawLamp<'a> {
    fn from(lamp: &'a Lamp) -> Self {
        let manual = lamp.manual.map(|manual| RawManual {
            on: manual.led == Led::On,
            since_micros: manual.since.0,
            until_micros: manual.until.map(|until| until.0),
        });
        let told = lamp.told.as_ref().map(|told| RawTold {
            on: told.led == Led::On,
            since_micros: told.since.0,
            rule: Cow::Borrowed(&told.rule),
            version: told.version.to_string().into(),
            has_left: told.has_left,
        });
        Self { name: Cow::Borrowed(&lamp.name), manual, told }
    }
}

impl TryFrom<RawLamp<'_>> for Lamp {
    type Error = DamagedError;

    fn try_from(raw: RawLamp<'_>) -> Result<Self, DamagedError> {
        let manual = raw.manual.map(|raw| Manual {
            led: led(raw.on),
            since: UnixMicros(raw.since_micros),
            until: raw.until_micros.map(UnixMicros),
        });
        let told = raw.told.map(|raw| {
            Ok::<_, DamagedError>(Told {
                led: led(raw.on),
                since: UnixMicros(raw.since_micros),
                version: version(&raw.version)?,
                rule: raw.rule.into(),
                has_left: raw.has_left,
            })
        });
        Ok(Self { name: raw.name.into(), manual, told: told.transpose()? })
    }
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
            episode: memory.episode,
            turn: memory
                .turn
                .map(|turn| RawTurn { active: turn.is_active, until_micros: turn.until.0 }),
            shown: memory.shown.as_ref().map(|shown| RawShown {
                on: shown.led == Led::On,
                since_micros: shown.since.0,
                reading: shown.witness.as_ref().map(RawWitness::from),
            }),
            forming: memory.forming.as_ref().map(RawWish::from),
            settled: memory.settled.as_ref().map(RawWish::from),
            series: memory
                .series
                .iter()
                .map(|seen| RawSeen {
                    device: Cow::Borrowed(&seen.device),
                    quantity: Cow::Borrowed(&seen.quantity),
                    at_micros: seen.newest.0,
                })
                .collect(),
        }
    }
}

impl<'a> From<&'a Wish> for RawWish<'a> {
    fn from(wish: &'a Wish) -> Self {
        let reading = RawWitness::from(&wish.witness);
        Self { on: wish.led == Led::On, since_micros: wish.since.0, reading }
    }
}

impl<'a> From<&'a Witness> for RawWitness<'a> {
    fn from(witness: &'a Witness) -> Self {
        Self {
            id: witness.id,
            device: Cow::Borrowed(&witness.device),
            quantity: Cow::Borrowed(&witness.quantity),
            value: witness.value.to_string().into(),
            unit: witness.unit.symbol().into(),
            topic: Cow::Borrowed(&witness.topic),
            condition: Cow::Borrowed(&witness.condition),
        }
    }
}

fn version(text: &str) -> Result<RuleVersion, DamagedError> {
    u64::from_str_radix(text, 16).map(RuleVersion).map_err(|_| wrong("version", text))
}

fn memory(raw: RawRule<'_>) -> Result<(Arc<str>, RuleVersion, Memory), DamagedError> {
    let version = version(&raw.version)?;
    let series = raw.series.into_iter().map(|seen| {
        Series::new(seen.device.into(), seen.quantity.into(), UnixMicros(seen.at_micros), ())
    });
    let series = series.collect();
    let shown = raw.shown.map(|raw| {
        let witness = raw.reading.map(Witness::try_from).transpose()?;
        Ok::<_, DamagedError>(Shown {
            led: led(raw.on),
            since: UnixMicros(raw.since_micros),
            witness,
        })
    });
    let memory = Memory {
        last_id: raw.last_id,
        heard: UnixMicros(raw.heard_micros),
        silent: raw.silent,
        episode: raw.episode,
        turn: raw
            .turn
            .map(|raw| Turn { is_active: raw.active, until: UnixMicros(raw.until_micros) }),
        shown: shown.transpose()?,
        forming: raw.forming.map(Wish::try_from).transpose()?,
        settled: raw.settled.map(Wish::try_from).transpose()?,
        series,
    };
    Ok((raw.name.into(), version, memory))
}

impl TryFrom<RawWish<'_>> for Wish {
    type Error = DamagedError;

    fn try_from(raw: RawWish<'_>) -> Result<Self, DamagedError> {
        let witness = raw.reading.try_into()?;
        Ok(Self { led: led(raw.on), since: UnixMicros(raw.since_micros), witness })
    }
}

impl TryFrom<RawWitness<'_>> for Witness {
    type Error = DamagedError;

    fn try_from(raw: RawWitness<'_>) -> Result<Self, DamagedError> {
        let number = raw.value.parse().ok().filter(|number: &f64| number.is_finite());
        Ok(Self {
            id: raw.id,
            device: raw.device.into(),
            quantity: raw.quantity.into(),
            topic: raw.topic.into(),
            value: number.ok_or_else(|| wrong("value", &raw.value))?,
            unit: Unit::parse(&raw.unit).ok_or_else(|| wrong("unit", &raw.unit))?,
            condition: raw.condition.into(),
        })
    }
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde calls it so")]
const fn is_false(value: &bool) -> bool {
    !*value
}

const fn led(on: bool) -> Led {
    if on { Led::On } else { Led::Off }
}

fn wrong(what: &'static str, found: &str) -> DamagedError {
    DamagedError::Value { what, found: found.into() }
}
