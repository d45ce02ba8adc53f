//! The head of a backend's answer, and how its body is framed.

use std::mem::MaybeUninit;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, CONTENT_LENGTH};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};

use super::coding::Decoder;
use crate::hops;

const HEADERS_MAX: usize = 256;

/// An answer up to its body.
#[derive(Debug)]
pub(crate) struct AnswerHead {
    pub(crate) status: StatusCode,
    /// Without those that belong to the connection.
    pub(crate) headers: HeaderMap,
    pub(crate) body: Decoder,
    /// The backend will take another request on this connection.
    pub(super) keeps_open: bool,
}

/// An answer that cannot be read, or not in one way only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadHead {
    #[error("the answer's head is malformed: {0}")]
    Malformed(httparse::Error),
    #[error("the answer's head is too long")]
    TooLong,
    #[error("the answer's Content-Length is no number, or several differ")]
    Length,
    #[error("the answer has a transfer coding other than chunked")]
    Coding,
    #[error("the backend changes to another protocol, which nobody asked for")]
    Switching,
    #[error("the backend sends interim answers without end")]
    Interim,
}

/// Reads a head from the front of `inbox`, once it is all there. `goes_on` says by name which headers are wanted; of those that say how to
/// read the answer, only `Content-Length` can be.
///
/// # Errors
/// [`BadHead`].
pub(super) fn read(
    inbox: &mut BytesMut,
    answers_head: bool,
    max: usize,
    goes_on: impl Fn(&[u8]) -> bool,
) -> Result<Option<AnswerHead>, BadHead> {
    let Some(end) = end_of_head(inbox) else {
        return if inbox.len() > max { Err(BadHead::TooLong) } else { Ok(None) };
    };
    if end > max {
        return Err(BadHead::TooLong);
    }
    let text = inbox.split_to(end).freeze();
    let mut fields = [const { MaybeUninit::<httparse::Header<'_>>::uninit() }; HEADERS_MAX];
    let mut parsed = httparse::Response::new(&mut []);
    let read = httparse::ParserConfig::default()
        .parse_response_with_uninit_headers(&mut parsed, &text, &mut fields)
        .map_err(|fault| if fault == httparse::Error::TooManyHeaders { BadHead::TooLong } else { BadHead::Malformed(fault) })?;
    let (httparse::Status::Complete(_), Some(status), Some(version)) = (read, parsed.code, parsed.version) else {
        return Err(BadHead::Malformed(httparse::Error::Status));
    };
    let status = StatusCode::from_u16(status).map_err(|_| BadHead::Malformed(httparse::Error::Status))?;
    Reading::new(version == 1).all(parsed.headers, &text, goes_on)?.head(status, answers_head).map(Some)
}

/// The number of bytes up to and with the empty line.
fn end_of_head(bytes: &[u8]) -> Option<usize> {
    memchr::memchr_iter(b'\n', bytes).find_map(|at| match bytes.get(at + 1..) {
        Some([b'\n', ..]) => Some(at + 2),
        Some([b'\r', b'\n', ..]) => Some(at + 3),
        _ => None,
    })
}

/// What the headers say, as far as they were read.
struct Reading {
    is_1_1: bool,
    headers: HeaderMap,
    length: Option<u64>,
    /// The length as it was said, if that is its simplest form.
    length_value: Option<HeaderValue>,
    chunked: bool,
    close: bool,
    keep_alive: bool,
    /// `Connection` names headers that must not go on.
    names_hops: bool,
}

impl Reading {
    fn new(is_1_1: bool) -> Self {
        Self {
            is_1_1,
            headers: HeaderMap::new(),
            length: None,
            length_value: None,
            chunked: false,
            close: false,
            keep_alive: false,
            names_hops: false,
        }
    }

    fn all(mut self, fields: &[httparse::Header<'_>], text: &Bytes, goes_on: impl Fn(&[u8]) -> bool) -> Result<Self, BadHead> {
        // Room for what is added on the way to the client.
        self.headers.reserve(fields.len() + 4);
        for field in fields {
            let name = field.name.as_bytes();
            let value = || {
                HeaderValue::from_maybe_shared(text.slice_ref(field.value)).map_err(|_| BadHead::Malformed(httparse::Error::HeaderValue))
            };
            if hops::is_hop(name) {
                self.hop(name, field.value)?;
                if name.eq_ignore_ascii_case(b"connection") && self.names_hops {
                    self.headers.append(CONNECTION, value()?);
                }
            } else if name.eq_ignore_ascii_case(b"content-length") {
                self.length(field.value)?;
                self.length_value = if field.value.iter().all(u8::is_ascii_digit) { Some(value()?) } else { None };
            } else if goes_on(name) {
                let name = HeaderName::from_bytes(name).map_err(|_| BadHead::Malformed(httparse::Error::HeaderName))?;
                self.headers.append(name, value()?);
            }
        }
        Ok(self)
    }

    /// A header of the connection.
    fn hop(&mut self, name: &[u8], value: &[u8]) -> Result<(), BadHead> {
        if name.eq_ignore_ascii_case(b"transfer-encoding") {
            // Nobody asked for another coding (RFC 9112, 6.1), and we could not undo it; nor can HTTP/1.0 have any.
            if self.chunked || !self.is_1_1 || !value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                return Err(BadHead::Coding);
            }
            self.chunked = true;
        } else if name.eq_ignore_ascii_case(b"connection") {
            for element in hops::elements(value) {
                self.close |= element.eq_ignore_ascii_case(b"close");
                self.keep_alive |= element.eq_ignore_ascii_case(b"keep-alive");
                self.names_hops |= hops::may_be_named(element);
            }
        }
        Ok(())
    }

    /// `Content-Length`, which may be said more than once, but must always say the same.
    fn length(&mut self, value: &[u8]) -> Result<(), BadHead> {
        for element in value.split(|byte| *byte == b',') {
            let digits = element.trim_ascii();
            if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
                return Err(BadHead::Length);
            }
            let length = std::str::from_utf8(digits).ok().and_then(|text| text.parse().ok()).ok_or(BadHead::Length)?;
            if self.length.is_some_and(|known| known != length) {
                return Err(BadHead::Length);
            }
            self.length = Some(length);
        }
        Ok(())
    }

    /// RFC 9112, 6.3.
    fn head(mut self, status: StatusCode, answers_head: bool) -> Result<AnswerHead, BadHead> {
        if status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(BadHead::Switching);
        }
        let mut keeps_open = !self.close && (self.is_1_1 || self.keep_alive);
        if self.chunked && self.length.take().is_some() {
            // Chunked wins; but who says both may be two servers that do not agree, so nothing more is asked here.
            keeps_open = false;
        }
        let bodiless = answers_head || status.is_informational() || status == StatusCode::NO_CONTENT || status == StatusCode::NOT_MODIFIED;
        let body = match self.length {
            _ if bodiless => Decoder::Length(0),
            _ if self.chunked => Decoder::chunked(),
            Some(length) => Decoder::Length(length),
            None => Decoder::UntilClose,
        };
        if self.names_hops {
            drop_named(&mut self.headers);
        }
        if let Some(length) = self.length {
            let value = self.length_value.unwrap_or_else(|| HeaderValue::from(length));
            self.headers.insert(CONTENT_LENGTH, value);
        }
        keeps_open &= !body.ends_with_connection();
        Ok(AnswerHead { status, headers: self.headers, body, keeps_open })
    }
}

