//! Topics that are wished for while the client runs: subscribed to and given up as they come and go.
//!
//! They come many at a time, so what has changed is looked at a moment later, all of it together, and so much of it is
//! said as the broker may leave unanswered. What is told of one topic waits until the broker has answered to what was
//! told of it before. A broker that refuses one is not asked for it again on this connection; the others are not
//! disturbed. A broker that closes the connection over one is found out: asked for fewer and fewer in one packet, and
//! one packet at a time, until it closes over a single one; that is not asked for any more by this process.
//!
//! A broker that keeps our session keeps its subscriptions, also those of a process that has ended. So what is asked
//! for is noted before, and what is noted and not wished for any more is given up, whoever has asked for it; it is out
//! of the note when the broker has answered to that.

use mtom_mqtt::connection::Connection as Mqtt;
use mtom_mqtt::fault::Fault;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

/// How long changes may wait for company.
const DELAY: Duration = Duration::from_millis(100);
/// Filters of one packet.
const PACKET_LEN: usize = 100;
/// Packets that are not answered. More wait for the answers.
const UNANSWERED_LEN: usize = 1_000;

/// The filters, each with whether what the broker has kept of it is to be told again with every connection: it does
/// not queue what came at QoS 0 meanwhile.
pub type Wanted = BTreeMap<String, bool>;

/// What is wished for.
pub struct Wishes {
    changed: watch::Receiver<u64>,
    list: Arc<dyn Fn() -> Wanted + Send + Sync>,
    due: Option<Instant>,
    /// What this session has been asked for.
    asked: BTreeSet<String>,
    /// A connection was made, and nothing was asked for on it yet.
    is_new: bool,
    /// Packets of subscriptions that are not answered.
    subscribing: VecDeque<Vec<String>>,
    /// What the broker has been told to give up and has not answered to.
    leaving: VecDeque<String>,
    /// There is more to say once there are answers.
    is_behind: bool,
    /// So many filters are in one packet. Fewer than usual: one packet at a time, because a connection has ended over
    /// those before.
    most: usize,
    /// The broker closes the connection over these.
    aside: BTreeSet<String>,
    shown: SetAside,
    /// What the session may have, by earlier processes too.
    noted: BTreeSet<String>,
    /// The note that is written down is another.
    is_older: bool,
    write: Arc<Write>,
    /// What somebody else has asked for in the same session.
    others: BTreeSet<String>,
}

/// The filters that are not asked for, for those who look. Cheap to clone.
#[derive(Clone, Debug, Default)]
// A std lock: held for a few instructions, never across an await.
pub struct SetAside(Arc<Mutex<Vec<String>>>);

