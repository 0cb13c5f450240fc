//! The golden JSON of the border, and the page's types.

use super::{
    Actuator, Actuators, Command, Commands, Counts, Desired, Frame, Latest, LedState, LinkWord,
    Listens, LogLine, Reading, ReadingPage, Reject, Rejects, Rule, Rules, State, Status,
};
use crate::events::LogEvent;
use crate::problem::ProblemBody;
use expect_test::{Expect, expect, expect_file};
use mtom_gateway::view::{
    ActuatorView, Hop, LinkState, LogEntry, LogEvent as Said, Snapshot, Told, Update, Wanted,
};
use mtom_protocol::link::Led;
use mtom_protocol::reading::{Reading as Measured, ReadingKey, StoredReading};
use mtom_protocol::time::UnixMicros;
use mtom_protocol::unit::Unit;
use std::sync::Arc;
use ts_rs::{Config, TS};

const AT: UnixMicros = UnixMicros(1_795_421_190_123_456);

/// `UPDATE_EXPECT=1 cargo test -p mtom-dashboard` writes the file anew.
#[test]
fn the_types_of_the_page_are_these() {
    let config = Config::new().with_large_int("number");
    let mut text = String::from(
        "// What the gateway says, as TypeScript. Made from the Rust types of mtom-dashboard by\n\
         // `UPDATE_EXPECT=1 cargo test -p mtom-dashboard`: change those, not this file.\n",
    );
    declare::<Frame<'_>>(&config, &mut text);
    declare::<Reading<'_>>(&config, &mut text);
    declare::<Actuator<'_>>(&config, &mut text);
    declare::<Desired<'_>>(&config, &mut text);
    declare::<State>(&config, &mut text);
    declare::<LedState>(&config, &mut text);
    declare::<LinkWord>(&config, &mut text);
    declare::<LogLine<'_>>(&config, &mut text);
    declare::<LogEvent<'_>>(&config, &mut text);
    declare::<Counts>(&config, &mut text);
    declare::<Status<'_>>(&config, &mut text);
    declare::<Listens<'_>>(&config, &mut text);
    declare::<Rules<'_>>(&config, &mut text);
    declare::<Rule<'_>>(&config, &mut text);
    declare::<Latest<'_>>(&config, &mut text);
    declare::<ReadingPage<'_>>(&config, &mut text);
    declare::<Actuators<'_>>(&config, &mut text);
    declare::<Rejects<'_>>(&config, &mut text);
    declare::<Reject<'_>>(&config, &mut text);
    declare::<Commands<'_>>(&config, &mut text);
    declare::<Command<'_>>(&config, &mut text);
    declare::<ProblemBody<'_>>(&config, &mut text);
    let text = text.lines().map(str::trim_end).collect::<Vec<_>>().join("\n") + "\n";
    expect_file!["../../../../web/wire.d.ts"].assert_eq(&text);
}

fn declare<T: TS>(config: &Config, text: &mut String) {
    text.push('\n');
    if let Some(docs) = T::docs() {
        text.push_str(&docs);
    }
    text.push_str("export ");
    text.push_str(&T::decl(config));
    text.push('\n');
}

#[track_caller]
fn check(body: &impl serde::Serialize, expected: &Expect) {
    let mut text = serde_json::to_string_pretty(body).unwrap();
    text.push('\n');
    expected.assert_eq(&text);
}

fn stored(value: f64, unit: Unit) -> StoredReading {
    StoredReading {
        id: 7,
        at: AT,
        arrived_at: AT,
        suspect: false,
        reading: Measured {
            topic: "Environ/Temperature".into(),
            device: "Environ".into(),
            quantity: "Temperature".into(),
            value,
            unit,
            taken_at: None,
            key: None,
        },
    }
}
