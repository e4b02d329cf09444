//! Sprig's functions of URLs, with the parts that Go's `net/url` tells apart; and the one of the network, which is refused.

use std::sync::Arc;

use super::super::engine::go::Parameter::{Map, Text};
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{ok_text, text};
use crate::pipeline::url::Url;

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("getHostByName", &[Text], |_, a| {
        // What needs nobody to be asked is known.
        let name = text(a, 0);
        if name.parse::<std::net::IpAddr>().is_ok() {
            return ok_text(name);
        }
        if name == "localhost" {
            return ok_text("127.0.0.1");
        }
        Err("getHostByName is not available: a template makes no request to the network".to_owned())
    }),
    fixed("urlJoin", &[Map], join),
    fixed("urlParse", &[Text], parse),
];

fn parse(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let whole = text(arguments, 0);
    let url = Url::read(whole).map_err(|reason| format!("unable to parse url: parse {whole:?}: {reason}"))?;
    let parts = [
        ("fragment", url.fragment.as_str()),
        ("host", url.host.as_str()),
        ("hostname", url.hostname()),
        ("opaque", url.opaque.as_str()),
        ("path", url.path.as_str()),
        ("query", url.query.as_str()),
        ("scheme", url.scheme.as_str()),
        ("userinfo", url.userinfo.as_str()),
    ];
    Ok(Value::map(parts.map(|(name, part)| (Arc::from(name), Value::text(part)))))
}

fn join(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let part = |name: &str| -> Result<String, String> {
        match arguments[0].entry(name) {
            None => Ok(String::new()),
            Some(Value::Text(text)) => Ok(text.to_string()),
            Some(other) => {
                Err(format!("unable to parse {name} key, must be of type string, but {} found", other.kind()))
            }
        }
    };
    let url = Url {
        scheme: part("scheme")?,
        userinfo: part("userinfo")?,
        host: part("host")?,
        path: part("path")?,
        query: part("query")?,
        opaque: part("opaque")?,
        fragment: part("fragment")?,
        ..Url::default()
    };
    ok_text(url.write())
}
