//! Revisions: frozen states of an API, and the environments they run in.
//!
//! What decides a race lies in the database: revision numbers are handed out by the API's row, an environment runs one revision of an
//! API, and a revision that runs somewhere cannot be removed.

use std::sync::Arc;

use db::Tx;
use model::{Api, ApiId, Deployment, Environment, LifecycleState, MAX_REVISIONS, Revision, RevisionId, Timestamp};
use rest::{Caller, FieldFault, Refusal};

use crate::access::{self, Intent};
use crate::apis;
use crate::{Room, entry};

const DESCRIPTION_MAX_CHARS: usize = 255;

/// A revision and where it runs.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Placed {
    /// The revision.
    pub revision: Revision,
    /// Its deployments.
    pub deployments: Vec<Deployment>,
}

/// An environment somebody wants a revision in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Target {
    /// Environment.
    pub environment: String,
    /// Host name; the environment's first one when absent.
    pub vhost: Option<String>,
    /// Shown in the developer portal.
    pub display_on_portal: bool,
}

/// Which revision an undeployment means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Which {
    /// By id.
    Id(String),
    /// By number.
    Number(u32),
}

/// Freezes the API as it is.
///
/// # Errors
/// 400 900351 when there are five; 404, 403.
pub(crate) async fn create(room: &Room, caller: &Caller, api_id: &str, description: Option<String>) -> Result<Placed, Refusal> {
    let mut faults = Vec::new();
    FieldFault::bounded(&mut faults, "description", description.as_deref(), DESCRIPTION_MAX_CHARS);
    Refusal::of(faults)?;
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Update).await?;
    let revision = freeze(&mut tx, &api, description, room.now()).await?;
    tx.commit().await?;
    Ok(Placed { revision, deployments: Vec::new() })
}

pub(crate) async fn freeze(tx: &mut Tx, api: &Api, description: Option<String>, now: Timestamp) -> Result<Revision, Refusal> {
    if api.state == LifecycleState::Retired {
        return Err(Refusal::Bad("A retired API gets no more revisions.".to_owned()));
    }
    // Taking the number first locks the API's row until the commit, so the count below cannot be overtaken by another request.
    let number = db::revisions::next_number(tx, api.id).await?;
    if db::revisions::count(tx, api.id).await? >= MAX_REVISIONS as u64 {
        // 4.0.0 answers this with a bare 500 (its handler catches everything); the catalogue's own entry is what a client can act on.
        return Err(entry::TOO_MANY_REVISIONS
            .with(format!("The API has {MAX_REVISIONS} revisions already, the most there can be. Delete one that is not deployed.")));
    }
    let revision = Revision {
        id: RevisionId::random(),
        api: api.id,
        number,
        description,
        content: Arc::new(api.clone()),
        definition: db::apis::definition(tx, api.id).await?,
        created_at: now,
    };
    db::revisions::insert(tx, &revision).await?;
    Ok(revision)
}

/// Freezes the API after its oldest revision is undeployed and removed, where there is no room for another.
///
/// # Errors
/// As [`create`].
pub(crate) async fn rotate(tx: &mut Tx, api: &Api, description: Option<String>, now: Timestamp) -> Result<Revision, Refusal> {
    let all = db::revisions::list(tx, api.id).await?;
    if let Some(oldest) = all.iter().min_by_key(|revision| revision.number).filter(|_| all.len() >= MAX_REVISIONS) {
        for deployment in db::deployments::of_revision(tx, oldest.id).await? {
            db::deployments::remove(tx, api.id, &deployment.environment).await?;
        }
        db::revisions::delete(tx, oldest.id).await?;
    }
    freeze(tx, api, description, now).await
}

/// All revisions by number; `deployed` keeps only those that run somewhere, or nowhere.
///
/// # Errors
/// 404, 403.
pub(crate) async fn list(room: &Room, caller: &Caller, api_id: &str, deployed: Option<bool>) -> Result<Vec<Placed>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Read).await?;
    let mut all = placed(&mut tx, api.id).await?;
    all.retain(|one| deployed.is_none_or(|wanted| wanted != one.deployments.is_empty()));
    Ok(all)
}

async fn placed(tx: &mut Tx, api: ApiId) -> Result<Vec<Placed>, Refusal> {
    let deployments = db::deployments::list(tx, api).await?;
    let of = |id: RevisionId| deployments.iter().filter(|d| d.revision == id).cloned().collect();
    Ok(db::revisions::list(tx, api).await?.into_iter().map(|revision| Placed { deployments: of(revision.id), revision }).collect())
}

