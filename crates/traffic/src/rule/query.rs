//! What a query says, as it is written. Names mean nothing yet.

use super::words::{Word, words};
use super::{MAX_QUERY_BYTES, Place, RuleFault};

/// Queries that a rule may have.
const MAX_QUERIES: usize = 16;

/// How deep expressions may be nested.
const MAX_DEPTH: u32 = 48;

/// Operators that a rule may have: a chain of them is as deep as it is long.
const MAX_OPERATORS: usize = 512;

/// `FROM … SELECT … INSERT INTO …`
#[derive(Debug)]
pub(super) struct Query {
    pub(super) from: (String, Place),
    pub(super) filters: Vec<Expr>,
    /// What makes events wait: name (`throttler:timeBatch`) and arguments.
    pub(super) window: Option<Window>,
    /// `None` is `*`.
    pub(super) select: Option<Vec<Selected>>,
    pub(super) group_by: Vec<(String, Place)>,
    pub(super) into: (String, Place),
}

#[derive(Debug)]
pub(super) struct Window {
    pub(super) name: String,
    pub(super) place: Place,
    pub(super) arguments: Vec<Span>,
}

/// A number, or a stretch of time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    pub(super) ms: i64,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct Selected {
    pub(super) what: Expr,
    pub(super) named: String,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) struct Expr {
    pub(super) is: Is,
    pub(super) place: Place,
}

