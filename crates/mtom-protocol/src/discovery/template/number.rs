//! Numbers as Python counts with them and rounds them.

use super::Method;
use crate::payload::NotAReading;
use alloc::format;

/// What stands between two numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    /// `//`
    Floor,
    /// `%`
    Rest,
}

impl Operator {
    pub(super) fn apply(self, left: f64, right: f64) -> Result<f64, NotAReading> {
        let needs = matches!(self, Self::Divide | Self::Floor | Self::Rest);
        if needs && right == 0.0 {
            return Err(NotAReading::NotFinite);
        }
        Ok(match self {
            Self::Add => left + right,
            Self::Subtract => left - right,
            Self::Multiply => left * right,
            Self::Divide => left / right,
            Self::Floor => {
                let quotient = (left - rest(left, right)) / right;
                let floor = floor(quotient);
                if quotient - floor > 0.5 { floor + 1.0 } else { floor }
            }
            Self::Rest => rest(left, right),
        })
    }
}

/// The rest has the sign of what it is divided by.
fn rest(left: f64, right: f64) -> f64 {
    let rest = left % right;
    if rest != 0.0 && (rest < 0.0) != (right < 0.0) { rest + right } else { rest }
}

/// Without what stands behind the point.
pub(super) fn whole(number: f64) -> f64 {
    number - number % 1.0
}

fn floor(number: f64) -> f64 {
    let whole = whole(number);
    if number < whole { whole - 1.0 } else { whole }
}

/// As Home Assistant's `round` does; `places` are from −15 to 15, and none below zero but for the common method.
pub(super) fn round(number: f64, places: i32, method: Method) -> f64 {
    let multiplier = ten_to(places.unsigned_abs());
    match method {
        Method::Common if places < 0 => to_multiples(number, multiplier),
        Method::Common => to_places(number, places.unsigned_abs()),
        Method::Floor => floor(number * multiplier) / multiplier,
        Method::Ceil => -floor(-(number * multiplier)) / multiplier,
        // To no places what comes of it is made whole, at last.
        Method::Half if places == 0 => whole(to_places(number * 2.0, 0) / 2.0),
        Method::Half => to_places(number * 2.0, 0) / 2.0,
    }
}

/// The nearest decimal with so many places; of two the even one.
fn to_places(number: f64, places: u32) -> f64 {
    let places = usize::try_from(places).unwrap_or(usize::MAX);
    format!("{number:.places$}").parse().unwrap_or(number)
}

/// The nearest multiple of a power of ten; of two the even one.
fn to_multiples(number: f64, unit: f64) -> f64 {
    // Both are exact: the rest of a division always is.
    let over = number % unit;
    let below = number - over;
    let is_odd = (below / unit) % 2.0 != 0.0;
    let is_over = over.abs() * 2.0 > unit || (over.abs() * 2.0 == unit && is_odd);
    match is_over {
        true if over < 0.0 => below - unit,
        true => below + unit,
        false => below,
    }
}

/// Exact: 10^15 is below 2^53.
fn ten_to(power: u32) -> f64 {
    (0..power).fold(1.0, |product, _| product * 10.0)
}
