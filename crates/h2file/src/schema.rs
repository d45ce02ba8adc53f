//! Tables and columns, read from the `CREATE ... TABLE` statements H2 keeps in its system table.
//!
//! Only what a reader of rows needs is understood: names, types, "not null". Statements about anything else (constraints,
//! views, users, sequences) are not ours and are left alone.

use crate::error::Error;

/// A table of the database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    pub schema: String,
    pub name: String,
    pub columns: Vec<Column>,
    pub kind: TableKind,
    pub(crate) id: i32,
    /// The column that is the row's key, when the primary key is one integer. Its value may be absent from the row.
    pub(crate) key_column: Option<usize>,
}

impl Table {
    /// The place of a column among the row's values. H2 keeps names as it compares them: upper case unless quoted.
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    /// H2's own number for this table.
    pub fn id(&self) -> i32 {
        self.id
    }
}

/// How the table is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TableKind {
    /// `CREATE CACHED TABLE`, the usual kind.
    Cached,
    /// `CREATE MEMORY TABLE`: rows in the file, indexes in memory.
    Memory,
    /// `NOT PERSISTENT` or linked: no rows in this file.
    Elsewhere,
}

/// A column of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub name: String,
    pub sql_type: SqlType,
    pub nullable: bool,
}

/// A column's type, without length and scale: H2 does not pad or round what it stored.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SqlType {
    Boolean,
    TinyInt,
    SmallInt,
    Integer,
    BigInt,
    Decimal,
    Double,
    Real,
    Time,
    Date,
    Timestamp,
    Binary,
    Varchar,
    VarcharIgnoreCase,
    Char,
    Blob,
    Clob,
    Uuid,
    Array,
    JavaObject,
    Geometry,
    /// A domain or a type this reader does not know, as written.
    Other(String),
}

impl SqlType {
    fn named(name: &str) -> SqlType {
        match name.to_ascii_uppercase().as_str() {
            "BOOLEAN" | "BIT" | "BOOL" => SqlType::Boolean,
            "TINYINT" => SqlType::TinyInt,
            "SMALLINT" | "INT2" | "YEAR" => SqlType::SmallInt,
            "INTEGER" | "INT" | "INT4" | "MEDIUMINT" | "SIGNED" | "SERIAL" => SqlType::Integer,
            "BIGINT" | "INT8" | "LONG" | "IDENTITY" => SqlType::BigInt,
            "DECIMAL" | "NUMERIC" | "NUMBER" | "DEC" => SqlType::Decimal,
            "DOUBLE" | "FLOAT" | "FLOAT8" => SqlType::Double,
            "REAL" | "FLOAT4" => SqlType::Real,
            "TIME" => SqlType::Time,
            "DATE" => SqlType::Date,
            "TIMESTAMP" | "DATETIME" | "SMALLDATETIME" => SqlType::Timestamp,
            "VARBINARY" | "BINARY" | "LONGVARBINARY" | "RAW" | "BYTEA" => SqlType::Binary,
            "VARCHAR" | "VARCHAR2" | "NVARCHAR" | "NVARCHAR2" | "LONGVARCHAR" => SqlType::Varchar,
            "VARCHAR_IGNORECASE" | "VARCHAR_CASESENSITIVE" => SqlType::VarcharIgnoreCase,
            "CHAR" | "CHARACTER" | "NCHAR" => SqlType::Char,
            "BLOB" | "TINYBLOB" | "MEDIUMBLOB" | "LONGBLOB" | "IMAGE" | "OID" => SqlType::Blob,
            "CLOB" | "TINYTEXT" | "TEXT" | "MEDIUMTEXT" | "LONGTEXT" | "NTEXT" | "NCLOB" => SqlType::Clob,
            "UUID" => SqlType::Uuid,
            "ARRAY" => SqlType::Array,
            "OTHER" | "OBJECT" | "JAVA_OBJECT" => SqlType::JavaObject,
            "GEOMETRY" => SqlType::Geometry,
            _ => SqlType::Other(name.to_owned()),
        }
    }
}

