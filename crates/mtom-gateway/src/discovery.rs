//! Devices that tell Home Assistant what they are: what they keep at the broker is read, and then their readings.
//!
//! A topic that such a device names is listened to by itself and read as the device says. One that `ingest.topics`
//! names is read as it always was, whoever names it too; and where `#` alone brings it, so is every message in which
//! that finds a reading. Configs are kept in the data folder, because a broker that keeps our session does not say them
//! again; another broker's is acknowledged once it is written there, so that what its device says after it is never read
//! by an older one, not even after a crash. Nothing here waits: the file is written by a task of its own.

use crate::settings::HomeAssistant;
pub(crate) use around::{Around, Cover};
use book::{Book, Heard};
use mtom_broker::intake::{Note, Receipt};
use mtom_protocol::discovery::{place, read};
use mtom_protocol::reading::Reading;
use mtom_protocol::topic;
pub(crate) use plans::Plans;
pub use shown::{Counts, Shown, Standing};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;
pub(crate) use topics::{Of, Topics};

mod around;
mod book;
mod fate;
mod file;
mod known;
mod names;
mod plans;
mod shown;
mod topics;

/// Changes come many at a time, when a broker says all that it has kept.
const WRITE_DELAY: Duration = Duration::from_secs(1);
/// So long the first of them waits for the others.
const GATHER_DELAY: Duration = Duration::from_millis(100);
/// Whoever is called so in a config's origin is a gateway; its readings are somebody else's already.
pub(crate) const ORIGIN: &str = "mtom";

/// What devices have told about themselves. Cheap to clone.
#[derive(Clone)]
pub struct Discovered(Arc<Inner>);

struct Inner {
    prefix: String,
    /// Otherwise nobody is listened to.
    is_on: bool,
    // A std lock: held for a few instructions, and while one config is read; never across an await.
    book: RwLock<Book>,
    /// There is something in the book; most messages need not ask then.
    is_any: AtomicBool,
    /// The topics of what is written down, and how often they were others. A reading on one of these finds its
    /// config also after a crash.
    written: RwLock<Topics>,
    version: watch::Sender<u64>,
    /// How often something has changed in the book.
    changes: AtomicU64,
    /// So many of these are written down, or could not be.
    tried: watch::Sender<u64>,
    /// The file is older than the book.
    is_older: Notify,
    path: PathBuf,
}

impl Discovered {
    /// What an earlier gateway has heard below the prefix.
    pub(crate) fn open(folder: &Path, settings: &HomeAssistant, around: Around) -> Self {
        let HomeAssistant { prefix, discover: is_on, .. } = settings.clone();
        let mut book = Book::new(around);
        let path = folder.join(file::FILE);
        if is_on {
            file::read(&path, &prefix, &mut book);
        }
        let is_any = AtomicBool::new(!book.is_empty());
        let (version, _) = watch::channel(0);
        let written = RwLock::new(book.topics());
        let (changes, tried) = (AtomicU64::new(0), watch::channel(0).0);
        let (book, is_older) = (RwLock::new(book), Notify::new());
        Self(Arc::new(Inner {
            prefix,
            is_on,
            book,
            is_any,
            written,
            version,
            changes,
            tried,
            is_older,
            path,
        }))
    }

    /// Nobody is listened to.
    #[cfg(test)]
    pub(crate) fn none() -> Self {
        let settings = HomeAssistant { discover: false, ..HomeAssistant::default() };
        let around = Around::none();
        Self::open(Path::new(""), &settings, around)
    }

    /// The filters of configs at an external broker.
    pub(crate) fn filters(&self) -> Vec<String> {
        let prefix = self.0.is_on.then_some(&self.0.prefix).into_iter();
        let filters = |prefix| ["+/+", "+/+/+"].map(|rest| format!("{prefix}/{rest}/config"));
        prefix.flat_map(filters).collect()
    }

    /// Hears a message; true: it is a config. What it says is from outside and may be anything.
    pub(crate) fn heard(&self, topic: &str, payload: &[u8]) -> bool {
        let Some(place) = place(&self.0.prefix, topic).filter(|_| self.0.is_on) else {
            return false;
        };
        let text = std::str::from_utf8(payload).map(str::trim);
        let heard = match text {
            Ok("") => {
                if !self.read().has(topic) {
                    return true;
                }
                self.write().forget(topic)
            }
            // The broker says it again whenever we come back: it is the same nearly always.
            Ok(text) if text.starts_with('{') && self.read().is_same(topic, text) => Heard::Same,
            Ok(text) if text.starts_with('{') => {
                // Read only where there is room, and while nobody waits for it.
                let said = self.read().has_room(topic, text).then(|| read(&place, text.as_bytes()));
                self.write().hear(topic, text, said)
            }
            // Somebody's readings may be called so.
            _ => return false,
        };
        if heard == Heard::Changed {
            self.0.is_any.store(!self.read().is_empty(), Ordering::Release);
            self.changed_now();
        }
        true
    }

