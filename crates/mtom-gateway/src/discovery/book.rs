//! The configs that are known, and whose readings come on which topic. No I/O.
//!
//! Names are given once: who came first keeps the plain one, also after a restart, so that a series is never two and
//! two are never one. Full: a new config is not taken, and counted.

use mtom_protocol::discovery::{
    CONFIG_LEN_MAX, Component, Config, Device, Meaning, NotUnderstood, Place, Sensor, read,
};
use mtom_protocol::topic;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

/// Configs of a house with a few hundred devices.
const CONFIGS_LEN_MAX: usize = 4_000;
/// All of their texts together, in bytes.
const BYTES_MAX: usize = 8 * 1024 * 1024;

/// What is known.
pub(super) struct Book {
    /// The filters that name topics, which are read as they always were.
    named: Vec<String>,
    entries: BTreeMap<String, Entry>,
    next: u64,
    bytes: usize,
    plans: HashMap<String, Vec<Plan>>,
    /// Who is called so, and in how many configs.
    devices: HashMap<Arc<str>, (String, usize)>,
    series: HashSet<(Arc<str>, Arc<str>)>,
    refused: u64,
}

/// How one sensor's messages become readings.
pub(super) struct Plan {
    config: String,
    pub(super) sensor: Sensor,
    pub(super) device: Arc<str>,
    pub(super) quantity: Arc<str>,
}

struct Entry {
    order: u64,
    text: String,
    said: Result<Known, NotUnderstood>,
}

/// A config that is understood, with the names that it got.
struct Known {
    config: Config,
    device: Arc<str>,
    /// By the key of the thing; those that measure.
    names: BTreeMap<String, Arc<str>>,
}

/// A config as it is written down.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) topic: String,
    pub(super) config: String,
    pub(super) device: String,
    pub(super) names: BTreeMap<String, String>,
}

/// What became of a config.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Heard {
    Same,
    Changed,
    Refused,
}

/// One thing that was discovered.
#[derive(Clone, Debug, PartialEq)]
pub struct Shown {
    /// The topic of its config.
    pub config: String,
    /// Its device.
    pub device: String,
    /// Which program has written the config.
    pub origin: Option<String>,
    /// Its key in the config.
    pub key: String,
    /// `sensor`, `switch`, …
    pub platform: String,
    /// What it is here.
    pub standing: Standing,
}

/// What a discovered thing is here.
#[derive(Clone, Debug, PartialEq)]
pub enum Standing {
    /// Its readings come by themselves.
    Read {
        /// Where they come.
        topic: String,
        /// What they are called.
        quantity: String,
        /// What they count; empty: a plain number.
        unit: &'static str,
    },
    /// `ingest.topics` names its topic, which is read as it always was.
    Named {
        /// Where its messages come.
        topic: String,
    },
    /// It can be an actuator with this link.
    Switch {
        /// As `[[actuator]] link` has it.
        link: String,
    },
    /// It leads to nothing.
    NotUnderstood {
        /// One word.
        code: &'static str,
        /// The sentence.
        reason: String,
    },
}

/// How many things were discovered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Configs that are kept.
    pub configs: u64,
    /// Sensors whose readings come.
    pub sensors: u64,
    /// Those that can be an actuator.
    pub switches: u64,
    /// Those that lead to nothing, each with its reason.
    pub not_understood: u64,
    /// Neither sensors nor switches.
    pub others: u64,
    /// Configs that were not taken because there are too many.
    pub refused: u64,
}

