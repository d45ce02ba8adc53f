//! Client connections: accepting, limits, TLS, and stopping gracefully.
//!
//! No connection has a timer. A watchman walks over all of a listener's connections a few times a second, looks which are idle, slow or
//! stuck for too long or wait for a backend in vain, and nudges those. So a call pays nothing for its time limits but a few plain stores.

use std::convert::Infallible;
use std::future::{Future, poll_fn};
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use http::HeaderValue;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use crate::clock::TICK;
use crate::gateway::Gateway;
use crate::pipeline;
use crate::upstream::write_few;

/// Connections that the kernel keeps waiting.
const BACKLOG: u32 = 4096;

/// A port to serve, for [`Gateway::run`].
#[derive(Clone)]
pub struct Door {
    /// Address to listen at; port 0 is not possible with several workers.
    pub address: SocketAddr,
    /// TLS settings; `None` is plain HTTP. With ALPN `h2` among them HTTP/2 is offered.
    pub tls: Option<Arc<rustls::ServerConfig>>,
}

/// The client's end of a connection, as calls see it.
pub(crate) struct Peer {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) address: IpAddr,
    pub(crate) address_value: HeaderValue,
    /// Its `X-Forwarded-*` headers are believed.
    pub(crate) trusted: bool,
    pub(crate) tls: bool,
    /// It carries several calls at a time (HTTP/2), so that bytes between calls begin no request's head.
    multiplexed: AtomicBool,
    /// Calls being answered.
    calls: AtomicU32,
    /// Coarse time of the last byte either way.
    touched_ms: AtomicU64,
    /// Coarse time of a request head's first byte; 0 while none is being read.
    head_since_ms: AtomicU64,
    /// Coarse time since which the client takes nothing more; 0 while it does.
    stuck_since_ms: AtomicU64,
    /// Coarse time by which a backend must begin its answer; 0 while none is awaited. Only on connections that carry one call at a time.
    answer_by_ms: AtomicU64,
    /// What the watchman has to say, see [`Nudge`].
    nudge: AtomicU8,
    /// Wakes the connection's task.
    task: OnceLock<Waker>,
}

/// What a connection is told.
struct Nudge;

impl Nudge {
    /// The gateway stops: end after the call in progress.
    const STOP: u8 = 1;
    /// A limit was outlived: end now.
    const OVERDUE: u8 = 2;
}

/// How often the watchman goes round.
const ROUND: Duration = Duration::from_millis(200);

impl Peer {
    pub(crate) fn new(gateway: Arc<Gateway>, address: IpAddr, tls: bool) -> Self {
        let address = address.to_canonical();
        let now = gateway.clock.coarse_ms();
        Self {
            trusted: gateway.config.trusted_proxies.iter().any(|range| range.contains(address)),
            address_value: HeaderValue::from_str(&address.to_string()).unwrap_or_else(|_| HeaderValue::from_static("unknown")),
            gateway,
            address,
            tls,
            multiplexed: AtomicBool::new(false),
            calls: AtomicU32::new(0),
            touched_ms: AtomicU64::new(now),
            head_since_ms: AtomicU64::new(now.max(1)),
            stuck_since_ms: AtomicU64::new(0),
            answer_by_ms: AtomicU64::new(0),
            nudge: AtomicU8::new(0),
            task: OnceLock::new(),
        }
    }

    /// Begins to wait for a backend, on a connection that carries one call at a time.
    pub(crate) fn await_answer(&self, limit: Duration) {
        let limit = u64::try_from(limit.as_millis()).unwrap_or(u64::MAX);
        self.answer_by_ms.store(self.gateway.clock.coarse_ms().saturating_add(limit).max(1), Ordering::Relaxed);
    }

    /// Ends the wait that [`Peer::await_answer`] began.
    pub(crate) fn answer_came(&self) {
        self.answer_by_ms.store(0, Ordering::Relaxed);
    }

    /// Whether the time given to [`Peer::await_answer`] is over. The watchman sees to it that this is asked then.
    pub(crate) fn is_late(&self) -> bool {
        let by = self.answer_by_ms.load(Ordering::Relaxed);
        by != 0 && self.gateway.clock.coarse_ms() >= by
    }

    /// Leaves a way to wake the connection. A task's waker stays the same all its life.
    fn introduce(&self, cx: &Context<'_>) {
        self.task.get_or_init(|| cx.waker().clone());
    }

    fn tell(&self, nudge: u8) {
        self.nudge.fetch_or(nudge, Ordering::Relaxed);
        self.wake();
    }

