//! Temperatures that a simulated sensor measures, the same each time for one seed.

use fastrand::Rng;
use std::f64::consts::TAU;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

/// A minute from the coldest to the coldest: the LED changes twice a minute.
const WAVE: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A random walk turns back at these.
const WALK: (f64, f64) = (-20.0, 60.0);

/// How the temperature goes.
#[derive(Clone, Debug, PartialEq)]
pub enum Profile {
    /// Around 21 °C, warmer in the afternoon, with the small noise of a real sensor.
    Room,
    /// From 21 °C to 29 °C and back in a minute, around the original's threshold.
    Sine,
    /// From 20 °C, up or down by at most half a degree each time.
    Walk,
    /// Always this, in °C.
    Constant(f64),
    /// These, in °C, over and over.
    Values(Arc<[f64]>),
}

/// A profile that there is not.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// Its name.
    #[error("profile {0:?}: expected room, sine, walk or csv:FILE")]
    Unknown(String),
    /// The file of a `csv:` profile.
    #[error("cannot read {}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A line of that file.
    #[error("{} line {line}: expected a temperature in °C in its last column, as in 21.5", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, from 1.
        line: usize,
    },
    /// Nothing in it.
    #[error("{} has no temperature: expected one a line, in °C", path.display())]
    Empty {
        /// Which file.
        path: PathBuf,
    },
}

impl FromStr for Profile {
    type Err = ProfileError;

    fn from_str(text: &str) -> Result<Self, ProfileError> {
        match text {
            "room" => Ok(Self::Room),
            "sine" => Ok(Self::Sine),
            "walk" => Ok(Self::Walk),
            other => match other.strip_prefix("csv:") {
                Some(path) => csv(Path::new(path)),
                None => Err(ProfileError::Unknown(other.to_owned())),
            },
        }
    }
}

/// One temperature a line, in the last column; the first line may be a heading.
fn csv(path: &Path) -> Result<Profile, ProfileError> {
    let text = std::fs::read_to_string(path)
        .map_err(|cause| ProfileError::File { path: path.to_owned(), cause })?;
    let mut values = Vec::new();
    for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.trim().is_empty()) {
        let last = line.rsplit([',', ';', '\t']).next().unwrap_or_default();
        match last.trim().trim_matches('"').parse::<f64>().ok().filter(|value| is_possible(*value))
        {
            Some(value) => values.push(value),
            None if index == 0 => {}
            None => return Err(ProfileError::Line { path: path.to_owned(), line: index + 1 }),
        }
    }
    if values.is_empty() {
        return Err(ProfileError::Empty { path: path.to_owned() });
    }
    Ok(Profile::Values(values.into()))
}

/// What [`mtom_device::record::DeciCelsius`] can hold, above absolute zero.
fn is_possible(celsius: f64) -> bool {
    (-273.1..=3_000.0).contains(&celsius)
}

/// One sensor's temperatures.
#[derive(Debug)]
pub(super) struct Weather {
    profile: Profile,
    rng: Rng,
    walk: f64,
    next: usize,
}

impl Weather {
    pub(super) fn new(profile: Profile, mut rng: Rng) -> Self {
        // A fleet that reads one file must not read one value in one instant.
        let next = match &profile {
            Profile::Values(values) => rng.usize(..values.len()),
            _ => 0,
        };
        Self { profile, rng, walk: 20.0, next }
    }

    /// °C, this long after the start.
    pub(super) fn celsius(&mut self, since_start: Duration) -> f64 {
        match &self.profile {
            Profile::Sine => wave(since_start),
            Profile::Constant(celsius) => *celsius,
            Profile::Room => {
                let day = since_start.as_secs_f64() / DAY.as_secs_f64() * TAU;
                21.0 - 1.5 * day.cos() + 0.1 * (self.rng.f64() - 0.5)
            }
            Profile::Walk => {
                let step = self.rng.f64() - 0.5;
                let (min, max) = WALK;
                self.walk = (self.walk + step).clamp(min, max);
                self.walk
            }
            Profile::Values(values) => {
                let value = values.get(self.next).copied().unwrap_or_default();
                self.next = (self.next + 1) % values.len();
                value
            }
        }
    }
}

/// A slow wave around the original's threshold: 21 °C to 29 °C and back in a minute, in tenths.
fn wave(since_start: Duration) -> f64 {
    let turn = since_start.as_secs_f64() / WAVE.as_secs_f64() * TAU;
    (250.0 - 40.0 * turn.cos()).round() / 10.0
}

#[cfg(test)]
mod tests;
