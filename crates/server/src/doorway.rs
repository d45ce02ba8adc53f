//! A port that REST routers listen on, with or without TLS.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use http::StatusCode;
use hyper::service::{Service as _, service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rest::{ClientAddress, Problem};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio_rustls::TlsAcceptor;

/// Most connections at a time; a REST port is for people and scripts, not for API traffic.
const CONNECTIONS_MAX: usize = 4_096;

/// How long a client may take over its TLS handshake or its request head.
const PATIENCE: Duration = Duration::from_secs(15);

/// How long a request may take altogether, its body included: a client that stops in the middle of one must not hold its place for ever.
const REQUEST_MAX: Duration = Duration::from_secs(120);

/// A port was not to be had.
#[derive(Debug, thiserror::Error)]
pub enum PortFault {
    /// Somebody else listens there.
    #[error(
        "port {port} ({what}) is already in use on {address}. Stop what listens there, or start with --port-offset N to shift every port by N"
    )]
    InUse {
        /// What it is for.
        what: &'static str,
        /// Address.
        address: String,
        /// Number.
        port: u16,
    },
    /// Anything else.
    #[error("cannot listen on {address}:{port} ({what}): {source}")]
    Other {
        /// What it is for.
        what: &'static str,
        /// Address.
        address: String,
        /// Number.
        port: u16,
        /// Why.
        source: std::io::Error,
    },
}

/// Opens a port.
///
/// # Errors
/// [`PortFault`] naming port and purpose.
pub(crate) async fn bind(what: &'static str, address: &str, port: u16) -> Result<TcpListener, PortFault> {
    TcpListener::bind((address, port)).await.map_err(|source| {
        let address = address.to_owned();
        if source.kind() == std::io::ErrorKind::AddrInUse {
            PortFault::InUse { what, address, port }
        } else {
            PortFault::Other { what, address, port, source }
        }
    })
}

/// Serves `router` on `listener` until `stop` turns true, then lets open requests finish for `drain` at most.
pub(crate) async fn serve(
    listener: TcpListener,
    tls: Option<Arc<rustls::ServerConfig>>,
    router: Router,
    mut stop: watch::Receiver<bool>,
    drain: Duration,
) {
    let acceptor = tls.map(TlsAcceptor::from);
    let graceful = GracefulShutdown::new();
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.wait_for(|stop| *stop) => break,
        };
        let (stream, peer) = match accepted {
            Ok(accepted) => accepted,
            Err(fault) => {
                // Out of file descriptors, most likely: wait for some to come free instead of spinning.
                tracing::warn!(%fault, "cannot accept a connection");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else {
            tracing::warn!(%peer, "connection refused: {CONNECTIONS_MAX} are open already");
            continue;
        };
        let (router, acceptor, watcher) = (router.clone(), acceptor.clone(), graceful.watcher());
        tokio::spawn(async move {
            let _place = place;
            match acceptor {
                None => converse(stream, peer, false, router, watcher).await,
                Some(acceptor) => {
                    if let Some(stream) = shake_hands(&acceptor, stream, peer).await {
                        let http2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                        converse(stream, peer, http2, router, watcher).await;
                    }
                }
            }
        });
    }
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::warn!(?drain, "requests were still open after the drain time and are cut off");
    }
}

/// Ends requests that take longer than [`REQUEST_MAX`]. What a room was doing is rolled back with its transaction.
pub(crate) async fn not_for_ever(request: Request, next: Next) -> Response {
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    match tokio::time::timeout(REQUEST_MAX, next.run(request)).await {
        Ok(response) => response,
        Err(_) => {
            tracing::warn!(%method, path, "a request took too long and was ended");
            Problem::with_code(StatusCode::REQUEST_TIMEOUT, 408, "Request Timeout", "The request was not complete in time.").into_response()
        }
    }
}

async fn shake_hands(acceptor: &TlsAcceptor, stream: TcpStream, peer: SocketAddr) -> Option<tokio_rustls::server::TlsStream<TcpStream>> {
    match tokio::time::timeout(PATIENCE, acceptor.accept(stream)).await {
        Ok(Ok(stream)) => Some(stream),
        Ok(Err(fault)) => {
            tracing::debug!(%peer, %fault, "TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "TLS handshake took too long");
            None
        }
    }
}

async fn converse<S>(stream: S, peer: SocketAddr, http2: bool, router: Router, watcher: hyper_util::server::graceful::Watcher)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    // Which version it is was settled by ALPN. Finding out from the first bytes instead would wait for them without a limit.
    let mut builder = Builder::new(TokioExecutor::new());
    builder = if http2 { builder.http2_only() } else { builder.http1_only() };
    builder.http1().timer(TokioTimer::new()).header_read_timeout(PATIENCE).max_buf_size(64 * 1024);
    builder.http2().timer(TokioTimer::new()).keep_alive_interval(Some(Duration::from_secs(60))).max_header_list_size(64 * 1024);
    let service = TowerToHyperService::new(router);
    let service = service_fn(move |mut request: hyper::Request<hyper::body::Incoming>| {
        request.extensions_mut().insert(ClientAddress(peer.ip()));
        service.call(request)
    });
    let connection = builder.serve_connection(TokioIo::new(stream), service).into_owned();
    if let Err(fault) = watcher.watch(connection).await {
        tracing::debug!(%peer, %fault, "connection ended early");
    }
}
