//! How deep the brackets of a YAML text may nest, found out before the YAML reader sees it.
//!
//! The reader's scanner does work for every open bracket at every token, so two hundred kilobytes of `[` keep it busy for minutes. Whether a
//! bracket is one, or a letter in a text, only a full scanner knows; but an upper bound is enough, and easy: *every* bracket is taken as a possible
//! beginning, and from a beginning on the rules inside brackets are simple. All beginnings are followed at once, each kind of place in the
//! text remembering only the deepest. The true reading is among those followed, so the bound is never too low.

/// Work the scanner may do, in brackets times bytes; about three seconds at worst.
const MAX_WORK: usize = 400_000_000;

/// Whether the YAML reader can be trusted with `text`.
pub(crate) fn is_tame(text: &str) -> bool {
    let limit = (MAX_WORK / text.len().max(1)).clamp(64, 1_000);
    let mut places = Places::default();
    for c in text.chars() {
        if matches!(c, '[' | '{') || places.0.iter().any(Option::is_some) {
            places = places.after(c);
            if places.0.iter().flatten().any(|depth| *depth > limit) {
                return false;
            }
        }
    }
    true
}

/// Where in a bracketed text one can be.
#[derive(Clone, Copy)]
enum Place {
    /// Before a token.
    Between,
    /// In a plain text, after a letter.
    Plain,
    /// In a plain text, after a space.
    PlainSpace,
    /// In a plain text, after a colon that may end it.
    PlainColon,
    /// In an anchor's or alias's name.
    Name,
    /// In a tag, whose brackets may be letters.
    Tag,
    /// In a text in double quotes.
    Double,
    /// There, after a backslash.
    Escape,
    /// In a text in single quotes.
    Single,
    /// There, after a quote that may be doubled.
    SingleQuote,
    /// In a comment.
    Comment,
}

/// For each place the depth of the deepest reading that is there.
#[derive(Default)]
struct Places([Option<usize>; 11]);

impl Places {
    fn after(&self, c: char) -> Self {
        use Place::{Between, Comment, Double, Escape, Name, Plain, PlainColon, PlainSpace, Single, SingleQuote, Tag};
        let mut next = Self::default();
        if matches!(c, '[' | '{') {
            next.reach(Between, 1);
        }
        let at = |place: Place| self.0.get(place as usize).copied().flatten();
        if let Some(depth) = at(Between) {
            next.token(c, depth);
        }
        if let Some(depth) = at(Plain) {
            next.plain(c, depth);
        }
        if let Some(depth) = at(PlainSpace) {
            if c == '#' { next.reach(Comment, depth) } else { next.plain(c, depth) }
        }
        if let Some(depth) = at(PlainColon) {
            if is_blank(c) { next.reach(Between, depth) } else { next.plain(c, depth) }
        }
        if let Some(depth) = at(Name) {
            if c.is_ascii_alphanumeric() || matches!(c, '-' | '_') { next.reach(Name, depth) } else { next.token(c, depth) }
        }
        if let Some(depth) = at(Tag) {
            if is_blank(c) {
                next.reach(Between, depth);
            } else {
                next.reach(Tag, depth);
                if is_indicator(c) {
                    next.token(c, depth);
                }
            }
        }
        if let Some(depth) = at(Double) {
            next.reach(
                if c == '"' {
                    Between
                } else if c == '\\' {
                    Escape
                } else {
                    Double
                },
                depth,
            );
        }
        if let Some(depth) = at(Escape) {
            next.reach(Double, depth);
        }
        if let Some(depth) = at(Single) {
            next.reach(if c == '\'' { SingleQuote } else { Single }, depth);
        }
        if let Some(depth) = at(SingleQuote) {
            if c == '\'' { next.reach(Single, depth) } else { next.token(c, depth) }
        }
        if let Some(depth) = at(Comment) {
            next.reach(if is_break(c) { Between } else { Comment }, depth);
        }
        next
    }

    fn token(&mut self, c: char, depth: usize) {
        match c {
            '[' | '{' => self.reach(Place::Between, depth + 1),
            // The reading that has closed all its brackets is over.
            ']' | '}' if depth <= 1 => {}
            ']' | '}' => self.reach(Place::Between, depth - 1),
            ',' | ':' | '?' => self.reach(Place::Between, depth),
            '"' => self.reach(Place::Double, depth),
            '\'' => self.reach(Place::Single, depth),
            '#' => self.reach(Place::Comment, depth),
            '&' | '*' => self.reach(Place::Name, depth),
            '!' => self.reach(Place::Tag, depth),
            c if is_blank(c) => self.reach(Place::Between, depth),
            '-' => {
                self.reach(Place::Between, depth);
                self.reach(Place::Plain, depth);
            }
            _ => self.reach(Place::Plain, depth),
        }
    }

    fn plain(&mut self, c: char, depth: usize) {
        match c {
            c if is_indicator(c) => self.token(c, depth),
            ':' => self.reach(Place::PlainColon, depth),
            c if is_blank(c) => self.reach(Place::PlainSpace, depth),
            _ => self.reach(Place::Plain, depth),
        }
    }

    fn reach(&mut self, place: Place, depth: usize) {
        if let Some(deepest) = self.0.get_mut(place as usize) {
            *deepest = Some(deepest.map_or(depth, |d| d.max(depth)));
        }
    }
}

fn is_indicator(c: char) -> bool {
    matches!(c, '[' | ']' | '{' | '}' | ',')
}

fn is_break(c: char) -> bool {
    matches!(c, '\n' | '\r' | '\u{85}' | '\u{2028}' | '\u{2029}')
}

fn is_blank(c: char) -> bool {
    matches!(c, ' ' | '\t') || is_break(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_without_end_are_seen_however_they_are_dressed() {
        let big = |unit: &str| format!("a: {}", unit.repeat(2_000));
        for unit in [
            "[",
            "{a: ",
            "[\"]\", ",
            "[ ']', ",
            "['it''s ]', ",
            "[\"\\\"]\", ",
            "[ # ]\n",
            "[ # ]\u{2028}",
            "[&a \"]\" , ",
            "[!<]> x, ",
            "[*a , \"]\",",
            "[a: \"]\", ",
            "[a #]\n,",
            "[x:y ,",
            "[? \"]\" : x, ",
            "[- ",
        ] {
            assert!(!is_tame(&big(unit)), "{unit}");
        }
    }

    #[test]
    fn honest_texts_pass() {
        let line =
            "  - {name: a, in: \"path [x\", d: 'it''s', pattern: '^[a-z]{1,3}$'} # ok [\n    text: don't say [foo](bar) or \"this} :[\n";
        assert!(is_tame(&line.repeat(2)));
        assert!(is_tame(&format!("a: {}{}", "[".repeat(60), "]".repeat(60))));
        assert!(is_tame(&"plain: words\n".repeat(10_000)));
        assert!(is_tame(""));
    }
}
