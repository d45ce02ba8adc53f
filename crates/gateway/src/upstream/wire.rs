//! Bytes to and from a backend.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::BytesMut;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;
use tokio_rustls::client::TlsStream;
use tokio_util::io::poll_read_buf;

pub(super) enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl Wire {
    /// Reads once, at most what `buf` has room for.
    pub(super) fn poll_read(&mut self, cx: &mut Context<'_>, buf: &mut BytesMut) -> Poll<io::Result<usize>> {
        match self {
            Self::Plain(stream) => poll_read_buf(Pin::new(stream), cx, buf),
            Self::Tls(stream) => poll_read_buf(Pin::new(&mut **stream), cx, buf),
        }
    }

    /// Writes once: some of `head`, then some of `bulk`.
    pub(super) fn poll_write(&mut self, cx: &mut Context<'_>, head: &[u8], bulk: &[u8]) -> Poll<io::Result<usize>> {
        let only = if head.is_empty() { bulk } else { head };
        match self {
            Self::Plain(stream) if head.is_empty() || bulk.is_empty() => Pin::new(stream).poll_write(cx, only),
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, &[io::IoSlice::new(head), io::IoSlice::new(bulk)]),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_write(cx, only),
        }
    }

    /// TLS keeps a record back until it is told that there is no more.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream) => Pin::new(&mut **stream).poll_flush(cx),
        }
    }
}

/// Writes what is in `bufs`, gathered up first when it is little: copying a kilobyte costs less than handing the kernel a list.
pub(crate) fn write_few<S: AsyncWrite>(stream: Pin<&mut S>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
    if let [only] = bufs {
        return stream.poll_write(cx, only);
    }
    let mut gathered = [0u8; 2048];
    let mut used = 0;
    for buf in bufs {
        let Some(room) = gathered.get_mut(used..used + buf.len()) else { return stream.poll_write_vectored(cx, bufs) };
        room.copy_from_slice(buf);
        used += buf.len();
    }
    stream.poll_write(cx, gathered.get(..used).unwrap_or_default())
}
