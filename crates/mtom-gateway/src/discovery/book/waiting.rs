//! Things that may be read once another is gone: found by what they wait for, so that a config that comes or goes costs
//! nothing where nobody waits for what it had. No I/O.

use super::{Book, Component, Fate, PLANS_LEN_MAX, TOPICS_LEN_MAX, sensor};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// What a thing waits for.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Want {
    /// Room on a topic.
    Topic(String),
    /// The identifier on that platform.
    Unique(String, String),
}

impl Want {
    /// What that thing waits for; `None`: nothing.
    pub(super) fn of(component: &Component, fate: &Fate) -> Option<Self> {
        match fate {
            Fate::TooMany => Some(Self::Topic(sensor(component)?.topic.clone())),
            Fate::NotUnique => {
                Some(Self::Unique(component.platform.clone(), component.unique_id.clone()?))
            }
            _ => None,
        }
    }
}

/// A config, behind its place in the order.
type Ordered = (u64, Arc<str>);

/// Who waits for what.
#[derive(Default)]
pub(super) struct Waiting {
    /// How many things of each config.
    all: BTreeMap<Want, BTreeMap<Ordered, usize>>,
    /// What was given back since it was looked at.
    freed: BTreeSet<Want>,
    /// A topic was given back where there had been too many.
    is_topic_freed: bool,
}

impl Waiting {
    /// A thing of that config waits.
    pub(super) fn begin(&mut self, want: Want, config: Ordered) {
        *self.all.entry(want).or_default().entry(config).or_default() += 1;
    }

    /// It waits no longer.
    pub(super) fn end(&mut self, want: &Want, config: &Ordered) {
        let Some(configs) = self.all.get_mut(want) else { return };
        if let Some(things) = configs.get_mut(config) {
            *things -= 1;
            if *things == 0 {
                configs.remove(config);
            }
        }
        if configs.is_empty() {
            self.all.remove(want);
        }
    }

    /// Something was given back.
    pub(super) fn free(&mut self, want: Want) {
        if self.all.contains_key(&want) {
            self.freed.insert(want);
        }
    }

    /// One of so many topics was given back.
    pub(super) fn free_topic(&mut self, before: usize) {
        self.is_topic_freed |= before >= TOPICS_LEN_MAX;
    }

    /// Who may have what was given back, in the order of the configs.
    fn take(&mut self) -> Vec<(Ordered, Want)> {
        let mut freed = std::mem::take(&mut self.freed);
        if std::mem::take(&mut self.is_topic_freed) {
            let topics = self.all.keys().filter(|want| matches!(want, Want::Topic(_)));
            freed.extend(topics.cloned());
        }
        let configs = |want: Want| {
            let configs = self.all.get(&want).into_iter().flat_map(BTreeMap::keys);
            configs.map(move |config| (config.clone(), want.clone()))
        };
        let mut found: Vec<_> = freed.into_iter().flat_map(configs).collect();
        found.sort_unstable();
        found
    }
}

impl Book {
    /// Whether there is room now for what had waited, in the order of the configs.
    pub(super) fn look_again(&mut self) {
        for (config, want) in self.waiting.take() {
            if self.is_free(&want) {
                self.try_again(&config, &want);
            }
        }
    }

    fn is_free(&self, want: &Want) -> bool {
        match want {
            Want::Unique(platform, id) => {
                !self.unique.contains_key(&(platform.clone(), id.clone()))
            }
            Want::Topic(topic) => {
                let plans = self.plans.get(topic);
                self.has_room_on(topic) && plans.is_none_or(|plans| plans.all.len() < PLANS_LEN_MAX)
            }
        }
    }

    /// Gives a config's things what they wait for, as long as it is there.
    fn try_again(&mut self, config: &Ordered, want: &Want) {
        let (_, topic) = config;
        let Some(mut entry) = self.entries.remove(&**topic) else { return };
        if let Ok(known) = &mut entry.said {
            let was_heard = known.there().is_some();
            for component in &known.config.components {
                let Some(fate) = known.fates.get_mut(&component.key) else { continue };
                if Want::of(component, fate).as_ref() != Some(want) {
                    continue;
                }
                let Some(new) = self.fate((topic, &known.device), component, None) else {
                    continue;
                };
                *fate = new;
                self.waiting.end(want, config);
                if let Some(want) = Want::of(component, fate) {
                    self.waiting.begin(want, config.clone());
                }
                if !self.is_free(want) {
                    break;
                }
            }
            if !was_heard {
                self.listen(topic, known);
            }
        }
        self.entries.insert(topic.to_string(), entry);
    }
}
