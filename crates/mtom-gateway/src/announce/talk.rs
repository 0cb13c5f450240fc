//! How it stands between us and Home Assistant, for those who look.

use mtom_broker::client::SetAside;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::Duration;
use tokio::time::Instant;

/// Lines of the log in a period.
pub(super) const WARNINGS_MAX: u32 = 5;
pub(super) const WARNINGS_PERIOD: Duration = Duration::from_secs(10);

/// What is said and heard. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Talk(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    id: String,
    // A std lock: held for a few instructions, never across an await.
    standing: Mutex<TalkStanding>,
    warnings: Mutex<Warnings>,
    set_aside: OnceLock<SetAside>,
}

/// Lines of the log about words that were not done: anybody at the broker can cause them.
#[derive(Debug, Default)]
struct Warnings {
    /// When the lines of now began.
    since: Option<Instant>,
    said: u32,
    unsaid: u64,
}

/// How it stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TalkStanding {
    /// Our sensors and actuators are told to it.
    pub is_told: bool,
    /// The connection of its own that this has at another broker; `None`: it goes through our own broker, or nothing
    /// is told.
    pub line: Option<Line>,
    /// It has said that it is there (`true`) or that it goes; `None`: neither on this connection.
    pub is_there: Option<bool>,
    /// What the broker has of us now.
    pub told: ToldCounts,
    /// Why the broker did not take the last of it, in words.
    pub not_taken: Option<String>,
    /// Its words for our actuators that were done, since the start.
    pub obeyed: u64,
    /// Those that were not: no commands, kept ones, late ones, and those for what is not there.
    pub refused: u64,
    /// Topics of discovered devices over which another broker closes the connection: they are not heard.
    pub set_aside: Vec<String>,
    /// Where it was told before `broker.url` was changed, if this process was the first to see that.
    pub left: Option<Left>,
}

/// What was told at a broker that is not ours any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Left {
    /// Its URL, without user and password.
    pub broker: String,
    /// So many topics it was to keep.
    pub topics: u64,
    /// What takes them back.
    pub command: String,
}

/// The connection to another broker that is Home Assistant's alone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Line {
    /// There is none; why, in words, where one was tried.
    Down(Option<String>),
    /// It is made. The filters that the broker does not let us hear.
    Up(Vec<String>),
}

/// What Home Assistant is told of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ToldCounts {
    /// Devices with sensors.
    pub devices: u64,
    /// Their sensors.
    pub sensors: u64,
    /// Actuators, each a switch.
    pub switches: u64,
}

impl Default for Talk {
    /// Nothing is told.
    fn default() -> Self {
        Self::new("", false)
    }
}

impl Talk {
    pub(crate) fn new(id: &str, is_told: bool) -> Self {
        let standing = TalkStanding { is_told, ..TalkStanding::default() };
        Self(Arc::new(Inner {
            id: id.to_owned(),
            standing: Mutex::new(standing),
            warnings: Mutex::default(),
            set_aside: OnceLock::new(),
        }))
    }

    /// The name that this gateway has there.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.0.id
    }

    /// As it is now.
    #[must_use]
    pub fn standing(&self) -> TalkStanding {
        let mut standing = self.standing_now().clone();
        standing.set_aside = self.0.set_aside.get().map(SetAside::filters).unwrap_or_default();
        standing
    }

    /// Where those are that the broker does not bear.
    pub(crate) fn sets_aside(&self, set_aside: SetAside) {
        let _ = self.0.set_aside.set(set_aside);
    }

    /// It was told at another broker before.
    pub(crate) fn left(&self, left: Left) {
        self.standing_now().left = Some(left);
    }

    pub(crate) fn obeyed(&self) {
        self.standing_now().obeyed += 1;
    }

    pub(crate) fn refused(&self) {
        self.standing_now().refused += 1;
    }

    /// Whether the log takes a line about that now: how many it has not taken before.
    pub(crate) fn may_warn(&self, now: Instant) -> Option<u64> {
        let mut warnings = self.0.warnings.lock().unwrap_or_else(PoisonError::into_inner);
        if warnings.since.is_none_or(|since| now.duration_since(since) >= WARNINGS_PERIOD) {
            (warnings.since, warnings.said) = (Some(now), 0);
        }
        if warnings.said >= WARNINGS_MAX {
            warnings.unsaid += 1;
            return None;
        }
        warnings.said += 1;
        Some(std::mem::take(&mut warnings.unsaid))
    }

    pub(crate) fn is_there(&self, is_there: bool) {
        self.standing_now().is_there = Some(is_there);
    }

    pub(crate) fn told(&self, told: ToldCounts) {
        self.standing_now().told = told;
    }

    pub(crate) fn taken(&self, outcome: Result<(), String>) {
        self.standing_now().not_taken = outcome.err();
    }

    /// There is a connection of its own, or will be.
    pub(crate) fn has_line(&self) {
        self.standing_now().line = Some(Line::Down(None));
    }

    /// It is made.
    pub(crate) fn up(&self) {
        let mut standing = self.standing_now();
        standing.line = Some(Line::Up(Vec::new()));
        standing.is_there = None;
    }

    /// The broker does not let us hear that.
    pub(crate) fn deaf(&self, filter: String) {
        if let Some(Line::Up(refused)) = &mut self.standing_now().line {
            refused.push(filter);
        }
    }

    /// It has ended, or could not be made. True: that is news.
    pub(crate) fn down(&self, reason: String) -> bool {
        let mut standing = self.standing_now();
        let is_news = !matches!(standing.line, Some(Line::Down(Some(_))));
        standing.line = Some(Line::Down(Some(reason)));
        standing.is_there = None;
        is_news
    }

    fn standing_now(&self) -> MutexGuard<'_, TalkStanding> {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
