//! A cursor over bytes that knows H2's integers and strings and cannot run past the end.
//!
//! It does not know values, pages or files; those are built on it.

use crate::error::Fault;

/// Reads forward through `bytes`, failing with a [`Fault`] instead of passing the end.
#[derive(Debug, Clone)]
pub(crate) struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Bytes<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Bytes { bytes, at: 0 }
    }

    pub(crate) fn from(bytes: &'a [u8], at: usize) -> Self {
        Bytes { bytes, at }
    }

    pub(crate) fn at(&self) -> usize {
        self.at
    }

    pub(crate) fn remaining(&self) -> usize {
        self.bytes.len().saturating_sub(self.at)
    }

    pub(crate) fn fault(&self, what: &'static str) -> Fault {
        Fault { offset: self.at, what }
    }

    pub(crate) fn u8(&mut self) -> Result<u8, Fault> {
        let byte = *self.bytes.get(self.at).ok_or_else(|| self.fault("ends too early"))?;
        self.at += 1;
        Ok(byte)
    }

    pub(crate) fn take(&mut self, count: usize) -> Result<&'a [u8], Fault> {
        let end = self.at.checked_add(count).ok_or_else(|| self.fault("length overflows"))?;
        let taken = self.bytes.get(self.at..end).ok_or_else(|| self.fault("ends too early"))?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(self.take(N)?);
        Ok(array)
    }

    pub(crate) fn i16(&mut self) -> Result<i16, Fault> {
        Ok(i16::from_be_bytes(self.array()?))
    }

    pub(crate) fn u16(&mut self) -> Result<u16, Fault> {
        Ok(u16::from_be_bytes(self.array()?))
    }

    pub(crate) fn i32(&mut self) -> Result<i32, Fault> {
        Ok(i32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u32(&mut self) -> Result<u32, Fault> {
        Ok(u32::from_be_bytes(self.array()?))
    }

    pub(crate) fn u64(&mut self) -> Result<u64, Fault> {
        Ok(u64::from_be_bytes(self.array()?))
    }

    pub(crate) fn uuid(&mut self) -> Result<[u8; 16], Fault> {
        self.array()
    }

    /// Seven bits to a byte, lowest first, at most five bytes; bits beyond 32 are dropped as the writer's language does.
    pub(crate) fn var_i32(&mut self) -> Result<i32, Fault> {
        let mut value: u32 = 0;
        for step in 0..5 {
            let byte = self.u8()?;
            // The fifth byte is not masked by the writer's reader; only its low four bits fit, so the result is the same.
            value |= u32::from(byte & 0x7f) << (7 * step);
            if byte & 0x80 == 0 {
                return Ok(value as i32);
            }
        }
        Err(self.fault("a number has too many bytes"))
    }

    /// Like [`Bytes::var_i32`], up to ten bytes.
    pub(crate) fn var_i64(&mut self) -> Result<i64, Fault> {
        let mut value: u64 = 0;
        for step in 0..10 {
            let byte = self.u8()?;
            value |= u64::from(byte & 0x7f) << (7 * step);
            if byte & 0x80 == 0 {
                return Ok(value as i64);
            }
        }
        Err(self.fault("a number has too many bytes"))
    }

    /// A length: a variable integer that is not negative and not larger than what is left, counting at least one byte
    /// for each thing counted. The second rule keeps a damaged length from reserving memory.
    pub(crate) fn length(&mut self) -> Result<usize, Fault> {
        let length = self.var_i32()?;
        let length = usize::try_from(length).map_err(|_| self.fault("a length is negative"))?;
        if length > self.remaining() {
            return Err(self.fault("a length is larger than the data"));
        }
        Ok(length)
    }

    /// A string of `units` UTF-16 units, each written on its own in one to three bytes (so characters beyond the basic
    /// plane take six). A half of a pair on its own becomes U+FFFD: it has no other form in UTF-8.
    pub(crate) fn string(&mut self, units: usize) -> Result<String, Fault> {
        if units > self.remaining() {
            return Err(self.fault("a string is longer than the data"));
        }
        let mut text: Vec<u16> = Vec::with_capacity(units);
        for _ in 0..units {
            let first = u16::from(self.u8()?);
            text.push(match first {
                0..=0x7f => first,
                0x80..=0xdf => ((first & 0x1f) << 6) + (u16::from(self.u8()?) & 0x3f),
                _ => ((first & 0x0f) << 12) + ((u16::from(self.u8()?) & 0x3f) << 6) + (u16::from(self.u8()?) & 0x3f),
            });
        }
        Ok(String::from_utf16_lossy(&text))
    }

    /// A string with its count of UTF-16 units in front.
    pub(crate) fn counted_string(&mut self) -> Result<String, Fault> {
        let units = self.length()?;
        self.string(units)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_negative_number_takes_all_its_bytes() {
        assert_eq!(Bytes::new(&[0xff, 0xff, 0xff, 0xff, 0x0f]).var_i32(), Ok(-1));
        let mut minus_three = Bytes::new(&[0xfd, 0xff, 0xff, 0xff, 0x0f, 7]);
        assert_eq!(minus_three.var_i32(), Ok(-3));
        assert_eq!(minus_three.u8(), Ok(7));
        assert_eq!(Bytes::new(&[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01]).var_i64(), Ok(-1));
    }

    #[test]
    fn an_endless_number_is_a_fault() {
        assert!(Bytes::new(&[0x80; 40]).var_i32().is_err());
        assert!(Bytes::new(&[0x80; 40]).var_i64().is_err());
        assert!(Bytes::new(&[0x80; 2]).var_i64().is_err());
    }

    #[test]
    fn a_character_beyond_the_basic_plane_is_two_units_of_three_bytes() {
        let bytes = [0xed, 0xa0, 0xbd, 0xed, 0xb8, 0x80, b'!', 0xc3, 0xa9];
        assert_eq!(Bytes::new(&bytes).string(4).as_deref(), Ok("\u{1f600}!é"));
        assert_eq!(Bytes::new(&bytes).string(1).as_deref(), Ok("\u{fffd}"));
    }

    #[test]
    fn a_length_beyond_the_data_is_refused_before_memory_is_reserved() {
        assert!(Bytes::new(&[0xff, 0xff, 0xff, 0xff, 0x07]).length().is_err());
        assert!(Bytes::new(&[5, 1, 2]).length().is_err());
    }
}
