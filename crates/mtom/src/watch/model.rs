//! What has been seen so far, from the frames of `/live`. Frames of unknown types are passed over:
//! a newer gateway may say more.

use crate::link::Link;
use jiff::tz::TimeZone;
use mtom_protocol::unit::fahrenheit;
use serde_json::Value;
use std::collections::{BTreeMap, VecDeque};

const LOG_LEN: usize = 500;
const CHART_LEN: usize = 240;
/// Series that are kept; a gateway with more shows the first ones here.
const SERIES_LEN: usize = 1_000;

/// Everything on the screen.
#[derive(Debug)]
pub(crate) struct Model {
    /// In which times are told.
    pub(crate) zone: TimeZone,
    pub(crate) series: BTreeMap<String, Series>,
    /// Devices that have gone, with the time since when.
    pub(crate) offline: BTreeMap<String, i64>,
    pub(crate) actuators: BTreeMap<String, Actuator>,
    pub(crate) log: VecDeque<String>,
    pub(crate) counts: String,
}

/// One series: its newest value and the ones before it.
#[derive(Debug, Default)]
pub(crate) struct Series {
    pub(crate) device: String,
    pub(crate) value: f64,
    pub(crate) unit: String,
    pub(crate) celsius: Option<f64>,
    pub(crate) at_micros: i64,
    pub(crate) chart: VecDeque<f64>,
}

/// One actuator in words.
#[derive(Debug, Default)]
pub(crate) struct Actuator {
    pub(crate) link: Link,
    pub(crate) wanted: String,
    /// What the device reports; without an answer what it was sent.
    pub(crate) led: String,
    pub(crate) on: bool,
    /// Whether the device proves what it says; empty while that is not known.
    pub(crate) trust: String,
}

impl Model {
    pub(crate) fn new(zone: TimeZone) -> Self {
        let (series, actuators) = (BTreeMap::new(), BTreeMap::new());
        Self {
            zone,
            series,
            offline: BTreeMap::new(),
            actuators,
            log: VecDeque::new(),
            counts: String::new(),
        }
    }

    /// Takes one frame; returns the lines that it is worth in a plain terminal.
    pub(crate) fn take(&mut self, frame: &Value) -> Vec<String> {
        match frame["type"].as_str() {
            Some("snapshot") => {
                let mut lines = Vec::new();
                for reading in items(&frame["readings"]) {
                    lines.extend(self.reading(reading));
                }
                self.offline.clear();
                for said in items(&frame["availability"]) {
                    let line = self.availability(said);
                    // At the start it is news who is not there.
                    lines.extend((said["available"] == false).then_some(line));
                }
                for actuator in items(&frame["actuators"]) {
                    lines.extend(self.actuator(actuator));
                }
                // A snapshot after a gap repeats lines; the log begins anew with it.
                self.log.clear();
                for entry in items(&frame["log"]) {
                    self.log(entry);
                }
                self.count(&frame["counts"]);
                lines
            }
            Some("reading") => self.reading(&frame["reading"]).into_iter().collect(),
            Some("availability") => vec![self.availability(&frame["availability"])],
            Some("actuator") => self.actuator(&frame["actuator"]).into_iter().collect(),
            Some("log") => {
                let hop = frame["entry"]["hop"].as_str().unwrap_or_default();
                let line = self.log(&frame["entry"]);
                // Readings have a line of their own.
                if hop == "gateway" { Vec::new() } else { vec![line] }
            }
            Some("counts") => {
                self.count(&frame["counts"]);
                Vec::new()
            }
            Some("batch") => items(&frame["frames"]).iter().flat_map(|it| self.take(it)).collect(),
            Some("lagged") => vec![format!("({} updates not shown)", frame["lagged"])],
            _ => Vec::new(),
        }
    }

    fn reading(&mut self, reading: &Value) -> Option<String> {
        let name = format!("{}/{}", text(&reading["device"]), text(&reading["quantity"]));
        if self.series.len() >= SERIES_LEN && !self.series.contains_key(&name) {
            return None;
        }
        let series = self.series.entry(name.clone()).or_default();
        series.device = text(&reading["device"]);
        series.value = reading["value"].as_f64()?;
        series.unit = text(&reading["unit"]);
        series.celsius = reading["celsius"].as_f64();
        series.at_micros = reading["at_micros"].as_i64().unwrap_or_default();
        if series.chart.len() == CHART_LEN {
            series.chart.pop_front();
        }
        series.chart.push_back(series.celsius.unwrap_or(series.value));
        Some(format!("{}  {name}  {}", text(&reading["at"]), series.words()))
    }

    /// A device that has gone or is there.
    fn availability(&mut self, said: &Value) -> String {
        let device = text(&said["device"]);
        let word = if said["available"] == true {
            self.offline.remove(&device);
            "online"
        } else {
            if self.offline.len() < SERIES_LEN {
                let since = said["since_micros"].as_i64().unwrap_or_default();
                self.offline.insert(device.clone(), since);
            }
            "offline"
        };
        format!("{}  {device}  {word}", text(&said["since"]))
    }

    fn actuator(&mut self, json: &Value) -> Option<String> {
        let state = |told: &Value| {
            let led = text(&told["led"]);
            (!led.is_empty()).then_some(led)
        };
        let name = text(&json["name"]);
        let (reported, sent) = (state(&json["reported"]), state(&json["sent"]));
        let link = Link::of(json);
        let led = match (&reported, &sent) {
            (Some(led), _) => format!("{led}, reported"),
            (None, Some(led)) => format!("{led}, sent"),
            (None, None) => "unknown".to_owned(),
        };
        let on = reported.or(sent).is_some_and(|led| led == "on");
        let wanted = state(&json["desired"]).unwrap_or_else(|| "nothing".to_owned());
        let trust = text(&json["trust"]);
        let proof = if trust.is_empty() { String::new() } else { format!(", {trust}") };
        let line = format!("{name}  LED {led}  (wanted {wanted}, link {}{proof})", link.state);
        let now = Actuator { link, wanted, led: led.clone(), on, trust: trust.clone() };
        let shown = self.actuators.insert(name, now);
        // Repeated reports of the same state are no news.
        (shown.is_none_or(|before| before.led != led || before.trust != trust)).then_some(line)
    }

    fn log(&mut self, entry: &Value) -> String {
        let line = format!("{}  {}", text(&entry["at"]), text(&entry["text"]));
        if self.log.len() == LOG_LEN {
            self.log.pop_front();
        }
        self.log.push_back(line.clone());
        line
    }

    fn count(&mut self, counts: &Value) {
        let number = |key: &str| counts[key].as_u64().unwrap_or_default();
        self.counts = format!(
            "received {} = stored {} + duplicate {} + rejected {} + in flight {}",
            number("received"),
            number("stored"),
            number("duplicate"),
            number("rejected"),
            number("in_flight")
        );
        if number("ignored") > 0 {
            self.counts.push_str(&format!("; ignored {}", number("ignored")));
        }
    }
}

impl Series {
    /// `23.4 °C  74.1 °F`
    pub(crate) fn words(&self) -> String {
        match self.celsius {
            Some(celsius) => format!("{celsius:.1} °C  {:.1} °F", fahrenheit(celsius)),
            None => format!("{} {}", self.value, self.unit).trim_end().to_owned(),
        }
    }
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A text without anything that a terminal would obey.
fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}
