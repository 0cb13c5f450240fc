use super::{Opener, serial_reason, tcp_reason};
use crate::address::LinkAddress;
use crate::settings::Settings;
use std::io::{self, ErrorKind};
use tokio::io::AsyncReadExt;
use tokio::net::{TcpListener, TcpStream};

#[test]
fn a_port_that_does_not_open_has_a_reason_for_people() {
    let reason = |path: &str, kind| {
        serial_reason(path, &tokio_serial::Error::new(tokio_serial::ErrorKind::Io(kind), "os"))
    };
    for (path, kind, expected) in [
        ("/dev/rfcomm0", ErrorKind::NotFound, "no such port; is the device paired and bound?"),
        ("/dev/ttyUSB0", ErrorKind::NotFound, "no such port; is the device plugged in, or paired?"),
        (
            "/dev/ttyUSB0",
            ErrorKind::PermissionDenied,
            "permission denied; is this user in the group that owns the port (dialout)?",
        ),
        ("/dev/ttyUSB0", ErrorKind::Other, "not usable as a serial port: os"),
    ] {
        assert_eq!(reason(path, kind), expected);
    }
}

#[test]
fn a_host_that_is_away_has_a_reason_for_people() {
    for (kind, expected) in [
        (ErrorKind::ConnectionRefused, "connection refused; is the device listening"),
        (ErrorKind::HostUnreachable, "not reachable; is the device on"),
        (ErrorKind::TimedOut, "no answer; is the device on?"),
    ] {
        assert!(tcp_reason(&io::Error::from(kind)).starts_with(expected));
    }
}

#[tokio::test]
async fn a_host_without_an_address_is_no_panic() {
    let address = LinkAddress::Tcp { host: "no-such-host.invalid".into(), port: 1 };
    let settings = Settings::new("LED", address);
    let mut opener = Opener::new(&settings).unwrap();
    assert!(opener.open(&|_| {}).await.is_err());
}

/// An open link, its opener and the device's end.
async fn open() -> (super::Stream, Opener, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let address = LinkAddress::Tcp { host: "127.0.0.1".into(), port };
    let settings = Settings::new("LED", address);
    let mut opener = Opener::new(&settings).unwrap();
    let (opened, accepted) = tokio::join!(opener.open(&|_| {}), listener.accept());
    (opened.map_err(|_| ()).unwrap(), opener, accepted.unwrap().0)
}

#[tokio::test]
async fn an_aborted_link_delivers_nothing_in_the_background() {
    let (stream, mut opener, mut device) = open().await;
    opener.abort(stream).await;
    // A reset: the system has thrown away what it had not delivered.
    let cause = device.read(&mut [0]).await.unwrap_err();
    assert_eq!(cause.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test]
async fn a_finished_link_ends_in_good_order() {
    let (stream, mut opener, mut device) = open().await;
    opener.finish(stream).await;
    assert_eq!(device.read(&mut [0]).await.unwrap(), 0);
}
