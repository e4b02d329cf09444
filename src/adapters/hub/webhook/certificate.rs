//! The certificate that the webhook serves with: making one, and reading one back from its Secret.
//!
//! Takes names and the time; gives PEM texts. The authority signs one certificate and its key is forgotten, so nothing that is
//! stored can sign another one.

use std::collections::BTreeSet;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use jiff::tz::TimeZone;
use jiff::{SignedDuration, Timestamp};
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use secrecy::SecretString;
use thiserror::Error;
use x509_cert::der::DecodePem;
use x509_cert::ext::pkix::SubjectAltName;
use x509_cert::ext::pkix::name::GeneralName;

use crate::api::object::Manifest;

/// How long a certificate is good.
const VALIDITY: SignedDuration = SignedDuration::from_hours(365 * 24);
/// Clocks of other machines may be behind by so much.
const SLACK: SignedDuration = SignedDuration::from_hours(24);
const END_OF_BLOCK: &str = "-----END CERTIFICATE-----\n";

/// Why there is no certificate.
#[derive(Debug, Error)]
pub enum CertificateError {
    /// It cannot be made.
    #[error("failed to make a certificate: {reason}")]
    Make {
        /// Why not.
        reason: String,
    },
    /// The Secret holds something else.
    #[error("failed to read the certificate in its Secret: {reason}")]
    Read {
        /// What is wrong, without any of its values.
        reason: &'static str,
    },
}

/// A certificate with its key, and the authorities by which it, and the one before it, are to be trusted.
#[derive(Debug, Clone)]
pub struct ServingCertificate {
    /// PEM of the authorities, the newest first: what `caBundle` must hold.
    pub authorities: String,
    /// PEM of the certificate.
    pub certificate: String,
    /// PEM of its key.
    pub key: SecretString,
    /// Names and addresses that it is good for.
    pub names: BTreeSet<String>,
    /// When it is to be replaced: after two thirds of its time.
    pub due: Timestamp,
}

/// What was made, before it is stored.
pub(super) struct Issued {
    pub(super) authority: String,
    pub(super) certificate: String,
    pub(super) key: String,
}

/// Makes an authority and a certificate for these names.
pub(super) fn issue(names: &BTreeSet<String>, now: Timestamp) -> Result<Issued, CertificateError> {
    let failed = |error: rcgen::Error| CertificateError::Make { reason: error.to_string() };
    let parameters = |common_name: &str, names: Vec<String>| {
        let mut parameters = CertificateParams::new(names).map_err(failed)?;
        parameters.distinguished_name = DistinguishedName::new();
        parameters.distinguished_name.push(DnType::CommonName, common_name);
        let (year, month, day) = date(now, -SLACK)?;
        parameters.not_before = date_time_ymd(year, month, day);
        let (year, month, day) = date(now, VALIDITY)?;
        parameters.not_after = date_time_ymd(year, month, day);
        Ok(parameters)
    };
    let mut authority = parameters("flotilla-webhook-authority", Vec::new())?;
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let authority_key = KeyPair::generate().map_err(failed)?;
    let authority_certificate = authority.self_signed(&authority_key).map_err(failed)?;

    let mut server = parameters("flotilla-webhook", names.iter().cloned().collect())?;
    server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let key = KeyPair::generate().map_err(failed)?;
    let issuer = Issuer::new(authority, authority_key);
    let certificate = server.signed_by(&key, &issuer).map_err(failed)?;
    Ok(Issued {
        authority: one_newline(&authority_certificate.pem()),
        certificate: one_newline(&certificate.pem()),
        key: key.serialize_pem(),
    })
}

fn one_newline(pem: &str) -> String {
    pem.replace("\r\n", "\n")
}

/// Year, month and day that are so far away.
fn date(now: Timestamp, away: SignedDuration) -> Result<(i32, u8, u8), CertificateError> {
    let failed = || CertificateError::Make { reason: "the clock is out of range".to_owned() };
    let date = now.checked_add(away).map_err(|_| failed())?.to_zoned(TimeZone::UTC).date();
    let part = |number: i8| u8::try_from(number).map_err(|_| failed());
    Ok((i32::from(date.year()), part(date.month())?, part(date.day())?))
}

/// The newest authority, with the one before it, so that replicas that still serve the old certificate stay trusted.
pub(super) fn bundle(newest: &str, before: Option<&str>) -> String {
    let previous = before.and_then(|text| text.split_inclusive(END_OF_BLOCK).next()).unwrap_or_default();
    format!("{newest}{previous}")
}

