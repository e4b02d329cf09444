//! Sprig's functions of private keys and certificates.
//!
//! Keys are made from the seed of the rendering, certificates are valid from its moment on. A certificate's key is RSA;
//! DSA keys, which nobody should make any more, are refused.

use std::net::IpAddr;
use std::rc::Rc;
use std::str::FromStr;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use p256::elliptic_curve::Generate;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::Rng;
use rsa::RsaPrivateKey;
use rsa::pkcs1::{DecodeRsaPrivateKey, EncodeRsaPrivateKey, LineEnding};
use rsa::pkcs1v15::SigningKey;
use rsa::pkcs8::DecodePrivateKey;
use sha2::Sha256;
use x509_cert::Certificate;
use x509_cert::builder::profile::BuilderProfile;
use x509_cert::builder::{Builder, CertificateBuilder};
use x509_cert::certificate::TbsCertificate;
use x509_cert::der::asn1::{Ia5String, ObjectIdentifier, OctetString};
use x509_cert::der::{DecodePem, EncodePem};
use x509_cert::ext::pkix::name::GeneralName;
use x509_cert::ext::pkix::{BasicConstraints, ExtendedKeyUsage, KeyUsage, KeyUsages, SubjectAltName};
use x509_cert::ext::{Extension, ToExtension};
use x509_cert::name::Name;
use x509_cert::serial_number::SerialNumber;
use x509_cert::spki::{SubjectPublicKeyInfo, SubjectPublicKeyInfoRef};
use x509_cert::time::{Time, Validity};

use super::super::engine::go::Parameter::{Any, Int, Text};
use super::super::engine::go::value::Struct;
use super::super::engine::go::{Function, Value, fixed};
use super::super::session::Session;
use super::{base64_decode, int, ok_text, shown, text};

pub(super) const FUNCTIONS: &[Function] = &[
    fixed("buildCustomCert", &[Text, Text], custom),
    fixed("genCA", &[Text, Int], |session, a| {
        let key = new_key(session)?;
        issued(session, &Wanted::authority(a), &key, None)
    }),
    fixed("genCAWithKey", &[Text, Int, Text], |session, a| {
        let key = read_key(text(a, 2))?;
        issued(session, &Wanted::authority(a), &key, None)
    }),
    fixed("genPrivateKey", &[Text], private_key),
    fixed("genSelfSignedCert", &[Text, Any, Any, Int], |session, a| {
        let wanted = Wanted::server(a)?;
        let key = new_key(session)?;
        issued(session, &wanted, &key, None)
    }),
    fixed("genSelfSignedCertWithKey", &[Text, Any, Any, Int, Text], |session, a| {
        let key = read_key(text(a, 4))?;
        issued(session, &Wanted::server(a)?, &key, None)
    }),
    fixed("genSignedCert", &[Text, Any, Any, Int, Any], |session, a| {
        let (wanted, authority) = (Wanted::server(a)?, Authority::read(&a[4])?);
        let key = new_key(session)?;
        issued(session, &wanted, &key, Some(&authority))
    }),
    fixed("genSignedCertWithKey", &[Text, Any, Any, Int, Any, Text], |session, a| {
        let authority = Authority::read(&a[4])?;
        let key = read_key(text(a, 5))?;
        issued(session, &Wanted::server(a)?, &key, Some(&authority))
    }),
];

/// Go's type of a certificate with its key.
const TYPE: &str = "sprig.certificate";
/// What making a key of so many bits costs of a rendering's means, in bytes. It takes seconds, not bytes.
const fn key_cost(bits: usize) -> usize {
    bits * bits * 2
}
const BITS: usize = 2048;
const LONG_BITS: usize = 4096;

const SERVER_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.1");
const CLIENT_AUTHENTICATION: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.6.1.5.5.7.3.2");

fn rsa_key(session: &mut Session<'_>, bits: usize) -> Result<RsaPrivateKey, String> {
    session.charge(key_cost(bits))?;
    RsaPrivateKey::new(session.chance(), bits)
        .map_err(|error| format!("failed to generate private key: {error}"))
}

fn new_key(session: &mut Session<'_>) -> Result<RsaPrivateKey, String> {
    rsa_key(session, BITS)
}

fn read_key(pem: &str) -> Result<RsaPrivateKey, String> {
    RsaPrivateKey::from_pkcs1_pem(pem)
        .or_else(|_| RsaPrivateKey::from_pkcs8_pem(pem))
        .map_err(|error| format!("error parsing private key: {error}"))
}

