//! Statements a site put in place of the old product's own. They are run when they can do no more than read, and ask with the values we have.

use model::UserStore;

use super::address::Engine;
use crate::DefinitionFault;

/// Words that no statement may hold outside quotes: with them it could do more than read, or wait for others.
const FORBIDDEN: [&str; 19] = [
    "INSERT",
    "UPDATE",
    "DELETE",
    "MERGE",
    "REPLACE",
    "DROP",
    "ALTER",
    "CREATE",
    "TRUNCATE",
    "GRANT",
    "REVOKE",
    "CALL",
    "EXEC",
    "EXECUTE",
    "INTO",
    "LOCK",
    "SLEEP",
    "PG_SLEEP",
    "BENCHMARK",
];

const PLACEHOLDERS_MAX: usize = 8;

/// A statement that reads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Statement {
    /// Text with the engine's own placeholders.
    pub(super) text: String,
    /// How many values it asks for: the name, then the tenant each time.
    pub(super) values: usize,
}

/// An override and what becomes of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Overridden {
    /// The property.
    pub property: String,
    /// `None` where it is run as it stands; otherwise why it is not.
    pub refused: Option<String>,
}

/// Overrides that are acted on.
pub(super) const SELECT_USER: &str = "SelectUserSQL";
pub(super) const USER_ROLES: &str = "UserRoleSQL";
pub(super) const USER_FILTER: &str = "UserFilterSQL";

impl Statement {
    /// The store's own statement, or `standard`.
    pub(super) fn of(store: &UserStore, property: &'static str, standard: &str, engine: Engine) -> Result<Self, DefinitionFault> {
        match store.property(property) {
            Some(text) => Self::read(text, engine).map_err(|reason| DefinitionFault::new(property, reason)),
            None => Self::read(standard, engine).map_err(|reason| DefinitionFault::new(property, reason)),
        }
    }

    fn read(text: &str, engine: Engine) -> Result<Self, String> {
        let mut out = String::with_capacity(text.len());
        let mut values = 0;
        let mut word = String::new();
        let mut words: Vec<String> = Vec::new();
        let mut quote: Option<char> = None;
        let mut before = ' ';
        for c in text.trim().chars() {
            if let Some(open) = quote {
                out.push(c);
                if c == '\\' {
                    return Err("holds a backslash in a quoted text, which databases read differently".to_owned());
                }
                quote = (c != open).then_some(open);
                continue;
            }
            if c.is_alphanumeric() || c == '_' {
                word.extend(c.to_uppercase());
            } else if !word.is_empty() {
                words.push(std::mem::take(&mut word));
            }
            match c {
                '\'' | '"' | '`' => quote = Some(c),
                ';' => return Err("holds more than one statement".to_owned()),
                '#' => return Err("holds a comment".to_owned()),
                '-' | '*' if before == if c == '-' { '-' } else { '/' } => return Err("holds a comment".to_owned()),
                '$' | '@' | ':' => return Err(format!("holds {c}, whose meaning here is not known")),
                _ => {}
            }
            before = c;
            if c == '?' && engine == Engine::Postgres {
                out.push_str(&format!("${}", values + 1));
            } else {
                out.push(c);
            }
            values += usize::from(c == '?');
        }
        words.extend((!word.is_empty()).then_some(word));
        if quote.is_some() {
            return Err("holds a quote that does not end".to_owned());
        }
        if words.first().is_none_or(|first| first != "SELECT") {
            return Err("is no plain SELECT".to_owned());
        }
        if let Some(found) = words.iter().find(|word| FORBIDDEN.contains(&word.as_str())) {
            return Err(format!("holds {found}, which a plain SELECT does not"));
        }
        if !(1..=PLACEHOLDERS_MAX).contains(&values) {
            return Err(format!("asks for {values} values; it must ask for the user name, and may ask for the tenant after it"));
        }
        Ok(Self { text: out, values })
    }
}

/// What becomes of the statements that a definition overrides. Those that write are not among them: nothing is written.
#[must_use]
pub fn overridden(store: &UserStore) -> Vec<Overridden> {
    let engine = store.property("url").and_then(|url| super::address::Address::parse(url).ok()).map_or(Engine::MySql, |a| a.engine);
    let given = store.properties.iter().filter(|(name, value)| name.to_ascii_uppercase().ends_with("SQL") && !value.trim().is_empty());
    let reads = given.filter(|(name, _)| [SELECT_USER, USER_ROLES, USER_FILTER].contains(&name.as_str()));
    reads.map(|(name, value)| Overridden { property: name.clone(), refused: Statement::read(value, engine).err() }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plain_select_is_taken_with_its_values() {
        let text = "select * from STAFF where LOGIN=? and NOTE <> 'a?; b' and TENANT=?";
        let my = Statement::read(text, Engine::MySql).unwrap();
        assert_eq!((my.text.as_str(), my.values), (text, 2));
        let pg = Statement::read(text, Engine::Postgres).unwrap();
        assert_eq!(pg.text, "select * from STAFF where LOGIN=$1 and NOTE <> 'a?; b' and TENANT=$2");
        // A column may be called like a word's part.
        assert!(Statement::read("SELECT UPDATED_AT FROM T WHERE N=?", Engine::MySql).is_ok());
    }

    #[test]
    fn what_could_do_more_than_read_is_refused() {
        for text in [
            "UPDATE T SET A=?",
            "SELECT 1 FROM T WHERE N=?; DELETE FROM T",
            "SELECT A INTO OUTFILE 'x' FROM T WHERE N=?",
            "SELECT A FROM T WHERE N=? -- AND B",
            "SELECT A FROM T WHERE N=? # AND B",
            "SELECT /*! SLEEP(9) */ A FROM T WHERE N=?",
            "SELECT sleep(9) FROM T WHERE N=?",
            "WITH X AS (DELETE FROM T) SELECT ?",
            "SELECT A FROM T",
            "SELECT 'a FROM T WHERE N=?",
            "SELECT 'a\\' FROM T WHERE N=?",
            "SELECT A FROM T WHERE N=$1 AND M=?",
            "",
        ] {
            assert!(Statement::read(text, Engine::Postgres).is_err(), "{text}");
        }
    }
}
