//! Medians, and the order of a shuffled round.

/// The middle value; of an even number, the mean of the two in the middle.
pub(crate) fn median(values: &[f64]) -> Option<f64> {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    let upper = *sorted.get(middle)?;
    if sorted.len() % 2 == 1 { Some(upper) } else { Some(f64::midpoint(*sorted.get(middle.checked_sub(1)?)?, upper)) }
}

/// Least and greatest.
pub(crate) fn span(values: &[f64]) -> Option<(f64, f64)> {
    let least = values.iter().copied().min_by(f64::total_cmp)?;
    let greatest = values.iter().copied().max_by(f64::total_cmp)?;
    Some((least, greatest))
}

/// Fisher and Yates, with numbers by Marsaglia's xorshift: the order must vary, nothing more.
pub(crate) fn shuffle<T>(items: &mut [T], seed: &mut u64) {
    for at in (1..items.len()).rev() {
        *seed ^= *seed << 13;
        *seed ^= *seed >> 7;
        *seed ^= *seed << 17;
        let other = usize::try_from(*seed % (at as u64 + 1)).unwrap_or(0);
        items.swap(at, other);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(median(&[]), None);
        assert_eq!(median(&[3.0, 1.0, 2.0]), Some(2.0));
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), Some(2.5));
        assert_eq!(span(&[2.0, 1.0, 3.0]), Some((1.0, 3.0)));
    }

    #[test]
    fn a_shuffle_keeps_all_and_varies() {
        let mut seed = 7;
        let mut orders = std::collections::HashSet::new();
        for _ in 0..100 {
            let mut items = [0, 1, 2, 3];
            shuffle(&mut items, &mut seed);
            let mut sorted = items;
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2, 3]);
            orders.insert(items);
        }
        assert!(orders.len() > 10, "{orders:?}");
    }
}
