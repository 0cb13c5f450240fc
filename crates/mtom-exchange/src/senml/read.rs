//! Reads SenML, also of others: base values are resolved; records without a number are bad.
//!
//! A name without `/` is split where its base name ends; what has no second part has the quantity `value`. A
//! relative time needs [`crate::record::Defaults::now`]. Several arrays may follow each other.

use super::decimal::{SECOND, picos};
use super::elements::{Element, Elements};
use super::{ABSOLUTE_SECONDS_MIN, MICROS_PER_SECOND};
use crate::format::Format;
use crate::json_lines::{Text, not_json, object};
use crate::lines::{self, Source};
use crate::reader::{Bad, OpenError};
use crate::reason::Reason;
use crate::record::{Draft, Finisher, Record, parse_value};
use mtom_protocol::payload::NotAReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io;

/// The versions that are understood: 10 is RFC 8428, 26 adds the secondary units of RFC 8798 (RFC 9100).
const VERSION_MAX: u64 = 10;
const VERSION_SECONDARY_UNITS: u64 = 26;
/// The longest base name and base unit in bytes.
const BASE_LEN_MAX: usize = 1024;

/// Reads records.
pub(crate) struct Reader {
    elements: Elements,
    base: Base,
    finisher: Finisher,
}

/// What counts for the elements to come (section 4.1).
#[derive(Debug, Default)]
struct Base {
    name: String,
    /// In picoseconds.
    time: i128,
    unit: Option<String>,
    value: Option<f64>,
    is_unknown_version: bool,
    /// An element that may have had some could not be read, so what counts now is not known.
    is_lost: bool,
}

#[derive(Deserialize)]
#[serde(expecting = "an object with n and v")]
struct Fields<'a> {
    bver: Option<u64>,
    #[serde(borrow)]
    bn: Option<Text<'a>>,
    #[serde(borrow)]
    bt: Option<&'a RawValue>,
    #[serde(borrow)]
    bu: Option<Text<'a>>,
    #[serde(borrow)]
    bv: Option<&'a RawValue>,
    #[serde(borrow)]
    n: Option<Text<'a>>,
    #[serde(borrow)]
    u: Option<Text<'a>>,
    #[serde(borrow)]
    v: Option<&'a RawValue>,
    vs: Option<IgnoredAny>,
    vb: Option<IgnoredAny>,
    vd: Option<IgnoredAny>,
    s: Option<IgnoredAny>,
    #[serde(borrow)]
    t: Option<&'a RawValue>,
    // Ours.
    #[serde(borrow)]
    unit: Option<Text<'a>>,
    #[serde(borrow)]
    value: Option<&'a RawValue>,
    #[serde(borrow)]
    device: Option<Text<'a>>,
    #[serde(borrow)]
    quantity: Option<Text<'a>>,
    #[serde(borrow)]
    topic: Option<Text<'a>>,
    #[serde(borrow)]
    boot: Option<Text<'a>>,
    seq: Option<u64>,
    // Of others they may be anything.
    #[serde(borrow)]
    arrived_at_micros: Option<&'a RawValue>,
    #[serde(borrow)]
    taken_at_micros: Option<&'a RawValue>,
    #[serde(borrow)]
    suspect: Option<&'a RawValue>,
}

impl Reader {
    pub(crate) fn open(mut source: Source, finisher: Finisher) -> Result<Self, OpenError> {
        let first = lines::first_byte(&mut source)?;
        if first != Some(b'[') {
            return Err(OpenError::NotThisFormat {
                format: Format::SenMl,
                found: first.map_or_else(
                    || "it is empty".to_owned(),
                    |first| format!("it begins with {:?}", char::from(first)),
                ),
                expected: "a JSON array, which begins with '['",
            });
        }
        Ok(Self { elements: Elements::new(source), base: Base::default(), finisher })
    }

