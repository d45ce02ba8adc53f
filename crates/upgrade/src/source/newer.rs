//! Installations of 3.0 to 4.0: looked at, not taken over. Their schema says which version they are; their tables are counted, and each
//! group of them is told with what taking it over would need. The verdict always is "assess only".

use std::{collections::BTreeMap, fmt::Write as _, path::Path};

use model::Secret;
use serde::Serialize;

use super::{Location, Reading, Source, SourceError, files, version};

/// A newer folder's own configuration.
const CONFIGURATION: &str = "repository/conf/deployment.toml";

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// The version: the folder's own word, or as far as the schema tells.
    pub version: String,
    /// Its databases, without credentials.
    pub databases: Vec<String>,
    /// Always "assess only".
    pub verdict: &'static str,
    /// What carrying it would take, for what is there.
    pub needs: Vec<Need>,
    /// Every table with its rows, by database.
    pub tables: BTreeMap<String, BTreeMap<String, u64>>,
}

/// A group of tables with something in them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Need {
    /// What it is.
    pub what: &'static str,
    /// Rows.
    pub rows: u64,
    /// What taking it over would need.
    pub needs: &'static str,
}

/// Tables that belong together, by the beginnings of their names; the first that fits counts.
const GROUPS: &[(&str, &[&str], &str)] = &[
    ("revisions and deployments", &["AM_REVISION", "AM_DEPLOY", "AM_API_REVISION"], "each revision's artifacts, and where it runs"),
    ("API products", &["AM_API_PRODUCT"], "products, which this version of Tidegate does not have"),
    ("policies of operations", &["AM_API_OPERATION_POLICY", "AM_OPERATION_POLICY"], "a translation of each policy"),
    ("key managers", &["AM_KEY_MANAGER", "AM_APPLICATION_KEY_MAPPING"], "key managers and their mappings as they are"),
    ("shared scopes", &["AM_SCOPE", "AM_SHARED_SCOPE", "AM_API_RESOURCE_SCOPE"], "scopes by resource instead of by path"),
    ("services of the catalogue", &["AM_SERVICE", "AM_API_SERVICE"], "the service catalogue, which this version of Tidegate does not have"),
    ("webhooks", &["AM_WEBHOOKS", "AM_CORRELATION"], "webhook subscriptions with their leases"),
    ("certificates", &["AM_CERTIFICATE", "AM_API_CLIENT_CERTIFICATE"], "certificates with their aliases"),
    ("APIs", &["AM_API"], "artifacts of 3.x and 4.0 with their kinds"),
    ("applications and subscriptions", &["AM_APPLICATION", "AM_SUBSCRI"], "the same as for 2.6, with identifiers as they are"),
    (
        "limits",
        &["AM_POLICY", "AM_CONDITION", "AM_QUERY", "AM_HEADER", "AM_JWT", "AM_IP", "AM_BLOCK", "AM_THROTTLE"],
        "the same as for 2.6",
    ),
    ("other records of API Manager", &["AM_"], "a decision for each table"),
    ("tokens", &["IDN_OAUTH2_ACCESS_TOKEN", "IDN_OAUTH2_AUTHORIZATION_CODE"], "opaque tokens; self-contained ones only need the old key"),
    ("OAuth clients", &["IDN_OAUTH", "SP_"], "the same as for 2.6"),
    ("identity records", &["IDN_", "IDP", "CM_", "FIDO", "WF_"], "a decision for each table"),
    ("users, roles and tenants", &["UM_"], "passwords as they are, users with identifiers of their own"),
    ("the registry", &["REG_"], "definitions, documents and settings by path"),
];

/// Refuses a folder of a version that is not taken over.
///
/// # Errors
///
/// [`SourceError::AssessOnly`] or [`SourceError::TooNew`].
pub(super) fn refuse_folder(conf: &Path, product_version: Option<&str>) -> Result<(), SourceError> {
    let told = product_version.filter(|v| !v.starts_with("1.") && !v.starts_with("2."));
    match told {
        Some(found) if is_assessed(found) => Err(SourceError::AssessOnly { found: found.to_owned() }),
        Some(found) => Err(SourceError::TooNew { found: found.to_owned() }),
        None if conf.join("deployment.toml").is_file() => {
            Err(SourceError::AssessOnly { found: product_version.unwrap_or("3.0 to 4.0").to_owned() })
        }
        None => Ok(()),
    }
}

