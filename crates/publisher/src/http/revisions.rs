//! Operations on revisions and deployments.

use axum::Json;
use axum::extract::{FromRequest, Request, State};
use axum::response::{IntoResponse, Response};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD_NO_PAD, BASE64_URL_SAFE_NO_PAD};
use http::StatusCode;
use http_body::Body as _;
use rest::{Asked, Body, Caller, Named, Problem};
use serde::Deserialize;

use super::apis::shown;
use super::location;
use crate::Room;
use crate::revisions::{self, Target, Which};
use crate::wire::{Deployment, DeploymentList, Revision, RevisionList};

pub(crate) async fn create(
    State(room): State<Room>,
    caller: Caller,
    Named(api): Named<String>,
    Body(sent): Body<Revision>,
) -> Result<Response, Problem> {
    let placed = revisions::create(&room, &caller, &api, sent.description).await?;
    let made = location(&format!("apis/{}/revisions/{}", placed.revision.api, placed.revision.id));
    Ok(rest::created(&made, Revision::from(&placed)))
}

#[derive(Deserialize)]
pub(crate) struct List {
    query: Option<String>,
}

pub(crate) async fn list(
    State(room): State<Room>,
    caller: Caller,
    Named(api): Named<String>,
    Asked(asked): Asked<List>,
) -> Result<Json<RevisionList>, Problem> {
    let deployed = match asked.query.as_deref().map(str::trim) {
        None | Some("") => None,
        Some("deployed:true") => Some(true),
        Some("deployed:false") => Some(false),
        Some(_) => return Err(Problem::bad_request("The query must be 'deployed:true' or 'deployed:false'.")),
    };
    Ok(Json(revisions::list(&room, &caller, &api, deployed).await?.into()))
}

pub(crate) async fn find(
    State(room): State<Room>,
    caller: Caller,
    Named((api, revision)): Named<(String, String)>,
) -> Result<Json<Revision>, Problem> {
    Ok(Json(Revision::from(&revisions::find(&room, &caller, &api, &revision).await?)))
}

pub(crate) async fn delete(
    State(room): State<Room>,
    caller: Caller,
    Named((api, revision)): Named<(String, String)>,
) -> Result<Json<RevisionList>, Problem> {
    Ok(Json(revisions::delete(&room, &caller, &api, &revision).await?.into()))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OfRevision {
    revision_id: Option<String>,
    revision_number: Option<u32>,
    all_environments: Option<bool>,
}

impl OfRevision {
    fn id(&self) -> Result<&str, Problem> {
        self.revision_id.as_deref().filter(|id| !id.is_empty()).ok_or_else(|| Problem::bad_request("revisionId is missing"))
    }
}

pub(crate) async fn deploy(
    State(room): State<Room>,
    caller: Caller,
    Named(api): Named<String>,
    Asked(asked): Asked<OfRevision>,
    Body(sent): Body<Vec<Deployment>>,
) -> Result<Response, Problem> {
    let targets = sent.into_iter().map(target).collect::<Result<Vec<_>, _>>()?;
    let deployments = revisions::deploy(&room, &caller, &api, asked.id()?, &targets).await?;
    Ok(all(StatusCode::CREATED, &deployments))
}

fn target(sent: Deployment) -> Result<Target, Problem> {
    let environment =
        sent.name.filter(|name| !name.trim().is_empty()).ok_or_else(|| Problem::bad_request("Each deployment needs a name."))?;
    Ok(Target { environment, vhost: sent.vhost, display_on_portal: sent.display_on_devportal.unwrap_or(true) })
}

fn all(status: StatusCode, deployments: &[model::Deployment]) -> Response {
    let shown: Vec<Deployment> = deployments.iter().map(Deployment::from).collect();
    (status, Json(shown)).into_response()
}

/// Names of environments in the body, which may be missing: with `allEnvironments` there is nothing to name.
pub(crate) struct Environments(Vec<String>);

impl<S: Send + Sync> FromRequest<S> for Environments {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        if request.body().is_end_stream() {
            return Ok(Self(Vec::new()));
        }
        let Body(list) = Body::<Vec<Deployment>>::from_request(request, state).await?;
        Ok(Self(list.into_iter().filter_map(|one| one.name).collect()))
    }
}

pub(crate) async fn undeploy(
    State(room): State<Room>,
    caller: Caller,
    Named(api): Named<String>,
    Asked(asked): Asked<OfRevision>,
    Environments(environments): Environments,
) -> Result<Response, Problem> {
    let which = match (asked.id(), asked.revision_number) {
        (Ok(id), _) => Which::Id(id.to_owned()),
        (Err(_), Some(number)) => Which::Number(number),
        (Err(_), None) => return Err(Problem::bad_request("revisionId or revisionNumber is missing")),
    };
    let everywhere = asked.all_environments.unwrap_or(false);
    let left = revisions::undeploy(&room, &caller, &api, &which, &environments, everywhere).await?;
    Ok(all(StatusCode::CREATED, &left))
}

pub(crate) async fn restore(
    State(room): State<Room>,
    caller: Caller,
    Named(api): Named<String>,
    Asked(asked): Asked<OfRevision>,
) -> Result<Response, Problem> {
    shown(&revisions::restore(&room, &caller, &api, asked.id()?).await?, StatusCode::CREATED)
}

pub(crate) async fn deployments(
    State(room): State<Room>,
    caller: Caller,
    Named(api): Named<String>,
) -> Result<Json<DeploymentList>, Problem> {
    let deployments = revisions::deployments(&room, &caller, &api).await?;
    Ok(Json(DeploymentList { list: deployments.iter().map(Deployment::from).collect() }))
}

pub(crate) async fn display(
    State(room): State<Room>,
    caller: Caller,
    Named((api, environment)): Named<(String, String)>,
    Body(sent): Body<Deployment>,
) -> Result<Json<Deployment>, Problem> {
    let environment = decoded(&environment).ok_or_else(|| Problem::bad_request("The deployment's id is not base64 text."))?;
    let shown = sent.display_on_devportal.ok_or_else(|| Problem::bad_request("displayOnDevportal is missing"))?;
    let deployment = revisions::display(&room, &caller, &api, &environment, shown).await?;
    Ok(Json(Deployment::from(&deployment)))
}

/// Base64 text of a path, in either alphabet, padded or not.
pub(crate) fn decoded(text: &str) -> Option<String> {
    let text = text.trim_end_matches('=');
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(text).or_else(|_| BASE64_STANDARD_NO_PAD.decode(text)).ok()?;
    String::from_utf8(bytes).ok()
}
