//! What the user types to read, copy, bring in and play back the history.

use super::when::When;
use crate::cli::Source;
use clap::{Args, ValueEnum};
use mtom_exchange::format::Format;
use mtom_mqtt::endpoint::Endpoint;
use mtom_protocol::original::parse_speed;
use mtom_protocol::unit::Unit;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

/// Where the history is.
#[derive(Debug, Args)]
pub(crate) struct Place {
    #[command(flatten)]
    pub(crate) source: Source,
    /// The folder of the history, in place of data.dir of the configuration
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
}

/// Which readings.
#[derive(Clone, Debug, Args)]
pub(crate) struct Selection {
    /// Only this series, as in Environ/Temperature: the device, a slash, the quantity
    #[arg(long, value_name = "DEVICE/QUANTITY", value_parser = series, conflicts_with_all = ["device", "quantity"])]
    pub(crate) series: Option<Series>,
    /// Only this device
    #[arg(long)]
    pub(crate) device: Option<String>,
    /// Only this quantity
    #[arg(long)]
    pub(crate) quantity: Option<String>,
    /// Only from then on: 2h, 7d, 2026-11-24 or "2026-11-24 08:00"
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Only before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<When>,
    /// Only values of at least this
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) min: Option<f64>,
    /// Only values of at most this
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub(crate) max: Option<f64>,
}

/// A device and a quantity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Series {
    pub(crate) device: String,
    pub(crate) quantity: String,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The newest so many; without it and without --since 20, with --since all
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<u64>,
    /// What was no reading instead, newest first, each with its reason
    #[arg(long, conflicts_with_all = ["follow", "format"])]
    pub(crate) rejects: bool,
    /// Go on with what is stored from now on, until Ctrl-C
    #[arg(long)]
    pub(crate) follow: bool,
    /// A table with a sparkline for each series, or a format of mtom export
    #[arg(long, value_name = "table|csv|json|parquet|lp|senml", default_value = "table", value_parser = shape)]
    pub(crate) format: Shape,
}

/// How readings are printed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    Table,
    File(Format),
}

#[derive(Debug, Args)]
pub(crate) struct Export {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// The file; its extension names the format: csv, jsonl, parquet, lp or senml
    pub(crate) file: PathBuf,
    /// The format, where the extension does not name it
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// Replace a file that is there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Import {
    #[command(flatten)]
    pub(crate) place: Place,
    /// A file, or mysql://user@host/database with the table temp of the original system
    #[arg(value_name = "FILE|mysql://…")]
    pub(crate) from: String,
    /// The format, where the extension does not name it: csv, jsonl, parquet, lp or senml
    #[arg(long)]
    pub(crate) format: Option<Format>,
    /// The device of lines that name none
    #[arg(long, default_value = "Environ")]
    pub(crate) device: String,
    /// The quantity of lines that name none
    #[arg(long, default_value = "Temperature")]
    pub(crate) quantity: String,
    /// The unit of lines that name none, as in °C; without it the usual one of the quantity
    #[arg(long, value_parser = unit)]
    pub(crate) unit: Option<Unit>,
    /// The zone of times that name none, as in Europe/Berlin; without it that of this computer
    #[arg(long)]
    pub(crate) zone: Option<String>,
    /// What timestamps of line protocol count
    #[arg(long, value_enum, default_value_t = Precision::Ns)]
    pub(crate) precision: Precision,
    /// A file with the password of the MariaDB user; or the environment variable MTOM_STORE_PASSWORD
    #[arg(long, value_name = "FILE")]
    pub(crate) password_file: Option<PathBuf>,
    /// Bring in a file that was brought in before, from its beginning
    #[arg(long)]
    pub(crate) again: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Precision {
    Ns,
    Us,
    Ms,
    S,
}

#[derive(Debug, Args)]
pub(crate) struct Backup {
    #[command(flatten)]
    pub(crate) place: Place,
    /// The new file; the gateway may run
    pub(crate) file: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct Restore {
    #[command(flatten)]
    pub(crate) place: Place,
    /// A file that mtom backup made
    pub(crate) file: PathBuf,
    /// Replace the history that is there; it is moved aside
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    #[command(flatten)]
    pub(crate) place: Place,
    #[command(flatten)]
    pub(crate) selection: Selection,
    /// How many times as fast as it was, or max for without a pause
    #[arg(long, value_name = "1|60|max", default_value = "1", value_parser = pace)]
    pub(crate) speed: Pace,
    #[command(flatten)]
    pub(crate) to: Target,
}

/// Where history is played to.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct Target {
    /// A broker; each reading goes under mtom/replay/ and its topic, which no gateway stores or obeys
    #[arg(long, value_name = "mqtt://HOST:PORT", value_parser = broker)]
    pub(crate) to: Option<Endpoint>,
    /// A live port of its own, which plays from the first viewer on; nothing is stored anywhere
    #[arg(long, value_name = "ADDRESS:PORT", num_args = 0..=1, default_missing_value = "127.0.0.1:9765")]
    pub(crate) live: Option<SocketAddr>,
}

/// How fast history is played; `None`: without a pause.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Pace(Option<f64>);

impl Pace {
    /// When something is due that came so long after the beginning; `None`: at once.
    pub(crate) fn due(self, after: Duration) -> Option<Duration> {
        let speed = self.0?;
        // A year is longer than anybody waits, and no timer overflows there.
        let longest = Duration::from_hours(24 * 365);
        let due = Duration::try_from_secs_f64(after.as_secs_f64() / speed).unwrap_or(longest);
        Some(due.min(longest))
    }
}

#[derive(Debug, Args)]
pub(crate) struct Audit {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Send again what MariaDB lacks and the journal still has
    #[arg(long)]
    pub(crate) resend: bool,
}

fn series(text: &str) -> Result<Series, String> {
    match text.rsplit_once('/') {
        Some((device, quantity)) if !device.is_empty() && !quantity.is_empty() => {
            Ok(Series { device: device.into(), quantity: quantity.into() })
        }
        _ => Err("expected the device, a slash and the quantity, as in Environ/Temperature".into()),
    }
}

fn pace(text: &str) -> Result<Pace, String> {
    if text == "max" {
        return Ok(Pace(None));
    }
    match parse_speed(text) {
        Some(speed) => Ok(Pace(Some(speed))),
        None => Err("expected max, or how many times as fast, from 0.01 to 1000000".into()),
    }
}

fn broker(text: &str) -> Result<Endpoint, String> {
    match crate::config::broker_url(text)? {
        Some(broker) => Ok(broker),
        None => Err("expected mqtt://host:1883".into()),
    }
}

fn shape(text: &str) -> Result<Shape, String> {
    match text {
        "table" => Ok(Shape::Table),
        "json" => Ok(Shape::File(Format::JsonLines)),
        word => word
            .parse()
            .map(Shape::File)
            .map_err(|_| "expected table, csv, json, parquet, lp or senml".into()),
    }
}

fn unit(text: &str) -> Result<Unit, String> {
    Unit::parse(text).ok_or_else(|| {
        let all: Vec<_> =
            Unit::ALL.iter().map(|unit| unit.symbol()).filter(|s| !s.is_empty()).collect();
        format!("expected one of {}", all.join(" "))
    })
}
