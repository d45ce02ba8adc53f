//! A backend for large bodies: sends as many bytes as asked (`?bytes=N`), and checks and counts what it is sent. All bodies repeat one block,
//! so that a lost, doubled or moved byte shows.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read, Result, Write as _};
use std::net::{TcpListener, TcpStream};

use anyhow::Context as _;

use super::peers;

pub(crate) const BLOCK_BYTES: usize = 64 * 1024;

/// Longest line of a request's head, in bytes.
const LINE_MAX_BYTES: u64 = 16 * 1024;

/// The block that bodies repeat. No two places in it look alike.
pub(crate) fn block() -> Vec<u8> {
    (0..u32::try_from(BLOCK_BYTES / 4).unwrap_or(0)).flat_map(|n| n.wrapping_mul(0x9E37_79B1).to_le_bytes()).collect()
}

/// Starts it on a free port, on threads that end with the process.
pub(crate) fn start() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot open a port for the backend")?;
    let port = listener.local_addr()?.port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || {
                // A connection that breaks shows on the client's side, where it is reported.
                let _ = serve(&stream);
            });
        }
    });
    Ok(port)
}

fn serve(stream: &TcpStream) -> Result<()> {
    let mut reader = BufReader::with_capacity(BLOCK_BYTES, stream);
    let block = block();
    loop {
        let Some(head) = Head::read(&mut reader)? else { return Ok(()) };
        if head.expects_continue {
            (&mut &*stream).write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        let received = match head.length {
            Length::Known(bytes) => compare(&mut reader, bytes, 0, &block)?,
            Length::Chunked => chunks(&mut reader, &block)?,
        };
        let mut out = stream;
        if let Some(bytes) = head.asked_bytes {
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n")?;
            let mut left = bytes;
            while left > 0 {
                let part = block.get(..usize::try_from(left).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES)).unwrap_or(&block);
                out.write_all(part)?;
                left -= part.len() as u64;
            }
        } else {
            let body = if head.is_post { received.to_string() } else { peers::body() };
            write!(out, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}", body.len())?;
        }
    }
}

enum Length {
    Known(u64),
    Chunked,
}

struct Head {
    is_post: bool,
    asked_bytes: Option<u64>,
    length: Length,
    expects_continue: bool,
}

impl Head {
    /// `None` when the client is done.
    fn read(reader: &mut impl std::io::BufRead) -> Result<Option<Self>> {
        let request_line = line(reader)?;
        if request_line.is_empty() {
            return Ok(None);
        }
        let asked_bytes = request_line.split_once("bytes=").and_then(|(_, rest)| rest.split([' ', '&']).next()?.parse().ok());
        let mut head = Self { is_post: request_line.starts_with("POST"), asked_bytes, length: Length::Known(0), expects_continue: false };
        loop {
            let line = line(reader)?.to_ascii_lowercase();
            let Some((name, value)) = line.split_once(':') else { return Ok(Some(head)) };
            match (name, value.trim()) {
                ("content-length", value) => head.length = Length::Known(value.parse().map_err(|_| bad("Content-Length is no number"))?),
                ("transfer-encoding", "chunked") => head.length = Length::Chunked,
                ("expect", _) => head.expects_continue = true,
                _ => {}
            }
        }
    }
}

fn line(reader: &mut impl std::io::BufRead) -> Result<String> {
    let mut line = String::new();
    reader.take(LINE_MAX_BYTES).read_line(&mut line)?;
    Ok(line)
}

fn chunks(reader: &mut impl std::io::BufRead, block: &[u8]) -> Result<u64> {
    let mut received = 0;
    loop {
        let head = line(reader)?;
        let size = u64::from_str_radix(head.trim().split(';').next().unwrap_or_default(), 16).map_err(|_| bad("a chunk has no size"))?;
        if size == 0 {
            while !line(reader)?.trim().is_empty() {}
            return Ok(received);
        }
        received += compare(reader, size, received, block)?;
        line(reader)?;
    }
}

/// Reads `bytes` bytes of a body, of which `offset` were read before, and compares them with the block repeated.
///
/// # Errors
/// When the stream ends early or a byte differs.
pub(crate) fn compare(reader: &mut impl Read, bytes: u64, offset: u64, block: &[u8]) -> Result<u64> {
    let mut buffer = vec![0; BLOCK_BYTES];
    let mut done = 0;
    while done < bytes {
        let at = usize::try_from((offset + done) % BLOCK_BYTES as u64).unwrap_or(0);
        let wanted = usize::try_from(bytes - done).unwrap_or(BLOCK_BYTES).min(BLOCK_BYTES - at);
        let part = buffer.get_mut(..wanted).unwrap_or_default();
        reader.read_exact(part)?;
        if block.get(at..at + wanted) != Some(&*part) {
            return Err(bad(&format!("the body is not what was sent, near byte {}", offset + done)));
        }
        done += wanted as u64;
    }
    Ok(done)
}

fn bad(words: &str) -> Error {
    Error::new(ErrorKind::InvalidData, words)
}

#[cfg(test)]
mod tests {
    use super::super::http::Connection;
    use super::*;

    #[test]
    fn bodies_pass_both_ways_and_a_moved_byte_is_seen() {
        let port = start().unwrap();
        let mut connection = Connection::open(([127, 0, 0, 1], port).into()).unwrap();
        let block = block();
        let bytes = 3 * BLOCK_BYTES as u64 + 17;
        connection.write_head("GET", &format!("/?bytes={bytes}"), None, None).unwrap();
        assert_eq!(connection.read_head().unwrap(), (200, bytes));
        assert_eq!(compare(connection.stream(), bytes, 0, &block).unwrap(), bytes);

        connection.write_head("POST", "/", None, Some(5)).unwrap();
        connection.stream().get_mut().write_all(&block[..5]).unwrap();
        assert_eq!(connection.read_head().unwrap(), (200, 1));
        let mut text = [0];
        connection.stream().read_exact(&mut text).unwrap();
        assert_eq!(&text, b"5");
        assert_eq!(connection.get("/", None).unwrap().body, peers::body().as_bytes());

        assert!(compare(&mut &block[1..], 100, 0, &block).is_err());
        let mut chunked = b"4\r\n".to_vec();
        chunked.extend(&block[..4]);
        chunked.extend(b"\r\n2;x=y\r\n");
        chunked.extend(&block[4..6]);
        chunked.extend(b"\r\n0\r\nTrailer: t\r\n\r\n");
        assert_eq!(chunks(&mut chunked.as_slice(), &block).unwrap(), 6);
    }
}
