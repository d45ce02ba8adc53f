//! The files of the home folder are where an upgrade looks for them.

use oldsite::mysql::Blobs;
use oldsite::{Dialect, Links, Site};

#[test]
fn deployed_apis_have_files_and_others_have_none() {
    let folder = tempfile::tempdir().unwrap();
    let dialect = Dialect::MySql(Blobs::Escaped);
    let links = Links::on(dialect, "127.0.0.1:3306", "root", "a<b&c", ["am", "um", "reg"]);
    let site = Site::sample("http://127.0.0.1:9000/", 1_790_000_000_000);
    let home = site.write(folder.path(), dialect, &links).unwrap().home;

    let read = |path: &str| std::fs::read_to_string(home.join(path)).unwrap_or_else(|e| panic!("{path}: {e}"));
    let sources = read("repository/conf/datasources/master-datasources.xml");
    assert!(sources.contains("<url>jdbc:mysql://127.0.0.1:3306/um</url>") && sources.contains("<password>a&lt;b&amp;c</password>"));
    for name in ["api-manager.xml", "user-mgt.xml", "registry.xml", "identity.xml", "carbon.xml"] {
        assert!(read(&format!("repository/conf/{name}")).starts_with("<?xml"), "{name}");
    }

    let synapse = "repository/deployment/server/synapse-configs/default";
    let orders = read(&format!("{synapse}/api/alice--Orders_v1.0.0.xml"));
    assert!(orders.contains("context=\"/orders/1.0.0\"") && orders.contains("http://127.0.0.1:9000/orders\""));
    assert!(read(&format!("{synapse}/api/alice--Orders.xml")).contains("context=\"/orders\""));
    assert!(read(&format!("{synapse}/api/alice--Legacy_v1.0.0.xml")).contains("700700"));
    assert!(read("repository/tenants/1/synapse-configs/default/api/carol-AT-acme.com--Pets_v1.0.0.xml").contains("/t/acme.com/pets/1.0.0"));
    assert!(read(&format!("{synapse}/sequences/_auth_failure_handler_.xml")).contains("X-Help"));
    assert!(read(&format!("{synapse}/sequences/alice--Weather:v1.0.0--In.xml")).contains("name=\"alice--Weather:v1.0.0--In\""));
    for absent in ["theo--Draft_v0.1.0.xml", "alice--Fax_v1.0.0.xml"] {
        assert!(!home.join(synapse).join("api").join(absent).exists(), "{absent}");
    }
}
