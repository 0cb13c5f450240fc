//! Everything that a reader can ask, against what the model says.

use crate::model::{DAY, HOUR, MINUTE, Model};
use crate::world::Bug;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::history::chart::{ChartPoint, ChartQuery, Level};
use mtom_store::history::{History, IdQuery, PageQuery};
use mtom_store::journal::Journal;
use mtom_store::record::Order;
use std::collections::BTreeMap;

const ORDERS: [Order; 2] = [Order::Ascending, Order::Descending];
const PAGE_LEN: usize = 7;

/// Says all that is not the same.
pub(crate) fn compare(journal: &Journal, model: &Model, bug: Bug) -> Result<(), String> {
    let history = &journal.history();
    let mut wrong: Vec<String> = Vec::new();
    let mut same = |what: &str, is_same: bool| {
        if !is_same {
            wrong.push(what.into());
        }
    };
    let audit = history.audit().unwrap();
    same("the account", history.counts().unwrap() == model.counts && audit.findings().is_empty());
    same("the size", history.size().unwrap().readings == model.rows.len() as u64);
    same("the newest number", journal.last_id() == model.counts.stored);
    same("drained", journal.drained() == model.drained);
    same("drained", history.drained().unwrap() == (model.drained, model.counts.stored));
    let mut missing: Vec<_> = audit.gaps.iter().map(|boot| (&*boot.boot, boot.missing)).collect();
    let expected = model.missing();
    let mut expected: Vec<_> = expected.iter().map(|(_, boot, count)| (&**boot, *count)).collect();
    missing.sort_unstable();
    expected.sort_unstable();
    same("missing numbers", missing == expected);
    let rejects: Vec<_> = history
        .rejects(None, 1_000)
        .unwrap()
        .iter()
        .map(|row| (row.id, row.arrived_at.0))
        .collect();
    same("rejects", rejects.iter().rev().eq(&model.rejects));
    let rows = model.by_time();
    for order in ORDERS {
        same("pages by number", by_id(history, order) == ordered(&model.rows, order));
        for (what, query) in queries(&rows) {
            let expected: Vec<_> =
                rows.iter().filter(|row| is_asked_for(row, &query)).cloned().collect();
            same(what, pages(history, &query, order, bug) == ordered(&expected, order));
        }
    }
    let latest = latest(&rows);
    same("latest", history.latest().unwrap() == latest);
    let is_temperature = |row: &&StoredReading| row.reading.unit.is_temperature();
    let newest = rows.iter().rfind(is_temperature);
    same("the latest temperature", history.latest_temperature().unwrap().as_ref() == newest);
    let temperatures: Vec<_> = rows.iter().filter(is_temperature).collect();
    for offset in (0..temperatures.len() + 2).step_by(3) {
        let page = history.original_page(offset as u64).unwrap();
        same("database:N", page.iter().eq(temperatures.iter().skip(offset).take(20).copied()));
    }
    for (device, quantity) in names(model) {
        for what in charts(history, model, device, quantity) {
            same(what, false);
        }
    }
    wrong.dedup();
    if wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("not as the model says: {}", wrong.join(", ")))
    }
}

fn ordered(rows: &[StoredReading], order: Order) -> Vec<StoredReading> {
    match order {
        Order::Ascending => rows.to_vec(),
        Order::Descending => rows.iter().rev().cloned().collect(),
    }
}

