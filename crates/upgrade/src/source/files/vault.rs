//! The secure vault of configuration files: `cipher-text.properties` holds passwords under the key of a keystore, which
//! `secret-conf.properties` may name for itself, and whose password an operator typed at start or left in a file for it.

use std::collections::BTreeMap;
use std::path::Path;

use model::Secret;

use super::{KeyStore, read};
use crate::source::SourceError;

/// Where the old start script looks for the keystore's password, below the folder.
const PASSWORD_FILES: [&str; 4] = ["password-persist", "password-tmp", "password-persist.txt", "password-tmp.txt"];

/// What the vault's files say. Nothing in it prints.
#[derive(Debug, Clone, Default)]
pub struct Vault {
    /// Cipher text by alias.
    pub sealed: BTreeMap<String, String>,
    /// Values that still waited to be encrypted, by alias.
    pub clear: BTreeMap<String, Secret<String>>,
    /// The keystore named for it.
    pub key_store: Option<KeyStore>,
    /// The password left for the start script.
    pub password: Option<Secret<String>>,
}

pub(super) fn open(root: &Path, conf: &Path) -> Result<Vault, SourceError> {
    let mut vault = Vault::default();
    for (alias, value) in properties(&conf.join("security/cipher-text.properties"))? {
        match value.strip_prefix('[').and_then(|value| value.strip_suffix(']')) {
            Some(clear) => drop(vault.clear.insert(alias, Secret::new(clear.to_owned()))),
            None => drop(vault.sealed.insert(alias, value)),
        }
    }
    let named = properties(&conf.join("security/secret-conf.properties"))?;
    let text = |name: &str| named.get(name).cloned();
    vault.key_store = text("keystore.identity.location").map(|location| KeyStore {
        location,
        kind: text("keystore.identity.type"),
        // These name aliases into the vault, not passwords.
        password: None,
        alias: text("keystore.identity.alias"),
        key_password: None,
    });
    for file in PASSWORD_FILES {
        if let Some(bytes) = read(&root.join(file))? {
            let text = String::from_utf8_lossy(&bytes);
            vault.password = text.lines().next().map(str::trim).filter(|line| !line.is_empty()).map(|line| Secret::new(line.to_owned()));
        }
        if vault.password.is_some() {
            break;
        }
    }
    Ok(vault)
}

/// A Java properties file; empty where there is none.
fn properties(path: &Path) -> Result<BTreeMap<String, String>, SourceError> {
    let Some(bytes) = read(path)? else { return Ok(BTreeMap::new()) };
    let text = String::from_utf8_lossy(&bytes).replace("\r\n", "\n");
    // A line that ends in a backslash goes on in the next.
    let text = text.split('\n').fold((String::new(), false), |(mut whole, goes_on), line| {
        let line = if goes_on { line.trim_start() } else { line };
        let cut = line.strip_suffix('\\').filter(|cut| !cut.ends_with('\\'));
        whole.push_str(cut.unwrap_or(line));
        if cut.is_none() {
            whole.push('\n');
        }
        (whole, cut.is_some())
    });
    let lines = text.0.lines().map(str::trim).filter(|line| !line.starts_with(['#', '!']));
    let pair = |line: &str| line.split_once('=').map(|(name, value)| (name.trim().to_owned(), value.trim().replace('\\', "")));
    Ok(lines.filter_map(pair).filter(|(name, value)| !name.is_empty() && !value.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_files_are_read_as_java_reads_them() {
        let folder = tempfile::tempdir().unwrap();
        let conf = folder.path().join("conf");
        std::fs::create_dir_all(conf.join("security")).unwrap();
        let cipher = "# made by hand\r\nDatasource.Password=QUJD\\=\\=\r\nLong.Alias=abc\\\n   def\nFresh.Alias=[in the clear]\nempty=\n";
        std::fs::write(conf.join("security/cipher-text.properties"), cipher).unwrap();
        let named = "keystore.identity.location=repository/resources/security/own.jks\nkeystore.identity.alias=own\n\
                     keystore.identity.store.password=identity.store.password\n";
        std::fs::write(conf.join("security/secret-conf.properties"), named).unwrap();
        std::fs::write(folder.path().join("password-tmp"), "hunter2\n").unwrap();
        let vault = open(folder.path(), &conf).unwrap();
        assert_eq!(vault.sealed["Datasource.Password"], "QUJD==");
        assert_eq!(vault.sealed["Long.Alias"], "abcdef");
        assert_eq!(vault.clear["Fresh.Alias"].expose(), "in the clear");
        assert_eq!(vault.key_store.as_ref().unwrap().location, "repository/resources/security/own.jks");
        assert!(vault.key_store.as_ref().unwrap().password.is_none());
        assert_eq!(vault.password.as_ref().unwrap().expose(), "hunter2");
        let shown = format!("{vault:?}");
        assert!(!shown.contains("hunter2") && !shown.contains("in the clear"), "{shown}");
        assert!(open(Path::new("/nowhere"), Path::new("/nowhere")).unwrap().sealed.is_empty());
    }
}
