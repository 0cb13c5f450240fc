//! From decisions to commands: each has its entry in the ledger before the actuator is told.

use super::Effects;
use crate::board::Outcome;
use crate::view::Wanted;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Decision, MANUAL};
use mtom_store::batch::Batch;
use mtom_store::error::StoreError;
use mtom_store::record::{CommandOutcome, CommandRecord};
use std::sync::Arc;

/// Of several decisions about one actuator only the last will ever be sent.
pub(super) fn newest(mut decisions: Vec<Decision>) -> Vec<Decision> {
    let mut seen = std::collections::HashSet::new();
    decisions.reverse();
    decisions.retain(|decision| seen.insert(Arc::clone(&decision.actuator)));
    decisions.reverse();
    decisions
}

/// The entry of what is wanted of an actuator, without what only a rule's decision has.
pub(super) fn entry(actuator: &str, wanted: &Wanted) -> CommandRecord {
    CommandRecord {
        number: wanted.number,
        actuator: actuator.to_owned(),
        on: wanted.led == Led::On,
        rule: wanted.rule.to_string(),
        rule_version: None,
        reading: None,
        cause: wanted.cause.clone(),
        condition: None,
        decided_at: wanted.at,
    }
}

/// What a decision makes wanted, and its entry.
pub(super) fn command(
    decision: &Decision,
    number: u64,
    now: UnixMicros,
) -> (Wanted, CommandRecord) {
    let Decision { actuator, led, rule, version, cause } = decision;
    let (rule, told) = (Arc::clone(rule), cause.to_string());
    let wanted = Wanted { led: *led, number, at: now, rule, cause: told };
    let condition = cause.witness().map(|witness| &witness.condition);
    let record = CommandRecord {
        // What the rule said; a person is no rule.
        rule_version: (&*wanted.rule != MANUAL).then(|| version.to_string()),
        reading: cause.reading_id(),
        // With the values of the reading.
        condition: condition.filter(|text| !text.is_empty()).map(ToString::to_string),
        ..entry(actuator, &wanted)
    };
    (wanted, record)
}

/// Writes a decision into the ledger.
pub(super) fn record(
    transaction: &mut Batch<'_>,
    decision: Decision,
    number: u64,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    record_by(transaction, decision, number, None, now, effects)
}

/// The same; the cause says `by` what a person spoke.
pub(super) fn record_by(
    transaction: &mut Batch<'_>,
    decision: Decision,
    number: u64,
    by: Option<&str>,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let (mut wanted, mut record) = command(&decision, number, now);
    if let Some(by) = by {
        wanted.cause = format!("{}, in {by}", wanted.cause);
        record.cause.clone_from(&wanted.cause);
    }
    transaction.command(&record)?;
    effects.wanted.push((decision.actuator, wanted));
    Ok(())
}

/// Writes that the actuator of a rule that is gone is switched off.
pub(super) fn abandon(
    transaction: &mut Batch<'_>,
    orphan: Decision,
    number: u64,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let Decision { actuator, rule, version, .. } = orphan;
    let cause = "its rule is gone".to_owned();
    let wanted = Wanted { led: Led::Off, number, at: now, rule, cause };
    let rule_version = Some(version.to_string());
    transaction.command(&CommandRecord { rule_version, ..entry(&actuator, &wanted) })?;
    effects.wanted.push((actuator, wanted));
    Ok(())
}

/// Writes a decision that stands into the ledger under a number that the device will take.
pub(super) fn again(
    transaction: &mut Batch<'_>,
    actuator: &str,
    wanted: Wanted,
    number: u64,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let cause = format!("the device knew a higher number; {}", wanted.cause);
    let wanted = Wanted { number, at: now, ..wanted };
    transaction.command(&CommandRecord { cause, ..entry(actuator, &wanted) })?;
    effects.wanted.push((Arc::from(actuator), wanted));
    Ok(())
}

/// Writes what became of a command; that a device is [ahead](Outcome::Ahead) says nothing of ours.
pub(super) fn close(transaction: &mut Batch<'_>, outcome: &Outcome) -> Result<(), StoreError> {
    let (number, outcome, at) = match outcome {
        Outcome::Sent { number, at } => (number, CommandOutcome::Sent, at),
        Outcome::Applied { number, at } => (number, CommandOutcome::Applied, at),
        Outcome::Refused { number, at, reason } => (number, CommandOutcome::Refused { reason }, at),
        Outcome::Ahead { .. } => return Ok(()),
    };
    transaction.command_outcome(*number, outcome, *at).map(drop)
}
