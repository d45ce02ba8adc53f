//! Where an answer's body ends (RFC 9112, 6 and 7), and taking it out of what was read.

use bytes::{Buf, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue};

use crate::hops;

/// Room for all the words a backend says beside its data: chunk extensions, which nobody reads, and trailers, each.
const ASIDE_MAX: usize = 16 << 10;
const TRAILERS_MAX: usize = 64;

/// Takes one body out of the bytes of a connection.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes are to come.
    Length(u64),
    Chunked(Chunked),
    /// All that comes until the backend closes.
    UntilClose,
}

#[derive(Debug)]
pub(crate) struct Chunked {
    state: State,
    /// Bytes spent on extensions so far.
    aside: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// In a chunk's size, of which so much is known.
    Size {
        size: u64,
        digits: u8,
    },
    /// Behind the size.
    Extension {
        size: u64,
    },
    /// Before the line feed that ends the size's line.
    SizeLf {
        size: u64,
    },
    /// In the data, of which so much is to come.
    Data {
        left: u64,
    },
    /// Behind the data.
    DataCr,
    DataLf,
    /// Behind the last chunk.
    Trailers,
    Done,
}

/// What came out.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
    /// More must be read first.
    More,
    End,
}

/// A body that cannot be told from what follows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum BadCoding {
    #[error("a chunk's size cannot be read")]
    Size,
    #[error("a chunk does not end where its size says")]
    ChunkEnd,
    #[error("chunk extensions or trailers are too long")]
    TooLong,
    #[error("a trailer cannot be read")]
    Trailer,
}

impl Decoder {
    pub(super) fn chunked() -> Self {
        Self::Chunked(Chunked { state: State::Size { size: 0, digits: 0 }, aside: 0 })
    }

    /// Whether everything has come out.
    pub(crate) fn is_done(&self) -> bool {
        match self {
            Self::Length(left) => *left == 0,
            Self::Chunked(chunked) => chunked.state == State::Done,
            Self::UntilClose => false,
        }
    }

    /// Bytes to come, where that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        if let Self::Length(left) = self { Some(*left) } else { None }
    }

    /// Whether the backend may end the body by closing the connection.
    pub(crate) fn ends_with_connection(&self) -> bool {
        matches!(self, Self::UntilClose)
    }

    /// The next piece of the body in `inbox`. Ask again after every piece, and after more was read.
    ///
    /// # Errors
    /// [`BadCoding`]; the connection is of no more use.
    pub(crate) fn take(&mut self, inbox: &mut BytesMut) -> Result<Piece, BadCoding> {
        match self {
            Self::Length(0) => Ok(Piece::End),
            Self::Chunked(chunked) => chunked.take(inbox),
            _ if inbox.is_empty() => Ok(Piece::More),
            Self::Length(left) => Ok(Piece::Data(split(inbox, left))),
            Self::UntilClose => Ok(Piece::Data(inbox.split().freeze())),
        }
    }
}

/// As much of the next `left` bytes as is there.
fn split(inbox: &mut BytesMut, left: &mut u64) -> Bytes {
    let here = usize::try_from(*left).unwrap_or(usize::MAX).min(inbox.len());
    *left -= here as u64;
    inbox.split_to(here).freeze()
}

impl Chunked {
    fn take(&mut self, inbox: &mut BytesMut) -> Result<Piece, BadCoding> {
        loop {
            match &mut self.state {
                State::Done => return Ok(Piece::End),
                State::Trailers => return self.take_trailers(inbox),
                State::Data { left } if !inbox.is_empty() => {
                    let data = split(inbox, left);
                    if *left == 0 {
                        self.state = State::DataCr;
                    }
                    return Ok(Piece::Data(data));
                }
                _ => {}
            }
            let Some(&byte) = inbox.first() else { return Ok(Piece::More) };
            inbox.advance(1);
            self.state = self.after(byte)?;
        }
    }

