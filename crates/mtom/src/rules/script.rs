//! The language of a test case: what is given, and what is expected.
//!
//! Pure. Items are separated by `|` and stand in the order of time. Times are UTC; a case without a day
//! plays on a Monday. Every mistake names its place in the text and an example.

use super::compare::Reason;
use mtom_protocol::link::Led;
use mtom_protocol::payload::decode;
use mtom_protocol::reading::Reading;
use mtom_protocol::time::UnixMicros;
use std::time::Duration;

/// 2026-01-05, a Monday.
const MONDAY: i64 = 1_767_571_200;
const DAY: i64 = 86_400;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// One thing that happens.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Step {
    /// When.
    pub(crate) at: UnixMicros,
    pub(crate) what: What,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum What {
    /// Readings arrive; `taken_at` is theirs where they are late.
    Readings { readings: Vec<Reading>, taken_at: Option<UnixMicros> },
    /// Time goes by.
    Nothing,
    /// The process has ended before and is there again.
    Restart,
    /// A person says what an actuator is to be; `None`: the rules speak again.
    Override { actuator: String, led: Option<Led>, until: Option<UnixMicros> },
}

/// One command that is expected.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) at: UnixMicros,
    pub(crate) actuator: String,
    pub(crate) led: Led,
    pub(crate) reason: Option<Reason>,
    /// Where the actuator's name stands, in characters from 0.
    pub(crate) position: usize,
}

/// Something that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Mistake {
    /// Where in the text, in characters from 0.
    pub(crate) position: usize,
    /// What is wrong, and an example.
    pub(crate) problem: String,
}

/// Reads `given`. `topic` is the one that readings have where they name none.
///
/// # Errors
/// The first mistake.
pub(crate) fn given(text: &str, topic: &str) -> Result<Vec<Step>, Mistake> {
    if text.trim().is_empty() {
        let problem = "empty: expected readings, as in 12:00:00 24.0 | 12:00:02 26.0 °C".into();
        return Err(Mistake { position: 0, problem });
    }
    let mut clock = Clock::default();
    items(text).map(|mut item| step(&mut item, topic, &mut clock)).collect()
}

/// Reads `expect`; an empty text expects that nothing happens.
///
/// # Errors
/// The first mistake.
pub(crate) fn expect(text: &str) -> Result<Vec<Expected>, Mistake> {
    let mut clock = Clock::default();
    if text.trim().is_empty() {
        return Ok(Vec::new());
    }
    items(text).map(|mut item| expected(&mut item, &mut clock)).collect()
}

fn step(item: &mut Item<'_>, topic: &str, clock: &mut Clock) -> Result<Step, Mistake> {
    const EXAMPLE: &str = "expected a time and a reading, as in 12:00:02 26.0 °C; or silence 60s, \
                           restart, late 12:00:01 30.0, override TEMP_LED on 10m";
    let Some((position, word)) = item.peek() else {
        return Err(item.mistake(format!("nothing between two |: {EXAMPLE}")));
    };
    match word {
        "silence" => {
            item.next();
            let at = clock.begun(position, "silence")?.saturating_add(item.span("silence 60s")?);
            clock.at = Some(at);
            item.end("silence 60s")?;
            Ok(Step { at, what: What::Nothing })
        }
        "restart" => {
            item.next();
            let mut at = clock.begun(position, "restart")?;
            if item.peek().is_some() {
                at =
                    at.saturating_add(item.span("restart, or restart 30s to be away for so long")?);
            }
            clock.at = Some(at);
            item.end("restart")?;
            Ok(Step { at, what: What::Restart })
        }
        "override" => {
            item.next();
            let at = clock.begun(position, "override")?;
            let what = by_hand(item, at)?;
            Ok(Step { at, what })
        }
        "late" => {
            item.next();
            let at = clock.begun(position, "late")?;
            let (place, taken_at) = clock.read(item, "late 12:00:01 30.0")?;
            if taken_at > at {
                let problem = format!(
                    "{} is not over yet: {}",
                    show(taken_at),
                    "expected a time before the item in front, as in late 12:00:01 30.0"
                );
                return Err(Mistake { position: place, problem });
            }
            let readings = readings(item, topic)?;
            Ok(Step { at, what: What::Readings { readings, taken_at: Some(taken_at) } })
        }
        _ if word.starts_with(|first: char| first.is_ascii_digit()) || is_day(word) => {
            let at = clock.advance(item, "12:00:02 26.0 °C")?;
            if item.peek().is_none() {
                return Ok(Step { at, what: What::Nothing });
            }
            let readings = readings(item, topic)?;
            Ok(Step { at, what: What::Readings { readings, taken_at: None } })
        }
        other => Err(Mistake { position, problem: format!("{other:?}: {EXAMPLE}") }),
    }
}

