//! The history's part of the API: filtered pages, charts, and how much is kept where.

#[cfg(test)]
use crate::openapi::shapes;
use crate::problem::Problem;
use mtom_gateway::view::Snapshot;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use mtom_store::history::chart::{self, ChartQuery, POINTS_MAX};
use mtom_store::history::{PageQuery, Size};
use mtom_store::maria::drain::{DrainState, Link};
use mtom_store::record::Order;
use serde::{Deserialize, Serialize};

const TIME_NEXT: &str = "write times as 2026-11-24T08:00:00Z, or as microseconds since 1970";

/// `GET /api/v1/readings?device=&quantity=&unit=&from=&until=&min=&max=&order=asc|desc&after=&limit=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct ReadingsQuery {
    /// Only of this device.
    #[cfg_attr(test, param(example = "Environ"))]
    device: Option<String>,
    /// Only of this quantity.
    #[cfg_attr(test, param(example = "Temperature"))]
    quantity: Option<String>,
    /// Only in this unit.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::UnitWord>, example = "°C"))]
    unit: Option<String>,
    /// Only from this time on.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "2026-11-24T08:00:00Z"))]
    from: Option<String>,
    /// Only before this time.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Time>, example = "1795507200000000"))]
    until: Option<String>,
    /// Only values from this one on, in the reading's own unit.
    #[cfg_attr(test, param(example = 25.0))]
    min: Option<f64>,
    /// Only values up to this one.
    #[cfg_attr(test, param(example = 30.5))]
    max: Option<f64>,
    /// By time: the oldest first (left out: so), or the newest.
    #[cfg_attr(test, param(inline, example = "desc"))]
    order: Option<OrderWord>,
    /// The `next` of the page before; left out: the first page.
    #[cfg_attr(test, param(inline, value_type = Option<shapes::Cursor>, example = "1795421190000000.42"))]
    after: Option<String>,
    /// How many at most.
    #[cfg_attr(test, param(minimum = 1, maximum = 1000, default = 100, example = 20))]
    pub(crate) limit: Option<usize>,
}

#[derive(Clone, Copy, Deserialize)]
#[cfg_attr(test, derive(utoipa::ToSchema))]
#[serde(rename_all = "lowercase")]
pub(crate) enum OrderWord {
    Asc,
    Desc,
}

impl OrderWord {
    /// Left out: the newest first.
    pub(crate) fn or_newest(word: Option<Self>) -> Order {
        match word {
            Some(Self::Asc) => Order::Ascending,
            Some(Self::Desc) | None => Order::Descending,
        }
    }
}

/// `GET /api/v1/chart?device=&quantity=&from=&until=&points=`
#[derive(Deserialize)]
#[cfg_attr(test, derive(utoipa::IntoParams), into_params(parameter_in = Query))]
#[serde(deny_unknown_fields)]
pub(crate) struct ChartAsked {
    /// Of which device.
    #[cfg_attr(test, param(example = "Environ"))]
    device: String,
    /// Which quantity.
    #[cfg_attr(test, param(example = "Temperature"))]
    quantity: String,
    /// The stretch begins.
    #[cfg_attr(test, param(inline, value_type = shapes::Time, example = "2026-11-24T08:00:00Z"))]
    from: String,
    /// It ends before, and later than `from`.
    #[cfg_attr(test, param(inline, value_type = shapes::Time, example = "2026-11-24T20:00:00Z"))]
    until: String,
    /// In how many points at most, as in the pixels of a picture.
    #[cfg_attr(test, param(minimum = 1, maximum = 2000, default = 500, example = 300))]
    points: Option<usize>,
}

impl ReadingsQuery {
    /// The same in the words of the store.
    pub(crate) fn into_query(self, limit: usize) -> Result<PageQuery, Problem> {
        let after = self.after.map(|after| after.parse()).transpose();
        let after = after.map_err(|error: mtom_store::record::NotACursor| {
            Problem::bad_query(error.to_string(), "leave `after` out to start at the beginning")
        })?;
        let unit = self.unit.as_deref().map(|symbol| {
            Unit::parse(symbol).ok_or_else(|| {
                Problem::bad_query(
                    format!("`unit` is unknown: {symbol:?}"),
                    "take the `unit` of a reading, as in °C",
                )
            })
        });
        Ok(PageQuery {
            device: self.device,
            quantity: self.quantity,
            unit: unit.transpose()?,
            from: self.from.as_deref().map(|text| time("from", text)).transpose()?,
            until: self.until.as_deref().map(|text| time("until", text)).transpose()?,
            value_min: self.min,
            value_max: self.max,
            order: match self.order {
                Some(OrderWord::Desc) => Order::Descending,
                Some(OrderWord::Asc) | None => Order::Ascending,
            },
            after,
            limit,
        })
    }
}

