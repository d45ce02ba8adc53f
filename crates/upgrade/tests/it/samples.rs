//! Four real installations, read from their folders as an operator would.

use std::path::PathBuf;

use model::Timestamp;
use upgrade::translate::{EndpointMap, translate};
use upgrade::{
    Old, Place,
    old::{Installation, oauth::Tokens},
    source::{Location, Reading, Site, Source, Version, files::Home},
};

use crate::reading::fingerprint;

pub(crate) fn sample(name: &str) -> Option<PathBuf> {
    let Ok(samples) = std::env::var("TIDEGATE_SAMPLES") else {
        println!("skipped: TIDEGATE_SAMPLES does not name the folder of sample installations");
        return None;
    };
    Some(PathBuf::from(samples).join(name))
}

async fn read(name: &str) -> Option<(Home, Site, Installation)> {
    let home = Home::open(&sample(name)?).unwrap();
    let reading = Reading { source_zone: Some(chrono_tz::UTC), database_zone: None };
    let site = Site::open_home(&home, reading).await.unwrap();
    let old = Installation::read(&site, Some(&home.settings)).await.unwrap();
    assert!(old.unreadable.is_empty(), "{:?}", old.unreadable);
    assert!(!old.encryption.is_on());
    Some((home, site, old))
}

#[tokio::test]
async fn never_started_1_8_0_is_told_and_empty() {
    let Some((home, site, old)) = read("wso2am-1.8.0-empty").await else { return };
    assert_eq!(old.version, Version::V1_8_0);
    assert_eq!(home.settings.client_domain_header.as_deref(), Some("referer"));
    assert!(old.apis.is_empty() && old.applications.is_empty() && old.subscriptions.is_empty());
    assert!(site.databases.api.table("AM_API").is_some());
    assert!(home.synapse.iter().filter(|f| f.kind == "sequences").count() >= 9);
}

/// Every sequence that was shipped is known for one, so none is carried and none is told.
#[tokio::test]
async fn shipped_sequences_are_known_for_what_they_are() {
    for name in ["wso2am-1.8.0-empty", "wso2am-1.9.0-empty", "wso2am-2.1.0-small", "wso2am-2.6.0-small"] {
        let Some(home) = sample(name) else { return };
        let old = Old::read(&Place { home: Some(home), ..Place::default() }).await.unwrap();
        let map = EndpointMap::default();
        let translation = translate(&old.input(&map, Timestamp(0)));
        assert!(translation.sequences.is_empty(), "{name}: {:?}", translation.sequences);
        let told: Vec<_> = translation.findings.iter().filter(|f| f.origin.contains("synapse-configs")).collect();
        assert!(told.is_empty(), "{name}: {told:?}");
    }
}

#[tokio::test]
async fn never_started_1_9_0_is_told_and_empty() {
    let Some((_, _, old)) = read("wso2am-1.9.0-empty").await else { return };
    assert_eq!(old.version, Version::V1_9_0);
    assert!(old.apis.is_empty() && old.users.is_empty());
}

#[tokio::test]
async fn a_little_used_2_1_0_reads() {
    let Some((_, _, old)) = read("wso2am-2.1.0-small").await else { return };
    assert_eq!(old.version, Version::V2_1_0);
    assert_eq!((old.apis.len(), old.applications.len(), old.subscriptions.len(), old.users.len()), (1, 1, 1, 1));
    assert_eq!(old.apis[0].comments.len(), 1);
    assert!(old.key_mappings.is_empty());
    assert!(old.apis[0].row.is_some() && old.apis[0].artifact.is_some() && old.apis[0].swagger.is_some());
    assert!(!old.policies.subscription.is_empty());
}

#[tokio::test]
async fn a_little_used_2_6_0_reads_down_to_its_token() {
    let Some((home, site, old)) = read("wso2am-2.6.0-small").await else { return };
    assert_eq!(old.version, Version::V2_6_0);
    assert_eq!(old.apis.len(), 1);
    let api = &old.apis[0];
    let artifact = api.artifact.as_ref().unwrap();
    assert_eq!(artifact.fault, None);
    let row = api.row.as_ref().unwrap();
    assert_eq!((artifact.get("overview_name"), artifact.get("overview_version")), (Some(row.name.as_str()), Some(row.version.as_str())));
    assert!(artifact.get("overview_endpointConfig").is_some());
    assert_eq!(api.url_mappings.len(), 3);
    assert!(api.uuid.as_ref().is_some_and(|u| u.len() == 36));
    let swagger: serde_json::Value = serde_json::from_slice(&api.swagger.as_ref().unwrap().open()).unwrap();
    assert!(swagger.get("paths").is_some());
    assert!(!api.lifecycle_events.is_empty());

    assert_eq!((old.applications.len(), old.subscriptions.len(), old.key_mappings.len(), old.users.len()), (2, 1, 1, 1));
    let key = &old.key_mappings.get(0).unwrap();
    let client = old.oauth_clients.iter().find(|c| Some(&c.key) == key.consumer_key.as_ref()).unwrap();
    assert!(client.secret.is_some());

    let mut tokens = Tokens::open(&site).await.unwrap();
    let batch = tokens.next_batch(10).await.unwrap();
    assert_eq!(batch.len(), 1);
    let token = &batch[0];
    assert_eq!(token.consumer_key_id, client.id);
    assert_eq!((token.state.as_deref(), token.grant_type.as_deref()), (Some("ACTIVE"), Some("client_credentials")));
    assert_eq!(token.scopes, ["am_application_scope", "default"]);
    assert!(token.created.is_some());
    assert!(tokens.next_batch(10).await.unwrap().is_empty());
    assert!(tokens.unreadable().is_empty());

    assert!(old.count("AM_API") == 1 && old.count("IDN_OAUTH2_ACCESS_TOKEN") == 1);
    assert!(home.settings.admin_user.is_some() && home.settings.key_store.is_some());
    assert!(old.tenant_files[0].tenant_conf.is_some());
    assert!(fingerprint(&old).contains(&row.name));
}

#[tokio::test]
async fn contents_left_in_place_can_be_streamed() {
    let Some((_, _, old)) = read("wso2am-2.6.0-small").await else { return };
    let wanted: Vec<&str> = old.registry.files_below(-1234, "/_system/governance/apimgt").into_iter().collect();
    assert!(!wanted.is_empty());
    let mut contents = old.registry.contents(wanted.iter().map(|p| (-1234, *p)));
    let mut seen = 0;
    while let Some((tenant, path, bytes)) = contents.next().await.unwrap() {
        assert_eq!(tenant, -1234);
        if let Some(known) = old.registry.content(tenant, path) {
            assert_eq!(known, bytes, "{path}");
        }
        seen += 1;
    }
    assert_eq!(seen, wanted.len());
}

#[tokio::test]
async fn counts_are_what_a_scan_finds() {
    let Some(home) = sample("wso2am-2.6.0-small") else { return };
    let location = Location::parse(&format!("h2:{}", home.join("repository/database/WSO2CARBON_DB").display())).unwrap();
    let source = Source::open(&location, Reading::default()).await.unwrap();
    for table in ["REG_RESOURCE", "REG_CONTENT", "UM_PERMISSION", "UM_CLAIM", "REG_PROPERTY"] {
        let scanned = source.scan(table).all().await.unwrap().len() as u64;
        assert_eq!(source.count(table).await.unwrap(), scanned, "{table}");
    }
}
