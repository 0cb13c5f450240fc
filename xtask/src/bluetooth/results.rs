//! What the suite has written down in the guest, test by test, and the same as a JUnit file.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde_json::Value;

/// What one boot has brought.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct Results {
    /// The tests that were to run; empty when the suite never began.
    pub(crate) plan: Vec<String>,
    tests: BTreeMap<String, Test>,
}

/// One test's end.
#[derive(Clone, Debug, PartialEq)]
struct Test {
    seconds: f64,
    /// Why it failed.
    failure: Option<String>,
}

impl Results {
    /// Reads the lines; the last one may be half.
    pub(crate) fn parse(text: &str) -> Self {
        let mut results = Self::default();
        for line in text.lines() {
            let Ok(value) = serde_json::from_str::<Value>(line) else { continue };
            if let Some(plan) = value["plan"].as_array() {
                results.plan = plan.iter().filter_map(|name| Some(name.as_str()?.into())).collect();
            } else if let Some(name) = value["test"].as_str() {
                let seconds = value["seconds"].as_f64().unwrap_or_default();
                let failure = value["failure"].as_str().map(str::to_owned);
                results.tests.insert(name.into(), Test { seconds, failure });
            }
        }
        results
    }

    /// Those that failed or have no end.
    pub(crate) fn open(&self) -> Vec<String> {
        let has_passed = |name: &&String| {
            self.tests.get(name.as_str()).is_some_and(|test| test.failure.is_none())
        };
        self.plan.iter().filter(|name| !has_passed(name)).cloned().collect()
    }

    /// Why it did not pass.
    fn failure(&self, name: &str) -> Option<&str> {
        match self.tests.get(name) {
            Some(test) => test.failure.as_deref(),
            None => Some("it never ended: the guest was gone before"),
        }
    }
}

/// Both tries, or the only one, as one report.
pub(crate) struct Report {
    pub(crate) first: Results,
    pub(crate) second: Option<Results>,
}

impl Report {
    /// The second try has said what they are, when the first never began.
    fn plan(&self) -> &[String] {
        let second = self.second.as_ref().map_or(&[][..], |second| &second.plan);
        if self.first.plan.is_empty() { second } else { &self.first.plan }
    }

    fn last_failure(&self, name: &str) -> Option<&str> {
        let first = self.first.failure(name)?;
        self.second.as_ref().map_or(Some(first), |second| second.failure(name))
    }

    pub(crate) fn failed(&self) -> Vec<&str> {
        let names = self.plan().iter().map(String::as_str);
        names.filter(|name| self.last_failure(name).is_some()).collect()
    }

    /// Those that passed at the second try only.
    pub(crate) fn flaky(&self) -> Vec<&str> {
        let names = self.plan().iter().map(String::as_str);
        let failed_once = |name: &&str| self.first.failure(name).is_some();
        names.filter(failed_once).filter(|name| self.last_failure(name).is_none()).collect()
    }

    pub(crate) fn passed_len(&self) -> usize {
        self.plan().len() - self.failed().len()
    }

    /// As CI servers read it; a first try that failed is a `flakyFailure`.
    pub(crate) fn junit(&self) -> String {
        let (tests, failures) = (self.plan().len(), self.failed().len());
        let mut xml = format!(
            "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
             <testsuite name=\"bluetooth\" tests=\"{tests}\" failures=\"{failures}\">\n"
        );
        for name in self.plan() {
            let of = |results: &Results| results.tests.get(name).map(|test| test.seconds);
            let seconds = self.second.as_ref().and_then(of).or_else(|| of(&self.first));
            let seconds = seconds.unwrap_or_default();
            let (class, short) = name.split_once("::").unwrap_or(("bluetooth", name));
            let (class, short) = (escaped(class), escaped(short));
            let _ = write!(
                xml,
                "  <testcase classname=\"{class}\" name=\"{short}\" time=\"{seconds:.3}\""
            );
            let element = |tag: &str, why: &str| {
                let line = escaped(why.lines().next().unwrap_or_default());
                format!(
                    ">\n    <{tag} message=\"{line}\">{}</{tag}>\n  </testcase>\n",
                    escaped(why)
                )
            };
            xml += &match (self.last_failure(name), self.first.failure(name)) {
                (Some(why), _) => element("failure", why),
                (None, Some(why)) => element("flakyFailure", why),
                (None, None) => "/>\n".into(),
            };
        }
        xml + "</testsuite>\n"
    }
}

/// XML 1.0 knows no other control characters than these three.
fn escaped(text: &str) -> String {
    let mut escaped = String::new();
    for character in text.chars() {
        match character {
            '&' => escaped += "&amp;",
            '<' => escaped += "&lt;",
            '>' => escaped += "&gt;",
            '"' => escaped += "&quot;",
            '\n' | '\t' | '\r' => escaped.push(character),
            other if other.is_control() => escaped.push('?'),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests;
