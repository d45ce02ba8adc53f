//! The JSON of open columns: one serde record per noun, because `model` knows no wire format.
//!
//! Each stored object says which version of the codec wrote it (`"v"`). A field added later gets a serde default; a field whose meaning
//! changes gets a new version and an arm in the noun's reader.

mod api;
mod policy;
mod record;
mod secrets;
mod small;

pub(crate) use api::{api_from_json, api_to_json};
pub(crate) use policy::{AdvancedBody, ApplicationBody, CustomBody, DenialRow, SubscriptionBody};
pub(crate) use record::{Field, Versioned, Wrong};
pub(crate) use small::{ClientBody, EnvironmentBody};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::{Error, Result};

/// JSON text for `column`.
pub(crate) fn to_json<T: Serialize + ?Sized>(column: &str, value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::corrupt(column, e))
}

/// Reads JSON text of `column`. The error tells where it broke, not what it held.
pub(crate) fn from_json<T: DeserializeOwned>(column: &str, text: &str) -> Result<T> {
    serde_json::from_str(text).map_err(|e| Error::corrupt(column, format!("line {}, column {}: {:?}", e.line(), e.column(), e.classify())))
}

/// A model value as a versioned record of type `R`.
pub(crate) fn encode<M, R: Field<M>>(column: &str, value: &M) -> Result<String> {
    to_json(column, &Versioned { v: 1, body: R::keep(value) })
}

/// Reads back what [`encode`] wrote.
pub(crate) fn decode<M, R: Field<M>>(column: &str, text: &str) -> Result<M> {
    let stored: Versioned<R> = from_json(column, text)?;
    if stored.v != 1 {
        return Err(Error::corrupt(column, format!("codec version {} is not known", stored.v)));
    }
    stored.body.give().map_err(|Wrong(what)| Error::corrupt(column, what))
}
