//! Whose signature a commit bears: SSH signatures in git's namespace (`gpg.format=ssh`), by keys that are trusted.
//!
//! Takes the lines of an `allowed_signers` file (ssh-keygen(1), ALLOWED SIGNERS), a signature and what was signed. Reads nothing
//! else. Names russh for the keys alone, whose crate comes with it.

use russh::keys::PublicKey;
use russh::keys::ssh_key::{HashAlg, SshSig};

use super::GitError;

/// What git signs commits for.
const NAMESPACE: &str = "git";
const SSH: &str = "-----BEGIN SSH SIGNATURE-----";
const OPENPGP: &str = "-----BEGIN PGP SIGNATURE-----";

/// Who a commit is signed by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signed {
    /// Nobody asked.
    NotAsked,
    /// By somebody who is trusted, under the name that stands with the key.
    By(String),
    /// Not by anybody who is trusted; a sentence for the status.
    Refused(String),
}

/// The signature of a commit.
pub(super) struct CommitSignature {
    /// As it stands in the commit.
    pub(super) signature: Vec<u8>,
    /// The commit without it: what was signed.
    pub(super) signed: Vec<u8>,
}

/// A key that is trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Signer {
    name: String,
    key: PublicKey,
}

/// The keys that are trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrustedSigners(Vec<Signer>);

impl TrustedSigners {
    /// Key of the Secret that holds the lines.
    pub const KEY: &str = "allowed_signers";

    /// Reads the lines. One that cannot be understood is an error: it may be what restricts a key.
    pub fn read(text: &str) -> Result<Self, GitError> {
        let mut signers = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let fault = |what| GitError::Signers { line: index + 1, what };
            let (name, rest) = word(line);
            let (first, after) = word(rest);
            let (options, key) = if is_key_type(first) { ("", rest) } else { (first, after) };
            let is_for_git = is_for_git(options).map_err(fault)?;
            let key = PublicKey::from_openssh(key)
                .map_err(|_| fault("it must be `NAME KEYTYPE KEY`, as in ssh-keygen's allowed_signers"))?;
            if is_for_git {
                signers.push(Signer { name: name.trim_matches('"').to_owned(), key });
            }
        }
        if signers.is_empty() {
            return Err(GitError::NoSigner);
        }
        Ok(Self(signers))
    }

    /// Whose signature it is, and whether it fits.
    pub(super) fn check(&self, signature: Option<&CommitSignature>) -> Signed {
        match signature {
            None => Signed::Refused("the commit is not signed".to_owned()),
            Some(signature) => self.verify(signature).unwrap_or_else(Signed::Refused),
        }
    }

    fn verify(&self, commit: &CommitSignature) -> Result<Signed, String> {
        let text = std::str::from_utf8(&commit.signature).unwrap_or_default().trim();
        if text.starts_with(OPENPGP) {
            return Err("the commit is signed with OpenPGP, which is not read here: sign with an SSH key \
                        (git config gpg.format ssh)"
                .to_owned());
        }
        if !text.starts_with(SSH) {
            return Err("the commit has a signature that is not one of SSH".to_owned());
        }
        let signature = SshSig::from_pem(text).map_err(|_| {
            "the signature of the commit cannot be read, or is of a kind that is not known".to_owned()
        })?;
        let by = PublicKey::from(signature.public_key().clone());
        let Some(signer) = self.0.iter().find(|signer| signer.key.key_data() == by.key_data()) else {
            return Err(format!(
                "the commit is signed with the key {}, which is not trusted",
                by.fingerprint(HashAlg::Sha256)
            ));
        };
        if signature.namespace() != NAMESPACE {
            return Err(format!("the signature of {} was made for something else than git", signer.name));
        }
        signer
            .key
            .verify(NAMESPACE, &commit.signed, &signature)
            .map_err(|_| format!("the signature of {} does not fit the commit", signer.name))?;
        Ok(Signed::By(signer.name.clone()))
    }
}

/// The first word, with blanks in it where quotes hold it together, and the rest.
fn word(text: &str) -> (&str, &str) {
    let mut quoted = false;
    let end = text.find(|character: char| {
        quoted ^= character == '"';
        character.is_whitespace() && !quoted
    });
    let (word, rest) = text.split_at(end.unwrap_or(text.len()));
    (word, rest.trim_start())
}

fn is_key_type(word: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| word.starts_with(prefix)) && !word.contains('=')
}

