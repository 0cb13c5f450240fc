//! NATS and RabbitMQ over TLS, over WebSocket and over both, with certificates of both sides where the broker asks for
//! one: a reading comes in, the broker is restarted, and the next one comes in.

use crate::broker::{Broker, End, Kind, Way};
use crate::certificates::Files;
use crate::mtom::Mtom;
use crate::soon;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_mqtt::endpoint::Endpoint;
use mtom_mqtt::target::{Target, Version};
use std::net::SocketAddr;

/// What NATS is told of TLS.
fn nats_tls(files: &Files) -> String {
    format!(
        "tls {{ cert_file: \"{}\", key_file: \"{}\", ca_file: \"{}\", verify: true }}",
        files.path("127.0.0.1.pem"),
        files.path("127.0.0.1.key"),
        files.path("ca.pem")
    )
}

fn nats(
    files: &Files,
    is_secure: bool,
    free: &dyn Fn() -> SocketAddr,
) -> Vec<(Way, SocketAddr, String)> {
    let (mqtt, web) = (free(), free());
    if !is_secure {
        let lines = format!("websocket {{ listen: \"{web}\", no_tls: true }}\n");
        return vec![(Way::WebSocket, web, lines)];
    }
    let tls = nats_tls(files);
    vec![
        (Way::Tls, mqtt, format!("mqtt {{ listen: \"{mqtt}\", ack_wait: \"1s\", {tls} }}\n")),
        (Way::SecureWebSocket, web, format!("websocket {{ listen: \"{web}\", {tls} }}\n")),
    ]
}

fn rabbitmq(files: &Files, free: &dyn Fn() -> SocketAddr) -> Vec<(Way, SocketAddr, String)> {
    let (mqtt, web, secure) = (free(), free(), free());
    let of = |prefix: &str| {
        format!(
            "{prefix}.cacertfile = {}\n{prefix}.certfile = {}\n{prefix}.keyfile = {}\n",
            files.path("ca.pem"),
            files.path("127.0.0.1.pem"),
            files.path("127.0.0.1.key")
        )
    };
    let peers = "ssl_options.verify = verify_peer\nssl_options.fail_if_no_peer_cert = true\n";
    let tls = format!("mqtt.listeners.ssl.1 = {mqtt}\n{}{peers}", of("ssl_options"));
    let plain = format!("web_mqtt.tcp.ip = {}\nweb_mqtt.tcp.port = {}\n", web.ip(), web.port());
    // Here 3.10 has no word for asking for a certificate.
    let both = format!(
        "web_mqtt.ssl.ip = {}\nweb_mqtt.ssl.port = {}\n{}",
        secure.ip(),
        secure.port(),
        of("web_mqtt.ssl")
    );
    vec![(Way::Tls, mqtt, tls), (Way::WebSocket, web, plain), (Way::SecureWebSocket, secure, both)]
}

/// A device at that address, connected.
async fn device(files: &Files, url: &str, name: &str) -> Publisher {
    let endpoint = Endpoint::parse(url).unwrap();
    let target =
        Target { endpoint, tls: files.tls.clone(), credentials: None, version: Version::V3 };
    let mut device = Publisher::to(name, &target);
    soon("CONNACK", async { while device.next().await.unwrap() != Progress::Connected {} }).await;
    device
}

async fn stored(gateway: &Mtom, wanted: u64) {
    soon("the reading on the disk", async {
        while gateway.get("/api/v1/audit").await["stored"] != wanted {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// The gateway has said so many times that it is connected.
async fn connected(gateway: &Mtom, times: usize) {
    soon("the gateway at the broker", async {
        loop {
            let log = gateway.get("/api/v1/log").await.to_string();
            if log.matches("connected to the broker").count() >= times {
                return;
            }
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// All ways of one broker in turn, each with a gateway and a device of its own.
async fn readings_come_in(files: &Files, mut broker: Broker, kind: Kind, ways: &[Way]) {
    let path = if kind == Kind::Nats { "/mqtt" } else { "/ws" };
    let urls = ways.iter().map(|way| match way {
        Way::Tls => format!("mqtts://{}", broker.at(*way)),
        Way::WebSocket => format!("ws://{}{path}", broker.at(*way)),
        Way::SecureWebSocket => format!("wss://{}{path}", broker.at(*way)),
    });
    let mut all = Vec::new();
    for url in urls {
        let dir = tempfile::tempdir().unwrap();
        let mut sets = files.sets(&url);
        if url.starts_with("ws:") {
            sets.truncate(1);
        }
        let sets: Vec<_> = sets.iter().map(String::as_str).collect();
        let gateway = Mtom::serve("gateway", dir.path(), &sets);
        connected(&gateway, 1).await;
        all.push((url, gateway, dir));
    }
    for round in 1..=2 {
        for (index, (url, ..)) in all.iter().enumerate() {
            let mut device = device(files, url, &format!("device-{index}")).await;
            let reading = format!(r#"{{"temperature":2{index},"boot":"{url}","seq":{round}}}"#);
            device.publish("Environ/Temperature", &reading, true).unwrap();
            while soon("PUBACK", device.next()).await.unwrap() != Progress::Acknowledged {}
        }
        for (_, gateway, _) in &all {
            stored(gateway, round * all.len() as u64).await;
        }
        if round == 1 {
            broker.restart(End::Asked);
            for (_, gateway, _) in &all {
                connected(gateway, 2).await;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nats_over_tls_and_websocket() {
    let files = Files::new();
    for (is_secure, ways) in
        [(false, &[Way::WebSocket][..]), (true, &[Way::Tls, Way::SecureWebSocket][..])]
    {
        let broker = Broker::with(Kind::Nats, |free| nats(&files, is_secure, free));
        let Some(broker) = broker else { return };
        readings_come_in(&files, broker, Kind::Nats, ways).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rabbitmq_over_tls_and_websocket() {
    let files = Files::new();
    let Some(broker) = Broker::with(Kind::RabbitMq, |free| rabbitmq(&files, free)) else { return };
    let ways = [Way::Tls, Way::WebSocket, Way::SecureWebSocket];
    readings_come_in(&files, broker, Kind::RabbitMq, &ways).await;
}
