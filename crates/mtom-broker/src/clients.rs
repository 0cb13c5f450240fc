//! Who is at the broker: who is connected, who has left, and who was not let in. An external broker does not tell;
//! of its clients those are known that speak about themselves.
//!
//! With [`Admission::Named`] a client of another computer is let in only under a name that somebody has
//! allowed. That keeps strangers out who knock by chance. It is no proof: who listens on the network learns
//! the names, and whoever says one is let in. Clients of this computer always are.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Clients that are remembered. Full: who left longest ago is forgotten; if nobody has, the newest is not noted.
const CLIENTS_LEN_MAX: usize = 10_000;
/// Refusals that are remembered, one for each name and address. Full: the one that knocked longest ago goes.
const REFUSED_LEN_MAX: usize = 100;
/// Names that may be allowed.
pub const ALLOWED_LEN_MAX: usize = 1_000;
/// Topics that are remembered of a client. Full: the oldest goes.
const TOPICS_LEN_MAX: usize = 8;
/// The longest name or topic that is remembered or allowed, in bytes.
pub const NAME_LEN_MAX: usize = 256;

/// Who of other computers is let in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Admission {
    /// Whoever comes.
    #[default]
    Everyone,
    /// Whose name was allowed.
    Named,
}

impl Admission {
    /// The word for it in the configuration and the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Everyone => "everyone",
            Self::Named => "allowed",
        }
    }
}

impl RefusedBecause {
    /// The word for it in the API.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotAllowed => "not_allowed",
            Self::NameTooLong => "name_too_long",
        }
    }
}

/// Tells the time, in microseconds since 1970.
pub type Micros = Arc<dyn Fn() -> i64 + Send + Sync>;

/// Somebody who is or was connected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Client {
    /// Its MQTT client id.
    pub name: Arc<str>,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
    /// Since when it is, or was, connected.
    pub connected_at_micros: i64,
    /// When it left; `None`: it is connected.
    pub left: Option<Left>,
    /// The readings' topics on which it published, the newest last.
    pub topics: Vec<Arc<str>>,
}

/// How a client left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Left {
    /// When.
    pub at_micros: i64,
    /// It said goodbye. Else its connection was lost.
    pub is_graceful: bool,
    /// It had left before anybody could see it: `at_micros` is when that was learnt.
    pub is_learnt_late: bool,
}

/// Somebody who was not let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// The MQTT client id that it said, cut where it is too long to be allowed.
    pub name: Arc<str>,
    /// Where it comes from.
    pub address: Option<SocketAddr>,
    /// When it first knocked.
    pub first_at_micros: i64,
    /// When it last did.
    pub last_at_micros: i64,
    /// How often.
    pub count: u64,
    /// Why.
    pub reason: RefusedBecause,
}

/// Why somebody was not let in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusedBecause {
    /// Nobody has allowed its name.
    NotAllowed,
    /// Its name is longer than what can be allowed.
    NameTooLong,
}

/// Everybody, as they were at one moment.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Everybody {
    /// In the order of their names.
    pub clients: Vec<Client>,
    /// Who knocked last comes first.
    pub refused: Vec<Refused>,
    /// Refusals since the start, forgotten ones too.
    pub refused_count: u64,
    /// In order.
    pub allowed: Vec<String>,
}

/// A name that cannot be allowed.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
pub enum NameError {
    /// It is empty, too long, or has a control character.
    #[error("expected 1 to {NAME_LEN_MAX} bytes without control characters")]
    Form,
    /// There is no room.
    #[error("{ALLOWED_LEN_MAX} names are allowed already: take one away first")]
    Full,
}

/// The list of everybody. Cheap to clone.
#[derive(Clone)]
pub struct Clients {
    admission: Admission,
    now: Micros,
    // A std mutex: held for a few instructions, never across an await.
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    clients: HashMap<Arc<str>, Client>,
    refused: VecDeque<Refused>,
    refused_count: u64,
    allowed: BTreeSet<String>,
}

impl Clients {
    /// A list of nobody; `allowed` are the names that were allowed earlier.
    #[must_use]
    pub fn new(
        admission: Admission,
        allowed: impl IntoIterator<Item = String>,
        now: Micros,
    ) -> Self {
        let allowed = allowed.into_iter().filter(|name| check_name(name).is_ok());
        let allowed = allowed.take(ALLOWED_LEN_MAX).collect();
        let state = State { allowed, ..State::default() };
        Self { admission, now, state: Arc::new(Mutex::new(state)) }
    }

    /// Who of other computers is let in.
    #[must_use]
    pub fn admission(&self) -> Admission {
        self.admission
    }

    /// Everybody.
    #[must_use]
    pub fn everybody(&self) -> Everybody {
        let state = self.state();
        let mut clients: Vec<_> = state.clients.values().cloned().collect();
        clients.sort_unstable_by(|a, b| a.name.cmp(&b.name));
        Everybody {
            clients,
            refused: state.refused.iter().rev().cloned().collect(),
            refused_count: state.refused_count,
            allowed: state.allowed.iter().cloned().collect(),
        }
    }

    /// Names that may connect from other computers, in order.
    #[must_use]
    pub fn allowed(&self) -> Vec<String> {
        self.state().allowed.iter().cloned().collect()
    }

    /// From now on who says that name is let in.
    ///
    /// # Errors
    /// [`NameError`].
    pub fn allow(&self, name: &str) -> Result<(), NameError> {
        check_name(name)?;
        let mut state = self.state();
        if state.allowed.len() >= ALLOWED_LEN_MAX && !state.allowed.contains(name) {
            return Err(NameError::Full);
        }
        state.allowed.insert(name.to_owned());
        state.refused.retain(|refused| &*refused.name != name);
        Ok(())
    }

