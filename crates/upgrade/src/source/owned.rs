//! Whose a row is: the column of each table that says which tenant it belongs to, itself or through what it hangs on.

use super::{Owner, Row, Table};

/// What the column names, through which the tenant is found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Whose {
    /// The tenant, by number; NULL is the super tenant.
    Tenant,
    /// The tenant, by domain; NULL is the super tenant.
    Domain,
    /// A user, whose name ends in his tenant's domain unless that is the super tenant.
    User,
    /// An API by its number.
    Api,
    /// A subscriber by its number.
    Subscriber,
    /// An application by its number.
    Application,
    /// An application by one of its consumer keys, which may be cipher text.
    Client,
    /// A scope by its number.
    Scope,
    /// An advanced policy by its number.
    Policy,
    /// A condition group by its number.
    Group,
}

/// Tables whose rows say it otherwise than by a column with the tenant's number.
const THROUGH: &[(&str, &str, Whose)] = &[
    ("AM_API", "API_PROVIDER", Whose::User),
    ("AM_API_DEFAULT_VERSION", "API_PROVIDER", Whose::User),
    ("AM_API_URL_MAPPING", "API_ID", Whose::Api),
    ("AM_API_LC_EVENT", "API_ID", Whose::Api),
    ("AM_API_SCOPES", "API_ID", Whose::Api),
    ("AM_API_COMMENTS", "API_ID", Whose::Api),
    ("AM_API_RATINGS", "API_ID", Whose::Api),
    ("AM_EXTERNAL_STORES", "API_ID", Whose::Api),
    ("AM_APPLICATION", "SUBSCRIBER_ID", Whose::Subscriber),
    ("AM_APPLICATION_ATTRIBUTES", "APPLICATION_ID", Whose::Application),
    ("AM_APPLICATION_GROUP_MAPPING", "APPLICATION_ID", Whose::Application),
    ("AM_APPLICATION_KEY_MAPPING", "APPLICATION_ID", Whose::Application),
    ("AM_APPLICATION_REGISTRATION", "APP_ID", Whose::Application),
    ("AM_APP_KEY_DOMAIN_MAPPING", "CONSUMER_KEY", Whose::Client),
    ("AM_SUBSCRIPTION", "APPLICATION_ID", Whose::Application),
    ("AM_BLOCK_CONDITIONS", "DOMAIN", Whose::Domain),
    ("AM_LABELS", "TENANT_DOMAIN", Whose::Domain),
    ("AM_CONDITION_GROUP", "POLICY_ID", Whose::Policy),
    ("AM_QUERY_PARAMETER_CONDITION", "CONDITION_GROUP_ID", Whose::Group),
    ("AM_HEADER_FIELD_CONDITION", "CONDITION_GROUP_ID", Whose::Group),
    ("AM_JWT_CLAIM_CONDITION", "CONDITION_GROUP_ID", Whose::Group),
    ("AM_IP_CONDITION", "CONDITION_GROUP_ID", Whose::Group),
    ("IDN_OAUTH2_RESOURCE_SCOPE", "SCOPE_ID", Whose::Scope),
    ("IDN_OAUTH2_SCOPE_BINDING", "SCOPE_ID", Whose::Scope),
    ("UM_TENANT", "UM_ID", Whose::Tenant),
    ("UM_SHARED_USER_ROLE", "UM_ROLE_TENANT_ID", Whose::Tenant),
];

/// Columns that hold the tenant's number wherever they stand.
const NUMBERS: [&str; 3] = ["TENANT_ID", "UM_TENANT_ID", "REG_TENANT_ID"];

/// Tables that are not counted by tenant: their rows are many or heavy, and none of them is carried by itself.
const UNCOUNTED: [&str; 3] = ["REG_CONTENT", "REG_CONTENT_HISTORY", "REG_LOG"];

/// The column that says whose a table's rows are; `None` where none does, so that they are the installation's.
pub fn whose(table: &Table) -> Option<(&'static str, Whose)> {
    let name = table.name.to_ascii_uppercase();
    if UNCOUNTED.contains(&name.as_str()) {
        return None;
    }
    let through = THROUGH.iter().find(|(of, ..)| *of == name).map(|(_, column, whose)| (*column, *whose));
    let direct = || NUMBERS.into_iter().find(|column| table.has(column)).map(|column| (column, Whose::Tenant));
    // To 1.9 only the user's name tells whose a token is.
    let token = || (table.has("ACCESS_TOKEN") && table.has("AUTHZ_USER")).then_some(("AUTHZ_USER", Whose::User));
    through.filter(|(column, _)| table.has(column)).or_else(direct).or_else(token)
}

/// Whose a row is, as it says itself.
pub(super) fn owner_of(row: &Row) -> Option<Owner> {
    let (column, whose) = whose(row.table())?;
    let cell = row.value(column).and_then(|cell| cell.text().ok().flatten());
    Some(Owner { whose, cell })
}
