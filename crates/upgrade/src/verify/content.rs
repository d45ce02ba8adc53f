//! What APIs have beside their records: files byte for byte, and past the translation what people see of them: who said what when, the
//! average of the stars, tags, history, and which version answers on the address without one.
//!
//! Files are read from both sides, one at a time, and hashed here; the digest stored beside the bytes is not believed.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, HashMap, HashSet};

use db::files::{Place, sha256};
use db::{Db, Tx};
use model::{ApiId, LifecycleState};

use super::straight::Question;
use super::{Compared, Difference, Verification};
use crate::files::{Come, KIND};
use crate::old::apis::OldApi;
use crate::plan::PlanError;
use crate::source::{Row, Site};
use crate::translate::{Input, Translation, WantedFile};

pub(super) async fn compare(
    done: &mut Verification,
    translation: &Translation,
    input: &Input<'_>,
    site: &Site,
    db: &Db,
) -> Result<(), PlanError> {
    // As in `rows`: which API a row became is taken from the translation; that it is the right one is asked elsewhere.
    let by_row: HashMap<i64, ApiId> = translation.apis.iter().filter_map(|a| Some((a.key.parse().ok()?, a.value.api.id))).collect();
    let id = |old: &OldApi| match old.uuid.as_deref().map(str::parse) {
        Some(Ok(id)) if by_row.values().any(|known| *known == id) || old.row.is_none() => Some(id),
        _ => by_row.get(&old.row.as_ref()?.id).copied(),
    };
    let apis: Vec<(&OldApi, ApiId)> = input.old.apis.iter().filter_map(|old| Some((old, id(old)?))).collect();
    files(done, translation, input, &apis, db).await?;
    let mut tx = db.read().await?;
    comments(done, site, &by_row, &mut tx).await?;
    averages(done, site, &by_row, &mut tx).await?;
    tags(done, input, &apis, &mut tx).await?;
    history(done, input, site, &by_row, &mut tx).await?;
    default_versions(done, site, &by_row, &mut tx).await
}

async fn files(
    done: &mut Verification,
    translation: &Translation,
    input: &Input<'_>,
    apis: &[(&OldApi, ApiId)],
    db: &Db,
) -> Result<(), PlanError> {
    let mut wanted: HashMap<(i64, &str), Vec<&WantedFile>> = HashMap::new();
    for file in &translation.files {
        wanted.entry((file.tenant, file.path.as_str())).or_default().push(file);
    }
    let mut seen_by_people = by_people(apis);
    let mut compared = Compared { kind: KIND, ..Compared::default() };
    let mut question = Question::new("pictures, WSDLs and documents");
    let paths: HashSet<(i64, &str)> = wanted.keys().chain(seen_by_people.keys()).copied().collect();
    let mut contents = input.old.registry.contents(paths);
    while let Some((tenant, path, bytes)) = contents.next().await? {
        let mut tx = db.read().await?;
        let ours = sha256(&bytes);
        for file in wanted.remove(&(tenant, path)).unwrap_or_default() {
            let there = db::files::read(&mut tx, file.api, &file.place).await?;
            let come = Come { wanted: file, bytes: Vec::new() };
            // What it is, by its own bytes, as when it was written.
            let media_type = Come { bytes: bytes.clone(), ..come }.media_type().to_owned();
            let expected = format!("{}, {media_type}, {} bytes, {ours}", file.name, bytes.len());
            let found = there.map(|(head, is)| {
                let sum = sha256(&is);
                // What is told of the bytes without reading them must fit them.
                let told = if usize::try_from(head.size) == Ok(is.len()) && head.sha256 == sum { "" } else { ", told wrongly" };
                format!("{}, {}, {} bytes, {sum}{told}", head.name, head.media_type, is.len())
            });
            record(done, &mut compared, &file.key, &expected, found.as_deref());
        }
        for (api, place) in seen_by_people.remove(&(tenant, path)).unwrap_or_default() {
            let is = db::files::read(&mut tx, api, &place).await?.map(|(_, is)| sha256(&is));
            question.ask(&format!("{tenant} {path}"), &place.to_string(), &ours, is.as_deref());
        }
    }
    done.kinds.push(compared);
    question.close(done);
    Ok(())
}

