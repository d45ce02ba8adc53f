//! Archives written from old installations: all that can be in them is, secrets only on request, and the rest is named.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::{ApiProject, ApplicationProject, Folder};
use model::SubscriptionState;
use oldsite::{Dialect, mysql::Blobs};
use upgrade::export::{ExportError, Exported, Format, Wanted, export};
use upgrade::translate::{Records as _, Translation};

use crate::{
    roads::{NOW_MS, dumps, made_up, written},
    taking::Taken,
};

async fn taken(folder: &Path) -> Taken {
    Taken::dumps(dumps(&written(&made_up(), Dialect::MySql(Blobs::Escaped), folder)), NOW_MS).await
}

async fn exported(taken: &Taken, translation: &Translation, to: &Path, with_secrets: bool) -> Result<Exported, ExportError> {
    let wanted = Wanted { to: to.to_owned(), format: Format::Yaml, with_secrets };
    export(translation, &taken.old.installation.registry, &wanted).await
}

/// Every file below a folder, by its path from there.
fn files(at: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![at.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else {
                found.insert(path.strip_prefix(at).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

fn archives(files: &BTreeMap<PathBuf, Vec<u8>>, kind: &str) -> Vec<Folder> {
    let of_kind = files.iter().filter(|(path, _)| path.iter().nth(1).is_some_and(|folder| folder == kind));
    of_kind.map(|(_, bytes)| Folder::unzip(bytes).unwrap()).collect()
}

#[tokio::test]
async fn every_api_and_application_has_an_archive_that_reads() {
    let folder = tempfile::tempdir().unwrap();
    let taken = taken(folder.path()).await;
    let (translation, _) = taken.planned(None).await;
    let to = folder.path().join("out");
    let done = exported(&taken, &translation, &to, false).await.unwrap();
    let files = files(&to);
    let projects: Vec<ApiProject> = archives(&files, "apis").iter().map(|f| ApiProject::read(f).unwrap()).collect();
    assert!(projects.len() > 3);
    assert_eq!((projects.len(), done.apis), (translation.apis.len(), translation.apis.len() as u64));
    for project in &projects {
        let (name, version) = (project.api.name.as_deref().unwrap(), project.api.version.as_deref().unwrap());
        let carried = translation.apis.iter().find(|c| c.value.api.name == name && c.value.api.version == version).unwrap();
        assert_eq!(project.left, Vec::<String>::new());
        assert_eq!(project.api.life_cycle_status.as_deref(), Some(carried.value.api.state.name()));
        assert_eq!(project.api.operations.as_ref().unwrap().len(), carried.value.api.operations.len());
        assert!(project.definition.is_some(), "{name}");
        assert_eq!(project.deployments.len(), usize::from(carried.value.deployed), "{name}");
        assert_eq!(project.documents.len(), translation.documents.iter().filter(|d| d.value.api == carried.value.api.id).count());
    }
    let orders = projects.iter().find(|p| p.api.name.as_deref() == Some("Orders")).unwrap();
    let guide = orders.documents.iter().find(|d| d.document.name.as_deref() == Some("Getting Started")).unwrap();
    assert_eq!(guide.content.as_deref(), Some(&b"<p>Ask for an order: <code>GET /order/42</code></p>"[..]));
    let sheet = orders.documents.iter().find(|d| d.document.name.as_deref() == Some("Reference")).unwrap();
    assert_eq!(sheet.content.as_deref(), Some(&b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n%%EOF\n"[..]));

    let applications: Vec<ApplicationProject> =
        archives(&files, "applications").iter().map(|f| ApplicationProject::read(f).unwrap()).collect();
    assert_eq!(applications.len() as u64, done.applications);
    let in_force = (0..translation.subscriptions.count()).filter_map(|at| translation.subscriptions.record(at));
    let in_force = in_force.filter(|s| matches!(s.value.state, SubscriptionState::Unblocked | SubscriptionState::TierUpdatePending));
    let approved = |id| translation.applications.iter().any(|a| a.value.id == id && a.value.status == model::ApplicationStatus::Approved);
    let expected = in_force.filter(|s| approved(s.value.application)).count();
    assert!(expected > 3);
    assert_eq!(applications.iter().map(|a| a.subscribed.len()).sum::<usize>(), expected);
    assert_eq!(done.subscriptions, expected as u64);
    assert!(!to.join(".laid-aside").exists());
}

#[tokio::test]
async fn secrets_are_written_on_request_alone_and_told_otherwise() {
    let folder = tempfile::tempdir().unwrap();
    let taken = taken(folder.path()).await;
    let (translation, _) = taken.planned(None).await;
    let (without, with) = (folder.path().join("without"), folder.path().join("with"));
    let done = exported(&taken, &translation, &without, false).await.unwrap();
    assert!(done.secrets_left_out > 0);
    let keys = |at: &Path| -> Vec<archive::ApplicationKey> {
        let all = archives(&files(at), "applications");
        all.iter().flat_map(|f| ApplicationProject::read(f).unwrap().application_info.keys).collect()
    };
    assert!(keys(&without).iter().all(|key| key.secret().unwrap().is_none()));
    let told = std::fs::read_to_string(without.join("NOT-EXPORTED.md")).unwrap();
    assert!(told.contains("consumer secrets"), "{told}");
    let done = exported(&taken, &translation, &with, true).await.unwrap();
    assert_eq!(done.secrets_left_out, 0);
    let keys = keys(&with);
    assert!(!keys.is_empty());
    for key in keys {
        let client = translation.clients.iter().find(|c| Some(&c.value.id) == key.consumer_key.as_ref()).unwrap();
        assert_eq!(key.secret().unwrap().unwrap().expose(), client.value.secret.expose());
        for (path, bytes) in files(&without) {
            let unpacked = Folder::unzip(&bytes).map(|f| f.paths().flat_map(|p| f.get(p).unwrap().to_vec()).collect()).unwrap_or(bytes);
            let secret = client.value.secret.expose().as_bytes();
            assert!(!unpacked.windows(secret.len()).any(|w| w == secret), "{}", path.display());
        }
    }
}

#[tokio::test]
async fn the_same_installation_gives_the_same_bytes_and_nothing_is_written_over() {
    let folder = tempfile::tempdir().unwrap();
    let taken = taken(folder.path()).await;
    let (translation, _) = taken.planned(None).await;
    let (one, other) = (folder.path().join("one"), folder.path().join("other"));
    exported(&taken, &translation, &one, false).await.unwrap();
    exported(&taken, &translation, &other, false).await.unwrap();
    let before = files(&one);
    assert!(before == files(&other));
    assert!(matches!(exported(&taken, &translation, &one, false).await, Err(ExportError::NotEmpty(_))));
    assert!(before == files(&one));
}

#[tokio::test]
async fn what_archives_cannot_hold_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let taken = taken(folder.path()).await;
    let (translation, _) = taken.planned(None).await;
    let to = folder.path().join("out");
    exported(&taken, &translation, &to, false).await.unwrap();
    let told = std::fs::read_to_string(to.join("NOT-EXPORTED.md")).unwrap();
    for tenant in &translation.tenants {
        assert!(told.contains(&format!("- `{}`", tenant.value.domain)), "{told}");
    }
    let stock = model::default_subscription_policies(model::TenantId::SUPER);
    for plan in translation.subscription_policies.iter().filter(|p| !stock.iter().any(|s| s.name == p.value.name)) {
        assert!(told.contains(&format!("- `{} (", plan.value.name)), "{}: {told}", plan.value.name);
    }
    for words in ["### users with their passwords: ", "### OAuth clients whose live tokens stay behind", "### comments: "] {
        assert!(told.contains(words), "{words}: {told}");
    }
}
