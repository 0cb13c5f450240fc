//! SenML in JSON (RFC 8428): an array of records, base values resolved.
//!
//! A record whose value is a text, a boolean or data is no measurement and is passed over, as in plain JSON;
//! so is one that has a sum alone: a pack of nothing else is nothing, and no mistake. A wrong base value counts for
//! all that follow, so it costs the message. A time below 2^28 seconds is relative to now (section 4.5.3), which
//! nobody knows here: the reading has none.

use super::json::series_of_key;
use super::series::Series;
use super::text::default_unit;
use super::{NotAReading, READINGS_LEN_MAX};
use crate::reading::Reading;
use crate::time::UnixMicros;
use crate::unit::Unit;
use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// The versions that are understood: 10 is RFC 8428, 26 adds the secondary units of RFC 8798 (RFC 9100).
const VERSION_MAX: u64 = 10;
const VERSION_SECONDARY_UNITS: u64 = 26;
/// What a record may say (section 4); an array without any of it is other JSON.
const LABELS: [&str; 15] =
    ["bn", "bt", "bu", "bv", "bs", "bver", "n", "u", "v", "vs", "vb", "vd", "s", "t", "ut"];
/// What a record may have instead of a number.
const NO_NUMBER: [&str; 4] = ["vs", "vb", "vd", "s"];
/// Seconds from which on a time is absolute.
const ABSOLUTE_SECONDS_MIN: f64 = 268_435_456.0;
/// The end of the year 9999.
const SECONDS_MAX: f64 = 253_402_300_799.0;

/// A pack of records.
pub(super) fn decode(
    topic: &str,
    text: &str,
) -> Result<Vec<Result<Reading, NotAReading>>, NotAReading> {
    let Ok(Value::Array(records)) = serde_json::from_str(text) else {
        return Err(NotAReading::NotJson);
    };
    let mut base = Base::default();
    let mut found = Vec::new();
    for record in &records {
        let record = record.as_object().ok_or(NotAReading::NotJson)?;
        base.learn(record)?;
        let Some(outcome) = base.reading(topic, record) else { continue };
        if found.len() == READINGS_LEN_MAX {
            return Err(NotAReading::TooMany);
        }
        found.push(outcome);
    }
    let has = |labels: &[&str]| {
        let mut keys = records.iter().filter_map(Value::as_object).flat_map(Map::keys);
        keys.any(|key| labels.contains(&&**key))
    };
    if found.is_empty() && !has(&LABELS) {
        return Err(NotAReading::NotJson);
    }
    if found.is_empty() && !has(&NO_NUMBER) {
        return Err(NotAReading::SenMl("a record with a number in v"));
    }
    Ok(found)
}

/// What counts for this record and those to come (section 4.1).
#[derive(Default)]
struct Base<'a> {
    name: &'a str,
    seconds: f64,
    unit: Option<&'a str>,
    value: Option<f64>,
}

impl<'a> Base<'a> {
    fn learn(&mut self, record: &'a Map<String, Value>) -> Result<(), NotAReading> {
        if let Some(version) = record.get("bver") {
            let known =
                |version: &u64| *version <= VERSION_MAX || *version == VERSION_SECONDARY_UNITS;
            let expected = NotAReading::SenMl("bver up to 10, or 26");
            version.as_u64().filter(known).ok_or(expected)?;
        }
        if let Some(name) = record.get("bn") {
            self.name = name.as_str().ok_or(NotAReading::SenMl("a text in bn"))?;
        }
        if let Some(unit) = record.get("bu") {
            self.unit = Some(unit.as_str().ok_or(NotAReading::SenMl("a text in bu"))?);
        }
        if let Some(seconds) = record.get("bt") {
            self.seconds = seconds.as_f64().ok_or(NO_TIME)?;
        }
        if let Some(value) = record.get("bv") {
            self.value = Some(value.as_f64().ok_or(NotAReading::SenMl("a number in bv"))?);
        }
        Ok(())
    }

