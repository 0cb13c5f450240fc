//! A device that goes without a word, step by step: what is said of the link, what the stack is asked
//! for, and when. The time is paused, so every limit is exact.

use super::NOW;
use super::stack::{Answer, Device, Log, Stack, Turn};
use crate::opener::Opener;
use crate::report::{Clock, Desired, Report};
use crate::run::drive;
use crate::session::Voice;
use crate::settings::{Protocol, Settings};
use expect_test::expect;
use mtom_protocol::link::Led;
use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// A device that is told how it is to be, connection by connection; then it is well.
#[derive(Default)]
struct Scripted {
    /// So many searches in which it is not in reach.
    searches_in_vain: u32,
    turns: VecDeque<Turn>,
    /// On so many connections it answers nothing.
    deaf: u32,
    connections: u32,
}

impl Device for Scripted {
    fn is_in_reach(&mut self) -> bool {
        let is_in_vain = self.connections > 0 && self.searches_in_vain > 0;
        self.searches_in_vain -= u32::from(is_in_vain);
        !is_in_vain
    }

    fn connect(&mut self) -> Turn {
        self.connections += 1;
        self.turns.pop_front().unwrap_or(Turn::Opens)
    }

    fn line(&mut self, line: &str) -> Answer {
        if self.connections <= self.deaf {
            return Answer::Dies;
        }
        let said = if line == "?" { "= c 0 LED 1".into() } else { line.to_owned() };
        Answer::Says(format!("{said}\n"))
    }
}

/// A device that answers one question on each connection and then nothing more.
#[derive(Default)]
struct Talkative {
    lines: u32,
}

impl Device for Talkative {
    fn connect(&mut self) -> Turn {
        self.lines = 0;
        Turn::Opens
    }

    fn line(&mut self, _: &str) -> Answer {
        self.lines += 1;
        if self.lines > 1 { Answer::Dies } else { Answer::Says("= c 0 LED 1\n".into()) }
    }
}

/// Runs the link until the device has obeyed, or for `limit`, and tells what happened in lines.
async fn told(device: impl Device, settings: &Settings, limit: Duration) -> Vec<String> {
    let (began, log) = (Instant::now(), Log::default());
    let (_desired, mut wanted) = watch::channel(Some(Desired { led: Led::On, number: 1 }));
    let stop = CancellationToken::new();
    let report = {
        let (log, stop) = (Arc::clone(&log), stop.clone());
        move |report| match report {
            Report::Link { state, reason } => {
                let line = format!("{state:?} {reason}").trim_end().to_owned();
                log.lock().unwrap().push((began.elapsed(), line));
            }
            Report::Applied { .. } => stop.cancel(),
            _ => {}
        }
    };
    let clock: Clock = Arc::new(|| NOW);
    let voice = Voice { report: &report, clock: &clock, draw: || None };
    let stack = Stack::new(device, settings.write_timeout, Arc::clone(&log));
    let opener = Opener::over(Box::new(stack.finder(settings)), settings);
    let driven = drive(opener, settings, &mut wanted, &voice, &stop);
    // Not in time is what some want to see.
    let _ = timeout(limit, driven).await;
    let log = log.lock().unwrap();
    log.iter().map(|(at, line)| format!("{:04.1} {line}", at.as_secs_f64())).collect()
}

/// Without pauses between the tries, so that every time is known.
fn at_once(link: &str) -> Settings {
    let backoff_min = Duration::ZERO;
    let defaults = Settings::new("LED", link.parse().unwrap());
    Settings { protocol: Protocol::Second, backoff_min, backoff_max: backoff_min, ..defaults }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_goes_without_a_word_is_let_go_of_and_searched_until_it_is_back() {
    let turns = VecDeque::from([Turn::Opens, Turn::Hangs]);
    let device = Scripted { searches_in_vain: 2, turns, deaf: 1, connections: 0 };
    let told = told(device, &at_once("ble:C6:55:44:33:22:11"), Duration::from_secs(100)).await;
    expect![[r#"
        00.0 Searching
        00.0   look
        00.1 Connecting
        00.1   connect
        02.1 Broken ble:C6:55:44:33:22:11: write failed: the device does not answer a write within 2s
        02.1   disconnect
        02.1 Searching ble:C6:55:44:33:22:11: write failed: the device does not answer a write within 2s
        02.1   look
        05.1   look
        08.1   look
        08.2 Connecting ble:C6:55:44:33:22:11: write failed: the device does not answer a write within 2s
        08.2   connect
        13.2   disconnect
        13.2 Away ble:C6:55:44:33:22:11: C6:55:44:33:22:11 is in reach and does not answer within 5s
        13.2 Searching ble:C6:55:44:33:22:11: C6:55:44:33:22:11 is in reach and does not answer within 5s
        13.2   look
        13.3 Connecting ble:C6:55:44:33:22:11: C6:55:44:33:22:11 is in reach and does not answer within 5s
        13.3   connect
        13.3 Up
        13.3   disconnect"#]].assert_eq(&told.join("\n"));
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_connects_to_nobody_is_switched_off_and_on_only_where_that_is_allowed() {
    for (option, cycles) in [("?power=cycle", 1), ("", 0)] {
        let device = Scripted { deaf: 4, ..Scripted::default() };
        let settings = at_once(&format!("ble:C6:55:44:33:22:11{option}"));
        let told = told(device, &settings, Duration::from_secs(100)).await.join("\n");
        assert_eq!(told.matches("power cycle").count(), cycles, "{told}");
        if let Some((before, _)) = told.split_once("power cycle") {
            assert_eq!(before.matches("Broken").count(), 3, "{told}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_speaks_now_and_then_costs_nobody_the_adapter() {
    let device = Talkative::default();
    let settings = at_once("ble:C6:55:44:33:22:11?power=cycle");
    let told = told(device, &settings, Duration::from_secs(100)).await.join("\n");
    assert!(told.matches("Broken").count() > 9, "{told}");
    assert!(!told.contains("power cycle"), "{told}");
}

#[tokio::test(start_paused = true)]
async fn tries_that_come_to_nothing_are_made_every_half_minute_in_the_end() {
    let device = Scripted { deaf: u32::MAX, ..Scripted::default() };
    let settings = Settings {
        protocol: Protocol::Second,
        ..Settings::new("LED", "ble:C6:55:44:33:22:11".parse().unwrap())
    };
    let told = told(device, &settings, Duration::from_secs(600)).await;
    let at = |word: &str| -> Vec<f64> {
        let lines = told.iter().filter(|line| line.contains(word));
        lines.map(|line| line.trim_start().split(' ').next().unwrap().parse().unwrap()).collect()
    };
    let (broken, searching) = (at("Broken"), at("Searching"));
    let pauses: Vec<f64> =
        broken.iter().zip(searching.iter().skip(1)).map(|(from, to)| to - from).collect();
    assert!(pauses.first().unwrap() < &0.4, "{pauses:?}");
    let last = &pauses[pauses.len() - 5..];
    assert!(last.iter().all(|pause| (14.9..=30.1).contains(pause)), "{pauses:?}");
}
