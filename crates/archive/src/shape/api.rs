//! Schema `API` of the document, as it is sent and shown.
//!
//! One set of types for both ways: what a client reads it may send back. Words that the document enumerates stay text here and are
//! checked on reading, so that a bad one is answered with 4.0.0's sentence about disallowed values.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// An API.
// No `Debug`: the endpoints' passwords are in it.
#[derive(Clone, PartialEq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Api {
    /// UUID; not read.
    pub id: Option<String>,
    /// Name.
    pub name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Context without the version at its end.
    pub context: Option<String>,
    /// Version.
    pub version: Option<String>,
    /// Who made it; read from administrators only.
    pub provider: Option<String>,
    /// `CREATED` …
    pub life_cycle_status: Option<String>,
    /// Not read.
    pub wsdl_info: Option<Value>,
    /// Address of the WSDL; not read.
    pub wsdl_url: Option<String>,
    /// Whether the gateway may answer from its cache.
    pub response_caching_enabled: Option<bool>,
    /// For how many seconds.
    pub cache_timeout: Option<i64>,
    /// Not read.
    pub has_thumbnail: Option<bool>,
    /// Also served without the version.
    pub is_default_version: Option<bool>,
    /// Not read.
    pub is_revision: Option<bool>,
    /// Not read.
    pub revisioned_api_id: Option<String>,
    /// Number of the revision, 0 for the working copy; not read.
    pub revision_id: Option<i64>,
    /// Messages are checked against the definition.
    pub enable_schema_validation: Option<bool>,
    /// `HTTP` …
    #[serde(rename = "type")]
    pub kind: Option<String>,
    /// `http`, `https` …
    pub transport: Option<Vec<String>>,
    /// Tags.
    pub tags: Option<Vec<String>>,
    /// Plans.
    pub policies: Option<Vec<String>>,
    /// API-level advanced policy.
    pub api_throttling_policy: Option<String>,
    /// Header that carries the token.
    pub authorization_header: Option<String>,
    /// `oauth2` …
    pub security_scheme: Option<Vec<String>>,
    /// Backend throughput.
    pub max_tps: Option<MaxTps>,
    /// `PUBLIC` …
    pub visibility: Option<String>,
    /// For `RESTRICTED`.
    pub visible_roles: Option<Vec<String>>,
    /// Tenants.
    pub visible_tenants: Option<Vec<String>>,
    /// Sequences, at most one per flow.
    pub mediation_policies: Option<Vec<MediationPolicy>>,
    /// `CURRENT_TENANT` …
    pub subscription_availability: Option<String>,
    /// For `SPECIFIC_TENANTS`.
    pub subscription_available_tenants: Option<Vec<String>>,
    /// A list of `{name, value, display}`; a map of names and values is read too, as old projects hold one.
    pub additional_properties: Option<Value>,
    /// Monetization.
    pub monetization: Option<Monetization>,
    /// `NONE` or `RESTRICTED`.
    pub access_control: Option<String>,
    /// For `RESTRICTED`.
    pub access_control_roles: Option<Vec<String>>,
    /// Owners.
    pub business_information: Option<BusinessInformation>,
    /// CORS.
    pub cors_configuration: Option<Cors>,
    /// WebSub.
    pub websub_subscription_configuration: Option<Websub>,
    /// Not read.
    pub workflow_status: Option<String>,
    /// Milliseconds since the epoch, as text; not read.
    pub created_time: Option<String>,
    /// Milliseconds since the epoch, as text; not read.
    pub last_updated_time: Option<String>,
    /// Open object: where calls go.
    pub endpoint_config: Option<Value>,
    /// `ENDPOINT` or `INLINE`.
    pub endpoint_implementation_type: Option<String>,
    /// Scopes.
    pub scopes: Option<Vec<ApiScope>>,
    /// Operations.
    pub operations: Option<Vec<Operation>>,
    /// Threat protection.
    pub threat_protection_policies: Option<ThreatProtection>,
    /// Categories.
    pub categories: Option<Vec<String>>,
    /// A list of names.
    pub key_managers: Option<Value>,
    /// Catalog service.
    pub service_info: Option<Value>,
    /// Offered elsewhere.
    pub advertise_info: Option<Advertise>,
}

