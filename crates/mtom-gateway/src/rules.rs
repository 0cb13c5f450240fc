//! Which rules are in force at a start: the newest of those that were configured and those that were applied.
//!
//! Rules in the configuration that are not what they were at the last start are a new version; so an edit
//! of the file takes effect at the next start, and what was applied to the running gateway stays until then.

use crate::control::{RuleSource, sentences};
use crate::gateway::StartError;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, RuleSpec};
use mtom_store::journal::Journal;

/// The source of a version that the configuration brought.
pub(crate) const CONFIGURED: &str = "mtom.toml";
/// Versions that are looked through for the last one that was configured.
const VERSIONS_LEN: usize = 1_000;

/// The rules in force, which are then the journal's newest version.
pub(crate) fn in_force(
    journal: &mut Journal,
    configured: &RuleSource,
    now: UnixMicros,
) -> Result<(Vec<RuleSpec>, Engine), StartError> {
    let versions = journal.history().rule_sets(VERSIONS_LEN)?;
    let before = versions.iter().find(|version| version.source == CONFIGURED);
    let is_edited = before.is_none_or(|before| before.text != configured.text);
    let newest = versions.first().filter(|newest| !is_edited && newest.source != CONFIGURED);
    if let Some(newest) = newest {
        let wrong = |mistakes: String| {
            tracing::error!(
                version = newest.version,
                mistakes,
                "the rules that were applied last can no longer be used: those of the configuration are"
            );
        };
        match (configured.read)(&newest.text) {
            Ok(specs) => match Engine::compile(&specs) {
                Ok(engine) => return Ok((specs, engine)),
                Err(errors) => {
                    wrong(errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "));
                }
            },
            Err(mistakes) => wrong(sentences(&mistakes)),
        }
    }
    let engine = Engine::compile(&configured.specs)
        .map_err(|errors| StartError::Rules(errors.iter().map(ToString::to_string).collect()))?;
    // Also where the applied ones could not be used: what runs is the newest version.
    if is_edited || newest.is_some() {
        journal.add_rule_set(CONFIGURED, &configured.text, now)?;
    }
    Ok((configured.specs.clone(), engine))
}

#[cfg(test)]
mod tests;
