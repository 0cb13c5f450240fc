use super::*;

fn settings(count: u32, topic: &str) -> Settings {
    Settings {
        host: "127.0.0.1".into(),
        port: 1883,
        id: "sim".into(),
        topic: topic.into(),
        format: Format::Text,
        count,
        period: Duration::from_secs(2),
        profile: Profile::Sine,
        seed: 1,
        faults: Faults::default(),
        ram: 32,
        flash_len: 0,
        gives_way: false,
        hand: Hand::default(),
    }
}

#[test]
fn each_of_a_fleet_has_its_own_name_and_topic() {
    let fleet = Fleet::new(settings(3, "Environ/Temperature")).unwrap();
    let found: Vec<_> = fleet.devices.iter().map(|each| (&*each.id, &*each.topic)).collect();
    assert_eq!(
        found,
        [
            ("sim-1", "Environ/Temperature"),
            ("sim-2", "Environ/sim2/Temperature"),
            ("sim-3", "Environ/sim3/Temperature")
        ]
    );
    let alone = Fleet::new(settings(1, "Temperature")).unwrap();
    assert_eq!((&*alone.devices[0].id, &*alone.devices[0].topic), ("sim", "Temperature"));
}

#[test]
fn a_setting_that_no_device_could_have_is_refused_before_anything_starts() {
    let error = Fleet::new(settings(2, "a/#")).unwrap_err();
    assert_eq!(error.key, "topic");
    let mut hasty = settings(1, "a/b");
    hasty.period = Duration::from_millis(1);
    assert_eq!(Fleet::new(hasty).unwrap_err().key, "period_millis");
}

#[test]
fn a_device_takes_less_than_eight_kibibytes() {
    let device = device_settings(&settings(1, "Environ/Temperature"), 0).unwrap();
    let shared = Shared {
        settings: settings(1, "Environ/Temperature"),
        untroubled: None,
        journal: None,
        totals: Totals::default(),
        now: || UnixMicros(0),
        say: |_: &str, _: &Event<'_>| {},
    };
    let settings_len = size_of_val(&device);
    let task = live(0, Box::new(device), Rc::new(shared), CancellationToken::new());
    assert!(size_of_val(&task) + settings_len < 7 * 1_024, "{}", size_of_val(&task));
}
