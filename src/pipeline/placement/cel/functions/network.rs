//! URLs, IP addresses and networks.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;

use cel::extractors::This;
use cel::{Context, DeclarationError, ExecutionError, Value};

use super::typed::Typed;
use super::{Answer, failed, text_value};
use crate::pipeline::url::Url;

/// Takes a part out of a URL.
type PartOfUrl = fn(&Url) -> String;

/// What may be asked of an address.
type Question = fn(IpAddr) -> bool;

/// A range of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Network {
    address: IpAddr,
    bits: u8,
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.bits)
    }
}

/// The bits of an address, from the left, and how many there are.
fn bits_of(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(address) => (u128::from(u32::from(address)) << 96, 32),
        IpAddr::V6(address) => (u128::from(address), 128),
    }
}

impl Network {
    fn mask(self) -> u128 {
        u128::MAX.checked_shl(128 - u32::from(self.bits)).unwrap_or(0)
    }

    fn contains(self, address: IpAddr) -> bool {
        let ((own, own_length), (other, length)) = (bits_of(self.address), bits_of(address));
        own_length == length && (own ^ other) & self.mask() == 0
    }

    fn masked(self) -> Self {
        let address = match self.address {
            IpAddr::V4(address) => {
                let mask = u32::MAX.checked_shl(32 - u32::from(self.bits)).unwrap_or(0);
                IpAddr::V4((u32::from(address) & mask).into())
            }
            IpAddr::V6(address) => IpAddr::V6((u128::from(address) & self.mask()).into()),
        };
        Self { address, ..self }
    }
}

/// An address without a zone; one of version 4 in the clothes of version 6 is refused, as upstream does.
pub(super) fn parse_address(text: &str) -> Result<IpAddr, String> {
    if text.contains('%') {
        return Err(format!("IP address {text:?} with zone value is not allowed"));
    }
    match text.parse::<IpAddr>() {
        Ok(IpAddr::V6(address)) if address.to_ipv4_mapped().is_some() => {
            Err(format!("IPv4-mapped IPv6 address {text:?} is not allowed"))
        }
        Ok(address) => Ok(address),
        Err(error) => Err(format!("IP Address {text:?} parse error during conversion from string: {error}")),
    }
}

/// An address and a number of bits.
pub(super) fn parse_network(text: &str) -> Result<Network, String> {
    let fault =
        |why: &str| format!("network address parse error during conversion from string: {text:?}: {why}");
    let (address, bits) = text.rsplit_once('/').ok_or_else(|| fault("no '/'"))?;
    let address = parse_address(address)?;
    let well_formed =
        bits.bytes().all(|byte| byte.is_ascii_digit()) && (bits == "0" || !bits.starts_with('0'));
    let bits: u8 = Some(bits)
        .filter(|_| well_formed)
        .and_then(|bits| bits.parse().ok())
        .filter(|bits| *bits <= bits_of(address).1)
        .ok_or_else(|| fault("bad bits after slash"))?;
    Ok(Network { address, bits })
}

/// Makes the functions known.
pub(super) fn add(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    add_urls(context)?;
    add_addresses(context)?;
    add_networks(context)
}

fn add_urls(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("isURL", |text: Arc<String>| -> bool { Url::request(&text).is_ok() })?;
    context.add_function("url", |text: Arc<String>| -> Answer {
        Url::request(&text).map_err(|why| {
            failed("url", format!("URL parse error during conversion from string: parse {text:?}: {why}"))
        })?;
        Ok(Typed::Url(text.to_string()).into_value())
    })?;
    let parts: [(&str, PartOfUrl); 5] = [
        ("getScheme", |url| url.scheme.clone()),
        ("getHost", |url| url.host.clone()),
        ("getHostname", |url| url.hostname().to_owned()),
        ("getPort", |url| url.port().to_owned()),
        ("getEscapedPath", Url::escaped_path),
    ];
    for (name, part) in parts {
        context.add_function(name, move |This(value): This<Value>| -> Answer {
            Ok(text_value(&part(&url_of(name, &value)?)))
        })?;
    }
    context.add_function("getQuery", |This(value): This<Value>| -> Answer {
        let mut query: HashMap<String, Vec<Value>> = HashMap::new();
        for (key, value) in url_of("getQuery", &value)?.query_pairs() {
            query.entry(key).or_default().push(text_value(&value));
        }
        let query: HashMap<String, Value> =
            query.into_iter().map(|(key, values)| (key, Value::List(Arc::new(values)))).collect();
        Ok(Value::from(query))
    })
}

