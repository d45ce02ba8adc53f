//! The tables of the 1.9.1 databases: names, columns, types, primary keys.
//!
//! Kept as one line of text per table (`schema.txt`), because a list of ninety-four like things reads best as a list.
//! Foreign and unique keys are left out on purpose: old sites have lost some of them (MyISAM, half-done scripts), and
//! the dirt this crate makes must load.

use std::sync::LazyLock;

/// Which of the three databases a table lives in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Database {
    /// API Manager and identity tables.
    Am,
    /// Users, roles and permissions.
    User,
    /// The registry.
    Registry,
}

/// A column's type, in the old scripts' words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    Integer,
    SmallInt,
    BigInt,
    Boolean,
    /// At most this many characters.
    VarChar(u16),
    /// Exactly this many characters.
    Char(u16),
    Timestamp,
    Date,
    /// At most 64 KiB on MySQL.
    Blob,
    MediumBlob,
    LongBlob,
}

/// One column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: &'static str,
    pub kind: ColumnType,
    pub nullable: bool,
    /// Numbered by the database.
    pub numbered: bool,
    /// A TIMESTAMP declared without NOT NULL: old MySQL servers made it NOT NULL and filled in the zero date.
    pub zero_dated: bool,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub name: &'static str,
    /// Empty for the few tables without one.
    pub primary_key: Vec<&'static str>,
    pub columns: Vec<Column>,
}

impl Table {
    /// The database this table belongs to, told by its prefix as the old product does.
    pub fn database(&self) -> Database {
        if self.name.starts_with("UM_") {
            Database::User
        } else if self.name.starts_with("REG_") {
            Database::Registry
        } else {
            Database::Am
        }
    }

    /// The position of a column.
    pub fn position(&self, column: &str) -> Option<usize> {
        self.columns.iter().position(|c| c.name == column)
    }
}

/// Every table of a 1.9.1 installation, sorted by name.
pub fn tables() -> &'static [Table] {
    static TABLES: LazyLock<Vec<Table>> = LazyLock::new(|| {
        include_str!("schema.txt").lines().map(|line| parse(line).expect("schema.txt is well formed; a test reads it")).collect()
    });
    &TABLES
}

/// The table called `name`.
pub(crate) fn table(name: &str) -> Option<&'static Table> {
    tables().iter().find(|t| t.name == name)
}

fn parse(line: &'static str) -> Option<Table> {
    let mut parts = line.split('|').map(str::trim);
    let name = parts.next()?;
    let primary_key = parts.next()?.split_whitespace().collect();
    let columns = parts.next()?.split_whitespace().map(parse_column).collect::<Option<Vec<_>>>()?;
    Some(Table { name, primary_key, columns })
}

fn parse_column(text: &'static str) -> Option<Column> {
    let (name, rest) = text.split_once(':')?;
    let kind = rest.trim_end_matches(['+', '?', '~']);
    let kind = match kind.split_once('(') {
        Some(("varchar", n)) => ColumnType::VarChar(n.trim_end_matches(')').parse().ok()?),
        Some(("char", n)) => ColumnType::Char(n.trim_end_matches(')').parse().ok()?),
        Some(_) => return None,
        None => match kind {
            "integer" => ColumnType::Integer,
            "smallint" => ColumnType::SmallInt,
            "bigint" => ColumnType::BigInt,
            "boolean" => ColumnType::Boolean,
            "timestamp" => ColumnType::Timestamp,
            "date" => ColumnType::Date,
            "blob" => ColumnType::Blob,
            "mediumblob" => ColumnType::MediumBlob,
            "longblob" => ColumnType::LongBlob,
            _ => return None,
        },
    };
    Some(Column { name, kind, nullable: rest.ends_with('?'), numbered: rest.ends_with('+'), zero_dated: rest.ends_with('~') })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_table_with_its_key_among_its_columns() {
        assert_eq!(tables().len(), 94);
        for table in tables() {
            assert!(!table.columns.is_empty(), "{}", table.name);
            for key in &table.primary_key {
                assert!(table.position(key).is_some(), "{}.{key}", table.name);
            }
        }
        let count = |database| tables().iter().filter(|t| t.database() == database).count();
        assert_eq!((count(Database::User), count(Database::Registry)), (22, 17));
    }

    /// The reference lists every column by version; ours must be exactly its 1.9.1 state.
    #[test]
    fn names_and_columns_are_those_of_the_reference() {
        let Ok(folder) = std::env::var("TIDEGATE_REFERENCE") else {
            println!("skipped: TIDEGATE_REFERENCE is not set");
            return;
        };
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join("source-schema.tsv")).unwrap();
        let mut expected = std::collections::BTreeMap::<String, Vec<String>>::new();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split('\t').collect();
            if fields[7] == "y" {
                expected.entry(fields[0].to_owned()).or_default().push(fields[1].to_owned());
            }
        }
        let ours: std::collections::BTreeMap<String, Vec<String>> =
            tables().iter().map(|t| (t.name.to_owned(), t.columns.iter().map(|c| c.name.to_owned()).collect())).collect();
        assert_eq!(ours, expected);
    }
}
