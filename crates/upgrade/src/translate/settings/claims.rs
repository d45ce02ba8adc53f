//! Claim dialects: what a token may say about a user, and from which attribute of which store it comes. To 2.0 they stand in the user
//! database, from 2.1 on in the identity database.

use std::collections::BTreeMap;

use model::{SettingKind, TenantId};
use serde_json::{Map, Value, json};

use super::{About, Desk, Shelf, said, tenant_of};
use crate::old::kept::KeptRow;

/// Claims by URI.
type Claims = BTreeMap<String, Map<String, Value>>;

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    of_user_tables(desk, shelf);
    of_identity_tables(desk, shelf);
}

fn of_user_tables(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    const DIALECTS: &str = "UM_DIALECT";
    const CLAIMS: &str = "UM_CLAIM";
    let mut known: BTreeMap<(i64, i64), (TenantId, String, Claims)> = BTreeMap::new();
    for dialect in &desk.old.dialects {
        match desk.names.tenant(dialect.tenant_id) {
            Some(tenant) => drop(known.insert((dialect.tenant_id, dialect.id), (tenant, dialect.uri.trim().to_owned(), Claims::new()))),
            None => desk.ledger.skipped(DIALECTS, "its tenant is gone", 1),
        }
    }
    for claim in &desk.old.claims {
        let Some((_, _, claims)) = known.get_mut(&(claim.tenant_id, claim.dialect_id)) else {
            desk.ledger.skipped(CLAIMS, "its dialect is gone", 1);
            continue;
        };
        desk.ledger.merged(CLAIMS, 1);
        let entry = claims.entry(claim.uri.trim().to_owned()).or_default();
        let body = json!({
            "displayName": claim.display_name,
            "description": claim.description,
            "pattern": claim.pattern,
            "supported": claim.supported,
            "required": claim.required,
            "order": claim.order,
            "readOnly": claim.read_only,
        });
        // A claim has a row for each store that keeps it under another attribute.
        if let Value::Object(members) = body {
            for (name, value) in members.into_iter().filter(|(_, value)| !value.is_null()) {
                entry.entry(name).or_insert(value);
            }
        }
        let store = desk.names.store(claim.attribute_domain.as_deref().unwrap_or_default());
        attributes(entry, &store, claim.attribute.as_deref().unwrap_or_default());
    }
    for (tenant, uri, claims) in known.into_values() {
        finish(desk, shelf, tenant, &uri, claims, DIALECTS);
    }
}

/// `attribute`, or `attribute;STORE/attribute;…`.
fn attributes(entry: &mut Map<String, Value>, store: &str, text: &str) {
    let map = entry.entry("attributes").or_insert_with(|| Value::Object(Map::new()));
    let Value::Object(map) = map else { return };
    for part in text.split(';').map(str::trim).filter(|p| !p.is_empty()) {
        match part.split_once('/') {
            Some((own, attribute)) => map.insert(own.to_ascii_uppercase(), Value::from(attribute)),
            None => map.insert(store.to_owned(), Value::from(part)),
        };
    }
}

