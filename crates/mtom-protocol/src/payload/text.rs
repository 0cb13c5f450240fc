//! `23.4 °C`: a number, a space or none, a unit or none (`wire.md` §1.1).

use super::NotAReading;
use super::series::Series;
use crate::reading::Reading;
use crate::unit::Unit;

/// A text payload; the series is the topic's.
pub(super) fn decode(topic: &str, text: &str) -> Result<Reading, NotAReading> {
    let (device, quantity) = series(topic);
    let (number, unit) = number_with_unit(text, default_unit(quantity))?;
    Series::new(topic, device).reading(quantity, number, unit)
}

/// The number of a text and its unit; the one that is `implied` where the text has none.
///
/// # Errors
/// When it is no number, or its unit is not known.
pub fn number_with_unit(text: &str, implied: Unit) -> Result<(f64, Unit), NotAReading> {
    let (number, symbol) = split(text)?;
    if symbol.is_empty() {
        return Ok((number, implied));
    }
    let unit = Unit::parse(symbol).ok_or(NotAReading::UnknownUnit)?;
    Ok((number, unit))
}

/// Device and quantity that a topic names. A topic of one level is a device with a `value`.
pub(super) fn series(topic: &str) -> (&str, &str) {
    match topic.rsplit_once('/') {
        Some((device, quantity)) if !device.is_empty() && !quantity.is_empty() => {
            (device, quantity)
        }
        _ => (topic, "value"),
    }
}

/// The unit that a quantity's name implies when the device sends none.
#[must_use]
pub fn default_unit(quantity: &str) -> Unit {
    let last = quantity.rsplit('.').next().unwrap_or(quantity);
    if ["temperature", "temp"].iter().any(|name| last.eq_ignore_ascii_case(name)) {
        Unit::Celsius
    } else if last.eq_ignore_ascii_case("humidity") {
        Unit::Percent
    } else {
        Unit::None
    }
}

/// The number, when it can be a measurement in `unit`.
///
/// # Errors
/// When it is not finite, outside [`Unit::range`], or what a DS18B20 says that has lost its wire.
pub fn plausible(number: f64, unit: Unit) -> Result<f64, NotAReading> {
    if !number.is_finite() {
        return Err(NotAReading::NotFinite);
    }
    // What the DallasTemperature library returns for a sensor that does not answer.
    if unit == Unit::Celsius && number == -127.0 {
        return Err(NotAReading::SensorLost);
    }
    let (min, max) = unit.range();
    if number < min || number > max {
        return Err(NotAReading::OutOfRange { min, max, symbol: unit.symbol() });
    }
    Ok(number)
}

/// Splits `23.4 °C` into its number and its unit's symbol.
fn split(text: &str) -> Result<(f64, &str), NotAReading> {
    let end = number_len(text);
    let (digits, rest) = text.split_at_checked(end).unwrap_or((text, ""));
    if !digits.bytes().any(|byte| byte.is_ascii_digit()) {
        return Err(named_number(text));
    }
    if rest.starts_with(',') {
        return Err(NotAReading::DecimalComma);
    }
    let number = digits.parse().map_err(|_| NotAReading::NotANumber)?;
    // Exactly the forms that exist: no space or one. `str::trim` would also take a line break.
    let symbol = rest.strip_prefix(' ').unwrap_or(rest);
    if symbol.starts_with(|c: char| c.is_ascii_digit() || c == '.' || c.is_whitespace()) {
        return Err(NotAReading::NotANumber);
    }
    Ok((number, symbol))
}

/// How many bytes of `[+-]digits[.digits][e[+-]digits]` stand at the start.
fn number_len(text: &str) -> usize {
    let bytes = text.as_bytes();
    let digits =
        |from: usize| bytes.iter().skip(from).take_while(|byte| byte.is_ascii_digit()).count();
    let sign = |at: usize| usize::from(matches!(bytes.get(at), Some(b'+' | b'-')));
    let mut end = sign(0);
    end += digits(end);
    if bytes.get(end) == Some(&b'.') {
        end += 1 + digits(end + 1);
    }
    if matches!(bytes.get(end), Some(b'e' | b'E')) {
        let start = end + 1 + sign(end + 1);
        let exponent = digits(start);
        if exponent > 0 {
            end = start + exponent;
        }
    }
    end
}

/// The reason for a text that begins with no digits: `NaN`, `inf`, or a word.
fn named_number(text: &str) -> NotAReading {
    let word = text.trim_start_matches(['+', '-']).split([' ', '°']).next().unwrap_or("");
    let named = ["nan", "inf", "infinity"].iter().any(|name| word.eq_ignore_ascii_case(name));
    if named { NotAReading::NotFinite } else { NotAReading::NotANumber }
}