impl Book {
    pub(super) fn new(named: Vec<String>) -> Self {
        Self {
            named,
            entries: BTreeMap::new(),
            next: 0,
            bytes: 0,
            plans: HashMap::new(),
            devices: HashMap::new(),
            series: HashSet::new(),
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

    /// Takes a config in the place of the one that stood there.
    pub(super) fn hear(&mut self, topic: &str, place: &Place<'_>, text: &str) -> Heard {
        if self.is_same(topic, text) {
            return Heard::Same;
        }
        let said = read(place, text.as_bytes());
        // Another gateway's, or our own: those readings are somebody's already.
        if said.as_ref().is_ok_and(|said| said.origin.as_deref() == Some(super::ORIGIN)) {
            return self.forget(topic);
        }
        let before = self.line(topic);
        let order = self.entries.get(topic).map(|entry| entry.order);
        let is_replaced = self.forget(topic) == Heard::Changed;
        // Of one that is too long only that it was there.
        let text = if text.len() <= CONFIG_LEN_MAX { text } else { "" };
        let is_full = self.entries.len() >= CONFIGS_LEN_MAX || self.bytes + text.len() > BYTES_MAX;
        if is_full {
            self.refused += 1;
            return if is_replaced { Heard::Changed } else { Heard::Refused };
        }
        let order = order.unwrap_or(self.next);
        self.next = self.next.max(order + 1);
        self.take(topic, order, text, said, &before.unwrap_or_default());
        Heard::Changed
    }

    /// Takes what was written down.
    pub(super) fn restore(&mut self, line: &Line, place: &Place<'_>) {
        let is_full = self.bytes + line.config.len() > BYTES_MAX;
        if is_full || self.entries.len() >= CONFIGS_LEN_MAX || self.has(&line.topic) {
            return;
        }
        let said = read(place, line.config.as_bytes());
        if said.is_ok() {
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
        let said = said.map(|config| {
            let device = self.name_device(&config.device, &before.device);
            let mut names = BTreeMap::new();
            for component in &config.components {
                let Ok(Meaning::Sensor(sensor)) = &component.meaning else { continue };
                if self.named.iter().any(|filter| topic::matches(filter, &sensor.topic)) {
                    continue;
                }
                let known = before.names.get(&component.key);
                let quantity = self.name_series(&device, component, known);
                names.insert(component.key.clone(), Arc::clone(&quantity));
                let plan = Plan {
                    config: topic.to_owned(),
                    sensor: sensor.clone(),
                    device: Arc::clone(&device),
                    quantity,
                };
                self.plans.entry(sensor.topic.clone()).or_default().push(plan);
            }
            Known { config, device, names }
        });
        self.bytes += text.len();
        self.entries.insert(topic.to_owned(), Entry { order, text: text.to_owned(), said });
    }

    /// Forgets a config, and gives back its names.
    pub(super) fn forget(&mut self, topic: &str) -> Heard {
        let Some(entry) = self.entries.remove(topic) else { return Heard::Same };
        self.bytes -= entry.text.len();
        if let Ok(Known { config, device, names }) = entry.said {
            if let Some((_, count)) = self.devices.get_mut(&device) {
                *count -= 1;
                if *count == 0 {
                    self.devices.remove(&device);
                }
            }
            for quantity in names.into_values() {
                self.series.remove(&(Arc::clone(&device), quantity));
            }
            for component in &config.components {
                let Ok(Meaning::Sensor(sensor)) = &component.meaning else { continue };
                if let Some(plans) = self.plans.get_mut(&sensor.topic) {
                    plans.retain(|plan| plan.config != topic);
                    if plans.is_empty() {
                        self.plans.remove(&sensor.topic);
                    }
                }
            }
        }
        Heard::Changed
    }

    /// The device's own name, with its identifier behind it where another has that name.
    fn name_device(&mut self, device: &Device, before: &str) -> Arc<str> {
        let whole = format!("{} ({})", device.name, device.id);
        let candidates = [device.name.as_str(), whole.as_str()];
        let before = candidates.into_iter().find(|name| *name == before);
        let is_free = |name: &&str| match self.devices.get(*name) {
            Some((id, _)) => *id == device.id,
            None => true,
        };
        let name = before.into_iter().chain(candidates).find(is_free).unwrap_or(&whole);
        let name: Arc<str> = Arc::from(name);
        self.devices.entry(Arc::clone(&name)).or_insert_with(|| (device.id.clone(), 0)).1 += 1;
        name
    }

    /// The first of its names that no other thing of the device has.
    fn name_series(
        &mut self,
        device: &Arc<str>,
        component: &Component,
        before: Option<&String>,
    ) -> Arc<str> {
        let numbered = (2..).map(|number: u32| format!("{} {number}", component.key));
        let is_known = |name: &&String| component.names.contains(name);
        let before = before.filter(is_known).cloned();
        let mut names = before.into_iter().chain(component.names.iter().cloned()).chain(numbered);
        let name = names.find_map(|name| {
            let name: Arc<str> = name.trim().into();
            self.series.insert((Arc::clone(device), Arc::clone(&name))).then_some(name)
        });
        name.expect("numbers never end")
    }

    pub(super) fn plans(&self, topic: &str) -> Option<&[Plan]> {
        self.plans.get(topic).map(Vec::as_slice)
    }

    pub(super) fn topics(&self) -> BTreeSet<String> {
        self.plans.keys().cloned().collect()
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
        let names = known.names.iter().map(|(key, name)| (key.clone(), name.to_string()));
        Some(Line {
            topic: topic.to_owned(),
            config: entry.text.clone(),
            device: known.device.to_string(),
            names: names.collect(),
        })
    }

    pub(super) fn list(&self) -> Vec<Shown> {
        let all = self.in_order().into_iter().flat_map(|(topic, entry)| match &entry.said {
            Ok(known) => {
                let shown = |one| shown(topic, known, one);
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

    pub(super) fn counts(&self) -> Counts {
        let configs = self.entries.len() as u64;
        let mut counts = Counts { configs, refused: self.refused, ..Counts::default() };
        for one in self.list() {
            match one.standing {
                Standing::Read { .. } => counts.sensors += 1,
                Standing::Switch { .. } => counts.switches += 1,
                Standing::NotUnderstood { .. } => counts.not_understood += 1,
                Standing::Named { .. } => {}
            }
        }
        let known = self.entries.values().filter_map(|entry| entry.said.as_ref().ok());
        let things = known.flat_map(|known| &known.config.components);
        counts.others = things.filter(|one| one.meaning == Ok(Meaning::Other)).count() as u64;
        counts
    }
}

fn shown(topic: &str, known: &Known, component: &Component) -> Option<Shown> {
    let standing = match &component.meaning {
        Ok(Meaning::Sensor(sensor)) => match known.names.get(&component.key) {
            Some(quantity) => Standing::Read {
                topic: sensor.topic.clone(),
                quantity: quantity.to_string(),
                unit: sensor.unit.symbol(),
            },
            None => Standing::Named { topic: sensor.topic.clone() },
        },
        Ok(Meaning::Switch(switch)) => Standing::Switch { link: switch.link() },
        Ok(Meaning::Other) => return None,
        Err(reason) => not_understood(reason),
    };
    Some(Shown {
        config: topic.to_owned(),
        device: known.device.to_string(),
        origin: known.config.origin.clone(),
        key: component.key.clone(),
        platform: component.platform.clone(),
        standing,
    })
}

fn not_understood(reason: &NotUnderstood) -> Standing {
    Standing::NotUnderstood { code: reason.code(), reason: reason.to_string() }
}
