//! A server that finishes the handshake of TLS 1.3 and shows what the test wants it to show.
//!
//! It has no certificate's key: it is whoever sits between a device and its broker.

use ring::aead::{AES_128_GCM, Aad, LessSafeKey, Nonce, UnboundKey};
use ring::agreement::{ECDH_P256, EphemeralPrivateKey, UnparsedPublicKey, agree_ephemeral};
use ring::{digest, hmac, rand};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};

/// One handshake on `socket`: hello, encrypted extensions, the messages `shows`, finished.
pub(crate) async fn serve(mut socket: impl AsyncRead + AsyncWrite + Unpin, shows: &[u8]) {
    let client_hello = record(&mut socket).await;
    let key = EphemeralPrivateKey::generate(&ECDH_P256, &rand::SystemRandom::new()).unwrap();
    let server_hello = server_hello(key.compute_public_key().unwrap().as_ref());
    let shared = agree_ephemeral(
        key,
        &UnparsedPublicKey::new(&ECDH_P256, point(&client_hello)),
        <[u8]>::to_vec,
    )
    .unwrap();

    let mut said = [client_hello, server_hello.clone()].concat();
    let early = mac(&[0; 32], &[0; 32]);
    let handshake = mac(&derived(&early, "derived", &hash(&[]), 32), &shared);
    let secret = derived(&handshake, "s hs traffic", &hash(&said), 32);

    let mut sealed = b"\x08\x00\x00\x02\x00\x00".to_vec();
    sealed.extend_from_slice(shows);
    said.extend_from_slice(&sealed);
    sealed.extend_from_slice(b"\x14\x00\x00\x20");
    sealed.extend_from_slice(&mac(&derived(&secret, "finished", b"", 32), &hash(&said)));
    // The type of what is inside [RFC 8446 5.2].
    sealed.push(22);

    let seal_header = header(23, sealed.len() + AES_128_GCM.tag_len());
    let key = UnboundKey::new(&AES_128_GCM, &derived(&secret, "key", b"", 16)).unwrap();
    let nonce = derived(&secret, "iv", b"", 12).try_into().unwrap();
    LessSafeKey::new(key)
        .seal_in_place_append_tag(
            Nonce::assume_unique_for_key(nonce),
            Aad::from(&seal_header),
            &mut sealed,
        )
        .unwrap();
    let hello_header = header(22, server_hello.len());
    let all = [&hello_header[..], &server_hello, &seal_header, &sealed].concat();
    // The device may have gone by now.
    let _ = socket.write_all(&all).await;
    let _ = socket.shutdown().await;
    // Whatever the device says to that, its end included.
    while socket.read(&mut [0; 999]).await.is_ok_and(|len| len > 0) {}
}

async fn record(socket: &mut (impl AsyncRead + Unpin)) -> Vec<u8> {
    let mut header = [0; 5];
    socket.read_exact(&mut header).await.unwrap();
    let mut record = vec![0; usize::from(u16::from_be_bytes([header[3], header[4]]))];
    socket.read_exact(&mut record).await.unwrap();
    record
}

fn header(kind: u8, len: usize) -> [u8; 5] {
    let [high, low] = u16::try_from(len).unwrap().to_be_bytes();
    [kind, 3, 3, high, low]
}

/// The device's key share: 65 bytes of group P-256.
fn point(client_hello: &[u8]) -> &[u8] {
    let before = [0x00, 0x17, 0x00, 0x41];
    let at = client_hello.windows(4).position(|bytes| bytes == before).unwrap() + 4;
    &client_hello[at..at + 65]
}

fn server_hello(point: &[u8]) -> Vec<u8> {
    let mut body = b"\x03\x03".to_vec();
    body.extend_from_slice(&[7; 32]);
    body.extend_from_slice(b"\x00\x13\x01\x00");
    // TLS 1.3, and the key share.
    let extensions = [b"\x00\x2b\x00\x02\x03\x04\x00\x33\x00\x45\x00\x17\x00\x41", point].concat();
    body.extend_from_slice(&u16::try_from(extensions.len()).unwrap().to_be_bytes());
    body.extend_from_slice(&extensions);
    message(2, &body)
}

/// A handshake message.
pub(crate) fn message(kind: u8, body: &[u8]) -> Vec<u8> {
    let len = u32::try_from(body.len()).unwrap().to_be_bytes();
    [&[kind], &len[1..], body].concat()
}

fn hash(bytes: &[u8]) -> Vec<u8> {
    digest::digest(&digest::SHA256, bytes).as_ref().to_vec()
}

fn mac(key: &[u8], bytes: &[u8]) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), bytes).as_ref().to_vec()
}

/// HKDF-Expand-Label, as far as one hash reaches [RFC 8446 7.1].
fn derived(secret: &[u8], label: &str, context: &[u8], len: u8) -> Vec<u8> {
    let label = format!("tls13 {label}");
    let mut info = vec![0, len, u8::try_from(label.len()).unwrap()];
    info.extend_from_slice(label.as_bytes());
    info.push(u8::try_from(context.len()).unwrap());
    info.extend_from_slice(context);
    info.push(1);
    let mut bytes = mac(secret, &info);
    bytes.truncate(usize::from(len));
    bytes
}
