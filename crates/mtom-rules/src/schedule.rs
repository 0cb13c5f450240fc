//! When a rule is in force: `Mon-Fri 07:00-19:00 Europe/Berlin; Sat,Sun 09:00-12:00 Europe/Berlin`.
//!
//! A span that crosses midnight belongs to the day on which it begins. A time that a change of clocks
//! leaves out is the first that there is after it; an hour that comes twice counts both times. Zones
//! come with the program, so a rule means the same on every computer; left out, it is UTC.

use crate::words::nearest;
use jiff::Timestamp;
use jiff::civil::{Date, Time, Weekday};
use jiff::tz::{AmbiguousOffset, TimeZone, TimeZoneDatabase};
use mtom_protocol::time::UnixMicros;
use std::collections::HashMap;

/// The most parts, separated by `;`.
const PARTS_LEN_MAX: usize = 32;
/// How many days ahead the next change is looked for. All weeks are alike but for the clocks.
const DAYS_AHEAD: i64 = 9;
const DAYS: [(&str, Weekday); 7] = [
    ("Mon", Weekday::Monday),
    ("Tue", Weekday::Tuesday),
    ("Wed", Weekday::Wednesday),
    ("Thu", Weekday::Thursday),
    ("Fri", Weekday::Friday),
    ("Sat", Weekday::Saturday),
    ("Sun", Weekday::Sunday),
];
const EXAMPLE: &str = "as in \"Mon-Fri 07:00-19:00 Europe/Berlin\"";

#[derive(Debug)]
pub(crate) struct Schedule {
    parts: Vec<Part>,
}

#[derive(Debug)]
struct Part {
    /// From Monday.
    days: [bool; 7],
    from: Time,
    to: Time,
    /// `to` is on the day after: it is not later than `from`.
    is_over_midnight: bool,
    zone: TimeZone,
}

/// Whether a rule is in force.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Turn {
    pub(crate) is_active: bool,
    /// When to look again; at the latest when it changes.
    pub(crate) until: UnixMicros,
}

impl Schedule {
    /// # Errors
    /// What is wrong, and what is expected.
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let database = TimeZoneDatabase::bundled();
        let mut parts = Vec::new();
        let mut zones = HashMap::new();
        for part in text.split(';') {
            if parts.len() == PARTS_LEN_MAX {
                return Err(format!("expected at most {PARTS_LEN_MAX} parts"));
            }
            parts.push(Part::parse(part, &database, &mut zones)?);
        }
        Ok(Self { parts })
    }

    /// Whether it is in force at `now`, and until when that is sure.
    pub(crate) fn at(&self, now: UnixMicros) -> Turn {
        let spans: Vec<(UnixMicros, UnixMicros)> =
            self.parts.iter().flat_map(|part| part.spans(now)).collect();
        let end_of = |at: UnixMicros| {
            spans.iter().filter(|(from, to)| *from <= at && at < *to).map(|(_, to)| *to).max()
        };
        match end_of(now) {
            Some(mut until) => {
                // Spans that touch are one.
                while let Some(later) = end_of(until) {
                    until = later;
                }
                Turn { is_active: true, until }
            }
            None => {
                let next = spans.iter().map(|(from, _)| *from).filter(|from| *from > now).min();
                // There is always one within a week, but at the end of time.
                Turn { is_active: false, until: next.unwrap_or(UnixMicros(i64::MAX)) }
            }
        }
    }
}

impl Part {
    fn parse(
        text: &str,
        database: &TimeZoneDatabase,
        zones: &mut HashMap<String, TimeZone>,
    ) -> Result<Self, String> {
        let (mut days, mut span, mut zone) = (None, None, None);
        // Lists of days may have spaces behind their commas.
        let text = text.replace(", ", ",");
        for word in text.split_whitespace() {
            let begins_with_digit = word.starts_with(|c: char| c.is_ascii_digit());
            if begins_with_digit && span.is_none() {
                span = Some(parse_span(word)?);
            } else if zone.is_none() && (word.contains('/') || word == "UTC") {
                zone = Some(parse_zone(word, database, zones)?);
            } else if days.is_none() && span.is_none() && zone.is_none() {
                days = Some(parse_days(word)?);
            } else {
                return Err(format!(
                    "`{word}` is one too many: expected days, times and a zone, {EXAMPLE}"
                ));
            }
        }
        if days.is_none() && span.is_none() {
            return Err(format!("expected days or times, {EXAMPLE}"));
        }
        let (from, to) = span.unwrap_or((Time::midnight(), Time::midnight()));
        Ok(Self {
            days: days.unwrap_or([true; 7]),
            from,
            to,
            is_over_midnight: to <= from,
            zone: zone.unwrap_or(TimeZone::UTC),
        })
    }