#[derive(Debug)]
pub(super) enum Is {
    Text(String),
    Int(i64),
    Real(f64),
    Bool(bool),
    Null,
    Name(String),
    Call(String, Vec<Expr>),
    Not(Box<Expr>),
    And(Box<Expr>, Box<Expr>),
    Or(Box<Expr>, Box<Expr>),
    /// With the sign.
    Compare(&'static str, Box<Expr>, Box<Expr>),
    Compute(&'static str, Box<Expr>, Box<Expr>),
    /// `IS NULL`
    Absent(Box<Expr>),
}

pub(super) fn read(text: &str) -> Result<Vec<Query>, RuleFault> {
    let start = Place { line: 1, column: 1 };
    if text.len() > MAX_QUERY_BYTES {
        return Err(RuleFault::at(start, format!("a query may have {MAX_QUERY_BYTES} bytes at most")));
    }
    let (words, end) = words(text)?;
    let mut reader = Reader { words, at: 0, end, depth: 0, operators: 0 };
    let mut queries = Vec::new();
    loop {
        while reader.sign(";") {}
        if reader.at_end() {
            break;
        }
        if queries.len() == MAX_QUERIES {
            return Err(RuleFault::at(reader.place(), format!("a rule may have {MAX_QUERIES} queries at most")));
        }
        queries.push(reader.query()?);
        if !reader.at_end() && !reader.sign(";") {
            return Err(reader.wanted("';'"));
        }
    }
    if queries.is_empty() {
        return Err(RuleFault::at(start, "there is no query"));
    }
    Ok(queries)
}

struct Reader {
    words: Vec<(Word, Place)>,
    at: usize,
    end: Place,
    depth: u32,
    operators: usize,
}

impl Reader {
    fn peek(&self) -> Option<&Word> {
        self.words.get(self.at).map(|(word, _)| word)
    }

    fn place(&self) -> Place {
        self.words.get(self.at).map_or(self.end, |(_, place)| *place)
    }

    fn at_end(&self) -> bool {
        self.at >= self.words.len()
    }

    fn sign(&mut self, wanted: &str) -> bool {
        let found = matches!(self.peek(), Some(Word::Sign(sign)) if *sign == wanted);
        self.at += usize::from(found);
        found
    }

    fn is_keyword(&self, wanted: &str) -> bool {
        matches!(self.peek(), Some(Word::Name(name)) if name.eq_ignore_ascii_case(wanted))
    }

    fn keyword(&mut self, wanted: &str) -> bool {
        let found = self.is_keyword(wanted);
        self.at += usize::from(found);
        found
    }

    fn wanted(&self, what: &str) -> RuleFault {
        let found = match self.peek() {
            None => "the end".to_owned(),
            Some(Word::Name(name)) => format!("'{name}'"),
            Some(Word::Text(text)) => format!("'{text}'"),
            Some(Word::Int(number)) => format!("'{number}'"),
            Some(Word::Real(number)) => format!("'{number}'"),
            Some(Word::Sign(sign)) => format!("'{sign}'"),
        };
        RuleFault::at(self.place(), format!("{what} was expected, and {found} stands here"))
    }

    fn must(&mut self, sign: &'static str) -> Result<(), RuleFault> {
        if self.sign(sign) { Ok(()) } else { Err(self.wanted(&format!("'{sign}'"))) }
    }

    fn must_say(&mut self, keyword: &str) -> Result<(), RuleFault> {
        if self.keyword(keyword) { Ok(()) } else { Err(self.wanted(keyword)) }
    }

    fn name(&mut self, what: &str) -> Result<(String, Place), RuleFault> {
        let place = self.place();
        match self.peek() {
            Some(Word::Name(name)) => {
                let name = name.clone();
                self.at += 1;
                Ok((name, place))
            }
            _ => Err(self.wanted(what)),
        }
    }

    fn query(&mut self) -> Result<Query, RuleFault> {
        if !self.is_keyword("FROM") {
            let place = self.place();
            return Err(match self.peek() {
                Some(Word::Sign("@")) => RuleFault::at(place, "annotations are not enforced here; leave them out"),
                _ => self.wanted("FROM"),
            });
        }
        self.at += 1;
        let from = self.name("a stream's name")?;
        let mut filters = Vec::new();
        let mut window = None;
        loop {
            let place = self.place();
            if self.sign("[") {
                if window.is_some() {
                    return Err(RuleFault::at(place, "a filter behind a window is not enforced here"));
                }
                filters.push(self.expression()?);
                self.must("]")?;
            } else if self.sign("#") {
                if window.is_some() {
                    return Err(RuleFault::at(place, "a second window is not enforced here"));
                }
                window = Some(self.window(place)?);
            } else {
                break;
            }
        }
        if !self.is_keyword("SELECT") {
            return Err(self.wanted("SELECT (joins and patterns are not enforced here)"));
        }
        self.at += 1;
        let select = if self.sign("*") { None } else { Some(self.selected()?) };
        let mut group_by = Vec::new();
        if self.keyword("GROUP") {
            self.must_say("BY")?;
            loop {
                group_by.push(self.name("an attribute")?);
                if !self.sign(",") {
                    break;
                }
            }
        }
        self.must_say("INSERT")?;
        if !self.keyword("ALL") {
            self.keyword("CURRENT");
        }
        self.keyword("EVENTS");
        self.must_say("INTO")?;
        Ok(Query { from, filters, window, select, group_by, into: self.name("a stream's name")? })
    }

    fn window(&mut self, place: Place) -> Result<Window, RuleFault> {
        let (mut name, _) = self.name("a window's name")?;
        for sign in [":", "."] {
            if self.sign(sign) {
                name = format!("{name}{sign}{}", self.name("a window's name")?.0);
                break;
            }
        }
        self.must("(")?;
        let mut arguments = Vec::new();
        if !self.sign(")") {
            loop {
                arguments.push(self.span()?);
                if !self.sign(",") {
                    break;
                }
            }
            self.must(")")?;
        }
        Ok(Window { name, place, arguments })
    }

    /// `5 sec`, `1 hour 30 min`, or a bare number.
    fn span(&mut self) -> Result<Span, RuleFault> {
        let place = self.place();
        let mut ms: i64 = 0;
        let mut bare = true;
        while let Some(Word::Int(count)) = self.peek() {
            let count = *count;
            self.at += 1;
            let unit = match self.peek() {
                Some(Word::Name(name)) => {
                    let unit = unit_ms(name).ok_or_else(|| self.wanted("a unit of time"))?;
                    self.at += 1;
                    bare = false;
                    unit
                }
                _ if bare && ms == 0 => 1,
                _ => return Err(self.wanted("a unit of time")),
            };
            ms = count.checked_mul(unit).and_then(|part| ms.checked_add(part)).ok_or_else(|| RuleFault::at(place, "too long a time"))?;
            if bare {
                return Ok(Span { ms, place });
            }
        }
        if bare { Err(self.wanted("a time such as '1 min'")) } else { Ok(Span { ms, place }) }
    }

    fn selected(&mut self) -> Result<Vec<Selected>, RuleFault> {
        let mut all = Vec::new();
        loop {
            let place = self.place();
            let what = self.expression()?;
            let named = match (self.keyword("AS"), &what.is) {
                (true, _) => self.name("a name")?.0,
                (false, Is::Name(name)) => name.clone(),
                (false, _) => return Err(self.wanted("AS")),
            };
            all.push(Selected { what, named, place });
            if !self.sign(",") {
                return Ok(all);
            }
        }
    }

    fn expression(&mut self) -> Result<Expr, RuleFault> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(RuleFault::at(self.place(), "it is nested too deep"));
        }
        let mut left = self.conjunction()?;
        while self.is_keyword("OR") {
            let place = self.operator()?;
            left = Expr { is: Is::Or(Box::new(left), Box::new(self.conjunction()?)), place };
        }
        self.depth -= 1;
        Ok(left)
    }

    /// Takes an operator; its place.
    fn operator(&mut self) -> Result<Place, RuleFault> {
        let place = self.place();
        self.at += 1;
        self.operators += 1;
        if self.operators > MAX_OPERATORS {
            return Err(RuleFault::at(place, format!("a rule may have {MAX_OPERATORS} operators at most")));
        }
        Ok(place)
    }

