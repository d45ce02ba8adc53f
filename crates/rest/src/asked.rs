//! Query and path parameters, refused with the common error body.

use axum::extract::{FromRequestParts, Path, Query};
use http::request::Parts;
use serde::de::DeserializeOwned;

use crate::Problem;

/// Query parameters.
#[derive(Debug)]
pub struct Asked<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(asked) = Query::<T>::try_from_uri(&parts.uri).map_err(|fault| Problem::bad_request(fault.body_text()))?;
        Ok(Self(asked))
    }
}

/// Path parameters.
#[derive(Debug)]
pub struct Named<T>(pub T);

impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path(named) = Path::<T>::from_request_parts(parts, state).await.map_err(|fault| Problem::bad_request(fault.body_text()))?;
        Ok(Self(named))
    }
}
