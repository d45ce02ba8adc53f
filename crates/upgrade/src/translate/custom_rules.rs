//! Rules that a site wrote in the old engine's query language. Kept letter by letter; they limit nothing here, and an operator must know it.

use model::{CustomRule, PolicyId};

use super::{About, Carried, Desk, decoded, said};

const TABLE: &str = "AM_POLICY_GLOBAL";

pub(super) fn translate(desk: &mut Desk<'_>) -> Vec<Carried<CustomRule>> {
    let mut done: Vec<Carried<CustomRule>> = Vec::new();
    for old in &desk.old.policies.global {
        let origin = format!("{TABLE} {} ({})", old.id, old.name);
        let Some(tenant) = desk.names.tenant(old.tenant_id) else {
            desk.ledger.skipped((TABLE, old.tenant_id), "its tenant is gone", 1);
            continue;
        };
        if done.iter().any(|d| d.value.tenant == tenant && d.value.name == old.name) {
            desk.ledger.failed((TABLE, old.tenant_id), "another rule has that name", 1);
            desk.warn(About::Limit, "The first of the two is kept.", origin, "two custom rules have one name");
            continue;
        }
        let template = said(old.key_template.as_deref()).unwrap_or_default();
        let words = format!("calls are limited by a rule of the site's own, counted by {template}");
        desk.warn(
            About::Limit,
            "Kept letter by letter and NOT in force: nothing is limited by it here. Say it with advanced policies where calls must stay limited.",
            origin,
            words,
        );
        let id = match old.uuid.as_deref().map(|text| text.trim().parse::<PolicyId>()) {
            Some(Ok(id)) => id,
            _ => PolicyId::derived(&[desk.input.source, "custom", &old.id.to_string()]),
        };
        let rule = CustomRule {
            id,
            tenant,
            name: old.name.clone(),
            description: said(old.description.as_deref()).map(str::to_owned),
            key_template: template.to_owned(),
            query: old.query.as_deref().map(decoded).unwrap_or_default(),
            deployed: old.deployed.unwrap_or(true),
        };
        desk.ledger.imported((TABLE, old.tenant_id));
        done.push(Carried { key: old.id.to_string(), value: rule });
    }
    done
}
