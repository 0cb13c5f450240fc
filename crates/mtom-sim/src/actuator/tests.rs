use super::{Links, Settings, run};
use mtom_device::actuator::VERSION;
use mtom_protocol::link::Led::{self, Off, On};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::LocalSet;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

mod serial;

const LIMIT: Duration = Duration::from_secs(30);

/// What is seen of a simulated actuator.
struct Leds(mpsc::Receiver<Led>);

impl Leds {
    async fn next(&mut self) -> Led {
        timeout(LIMIT, self.0.recv()).await.expect("it changes in time").unwrap()
    }
}

/// Runs an actuator while `script` uses its links, and sees that it ends when it is told to.
async fn with(links: Links, settings: Settings, script: impl AsyncFnOnce(Leds)) {
    let (sender, leds) = mpsc::channel(100);
    let stop = CancellationToken::new();
    let (_hand, presses) = mpsc::channel(1);
    let observe = move |led| sender.try_send(led).unwrap();
    let device = run(links, settings, presses, observe, stop.clone());
    let script = async {
        script(Leds(leds)).await;
        stop.cancel();
    };
    let both = mtom_time::run(async { tokio::join!(device, script) });
    let (ended, ()) = timeout(LIMIT * 2, LocalSet::new().run_until(both)).await.expect("it ends");
    ended.unwrap();
}

/// No hand on the button.
fn nobody() -> mpsc::Receiver<()> {
    mpsc::channel(1).1
}

async fn on_tcp(settings: Settings, script: impl AsyncFnOnce(Leds, String)) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let links = Links { tcp: Some(listener), ..Links::default() };
    with(links, settings, async |leds| script(leds, address).await).await;
}

async fn say(link: &mut (impl AsyncWrite + Unpin), text: &str) {
    link.write_all(text.as_bytes()).await.unwrap();
}

