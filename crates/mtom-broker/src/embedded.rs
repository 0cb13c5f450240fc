//! The embedded broker: rmqtt as a library, MQTT 3.1.1 and 5 over TCP.
//!
//! One hook authorises and hands over each publish, and rmqtt acknowledges only after it returns:
//! PUBACK and PUBREC leave after [`Delivery::safe`](crate::intake::Delivery::safe). When a message
//! cannot be made safe the connection is closed without an acknowledgement, so the device sends again.
//!
//! It surprises in three ways. rmqtt awaits the hook once per message and connection, so one
//! connection's durable rate is one message per commit. A last will does not pass the hook
//! and is never a reading. rmqtt spawns its own tasks; they live in a runtime of their own that
//! ends with [`Embedded::run`].

use crate::clients::Clients;
use crate::intake::{Intake, Manner, Message, Wanted, kept};
use crate::outlet::Outlet;
use rmqtt::codec::types::QoS;
use rmqtt::codec::v5::SubscribeAckReason;
use rmqtt::context::ServerContext;
use rmqtt::hook::{Handler, HookResult, Parameter, Register, ReturnType, Type};
use rmqtt::net::{Builder, Listener};
use rmqtt::server::MqttServer;
use rmqtt::types::{
    AuthResult, CodecPublish, FromType, Publish, PublishAclResult, Reason, SubscribeAclResult,
};
use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

mod door;
mod inside;

pub use door::Door;
pub(crate) use inside::Inside;

/// The largest MQTT packet in bytes; a client that sends more is disconnected. Room for a payload
/// of 1 MiB, which is then refused with its reason instead of by a silent disconnect.
const PACKET_LEN_MAX: u32 = 2 * 1024 * 1024;
/// How long messages in flight may take to become safe once the broker stops.
const DRAIN_MAX: Duration = Duration::from_secs(5);
/// How long the acknowledgement of what was in flight may take to be written: rmqtt tells nobody when it is.
const ACK_WAIT: Duration = Duration::from_millis(200);
/// How long rmqtt's own tasks may take to end after that.
const END_MAX: Duration = Duration::from_secs(1);
/// Unacknowledged messages towards one subscriber.
const INFLIGHT_MAX: NonZeroU16 = NonZeroU16::new(1_000).expect("1000 is not zero");
/// Messages that wait for one slow subscriber; full: rmqtt drops the newest and counts.
const SUBSCRIBER_QUEUE_LEN: usize = 10_000;
/// rmqtt's own message expiry; its default of five minutes loses what waits for a sleeping device.
const MESSAGE_EXPIRY: Duration = Duration::from_secs(24 * 60 * 60);

/// Why the broker did not start.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The address is taken, not ours, or not permitted.
    #[error("cannot listen on {address}")]
    Listen {
        /// The address asked for.
        address: SocketAddr,
        /// What the system said.
        #[source]
        cause: io::Error,
    },
    /// rmqtt or its runtime did not start.
    #[error("the embedded broker did not start: {reason}")]
    Start {
        /// rmqtt's words.
        reason: String,
    },
}

/// What the embedded broker keeps (retained messages). Cheap to clone.
#[derive(Clone)]
pub struct Kept(Inside);

impl Kept {
    /// Hands over what is kept on a topic as another broker does to whom asks for it: as a copy, through the intake.
    pub async fn hand_over(&self, topic: &str) {
        self.0.hand_over_kept(topic).await;
    }
}

/// A broker that listens and does not accept yet.
pub struct Embedded {
    runtime: OwnRuntime,
    server: MqttServer,
    // Dropping it takes the hook away.
    hooks: Box<dyn Register>,
    address: SocketAddr,
    gate: Gate,
    inside: Inside,
}

impl Embedded {
    /// Binds `listen`; port 0 chooses one, see [`Embedded::address`]. `clients` says who is let in.
    ///
    /// # Errors
    /// [`BindError`].
    pub async fn bind(
        listen: SocketAddr,
        intake: Intake,
        clients: Clients,
    ) -> Result<Self, BindError> {
        let start = |cause: &dyn std::fmt::Display| BindError::Start { reason: cause.to_string() };
        let runtime = OwnRuntime::new().map_err(|cause| start(&cause))?;
        let gate = Gate {
            intake,
            clients,
            in_flight: TaskTracker::new(),
            closing: CancellationToken::new(),
        };
        let (door, handle) = (gate.clone(), runtime.get().handle().clone());
        let started = runtime.get().spawn(async move {
            let listener = listener(listen)?;
            let address = listener.local_addr().map_err(|cause| start(&cause))?;
            let (context, hooks) = context(door.clone()).await.map_err(|cause| start(&cause))?;
            let inside = Inside::new(handle, context.clone(), door);
            let server = MqttServer::new(context).listener_by_id(listener, 1).build();
            Ok::<_, BindError>((server, hooks, address, inside))
        });
        let (server, hooks, address, inside) =
            started.await.map_err(|panicked| start(&panicked))??;
        Ok(Self { runtime, server, hooks, address, gate, inside })
    }

