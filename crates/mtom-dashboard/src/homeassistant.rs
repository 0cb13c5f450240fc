//! `GET /api/v1/homeassistant`: what Home Assistant is told, and how it stands between us.

use crate::routes::json;
use crate::server::Shared;
use axum::extract::State;
use axum::response::Response;
use mtom_gateway::announce::{Left, Line, Talk};
use serde::Serialize;
use std::sync::Arc;

/// `GET /api/v1/homeassistant`
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct HomeAssistant {
    /// It is told of our sensors and actuators. Otherwise nothing below means anything.
    announce: bool,
    /// The name of this gateway there: what stands behind `mtom/` in its topics.
    name: String,
    connection: HomeAssistantConnection,
    /// Why the connection is down, where one was tried.
    reason: Option<String>,
    /// Filters that the broker does not let us hear.
    not_heard: Vec<String>,
    /// Why the broker has not taken what it was told last; null: it has.
    not_taken: Option<String>,
    /// What Home Assistant has said of itself on this connection; null: nothing.
    home: Option<HomeAssistantWord>,
    /// Devices with sensors that it is told of.
    devices: u64,
    sensors: u64,
    /// Actuators that it is told of.
    switches: u64,
    /// Its commands that were done since the start.
    obeyed: u64,
    /// Those that were not: no commands, kept ones, late ones, and those for what is not there.
    refused: u64,
    /// Topics of discovered devices over which the broker closes the connection: they are not heard until the next
    /// start.
    set_aside: Vec<String>,
    /// The broker where Home Assistant was told before `broker.url` was changed; null: it was not changed at this
    /// start.
    left: Option<LeftBehind>,
}

/// What an earlier broker still keeps of this gateway, where it is another one than that of now.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
pub(crate) struct LeftBehind {
    /// Its URL, without user and password.
    broker: String,
    /// So many topics it was to keep.
    topics: u64,
    /// What takes them back, in the data folder.
    command: String,
}

impl From<Left> for LeftBehind {
    fn from(Left { broker, topics, command }: Left) -> Self {
        Self { broker, topics, command }
    }
}

/// How it is told.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum HomeAssistantConnection {
    /// Through the broker in this process, or not at all.
    Own,
    /// On a connection of its own to another broker.
    Up,
    /// That cannot be made, or has ended.
    Down,
}

/// What Home Assistant says of itself.
#[derive(Serialize)]
#[cfg_attr(test, derive(ts_rs::TS, utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub(crate) enum HomeAssistantWord {
    /// It has started, or is there.
    Online,
    /// It ends, or has gone.
    Offline,
}

impl From<&Talk> for HomeAssistant {
    fn from(talk: &Talk) -> Self {
        let now = talk.standing();
        let (connection, reason, not_heard) = match now.line {
            None => (HomeAssistantConnection::Own, None, Vec::new()),
            Some(Line::Up(not_heard)) => (HomeAssistantConnection::Up, None, not_heard),
            Some(Line::Down(reason)) => (HomeAssistantConnection::Down, reason, Vec::new()),
        };
        let word = |is_there| match is_there {
            true => HomeAssistantWord::Online,
            false => HomeAssistantWord::Offline,
        };
        Self {
            announce: now.is_told,
            name: talk.id().to_owned(),
            connection,
            reason,
            not_heard,
            not_taken: now.not_taken,
            home: now.is_there.map(word),
            devices: now.told.devices,
            sensors: now.told.sensors,
            switches: now.told.switches,
            obeyed: now.obeyed,
            refused: now.refused,
            set_aside: now.set_aside,
            left: now.left.map(LeftBehind::from),
        }
    }
}

/// What Home Assistant is told, and how it stands between it and us.
#[cfg_attr(test, utoipa::path(
    get,
    path = "/api/v1/homeassistant",
    tag = "health",
    responses((status = 200, description = "as asked", body = HomeAssistant))
))]
pub(crate) async fn homeassistant(State(shared): State<Arc<Shared>>) -> Response {
    json(&HomeAssistant::from(&shared.talk))
}