/// One revision.
///
/// # Errors
/// 404 (4.0.0 never wrote this operation and answers 501), 403.
pub(crate) async fn find(room: &Room, caller: &Caller, api_id: &str, revision_id: &str) -> Result<Placed, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Read).await?;
    let revision = of_api(&mut tx, &api, revision_id).await?;
    let deployments = db::deployments::of_revision(&mut tx, revision.id).await?;
    Ok(Placed { revision, deployments })
}

/// Removes a revision that runs nowhere; answers those that are left.
///
/// # Errors
/// 400 900348 while it is deployed; 404, 403.
pub(crate) async fn delete(room: &Room, caller: &Caller, api_id: &str, revision_id: &str) -> Result<Vec<Placed>, Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Update).await?;
    let revision = of_api(&mut tx, &api, revision_id).await?;
    let deployed = || entry::REVISION_DEPLOYED.with(format!("The revision {revision_id} is deployed. Undeploy it first."));
    if !db::deployments::of_revision(&mut tx, revision.id).await?.is_empty() {
        return Err(deployed());
    }
    // A deployment made since the question above is found by the schema.
    db::revisions::delete(&mut tx, revision.id).await.map_err(|error| match error {
        db::Error::Reference(_) => deployed(),
        other => other.into(),
    })?;
    let left = placed(&mut tx, api.id).await?;
    tx.commit().await?;
    Ok(left)
}

/// Undeploys and removes every revision, when the API is retired.
pub(crate) async fn delete_all(tx: &mut Tx, api: ApiId) -> Result<(), Refusal> {
    for deployment in db::deployments::list(tx, api).await? {
        db::deployments::remove(tx, api, &deployment.environment).await?;
    }
    for revision in db::revisions::list(tx, api).await? {
        db::revisions::delete(tx, revision.id).await?;
    }
    Ok(())
}

/// Runs a revision in environments, in place of whatever ran there; answers all its deployments.
///
/// # Errors
/// 400 for an environment or host name that is none, and for an API that no gateway could serve; 404, 403.
pub(crate) async fn deploy(
    room: &Room,
    caller: &Caller,
    api_id: &str,
    revision_id: &str,
    targets: &[Target],
) -> Result<Vec<Deployment>, Refusal> {
    let now = room.now();
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Update).await?;
    let revision = of_api(&mut tx, &api, revision_id).await?;
    if api.state == LifecycleState::Retired {
        return Err(Refusal::Bad("A retired API cannot be deployed.".to_owned()));
    }
    // Asked before anything is written: what a deployment says is running must run.
    let content = Api { state: api.state, ..revision.content.as_ref().clone() };
    room.gateway.can_serve(content).map_err(|words| Refusal::Bad(format!("The revision cannot be deployed: {words}.")))?;
    place(&mut tx, &revision, targets, now).await?;
    let deployments = db::deployments::of_revision(&mut tx, revision.id).await?;
    tx.commit().await?;
    Ok(deployments)
}

pub(crate) async fn place(tx: &mut Tx, revision: &Revision, targets: &[Target], now: Timestamp) -> Result<(), Refusal> {
    if targets.is_empty() {
        return Err(Refusal::Bad("Name at least one environment.".to_owned()));
    }
    for target in targets {
        let environment = environment(tx, &target.environment).await?;
        let deployment = Deployment {
            api: revision.api,
            vhost: vhost(&environment, target.vhost.as_deref())?,
            environment: environment.name,
            revision: revision.id,
            display_on_portal: target.display_on_portal,
            deployed_at: now,
        };
        db::deployments::put(tx, &deployment).await?;
    }
    Ok(())
}

