//! Text to path.

use super::{Condition, Function, JsonPath, Operator, PathFault, Pattern, Side, Step};
use crate::json::Json;

/// Longest expression, in bytes.
const MAX_BYTES: usize = 4096;

impl JsonPath {
    /// Compiles an expression, with or without `json-eval( )` around it.
    pub(crate) fn compile(text: &str) -> Result<Self, PathFault> {
        let text = text.trim();
        if text.len() > MAX_BYTES {
            return Err(PathFault("the expression is too long".to_owned()));
        }
        let text = text.strip_suffix('.').unwrap_or(text);
        let mut reader = Reader { letters: text.chars().collect(), at: 0 };
        reader.space();
        // Jayway lets the `$.` away.
        if reader.peek() == Some('$') || reader.peek() == Some('@') {
            reader.at += 1;
        } else if reader.peek().is_some_and(|c| c != '.' && c != '[') {
            reader.letters.insert(0, '.');
        }
        let (steps, function) = reader.steps(0)?;
        reader.space();
        if reader.at < reader.letters.len() {
            return Err(reader.fault("more follows the path"));
        }
        Ok(Self { steps, function })
    }
}

struct Reader {
    letters: Vec<char>,
    at: usize,
}

impl Reader {
    fn fault(&self, what: &str) -> PathFault {
        PathFault(format!("{what} at letter {}", self.at + 1))
    }

    fn peek(&self) -> Option<char> {
        self.letters.get(self.at).copied()
    }

    fn take(&mut self, c: char) -> bool {
        let is = self.peek() == Some(c);
        self.at += usize::from(is);
        is
    }

    fn take_word(&mut self, word: &str) -> bool {
        let is = word.chars().enumerate().all(|(i, c)| self.letters.get(self.at + i) == Some(&c));
        if is {
            self.at += word.chars().count();
        }
        is
    }

    fn space(&mut self) {
        while self.peek().is_some_and(char::is_whitespace) {
            self.at += 1;
        }
    }

    fn name(&mut self, in_filter: bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(|c| {
            !matches!(c, '.' | '[' | '(' | ')' | ']')
                && !(in_filter && (c.is_whitespace() || matches!(c, '=' | '!' | '<' | '>' | '&' | '|' | '~' | ',')))
        }) {
            self.at += 1;
        }
        self.letters.get(from..self.at).unwrap_or_default().iter().collect::<String>().trim().to_owned()
    }

    fn steps(&mut self, depth: usize) -> Result<(Vec<Step>, Option<Function>), PathFault> {
        if depth > 8 {
            return Err(self.fault("nested too deeply"));
        }
        let mut steps = Vec::new();
        loop {
            if self.take('.') {
                if self.take('.') {
                    steps.push(Step::Descent);
                    if self.peek() == Some('[') {
                        continue;
                    }
                }
                if self.take('*') {
                    steps.push(Step::Any);
                    continue;
                }
                if self.peek() == Some('[') {
                    continue;
                }
                let name = self.name(depth > 0);
                if self.peek() == Some('(') {
                    let function = match name.as_str() {
                        "length" | "size" => Function::Length,
                        "min" => Function::Min,
                        "max" => Function::Max,
                        "sum" => Function::Sum,
                        "avg" => Function::Average,
                        _ => return Err(self.fault(&format!("the function '{name}' is not known"))),
                    };
                    self.at += 1;
                    self.space();
                    if !self.take(')') || depth > 0 {
                        return Err(self.fault("no function may stand"));
                    }
                    return Ok((steps, Some(function)));
                }
                if name.is_empty() {
                    return Err(self.fault("no name"));
                }
                steps.push(Step::Names(vec![name]));
            } else if self.take('[') {
                let step = self.bracket(depth)?;
                steps.push(step);
            } else {
                return Ok((steps, None));
            }
        }
    }

    fn bracket(&mut self, depth: usize) -> Result<Step, PathFault> {
        self.space();
        let step = match self.peek() {
            Some('*') => {
                self.at += 1;
                Step::Any
            }
            Some('?') => {
                self.at += 1;
                self.space();
                if !self.take('(') {
                    return Err(self.fault("no '('"));
                }
                let condition = self.any_of(depth + 1)?;
                self.space();
                if !self.take(')') {
                    return Err(self.fault("no ')'"));
                }
                Step::Filter(condition)
            }
            Some('(') => {
                self.at += 1;
                self.space();
                if !self.take_word("@.length") {
                    return Err(self.fault("only '@.length - n' may stand"));
                }
                self.take_word("()");
                self.space();
                if !self.take('-') {
                    return Err(self.fault("no '-'"));
                }
                self.space();
                let back = self.integer()?.ok_or_else(|| self.fault("no number"))?;
                self.space();
                if !self.take(')') {
                    return Err(self.fault("no ')'"));
                }
                Step::FromEnd(back)
            }
            Some('\'' | '"') => {
                let mut names = vec![self.quoted()?];
                self.space();
                while self.take(',') {
                    self.space();
                    names.push(self.quoted()?);
                    self.space();
                }
                Step::Names(names)
            }
            _ => {
                let first = self.integer()?;
                self.space();
                if self.take(':') {
                    self.space();
                    Step::Slice(first, self.integer()?)
                } else {
                    let mut indexes = vec![first.ok_or_else(|| self.fault("no index"))?];
                    while self.take(',') {
                        self.space();
                        indexes.push(self.integer()?.ok_or_else(|| self.fault("no index"))?);
                        self.space();
                    }
                    Step::Indexes(indexes)
                }
            }
        };
        self.space();
        if self.take(']') { Ok(step) } else { Err(self.fault("no ']'")) }
    }

