//! Values of types that the language has not. Each is a map of one entry with its canonical text, so that equal ones are equal.

use std::collections::HashMap;

use cel::Value;
use cel::objects::Key;

use super::network::{Network, parse_address, parse_network};
use super::version::Version;
use super::{formats, text_value};
use crate::pipeline::url::Url;

/// Such a value.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Typed {
    /// In the smallest parts.
    Quantity(i128),
    /// A semantic version.
    Version(Version),
    /// An absolute URL, as it was written.
    Url(String),
    /// An IP address.
    Address(std::net::IpAddr),
    /// A range of them.
    Network(Network),
    /// The name of a format.
    Format(&'static str),
}

const QUANTITY: &str = "kubernetes.Quantity";
const VERSION: &str = "kubernetes.Semver";
const URL: &str = "kubernetes.URL";
const ADDRESS: &str = "net.IP";
const NETWORK: &str = "net.CIDR";
const FORMAT: &str = "kubernetes.NamedFormat";

impl Typed {
    /// As the language sees it.
    pub(super) fn into_value(self) -> Value {
        let (kind, text) = match self {
            Self::Quantity(amount) => (QUANTITY, amount.to_string()),
            Self::Version(version) => (VERSION, version.to_string()),
            Self::Url(text) => (URL, text),
            Self::Address(address) => (ADDRESS, address.to_string()),
            Self::Network(network) => (NETWORK, network.to_string()),
            Self::Format(name) => (FORMAT, name.to_owned()),
        };
        Value::from(HashMap::from([(kind, text_value(&text))]))
    }

    /// What a value is; `None` where it is one of the language's own.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let Value::Map(map) = value else { return None };
        let text = |kind: &str| match map.map.get(&Key::from(kind)) {
            Some(Value::String(text)) => Some(text.clone()),
            _ => None,
        };
        if let Some(text) = text(QUANTITY) {
            text.parse().ok().map(Self::Quantity)
        } else if let Some(text) = text(VERSION) {
            Version::parse(&text).map(Self::Version)
        } else if let Some(text) = text(URL) {
            Url::request(&text).ok().map(|_| Self::Url(text.to_string()))
        } else if let Some(text) = text(ADDRESS) {
            parse_address(&text).ok().map(Self::Address)
        } else if let Some(text) = text(NETWORK) {
            parse_network(&text).ok().map(Self::Network)
        } else {
            formats::named(&text(FORMAT)?).map(Self::Format)
        }
    }
}
