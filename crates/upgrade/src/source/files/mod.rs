//! An old installation's folder: which databases its configuration names, the settings that change what data means, and the
//! gateway's deployed files. Reads, never writes; every file has a size bound.

mod datasources;
mod deployed;
mod extras;
mod nodes;
mod settings;
mod vault;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

pub use datasources::{Datasource, Mount};
pub use deployed::{SynapseFile, UserStoreFile};
pub use extras::Extras;
use model::Secret;
pub use nodes::{NodeDifference, Nodes};
pub use settings::{BackendJwt, GatewayCors, GatewayEnvironment, KeyStore, Settings};
pub use vault::Vault;

use super::keystore::{KeyStoreFault, OldKey};
use super::{Element, Location, SourceError, newer, parse_xml};

/// The largest file read from an installation.
const FILE_MAX_BYTES: u64 = 32 * 1024 * 1024;

/// What an installation's folder says. Passwords in it are [`Secret`]s or stay in elements that do not print.
#[derive(Debug)]
pub struct Home {
    /// The folder.
    pub root: PathBuf,
    /// The version in `bin/version.txt`, when there.
    pub product_version: Option<String>,
    /// All datasources defined.
    pub datasources: Vec<Datasource>,
    /// The datasource of AM_* tables, by JNDI name.
    pub api_datasource: Option<String>,
    /// The datasource of IDN_* tables.
    pub identity_datasource: Option<String>,
    /// The datasource of UM_* tables.
    pub user_datasource: Option<String>,
    /// The datasource of the local registry.
    pub registry_datasource: Option<String>,
    /// Parts of the registry kept elsewhere.
    pub mounts: Vec<Mount>,
    /// What the configuration decides.
    pub settings: Settings,
    /// Secrets the configuration keeps in the secure vault, which only its keystore can open.
    pub vaulted: Vec<VaultedSecret>,
    /// Everything deployed on the gateway, sequences among it.
    pub synapse: Vec<SynapseFile>,
    /// Secondary user stores.
    pub user_stores: Vec<UserStoreFile>,
    /// What the site added by hand.
    pub extras: Extras,
    supplied: BTreeMap<String, Secret<String>>,
    relocated: BTreeMap<String, Location>,
    documents: BTreeMap<String, Element>,
    vault: Vault,
    vault_fault: Option<KeyStoreFault>,
}

/// A secret written as an alias into the secure vault.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VaultedSecret {
    /// Configuration file, below `repository/conf`.
    pub file: String,
    /// The element that wants it.
    pub element: String,
    /// The alias.
    pub alias: String,
}

/// Configuration read, below `repository/conf`. The first of several places that exists counts.
const DOCUMENTS: &[(&str, &[&str])] = &[
    ("api-manager.xml", &["api-manager.xml"]),
    ("carbon.xml", &["carbon.xml"]),
    ("identity.xml", &["identity/identity.xml", "identity.xml"]),
    ("master-datasources.xml", &["datasources/master-datasources.xml"]),
    ("registry.xml", &["registry.xml"]),
    ("user-mgt.xml", &["user-mgt.xml"]),
];

impl Home {
    /// Reads the folder.
    ///
    /// # Errors
    ///
    /// [`SourceError::NotAHome`], [`SourceError::AssessOnly`] for a folder of 3.0 to 4.0, [`SourceError::TooNew`] for a later one, and what cannot be read.
    pub fn open(root: &Path) -> Result<Self, SourceError> {
        let conf = root.join("repository/conf");
        if !conf.is_dir() {
            return Err(SourceError::NotAHome { path: root.to_owned(), reason: "it has no repository/conf".into() });
        }
        let product_version = product_version(root)?;
        newer::refuse_folder(&conf, product_version.as_deref())?;
        let mut documents = BTreeMap::new();
        for (name, places) in DOCUMENTS {
            for place in *places {
                if let Some(root_element) = document(&conf.join(place))? {
                    documents.insert((*name).to_owned(), root_element);
                    break;
                }
            }
        }
        if !documents.contains_key("master-datasources.xml") && !documents.contains_key("api-manager.xml") {
            let reason = "repository/conf has neither api-manager.xml nor datasources/master-datasources.xml";
            return Err(SourceError::NotAHome { path: root.to_owned(), reason: reason.into() });
        }
        let found = datasources::find(&documents);
        let mut vaulted = Vec::new();
        for (file, element) in &documents {
            vaulted.extend(element.descendants().into_iter().filter_map(|e| {
                let alias = e.attribute("secretAlias")?.to_owned();
                Some(VaultedSecret { file: file.clone(), element: e.name.clone(), alias })
            }));
        }
        let vault = vault::open(root, &conf)?;
        Ok(Self {
            root: root.to_owned(),
            product_version,
            datasources: found.datasources,
            api_datasource: found.api,
            identity_datasource: found.identity,
            user_datasource: found.users,
            registry_datasource: found.registry,
            mounts: found.mounts,
            settings: settings::read(&documents),
            vaulted,
            synapse: deployed::synapse(root)?,
            user_stores: deployed::user_stores(root)?,
            extras: extras::read(root)?,
            supplied: vault.clear.clone(),
            relocated: BTreeMap::new(),
            documents,
            vault,
            vault_fault: None,
        })
    }

