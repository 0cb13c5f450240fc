//! What a board does after it was written: its log, until it works.
//!
//! A sensor works when its first reading has arrived: two witnesses can say so, the broker, where
//! it can be heard, and the board's own log. An actuator works when it answers.

use crate::{Failure, report};
use anyhow::anyhow;
use mtom_flash::log::Log;
use mtom_protocol::link::keyed::Forged;
use mtom_protocol::link::{Led, Report};
use serde_json::Value;
use std::ops::ControlFlow;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;

/// Lines of the log that wait to be shown; full: the port is not read.
const LINES_LEN: usize = 64;
/// How long the log is still shown after the first reading has arrived.
const LOG_WAIT: Duration = Duration::from_millis(500);
/// Messages of the broker that wait; full: the broker waits.
const HEARD_LEN: usize = 8;
const CLIENT_ID: &str = "mtom-flash";
/// How a sensor's log says that the broker has a reading.
const ACKNOWLEDGED: &str = "acknowledged ";

/// What proves that a board works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Proof {
    /// A reading that the broker has.
    Reading,
    /// An answer on its serial port.
    Answer,
}

/// The broker's ear: open before the board starts, so that nothing of it is missed.
pub(super) struct Ear {
    heard: mpsc::Receiver<Vec<u8>>,
}

impl Ear {
    /// Listens to what the device `id` says about itself.
    pub(super) fn open(tasks: &mut JoinSet<()>, host: String, port: u16, id: &str) -> Self {
        let (sender, heard) = mpsc::channel(HEARD_LEN);
        let topic = format!("mtom/{id}/state");
        let client_id = format!("{CLIENT_ID}-{}", std::process::id());
        tasks.spawn(async move {
            mtom_sim::listen::listen(&host, port, &client_id, &topic, sender).await;
        });
        Self { heard }
    }

    /// Forgets what an earlier firmware of the board said.
    fn forget(&mut self) {
        while self.heard.try_recv().is_ok() {}
    }

    /// The next reading that the broker has.
    async fn reading(&mut self) -> String {
        while let Some(payload) = self.heard.recv().await {
            if let Some(reading) = last_of(&payload) {
                return reading;
            }
        }
        std::future::pending().await
    }
}

/// Shows the log until the proof is there, `wait` is over or the user has seen enough.
pub(super) async fn until_it_works(
    mut log: Log,
    mut ear: Option<Ear>,
    proof: Proof,
    wait: Duration,
    stop: &CancellationToken,
) -> Result<(), Failure> {
    if let Some(ear) = &mut ear {
        ear.forget();
    }
    if !log.was_reset() {
        report::line("this port cannot reset the board: press RESET (EN) on it now");
    }
    let started = Instant::now();
    let (sender, mut lines) = mpsc::channel(LINES_LEN);
    let mut tasks = JoinSet::new();
    tasks.spawn_blocking(move || follow(&mut log, proof, &sender));
    let mut seen = Seen { proof, last: None };
    let outcome = loop {
        tokio::select! {
            () = stop.cancelled() => {
                report::line(&format!("stopped: {} was not seen", seen.wanted()));
                break Ok(());
            }
            () = sleep_until(started + wait) => {
                break Err(Failure::Failed(seen.nothing_after(wait)));
            }
            reading = arrived(&mut ear) => {
                // What the board has said before may come later by its cable than the reading by the network.
                let last = Instant::now() + LOG_WAIT;
                while let Ok(Some(line)) = timeout_at(last, lines.recv()).await {
                    report::line(&format!("  {line}"));
                }
                say_first(&reading, started);
                break Ok(());
            }
            line = lines.recv() => match line {
                Some(line) => {
                    report::line(&format!("  {line}"));
                    if seen.proves(line, started) {
                        break Ok(());
                    }
                }
                None => {
                    let text = "the board went away after it was written: plug it in again and look at its log";
                    break Err(Failure::Failed(anyhow!(text)));
                }
            },
        }
    };
    drop(lines);
    while tasks.join_next().await.is_some() {}
    outcome
}

