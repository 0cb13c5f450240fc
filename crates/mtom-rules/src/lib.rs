//! Decides what each actuator should be: (state, event, now) → (state', decisions).
//!
//! Pure: no clock, no I/O, no async, no logging. The caller gives readings and the time; what comes
//! back are decisions and alerts, each with its cause, and a state that the caller keeps with the reading
//! that changed it. An [`Engine`] is compiled from [`RuleSpec`]s and never changes; a [`State`] belongs
//! to the engine that made it and is brought to another one by [`State::parts`] and
//! [`Engine::restore_parts`], or in one by [`State::encode`] and [`Engine::restore`].
//!
//! How a rule gets from a reading to a decision, each step with the next one behind it:
//! 1. the reading's topic matches `when`, its id is new, and it is not late;
//! 2. `on` and `off` are evaluated; a reading about which they know nothing is as if it never came;
//! 3. what is wished must be wished by every reading for the time of `for`;
//! 4. what was wished last stands until the contrary is (hysteresis);
//! 5. the present state has lasted for `dwell`, else the decision waits until then;
//! 6. no rule of higher priority and no person has a say about the actuator.
//!
//! Beside it runs `max_age`: without news for that long the `silent` state is taken at once. Outside its
//! `schedule` a rule looks at nothing and has no say; when it leaves and no other rule has one, its actuators
//! take its `silent` state.
//!
//! What surprises: one `when` may match several series; the newest reading of any of them decides. A
//! reading of a series that `other` names is remembered and does not start the rule. Alerts are told once
//! from a rule's on to its off, whoever decides about the actuators.

mod condition;
mod deadlines;
mod decision;
mod engine;
mod lamp;
mod logic;
mod machine;
mod outlook;
mod schedule;
mod series;
mod spec;
mod state;
mod template;
mod topics;
mod window;
mod words;

pub use condition::{EXPRESSION_LEN_MAX, VARIABLES};
pub use decision::{Alert, BODY_LEN_MAX, Cause, Decision, Event, MANUAL, Outputs, Target, Witness};
pub use engine::Engine;
pub use logic::{Logic, Threshold};
pub use outlook::{ActuatorOutlook, Effect, RuleOutlook, Timer, TimerKind, Totals};
pub use spec::{Consequence, Edge, Position, Qos, RuleError, RuleSpec, RuleVersion, Silent};
pub use state::{DamagedError, Part, SERIES_LEN_MAX, State, StateError};
pub use template::{TEMPLATE_LEN_MAX, TEMPLATE_VARIABLES};

/// How many cases a property test tries: as many as it says, or as `PROPTEST_CASES` says for all of them.
#[cfg(test)]
fn cases(usual: u32) -> u32 {
    std::env::var("PROPTEST_CASES").ok().and_then(|text| text.parse().ok()).unwrap_or(usual)
}
