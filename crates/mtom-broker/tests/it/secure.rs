//! TLS and WebSocket with a real mosquitto, and what is said where they do not come about.

use crate::client::Client;
use crate::mosquitto::{Mosquitto, program};
use crate::{delivery, progress, soon};
use mtom_broker::client::Change;
use mtom_broker::publisher::{Progress, Publisher};
use mtom_mqtt::check::check;
use mtom_mqtt::endpoint::{Endpoint, Scheme};
use mtom_mqtt::fault::{Fault, Refusal, TlsFault};
use mtom_mqtt::target::{Spoken, Target, Version};
use mtom_mqtt::tls::Tls;
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

/// An authority of a test's own.
struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A certificate and its key, in PEM form.
struct Pair {
    certificate: String,
    key: String,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::CommonName, name);
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap())
    }

    fn pem(&self) -> String {
        self.0.pem()
    }

    fn signs(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Pair {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        params.extended_key_usages =
            vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        let certificate = params.signed_by(&key, &self.0).unwrap();
        Pair { certificate: certificate.pem(), key: key.serialize_pem() }
    }
}

/// The lines of a listener that shows `pair` and, where there are `clients`, lets in whom they signed.
fn lines(dir: &Path, pair: &Pair, clients: Option<&Authority>) -> String {
    let file = |name: &str, text: &str| {
        let path = dir.join(name);
        std::fs::write(&path, text).unwrap();
        path.display().to_string()
    };
    let mut lines = format!(
        "allow_anonymous true\ncertfile {}\nkeyfile {}\n",
        file("server.pem", &pair.certificate),
        file("server.key", &pair.key)
    );
    if let Some(clients) = clients {
        let path = file("clients.pem", &clients.pem());
        lines.push_str(&format!("cafile {path}\nrequire_certificate true\n"));
    }
    lines
}

fn target(broker: &Mosquitto, scheme: Scheme, tls: Tls, version: Version) -> Target {
    let path = if matches!(scheme, Scheme::Ws | Scheme::Wss) { "/mqtt" } else { "" };
    let endpoint = Endpoint {
        scheme,
        host: "localhost".into(),
        port: broker.address.port(),
        path: path.into(),
    };
    Target { endpoint, tls, credentials: None, version }
}

/// A reading goes to the broker and comes to the client, over the same kind of wire.
async fn a_reading_arrives(target: Target) {
    let spoken = if target.version == Version::V3 { Spoken::V3 } else { Spoken::V5 };
    let mut client = Client::of(target.clone());
    let change = client.change().await;
    assert_eq!(change, Change::Connected { session_lost: false, spoken }, "{target:?}");
    let mut device = Publisher::to("device", &target);
    // More than one frame, and more than one read.
    let payload = format!("26.5 °C{}", " ".repeat(20_000));
    device.publish("Environ/Temperature", &payload, true).unwrap();
    progress(&mut device, Progress::Acknowledged).await;
    let arrived = delivery(&mut client.deliveries).await;
    assert_eq!(arrived.message.payload, payload.as_bytes(), "{target:?}");
    arrived.safe();
    client.end().await;
}

#[tokio::test]
async fn a_reading_arrives_over_every_kind_of_wire_in_every_version() {
    let Some(program) = program() else { return };
    let (authority, dir) = (Authority::new("ours"), tempfile::tempdir().unwrap());
    let secure = lines(dir.path(), &authority.signs("localhost", |_| {}), Some(&authority));
    let us = authority.signs("gateway", |_| {});
    let tls = Tls::default().trusting(&authority.pem()).unwrap();
    let tls = tls.identified(&us.certificate, &us.key).unwrap();
    // Mosquitto 2.0.11 ends where it has WebSocket alone.
    let web = format!("protocol websockets\nlistener 0 {}\n", dir.path().join("socket").display());
    for (scheme, lines) in [
        (Scheme::Mqtt, "allow_anonymous true\n".to_owned()),
        (Scheme::Ws, format!("allow_anonymous true\n{web}")),
        (Scheme::Mqtts, secure.clone()),
        (Scheme::Wss, format!("{secure}{web}")),
    ] {
        let broker = Mosquitto::with(program, &lines);
        for version in [Version::V3, Version::V5, Version::Auto] {
            a_reading_arrives(target(&broker, scheme, tls.clone(), version)).await;
        }
    }
}

async fn fault(target: &Target) -> Fault {
    soon("a fault", check(target, "mtom-check")).await.unwrap_err()
}

