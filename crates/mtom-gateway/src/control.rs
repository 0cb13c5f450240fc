//! What a person tells a running gateway: other rules, and what an actuator is to be for a while.
//!
//! Whoever asks waits for the answer, which comes when what was asked for is on the disk.

use crate::standing::Standing;
use crate::view::RuleView;
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use mtom_rules::{Engine, RuleSpec};
use std::fmt;
use std::sync::Arc;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;

/// Requests that wait for the relay. Full: whoever asks waits.
const REQUESTS_LEN: usize = 16;

/// Reads rules as they stand in a file, for the actuators that there are. All mistakes, or the rules.
pub type ReadRules = Arc<dyn Fn(&str) -> Result<Vec<RuleSpec>, Vec<Mistake>> + Send + Sync>;

/// One thing that is wrong with a text of rules. `Display` is the whole sentence, its place first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Where; `None`: nowhere in the text.
    pub place: Option<Place>,
    /// What is wrong and what is expected.
    pub text: String,
}

/// The word of a text that is meant. Columns and lengths count characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// From 1.
    pub line: usize,
    /// From 1.
    pub column: usize,
    /// Within the line; 0 behind its last character.
    pub length: usize,
}

/// The rules of the configuration, and how others are read.
#[derive(Clone)]
pub struct RuleSource {
    /// What is configured.
    pub specs: Vec<RuleSpec>,
    /// The same as text.
    pub text: String,
    /// Reads such a text.
    pub read: ReadRules,
}

/// Tells the gateway.
#[derive(Clone)]
pub struct Control {
    read: ReadRules,
    requests: mpsc::Sender<Request>,
}

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ControlError {
    /// The rules have mistakes, each a sentence.
    #[error("the rules are not taken: {}", sentences(.0))]
    Rules(Vec<Mistake>),
    /// There is no such actuator.
    #[error("there is no actuator {name:?}: expected {known}")]
    Actuator {
        /// The name that was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// There is no such version.
    #[error("there are no rules of version {0}: expected one that `mtom rules versions` lists")]
    Version(u64),
    /// Other rules run by now than whoever asks has seen.
    #[error("other rules run meanwhile: version {version}, from {from}")]
    Changed {
        /// The version that runs.
        version: u64,
        /// Who brought it.
        from: String,
    },
    /// It was meant for a moment that is over.
    #[error("it has waited too long")]
    Late,
    /// The disk takes nothing.
    #[error("the journal cannot be written: {0}")]
    Disk(String),
    /// It is ending.
    #[error("the gateway is stopping")]
    Stopping,
}

/// Through what a person spoke.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Through {
    /// What stands in the cause.
    pub(crate) name: &'static str,
    /// The word is meant for now: later than this it is not done.
    pub(crate) until: Instant,
}

/// What the relay is to do.
pub(crate) enum Request {
    Rules {
        engine: Box<Engine>,
        specs: Vec<RuleSpec>,
        text: String,
        source: String,
        instead_of: Option<u64>,
        answer: oneshot::Sender<Result<u64, ControlError>>,
    },
    Override {
        actuator: String,
        led: Option<Led>,
        until: Option<UnixMicros>,
        by: Option<Through>,
        answer: oneshot::Sender<Result<(), ControlError>>,
    },
    Standing {
        answer: oneshot::Sender<Result<Standing, ControlError>>,
    },
}

impl Control {
    pub(crate) fn new(read: ReadRules) -> (Self, mpsc::Receiver<Request>) {
        let (requests, receiver) = mpsc::channel(REQUESTS_LEN);
        (Self { read, requests }, receiver)
    }

    /// Looks whether rules could be taken, and takes nothing.
    ///
    /// # Errors
    /// [`ControlError::Rules`]
    pub fn check(&self, text: &str) -> Result<(), ControlError> {
        self.compile(text).map(drop)
    }

    /// The rules that a text holds, as they would be shown.
    ///
    /// # Errors
    /// [`ControlError::Rules`]
    pub fn rules_of(&self, text: &str) -> Result<Vec<RuleView>, ControlError> {
        let specs = (self.read)(text).map_err(ControlError::Rules)?;
        Ok(specs.iter().map(RuleView::from).collect())
    }

    /// Lets other rules take the place of those that run; the number of their version. With `instead_of` only
    /// where those of that version run.
    ///
    /// # Errors
    /// [`ControlError`]: the rules that ran run on.
    pub async fn apply(
        &self,
        text: &str,
        source: &str,
        instead_of: Option<u64>,
    ) -> Result<u64, ControlError> {
        let (specs, engine) = self.compile(text)?;
        let (text, source) = (text.to_owned(), source.to_owned());
        let engine = Box::new(engine);
        self.ask(|answer| Request::Rules { engine, specs, text, source, instead_of, answer }).await
    }

    /// Says what an actuator is to be, whatever the rules want, until a time or for ever; `None` gives it
    /// back to the rules.
    ///
    /// # Errors
    /// [`ControlError`]: nothing has changed.
    pub async fn set(
        &self,
        actuator: &str,
        led: Option<Led>,
        until: Option<UnixMicros>,
    ) -> Result<(), ControlError> {
        self.set_by(actuator, led, until, None).await
    }

    /// The same; the cause says through what the person spoke, and it is not done late.
    pub(crate) async fn set_by(
        &self,
        actuator: &str,
        led: Option<Led>,
        until: Option<UnixMicros>,
        by: Option<Through>,
    ) -> Result<(), ControlError> {
        let actuator = actuator.to_owned();
        self.ask(|answer| Request::Override { actuator, led, until, by, answer }).await
    }

    /// How the rules are at this moment. Changes nothing.
    ///
    /// # Errors
    /// [`ControlError::Stopping`]
    pub async fn standing(&self) -> Result<Standing, ControlError> {
        self.ask(|answer| Request::Standing { answer }).await
    }

    fn compile(&self, text: &str) -> Result<(Vec<RuleSpec>, Engine), ControlError> {
        let specs = (self.read)(text).map_err(ControlError::Rules)?;
        let engine = Engine::compile(&specs).map_err(|errors| {
            let mistake = |text| Mistake { place: None, text };
            ControlError::Rules(errors.iter().map(ToString::to_string).map(mistake).collect())
        })?;
        Ok((specs, engine))
    }

    async fn ask<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, ControlError>>) -> Request,
    ) -> Result<T, ControlError> {
        let (answer, answered) = oneshot::channel();
        self.requests.send(request(answer)).await.map_err(|_| ControlError::Stopping)?;
        answered.await.unwrap_or(Err(ControlError::Stopping))
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(Place { line, column, .. }) = self.place {
            write!(f, "rules:{line}:{column}: ")?;
        }
        f.write_str(&self.text)
    }
}

/// All of them in one line.
pub(crate) fn sentences(mistakes: &[Mistake]) -> String {
    mistakes.iter().map(Mistake::to_string).collect::<Vec<_>>().join("; ")
}
