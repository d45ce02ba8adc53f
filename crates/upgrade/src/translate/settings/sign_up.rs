//! sign-up-config.xml: who may make an account. The administrator's password in it is not needed here and is not carried.

use model::{SettingKind, TenantId};
use serde_json::json;

use super::{About, Desk, Shelf};
use crate::old::TenantFiles;
use crate::source::parse_xml;

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId, files: &TenantFiles) {
    let Some(bytes) = &files.sign_up else { return };
    let origin = format!("sign-up-config.xml of tenant {tenant}");
    let root = match parse_xml(bytes.expose()) {
        Ok(root) => root,
        Err(fault) => {
            desk.warn(About::Tenant, "Nobody can sign up.", origin, format!("it does not read: {fault}"));
            return;
        }
    };
    let enabled = root.text_at(&["EnableSignup"]).is_some_and(|t| t.eq_ignore_ascii_case("true"));
    let roles: Vec<String> = root
        .child("SignUpRoles")
        .into_iter()
        .flat_map(|roles| roles.children_named("SignUpRole"))
        .filter_map(|role| {
            let name = role.text_at(&["RoleName"])?;
            let external = role.text_at(&["IsExternalRole"]).is_some_and(|t| t.eq_ignore_ascii_case("true"));
            Some(if external || name.starts_with("Internal/") { name.to_owned() } else { format!("Internal/{name}") })
        })
        .collect();
    let roles = desk.roles(tenant, roles);
    if enabled {
        desk.warn(About::Tenant, "Kept; people cannot make accounts by themselves here yet.", origin, "self sign-up is on");
    }
    let body = json!({ "enabled": enabled, "domain": root.text_at(&["SignUpDomain"]).unwrap_or_default(), "roles": roles });
    shelf.put(tenant, SettingKind::SignUp, "", body, None);
}
