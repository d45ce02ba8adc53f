//! Decodes one value from its tag and bytes. The tags are those of both H2 1.2 and 1.3: the later set is a superset. MVStore files
//! keep the tags and give some of them another form; [`Form`] says which.
//!
//! It does not follow references to large objects; it only says where they are.

use crate::bytes::Bytes;
use crate::error::Fault;
use crate::value::{CivilDate, CivilDateTime, Clock, LobKind, LobPlace, LobRef, TimeOfDay, Value};

mod tag {
    pub(super) const NULL: u8 = 0;
    pub(super) const TINY_INT: u8 = 2;
    pub(super) const SMALL_INT: u8 = 3;
    pub(super) const INT: u8 = 4;
    pub(super) const LONG: u8 = 5;
    pub(super) const DECIMAL: u8 = 6;
    pub(super) const DOUBLE: u8 = 7;
    pub(super) const FLOAT: u8 = 8;
    pub(super) const TIME: u8 = 9;
    pub(super) const DATE: u8 = 10;
    pub(super) const TIMESTAMP: u8 = 11;
    pub(super) const BYTES: u8 = 12;
    pub(super) const STRING: u8 = 13;
    pub(super) const STRING_IGNORE_CASE: u8 = 14;
    pub(super) const BLOB: u8 = 15;
    pub(super) const CLOB: u8 = 16;
    pub(super) const ARRAY: u8 = 17;
    pub(super) const JAVA_OBJECT: u8 = 19;
    pub(super) const UUID: u8 = 20;
    pub(super) const STRING_FIXED: u8 = 21;
    pub(super) const GEOMETRY: u8 = 22;
    /// These are only in MVStore files.
    pub(super) const WALL_TIMESTAMP_ZONE: u8 = 24;
    pub(super) const ENUM: u8 = 25;
    pub(super) const INT_SMALL: u8 = 32;
    pub(super) const LONG_SMALL: u8 = 48;
    pub(super) const DECIMAL_0: u8 = 56;
    pub(super) const DECIMAL_1: u8 = 57;
    pub(super) const DECIMAL_WHOLE: u8 = 58;
    pub(super) const DECIMAL_SCALED: u8 = 59;
    pub(super) const DOUBLE_0: u8 = 60;
    pub(super) const DOUBLE_1: u8 = 61;
    pub(super) const FLOAT_0: u8 = 62;
    pub(super) const FLOAT_1: u8 = 63;
    pub(super) const FALSE: u8 = 64;
    pub(super) const TRUE: u8 = 65;
    pub(super) const INT_NEGATIVE: u8 = 66;
    pub(super) const LONG_NEGATIVE: u8 = 67;
    pub(super) const STRING_SHORT: u8 = 68;
    pub(super) const BYTES_SHORT: u8 = 100;
    pub(super) const WALL_TIME: u8 = 132;
    pub(super) const WALL_DATE: u8 = 133;
    pub(super) const WALL_TIMESTAMP: u8 = 134;
}

const MINUTE_MILLIS: i64 = 60_000;
const DAY_MILLIS: i64 = 86_400_000;
const DAY_NANOS: i64 = DAY_MILLIS * 1_000_000;

/// No real array nests; the bound keeps damaged bytes from exhausting the stack.
const ARRAY_DEPTH_MAX: usize = 8;

/// Turning a number into digits costs the square of its length. A number of this size has 9,800 digits.
const DECIMAL_BYTES_MAX: usize = 4096;
const DECIMAL_SCALE_MAX: i32 = 100_000;

/// Whose values they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    PageStore,
    /// Dates and times have the wall clock's form under the standard clock's tags.
    MvStore,
}

/// Reads the next value.
pub(crate) fn value(bytes: &mut Bytes<'_>) -> Result<Value, Fault> {
    value_at_depth(bytes, 0, Form::PageStore)
}

/// Reads the next value of an MVStore file.
pub(crate) fn mv_value(bytes: &mut Bytes<'_>) -> Result<Value, Fault> {
    value_at_depth(bytes, 0, Form::MvStore)
}

