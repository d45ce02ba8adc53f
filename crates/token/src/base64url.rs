//! base64url as tokens use it: written without padding, read with or without, because 4.0.0 pads its API keys (RFC 7515 forbids it).

use base64::Engine as _;
use base64::alphabet;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig, STANDARD, URL_SAFE, URL_SAFE_NO_PAD};

/// Refuses the standard alphabet and left-over bits, so that the decoded bytes have one spelling but for the padding.
const LENIENT_PADDING: GeneralPurpose =
    GeneralPurpose::new(&alphabet::URL_SAFE, GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent));

pub(crate) fn decode(text: &str) -> Option<Vec<u8>> {
    LENIENT_PADDING.decode(text).ok()
}

/// The other alphabet, which PEM uses.
pub(crate) fn decode_standard(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text).ok()
}

pub(crate) fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

pub(crate) fn encode_padded(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE.encode(bytes)
}
