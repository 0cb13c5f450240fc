//! One connection to the broker, without the connection: what to publish now, what a message means, what is
//! due when.
//!
//! As on any other link nothing is queued here: whoever can publish asks [`Switch::next`] and gets the one
//! message that is right at that moment. A device that said goodbye is told nothing: its broker session could
//! keep it. What it says is an answer when it is as we last told it; a device numbers nothing.

use super::address::MqttAddress;
use super::sparkplug::{Ear, Says};
use crate::report::{Desired, LinkState, Report};
use crate::session::{Memory, Voice};
use crate::settings::{Drift, Settings};
use mtom_protocol::link::Led;
use std::time::Duration;
use tokio::time::Instant;

/// What to publish.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    /// How are you?
    Ask,
    /// Be so.
    Set(Desired),
}

/// A message of the device, or one that the broker had kept of it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heard<'a> {
    pub(crate) topic: &'a str,
    pub(crate) payload: &'a [u8],
    /// The broker had kept it: when it was said is unknown.
    pub(crate) is_kept: bool,
}

/// The device behind one connection.
pub(crate) struct Switch<'a> {
    settings: &'a Settings,
    address: &'a MqttAddress,
    voice: &'a Voice<'a>,
    memory: &'a mut Memory,
    /// Hears a Sparkplug node.
    ear: Option<Ear<'a>>,
    desired: Option<Desired>,
    /// The last command published on this connection.
    sent: Option<Desired>,
    /// The last command that the device confirmed on this connection.
    confirmed: Option<Desired>,
    /// What the device said last.
    said: Option<Led>,
    /// What its last will and its greeting say; `None`: nothing yet.
    is_online: Option<bool>,
    /// The command that somebody overruled by hand, where that stands.
    overruled: Option<u64>,
    has_asked: bool,
    ack_wait: Duration,
    retry_at: Instant,
    refresh_at: Instant,
}

impl<'a> Switch<'a> {
    /// Subscribed `now`.
    pub(crate) fn new(
        settings: &'a Settings,
        address: &'a MqttAddress,
        voice: &'a Voice<'a>,
        memory: &'a mut Memory,
        now: Instant,
    ) -> Self {
        if !address.greets() {
            voice.link(LinkState::Up, String::new());
        }
        Self {
            settings,
            address,
            voice,
            memory,
            ear: address.metric.as_ref().map(Ear::new),
            desired: None,
            sent: None,
            confirmed: None,
            said: None,
            is_online: (!address.greets()).then_some(true),
            overruled: None,
            has_asked: address.ask.is_none(),
            ack_wait: settings.ack_timeout,
            retry_at: now,
            refresh_at: now,
        }
    }

    /// The number that its birth gave the metric of a Sparkplug node.
    pub(crate) fn alias(&self) -> Option<u64> {
        self.ear.as_ref()?.alias()
    }

    /// The newest desired state.
    pub(crate) fn desire(&mut self, desired: Option<Desired>) {
        self.desired = desired;
    }

    /// What is right to publish at `now`; the same until something changes.
    pub(crate) fn next(&self, now: Instant) -> Option<Message> {
        if self.is_online == Some(false) {
            return None;
        }
        // Before its birth a metric has no number, and nobody may be there.
        let is_unborn = self.ear.is_some() && self.is_online.is_none();
        if let Some(desired) = self.desired.filter(|_| !is_unborn && self.is_due(now))
            && self.overruled != Some(desired.number)
        {
            return Some(Message::Set(desired));
        }
        (!self.has_asked).then_some(Message::Ask)
    }

    /// The broker has taken it.
    pub(crate) fn sent(&mut self, message: Message, now: Instant) {
        let Message::Set(command) = message else {
            self.has_asked = true;
            return;
        };
        self.ack_wait = if self.sent == Some(command) && !self.is_confirmed(command) {
            self.ack_wait.saturating_mul(2).min(self.settings.refresh)
        } else {
            self.settings.ack_timeout
        };
        self.retry_at = now + self.ack_wait;
        self.refresh_at = now + self.settings.refresh;
        self.sent = Some(command);
        let Desired { led, number } = command;
        self.report(Report::Sent { led, number, at: (self.voice.clock)() });
    }

    /// Does what is due without a message.
    pub(crate) fn poll(&mut self, now: Instant) {
        // Some say nothing when they are told what they are already, and cannot be asked.
        if !self.address.can_be_asked()
            && self.retry_at <= now
            && let Some(sent) = self.sent.filter(|sent| self.said == Some(sent.led))
        {
            self.confirm(sent);
        }
    }