/// What one statement of the catalogue tells us.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Statement {
    Table(Table),
    /// The build number of the H2 that created the database, as in `SET CREATE_BUILD 140`.
    CreateBuild(u32),
    Other,
}

/// Reads a statement. `id` is its number in the catalogue, which for a table is also the table's number.
pub(crate) fn statement(id: i32, sql: &str) -> Result<Statement, Error> {
    let mut words = Words::new(sql);
    match words.next().as_ref().and_then(Word::keyword) {
        Some(word) if word == "SET" => return Ok(create_build(words).map_or(Statement::Other, Statement::CreateBuild)),
        Some(word) if word == "CREATE" => {}
        _ => return Ok(Statement::Other),
    }
    let mut kind = TableKind::Cached;
    loop {
        match words.next().as_ref().and_then(Word::keyword).as_deref() {
            Some("TABLE") => break,
            Some("CACHED" | "FORCE" | "GLOBAL" | "LOCAL") => {}
            Some("MEMORY") => kind = TableKind::Memory,
            Some("LINKED" | "TEMPORARY") => kind = TableKind::Elsewhere,
            _ => return Ok(Statement::Other),
        }
    }
    let bad = |what| Error::BadCatalogue { id, what };
    let no_name = || bad("a table has no name");
    let mut first = words.next().ok_or_else(no_name)?;
    // H2 writes IF NOT EXISTS for the tables it hides.
    if first == Word::Plain("IF".to_owned()) {
        first = words.nth(2).ok_or_else(no_name)?;
    }
    let mut name = first.name().ok_or_else(no_name)?;
    let mut schema = "PUBLIC".to_owned();
    let mut next = words.next();
    if next == Some(Word::Mark('.')) {
        let last = words.next().and_then(Word::name).ok_or_else(no_name)?;
        schema = std::mem::replace(&mut name, last);
        next = words.next();
    }
    if next == Some(Word::Plain("COMMENT".to_owned())) {
        next = words.nth(1);
    }
    if next != Some(Word::Mark('(')) {
        return Err(bad("a table has no list of columns"));
    }
    // The list of a linked table is its connection, not its columns.
    let linked = kind == TableKind::Elsewhere && sql.contains("LINKED TABLE");
    let columns = if linked { Vec::new() } else { columns(&mut words).ok_or_else(|| bad("the columns of a table cannot be read"))? };
    let rest: Vec<Word> = words.collect();
    let says = |words: &[&str]| {
        rest.windows(words.len()).any(|found| found.iter().zip(words).all(|(found, word)| found.keyword().as_deref() == Some(word)))
    };
    if says(&["NOT", "PERSISTENT"]) {
        kind = TableKind::Elsewhere;
    }
    Ok(Statement::Table(Table { schema, name, columns, kind, id, key_column: None }))
}

fn create_build(mut words: Words<'_>) -> Option<u32> {
    if words.next()?.keyword()? != "CREATE_BUILD" {
        return None;
    }
    match words.next()? {
        Word::Plain(number) => number.parse().ok(),
        _ => None,
    }
}

/// Reads columns up to the parenthesis that closes their list.
fn columns(words: &mut Words<'_>) -> Option<Vec<Column>> {
    let mut columns = Vec::new();
    loop {
        let name = match words.next()? {
            // An empty list, as H2 allows.
            Word::Mark(')') if columns.is_empty() => return Some(columns),
            word => word.name()?,
        };
        let sql_type = SqlType::named(&words.next()?.name()?);
        let mut nullable = true;
        let mut depth = 0u32;
        let mut after_not = false;
        let end = loop {
            let word = words.next()?;
            match word {
                Word::Mark('(') => depth += 1,
                Word::Mark(')') if depth > 0 => depth -= 1,
                Word::Mark(end @ (',' | ')')) if depth == 0 => break end,
                _ => {}
            }
            let keyword = word.keyword();
            if depth == 0 && after_not && keyword.as_deref() == Some("NULL") {
                nullable = false;
            }
            after_not = keyword.as_deref() == Some("NOT");
        };
        columns.push(Column { name, sql_type, nullable });
        if end == ')' {
            return Some(columns);
        }
    }
}

