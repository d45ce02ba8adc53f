//! From what a client sent to the model, as far as the body alone can tell: presence, lengths, characters, enumerated words.
//!
//! Not here: rules that need the tenant's roles, plans or other APIs (`apis::rules`), and what the server adds on its own
//! (`apis::normalise`).

use model::{
    AccessControl, Advertise, ApiKind, ApiScope, AuthType, BusinessInformation, Cors, EndpointImplementation, Endpoints, MaxTps,
    MediationPolicyRef, Operation, Property, SubscriptionAvailability, Timestamp, Visibility,
};
use serde_json::{Value, json};

use archive::shape::Api;
use rest::{FieldFault, Refusal};

use crate::entry;

const DISALLOWED: &str = "One or more request body parameters contain disallowed values.";

/// Names that a search uses itself, so that no additional property may have them.
const RESERVED_PROPERTIES: [&str; 13] = [
    "doc",
    "tags",
    "name",
    "provider",
    "context",
    "version",
    "lcstate",
    "description",
    "status",
    "content",
    "type",
    "label",
    "enablestore",
];

/// For whom an API is made.
#[derive(Debug, Clone)]
pub(crate) struct Maker<'a> {
    /// Id of the new API.
    pub id: model::ApiId,
    /// Owning tenant.
    pub tenant: model::TenantId,
    /// Its domain, part of the context outside the super tenant.
    pub tenant_domain: &'a str,
    /// Provider as it will be shown.
    pub provider: &'a str,
    /// Now.
    pub now: Timestamp,
}

/// What a client sent, to be read.
pub(crate) struct Sent<'a>(pub &'a Api);

impl std::ops::Deref for Sent<'_> {
    type Target = Api;

    fn deref(&self) -> &Api {
        self.0
    }
}

