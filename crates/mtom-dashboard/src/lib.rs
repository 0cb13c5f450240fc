//! The HTTP API, the live socket and the page.
//!
//! Read only: nothing here changes a reading, a rule or an actuator. It sees what
//! [`mtom_gateway::view::View`] and [`mtom_store::history::History`] let everybody see, and the page
//! uses nothing but this API.

mod access;
mod alerts;
mod api;
mod assets;
mod change;
mod events;
mod live;
mod metrics;
mod past;
mod problem;
mod routes;
pub mod server;

#[cfg(test)]
mod testing;
