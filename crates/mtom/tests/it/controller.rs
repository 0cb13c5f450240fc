//! The second computer: the real gateway and the real controller, each killed while readings come.

use crate::mtom::{Mtom, command, output, wait_for_line};
use crate::{LIMIT, soon};
use futures_util::{SinkExt, StreamExt};
use serde_json::Value;
use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio_serial::{SerialPort, SerialStream};
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// A controller that drives TEMP_LED over a pseudo terminal.
struct Controller {
    process: Child,
}

impl Controller {
    fn start(from: &str, name: &str, dir: &Path, link: &str) -> Self {
        let mut process = controller(from, name, dir, link).stdout(Stdio::piped()).spawn().unwrap();
        wait_for_line(process.stdout.take().unwrap(), "connected to ");
        Self { process }
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        // It has ended where the test went well.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn controller(from: &str, name: &str, dir: &Path, link: &str) -> Command {
    let mut command = command(&["controller", "--from", from, "--name", name]);
    command
        .current_dir(dir)
        .args(["--set", &format!("data.dir={}", dir.display())])
        .args(["--set", "simulate.actuators=0"])
        .args(["--set", "actuator.0.name=TEMP_LED", "--set", "actuator.0.protocol=original"])
        .args(["--set", &format!("actuator.0.link={link}")]);
    command
}

/// What a folder's history holds, oldest first.
pub(crate) fn values(dir: &Path) -> Vec<f64> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("all.jsonl");
    let mut export = command(&["export"]);
    let output = output({
        export.arg(&file).arg("--data").arg(dir);
        export
    });
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let text = std::fs::read_to_string(file).unwrap();
    let values = text.lines().map(|line| serde_json::from_str::<Value>(line).unwrap());
    values.map(|row| row["value"].as_f64().unwrap_or_else(|| panic!("{row}"))).collect()
}

/// Publishes `from` to `until`, a hundredth of a degree each.
fn publish(broker: SocketAddr, from: u32, until: u32) {
    let mut publisher = Command::new("mosquitto_pub")
        .args(["-h", &broker.ip().to_string(), "-p", &broker.port().to_string()])
        .args(["-q", "1", "-t", "Environ/Temperature", "-l"])
        .stdin(Stdio::piped())
        .spawn()
        .expect("mosquitto_pub, which the set-up installs");
    let mut stdin = publisher.stdin.take().unwrap();
    for number in from..until {
        writeln!(stdin, "{} °C", f64::from(number) / 100.0).unwrap();
    }
    drop(stdin);
    assert!(publisher.wait().unwrap().success());
}

/// Waits until the history there has so many; it is read while its controller runs.
fn wait_for(dir: &Path, count: usize) {
    let begun = Instant::now();
    while values(dir).len() < count {
        assert!(begun.elapsed() < LIMIT, "{} of {count}", values(dir).len());
    }
}

async fn nothing_is_missed(address: impl Fn(&Mtom) -> String) {
    let (near, far) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut gateway = Mtom::serve("gateway", near.path(), &[]);
    // The same ports again after a death: the controller knows no others.
    let ports = [
        format!("broker.listen={}", gateway.ready.mqtt),
        format!("forward.tcp.listen={}", gateway.ready.tcp),
        format!("dashboard.listen={}", gateway.ready.dashboard),
    ];
    let ports: Vec<_> = ports.iter().map(String::as_str).collect();
    let (_led, other_end) = SerialStream::pair().unwrap();
    let link = format!("serial:{}", other_end.name().unwrap());
    let from = address(&gateway);
    let kept = far.path().join("controller");
    let first = Controller::start(&from, "pc2", far.path(), &link);
    publish(gateway.ready.mqtt, 0, 300);
    wait_for(&kept, 300);
    // While it is away, and the gateway dies too.
    first.kill();
    publish(gateway.ready.mqtt, 300, 1_000);
    gateway.kill();
    gateway = Mtom::serve("gateway", near.path(), &ports);
    publish(gateway.ready.mqtt, 1_000, 1_300);
    let second = Controller::start(&from, "pc2", far.path(), &link);
    publish(gateway.ready.mqtt, 1_300, 1_500);
    // In the middle of it, both.
    gateway.kill();
    second.kill();
    let third = controller(&from, "pc2", far.path(), &link).stdout(Stdio::null()).spawn().unwrap();
    let third = Controller { process: third };
    gateway = Mtom::serve("gateway", near.path(), &ports);
    publish(gateway.ready.mqtt, 1_500, 1_600);
    wait_for(&kept, 1_600);
    drop(third);
    gateway.kill();
    let stored = values(near.path());
    let expected: Vec<_> = (0..1_600).map(|number| f64::from(number) / 100.0).collect();
    assert_eq!(stored, expected);
    assert_eq!(values(&kept), stored, "each once, in the same order");
}

#[tokio::test]
async fn by_tcp_nothing_is_missed_and_nothing_stored_twice_however_either_dies() {
    nothing_is_missed(|gateway| format!("tcp://{}", gateway.ready.tcp)).await;
}