impl Sent<'_> {
    /// A new API.
    ///
    /// # Errors
    /// [`Refusal::Invalid`] with every field that breaks a rule, or the refusal of the first thing that is worse.
    pub(crate) fn to_new(&self, maker: &Maker<'_>) -> Result<model::Api, Refusal> {
        let mut faults = Vec::new();
        let name = required(&mut faults, "name", self.name.as_deref());
        let version = required(&mut faults, "version", self.version.as_deref());
        let context = required(&mut faults, "context", self.context.as_deref());
        check(&mut faults, "name", name, model::api_name);
        check(&mut faults, "version", version, model::api_version);
        if context.is_some_and(|c| c.chars().count() > 82) {
            fault(&mut faults, "context", "size must be between 1 and 82");
        }
        self.field_faults(&mut faults);
        let (Some(name), Some(version), Some(context)) = (name, version, context) else { return Err(Refusal::Invalid(faults)) };
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults));
        }
        let template = model::template_of(context, maker.tenant_domain).map_err(|f| entry::CONTEXT_INVALID.with(f.to_string()))?;
        let mut api = model::Api::new(maker.id, maker.tenant, maker.provider, name, version, &template, maker.now);
        api.kind = word(self.kind.as_deref(), ApiKind::Http, ApiKind::parse)?;
        if self.life_cycle_status.as_deref().is_some_and(|s| s.eq_ignore_ascii_case("PROTOTYPED")) {
            api.state = model::LifecycleState::Prototyped;
        }
        self.fill(&mut api)?;
        Ok(api)
    }

    /// The API as an update makes it: what may never change stays as `stored` has it, and whatever else the body leaves out falls back
    /// to its default, as PUT replaces.
    ///
    /// # Errors
    /// As [`Sent::to_new`].
    pub(crate) fn to_update(&self, stored: &model::Api, now: Timestamp) -> Result<model::Api, Refusal> {
        let mut faults = Vec::new();
        self.field_faults(&mut faults);
        if !faults.is_empty() {
            return Err(Refusal::Invalid(faults));
        }
        let mut api = model::Api::new(
            stored.id,
            stored.tenant,
            &stored.provider,
            &stored.name,
            &stored.version,
            &stored.context_template,
            stored.created_at,
        );
        api.context.clone_from(&stored.context);
        api.kind = stored.kind;
        api.state = stored.state;
        api.wsdl_url.clone_from(&stored.wsdl_url);
        api.enable_store = stored.enable_store;
        api.updated_at = now;
        self.fill(&mut api)?;
        keep_scripts(&mut api, stored);
        Ok(api)
    }

    /// Everything that may change.
    fn fill(&self, api: &mut model::Api) -> Result<(), Refusal> {
        api.is_default_version = self.is_default_version.unwrap_or(false);
        api.description.clone_from(&self.description);
        api.transports = self.transport.clone().unwrap_or_default();
        api.tags = distinct(self.tags.as_deref());
        api.categories = distinct(self.categories.as_deref());
        api.plans = distinct(self.policies.as_deref());
        api.api_policy = non_empty(self.api_throttling_policy.as_deref());
        api.authorization_header =
            non_empty(self.authorization_header.as_deref()).filter(|header| !header.eq_ignore_ascii_case("Authorization"));
        api.security_scheme = distinct(self.security_scheme.as_deref());
        api.max_tps = self.max_tps()?;
        api.visibility = word(self.visibility.as_deref(), Visibility::Public, Visibility::parse)?;
        api.visible_roles = distinct(self.visible_roles.as_deref());
        api.visible_tenants = distinct(self.visible_tenants.as_deref());
        api.access_control = word(self.access_control.as_deref(), AccessControl::None, AccessControl::parse)?;
        api.access_control_roles = distinct(self.access_control_roles.as_deref());
        api.subscription_availability =
            word(self.subscription_availability.as_deref(), SubscriptionAvailability::CurrentTenant, SubscriptionAvailability::parse)?;
        api.subscription_available_tenants = distinct(self.subscription_available_tenants.as_deref());
        api.properties = properties(self.additional_properties.as_ref())?;
        api.monetization =
            self.monetization.as_ref().map(|m| json!({"enabled": m.enabled, "properties": m.properties.clone().unwrap_or_default()}));
        api.business = self.business();
        api.cors = self.cors();
        api.websub = self.websub_subscription_configuration.as_ref().map(serde_json::to_value).transpose()?;
        api.mediation_policies = self.mediation()?;
        api.endpoints = Endpoints(endpoint_config(self.endpoint_config.as_ref())?);
        api.implementation = word(self.endpoint_implementation_type.as_deref(), EndpointImplementation::Endpoint, |text| match text {
            "ENDPOINT" => Some(EndpointImplementation::Endpoint),
            "INLINE" => Some(EndpointImplementation::Inline),
            _ => None,
        })?;
        api.scopes = self.scopes();
        api.operations = self.operations()?;
        api.key_managers = key_managers(self.key_managers.as_ref())?;
        api.advertise = self.advertise()?;
        api.service_info = self.service_info.clone().filter(|info| !info.is_null());
        api.response_caching = self.response_caching_enabled.unwrap_or(false);
        api.cache_timeout_secs = match self.cache_timeout {
            None => 300,
            Some(secs) => u32::try_from(secs).map_err(|_| Refusal::Bad("cacheTimeout must be a number of seconds from 0".to_owned()))?,
        };
        api.schema_validation = self.enable_schema_validation.unwrap_or(false);
        api.threat_protection = self.threat_protection_policies.as_ref().map(serde_json::to_value).transpose()?;
        Ok(())
    }

    fn field_faults(&self, faults: &mut Vec<FieldFault>) {
        FieldFault::bounded(faults, "description", self.description.as_deref(), 32_766);
        FieldFault::bounded(faults, "provider", self.provider.as_deref(), 50);
        if self
            .authorization_header
            .as_deref()
            .is_some_and(|h| h.chars().any(|c| "~!@#;:%^*()+={}|\\<>\"',&$".contains(c) || c.is_whitespace()))
        {
            fault(faults, "authorizationHeader", "must be the name of a header");
        }
        if let Some(business) = &self.business_information {
            FieldFault::bounded(faults, "businessInformation.businessOwner", business.business_owner.as_deref(), 120);
            FieldFault::bounded(faults, "businessInformation.technicalOwner", business.technical_owner.as_deref(), 120);
            if non_empty(business.business_owner_email.as_deref()).is_some_and(|mail| !is_mail(&mail)) {
                fault(faults, "businessInformation.businessOwnerEmail", "must be an e-mail address");
            }
        }
        if self.monetization.as_ref().is_some_and(|m| m.enabled.is_none()) {
            fault(faults, "monetization.enabled", "must not be null");
        }
        for (index, policy) in self.mediation_policies.iter().flatten().enumerate() {
            required(faults, &format!("mediationPolicies[{index}].name"), policy.name.as_deref());
        }
        for (index, scope) in self.scopes.iter().flatten().enumerate() {
            let path = format!("scopes[{index}].scope");
            required(faults, &format!("{path}.name"), scope.scope.name.as_deref());
            FieldFault::bounded(faults, &format!("{path}.name"), scope.scope.name.as_deref(), 255);
            FieldFault::bounded(faults, &format!("{path}.displayName"), scope.scope.display_name.as_deref(), 255);
            FieldFault::bounded(faults, &format!("{path}.description"), scope.scope.description.as_deref(), 512);
        }
    }

    fn max_tps(&self) -> Result<MaxTps, Refusal> {
        let number =
            |n: Option<i64>| n.map(|n| u64::try_from(n).map_err(|_| Refusal::Bad("maxTps must not be negative".to_owned()))).transpose();
        self.max_tps
            .as_ref()
            .map_or(Ok(MaxTps::default()), |bounds| Ok(MaxTps { production: number(bounds.production)?, sandbox: number(bounds.sandbox)? }))
    }

    fn business(&self) -> BusinessInformation {
        let Some(sent) = &self.business_information else { return BusinessInformation::default() };
        BusinessInformation {
            business_owner: sent.business_owner.clone(),
            business_owner_email: sent.business_owner_email.clone(),
            technical_owner: sent.technical_owner.clone(),
            technical_owner_email: sent.technical_owner_email.clone(),
        }
    }

    fn cors(&self) -> Option<Cors> {
        let sent = self.cors_configuration.as_ref()?;
        let default = Cors::default();
        Some(Cors {
            enabled: sent.cors_configuration_enabled.unwrap_or(default.enabled),
            allow_origins: sent.access_control_allow_origins.clone().unwrap_or(default.allow_origins),
            allow_credentials: sent.access_control_allow_credentials.unwrap_or(default.allow_credentials),
            allow_headers: sent.access_control_allow_headers.clone().unwrap_or(default.allow_headers),
            allow_methods: sent.access_control_allow_methods.clone().unwrap_or(default.allow_methods),
        })
    }

    fn mediation(&self) -> Result<Vec<MediationPolicyRef>, Refusal> {
        let mut policies: Vec<MediationPolicyRef> = Vec::new();
        for sent in self.mediation_policies.iter().flatten() {
            let flow = sent.flow.clone().unwrap_or_default().to_ascii_lowercase();
            if !matches!(flow.as_str(), "in" | "out" | "fault") {
                return Err(Refusal::Bad(DISALLOWED.to_owned()));
            }
            if policies.iter().any(|policy| policy.flow == flow) {
                return Err(Refusal::Bad(format!("More than one mediation policy is given for the flow '{flow}'.")));
            }
            policies.push(MediationPolicyRef {
                id: non_empty(sent.id.as_deref()),
                name: sent.name.clone().unwrap_or_default(),
                flow,
                shared: sent.shared.unwrap_or(false),
            });
        }
        Ok(policies)
    }

    fn scopes(&self) -> Vec<ApiScope> {
        let read = |sent: &archive::shape::ApiScope| {
            let name = sent.scope.name.clone().unwrap_or_default();
            ApiScope {
                display_name: non_empty(sent.scope.display_name.as_deref()).unwrap_or_else(|| name.clone()),
                name,
                description: sent.scope.description.clone(),
                roles: distinct(sent.scope.bindings.as_deref()),
                shared: sent.shared.unwrap_or(false),
            }
        };
        self.scopes.iter().flatten().map(read).collect()
    }

    fn operations(&self) -> Result<Vec<Operation>, Refusal> {
        self.operations.iter().flatten().map(operation).collect()
    }

    fn advertise(&self) -> Result<Advertise, Refusal> {
        let Some(sent) = &self.advertise_info else { return Ok(Advertise::default()) };
        if sent.vendor.as_deref().is_some_and(|vendor| !matches!(vendor, "" | "WSO2" | "AWS")) {
            return Err(Refusal::Bad(DISALLOWED.to_owned()));
        }
        Ok(Advertise {
            advertised: sent.advertised.unwrap_or(false),
            original_portal_url: sent.original_dev_portal_url.clone(),
            owner: sent.api_owner.clone(),
            vendor: non_empty(sent.vendor.as_deref()),
        })
    }
}

