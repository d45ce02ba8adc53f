//! Expands zlib data (deflate), the other compression a database may have been told to use for its large objects.
//!
//! It expands whole pieces of known length only; H2 cuts large objects into such pieces.

/// The longest code deflate allows.
const CODE_BITS_MAX: usize = 15;

/// The order in which the lengths of the length codes are written.
const LENGTH_CODE_ORDER: [usize; 19] = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];

/// Expands `packed` into exactly `length` bytes. `None` when `packed` is not zlib data, holds another number of bytes, or
/// fails its checksum.
pub(crate) fn expand(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let (&[method, flags], body) = packed.split_first_chunk()?;
    let needs_dictionary = flags & 0x20 != 0;
    if method & 0x0f != 8 || u16::from_be_bytes([method, flags]) % 31 != 0 || needs_dictionary {
        return None;
    }
    let mut bits = Bits { bytes: body, at: 0, held: 0, count: 0 };
    let mut out = Vec::with_capacity(length);
    loop {
        let last = bits.take(1)? == 1;
        match bits.take(2)? {
            0 => stored(&mut bits, &mut out, length)?,
            1 => {
                let (literals, distances) = fixed_codes()?;
                coded(&mut bits, &literals, &distances, &mut out, length)?;
            }
            2 => {
                let (literals, distances) = written_codes(&mut bits)?;
                coded(&mut bits, &literals, &distances, &mut out, length)?;
            }
            _ => return None,
        }
        if last {
            break;
        }
    }
    let sum = bits.aligned()?.first_chunk().map(|sum| u32::from_be_bytes(*sum))?;
    (out.len() == length && adler32(&out) == sum).then_some(out)
}

/// Bits, lowest of each byte first.
struct Bits<'a> {
    bytes: &'a [u8],
    at: usize,
    held: u32,
    count: u32,
}

impl<'a> Bits<'a> {
    /// At most 16 bits.
    fn take(&mut self, count: u32) -> Option<u32> {
        while self.count < count {
            self.held |= u32::from(*self.bytes.get(self.at)?) << self.count;
            self.at += 1;
            self.count += 8;
        }
        let taken = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        Some(taken)
    }

    /// What is left after the current byte. Never more than seven bits are held between takes.
    fn aligned(&self) -> Option<&'a [u8]> {
        self.bytes.get(self.at..)
    }
}

/// A prefix code: how many codes have each length, and the symbols in the order of their codes.
struct Code {
    counts: [u16; CODE_BITS_MAX + 1],
    symbols: Vec<u16>,
}

impl Code {
    /// `None` when more codes are asked for than their lengths leave room for.
    fn new(lengths: &[u8]) -> Option<Code> {
        let mut counts = [0u16; CODE_BITS_MAX + 1];
        for length in lengths {
            *counts.get_mut(usize::from(*length))? += 1;
        }
        counts[0] = 0;
        let mut room = 1i32;
        for count in counts.iter().skip(1) {
            room = (room << 1) - i32::from(*count);
            if room < 0 {
                return None;
            }
        }
        let mut symbols: Vec<u16> = (0..lengths.len() as u16).collect();
        symbols.retain(|symbol| lengths.get(usize::from(*symbol)).is_some_and(|length| *length > 0));
        symbols.sort_by_key(|symbol| lengths.get(usize::from(*symbol)));
        Some(Code { counts, symbols })
    }

    fn symbol(&self, bits: &mut Bits<'_>) -> Option<u16> {
        let (mut code, mut first, mut index) = (0i32, 0i32, 0i32);
        for count in self.counts.iter().skip(1).map(|count| i32::from(*count)) {
            code |= bits.take(1)? as i32;
            if code - first < count {
                return self.symbols.get(usize::try_from(index + code - first).ok()?).copied();
            }
            index += count;
            first = (first + count) << 1;
            code <<= 1;
        }
        None
    }
}

