//! A device with a key, on the virtual clock.

use crate::actuator::tests::{Gateway, Told, on_links, settings, state};
use crate::actuator::{Actuator, CONVERSATION_WAIT, Forgetful};
use crate::settings::Settings;
use embassy_time::{Duration, Timer};
use mtom_protocol::link::Led::{Off, On};
use mtom_protocol::link::keyed::{Hello, Key, Nonce, Seal};
use std::cell::Cell;
use tokio::io::AsyncReadExt;

mod forged;

thread_local! {
    static DRAWN: Cell<u64> = const { Cell::new(0) };
}

/// No two are alike on one thread.
fn draw() -> Option<Nonce> {
    let mut nonce = [0xa5; 16];
    nonce[..8].copy_from_slice(&DRAWN.replace(DRAWN.get() + 1).to_be_bytes());
    Some(Nonce(nonce))
}

fn key() -> Key {
    Key::new([7; 32])
}

fn keyed(lease_millis: u32) -> Settings {
    Settings { key: Some(key()), ..settings(lease_millis) }
}

fn actuator(lease_millis: u32) -> (Actuator<Told, Forgetful>, Told) {
    let told = Told::default();
    (Actuator::new(&keyed(lease_millis), 0, told.clone(), Forgetful, draw), told)
}

impl Gateway {
    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        loop {
            match self.0.read_u8().await.unwrap() {
                b'\n' => return String::from_utf8(line).unwrap(),
                byte => line.push(byte),
            }
        }
    }

    /// Begins a conversation as somebody who has `key`.
    async fn greet(&mut self, key: &Key) -> Seal {
        let hello = Hello(draw().unwrap());
        self.say(&format!("{hello}\n")).await;
        Seal::welcomed(key, hello, self.line().await.as_bytes()).unwrap()
    }

    async fn say_sealed(&mut self, seal: &mut Seal, text: &str) {
        self.say(&sealed(seal, text)).await;
    }

    async fn hear_sealed(&mut self, seal: &mut Seal, expected: &str) {
        let line = self.line().await;
        let text = seal.open(line.as_bytes()).unwrap_or_else(|error| panic!("{error}: {line}"));
        assert_eq!(str::from_utf8(text).unwrap(), expected.trim_end());
    }
}

fn sealed(seal: &mut Seal, text: &str) -> String {
    let mut line = String::new();
    seal.seal(text, &mut line).unwrap();
    line + "\n"
}