fn operation(sent: &archive::shape::Operation) -> Result<Operation, Refusal> {
    let (Some(target), Some(verb)) = (non_empty(sent.target.as_deref()), non_empty(sent.verb.as_deref())) else {
        return Err(Refusal::Bad("Each operation needs a target and a verb.".to_owned()));
    };
    let mut operation = Operation::new(&verb, &target);
    operation.auth = word(non_empty(sent.auth_type.as_deref()).as_deref(), AuthType::Any, AuthType::parse)?;
    operation.policy = non_empty(sent.throttling_policy.as_deref()).unwrap_or(operation.policy);
    operation.scopes = distinct(sent.scopes.as_deref());
    Ok(operation)
}

/// Mock scripts live in the definition, not in the API object, so an update of the object leaves them alone.
fn keep_scripts(api: &mut model::Api, stored: &model::Api) {
    for operation in &mut api.operations {
        operation.script = stored
            .operations
            .iter()
            .find(|old| old.verb == operation.verb && old.target == operation.target)
            .and_then(|old| old.script.clone());
    }
}

/// The additional properties, from a list of objects or from an old project's map.
fn properties(sent: Option<&Value>) -> Result<Vec<Property>, Refusal> {
    let invalid = |words: String| entry::PROPERTY_INVALID.with(words);
    let found: Vec<Property> = match sent {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(items)) => items.iter().filter_map(property_object).collect(),
        Some(Value::Object(map)) => map.iter().map(|(name, value)| property_entry(name, value)).collect(),
        Some(_) => return Err(invalid("additionalProperties must be a list of names and values.".to_owned())),
    };
    for (index, property) in found.iter().enumerate() {
        let name = property.name.as_str();
        if name.trim().is_empty() || name.contains(char::is_whitespace) {
            return Err(invalid(format!("The property name '{name}' must not be empty or hold spaces.")));
        }
        if name.chars().count() > 80 {
            return Err(invalid(format!("The property name '{name}' is longer than 80 characters.")));
        }
        if RESERVED_PROPERTIES.iter().any(|reserved| name.eq_ignore_ascii_case(reserved)) || name.eq_ignore_ascii_case("api-category") {
            return Err(invalid(format!("The property name '{name}' is reserved.")));
        }
        if property.value.chars().count() > 900 {
            return Err(invalid(format!("The value of the property '{name}' is longer than 900 characters.")));
        }
        if found.iter().take(index).any(|earlier| earlier.name == name) {
            return Err(invalid(format!("The property '{name}' is given twice.")));
        }
    }
    Ok(found)
}

