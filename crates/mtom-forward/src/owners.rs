//! Which controller drives which actuator, as far as controllers say.
//!
//! Two that drive one LED would each undo what the other does, so the second is refused and told both names. A
//! controller that is away keeps its actuators for [`LEASE`]: a short break is no reason to hand them over. One
//! that comes again takes the place of its connection before, which may be half open.

use mtom_protocol::time::UnixMicros;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How long a controller that is away keeps its actuators.
pub const LEASE: Duration = Duration::from_secs(60);
/// Controllers at one gateway. Full: the next is refused.
const CONTROLLERS_MAX: usize = 256;
const ACTUATORS_MAX: usize = 256;
const NAME_LEN_MAX: usize = 64;

/// Who wants to drive what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// What persons call the controller.
    pub name: String,
    /// What tells it from others of that name: its own, for ever.
    pub id: String,
    /// The names of its actuators.
    pub actuators: Vec<String>,
}

impl Claim {
    /// # Errors
    /// What is wrong with it, in words.
    pub(crate) fn check(&self) -> Result<(), String> {
        let is_name = |name: &str| {
            (1..=NAME_LEN_MAX).contains(&name.len()) && !name.chars().any(char::is_control)
        };
        for (key, name) in [("name", &self.name), ("id", &self.id)] {
            if !is_name(name) {
                return Err(format!(
                    "controller.{key}: expected 1 to {NAME_LEN_MAX} bytes without control characters"
                ));
            }
        }
        if self.actuators.len() > ACTUATORS_MAX {
            let count = self.actuators.len();
            return Err(format!("{count} actuators: expected at most {ACTUATORS_MAX}"));
        }
        if let Some(odd) = self.actuators.iter().find(|name| !is_name(name)) {
            return Err(format!(
                "controller.actuators: {:?} is no name: expected 1 to {NAME_LEN_MAX} bytes without \
                 control characters",
                odd.chars().take(NAME_LEN_MAX).collect::<String>()
            ));
        }
        Ok(())
    }
}

/// A controller and what it drives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Controller {
    /// Counts those that this gateway has taken in.
    pub number: u64,
    /// What it says of itself.
    pub claim: Claim,
    /// Where it is: an IP address.
    pub place: String,
    /// Since when it is known.
    pub since: UnixMicros,
    /// Since when it is away; `None`: it is connected.
    pub away_since: Option<UnixMicros>,
}

/// Why a controller is refused: one line for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another one drives it.
    Taken { actuator: String, name: String, place: String, refused: String },
    /// The gateway drives it.
    Own { actuator: String, refused: String },
    /// There are too many.
    Full { refused: String },
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let refused = match self {
            Self::Taken { actuator, name, place, refused } => {
                write!(f, "actuator {actuator:?} is driven by controller {name:?} at {place}")?;
                refused
            }
            Self::Own { actuator, refused } => {
                write!(f, "actuator {actuator:?} is driven by the gateway itself")?;
                refused
            }
            Self::Full { refused } => {
                write!(f, "there are {CONTROLLERS_MAX} controllers already")?;
                refused
            }
        };
        write!(f, ": controller {refused:?} is refused")
    }
}

impl Refused {
    /// What a person can do about it.
    pub(crate) fn next(&self) -> String {
        match self {
            Self::Taken { name, .. } => format!(
                "stop one of the two, or give the actuator here another name; what {name:?} drives is free {} s after \
                 it has gone",
                LEASE.as_secs()
            ),
            Self::Own { .. } => "start the gateway as `mtom gateway`, which drives nothing, or give the actuator here \
                                 another name"
                .to_owned(),
            Self::Full { .. } => {
                format!("stop one; its place is free {} s after it has gone", LEASE.as_secs())
            }
        }
    }
}

/// Who drives what. A clone is the same.
#[derive(Clone, Debug, Default)]
pub struct Owners {
    shared: Arc<Shared>,
}

#[derive(Debug, Default)]
struct Shared {
    // `std`: held for a look at a few entries; never across an await.
    entries: Mutex<Vec<Entry>>,
    count: AtomicU64,
    changed: Notify,
    /// What the gateway drives itself.
    own: Vec<String>,
}

#[derive(Debug)]
struct Entry {
    controller: Controller,
    left_at: Option<Instant>,
    /// Ends the connection that it has.
    replaced: CancellationToken,
}

impl Entry {
    fn is_over(&self, now: Instant) -> bool {
        self.left_at.is_some_and(|left_at| now.duration_since(left_at) >= LEASE)
    }
}