/// A piece of SQL.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Word {
    /// A name, keyword or number without quotes, as written.
    Plain(String),
    /// A name in double quotes, without them.
    Quoted(String),
    /// A text in single quotes or dollar quotes; its content never matters here.
    Text,
    Mark(char),
}

impl Word {
    fn keyword(&self) -> Option<String> {
        match self {
            Word::Plain(word) => Some(word.to_ascii_uppercase()),
            _ => None,
        }
    }

    fn name(self) -> Option<String> {
        match self {
            // H2 writes its catalogue with names already in the case it compares; a plain name is upper case by that.
            Word::Plain(word) => Some(word.to_uppercase()),
            Word::Quoted(word) => Some(word),
            _ => None,
        }
    }
}

/// Splits SQL into words.
struct Words<'a> {
    rest: &'a str,
}

impl<'a> Words<'a> {
    fn new(sql: &'a str) -> Self {
        Words { rest: sql }
    }

    /// Takes what is between two `quote`s, where a doubled quote stands for itself.
    fn quoted(&mut self, quote: char) -> String {
        let mut text = String::new();
        let mut chars = self.rest.char_indices().skip(1).peekable();
        while let Some((_, found)) = chars.next() {
            if found != quote {
                text.push(found);
            } else if chars.peek().is_some_and(|(_, next)| *next == quote) {
                chars.next();
                text.push(quote);
            } else {
                break;
            }
        }
        let at = chars.peek().map_or(self.rest.len(), |(at, _)| *at);
        self.rest = self.rest.get(at..).unwrap_or_default();
        text
    }

    /// Skips what does not matter: blanks and comments.
    fn skip_blanks(&mut self) {
        loop {
            self.rest = self.rest.trim_start();
            let end = if self.rest.starts_with("/*") {
                self.rest.find("*/").map(|at| at + 2)
            } else if self.rest.starts_with("--") || self.rest.starts_with("//") {
                self.rest.find('\n').map(|at| at + 1)
            } else {
                return;
            };
            self.rest = end.and_then(|end| self.rest.get(end..)).unwrap_or_default();
        }
    }
}