/// 3.0.0 to 4.0.0.
fn is_assessed(version: &str) -> bool {
    let numbers: Vec<u32> = version.split('.').map_while(|part| part.parse().ok()).collect();
    matches!(numbers.as_slice(), [3, ..] | [4] | [4, 0] | [4, 0, 0])
}

/// Counts what an installation of 3.0 to 4.0 holds. `databases` go before those the folder names.
///
/// # Errors
///
/// [`SourceError::TooNew`] for what came after 4.0.0, [`SourceError::NotApiManager`], and what cannot be read.
pub async fn survey(home: Option<&Path>, databases: &[Location], reading: Reading) -> Result<Survey, SourceError> {
    let of_folder = match home {
        Some(home) => files::product_version(home)?,
        None => None,
    };
    let named = match (databases, home) {
        ([], Some(home)) => named_databases(home)?,
        (databases, _) => databases.to_vec(),
    };
    let mut sources: Vec<Source> = Vec::new();
    for location in named {
        if !sources.iter().any(|known| known.to_string() == location.to_string()) {
            sources.push(Source::open(&location, reading).await?);
        }
    }
    let shown: Vec<String> = sources.iter().map(ToString::to_string).collect();
    let found = version::detect(&shown.join(", "), |table, column| {
        sources.iter().any(|source| column.map_or_else(|| source.table(table).is_some(), |column| source.has(table, column)))
    });
    let by_schema = match found {
        Err(SourceError::AssessOnly { found }) => found,
        Err(other) => return Err(other),
        // A folder of 3.x whose database was never brought up to it.
        Ok(version) => version.to_string(),
    };
    let mut tables: BTreeMap<String, BTreeMap<String, u64>> = BTreeMap::new();
    for source in &sources {
        let names: Vec<String> = source.tables().map(|table| table.name.clone()).collect();
        for name in names {
            let rows = source.count(&name).await?;
            tables.entry(source.to_string()).or_default().insert(name.to_ascii_uppercase(), rows);
        }
    }
    let mut rows = vec![0_u64; GROUPS.len()];
    for (name, count) in tables.values().flatten() {
        let group = GROUPS.iter().position(|(_, beginnings, _)| beginnings.iter().any(|beginning| name.starts_with(beginning)));
        if let Some(rows) = group.and_then(|at| rows.get_mut(at)) {
            *rows += count;
        }
    }
    let needs = GROUPS.iter().zip(rows).filter(|(_, rows)| *rows > 0).map(|((what, _, needs), rows)| Need { what, rows, needs }).collect();
    Ok(Survey { version: of_folder.unwrap_or(by_schema), databases: shown, verdict: "assess only", needs, tables })
}

/// The databases of `deployment.toml`: `[database.apim_db]` and `[database.shared_db]`.
fn named_databases(home: &Path) -> Result<Vec<Location>, SourceError> {
    let fault = |reason: String| SourceError::NotAHome { path: home.to_owned(), reason };
    let bytes = files::read(&home.join(CONFIGURATION))?.ok_or_else(|| fault(format!("it has no {CONFIGURATION}")))?;
    // The fault of the parser would repeat the line, and with it a password.
    let text = String::from_utf8(bytes).map_err(|_| fault(format!("{CONFIGURATION} is not UTF-8 text")))?;
    let table: toml::Table =
        text.parse().map_err(|_| fault(format!("{CONFIGURATION} is no TOML; name the databases with --am-db and the others")))?;
    let mut found = Vec::new();
    for name in ["apim_db", "shared_db"] {
        let database = table.get("database").and_then(|databases| databases.get(name));
        let text = |key: &str| database.and_then(|database| database.get(key)).and_then(|value| value.as_str());
        let url = text("url").ok_or_else(|| {
            fault(format!("{CONFIGURATION} has no [database.{name}] with a url; name the databases with --am-db and the others"))
        })?;
        let password = text("password").map(|password| Secret::new(password.to_owned()));
        found.push(Location::from_jdbc(url, text("username"), password.as_ref(), home)?);
    }
    Ok(found)
}

