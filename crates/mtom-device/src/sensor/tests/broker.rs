//! A broker in memory that does exactly what a test tells it to.

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

/// A packet from the device, as far as tests look at it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Packet {
    Connect {
        id: String,
        will: (String, String),
        user: Option<(String, String)>,
    },
    Publish {
        topic: String,
        payload: String,
        id: Option<u16>,
        retained: bool,
        /// User properties.
        beside: Vec<(String, String)>,
    },
    Subscribe {
        id: u16,
        filters: Vec<String>,
    },
    Ping,
    Disconnect,
}

/// The broker's end of one connection.
pub(super) struct Peer(pub(super) DuplexStream);

impl Peer {
    /// The next packet; `None` when the device has closed.
    pub(super) async fn next(&mut self) -> Option<Packet> {
        let first = self.0.read_u8().await.ok()?;
        let (mut len, mut shift) = (0, 0);
        loop {
            let byte = self.0.read_u8().await.ok()?;
            len |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 {
                break;
            }
        }
        let mut body = vec![0; len];
        self.0.read_exact(&mut body).await.ok()?;
        Some(parse(first, &body))
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) {
        // The device may be gone: the test sees that elsewhere.
        let _ = self.0.write_all(bytes).await;
    }

    /// CONNACK, a new session.
    pub(super) async fn accept(&mut self) {
        self.send(&[0x20, 3, 0, 0, 0]).await;
    }

    pub(super) async fn puback(&mut self, id: u16, reason: u8) {
        let [high, low] = id.to_be_bytes();
        self.send(&[0x40, 4, high, low, reason, 0]).await;
    }

    pub(super) async fn suback(&mut self, id: u16, reasons: &[u8]) {
        let [high, low] = id.to_be_bytes();
        let len = 3 + u8::try_from(reasons.len()).unwrap();
        self.send(&[&[0x90, len, high, low, 0], reasons].concat()).await;
    }

    pub(super) async fn publish(&mut self, topic: &str, payload: &[u8]) {
        let len = 2 + topic.len() + 1 + payload.len();
        let mut packet = vec![0x31];
        if len > 127 {
            packet.push(u8::try_from(len & 0x7f).unwrap() | 0x80);
        }
        packet.push(u8::try_from(if len > 127 { len >> 7 } else { len }).unwrap());
        packet.extend_from_slice(&u16::try_from(topic.len()).unwrap().to_be_bytes());
        packet.extend_from_slice(topic.as_bytes());
        packet.push(0);
        packet.extend_from_slice(payload);
        self.send(&packet).await;
    }

    /// Answers everything as a good broker does; hands on what was published.
    pub(super) async fn published(&mut self) -> Option<(String, String)> {
        loop {
            match self.next().await? {
                Packet::Connect { .. } => self.accept().await,
                Packet::Publish { topic, payload, id, .. } => {
                    if let Some(id) = id {
                        self.puback(id, 0).await;
                    }
                    return Some((topic, payload));
                }
                Packet::Subscribe { id, filters } => self.suback(id, &vec![0; filters.len()]).await,
                Packet::Ping => self.send(&[0xd0, 0]).await,
                Packet::Disconnect => {}
            }
        }
    }

    /// The next reading on `topic`; answers everything else.
    pub(super) async fn reading(&mut self, topic: &str) -> Option<String> {
        loop {
            let (found, payload) = self.published().await?;
            if found == topic {
                return Some(payload);
            }
        }
    }
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn take(&mut self, len: usize) -> Vec<u8> {
        let (taken, rest) = self.0.split_at(len);
        self.0 = rest;
        taken.to_vec()
    }

    fn number(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let len = self.number();
        String::from_utf8(self.take(usize::from(len))).unwrap()
    }

    fn user_properties(&mut self) -> Vec<(String, String)> {
        let len = self.take(1)[0];
        assert!(len < 0x80, "tests know short properties only");
        let all = self.take(usize::from(len));
        let (mut all, mut found) = (Reader(&all), Vec::new());
        while !all.0.is_empty() {
            assert_eq!(all.take(1), [0x26], "a user property [MQTT-5.0 3.3.2.3.7]");
            found.push((all.text(), all.text()));
        }
        found
    }

    fn properties(&mut self) {
        let len = self.take(1)[0];
        assert!(len < 0x80, "tests know short properties only");
        self.take(usize::from(len));
    }
}

fn parse(first: u8, body: &[u8]) -> Packet {
    let mut body = Reader(body);
    match first >> 4 {
        1 => {
            assert_eq!((body.text().as_str(), body.take(1)), ("MQTT", vec![5]));
            let flags = body.take(1)[0];
            body.number();
            body.properties();
            let id = body.text();
            body.properties();
            let will = (body.text(), body.text());
            let user = (flags & 0x80 != 0).then(|| (body.text(), body.text()));
            assert_eq!(flags & 0b10_0100, 0b10_0100, "the last will is retained");
            Packet::Connect { id, will, user }
        }
        3 => {
            let topic = body.text();
            let id = (first & 0b110 != 0).then(|| body.number());
            let beside = body.user_properties();
            let payload = String::from_utf8(body.0.to_vec()).unwrap();
            Packet::Publish { topic, payload, id, retained: first & 1 == 1, beside }
        }
        8 => {
            let id = body.number();
            body.properties();
            let mut filters = Vec::new();
            while !body.0.is_empty() {
                filters.push(body.text());
                body.take(1);
            }
            Packet::Subscribe { id, filters }
        }
        12 => Packet::Ping,
        14 => Packet::Disconnect,
        other => panic!("no packet of type {other} is expected from a device"),
    }
}
