//! Shapes of parameters that Rust's types do not say: only for the document, so only in tests.
//!
//! A shape says what is taken, no more and no less: a program may check its question by it.

use mtom_protocol::unit::Unit;
use utoipa::openapi::schema::{AnyOfBuilder, Object, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{KnownFormat, RefOr, SchemaFormat};
use utoipa::{PartialSchema, ToSchema};

/// A span as people write it, as in `24h`.
const SPAN: &str = "^[0-9]{1,9}(ms|s|m|h|d|w|y)$";
/// What [`mtom_store::record::Cursor`] reads.
const CURSOR: &str = "^-?[0-9]{1,18}\\.[0-9]{1,18}$";
/// What [`mtom_protocol::topic::check_filter`] takes.
const TOPIC_FILTER: &str =
    "^(([^/+#\\x00-\\x1f\\x7f-\\x9f]*|\\+)/)*([^/+#\\x00-\\x1f\\x7f-\\x9f]*|\\+|#)$";
/// Spellings that [`Unit::parse`] takes beside the symbols.
const UNITS_SEEN: [&str; 5] = ["C", "℃", "F", "℉", "lux"];

fn string() -> ObjectBuilder {
    ObjectBuilder::new().schema_type(SchemaType::Type(Type::String))
}

fn rfc3339() -> Object {
    string().format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime))).build()
}

fn micros() -> Object {
    ObjectBuilder::new()
        .schema_type(SchemaType::Type(Type::Integer))
        .format(Some(SchemaFormat::KnownFormat(KnownFormat::Int64)))
        .minimum(Some(i64::MIN))
        .maximum(Some(i64::MAX))
        .build()
}

/// A name for each shape, to be written where a field's type stands.
macro_rules! shapes {
    ($($(#[$about:meta])* $name:ident: $schema:expr;)+) => {$(
        $(#[$about])*
        pub(crate) struct $name;

        impl PartialSchema for $name {
            fn schema() -> RefOr<Schema> {
                RefOr::T($schema)
            }
        }

        impl ToSchema for $name {}
    )+};
}

shapes! {
    /// RFC 3339, or microseconds since 1970.
    Time: AnyOfBuilder::new().item(rfc3339()).item(micros()).build().into();
    /// A span before now, or a time.
    SpanOrTime: {
        let span = string().pattern(Some(SPAN)).build();
        AnyOfBuilder::new().item(span).item(rfc3339()).item(micros()).build().into()
    };
    /// The `next` of an earlier page.
    Cursor: string().pattern(Some(CURSOR)).build().into();
    /// A topic, or a topic filter [MQTT-4.7.1].
    TopicFilter: string().pattern(Some(TOPIC_FILTER)).min_length(Some(1)).build().into();
    /// Which time of a rule runs out.
    TimerWord: {
        let words = ["for", "dwell", "max_age", "schedule", "override"];
        string().enum_values(Some(words)).build().into()
    };
    /// What is done when it has.
    DoesWord: string().enum_values(Some(["on", "off", "hold", "begin"])).build().into();
    /// The symbol of a unit, or another spelling of it.
    UnitWord: {
        let symbols = Unit::ALL.into_iter().map(Unit::symbol).chain(UNITS_SEEN);
        string().enum_values(Some(symbols)).build().into()
    };
}
