//! The nouns of an API manager and the rules they obey.
//!
//! Ground floor: no I/O, no clock, no wire format. Every door (the REST rooms, the gateway, the upgrade) meets here, so a rule
//! that must hold for all of them is written here once. A noun enters only when two rooms need it.
//!
//! `serde_json::Value` appears where WSO2's own interface leaves an object open (`endpointConfig`, `monetization`): there the
//! open object *is* the noun. No type here derives a wire format; conversions live with the owner of the outer side.

mod api;
mod application;
mod context;
mod continuity;
mod deny;
mod document;
mod endpoint;
mod ids;
mod lifecycle;
mod names;
mod oauth;
mod password;
mod policy;
mod rest_scopes;
mod revision;
mod secret;
mod sequence;
mod setting;
mod subscription;
mod tenant;
mod time;
mod user;
mod user_store;
mod workflow;

pub use api::{
    AccessControl, Advertise, Api, ApiKind, ApiScope, AuthType, BusinessInformation, Cors, EndpointImplementation, MaxTps,
    MediationPolicyRef, Operation, Property, ScopeBinding, SubscriptionAvailability, Visibility,
};
pub use application::{Application, ApplicationStatus, ApplicationTokenType};
pub use context::{ContextFault, effective_context, template_of};
pub use continuity::{
    ApiContinuity, BackendJwt, Continuity, DEFAULT_BACKEND_JWT_HEADER, DEFAULT_CLAIM_DIALECT, ErrorFormat, Generation, JwtEncoding, JwtForm,
};
pub use deny::{Denial, DenyPolicy, without_super_domain};
pub use document::{
    COMMENT_MAX_CHARS, Comment, Document, DocumentKind, DocumentSource, DocumentVisibility, Rating, document_text, shown_average,
};
pub use endpoint::{Endpoint, EndpointFault, EndpointSet, Endpoints};
pub use ids::{
    ApiId, ApplicationId, CommentId, DocumentId, KeyMappingId, PolicyId, RatingId, RevisionId, SubscriptionId, TenantId, TokenId, UserId,
};
pub use lifecycle::{Action, LifecycleState, Refused, Transition};
pub use names::{NameFault, api_name, api_version, application_name, policy_name};
pub use oauth::{ClientOrigin, IssuedToken, Lifetimes, OAuthClient, TokenFormat, TokenHolder, TokenState, TokenText};
pub use password::{LegacyDigest, StoredPassword};
pub use policy::{
    AdvancedPolicy, ApplicationPolicy, BandwidthUnit, BillingPlan, Burst, Condition, ConditionKind, ConditionalGroup, CustomRule, Limit,
    PlanPermission, Quota, SubscriptionPolicy, TimeUnit, UNLIMITED, default_advanced_policies, default_application_policies,
    default_subscription_policies,
};
pub use rest_scopes::{DEFAULT_ROLES, RestScope, default_rest_scopes};
pub use revision::{Definition, DefinitionFormat, Deployment, Environment, MAX_REVISIONS, Revision, Vhost};
pub use secret::Secret;
pub use sequence::{ErrorHandler, Flow, SequencePlace, StoredSequence, decoded};
pub use setting::{SettingKind, TenantSetting};
pub use subscription::{KeyMapping, KeyMappingMode, KeyState, KeyType, Subscription, SubscriptionState};
pub use tenant::{SUPER_TENANT_DOMAIN, Tenant};
pub use time::Timestamp;
pub use user::{EVERYONE, PRIMARY_STORE, User, UserName};
pub use user_store::{UserStore, UserStoreKind};
pub use workflow::{Workflow, WorkflowKind, WorkflowStatus};
