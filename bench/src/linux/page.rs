//! The page with a thousand devices that send a thousand readings/s, beside a bare page on the same socket.
//!
//! `web/test/load/bench.js` drives the browser and asks its tracing; here are the targets.

use super::mtom::binary;
use super::run::Plan;
use super::table::{Row, Table, median};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::Path;
use std::process::Stdio;
use tokio::process::Command;

const FRAMES_TARGET: f64 = 50.0;
const FIRST_TARGET_MILLIS: f64 = 500.0;
/// The least that tells something of a rate of frames.
const SECONDS_MIN: u64 = 5;

/// Measures frames, what they cost, and how soon the first reading is on the screen.
pub(crate) async fn measure(plan: Plan, table: &mut Table) -> Result<()> {
    let web = Path::new(env!("CARGO_MANIFEST_DIR")).join("../web");
    let seconds = (plan.measure.as_secs() * 3).max(SECONDS_MIN);
    let output = Command::new("node")
        .args(["test/load/bench.js", "--seconds", &seconds.to_string()])
        .args(["--rounds", &plan.rounds.to_string()])
        .env("MTOM_BIN", binary()?)
        .current_dir(&web)
        .stderr(Stdio::inherit())
        .kill_on_drop(true)
        .output()
        .await
        .context("cannot start node")?;
    ensure!(output.status.success(), "the page could not be measured");
    let rounds: Vec<Value> =
        serde_json::from_slice(&output.stdout).context("node has not said figures")?;
    rows(&rounds, table)
}

fn rows(rounds: &[Value], table: &mut Table) -> Result<()> {
    let all = |name: &str| -> Result<Vec<f64>> {
        let of = |round: &Value| round[name].as_f64().with_context(|| format!("no {name}"));
        rounds.iter().map(of).collect()
    };
    let pair = |name: &str| -> Result<(Vec<f64>, Vec<f64>)> {
        Ok((all(&format!("page.{name}"))?, all(&format!("floor.{name}"))?))
    };
    let (frames, floor) = pair("framesPerSecond")?;
    let frames_median = median(&frames);
    table.row(Row {
        what: "page, 1,000 devices at 1,000 readings/s, frames by the trace",
        ours: format!("{frames_median:.1} /s"),
        beside: format!("{:.1}", median(&floor)),
        peer: "bare page",
        ratios: frames.iter().zip(&floor).map(|(ours, floor)| ours / floor).collect(),
        target: format!("≥ {FRAMES_TARGET} /s"),
        met: Some(frames_median >= FRAMES_TARGET),
    });
    let mut tell = |what, name: &str, unit: &str, factor: f64, target: Option<f64>| {
        let (ours, floor) = pair(name)?;
        let shown = median(&ours) * factor;
        table.row(Row {
            what,
            ours: format!("{shown:.1} {unit}"),
            beside: format!("{:.1}", median(&floor) * factor),
            peer: "bare page",
            ratios: Vec::new(),
            target: target.map_or_else(String::new, |target| format!("≤ {target} {unit}")),
            met: target.map(|target| shown <= target),
        });
        anyhow::Ok(())
    };
    tell("frames by the page's own count", "ticksPerSecond", "/s", 1.0, None)?;
    tell("between two of them, 99 %", "worstMillis", "ms", 1.0, None)?;
    tell("tasks over 50 ms", "longTasks", "/s", 1.0, None)?;
    tell("the longest", "longestMillis", "ms", 1.0, None)?;
    tell("scripts, of the time", "scriptShare", "%", 100.0, None)?;
    tell("styles and layout", "layoutShare", "%", 100.0, None)?;
    tell("everything of its thread", "taskShare", "%", 100.0, None)?;
    tell("updates that it has lost", "updatesLost", "", 1.0, Some(0.0))?;
    let limit = Some(FIRST_TARGET_MILLIS);
    tell("first of them on the screen, empty cache", "cold", "ms", 1.0, limit)?;
    tell("first of them on the screen, again", "warm", "ms", 1.0, limit)?;
    tell(
        "page, one device: first reading on the screen, empty cache",
        "one.cold",
        "ms",
        1.0,
        limit,
    )?;
    tell("page, one device: first reading on the screen, again", "one.warm", "ms", 1.0, limit)
}
