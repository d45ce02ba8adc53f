//! JSON as XML and back, by the old product's rules with its default settings: `jsonObject`, `jsonArray` and `jsonElement` around what has
//! no name, neighbours of one name are an array, attributes are members with `@`, and words that look like numbers or truths are such.

use std::collections::HashMap;

use crate::json::{Json, is_number};
use crate::tree::{Kind, NodeId, Tag, TagAttribute, Tree};

const OBJECT: &str = "jsonObject";
const ARRAY: &str = "jsonArray";
const ELEMENT: &str = "jsonElement";
const VALUE: &str = "jsonValue";

/// Appends the XML form of a value under a parent.
pub(crate) fn append_json(tree: &mut Tree, parent: NodeId, json: &Json) {
    match json {
        Json::Object(members) => {
            let root = tree.append_tag(parent, Tag::named(None, OBJECT, None));
            members.iter().for_each(|(name, value)| append_member(tree, root, name, value));
        }
        Json::Array(items) => {
            let root = tree.append_tag(parent, Tag::named(None, ARRAY, None));
            append_items(tree, root, items);
        }
        other => {
            let root = tree.append_tag(parent, Tag::named(None, VALUE, None));
            tree.append_text(root, &other.to_string());
        }
    }
}

fn append_items(tree: &mut Tree, parent: NodeId, items: &[Json]) {
    for item in items {
        let at = tree.append_tag(parent, Tag::named(None, ELEMENT, None));
        fill(tree, at, item);
    }
}

/// Members of an object, without anything around them.
pub(crate) fn append_member(tree: &mut Tree, parent: NodeId, name: &str, value: &Json) {
    if let Some(attribute) = name.strip_prefix('@').filter(|n| !n.is_empty())
        && !matches!(value, Json::Array(_) | Json::Object(_))
        && let Some(tag) = tree.tag_mut(parent)
    {
        tag.attributes.push(TagAttribute { prefix: None, name: xml_name(attribute).into(), namespace: None, value: value.bare() });
        return;
    }
    if name == "$" && !matches!(value, Json::Array(_) | Json::Object(_)) {
        tree.append_text(parent, &value.bare());
        return;
    }
    let name = xml_name(name);
    match value {
        Json::Array(items) => {
            for item in items {
                let at = tree.append_tag(parent, Tag::named(None, &name, None));
                fill(tree, at, item);
            }
        }
        value => {
            let at = tree.append_tag(parent, Tag::named(None, &name, None));
            fill(tree, at, value);
        }
    }
}

fn fill(tree: &mut Tree, at: NodeId, value: &Json) {
    match value {
        Json::Null => {}
        Json::Object(members) => members.iter().for_each(|(name, value)| append_member(tree, at, name, value)),
        Json::Array(items) => {
            let inner = tree.append_tag(at, Tag::named(None, ARRAY, None));
            append_items(tree, inner, items);
        }
        plain => tree.append_text(at, &plain.bare()),
    }
}

const MARK: &str = "_JsonReader_";

/// A name XML allows: a leading digit or `$` and letters XML forbids are written out.
fn xml_name(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for (i, c) in name.chars().enumerate() {
        match c {
            '$' if i == 0 => out.push_str("_JsonReader_PS_"),
            '0'..='9' if i == 0 => {
                out.push_str("_JsonReader_PD_");
                out.push(c);
            }
            c if c.is_alphabetic() || c == '_' || (i > 0 && (c.is_numeric() || matches!(c, '-' | '.'))) => out.push(c),
            c => {
                out.push_str(MARK);
                out.push_str(&u32::from(c).to_string());
                out.push('_');
            }
        }
    }
    if out.is_empty() { "_JsonReader_".to_owned() } else { out }
}

fn json_name(name: &str) -> String {
    if let Some(rest) = name.strip_prefix("_JsonReader_PS_") {
        return format!("${}", json_name(rest));
    }
    if let Some(rest) = name.strip_prefix("_JsonReader_PD_") {
        return json_name(rest);
    }
    let mut out = String::new();
    let mut rest = name;
    while let Some(at) = rest.find(MARK) {
        let (before, after) = rest.split_at(at);
        out.push_str(before);
        let after = after.get(MARK.len()..).unwrap_or_default();
        match after.split_once('_').and_then(|(code, rest)| Some((char::from_u32(code.parse().ok()?)?, rest))) {
            Some((c, left)) => {
                out.push(c);
                rest = left;
            }
            None => rest = after,
        }
    }
    out + rest
}

/// The JSON form of an element.
pub(crate) fn to_json(tree: &Tree, element: NodeId) -> Json {
    let Some(tag) = tree.tag(element) else { return Json::Null };
    match &*tag.name {
        OBJECT => match content(tree, element) {
            Json::Null => Json::Object(Vec::new()),
            other => other,
        },
        ARRAY => Json::Array(array_items(tree, element)),
        VALUE => primitive(tree.own_text(element).trim()),
        name => Json::Object(vec![(json_name(name), content(tree, element))]),
    }
}