    pub(crate) fn next(&mut self) -> io::Result<Option<Result<Record, Bad>>> {
        loop {
            let Some(element) = self.elements.next()? else { return Ok(None) };
            if element.is_first {
                self.base = Base::default();
            }
            let fields = fields(&element);
            if fields.is_err() {
                self.base.is_lost |= self.base.is_used() || names_base(element.bytes);
            }
            let base = &mut self.base;
            match fields.and_then(|fields| record(&fields, base, &mut self.finisher)) {
                Ok(None) => {}
                Ok(Some(record)) => return Ok(Some(Ok(record))),
                Err(why) => {
                    let bad = Bad::new("element", element.number, why, element.bytes);
                    return Ok(Some(Err(bad)));
                }
            }
        }
    }
}

/// The unit that a symbol of SenML means (RFC 8428 section 12.1, RFC 8798).
pub(super) fn unit_of(symbol: &str) -> Option<Unit> {
    Some(match symbol {
        "Cel" => Unit::Celsius,
        "%RH" | "%" | "/100" | "%EL" => Unit::Percent,
        "/" | "count" | "" => Unit::None,
        other => return Unit::parse(other),
    })
}

fn fields<'a>(element: &Element<'a>) -> Result<Fields<'a>, Reason> {
    if let Some(why) = &element.wrong {
        return Err(why.clone());
    }
    let text = std::str::from_utf8(element.bytes)
        .map_err(|_| Reason::new("not_utf8", "not UTF-8: expected text in UTF-8"))?;
    let fields = object(text)?;
    check_labels(text)?;
    Ok(fields)
}

/// Says whether base values are named in what could not be read.
fn names_base(bytes: &[u8]) -> bool {
    bytes.windows(3).any(|label| matches!(label, [b'"', b'b', b'n' | b't' | b'u' | b'v']))
}

/// The record of an element; `None` for one that only has base values.
fn record(
    fields: &Fields<'_>,
    base: &mut Base,
    finisher: &mut Finisher,
) -> Result<Option<Record>, Reason> {
    if base.is_lost {
        let text = "an element before it could not be read, and may have changed the base values";
        return Err(Reason::new("base", text));
    }
    if let Err(why) = base.learn(fields) {
        base.is_lost = true;
        return Err(why);
    }
    if base.is_unknown_version {
        return Err(Reason::new(
            "version",
            "SenML of a later version: expected bver up to 10, or 26",
        ));
    }
    if fields.is_only_base() {
        return Ok(None);
    }
    let device = finisher.defaults.device.clone();
    let (device, quantity) = base.series(fields, device.as_deref());
    let unit = match (&fields.unit, fields.u.as_deref().or(base.unit.as_deref())) {
        (Some(exact), _) => Some(Unit::parse(exact).ok_or(NotAReading::UnknownUnit)?),
        (None, Some(symbol)) => Some(unit_of(symbol).ok_or(NotAReading::UnknownUnit)?),
        (None, None) => None,
    };
    let draft = Draft {
        at: Some(base.at(fields, finisher.defaults.now)?),
        topic: fields.topic.as_deref(),
        device: fields.device.as_deref().or(Some(&*device)).filter(|device| !device.is_empty()),
        quantity: Some(fields.quantity.as_deref().unwrap_or(&quantity)),
        value: base.value(fields)?,
        unit,
        boot: fields.boot.as_deref(),
        seq: fields.seq,
        arrived_at: micros(fields.arrived_at_micros),
        taken_at: micros(fields.taken_at_micros),
        suspect: fields.suspect.is_some_and(|suspect| suspect.get() == "true"),
        ..Draft::default()
    };
    finisher.record(&draft).map(Some)
}

fn micros(raw: Option<&RawValue>) -> Option<UnixMicros> {
    raw.and_then(|raw| raw.get().parse().ok()).map(UnixMicros)
}

/// A label that ends with `_` must be understood (section 4.4); there is none that we do.
fn check_labels(text: &str) -> Result<(), Reason> {
    if !text.contains("_\"") {
        return Ok(());
    }
    let labels: BTreeMap<Cow<'_, str>, IgnoredAny> =
        serde_json::from_str(text).map_err(|cause| not_json(&cause))?;
    if labels.keys().any(|label| label.ends_with('_')) {
        return Err(Reason::new("label", "a label that must be understood and is not"));
    }
    Ok(())
}

