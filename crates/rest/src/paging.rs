//! Paging: `limit` and `offset` in, `{count, list, pagination}` out.

use axum::extract::{FromRequestParts, Query};
use http::request::Parts;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Problem;

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Paging {
    /// Most items: 25 unless asked; what is beyond 1,000 is cut to it.
    pub limit: u32,
    /// Items to skip.
    pub offset: u32,
}

#[derive(Deserialize)]
struct Asked {
    limit: Option<i64>,
    offset: Option<i64>,
}

impl<S: Send + Sync> FromRequestParts<S> for Paging {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let Query(asked) =
            Query::<Asked>::try_from_uri(&parts.uri).map_err(|_| Problem::bad_request("limit and offset must be whole numbers"))?;
        let limit = asked.limit.unwrap_or(25);
        let offset = asked.offset.unwrap_or(0);
        if limit < 0 || offset < 0 {
            return Err(Problem::bad_request("limit and offset must not be negative"));
        }
        Ok(Self { limit: u32::try_from(limit).unwrap_or(u32::MAX).min(1000), offset: u32::try_from(offset).unwrap_or(u32::MAX) })
    }
}

/// One page. `count` is the size of this page; `path` and `query` (name and value pairs, in order) make the links to its neighbours.
pub fn list<T: Serialize>(items: &[T], total: u64, paging: Paging, path: &str, query: &[(&str, &str)]) -> Value {
    let Paging { limit, offset } = paging;
    let link = |offset: u32| {
        let tail: String = query
            .iter()
            .fold(String::new(), |tail, (name, value)| format!("{tail}&{name}={}", utf8_percent_encode(value, NON_ALPHANUMERIC)));
        format!("{path}?limit={limit}&offset={offset}{tail}")
    };
    let after = u64::from(offset) + u64::from(limit);
    let next = if limit > 0 && after < total { link(offset.saturating_add(limit)) } else { String::new() };
    let previous = if offset > 0 && limit > 0 { link(offset.saturating_sub(limit)) } else { String::new() };
    json!({
        "count": items.len(),
        "list": items,
        "pagination": { "offset": offset, "limit": limit, "total": total, "next": next, "previous": previous },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn neighbours_are_linked_only_where_they_are() {
        let first = list(&[1, 2], 5, Paging { limit: 2, offset: 0 }, "/apis", &[("query", "name:a b")]);
        assert_eq!(first["count"], 2);
        assert_eq!(first["pagination"]["next"], "/apis?limit=2&offset=2&query=name%3Aa%20b");
        assert_eq!(first["pagination"]["previous"], "");
        let last = list(&[5], 5, Paging { limit: 2, offset: 4 }, "/apis", &[]);
        assert_eq!(last["pagination"]["next"], "");
        assert_eq!(last["pagination"]["previous"], "/apis?limit=2&offset=2");
    }
}
