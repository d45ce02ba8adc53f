//! Rules that a site wrote in the old engine's query language. Kept letter by letter; what can be enforced is, and an operator must know of
//! what cannot.

use std::sync::Arc;

use model::{CustomRule, PolicyId, TenantId};
use traffic::{Matcher, Rule};

use super::{About, Carried, Desk, decoded, said};

const TABLE: &str = "AM_POLICY_GLOBAL";

/// Most bytes an expression may take once compiled, as the gateway bounds it.
const EXPRESSION_MAX_BYTES: usize = 1 << 20;

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
        tell(desk, &rule, origin);
        desk.ledger.imported((TABLE, old.tenant_id));
        done.push(Carried { key: old.id.to_string(), value: rule });
    }
    done
}

/// What the rule comes to here.
fn tell(desk: &mut Desk<'_>, rule: &CustomRule, origin: String) {
    let words = format!("calls are limited by a rule of the site's own, counted by {}", rule.key_template);
    if !rule.deployed {
        desk.note(About::Limit, "It was not in force, and is not here: it is kept and listed.", origin, words);
        return;
    }
    let fault = match rule.tenant == TenantId::SUPER {
        true => Rule::compile(&rule.key_template, &rule.query, &compile).err().map(|fault| fault.to_string()),
        false => Some("only the super tenant's rules are enforced".to_owned()),
    };
    match fault {
        None => desk.note(
            About::Limit,
            "In force here, in windows that begin at whole multiples of their length since 1970 and counted by each gateway.",
            origin,
            words,
        ),
        Some(fault) => desk.warn(
            About::Limit,
            "Kept letter by letter and NOT in force: nothing is limited by it here. Write it anew in the admin interface, or say it with \
             advanced policies, where calls must stay limited.",
            origin,
            format!("{words}, and cannot be enforced: {fault}"),
        ),
    }
}

fn compile(expression: &str) -> Result<Arc<dyn Matcher>, String> {
    let compiled = regex::RegexBuilder::new(expression).size_limit(EXPRESSION_MAX_BYTES).build().map_err(|fault| fault.to_string())?;
    Ok(Arc::new(move |text: &str| compiled.is_match(text)))
}
