//! `mtom history`: readings on the terminal, as a table with a picture or as a file of any format.

use super::arguments::{History as Arguments, Shape};
use super::export::{each, put};
use super::{local, query, with_history};
use crate::{Failure, clock, report, stop};
use anyhow::{Context, bail};
use jiff::Timestamp;
use jiff::tz::TimeZone;
use mtom_exchange::format::Format;
use mtom_exchange::writer::Writer;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::chart::{Chart, ChartQuery};
use mtom_store::history::{History, IdQuery, PAGE_LEN_MAX, PageQuery};
use mtom_store::record::Order;
use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};
use std::time::Duration;

/// Rows of a table where nothing is said.
const LIMIT_DEFAULT: u64 = 20;
/// How often `--follow` looks for new readings.
const FOLLOW_PERIOD: Duration = Duration::from_millis(250);
/// The width of a sparkline.
const SPARKS: usize = 48;
/// At most so many series have a sparkline.
const SERIES_MAX: usize = 12;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    with_history(&arguments.place, |history| {
        let now = (clock::system())();
        let zone = TimeZone::system();
        if arguments.rejects {
            return Ok(rejects(&history, arguments, &zone)?);
        }
        let query = query(&arguments.selection, now, &zone);
        // Before the first page, so that nothing is missed between it and what follows.
        let last_id = last_id(&history)?;
        match arguments.format {
            Shape::Table => table(&history, arguments, query.clone(), now, &zone)?,
            Shape::File(format) => file(&history, arguments, query.clone(), format)?,
        }
        if arguments.follow {
            follow(history, arguments, &query, last_id, &zone)?;
        }
        Ok(())
    })
}

/// The newest of the query, the oldest of them first; all of them where a beginning is given.
fn newest(
    history: &History,
    arguments: &Arguments,
    mut query: PageQuery,
) -> Result<Vec<StoredReading>, anyhow::Error> {
    let default = if arguments.selection.since.is_some() { u64::MAX } else { LIMIT_DEFAULT };
    let mut left = arguments.limit.unwrap_or(default);
    query.order = Order::Descending;
    let mut rows = Vec::new();
    while left > 0 {
        query.limit = usize::try_from(left).unwrap_or(usize::MAX).min(PAGE_LEN_MAX);
        let page = history.page(&query)?;
        left -= page.rows.len() as u64;
        rows.extend(page.rows);
        match page.next {
            Some(next) => query.after = Some(next),
            None => break,
        }
    }
    rows.reverse();
    Ok(rows)
}

fn table(
    history: &History,
    arguments: &Arguments,
    query: PageQuery,
    now: UnixMicros,
    zone: &TimeZone,
) -> Result<(), anyhow::Error> {
    let from = query.from;
    let rows = newest(history, arguments, query)?;
    let Some(first) = rows.first() else {
        report::line(
            "no readings: nothing was stored that fits; see mtom history --help for the filters",
        );
        return Ok(());
    };
    let until = rows.last().map_or(now, |last| last.at).saturating_add(Duration::from_micros(1));
    let from = from.unwrap_or(first.at);
    let series: BTreeSet<_> =
        rows.iter().map(|row| (row.reading.device.clone(), row.reading.quantity.clone())).collect();
    for (device, quantity) in series.iter().take(SERIES_MAX) {
        let chart = history.chart(&ChartQuery {
            device: device.to_string(),
            quantity: quantity.to_string(),
            from,
            until,
            points: SPARKS,
        })?;
        report::line(&picture(&format!("{device}/{quantity}"), &chart, from, until));
    }
    if series.len() > SERIES_MAX {
        report::line(&format!("… and {} more series", series.len() - SERIES_MAX));
    }
    let widths = Widths::of(&rows);
    report::line("");
    report::line(&widths.head(zone, now));
    for row in &rows {
        report::line(&widths.line(row, zone));
    }
    Ok(())
}

