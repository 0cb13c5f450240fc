use super::{Broker, Config, DEFAULT_FILE, Surroundings};
use expect_test::{Expect, expect};
use mtom_rules::RuleSpec;
use std::collections::BTreeMap;
use std::io;
use std::path::Path;
use std::time::Duration;

mod mutated;

/// Surroundings that a test writes down.
#[derive(Default)]
struct Written {
    variables: BTreeMap<&'static str, &'static str>,
    files: BTreeMap<&'static str, &'static str>,
}

impl Surroundings for Written {
    fn variable(&self, name: &str) -> Option<String> {
        self.variables.get(name).map(ToString::to_string)
    }

    fn file(&self, path: &Path) -> io::Result<String> {
        let text = path.to_str().and_then(|path| self.files.get(path));
        text.map(ToString::to_string).ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

fn read(text: &str, sets: &[&str]) -> Config {
    let sets: Vec<_> = sets.iter().map(ToString::to_string).collect();
    Config::read(text, &sets, &Written::default()).unwrap()
}

fn problems(text: &str, sets: &[&str]) -> String {
    let sets: Vec<_> = sets.iter().map(ToString::to_string).collect();
    let problems = Config::read(text, &sets, &Written::default()).unwrap_err();
    let lines: Vec<_> = problems.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

fn check_problems(text: &str, sets: &[&str], expected: Expect) {
    expected.assert_eq(&problems(text, sets));
}

#[test]
fn the_default_file_says_the_defaults() {
    assert_eq!(read(DEFAULT_FILE, &[]), read("", &[]));
}

#[test]
fn the_examples_in_the_default_file_are_valid_and_say_the_defaults() {
    let is_example = |line: &&str| {
        let rest = line.strip_prefix("# ").unwrap_or("");
        rest.starts_with("[[")
            || rest.split_once('=').is_some_and(|(key, _)| {
                let key = key.trim();
                !key.is_empty() && key.chars().all(|c| c.is_ascii_lowercase() || c == '_')
            })
    };
    let examples = DEFAULT_FILE.split_once("# An actuator for each").unwrap().1;
    let text: Vec<_> =
        examples.lines().filter(is_example).map(|line| line.trim_start_matches("# ")).collect();
    let config = read(&text.join("\n"), &[]);
    assert_eq!((config.actuators.len(), config.rules.as_ref().map(Vec::len)), (1, Some(1)));
    let short = read(
        r#"
        [[actuator]]
        name = "TEMP_LED"
        link = "serial:/dev/rfcomm0?baud=115200"
        "#,
        &[],
    );
    assert_eq!(short.actuators, config.actuators);
}

#[test]
fn a_key_comes_from_a_file_of_its_own() {
    const KEY: &str = "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f\n";
    let around = Written { files: BTreeMap::from([("lamp.key", KEY)]), ..Written::default() };
    let text = "[[actuator]]\nname = \"LAMP\"\nlink = \"tcp:lamp:1\"\nkey_file = \"lamp.key\"";
    let config = Config::read(text, &[], &around).unwrap();
    let key = config.actuators[0].key.as_ref().unwrap();
    assert_eq!(key.digits().to_string(), KEY.trim_end().to_uppercase());
    assert!(!format!("{config:?}").to_lowercase().contains("0a0b0c"));
    check_problems(
        r#"
        actuator = [
            { name = "A", link = "tcp:lamp:1", key = "00" },
            { name = "B", link = "tcp:lamp:1", key_file = "none" },
            { name = "C", link = "tcp:lamp:1", key_file = "lamp.key", protocol = "original" },
            { name = "D", link = "mqtt+tasmota:lamp", key_file = "lamp.key" },
        ]
        "#,
        &[],
        expect![[r#"
            line 3: actuator.0.key: a key does not belong into the configuration: write it into a file and name that with actuator.0.key_file
            line 4: actuator.1.key_file: cannot read none: entity not found
            line 5: actuator.2.key_file: an original device has no key: take this away, or protocol
            line 6: actuator.3.key_file: a switch on the broker has no key: the broker says who may write"#]],
    );
}

#[test]
fn the_original_rule_is_three_lines() {
    let config = read(
        r#"
        [[rule]]
        when = "Environ/Temperature"
        on = "celsius >= 25.0"
        then = [{ actuator = "TEMP_LED" }]
        "#,
        &[],
    );
    let rule = config.rules.unwrap().remove(0);
    assert_eq!(rule.version(), RuleSpec::original("TEMP_LED").version());
}

#[test]
fn set_overrides_the_file_and_needs_no_quotes() {
    let file = "[live]\nlisten = \"127.0.0.1:1\"\n";
    let config = read(
        file,
        &[
            "live.listen=127.0.0.1:0",
            "simulate.sensors=0",
            "actuator.0.name=LAMP",
            "actuator.0.link=serial:/dev/ttyUSB0",
            r#"actuator.1={name="FAN",link="tcp:localhost:7000",refresh="1m"}"#,
            "rule=[]",
        ],
    );
    assert_eq!(config.live.port(), 0);
    assert_eq!(config.simulate.sensors, Some(0));
    assert_eq!(config.actuators[0].link, "serial:/dev/ttyUSB0");
    assert_eq!(config.actuators[1].refresh, Duration::from_secs(60));
    assert_eq!(config.rules, Some(vec![]));
}

#[test]
fn three_mistakes_are_three_messages() {
    check_problems(
        "[live]\nlisten = \"nowhere\"\n\n[simulate]\nsensors = -1\n[brokr]\nlisten = 1\n",
        &[],
        expect![[r#"
            line 2: live.listen: expected an address and a port, as in 127.0.0.1:8765, found "nowhere"
            line 5: simulate.sensors: expected a whole number from 0 to 10000, found -1
            line 6: brokr: unknown key: did you mean broker?"#]],
    );
}

#[test]
fn every_kind_of_mistake_names_its_key_and_what_is_expected() {
    check_problems(
        r#"
            [data]
            dir = ""
            [broker]
            url = "http://broker"
            password = "hunter2"
            [ingest]
            topics = ["a#"]
            [security]
            insecure = "yes"
            [store]
            url = "postgres://user@host/mtom"
            keep = "30m"
            max_megabytes = 5
            [simulate]
            period = "soon"
            sensors = 3.5
            [log]
            level = 1979-05-27
            [[actuator]]
            link = "carrier pigeon"
            [[rule]]
            when = "Environ/Temperature"
            for = 10
            silent = "maybe"
            then = []
        "#,
        &["history.listen=0.0.0.0:8768", "nonsense", "live.listen.deeper=1"],
        expect![[r#"
            line 3: data.dir: expected a folder
            line 5: broker.url: expected mqtt://host:1883, mqtts://host:8883, ws://host:80/mqtt or wss://host:443/mqtt, found "http://broker"
            line 6: broker.password: a password does not belong into the configuration: use broker.password_file, or the environment variable MTOM_BROKER_PASSWORD
            line 8: ingest.topics: "a#": `#` stands alone in the last level, as in `Environ/#`
            line 10: security.insecure: expected true or false, found "yes"
            line 12: store.url: expected "sqlite" or "mysql://user@host/mtom", found "postgres://user@host/mtom"
            line 13: store.keep: expected "forever", or 1h to 36500d, as in "12h" or "400d", found "30m"
            line 14: store.max_megabytes: expected 0 or at least 10, found 5
            line 16: simulate.period: expected a time span in quotes, as in "250ms", "10s", "5m" or "24h", found "soon"
            line 17: simulate.sensors: expected a whole number from 0 to 10000, found 3.5
            line 19: log.level: expected a text in quotes, found a date
            line 20: actuator.0.name: missing
            line 21: actuator.0.link: unknown link: expected serial:/dev/ttyUSB0?baud=115200, serial:COM10, tcp:host:port, ble:NAME, ble:ADDRESS, spp:NAME, spp:ADDRESS, mqtt:SET?state=STATE or mqtt+tasmota:NAME
            line 22: rule.0.on: missing
            line 24: rule.0.for: expected a time span in quotes, as in "250ms", "10s", "5m" or "24h", found 10
            line 25: rule.0.silent: expected on, off or hold, found "maybe"
            line 26: rule.0.then: empty: expected [{ actuator = "TEMP_LED" }]
            --set: nonsense: expected section.key=value, as in --set live.listen=127.0.0.1:0
            --set: live.listen: expected a text in quotes, found a section
            --set: history.listen: 0.0.0.0:8768 can be reached from other computers, and nothing asks for a password yet: use 127.0.0.1:8768, or set security.insecure = true if everybody on that network may read and write"#]],
    );
}

#[test]
fn a_file_that_is_not_toml_says_where() {
    check_problems("[live\nlisten = 1", &[], expect!["line 1: unclosed table, expected `]`"]);
}

#[test]
fn another_address_is_refused_unless_insecure_is_meant() {
    check_problems(
        "live.listen = \"0.0.0.0:8765\"",
        &[],
        expect![
            "line 1: live.listen: 0.0.0.0:8765 can be reached from other computers, and nothing asks for a password yet: use 127.0.0.1:8765, or set security.insecure = true if everybody on that network may read and write"
        ],
    );
    let meant = read("live.listen = \"0.0.0.0:8765\"\nsecurity.insecure = true", &[]);
    assert!(meant.insecure && meant.live.ip().is_unspecified());
}

#[test]
fn datagrams_go_to_whom_the_configuration_names_and_nobody_else() {
    use mtom_gateway::settings::Udp;
    assert_eq!(read("", &[]).udp, Udp { listen: None, targets: vec![], from: None, ttl: 1 });
    let named = read(
        r#"
        [forward.udp]
        listen = "localhost:8767"
        targets = ["239.1.2.3:9000", "192.168.1.5:9000", "239.1.2.3:9000", "[ff02::123%2]:9000"]
        from = "192.168.1.2"
        ttl = 4
        "#,
        &[],
    );
    let targets = ["192.168.1.5:9000", "239.1.2.3:9000", "[ff02::123%2]:9000"];
    let expected = Udp {
        listen: Some("127.0.0.1:8767".parse().unwrap()),
        targets: targets.map(|target| target.parse().unwrap()).to_vec(),
        from: Some("192.168.1.2".parse().unwrap()),
        ttl: 4,
    };
    assert_eq!(named.udp, expected);
    check_problems(
        r#"
        [forward.udp]
        listen = "0.0.0.0:8767"
        targets = ["192.168.1.5:0"]
        from = "here"
        ttl = 256
        target = []
        "#,
        &["forward.udp.targets=[\"0.0.0.0:9000\"]"],
        expect![[r#"
            line 3: forward.udp.listen: 0.0.0.0:8767 can be reached from other computers, and nothing asks for a password yet: use 127.0.0.1:8767, or set security.insecure = true if everybody on that network may read and write
            line 5: forward.udp.from: expected one of this computer's addresses, as in 192.168.1.2, found "here"
            line 6: forward.udp.ttl: expected a whole number from 0 to 255, found 256
            line 7: forward.udp.target: unknown key: did you mean forward.udp.targets?
            --set: forward.udp.targets: 0.0.0.0:9000 is nowhere: expected an address and a port, as in 192.168.1.5:9000"#]],
    );
}

#[test]
fn a_password_comes_from_a_file_or_the_environment_and_is_never_shown() {
    let text = "[broker]\nurl = \"mqtt://host\"\nusername = \"me\"\npassword_file = \"secret\"\n";
    let mut around = Written::default();
    around.files.insert("secret", "from the file\n");
    let from_file = Config::read(text, &[], &around).unwrap();
    around.variables.insert("MTOM_BROKER_PASSWORD", "from the environment");
    let from_variable = Config::read(text, &[], &around).unwrap();
    for (config, expected) in
        [(from_file, "from the file"), (from_variable, "from the environment")]
    {
        let Broker::External { target, .. } = &config.broker else { panic!() };
        assert_eq!(target.endpoint.to_string(), "mqtt://host:1883");
        assert_eq!(target.credentials.as_ref().unwrap().1, expected);
        assert!(!format!("{config:?}").contains(expected));
    }
}

#[test]
fn a_state_is_said_again_long_before_a_device_gives_up_on_us() {
    let lease_millis = mtom_device::settings::Settings::default().lease_millis;
    assert!(super::REFRESH.as_millis() * 2 < u128::from(lease_millis));
}
