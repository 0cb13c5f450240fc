//! A broker is killed and its link is cut, again and again, while numbered readings are published: what the broker
//! delivered and we acknowledged is stored, each once; what a broker loses by itself is told apart.
//!
//! The same check runs against bugs that are planted, and has to catch them.

use crate::account::{Account, stored};
use crate::broker::{Broker, End, Kind};
use crate::link::{Link, Planted};
use crate::mtom::Mtom;
use crate::publisher::publish;
use crate::{LIMIT, soon};
use mtom_mqtt::target::Spoken;
use std::collections::BTreeSet;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Readings that go through between two faults.
const FLOW: u64 = 20;
/// NATS that delivers nothing for so long has fallen silent.
const SILENCE: Duration = Duration::from_secs(3);
/// One broker at a time: some take a processor for a while.
static TURN: Mutex<()> = Mutex::const_new(());

/// What is done to it.
struct Plan {
    kind: Kind,
    spoken: Spoken,
    end: End,
    restarts: u32,
    cuts: u32,
    planted: Planted,
    /// It is known to lose what it has acknowledged.
    broker_may_lose: bool,
}

impl Plan {
    /// A few faults, or as many as the environment says.
    fn new(kind: Kind, spoken: Spoken, end: End) -> Self {
        let restarts = number("MTOM_BROKERS_RESTARTS", if kind == Kind::RabbitMq { 1 } else { 3 });
        let cuts = number("MTOM_BROKERS_CUTS", 10);
        let planted = Planted::Nothing;
        Self { kind, spoken, end, restarts, cuts, planted, broker_may_lose: false }
    }

    fn title(&self) -> String {
        let Self { kind, spoken, end, restarts, cuts, .. } = self;
        let how = if *end == End::Killed { "kill -9" } else { "SIGTERM" };
        format!("{kind:?}, {spoken}: {restarts} restarts ({how}), {cuts} cuts")
    }
}

fn number(variable: &str, few: u32) -> u32 {
    std::env::var(variable).map_or(few, |number| number.parse().unwrap())
}

/// Carries the plan out; `None`: the broker is not installed.
async fn account(plan: &Plan) -> Option<Account> {
    let _turn = TURN.lock().await;
    let mut broker = tokio::task::block_in_place(|| Broker::start(plan.kind))?;
    let link = Link::to(broker.address, plan.planted).await;
    let dir = tempfile::tempdir().unwrap();
    let url = format!("broker.url=mqtt://{}", link.address);
    let version = match (plan.kind, plan.spoken) {
        // They know no other, which is found out anew on each connection.
        (Kind::Nats | Kind::RabbitMq, _) => r#"broker.version="auto""#,
        (_, Spoken::V3) => r#"broker.version="3.1.1""#,
        (_, Spoken::V5) => r#"broker.version="5""#,
    };
    let mut gateway = Mtom::serve("gateway", dir.path(), &[&url, version, "log.level=error"]);
    soon("a connection to the broker", connected(&gateway)).await;
    let (up, is_up) = watch::channel(true);
    let (stop, stopped) = watch::channel(false);
    let mut device = JoinSet::new();
    let through = link.highest.clone();
    device.spawn(publish(broker.address, plan.spoken, (is_up, stopped), through));
    let mut watch = Watch { link: &link, is_nats: plan.kind == Kind::Nats, silences: 0 };
    let mut cuts_left = plan.cuts;
    for restart in 0..=plan.restarts {
        // As many between each two restarts.
        let cuts = cuts_left / (plan.restarts + 1 - restart);
        for _ in 0..cuts {
            watch.until("readings", async |link| link.flows(FLOW).await).await;
            watch.until("a cut", async |link| link.cut().await).await;
        }
        cuts_left -= cuts;
        if restart < plan.restarts {
            watch.until("readings", async |link| link.flows(FLOW).await).await;
            up.send_replace(false);
            tokio::task::block_in_place(|| broker.restart(plan.end));
            up.send_replace(true);
        }
    }
    watch.until("readings", async |link| link.flows(FLOW).await).await;
    stop.send_replace(true);
    let taken: BTreeSet<u64> =
        soon("the last acknowledgement", device.join_next()).await.unwrap().unwrap();
    watch
        .until("all readings", async |link| {
            if plan.broker_may_lose {
                link.is_through(*taken.last().unwrap()).await;
            } else {
                link.has_all(&taken).await;
            }
        })
        .await;
    let silences = watch.silences;
    let lost_sessions = gateway.get("/api/v1/path").await["broker_sessions_lost"].clone();
    assert!(gateway.stop("-TERM").success());
    let account = Account::new(&taken, &link.seen(), &stored(dir.path()));
    eprintln!(
        "brokers: {}: taken {}, stored {}, lost {}, twice {}, lost by the broker {} ({} of them delivered before), \
         delivered again {}, silences {silences}, sessions lost {lost_sessions}",
        plan.title(),
        account.taken,
        account.stored,
        account.lost.len(),
        account.twice.len(),
        account.lost_by_broker.len(),
        account.forgotten_after_delivery,
        account.delivered_again,
    );
    Some(account)
}

