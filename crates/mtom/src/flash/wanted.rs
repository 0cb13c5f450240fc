//! What the command line asks for, checked whole before a port is touched.

use super::arguments::{Actuator, Sensor};
use crate::{Failure, config, key};
use mtom_flash::settings::BoardSettings;
use std::fmt::Display;
use std::path::Path;

/// The environment's way to say the network's password, which nobody else can see.
const WIFI_PASSWORD: &str = "MTOM_WIFI_PASSWORD";
const PORT: &str = "1883";
const PORT_TLS: &str = "8883";

/// What a sensor is told and where its readings go.
pub(super) struct SensorWanted {
    pub(super) settings: BoardSettings,
    /// Where it can be heard; `None` where only the device itself gets in.
    pub(super) heard_at: Option<(String, u16)>,
}

/// Everything that is wrong, said at once.
#[derive(Default)]
pub(super) struct Mistakes(Vec<String>);

impl Mistakes {
    pub(super) fn add(&mut self, flag: &str, text: impl Display) {
        self.0.push(format!("{flag}: {text}"));
    }

    pub(super) fn check<T, E: Display>(&mut self, flag: &str, outcome: Result<T, E>) -> Option<T> {
        outcome.map_err(|text| self.add(flag, text)).ok()
    }

    fn set(&mut self, settings: &mut BoardSettings, flag: &str, key: &str, value: &str) {
        if let Err(error) = settings.set(key, value) {
            self.add(flag, format_args!("expected {}", error.expected));
        }
    }

    /// Fails when there are any.
    pub(super) fn none(self) -> Result<(), Failure> {
        match self.0.as_slice() {
            [] => Ok(()),
            [one] => Err(Failure::Usage(one.clone())),
            several => Err(Failure::Usage(format!(
                "{} mistakes:\n  {}",
                several.len(),
                several.join("\n  ")
            ))),
        }
    }
}

/// A sensor's settings.
pub(super) fn sensor(arguments: &Sensor, mistakes: &mut Mistakes) -> SensorWanted {
    let mut settings = BoardSettings::default();
    let mut heard_at = None;
    if let Some(broker) = mistakes.check("--broker", Broker::parse(&arguments.broker)) {
        mistakes.set(&mut settings, "--broker", "broker_host", broker.host);
        mistakes.set(&mut settings, "--broker", "broker_port", broker.port);
        mistakes.set(&mut settings, "--broker", "tls", on_off(broker.is_tls));
        ca(arguments, &broker, &mut settings, mistakes);
        if !broker.is_tls && arguments.user.is_none() {
            heard_at = broker.port.parse().ok().map(|port| (broker.host.to_owned(), port));
        }
    }
    let ntp = if arguments.ntp == "none" { "" } else { &arguments.ntp };
    for (flag, key, value) in [
        ("--wifi-ssid", "wifi_ssid", arguments.wifi_ssid.as_str()),
        ("--id", "id", arguments.id.as_deref().unwrap_or_default()),
        ("--topic", "topic", &arguments.topic),
        ("--format", "format", &arguments.format),
        ("--ntp", "ntp", ntp),
        ("--user", "user", arguments.user.as_deref().unwrap_or_default()),
        ("--discovery", "discovery", on_off(arguments.discovery)),
    ] {
        mistakes.set(&mut settings, flag, key, value);
    }
    if let Some(millis) = millis("--period", &arguments.period, mistakes) {
        mistakes.set(&mut settings, "--period", "period_millis", &millis);
    }
    if let Some(file) = &arguments.password_file
        && let Some(password) = mistakes.check("--password-file", first_line(file))
    {
        mistakes.set(&mut settings, "--password-file", "password", &password);
    }
    wifi_password(arguments, &mut settings, mistakes);
    SensorWanted { settings, heard_at }
}

