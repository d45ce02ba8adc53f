//! `/healthz`, `/readyz` and `/metrics`.

use std::sync::Arc;

use axum::Router;
use axum::response::IntoResponse;
use axum::routing::get;
use http::{StatusCode, header};
use metrics_exporter_prometheus::PrometheusHandle;

/// Alive as soon as the port is open; ready while the gateway serves a snapshot that is kept current.
pub(crate) fn health(ready: Arc<dyn Fn() -> bool + Send + Sync>) -> Router {
    Router::new().route("/healthz", get(|| async { "alive\n" })).route(
        "/readyz",
        get(move || {
            let ready = ready();
            async move { if ready { (StatusCode::OK, "ready\n") } else { (StatusCode::SERVICE_UNAVAILABLE, "not ready\n") } }
        }),
    )
}

/// For the management port alone: the REST port is everybody's.
pub(crate) fn metrics(metrics: PrometheusHandle) -> Router {
    Router::new().route(
        "/metrics",
        get(move || {
            let text = metrics.render();
            async move { ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response() }
        }),
    )
}
