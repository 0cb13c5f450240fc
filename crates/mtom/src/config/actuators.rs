//! `[[actuator]]`: the devices with an LED.

use super::reader::{Problems, Section, duration, text};
use super::sections::sections;
use super::{Actuator, REFRESH, Surroundings};
use crate::key;
use mtom_protocol::link::keyed::Key;

/// All of them, each with a name of its own.
pub(super) fn read(
    root: &mut Section,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Vec<Actuator> {
    let mut actuators: Vec<Actuator> = Vec::new();
    for (mut section, place) in sections(root, "actuator", problems).unwrap_or_default() {
        let name = section.require("name", &place, problems, |node| {
            let name = text(node)?;
            if actuators.iter().any(|other| other.name == name) {
                return Err(format!("{name:?} is taken by another actuator"));
            }
            actuator_name(name)
        });
        let link = section.require("link", &place, problems, |node| {
            let link = text(node)?;
            mtom_gateway::settings::check_link(&link).map(|()| link)
        });
        let refresh = section.get("refresh", problems, duration).unwrap_or(REFRESH);
        let protocol = section.get("protocol", problems, |node| {
            let protocol = text(node)?;
            if mtom_gateway::settings::protocol(&protocol).is_some() {
                Ok(protocol)
            } else {
                Err(format!("expected auto, original or second, found {protocol:?}"))
            }
        });
        let drift = section.get("drift", problems, |node| {
            let drift = text(node)?;
            if mtom_gateway::settings::drift(&drift).is_some() {
                Ok(drift)
            } else {
                Err(format!("expected correct or adopt, found {drift:?}"))
            }
        });
        let key = key(&mut section, link.as_deref(), protocol.as_deref(), around, problems);
        section.finish(problems);
        if let (Some(name), Some(link)) = (name, link) {
            let protocol = protocol.unwrap_or_else(|| "auto".into());
            let drift = drift.unwrap_or_else(|| "correct".into());
            actuators.push(Actuator { name, link, refresh, protocol, drift, key });
        }
    }
    actuators
}

/// The key of the device, out of a file of its own.
fn key(
    section: &mut Section,
    link: Option<&str>,
    protocol: Option<&str>,
    around: &impl Surroundings,
    problems: &mut Problems,
) -> Option<Key> {
    if let Some(entry) = section.take("key") {
        let text = format!(
            "a key does not belong into the configuration: write it into a file and name that with {}",
            section.name("key_file")
        );
        problems.add(&section.name("key"), entry.place, text);
    }
    section.get("key_file", problems, |node| {
        let path = text(node)?;
        if path.is_empty() {
            return Ok(None);
        }
        if protocol == Some("original") {
            return Err("an original device has no key: take this away, or protocol".into());
        }
        if link.is_some_and(|link| link.starts_with("mqtt")) {
            return Err("a switch on the broker has no key: the broker says who may write".into());
        }
        key::parse(path.as_ref(), around.file(path.as_ref())).map(Some)
    })?
}

fn actuator_name(name: String) -> Result<String, String> {
    let plain = |c: char| c.is_ascii_graphic();
    if (1..=32).contains(&name.len()) && name.chars().all(plain) {
        Ok(name)
    } else {
        Err(format!("expected 1 to 32 letters, digits or signs without spaces, found {name:?}"))
    }
}
