use super::to_toml;
use crate::config::{self, Process};
use mtom_rules::{Consequence, Edge, Qos, RuleSpec, Silent};
use std::time::Duration;

#[test]
fn the_text_of_rules_reads_as_the_same_rules() {
    let specs = vec![
        RuleSpec { name: "original A".into(), ..RuleSpec::original("A") },
        RuleSpec {
            name: "all \"of it\" \\ \u{7f}\u{a0}".replace('\u{7f}', ""),
            when: "+/Temperature/#".into(),
            on: "celsius >= 25.0 && device in [\"a\",\n\t\"b\"]".into(),
            off: Some("celsius < 24.5".into()),
            hold_for: Duration::from_millis(1_500),
            dwell: Duration::from_secs(7_200),
            max_age: None,
            silent: Silent::Hold,
            schedule: Some("Mon-Fri 07:00-19:00 Europe/Berlin".into()),
            priority: -7,
            then: vec![
                Consequence::Actuator("B".into()),
                Consequence::Publish {
                    topic: "alarm/heat".into(),
                    payload: Some("{{ device }} \"{{ celsius }}\"".into()),
                    edge: Edge::Both,
                    qos: Qos::AtLeastOnce,
                    retain: true,
                },
                Consequence::Webhook {
                    url: "https://example.org/x?y=1".into(),
                    body: None,
                    edge: Edge::Off,
                },
            ],
        },
    ];
    let read = config::read_rules(&to_toml(&specs), None, &Process).unwrap().unwrap();
    assert_eq!(read, specs);
}