/// Stops a revision in the named environments, or in all; where another revision runs, nothing happens. Answers what is left.
///
/// # Errors
/// 400 for an environment that is none; 404, 403.
pub(crate) async fn undeploy(
    room: &Room,
    caller: &Caller,
    api_id: &str,
    which: &Which,
    environments: &[String],
    everywhere: bool,
) -> Result<Vec<Deployment>, Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Update).await?;
    let revision = match which {
        Which::Id(id) => of_api(&mut tx, &api, id).await?.id,
        Which::Number(number) => {
            let all = db::revisions::list(&mut tx, api.id).await?;
            all.into_iter().find(|revision| revision.number == *number).ok_or_else(|| no_revision(&number.to_string()))?.id
        }
    };
    let running = db::deployments::of_revision(&mut tx, revision).await?;
    let known = running.iter().map(|d| d.environment.as_str());
    if !everywhere {
        if environments.is_empty() {
            return Err(Refusal::Bad("Name at least one environment.".to_owned()));
        }
        let known: Vec<&str> = known.collect();
        for name in environments.iter().filter(|name| !known.contains(&name.as_str())) {
            environment(&mut tx, name).await?;
        }
    }
    for deployment in running.iter().filter(|d| everywhere || environments.contains(&d.environment)) {
        db::deployments::remove(&mut tx, api.id, &deployment.environment).await?;
    }
    let left = db::deployments::of_revision(&mut tx, revision).await?;
    tx.commit().await?;
    Ok(left)
}

/// The working copy takes a revision's content. What describes the API's standing rather than its content stays: state, times of its
/// making, and whether it is the default version.
///
/// # Errors
/// 404, 403.
pub(crate) async fn restore(room: &Room, caller: &Caller, api_id: &str, revision_id: &str) -> Result<Api, Refusal> {
    let now = room.now();
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Update).await?;
    apis::may_change(caller, api.state)?;
    let revision = of_api(&mut tx, &api, revision_id).await?;
    let restored = Api {
        state: api.state,
        provider: api.provider.clone(),
        is_default_version: api.is_default_version,
        created_at: api.created_at,
        updated_at: now,
        ..revision.content.as_ref().clone()
    };
    apis::replace(&mut tx, &restored).await?;
    if let Some(definition) = &revision.definition {
        db::apis::set_definition(&mut tx, api.id, definition).await?;
    }
    tx.commit().await?;
    Ok(restored)
}

/// Every deployment of the API.
///
/// # Errors
/// 404, 403.
pub(crate) async fn deployments(room: &Room, caller: &Caller, api_id: &str) -> Result<Vec<Deployment>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Read).await?;
    Ok(db::deployments::list(&mut tx, api.id).await?)
}

/// Shows or hides a deployment in the developer portal.
///
/// # Errors
/// 404 900356 when nothing runs in that environment; 404, 403.
pub(crate) async fn display(room: &Room, caller: &Caller, api_id: &str, environment: &str, shown: bool) -> Result<Deployment, Refusal> {
    let mut tx = room.db.write().await?;
    let api = access::reach(&mut tx, caller, api_id, Intent::Update).await?;
    let running = db::deployments::list(&mut tx, api.id).await?;
    let mut deployment = running
        .into_iter()
        .find(|d| d.environment == environment)
        .ok_or_else(|| entry::DEPLOYMENT_UNKNOWN.with(format!("No revision of the API is deployed in '{environment}'.")))?;
    deployment.display_on_portal = shown;
    db::deployments::put(&mut tx, &deployment).await?;
    tx.commit().await?;
    Ok(deployment)
}

async fn of_api(tx: &mut Tx, api: &Api, id: &str) -> Result<Revision, Refusal> {
    let known = match id.parse::<RevisionId>() {
        Ok(id) => db::revisions::find(tx, id).await?,
        Err(_) => None,
    };
    known.filter(|revision| revision.api == api.id).ok_or_else(|| no_revision(id))
}

fn no_revision(id: &str) -> Refusal {
    entry::REVISION_UNKNOWN.with(format!("Requested API Revision with id {id} not found"))
}

async fn environment(tx: &mut Tx, name: &str) -> Result<Environment, Refusal> {
    let found = db::environments::find(tx, name).await?;
    found.ok_or_else(|| entry::ENVIRONMENT_UNKNOWN.with(format!("Gateway environment not found: {name}")))
}

fn vhost(environment: &Environment, asked: Option<&str>) -> Result<String, Refusal> {
    let Some(asked) = asked.map(str::trim).filter(|host| !host.is_empty()) else {
        return Ok(environment.vhosts.first().map(|vhost| vhost.host.clone()).unwrap_or_default());
    };
    let known = environment.vhosts.iter().find(|vhost| vhost.host.eq_ignore_ascii_case(asked));
    known
        .map(|vhost| vhost.host.clone())
        .ok_or_else(|| Refusal::Bad(format!("Gateway environment '{}' has no virtual host '{asked}'.", environment.name)))
}