    /// When what was heard on that topic is written down; `None`: it is, or there was nothing to write. One that
    /// cannot be written does not hold up the readings behind it for longer than one try.
    pub(crate) fn until_written(&self, topic: &str) -> Option<Receipt> {
        place(&self.0.prefix, topic).filter(|_| self.0.is_on)?;
        let changes = self.0.changes.load(Ordering::Acquire);
        let is_tried = *self.0.tried.borrow() >= changes;
        (!is_tried).then(|| Receipt::written(self.0.tried.subscribe(), changes))
    }

    /// Something has changed in the book.
    fn changed_now(&self) {
        self.0.changes.fetch_add(1, Ordering::AcqRel);
        self.0.is_older.notify_one();
    }

    /// How a message on `topic` is read, where a discovered device has its readings there: it goes with the message.
    pub(crate) fn note(&self, topic: &str) -> Option<Note> {
        if !self.0.is_any.load(Ordering::Acquire) {
            return None;
        }
        self.read().plans(topic).map(|plans| -> Note { plans })
    }

    /// A reading has come without a config. Where a discovered device gives its own the same name, that is called
    /// otherwise from now on: two are never one.
    pub(crate) fn meets(&self, reading: &Reading) {
        let Reading { topic, device, .. } = reading;
        if !self.0.is_any.load(Ordering::Acquire) || !self.read().is_of_another(device, topic) {
            return;
        }
        self.write().rename(device);
        self.changed_now();
        tracing::info!(%device, "a discovered device has another name: readings on {topic} have its own");
    }

    /// Every thing that measures or can be switched, in the order of the configs, and what is not understood.
    #[must_use]
    pub fn list(&self) -> Vec<Shown> {
        self.read().list()
    }

    /// How many there are.
    #[must_use]
    pub fn counts(&self) -> Counts {
        self.read().counts()
    }

    /// Where configs are listened to; `None`: nowhere.
    #[must_use]
    pub fn prefix(&self) -> Option<&str> {
        self.0.is_on.then_some(self.0.prefix.as_str())
    }

    /// The topics to listen to: those of what is written down.
    pub(crate) fn topics(&self) -> Topics {
        self.0.written.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Tells when the topics are others.
    pub(crate) fn changed(&self) -> watch::Receiver<u64> {
        self.0.version.subscribe()
    }

    /// Whether it was measured later than what is known of its series.
    pub(crate) fn is_later(&self, reading: &Reading) -> bool {
        let known = self.read().newest(&reading.device, &reading.quantity);
        known.is_none_or(|known| reading.taken_at > Some(known))
    }

    /// Keeps the file as new as the book, until `stop`.
    pub(crate) async fn keep(self, stop: CancellationToken) {
        let mut is_failing = false;
        loop {
            tokio::select! {
                biased;
                () = self.0.is_older.notified() => {}
                () = stop.cancelled() => return,
            }
            let _ = tokio::time::timeout(GATHER_DELAY, stop.cancelled()).await;
            // What changes from here on is written the next time, or twice.
            let changes = self.0.changes.load(Ordering::Acquire);
            let written = self.write_down().await;
            self.0.tried.send_replace(changes);
            if let Err(cause) = &written {
                if !is_failing {
                    tracing::warn!(%cause, "what devices told Home Assistant is not kept: it is tried again");
                }
                self.0.is_older.notify_one();
                if stop.is_cancelled() {
                    return;
                }
            }
            is_failing = written.is_err();
            // What comes now waits for company; at the end at once.
            let _ = tokio::time::timeout(WRITE_DELAY, stop.cancelled()).await;
        }
    }

    async fn write_down(&self) -> io::Result<()> {
        let path = self.0.path.clone();
        let (lines, topics) = {
            let book = self.read();
            (book.lines(), book.topics())
        };
        let written = tokio::task::spawn_blocking(move || file::write(&path, &lines)).await;
        written.map_err(io::Error::other)??;
        let mut before = self.0.written.write().unwrap_or_else(PoisonError::into_inner);
        let is_other = *before != topics;
        *before = topics;
        drop(before);
        if is_other {
            self.0.version.send_modify(|version| *version += 1);
        }
        Ok(())
    }

    fn read(&self) -> RwLockReadGuard<'_, Book> {
        self.0.book.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Book> {
        self.0.book.write().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A filter without the group that shares it, as topics are seen.
pub(crate) fn plain(text: &str) -> String {
    match topic::subscription(text) {
        Ok((_, filter)) => filter.to_owned(),
        Err(_) => text.to_owned(),
    }
}

#[cfg(test)]
mod tests;
