use super::*;
use expect_test::expect;

#[test]
fn names_and_causes_are_escaped_and_what_xml_cannot_hold_is_replaced() {
    let failure = Some(("<on> & \"off\"".into(), "a\u{0}\u{1b}]]>\nb".into()));
    let cases = vec![
        Verdict { name: "passes", file: "a&b.toml", line: 3, failure: None },
        Verdict { name: "fails", file: "a&b.toml", line: 9, failure },
    ];
    expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <testsuites name="mtom rules test" tests="2" failures="1" errors="0">
          <testsuite name="heat &lt;1&gt;" tests="2" failures="1" errors="0" skipped="0">
            <testcase name="passes" classname="heat &lt;1&gt;" file="a&amp;b.toml" line="3"/>
            <testcase name="fails" classname="heat &lt;1&gt;" file="a&amp;b.toml" line="9">
              <failure message="&lt;on&gt; &amp; &quot;off&quot;" type="difference">a��]]&gt;
        b</failure>
            </testcase>
          </testsuite>
        </testsuites>
    "#]]
    .assert_eq(&xml(&[Suite { name: "heat <1>", cases }]));
}
