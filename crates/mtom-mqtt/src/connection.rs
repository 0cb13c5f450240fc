//! One connection to a broker, from CONNECT to its end; the same for both versions of MQTT.
//!
//! It is driven by [`Connection::next`] alone. An acknowledgement belongs to the connection its message came on:
//! the values of another are of no use here. A version without user properties gives none.

use crate::fault::{Fault, Refusal, of_connection};
use crate::target::{Spoken, Target};
use bytes::Bytes;
use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::time::Duration;

mod v3;
mod v5;

/// How long it may take until the broker greets.
pub const GREETING_MAX: Duration = Duration::from_secs(10);

/// Who we are at the broker, and what we keep there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Options {
    /// Our name.
    pub client_id: String,
    /// The broker keeps our subscriptions, and what it has for us, while we are away. Otherwise it forgets us
    /// with the connection.
    pub is_kept: bool,
    /// Nothing is acknowledged but by [`Connection::acknowledge`].
    pub acknowledges_by_hand: bool,
    /// The broker sends so many messages without an acknowledgement. Only MQTT 5 has it [MQTT-5.0 §3.1.2.11.3].
    pub receive_max: u16,
    /// A broker that is silent for one and a half of these is gone.
    pub keep_alive_seconds: u16,
    /// The longest packet either way, in bytes.
    pub packet_len_max: u32,
    /// What may be asked of it before it is driven again. Full: it is refused.
    pub requests_len: usize,
    /// Messages of ours that the broker has not acknowledged; more wait.
    pub unanswered_max: u16,
    /// What the broker says when the connection ends otherwise than by [`Connection::disconnect`].
    pub will: Option<Outgoing>,
}

/// A message of ours.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outgoing {
    /// One topic, no filter.
    pub topic: String,
    /// Whatever it says.
    pub payload: Bytes,
    /// QoS 1, otherwise 0.
    pub acknowledged: bool,
    /// The broker keeps it for later subscribers.
    pub retain: bool,
    /// User properties; MQTT 3.1.1 leaves them out.
    pub properties: Vec<(String, String)>,
}

/// A message that came.
#[derive(Clone, Debug)]
pub struct Incoming {
    /// What it says.
    pub payload: Bytes,
    /// A copy that the broker had kept.
    pub retained_copy: bool,
    topic: Bytes,
    /// `None`: nobody waits for an acknowledgement (QoS 0).
    receipt: Option<Receipt>,
    properties: Vec<(String, String)>,
}

/// What is acknowledged.
#[derive(Clone, Debug)]
enum Receipt {
    V3(Box<rumqttc::Publish>),
    V5(Box<rumqttc_v5::Publish>),
}

impl Incoming {
    /// The topic it was published on; `None`: it is no text, against the rules [MQTT-1.5.4-1].
    #[must_use]
    pub fn topic(&self) -> Option<&str> {
        std::str::from_utf8(&self.topic).ok()
    }

    /// User properties of MQTT 5, names and values.
    #[must_use]
    pub fn properties(&self) -> &[(String, String)] {
        &self.properties
    }

    /// What names it until it is acknowledged [MQTT-2.2.1-5]; `None`: nobody waits for that.
    #[must_use]
    pub fn packet_id(&self) -> Option<u16> {
        self.receipt.as_ref().map(|receipt| match receipt {
            Receipt::V3(publish) => publish.pkid,
            Receipt::V5(publish) => publish.pkid,
        })
    }

    /// Whether the broker waits for an acknowledgement.
    #[must_use]
    pub fn is_awaited(&self) -> bool {
        self.receipt.is_some()
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// The broker has greeted.
    Connected {
        /// It knew us, with our subscriptions.
        session_present: bool,
    },
    /// It has answered to the oldest [`Connection::subscribe`] that it had not answered.
    Subscribed {
        /// The filters that it refuses, each with its reason.
        refused: Vec<(String, String)>,
    },
    /// It has given up the oldest [`Connection::unsubscribe`] that it had not answered.
    Unsubscribed {
        /// What we are not subscribed to any more.
        filter: String,
    },
    /// A message came.
    Message(Incoming),
    /// A message of ours was acknowledged.
    Taken,
    /// A message of ours was refused; only MQTT 5 tells.
    NotTaken {
        /// Its reason code, in a word.
        reason: String,
    },
    /// Nothing to act on.
    Other,
}

/// Ends when the broker has taken a message, or never will.
pub type Taking = Pin<Box<dyn Future<Output = Result<(), Untaken>> + Send>>;

/// Why a message was not taken, in words.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Untaken {
    /// The broker does not want this one; another may be welcome.
    Refused(String),
    /// Nobody knows: the connection has ended.
    Lost(String),
}

/// A connection that is made when it is first driven.
pub struct Connection {
    target: Target,
    inner: Inner,
    is_up: bool,
    /// Filters whose SUBACK has not come, a packet each, and the QoS that they were asked for.
    asked: VecDeque<(Vec<String>, u8)>,
    /// Filters whose UNSUBACK has not come.
    given_up: VecDeque<String>,
}

enum Inner {
    V3(Box<v3::Connection>),
    V5(Box<v5::Connection>),
}

/// What a version makes of what came, before it is looked at together.
enum Happened {
    Greeted {
        session_present: bool,
    },
    /// For each filter of the packet the QoS that it has, or the reason that it is refused.
    Answered(Vec<Result<u8, String>>),
    GivenUp,
    Message(Incoming),
    Taken,
    NotTaken(String),
    Other,
}

/// Why a version's own connection ended.
enum Broken {
    Fault(Fault),
    Silent,
    Error(Box<dyn std::error::Error + Send + Sync>),
}

