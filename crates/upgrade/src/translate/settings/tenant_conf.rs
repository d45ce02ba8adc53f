//! tenant-conf.json. Which roles hold which REST scope has a home of its own; the rest is kept as it is.

use model::{SettingKind, TenantId};
use serde_json::{Map, Value};

use super::{About, Desk, Shelf};
use crate::old::TenantFiles;

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId, files: &TenantFiles) {
    let Some(bytes) = &files.tenant_conf else { return };
    let origin = format!("tenant-conf.json of tenant {tenant}");
    let mut members = match serde_json::from_str(super::super::decoded(bytes).trim()) {
        Ok(Value::Object(members)) => members,
        _ => {
            desk.warn(About::Tenant, "Its settings are not carried.", origin, "it is no JSON object");
            return;
        }
    };
    members.remove("RESTAPIScopes");
    let mut secrets = Map::new();
    for (name, value) in &mut members {
        take_secrets(name, value, &mut secrets);
    }
    let is_on = |name: &str| {
        members.get(name).is_some_and(|v| v.as_bool().unwrap_or_else(|| v.as_str().is_some_and(|t| t.eq_ignore_ascii_case("true"))))
    };
    for (name, words, consequence) in [
        ("NotificationsEnabled", "notifications of new versions are on", "Kept; no such mails are sent here yet."),
        ("EnableMonetization", "monetization is on", "Kept; nothing is billed here."),
        ("IsUnlimitedTierPaid", "the plan Unlimited is paid for", "Kept; nothing is billed here."),
    ] {
        if is_on(name) {
            desk.note(About::Tenant, consequence, origin.clone(), words);
        }
    }
    let secret = (!secrets.is_empty()).then(|| Value::Object(secrets).to_string());
    shelf.put(tenant, SettingKind::TenantConfiguration, "", Value::Object(members), secret);
}

/// Takes out what is called a password or secret, however deep it stands.
fn take_secrets(path: &str, value: &mut Value, secrets: &mut Map<String, Value>) {
    match value {
        Value::Object(members) => {
            for (name, value) in members.iter_mut() {
                take_secrets(&format!("{path}/{name}"), value, secrets);
            }
        }
        Value::Array(items) => {
            for (at, value) in items.iter_mut().enumerate() {
                take_secrets(&format!("{path}/{at}"), value, secrets);
            }
        }
        Value::String(text) => {
            let name = path.rsplit('/').next().unwrap_or_default().to_ascii_lowercase();
            if (name.contains("password") || name.contains("secret")) && !text.is_empty() {
                secrets.insert(path.to_owned(), Value::from(std::mem::take(text)));
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_taken_out_wherever_they_stand() {
        let mut value = serde_json::json!([{"Mail": {"Password": "hunter2", "User": "ops"}}]);
        let mut secrets = Map::new();
        take_secrets("Notifications", &mut value, &mut secrets);
        assert_eq!(value, serde_json::json!([{"Mail": {"Password": "", "User": "ops"}}]));
        assert_eq!(Value::Object(secrets), serde_json::json!({"Notifications/0/Mail/Password": "hunter2"}));
    }
}
