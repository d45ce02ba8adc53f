//! A site whose every secret is known by sight, so that a test can look for each in all that an upgrade writes and says.

use std::path::Path;

use crate::schema::Database;
use crate::seed;
use crate::site::Site;
use crate::write::{Dialect, Links, WriteError, Written, put};

/// A secret planted in an old installation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Where it stands.
    pub place: String,
    /// Its text.
    pub text: String,
    /// Whether the new database keeps it as it is: a header within a sequence, a digest, a salt.
    pub is_kept: bool,
}

/// Secrets of the files in a registry, as a MySQL dump prints them: place, what stands before, the secret, what stands after.
const IN_REGISTRY: [(&str, &str, &str, &str); 3] = [
    ("external store's password", "<Password>", "exchange-old-1", "</Password>"),
    ("workflow executor's password", r#"<Property name=\"password\">"#, "admin", "</Property>"),
    ("sign-up administrator's password", "<AdminPassword>", "admin", "</AdminPassword>"),
];

/// The credentials a sequence sends to a backend.
const IN_SEQUENCE: (&str, &str, &str, &str) = ("header in a sequence", r#"<property name=\"X-Channel\" value=\""#, "partner", r#"\""#);

/// Secrets of the files in a folder.
const IN_FILES: [(&str, &str, &str, &str, &str); 4] = [
    ("keystore's password", "repository/conf/carbon.xml", "<Password>", "wso2carbon", "</Password>"),
    ("key's password", "repository/conf/carbon.xml", "<KeyPassword>", "wso2carbon", "</KeyPassword>"),
    ("datasource's password", "repository/conf/datasources/master-datasources.xml", "<password>", "wso2carbon", "</password>"),
    ("server's own password", "repository/conf/api-manager.xml", "<Password>", "admin", "</Password>"),
];

/// Secrets in rows that the site itself never fills: place, database, statement with `CANARY` where the secret stands, whether it is kept.
const IN_ROWS: [(&str, Database, &str, bool); 7] = [
    (
        "authorization code",
        Database::Am,
        "INSERT INTO `IDN_OAUTH2_AUTHORIZATION_CODE` (`AUTHORIZATION_CODE`,`CONSUMER_KEY`,`SCOPE`,`AUTHZ_USER`,`TIME_CREATED`,`VALIDITY_PERIOD`) \
         VALUES ('CANARY','none','default','admin','2016-01-01 00:00:00',300000);",
        false,
    ),
    (
        "OAuth 1.0a token secret",
        Database::Am,
        "INSERT INTO `IDN_OAUTH1A_ACCESS_TOKEN` (`ACCESS_TOKEN`,`ACCESS_TOKEN_SECRET`,`CONSUMER_KEY`,`SCOPE`,`AUTHZ_USER`) \
         VALUES ('t','CANARY','none','default','admin');",
        false,
    ),
    (
        "token of one subscription",
        Database::Am,
        "INSERT INTO `AM_SUBSCRIPTION_KEY_MAPPING` (`SUBSCRIPTION_ID`,`ACCESS_TOKEN`,`KEY_TYPE`) VALUES (1,'CANARY','PRODUCTION');",
        false,
    ),
    (
        "identity provider's secret",
        Database::Am,
        "INSERT INTO `IDP_AUTHENTICATOR_PROPERTY` (`ID`,`TENANT_ID`,`AUTHENTICATOR_ID`,`PROPERTY_KEY`,`PROPERTY_VALUE`,`IS_SECRET`) \
         VALUES (901,-1234,1,'ClientSecret','CANARY','1');",
        false,
    ),
    (
        "answer to a security question",
        Database::Am,
        "INSERT INTO `IDN_IDENTITY_USER_DATA` (`TENANT_ID`,`USER_NAME`,`DATA_KEY`,`DATA_VALUE`) \
         VALUES (-1234,'admin','http://wso2.org/claims/challengeQuestion1','Mother!CANARY');",
        false,
    ),
    (
        "user's attribute",
        Database::User,
        "INSERT INTO `UM_USER_ATTRIBUTE` (`UM_ID`,`UM_ATTR_NAME`,`UM_ATTR_VALUE`,`UM_PROFILE_ID`,`UM_USER_ID`,`UM_TENANT_ID`) \
         VALUES (90001,'telephoneNumber','CANARY','default',1,-1234);",
        true,
    ),
    (
        "property of a resource",
        Database::Registry,
        "INSERT INTO `REG_PROPERTY` (`REG_ID`,`REG_NAME`,`REG_VALUE`,`REG_TENANT_ID`) VALUES (90001,'password','CANARY',-1234);",
        false,
    ),
];

/// Files that hold a secret: place, path, text with `CANARY` where the secret stands, whether it is kept.
const FILES: [(&str, &str, &str, bool); 7] = [
    (
        "user store's connection password",
        "repository/deployment/server/userstores/branch_example.xml",
        "<UserStoreManager class=\"org.wso2.carbon.user.core.jdbc.JDBCUserStoreManager\"><Property name=\"url\">jdbc:mysql://db.old.example:1/branch</Property>\
         <Property name=\"userName\">branch</Property><Property name=\"password\">CANARY</Property><Property name=\"DomainName\">BRANCH.EXAMPLE</Property></UserStoreManager>",
        false,
    ),
    (
        "password in a user store's address",
        "repository/deployment/server/userstores/address_example.xml",
        "<UserStoreManager class=\"com.example.OwnStore\"><Property name=\"url\">jdbc:mysql://db.old.example:1/branch?user=u&amp;password=CANARY</Property>\
         <Property name=\"DomainName\">ADDRESS.EXAMPLE</Property></UserStoreManager>",
        false,
    ),
    (
        "directory's password",
        "repository/deployment/server/userstores/directory_example.xml",
        "<UserStoreManager class=\"org.wso2.carbon.user.core.ldap.ReadOnlyLDAPUserStoreManager\"><Property name=\"ConnectionURL\">ldap://dir.old.example:1</Property>\
         <Property name=\"ConnectionName\">uid=admin</Property><Property name=\"ConnectionPassword\">CANARY</Property>\
         <Property name=\"UserSearchBase\">ou=x</Property><Property name=\"UserNameAttribute\">uid</Property>\
         <Property name=\"UserNameSearchFilter\">(uid=?)</Property><Property name=\"DomainName\">DIRECTORY.EXAMPLE</Property></UserStoreManager>",
        false,
    ),
    (
        "password of the vault's file",
        "repository/conf/security/cipher-text.properties",
        "Carbon.Security.KeyStore.Password=[CANARY]\n",
        false,
    ),
    ("password left for the start script", "password-tmp", "CANARY\n", false),
    (
        "credentials in a gateway's sequence",
        "repository/deployment/server/synapse-configs/default/sequences/canary.xml",
        "<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"canary\"><property name=\"Authorization\" value=\"Basic CANARY\" scope=\"transport\"/></sequence>",
        true,
    ),
    (
        "credentials in a gateway's endpoint",
        "repository/deployment/server/synapse-configs/default/endpoints/canary.xml",
        "<endpoint xmlns=\"http://ws.apache.org/ns/synapse\" name=\"canary\"><address uri=\"http://u:CANARY@backend.old.example/\"/></endpoint>",
        true,
    ),
];

struct Nest {
    seed: u64,
    planted: Vec<Canary>,
}

impl Nest {
    fn text(&mut self, place: String, is_kept: bool) -> String {
        let random = seed::key(self.seed, &format!("canary:{}", self.planted.len()));
        let text = format!("cAnArY{}", random.chars().take(22).collect::<String>());
        self.planted.push(Canary { place, text: text.clone(), is_kept });
        text
    }

    fn plant(&mut self, place: String, secret: &mut String) {
        *secret = self.text(place, false);
    }

    /// Plants into a file every time what is looked for stands there.
    fn plant_in(&mut self, file: &Path, spelled: (&str, &str, &str, &str), is_kept: bool) -> Result<(), WriteError> {
        let (place, before, secret, after) = spelled;
        let text = std::fs::read(file).map_err(|source| WriteError { path: file.to_owned(), source })?;
        let (wanted, canary) = ([before, secret, after].concat(), self.text(place.to_owned(), is_kept));
        let replacement = [before, &canary, after].concat();
        let mut out = Vec::with_capacity(text.len());
        let mut rest = text.as_slice();
        while let Some(first) = rest.first() {
            if rest.starts_with(wanted.as_bytes()) {
                out.extend_from_slice(replacement.as_bytes());
                rest = rest.get(wanted.len()..).unwrap_or_default();
            } else {
                out.push(*first);
                rest = rest.get(1..).unwrap_or_default();
            }
        }
        if out == text {
            self.planted.pop();
        }
        put(file, &out)
    }
}

impl Site {
    /// Writes the site, as MySQL dumps, with a secret of its own in every place that can hold one.
    ///
    /// # Errors
    ///
    /// [`WriteError`] names the file the system refused.
    pub fn write_with_canaries(&self, dir: &Path) -> Result<(Written, Vec<Canary>), WriteError> {
        let mut site = self.clone();
        let mut nest = Nest { seed: site.seed, planted: Vec::new() };
        for api in &mut site.apis {
            if let Some((_, password)) = &mut api.endpoint.credentials {
                nest.plant(format!("endpoint password of {}", api.name), password);
            }
        }
        let keys = site.applications.iter_mut().flat_map(|a| &mut a.keys).filter_map(|k| k.client.as_mut());
        for client in keys.chain(&mut site.loose_clients) {
            nest.plant(format!("secret of client {}", client.name), &mut client.secret);
        }
        for token in &mut site.tokens {
            nest.plant(format!("{} access token of {}", token.state, token.user), &mut token.access);
            if let Some(refresh) = &mut token.refresh {
                nest.plant(format!("refresh token of {}", token.user), refresh);
            }
        }
        for user in &mut site.users {
            nest.plant(format!("password of {}", user.name), &mut user.password);
            let salt = seed::salt(site.seed, &format!("{}:{}", user.name, user.tenant));
            let digest = seed::password_digest(&user.password, &salt);
            for (what, text) in [("salt", salt), ("password digest", digest)] {
                nest.planted.push(Canary { place: format!("{what} of {}", user.name), text, is_kept: true });
            }
        }
        let dialect = Dialect::MySql(crate::mysql::Blobs::Escaped);
        let written = site.write(dir, dialect, &Links::unreachable(dialect))?;
        for spelled in IN_REGISTRY {
            nest.plant_in(&written.registry_sql, spelled, false)?;
        }
        nest.plant_in(&written.registry_sql, IN_SEQUENCE, true)?;
        for (place, file, before, secret, after) in IN_FILES {
            nest.plant_in(&written.home.join(file), (place, before, secret, after), false)?;
        }
        for (place, database, statement, is_kept) in IN_ROWS {
            let file = match database {
                Database::Am => &written.am_sql,
                Database::User => &written.user_sql,
                Database::Registry => &written.registry_sql,
            };
            let failed = |source| WriteError { path: file.clone(), source };
            let mut dump = std::fs::read(file).map_err(failed)?;
            let foot = b"-- Dump completed";
            let at = dump.windows(foot.len()).rposition(|window| window == foot).unwrap_or(dump.len());
            let row = format!("{}\n", statement.replace("CANARY", &nest.text(place.to_owned(), is_kept)));
            dump.splice(at..at, row.into_bytes());
            put(file, &dump)?;
        }
        let url = nest.text("password in a datasource's address".to_owned(), false);
        let datasources = written.home.join("repository/conf/datasources/master-datasources.xml");
        let failed = |source| WriteError { path: datasources.clone(), source };
        let text = std::fs::read_to_string(&datasources).map_err(failed)?;
        put(&datasources, text.replace("</url>", &format!("?user=u&amp;password={url}</url>")).as_bytes())?;
        for (place, file, text, is_kept) in FILES {
            put(&written.home.join(file), text.replace("CANARY", &nest.text(place.to_owned(), is_kept)).as_bytes())?;
        }
        Ok((written, nest.planted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A canary that stands nowhere proves nothing.
    #[test]
    fn every_canary_stands_in_the_source_but_the_passwords_that_are_digests() {
        let folder = std::env::temp_dir().join(format!("tidegate-canaries-{}", std::process::id()));
        let (_, planted) = Site::sample("http://b", 1_790_000_000_000).write_with_canaries(&folder).unwrap();
        let mut all = Vec::new();
        let mut folders = vec![folder.clone()];
        while let Some(next) = folders.pop() {
            for entry in std::fs::read_dir(next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() { folders.push(path) } else { all.extend(std::fs::read(path).unwrap()) }
            }
        }
        std::fs::remove_dir_all(folder).unwrap();
        let text = String::from_utf8_lossy(&all);
        for canary in planted.iter().filter(|c| !c.place.starts_with("password of ") || c.place.contains("vault")) {
            assert!(text.contains(&canary.text), "{canary:?}");
        }
        for place in [
            "external store",
            "workflow executor",
            "authorization code",
            "start script",
            "datasource's address",
            "security question",
            "sign-up",
            "sequence",
            "keystore",
            "key's",
            "datasource",
            "server's own",
            "endpoint",
        ] {
            assert!(planted.iter().any(|c| c.place.contains(place)), "{place}");
        }
    }
}
