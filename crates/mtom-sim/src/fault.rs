//! How faults are written, whoever has them: `drop=0.1,slow=300ms`.

/// A fault that cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("fault {part:?}: expected {expected}")]
pub struct FaultError {
    pub(crate) part: String,
    pub(crate) expected: &'static str,
}

/// What [`part_of_one`] expects.
pub(crate) const A_PART: &str = "a number from 0 to 1, as in 0.01";

pub(crate) fn part_of_one(text: &str) -> Option<f64> {
    text.parse::<f64>().ok().filter(|part| (0.0..=1.0).contains(part))
}