/// Where a reader of a portal would look for each file, by the registry alone.
fn by_people<'a>(apis: &[(&'a OldApi, ApiId)]) -> HashMap<(i64, &'a str), Vec<(ApiId, Place)>> {
    let mut found: HashMap<(i64, &str), Vec<(ApiId, Place)>> = HashMap::new();
    for (old, api) in apis {
        let pictures = old.icon.iter().map(|f| (f, Place::Thumbnail));
        let wsdls = old.wsdl.iter().map(|f| (f, Place::Wsdl));
        let mut ids = HashSet::new();
        let documents = old.documents.iter().filter_map(|d| {
            let id = d.uuid.as_deref()?.parse().ok()?;
            // Two of one identifier: only one can have it, and it is compared as a record.
            let file = match d.get("overview_sourceType").map(str::trim) {
                Some("FILE") => d.file.as_ref(),
                Some("INLINE" | "MARKDOWN") => d.inline.as_ref(),
                _ => None,
            }?;
            ids.insert(id).then_some((file, Place::Document(id)))
        });
        for (file, place) in pictures.chain(wsdls).chain(documents) {
            found.entry((file.tenant_id, file.path.as_str())).or_default().push((*api, place));
        }
    }
    found
}

fn record(done: &mut Verification, compared: &mut Compared, key: &str, expected: &str, found: Option<&str>) {
    compared.source += 1;
    compared.source_checksum.add(key, expected);
    if let Some(found) = found {
        compared.target_checksum.add(key, found);
    }
    match found {
        Some(found) if found == expected => {
            compared.target += 1;
            compared.equal += 1;
            return;
        }
        Some(_) => {
            compared.target += 1;
            compared.different += 1;
        }
        None => compared.missing += 1,
    }
    done.differ(Difference {
        kind: compared.kind,
        key: key.to_owned(),
        field: "file".to_owned(),
        source: expected.to_owned(),
        target: found.unwrap_or("missing").to_owned(),
    });
}

fn number(row: &Row, column: &str) -> Option<i64> {
    row.int(column).ok().flatten()
}

fn text(row: &Row, column: &str) -> Option<String> {
    row.text(column).ok().flatten()
}

async fn comments(done: &mut Verification, site: &Site, apis: &HashMap<i64, ApiId>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("comments, their authors and times");
    let mut rows = site.databases.api.scan("AM_API_COMMENTS");
    let mut of: HashMap<ApiId, Vec<model::Comment>> = HashMap::new();
    while let Some(row) = rows.next().await? {
        let Some(api) = number(&row, "API_ID").and_then(|id| apis.get(&id)) else { continue };
        let Some(words) = text(&row, "COMMENT_TEXT").filter(|t| !t.trim().is_empty()) else { continue };
        let author = text(&row, "COMMENTED_USER").unwrap_or_default();
        let author = author.strip_suffix("@carbon.super").unwrap_or(&author).to_owned();
        // Whatever the server's zone, this column was written in UTC.
        let at = row.timestamp("DATE_COMMENTED").ok().flatten().map_or(0, |t| t.and_utc().timestamp_millis());
        let all = match of.entry(*api) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(first) => first.insert(db::comments::list(tx, *api, u32::MAX, 0).await?.items),
        };
        let there = all.iter().find(|c| c.text == words && c.created_at.0 == at);
        let key = format!("AM_API_COMMENTS {}", number(&row, "COMMENT_ID").unwrap_or_default());
        question.ask(&key, "author", &author, there.map(|c| c.author.as_str()));
    }
    question.close(done);
    Ok(())
}

async fn averages(done: &mut Verification, site: &Site, apis: &HashMap<i64, ApiId>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("averages of ratings");
    let mut users: HashMap<i64, String> = HashMap::new();
    let mut rows = site.databases.api.scan("AM_SUBSCRIBER");
    while let Some(row) = rows.next().await? {
        if let (Some(id), Some(user)) = (number(&row, "SUBSCRIBER_ID"), text(&row, "USER_ID")) {
            users.insert(id, user);
        }
    }
    let mut stars: BTreeMap<ApiId, BTreeMap<String, (i64, u64)>> = BTreeMap::new();
    let mut rows = site.databases.api.scan("AM_API_RATINGS");
    while let Some(row) = rows.next().await? {
        let Some(api) = number(&row, "API_ID").and_then(|id| apis.get(&id)) else { continue };
        let Some(user) = number(&row, "SUBSCRIBER_ID").and_then(|id| users.get(&id)) else { continue };
        let Some(given) = number(&row, "RATING").and_then(|r| u64::try_from(r).ok()).filter(|r| (1..=5).contains(r)) else { continue };
        let id = number(&row, "RATING_ID").unwrap_or_default();
        let of = stars.entry(*api).or_default().entry(user.clone()).or_insert((id, given));
        if id >= of.0 {
            *of = (id, given);
        }
    }
    let ids: Vec<ApiId> = stars.keys().copied().collect();
    let there = db::ratings::sums(tx, &ids).await?;
    for (api, of) in stars {
        let ought = format!("{} stars of {}", of.values().map(|(_, s)| s).sum::<u64>(), of.len());
        let is = there.get(&api).map(|(sum, n)| format!("{sum} stars of {n}"));
        question.ask(&format!("API {api}"), "ratings", &ought, is.as_deref());
    }
    question.close(done);
    Ok(())
}

