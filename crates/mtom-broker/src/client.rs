//! The client of an external broker: subscribes, hands messages over, acknowledges when they are safe.
//!
//! Each connection is a client of its own with the same session, so an acknowledgement can never
//! reach another connection than the one its message came on. What was not acknowledged is
//! delivered again by the broker. It reconnects for ever, with a growing, jittered delay.

use crate::intake::{Intake, Manner, Message, Receipt, kept};
use crate::outlet::{Announcement, NotTaken, Outgoing, Outgoings};
use futures_util::StreamExt;
use futures_util::stream::{FuturesOrdered, FuturesUnordered};
use mtom_mqtt::connection::{Connection as Mqtt, Event, Incoming, Options};
use mtom_mqtt::fault::Fault;
use mtom_mqtt::target::{Spoken, Target, Versions};
use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

mod wishes;

pub use wishes::{SetAside, Wanted, Wishes};

/// Bounds the requests of one connection: every packet id may be acknowledged, plus subscriptions and what
/// we say ourselves.
const REQUESTS_LEN: usize = 66_000;
/// Messages of our own that the broker has not answered. Full: the next waits.
const UNANSWERED_MAX: u16 = 16;
const PACKET_LEN_MAX: u32 = 2 * 1024 * 1024;
const KEEP_ALIVE_SECONDS: u16 = 15;
const RETRY_MIN: Duration = Duration::from_millis(250);
const RETRY_MAX: Duration = Duration::from_secs(30);

/// Where the broker is and who we are there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The broker.
    pub target: Target,
    /// Fixed, so that the broker knows our session again.
    pub client_id: String,
    /// The broker keeps our session while we are away, with what comes for us meanwhile. Otherwise it forgets us with
    /// the connection: nothing waits, and all that it has kept is told again with the next.
    pub is_kept: bool,
    /// Topic filters to subscribe to, QoS 1; `$share/group/filter` is shared with whoever has the same group.
    pub filters: Vec<String>,
    /// Further ones, that the broker may refuse.
    pub filters_wished: Vec<String>,
    /// Topics whose kept messages are told again when a connection finds its session: the broker does not queue what
    /// came at QoS 0 meanwhile. What is on them may come twice.
    pub filters_again: Vec<String>,
    /// Those that our session at the broker still has and that are not wanted any more.
    pub filters_given_up: Vec<String>,
    /// The broker sends so many messages that are not safe yet, and then waits. MQTT 3.1.1 has no word for it:
    /// there the broker's own limit holds, and the socket is not read while the intake is full.
    pub receive_max: u16,
    /// The broker has had our session before: that it has none is a loss.
    pub is_known: bool,
    /// What the broker says when we are gone.
    pub will: Option<Announcement>,
}

/// What happens to the connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Connected and subscribed. `session_lost`: the broker no longer knew us, so what it queued
    /// is gone.
    Connected {
        /// True when a session was expected and the broker had none.
        session_lost: bool,
        /// What is spoken.
        spoken: Spoken,
    },
    /// The broker does not let us hear one of those that it may refuse.
    Refused {
        /// The filter.
        filter: String,
        /// Its reason.
        reason: String,
    },
    /// The connection ended or could not be made; it is tried again.
    Lost {
        /// Why, in words.
        reason: String,
    },
}

/// Receives, and sends what comes out of `outgoings`, until `stop`. What is wished for besides comes and goes.
///
/// `jitter` gives a number from 0 to 1 for each delay.
pub async fn run(
    settings: Settings,
    intake: Intake,
    mut outgoings: Outgoings,
    mut wishes: Wishes,
    changed: impl Fn(Change),
    jitter: impl Fn() -> f64,
    stop: CancellationToken,
) {
    let mut retry = RETRY_MIN;
    let mut session = Session { is_known: settings.is_known, ..Session::default() };
    let mut versions = Versions::new(settings.target.version);
    loop {
        let spoken = versions.next();
        let mut connection = Connection::new(&settings, spoken, &mut session);
        let begun = Instant::now();
        let fault = tokio::select! {
            () = stop.cancelled() => break,
            fault = connection.serve(&intake, &mut outgoings, &mut wishes, &changed) => fault,
        };
        let has_acknowledged = connection.has_acknowledged;
        if connection.up {
            versions.greeted(spoken);
            // One that ends again and again as soon as it is made, and brings nothing, is no reason to hurry.
            if has_acknowledged || (session.is_subscribed && begun.elapsed() >= retry) {
                retry = RETRY_MIN;
            }
        } else if versions.failed(spoken, &fault) {
            tracing::debug!(%fault, "the broker may not speak {spoken}: another version is tried");
            continue;
        }
        changed(Change::Lost { reason: fault.to_string() });
        let delay = retry.mul_f64(0.5 + jitter().clamp(0.0, 1.0) / 2.0);
        retry = (retry * 2).min(RETRY_MAX);
        tokio::select! {
            () = stop.cancelled() => break,
            () = tokio::time::sleep(delay) => {}
        }
    }
}

