use super::{ANSWER_MAX, Event, NoTime, TimeServer, run};
use crate::clock::{Implausible, WallClock};
use crate::record::{DeciCelsius, Record, Taken};
use core::cell::RefCell;
use core::net::SocketAddr;
use embassy_futures::select::select3;
use embassy_time::{Duration, Instant, Timer};
use mtom_protocol::time::UnixMicros;
use sntpc::NtpUdpSocket;
use tokio::net::UdpSocket;

/// 2026-11-24T00:00:00Z, when the device starts.
const START: i64 = 1_795_478_400_000_000;
const HOUR: i64 = 3_600_000_000;

type Question = [u8; 48];
/// What the server sends back, in order.
type Answers = Vec<Vec<u8>>;
type Answer = Box<dyn Fn(&Question) -> Answers>;

/// The true time.
fn now() -> i64 {
    START + i64::try_from(Instant::now().as_micros()).unwrap()
}

/// What a good server answers, whose clock goes `skew` microseconds before.
fn good(question: &Question, skew: i64) -> Vec<u8> {
    let mut packet = vec![0; 48];
    // Version 4, mode server; stratum 2; a reference of a minute ago.
    packet[0] = 0x24;
    packet[1] = 2;
    packet[3] = 0xec;
    packet[16..24].copy_from_slice(&ntp(now() + skew - 60_000_000));
    packet[24..32].copy_from_slice(&question[40..]);
    packet[32..40].copy_from_slice(&ntp(now() + skew));
    packet[40..48].copy_from_slice(&ntp(now() + skew));
    packet
}

fn ntp(unix_micros: i64) -> [u8; 8] {
    let (seconds, micros) = (unix_micros.div_euclid(1_000_000), unix_micros.rem_euclid(1_000_000));
    let seconds = u64::try_from(seconds + 2_208_988_800).unwrap() & u64::from(u32::MAX);
    let fraction = (u64::try_from(micros).unwrap() << 32) / 1_000_000;
    (seconds << 32 | fraction).to_be_bytes()
}

/// Answers well, but for one byte.
fn bent(at: usize, byte: u8) -> Answer {
    Box::new(move |question| {
        let mut packet = good(question, 0);
        packet[at] = byte;
        vec![packet]
    })
}

fn skewed(skew: i64) -> Answer {
    Box::new(move |question| vec![good(question, skew)])
}

fn silent() -> Answer {
    Box::new(|_| vec![])
}

struct Udp(SocketAddr);

impl TimeServer for Udp {
    type Socket<'a> = Socket;

    async fn open(&mut self) -> Result<(Socket, SocketAddr), &'static str> {
        Ok((Socket(UdpSocket::bind("127.0.0.1:0").await.unwrap()), self.0))
    }
}

struct Socket(UdpSocket);

impl NtpUdpSocket for Socket {
    async fn send_to(&self, bytes: &[u8], to: SocketAddr) -> sntpc::Result<usize> {
        self.0.send_to(bytes, to).await.map_err(|_| sntpc::Error::Network)
    }

    async fn recv_from(&self, bytes: &mut [u8]) -> sntpc::Result<(usize, SocketAddr)> {
        self.0.recv_from(bytes).await.map_err(|_| sntpc::Error::Network)
    }
}

#[derive(Default)]
struct Seen {
    /// What was told, and at which second.
    events: Vec<(u64, Event)>,
    /// The questions that the server heard, and at which second.
    questions: Vec<(u64, Question)>,
}

/// Lets a device run for `seconds`; the server gives one answer of `script` after the other, then none.
async fn device(clock: &WallClock, script: Vec<Answer>, seconds: u64) -> Seen {
    let seen = RefCell::new(Seen::default());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let server = async {
        let mut script = script.into_iter();
        loop {
            let mut question = [0; 48];
            let (len, from) = socket.recv_from(&mut question).await.unwrap();
            assert_eq!(len, 48);
            seen.borrow_mut().questions.push((Instant::now().as_secs(), question));
            let answers = script.next().map(|answer| answer(&question)).unwrap_or_default();
            for answer in answers {
                socket.send_to(&answer, from).await.unwrap();
            }
        }
    };
    let mut told = |event| seen.borrow_mut().events.push((Instant::now().as_secs(), event));
    let mut state = 7_u32;
    let mut random = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state
    };
    let mut udp = Udp(address);
    let device = run(&mut udp, clock, &mut random, &mut told);
    mtom_time::run(select3(server, device, Timer::after(Duration::from_secs(seconds)))).await;
    seen.into_inner()
}

/// What is told of one answer.
async fn outcome(answer: Answer) -> Event {
    let clock = WallClock::new();
    let seen = device(&clock, vec![answer], 10).await;
    assert_eq!(seen.events.len(), 1);
    seen.events[0].1
}