    /// From now on who says that name is not let in. False when it was not allowed.
    pub fn withdraw(&self, name: &str) -> bool {
        self.state().allowed.remove(name)
    }

    /// Whether somebody is let in; who is not is noted.
    pub(crate) fn lets_in(&self, name: &str, address: Option<SocketAddr>) -> bool {
        let is_let_in = self.may_stay(name, address);
        if !is_let_in {
            let is_long = name.len() > NAME_LEN_MAX;
            let reason =
                if is_long { RefusedBecause::NameTooLong } else { RefusedBecause::NotAllowed };
            self.refused(name, address, reason);
        }
        is_let_in
    }

    /// Whether somebody would be let in now.
    pub(crate) fn may_stay(&self, name: &str, address: Option<SocketAddr>) -> bool {
        self.admission == Admission::Everyone
            || address.is_some_and(|address| address.ip().to_canonical().is_loopback())
            || self.state().allowed.contains(name)
    }

    /// Notes who was not let in.
    pub(crate) fn refused(&self, name: &str, address: Option<SocketAddr>, reason: RefusedBecause) {
        let now = (self.now)();
        let name = name.get(..name.floor_char_boundary(NAME_LEN_MAX)).unwrap_or_default();
        let mut state = self.state();
        state.refused_count += 1;
        // Each connection has a port of its own: the computer is meant.
        let from = address.map(|address| address.ip());
        let is_same = |one: &Refused| &*one.name == name && one.address.map(|at| at.ip()) == from;
        let known = state.refused.iter().position(is_same);
        let known = known.and_then(|place| state.refused.remove(place));
        let first_at_micros = known.as_ref().map_or(now, |known| known.first_at_micros);
        let count = known.map_or(0, |known| known.count) + 1;
        if state.refused.len() >= REFUSED_LEN_MAX {
            state.refused.pop_front();
        }
        let (name, last_at_micros) = (Arc::from(name), now);
        let refused = Refused { name, address, first_at_micros, last_at_micros, count, reason };
        state.refused.push_back(refused);
    }

    pub(crate) fn connected(&self, name: &str, address: Option<SocketAddr>) {
        if name.len() > NAME_LEN_MAX {
            return;
        }
        let now = (self.now)();
        let mut state = self.state();
        let known = state.clients.get(name).map(|known| known.topics.clone());
        if known.is_none() && !state.make_room() {
            return;
        }
        let topics = known.unwrap_or_default();
        let name: Arc<str> = Arc::from(name);
        let connected_at_micros = now;
        let client =
            Client { name: Arc::clone(&name), address, connected_at_micros, left: None, topics };
        state.clients.insert(name, client);
    }

    pub(crate) fn left(&self, name: &str, address: Option<SocketAddr>, is_graceful: bool) {
        let at_micros = (self.now)();
        let mut state = self.state();
        // A newer connection may have taken the place of the one that ends.
        let known = state.clients.get_mut(name).filter(|known| known.address == address);
        if let Some(known) = known {
            known.left = Some(Left { at_micros, is_graceful, is_learnt_late: false });
        }
    }

    pub(crate) fn published(&self, name: &str, topic: &str) {
        if topic.len() > NAME_LEN_MAX {
            return;
        }
        let mut state = self.state();
        let Some(client) = state.clients.get_mut(name) else { return };
        if client.topics.iter().any(|known| &**known == topic) {
            return;
        }
        if client.topics.len() >= TOPICS_LEN_MAX {
            client.topics.remove(0);
        }
        client.topics.push(Arc::from(topic));
    }

    /// Somebody at another broker says that it is there.
    pub fn says_online(&self, name: &str) {
        let is_news = self.state().clients.get(name).is_none_or(|known| known.left.is_some());
        if is_news {
            self.connected(name, None);
        }
    }

    /// Somebody at another broker has said so, or its last will does. `is_learnt_late`: some time ago.
    pub fn says_offline(&self, name: &str, is_learnt_late: bool) {
        let at_micros = (self.now)();
        self.know(name);
        let mut state = self.state();
        let known = state.clients.get_mut(name).filter(|known| known.left.is_none());
        if let Some(known) = known {
            known.left = Some(Left { at_micros, is_graceful: false, is_learnt_late });
        }
    }

    /// Somebody at another broker says on which topic its readings come, and on no other.
    pub fn says_topic(&self, name: &str, topic: &str) {
        self.know(name);
        if let Some(known) = self.state().clients.get_mut(name) {
            known.topics.clear();
        }
        self.published(name, topic);
    }

    /// Of whom nothing else is known it is assumed to be there.
    fn know(&self, name: &str) {
        if !self.state().clients.contains_key(name) {
            self.connected(name, None);
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Room for one more client; false when everybody is connected.
    fn make_room(&mut self) -> bool {
        if self.clients.len() < CLIENTS_LEN_MAX {
            return true;
        }
        let left = self.clients.values().filter_map(|client| Some((client.left?, &client.name)));
        let oldest = left.min_by_key(|(left, _)| left.at_micros).map(|(_, name)| Arc::clone(name));
        oldest.is_some_and(|name| self.clients.remove(&name).is_some())
    }
}

fn check_name(name: &str) -> Result<(), NameError> {
    let is_right = !name.is_empty() && name.len() <= NAME_LEN_MAX;
    if is_right && !name.chars().any(char::is_control) { Ok(()) } else { Err(NameError::Form) }
}

#[cfg(test)]
mod tests;
