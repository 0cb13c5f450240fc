use crate::record::{AlertOutcome, AlertRecord, AlertTarget};
use crate::testing::{Folder, after};

#[test]
fn versions_of_the_rules_are_counted_up_and_never_change() {
    let folder = Folder::new();
    let mut journal = folder.open();
    assert_eq!(journal.add_rule_set("mtom.toml", "one", after(1)).unwrap(), 1);
    assert_eq!(journal.add_rule_set("rules.toml", "two", after(2)).unwrap(), 2);
    drop(journal);
    let mut journal = folder.open();
    assert_eq!(journal.add_rule_set("version 1", "one", after(3)).unwrap(), 3);
    let found: Vec<_> = journal.history().rule_sets(2).unwrap();
    assert_eq!(
        found.iter().map(|row| (row.version, &*row.text)).collect::<Vec<_>>(),
        [(3, "one"), (2, "two")]
    );
    assert_eq!(journal.history().rule_set(2).unwrap().unwrap().source, "rules.toml");
    assert_eq!(journal.history().rule_set(4).unwrap(), None);
}

#[test]
fn an_alert_waits_until_it_is_taken_or_given_up() {
    let folder = Folder::new();
    let mut journal = folder.open();
    let alert = |target| AlertRecord {
        rule: "heat".into(),
        rule_version: "00000000000000ff".into(),
        target,
        body: "{\"state\":\"on\"}".into(),
        begins: true,
        reading: Some(7),
        cause: "reading 7: t 26.5 °C".into(),
        raised_at: after(1),
    };
    let topic = AlertTarget::Topic { topic: "alarm/heat".into(), qos: 1, retain: true };
    let alerts = [alert(topic), alert(AlertTarget::Url("http://127.0.0.1/x".into()))];
    let mut batch = journal.begin().unwrap();
    let ids: Vec<u64> = alerts.iter().map(|alert| batch.alert(alert).unwrap()).collect();
    batch.commit().unwrap();
    let history = journal.history();
    let waiting = |after| -> Vec<u64> {
        history.alerts_after(after, 10).unwrap().iter().map(|row| row.id).collect()
    };
    assert_eq!((waiting(0), waiting(ids[0])), (ids.clone(), vec![ids[1]]));

    let mut batch = journal.begin().unwrap();
    let failed = AlertOutcome::Failed { error: "no answer".into(), next_try_at: after(9) };
    batch.alert_outcome(ids[0], &failed, after(2)).unwrap();
    batch.commit().unwrap();
    assert_eq!(waiting(0), ids);
    assert_eq!(history.alert(ids[0]).unwrap().unwrap().last_error.as_deref(), Some("no answer"));
    assert_eq!(history.alert(99).unwrap(), None);

    let mut batch = journal.begin().unwrap();
    batch.alert_outcome(ids[0], &AlertOutcome::Delivered, after(10)).unwrap();
    let given_up = AlertOutcome::GivenUp { error: "410 Gone".into() };
    batch.alert_outcome(ids[1], &given_up, after(11)).unwrap();
    batch.commit().unwrap();
    assert!(waiting(0).is_empty());
    let rows = history.alerts(10).unwrap();
    assert_eq!(rows[1].alert, alerts[0]);
    assert_eq!((rows[1].tries, rows[1].delivered_at), (2, Some(after(10))));
    assert_eq!(
        (rows[0].given_up_at, rows[0].last_error.as_deref()),
        (Some(after(11)), Some("410 Gone"))
    );
}