fn add_addresses(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("isIP", |text: Arc<String>| -> bool { parse_address(&text).is_ok() })?;
    // `ip(text)`, and `cidr.ip()`.
    context.add_function("ip", |This(value): This<Value>| -> Answer {
        let address = match &value {
            Value::String(text) => parse_address(text).map_err(|why| failed("ip", why))?,
            other => network_of("ip", other)?.address,
        };
        Ok(Typed::Address(address).into_value())
    })?;
    context.add_function("ip.isCanonical", |text: Arc<String>| -> Answer {
        let address = parse_address(&text).map_err(|why| failed("ip.isCanonical", why))?;
        Ok(Value::Bool(address.to_string() == *text))
    })?;
    context.add_function("family", |This(value): This<Value>| -> Answer {
        Ok(Value::Int(match address_of("family", &value)? {
            IpAddr::V4(_) => 4,
            IpAddr::V6(_) => 6,
        }))
    })?;
    let questions: [(&str, Question); 5] = [
        ("isUnspecified", |address| address.is_unspecified()),
        ("isLoopback", |address| address.is_loopback()),
        ("isLinkLocalMulticast", is_link_local_multicast),
        ("isLinkLocalUnicast", is_link_local_unicast),
        ("isGlobalUnicast", |address| {
            let broadcast = matches!(address, IpAddr::V4(address) if address.is_broadcast());
            let other = address.is_unspecified() || address.is_loopback() || address.is_multicast();
            !broadcast && !other && !is_link_local_unicast(address)
        }),
    ];
    for (name, question) in questions {
        context.add_function(name, move |This(value): This<Value>| -> Answer {
            Ok(Value::Bool(question(address_of(name, &value)?)))
        })?;
    }
    Ok(())
}

fn is_link_local_unicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_link_local(),
        IpAddr::V6(address) => address.is_unicast_link_local(),
    }
}

fn is_link_local_multicast(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => matches!(address.octets(), [224, 0, 0, _]),
        IpAddr::V6(address) => address.segments()[0] & 0xff0f == 0xff02,
    }
}

fn add_networks(context: &mut Context<'_, '_>) -> Result<(), DeclarationError> {
    context.add_function("isCIDR", |text: Arc<String>| -> bool { parse_network(&text).is_ok() })?;
    context.add_function("cidr", |text: Arc<String>| -> Answer {
        let network = parse_network(&text).map_err(|why| failed("cidr", why))?;
        Ok(Typed::Network(network).into_value())
    })?;
    context.add_function("containsIP", |This(of): This<Value>, other: Value| -> Answer {
        let network = network_of("containsIP", &of)?;
        let address = match &other {
            Value::String(text) => parse_address(text).map_err(|why| failed("containsIP", why))?,
            other => address_of("containsIP", other)?,
        };
        Ok(Value::Bool(network.contains(address)))
    })?;
    context.add_function("containsCIDR", |This(of): This<Value>, other: Value| -> Answer {
        let network = network_of("containsCIDR", &of)?;
        let inner = match &other {
            Value::String(text) => parse_network(text).map_err(|why| failed("containsCIDR", why))?,
            other => network_of("containsCIDR", other)?,
        };
        Ok(Value::Bool(network.bits <= inner.bits && network.contains(inner.address)))
    })?;
    context.add_function("prefixLength", |This(value): This<Value>| -> Answer {
        Ok(Value::Int(i64::from(network_of("prefixLength", &value)?.bits)))
    })?;
    context.add_function("masked", |This(value): This<Value>| -> Answer {
        Ok(Typed::Network(network_of("masked", &value)?.masked()).into_value())
    })
}

fn url_of(function: &str, value: &Value) -> Result<Url, ExecutionError> {
    match Typed::of(value) {
        Some(Typed::Url(text)) => Url::read(&text).map_err(|why| failed(function, why)),
        _ => Err(failed(function, "not a URL".to_owned())),
    }
}

fn address_of(function: &str, value: &Value) -> Result<IpAddr, ExecutionError> {
    match Typed::of(value) {
        Some(Typed::Address(address)) => Ok(address),
        _ => Err(failed(function, "not an IP address".to_owned())),
    }
}

fn network_of(function: &str, value: &Value) -> Result<Network, ExecutionError> {
    match Typed::of(value) {
        Some(Typed::Network(network)) => Ok(network),
        _ => Err(failed(function, "not a CIDR".to_owned())),
    }
}