    /// Holds the files of other gateway nodes against this folder's, and takes those of the first that has any. The result says how they differ, and
    /// whose were taken.
    ///
    /// # Errors
    ///
    /// [`SourceError`] when a node's folder cannot be read.
    pub fn join(&mut self, nodes: &[PathBuf]) -> Result<Nodes, SourceError> {
        let mut joined = nodes::compare(&self.root, std::mem::take(&mut self.synapse), nodes)?;
        self.synapse = std::mem::take(&mut joined.synapse);
        Ok(joined)
    }

    /// Gives the clear text of a vaulted secret, as the operator knows it.
    pub fn supply(&mut self, alias: &str, secret: Secret<String>) {
        self.supplied.insert(alias.to_owned(), secret);
    }

    /// The clear text of a vaulted secret that was supplied.
    pub fn supplied(&self, alias: &str) -> Option<&Secret<String>> {
        self.supplied.get(alias)
    }

    /// Whether the secure vault of the configuration has an entry of this name, open or not.
    pub fn vault_has(&self, alias: &str) -> bool {
        self.supplied.contains_key(alias) || self.vault.sealed.contains_key(alias)
    }

    /// Finds the installation's own keys, and opens the configuration's vault with them; what was supplied before stays. `password` goes before
    /// those that the folder holds.
    ///
    /// # Errors
    ///
    /// [`KeyStoreFault`] when no keystore opens; the vault stays shut then, and who needs it says so.
    pub fn unlock(&mut self, password: Option<&Secret<String>>) -> Result<OldKey, KeyStoreFault> {
        let stores: Vec<&KeyStore> = self.settings.key_stores().into_iter().chain(&self.vault.key_store).collect();
        let key = OldKey::of(&stores, &self.root, password.or(self.vault.password.as_ref()));
        match &key {
            Ok(key) => {
                for (alias, sealed) in &self.vault.sealed {
                    if let Some(clear) = key.open(sealed) {
                        self.supplied.entry(alias.clone()).or_insert_with(|| Secret::new(clear));
                    }
                }
            }
            Err(fault) => self.vault_fault = Some(fault.clone()),
        }
        key
    }

    /// The password of the keystores: the operator's, or else the one left for the old start script.
    pub fn key_store_password<'a>(&'a self, given: Option<&'a Secret<String>>) -> Option<&'a Secret<String>> {
        given.or(self.vault.password.as_ref())
    }

    /// Says where a datasource's database is now, such as a dump of it, instead of where the configuration says.
    pub fn relocate(&mut self, jndi: &str, location: Location) {
        self.relocated.insert(jndi.to_owned(), location);
    }

    /// Vaulted secrets nobody has supplied.
    pub fn unresolved(&self) -> impl Iterator<Item = &VaultedSecret> {
        self.vaulted.iter().filter(|v| !self.supplied.contains_key(&v.alias))
    }

    /// A configuration file by its plain name, such as `api-manager.xml`.
    pub fn document(&self, name: &str) -> Option<&Element> {
        self.documents.get(name)
    }

