//! Switches that are reached over the gateway's broker: one connection each.
//!
//! The session is clean and commands are not retained, so a broker keeps no command of ours for a device that
//! is away. What this module knows is MQTT; what to say when is [`switch`].

pub(crate) mod address;
mod switch;

use crate::backoff::Backoff;
use crate::pump::{changed, wait};
use crate::report::{Desired, LinkState};
use crate::session::{Memory, Voice};
use crate::settings::{Broker, Settings};
use address::MqttAddress;
use rumqttc::{
    AsyncClient, ConnectReturnCode, Event, EventLoop, Incoming, MqttOptions, PublishOptions, QoS,
    SubscribeFilter, SubscribeReasonCode,
};
use std::time::Duration;
use switch::{Heard, Message, Switch};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A broker that is silent for one and a half of these is gone.
const KEEP_ALIVE_SECONDS: u16 = 5;
/// The longest message of a device, in bytes.
const PACKET_LEN_MAX: usize = 256 * 1024;
/// Requests on their way to the socket: subscriptions, one command, a question, the end.
const REQUESTS_LEN: usize = 16;
/// What a last command and the end of the connection may take.
const FAREWELL_MAX: Duration = Duration::from_millis(500);

/// Brings the newest of `desired` to the switch until `stop`.
pub(crate) async fn run(
    settings: &Settings,
    address: &MqttAddress,
    desired: &mut watch::Receiver<Option<Desired>>,
    voice: &Voice<'_>,
    stop: &CancellationToken,
) {
    let Some(broker) = &settings.broker else {
        let reason = "the readings come from another gateway, so there is no broker to reach it by";
        voice.link(LinkState::Away, format!("{}: {reason}", settings.link));
        return stop.cancelled().await;
    };
    let mut backoff = Backoff::new(settings.backoff_min, settings.backoff_max, Backoff::seed());
    let mut memory = Memory::default();
    let mut why = String::new();
    loop {
        voice.link(LinkState::Connecting, why.clone());
        let began = Instant::now();
        let mut connection = Connection::new(broker);
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            opened = timeout(settings.connect_timeout, connection.open(address)) => opened,
        };
        match opened {
            Ok(Ok(kept)) => {
                let mut switch = Switch::new(settings, address, voice, &mut memory, Instant::now());
                for publish in &kept {
                    connection.hear(&mut switch, publish, address, settings, voice);
                }
                match connection.talk(&mut switch, desired, (settings, address, voice), stop).await
                {
                    None => return,
                    Some(reason) => {
                        why = format!("{}: {reason}", settings.link);
                        voice.link(LinkState::Broken, why.clone());
                    }
                }
                backoff.held(began.elapsed());
            }
            Ok(Err(reason)) => {
                why = format!("{}: {reason}", settings.link);
                voice.link(LinkState::Away, why.clone());
            }
            Err(_) => {
                let limit = settings.connect_timeout;
                why = format!("{}: the broker does not answer within {limit:?}", settings.link);
                voice.link(LinkState::Away, why.clone());
            }
        }
        tokio::select! {
            () = stop.cancelled() => return,
            () = sleep(backoff.pause()) => {}
        }
    }
}

struct Connection {
    client: AsyncClient,
    events: EventLoop,
}

impl Connection {
    fn new(broker: &Broker) -> Self {
        // Nobody else's, or the broker would end the other's connection [MQTT-3.1.4-2].
        let name = format!("mtom-{:016x}", Backoff::seed());
        let mut options = MqttOptions::new(name, (broker.host.as_str(), broker.port));
        options
            .set_keep_alive(KEEP_ALIVE_SECONDS)
            .set_clean_session(true)
            .set_max_packet_size(PACKET_LEN_MAX, PACKET_LEN_MAX);
        if let Some((user, password)) = &broker.credentials {
            options.set_credentials(user, password.clone());
        }
        let (client, events) = AsyncClient::builder(options).capacity(REQUESTS_LEN).build();
        Self { client, events }
    }