    /// The state after one byte outside the data.
    fn after(&mut self, byte: u8) -> Result<State, BadCoding> {
        match (self.state, byte) {
            (State::Size { size, digits }, b'0'..=b'9' | b'a'..=b'f' | b'A'..=b'F') if digits < 16 => {
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                Ok(State::Size { size: size << 4 | u64::from(digit), digits: digits + 1 })
            }
            (State::Size { size, digits: 1.. }, b'\r') => Ok(State::SizeLf { size }),
            (State::Size { size, digits: 1.. }, b' ' | b'\t' | b';') => Ok(State::Extension { size }),
            (State::Extension { size }, b'\r') => Ok(State::SizeLf { size }),
            // A line feed alone ends the line for some readers and not for others.
            (State::Extension { .. }, b'\n') => Err(BadCoding::Size),
            (State::Extension { size }, _) => {
                self.aside += 1;
                if self.aside > ASIDE_MAX { Err(BadCoding::TooLong) } else { Ok(State::Extension { size }) }
            }
            (State::SizeLf { size: 0 }, b'\n') => Ok(State::Trailers),
            (State::SizeLf { size }, b'\n') => Ok(State::Data { left: size }),
            (State::DataCr, b'\r') => Ok(State::DataLf),
            (State::DataLf, b'\n') => Ok(State::Size { size: 0, digits: 0 }),
            (State::DataCr | State::DataLf, _) => Err(BadCoding::ChunkEnd),
            _ => Err(BadCoding::Size),
        }
    }

    fn take_trailers(&mut self, inbox: &mut BytesMut) -> Result<Piece, BadCoding> {
        if inbox.starts_with(b"\r\n") {
            inbox.advance(2);
            self.state = State::Done;
            return Ok(Piece::End);
        }
        let mut fields = [httparse::EMPTY_HEADER; TRAILERS_MAX];
        let (read, trailers) = match httparse::parse_headers(inbox, &mut fields) {
            Ok(httparse::Status::Complete((read, fields))) => {
                let mut trailers = HeaderMap::with_capacity(fields.len());
                for field in fields.iter().filter(|field| may_trail(field.name.as_bytes())) {
                    let name = HeaderName::from_bytes(field.name.as_bytes()).map_err(|_| BadCoding::Trailer)?;
                    trailers.append(name, HeaderValue::from_bytes(field.value).map_err(|_| BadCoding::Trailer)?);
                }
                (read, trailers)
            }
            Ok(httparse::Status::Partial) if inbox.len() > ASIDE_MAX => return Err(BadCoding::TooLong),
            Ok(httparse::Status::Partial) => return Ok(Piece::More),
            Err(_) => return Err(BadCoding::Trailer),
        };
        inbox.advance(read);
        self.state = State::Done;
        Ok(if trailers.is_empty() { Piece::End } else { Piece::Trailers(trailers) })
    }
}