/// Backend throughput in calls per second.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MaxTps {
    /// For production keys.
    pub production: Option<i64>,
    /// For sandbox keys.
    pub sandbox: Option<i64>,
}

/// An attached sequence.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MediationPolicy {
    /// UUID.
    pub id: Option<String>,
    /// Name; required.
    pub name: Option<String>,
    /// `in`, `out` or `fault`.
    #[serde(rename = "type")]
    pub flow: Option<String>,
    /// Global.
    pub shared: Option<bool>,
}

/// Monetization.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Monetization {
    /// Required.
    pub enabled: Option<bool>,
    /// Names and values.
    pub properties: Option<serde_json::Map<String, Value>>,
}

/// Owners.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct BusinessInformation {
    /// Name.
    pub business_owner: Option<String>,
    /// Address.
    pub business_owner_email: Option<String>,
    /// Name.
    pub technical_owner: Option<String>,
    /// Address.
    pub technical_owner_email: Option<String>,
}

/// CORS.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Cors {
    /// Whether these settings hold.
    pub cors_configuration_enabled: Option<bool>,
    /// Origins.
    pub access_control_allow_origins: Option<Vec<String>>,
    /// Credentials.
    pub access_control_allow_credentials: Option<bool>,
    /// Headers.
    pub access_control_allow_headers: Option<Vec<String>>,
    /// Verbs.
    pub access_control_allow_methods: Option<Vec<String>>,
}

/// WebSub.
// No `Debug`: it holds a secret.
#[derive(Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Websub {
    /// Whether deliveries are signed.
    pub enable: Option<bool>,
    /// Key of the signature.
    pub secret: Option<String>,
    /// `SHA1` …
    pub signing_algorithm: Option<String>,
    /// Header.
    pub signature_header: Option<String>,
}

/// A scope and whether it is the tenant's.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ApiScope {
    /// The scope.
    pub scope: Scope,
    /// Shared by APIs.
    pub shared: Option<bool>,
}

/// A scope.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Scope {
    /// UUID of a shared one; not read.
    pub id: Option<String>,
    /// Word in a token.
    pub name: Option<String>,
    /// Words for people.
    pub display_name: Option<String>,
    /// Free text.
    pub description: Option<String>,
    /// Roles.
    pub bindings: Option<Vec<String>>,
    /// Not read.
    pub usage_count: Option<i64>,
}

/// An operation.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Operation {
    /// Not read.
    pub id: Option<String>,
    /// Path template.
    pub target: Option<String>,
    /// Verb.
    pub verb: Option<String>,
    /// `Any` …
    pub auth_type: Option<String>,
    /// Advanced policy.
    pub throttling_policy: Option<String>,
    /// Names of scopes.
    pub scopes: Option<Vec<String>>,
    /// Not read.
    pub used_product_ids: Option<Vec<String>>,
    /// AWS Lambda; read over, as no such backend is served.
    pub amzn_resource_name: Option<String>,
    /// As above.
    pub amzn_resource_timeout: Option<i64>,
    /// WebSub payloads; read over.
    pub payload_schema: Option<String>,
    /// WebSocket addresses; read over.
    pub uri_mapping: Option<String>,
}

/// Threat protection.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ThreatProtection {
    /// `{policyId, priority}`.
    pub list: Option<Vec<Value>>,
}

/// Offered elsewhere.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct Advertise {
    /// Only advertised here.
    pub advertised: Option<bool>,
    /// Where it is offered.
    pub original_dev_portal_url: Option<String>,
    /// Its owner there.
    pub api_owner: Option<String>,
    /// `WSO2` or `AWS`.
    pub vendor: Option<String>,
}
