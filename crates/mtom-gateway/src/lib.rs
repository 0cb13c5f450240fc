//! The spine: message → reading → {store, forward, rules → actuator}.

pub mod view;
