//! `mtom actuator list`, `status` and `set`: the actuators of the gateway that runs, by its API.
//!
//! The words are those of the page: what an actuator *should be*, what it *is* because its device says so, and
//! what was *sent* to one that never answers.

use crate::ask::{Ask, ask, asked, percent};
use crate::past::arguments::Place;
use crate::past::local;
use crate::{Failure, cli, report, stop};
use anyhow::anyhow;
use hyper::Method;
use jiff::tz::TimeZone;
use mtom_protocol::time::UnixMicros;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::{Instant, interval};

/// How often a device's word is asked for.
const LOOK_EVERY: Duration = Duration::from_millis(50);

/// Prints one line for each.
pub(crate) fn list(arguments: &cli::Listing) -> Result<(), Failure> {
    let answer = actuators(&arguments.place)?;
    if arguments.json {
        report::line(&answer.to_string());
        return Ok(());
    }
    table(&answer, &TimeZone::system()).iter().for_each(|line| report::line(line));
    Ok(())
}

/// Prints everything about one.
pub(crate) fn status(arguments: &cli::Status) -> Result<(), Failure> {
    let answer = actuators(&arguments.listing.place)?;
    let actuator = named(&answer, &arguments.name)?;
    if arguments.listing.json {
        report::line(&actuator.to_string());
        return Ok(());
    }
    about(actuator, &TimeZone::system()).iter().for_each(|line| report::line(line));
    Ok(())
}

/// Says what one is to be and waits for what comes of it.
pub(crate) fn set(arguments: &cli::SetByHand) -> Result<(), Failure> {
    let (name, place) = (&arguments.name, &arguments.place);
    named(&actuators(place)?, name)?;
    if arguments.until_after.is_some_and(|span| span.as_secs() == 0) {
        return Err(Failure::Usage("--for: expected a second or more".into()));
    }
    let seconds = arguments.until_after.map(|span| span.as_secs());
    let path = format!("/api/v1/actuators/{}/set", percent(name));
    let body = json!({ "led": arguments.led, "seconds": seconds }).to_string();
    let request = Ask { method: Method::PUT, path: &path, kind: "application/json", body };
    let (page, _) = asked(place, request)?.ok_or_else(nobody)?;
    let outcome = stop::until_told(async |stop| {
        let (began, mut turns) = (Instant::now(), interval(LOOK_EVERY));
        loop {
            let answer =
                ask(page, everything()).await?.ok_or_else(|| anyhow!("the gateway has ended"))?;
            match outcome(&answer, name, &arguments.led) {
                Outcome::NotYet(_) if began.elapsed() < arguments.wait => {}
                outcome => return anyhow::Ok(outcome),
            }
            tokio::select! {
                () = stop.cancelled() => {
                    return Ok(Outcome::NotYet("stopped before the device said anything".into()));
                }
                _ = turns.tick() => {}
            }
        }
    })??;
    match outcome {
        Outcome::Done(line) => {
            report::line(&line);
            Ok(())
        }
        Outcome::NotYet(line) => Err(Failure::Failed(anyhow!(line))),
    }
}

/// What has come of a command so far.
#[derive(Debug, PartialEq, Eq)]
enum Outcome {
    Done(String),
    NotYet(String),
}

fn outcome(answer: &Value, name: &str, word: &str) -> Outcome {
    let Ok(actuator) = named(answer, name) else {
        return Outcome::NotYet(format!("{} is gone", plain(name)));
    };
    let (name, link) = (plain(name), link(actuator));
    let desired = &actuator["desired"];
    let led = desired["led"].as_str().unwrap_or_default();
    if word != "auto" && led != word {
        return Outcome::NotYet(format!("{name}: the gateway has not decided it yet"));
    }
    let number = &desired["number"];
    if desired.is_null() {
        return Outcome::Done(format!("{name}: the rules have not said anything yet"));
    }
    let is_same = |told: &Value| told["number"] == *number && told["led"] == *led;
    if is_same(&actuator["reported"]) {
        let latency = actuator["latency_micros"].as_u64().map(span);
        let after =
            latency.map_or_else(String::new, |latency| format!(", {latency} after the decision"));
        return Outcome::Done(format!("{name} is {led}: the device says so{after}"));
    }
    if is_same(&actuator["sent"])
        && actuator["reported"].is_null()
        && actuator["firmware"].is_null()
    {
        let word = actuator["link_state"].as_str().unwrap_or_default();
        if word == "up" {
            return Outcome::Done(format!(
                "{name}: {led} was sent; this device never says what it is"
            ));
        }
    }
    Outcome::NotYet(format!(
        "{name} should be {led}, and its device has not said that it is; {link}"
    ))
}

