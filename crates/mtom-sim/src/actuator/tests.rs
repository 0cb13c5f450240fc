use super::{Pty, Settings, serve_pty, serve_serial, serve_tcp};
use mtom_protocol::link::Led::{self, Off, On};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};
use tokio_util::sync::CancellationToken;

const LIMIT: Duration = Duration::from_secs(30);

/// A simulated actuator and what is seen of it.
struct Rig {
    leds: mpsc::Receiver<Led>,
    stop: CancellationToken,
    tasks: JoinSet<()>,
}

impl Rig {
    fn start<D: Future<Output = ()> + Send + 'static>(
        device: impl FnOnce(mpsc::Sender<Led>, CancellationToken) -> D,
    ) -> Self {
        let (sender, leds) = mpsc::channel(100);
        let (stop, mut tasks) = (CancellationToken::new(), JoinSet::new());
        tasks.spawn(device(sender, stop.clone()));
        Self { leds, stop, tasks }
    }

    async fn led(&mut self) -> Led {
        timeout(LIMIT, self.leds.recv()).await.expect("it changes in time").unwrap()
    }

    async fn end(mut self) {
        self.stop.cancel();
        timeout(LIMIT, self.tasks.join_next()).await.expect("it ends").unwrap().unwrap();
    }
}

async fn on_tcp(settings: Settings) -> (Rig, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let rig = Rig::start(|leds, stop| async move {
        let observe = move |led| leds.try_send(led).unwrap();
        serve_tcp(listener, settings, observe, stop).await.unwrap();
    });
    (rig, address)
}

async fn say(link: &mut (impl AsyncWrite + Unpin), text: &str) {
    link.write_all(text.as_bytes()).await.unwrap();
}

async fn hear(link: &mut (impl AsyncRead + Unpin), expected: &str) {
    let mut bytes = vec![0; expected.len()];
    timeout(LIMIT, link.read_exact(&mut bytes)).await.expect("it answers").unwrap();
    assert_eq!(String::from_utf8(bytes).unwrap(), expected);
}

fn named(version: &str) -> Settings {
    Settings { version: version.into(), ..Settings::default() }
}

#[tokio::test]
async fn it_obeys_answers_and_remembers_over_connections() {
    let (mut rig, address) = on_tcp(named("1.0.0")).await;
    let mut link = TcpStream::connect(&address).await.unwrap();
    say(&mut link, "?\nh 42\n").await;
    hear(&mut link, "= c 0 TEMP_LED 1.0.0\nh 42\n").await;
    assert_eq!(rig.led().await, On);
    drop(link);
    let mut link = TcpStream::connect(&address).await.unwrap();
    say(&mut link, "?\nc 41\nnonsense\nc 43\n").await;
    let state = "= h 42 TEMP_LED 1.0.0\n";
    hear(&mut link, &format!("{state}{state}! expected h N, c N or ?\nc 43\n")).await;
    assert_eq!(rig.led().await, Off);
    rig.end().await;
    assert_eq!(link.read(&mut [0]).await.unwrap_or(0), 0);
}

#[tokio::test]
async fn a_bare_byte_is_obeyed_without_an_answer_also_when_the_link_closes_at_once() {
    let (mut rig, address) = on_tcp(named("1.0.0")).await;
    let mut link = TcpStream::connect(&address).await.unwrap();
    say(&mut link, "h").await;
    assert_eq!(rig.led().await, On);
    say(&mut link, "?\n").await;
    hear(&mut link, "= h 0 TEMP_LED 1.0.0\n").await;
    say(&mut link, "c").await;
    drop(link);
    assert_eq!(rig.led().await, Off);
    rig.end().await;
}

#[tokio::test]
async fn a_newer_connection_takes_the_place_of_an_older_one() {
    let (rig, address) = on_tcp(named("1")).await;
    let mut older = TcpStream::connect(&address).await.unwrap();
    say(&mut older, "?\n").await;
    hear(&mut older, "= c 0 TEMP_LED 1\n").await;
    let mut newer = TcpStream::connect(&address).await.unwrap();
    say(&mut newer, "?\n").await;
    hear(&mut newer, "= c 0 TEMP_LED 1\n").await;
    assert_eq!(timeout(LIMIT, older.read(&mut [0])).await.unwrap().unwrap_or(0), 0);
    rig.end().await;
}

#[tokio::test]
async fn an_original_device_never_answers() {
    let (mut rig, address) = on_tcp(Settings { original: true, ..Settings::default() }).await;
    let mut link = TcpStream::connect(&address).await.unwrap();
    say(&mut link, "?\nh").await;
    assert_eq!(rig.led().await, On);
    say(&mut link, "s").await;
    assert_eq!(rig.led().await, Off);
    rig.end().await;
    let mut answers = Vec::new();
    let _ = timeout(LIMIT, link.read_to_end(&mut answers)).await.expect("it closes");
    assert!(answers.is_empty());
}

#[tokio::test]
async fn the_lease_ends_when_the_gateway_is_silent() {
    let settings = Settings { lease: Some(Duration::from_millis(50)), ..named("1") };
    let (mut rig, address) = on_tcp(settings).await;
    let mut link = TcpStream::connect(&address).await.unwrap();
    say(&mut link, "h 1\n").await;
    hear(&mut link, "h 1\n").await;
    drop(link);
    assert_eq!((rig.led().await, rig.led().await), (On, Off));
    rig.end().await;
}

#[tokio::test]
async fn a_name_with_a_space_is_refused_at_once() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let settings = Settings { name: "TEMP LED".into(), ..Settings::default() };
    let stop = CancellationToken::new();
    let error = serve_tcp(listener, settings, drop, stop).await.unwrap_err();
    assert!(error.to_string().contains("device name: expected"), "{error}");
}

#[tokio::test]
async fn a_pseudo_terminal_is_a_port_that_can_be_opened_again_and_again() {
    let pty = Pty::open().unwrap();
    let path = pty.path();
    let mut rig = Rig::start(|leds, stop| async move {
        let observe = move |led| leds.try_send(led).unwrap();
        serve_pty(pty, named("1"), observe, stop).await.unwrap();
    });
    for (text, led) in [("h 1\n", On), ("c 2\n", Off), ("h 3\n", On)] {
        let mut port = tokio_serial::new(&path, 115_200).open_native_async().unwrap();
        say(&mut port, text).await;
        hear(&mut port, text).await;
        assert_eq!(rig.led().await, led);
    }
    rig.end().await;
}

#[tokio::test]
async fn a_serial_port_may_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("port");
    let place = path.to_str().unwrap().to_owned();
    let mut rig = Rig::start(|leds, stop| async move {
        let observe = move |led| leds.try_send(led).unwrap();
        serve_serial(&place, 115_200, named("1"), observe, stop).await.unwrap();
    });
    let (mut gateway, port) = SerialStream::pair().unwrap();
    std::os::unix::fs::symlink(port.name().unwrap(), &path).unwrap();
    say(&mut gateway, "h 1\n").await;
    hear(&mut gateway, "h 1\n").await;
    assert_eq!(rig.led().await, On);
    rig.end().await;
}