    fn wake(&self) {
        if let Some(task) = self.task.get() {
            task.wake_by_ref();
        }
    }

    /// One look by the watchman.
    fn look(&self, stopping: bool) {
        let nudge = self.nudge.load(Ordering::Relaxed);
        if stopping && nudge & Nudge::STOP == 0 {
            self.tell(Nudge::STOP);
        }
        if nudge & Nudge::OVERDUE == 0 && self.is_overdue() {
            self.tell(Nudge::OVERDUE);
        }
        if self.is_late() {
            self.wake();
        }
    }

    pub(crate) fn call_started(&self) {
        self.calls.fetch_add(1, Ordering::Relaxed);
        self.head_since_ms.store(0, Ordering::Relaxed);
    }

    pub(crate) fn call_ended(&self) {
        self.calls.fetch_sub(1, Ordering::Relaxed);
        self.touched_ms.store(self.gateway.clock.coarse_ms(), Ordering::Relaxed);
    }

    fn did_read(&self) {
        let now = self.gateway.clock.coarse_ms();
        self.touched_ms.store(now, Ordering::Relaxed);
        if self.calls.load(Ordering::Relaxed) == 0 && self.head_since_ms.load(Ordering::Relaxed) == 0 {
            self.head_since_ms.store(now.max(1), Ordering::Relaxed);
        }
    }

    fn did_write(&self, taken: bool) {
        if taken {
            self.stuck_since_ms.store(0, Ordering::Relaxed);
        } else if self.stuck_since_ms.load(Ordering::Relaxed) == 0 {
            self.stuck_since_ms.store(self.gateway.clock.coarse_ms().max(1), Ordering::Relaxed);
        }
    }

    /// Whether the connection has outlived one of its limits.
    fn is_overdue(&self) -> bool {
        let config = &self.gateway.config;
        let now = self.gateway.clock.coarse_ms();
        let since = |moment: u64, limit: Duration| u128::from(now.saturating_sub(moment)) >= limit.as_millis();
        let stuck = self.stuck_since_ms.load(Ordering::Relaxed);
        if stuck != 0 && since(stuck, config.stall_timeout) {
            return true;
        }
        if self.calls.load(Ordering::Relaxed) > 0 {
            return false;
        }
        match self.head_since_ms.load(Ordering::Relaxed) {
            _ if self.multiplexed.load(Ordering::Relaxed) => since(self.touched_ms.load(Ordering::Relaxed), config.keep_alive_timeout),
            0 => since(self.touched_ms.load(Ordering::Relaxed), config.keep_alive_timeout),
            head => since(head, config.head_timeout),
        }
    }
}

