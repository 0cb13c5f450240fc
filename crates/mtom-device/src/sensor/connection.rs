//! One connection to the broker, from the handshake to its end.

use super::about::{HOME_ASSISTANT_STATUS, SET, STATUS, lost, published};
use super::{Connector, Event, Keeper, Lost, Memory, Sensor, Witness, timed_out};
use crate::outbox::{FlashRing, WINDOW};
use crate::payload::{self, Beside};
use crate::record::Record;
use crate::remote::{self, Remote, RemoteError};
use crate::settings::{Format, TOPIC_LEN_MAX};
use core::fmt::Write as _;
use embassy_futures::select::{Either3, select3};
use embassy_time::{Duration, Instant, Timer, with_timeout};
use embedded_io_async::{Read, Write};
use heapless::{String, Vec};
use minimq::{
    Buffers as Packets, ConfigBuilder, Connection, Error, Op, PeerError, Property, PubError,
    Publication, QoS, ResourceError, Session, TopicFilter, Will,
};
use mtom_protocol::property;

/// The largest packet that is taken, in bytes; the broker is told so [MQTT-5.0 3.1.2.11.4].
pub(super) const RX_LEN: usize = 320;
/// CONNECT, the readings under way and one message more, in bytes.
pub(super) const TX_LEN: usize = 1_280;

/// How long a stream to the broker may take to open.
pub(super) const CONNECT_MAX: Duration = Duration::from_secs(15);
/// How long the broker may take to answer CONNECT, and each QoS 1 message.
const ANSWER_MAX: Duration = Duration::from_secs(10);
const KEEP_ALIVE_SECONDS: u16 = 30;
/// How often the device tells its state.
const STATE_PERIOD: Duration = Duration::from_secs(60);

/// How a connection ended.
pub(super) enum Ended {
    /// The device stops and nothing waits.
    Stopped,
    /// It has to connect again.
    Lost(Lost),
}

impl From<Lost> for Ended {
    fn from(reason: Lost) -> Self {
        Self::Lost(reason)
    }
}

/// The broker's side of one connection.
pub(super) struct Link<'m, 's, 'b, Io> {
    pub(super) mqtt: &'m mut Connection<'s, 'b, Io>,
    sent: Vec<Sent, WINDOW>,
    state_due: Instant,
    /// Settings to tell, and what was wrong with those that came.
    settings_due: Option<Option<RemoteError>>,
    announcement_due: bool,
}

/// A reading under way.
struct Sent {
    op: Op,
    record: Record,
    at: Instant,
}