fn actuators(place: &Place) -> Result<Value, Failure> {
    asked(place, everything())?.map(|(_, answer)| answer).ok_or_else(nobody)
}

fn everything() -> Ask<'static> {
    Ask {
        method: Method::GET,
        path: "/api/v1/actuators",
        kind: "application/json",
        body: String::new(),
    }
}

fn nobody() -> Failure {
    Failure::Failed(anyhow!(
        "no gateway runs at dashboard.listen of this configuration: start mtom up, or name its file with --config"
    ))
}

fn all(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["actuators"].as_array().into_iter().flatten()
}

fn named<'a>(answer: &'a Value, name: &str) -> Result<&'a Value, Failure> {
    let found = all(answer).find(|actuator| actuator["name"] == name);
    found.ok_or_else(|| {
        let names: Vec<String> = all(answer).map(|one| plain(text(one, "name"))).collect();
        let expected = if names.is_empty() {
            "this gateway has none: write [[actuator]] into mtom.toml".into()
        } else {
            format!("expected one of {}", names.join(", "))
        };
        Failure::Usage(format!("no actuator {name:?}: {expected}"))
    })
}

fn table(answer: &Value, zone: &TimeZone) -> Vec<String> {
    let row = |cells: [&str; 4]| {
        let [name, should, is, link] = cells;
        format!("{name:<16} {should:<10} {is:<24} {link}").trim_end().to_owned()
    };
    let mut lines = vec![row(["ACTUATOR", "SHOULD BE", "IS", "LINK"])];
    lines.extend(all(answer).map(|actuator| {
        let should = actuator["desired"]["led"].as_str().unwrap_or("-");
        row([&plain(text(actuator, "name")), should, &is(actuator, zone), &link(actuator)])
    }));
    if lines.len() == 1 {
        lines.push("none: write [[actuator]] into mtom.toml".into());
    }
    lines
}

/// What it is, as far as anybody knows.
fn is(actuator: &Value, zone: &TimeZone) -> String {
    for (key, word) in [("reported", ""), ("sent", "sent ")] {
        if let Some(led) = actuator[key]["led"].as_str() {
            let at = local(at(&actuator[key]), zone);
            let time = at.split_once(' ').map_or(at.as_str(), |(_, time)| time);
            return format!("{word}{led}, {time}");
        }
    }
    "not known".into()
}

fn link(actuator: &Value) -> String {
    let (link, state) = (plain(text(actuator, "link")), text(actuator, "link_state"));
    match text(actuator, "link_reason") {
        "" => format!("{link} {state}"),
        // It names the link already.
        reason => format!("{state}: {}", plain(reason)),
    }
}

fn about(actuator: &Value, zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![plain(text(actuator, "name"))];
    let mut say = |what: &str, text: String| lines.push(format!("  {what:<10} {text}"));
    let desired = &actuator["desired"];
    say(
        "should be",
        match desired["led"].as_str() {
            None => "nothing was decided yet".into(),
            Some(led) => format!(
                "{led}, command {} of {}, by {}: {}",
                desired["number"],
                local(at(desired), zone),
                plain(text(desired, "rule")),
                plain(text(desired, "cause"))
            ),
        },
    );
    let told = |told: &Value| {
        let led = told["led"].as_str()?;
        Some(format!("{led}, command {} of {}", told["number"], local(at(told), zone)))
    };
    say(
        "is",
        told(&actuator["reported"])
            .unwrap_or_else(|| "not known: the device has not said it".into()),
    );
    say("sent", told(&actuator["sent"]).unwrap_or_else(|| "nothing yet".into()));
    if let Some(latency) = actuator["latency_micros"].as_u64() {
        say("answered", format!("{} after the decision", span(latency)));
    }
    let since = UnixMicros(actuator["link_since_micros"].as_i64().unwrap_or_default());
    say("link", format!("{}, since {}", link(actuator), local(since, zone)));
    if let Some(firmware) = actuator["firmware"].as_str() {
        say("device", plain(firmware));
    }
    lines
}

fn at(told: &Value) -> UnixMicros {
    UnixMicros(told["at_micros"].as_i64().unwrap_or_default())
}

fn span(micros: u64) -> String {
    format!("{:.1} ms", Duration::from_micros(micros).as_secs_f64() * 1e3)
}

fn text<'a>(value: &'a Value, key: &str) -> &'a str {
    value[key].as_str().unwrap_or_default()
}

/// Outside bytes: a name may hold what steers a terminal.
fn plain(text: &str) -> String {
    text.replace(char::is_control, "?")
}

#[cfg(test)]
mod tests;
