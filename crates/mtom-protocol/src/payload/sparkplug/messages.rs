//! The messages of `sparkplug_b.proto` (Sparkplug 3.0, clause 6.4.1) as far as mtom reads them. What is not
//! declared here is passed over when it is read. Texts are bytes here: one that is no UTF-8 costs its own metric alone.

use alloc::vec::Vec;

/// The field of a payload's metrics.
pub(super) const METRICS_TAG: u32 = 2;

/// What every message carries.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Payload {
    /// When it was sent, in milliseconds since 1970.
    #[prost(uint64, optional, tag = "1")]
    pub timestamp: Option<u64>,
    /// What it says.
    #[prost(message, repeated, tag = "2")]
    pub metrics: Vec<Metric>,
    /// 0 to 255, one more with each message of a node and its devices.
    #[prost(uint64, optional, tag = "3")]
    pub seq: Option<u64>,
}

/// One value of one quantity.
#[derive(Clone, PartialEq, prost::Message)]
pub struct Metric {
    /// What it is called; data may leave it out where the birth has given it a number.
    #[prost(bytes = "vec", optional, tag = "1")]
    pub name: Option<Vec<u8>>,
    /// Its number in all messages of this node after the birth.
    #[prost(uint64, optional, tag = "2")]
    pub alias: Option<u64>,
    /// When it was measured, in milliseconds since 1970.
    #[prost(uint64, optional, tag = "3")]
    pub timestamp: Option<u64>,
    /// What its value is; data may leave it out.
    #[prost(uint32, optional, tag = "4")]
    pub datatype: Option<u32>,
    /// It was measured earlier, and is not how things are.
    #[prost(bool, optional, tag = "5")]
    pub is_historical: Option<bool>,
    /// It is for whoever listens, and not for a history.
    #[prost(bool, optional, tag = "6")]
    pub is_transient: Option<bool>,
    /// There is no value.
    #[prost(bool, optional, tag = "7")]
    pub is_null: Option<bool>,
    /// More about it: its unit, how good it is.
    #[prost(message, optional, tag = "9")]
    pub properties: Option<PropertySet>,
    /// The value.
    #[prost(oneof = "Value", tags = "10, 11, 12, 13, 14, 15")]
    pub value: Option<Value>,
}

/// The value of a metric.
#[derive(Clone, PartialEq, prost::Oneof)]
pub enum Value {
    /// Whole, up to 32 bits.
    #[prost(uint32, tag = "10")]
    Int(u32),
    /// Whole, up to 64 bits.
    #[prost(uint64, tag = "11")]
    Long(u64),
    /// A number of 32 bits.
    #[prost(float, tag = "12")]
    Float(f32),
    /// A number of 64 bits.
    #[prost(double, tag = "13")]
    Double(f64),
    /// Yes or no.
    #[prost(bool, tag = "14")]
    Boolean(bool),
    /// A text.
    #[prost(bytes = "vec", tag = "15")]
    Text(Vec<u8>),
}

/// Properties by their keys; the first key is of the first value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PropertySet {
    /// What they are called.
    #[prost(bytes = "vec", repeated, tag = "1")]
    pub keys: Vec<Vec<u8>>,
    /// What they are.
    #[prost(message, repeated, tag = "2")]
    pub values: Vec<PropertyValue>,
}

impl PropertySet {
    /// The text of the property of that name, in whichever case it is written.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        match self.value(key)? {
            property_value::Value::Text(text) => core::str::from_utf8(text).ok(),
            _ => None,
        }
    }

    /// The whole number of the property of that name, in whichever case it is written.
    pub(super) fn whole(&self, key: &str) -> Option<u64> {
        match self.value(key)? {
            property_value::Value::Int(number) => Some(u64::from(*number)),
            property_value::Value::Long(number) => Some(*number),
            property_value::Value::Text(_) => None,
        }
    }

    fn value(&self, key: &str) -> Option<&property_value::Value> {
        let key = key.as_bytes();
        let place = self.keys.iter().position(|found| found.eq_ignore_ascii_case(key))?;
        self.values.get(place)?.value.as_ref()
    }
}

/// One property.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PropertyValue {
    /// What it is: 12 is a text.
    #[prost(uint32, optional, tag = "1")]
    pub datatype: Option<u32>,
    /// The value.
    #[prost(oneof = "property_value::Value", tags = "3, 4, 8")]
    pub value: Option<property_value::Value>,
}

/// What a property may be.
pub mod property_value {
    use alloc::vec::Vec;

    /// The value of a property.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        /// Whole, up to 32 bits.
        #[prost(uint32, tag = "3")]
        Int(u32),
        /// Whole, up to 64 bits.
        #[prost(uint64, tag = "4")]
        Long(u64),
        /// A text.
        #[prost(bytes = "vec", tag = "8")]
        Text(Vec<u8>),
    }
}
