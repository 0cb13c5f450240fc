//! The configs that tell Home Assistant of a device, its sensors and its switch.
//!
//! The facts are Home Assistant's, of its device discovery: `dev`, `o`, `cmps`, and in each component `p` and
//! `unique_id`. A number expires, so it is never kept: one that is kept would look new after a restart.

use super::names::{Names, slug};
use super::talk::ToldCounts;
use crate::view::{ActuatorView, LinkState};
use bytes::Bytes;
use mtom_protocol::link::Led;
use mtom_protocol::reading::Reading;
use mtom_protocol::unit::Unit;
use serde_json::{Map, Value, json};
use std::sync::Arc;
use std::time::Duration;

/// Sensors in one config: with all that they say it stays far below what brokers take, and below 64 KiB.
pub(super) const PART_LEN_MAX: usize = 50;

/// What a config says of a series.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Series {
    device: Arc<str>,
    quantity: Arc<str>,
    unit: Unit,
    /// Which of the configs of its device it is in, from 0.
    part: usize,
}

impl Series {
    pub(super) fn of(reading: &Reading, part: usize) -> Self {
        let (device, quantity) = (Arc::clone(&reading.device), Arc::clone(&reading.quantity));
        Self::new((device, quantity), reading.unit, part)
    }

    pub(super) fn new((device, quantity): (Arc<str>, Arc<str>), unit: Unit, part: usize) -> Self {
        Self { device, quantity, unit, part }
    }

    /// In which order they are told.
    pub(super) fn place(&self) -> (&str, usize, &str) {
        (&self.device, self.part, &self.quantity)
    }

    pub(super) fn unit(&self) -> Unit {
        self.unit
    }

    pub(super) fn name(&self) -> (Arc<str>, Arc<str>) {
        (Arc::clone(&self.device), Arc::clone(&self.quantity))
    }
}

/// One config, and what it tells of.
pub(super) struct Config {
    pub(super) topic: String,
    pub(super) payload: Bytes,
    pub(super) counts: ToldCounts,
}

/// The configs of the gateway, of every device with its series, which are in the order of their places, and of
/// every actuator.
pub(super) fn all(
    names: &Names,
    series: &[Series],
    actuators: &[String],
    expire_after: Duration,
) -> Vec<Config> {
    let none = ToldCounts::default();
    let gateway =
        Config { topic: names.config_of_gateway(), payload: gateway(names), counts: none };
    let actuators = actuators.iter().map(|name| Config {
        topic: names.config_of_actuator(name),
        payload: actuator(names, name),
        counts: ToldCounts { switches: 1, ..none },
    });
    let devices = devices(names, series, expire_after).into_iter();
    std::iter::once(gateway).chain(devices).chain(actuators).collect()
}

/// The gateway itself: whether it is there.
fn gateway(names: &Names) -> Bytes {
    let id = names.id();
    let component = json!({
        "p": "binary_sensor",
        "unique_id": format!("{id}_gateway"),
        "default_entity_id": "binary_sensor.mtom_gateway",
        "name": "Gateway",
        "device_class": "connectivity",
        "entity_category": "diagnostic",
        "state_topic": names.gateway(),
        "payload_on": "online",
        "payload_off": "offline",
    });
    bytes(&json!({
        "dev": { "ids": [id], "name": format!("mtom {id}"), "mf": "mtom" },
        "o": origin(),
        "cmps": { "gateway": component },
    }))
}

/// One config for each device with its series, and more where they are many.
fn devices(names: &Names, series: &[Series], expire_after: Duration) -> Vec<Config> {
    let of_device =
        series.chunk_by(|one, other| (&one.device, one.part) == (&other.device, other.part));
    let config = |all: &[Series]| {
        let Series { device, part, .. } = all.first()?;
        let id = names.device_id(device);
        let components =
            all.iter().map(|one| (slug(&one.quantity), sensor(names, one, expire_after)));
        let config = json!({
            "dev": device_of(names, &id, device),
            "o": origin(),
            "avty": [{ "t": names.gateway() }],
            "cmps": components.collect::<Map<_, _>>(),
        });
        let counts =
            ToldCounts { devices: u64::from(*part == 0), sensors: all.len() as u64, switches: 0 };
        Some(Config {
            topic: names.config_of_device(device, *part),
            payload: bytes(&config),
            counts,
        })
    };
    of_device.filter_map(config).collect()
}

