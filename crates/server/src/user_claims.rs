//! Claims of users for the gateway, which tells backends of them: attributes of the account, named by the tenant's dialect.
//!
//! An account of a user store elsewhere has the attributes that the store told when the user last signed in.

use db::Db;
use gateway::{ClaimsUnavailable, Finding, UserClaims};
use model::{EVERYONE, SettingKind, TenantId};
use serde_json::Value;
use users::{Account, Users};

/// The dialect that others are mapped to.
const LOCAL: &str = "http://wso2.org/claims";

/// Claims of the local dialect where a tenant brought none of its own, and the attributes they come from: those of old user stores, then
/// the names that accounts made here use.
const SHIPPED: [(&str, &[&str]); 17] = [
    ("addresses", &["localityAddress", "postalAddress"]),
    ("country", &["country"]),
    ("department", &["departmentNumber"]),
    ("displayName", &["displayName"]),
    ("dob", &["dateOfBirth"]),
    ("emailaddress", &["mail", "email"]),
    ("fullname", &["cn"]),
    ("gender", &["gender"]),
    ("givenname", &["givenName"]),
    ("im", &["im"]),
    ("lastname", &["sn", "lastname"]),
    ("mobile", &["mobile"]),
    ("nickname", &["nickName"]),
    ("organization", &["organizationName"]),
    ("telephone", &["telephoneNumber", "telephone"]),
    ("title", &["title"]),
    ("url", &["url"]),
];

/// Asks the accounts of this installation.
pub(crate) struct StoredClaims {
    pub(crate) db: Db,
    pub(crate) users: Users,
}

impl UserClaims for StoredClaims {
    fn of<'a>(&'a self, tenant: TenantId, user: &'a str, dialect: &'a str) -> Finding<'a> {
        Box::pin(async move { self.look_up(tenant, user, dialect).await.map_err(|fault| ClaimsUnavailable(Box::new(fault))) })
    }
}

impl StoredClaims {
    async fn look_up(&self, tenant: TenantId, user: &str, dialect: &str) -> Result<Vec<(String, String)>, db::Error> {
        let Some(account) = self.users.find(&self.users.parse_name(user).await?).await? else { return Ok(Vec::new()) };
        let mut tx = self.db.read().await?;
        // The user's own tenant says what the attributes mean; where it says nothing, the tenant of the application.
        let mut claims = None;
        for tenant in [account.tenant.id, tenant] {
            let found = db::tenant_settings::find(&mut tx, tenant, SettingKind::ClaimDialect, dialect).await?;
            if let Some(setting) = found {
                let local = db::tenant_settings::find(&mut tx, tenant, SettingKind::ClaimDialect, LOCAL).await?;
                claims = Some(mapped(&account, &setting.body, local.map(|local| local.body).as_ref()));
                break;
            }
        }
        tx.commit().await?;
        Ok(claims.unwrap_or_else(|| shipped(&account, dialect)))
    }
}

/// The roles, the user's own among the last, as one text.
fn roles(account: &Account) -> String {
    let (internal, own): (Vec<&str>, Vec<&str>) = account.roles.iter().map(String::as_str).partition(|role| role.starts_with("Internal/"));
    let everyone = internal.iter().filter(|role| **role == EVERYONE);
    let others = internal.iter().filter(|role| **role != EVERYONE);
    everyone.chain(others).chain(&own).copied().collect::<Vec<_>>().join(",")
}

fn attribute<'a>(account: &'a Account, name: &str) -> Option<&'a str> {
    let found = account.user.attributes.iter().find(|(known, _)| known == name);
    found.map(|(_, value)| value.as_str()).filter(|value| !value.is_empty())
}