async fn tags(done: &mut Verification, input: &Input<'_>, apis: &[(&OldApi, ApiId)], tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("tags of APIs");
    for (old, api) in apis {
        let Some(resource) = old.artifact.as_ref().and_then(|a| input.old.registry.at(old.tenant_id, &a.path)) else { continue };
        let there = db::apis::find(tx, *api).await?.map(|a| {
            let mut tags = a.tags;
            tags.sort();
            tags.join(", ")
        });
        question.ask(&resource.path, "tags", &resource.tags.join(", "), there.as_deref());
    }
    question.close(done);
    Ok(())
}

async fn history(
    done: &mut Verification,
    input: &Input<'_>,
    site: &Site,
    apis: &HashMap<i64, ApiId>,
    tx: &mut Tx,
) -> Result<(), PlanError> {
    const TABLE: &str = "AM_API_LC_EVENT";
    let mut question = Question::new("steps of lifecycles");
    let mut steps: BTreeMap<i64, (ApiId, String)> = BTreeMap::new();
    let mut rows = site.databases.api.scan(TABLE);
    while let Some(row) = rows.next().await? {
        let (Some(id), Some(api)) = (number(&row, "EVENT_ID"), number(&row, "API_ID").and_then(|id| apis.get(&id))) else { continue };
        // A state of the site's own has no step here; the translation tells of each.
        let Some(to) = text(&row, "NEW_STATE").filter(|s| LifecycleState::parse(s).is_some()) else { continue };
        let from = text(&row, "PREVIOUS_STATE").filter(|s| LifecycleState::parse(s).is_some()).unwrap_or_default();
        let at = row.timestamp("EVENT_DATE").ok().flatten().map(|t| input.clock.epoch_ms(TABLE, "EVENT_DATE", t));
        let words = format!("{} -> {} at {}", from.to_ascii_uppercase(), to.to_ascii_uppercase(), at.unwrap_or_default());
        steps.insert(id, (*api, words));
    }
    let mut there: HashMap<ApiId, std::vec::IntoIter<db::lifecycle_events::LifecycleEvent>> = HashMap::new();
    for (id, (api, ought)) in steps {
        let next = match there.entry(api) {
            Entry::Occupied(mut known) => known.get_mut().next(),
            Entry::Vacant(first) => first.insert(db::lifecycle_events::list(tx, api).await?.into_iter()).next(),
        };
        let is = next.map(|e| format!("{} -> {} at {}", e.from.map_or("", LifecycleState::name), e.to.name(), e.at.0));
        question.ask(&format!("{TABLE} {id}"), "step", &ought, is.as_deref());
    }
    question.close(done);
    Ok(())
}

async fn default_versions(done: &mut Verification, site: &Site, apis: &HashMap<i64, ApiId>, tx: &mut Tx) -> Result<(), PlanError> {
    let mut question = Question::new("default versions");
    let mut known: HashMap<(String, String, String), ApiId> = HashMap::new();
    let mut rows = site.databases.api.scan("AM_API");
    while let Some(row) = rows.next().await? {
        let cells = (text(&row, "API_PROVIDER"), text(&row, "API_NAME"), text(&row, "API_VERSION"));
        if let ((Some(provider), Some(name), Some(version)), Some(id)) = (cells, number(&row, "API_ID").and_then(|id| apis.get(&id))) {
            known.insert((provider, name, version), *id);
        }
    }
    let mut rows = site.databases.api.scan("AM_API_DEFAULT_VERSION");
    while let Some(row) = rows.next().await? {
        let (Some(provider), Some(name)) = (text(&row, "API_PROVIDER"), text(&row, "API_NAME")) else { continue };
        let said = |column: &str| text(&row, column).filter(|t| !t.trim().is_empty());
        let Some(version) = said("PUBLISHED_DEFAULT_API_VERSION").or_else(|| said("DEFAULT_API_VERSION")) else { continue };
        let Some(api) = known.get(&(provider, name.clone(), version.trim().to_owned())) else { continue };
        let is = db::apis::find(tx, *api).await?.map(|a| if a.is_default_version { "answers" } else { "does not" });
        question.ask(&format!("{name} {version}"), "address without version", "answers", is);
    }
    question.close(done);
    Ok(())
}
