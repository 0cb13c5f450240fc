//! `mtom rules check`: everything that is wrong with rules, and what looks wrong beside the history.

use super::arguments::Check as Arguments;
use super::chatter::{Kind, PER_HOUR_MAX, Trial, variants};
use super::feed;
use super::findings::{Finding, Severity, findings};
use super::source::{Source, WrongFile};
use crate::past::progress::Progress;
use crate::past::with_journal;
use crate::{Failure, clock, config, report};
use anyhow::Result;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_store::history::History;
use mtom_store::history::play::Played;
use std::path::PathBuf;
use std::time::Duration;

const DAY: Duration = Duration::from_hours(24);
/// More readings of the day are not looked at.
const READINGS_MAX: u64 = 2_000_000;

pub(crate) fn run(arguments: &Arguments) -> Result<(), Failure> {
    let Some(path) = path(arguments) else {
        report::line("no rule is written: the rule of the original drives every actuator");
        return Ok(());
    };
    let name = path.display().to_string();
    let source = match Source::open(&path) {
        Ok(source) => source,
        Err(WrongFile(mistakes)) => {
            for mistake in &mistakes {
                report::line(mistake);
            }
            return Err(Failure::Failed(anyhow::anyhow!("{}", total(mistakes.len(), 0))));
        }
    };
    with_journal(&arguments.place, |config, journal| {
        let mut actuators: Vec<String> =
            config.actuators.iter().map(|actuator| actuator.name.clone()).collect();
        actuators.extend(config::simulated_names(&config.actuators, &config.simulate));
        let history = if journal.exists() { Some(History::open(&journal)?) } else { None };
        let latest = history.as_ref().map(History::latest).transpose()?;
        let actuators = (!source.is_configuration()).then_some(actuators.as_slice());
        let mut found = findings(&source.specs, latest.as_deref(), actuators);
        match (&history, &latest) {
            (Some(history), Some(latest)) => found.extend(chatter(history, latest, &source)?),
            _ => report::note(&format!(
                "{} is not there: nothing is compared with stored readings; name the folder with --data",
                journal.display()
            )),
        }
        conclude(arguments, &source, &name, &mut found)
    })
}

/// The file that was named, or that of the configuration.
fn path(arguments: &Arguments) -> Option<PathBuf> {
    let default = || Some(PathBuf::from("mtom.toml")).filter(|path| path.exists());
    let named = arguments.file.clone().or_else(|| arguments.place.source.config.clone());
    named.or_else(default)
}

fn conclude(
    arguments: &Arguments,
    source: &Source,
    name: &str,
    found: &mut [Finding],
) -> Result<(), Failure> {
    found.sort_by_key(|finding| finding.rule);
    for finding in found.iter() {
        let word = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
        };
        let rule = source.specs.get(finding.rule).map_or("", |spec| &spec.name);
        let place = source.place(finding.rule, finding.key);
        let (key, text) = (finding.key, &finding.text);
        report::line(&format!("{name}:{place} {word}: rule {rule:?}, {key}: {text}"));
    }
    let errors = found.iter().filter(|finding| finding.severity == Severity::Error).count();
    let warnings = found.len() - errors;
    if errors > 0 || (warnings > 0 && arguments.strict) {
        return Err(Failure::Failed(anyhow::anyhow!("{}", total(errors, warnings))));
    }
    let rules = match source.specs.len() {
        1 => "1 rule".to_owned(),
        count => format!("{count} rules"),
    };
    report::line(&format!("{rules}, {}", total(errors, warnings)));
    Ok(())
}

fn total(errors: usize, warnings: usize) -> String {
    let plural = |count: usize, word: &str| match count {
        0 => format!("no {word}s"),
        1 => format!("1 {word}"),
        count => format!("{count} {word}s"),
    };
    format!("{}, {}", plural(errors, "error"), plural(warnings, "warning"))
}

/// Runs each rule over the last day that has readings, as it is and with keys that might help.
fn chatter(history: &History, latest: &[StoredReading], source: &Source) -> Result<Vec<Finding>> {
    let Some(newest) = latest.iter().map(|row| row.arrived_at).max() else {
        return Ok(Vec::new());
    };
    let newest = newest.min((clock::system())());
    let from = UnixMicros(newest.0.saturating_sub(i64::try_from(DAY.as_micros()).unwrap_or(0)));
    let until = newest.saturating_add(Duration::from_micros(1));
    let variants = variants(&source.specs);
    let mut trial = Trial::new(&variants, from);
    let (mut count, mut end) = (0, from);
    let mut progress = Progress::new("looking at the last day");
    feed::each(history, &source.specs, (from, until), |played| {
        match played {
            Played::Progress(done, of) => progress.show(done, of),
            Played::Reading(stored) => {
                count += 1;
                if count <= READINGS_MAX {
                    trial.reading(stored);
                    end = stored.arrived_at;
                }
            }
        }
        Ok(())
    })?;
    drop(progress);
    if end == from {
        return Ok(Vec::new());
    }
    let outcome = trial.finish(end);
    let mut found = Vec::new();
    for (rule, spec) in source.specs.iter().enumerate() {
        let of_rule: Vec<_> = outcome.iter().filter(|(variant, _)| variant.rule == rule).collect();
        let of_kind = |kind: &Kind| {
            of_rule.iter().find(|(variant, _)| variant.kind == *kind).map(|(_, per_hour)| *per_hour)
        };
        let (Some(own), Some(bare)) = (of_kind(&Kind::Own), of_kind(&Kind::Bare)) else { continue };
        if own <= PER_HOUR_MAX {
            report::line(&format!(
                "rule {:?}: {own:.1} switches an hour over the last day, {bare:.1} without for and dwell",
                spec.name
            ));
            continue;
        }
        // The mildest of each key that at least halves it.
        let help = |key: &str| {
            of_rule.iter().find_map(|(variant, per_hour)| match &variant.kind {
                Kind::Key(text) if text.starts_with(key) && *per_hour <= own / 2.0 => {
                    Some(format!("{text} makes it {per_hour:.1}"))
                }
                _ => None,
            })
        };
        let helps: Vec<_> = ["off", "for"].into_iter().filter_map(help).collect();
        let advice = if helps.is_empty() {
            "a longer for, or an off further from on, would make it calmer".to_owned()
        } else {
            helps.join("; ")
        };
        let text = format!(
            "chatter: over the last day it would have switched {own:.1} times an hour ({bare:.1} without for and dwell): {advice}"
        );
        found.push(Finding { severity: Severity::Warning, rule, key: "on", text });
    }
    Ok(found)
}