impl ServingCertificate {
    /// Reads the certificate of a Secret.
    pub(super) fn read(secret: &Manifest) -> Result<Self, CertificateError> {
        let fault = |reason| CertificateError::Read { reason };
        let text = |key: &'static str, reason| {
            let encoded = secret.text_at(&["data", key]).ok_or_else(|| fault(reason))?;
            let bytes = STANDARD.decode(encoded.trim()).map_err(|_| fault(reason))?;
            String::from_utf8(bytes).map_err(|_| fault(reason))
        };
        let certificate = text("tls.crt", "`tls.crt` is not there or no text")?;
        let parsed = x509_cert::Certificate::from_pem(&certificate)
            .map_err(|_| fault("`tls.crt` is not a certificate in PEM"))?;
        let body = parsed.tbs_certificate();
        let alternatives = body
            .get_extension::<SubjectAltName>()
            .map_err(|_| fault("the names of `tls.crt` cannot be read"))?
            .map(|(_, names)| names.0)
            .unwrap_or_default();
        let moment = |time: x509_cert::time::Time| {
            Timestamp::UNIX_EPOCH
                .checked_add(time.to_unix_duration())
                .map_err(|_| fault("the times of `tls.crt` are out of range"))
        };
        let (begins, ends) = (moment(body.validity().not_before)?, moment(body.validity().not_after)?);
        Ok(Self {
            authorities: text("ca.crt", "`ca.crt` is not there or no text")?,
            names: alternatives.iter().filter_map(name).collect(),
            key: SecretString::from(text("tls.key", "`tls.key` is not there or no text")?),
            due: begins
                .checked_add(ends.duration_since(begins) * 2 / 3)
                .map_err(|_| fault("the times of `tls.crt` are out of range"))?,
            certificate,
        })
    }

    /// Whether it will do: for all these names, and not due.
    pub(super) fn serves(&self, names: &BTreeSet<String>, now: Timestamp) -> bool {
        names.is_subset(&self.names) && now < self.due
    }
}

fn name(name: &GeneralName) -> Option<String> {
    match name {
        GeneralName::DnsName(name) => Some(name.to_string()),
        GeneralName::IpAddress(address) => {
            let bytes = address.as_bytes();
            <[u8; 4]>::try_from(bytes)
                .map(IpAddr::from)
                .or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from))
                .ok()
                .map(|address| address.to_string())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn stored(issued: &Issued) -> Manifest {
        Manifest::parse(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": {
            "ca.crt": STANDARD.encode(&issued.authority), "tls.crt": STANDARD.encode(&issued.certificate),
            "tls.key": STANDARD.encode(&issued.key)}}))
        .unwrap()
    }

    fn names(list: &[&str]) -> BTreeSet<String> {
        list.iter().map(|name| (*name).to_owned()).collect()
    }

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn a_certificate_is_good_for_its_names_until_two_thirds_of_its_time_are_over() {
        let wanted = names(&["flotilla-webhook.flotilla.svc", "127.0.0.1"]);
        let issued = issue(&wanted, at("2026-01-10T12:00:00Z")).unwrap();
        let read = ServingCertificate::read(&stored(&issued)).unwrap();
        assert_eq!(read.names, wanted);
        // From 9 January 2026 to 10 January 2027 are 366 days, two thirds of them 244.
        assert_eq!(read.due, at("2026-09-10T00:00:00Z"));
        assert!(read.serves(&wanted, at("2026-09-09T23:59:59Z")));
        assert!(!read.serves(&wanted, at("2026-09-10T00:00:00Z")), "it is due");
        assert!(read.serves(&names(&["127.0.0.1"]), at("2026-02-01T00:00:00Z")));
        assert!(!read.serves(&names(&["127.0.0.1", "other"]), at("2026-02-01T00:00:00Z")), "a name is new");
        assert!(!format!("{read:?}").contains("PRIVATE"), "the key shows in nothing");
    }

    #[test]
    fn the_bundle_holds_the_newest_authority_and_the_one_before() {
        let issue = || issue(&names(&["x"]), at("2026-01-10T12:00:00Z")).unwrap().authority;
        let (one, two, three) = (issue(), issue(), issue());
        assert_eq!(bundle(&one, None), one);
        let second = bundle(&two, Some(&one));
        assert_eq!(second, format!("{two}{one}"));
        assert_eq!(bundle(&three, Some(&second)), format!("{three}{two}"));
    }

    #[test]
    fn what_is_no_certificate_is_told_without_its_values() {
        let secret = |data: serde_json::Value| {
            Manifest::parse(
                json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "s"}, "data": data}),
            )
            .unwrap()
        };
        for (data, told) in [
            (json!({}), "`tls.crt` is not there or no text"),
            (json!({"tls.crt": "%"}), "`tls.crt` is not there or no text"),
            (json!({"tls.crt": STANDARD.encode("S3CRET")}), "`tls.crt` is not a certificate in PEM"),
        ] {
            let error = ServingCertificate::read(&secret(data)).unwrap_err().to_string();
            assert!(error.ends_with(told) && !error.contains("S3CRET"), "{error}");
        }
    }
}
