//! Staying with the vendor, through the binary: what `export` writes goes in at the doors that archives are imported at, comes out of them
//! the same, and its keys call.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use archive::{ApiProject, ApplicationProject, Folder, Format};
use http::Method;
use oldsite::Site;
use reqwest::multipart::{Form, Part};
use testkit::{Answer, Backend, Caller, Client, House, Rest};

use crate::binary;
use crate::upgrade_road::{Old, Said};

/// Archives below a folder, by their path from there.
fn archives(at: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    let mut waiting = vec![at.to_owned()];
    while let Some(folder) = waiting.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|extension| extension == "zip") {
                found.insert(path.strip_prefix(at).unwrap().to_owned(), std::fs::read(&path).unwrap());
            }
        }
    }
    found
}

/// `archives/<tenant>/<kind>/…`
fn of<'a>(all: &'a BTreeMap<PathBuf, Vec<u8>>, tenant: &str, kind: &str) -> Vec<&'a Vec<u8>> {
    all.iter().filter(|(path, _)| path.starts_with(Path::new(tenant).join(kind))).map(|(_, bytes)| bytes).collect()
}

async fn import(rest: &Rest, path: &str, bytes: &[u8]) -> Answer {
    let part = Part::bytes(bytes.to_owned()).file_name("a.zip").mime_str("application/zip").unwrap();
    Answer::of(rest.request(Method::POST, path).multipart(Form::new().part("file", part)).send().await.unwrap()).await
}

async fn export(rest: &Rest, path: &str, query: &[(&str, &str)]) -> Folder {
    let answer = rest.request(Method::GET, path).query(query).send().await.unwrap();
    assert!(answer.status().is_success(), "{path} {query:?}: {}", answer.status());
    Folder::unzip(&answer.bytes().await.unwrap()).unwrap()
}

/// What two folders hold, file by file.
fn same(one: &Folder, other: &Folder, name: &str) {
    let paths = |folder: &Folder| folder.paths().map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(paths(one), paths(other), "{name}");
    for path in one.paths() {
        let text = |folder: &Folder| String::from_utf8_lossy(folder.get(path).unwrap()).into_owned();
        let (one, other) = (text(one), text(other));
        let first = one.lines().zip(other.lines()).find(|(a, b)| a != b);
        assert!(one == other, "{name}: {path}: {first:?}, {} and {} lines", one.lines().count(), other.lines().count());
    }
}

/// The sample without the API whose operations are answered by scripts, which no gateway of ours deploys.
fn site(backend: &str) -> Site {
    let mut site = Site::sample(backend, server::clock::now().0);
    let scripted: Vec<i32> = site.apis.iter().filter(|api| api.name == "Mock").map(|api| api.id).collect();
    assert_eq!(scripted.len(), 1);
    site.apis.retain(|api| !scripted.contains(&api.id));
    site.subscriptions.retain(|one| !scripted.contains(&one.api));
    site
}

/// What `NOT-EXPORTED.md` wants to be there first: the same installation without its APIs and applications, taken over.
fn prepared(old: &Old) -> Old {
    let mut site = old.site.clone();
    site.apis.clear();
    site.applications.clear();
    site.subscriptions.clear();
    site.tokens.clear();
    site.workflows.clear();
    site.ratings.clear();
    site.comments.clear();
    let new = Old::of(site);
    let mut apply = new.command(&["apply", "--unplanned"], "data");
    // The server in this process has no key but the one beside its database.
    let said = Said::of(apply.env_remove("TIDEGATE_ENCRYPTION_KEY").output().unwrap());
    assert!(said.fine, "{}", said.text);
    new
}

