//! The publisher's door: its operations, each with the scopes the document asks for.

mod apis;
mod archives;
mod definitions;
mod documents;
mod lifecycle;
mod others;
mod revisions;
mod scopes;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use http::Method;
use rest::{Access, Authenticate, Door, DoorOperation};

use crate::Room;

/// Where the hall hangs this door; links to made things begin with it.
pub const BASE: &str = "/api/am/publisher/v2";

/// An address below the door. 4.0.0 leaves the version out of `Location`; clients take the last segment only, and this way it leads there.
fn location(path: &str) -> String {
    format!("{BASE}/{path}")
}

/// The routes of the publisher, to be nested under [`BASE`].
pub fn door(room: Room, authenticate: Arc<dyn Authenticate>) -> Router {
    // The framework's own bound of 2 MB would refuse definitions that the document allows.
    declared(authenticate).finish(room).layer(DefaultBodyLimit::max(BODY_MAX_BYTES))
}

/// Every operation with who may use it, for tests and for the list of what there is.
pub fn operations(authenticate: Arc<dyn Authenticate>) -> Vec<DoorOperation> {
    declared(authenticate).operations().to_vec()
}

const VIEW: Access = Access::Scopes(&["apim:api_view"]);
const VIEW_OR_EXPORT: Access = Access::Scopes(&["apim:api_import_export", "apim:api_view"]);
const VIEW_ANY: Access = Access::Scopes(&["apim:api_import_export", "apim:api_product_import_export", "apim:api_view"]);
const CREATE: Access = Access::Scopes(&["apim:api_create"]);
const DELETE: Access = Access::Scopes(&["apim:api_delete", "apim:api_import_export"]);
const PUBLISH: Access = Access::Scopes(&["apim:api_publish"]);
const PUBLISH_OR_IMPORT: Access = Access::Scopes(&["apim:api_import_export", "apim:api_publish"]);
const EITHER: Access = Access::Scopes(&["apim:api_create", "apim:api_publish"]);
const EITHER_OR_IMPORT: Access = Access::Scopes(&["apim:api_create", "apim:api_import_export", "apim:api_publish"]);
const IMPORT: Access = Access::Scopes(&["apim:admin", "apim:api_import_export"]);
const DOCUMENT_CREATE: Access = Access::Scopes(&["apim:api_create", "apim:document_create"]);
const DOCUMENT_MANAGE: Access = Access::Scopes(&["apim:api_create", "apim:document_manage"]);
const COMMENTS: Access = Access::Scopes(&["apim:comment_view"]);
const SHARED_SCOPES: Access = Access::Scopes(&["apim:shared_scope_manage"]);

/// Largest body let in: an upload of 10 MiB, which `rest` counts itself, and what multipart puts around it.
const BODY_MAX_BYTES: usize = 11 * 1024 * 1024;

