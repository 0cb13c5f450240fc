//! The one place that reads the wall clock.

use mtom_gateway::Clock;
use mtom_protocol::time::UnixMicros;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

/// The system's clock.
pub(crate) fn system() -> Clock {
    Arc::new(|| {
        #[allow(clippy::disallowed_methods, reason = "everything else takes `now` from here")]
        let now = SystemTime::now();
        let micros = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        UnixMicros(i64::try_from(micros).unwrap_or(i64::MAX))
    })
}
