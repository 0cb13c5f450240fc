use super::{Endpoint, EndpointError};

#[test]
fn a_url_says_what_carries_mqtt_and_where() {
    for (url, expected) in [
        ("mqtt://host", "mqtt://host:1883"),
        ("mqtt://host/", "mqtt://host:1883"),
        ("mqtt://10.0.0.1:1884", "mqtt://10.0.0.1:1884"),
        ("mqtt://[::1]:1884", "mqtt://[::1]:1884"),
        ("mqtts://host", "mqtts://host:8883"),
        ("ws://host", "ws://host:80/mqtt"),
        ("ws://host/", "ws://host:80/"),
        ("wss://[fe80::1]/mqtt", "wss://[fe80::1]:443/mqtt"),
    ] {
        let endpoint = Endpoint::parse(url).unwrap_or_else(|error| panic!("{url}: {error}"));
        assert_eq!(endpoint.to_string(), expected);
        assert_eq!(Endpoint::parse(expected), Ok(endpoint));
    }
}

#[test]
fn what_is_no_url_of_a_broker_is_refused() {
    for url in [
        "host",
        "http://host",
        "mqtt://",
        "mqtt://host:0",
        "mqtt://host:x",
        "mqtt://a b",
        "ws://h/ä",
    ] {
        assert_eq!(Endpoint::parse(url), Err(EndpointError::Form(url.into())), "{url}");
    }
    // Whatever else is wrong with them: none of these is said again.
    for url in [
        "mqtts://me:secret@host",
        "mqtts://me:pa/ss@host",
        "mqtt://me:1234/x@host",
        "wss://me/x:secret@host",
        "tcp://me:secret@host",
        "me:secret@host",
    ] {
        assert_eq!(Endpoint::parse(url), Err(EndpointError::Secret), "{url}");
    }
    assert_eq!(Endpoint::parse("ws://host/mqtt#secret"), Err(EndpointError::Fragment));
    let asks = Endpoint::parse("wss://host/mqtt?token=secret").unwrap();
    assert_eq!(asks.to_string(), "wss://host:443/mqtt?…");
    assert_eq!(asks.whole(), "wss://host:443/mqtt?token=secret");
    assert_eq!(Endpoint::parse("mqtts://host/mqtt"), Err(EndpointError::Path("/mqtt".into())));
}
