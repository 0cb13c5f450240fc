//! Pairing, as a person sees it who is not at the gateway: begun, answered and given up from afar.
//!
//! One pairing per actuator at a time, in a window of [`PAIRING_MAX`](mtom_actuator::PAIRING_MAX);
//! outside it nobody is asked and so nobody is paired. The link rests meanwhile. What came of the last
//! one is told until the next begins.

pub use mtom_actuator::{Answer, Step};
use mtom_actuator::{BluetoothId, LinkAddress, PairError, Say, Settings};
use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::{mpsc, watch};
use tokio_util::sync::CancellationToken;

/// Answers on their way to the one who pairs. Full: whoever answers is told that nothing was asked.
const ANSWERS_LEN: usize = 4;

/// How a pairing stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PairingState {
    /// None was begun.
    Never,
    /// Begun; the link lets go of the device first.
    Begun,
    /// It goes on.
    Step(Step),
    /// The device is paired.
    Paired {
        /// Which one.
        id: BluetoothId,
    },
    /// It is not.
    Failed {
        /// Why, with the next step.
        reason: String,
    },
}

/// Why nothing was done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PairingError {
    /// There is no such actuator.
    #[error("there is no actuator {name:?}: expected {known}")]
    Actuator {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// Its link cannot be paired.
    #[error("{0}")]
    Link(String),
    /// One goes on already.
    #[error("{name} is being paired already")]
    Busy {
        /// Whose.
        name: String,
    },
    /// Nothing was asked that this would answer.
    #[error("nothing is asked of {name} that this would answer")]
    NotAsked {
        /// Whose.
        name: String,
    },
}

/// All pairings of a gateway. Cheap to clone.
#[derive(Clone, Default)]
pub struct Pairings {
    // A std mutex: held for a few instructions, never across an await.
    all: Arc<Mutex<BTreeMap<String, Entry>>>,
}

struct Entry {
    state: PairingState,
    /// Why its link cannot be paired.
    unfit: Option<String>,
    /// Where the one who pairs waits; none while nobody does.
    answers: Option<mpsc::Sender<Answer>>,
    /// Wakes the link: rises when a pairing is begun or ends.
    turns: watch::Sender<u64>,
}

/// The link's end.
pub struct Desk {
    pairings: Pairings,
    name: String,
    turns: watch::Receiver<u64>,
    /// That in which the last one was begun.
    turn: u64,
}

impl Pairings {
    /// The desk of an actuator's link.
    #[must_use]
    pub fn desk(&self, name: &str, link: &LinkAddress) -> Desk {
        let unfit = match link {
            LinkAddress::Ble(_) => None,
            _ => Some(PairError::NotLowEnergy(link.to_string()).to_string()),
        };
        let (turns, receiver) = watch::channel(0);
        let entry = Entry { state: PairingState::Never, unfit, answers: None, turns };
        self.lock().insert(name.to_owned(), entry);
        Desk { pairings: self.clone(), name: name.to_owned(), turns: receiver, turn: 0 }
    }

    /// Begins one.
    ///
    /// # Errors
    /// When there is no such actuator, its link cannot be paired, or one goes on already.
    pub fn begin(&self, name: &str) -> Result<(), PairingError> {
        self.with(name, |entry| {
            if let Some(reason) = &entry.unfit {
                return Err(PairingError::Link(reason.clone()));
            }
            if entry.is_open() {
                return Err(PairingError::Busy { name: name.to_owned() });
            }
            entry.turn(PairingState::Begun);
            Ok(())
        })
    }

    /// Answers what was asked.
    ///
    /// # Errors
    /// When there is no such actuator, or nothing was asked that this would answer.
    pub fn answer(&self, name: &str, answer: Answer) -> Result<(), PairingError> {
        self.with(name, |entry| {
            let not_asked = || PairingError::NotAsked { name: name.to_owned() };
            let fits = matches!(
                (&entry.state, answer),
                (PairingState::Step(Step::PasskeyWanted), Answer::Passkey(_))
                    | (PairingState::Step(Step::Compare(_)), Answer::Same(_))
            );
            let answers = entry.answers.as_ref().filter(|_| fits).ok_or_else(not_asked)?;
            answers.try_send(answer).map_err(|_| not_asked())
        })
    }

