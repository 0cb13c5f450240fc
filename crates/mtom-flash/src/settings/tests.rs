use super::{BoardSettings, CaError, certificate};
use mtom_device::flash::{CA_LEN_MAX, layout};

/// DER as far as it is looked at: one SEQUENCE.
fn der(len: usize) -> Vec<u8> {
    let mut der = vec![0x30, 0x82];
    der.extend(u16::try_from(len).unwrap().to_be_bytes());
    der.resize(4 + len, 7);
    der
}

/// 300 bytes of DER as PEM.
fn pem() -> String {
    let body = "MIIBKAcH".to_owned() + &"BwcH".repeat(98);
    format!("-----BEGIN CERTIFICATE-----\n{body}\n-----END CERTIFICATE-----\n")
}

#[test]
fn pem_and_der_are_the_same_certificate() {
    assert_eq!(certificate(&der(296)).unwrap(), der(296));
    assert_eq!(certificate(pem().as_bytes()).unwrap(), der(296));
}

#[test]
fn anything_but_one_certificate_is_refused() {
    let key = pem().replace("CERTIFICATE", "PRIVATE KEY");
    let torn = &der(300)[..200];
    for bytes in [&b""[..], b"hello", key.as_bytes(), torn] {
        assert_eq!(certificate(bytes), Err(CaError::NotACertificate));
    }
    let chain = pem() + &pem();
    assert_eq!(certificate(chain.as_bytes()), Err(CaError::Several { count: 2 }));
    let large = BoardSettings::default().set_ca(&der(CA_LEN_MAX));
    assert_eq!(large, Err(CaError::TooLarge { len: CA_LEN_MAX + 4 }));
}

#[test]
fn a_board_without_a_name_is_named_by_its_address() {
    let mut settings = BoardSettings::default();
    settings.name_by("40:4c:ca:12:34:56");
    assert_eq!(settings.id(), "mtom-404cca123456");
    settings.set("id", "kitchen").unwrap();
    settings.name_by("40:4c:ca:12:34:56");
    assert_eq!(settings.id(), "kitchen");
}

#[test]
fn the_longest_settings_and_the_largest_certificate_fit() {
    let mut settings = BoardSettings::default();
    for (key, len) in [
        ("id", 32),
        ("wifi_ssid", 32),
        ("broker_host", 64),
        ("user", 64),
        ("password", 64),
        ("topic", 64),
        ("ntp", 64),
        ("name", 20),
    ] {
        settings.set(key, &"x".repeat(len)).unwrap();
    }
    settings.set("wifi_password", &"\\".repeat(63)).unwrap();
    settings.set_ca(&der(CA_LEN_MAX - 4)).unwrap();
    assert_eq!(settings.partition().unwrap().len(), layout::SETTINGS.len());
}
