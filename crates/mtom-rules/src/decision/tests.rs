use super::*;

/// The page says these sentences in its own language, and knows them by this file.
const KNOWN_TO_THE_PAGE: &str = include_str!("../../../../web/test/causes.txt");

#[test]
fn the_page_knows_every_sentence_of_a_cause() {
    let at = UnixMicros(1_800_000_000_000_000);
    let witness = Witness {
        id: 268,
        device: "Environ".into(),
        quantity: "Temperature".into(),
        topic: "Environ/Temperature".into(),
        value: 25.1,
        unit: Unit::Celsius,
        condition: "celsius >= 25.0, where celsius is 25.1".into(),
    };
    let read = |held| Cause::Reading { witness: witness.clone(), held };
    let next = |witness| Cause::Succession { from: "night".into(), since: at, witness };
    let over = |since, witness| Cause::OverrideEnded { since, witness };
    let causes = [
        read(Duration::ZERO),
        read(Duration::from_millis(1_500)),
        Cause::Silence { max_age: Duration::from_secs(10), since: at },
        Cause::Start { since: at },
        Cause::Override { until: None },
        Cause::Override { until: Some(at) },
        over(None, None),
        over(Some(at), None),
        over(Some(at), Some(witness.clone())),
        Cause::ScheduleEnded { at },
        next(None),
        next(Some(witness.clone())),
    ];
    let told: Vec<String> = causes.iter().map(ToString::to_string).collect();
    assert_eq!(told, KNOWN_TO_THE_PAGE.lines().collect::<Vec<_>>());
}
