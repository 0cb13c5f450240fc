use super::Finder;
use crate::address::LinkAddress;
use crate::address::bluetooth::BluetoothId;
use crate::bluetooth::trouble::Trouble;
use crate::bluetooth::{Kind, Radio, Sighting};
use crate::report::LinkState;
use std::collections::VecDeque;
use std::future::pending;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::io::{DuplexStream, duplex};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};

const LED: &str = "C6:55:44:33:22:11";
const OTHER: &str = "D0:00:00:00:00:01";
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// What a connection attempt comes to.
#[derive(Clone, Copy)]
enum Attempt {
    Works,
    Hangs,
    Fails,
}

/// A stack that does as it is told, and writes down what it is asked for.
#[derive(Clone, Default)]
struct Scripted {
    /// Each search sees these, so long after it has begun.
    seen: Vec<(Duration, Sighting)>,
    /// In the first search nothing is seen.
    deaf_once: bool,
    trouble: Option<Trouble>,
    /// How often there is that trouble; without a number, for ever.
    troubles_left: Option<u32>,
    attempts: Arc<Mutex<VecDeque<Attempt>>>,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    fn seeing(seen: &[(u64, &str, &str)]) -> Self {
        let sighting = |(millis, id, name): &(u64, &str, &str)| {
            let (id, name) = (id.parse().unwrap(), Some((*name).to_owned()));
            let (kind, has_service) = (Kind::Le, Some(true));
            let sighting = Sighting { id, name, kind, signal_dbm: Some(-40), has_service };
            (Duration::from_millis(*millis), sighting)
        };
        Self { seen: seen.iter().map(sighting).collect(), ..Self::default() }
    }

    fn attempting(self, attempts: &[Attempt]) -> Self {
        self.attempts.lock().unwrap().extend(attempts);
        self
    }

    fn ask(&self, what: &str) {
        self.asked.lock().unwrap().push(what.to_owned());
    }

    fn asked(&self) -> String {
        std::mem::take(&mut *self.asked.lock().unwrap()).join(", ")
    }

    fn finder(&self, link: &str) -> Finder<Self> {
        self.remembering(link, None)
    }

    fn remembering(&self, link: &str, id: Option<&str>) -> Finder<Self> {
        let address = match link.parse().unwrap() {
            LinkAddress::Ble(address) | LinkAddress::Spp(address) => address,
            other => panic!("{other}"),
        };
        let id = id.map(|id| id.parse().unwrap());
        Finder::new(self.clone(), Kind::Le, &address, id, CONNECT_TIMEOUT)
    }
}

impl Radio for Scripted {
    type Stream = DuplexStream;
    const RESTART: Duration = Duration::from_secs(3);

    async fn look(&mut self, seen: mpsc::Sender<Sighting>) -> Trouble {
        self.ask("look");
        if let Some(trouble) = self.trouble.clone()
            && self.troubles_left != Some(0)
        {
            self.troubles_left = self.troubles_left.map(|left| left - 1);
            return trouble;
        }
        if std::mem::take(&mut self.deaf_once) {
            return pending().await;
        }
        let began = Instant::now();
        for (after, sighting) in self.seen.clone() {
            tokio::time::sleep_until(began + after).await;
            let _ = seen.send(sighting).await;
        }
        pending().await
    }

    async fn connect(&mut self, id: &BluetoothId) -> Result<DuplexStream, String> {
        self.ask(&format!("connect {id}"));
        let attempt = self.attempts.lock().unwrap().pop_front();
        match attempt.unwrap_or(Attempt::Works) {
            Attempt::Works => Ok(duplex(64).0),
            Attempt::Hangs => pending().await,
            Attempt::Fails => Err("le-connection-abort-by-local".into()),
        }
    }

    async fn disconnect(&mut self, id: &BluetoothId) {
        self.ask(&format!("disconnect {id}"));
    }

    async fn power_cycle(&mut self) -> Result<(), String> {
        self.ask("power cycle");
        Ok(())
    }
}

