//! Bodies of alerts: text with `{{ celsius }}` in it, escaped for where it goes.
//!
//! A template whose first sign is `{` or `[` is a JSON text: texts are escaped as inside a JSON string,
//! and a number that is not there is `null`. Else control characters are left out, and what is not there
//! is nothing. There is `{% if %}`, and there are no loops, no functions, no `*` and no other statement:
//! what is accepted always ends soon and stays small.

use crate::decision::{BODY_LEN_MAX, Cause};
use crate::words::nearest;
use minijinja::value::Value;
use minijinja::{AutoEscape, Environment, UndefinedBehavior, context};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use serde_json::json;
use std::fmt::Write as _;
use std::io;

/// The longest template, in bytes.
pub const TEMPLATE_LEN_MAX: usize = 4_096;
/// Steps of one rendering, and bytes for each 1,000 of them: ample for what such a template can hold.
const FUEL: u64 = 200_000;
/// The longest text of a variable; a topic may be 64 KiB.
const TEXT_LEN_MAX: usize = 1_024;

/// What a template may name.
pub const TEMPLATE_VARIABLES: [&str; 11] = [
    "rule",
    "state",
    "device",
    "quantity",
    "topic",
    "value",
    "unit",
    "celsius",
    "fahrenheit",
    "time",
    "cause",
];

const STATEMENTS: [&str; 4] = ["if", "elif", "else", "endif"];

/// A body, or the JSON object with all variables.
pub(crate) struct Template(Option<Environment<'static>>);

/// What there is to tell.
pub(crate) struct Facts<'a> {
    pub(crate) rule: &'a str,
    pub(crate) led: Led,
    pub(crate) cause: &'a Cause,
    pub(crate) at: UnixMicros,
}

const NAME: &str = "body";

impl Template {
    /// # Errors
    /// What is wrong with the text.
    pub(crate) fn parse(text: Option<&str>) -> Result<Self, String> {
        let Some(text) = text else { return Ok(Self(None)) };
        if text.len() > TEMPLATE_LEN_MAX {
            let len = text.len();
            return Err(format!("{len} bytes long: expected at most {TEMPLATE_LEN_MAX}"));
        }
        check_signs(text)?;
        let is_json = text.trim_start().starts_with(['{', '['])
            && !text.trim_start().starts_with("{{")
            && !text.trim_start().starts_with("{%");
        let mut environment = Environment::empty();
        environment.set_undefined_behavior(UndefinedBehavior::Lenient);
        environment.set_recursion_limit(32);
        environment.set_fuel(Some(FUEL));
        // The formatter escapes.
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_formatter(move |out, _, value| {
            write_value(out, value, is_json).map_err(minijinja::Error::from)
        });
        environment.add_filter("round", round);
        environment.add_template_owned(NAME, text.to_owned()).map_err(|error| explain(&error))?;
        let template = environment.get_template(NAME).map_err(|error| explain(&error))?;
        let mut names: Vec<String> = template.undeclared_variables(false).into_iter().collect();
        names.sort();
        if let Some(name) = names.iter().find(|name| !TEMPLATE_VARIABLES.contains(&name.as_str())) {
            let list = TEMPLATE_VARIABLES.join(", ");
            return Err(match nearest(name, TEMPLATE_VARIABLES) {
                Some(near) => {
                    format!("unknown variable `{name}`: did you mean `{near}`? Known are {list}")
                }
                None => format!("unknown variable `{name}`: expected one of {list}"),
            });
        }
        let template = Self(Some(environment));
        template.try_out()?;
        Ok(template)
    }

    /// The body. A template that fails with these facts gives the object with all of them instead.
    pub(crate) fn render(&self, facts: &Facts<'_>) -> String {
        match self.try_render(facts) {
            Some(Ok(body)) => body,
            Some(Err(_)) | None => everything(facts),
        }
    }

    fn try_render(&self, facts: &Facts<'_>) -> Option<Result<String, minijinja::Error>> {
        let environment = self.0.as_ref()?;
        let mut body = Limited(Vec::new());
        let rendered = environment.get_template(NAME).and_then(|template| {
            template.render_captured_to(variables(facts), &mut body).map(drop)
        });
        Some(rendered.map(|()| String::from_utf8_lossy(&body.0).into_owned()))
    }

    /// Whether it works with nothing at hand.
    fn try_out(&self) -> Result<(), String> {
        let cause = Cause::Silence { max_age: std::time::Duration::ZERO, since: UnixMicros(0) };
        let facts = Facts { rule: "rule", led: Led::Off, cause: &cause, at: UnixMicros(0) };
        match self.try_render(&facts) {
            Some(Err(error)) => Err(explain(&error)),
            Some(Ok(_)) | None => Ok(()),
        }
    }
}

