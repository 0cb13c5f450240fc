//! The journal's way to a real MariaDB and back, with everything that goes wrong on it.

#![allow(
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a test may panic and say why it skips"
)]

mod append;
mod audit;
mod connect;
mod drain;
mod faults;
mod import;
mod maria_server;
mod other_host;
mod page;
mod planted;
mod proxy;
mod tls;

use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::error::StoreError;
use mtom_store::maria::{Limits, Maria, MariaError, Settings, Source};
use mtom_store::record::RejectRow;
use std::future::Future;
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// The limit for an event that must come.
const LIMIT: Duration = Duration::from_secs(60);

/// 2026-11-23T08:06:30Z.
const NOW: i64 = 1_795_421_190_000_000;

/// Waits for what must come.
async fn soon<T>(what: &str, event: impl Future<Output = T>) -> T {
    tokio::time::timeout(LIMIT, event).await.unwrap_or_else(|_| panic!("{what} never came"))
}

/// A journal in memory.
#[derive(Default)]
struct Memory(Mutex<Vec<StoredReading>>, Mutex<Vec<RejectRow>>);

impl Memory {
    fn of(readings: Vec<StoredReading>) -> Arc<Self> {
        Arc::new(Self(Mutex::new(readings), Mutex::default()))
    }
}

impl Source for Memory {
    fn after(&self, number: u64, limit: usize) -> Result<Vec<StoredReading>, StoreError> {
        let readings = self.0.lock().unwrap();
        let start = readings.partition_point(|reading| reading.id <= number);
        Ok(readings[start..].iter().take(limit).cloned().collect())
    }

    fn rejects_after(&self, number: u64, limit: usize) -> Result<Vec<RejectRow>, StoreError> {
        let rejects = self.1.lock().unwrap();
        Ok(rejects.iter().filter(|row| row.id > number).take(limit).cloned().collect())
    }
}

/// Readings with these journal numbers: ten devices, temperatures and humidities, some with keys, some late.
fn readings(numbers: impl IntoIterator<Item = u64>) -> Vec<StoredReading> {
    numbers.into_iter().map(reading).collect()
}

fn reject(id: u64) -> RejectRow {
    RejectRow {
        id,
        topic: "Environ/Temperature".to_owned(),
        payload_head: vec![0, 0xff, b'\''],
        payload_len: 3,
        code: "not_a_number".to_owned(),
        reason: "expected a number".to_owned(),
        arrived_at: UnixMicros(NOW),
    }
}

fn reading(number: u64) -> StoredReading {
    let n = i64::try_from(number).unwrap();
    let device = format!("Environ/{}", number % 10);
    let (quantity, unit) = match number % 3 {
        0 => ("Humidity", Unit::Percent),
        1 => ("Temperature", Unit::Celsius),
        _ => ("Temperature", Unit::Fahrenheit),
    };
    let arrived_at = UnixMicros(NOW + n * 1_000);
    // Every seventh was taken an hour before.
    let taken_at = number.is_multiple_of(7).then_some(UnixMicros(arrived_at.0 - 3_600_000_000));
    StoredReading {
        id: number,
        at: taken_at.unwrap_or(arrived_at),
        arrived_at,
        suspect: number.is_multiple_of(11),
        reading: Reading {
            topic: format!("{device}/{quantity}").into(),
            device: device.into(),
            quantity: quantity.into(),
            value: f64::from(u32::try_from(number % 1_000).unwrap()) / 10.0,
            unit,
            taken_at,
            key: number
                .is_multiple_of(2)
                .then(|| ReadingKey { boot: format!("boot{}", number % 4).into(), seq: number }),
        },
    }
}

fn settings(url: &str) -> Settings {
    Settings {
        url: url.parse().unwrap(),
        password: None,
        gateway: "home".to_owned(),
        limits: Limits { connect: Duration::from_secs(5), statement: Duration::from_secs(10) },
    }
}

async fn connect(url: &str) -> Maria {
    Maria::connect(&settings(url)).await.unwrap()
}

async fn refused(settings: &Settings) -> MariaError {
    Maria::connect(settings).await.unwrap_err()
}
