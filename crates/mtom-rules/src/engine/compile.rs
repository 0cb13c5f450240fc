//! From specs to rules, with every mistake of all of them.

use super::{AlertPlan, Engine, LampPlan, Rule, cycles};
use crate::condition::inputs::Needs;
use crate::condition::{Condition, Language};
use crate::decision::Target;
use crate::machine::Timing;
use crate::schedule::Schedule;
use crate::spec::{Consequence, Position, RuleError, RuleSpec};
use crate::template::Template;
use crate::topics::Topics;
use mtom_protocol::topic;
use std::collections::HashMap;
use std::ops::RangeInclusive;

const PRIORITIES: RangeInclusive<i32> = -1_000..=1_000;
/// The most levels of `when`: looking for a topic goes as deep.
const LEVELS_LEN_MAX: usize = 64;
/// The most entries of `then`.
const THEN_LEN_MAX: usize = 32;
/// The longest URL and the longest topic of an alert, in bytes.
const TARGET_LEN_MAX: usize = 2_048;
/// The longest name of a rule or an actuator, in bytes.
const NAME_LEN_MAX: usize = 64;

pub(super) fn engine(specs: &[RuleSpec]) -> Result<Engine, Vec<RuleError>> {
    let language = Language::new();
    let mut errors = Vec::new();
    let mut engine = Engine {
        rules: Vec::new(),
        topics: Topics::default(),
        lamps: Vec::new(),
        others: HashMap::new(),
        others_len: 0,
    };
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let mut problems = Problems { spec, index, errors: &mut errors };
        problems.name(&mut names);
        problems.actuators(specs);
        if let Some(rule) = problems.rule(&language) {
            engine.add(spec, rule);
        }
    }
    if errors.is_empty() {
        errors = cycles::find(specs);
    }
    for lamp in &mut engine.lamps {
        let priority = |index: &usize| specs.get(*index).map_or(0, |spec| -spec.priority);
        lamp.rules.sort_by_key(priority);
    }
    if errors.is_empty() { Ok(engine) } else { Err(errors) }
}

impl Engine {
    /// Adds a rule; its place is the spec's as long as no rule before it is wrong.
    fn add(&mut self, spec: &RuleSpec, mut rule: Rule) {
        let index = self.rules.len();
        self.topics.add(&spec.when, index);
        for name in spec.actuators() {
            let known = self.lamps.iter().position(|lamp| *lamp.name == *name);
            let place = known.unwrap_or_else(|| {
                self.lamps.push(LampPlan { name: name.into(), rules: Vec::new() });
                self.lamps.len() - 1
            });
            if let Some(lamp) = self.lamps.get_mut(place) {
                lamp.rules.push(index);
            }
            rule.lamps.push(place);
        }
        for (device, quantity) in &rule.needs.others {
            let of_device = self.others.entry(device.clone()).or_default();
            let place = *of_device.entry(quantity.clone()).or_insert(self.others_len);
            self.others_len = self.others_len.max(place + 1);
            rule.other_places.push(place);
        }
        self.rules.push(rule);
    }
}

/// The mistakes of one rule.
struct Problems<'s, 'e> {
    spec: &'s RuleSpec,
    index: usize,
    errors: &'e mut Vec<RuleError>,
}

