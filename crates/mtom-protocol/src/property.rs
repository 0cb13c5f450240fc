//! What a device says about a reading beside its payload, as user properties of MQTT 5 [MQTT-5.0
//! 3.3.2.3.7]: so the original's text keeps its form, and has its time and its number all the same.
//!
//! `mtom-time` (RFC 3339), `mtom-boot` and `mtom-seq` say what `time`, `boot` and `seq` say in JSON. Who
//! does not know them passes over them.

/// When it was measured.
pub const TIME: &str = "mtom-time";
/// Which run of the device.
pub const BOOT: &str = "mtom-boot";
/// Which reading of that run.
pub const SEQ: &str = "mtom-seq";
/// What comes before the topic of a reading that is played back. It is history: it is not stored again
/// and drives nothing.
pub const REPLAY_PREFIX: &str = "mtom/replay/";