    /// From the one that began yesterday to those some days ahead.
    fn spans(&self, now: UnixMicros) -> impl Iterator<Item = (UnixMicros, UnixMicros)> + '_ {
        let (min, max) = (Timestamp::MIN.as_microsecond(), Timestamp::MAX.as_microsecond());
        let at = Timestamp::from_microsecond(now.0.clamp(min, max)).unwrap_or_default();
        let today = self.zone.to_datetime(at).date();
        (-1..=DAYS_AHEAD).filter_map(move |ahead| {
            let date = today.checked_add(jiff::Span::new().days(ahead)).ok()?;
            let place = usize::try_from(date.weekday().to_monday_zero_offset()).ok()?;
            if !*self.days.get(place)? {
                return None;
            }
            let end = if self.is_over_midnight { date.tomorrow().ok()? } else { date };
            let from = self.instant(date, self.from, false)?;
            let to = self.instant(end, self.to, true)?;
            Some((from, to))
        })
    }

    fn instant(&self, date: Date, time: Time, is_end: bool) -> Option<UnixMicros> {
        let local = self.zone.to_ambiguous_timestamp(date.to_datetime(time));
        let at = match local.offset() {
            AmbiguousOffset::Unambiguous { .. } => local.compatible().ok()?,
            // The moment at which the clocks are changed.
            AmbiguousOffset::Gap { .. } => {
                let behind = local.compatible().ok()?;
                self.zone.preceding(behind).next().map_or(behind, |change| change.timestamp())
            }
            AmbiguousOffset::Fold { .. } if is_end => local.later().ok()?,
            AmbiguousOffset::Fold { .. } => local.earlier().ok()?,
        };
        Some(UnixMicros(at.as_microsecond()))
    }
}

/// `Mon-Fri`, `Sat,Sun`, `Mon,Wed-Fri`.
fn parse_days(word: &str) -> Result<[bool; 7], String> {
    let mut days = [false; 7];
    for item in word.split(',') {
        let (first, last) = item.split_once('-').unwrap_or((item, item));
        let (mut place, last) = (parse_day(first)?, parse_day(last)?);
        loop {
            if let Some(day) = days.get_mut(place) {
                *day = true;
            }
            if place == last {
                break;
            }
            place = (place + 1) % days.len();
        }
    }
    Ok(days)
}

fn parse_day(word: &str) -> Result<usize, String> {
    DAYS.iter().position(|(name, _)| name.eq_ignore_ascii_case(word)).ok_or_else(|| {
        let names = DAYS.map(|(name, _)| name);
        let short: String = word.chars().take(3).collect();
        match nearest(&short, names).filter(|_| !word.is_empty()) {
            Some(near) => format!("there is no day `{word}`: did you mean `{near}`?"),
            None => format!("expected one of {}, found `{word}`", names.join(", ")),
        }
    })
}

/// `07:00-19:00`; `24:00` is the end of the day.
fn parse_span(word: &str) -> Result<(Time, Time), String> {
    let wrong = || format!("expected times as in 07:00-19:00, found `{word}`");
    let (from, to) = word.split_once('-').ok_or_else(wrong)?;
    let from = parse_time(from).ok_or_else(wrong)?;
    let to = if to == "24:00" { Time::midnight() } else { parse_time(to).ok_or_else(wrong)? };
    if from == to && from != Time::midnight() {
        return Err(format!(
            "`{word}` ends when it begins: expected two times, or none for all day"
        ));
    }
    Ok((from, to))
}

fn parse_time(text: &str) -> Option<Time> {
    let (hour, minute) = text.split_once(':')?;
    let is_number = |digits: &str| (1..=2).contains(&digits.len());
    if !is_number(hour) || minute.len() != 2 {
        return None;
    }
    Time::new(hour.parse().ok()?, minute.parse().ok()?, 0, 0).ok()
}

fn parse_zone(
    word: &str,
    database: &TimeZoneDatabase,
    zones: &mut HashMap<String, TimeZone>,
) -> Result<TimeZone, String> {
    if let Some(zone) = zones.get(word) {
        return Ok(zone.clone());
    }
    match database.get(word) {
        Ok(zone) => {
            zones.insert(word.to_owned(), zone.clone());
            Ok(zone)
        }
        Err(_) => {
            let names: Vec<String> = database.available().map(|name| name.to_string()).collect();
            Err(match nearest(word, names.iter().map(String::as_str)) {
                Some(near) => format!("there is no zone `{word}`: did you mean `{near}`?"),
                None => format!("there is no zone `{word}`: expected one as in Europe/Berlin"),
            })
        }
    }
}

#[cfg(test)]
mod tests;
