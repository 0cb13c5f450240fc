//! From decisions to commands: each has its entry in the ledger before the actuator is told.

use super::Effects;
use crate::board::Outcome;
use crate::view::Wanted;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Cause, Decision, MANUAL};
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

/// Writes a decision into the ledger.
pub(super) fn record(
    transaction: &mut Batch<'_>,
    decision: Decision,
    number: u64,
    now: UnixMicros,
    effects: &mut Effects,
) -> Result<(), StoreError> {
    let cause = decision.cause.to_string();
    let reading = decision.cause.reading_id();
    transaction.command(&CommandRecord {
        number,
        actuator: decision.actuator.to_string(),
        on: decision.led == Led::On,
        rule: decision.rule.to_string(),
        rule_version: version(&decision),
        reading,
        cause: cause.clone(),
        condition: condition(&decision.cause),
        decided_at: now,
    })?;
    let wanted = Wanted { led: decision.led, number, at: now, rule: decision.rule, cause };
    effects.wanted.push((decision.actuator, wanted));
    Ok(())
}

/// What the rule said; a person is no rule.
pub(super) fn version(decision: &Decision) -> Option<String> {
    (&*decision.rule != MANUAL).then(|| decision.version.to_string())
}

/// The condition with the values of the reading.
pub(super) fn condition(cause: &Cause) -> Option<String> {
    let condition = &cause.witness()?.condition;
    (!condition.is_empty()).then(|| condition.to_string())
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
    transaction.command(&CommandRecord {
        number,
        actuator: actuator.to_owned(),
        on: wanted.led == Led::On,
        rule: wanted.rule.to_string(),
        rule_version: None,
        reading: None,
        cause,
        condition: None,
        decided_at: now,
    })?;
    effects.wanted.push((Arc::from(actuator), Wanted { number, at: now, ..wanted }));
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
