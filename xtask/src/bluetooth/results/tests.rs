//! Tries and retries, as they are written down and reported.

use super::{Report, Results};

const FIRST: &str = r#"{"plan":["ble::one","ble::two","spp::three"]}
{"test":"ble::one","seconds":1.25}
{"test":"ble::two","seconds":2,"failure":"left < right & \"so\"\nat line 7"}
{"test":"spp::th"#;

fn report(second: Option<&str>) -> Report {
    Report { first: Results::parse(FIRST), second: second.map(Results::parse) }
}

#[test]
fn what_failed_and_what_never_ended_is_open() {
    assert_eq!(Results::parse(FIRST).open(), ["ble::two", "spp::three"]);
    assert_eq!(Results::parse(""), Results::default());
}

#[test]
fn without_a_second_try_both_have_failed() {
    let report = report(None);
    assert_eq!(report.failed(), ["ble::two", "spp::three"]);
    assert_eq!((report.passed_len(), report.flaky().len()), (1, 0));
    let junit = report.junit();
    assert!(junit.contains(r#"tests="3" failures="2""#), "{junit}");
    assert!(junit.contains(r#"<testcase classname="ble" name="one" time="1.250"/>"#), "{junit}");
    assert!(junit.contains("message=\"left &lt; right &amp; &quot;so&quot;\">"), "{junit}");
    assert!(junit.contains("it never ended"), "{junit}");
}

#[test]
fn a_second_try_that_passes_counts_and_is_told() {
    let second = r#"{"plan":["ble::two","spp::three"]}
{"test":"ble::two","seconds":2.5}
{"test":"spp::three","seconds":1,"failure":"no"}"#;
    let report = report(Some(second));
    assert_eq!(report.failed(), ["spp::three"]);
    assert_eq!(report.flaky(), ["ble::two"]);
    let junit = report.junit();
    assert!(junit.contains("time=\"2.500\">\n    <flakyFailure message=\"left"), "{junit}");
    assert!(junit.contains("<failure message=\"no\">no</failure>"), "{junit}");
}

#[test]
fn a_first_try_that_never_began_leaves_it_to_the_second() {
    let first = Results::default();
    let second = Some(Results::parse("{\"plan\":[\"a\"]}\n{\"test\":\"a\",\"seconds\":1}"));
    let report = Report { first, second };
    assert_eq!((report.failed().len(), report.passed_len(), report.flaky().len()), (0, 1, 1));
}