fn stored(bits: &mut Bits<'_>, out: &mut Vec<u8>, length: usize) -> Option<()> {
    bits.held = 0;
    bits.count = 0;
    let (&[low, high, not_low, not_high], rest) = bits.aligned()?.split_first_chunk()?;
    let count = u16::from_le_bytes([low, high]);
    if count != !u16::from_le_bytes([not_low, not_high]) || out.len() + usize::from(count) > length {
        return None;
    }
    out.extend_from_slice(rest.get(..usize::from(count))?);
    bits.at += 4 + usize::from(count);
    Some(())
}

fn fixed_codes() -> Option<(Code, Code)> {
    let lengths: Vec<u8> = (0..288u16)
        .map(|symbol| match symbol {
            0..144 => 8,
            144..256 => 9,
            256..280 => 7,
            _ => 8,
        })
        .collect();
    // The fixed codes have room; none would mean that they are written wrongly above.
    Some((Code::new(&lengths)?, Code::new(&[5; 30])?))
}

fn written_codes(bits: &mut Bits<'_>) -> Option<(Code, Code)> {
    let literal_count = bits.take(5)? as usize + 257;
    let distance_count = bits.take(5)? as usize + 1;
    let length_count = bits.take(4)? as usize + 4;
    let mut lengths = [0u8; 19];
    for place in LENGTH_CODE_ORDER.iter().take(length_count) {
        *lengths.get_mut(*place)? = bits.take(3)? as u8;
    }
    let code = Code::new(&lengths)?;
    let mut lengths: Vec<u8> = Vec::with_capacity(literal_count + distance_count);
    while lengths.len() < literal_count + distance_count {
        let (length, times) = match code.symbol(bits)? {
            length @ 0..=15 => (length as u8, 1),
            16 => (*lengths.last()?, 3 + bits.take(2)?),
            17 => (0, 3 + bits.take(3)?),
            _ => (0, 11 + bits.take(7)?),
        };
        lengths.extend((0..times).map(|_| length));
    }
    if lengths.len() != literal_count + distance_count {
        return None;
    }
    let (literals, distances) = lengths.split_at(literal_count);
    Some((Code::new(literals)?, Code::new(distances)?))
}

fn coded(bits: &mut Bits<'_>, literals: &Code, distances: &Code, out: &mut Vec<u8>, length: usize) -> Option<()> {
    loop {
        match literals.symbol(bits)? {
            literal @ 0..=255 => {
                if out.len() >= length {
                    return None;
                }
                out.push(literal as u8);
            }
            256 => return Some(()),
            symbol => {
                let run = run_length(symbol, bits)?;
                let back = distance(distances.symbol(bits)?, bits)?;
                let from = out.len().checked_sub(back)?;
                if out.len() + run > length {
                    return None;
                }
                // The run may overlap what it writes, so it is copied byte by byte.
                for at in from..from + run {
                    out.push(*out.get(at)?);
                }
            }
        }
    }
}

/// Symbols 257 to 264 are the lengths 3 to 10; then every four symbols one more bit follows; 285 is 258.
fn run_length(symbol: u16, bits: &mut Bits<'_>) -> Option<usize> {
    let step = u32::from(symbol.checked_sub(257)?);
    Some(match step {
        0..8 => 3 + step as usize,
        8..28 => {
            let extra = step / 4 - 1;
            3 + (((4 + step % 4) << extra) + bits.take(extra)?) as usize
        }
        28 => 258,
        _ => return None,
    })
}

/// Symbols 0 to 3 are the distances 1 to 4; then every two symbols one more bit follows.
fn distance(symbol: u16, bits: &mut Bits<'_>) -> Option<usize> {
    let step = u32::from(symbol);
    Some(match step {
        0..4 => 1 + step as usize,
        4..30 => {
            let extra = step / 2 - 1;
            1 + (((2 + step % 2) << extra) + bits.take(extra)?) as usize
        }
        _ => return None,
    })
}

