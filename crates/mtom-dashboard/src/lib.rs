//! The HTTP API, the live socket and the page.
//!
//! It sees what [`mtom_gateway::view::View`] and [`mtom_store::history::History`] let everybody see, hands what a
//! person wants to change to [`mtom_gateway::control::Control`], and the page uses nothing but this API.

mod access;
mod alerts;
mod api;
mod assets;
mod caching;
mod change;
mod clients;
mod controllers;
mod devices;
mod discovered;
mod events;
mod homeassistant;
mod join;
mod late;
mod ledger;
mod live;
mod metrics;
mod openapi;
mod pair;
mod past;
mod path;
mod problem;
mod reach;
mod rejects;
pub mod replay;
mod routes;
mod ruled;
pub mod scan;
pub mod server;
pub mod simulator;
mod standing;
pub mod trial;

#[cfg(test)]
mod testing;
