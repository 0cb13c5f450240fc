//! A client of an external broker as a test drives it.

use crate::soon;
use mtom_broker::client::{Change, Settings, Wishes, run};
use mtom_broker::intake::{Delivery, Intake};
use mtom_broker::outlet::Outlet;
use mtom_mqtt::target::{Spoken, Target};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

pub(crate) struct Client {
    pub(crate) deliveries: mpsc::Receiver<Delivery>,
    pub(crate) outlet: Outlet,
    changes: mpsc::Receiver<Change>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

/// Connected in MQTT 3.1.1.
pub(crate) fn connected(session_lost: bool) -> Change {
    Change::Connected { session_lost, spoken: Spoken::V3 }
}

/// What a client of `target` is started with.
pub(crate) fn settings(target: Target) -> Settings {
    Settings {
        target,
        client_id: "mtom-test".into(),
        is_kept: true,
        filters: vec!["Environ/#".into()],
        filters_wished: vec!["mtom/+/status".into()],
        filters_again: vec![],
        filters_given_up: vec![],
        receive_max: 1_000,
        is_known: false,
        will: None,
    }
}

impl Client {
    pub(crate) fn of(target: Target) -> Self {
        Self::start(settings(target))
    }

    pub(crate) fn start(settings: Settings) -> Self {
        Self::wishing(settings, Wishes::none())
    }

    pub(crate) fn wishing(settings: Settings, wishes: Wishes) -> Self {
        let (intake, deliveries) = Intake::new(64, |topic| topic.starts_with("Environ/"));
        let (change, changes) = mpsc::channel(64);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        let changed = move |what| change.try_send(what).unwrap();
        let (outlet, outgoings) = Outlet::external();
        tasks.spawn(run(settings, intake, outgoings, wishes, changed, || 0.0, stop.clone()));
        Self { deliveries, changes, outlet, stop, tasks }
    }

    pub(crate) async fn change(&mut self) -> Change {
        soon("a change of the connection", self.changes.recv()).await.unwrap()
    }

    pub(crate) async fn end(mut self) {
        self.stop.cancel();
        soon("the end", async { while self.tasks.join_next().await.is_some() {} }).await;
    }
}