#[tokio::test]
async fn what_is_exported_goes_in_elsewhere_comes_out_the_same_and_calls() {
    let backend = Backend::start().await;
    let old = Old::of(site(&backend.url()));
    let said = old.fine(&["export", "--to", "apictl-4.0", "--out", "archives", "--with-secrets"], "none");
    assert!(said.contains("APIs: 12, applications: 7") && !old.at("none").exists(), "{said}");
    let all = archives(&old.at("archives"));
    let new = prepared(&old);
    let house = House::on(&new.at("data")).await;
    let credentials = old.site.credentials();
    let admin = Rest::sign_in(&house, &credentials.admin, &credentials.admin_password).await;
    let of_tenant = &old.site.tenants[0];
    let tenant = Rest::sign_in(&house, &format!("{}@{}", of_tenant.admin, of_tenant.domain), &tenant_password(&old.site)).await;
    let (mut apis, mut applications) = (0, 0);
    // Of each published version the plans it offers.
    let mut offers: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
    for (rest, domain) in [(&admin, "carbon.super"), (&tenant, &*of_tenant.domain)] {
        for bytes in of(&all, domain, "apis") {
            let folder = Folder::unzip(bytes).unwrap();
            let project = ApiProject::read(&folder).unwrap();
            let api = &project.api;
            let (name, version) = (api.name.as_deref().unwrap(), api.version.as_deref().unwrap());
            let provider = api.provider.as_deref().unwrap();
            let answer = import(rest, "publisher/v2/apis/import", bytes).await;
            assert!(answer.status.is_success(), "{name} {version}: {} {}", answer.status, answer.text);
            let mut query = vec![("name", name), ("version", version), ("providerName", provider)];
            // What runs is told by the revision that does.
            if !project.deployments.is_empty() {
                query.push(("latestRevision", "true"));
            }
            same(&plain(&folder), &plain(&export(rest, "publisher/v2/apis/export", &query).await), name);
            let is_published = api.life_cycle_status.as_deref() == Some("PUBLISHED");
            let plans = if is_published { api.policies.clone().unwrap() } else { Vec::new() };
            offers.insert((name.to_owned(), version.to_owned()), plans);
            apis += 1;
        }
        for bytes in of(&all, domain, "applications") {
            let mut project = ApplicationProject::read(&Folder::unzip(bytes).unwrap()).unwrap();
            let answer = import(rest, "devportal/v2/applications/import?preserveOwner=true", bytes).await;
            assert!(answer.status.is_success(), "{}: {} {}", project.application_info.name, answer.status, answer.text);
            // Nobody can subscribe to what is not published any more, nor by a plan that is offered no more; exactly these are passed over.
            let offered = |one: &archive::SubscribedApi| {
                offers[&(one.api_id.api_name.clone(), one.api_id.version.clone())].contains(&one.throttling_policy)
            };
            let passed_over: Vec<_> = project.subscribed.extract_if(.., |one| !offered(one)).collect();
            project.application_info.subscription_count -= passed_over.len() as u64;
            assert_eq!(answer.status.as_u16(), if passed_over.is_empty() { 201 } else { 207 }, "{}", answer.text);
            // Ways to a token that nobody can go here yet are left out.
            for key in &mut project.application_info.keys {
                key.supported_grant_types.retain(|grant| ["client_credentials", "password", "refresh_token"].contains(&grant.as_str()));
            }
            let info = &project.application_info;
            // As on the old site, an administrator decides subscriptions.
            rest.approve_all().await;
            let query = [("appName", info.name.as_str()), ("appOwner", info.owner.as_str()), ("withKeys", "true")];
            let shown = export(rest, "devportal/v2/applications/export", &query).await;
            same(&project.folder(Format::Yaml), &ApplicationProject::read(&shown).unwrap().folder(Format::Yaml), &info.name);
            applications += 1;
        }
    }
    assert_eq!((apis, applications), (12, 7));
    // The old consumer key and secret get a token here, and it calls.
    let caller = Caller::new(&house);
    let client = Client { id: credentials.consumer_key.clone(), secret: credentials.consumer_secret.clone() };
    let token = caller.token(&client, "").await;
    caller.get(&credentials.path, &token).await.expect(200);
    assert_eq!(caller.get(&credentials.path, "").await.status, 401);
}

/// Without what must differ: the address at which a portal shows the WSDL, in which the API's new number stands, documents' authors, and the
/// order of operations, which the definition gives.
fn plain(folder: &Folder) -> Folder {
    let mut project = ApiProject::read(folder).unwrap();
    project.api.wsdl_url = None;
    // Which the publisher's door never tells.
    project.api.endpoint_config = project.api.endpoint_config.as_ref().map(archive::shape::without_secrets);
    if let Some(operations) = &mut project.api.operations {
        operations.sort_by_key(|one| (one.target.clone(), one.verb.clone()));
    }
    // Whoever imports a document is its author here.
    project.documents.iter_mut().for_each(|document| document.document.created_by = None);
    project.folder(Format::Yaml)
}