impl Fields<'_> {
    fn is_only_base(&self) -> bool {
        let texts = [&self.n, &self.u, &self.unit, &self.device, &self.quantity];
        let numbers = [self.v, self.t, self.value, self.bv];
        let others = [&self.vs, &self.vb, &self.vd, &self.s];
        texts.iter().all(|field| field.is_none())
            && numbers.iter().all(Option::is_none)
            && others.iter().all(|field| field.is_none())
    }
}

impl Base {
    fn is_used(&self) -> bool {
        !self.name.is_empty() || self.time != 0 || self.unit.is_some() || self.value.is_some()
    }

    fn learn(&mut self, fields: &Fields<'_>) -> Result<(), Reason> {
        let too_long = || Reason::new("text", format!("bn, bu: more than {BASE_LEN_MAX} bytes"));
        if let Some(version) = fields.bver {
            self.is_unknown_version = version > VERSION_MAX && version != VERSION_SECONDARY_UNITS;
        }
        if let Some(name) = &fields.bn {
            if name.len() > BASE_LEN_MAX {
                return Err(too_long());
            }
            self.name = name.to_string();
        }
        if let Some(unit) = &fields.bu {
            if unit.len() > BASE_LEN_MAX {
                return Err(too_long());
            }
            self.unit = Some(unit.to_string());
        }
        if let Some(time) = fields.bt {
            self.time = seconds(time)?;
        }
        if let Some(value) = fields.bv {
            self.value = Some(parse_value(value.get())?);
        }
        Ok(())
    }

    fn at(&self, fields: &Fields<'_>, now: Option<UnixMicros>) -> Result<UnixMicros, Reason> {
        let sum = self.time + fields.t.map_or(Ok(0), seconds)?;
        let micros = (sum + 500_000).div_euclid(SECOND / i128::from(MICROS_PER_SECOND));
        let base = if sum >= i128::from(ABSOLUTE_SECONDS_MIN) * SECOND {
            0
        } else {
            let text = "a time relative to when the file was made, which is not known";
            now.ok_or_else(|| Reason::new(NotAReading::Time.code(), text))?.0
        };
        let at = i64::try_from(i128::from(base) + micros);
        at.map(UnixMicros).map_err(|_| no_time())
    }

    fn value(&self, fields: &Fields<'_>) -> Result<f64, Reason> {
        if let Some(exact) = fields.value {
            return parse_value(exact.get());
        }
        let is_other = [&fields.vs, &fields.vb, &fields.vd].iter().any(|field| field.is_some());
        match (fields.v, self.value) {
            _ if is_other => {
                Err(Reason::new("not_a_number", "vs, vb or vd: expected a number in v"))
            }
            (Some(value), None) => parse_value(value.get()),
            (Some(value), Some(base)) => Ok(base + parse_value(value.get())?),
            (None, Some(base)) if fields.s.is_none() => Ok(base),
            (None, _) => Err(Reason::new(NotAReading::NoNumber.code(), "no number in v")),
        }
    }

    fn series<'f>(
        &'f self,
        fields: &'f Fields<'_>,
        device: Option<&'f str>,
    ) -> (Cow<'f, str>, Cow<'f, str>) {
        let own = fields.n.as_deref().unwrap_or_default();
        let name = match (self.name.as_str(), own) {
            ("", own) => Cow::Borrowed(own),
            (base, "") => Cow::Borrowed(base),
            (base, own) if !own.contains('/') => {
                let device = base.strip_suffix(['/', ':', '.']).unwrap_or(base);
                return (Cow::Borrowed(device), Cow::Borrowed(own));
            }
            (base, own) => Cow::Owned(format!("{base}{own}")),
        };
        match (name.rsplit_once('/'), device) {
            (Some((device, quantity)), _) if !device.is_empty() && !quantity.is_empty() => {
                (Cow::Owned(device.to_owned()), Cow::Owned(quantity.to_owned()))
            }
            (_, Some(device)) => (Cow::Borrowed(device), name),
            (_, None) => (name, Cow::Borrowed("value")),
        }
    }
}

fn seconds(number: &RawValue) -> Result<i128, Reason> {
    picos(number.get()).ok_or_else(no_time)
}

fn no_time() -> Reason {
    Reason::new(NotAReading::Time.code(), "t, bt: expected seconds, as in 1735689600.5")
}
