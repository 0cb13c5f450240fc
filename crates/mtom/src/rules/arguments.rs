//! What the user types about rules.

use crate::past::arguments::Place;
use crate::past::when::When;
use clap::{Args, Subcommand, ValueEnum};
use std::path::PathBuf;

#[derive(Debug, Subcommand)]
pub(crate) enum Rules {
    /// The rules of the gateway that runs: what each wants, since when, and every time that it waits for
    #[command(
        after_help = "Examples:\n  mtom rules list\n  mtom rules list --limit 1000 --json\n\nWAITS FOR names the key whose time runs out: for, dwell, max_age, schedule, or override for a person's word."
    )]
    List(List),
    /// Runs the cases beside the rules of a file on a virtual clock; exit code 0 all pass, 1 one fails, 2 the file is wrong
    #[command(
        after_help = "Example: mtom rules test heat.toml --junit heat.xml\n\nA case stands below its [[rule]]:\n  [[rule.test]]\n  name   = \"on once while the heat lasts\"\n  given  = \"12:00:00 24.0 | 12:00:02 26.0 °C | silence 60s\"\n  expect = \"12:00:12 TEMP_LED off (silent)\""
    )]
    Test(Test),
    /// Says everything that is wrong with rules, and what looks wrong beside the stored readings
    #[command(
        after_help = "Examples:\n  mtom rules check\n  mtom rules check new.toml --strict\n\nExit code 1 on errors, with --strict on warnings too."
    )]
    Check(Check),
    /// Plays the history through new rules and shows how their commands differ from those that were really decided
    #[command(
        after_help = "Examples:\n  mtom rules replay new.toml --since 30d\n  mtom rules replay new.toml --since 7d --until 1d --format json > differences.jsonl\n\nNothing is switched and nothing is stored."
    )]
    Replay(Replay),
    /// Lets the rules of a file take the place of those that run, in one step and without a restart
    #[command(
        after_help = "Example: mtom rules apply new.toml\n\nThe rules become a new version; mtom rules rollback N goes back to an older one.\nRules of mtom.toml count again when they are edited."
    )]
    Apply(Apply),
    /// Lists the versions of the rules, the one that runs first
    #[command(
        after_help = "Examples:\n  mtom rules versions\n  mtom rules versions --show 3 > old.toml"
    )]
    Versions(Versions),
    /// Goes back to an older version of the rules, which becomes the newest
    #[command(after_help = "Example: mtom rules rollback 3")]
    Rollback(Rollback),
}

#[derive(Debug, Args)]
pub(crate) struct List {
    #[command(flatten)]
    pub(crate) place: Place,
    /// How many rules at most
    #[arg(long, value_name = "COUNT", default_value_t = 100, value_parser = clap::value_parser!(u64).range(1..=1_000))]
    pub(crate) limit: u64,
    /// As the API says it
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Apply {
    /// A TOML file with rules alone, or a whole configuration
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Versions {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Prints the rules of this version
    #[arg(long, value_name = "VERSION")]
    pub(crate) show: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct Rollback {
    /// As `mtom rules versions` lists it
    pub(crate) version: u64,
    #[command(flatten)]
    pub(crate) place: Place,
}

#[derive(Debug, Args)]
pub(crate) struct Test {
    /// A TOML file with rules and their tests: rules alone, or a whole configuration
    pub(crate) file: PathBuf,
    /// Writes the outcome as JUnit XML too
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(crate) struct Replay {
    /// A TOML file with the new rules: rules alone, or a whole configuration
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) place: Place,
    /// From then on: 2h, 30d, 2026-11-24 or "2026-11-24 08:00"
    #[arg(long, value_name = "TIME", default_value = "30d")]
    pub(crate) since: When,
    /// Until then; without it until now
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<When>,
    /// A table with pictures, or JSON lines: the differences, then the totals
    #[arg(long, value_enum, default_value_t = Shape::Table)]
    pub(crate) format: Shape,
    /// How many differences the table lists
    #[arg(long, value_name = "COUNT", default_value_t = 40)]
    pub(crate) limit: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Shape {
    Table,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Why {
    /// The actuator's name
    pub(crate) actuator: String,
    #[command(flatten)]
    pub(crate) place: Place,
    /// What it was to be then: 2h ago, or "2026-11-24 08:00"; without it now
    #[arg(long, value_name = "TIME")]
    pub(crate) at: Option<When>,
}

#[derive(Debug, Args)]
pub(crate) struct Ledger {
    #[command(flatten)]
    pub(crate) place: Place,
    /// Only decided from then on: 2h, 7d, 2026-11-24 or "2026-11-24 08:00"
    #[arg(long, value_name = "TIME")]
    pub(crate) since: Option<When>,
    /// Only decided before then
    #[arg(long, value_name = "TIME")]
    pub(crate) until: Option<When>,
    /// Only commands to this actuator
    #[arg(long, value_name = "NAME")]
    pub(crate) actuator: Option<String>,
    /// The newest so many; without it and without --since 20, with --since all
    #[arg(long, value_name = "COUNT")]
    pub(crate) limit: Option<usize>,
    /// A table, CSV, or a JSON object a line
    #[arg(long, value_enum, default_value_t = LedgerShape::Table)]
    pub(crate) format: LedgerShape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum LedgerShape {
    Table,
    Csv,
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct Check {
    /// A TOML file with rules; without it the rules of the configuration
    pub(crate) file: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) place: Place,
    /// Fail on warnings too
    #[arg(long)]
    pub(crate) strict: bool,
}
