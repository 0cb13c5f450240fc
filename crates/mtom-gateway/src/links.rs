//! The links to the devices: one task each, fed from the board's mailbox.
//!
//! They have a thread of their own, so that a light never waits behind a thousand viewers.

use crate::Clock;
use crate::board::Board;
use crate::known::Known;
use crate::pairing::{Desk, Pairings};
use crate::settings::Actuator;
use mtom_actuator::{Desired, LinkAddress, Report, Settings};
use mtom_mqtt::target::Target;
use std::io;
use std::pin::pin;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// How long a serial port that hangs while it opens may hold the thread at the end.
const HANGING_MAX: Duration = Duration::from_secs(2);
/// How long the thread stays awake for a command that was announced: a little longer than it takes to write
/// one. Meanwhile no link is served.
const AWAKE_MAX: Duration = Duration::from_micros(300);

/// A link that is not running yet.
pub(crate) struct Link {
    settings: Settings,
    mailbox: watch::Receiver<Option<Desired>>,
    known: Arc<Known>,
    desk: Desk,
}

/// One for each actuator, which are on the board then.
pub(crate) fn all(
    actuators: &[Actuator],
    board: &Board,
    known: &Arc<Known>,
    pairings: &Pairings,
    broker: Option<&Target>,
) -> Vec<Link> {
    let link = |actuator| Link::new(actuator, board, known, pairings, broker.cloned());
    actuators.iter().map(link).collect()
}

impl Link {
    /// Puts the actuator on the board.
    fn new(
        actuator: &Actuator,
        board: &Board,
        known: &Arc<Known>,
        pairings: &Pairings,
        broker: Option<Target>,
    ) -> Self {
        let mailbox = board.add(actuator);
        let settings = Settings {
            protocol: actuator.protocol,
            key: actuator.key.clone(),
            refresh: actuator.refresh,
            drift: actuator.drift,
            broker,
            remembered: known.of(&actuator.link),
            ..Settings::new(&actuator.name, actuator.link.clone())
        };
        let desk = pairings.desk(&actuator.name, &actuator.link);
        Self { settings, mailbox, known: Arc::clone(known), desk }
    }

    /// Drives the device until `stop`, but for the times in which it is paired.
    async fn run(mut self, board: Arc<Board>, clock: Clock, stop: CancellationToken) {
        while !stop.is_cancelled() {
            let end = stop.child_token();
            let mut driven = pin!(self.drive(Arc::clone(&board), clock.clone(), end.clone()));
            tokio::select! {
                () = &mut driven => return,
                () = self.desk.wanted() => {}
            }
            end.cancel();
            driven.await;
            self.desk.pair(&self.settings, &stop).await;
            self.settings.remembered = self.known.of(&self.settings.link);
        }
    }

    fn drive(
        &self,
        board: Arc<Board>,
        clock: Clock,
        stop: CancellationToken,
    ) -> impl Future<Output = ()> + use<> {
        let (name, link) = (self.settings.name.clone(), self.settings.link.clone());
        let known = Arc::clone(&self.known);
        let reports = move |report| match report {
            Report::Found { id } => {
                tracing::info!(actuator = name, %link, %id, "the name has led to this device");
                if let Err(error) = known.keep(&link, id) {
                    tracing::warn!(actuator = name, %error, "its device is not remembered");
                }
            }
            report => board.report(&name, report),
        };
        mtom_actuator::run(self.settings.clone(), self.mailbox.clone(), reports, clock, stop)
    }
}

/// The topics on which switches are spoken to and answer: nothing there is a reading.
pub(crate) fn topics(actuators: &[Actuator]) -> Vec<String> {
    let switches = actuators.iter().filter_map(|actuator| match &actuator.link {
        LinkAddress::Mqtt(address) => Some(address),
        _ => None,
    });
    switches.flat_map(|address| address.topics().map(str::to_owned)).collect()
}

/// Runs all of them until `stop`.
///
/// # Errors
/// When the system gives no thread.
pub(crate) fn start(
    links: Vec<Link>,
    board: &Arc<Board>,
    clock: &Clock,
    stop: &CancellationToken,
) -> io::Result<JoinHandle<()>> {
    let (board, clock, stop) = (Arc::clone(board), Arc::clone(clock), stop.clone());
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    std::thread::Builder::new().name("mtom-links".into()).spawn(move || {
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            // Where there is one processor, staying awake would take it from who writes.
            if std::thread::available_parallelism().is_ok_and(|count| count.get() > 1) {
                let awake = stay_awake(Arc::clone(&board));
                let stop = stop.clone();
                tasks.spawn(async move {
                    let _ = stop.run_until_cancelled(awake).await;
                });
            }
            for link in links {
                tasks.spawn(link.run(Arc::clone(&board), Arc::clone(&clock), stop.clone()));
            }
            while tasks.join_next().await.is_some() {}
        });
        runtime.shutdown_timeout(HANGING_MAX);
    })
}

/// Is awake before a command is there: it takes a sleeping processor about as long to wake up as it takes to
/// write the command.
async fn stay_awake(board: Arc<Board>) {
    loop {
        board.announced().await;
        // Not the gateway's clock: that one may stand still, or be set back.
        let begun = Instant::now();
        while board.is_coming() && begun.elapsed() < AWAKE_MAX {
            std::hint::spin_loop();
        }
    }
}
