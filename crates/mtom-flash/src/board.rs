//! The boards there is firmware for, and what each of them can be.

use espflash::target::Chip;
use std::fmt;

/// A board, by its chip.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Board {
    /// ESP32-C3.
    Esp32c3,
    /// ESP32-C6.
    Esp32c6,
}

/// What a board is to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It measures and publishes over MQTT.
    Sensor,
    /// It drives an LED.
    Actuator,
}

impl Board {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Esp32c3, Self::Esp32c6];

    /// Reads the name of its chip, as in `esp32c3`.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|board| board.to_string() == name)
    }

    pub(crate) fn of(chip: Chip) -> Option<Self> {
        Self::ALL.into_iter().find(|board| board.chip() == chip)
    }

    pub(crate) fn chip(self) -> Chip {
        match self {
            Self::Esp32c3 => Chip::Esp32c3,
            Self::Esp32c6 => Chip::Esp32c6,
        }
    }
}

impl fmt::Display for Board {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Esp32c3 => "esp32c3",
            Self::Esp32c6 => "esp32c6",
        })
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Sensor => "sensor",
            Self::Actuator => "actuator",
        })
    }
}