fn value_at_depth(bytes: &mut Bytes<'_>, depth: usize, form: Form) -> Result<Value, Fault> {
    let tag = match (bytes.u8()?, form) {
        (tag::TIME, Form::MvStore) => tag::WALL_TIME,
        (tag::DATE, Form::MvStore) => tag::WALL_DATE,
        (tag::TIMESTAMP, Form::MvStore) => tag::WALL_TIMESTAMP,
        (tag::ENUM, Form::MvStore) => tag::INT,
        (tag::WALL_TIMESTAMP_ZONE, Form::MvStore) => {
            let stamp = value_of(tag::WALL_TIMESTAMP, bytes, depth, form)?;
            // Minutes from UTC; no old table has such a column, and its wall clock is what was shown.
            bytes.var_i32()?;
            return Ok(stamp);
        }
        // Key of a spatial index, and what they mean in page store files.
        (132..=134, Form::MvStore) => return Err(bytes.fault("unknown value tag")),
        (tag, _) => tag,
    };
    value_of(tag, bytes, depth, form)
}

fn value_of(tag: u8, bytes: &mut Bytes<'_>, depth: usize, form: Form) -> Result<Value, Fault> {
    Ok(match tag {
        tag::NULL => Value::Null,
        tag::FALSE => Value::Bool(false),
        tag::TRUE => Value::Bool(true),
        tag::TINY_INT => Value::TinyInt(bytes.u8()? as i8),
        tag::SMALL_INT => Value::SmallInt(bytes.i16()?),
        tag::INT => Value::Int(bytes.var_i32()?),
        tag::INT_NEGATIVE => Value::Int(bytes.var_i32()?.wrapping_neg()),
        tag::INT_SMALL..=47 => Value::Int(i32::from(tag - tag::INT_SMALL)),
        tag::LONG => Value::Long(bytes.var_i64()?),
        tag::LONG_NEGATIVE => Value::Long(bytes.var_i64()?.wrapping_neg()),
        tag::LONG_SMALL..=55 => Value::Long(i64::from(tag - tag::LONG_SMALL)),
        tag::DECIMAL_0 => Value::Decimal("0".into()),
        tag::DECIMAL_1 => Value::Decimal("1".into()),
        tag::DECIMAL_WHOLE => Value::Decimal(bytes.var_i64()?.to_string()),
        tag::DECIMAL_SCALED => {
            let scale = bytes.var_i32()?;
            let unscaled = bytes.var_i64()?;
            decimal(unscaled < 0, unscaled.unsigned_abs().to_string(), scale, bytes)?
        }
        tag::DECIMAL => big_decimal(bytes)?,
        tag::DOUBLE_0 => Value::Double(0.0),
        tag::DOUBLE_1 => Value::Double(1.0),
        tag::DOUBLE => Value::Double(f64::from_bits((bytes.var_i64()? as u64).reverse_bits())),
        tag::FLOAT_0 => Value::Float(0.0),
        tag::FLOAT_1 => Value::Float(1.0),
        tag::FLOAT => Value::Float(f32::from_bits((bytes.var_i32()? as u32).reverse_bits())),
        tag::TIME => Value::Time(TimeOfDay { nanos: bytes.var_i64()?.rem_euclid(DAY_MILLIS) as u64 * 1_000_000 }),
        tag::WALL_TIME => {
            let nanos = millis_and_nanos(bytes)?;
            Value::Time(TimeOfDay { nanos: within_day(nanos, bytes)? })
        }
        tag::DATE => Value::Date(standard_date(bytes.var_i64()?)),
        tag::WALL_DATE => Value::Date(packed_date(bytes)?),
        tag::TIMESTAMP => standard_timestamp(bytes)?,
        tag::WALL_TIMESTAMP => {
            let date = packed_date(bytes)?;
            let nanos = millis_and_nanos(bytes)?;
            let time = TimeOfDay { nanos: within_day(nanos, bytes)? };
            Value::Timestamp(CivilDateTime { date, time, clock: Clock::Wall })
        }
        tag::BYTES => Value::Bytes(counted_bytes(bytes)?),
        tag::BYTES_SHORT..=131 => Value::Bytes(bytes.take(usize::from(tag - tag::BYTES_SHORT))?.to_vec()),
        tag::STRING | tag::STRING_IGNORE_CASE | tag::STRING_FIXED => Value::Text(bytes.counted_string()?),
        tag::STRING_SHORT..=99 => Value::Text(bytes.string(usize::from(tag - tag::STRING_SHORT))?),
        tag::BLOB => lob(LobKind::Blob, bytes)?,
        tag::CLOB => lob(LobKind::Clob, bytes)?,
        tag::ARRAY => array(bytes, depth, form)?,
        tag::JAVA_OBJECT => Value::JavaObject(counted_bytes(bytes)?),
        tag::GEOMETRY => Value::Geometry(counted_bytes(bytes)?),
        tag::UUID => Value::Uuid(bytes.uuid()?),
        _ => return Err(Fault { offset: bytes.at().saturating_sub(1), what: "unknown value tag" }),
    })
}