fn private_key(session: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let failed = |error: &dyn std::fmt::Display| format!("failed to generate private key: {error}");
    match text(arguments, 0) {
        "" | "rsa" => {
            let key = rsa_key(session, LONG_BITS)?;
            ok_text(key.to_pkcs1_pem(LineEnding::LF).map_err(|error| failed(&error))?.as_str())
        }
        "ecdsa" => {
            session.charge(key_cost(256))?;
            let key = p256::SecretKey::generate_from_rng(session.chance());
            ok_text(key.to_sec1_pem(LineEnding::LF).map_err(|error| failed(&error))?.as_str())
        }
        "ed25519" => {
            let mut seed = [0; 32];
            session.chance().fill_bytes(&mut seed);
            // PKCS #8 of such a key is this, then the seed (RFC 8410).
            let start = [0x30, 0x2e, 2, 1, 0, 0x30, 5, 6, 3, 0x2b, 0x65, 0x70, 4, 0x22, 4, 0x20];
            ok_text(pem("PRIVATE KEY", &[start.as_slice(), &seed].concat()))
        }
        "dsa" => Err("DSA keys are not made any more: use rsa, ecdsa or ed25519".to_owned()),
        other => ok_text(format!("Unknown type {other}")),
    }
}

/// A block of PEM.
fn pem(label: &str, bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let lines: Vec<&str> =
        encoded.as_bytes().chunks(64).filter_map(|line| std::str::from_utf8(line).ok()).collect();
    format!("-----BEGIN {label}-----\n{}\n-----END {label}-----\n", lines.join("\n"))
}

/// What a certificate is to say.
struct Wanted {
    common_name: String,
    names: Vec<GeneralName>,
    days: i64,
    is_authority: bool,
}

/// The texts of a list argument, or Sprig's complaint.
fn words(value: &Value, complaint: &str) -> Result<Vec<String>, String> {
    let items = match value {
        Value::Missing | Value::Nil => return Ok(Vec::new()),
        other => other.items().ok_or_else(|| {
            format!("wrong type for value; expected []interface {{}}; got {}", other.type_name())
        })?,
    };
    items
        .iter()
        .map(|item| match item {
            Value::Text(text) => Ok(text.to_string()),
            other => Err(format!("{complaint}: {} is not a string", shown(other)?)),
        })
        .collect()
}

impl Wanted {
    fn authority(arguments: &[Value]) -> Self {
        Self {
            common_name: text(arguments, 0).to_owned(),
            names: Vec::new(),
            days: int(arguments, 1),
            is_authority: true,
        }
    }

    fn server(arguments: &[Value]) -> Result<Self, String> {
        let mut names = Vec::new();
        for word in words(&arguments[1], "error parsing ip")? {
            let address: IpAddr = word.parse().map_err(|_| format!("error parsing ip: {word}"))?;
            let bytes = match address {
                IpAddr::V4(address) => address.octets().to_vec(),
                IpAddr::V6(address) => address.octets().to_vec(),
            };
            names.push(GeneralName::IpAddress(OctetString::new(bytes).map_err(|error| error.to_string())?));
        }
        for word in words(&arguments[2], "error processing alternate dns name")? {
            let name = Ia5String::new(&word)
                .map_err(|_| format!("error processing alternate dns name: {word} is not ASCII"))?;
            names.push(GeneralName::DnsName(name));
        }
        Ok(Self {
            common_name: text(arguments, 0).to_owned(),
            names,
            days: int(arguments, 3),
            is_authority: false,
        })
    }
}

/// Who signs.
struct Authority {
    subject: Name,
    key: RsaPrivateKey,
}

impl Authority {
    fn read(value: &Value) -> Result<Self, String> {
        let found = match value {
            Value::Struct(found) if found.type_name == TYPE => found,
            Value::Missing | Value::Nil => return Err(format!("invalid value; expected {TYPE}")),
            other => {
                let name = other.type_name();
                return Err(format!("wrong type for value; expected {TYPE}; got {name}"));
            }
        };
        let field = |wanted: &str| {
            found.fields.iter().find(|(name, _)| *name == wanted).and_then(|(_, value)| value.as_text())
        };
        let certificate = Certificate::from_pem(field("Cert").unwrap_or_default())
            .map_err(|error| format!("unable to decode certificate: {error}"))?;
        let key = read_key(field("Key").unwrap_or_default())?;
        Ok(Self { subject: certificate.tbs_certificate().subject().clone(), key })
    }
}

struct Profile<'a> {
    wanted: &'a Wanted,
    subject: Name,
    issuer: Name,
}

