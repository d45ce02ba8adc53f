//! Tables and columns no known version of the old product has: somebody's own additions, or a version nobody told us of. They are listed,
//! never passed over.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use crate::source::Table;

/// What the old product's tables hold: a table's name, a colon, its columns; lines that begin with a blank go on. Names only, of all
/// versions together, since a database may have been brought from one to the next by hand.
const KNOWN: &str = include_str!("known_columns.txt");

static COLUMNS: LazyLock<HashMap<&'static str, HashSet<&'static str>>> = LazyLock::new(|| {
    let mut found: HashMap<&str, HashSet<&str>> = HashMap::new();
    let mut table = "";
    for line in KNOWN.lines() {
        let columns = match line.split_once(':') {
            Some((name, columns)) => {
                table = name;
                columns
            }
            None => line,
        };
        found.entry(table).or_default().extend(columns.split_whitespace());
    }
    found
});

/// A table that is not known, or has columns that are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stranger {
    /// The database as it shows itself.
    pub source: String,
    /// Upper case.
    pub table: String,
    /// Its unknown columns in upper case; empty when the table itself is unknown.
    pub columns: Vec<String>,
    /// Rows of the table.
    pub rows: u64,
}

/// What is strange about a table.
pub(super) fn of(source: &str, table: &Table, rows: u64) -> Option<Stranger> {
    let name = table.name.to_ascii_uppercase();
    let columns = match COLUMNS.get(name.as_str()).or_else(|| COLUMNS.get(partitioned(&name)?)) {
        Some(known) => {
            let own: Vec<String> =
                table.columns.iter().map(|c| c.name.to_ascii_uppercase()).filter(|c| !known.contains(c.as_str())).collect();
            if own.is_empty() {
                return None;
            }
            own
        }
        None => Vec::new(),
    };
    Some(Stranger { source: source.to_owned(), table: name, columns, rows })
}

/// Tokens of other user stores are in tables of their own, whose names a site chooses.
fn partitioned(name: &str) -> Option<&'static str> {
    name.starts_with("IDN_OAUTH2_ACCESS_TOKEN_").then_some("IDN_OAUTH2_ACCESS_TOKEN")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source::{Column, Kind};

    fn table(name: &str, columns: &[&str]) -> Table {
        Table::new(name, columns.iter().map(|c| Column { name: (*c).to_owned(), kind: Kind::Text }).collect())
    }

    #[test]
    fn only_what_no_version_has_is_strange() {
        assert_eq!(of("db", &table("am_api", &["api_id", "CONTEXT"]), 3), None);
        assert_eq!(of("db", &table("IDN_OAUTH2_ACCESS_TOKEN_A", &["ACCESS_TOKEN"]), 3), None);
        let own = of("db", &table("AM_API", &["API_ID", "cost_centre", "Region"]), 3).unwrap();
        assert_eq!((own.columns, own.rows), (vec!["COST_CENTRE".to_owned(), "REGION".to_owned()], 3));
        let whole = of("db", &table("ACME_BILLING", &["ID"]), 7).unwrap();
        assert_eq!((whole.table.as_str(), whole.columns.len(), whole.rows), ("ACME_BILLING", 0, 7));
    }

    #[test]
    fn the_list_reads() {
        assert!(COLUMNS.len() > 200 && COLUMNS.values().all(|c| !c.is_empty()));
        assert!(COLUMNS["AM_API"].contains("API_TIER") && COLUMNS["REG_RESOURCE"].contains("REG_UUID"));
    }
}