    /// Takes a message; false: it means nothing to us.
    pub(crate) fn hear(&mut self, heard: Heard<'_>, now: Instant) -> bool {
        if self.ear.is_some() {
            return self.hear_node(heard, now);
        }
        let about = |source: &super::address::Source| source.topic == heard.topic;
        let mut is_known = false;
        if let Some(is_online) = self
            .address
            .online
            .as_ref()
            .filter(|of| about(of))
            .and_then(|of| of.tells(heard.payload))
        {
            is_known = true;
            self.greet(is_online, now);
        }
        if let Some(is_on) = self
            .address
            .state
            .as_ref()
            .filter(|of| about(of))
            .and_then(|of| of.tells(heard.payload))
        {
            is_known = true;
            self.says(if is_on { Led::On } else { Led::Off }, heard.is_kept, now);
        }
        is_known
    }

    /// Takes a message of a Sparkplug node. What a broker has kept of one is of a session that nobody knows.
    fn hear_node(&mut self, heard: Heard<'_>, now: Instant) -> bool {
        let ear = self.ear.as_mut().filter(|_| !heard.is_kept);
        let Some(says) = ear.and_then(|ear| ear.hear(heard.topic, heard.payload)) else {
            return false;
        };
        match says {
            Says::Born(state) => {
                self.greet(true, now);
                if let Some(is_on) = state {
                    self.says(if is_on { Led::On } else { Led::Off }, false, now);
                }
            }
            Says::Is(is_on) => self.says(if is_on { Led::On } else { Led::Off }, false, now),
            Says::Gone => self.greet(false, now),
            Says::Missing => {
                self.greet(false, now);
                let link = &self.settings.link;
                let reason =
                    format!("{link}: its birth has no metric of that name that is a Boolean");
                self.voice.link(LinkState::Away, reason);
            }
            Says::Nothing => {}
        }
        true
    }

    /// When there will be something to do after `now` if nothing else happens.
    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let is_overruled = |desired: Desired| self.overruled == Some(desired.number);
        let is_unborn = self.ear.is_some() && self.is_online.is_none();
        if self.desired.is_none_or(is_overruled) || self.is_online == Some(false) || is_unborn {
            return None;
        }
        Some(self.command_at()).filter(|at| *at > now)
    }

    fn is_due(&self, now: Instant) -> bool {
        self.sent != self.desired || self.command_at() <= now
    }

    /// When the desired state is published again.
    fn command_at(&self) -> Instant {
        let answers = self.address.answers();
        match self.desired {
            Some(desired) if answers && !self.is_confirmed(desired) => self.retry_at,
            _ => self.refresh_at,
        }
    }

    fn is_confirmed(&self, command: Desired) -> bool {
        self.confirmed == Some(command)
    }

    /// It is there, or it is not.
    fn greet(&mut self, is_online: bool, now: Instant) {
        let was = self.is_online.replace(is_online);
        if was == Some(is_online) {
            return;
        }
        if is_online {
            self.voice.link(LinkState::Up, String::new());
            // Whatever it heard before it went, it is told again.
            self.sent = None;
            self.ack_wait = self.settings.ack_timeout;
            self.retry_at = now;
            self.has_asked = !self.address.can_be_asked();
        } else {
            self.said = None;
            self.confirmed = None;
            let reason = format!(
                "{}: the broker says that the device is offline; is it on?",
                self.settings.link
            );
            self.voice.link(LinkState::Away, reason);
        }
    }

    /// The LED is so.
    fn says(&mut self, led: Led, is_kept: bool, now: Instant) {
        // Who speaks is there, also before its greeting has come.
        if !is_kept && self.is_online != Some(true) {
            self.greet(true, now);
        }
        let was = self.said.replace(led);
        let is_other = |command: Desired| command.led != led;
        if self.sent.is_some_and(is_other) || self.memory.applied.is_some_and(is_other) {
            // Not so any more: when it is again, that is worth saying. Also on another connection than before.
            self.memory.applied = None;
        }
        match self.sent {
            Some(sent) if sent.led == led && !is_kept => self.confirm(sent),
            Some(sent) if sent.led != led && self.is_confirmed(sent) => {
                // Somebody pressed its button: told again, but not faster than one per `ack_timeout`.
                self.confirmed = None;
                self.ack_wait = self.settings.ack_timeout;
                self.retry_at = self.retry_at.max(now);
                self.report(Report::State { led, number: sent.number });
                let is_adopted = self.settings.drift == Drift::Adopt;
                self.overruled = is_adopted.then_some(sent.number);
                self.report(Report::Drifted { led, number: sent.number, is_adopted });
            }
            sent if was != Some(led) => {
                self.report(Report::State { led, number: sent.map_or(0, |sent| sent.number) });
            }
            _ => {}
        }
    }

    fn confirm(&mut self, command: Desired) {
        if self.confirmed.replace(command) == Some(command) {
            return;
        }
        if self.memory.applied.replace(command) == Some(command) {
            return;
        }
        let Desired { led, number } = command;
        self.report(Report::Applied { led, number, at: (self.voice.clock)() });
    }

    fn report(&self, report: Report) {
        (self.voice.report)(report);
    }
}

#[cfg(test)]
mod tests;