    fn conjunction(&mut self) -> Result<Expr, RuleFault> {
        let mut left = self.comparison(&["==", "!="])?;
        while self.is_keyword("AND") {
            let place = self.operator()?;
            left = Expr { is: Is::And(Box::new(left), Box::new(self.comparison(&["==", "!="])?)), place };
        }
        Ok(left)
    }

    /// Equality binds looser than order.
    fn comparison(&mut self, signs: &[&'static str]) -> Result<Expr, RuleFault> {
        let tighter: &[&'static str] = &[">=", "<=", ">", "<"];
        let operand = |reader: &mut Self| if signs == tighter { reader.sum() } else { reader.comparison(tighter) };
        let mut left = operand(self)?;
        while let Some(sign) = self.one_of(signs) {
            let place = self.operator()?;
            left = Expr { is: Is::Compare(sign, Box::new(left), Box::new(operand(self)?)), place };
        }
        Ok(left)
    }

    fn one_of(&self, signs: &[&'static str]) -> Option<&'static str> {
        match self.peek() {
            Some(Word::Sign(sign)) => signs.iter().find(|wanted| *wanted == sign).copied(),
            _ => None,
        }
    }

    fn sum(&mut self) -> Result<Expr, RuleFault> {
        let mut left = self.product()?;
        while let Some(sign) = self.one_of(&["+", "-"]) {
            let place = self.operator()?;
            left = Expr { is: Is::Compute(sign, Box::new(left), Box::new(self.product()?)), place };
        }
        Ok(left)
    }

    fn product(&mut self) -> Result<Expr, RuleFault> {
        let mut left = self.single()?;
        while let Some(sign) = self.one_of(&["*", "/", "%"]) {
            let place = self.operator()?;
            left = Expr { is: Is::Compute(sign, Box::new(left), Box::new(self.single()?)), place };
        }
        Ok(left)
    }

    fn single(&mut self) -> Result<Expr, RuleFault> {
        let place = self.place();
        if self.keyword("NOT") {
            self.depth += 1;
            if self.depth > MAX_DEPTH {
                return Err(RuleFault::at(place, "it is nested too deep"));
            }
            let inner = self.single()?;
            self.depth -= 1;
            return Ok(Expr { is: Is::Not(Box::new(inner)), place });
        }
        let mut found = self.atom()?;
        if self.keyword("IS") {
            self.must_say("NULL")?;
            found = Expr { is: Is::Absent(Box::new(found)), place };
        }
        Ok(found)
    }

    fn atom(&mut self) -> Result<Expr, RuleFault> {
        let place = self.place();
        if self.sign("(") {
            let inner = self.expression()?;
            self.must(")")?;
            return Ok(inner);
        }
        let negative = self.sign("-");
        let Some(word) = self.peek().cloned() else { return Err(self.wanted("an expression")) };
        let is = match word {
            Word::Int(number) => Is::Int(if negative { -number } else { number }),
            Word::Real(number) => Is::Real(if negative { -number } else { number }),
            Word::Text(text) if !negative => Is::Text(text),
            Word::Name(name) if !negative => {
                self.at += 1;
                return Ok(Expr { is: self.named(name)?, place });
            }
            _ => return Err(self.wanted("an expression")),
        };
        self.at += 1;
        Ok(Expr { is, place })
    }

    fn named(&mut self, mut name: String) -> Result<Is, RuleFault> {
        match name.to_ascii_lowercase().as_str() {
            "true" => return Ok(Is::Bool(true)),
            "false" => return Ok(Is::Bool(false)),
            "null" => return Ok(Is::Null),
            _ => {}
        }
        let spaced = self.sign(":");
        if spaced {
            name = format!("{name}:{}", self.name("a function's name")?.0);
        }
        if !self.sign("(") {
            return if spaced { Err(self.wanted("'('")) } else { Ok(Is::Name(name)) };
        }
        let mut arguments = Vec::new();
        if !self.sign(")") {
            loop {
                arguments.push(self.expression()?);
                if !self.sign(",") {
                    break;
                }
            }
            self.must(")")?;
        }
        Ok(Is::Call(name, arguments))
    }
}

/// Milliseconds of a unit. Months and years have fixed lengths, as the old engine counted them.
fn unit_ms(name: &str) -> Option<i64> {
    Some(match name.to_ascii_lowercase().as_str() {
        "millisec" | "millisecond" | "milliseconds" => 1,
        "sec" | "second" | "seconds" => 1_000,
        "min" | "minute" | "minutes" => 60_000,
        "hour" | "hours" => 3_600_000,
        "day" | "days" => 86_400_000,
        "week" | "weeks" => 604_800_000,
        "month" | "months" => 2_630_000_000,
        "year" | "years" => 31_556_900_000,
        _ => return None,
    })
}