#[tokio::test]
async fn by_websocket_nothing_is_missed_and_nothing_stored_twice_however_either_dies() {
    nothing_is_missed(|gateway| format!("ws://{}/live", gateway.ready.dashboard)).await;
}

#[tokio::test]
async fn the_gateway_shows_who_drives_what_and_refuses_a_second_also_after_a_restart() {
    let (near, far, other) =
        (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let mut gateway = Mtom::serve("gateway", near.path(), &[]);
    let address = |gateway: &Mtom| format!("tcp://{}", gateway.ready.tcp);
    let from = address(&gateway);
    let (mut led, other_end) = SerialStream::pair().unwrap();
    let link = format!("serial:{}", other_end.name().unwrap());
    let first = Controller::start(&from, "pc2", far.path(), &link);
    let shown = gateway.get("/api/v1/controllers").await;
    let [shown] = &shown["controllers"].as_array().unwrap()[..] else { panic!("{shown}") };
    assert_eq!((&shown["name"], &shown["address"]), (&"pc2".into(), &"127.0.0.1".into()));
    assert_eq!(shown["actuators"], serde_json::json!(["TEMP_LED"]));
    assert_eq!(shown["away_since"], Value::Null);

    let expect_refused = |from: &str| {
        let refused = output(controller(from, "pc3", other.path(), &link));
        let said = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(1));
        let expected = r#"actuator "TEMP_LED" is driven by controller "pc2" at 127.0.0.1: controller "pc3" is refused: stop one of the two"#;
        assert!(said.contains(expected), "{said}");
    };
    expect_refused(&from);

    publish(gateway.ready.mqtt, 2_500, 2_501);
    let mut byte = [0];
    soon("the byte", led.read_exact(&mut byte)).await.unwrap();
    assert_eq!(byte, *b"h", "and the one that was refused has said nothing before");
    first.kill();
    soon("it is away", async {
        while gateway.get("/api/v1/controllers").await["controllers"][0]["away_since"].is_null() {}
    })
    .await;
    gateway.kill();
    let gateway = Mtom::serve("gateway", near.path(), &[]);
    expect_refused(&address(&gateway));
}

/// Says that at `/live` and hears what is said to that, which is a line.
async fn answered(address: SocketAddr, said: &str) -> (Value, Socket) {
    let (mut socket, _) = connect_async(format!("ws://{address}/live")).await.unwrap();
    socket.send(Message::text(said)).await.unwrap();
    let line = soon("a line", async {
        loop {
            let line = heard(&mut socket).await.expect("a line");
            // What is for pages has come before it.
            if line["type"].is_null() {
                return line;
            }
        }
    })
    .await;
    (line, socket)
}

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// The next message; `None`: it is closed.
async fn heard(socket: &mut Socket) -> Option<Value> {
    loop {
        match soon("a message", socket.next()).await?.ok()? {
            Message::Text(text) => return Some(serde_json::from_str(&text).unwrap()),
            Message::Close(_) => return None,
            _ => {}
        }
    }
}

#[tokio::test]
async fn at_live_a_program_asks_as_by_tcp() {
    let dir = tempfile::tempdir().unwrap();
    let gateway = Mtom::serve("gateway", dir.path(), &[]);
    publish(gateway.ready.mqtt, 0, 3);
    soon("three readings", async { while gateway.get("/api/v1/audit").await["stored"] != 3 {} })
        .await;
    let page = gateway.ready.dashboard;
    let (first, mut socket) = answered(page, r#"{"after":1,"ack":true,"status":true}"#).await;
    let (history, after) = (&first["gateway"]["history"], &first["gateway"]["after"]);
    assert_eq!((history.as_str().map(str::len), after), (Some(16), &Value::from(1)));
    for id in [2, 3] {
        assert_eq!(heard(&mut socket).await.unwrap()["id"], id);
    }
    socket.send(Message::text(r#"{"ack":3}"#)).await.unwrap();
    publish(gateway.ready.mqtt, 3, 4);
    assert_eq!(heard(&mut socket).await.unwrap()["id"], 4);
    socket.send(Message::text(r#"{"ack":9}"#)).await.unwrap();
    let wrong = heard(&mut socket).await.unwrap();
    assert_eq!(wrong["error"], "ack 9: no reading with that id was sent yet");
    assert_eq!(heard(&mut socket).await, None);

    let (wrong, _) = answered(page, r#"{"subscribe":["a#"]}"#).await;
    assert!(wrong["error"].as_str().unwrap().starts_with("\"a#\": "), "{wrong}");
    let (wrong, _) = answered(page, r#"{"history":"0123456789abcdef","after":0}"#).await;
    assert_eq!((&wrong["code"], &wrong["history"]), (&"another_history".into(), history));

    // Not for the page of a stranger.
    let mut request = format!("ws://{page}/live").into_client_request().unwrap();
    request.headers_mut().insert("origin", "http://evil.test".parse().unwrap());
    let refused = connect_async(request).await.unwrap_err().to_string();
    assert!(refused.contains("403"), "{refused}");
}
