//! How a record is written behind another, and read again. For this process's memory only: nothing of it is kept.

use std::collections::BTreeMap;

use chrono::{DateTime, NaiveDateTime};
use model::Secret;
use zeroize::Zeroize;

use crate::translate::Carried;

/// Something that can be written into bytes and read from them.
pub trait Pack: Sized {
    /// Writes it at the end.
    fn pack(&self, into: &mut Vec<u8>);

    /// Reads it from the front, and moves the front; `None` when it is not there.
    fn unpack(from: &mut &[u8]) -> Option<Self>;
}

fn take<'a>(from: &mut &'a [u8], bytes: usize) -> Option<&'a [u8]> {
    let (front, rest) = from.split_at_checked(bytes)?;
    *from = rest;
    Some(front)
}

macro_rules! numbers {
    ($($ty:ty),*) => {$(
        impl Pack for $ty {
            fn pack(&self, into: &mut Vec<u8>) {
                into.extend_from_slice(&self.to_le_bytes());
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Some(Self::from_le_bytes(take(from, size_of::<Self>())?.try_into().ok()?))
            }
        }
    )*};
}

numbers!(u8, u32, u64, i32, i64);

impl Pack for bool {
    fn pack(&self, into: &mut Vec<u8>) {
        into.push(u8::from(*self));
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(u8::unpack(from)? != 0)
    }
}

fn pack_bytes(bytes: &[u8], into: &mut Vec<u8>) {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX).pack(into);
    into.extend_from_slice(bytes);
}

fn unpack_bytes<'a>(from: &mut &'a [u8]) -> Option<&'a [u8]> {
    let length = usize::try_from(u32::unpack(from)?).ok()?;
    take(from, length)
}

impl Pack for String {
    fn pack(&self, into: &mut Vec<u8>) {
        pack_bytes(self.as_bytes(), into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        std::str::from_utf8(unpack_bytes(from)?).ok().map(str::to_owned)
    }
}

impl Pack for Vec<u8> {
    fn pack(&self, into: &mut Vec<u8>) {
        pack_bytes(self, into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        unpack_bytes(from).map(<[u8]>::to_vec)
    }
}

impl<T: Pack> Pack for Option<T> {
    fn pack(&self, into: &mut Vec<u8>) {
        self.is_some().pack(into);
        if let Some(value) = self {
            value.pack(into);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        if bool::unpack(from)? { T::unpack(from).map(Some) } else { Some(None) }
    }
}

fn pack_list<'a, T: Pack + 'a>(list: impl ExactSizeIterator<Item = &'a T>, into: &mut Vec<u8>) {
    u32::try_from(list.len()).unwrap_or(u32::MAX).pack(into);
    list.for_each(|one| one.pack(into));
}

macro_rules! lists {
    ($($ty:ty),*) => {$(
        impl Pack for Vec<$ty> {
            fn pack(&self, into: &mut Vec<u8>) {
                pack_list(self.iter(), into);
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                (0..u32::unpack(from)?).map(|_| Pack::unpack(from)).collect()
            }
        }
    )*};
}

lists!(String, (String, String));

impl<A: Pack, B: Pack> Pack for (A, B) {
    fn pack(&self, into: &mut Vec<u8>) {
        self.0.pack(into);
        self.1.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some((A::unpack(from)?, B::unpack(from)?))
    }
}

impl<K: Pack + Ord, V: Pack> Pack for BTreeMap<K, V> {
    fn pack(&self, into: &mut Vec<u8>) {
        u32::try_from(self.len()).unwrap_or(u32::MAX).pack(into);
        for (key, value) in self {
            key.pack(into);
            value.pack(into);
        }
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        (0..u32::unpack(from)?).map(|_| Some((K::unpack(from)?, V::unpack(from)?))).collect()
    }
}

impl Pack for NaiveDateTime {
    fn pack(&self, into: &mut Vec<u8>) {
        self.and_utc().timestamp().pack(into);
        self.and_utc().timestamp_subsec_nanos().pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        DateTime::from_timestamp(i64::unpack(from)?, u32::unpack(from)?).map(|time| time.naive_utc())
    }
}

impl<T: Pack + Zeroize> Pack for Secret<T> {
    fn pack(&self, into: &mut Vec<u8>) {
        self.expose().pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        T::unpack(from).map(Self::new)
    }
}

impl<T: Pack> Pack for Carried<T> {
    fn pack(&self, into: &mut Vec<u8>) {
        self.key.pack(into);
        self.value.pack(into);
    }

    fn unpack(from: &mut &[u8]) -> Option<Self> {
        Some(Self { key: Pack::unpack(from)?, value: Pack::unpack(from)? })
    }
}

/// Makes structs packable, field by field: `packs! { Name { field, … } }`.
macro_rules! packs {
    ($($name:ty { $($field:ident),* $(,)? })*) => {$(
        impl $crate::packed::Pack for $name {
            fn pack(&self, into: &mut Vec<u8>) {
                $($crate::packed::Pack::pack(&self.$field, into);)*
            }

            fn unpack(from: &mut &[u8]) -> Option<Self> {
                Some(Self { $($field: $crate::packed::Pack::unpack(from)?,)* })
            }
        }
    )*};
}
pub(crate) use packs;

#[cfg(test)]
mod tests {
    use chrono::NaiveDate;

    use super::*;

    fn again<T: Pack + PartialEq + std::fmt::Debug>(value: &T) {
        let mut bytes = Vec::new();
        value.pack(&mut bytes);
        let mut rest = bytes.as_slice();
        assert_eq!(T::unpack(&mut rest).as_ref(), Some(value));
        assert!(rest.is_empty());
        for cut in 0..bytes.len() {
            assert_eq!(T::unpack(&mut bytes.get(..cut).unwrap()), None, "{value:?} cut to {cut}");
        }
    }

    #[test]
    fn everything_comes_back_and_nothing_reads_that_was_cut() {
        again(&-7i64);
        again(&Some(String::from("ü")));
        again(&vec![0u8, 255]);
        again(&vec![("a".to_owned(), String::new()), ("b".to_owned(), "c".to_owned())]);
        again(&BTreeMap::from([("A".to_owned(), Secret::new("s".to_owned()))]));
        again(&NaiveDate::from_ymd_opt(1969, 12, 31).and_then(|d| d.and_hms_nano_opt(23, 59, 59, 123_456_789)).unwrap());
        again(&Carried { key: "1".to_owned(), value: (Some(true), 3i32) });
    }
}