fn array_items(tree: &Tree, array: NodeId) -> Vec<Json> {
    tree.elements(array).map(|item| content(tree, item)).collect()
}

fn content(tree: &Tree, element: NodeId) -> Json {
    let Some(tag) = tree.tag(element) else { return Json::Null };
    let mut members: Vec<(String, Json)> =
        tag.attributes.iter().map(|a| (format!("@{}", json_name(&a.name)), primitive(&a.value))).collect();
    let mut text = String::new();
    let mut children = 0_usize;
    // Place among the members, and whether an array was made of it.
    let mut places: HashMap<String, (usize, bool)> = HashMap::new();
    let nameless = members.is_empty();
    for child in tree.children(element) {
        match tree.kind(*child) {
            Kind::Text(words) => text.push_str(words),
            Kind::Element(inner) => {
                if nameless && &*inner.name == ARRAY && tree.elements(element).count() == 1 {
                    return Json::Array(array_items(tree, *child));
                }
                children += 1;
                let name = json_name(&inner.name);
                let value = content(tree, *child);
                let Some((place, many)) = places.get_mut(&name) else {
                    places.insert(name.clone(), (members.len(), false));
                    members.push((name, value));
                    continue;
                };
                match members.get_mut(*place) {
                    Some((_, Json::Array(items))) if *many => items.push(value),
                    Some((_, first)) => {
                        let before = std::mem::replace(first, Json::Null);
                        *first = Json::Array(vec![before, value]);
                        *many = true;
                    }
                    None => {}
                }
            }
            _ => {}
        }
    }
    // Nameless items of an array that stands under a name.
    if children > 0 && nameless && members.len() == 1 && members.first().is_some_and(|(name, _)| name == ELEMENT) {
        return match members.pop() {
            Some((_, Json::Array(items))) if children > 1 => Json::Array(items),
            Some((_, one)) => Json::Array(vec![one]),
            None => Json::Null,
        };
    }
    if members.is_empty() {
        return if text.trim().is_empty() { Json::Null } else { primitive(&text) };
    }
    if !text.trim().is_empty() {
        members.push(("$".to_owned(), primitive(&text)));
    }
    Json::Object(members)
}

fn primitive(text: &str) -> Json {
    match text {
        "true" => Json::Bool(true),
        "false" => Json::Bool(false),
        "null" => Json::Null,
        number if is_number(number) => Json::Number(number.into()),
        words => Json::Text(words.to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Bounds;

    fn xml(json: &str) -> String {
        let mut tree = Tree::empty();
        let document = tree.document();
        append_json(&mut tree, document, &Json::parse(json, 20).unwrap());
        tree.text(document)
    }

    fn json(xml: &str) -> String {
        let tree = Tree::read(xml, &Bounds { bytes: 10_000, elements: 100, nesting: 20 }).unwrap();
        to_json(&tree, tree.root().unwrap()).to_string()
    }

    #[test]
    fn json_as_xml_and_back() {
        for (text, form) in [
            ("{\"a\":1,\"b\":\"x<y\"}", "<jsonObject><a>1</a><b>x&lt;y</b></jsonObject>"),
            ("{\"a\":[1,2],\"b\":null}", "<jsonObject><a>1</a><a>2</a><b/></jsonObject>"),
            ("[{\"a\":true},\"x\"]", "<jsonArray><jsonElement><a>true</a></jsonElement><jsonElement>x</jsonElement></jsonArray>"),
            ("{\"a\":{\"b\":{\"c\":1.50}}}", "<jsonObject><a><b><c>1.50</c></b></a></jsonObject>"),
            (
                "{\"1 a\":2,\"$b\":3}",
                "<jsonObject><_JsonReader_PD_1_JsonReader_32_a>2</_JsonReader_PD_1_JsonReader_32_a><_JsonReader_PS_b>3</_JsonReader_PS_b></jsonObject>",
            ),
            ("7", "<jsonValue>7</jsonValue>"),
            ("{}", "<jsonObject/>"),
            ("[]", "<jsonArray/>"),
            (
                "[[1,2],[3]]",
                "<jsonArray><jsonElement><jsonArray><jsonElement>1</jsonElement><jsonElement>2</jsonElement></jsonArray></jsonElement><jsonElement><jsonArray><jsonElement>3</jsonElement></jsonArray></jsonElement></jsonArray>",
            ),
        ] {
            assert_eq!(xml(text), form);
            assert_eq!(json(form), text);
        }
    }

    #[test]
    fn xml_as_json() {
        assert_eq!(
            json("<p:a xmlns:p='u' id='7'><b>x</b><c/><b>y</b><b>z</b> words </p:a>"),
            "{\"a\":{\"@id\":7,\"b\":[\"x\",\"y\",\"z\"],\"c\":null,\"$\":\" words \"}}"
        );
        assert_eq!(json("<a>007</a>"), "{\"a\":\"007\"}");
        assert_eq!(json("<a>  </a>"), "{\"a\":null}");
    }
}
