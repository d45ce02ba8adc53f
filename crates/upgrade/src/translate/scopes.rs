//! Scopes: whose they are, which roles may have them, and which resources want them.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use model::{ApiScope, TenantId};
use uuid::Uuid;

use super::{About, Carried, Desk, SharedScope, list, said};
use crate::old::oauth::Scope;
use crate::old::people::SUPER_TENANT_ID;

const TABLE: &str = "IDN_OAUTH2_SCOPE";
const BINDINGS: &str = "IDN_OAUTH2_SCOPE_BINDING";
const LINKS: &str = "AM_API_SCOPES";
const RESOURCES: &str = "IDN_OAUTH2_RESOURCE_SCOPE";
/// Scopes every key manager has; no API owns them.
const BUILT_IN: [&str; 5] = ["openid", "email", "profile", "phone", "address"];

/// A row, the scope it means, and the names of the APIs that use it.
type Candidate<'a> = (&'a Scope, ApiScope, BTreeSet<String>);

/// Scopes while APIs are translated.
#[derive(Debug, Default)]
pub(super) struct Scopes {
    by_id: HashMap<i64, (TenantId, ApiScope)>,
    by_path: HashMap<String, Vec<i64>>,
    used_paths: HashSet<String>,
    /// Without an API of their own.
    loose: Vec<(TenantId, i64, ApiScope)>,
    shared: BTreeMap<(TenantId, String), ApiScope>,
}

pub(super) fn translate(desk: &mut Desk<'_>) -> Scopes {
    let mut scopes = Scopes::default();
    for row in &desk.old.resource_scopes {
        scopes.by_path.entry(row.resource_path.clone()).or_default().push(row.scope_id);
    }
    let bindings = bindings(desk);
    // Rows of one tenant and key, and by which APIs each row is used.
    let mut groups: BTreeMap<(TenantId, String), Vec<Candidate<'_>>> = BTreeMap::new();
    for row in &desk.old.oauth_scopes {
        let Some(key) = said(row.key()) else {
            desk.ledger.skipped((TABLE, desk.owners.scope(row.id)), "has no key", 1);
            desk.note(About::Scope, "No token can carry it; it is left out.", format!("{TABLE} {}", row.id), "a scope has no key");
            continue;
        };
        let Some(tenant) = desk.names.tenant(row.tenant_id.unwrap_or(SUPER_TENANT_ID)) else {
            desk.ledger.skipped((TABLE, desk.owners.scope(row.id)), "its tenant is gone", 1);
            let words = format!("scope {key} belongs to tenant {}, which is gone", row.tenant_id.unwrap_or(SUPER_TENANT_ID));
            desk.warn(
                About::Scope,
                "The scope is left out; a resource that asks for it is told of its own.",
                format!("{TABLE} {}", row.id),
                words,
            );
            continue;
        };
        let roles = desk.roles(tenant, bindings.get(&row.id).cloned().unwrap_or_else(|| list(row.roles.as_deref())));
        let scope = ApiScope {
            name: key.to_owned(),
            display_name: said(row.title()).unwrap_or(key).to_owned(),
            description: said(row.description.as_deref()).map(str::to_owned),
            roles,
            shared: false,
        };
        let users = desk.old.apis.iter().filter(|a| a.scope_ids.contains(&row.id)).map(|a| a.identity().1).collect();
        groups.entry((tenant, key.to_owned())).or_default().push((row, scope, users));
    }
    for ((tenant, key), rows) in groups {
        group(desk, &mut scopes, tenant, &key, rows);
    }
    for api in &desk.old.apis {
        let links = (LINKS, api.row.as_ref().and_then(|row| desk.owners.api(row.id)));
        for id in &api.scope_ids {
            match scopes.by_id.contains_key(id) {
                true => desk.ledger.merged(links, 1),
                false => desk.ledger.skipped(links, "its scope is gone", 1),
            }
        }
        desk.ledger.skipped(links, "the row is doubled", api.doubled_scopes);
    }
    desk.ledger.skipped(LINKS, "its API is gone", desk.old.orphans.scopes);
    scopes
}

/// Roles by scope, from the table that 2.5 and later use.
fn bindings(desk: &mut Desk<'_>) -> HashMap<i64, Vec<String>> {
    let known: HashSet<i64> = desk.old.oauth_scopes.iter().map(|s| s.id).collect();
    let mut found: HashMap<i64, Vec<String>> = HashMap::new();
    for row in &desk.old.scope_bindings {
        match said(row.binding.as_deref()) {
            Some(role) if known.contains(&row.scope_id) => {
                let roles = found.entry(row.scope_id).or_default();
                list(Some(role)).into_iter().for_each(|r| roles.push(r));
                desk.ledger.merged((BINDINGS, desk.owners.scope(row.scope_id)), 1);
            }
            _ => desk.ledger.skipped((BINDINGS, desk.owners.scope(row.scope_id)), "its scope or role is gone", 1),
        }
    }
    for roles in found.values_mut() {
        roles.sort();
        roles.dedup();
    }
    found
}