impl Iterator for Words<'_> {
    type Item = Word;

    fn next(&mut self) -> Option<Word> {
        self.skip_blanks();
        let first = self.rest.chars().next()?;
        if first == '"' {
            return Some(Word::Quoted(self.quoted('"')));
        }
        if first == '\'' {
            self.quoted('\'');
            return Some(Word::Text);
        }
        if let Some(text) = self.rest.strip_prefix("$$") {
            let end = text.find("$$").map_or(self.rest.len(), |at| at + 4);
            self.rest = self.rest.get(end..).unwrap_or_default();
            return Some(Word::Text);
        }
        let is_word = |c: char| c.is_alphanumeric() || c == '_' || c == '$';
        if is_word(first) {
            let end = self.rest.find(|c| !is_word(c)).unwrap_or(self.rest.len());
            let (word, rest) = self.rest.split_at(end);
            self.rest = rest;
            return Some(Word::Plain(word.to_owned()));
        }
        self.rest = self.rest.get(first.len_utf8()..).unwrap_or_default();
        Some(Word::Mark(first))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn table(sql: &str) -> Table {
        match statement(7, sql) {
            Ok(Statement::Table(table)) => table,
            other => panic!("{other:?}"),
        }
    }

    fn column(name: &str, sql_type: SqlType, nullable: bool) -> Column {
        Column { name: name.into(), sql_type, nullable }
    }

    #[test]
    fn a_table_as_h2_writes_it() {
        let table = table(
            "CREATE CACHED TABLE PUBLIC.PETS(\n    ID INTEGER DEFAULT (NEXT VALUE FOR PUBLIC.SYSTEM_SEQUENCE_1) NOT NULL \
             NULL_TO_DEFAULT SEQUENCE PUBLIC.SYSTEM_SEQUENCE_1,\n    NAME VARCHAR(255) DEFAULT 'a, (b) NOT NULL',\n    \
             \"weird \"\"name\"\", here\" DECIMAL(10, 2) COMMENT 'x' NOT NULL CHECK (\"weird\" > 0),\n    PICTURE BLOB\n)",
        );
        assert_eq!((table.schema.as_str(), table.name.as_str(), table.id), ("PUBLIC", "PETS", 7));
        assert_eq!(table.kind, TableKind::Cached);
        assert_eq!(
            table.columns,
            [
                column("ID", SqlType::Integer, false),
                column("NAME", SqlType::Varchar, true),
                column("weird \"name\", here", SqlType::Decimal, false),
                column("PICTURE", SqlType::Blob, true),
            ]
        );
        assert_eq!(table.column("PICTURE"), Some(3));
        assert_eq!(table.column("picture"), None);
    }

    #[test]
    fn hidden_memory_and_absent_tables() {
        let lobs = table(
            "CREATE CACHED TABLE IF NOT EXISTS INFORMATION_SCHEMA.LOBS COMMENT 'a (b'(\n ID BIGINT NOT NULL,\n BYTE_COUNT BIGINT,\n \"TABLE\" INT\n)\nHIDDEN",
        );
        assert_eq!(lobs.schema, "INFORMATION_SCHEMA");
        assert_eq!(lobs.columns.len(), 3);
        assert_eq!(table("CREATE MEMORY TABLE T(A INT)").kind, TableKind::Memory);
        assert_eq!(table("CREATE MEMORY TABLE T(A INT)").schema, "PUBLIC");
        assert_eq!(table("CREATE MEMORY TABLE S.T(A INT) NOT PERSISTENT").kind, TableKind::Elsewhere);
        let linked = "CREATE FORCE LINKED TABLE PUBLIC.L('org.x.Driver', 'jdbc:x', 'u', 'p', 'T') /* comment */";
        assert_eq!(table(linked).kind, TableKind::Elsewhere);
    }

    #[test]
    fn other_statements_are_left_alone() {
        for sql in [
            "CREATE PRIMARY KEY PUBLIC.PRIMARY_KEY_1 ON PUBLIC.PETS(ID)",
            "CREATE UNIQUE INDEX PUBLIC.TABLE_X ON PUBLIC.PETS(NAME)",
            "ALTER TABLE PUBLIC.PETS ADD CONSTRAINT PUBLIC.C UNIQUE(NAME) INDEX PUBLIC.I",
            "CREATE FORCE VIEW PUBLIC.V(A) AS\nSELECT 1",
            "CREATE USER IF NOT EXISTS WSO2CARBON SALT 'aa' HASH 'bb' ADMIN",
            "SET DEFAULT_TABLE_TYPE 0",
            "",
        ] {
            assert_eq!(statement(1, sql).unwrap(), Statement::Other, "{sql}");
        }
        assert_eq!(statement(1, "SET CREATE_BUILD 140").unwrap(), Statement::CreateBuild(140));
    }

    #[test]
    fn an_unfinished_table_is_named_by_its_entry() {
        for sql in ["CREATE TABLE T(A INT", "CREATE TABLE T", "CREATE TABLE", "CREATE TABLE T(A", "CREATE TABLE \"T"] {
            assert!(matches!(statement(9, sql), Err(Error::BadCatalogue { id: 9, .. })), "{sql}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "(CREATE |TABLE |CACHED |[A-Z]|\"|'|\\(|\\)|,|\\.|/\\*|--|\\$\\$|é|\n| ){0,40}") {
            let _ = statement(1, &text);
            prop_assert!(Words::new(&text).count() <= text.len());
        }
    }
}
