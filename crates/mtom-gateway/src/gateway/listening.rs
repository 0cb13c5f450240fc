//! What is listened to: which messages are readings, which are spoken past us, and which tell what others are.

use super::house::Hearing;
use crate::Clock;
use crate::announce::Ours;
use crate::discovery::Cover;
use crate::relay::INTAKE_LEN;
use crate::sparkplug::Sparkplug;
use crate::view::View;
use mtom_broker::intake::{Delivery, Intake};
use mtom_protocol::payload::{availability, availability_filters};
use mtom_protocol::property::REPLAY_PREFIX;
use mtom_protocol::topic;
use std::sync::Arc;
use tokio::sync::mpsc;

/// Where devices speak about themselves, and Home Assistant about itself.
const ABOUT_DEVICES: [&str; 2] = ["mtom/", "homeassistant/"];
/// What mtom's own devices say and hear about themselves below `mtom/<id>/` (`wire.md` §3).
const OWN_TOPICS: [&str; 4] = ["status", "state", "settings", "set"];

/// The door for what is on a topic of readings or is discovered, but for those on which switches are `spoken` to and answer.
pub(super) fn intake(
    house: &Hearing,
    view: &View,
    clock: &Clock,
) -> (Intake, mpsc::Receiver<Delivery>) {
    let Hearing { discovered, ears, topics, filters: raw, spoken, .. } = house;
    let (topics, named) = (topics.clone(), topics.clone());
    let about_them = availability_filters(raw);
    let spoken: Arc<[String]> = spoken.clone().into();
    let of_switch = Arc::clone(&spoken);
    let found = discovered.clone();
    let ours = ears.ours();
    let of_gateways = move |name: &str| ours.is(name);
    let (is_of_gateways, is_config_of_gateway) = (of_gateways.clone(), of_gateways.clone());
    let (intake, deliveries) = Intake::new(INTAKE_LEN, move |name| {
        // What is played back was stored when it was new.
        !name.starts_with(REPLAY_PREFIX)
            && !of_gateways(name)
            && !of_switch.iter().any(|topic| topic == name)
            && topics.iter().any(|filter| is_for(filter, name))
    });
    let intake = intake.noting(move |name| found.note(name));
    // Whose readings are listened to is also heard where it says that it is there, be it a switch.
    let intake = intake.also(move |name, payload| {
        let is_about = || about_them.iter().any(|filter| topic::matches(filter, name));
        (is_about() || named.iter().any(|filter| is_for(filter, name)))
            && availability(name, payload).is_some()
    });
    view.tally(intake.tally());
    let (view, clock) = (view.clone(), Arc::clone(clock));
    let intake = intake.telling(move |name| {
        // What devices say about themselves is no reading by design: not worth a line.
        let is_of_switch = spoken.iter().any(|topic| topic == name);
        if !is_of_switch
            && !is_of_gateways(name)
            && !ABOUT_DEVICES.iter().any(|prefix| name.starts_with(prefix))
        {
            view.ignored(name, clock());
        }
    });
    let (tally, written) = (intake.tally(), discovered.clone());
    let (discovered, ears) = (discovered.clone(), ears.clone());
    let intake = intake.keeping(move |topic| written.until_written(topic));
    let is_apart = house.is_apart;
    let intake = intake.showing(move |topic, payload, manner| {
        let is_of_house = || {
            if is_apart {
                ears.is_for_us(topic, payload)
            } else {
                ears.heard(topic, payload, manner)
            }
        };
        // What gateways say is nothing to discover, however much it is.
        let is_aside =
            (!is_config_of_gateway(topic) && discovered.heard(topic, payload)) || is_of_house();
        tally.ignore(u64::from(is_aside));
        is_aside
    });
    (intake, deliveries)
}

/// How topics are read that no config of a device is about: by those filters, without the groups that share them, and
/// past the readings where switches are `spoken` to.
pub(super) fn cover(
    filters: &[String],
    ours: Ours,
    spoken: &[String],
) -> impl Fn(&str) -> Cover + use<> {
    let (filters, spoken) = (filters.to_vec(), spoken.to_vec());
    move |name| {
        let is_past = name.starts_with(REPLAY_PREFIX)
            || ours.is(name)
            || Sparkplug::is_of(name)
            || spoken.iter().any(|topic| topic == name);
        let by = || filters.iter().filter(|filter| is_for(filter, name));
        match by().next() {
            _ if is_past => Cover::Past,
            None => Cover::None,
            Some(_) if by().all(|filter| filter == "#") => Cover::Everything,
            Some(_) => Cover::Named,
        }
    }
}

/// Whether a filter of the configuration is meant for a topic. One that begins with a wildcard leaves out what
/// devices say about themselves, as it leaves out `$SYS`.
pub(super) fn is_for(filter: &str, name: &str) -> bool {
    let is_named = || ABOUT_DEVICES.iter().any(|prefix| filter.starts_with(prefix));
    topic::matches(filter, name) && (!is_about_devices(name) || is_named())
}

/// Whether a topic is surely not one of readings: others have theirs below `mtom/` and `homeassistant/` too.
fn is_about_devices(name: &str) -> bool {
    match name.split_once('/') {
        Some(("homeassistant", rest)) => rest == "status" || rest.ends_with("/config"),
        Some(("mtom", rest)) => {
            let own = rest.split_once('/').map(|(_, what)| what);
            own.is_some_and(|what| OWN_TOPICS.contains(&what))
        }
        _ => false,
    }
}
