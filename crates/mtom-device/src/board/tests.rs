use super::{GRACE, Log, Pulse, feed_while_alive, id_of};
use crate::actuator::{FEED_EVERY, Watchdog};
use crate::record::{DeciCelsius, Record, Taken};
use crate::remote::Remote;
use crate::sensor::{Event, Witness as _};
use crate::settings::Settings;
use core::cell::Cell;
use embassy_time::{Duration, Instant, Timer, with_timeout};

const PERIOD: Duration = Duration::from_secs(2);
const RECORD: Record =
    Record { boot: 1, seq: 2, celsius: DeciCelsius(214), taken: Taken::Uptime(3) };

struct Counted<'a>(&'a Cell<u64>);

impl Watchdog for Counted<'_> {
    fn feed(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

fn on_a_paused_clock(test: impl Future<Output = ()>) {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(mtom_time::run(test));
}

#[test]
fn a_device_without_an_id_is_named_after_its_address() {
    assert_eq!(id_of([0x0a, 0xb1, 0, 0xff, 9, 0x10]), "mtom-0ab100ff0910");
}

#[test]
fn a_loop_that_stands_still_is_dead_after_its_period_and_the_grace() {
    let pulse = Pulse::new(PERIOD, Instant::from_secs(10));
    let end = Instant::from_secs(10) + PERIOD + GRACE;
    assert!(pulse.is_alive(end));
    assert!(!pulse.is_alive(end + Duration::from_ticks(1)));
    pulse.beat(end);
    assert!(pulse.is_alive(end + PERIOD));
}

#[test]
fn a_watchdog_is_fed_until_the_loop_stands_still() {
    on_a_paused_clock(async {
        let pulse = Pulse::new(PERIOD, Instant::now());
        let fed = Cell::new(0);
        let feeding = feed_while_alive(&pulse, Counted(&fed));
        assert!(with_timeout(Duration::from_secs(600), feeding).await.is_err());
        let seconds = (PERIOD + GRACE).as_secs() / FEED_EVERY.as_secs();
        assert!((seconds..=seconds + 1).contains(&fed.get()), "fed {} times", fed.get());
    });
}

#[test]
fn each_measurement_is_a_sign_of_life_and_an_acknowledgement_is_none() {
    on_a_paused_clock(async {
        let pulse = Pulse::new(PERIOD, Instant::now());
        Timer::after(PERIOD + GRACE + PERIOD).await;
        Log(&pulse).saw(&Event::Acknowledged { record: &RECORD });
        assert!(!pulse.is_alive(Instant::now()));
        Log(&pulse).saw(&Event::Measured { record: &RECORD });
        assert!(pulse.is_alive(Instant::now()));
    });
}

#[test]
fn a_longer_period_that_comes_over_mqtt_does_not_look_like_death() {
    on_a_paused_clock(async {
        let pulse = Pulse::new(PERIOD, Instant::now());
        let hour = Settings { period_millis: 3_600_000, ..Settings::default() };
        let remote = Remote::of(&hour);
        Log(&pulse).saw(&Event::Settings { remote: &remote, refused: None });
        assert!(pulse.is_alive(Instant::now() + Duration::from_secs(3_600)));
    });
}
