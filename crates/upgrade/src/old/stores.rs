//! User stores as the old installation defines them: the primary one in user-mgt.xml and in tenants' realms, secondary ones in files of their own.
//! Passwords that its key encrypted are opened here, as tokens are.

use model::Secret;

use super::people::{SUPER_TENANT_ID, Tenant};
use crate::source::Element;
use crate::source::files::{Datasource, Home};
use crate::source::keystore::OldKey;
use crate::source::location::shown_url;

/// A property that holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    /// In clear.
    Known(Secret<String>),
    /// It cannot be read, and why.
    Closed(&'static str),
}

/// A store's definition. Shows itself with addresses that hold no password.
#[derive(Clone)]
pub struct OldUserStore {
    /// -1234 for the super tenant.
    pub tenant_id: i64,
    /// File, or table and row.
    pub origin: String,
    /// It is the tenant's primary one.
    pub is_primary: bool,
    /// Java class.
    pub class: String,
    /// Properties in order, those that hold passwords left out.
    pub properties: Vec<(String, String)>,
    /// Those.
    pub hidden: Vec<(String, Hidden)>,
}

impl std::fmt::Debug for OldUserStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "OldUserStore({} of {}: {})", self.class, self.origin, self.shown())
    }
}

impl OldUserStore {
    /// All properties, passwords masked, for who has to build something in its place.
    pub fn shown(&self) -> String {
        let is_address = |name: &str, value: &str| name.to_ascii_lowercase().contains("url") || value.contains("://");
        let value = |name: &str, value: &str| if is_address(name, value) { shown_url(value) } else { value.to_owned() };
        let clear = self.properties.iter().map(|(name, text)| format!("{name}={}", value(name, text)));
        let hidden = self.hidden.iter().map(|(name, _)| format!("{name}=***"));
        clear.chain(hidden).collect::<Vec<_>>().join(", ")
    }

    /// A property that is not blank, trimmed.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Reads all definitions, the primary ones first, secondary ones in the order of their files.
pub fn read(home: Option<&Home>, tenants: &[Tenant], key: Option<&OldKey>) -> Vec<OldUserStore> {
    let Some(home) = home else { return Vec::new() };
    let opener = Opener { key, vault: home, datasources: &home.datasources };
    let mut found = Vec::new();
    let site = home.document("user-mgt.xml").and_then(|root| root.at(&["Realm", "UserStoreManager"]));
    if let Some(element) = site {
        found.push(opener.definition(SUPER_TENANT_ID, "user-mgt.xml".to_owned(), true, element));
    }
    for tenant in tenants {
        let own = tenant.realm().ok().flatten().and_then(|realm| realm.user_store).filter(|e| e.attribute("class").is_some());
        if let Some(element) = own.as_ref().or(site) {
            found.push(opener.definition(tenant.id, format!("UM_TENANT {}", tenant.id), true, element));
        }
    }
    for file in &home.user_stores {
        let folder = match file.tenant_id {
            SUPER_TENANT_ID => "repository/deployment/server/userstores".to_owned(),
            tenant => format!("repository/tenants/{tenant}/userstores"),
        };
        let origin = format!("{folder}/{}.xml", file.file.trim_end_matches(".xml"));
        found.push(opener.definition(file.tenant_id, origin, false, &file.definition));
    }
    found
}

struct Opener<'a> {
    key: Option<&'a OldKey>,
    vault: &'a Home,
    datasources: &'a [Datasource],
}

impl Opener<'_> {
    fn definition(&self, tenant_id: i64, origin: String, is_primary: bool, element: &Element) -> OldUserStore {
        let mut properties: Vec<(String, String)> = Vec::new();
        let mut hidden: Vec<(String, Hidden)> = Vec::new();
        for property in element.children_named("Property") {
            let Some(name) = property.attribute("name").map(str::trim).filter(|name| !name.is_empty()) else { continue };
            let is_encrypted = property.attribute("encrypted").is_some_and(|t| t.eq_ignore_ascii_case("true"));
            let alias = property.attribute("secretAlias").or_else(|| property.text.trim().strip_prefix("secretAlias:"));
            if is_encrypted || alias.is_some() || is_secret(name) {
                let found = match alias {
                    Some(alias) => self.aliased(alias.trim()),
                    None if is_encrypted => self.opened(property.text.trim()),
                    None => Hidden::Known(Secret::new(property.text.trim().to_owned())),
                };
                hidden.push((name.to_owned(), found));
            } else {
                properties.push((name.to_owned(), property.text.trim().to_owned()));
            }
        }
        for name in ["ConnectionPassword", "password"] {
            // Without an attribute, the vault is looked into under a name made of the property's.
            let blank = |h: &Hidden| matches!(h, Hidden::Known(secret) if secret.expose().is_empty() || secret.expose() == "password");
            let place = hidden.iter_mut().find(|(n, _)| n == name);
            if let Some((_, value)) = place.filter(|(_, value)| blank(value)) {
                let aliases = ["UserStoreManager.Property.", "UserManager.Configuration.Property."].map(|start| format!("{start}{name}"));
                if let Some(alias) = aliases.iter().find(|alias| self.vault.vault_has(alias)) {
                    *value = self.aliased(alias);
                }
            }
        }
        self.resolve_datasource(&mut properties, &mut hidden);
        let class = element.attribute("class").unwrap_or_default().trim().to_owned();
        OldUserStore { tenant_id, origin, is_primary, class, properties, hidden }
    }

    fn opened(&self, text: &str) -> Hidden {
        let Some(key) = self.key else { return Hidden::Closed("it is encrypted, and the old key is not at hand") };
        key.open(text).map_or(Hidden::Closed("it is encrypted, but not with the old key"), |clear| Hidden::Known(Secret::new(clear)))
    }

    fn aliased(&self, alias: &str) -> Hidden {
        match self.vault.supplied(alias) {
            Some(secret) => Hidden::Known(secret.clone()),
            None if !self.vault.vault_has(alias) => Hidden::Closed("it is an alias into the secure vault, which does not hold it"),
            None if self.key.is_none() => Hidden::Closed("it is encrypted, and the old key is not at hand"),
            None => Hidden::Closed("it is encrypted, but not with the old key"),
        }
    }

    /// A database may be named by its datasource instead of by address, name and password.
    fn resolve_datasource(&self, properties: &mut Vec<(String, String)>, hidden: &mut Vec<(String, Hidden)>) {
        if properties.iter().any(|(name, value)| name == "url" && !value.is_empty()) {
            return;
        }
        let named = properties.iter().find(|(name, _)| name == "dataSource").map(|(_, value)| value.trim());
        let Some(source) = named.and_then(|name| self.datasources.iter().find(|d| d.jndi == name || d.name == name)) else { return };
        properties.push(("url".to_owned(), source.url.clone()));
        properties.push(("userName".to_owned(), source.user.clone().unwrap_or_default()));
        hidden.retain(|(name, _)| name != "password");
        let password = match (&source.secret_alias, &source.password) {
            (Some(alias), _) => Some(self.aliased(alias)),
            (None, Some(password)) => Some(Hidden::Known(password.clone())),
            (None, None) => None,
        };
        hidden.extend(password.map(|password| ("password".to_owned(), password)));
    }
}

/// Whether a property holds a password itself, rather than a rule about passwords.
fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    name == "password" || name.ends_with("connectionpassword") || name.ends_with("secret") || name.ends_with("keystorepassword")
}
