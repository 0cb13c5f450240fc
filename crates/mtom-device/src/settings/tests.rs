use super::{Format, Passkey, Settings, SettingsError, TEXT_LEN_MAX, WhenFull, is_topic};
use expect_test::expect;
use heapless::String as Text;
use mtom_protocol::link::Led;
use mtom_protocol::link::keyed::Key;
use proptest::prelude::{Just, Strategy, any, prop_assert, prop_assert_eq, prop_oneof, proptest};

/// Any text of at most `N` bytes that matches `pattern`.
fn text<const N: usize>(pattern: &'static str) -> impl Strategy<Value = Text<N>> {
    pattern.prop_map(|text| Text::try_from(&*text).unwrap())
}

fn valid() -> impl Strategy<Value = Settings> {
    let network = (text("(?s).{1,8}"), text("[ -~]{8,63}|[0-9a-fA-F]{64}|"));
    let broker = (
        text("[!-~]{0,64}"),
        1..=u16::MAX,
        any::<bool>(),
        text("(?s).{0,16}"),
        text("(?s).{0,16}"),
    );
    let sensor = (
        text(r#"[^+#"\\\p{Cc}]{1,16}"#),
        prop_oneof![Just(Format::Text), Just(Format::Json)],
        200..=86_400_000_u32,
        text("[!-~]{0,64}"),
        any::<bool>(),
        any::<u16>(),
        prop_oneof![Just(WhenFull::DropOldest), Just(WhenFull::DropNewest)],
    );
    let key = prop_oneof![Just(None), any::<[u8; 32]>().prop_map(|key| Some(Key::new(key)))];
    let passkey = prop_oneof![Just(None), "[0-9]{6}".prop_map(|digits| Passkey::parse(&digits))];
    let pairing = (0..=600_u16, passkey, any::<bool>());
    let actuator = (text("[!-~]{1,20}"), 0..=86_400_000_u32, any::<bool>(), key, pairing);
    (text("[A-Za-z0-9_-]{0,32}"), network, broker, sensor, actuator).prop_map(
        |(id, network, broker, sensor, actuator)| Settings {
            id,
            wifi_ssid: network.0,
            wifi_password: network.1,
            broker_host: broker.0,
            broker_port: broker.1,
            tls: broker.2,
            user: broker.3,
            password: broker.4,
            topic: sensor.0,
            format: sensor.1,
            period_millis: sensor.2,
            ntp: sensor.3,
            discovery: sensor.4,
            ram: sensor.5,
            when_full: sensor.6,
            name: actuator.0,
            lease_millis: actuator.1,
            safe: if actuator.2 { Led::On } else { Led::Off },
            key: actuator.3,
            pairing_seconds: actuator.4.0,
            passkey: actuator.4.1,
            pairing_compare: actuator.4.2,
        },
    )
}

proptest! {
    #[test]
    fn what_is_written_is_read(settings in valid()) {
        let text = settings.to_string();
        prop_assert!(text.len() <= TEXT_LEN_MAX);
        prop_assert_eq!(Settings::parse(text.as_bytes()), Ok(settings));
    }

    #[test]
    fn bytes_of_any_kind_are_settings_or_one_error(bytes in proptest::collection::vec(any::<u8>(), 0..2_000)) {
        let _ = Settings::parse(&bytes);
    }

    #[test]
    fn any_value_of_any_key_is_kept_whole_or_refused(
        key in proptest::sample::select(&KEYS[..]),
        value in r"(?s).{0,80}",
    ) {
        let mut settings = Settings::default();
        if settings.set(key, &value).is_ok() {
            prop_assert_eq!(Settings::parse(settings.to_string().as_bytes()), Ok(settings.clone()));
            let line = format!("{key}={}", value.replace('\\', r"\\").replace('\n', r"\n").replace('\r', r"\r"));
            prop_assert_eq!(Settings::parse(line.as_bytes()), Ok(settings));
        } else {
            prop_assert_eq!(settings, Settings::default());
        }
    }
}

const KEYS: [&str; 22] = [
    "id",
    "wifi_ssid",
    "wifi_password",
    "broker_host",
    "broker_port",
    "tls",
    "user",
    "password",
    "topic",
    "format",
    "period_millis",
    "ntp",
    "discovery",
    "ram",
    "when_full",
    "name",
    "lease_millis",
    "safe",
    "pairing_seconds",
    "pairing_compare",
    "passkey",
    "key",
];

#[test]
fn nothing_is_the_defaults() {
    assert_eq!(Settings::parse(b""), Ok(Settings::default()));
    expect![[r"
        topic=Environ/Temperature
        ntp=pool.ntp.org
        name=TEMP_LED
        broker_port=1883
        tls=off
        format=text
        period_millis=2000
        discovery=off
        ram=32
        when_full=drop-oldest
        lease_millis=30000
        safe=off
        pairing_seconds=0
        pairing_compare=off
    "]]
    .assert_eq(&Settings::default().to_string());
}

/// One byte more than the longest text.
const LONG: &str = "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx";

/// Values that their keys refuse.
const BAD: [(&str, &str); 42] = [
    ("id", "living room"),
    ("id", "0123456789abcdef0123456789abcdef0"),
    ("wifi_ssid", ""),
    ("wifi_ssid", "0123456789abcdef0123456789abcdef0"),
    ("wifi_password", "1234567"),
    ("wifi_password", LONG),
    ("broker_host", ""),
    ("broker_host", "two words"),
    ("broker_port", "0"),
    ("broker_port", "65536"),
    ("broker_port", "mqtt"),
    ("tls", "yes"),
    ("user", LONG),
    ("password", LONG),
    ("topic", ""),
    ("topic", "a/#"),
    ("topic", "a/+/b"),
    ("topic", "a\"b"),
    ("topic", "a\u{7}"),
    ("topic", LONG),
    ("format", "xml"),
    ("period_millis", "199"),
    ("period_millis", "86400001"),
    ("period_millis", "2s"),
    ("ntp", "two words"),
    ("discovery", "1"),
    ("ram", "-1"),
    ("ram", "65536"),
    ("when_full", "drop"),
    ("name", ""),
    ("name", "my led"),
    ("name", "0123456789abcdef01234"),
    ("lease_millis", "86400001"),
    ("safe", "dark"),
    ("pairing_seconds", "601"),
    ("pairing_compare", "yes"),
    ("passkey", "12345"),
    ("passkey", "1234567"),
    ("passkey", "+12345"),
    ("key", ""),
    ("key", LONG),
    ("key", "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdeg"),
];

#[test]
fn every_key_says_what_it_expects() {
    let mut said = String::new();
    for (key, value) in BAD {
        let mut settings = Settings::default();
        let error = settings.set(key, value).unwrap_err();
        assert_eq!((error.key, &settings), (key, &Settings::default()), "{value:?}");
        assert_eq!(Settings::parse(format!("{key}={value}").as_bytes()), Err(error.clone()));
        let line = format!("{error}\n");
        if !said.ends_with(&line) {
            said += &line;
        }
    }
    expect![[r#"
        id: expected at most 32 letters, digits, - and _
        wifi_ssid: expected 1 to 32 bytes
        wifi_password: expected nothing, or 8 to 63 characters (64 hexadecimal digits)
        broker_host: expected a name or an address of at most 64 bytes
        broker_port: expected a port from 1 to 65535
        tls: expected on or off
        user: expected at most 64 bytes
        password: expected at most 64 bytes
        topic: expected a topic of 1 to 64 bytes without +, # and control characters
        format: expected text or json
        period_millis: expected 200 to 86400000 milliseconds
        ntp: expected nothing, or a name or an address of at most 64 bytes
        discovery: expected on or off
        ram: expected a number of readings
        when_full: expected drop-oldest or drop-newest
        name: expected 1 to 20 visible ASCII characters without spaces
        lease_millis: expected 0 to 86400000 milliseconds, 0 for none
        safe: expected on or off
        pairing_seconds: expected 0 to 600 seconds, 0 for none
        pairing_compare: expected on or off
        passkey: expected six digits
        key: expected 64 hexadecimal digits
    "#]]
    .assert_eq(&said);
    // No key is without a bad value.
    for key in KEYS {
        assert!(BAD.iter().any(|(tried, _)| *tried == key), "{key}");
    }
}

#[test]
fn what_is_no_text_is_refused_as_a_whole() {
    let error = SettingsError { key: "settings", expected: "UTF-8 text" };
    assert_eq!(Settings::parse(b"id=a\n\xff"), Err(error));
}

#[test]
fn a_key_of_a_newer_firmware_and_a_line_without_one_change_nothing() {
    let text = b"colour=red\n\nnonsense\n# id=b\n=\nid=a\nID=c\n id=d\n";
    let expected = Settings { id: Text::try_from("a").unwrap(), ..Settings::default() };
    assert_eq!(Settings::parse(text), Ok(expected));
}

#[test]
fn the_later_line_wins() {
    let settings = Settings::parse(b"ram=1\nid=a\nram=2\nid=\n").unwrap();
    assert_eq!((settings.ram, &*settings.id), (2, ""));
    // But a bad line is an error, whatever comes after it.
    assert!(Settings::parse(b"ram=many\nram=2\n").is_err());
}

#[test]
fn newlines_and_backslashes_are_escaped_and_nothing_else() {
    let mut settings = Settings::default();
    settings.set("password", "a\nb\\c\rd=e\té ").unwrap();
    let text = settings.to_string();
    assert!(text.contains("password=a\\nb\\\\c\\rd=e\té \n"), "{text}");
    assert_eq!(Settings::parse(text.as_bytes()), Ok(settings));
    // An escape that there is not stands for its character, and one at the end for nothing.
    assert_eq!(&*Settings::parse(br"user=\q\").unwrap().user, "q");
    // A text that somebody wrote on Windows.
    assert_eq!(&*Settings::parse(b"user=a\r\nid=b\r\n").unwrap().user, "a");
}

#[test]
fn a_value_that_is_too_long_by_its_last_character_is_refused_and_not_cut() {
    for filler in 55..70 {
        let value = format!("{}\u{1f600}", "a".repeat(filler));
        let settings = Settings::parse(format!("user={value}").as_bytes());
        assert_eq!(
            settings.map(|settings| settings.user.len()).ok(),
            (filler <= 60).then_some(filler + 4)
        );
    }
}

#[test]
fn the_longest_settings_fit_into_their_place() {
    let mut settings = Settings::default();
    // A backslash takes two bytes.
    let longest = |len: usize| "\\".repeat(len);
    for (key, value) in [
        ("id", "i".repeat(32)),
        ("wifi_ssid", longest(32)),
        ("wifi_password", longest(63)),
        ("broker_host", longest(64)),
        ("user", longest(64)),
        ("password", longest(64)),
        ("topic", "t".repeat(64)),
        ("ntp", longest(64)),
        ("name", longest(20)),
        ("broker_port", "65535".into()),
        ("period_millis", "86400000".into()),
        ("discovery", "off".into()),
        ("ram", "65535".into()),
        ("when_full", "drop-newest".into()),
        ("lease_millis", "86400000".into()),
        ("safe", "off".into()),
        ("pairing_seconds", "600".into()),
        ("pairing_compare", "off".into()),
        ("passkey", "000000".into()),
        ("key", "0".repeat(64)),
    ] {
        settings.set(key, &value).unwrap();
    }
    let text = settings.to_string();
    assert!(text.len() <= TEXT_LEN_MAX, "{} bytes", text.len());
    assert_eq!(Settings::parse(text.as_bytes()), Ok(settings));
}

#[test]
fn a_key_is_kept_and_stands_in_no_log() {
    let digits = "0123456789ABCDEF".repeat(4);
    let settings = Settings::parse(format!("key={}\n", digits.to_lowercase()).as_bytes()).unwrap();
    assert!(settings.to_string().ends_with(&format!("key={digits}\n")));
    assert!(!format!("{settings:?}").contains("0123"));
}

#[test]
fn a_topic_has_no_wildcard_and_nothing_that_breaks_json() {
    for topic in ["a", "/", "Environ/Temperature", "°C", "$SYS/x"] {
        assert!(is_topic(topic), "{topic}");
    }
    for topic in ["", "+", "a/#", "a\0", "a\nb", "\"", "\\", &"x".repeat(65)] {
        assert!(!is_topic(topic), "{topic:?}");
    }
}

#[test]
fn a_number_is_digits_alone() {
    let mut settings = Settings::default();
    for value in ["", " 1", "1 ", "1.0", "0x1", "1_000", "٣"] {
        assert!(settings.set("ram", value).is_err(), "{value:?}");
    }
}
