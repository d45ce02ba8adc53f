//! XSLT 1.0: a stylesheet is read once, with all it imports, and transforms one document after the other.
//!
//! Ours rather than a library's, since a stylesheet is run over what callers send: its expressions are those of [`crate::xpath`], which
//! count every node they look at, and what it makes is bounded in nodes, bytes and depth. It reads nothing from elsewhere (`document()`
//! is refused), runs no extension functions but `node-set`, and writes to nothing but its result.
//!
//! Where it is less than the standard: texts are sorted by their letters, capitals behind small ones, whatever language is named; results
//! are XML or text, and what is to be HTML is XML too; there is no namespace axis.

mod body;
mod build;
mod format;
mod make;
mod number;
mod read;
mod run;
mod scope;
mod sort;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::tree::TagAttribute;
use crate::xpath::{MatchPattern, QName, XPath};

use format::DecimalFormat;
pub(crate) use read::read;
pub(crate) use run::transform;

/// Namespace of the stylesheet's own elements.
const XSL: &str = "http://www.w3.org/1999/XSL/Transform";

/// Names of the instructions that run.
pub(crate) const INSTRUCTIONS: [&str; 19] = [
    "apply-imports",
    "apply-templates",
    "attribute",
    "call-template",
    "choose",
    "comment",
    "copy",
    "copy-of",
    "element",
    "fallback",
    "for-each",
    "if",
    "message",
    "number",
    "processing-instruction",
    "text",
    "value-of",
    "variable",
    "with-param",
];

/// A stylesheet that can run.
#[derive(Debug)]
pub(crate) struct Stylesheet {
    templates: Vec<Template>,
    named: BTreeMap<QName, usize>,
    /// By mode; those that come first win.
    rules: BTreeMap<Option<QName>, Vec<Rule>>,
    globals: Vec<Global>,
    keys: Vec<Key>,
    formats: BTreeMap<String, DecimalFormat>,
    /// Which elements' white space goes, the deciding ones first.
    spaces: Vec<Space>,
    sets: BTreeMap<QName, Vec<AttributeSet>>,
    /// Namespaces that stand for others in the result, and the prefix and namespace they become.
    aliases: BTreeMap<Arc<str>, (Arc<str>, Arc<str>)>,
    /// The result is text.
    pub(crate) makes_text: bool,
}

#[derive(Debug)]
struct Template {
    body: Body,
    /// Import precedence of the module it stands in, and the lowest of those that module imports.
    precedence: u32,
    lowest: u32,
}

#[derive(Debug)]
struct Rule {
    pattern: MatchPattern,
    priority: f64,
    template: usize,
}

/// A variable or parameter of the whole stylesheet.
#[derive(Debug)]
struct Global {
    variable: Variable,
    is_parameter: bool,
    precedence: u32,
}

#[derive(Debug)]
struct Variable {
    name: QName,
    value: Value,
}

#[derive(Debug)]
enum Value {
    Select(XPath),
    Body(Body),
}

#[derive(Debug)]
struct Key {
    name: String,
    matches: MatchPattern,
    by: XPath,
}

#[derive(Debug)]
struct Space {
    test: SpaceTest,
    strips: bool,
    precedence: u32,
}

#[derive(Debug)]
enum SpaceTest {
    Any,
    AnyOf(Arc<str>),
    Name(QName),
}

#[derive(Debug)]
struct AttributeSet {
    uses: Vec<QName>,
    body: Body,
}

type Body = Vec<Instruction>;

/// An attribute value template: a text with expressions in braces.
#[derive(Debug)]
struct Avt {
    parts: Vec<Part>,
}

#[derive(Debug)]
enum Part {
    Plain(String),
    Made(XPath),
}

/// A name that is only known when the element is made, and what its prefix means.
#[derive(Debug)]
struct MadeName {
    name: Avt,
    namespace: Option<Avt>,
    prefixes: Arc<[(String, Arc<str>)]>,
}

#[derive(Debug)]
enum Instruction {
    Text(String, Escaping),
    ValueOf(XPath, Escaping),
    CopyOf(XPath),
    Copy(Vec<QName>, Body),
    Literal(Box<Literal>),
    Element(Box<MadeName>, Vec<QName>, Body),
    Attribute(Box<MadeName>, Body),
    Comment(Body),
    Processing(Avt, Body),
    If(XPath, Body),
    Choose(Vec<(XPath, Body)>, Body),
    ForEach(XPath, Vec<Sort>, Body),
    Apply(Box<Apply>),
    ApplyImports,
    Call(QName, Vec<Variable>),
    Variable(Variable),
    Parameter(Variable),
    Number(Box<number::Number>),
    /// With `true` it ends the transformation.
    Message(Body, bool),
}

/// Whether what is written is escaped. Text that is not is markup once the result is read again, as the old product read it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Escaping {
    On,
    Off,
}

/// An element that stands in the stylesheet as it is to stand in the result.
#[derive(Debug)]
struct Literal {
    prefix: Option<Arc<str>>,
    name: Arc<str>,
    namespace: Option<Arc<str>>,
    declarations: Vec<(Arc<str>, Arc<str>)>,
    /// The value of each is empty here.
    attributes: Vec<(TagAttribute, Avt)>,
    uses: Vec<QName>,
    body: Body,
}

#[derive(Debug)]
struct Apply {
    select: Option<XPath>,
    mode: Option<QName>,
    sorts: Vec<Sort>,
    parameters: Vec<Variable>,
}

#[derive(Debug)]
struct Sort {
    by: XPath,
    kind: Option<Avt>,
    order: Option<Avt>,
}