fn counted_bytes(bytes: &mut Bytes<'_>) -> Result<Vec<u8>, Fault> {
    let length = bytes.length()?;
    Ok(bytes.take(length)?.to_vec())
}

fn array(bytes: &mut Bytes<'_>, depth: usize, form: Form) -> Result<Value, Fault> {
    if depth >= ARRAY_DEPTH_MAX {
        return Err(bytes.fault("arrays nest too deeply"));
    }
    let length = bytes.length()?;
    let values = (0..length).map(|_| value_at_depth(bytes, depth + 1, form)).collect::<Result<_, _>>()?;
    Ok(Value::Array(values))
}

/// A large object: its bytes when short, else where it is.
fn lob(kind: LobKind, bytes: &mut Bytes<'_>) -> Result<Value, Fault> {
    let length_or_form = bytes.var_i32()?;
    if let Ok(length) = usize::try_from(length_or_form) {
        let content = bytes.take(length)?;
        return Ok(match kind {
            LobKind::Blob => Value::Blob(content.to_vec()),
            LobKind::Clob => Value::Clob(String::from_utf8_lossy(content).into_owned()),
        });
    }
    let table_id = bytes.var_i32()?;
    let (place, length) = match length_or_form {
        -3 => (LobPlace::Blocks { lob: bytes.var_i64()? }, bytes.var_i64()?),
        -1 => {
            let object_id = bytes.var_i32()?;
            let length = bytes.var_i64()?;
            (LobPlace::File { table_id, object_id, compressed: bytes.u8()? == 1 }, length)
        }
        // Form -2 names a temporary file of a running transaction, and is never part of a committed row.
        _ => return Err(bytes.fault("unknown form of large object")),
    };
    Ok(Value::Lob(LobRef { kind, place, length }))
}

fn decimal(negative: bool, digits: String, scale: i32, bytes: &Bytes<'_>) -> Result<Value, Fault> {
    if scale.unsigned_abs() > DECIMAL_SCALE_MAX.unsigned_abs() {
        return Err(bytes.fault("a decimal number has an impossible scale"));
    }
    let mut digits = digits;
    if scale > 0 {
        let scale = scale as usize;
        if digits.len() <= scale {
            digits.insert_str(0, &"0".repeat(scale - digits.len() + 1));
        }
        digits.insert(digits.len() - scale, '.');
    } else if digits != "0" {
        digits.push_str(&"0".repeat(scale.unsigned_abs() as usize));
    }
    if negative {
        digits.insert(0, '-');
    }
    Ok(Value::Decimal(digits))
}

/// A decimal number of any size: scale, then a big-endian two's complement integer.
fn big_decimal(bytes: &mut Bytes<'_>) -> Result<Value, Fault> {
    let scale = bytes.var_i32()?;
    let length = bytes.length()?;
    if length == 0 || length > DECIMAL_BYTES_MAX {
        return Err(bytes.fault("a decimal number has an impossible length"));
    }
    let mut magnitude = bytes.take(length)?.to_vec();
    let negative = magnitude.first().is_some_and(|byte| byte & 0x80 != 0);
    if negative {
        let mut carry = true;
        for byte in magnitude.iter_mut().rev() {
            let (negated, overflowed) = (!*byte).overflowing_add(u8::from(carry));
            *byte = negated;
            carry = overflowed;
        }
    }
    decimal(negative, digits(magnitude), scale, bytes)
}

