//! The readings of the history that rules look at, in the order of their arrival, as fast as they come.

use crate::past::progress::Progress;
use anyhow::Result;
use mtom_protocol::reading::StoredReading;
use mtom_protocol::time::UnixMicros;
use mtom_protocol::topic;
use mtom_rules::RuleSpec;
use mtom_store::history::History;
use mtom_store::history::play::SeriesName;

/// Gives the readings that arrived within a stretch and concern the rules to `take`; says how many
/// readings arrived in all.
///
/// # Errors
/// When the history cannot be read, or `take` fails.
pub(crate) fn each(
    history: &History,
    specs: &[RuleSpec],
    (from, until): (UnixMicros, UnixMicros),
    word: &'static str,
    take: impl FnMut(&StoredReading) -> Result<()>,
) -> Result<u64> {
    let mut progress = Progress::new(word);
    let wanted = |_: &SeriesName, topic: &str| specs.iter().any(|spec| concerns(spec, topic));
    history.play(from..until, &wanted, take, |done, of| progress.show(done, of))
}

/// Whether a rule may look at readings of a topic: by `when`, or as another series.
fn concerns(spec: &RuleSpec, name: &str) -> bool {
    let mut conditions = [Some(&spec.on), spec.off.as_ref()].into_iter().flatten();
    topic::matches(&spec.when, name) || conditions.any(|text| text.contains("other"))
}
