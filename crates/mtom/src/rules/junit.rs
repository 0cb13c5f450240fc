//! The outcome of test cases as JUnit XML, for whoever collects those.
//!
//! Written by hand: a suite per rule, a case per test, the explanation as the text of a failure. XML 1.0
//! cannot hold most control characters, not even escaped; each becomes U+FFFD.

/// The cases of one rule.
#[derive(Debug)]
pub(crate) struct Suite<'a> {
    pub(crate) name: &'a str,
    pub(crate) cases: Vec<Verdict<'a>>,
}

/// One case.
#[derive(Debug)]
pub(crate) struct Verdict<'a> {
    pub(crate) name: &'a str,
    pub(crate) file: &'a str,
    pub(crate) line: usize,
    /// The first difference and the whole explanation; `None`: it passed.
    pub(crate) failure: Option<(String, String)>,
}

/// The whole file.
pub(crate) fn xml(suites: &[Suite<'_>]) -> String {
    let failures = |suite: &Suite<'_>| suite.cases.iter().filter(|it| it.failure.is_some()).count();
    let all: usize = suites.iter().map(|suite| suite.cases.len()).sum();
    let failed: usize = suites.iter().map(failures).sum();
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let mut put = |line: String| {
        out.push_str(&line);
        out.push('\n');
    };
    put(format!(
        "<testsuites name=\"mtom rules test\" tests=\"{all}\" failures=\"{failed}\" errors=\"0\">"
    ));
    for suite in suites {
        let (count, failed) = (suite.cases.len(), failures(suite));
        let name = escape(suite.name);
        put(format!(
            "  <testsuite name=\"{name}\" tests=\"{count}\" failures=\"{failed}\" errors=\"0\" \
             skipped=\"0\">"
        ));
        for case in &suite.cases {
            let head = format!(
                "    <testcase name=\"{}\" classname=\"{name}\" file=\"{}\" line=\"{}\"",
                escape(case.name),
                escape(case.file),
                case.line
            );
            match &case.failure {
                None => put(format!("{head}/>")),
                Some((message, text)) => {
                    let (message, text) = (escape(message), escape(text));
                    put(format!("{head}>"));
                    put(format!(
                        "      <failure message=\"{message}\" type=\"difference\">{text}</failure>"
                    ));
                    put("    </testcase>".into());
                }
            }
        }
        put("  </testsuite>".into());
    }
    put("</testsuites>".into());
    out
}

/// For both a text and an attribute in double quotes.
fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for sign in text.chars() {
        match sign {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\t' | '\n' => out.push(sign),
            '\u{0}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            other => out.push(other),
        }
    }
    out
}

#[cfg(test)]
mod tests;
