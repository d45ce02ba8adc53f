//! 1,000 APIs of 20 resources with one application subscribed to all, for measuring.

use std::sync::Arc;

use model::{
    Api, ApiId, Application, ApplicationId, ApplicationStatus, ApplicationTokenType, AuthType, Endpoints, KeyMapping, KeyMappingId,
    KeyMappingMode, KeyState, KeyType, LifecycleState, Limit, Operation, Quota, Subscription, SubscriptionId, SubscriptionState, TenantId,
    TimeUnit, Timestamp,
};
use tidegate_gateway::{Change, Deployed, Issuer};

pub(crate) const APIS: usize = 1_000;

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const ISSUER: &str = "https://localhost:9443/oauth2/token";

/// The application's token, for itself (`APPLICATION`) or for a user (`APPLICATION_USER`); `filler` makes it longer by so many bytes.
pub(crate) fn token(key: &token::SigningKey, aut: &str, filler: usize) -> Result<String, Box<dyn std::error::Error>> {
    let claims = serde_json::json!({
        "iss": ISSUER, "sub": "bench@carbon.super", "azp": "bench-client", "aud": "bench-client", "aut": aut,
        "scope": "default", "exp": 4_000_000_000_i64, "iat": 1_600_000_000, "nbf": 1_600_000_000, "jti": "b8a1c5c0-0000-4000-8000-000000000000",
        "filler": "x".repeat(filler),
    });
    Ok(key.sign(&token::Header::access_token(), &claims)?)
}

/// `/api<n>/v1/res<m>/<id>` asks for a token, `/api<n>/v1/open<m>/<id>` for none; `m` is 0 to 9.
/// Application, subscription and resource have limits that are counted and never reached; with `every_limit` there are bursts and a
/// backend's limit too.
pub(crate) fn changes(backend: &str, key: &token::SigningKey, every_limit: bool) -> Vec<Change> {
    let tenant = TenantId::SUPER;
    let application = ApplicationId::derived(&["bench"]);
    let plenty = Limit { quota: Quota::Requests(2_000_000_000), unit_time: 1, time_unit: TimeUnit::Minute };
    let burst = every_limit.then_some(model::Burst { count: 8_000_000, unit: TimeUnit::Second });
    let mut changes = vec![
        Change::PutIssuer(Issuer {
            tenant,
            issuer: ISSUER.to_owned(),
            key_manager: "Resident Key Manager".to_owned(),
            keys: vec![(key.kid().to_owned(), key.public().clone())],
            consumer_key_claim: None,
            scopes_claim: None,
            says_aut: true,
        }),
        Change::PutApplication(Application {
            id: application,
            number: 1,
            tenant,
            owner: "bench".to_owned(),
            name: "Bench".to_owned(),
            policy: "50PerMin".to_owned(),
            description: None,
            token_type: ApplicationTokenType::Jwt,
            status: ApplicationStatus::Approved,
            groups: Vec::new(),
            attributes: Vec::new(),
            callback_url: None,
            created_at: NOW,
            updated_at: NOW,
        }),
        Change::PutKeyMapping(KeyMapping {
            id: KeyMappingId::derived(&["bench"]),
            application,
            key_type: KeyType::Production,
            key_manager: "Resident Key Manager".to_owned(),
            consumer_key: Some("bench-client".to_owned()),
            state: KeyState::Completed,
            mode: KeyMappingMode::Created,
            allowed_domains: Vec::new(),
        }),
    ];
    let subscription = model::default_subscription_policies(tenant).into_iter();
    changes.extend(subscription.map(|p| Change::PutSubscriptionPolicy(model::SubscriptionPolicy { limit: plenty, burst, ..p })));
    let applications = model::default_application_policies(tenant).into_iter();
    changes.extend(applications.map(|p| Change::PutApplicationPolicy(model::ApplicationPolicy { limit: plenty, ..p })));
    let advanced = model::default_advanced_policies(tenant).into_iter();
    changes.extend(advanced.map(|p| Change::PutAdvancedPolicy(model::AdvancedPolicy { limit: plenty, ..p })));
    for n in 0..APIS {
        let id = ApiId::derived(&["bench", &n.to_string()]);
        let mut api = Api::new(id, tenant, "admin", &format!("Api{n}"), "v1", &format!("/api{n}/{{version}}"), NOW);
        api.state = LifecycleState::Published;
        api.endpoints = Endpoints::http(Some(backend), None);
        api.max_tps.production = every_limit.then_some(2_000_000_000);
        let operation = |path: String, auth| Operation { policy: "10KPerMin".to_owned(), auth, ..Operation::new("GET", &path) };
        let closed = (0..10).map(|m| operation(format!("/res{m}/{{id}}"), AuthType::Any));
        let open = (0..10).map(|m| operation(format!("/open{m}/{{id}}"), AuthType::None));
        api.operations = closed.chain(open).collect();
        let revision = model::RevisionId::derived(&["bench"]);
        changes.push(Change::PutApi(Arc::new(Deployed { api: Arc::new(api), revision, environment: "Default".to_owned() })));
        changes.push(Change::PutSubscription(Subscription {
            id: SubscriptionId::derived(&["bench", &n.to_string()]),
            application,
            api: id,
            plan: "Gold".to_owned(),
            requested_plan: None,
            state: SubscriptionState::Unblocked,
            created_at: NOW,
            updated_at: NOW,
        }));
    }
    changes
}
