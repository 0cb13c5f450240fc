//! The readings of the history that rules look at, in the order of their arrival, as fast as they come.

use anyhow::Result;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use mtom_rules::RuleSpec;
use mtom_store::history::History;
use mtom_store::history::play::{Played, SeriesName};

/// Gives the readings that arrived within a stretch and concern the rules to `take`; says how many
/// readings arrived in all.
///
/// # Errors
/// When the history cannot be read, or `take` fails: then nothing more is read.
pub(crate) fn each(
    history: &History,
    specs: &[RuleSpec],
    (from, until): (UnixMicros, UnixMicros),
    take: impl FnMut(Played<'_>) -> Result<()>,
) -> Result<u64> {
    let wanted = |_: &SeriesName, topic: &str| specs.iter().any(|spec| concerns(spec, topic));
    history.play(from..until, &wanted, take)
}

/// Whether a rule may look at readings of a topic: by `when`, or as another series.
fn concerns(spec: &RuleSpec, name: &str) -> bool {
    let mut conditions = [Some(&spec.on), spec.off.as_ref()].into_iter().flatten();
    topic::matches(&spec.when, name) || conditions.any(|text| text.contains("other"))
}
