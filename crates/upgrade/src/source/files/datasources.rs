//! Which database holds what, by the configuration files that decide it.

use std::collections::BTreeMap;

use model::Secret;

use crate::source::Element;
use crate::source::location::shown_url;

/// A datasource as defined.
#[derive(Clone)]
pub struct Datasource {
    /// Its own name.
    pub name: String,
    /// The name others use.
    pub jndi: String,
    /// JDBC address as written; some drivers take credentials there.
    pub url: String,
    /// Account.
    pub user: Option<String>,
    /// Password, when written in clear.
    pub password: Option<Secret<String>>,
    /// Password, when written as an alias into the vault.
    pub secret_alias: Option<String>,
}

impl std::fmt::Debug for Datasource {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Datasource({}, {})", self.jndi, shown_url(&self.url))
    }
}

/// A part of the registry's tree kept in another database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// As the product sees it.
    pub path: String,
    /// Inside the other database.
    pub target: String,
    /// The other database, by JNDI name.
    pub datasource: String,
}

#[derive(Default)]
pub(super) struct Found {
    pub(super) datasources: Vec<Datasource>,
    pub(super) api: Option<String>,
    pub(super) identity: Option<String>,
    pub(super) users: Option<String>,
    pub(super) registry: Option<String>,
    pub(super) mounts: Vec<Mount>,
}

/// What the product assumes when a file does not say.
const DEFAULT_API: &str = "jdbc/WSO2AM_DB";
const DEFAULT_CARBON: &str = "jdbc/WSO2CarbonDB";

pub(super) fn find(documents: &BTreeMap<String, Element>) -> Found {
    let mut found = Found::default();
    if let Some(root) = documents.get("master-datasources.xml") {
        found.datasources.extend(root.descendants().into_iter().filter(|e| e.name == "datasource").filter_map(datasource));
    }
    let defined = |found: &Found, name: &str| found.datasources.iter().any(|d| d.jndi == name);
    if let Some(root) = documents.get("api-manager.xml") {
        found.api = root.text_at(&["DataSourceName"]).map(str::to_owned);
        // Before datasources had names, the address stood here itself.
        if found.api.is_none()
            && let Some(inline) =
                root.child("Database").and_then(|d| inline(d, "api-manager.xml/Database", ["URL", "Username", "Password"]))
        {
            found.api = Some(inline.jndi.clone());
            found.datasources.push(inline);
        }
    }
    if found.api.is_none() && defined(&found, DEFAULT_API) {
        found.api = Some(DEFAULT_API.into());
    }
    found.identity = documents
        .get("identity.xml")
        .and_then(|root| root.text_at(&["JDBCPersistenceManager", "DataSource", "Name"]))
        .map(str::to_owned)
        .filter(|name| defined(&found, name))
        .or_else(|| found.api.clone());
    found.users = documents.get("user-mgt.xml").and_then(|root| {
        let properties = root.at(&["Realm", "Configuration"])?.children_named("Property");
        let property = properties.into_iter().find(|p| p.attribute("name") == Some("dataSource"))?;
        Some(property.text.trim().to_owned()).filter(|t| !t.is_empty())
    });
    if found.users.is_none() && defined(&found, DEFAULT_CARBON) {
        found.users = Some(DEFAULT_CARBON.into());
    }
    if let Some(root) = documents.get("registry.xml") {
        registry(root, &mut found);
    }
    if found.registry.is_none() && defined(&found, DEFAULT_CARBON) {
        found.registry = Some(DEFAULT_CARBON.into());
    }
    found
}

fn datasource(element: &Element) -> Option<Datasource> {
    let configuration = element.at(&["definition", "configuration"])?;
    let name = element.text_at(&["name"])?.to_owned();
    let jndi = element.text_at(&["jndiConfig", "name"]).unwrap_or(&name).to_owned();
    let mut found = inline(configuration, &name, ["url", "username", "password"])?;
    found.jndi = jndi;
    Some(found)
}

fn inline(element: &Element, name: &str, [url, user, password]: [&str; 3]) -> Option<Datasource> {
    Some(Datasource {
        name: name.to_owned(),
        jndi: name.to_owned(),
        url: element.text_at(&[url])?.to_owned(),
        user: element.text_at(&[user]).map(str::to_owned),
        password: element.text_at(&[password]).map(|p| Secret::new(p.to_owned())),
        secret_alias: element.child(password).and_then(|p| p.attribute("secretAlias")).map(str::to_owned),
    })
}

fn registry(root: &Element, found: &mut Found) {
    let mut by_config: BTreeMap<String, String> = BTreeMap::new();
    for config in root.children_named("dbConfig") {
        let Some(name) = config.attribute("name") else { continue };
        if let Some(datasource) = config.text_at(&["dataSource"]) {
            by_config.insert(name.to_owned(), datasource.to_owned());
        } else if let Some(direct) = inline(config, &format!("registry.xml/{name}"), ["url", "userName", "password"]) {
            by_config.insert(name.to_owned(), direct.jndi.clone());
            found.datasources.push(direct);
        }
    }
    let current = root.text_at(&["currentDBConfig"]).and_then(|name| by_config.get(name));
    found.registry = current.or_else(|| by_config.values().next().filter(|_| by_config.len() == 1)).cloned();
    let mut instances: BTreeMap<&str, &String> = BTreeMap::new();
    for instance in root.children_named("remoteInstance") {
        if let (Some(id), Some(config)) = (instance.text_at(&["id"]), instance.text_at(&["dbConfig"]))
            && let Some(datasource) = by_config.get(config)
        {
            instances.insert(id, datasource);
        }
    }
    for mount in root.children_named("mount") {
        let Some(path) = mount.attribute("path") else { continue };
        let Some(datasource) = mount.text_at(&["instanceId"]).and_then(|id| instances.get(id)) else { continue };
        let target = mount.text_at(&["targetPath"]).unwrap_or(path);
        let trimmed = |p: &str| format!("/{}", p.trim_matches('/'));
        found.mounts.push(Mount { path: trimmed(path), target: trimmed(target), datasource: (*datasource).clone() });
    }
}