/// What the broker keeps for us, over all connections.
#[derive(Debug, Default)]
struct Session {
    /// There was one.
    is_known: bool,
    /// This process has subscribed in it to what it wants.
    is_subscribed: bool,
    /// It was lost, and nobody was told yet.
    is_lost: bool,
}

/// Subscriptions that the broker has not answered.
#[derive(Default)]
struct Asked {
    /// Those that have to be granted.
    needed: usize,
    /// Those that may be refused.
    wished: usize,
}

/// One connection, from CONNECT to its end.
struct Connection<'a> {
    settings: &'a Settings,
    mqtt: Mqtt,
    spoken: Spoken,
    session: &'a mut Session,
    up: bool,
    /// Something that it brought is safe.
    has_acknowledged: bool,
}

impl<'a> Connection<'a> {
    fn new(settings: &'a Settings, spoken: Spoken, session: &'a mut Session) -> Self {
        let options = Options {
            client_id: settings.client_id.clone(),
            is_kept: settings.is_kept,
            acknowledges_by_hand: true,
            receive_max: settings.receive_max,
            keep_alive_seconds: KEEP_ALIVE_SECONDS,
            packet_len_max: PACKET_LEN_MAX,
            requests_len: REQUESTS_LEN,
            unanswered_max: UNANSWERED_MAX,
            will: settings.will.clone().map(Into::into),
        };
        let mqtt = Mqtt::new(&settings.target, spoken, &options);
        Self { settings, mqtt, spoken, session, up: false, has_acknowledged: false }
    }

    /// Serves until the connection ends; returns why.
    async fn serve(
        &mut self,
        intake: &Intake,
        outgoings: &mut Outgoings,
        wishes: &mut Wishes,
        changed: &impl Fn(Change),
    ) -> Fault {
        // Dropped with the connection: whoever waits hears that it ended.
        let mut published = FuturesUnordered::new();
        // In order, as the messages came [MQTT-4.6.0-2]. The broker's window bounds it.
        let mut unsafe_yet = FuturesOrdered::new();
        let mut under_way = HashSet::new();
        let (mut asked, spoken) = (Asked::default(), self.spoken);
        loop {
            tokio::select! {
                event = self.mqtt.next() => match event {
                    Ok(Event::Connected { session_present }) => {
                        match self.connected(session_present) {
                            Ok(all) => asked = all,
                            Err(fault) => return fault,
                        }
                        if asked.needed == 0 {
                            wishes.connected(session_present);
                            changed(Change::Connected { session_lost: false, spoken });
                        }
                    }
                    Ok(Event::Message(message)) => {
                        // Said again because it was not acknowledged in time: it is under way.
                        if message.packet_id().is_some_and(|id| !under_way.insert(id)) {
                            continue;
                        }
                        match hand_over(intake, &message).await {
                            Handed::Awaited(receipt) => {
                                unsafe_yet.push_back(settled(Some(receipt), message));
                            }
                            Handed::Done => unsafe_yet.push_back(settled(None, message)),
                            Handed::Ended => return Fault::Ended("the gateway is ending".into()),
                        }
                    }
                    Ok(Event::Subscribed { refused }) => {
                        match self.answered(refused, &mut asked, wishes, changed) {
                            Ok(None) => {}
                            Ok(Some(session_lost)) => {
                                changed(Change::Connected { session_lost, spoken });
                            }
                            Err(fault) => return fault,
                        }
                    }
                    Ok(Event::Unsubscribed { filter }) => wishes.given_up(&filter),
                    Ok(_) => {}
                    Err(fault) => return fault,
                },
                () = wishes.due(), if self.session.is_subscribed && self.up => {
                    if let Err(fault) = wishes.follow(&mut self.mqtt).await {
                        return fault;
                    }
                }
                Some((safe, message)) = unsafe_yet.next(), if !unsafe_yet.is_empty() => {
                    if !safe {
                        let why = "a message could not be stored: it will be delivered again";
                        return Fault::Ended(why.into());
                    }
                    if let Some(id) = message.packet_id() {
                        under_way.remove(&id);
                    }
                    if let Err(fault) = self.mqtt.acknowledge(&message) {
                        return fault;
                    }
                    self.has_acknowledged = true;
                }
                Some(outgoing) = outgoings.next(),
                    if self.up && published.len() < usize::from(UNANSWERED_MAX) =>
                {
                    published.push(self.publish(outgoing));
                }
                Some(()) = published.next(), if !published.is_empty() => {}
            }
        }
    }

