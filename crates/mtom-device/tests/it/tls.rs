//! TLS to a real mosquitto, and to others who are not who they say.

use crate::certificates::{Authority, Shown, authority, between, broker, issue, issue_for, under};
use crate::impostor::{message, serve};
use crate::mosquitto::Mosquitto;
use core::pin::pin;
use core::task::Poll;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{ErrorType, Read, Write};
use embedded_tls::{Aes128GcmSha256, TlsConfig, TlsConnection, TlsContext, UnsecureProvider};
use minimq::{Buffers as Packets, ConfigBuilder, Publication, QoS, Session, TopicFilter};
use mtom_device::tls::{Buffers, CryptoRng, RngCore, RngError, TlsError, open};
use mtom_protocol::time::UnixMicros;
use rcgen::{ExtendedKeyUsagePurpose, Issuer, KeyPair, PKCS_ECDSA_P384_SHA384};
use std::cell::RefCell;
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// 2026-11-24.
const NOW: Option<UnixMicros> = Some(UnixMicros(1_795_478_400_000_000));
const HOST: &str = "broker.example";

/// Random numbers of the operating system.
#[derive(Clone, Copy)]
struct Os;

impl RngCore for Os {
    fn next_u32(&mut self) -> u32 {
        let mut bytes = [0; 4];
        self.fill_bytes(&mut bytes);
        u32::from_le_bytes(bytes)
    }

