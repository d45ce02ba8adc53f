//! Query and path parameters, refused with the common error body.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use rest::Problem;
use serde::de::DeserializeOwned;

/// Query parameters.
pub(crate) struct Asked<T>(pub(crate) T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::<T>::try_from_uri(&parts.uri).map_err(|fault| Problem::bad_request(fault.body_text()))?;
        Ok(Self(asked))
    }
}

/// Path parameters.
pub(crate) struct Named<T>(pub(crate) T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let axum::extract::Path(named) =
            axum::extract::Path::<T>::from_request_parts(parts, state).await.map_err(|fault| Problem::bad_request(fault.body_text()))?;
        Ok(Self(named))
    }
}
