//! The objects in the maps that the store keeps for itself: numbers, texts, bytes and lists of them.
//!
//! H2 can put any Java object there; what its maps of large objects hold is all this reads.

use crate::bytes::Bytes;
use crate::error::Fault;

/// An object.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Object {
    /// Nothing, or something whose value never matters here.
    Other,
    Number(i64),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Object>),
}

/// Lists of these maps do not nest; the bound keeps damaged bytes from exhausting the stack.
const DEPTH_MAX: usize = 4;
const BYTE_CLASS: u8 = 1;
/// Classes below this one are Java's bare numbers, which are written without tags.
const FIRST_OBJECT_CLASS: u8 = 8;
const NAMED_CLASS: u8 = 0xff;

pub(super) fn object(bytes: &mut Bytes<'_>) -> Result<Object, Fault> {
    object_at(bytes, 0)
}

fn object_at(bytes: &mut Bytes<'_>, depth: usize) -> Result<Object, Fault> {
    let tag = bytes.u8()?;
    Ok(match tag {
        0 | 1 | 32 => Object::Other,
        2 => Object::Number(i64::from(bytes.u8()? as i8)),
        3 => Object::Number(i64::from(bytes.i16()?)),
        4 => Object::Number(i64::from(bytes.var_i32()?)),
        5 => Object::Number(bytes.var_i64()?),
        11 => Object::Text(bytes.counted_string()?),
        14 => list(bytes, depth)?,
        33 => Object::Number(i64::from(bytes.var_i32()?.wrapping_neg())),
        34 => Object::Number(i64::from(bytes.i32()?)),
        35 => Object::Number(bytes.var_i64()?.wrapping_neg()),
        36 => Object::Number(bytes.u64()? as i64),
        64..=79 => Object::Number(i64::from(tag - 64)),
        80..=87 => Object::Number(i64::from(tag - 80)),
        88..=103 => Object::Text(bytes.string(usize::from(tag - 88))?),
        104..=119 => Object::Bytes(bytes.take(usize::from(tag - 104))?.to_vec()),
        _ => return Err(bytes.fault("an object of a kind that is not expected here")),
    })
}

fn list(bytes: &mut Bytes<'_>, depth: usize) -> Result<Object, Fault> {
    if depth >= DEPTH_MAX {
        return Err(bytes.fault("lists nest too deeply"));
    }
    let class = bytes.u8()?;
    if class == NAMED_CLASS {
        bytes.counted_string()?;
    } else if class == BYTE_CLASS {
        let length = bytes.length()?;
        return Ok(Object::Bytes(bytes.take(length)?.to_vec()));
    } else if class < FIRST_OBJECT_CLASS {
        return Err(bytes.fault("a list of a kind that is not expected here"));
    }
    let length = bytes.length()?;
    (0..length).map(|_| object_at(bytes, depth + 1)).collect::<Result<_, _>>().map(Object::List)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_the_map_of_large_objects_holds() {
        let entry = [14, 8, 4, 106, 1, 2, 66, 5, 0xac, 2, 80];
        let expected = [Object::Bytes(vec![1, 2]), Object::Number(2), Object::Number(300), Object::Number(0)];
        assert_eq!(object(&mut Bytes::new(&entry)), Ok(Object::List(expected.to_vec())));
        assert_eq!(object(&mut Bytes::new(&[14, 1, 3, 7, 8, 9])), Ok(Object::Bytes(vec![7, 8, 9])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_an_object_or_a_fault(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = object(&mut Bytes::new(&bytes));
        }
    }
}