/// `TEMP_LED on`, `TEMP_LED off 10m` or `TEMP_LED end`, behind `override`.
fn by_hand(item: &mut Item<'_>, at: UnixMicros) -> Result<What, Mistake> {
    const EXAMPLE: &str =
        "override TEMP_LED on 10m, override TEMP_LED off or override TEMP_LED end";
    let (Some((_, actuator)), Some((position, word))) = (item.next(), item.next()) else {
        return Err(item.mistake(format!("not whole: expected {EXAMPLE}")));
    };
    let led = match word {
        "on" => Some(Led::On),
        "off" => Some(Led::Off),
        "end" => None,
        other => {
            return Err(Mistake { position, problem: format!("{other:?}: expected {EXAMPLE}") });
        }
    };
    let is_limited = led.is_some() && item.peek().is_some();
    let until = if is_limited { Some(at.saturating_add(item.span(EXAMPLE)?)) } else { None };
    item.end(EXAMPLE)?;
    Ok(What::Override { actuator: actuator.to_owned(), led, until })
}

/// `26.0 °C`, `Environ/Temperature 26.0 °C` or JSON, as a message would bring it.
fn readings(item: &mut Item<'_>, topic: &str) -> Result<Vec<Reading>, Mistake> {
    let Some((mut position, first)) = item.peek() else {
        return Err(item.mistake("no reading: expected a value, as in 26.0 °C".into()));
    };
    let rest = item.rest();
    let (topic, payload) = match rest.split_once(char::is_whitespace) {
        Some((_, payload)) if !is_value(first) => {
            position = item.position_of(payload);
            (first, payload.trim())
        }
        _ if is_value(first) && topic.contains(['+', '#']) => {
            let problem = format!(
                "when = {topic:?} has wildcards: expected the topic before the value, as in \
                 Environ/Temperature {}",
                rest.trim()
            );
            return Err(Mistake { position, problem });
        }
        _ => (topic, rest.trim()),
    };
    if topic.contains(['+', '#']) {
        let problem = format!(
            "{topic:?}: readings come on a topic without wildcards, as in Environ/Temperature"
        );
        return Err(Mistake { position, problem });
    }
    let found = decode(topic, payload.as_bytes());
    if found.is_empty() {
        let problem = format!("{payload:?} is no reading on {topic:?}; as in 12:00:02 26.0 °C");
        return Err(Mistake { position, problem });
    }
    let found: Result<Vec<_>, _> = found.into_iter().collect();
    found.map_err(|reason| {
        let problem = format!("{payload:?} is no reading, {reason}; as in 12:00:02 26.0 °C");
        Mistake { position, problem }
    })
}

/// Whether a word begins a payload; anything else is a topic.
fn is_value(word: &str) -> bool {
    word.starts_with(|first: char| first.is_ascii_digit() || "+-.,{[".contains(first))
        || matches!(word.to_ascii_lowercase().as_str(), "nan" | "inf" | "infinity")
}