/// `{name, value, display}`; an object without a value is what the publisher's page sends for an emptied row.
fn property_object(item: &Value) -> Option<Property> {
    let text = |field: &str| item.get(field).and_then(Value::as_str);
    let value = text("value")?;
    Some(Property {
        name: text("name").unwrap_or_default().to_owned(),
        value: value.to_owned(),
        display: item.get("display").and_then(Value::as_bool).unwrap_or(false),
    })
}

fn property_entry(key: &str, value: &Value) -> Property {
    let (name, display) = key.strip_suffix("__display").map_or((key, false), |name| (name, true));
    match value {
        Value::Object(_) => Property {
            name: name.to_owned(),
            value: value.get("value").map(text_of).unwrap_or_default(),
            display: value.get("display").and_then(Value::as_bool).unwrap_or(display),
        },
        plain => Property { name: name.to_owned(), value: text_of(plain), display },
    }
}

fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| if value.is_null() { String::new() } else { value.to_string() }, str::to_owned)
}

/// An object, or the same as JSON text.
fn endpoint_config(sent: Option<&Value>) -> Result<Value, Refusal> {
    let wrong = || Refusal::Bad("endpointConfig must be an object.".to_owned());
    match sent {
        None | Some(Value::Null) => Ok(Value::Null),
        Some(object @ Value::Object(_)) => Ok(object.clone()),
        Some(Value::String(text)) if text.trim().is_empty() => Ok(Value::Null),
        Some(Value::String(text)) => serde_json::from_str::<Value>(text).ok().filter(Value::is_object).ok_or_else(wrong),
        Some(_) => Err(wrong()),
    }
}

