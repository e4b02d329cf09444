//! The words that a git server and a client exchange to fetch one commit without its history (gitprotocol-pack(5), version 0,
//! which every server speaks): takes bytes, gives references, a request, and the pack. Must not touch: sockets, repositories.

use std::collections::BTreeMap;

use thiserror::Error;

use crate::pipeline::source::Reference;

/// An answer that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum WireError {
    /// It is not what a git server says.
    #[error("failed to read the answer of the git server: {0}")]
    Malformed(&'static str),
    /// The server's own words.
    #[error("failed to fetch: the git server says {0:?}")]
    Told(String),
    /// The repository has no such branch, tag or commit.
    #[error("failed to find {reference} in the repository")]
    NoReference {
        /// What was looked for.
        reference: String,
    },
    /// The repository names its objects by SHA-256.
    #[error("failed to read the repository: its objects are named by sha256, only sha1 is understood")]
    ObjectFormat,
    /// The server cannot give one commit alone.
    #[error("failed to fetch: the server cannot leave out the history of a commit (`shallow`)")]
    NoShallow,
}

/// What a line of the protocol is.
#[derive(Debug, PartialEq, Eq)]
enum Packet<'b> {
    Data(&'b [u8]),
    Flush,
}

/// Takes one line off the bytes; `None` at their end.
fn packet<'b>(bytes: &mut &'b [u8]) -> Result<Option<Packet<'b>>, WireError> {
    if bytes.is_empty() {
        return Ok(None);
    }
    let cut = WireError::Malformed("it is cut off");
    let (length, rest) = bytes.split_at_checked(4).ok_or_else(|| cut.clone())?;
    let length = std::str::from_utf8(length)
        .ok()
        .filter(|text| text.bytes().all(|byte| byte.is_ascii_hexdigit()))
        .and_then(|text| usize::from_str_radix(text, 16).ok())
        .ok_or(WireError::Malformed("a line has no length"))?;
    if length == 0 {
        *bytes = rest;
        return Ok(Some(Packet::Flush));
    }
    let content = length.checked_sub(4).ok_or(WireError::Malformed("a line has a wrong length"))?;
    let (data, rest) = rest.split_at_checked(content).ok_or(cut)?;
    *bytes = rest;
    Ok(Some(Packet::Data(data)))
}

fn write_packet(line: &str, to: &mut Vec<u8>) {
    to.extend(format!("{:04x}{line}", line.len() + 4).bytes());
}

/// The server's own words about a fault, short and without control characters.
fn told(words: &[u8]) -> WireError {
    let words: String =
        String::from_utf8_lossy(words).chars().filter(|letter| !letter.is_control()).take(200).collect();
    WireError::Told(words.trim().to_owned())
}

/// What a server has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Advertisement {
    references: BTreeMap<String, String>,
    capabilities: Vec<String>,
}

/// Whether the bytes of a connection hold a whole advertisement.
pub(super) fn is_complete_advertisement(mut bytes: &[u8]) -> Result<bool, WireError> {
    loop {
        match packet(&mut bytes) {
            Ok(Some(Packet::Flush)) => return Ok(true),
            Ok(Some(Packet::Data(_))) => {}
            Ok(None) | Err(WireError::Malformed("it is cut off")) => return Ok(false),
            Err(error) => return Err(error),
        }
    }
}

impl Advertisement {
    /// Reads what a server says first. Over HTTP the name of the service stands before it.
    pub(super) fn read(mut bytes: &[u8]) -> Result<Self, WireError> {
        let mut advertisement = Self::default();
        let mut ended = false;
        while let Some(next) = packet(&mut bytes)? {
            match next {
                // Over HTTP a flush follows the name of the service.
                Packet::Flush => ended = !advertisement.references.is_empty() || bytes.is_empty(),
                Packet::Data(line) => advertisement.take(line)?,
            }
            if ended {
                break;
            }
        }
        if !ended {
            return Err(WireError::Malformed("it is cut off"));
        }
        let format = advertisement.capability("object-format");
        if format.is_some_and(|format| format != "sha1") {
            return Err(WireError::ObjectFormat);
        }
        Ok(advertisement)
    }

