use super::Figure;

fn line(said: &str) -> Option<String> {
    Figure::parse(said).map(|figure| figure.line())
}

#[test]
fn tries_without_a_failure_bound_its_rate() {
    assert_eq!(
        line("faults: power cuts: 10000, failures: 0").unwrap(),
        "power cuts                             10000         0  rate < 0.030 %"
    );
}

#[test]
fn a_failure_has_no_bound() {
    assert_eq!(
        line("test a ... faults: kills: 50, failures: 1").unwrap(),
        "kills                                     50         1"
    );
}

#[test]
fn other_lines_are_no_figures() {
    for said in ["", "faults: ", "running 3 tests", "faults: kills: many, failures: 0"] {
        assert_eq!(line(said), None, "{said}");
    }
}