    /// The broker has answered to a subscription. When that was the last of those that are needed: whether our session
    /// was lost.
    fn answered(
        &mut self,
        refused: Vec<(String, String)>,
        asked: &mut Asked,
        wishes: &mut Wishes,
        changed: &impl Fn(Change),
    ) -> Result<Option<bool>, Fault> {
        // Answers come in the order of the questions [MQTT-4.6.0]; those that are only wished for are asked for last.
        if let Some(left) = asked.needed.checked_sub(1) {
            if let Some((filter, reason)) = refused.first() {
                return Err(not_subscribed(filter, reason));
            }
            asked.needed = left;
            if left == 0 {
                self.session.is_subscribed = true;
                self.session.is_known = true;
                wishes.connected(false);
                return Ok(Some(std::mem::take(&mut self.session.is_lost)));
            }
        } else if let Some(left) = asked.wished.checked_sub(1) {
            asked.wished = left;
            refused
                .into_iter()
                .for_each(|(filter, reason)| changed(Change::Refused { filter, reason }));
        } else {
            wishes.answered(&refused);
        }
        Ok(None)
    }

    /// Returns which subscriptions wait for their answer; none is needed when the session holds them.
    fn connected(&mut self, session_present: bool) -> Result<Asked, Fault> {
        self.up = true;
        let Settings { filters, filters_wished, filters_again, filters_given_up, .. } =
            self.settings;
        // The first time always: the filters may have changed since the session was made.
        if self.session.is_subscribed && session_present {
            // What the broker has kept of those is told again: it does not queue what came at QoS 0 meanwhile.
            for filter in filters_wished {
                self.mqtt.subscribe(&[filter], true)?;
            }
            for filter in filters_again {
                self.mqtt.subscribe(&[filter], true)?;
                // Other filters bring what comes on them from now on.
                if !filters.contains(filter) {
                    self.mqtt.unsubscribe(filter)?;
                }
            }
            return Ok(Asked { needed: 0, wished: filters_wished.len() + filters_again.len() });
        }
        self.session.is_subscribed = filters.is_empty();
        let is_expected = self.settings.is_kept && self.session.is_known;
        self.session.is_lost |= is_expected && !session_present;
        if session_present {
            for filter in filters_given_up {
                self.mqtt.unsubscribe(filter)?;
            }
        }
        for filter in filters.iter().chain(filters_wished) {
            self.mqtt.subscribe(&[filter], true)?;
        }
        Ok(Asked { needed: filters.len(), wished: filters_wished.len() })
    }

    /// Sends a message of our own; the future ends when the broker has it, or never will.
    fn publish(&self, outgoing: Outgoing) -> impl Future<Output = ()> + use<> {
        let Outgoing { announcement, answer } = outgoing;
        let sent = self.mqtt.publish(announcement.into());
        async move {
            let outcome = match sent {
                Ok(taking) => taking.await.map_err(NotTaken::from),
                Err(fault) => Err(NotTaken::lost(fault)),
            };
            // Who no longer waits has no use for the answer.
            let _ = answer.send(outcome);
        }
    }
}

fn not_subscribed(filter: &str, reason: &str) -> Fault {
    let is_shared = filter.starts_with("$share/");
    let next = if is_shared {
        "see whether the broker shares subscriptions ($share), or write the filter without it"
    } else {
        "check ingest.topics, and what the broker allows us to hear"
    };
    Fault::Ended(format!("the broker refuses the subscription to {filter} ({reason}): {next}"))
}

/// Whether a message is safe, or there was nothing to keep of it.
async fn settled(receipt: Option<Receipt>, message: Incoming) -> (bool, Incoming) {
    let is_safe = match receipt {
        Some(receipt) => receipt.is_safe().await,
        None => true,
    };
    (is_safe, message)
}

enum Handed {
    Awaited(Receipt),
    Done,
    Ended,
}

async fn hand_over(intake: &Intake, incoming: &Incoming) -> Handed {
    let Some(topic) = incoming.topic() else { return Handed::Done };
    let retained_copy = incoming.retained_copy;
    let manner = if retained_copy { Manner::Copy } else { Manner::Now };
    if intake.is_aside(topic, &incoming.payload, manner) {
        let receipt = intake.kept(topic).filter(|_| incoming.is_awaited());
        return receipt.map_or(Handed::Done, Handed::Awaited);
    }
    let Some(wanted) = intake.wants(topic, &incoming.payload) else { return Handed::Done };
    let properties = incoming.properties().iter();
    let message = Message {
        topic: Arc::from(topic),
        payload: incoming.payload.clone(),
        retained_copy,
        properties: kept(properties.map(|(name, value)| (name.as_str(), value.as_str()))),
    };
    if !incoming.is_awaited() {
        return if intake.offer_wanted(message, wanted).await {
            Handed::Done
        } else {
            Handed::Ended
        };
    }
    match intake.offer_awaited(message, wanted).await {
        Some(receipt) => Handed::Awaited(receipt),
        None => Handed::Ended,
    }
}
