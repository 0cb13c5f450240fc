//! `mtom rules list`: how each rule of the gateway that runs is, and what it waits for, by its API.
//!
//! The words are those of the page and of `GET /api/v1/rules/state`; how much time is left is by the
//! gateway's clock.

use super::arguments::List;
use crate::ask::{Ask, asked};
use crate::link::plain;
use crate::past::local;
use crate::{Failure, report};
use hyper::Method;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use serde_json::Value;

pub(crate) fn list(arguments: &List) -> Result<(), Failure> {
    let path = format!("/api/v1/rules/state?limit={}", arguments.limit);
    let request =
        Ask { method: Method::GET, path: &path, kind: "application/json", body: String::new() };
    let answer = asked(&arguments.place, request)?;
    let (_, answer) = answer.ok_or_else(crate::actuators::nobody)?;
    if arguments.json {
        report::line(&answer.to_string());
        return Ok(());
    }
    lines(&answer, &TimeZone::system()).iter().for_each(|line| report::line(line));
    Ok(())
}

/// A line for each rule and for each actuator that waits, then the totals.
fn lines(answer: &Value, zone: &TimeZone) -> Vec<String> {
    let now = answer["now_micros"].as_i64().unwrap_or_default();
    let row = |cells: [&str; 4]| {
        let [name, state, since, waits] = cells;
        format!("{name:<24} {state:<8} {since:<23}  {waits}").trim_end().to_owned()
    };
    let mut lines = vec![row(["RULE", "STATE", "SINCE", "WAITS FOR"])];
    for rule in members(answer, "rules") {
        let since = rule["since_micros"].as_i64();
        let since = since.map_or_else(|| "-".into(), |at| local(UnixMicros(at), zone));
        let mut waits: Vec<String> =
            members(rule, "pending").map(|pending| timer(pending, now)).collect();
        if rule["silent"] == true {
            waits.push("a reading: it is silent".into());
        }
        if let Some(at) = rule["blind_since_micros"].as_i64() {
            let at = local(UnixMicros(at), zone);
            waits.push(format!(
                "a reading that it understands: it knows nothing of those since {at}"
            ));
        }
        let (name, state) = (plain(text(rule, "name")), text(rule, "state"));
        lines.push(row([&name, state, &since, &waits.join("; ")]));
    }
    for one in members(answer, "actuators") {
        let (name, manual) = (plain(text(one, "name")), text(one, "manual"));
        let by = if manual == "unknown" { "by rules".into() } else { format!("{manual} by hand") };
        let pending = &one["pending"];
        let until = if pending.is_null() { "a person".into() } else { timer(pending, now) };
        lines.push(format!("{name}, {by}, waits for {until}"));
    }
    let totals = &answer["totals"];
    let count = |name: &str| totals[name].as_u64().unwrap_or_default();
    let (on, off, unknown) = (count("on"), count("off"), count("unknown"));
    let all = on + off + unknown;
    lines.push(format!("rules: {all}, of them on: {on}, off: {off}, unknown: {unknown}"));
    if !answer["next"].is_null() {
        let shown = members(answer, "rules").count();
        lines.push(format!("the first {shown} are listed: more with --limit"));
    }
    lines
}

/// `on in 59 min 58 s (for)`
fn timer(pending: &Value, now: i64) -> String {
    let does = match text(pending, "does") {
        "hold" => "no change",
        "begin" => "it begins",
        led => led,
    };
    let at = pending["at_micros"].as_i64().unwrap_or_default();
    format!("{does} in {} ({})", left(at.saturating_sub(now)), text(pending, "timer"))
}

/// The two largest units that say something; what has begun of a second counts.
fn left(micros: i64) -> String {
    let seconds = micros.max(0).unsigned_abs().div_ceil(1_000_000);
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3_600 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600..86_400 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

fn members<'a>(value: &'a Value, key: &str) -> impl Iterator<Item = &'a Value> {
    value[key].as_array().into_iter().flatten()
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

#[cfg(test)]
mod tests;
