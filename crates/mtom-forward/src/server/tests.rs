use super::{ACCEPT_DELAY_MAX, ACCEPT_DELAY_MIN, AcceptTrouble, LOG_PERIOD, Seldom, tune};
#[cfg(target_os = "linux")]
use socket2::SockRef;
use std::io;
use std::time::Duration;
use tokio::time::Instant;

/// What Linux says when a process has no file descriptor left.
const EMFILE: i32 = 24;

#[test]
fn a_lack_of_descriptors_is_waited_out_longer_and_longer() {
    let mut trouble = AcceptTrouble::new();
    let error = io::Error::from_raw_os_error(EMFILE);
    let now = Instant::now();
    let mut react = || trouble.react(&error, now).unwrap();
    assert_eq!(react(), ACCEPT_DELAY_MIN);
    assert_eq!(react(), ACCEPT_DELAY_MIN * 2);
    for _ in 0..20 {
        react();
    }
    assert_eq!(react(), ACCEPT_DELAY_MAX);
    trouble.over();
    assert_eq!(trouble.react(&error, now), Some(ACCEPT_DELAY_MIN));
}

#[test]
fn a_broken_off_connection_is_none_of_our_trouble() {
    let mut trouble = AcceptTrouble::new();
    let error = io::ErrorKind::ConnectionAborted.into();
    assert_eq!(trouble.react(&error, Instant::now()), Some(Duration::ZERO));
}

#[test]
fn a_socket_that_does_not_listen_is_the_end() {
    let mut trouble = AcceptTrouble::new();
    assert_eq!(trouble.react(&io::ErrorKind::InvalidInput.into(), Instant::now()), None);
}

#[test]
fn a_flood_is_logged_once_a_period_with_its_number() {
    let mut seldom = Seldom::new(LOG_PERIOD);
    let now = Instant::now();
    assert_eq!(seldom.admit(now), Some(0));
    assert_eq!(seldom.admit(now), None);
    assert_eq!(seldom.admit(now + LOG_PERIOD / 2), None);
    assert_eq!(seldom.admit(now + LOG_PERIOD), Some(2));
    assert_eq!(seldom.admit(now + LOG_PERIOD), None);
}

/// Linux gives up at the first question that is asked so long after the last answer as what is under way may take
/// (`tcp_keepalive_timer`); what is said just before begins that time anew (`tcp_write_timeout`).
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_machine_that_vanishes_is_found_out_in_time_also_when_something_is_said_to_it_late() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let tcp = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    for gone in [4, 10, 45, 300].map(Duration::from_secs) {
        tune(&tcp, gone, 32 * 1024).unwrap();
        let socket = SockRef::from(&tcp);
        let unconfirmed = socket.tcp_user_timeout().unwrap().unwrap();
        let (mut silent, interval) =
            (socket.tcp_keepalive_time().unwrap(), socket.tcp_keepalive_interval().unwrap());
        while silent < unconfirmed {
            silent += interval;
        }
        assert!(silent + unconfirmed <= gone, "{silent:?} + {unconfirmed:?} > {gone:?}");
    }
}
