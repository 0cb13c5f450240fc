//! How a run of steps ends and what is said about it.

use std::fmt;
use std::time::Duration;

/// Why a step cannot run.
#[derive(Clone, Debug)]
pub(crate) enum Lack {
    /// Something a person can mend on this machine; CI must not skip for it.
    Here(String),
    /// Something out there does not answer; even CI may skip for it.
    Outside(String),
}

impl Lack {
    /// Several in one; out of reach only where each of them is.
    pub(crate) fn all<'a>(lacks: impl Iterator<Item = &'a Self>) -> Option<Self> {
        lacks.cloned().reduce(|one, other| {
            let why = format!("{one}; {other}");
            match (one, other) {
                (Self::Outside(_), Self::Outside(_)) => Self::Outside(why),
                _ => Self::Here(why),
            }
        })
    }
}

impl fmt::Display for Lack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Here(why) | Self::Outside(why)) = self;
        f.write_str(why)
    }
}

/// Why a step did not pass.
#[derive(Debug)]
pub(crate) enum Trouble {
    Failed(anyhow::Error),
    Skipped(Lack),
}

impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Self {
        Self::Failed(error)
    }
}

/// One step's end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    Passed,
    Failed(String),
    Skipped(String),
}

impl Outcome {
    /// In CI a skipped step fails, unless the reason is out of anyone's reach here.
    pub(crate) fn of(result: Result<(), Trouble>, is_ci: bool) -> Self {
        match result {
            Ok(()) => Self::Passed,
            Err(Trouble::Failed(error)) => Self::Failed(format!("{error:#}")),
            Err(Trouble::Skipped(Lack::Here(why))) if is_ci => {
                Self::Failed(format!("CI may not skip: {why}"))
            }
            Err(Trouble::Skipped(lack)) => Self::Skipped(lack.to_string()),
        }
    }
}

/// All steps of one run.
#[derive(Default)]
pub(crate) struct Report {
    lines: Vec<(&'static str, Outcome, Duration)>,
}

impl Report {
    pub(crate) fn add(&mut self, step: &'static str, outcome: Outcome, took: Duration) {
        self.lines.push((step, outcome, took));
    }

    pub(crate) fn has_failed(&self) -> bool {
        self.lines.iter().any(|(_, outcome, _)| matches!(outcome, Outcome::Failed(_)))
    }
}

/// The table, then the counts alone on the last line.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (mut passed, mut failed, mut skipped) = (0, 0, 0);
        for (step, outcome, took) in &self.lines {
            let (word, why) = match outcome {
                Outcome::Passed => {
                    passed += 1;
                    ("pass", "")
                }
                Outcome::Failed(why) => {
                    failed += 1;
                    ("FAIL", why.as_str())
                }
                Outcome::Skipped(why) => {
                    skipped += 1;
                    ("SKIPPED", why.as_str())
                }
            };
            let why = why.lines().next().unwrap_or_default();
            let line = format!("  {step:<12} {:>7.1} s  {word:<8} {why}", took.as_secs_f64());
            writeln!(f, "{}", line.trim_end())?;
        }
        writeln!(f)?;
        write!(f, "{passed} passed, {failed} failed, {skipped} skipped")
    }
}

#[cfg(test)]
mod tests;