    fn take(&mut self, line: &[u8]) -> Result<(), WireError> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if line.starts_with(b"# service=") || line == b"version 1" || line.starts_with(b"shallow ") {
            return Ok(());
        }
        if let Some(words) = line.strip_prefix(b"ERR ") {
            return Err(told(words));
        }
        let text = std::str::from_utf8(line).map_err(|_| WireError::Malformed("a line is no text"))?;
        let (reference, capabilities) = text.split_once('\0').unwrap_or((text, ""));
        let (commit, name) = reference
            .split_once(' ')
            .filter(|(commit, _)| {
                matches!(commit.len(), 40 | 64) && commit.bytes().all(|byte| byte.is_ascii_hexdigit())
            })
            .ok_or(WireError::Malformed("it is not the list of references of a repository"))?;
        self.capabilities.extend(capabilities.split_ascii_whitespace().map(ToOwned::to_owned));
        // An empty repository has no reference, and says what it can all the same.
        self.references.insert(name.to_owned(), commit.to_owned());
        Ok(())
    }

    fn capability(&self, name: &str) -> Option<&str> {
        self.capabilities.iter().find_map(|capability| match capability.split_once('=') {
            Some((key, value)) => (key == name).then_some(value),
            None => (capability == name).then_some(""),
        })
    }

    /// The commit that a reference names.
    pub(super) fn find(&self, reference: &Reference) -> Result<String, WireError> {
        let known = |name: &str| {
            // A tag with words of its own is an object that names the commit.
            let peeled = self.references.get(&format!("{name}^{{}}"));
            peeled.or_else(|| self.references.get(name)).cloned()
        };
        let found = match reference {
            Reference::Head => known("HEAD"),
            Reference::Named(name) if name.starts_with("refs/") => known(name),
            Reference::Named(name) => {
                known(&format!("refs/heads/{name}")).or_else(|| known(&format!("refs/tags/{name}")))
            }
            // Whether the server gives it is known when it is asked for.
            Reference::Commit(commit) => Some(commit.clone()),
        };
        found.ok_or_else(|| WireError::NoReference { reference: reference.to_string() })
    }

    /// The request for one commit without its history.
    pub(super) fn request(&self, commit: &str) -> Result<Vec<u8>, WireError> {
        if self.capability("shallow").is_none() {
            return Err(WireError::NoShallow);
        }
        let wanted = ["side-band-64k", "ofs-delta", "shallow", "no-progress"];
        let mut capabilities: Vec<&str> =
            wanted.into_iter().filter(|name| self.capability(name).is_some()).collect();
        capabilities.push(concat!("agent=flotilla/", env!("CARGO_PKG_VERSION")));
        let mut request = Vec::new();
        write_packet(&format!("want {commit} {}\n", capabilities.join(" ")), &mut request);
        write_packet("deepen 1\n", &mut request);
        request.extend(b"0000");
        write_packet("done\n", &mut request);
        Ok(request)
    }
}

/// The pack in the answer to a request.
pub(super) fn read_pack(mut bytes: &[u8]) -> Result<Vec<u8>, WireError> {
    let mut pack = Vec::new();
    let mut accepted = false;
    loop {
        if accepted && pack.is_empty() && bytes.starts_with(b"PACK") {
            // A server without side bands sends it as it is.
            return Ok(bytes.to_vec());
        }
        match packet(&mut bytes)? {
            None => break,
            Some(Packet::Flush) if !pack.is_empty() => break,
            // It ends the commits without history.
            Some(Packet::Flush) => {}
            Some(Packet::Data(line)) if !accepted => {
                if let Some(words) = line.strip_prefix(b"ERR ") {
                    return Err(told(words));
                }
                accepted = line.starts_with(b"NAK") || line.starts_with(b"ACK ");
                if !accepted && !line.starts_with(b"shallow ") && !line.starts_with(b"unshallow ") {
                    return Err(WireError::Malformed("there is no pack"));
                }
            }
            Some(Packet::Data(line)) => match line.split_first() {
                Some((1, data)) => pack.extend(data),
                Some((2, _)) => {}
                Some((3, words)) => return Err(told(words)),
                Some(_) | None => return Err(WireError::Malformed("a line is of no known band")),
            },
        }
    }
    if pack.starts_with(b"PACK") { Ok(pack) } else { Err(WireError::Malformed("there is no pack")) }
}

