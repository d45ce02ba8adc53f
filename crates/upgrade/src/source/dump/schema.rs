//! The column list of a `CREATE TABLE`, out of the statement's text.

use crate::source::{Column, Kind, Table};

/// A declared table, and which of its columns are MySQL TIMESTAMPs, which a dump may carry in UTC.
#[derive(Debug, PartialEq)]
pub(super) struct Declared {
    pub(super) table: Table,
    pub(super) utc_moved: Vec<bool>,
}

/// Reads the text behind `CREATE`, without its `;`. `None` when it declares no table.
pub(super) fn create_table(text: &str) -> Option<Declared> {
    let mut scan = Scan { rest: text };
    let mut word = scan.word()?;
    while matches!(word.as_str(), "GLOBAL" | "LOCAL" | "UNLOGGED" | "CACHED" | "MEMORY") {
        word = scan.word()?;
    }
    if word != "TABLE" {
        return None;
    }
    let mut name = scan.name()?;
    if name.eq_ignore_ascii_case("IF") {
        scan.word().filter(|w| w == "NOT")?;
        scan.word().filter(|w| w == "EXISTS")?;
        name = scan.name()?;
    }
    while scan.take('.') {
        name = scan.name()?;
    }
    if !scan.take('(') {
        return None;
    }
    let mut columns = Vec::new();
    let mut utc_moved = Vec::new();
    for item in items(scan.rest) {
        let mut item = Scan { rest: item };
        let quoted = item.rest.trim_start().starts_with(['`', '"', '[']);
        let Some(first) = item.name() else { continue };
        // A quoted word is a column even when it reads like a constraint.
        if !quoted && is_constraint(&first) {
            continue;
        }
        let declared = item.word().unwrap_or_default();
        utc_moved.push(declared == "TIMESTAMP");
        columns.push(Column { name: first, kind: Kind::of_sql_type(&declared) });
    }
    Some(Declared { table: Table::new(name, columns), utc_moved })
}

fn is_constraint(word: &str) -> bool {
    let word = word.to_ascii_uppercase();
    matches!(
        word.as_str(),
        "PRIMARY" | "UNIQUE" | "KEY" | "INDEX" | "FOREIGN" | "CONSTRAINT" | "CHECK" | "FULLTEXT" | "SPATIAL" | "EXCLUDE" | "LIKE"
    )
}

/// Splits at the commas of the outermost list and stops at its closing bracket.
fn items(text: &str) -> Vec<&str> {
    let mut items = Vec::new();
    let (mut depth, mut start, mut quote) = (0_usize, 0, None);
    for (at, c) in text.char_indices() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some(_), _) => {}
            (None, '\'' | '"' | '`') => quote = Some(c),
            (None, '(') => depth += 1,
            (None, ')') if depth == 0 => {
                items.push(text.get(start..at).unwrap_or_default());
                break;
            }
            (None, ')') => depth -= 1,
            (None, ',') if depth == 0 => {
                items.push(text.get(start..at).unwrap_or_default());
                start = at + 1;
            }
            _ => {}
        }
    }
    items
}

struct Scan<'a> {
    rest: &'a str,
}

impl Scan<'_> {
    fn take(&mut self, what: char) -> bool {
        self.rest = self.rest.trim_start();
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn word(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        // SQL Server's tools quote types as they quote names.
        if self.rest.starts_with('[') {
            return self.name().map(|name| name.to_ascii_uppercase());
        }
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(self.rest.len());
        let (word, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!word.is_empty()).then(|| word.to_ascii_uppercase())
    }

    fn name(&mut self) -> Option<String> {
        self.rest = self.rest.trim_start();
        let quote = self.rest.chars().next()?;
        if quote == '`' || quote == '"' || quote == '[' {
            let quote = if quote == '[' { ']' } else { quote };
            let inner = self.rest.get(1..)?;
            let end = inner.find(quote)?;
            let name = inner.get(..end)?;
            self.rest = inner.get(end + 1..)?;
            return Some(name.to_owned());
        }
        let end = self.rest.find(|c: char| !(c.is_alphanumeric() || c == '_' || c == '$')).unwrap_or(self.rest.len());
        let (name, rest) = self.rest.split_at_checked(end)?;
        self.rest = rest;
        (!name.is_empty()).then(|| name.to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(text: &str) -> (String, Vec<(String, Kind)>) {
        let declared = create_table(text).unwrap();
        (declared.table.name.clone(), declared.table.columns.iter().map(|c| (c.name.clone(), c.kind)).collect())
    }

    #[test]
    fn reads_both_writers_spellings() {
        let mysql = " TABLE `AM_API` (\n `API_ID` int(11) NOT NULL AUTO_INCREMENT,\n `KEY` varchar(10) DEFAULT 'a,)b',\n `CREATED_TIME` timestamp NOT NULL DEFAULT CURRENT_TIMESTAMP,\n PRIMARY KEY (`API_ID`),\n UNIQUE KEY `x` (`API_ID`,`KEY`)\n) ENGINE=InnoDB";
        assert_eq!(
            names(mysql),
            ("AM_API".into(), vec![("API_ID".into(), Kind::Int), ("KEY".into(), Kind::Text), ("CREATED_TIME".into(), Kind::Timestamp)])
        );
        let postgres = " TABLE public.am_api (\n    api_id integer DEFAULT nextval('s'::regclass) NOT NULL,\n    blob bytea,\n    name character varying(256),\n    t timestamp without time zone,\n    CONSTRAINT c CHECK ((api_id > 0))\n)";
        assert_eq!(
            names(postgres),
            (
                "am_api".into(),
                vec![
                    ("api_id".into(), Kind::Int),
                    ("blob".into(), Kind::Bytes),
                    ("name".into(), Kind::Text),
                    ("t".into(), Kind::Timestamp)
                ]
            )
        );
        assert_eq!(create_table(" INDEX x ON y (z)"), None);
        assert!(create_table(" TABLE IF NOT EXISTS x (a int)").is_some());
    }
}
