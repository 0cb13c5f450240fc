//! The document is what the code says, and says all of it.

use crate::api::Frame;
use crate::openapi::answers::Forbidden;
use crate::problem::ProblemBody;
use crate::testing::Server;
use expect_test::expect_file;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::openapi::{self, RefOr};
use utoipa::{IntoResponses as _, OpenApi as _};

mod served;

#[derive(utoipa::OpenApi)]
#[openapi(
    info(
        title = "mtom",
        description = "What the page of a gateway uses, and what everybody may use. `/api/v1` only grows: \
                       names stay, new ones may come. Times come twice, as RFC 3339 and as microseconds since \
                       1970. The WebSocket `/live` sends a `Frame` for each change, beginning with a snapshot; with \
                       `?batch=true` changes that follow each other closely come together, in a `batch`.",
        license(name = "MIT OR Apache-2.0")
    ),
    tags(
        (name = "readings", description = "What was measured"),
        (name = "actuators", description = "What is driven, and why"),
        (name = "rules", description = "What decides"),
        (name = "health", description = "How the gateway is"),
    ),
    paths(
        crate::devices::devices,
        crate::devices::series,
        crate::routes::latest,
        crate::routes::snapshot,
        crate::routes::readings,
        crate::routes::chart,
        crate::rejects::rejects,
        crate::simulator::simulator,
        crate::simulator::hold,
        crate::routes::actuators,
        crate::routes::actuator,
        crate::scan::scan,
        crate::change::set,
        crate::pair::begin,
        crate::pair::state,
        crate::pair::answer,
        crate::pair::give_up,
        crate::ledger::commands,
        crate::ledger::why,
        crate::ruled::rules,
        crate::standing::states,
        crate::change::apply,
        crate::change::versions,
        crate::change::rollback,
        crate::trial::test,
        crate::replay::replay,
        crate::alerts::alerts,
        crate::routes::status,
        crate::routes::storage,
        crate::routes::audit,
        crate::routes::log,
        crate::path::path,
        crate::clients::clients,
        crate::clients::allow,
        crate::clients::withdraw,
        crate::controllers::controllers,
        crate::discovered::discovered,
        crate::homeassistant::homeassistant,
        crate::routes::metrics,
        crate::routes::healthz,
        crate::routes::readyz,
        crate::openapi::document,
    ),
    components(schemas(Frame<'static>, ProblemBody))
)]
struct Api;

/// What is served beside the API: the pages, their files, and the live socket, which OpenAPI has no words for.
const BESIDE: [&str; 6] = ["/", "/worker.js", "/a/{hash}/{*name}", "/live", "/api/v1", "/api/v1/"];

/// The document, with what the layers around the handlers add: tags of what is kept, and what the guard says.
fn document() -> Value {
    let mut document = serde_json::to_value(Api::openapi()).unwrap();
    // Of the API, not of the program.
    document["info"]["version"] = "1".into();
    let paths = document["paths"].as_object_mut().unwrap();
    for operation in paths.values_mut().flat_map(|path| path.as_object_mut().unwrap().values_mut())
    {
        let responses = operation["responses"].as_object_mut().unwrap();
        if let Some(headers) = responses.get("304").map(|unchanged| unchanged["headers"].clone()) {
            responses["200"]["headers"] = headers;
        }
        let guarded: BTreeMap<String, RefOr<openapi::Response>> = Forbidden::responses();
        for (status, response) in guarded {
            responses.insert(status, serde_json::to_value(response).unwrap());
        }
    }
    document
}

/// `UPDATE_EXPECT=1 cargo test -p mtom-dashboard` writes the file anew.
#[test]
fn the_document_is_what_the_code_says() {
    let text = serde_json::to_string_pretty(&document()).unwrap() + "\n";
    expect_file!["../../../../web/openapi.json"].assert_eq(&text);
}

#[test]
fn every_route_is_in_the_document() {
    let source = include_str!("../routes.rs");
    let routes = source.split(".route(\"").skip(1).filter_map(|rest| {
        let (path, rest) = rest.split_once("\", ")?;
        let methods = rest.lines().next()?;
        Some(["get", "put", "post", "delete"].map(|method| {
            let named = [format!(" {method}("), format!(".{method}("), format!("{method}(")];
            let is_one = methods.starts_with(&named[2]) || methods.contains(&named[1]);
            is_one.then(|| format!("{method} {path}"))
        }))
    });
    let routes: BTreeSet<_> = routes
        .flatten()
        .flatten()
        .filter(|route| !BESIDE.contains(&route.split(' ').nth(1).unwrap()))
        .collect();
    let document = document();
    let documented: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, operations)| {
            operations.as_object().unwrap().keys().map(move |method| format!("{method} {path}"))
        })
        .collect();
    assert!(routes.len() > 20, "{routes:?}");
    assert_eq!(routes, documented);
}

/// Each refers only to what is there, and has a name and words of its own.
#[test]
fn the_document_is_whole() {
    let document = document();
    let text = document.to_string();
    for part in text.split("\"$ref\":\"#/components/schemas/").skip(1) {
        let name = part.split('"').next().unwrap();
        assert!(document["components"]["schemas"].get(name).is_some(), "{name}");
    }
    let mut names = BTreeSet::new();
    for (path, operations) in document["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let name = operation["operationId"].as_str().unwrap().to_owned();
            assert!(names.insert(name), "{method} {path}: its operationId is another's");
            assert!(operation["summary"].as_str().is_some(), "{method} {path}: no summary");
            let parameters = operation["parameters"].as_array();
            for one in parameters.map(Vec::as_slice).unwrap_or_default() {
                for part in ["description", "schema", "example"] {
                    assert!(!one[part].is_null(), "{method} {path} {}: no {part}", one["name"]);
                }
            }
            assert!(operation["responses"]["default"].is_null(), "{method} {path}: not by status");
        }
    }
    assert_eq!(document["openapi"], "3.1.0");
}

#[tokio::test]
async fn it_is_served() {
    let server = Server::start().await;
    let answer = server.get("/api/v1/openapi.json").await;
    assert_eq!(answer.status, 200);
    assert!(answer.json() == document(), "what is served is what the code says");
    server.stop().await;
}
