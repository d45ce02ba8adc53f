//! Whether conditions of advanced policies were looked at: the old gateway had a switch for each kind but addresses, all off unless set.

use super::super::{About, Desk};

/// A kind of condition: how many rows, its old switch, what that says, and what follows from on, off and not known.
struct Kind {
    table: &'static str,
    rows: usize,
    switch: &'static str,
    was: Option<bool>,
    on: &'static str,
    off: &'static str,
    unknown: &'static str,
}

/// Tells of every kind that any policy uses.
pub(super) fn tell(desk: &mut Desk<'_>) {
    let policies = &desk.old.policies;
    let settings = desk.input.settings;
    let kinds = [
        Kind {
            table: "AM_HEADER_FIELD_CONDITION",
            rows: policies.header_conditions.len(),
            switch: "EnableHeaderConditions",
            was: settings.map(|s| s.header_conditions.unwrap_or(false)),
            on: "They limited calls: set gateway.header_conditions = true on every gateway before it takes traffic, or they limit nothing here.",
            off: "They limited nothing, and do not here unless gateway.header_conditions = true is set.",
            unknown: "If api-manager.xml switched them on, set gateway.header_conditions = true on every gateway before it takes traffic.",
        },
        Kind {
            table: "AM_QUERY_PARAMETER_CONDITION",
            rows: policies.query_conditions.len(),
            switch: "EnableQueryParamConditions",
            was: settings.map(|s| s.query_conditions.unwrap_or(false)),
            on: "They limited calls: set gateway.query_conditions = true on every gateway before it takes traffic, or they limit nothing here.",
            off: "They limited nothing, and do not here unless gateway.query_conditions = true is set.",
            unknown: "If api-manager.xml switched them on, set gateway.query_conditions = true on every gateway before it takes traffic.",
        },
        Kind {
            table: "AM_JWT_CLAIM_CONDITION",
            rows: policies.claim_conditions.len(),
            switch: "EnableJWTClaimConditions",
            was: settings.map(|s| s.claim_conditions.unwrap_or(false)),
            on: "They limited calls: set gateway.claim_conditions = true on every gateway before it takes traffic, or they limit nothing here. \
                 Here they look at the claims of the caller's own token, there at those of the token for backends.",
            off: "They limited nothing, and do not here unless gateway.claim_conditions = true is set.",
            unknown: "If api-manager.xml switched them on, set gateway.claim_conditions = true on every gateway before it takes traffic.",
        },
    ];
    for kind in kinds.into_iter().filter(|kind| kind.rows > 0) {
        let words = |state: &str| format!("{} conditions of advanced policies; {} was {state}", kind.rows, kind.switch);
        match kind.was {
            Some(true) => desk.warn(About::Limit, kind.on, kind.table, words("true")),
            Some(false) => desk.note(About::Limit, kind.off, kind.table, words("false or not set")),
            None => desk.warn(About::Limit, kind.unknown, kind.table, words("not read: no configuration files were given")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::bare;
    use super::*;
    use crate::old::limits::{ClaimCondition, HeaderCondition};
    use crate::source::files::Settings;
    use crate::translate::Severity;

    #[test]
    fn each_kind_in_use_is_told_by_what_its_switch_said() {
        let mut old = bare::installation();
        old.policies.header_conditions =
            vec![HeaderCondition { group_id: 1, name: Some("X-Kind".to_owned()), value: Some("gold".to_owned()), matches: None }];
        old.policies.claim_conditions =
            vec![ClaimCondition { group_id: 1, claim: Some("sub".to_owned()), value: Some("ann".to_owned()), matches: None }];
        let told = |findings: Vec<crate::translate::Finding>| {
            findings.into_iter().map(|f| (f.severity, f.words, f.consequence)).collect::<Vec<_>>()
        };
        let settings = Settings { header_conditions: Some(true), ..Settings::default() };
        let found = told(bare::with_settings(&old, &settings, tell).findings);
        let [(Severity::Warning, header, on), (Severity::Note, claim, off)] = &found[..] else { panic!("{found:?}") };
        assert!(header.ends_with("EnableHeaderConditions was true") && on.contains("set gateway.header_conditions = true"));
        assert!(claim.contains("EnableJWTClaimConditions was false or not set") && off.starts_with("They limited nothing"));
        let unknown = told(bare::with_desk(&old, tell).findings);
        assert!(unknown.iter().all(|(severity, words, _)| *severity == Severity::Warning && words.contains("not read")), "{unknown:?}");
    }
}