/// By a dialect that the tenant brought: `{claims: {uri: {attributes: {store: attribute}, mappedTo}}}`.
fn mapped(account: &Account, dialect: &Value, local: Option<&Value>) -> Vec<(String, String)> {
    let all = dialect.get("claims").and_then(Value::as_object).into_iter().flatten();
    let of_body = |uri: &str, body: &Value| {
        if uri == format!("{LOCAL}/role") {
            return Some(roles(account));
        }
        let attributes = body.get("attributes")?.as_object()?;
        let own =
            attributes.get(&account.user.store).or_else(|| attributes.get(model::PRIMARY_STORE)).or_else(|| attributes.values().next());
        attribute(account, own?.as_str()?).or_else(|| attribute(account, uri)).map(str::to_owned)
    };
    all.filter_map(|(uri, body)| {
        let value = match body.get("mappedTo").and_then(Value::as_str) {
            Some(target) => local.and_then(|local| of_body(target, local.get("claims")?.get(target)?)),
            None => of_body(uri, body),
        };
        Some((uri.clone(), value?))
    })
    .collect()
}

/// By the local dialect as it is shipped; another dialect that nobody brought has no claims.
fn shipped(account: &Account, dialect: &str) -> Vec<(String, String)> {
    if dialect != LOCAL {
        return Vec::new();
    }
    let known = SHIPPED.iter().filter_map(|(claim, names)| {
        let uri = format!("{LOCAL}/{claim}");
        let value = names.iter().find_map(|name| attribute(account, name)).or_else(|| attribute(account, &uri))?.to_owned();
        Some((uri, value))
    });
    known.chain([(format!("{LOCAL}/role"), roles(account))]).collect()
}

#[cfg(test)]
mod tests {
    use model::{Tenant, Timestamp, User, UserId};
    use serde_json::json;

    use super::*;

    fn account(attributes: &[(&str, &str)]) -> Account {
        let user = User {
            id: UserId::derived(&["ann"]),
            tenant: TenantId::SUPER,
            store: "STAFF".to_owned(),
            name: "ann".to_owned(),
            password: None,
            roles: vec!["admin".to_owned(), "Internal/creator".to_owned()],
            attributes: attributes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
            locked: false,
            must_change_password: false,
            password_changed_at: Timestamp(0),
            created_at: Timestamp(0),
        };
        let roles = vec!["admin".to_owned(), "Internal/creator".to_owned(), EVERYONE.to_owned()];
        Account { user, tenant: Tenant::super_tenant(Timestamp(0)), roles }
    }

    fn pair(name: &str, value: &str) -> (String, String) {
        (name.to_owned(), value.to_owned())
    }

    #[test]
    fn the_shipped_dialect_names_attributes_and_roles() {
        let ann = account(&[("mail", "ann@example.org"), ("givenName", "Ann"), ("sn", ""), ("shoeSize", "40")]);
        assert_eq!(
            shipped(&ann, LOCAL),
            [
                pair("http://wso2.org/claims/emailaddress", "ann@example.org"),
                pair("http://wso2.org/claims/givenname", "Ann"),
                pair("http://wso2.org/claims/role", "Internal/everyone,Internal/creator,admin"),
            ]
        );
        assert_eq!(shipped(&ann, "urn:other"), []);
    }

    #[test]
    fn a_dialect_that_was_brought_counts_with_its_stores_and_mappings() {
        let ann = account(&[("mail", "wrong"), ("staffMail", "ann@example.org"), ("badge", "7")]);
        let local = json!({"claims": {
            "http://wso2.org/claims/emailaddress": {"attributes": {"PRIMARY": "mail", "STAFF": "staffMail"}},
            "http://wso2.org/claims/badge": {"attributes": {"PRIMARY": "badge"}},
            "http://wso2.org/claims/none": {"attributes": {}},
        }});
        assert_eq!(
            mapped(&ann, &local, Some(&local)),
            [pair("http://wso2.org/claims/emailaddress", "ann@example.org"), pair("http://wso2.org/claims/badge", "7")]
        );
        let own = json!({"claims": {"urn:mail": {"mappedTo": "http://wso2.org/claims/emailaddress"}, "urn:gone": {"mappedTo": "urn:x"}}});
        assert_eq!(mapped(&ann, &own, Some(&local)), [pair("urn:mail", "ann@example.org")]);
    }
}
