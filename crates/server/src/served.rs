//! A REST write answers when the gateway of this process serves it.
//!
//! The rooms know nothing of gateways: they commit, and the outbox says so. This layer sits around their routers and holds back the answer
//! to a successful write until the feed has applied everything committed so far, for [`PATIENCE`] at most: a stuck feed delays an answer,
//! it does not fail a write that has happened.

use std::time::Duration;

use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::Response;
use http::Method;
use tokio::sync::watch;

/// Longest an answer is held back.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);

/// The two numbers the layer compares.
#[derive(Clone)]
pub(crate) struct Served {
    /// Number of the last change committed in this process.
    pub(crate) committed: watch::Receiver<i64>,
    /// Number of the last change the gateway serves.
    pub(crate) applied: watch::Receiver<i64>,
}

/// The layer.
pub(crate) async fn hold_back(State(mut served): State<Served>, request: Request, next: Next) -> Response {
    let reads = matches!(*request.method(), Method::GET | Method::HEAD | Method::OPTIONS);
    let response = next.run(request).await;
    if reads || !response.status().is_success() {
        return response;
    }
    let committed = *served.committed.borrow_and_update();
    let caught_up = served.applied.wait_for(|applied| *applied >= committed);
    match tokio::time::timeout(PATIENCE, caught_up).await {
        Ok(Ok(_)) => {}
        Ok(Err(_)) => tracing::debug!("the gateway's feed has ended; answering without it"),
        Err(_) => tracing::warn!(committed, "the gateway has not caught up in {PATIENCE:?}; answering anyway"),
    }
    response
}
