use crate::testing::Server;

#[tokio::test]
async fn what_does_not_say_what_it_is_is_not_taken() {
    let server = Server::start().await;
    let set = "/api/v1/actuators/LED/set";
    for (request, status, said) in [
        (("/api/v1/rules", "text/plain", ""), 415, "expected application/toml"),
        ((set, "text/plain", "{}"), 415, "expected application/json"),
        ((set, "application/json", "{\"led\":\"blue\"}"), 400, "unknown variant `blue`"),
        ((set, "application/json", "{\"led\":\"on\",\"seconds\":0}"), 400, "expected 1 to"),
        ((set, "application/json", "{\"led\":\"on\",\"seconds\":1.5}"), 400, "no whole number"),
        ((set, "application/json", "{\"led\":\"on\",\"seconds\":-1.0}"), 400, "no whole number"),
        (
            (set, "application/json", "{\"led\":\"on\",\"seconds\":60.0}"),
            503,
            "nothing can be changed",
        ),
        (
            (set, "application/json", "{\"led\":\"on\",\"seconds\":null}"),
            503,
            "nothing can be changed",
        ),
        (("/api/v1/actuators/%FF/set", "application/json", "{}"), 400, "UTF-8"),
        (("/api/v1/rules?sauce=x", "application/toml", ""), 400, "unknown field"),
        (("/api/v1/rules", "application/toml", ""), 503, "nothing can be changed here"),
    ] {
        let (path, kind, body) = request;
        let answer = server.put(path, kind, body).await;
        assert_eq!(answer.status, status, "{request:?}: {}", answer.body);
        assert!(answer.body.contains(said), "{request:?}: {}", answer.body);
    }
    server.stop().await;
}
