use super::{Answer, Opening, REQUEST_LEN_MAX, Request, write_reading};
use crate::lines;
use expect_test::{Expect, expect};

fn check_wrong(request: &str, expected: Expect) {
    let wrong = Request::parse(request.as_bytes()).unwrap_err();
    expected.assert_eq(&String::from_utf8(wrong.line()).unwrap());
}

#[test]
fn a_request_says_what_it_wants() {
    let everything = lines::Request::default();
    for request in ["{}", r#"{"cookie":"00"}"#, "{\"unsubscribe\":false}  \n"] {
        let read = Request::parse(request.as_bytes());
        assert_eq!(read, Ok(Request::Subscribe(everything.clone())), "{request}");
    }
    let some = lines::Request { subscribe: vec!["a/#".into()], ..lines::Request::default() };
    assert_eq!(Request::parse(br#"{"subscribe":["a/#"]}"#), Ok(Request::Subscribe(some)));
    let request = br#"{"unsubscribe":true,"cookie":"00"}"#;
    assert_eq!(Request::parse(request), Ok(Request::Unsubscribe));
}

#[test]
fn what_is_wrong_is_said_with_the_next_step() {
    check_wrong(
        r#"{"after":17}"#,
        expect![[r#"
            {"error":"after: nothing is sent again by UDP","next":"leave after out, or ask by TCP (forward.tcp.listen)"}
        "#]],
    );
    check_wrong(
        r#"{"ack":true}"#,
        expect![[r#"
            {"error":"ack: nothing is sent again by UDP","next":"leave ack out, or ask by TCP (forward.tcp.listen)"}
        "#]],
    );
    check_wrong(
        r#"{"subscribe":["a#"]}"#,
        expect![[r#"
            {"error":"\"a#\": `#` stands alone in the last level, as in `Environ/#`","next":"say one datagram as in {\"subscribe\":[\"Environ/#\"],\"cookie\":\"…\"} or {\"unsubscribe\":true,\"cookie\":\"…\"}"}
        "#]],
    );
    check_wrong(
        r#"{"subscribe":["a"],"unsubscribe":true}"#,
        expect![[r#"
            {"error":"subscribe and unsubscribe: only one of them","next":"say one datagram as in {\"subscribe\":[\"Environ/#\"],\"cookie\":\"…\"} or {\"unsubscribe\":true,\"cookie\":\"…\"}"}
        "#]],
    );
    for request in [r#"{"subscribe":[]}"#, r#"{"subscribe":"a"}"#, r#"{"topics":["a"]}"#, ""] {
        assert!(Request::parse(request.as_bytes()).is_err(), "{request}");
    }
}

#[test]
fn what_a_gateway_says_is_no_request() {
    let mut reading = Vec::new();
    write_reading(&mut reading, 3, b"{\"id\":17}\n");
    assert_eq!(reading, b"{\"seq\":3,\"id\":17}\n");
    let answers = [
        Answer { cookie: Some("00"), ..Answer::default() },
        Answer { subscribed: 60, sent: Some(3), cookie: Some("00"), gateway: None },
        Answer { sent: Some(3), ..Answer::default() },
    ]
    .map(|answer| answer.told());
    expect![[r#"
        {"subscribed":0,"cookie":"00"}
        {"subscribed":60,"sent":3,"cookie":"00"}
        {"subscribed":0,"sent":3}
    "#]]
    .assert_eq(&String::from_utf8(answers.concat()).unwrap());
    for said in answers.into_iter().chain([reading, lines::error("a", "b")]) {
        assert!(Opening::parse(&said).is_none(), "{}", String::from_utf8_lossy(&said));
    }
}

#[test]
fn what_is_no_object_is_no_request() {
    for datagram in ["", " ", "hello", "17", "null", r#"["00"]"#, r#"{"cookie":17}"#, "{", "{}{}"] {
        assert!(Opening::parse(datagram.as_bytes()).is_none(), "{datagram}");
    }
    let long = |len: usize| format!("{:len$}", "{}");
    assert!(Opening::parse(long(REQUEST_LEN_MAX).as_bytes()).is_some());
    assert!(Opening::parse(long(REQUEST_LEN_MAX + 1).as_bytes()).is_none());
    let opening = Opening::parse(br#"{"wish":1,"cookie":"00"} "#).unwrap();
    assert_eq!(
        opening.cookie.as_deref(),
        Some("00"),
        "it is told what is wrong when it has proven itself"
    );
}