fn group(desk: &mut Desk<'_>, scopes: &mut Scopes, tenant: TenantId, key: &str, rows: Vec<Candidate<'_>>) {
    let same = |a: &ApiScope, b: &ApiScope| {
        let fold = |s: &ApiScope| s.roles.iter().map(|r| r.to_ascii_lowercase()).collect::<BTreeSet<_>>();
        fold(a) == fold(b)
    };
    let attached: Vec<&Candidate<'_>> = rows.iter().filter(|(_, _, users)| !users.is_empty()).collect();
    let apis: BTreeSet<&String> = attached.iter().flat_map(|(_, _, users)| users).collect();
    let agree = attached.windows(2).all(|pair| matches!(pair, [a, b] if same(&a.1, &b.1)));
    if !agree {
        desk.warn(
            About::Scope,
            "One scope cannot mean different roles in one tenant: the roles of the newest API that has it decide for all. Rename one of them.",
            format!("{TABLE} {key}"),
            format!("APIs of tenant {tenant} give {key} to different roles"),
        );
    }
    let shared = apis.len() > 1 && agree;
    let first = attached.first().map(|a| a.1.clone());
    for (row, mut scope, users) in rows {
        let origin = format!("{TABLE} {}", row.id);
        match &first {
            Some(kept) if users.is_empty() => {
                // A row nobody uses beside one that is used.
                if same(kept, &scope) {
                    desk.ledger.merged((TABLE, desk.owners.scope(row.id)), 1);
                } else {
                    desk.ledger.skipped((TABLE, desk.owners.scope(row.id)), "another row of the same key is the one in use", 1);
                    let words = format!("a second scope {key} names roles {}", scope.roles.join(", "));
                    desk.warn(About::Scope, "The roles of the row that APIs use are carried.", origin, words);
                }
                scopes.by_id.insert(row.id, (tenant, kept.clone()));
            }
            Some(_) => {
                scope.shared = shared;
                if shared {
                    scopes.shared.insert((tenant, key.to_owned()), scope.clone());
                }
                desk.ledger.merged((TABLE, desk.owners.scope(row.id)), 1);
                scopes.by_id.insert(row.id, (tenant, scope));
            }
            None if BUILT_IN.contains(&key) => {
                // Nobody's shared scope, but a resource may want it all the same.
                match scopes.by_path.values().any(|ids| ids.contains(&row.id)) {
                    true => desk.ledger.merged((TABLE, desk.owners.scope(row.id)), 1),
                    false => desk.ledger.skipped((TABLE, desk.owners.scope(row.id)), "every key manager has it", 1),
                }
                scopes.by_id.insert(row.id, (tenant, scope));
            }
            None => {
                // A resource may want it all the same.
                scopes.by_id.insert(row.id, (tenant, ApiScope { shared: true, ..scope.clone() }));
                scopes.loose.push((tenant, row.id, scope));
            }
        }
    }
}

impl Scopes {
    /// The scopes an API declares.
    pub(super) fn of_api(&self, ids: &[i64]) -> Vec<ApiScope> {
        let mut found: Vec<ApiScope> = Vec::new();
        for (_, scope) in ids.iter().filter_map(|id| self.by_id.get(id)) {
            if !found.iter().any(|s| s.name == scope.name) {
                found.push(scope.clone());
            }
        }
        found
    }

    /// What a resource wants. `context` has the version at its end once; the old key may have it once (1.8) or twice.
    pub(super) fn of_resource(&mut self, context: &str, version: &str, pattern: &str, verb: &str) -> Wanted {
        let verb = verb.to_ascii_uppercase();
        let twice = format!("{context}/{version}{pattern}:{verb}");
        let once = format!("{context}{pattern}:{verb}");
        let mut found = Vec::new();
        let mut only_once = false;
        let mut bound = false;
        for (spelling, path) in [(2, &twice), (1, &once)] {
            let Some(ids) = self.by_path.get(path) else { continue };
            self.used_paths.insert(path.clone());
            bound |= !ids.is_empty();
            // The later spelling decides where both stand.
            if found.is_empty() {
                only_once = spelling == 1;
                for (_, scope) in ids.iter().filter_map(|id| self.by_id.get(id)) {
                    if !found.iter().any(|s: &ApiScope| s.name == scope.name) {
                        found.push(scope.clone());
                    }
                }
            }
        }
        Wanted { lost: bound && found.is_empty(), scopes: found, only_once }
    }

