//! The commands of the history: read it, copy it, bring in another, keep it safe, check it, play it back.
//!
//! All but `import` and `restore` read the file of a gateway that may be running.

pub(crate) mod arguments;
mod audit;
mod backup;
mod export;
mod import;
mod list;
pub(crate) mod progress;
mod replay;
pub(crate) mod when;

pub(crate) use audit::run as audit;
pub(crate) use backup::{back_up, restore};
pub(crate) use export::run as export;
pub(crate) use import::run as import;
pub(crate) use list::run as list;
pub(crate) use replay::run as replay;

use crate::config::Config;
use crate::{Failure, configured};
use arguments::{Place, Selection};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::{History, PageQuery};
use std::path::PathBuf;

/// The name of the journal in its folder.
const JOURNAL: &str = "mtom.db";

/// Runs `work` with the configuration and the path of the journal.
pub(crate) fn with_journal(
    place: &Place,
    work: impl FnOnce(Config, PathBuf) -> Result<(), Failure>,
) -> Result<(), Failure> {
    configured(&place.source, |config| {
        let folder = place.data.clone().unwrap_or_else(|| config.data_dir.clone());
        work(config, folder.join(JOURNAL))
    })
}

/// Runs `work` with the readers of the journal.
pub(crate) fn with_history(
    place: &Place,
    work: impl FnOnce(History) -> Result<(), Failure>,
) -> Result<(), Failure> {
    with_journal(place, |_, path| work(History::open(&path)?))
}

/// What a selection means in the words of the store.
fn query(selection: &Selection, now: UnixMicros, zone: &TimeZone) -> PageQuery {
    let series = selection.series.as_ref();
    PageQuery {
        device: series.map(|series| series.device.clone()).or_else(|| selection.device.clone()),
        quantity: series
            .map(|series| series.quantity.clone())
            .or_else(|| selection.quantity.clone()),
        from: selection.since.map(|since| since.instant(now, zone)),
        until: selection.until.map(|until| until.instant(now, zone)),
        value_min: selection.min,
        value_max: selection.max,
        ..PageQuery::default()
    }
}

/// A time in a zone, to the millisecond.
pub(crate) fn local(at: UnixMicros, zone: &TimeZone) -> String {
    Timestamp::from_microsecond(at.0).map_or_else(
        |_| at.0.to_string(),
        |at| zone.to_datetime(at).strftime("%Y-%m-%d %H:%M:%S%.3f").to_string(),
    )
}