#[tokio::test(start_paused = true)]
async fn who_has_the_key_is_obeyed_and_believes_what_is_answered() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut link]| {
            let mut seal = link.greet(&key()).await;
            link.say_sealed(&mut seal, "?").await;
            link.hear_sealed(&mut seal, &state(Off, 0)).await;
            link.say_sealed(&mut seal, "h 42").await;
            link.hear_sealed(&mut seal, "h 42").await;
            link.say_sealed(&mut seal, "c 41").await;
            link.hear_sealed(&mut seal, &state(On, 42)).await;
            // With the key nonsense is nonsense all the same, and is answered to who has it.
            link.say_sealed(&mut seal, "on").await;
            link.hear_sealed(&mut seal, "! expected h N, c N or ?").await;
            link.say_sealed(&mut seal, "c").await;
            link.say_sealed(&mut seal, "?").await;
            link.hear_sealed(&mut seal, &state(Off, 42)).await;
        })
        .await;
        assert_eq!(told.text(), "-+-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn who_has_no_key_is_told_so_and_nothing_else() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut link]| {
            for line in ["h 42\n", "?\n", "h\n", "s\r\n", "h", "hh", "h 1 #1\n", "nonsense\n", "\n"]
            {
                link.say(line).await;
                link.hear("! key expected\n").await;
            }
            link.say("h 42 #1 0123456789ABCDEF\n").await;
            link.hear("! hello expected\n").await;
            link.greet(&key()).await;
            link.say("h 42\nh 42 #1 0123456789ABCDEF\n").await;
            link.hear("! key expected\n! wrong tag\n").await;
            link.hear_nothing().await;
        })
        .await;
        assert_eq!(told.text(), "-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_bare_byte_does_not_count_when_its_link_closes_either() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        let (mut gateway, device) = crate::actuator::tests::link(64);
        gateway.say("h").await;
        drop(gateway);
        let (rx, tx) = tokio::io::split(device);
        let rx = embedded_io_adapters::tokio_1::FromTokio::new(rx);
        actuator.serve(rx, embedded_io_adapters::tokio_1::FromTokio::new(tx)).await;
        assert_eq!(told.text(), "-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_device_without_a_key_says_that_it_has_none() {
    mtom_time::run(async {
        let (actuator, _) = crate::actuator::tests::actuator(0);
        on_links(&actuator, async |[mut link]| {
            link.say(&format!("{}\n", Hello(draw().unwrap()))).await;
            link.hear("! no key\n").await;
            // A tag is no part of its lines.
            link.say("h 42 #1 0123456789ABCDEF\n").await;
            link.hear("! expected h N, c N or ?\n").await;
        })
        .await;
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_device_that_can_draw_no_nonce_obeys_nobody() {
    mtom_time::run(async {
        let told = Told::default();
        let actuator = Actuator::new(&keyed(0), 0, told.clone(), Forgetful, || None);
        on_links(&actuator, async |[mut link]| {
            link.say(&format!("{}\nh 1\n", Hello(draw().unwrap()))).await;
            link.hear("! no random numbers\n! key expected\n").await;
        })
        .await;
        assert_eq!(told.text(), "-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_conversation_belongs_to_its_link_and_ends_with_the_next_hello() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut radio, mut cable]| {
            let mut old = radio.greet(&key()).await;
            let kept_back = sealed(&mut old, "h 1");
            cable.say(&kept_back).await;
            cable.hear("! hello expected\n").await;
            let mut on_cable = cable.greet(&key()).await;
            cable.say(&kept_back).await;
            cable.hear("! wrong tag\n").await;
            cable.say_sealed(&mut on_cable, "c 5").await;
            cable.hear_sealed(&mut on_cable, "c 5").await;
            let mut seal = radio.greet(&key()).await;
            radio.say(&kept_back).await;
            radio.hear("! wrong tag\n").await;
            radio.say_sealed(&mut seal, "?").await;
            radio.hear_sealed(&mut seal, &state(Off, 5)).await;
        })
        .await;
        assert_eq!(told.text(), "-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_line_that_was_kept_back_is_soon_worth_nothing() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        on_links(&actuator, async |[mut link]| {
            let mut seal = link.greet(&key()).await;
            Timer::after(CONVERSATION_WAIT).await;
            link.say_sealed(&mut seal, "c 1").await;
            link.hear_sealed(&mut seal, "c 1").await;
            let kept_back = sealed(&mut seal, "h 2");
            Timer::after(CONVERSATION_WAIT / 2).await;
            // What is refused keeps no conversation alive.
            link.say("h 3\n").await;
            link.hear("! key expected\n").await;
            Timer::after(CONVERSATION_WAIT / 2 + Duration::from_millis(1)).await;
            link.say(&kept_back).await;
            link.hear("! hello expected\n").await;
        })
        .await;
        assert_eq!(told.text(), "-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn only_who_has_the_key_puts_the_end_of_the_lease_off_and_hears_of_it() {
    mtom_time::run(async {
        let (actuator, told) = actuator(500);
        on_links(&actuator, async |[mut link, mut stranger]| {
            let mut seal = link.greet(&key()).await;
            let question = sealed(&mut seal, "?");
            link.say(&question).await;
            link.hear_sealed(&mut seal, &state(Off, 0)).await;
            link.say_sealed(&mut seal, "h 1").await;
            link.hear_sealed(&mut seal, "h 1").await;
            let lit_at = embassy_time::Instant::now();
            for _ in 0..2 {
                Timer::after_millis(200).await;
                link.say(&question).await;
                link.hear("! old count\n").await;
                stranger.say("h 9\n").await;
                stranger.hear("! key expected\n").await;
            }
            link.hear_sealed(&mut seal, &state(Off, 1)).await;
            assert_eq!(lit_at.elapsed(), Duration::from_millis(500));
            stranger.hear_nothing().await;
        })
        .await;
        assert_eq!(told.text(), "-+-");
    })
    .await;
}
