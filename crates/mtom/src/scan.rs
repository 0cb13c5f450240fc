//! Which devices are in reach over Bluetooth, and what to write to drive one: `mtom actuator scan`, and the same
//! for the page's API.

use crate::past::progress::Progress;
use crate::{Failure, cli, report, stop};
use mtom_actuator::{BluetoothId, Kind, Sighting, scan};
use mtom_dashboard::scan::{Device, Scan};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::{Instant, interval, timeout};

/// How often the progress is shown.
const SHOW_EVERY: Duration = Duration::from_millis(500);

/// Searches for as long as it was told to, or until Ctrl-C, and lists what it saw.
pub(crate) fn run(arguments: &cli::Scan) -> Result<(), Failure> {
    let mut devices = BTreeMap::new();
    let trouble = stop::until_told(async |stop| {
        let mut progress = Progress::new("searching");
        let (began, mut shown) = (Instant::now(), interval(SHOW_EVERY));
        let seen = |sighting| note(&mut devices, sighting);
        let mut search = std::pin::pin!(scan(arguments.adapter.as_deref(), seen));
        loop {
            let done = began.elapsed();
            if done >= arguments.run_for {
                return None;
            }
            progress.show(millis(done), millis(arguments.run_for));
            tokio::select! {
                () = stop.cancelled() => return None,
                trouble = &mut search => return Some(trouble),
                _ = shown.tick() => {}
            }
        }
    })?;
    if let Some(trouble) = trouble {
        return Err(Failure::Failed(trouble.into()));
    }
    if devices.is_empty() {
        report::line(
            "no device in reach; is it on, and does nothing else hold a connection to it?",
        );
        return Ok(());
    }
    for line in table(&devices) {
        report::line(&line);
    }
    Ok(())
}

/// Searches for whoever asks by the API.
pub(crate) fn for_page() -> Scan {
    Arc::new(|adapter, span| {
        Box::pin(async move {
            let mut devices = BTreeMap::new();
            let search = scan(adapter.as_deref(), |sighting| note(&mut devices, sighting));
            match timeout(span, search).await {
                Ok(trouble) => Err(trouble.to_string()),
                Err(_) => Ok(sorted(&devices).into_iter().map(device).collect()),
            }
        })
    })
}

fn device(sighting: &Sighting) -> Device {
    Device {
        link: link(sighting),
        name: sighting.name.clone(),
        is_classic: sighting.kind == Kind::Classic,
        signal_dbm: sighting.signal_dbm,
        has_service: sighting.has_service,
    }
}

/// What was seen of one device, all together: what it says comes in pieces.
fn note(devices: &mut BTreeMap<BluetoothId, Sighting>, sighting: Sighting) {
    let Some(known) = devices.get_mut(&sighting.id) else {
        devices.insert(sighting.id.clone(), sighting);
        return;
    };
    known.name = sighting.name.or(known.name.take());
    known.signal_dbm = sighting.signal_dbm.or(known.signal_dbm);
    known.has_service = sighting.has_service.or(known.has_service);
    known.kind = sighting.kind;
}

/// The strongest first.
fn sorted(devices: &BTreeMap<BluetoothId, Sighting>) -> Vec<&Sighting> {
    let mut sorted: Vec<&Sighting> = devices.values().collect();
    sorted.sort_by_key(|device| std::cmp::Reverse(device.signal_dbm));
    sorted
}

/// What to write to drive it.
fn link(device: &Sighting) -> String {
    let scheme = match device.kind {
        Kind::Le => "ble",
        Kind::Classic => "spp",
    };
    format!("{scheme}:{}", device.id)
}

fn table(devices: &BTreeMap<BluetoothId, Sighting>) -> Vec<String> {
    let row = |cells: [&str; 5]| {
        let [link, name, kind, signal, service] = cells;
        format!("{link:<24} {name:<24} {kind:<8} {signal:>8}  {service}").trim_end().to_owned()
    };
    let mut lines = vec![row(["LINK", "NAME", "KIND", "SIGNAL", "SERVICE"])];
    for device in sorted(devices) {
        let (kind, service) = match device.kind {
            Kind::Le => ("LE", "UART"),
            Kind::Classic => ("classic", "serial port"),
        };
        // Outside bytes: a name may hold what steers a terminal.
        let plain = |name: &str| name.replace(char::is_control, "?");
        let signal = device.signal_dbm.map(|dbm| format!("{dbm} dBm")).unwrap_or_default();
        let service = match device.has_service {
            Some(true) => service.to_owned(),
            Some(false) => format!("no {service}"),
            None => String::new(),
        };
        let name = plain(device.name.as_deref().unwrap_or_default());
        lines.push(row([&link(device), &name, kind, &signal, &service]));
    }
    lines
}

fn millis(span: Duration) -> u64 {
    u64::try_from(span.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