fn drop_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = hops::named(headers).filter_map(|name| HeaderName::from_bytes(name).ok()).collect();
    for name in named {
        headers.remove(name);
    }
    headers.remove(CONNECTION);
}

/// An interim answer that may be passed over: 100 and its like.
pub(super) fn is_interim(head: &AnswerHead) -> bool {
    head.status.is_informational()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<AnswerHead, BadHead> {
        let mut inbox = BytesMut::from(text);
        read(&mut inbox, false, 1000, |name| !name.eq_ignore_ascii_case(b"server")).map(|head| head.expect("a whole head"))
    }

    fn framing(headers: &str) -> Result<(String, bool), BadHead> {
        parse(&format!("HTTP/1.1 200 OK\r\n{headers}\r\n")).map(|head| {
            let body = match head.body {
                Decoder::Length(length) => length.to_string(),
                Decoder::Chunked(_) => "chunked".to_owned(),
                Decoder::UntilClose => "close".to_owned(),
            };
            (body, head.keeps_open)
        })
    }

    #[test]
    fn a_head_waits_for_its_end_and_leaves_what_follows() {
        let text = "HTTP/1.1 200 OK\r\nServer: s\r\nX-A: 1\r\nX-A: 2\r\nContent-Length: 4\r\n\r\nbody";
        for cut in 0..text.len() - 4 {
            let mut inbox = BytesMut::from(&text[..cut]);
            assert!(read(&mut inbox, false, 1000, |_| true).unwrap().is_none(), "{cut}");
            assert_eq!(inbox.len(), cut);
        }
        let mut inbox = BytesMut::from(text);
        let head = read(&mut inbox, false, 1000, |name| !name.eq_ignore_ascii_case(b"server")).unwrap().unwrap();
        assert_eq!(&*inbox, b"body");
        assert_eq!(head.status, 200);
        let got: Vec<_> = head.headers.iter().map(|(n, v)| format!("{n}: {}", v.to_str().unwrap())).collect();
        assert_eq!(got, ["x-a: 1", "x-a: 2", "content-length: 4"]);
    }

    #[test]
    fn framing_follows_the_rules() {
        let is = |text: &str, keeps| Ok((text.to_owned(), keeps));
        for (headers, expected) in [
            ("Content-Length: 4\r\n", is("4", true)),
            ("Content-Length: 4\r\nConnection: close\r\n", is("4", false)),
            ("Content-Length: 4\r\nContent-Length: 4\r\n", is("4", true)),
            ("Content-Length: 4, 4\r\n", is("4", true)),
            ("Transfer-Encoding: Chunked\r\n", is("chunked", true)),
            ("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", is("chunked", false)),
            ("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", is("chunked", false)),
            ("", is("close", false)),
            ("Connection: keep-alive\r\n", is("close", false)),
            ("Content-Length: 4\r\nContent-Length: 5\r\n", Err(BadHead::Length)),
            ("Content-Length: 4, 5\r\n", Err(BadHead::Length)),
            ("Content-Length: 4,\r\n", Err(BadHead::Length)),
            ("Content-Length: +4\r\n", Err(BadHead::Length)),
            ("Content-Length: 0x4\r\n", Err(BadHead::Length)),
            ("Content-Length: 99999999999999999999\r\n", Err(BadHead::Length)),
            ("Content-Length:\r\n", Err(BadHead::Length)),
            ("Transfer-Encoding: gzip, chunked\r\n", Err(BadHead::Coding)),
            ("Transfer-Encoding: gzip\r\n", Err(BadHead::Coding)),
            ("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", Err(BadHead::Coding)),
            ("Transfer-Encoding: x\r\nContent-Length: 4\r\n", Err(BadHead::Coding)),
        ] {
            assert_eq!(framing(headers), expected, "{headers:?}");
        }
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for status in ["204 No Content", "304 Not Modified", "103 Early Hints"] {
            let head = parse(&format!("HTTP/1.1 {status}\r\nContent-Length: 4\r\n\r\n")).unwrap();
            assert!(head.body.is_done() && head.keeps_open, "{status}");
        }
        let mut inbox = BytesMut::from("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n");
        let head = read(&mut inbox, true, 1000, |_| true).unwrap().unwrap();
        assert!(head.body.is_done());
        assert_eq!(head.headers[CONTENT_LENGTH], "4");
    }

    #[test]
    fn http_1_0_closes_unless_it_says_otherwise() {
        let keeps = |text: &str| parse(text).map(|head| head.keeps_open);
        assert_eq!(keeps("HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\n"), Ok(false));
        assert_eq!(keeps("HTTP/1.0 200 OK\r\nConnection: Keep-Alive\r\nContent-Length: 4\r\n\r\n"), Ok(true));
        assert_eq!(keeps("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), Err(BadHead::Coding));
    }

    #[test]
    fn headers_of_the_connection_stay_here() {
        let head = parse(
            "HTTP/1.1 200 OK\r\nConnection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=9\r\nUpgrade: h2c\r\nX-Kept: 2\r\n\
             Connection: content-length\r\nContent-Length: 0\r\n\r\n",
        )
        .unwrap();
        let names: Vec<_> = head.headers.keys().map(HeaderName::as_str).collect();
        assert_eq!(names, ["x-kept", "content-length"]);
    }

    #[test]
    fn what_is_no_answer_is_refused() {
        for text in [
            "HTP/1.1 200 OK\r\n\r\n",
            "HTTP/1.1 2000 OK\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX y: 1\r\n\r\n",
            "HTTP/1.1 200 OK\r\nX: 1\r\n y\r\n\r\n",
            "\n\n",
        ] {
            assert!(matches!(parse(text), Err(BadHead::Malformed(_))), "{text:?}");
        }
        assert_eq!(parse("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n").map(|_| ()), Err(BadHead::Switching));
        assert_eq!(parse(&format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(1000))).map(|_| ()), Err(BadHead::TooLong));
        let mut endless = BytesMut::from(&*format!("HTTP/1.1 200 OK\r\nX: {}", "x".repeat(1000)));
        assert_eq!(read(&mut endless, false, 1000, |_| true).map(|_| ()), Err(BadHead::TooLong));
        assert_eq!(parse(&format!("HTTP/1.1 200 OK\r\n{}\r\n", "X:1\r\n".repeat(190))).map(|head| head.headers.len()), Ok(190));
        assert_eq!(
            read(&mut BytesMut::from(&*format!("HTTP/1.1 200 OK\r\n{}\r\n", "X:1\r\n".repeat(300))), false, 10_000, |_| true).map(|_| ()),
            Err(BadHead::TooLong)
        );
    }
}