    /// The JNDI names of the datasources that hold something to upgrade, each once.
    pub fn wanted_datasources(&self) -> Vec<String> {
        let mut wanted: Vec<String> = Vec::new();
        let fixed = [&self.api_datasource, &self.identity_datasource, &self.user_datasource, &self.registry_datasource];
        let mounted = self.mounts.iter().map(|m| &m.datasource);
        for name in fixed.into_iter().flatten().chain(mounted) {
            if !wanted.contains(name) {
                wanted.push(name.clone());
            }
        }
        wanted
    }

    /// Where a datasource's database is.
    ///
    /// # Errors
    ///
    /// When no datasource has that JNDI name, its address is of a kind we do not read, or its password is only in the vault.
    pub fn location_of(&self, jndi: &str) -> Result<Location, SourceError> {
        if let Some(location) = self.relocated.get(jndi) {
            return Ok(location.clone());
        }
        let fault = |reason: String| SourceError::NotAHome { path: self.root.clone(), reason };
        let datasource = self.datasources.iter().find(|d| d.jndi == jndi || d.name == jndi);
        let datasource = datasource.ok_or_else(|| fault(format!("no datasource has the JNDI name {jndi}")))?;
        let vaulted = datasource.secret_alias.as_ref();
        let password = match vaulted {
            Some(alias) => self.supplied.get(alias),
            None => datasource.password.as_ref(),
        };
        let location = Location::from_jdbc(&datasource.url, datasource.user.as_deref(), password, &self.root)?;
        match (vaulted, password, &location) {
            (Some(alias), None, Location::MySql(_) | Location::Postgres(_)) => {
                let why = match &self.vault_fault {
                    Some(fault) => format!(", which stays shut: {fault}"),
                    None if self.vault.sealed.contains_key(alias) => ", under another key than the installation's".to_owned(),
                    None => ", which holds no such entry".to_owned(),
                };
                let words =
                    format!("the password of datasource {jndi} is in the secure vault as {alias}{why}; or name that database yourself");
                Err(fault(words))
            }
            _ => Ok(location),
        }
    }
}

/// A bounded read; `None` when there is no such file.
pub(super) fn read(path: &Path) -> Result<Option<Vec<u8>>, SourceError> {
    let file = |cause| SourceError::File { path: path.to_owned(), cause };
    match std::fs::metadata(path) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(file(e)),
        Ok(meta) if meta.len() > FILE_MAX_BYTES => Err(SourceError::FileTooLarge { path: path.to_owned(), max_bytes: FILE_MAX_BYTES }),
        Ok(_) => std::fs::read(path).map(Some).map_err(file),
    }
}

fn document(path: &Path) -> Result<Option<Element>, SourceError> {
    let Some(bytes) = read(path)? else { return Ok(None) };
    let parsed = parse_xml(&bytes).map_err(|e| SourceError::Xml { path: path.to_owned(), reason: e.to_string() })?;
    Ok(Some(parsed))
}