    /// The way for what the gateway itself says.
    #[must_use]
    pub fn outlet(&self) -> Outlet {
        Outlet::embedded(self.inside.clone())
    }

    /// Who is let in, and who is put out.
    #[must_use]
    pub fn door(&self) -> Door {
        Door::new(self.gate.clients.clone(), self.inside.clone())
    }

    /// What it keeps.
    #[must_use]
    pub fn kept(&self) -> Kept {
        Kept(self.inside.clone())
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until `stop`, then lets the messages in flight become safe and closes every connection.
    pub async fn run(self, stop: CancellationToken) {
        let Self { mut runtime, server, hooks, gate, .. } = self;
        let Gate { in_flight, closing, .. } = gate;
        // Dropping the server's future closes the listener; its sessions live on until the end.
        let accepting = runtime.get().spawn(server.run());
        stop.cancelled().await;
        accepting.abort();
        closing.cancel();
        in_flight.close();
        let was_busy = !in_flight.is_empty();
        if tokio::time::timeout(DRAIN_MAX, in_flight.wait()).await.is_err() {
            tracing::warn!(
                "messages still in flight after {DRAIN_MAX:?}: they stay unacknowledged"
            );
        }
        if was_busy {
            tokio::time::sleep(ACK_WAIT).await;
        }
        runtime.end().await;
        // Not before: a session without the hook would acknowledge what nobody stored.
        drop(hooks);
    }
}

/// Who closes the connection at once after its DISCONNECT, as it should [MQTT-3.14.4-1], has more than one reason.
fn has_said_goodbye(reason: &Reason) -> bool {
    match reason {
        Reason::ConnectDisconnect(_) => true,
        Reason::Reasons(reasons) => reasons.iter().any(has_said_goodbye),
        _ => false,
    }
}

/// A runtime that may be dropped anywhere. A plain one panics when dropped inside another.
struct OwnRuntime(Option<Runtime>);

impl OwnRuntime {
    fn new() -> io::Result<Self> {
        let mut builder = tokio::runtime::Builder::new_multi_thread();
        builder.thread_name("mtom-broker").enable_all().build().map(|runtime| Self(Some(runtime)))
    }

    fn get(&self) -> &Runtime {
        self.0.as_ref().expect("only `end` takes it, and nothing comes after")
    }

    async fn end(&mut self) {
        if let Some(runtime) = self.0.take() {
            let ended = tokio::task::spawn_blocking(|| runtime.shutdown_timeout(END_MAX));
            if ended.await.is_err() {
                tracing::warn!("the broker's runtime did not end by itself");
            }
        }
    }
}

impl Drop for OwnRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

fn listener(address: SocketAddr) -> Result<Listener, BindError> {
    Builder::new()
        .name("mtom")
        .laddr(address)
        // A gateway that was killed comes back to its port at once.
        .reuseaddr(Some(true))
        .nodelay(true)
        // Else the gate is not asked about clients that name no user.
        .allow_anonymous(false)
        .max_packet_size(PACKET_LEN_MAX)
        .max_inflight(INFLIGHT_MAX)
        .max_mqueue_len(SUBSCRIBER_QUEUE_LEN)
        .message_expiry_interval(MESSAGE_EXPIRY)
        .bind()
        .and_then(Listener::tcp)
        .map_err(|error| match error.downcast::<io::Error>() {
            Ok(cause) => BindError::Listen { address, cause },
            Err(other) => BindError::Start { reason: other.to_string() },
        })
}

async fn context(gate: Gate) -> rmqtt::Result<(ServerContext, Box<dyn Register>)> {
    let context = ServerContext::new()
        // On a small computer its load check refuses clients; our queue is the back-pressure.
        .busy_check_enable(false)
        .plugins_config_map_add(
            "rmqtt-retainer",
            "storage.type = \"ram\"\nmax_retained_messages = 100000\nmax_payload_size = \"1MB\"\n",
        )
        .build()
        .await;
    rmqtt_retainer::register(&context, true, false).await?;
    let hooks: Box<dyn Register> = context.extends.hook_mgr().register();
    for kind in [
        Type::ClientAuthenticate,
        Type::ClientConnected,
        Type::ClientDisconnected,
        Type::ClientSubscribeCheckAcl,
        Type::MessagePublish,
        Type::MessagePublishCheckAcl,
    ] {
        hooks.add(kind, Box::new(gate.clone())).await;
    }
    hooks.start().await;
    Ok((context, hooks))
}

/// Lets clients in, authorises a publish and waits until it is safe.
#[derive(Clone)]
struct Gate {
    intake: Intake,
    clients: Clients,
    in_flight: TaskTracker,
    // Once cancelled nothing more is taken; the device keeps its message and sends it again.
    closing: CancellationToken,
}

impl Gate {
    async fn pass(&self, publish: &Publish) -> PublishAclResult {
        let _in_flight = self.in_flight.token();
        let topic: &str = &publish.topic;
        // Topics of the broker itself are not for clients [MQTT-4.7.2].
        if topic.starts_with('$') {
            return PublishAclResult::rejected(
                false,
                Some("topics with $ are the broker's".into()),
            );
        }
        let manner = if publish.retain { Manner::ToKeep } else { Manner::Now };
        if self.intake.is_aside(topic, &publish.payload, manner) {
            // Whatever is to be written of it: a connection waits here for each of its messages, and hundreds of configs
            // come through one.
            return PublishAclResult::allow();
        }
        if clears(publish) {
            return PublishAclResult::allow();
        }
        let Some(wanted) = self.intake.wants(topic, &publish.payload) else {
            return PublishAclResult::allow();
        };
        if self.hand_over(publish, wanted).await {
            PublishAclResult::allow()
        } else {
            PublishAclResult::rejected(true, None)
        }
    }