impl SetAside {
    /// As they are now, in order.
    #[must_use]
    pub fn filters(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Writes down what the session may have.
type Write = dyn Fn(&BTreeSet<String>) -> io::Result<()> + Send + Sync;

impl Wishes {
    /// What `list` says, looked at again whenever `changed` has.
    pub fn new(
        changed: watch::Receiver<u64>,
        list: impl Fn() -> Wanted + Send + Sync + 'static,
    ) -> Self {
        Self {
            changed,
            list: Arc::new(list),
            due: None,
            asked: BTreeSet::new(),
            is_new: false,
            subscribing: VecDeque::new(),
            leaving: VecDeque::new(),
            is_behind: false,
            most: PACKET_LEN,
            aside: BTreeSet::new(),
            shown: SetAside::default(),
            noted: BTreeSet::new(),
            is_older: false,
            write: Arc::new(|_| Ok(())),
            others: BTreeSet::new(),
        }
    }

    /// Notes what is asked for with `write`, which may block; `noted` is what was noted before. What is among `others`
    /// is asked for by somebody else and is not given up here.
    #[must_use]
    pub fn noting(
        self,
        noted: BTreeSet<String>,
        others: BTreeSet<String>,
        write: impl Fn(&BTreeSet<String>) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self { noted, others, write: Arc::new(write), ..self }
    }

    /// Nothing, for ever.
    #[must_use]
    pub fn none() -> Self {
        Self::new(watch::channel(0).1, Wanted::new)
    }

    /// Those that are not asked for, because the broker closes the connection over them.
    #[must_use]
    pub fn set_aside(&self) -> SetAside {
        self.shown.clone()
    }

    /// A connection is made; `is_whole`: the session has what it was asked for.
    pub(super) fn connected(&mut self, is_whole: bool) {
        self.suspect();
        for filter in self.subscribing.drain(..).flatten() {
            self.asked.remove(&filter);
        }
        self.leaving.clear();
        if !is_whole {
            self.asked.clear();
        }
        self.is_new = true;
        self.due = Some(Instant::now());
    }

    /// The connection before has ended with something unanswered: it may be that which the broker does not bear.
    fn suspect(&mut self) {
        let was_alone = self.most < PACKET_LEN;
        let one = match (self.leaving.front(), self.subscribing.front().map(Vec::as_slice)) {
            (Some(filter), None) | (None, Some([filter])) if was_alone => filter.clone(),
            (None, None) => return,
            (_, filters) => {
                let len = filters.map_or(1, <[_]>::len);
                self.most = (self.most.min(len) / 2).max(1);
                return;
            }
        };
        tracing::warn!(
            filter = one,
            "the broker closes the connection over the topic of a discovered device: it is not heard"
        );
        self.noted.remove(&one);
        self.is_older = true;
        self.aside.insert(one);
        *self.shown.0.lock().unwrap_or_else(PoisonError::into_inner) =
            self.aside.iter().cloned().collect();
    }

    /// Waits until something is to be asked for. May be dropped and called again.
    pub(super) async fn due(&mut self) {
        loop {
            if let Some(due) = self.due {
                sleep_until(due).await;
                self.due = None;
                return;
            }
            if self.changed.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
            self.due = Some(Instant::now() + DELAY);
        }
    }

    /// Asks for what is new and gives up what is not wished for any more.
    pub(super) async fn follow(&mut self, mqtt: &mut Mqtt) -> Result<(), Fault> {
        let mut wanted = (self.list)();
        wanted.retain(|filter, _| !self.aside.contains(filter));
        if std::mem::take(&mut self.is_new) {
            self.asked.retain(|filter| wanted.get(filter) == Some(&false));
        }
        for filter in self.others.iter().filter(|filter| !wanted.contains_key(*filter)) {
            self.is_older |= self.noted.remove(filter);
        }
        let mut is_more = false;
        for filter in wanted.keys() {
            is_more |= self.noted.insert(filter.clone());
        }
        if is_more {
            self.write().await;
        }
        self.give_up(&wanted, mqtt)?;
        self.ask(&wanted, mqtt)?;
        if !self.is_behind && self.unanswered() == 0 {
            self.most = PACKET_LEN;
            if self.is_older {
                self.write().await;
            }
        }
        Ok(())
    }

    fn unanswered(&self) -> usize {
        self.subscribing.len() + self.leaving.len()
    }

    /// How many packets may be unanswered.
    fn unanswered_max(&self) -> usize {
        if self.most < PACKET_LEN { 1 } else { UNANSWERED_LEN }
    }

    /// How many packets more may be unanswered.
    fn room(&self) -> usize {
        self.unanswered_max().saturating_sub(self.unanswered())
    }

    /// An answer has come: looks at it all again when there is room for more, or when it was the last.
    fn look_again(&mut self) {
        let unanswered = self.unanswered();
        if self.is_behind && unanswered <= self.unanswered_max() / 2 {
            self.due = Some(Instant::now());
        } else if unanswered == 0 {
            self.due.get_or_insert(Instant::now() + DELAY);
        }
    }

    fn give_up(&mut self, wanted: &Wanted, mqtt: &mut Mqtt) -> Result<(), Fault> {
        let subscribing: BTreeSet<_> = self.subscribing.iter().flatten().collect();
        let is_old =
            |filter: &&String| !wanted.contains_key(*filter) && !self.leaving.contains(filter);
        let mut old = self.noted.iter().filter(is_old);
        let room = self.room();
        let free = old.by_ref().filter(|filter| !subscribing.contains(filter));
        let now: Vec<_> = free.take(room).cloned().collect();
        self.is_behind = old.next().is_some();
        for filter in now {
            mqtt.unsubscribe(&filter)?;
            self.asked.remove(&filter);
            self.leaving.push_back(filter);
        }
        Ok(())
    }

    fn ask(&mut self, wanted: &Wanted, mqtt: &mut Mqtt) -> Result<(), Fault> {
        let is_new =
            |filter: &&String| !self.asked.contains(*filter) && !self.leaving.contains(filter);
        let mut new = wanted.keys().filter(is_new);
        let len = self.room() * self.most;
        let now: Vec<_> = new.by_ref().take(len).cloned().collect();
        self.is_behind |= new.next().is_some();
        for filters in now.chunks(self.most) {
            let packet: Vec<&str> = filters.iter().map(String::as_str).collect();
            mqtt.subscribe(&packet, true)?;
            self.asked.extend(filters.iter().cloned());
            self.subscribing.push_back(filters.to_vec());
        }
        Ok(())
    }

    async fn write(&mut self) {
        let (write, noted) = (Arc::clone(&self.write), self.noted.clone());
        match tokio::task::spawn_blocking(move || write(&noted)).await {
            Ok(Ok(())) => self.is_older = false,
            // It is tried again with the next change; to hear is worth more than to be tidy after a crash.
            Ok(Err(cause)) => {
                tracing::warn!(%cause, "what the broker is asked for is not noted");
            }
            Err(cause) => {
                tracing::warn!(%cause, "what the broker is asked for is not noted");
            }
        }
    }

    /// The broker has given up one.
    pub(super) fn given_up(&mut self, filter: &str) {
        let Some(at) = self.leaving.iter().position(|leaving| leaving == filter) else { return };
        self.leaving.remove(at);
        self.is_older |= self.noted.remove(filter);
        // One that is wished for anew meanwhile has waited for this.
        self.look_again();
    }

    /// The broker has answered to one packet.
    pub(super) fn answered(&mut self, refused: &[(String, String)]) {
        self.subscribing.pop_front();
        self.look_again();
        for (filter, reason) in refused {
            tracing::warn!(
                filter,
                reason,
                "the broker does not let us hear a topic of a discovered device"
            );
        }
    }
}
