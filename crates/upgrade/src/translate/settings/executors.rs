//! workflow-extensions.xml: who decides requests of each kind.
//!
//! What went to a business process engine waits here for an administrator: the engine's answer would be lost with the old server's address,
//! and letting through what somebody wanted to look at is the one thing that must not happen. Where it went is kept, for a later executor.

use model::{SettingKind, TenantId, WorkflowKind};
use serde_json::{Map, Value, json};

use super::{About, Desk, Shelf};
use crate::old::TenantFiles;
use crate::source::{Element, parse_xml};

const FILE: &str = "workflow-extensions.xml";

pub(super) fn translate(desk: &mut Desk<'_>, shelf: &mut Shelf, tenant: TenantId, files: &TenantFiles) {
    let Some(bytes) = &files.workflow_extensions else { return };
    let origin = |what: &str| format!("{FILE} of tenant {tenant} {what}");
    let root = match parse_xml(bytes) {
        Ok(root) => root,
        Err(fault) => {
            let words = format!("it does not read: {fault}");
            desk.warn(About::Tenant, "Requests are let through at once, as without the file.", origin(""), words);
            return;
        }
    };
    for element in &root.children {
        let Some(kind) = kind(&element.name) else {
            desk.note(About::Tenant, "Not acted on.", origin(&element.name), "an executor for requests that are not known");
            continue;
        };
        let class = element.attribute("executor").unwrap_or_default();
        let name = class.rsplit('.').next().unwrap_or_default();
        let own = class.starts_with("org.wso2.carbon.apimgt.");
        let mode = match (own, name) {
            (true, name) if name.contains("Simple") => "simple",
            (true, name) if name.contains("WSWorkflow") || name.contains("Approval") => "approval",
            _ => "custom",
        };
        if mode == "custom" {
            desk.warn(
                About::Tenant,
                "The class cannot run here. Requests of this kind wait for an administrator's approval; set mode simple if they need none.",
                origin(&element.name),
                format!("requests were decided by {class}"),
            );
        } else if mode == "approval" && !in_force(kind) {
            desk.warn(
                About::Tenant,
                "Requests of this kind are not held up here yet; old ones can be decided.",
                origin(&element.name),
                "asks for approval",
            );
        } else if mode == "approval" {
            desk.warn(
                About::Tenant,
                "New requests of this kind wait for an administrator, who decides them here; where they went before is kept.",
                origin(&element.name),
                format!("{name} asked a process elsewhere"),
            );
        }
        let (properties, secret) = properties(element);
        let body = json!({ "mode": if mode == "simple" { mode } else { "approval" }, "executor": class, "properties": properties });
        shelf.put(tenant, SettingKind::WorkflowExecutor, kind.name(), body, secret);
    }
}

/// Which kinds a new request of is held up.
fn in_force(kind: WorkflowKind) -> bool {
    use WorkflowKind as Kind;
    matches!(
        kind,
        Kind::ApplicationCreation
            | Kind::SubscriptionCreation
            | Kind::SubscriptionUpdate
            | Kind::ProductionRegistration
            | Kind::SandboxRegistration
    )
}

fn kind(element: &str) -> Option<WorkflowKind> {
    Some(match element {
        "ApplicationCreation" => WorkflowKind::ApplicationCreation,
        "ApplicationDeletion" => WorkflowKind::ApplicationDeletion,
        "SubscriptionCreation" => WorkflowKind::SubscriptionCreation,
        "SubscriptionUpdate" => WorkflowKind::SubscriptionUpdate,
        "SubscriptionDeletion" => WorkflowKind::SubscriptionDeletion,
        "ProductionApplicationRegistration" => WorkflowKind::ProductionRegistration,
        "SandboxApplicationRegistration" => WorkflowKind::SandboxRegistration,
        "UserSignUp" => WorkflowKind::UserSignUp,
        "APIStateChange" => WorkflowKind::ApiState,
        _ => return None,
    })
}

fn properties(element: &Element) -> (Value, Option<String>) {
    let mut plain = Map::new();
    let mut secret = None;
    for property in element.children_named("Property") {
        let name = property.attribute("name").unwrap_or_default();
        let lower = name.to_ascii_lowercase();
        if lower.contains("password") || lower.contains("secret") {
            secret = Some(property.text.trim().to_owned()).filter(|s| !s.is_empty());
        } else {
            plain.insert(name.to_owned(), Value::from(property.text.trim()));
        }
    }
    (Value::Object(plain), secret)
}
