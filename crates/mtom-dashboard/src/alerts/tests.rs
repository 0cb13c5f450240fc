use crate::testing::{NOW, Server};
use mtom_store::record::{AlertRecord, AlertTarget};

#[tokio::test]
async fn alerts_are_paged_both_ways() {
    let mut server = Server::start().await;
    let mut batch = server.journal.begin().unwrap();
    for number in 0..5 {
        let alert = AlertRecord {
            rule: format!("rule {number}"),
            rule_version: "00000000000000ff".into(),
            target: AlertTarget::Topic { topic: "alarm".into(), qos: 1, retain: false },
            body: "{}".into(),
            begins: true,
            reading: None,
            cause: "silence".into(),
            raised_at: NOW,
        };
        batch.alert(&alert).unwrap();
    }
    batch.commit().unwrap();
    for (order, expected) in
        [("", [5, 4, 3, 2, 1]), ("order=desc&", [5, 4, 3, 2, 1]), ("order=asc&", [1, 2, 3, 4, 5])]
    {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let page = server.get(&format!("/api/v1/alerts?{order}limit=2{after}")).await.json();
            let alerts = page["alerts"].as_array().unwrap();
            seen.extend(alerts.iter().map(|alert| alert["id"].as_u64().unwrap()));
            match page["next"].as_u64() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{order}");
    }
    assert_eq!(server.get("/api/v1/alerts?order=up").await.status, 400);
    server.stop().await;
}