/// The decimal digits of a big-endian number, by dividing it by a billion until nothing is left.
fn digits(mut magnitude: Vec<u8>) -> String {
    const BILLION: u64 = 1_000_000_000;
    let mut groups = Vec::new();
    while magnitude.iter().any(|byte| *byte != 0) {
        let mut rest = 0u64;
        for byte in &mut magnitude {
            rest = rest << 8 | u64::from(*byte);
            *byte = (rest / BILLION) as u8;
            rest %= BILLION;
        }
        groups.push(rest);
    }
    let mut groups = groups.into_iter().rev();
    let mut text = groups.next().unwrap_or(0).to_string();
    for group in groups {
        text.push_str(&format!("{group:09}"));
    }
    text
}

/// A date is kept as minutes on the standard clock, so a day of summer time begins an hour (or two) before midnight.
/// Rounding to the nearest midnight finds the day that was meant.
fn standard_date(minutes: i64) -> CivilDate {
    let millis = minutes.saturating_mul(MINUTE_MILLIS);
    CivilDate::from_days(millis.saturating_add(DAY_MILLIS / 2).div_euclid(DAY_MILLIS))
}

fn standard_timestamp(bytes: &mut Bytes<'_>) -> Result<Value, Fault> {
    let millis = bytes.var_i64()?;
    let nanos = bytes.var_i32()?;
    if !(0..1_000_000_000).contains(&nanos) {
        return Err(bytes.fault("a timestamp has a fraction of more than a second"));
    }
    // The milliseconds also hold the first digits of the fraction; `nanos` holds all of them.
    let seconds = millis.div_euclid(1000);
    let date = CivilDate::from_days(seconds.div_euclid(86_400));
    let time = TimeOfDay { nanos: seconds.rem_euclid(86_400) as u64 * 1_000_000_000 + nanos as u64 };
    Ok(Value::Timestamp(CivilDateTime { date, time, clock: Clock::Standard }))
}

/// Year, month and day packed into one number: day in the low 5 bits, month in the next 4.
fn packed_date(bytes: &mut Bytes<'_>) -> Result<CivilDate, Fault> {
    let packed = bytes.var_i64()?;
    let date = CivilDate { year: packed >> 9, month: (packed >> 5 & 15) as u8, day: (packed & 31) as u8 };
    if !(1..=12).contains(&date.month) || date.day == 0 {
        return Err(bytes.fault("a date has no such month or day"));
    }
    Ok(date)
}

fn millis_and_nanos(bytes: &mut Bytes<'_>) -> Result<i64, Fault> {
    let millis = bytes.var_i64()?;
    let nanos = bytes.var_i64()?;
    Ok(millis.wrapping_mul(1_000_000).wrapping_add(nanos))
}

