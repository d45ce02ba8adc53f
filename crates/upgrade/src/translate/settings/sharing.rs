//! Whom applications are shared with. The old product asked a class; the one it came with takes the groups from the organization claim, and
//! without a class nothing was shared, whatever an application's row says.

use model::{SettingKind, TenantId};
use serde_json::json;

use super::{About, Desk, Shelf};

const CLAIM: &str = "http://wso2.org/claims/organization";
const USUAL_ATTRIBUTE: &str = "organizationName";
/// Of the product itself; their names differ between versions.
const KNOWN: [&str; 2] = ["DefaultGroupIDExtractorImpl", "NewPostLoginExecutor"];

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId) {
    let Some(class) = desk.input.settings.and_then(|s| s.grouping_extractor.clone()) else {
        if tenant == TenantId::SUPER
            && desk.input.settings.is_none()
            && desk.old.applications.iter().any(|a| super::said(a.group_id.as_deref()).is_some())
        {
            desk.warn(
                About::Application,
                "Their groups are kept; nobody but the owner sees them until the folder of the old installation says who shares (--source).",
                "AM_APPLICATION GROUP_ID",
                "applications are shared with groups",
            );
        }
        return;
    };
    if !KNOWN.iter().any(|known| class.ends_with(known)) {
        desk.warn(
            About::Application,
            "The class cannot run here. Groups are kept; nobody but the owner sees a shared application.",
            "api-manager.xml GroupingExtractor",
            format!("groups of developers were told by {class}"),
        );
        return;
    }
    let attribute = attribute(desk, tenant).unwrap_or_else(|| USUAL_ATTRIBUTE.to_owned());
    let body = json!({ "claim": CLAIM, "attribute": attribute, "class": class });
    shelf.put(tenant, SettingKind::ApplicationSharing, "", body, None);
}

/// The attribute of the primary store that the claim comes from.
fn attribute(desk: &Desk<'_>, tenant: TenantId) -> Option<String> {
    let id = i64::from(tenant.0);
    let text = match desk.old.claims.iter().find(|c| c.tenant_id == id && c.uri.trim() == CLAIM) {
        Some(claim) => claim.attribute.as_deref()?.to_owned(),
        None => {
            let kept = |table| desk.old.kept.of(table).filter(move |r| r.int("TENANT_ID").unwrap_or(-1234) == id);
            let claim = kept("IDN_CLAIM").find(|r| r.get("CLAIM_URI") == Some(CLAIM))?.int("ID")?;
            let mapped = kept("IDN_CLAIM_MAPPED_ATTRIBUTE").find(|r| r.int("LOCAL_CLAIM_ID") == Some(claim))?;
            mapped.get("ATTRIBUTE_NAME")?.to_owned()
        }
    };
    text.split(';').map(str::trim).find(|part| !part.is_empty() && !part.contains('/')).map(str::to_owned)
}