impl Owners {
    /// Nobody yet, beside the gateway itself, which drives `own`.
    #[must_use]
    pub fn new(own: Vec<String>) -> Self {
        Self { shared: Arc::new(Shared { own, ..Shared::default() }) }
    }

    /// Those that are connected, or have not been away for [`LEASE`].
    #[must_use]
    pub fn list(&self, now: Instant) -> Vec<Controller> {
        let mut entries = self.entries();
        entries.retain(|entry| !entry.is_over(now));
        entries.iter().map(|entry| entry.controller.clone()).collect()
    }

    /// Those whom the gateway before this one had taken in have what they had, as if that one's end were theirs:
    /// `known` as it stood then, `at` and `now` this one's start.
    pub fn restore(&self, known: Vec<Controller>, at: UnixMicros, now: Instant) {
        let mut entries = self.entries();
        for mut controller in known {
            let away = controller.away_since.map_or(Duration::ZERO, |since| at.since(since));
            if away >= LEASE
                || controller.claim.check().is_err()
                || entries.len() >= CONTROLLERS_MAX
            {
                continue;
            }
            controller.away_since.get_or_insert(at);
            controller.number = self.shared.count.fetch_add(1, Ordering::Relaxed) + 1;
            let left_at = Some(now.checked_sub(away).unwrap_or(now));
            entries.push(Entry { controller, left_at, replaced: CancellationToken::new() });
        }
    }

    /// When somebody has come or gone since this was waited for last, by one waiter.
    pub async fn changed(&self) {
        self.shared.changed.notified().await;
    }

    /// Takes a controller in, as of `at`. It holds its actuators for as long as the [`Hold`] lives, and a while longer.
    ///
    /// # Errors
    /// Who has one of them.
    pub(crate) fn claim(
        &self,
        claim: &Claim,
        place: String,
        at: UnixMicros,
        now: Instant,
    ) -> Result<Hold, Refused> {
        let mut entries = self.entries();
        entries.retain(|entry| !entry.is_over(now));
        let refused = || claim.name.clone();
        for actuator in &claim.actuators {
            if self.shared.own.contains(actuator) {
                return Err(Refused::Own { actuator: actuator.clone(), refused: refused() });
            }
            let other = entries.iter().map(|entry| &entry.controller).find(|other| {
                other.claim.id != claim.id && other.claim.actuators.contains(actuator)
            });
            if let Some(Controller { claim: Claim { name, .. }, place, .. }) = other {
                let (actuator, name, place) = (actuator.clone(), name.clone(), place.clone());
                return Err(Refused::Taken { actuator, name, place, refused: refused() });
            }
        }
        let replaced = CancellationToken::new();
        let entry = |number, since| Entry {
            controller: Controller { number, claim: claim.clone(), place, since, away_since: None },
            left_at: None,
            replaced: replaced.clone(),
        };
        if let Some(before) = entries.iter_mut().find(|entry| entry.controller.claim.id == claim.id)
        {
            before.replaced.cancel();
            let Controller { number, since, .. } = before.controller;
            *before = entry(number, since);
        } else if entries.len() < CONTROLLERS_MAX {
            let number = self.shared.count.fetch_add(1, Ordering::Relaxed) + 1;
            entries.push(entry(number, at));
        } else {
            return Err(Refused::Full { refused: refused() });
        }
        self.shared.changed.notify_one();
        Ok(Hold { owners: self.clone(), id: claim.id.clone(), replaced })
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.shared.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A controller that is connected.
#[derive(Debug)]
pub(crate) struct Hold {
    owners: Owners,
    id: String,
    replaced: CancellationToken,
}

impl Hold {
    /// When the same controller has connected again.
    pub(crate) async fn replaced(&self) {
        self.replaced.cancelled().await;
    }

    pub(crate) fn is_replaced(&self) -> bool {
        self.replaced.is_cancelled()
    }

    /// It is away as of `at`.
    pub(crate) fn leave(self, at: UnixMicros, now: Instant) {
        let mut entries = self.owners.entries();
        // Looked at within: whoever replaces it says so within too.
        if self.replaced.is_cancelled() {
            return;
        }
        if let Some(entry) = entries.iter_mut().find(|entry| entry.controller.claim.id == self.id) {
            entry.controller.away_since = Some(at);
            entry.left_at = Some(now);
            self.owners.shared.changed.notify_one();
        }
    }
}

#[cfg(test)]
mod tests;
