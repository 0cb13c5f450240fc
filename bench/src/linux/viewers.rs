//! A thousand live viewers: deliveries per second beside the same bytes written raw to TCP, and the
//! memory that each viewer costs.
//!
//! With two readings under way nearly each delivery is a write of its own, on both sides, and while one
//! is delivered the next is stored. With many, both sides put into one write what a viewer is behind.

use super::mtom::Mtom;
use super::proc;
use super::role::Role;
use super::run::Plan;
use super::table::{Row, Table, median, thousands};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

const VIEWERS: u32 = 1_000;
/// Readings between what is published and what the viewers have got on average.
const WINDOWS: [(u32, &str); 2] =
    [(2, "viewers, 2 readings at a time"), (16, "viewers, 16 readings at a time")];
const TARGET: f64 = 0.7;
const MEMORY_TARGET_KIB: f64 = 16.0;
/// The same bytes: only a frame cut by the border of a measurement may differ.
const BYTES_DIFFERENCE_MAX: f64 = 0.5;

/// Measures mtom and the floor with each window in each round.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let mut pairs = WINDOWS.map(|_| Pairs::default());
    let mut memory = Vec::new();
    for _ in 0..plan.rounds {
        for ((window, _), pairs) in WINDOWS.iter().zip(&mut pairs) {
            pairs.bare.push(floor(plan, *window).await?);
            let (report, kib_each) = mtom(plan, *window).await?;
            pairs.ours.push(report);
            memory.push(kib_each);
        }
    }
    for ((_, what), pairs) in WINDOWS.iter().zip(&pairs) {
        table.row(pairs.row(what)?);
        table.note(format!(
            "{what}: CPU of viewers and server, frames per read: raw {}, mtom {}. Each reading came to \
             each of the {VIEWERS} once.",
            said(&pairs.bare),
            said(&pairs.ours),
        ));
    }
    let kib_each = median(&memory);
    table.alone(
        "viewers, memory of each",
        format!("{kib_each:.1} KiB"),
        format!("≤ {MEMORY_TARGET_KIB} KiB"),
        kib_each <= MEMORY_TARGET_KIB,
    );
    Ok(())
}

#[derive(Default)]
struct Pairs {
    ours: Vec<Report>,
    bare: Vec<Report>,
}

impl Pairs {
    fn row(&self, what: &'static str) -> Result<Row> {
        let mut ratios = Vec::new();
        for (ours, bare) in self.ours.iter().zip(&self.bare) {
            let difference = (ours.bytes_each - bare.bytes_each).abs();
            ensure!(difference < BYTES_DIFFERENCE_MAX, "not the same bytes: {ours:?}, {bare:?}");
            ratios.push(ours.deliveries_per_s / bare.deliveries_per_s);
        }
        let rate = |reports: &[Report]| {
            format!("{}/s", thousands(of(reports, |report| report.deliveries_per_s)))
        };
        Ok(Row {
            what,
            ours: rate(&self.ours),
            beside: rate(&self.bare),
            peer: "raw TCP",
            met: Some(median(&ratios) >= TARGET),
            ratios,
            target: format!("≥ {TARGET}"),
        })
    }
}

#[derive(Clone, Copy, Debug)]
struct Report {
    deliveries_per_s: f64,
    bytes_each: f64,
    frames_per_read: f64,
    own_cpu: f64,
    server_cpu: f64,
}

impl Report {
    fn parse(line: &str) -> Result<Self> {
        let said: Value = serde_json::from_str(line)?;
        let number = |key: &str| said[key].as_f64().with_context(|| format!("no {key}"));
        Ok(Self {
            deliveries_per_s: number("deliveries_per_s")?,
            bytes_each: number("bytes_each")?,
            frames_per_read: number("frames_per_read")?,
            own_cpu: number("own_cpu")?,
            server_cpu: number("server_cpu")?,
        })
    }
}

async fn mtom(plan: Plan, window: u32) -> Result<(Report, f64)> {
    let mtom = Mtom::start_warm().await?;
    let before = proc::rss_kib(mtom.pid)?;
    let mut watch = start(plan, window, "websocket", &mtom.live, &mtom.mqtt, mtom.pid)?;
    let report = Report::parse(&watch.line().await?)?;
    let kib_each = (proc::rss_kib(mtom.pid)? - before) / f64::from(VIEWERS);
    watch.end().await?;
    mtom.end().await?;
    Ok((report, kib_each))
}

async fn floor(plan: Plan, window: u32) -> Result<Report> {
    let mut fan = Role::start("fan", &[])?;
    let ports = fan.ports().await?;
    let [live, publisher] = ports.as_slice() else { bail!("the fan has two ports") };
    let mut watch = start(plan, window, "raw", live, publisher, fan.pid)?;
    let report = Report::parse(&watch.line().await?)?;
    watch.end().await?;
    fan.end().await?;
    Ok(report)
}

fn start(
    plan: Plan,
    window: u32,
    kind: &str,
    live: &str,
    publisher: &str,
    server_pid: u32,
) -> Result<Role> {
    Role::start(
        "watch",
        &[
            ("kind", kind.to_owned()),
            ("live", live.to_owned()),
            ("publisher", publisher.to_owned()),
            ("viewers", VIEWERS.to_string()),
            ("window", window.to_string()),
            ("warm", plan.warm.as_millis().to_string()),
            ("measure", plan.watch.as_millis().to_string()),
            ("server_pid", server_pid.to_string()),
        ],
    )
}

fn of(reports: &[Report], what: impl Fn(&Report) -> f64) -> f64 {
    median(&reports.iter().map(what).collect::<Vec<_>>())
}

fn said(reports: &[Report]) -> String {
    let own = of(reports, |report| report.own_cpu) * 100.0;
    let server = of(reports, |report| report.server_cpu) * 100.0;
    let frames = of(reports, |report| report.frames_per_read);
    format!("{own:.0} % + {server:.0} % ({frames:.1})")
}