    /// Connects and subscribes; what came before the answer to that.
    async fn open(&mut self, address: &MqttAddress) -> Result<Vec<rumqttc::Publish>, String> {
        let mut kept = Vec::new();
        loop {
            match self.events.poll().await {
                Ok(Event::Incoming(Incoming::ConnAck(ack))) => {
                    if ack.code != ConnectReturnCode::Success {
                        return Err(format!("the broker refuses us: {:?}", ack.code));
                    }
                    let topics = address.heard().chain([address.set.as_str()]);
                    let filters =
                        topics.map(|topic| SubscribeFilter::new(topic.into(), QoS::AtLeastOnce));
                    let asked = self.client.try_subscribe_many(filters.collect::<Vec<_>>());
                    asked.map_err(|error| format!("cannot subscribe: {error}"))?;
                }
                Ok(Event::Incoming(Incoming::SubAck(ack))) => {
                    return if ack.return_codes.contains(&SubscribeReasonCode::Failure) {
                        Err("the broker does not let us hear its topics".into())
                    } else {
                        Ok(kept)
                    };
                }
                Ok(Event::Incoming(Incoming::Publish(publish))) => {
                    // Few topics, and a kept message each: more is somebody's noise.
                    if kept.len() < REQUESTS_LEN {
                        kept.push(publish);
                    }
                }
                Ok(_) => {}
                Err(error) => return Err(format!("no connection to the broker: {error}")),
            }
        }
    }

    /// Serves until the connection ends, and says why; `None`: it was stopped.
    async fn talk(
        &mut self,
        switch: &mut Switch<'_>,
        desired: &mut watch::Receiver<Option<Desired>>,
        (settings, address, voice): (&Settings, &MqttAddress, &Voice<'_>),
        stop: &CancellationToken,
    ) -> Option<String> {
        // The last command: answered by the broker before this, or the connection is of no use.
        let mut unanswered: Option<Instant> = None;
        loop {
            switch.desire(*desired.borrow_and_update());
            let now = Instant::now();
            switch.poll(now);
            if unanswered.is_some_and(|until| until <= now) {
                return Some(format!(
                    "the broker does not answer within {:?}",
                    settings.write_timeout
                ));
            }
            if unanswered.is_none()
                && let Some(message) = switch.next(now)
            {
                if let Err(reason) = self.publish(message, address) {
                    return Some(reason);
                }
                switch.sent(message, now);
                unanswered = Some(now + settings.write_timeout);
            }
            let due = [switch.due(now), unanswered].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    switch.desire(*desired.borrow_and_update());
                    self.farewell(switch, address).await;
                    return None;
                }
                event = self.events.poll() => match event {
                    Ok(Event::Incoming(Incoming::Publish(publish))) => {
                        self.hear(switch, &publish, address, settings, voice);
                    }
                    Ok(Event::Incoming(Incoming::PubAck(_))) => unanswered = None,
                    Ok(_) => {}
                    Err(error) => return Some(format!("the connection to the broker ended: {error}")),
                },
                () = changed(desired) => {}
                () = wait(due) => {}
            }
        }
    }

    fn hear(
        &self,
        switch: &mut Switch<'_>,
        publish: &rumqttc::Publish,
        address: &MqttAddress,
        settings: &Settings,
        voice: &Voice<'_>,
    ) {
        let Ok(topic) = std::str::from_utf8(&publish.topic) else { return };
        let heard = Heard { topic, payload: &publish.payload, is_kept: publish.retain };
        if !switch.hear(heard, Instant::now()) && topic == address.set && publish.retain {
            let reason = format!(
                "{}: the broker keeps a command on {topic}, which the device obeys whenever it connects; \
                 clear it with mosquitto_pub -r -n -t '{topic}'",
                settings.link
            );
            voice.link(LinkState::Up, reason);
        }
    }

    fn publish(&self, message: Message, address: &MqttAddress) -> Result<(), String> {
        let (topic, payload) = match (message, &address.ask) {
            (Message::Ask, Some((topic, payload))) => (topic.as_str(), *payload),
            (Message::Ask, None) => return Ok(()),
            (Message::Set(Desired { led, .. }), _) => (address.set.as_str(), address.payload(led)),
        };
        // Not retained: a broker must not tell it to a device that comes later.
        let options = PublishOptions::new(QoS::AtLeastOnce);
        let published = self.client.try_publish(topic, payload.to_owned(), options);
        published.map_err(|error| format!("cannot publish: {error}"))
    }

    /// Publishes what is wanted last, if the broker takes it at once, and closes in good order.
    async fn farewell(&mut self, switch: &mut Switch<'_>, address: &MqttAddress) {
        let now = Instant::now();
        if let Some(message @ Message::Set(_)) = switch.next(now)
            && self.publish(message, address).is_ok()
        {
            switch.sent(message, now);
        }
        if self.client.try_disconnect().is_ok() {
            let ended = async { while self.events.poll().await.is_ok() {} };
            // Later than this nobody waits for it.
            let _ = timeout(FAREWELL_MAX, ended).await;
        }
    }
}
