//! The search grammar that publisher and developer portal share: `key:value` terms joined by AND, values in quotes to match as a whole.
//!
//! Not here: matching, which the database does.

use db::apis::{Field, Term};
use rest::Refusal;

/// Longest query read, in bytes. Each term is one condition of a statement, so their number is bounded too.
const QUERY_MAX_BYTES: usize = 4096;
const TERMS_MAX: usize = 32;

/// What a query asks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Search {
    /// APIs for which all terms hold.
    Apis(Vec<Term>),
    /// Things there are none of: API products, documents, labels.
    Nothing,
}

/// Reads a query. `bare` is where a word without a key looks: the name on `/apis`, anywhere on `/search`.
///
/// # Errors
/// 400 for a key without a value, an unclosed quote, or a query out of bounds.
pub fn parse(query: &str, bare: &Field) -> Result<Search, Refusal> {
    if query.len() > QUERY_MAX_BYTES {
        return Err(Refusal::Bad(format!("The search query is longer than {QUERY_MAX_BYTES} bytes.")));
    }
    let mut terms: Vec<Term> = Vec::new();
    let mut nothing = false;
    // Tags may hold spaces, and 4.0.0 lets them be searched for without quotes.
    let mut open_tag = false;
    let mut rest = query.trim_start();
    while !rest.is_empty() {
        let (key, value, exact, after) = word(rest)?;
        rest = after.trim_start();
        let Some(key) = key else {
            match terms.last_mut() {
                // A colon or quote that opens nothing is dropped rather than looked for.
                _ if value.is_empty() => {}
                Some(tag) if open_tag => tag.value = format!("{} {value}", tag.value),
                _ => terms.push(Term { field: bare.clone(), value, exact }),
            }
            continue;
        };
        if value.is_empty() {
            return Err(Refusal::Bad(format!("The search term '{key}:' has no value.")));
        }
        let field = field(key, bare);
        open_tag = field == Some(Field::Tag) && !exact;
        match field {
            Some(Field::Kind) if model::ApiKind::parse(&value).is_none() => nothing = true,
            // The context is kept with its version, which a caller who quotes `/pizza` does not mean to exclude.
            Some(Field::Context) => terms.push(Term { field: Field::Context, value, exact: false }),
            Some(field) => terms.push(Term { field, value, exact }),
            None => nothing = true,
        }
    }
    if terms.len() > TERMS_MAX {
        return Err(Refusal::Bad(format!("The search query has more than {TERMS_MAX} terms.")));
    }
    Ok(if nothing { Search::Nothing } else { Search::Apis(terms) })
}

/// `None` for what no API can match.
fn field(key: &str, bare: &Field) -> Option<Field> {
    Some(match key.to_ascii_lowercase().as_str() {
        "name" => Field::Name,
        "version" => Field::Version,
        "context" => Field::Context,
        "provider" => Field::Provider,
        "description" => Field::Description,
        "status" | "lcstate" => Field::State,
        "tag" | "tags" => Field::Tag,
        "type" => Field::Kind,
        "api-category" => Field::Category,
        "enablestore" => Field::EnableStore,
        "content" => bare.clone(),
        "doc" | "label" => return None,
        _ => Field::Property(key.to_owned()),
    })
}

/// The first term: its key if it has one, its value, whether that was quoted, and what follows.
fn word(text: &str) -> Result<(Option<&str>, String, bool, &str), Refusal> {
    let stop = text.find(|c: char| c == ':' || c == '"' || c.is_whitespace()).unwrap_or(text.len());
    let (head, tail) = text.split_at(stop);
    let (key, value) = match tail.strip_prefix(':') {
        Some(after) if !head.is_empty() => (Some(head), after),
        Some(after) => (None, after),
        None => (None, text),
    };
    if let Some(quoted) = value.strip_prefix('"') {
        let (inside, after) = quoted.split_once('"').ok_or_else(|| Refusal::Bad("The search query has an unclosed quote.".to_owned()))?;
        return Ok((key, inside.to_owned(), true, after));
    }
    let (plain, after) = value.split_at(value.find(char::is_whitespace).unwrap_or(value.len()));
    Ok((key, plain.trim_matches('*').to_owned(), false, after))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(query: &str) -> Vec<(Field, String, bool)> {
        match parse(query, &Field::Name) {
            Ok(Search::Apis(terms)) => terms.into_iter().map(|t| (t.field, t.value, t.exact)).collect(),
            other => panic!("{query}: {other:?}"),
        }
    }

    fn term(field: Field, value: &str, exact: bool) -> (Field, String, bool) {
        (field, value.to_owned(), exact)
    }

    #[test]
    fn terms_are_joined() {
        assert_eq!(
            terms(r#"name:"Pizza Shack" version:1.0 provider:"admin""#),
            [term(Field::Name, "Pizza Shack", true), term(Field::Version, "1.0", false), term(Field::Provider, "admin", true)]
        );
        assert_eq!(terms(" pizza"), [term(Field::Name, "pizza", false)]);
        assert_eq!(terms("*pizza* : "), [term(Field::Name, "pizza", false)]);
        assert_eq!(terms("team:blue"), [term(Field::Property("team".to_owned()), "blue", false)]);
        assert_eq!(terms("  "), []);
        assert_eq!(terms("content:x"), [term(Field::Name, "x", false)]);
        assert_eq!(terms("lcState:PUBLISHED"), [term(Field::State, "PUBLISHED", false)]);
        assert_eq!(terms("type:http"), [term(Field::Kind, "http", false)]);
    }

    #[test]
    fn a_tag_may_hold_spaces() {
        assert_eq!(terms("tags:fast food name:p"), [term(Field::Tag, "fast food", false), term(Field::Name, "p", false)]);
        assert_eq!(terms(r#"tag:"fast food" p"#), [term(Field::Tag, "fast food", true), term(Field::Name, "p", false)]);
        assert_eq!(terms("tag:fast ** food"), [term(Field::Tag, "fast food", false)]);
    }

    #[test]
    fn products_and_documents_are_none() {
        for query in [r#"type:"APIProduct" name:"X""#, "doc:x", "label:x"] {
            assert_eq!(parse(query, &Field::Any).unwrap(), Search::Nothing, "{query}");
        }
    }

    #[test]
    fn broken_queries_are_refused() {
        for query in ["name:", "name: x", r#"name:"x"#, &"a ".repeat(40), &"a".repeat(5000)] {
            assert!(matches!(parse(query, &Field::Name), Err(Refusal::Bad(_))), "{query}");
        }
    }
}
