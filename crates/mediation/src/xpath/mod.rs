//! `XPath` 1.0 with the variables and functions that sequences have: `$ctx:name`, `$trp:name`, `$body`, `get-property(…)`, and so on.
//!
//! Compiled once, names resolved to namespaces; evaluated against a [`Host`], which is where the message comes in.

mod axes;
mod evaluate;
mod found;
mod functions;
mod match_pattern;
mod names;
mod read;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use crate::message::Scope;
use crate::tree::Tree;

pub(crate) use evaluate::{At, Context, Host, Item, Run, Stopped, number_text, string_value, truth};
pub(crate) use found::Found;
pub(crate) use match_pattern::MatchPattern;

/// A name of a stylesheet's own things, with its namespace.
pub(crate) type QName = (Option<Arc<str>>, Arc<str>);

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
        Ok(Self::of(read::read(text, prefixes, false)?, text))
    }

    /// Compiles one of a stylesheet, with its own variables and functions in the place of those of sequences.
    pub(crate) fn of_stylesheet(text: &str, prefixes: &[(String, Arc<str>)]) -> Result<Self, String> {
        Ok(Self::of(read::read(text, prefixes, true)?, text))
    }

    fn of(expression: Expression, text: &str) -> Self {
        let reads_body = reads_body(&expression);
        Self { expression, reads_body, text: Arc::from(text) }
    }

    /// Variables of a stylesheet that it uses.
    pub(crate) fn bound(&self) -> Vec<&QName> {
        let mut found = Vec::new();
        bound(&self.expression, &mut found);
        found
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

    /// Evaluates it among others over the same trees.
    pub(crate) fn evaluate(&self, run: &Run<'_>, context: &Context) -> Result<Item, Stopped> {
        run.evaluate(&self.expression, context)
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
    /// With this target, if one is given.
    Instruction(Option<Arc<str>>),
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
    /// One of a stylesheet.
    Bound(QName),
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
    // Of stylesheets.
    Current,
    Key,
    FormatNumber,
    GenerateId,
    NodeSet,
    SystemProperty,
    KnowsElement,
    KnowsCall,
    UnparsedEntity,
    Id,
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

fn bound<'e>(expression: &'e Expression, found: &mut Vec<&'e QName>) {
    let mut all = |several: &'e [Expression]| several.iter().for_each(|one| bound(one, found));
    match expression {
        Expression::Or(a, b)
        | Expression::And(a, b)
        | Expression::Compare(a, _, b)
        | Expression::Calculate(a, _, b)
        | Expression::Union(a, b) => {
            bound(a, found);
            bound(b, found);
        }
        Expression::Negate(a) => bound(a, found),
        Expression::Path(start, steps) => {
            if let Start::Of(from, predicates) = start {
                all(predicates);
                bound(from, found);
            }
            steps.iter().flat_map(|step| &step.predicates).for_each(|predicate| bound(predicate, found));
        }
        Expression::Literal(_) | Expression::Number(_) => {}
        Expression::Variable(variable) => found.extend(match variable {
            Variable::Bound(name) => Some(name),
            _ => None,
        }),
        Expression::Call(_, arguments) => all(arguments),
    }
}