/// Waits for what has to come over the wire.
struct Watch<'a> {
    link: &'a Link,
    is_nats: bool,
    /// How often nothing came until the connection was made anew.
    silences: u32,
}

impl Watch<'_> {
    async fn until(&mut self, what: &str, event: impl AsyncFn(&Link)) {
        assert!(self.comes(event).await, "{what} never came");
    }

    /// False: not within the limit. NATS 2.9 falls silent with readings that it still has; who connects again gets
    /// them.
    async fn comes(&mut self, event: impl AsyncFn(&Link)) -> bool {
        let patience = if self.is_nats { SILENCE } else { LIMIT };
        let came = timeout(LIMIT, async {
            while timeout(patience, event(self.link)).await.is_err() {
                self.silences += 1;
                self.link.cut_now();
            }
        });
        came.await.is_ok()
    }
}

/// Its subscription is in force.
async fn connected(gateway: &Mtom) {
    loop {
        let log = gateway.get("/api/v1/log").await.to_string();
        if log.contains("connected to the broker") {
            return;
        }
        tokio::task::yield_now().await;
    }
}

/// Nothing is lost by us, nothing is stored twice; the broker itself may lose only where that is known.
async fn check(plan: Plan) {
    let Some(account) = account(&plan).await else { return };
    assert_eq!(account.lost, [0; 0], "acknowledged to the broker and not stored");
    assert_eq!(account.twice, [0; 0], "stored twice");
    assert!(
        plan.broker_may_lose || account.lost_by_broker.is_empty(),
        "the broker does not have any more: {:?}",
        account.lost_by_broker
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_3() {
    check(Plan::new(Kind::Mosquitto, Spoken::V3, End::Asked)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_5() {
    check(Plan::new(Kind::Mosquitto, Spoken::V5, End::Asked)).await;
}

/// It writes what it has a moment after it has acknowledged it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn mosquitto_killed() {
    let plan = Plan::new(Kind::Mosquitto, Spoken::V5, End::Killed);
    check(Plan { broker_may_lose: true, ..plan }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats() {
    check(Plan::new(Kind::Nats, Spoken::V3, End::Killed)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq() {
    check(Plan::new(Kind::RabbitMq, Spoken::V3, End::Killed)).await;
}

/// What waits for a subscriber is in rmqtt's memory. The readings themselves are in the history of the gateway whose
/// broker it is, before it acknowledges them.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rmqtt() {
    let plan = Plan::new(Kind::Mtom, Spoken::V5, End::Killed);
    check(Plan { broker_may_lose: true, ..plan }).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_planted_acknowledgement_before_the_commit_is_caught() {
    let plan = Plan {
        restarts: 1,
        cuts: 2,
        planted: Planted::EarlyAcknowledgement(50),
        broker_may_lose: true,
        ..Plan::new(Kind::Mosquitto, Spoken::V3, End::Asked)
    };
    let Some(account) = account(&plan).await else { return };
    // A broker that ends before it has read the acknowledgement delivers again, so it need not be all of them.
    assert!(!account.lost.is_empty(), "the check sees nothing: {account:?}");
    assert!(account.lost.iter().all(|number| number.is_multiple_of(50)), "{account:?}");
}
