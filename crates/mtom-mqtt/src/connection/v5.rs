//! MQTT 5.
//!
//! The library keeps to [MQTT-3.2.2-4]: it takes a session that the broker has kept for us only where it has
//! the other half. Ours is always empty, since whoever publishes asks anew and whoever is published to stores
//! before acknowledging: [`Blank`] says so.

use super::{
    Broken, GREETING_MAX, Happened, Incoming, Options, Outgoing, Receipt, Taking, Untaken, refused,
};
use crate::dial::dial;
use crate::fault::{Fault, Refusal};
use crate::target::Target;
use rumqttc_v5::{
    AckMode, AsyncClient, ConnectReturnCode, ConnectionError, DisconnectReasonCode, Event,
    EventLoop, LastWill, MqttOptions, Packet, PersistedAckMode, PersistedSession, PubAckReason,
    PublishNoticeError, PublishOptions, PublishProperties, QoS, SessionStore, SessionStoreError,
    SessionStoreKey, StateError, SubscribeFilter, SubscribeReasonCode,
};
use std::io;
use std::pin::Pin;

/// The broker keeps our session until we come back, as 3.1.1 has it [MQTT-5.0 §3.1.2.11.2].
const NEVER_EXPIRES: u32 = u32::MAX;

pub(super) struct Connection {
    client: AsyncClient,
    events: EventLoop,
}

impl Connection {
    pub(super) fn new(target: &Target, ours: &Options) -> Self {
        let (host, port) = (target.endpoint.host.as_str(), target.endpoint.port);
        let mut options = MqttOptions::new(&ours.client_id, (host, port));
        options
            .set_keep_alive(ours.keep_alive_seconds)
            .set_clean_start(!ours.is_kept)
            .set_session_expiry_interval(ours.is_kept.then_some(NEVER_EXPIRES))
            .set_receive_maximum(Some(ours.receive_max.max(1)))
            .set_max_packet_size(Some(ours.packet_len_max))
            .set_outgoing_inflight_upper_limit(ours.unanswered_max)
            .set_connect_timeout(GREETING_MAX);
        if ours.acknowledges_by_hand {
            options.set_ack_mode(AckMode::Manual);
        }
        if ours.is_kept {
            options.set_session_store(Blank(ours.clone()));
        }
        if let Some(will) = &ours.will {
            let Outgoing { topic, payload, acknowledged, retain, properties: _ } = will;
            let will = LastWill::new(topic, payload.clone(), qos(*acknowledged), *retain, None);
            options.set_last_will(will);
        }
        if let Some((user, password)) = &target.credentials {
            options.set_credentials(user, password.clone());
        }
        let target = target.clone();
        options.set_socket_connector(move |_, _| {
            let target = target.clone();
            async move { dial(&target).await.map_err(io::Error::other) }
        });
        let (client, events) = AsyncClient::builder(options).capacity(ours.requests_len).build();
        Self { client, events }
    }

    pub(super) async fn next(&mut self) -> Result<Happened, Broken> {
        match self.events.poll().await {
            Ok(Event::Incoming(packet)) => Ok(happened(packet)),
            Ok(Event::Outgoing(_) | Event::Auth(_)) => Ok(Happened::Other),
            Err(ConnectionError::ConnectionRefused(code)) => Err(refused(refusal(code))),
            Err(ConnectionError::Timeout(_)) => Err(Broken::Silent),
            Err(ConnectionError::MqttState(StateError::AwaitPingResp)) => Err(Broken::Silent),
            Err(ConnectionError::MqttState(StateError::ConnectionAborted)) => Err(Broken::closed()),
            Err(ConnectionError::MqttState(StateError::ServerDisconnect {
                reason_code,
                reason_string,
            })) => Err(Broken::Fault(Fault::Ended(farewell(reason_code, reason_string)))),
            // It does not name its cause as one.
            Err(ConnectionError::MqttState(StateError::Deserialization(error))) => {
                Err(Broken::Error(error.into()))
            }
            Err(other) => Err(Broken::Error(other.into())),
        }
    }

    pub(super) fn subscribe(&self, filters: &[&str], acknowledged: bool) -> Result<(), String> {
        let qos = qos(acknowledged);
        let filters = filters.iter().map(|filter| SubscribeFilter::new(*filter, qos));
        let asked = self.client.try_subscribe_many(filters.collect::<Vec<_>>());
        asked.map_err(|error| error.to_string())
    }

    pub(super) fn unsubscribe(&self, filter: &str) -> Result<(), String> {
        self.client.try_unsubscribe(filter).map_err(|error| error.to_string())
    }

