//! `mtom actuator list`, `status` and `set`: the actuators of the gateway that runs, by its API.
//!
//! The words are those of the page: how an actuator is *wanted*, how its device has *reported* it to be, and what
//! was *sent* to one that never answers.

use crate::ask::{Ask, ask, asked, percent};
use crate::link::{Link, plain};
use crate::past::arguments::Place;
use crate::past::local;
use crate::{Failure, cli, clock, report, stop};
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
    let mut answer = actuators(&arguments.place)?;
    let others = Ask { path: "/api/v1/controllers", ..everything() };
    if let Some((_, others)) = asked(&arguments.place, others)? {
        answer["controllers"] = others["controllers"].clone();
    }
    if arguments.json {
        report::line(&answer.to_string());
        return Ok(());
    }
    table(&answer, (clock::system())(), &TimeZone::system())
        .iter()
        .for_each(|line| report::line(line));
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
    about(actuator, (clock::system())(), &TimeZone::system())
        .iter()
        .for_each(|line| report::line(line));
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
        let zone = TimeZone::system();
        loop {
            let answer =
                ask(page, everything()).await?.ok_or_else(|| anyhow!("the gateway has ended"))?;
            match outcome(&answer, name, &arguments.led, (clock::system())(), &zone) {
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

fn outcome(answer: &Value, name: &str, word: &str, now: UnixMicros, zone: &TimeZone) -> Outcome {
    let Ok(actuator) = named(answer, name) else {
        return Outcome::NotYet(format!("{} is gone", plain(name)));
    };
    let (name, link) = (plain(name), Link::of(actuator));
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
        return Outcome::Done(format!("{name} is {led}, as the device reports it{after}"));
    }
    if is_same(&actuator["sent"])
        && actuator["reported"].is_null()
        && actuator["firmware"].is_null()
        && link.state == "up"
    {
        return Outcome::Done(format!("{name}: {led} was sent; this device never answers"));
    }
    Outcome::NotYet(format!(
        "{name} is wanted {led}, and its device has not reported that it is so; {} {}",
        link.address,
        link.words(now, zone)
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

pub(crate) fn nobody() -> Failure {
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

fn table(answer: &Value, now: UnixMicros, zone: &TimeZone) -> Vec<String> {
    let row = |cells: [&str; 5]| {
        let [name, wanted, led, trust, link] = cells;
        format!("{name:<16} {wanted:<8} {led:<26} {trust:<15} {link}").trim_end().to_owned()
    };
    let mut lines = vec![row(["ACTUATOR", "WANTED", "LED", "KEY", "LINK"])];
    lines.extend(all(answer).map(|actuator| {
        let wanted = actuator["desired"]["led"].as_str().unwrap_or("-");
        let link = Link::of(actuator);
        let link = format!("{} {}", link.address, link.words(now, zone));
        let (name, led) = (plain(text(actuator, "name")), led(actuator, zone));
        row([&name, wanted, &led, trust(actuator).0, &link])
    }));
    let controllers = answer["controllers"].as_array().into_iter().flatten();
    let others: Vec<_> = controllers.flat_map(|controller| driven(controller, zone)).collect();
    if lines.len() == 1 && others.is_empty() {
        lines.push("none: write [[actuator]] into mtom.toml".into());
    }
    lines.extend(others);
    lines
}

/// What a controller drives, a line for each.
fn driven(controller: &Value, zone: &TimeZone) -> Vec<String> {
    let by = format!(
        "driven by controller {} at {}",
        plain(text(controller, "name")),
        plain(text(controller, "address"))
    );
    let away = controller["away_since_micros"].as_i64();
    let away = away.map(|at| format!(", away since {}", local(UnixMicros(at), zone)));
    let away = away.unwrap_or_default();
    let names = controller["actuators"].as_array().into_iter().flatten();
    let names = names.map(|name| plain(name.as_str().unwrap_or_default()));
    names.map(|name| format!("{name:<16} {by}{away}")).collect()
}

/// Whether its device proves what it says, and what that means.
fn trust(actuator: &Value) -> (&str, &'static str) {
    match text(actuator, "trust") {
        "" => ("not known yet", "the device has a key and was not heard yet"),
        word @ "authenticated" => (word, "the device vouches for each line with its key"),
        word @ "wrong key" => {
            (word, "the device and key_file must have the same: mtom flash actuator --key-file")
        }
        word => (word, "whoever reaches the link can speak for the device: mtom actuator key"),
    }
}

/// What it is, as far as anybody knows.
fn led(actuator: &Value, zone: &TimeZone) -> String {
    for key in ["reported", "sent"] {
        if let Some(led) = actuator[key]["led"].as_str() {
            let at = local(at(&actuator[key]), zone);
            let time = at.split_once(' ').map_or(at.as_str(), |(_, time)| time);
            return format!("{led}, {key} {time}");
        }
    }
    "unknown".into()
}

fn about(actuator: &Value, now: UnixMicros, zone: &TimeZone) -> Vec<String> {
    let mut lines = vec![plain(text(actuator, "name"))];
    let mut say = |what: &str, text: String| lines.push(format!("  {what:<10} {text}"));
    let told = |told: &Value| {
        let led = told["led"].as_str()?;
        Some(format!("{led}, command {} of {}", told["number"], local(at(told), zone)))
    };
    let never = || "never".to_owned();
    let desired = &actuator["desired"];
    let cause =
        || format!(", rule {}: {}", plain(text(desired, "rule")), plain(text(desired, "cause")));
    say("wanted", told(desired).map_or_else(never, |told| told + &cause()));
    say("sent", told(&actuator["sent"]).unwrap_or_else(never));
    say("reported", told(&actuator["reported"]).unwrap_or_else(never));
    if let Some(latency) = actuator["latency_micros"].as_u64() {
        say("answered", format!("{} after the decision", span(latency)));
    }
    let link = Link::of(actuator);
    say("link", format!("{} {}", link.address, link.words(now, zone)));
    let (word, means) = trust(actuator);
    say("key", format!("{word}: {means}"));
    if let Some(firmware) = actuator["firmware"].as_str() {
        say("firmware", plain(firmware));
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

#[cfg(test)]
mod tests;
