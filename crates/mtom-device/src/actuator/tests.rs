//! One LED and several links at once, on the virtual clock.

use super::{Actuator, FEED_EVERY, Forgetful, Memory, Pin, STUCK_MAX, VERSION, Watchdog};
use crate::flash::FlashError;
use crate::settings::Settings;
use core::cell::{Cell, RefCell};
use core::future::pending;
use embassy_futures::join::join_array;
use embassy_futures::select::select;
use embassy_time::{Duration, Instant, Timer};
use embedded_io_adapters::tokio_1::FromTokio;
use mtom_protocol::link::Led::{self, Off, On};
use mtom_protocol::link::keyed::Nonce;
use std::rc::Rc;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

mod power;

/// What the pin was told: `+` lit, `-` dark.
#[derive(Clone, Default)]
pub(super) struct Told(Rc<RefCell<String>>);

impl Told {
    pub(super) fn text(&self) -> String {
        self.0.borrow().clone()
    }
}

impl Pin for Told {
    fn set(&mut self, led: Led) {
        self.0.borrow_mut().push(if led == On { '+' } else { '-' });
    }
}

/// The gateway's end of a link.
pub(super) struct Gateway(pub(super) DuplexStream);

impl Gateway {
    pub(super) async fn say(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    pub(super) async fn hear(&mut self, expected: &str) {
        let mut bytes = vec![0; expected.len()];
        self.0.read_exact(&mut bytes).await.unwrap();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    /// Nothing comes for a second.
    pub(super) async fn hear_nothing(&mut self) {
        let wait = tokio::time::Duration::from_secs(1);
        let byte = tokio::time::timeout(wait, self.0.read_u8()).await;
        assert!(byte.is_err(), "heard {byte:?}");
    }
}

/// A device without a key asks for none.
pub(super) fn no_nonce() -> Option<Nonce> {
    panic!("nobody needs a nonce")
}

pub(super) fn settings(lease_millis: u32) -> Settings {
    Settings { lease_millis, ..Settings::default() }
}

pub(super) fn state(led: Led, number: u64) -> String {
    format!("= {led} {number} TEMP_LED {VERSION}\n")
}

/// A link that takes `room` bytes before it must be read.
pub(super) fn link(room: usize) -> (Gateway, DuplexStream) {
    let (gateway, device) = tokio::io::duplex(room);
    (Gateway(gateway), device)
}

/// Serves the links while `script` holds their other ends.
pub(super) async fn on_links<const N: usize, M: Memory>(
    actuator: &Actuator<Told, M>,
    script: impl AsyncFnOnce([Gateway; N]),
) {
    let mut devices = Vec::new();
    let gateways = core::array::from_fn(|_| {
        let (gateway, device) = link(64);
        devices.push(device);
        gateway
    });
    let mut devices = devices.into_iter();
    let served = core::array::from_fn::<_, N, _>(|_| {
        let (rx, tx) = tokio::io::split(devices.next().unwrap());
        actuator.serve(FromTokio::new(rx), FromTokio::new(tx))
    });
    select(script(gateways), async {
        join_array(served).await;
        pending::<()>().await;
    })
    .await;
}

pub(super) fn actuator(lease_millis: u32) -> (Actuator<Told, Forgetful>, Told) {
    let told = Told::default();
    (Actuator::new(&settings(lease_millis), 0, told.clone(), Forgetful, no_nonce), told)
}

#[tokio::test(start_paused = true)]
async fn each_answer_goes_to_the_link_that_asked_and_half_a_line_spoils_no_other() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut radio, mut cable]| {
            radio.say("h 4").await;
            cable.say("c 7\n?\n").await;
            cable.hear(&format!("c 7\n{}", state(Off, 7))).await;
            radio.say("2\n").await;
            radio.hear("h 42\n").await;
            // A number that the other link has brought is as old as one's own.
            cable.say("c 41\n").await;
            cable.hear(&state(On, 42)).await;
            cable.say("nonsense\nc 43\n").await;
            cable.hear("! expected h N, c N or ?\nc 43\n").await;
            radio.hear_nothing().await;
            cable.hear_nothing().await;
        })
        .await;
        assert_eq!(told.text(), "-+-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bare_byte_is_obeyed_after_its_wait_and_not_answered() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut link]| {
            link.say("h").await;
            Timer::after_millis(49).await;
            assert_eq!(told.text(), "-");
            Timer::after_millis(2).await;
            assert_eq!(told.text(), "-+");
            link.say("c").await;
            link.hear_nothing().await;
        })
        .await;
        assert_eq!(told.text(), "-+-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_end_of_the_lease_is_said_on_all_links_and_everything_that_is_asked_puts_it_off() {
    mtom_time::run(async {
        let (actuator, told) = actuator(500);
        on_links(&actuator, async |[mut radio, mut cable]| {
            radio.say("h 1\n").await;
            radio.hear("h 1\n").await;
            for _ in 0..3 {
                Timer::after_millis(400).await;
                cable.say("?\n").await;
                cable.hear(&state(On, 1)).await;
            }
            let asked_at = Instant::now();
            // Noise is no sign of a living gateway.
            Timer::after_millis(400).await;
            radio.say("x\n").await;
            radio.hear("! expected h N, c N or ?\n").await;
            radio.hear(&state(Off, 1)).await;
            assert_eq!(asked_at.elapsed(), Duration::from_millis(500));
            cable.hear(&state(Off, 1)).await;
            // Lit by the other link, long after this one has said anything.
            Timer::after_millis(2_345).await;
            cable.say("h 2\n").await;
            cable.hear("h 2\n").await;
            let lit_at = Instant::now();
            radio.hear(&state(Off, 2)).await;
            assert_eq!(lit_at.elapsed(), Duration::from_millis(500));
            cable.hear(&state(Off, 2)).await;
        })
        .await;
        assert_eq!(told.text(), "-+-+-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_safe_state_may_be_on() {
    mtom_time::run(async {
        let told = Told::default();
        let settings = Settings { safe: On, ..settings(500) };
        let actuator = Actuator::new(&settings, 0, told.clone(), Forgetful, no_nonce);
        on_links(&actuator, async |[mut link]| {
            link.say("?\nc 1\n").await;
            link.hear(&format!("{}c 1\n{}", state(On, 0), state(On, 1))).await;
        })
        .await;
        assert_eq!(told.text(), "+-+");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn the_lease_ends_while_nobody_is_connected() {
    mtom_time::run(async {
        let (actuator, told) = actuator(500);
        on_links(&actuator, async |[mut link]| {
            link.say("h 1\n").await;
            link.hear("h 1\n").await;
        })
        .await;
        let supervised = actuator.supervise(Fed::default());
        select(supervised, Timer::after_millis(499)).await;
        assert_eq!(told.text(), "-+");
        select(actuator.supervise(Fed::default()), Timer::after_millis(2)).await;
        assert_eq!(told.text(), "-+-");
    })
    .await;
}

/// Counts how often it was fed.
#[derive(Clone, Default)]
struct Fed(Rc<Cell<u32>>);

impl Watchdog for Fed {
    fn feed(&mut self) {
        self.0.set(self.0.get() + 1);
    }
}

/// A flash that never answers.
struct Hanging;

impl Memory for Hanging {
    async fn keep(&mut self, _number: u64) -> Result<(), FlashError> {
        pending().await
    }
}

#[tokio::test(start_paused = true)]
async fn a_request_that_is_stuck_starves_the_watchdog() {
    mtom_time::run(async {
        let fed = Fed::default();
        let actuator = Actuator::new(&settings(0), 0, Told::default(), Hanging, no_nonce);
        let script = on_links(&actuator, async |[mut link, mut other]| {
            Timer::after(FEED_EVERY * 100).await;
            assert!((100..=101).contains(&fed.0.get()), "fed while nothing is asked");
            // What needs no flash is no trouble.
            link.say("?\n").await;
            link.hear(&state(Off, 0)).await;
            let asked_at = fed.0.get();
            link.say("h 1\n").await;
            Timer::after(STUCK_MAX * 2).await;
            let starved_at = fed.0.get();
            assert!(starved_at <= asked_at + 6, "{asked_at} {starved_at}");
            // A link that is not stuck does not hide one that is.
            for _ in 0..20 {
                other.say("?\n").await;
                other.hear(&state(Off, 0)).await;
                Timer::after(FEED_EVERY).await;
            }
            assert_eq!(fed.0.get(), starved_at);
        });
        select(script, actuator.supervise(fed.clone())).await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_is_dropped_while_it_is_stuck_is_not_stuck_any_more() {
    mtom_time::run(async {
        let fed = Fed::default();
        let actuator = Actuator::new(&settings(0), 0, Told::default(), Hanging, no_nonce);
        on_links(&actuator, async |[mut link]| {
            link.say("h 1\n").await;
            Timer::after(STUCK_MAX * 2).await;
        })
        .await;
        select(actuator.supervise(fed.clone()), Timer::after(STUCK_MAX * 2)).await;
        assert!(fed.0.get() > 9, "{}", fed.0.get());
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_button_changes_the_led_and_every_link_says_so_at_once() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut radio, mut cable]| {
            radio.say("h 42\n").await;
            radio.hear("h 42\n").await;
            let began = Instant::now();
            for led in [Off, On] {
                actuator.press();
                radio.hear(&state(led, 42)).await;
                cable.hear(&state(led, 42)).await;
            }
            // The clock moves only when everybody waits for it.
            assert_eq!(began.elapsed(), Duration::from_ticks(0));
            // A command is above a hand.
            actuator.press();
            radio.hear(&state(Off, 42)).await;
            radio.say("h 43\n").await;
            radio.hear("h 43\n").await;
        })
        .await;
        assert_eq!(told.text(), "-+-+-+");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn what_a_button_lit_goes_out_after_a_whole_lease() {
    mtom_time::run(async {
        let (actuator, _told) = actuator(10_000);
        on_links(&actuator, async |[mut radio]| {
            radio.hear_nothing().await;
            let began = Instant::now();
            actuator.press();
            radio.hear(&state(On, 0)).await;
            radio.hear(&state(Off, 0)).await;
            assert_eq!(began.elapsed(), Duration::from_secs(10));
        })
        .await;
    })
    .await;
}
