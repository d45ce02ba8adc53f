//! Long lines on a terminal: folded at blanks, with what goes on set in below what it belongs to. Elsewhere they stay whole, to be searched.

use std::borrow::Cow;

use console::Term;

/// Narrower ones are taken for this wide: lists of names are unreadable below.
const NARROWEST: usize = 40;

/// Folded to the width of the terminal at standard output, where there is one.
pub(super) fn for_stdout(text: &str) -> Cow<'_, str> {
    at(text, &Term::stdout())
}

/// The same at standard error.
pub(super) fn for_stderr(text: &str) -> Cow<'_, str> {
    at(text, &Term::stderr())
}

fn at<'a>(text: &'a str, terminal: &Term) -> Cow<'a, str> {
    match terminal.size_checked() {
        Some((_, width)) => Cow::Owned(folded(text, usize::from(width).max(NARROWEST))),
        None => Cow::Borrowed(text),
    }
}

fn folded(text: &str, width: usize) -> String {
    let mut out = String::with_capacity(text.len());
    for line in text.split_inclusive('\n') {
        let (body, end) = line.strip_suffix('\n').map_or((line, ""), |body| (body, "\n"));
        fold(&mut out, body, width);
        out.push_str(end);
    }
    out
}

fn fold(out: &mut String, line: &str, width: usize) {
    if line.chars().count() <= width {
        out.push_str(line);
        return;
    }
    let words = line.trim_start();
    let first = line.len() - words.len();
    let hang = first + 2;
    out.push_str(line.get(..first).unwrap_or_default());
    let mut at = first;
    // Several blanks in a row set words apart on purpose and stay with the word before them.
    for word in words.split_inclusive(' ') {
        let long = word.trim_end().chars().count();
        if at + long > width && at > hang {
            out.truncate(out.trim_end_matches(' ').len());
            out.push('\n');
            out.extend(std::iter::repeat_n(' ', hang));
            at = hang;
        }
        out.push_str(word);
        at += word.chars().count();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_lines_go_on_below_what_they_belong_to() {
        let text = "short\n  kept        1  tier(s) Gold stay at 20 a minute\n\nend";
        assert_eq!(folded(text, 30), "short\n  kept        1  tier(s) Gold\n    stay at 20 a minute\n\nend");
        assert_eq!(folded(text, 80), text);
    }

    #[test]
    fn a_word_longer_than_the_line_stands_alone_and_whole() {
        let path = "x".repeat(50);
        assert_eq!(folded(&format!("  at {path} twice\n"), 40), format!("  at\n    {path}\n    twice\n"));
    }
}
