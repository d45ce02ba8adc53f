//! Settings shown to the publisher's pages, and role names checked for them.

use rest::{Caller, Refusal};
use serde_json::Map;

use crate::Room;
use crate::wire::{EnvironmentShown, Settings};

/// Every scope of this interface. A page that signs a user in asks for these before it may know anything else.
pub(crate) const SCOPES: [&str; 30] = [
    "openid",
    "apim:api_view",
    "apim:api_create",
    "apim:api_delete",
    "apim:api_publish",
    "apim:subscription_view",
    "apim:subscription_block",
    "apim:threat_protection_policy_create",
    "apim:threat_protection_policy_manage",
    "apim:document_create",
    "apim:document_manage",
    "apim:mediation_policy_view",
    "apim:mediation_policy_create",
    "apim:mediation_policy_manage",
    "apim:client_certificates_view",
    "apim:client_certificates_add",
    "apim:client_certificates_update",
    "apim:ep_certificates_view",
    "apim:ep_certificates_add",
    "apim:ep_certificates_update",
    "apim:publisher_settings",
    "apim:pub_alert_manage",
    "apim:shared_scope_manage",
    "apim:app_import_export",
    "apim:api_import_export",
    "apim:api_product_import_export",
    "apim:api_generate_key",
    "apim:admin",
    "apim:comment_view",
    "apim:comment_write",
];

/// What is shown to `caller`, or to nobody in particular.
///
/// # Errors
/// Only the database's.
pub(crate) async fn show(room: &Room, caller: Option<&Caller>) -> Result<Settings, Refusal> {
    if caller.is_none() {
        return Ok(Settings {
            devportal_url: None,
            environment: None,
            scopes: SCOPES.to_vec(),
            monetization_attributes: None,
            security_audit_properties: None,
            external_stores_enabled: None,
            doc_visibility_enabled: None,
            cross_tenant_subscription_enabled: None,
        });
    }
    let mut tx = room.db.read().await?;
    let environments = db::environments::list(&mut tx).await?;
    Ok(Settings {
        devportal_url: Some(room.config.devportal_url.clone()),
        environment: Some(environments.iter().map(EnvironmentShown::from).collect()),
        scopes: SCOPES.to_vec(),
        monetization_attributes: Some(Vec::new()),
        security_audit_properties: Some(Map::new()),
        external_stores_enabled: Some(false),
        doc_visibility_enabled: Some(false),
        cross_tenant_subscription_enabled: Some(false),
    })
}

/// Whether the caller's tenant has such a role, in any letter case.
///
/// # Errors
/// Only the database's.
pub(crate) async fn has_role(room: &Room, caller: &Caller, role: &str) -> Result<bool, Refusal> {
    if role.eq_ignore_ascii_case(model::EVERYONE) {
        return Ok(true);
    }
    let mut tx = room.db.read().await?;
    let folded = role.to_lowercase();
    Ok(db::roles::list(&mut tx, caller.tenant).await?.iter().any(|known| known.to_lowercase() == folded))
}