fn expected(item: &mut Item<'_>, clock: &mut Clock) -> Result<Expected, Mistake> {
    const EXAMPLE: &str = "12:00:12 TEMP_LED on";
    if item.peek().is_none() {
        return Err(item.mistake(format!("nothing between two |: expected {EXAMPLE}")));
    }
    let at = clock.advance(item, EXAMPLE)?;
    let Some((position, _)) = item.peek() else {
        return Err(item.mistake(format!("no actuator: expected {EXAMPLE}")));
    };
    let mut rest = item.rest().trim_end();
    let mut reason = None;
    if let Some(open) = rest.rfind('(')
        && let Some(word) = rest.get(open..).and_then(|word| word.strip_prefix('('))
        && let Some(word) = word.strip_suffix(')')
    {
        let known = Reason::WORDS.iter().find(|(known, _)| *known == word.trim());
        let Some((_, found)) = known else {
            let position = item.position_of(word);
            let problem = format!(
                "({word}): expected (silent), (reading), (override), (schedule) or no reason, as in 12:00:14 TEMP_LED off (silent)"
            );
            return Err(Mistake { position, problem });
        };
        reason = Some(*found);
        rest = rest.get(..open).unwrap_or_default().trim_end();
    }
    let (actuator, led) = rest.rsplit_once(char::is_whitespace).unwrap_or((rest, ""));
    let led = match led {
        "on" => Led::On,
        "off" => Led::Off,
        other => {
            let found = if other.is_empty() { "nothing" } else { other };
            let problem =
                format!("expected on or off at the end, found {found:?}: as in {EXAMPLE}");
            let position = if other.is_empty() { position } else { item.position_of(other) };
            return Err(Mistake { position, problem });
        }
    };
    Ok(Expected { at, actuator: actuator.trim_end().to_owned(), led, reason, position })
}

/// How far the text is in time.
#[derive(Debug, Default)]
struct Clock {
    at: Option<UnixMicros>,
}

impl Clock {
    fn begun(&self, position: usize, word: &str) -> Result<UnixMicros, Mistake> {
        self.at.ok_or_else(|| Mistake {
            position,
            problem: format!(
                "{word} has no time before it: begin with one, as in 12:00:00 | {word}"
            ),
        })
    }

    /// Reads a time that is not before the last one, and goes on to it.
    fn advance(&mut self, item: &mut Item<'_>, example: &str) -> Result<UnixMicros, Mistake> {
        let (position, at) = self.read(item, example)?;
        if let Some(before) = self.at.filter(|before| at < *before) {
            let problem = format!(
                "{} is before {}: times rise; after midnight write the day, as in Tue 00:00:05; \
                 what comes late is late 12:00:01 30.0",
                show(at),
                show(before)
            );
            return Err(Mistake { position, problem });
        }
        self.at = Some(at);
        Ok(at)
    }

    /// `12:00:00.5`, `Tue 12:00`, `2026-03-29 12:00:00`: without a day it is the day of the item before.
    fn read(&self, item: &mut Item<'_>, example: &str) -> Result<(usize, UnixMicros), Mistake> {
        let end = item.end_position();
        let mut next = || {
            item.next().ok_or_else(|| Mistake {
                position: end,
                problem: format!("no time: expected one, as in {example}"),
            })
        };
        let (position, word) = next()?;
        let mut day = self.at.map_or(MONDAY, |at| at.0.div_euclid(DAY * 1_000_000) * DAY);
        let (place, word) = if let Some(wanted) = DAYS.iter().position(|known| *known == word) {
            let monday = day - (day - MONDAY).rem_euclid(7 * DAY);
            let wanted = monday + i64::try_from(wanted).unwrap_or(0) * DAY;
            day = if wanted < day { wanted + 7 * DAY } else { wanted };
            next()?
        } else if word.contains('-') {
            let midnight = UnixMicros::parse_rfc3339(&format!("{word}T00:00:00Z"));
            let wrong = || Mistake {
                position,
                problem: format!("{word:?} is no day: expected one, as in 2026-03-29 12:00:00"),
            };
            day = midnight.ok_or_else(wrong)?.0 / 1_000_000;
            next()?
        } else {
            (position, word)
        };
        let within = time_of_day(word).ok_or_else(|| Mistake {
            position: place,
            problem: format!(
                "{word:?} is no time: expected hours, minutes and seconds, as in {example}"
            ),
        })?;
        Ok((position, UnixMicros(day * 1_000_000 + within)))
    }
}

