//! Long lists in little memory. An old installation holds a hundred thousand applications and more, each with a client, keys and a service
//! provider, and rows of one table are much alike: written one behind the other and squeezed in blocks they take a fraction of what structs
//! with their many small texts take.
//!
//! A list is read from front to back, or near where it was read last; either costs one opened block for every [`IN_A_BLOCK`] records.

mod model;
mod pack;
mod squeezed;

use std::borrow::Cow;
use std::sync::{Arc, Mutex, PoisonError};

use ::model::Secret;

pub use pack::Pack;
pub(crate) use pack::packs;
pub use squeezed::Squeezed;

use crate::translate::{Carried, Records};

/// Records in one block: enough alike for squeezing, few enough for looking up a single one.
const IN_A_BLOCK: usize = 128;

/// A list. Blocks may hold secrets, so nothing of them prints and they are wiped when they go.
pub struct Packed<T> {
    blocks: Vec<Secret<Vec<u8>>>,
    /// The last records, not yet a block.
    tail: Vec<T>,
    at_hand: Mutex<Option<(usize, Arc<[T]>)>>,
}

impl<T> Default for Packed<T> {
    fn default() -> Self {
        Self { blocks: Vec::new(), tail: Vec::new(), at_hand: Mutex::new(None) }
    }
}

impl<T: Pack + Clone> Packed<T> {
    /// Puts one at the end.
    pub fn push(&mut self, record: T) {
        self.tail.push(record);
        if self.tail.len() < IN_A_BLOCK {
            return;
        }
        let mut bytes = Vec::new();
        self.tail.drain(..).for_each(|record| record.pack(&mut bytes));
        let plain = Secret::new(bytes);
        let mut squeezed = lz4_flex::compress_prepend_size(plain.expose());
        squeezed.shrink_to_fit();
        self.blocks.push(Secret::new(squeezed));
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.blocks.len() * IN_A_BLOCK + self.tail.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them.
    pub fn get(&self, at: usize) -> Option<T> {
        let (number, within) = (at / IN_A_BLOCK, at % IN_A_BLOCK);
        if number == self.blocks.len() {
            return self.tail.get(within).cloned();
        }
        let block = self.blocks.get(number)?;
        let mut at_hand = self.at_hand.lock().unwrap_or_else(PoisonError::into_inner);
        match &*at_hand {
            Some((known, records)) if *known == number => records.get(within).cloned(),
            _ => {
                let records: Arc<[T]> = opened(block).into();
                let found = records.get(within).cloned();
                *at_hand = Some((number, records));
                found
            }
        }
    }

    /// All of them, in order.
    pub fn iter(&self) -> impl Iterator<Item = T> + '_ {
        self.blocks.iter().flat_map(opened).chain(self.tail.iter().cloned())
    }
}

/// # Panics
///
/// When a block is not what [`Packed::push`] wrote: that is a fault of a [`Pack`], and going on would lose records in silence.
#[expect(clippy::panic, reason = "see above")]
fn opened<T: Pack>(block: &Secret<Vec<u8>>) -> Vec<T> {
    let plain = match lz4_flex::decompress_size_prepended(block.expose()) {
        Ok(plain) => Secret::new(plain),
        Err(fault) => panic!("a packed block does not open: {fault}"),
    };
    let mut rest = plain.expose().as_slice();
    let records: Option<Vec<T>> = (0..IN_A_BLOCK).map(|_| T::unpack(&mut rest)).collect();
    match records {
        Some(records) if rest.is_empty() => records,
        _ => panic!("a packed block of {} does not read", std::any::type_name::<T>()),
    }
}

impl<T: Pack + Clone> FromIterator<T> for Packed<T> {
    fn from_iter<I: IntoIterator<Item = T>>(records: I) -> Self {
        let mut packed = Self::default();
        packed.extend(records);
        packed
    }
}

impl<T: Pack + Clone> Extend<T> for Packed<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, records: I) {
        records.into_iter().for_each(|record| self.push(record));
    }
}

impl<T: Pack + Clone> From<Vec<T>> for Packed<T> {
    fn from(records: Vec<T>) -> Self {
        records.into_iter().collect()
    }
}

impl<T: Clone> Clone for Packed<T> {
    fn clone(&self) -> Self {
        Self { blocks: self.blocks.clone(), tail: self.tail.clone(), at_hand: Mutex::new(None) }
    }
}

impl<T: Pack + Clone + PartialEq> PartialEq for Packed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl<T: Pack + Clone + std::fmt::Debug> std::fmt::Debug for Packed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

impl<T: Pack + Clone> Records for Packed<Carried<T>> {
    type Of = T;

    fn count(&self) -> usize {
        self.len()
    }

    fn record(&self, at: usize) -> Option<Cow<'_, Carried<T>>> {
        self.get(at).map(Cow::Owned)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_packed_comes_back_in_order_and_by_number() {
        let texts: Vec<String> = (0..1000).map(|n| format!("application number {n}")).collect();
        let packed: Packed<String> = texts.iter().cloned().collect();
        assert_eq!(packed.len(), 1000);
        assert_eq!(packed.iter().collect::<Vec<_>>(), texts);
        for at in [0, 127, 128, 900, 3, 999] {
            assert_eq!(packed.get(at).as_ref(), texts.get(at));
        }
        assert_eq!(packed.get(1000), None);
        let squeezed: usize = packed.blocks.iter().map(|block| block.expose().len()).sum();
        assert!(squeezed * 2 < texts.iter().map(String::len).sum(), "{squeezed}");
        assert_eq!(packed, packed.clone());
        assert_ne!(packed, texts.into_iter().rev().collect());
        assert!(Packed::<String>::default().is_empty());
    }
}
