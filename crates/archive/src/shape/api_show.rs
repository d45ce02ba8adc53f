//! From the model to what a client sees of an API.

use model::{EndpointImplementation, RevisionId};
use serde_json::json;

use super::api::{
    Advertise, Api, ApiScope, BusinessInformation, Cors, MaxTps, MediationPolicy, Monetization, Operation, Scope, ThreatProtection, Websub,
};
use super::secrets;

/// The suffix that a context's template ends in unless its maker placed the version elsewhere.
const VERSION_SEGMENT: &str = "/{version}";

/// What of an API is shown: the working copy, or a revision of it.
#[derive(Debug, Clone, Copy)]
pub enum Shown {
    /// The API as it is worked on.
    WorkingCopy,
    /// A frozen state.
    Revision(RevisionId, u32),
}

impl Api {
    /// The API as the document shows it, without its secrets.
    #[must_use]
    pub fn show(api: &model::Api, what: Shown) -> Self {
        let (id, revision_of, number) = match what {
            Shown::WorkingCopy => (api.id.to_string(), None, 0),
            Shown::Revision(id, number) => (id.to_string(), Some(api.id.to_string()), i64::from(number)),
        };
        Self {
            id: Some(id),
            name: Some(api.name.clone()),
            description: api.description.clone(),
            context: Some(shown_context(api)),
            version: Some(api.version.clone()),
            provider: Some(api.provider.clone()),
            life_cycle_status: Some(api.state.name().to_owned()),
            wsdl_info: None,
            wsdl_url: api.wsdl_url.clone(),
            response_caching_enabled: Some(api.response_caching),
            cache_timeout: Some(i64::from(api.cache_timeout_secs)),
            has_thumbnail: Some(false),
            is_default_version: Some(api.is_default_version),
            is_revision: Some(revision_of.is_some()),
            revisioned_api_id: revision_of,
            revision_id: Some(number),
            enable_schema_validation: Some(api.schema_validation),
            kind: Some(api.kind.name().to_owned()),
            transport: Some(api.transports.clone()),
            tags: Some(api.tags.clone()),
            policies: Some(api.plans.clone()),
            api_throttling_policy: api.api_policy.clone(),
            authorization_header: Some(api.authorization_header.clone().unwrap_or_else(|| "Authorization".to_owned())),
            security_scheme: Some(api.security_scheme.clone()),
            max_tps: max_tps(&api.max_tps),
            visibility: Some(api.visibility.name().to_owned()),
            visible_roles: Some(api.visible_roles.clone()),
            visible_tenants: Some(api.visible_tenants.clone()),
            mediation_policies: Some(api.mediation_policies.iter().map(mediation).collect()),
            subscription_availability: Some(api.subscription_availability.name().to_owned()),
            subscription_available_tenants: Some(api.subscription_available_tenants.clone()),
            additional_properties: Some(
                api.properties.iter().map(|p| json!({"name": p.name, "value": p.value, "display": p.display})).collect(),
            ),
            monetization: Some(monetization(api)),
            access_control: Some(api.access_control.name().to_owned()),
            access_control_roles: Some(api.access_control_roles.clone()),
            business_information: Some(business(&api.business)),
            cors_configuration: Some(cors(&api.cors.clone().unwrap_or_default())),
            websub_subscription_configuration: Some(websub(api)),
            workflow_status: None,
            created_time: Some(api.created_at.0.to_string()),
            last_updated_time: Some(api.updated_at.0.to_string()),
            endpoint_config: (!api.endpoints.0.is_null()).then(|| secrets::masked(&api.endpoints.0)),
            endpoint_implementation_type: Some(
                match api.implementation {
                    EndpointImplementation::Endpoint => "ENDPOINT",
                    EndpointImplementation::Inline => "INLINE",
                }
                .to_owned(),
            ),
            scopes: Some(api.scopes.iter().map(scope).collect()),
            operations: Some(api.operations.iter().map(operation).collect()),
            threat_protection_policies: api.threat_protection.as_ref().map(threats),
            categories: Some(api.categories.clone()),
            key_managers: Some(json!(api.key_managers)),
            service_info: api.service_info.clone(),
            advertise_info: Some(Advertise {
                advertised: Some(api.advertise.advertised),
                original_dev_portal_url: api.advertise.original_portal_url.clone(),
                api_owner: api.advertise.owner.clone(),
                vendor: Some(api.advertise.vendor.clone().unwrap_or_else(|| "WSO2".to_owned())),
            }),
        }
    }
}