    /// `None` where the record has no number.
    fn reading(
        &self,
        topic: &str,
        record: &Map<String, Value>,
    ) -> Option<Result<Reading, NotAReading>> {
        let has = |names: &[&str]| names.iter().any(|name| record.contains_key(*name));
        if has(&["vs", "vb", "vd"]) {
            return None;
        }
        let value = match (record.get("v"), self.value) {
            (Some(value), base) => {
                let value = value.as_f64().ok_or(NotAReading::SenMl("a number in v"));
                value.map(|value| value + base.unwrap_or(0.0))
            }
            // One that only has base values is no record of its own.
            (None, Some(base)) if !has(&["s"]) && has(&["n", "u", "t"]) => Ok(base),
            (None, _) => return None,
        };
        Some(value.and_then(|value| self.resolved(topic, record, value)))
    }

    fn resolved(
        &self,
        topic: &str,
        record: &Map<String, Value>,
        value: f64,
    ) -> Result<Reading, NotAReading> {
        // One that ends so must be understood (section 4.4), and none is.
        if record.keys().any(|label| label.ends_with('_')) {
            return Err(NotAReading::SenMl("no label that ends with _"));
        }
        let own = match record.get("n") {
            None => "",
            Some(name) => name.as_str().ok_or(NotAReading::SenMl("a text in n"))?,
        };
        let (device, quantity) = self.series(topic, own)?;
        let symbol = match record.get("u") {
            None => self.unit,
            Some(unit) => Some(unit.as_str().ok_or(NotAReading::SenMl("a text in u"))?),
        };
        let unit = match symbol {
            None => default_unit(&quantity),
            Some(symbol) => unit_of(symbol).ok_or(NotAReading::UnknownUnit)?,
        };
        let mut series = Series::new(topic, &device);
        series.taken_at = self.taken_at(record)?;
        series.reading(&quantity, value, unit)
    }

    fn taken_at(&self, record: &Map<String, Value>) -> Result<Option<UnixMicros>, NotAReading> {
        let own = record.get("t").map_or(Some(0.0), Value::as_f64).ok_or(NO_TIME)?;
        let seconds = self.seconds + own;
        if seconds < ABSOLUTE_SECONDS_MIN {
            return Ok(None);
        }
        if seconds > SECONDS_MAX {
            return Err(NO_TIME);
        }
        #[expect(clippy::cast_possible_truncation, reason = "below 2^63, as was just seen")]
        let micros = (seconds * 1e6 + 0.5) as i64;
        Ok(Some(UnixMicros(micros)))
    }

    /// `home/kitchen/temperature` is split at its last `/`, a base name from a name of one part; a name of one
    /// part alone is a quantity of the topic's device, as a key in JSON is, but for a `urn:`, which names a device.
    fn series<'n>(
        &'n self,
        topic: &'n str,
        own: &'n str,
    ) -> Result<(Cow<'n, str>, Cow<'n, str>), NotAReading> {
        let base = self.name.strip_suffix(['/', ':', '.']).unwrap_or(self.name);
        if !base.is_empty() && !own.is_empty() && !own.contains('/') {
            return Ok((base.into(), own.into()));
        }
        let name = match (self.name, own) {
            ("", "") => return Err(NotAReading::SenMl("a name in n or bn")),
            ("", own) => Cow::Borrowed(own),
            (base, "") => Cow::Borrowed(base),
            (base, own) => Cow::Owned(alloc::format!("{base}{own}")),
        };
        if let Some((device, quantity)) = name.rsplit_once('/')
            && !device.is_empty()
            && !quantity.is_empty()
        {
            return Ok((Cow::Owned(device.into()), Cow::Owned(quantity.into())));
        }
        if own.is_empty() || own.starts_with("urn:") {
            return Ok((name, "value".into()));
        }
        let (device, quantity) = series_of_key(topic, own);
        Ok((device.into(), quantity.into()))
    }
}

const NO_TIME: NotAReading =
    NotAReading::SenMl("seconds in t and bt up to the year 9999, as in 1735689600.5");

/// The unit that a symbol means (section 12.1, RFC 8798).
fn unit_of(symbol: &str) -> Option<Unit> {
    Some(match symbol {
        "Cel" => Unit::Celsius,
        "%RH" | "%" | "/100" | "%EL" => Unit::Percent,
        "/" | "count" | "" => Unit::None,
        // Coulomb and farad, not what devices mean by them elsewhere.
        "C" | "F" => return None,
        other => return Unit::parse(other),
    })
}

#[cfg(test)]
mod tests;