/// Microseconds since midnight.
fn time_of_day(word: &str) -> Option<i64> {
    let (whole, fraction) = word.split_once('.').unwrap_or((word, ""));
    let mut parts = whole.split(':').map(|part| {
        let digits = part.len() <= 2 && part.bytes().all(|byte| byte.is_ascii_digit());
        part.parse::<i64>().ok().filter(|_| digits)
    });
    let (hours, minutes) = (parts.next()??, parts.next()??);
    let seconds = match parts.next() {
        Some(seconds) => seconds?,
        None if fraction.is_empty() => 0,
        None => return None,
    };
    let is_digits = fraction.bytes().all(|byte| byte.is_ascii_digit()) && fraction.len() <= 6;
    if parts.next().is_some() || hours > 23 || minutes > 59 || seconds > 59 || !is_digits {
        return None;
    }
    let micros: i64 = format!("{fraction:0<6}").parse().ok()?;
    Some(((hours * 60 + minutes) * 60 + seconds) * 1_000_000 + micros)
}

fn is_day(word: &str) -> bool {
    DAYS.contains(&word)
}

/// A time as it is written in a case: `12:00:02`, `Tue 12:00:02.25`.
pub(crate) fn show(at: UnixMicros) -> String {
    let text = at.rfc3339();
    let time = text.get(11..26).unwrap_or(&text).trim_end_matches('0').trim_end_matches('.');
    let days = (at.0.div_euclid(1_000_000) - MONDAY).div_euclid(DAY);
    match usize::try_from(days).ok() {
        Some(0) => time.to_owned(),
        Some(day) if day < 7 => format!("{} {time}", DAYS.get(day).copied().unwrap_or_default()),
        _ => format!("{} {time}", text.get(..10).unwrap_or_default()),
    }
}

/// The text between two `|`, word by word.
struct Item<'t> {
    whole: &'t str,
    left: &'t str,
}

fn items(whole: &str) -> impl Iterator<Item = Item<'_>> {
    whole.split('|').map(move |left| Item { whole, left })
}

impl<'t> Item<'t> {
    fn peek(&self) -> Option<(usize, &'t str)> {
        let word = self.left.split_whitespace().next()?;
        Some((self.position_of(word), word))
    }

    fn next(&mut self) -> Option<(usize, &'t str)> {
        let (position, word) = self.peek()?;
        let start = self.left.find(word)?;
        self.left = self.left.get(start + word.len()..).unwrap_or_default();
        Some((position, word))
    }

    fn rest(&self) -> &'t str {
        self.left.trim_start()
    }

    fn span(&mut self, example: &str) -> Result<Duration, Mistake> {
        let Some((position, word)) = self.next() else {
            return Err(self.mistake(format!("no time span: expected {example}")));
        };
        crate::config::time_span(word).map_err(|_| Mistake {
            position,
            problem: format!("{word:?} is no time span: expected {example}"),
        })
    }

    fn end(&self, example: &str) -> Result<(), Mistake> {
        match self.peek() {
            None => Ok(()),
            Some((position, word)) => Err(Mistake {
                position,
                problem: format!("{word:?} is too much: expected {example}, then | or the end"),
            }),
        }
    }

    fn mistake(&self, problem: String) -> Mistake {
        Mistake { position: self.end_position(), problem }
    }

    fn end_position(&self) -> usize {
        self.position_of(self.left) + self.left.chars().count()
    }

    /// Where a part of the text begins, in characters; `part` is a slice of it.
    fn position_of(&self, part: &str) -> usize {
        let offset = (part.as_ptr() as usize).saturating_sub(self.whole.as_ptr() as usize);
        self.whole.get(..offset).map_or(0, |before| before.chars().count())
    }
}

#[cfg(test)]
mod tests;
