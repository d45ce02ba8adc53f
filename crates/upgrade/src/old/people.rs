//! Tenants, users, roles, permissions and claims, as UM_* holds them.

use chrono::NaiveDateTime;
use model::Secret;

use super::record::record;
use crate::source::{Element, XmlError, parse_xml};

/// The super tenant's id; it has no UM_TENANT row.
pub const SUPER_TENANT_ID: i64 = -1234;
/// The super tenant's domain.
pub const SUPER_TENANT_DOMAIN: &str = "carbon.super";

record! {
    /// A tenant beside the super tenant.
    Tenant from "UM_TENANT" {
        id: i64 = "UM_ID",
        domain: String = "UM_DOMAIN_NAME",
        email: Option<String> = "UM_EMAIL",
        /// NULL counts as active.
        active: Option<bool> = "UM_ACTIVE",
        created: Option<NaiveDateTime> = "UM_CREATED_DATE",
        /// Realm XML, see [`Tenant::realm`].
        realm_xml: Option<Secret<Vec<u8>>> = "UM_USER_CONFIG",
    }
}

impl Tenant {
    /// The tenant's own realm settings; `None` when it has none.
    ///
    /// # Errors
    ///
    /// When they are no XML.
    pub fn realm(&self) -> Result<Option<Realm>, XmlError> {
        let Some(xml) = &self.realm_xml else { return Ok(None) };
        let root = parse_xml(xml.expose())?;
        let configuration = root.descendants().into_iter().find(|e| e.name == "Configuration");
        let text = |path: &[&str]| configuration.and_then(|c| c.text_at(path)).map(str::to_owned);
        Ok(Some(Realm {
            admin_user: text(&["AdminUser", "UserName"]),
            admin_role: text(&["AdminRole"]),
            everyone_role: text(&["EveryOneRoleName"]),
            user_store: root.descendants().into_iter().find(|e| e.name == "UserStoreManager").cloned(),
        }))
    }
}

/// A tenant's realm settings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Realm {
    /// Administrator's user name.
    pub admin_user: Option<String>,
    /// Administrator's role.
    pub admin_role: Option<String>,
    /// The role everybody has.
    pub everyone_role: Option<String>,
    /// `UserStoreManager` with its properties.
    pub user_store: Option<Element>,
}

record! {
    /// A user store's number within a tenant.
    UserDomain from "UM_DOMAIN" {
        id: i64 = "UM_DOMAIN_ID",
        name: String = "UM_DOMAIN_NAME",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A user of the JDBC primary store.
    User from "UM_USER" {
        id: i64 = "UM_ID",
        name: String = "UM_USER_NAME",
        password: Option<Secret<String>> = "UM_USER_PASSWORD",
        salt: Option<Secret<String>> = "UM_SALT_VALUE",
        must_change: Option<bool> = "UM_REQUIRE_CHANGE",
        changed: Option<NaiveDateTime> = "UM_CHANGED_TIME",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A user's attribute, by attribute name, not claim.
    UserAttribute from "UM_USER_ATTRIBUTE" {
        user_id: i64 = "UM_USER_ID",
        name: String = "UM_ATTR_NAME",
        value: Option<Secret<String>> = "UM_ATTR_VALUE",
        profile: Option<String> = "UM_PROFILE_ID",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// Locks and security answers.
    IdentityUserData from "IDN_IDENTITY_USER_DATA" {
        tenant_id: Option<i64> = "TENANT_ID",
        user_name: String = "USER_NAME",
        key: String = "DATA_KEY",
        value: Option<Secret<String>> = "DATA_VALUE",
    }
}

record! {
    /// A role of the JDBC primary store.
    Role from "UM_ROLE" {
        id: i64 = "UM_ID",
        name: String = "UM_ROLE_NAME",
        tenant_id: i64 = "UM_TENANT_ID",
        shared: Option<bool> = "UM_SHARED_ROLE",
    }
}

record! {
    /// A user has a role of his own store.
    RoleAssignment from "UM_USER_ROLE" {
        role_id: i64 = "UM_ROLE_ID",
        user_id: i64 = "UM_USER_ID",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A user has a shared role, perhaps of another tenant.
    SharedRoleAssignment from "UM_SHARED_USER_ROLE" {
        role_id: i64 = "UM_ROLE_ID",
        user_id: i64 = "UM_USER_ID",
        user_tenant_id: i64 = "UM_USER_TENANT_ID",
        role_tenant_id: i64 = "UM_ROLE_TENANT_ID",
    }
}

record! {
    /// An internal role; its name carries no `Internal/`, but may carry `Application/`.
    HybridRole from "UM_HYBRID_ROLE" {
        id: i64 = "UM_ID",
        name: String = "UM_ROLE_NAME",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A user, by name and store, has an internal role.
    HybridAssignment from "UM_HYBRID_USER_ROLE" {
        user_name: String = "UM_USER_NAME",
        role_id: i64 = "UM_ROLE_ID",
        tenant_id: i64 = "UM_TENANT_ID",
        domain_id: Option<i64> = "UM_DOMAIN_ID",
    }
}

record! {
    /// Something that can be allowed: a UI path or a registry path with an action. Lower case as stored.
    Permission from "UM_PERMISSION" {
        id: i64 = "UM_ID",
        resource: String = "UM_RESOURCE_ID",
        action: String = "UM_ACTION",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A role is allowed or denied something.
    RolePermission from "UM_ROLE_PERMISSION" {
        permission_id: i64 = "UM_PERMISSION_ID",
        role: String = "UM_ROLE_NAME",
        allowed: Option<bool> = "UM_IS_ALLOWED",
        tenant_id: i64 = "UM_TENANT_ID",
        domain_id: Option<i64> = "UM_DOMAIN_ID",
    }
}

record! {
    /// A user is allowed or denied something by himself.
    UserPermission from "UM_USER_PERMISSION" {
        permission_id: i64 = "UM_PERMISSION_ID",
        user: String = "UM_USER_NAME",
        allowed: Option<bool> = "UM_IS_ALLOWED",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A claim dialect.
    Dialect from "UM_DIALECT" {
        id: i64 = "UM_ID",
        uri: String = "UM_DIALECT_URI",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}

record! {
    /// A claim of a dialect, mapped to an attribute.
    Claim from "UM_CLAIM" {
        dialect_id: i64 = "UM_DIALECT_ID",
        uri: String = "UM_CLAIM_URI",
        display_name: Option<String> = "UM_DISPLAY_TAG",
        description: Option<String> = "UM_DESCRIPTION",
        attribute_domain: Option<String> = "UM_MAPPED_ATTRIBUTE_DOMAIN",
        attribute: Option<String> = "UM_MAPPED_ATTRIBUTE",
        pattern: Option<String> = "UM_REG_EX",
        supported: Option<bool> = "UM_SUPPORTED",
        required: Option<bool> = "UM_REQUIRED",
        order: Option<i64> = "UM_DISPLAY_ORDER",
        read_only: Option<bool> = "UM_READ_ONLY",
        tenant_id: i64 = "UM_TENANT_ID",
    }
}