fn tenant_password(site: &Site) -> String {
    let tenant = &site.tenants[0];
    site.users.iter().find(|user| user.tenant == tenant.id && user.name == tenant.admin).unwrap().password.clone()
}

#[test]
fn an_export_that_cannot_be_written_says_what_to_do() {
    let old = Old::sample();
    std::fs::create_dir(old.at("taken")).unwrap();
    std::fs::write(old.at("taken/mine"), "mine").unwrap();
    std::fs::write(old.at("file"), "").unwrap();
    for (words, told) in [
        (vec!["--to", "apictl-4.0", "--out", "taken"], "is not empty; name one that is not there yet"),
        (vec!["--to", "apictl-4.0", "--out", "file"], "cannot be written into; name a folder"),
        (vec!["--to", "apictl-4.0", "--out", "file/below"], "cannot be written into; name a folder"),
        (vec!["--to", "apictl-4", "--out", "new"], "a similar value exists: 'apictl-4.0'"),
        (vec!["--to", "apictl-4.0"], "--out <OUT>"),
    ] {
        let words: Vec<&str> = ["export"].into_iter().chain(words).collect();
        let said = old.refused(&words, "none");
        assert!(said.contains(told), "{words:?}: {said}");
        // Told before the old installation is read, which may take long.
        assert!(!said.contains("reading the old installation"), "{said}");
    }
    assert_eq!(std::fs::read(old.at("taken/mine")).unwrap(), b"mine");
}

/// Files of some kilobytes and no more: what fills a disk in the middle of an export.
#[cfg(target_os = "linux")]
#[test]
fn an_export_that_is_cut_short_says_so_and_has_no_list_of_what_is_missing() {
    let old = Old::sample();
    let command = old.command(&["export", "--to", "apictl-4.0", "--out", "archives"], "none");
    let mut limited = Command::new("prlimit");
    limited.arg("--fsize=2048").arg("env").arg("-i").arg("sh").args(["-c", "trap '' XFSZ; exec \"$@\"", "sh"]);
    limited.arg(command.get_program()).args(command.get_args()).current_dir(old.folder.path());
    let said = Said::of(limited.output().unwrap());
    assert!(!said.fine && said.text.contains("remove the folder before you export into it again"), "{}", said.text);
    assert!(old.at("archives").exists() && !old.at("archives/NOT-EXPORTED.md").exists());
}

#[test]
fn real_installations_are_exported() {
    let Ok(samples) = std::env::var("TIDEGATE_SAMPLES") else {
        println!("SKIPPED: TIDEGATE_SAMPLES does not name the folder of sample installations");
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    for (sample, apis, applications) in
        [("wso2am-1.8.0-empty", 0, 0), ("wso2am-1.9.0-empty", 0, 0), ("wso2am-2.1.0-small", 1, 1), ("wso2am-2.6.0-small", 1, 2)]
    {
        let out = folder.path().join(sample);
        let mut command = Command::new(binary());
        command.args(["upgrade", "export", "--to", "apictl-4.0", "--out"]).arg(&out);
        let said = Said::of(command.arg("--source").arg(Path::new(&samples).join(sample)).output().unwrap());
        assert!(said.fine, "{sample}: {}", said.text);
        let all = archives(&out);
        let (found_apis, found_applications) = (of(&all, "carbon.super", "apis"), of(&all, "carbon.super", "applications"));
        assert_eq!((found_apis.len(), found_applications.len()), (apis, applications), "{sample}");
        for bytes in found_apis {
            let project = ApiProject::read(&Folder::unzip(bytes).unwrap()).unwrap();
            assert!(project.left.is_empty() && project.definition.is_some(), "{sample}");
        }
        for bytes in found_applications {
            ApplicationProject::read(&Folder::unzip(bytes).unwrap()).unwrap();
        }
    }
}
