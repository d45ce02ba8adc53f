//! How a model type and its stored record mirror each other: [`Field`] for one value, `record!` for a struct of them.

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Why a stored value makes no model value. Names the type, never the value's own text.
#[derive(Debug)]
pub(crate) struct Wrong(pub(crate) String);

pub(crate) type Given<T> = std::result::Result<T, Wrong>;

/// The stored form of a model value `M`.
pub(crate) trait Field<M>: Serialize + DeserializeOwned {
    fn keep(value: &M) -> Self;
    fn give(self) -> Given<M>;
}

/// A stored object with the version of the codec that wrote it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Versioned<R> {
    pub(crate) v: u32,
    pub(crate) body: R,
}

macro_rules! plain {
    ($($ty:ty),+) => {$(
        impl Field<$ty> for $ty {
            fn keep(value: &$ty) -> Self {
                value.clone()
            }

            fn give(self) -> Given<$ty> {
                Ok(self)
            }
        }
    )+};
}
plain!(String, bool, u16, u32, u64, i64, Value, (String, String));

impl<M, R: Field<M>> Field<Option<M>> for Option<R> {
    fn keep(value: &Option<M>) -> Self {
        value.as_ref().map(R::keep)
    }

    fn give(self) -> Given<Option<M>> {
        self.map(R::give).transpose()
    }
}

impl<M, R: Field<M>> Field<Vec<M>> for Vec<R> {
    fn keep(value: &Vec<M>) -> Self {
        value.iter().map(R::keep).collect()
    }

    fn give(self) -> Given<Vec<M>> {
        self.into_iter().map(R::give).collect()
    }
}

/// A model enum kept by its name.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Word(pub(crate) String);

/// `Field` for enums with `name()` and `parse()`.
macro_rules! words {
    ($($ty:ty),+ $(,)?) => {$(
        impl $crate::codec::record::Field<$ty> for $crate::codec::record::Word {
            fn keep(value: &$ty) -> Self {
                Self(<$ty>::name(*value).to_owned())
            }

            fn give(self) -> $crate::codec::record::Given<$ty> {
                <$ty>::parse(&self.0).ok_or_else(|| $crate::codec::record::Wrong(format!("no {} is called '{}'", stringify!($ty), self.0)))
            }
        }
    )+};
}
pub(crate) use words;

/// `Field` for types that print and parse as text, such as ids.
macro_rules! texts {
    ($($ty:ty),+ $(,)?) => {$(
        impl $crate::codec::record::Field<$ty> for $crate::codec::record::Word {
            fn keep(value: &$ty) -> Self {
                Self(value.to_string())
            }

            fn give(self) -> $crate::codec::record::Given<$ty> {
                self.0.parse().map_err(|_| $crate::codec::record::Wrong(format!("not a valid {}", stringify!($ty))))
            }
        }
    )+};
}
pub(crate) use texts;

/// Declares the stored record of a model struct, field by field under the same names. Leaving out a field does not compile.
macro_rules! record {
    ($row:ident of $model:ty { $($field:ident : $ty:ty),+ $(,)? }) => {
        #[derive(serde::Serialize, serde::Deserialize)]
        pub(crate) struct $row { $(pub(crate) $field: $ty),+ }

        impl $crate::codec::record::Field<$model> for $row {
            fn keep(value: &$model) -> Self {
                Self { $($field: $crate::codec::record::Field::keep(&value.$field)),+ }
            }

            fn give(self) -> $crate::codec::record::Given<$model> {
                type Model = $model;
                Ok(Model { $($field: $crate::codec::record::Field::give(self.$field)?),+ })
            }
        }
    };
}
pub(crate) use record;