/// A client's bytes, with a note of when they moved.
struct Watched<S> {
    stream: S,
    peer: Arc<Peer>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buf);
        if polled.is_ready() {
            this.peer.did_read();
        }
        polled
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.peer.did_write(polled.is_ready());
        polled
    }

    fn poll_write_vectored(self: Pin<&mut Self>, cx: &mut Context<'_>, bufs: &[io::IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = write_few(Pin::new(&mut this.stream), cx, bufs);
        this.peer.did_write(polled.is_ready());
        polled
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.peer.did_write(polled.is_ready());
        polled
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

impl Gateway {
    /// Serves `listener` in the current runtime until `shutdown` turns true, then lets calls in flight end, at most
    /// [`crate::Config::drain_timeout`] long.
    pub async fn serve(self: Arc<Self>, listener: TcpListener, tls: Option<Arc<rustls::ServerConfig>>, shutdown: watch::Receiver<bool>) {
        let mut stop = shutdown.clone();
        let acceptor = tls.map(TlsAcceptor::from);
        let mut connections = JoinSet::new();
        let peers = Arc::new(Peers::default());
        let _watch = AbortOnDrop(tokio::spawn(Arc::clone(&self).watch(Arc::clone(&peers), shutdown.clone())));
        loop {
            // Beyond the limit new connections wait in the kernel's queue.
            let may_accept = self.connection_count() < self.config.connections_max;
            tokio::select! {
                biased;
                () = stopped(&mut stop) => break,
                accepted = listener.accept(), if may_accept => match accepted {
                    Ok((stream, address)) => {
                        connections.spawn(Arc::clone(&self).converse(stream, address.ip(), acceptor.clone(), Arc::clone(&peers)));
                    }
                    Err(error) => {
                        // Out of descriptors, most likely; trying again at once would only burn the processor.
                        tracing::warn!(error = &error as &dyn std::error::Error, "a connection could not be accepted");
                        tokio::time::sleep(Duration::from_millis(50)).await;
                    }
                },
                Some(_) = connections.join_next(), if !connections.is_empty() => {}
            }
        }
        drop(listener);
        let drained = tokio::time::timeout(self.config.drain_timeout, async { while connections.join_next().await.is_some() {} }).await;
        if drained.is_err() {
            tracing::warn!(left = connections.len(), "calls were cut off at the end of the drain time");
        }
    }

    /// Serves `doors` with `workers` threads, each with its own runtime and its own sockets, and returns when `shutdown` turned true and
    /// all calls have ended. Blocks; call it from a thread of its own.
    ///
    /// # Errors
    /// The first address that cannot be listened at.
    pub fn run(self: &Arc<Self>, doors: &[Door], workers: usize, shutdown: &watch::Receiver<bool>) -> io::Result<()> {
        // All sockets are bound before any is served, so that a failure leaves nothing half open.
        let mut sockets = Vec::new();
        for _ in 0..workers.max(1) {
            sockets.push(
                doors.iter().map(|door| bind(door.address).map(|socket| (socket, door.tls.clone()))).collect::<io::Result<Vec<_>>>()?,
            );
        }
        std::thread::scope(|scope| {
            let threads: Vec<_> = sockets
                .into_iter()
                .enumerate()
                .map(|(number, sockets)| {
                    let gateway = Arc::clone(self);
                    let shutdown = shutdown.clone();
                    std::thread::Builder::new()
                        .name(format!("gateway-{number}"))
                        .spawn_scoped(scope, move || gateway.work(sockets, &shutdown))
                })
                .collect::<io::Result<_>>()?;
            for thread in threads {
                // A panic is a bug that the panic hook has reported; the other workers go on.
                if let Ok(result) = thread.join() {
                    result?;
                }
            }
            Ok(())
        })
    }

    fn work(
        self: Arc<Self>,
        sockets: Vec<(TcpSocket, Option<Arc<rustls::ServerConfig>>)>,
        shutdown: &watch::Receiver<bool>,
    ) -> io::Result<()> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        runtime.block_on(async {
            let mut doors = JoinSet::new();
            for (socket, tls) in sockets {
                doors.spawn(Arc::clone(&self).serve(socket.listen(BACKLOG)?, tls, shutdown.clone()));
            }
            while doors.join_next().await.is_some() {}
            Ok(())
        })
    }

    /// Keeps the house, and goes round the connections.
    async fn watch(self: Arc<Self>, peers: Arc<Peers>, shutdown: watch::Receiver<bool>) {
        let mut stop = shutdown;
        let mut ticks = tokio::time::interval(TICK);
        ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let per_round = usize::try_from(ROUND.as_millis() / TICK.as_millis()).unwrap_or(1).max(1);
        for turn in 0.. {
            let told = tokio::select! {
                _ = ticks.tick() => false,
                () = stopped(&mut stop), if !peers.stopping.load(Ordering::Relaxed) => true,
            };
            if told {
                peers.stopping.store(true, Ordering::Relaxed);
            }
            self.keep_house(turn);
            if told || turn.is_multiple_of(per_round) {
                peers.look();
            }
        }
    }

    async fn converse(self: Arc<Self>, stream: TcpStream, address: IpAddr, acceptor: Option<TlsAcceptor>, peers: Arc<Peers>) {
        let _counted = CountedConnection::new(&self);
        if stream.set_nodelay(true).is_err() {
            // The peer is gone already.
            return;
        }
        let peer = Arc::new(Peer::new(Arc::clone(&self), address, acceptor.is_some()));
        peers.add(&peer);
        let Some(acceptor) = acceptor else {
            return speak_http1(Watched { stream, peer: Arc::clone(&peer) }, peer).await;
        };
        // Boxed, so that plain connections do not carry the room that TLS and HTTP/2 take.
        Box::pin(self.converse_securely(stream, &acceptor, peer)).await;
    }

    async fn converse_securely(&self, stream: TcpStream, acceptor: &TlsAcceptor, peer: Arc<Peer>) {
        let handshake = tokio::time::timeout(self.config.head_timeout, acceptor.accept(stream)).await;
        let stream = match handshake {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return tracing::debug!(error = &error as &dyn std::error::Error, "a TLS handshake failed"),
            Err(_) => return tracing::debug!("a TLS handshake took too long"),
        };
        let is_http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
        let watched = Watched { stream, peer: Arc::clone(&peer) };
        if is_http2 { speak_http2(watched, peer).await } else { speak_http1(watched, peer).await }
    }
}

