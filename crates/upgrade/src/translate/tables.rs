//! What becomes of tables no noun takes rows from one by one.

/// The fate of a whole table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// A noun accounts for its rows.
    ByRow,
    /// Holds something this version does not carry.
    NotYet(&'static str),
    /// Nothing an upgrade needs.
    NotNeeded(&'static str),
    /// Read as a whole by the noun it belongs to.
    Merged,
}

/// Tables accounted for row by row.
const BY_ROW: &[&str] = &[
    "UM_TENANT",
    "UM_USER",
    "UM_USER_ATTRIBUTE",
    "UM_ROLE",
    "UM_USER_ROLE",
    "UM_SHARED_USER_ROLE",
    "UM_HYBRID_ROLE",
    "UM_HYBRID_USER_ROLE",
    "UM_PERMISSION",
    "UM_ROLE_PERMISSION",
    "UM_USER_PERMISSION",
    "UM_DIALECT",
    "UM_CLAIM",
    "AM_API",
    "AM_API_URL_MAPPING",
    "AM_API_LC_EVENT",
    "AM_API_SCOPES",
    "AM_API_DEFAULT_VERSION",
    "AM_API_COMMENTS",
    "AM_API_RATINGS",
    "AM_SUBSCRIBER",
    "AM_APPLICATION",
    "AM_APPLICATION_ATTRIBUTES",
    "AM_APPLICATION_GROUP_MAPPING",
    "AM_APPLICATION_KEY_MAPPING",
    "AM_APPLICATION_REGISTRATION",
    "AM_APP_KEY_DOMAIN_MAPPING",
    "AM_SUBSCRIPTION",
    "AM_TIER_PERMISSIONS",
    "AM_THROTTLE_TIER_PERMISSIONS",
    "AM_POLICY_SUBSCRIPTION",
    "AM_POLICY_APPLICATION",
    "AM_API_THROTTLE_POLICY",
    "AM_BLOCK_CONDITIONS",
    "AM_POLICY_GLOBAL",
    "AM_WORKFLOWS",
    "IDN_OAUTH_CONSUMER_APPS",
    "IDN_OAUTH2_SCOPE",
    "IDN_OAUTH2_SCOPE_BINDING",
    "IDN_OAUTH2_RESOURCE_SCOPE",
    "IDN_IDENTITY_USER_DATA",
    "SP_INBOUND_AUTH",
];

/// Whether all rows of a table, in whatever case, count as part of other records.
pub(crate) fn is_merged_whole(table: &str) -> bool {
    matches!(fate(&table.to_ascii_uppercase()), Fate::Merged)
}

/// The fate of an upper-case table.
pub(super) fn fate(table: &str) -> Fate {
    use Fate::{ByRow, Merged, NotNeeded, NotYet};
    if BY_ROW.contains(&table) || crate::old::kept::keeps(table) {
        return ByRow;
    }
    match table {
        "AM_SUBSCRIPTION_KEY_MAPPING" => NotYet("tokens of single subscriptions, as made before 1.4"),
        "AM_POLICY_HARD_THROTTLING" => NotYet("hard throttling rules"),
        "AM_CONDITION_GROUP"
        | "AM_QUERY_PARAMETER_CONDITION"
        | "AM_HEADER_FIELD_CONDITION"
        | "AM_JWT_CLAIM_CONDITION"
        | "AM_IP_CONDITION"
        | "UM_DOMAIN" => Merged,
        "UM_PROFILE_CONFIG" => NotNeeded("which profile shows which claim, which nothing asks for"),
        "UM_SYSTEM_USER" | "UM_SYSTEM_ROLE" | "UM_SYSTEM_USER_ROLE" => NotNeeded("the old product's own accounts"),
        "IDN_OAUTH2_AUTHORIZATION_CODE" | "IDN_OAUTH2_AUTHZ_CODE_SCOPE" => NotNeeded("authorization codes live for minutes"),
        "REG_LOG" => NotNeeded("audit log"),
        _ if table.starts_with("REG_") => NotNeeded("the registry's own bookkeeping; what it holds is counted by noun"),
        _ if table.starts_with("AM_ALERT") => NotYet("alert settings"),
        _ if table.starts_with("AM_") => NotYet("not known to this version of the upgrade"),
        _ if table.starts_with("IDN_CLAIM") => NotYet("claims"),
        _ if table.starts_with("IDN_OAUTH2_ACCESS_TOKEN") && table.ends_with("_AUDIT") => NotNeeded("history of tokens"),
        _ if table.starts_with("IDN_OAUTH2_ACCESS_TOKEN") && table.contains("SCOPE") => Merged,
        _ if table.starts_with("IDN_OAUTH2_ACCESS_TOKEN") => ByRow,
        _ if table.starts_with("IDN_OAUTH1") => NotNeeded("OAuth 1, which API Manager did not use"),
        _ if table.starts_with("IDN_OIDC") => NotYet("OpenID Connect scopes and claims"),
        _ if table.starts_with("IDN_") => NotNeeded("sessions and settings of the old identity server"),
        _ if table.starts_with("SP_") => NotYet("service providers; their OAuth clients are carried"),
        _ if table.starts_with("IDP") => NotYet("identity providers"),
        _ if table.starts_with("UM_") => NotNeeded("bookkeeping of the old user management"),
        _ => NotNeeded("no table of API Manager"),
    }
}
