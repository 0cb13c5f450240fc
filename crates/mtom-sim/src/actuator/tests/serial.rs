//! Whatever opens a serial port or a pseudo-terminal.

use super::super::{Links, Port, Pty, Settings};
use super::{hear, say, state, with};
use mtom_protocol::link::Led::{Off, On};
use tokio::net::{TcpListener, TcpStream};
use tokio_serial::{SerialPort, SerialPortBuilderExt, SerialStream};

#[tokio::test]
async fn a_pseudo_terminal_is_a_port_that_can_be_opened_again_and_again() {
    let pty = Pty::open().unwrap();
    let path = pty.path();
    let links = Links { pty: Some(pty), ..Links::default() };
    with(links, Settings::default(), async |mut leds| {
        for (text, led) in [("h 1\n", On), ("c 2\n", Off), ("h 3\n", On)] {
            let mut port = tokio_serial::new(&path, 115_200).open_native_async().unwrap();
            say(&mut port, text).await;
            hear(&mut port, text).await;
            assert_eq!(leds.next().await, led);
        }
    })
    .await;
}

#[tokio::test]
async fn a_serial_port_may_come_later() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("port");
    let port = Port { path: path.to_str().unwrap().into(), baud: 115_200 };
    with(
        Links { serial: Some(port), ..Links::default() },
        Settings::default(),
        async |mut leds| {
            let (mut gateway, port) = SerialStream::pair().unwrap();
            std::os::unix::fs::symlink(port.name().unwrap(), &path).unwrap();
            say(&mut gateway, "h 1\n").await;
            hear(&mut gateway, "h 1\n").await;
            assert_eq!(leds.next().await, On);
        },
    )
    .await;
}

#[tokio::test]
async fn all_links_drive_one_led_at_once() {
    let pty = Pty::open().unwrap();
    let path = pty.path();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let links = Links { tcp: Some(listener), pty: Some(pty), ..Links::default() };
    with(links, Settings::default(), async |mut leds| {
        let mut tcp = TcpStream::connect(address).await.unwrap();
        let mut port = tokio_serial::new(&path, 115_200).open_native_async().unwrap();
        say(&mut tcp, "h 1").await;
        say(&mut port, "h 2\n").await;
        hear(&mut port, "h 2\n").await;
        assert_eq!(leds.next().await, On);
        say(&mut tcp, "0\nc 9\n").await;
        hear(&mut tcp, &format!("h 10\n{}", state(On, 10))).await;
        say(&mut port, "?\n").await;
        hear(&mut port, &state(On, 10)).await;
    })
    .await;
}