/// Opens once: how it ended, how long it took, and what was said.
async fn open(finder: &mut Finder<Scripted>) -> (Result<(), String>, Duration, Vec<LinkState>) {
    let (began, said) = (Instant::now(), Mutex::new(Vec::new()));
    let say = |state| said.lock().unwrap().push(state);
    let opened = finder.open(&say).await.map(drop);
    (opened, began.elapsed(), said.into_inner().unwrap())
}

#[tokio::test(start_paused = true)]
async fn a_device_is_searched_then_connected_to() {
    let radio = Scripted::seeing(&[(100, OTHER, "OTHER"), (200, LED, "TEMP_LED")]);
    let (opened, took, said) = open(&mut radio.finder(&format!("ble:{LED}"))).await;
    assert_eq!(opened, Ok(()));
    assert_eq!(said, [LinkState::Searching, LinkState::Connecting]);
    assert_eq!((took, radio.asked()), (ms(200), format!("look, connect {LED}")));
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[tokio::test(start_paused = true)]
async fn an_adapter_that_searches_for_somebody_who_is_gone_is_waited_for() {
    let busy = |left| Scripted {
        trouble: Some(Trouble::Busy("already in progress".into())),
        troubles_left: left,
        ..Scripted::seeing(&[(200, LED, "TEMP_LED")])
    };
    let link = format!("ble:{LED}");
    let (opened, took, _) = open(&mut busy(Some(3)).finder(&link)).await;
    assert_eq!((opened, took), (Ok(()), ms(1_700)));
    let (opened, took, _) = open(&mut busy(None).finder(&link)).await;
    assert!(opened.unwrap_err().contains("already in progress"));
    assert_eq!(took, ms(15_000));
}

#[tokio::test(start_paused = true)]
async fn a_name_is_asked_for_once_and_then_remembered() {
    let radio = Scripted::seeing(&[(200, LED, "TEMP_LED")]);
    let mut finder = radio.finder("ble:TEMP_LED");
    // Another of the name would have been heard within two seconds.
    let (opened, took, _) = open(&mut finder).await;
    assert_eq!((opened, took), (Ok(()), ms(2_200)));
    assert_eq!(finder.remembered().map(ToString::to_string).as_deref(), Some(LED));
    let (opened, took, _) = open(&mut finder).await;
    assert_eq!((opened, took), (Ok(()), ms(200)));
}

#[tokio::test(start_paused = true)]
async fn two_devices_of_one_name_are_told_apart_and_asked_about() {
    let radio = Scripted::seeing(&[(200, LED, "TEMP_LED"), (1_900, OTHER, "TEMP_LED")]);
    let (opened, _, said) = open(&mut radio.finder("ble:TEMP_LED")).await;
    let reason = "2 devices call themselves TEMP_LED: C6:55:44:33:22:11 and D0:00:00:00:00:01; \
                  choose one by its address, as in ble:C6:55:44:33:22:11";
    assert_eq!((opened, said), (Err(reason.into()), vec![LinkState::Searching]));
    assert_eq!(radio.asked(), "look");
    // With an address, or with one remembered, there is nothing to ask.
    assert_eq!(open(&mut radio.finder(&format!("ble:{OTHER}"))).await.0, Ok(()));
    assert_eq!(open(&mut radio.remembering("ble:TEMP_LED", Some(OTHER))).await.0, Ok(()));
    assert_eq!(radio.asked(), format!("look, connect {OTHER}, look, connect {OTHER}"));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_takes_the_name_of_another_is_not_driven() {
    let radio = Scripted::seeing(&[(200, OTHER, "TEMP_LED")]);
    let (opened, ..) = open(&mut radio.remembering("ble:TEMP_LED", Some(LED))).await;
    let reason = format!(
        "TEMP_LED was {LED} until now, which is not in reach; {OTHER} calls itself so too: to take \
         that one write ble:{OTHER}"
    );
    assert_eq!(opened, Err(reason));
}

#[tokio::test(start_paused = true)]
async fn a_search_is_begun_anew_every_three_seconds_and_given_up_after_twelve() {
    let radio = Scripted::default();
    let (opened, took, _) = open(&mut radio.finder("ble:TEMP_LED")).await;
    let reason = "TEMP_LED not found within 12s; is it on, and in reach?";
    assert_eq!((opened, took), (Err(reason.into()), ms(12_000)));
    assert_eq!(radio.asked(), "look, look, look, look");
}

#[tokio::test(start_paused = true)]
async fn what_the_first_search_does_not_see_the_second_one_does() {
    let mut radio = Scripted::seeing(&[(0, LED, "TEMP_LED")]);
    radio.deaf_once = true;
    let (opened, took, _) = open(&mut radio.finder(&format!("ble:{LED}"))).await;
    assert_eq!((opened, took), (Ok(()), ms(3_000)));
}

#[tokio::test(start_paused = true)]
async fn a_device_without_the_service_is_named() {
    let mut radio = Scripted::seeing(&[(0, LED, "TEMP_LED")]);
    for (_, sighting) in &mut radio.seen {
        sighting.has_service = Some(false);
    }
    let (opened, ..) = open(&mut radio.finder("ble:TEMP_LED")).await;
    let reason =
        format!("TEMP_LED is in reach at {LED}, but offers no UART service over Bluetooth LE");
    assert_eq!(opened, Err(reason));
    // Whoever gives the address knows better.
    assert_eq!(open(&mut radio.finder(&format!("ble:{LED}"))).await.0, Ok(()));
}

#[tokio::test(start_paused = true)]
async fn a_device_that_hangs_is_let_go_of_by_force_and_searched_again() {
    let radio = Scripted::seeing(&[(0, LED, "TEMP_LED")]).attempting(&[Attempt::Hangs]);
    let mut finder = radio.finder(&format!("ble:{LED}"));
    let (opened, took, _) = open(&mut finder).await;
    let reason = format!("{LED} is in reach and does not answer within 5s");
    assert_eq!((opened, took), (Err(reason), CONNECT_TIMEOUT));
    assert_eq!(radio.asked(), format!("look, connect {LED}, disconnect {LED}"));
}

#[tokio::test(start_paused = true)]
async fn an_adapter_is_switched_off_and_on_as_the_last_resort_and_only_where_allowed() {
    for (link, cycles) in [("?power=cycle", 1), ("", 0)] {
        let radio = Scripted::seeing(&[(0, LED, "TEMP_LED")]).attempting(&[Attempt::Fails; 4]);
        let mut finder = radio.finder(&format!("ble:{LED}{link}"));
        for _ in 0..5 {
            drop(open(&mut finder).await);
        }
        let asked = radio.asked();
        assert_eq!(asked.matches("power cycle").count(), cycles, "{asked}");
        if cycles == 1 {
            let after = asked.split_once("power cycle").unwrap();
            assert_eq!(after.0.matches("connect C6").count() / 2, 3, "{asked}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_device_that_is_merely_away_costs_nobody_the_adapter() {
    let radio = Scripted::default();
    let mut finder = radio.finder("ble:TEMP_LED?power=cycle");
    for _ in 0..10 {
        assert!(open(&mut finder).await.0.is_err());
    }
    assert!(!radio.asked().contains("power cycle"));
}

#[tokio::test(start_paused = true)]
async fn trouble_of_this_computer_ends_the_search_at_once_with_the_next_step() {
    let radio = Scripted { trouble: Some(Trouble::Blocked), ..Scripted::default() };
    let (opened, took, _) = open(&mut radio.finder("ble:TEMP_LED")).await;
    let reason = "Bluetooth is blocked: rfkill unblock bluetooth";
    assert_eq!((opened, took), (Err(reason.into()), Duration::ZERO));
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_was_being_made_is_given_up_in_order() {
    let radio = Scripted::seeing(&[(0, LED, "TEMP_LED")]).attempting(&[Attempt::Hangs]);
    let mut finder = radio.finder(&format!("ble:{LED}"));
    tokio::select! {
        _ = open(&mut finder) => unreachable!(),
        () = sleep(ms(1_000)) => {}
    }
    finder.leave().await;
    assert_eq!(radio.asked(), format!("look, connect {LED}, disconnect {LED}"));
    finder.leave().await;
    assert_eq!(radio.asked(), "");
}
