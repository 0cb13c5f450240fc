//! What a device says about itself: its topics, its state, its settings, its introduction to Home
//! Assistant (`wire.md` §3).

use super::connection::Link;
use super::{Keeper, Lost, Sensor, Witness, timed_out};
use crate::outbox::FlashRing;
use crate::remote::RemoteError;
use crate::settings::Format;
use core::fmt::{self, Write as _};
use embassy_time::{Duration, Instant, with_timeout};
use embedded_io_async::{Read, Write};
use heapless::String;
use minimq::{Error, Op, PeerError, PubError, Publication, QoS, ToPayload};

/// Home Assistant says `online` here when it starts, and wants to hear everything again.
pub(super) const HOME_ASSISTANT_STATUS: &str = "homeassistant/status";

/// How long the broker may take to read one message.
const WRITE_MAX: Duration = Duration::from_secs(10);
/// After so many periods without a reading Home Assistant shows the sensor as unavailable.
const EXPIRE_PERIODS: u32 = 5;
/// `mtom/`, an id and `/settings`; `homeassistant/device/`, an id and `/config`.
const TOPIC_LEN_MAX: usize = 60;

/// Where the device speaks about itself and listens for itself, below `mtom/<id>/`.
pub(super) const STATUS: &str = "status";
pub(super) const SET: &str = "set";
const STATE: &str = "state";
const SETTINGS: &str = "settings";

impl<R, K, W, const RAM: usize> Sensor<'_, R, K, W, RAM>
where
    R: FlashRing,
    K: Keeper,
    W: Witness,
{
    /// One of the device's own topics; made when it is needed, because a future would keep it.
    pub(super) fn topic(&self, last: &str) -> String<TOPIC_LEN_MAX> {
        let mut topic = String::new();
        // Fits: an id has at most 32 bytes.
        let _ = write!(topic, "mtom/{}/{last}", self.identity.settings.id);
        topic
    }

    /// Publishes what is no reading.
    pub(super) async fn publish<P: ToPayload, Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
        message: Publication<'_, P>,
    ) -> Result<(), Lost> {
        published(with_timeout(WRITE_MAX, link.mqtt.publish(message)).await.map_err(timed_out)?)
    }

    /// Counts and health, for people and for `mtom flash`.
    pub(super) async fn tell_state<Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
    ) -> Result<(), Lost> {
        let outbox = self.outbox.lock().await;
        let (waiting, dropped) = (outbox.len(), outbox.dropped());
        let flash_errors = outbox.broken();
        drop(outbox);
        let clock = if self.clock.is_set() { "sntp" } else { "unset" };
        let payload = written(|out| {
            write!(
                out,
                "{{\"boot\":\"{:016x}\",\"version\":\"{}\",\"uptime_seconds\":{},\"clock\":\"{clock}\",\
                 \"acknowledged\":{},\"waiting\":{waiting},\"dropped\":{dropped},\
                 \"flash_errors\":{flash_errors}",
                self.identity.boot,
                self.identity.version,
                Instant::now().as_secs(),
                self.acknowledged.get(),
            )?;
            match self.last.get() {
                Some(last) => write!(out, ",\"last\":\"{last} °C\"}}"),
                None => out.write_str("}"),
            }
        });
        self.publish(link, Publication::new(&self.topic(STATE), payload)).await
    }

    /// The settings in force, and what was wrong with those that came.
    pub(super) async fn tell_settings<Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
        refused: Option<RemoteError>,
    ) -> Result<(), Lost> {
        let payload = written(|out| {
            let remote = self.remote.borrow();
            match refused {
                Some(refused) => write!(out, "{{{},\"refused\":\"{refused}\"}}", remote.members()),
                None => write!(out, "{remote}"),
            }
        });
        let topic = self.topic(SETTINGS);
        let message = Publication::new(&topic, payload).retain();
        self.publish(link, message.qos(QoS::AtLeastOnce)).await
    }

    /// Introduces the device to Home Assistant, where that is asked for.
    pub(super) async fn announce<Io: Read + Write>(
        &self,
        link: &mut Link<'_, '_, '_, Io>,
    ) -> Result<(), Lost> {
        if !self.identity.settings.discovery {
            return Ok(());
        }
        let mut topic = String::<TOPIC_LEN_MAX>::new();
        // Fits: an id has at most 32 bytes.
        let _ = write!(topic, "homeassistant/device/{}/config", self.identity.settings.id);
        let payload = written(|out| self.discovery(out));
        self.publish(link, Publication::new(&topic, payload).retain()).await
    }

    /// Device discovery, in its abbreviated keys.
    fn discovery(&self, out: &mut Into<'_>) -> fmt::Result {
        let (id, version) = (&self.identity.settings.id, self.identity.version);
        let remote = self.remote.borrow();
        let template = match remote.format {
            Format::Text => "{{ value.split(' ')[0] }}",
            Format::Json => "{{ value_json.temperature }}",
        };
        let expire_seconds = (remote.period_millis / 1_000).max(1).saturating_mul(EXPIRE_PERIODS);
        write!(
            out,
            "{{\"dev\":{{\"ids\":[\"{id}\"],\"name\":\"{id}\",\"mf\":\"mtom\",\"sw\":\"{version}\"}},\
             \"o\":{{\"name\":\"mtom\",\"sw\":\"{version}\"}},\
             \"avty_t\":\"mtom/{id}/status\",\
             \"cmps\":{{\"temperature\":{{\"p\":\"sensor\",\"unique_id\":\"{id}_temperature\",\
             \"default_entity_id\":\"sensor.{id}_temperature\",\"dev_cla\":\"temperature\",\
             \"stat_cla\":\"measurement\",\"unit_of_meas\":\"°C\",\"stat_t\":\"{}\",\
             \"val_tpl\":\"{template}\",\"exp_aft\":{expire_seconds}}}}}}}",
            remote.topic,
        )
    }
}

/// Why an operation of the session failed.
pub(super) fn lost<E>(error: &Error<E>) -> Lost {
    match error {
        Error::Peer(PeerError::Rejected(code)) => Lost::Refused(*code),
        Error::Peer(_) => Lost::NotMqtt,
        Error::Resource(_) => Lost::TooLarge,
        _ => Lost::Closed,
    }
}

pub(super) fn published<P, E>(result: Result<Option<Op>, PubError<P, E>>) -> Result<(), Lost> {
    match result {
        Ok(_) => Ok(()),
        Err(PubError::Session(error)) => Err(lost(&error)),
        Err(PubError::Payload(_)) => Err(Lost::TooLarge),
    }
}

/// A payload that is written straight into its packet: no second buffer for it in any future.
fn written(
    write: impl FnOnce(&mut Into<'_>) -> fmt::Result,
) -> impl FnOnce(&mut [u8]) -> Result<usize, fmt::Error> {
    |buffer| {
        let mut out = Into { buffer, len: 0 };
        write(&mut out).map(|()| out.len)
    }
}

/// Writes text into a packet.
struct Into<'b> {
    buffer: &'b mut [u8],
    len: usize,
}

impl fmt::Write for Into<'_> {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let end = self.len.saturating_add(text.len());
        let place = self.buffer.get_mut(self.len..end).ok_or(fmt::Error)?;
        place.copy_from_slice(text.as_bytes());
        self.len = end;
        Ok(())
    }
}
