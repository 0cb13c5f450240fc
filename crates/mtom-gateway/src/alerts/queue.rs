//! Which alert is tried when. Pure: time and chance are arguments.
//!
//! Each target has a line of its own with one alert under way at most, the oldest first, so that a dead one
//! holds up nobody else. A failure that is the target's (no connection, 503) holds up its whole line, and the
//! order in it stays. A failure that is the alert's (500 to this one) lets the others pass by.
//!
//! Only numbers are kept here. A start forgets how long was to be waited and tries everything at once.

use mtom_protocol::time::UnixMicros;
use mtom_store::record::AlertTarget;
use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

/// Alerts that wait for one target. Full: the newest is given up, and counted as such.
pub(super) const LINE_LEN_MAX: usize = 1_000;
/// Tries under way. Full: the next waits until one ends, which it does in time.
pub(super) const UNDER_WAY_MAX: usize = 16;
/// After the first failure.
const RETRY_MIN: Duration = Duration::from_secs(1);
/// The longest wait between two tries.
const RETRY_MAX: Duration = Duration::from_secs(600);
/// Doublings after which the longest wait is reached for sure.
const DOUBLINGS_MAX: u32 = 10;

/// Who is to blame for a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Blame {
    /// The next alert would fare no better.
    Target,
    /// Another alert may be taken.
    Alert,
}

/// Where an alert goes, and nothing else about it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Target {
    Topic(String),
    Url(String),
}

impl From<&AlertTarget> for Target {
    fn from(target: &AlertTarget) -> Self {
        match target {
            AlertTarget::Topic { topic, .. } => Self::Topic(topic.clone()),
            AlertTarget::Url(url) => Self::Url(url.clone()),
        }
    }
}

/// An alert whose turn it is, and how often in a row it failed before, by whose fault.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Turn {
    pub(super) id: u64,
    pub(super) target: Target,
    pub(super) line_failures: u32,
    pub(super) alert_failures: u32,
}

impl Turn {
    /// How long to wait after one more failure, and whether it is the first of its kind.
    pub(super) fn delay(&self, blame: Blame, chance: f64) -> (Duration, bool) {
        let failures = match blame {
            Blame::Target => self.line_failures,
            Blame::Alert => self.alert_failures,
        };
        let longest = (RETRY_MIN * 2_u32.pow(failures.min(DOUBLINGS_MAX))).min(RETRY_MAX);
        (longest.mul_f64(0.5 + chance.clamp(0.0, 1.0) / 2.0), failures == 0)
    }
}

/// What became of a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Delivered or given up: nobody waits for it any more.
    Done { taken: bool },
    /// It is to be tried again.
    Failed { blame: Blame, again_at: UnixMicros },
}

/// Everything that waits.
#[derive(Debug, Default)]
pub(super) struct Queue {
    lines: BTreeMap<Target, Line>,
    under_way: usize,
}

#[derive(Debug)]
struct Line {
    /// Oldest first.
    alerts: VecDeque<Waiting>,
    /// The one that is tried now.
    under_way: Option<u64>,
    failures: u32,
    held_until: UnixMicros,
}

#[derive(Debug)]
struct Waiting {
    id: u64,
    failures: u32,
    not_before: UnixMicros,
}

const AT_ONCE: UnixMicros = UnixMicros(i64::MIN);

impl Queue {
    /// Lets an alert wait; ids rise. False: too many wait for this target already.
    pub(super) fn add(&mut self, id: u64, target: Target) -> bool {
        let line = self.lines.entry(target).or_insert_with(|| Line {
            alerts: VecDeque::new(),
            under_way: None,
            failures: 0,
            held_until: AT_ONCE,
        });
        if line.alerts.len() >= LINE_LEN_MAX {
            return false;
        }
        line.alerts.push_back(Waiting { id, failures: 0, not_before: AT_ONCE });
        true
    }

    /// Publishes nothing that waits now before `until`.
    pub(super) fn hold_topics(&mut self, until: UnixMicros) {
        for (target, line) in &mut self.lines {
            if matches!(target, Target::Topic(_)) {
                line.held_until = until;
            }
        }
    }

    /// The alert whose turn it is now: the oldest of all that may be tried.
    pub(super) fn start(&mut self, now: UnixMicros) -> Option<Turn> {
        if self.under_way >= UNDER_WAY_MAX {
            return None;
        }
        let idle = self.lines.iter_mut().filter(|(_, line)| line.under_way.is_none());
        let due = idle.filter_map(|(target, line)| {
            let next = line.next().filter(|(at, _)| *at <= now)?.1;
            let (id, alert_failures) = (next.id, next.failures);
            Some((id, alert_failures, target, line))
        });
        let (id, alert_failures, target, line) = due.min_by_key(|(id, ..)| *id)?;
        line.under_way = Some(id);
        self.under_way += 1;
        Some(Turn { id, target: target.clone(), line_failures: line.failures, alert_failures })
    }

    /// Takes what became of a turn.
    pub(super) fn end(&mut self, target: &Target, ended: Ended) {
        let Some(line) = self.lines.get_mut(target) else { return };
        let Some(id) = line.under_way.take() else { return };
        self.under_way -= 1;
        match ended {
            Ended::Done { taken } => {
                line.alerts.retain(|alert| alert.id != id);
                if taken {
                    line.failures = 0;
                }
            }
            Ended::Failed { blame: Blame::Target, again_at } => {
                line.failures = line.failures.saturating_add(1);
                line.held_until = again_at;
            }
            Ended::Failed { blame: Blame::Alert, again_at } => {
                line.failures = 0;
                if let Some(alert) = line.alerts.iter_mut().find(|alert| alert.id == id) {
                    alert.failures = alert.failures.saturating_add(1);
                    alert.not_before = again_at;
                }
            }
        }
        if line.alerts.is_empty() {
            self.lines.remove(target);
        }
    }

    /// When the next turn comes that needs nothing but time.
    pub(super) fn next_at(&self) -> Option<UnixMicros> {
        if self.under_way >= UNDER_WAY_MAX {
            return None;
        }
        let idle = self.lines.values().filter(|line| line.under_way.is_none());
        idle.filter_map(|line| line.next().map(|(at, _)| at)).min()
    }

    /// How many alerts wait, those under way among them.
    pub(super) fn len(&self) -> usize {
        self.lines.values().map(|line| line.alerts.len()).sum()
    }
}

impl Line {
    /// Who is next, and when.
    fn next(&self) -> Option<(UnixMicros, &Waiting)> {
        let first = self.alerts.iter().min_by_key(|alert| (alert.not_before, alert.id))?;
        Some((first.not_before.max(self.held_until), first))
    }
}

#[cfg(test)]
mod tests;
