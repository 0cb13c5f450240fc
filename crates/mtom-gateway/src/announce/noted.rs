//! Which topics of ours the broker keeps, and which series they tell of, noted in the data folder, so that a later
//! process can take them back, or go on with them.
//!
//! A topic is noted before it is told. A file that cannot be read or written costs no more than this knowledge.

use super::sheet::{Name, SERIES_LEN_MAX};
use mtom_protocol::unit::Unit;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::{fs, io};

/// The file in the data folder.
const FILE: &str = "announced";
/// Before the URL of the broker, on a line of its own; a file without it was written before there was any.
const BROKER: &str = "broker ";
/// Before a series, which is a JSON array of its device, its quantity and its unit.
const SERIES: &str = "series ";

/// The topics and the series, each on a line of the file.
pub(super) struct Noted {
    path: PathBuf,
    /// The URL of the broker; empty: our own, which keeps nothing when it ends.
    broker: String,
    topics: BTreeSet<String>,
    series: BTreeMap<Name, Unit>,
    is_older: bool,
}

impl Noted {
    /// What was told before; with the URL of the broker where it was told, if that is not `broker`.
    pub(super) fn open(folder: &Path, id: &str, broker: &str) -> (Self, Option<String>) {
        let path = folder.join(FILE);
        let text = read(&path);
        let topics: BTreeSet<_> =
            text.lines().filter(|line| is_topic(line, id)).map(str::to_owned).collect();
        let series = text.lines().filter_map(|line| series(line.strip_prefix(SERIES)?));
        let series = series.take(SERIES_LEN_MAX).collect();
        let before = text.lines().find_map(|line| line.strip_prefix(BROKER)).unwrap_or(broker);
        let is_older = before != broker;
        let is_left = is_older && !before.is_empty() && !topics.is_empty();
        let left = is_left.then(|| before.to_owned());
        (Self { path, broker: broker.to_owned(), topics, series, is_older }, left)
    }

    pub(super) fn is_empty(&self) -> bool {
        self.topics.is_empty() && self.series.is_empty()
    }

    pub(super) fn topics(&self) -> &BTreeSet<String> {
        &self.topics
    }

    pub(super) fn contains(&self, topic: &str) -> bool {
        self.topics.contains(topic)
    }

    pub(super) fn add(&mut self, topic: &str) {
        self.is_older |= self.topics.insert(topic.to_owned());
    }

    pub(super) fn remove(&mut self, topic: &str) {
        self.is_older |= self.topics.remove(topic);
    }

    /// The series that the configs told of.
    pub(super) fn series(&self) -> &BTreeMap<Name, Unit> {
        &self.series
    }

    /// They are these now.
    pub(super) fn tells(&mut self, series: BTreeMap<Name, Unit>) {
        if self.series != series {
            (self.series, self.is_older) = (series, true);
        }
    }

    /// Writes the file where it is not as it should be.
    pub(super) async fn write(&mut self) {
        if !std::mem::take(&mut self.is_older) {
            return;
        }
        let mut text = format!("{BROKER}{}\n", self.broker);
        for topic in &self.topics {
            let _ = writeln!(text, "{topic}");
        }
        for ((device, quantity), unit) in &self.series {
            let series = serde_json::json!([&**device, &**quantity, unit.symbol()]);
            let _ = writeln!(text, "{SERIES}{series}");
        }
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || {
            let new = path.with_extension("new");
            fs::write(&new, text)?;
            fs::rename(new, &path)
        });
        if let Ok(Err(cause)) = written.await {
            tracing::warn!(%cause, "what Home Assistant was told is not noted");
        }
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|cause| {
        if cause.kind() != io::ErrorKind::NotFound {
            tracing::warn!(%cause, "what Home Assistant was told before is not known");
        }
        String::new()
    })
}

fn series(text: &str) -> Option<(Name, Unit)> {
    let (device, quantity, unit): (String, String, String) = serde_json::from_str(text).ok()?;
    Some(((device.into(), quantity.into()), Unit::parse(&unit)?))
}

/// Whether a line is a topic of ours: only those are ever taken back.
fn is_topic(line: &str, id: &str) -> bool {
    // An older name of this installation was one that mtom had drawn.
    let own = |rest: &str| {
        let behind = rest.strip_prefix(id).and_then(|rest| rest.chars().next());
        rest.starts_with("mtom-") || matches!(behind, Some('/' | '_'))
    };
    let is_config = line.split_once("/device/").is_some_and(|(_, rest)| own(rest));
    is_config || line.strip_prefix("mtom/").is_some_and(own)
}
