use model::{Endpoints, LifecycleState, Operation};

use super::*;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn api(number: usize) -> Api {
    let id = ApiId::derived(&["test", &number.to_string()]);
    let mut api = Api::new(id, TenantId::SUPER, "admin", &format!("Api{number}"), "1.0.0", &format!("/api{number}/{{version}}"), NOW);
    api.state = LifecycleState::Published;
    api.endpoints = Endpoints::http(Some("http://backend"), None);
    api.operations = vec![Operation::new("GET", "/a/{id}"), Operation::new("POST", "/a")];
    api
}

fn put(api: Api) -> Change {
    Change::PutApi(Arc::new(Deployed { api: Arc::new(api), revision: RevisionId::derived(&["r"]), environment: "Default".to_owned() }))
}

fn found(snapshot: &Snapshot, path: &str) -> Option<String> {
    snapshot.api_for(path).map(|(api, rest)| format!("{}|{rest}", api.name))
}

#[test]
fn a_change_costs_what_it_changes() {
    const COUNT: usize = 10_000;
    let before = Snapshot::empty().apply(&(0..COUNT).map(|n| put(api(n))).collect::<Vec<_>>()).unwrap();
    let counts: Vec<usize> = (0..COUNT).map(|n| Arc::strong_count(&before.apis[&api(n).id])).collect();
    let mut changed = api(17);
    changed.name = "Changed".to_owned();
    let after = before.apply(&[put(changed)]).unwrap();

    let mut copied = 0;
    for (n, count) in counts.iter().enumerate() {
        let id = api(n).id;
        assert_eq!(Arc::ptr_eq(&before.apis[&id], &after.apis[&id]), n != 17);
        // An entry in a node that both snapshots share has no further owner; only the nodes on the way to the change are copied.
        copied += usize::from(Arc::strong_count(&before.apis[&id]) != *count);
    }
    assert!(copied < 400, "{copied} of {COUNT} entries were copied");
    assert_eq!(found(&before, "/api17/1.0.0/a").as_deref(), Some("Api17|/a"));
    assert_eq!(found(&after, "/api17/1.0.0/a").as_deref(), Some("Changed|/a"));
}

#[test]
fn texts_are_kept_once() {
    let snapshot = Snapshot::empty().apply(&[put(api(1)), put(api(2))]).unwrap();
    let version = |n: usize| Arc::clone(&snapshot.apis[&api(n).id].version);
    assert!(Arc::ptr_eq(&version(1), &version(2)));
}

#[test]
fn contexts_come_and_go_with_their_apis() {
    let snapshot = Snapshot::empty().apply(&[put(api(1))]).unwrap();
    assert_eq!(found(&snapshot, "/api1/1.0.0").as_deref(), Some("Api1|"));
    assert_eq!(found(&snapshot, "/api1/1.0.0x"), None);
    let mut moved = api(1);
    moved.context = "/elsewhere/deep/down/1.0.0".to_owned();
    let moved = snapshot.apply(&[put(moved)]).unwrap();
    assert_eq!(found(&moved, "/api1/1.0.0"), None);
    assert_eq!(found(&moved, "/elsewhere/deep/down/1.0.0/x").as_deref(), Some("Api1|/x"));
    let gone = moved.apply(&[Change::RemoveApi(api(1).id)]).unwrap();
    assert_eq!(found(&gone, "/elsewhere/deep/down/1.0.0/x"), None);
    assert!(gone.contexts.is_empty() && gone.depths.iter().all(|count| *count == 0));
}

#[test]
fn an_own_context_wins_over_a_default_versions() {
    let mut default = api(1);
    default.is_default_version = true;
    let mut own = api(2);
    own.context = "/api1".to_owned();
    let both = Snapshot::empty().apply(&[put(own), put(default)]).unwrap();
    assert_eq!(found(&both, "/api1/x").as_deref(), Some("Api2|/x"));
    let one = both.apply(&[Change::RemoveApi(api(2).id)]).unwrap();
    assert_eq!(found(&one, "/api1/x").as_deref(), Some("Api1|/x"));
}

#[test]
fn a_faulty_change_leaves_the_snapshot_as_it_was() {
    let sound = Snapshot::empty().apply(&[put(api(1))]).unwrap();
    let mut faulty = api(1);
    faulty.endpoints = Endpoints::http(Some("nonsense"), None);
    assert!(sound.apply(&[put(faulty.clone())]).is_err());
    let (kept, faults) = sound.apply_sound(&[put(faulty), put(api(2))]);
    assert_eq!(faults.len(), 1);
    assert_eq!(found(&kept, "/api1/1.0.0/a").as_deref(), Some("Api1|/a"));
    assert_eq!(found(&kept, "/api2/1.0.0/a").as_deref(), Some("Api2|/a"));
}

#[test]
fn contexts_deeper_than_the_gateway_looks_are_refused() {
    let mut deep = api(1);
    deep.context = "/x".repeat(MAX_DEPTH + 1);
    assert!(matches!(Snapshot::empty().apply(&[put(deep)]).err().as_deref(), Some([CompileFault::Context { .. }])));
    let mut deepest = api(1);
    deepest.context = "/x".repeat(MAX_DEPTH);
    let snapshot = Snapshot::empty().apply(&[put(deepest)]).unwrap();
    assert_eq!(found(&snapshot, &format!("{}/rest", "/x".repeat(MAX_DEPTH))).as_deref(), Some("Api1|/rest"));
}

