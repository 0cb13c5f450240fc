//! A TLS server that says anything, after `p` as it is, after `s` sealed behind a good hello: never a
//! panic, never trusted.
#![no_main]

use embedded_io_adapters::tokio_1::FromTokio;
use libfuzzer_sys::fuzz_target;
use mtom_device::tls::{Buffers, CryptoRng, RngCore, RngError, TlsError, open};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::sync::LazyLock;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, duplex};
use tokio::runtime::{Builder, Runtime};

#[expect(dead_code, reason = "tests make messages, the fuzzer makes bytes")]
#[path = "../../crates/mtom-device/tests/it/impostor.rs"]
mod impostor;

thread_local! {
    static RUNTIME: Runtime = Builder::new_current_thread().build().expect("a runtime");
}

static CA: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let ca = CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key"));
    ca.expect("a certificate").der().to_vec()
});

/// Says the same on every run.
struct Fixed(u32);

impl RngCore for Fixed {
    fn next_u32(&mut self) -> u32 {
        self.0 = self.0.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        self.0
    }

    fn next_u64(&mut self) -> u64 {
        u64::from(self.next_u32()) << 32 | u64::from(self.next_u32())
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        bytes.fill_with(|| self.next_u32().to_be_bytes()[0]);
    }

    fn try_fill_bytes(&mut self, bytes: &mut [u8]) -> Result<(), RngError> {
        self.fill_bytes(bytes);
        Ok(())
    }
}

impl CryptoRng for Fixed {}

fuzz_target!(|input: &[u8]| {
    let Some((place, bytes)) = input.split_first() else { return };
    let is_sealed = *place == b's';
    let work = async {
        let (device, mut broker) = duplex(1 << 15);
        let broker = async {
            if is_sealed {
                // After its hello, encrypted.
                impostor::serve(broker, bytes).await;
                return;
            }
            let hello = broker.read_u8().await;
            if hello.is_ok() && broker.write_all(bytes).await.is_ok() {
                let _ = broker.shutdown().await;
                while broker.read(&mut [0; 999]).await.is_ok_and(|len| len > 0) {}
            }
        };
        let device = async {
            let mut buffers = Buffers::new();
            let socket = FromTokio::new(device);
            let opened = open(socket, "broker", &CA, None, Fixed(7), &mut buffers).await;
            opened.map(drop)
        };
        tokio::join!(device, broker).0
    };
    let opened: Result<(), TlsError> = RUNTIME.with(|runtime| runtime.block_on(work));
    assert!(opened.is_err());
});