    fn next_u64(&mut self) -> u64 {
        let mut bytes = [0; 8];
        self.fill_bytes(&mut bytes);
        u64::from_le_bytes(bytes)
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        use std::io::Read as _;
        std::fs::File::open("/dev/urandom").unwrap().read_exact(bytes).unwrap();
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RngError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Os {}

/// Nothing here takes long.
async fn soon<T>(work: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(20), work).await.expect("it takes too long")
}

async fn socket(address: SocketAddr) -> FromTokio<TcpStream> {
    let socket = TcpStream::connect(address).await.unwrap();
    socket.set_nodelay(true).unwrap();
    FromTokio::new(socket)
}

/// What a device that trusts `ca` and thinks it is `time` says to a mosquitto that shows `shown`.
async fn check(
    ca: &Authority,
    shown: &Shown,
    host: &str,
    time: Option<UnixMicros>,
    expected: Result<(), TlsError>,
) {
    let Some(mosquitto) = Mosquitto::start(shown) else { return };
    let mut buffers = Buffers::new();
    let socket = socket(mosquitto.address).await;
    let opened = soon(open(socket, host, ca.der(), time, Os, &mut buffers)).await;
    assert_eq!(opened.map(|_| ()), expected, "{host} at {time:?}");
}

#[tokio::test]
async fn a_reading_goes_through_tls_to_mosquitto_and_back() {
    let ca = authority("home");
    let Some(mosquitto) = Mosquitto::start(&issue(&broker(&[HOST]), &ca)) else { return };
    let mut buffers = Buffers::new();
    // The buffers serve one connection after the other.
    for _ in 0..2 {
        let socket = socket(mosquitto.address).await;
        let opened = soon(open(socket, HOST, ca.der(), NOW, Os, &mut buffers)).await;
        soon(mtom_time::run(echo(opened.unwrap()))).await;
    }
}

/// Publishes readings and hears each of them again.
async fn echo<S: Read + Write>(stream: S) {
    let (rx, tx) = (&mut [0; 512], &mut [0; 1_536]);
    let config = ConfigBuilder::new(Packets::new(rx, tx)).client_id("echo").unwrap();
    let mut session = Session::new(config);
    let Ok(mut mqtt) = session.connect(stream).await else { panic!("mosquitto refuses") };
    mqtt.subscribe(&[TopicFilter::new("Environ/#")], &[]).await.unwrap();
    for tenths in 0..10 {
        let payload = format!("23.{tenths} °C");
        let reading = Publication::text("Environ/Temperature", &payload).qos(QoS::AtLeastOnce);
        let op = mqtt.publish(reading).await.unwrap().unwrap();
        let mut is_back = false;
        while !is_back || !mqtt.is_complete(&op) {
            if let Some(message) = mqtt.poll().await.unwrap() {
                assert_eq!(message.payload(), payload.as_bytes());
                is_back = true;
            }
        }
    }
}

/// Speaks MQTT by hand, and gives up each read, write and flush whenever it would have to wait.
async fn talk<S: Read + Write>(mut stream: S) -> Result<(), S::Error> {
    say(&mut stream, b"\x10\x10\x00\x04MQTT\x04\x02\x00\x3c\x00\x04talk").await?;
    assert_eq!(hear(&mut stream).await?, *b"\x20\x02\x00\x00");
    // A message that more than one record holds, then two times the question whether it is there.
    let mut message = b"\x30\xb8\x17\x00\x01t".to_vec();
    message.resize(3_003, b'.');
    message.extend_from_slice(b"\xc0\x00\xc0\x00");
    for _ in 0..5 {
        say(&mut stream, &message).await?;
        assert_eq!(hear(&mut stream).await?, *b"\xd0\x00\xd0\x00");
    }
    Ok(())
}

async fn say<S: Write>(stream: &mut S, mut bytes: &[u8]) -> Result<(), S::Error> {
    while !bytes.is_empty() {
        let len = given_up(async || stream.write(bytes).await).await?;
        bytes = &bytes[len..];
    }
    given_up(async || stream.flush().await).await
}

async fn hear<S: Read>(stream: &mut S) -> Result<[u8; 4], S::Error> {
    let mut bytes = [0; 4];
    let mut len = 0;
    while len < bytes.len() {
        let more = given_up(async || stream.read(&mut bytes[len..]).await).await?;
        assert_ne!(more, 0, "mosquitto has closed the connection");
        len += more;
    }
    Ok(bytes)
}

/// Begins `work` again and again until it can be done without waiting.
async fn given_up<T>(mut work: impl AsyncFnMut() -> T) -> T {
    loop {
        let turn = {
            let mut work = pin!(work());
            std::future::poll_fn(|context| Poll::Ready(work.as_mut().poll(context))).await
        };
        if let Poll::Ready(done) = turn {
            return done;
        }
        tokio::task::yield_now().await;
    }
}

/// Brings one byte at a time, and lets everybody wait before each.
struct Slow<S> {
    socket: S,
    is_ready: bool,
}

impl<S> Slow<S> {
    async fn wait(&mut self) {
        std::future::poll_fn(|context| {
            self.is_ready = !self.is_ready;
            if self.is_ready {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl<S: ErrorType> ErrorType for Slow<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Slow<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, S::Error> {
        self.wait().await;
        let len = bytes.len().min(1);
        self.socket.read(&mut bytes[..len]).await
    }
}

impl<S: Write> Write for Slow<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        self.wait().await;
        self.socket.write(&bytes[..bytes.len().min(1)]).await
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.wait().await;
        self.socket.flush().await
    }
}

#[tokio::test]
async fn reading_and_writing_are_given_up_in_the_middle_of_records_and_nothing_is_lost() {
    let ca = authority("home");
    let Some(mosquitto) = Mosquitto::start(&issue(&broker(&[HOST]), &ca)) else { return };
    let mut buffers = Buffers::new();
    let socket = Slow { socket: socket(mosquitto.address).await, is_ready: false };
    let opened = soon(open(socket, HOST, ca.der(), NOW, Os, &mut buffers)).await;
    soon(talk(opened.unwrap())).await.unwrap();
}

#[tokio::test]
async fn embedded_tls_by_itself_does_not_survive_that() {
    let ca = authority("home");
    let Some(mosquitto) = Mosquitto::start(&issue(&broker(&[HOST]), &ca)) else { return };
    let socket = Slow { socket: socket(mosquitto.address).await, is_ready: false };
    let (read, write) = (&mut [0; 16_640], &mut [0; 1_152]);
    let mut stream = TlsConnection::<_, Aes128GcmSha256>::new(socket, read, write);
    let config = TlsConfig::new().with_server_name(HOST);
    soon(stream.open(TlsContext::new(&config, UnsecureProvider::new(Os)))).await.unwrap();
    // It waits for ever for the rest of a record that it has read.
    let talk = tokio::time::timeout(Duration::from_secs(2), talk(stream)).await;
    assert!(!matches!(talk, Ok(Ok(()))));
}

#[tokio::test]
async fn a_chain_of_two_is_followed_to_the_ca() {
    let ca = authority("home");
    let kitchen = under(&ca, "kitchen");
    let mut shown = issue(&broker(&[HOST]), &kitchen);
    check(&ca, &shown, HOST, NOW, Err(TlsError::WrongCa)).await;
    shown.chain.push_str(&kitchen.pem());
    check(&ca, &shown, HOST, NOW, Ok(())).await;
    // Many a broker shows the CA's own certificate too.
    shown.chain.push_str(&ca.pem());
    check(&ca, &shown, HOST, NOW, Ok(())).await;
}

#[tokio::test]
async fn a_certificate_of_another_ca_is_refused() {
    let ca = authority("home");
    check(&ca, &issue(&broker(&[HOST]), &authority("away")), HOST, NOW, Err(TlsError::WrongCa))
        .await;
    // Of the same name, with another key.
    check(&ca, &issue(&broker(&[HOST]), &authority("home")), HOST, NOW, Err(TlsError::WrongCa))
        .await;
}

#[tokio::test]
async fn who_has_a_certificate_of_the_ca_cannot_issue_others() {
    let ca = authority("home");
    let lamp = KeyPair::generate().unwrap();
    let lamp_params = broker(&["lamp.example"]);
    let lamp_pem = issue_for(&lamp_params, &lamp, &ca).chain;
    let mut shown = issue(&broker(&[HOST]), &Issuer::new(lamp_params, lamp));
    shown.chain.push_str(&lamp_pem);
    check(&ca, &shown, HOST, NOW, Err(TlsError::WrongCa)).await;
}

#[tokio::test]
async fn the_host_is_one_of_the_names_or_addresses_in_the_certificate() {
    let ca = authority("home");
    let shown = issue(&broker(&[HOST, "127.0.0.1", "*.lan.example"]), &ca);
    for host in [HOST, "BROKER.example", "127.0.0.1", "one.lan.example"] {
        check(&ca, &shown, host, NOW, Ok(())).await;
    }
    for host in ["example", "other.example", "127.0.0.2", "one.two.lan.example", "broker"] {
        check(&ca, &shown, host, NOW, Err(TlsError::WrongHost)).await;
    }
    // A common name is no subject alternative name.
    check(&ca, &issue(&broker(&[]), &ca), "broker", NOW, Err(TlsError::WrongHost)).await;
    check(&ca, &shown, "no_such=host", NOW, Err(TlsError::BadHost)).await;
}

#[tokio::test]
async fn the_time_of_a_certificate_is_checked_as_far_as_the_time_is_known() {
    let ca = authority("home");
    let of = |from, to| issue(&between(broker(&[HOST]), from, to), &ca);
    check(&ca, &of(2020, 2026), HOST, NOW, Err(TlsError::Expired)).await;
    check(&ca, &of(2030, 2035), HOST, NOW, Err(TlsError::NotYetValid)).await;
    // Without a clock: there was or will be such a moment ...
    check(&ca, &of(2020, 2026), HOST, None, Ok(())).await;
    check(&ca, &of(2030, 2035), HOST, None, Ok(())).await;
    // ... or there was none since there are devices.
    check(&ca, &of(2020, 2023), HOST, None, Err(TlsError::Expired)).await;
}

#[tokio::test]
async fn without_a_clock_the_whole_chain_must_have_been_valid_at_one_moment() {
    let ca = authority("home");
    for (from, expected) in [(2027, Ok(())), (2029, Err(TlsError::Expired))] {
        let key = KeyPair::generate().unwrap();
        let mut params = between(broker(&[]), from, 2035);
        params.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        let kitchen = rcgen::CertifiedIssuer::signed_by(params, key, &ca).unwrap();
        let mut shown = issue(&between(broker(&[HOST]), 2025, 2028), &kitchen);
        shown.chain.push_str(&kitchen.pem());
        check(&ca, &shown, HOST, None, expected).await;
    }
}

#[tokio::test]
async fn what_is_no_certificate_of_a_broker_with_p256_is_refused_as_such() {
    let ca = authority("home");
    let own = Shown { chain: ca.pem(), key: ca.key().serialize_pem() };
    check(&ca, &own, HOST, NOW, Err(TlsError::CaAsBroker)).await;

    let p384 = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
    let shown = issue_for(&broker(&[HOST]), &p384, &ca);
    check(&ca, &shown, HOST, NOW, Err(TlsError::BadCertificate)).await;

    let mut params = broker(&[HOST]);
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
    check(&ca, &issue(&params, &ca), HOST, NOW, Err(TlsError::BadCertificate)).await;
}

#[tokio::test]
async fn a_ca_that_is_none_is_refused_before_anything_is_sent() {
    let mut buffers = Buffers::new();
    for ca in [&b""[..], b"-----BEGIN CERTIFICATE-----", &[0x30; 300]] {
        let (socket, _other_end) = tokio::io::duplex(1);
        let opened = open(FromTokio::new(socket), HOST, ca, NOW, Os, &mut buffers).await;
        assert_eq!(opened.map(|_| ()), Err(TlsError::BadCa));
    }
}

#[tokio::test]
async fn a_broker_of_tls_1_2_is_named_as_such() {
    let ca = authority("home");
    let shown = issue(&broker(&[HOST]), &ca);
    let old = "MaxProtocol = TLSv1.2";
    let Some(mosquitto) = Mosquitto::start_with(&shown, "", old) else { return };
    let (mut buffers, socket) = (Buffers::new(), socket(mosquitto.address).await);
    let opened = soon(open(socket, HOST, ca.der(), NOW, Os, &mut buffers)).await;
    assert_eq!(opened.map(|_| ()), Err(TlsError::OldTls));
}

#[tokio::test]
async fn a_broker_that_wants_a_certificate_of_the_device_ends_the_connection_with_an_alert() {
    let ca = authority("home");
    let shown = issue(&broker(&[HOST]), &ca);
    let wants = "require_certificate true";
    let Some(mosquitto) = Mosquitto::start_with(&shown, wants, "") else { return };
    let (mut buffers, socket) = (Buffers::new(), socket(mosquitto.address).await);
    let opened = soon(open(socket, HOST, ca.der(), NOW, Os, &mut buffers)).await;
    assert_eq!(soon(opened.unwrap().read(&mut [0; 9])).await, Err(TlsError::Alert));
}

/// Brings what is laid into `forged` before anything else.
struct Forger<S> {
    socket: S,
    forged: Rc<RefCell<VecDeque<u8>>>,
}

impl<S: ErrorType> ErrorType for Forger<S> {
    type Error = S::Error;
}

impl<S: Read> Read for Forger<S> {
    async fn read(&mut self, bytes: &mut [u8]) -> Result<usize, S::Error> {
        let forged = self.forged.borrow_mut().pop_front();
        match (bytes.first_mut(), forged) {
            (Some(place), Some(byte)) => {
                *place = byte;
                Ok(1)
            }
            _ => self.socket.read(bytes).await,
        }
    }
}

impl<S: Write> Write for Forger<S> {
    async fn write(&mut self, bytes: &[u8]) -> Result<usize, S::Error> {
        self.socket.write(bytes).await
    }

    async fn flush(&mut self) -> Result<(), S::Error> {
        self.socket.flush().await
    }
}

/// Whoever sits between can send what is not encrypted, and what cannot be decrypted.
#[tokio::test]
async fn forged_records_end_the_connection_and_nothing_else() {
    let ca = authority("home");
    let Some(mosquitto) = Mosquitto::start(&issue(&broker(&[HOST]), &ca)) else { return };
    let forgeries: [&[u8]; 7] = [
        b"\x16\x03\x03\x00\x04\x14\x00\x00\x00",
        b"\x16\x03\x03\x00\x08\x18\x00\x00\x01\x00",
        b"\x15\x03\x03\x00\x02\x01\x00",
        b"\x17\x03\x03\x00\x00",
        b"\x17\x03\x03\x00\x10\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x17\x03\x03\x00\x11\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00\x00",
        b"\x14\x03\x03\x00\x02\x01\x01",
    ];
    for forgery in forgeries {
        let forged = Rc::new(RefCell::new(VecDeque::new()));
        let socket = Forger { socket: socket(mosquitto.address).await, forged: forged.clone() };
        let mut buffers = Buffers::new();
        let opened = soon(open(socket, HOST, ca.der(), NOW, Os, &mut buffers)).await;
        forged.borrow_mut().extend(forgery);
        let read = soon(opened.unwrap().read(&mut [0; 9])).await;
        assert_eq!(read, Err(TlsError::Broken), "{forgery:?}");
    }
}

/// What a device that trusts `ca` says to an impostor that shows `shows` and finishes the handshake.
async fn check_impostor(ca: &Authority, shows: &[&[u8]], expected: TlsError) {
    let (device, impostor) = tokio::io::duplex(1 << 15);
    let mut buffers = Buffers::new();
    let device = async {
        open(FromTokio::new(device), HOST, ca.der(), NOW, Os, &mut buffers).await.map(|_| ())
    };
    let shows = shows.concat();
    let (opened, ()) = soon(async { tokio::join!(device, serve(impostor, &shows)) }).await;
    assert_eq!(opened, Err(expected));
}

/// embedded-tls finishes without a certificate: that the other end knows what was said is enough for it.
#[tokio::test]
async fn an_impostor_is_refused_whatever_it_shows() {
    let ca = authority("home");
    // Everybody can see it.
    let key = KeyPair::generate().unwrap();
    let der = broker(&[HOST]).signed_by(&key, &ca).unwrap().der().to_vec();
    let entry = [&u24(der.len())[..], &der, &[0, 0]].concat();
    let of = |entries: &[u8]| message(11, &[&[0], &u24(entries.len())[..], entries].concat());
    let (none, certificate) = (of(&[]), of(&entry));
    let another = authority("away");
    let other = broker(&[HOST]).signed_by(&key, &another).unwrap().der().to_vec();
    let other = of(&[&u24(other.len())[..], &other, &[0, 0]].concat());
    // A signature of P-256, of something else.
    let signed =
        |scheme: &[u8; 2]| message(15, &[&scheme[..], &[0, 8, 48, 6, 2, 1, 1, 2, 1, 1]].concat());
    let (signature, rsa) = (signed(b"\x04\x03"), signed(b"\x08\x04"));

    check_impostor(&ca, &[], TlsError::NotProven).await;
    check_impostor(&ca, &[&none], TlsError::NotProven).await;
    check_impostor(&ca, &[&signature], TlsError::NotProven).await;
    check_impostor(&ca, &[&certificate], TlsError::NotProven).await;
    check_impostor(&ca, &[&certificate, &signature], TlsError::NotProven).await;
    check_impostor(&ca, &[&certificate, &rsa], TlsError::BadCertificate).await;
    check_impostor(&ca, &[&certificate, &certificate], TlsError::Broken).await;
    check_impostor(&ca, &[&other], TlsError::WrongCa).await;
    check_impostor(&ca, &[&certificate, &other, &signature], TlsError::Broken).await;
    check_impostor(&ca, &[b"\x18\x00\x00\x01\x00"], TlsError::Broken).await;
}

fn u24(len: usize) -> [u8; 3] {
    let [_, high, middle, low] = u32::try_from(len).unwrap().to_be_bytes();
    [high, middle, low]
}

/// What a device says to a broker that answers its hello with `answer` and goes away.
async fn check_answer(answer: &[u8], expected: TlsError) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let broker = async {
        let (mut socket, _) = listener.accept().await.unwrap();
        // Not before it has been asked, else the network may swallow the answer.
        let hello = socket.read_u8().await.unwrap();
        socket.write_all(answer).await.unwrap();
        socket.shutdown().await.unwrap();
        // Then it takes what comes, so that the end is not a reset.
        while socket.read(&mut [0; 999]).await.is_ok_and(|len| len > 0) {}
        hello
    };
    let mut buffers = Buffers::new();
    let ca = authority("home");
    let device = async {
        let socket = socket(address).await;
        open(socket, HOST, ca.der(), NOW, Os, &mut buffers).await.map(|_| ())
    };
    let (hello, opened) = soon(async { tokio::join!(broker, device) }).await;
    assert_eq!((hello, opened), (22, Err(expected)), "{answer:?}");
}

#[tokio::test]
async fn whatever_is_no_tls_is_named_as_such() {
    check_answer(b"", TlsError::Closed).await;
    check_answer(b"\x16\x03\x03", TlsError::Closed).await;
    check_answer(b"\x16\x03\x03\x00\x7a\x02\x00", TlsError::Closed).await;
    check_answer(b"HTTP/1.1 400 Bad Request\r\n\r\n", TlsError::NotTls).await;
    check_answer(b"\x20\x02\x00\x01", TlsError::Closed).await;
    check_answer(b"\x20\x02\x00\x01\x20\x02\x00\x01", TlsError::NotTls).await;
    check_answer(b"\x16\x03\x03\xff\xff", TlsError::RecordTooLong).await;
    check_answer(b"\x16\x03\x03\x00\x01\x02", TlsError::Broken).await;
    check_answer(b"\x17\x03\x03\x00\x30", TlsError::Broken).await;
    check_answer(b"\x15\x03\x03\x00\x02\x02\x28", TlsError::NothingInCommon).await;
    check_answer(b"\x15\x03\x03\x00\x02\x02\x46", TlsError::OldTls).await;
    check_answer(b"\x15\x03\x03\x00\x02\x02\x50", TlsError::Refused(80)).await;
}
