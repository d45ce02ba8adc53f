//! What a site added to its installation by hand and no upgrade can carry: Java code, and themes of its portals. Only names are read.

use std::path::Path;

use super::deployed::entries;
use crate::source::SourceError;

/// Names of what was added.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Extras {
    /// Jar files, below `repository/components`.
    pub jars: Vec<String>,
    /// Tenants' own looks of the portals, below `repository/deployment/server/jaggeryapps`.
    pub themes: Vec<String>,
}

/// Beginnings of names of database drivers, which every site adds and which do nothing by themselves.
const DRIVERS: &[&str] =
    &["mysql-connector", "mariadb-java", "postgresql", "ojdbc", "sqljdbc", "mssql-jdbc", "jtds", "db2jcc", "h2-database", "h2-"];

pub(super) fn read(root: &Path) -> Result<Extras, SourceError> {
    let mut found = Extras::default();
    for folder in ["dropins", "lib"] {
        let place = root.join("repository/components").join(folder);
        for (name, path) in entries(&place, Path::is_file)? {
            let is_jar = path.extension().is_some_and(|e| e.eq_ignore_ascii_case("jar"));
            if is_jar && !DRIVERS.iter().any(|driver| name.to_ascii_lowercase().starts_with(driver)) {
                found.jars.push(format!("{folder}/{name}"));
            }
        }
    }
    for portal in ["store", "publisher"] {
        let place = root.join("repository/deployment/server/jaggeryapps").join(portal).join("site/tenant_themes");
        found.themes.extend(entries(&place, Path::is_dir)?.into_iter().map(|(name, _)| format!("{portal}/site/tenant_themes/{name}")));
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn jars_and_themes_are_named_and_drivers_are_not() {
        let home = tempfile::tempdir().unwrap();
        let at = |path: &str| home.path().join("repository").join(path);
        for folder in ["components/dropins", "components/lib", "deployment/server/jaggeryapps/store/site/tenant_themes/acme.com"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for file in
            ["components/dropins/com.acme.audit_1.0.jar", "components/lib/mysql-connector-java-5.1.jar", "components/lib/README.txt"]
        {
            std::fs::write(at(file), b"").unwrap();
        }
        let extras = read(home.path()).unwrap();
        assert_eq!(extras.jars, ["dropins/com.acme.audit_1.0.jar"]);
        assert_eq!(extras.themes, ["store/site/tenant_themes/acme.com"]);
        assert_eq!(read(Path::new("/nowhere")).unwrap(), Extras::default());
    }
}