fn within_day(nanos: i64, bytes: &Bytes<'_>) -> Result<u64, Fault> {
    if (0..DAY_NANOS).contains(&nanos) {
        return Ok(nanos as u64);
    }
    Err(bytes.fault("a time of day is not within a day"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read(bytes: &[u8]) -> Value {
        let mut cursor = Bytes::new(bytes);
        let read = value(&mut cursor).unwrap();
        assert_eq!(cursor.remaining(), 0, "value ended early");
        read
    }

    fn var(mut number: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while number >= 0x80 {
            bytes.push(number as u8 | 0x80);
            number >>= 7;
        }
        bytes.push(number as u8);
        bytes
    }

    fn with_tag(tag: u8, parts: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = vec![tag];
        bytes.extend(parts.concat());
        bytes
    }

    #[test]
    fn integers_in_all_their_forms() {
        assert_eq!(read(&[0]), Value::Null);
        assert_eq!(read(&[64]), Value::Bool(false));
        assert_eq!(read(&[65]), Value::Bool(true));
        assert_eq!(read(&[47]), Value::Int(15));
        assert_eq!(read(&[4, 0x90, 0x01]), Value::Int(144));
        assert_eq!(read(&[66, 0x05]), Value::Int(-5));
        assert_eq!(read(&with_tag(66, &[var(0x8000_0000)])), Value::Int(i32::MIN));
        assert_eq!(read(&[55]), Value::Long(7));
        assert_eq!(read(&with_tag(5, &[var(i64::MAX as u64)])), Value::Long(i64::MAX));
        assert_eq!(read(&with_tag(67, &[var(1 << 63)])), Value::Long(i64::MIN));
        assert_eq!(read(&[2, 0xff]), Value::TinyInt(-1));
        assert_eq!(read(&[3, 0x7f, 0xff]), Value::SmallInt(i16::MAX));
    }

    #[test]
    fn decimals_keep_their_scale() {
        let decimal = |text: &str| Value::Decimal(text.into());
        assert_eq!(read(&[56]), decimal("0"));
        assert_eq!(read(&with_tag(59, &[var(2), var(1250)])), decimal("12.50"));
        assert_eq!(read(&with_tag(59, &[var(3), var(-5i64 as u64)])), decimal("-0.005"));
        assert_eq!(read(&with_tag(59, &[var(u64::from(-2i32 as u32)), var(7)])), decimal("700"));
        let mut big = with_tag(6, &[var(1), var(9)]);
        big.extend([1, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read(&big), decimal("1844674407370955161.6"));
        let mut big = with_tag(6, &[var(0), var(9)]);
        big.extend([0xff, 0, 0, 0, 0, 0, 0, 0, 0]);
        assert_eq!(read(&big), decimal("-18446744073709551616"));
    }

    #[test]
    fn fractions_are_stored_bit_reversed() {
        assert_eq!(read(&with_tag(7, &[var(0.5f64.to_bits().reverse_bits())])), Value::Double(0.5));
        assert_eq!(read(&with_tag(8, &[var(u64::from((-2.25f32).to_bits().reverse_bits()))])), Value::Float(-2.25));
        assert_eq!(read(&[60]), Value::Double(0.0));
        assert_eq!(read(&[63]), Value::Float(1.0));
    }

    #[test]
    fn a_timestamp_before_1970_keeps_its_fraction() {
        let Value::Timestamp(stamp) = read(&with_tag(11, &[var(-1i64 as u64), var(999_000_001)])) else { panic!() };
        assert_eq!(stamp.to_string(), "1969-12-31 23:59:59.999000001");
        assert_eq!(stamp.clock, Clock::Standard);
        assert_eq!(stamp.clock_millis(), -1);
    }

    #[test]
    fn a_summer_date_is_not_the_day_before() {
        // 2015-07-01 at midnight summer time is 2015-06-30 23:00 on the standard clock.
        let day = CivilDate { year: 2015, month: 7, day: 1 };
        let minutes = day.days() * 1440 - 60;
        assert_eq!(read(&with_tag(10, &[var(minutes as u64)])), Value::Date(day));
    }

    #[test]
    fn wall_clock_forms() {
        let packed = 2014 << 9 | 2 << 5 | 28;
        let Value::Timestamp(stamp) = read(&with_tag(134, &[var(packed), var(3_600_000), var(5)])) else { panic!() };
        assert_eq!(stamp.to_string(), "2014-02-28 01:00:00.000000005");
        assert_eq!(stamp.clock, Clock::Wall);
        assert!(value(&mut Bytes::new(&with_tag(133, &[var(0)]))).is_err());
    }

    #[test]
    fn large_objects_say_where_they_are() {
        let inline = with_tag(16, &[var(3), "hé".into()]);
        assert_eq!(read(&inline), Value::Clob("hé".into()));
        let minus = |number: i32| var(u64::from(number as u32));
        let blocks = with_tag(15, &[minus(-3), var(12), var(77), var(5000)]);
        let place = LobPlace::Blocks { lob: 77 };
        assert_eq!(read(&blocks), Value::Lob(LobRef { kind: LobKind::Blob, place, length: 5000 }));
        let file = with_tag(16, &[minus(-1), var(12), var(300), var(5000), vec![0]]);
        let place = LobPlace::File { table_id: 12, object_id: 300, compressed: false };
        assert_eq!(read(&file), Value::Lob(LobRef { kind: LobKind::Clob, place, length: 5000 }));
    }

    #[test]
    fn nested_arrays_end() {
        assert!(value(&mut Bytes::new(&[[17u8, 1]; 4000].concat())).is_err());
        assert_eq!(read(&[17, 2, 33, 69, b'a']), Value::Array(vec![Value::Int(1), Value::Text("a".into())]));
    }

    proptest! {
        #[test]
        fn any_bytes_decode_or_fail(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut cursor = Bytes::new(&bytes);
            while cursor.remaining() > 0 && value(&mut cursor).is_ok() {}
        }

        #[test]
        fn digits_agree_with_u128(number: u128) {
            prop_assert_eq!(digits(number.to_be_bytes().to_vec()), number.to_string());
        }
    }
}
