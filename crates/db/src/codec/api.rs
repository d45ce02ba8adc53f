//! An API as one JSON object: for the API's own row and, whole and frozen, for its revisions.

use model::{
    AccessControl, Advertise, Api, ApiId, ApiKind, ApiScope, AuthType, BusinessInformation, Cors, EndpointImplementation, Endpoints,
    LifecycleState, MaxTps, MediationPolicyRef, Operation, Property, SubscriptionAvailability, TenantId, Timestamp, Visibility,
};
use serde_json::Value;

use super::record::{Field, Given, Word, Wrong, record, texts, words};
use super::{decode, encode, secrets};
use crate::{Result, Sealer};

words!(ApiKind, LifecycleState, AuthType, Visibility, AccessControl, SubscriptionAvailability);
texts!(ApiId);

record!(OperationRow of Operation {
    target: String, verb: String, auth: Word, policy: String, scopes: Vec<String>, script: Option<String>,
});
record!(ScopeRow of ApiScope {
    name: String, display_name: String, description: Option<String>, roles: Vec<String>, shared: bool,
});
record!(PropertyRow of Property { name: String, value: String, display: bool });
record!(MaxTpsRow of MaxTps { production: Option<u64>, sandbox: Option<u64> });
record!(BusinessRow of BusinessInformation {
    business_owner: Option<String>, business_owner_email: Option<String>,
    technical_owner: Option<String>, technical_owner_email: Option<String>,
});
record!(CorsRow of Cors {
    enabled: bool, allow_origins: Vec<String>, allow_credentials: bool, allow_headers: Vec<String>, allow_methods: Vec<String>,
});
record!(MediationRow of MediationPolicyRef { id: Option<String>, name: String, flow: String, shared: bool });
record!(AdvertiseRow of Advertise {
    advertised: bool, original_portal_url: Option<String>, owner: Option<String>, vendor: Option<String>,
});
record!(ApiRow of Api {
    id: Word,
    tenant: i64,
    provider: String,
    name: String,
    version: String,
    context: String,
    context_template: String,
    kind: Word,
    state: Word,
    is_default_version: bool,
    description: Option<String>,
    transports: Vec<String>,
    tags: Vec<String>,
    categories: Vec<String>,
    plans: Vec<String>,
    api_policy: Option<String>,
    authorization_header: Option<String>,
    security_scheme: Vec<String>,
    max_tps: MaxTpsRow,
    visibility: Word,
    visible_roles: Vec<String>,
    visible_tenants: Vec<String>,
    access_control: Word,
    access_control_roles: Vec<String>,
    subscription_availability: Word,
    subscription_available_tenants: Vec<String>,
    properties: Vec<PropertyRow>,
    monetization: Option<Value>,
    business: BusinessRow,
    cors: Option<CorsRow>,
    websub: Option<Value>,
    mediation_policies: Vec<MediationRow>,
    endpoints: Value,
    implementation: Word,
    scopes: Vec<ScopeRow>,
    operations: Vec<OperationRow>,
    key_managers: Vec<String>,
    advertise: AdvertiseRow,
    service_info: Option<Value>,
    wsdl_url: Option<String>,
    response_caching: bool,
    cache_timeout_secs: u32,
    schema_validation: bool,
    threat_protection: Option<Value>,
    enable_store: bool,
    created_at: i64,
    updated_at: i64,
});

impl Field<TenantId> for i64 {
    fn keep(value: &TenantId) -> Self {
        value.0.into()
    }

    fn give(self) -> Given<TenantId> {
        self.try_into().map(TenantId).map_err(|_| Wrong("not a tenant number".to_owned()))
    }
}

impl Field<Timestamp> for i64 {
    fn keep(value: &Timestamp) -> Self {
        value.0
    }

    fn give(self) -> Given<Timestamp> {
        Ok(Timestamp(self))
    }
}

impl Field<Endpoints> for Value {
    fn keep(value: &Endpoints) -> Self {
        value.0.clone()
    }

    fn give(self) -> Given<Endpoints> {
        Ok(Endpoints(self))
    }
}

impl Field<EndpointImplementation> for Word {
    fn keep(value: &EndpointImplementation) -> Self {
        Self(match value {
            EndpointImplementation::Endpoint => "ENDPOINT".to_owned(),
            EndpointImplementation::Inline => "INLINE".to_owned(),
        })
    }

    fn give(self) -> Given<EndpointImplementation> {
        match self.0.as_str() {
            "ENDPOINT" => Ok(EndpointImplementation::Endpoint),
            "INLINE" => Ok(EndpointImplementation::Inline),
            _ => Err(Wrong("not an endpoint implementation".to_owned())),
        }
    }
}

/// The whole API as JSON, its backend credentials sealed.
pub(crate) fn api_to_json(sealer: &Sealer, column: &str, api: &Api) -> Result<String> {
    if !secrets::any(&api.endpoints.0) {
        return encode::<Api, ApiRow>(column, api);
    }
    let mut sealed = api.clone();
    secrets::seal(sealer, &api.id.to_string(), &mut sealed.endpoints.0)?;
    encode::<Api, ApiRow>(column, &sealed)
}

/// Reads an API back.
pub(crate) fn api_from_json(sealer: &Sealer, column: &str, text: &str) -> Result<Api> {
    let mut api = decode::<Api, ApiRow>(column, text)?;
    secrets::open(sealer, &api.id.to_string(), &mut api.endpoints.0)?;
    Ok(api)
}
