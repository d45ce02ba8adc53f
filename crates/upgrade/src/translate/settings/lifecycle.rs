//! The APILifeCycle definition, where a site added states of its own. States are this program's, so an added one is told, and kept by name.

use model::{LifecycleState, SettingKind, TenantId};
use serde_json::json;

use super::{About, Desk, Shelf};
use crate::old::TenantFiles;
use crate::source::parse_xml;

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId, files: &TenantFiles) {
    let Some(bytes) = &files.api_lifecycle else { return };
    let origin = format!("APILifeCycle of tenant {tenant}");
    let root = match parse_xml(bytes) {
        Ok(root) => root,
        Err(fault) => {
            desk.note(About::Tenant, "The usual states are in force.", origin, format!("it does not read: {fault}"));
            return;
        }
    };
    let all = root.descendants();
    let states: Vec<&str> = all.iter().filter(|e| e.name == "state").filter_map(|e| e.attribute("id")).map(str::trim).collect();
    let own: Vec<&str> = states.iter().copied().filter(|s| LifecycleState::parse(s).is_none()).collect();
    if own.is_empty() {
        return;
    }
    desk.warn(
        About::Tenant,
        "An API in such a state is carried as its own findings say; the state itself is kept by name only.",
        origin,
        format!("states of the site's own: {}", own.join(", ")),
    );
    shelf.put(tenant, SettingKind::Lifecycle, "APILifeCycle", json!({ "states": states, "ownStates": own }), None);
}
