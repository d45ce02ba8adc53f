//! Identity providers and service providers, each with everything that hangs on it. OAuth clients of service providers are carried as
//! clients; nothing here signs anybody in elsewhere, so the rest is kept and told.

use std::collections::HashMap;

use model::SettingKind;
use serde_json::{Value, json};

use super::{About, Desk, Shelf, sealed, shown, tenant_of};
use crate::old::kept::KeptRow;

/// A table, the table its rows hang on, and the column that says on which.
type Branch = (&'static str, &'static str, &'static str);

const OF_IDP: &[Branch] = &[
    ("IDP_AUTHENTICATOR", "IDP", "IDP_ID"),
    ("IDP_AUTHENTICATOR_PROPERTY", "IDP_AUTHENTICATOR", "AUTHENTICATOR_ID"),
    ("IDP_CLAIM", "IDP", "IDP_ID"),
    ("IDP_CLAIM_MAPPING", "IDP_CLAIM", "IDP_CLAIM_ID"),
    ("IDP_LOCAL_CLAIM", "IDP", "IDP_ID"),
    ("IDP_METADATA", "IDP", "IDP_ID"),
    ("IDP_PROVISIONING_CONFIG", "IDP", "IDP_ID"),
    ("IDP_PROVISIONING_ENTITY", "IDP_PROVISIONING_CONFIG", "PROVISIONING_CONFIG_ID"),
    ("IDP_PROV_CONFIG_PROPERTY", "IDP_PROVISIONING_CONFIG", "PROVISIONING_CONFIG_ID"),
    ("IDP_ROLE", "IDP", "IDP_ID"),
    ("IDP_ROLE_MAPPING", "IDP_ROLE", "IDP_ROLE_ID"),
];

const OF_SP: &[Branch] = &[
    ("SP_AUTH_SCRIPT", "SP_APP", "APP_ID"),
    ("SP_AUTH_STEP", "SP_APP", "APP_ID"),
    ("SP_FEDERATED_IDP", "SP_AUTH_STEP", "ID"),
    ("SP_CLAIM_DIALECT", "SP_APP", "APP_ID"),
    ("SP_CLAIM_MAPPING", "SP_APP", "APP_ID"),
    ("SP_METADATA", "SP_APP", "SP_ID"),
    ("SP_PROVISIONING_CONNECTOR", "SP_APP", "APP_ID"),
    ("SP_REQ_PATH_AUTHENTICATOR", "SP_APP", "APP_ID"),
    ("SP_ROLE_MAPPING", "SP_APP", "APP_ID"),
];

/// What every old server has for itself.
const OWN: [&str; 2] = ["LOCAL", "SHARED_IDP"];

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf) {
    kind(desk, shelf, "IDP", "NAME", OF_IDP, SettingKind::IdentityProvider);
    kind(desk, shelf, "SP_APP", "APP_NAME", OF_SP, SettingKind::ServiceProvider);
}

fn kind(desk: &mut Desk<'_>, shelf: &mut Shelf, root: &'static str, name: &str, branches: &[Branch], kind: SettingKind) {
    let old = desk.old;
    // Which root each row of a table belongs to, level by level: the lists name parents before children.
    let mut owners: HashMap<(&str, i64), i64> = old.kept.of(root).filter_map(|r| r.int("ID").map(|id| ((root, id), id))).collect();
    // Where the rows are that hang on a root; the rows themselves may be many.
    let mut leaves: HashMap<i64, Vec<(&str, usize)>> = HashMap::new();
    for (table, parent, column) in branches.iter().copied() {
        for (at, row) in (0..).zip(old.kept.of(table)) {
            let owner = row.int(column).and_then(|id| owners.get(&(parent, id)).copied());
            let Some(owner) = owner else {
                desk.ledger.skipped(table, "what it belongs to is gone", 1);
                continue;
            };
            if let Some(id) = row.int("ID") {
                owners.insert((table, id), owner);
            }
            leaves.entry(owner).or_default().push((table, at));
        }
    }
    for row in old.kept.of(root) {
        let title = row.get(name).unwrap_or_default();
        let below = row.int("ID").and_then(|id| leaves.remove(&id)).unwrap_or_default();
        let below: Vec<KeptRow> = below.into_iter().filter_map(|(table, at)| old.kept.get(table, at)).collect();
        let Some(tenant) = tenant_of(desk, &row) else {
            desk.ledger.skipped(root, "its tenant is gone", 1);
            below.iter().for_each(|leaf| desk.ledger.skipped(&leaf.table, "its tenant is gone", 1));
            continue;
        };
        below.iter().for_each(|leaf| desk.ledger.merged(&leaf.table, 1));
        let parts: Vec<Value> = below.iter().map(|leaf| json!({ "table": leaf.table, "cells": shown(leaf) })).collect();
        let secret = sealed(std::iter::once(&row).chain(&below));
        // Names repeat where the old database compared them otherwise; the number then tells them apart.
        let body = json!({ "name": title, "cells": shown(&row), "parts": parts });
        let id = row.get("ID").unwrap_or_default();
        if !shelf.put(tenant, kind, title, body.clone(), secret.clone()) {
            shelf.put(tenant, kind, &format!("{title} ({id})"), body, secret);
        }
        desk.ledger.imported(root);
        if kind == SettingKind::IdentityProvider && !OWN.contains(&title) {
            desk.warn(
                About::User,
                "Kept; nobody signs in through it here yet.",
                format!("{root} {id}"),
                format!("identity provider {title} of tenant {tenant}"),
            );
        }
        let by_other = below.iter().any(|leaf| leaf.table == "SP_FEDERATED_IDP");
        if kind == SettingKind::ServiceProvider && by_other {
            desk.warn(
                About::Client,
                "Its OAuth client is carried; its users sign in here by name and password only.",
                format!("{root} {id}"),
                format!("service provider {title} signs its users in elsewhere"),
            );
        }
    }
}