fn key_managers(sent: Option<&Value>) -> Result<Vec<String>, Refusal> {
    let wrong = || Refusal::Bad("keyManagers must be a list of names.".to_owned());
    match sent {
        None | Some(Value::Null) => Ok(vec!["all".to_owned()]),
        Some(Value::Array(items)) => {
            let names: Option<Vec<String>> = items.iter().map(|item| item.as_str().map(str::to_owned)).collect();
            let names = distinct(Some(&names.ok_or_else(wrong)?));
            Ok(if names.is_empty() { vec!["all".to_owned()] } else { names })
        }
        Some(_) => Err(wrong()),
    }
}

/// One of a closed list of words; absent means `default`.
fn word<T>(sent: Option<&str>, default: T, parse: impl Fn(&str) -> Option<T>) -> Result<T, Refusal> {
    sent.map_or(Some(default), parse).ok_or_else(|| Refusal::Bad(DISALLOWED.to_owned()))
}

fn non_empty(text: Option<&str>) -> Option<String> {
    text.map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// Trimmed, without empty and repeated entries, in order.
fn distinct(list: Option<&[String]>) -> Vec<String> {
    let mut seen: Vec<String> = Vec::new();
    for item in list.unwrap_or_default().iter().map(|item| item.trim()).filter(|item| !item.is_empty()) {
        if !seen.iter().any(|earlier| earlier == item) {
            seen.push(item.to_owned());
        }
    }
    seen
}

fn fault(faults: &mut Vec<FieldFault>, path: &str, rule: impl Into<String>) {
    faults.push(FieldFault::new(path, rule));
}

fn required<'t>(faults: &mut Vec<FieldFault>, path: &str, text: Option<&'t str>) -> Option<&'t str> {
    match text.map(str::trim) {
        Some(text) if !text.is_empty() => Some(text),
        _ => {
            fault(faults, path, "must not be null");
            None
        }
    }
}

fn check(faults: &mut Vec<FieldFault>, path: &str, text: Option<&str>, rule: impl Fn(&str) -> Result<(), model::NameFault>) {
    if let Some(Err(broken)) = text.map(rule) {
        fault(faults, path, broken.to_string());
    }
}