fn adler32(bytes: &[u8]) -> u32 {
    let (mut low, mut high) = (1u32, 0u32);
    for byte in bytes {
        low = (low + u32::from(*byte)) % 65_521;
        high = (high + low) % 65_521;
    }
    high << 16 | low
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn hex(text: &str) -> Vec<u8> {
        (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).unwrap()).collect()
    }

    #[test]
    fn stored_bytes() {
        assert_eq!(expand(&hex("7801010600f9ff73746f726564093c0292"), 6).as_deref(), Some(&b"stored"[..]));
    }

    #[test]
    fn fixed_codes_with_overlapping_runs() {
        let packed = hex("78014b5448cbafd0514854488250409e42661e0a9f26b200b1ec24ad");
        assert_eq!(expand(&packed, 120).unwrap(), b"a fox, a box, a fox in a box, ".repeat(4));
        assert_eq!(expand(&packed, 119), None);
        assert_eq!(expand(&packed, 121), None);
        let mut wrong_sum = packed;
        *wrong_sum.last_mut().unwrap() ^= 1;
        assert_eq!(expand(&wrong_sum, 120), None);
    }

    #[test]
    fn codes_that_come_with_the_data() {
        // The squares of 0 to 299, each with a comma after it, packed by zlib at its best level.
        let packed = concat!(
            "78da2594cb01c330084317cac1fc0cde7fb1ead14be326808524389f7df9bdcfeee7f5c5fdf27d37bfb1cfcef9ccf5ccd457",
            "453c8528c64bcf795f782a5ed98acbd473f22b7f5ff5fdaee2ae9eadffadf7a3ef4f71ef5257897654c14ca58c9ae62a6ec1",
            "2dc975c5bd170017242d4436090621f4030a03b19ff7799cfc3c8f099932fc726ade0d5f9fe2828c507d400b79a85ea42a07",
            "7744ebb618dd1b4f08f2084b822a43f8328534af3067d32d6dd4513f65341c74ac2f5fd17335a7a777f7e8abb24c6c2ae396",
            "726fabca1dd5eb5390a38cd69d5f97eeed16827ec232503f2e7c936871857946e81f7d284227a1149beaf2cd59ad20ebf89e",
            "f340f055846856b01979661e9c131eed42a90decfa5fe980732fe8f746097f2bcaea13592b10aac543c0b4bbde20572839cf",
            "209df2f41b22c29613abe17cf7fd0d62eec65fa8b4de3a9dd4ecaddf8fbb66ef95e89c17cf3b607b8bf3ad391ef8d5b37af1",
            "435f7e1a83d8df2181450c1e9c64d9057efc6f1387370fe37de4faa889cfcdcda04ec2bc1c43fd420f799fdc422597ba7a7f",
            "d1ce055cf1aba87731218dceae2e3022ea6b66c87d78c25f8907112c4e64cec6a27015e771365c25f48a09c76bb22d46751c",
            "18614c5ee0cb08959695b957123dce78382ab073adb32ffacaf2ebf7c1fabd53d09781989d0d0d28672646f29e1d85b3b3cd",
            "749fdcf3e87d1a3387f80c09b9528eb5e1cc6786abbefeeb2eed84dd0cccb2b4119e2c263cab19b0bb13762f23d66c83ecda",
            "2163476897903bec8d7c2aad5f76491d63c096abb2c3d976e7c80a6c1ff690fe33a2c16eaa18d5ac645f694a755715f74aa1",
            "c7c8b2d74a6e544cb3ebb4bbc81d8d8d7e4bbd948ca39827e89a69fabda7d43ba46aca4dab40637ec4cf5d5fddd873ecfbdc",
            "98dcf8dadcda3a979ab4ae98e6aebbf78a35614022bd7f60134ad6c3d94d71c02f98ec0fa3af767aecedb783deb54dc44327",
            "9c74c14fef0cca379cefeee386cf6eb8ede5b907ce3576aa39072de6a0cbec6e1e43af71b41b47c709349dd5571b8a3d55e8",
            "3e8507045f3d4ed3af0657bdcfe09919fc330f2ffd0081554763",
        );
        let squares: String = (0..300).map(|n| format!("{},", n * n)).collect();
        assert_eq!(expand(&hex(packed), squares.len()), Some(squares.into_bytes()));
    }

    proptest! {
        #[test]
        fn any_bytes_expand_or_fail(mut packed in proptest::collection::vec(any::<u8>(), 2..300), length in 0usize..5000) {
            packed[0] = 0x78;
            packed[1] = 0x9c;
            prop_assert!(expand(&packed, length).is_none_or(|out| out.len() == length));
        }
    }
}