impl ChartAsked {
    /// The same in the words of the store.
    pub(crate) fn into_query(self) -> Result<ChartQuery, Problem> {
        let (from, until) = (time("from", &self.from)?, time("until", &self.until)?);
        if from >= until {
            return Err(Problem::bad_query("`from` is not before `until`", "exchange the two"));
        }
        let points = self.points.unwrap_or(500);
        if !(1..=POINTS_MAX).contains(&points) {
            return Err(Problem::bad_query(
                format!("`points` is out of range: expected 1 to {POINTS_MAX}"),
                "ask for as many as there are pixels",
            ));
        }
        Ok(ChartQuery { device: self.device, quantity: self.quantity, from, until, points })
    }
}

pub(crate) fn time(name: &str, text: &str) -> Result<UnixMicros, Problem> {
    let micros = text.parse().ok().map(UnixMicros);
    micros
        .or_else(|| UnixMicros::parse_rfc3339(text))
        .ok_or_else(|| Problem::bad_query(format!("`{name}` is no time: {text:?}"), TIME_NEXT))
}

/// `GET /api/v1/chart`: a stretch of one series in few points.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Chart {
    /// `°C`, `%`, …; empty for a plain number, and where there is no such series.
    unit: String,
    /// What the points are made of: `raw`, `minute`, `hour` or `day`.
    level: &'static str,
    /// How wide the span of a point is; 0: each is a reading.
    width_micros: i64,
    points: Vec<ChartPoint>,
    /// From the point before to the point behind, where readings are missing.
    gaps: Vec<Gap>,
}

/// What the readings of a span have in common.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct ChartPoint {
    at_micros: i64,
    /// The reading's number where the point is a single one.
    id: Option<u64>,
    count: u64,
    min: f64,
    max: f64,
    mean: f64,
    last: f64,
}

/// A stretch without readings.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Gap {
    from_micros: i64,
    until_micros: i64,
}

impl From<chart::Chart> for Chart {
    fn from(chart: chart::Chart) -> Self {
        Self {
            unit: chart.unit,
            level: match chart.level {
                chart::Level::Raw => "raw",
                chart::Level::Minute => "minute",
                chart::Level::Hour => "hour",
                chart::Level::Day => "day",
            },
            width_micros: chart.width_micros,
            points: chart
                .points
                .into_iter()
                .map(|point| ChartPoint {
                    at_micros: point.at.0,
                    id: point.id,
                    count: point.count,
                    min: point.min,
                    max: point.max,
                    mean: point.mean,
                    last: point.last,
                })
                .collect(),
            gaps: chart
                .gaps
                .into_iter()
                .map(|(from, until)| Gap { from_micros: from.0, until_micros: until.0 })
                .collect(),
        }
    }
}

/// `GET /api/v1/storage`: how much is kept, and whether the other database has it.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Storage {
    /// Readings in the journal; older ones may have been deleted by the retention.
    readings: u64,
    /// Bytes of the journal and its log.
    journal_len: u64,
    /// null: the journal is all there is.
    database: Option<Database>,
}

/// The other database.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct Database {
    /// `starting`, `connected` or `away`.
    state: &'static str,
    /// Why it is away; empty when it is not.
    reason: String,
    since: Option<String>,
    since_micros: Option<i64>,
    /// It has every reading up to this number; null until it has said so.
    drained: Option<u64>,
    /// The newest reading's number.
    newest: u64,
    /// Readings that it lacks.
    backlog: u64,
    /// How old the oldest of them is.
    backlog_age_micros: u64,
    rows_per_second: f64,
    /// How often it went away since the start.
    outages: u64,
    warnings: Vec<String>,
}

impl Storage {
    pub(crate) fn new(size: Size, snapshot: &Snapshot, now: UnixMicros) -> Self {
        Self {
            readings: size.readings,
            journal_len: size.len,
            database: snapshot.drain.as_ref().map(|state| Database::new(state, now)),
        }
    }
}

impl Database {
    fn new(drain: &DrainState, now: UnixMicros) -> Self {
        let (state, since, reason) = match &drain.link {
            Link::Starting => ("starting", None, String::new()),
            Link::Connected { since } => ("connected", Some(*since), String::new()),
            Link::Away { since, reason } => ("away", Some(*since), reason.clone()),
        };
        Self {
            state,
            reason,
            since: since.map(UnixMicros::rfc3339),
            since_micros: since.map(|since| since.0),
            drained: drain.drained,
            newest: drain.newest,
            backlog: backlog(drain),
            backlog_age_micros: u64::try_from(drain.age(now).as_micros()).unwrap_or(u64::MAX),
            rows_per_second: drain.rows_per_second,
            outages: drain.outages,
            warnings: drain.warnings.iter().map(ToString::to_string).collect(),
        }
    }
}

/// How many readings the other database lacks.
pub(crate) fn backlog(drain: &DrainState) -> u64 {
    drain.newest.saturating_sub(drain.drained.unwrap_or(0))
}