/// The document's pattern: something, `@`, labels of letters, digits and hyphens.
fn is_mail(text: &str) -> bool {
    let Some((local, domain)) = text.split_once('@') else { return false };
    let local_ok = !local.is_empty() && local.chars().all(|c| c.is_ascii_alphanumeric() || ".!#$%&’*+/=?^_`{|}~-".contains(c));
    local_ok && domain.split('.').all(|label| !label.is_empty() && label.chars().all(|c| c.is_ascii_alphanumeric() || c == '-'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker() -> Maker<'static> {
        Maker {
            id: model::ApiId::derived(&["test"]),
            tenant: model::TenantId(1),
            tenant_domain: "acme.com",
            provider: "bob@acme.com",
            now: Timestamp(1),
        }
    }

    fn read(body: Value) -> Result<model::Api, Refusal> {
        Sent(&serde_json::from_value(body).expect("the fields are the document's")).to_new(&maker())
    }

    fn with(extra: Value) -> Result<model::Api, Refusal> {
        let mut body = json!({"name": "Pizza", "context": "pizza", "version": "1.0.0"});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        read(body)
    }

    #[test]
    fn three_fields_make_an_api() {
        let api = with(json!({})).unwrap();
        assert_eq!(api.context, "/t/acme.com/pizza/1.0.0");
        assert_eq!((api.kind, api.visibility, api.cache_timeout_secs), (ApiKind::Http, Visibility::Public, 300));
        assert_eq!(api.key_managers, ["all"]);
    }

    #[test]
    fn all_broken_fields_are_named_at_once() {
        let Err(Refusal::Invalid(faults)) = read(json!({"name": "a b", "version": "", "description": "x".repeat(32_767)})) else {
            panic!("it was taken");
        };
        let paths: Vec<_> = faults.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, ["version", "context", "name", "description"]);
    }

    #[test]
    fn words_outside_the_list_are_refused() {
        for extra in [
            json!({"visibility": "HIDDEN"}),
            json!({"type": "FTP"}),
            json!({"accessControl": "x"}),
            json!({"endpointImplementationType": "MOCK"}),
            json!({"operations": [{"target": "/", "verb": "GET", "authType": "Somebody"}]}),
            json!({"mediationPolicies": [{"name": "x", "type": "sideways"}]}),
            json!({"advertiseInfo": {"vendor": "ACME"}}),
        ] {
            assert!(matches!(with(extra.clone()), Err(Refusal::Bad(words)) if words == DISALLOWED), "{extra}");
        }
    }

    #[test]
    fn properties_come_as_list_or_map_and_obey_the_rules() {
        let list = with(json!({"additionalProperties": [{"name": "a", "value": "1", "display": true}]})).unwrap();
        let map = with(json!({"additionalProperties": {"a__display": "1"}})).unwrap();
        assert_eq!(list.properties, map.properties);
        for bad in [
            json!([{"name": "a b", "value": ""}]),
            json!([{"name": "Version", "value": ""}]),
            json!([{"name": "a".repeat(81), "value": ""}]),
            json!([{"name": "a", "value": "v".repeat(901)}]),
        ] {
            assert!(
                matches!(with(json!({"additionalProperties": bad})), Err(Refusal::Catalogue { entry, .. }) if entry == entry::PROPERTY_INVALID)
            );
        }
    }

    #[test]
    fn at_most_one_sequence_per_flow() {
        let two = json!({"mediationPolicies": [{"name": "x", "type": "in"}, {"name": "y", "type": "IN"}]});
        assert!(matches!(with(two), Err(Refusal::Bad(_))));
    }

    #[test]
    fn an_update_keeps_what_never_changes() {
        let mut stored = with(json!({"type": "SOAP"})).unwrap();
        stored.state = model::LifecycleState::Published;
        stored.enable_store = false;
        let body: Api = serde_json::from_value(json!({
            "name": "Other", "version": "9", "context": "other", "provider": "eve", "type": "HTTP", "lifeCycleStatus": "RETIRED",
            "description": "new",
        }))
        .unwrap();
        let next = Sent(&body).to_update(&stored, Timestamp(2)).unwrap();
        assert_eq!(
            next,
            model::Api {
                description: Some("new".to_owned()),
                transports: vec![],
                updated_at: Timestamp(2),
                security_scheme: vec![],
                ..stored
            }
        );
    }
}
