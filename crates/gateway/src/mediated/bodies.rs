//! Bodies that a sequence looks into: held whole up to the limit of a run, and without the coding (gzip, deflate) that they came in.
//!
//! What no sequence changes goes on as it came, coding and all; what one makes is sent plain.

use std::future::poll_fn;
use std::io::Read;
use std::pin::Pin;

use bytes::{Bytes, BytesMut};
use flate2::read::{DeflateDecoder, MultiGzDecoder, ZlibDecoder};
use http_body::Body;
use mediation::{Headers, Message};

use crate::body::{BodyFault, Content, RequestBody};
use crate::respond::{BackendFailure, Refusal};

/// Header that names the codings.
pub(super) const CODING: &str = "Content-Encoding";

/// Most codings in one another.
const MAX_CODINGS: usize = 4;

/// A body could not be held, or not be read.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotWhole {
    BrokeOff,
    TooLong(usize),
    /// A coding that is none of ours, or a body that is not coded as it says.
    Coding(String),
}

impl NotWhole {
    pub(super) fn refusal(self, broke_off: BackendFailure) -> Refusal {
        let description = match self {
            Self::BrokeOff => return Refusal::Backend(broke_off),
            Self::TooLong(most) => format!("The message is longer than the {most} bytes that its mediation sequence may hold"),
            Self::Coding(why) => format!("The message cannot be read by its mediation sequence: {why}"),
        };
        Refusal::Mediation { code: "601000", description }
    }
}

/// A client's whole body, of at most so many bytes.
pub(super) async fn whole_request(body: &mut RequestBody, most: usize) -> Result<Bytes, NotWhole> {
    whole(body, most).await
}

/// A backend's whole body, of at most so many bytes.
pub(super) async fn whole_answer(content: Content, most: usize) -> Result<Bytes, NotWhole> {
    match content {
        Content::Empty => Ok(Bytes::new()),
        Content::Text(text) if text.len() > most => Err(NotWhole::TooLong(most)),
        Content::Text(text) => Ok(text),
        Content::Backend(mut body) => whole(&mut *body, most).await,
    }
}

async fn whole<B: Body<Data = Bytes, Error = BodyFault> + Unpin>(body: &mut B, most: usize) -> Result<Bytes, NotWhole> {
    let mut whole = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await {
        let frame = frame.map_err(|fault| {
            tracing::debug!(fault = &fault as &dyn std::error::Error, "a message that a sequence reads broke off");
            NotWhole::BrokeOff
        })?;
        if let Some(data) = frame.data_ref() {
            if whole.len() + data.len() > most {
                return Err(NotWhole::TooLong(most));
            }
            whole.extend_from_slice(data);
        }
    }
    Ok(whole.freeze())
}

/// The body without its codings; `None` where it has none. What it comes to is bounded as what came is.
pub(super) fn plain(headers: &Headers, body: &Bytes, most: usize) -> Result<Option<Bytes>, NotWhole> {
    let listed = headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case(CODING)).flat_map(|(_, value)| value.split(','));
    let codings: Vec<String> =
        listed.map(|coding| coding.trim().to_ascii_lowercase()).filter(|coding| !coding.is_empty() && coding != "identity").collect();
    if codings.is_empty() || body.is_empty() {
        return Ok(None);
    }
    if codings.len() > MAX_CODINGS {
        return Err(NotWhole::Coding(format!("it has {} codings", codings.len())));
    }
    let mut plain = body.clone();
    // The one applied last stands last.
    for coding in codings.iter().rev() {
        plain = match coding.as_str() {
            "gzip" | "x-gzip" => read(MultiGzDecoder::new(&*plain), most, coding)?,
            // Some servers leave out the frame that the name stands for.
            "deflate" if is_framed(&plain) => read(ZlibDecoder::new(&*plain), most, coding)?,
            "deflate" => read(DeflateDecoder::new(&*plain), most, coding)?,
            other => return Err(NotWhole::Coding(format!("it is coded as '{other}'"))),
        };
    }
    Ok(Some(plain))
}

/// Whether a deflated body begins as RFC 1950 says.
fn is_framed(body: &[u8]) -> bool {
    matches!(body, [first, second, ..] if first & 0x0f == 8 && (u16::from(*first) << 8 | u16::from(*second)) % 31 == 0)
}

fn read(decoder: impl Read, most: usize, coding: &str) -> Result<Bytes, NotWhole> {
    let mut plain = Vec::new();
    let bound = u64::try_from(most).unwrap_or(u64::MAX).saturating_add(1);
    decoder.take(bound).read_to_end(&mut plain).map_err(|fault| NotWhole::Coding(format!("it is not coded as '{coding}': {fault}")))?;
    if plain.len() > most { Err(NotWhole::TooLong(most)) } else { Ok(plain.into()) }
}

/// Of a message whose body a sequence made: it does not have the coding that the one before it came in.
pub(super) fn forget_coding(message: &mut Message, came: Option<&str>) {
    if message.payload.rewritten().is_some() && message.headers.get(CODING) == came {
        message.headers.remove(CODING);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::{DeflateEncoder, GzEncoder, ZlibEncoder};

    use super::*;

    fn coded(coding: &str) -> Headers {
        [("content-encoding", coding)].into_iter().collect()
    }

    fn gzip(text: &[u8]) -> Bytes {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
        encoder.write_all(text).unwrap();
        encoder.finish().unwrap().into()
    }

    #[test]
    fn codings_are_undone_from_the_last_to_the_first() {
        let text = b"{\"a\":1}";
        let mut zlib = ZlibEncoder::new(Vec::new(), Compression::default());
        zlib.write_all(text).unwrap();
        let zlib = Bytes::from(zlib.finish().unwrap());
        let mut raw = DeflateEncoder::new(Vec::new(), Compression::default());
        raw.write_all(text).unwrap();
        let raw = Bytes::from(raw.finish().unwrap());
        for (coding, body) in [
            ("gzip", gzip(text)),
            ("X-GZip", gzip(text)),
            ("deflate", zlib.clone()),
            ("deflate", raw),
            ("deflate, identity, gzip", gzip(&zlib)),
        ] {
            assert_eq!(plain(&coded(coding), &body, 100).unwrap().as_deref(), Some(&text[..]), "{coding}");
        }
        assert_eq!(plain(&coded("identity"), &Bytes::from_static(text), 100), Ok(None));
        assert_eq!(plain(&Headers::new(), &Bytes::from_static(text), 100), Ok(None));
    }

    #[test]
    fn what_grows_too_long_or_is_not_what_it_says_is_told() {
        assert_eq!(plain(&coded("gzip"), &gzip(&vec![b'a'; 5_000_000]), 1_000), Err(NotWhole::TooLong(1_000)));
        for (coding, body) in [("gzip", "no"), ("br", "no"), ("deflate", "no"), ("gzip,gzip,gzip,gzip,gzip", "no")] {
            assert!(matches!(plain(&coded(coding), &Bytes::from_static(body.as_bytes()), 100), Err(NotWhole::Coding(_))), "{coding}");
        }
    }
}