/// The context as its maker typed it: the version is shown only where it is not at the end.
pub fn shown_context(api: &model::Api) -> String {
    api.context_template.strip_suffix(VERSION_SEGMENT).unwrap_or(&api.context_template).to_owned()
}

fn max_tps(bounds: &model::MaxTps) -> Option<MaxTps> {
    let number = |n: Option<u64>| n.map(|n| i64::try_from(n).unwrap_or(i64::MAX));
    (bounds.production.is_some() || bounds.sandbox.is_some())
        .then(|| MaxTps { production: number(bounds.production), sandbox: number(bounds.sandbox) })
}

fn mediation(policy: &model::MediationPolicyRef) -> MediationPolicy {
    MediationPolicy { id: policy.id.clone(), name: Some(policy.name.clone()), flow: Some(policy.flow.clone()), shared: Some(policy.shared) }
}

fn monetization(api: &model::Api) -> Monetization {
    let stored = api.monetization.as_ref();
    Monetization {
        enabled: Some(stored.and_then(|m| m.get("enabled")).and_then(serde_json::Value::as_bool).unwrap_or(false)),
        properties: Some(stored.and_then(|m| m.get("properties")).and_then(serde_json::Value::as_object).cloned().unwrap_or_default()),
    }
}

fn business(owners: &model::BusinessInformation) -> BusinessInformation {
    BusinessInformation {
        business_owner: owners.business_owner.clone(),
        business_owner_email: owners.business_owner_email.clone(),
        technical_owner: owners.technical_owner.clone(),
        technical_owner_email: owners.technical_owner_email.clone(),
    }
}

fn cors(cors: &model::Cors) -> Cors {
    Cors {
        cors_configuration_enabled: Some(cors.enabled),
        access_control_allow_origins: Some(cors.allow_origins.clone()),
        access_control_allow_credentials: Some(cors.allow_credentials),
        access_control_allow_headers: Some(cors.allow_headers.clone()),
        access_control_allow_methods: Some(cors.allow_methods.clone()),
    }
}

fn websub(api: &model::Api) -> Websub {
    let text = |field: &str, default: &str| {
        let stored = api.websub.as_ref().and_then(|w| w.get(field)).and_then(serde_json::Value::as_str);
        Some(stored.unwrap_or(default).to_owned())
    };
    Websub {
        enable: Some(api.websub.as_ref().and_then(|w| w.get("enable")).and_then(serde_json::Value::as_bool).unwrap_or(false)),
        secret: text("secret", ""),
        signing_algorithm: text("signingAlgorithm", "SHA1"),
        signature_header: text("signatureHeader", "x-hub-signature"),
    }
}

fn scope(scope: &model::ApiScope) -> ApiScope {
    ApiScope {
        scope: Scope {
            id: None,
            name: Some(scope.name.clone()),
            display_name: Some(scope.display_name.clone()),
            description: scope.description.clone(),
            bindings: Some(scope.roles.clone()),
            usage_count: None,
        },
        shared: Some(scope.shared),
    }
}

fn operation(operation: &model::Operation) -> Operation {
    Operation {
        id: Some(String::new()),
        target: Some(operation.target.clone()),
        verb: Some(operation.verb.clone()),
        auth_type: Some(operation.auth.name().to_owned()),
        throttling_policy: Some(operation.policy.clone()),
        scopes: Some(operation.scopes.clone()),
        used_product_ids: Some(Vec::new()),
        amzn_resource_name: None,
        amzn_resource_timeout: None,
        payload_schema: None,
        uri_mapping: None,
    }
}

fn threats(stored: &serde_json::Value) -> ThreatProtection {
    ThreatProtection { list: stored.get("list").and_then(serde_json::Value::as_array).cloned() }
}
