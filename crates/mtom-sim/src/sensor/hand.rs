//! A hand on a thermometer: what it measures instead of the weather, as long as somebody wants.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Holds a thermometer, or does not. Cheap to clone; all clones are one hand.
#[derive(Clone, Debug)]
pub struct Hand(Arc<AtomicU64>);

impl Default for Hand {
    /// One that holds nothing.
    fn default() -> Self {
        Self(Arc::new(AtomicU64::new(f64::NAN.to_bits())))
    }
}

impl Hand {
    /// Holds at so many °C from the next reading on; `None`: lets go.
    pub fn hold(&self, celsius: Option<f64>) {
        self.0.store(celsius.unwrap_or(f64::NAN).to_bits(), Ordering::Relaxed);
    }

    /// What it holds at.
    #[must_use]
    pub fn celsius(&self) -> Option<f64> {
        Some(f64::from_bits(self.0.load(Ordering::Relaxed))).filter(|celsius| !celsius.is_nan())
    }
}
