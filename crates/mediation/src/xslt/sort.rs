//! `xsl:sort`.

use std::cmp::Ordering;

use super::run::{Here, Transform};
use super::{Avt, Sort};
use crate::failure::Failure;
use crate::xpath::{At, Context};

impl<'t> Transform<'t> {
    pub(super) fn sorted(&self, nodes: Vec<At>, sorts: &'t [Sort], here: &Here<'t>) -> Result<Vec<At>, Failure> {
        let mut orders = Vec::with_capacity(sorts.len());
        for sort in sorts {
            let said = |avt: &Option<Avt>| avt.as_ref().map(|avt| self.avt(avt, &here.context)).transpose();
            let numbers = said(&sort.kind)?.is_some_and(|kind| kind.trim() == "number");
            let falls = said(&sort.order)?.is_some_and(|order| order.trim() == "descending");
            orders.push((numbers, falls));
        }
        let size = nodes.len();
        let mut keyed = Vec::with_capacity(size);
        let mut bytes = 0;
        for (i, at) in nodes.into_iter().enumerate() {
            let context = Context { at, position: i + 1, size };
            let mut keys = Vec::with_capacity(sorts.len());
            for (sort, (numbers, _)) in sorts.iter().zip(&orders) {
                let text = self.string(&sort.by, &context)?;
                bytes += text.len();
                keys.push(if *numbers { SortKey::Number(text.trim().parse().unwrap_or(f64::NAN)) } else { SortKey::text(&text) });
            }
            keyed.push((keys, at));
        }
        self.pay(size.saturating_mul(8).saturating_add(bytes / 8))?;
        keyed.sort_by(|(a, _), (b, _)| {
            let pairs = a.iter().zip(b).zip(&orders);
            pairs
                .map(|((a, b), (_, falls))| if *falls { b.compare(a) } else { a.compare(b) })
                .find(|order| order.is_ne())
                .unwrap_or(Ordering::Equal)
        });
        Ok(keyed.into_iter().map(|(_, at)| at).collect())
    }
}

#[derive(Debug)]
enum SortKey {
    Number(f64),
    /// Without regard to capitals, and as written.
    Text(String, String),
}

impl SortKey {
    fn text(text: &str) -> Self {
        Self::Text(text.to_lowercase(), text.to_owned())
    }

    fn compare(&self, other: &Self) -> Ordering {
        match (self, other) {
            // What is no number comes first.
            (Self::Number(a), Self::Number(b)) => a.partial_cmp(b).unwrap_or_else(|| b.is_nan().cmp(&a.is_nan())),
            // Small letters come before capitals.
            (Self::Text(a, own), Self::Text(b, other)) => a.cmp(b).then_with(|| other.cmp(own)),
            _ => Ordering::Equal,
        }
    }
}
