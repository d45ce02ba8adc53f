//! `XPath` 1.0 with the variables and functions that sequences have: `$ctx:name`, `$trp:name`, `$body`, `get-property(…)`, and so on.
//!
//! Compiled once, names resolved to namespaces; evaluated against a [`Host`], which is where the message comes in.

mod evaluate;
mod functions;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::message::Scope;
use crate::tree::Tree;

pub(crate) use evaluate::{Found, Host, Stopped};

/// A compiled expression.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct XPath {
    expression: Expression,
    /// Looks into the body.
    reads_body: bool,
    /// The text, for faults.
    text: Arc<str>,
}

impl XPath {
    /// Compiles a text. `prefixes` are those in force where it stands.
    pub(crate) fn compile(text: &str, prefixes: &[(String, Arc<str>)]) -> Result<Self, String> {
        let expression = read::read(text, prefixes)?;
        let reads_body = reads_body(&expression);
        Ok(Self { expression, reads_body, text: Arc::from(text) })
    }

    pub(crate) fn reads_body(&self) -> bool {
        self.reads_body
    }

    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Evaluates it with the envelope for the context node.
    pub(crate) fn find(&self, host: &dyn Host, envelope: Option<&Arc<Tree>>, visits: &mut u64) -> Result<Found, Stopped> {
        evaluate::find(&self.expression, host, envelope, visits)
    }
}

#[derive(Debug, Clone, PartialEq)]
enum Expression {
    Or(Box<Self>, Box<Self>),
    And(Box<Self>, Box<Self>),
    Compare(Box<Self>, Comparison, Box<Self>),
    Calculate(Box<Self>, Calculation, Box<Self>),
    Negate(Box<Self>),
    Union(Box<Self>, Box<Self>),
    /// Where it starts and the steps from there.
    Path(Start, Vec<Step>),
    Literal(String),
    Number(f64),
    Variable(Variable),
    Call(Function, Vec<Self>),
}

#[derive(Debug, Clone, PartialEq)]
enum Start {
    /// The context node.
    Context,
    /// `/`.
    Root,
    /// What an expression found, with predicates of its own.
    Of(Box<Expression>, Vec<Expression>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Equal,
    Unequal,
    Less,
    AtMost,
    More,
    AtLeast,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Calculation {
    Add,
    Subtract,
    Multiply,
    Divide,
    Remainder,
}

#[derive(Debug, Clone, PartialEq)]
struct Step {
    axis: Axis,
    test: Test,
    predicates: Vec<Expression>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Axis {
    Child,
    Descendant,
    DescendantOrSelf,
    Parent,
    Ancestor,
    AncestorOrSelf,
    Following,
    FollowingSibling,
    Preceding,
    PrecedingSibling,
    Attribute,
    Itself,
}

#[derive(Debug, Clone, PartialEq)]
enum Test {
    Node,
    Text,
    Comment,
    Instruction,
    /// `*`.
    Any,
    /// `p:*`.
    AnyOf(Arc<str>),
    Name(Option<Arc<str>>, Arc<str>),
}

/// What a `$…` names.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Variable {
    Body,
    Header,
    Envelope,
    /// `$ctx:x`, `$trp:x`, `$axis2:x`, `$operation:x`, `$func:x`.
    Property(Scope, String),
    /// `$url:x`: a parameter of the query.
    Query(String),
    /// `$system:x`: nothing is known of the machine; empty.
    Nothing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Function {
    Last,
    Position,
    Count,
    LocalName,
    NamespaceUri,
    Name,
    String,
    Concat,
    StartsWith,
    EndsWith,
    Contains,
    SubstringBefore,
    SubstringAfter,
    Substring,
    StringLength,
    NormalizeSpace,
    Translate,
    UpperCase,
    LowerCase,
    Boolean,
    Not,
    True,
    False,
    Lang,
    Number,
    Sum,
    Floor,
    Ceiling,
    Round,
    GetProperty,
    Base64Encode,
    Base64Decode,
    UrlEncode,
    UrlDecode,
    HmacGenerate,
}

fn reads_body(expression: &Expression) -> bool {
    match expression {
        Expression::Or(a, b)
        | Expression::And(a, b)
        | Expression::Compare(a, _, b)
        | Expression::Calculate(a, _, b)
        | Expression::Union(a, b) => reads_body(a) || reads_body(b),
        Expression::Negate(a) => reads_body(a),
        Expression::Path(Start::Of(from, _), _) => reads_body(from),
        Expression::Path(..) => true,
        Expression::Literal(_) | Expression::Number(_) => false,
        Expression::Variable(variable) => matches!(variable, Variable::Body | Variable::Header | Variable::Envelope),
        // Without arguments these look at the context node.
        Expression::Call(
            Function::LocalName
            | Function::Name
            | Function::NamespaceUri
            | Function::String
            | Function::StringLength
            | Function::NormalizeSpace
            | Function::Number
            | Function::Lang,
            arguments,
        ) if arguments.is_empty() => true,
        Expression::Call(Function::GetProperty, arguments) => match arguments.as_slice() {
            // Whether the body is a fault is seen in the body.
            [Expression::Literal(name)] => name == "FAULT",
            arguments => arguments.iter().any(reads_body),
        },
        Expression::Call(_, arguments) => arguments.iter().any(reads_body),
    }
}
