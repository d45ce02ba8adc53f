//! What stands inside templates: instructions, and elements of the result.

use std::sync::Arc;

use super::number::{Level, Number};
use super::read::{Reader, Used, excluded, is_xsl};
use super::{Apply, Body, Escaping, Instruction, Literal, MadeName, Sort, Value, Variable, XSL};
use crate::tree::TagAttribute;
use crate::xml::{self, Element, Node};
use crate::xpath::{QName, XPath};

impl Reader<'_, '_> {
    pub(super) fn body(&mut self, holder: &Element, preserve: bool) -> Body {
        let space = holder.attributes.iter().find(|a| a.prefix.as_deref() == Some("xml") && a.name == "space");
        let preserve = space.map_or(preserve, |a| a.value == "preserve");
        let mark = self.scope.len();
        let mut body = Vec::new();
        for node in &holder.children {
            match node {
                Node::Text(text) if preserve || !text.trim_matches([' ', '\t', '\r', '\n']).is_empty() => {
                    body.push(Instruction::Text(text.clone(), Escaping::On));
                }
                Node::Text(_) => {}
                Node::Element(element) if is_xsl(element) => body.extend(self.instruction(element, preserve)),
                Node::Element(element) => body.extend(self.literal(element, preserve)),
            }
        }
        self.scope.truncate(mark);
        body
    }

    pub(super) fn literal(&mut self, element: &Element, preserve: bool) -> Option<Instruction> {
        let own = excluded(element);
        let declarations = element
            .prefixes
            .iter()
            .filter(|(_, uri)| !uri.is_empty() && **uri != *XSL && !self.excluded.contains(uri) && !own.contains(uri))
            .map(|(prefix, uri)| (Arc::from(prefix.as_str()), Arc::clone(uri)))
            .collect();
        let outer = if own.is_empty() {
            None
        } else {
            let all = self.excluded.iter().cloned().chain(own).collect();
            Some(std::mem::replace(&mut self.excluded, all))
        };
        let mut attributes = Vec::new();
        let mut uses = Vec::new();
        for attribute in &element.attributes {
            if attribute.namespace.as_deref() == Some(XSL) {
                if attribute.name == "use-attribute-sets" {
                    uses = self.uses(element, Some(&attribute.value));
                }
                continue;
            }
            let made = TagAttribute {
                prefix: attribute.prefix.clone(),
                name: Arc::from(attribute.name.as_str()),
                namespace: attribute.namespace.clone(),
                value: String::new(),
            };
            attributes.push((made, self.avt(element, &attribute.value)?));
        }
        let body = self.body(element, preserve);
        if let Some(outer) = outer {
            self.excluded = outer;
        }
        Some(Instruction::Literal(Box::new(Literal {
            prefix: element.prefix.clone(),
            name: Arc::from(element.name.as_str()),
            namespace: element.namespace.clone(),
            declarations,
            attributes,
            uses,
            body,
        })))
    }

    fn instruction(&mut self, element: &Element, preserve: bool) -> Option<Instruction> {
        let escaping = match element.attribute("disable-output-escaping").map(str::trim) {
            Some("yes") => Escaping::Off,
            _ => Escaping::On,
        };
        Some(match element.name.as_str() {
            "text" => Instruction::Text(element.text(), escaping),
            "value-of" => Instruction::ValueOf(self.select(element)?, escaping),
            "copy-of" => Instruction::CopyOf(self.select(element)?),
            "copy" => {
                let uses = self.uses(element, element.attribute("use-attribute-sets"));
                Instruction::Copy(uses, self.body(element, preserve))
            }
            "element" => {
                let name = self.made_name(element);
                let uses = self.uses(element, element.attribute("use-attribute-sets"));
                let body = self.body(element, preserve);
                Instruction::Element(Box::new(name?), uses, body)
            }
            "attribute" => {
                let name = self.made_name(element);
                let body = self.body(element, preserve);
                Instruction::Attribute(Box::new(name?), body)
            }
            "comment" => Instruction::Comment(self.body(element, preserve)),
            "processing-instruction" => {
                let name = self.needed(element, "name").and_then(|name| self.avt(element, &name));
                let body = self.body(element, preserve);
                Instruction::Processing(name?, body)
            }
            "if" => {
                let test = self.test(element);
                let body = self.body(element, preserve);
                Instruction::If(test?, body)
            }
            "choose" => self.choose(element, preserve)?,
            "for-each" => {
                let select = self.select(element);
                let sorts = self.sorts(element);
                let body = self.body(element, preserve);
                Instruction::ForEach(select?, sorts, body)
            }
            "apply-templates" => {
                let select = match element.attribute("select") {
                    Some(text) => Some(self.expression(element, text)?),
                    None => None,
                };
                let mode = element.attribute("mode").and_then(|mode| self.qname(element, mode));
                let (sorts, parameters) = (self.sorts(element), self.with_params(element));
                Instruction::Apply(Box::new(Apply { select, mode, sorts, parameters }))
            }
            "apply-imports" => Instruction::ApplyImports,
            "call-template" => {
                let name = self.needed(element, "name").and_then(|name| self.qname(element, &name))?;
                self.used(element, Used::Template, &name);
                Instruction::Call(name, self.with_params(element))
            }
            "variable" | "param" => {
                let variable = self.variable(element)?;
                self.scope.push(variable.name.clone());
                if element.name == "param" { Instruction::Parameter(variable) } else { Instruction::Variable(variable) }
            }
            "number" => Instruction::Number(Box::new(self.number(element)?)),
            "message" => {
                let ends = element.attribute("terminate").is_some_and(|v| v.trim() == "yes");
                Instruction::Message(self.body(element, preserve), ends)
            }
            // Of the instruction around it, read there; `fallback` is for those that are not known.
            "sort" | "with-param" | "fallback" => return None,
            name => {
                let reason = format!("'{}' is not of XSLT 1.0", xml::shortened(name));
                self.wrong(element, &reason);
                return None;
            }
        })
    }

