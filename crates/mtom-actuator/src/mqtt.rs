//! Switches that are reached over the gateway's broker: one connection each.
//!
//! The session is clean and commands are not retained, so a broker keeps no command of ours for a device that
//! is away. What this module knows is MQTT; what to say when is [`switch`].

pub(crate) mod address;
mod sparkplug;
mod switch;

use crate::backoff::Backoff;
use crate::pump::{changed, wait};
use crate::report::{Desired, LinkState};
use crate::session::{Memory, Voice};
use crate::settings::Settings;
use address::MqttAddress;
use mtom_mqtt::connection::{Connection as Mqtt, Event, Incoming, Options, Outgoing};
use mtom_mqtt::fault::Fault;
use mtom_mqtt::target::{Spoken, Target, Versions};
use sparkplug::Metric;
use std::time::Duration;
use switch::{Heard, Message, Switch};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

/// A broker that is silent for one and a half of these is gone.
const KEEP_ALIVE_SECONDS: u16 = 5;
/// The longest message of a device, in bytes.
const PACKET_LEN_MAX: u32 = 256 * 1024;
/// Requests on their way to the socket: subscriptions, one command, a question, the end.
const REQUESTS_LEN: usize = 16;
/// Messages of a device that the broker sends ahead of our acknowledgements, which leave at once.
const RECEIVE_MAX: u16 = 64;
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
    let mut versions = Versions::new(broker.version);
    let mut why = String::new();
    loop {
        voice.link(LinkState::Connecting, why.clone());
        let began = Instant::now();
        let spoken = versions.next();
        let mut connection = Connection::new(broker, spoken);
        let opened = tokio::select! {
            biased;
            () = stop.cancelled() => return,
            opened = timeout(settings.connect_timeout, connection.open(address)) => opened,
        };
        match opened {
            Ok(Ok(kept)) => {
                versions.greeted(spoken);
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
            Ok(Err(fault)) => {
                why = format!("{}: no connection to the broker: {fault}", settings.link);
                if versions.failed(spoken, &fault) {
                    continue;
                }
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

struct Connection(Mqtt);

impl Connection {
    fn new(broker: &Target, spoken: Spoken) -> Self {
        let options = Options {
            // Nobody else's, or the broker would end the other's connection [MQTT-3.1.4-2].
            client_id: format!("mtom-{:016x}", Backoff::seed()),
            is_kept: false,
            acknowledges_by_hand: false,
            receive_max: RECEIVE_MAX,
            keep_alive_seconds: KEEP_ALIVE_SECONDS,
            packet_len_max: PACKET_LEN_MAX,
            requests_len: REQUESTS_LEN,
            unanswered_max: 4,
            will: None,
        };
        Self(Mqtt::new(broker, spoken, &options))
    }

    /// Connects and subscribes; what came before the answer to that.
    async fn open(&mut self, address: &MqttAddress) -> Result<Vec<Incoming>, Fault> {
        let mut kept = Vec::new();
        loop {
            match self.0.next().await? {
                Event::Connected { .. } => {
                    let topics = address.heard().chain([address.set.as_str()]);
                    self.0.subscribe(&topics.collect::<Vec<_>>(), true)?;
                }
                Event::Subscribed { refused } => {
                    return match refused.first() {
                        Some((filter, reason)) => Err(Fault::Ended(format!(
                            "it does not let us hear {filter} ({reason})"
                        ))),
                        None => Ok(kept),
                    };
                }
                Event::Message(message) => {
                    // Few topics, and a kept message each: more is somebody's noise.
                    if kept.len() < REQUESTS_LEN {
                        kept.push(message);
                    }
                }
                Event::Unsubscribed { .. }
                | Event::Taken
                | Event::NotTaken { .. }
                | Event::Other => {}
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
                if let Err(reason) = self.publish(message, switch.alias(), address, voice) {
                    return Some(reason);
                }
                switch.sent(message, now);
                unanswered = address.metric.is_none().then_some(now + settings.write_timeout);
            }
            let due = [switch.due(now), unanswered].into_iter().flatten().min();
            tokio::select! {
                biased;
                () = stop.cancelled() => {
                    switch.desire(*desired.borrow_and_update());
                    self.farewell(switch, address, voice).await;
                    return None;
                }
                event = self.0.next() => match event {
                    Ok(Event::Message(message)) => {
                        self.hear(switch, &message, address, settings, voice);
                    }
                    Ok(Event::Taken) => unanswered = None,
                    Ok(Event::NotTaken { reason }) => {
                        let set = &address.set;
                        return Some(format!(
                            "the broker does not let us publish on {set} ({reason}): allow it to broker.username"
                        ));
                    }
                    Ok(_) => {}
                    Err(fault) => return Some(format!("the connection to the broker ended: {fault}")),
                },
                () = changed(desired) => {}
                () = wait(due) => {}
            }
        }
    }

    fn hear(
        &self,
        switch: &mut Switch<'_>,
        message: &Incoming,
        address: &MqttAddress,
        settings: &Settings,
        voice: &Voice<'_>,
    ) {
        let Some(topic) = message.topic() else { return };
        let is_kept = message.retained_copy;
        let heard = Heard { topic, payload: &message.payload, is_kept };
        if !switch.hear(heard, Instant::now()) && topic == address.set && is_kept {
            let reason = format!(
                "{}: the broker keeps a command on {topic}, which the device obeys whenever it connects; \
                 clear it with mosquitto_pub -r -n -t '{topic}'",
                settings.link
            );
            voice.link(LinkState::Up, reason);
        }
    }

    fn publish(
        &self,
        message: Message,
        alias: Option<u64>,
        address: &MqttAddress,
        voice: &Voice<'_>,
    ) -> Result<(), String> {
        let now = (voice.clock)();
        let (topic, payload) = match (message, &address.ask, &address.metric) {
            (Message::Ask, Some((topic, _)), Some(_)) => (topic, Metric::rebirth(now)),
            (Message::Ask, Some((topic, payload)), None) => (topic, payload.as_bytes().to_vec()),
            (Message::Ask, None, _) => return Ok(()),
            (Message::Set(Desired { led, .. }), _, Some(metric)) => {
                (&address.set, metric.command(led, alias, now))
            }
            (Message::Set(Desired { led, .. }), _, None) => {
                (&address.set, address.payload(led).as_bytes().to_vec())
            }
        };
        let outgoing = Outgoing {
            topic: topic.to_owned(),
            payload: payload.into(),
            // Commands of Sparkplug are at QoS 0 [tck-id-payloads-dcmd-qos]: the node's own word is the answer.
            acknowledged: address.metric.is_none(),
            // A broker must not tell it to a device that comes later.
            retain: false,
            properties: Vec::new(),
        };
        // That it was taken is heard as any other event.
        self.0.publish(outgoing).map(drop).map_err(|fault| fault.to_string())
    }

    /// Publishes what is wanted last, if the broker takes it at once, and closes in good order.
    async fn farewell(
        &mut self,
        switch: &mut Switch<'_>,
        address: &MqttAddress,
        voice: &Voice<'_>,
    ) {
        let now = Instant::now();
        if let Some(message @ Message::Set(_)) = switch.next(now)
            && self.publish(message, switch.alias(), address, voice).is_ok()
        {
            switch.sent(message, now);
        }
        if self.0.disconnect().is_ok() {
            let ended = async { while self.0.next().await.is_ok() {} };
            // Later than this nobody waits for it.
            let _ = timeout(FAREWELL_MAX, ended).await;
        }
    }
}
