//! Ten thousand viewers of the live port, beside one epoll loop that does nothing but write the same bytes to them.
//!
//! One message: from its publishing, commit included, until the last viewer has it. A burst of a hundred: the loop
//! writes each by itself, mtom what a viewer is behind. And what a viewer costs in memory.

use super::mtom::Mtom;
use super::proc;
use super::role::Role;
use super::run::Plan;
use super::table::{Row, Table, median, most, thousands};
use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

const VIEWERS: u32 = 10_000;
const BURST_LEN: u32 = 100;
const TARGET: f64 = 0.9;
const BURST_TARGET: f64 = 3.0;
const MEMORY_TARGET_KIB: f64 = 12.0;
/// The same bytes.
const BYTES_DIFFERENCE_MAX: f64 = 0.5;

/// Measures mtom and the loop in each round.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let (mut ours, mut bare, mut memory) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..plan.rounds {
        bare.push(floor(plan).await?);
        let (report, kib_each) = mtom(plan).await?;
        ours.push(report);
        memory.push(kib_each);
    }
    for (ours, bare) in ours.iter().zip(&bare) {
        let difference = (ours.bytes_each - bare.bytes_each).abs();
        ensure!(difference < BYTES_DIFFERENCE_MAX, "not the same bytes: {ours:?}, {bare:?}");
    }
    row(table, "crowd, one message to 10,000 viewers", TARGET, [&ours, &bare], |report| {
        f64::from(VIEWERS) / median(&report.times_ms) * 1e3
    });
    row(table, "crowd, a burst of 100 messages", BURST_TARGET, [&ours, &bare], |report| {
        f64::from(VIEWERS * BURST_LEN) / median(&report.burst_times_ms) * 1e3
    });
    let kib_each = median(&memory);
    table.alone(
        "crowd, memory of each viewer",
        format!("{kib_each:.1} KiB"),
        format!("≤ {MEMORY_TARGET_KIB} KiB"),
        kib_each <= MEMORY_TARGET_KIB,
    );
    table.note(format!("crowd: mtom: {}. The loop: {}.", said(&ours), said(&bare)));
    Ok(())
}

fn row(
    table: &mut Table,
    what: &'static str,
    target: f64,
    [ours, bare]: [&[Report]; 2],
    rate: impl Fn(&Report) -> f64,
) {
    let ratios: Vec<f64> =
        ours.iter().zip(bare).map(|(ours, bare)| rate(ours) / rate(bare)).collect();
    let shown = |reports: &[Report]| {
        format!("{}/s", thousands(median(&reports.iter().map(&rate).collect::<Vec<_>>())))
    };
    table.row(Row {
        what,
        ours: shown(ours),
        beside: shown(bare),
        peer: "bare epoll loop",
        met: Some(median(&ratios) >= target),
        ratios,
        target: format!("≥ {target}"),
    });
}

#[derive(Clone, Debug)]
struct Report {
    joined_s: f64,
    times_ms: Vec<f64>,
    burst_times_ms: Vec<f64>,
    bytes_each: f64,
    frames_per_read: f64,
    own_cpu_ms: f64,
    server_cpu_ms: f64,
}

impl Report {
    fn parse(line: &str) -> Result<Self> {
        let said: Value = serde_json::from_str(line)?;
        let number = |key: &str| said[key].as_f64().with_context(|| format!("no {key}"));
        let numbers = |key: &str| {
            let values = said[key].as_array().with_context(|| format!("no {key}"))?;
            let values: Option<Vec<f64>> = values.iter().map(Value::as_f64).collect();
            values.with_context(|| format!("{key} are not numbers"))
        };
        Ok(Self {
            joined_s: number("joined_s")?,
            times_ms: numbers("times_ms")?,
            burst_times_ms: numbers("burst_times_ms")?,
            bytes_each: number("bytes_each")?,
            frames_per_read: number("frames_per_read")?,
            own_cpu_ms: number("own_cpu_ms")?,
            server_cpu_ms: number("server_cpu_ms")?,
        })
    }
}

fn said(reports: &[Report]) -> String {
    let of = |what: fn(&Report) -> f64| median(&reports.iter().map(what).collect::<Vec<_>>());
    format!(
        "all have joined in {:.1} s; the last has a message after {:.0} ms (at most {:.0}), the last of a burst \
         after {:.0} ms; a message costs {:.0} ms of CPU there and {:.0} ms at the viewers; {:.1} frames per read",
        of(|report| report.joined_s),
        of(|report| median(&report.times_ms)),
        of(|report| most(&report.times_ms)),
        of(|report| median(&report.burst_times_ms)),
        of(|report| report.server_cpu_ms),
        of(|report| report.own_cpu_ms),
        of(|report| report.frames_per_read),
    )
}

async fn mtom(plan: Plan) -> Result<(Report, f64)> {
    let mtom = Mtom::start_warm().await?;
    let before = proc::rss_kib(mtom.pid)?;
    let mut many = start(plan, "websocket", &mtom.live, &mtom.mqtt, mtom.pid)?;
    let report = Report::parse(&many.line().await?)?;
    let kib_each = (proc::rss_kib(mtom.pid)? - before) / f64::from(VIEWERS);
    many.end().await?;
    mtom.end().await?;
    Ok((report, kib_each))
}

async fn floor(plan: Plan) -> Result<Report> {
    let mut bare = Role::start("bare", &[])?;
    let ports = bare.ports().await?;
    let [live, publisher] = ports.as_slice() else { bail!("the loop has two ports") };
    let mut many = start(plan, "raw", live, publisher, bare.pid)?;
    let report = Report::parse(&many.line().await?)?;
    many.end().await?;
    bare.end().await?;
    Ok(report)
}

fn start(plan: Plan, kind: &str, live: &str, publisher: &str, server_pid: u32) -> Result<Role> {
    Role::start(
        "many",
        &[
            ("kind", kind.to_owned()),
            ("live", live.to_owned()),
            ("publisher", publisher.to_owned()),
            ("viewers", VIEWERS.to_string()),
            ("messages", plan.messages.to_string()),
            ("bursts", plan.bursts.to_string()),
            ("burst_len", BURST_LEN.to_string()),
            ("server_pid", server_pid.to_string()),
        ],
    )
}
