//! Base64 as Kubernetes reads it in the data of a Secret.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

/// Decodes padded standard base64; line breaks are passed over, as Go's decoder does.
pub(super) fn decode(text: &str) -> Option<Vec<u8>> {
    let text: String = text.chars().filter(|letter| !matches!(letter, '\n' | '\r')).collect();
    STANDARD.decode(text).ok()
}
