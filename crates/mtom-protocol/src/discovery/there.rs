//! Where a thing says whether it is there, and how several topics are taken together.
//!
//! <https://www.home-assistant.io/integrations/mqtt/#using-availability-topics>

use super::keys::Keys;
use super::template::{Found, Payload, Template};
use super::{checked, template};
use alloc::borrow::ToOwned;
use alloc::string::String;
use alloc::vec::Vec;
use serde_json::{Map, Value};

/// Topics of one thing; one with more says nothing of it.
const TOPICS_LEN_MAX: usize = 8;
/// A longer word is not looked at.
const WORD_LEN_MAX: usize = 64;
/// What a thing may say of it that is not as its device has it.
const KEYS: [&str; 13] = [
    "~",
    "availability",
    "availability_mode",
    "availability_template",
    "availability_topic",
    "avty",
    "avty_mode",
    "avty_t",
    "avty_tpl",
    "payload_available",
    "payload_not_available",
    "pl_avail",
    "pl_not_avail",
];

/// Where a thing says whether it is there.
#[derive(Clone, Debug, PartialEq)]
pub struct There {
    mode: Mode,
    /// One at least.
    pub topics: Vec<Place>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mode {
    All,
    Any,
    Latest,
}

/// One topic of these, and its words.
#[derive(Clone, Debug, PartialEq)]
pub struct Place {
    /// Where the words come.
    pub topic: String,
    template: Template,
    yes: String,
    no: String,
}

/// What a config says of it; `None`: nothing, or nothing that is understood.
pub(super) fn read(keys: &Keys<'_>) -> Option<There> {
    let topics = match keys.get("availability", "avty") {
        Some(Value::Array(items)) if items.len() > TOPICS_LEN_MAX => return None,
        Some(Value::Array(items)) => {
            let place = |item: &Value| place(&keys.inner(item.as_object()?), LISTED);
            items.iter().map(place).collect::<Option<Vec<_>>>()?
        }
        Some(item) => alloc::vec![place(&keys.inner(item.as_object()?), LISTED)?],
        None => alloc::vec![place(keys, SINGLE)?],
    };
    let mode = match keys.text("availability_mode", "avty_mode") {
        None | Some("latest") => Mode::Latest,
        Some("all") => Mode::All,
        Some("any") => Mode::Any,
        Some(_) => return None,
    };
    (!topics.is_empty()).then_some(There { mode, topics })
}

/// Whether a thing says something of it itself.
pub(super) fn is_own(thing: &Map<String, Value>) -> bool {
    KEYS.iter().any(|key| thing.contains_key(*key))
}

type Names = [(&'static str, &'static str); 2];

const LISTED: Names = [("topic", "t"), ("value_template", "val_tpl")];
const SINGLE: Names = [("availability_topic", "avty_t"), ("availability_template", "avty_tpl")];

fn place(keys: &Keys<'_>, [topic, template_of]: Names) -> Option<Place> {
    let word = |long, short, usual: &str| {
        let word = keys.word(long, short).unwrap_or_else(|| usual.to_owned());
        (word.len() <= WORD_LEN_MAX).then_some(word)
    };
    Some(Place {
        topic: checked(Some(keys.topic(topic.0, topic.1)?), topic.0).ok()?,
        template: template(keys, template_of.0, template_of.1).ok()?,
        yes: word("payload_available", "pl_avail", "online")?,
        no: word("payload_not_available", "pl_not_avail", "offline")?,
    })
}

impl Place {
    /// What a message on its topic says; `None`: nothing of the kind.
    #[must_use]
    pub fn says(&self, payload: &Payload<'_>) -> Option<bool> {
        let said = match self.template.find(payload).ok()?? {
            Found::Text(text) => text.trim().to_owned(),
            Found::Truth(true) => "True".to_owned(),
            Found::Truth(false) => "False".to_owned(),
            Found::Number(number) => alloc::format!("{number}"),
            Found::Other => return None,
        };
        [&self.yes, &self.no].iter().position(|word| **word == said).map(|at| at == 0)
    }
}

impl There {
    /// What that is together: of each topic what it said last, and `newest` just now; `None`: it is not known yet.
    #[must_use]
    pub fn is_there(&self, said: &[Option<bool>], newest: bool) -> Option<bool> {
        // One word settles it, or every topic has said the other.
        let settled = match self.mode {
            Mode::Latest => return Some(newest),
            Mode::All => false,
            Mode::Any => true,
        };
        if said.contains(&Some(settled)) {
            return Some(settled);
        }
        said.iter().all(|word| *word == Some(!settled)).then_some(!settled)
    }
}
