//! The key desk of this process, for requests that come to it by the ports of API traffic.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use axum::Router;
use axum::body::{Body, Bytes};
use gateway::KeyDesk;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Request, Response, StatusCode};
use hyper::service::Service as _;
use hyper_util::service::TowerToHyperService;
use rest::ClientAddress;

/// Longest answer the desk gives, in bytes; its own answers are a few thousand.
const ANSWER_MAX_BYTES: usize = 1 << 20;

/// The desk's router, with the layers that it has on its own port.
pub(crate) struct OwnDesk(pub(crate) TowerToHyperService<Router>);

impl OwnDesk {
    pub(crate) fn new(router: Router) -> Self {
        Self(TowerToHyperService::new(router))
    }
}

impl KeyDesk for OwnDesk {
    fn answer<'a>(&'a self, request: Request<Bytes>, client: IpAddr) -> Pin<Box<dyn Future<Output = Response<Bytes>> + Send + 'a>> {
        let mut request = request.map(Body::from);
        request.extensions_mut().insert(ClientAddress(client));
        let answered = self.0.call(request);
        Box::pin(async move {
            let Ok(response) = answered.await;
            let (head, body) = response.into_parts();
            match axum::body::to_bytes(body, ANSWER_MAX_BYTES).await {
                Ok(text) => Response::from_parts(head, text),
                Err(fault) => {
                    tracing::error!(%fault, "the key desk's answer could not be taken over");
                    let mut broken = Response::new(Bytes::from_static(b"{\"error\":\"server_error\"}"));
                    *broken.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                    broken.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
                    broken
                }
            }
        })
    }
}
