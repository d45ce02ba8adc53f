//! Refusals of 2.x that have no home here: block conditions, and custom rules in the old engine's query language.
//!
//! Nothing of them is carried, so each that was in force is told by name: whom it kept out gets in from now on.

use super::super::{About, Desk, said};

const BLOCKED: &str =
    "It was blocked in the old system and will get in: block conditions are not carried. Keep it out by other means first.";
const RULED: &str = "The rule is not carried: calls it held back will get through. Put a limit of your own in its place first.";

/// Tells every refusal that was in force.
pub(super) fn tell(desk: &mut Desk<'_>) {
    let old = desk.old;
    // The old gateway looked at the table from 2.0 on whatever ruled the tiers. A flag that says nothing counts as set.
    for row in old.block_conditions.iter().filter(|b| b.enabled != Some(false)) {
        let what = said(row.value.as_deref()).unwrap_or("that names nobody");
        let whose = said(row.domain.as_deref()).map(|d| format!(" of {d}")).unwrap_or_default();
        desk.warn(
            About::Limit,
            BLOCKED,
            format!("AM_BLOCK_CONDITIONS {}", row.id),
            format!("{} {what}{whose} was blocked", row.kind.trim()),
        );
    }
    for row in old.policies.global.iter().filter(|g| g.deployed != Some(false)) {
        let key = said(row.key_template.as_deref()).map(|k| format!(", by {k}")).unwrap_or_default();
        desk.warn(
            About::Limit,
            RULED,
            format!("AM_POLICY_GLOBAL {}", row.id),
            format!("the custom rule {} of tenant {}{key}", row.name, row.tenant_id),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::super::bare;
    use super::*;
    use crate::old::limits::{BlockCondition, GlobalPolicy};
    use crate::translate::Severity;

    #[test]
    fn each_refusal_in_force_is_told_by_name() {
        let block = |id, value: &str, enabled| BlockCondition {
            id,
            kind: "USER".into(),
            value: Some(value.into()),
            enabled,
            domain: Some("carbon.super".into()),
            uuid: None,
        };
        let rule = |id, name: &str, deployed| GlobalPolicy {
            id,
            name: name.into(),
            key_template: Some("$userId".into()),
            tenant_id: -1234,
            description: None,
            query: None,
            deployed,
            uuid: None,
        };
        let mut old = bare::installation();
        old.block_conditions = vec![block(1, "mallory", Some(true)), block(2, "pardoned", Some(false)), block(3, "eve", None)];
        old.policies.global = vec![rule(4, "night", Some(true)), rule(5, "draft", Some(false))];
        let findings = bare::with_desk(&old, tell).findings;
        assert!(findings.iter().all(|f| f.severity == Severity::Warning && f.about == About::Limit));
        let told: Vec<&str> = findings.iter().map(|f| f.words.as_str()).collect();
        assert_eq!(
            told,
            [
                "USER mallory of carbon.super was blocked",
                "USER eve of carbon.super was blocked",
                "the custom rule night of tenant -1234, by $userId"
            ]
        );
    }
}
