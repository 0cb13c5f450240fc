use crate::testing::{NOW, Server};
use mtom_protocol::time::UnixMicros;
use mtom_store::record::Reject;
use serde_json::{Value, json};

fn ids(answer: &Value) -> Vec<u64> {
    let rejects = answer["rejects"].as_array().unwrap();
    rejects.iter().map(|reject| reject["id"].as_u64().unwrap()).collect()
}

#[tokio::test]
async fn rejects_are_narrowed_as_the_history_is_and_paged_both_ways() {
    let mut server = Server::start().await;
    let mut batch = server.journal.begin().unwrap();
    for (second, (topic, code)) in [
        ("Environ/Temperature", "empty"),
        ("Environ/Humidity", "not_a_number"),
        ("hall/Temperature", "empty"),
    ]
    .into_iter()
    .enumerate()
    {
        let arrived_at = UnixMicros(NOW.0 + i64::try_from(second).unwrap() * 1_000_000);
        let (payload, reason) = (b"?".as_slice(), "no number");
        batch.reject(&Reject { topic, payload, code, reason, arrived_at }).unwrap();
    }
    batch.commit().unwrap();
    for (query, expected) in [
        ("", vec![3, 2, 1]),
        ("order=asc", vec![1, 2, 3]),
        ("device=Environ", vec![2, 1]),
        ("topic=%2B/Temperature", vec![3, 1]),
        ("code=empty&device=Environ", vec![1]),
        ("from=1795421191123456&until=1795421192123456", vec![2]),
        ("device=nobody", vec![]),
    ] {
        let answer = server.get(&format!("/api/v1/rejects?{query}")).await.json();
        assert_eq!((ids(&answer), &answer["next"]), (expected, &Value::Null), "{query}");
    }
    for (order, expected) in [("asc", [1, 2, 3]), ("desc", [3, 2, 1])] {
        let (mut seen, mut after) = (Vec::new(), String::new());
        loop {
            let path = format!("/api/v1/rejects?order={order}&limit=2{after}");
            let page = server.get(&path).await.json();
            seen.extend(ids(&page));
            match page["next"].as_u64() {
                Some(next) => after = format!("&after={next}"),
                None => break,
            }
        }
        assert_eq!(seen, expected, "{order}");
    }
    for (query, said) in [("topic=a%23", "`#` stands alone"), ("from=never", "`from` is no time")] {
        let refused = server.get(&format!("/api/v1/rejects?{query}")).await;
        assert_eq!(refused.status, 400, "{refused:?}");
        assert!(refused.json()["detail"].as_str().unwrap().contains(said), "{refused:?}");
        assert_ne!(refused.json()["next"], json!(""));
    }
    server.stop().await;
}
