use super::{PemError, Tls};
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};

fn pair() -> (String, String) {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    (cert.pem(), signing_key.serialize_pem())
}

#[test]
fn a_certificate_goes_with_its_key() {
    let (certificate, key) = pair();
    let tls = Tls::default().trusting(&certificate).unwrap();
    assert!(tls.has_authorities() && !tls.has_identity());
    assert!(tls.identified(&certificate, &key).unwrap().has_identity());
}

#[test]
fn what_is_no_pem_says_what_is_expected() {
    let (certificate, key) = pair();
    for text in ["", "hello", &key] {
        assert_eq!(Tls::default().trusting(text), Err(PemError::Certificate));
        assert_eq!(Tls::default().identified(text, &key), Err(PemError::Certificate));
    }
    let broken = "-----BEGIN CERTIFICATE-----\naGVsbG8=\n-----END CERTIFICATE-----\n";
    assert!(matches!(Tls::default().trusting(broken), Err(PemError::Broken(_))));
    assert_eq!(Tls::default().identified(&certificate, "hello"), Err(PemError::Key));
    let locked =
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\naGVsbG8=\n-----END ENCRYPTED PRIVATE KEY-----\n";
    assert_eq!(Tls::default().identified(&certificate, locked), Err(PemError::Encrypted));
    let other = KeyPair::generate().unwrap().serialize_pem();
    assert!(matches!(Tls::default().identified(&certificate, &other), Err(PemError::Pair(_))));
}

#[test]
fn a_key_is_never_shown() {
    let (certificate, key) = pair();
    let shown = format!("{:?}", Tls::default().identified(&certificate, &key).unwrap());
    assert_eq!(shown, "Tls { authorities: None, has_identity: true, .. }");
}