#[test]
fn revocations_are_forgotten_when_their_tokens_have_ended() {
    let revoke = |jti: &str, until| Change::Revoke { jti: jti.to_owned(), until };
    let snapshot = Snapshot::empty()
        .apply(&[
            revoke("a", Some(Timestamp(10))),
            revoke("b", Some(Timestamp(20))),
            revoke("c", None),
            Change::ForgetRevocations(Timestamp(15)),
        ])
        .unwrap();
    assert_eq!(["a", "b", "c"].map(|jti| snapshot.is_revoked(jti)), [false, true, true]);
}

#[test]
fn of_several_default_versions_the_first_created_answers_whatever_the_order() {
    let default = |number: usize, age: i64| {
        let mut api = api(number);
        (api.context_template, api.context) = ("/shop/{version}".to_owned(), format!("/shop/{number}.0.0"));
        api.is_default_version = true;
        api.created_at = Timestamp(NOW.0 - age);
        put(api)
    };
    let all = [default(1, 5), default(2, 9), default(3, 7)];
    for order in [[0, 1, 2], [2, 1, 0], [1, 2, 0], [0, 2, 1]] {
        let mut snapshot = Snapshot::empty().apply(&order.map(|n| all[n].clone())).unwrap();
        // The one after it takes over when it goes, and its own context has stayed all the time.
        for (first, others) in [(2, vec![1, 3]), (3, vec![1]), (1, vec![])] {
            assert_eq!(found(&snapshot, "/shop/x"), Some(format!("Api{first}|/x")));
            for other in others {
                assert_eq!(found(&snapshot, &format!("/shop/{other}.0.0/x")), Some(format!("Api{other}|/x")));
            }
            snapshot = snapshot.apply(&[Change::RemoveApi(api(first).id)]).unwrap();
        }
        assert!(snapshot.contexts.is_empty() && snapshot.depths.iter().all(|count| *count == 0));
    }
}

#[test]
fn an_own_context_is_not_lost_to_another_api_that_claims_it_and_goes() {
    let mut late = api(2);
    (late.context, late.created_at) = ("/api1/1.0.0".to_owned(), Timestamp(NOW.0 + 1));
    for order in [[put(api(1)), put(late.clone())], [put(late.clone()), put(api(1))]] {
        let both = Snapshot::empty().apply(&order).unwrap();
        assert_eq!(found(&both, "/api1/1.0.0").as_deref(), Some("Api1|"));
        assert_eq!(found(&both.apply(&[Change::RemoveApi(late.id)]).unwrap(), "/api1/1.0.0").as_deref(), Some("Api1|"));
        assert_eq!(found(&both.apply(&[Change::RemoveApi(api(1).id)]).unwrap(), "/api1/1.0.0").as_deref(), Some("Api2|"));
    }
}

#[test]
fn a_policy_made_anew_under_a_name_outlives_the_one_that_had_it() {
    let policy = |id: &str, name: &str| {
        let mut policy = model::default_application_policies(TenantId::SUPER).remove(0);
        (policy.id, policy.name) = (PolicyId::derived(&[id]), name.to_owned());
        Change::PutApplicationPolicy(policy)
    };
    let key = PolicyName::of(Family::Application, "Ten").in_tenant(TenantId::SUPER);
    let both = Snapshot::empty().apply(&[policy("old", "Ten"), policy("new", "Ten")]).unwrap();
    for gone in [Change::RemoveApplicationPolicy(PolicyId::derived(&["old"])), policy("old", "Twenty")] {
        assert!(both.apply(&[gone]).unwrap().policy(key).is_some());
    }
    assert!(both.apply(&[Change::RemoveApplicationPolicy(PolicyId::derived(&["new"]))]).unwrap().policy(key).is_none());
}

#[test]
fn policies_of_one_name_differ_by_family_and_tenant() {
    let keys = [Family::Subscription, Family::Application, Family::Advanced]
        .into_iter()
        .flat_map(|family| [TenantId::SUPER, TenantId(1), TenantId(2)].map(|tenant| PolicyName::of(family, "Gold").in_tenant(tenant)));
    assert_eq!(keys.collect::<std::collections::HashSet<_>>().len(), 9);
    assert_eq!(PolicyName::limiting(Family::Advanced, "unlimited"), None);
}

#[test]
fn an_api_that_cannot_be_compiled_does_not_stay_as_open_as_it_was() {
    let mut prototype = api(1);
    prototype.state = LifecycleState::Prototyped;
    prototype.security_scheme = vec!["api_key".to_owned()];
    let snapshot = Snapshot::empty().apply(&[put(prototype.clone())]).unwrap();
    assert!(found(&snapshot, "/api1/1.0.0").is_some());
    let mut published = prototype;
    published.state = LifecycleState::Published;
    let (snapshot, faults) = snapshot.apply_sound(&[put(published)]);
    assert_eq!(faults.len(), 1);
    assert_eq!(found(&snapshot, "/api1/1.0.0"), None);
}

#[test]
fn a_faulty_revision_leaves_the_one_before_until_the_api_is_blocked() {
    let snapshot = Snapshot::empty().apply(&[put(api(1))]).unwrap();
    let mut faulty = api(1);
    faulty.endpoints = Endpoints::http(Some("nowhere"), None);
    let (snapshot, _) = snapshot.apply_sound(&[put(faulty.clone())]);
    assert!(found(&snapshot, "/api1/1.0.0").is_some());
    faulty.state = LifecycleState::Blocked;
    let (snapshot, _) = snapshot.apply_sound(&[put(faulty)]);
    assert_eq!(found(&snapshot, "/api1/1.0.0"), None);
}