    fn choose(&mut self, element: &Element, preserve: bool) -> Option<Instruction> {
        let mut cases = Vec::new();
        let mut otherwise = Vec::new();
        for inner in element.elements().filter(|inner| is_xsl(inner)) {
            match inner.name.as_str() {
                "when" => {
                    let test = self.test(inner);
                    let body = self.body(inner, preserve);
                    cases.push((test?, body));
                }
                "otherwise" => otherwise = self.body(inner, preserve),
                _ => self.wrong(inner, "a choose has when and otherwise only"),
            }
        }
        Some(Instruction::Choose(cases, otherwise))
    }

    fn sorts(&mut self, element: &Element) -> Vec<Sort> {
        let inner: Vec<&Element> = element.elements().filter(|e| is_xsl(e) && e.name == "sort").collect();
        let mut sorts = Vec::new();
        for sort in inner {
            let avt = |reader: &mut Self, name: &str| sort.attribute(name).and_then(|text| reader.avt(sort, text));
            let (kind, order) = (avt(self, "data-type"), avt(self, "order"));
            sorts.extend(self.expression(sort, sort.attribute("select").unwrap_or(".")).map(|by| Sort { by, kind, order }));
        }
        sorts
    }

    fn with_params(&mut self, element: &Element) -> Vec<Variable> {
        let inner: Vec<&Element> = element.elements().filter(|e| is_xsl(e) && e.name == "with-param").collect();
        inner.into_iter().filter_map(|parameter| self.variable(parameter)).collect()
    }

    pub(super) fn variable(&mut self, element: &Element) -> Option<Variable> {
        let name = self.needed(element, "name").and_then(|name| self.qname(element, &name))?;
        let value = match element.attribute("select") {
            Some(text) => Value::Select(self.expression(element, text)?),
            None => Value::Body(self.body(element, false)),
        };
        Some(Variable { name, value })
    }

    fn number(&mut self, element: &Element) -> Option<Number> {
        let level = match element.attribute("level").map_or("single", str::trim) {
            "single" => Level::Single,
            "multiple" => Level::Multiple,
            "any" => Level::Any,
            _ => {
                self.wrong(element, "a number has level single, multiple or any");
                return None;
            }
        };
        let value = match element.attribute("value") {
            Some(text) => Some(self.expression(element, text)?),
            None => None,
        };
        let count = element.attribute("count").and_then(|text| self.pattern(element, text));
        let from = element.attribute("from").and_then(|text| self.pattern(element, text));
        let format = element.attribute("format").and_then(|text| self.avt(element, text));
        let grouping = match (element.attribute("grouping-separator"), element.attribute("grouping-size")) {
            (Some(sign), Some(size)) => Some((self.avt(element, sign)?, self.avt(element, size)?)),
            _ => None,
        };
        Some(Number { value, level, count, from, format, grouping })
    }

    fn made_name(&mut self, element: &Element) -> Option<MadeName> {
        let name = self.needed(element, "name").and_then(|name| self.avt(element, &name))?;
        let namespace = match element.attribute("namespace") {
            Some(text) => Some(self.avt(element, text)?),
            None => None,
        };
        Some(MadeName { name, namespace, prefixes: Arc::clone(&element.prefixes) })
    }

    pub(super) fn uses(&mut self, element: &Element, names: Option<&str>) -> Vec<QName> {
        let mut uses = Vec::new();
        for name in names.unwrap_or_default().split_ascii_whitespace() {
            if let Some(name) = self.qname(element, name) {
                self.used(element, Used::AttributeSet, &name);
                uses.push(name);
            }
        }
        uses
    }

    fn select(&mut self, element: &Element) -> Option<XPath> {
        let text = self.needed(element, "select")?;
        self.expression(element, &text)
    }

    fn test(&mut self, element: &Element) -> Option<XPath> {
        let text = self.needed(element, "test")?;
        self.expression(element, &text)
    }
}
