//! Other stores that APIs are shown in, and which API is shown where.

use std::collections::HashMap;

use model::{SettingKind, TenantId};
use serde_json::json;

use super::{About, Carried, CarriedApi, Desk, Shelf};
use crate::old::TenantFiles;
use crate::source::parse_xml;

const FILE: &str = "external-api-stores.xml";
const TABLE: &str = "AM_EXTERNAL_STORES";

pub(super) fn definitions(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId, files: &TenantFiles) {
    let Some(bytes) = &files.external_stores else { return };
    let origin = format!("{FILE} of tenant {tenant}");
    let root = match parse_xml(bytes.expose()) {
        Ok(root) => root,
        Err(fault) => {
            desk.warn(About::Tenant, "The stores it names are not carried.", origin, format!("it does not read: {fault}"));
            return;
        }
    };
    let url = root.text_at(&["StoreURL"]);
    for store in root.children_named("ExternalAPIStore") {
        let id = store.attribute("id").unwrap_or_default().trim();
        if id.is_empty() {
            desk.warn(About::Tenant, "The store is left out.", origin.clone(), "a store without an id");
            continue;
        }
        let body = json!({
            "id": id,
            "type": store.attribute("type").unwrap_or_default(),
            "className": store.attribute("className"),
            "displayName": store.text_at(&["DisplayName"]),
            "endpoint": store.text_at(&["Endpoint"]),
            "username": store.text_at(&["Username"]),
            "ownStoreUrl": url,
        });
        let secret = store.text_at(&["Password"]).map(str::to_owned);
        if !shelf.put(tenant, SettingKind::ExternalStore, id, body, secret) {
            desk.warn(About::Tenant, "The first is carried.", origin.clone(), format!("two stores are called {id}"));
            continue;
        }
        desk.note(
            About::Tenant,
            "Kept; APIs are not sent there from here yet.",
            origin.clone(),
            format!("APIs are shown in the store {id}"),
        );
    }
}

pub(super) fn publications(desk: &mut Desk<'_>, shelf: &mut Shelf, apis: &[Carried<CarriedApi>]) {
    let apis: HashMap<&str, &CarriedApi> = apis.iter().map(|a| (a.key.as_str(), &a.value)).collect();
    for row in desk.old.kept.of(TABLE) {
        let Some(carried) = row.get("API_ID").and_then(|id| apis.get(id)) else {
            desk.ledger.skipped(TABLE, "its API is gone", 1);
            continue;
        };
        let store = row.get("STORE_ID").unwrap_or_default();
        let body = json!({
            "apiId": carried.api.id.to_string(),
            "storeId": store,
            "displayName": row.get("STORE_DISPLAY_NAME"),
            "endpoint": row.get("STORE_ENDPOINT"),
            "type": row.get("STORE_TYPE"),
        });
        let name = format!("{}/{store}", carried.api.id);
        match shelf.put(carried.api.tenant, SettingKind::ExternalPublication, &name, body, None) {
            true => desk.ledger.imported(TABLE),
            false => desk.ledger.merged(TABLE, 1),
        }
    }
}