/// That `clock` shows the true time and `skew`, to some microseconds: the fraction of NTP is binary.
async fn check_clock(clock: &WallClock, skew: i64) {
    let (shown, expected) =
        mtom_time::run(async { (clock.at(Instant::now()).unwrap().0, now() + skew) }).await;
    assert!((shown - expected).abs() <= 3, "{shown} is not {expected}");
}

#[tokio::test(start_paused = true)]
async fn the_first_answer_sets_the_clock_and_the_next_question_comes_within_an_hour() {
    let clock = WallClock::new();
    let seen = device(&clock, vec![skewed(0), skewed(0)], 3_600).await;
    check_clock(&clock, 0).await;
    let [(0, Event::Set { jump_micros: None, .. }), (second, Event::Set { jump_micros, .. })] =
        seen.events[..]
    else {
        panic!("{:?}", seen.events)
    };
    assert!((1_800..=3_600).contains(&second), "after {second} s");
    assert!(jump_micros.unwrap().abs() <= 3, "{jump_micros:?}");
}

#[tokio::test(start_paused = true)]
async fn without_an_answer_it_asks_again_later_and_later_until_there_is_one() {
    let clock = WallClock::new();
    let mut script: Vec<Answer> = (0..9).map(|_| silent()).collect();
    script.push(skewed(0));
    let seen = device(&clock, script, 8 * 3_600).await;
    check_clock(&clock, 0).await;
    let (answered, unanswered) = seen.events.split_last().unwrap();
    assert!(unanswered.len() >= 9);
    for (_, event) in &unanswered[..9] {
        assert_eq!(*event, Event::Failed(NoTime::NoAnswer));
    }
    let asked: Vec<u64> = seen.questions.iter().map(|(second, _)| *second).collect();
    let waits: Vec<u64> =
        asked.windows(2).map(|pair| pair[1] - pair[0] - ANSWER_MAX.as_secs()).collect();
    let mut full = 30;
    for wait in &waits[..9] {
        assert!((full / 2 - 1..=full).contains(wait), "{waits:?}");
        full = (full * 2).min(3_600);
    }
    assert!(matches!(answered, (_, Event::Failed(_) | Event::Set { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_stray_datagram_is_passed_over_and_the_answer_behind_it_counts() {
    let stray: Answer = Box::new(|question| {
        let mut forged = good(question, HOUR);
        forged[24] ^= 1;
        vec![forged, b"too short".to_vec(), vec![], good(question, 0)]
    });
    let clock = WallClock::new();
    let seen = device(&clock, vec![stray], 10).await;
    assert!(matches!(seen.events[..], [(0, Event::Set { .. })]), "{:?}", seen.events);
    check_clock(&clock, 0).await;
}

#[tokio::test(start_paused = true)]
async fn an_answer_to_another_question_is_none() {
    // Of a server that a spoofer plays: it guesses the time stamp of the question.
    for guess in [0, START, 1_704_067_200_000_000] {
        let answer: Answer = Box::new(move |question| {
            let mut forged = good(question, HOUR);
            forged[24..32].copy_from_slice(&ntp(guess));
            vec![forged]
        });
        assert_eq!(outcome(answer).await, Event::Failed(NoTime::NoAnswer));
    }
}

#[tokio::test(start_paused = true)]
async fn an_answer_from_another_address_is_none() {
    let elsewhere = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    let clock = WallClock::new();
    let seen = RefCell::new(Vec::new());
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let mut udp = Udp(socket.local_addr().unwrap());
    let server = async {
        let mut question = [0; 48];
        let (_, from) = socket.recv_from(&mut question).await.unwrap();
        elsewhere.send_to(&good(&question, HOUR), from).unwrap();
        core::future::pending::<()>().await;
    };
    let (mut random, mut told) = (|| 7, |event| seen.borrow_mut().push(event));
    let device = run(&mut udp, &clock, &mut random, &mut told);
    mtom_time::run(select3(server, device, Timer::after(Duration::from_secs(6)))).await;
    assert_eq!(seen.into_inner(), [Event::Failed(NoTime::NoAnswer)]);
}

#[tokio::test(start_paused = true)]
async fn what_is_no_time_of_a_synchronised_server_is_refused() {
    let failed = |reason| Event::Failed(reason);
    // Mode: client, broadcast.
    assert_eq!(outcome(bent(0, 0x23)).await, failed(NoTime::NotSntp));
    assert_eq!(outcome(bent(0, 0x25)).await, failed(NoTime::NotSntp));
    // Version 5, version 0.
    assert_eq!(outcome(bent(0, 0x2c)).await, failed(NoTime::NotSntp));
    assert_eq!(outcome(bent(0, 0x04)).await, failed(NoTime::NotSntp));
    // Leap indicator: not synchronised. Stratum: likewise, and none.
    assert_eq!(outcome(bent(0, 0xe4)).await, failed(NoTime::NotSynchronised));
    assert_eq!(outcome(bent(1, 16)).await, failed(NoTime::NotSynchronised));
    assert_eq!(outcome(bent(1, 0)).await, failed(NoTime::Refuses));
    // A root distance of minutes.
    assert_eq!(outcome(bent(8, 1)).await, failed(NoTime::NotSynchronised));
    let nothing: Answer = Box::new(|question| {
        let mut packet = good(question, 0);
        packet[40..].fill(0);
        vec![packet]
    });
    assert_eq!(outcome(nothing).await, failed(NoTime::NotSntp));
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_is_left_alone_for_half_an_hour_at_least() {
    let seen = device(&WallClock::new(), vec![bent(1, 0)], 3_600).await;
    assert!(seen.questions[1].0 >= 1_800, "{:?}", seen.events);
}

#[tokio::test(start_paused = true)]
async fn a_jump_of_an_hour_is_applied_and_told() {
    for jump in [HOUR, -HOUR] {
        let clock = WallClock::new();
        let seen = device(&clock, vec![skewed(0), skewed(jump)], 3_600).await;
        let [_, (_, Event::Set { jump_micros: Some(told), .. })] = seen.events[..] else {
            panic!("{:?}", seen.events)
        };
        assert!((told - jump).abs() <= 3, "{told} is not {jump}");
        check_clock(&clock, jump).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_time_at_which_no_device_ran_leaves_the_clock_as_it_was() {
    let implausible = Event::Failed(NoTime::Implausible(Implausible));
    let years = 365 * 24 * HOUR;
    assert_eq!(outcome(skewed(-5 * years)).await, implausible);
    assert_eq!(outcome(skewed(-30 * years)).await, implausible);
    // Beyond the reach of NTP's 32 bits, it cannot be told from a time in the past.
    assert_eq!(outcome(skewed(80 * years)).await, implausible);
    let clock = WallClock::new();
    device(&clock, vec![skewed(0), skewed(-5 * years)], 3_600).await;
    check_clock(&clock, 0).await;
}

#[tokio::test(start_paused = true)]
async fn a_reading_from_before_has_its_time_afterwards() {
    let clock = WallClock::new();
    let taken = mtom_time::run(async { clock.taken(Instant::now()) }).await;
    assert!(matches!(taken, Taken::Uptime(_)));
    let record = Record { boot: 1, seq: 0, celsius: DeciCelsius(234), taken };
    assert_eq!(clock.time_of(&record, 1), None);
    device(&clock, vec![silent(), skewed(0)], 60).await;
    let UnixMicros(at) = clock.time_of(&record, 1).unwrap();
    assert!((at - START).abs() <= 3, "{at}");
}

#[tokio::test(start_paused = true)]
async fn a_question_tells_nothing_and_no_two_are_alike() {
    let clock = WallClock::new();
    let seen = device(&clock, vec![skewed(0), skewed(0), skewed(0)], 3 * 3_600).await;
    let mut stamps = std::collections::BTreeSet::new();
    for (second, question) in &seen.questions {
        assert_eq!((question[0], &question[1..40]), (0x23, &[0; 39][..]));
        // Not the time, which the device knows after the first of them.
        let truth = ntp(START + i64::try_from(second * 1_000_000).unwrap());
        assert_ne!(question[40..43], truth[..3]);
        assert!(stamps.insert(question[40..].to_vec()));
    }
    assert!(stamps.len() >= 3);
}

#[tokio::test(start_paused = true)]
async fn a_device_without_a_way_to_the_server_says_why_and_tries_again() {
    struct NoDns(u32);
    impl TimeServer for NoDns {
        type Socket<'a> = Socket;

        async fn open(&mut self) -> Result<(Socket, SocketAddr), &'static str> {
            self.0 += 1;
            Err("its name is not found")
        }
    }
    let (mut server, mut events) = (NoDns(0), Vec::new());
    let (clock, mut random, mut told) = (WallClock::new(), || 7, |event| events.push(event));
    let device = run(&mut server, &clock, &mut random, &mut told);
    let waits =
        select3(device, Timer::after(Duration::from_secs(60)), core::future::pending::<()>());
    mtom_time::run(waits).await;
    assert!(server.0 >= 2);
    assert_eq!(events[0], Event::Failed(NoTime::NoWay("its name is not found")));
    assert_eq!(
        NoTime::NoWay("its name is not found").to_string(),
        "no way to the time server: its name is not found"
    );
}
