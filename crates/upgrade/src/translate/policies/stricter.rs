//! Which of two policies lets less through.

use std::cmp::Ordering;

use model::{AdvancedPolicy, Limit, Quota};

/// `Less` when `a` is the stricter. An absent policy limits nothing. `None` when neither is the stricter for every call: they count
/// other things, or other callers together, or what holds depends on conditions.
pub(super) fn compare(a: Option<&AdvancedPolicy>, b: Option<&AdvancedPolicy>) -> Option<Ordering> {
    let limiting = |policy: &&AdvancedPolicy| !policy.limit.is_unlimited() || !policy.groups.is_empty();
    match (a.filter(limiting), b.filter(limiting)) {
        (None, None) => Some(Ordering::Equal),
        (None, Some(_)) => Some(Ordering::Greater),
        (Some(_), None) => Some(Ordering::Less),
        (Some(a), Some(b)) if !a.groups.is_empty() || !b.groups.is_empty() || a.per_user != b.per_user => None,
        (Some(a), Some(b)) => rates(&a.limit, &b.limit),
    }
}

/// By what passes in a millisecond, over a whole window.
fn rates(a: &Limit, b: &Limit) -> Option<Ordering> {
    let (of_a, of_b) = match (a.quota, b.quota) {
        (Quota::Requests(a), Quota::Requests(b)) | (Quota::Events(a), Quota::Events(b)) => (i128::from(a), i128::from(b)),
        (Quota::Bandwidth { amount: a, unit: in_a }, Quota::Bandwidth { amount: b, unit: in_b }) => {
            (i128::from(a) * i128::from(in_a.bytes()), i128::from(b) * i128::from(in_b.bytes()))
        }
        _ => return None,
    };
    let over = |amount: i128, window: i64| amount.saturating_mul(i128::from(window));
    Some(over(of_a, b.window_ms()).cmp(&over(of_b, a.window_ms())))
}

#[cfg(test)]
mod tests {
    use model::{BandwidthUnit, ConditionalGroup, TenantId, TimeUnit};

    use super::super::advanced;
    use super::*;

    #[test]
    fn rates_are_compared_and_what_cannot_be_is_not() {
        let of = |limit| advanced(TenantId::SUPER, "p", limit);
        let per_second = of(Limit { quota: Quota::Requests(1), unit_time: 1, time_unit: TimeUnit::Second });
        let (twenty, free) = (of(Limit::per_minute(20)), of(Limit::unlimited()));
        assert_eq!(compare(Some(&twenty), Some(&per_second)), Some(Ordering::Less));
        assert_eq!(compare(Some(&per_second), Some(&twenty)), Some(Ordering::Greater));
        assert_eq!(compare(Some(&per_second), Some(&of(Limit::per_minute(60)))), Some(Ordering::Equal));
        assert_eq!(compare(Some(&free), None), Some(Ordering::Equal));
        assert_eq!(compare(Some(&free), Some(&twenty)), Some(Ordering::Greater));
        assert_eq!(compare(Some(&twenty), None), Some(Ordering::Less));
        let quota = Quota::Bandwidth { amount: 1, unit: BandwidthUnit::Kb };
        assert_eq!(compare(Some(&twenty), Some(&of(Limit { quota, ..Limit::per_minute(1) }))), None);
        assert_eq!(compare(Some(&twenty), Some(&AdvancedPolicy { per_user: true, ..of(Limit::per_minute(5)) })), None);
        let group = ConditionalGroup { description: None, conditions: Vec::new(), limit: Limit::per_minute(1) };
        assert_eq!(compare(Some(&twenty), Some(&AdvancedPolicy { groups: vec![group], ..of(Limit::per_minute(60)) })), None);
    }
}
