//! A checksum over records that stays the same in whatever order they are read, so that two comparisons of the same state agree and a third
//! party can hold one against another. Secrets have no part in it: a short one could be guessed from it.

use std::fmt;

use aws_lc_rs::digest;
use serde::{Serialize, Serializer};

/// The sum of the SHA-256 of all records, modulo 2^256; a sum, because equal records must not cancel out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checksum([u8; 32]);

impl Checksum {
    /// Takes a record in, given by its key and what it holds.
    pub fn add(&mut self, key: &str, held: &str) {
        let mut context = digest::Context::new(&digest::SHA256);
        // The length keeps key and content apart.
        context.update(&key.len().to_be_bytes());
        context.update(key.as_bytes());
        context.update(held.as_bytes());
        let mut carry = 0;
        for (sum, more) in self.0.iter_mut().zip(context.finish().as_ref()).rev() {
            let all = u16::from(*sum) + u16::from(*more) + carry;
            let [high, low] = all.to_be_bytes();
            (*sum, carry) = (low, u16::from(high));
        }
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl Serialize for Checksum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(records: &[(&str, &str)]) -> String {
        let mut sum = Checksum::default();
        records.iter().for_each(|(key, held)| sum.add(key, held));
        sum.to_string()
    }

    #[test]
    fn order_does_not_matter_and_everything_else_does() {
        let both = of(&[("1", "a"), ("2", "b")]);
        assert_eq!(both, of(&[("2", "b"), ("1", "a")]));
        for other in [&[("1", "b"), ("2", "a")][..], &[("1", "a")], &[("1", "a"), ("1", "a"), ("2", "b")], &[("1a", ""), ("2", "b")]] {
            assert_ne!(both, of(other));
        }
        assert_ne!(of(&[]), of(&[("1", "a"), ("1", "a")]), "what stands twice does not cancel out");
        assert_eq!(of(&[]), "0".repeat(64));
    }
}
