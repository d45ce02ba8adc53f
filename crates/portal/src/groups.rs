//! Groups that developers share applications with, where the tenant shares them: what a user's organization attribute says.

use db::Tx;
use model::{Application, SettingKind};
use rest::{Caller, Refusal};
use serde_json::Value;

/// The caller's groups; none where the tenant does not share applications.
pub(crate) async fn of(tx: &mut Tx, caller: &Caller) -> Result<Vec<String>, Refusal> {
    let Some(setting) = db::tenant_settings::find(tx, caller.tenant, SettingKind::ApplicationSharing, "").await? else {
        return Ok(Vec::new());
    };
    let member = |name: &str| setting.body.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
    // An attribute may be kept under its own name or its claim's.
    let names = [member("attribute"), member("claim")];
    let Some(user) = db::users::find(tx, caller.tenant, &caller.user.store, &caller.user.name).await? else { return Ok(Vec::new()) };
    let values = user.attributes.iter().filter(|(name, _)| !name.is_empty() && names.contains(name)).map(|(_, value)| value.as_str());
    let mut groups: Vec<String> = Vec::new();
    for group in values.flat_map(|value| value.split(',')).map(str::trim).filter(|group| !group.is_empty()) {
        if !groups.iter().any(|known| known == group) {
            groups.push(group.to_owned());
        }
    }
    Ok(groups)
}

/// Whether the application is shared with the caller.
pub(crate) async fn share(tx: &mut Tx, caller: &Caller, application: &Application) -> Result<bool, Refusal> {
    if application.groups.is_empty() || application.tenant != caller.tenant {
        return Ok(false);
    }
    Ok(of(tx, caller).await?.iter().any(|group| application.groups.contains(group)))
}