/// The dotted number in `bin/version.txt`.
pub(super) fn product_version(root: &Path) -> Result<Option<String>, SourceError> {
    let Some(bytes) = read(&root.join("bin/version.txt"))? else { return Ok(None) };
    let text = String::from_utf8_lossy(&bytes);
    let number = |word: &str| -> Option<String> {
        let word = word.trim_start_matches(['v', 'V']);
        let number: String = word.chars().take_while(|c| c.is_ascii_digit() || *c == '.').collect();
        let number = number.trim_end_matches('.').to_owned();
        (number.contains('.') && number.starts_with(|c: char| c.is_ascii_digit())).then_some(number)
    };
    Ok(text.split_whitespace().find_map(number))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn home(files: &[(&str, &str)]) -> (tempfile::TempDir, Result<Home, SourceError>) {
        let folder = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let home = Home::open(folder.path());
        (folder, home)
    }

    const DATASOURCES: &str = r#"<datasources-configuration xmlns:svns="http://org.wso2.securevault/configuration"><datasources>
        <datasource><name>AM</name><jndiConfig><name>jdbc/AM</name></jndiConfig><definition type="RDBMS"><configuration>
          <url>jdbc:mysql://db:3306/am?autoReconnect=true&amp;useSSL=false</url><username>am</username><password>hunter2</password>
        </configuration></definition></datasource>
        <datasource><name>UM</name><jndiConfig><name>jdbc/UM</name></jndiConfig><definition type="RDBMS"><configuration>
          <url>jdbc:h2:repository/database/WSO2CARBON_DB;DB_CLOSE_ON_EXIT=FALSE</url><username>w</username><password>w</password>
        </configuration></definition></datasource>
        <datasource><name>GOV</name><jndiConfig><name>jdbc/GOV</name></jndiConfig><definition type="RDBMS"><configuration>
          <url>jdbc:postgresql://pg/gov</url><username>g</username><password svns:secretAlias="gov.password"></password>
        </configuration></definition></datasource>
        </datasources></datasources-configuration>"#;

    const REGISTRY: &str = r#"<wso2registry><currentDBConfig>local</currentDBConfig>
        <dbConfig name="local"><dataSource>jdbc/UM</dataSource></dbConfig>
        <dbConfig name="shared"><dataSource>jdbc/GOV</dataSource></dbConfig>
        <remoteInstance url="https://localhost:9443/registry"><id>gov</id><dbConfig>shared</dbConfig></remoteInstance>
        <mount path="/_system/governance" overwrite="true"><instanceId>gov</instanceId><targetPath>/_system/gov2</targetPath></mount>
        </wso2registry>"#;

    #[test]
    fn finds_each_database_and_the_mounts() {
        let (_folder, home) = home(&[
            ("repository/conf/datasources/master-datasources.xml", DATASOURCES),
            ("repository/conf/api-manager.xml", "<APIManager><DataSourceName>jdbc/AM</DataSourceName></APIManager>"),
            (
                "repository/conf/user-mgt.xml",
                "<UserManager><Realm><Configuration><Property name='dataSource'>jdbc/UM</Property></Configuration></Realm></UserManager>",
            ),
            ("repository/conf/registry.xml", REGISTRY),
        ]);
        let mut home = home.unwrap();
        assert_eq!(home.wanted_datasources(), ["jdbc/AM", "jdbc/UM", "jdbc/GOV"]);
        assert_eq!(home.location_of("jdbc/AM").unwrap().to_string(), "mysql://db:3306/am");
        assert!(home.location_of("jdbc/UM").unwrap().to_string().ends_with("repository/database/WSO2CARBON_DB"));
        assert_eq!((home.mounts[0].path.as_str(), home.mounts[0].target.as_str()), ("/_system/governance", "/_system/gov2"));
        let error = home.location_of("jdbc/GOV").unwrap_err().to_string();
        assert!(error.contains("in the secure vault as gov.password"), "{error}");
        assert_eq!(home.unresolved().count(), 1);
        home.supply("gov.password", Secret::new("s".into()));
        assert_eq!(home.unresolved().count(), 0);
        assert_eq!(home.location_of("jdbc/GOV").unwrap().to_string(), "postgres://pg:5432/gov");
        assert!(!format!("{home:?}").contains("hunter2"));
        home.relocate("jdbc/AM", Location::Dump("am.sql".into()));
        assert_eq!(home.location_of("jdbc/AM").unwrap().to_string(), "dump:am.sql");
    }

    #[test]
    fn newer_and_foreign_folders_are_refused_by_name() {
        let (_a, newer) = home(&[("repository/conf/deployment.toml", ""), ("bin/version.txt", "WSO2 API Manager v4.5.0\n")]);
        assert!(matches!(newer, Err(SourceError::TooNew { found }) if found == "4.5.0"));
        let (_b, newer) = home(&[("repository/conf/deployment.toml", "")]);
        assert!(matches!(newer, Err(SourceError::AssessOnly { found }) if found == "3.0 to 4.0"));
        let (_d, newer) = home(&[("repository/conf/deployment.toml", ""), ("bin/version.txt", "WSO2 API Manager v4.0.0\n")]);
        assert!(matches!(newer, Err(SourceError::AssessOnly { found }) if found == "4.0.0"));
        let (_e, newer) = home(&[("repository/conf/deployment.toml", ""), ("bin/version.txt", "WSO2 API Manager v4.0.1\n")]);
        assert!(matches!(newer, Err(SourceError::TooNew { found }) if found == "4.0.1"));
        let (_c, foreign) = home(&[("readme", "")]);
        assert!(matches!(foreign, Err(SourceError::NotAHome { .. })));
    }
}