    /// Gives one up; nothing, when none goes on.
    ///
    /// # Errors
    /// When there is no such actuator.
    pub fn give_up(&self, name: &str) -> Result<(), PairingError> {
        self.with(name, |entry| {
            if entry.is_open() {
                entry.turn(PairingState::Failed { reason: "given up".into() });
            }
            Ok(())
        })
    }

    /// How it stands.
    ///
    /// # Errors
    /// When there is no such actuator.
    pub fn state(&self, name: &str) -> Result<PairingState, PairingError> {
        self.with(name, |entry| Ok(entry.state.clone()))
    }

    fn with<T>(
        &self,
        name: &str,
        act: impl FnOnce(&mut Entry) -> Result<T, PairingError>,
    ) -> Result<T, PairingError> {
        let mut all = self.lock();
        if let Some(entry) = all.get_mut(name) {
            return act(entry);
        }
        let known: Vec<&str> = all.keys().map(String::as_str).collect();
        let known = if known.is_empty() { "none".into() } else { known.join(", ") };
        Err(PairingError::Actuator { name: name.to_owned(), known })
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<String, Entry>> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_open(&self) -> bool {
        matches!(self.state, PairingState::Begun | PairingState::Step(_))
    }

    /// It begins or ends; whoever pairs hears no answer any more.
    fn turn(&mut self, state: PairingState) {
        self.state = state;
        self.answers = None;
        self.turns.send_modify(|turns| *turns += 1);
    }
}

impl Desk {
    /// Waits until a pairing is wanted.
    pub async fn wanted(&mut self) {
        loop {
            self.until(|entry| entry.state == PairingState::Begun).await;
            let begun = self.pairings.with(&self.name, |entry| {
                Ok((entry.state == PairingState::Begun).then(|| *entry.turns.borrow()))
            });
            if let Ok(Some(turn)) = begun {
                self.turn = turn;
                return;
            }
        }
    }

    /// Pairs the device, while the link rests; ends soon when it is given up, or at `stop`.
    pub async fn pair(&mut self, settings: &Settings, stop: &CancellationToken) {
        let turn = self.turn;
        let is_mine = move |entry: &Entry| *entry.turns.borrow() == turn;
        let (sender, answers) = mpsc::channel(ANSWERS_LEN);
        self.told(is_mine, |entry| entry.answers = Some(sender));
        let (pairings, name) = (self.pairings.clone(), self.name.clone());
        let say: Say = Arc::new(move |step| {
            let _ = pairings.with(&name, |entry| {
                if is_mine(entry) {
                    entry.state = PairingState::Step(step);
                }
                Ok(())
            });
        });
        let given_up = stop.child_token();
        let mut pairing = pin!(mtom_actuator::pair(settings, say, answers, &given_up));
        let outcome = tokio::select! {
            biased;
            // Also when it is begun anew at once.
            () = self.until(|entry| !is_mine(entry)) => {
                given_up.cancel();
                pairing.await
            }
            outcome = &mut pairing => outcome,
        };
        let state = match outcome {
            Ok(id) => PairingState::Paired { id },
            Err(error) => PairingState::Failed { reason: error.to_string() },
        };
        self.told(is_mine, |entry| entry.turn(state));
    }

    async fn until(&mut self, is_so: impl Fn(&Entry) -> bool) {
        loop {
            self.turns.mark_unchanged();
            if self.pairings.with(&self.name, |entry| Ok(is_so(entry))) == Ok(true) {
                return;
            }
            // The entry stays as long as the gateway, and so does the sender in it.
            if self.turns.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Of one that still goes on.
    fn told(&self, is_mine: impl Fn(&Entry) -> bool, act: impl FnOnce(&mut Entry)) {
        let _ = self.pairings.with(&self.name, |entry| {
            if is_mine(entry) {
                act(entry);
            }
            Ok(())
        });
    }
}

#[cfg(test)]
mod tests;
