//! From specs to rules, with every mistake of all of them.

use super::Rule;
use crate::condition::{Condition, Language};
use crate::machine::Timing;
use crate::spec::{Position, RuleError, RuleSpec};
use mtom_protocol::topic;
use std::collections::HashMap;

/// The longest name of a rule or an actuator, in bytes.
const NAME_LEN_MAX: usize = 64;

pub(super) fn rules(specs: &[RuleSpec], language: &Language) -> Result<Vec<Rule>, Vec<RuleError>> {
    let mut errors = Vec::new();
    let mut rules = Vec::new();
    let mut drivers: HashMap<&str, &str> = HashMap::new();
    let mut names: HashMap<&str, usize> = HashMap::new();
    for (index, spec) in specs.iter().enumerate() {
        let mut problems = Problems { spec, index, errors: &mut errors };
        problems.name(&mut names);
        problems.actuators(&mut drivers);
        problems.max_age();
        if let Err(error) = topic::check_filter(&spec.when) {
            problems.add("when", format!("{error}, found {:?}", spec.when));
        }
        let on = problems.condition("on", &spec.on, language);
        let off = spec.off.as_ref().map(|off| problems.condition("off", off, language));
        if let Some(on) = on {
            rules.push(Rule {
                name: spec.name.as_str().into(),
                version: spec.version(),
                when: spec.when.as_str().into(),
                on,
                off: off.flatten(),
                timing: Timing::of(spec),
                actuators: spec.actuators().map(Into::into).collect(),
            });
        }
    }
    if errors.is_empty() { Ok(rules) } else { Err(errors) }
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

    fn actuators(&mut self, drivers: &mut HashMap<&'s str, &'s str>) {
        let spec = self.spec;
        if spec.then.is_empty() {
            self.add("then", "empty: expected [{ actuator = \"TEMP_LED\" }]".into());
        }
        for (at, actuator) in spec.actuators().enumerate() {
            if let Err(problem) = check_name(actuator) {
                self.add("then", format!("actuator: {problem}"));
            } else if spec.actuators().take(at).any(|earlier| earlier == actuator) {
                self.add("then", format!("{actuator} stands there twice: expected it once"));
            } else if let Some(other) = drivers.insert(actuator, &spec.name) {
                let problem = format!(
                    "rules {other:?} and {:?} both drive {actuator}: expected one of them",
                    spec.name
                );
                self.add("then", problem);
            }
        }
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
    ) -> Option<Condition> {
        match language.compile(source) {
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
