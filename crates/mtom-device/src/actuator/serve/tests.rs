//! Links that break, hang, come back and talk nonsense, on the virtual clock.

use crate::actuator::tests::{Gateway, actuator, link, on_links, state};
use crate::actuator::{Actuator, Ended, RETRY, WRITE_MAX};
use core::convert::Infallible;
use embassy_futures::join::join;
use embassy_futures::select::{Either, select};
use embassy_time::{Instant, Timer};
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use mtom_protocol::link::Led::{Off, On};
use proptest::prelude::{any, prop_assert, proptest};
use tokio::io::DuplexStream;

async fn serve<P: crate::actuator::Pin, M: crate::actuator::Memory>(
    actuator: &Actuator<P, M>,
    device: DuplexStream,
) -> Ended {
    let (rx, tx) = tokio::io::split(device);
    actuator.serve(FromTokio::new(rx), FromTokio::new(tx)).await
}

#[tokio::test(start_paused = true)]
async fn a_link_that_takes_no_answers_ends_and_keeps_no_other_waiting() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        let (mut deaf, device) = link(8);
        let hanging = async {
            let ended = serve(&actuator, device).await;
            (ended, Instant::now())
        };
        let began_at = Instant::now();
        let lively = async {
            // Three answers of five bytes do not fit into eight.
            deaf.say("h 1\n").await;
            deaf.say("c 2\n").await;
            deaf.say("h 3\n").await;
            on_links(&actuator, async |[mut link]| {
                Timer::after_millis(1).await;
                link.say("c 8\n").await;
                link.hear("c 8\n").await;
                assert!(began_at.elapsed() < WRITE_MAX, "it waited for the other");
            })
            .await;
        };
        let ((ended, ended_at), ()) = join(hanging, lively).await;
        assert_eq!((ended, ended_at - began_at), (Ended::NotTaken, WRITE_MAX));
        assert_eq!(told.text(), "-+-+-");
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_link_that_closes_ends_a_bare_command_and_is_forgotten() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        for (said, pins) in [("h", "-+"), ("hc", "-+-"), ("h 4", "-+-"), ("x", "-+-")] {
            let (mut gateway, device) = link(64);
            gateway.say(said).await;
            drop(gateway);
            assert_eq!(serve(&actuator, device).await, Ended::Closed);
            assert_eq!(told.text(), pins, "{said:?}");
        }
        // It is the same LED when the link is there again.
        on_links(&actuator, async |[mut link]| {
            link.say("2\n?\n").await;
            link.hear(&format!("! expected h N, c N or ?\n{}", state(Off, 0))).await;
        })
        .await;
    })
    .await;
}

/// A port that fails at once.
struct Unplugged;

impl ErrorType for Unplugged {
    type Error = embedded_io_async::ErrorKind;
}

impl Read for Unplugged {
    async fn read(&mut self, _bytes: &mut [u8]) -> Result<usize, Self::Error> {
        Err(embedded_io_async::ErrorKind::BrokenPipe)
    }
}

impl Write for Unplugged {
    async fn write(&mut self, _bytes: &[u8]) -> Result<usize, Self::Error> {
        Err(embedded_io_async::ErrorKind::BrokenPipe)
    }

    async fn flush(&mut self) -> Result<(), Self::Error> {
        Ok(())
    }
}

/// A port that says `h 1` again and again, without a pause.
struct Chatter;

impl ErrorType for Chatter {
    type Error = Infallible;
}

impl Read for Chatter {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, Self::Error> {
        bytes.iter_mut().zip(b"h 1\n").for_each(|(place, byte)| *place = *byte);
        Ok(4)
    }
}

#[tokio::test(start_paused = true)]
async fn a_port_that_fails_is_tried_again_after_a_pause_and_for_ever() {
    mtom_time::run(async {
        let (actuator, told) = actuator(0);
        assert_eq!(actuator.serve(Unplugged, Unplugged).await, Ended::Broken);
        assert_eq!(actuator.serve(Chatter, Unplugged).await, Ended::Broken);
        assert_eq!(told.text(), "-+");
        let always = actuator.serve_always(Unplugged, Unplugged);
        assert!(matches!(select(always, Timer::after(RETRY * 1_000)).await, Either::Second(())));
    })
    .await;
}

#[tokio::test(start_paused = true)]
async fn a_line_whose_end_is_lost_is_refused_after_its_wait() {
    mtom_time::run(async {
        let (actuator, _) = actuator(0);
        on_links(&actuator, async |[mut link]| {
            let began_at = Instant::now();
            link.say("h 4").await;
            link.hear("! line without an end\n").await;
            assert_eq!(began_at.elapsed(), crate::actuator::LINE_WAIT);
            link.say("h 5\n").await;
            link.hear("h 5\n").await;
        })
        .await;
    })
    .await;
}

async fn answers_after(noise: Vec<Vec<u8>>) -> bool {
    let (actuator, _) = actuator(700);
    let (Gateway(gateway), device) = link(64);
    let (mut from_device, mut to_device) = tokio::io::split(gateway);
    let script = async {
        use tokio::io::{AsyncReadExt, AsyncWriteExt};
        let talk = async {
            for bytes in &noise {
                to_device.write_all(bytes).await.unwrap();
                Timer::after_millis(bytes.len() as u64 * 20).await;
            }
            // What is unfinished ends by itself.
            Timer::after_secs(2).await;
            to_device.write_all(b"c 9223372036854775807\n?\n").await.unwrap();
        };
        let mut heard = Vec::new();
        let listen = async {
            let last = state(Off, i64::MAX.cast_unsigned());
            while !heard.ends_with(last.as_bytes()) {
                heard.push(from_device.read_u8().await.unwrap());
            }
        };
        join(talk, listen).await;
    };
    let limit = Timer::after_secs(3_600);
    let ended = select(serve(&actuator, device), select(script, limit)).await;
    matches!(ended, Either::Second(Either::First(())))
}

proptest! {
    #[test]
    fn after_any_bytes_the_next_command_is_obeyed(
        noise in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 0..200), 0..6),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .build()
            .unwrap();
        prop_assert!(runtime.block_on(mtom_time::run(answers_after(noise))));
    }
}

#[test]
fn the_longest_state_line_keeps_the_limit() {
    use mtom_protocol::link::{LINE_LEN_MAX, Report};
    let name = "n".repeat(20);
    let version = crate::actuator::VERSION;
    let report = Report::State { led: On, number: u64::MAX, name: &name, version };
    assert!(report.to_string().len() <= LINE_LEN_MAX);
}
