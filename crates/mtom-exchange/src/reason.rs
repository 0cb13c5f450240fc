//! Why an entry of a file is no record: one stable word for counting, one sentence for people.

use mtom_protocol::payload::NotAReading;
use std::borrow::Cow;

/// Why not.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Reason {
    pub(crate) code: &'static str,
    pub(crate) text: Cow<'static, str>,
}

impl Reason {
    pub(crate) fn new(code: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { code, text: text.into() }
    }

    /// The same, of one field among several.
    pub(crate) fn of_field(self, name: &str) -> Self {
        let name: String = name.chars().filter(|c| !c.is_control()).take(40).collect();
        Self { text: Cow::Owned(format!("{name}: {}", self.text)), ..self }
    }
}

impl From<NotAReading> for Reason {
    fn from(why: NotAReading) -> Self {
        Self::new(why.code(), why.to_string())
    }
}
