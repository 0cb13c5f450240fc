//! What Home Assistant was told at another broker before `broker.url` was changed, and is taken back there.
//!
//! The data folder knows which broker keeps what. Once with each start that broker is asked to forget it, for a while.
//! Where that is the broker of now under another URL, which is asked by a word to ourselves, nothing is taken back.
//! A password is told to the host alone for which it is meant. Where it does not work, it is said how to do it by hand.

use super::noted::is_topic;
use super::talk::{Left, Talk};
use bytes::Bytes;
use mtom_broker::client::{self, Change, Settings, Wishes};
use mtom_broker::intake::Intake;
use mtom_broker::outlet::{Announcement, NotTaken, Outlet};
use mtom_mqtt::endpoint::Endpoint;
use mtom_mqtt::target::{Target, Version};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// The file in the data folder: a URL, a tab and a topic on a line.
const FILE: &str = "announced-elsewhere";
/// Topics that are kept in mind.
const TOPICS_LEN_MAX: usize = 20_000;
/// Behind our name there.
const NAME: &str = "-left";
/// How long a broker is asked at a start.
const LIMIT: Duration = Duration::from_secs(30);
/// A word to ourselves that has not come by then was said at another broker.
const HEARD_MAX: Duration = Duration::from_secs(3);

/// What other brokers keep, by their URLs.
pub(super) struct Elsewhere {
    path: PathBuf,
    kept: BTreeMap<String, BTreeSet<String>>,
}

impl Elsewhere {
    pub(super) fn open(folder: &Path, id: &str) -> Self {
        let path = folder.join(FILE);
        let text = fs::read_to_string(&path).unwrap_or_default();
        let mut kept = BTreeMap::<_, BTreeSet<_>>::new();
        for line in text.lines().take(TOPICS_LEN_MAX) {
            if let Some((broker, topic)) = line.split_once('\t')
                && is_topic(topic, id)
            {
                kept.entry(broker.to_owned()).or_default().insert(topic.to_owned());
            }
        }
        Self { path, kept }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.kept.is_empty()
    }

    /// A broker that is not ours any more has that. Our own, which has no URL, keeps nothing.
    pub(super) fn keeps(&mut self, broker: &str, topics: BTreeSet<String>) {
        if !broker.is_empty() && !topics.is_empty() {
            self.kept.entry(broker.to_owned()).or_default().extend(topics);
            self.write();
        }
    }

    /// That broker is ours again, with what it has.
    pub(super) fn comes_back(&mut self, broker: &str) -> BTreeSet<String> {
        self.kept.remove(broker).unwrap_or_default()
    }

    /// At a start, and when something is done.
    fn write(&self) {
        let mut text = String::new();
        for (broker, topics) in &self.kept {
            for topic in topics {
                let _ = writeln!(text, "{broker}\t{topic}");
            }
        }
        let new = self.path.with_extension("new");
        let written: io::Result<()> =
            fs::write(&new, text).and_then(|()| fs::rename(new, &self.path));
        if let Err(cause) = written {
            tracing::warn!(%cause, "what another broker keeps for Home Assistant is not noted");
        }
    }

    /// Takes it all back, one broker after another. May be dropped at any time: the next start goes on.
    pub(super) async fn take_back(
        mut self,
        (now, ours): (Option<&Target>, Option<&Outlet>),
        talk: &Talk,
    ) {
        for (broker, topics) in self.kept.clone() {
            let mut left = Left {
                broker: broker.clone(),
                topics: topics.len() as u64,
                reason: None,
                command: command(&broker),
            };
            talk.left(left.clone());
            let (taken, outcome) = match target(&broker, now) {
                Ok(target) => take_back(target, (talk.id(), ours), &topics).await,
                Err(reason) => (BTreeSet::new(), Err(reason)),
            };
            if let Some(kept) = self.kept.get_mut(&broker) {
                kept.retain(|topic| !taken.contains(topic));
                left.topics = kept.len() as u64;
            }
            self.kept.retain(|_, kept| !kept.is_empty());
            self.write();
            if let Err(reason) = outcome {
                let (topics, command) = (left.topics, &left.command);
                tracing::warn!(
                    broker,
                    topics,
                    reason,
                    "the broker of before still keeps what Home Assistant was told; to take it back, in the data \
                     folder: {command}"
                );
                left.reason = Some(reason);
            } else {
                tracing::info!(
                    broker,
                    "the broker of before keeps nothing for Home Assistant any more, or is the one of now"
                );
            }
            talk.left(left);
        }
    }
}

/// How to get in there.
fn target(broker: &str, now: Option<&Target>) -> Result<Target, String> {
    let endpoint = Endpoint::parse(broker).map_err(|error| error.to_string())?;
    // Another host may be somebody else's by now.
    let credentials = now
        .filter(|now| now.endpoint.host == endpoint.host)
        .and_then(|now| now.credentials.clone());
    let tls = now.map(|now| now.tls.clone()).unwrap_or_default();
    Ok(Target { endpoint, tls, credentials, version: Version::Auto })
}

