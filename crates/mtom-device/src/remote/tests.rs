use super::*;
use expect_test::expect;
use proptest::prelude::*;

fn now() -> Remote {
    Remote::of(&Settings::default())
}

fn check(payload: &str, expected: expect_test::Expect) {
    let found = match parse(payload.as_bytes(), &now()) {
        Ok(remote) => remote.to_string(),
        Err(error) => error.to_string(),
    };
    expected.assert_eq(&found);
}

#[test]
fn what_is_left_out_stays_as_it_is() {
    check("{}", expect![[r#"{"period":"2s","topic":"Environ/Temperature","format":"text"}"#]]);
    check(
        r#"{"period":"10s"}"#,
        expect![[r#"{"period":"10s","topic":"Environ/Temperature","format":"text"}"#]],
    );
    check(
        " {\"topic\":\"a/b\",\"format\":\"json\",\"period\":\"1500ms\"}\n",
        expect![[r#"{"period":"1500ms","topic":"a/b","format":"json"}"#]],
    );
}

#[test]
fn what_cannot_be_used_is_named_with_what_is_expected() {
    let shape = "expected a JSON object with period, topic or format, all texts";
    for payload in ["", "10s", "[]", r#"{"period":10}"#, r#"{"colour":"red"}"#, "{}{}", "{"] {
        assert_eq!(parse(payload.as_bytes(), &now()).unwrap_err().to_string(), shape, "{payload}");
    }
    check(r#"{"period":"0s"}"#, expect!["period: expected 200ms to 24h, as in 10s"]);
    check(r#"{"period":"25h"}"#, expect!["period: expected 200ms to 24h, as in 10s"]);
    check(r#"{"period":"99999999999s"}"#, expect!["period: expected 200ms to 24h, as in 10s"]);
    let topic = expect!["topic: expected 1 to 64 bytes without +, # and control characters"];
    check(r#"{"topic":"a/#"}"#, topic);
    check(
        r#"{"topic":"a\"b"}"#,
        expect!["topic: expected 1 to 64 bytes without +, # and control characters"],
    );
    check(r#"{"format":"xml"}"#, expect!["format: expected text or json"]);
}

#[test]
fn nothing_is_applied_unless_everything_can_be() {
    let remote = parse(br#"{"period":"10s","topic":"a/+"}"#, &now());
    assert_eq!(remote, Err(RemoteError::Topic));
}

proptest! {
    #[test]
    fn arbitrary_bytes_never_panic(payload: Vec<u8>) {
        let _ = parse(&payload, &now());
    }

    #[test]
    fn what_is_told_is_read_back(millis in PERIOD_MILLIS.0..=PERIOD_MILLIS.1, json: bool) {
        let format = if json { Format::Json } else { Format::Text };
        let remote = Remote { period_millis: millis, format, ..now() };
        prop_assert_eq!(parse(remote.to_string().as_bytes(), &now()), Ok(remote));
    }
}