impl<R, K, W, const RAM: usize> Sensor<'_, R, K, W, RAM>
where
    R: FlashRing,
    K: Keeper,
    W: Witness,
{
    /// Connects and delivers until the connection ends.
    pub(super) async fn connection<C: Connector>(
        &self,
        connector: &mut C,
        memory: &mut impl Memory,
    ) -> Ended {
        let settings = self.identity.settings;
        self.saw(&Event::Connecting { host: &settings.broker_host, port: settings.broker_port });
        let io = match with_timeout(CONNECT_MAX, connector.connect()).await.map_err(timed_out) {
            Ok(Ok(io)) => io,
            Ok(Err(error)) => return Lost::Unreachable(shortened(&error)).into(),
            Err(lost) => return lost.into(),
        };
        let Some(config) = self.config(memory) else { return Lost::TooLarge.into() };
        // A new session each time: the outbox knows what is not acknowledged, and one memory of it
        // is enough.
        let mut session = Session::new(config);
        let mut mqtt = match with_timeout(ANSWER_MAX, session.connect(io)).await.map_err(timed_out)
        {
            Ok(Ok(mqtt)) => mqtt,
            Ok(Err(error)) => return lost(&error).into(),
            Err(timed_out) => return timed_out.into(),
        };
        self.saw(&Event::Connected);
        let mut link = Link {
            mqtt: &mut mqtt,
            sent: Vec::new(),
            // Told with the first acknowledgement: then there is something to tell.
            state_due: Instant::MAX,
            settings_due: Some(None),
            announcement_due: true,
        };
        let ended = match self.introduce(&mut link).await {
            Ok(()) => self.converse(&mut link).await,
            Err(lost) => lost.into(),
        };
        if matches!(ended, Ended::Stopped) {
            self.take_leave(&mut link).await;
        }
        ended
    }

    fn config<'b>(&'b self, memory: &'b mut impl Memory) -> Option<ConfigBuilder<'b>> {
        let (rx, tx) = memory.packets();
        let settings = self.identity.settings;
        let will = Will::new(&self.topic(STATUS), b"offline", &[]).ok()?;
        let config = ConfigBuilder::new(Packets::new(rx, tx))
            .client_id(&settings.id)
            .ok()?
            .keepalive_interval(KEEP_ALIVE_SECONDS)
            .autodowngrade_qos()
            .will(will.retained().qos(QoS::AtLeastOnce))
            .ok()?;
        if settings.user.is_empty() {
            return Some(config);
        }
        config.auth(&settings.user, settings.password.as_bytes()).ok()
    }

    /// Says that the device is there, and asks for what is meant for it.
    async fn introduce<Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
    ) -> Result<(), Lost> {
        let status = self.topic(STATUS);
        let online = Publication::text(&status, "online").retain();
        self.publish(link, online.qos(QoS::AtLeastOnce)).await?;
        let set = self.topic(SET);
        let asks_for = [TopicFilter::new(&set), TopicFilter::new(HOME_ASSISTANT_STATUS)];
        let count = if self.identity.settings.discovery { 2 } else { 1 };
        let filters = asks_for.get(..count).unwrap_or_default();
        let subscribed =
            with_timeout(ANSWER_MAX, link.mqtt.subscribe(filters, &[])).await.map_err(timed_out)?;
        subscribed.map_err(|error| lost(&error))?;
        Ok(())
    }

    /// Sends what waits and hears what comes, until the connection ends.
    async fn converse<Io: Read + Write>(&self, link: &mut Link<'_, '_, '_, Io>) -> Ended {
        loop {
            if let Err(lost) = self.send(link).await {
                return lost.into();
            }
            if self.stopping.get() && self.outbox.lock().await.is_empty() {
                return Ended::Stopped;
            }
            let answer_due = link.sent.first().map_or(Instant::MAX, |sent| sent.at + ANSWER_MAX);
            let state_due = if is_idle(link) { link.state_due } else { Instant::MAX };
            let due = Timer::at(answer_due.min(state_due));
            let heard = match select3(link.mqtt.poll(), self.wake.wait(), due).await {
                Either3::First(Ok(Some(message))) => Some(Message::of(&message, &self.topic(SET))),
                Either3::First(Ok(None)) | Either3::Second(()) => None,
                Either3::First(Err(error)) => {
                    if let Some(lost) = self.failed(link.mqtt, &link.sent, &error) {
                        return lost.into();
                    }
                    None
                }
                Either3::Third(()) if Instant::now() >= answer_due => return Lost::TimedOut.into(),
                Either3::Third(()) => None,
            };
            self.settle(link).await;
            if let Err(lost) = self.hear(link, heard.as_ref()).await {
                return lost.into();
            }
        }
    }

    /// Sends as many readings as may be under way.
    async fn send<Io: Read + Write>(&self, link: &mut Link<'_, '_, '_, Io>) -> Result<(), Lost> {
        while !link.sent.is_full() && link.mqtt.can_publish(QoS::AtLeastOnce) {
            let mut outbox = self.outbox.lock().await;
            let Some(record) = outbox.next().await else { break };
            drop(outbox);
            let Written { topic, payload, beside } = self.written(&record);
            let properties = properties(beside.as_ref());
            let reading =
                Publication::text(&topic, &payload).qos(QoS::AtLeastOnce).properties(&properties);
            match with_timeout(ANSWER_MAX, link.mqtt.publish(reading)).await.map_err(timed_out)? {
                Ok(Some(op)) => {
                    self.saw(&Event::Sent { record: &record, topic: &topic, payload: &payload });
                    // Fits: there are never more than the outbox lets go.
                    let _ = link.sent.push(Sent { op, record, at: Instant::now() });
                }
                // A broker without QoS 1: what it was sent is all that can be known.
                Ok(None) => {
                    self.saw(&Event::Sent { record: &record, topic: &topic, payload: &payload });
                    self.acknowledged(&record).await;
                }
                Err(
                    PubError::Payload(())
                    | PubError::Session(
                        Error::NotReady | Error::Resource(ResourceError::BufferTooSmall),
                    ),
                ) if !is_idle(link) => {
                    // No room beside those under way: when one of them is acknowledged.
                    self.outbox.lock().await.put_back(&record);
                    break;
                }
                refused => {
                    published(refused)?;
                }
            }
        }
        Ok(())
    }

    fn written(&self, record: &Record) -> Written {
        let remote = self.remote.borrow();
        let at = self.clock.time_of(record, self.identity.boot);
        let (payload, beside) = match remote.format {
            Format::Text => (payload::text(record.celsius), Some(Beside::of(record, at))),
            Format::Json => (payload::json(record, at), None),
        };
        Written { topic: remote.topic.clone(), payload, beside }
    }

    /// Takes note of what the broker has acknowledged.
    async fn settle<Io: Read + Write>(&self, link: &mut Link<'_, '_, '_, Io>) {
        let mut index: usize = 0;
        while let Some(sent) = link.sent.get(index) {
            if link.mqtt.is_complete(&sent.op) {
                let record = link.sent.remove(index).record;
                self.acknowledged(&record).await;
                if link.state_due == Instant::MAX {
                    link.state_due = Instant::now();
                }
            } else {
                index = index.saturating_add(1);
            }
        }
    }

    async fn acknowledged(&self, record: &Record) {
        self.outbox.lock().await.acknowledged(record).await;
        self.acknowledged.set(self.acknowledged.get().saturating_add(1));
        self.last.set(Some(record.celsius));
        self.saw(&Event::Acknowledged { record });
    }

    /// Whether the connection ends by this error.
    fn failed<Io: Read + Write>(
        &self,
        mqtt: &Connection<'_, '_, Io>,
        sent: &[Sent],
        error: &Error<Io::Error>,
    ) -> Option<Lost> {
        match error {
            // An answer to a reading tells no longer which of those it ended were good ones: they
            // are sent again, and a key that is known already is kept once.
            Error::Peer(PeerError::Rejected(code))
                if mqtt.is_connected() && sent.iter().all(|sent| !mqtt.is_complete(&sent.op)) =>
            {
                self.saw(&Event::Refused { code: *code });
                None
            }
            other => Some(lost(other)),
        }
    }

    /// Does what a message asks for, and tells the state when that is due.
    async fn hear<Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
        heard: Option<&Message>,
    ) -> Result<(), Lost> {
        match heard {
            Some(Message::Set(text)) => self.change_settings(link, text).await,
            Some(Message::HomeAssistantIsBack) => link.announcement_due = true,
            Some(Message::Other) | None => {}
        }
        // One at a time, when nothing else is under way: then there is room for it.
        if !is_idle(link) {
            return Ok(());
        }
        if let Some(refused) = link.settings_due.take() {
            return self.tell_settings(link, refused).await;
        }
        if core::mem::take(&mut link.announcement_due) {
            self.announce(link).await?;
        }
        if Instant::now() >= link.state_due {
            link.state_due = Instant::now() + STATE_PERIOD;
            self.tell_state(link).await?;
        }
        Ok(())
    }

    async fn change_settings<Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
        text: &[u8],
    ) {
        let before = self.remote.borrow().clone();
        let refused = match remote::parse(text, &before) {
            Ok(new) => {
                self.apply(&before, new).await;
                None
            }
            Err(error) => Some(error),
        };
        let now = self.remote.borrow().clone();
        self.saw(&Event::Settings { remote: &now, refused });
        link.settings_due = Some(refused);
        link.announcement_due |= now.topic != before.topic || now.format != before.format;
    }

    async fn apply(&self, before: &Remote, new: Remote) {
        if *before == new {
            // A retained message comes again with each connection: flash is not worn out by it.
            return;
        }
        // Not kept is not lost: the broker retains it.
        let _ = self.keeper.lock().await.keep(self.identity.settings, &new).await;
        let period_changed = before.period_millis != new.period_millis;
        *self.remote.borrow_mut() = new;
        if period_changed {
            self.period_changed.signal(());
        }
    }

    async fn take_leave<Io: Read + Write>(&self, link: &mut Link<'_, '_, '_, Io>) {
        // Out of time: the last will says the same.
        let _ =
            self.publish(link, Publication::text(&self.topic(STATUS), "offline").retain()).await;
        let _ = with_timeout(ANSWER_MAX, link.mqtt.disconnect()).await.map_err(timed_out);
    }
}