async fn speak_http1<S: AsyncRead + AsyncWrite + Unpin>(stream: Watched<S>, peer: Arc<Peer>) {
    let config = &peer.gateway.config;
    let service_peer = Arc::clone(&peer);
    // The future lives in the connection while it is idle too, so it is kept small: the call's own state is boxed for as long as the call lasts.
    let service = service_fn(move |request| {
        let call = Box::pin(pipeline::answer(Arc::clone(&service_peer), request, true));
        async move { Ok::<_, Infallible>(call.await) }
    });
    let mut connection = pin!(
        http1::Builder::new()
            .half_close(false)
            .header_read_timeout(None)
            .max_headers(config.headers_max)
            .max_header_size(config.head_max_bytes)
            .max_buf_size(config.head_max_bytes.max(8192))
            .serve_connection(TokioIo::new(stream), service)
    );
    let mut stopping = false;
    let result = poll_fn(|cx| {
        peer.introduce(cx);
        let nudge = peer.nudge.load(Ordering::Relaxed);
        if nudge & Nudge::OVERDUE != 0 {
            return Poll::Ready(Ok(()));
        }
        if nudge & Nudge::STOP != 0 && !stopping {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
    log_end(result);
}

async fn speak_http2<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: Watched<S>, peer: Arc<Peer>) {
    let config = &peer.gateway.config;
    let service_peer = Arc::clone(&peer);
    let service = service_fn(move |request| {
        let call = pipeline::answer(Arc::clone(&service_peer), request, false);
        async move { Ok::<_, Infallible>(call.await) }
    });
    peer.multiplexed.store(true, Ordering::Relaxed);
    let mut builder = http2::Builder::new(TokioExecutor::new());
    builder
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(config.head_max_bytes).unwrap_or(u32::MAX))
        .max_concurrent_streams(250)
        .keep_alive_interval(config.keep_alive_timeout)
        .keep_alive_timeout(config.head_timeout);
    let mut connection = pin!(builder.serve_connection(TokioIo::new(stream), service));
    let mut stopping = false;
    let result = poll_fn(|cx| {
        peer.introduce(cx);
        if peer.nudge.load(Ordering::Relaxed) & (Nudge::OVERDUE | Nudge::STOP) != 0 && !stopping {
            stopping = true;
            connection.as_mut().graceful_shutdown();
        }
        connection.as_mut().poll(cx)
    })
    .await;
    log_end(result);
}

fn log_end(result: hyper::Result<()>) {
    if let Err(error) = result {
        tracing::debug!(error = &error as &dyn std::error::Error, "a connection ended badly");
    }
}

/// A listener's connections.
#[derive(Default)]
struct Peers {
    list: Mutex<Vec<Weak<Peer>>>,
    stopping: AtomicBool,
}

impl Peers {
    fn add(&self, peer: &Arc<Peer>) {
        self.list.lock().unwrap_or_else(PoisonError::into_inner).push(Arc::downgrade(peer));
        if self.stopping.load(Ordering::Relaxed) {
            peer.tell(Nudge::STOP);
        }
    }

    /// One round; forgets those that are gone.
    fn look(&self) {
        let stopping = self.stopping.load(Ordering::Relaxed);
        let mut list = self.list.lock().unwrap_or_else(PoisonError::into_inner);
        list.retain(|peer| match peer.upgrade() {
            Some(peer) => {
                peer.look(stopping);
                true
            }
            None => false,
        });
    }
}

struct AbortOnDrop(tokio::task::JoinHandle<()>);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Ends when the server is to stop; a server that is gone has stopped.
async fn stopped(shutdown: &mut watch::Receiver<bool>) {
    let _ = shutdown.wait_for(|stop| *stop).await;
}

/// Counts a connection while it lives.
struct CountedConnection(Arc<Gateway>);

impl CountedConnection {
    fn new(gateway: &Arc<Gateway>) -> Self {
        gateway.connections.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(gateway))
    }
}

impl Drop for CountedConnection {
    fn drop(&mut self) {
        self.0.connections.fetch_sub(1, Ordering::Relaxed);
    }
}

/// One of several sockets at the same address; the kernel spreads connections over them.
fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = if address.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
    socket.set_reuseaddr(true)?;
    socket.set_reuseport(true)?;
    socket.bind(address)?;
    Ok(socket)
}