#[tokio::test]
async fn a_certificate_that_is_not_trusted_is_named_with_what_to_do() {
    let Some(program) = program() else { return };
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let tls = Tls::default().trusting(&ours.pem()).unwrap();
    let long_ago = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(2001, 1, 1);
        params.not_after = date_time_ymd(2002, 1, 1);
    };
    let far_off = |params: &mut CertificateParams| {
        params.not_before = date_time_ymd(3001, 1, 1);
        params.not_after = date_time_ymd(3002, 1, 1);
    };
    let authority = |params: &mut CertificateParams| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    };
    for (pair, expected) in [
        (theirs.signs("localhost", |_| {}), "signed by nobody that broker.ca_file names"),
        (ours.signs("broker.example", |_| {}), "not for localhost but for broker.example"),
        (ours.signs("localhost", long_ago), "has expired"),
        (ours.signs("localhost", far_off), "is not valid yet"),
        (ours.signs("localhost", authority), "that of an authority"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        let broker = Mosquitto::with(program, &lines(dir.path(), &pair, None));
        // TLS comes before WebSocket.
        for scheme in [Scheme::Mqtts, Scheme::Wss] {
            let said = fault(&target(&broker, scheme, tls.clone(), Version::V3)).await;
            assert!(said.to_string().contains(expected), "{expected}: {said}");
        }
    }
    let dir = tempfile::tempdir().unwrap();
    let pair = ours.signs("localhost", |_| {});
    let broker = Mosquitto::with(program, &lines(dir.path(), &pair, None));
    let of_system = target(&broker, Scheme::Mqtts, Tls::default(), Version::V3);
    let said = fault(&of_system).await.to_string();
    assert!(said.contains("this system trusts") && said.contains("broker.ca_file"), "{said}");
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_says_so() {
    let Some(program) = program() else { return };
    let (ours, theirs) = (Authority::new("ours"), Authority::new("theirs"));
    let dir = tempfile::tempdir().unwrap();
    let pair = ours.signs("localhost", |_| {});
    let broker = Mosquitto::with(program, &lines(dir.path(), &pair, Some(&ours)));
    let nobody = Tls::default().trusting(&ours.pem()).unwrap();
    for version in [Version::V3, Version::V5] {
        let said = fault(&target(&broker, Scheme::Mqtts, nobody.clone(), version)).await;
        assert!(said.to_string().contains("broker.certificate_file"), "{said}");
    }
    // Over WebSocket it comes with the answer to the upgrade, and is no fault of that.
    let pair = ours.signs("localhost", |_| {});
    let (web, socket) = (lines(dir.path(), &pair, Some(&ours)), dir.path().join("socket"));
    let web = format!("{web}protocol websockets\nlistener 0 {}\n", socket.display());
    let web = Mosquitto::with(program, &web);
    let said = fault(&target(&web, Scheme::Wss, nobody.clone(), Version::V5)).await;
    assert!(said.to_string().contains("broker.certificate_file"), "{said}");
    let stranger = theirs.signs("gateway", |_| {});
    let stranger = nobody.identified(&stranger.certificate, &stranger.key).unwrap();
    let said = fault(&target(&broker, Scheme::Mqtts, stranger, Version::V3)).await;
    assert!(said.to_string().contains("accept broker.certificate_file"), "{said}");
}

#[tokio::test]
async fn a_port_that_speaks_otherwise_is_told_apart() {
    let Some(program) = program() else { return };
    let ours = Authority::new("ours");
    let tls = Tls::default().trusting(&ours.pem()).unwrap();
    let plain = Mosquitto::start(program);
    let said = fault(&target(&plain, Scheme::Mqtts, tls.clone(), Version::V3)).await;
    assert!(
        matches!(said, Fault::Tls(TlsFault::NotSpoken { .. }) | Fault::NoGreeting { .. }),
        "{said}"
    );
    let said = fault(&target(&plain, Scheme::Ws, tls.clone(), Version::V3)).await;
    assert!(matches!(said, Fault::Web(_)), "{said}");
    let dir = tempfile::tempdir().unwrap();
    let pair = ours.signs("localhost", |_| {});
    let secure = Mosquitto::with(program, &lines(dir.path(), &pair, None));
    let said = fault(&target(&secure, Scheme::Mqtt, tls, Version::Auto)).await;
    assert!(said.to_string().contains("mqtts://"), "{said}");
}

#[tokio::test]
async fn a_web_server_that_knows_no_such_path_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/nowhere", listener.local_addr().unwrap());
    let endpoint = Endpoint::parse(&url).unwrap();
    let target = Target { endpoint, ..Target::plain("", 0) };
    let answering = async {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = [0; 1_024];
        assert!(stream.read(&mut request).await.unwrap() > 0);
        let answer = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(answer).await.unwrap();
        stream
    };
    let (said, _stream) = tokio::join!(fault(&target), answering);
    let expected = "the web server answers 404 to /nowhere: check the path of broker.url";
    assert!(said.to_string().starts_with(expected), "{said}");
}

#[tokio::test]
async fn a_wrong_password_is_told_from_a_broker_that_is_away() {
    let Some(program) = program() else { return };
    let dir = tempfile::tempdir().unwrap();
    let users = dir.path().join("users");
    std::fs::write(&users, "me:secret\n").unwrap();
    let made = std::process::Command::new("mosquitto_passwd").arg("-U").arg(&users).status();
    assert!(made.unwrap().success());
    let lines = format!("allow_anonymous false\npassword_file {}\n", users.display());
    let broker = Mosquitto::with(program, &lines);
    for version in [Version::V3, Version::V5, Version::Auto] {
        let mut target = target(&broker, Scheme::Mqtt, Tls::default(), version);
        target.credentials = Some(("me".into(), "guess".into()));
        let said = fault(&target).await;
        let expected =
            [Fault::Refused(Refusal::Credentials), Fault::Refused(Refusal::NotAuthorized)];
        assert!(expected.contains(&said), "{said}");
        target.credentials = Some(("me".into(), "secret".into()));
        assert!(soon("the broker", check(&target, "mtom-check")).await.is_ok());
    }
    let away = Target::plain("127.0.0.1", broker.address.port());
    drop(broker);
    assert!(matches!(fault(&away).await, Fault::Unreachable { .. }));
    let nobody = Target::plain("broker.invalid", 1883);
    assert!(matches!(fault(&nobody).await, Fault::Name { .. }));
}
