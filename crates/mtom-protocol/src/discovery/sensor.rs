//! A thing that measures: its topic, where the number stands in a message, and what it counts.

use super::keys::Keys;
use super::template::{Found, NOTHING, Payload, Template};
use super::{NotUnderstood, checked, template};
use crate::payload::{NotAReading, default_unit};
use crate::unit::Unit;
use alloc::string::String;

/// Kinds of quantities that are words.
const WORDS: [&str; 3] = ["date", "enum", "timestamp"];
/// The whole numbers that a float holds exactly.
const EXACT_MAX: f64 = 9_007_199_254_740_992.0;

/// How the messages of a sensor are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Sensor {
    /// Where its state comes.
    pub topic: String,
    /// What its number counts, where the message does not say.
    pub unit: Unit,
    template: Template,
    /// It has said that it is a number, so a word is a mistake.
    is_number: bool,
}

/// What a message says of one sensor: a number with its unit; nothing, by design; or a mistake.
pub type State = Option<Result<(f64, Unit), NotAReading>>;

pub(super) fn read(keys: &Keys<'_>) -> Result<Sensor, NotUnderstood> {
    let class = keys.text("device_class", "dev_cla");
    if let Some(class) = class.filter(|class| WORDS.contains(class)) {
        return Err(NotUnderstood::Words { class: super::shortened(class) });
    }
    let encoding = keys.word("encoding", "e").unwrap_or_else(|| "utf-8".into());
    if !encoding.eq_ignore_ascii_case("utf-8") && !encoding.eq_ignore_ascii_case("utf8") {
        return Err(NotUnderstood::Encoding { found: super::shortened(&encoding) });
    }
    let said = keys.text("unit_of_measurement", "unit_of_meas");
    let unit = match said {
        Some(symbol) => Unit::parse(symbol).unwrap_or(Unit::None),
        None => default_unit(class.unwrap_or_default()),
    };
    let is_number = said.is_some()
        || class.is_some()
        || keys.text("state_class", "stat_cla").is_some()
        || keys.get("suggested_display_precision", "sug_dsp_prc").is_some();
    let template = template(keys, "value_template", "val_tpl")?;
    let topic = checked(keys.topic("state_topic", "stat_t"), "state_topic")?;
    Ok(Sensor { topic, unit, template, is_number })
}

impl Sensor {
    /// What a message on its topic says.
    #[must_use]
    pub fn state(&self, payload: &Payload<'_>) -> State {
        let found = match self.template.find(payload) {
            Ok(found) => found?,
            Err(mistake) => return self.is_number.then_some(Err(mistake)),
        };
        let state = match found {
            Found::Text(text) if NOTHING.contains(&text.trim()) => return None,
            Found::Text(text) => crate::payload::number_with_unit(text.trim(), self.unit),
            Found::Number(number) if number.abs() > EXACT_MAX && number % 1.0 == 0.0 => {
                Err(NotAReading::Inexact)
            }
            Found::Number(number) => Ok((number, self.unit)),
            Found::Truth(_) | Found::Other => Err(NotAReading::NotANumber),
        };
        (self.is_number || state.is_ok()).then_some(state)
    }
}