/// An actuator's settings.
pub(super) fn actuator(arguments: &Actuator, mistakes: &mut Mistakes) -> BoardSettings {
    let mut settings = BoardSettings::default();
    mistakes.set(&mut settings, "--name", "name", &arguments.name);
    if let Some(millis) = millis("--lease", &arguments.lease, mistakes) {
        mistakes.set(&mut settings, "--lease", "lease_millis", &millis);
    }
    if let Some(file) = &arguments.key_file
        && let Some(key) = mistakes.check("--key-file", key::read(file))
    {
        mistakes.set(&mut settings, "--key-file", "key", &key.digits().to_string());
    }
    if let Some(window) = arguments.pairing {
        let seconds = window.as_secs().to_string();
        mistakes.set(&mut settings, "--pairing", "pairing_seconds", &seconds);
    }
    if let Some(passkey) = arguments.passkey {
        mistakes.set(&mut settings, "--passkey", "passkey", &passkey.to_string());
    }
    if arguments.compare {
        mistakes.set(&mut settings, "--compare", "pairing_compare", "on");
    }
    settings
}

/// Whether only the board itself would be meant by this name.
pub(super) fn is_loopback(host: &str) -> bool {
    host == "localhost" || host.parse().is_ok_and(|address: std::net::IpAddr| address.is_loopback())
}

/// Where the broker is.
struct Broker<'a> {
    host: &'a str,
    port: &'a str,
    is_tls: bool,
}

impl<'a> Broker<'a> {
    fn parse(text: &'a str) -> Result<Self, String> {
        let (is_tls, rest) = match text.split_once("://") {
            Some(("mqtts", rest)) => (true, rest),
            Some(("mqtt", rest)) => (false, rest),
            Some(_) => (false, ""),
            None => (false, text),
        };
        let default = if is_tls { PORT_TLS } else { PORT };
        let (host, port) = match rest.strip_prefix('[') {
            Some(address) => match address.split_once(']') {
                Some((host, "")) => (host, default),
                Some((host, after)) => (host, after.strip_prefix(':').unwrap_or_default()),
                None => ("", default),
            },
            None => match rest.split_once(':') {
                // Colons without brackets: an address alone.
                Some((_, after)) if after.contains(':') => (rest, default),
                Some((host, port)) => (host, port),
                None => (rest, default),
            },
        };
        if host.is_empty() || host.contains(['/', '@']) {
            return Err("expected host, host:port or mqtts://host, as in 192.168.1.10".into());
        }
        Ok(Self { host, port, is_tls })
    }
}

fn ca(
    arguments: &Sensor,
    broker: &Broker<'_>,
    settings: &mut BoardSettings,
    mistakes: &mut Mistakes,
) {
    match (&arguments.broker_ca, broker.is_tls) {
        (Some(file), true) => {
            let read = std::fs::read(file)
                .map_err(|cause| format!("cannot read {}: {cause}", file.display()));
            if let Some(bytes) = mistakes.check("--broker-ca", read) {
                mistakes.check("--broker-ca", settings.set_ca(&bytes));
            }
        }
        (None, true) => {
            mistakes.add("--broker-ca", "expected with mqtts://: the board trusts nobody else")
        }
        (Some(_), false) => mistakes.add("--broker-ca", "expected with mqtts:// alone"),
        (None, false) => {}
    }
}

fn wifi_password(arguments: &Sensor, settings: &mut BoardSettings, mistakes: &mut Mistakes) {
    let (flag, password) = match (&arguments.wifi_password, &arguments.wifi_password_file) {
        (Some(password), _) => ("--wifi-password", Some(password.0.clone())),
        (None, Some(file)) => {
            let flag = "--wifi-password-file";
            (flag, mistakes.check(flag, first_line(file)))
        }
        (None, None) => (WIFI_PASSWORD, std::env::var(WIFI_PASSWORD).ok()),
    };
    if let Some(password) = password {
        mistakes.set(settings, flag, "wifi_password", &password);
    }
}

/// A password in a file; editors end its line.
fn first_line(file: &Path) -> Result<String, String> {
    let text = std::fs::read_to_string(file)
        .map_err(|cause| format!("cannot read {}: {cause}", file.display()))?;
    Ok(text.trim_end_matches(['\r', '\n']).to_owned())
}

/// `2s` as the device counts it.
fn millis(flag: &str, text: &str, mistakes: &mut Mistakes) -> Option<String> {
    Some(mistakes.check(flag, config::time_span(text))?.as_millis().to_string())
}

fn on_off(value: bool) -> &'static str {
    if value { "on" } else { "off" }
}

#[cfg(test)]
mod tests;
