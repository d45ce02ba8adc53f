//! Text to expression.

use std::sync::Arc;

use super::names::{axis, check_arguments, function, function_of_stylesheet, variable};
use super::{Axis, Calculation, Comparison, Expression, Start, Step, Test, Variable};
use crate::xml::XML_NAMESPACE;

/// Longest expression, in bytes.
const MAX_BYTES: usize = 8192;
/// Deepest nesting of parentheses, predicates and arguments.
const MAX_DEPTH: usize = 40;
/// Most operators in one expression, since each nests once more when it is evaluated; also the most steps, predicates or arguments in a
/// row.
const MAX_CHAIN: usize = 200;

/// Reads an expression of a sequence, or of a `stylesheet`.
pub(super) fn read(text: &str, prefixes: &[(String, Arc<str>)], stylesheet: bool) -> Result<Expression, String> {
    if text.len() > MAX_BYTES {
        return Err("the expression is too long".to_owned());
    }
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens, at: 0, prefixes, stylesheet, depth: 0, operators: 0 };
    let expression = reader.or()?;
    if reader.at < reader.tokens.len() {
        return Err(format!("{} is not expected there", reader.shown()));
    }
    Ok(expression)
}

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Literal(String),
    Number(f64),
    /// A name, with its prefix.
    Name(Option<String>, String),
    /// `p:*`.
    AnyOf(String),
    /// `$name`.
    Variable(Option<String>, String),
    /// Anything else.
    Sign(&'static str),
}

const SIGNS: [&str; 20] = ["::", "//", "..", "!=", "<=", ">=", "(", ")", "[", "]", ".", "@", ",", "/", "|", "+", "-", "=", "<", ">"];

fn is_name_start(c: char) -> bool {
    c.is_alphabetic() || c == '_'
}

fn is_name(c: char) -> bool {
    c.is_alphanumeric() || matches!(c, '_' | '-' | '.')
}

fn tokens(text: &str) -> Result<Vec<Token>, String> {
    let mut out: Vec<Token> = Vec::new();
    let mut rest = text;
    loop {
        rest = rest.trim_start();
        let Some(first) = rest.chars().next() else { return Ok(out) };
        if matches!(first, '"' | '\'') {
            let inner = rest.get(1..).unwrap_or_default();
            let end = inner.find(first).ok_or("a quoted text does not end")?;
            out.push(Token::Literal(inner.get(..end).unwrap_or_default().to_owned()));
            rest = inner.get(end + 1..).unwrap_or_default();
        } else if first.is_ascii_digit() || (first == '.' && rest.get(1..).is_some_and(|r| r.starts_with(|c: char| c.is_ascii_digit()))) {
            let end = rest.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(rest.len());
            let (digits, after) = rest.split_at(end);
            out.push(Token::Number(digits.parse().map_err(|_| format!("'{digits}' is no number"))?));
            rest = after;
        } else if first == '$' {
            let (prefix, name, after) = qualified(rest.get(1..).unwrap_or_default());
            if name.is_empty() {
                return Err("a '$' without a name".to_owned());
            }
            out.push(Token::Variable(prefix.map(str::to_owned), name.to_owned()));
            rest = after;
        } else if first == '*' {
            out.push(Token::Sign("*"));
            rest = rest.get(1..).unwrap_or_default();
        } else if is_name_start(first) {
            let (prefix, name, after) = qualified(rest);
            if prefix.is_none() && after.starts_with(":*") {
                out.push(Token::AnyOf(name.to_owned()));
                rest = after.get(2..).unwrap_or_default();
            } else {
                out.push(Token::Name(prefix.map(str::to_owned), name.to_owned()));
                rest = after;
            }
        } else if let Some(sign) = SIGNS.into_iter().find(|sign| rest.starts_with(sign)) {
            out.push(Token::Sign(sign));
            rest = rest.get(sign.len()..).unwrap_or_default();
        } else {
            return Err(format!("'{first}' is not expected there"));
        }
    }
}

