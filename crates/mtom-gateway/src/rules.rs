//! Which rules are in force at a start: the newest of those that were configured and those that were applied.
//!
//! Rules in the configuration that are not what they were at the last start are a new version; so an edit
//! of the file takes effect at the next start, and what was applied to the running gateway stays until then.

use crate::control::{RuleSource, sentences};
use crate::gateway::StartError;
use crate::view::{Hop, LogEvent, RuleView, View};
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, RuleSpec};
use mtom_store::journal::Journal;

/// The source of a version that the configuration brought.
pub(crate) const CONFIGURED: &str = "mtom.toml";
/// Versions that are looked through for the last one that was configured.
const VERSIONS_LEN: usize = 1_000;

/// What runs from the start on.
struct InForce {
    specs: Vec<RuleSpec>,
    engine: Engine,
    /// Why those that were applied last do not run; `None`: they do, or the configuration was edited after them.
    refused: Option<LogEvent>,
}

/// The rules in force, as everybody sees them from now on.
pub(crate) fn begin(
    journal: &mut Journal,
    configured: &RuleSource,
    view: &View,
    now: UnixMicros,
) -> Result<Engine, StartError> {
    let InForce { specs, engine, refused } = in_force(journal, configured, now)?;
    view.rules(specs.iter().map(RuleView::from).collect::<Vec<_>>());
    if let Some(refused) = refused {
        view.log(now, Hop::Rules, refused);
    }
    Ok(engine)
}

/// The rules in force, which are then the journal's newest version.
fn in_force(
    journal: &mut Journal,
    configured: &RuleSource,
    now: UnixMicros,
) -> Result<InForce, StartError> {
    let versions = journal.history().rule_sets(VERSIONS_LEN)?;
    let before = versions.iter().find(|version| version.source == CONFIGURED);
    let is_edited = before.is_none_or(|before| before.text != configured.text);
    let mut refused = None;
    let newest = versions.first().filter(|newest| !is_edited && newest.source != CONFIGURED);
    if let Some(newest) = newest {
        let reason = match (configured.read)(&newest.text) {
            Ok(specs) => match Engine::compile(&specs) {
                Ok(engine) => return Ok(InForce { specs, engine, refused: None }),
                Err(errors) => {
                    errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
                }
            },
            Err(mistakes) => sentences(&mistakes),
        };
        let version = newest.version;
        tracing::error!(
            version,
            mistakes = reason,
            "the rules that were applied last can no longer be used: those of the configuration are"
        );
        refused = Some(LogEvent::RulesRefused { version, reason });
    }
    let engine = Engine::compile(&configured.specs)
        .map_err(|errors| StartError::Rules(errors.iter().map(ToString::to_string).collect()))?;
    // Also where the applied ones could not be used: what runs is the newest version.
    if is_edited || newest.is_some() {
        journal.add_rule_set(CONFIGURED, &configured.text, now)?;
    }
    Ok(InForce { specs: configured.specs.clone(), engine, refused })
}

#[cfg(test)]
mod tests;