/// `Environ/Temperature ▁▃▅█▅  21.0 … 29.0 °C, mean 25.1, 900 readings, 2 gaps`; a gap is blank.
fn picture(name: &str, chart: &Chart, from: UnixMicros, until: UnixMicros) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let points = &chart.points;
    let min = points.iter().map(|point| point.min).fold(f64::INFINITY, f64::min);
    let max = points.iter().map(|point| point.max).fold(f64::NEG_INFINITY, f64::max);
    let count: u64 = points.iter().map(|point| point.count).sum();
    let sum: f64 = points.iter().map(|point| point.mean * as_f64(point.count)).sum();
    let span = i128::from(until.0.saturating_sub(from.0).max(1));
    // A place shows the point that it is in or behind, and nothing where there is a gap.
    let spark = |place: usize| {
        let end = from.0.saturating_add(
            i64::try_from(span * (place as i128 + 1) / SPARKS as i128).unwrap_or(i64::MAX),
        );
        let start = end.saturating_sub(i64::try_from(span / SPARKS as i128).unwrap_or(i64::MAX));
        let is_gap = |(begin, until): &(UnixMicros, UnixMicros)| begin.0 < start && end <= until.0;
        let point = points.iter().rev().find(|point| point.at.0 < end)?;
        if chart.gaps.iter().any(is_gap) {
            return None;
        }
        let height = if max > min { (point.mean - min) / (max - min) } else { 0.5 };
        let bar = BARS.iter().zip(1_u8..).find(|(_, step)| height <= f64::from(*step) / 8.0);
        Some(bar.map_or('█', |(bar, _)| *bar))
    };
    let line: String = (0..SPARKS).map(|place| spark(place).unwrap_or(' ')).collect();
    let gaps = match chart.gaps.len() {
        0 => String::new(),
        1 => ", 1 gap".into(),
        gaps => format!(", {gaps} gaps"),
    };
    format!(
        "{} {line} {min:.1} … {max:.1} {}, mean {:.1}, {count} readings{gaps}",
        name.escape_debug(),
        chart.unit,
        sum / as_f64(count.max(1))
    )
}

#[expect(clippy::cast_precision_loss, reason = "a count of readings is far below 2^53")]
fn as_f64(count: u64) -> f64 {
    count as f64
}

/// How wide the columns of a table are.
struct Widths {
    id: usize,
    series: usize,
}

impl Widths {
    fn of(rows: &[StoredReading]) -> Self {
        let id = rows.iter().map(|row| row.id.to_string().len()).max().unwrap_or(0).max(2);
        let series = rows.iter().map(|row| series(row).chars().count()).max().unwrap_or(0).max(6);
        Self { id, series }
    }

    fn head(&self, zone: &TimeZone, now: UnixMicros) -> String {
        let offset = Timestamp::from_microsecond(now.0)
            .map(|at| zone.to_offset(at).to_string())
            .unwrap_or_default();
        format!(
            "{:>id$}  {:<23}  {:<series$}  value",
            "id",
            format!("time (UTC{offset})"),
            "series",
            id = self.id,
            series = self.series
        )
    }

    fn line(&self, row: &StoredReading, zone: &TimeZone) -> String {
        let time = local(row.at, zone);
        let suspect = if row.suspect { "  (its own time cannot be true)" } else { "" };
        format!(
            "{:>id$}  {time:<23}  {:<series$}  {} {}{suspect}",
            row.id,
            series(row),
            row.reading.value,
            row.reading.unit.symbol(),
            id = self.id,
            series = self.series
        )
    }
}

fn rejects(history: &History, arguments: &Arguments, zone: &TimeZone) -> Result<(), anyhow::Error> {
    let mut left = arguments.limit.unwrap_or(LIMIT_DEFAULT);
    let mut after = None;
    if history.counts()?.rejected == 0 {
        report::line("no rejects: everything that came was a reading");
    }
    while left > 0 {
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(PAGE_LEN_MAX);
        let rows = history.rejects(after, wanted)?;
        for row in &rows {
            let payload = String::from_utf8_lossy(&row.payload_head);
            report::line(&format!(
                "{}  {}  {}  {}  \"{}\"",
                row.id,
                local(row.arrived_at, zone),
                row.topic.escape_debug(),
                row.reason.escape_debug(),
                payload.escape_debug()
            ));
        }
        left -= rows.len() as u64;
        after = rows.last().map(|row| row.id);
        if rows.len() < wanted {
            break;
        }
    }
    Ok(())
}