    fn integer(&mut self) -> Result<Option<i64>, PathFault> {
        let from = self.at;
        self.take('-');
        while self.peek().is_some_and(|c| c.is_ascii_digit()) {
            self.at += 1;
        }
        let digits: String = self.letters.get(from..self.at).unwrap_or_default().iter().collect();
        if digits.is_empty() {
            return Ok(None);
        }
        digits.parse().map(Some).map_err(|_| self.fault("no number"))
    }

    fn quoted(&mut self) -> Result<String, PathFault> {
        let quote = self.peek().filter(|c| matches!(c, '\'' | '"')).ok_or_else(|| self.fault("no quoted name"))?;
        self.at += 1;
        let mut out = String::new();
        loop {
            match self.peek() {
                Some(c) if c == quote => {
                    self.at += 1;
                    return Ok(out);
                }
                Some('\\') => {
                    self.at += 1;
                    out.extend(self.peek());
                    self.at += 1;
                }
                Some(c) => {
                    out.push(c);
                    self.at += 1;
                }
                None => return Err(self.fault("the quoted text does not end")),
            }
        }
    }

    fn any_of(&mut self, depth: usize) -> Result<Condition, PathFault> {
        if depth > 8 {
            return Err(self.fault("nested too deeply"));
        }
        let mut parts = vec![self.all_of(depth)?];
        self.space();
        while self.take_word("||") {
            parts.push(self.all_of(depth)?);
            self.space();
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::Or(parts) })
    }

    fn all_of(&mut self, depth: usize) -> Result<Condition, PathFault> {
        let mut parts = vec![self.condition(depth)?];
        self.space();
        while self.take_word("&&") {
            parts.push(self.condition(depth)?);
            self.space();
        }
        Ok(if parts.len() == 1 { parts.remove(0) } else { Condition::And(parts) })
    }

    fn condition(&mut self, depth: usize) -> Result<Condition, PathFault> {
        self.space();
        if self.peek() == Some('!') && self.letters.get(self.at + 1) != Some(&'=') {
            self.at += 1;
            if depth > 8 {
                return Err(self.fault("nested too deeply"));
            }
            return Ok(Condition::Not(Box::new(self.condition(depth + 1)?)));
        }
        if self.take('(') {
            let inner = self.any_of(depth + 1)?;
            self.space();
            return if self.take(')') { Ok(inner) } else { Err(self.fault("no ')'")) };
        }
        let left = self.side(depth)?;
        self.space();
        let operator = [
            ("==", Operator::Equal),
            ("!=", Operator::Unequal),
            ("<=", Operator::AtMost),
            (">=", Operator::AtLeast),
            ("<", Operator::Less),
            (">", Operator::More),
            ("nin ", Operator::NotIn),
            ("in ", Operator::In),
        ]
        .into_iter()
        .find(|(word, _)| self.take_word(word));
        if let Some((_, operator)) = operator {
            self.space();
            return Ok(Condition::Compare(left, operator, self.side(depth)?));
        }
        if self.take_word("=~") {
            self.space();
            return Ok(Condition::Matches(left, self.pattern()?));
        }
        Ok(Condition::Exists(left))
    }

    fn side(&mut self, depth: usize) -> Result<Side, PathFault> {
        self.space();
        match self.peek() {
            Some('@') => {
                self.at += 1;
                Ok(Side::Path(self.steps(depth + 1)?.0))
            }
            Some('\'' | '"') => Ok(Side::Literal(Json::Text(self.quoted()?))),
            Some('[') => {
                self.at += 1;
                let mut list = Vec::new();
                loop {
                    self.space();
                    if self.take(']') {
                        return Ok(Side::List(list));
                    }
                    match self.side(8)? {
                        Side::Literal(json) => list.push(json),
                        _ => return Err(self.fault("only plain values may stand in a list")),
                    }
                    self.space();
                    self.take(',');
                }
            }
            _ => {
                let word = self.name_with_dots();
                Json::parse(&word, 0).map(Side::Literal).map_err(|_| self.fault("no value"))
            }
        }
    }

    fn name_with_dots(&mut self) -> String {
        let from = self.at;
        while self.peek().is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+')) {
            self.at += 1;
        }
        self.letters.get(from..self.at).unwrap_or_default().iter().collect()
    }

    fn pattern(&mut self) -> Result<Pattern, PathFault> {
        if !self.take('/') {
            return Err(self.fault("no '/'"));
        }
        let mut text = String::new();
        loop {
            match self.peek() {
                Some('/') => break,
                Some('\\') if self.letters.get(self.at + 1) == Some(&'/') => {
                    text.push('/');
                    self.at += 2;
                }
                Some(c) => {
                    text.push(c);
                    self.at += 1;
                }
                None => return Err(self.fault("the pattern does not end")),
            }
        }
        self.at += 1;
        let ignore_case = self.take('i');
        // Jayway asks for the whole value to match.
        let text = format!("{}^(?:{text})$", if ignore_case { "(?i)" } else { "" });
        fancy_regex::RegexBuilder::new(&text).backtrack_limit(100_000).build().map(Pattern).map_err(|e| PathFault(e.to_string()))
    }
}
