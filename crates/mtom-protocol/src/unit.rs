//! Units of measurement, their spellings and the range in which a number can be true.

/// What a number counts. [`Unit::None`] is a plain number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Unit {
    /// °C
    Celsius,
    /// °F
    Fahrenheit,
    /// K
    Kelvin,
    /// %
    Percent,
    /// Pa
    Pascal,
    /// hPa
    HectoPascal,
    /// V
    Volt,
    /// A
    Ampere,
    /// W
    Watt,
    /// lx
    Lux,
    /// ppm
    PartsPerMillion,
    /// no unit
    #[default]
    None,
}

impl Unit {
    /// Every unit there is, in the order of the table in `wire.md` §3.
    pub const ALL: [Self; 12] = [
        Self::Celsius,
        Self::Fahrenheit,
        Self::Kelvin,
        Self::Percent,
        Self::Pascal,
        Self::HectoPascal,
        Self::Volt,
        Self::Ampere,
        Self::Watt,
        Self::Lux,
        Self::PartsPerMillion,
        Self::None,
    ];

    /// The symbol that is written: `°C`, `%`, `hPa`, …; empty for a plain number.
    #[must_use]
    pub const fn symbol(self) -> &'static str {
        match self {
            Self::Celsius => "°C",
            Self::Fahrenheit => "°F",
            Self::Kelvin => "K",
            Self::Percent => "%",
            Self::Pascal => "Pa",
            Self::HectoPascal => "hPa",
            Self::Volt => "V",
            Self::Ampere => "A",
            Self::Watt => "W",
            Self::Lux => "lx",
            Self::PartsPerMillion => "ppm",
            Self::None => "",
        }
    }

    /// Reads a symbol, also in the spellings that devices are seen to use (`C`, `℃`, `lux`).
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Some(match text {
            "°C" | "C" | "℃" => Self::Celsius,
            "°F" | "F" | "℉" => Self::Fahrenheit,
            "lux" => Self::Lux,
            other => return Self::ALL.into_iter().find(|unit| unit.symbol() == other),
        })
    }

    /// True for °C, °F and K.
    #[must_use]
    pub const fn is_temperature(self) -> bool {
        matches!(self, Self::Celsius | Self::Fahrenheit | Self::Kelvin)
    }

    /// `value` of this unit in °C, where it is a temperature. 77 °F is 25 °C exactly.
    #[must_use]
    pub fn to_celsius(self, value: f64) -> Option<f64> {
        match self {
            Self::Celsius => Some(value),
            Self::Fahrenheit => Some((value - 32.0) * 5.0 / 9.0),
            Self::Kelvin => Some(value - 273.15),
            _ => None,
        }
    }

    /// `value` of this unit in °F, where it is a temperature; one in °F is the very number, not there and back.
    #[must_use]
    pub fn to_fahrenheit(self, value: f64) -> Option<f64> {
        match self {
            Self::Fahrenheit => Some(value),
            _ => self.to_celsius(value).map(fahrenheit),
        }
    }

    /// The lowest and the highest number that can be a measurement of this unit.
    ///
    /// The lower bounds are physics (absolute zero, no negative light). The upper bounds of the
    /// temperatures are the end of every contact thermometer in use (IEC 60584 stops at 2,315 °C).
    #[must_use]
    pub const fn range(self) -> (f64, f64) {
        match self {
            Self::Celsius => (-273.15, 3_000.0),
            Self::Fahrenheit => (-459.67, 5_432.0),
            Self::Kelvin => (0.0, 3_273.15),
            Self::Percent => (0.0, 100.0),
            Self::Pascal | Self::HectoPascal | Self::Lux => (0.0, f64::MAX),
            Self::PartsPerMillion => (0.0, 1_000_000.0),
            Self::Volt | Self::Ampere | Self::Watt | Self::None => (f64::MIN, f64::MAX),
        }
    }
}

/// °C as °F. 25 °C is 77 °F exactly.
#[must_use]
pub fn fahrenheit(celsius: f64) -> f64 {
    celsius * 9.0 / 5.0 + 32.0
}

#[cfg(test)]
mod tests;
