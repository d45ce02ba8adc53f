//! `xsl:number`: the place of a node among others, and how it is written.

use super::Avt;
use crate::tree::{Kind, Tree};
use crate::xpath::{At, MatchPattern, Run, Stopped, XPath};

#[derive(Debug)]
pub(super) struct Number {
    /// A number given outright, in the place of counting.
    pub(super) value: Option<XPath>,
    pub(super) level: Level,
    pub(super) count: Option<MatchPattern>,
    pub(super) from: Option<MatchPattern>,
    pub(super) format: Option<Avt>,
    pub(super) grouping: Option<(Avt, Avt)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Level {
    Single,
    Multiple,
    Any,
}

impl Number {
    /// The numbers of a node, the outermost first.
    pub(super) fn places(&self, run: &Run<'_>, at: At) -> Result<Vec<u64>, Stopped> {
        let tree = run.tree(at);
        if self.level == Level::Any {
            return Ok(Vec::from_iter(self.any(run, &tree, at)?));
        }
        let mut places = Vec::new();
        let mut above = Some(at);
        while let Some(here) = above {
            run.pay(1)?;
            if self.counts(run, &tree, here, at)? {
                places.push(self.among_siblings(run, &tree, here, at)?);
                if self.level == Level::Single {
                    break;
                }
            }
            if here != at && self.begins(run, here)? {
                break;
            }
            above = match here.attribute {
                Some(_) => Some(At { attribute: None, ..here }),
                None => tree.parent(here.id).map(|id| At { id, ..here }),
            };
        }
        places.reverse();
        Ok(places)
    }

    fn begins(&self, run: &Run<'_>, at: At) -> Result<bool, Stopped> {
        self.from.as_ref().map_or(Ok(false), |from| from.matches(run, at))
    }

    /// Whether a node is one of those counted; without a pattern those of the same kind and name are.
    fn counts(&self, run: &Run<'_>, tree: &Tree, at: At, like: At) -> Result<bool, Stopped> {
        if let Some(count) = &self.count {
            return count.matches(run, at);
        }
        Ok(match (tree.kind(at.id), tree.kind(like.id)) {
            _ if at.attribute.is_some() || like.attribute.is_some() => at == like,
            (Kind::Element(a), Kind::Element(b)) => a.name == b.name && a.namespace == b.namespace,
            (a, b) => std::mem::discriminant(a) == std::mem::discriminant(b),
        })
    }

    fn among_siblings(&self, run: &Run<'_>, tree: &Tree, at: At, like: At) -> Result<u64, Stopped> {
        let Some(parent) = tree.parent(at.id).filter(|_| at.attribute.is_none()) else { return Ok(1) };
        let mut place = 1;
        for id in tree.children(parent) {
            run.pay(1)?;
            if *id == at.id {
                break;
            }
            place += u64::from(self.counts(run, tree, At { id: *id, ..at }, like)?);
        }
        Ok(place)
    }

    fn any(&self, run: &Run<'_>, tree: &Tree, at: At) -> Result<Option<u64>, Stopped> {
        let mut open = vec![tree.document()];
        let mut place = 0;
        while let Some(id) = open.pop() {
            run.pay(1)?;
            let here = At { id, attribute: None, ..at };
            if self.begins(run, here)? {
                place = 0;
            }
            place += u64::from(self.counts(run, tree, here, at)?);
            if id == at.id {
                break;
            }
            open.extend(tree.children(id).iter().rev());
        }
        Ok(Some(place).filter(|place| *place > 0))
    }
}

/// Numbers as a format such as `1.a.i` writes them.
pub(super) fn written(places: &[u64], format: &str, grouping: Option<(&str, usize)>) -> String {
    // Words that stand for a number, and what stands between them.
    let mut tokens: Vec<String> = Vec::new();
    let mut between: Vec<String> = vec![String::new()];
    let mut in_word = false;
    for c in format.chars() {
        if c.is_alphanumeric() {
            if !in_word {
                tokens.push(String::new());
            }
            if let Some(token) = tokens.last_mut() {
                token.push(c);
            }
        } else {
            if in_word {
                between.push(String::new());
            }
            if let Some(sign) = between.last_mut() {
                sign.push(c);
            }
        }
        in_word = c.is_alphanumeric();
    }
    let last = if in_word || tokens.is_empty() { String::new() } else { between.pop().unwrap_or_default() };
    if tokens.is_empty() {
        tokens.push("1".to_owned());
    }
    let mut out = between.first().cloned().unwrap_or_default();
    for (i, place) in places.iter().enumerate() {
        if i > 0 {
            let sign = between.get(i.min(tokens.len() - 1)).filter(|_| tokens.len() > 1);
            out.push_str(sign.map_or(".", String::as_str));
        }
        let token = tokens.get(i).or(tokens.last()).map_or("1", String::as_str);
        out.push_str(&one(*place, token, grouping));
    }
    out.push_str(&last);
    out
}

fn one(place: u64, token: &str, grouping: Option<(&str, usize)>) -> String {
    match token {
        "a" | "A" if place > 0 => letters(place, token),
        "i" if place > 0 && place < 4000 => roman(place).to_lowercase(),
        "I" if place > 0 && place < 4000 => roman(place),
        _ => {
            let width = if token.ends_with('1') && token.trim_end_matches('1').chars().all(|c| c == '0') { token.len() } else { 1 };
            let digits = format!("{place:0>width$}");
            let Some((sign, size)) = grouping.filter(|(_, size)| *size > 0) else { return digits };
            let mut out = String::new();
            for (i, c) in digits.chars().enumerate() {
                if i > 0 && (digits.len() - i).is_multiple_of(size) {
                    out.push_str(sign);
                }
                out.push(c);
            }
            out
        }
    }
}

fn letters(mut place: u64, token: &str) -> String {
    let first = if token == "A" { b'A' } else { b'a' };
    let mut out = Vec::new();
    while place > 0 {
        place -= 1;
        out.push(char::from(first + u8::try_from(place % 26).unwrap_or(0)));
        place /= 26;
    }
    out.into_iter().rev().collect()
}

fn roman(mut place: u64) -> String {
    let mut out = String::new();
    for (value, sign) in [
        (1000, "M"),
        (900, "CM"),
        (500, "D"),
        (400, "CD"),
        (100, "C"),
        (90, "XC"),
        (50, "L"),
        (40, "XL"),
        (10, "X"),
        (9, "IX"),
        (5, "V"),
        (4, "IV"),
        (1, "I"),
    ] {
        while place >= value {
            out.push_str(sign);
            place -= value;
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_by_their_format() {
        for (places, format, made) in [
            (&[1, 2, 3][..], "1.1.1", "1.2.3"),
            (&[1, 2, 3], "1", "1.2.3"),
            (&[4], "(a)", "(d)"),
            (&[28], "A", "AB"),
            (&[1994], "I", "MCMXCIV"),
            (&[7], "001. ", "007. "),
            (&[2, 5], "1-a", "2-e"),
            (&[2, 5, 6], "1-a", "2-e-f"),
            (&[], "1", ""),
            (&[3], "", "3"),
        ] {
            assert_eq!(written(places, format, None), made, "{places:?} {format}");
        }
        assert_eq!(written(&[1_234_567], "1", Some((",", 3))), "1,234,567");
    }
}
