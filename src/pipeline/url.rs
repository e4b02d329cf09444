//! URLs in parts, as Go's `net/url` tells them apart. Takes texts, gives texts; nothing is asked of a network.

use std::fmt::Write;

/// The parts of a URL.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Url {
    /// `scheme`.
    pub scheme: String,
    /// `userinfo`.
    pub userinfo: String,
    /// `host`.
    pub host: String,
    /// `path`.
    pub path: String,
    /// `query`.
    pub query: String,
    /// `opaque`.
    pub opaque: String,
    /// `fragment`.
    pub fragment: String,
    /// `path` as it was written.
    pub raw_path: String,
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
    /// Reads a URL as Go's `url.Parse` does; the error is Go's text without the URL.
    pub fn read(whole: &str) -> Result<Self, String> {
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
        path.clone_into(&mut url.raw_path);
        Ok(url)
    }

    /// Reads what may stand in a request, as `url.ParseRequestURI` does: an absolute URL, or an absolute path.
    pub fn request(whole: &str) -> Result<Self, String> {
        if whole.is_empty() {
            return Err("empty url".to_owned());
        }
        let url = Self::read(whole)?;
        if url.scheme.is_empty() && !whole.starts_with('/') {
            return Err("invalid URI for request".to_owned());
        }
        Ok(url)
    }

    /// The path as it was written, if it was escaped as it must be.
    pub fn escaped_path(&self) -> String {
        let kept = "-_.~$&+,/:;=@!'()*";
        let is_escaped = self.raw_path.bytes().all(|byte| {
            byte.is_ascii_alphanumeric()
                || byte == b'%'
                || b"[]".contains(&byte)
                || kept.as_bytes().contains(&byte)
        });
        if is_escaped { self.raw_path.clone() } else { escaped(&self.path, kept) }
    }

    /// The number of the port; empty where none is named.
    pub fn port(&self) -> &str {
        let rest = self
            .host
            .strip_prefix('[')
            .and_then(|inner| inner.split_once(']'))
            .map_or(self.host.as_str(), |(_, rest)| rest);
        rest.rsplit_once(':').map_or("", |(_, port)| port)
    }

    /// Keys and values of the query, in their order; a pair that is not escaped as it must be is left out.
    pub fn query_pairs(&self) -> Vec<(String, String)> {
        let decoded = |text: &str| unescaped(&text.replace('+', " ")).ok();
        let pairs = self.query.split('&').filter(|pair| !pair.is_empty() && !pair.contains(';'));
        pairs
            .filter_map(|pair| {
                let (key, value) = pair.split_once('=').unwrap_or((pair, ""));
                Some((decoded(key)?, decoded(value)?))
            })
            .collect()
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

    /// The host without its port.
    pub fn hostname(&self) -> &str {
        if let Some(inner) = self.host.strip_prefix('[') {
            return inner.split(']').next().unwrap_or(inner);
        }
        self.host.rsplit_once(':').map_or(self.host.as_str(), |(name, _)| name)
    }

    /// The URL as text.
    pub fn write(&self) -> String {
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