/// What a template may not do is told before it is read: some of it would take all memory.
fn check_signs(text: &str) -> Result<(), String> {
    for (_, rest) in text.match_indices("{%").map(|(at, _)| text.split_at(at + 2)) {
        let rest = rest.trim_start_matches(['-', '+']).trim_start();
        let word: String = rest.chars().take_while(char::is_ascii_alphabetic).collect();
        if !STATEMENTS.contains(&word.as_str()) {
            let list = STATEMENTS.join(", ");
            return Err(format!("`{{% {word} %}}` is not for alerts: expected one of {list}"));
        }
    }
    let mut rest = text;
    while let Some((_, inside)) = rest.split_once('{') {
        let end = match inside.chars().next() {
            Some('{') => "}}",
            Some('%') => "%}",
            _ => {
                rest = inside;
                continue;
            }
        };
        let (code, behind) = inside.split_once(end).unwrap_or((inside, ""));
        if code.contains('*') {
            return Err("`*` is not for alerts: expected a variable, as in {{ celsius }}".into());
        }
        rest = behind;
    }
    Ok(())
}

fn explain(error: &minijinja::Error) -> String {
    let what = error.detail().map_or_else(|| error.kind().to_string(), str::to_owned);
    match error.line() {
        Some(line) if line > 1 => format!("line {line}: {what}"),
        _ => what,
    }
}

/// `{{ celsius | round(1) }}`
fn round(value: Value, digits: Option<u32>) -> Value {
    let factor = 10_f64.powi(i32::try_from(digits.unwrap_or(0).min(12)).unwrap_or(0));
    match f64::try_from(value.clone()) {
        Ok(number) => Value::from((number * factor).round() / factor),
        // Nothing stays nothing.
        Err(_) => value,
    }
}

fn variables(facts: &Facts<'_>) -> Value {
    let witness = facts.cause.witness();
    let text = |text: &str| Value::from(clip(text));
    let celsius = witness.and_then(|witness| witness.unit.to_celsius(witness.value));
    let in_fahrenheit = witness.and_then(|witness| witness.unit.to_fahrenheit(witness.value));
    context! {
        rule => text(facts.rule),
        state => word(facts.led),
        device => witness.map_or(text(""), |witness| text(&witness.device)),
        quantity => witness.map_or(text(""), |witness| text(&witness.quantity)),
        topic => witness.map_or(text(""), |witness| text(&witness.topic)),
        value => number(witness.map(|witness| witness.value)),
        unit => witness.map_or("", |witness| witness.unit.symbol()),
        celsius => number(celsius),
        fahrenheit => number(in_fahrenheit),
        time => facts.at.rfc3339(),
        cause => text(&facts.cause.to_string()),
    }
}

const fn word(led: Led) -> &'static str {
    match led {
        Led::On => "on",
        Led::Off => "off",
    }
}

fn number(value: Option<f64>) -> Value {
    value.map_or(Value::UNDEFINED, Value::from)
}

fn everything(facts: &Facts<'_>) -> String {
    let witness = facts.cause.witness();
    let celsius = witness.and_then(|witness| witness.unit.to_celsius(witness.value));
    json!({
        "rule": facts.rule,
        "state": word(facts.led),
        "device": witness.map(|witness| &*witness.device),
        "quantity": witness.map(|witness| &*witness.quantity),
        "topic": witness.map(|witness| clip(&witness.topic)),
        "value": witness.map(|witness| witness.value),
        "unit": witness.map(|witness| witness.unit.symbol()),
        "celsius": celsius,
        "fahrenheit": witness.and_then(|witness| witness.unit.to_fahrenheit(witness.value)),
        "time": facts.at.rfc3339(),
        "cause": clip(&facts.cause.to_string()),
    })
    .to_string()
}

fn clip(text: &str) -> &str {
    text.get(..text.floor_char_boundary(TEXT_LEN_MAX)).unwrap_or(text)
}

/// One value, for where it goes.
fn write_value(
    out: &mut minijinja::Output<'_>,
    value: &Value,
    is_json: bool,
) -> Result<(), std::fmt::Error> {
    if value.is_undefined() || value.is_none() {
        return if is_json { out.write_str("null") } else { Ok(()) };
    }
    let shown = match value.as_str() {
        Some(text) => text.to_owned(),
        // 25, not 25.0: as everywhere else.
        None => match f64::try_from(value.clone()) {
            Ok(number) if is_json && !number.is_finite() => "null".into(),
            Ok(number) => number.to_string(),
            Err(_) => value.to_string(),
        },
    };
    for sign in shown.chars() {
        match sign {
            '"' if is_json => out.write_str("\\\"")?,
            '\\' if is_json => out.write_str("\\\\")?,
            sign if is_json && (sign < ' ' || sign == '\u{7f}') => {
                write!(out, "\\u{:04x}", u32::from(sign))?;
            }
            sign if sign.is_control() => {}
            sign => out.write_char(sign)?,
        }
    }
    Ok(())
}

/// A body that has become too long is an error, not a loss of memory.
struct Limited(Vec<u8>);

impl io::Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.0.len() + bytes.len() > BODY_LEN_MAX {
            return Err(io::Error::other("too long"));
        }
        self.0.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests;
