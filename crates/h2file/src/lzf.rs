//! Expands LZF, the compression H2 uses for page images in its redo log and, on request, for large objects.

/// Expands `packed` into exactly `length` bytes. `None` when `packed` is not LZF or holds fewer bytes.
///
/// The caller has bounded `length`; nothing more than that is reserved.
pub(crate) fn expand(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut out: Vec<u8> = Vec::with_capacity(length);
    let mut packed = packed.iter().copied();
    while out.len() < length {
        let control = usize::from(packed.next()?);
        if control < 32 {
            for _ in 0..=control {
                out.push(packed.next()?);
            }
        } else {
            let mut run = control >> 5;
            if run == 7 {
                run += usize::from(packed.next()?);
            }
            let back = ((control & 0x1f) << 8) + usize::from(packed.next()?) + 1;
            let from = out.len().checked_sub(back)?;
            // The run may overlap what it writes, so it is copied byte by byte.
            for at in from..from + run + 2 {
                out.push(*out.get(at)?);
            }
        }
        if out.len() > length {
            return None;
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn literals_and_overlapping_runs() {
        // "ab" literally, then 6 bytes from 2 back.
        assert_eq!(expand(&[1, b'a', b'b', 4 << 5, 1], 8).as_deref(), Some(&b"abababab"[..]));
        // A long run: 7 + 3 + 2 bytes of the byte before.
        assert_eq!(expand(&[0, b'x', 7 << 5, 3, 0], 13), Some(vec![b'x'; 13]));
    }

    #[test]
    fn a_run_before_the_start_or_beyond_the_end_is_refused() {
        assert_eq!(expand(&[0, b'x', 1 << 5, 9], 4), None);
        assert_eq!(expand(&[0, b'x', 7 << 5, 200, 0], 13), None);
        assert_eq!(expand(&[], 1), None);
    }

    proptest! {
        #[test]
        fn any_bytes_expand_or_fail(packed in proptest::collection::vec(any::<u8>(), 0..100), length in 0usize..3000) {
            if let Some(out) = expand(&packed, length) {
                prop_assert_eq!(out.len(), length);
            }
        }
    }
}