/// Names come from devices: nothing in them reaches the terminal as a control.
fn series(row: &StoredReading) -> String {
    format!("{}/{}", row.reading.device, row.reading.quantity).escape_debug().to_string()
}

fn file(
    history: &History,
    arguments: &Arguments,
    query: PageQuery,
    format: Format,
) -> Result<(), anyhow::Error> {
    if format == Format::Parquet && std::io::stdout().is_terminal() {
        bail!(
            "a Parquet file is no text: send it into a file, as in mtom history --format parquet > history.parquet"
        );
    }
    if arguments.follow && !matches!(format, Format::Csv | Format::JsonLines | Format::LineProtocol)
    {
        bail!("{format} has an end: --follow goes with table, csv, json or lp");
    }
    let mut writer = Writer::new(format, std::io::stdout()).context("standard output")?;
    if arguments.limit.is_some() || arguments.selection.since.is_none() {
        for stored in newest(history, arguments, query)? {
            put(&mut writer, stored)?;
        }
    } else {
        each(history, query, |stored| put(&mut writer, stored))?;
    }
    writer.finish().and_then(|mut out| out.flush()).context("standard output")
}

fn last_id(history: &History) -> Result<u64, anyhow::Error> {
    let newest = IdQuery { order: Order::Descending, after: None, limit: 1 };
    Ok(history.page_by_id(newest)?.first().map_or(0, |row| row.id))
}

/// What is stored from now on, in the order in which it is stored.
fn follow(
    history: History,
    arguments: &Arguments,
    query: &PageQuery,
    mut last_id: u64,
    zone: &TimeZone,
) -> Result<(), anyhow::Error> {
    let widths = Widths { id: last_id.to_string().len().max(2), series: 24 };
    let format = match arguments.format {
        Shape::Table => None,
        Shape::File(format) => Some(format),
    };
    stop::until_told(async |stop| {
        loop {
            let history = history.clone();
            let page =
                IdQuery { order: Order::Ascending, after: Some(last_id), limit: PAGE_LEN_MAX };
            let rows = tokio::task::spawn_blocking(move || history.page_by_id(page)).await??;
            let is_full = rows.len() == PAGE_LEN_MAX;
            last_id = rows.last().map_or(last_id, |row| row.id);
            let mut out = Vec::new();
            for row in rows.into_iter().filter(|row| fits(query, row)) {
                match format {
                    None => report::line(&widths.line(&row, zone)),
                    Some(format) => lines(&mut out, format, row)?,
                }
            }
            std::io::stdout().write_all(&out).context("standard output")?;
            if is_full {
                continue;
            }
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = tokio::time::sleep(FOLLOW_PERIOD) => {}
            }
        }
    })?
}

/// One reading in a format that has no end; the header was written before.
fn lines(out: &mut Vec<u8>, format: Format, row: StoredReading) -> Result<(), anyhow::Error> {
    let header = Writer::new(format, Vec::new())?.finish()?.len();
    let mut writer = Writer::new(format, Vec::new())?;
    put(&mut writer, row)?;
    let bytes = writer.finish()?;
    out.extend_from_slice(bytes.get(header..).unwrap_or_default());
    Ok(())
}

fn fits(query: &PageQuery, row: &StoredReading) -> bool {
    let reading = &row.reading;
    query.device.as_deref().is_none_or(|device| *reading.device == *device)
        && query.quantity.as_deref().is_none_or(|quantity| *reading.quantity == *quantity)
        && query.from.is_none_or(|from| row.at >= from)
        && query.until.is_none_or(|until| row.at < until)
        && query.value_min.is_none_or(|min| reading.value >= min)
        && query.value_max.is_none_or(|max| reading.value <= max)
}

#[cfg(test)]
mod tests;
