use super::*;
use tokio::net::TcpListener;

const TOPIC: &str = "Environ/Temperature";

/// A QoS 1 PUBLISH without properties [MQTT-5.0 3.3].
fn publish(topic: &str, id: u8, payload: &[u8]) -> Vec<u8> {
    let len = u8::try_from(2 + topic.len() + 2 + 1 + payload.len()).unwrap();
    let mut packet = vec![0x32, len, 0, u8::try_from(topic.len()).unwrap()];
    packet.extend_from_slice(topic.as_bytes());
    packet.extend_from_slice(&[0, id, 0]);
    packet.extend_from_slice(payload);
    packet
}

/// A wire with `faults`, and the broker's end of it.
async fn wired(faults: &str) -> (Wire, TcpStream, Rc<Trouble>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let trouble = Trouble::new(&faults.parse().unwrap(), Rng::with_seed(7));
    let mut network = Network {
        host: "127.0.0.1".into(),
        port,
        topic: TOPIC.into(),
        trouble: Rc::clone(&trouble),
    };
    let wire = network.connect().await.unwrap();
    (wire, listener.accept().await.unwrap().0, trouble)
}

async fn sent(faults: &str, packets: &[Vec<u8>]) -> (Vec<u8>, Vec<Option<Fate>>) {
    let (mut wire, mut broker, trouble) = wired(faults).await;
    let mut fates = Vec::new();
    for packet in packets {
        wire.write_all(packet).await.unwrap();
        fates.push(trouble.take_last());
    }
    wire.flush().await.unwrap();
    drop(wire);
    let mut bytes = Vec::new();
    broker.read_to_end(&mut bytes).await.unwrap();
    (bytes, fates)
}

#[tokio::test]
async fn without_faults_every_byte_goes_out_as_it_is() {
    let packets = [vec![0xc0, 0], publish(TOPIC, 1, b"23.4 \xc2\xb0C")];
    assert_eq!(sent("", &packets).await, (packets.concat(), vec![None, None]));
}

#[tokio::test]
async fn a_garbled_reading_keeps_its_packet_and_loses_its_payload() {
    let packet = publish(TOPIC, 1, b"23.4 \xc2\xb0C");
    let (bytes, fates) = sent("garbage=1", std::slice::from_ref(&packet)).await;
    let payload = packet.len() - 8;
    assert_eq!((bytes.len(), &bytes[..payload]), (packet.len(), &packet[..payload]));
    assert_ne!(bytes[payload..], packet[payload..]);
    assert_eq!(fates, [Some(Fate::Garbled)]);
}

#[tokio::test]
async fn a_doubled_reading_comes_twice_the_second_time_as_a_duplicate() {
    let packet = publish(TOPIC, 1, b"23.4");
    let (bytes, fates) = sent("duplicate=1", std::slice::from_ref(&packet)).await;
    let mut again = packet.clone();
    again[0] |= 0x08;
    assert_eq!((bytes, fates), ([packet, again].concat(), vec![Some(Fate::Doubled)]));
}

#[tokio::test]
async fn only_readings_are_tampered_with() {
    let packets = [vec![0xc0, 0], publish("mtom/sim-1/status", 1, b"online")];
    assert_eq!(sent("garbage=1", &packets).await, (packets.concat(), vec![None, None]));
}

#[tokio::test]
async fn a_late_reading_is_overtaken_and_comes_all_the_same() {
    let (mut wire, mut broker, trouble) = wired("late=1").await;
    let late = publish(TOPIC, 1, b"23.4");
    wire.write_all(&late).await.unwrap();
    assert_eq!(trouble.take_last(), Some(Fate::Late));
    wire.write_all(&[0xc0, 0]).await.unwrap();
    wire.flush().await.unwrap();
    let mut bytes = vec![0; 2 + late.len()];
    let mut nothing = [0; 1];
    // The device waits for an answer meanwhile, and that is when the late one goes.
    tokio::select! {
        read = broker.read_exact(&mut bytes) => { read.unwrap(); }
        read = wire.read(&mut nothing) => panic!("nobody answers: {read:?}"),
    }
    assert_eq!(bytes, [vec![0xc0, 0], late].concat());
}

#[tokio::test]
async fn without_network_nothing_is_opened_and_what_is_open_breaks() {
    let (mut wire, _broker, trouble) = wired("offline=999ms/1s").await;
    let mut nothing = [0; 1];
    assert_eq!(wire.read(&mut nothing).await, Err(ErrorKind::ConnectionReset));
    let mut network = Network { host: "127.0.0.1".into(), port: 1, topic: TOPIC.into(), trouble };
    let refused = network.connect().await.err().unwrap();
    assert_eq!(refused.to_string(), "no network (simulated)");
}