    pub(super) fn publish(&self, outgoing: Outgoing) -> Result<Taking, String> {
        let Outgoing { topic, payload, acknowledged, retain, properties } = outgoing;
        let mut options = PublishOptions::new(qos(acknowledged)).retain(retain);
        if !properties.is_empty() {
            options = options.properties(PublishProperties {
                user_properties: properties,
                ..Default::default()
            });
        }
        let notice = self.client.try_publish_tracked(topic, payload, options);
        let notice = notice.map_err(|error| error.to_string())?;
        Ok(Box::pin(async move {
            let taken = notice.wait_completion_async().await;
            taken.map(drop).map_err(untaken)
        }))
    }

    pub(super) fn acknowledge(&self, receipt: &rumqttc_v5::Publish) -> Result<(), String> {
        self.client.try_ack(receipt).map_err(|error| error.to_string())
    }

    pub(super) fn disconnect(&self) -> Result<(), String> {
        self.client.try_disconnect().map_err(|error| error.to_string())
    }
}

fn untaken(error: PublishNoticeError) -> Untaken {
    match error {
        PublishNoticeError::V5PubAck(reason) => Untaken::Refused(format!("{reason:?}")),
        PublishNoticeError::RetainNotSupported => Untaken::Refused(error.to_string()),
        other => Untaken::Lost(other.to_string()),
    }
}

fn qos(acknowledged: bool) -> QoS {
    if acknowledged { QoS::AtLeastOnce } else { QoS::AtMostOnce }
}

fn happened(packet: Packet) -> Happened {
    match packet {
        Packet::ConnAck(ack) => Happened::Greeted { session_present: ack.session_present },
        Packet::SubAck(ack) => {
            Happened::Answered(ack.return_codes.into_iter().map(granted).collect())
        }
        Packet::PubAck(ack) => match ack.reason {
            PubAckReason::Success | PubAckReason::NoMatchingSubscribers => Happened::Taken,
            other => Happened::NotTaken(format!("{other:?}")),
        },
        Packet::Publish(mut publish) => Happened::Message(Incoming {
            payload: publish.payload.clone(),
            retained_copy: publish.retain,
            topic: publish.topic.clone(),
            properties: publish.properties.take().unwrap_or_default().user_properties,
            receipt: (publish.qos != QoS::AtMostOnce).then(|| Receipt::V5(Box::new(publish))),
        }),
        Packet::UnsubAck(_) => Happened::GivenUp,
        _ => Happened::Other,
    }
}

fn granted(code: SubscribeReasonCode) -> Result<u8, String> {
    match code {
        SubscribeReasonCode::Success(qos) => Ok(qos as u8),
        other => Err(format!("{other:?}")),
    }
}

fn refusal(code: ConnectReturnCode) -> Refusal {
    match code {
        ConnectReturnCode::UnsupportedProtocolVersion
        | ConnectReturnCode::RefusedProtocolVersion => Refusal::Version,
        ConnectReturnCode::ClientIdentifierNotValid | ConnectReturnCode::BadClientId => {
            Refusal::ClientId
        }
        ConnectReturnCode::BadUserNamePassword => Refusal::Credentials,
        ConnectReturnCode::NotAuthorized | ConnectReturnCode::Banned => Refusal::NotAuthorized,
        other => Refusal::Other(format!("{other:?}")),
    }
}

fn farewell(code: DisconnectReasonCode, reason: Option<String>) -> String {
    let plain = |reason: String| reason.chars().filter(|c| !c.is_control()).take(200).collect();
    let reason: Option<String> = reason.map(plain);
    let more = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
    let hint = match code {
        DisconnectReasonCode::SessionTakenOver => {
            ": somebody else has our name there, set another broker.client_id"
        }
        _ => "",
    };
    format!("the broker ended the connection: {code:?}{more}{hint}")
}

/// Our half of a session: nothing is under way when a connection begins.
#[derive(Debug)]
struct Blank(Options);

type Answer<'a, T> = Pin<Box<dyn Future<Output = Result<T, SessionStoreError>> + Send + 'a>>;

impl SessionStore for Blank {
    fn load<'a>(&'a self, key: &'a SessionStoreKey) -> Answer<'a, Option<PersistedSession>> {
        let ack_mode = if self.0.acknowledges_by_hand {
            PersistedAckMode::Manual
        } else {
            PersistedAckMode::Automatic
        };
        let blank = PersistedSession {
            format_version: 1,
            client_id: key.client_id().to_owned(),
            clean_start: false,
            session_expiry_interval: Some(NEVER_EXPIRES),
            outgoing_inflight_upper_limit: Some(self.0.unanswered_max),
            ack_mode,
            last_pkid: 0,
            last_puback: 0,
            replay: Vec::new(),
            incoming_qos2: Vec::new(),
        };
        Box::pin(async move { Ok(Some(blank)) })
    }

    fn save<'a>(&'a self, _: &'a SessionStoreKey, _: &'a PersistedSession) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }

    fn clear<'a>(&'a self, _: &'a SessionStoreKey) -> Answer<'a, ()> {
        Box::pin(async { Ok(()) })
    }
}