    /// True when the message is safe.
    async fn hand_over(&self, publish: &CodecPublish, wanted: Wanted) -> bool {
        let message = message(publish);
        if self.closing.is_cancelled() {
            false
        } else if publish.qos == QoS::AtMostOnce {
            self.intake.offer_wanted(message, wanted).await
        } else {
            match self.intake.offer_awaited(message, wanted).await {
                Some(receipt) => receipt.is_safe().await,
                None => false,
            }
        }
    }
}

/// An empty retained payload clears what was retained [MQTT-3.3.1-10]; it measures nothing.
fn clears(publish: &CodecPublish) -> bool {
    publish.retain && publish.payload.is_empty()
}

fn message(publish: &CodecPublish) -> Message {
    let properties = publish.properties.iter();
    let properties = properties.flat_map(|properties| &properties.user_properties);
    Message {
        topic: Arc::from(&*publish.topic),
        payload: publish.payload.clone(),
        retained_copy: false,
        properties: kept(properties.map(|(name, value)| (&**name, &**value))),
    }
}

#[async_trait::async_trait]
#[allow(elided_lifetimes_in_paths, reason = "async_trait and the trait's early-bound lifetime")]
impl Handler for Gate {
    async fn hook(&self, parameter: &Parameter, result: Option<HookResult>) -> ReturnType {
        match parameter {
            Parameter::MessagePublishCheckAcl(session, publish) => {
                let (name, topic): (&str, &str) = (&session.id.client_id, &publish.topic);
                // Whoever was put out meanwhile; its connection ends.
                let outcome = if !self.clients.may_stay(name, session.id.remote_addr) {
                    PublishAclResult::rejected(true, None)
                } else {
                    if self.intake.wanted(topic).is_some() {
                        self.clients.published(name, topic);
                    }
                    self.pass(publish).await
                };
                return (false, Some(HookResult::PublishAclResult(outcome)));
            }
            Parameter::ClientAuthenticate(connect) => {
                let id = connect.id();
                let outcome = if self.clients.lets_in(&id.client_id, id.remote_addr) {
                    AuthResult::Allow(false, None)
                } else {
                    AuthResult::NotAuthorized
                };
                return (false, Some(HookResult::AuthResult(outcome)));
            }
            Parameter::ClientSubscribeCheckAcl(session, _)
                if !self.clients.may_stay(&session.id.client_id, session.id.remote_addr) =>
            {
                let no = SubscribeAclResult::new_failure(SubscribeAckReason::NotAuthorized);
                return (false, Some(HookResult::SubscribeAclResult(no)));
            }
            // The will of one that was put out is nobody's.
            Parameter::MessagePublish(_, from, _)
                if matches!(from.typ(), FromType::LastWill)
                    && !self.clients.may_stay(&from.id.client_id, from.id.remote_addr) =>
            {
                return (false, Some(HookResult::Publish(inside::nothing())));
            }
            // A will is a message like any other; nobody waits to hear that it is safe, and it comes once.
            Parameter::MessagePublish(_, from, publish)
                if matches!(from.typ(), FromType::LastWill)
                    && !self.intake.is_aside(&publish.topic, &publish.payload, Manner::Will)
                    && !clears(publish) =>
            {
                let wanted = self.intake.wants(&publish.topic, &publish.payload);
                let _in_flight = self.in_flight.token();
                if let Some(wanted) = wanted.filter(|_| !self.closing.is_cancelled()) {
                    self.intake.offer_wanted(message(publish), wanted).await;
                }
            }
            Parameter::ClientConnected(session) => {
                self.clients.connected(&session.id.client_id, session.id.remote_addr);
            }
            Parameter::ClientDisconnected(session, reason) => {
                let id = &session.id;
                self.clients.left(&id.client_id, id.remote_addr, has_said_goodbye(reason));
            }
            _ => {}
        }
        (true, result)
    }
}