impl Broken {
    fn closed() -> Self {
        Self::Error(io::Error::from(io::ErrorKind::UnexpectedEof).into())
    }
}

impl Connection {
    /// A connection to `target`, spoken in one version.
    #[must_use]
    pub fn new(target: &Target, spoken: Spoken, options: &Options) -> Self {
        let inner = match spoken {
            Spoken::V3 => Inner::V3(Box::new(v3::Connection::new(target, options))),
            Spoken::V5 => Inner::V5(Box::new(v5::Connection::new(target, options))),
        };
        let (asked, given_up) = (VecDeque::new(), VecDeque::new());
        Self { target: target.clone(), inner, is_up: false, asked, given_up }
    }

    /// Drives the connection until something happens. May be dropped and called again.
    ///
    /// # Errors
    /// [`Fault`]. The next call connects again, subscribes to nothing and publishes again what was not
    /// acknowledged; who acknowledges by hand must take a new value instead.
    pub async fn next(&mut self) -> Result<Event, Fault> {
        let happened = match &mut self.inner {
            Inner::V3(connection) => connection.next().await,
            Inner::V5(connection) => connection.next().await,
        };
        let happened = happened.map_err(|broken| {
            let was_up = std::mem::take(&mut self.is_up);
            self.asked.clear();
            self.given_up.clear();
            match broken {
                Broken::Fault(fault) => fault,
                Broken::Silent if !was_up => Fault::Silent(GREETING_MAX),
                Broken::Silent => Fault::Ended("the broker is silent".into()),
                Broken::Error(error) => of_connection(error.as_ref(), &self.target, was_up),
            }
        })?;
        Ok(match happened {
            Happened::Greeted { session_present } => {
                self.is_up = true;
                Event::Connected { session_present }
            }
            Happened::Answered(answers) => {
                let (filters, wanted) = self.asked.pop_front().unwrap_or_default();
                let refused = filters.into_iter().zip(answers).filter_map(|(filter, answer)| {
                    let reason = match answer {
                        Ok(granted) if granted >= wanted => return None,
                        Ok(granted) => format!("it grants QoS {granted}, without acknowledgements"),
                        Err(reason) => reason,
                    };
                    Some((filter, reason))
                });
                Event::Subscribed { refused: refused.collect() }
            }
            Happened::GivenUp => match self.given_up.pop_front() {
                Some(filter) => Event::Unsubscribed { filter },
                None => Event::Other,
            },
            Happened::Message(message) => Event::Message(message),
            Happened::Taken => Event::Taken,
            Happened::NotTaken(reason) => Event::NotTaken { reason },
            Happened::Other => Event::Other,
        })
    }

    /// Asks for `filters` at QoS 1 (or 0) in one packet; [`Event::Subscribed`] answers.
    ///
    /// # Errors
    /// When too much is asked already.
    pub fn subscribe(&mut self, filters: &[&str], acknowledged: bool) -> Result<(), Fault> {
        match &self.inner {
            Inner::V3(connection) => connection.subscribe(filters, acknowledged),
            Inner::V5(connection) => connection.subscribe(filters, acknowledged),
        }
        .map_err(|error| Fault::Ended(format!("cannot subscribe: {error}")))?;
        let filters = filters.iter().map(|filter| (*filter).to_owned()).collect();
        self.asked.push_back((filters, u8::from(acknowledged)));
        Ok(())
    }

    /// Gives up what it has subscribed to before, in this session; [`Event::Unsubscribed`] answers.
    ///
    /// # Errors
    /// When too much is asked already.
    pub fn unsubscribe(&mut self, filter: &str) -> Result<(), Fault> {
        match &self.inner {
            Inner::V3(connection) => connection.unsubscribe(filter),
            Inner::V5(connection) => connection.unsubscribe(filter),
        }
        .map_err(|error| Fault::Ended(format!("cannot unsubscribe: {error}")))?;
        self.given_up.push_back(filter.to_owned());
        Ok(())
    }

    /// Publishes; what comes back ends when the broker has it, or never will.
    ///
    /// # Errors
    /// When too much is asked already.
    pub fn publish(&self, outgoing: Outgoing) -> Result<Taking, Fault> {
        match &self.inner {
            Inner::V3(connection) => connection.publish(outgoing),
            Inner::V5(connection) => connection.publish(outgoing),
        }
        .map_err(|error| Fault::Ended(format!("cannot publish: {error}")))
    }

    /// Acknowledges a message that came on this connection.
    ///
    /// # Errors
    /// When too much is asked already, or the connection is gone.
    pub fn acknowledge(&self, message: &Incoming) -> Result<(), Fault> {
        match (&self.inner, &message.receipt) {
            (_, None) => Ok(()),
            (Inner::V3(connection), Some(Receipt::V3(receipt))) => connection.acknowledge(receipt),
            (Inner::V5(connection), Some(Receipt::V5(receipt))) => connection.acknowledge(receipt),
            (_, Some(_)) => Err("it came on another connection".into()),
        }
        .map_err(|error| Fault::Ended(format!("cannot acknowledge: {error}")))
    }

    /// Asks for the end in good order; [`Connection::next`] fails when it has come.
    ///
    /// # Errors
    /// When too much is asked already.
    pub fn disconnect(&self) -> Result<(), Fault> {
        match &self.inner {
            Inner::V3(connection) => connection.disconnect(),
            Inner::V5(connection) => connection.disconnect(),
        }
        .map_err(Fault::Ended)
    }
}

fn refused(refusal: Refusal) -> Broken {
    Broken::Fault(Fault::Refused(refusal))
}
