//! What the user types about rules.

use clap::{Args, Subcommand};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// Runs the cases beside the rules of a file on a virtual clock; exit code 0 all pass, 1 one fails, 2 the file is wrong
    #[command(
        after_help = "Example: mtom rules test heat.toml --junit heat.xml\n\nA case stands below its [[rule]]:\n  [[rule.test]]\n  name   = \"on once while the heat lasts\"\n  given  = \"12:00:00 24.0 | 12:00:02 26.0 °C | silence 60s\"\n  expect = \"12:00:12 TEMP_LED off (silent)\""
    )]
    Test(Test),
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// A TOML file with [[rule]] and [[rule.test]]: rules alone, or a whole configuration
    pub(crate) file: PathBuf,
    /// Writes the outcome as JUnit XML too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}
