//! The desk's doors: OAuth2 under `/oauth2`, client registration of version 0.17.

mod answer;
mod authenticate;
mod oauth2;
mod params;
mod registration;

use std::sync::Arc;

use axum::Router;
use axum::middleware;
use axum::routing::{get, post};

use crate::Desk;

/// The OAuth2 endpoints, as `/oauth2/…`.
///
/// They are the same for every tenant; merge the router as it is, and nest a second one at `/t/{domain}`: with that path parameter the key set
/// and the discovery document are the tenant's, and an unknown or inactive tenant is answered 404.
pub fn oauth2_router(desk: Desk) -> Router {
    Router::new()
        .route("/oauth2/token", post(oauth2::token))
        .route("/oauth2/revoke", post(oauth2::revoke))
        .route("/oauth2/introspect", post(oauth2::introspect))
        .route("/oauth2/userinfo", get(oauth2::userinfo).post(oauth2::userinfo))
        .route("/oauth2/jwks", get(oauth2::jwks))
        .route("/oauth2/token/.well-known/openid-configuration", get(oauth2::discovery))
        .route_layer(middleware::from_fn_with_state(desk.clone(), oauth2::known_tenant))
        .layer(middleware::map_response(answer::with_common_headers))
        .with_state(desk)
}

/// Client registration, as `/register`, for `server` to nest at `/client-registration/v0.17`.
pub fn registration_door(desk: Desk, authenticate: Arc<dyn rest::Authenticate>) -> Router {
    registration::door(authenticate).finish(desk)
}

/// What the registration door declares, for tests that walk every door.
pub fn registration_operations(authenticate: Arc<dyn rest::Authenticate>) -> Vec<rest::DoorOperation> {
    registration::door(authenticate).operations().to_vec()
}
