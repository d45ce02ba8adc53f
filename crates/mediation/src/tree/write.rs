//! A tree as text. Declarations that are missing where a node now stands are added, so that no edit can make what we write ill-formed.

use std::sync::Arc;

use super::{Kind, NodeId, Tag, Tree};

type Scope = Vec<(Arc<str>, Arc<str>)>;

impl Tree {
    /// Writes a node and all under it.
    pub(crate) fn write(&self, id: NodeId, out: &mut String) {
        self.write_in(id, &mut Vec::new(), &|_| false, out);
    }

    /// Writes all, the texts that are markup as they are.
    pub(crate) fn write_with(&self, is_markup: &dyn Fn(NodeId) -> bool, out: &mut String) {
        self.write_in(self.document(), &mut Vec::new(), is_markup, out);
    }

    /// A node as text.
    pub(crate) fn text(&self, id: NodeId) -> String {
        let mut out = String::new();
        self.write(id, &mut out);
        out
    }

    fn write_in(&self, id: NodeId, scope: &mut Scope, is_markup: &dyn Fn(NodeId) -> bool, out: &mut String) {
        match self.kind(id) {
            Kind::Document(children) => children.iter().for_each(|child| self.write_in(*child, scope, is_markup, out)),
            Kind::Text(text) if is_markup(id) => out.push_str(text),
            Kind::Text(text) => escape_text(text, out),
            Kind::Comment(text) => {
                out.push_str("<!--");
                out.push_str(text);
                out.push_str("-->");
            }
            Kind::Instruction(text) => {
                out.push_str("<?");
                out.push_str(text);
                out.push_str("?>");
            }
            Kind::Element(tag) => {
                let before = scope.len();
                let declarations = needed(tag, scope);
                out.push('<');
                push_name(tag.prefix.as_deref(), &tag.name, out);
                for (prefix, uri) in declarations {
                    out.push_str(if prefix.is_empty() { " xmlns" } else { " xmlns:" });
                    out.push_str(&prefix);
                    out.push_str("=\"");
                    escape_attribute(&uri, out);
                    out.push('"');
                    scope.push((prefix, uri));
                }
                for attribute in &tag.attributes {
                    out.push(' ');
                    push_name(attribute.prefix.as_deref(), &attribute.name, out);
                    out.push_str("=\"");
                    escape_attribute(&attribute.value, out);
                    out.push('"');
                }
                if tag.children.is_empty() {
                    out.push_str("/>");
                } else {
                    out.push('>');
                    tag.children.iter().for_each(|child| self.write_in(*child, scope, is_markup, out));
                    out.push_str("</");
                    push_name(tag.prefix.as_deref(), &tag.name, out);
                    out.push('>');
                }
                scope.truncate(before);
            }
        }
    }
}

fn push_name(prefix: Option<&str>, name: &str, out: &mut String) {
    if let Some(prefix) = prefix.filter(|p| !p.is_empty()) {
        out.push_str(prefix);
        out.push(':');
    }
    out.push_str(name);
}

fn in_force<'a>(scope: &'a Scope, own: &'a Scope, prefix: &str) -> Option<&'a str> {
    own.iter().rev().chain(scope.iter().rev()).find(|(p, _)| **p == *prefix).map(|(_, uri)| &**uri)
}

/// What the start tag must declare: its own declarations that say something new, and those its names need.
fn needed(tag: &Tag, scope: &Scope) -> Scope {
    let mut own: Scope = Vec::new();
    for (prefix, uri) in &tag.declarations {
        // The name itself decides what its own prefix means, whatever was declared where the node stood before.
        let clashes = tag.prefix.as_deref().unwrap_or("") == &**prefix && tag.namespace.as_deref().unwrap_or("") != &**uri;
        if !clashes
            && in_force(scope, &own, prefix) != Some(uri)
            && !(prefix.is_empty() && uri.is_empty() && in_force(scope, &own, "").is_none())
        {
            own.push((Arc::clone(prefix), Arc::clone(uri)));
        }
    }
    let names = std::iter::once((tag.prefix.as_deref().unwrap_or(""), tag.namespace.as_ref()))
        .chain(tag.attributes.iter().filter_map(|a| a.prefix.as_deref().map(|prefix| (prefix, a.namespace.as_ref()))));
    for (prefix, namespace) in names {
        if prefix == "xml" {
            continue;
        }
        let wanted = namespace.map_or("", |uri| &**uri);
        if in_force(scope, &own, prefix).unwrap_or("") != wanted {
            own.push((Arc::from(prefix), Arc::from(wanted)));
        }
    }
    own
}

pub(crate) fn escape_text(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '&' => out.push_str("&amp;"),
            '\r' => out.push_str("&#xd;"),
            c => out.push(c),
        }
    }
}

fn escape_attribute(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '<' => out.push_str("&lt;"),
            '&' => out.push_str("&amp;"),
            '"' => out.push_str("&quot;"),
            '\r' => out.push_str("&#xd;"),
            '\n' => out.push_str("&#xa;"),
            '\t' => out.push_str("&#x9;"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Bounds;
    use super::*;

    fn read(text: &str) -> Tree {
        Tree::read(text, &Bounds { bytes: 10_000, elements: 100, nesting: 20 }).unwrap()
    }

    #[test]
    fn what_was_read_is_written_as_it_was() {
        for text in [
            "<a/>",
            "<a xmlns=\"u\" xmlns:b=\"v\"><b:c b:d=\"1 &lt;&amp;&quot; 2\">x &lt;&gt;&amp; y</b:c><!-- no --><?go there?><e xmlns=\"\"/></a>",
            "<a xml:lang=\"de\">\n  <b/>\n</a>",
        ] {
            let tree = read(text);
            assert_eq!(tree.text(tree.document()), text);
        }
    }

    #[test]
    fn a_moved_node_takes_its_declarations_along() {
        let from = read("<r xmlns:p=\"u\" xmlns=\"d\"><p:a q=\"p:word\"><b/></p:a></r>");
        let inner = from.elements(from.root().unwrap()).next().unwrap();
        let mut to = read("<x/>");
        let copy = to.graft(&from, inner);
        let root = to.root().unwrap();
        to.append(root, copy);
        assert_eq!(to.text(root), "<x><p:a xmlns:p=\"u\" q=\"p:word\"><b xmlns=\"d\"/></p:a></x>");
    }
}
