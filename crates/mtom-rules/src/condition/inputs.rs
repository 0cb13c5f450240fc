//! What an expression reads beside the reading itself: windows of its series, and other series.

use super::tree::Tree;
use mtom_protocol::time::parse_span;
use std::time::Duration;

/// The longest window.
const WINDOW_MAX: Duration = Duration::from_secs(7 * 86_400);
/// The shortest window.
const WINDOW_MIN: Duration = Duration::from_secs(1);

/// What is asked of a window, but for how many there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Stat {
    Average,
    Minimum,
    Maximum,
    /// Per hour, from the oldest to the newest.
    Rate,
}

impl Stat {
    pub(super) fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "avg" => Self::Average,
            "min" => Self::Minimum,
            "max" => Self::Maximum,
            "rate" => Self::Rate,
            _ => return None,
        })
    }
}

/// Everything that the expressions of one rule read beside the reading. Trees name its entries by place.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    /// The spans of windows.
    pub(crate) windows: Vec<Duration>,
    /// Devices and quantities.
    pub(crate) others: Vec<(Box<str>, Box<str>)>,
    /// What the expression that is being read names, each once, to tell the values.
    pub(super) named: Vec<(Box<str>, Tree)>,
}

impl Needs {
    pub(super) fn window(&mut self, span: Duration) -> usize {
        place(&mut self.windows, span)
    }

    pub(super) fn name(&mut self, name: &str, tree: impl FnOnce() -> Option<Tree>) {
        if !self.named.iter().any(|(known, _)| **known == *name)
            && let Some(tree) = tree()
        {
            self.named.push((name.into(), tree));
        }
    }

    pub(super) fn other(&mut self, device: &str, quantity: &str) -> usize {
        place(&mut self.others, (device.into(), quantity.into()))
    }
}

fn place<T: PartialEq>(list: &mut Vec<T>, wanted: T) -> usize {
    list.iter().position(|known| *known == wanted).unwrap_or_else(|| {
        list.push(wanted);
        list.len() - 1
    })
}

/// `30s`, `5m`, `1h`, `7d`.
pub(super) fn span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("expected a time span as in \"30s\", \"5m\" or \"1h\", found {text:?}");
    let span = parse_span(text).ok_or_else(wrong)?;
    if (WINDOW_MIN..=WINDOW_MAX).contains(&span) {
        Ok(span)
    } else {
        Err(format!("expected a window of 1s to 7d, found {text:?}"))
    }
}

/// `Environ/Humidity`: device and quantity.
pub(super) fn series(text: &str) -> Result<(&str, &str), String> {
    let wrong =
        || format!("expected a device and a quantity, as in \"Environ/Humidity\", found {text:?}");
    let (device, quantity) = text.rsplit_once('/').ok_or_else(wrong)?;
    if device.is_empty() || quantity.is_empty() || text.contains(['+', '#']) {
        return Err(wrong());
    }
    Ok((device, quantity))
}
