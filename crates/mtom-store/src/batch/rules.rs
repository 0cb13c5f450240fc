//! What rules leave in a batch: their text and their state, their commands and what became of those, their alerts.

use super::Batch;
use crate::error::StoreError;
use crate::record::{AlertOutcome, AlertRecord, AlertTarget, CommandOutcome, CommandRecord};
use mtom_protocol::time::UnixMicros;
use rusqlite::params;

impl Batch<'_> {
    /// Keeps a new version of the rules; its number, which is taken when the batch is committed.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn rule_set(
        &mut self,
        source: &str,
        text: &str,
        at: UnixMicros,
    ) -> Result<u64, StoreError> {
        self.step(|batch| {
            let connection = batch.connection();
            let sql = "INSERT INTO rule_set (version, applied_at_micros, source, text)
                       VALUES ((SELECT ifnull(max(version), 0) + 1 FROM rule_set), ?1, ?2, ?3)";
            connection.prepare_cached(sql)?.execute(params![at.0, source, text])?;
            Ok(connection.last_insert_rowid().cast_unsigned())
        })
    }

    /// Replaces the state of one rule, or of whatever has this key.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn rule_state(&mut self, key: &str, state: &[u8]) -> Result<(), StoreError> {
        self.step(|batch| {
            batch
                .connection()
                .prepare_cached("INSERT OR REPLACE INTO rule_state VALUES (?1, ?2)")?
                .execute(params![key, state])?;
            Ok(())
        })
    }

    /// Forgets the state under a key: its rule is gone.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn forget_rule_state(&mut self, key: &str) -> Result<(), StoreError> {
        self.step(|batch| {
            batch
                .connection()
                .prepare_cached("DELETE FROM rule_state WHERE key = ?1")?
                .execute([key])?;
            Ok(())
        })
    }

    /// Enters a command in the ledger.
    ///
    /// # Errors
    /// When the disk refuses it, or its number is in the ledger already; the batch is lost.
    pub fn command(&mut self, command: &CommandRecord) -> Result<(), StoreError> {
        self.step(|batch| {
            let sql =
                "INSERT INTO command (number, actuator, desired_on, rule, rule_version, reading,
                           cause, condition, decided_at_micros)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)";
            batch.connection().prepare_cached(sql)?.execute(params![
                command.number.cast_signed(),
                command.actuator,
                command.on,
                command.rule,
                command.rule_version,
                command.reading.map(u64::cast_signed),
                command.cause,
                command.condition,
                command.decided_at.0,
            ])?;
            Ok(())
        })
    }

    /// Notes what became of a command; of several outcomes of one kind the first stays.
    /// False when the ledger has no such command, which is no error: a device may report anything.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn command_outcome(
        &mut self,
        number: u64,
        outcome: CommandOutcome<'_>,
        at: UnixMicros,
    ) -> Result<bool, StoreError> {
        self.step(|batch| {
            let number = number.cast_signed();
            let connection = batch.connection();
            let changed = match outcome {
                CommandOutcome::Sent => connection
                    .prepare_cached(
                        "UPDATE command SET sent_at_micros = ifnull(sent_at_micros, ?2)
                         WHERE number = ?1",
                    )?
                    .execute(params![number, at.0])?,
                CommandOutcome::Applied => connection
                    .prepare_cached(
                        "UPDATE command SET applied_at_micros = ifnull(applied_at_micros, ?2)
                         WHERE number = ?1",
                    )?
                    .execute(params![number, at.0])?,
                CommandOutcome::Refused { reason } => connection
                    .prepare_cached(
                        "UPDATE command SET refused_at_micros = ifnull(refused_at_micros, ?2),
                             refused_reason = ifnull(refused_reason, ?3)
                         WHERE number = ?1",
                    )?
                    .execute(params![number, at.0, reason])?,
            };
            Ok(changed > 0)
        })
    }

    /// Keeps an alert until it is delivered or given up. Returns its number.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn alert(&mut self, alert: &AlertRecord) -> Result<u64, StoreError> {
        self.step(|batch| {
            let (kind, target, qos, retain) = match &alert.target {
                AlertTarget::Topic { topic, qos, retain } => (0, topic, *qos, *retain),
                AlertTarget::Url(url) => (1, url, 0, false),
            };
            let connection = batch.connection();
            connection
                .prepare_cached(
                    "INSERT INTO alert (rule, rule_version, kind, target, qos, retain, body, begins,
                         reading, cause, raised_at_micros, tries, next_try_at_micros)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, 0, ?11)",
                )?
                .execute(params![
                    alert.rule,
                    alert.rule_version,
                    kind,
                    target,
                    qos,
                    retain,
                    alert.body,
                    alert.begins,
                    alert.reading.map(u64::cast_signed),
                    alert.cause,
                    alert.raised_at.0
                ])?;
            Ok(connection.last_insert_rowid().cast_unsigned())
        })
    }

    /// Notes what became of an alert.
    ///
    /// # Errors
    /// When the disk refuses it; the batch is lost.
    pub fn alert_outcome(
        &mut self,
        id: u64,
        outcome: &AlertOutcome,
        at: UnixMicros,
    ) -> Result<(), StoreError> {
        self.step(|batch| {
            let (delivered_at, given_up_at, next_try_at, error) = match outcome {
                AlertOutcome::Delivered => (Some(at.0), None, None, None),
                AlertOutcome::Failed { error, next_try_at } => {
                    (None, None, Some(next_try_at.0), Some(error))
                }
                AlertOutcome::GivenUp { error } => (None, Some(at.0), None, Some(error)),
            };
            batch
                .connection()
                .prepare_cached(
                    "UPDATE alert SET tries = tries + 1, delivered_at_micros = ?2,
                         given_up_at_micros = ?3,
                         next_try_at_micros = ifnull(?4, next_try_at_micros),
                         last_error = ifnull(?5, last_error)
                     WHERE id = ?1",
                )?
                .execute(params![
                    id.cast_signed(),
                    delivered_at,
                    given_up_at,
                    next_try_at,
                    error
                ])?;
            Ok(())
        })
    }
}