fn declared(authenticate: Arc<dyn Authenticate>) -> Door<Room> {
    Door::new(authenticate)
        .on(Method::GET, "/apis", VIEW_OR_EXPORT, apis::list)
        .on(Method::POST, "/apis", CREATE, apis::create)
        .on(Method::POST, "/apis/import-openapi", CREATE, definitions::import)
        .on(Method::POST, "/apis/validate-openapi", CREATE, definitions::validate)
        .on(Method::POST, "/apis/validate", CREATE, apis::validate)
        .on(Method::POST, "/apis/copy-api", CREATE, apis::copy)
        .on(Method::POST, "/apis/change-lifecycle", PUBLISH_OR_IMPORT, lifecycle::change)
        .on(Method::GET, "/apis/export", EITHER_OR_IMPORT, archives::export)
        .on(Method::POST, "/apis/import", IMPORT, archives::import)
        .on(Method::GET, "/apis/{apiId}", VIEW_ANY, apis::show)
        .on(Method::PUT, "/apis/{apiId}", EITHER, apis::update)
        .on(Method::DELETE, "/apis/{apiId}", DELETE, apis::delete)
        .on(Method::GET, "/apis/{apiId}/swagger", VIEW, definitions::show)
        .on(Method::PUT, "/apis/{apiId}/swagger", CREATE, definitions::replace)
        .on(Method::GET, "/apis/{apiId}/documents", VIEW, documents::list)
        .on(Method::POST, "/apis/{apiId}/documents", DOCUMENT_CREATE, documents::create)
        .on(Method::POST, "/apis/{apiId}/documents/validate", DOCUMENT_CREATE, documents::validate)
        .on(Method::GET, "/apis/{apiId}/documents/{documentId}", VIEW, documents::show)
        .on(Method::PUT, "/apis/{apiId}/documents/{documentId}", DOCUMENT_MANAGE, documents::update)
        .on(Method::DELETE, "/apis/{apiId}/documents/{documentId}", DOCUMENT_MANAGE, documents::delete)
        .on(Method::GET, "/apis/{apiId}/documents/{documentId}/content", VIEW, documents::content)
        .on(Method::POST, "/apis/{apiId}/documents/{documentId}/content", DOCUMENT_CREATE, documents::set_content)
        .on(Method::GET, "/apis/{apiId}/thumbnail", VIEW, documents::thumbnail)
        .on(Method::PUT, "/apis/{apiId}/thumbnail", EITHER, documents::set_thumbnail)
        .on(Method::GET, "/apis/{apiId}/wsdl", VIEW, documents::wsdl)
        .on(Method::GET, "/apis/{apiId}/comments", COMMENTS, documents::comments)
        .on(Method::GET, "/apis/{apiId}/comments/{commentId}", COMMENTS, documents::comment)
        .on(Method::GET, "/apis/{apiId}/lifecycle-state", EITHER, lifecycle::state)
        .on(Method::GET, "/apis/{apiId}/lifecycle-history", PUBLISH, lifecycle::history)
        .on(Method::GET, "/apis/{apiId}/revisions", EITHER_OR_IMPORT, revisions::list)
        .on(Method::POST, "/apis/{apiId}/revisions", EITHER_OR_IMPORT, revisions::create)
        .on(Method::GET, "/apis/{apiId}/revisions/{revisionId}", EITHER, revisions::find)
        .on(Method::DELETE, "/apis/{apiId}/revisions/{revisionId}", EITHER_OR_IMPORT, revisions::delete)
        .on(Method::POST, "/apis/{apiId}/deploy-revision", EITHER, revisions::deploy)
        .on(Method::POST, "/apis/{apiId}/undeploy-revision", EITHER_OR_IMPORT, revisions::undeploy)
        .on(Method::POST, "/apis/{apiId}/restore-revision", EITHER, revisions::restore)
        .on(Method::GET, "/apis/{apiId}/deployments", EITHER, revisions::deployments)
        .on(Method::PUT, "/apis/{apiId}/deployments/{deploymentId}", EITHER, revisions::display)
        .on(Method::GET, "/throttling-policies/streaming/subscription", VIEW, others::streaming_policies)
        .on(Method::GET, "/throttling-policies/{policyLevel}", VIEW, others::policies)
        .on(Method::GET, "/throttling-policies/{policyLevel}/{policyName}", VIEW, others::policy)
        .on(Method::GET, "/search", VIEW_ANY, apis::search)
        .on(Method::GET, "/scopes", VIEW, scopes::list)
        .on(Method::POST, "/scopes", SHARED_SCOPES, scopes::create)
        .on(Method::GET, "/scopes/{scopeId}", VIEW, scopes::find)
        .on(Method::PUT, "/scopes/{scopeId}", SHARED_SCOPES, scopes::update)
        .on(Method::DELETE, "/scopes/{scopeId}", SHARED_SCOPES, scopes::delete)
        .on(Method::HEAD, "/scopes/{scopeId}", EITHER, scopes::exists)
        .on(Method::GET, "/scopes/{scopeId}/usage", VIEW, scopes::usage)
        .on(Method::HEAD, "/roles/{roleId}", EITHER, others::role)
        .on(Method::HEAD, "/me/roles/{roleId}", CREATE, others::own_role)
        .on(Method::GET, "/settings", Access::Anybody, others::settings)
}