    /// The scopes that belong to no single API; accounts for resource scopes nobody asked for.
    pub(super) fn shared(mut self, desk: &mut Desk<'_>) -> Vec<Carried<SharedScope>> {
        // Loose rows that a resource turned out to want are those APIs' own by now.
        for row in &desk.old.resource_scopes {
            if self.used_paths.contains(&row.resource_path) {
                desk.ledger.merged((RESOURCES, desk.owners.scope(row.scope_id)), 1);
            } else {
                desk.ledger.skipped((RESOURCES, desk.owners.scope(row.scope_id)), "its API or resource is gone", 1);
            }
        }
        for (tenant, id, scope) in std::mem::take(&mut self.loose) {
            let at = (tenant, scope.name.clone());
            match self.shared.get(&at) {
                None => {
                    desk.ledger.imported((TABLE, desk.owners.scope(id)));
                    self.shared.insert(at, scope);
                }
                Some(kept) if kept.roles == scope.roles => desk.ledger.merged((TABLE, desk.owners.scope(id)), 1),
                Some(_) => {
                    desk.ledger.skipped((TABLE, desk.owners.scope(id)), "another row of the same key is the one in use", 1);
                    let words = format!("a second scope {} names roles {}", scope.name, scope.roles.join(", "));
                    desk.warn(About::Scope, "The roles of the first row are carried.", format!("{TABLE} {id}"), words);
                }
            }
        }
        let source = desk.input.source;
        let carry = |((tenant, name), mut scope): ((TenantId, String), ApiScope)| {
            scope.shared = true;
            let id = Uuid::new_v5(&Uuid::NAMESPACE_URL, format!("tidegate:shared-scope:{source}:{tenant}:{name}").as_bytes());
            Carried { key: format!("{tenant}/{name}"), value: SharedScope { id: id.to_string(), tenant, scope } }
        };
        self.shared.into_iter().map(carry).collect()
    }
}

/// Scopes of a resource.
#[derive(Debug, PartialEq)]
pub(super) struct Wanted {
    pub(super) scopes: Vec<ApiScope>,
    /// Only 1.8's spelling names them, which 1.9 and later no longer looked up.
    pub(super) only_once: bool,
    /// It is bound to scopes, and none of them could be carried.
    pub(super) lost: bool,
}

#[cfg(test)]
mod tests {
    use super::super::policies::bare;
    use super::*;
    use crate::old::oauth::ResourceScope;

    fn scope(name: &str) -> ApiScope {
        ApiScope { name: name.to_owned(), display_name: name.to_owned(), description: None, roles: Vec::new(), shared: false }
    }

    #[test]
    fn both_spellings_are_found_and_the_later_decides() {
        let paths = [("/w/1.0/1.0/x:GET", 1), ("/w/1.0/x:GET", 2), ("/w/1.0/y:POST", 2)];
        let mut scopes = Scopes {
            by_id: HashMap::from([(1, (TenantId::SUPER, scope("a"))), (2, (TenantId::SUPER, scope("b")))]),
            by_path: paths.into_iter().map(|(path, id)| (path.to_owned(), vec![id])).collect(),
            ..Scopes::default()
        };
        let both = scopes.of_resource("/w/1.0", "1.0", "/x", "get");
        assert_eq!((both.scopes[0].name.as_str(), both.only_once), ("a", false));
        let old = scopes.of_resource("/w/1.0", "1.0", "/y", "POST");
        assert_eq!((old.scopes[0].name.as_str(), old.only_once), ("b", true));
        assert!(scopes.of_resource("/w/1.0", "1.0", "/y", "GET").scopes.is_empty());
        assert_eq!(scopes.used_paths.len(), 3);
    }

    fn row(id: i64, key: &str, tenant: i64) -> Scope {
        Scope {
            id,
            scope_key: Some(key.to_owned()),
            name: Some(key.to_owned()),
            display_name: None,
            description: None,
            tenant_id: Some(tenant),
            roles: Some("vip".to_owned()),
        }
    }

    #[test]
    fn a_resource_keeps_a_scope_that_every_key_manager_has() {
        let mut old = bare::installation();
        old.oauth_scopes = vec![row(1, "openid", SUPER_TENANT_ID), row(2, "email", SUPER_TENANT_ID)];
        old.resource_scopes = vec![ResourceScope { resource_path: "/w/1.0/1.0/x:GET".to_owned(), scope_id: 1, tenant_id: None }];
        let done = bare::with_desk(&old, |desk| {
            let mut scopes = translate(desk);
            let wanted = scopes.of_resource("/w/1.0", "1.0", "/x", "GET");
            let account = desk.ledger.of(TABLE).cloned().unwrap();
            (wanted, account.merged, account.skipped.len(), scopes.shared(desk).len())
        });
        let (wanted, merged, skipped, shared) = done.value;
        assert_eq!(wanted.scopes.iter().map(|s| (s.name.as_str(), s.roles.join(","))).collect::<Vec<_>>(), [("openid", "vip".to_owned())]);
        assert_eq!((wanted.lost, merged, skipped, shared), (false, 1, 1, 0));
    }

    #[test]
    fn a_scope_of_a_gone_tenant_is_told_and_its_resource_knows() {
        let mut old = bare::installation();
        old.oauth_scopes = vec![row(1, "orders", 99)];
        old.resource_scopes = vec![ResourceScope { resource_path: "/w/1.0/1.0/x:GET".to_owned(), scope_id: 1, tenant_id: None }];
        let done = bare::with_desk(&old, |desk| translate(desk).of_resource("/w/1.0", "1.0", "/x", "GET"));
        assert_eq!(done.value, Wanted { scopes: Vec::new(), only_once: false, lost: true });
        assert!(done.findings.iter().any(|f| f.words == "scope orders belongs to tenant 99, which is gone"));
    }
}
