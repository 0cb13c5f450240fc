//! Payloads that are no readings: each is kept with its reason, and nothing else is disturbed.

use crate::mtom::{Mtom, mosquitto_pub};
use crate::viewer::Viewer;

#[tokio::test]
async fn bad_payloads_become_rejects_and_the_next_reading_goes_through() {
    let mtom = Mtom::up(&[]);
    let mut viewer = Viewer::connect(mtom.ready.live).await;
    viewer.realtime().await;
    let large = vec![b'9'; 1024 * 1024];
    let cases: [(&[u8], &str); 9] = [
        (b"", "empty"),
        (&large, "too_long"),
        (b"\xff\xfe\xfd", "not_utf8"),
        ("NaN °C".as_bytes(), "not_finite"),
        (b"1e999", "not_finite"),
        ("23,4 °C".as_bytes(), "decimal_comma"),
        ("-127 °C".as_bytes(), "sensor_lost"),
        (b"'; DROP TABLE reading; --", "not_a_number"),
        (b"<script>alert(1)</script>", "not_a_number"),
    ];
    for (payload, _) in &cases {
        if !mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", payload) {
            return;
        }
    }
    mosquitto_pub(mtom.ready.mqtt, "outTopic", b"hello world");
    mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", "21.5 °C".as_bytes());
    assert!(viewer.hear().await.ends_with(r#""temp":21.5}}"#), "the first frame is the reading");
    let rejects = mtom.get("/api/v1/rejects?limit=100").await;
    let codes: Vec<_> =
        rejects["rejects"].as_array().unwrap().iter().map(|r| r["code"].clone()).collect();
    let expected: Vec<_> = cases.iter().rev().map(|(_, code)| *code).collect();
    assert_eq!(codes, expected);
    let audit = mtom.get("/api/v1/audit").await;
    let count = |key: &str| audit[key].as_u64().unwrap();
    assert_eq!((count("stored"), count("rejected"), count("received")), (1, 9, 10));
    assert_eq!(count("ignored"), 1, "outTopic");
    assert_eq!(
        count("received"),
        count("stored") + count("duplicate") + count("rejected") + count("in_flight")
    );
}