impl Survey {
    /// Everything, for machines.
    ///
    /// # Errors
    ///
    /// None that is known: it is made of texts and numbers.
    pub fn json(&self) -> Result<String, serde_json::Error> {
        serde_json::to_string_pretty(self)
    }

    /// For a terminal.
    pub fn text(&self) -> String {
        let mut out = format!(
            "API Manager {}: {}. Versions 1.8.0 to 2.6.0 are taken over; of this one, this is what is there.\n",
            self.version, self.verdict
        );
        for database in &self.databases {
            // Writing to a String cannot fail.
            let _ = writeln!(out, "  {database}");
        }
        out.push('\n');
        for need in &self.needs {
            let _ = writeln!(out, "{:>12}  {}: {}", need.rows, need.what, need.needs);
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(tables: &[(&str, &str)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in tables {
            std::fs::write(folder.path().join(format!("{name}.csv")), text).unwrap();
        }
        folder
    }

    async fn surveyed(tables: &[(&str, &str)]) -> Result<Survey, SourceError> {
        let folder = folder(tables);
        survey(None, &[Location::Csv(folder.path().to_owned())], Reading::default()).await
    }

    #[tokio::test]
    async fn what_a_4_0_holds_is_counted_with_what_it_would_need() {
        let tables =
            [("AM_API", "API_ID,API_TIER\n1,\n2,\n"), ("AM_REVISION", "ID\n1\n2\n3\n"), ("AM_SCOPE", "NAME\n"), ("UM_USER", "UM_ID\n1\n")];
        let survey = surveyed(&tables).await.unwrap();
        assert_eq!((survey.version.as_str(), survey.verdict), ("4.0", "assess only"));
        let needs: Vec<_> = survey.needs.iter().map(|need| (need.what, need.rows)).collect();
        assert_eq!(needs, [("revisions and deployments", 3), ("APIs", 2), ("users, roles and tenants", 1)]);
        assert!(survey.text().contains("           3  revisions and deployments: each revision's artifacts"), "{}", survey.text());
        let newer = surveyed(&[("AM_API", "API_ID\n"), ("AM_REVISION", "ID\n"), ("AM_API_POLICY_MAPPING", "ID\n")]).await;
        assert!(matches!(newer, Err(SourceError::TooNew { .. })));
        assert!(matches!(surveyed(&[("UM_USER", "ID\n")]).await, Err(SourceError::NotApiManager { .. })));
    }

    #[tokio::test]
    async fn a_folder_of_4_0_leads_to_its_h2_files() {
        let home = tempfile::tempdir().unwrap();
        for (name, content) in [
            ("bin/version.txt", &b"WSO2 API Manager v4.0.0\n"[..]),
            ("repository/database/WSO2AM_DB.mv.db", include_bytes!("../../tests/fixtures/like-4.0.mv.db")),
            ("repository/database/WSO2SHARED_DB.mv.db", include_bytes!("../../tests/fixtures/like-4.0-shared.mv.db")),
            (
                CONFIGURATION,
                b"[database.apim_db]\ntype = \"h2\"\nurl = \"jdbc:h2:./repository/database/WSO2AM_DB;AUTO_SERVER=TRUE\"\nusername = \"u\"\npassword = \"hunter2\"\n\
                  [database.shared_db]\nurl = \"jdbc:h2:./repository/database/WSO2SHARED_DB\"\n",
            ),
        ] {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        let found = survey(Some(home.path()), &[], Reading::default()).await.unwrap();
        assert_eq!((found.version.as_str(), found.databases.len()), ("4.0.0", 2));
        let rows = |what: &str| found.needs.iter().find(|need| need.what == what).map(|need| need.rows);
        assert_eq!((rows("APIs"), rows("revisions and deployments"), rows("users, roles and tenants")), (Some(2), Some(1), Some(1)));
        std::fs::write(home.path().join(CONFIGURATION), "password = \"hunter2").unwrap();
        let error = survey(Some(home.path()), &[], Reading::default()).await.unwrap_err();
        assert!(error.to_string().contains("is no TOML") && !format!("{error:?}").contains("hunter2"), "{error}");
    }
}
