//! The original's exchanges, frame for frame, with the real binary in between (`wire.md` §1).

use crate::mtom::{Mtom, mosquitto_pub};
use crate::soon;
use crate::viewer::Viewer;
use expect_test::expect;

/// Digits of times are of the moment: each becomes `0`.
fn without_time(frame: &str) -> String {
    let Some((head, rest)) = frame.split_once(r#""time":""#) else { return frame.to_owned() };
    let (time, tail) = rest.split_once('"').unwrap();
    let time: String = time.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
    format!("{head}\"time\":\"{time}\"{tail}")
}

#[tokio::test]
async fn the_browser_and_the_python_client_see_live_frames() {
    let mtom = Mtom::up(&[]);
    let mut browser = Viewer::connect(mtom.ready.live).await;
    browser.say("hello").await;
    let mut greeting = Vec::new();
    for _ in 0..3 {
        greeting.push(browser.hear().await);
    }
    expect![[r#"
        {"state":"OK","type":"hello","response":"Hello, client!"}
        {"state":"OK","type":"hello","response":"connect successfully!"}
        {"state":"OK","type":"sending","response":"sending temperature data from esp32..."}"#]]
    .assert_eq(&greeting.join("\n"));
    browser.realtime().await;
    let mut python = Viewer::connect(mtom.ready.live).await;
    python.realtime().await;
    for payload in ["24.5 °C", "23°C", "30 °C", "23.4"] {
        if !mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", payload.as_bytes()) {
            return;
        }
    }
    for viewer in [&mut browser, &mut python] {
        let mut frames = Vec::new();
        for _ in 0..4 {
            frames.push(without_time(&viewer.hear().await));
        }
        expect![[r#"
            {"state":"OK","type":"new_data","response":{"time":"0000-00-00 00:00:00","temp":24.5}}
            {"state":"OK","type":"new_data","response":{"time":"0000-00-00 00:00:00","temp":23.0}}
            {"state":"OK","type":"new_data","response":{"time":"0000-00-00 00:00:00","temp":30.0}}
            {"state":"OK","type":"new_data","response":{"time":"0000-00-00 00:00:00","temp":23.4}}"#]]
        .assert_eq(&frames.join("\n"));
    }
    soon("the viewers in the log", async {
        while !mtom.get("/api/v1/log").await.to_string().contains("viewers on live: 2") {}
    })
    .await;
    // Who comes later gets the last known reading at once.
    let mut late = Viewer::connect(mtom.ready.live).await;
    late.say("realtime").await;
    assert!(late.hear().await.ends_with(r#""temp":23.4}}"#));
}

#[tokio::test]
async fn the_history_port_pages_through_everything() {
    let mtom = Mtom::up(&[]);
    for number in 0..43 {
        if !mosquitto_pub(mtom.ready.mqtt, "Environ/Temperature", format!("{number} °C").as_bytes())
        {
            return;
        }
    }
    let mut client = Viewer::connect(mtom.ready.history).await;
    let mut pages = Vec::new();
    for offset in [0, 20, 40, 60] {
        client.say(&format!("database:{offset}")).await;
        let mut temperatures = Vec::new();
        let end = loop {
            let frame = client.hear().await;
            match frame.split_once(r#""temp":"#) {
                Some((head, temperature)) => {
                    assert!(head.starts_with(r#"{"state":"OK","type":"old_data","response":"#));
                    temperatures.push(temperature.trim_end_matches('}').to_owned());
                }
                None if frame.contains("close") => break frame,
                None => temperatures.push(frame),
            }
        };
        assert_eq!(end, r#"{"state":"OK","type":"close","response":""}"#);
        pages.push(temperatures);
    }
    let number = |range: std::ops::Range<u32>| range.map(|n| format!("{n}.0")).collect::<Vec<_>>();
    assert_eq!(pages[..3], [number(0..20), number(20..40), number(40..43)]);
    assert_eq!(pages[3], [r#"{"state":"OK","type":"empty","response":""}"#]);
}

#[tokio::test]
async fn every_malformed_request_is_answered_and_the_connection_stays() {
    let mtom = Mtom::up(&[]);
    let mut live = Viewer::connect(mtom.ready.live).await;
    let mut answers = Vec::new();
    for request in ["", "Hello", "database:0", "realtime "] {
        live.say(request).await;
        answers.push(live.hear().await);
    }
    live.say_binary(vec![0, 159]).await;
    answers.push(live.hear().await);
    let mut history = Viewer::connect(mtom.ready.history).await;
    for request in
        ["realtime", "database:-1", "database:1.5", "database:x", "database:9223372036854775808"]
    {
        history.say(request).await;
        answers.push(history.hear().await);
    }
    expect![[r#"
        {"state":"Error","type":"error","response":"unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"}
        {"state":"Error","type":"error","response":"unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"}
        {"state":"Error","type":"error","response":"unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"}
        {"state":"Error","type":"error","response":"unknown request: expected hello, realtime or replay:<from>:<to>:<speed>"}
        {"state":"Error","type":"error","response":"binary frame: expected a text frame"}
        {"state":"Error","type":"error","response":"unknown request: expected hello or database:N"}
        {"state":"Error","type":"error","response":"database:N takes a whole number from 0 to 9223372036854775807"}
        {"state":"Error","type":"error","response":"database:N takes a whole number from 0 to 9223372036854775807"}
        {"state":"Error","type":"error","response":"database:N takes a whole number from 0 to 9223372036854775807"}
        {"state":"Error","type":"error","response":"database:N takes a whole number from 0 to 9223372036854775807"}"#]]
    .assert_eq(&answers.join("\n"));
    live.say("hello").await;
    assert!(live.hear().await.contains("Hello, client!"));
    history.say("database:9223372036854775807").await;
    assert!(history.hear().await.contains("empty"));
}