/// A name with an optional prefix. Property names are freer than XML's: a variable's may hold more colons and dots.
fn qualified(text: &str) -> (Option<&str>, &str, &str) {
    let end = |text: &str| text.find(|c: char| !is_name(c)).unwrap_or(text.len());
    let (first, rest) = text.split_at(end(text));
    if let Some(after) = rest.strip_prefix(':').filter(|after| after.starts_with(is_name_start) && !rest.starts_with("::")) {
        let (second, rest) = after.split_at(end(after));
        return (Some(first), second, rest);
    }
    (None, first, rest)
}

struct Reader<'p> {
    tokens: Vec<Token>,
    at: usize,
    prefixes: &'p [(String, Arc<str>)],
    stylesheet: bool,
    depth: usize,
    operators: usize,
}

impl Reader<'_> {
    fn peek(&self) -> Option<&Token> {
        self.tokens.get(self.at)
    }

    fn shown(&self) -> String {
        match self.peek() {
            None => "the end".to_owned(),
            Some(Token::Literal(text)) => format!("the text '{text}'"),
            Some(Token::Number(number)) => format!("the number {number}"),
            Some(Token::Name(_, name)) => format!("the name '{name}'"),
            Some(Token::AnyOf(prefix)) => format!("'{prefix}:*'"),
            Some(Token::Variable(_, name)) => format!("the variable '{name}'"),
            Some(Token::Sign(sign)) => format!("'{sign}'"),
        }
    }

    fn take(&mut self, sign: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Sign(s)) if *s == sign);
        self.at += usize::from(is);
        is
    }

    fn expect(&mut self, sign: &str) -> Result<(), String> {
        if self.take(sign) { Ok(()) } else { Err(format!("'{sign}' is missing before {}", self.shown())) }
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = matches!(self.peek(), Some(Token::Name(None, name)) if name == word);
        self.at += usize::from(is);
        is
    }

    fn deeper<T>(&mut self, inner: impl FnOnce(&mut Self) -> Result<T, String>) -> Result<T, String> {
        if self.depth >= MAX_DEPTH {
            return Err("the expression is nested too deeply".to_owned());
        }
        self.depth += 1;
        let done = inner(self);
        self.depth -= 1;
        done
    }

    fn chained(&mut self) -> Result<(), String> {
        self.operators += 1;
        if self.operators > MAX_CHAIN { Err("the expression is too long".to_owned()) } else { Ok(()) }
    }

    fn or(&mut self) -> Result<Expression, String> {
        let mut left = self.and()?;
        while self.take_word("or") {
            self.chained()?;
            left = Expression::Or(Box::new(left), Box::new(self.and()?));
        }
        Ok(left)
    }

    fn and(&mut self) -> Result<Expression, String> {
        let mut left = self.equality()?;
        while self.take_word("and") {
            self.chained()?;
            left = Expression::And(Box::new(left), Box::new(self.equality()?));
        }
        Ok(left)
    }

    fn equality(&mut self) -> Result<Expression, String> {
        let mut left = self.relation()?;
        loop {
            let comparison = if self.take("=") {
                Comparison::Equal
            } else if self.take("!=") {
                Comparison::Unequal
            } else {
                return Ok(left);
            };
            self.chained()?;
            left = Expression::Compare(Box::new(left), comparison, Box::new(self.relation()?));
        }
    }

    fn relation(&mut self) -> Result<Expression, String> {
        let mut left = self.sum()?;
        loop {
            let comparison = if self.take("<=") {
                Comparison::AtMost
            } else if self.take(">=") {
                Comparison::AtLeast
            } else if self.take("<") {
                Comparison::Less
            } else if self.take(">") {
                Comparison::More
            } else {
                return Ok(left);
            };
            self.chained()?;
            left = Expression::Compare(Box::new(left), comparison, Box::new(self.sum()?));
        }
    }

    fn sum(&mut self) -> Result<Expression, String> {
        let mut left = self.product()?;
        loop {
            let calculation = if self.take("+") {
                Calculation::Add
            } else if self.take("-") {
                Calculation::Subtract
            } else {
                return Ok(left);
            };
            self.chained()?;
            left = Expression::Calculate(Box::new(left), calculation, Box::new(self.product()?));
        }
    }

    fn product(&mut self) -> Result<Expression, String> {
        let mut left = self.negation()?;
        loop {
            // After an operand `*`, `div` and `mod` are operators, never names.
            let calculation = if self.take("*") {
                Calculation::Multiply
            } else if self.take_word("div") {
                Calculation::Divide
            } else if self.take_word("mod") {
                Calculation::Remainder
            } else {
                return Ok(left);
            };
            self.chained()?;
            left = Expression::Calculate(Box::new(left), calculation, Box::new(self.negation()?));
        }
    }

    fn negation(&mut self) -> Result<Expression, String> {
        let mut signs = 0_usize;
        while self.take("-") {
            signs += 1;
        }
        let inner = self.union()?;
        Ok(match signs {
            0 => inner,
            odd if odd % 2 == 1 => Expression::Negate(Box::new(inner)),
            _ => Expression::Negate(Box::new(Expression::Negate(Box::new(inner)))),
        })
    }

    fn union(&mut self) -> Result<Expression, String> {
        let mut left = self.path()?;
        while self.take("|") {
            self.chained()?;
            left = Expression::Union(Box::new(left), Box::new(self.path()?));
        }
        Ok(left)
    }

    /// A call that is no node test begins a filter expression.
    fn begins_filter(&self) -> bool {
        match self.peek() {
            Some(Token::Literal(_) | Token::Number(_) | Token::Variable(..) | Token::Sign("(")) => true,
            Some(Token::Name(prefix, name)) => {
                self.tokens.get(self.at + 1) == Some(&Token::Sign("("))
                    && !(prefix.is_none() && matches!(name.as_str(), "node" | "text" | "comment" | "processing-instruction"))
            }
            _ => false,
        }
    }

    fn begins_step(&self) -> bool {
        matches!(self.peek(), Some(Token::Name(..) | Token::AnyOf(_) | Token::Sign("*" | "." | ".." | "@")))
    }

    fn path(&mut self) -> Result<Expression, String> {
        if self.begins_filter() {
            let primary = self.primary()?;
            let predicates = self.predicates()?;
            let mut steps = Vec::new();
            if self.take("//") {
                steps.push(any_depth());
                self.steps(&mut steps)?;
            } else if self.take("/") {
                self.steps(&mut steps)?;
            } else if predicates.is_empty() {
                return Ok(primary);
            }
            return Ok(Expression::Path(Start::Of(Box::new(primary), predicates), steps));
        }
        let mut steps = Vec::new();
        if self.take("//") {
            steps.push(any_depth());
            self.steps(&mut steps)?;
            return Ok(Expression::Path(Start::Root, steps));
        }
        if self.take("/") {
            if self.begins_step() {
                self.steps(&mut steps)?;
            }
            return Ok(Expression::Path(Start::Root, steps));
        }
        self.steps(&mut steps)?;
        Ok(Expression::Path(Start::Context, steps))
    }

    fn steps(&mut self, steps: &mut Vec<Step>) -> Result<(), String> {
        loop {
            if steps.len() > MAX_CHAIN {
                return Err("the expression is too long".to_owned());
            }
            steps.push(self.step()?);
            if self.take("//") {
                steps.push(any_depth());
            } else if !self.take("/") {
                return Ok(());
            }
        }
    }

    fn step(&mut self) -> Result<Step, String> {
        if self.take(".") {
            return Ok(Step { axis: Axis::Itself, test: Test::Node, predicates: Vec::new() });
        }
        if self.take("..") {
            return Ok(Step { axis: Axis::Parent, test: Test::Node, predicates: Vec::new() });
        }
        let axis = if self.take("@") {
            Axis::Attribute
        } else if self.tokens.get(self.at + 1) == Some(&Token::Sign("::")) {
            let axis = match self.peek() {
                Some(Token::Name(None, name)) => axis(name)?,
                _ => return Err(format!("{} is no axis", self.shown())),
            };
            self.at += 2;
            axis
        } else {
            Axis::Child
        };
        let test = self.test()?;
        Ok(Step { axis, test, predicates: self.predicates()? })
    }

    fn test(&mut self) -> Result<Test, String> {
        let test = match self.peek().cloned() {
            Some(Token::Sign("*")) => Test::Any,
            Some(Token::AnyOf(prefix)) => Test::AnyOf(self.namespace(&prefix)?),
            Some(Token::Name(None, name)) if self.tokens.get(self.at + 1) == Some(&Token::Sign("(")) => {
                let mut test = match name.as_str() {
                    "node" => Test::Node,
                    "text" => Test::Text,
                    "comment" => Test::Comment,
                    "processing-instruction" => Test::Instruction(None),
                    _ => return Err(format!("the name '{name}' is not expected there")),
                };
                self.at += 2;
                if let (Test::Instruction(target), Some(Token::Literal(text))) = (&mut test, self.peek()) {
                    *target = Some(Arc::from(text.as_str()));
                    self.at += 1;
                }
                self.expect(")")?;
                return Ok(test);
            }
            // No prefix is no namespace; the default one is not for expressions.
            Some(Token::Name(None, name)) => Test::Name(None, Arc::from(name)),
            Some(Token::Name(Some(prefix), name)) => Test::Name(Some(self.namespace(&prefix)?), Arc::from(name)),
            _ => return Err(format!("{} is not expected there", self.shown())),
        };
        self.at += 1;
        Ok(test)
    }

    fn namespace(&self, prefix: &str) -> Result<Arc<str>, String> {
        if prefix == "xml" {
            return Ok(Arc::from(XML_NAMESPACE));
        }
        // The nearest declaration stands last.
        let declared = self.prefixes.iter().rev().find(|(p, _)| p == prefix).map(|(_, uri)| Arc::clone(uri));
        // The old product bound these in every expression.
        declared
            .or_else(|| match prefix {
                "s11" | "soapenv" => Some(Arc::from("http://schemas.xmlsoap.org/soap/envelope/")),
                "s12" => Some(Arc::from("http://www.w3.org/2003/05/soap-envelope")),
                "wsa" => Some(Arc::from("http://www.w3.org/2005/08/addressing")),
                _ => None,
            })
            .ok_or_else(|| format!("the prefix '{prefix}' is not declared"))
    }

    fn predicates(&mut self) -> Result<Vec<Expression>, String> {
        let mut predicates = Vec::new();
        while self.take("[") {
            if predicates.len() > MAX_CHAIN {
                return Err("the expression is too long".to_owned());
            }
            predicates.push(self.deeper(Self::or)?);
            self.expect("]")?;
        }
        Ok(predicates)
    }

    fn primary(&mut self) -> Result<Expression, String> {
        let token = self.peek().cloned();
        self.at += 1;
        match token {
            Some(Token::Literal(text)) => Ok(Expression::Literal(text)),
            Some(Token::Number(number)) => Ok(Expression::Number(number)),
            Some(Token::Variable(prefix, name)) if self.stylesheet => {
                let namespace = prefix.map(|prefix| self.namespace(&prefix)).transpose()?;
                Ok(Expression::Variable(Variable::Bound((namespace, Arc::from(name)))))
            }
            Some(Token::Variable(prefix, name)) => variable(prefix.as_deref(), name).map(Expression::Variable),
            Some(Token::Sign("(")) => {
                let inner = self.deeper(Self::or)?;
                self.expect(")")?;
                Ok(inner)
            }
            // Sequences write core functions with a prefix (`fn:concat`), declared or not.
            Some(Token::Name(prefix, name)) => {
                let function = if self.stylesheet { function_of_stylesheet(prefix.as_deref(), &name)? } else { function(&name)? };
                self.expect("(")?;
                let mut arguments = Vec::new();
                if !self.take(")") {
                    loop {
                        if arguments.len() > MAX_CHAIN {
                            return Err("the expression is too long".to_owned());
                        }
                        arguments.push(self.deeper(Self::or)?);
                        if !self.take(",") {
                            break;
                        }
                    }
                    self.expect(")")?;
                }
                check_arguments(function, &name, &arguments)?;
                Ok(Expression::Call(function, arguments))
            }
            _ => {
                self.at -= 1;
                Err(format!("{} is not expected there", self.shown()))
            }
        }
    }
}

fn any_depth() -> Step {
    Step { axis: Axis::DescendantOrSelf, test: Test::Node, predicates: Vec::new() }
}
