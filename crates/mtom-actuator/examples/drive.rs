//! Drives one LED over one link and prints what happens: `drive LINK on|off…`, as in
//! `cargo run -p mtom-actuator --example drive -- ble:TEMP_LED on off`.
//!
//! Ends with 0 when the device has said of each state that its LED is so, one after the other.

#![allow(clippy::print_stdout, reason = "it talks to the person who typed it")]

use mtom_actuator::{Desired, LinkAddress, Report, Settings, run};
use mtom_protocol::link::Led;
use mtom_protocol::time::UnixMicros;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

/// How long finding the device and obeying may take.
const LIMIT: Duration = Duration::from_secs(60);
/// What happened and was not printed yet. Full: it is not printed.
const REPORTS_LEN: usize = 64;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let link = arguments.next().unwrap_or_default();
    let states: Option<Vec<Led>> = arguments.map(|word| led(&word)).collect();
    let (Ok(link), Some(states)) = (link.parse::<LinkAddress>(), states) else {
        println!("expected a link and states, as in: drive ble:TEMP_LED on off");
        return ExitCode::from(64);
    };
    let (desired, wanted) = watch::channel(None);
    let (sender, mut reports) = mpsc::channel(REPORTS_LEN);
    let report = move |report| drop(sender.try_send(report));
    let stop = CancellationToken::new();
    let clock = Arc::new(|| UnixMicros(0));
    let drive = async {
        for led in states {
            let want = |number| desired.send_replace(Some(Desired { led, number }));
            let mut wanted = desired.borrow().map_or(0, |last| last.number) + 1;
            want(wanted);
            let obeyed = async {
                while let Some(report) = reports.recv().await {
                    println!("{report:?}");
                    match report {
                        Report::Applied { led: is, number, .. }
                            if (is, number) == (led, wanted) =>
                        {
                            return true;
                        }
                        // It remembers a higher number than we begin with.
                        Report::Ahead { number, .. } => {
                            wanted = number + 1;
                            want(wanted);
                        }
                        _ => {}
                    }
                }
                false
            };
            if !timeout(LIMIT, obeyed).await.unwrap_or(false) {
                println!("it has not obeyed within {LIMIT:?}");
                return ExitCode::FAILURE;
            }
        }
        ExitCode::SUCCESS
    };
    let link = run(Settings::new("drive", link), wanted, report, clock, stop.clone());
    let stopped = async {
        let code = drive.await;
        stop.cancel();
        code
    };
    tokio::join!(link, stopped).1
}

fn led(word: &str) -> Option<Led> {
    match word {
        "on" => Some(Led::On),
        "off" => Some(Led::Off),
        _ => None,
    }
}