async fn hear(link: &mut (impl AsyncRead + Unpin), expected: &str) {
    let mut bytes = vec![0; expected.len()];
    timeout(LIMIT, link.read_exact(&mut bytes)).await.expect("it answers").unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

fn state(led: Led, number: u64) -> String {
    format!("= {led} {number} TEMP_LED {VERSION}\n")
}

#[tokio::test]
async fn it_obeys_answers_and_remembers_over_connections() {
    on_tcp(Settings::default(), async |mut leds, address| {
        let mut link = TcpStream::connect(&address).await.unwrap();
        say(&mut link, "?\nh 42\n").await;
        hear(&mut link, &format!("{}h 42\n", state(Off, 0))).await;
        assert_eq!(leds.next().await, On);
        drop(link);
        let mut link = TcpStream::connect(&address).await.unwrap();
        say(&mut link, "?\nc 41\nnonsense\nc 43\n").await;
        let state = state(On, 42);
        hear(&mut link, &format!("{state}{state}! expected h N, c N or ?\nc 43\n")).await;
        assert_eq!(leds.next().await, Off);
    })
    .await;
}

#[tokio::test]
async fn a_bare_byte_is_obeyed_without_an_answer_also_when_the_link_closes_at_once() {
    on_tcp(Settings::default(), async |mut leds, address| {
        let mut link = TcpStream::connect(&address).await.unwrap();
        say(&mut link, "h").await;
        assert_eq!(leds.next().await, On);
        say(&mut link, "?\n").await;
        hear(&mut link, &state(On, 0)).await;
        say(&mut link, "c").await;
        drop(link);
        assert_eq!(leds.next().await, Off);
        // The next one is there before the last byte has waited long enough.
        for led in [On, Off, On] {
            let mut link = TcpStream::connect(&address).await.unwrap();
            say(&mut link, &led.to_string()).await;
            drop(link);
            let mut next = TcpStream::connect(&address).await.unwrap();
            say(&mut next, "?\n").await;
            assert_eq!(leds.next().await, led);
        }
    })
    .await;
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_an_older_one() {
    on_tcp(Settings::default(), async |_leds, address| {
        let mut older = TcpStream::connect(&address).await.unwrap();
        say(&mut older, "?\n").await;
        hear(&mut older, &state(Off, 0)).await;
        let mut newer = TcpStream::connect(&address).await.unwrap();
        say(&mut newer, "?\n").await;
        hear(&mut newer, &state(Off, 0)).await;
        assert_eq!(timeout(LIMIT, older.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
    })
    .await;
}

#[tokio::test]
async fn it_closes_its_links_when_it_is_told_to_end() {
    let mut link = None;
    on_tcp(Settings::default(), async |_leds, address| {
        link = Some(TcpStream::connect(&address).await.unwrap());
    })
    .await;
    let end = timeout(LIMIT, link.unwrap().read(&mut [0])).await.expect("it closes");
    assert_eq!(end.unwrap_or(0), 0);
}

#[tokio::test]
async fn an_original_device_never_answers() {
    let mut link = None;
    let settings = Settings { original: true, ..Settings::default() };
    on_tcp(settings, async |mut leds, address| {
        let mut tcp = TcpStream::connect(&address).await.unwrap();
        say(&mut tcp, "?\nh").await;
        assert_eq!(leds.next().await, On);
        say(&mut tcp, "s").await;
        assert_eq!(leds.next().await, Off);
        link = Some(tcp);
    })
    .await;
    let mut answers = Vec::new();
    let _ = timeout(LIMIT, link.unwrap().read_to_end(&mut answers)).await.expect("it closes");
    assert!(answers.is_empty());
}

#[tokio::test]
async fn the_lease_ends_when_the_gateway_is_silent_or_away() {
    let settings = Settings { lease: Some(Duration::from_millis(50)), ..Settings::default() };
    on_tcp(settings, async |mut leds, address| {
        let mut link = TcpStream::connect(&address).await.unwrap();
        say(&mut link, "h 1\n").await;
        hear(&mut link, &format!("h 1\n{}", state(Off, 1))).await;
        say(&mut link, "h 2\n").await;
        hear(&mut link, "h 2\n").await;
        drop(link);
        for led in [On, Off, On, Off] {
            assert_eq!(leds.next().await, led);
        }
    })
    .await;
}

#[tokio::test]
async fn its_safe_state_may_be_on() {
    let settings = Settings { safe: On, lease: None, ..Settings::default() };
    on_tcp(settings, async |mut leds, _| assert_eq!(leds.next().await, On)).await;
}

#[tokio::test]
async fn settings_that_no_device_would_take_are_refused_at_once() {
    let long = Duration::from_secs(90_000);
    for (settings, expected) in [
        (Settings { name: "TEMP LED".into(), ..Settings::default() }, "name: expected"),
        (Settings { lease: Some(long), ..Settings::default() }, "lease_millis: expected"),
    ] {
        let stop = CancellationToken::new();
        let error = run(Links::default(), settings, nobody(), drop, stop).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[tokio::test]
async fn the_last_command_survives_the_process_in_a_file() {
    let folder = tempfile::tempdir().unwrap();
    let settings = Settings { state: Some(folder.path().join("led.state")), ..Settings::default() };
    on_tcp(settings.clone(), async |_leds, address| {
        let mut link = TcpStream::connect(&address).await.unwrap();
        say(&mut link, "h 500\n").await;
        hear(&mut link, "h 500\n").await;
    })
    .await;
    on_tcp(settings, async |_leds, address| {
        let mut link = TcpStream::connect(&address).await.unwrap();
        say(&mut link, "h 500\nh 564\n").await;
        // Kept in blocks of 64 numbers.
        hear(&mut link, &format!("{}h 564\n", state(Off, 563))).await;
    })
    .await;
}

#[tokio::test]
async fn a_file_that_is_something_else_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notes.txt");
    std::fs::write(&path, "mine").unwrap();
    let settings = Settings { state: Some(path.clone()), ..Settings::default() };
    let stop = CancellationToken::new();
    let error = run(Links::default(), settings, nobody(), drop, stop).await.unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(
        error.to_string().contains("notes.txt") && cause.contains("4 bytes"),
        "{error} {cause}"
    );
    assert_eq!(std::fs::read(path).unwrap(), b"mine");
}

#[tokio::test]
async fn a_controller_that_goes_away_is_waited_for() {
    let controller = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let bluetooth = controller.local_addr().unwrap().to_string().parse().unwrap();
    let links = Links { bluetooth: Some(bluetooth), ..Links::default() };
    with(links, Settings::default(), async |_leds| {
        for _ in 0..2 {
            let accepted = timeout(LIMIT, controller.accept()).await.expect("it comes").unwrap();
            let (mut tcp, _) = accepted;
            let mut reset = [0; 4];
            timeout(LIMIT, tcp.read_exact(&mut reset)).await.expect("it asks").unwrap();
            // HCI_Reset [Core 5.4, Vol 4, Part E, 7.3.2] behind the indicator of a command.
            assert_eq!(reset, [0x01, 0x03, 0x0c, 0x00]);
        }
    })
    .await;
}
