//! Connections to backends, kept for reuse.
//!
//! A [`Link`] is a connection together with the machine that speaks HTTP on it; whoever uses the link drives both, so no task stands
//! between a call and its backend, and dropping a link closes the connection. A link comes back only through [`Pool::keep`], which takes
//! it when the last exchange is over in both directions, so a half-read answer or a half-sent request can never meet another call.
//!
//! Idle links lie in shards, one per worker thread, so that workers seldom meet at a lock.

use std::cell::Cell;
use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use ahash::HashMap;
use hyper::client::conn::http1::{Builder, Connection, SendRequest};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::Config;
use crate::body::RequestBody;
use crate::snapshot::Authority;

/// No connection to a backend came about. Nothing was sent.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ConnectFault {
    #[error("the backend's address cannot be connected to")]
    Connect(#[source] io::Error),
    #[error("connecting to the backend took too long")]
    Timeout,
    #[error("the TLS handshake with the backend failed")]
    Handshake(#[source] io::Error),
    #[error("the backend's name cannot be used for TLS")]
    Name,
    #[error("the connection was lost at once")]
    Http(#[source] hyper::Error),
}

/// See the module head.
pub(crate) struct Pool {
    shards: Box<[Mutex<Shard>]>,
    tls: Arc<ClientConfig>,
    builder: Builder,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_max: usize,
    opened: metrics::Counter,
}

type Shard = HashMap<Arc<Authority>, Vec<Box<Link>>>;

/// One connection.
pub(crate) struct Link {
    pub(crate) sender: SendRequest<RequestBody>,
    /// `None` once it ended.
    connection: Option<Connection<TokioIo<Wire>, RequestBody>>,
    authority: Arc<Authority>,
    idle_since: Instant,
    /// It has carried an exchange before, so it may have gone stale.
    pub(crate) used: bool,
}

thread_local! {
    /// Which shard this thread uses. A number per thread, not shared state.
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

impl Pool {
    pub(crate) fn new(config: &Config, tls: Arc<ClientConfig>) -> Self {
        let shards = std::thread::available_parallelism().map_or(4, usize::from).next_power_of_two().min(64);
        let mut builder = Builder::new();
        builder.max_buf_size(config.backend_head_max_bytes.max(8192)).max_headers(256);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            tls,
            builder,
            connect_timeout: config.connect_timeout,
            idle_timeout: config.pool_idle_timeout,
            idle_max: config.pool_idle_per_backend,
            opened: metrics::counter!("gateway_backend_connections_opened_total"),
        }
    }

    /// An idle connection, from this thread's shard or else from another. It may have been closed since it was kept; who uses one learns that
    /// before anything is sent.
    pub(crate) fn take(&self, authority: &Arc<Authority>) -> Option<Box<Link>> {
        let own = self.own_shard();
        for step in 0..self.shards.len() {
            let shard = self.shards.get((own + step) % self.shards.len())?;
            let popped = if step == 0 {
                lock(shard).get_mut(authority).and_then(Vec::pop)
            } else {
                // Another worker's shard is only worth a look while nobody is at it.
                shard.try_lock().ok().and_then(|mut shard| shard.get_mut(authority).and_then(Vec::pop))
            };
            if popped.is_some() {
                return popped;
            }
        }
        None
    }

    /// Takes a link back if its exchange is over; closes it otherwise.
    pub(crate) fn keep(&self, mut link: Box<Link>, cx: &mut Context<'_>) {
        if !link.is_idle(cx) {
            return;
        }
        link.used = true;
        link.idle_since = Instant::now();
        let Some(shard) = self.shards.get(self.own_shard()) else { return };
        let mut shard = lock(shard);
        match shard.get_mut(&link.authority) {
            Some(idle) if idle.len() < self.idle_max => idle.push(link),
            Some(_) => {}
            None => drop(shard.insert(Arc::clone(&link.authority), vec![link])),
        }
    }

    /// Closes links that lay idle too long. The oldest lie at the head, since links are taken from the tail.
    pub(crate) fn sweep(&self) {
        for shard in &self.shards {
            let mut closing = Vec::new();
            lock(shard).retain(|_, idle| {
                let old = idle.iter().take_while(|link| link.idle_since.elapsed() >= self.idle_timeout).count();
                closing.extend(idle.drain(..old));
                !idle.is_empty()
            });
            // Closed after the lock is released.
            drop(closing);
        }
    }

    pub(crate) async fn connect(&self, authority: &Arc<Authority>) -> Result<Box<Link>, ConnectFault> {
        let wire = tokio::time::timeout(self.connect_timeout, self.dial(authority)).await.map_err(|_| ConnectFault::Timeout)??;
        let (sender, connection) = self.builder.handshake(TokioIo::new(wire)).await.map_err(ConnectFault::Http)?;
        self.opened.increment(1);
        Ok(Box::new(Link {
            sender,
            connection: Some(connection),
            authority: Arc::clone(authority),
            idle_since: Instant::now(),
            used: false,
        }))
    }

    async fn dial(&self, authority: &Authority) -> Result<Wire, ConnectFault> {
        let stream = TcpStream::connect((&*authority.host, authority.port)).await.map_err(ConnectFault::Connect)?;
        stream.set_nodelay(true).map_err(ConnectFault::Connect)?;
        if !authority.tls {
            return Ok(Wire::Plain(stream));
        }
        let name = ServerName::try_from(authority.host.to_string()).map_err(|_| ConnectFault::Name)?;
        let connector = TlsConnector::from(Arc::clone(&self.tls));
        connector.connect(name, stream).await.map(|s| Wire::Tls(Box::new(s))).map_err(ConnectFault::Handshake)
    }

    fn own_shard(&self) -> usize {
        let number = SHARD.with(|shard| match shard.get() {
            Some(number) => number,
            None => {
                let number = NEXT_SHARD.fetch_add(1, Ordering::Relaxed);
                shard.set(Some(number));
                number
            }
        });
        number % self.shards.len()
    }
}

impl Link {
    /// Lets the connection make progress. False once it has ended.
    pub(crate) fn drive(&mut self, cx: &mut Context<'_>) -> bool {
        let Some(connection) = &mut self.connection else { return false };
        if Pin::new(connection).poll(cx).is_ready() {
            self.connection = None;
        }
        self.connection.is_some()
    }

    /// Whether a new exchange may begin: the last one is over both ways, and the peer neither closed nor sent anything unasked.
    fn is_idle(&mut self, cx: &mut Context<'_>) -> bool {
        self.drive(cx) && matches!(self.sender.poll_ready(cx), Poll::Ready(Ok(())))
    }
}

/// A panic while a shard was locked leaves at worst a link missing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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

/// Bytes to and from a backend.
enum Wire {
    Plain(TcpStream),
    Tls(Box<TlsStream<TcpStream>>),
}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => write_few(Pin::new(stream), cx, bufs),
            Self::Tls(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        match self {
            Self::Plain(stream) => stream.is_write_vectored(),
            Self::Tls(stream) => stream.is_write_vectored(),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_flush(cx),
            Self::Tls(stream) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