fn follow(log: &mut Log, proof: Proof, lines: &mpsc::Sender<String>) {
    let followed = log.follow(proof == Proof::Answer, |line| match line {
        Some(line) if lines.blocking_send(line.to_owned()).is_err() => ControlFlow::Break(()),
        None if lines.is_closed() => ControlFlow::Break(()),
        _ => ControlFlow::Continue(()),
    });
    if let Err(error) = followed {
        tracing::debug!("the port: {error}");
    }
}

async fn arrived(ear: &mut Option<Ear>) -> String {
    match ear {
        Some(ear) => ear.reading().await,
        None => std::future::pending().await,
    }
}

/// What the log has said so far.
struct Seen {
    proof: Proof,
    /// The last line that says where it hangs.
    last: Option<String>,
}

impl Seen {
    /// True when this line is the proof; it is said then.
    fn proves(&mut self, line: String, started: Instant) -> bool {
        let proven = match self.proof {
            Proof::Reading => acknowledged(&line).map(|reading| say_first(reading, started)),
            Proof::Answer => answered(&line).map(|text| report::line(&text)),
        };
        self.last = Some(line);
        proven.is_some()
    }

    fn wanted(&self) -> &'static str {
        match self.proof {
            Proof::Reading => "its first reading",
            Proof::Answer => "its first answer",
        }
    }

    fn nothing_after(&self, wait: Duration) -> anyhow::Error {
        let seconds = wait.as_secs_f32();
        let wanted = self.wanted();
        match &self.last {
            None => anyhow!(
                "{wanted} was not seen within {seconds} s, and the board says nothing: press RESET (EN) on it, or flash it again"
            ),
            Some(last) => anyhow!(
                "{wanted} was not seen within {seconds} s; {}\nthe last it said: {last}",
                hint(last)
            ),
        }
    }
}

fn say_first(reading: &str, started: Instant) {
    let seconds = started.elapsed().as_secs_f32();
    report::line(&format!("first reading {reading} after {seconds:.1} s"));
}

/// What to do about a log that ends so.
fn hint(last: &str) -> &'static str {
    let last = last.to_lowercase();
    if last.contains("panic") || last.contains("exception") {
        "its firmware has crashed: flash it again, and report the log"
    } else if last.contains("wifi") || last.contains("network") {
        "it has no network: check --wifi-ssid and the password; the network must have 2.4 GHz"
    } else {
        "it does not reach the broker: check --broker, that the broker listens for more than this computer, and the firewall"
    }
}

/// `… acknowledged 21.4 °C` of a sensor's log.
fn acknowledged(line: &str) -> Option<&str> {
    let (_, reading) = line.split_once(ACKNOWLEDGED)?;
    reading.starts_with(|first: char| first == '-' || first.is_ascii_digit()).then_some(reading)
}

/// The reading in what a sensor publishes about itself.
fn last_of(payload: &[u8]) -> Option<String> {
    let state: Value = serde_json::from_slice(payload).ok()?;
    let last = state.get("last")?.as_str()?;
    // It comes from outside and goes to a terminal.
    Some(last.chars().filter(|each| !each.is_control()).collect())
}

/// `= c 0 TEMP_LED 1.0` in words.
fn answered(line: &str) -> Option<String> {
    match Report::parse(line.as_bytes()) {
        Ok(Report::State { led, number, name, version }) => {
            let led = if led == Led::On { "on" } else { "off" };
            Some(format!("{name} {version} answers: LED {led}, last command {number}"))
        }
        // It has a key and tells nobody without it how it is; that it says so is proof enough.
        Ok(Report::Refused { reason }) if Forged::of_reason(reason) == Some(Forged::Untagged) => {
            Some("the board answers, and obeys only who has its key".into())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
