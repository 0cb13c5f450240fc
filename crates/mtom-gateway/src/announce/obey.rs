//! What Home Assistant wants of our actuators is done, as a person's word.

use super::ears::{Word, Words};
use super::names::Names;
use super::talk::Talk;
use crate::control::{Control, Through};
use crate::view::View;
use std::time::Duration;
use tokio::time::Instant;

/// What stands in the cause of a command.
const BY: &str = "Home Assistant";
/// A word that has waited longer for others is of another moment.
pub(super) const WORD_AGE_MAX: Duration = Duration::from_secs(10);

/// Does what it hears.
pub(super) struct Servant {
    words: Words,
    names: Names,
    view: View,
    control: Control,
    talk: Talk,
}

impl Servant {
    pub(super) fn new(
        words: Words,
        names: Names,
        view: View,
        control: Control,
        talk: Talk,
    ) -> Self {
        Self { words, names, view, control, talk }
    }

    /// Does one word after the other, for ever.
    pub(super) async fn run(mut self) {
        while let Some(word) = self.words.next().await {
            match self.obey(&word).await {
                Ok(()) => self.talk.obeyed(),
                Err(reason) => {
                    self.talk.refused();
                    if let Some(unsaid) = self.talk.may_warn(Instant::now()) {
                        let actuator = word.actuator;
                        tracing::warn!(
                            actuator,
                            reason,
                            unsaid,
                            "what Home Assistant wants is not done"
                        );
                    }
                }
            }
        }
        // Nobody can speak any more.
        std::future::pending().await
    }

    async fn obey(&self, Word { actuator, led, heard_at }: &Word) -> Result<(), String> {
        if heard_at.elapsed() > WORD_AGE_MAX {
            return Err("it has waited too long".into());
        }
        let actuators = self.view.actuators().into_iter().map(|one| one.name);
        let name = actuators.into_iter().find(|name| self.names.actuator(name) == *actuator);
        let name = name.ok_or("there is no such actuator")?;
        // The relay looks once more: it may have hung.
        let by = Through { name: BY, until: *heard_at + WORD_AGE_MAX };
        let done = self.control.set_by(&name, *led, None, Some(by)).await;
        done.map_err(|error| error.to_string())
    }
}
