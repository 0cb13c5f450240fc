use super::{Secured, SecuredError, Tls};
use crate::clock::WallClock;
use crate::sensor::Connector;
use crate::tls::TlsError;
use embedded_io_adapters::tokio_1::FromTokio;
use embedded_io_async::{Read as _, Write as _};
use p256::elliptic_curve::rand_core::{CryptoRng, Error, RngCore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

/// Opens one stream, once.
struct Once(Option<DuplexStream>);

impl Connector for Once {
    type Io<'a> = FromTokio<DuplexStream>;
    type Error = &'static str;

    async fn connect(&mut self) -> Result<FromTokio<DuplexStream>, &'static str> {
        self.0.take().map(FromTokio::new).ok_or("nobody there")
    }
}

/// Random enough for a test.
struct Counter(u64);

impl RngCore for Counter {
    fn next_u32(&mut self) -> u32 {
        u32::try_from(self.next_u64() >> 32).unwrap()
    }

    fn next_u64(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        self.0
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_u64().to_be_bytes()[0]);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), Error> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Counter {}

fn run(test: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(mtom_time::run(test));
}

#[test]
fn without_tls_bytes_go_through_as_they_are() {
    run(async {
        let (device, mut broker) = duplex(64);
        let mut connector = Secured::new(Once(Some(device)), None, Counter(1));
        let mut stream = connector.connect().await.ok().unwrap();
        stream.write_all(b"hello").await.unwrap();
        stream.flush().await.unwrap();
        let mut bytes = [0; 5];
        broker.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"hello");
        broker.write_all(b"world").await.unwrap();
        stream.read_exact(&mut bytes).await.unwrap();
        assert_eq!(&bytes, b"world");
    });
}

#[test]
fn a_broker_that_cannot_be_reached_is_not_tls_fault() {
    run(async {
        let mut connector = Secured::new(Once(None), None, Counter(1));
        let error = connector.connect().await.err().unwrap();
        assert_eq!(error, SecuredError::Plain("nobody there"));
        assert_eq!(error.to_string(), "nobody there");
    });
}

#[test]
fn a_ca_that_is_no_certificate_is_refused_before_anything_is_sent() {
    run(async {
        let (device, mut broker) = duplex(64);
        let clock = WallClock::new();
        let tls = Tls { host: "broker.lan", ca: b"no certificate", clock: &clock };
        let mut connector = Secured::new(Once(Some(device)), Some(tls), Counter(1));
        let error = connector.connect().await.err().unwrap();
        assert_eq!(error, SecuredError::Tls(TlsError::BadCa));
        drop(connector);
        assert_eq!(broker.read(&mut [0; 1]).await.unwrap(), 0);
    });
}