/// With what was taken back, why the rest was not.
async fn take_back(
    target: Target,
    (id, ours): (&str, Option<&Outlet>),
    topics: &BTreeSet<String>,
) -> (BTreeSet<String>, Result<(), String>) {
    let settings = Settings {
        target,
        client_id: format!("{id}{NAME}"),
        is_kept: false,
        filters: vec![word_topic(id)],
        filters_wished: Vec::new(),
        filters_again: Vec::new(),
        filters_given_up: Vec::new(),
        receive_max: 10,
        is_known: false,
        will: None,
    };
    let (outlet, outgoings) = Outlet::external();
    let there = Arc::new(There::new(word_topic(id)));
    let (heard, at) = (Arc::clone(&there), Arc::clone(&there));
    let (intake, _) = Intake::new(1, |_| false);
    let intake = intake.showing(move |topic, payload, _| heard.hears(topic, payload));
    let changed = move |change| at.changed(change);
    let end = CancellationToken::new();
    let connection =
        client::run(settings, intake, outgoings, Wishes::none(), changed, fastrand::f64, end);
    let mut taken = BTreeSet::new();
    let mut refused = None;
    let telling = async {
        if let Some(ours) = ours
            && there.is_ours(ours).await?
        {
            taken.clone_from(topics);
            return Ok(());
        }
        for topic in topics {
            match tell(&outlet, topic).await {
                Ok(()) => drop(taken.insert(topic.clone())),
                Err(reason) => refused = Some(format!("it refuses {topic}: {reason}")),
            }
        }
        refused.map_or(Ok(()), Err)
    };
    let outcome = tokio::select! {
        outcome = telling => outcome,
        () = connection => Err(there.reason()),
        () = tokio::time::sleep(LIMIT) => Err(there.reason()),
    };
    (taken, outcome)
}

/// Where a word to ourselves is said. No gateway takes it for a reading.
fn word_topic(id: &str) -> String {
    format!("mtom/{id}/reading/left/here")
}

/// Our connection there.
struct There {
    topic: String,
    word: String,
    up: Notify,
    heard: Notify,
    losses: AtomicU64,
    // A std lock: held for a few instructions, never across an await.
    reason: Mutex<String>,
}

impl There {
    fn new(topic: String) -> Self {
        Self {
            topic,
            word: format!("{:016x}", fastrand::u64(..)),
            up: Notify::new(),
            heard: Notify::new(),
            losses: AtomicU64::new(0),
            reason: Mutex::new("it has not answered in time".into()),
        }
    }

    fn changed(&self, change: Change) {
        match change {
            Change::Connected { .. } => self.up.notify_one(),
            Change::Lost { reason } => {
                *self.reason.lock().unwrap_or_else(PoisonError::into_inner) = reason;
                self.losses.fetch_add(1, Ordering::Relaxed);
            }
            Change::Refused { .. } => {}
        }
    }

    fn hears(&self, topic: &str, payload: &[u8]) -> bool {
        if topic == self.topic && payload == self.word.as_bytes() {
            self.heard.notify_one();
        }
        true
    }

    fn reason(&self) -> String {
        self.reason.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether it is the broker of now, which `ours` leads to: what is said there is heard here.
    async fn is_ours(&self, ours: &Outlet) -> Result<bool, String> {
        loop {
            self.up.notified().await;
            let losses = self.losses.load(Ordering::Relaxed);
            let (topic, payload) = (self.topic.clone(), Bytes::from(self.word.clone()));
            let word = Announcement { topic, payload, acknowledged: true, retain: false };
            match ours.publish(word).await {
                Ok(()) => {}
                Err(NotTaken::Refused(reason)) => {
                    return Err(format!("whether it is the broker of now is not known: {reason}"));
                }
                // It is asked again.
                Err(NotTaken::Lost(_)) => {
                    tokio::time::sleep(HEARD_MAX).await;
                    self.up.notify_one();
                    continue;
                }
            }
            if tokio::time::timeout(HEARD_MAX, self.heard.notified()).await.is_ok() {
                return Ok(true);
            }
            // Otherwise it may have been said while nobody listened.
            if self.losses.load(Ordering::Relaxed) == losses {
                return Ok(false);
            }
        }
    }
}

/// Takes one topic back, also over a connection that is made anew. Otherwise why it is refused.
async fn tell(outlet: &Outlet, topic: &str) -> Result<(), String> {
    loop {
        let (topic, payload) = (topic.to_owned(), Bytes::new());
        let nothing = Announcement { topic, payload, acknowledged: true, retain: true };
        match outlet.publish(nothing).await {
            Ok(()) => return Ok(()),
            Err(NotTaken::Refused(reason)) => return Err(reason),
            Err(NotTaken::Lost(_)) => tokio::task::yield_now().await,
        }
    }
}

/// What a person may do in the data folder instead. The text has no quotes: a URL has none.
fn command(broker: &str) -> String {
    let Ok(endpoint) = Endpoint::parse(broker) else {
        return format!("mosquitto_pub -r -n -t TOPIC for each topic in {FILE}");
    };
    let Endpoint { scheme, host, port, .. } = &endpoint;
    let secure = if scheme.is_secure() { " --tls-use-os-certs" } else { "" };
    format!(
        "grep -F {broker} {FILE} | cut -f 2 | while read -r topic; do mosquitto_pub -h {host} -p {port}{secure} \
         -r -n -t \"$topic\" < /dev/null; done (with -u USER -P PASSWORD where it wants them), then delete {FILE}"
    )
}
