//! What discovered devices and their series are called. No I/O.
//!
//! Names are given once: who came first keeps the plain one, also after a restart, so that a series is never two and two
//! are never one. One under which somebody else's readings are known, on another topic, is not given; and where such
//! readings come later the name is given up, because theirs is the topic's and cannot be another.

use mtom_protocol::discovery::{Component, Device, Sensor};
use mtom_protocol::payload::TOPIC_LEN_MAX;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

/// On which topics the newest readings of a device came, one for each of its series.
pub(crate) type KnownSeries = dyn Fn(&str) -> Vec<Arc<str>> + Send + Sync;

/// Names of devices that are gone.
const FORMER_LEN_MAX: usize = 4_000;

/// The names that are given.
pub(super) struct Names {
    known: Arc<KnownSeries>,
    /// Who is called so, and in how many configs.
    devices: HashMap<Arc<str>, (String, usize)>,
    /// On which topic each comes.
    series: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    /// Who was called so before its last config had gone: it is called so again.
    former: HashMap<Arc<str>, String>,
    /// Devices' names that are somebody else's.
    given_up: HashSet<Arc<str>>,
}

impl Names {
    pub(super) fn new(known: Arc<KnownSeries>) -> Self {
        let (devices, series, former) = (HashMap::new(), BTreeMap::new(), HashMap::new());
        Self { known, devices, series, former, given_up: HashSet::new() }
    }

    /// The device's own name; with its identifier behind it where another has that name. `before` is the one that it
    /// had.
    pub(super) fn device<'a>(
        &mut self,
        device: &Device,
        before: &str,
        sensors: impl Iterator<Item = (&'a Component, &'a Sensor)> + Clone,
    ) -> Arc<str> {
        let Device { name, id } = device;
        let whole = format!("{name} ({id})");
        let is_name = whole.len() <= TOPIC_LEN_MAX && !whole.chars().any(char::is_control);
        let whole = is_name.then_some(whole);
        let is_own =
            |text: &String| text == name || Some(text) == whole.as_ref() || is_numbered(text, name);
        let before = Some(before.to_owned()).filter(is_own);
        let plain = || Some(name.clone()).into_iter().chain(whole.clone());
        let holds = |text: &String| self.devices.get(text.as_str()).is_some_and(|(of, _)| of == id);
        let is_free = |text: &String| {
            !self.given_up.contains(text.as_str()) && !self.devices.contains_key(text.as_str())
        };
        let is_others = |text: &String| {
            let is_its = |at: &Arc<str>| sensors.clone().any(|(_, sensor)| *sensor.topic == **at);
            self.former.get(text.as_str()) != Some(id) && !(self.known)(text).iter().all(is_its)
        };
        let held = || before.clone().into_iter().chain(plain()).find(holds);
        let had = || before.clone().filter(is_free);
        let numbered = (2..).map(|number: u32| format!("{name} {number}"));
        let new = || plain().chain(numbered).find(|text| is_free(text) && !is_others(text));
        let found = held().or_else(had).or_else(new).expect("numbers never end");
        let found: Arc<str> = found.into();
        self.former.remove(&found);
        self.devices.entry(Arc::clone(&found)).or_insert_with(|| (id.clone(), 0)).1 += 1;
        found
    }

    /// The first of its names that no other thing of the device has.
    pub(super) fn series(
        &mut self,
        device: &Arc<str>,
        (component, sensor): (&Component, &Sensor),
        before: Option<&String>,
    ) -> Arc<str> {
        let numbered = (2..).map(|number: u32| format!("{} {number}", component.key));
        let is_own =
            |name: &&String| component.names.contains(name) || is_numbered(name, &component.key);
        let before = before.filter(is_own).cloned();
        let others = component.names.iter().cloned().chain(numbered);
        let found = before.into_iter().chain(others).find_map(|name| {
            let name: Arc<str> = name.trim().into();
            let series = (Arc::clone(device), Arc::clone(&name));
            (!self.series.contains_key(&series)).then_some(name)
        });
        let name = found.expect("numbers never end");
        let topic = sensor.topic.as_str().into();
        self.series.insert((Arc::clone(device), Arc::clone(&name)), topic);
        name
    }

    /// A config is gone that had these.
    pub(super) fn release<'a>(
        &mut self,
        device: &Arc<str>,
        quantities: impl Iterator<Item = &'a Arc<str>>,
    ) {
        if let Some((id, count)) = self.devices.get_mut(device) {
            *count -= 1;
            if *count == 0 {
                if self.former.len() < FORMER_LEN_MAX {
                    self.former.insert(Arc::clone(device), id.clone());
                }
                self.devices.remove(device);
            }
        }
        for quantity in quantities {
            self.series.remove(&(Arc::clone(device), Arc::clone(quantity)));
        }
    }

    /// Whether a reading on that topic is of somebody else who is called so.
    pub(super) fn are_given_to_another(&self, device: &Arc<str>, topic: &str) -> bool {
        let its = self.series.range((Arc::clone(device), "".into())..);
        let mut its = its.take_while(|((of, _), _)| of == device).peekable();
        its.peek().is_some() && !its.any(|(_, at)| **at == *topic)
    }

    /// A name is somebody else's; who had it is told by its identifier.
    pub(super) fn give_up(&mut self, device: &Arc<str>) -> Option<String> {
        self.given_up.insert(Arc::clone(device));
        self.devices.get(device).map(|(id, _)| id.clone())
    }
}

/// Whether it is that name with a number behind it.
fn is_numbered(text: &str, name: &str) -> bool {
    let number = text.strip_prefix(name).and_then(|rest| rest.strip_prefix(' '));
    number.is_some_and(|number| number.parse::<u32>().is_ok())
}

/// The names that the things of one config have, by their keys.
pub(super) type Given = BTreeMap<String, String>;
