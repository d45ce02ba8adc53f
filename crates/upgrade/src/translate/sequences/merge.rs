//! A customised stock sequence held against the stock it was made from, mediator by mediator.
//!
//! Tidegate answers errors itself, so "the new stock" is no text to merge into: what can be carried over to its answers is what a site
//! *added*, which runs over them. Where a site changed or removed something of stock, nobody but the site can say what that means for
//! another body, and its whole version runs in the place of the gateway's answer.

use super::pieces::{Piece, Pieces};
use super::stock::Stock;

/// What came of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Merge {
    /// The site only added mediators: a sequence of them alone.
    Additions(String),
    /// The site changed or removed some of stock: the difference, a line each.
    Clash(Vec<String>),
}

/// Holds `site` against that stock of its name which it is closest to; with it, the versions that stock is of. `None` where no stock of the
/// name is known.
pub(super) fn merge(site: &Pieces, stocks: &[&'static Stock]) -> Option<(&'static str, Merge)> {
    let kept = |stock: &Stock| common(site, stock).len();
    let closest = stocks.iter().copied().min_by_key(|stock| {
        let kept = kept(stock);
        // What is missing weighs more than what was added; of equals the newest, which stands last.
        (stock.mediators.len() - kept, site.parts.len() - kept)
    })?;
    let pairs = common(site, closest);
    let added = || site.parts.iter().enumerate().filter(|(n, _)| !pairs.iter().any(|(s, _)| s == n)).map(|(_, part)| part);
    let merge = if pairs.len() == closest.mediators.len() {
        Merge::Additions(site.with_only(added()))
    } else {
        Merge::Clash(difference(site, closest, &pairs))
    };
    Some((closest.versions, merge))
}

/// Pairs of places (in `site`, in `stock`) of a longest common run of mediators.
fn common(site: &Pieces, stock: &Stock) -> Vec<(usize, usize)> {
    let (a, b) = (&site.parts, stock.mediators);
    let same = |i: usize, j: usize| matches!((a.get(i), b.get(j)), (Some(x), Some((_, mark))) if x.mark == *mark);
    // Stock sequences have a dozen mediators, so the plain table does.
    let mut longest = vec![vec![0_usize; b.len() + 1]; a.len() + 1];
    let at = |table: &Vec<Vec<usize>>, i: usize, j: usize| table.get(i).and_then(|row| row.get(j)).copied().unwrap_or(0);
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            let best = match same(i, j) {
                true => at(&longest, i + 1, j + 1) + 1,
                false => at(&longest, i + 1, j).max(at(&longest, i, j + 1)),
            };
            if let Some(cell) = longest.get_mut(i).and_then(|row| row.get_mut(j)) {
                *cell = best;
            }
        }
    }
    let (mut i, mut j, mut pairs) = (0, 0, Vec::new());
    while i < a.len() && j < b.len() {
        if same(i, j) {
            pairs.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if at(&longest, i + 1, j) >= at(&longest, i, j + 1) {
            i += 1;
        } else {
            j += 1;
        }
    }
    pairs
}

/// As `diff` would say it; stock's mediators by name and place, because their texts are not ours to hold.
fn difference(site: &Pieces, stock: &Stock, pairs: &[(usize, usize)]) -> Vec<String> {
    let mut lines = Vec::new();
    let (mut i, mut j) = (0, 0);
    let ends = pairs.iter().copied().chain([(site.parts.len(), stock.mediators.len())]);
    for (to_site, to_stock) in ends {
        for (place, (name, _)) in stock.mediators.iter().enumerate().take(to_stock).skip(j) {
            lines.push(format!("- stock's {name} (mediator {} of {})", place + 1, stock.mediators.len()));
        }
        lines.extend(site.parts.iter().take(to_site).skip(i).map(shown));
        (i, j) = (to_site + 1, to_stock + 1);
    }
    lines
}

/// By its start and line, without what it says: authors write passwords into sequences.
fn shown(part: &Piece) -> String {
    format!("+ line {}: {}", part.line, part.name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const STOCK: &str =
        "<sequence name='x'><property name='a' value='1'/><log/><payloadFactory><format>s</format></payloadFactory><send/></sequence>";

    fn stock() -> &'static Stock {
        let of = Pieces::of(STOCK).unwrap();
        let mediators: Vec<(&'static str, &'static str)> =
            of.parts.iter().map(|p| (&*p.name.clone().leak(), &*p.mark.clone().leak())).collect();
        Box::leak(Box::new(Stock { name: "x", versions: "1.9.0", hash: of.hash.leak(), mediators: mediators.leak() }))
    }

    fn merged(site: &str) -> Merge {
        merge(&Pieces::of(site).unwrap(), &[stock()]).unwrap().1
    }

    #[test]
    fn additions_alone_are_carried_over() {
        let site = STOCK.replace("<send/>", "<header name='X' value='y'/><send/><log level='full'/>");
        let Merge::Additions(text) = merged(&site) else { panic!("a clash") };
        let names: Vec<_> = Pieces::of(&text).unwrap().parts.into_iter().map(|p| p.name).collect();
        assert_eq!(names, ["header", "log"]);
        assert_eq!(Pieces::of(&text).unwrap().attribute("name"), Some("x"));
    }

    #[test]
    fn what_was_changed_or_removed_is_shown() {
        let changed = STOCK.replace("<format>s", "\n<format>site");
        assert_eq!(
            merged(&changed),
            Merge::Clash(vec!["- stock's payloadFactory (mediator 3 of 4)".into(), "+ line 1: payloadFactory".into()])
        );
        let removed = STOCK.replace("<log/>", "").replace("value='1'", "value='hunter2'");
        assert_eq!(
            merged(&removed),
            Merge::Clash(vec![
                "- stock's property (mediator 1 of 4)".into(),
                "- stock's log (mediator 2 of 4)".into(),
                "+ line 1: property".into()
            ])
        );
    }

    #[test]
    fn a_sequence_without_known_stock_cannot_be_merged() {
        assert_eq!(merge(&Pieces::of(STOCK).unwrap(), &[]), None);
    }
}