/// Trailers that would change how the message is framed or routed are dropped (RFC 9110, 6.5.1).
fn may_trail(name: &[u8]) -> bool {
    !hops::is_hop(name) && ![&b"content-length"[..], b"host", b"set-cookie", b"authorization"].iter().any(|n| name.eq_ignore_ascii_case(n))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Body, trailers, whether it is whole, and what is left of the bytes.
    type Decoded = (Vec<u8>, Option<HeaderMap>, bool, Vec<u8>);

    /// Feeds `bytes` in steps of `step` and gathers what comes out.
    fn decode(mut decoder: Decoder, bytes: &[u8], step: usize) -> Result<Decoded, BadCoding> {
        let (mut inbox, mut body, mut trailers) = (BytesMut::new(), Vec::new(), None);
        for part in bytes.chunks(step) {
            inbox.extend_from_slice(part);
            loop {
                match decoder.take(&mut inbox)? {
                    Piece::Data(data) => body.extend_from_slice(&data),
                    Piece::Trailers(map) => trailers = Some(map),
                    Piece::More | Piece::End => break,
                }
            }
        }
        let done = decoder.is_done();
        Ok((body, trailers, done, inbox.to_vec()))
    }

    #[test]
    fn a_length_is_kept_to_the_byte() {
        for step in [1, 2, 100] {
            assert_eq!(decode(Decoder::Length(5), b"helloHTTP", step), Ok((b"hello".to_vec(), None, true, b"HTTP".to_vec())));
            assert_eq!(decode(Decoder::Length(5), b"hel", step), Ok((b"hel".to_vec(), None, false, vec![])));
        }
    }

    #[test]
    fn chunks_are_joined_and_trailers_read() {
        let text = b"5;x=\"y\"\r\nhello\r\n00A \r\n, tidegate\r\n0\r\nX-Sum: 1\r\nContent-Length: 3\r\n\r\nrest";
        for step in [1, 2, 3, 7, 1000] {
            let (body, trailers, done, rest) = decode(Decoder::chunked(), text, step).unwrap();
            assert_eq!((&*body, done, &*rest), (&b"hello, tidegate"[..], true, &b"rest"[..]), "{step}");
            let trailers = trailers.unwrap();
            assert_eq!((trailers.len(), &trailers["x-sum"]), (1, &HeaderValue::from_static("1")));
        }
    }

    #[test]
    fn what_could_be_read_in_two_ways_is_refused() {
        for (text, fault) in [
            ("\r\n", BadCoding::Size),
            ("x\r\n", BadCoding::Size),
            ("+5\r\nhello", BadCoding::Size),
            ("0x5\r\nhello", BadCoding::Size),
            ("5\nhello", BadCoding::Size),
            ("5;a\nhello", BadCoding::Size),
            ("5\rhello", BadCoding::Size),
            (" 5\r\nhello", BadCoding::Size),
            ("10000000000000000\r\n", BadCoding::Size),
            ("5\r\nhello!\r\n", BadCoding::ChunkEnd),
            ("5\r\nhello\n0\r\n\r\n", BadCoding::ChunkEnd),
            ("5\r\nhello\r0\r\n\r\n", BadCoding::ChunkEnd),
            ("0\r\nbad trailer\r\n\r\n", BadCoding::Trailer),
        ] {
            for step in [1, 1000] {
                assert_eq!(decode(Decoder::chunked(), text.as_bytes(), step), Err(fault), "{text:?}");
            }
        }
    }

    #[test]
    fn what_a_backend_says_aside_is_bounded() {
        let extension = format!("5;{}", "x".repeat(ASIDE_MAX + 1));
        assert_eq!(decode(Decoder::chunked(), extension.as_bytes(), 1000), Err(BadCoding::TooLong));
        let extensions = format!("1;{}\r\nx\r\n", "x".repeat(1000)).repeat(20);
        assert_eq!(decode(Decoder::chunked(), extensions.as_bytes(), 1000), Err(BadCoding::TooLong));
        let trailer = format!("0\r\nX: {}", "x".repeat(2 * ASIDE_MAX));
        assert_eq!(decode(Decoder::chunked(), trailer.as_bytes(), 1000), Err(BadCoding::TooLong));
    }

    #[test]
    fn a_body_without_end_takes_everything() {
        assert_eq!(decode(Decoder::UntilClose, b"abc", 2), Ok((b"abc".to_vec(), None, false, vec![])));
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_body_back(chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6), step in 1usize..50) {
            let mut text = Vec::new();
            for chunk in &chunks {
                text.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
                text.extend_from_slice(chunk);
                text.extend_from_slice(b"\r\n");
            }
            text.extend_from_slice(b"0\r\n\r\nnext");
            prop_assert_eq!(decode(Decoder::chunked(), &text, step), Ok((chunks.concat(), None, true, b"next".to_vec())));
        }

        #[test]
        fn nothing_breaks_the_reader(bytes in prop::collection::vec(prop_oneof![any::<u8>(), Just(b'\r'), Just(b'\n'), Just(b'0'), Just(b'2')], 0..200), step in 1usize..50) {
            // How the bytes arrive must not change what they mean.
            prop_assert_eq!(decode(Decoder::chunked(), &bytes, step), decode(Decoder::chunked(), &bytes, 1));
        }
    }
}
