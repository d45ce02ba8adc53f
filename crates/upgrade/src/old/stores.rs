//! User stores as the old installation defines them: the primary one in user-mgt.xml and in tenants' realms, secondary ones in files of their own.
//! Passwords that its key encrypted are opened here, as tokens are.

use std::collections::BTreeMap;

use model::Secret;

use super::people::{SUPER_TENANT_ID, Tenant};
use crate::source::Element;
use crate::source::files::{Datasource, Home};
use crate::source::keystore::OldKey;

/// A property that holds a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    /// In clear.
    Known(Secret<String>),
    /// It cannot be read, and why.
    Closed(&'static str),
}

/// A store's definition.
#[derive(Debug, Clone)]
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

impl OldUserStore {
    /// A property that is not blank, trimmed.
    pub fn property(&self, name: &str) -> Option<&str> {
        self.properties.iter().find(|(n, _)| n == name).map(|(_, value)| value.trim()).filter(|value| !value.is_empty())
    }
}

/// Whether anything in the folder is encrypted, so that its key is wanted.
pub fn wants_key(home: &Home) -> bool {
    let is_hidden = |e: &Element| {
        e.descendants().iter().any(|p| p.attribute("secretAlias").is_some() || p.attribute("encrypted").is_some_and(|t| t == "true"))
    };
    home.user_stores.iter().any(|file| is_hidden(&file.definition)) || home.document("user-mgt.xml").is_some_and(is_hidden)
}

/// Reads all definitions, the primary ones first, secondary ones in the order of their files.
pub fn read(home: Option<&Home>, tenants: &[Tenant], key: Option<&OldKey>) -> Vec<OldUserStore> {
    let Some(home) = home else { return Vec::new() };
    let opener = Opener { key, aliases: home.cipher_texts(), supplied: home, datasources: &home.datasources };
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
    /// What the vault's file holds, by alias.
    aliases: BTreeMap<String, String>,
    supplied: &'a Home,
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
                if let Some(alias) = aliases.iter().find(|alias| self.aliases.contains_key(*alias)) {
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
        if let Some(secret) = self.supplied.supplied(alias) {
            return Hidden::Known(secret.clone());
        }
        match self.aliases.get(alias) {
            Some(text) => self.opened(text),
            None => Hidden::Closed("it is an alias into the secure vault, which does not hold it"),
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
