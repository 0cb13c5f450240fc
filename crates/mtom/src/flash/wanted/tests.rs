use super::{Broker, Mistakes, is_loopback};
use crate::Failure;

fn broker(text: &str) -> Result<(&str, &str, bool), String> {
    Broker::parse(text).map(|broker| (broker.host, broker.port, broker.is_tls))
}

#[test]
fn a_broker_is_a_host_and_perhaps_a_port() {
    for (text, expected) in [
        ("192.168.1.10", ("192.168.1.10", "1883", false)),
        ("broker.lan:1884", ("broker.lan", "1884", false)),
        ("mqtt://broker.lan", ("broker.lan", "1883", false)),
        ("mqtts://broker.lan", ("broker.lan", "8883", true)),
        ("mqtts://broker.lan:8884", ("broker.lan", "8884", true)),
        ("fe80::1", ("fe80::1", "1883", false)),
        ("[fe80::1]", ("fe80::1", "1883", false)),
        ("mqtts://[fe80::1]:8884", ("fe80::1", "8884", true)),
        // The port is the settings' to judge.
        ("broker.lan:x", ("broker.lan", "x", false)),
    ] {
        assert_eq!(broker(text), Ok(expected), "{text}");
    }
}

#[test]
fn other_addresses_are_no_broker() {
    for text in ["", ":1883", "http://broker", "mqtt://", "user@broker", "broker/path", "[::1"] {
        assert!(broker(text).is_err(), "{text}");
    }
}

#[test]
fn an_address_of_this_computer_alone_is_known() {
    for (host, expected) in
        [("127.0.0.1", true), ("localhost", true), ("::1", true), ("192.168.1.10", false)]
    {
        assert_eq!(is_loopback(host), expected, "{host}");
    }
}

#[test]
fn one_mistake_is_a_sentence_and_several_are_a_list() {
    let text = |mistakes: Mistakes| match mistakes.none() {
        Err(Failure::Usage(text)) => text,
        other => panic!("{other:?}"),
    };
    let mut mistakes = Mistakes::default();
    mistakes.add("--id", "expected something else");
    assert_eq!(text(mistakes), "--id: expected something else");
    let mut mistakes = Mistakes::default();
    mistakes.add("--id", "a");
    mistakes.add("--ntp", "b");
    assert_eq!(text(mistakes), "2 mistakes:\n  --id: a\n  --ntp: b");
    assert!(Mistakes::default().none().is_ok());
}
