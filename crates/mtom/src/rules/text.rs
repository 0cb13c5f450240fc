//! Rules as the text of a file that reads as the same rules.

use mtom_rules::{Consequence, Edge, Qos, RuleSpec, Silent};
use std::fmt::Write;
use std::time::Duration;

/// The rules in TOML, one `[[rule]]` each, in their order.
pub(crate) fn to_toml(specs: &[RuleSpec]) -> String {
    let mut out = String::new();
    for spec in specs {
        rule(&mut out, spec).expect("a String takes everything");
    }
    out
}

fn rule(out: &mut String, spec: &RuleSpec) -> std::fmt::Result {
    let RuleSpec {
        name,
        when,
        on,
        off,
        hold_for,
        dwell,
        max_age,
        silent,
        schedule,
        priority,
        then,
    } = spec;
    if !out.is_empty() {
        writeln!(out)?;
    }
    writeln!(out, "[[rule]]")?;
    writeln!(out, "name = {}", quoted(name))?;
    writeln!(out, "when = {}", quoted(when))?;
    writeln!(out, "on = {}", quoted(on))?;
    if let Some(off) = off {
        writeln!(out, "off = {}", quoted(off))?;
    }
    writeln!(out, "for = {}", span(*hold_for))?;
    writeln!(out, "dwell = {}", span(*dwell))?;
    writeln!(out, "max_age = {}", max_age.map_or_else(|| "\"never\"".to_owned(), span))?;
    let silent = match silent {
        Silent::On => "on",
        Silent::Off => "off",
        Silent::Hold => "hold",
    };
    writeln!(out, "silent = \"{silent}\"")?;
    if let Some(schedule) = schedule {
        writeln!(out, "schedule = {}", quoted(schedule))?;
    }
    if *priority != 0 {
        writeln!(out, "priority = {priority}")?;
    }
    writeln!(out, "then = [{}]", then.iter().map(consequence).collect::<Vec<_>>().join(", "))
}

fn consequence(consequence: &Consequence) -> String {
    match consequence {
        Consequence::Actuator(name) => format!("{{ actuator = {} }}", quoted(name)),
        Consequence::Publish { topic, payload, edge, qos, retain } => {
            let qos = u8::from(*qos == Qos::AtLeastOnce);
            format!(
                "{{ publish = {}{}{}, qos = {qos}, retain = {retain} }}",
                quoted(topic),
                template("payload", payload.as_deref()),
                at(*edge)
            )
        }
        Consequence::Webhook { url, body, edge } => {
            let body = template("body", body.as_deref());
            format!("{{ webhook = {}{body}{} }}", quoted(url), at(*edge))
        }
    }
}

fn template(key: &str, text: Option<&str>) -> String {
    text.map_or_else(String::new, |text| format!(", {key} = {}", quoted(text)))
}

fn at(edge: Edge) -> String {
    let edge = match edge {
        Edge::On => "on",
        Edge::Off => "off",
        Edge::Both => "both",
    };
    format!(", edge = \"{edge}\"")
}

fn span(span: Duration) -> String {
    let millis = span.as_millis();
    if millis.is_multiple_of(1_000) {
        format!("\"{}s\"", millis / 1_000)
    } else {
        format!("\"{millis}ms\"")
    }
}

/// A TOML basic string. What JSON escapes TOML reads alike; it forbids one sign more.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string().replace('\u{7f}', "\\u007f")
}

#[cfg(test)]
mod tests;
