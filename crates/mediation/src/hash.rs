//! A fingerprint of what a sequence says, whatever its spelling: so an installation's copy of a stock sequence is known for one even after an
//! editor has re-indented it.

use std::fmt::Write as _;
use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};

use crate::xml::{self, Element, Node};
use crate::{Attribute, XmlFault};

/// SHA-256, in hexadecimal, of a document without what means nothing: comments, processing instructions, white space between elements and
/// around texts, kind of line end, order of attributes, choice of quotes, CDATA, empty-element tags, and prefixes, also inside attributes
/// (`//am:code`).
///
/// # Errors
/// [`XmlFault`] when it is no XML.
pub fn normalised_hash(document: &str) -> Result<String, XmlFault> {
    let root = xml::read(document)?;
    let mut context = Context::new(&SHA256);
    add(&mut context, &root);
    Ok(context.finish().as_ref().iter().fold(String::new(), |mut hex, byte| {
        // Writing to a String cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    }))
}

/// Every text goes in with its length, so that no two different trees are the same bytes. Depth is bounded by the reader.
fn add(context: &mut Context, element: &Element) {
    context.update(b"<");
    add_text(context, element.namespace.as_deref().unwrap_or_default());
    add_text(context, &element.name);
    let mut attributes: Vec<&Attribute> = element.attributes.iter().collect();
    attributes.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
    for attribute in attributes {
        context.update(b"@");
        add_text(context, attribute.namespace.as_deref().unwrap_or_default());
        add_text(context, &attribute.name);
        add_text(context, &without_prefixes(attribute.value.trim(), &element.prefixes));
    }
    for child in &element.children {
        match child {
            Node::Element(child) => add(context, child),
            Node::Text(text) => {
                let text = text.trim();
                if !text.is_empty() {
                    context.update(b"=");
                    add_text(context, text);
                }
            }
        }
    }
    context.update(b">");
}

fn add_text(context: &mut Context, text: &str) {
    context.update(&(text.len() as u64).to_be_bytes());
    context.update(text.as_bytes());
}

/// Puts `{namespace}` in the place of each declared `prefix:` that begins a name.
fn without_prefixes(value: &str, prefixes: &[(String, Arc<str>)]) -> String {
    if !value.contains(':') || prefixes.iter().all(|(prefix, _)| prefix.is_empty()) {
        return value.to_owned();
    }
    let mut out = String::with_capacity(value.len());
    let mut word = String::new();
    let mut letters = value.chars().peekable();
    while let Some(c) = letters.next() {
        let declared = || prefixes.iter().find(|(prefix, _)| *prefix == word && !prefix.is_empty());
        // `child::x` is an axis, `a:` before a space no name.
        if c == ':'
            && letters.peek().is_some_and(|next| next.is_alphanumeric() || matches!(next, '_' | '*'))
            && let Some((_, uri)) = declared()
        {
            out.push('{');
            // A namespace is as long as its author likes, and may be used at every letter; its fingerprint is not.
            out.extend(aws_lc_rs::digest::digest(&SHA256, uri.as_bytes()).as_ref().iter().take(16).map(|b| char::from(b'a' + (b & 15))));
            out.push('}');
            word.clear();
            continue;
        }
        if c.is_alphanumeric() || matches!(c, '_' | '-' | '.') {
            word.push(c);
            continue;
        }
        out.push_str(&word);
        word.clear();
        out.push(c);
    }
    out + &word
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const STOCK: &str = "<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"x\"><property name=\"a\" expression=\"//am:code\" xmlns:am=\"u:am\"/><format><am:fault xmlns:am=\"u:am\">text &amp; more</am:fault></format></sequence>";

    #[test]
    fn spelling_does_not_matter() {
        let same = "<?xml version='1.0'?>\r\n<!-- licence -->\n<syn:sequence name='x' xmlns:syn='http://ws.apache.org/ns/synapse'>\r\n  <!-- why -->\n  <syn:property xmlns:m='u:am' expression='//m:code' name='a'></syn:property>
            <syn:format>\n<fault xmlns='u:am'>\n   <![CDATA[text & more]]>\n</fault></syn:format>\n</syn:sequence>\n";
        assert_eq!(normalised_hash(STOCK).unwrap(), normalised_hash(same).unwrap());
    }

    #[test]
    fn meaning_does() {
        let hash = normalised_hash(STOCK).unwrap();
        for (from, to) in [
            ("name=\"x\"", "name=\"y\""),
            ("text", "Text"),
            ("//am:code\" xmlns:am=\"u:am\"", "//am:code\" xmlns:am=\"u:other\""),
            ("synapse\"", "other\""),
            ("<format>", "<format>x"),
        ] {
            let changed = STOCK.replacen(from, to, 1);
            assert_ne!(changed, STOCK);
            assert_ne!(normalised_hash(&changed).unwrap(), hash, "{to}");
        }
        assert_ne!(normalised_hash("<a><b/><c/></a>").unwrap(), normalised_hash("<a><b><c/></b></a>").unwrap());
    }

    #[test]
    fn only_names_lose_their_prefix() {
        let prefixes = [("am".to_owned(), Arc::from("u")), (String::new(), Arc::from("v"))];
        let same = |value: &str| without_prefixes(value, &prefixes) == value;
        assert!(same("http://x/y") && same("ham:x") && same("am::x") && same("am: x") && same("fn:concat('a')") && same("am:"));
        assert!(!same("//am:x") && !same("am:*"));
    }

    proptest! {
        #[test]
        fn any_text_is_hashed_or_refused(text in r#"[<>/a-c:='"&;! \-\[\]]{0,80}"#) {
            let _ = normalised_hash(&text);
        }
    }
}