fn sensor(names: &Names, series: &Series, expire_after: Duration) -> Value {
    let Series { device, quantity, unit, .. } = series;
    let mut sensor = json!({
        "p": "sensor",
        "unique_id": names.series_id(device, quantity),
        "default_entity_id": format!("sensor.{}_{}", entity(device), entity(quantity)),
        "name": &**quantity,
        "state_topic": names.series(device, quantity),
        "state_class": "measurement",
        "expire_after": expire_after.as_secs(),
    });
    if *unit != Unit::None {
        sensor["unit_of_measurement"] = unit.symbol().into();
    }
    if let Some(class) = class(quantity, *unit) {
        sensor["device_class"] = class.into();
    }
    sensor
}

/// An actuator: a switch whose state is what the device has reported, and a button that gives it back to the rules.
fn actuator(names: &Names, name: &str) -> Bytes {
    let id = names.actuator_id(name);
    let switch = json!({
        "p": "switch",
        "unique_id": format!("{id}_switch"),
        "default_entity_id": format!("switch.{}", entity(name)),
        "name": null,
        "command_topic": names.actuator_set(name),
        "state_topic": names.actuator_state(name),
        "payload_on": "ON",
        "payload_off": "OFF",
        "qos": 1,
        "retain": false,
    });
    let button = json!({
        "p": "button",
        "unique_id": format!("{id}_auto"),
        "default_entity_id": format!("button.{}_auto", entity(name)),
        "name": "Back to the rules",
        "command_topic": names.actuator_set(name),
        "payload_press": "AUTO",
        "qos": 1,
        "retain": false,
    });
    bytes(&json!({
        "dev": device_of(names, &id, name),
        "o": origin(),
        "avty": [{ "t": names.gateway() }, { "t": names.actuator_online(name) }],
        "avty_mode": "all",
        "cmps": { "switch": switch, "auto": button },
    }))
}

/// What an actuator has reported, `None` in Home Assistant's word where it has not; and whether it can be reached.
pub(super) fn states(actuator: &ActuatorView) -> (Bytes, Bytes) {
    let state = match actuator.reported.map(|told| told.led) {
        Some(Led::On) => "ON",
        Some(Led::Off) => "OFF",
        None => "None",
    };
    let is_up = actuator.link_state == LinkState::Up;
    (state.into(), if is_up { "online" } else { "offline" }.into())
}

fn device_of(names: &Names, id: &str, name: &str) -> Value {
    json!({ "ids": [id], "name": name, "mf": "mtom", "via_device": names.id() })
}

fn origin() -> Value {
    json!({ "name": crate::discovery::ORIGIN, "sw": env!("CARGO_PKG_VERSION") })
}

/// What Home Assistant calls the kind of a quantity, where that is sure.
fn class(quantity: &str, unit: Unit) -> Option<&'static str> {
    let quantity = quantity.to_ascii_lowercase();
    match unit {
        Unit::Celsius | Unit::Fahrenheit | Unit::Kelvin => Some("temperature"),
        Unit::Percent if quantity.contains("humidity") => Some("humidity"),
        Unit::Percent if quantity.contains("battery") => Some("battery"),
        Unit::Pascal | Unit::HectoPascal => Some("pressure"),
        Unit::Volt => Some("voltage"),
        Unit::Ampere => Some("current"),
        Unit::Watt => Some("power"),
        Unit::Lux => Some("illuminance"),
        Unit::PartsPerMillion if quantity.contains("co2") => Some("carbon_dioxide"),
        Unit::Percent | Unit::PartsPerMillion | Unit::None => None,
    }
}

/// A text as it may stand in the name of an entity.
fn entity(name: &str) -> String {
    slug(name).to_ascii_lowercase().replace('-', "_")
}

fn bytes(value: &Value) -> Bytes {
    value.to_string().into()
}