fn of_identity_tables(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    let rows = |table| desk.old.kept.of(table);
    let mut uris: BTreeMap<i64, String> = BTreeMap::new();
    let mut bodies: BTreeMap<i64, Map<String, Value>> = BTreeMap::new();
    for claim in rows("IDN_CLAIM") {
        if let (Some(id), Some(uri)) = (claim.int("ID"), said(claim.get("CLAIM_URI"))) {
            uris.insert(id, uri.to_owned());
            bodies.insert(id, Map::new());
        }
    }
    for row in rows("IDN_CLAIM_PROPERTY") {
        if let (Some(body), Some(name)) = (row.int("LOCAL_CLAIM_ID").and_then(|id| bodies.get_mut(&id)), row.get("PROPERTY_NAME")) {
            body.insert(name.to_owned(), Value::from(row.get("PROPERTY_VALUE").unwrap_or_default()));
        }
    }
    for row in rows("IDN_CLAIM_MAPPED_ATTRIBUTE") {
        let store = desk.names.store(row.get("USER_STORE_DOMAIN_NAME").unwrap_or_default());
        if let Some(body) = row.int("LOCAL_CLAIM_ID").and_then(|id| bodies.get_mut(&id)) {
            attributes(body, &store, row.get("ATTRIBUTE_NAME").unwrap_or_default());
        }
    }
    for row in rows("IDN_CLAIM_MAPPING") {
        let local = row.int("MAPPED_LOCAL_CLAIM_ID").and_then(|id| uris.get(&id));
        if let (Some(body), Some(local)) = (row.int("EXT_CLAIM_ID").and_then(|id| bodies.get_mut(&id)), local) {
            body.insert("mappedTo".to_owned(), Value::from(local.as_str()));
        }
    }
    let dialects: Vec<KeptRow> = rows("IDN_CLAIM_DIALECT").collect();
    let mut found: Vec<(TenantId, String, Claims)> = Vec::new();
    let mut orphans: u64 = 0;
    let mut of_dialect: BTreeMap<i64, Vec<i64>> = BTreeMap::new();
    for claim in rows("IDN_CLAIM") {
        match (claim.int("DIALECT_ID"), claim.int("ID")) {
            (Some(dialect), Some(id)) => of_dialect.entry(dialect).or_default().push(id),
            _ => orphans += 1,
        }
    }
    let mut taken = 0;
    let mut gone = 0;
    for dialect in dialects {
        let claims = dialect.int("ID").and_then(|id| of_dialect.remove(&id)).unwrap_or_default();
        match (tenant_of(desk, &dialect), said(dialect.get("DIALECT_URI"))) {
            (Some(tenant), Some(uri)) => {
                taken += claims.len();
                let all = claims.iter().filter_map(|id| Some((uris.get(id)?.clone(), bodies.remove(id)?))).collect();
                found.push((tenant, uri.to_owned(), all));
            }
            _ => {
                orphans += u64::try_from(claims.len()).unwrap_or(0);
                gone += 1;
            }
        }
    }
    for table in ["IDN_CLAIM_PROPERTY", "IDN_CLAIM_MAPPED_ATTRIBUTE", "IDN_CLAIM_MAPPING"] {
        // Part of their claims, which are accounted for above.
        desk.ledger.merged(table, u64::try_from(rows(table).count()).unwrap_or(0));
    }
    orphans += of_dialect.values().map(|ids| u64::try_from(ids.len()).unwrap_or(0)).sum::<u64>();
    desk.ledger.skipped("IDN_CLAIM", "its dialect is gone", orphans);
    desk.ledger.merged("IDN_CLAIM", u64::try_from(taken).unwrap_or(0));
    desk.ledger.skipped("IDN_CLAIM_DIALECT", "its tenant is gone", gone);
    for (tenant, uri, claims) in found {
        finish(desk, shelf, tenant, &uri, claims, "IDN_CLAIM_DIALECT");
    }
}

fn finish(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId, uri: &str, claims: Claims, table: &'static str) {
    for (claim, body) in &claims {
        let resolved =
            body.contains_key("mappedTo") || body.get("attributes").and_then(Value::as_object).is_some_and(|map| !map.is_empty());
        if !resolved {
            desk.warn(
                About::User,
                "Kept; it comes from no attribute, so nobody has it.",
                format!("{table} {uri}"),
                format!("the claim {claim} of tenant {tenant} is mapped to nothing"),
            );
        }
    }
    let body = json!({ "uri": uri, "claims": claims });
    match shelf.put(tenant, SettingKind::ClaimDialect, uri, body, None) {
        true => desk.ledger.imported(table),
        false => desk.ledger.merged(table, 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_attribute_may_be_named_for_each_store() {
        let mut entry = Map::new();
        attributes(&mut entry, "PRIMARY", "mail;ldap/email");
        attributes(&mut entry, "OTHER", "eMail");
        assert_eq!(entry.get("attributes"), Some(&json!({"PRIMARY": "mail", "LDAP": "email", "OTHER": "eMail"})));
    }
}
