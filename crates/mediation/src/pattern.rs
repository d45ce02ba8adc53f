//! Java's regular expressions, as filters and switches have them: the whole text must match.
//!
//! Look-ahead, back references and possessive repetition are Java's and stand in the stock sequences, so the engine backtracks where it
//! must; how often is bounded by count, and a pattern that reaches the bound is a failure of the mediator, never a busy gateway.

use fancy_regex::{Regex, RegexBuilder};

use crate::failure::Failure;

const BACKTRACKS: usize = 200_000;
const MAX_BYTES: usize = 16 * 1024;
/// Size of the compiled automaton, in bytes.
const MAX_SIZE: usize = 4 * 1024 * 1024;

/// A compiled pattern.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    whole: Regex,
    text: String,
}

impl PartialEq for Pattern {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

fn build(text: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .case_insensitive(ignore_case)
        .backtrack_limit(BACKTRACKS)
        .delegate_size_limit(MAX_SIZE)
        .delegate_dfa_size_limit(MAX_SIZE)
        .build()
        .map_err(|e| e.to_string())
}

impl Pattern {
    /// Compiles a Java pattern.
    pub(crate) fn compile(java: &str) -> Result<Self, String> {
        if java.len() > MAX_BYTES {
            return Err("the pattern is too long".to_owned());
        }
        let own = translated(java);
        // By itself first, so that a fault is told by the author's own places.
        build(&own, false)?;
        Ok(Self { whole: build(&format!("\\A(?:{own})\\z"), false)?, text: java.to_owned() })
    }

    /// A pattern that may match anywhere, in any case.
    pub(crate) fn anywhere(java: &str) -> Result<Self, String> {
        if java.len() > MAX_BYTES {
            return Err("the pattern is too long".to_owned());
        }
        Ok(Self { whole: build(&translated(java), true)?, text: java.to_owned() })
    }

    /// A pattern that may match inside, as written.
    pub(crate) fn inside(java: &str) -> Result<Self, String> {
        if java.len() > MAX_BYTES {
            return Err("the pattern is too long".to_owned());
        }
        Ok(Self { whole: build(&translated(java), false)?, text: java.to_owned() })
    }

    /// A text with every match replaced, as Java's `replaceAll` does: `$1` is a group, `\\` takes a sign's meaning away.
    pub(crate) fn replaced(&self, text: &str, by: &str) -> Result<String, Failure> {
        let mut out = String::new();
        let mut after = 0;
        for found in self.whole.captures_iter(text) {
            let found = found.map_err(|_| self.too_long())?;
            let Some(whole) = found.get(0) else { continue };
            out.push_str(text.get(after..whole.start()).unwrap_or_default());
            after = whole.end();
            let mut signs = by.chars().peekable();
            while let Some(sign) = signs.next() {
                match sign {
                    '\\' => out.extend(signs.next()),
                    '$' => {
                        let mut group = signs.next().and_then(|c| c.to_digit(10)).ok_or_else(|| Failure::new("Illegal group reference"))?;
                        // As many digits as name a group that is there.
                        while let Some(more) =
                            signs.peek().and_then(|c| c.to_digit(10)).filter(|d| ((group * 10 + d) as usize) < found.len())
                        {
                            group = group * 10 + more;
                            signs.next();
                        }
                        out.push_str(found.get(group as usize).map(|m| m.as_str()).unwrap_or_default());
                    }
                    sign => out.push(sign),
                }
            }
        }
        out.push_str(text.get(after..).unwrap_or_default());
        Ok(out)
    }

    fn too_long(&self) -> Failure {
        Failure { detail: self.text.clone(), ..Failure::new("A regular expression took too many steps") }
    }

    pub(crate) fn matches(&self, text: &str) -> Result<bool, Failure> {
        self.whole.is_match(text).map_err(|_| self.too_long())
    }

