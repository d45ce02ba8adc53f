//! The tables of the old databases: names, columns, types, primary keys.
//!
//! Kept as one line of text per table of 1.9.1 (`schema.txt`), because a list of ninety-four like things reads best as a list; what
//! other versions have more or less is listed beside it (`schema_changes.txt`), each against the version next to it.
//! Foreign and unique keys are left out on purpose: old sites have lost some of them (MyISAM, half-done scripts), and
//! the dirt this crate makes must load.

use std::sync::LazyLock;

/// A version a site can be made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Version {
    V1_8_0,
    V1_9_0,
    #[default]
    V1_9_1,
    V1_10_0,
    V2_0_0,
}

impl Version {
    /// Every version, the oldest first.
    pub const ALL: [Self; 5] = [Self::V1_8_0, Self::V1_9_0, Self::V1_9_1, Self::V1_10_0, Self::V2_0_0];

    /// As the product writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_8_0 => "1.8.0",
            Self::V1_9_0 => "1.9.0",
            Self::V1_9_1 => "1.9.1",
            Self::V1_10_0 => "1.10.0",
            Self::V2_0_0 => "2.0.0",
        }
    }

    /// The changes that lead here from 1.9.1, in order.
    fn changes(self) -> &'static [&'static str] {
        match self {
            Self::V1_8_0 => &["1.9.0", "1.8.0"],
            Self::V1_9_0 => &["1.9.0"],
            Self::V1_9_1 => &[],
            Self::V1_10_0 => &["1.10.0"],
            Self::V2_0_0 => &["1.10.0", "2.0.0"],
        }
    }
}

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

/// Every table of an installation of `version`.
pub fn tables_of(version: Version) -> &'static [Table] {
    static TABLES: LazyLock<[Vec<Table>; 5]> =
        LazyLock::new(|| Version::ALL.map(|v| changed(v).expect("schema_changes.txt is well formed; a test reads it")));
    let [a, b, c, d, e] = &*TABLES;
    match version {
        Version::V1_8_0 => a,
        Version::V1_9_0 => b,
        Version::V1_9_1 => c,
        Version::V1_10_0 => d,
        Version::V2_0_0 => e,
    }
}

/// 1.9.1's tables with the changes that lead to `version`.
fn changed(version: Version) -> Option<Vec<Table>> {
    let mut tables = tables().to_vec();
    for step in version.changes() {
        for line in include_str!("schema_changes.txt").lines() {
            let mut parts = line.split('|').map(str::trim);
            if parts.next()? != *step {
                continue;
            }
            let (what, name, key, columns) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
            let at = tables.iter().position(|t| t.name == name);
            let key: Vec<_> = key.split_whitespace().collect();
            match (what, at) {
                ("gone", Some(at)) => drop(tables.remove(at)),
                ("new", None) => tables.push(Table {
                    name,
                    primary_key: key,
                    columns: columns.split_whitespace().map(parse_column).collect::<Option<_>>()?,
                }),
                ("less", Some(at)) => {
                    let gone: Vec<_> = columns.split_whitespace().collect();
                    let table = tables.get_mut(at)?;
                    table.columns.retain(|c| !gone.contains(&c.name));
                    table.primary_key.retain(|c| !gone.contains(c));
                }
                ("more", Some(at)) => {
                    let table = tables.get_mut(at)?;
                    table.columns.extend(columns.split_whitespace().map(parse_column).collect::<Option<Vec<_>>>()?);
                    if !key.is_empty() {
                        table.primary_key = key;
                    }
                }
                _ => return None,
            }
        }
    }
    tables.sort_by_key(|t| t.name);
    Some(tables)
}

/// The table called `name` of `version`.
pub(crate) fn table(version: Version, name: &str) -> Option<&'static Table> {
    tables_of(version).iter().find(|t| t.name == name)
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

    /// The reference lists every column by version; ours must be exactly its state of each.
    #[test]
    fn names_and_columns_are_those_of_the_reference() {
        let Ok(folder) = std::env::var("TIDEGATE_REFERENCE") else {
            println!("skipped: TIDEGATE_REFERENCE is not set");
            return;
        };
        let text = std::fs::read_to_string(std::path::Path::new(&folder).join("source-schema.tsv")).unwrap();
        for (at, version) in (5..).zip(Version::ALL) {
            let mut expected = std::collections::BTreeMap::<String, std::collections::BTreeSet<String>>::new();
            for line in text.lines().skip(1) {
                let fields: Vec<&str> = line.split('\t').collect();
                if fields[at] == "y" {
                    expected.entry(fields[0].to_owned()).or_default().insert(fields[1].to_owned());
                }
            }
            let columns = |t: &Table| t.columns.iter().map(|c| c.name.to_owned()).collect();
            let ours = tables_of(version).iter().map(|t| (t.name.to_owned(), columns(t))).collect();
            assert_eq!(expected, ours, "{version:?}");
        }
    }
}
