//! Sprig's functions of URLs, with the parts that Go's `net/url` tells apart; and the one of the network, which is refused.

use std::fmt::Write;
use std::sync::Arc;

use super::super::engine::go::Parameter::{Map, Text};
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{ok_text, text};

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

/// The parts of a URL.
#[derive(Default)]
struct Url {
    scheme: String,
    userinfo: String,
    host: String,
    path: String,
    query: String,
    opaque: String,
    fragment: String,
}

fn hexadecimal(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// Replaces `%41` and its like.
fn unescaped(text: &str) -> Result<String, String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let rest = bytes.as_str_lossy();
        let pair = (bytes.next(), bytes.next());
        match pair {
            (Some(high), Some(low)) => match (hexadecimal(high), hexadecimal(low)) {
                (Some(high), Some(low)) => out.push(high << 4 | low),
                _ => {
                    return Err(format!(
                        "invalid URL escape \"%{}\"",
                        rest.chars().take(2).collect::<String>()
                    ));
                }
            },
            _ => return Err(format!("invalid URL escape \"%{rest}\"")),
        }
    }
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// What is left of an iterator of bytes.
trait Rest {
    fn as_str_lossy(&self) -> String;
}

impl Rest for std::str::Bytes<'_> {
    fn as_str_lossy(&self) -> String {
        String::from_utf8_lossy(&self.clone().collect::<Vec<_>>()).into_owned()
    }
}

fn escaped(text: &str, kept: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || kept.bytes().any(|keep| keep == byte) {
            out.push(char::from(byte));
        } else {
            // Writing to a String cannot fail.
            write!(out, "%{byte:02X}").unwrap_or_default();
        }
    }
    out
}

impl Url {
    fn read(whole: &str) -> Result<Self, String> {
        if whole.chars().any(|character| character.is_ascii_control()) {
            return Err("net/url: invalid control character in URL".to_owned());
        }
        let mut url = Self::default();
        let (rest, fragment) = whole.split_once('#').unwrap_or((whole, ""));
        url.fragment = unescaped(fragment)?;
        let rest = url.take_scheme(rest)?;
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        query.clone_into(&mut url.query);
        if !url.scheme.is_empty() && !rest.starts_with('/') {
            rest.clone_into(&mut url.opaque);
            return Ok(url);
        }
        if url.scheme.is_empty() && !rest.starts_with('/') {
            let first = rest.split('/').next().unwrap_or_default();
            if first.contains(':') {
                return Err("first path segment in URL cannot contain colon".to_owned());
            }
        }
        let path = match rest.strip_prefix("//") {
            Some(after) if !(url.scheme.is_empty() && rest.starts_with("///")) => {
                let end = after.find('/').unwrap_or(after.len());
                let (authority, path) = after.split_at(end);
                let (userinfo, host) = authority.rsplit_once('@').unwrap_or(("", authority));
                userinfo.clone_into(&mut url.userinfo);
                let port = host.rsplit_once(':').map(|(_, port)| port).filter(|port| !port.contains(']'));
                if let Some(port) = port
                    && !port.bytes().all(|byte| byte.is_ascii_digit())
                {
                    return Err(format!("invalid port \":{port}\" after host"));
                }
                if host.contains(' ') {
                    return Err("invalid character \" \" in host name".to_owned());
                }
                url.host = unescaped(host)?;
                path
            }
            _ => rest,
        };
        url.path = unescaped(path)?;
        Ok(url)
    }

    /// Takes `https:` away, if it is there.
    fn take_scheme<'t>(&mut self, text: &'t str) -> Result<&'t str, String> {
        let Some((before, after)) = text.split_once(':') else { return Ok(text) };
        if before.is_empty() {
            return Err("missing protocol scheme".to_owned());
        }
        let mut characters = before.chars();
        let starts = characters.next().is_some_and(|first| first.is_ascii_alphabetic());
        let goes_on = characters.all(|next| next.is_ascii_alphanumeric() || "+-.".contains(next));
        if !starts || !goes_on {
            return Ok(text);
        }
        self.scheme = before.to_ascii_lowercase();
        Ok(after)
    }

    fn hostname(&self) -> &str {
        if let Some(inner) = self.host.strip_prefix('[') {
            return inner.split(']').next().unwrap_or(inner);
        }
        self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name)
    }

    fn write(&self) -> String {
        let mut out = String::new();
        if !self.scheme.is_empty() {
            out.push_str(&self.scheme);
            out.push(':');
        }
        if self.opaque.is_empty() {
            if !self.scheme.is_empty() || !self.host.is_empty() || !self.userinfo.is_empty() {
                if !self.host.is_empty() || !self.path.is_empty() || !self.userinfo.is_empty() {
                    out.push_str("//");
                }
                if !self.userinfo.is_empty() {
                    out.push_str(&self.userinfo);
                    out.push('@');
                }
                out.push_str(&escaped(&self.host, "-_.~!$&'()*+,;=:[]<>\""));
            }
            if !self.path.is_empty() && !self.path.starts_with('/') && !self.host.is_empty() {
                out.push('/');
            }
            out.push_str(&escaped(&self.path, "-_.~$&+,/:;=@!'()*"));
        } else {
            out.push_str(&self.opaque);
        }
        if !self.query.is_empty() {
            out.push('?');
            out.push_str(&self.query);
        }
        if !self.fragment.is_empty() {
            out.push('#');
            out.push_str(&escaped(&self.fragment, "-_.~$&+,/:;=?@!()*'"));
        }
        out
    }
}

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
    };
    ok_text(url.write())
}
