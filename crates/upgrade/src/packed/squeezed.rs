//! One long record, kept squeezed and opened when it is asked for: a definition is some ten kilobytes of text that says the same again and
//! again.

use std::marker::PhantomData;

use super::Pack;

/// A record, squeezed. Shows and compares as what it holds.
pub struct Squeezed<T> {
    bytes: Box<[u8]>,
    of: PhantomData<fn() -> T>,
}

impl<T: Pack> Squeezed<T> {
    /// Squeezes it.
    pub fn new(record: &T) -> Self {
        let mut plain = Vec::new();
        record.pack(&mut plain);
        Self { bytes: lz4_flex::compress_prepend_size(&plain).into_boxed_slice(), of: PhantomData }
    }

    /// As it was.
    ///
    /// # Panics
    ///
    /// When it is not what [`Squeezed::new`] wrote, which is a fault of a [`Pack`].
    #[expect(clippy::panic, reason = "see above")]
    pub fn open(&self) -> T {
        let opened = lz4_flex::decompress_size_prepended(&self.bytes).ok().and_then(|plain| T::unpack(&mut plain.as_slice()));
        match opened {
            Some(record) => record,
            None => panic!("a squeezed {} does not open", std::any::type_name::<T>()),
        }
    }
}

impl<T> Clone for Squeezed<T> {
    fn clone(&self) -> Self {
        Self { bytes: self.bytes.clone(), of: PhantomData }
    }
}

impl<T: Pack + PartialEq> PartialEq for Squeezed<T> {
    fn eq(&self, other: &Self) -> bool {
        self.bytes == other.bytes || self.open() == other.open()
    }
}

impl<T: Pack + std::fmt::Debug> std::fmt::Debug for Squeezed<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.open().fmt(f)
    }
}
