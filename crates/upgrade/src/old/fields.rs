//! The fields of a registry artifact, one text for all of them: an old installation has some thirty to an API and ten thousand APIs, and three
//! hundred thousand pairs of small texts take four times what stands in them.

use crate::source::{Element, parse_xml};

/// Ends a name, and a value. XML cannot hold it.
const END: char = '\0';

/// `overview_name` and the like with their values, in the artifact's order; a field may repeat.
#[derive(Clone, PartialEq, Eq, Default)]
pub struct Fields(Box<str>);

impl Fields {
    /// Reads `metadata` XML: `table_field` and its text.
    ///
    /// # Errors
    ///
    /// Why the XML does not read.
    pub fn read(xml: &[u8]) -> Result<Self, String> {
        let root = parse_xml(xml).map_err(|e| e.to_string())?;
        let mut text = String::new();
        for table in &root.children {
            for field in &table.children {
                let name = format!("{}_{}", table.name, field.name);
                put(&mut text, &name, &field.text);
                // Old artifacts nest one level more for repeated fields.
                let nested = |text: &mut String, nested: &Element| put(text, &format!("{name}_{}", nested.name), &nested.text);
                field.children.iter().for_each(|element| nested(&mut text, element));
            }
        }
        Ok(Self(text.into()))
    }

    /// Name and value of each.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        let mut texts = self.0.split_terminator(END);
        std::iter::from_fn(move || Some((texts.next()?, texts.next()?)))
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of a field that is not blank.
    pub fn get(&self, field: &str) -> Option<&str> {
        self.iter().find(|(name, value)| *name == field && !value.trim().is_empty()).map(|(_, value)| value)
    }

    /// Keeps those that `keep` says so of.
    pub fn retain(&mut self, keep: impl Fn(&str, &str) -> bool) {
        *self = self.iter().filter(|(name, value)| keep(name, value)).collect();
    }

    /// Puts one at the end.
    pub fn push(&mut self, name: &str, value: &str) {
        let mut text = std::mem::take(&mut self.0).into_string();
        put(&mut text, name, value);
        self.0 = text.into();
    }
}

impl<N: AsRef<str>, V: AsRef<str>> FromIterator<(N, V)> for Fields {
    fn from_iter<I: IntoIterator<Item = (N, V)>>(fields: I) -> Self {
        let mut text = String::new();
        fields.into_iter().for_each(|(name, value)| put(&mut text, name.as_ref(), value.as_ref()));
        Self(text.into())
    }
}

fn put(text: &mut String, name: &str, value: &str) {
    for part in [name, value] {
        text.extend(part.chars().filter(|c| *c != END));
        text.push(END);
    }
}

// Among them are backends' passwords.
impl std::fmt::Debug for Fields {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} fields", self.iter().count())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_come_in_any_order_and_blank_ones_do_not_count() {
        let xml = b"<metadata xmlns='m'><overview><version>1</version><name>A &amp; B</name><description/></overview><URITemplate><urlPattern>/*</urlPattern></URITemplate></metadata>";
        let mut fields = Fields::read(xml).unwrap();
        assert_eq!(fields.get("overview_name"), Some("A & B"));
        assert_eq!(fields.get("overview_description"), None);
        let names: Vec<&str> = fields.iter().map(|(name, _)| name).collect();
        assert_eq!(names, ["overview_version", "overview_name", "overview_description", "URITemplate_urlPattern"]);
        assert!(Fields::read(b"<metadata>").is_err() && Fields::read(b"<metadata/>").unwrap().is_empty());
        fields.retain(|name, _| name == "overview_name" || name == "overview_description");
        fields.push("overview_description", "said");
        let all: Vec<(&str, &str)> = fields.iter().collect();
        assert_eq!(all, [("overview_name", "A & B"), ("overview_description", ""), ("overview_description", "said")]);
        assert_eq!(fields.get("overview_description"), Some("said"));
        assert_eq!(format!("{fields:?}"), "3 fields");
    }

    #[test]
    fn nested_fields_go_by_three_names() {
        let fields = Fields::read(b"<m><a><b>1<c>2</c></b></a></m>").unwrap();
        assert_eq!(fields.iter().collect::<Vec<_>>(), [("a_b", "1"), ("a_b_c", "2")]);
    }
}