fn by_id(history: &History, order: Order) -> Vec<StoredReading> {
    let mut rows: Vec<StoredReading> = Vec::new();
    loop {
        let after = rows.last().map(|row| row.id);
        let page = history.page_by_id(IdQuery { order, after, limit: PAGE_LEN }).unwrap();
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

/// One of each filter, at times and values that some readings have.
fn queries(rows: &[StoredReading]) -> Vec<(&'static str, PageQuery)> {
    let all = PageQuery { limit: PAGE_LEN, ..PageQuery::default() };
    let (Some(early), Some(late)) = (rows.get(rows.len() / 4), rows.get(rows.len() * 3 / 4)) else {
        return vec![("pages", all)];
    };
    let (from, until) = (Some(early.at), Some(late.at));
    let (a, b) = (early.reading.value, late.reading.value);
    let (value_min, value_max) = (Some(a.min(b)), Some(a.max(b)));
    let device = Some(early.reading.device.to_string());
    let quantity = Some(late.reading.quantity.to_string());
    vec![
        ("pages", all.clone()),
        ("pages of a time", PageQuery { from, until, ..all.clone() }),
        ("pages of a device", PageQuery { device: device.clone(), ..all.clone() }),
        ("pages of a unit", PageQuery { unit: Some(Unit::Celsius), from, ..all.clone() }),
        ("pages of values", PageQuery { value_min, value_max, ..all.clone() }),
        (
            "pages of values of a quantity in a time",
            PageQuery { device, quantity, value_min, from, until, ..all },
        ),
    ]
}

fn is_asked_for(row: &StoredReading, query: &PageQuery) -> bool {
    let reading = &row.reading;
    query.device.as_deref().is_none_or(|device| device == &*reading.device)
        && query.quantity.as_deref().is_none_or(|quantity| quantity == &*reading.quantity)
        && query.unit.is_none_or(|unit| unit == reading.unit)
        && query.from.is_none_or(|from| from <= row.at)
        && query.until.is_none_or(|until| row.at < until)
        && query.value_min.is_none_or(|min| min <= reading.value)
        && query.value_max.is_none_or(|max| reading.value <= max)
}

/// All pages of a query, from cursor to cursor.
fn pages(history: &History, query: &PageQuery, order: Order, bug: Bug) -> Vec<StoredReading> {
    let mut query = PageQuery { order, ..query.clone() };
    let mut rows = Vec::new();
    loop {
        let page = history.page(&query).unwrap();
        rows.extend(page.rows);
        let Some(mut next) = page.next else { return rows };
        next.at.0 += i64::from(bug == Bug::CursorSkips);
        query.after = Some(next);
    }
}

/// The last of each device and quantity of rows in the order of time.
fn latest(rows: &[StoredReading]) -> Vec<StoredReading> {
    let name =
        |row: &StoredReading| (row.reading.device.to_string(), row.reading.quantity.to_string());
    let newest: BTreeMap<_, _> = rows.iter().map(|row| (name(row), row)).collect();
    newest.into_values().cloned().collect()
}

/// Every device and quantity that days know.
fn names(model: &Model) -> Vec<(&str, &str)> {
    let mut names: Vec<_> =
        model.sums[2].iter().map(|row| (&*row.reading.device, &*row.reading.quantity)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

/// A stretch back from the newest reading, how many points, and what they are made of where readings
/// are too many or gone.
const CHARTS: [(&str, i64, usize, Level); 5] = [
    ("a chart of readings", 2 * HOUR - 7, 500, Level::Minute),
    ("a chart of readings in few points", 2 * HOUR - 7, 3, Level::Hour),
    ("a chart of minutes", 2 * DAY - 7, 500, Level::Minute),
    ("a chart of hours", 10 * DAY - 7, 50, Level::Hour),
    ("a chart of days", i64::MAX, 500, Level::Day),
];

/// Draws a device's quantity at every level; what is wrong.
fn charts(history: &History, model: &Model, device: &str, quantity: &str) -> Vec<&'static str> {
    let is_named =
        |row: &&StoredReading| (&*row.reading.device, &*row.reading.quantity) == (device, quantity);
    let newest = model.sums[2].iter().filter(is_named).map(|row| row.at.0).max().unwrap();
    let is_right = |span: i64, points: usize, level: Level| {
        let from = UnixMicros((newest - span).max(0));
        let until = UnixMicros(if level == Level::Day { i64::MAX } else { newest + 1 });
        let (device, quantity) = (device.into(), quantity.into());
        let chart = history.chart(&ChartQuery { device, quantity, from, until, points }).unwrap();
        // The readings of the unit in whole spans.
        let within = |rows: &[StoredReading], width: i64, last: i64| -> Vec<StoredReading> {
            let is_within = |row: &&StoredReading| {
                row.reading.unit.symbol() == chart.unit
                    && (from.0 / width..=last / width).contains(&(row.at.0 / width))
            };
            rows.iter().filter(is_named).filter(is_within).cloned().collect()
        };
        let whole = within(&model.sums[0], MINUTE, until.0).len();
        let is_whole = within(&model.rows, MINUTE, until.0).len() == whole;
        let level = match level {
            _ if span <= 240 * MINUTE && whole <= points && is_whole => Level::Raw,
            level => level,
        };
        let last = until.0 - 1;
        let sums = |index: usize, width: i64| {
            let rows = within(&model.sums[index], width, last);
            points_of(rows, Some((width, chart.width_micros)))
        };
        let expected = match level {
            Level::Raw => points_of(within(&model.rows, 1, last), None),
            Level::Minute => sums(0, MINUTE),
            Level::Hour => sums(1, HOUR),
            Level::Day => sums(2, DAY),
        };
        is_newest_unit(model, is_named, &chart.unit)
            && (chart.level, chart.points) == (level, expected)
    };
    let charts = CHARTS.into_iter();
    charts
        .filter(|(_, span, points, level)| !is_right(*span, *points, *level))
        .map(|(what, ..)| what)
        .collect()
}

/// Of several units the one with the newest readings is drawn, as far as sums still tell.
fn is_newest_unit(model: &Model, is_named: impl Fn(&&StoredReading) -> bool, drawn: &str) -> bool {
    let newest_of = |unit: &str| {
        let last = |level: usize, width: i64| {
            let rows = model.sums[level].iter().filter(&is_named);
            rows.filter(|row| row.reading.unit.symbol() == unit).map(|row| row.at.0 / width).max()
        };
        (last(1, HOUR), last(0, 1))
    };
    let units = model.sums[2].iter().filter(&is_named).map(|row| row.reading.unit.symbol());
    units.map(newest_of).max() == Some(newest_of(drawn))
}

/// Readings as points, or put together in spans of the level and these in spans of a width.
fn points_of(mut rows: Vec<StoredReading>, spans: Option<(i64, i64)>) -> Vec<ChartPoint> {
    rows.sort_by_key(|row| (row.at, row.id));
    let begin = |row: &StoredReading| match spans {
        None => row.at.0,
        Some((narrow, width)) => row.at.0 / narrow * narrow / width * width,
    };
    let groups = rows.chunk_by(|a, b| spans.is_some() && begin(a) == begin(b));
    groups
        .map(|group| {
            let values = || group.iter().map(|row| row.reading.value);
            let count = u32::try_from(group.len()).unwrap();
            ChartPoint {
                at: UnixMicros(begin(&group[0])),
                id: spans.is_none().then(|| group[0].id),
                count: u64::from(count),
                min: values().fold(f64::INFINITY, f64::min),
                max: values().fold(f64::NEG_INFINITY, f64::max),
                mean: values().sum::<f64>() / f64::from(count),
                last: group[group.len() - 1].reading.value,
            }
        })
        .collect()
}
