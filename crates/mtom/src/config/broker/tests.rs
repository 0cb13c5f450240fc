use super::{Broker, Target};
use crate::config::{Config, Surroundings};
use expect_test::{Expect, expect};
use mtom_mqtt::endpoint::Scheme;
use mtom_mqtt::target::Version;
use rcgen::{CertifiedKey, KeyPair, generate_simple_self_signed};
use std::collections::BTreeMap;
use std::io;
use std::path::Path;

/// Files that a test writes down, in PEM form or not.
struct Files(BTreeMap<&'static str, String>);

impl Files {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } =
            generate_simple_self_signed(["gateway".to_owned()]).unwrap();
        Self(BTreeMap::from([
            ("cert.pem", cert.pem()),
            ("key.pem", signing_key.serialize_pem()),
            ("other.pem", KeyPair::generate().unwrap().serialize_pem()),
            ("notes.txt", "remember the milk".to_owned()),
        ]))
    }
}

impl Surroundings for Files {
    fn variable(&self, _: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        if path == Path::new("cert.der") {
            return Err(io::ErrorKind::InvalidData.into());
        }
        let found = path.to_str().and_then(|path| self.0.get(path));
        found.cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn target(sets: &[&str]) -> (Target, u16) {
    let sets: Vec<_> = sets.iter().map(ToString::to_string).collect();
    let config = Config::read("", &sets, &Files::new()).unwrap();
    let Broker::External { target, receive_max, .. } = config.broker else { panic!("{sets:?}") };
    (target, receive_max)
}

fn check_problems(sets: &[&str], expected: Expect) {
    let sets: Vec<_> = sets.iter().map(ToString::to_string).collect();
    let problems = Config::read("", &sets, &Files::new()).unwrap_err();
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    expected.assert_eq(&lines.join("\n"));
}

#[test]
fn a_broker_is_reached_by_every_kind_of_url() {
    for (url, scheme) in [
        ("mqtt://host", Scheme::Mqtt),
        ("mqtts://host", Scheme::Mqtts),
        ("ws://[::1]:8080/ws", Scheme::Ws),
        ("wss://host", Scheme::Wss),
    ] {
        let (target, receive_max) = target(&[&format!("broker.url={url}")]);
        assert_eq!(target.endpoint.scheme, scheme);
        assert_eq!((target.version, receive_max), (Version::Auto, 1_000));
    }
}

#[test]
fn certificates_come_from_files() {
    let (with, receive_max) = target(&[
        "broker.url=mqtts://host",
        "broker.ca_file=cert.pem",
        "broker.certificate_file=cert.pem",
        "broker.key_file=key.pem",
        "broker.version=\"3.1.1\"",
        "broker.receive_maximum=20",
    ]);
    assert_eq!((with.version, receive_max), (Version::V3, 20));
    let (without, _) = target(&["broker.url=mqtts://host", "broker.ca_file="]);
    assert_ne!(with.tls, without.tls);
}

#[test]
fn a_file_that_is_no_certificate_is_named_with_its_key() {
    let check = |sets: &[&str], expected| {
        let url: &[&str] = &["broker.url=wss://host"];
        check_problems(&[url, sets].concat(), expected);
    };
    check(
        &["broker.ca_file=notes.txt"],
        expect![
            "--set: broker.ca_file: notes.txt: expected a certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        ],
    );
    check(
        &["broker.ca_file=cert.der", "broker.certificate_file=none.pem"],
        expect![[r#"
            --set: broker.ca_file: cert.der: not in PEM form: openssl x509 -inform der -in cert.der makes it so
            --set: broker.certificate_file: cannot read none.pem: entity not found"#]],
    );
    check(
        &["broker.certificate_file=cert.pem"],
        expect!["--set: broker.key_file: missing: a certificate proves nothing without its key"],
    );
    check(
        &["broker.key_file=key.pem"],
        expect!["--set: broker.certificate_file: missing: a key without its certificate"],
    );
    check(
        &["broker.certificate_file=cert.pem", "broker.key_file=other.pem"],
        expect![
            "--set: broker.key_file: other.pem: the key and the certificate do not go together: keys may not be consistent: KeyMismatch"
        ],
    );
    check(
        &["broker.certificate_file=key.pem", "broker.key_file=cert.pem"],
        expect![
            "--set: broker.certificate_file: key.pem: expected a certificate in PEM form (-----BEGIN CERTIFICATE-----)"
        ],
    );
}

#[test]
fn what_does_not_go_together_says_why() {
    check_problems(
        &["broker.url=mqtt://host", "broker.ca_file=cert.pem"],
        expect![
            "--set: broker.ca_file: of use with mqtts:// and wss:// only: broker.url is mqtt://host:1883, change that or take this away"
        ],
    );
    check_problems(
        &["broker.key_file=key.pem"],
        expect![
            "--set: broker.key_file: of use for another broker only: set broker.url, or take this away"
        ],
    );
    check_problems(
        &["broker.url=mqtts://me:secret@host", "broker.version=4", "broker.receive_maximum=0"],
        expect![[r#"
            --set: broker.url: a password does not belong into the configuration: use broker.username and broker.password_file, or the environment variable MTOM_BROKER_PASSWORD
            --set: broker.version: expected a text in quotes, found 4
            --set: broker.receive_maximum: expected 1 to 65535, found 0"#]],
    );
    check_problems(
        &["broker.url=mqtts://host/path", "simulate.sensors=1"],
        expect![[r#"--set: broker.url: a path belongs to ws:// and wss:// only, found "/path""#]],
    );
    check_problems(
        &["broker.url=mqtts://host", "simulate.sensors=1"],
        expect![
            "--set: simulate.sensors: simulated sensors reach brokers by mqtt:// only: expected 0"
        ],
    );
}

#[test]
fn gateways_share_what_another_broker_has() {
    let shared = r#"ingest.topics=["$share/gateways/Environ/#"]"#;
    target(&["broker.url=mqtt://host", shared]);
    check_problems(
        &[shared],
        expect![[
            r#"--set: ingest.topics: "$share/gateways/Environ/#": gateways share what another broker has, and this one has a broker of its own: set broker.url, or write "Environ/#""#
        ]],
    );
    check_problems(
        &["broker.url=mqtt://host", r#"ingest.topics=["$share/gateways"]"#],
        expect![[
            r#"--set: ingest.topics: "$share/gateways": `$share` is followed by a group without `+` and `#`, and by a filter, as in `$share/gateways/Environ/#`"#
        ]],
    );
}
