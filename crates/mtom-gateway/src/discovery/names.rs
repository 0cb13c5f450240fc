//! What discovered devices and their series are called. No I/O.
//!
//! Names are given once: who came first keeps the plain one, also after a restart, so that a series is never two and two
//! are never one. One under which somebody else's readings are known, on another topic, is not given; and where such
//! readings come later the name is given up, because theirs is the topic's and cannot be another. `Kitchen` and `kitchen`
//! are two, as they are everywhere.

use mtom_protocol::discovery::{Component, Device, Sensor};
use mtom_protocol::payload::TOPIC_LEN_MAX;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, OnceLock};

/// On which topics the newest readings of a device came, one for each of its series.
pub(crate) type KnownSeries = dyn Fn(&str) -> Vec<Arc<str>> + Send + Sync;

/// Names of devices that are gone.
const FORMER_LEN_MAX: usize = 4_000;

/// What a device is called, also by messages that came when it was called otherwise.
pub(crate) struct Called {
    given: Arc<str>,
    /// It was given up for that.
    otherwise: OnceLock<Arc<Called>>,
}

impl Called {
    fn new(given: &Arc<str>) -> Arc<Self> {
        Arc::new(Self { given: Arc::clone(given), otherwise: OnceLock::new() })
    }

    /// Its name now.
    pub(super) fn name(&self) -> &Arc<str> {
        let mut called = self;
        while let Some(otherwise) = called.otherwise.get() {
            called = otherwise;
        }
        &called.given
    }
}

/// Who has a name.
struct Bearer {
    id: String,
    /// In so many configs.
    configs: usize,
    called: Arc<Called>,
    /// The number to try first behind a key of which all names are given.
    numbers: HashMap<String, u32>,
}

/// The names that are given.
pub(super) struct Names {
    known: Arc<KnownSeries>,
    /// Others give names too: a device has its identifier behind its name, whoever came first.
    is_shared: bool,
    devices: HashMap<Arc<str>, Bearer>,
    /// On which topic each comes.
    series: BTreeMap<(Arc<str>, Arc<str>), Arc<str>>,
    /// Who was called so before its last config had gone: it is called so again.
    former: HashMap<Arc<str>, String>,
    /// Devices' names that are somebody else's.
    given_up: HashSet<Arc<str>>,
}

impl Names {
    pub(super) fn new(known: Arc<KnownSeries>, is_shared: bool) -> Self {
        let (devices, series, former) = (HashMap::new(), BTreeMap::new(), HashMap::new());
        Self { known, is_shared, devices, series, former, given_up: HashSet::new() }
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
        let short = Some(name.clone()).filter(|_| !self.is_shared || whole.is_none());
        let plain = || short.clone().into_iter().chain(whole.clone());
        let holds =
            |text: &String| self.devices.get(text.as_str()).is_some_and(|bearer| bearer.id == *id);
        let is_free = |text: &String| {
            !self.given_up.contains(text.as_str()) && !self.devices.contains_key(text.as_str())
        };
        let is_others = |text: &String| {
            let is_its = |at: &Arc<str>| sensors.clone().any(|(_, sensor)| *sensor.topic == **at);
            self.former.get(text.as_str()) != Some(id) && !(self.known)(text).iter().all(is_its)
        };
        let numbered = || (2..).map(|number: u32| format!("{name} {number}"));
        let taken = || numbered().take_while(|text| !is_free(text));
        let held = || before.clone().into_iter().chain(plain()).chain(taken()).find(holds);
        let had = || before.clone().filter(is_free);
        let new = || plain().chain(numbered()).find(|text| is_free(text) && !is_others(text));
        let found = held().or_else(had).or_else(new).expect("numbers never end");
        let found: Arc<str> = found.into();
        self.former.remove(&found);
        let bearer = || Bearer {
            id: id.clone(),
            configs: 0,
            called: Called::new(&found),
            numbers: HashMap::new(),
        };
        self.devices.entry(Arc::clone(&found)).or_insert_with(bearer).configs += 1;
        found
    }

    /// What a device is called that has this name, whatever it will be called later.
    pub(super) fn called(&self, device: &Arc<str>) -> Arc<Called> {
        let bearer = self.devices.get(device);
        bearer.map_or_else(|| Called::new(device), |bearer| Arc::clone(&bearer.called))
    }

    /// The first of its names that no other thing of the device has.
    pub(super) fn series(
        &mut self,
        device: &Arc<str>,
        (component, sensor): (&Component, &Sensor),
        before: Option<&String>,
    ) -> Arc<str> {
        let bearer = self.devices.get(device);
        let first = bearer.and_then(|bearer| bearer.numbers.get(&component.key).copied());
        let numbered = (first.unwrap_or(2)..).map(|number| format!("{} {number}", component.key));
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
        if let Some(number) = number_of(&name, &component.key)
            && !component.names.iter().any(|own| **own == *name)
            && let Some(bearer) = self.devices.get_mut(device)
        {
            let next = bearer.numbers.entry(component.key.clone()).or_insert(2);
            // One that it had before stands behind numbers that may be free.
            if *next == number {
                *next = number.saturating_add(1);
            }
        }
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
        for quantity in quantities {
            self.series.remove(&(Arc::clone(device), Arc::clone(quantity)));
            let Some(bearer) = self.devices.get_mut(device) else { continue };
            let numbered = quantity.rsplit_once(' ');
            let number = numbered.and_then(|(key, _)| Some((key, number_of(quantity, key)?)));
            if let Some((key, number)) = number
                && let Some(next) = bearer.numbers.get_mut(key)
            {
                *next = number.clamp(2, *next);
            }
        }
        if let Some(bearer) = self.devices.get_mut(device) {
            bearer.configs -= 1;
            if bearer.configs == 0 {
                if self.former.len() < FORMER_LEN_MAX {
                    self.former.insert(Arc::clone(device), bearer.id.clone());
                }
                self.devices.remove(device);
            }
        }
    }

    /// Whether a reading on that topic is of somebody else who is called so.
    pub(super) fn are_given_to_another(&self, device: &Arc<str>, topic: &str) -> bool {
        let its = self.series.range((Arc::clone(device), "".into())..);
        let mut its = its.take_while(|((of, _), _)| of == device).peekable();
        its.peek().is_some() && !its.any(|(_, at)| **at == *topic)
    }

    /// A name is somebody else's; who had it is told by its identifier, and what it was called.
    pub(super) fn give_up(&mut self, device: &Arc<str>) -> Option<(String, Arc<Called>)> {
        self.given_up.insert(Arc::clone(device));
        self.devices.get(device).map(|bearer| (bearer.id.clone(), Arc::clone(&bearer.called)))
    }

    /// Who was called so is called as that device from now on, also in what came before.
    pub(super) fn call(&self, before: &Called, device: &Arc<str>) {
        let now = self.called(device);
        // One that has kept its name would be told for ever what it is called.
        if *now.given != *before.given {
            // It is given up once: nobody has it any more.
            let _ = before.otherwise.set(now);
        }
    }
}

/// Whether it is that name with a number behind it.
fn is_numbered(text: &str, name: &str) -> bool {
    number_of(text, name).is_some()
}

fn number_of(text: &str, name: &str) -> Option<u32> {
    text.strip_prefix(name)?.strip_prefix(' ')?.parse().ok()
}

/// The names that the things of one config have, by their keys.
pub(super) type Given = BTreeMap<String, String>;
