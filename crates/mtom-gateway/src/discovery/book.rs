//! The configs that are known, and whose readings come on which topic. No I/O.
//!
//! Full: a new config is not taken, and counted; a sensor that is one too many on its topic, or has the identifier of
//! another, is not read, and says so until there is room for it.

use super::around::{Around, Cover};
use super::fate::{Fate, PLANS_LEN_MAX, not_understood};
use super::known::{Known, sensor, shown};
use super::names::{Given, Names};
use super::plans::{Last, Plan, Plans, Said, Word};
use super::shown::{Counts, Shown};
use super::topics::{Of, Topics};
use mtom_protocol::discovery::there;
use mtom_protocol::discovery::{
    CONFIG_LEN_MAX, Component, Config, Meaning, NotUnderstood, Place, read,
};
use mtom_protocol::time::UnixMicros;
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use waiting::{Waiting, Want};

mod waiting;

/// Configs of a house with a few hundred devices.
const CONFIGS_LEN_MAX: usize = 4_000;
/// All of their texts together, in bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;
/// Things of all of them together.
const THINGS_LEN_MAX: usize = 10_000;
/// Topics of all of them together.
const TOPICS_LEN_MAX: usize = 10_000;

/// What is known.
pub(super) struct Book {
    around: Around,
    entries: BTreeMap<String, Entry>,
    next: u64,
    bytes: usize,
    things: usize,
    plans: HashMap<String, Arc<Plans>>,
    /// What was said last on the topics where devices say whether they are there, whichever config is there now.
    last: HashMap<String, Arc<Last>>,
    names: Names,
    /// The config of the thing of that platform that has that identifier.
    unique: HashMap<(String, String), Arc<str>>,
    /// Things that may be read once another is gone.
    waiting: Waiting,
    refused: u64,
}

struct Entry {
    order: u64,
    text: String,
    said: Result<Known, NotUnderstood>,
}

/// A config as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) topic: String,
    pub(super) config: String,
    pub(super) device: String,
    pub(super) names: Given,
}

/// What became of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Same,
    Changed,
    Refused,
}

