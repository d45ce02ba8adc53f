//! A client for probes: one connection, one request after another, no more of HTTP than the contenders answer with.

use std::io::{BufRead as _, BufReader, Error, ErrorKind, Read as _, Result, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Largest answer head, in bytes.
const HEAD_MAX_BYTES: u64 = 64 * 1024;

/// Largest answer body kept, in bytes.
const BODY_MAX_BYTES: u64 = 1 << 20;

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Vec<u8>,
}

/// An open connection.
pub(crate) struct Connection(BufReader<TcpStream>);

impl Connection {
    pub(crate) fn open(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
        stream.set_read_timeout(Some(TIMEOUT))?;
        stream.set_write_timeout(Some(TIMEOUT))?;
        // Requests are written whole; waiting for more would only measure the wait.
        stream.set_nodelay(true)?;
        // Ten thousand of these stand idle at a time; the default buffer would be most of their memory.
        Ok(Self(BufReader::with_capacity(2048, stream)))
    }

    pub(crate) fn get(&mut self, path: &str, token: Option<&str>) -> Result<Answer> {
        self.write_head("GET", path, token, None)?;
        let (status, length) = self.read_head()?;
        let mut body = Vec::new();
        let expected = length.min(BODY_MAX_BYTES);
        (&mut self.0).take(expected).read_to_end(&mut body)?;
        if u64::try_from(body.len()).ok() != Some(length) {
            return Err(Error::new(ErrorKind::UnexpectedEof, format!("a body of {length} bytes ended after {}", body.len())));
        }
        Ok(Answer { status, body })
    }

    pub(crate) fn write_head(&mut self, method: &str, path: &str, token: Option<&str>, length: Option<u64>) -> Result<()> {
        let mut head = format!("{method} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n");
        if let Some(token) = token {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        if let Some(length) = length {
            head += &format!("Content-Length: {length}\r\n");
        }
        head += "\r\n";
        self.0.get_mut().write_all(head.as_bytes())
    }

    /// Status and length of the body that follows.
    pub(crate) fn read_head(&mut self) -> Result<(u16, u64)> {
        let mut head = (&mut self.0).take(HEAD_MAX_BYTES);
        let mut line = String::new();
        head.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|word| word.parse().ok());
        let status = status.ok_or_else(|| Error::new(ErrorKind::InvalidData, format!("no status in {line:?}")))?;
        let mut length = None;
        loop {
            line.clear();
            if head.read_line(&mut line)? == 0 {
                return Err(Error::new(ErrorKind::UnexpectedEof, "the answer's head ended early"));
            }
            if line == "\r\n" {
                break;
            }
            if let Some((name, value)) = line.split_once(':')
                && name.eq_ignore_ascii_case("content-length")
            {
                length = value.trim().parse().ok();
            }
        }
        let length = length.ok_or_else(|| Error::new(ErrorKind::InvalidData, "the answer does not say how long it is"))?;
        Ok((status, length))
    }

    /// The connection itself, for bodies too large to keep.
    pub(crate) fn stream(&mut self) -> &mut BufReader<TcpStream> {
        &mut self.0
    }
}
