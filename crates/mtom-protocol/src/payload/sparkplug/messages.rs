//! The messages of `sparkplug_b.proto` (Sparkplug 3.0, clause 6.4.1) as far as mtom reads them. What is not
//! declared here is passed over when it is read.

use alloc::string::String;
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
    #[prost(string, optional, tag = "1")]
    pub name: Option<String>,
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
    /// There is no value.
    #[prost(bool, optional, tag = "7")]
    pub is_null: Option<bool>,
    /// More about it: its unit.
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
    #[prost(string, tag = "15")]
    Text(String),
}

/// Properties by their keys; the first key is of the first value.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PropertySet {
    /// What they are called.
    #[prost(string, repeated, tag = "1")]
    pub keys: Vec<String>,
    /// What they are.
    #[prost(message, repeated, tag = "2")]
    pub values: Vec<PropertyValue>,
}

impl PropertySet {
    /// The text of the property of that name, in whichever case it is written.
    pub(super) fn text(&self, key: &str) -> Option<&str> {
        let place = self.keys.iter().position(|found| found.eq_ignore_ascii_case(key))?;
        match self.values.get(place)?.value.as_ref()? {
            property_value::Value::Text(text) => Some(text),
        }
    }
}

/// One property.
#[derive(Clone, PartialEq, prost::Message)]
pub struct PropertyValue {
    /// What it is: 12 is a text.
    #[prost(uint32, optional, tag = "1")]
    pub datatype: Option<u32>,
    /// The value.
    #[prost(oneof = "property_value::Value", tags = "8")]
    pub value: Option<property_value::Value>,
}

/// What a property may be.
pub mod property_value {
    use alloc::string::String;

    /// The value of a property.
    #[derive(Clone, PartialEq, prost::Oneof)]
    pub enum Value {
        /// A text.
        #[prost(string, tag = "8")]
        Text(String),
    }
}
