//! What a plan would do, by kind, in a few bytes: counts, and a digest over key, content and decision of every record, so that another
//! reading of the same source can be held against it. The same records in another order make the same digest.

use aws_lc_rs::digest::{Context, SHA256};
use serde::{Deserialize, Serialize};

use crate::digests::hex;
use crate::old::oauth::Token;

/// What would be done about one record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Letter {
    /// Added, or put in the place of a default.
    Add,
    /// Written over its older self.
    Change,
    /// Left alone.
    Same,
    /// Ended, as a token is.
    End,
    /// Left alone, because it was deleted here.
    Deleted,
    /// Carried before, and gone from the source since.
    Gone,
    /// Refused, because of somebody's record.
    InTheWay,
}

/// One kind's fingerprint.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Print {
    /// Kind.
    pub kind: String,
    /// To be added, or to take the place of a default. Of tokens all that are active in the source and not yet here; those whose time is over
    /// when they are written are left out then.
    pub add: u64,
    /// To be written over their older selves.
    pub change: u64,
    /// To be ended here, because they ended in the source.
    pub end: u64,
    /// To be left alone.
    pub same: u64,
    /// To be left alone, because they were deleted here.
    pub deleted_here: u64,
    /// Gone from the source since they were carried; they stay.
    pub gone: u64,
    /// In somebody's way.
    pub in_the_way: u64,
    /// Over all of them.
    pub digest: String,
}

impl Print {
    fn count(&mut self, letter: Letter) {
        match letter {
            Letter::Add => self.add += 1,
            Letter::Change => self.change += 1,
            Letter::Same => self.same += 1,
            Letter::End => self.end += 1,
            Letter::Deleted => self.deleted_here += 1,
            Letter::Gone => self.gone += 1,
            Letter::InTheWay => self.in_the_way += 1,
        }
    }

    /// Whether anything would be written.
    pub fn writes(&self) -> bool {
        self.add + self.change + self.end > 0
    }
}

/// A fingerprint of records that are all at hand.
#[derive(Default)]
pub(crate) struct Sorted {
    print: Print,
    /// Half a digest each: there may be a million.
    records: Vec<[u8; 16]>,
}

impl Sorted {
    pub(crate) fn add(&mut self, key: &str, content: &str, letter: Letter) {
        self.print.count(letter);
        let whole = of(&[key.as_bytes(), content.as_bytes(), format!("{letter:?}").as_bytes()]);
        self.records.extend(whole.first_chunk().copied());
    }

    pub(crate) fn finish(mut self, kind: &str) -> Print {
        self.records.sort_unstable();
        let mut all = Context::new(&SHA256);
        all.update(kind.as_bytes());
        self.records.iter().for_each(|record| all.update(record));
        Print { kind: kind.to_owned(), digest: hex(all.finish().as_ref()), ..self.print }
    }
}

/// A fingerprint of records that come as a stream, in an order the source is free to change. Their digests are added up, since millions of
/// them are not kept for sorting; that is for telling change, not for keeping out who can forge a source.
#[derive(Default)]
pub(crate) struct Streamed {
    print: Print,
    sum: [u128; 2],
}

impl Streamed {
    pub(crate) fn add(&mut self, token: &Token, key: &str, letter: Letter) {
        self.print.count(letter);
        let refresh = token.refresh_token.as_ref().map_or("", |text| text.expose().as_str());
        // The texts of a token do not show; its key and this stand for them.
        let record = of(&[key.as_bytes(), refresh.as_bytes(), format!("{token:?}").as_bytes(), format!("{letter:?}").as_bytes()]);
        for (sum, half) in self.sum.iter_mut().zip(record.chunks_exact(16)) {
            *sum = sum.wrapping_add(half.iter().fold(0, |n, byte| (n << 8) | u128::from(*byte)));
        }
    }

    pub(crate) fn finish(self, kind: &str) -> Print {
        let [a, b] = self.sum.map(u128::to_be_bytes);
        Print { kind: kind.to_owned(), digest: hex(&of(&[kind.as_bytes(), &a, &b])), ..self.print }
    }
}

/// SHA-256 over parts whose borders count.
pub(crate) fn of(parts: &[&[u8]]) -> [u8; 32] {
    let mut all = Context::new(&SHA256);
    for part in parts {
        all.update(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
        all.update(part);
    }
    let mut digest = [0; 32];
    digest.copy_from_slice(all.finish().as_ref());
    digest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sorted(records: &[(&str, &str, Letter)]) -> Print {
        let mut print = Sorted::default();
        records.iter().for_each(|(key, content, letter)| print.add(key, content, *letter));
        print.finish("users")
    }

    #[test]
    fn the_order_makes_no_difference_and_everything_else_does() {
        let (a, b) = (("1", "x", Letter::Add), ("2", "y", Letter::Same));
        let one = sorted(&[a, b]);
        assert_eq!(one, sorted(&[b, a]));
        assert_eq!((one.add, one.same), (1, 1));
        for other in
            [[("1", "x", Letter::Change), b], [("3", "x", Letter::Add), b], [("1", "z", Letter::Add), b], [("1x", "", Letter::Add), b]]
        {
            assert_ne!(one.digest, sorted(&other).digest, "{other:?}");
        }
        assert_ne!(one.digest, sorted(&[a]).digest);
    }
}
