//! What counts as a failure, and how the end of a run reads.

use std::time::Duration;

use anyhow::anyhow;

use super::{Lack, Outcome, Report, Trouble};

fn lack(lack: Lack) -> Result<(), Trouble> {
    Err(Trouble::Skipped(lack))
}

#[test]
fn ci_may_skip_only_for_the_outside_world() {
    let here = || lack(Lack::Here("no chromium".into()));
    let outside = || lack(Lack::Outside("no advisories".into()));
    assert_eq!(Outcome::of(here(), false), Outcome::Skipped("no chromium".into()));
    assert_eq!(Outcome::of(here(), true), Outcome::Failed("CI may not skip: no chromium".into()));
    assert_eq!(Outcome::of(outside(), true), Outcome::Skipped("no advisories".into()));
}

#[test]
fn several_lacks_are_one() {
    let [here, outside] = [Lack::Here("no node".into()), Lack::Outside("no host".into())];
    assert!(Lack::all([].iter()).is_none());
    let both = Lack::all([&outside, &here].into_iter());
    assert!(matches!(both, Some(Lack::Here(why)) if why == "no host; no node"));
    assert!(matches!(Lack::all([&outside, &outside].into_iter()), Some(Lack::Outside(_))));
}

#[test]
fn a_report_ends_with_the_counts_alone_on_a_line() {
    let mut report = Report::default();
    report.add("fmt", Outcome::Passed, Duration::from_millis(1_250));
    report.add("test", Outcome::of(Err(anyhow!("two tests").into()), false), Duration::ZERO);
    report.add("browser", Outcome::Skipped("no chromium".into()), Duration::ZERO);
    assert!(report.has_failed());
    let expected = "  fmt              1.2 s  pass
  test             0.0 s  FAIL     two tests
  browser          0.0 s  SKIPPED  no chromium

1 passed, 1 failed, 1 skipped";
    assert_eq!(report.to_string(), expected);
}