impl BuilderProfile for Profile<'_> {
    fn get_issuer(&self, _: &Name) -> Name {
        self.issuer.clone()
    }

    fn get_subject(&self) -> Name {
        self.subject.clone()
    }

    fn build_extensions(
        &self,
        _: SubjectPublicKeyInfoRef<'_>,
        _: SubjectPublicKeyInfoRef<'_>,
        tbs: &TbsCertificate,
    ) -> x509_cert::builder::Result<Vec<Extension>> {
        let subject = tbs.subject();
        let mut usages = KeyUsages::DigitalSignature | KeyUsages::KeyEncipherment;
        if self.wanted.is_authority {
            usages |= KeyUsages::KeyCertSign;
        }
        let purposes = vec![SERVER_AUTHENTICATION, CLIENT_AUTHENTICATION];
        let constraints = BasicConstraints { ca: self.wanted.is_authority, path_len_constraint: None };
        let mut extensions = vec![
            KeyUsage(usages).to_extension(subject, &[])?,
            ExtendedKeyUsage(purposes).to_extension(subject, &[])?,
            (true, &constraints).to_extension(subject, &[])?,
        ];
        if !self.wanted.names.is_empty() {
            extensions.push(SubjectAltName(self.wanted.names.clone()).to_extension(subject, &[])?);
        }
        Ok(extensions)
    }
}

/// A common name as a distinguished name; what means something there is escaped.
fn distinguished(common_name: &str) -> Result<Name, String> {
    if common_name.is_empty() {
        return Ok(Name::default());
    }
    let mut escaped = String::with_capacity(common_name.len() + 3);
    for character in common_name.chars() {
        if ",+\"\\<>;#=".contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    Name::from_str(&format!("CN={escaped}")).map_err(|error| format!("invalid common name: {error}"))
}

fn moment(session: &Session<'_>, days: i64) -> Result<Time, String> {
    let seconds = session.rules.ambient.now.as_second().saturating_add(days.saturating_mul(24 * 3600));
    let since = Duration::from_secs(u64::try_from(seconds).unwrap_or(0));
    // Until 2049 in two digits, later in four.
    if seconds < 2_524_608_000 {
        return x509_cert::der::asn1::UtcTime::from_unix_duration(since)
            .map(Time::UtcTime)
            .map_err(|error| error.to_string());
    }
    x509_cert::der::asn1::GeneralizedTime::from_unix_duration(since)
        .map(Time::GeneralTime)
        .map_err(|error| error.to_string())
}

fn issued(
    session: &mut Session<'_>,
    wanted: &Wanted,
    key: &RsaPrivateKey,
    authority: Option<&Authority>,
) -> Result<Value, String> {
    let subject = distinguished(&wanted.common_name)?;
    let issuer = authority.map_or_else(|| subject.clone(), |authority| authority.subject.clone());
    let validity = Validity::new(moment(session, 0)?, moment(session, wanted.days)?);
    let failed = |error: &dyn std::fmt::Display| format!("error creating certificate: {error}");
    let own = SigningKey::<Sha256>::new(key.clone());
    let public = SubjectPublicKeyInfo::from_key(&rsa::signature::Keypair::verifying_key(&own))
        .map_err(|error| failed(&error))?;
    let signer = SigningKey::<Sha256>::new(authority.map_or(key, |authority| &authority.key).clone());
    let random: &mut ChaCha20Rng = session.chance();
    let mut serial = [0; 16];
    random.fill_bytes(&mut serial);
    serial[0] = serial[0] & 0x7f | 0x40;
    let serial = SerialNumber::new(&serial).map_err(|error| failed(&error))?;
    let profile = Profile { wanted, subject, issuer };
    let builder =
        CertificateBuilder::new(profile, serial, validity, public).map_err(|error| failed(&error))?;
    let certificate = builder
        .build_with_rng::<_, rsa::pkcs1v15::Signature, _>(&signer, random)
        .map_err(|error| failed(&error))?;
    let certificate = certificate.to_pem(LineEnding::LF).map_err(|error| failed(&error))?;
    let key = key.to_pkcs1_pem(LineEnding::LF).map_err(|error| failed(&error))?;
    Ok(pair(&certificate, &key))
}

/// A certificate with its key.
fn pair(certificate: &str, key: &str) -> Value {
    let fields = vec![("Cert", Value::text(certificate)), ("Key", Value::text(key))];
    Value::Struct(Rc::new(Struct::new(TYPE, fields)))
}

fn custom(_: &mut Session<'_>, arguments: &[Value]) -> Result<Value, String> {
    let decoded = |index: usize, what: &str| -> Result<String, String> {
        let bytes =
            base64_decode(text(arguments, index)).map_err(|_| format!("unable to decode base64 {what}"))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let (certificate, key) = (decoded(0, "certificate")?, decoded(1, "private key")?);
    Certificate::from_pem(&certificate).map_err(|_| "unable to decode certificate".to_owned())?;
    read_key(&key)?;
    Ok(pair(&certificate, &key))
}
