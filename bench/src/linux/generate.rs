//! A database of a given number of readings, made once and kept between runs.
//!
//! A hundred sensors that measure every ten seconds, and one that speaks once in a hundred thousand of
//! their readings: ten million are eleven days, a hundred million four months.

use super::folder;
use super::table::thousands;
use anyhow::{Context, Result, ensure};
use mtom_protocol::reading::{Reading, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::history::History;
use mtom_store::journal::Journal;
use std::fs;
use std::path::Path;
use std::time::Instant;

pub(crate) const SERIES: u64 = 100;
pub(crate) const RARE: &str = "house/rare";
pub(crate) const QUANTITY: &str = "Temperature";
pub(crate) const SECOND: i64 = 1_000_000;
const PERIOD: i64 = 10 * SECOND;
/// 2026-01-01.
pub(crate) const BEGINNING: i64 = 1_767_225_600 * SECOND;
const RARE_EVERY: u64 = 100_000;
/// An hour and forty minutes: whole minutes, so that each sum is written once.
const BATCH_LEN: u64 = 60_000;
/// More than any reading takes, with its sums.
const BYTES_EACH_MAX: u64 = 120;

/// The sensor with this number.
pub(crate) fn device(series: u64) -> String {
    format!("house/sensor-{series}")
}

/// The moment at which reading `number` was taken.
pub(crate) fn at(number: u64) -> i64 {
    let (round, place) = (number / SERIES, number % SERIES);
    // Clocks are not in step, and not even.
    let jitter = (number.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> 40).cast_signed() % 50_000;
    BEGINNING + round.cast_signed() * PERIOD + place.cast_signed() * (PERIOD / 100) + jitter
}

/// The value of reading `number`, from 15 to 31; above 30 in one of a few thousand.
pub(crate) fn value(number: u64) -> f64 {
    let (round, place) = ((number / SERIES) as f64, (number % SERIES) as f64);
    let slow = (round / 1_500.0 + place / 7.0).sin() * 4.0;
    let noise = (number.wrapping_mul(0xD1B5_4A32_D192_ED03) >> 48) as f64 / 65_536.0;
    ((20.0 + slow + noise * noise * noise * 7.0) * 100.0).round() / 100.0
}

/// Readers of the database with `count` readings, which is made where it is missing.
pub(crate) fn history(count: u64) -> Result<History> {
    let folder = folder::kept()?;
    let path = folder.join(format!("history-{count}.db"));
    // A file of another version is made anew: bringing it to this one would measure the old layout.
    if let Ok(history) = History::open(&path) {
        return Ok(history);
    }
    let free = fs4::available_space(&folder)?;
    let needed = count * BYTES_EACH_MAX;
    ensure!(
        free > needed,
        "{} readings take up to {} MB and {} has {} MB free: make room, or measure fewer",
        thousands(count as f64),
        needed / 1_000_000,
        folder.display(),
        free / 1_000_000
    );
    let partial = folder.join(format!("history-{count}.part"));
    for path in [&partial, &path] {
        remove(path)?;
    }
    fill(&partial, count)?;
    fs::rename(&partial, &path)?;
    remove(&partial)?;
    History::open(&path).with_context(|| format!("cannot open {}", path.display()))
}

fn remove(path: &Path) -> Result<()> {
    for suffix in ["", "-wal", "-shm", ".lock"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match fs::remove_file(&name) {
            Err(cause) if cause.kind() != std::io::ErrorKind::NotFound => return Err(cause.into()),
            _ => {}
        }
    }
    Ok(())
}

/// Makes the database at `path`, where there is none.
pub(crate) fn fill(path: &Path, count: u64) -> Result<()> {
    let start = Instant::now();
    let mut journal = Journal::open(path, UnixMicros(BEGINNING))?;
    let mut sensors: Vec<StoredReading> =
        (0..SERIES).map(|series| sensor(&device(series))).collect();
    let mut rare = sensor(RARE);
    let mut said = start;
    for first in (0..count).step_by(usize::try_from(BATCH_LEN)?) {
        let mut batch = journal.begin()?;
        for number in first..(first + BATCH_LEN).min(count) {
            let sensor = match number % RARE_EVERY {
                0 => &mut rare,
                _ => sensors.get_mut(usize::try_from(number % SERIES)?).context("a sensor")?,
            };
            sensor.at = UnixMicros(at(number));
            sensor.arrived_at = UnixMicros(at(number) + 3_210);
            sensor.reading.taken_at = Some(sensor.at);
            sensor.reading.value = value(number);
            if let Some(key) = &mut sensor.reading.key {
                key.seq += 1;
            }
            batch.import(sensor)?;
        }
        batch.write()?;
        if said.elapsed().as_secs() >= 5 {
            said = Instant::now();
            let done = (first + BATCH_LEN) as f64;
            let rate = done / start.elapsed().as_secs_f64();
            println!("  {} of {}, {}/s", thousands(done), thousands(count as f64), thousands(rate));
        }
    }
    journal.sync()?;
    ensure!(journal.counts().stored == count, "not every reading is stored");
    drop(journal);
    let took = start.elapsed().as_secs_f64();
    println!("  made {} readings in {took:.0} s", thousands(count as f64));
    Ok(())
}

fn sensor(name: &str) -> StoredReading {
    let reading = Reading {
        topic: format!("{name}/{QUANTITY}").into(),
        device: name.into(),
        quantity: QUANTITY.into(),
        value: 0.0,
        unit: Unit::Celsius,
        taken_at: None,
        key: Some(ReadingKey { boot: format!("boot of {name}").into(), seq: 0 }),
    };
    let (at, arrived_at) = (UnixMicros(0), UnixMicros(0));
    StoredReading { id: 0, at, arrived_at, suspect: false, reading }
}