impl<'s> Problems<'s, '_> {
    fn add(&mut self, key: &'static str, problem: String) {
        self.add_at(key, None, problem);
    }

    fn add_at(&mut self, key: &'static str, position: Option<Position>, problem: String) {
        let (rule, index) = (self.spec.name.clone(), self.index);
        self.errors.push(RuleError { rule, index, key, position, problem });
    }

    fn name(&mut self, names: &mut HashMap<&'s str, usize>) {
        let name = self.spec.name.as_str();
        if let Err(problem) = check_name(name) {
            self.add("name", problem);
        }
        if let Some(first) = names.insert(name, self.index) {
            let (first, this) = (first + 1, self.index + 1);
            self.add("name", format!("rules {first} and {this} have it: expected one of its own"));
        }
    }

    /// What a rule is made of; `None` together with a problem.
    fn rule(&mut self, language: &Language) -> Option<Rule> {
        let spec = self.spec;
        self.max_age();
        self.when();
        if !PRIORITIES.contains(&spec.priority) {
            let (min, max) = (PRIORITIES.start(), PRIORITIES.end());
            self.add("priority", format!("expected {min} to {max}, found {}", spec.priority));
        }
        let schedule = spec.schedule.as_ref().map(|text| Schedule::parse(text));
        let schedule = schedule.transpose().map_err(|problem| self.add("schedule", problem)).ok();
        let mut needs = Needs::default();
        let on = self.condition("on", &spec.on, language, &mut needs);
        let off = spec.off.as_ref().map(|off| self.condition("off", off, language, &mut needs));
        let alerts = self.alerts();
        Some(Rule {
            name: spec.name.as_str().into(),
            version: spec.version(),
            on: on?,
            off: off.flatten(),
            needs,
            other_places: Vec::new(),
            timing: Timing::of(spec, schedule?),
            lamps: Vec::new(),
            alerts,
        })
    }

    fn when(&mut self) {
        let when = &self.spec.when;
        if let Err(error) = topic::check_filter(when) {
            self.add("when", format!("{error}, found {when:?}"));
        } else if when.split('/').count() > LEVELS_LEN_MAX {
            self.add("when", format!("expected at most {LEVELS_LEN_MAX} levels"));
        }
    }

    fn actuators(&mut self, specs: &[RuleSpec]) {
        let spec = self.spec;
        if spec.then.is_empty() {
            self.add("then", "empty: expected [{ actuator = \"TEMP_LED\" }]".into());
        }
        if spec.then.len() > THEN_LEN_MAX {
            self.add("then", format!("expected at most {THEN_LEN_MAX} entries"));
        }
        for (at, actuator) in spec.actuators().enumerate() {
            if let Err(problem) = check_name(actuator) {
                self.add("then", format!("actuator: {problem}"));
                continue;
            }
            if spec.actuators().take(at).any(|earlier| earlier == actuator) {
                self.add("then", format!("{actuator} stands there twice: expected it once"));
                continue;
            }
            let rival = specs.iter().take(self.index).find(|other| {
                other.priority == spec.priority && other.actuators().any(|name| name == actuator)
            });
            if let Some(rival) = rival.filter(|rival| rival.name != spec.name) {
                let problem = format!(
                    "rules {:?} and {:?} both drive {actuator} with priority {}: give one of them \
                     another, as in priority = {}",
                    rival.name,
                    spec.name,
                    spec.priority,
                    (spec.priority + 1).min(*PRIORITIES.end()),
                );
                self.add("then", problem);
            }
        }
    }

    fn alerts(&mut self) -> Vec<AlertPlan> {
        let mut alerts = Vec::new();
        for consequence in &self.spec.then {
            let (edge, target, text, key) = match consequence {
                Consequence::Actuator(_) => continue,
                Consequence::Publish { topic, payload, edge, qos, retain } => {
                    if let Err(problem) = check_topic(topic) {
                        self.add("then", format!("publish: {problem}"));
                    }
                    let (topic, qos, retain) = (topic.as_str().into(), *qos, *retain);
                    (*edge, Target::Publish { topic, qos, retain }, payload, "payload")
                }
                Consequence::Webhook { url, body, edge } => {
                    if let Err(problem) = check_url(url) {
                        self.add("then", format!("webhook: {problem}"));
                    }
                    (*edge, Target::Webhook { url: url.as_str().into() }, body, "body")
                }
            };
            match Template::parse(text.as_deref()) {
                Ok(body) => alerts.push(AlertPlan { edge, target, body }),
                Err(problem) => self.add("then", format!("{key}: {problem}")),
            }
        }
        alerts
    }

    fn max_age(&mut self) {
        if self.spec.max_age.is_some_and(|max_age| max_age.is_zero()) {
            self.add("max_age", "is 0: expected a time above it, or none for never".into());
        }
    }

    fn condition(
        &mut self,
        key: &'static str,
        source: &str,
        language: &Language,
        needs: &mut Needs,
    ) -> Option<Condition> {
        match language.compile(source, needs) {
            Ok(condition) => Some(condition),
            Err(errors) => {
                for error in errors {
                    self.add_at(key, error.position, error.problem);
                }
                None
            }
        }
    }
}

/// Names stand in logs and in tables.
fn check_name(name: &str) -> Result<(), String> {
    if name.trim().is_empty() {
        Err("empty: expected a name".into())
    } else if name.len() > NAME_LEN_MAX {
        Err(format!("{} bytes long: expected at most {NAME_LEN_MAX}", name.len()))
    } else if name.chars().any(char::is_control) {
        Err(format!("has a control character: expected none, found {name:?}"))
    } else {
        Ok(())
    }
}

/// A topic that alerts may go to: one topic, and neither the broker's own nor ours.
fn check_topic(topic: &str) -> Result<(), String> {
    if topic.is_empty() {
        return Err("empty: expected a topic, as in \"alarm/heat\"".into());
    }
    if topic.contains(['+', '#']) {
        return Err(format!("expected one topic without + and #, found {topic:?}"));
    }
    if topic.starts_with('$') || topic == "mtom" || topic.starts_with("mtom/") {
        return Err(format!("{topic:?} is reserved: expected a topic not under $ or mtom/"));
    }
    if topic.len() > TARGET_LEN_MAX || topic.chars().any(char::is_control) {
        return Err(format!("expected at most {TARGET_LEN_MAX} bytes and no control characters"));
    }
    Ok(())
}

fn check_url(url: &str) -> Result<(), String> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"));
    let host = rest.and_then(|rest| rest.split(['/', '?', '#']).next()).unwrap_or("");
    if host.is_empty() {
        return Err(format!("expected a URL as in \"https://example.org/alarm\", found {url:?}"));
    }
    if url.len() > TARGET_LEN_MAX || url.chars().any(|c| c.is_control() || c.is_whitespace()) {
        return Err(format!("expected a URL of at most {TARGET_LEN_MAX} bytes without spaces"));
    }
    Ok(())
}
