//! Which version a database belongs to, told by its schema: the tables and columns each release brought.
//!
//! A schema tells what the *database* was made or migrated to, not what every artifact in it looks like: a half-migrated site
//! is decided per artifact, elsewhere.

use super::SourceError;

/// A version `upgrade` takes over, as exactly as its schema tells.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Version {
    /// 1.8.0
    V1_8_0,
    /// 1.9.0
    V1_9_0,
    /// 1.9.1
    V1_9_1,
    /// 1.10.0
    V1_10_0,
    /// 2.0.0
    V2_0_0,
    /// 2.1.0
    V2_1_0,
    /// 2.2.0
    V2_2_0,
    /// 2.5.0
    V2_5_0,
    /// 2.6.0
    V2_6_0,
}

impl Version {
    /// As the product writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V1_8_0 => "1.8.0",
            Self::V1_9_0 => "1.9.0",
            Self::V1_9_1 => "1.9.1",
            Self::V1_10_0 => "1.10.0",
            Self::V2_0_0 => "2.0.0",
            Self::V2_1_0 => "2.1.0",
            Self::V2_2_0 => "2.2.0",
            Self::V2_5_0 => "2.5.0",
            Self::V2_6_0 => "2.6.0",
        }
    }

    /// Whether API contexts in the database carry the version already (from 1.9).
    pub fn context_has_version(self) -> bool {
        self >= Self::V1_9_0
    }

    /// Whether limits live in policy tables rather than only in tier files (from 2.0).
    pub fn has_policy_tables(self) -> bool {
        self >= Self::V2_0_0
    }
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Tells the version by asking which tables and columns exist. `has(table, None)` asks for a table, `has(table, Some(column))`
/// for a column of it. `what` names the sources in an error.
///
/// # Errors
///
/// [`SourceError::NotApiManager`] without `AM_API`, [`SourceError::AssessOnly`] for 3.0 to 4.0, [`SourceError::TooNew`] for what came after.
pub fn detect(what: &str, has: impl Fn(&str, Option<&str>) -> bool) -> Result<Version, SourceError> {
    let table = |name| has(name, None);
    let column = |table, name| has(table, Some(name));
    if let Some((_, found)) = NEWER.iter().find(|((t, c), _)| has(t, *c)) {
        return Err(SourceError::TooNew { found: (*found).to_owned() });
    }
    if let Some((_, found)) = ASSESSED.iter().find(|((t, c), _)| has(t, *c)) {
        return Err(SourceError::AssessOnly { found: (*found).to_owned() });
    }
    if !table("AM_API") {
        return Err(SourceError::NotApiManager { what: what.to_owned() });
    }
    Ok(if !column("AM_API", "CONTEXT_TEMPLATE") {
        Version::V1_8_0
    } else if column("AM_API", "API_TIER") {
        if table("IDN_AUTH_WAIT_STATUS") || table("SP_TEMPLATE") {
            Version::V2_6_0
        } else if column("AM_APPLICATION", "TOKEN_TYPE") {
            Version::V2_5_0
        } else if table("AM_LABELS") || table("AM_APPLICATION_GROUP_MAPPING") {
            Version::V2_2_0
        } else if column("IDN_OAUTH_CONSUMER_APPS", "APP_STATE") || table("IDN_CLAIM") {
            Version::V2_1_0
        } else {
            Version::V2_0_0
        }
    } else if column("AM_APPLICATION", "UUID") && column("IDN_OAUTH_CONSUMER_APPS", "ID") {
        Version::V1_10_0
    } else if table("IDN_AUTH_SESSION_STORE") {
        Version::V1_9_1
    } else {
        Version::V1_9_0
    })
}

type Mark = (&'static str, Option<&'static str>);

/// What only releases after 4.0 have, newest first, and what to call them.
const NEWER: &[(Mark, &str)] = &[
    (("GOV_RULESET", None), "4.5 or later"),
    (("GOV_POLICY", None), "4.5 or later"),
    (("AM_LLM_PROVIDER", None), "4.4 or later"),
    (("AM_API_POLICY_MAPPING", None), "4.3 or later"),
    (("AM_API_ENVIRONMENT_KEYS", None), "4.2 or later"),
    (("AM_OPERATION_POLICY", None), "4.1 or later"),
];

/// What only 3.0 to 4.0 have, newest first. They are looked at, not taken over.
const ASSESSED: &[(Mark, &str)] = &[
    (("AM_REVISION", None), "4.0"),
    (("AM_SERVICE_CATALOG", None), "4.0"),
    (("AM_KEY_MANAGER", None), "3.2"),
    (("AM_SCOPE", None), "3.2"),
    (("AM_API_CATEGORIES", None), "3.1"),
    (("AM_SECURITY_AUDIT_UUID_MAPPING", None), "3.1"),
    (("AM_API_PRODUCT_MAPPING", None), "3.0"),
    (("AM_API", Some("API_TYPE")), "3.0"),
    (("AM_NOTIFICATION_SUBSCRIBER", None), "3.0"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn detected(marks: &[&str]) -> Result<Version, String> {
        let has = |table: &str, column: Option<&str>| match column {
            Some(column) => marks.contains(&format!("{table}.{column}").as_str()),
            None => marks.iter().any(|m| m.split('.').next() == Some(table)),
        };
        detect("h2:x", has).map_err(|e| e.to_string())
    }

    #[test]
    fn each_step_is_told_by_what_it_brought() {
        let steps: &[(&str, Version)] = &[
            ("AM_API.CONTEXT", Version::V1_8_0),
            ("AM_API.CONTEXT_TEMPLATE", Version::V1_9_0),
            ("IDN_AUTH_SESSION_STORE.SESSION_ID", Version::V1_9_1),
            ("AM_APPLICATION.UUID", Version::V1_9_1),
            ("IDN_OAUTH_CONSUMER_APPS.ID", Version::V1_10_0),
            ("AM_API.API_TIER", Version::V2_0_0),
            ("IDN_OAUTH_CONSUMER_APPS.APP_STATE", Version::V2_1_0),
            ("AM_LABELS.NAME", Version::V2_2_0),
            ("AM_APPLICATION.TOKEN_TYPE", Version::V2_5_0),
            ("SP_TEMPLATE.ID", Version::V2_6_0),
        ];
        let mut marks = Vec::new();
        for (mark, version) in steps {
            marks.push(*mark);
            assert_eq!(detected(&marks), Ok(*version), "after {mark}");
        }
    }

    #[test]
    fn newer_and_foreign_databases_are_refused_by_name() {
        let error = detected(&["AM_API.API_TIER", "AM_REVISION.ID", "GOV_RULESET.ID"]).unwrap_err();
        assert_eq!(error, "this is an API Manager 4.5 or later database; `upgrade` takes over 1.8.0 to 2.6.0");
        for (mark, version) in [("AM_API.API_TYPE", "3.0"), ("AM_SCOPE.NAME", "3.2"), ("AM_REVISION.ID", "4.0")] {
            let error = detected(&["AM_API.API_TIER", mark]).unwrap_err();
            assert!(error.contains(&format!("API Manager {version} database; `upgrade assess` tells")), "{error}");
        }
        assert_eq!(detected(&["UM_USER.UM_ID"]).unwrap_err(), "h2:x holds no API Manager database: no table AM_API");
    }
}
