//! The links to the devices: one task each, fed from the board's mailbox.

use crate::Clock;
use crate::board::Board;
use crate::settings::Actuator;
use mtom_actuator::{Desired, Settings};
use std::sync::Arc;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

/// A link that is not running yet.
pub(crate) struct Link {
    settings: Settings,
    mailbox: watch::Receiver<Option<Desired>>,
}

impl Link {
    /// Puts the actuator on the board.
    pub(crate) fn new(actuator: &Actuator, board: &Board) -> Self {
        let mailbox = board.add(actuator);
        let settings = Settings {
            protocol: actuator.protocol,
            refresh: actuator.refresh,
            ..Settings::new(&actuator.name, actuator.link.clone())
        };
        Self { settings, mailbox }
    }

    /// Runs it until `stop`.
    pub(crate) fn spawn(
        self,
        tasks: &mut JoinSet<()>,
        board: &Arc<Board>,
        clock: &Clock,
        stop: &CancellationToken,
    ) {
        let (board, name) = (Arc::clone(board), self.settings.name.clone());
        let reports = move |report| board.report(&name, report);
        let clock = Arc::clone(clock);
        tasks.spawn(mtom_actuator::run(self.settings, self.mailbox, reports, clock, stop.clone()));
    }
}
