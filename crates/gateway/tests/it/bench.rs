//! Costs that must not creep up: size of a large snapshot, cost of one change, weight of an idle connection.

use model::{ApiId, Operation};
use tidegate_gateway::Snapshot;

use crate::support::{api, put};

fn many(count: usize) -> Vec<tidegate_gateway::Change> {
    (0..count)
        .map(|n| {
            let mut one = api(&format!("http://backend-{n}.example:8080/base"), &[]);
            one.id = ApiId::derived(&["many", &n.to_string()]);
            one.name = format!("Api{n}");
            (one.context, one.context_template) = (format!("/api{n}/1.0.0"), format!("/api{n}/{{version}}"));
            one.operations = (0..10).map(|r| Operation::new("GET", &format!("/resource{r}/{{id}}"))).collect();
            put(one)
        })
        .collect()
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    statm.split(' ').nth(1).and_then(|p| p.parse::<usize>().ok()).expect("pages") * 4096
}

#[test]
fn ten_thousand_apis_fit() {
    let before = resident_bytes();
    let snapshot = Snapshot::empty().apply(&many(10_000)).expect("sound APIs");
    assert_eq!(snapshot.api_count(), 10_000);
    let used = resident_bytes() - before;
    // The changes themselves are part of it, and gone in the product.
    assert!(used < 400 << 20, "{} MiB", used >> 20);
}
