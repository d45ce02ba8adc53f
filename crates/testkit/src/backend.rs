//! A backend that answers every request with what it was asked, as JSON: `{"method", "path", "headers", "body"}`.
//!
//! A path with `held` in it is answered only after [`Backend::release`], so that a test can look at a call in flight without guessing how
//! long it takes.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// A running backend; ends with the test's runtime.
pub struct Backend {
    address: SocketAddr,
    arrived: watch::Receiver<usize>,
    released: watch::Sender<bool>,
}

impl Backend {
    /// On a free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("an address");
        let (arriving, arrived) = watch::channel(0);
        let (released, gate) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (arriving, gate) = (arriving.clone(), gate.clone());
                let service = service_fn(move |request| {
                    arriving.send_modify(|count| *count += 1);
                    answer(request, gate.clone())
                });
                tokio::spawn(async move {
                    // The gateway closing a connection is its good right.
                    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
        Self { address, arrived, released }
    }

    /// Its base URL, without a slash at the end.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Requests so far.
    #[must_use]
    pub fn requests(&self) -> usize {
        *self.arrived.borrow()
    }

    /// Waits until so many requests have arrived.
    pub async fn wait_for_requests(&self, count: usize) {
        let mut arrived = self.arrived.clone();
        let enough = arrived.wait_for(|seen| *seen >= count);
        tokio::time::timeout(Duration::from_secs(10), enough).await.expect("requests reach the backend").expect("the backend lives");
    }

    /// Lets held requests go, those to come included.
    pub fn release(&self) {
        self.released.send_replace(true);
    }
}

async fn answer(request: Request<Incoming>, mut gate: watch::Receiver<bool>) -> Result<Response<Full<Bytes>>, Infallible> {
    if request.uri().path().contains("held") {
        // An ended test has dropped the sender: nobody waits for this answer then.
        let _ = gate.wait_for(|open| *open).await;
    }
    Ok(echo(request).await)
}

async fn echo(request: Request<Incoming>) -> Response<Full<Bytes>> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
    let headers: serde_json::Map<String, serde_json::Value> = head
        .headers
        .iter()
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned().into()))
        .collect();
    let told = serde_json::json!({
        "method": head.method.as_str(),
        "path": head.uri.path_and_query().map(ToString::to_string),
        "headers": headers,
        "body": String::from_utf8_lossy(&body),
    });
    let mut response = Response::new(Full::from(told.to_string()));
    response.headers_mut().insert("content-type", http::HeaderValue::from_static("application/json"));
    response
}