/// How many objects a pack says that it has.
pub(super) fn objects_in(pack: &[u8]) -> Option<u32> {
    let count = pack.strip_prefix(b"PACK")?.get(4..8)?;
    count.try_into().ok().map(u32::from_be_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    fn lines(lines: &[&str]) -> Vec<u8> {
        let mut bytes = Vec::new();
        for line in lines {
            if line.is_empty() { bytes.extend(b"0000") } else { write_packet(line, &mut bytes) }
        }
        bytes
    }

    fn sample() -> Advertisement {
        let head = format!(
            "{A} HEAD\0multi_ack side-band-64k ofs-delta shallow no-progress symref=HEAD:refs/heads/main object-format=sha1\n"
        );
        let (main, tag) = (format!("{A} refs/heads/main\n"), format!("{A} refs/tags/v1\n"));
        let peeled = format!("{B} refs/tags/v1^{{}}\n");
        Advertisement::read(&lines(&["# service=git-upload-pack\n", "", &head, &main, &tag, &peeled, ""]))
            .unwrap()
    }

    #[test]
    fn references_are_found() {
        let found = |name: &str| sample().find(&Reference::Named(name.to_owned())).ok();
        assert_eq!(found("main").as_deref(), Some(A));
        assert_eq!(found("v1").as_deref(), Some(B), "the commit, not the tag's own object");
        assert_eq!(found("refs/tags/v1").as_deref(), Some(B));
        assert_eq!(found("other"), None);
        assert_eq!(sample().find(&Reference::Head).unwrap(), A);
        assert_eq!(sample().find(&Reference::Commit(B.to_owned())).unwrap(), B);
    }

    #[test]
    fn a_request_asks_for_one_commit_without_history() {
        let request = String::from_utf8(sample().request(A).unwrap()).unwrap();
        let expected = format!(
            "want {A} side-band-64k ofs-delta shallow no-progress agent=flotilla/{}\n",
            env!("CARGO_PKG_VERSION")
        );
        assert_eq!(request, format!("{:04x}{expected}000ddeepen 1\n00000009done\n", expected.len() + 4));
    }

    #[test]
    fn answers_that_cannot_be_used_are_told() {
        let read = |said: &[&str]| Advertisement::read(&lines(said)).map(drop).unwrap_err().to_string();
        assert_eq!(
            read(&["ERR no\u{7} such repository\n", ""]),
            "failed to fetch: the git server says \"no such repository\""
        );
        assert!(read(&["<html>\n", ""]).contains("not the list of references"));
        assert!(read(&[&format!("{A} HEAD\0shallow\n")]).contains("cut off"));
        assert_eq!(
            read(&[&format!("{A} HEAD\0object-format=sha256\n"), ""]),
            WireError::ObjectFormat.to_string()
        );
        assert_eq!(Advertisement::read(b"zzzz"), Err(WireError::Malformed("a line has no length")));
        assert_eq!(Advertisement::read(b"0003"), Err(WireError::Malformed("a line has a wrong length")));
        let old = Advertisement::read(&lines(&[&format!("{A} HEAD\0ofs-delta\n"), ""])).unwrap();
        assert_eq!(old.request(A), Err(WireError::NoShallow));
    }

    #[test]
    fn the_pack_is_taken_out_of_the_bands() {
        let shallow = format!("shallow {A}");
        let said =
            lines(&[&shallow, "", "NAK\n", "\u{2}progress", "\u{1}PACK\0\0\0\u{2}", "\u{1}\0\0\0\u{7}", ""]);
        let pack = read_pack(&said).unwrap();
        assert_eq!(objects_in(&pack), Some(7));
        let mut bare = lines(&["NAK\n"]);
        bare.extend(b"PACK\0\0\0\x02\0\0\0\x01rest");
        assert_eq!(objects_in(&read_pack(&bare).unwrap()), Some(1));
        let refused = lines(&["NAK\n", "\u{3}not our ref\n"]);
        assert_eq!(read_pack(&refused), Err(WireError::Told("not our ref".to_owned())));
        assert_eq!(
            read_pack(&lines(&["ERR upload-pack: not our ref\n"])),
            Err(WireError::Told("upload-pack: not our ref".to_owned()))
        );
        assert!(read_pack(b"").is_err());
        assert!(read_pack(&lines(&["NAK\n", "\u{1}PACK"])[..12]).is_err());
        assert_eq!(objects_in(b"PACK"), None);
    }

    #[test]
    fn an_advertisement_is_whole_when_it_has_ended() {
        let whole = lines(&[&format!("{A} HEAD\0shallow\n"), ""]);
        assert_eq!(is_complete_advertisement(&whole), Ok(true));
        assert_eq!(is_complete_advertisement(&whole[..whole.len() - 1]), Ok(false));
        assert!(is_complete_advertisement(b"hello, I am no git server").is_err());
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_are_too_much(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..200), text in "(00[0-9a-f]{2}|NAK\n|\u{1}|PACK|ERR |[a ]){0,20}") {
            for bytes in [bytes.as_slice(), text.as_bytes()] {
                let _read = (Advertisement::read(bytes), read_pack(bytes), objects_in(bytes), is_complete_advertisement(bytes));
            }
        }
    }
}