    /// A group of the match; `None` when the text does not match, empty for a group that is not there.
    pub(crate) fn group(&self, text: &str, group: usize) -> Result<Option<String>, Failure> {
        let captures = self.whole.captures(text).map_err(|_| self.too_long())?;
        Ok(captures.map(|found| found.get(group).map(|m| m.as_str().to_owned()).unwrap_or_default()))
    }
}

/// Java's spelling in the engine's: `\d`, `\w` and `\s` are ASCII, POSIX classes are properties, `\Q…\E` quotes.
fn translated(java: &str) -> String {
    let mut out = String::with_capacity(java.len() + 16);
    let mut rest = java;
    let mut class = 0_usize;
    while let Some(c) = rest.chars().next() {
        rest = rest.get(c.len_utf8()..).unwrap_or_default();
        match c {
            '[' => {
                class += 1;
                out.push(c);
            }
            ']' => {
                class = class.saturating_sub(1);
                out.push(c);
            }
            '\\' => {
                if let Some(quoted) = rest.strip_prefix('Q') {
                    let (inner, after) = quoted.split_once("\\E").unwrap_or((quoted, ""));
                    out.push_str(&fancy_regex::escape(inner));
                    rest = after;
                    continue;
                }
                if let Some((name, after)) = rest.strip_prefix("p{").and_then(|r| r.split_once('}'))
                    && let Some(posix) = posix(name)
                {
                    out.push_str(posix);
                    rest = after;
                    continue;
                }
                let Some(letter) = rest.chars().next() else {
                    out.push('\\');
                    continue;
                };
                rest = rest.get(letter.len_utf8()..).unwrap_or_default();
                match (letter, class > 0) {
                    ('d', true) => out.push_str("0-9"),
                    ('d', false) => out.push_str("[0-9]"),
                    ('D', _) => out.push_str("[^0-9]"),
                    ('w', true) => out.push_str("a-zA-Z0-9_"),
                    ('w', false) => out.push_str("[a-zA-Z0-9_]"),
                    ('W', _) => out.push_str("[^a-zA-Z0-9_]"),
                    ('s', true) => out.push_str(" \\t\\n\\x0B\\f\\r"),
                    ('s', false) => out.push_str("[ \\t\\n\\x0B\\f\\r]"),
                    ('S', _) => out.push_str("[^ \\t\\n\\x0B\\f\\r]"),
                    (letter, _) => {
                        out.push('\\');
                        out.push(letter);
                    }
                }
            }
            c => out.push(c),
        }
    }
    out
}

fn posix(name: &str) -> Option<&'static str> {
    Some(match name {
        "Lower" => "[a-z]",
        "Upper" => "[A-Z]",
        "ASCII" => "[\\x00-\\x7F]",
        "Alpha" => "[a-zA-Z]",
        "Digit" => "[0-9]",
        "Alnum" => "[a-zA-Z0-9]",
        "Punct" => "[[:punct:]]",
        "Graph" => "[[:graph:]]",
        "Print" => "[[:print:]]",
        "Blank" => "[ \\t]",
        "Cntrl" => "[[:cntrl:]]",
        "XDigit" => "[0-9a-fA-F]",
        "Space" => "[ \\t\\n\\x0B\\f\\r]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_whole_text_must_match() {
        let matches =
            |pattern: &str, text: &str| Pattern::compile(pattern).unwrap_or_else(|e| panic!("{pattern}: {e}")).matches(text).unwrap();
        for (pattern, text, is) in [
            ("true", "true", true),
            ("true", "trueish", false),
            ("soap1[1-2]", "soap12", true),
            ("^(?!.*(POST|PUT|PATCH)).*$", "GET", true),
            ("^(?!.*(POST|PUT|PATCH)).*$", "POST", false),
            ("a|b", "b", true),
            ("\\d+[\\w.]\\s", "12. ", true),
            ("\\d", "٣", false),
            ("\\Qa.b\\E", "a.b", true),
            ("\\Qa.b\\E", "axb", false),
            ("\\p{Alpha}[\\p{Digit}x]", "ax", true),
            ("(a)\\1", "aa", true),
            ("a++b", "aab", true),
            (".*", "a\nb", false),
            ("(?s).*", "a\nb", true),
            ("(?i)ABC", "abc", true),
            (".*", "", true),
        ] {
            assert_eq!(matches(pattern, text), is, "{pattern} {text}");
        }
        assert!(Pattern::compile("(").is_err());
        assert_eq!(Pattern::compile("(\\w+)@(.*)").unwrap().group("me@there", 2).unwrap(), Some("there".to_owned()));
        assert_eq!(Pattern::compile("x").unwrap().group("y", 0).unwrap(), None);
    }

    #[test]
    fn a_catastrophe_is_a_failure() {
        let text = "a".repeat(5000) + "!";
        // Plain repetition runs in linear time, whatever its nesting.
        assert_eq!(Pattern::compile("(a+)+$").unwrap().matches(&text), Ok(false));
        assert!(Pattern::compile("(a|aa)+(?=b)c").unwrap().matches(&text).is_err());
        assert!(Pattern::compile("((a{1,1000}){1,1000}){1,1000}").is_err());
    }
}