/// Whether a key counts for git. What else an option may restrict is not understood, and an error.
fn is_for_git(options: &str) -> Result<bool, &'static str> {
    if options.is_empty() {
        return Ok(true);
    }
    match options.strip_prefix("namespaces=\"").and_then(|rest| rest.strip_suffix('"')) {
        Some(names) if !names.contains('"') => {
            Ok(names.split(',').any(|name| matches!(name.trim(), NAMESPACE | "*")))
        }
        Some(_) | None => Err("the only option that is understood is `namespaces=\"git\"`"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made once with git 2 and ssh-keygen: `git -c gpg.format=ssh commit -S`; the private keys were thrown away.
    const RECORDED: [(&str, &str); 3] = [
        ("ed25519", include_str!("../../../../tests/fixtures/signatures/ed25519.txt")),
        ("ecdsa", include_str!("../../../../tests/fixtures/signatures/ecdsa.txt")),
        ("rsa", include_str!("../../../../tests/fixtures/signatures/rsa.txt")),
    ];

    /// The line of the signer, the signature and the commit without it.
    fn recorded(text: &str) -> (&str, &str, &str) {
        let (signer, rest) = text.split_once("\n%%\n").unwrap();
        let (signature, signed) = rest.split_once("\n%%\n").unwrap();
        (signer, signature, signed)
    }

    fn check(signers: &str, signature: &str, signed: &str) -> Signed {
        let commit = CommitSignature { signature: signature.into(), signed: signed.into() };
        TrustedSigners::read(signers).unwrap().check(Some(&commit))
    }

    fn refused(signed: Signed) -> String {
        match signed {
            Signed::Refused(why) => why,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_git_signed_is_recognised() {
        for (name, text) in RECORDED {
            let (signer, signature, signed) = recorded(text);
            assert_eq!(check(signer, signature, signed), Signed::By(format!("{name}@example.org")), "{name}");
            let why = refused(check(signer, signature, &signed.replace("first", "other")));
            assert_eq!(why, format!("the signature of {name}@example.org does not fit the commit"));
        }
    }

    #[test]
    fn nobody_else_is_trusted() {
        let (signer, signature, signed) = recorded(RECORDED[0].1);
        let (other, other_signature, _) = recorded(RECORDED[1].1);
        let why = refused(check(other, signature, signed));
        assert!(why.starts_with("the commit is signed with the key SHA256:"), "{why}");
        let both = format!("# people\n\n{other}\n{signer}\n");
        assert!(refused(check(&both, other_signature, signed)).contains("does not fit"));
        let trusted = TrustedSigners::read(signer).unwrap();
        assert_eq!(refused(trusted.check(None)), "the commit is not signed");
        for (signature, part) in [
            (
                "-----BEGIN PGP SIGNATURE-----\n\niQ\n-----END PGP SIGNATURE-----",
                "OpenPGP, which is not read here",
            ),
            ("-----BEGIN SIGNED MESSAGE-----", "not one of SSH"),
            ("-----BEGIN SSH SIGNATURE-----\nAAAA\n-----END SSH SIGNATURE-----", "cannot be read"),
            ("", "not one of SSH"),
        ] {
            assert!(refused(check(signer, signature, signed)).contains(part), "{signature}");
        }
        let for_files = include_str!("../../../../tests/fixtures/signatures/file.txt");
        let (signer, signature, signed) = recorded(for_files);
        assert!(refused(check(signer, signature, signed)).contains("something else than git"));
    }

    #[test]
    fn a_line_that_is_not_understood_is_an_error() {
        let (signer, _, _) = recorded(RECORDED[0].1);
        let (name, key) = signer.split_once(' ').unwrap();
        for (line, expected) in [
            (format!("{name} namespaces=\"git\" {key}"), Ok(1)),
            (format!("\"a b\" namespaces=\"file,git\" {key}"), Ok(1)),
            (format!("{name} namespaces=\"file\" {key}\n{signer}"), Ok(1)),
            (format!("{name} namespaces=\"file\" {key}"), Err("there is no key")),
            (format!("{name} valid-before=\"20300101\" {key}"), Err("only option that is understood")),
            (format!("{name} cert-authority {key}"), Err("only option that is understood")),
            (format!("{name} namespaces=\"git\",valid-after=\"20300101\" {key}"), Err("only option")),
            (format!("{signer}\n{name}"), Err("line 2 of `allowed_signers`: it must be `NAME KEYTYPE KEY`")),
            (String::new(), Err("there is no key")),
        ] {
            let read = TrustedSigners::read(&line);
            match (read, expected) {
                (Ok(read), Ok(count)) => assert_eq!(read.0.len(), count, "{line}"),
                (Err(error), Err(part)) => assert!(error.to_string().contains(part), "{line}: {error}"),
                (read, _) => panic!("{line}: {read:?}"),
            }
        }
    }
}