/// A reading as it goes out.
struct Written {
    topic: String<TOPIC_LEN_MAX>,
    payload: String<{ payload::PAYLOAD_LEN_MAX }>,
    /// Where the payload has no place for it.
    beside: Option<Beside>,
}

fn properties(beside: Option<&Beside>) -> Vec<Property<'_>, 3> {
    let mut properties = Vec::new();
    if let Some(Beside { time, boot, seq }) = beside {
        let time = time.as_deref().map(|time| (property::TIME, time));
        let key = [(property::BOOT, &**boot), (property::SEQ, &**seq)];
        let all = time.into_iter().chain(key);
        properties.extend(all.map(|(name, value)| Property::UserProperty(name, value)));
    }
    properties
}

/// Whether the broker has acknowledged everything.
fn is_idle<Io: Read + Write>(link: &Link<'_, '_, '_, Io>) -> bool {
    link.mqtt.session().is_publish_quiescent()
}

/// What came, taken out of the packet so that the connection can go on.
#[allow(clippy::large_enum_variant, reason = "there is no heap to put it on")]
enum Message {
    Set(Vec<u8, { remote::LEN_MAX }>),
    HomeAssistantIsBack,
    Other,
}

impl Message {
    fn of(message: &minimq::InboundPublish<'_>, set: &str) -> Self {
        if message.topic() == set {
            // Longer than any settings: cut, it is refused as well.
            let len = message.payload().len().min(remote::LEN_MAX);
            let text = message.payload().get(..len).unwrap_or_default();
            Self::Set(Vec::from_slice(text).unwrap_or_default())
        } else if message.topic() == HOME_ASSISTANT_STATUS && message.payload() == b"online" {
            Self::HomeAssistantIsBack
        } else {
            Self::Other
        }
    }
}

fn shortened(error: &impl core::fmt::Display) -> String<48> {
    let mut text = Cut(String::new());
    // Cut when too long: the beginning says what was wrong.
    let _ = write!(text, "{error}");
    text.0
}

struct Cut(String<48>);

impl core::fmt::Write for Cut {
    fn write_str(&mut self, text: &str) -> core::fmt::Result {
        text.chars().try_for_each(|each| self.0.push(each).map_err(|_| core::fmt::Error))
    }
}
