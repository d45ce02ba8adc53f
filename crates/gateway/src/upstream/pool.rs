//! Connections to backends, kept for reuse.
//!
//! Dropping a [`Link`] closes its connection. It comes back only through [`Pool::keep`], which takes it when the last exchange is over in
//! both directions, so a half-read answer or a half-sent request can never meet another call.
//!
//! Idle links lie in shards, one per worker thread, so that workers seldom meet at a lock.

use std::cell::Cell;
use std::io;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use ahash::HashMap;
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::link::Link;
use super::wire::Wire;
use crate::Config;
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
}

/// See the module head.
pub(crate) struct Pool {
    shards: Box<[Mutex<Shard>]>,
    tls: Arc<ClientConfig>,
    connect_timeout: Duration,
    idle_timeout: Duration,
    idle_max: usize,
    opened: metrics::Counter,
}

type Shard = HashMap<Arc<Authority>, Vec<Box<Link>>>;

thread_local! {
    /// Which shard this thread uses. A number per thread, not shared state.
    static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
}
static NEXT_SHARD: AtomicUsize = AtomicUsize::new(0);

impl Pool {
    pub(crate) fn new(config: &Config, tls: Arc<ClientConfig>) -> Self {
        let shards = std::thread::available_parallelism().map_or(4, usize::from).next_power_of_two().min(64);
        Self {
            shards: (0..shards).map(|_| Mutex::default()).collect(),
            tls,
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
    pub(crate) fn keep(&self, mut link: Box<Link>) {
        if !link.is_idle() {
            return;
        }
        link.rest();
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
        self.opened.increment(1);
        Ok(Box::new(Link::new(wire, Arc::clone(authority))))
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

/// A panic while a shard was locked leaves at worst a link missing.
fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
