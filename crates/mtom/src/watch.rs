//! `mtom watch`
use crate::cli;
pub(crate) fn run(_arguments: &cli::Watch) -> anyhow::Result<()> {
    anyhow::bail!("stub")
}
