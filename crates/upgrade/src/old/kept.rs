//! Rows that are kept as they are: nothing here acts on them, and nothing of them may be lost.
//!
//! Cells come by their column's name, as text; bytes as Base64. What a column's name or its row calls a secret is held apart.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use model::Secret;

use crate::digests::short;
use crate::packed::{Packed, packs};
use crate::source::{CellError, Row, Source, SourceError};

/// One row.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptRow {
    /// Upper case.
    pub table: String,
    /// By column, upper case. NULL is left out.
    pub cells: BTreeMap<String, String>,
    /// By column, upper case.
    pub secrets: BTreeMap<String, Secret<String>>,
}

impl KeptRow {
    /// A cell's text.
    pub fn get(&self, column: &str) -> Option<&str> {
        self.cells.get(column).map(String::as_str)
    }

    /// A cell's number.
    pub fn int(&self, column: &str) -> Option<i64> {
        self.get(column)?.trim().parse().ok()
    }
}

packs! { KeptRow { table, cells, secrets } }

/// Tables whose rows are kept, by the database that serves them.
pub const OF_API: &[&str] = &[
    "AM_EXTERNAL_STORES",
    "AM_ALERT_TYPES",
    "AM_ALERT_TYPES_VALUES",
    "AM_ALERT_EMAILLIST",
    "AM_ALERT_EMAILLIST_DETAILS",
    "AM_LABELS",
    "AM_LABEL_URLS",
    "AM_CERTIFICATE_METADATA",
    "AM_API_CLIENT_CERTIFICATE",
];

/// As [`OF_API`], of the identity database.
pub const OF_IDENTITY: &[&str] = &[
    "IDP",
    "IDP_AUTHENTICATOR",
    "IDP_AUTHENTICATOR_PROPERTY",
    "IDP_CLAIM",
    "IDP_CLAIM_MAPPING",
    "IDP_LOCAL_CLAIM",
    "IDP_METADATA",
    "IDP_PROVISIONING_CONFIG",
    "IDP_PROVISIONING_ENTITY",
    "IDP_PROV_CONFIG_PROPERTY",
    "IDP_ROLE",
    "IDP_ROLE_MAPPING",
    "SP_APP",
    "SP_AUTH_SCRIPT",
    "SP_AUTH_STEP",
    "SP_CLAIM_DIALECT",
    "SP_CLAIM_MAPPING",
    "SP_FEDERATED_IDP",
    "SP_METADATA",
    "SP_PROVISIONING_CONNECTOR",
    "SP_REQ_PATH_AUTHENTICATOR",
    "SP_ROLE_MAPPING",
    "IDN_CLAIM_DIALECT",
    "IDN_CLAIM",
    "IDN_CLAIM_MAPPED_ATTRIBUTE",
    "IDN_CLAIM_MAPPING",
    "IDN_CLAIM_PROPERTY",
];

/// Whether the rows of a table are kept here.
pub fn keeps(table: &str) -> bool {
    OF_API.contains(&table) || OF_IDENTITY.contains(&table)
}

/// Rows that are kept, table by table.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Kept {
    tables: BTreeMap<&'static str, Packed<KeptRow>>,
}

impl Kept {
    /// All rows of a table.
    pub fn of<'a>(&'a self, table: &str) -> impl Iterator<Item = KeptRow> + use<'a> {
        self.tables.get(table).into_iter().flat_map(Packed::iter)
    }

    /// One of them, by its place among them.
    pub fn get(&self, table: &str, at: usize) -> Option<KeptRow> {
        self.tables.get(table)?.get(at)
    }

    /// Reads the rows of tables, in an order that is the same from every engine: by `ID`, and what has none by content.
    pub(super) async fn read(
        &mut self,
        source: &Source,
        tables: &[&'static str],
        unreadable: &mut Vec<CellError>,
    ) -> Result<(), SourceError> {
        for table in tables.iter().copied() {
            let mut rows = source.scan(table);
            let mut found = Packed::default();
            let mut places = Vec::new();
            while let Some(row) = rows.next().await? {
                match of(table, &row) {
                    Ok(kept) => {
                        places.push((kept.int("ID"), short(&format!("{:?}", kept.cells)), places.len()));
                        found.push(kept);
                    }
                    Err(fault) => unreadable.push(fault),
                }
            }
            let sorted = match places.is_sorted() {
                true => found,
                false => {
                    places.sort_unstable();
                    places.iter().filter_map(|(_, _, at)| found.get(*at)).collect()
                }
            };
            self.tables.insert(table, sorted);
        }
        Ok(())
    }
}

fn of(table: &str, row: &Row) -> Result<KeptRow, CellError> {
    let mut kept = KeptRow { table: table.to_owned(), cells: BTreeMap::new(), secrets: BTreeMap::new() };
    let marked = row.text("IS_SECRET").ok().flatten().is_some_and(|mark| mark.trim() == "1" || mark.eq_ignore_ascii_case("true"));
    for column in &row.table().columns {
        let name = column.name.to_ascii_uppercase();
        let text = match row.text(&column.name) {
            Ok(text) => text,
            Err(_) => {
                let written = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap_or_else(|raw| BASE64_STANDARD.encode(raw.into_bytes()));
                row.bytes(&column.name)?.map(written)
            }
        };
        let Some(text) = text else { continue };
        let sealed = name.contains("PASSWORD") || name.contains("SECRET") && name != "IS_SECRET" || marked && name == "PROPERTY_VALUE";
        let named_so = row.text("PROPERTY_KEY").ok().flatten().is_some_and(|key| {
            let key = key.to_ascii_lowercase();
            key.contains("password") || key.contains("secret")
        });
        if sealed || named_so && name == "PROPERTY_VALUE" {
            kept.secrets.insert(name, Secret::new(text));
        } else {
            kept.cells.insert(name, text);
        }
    }
    Ok(kept)
}
