//! MQTT 3.1.1.

use super::{
    Broken, GREETING_MAX, Happened, Incoming, Options, Outgoing, Receipt, Taking, Untaken, refused,
};
use crate::dial::dial;
use crate::fault::Refusal;
use crate::target::Target;
use rumqttc::{
    AckMode, AsyncClient, ConnectReturnCode, ConnectionError, Event, EventLoop, LastWill,
    MqttOptions, NetworkOptions, Packet, Publish, PublishOptions, QoS, StateError, SubscribeFilter,
    SubscribeReasonCode,
};
use std::io;

pub(super) struct Connection {
    client: AsyncClient,
    events: EventLoop,
}

impl Connection {
    pub(super) fn new(target: &Target, ours: &Options) -> Self {
        let (host, port) = (target.endpoint.host.as_str(), target.endpoint.port);
        let mut options = MqttOptions::new(&ours.client_id, (host, port));
        let packet_len_max = usize::try_from(ours.packet_len_max).unwrap_or(usize::MAX);
        options
            .set_keep_alive(ours.keep_alive_seconds)
            .set_clean_session(!ours.is_kept)
            .set_inflight(ours.unanswered_max)
            .set_max_packet_size(packet_len_max, packet_len_max);
        if ours.acknowledges_by_hand {
            options.set_ack_mode(AckMode::Manual);
        }
        if let Some(will) = &ours.will {
            let Outgoing { topic, payload, acknowledged, retain, properties: _ } = will;
            let will = LastWill::new(topic, payload.clone(), qos(*acknowledged), *retain);
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
        let (client, mut events) =
            AsyncClient::builder(options).capacity(ours.requests_len).build();
        let mut network = NetworkOptions::new();
        network.set_connection_timeout(GREETING_MAX.as_secs());
        events.set_network_options(network);
        Self { client, events }
    }

    pub(super) async fn next(&mut self) -> Result<Happened, Broken> {
        match self.events.poll().await {
            Ok(Event::Incoming(packet)) => Ok(happened(packet)),
            Ok(Event::Outgoing(_)) => Ok(Happened::Other),
            Err(ConnectionError::ConnectionRefused(code)) => Err(refused(refusal(code))),
            Err(ConnectionError::NetworkTimeout) => Err(Broken::Silent),
            Err(ConnectionError::MqttState(StateError::AwaitPingResp)) => Err(Broken::Silent),
            Err(ConnectionError::MqttState(StateError::ConnectionAborted)) => Err(Broken::closed()),
            Err(other) => Err(Broken::Error(other.into())),
        }
    }

    pub(super) fn subscribe(&self, filters: &[&str], acknowledged: bool) -> Result<(), String> {
        let qos = qos(acknowledged);
        let filters = filters.iter().map(|filter| SubscribeFilter::new((*filter).into(), qos));
        let asked = self.client.try_subscribe_many(filters.collect::<Vec<_>>());
        asked.map_err(|error| error.to_string())
    }

    pub(super) fn unsubscribe(&self, filter: &str) -> Result<(), String> {
        self.client.try_unsubscribe(filter).map_err(|error| error.to_string())
    }

    pub(super) fn publish(&self, outgoing: Outgoing) -> Result<Taking, String> {
        let Outgoing { topic, payload, acknowledged, retain, properties: _ } = outgoing;
        let options = PublishOptions::new(qos(acknowledged)).retain(retain);
        let notice = self.client.try_publish_tracked(topic, payload, options);
        let notice = notice.map_err(|error| error.to_string())?;
        Ok(Box::pin(async move {
            let taken = notice.wait_completion_async().await;
            // It has no word for a refusal.
            taken.map(drop).map_err(|error| Untaken::Lost(error.to_string()))
        }))
    }

    pub(super) fn acknowledge(&self, receipt: &Publish) -> Result<(), String> {
        self.client.try_ack(receipt).map_err(|error| error.to_string())
    }

    pub(super) fn disconnect(&self) -> Result<(), String> {
        self.client.try_disconnect().map_err(|error| error.to_string())
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
        Packet::PubAck(_) => Happened::Taken,
        Packet::Publish(publish) => Happened::Message(Incoming {
            payload: publish.payload.clone(),
            retained_copy: publish.retain,
            topic: publish.topic.clone(),
            receipt: (publish.qos != QoS::AtMostOnce).then(|| Receipt::V3(Box::new(publish))),
            properties: Vec::new(),
        }),
        Packet::UnsubAck(_) => Happened::GivenUp,
        _ => Happened::Other,
    }
}

fn granted(code: SubscribeReasonCode) -> Result<u8, String> {
    match code {
        SubscribeReasonCode::Success(qos) => Ok(qos as u8),
        SubscribeReasonCode::Failure => Err("MQTT 3.1.1 gives no reason".into()),
    }
}

fn refusal(code: ConnectReturnCode) -> Refusal {
    match code {
        ConnectReturnCode::RefusedProtocolVersion => Refusal::Version,
        ConnectReturnCode::BadClientId => Refusal::ClientId,
        ConnectReturnCode::BadUserNamePassword => Refusal::Credentials,
        ConnectReturnCode::NotAuthorized => Refusal::NotAuthorized,
        ConnectReturnCode::Success | ConnectReturnCode::ServiceUnavailable => {
            Refusal::Other(format!("{code:?}"))
        }
    }
}