impl Book {
    pub(super) fn new(around: Around) -> Self {
        let names = Names::new(Arc::clone(&around.known), around.is_shared);
        Self {
            around,
            entries: BTreeMap::new(),
            next: 0,
            bytes: 0,
            things: 0,
            plans: HashMap::new(),
            last: HashMap::new(),
            names,
            unique: HashMap::new(),
            waiting: Waiting::default(),
            refused: 0,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(super) fn has(&self, topic: &str) -> bool {
        self.entries.contains_key(topic)
    }

    pub(super) fn is_same(&self, topic: &str, text: &str) -> bool {
        self.entries.get(topic).is_some_and(|entry| entry.text == text)
    }

    /// Whether there is room for that config in the place of the one that stood there.
    pub(super) fn has_room(&self, topic: &str, text: &str) -> bool {
        let before = self.entries.get(topic);
        let len = self.entries.len() - usize::from(before.is_some());
        let bytes = self.bytes - before.map_or(0, |entry| entry.text.len());
        len < CONFIGS_LEN_MAX && bytes + kept(text).len() <= BYTES_MAX
    }

    /// Takes a config in the place of the one that stood there; it says `said`, and `None`: there was no room for it.
    pub(super) fn hear(
        &mut self,
        topic: &str,
        text: &str,
        said: Option<Result<Config, NotUnderstood>>,
    ) -> Heard {
        if self.is_same(topic, text) {
            return Heard::Same;
        }
        // Another gateway's, or our own: those readings are somebody's already.
        let is_own = |said: &Config| said.origin.as_deref() == Some(super::ORIGIN);
        if said.as_ref().is_some_and(|said| said.as_ref().is_ok_and(is_own)) {
            return self.forget(topic);
        }
        let said = said.filter(|_| self.has_room(topic, text));
        let before = self.line(topic);
        let replaced = self.remove(topic);
        let room = THINGS_LEN_MAX - self.things;
        let heard = match said.filter(|said| things(said) <= room) {
            Some(said) => {
                let order = replaced.map_or(self.next, |entry| entry.order);
                self.next = self.next.max(order + 1);
                self.take(topic, order, kept(text), said, &before.unwrap_or_default());
                Heard::Changed
            }
            None => {
                self.refused += 1;
                if replaced.is_some() { Heard::Changed } else { Heard::Refused }
            }
        };
        self.settle();
        heard
    }

    /// A config has come or gone.
    fn settle(&mut self) {
        self.look_again();
        let plans = &self.plans;
        self.last.retain(|topic, _| plans.get(topic).is_some_and(|plans| !plans.there.is_empty()));
    }

    /// Takes what was written down.
    pub(super) fn restore(&mut self, line: &Line, place: &Place<'_>) {
        if !self.has_room(&line.topic, &line.config) || self.has(&line.topic) {
            return;
        }
        let said = read(place, line.config.as_bytes());
        if said.is_ok() && things(&said) <= THINGS_LEN_MAX - self.things {
            let order = self.next;
            self.next += 1;
            self.take(&line.topic, order, &line.config, said, line);
        }
    }

    fn take(
        &mut self,
        topic: &str,
        order: u64,
        text: &str,
        said: Result<Config, NotUnderstood>,
        before: &Line,
    ) {
        self.things += things(&said);
        let said = said.map(|config| {
            let cover = Arc::clone(&self.around.cover);
            let sensors = config.components.iter().filter_map(|component| {
                let sensor = sensor(component)?;
                let is_read = matches!(cover(&sensor.topic), Cover::None | Cover::Everything);
                is_read.then_some((component, sensor))
            });
            let is_given = sensors.clone().next().is_some();
            let device = if is_given {
                self.names.device(&config.device, &before.device, sensors)
            } else {
                config.device.name.as_str().into()
            };
            let at: Arc<str> = topic.into();
            let mut fates = BTreeMap::new();
            for component in &config.components {
                let known = before.names.get(&component.key);
                if let Some(fate) = self.fate((&at, &device), component, known) {
                    if let Some(want) = Want::of(component, &fate) {
                        self.waiting.begin(want, (order, Arc::clone(&at)));
                    }
                    fates.insert(component.key.clone(), fate);
                }
            }
            let known = Known { config, device, is_given, fates };
            self.listen(&at, &known);
            known
        });
        self.bytes += text.len();
        self.entries.insert(topic.to_owned(), Entry { order, text: text.to_owned(), said });
    }

    /// Listens to where the device says whether it is there. Its first sensor that is read speaks for it.
    fn listen(&mut self, config: &Arc<str>, known: &Known) {
        let Some(there) = known.there() else { return };
        let last = |place: &there::Place| {
            let last = self.last.get(&place.topic)?;
            last.says(place)
        };
        let said = Arc::new(Said::new(there, there.topics.iter().map(last).collect()));
        for (at, place) in there.topics.iter().enumerate() {
            let cover = (self.around.cover)(&place.topic);
            if cover == Cover::Past || !self.has_room_on(&place.topic) {
                continue;
            }
            let plans = self.plans.entry(place.topic.clone()).or_default();
            if plans.there.len() >= PLANS_LEN_MAX {
                continue;
            }
            let plans = Arc::make_mut(plans);
            plans.is_second = cover != Cover::None;
            plans.last = Some(Arc::clone(self.last.entry(place.topic.clone()).or_default()));
            let (config, device) = (Arc::clone(config), self.names.called(&known.device));
            plans.there.push(Word { config, device, at, said: Arc::clone(&said) });
        }
    }

    /// Whether one more may be on that topic, as far as the number of topics goes.
    fn has_room_on(&self, topic: &str) -> bool {
        self.plans.len() < TOPICS_LEN_MAX || self.plans.contains_key(topic)
    }

    /// What becomes of a thing; `None`: nothing can.
    fn fate(
        &mut self,
        (config, device): (&Arc<str>, &Arc<str>),
        component: &Component,
        before: Option<&String>,
    ) -> Option<Fate> {
        let meaning = component.meaning.as_ref().ok()?;
        if matches!(meaning, Meaning::Other) {
            return None;
        }
        let unique_id = component.unique_id.clone().map(|id| (component.platform.clone(), id));
        if unique_id.as_ref().is_some_and(|id| self.unique.contains_key(id)) {
            return Some(Fate::NotUnique);
        }
        let fate = match meaning {
            Meaning::Sensor(sensor) => match (self.around.cover)(&sensor.topic) {
                Cover::Past => Fate::Past,
                Cover::Named => Fate::Named,
                _ if !self.has_room_on(&sensor.topic) => return Some(Fate::TooMany),
                cover => {
                    let plans = self.plans.entry(sensor.topic.clone()).or_default();
                    if plans.all.len() >= PLANS_LEN_MAX {
                        return Some(Fate::TooMany);
                    }
                    let quantity = self.names.series(device, (component, sensor), before);
                    let plans = Arc::make_mut(plans);
                    plans.is_second = cover == Cover::Everything;
                    plans.all.push(Plan {
                        config: Arc::clone(config),
                        sensor: sensor.clone(),
                        device: self.names.called(device),
                        quantity: Arc::clone(&quantity),
                    });
                    if plans.is_second { Fate::Second(quantity) } else { Fate::Read(quantity) }
                }
            },
            _ => Fate::Switch,
        };
        if let Some(id) = unique_id {
            self.unique.insert(id, Arc::clone(config));
        }
        Some(fate)
    }

    /// Forgets a config, and gives back its names.
    pub(super) fn forget(&mut self, topic: &str) -> Heard {
        if self.remove(topic).is_none() {
            return Heard::Same;
        }
        self.settle();
        Heard::Changed
    }

    fn remove(&mut self, topic: &str) -> Option<Entry> {
        let entry = self.entries.remove(topic)?;
        self.bytes -= entry.text.len();
        self.things -= things_of(&entry);
        let Ok(Known { config, device, is_given, fates }) = &entry.said else { return Some(entry) };
        let ordered = (entry.order, Arc::from(topic));
        if *is_given {
            self.names.release(device, fates.values().filter_map(Fate::quantity));
        }
        for component in &config.components {
            let fate = fates.get(&component.key);
            if let Some(want) = fate.and_then(|fate| Want::of(component, fate)) {
                self.waiting.end(&want, &ordered);
            }
            if let Some(id) = &component.unique_id {
                let id = (component.platform.clone(), id.clone());
                if self.unique.get(&id).is_some_and(|of| **of == *topic) {
                    self.unique.remove(&id);
                    self.waiting.free(Want::Unique(id.0, id.1));
                }
            }
            let there = component.there.iter().flat_map(|there| &there.topics);
            let topics = there.map(|place| &place.topic);
            for at in topics.chain(sensor(component).map(|sensor| &sensor.topic)) {
                let Some(plans) = self.plans.get_mut(at) else { continue };
                if plans.has(topic) {
                    Arc::make_mut(plans).forget(topic);
                    self.waiting.free(Want::Topic(at.clone()));
                }
                if plans.is_empty() {
                    self.waiting.free_topic(self.plans.len());
                    self.plans.remove(at);
                }
            }
        }
        Some(entry)
    }

    /// Whether a reading that came without a config is of somebody else who is called as a discovered device.
    pub(super) fn is_of_another(&self, device: &Arc<str>, topic: &str) -> bool {
        self.names.are_given_to_another(device, topic)
    }

    /// Calls the device otherwise that has this name.
    pub(super) fn rename(&mut self, device: &Arc<str>) {
        let Some((id, called)) = self.names.give_up(device) else { return };
        let is_its = |entry: &Entry| {
            let known = entry.said.as_ref().ok();
            known.is_some_and(|known| known.is_given && known.config.device.id == id)
        };
        let entries = self.in_order().into_iter();
        let topics: Vec<_> =
            entries.filter(|(_, entry)| is_its(entry)).map(|(topic, _)| topic.clone()).collect();
        let lines: Vec<_> = topics.iter().filter_map(|topic| self.line(topic)).collect();
        let entries: Vec<_> = topics.iter().filter_map(|topic| self.remove(topic)).collect();
        for (entry, line) in entries.into_iter().zip(lines) {
            let line = Line { device: String::new(), ..line };
            let said = entry.said.map(|known| known.config);
            self.take(&line.topic, entry.order, &entry.text, said, &line);
            let now = self.entries.get(&line.topic).and_then(|entry| entry.said.as_ref().ok());
            if let Some(now) = now {
                self.names.call(&called, &now.device);
            }
        }
    }

    pub(super) fn plans(&self, topic: &str) -> Option<Arc<Plans>> {
        self.plans.get(topic).map(Arc::clone)
    }

    pub(super) fn topics(&self) -> Topics {
        let of =
            |plans: &Plans| Of { readings: !plans.all.is_empty(), words: !plans.there.is_empty() };
        self.plans.iter().map(|(topic, plans)| (topic.clone(), of(plans))).collect()
    }

    pub(super) fn newest(&self, device: &str, quantity: &str) -> Option<UnixMicros> {
        (self.around.newest)(device, quantity)
    }

    fn in_order(&self) -> Vec<(&String, &Entry)> {
        let mut entries: Vec<_> = self.entries.iter().collect();
        entries.sort_unstable_by_key(|(_, entry)| entry.order);
        entries
    }

    /// What is to be written down.
    pub(super) fn lines(&self) -> Vec<Line> {
        self.in_order().into_iter().filter_map(|(topic, _)| self.line(topic)).collect()
    }

    fn line(&self, topic: &str) -> Option<Line> {
        let entry = self.entries.get(topic)?;
        let known = entry.said.as_ref().ok()?;
        let name =
            |(key, fate): (&String, &Fate)| Some((key.clone(), fate.quantity()?.to_string()));
        // One that was not given is nobody's.
        let device = if known.is_given { known.device.to_string() } else { String::new() };
        Some(Line {
            topic: topic.to_owned(),
            config: entry.text.clone(),
            device,
            names: known.fates.iter().filter_map(name).collect(),
        })
    }

    pub(super) fn list(&self) -> Vec<Shown> {
        let all = self.in_order().into_iter().flat_map(|(topic, entry)| match &entry.said {
            Ok(known) => {
                let shown = |one: &Component| {
                    let id = one.unique_id.clone().map(|id| (one.platform.clone(), id));
                    shown(topic, known, one, id.and_then(|id| self.unique.get(&id)))
                };
                known.config.components.iter().filter_map(shown).collect()
            }
            Err(reason) => vec![Shown {
                config: topic.clone(),
                device: String::new(),
                origin: None,
                key: String::new(),
                platform: String::new(),
                standing: not_understood(reason),
            }],
        });
        all.collect()
    }

    /// Walks over all things, and copies none.
    pub(super) fn counts(&self) -> Counts {
        let configs = self.entries.len() as u64;
        let mut counts = Counts { configs, refused: self.refused, ..Counts::default() };
        for entry in self.entries.values() {
            let Ok(known) = &entry.said else {
                counts.not_understood += 1;
                continue;
            };
            for component in &known.config.components {
                match (&component.meaning, known.fates.get(&component.key)) {
                    (Err(_), _) => counts.not_understood += 1,
                    (_, Some(Fate::Read(_))) => counts.sensors += 1,
                    (_, Some(Fate::Switch)) => counts.switches += 1,
                    (_, Some(Fate::Named | Fate::Second(_))) => {}
                    (_, Some(Fate::Past | Fate::TooMany | Fate::NotUnique)) => {
                        counts.not_read += 1;
                    }
                    (Ok(_), None) => counts.others += 1,
                }
            }
        }
        counts
    }
}

/// What is kept of a config: of one that is too long only that it was there.
fn kept(text: &str) -> &str {
    if text.len() <= CONFIG_LEN_MAX { text } else { "" }
}

fn things(said: &Result<Config, NotUnderstood>) -> usize {
    said.as_ref().map_or(0, |config| config.components.len())
}

fn things_of(entry: &Entry) -> usize {
    entry.said.as_ref().map_or(0, |known| known.config.components.len())
}
