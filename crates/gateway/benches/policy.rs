//! What a call's decisions cost, from its path to its counters, without any network.
//!
//! `cargo bench -p tidegate-gateway --bench policy` prints nanoseconds a call, the fastest of several rounds. Times depend on the machine and
//! on what else it does; instructions do not:
//! `valgrind --tool=callgrind --toggle-collect='*measure::passes*' <binary> <case> 10000`.

use std::io::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;

use http::{HeaderMap, HeaderValue, Method, Uri};
use model::{
    Api, ApiId, Application, ApplicationId, ApplicationStatus, ApplicationTokenType, AuthType, Endpoints, KeyMapping, KeyMappingId,
    KeyMappingMode, KeyState, KeyType, LifecycleState, Limit, Operation, Quota, Subscription, SubscriptionId, SubscriptionState, TenantId,
    TimeUnit, Timestamp,
};
use tidegate_gateway::{Change, Config, Deployed, Gateway, Issuer, NoOpaqueTokens, Snapshot, measure};

const NOW: Timestamp = Timestamp(1_700_000_000_000);
const ROUNDS: usize = 20;
const APIS: usize = 1_000;

/// Name, path below the context, value of claim `aut`; none for a call without a token.
const CASES: [(&str, &str, Option<&str>); 3] =
    [("application", "closed", Some("APPLICATION")), ("user", "closed", Some("APPLICATION_USER")), ("open", "open", None)];

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).filter(|a| !a.starts_with('-')).collect();
    let wanted = arguments.first();
    let calls: usize = arguments.get(1).map_or(Ok(20_000), |n| n.parse())?;
    let key = token::SigningKey::generate()?;
    let gateway = Gateway::new(Config::default(), Arc::new(NoOpaqueTokens))?;
    gateway.swap(Snapshot::empty().apply(&changes(&key)).map_err(|faults| format!("{faults:?}"))?);
    let uris = |kind: &str| (0..APIS).map(|n| format!("/api{n}/v1/{kind}7/5?x=1").parse()).collect::<Result<Vec<Uri>, _>>();
    let client = IpAddr::from([203, 0, 113, 7]);
    for (name, kind, aut) in CASES.into_iter().filter(|(name, ..)| wanted.is_none_or(|w| w == name)) {
        let uris = uris(kind)?;
        let headers = aut.map_or(Ok(HeaderMap::new()), |aut| headers(&key, aut))?;
        let one_round = |calls: usize| {
            let started = Instant::now();
            let passed =
                uris.iter().cycle().take(calls).filter(|uri| measure::passes(&gateway, &Method::GET, uri, &headers, client)).count();
            (started.elapsed(), passed)
        };
        let rounds = if wanted.is_some() { 1 } else { ROUNDS };
        let (fastest, passed) = (0..rounds).map(|_| one_round(calls)).min().ok_or("no rounds")?;
        if passed != calls {
            return Err(format!("{name}: only {passed} of {calls} calls passed").into());
        }
        writeln!(std::io::stdout(), "{name}: {} ns a call", fastest.as_nanos() / calls as u128)?;
    }
    Ok(())
}

/// A token as long as those with a 2048-bit signature and some claims are.
fn headers(key: &token::SigningKey, aut: &str) -> Result<HeaderMap, Box<dyn std::error::Error>> {
    let claims = serde_json::json!({
        "iss": "https://localhost:9443/oauth2/token", "sub": "bench@carbon.super", "azp": "bench-client", "aud": "bench-client", "aut": aut,
        "scope": "default", "exp": 4_000_000_000_i64, "iat": 1_600_000_000, "nbf": 1_600_000_000, "jti": "b8a1c5c0-0000-4000-8000-000000000000",
        "filler": "x".repeat(200),
    });
    let token = key.sign(&token::Header::access_token(), &claims)?;
    let mut headers = HeaderMap::new();
    headers.insert(http::header::HOST, HeaderValue::from_static("gateway.example:8243"));
    headers.insert(http::header::ACCEPT, HeaderValue::from_static("*/*"));
    headers.insert(http::header::AUTHORIZATION, HeaderValue::from_str(&format!("Bearer {token}"))?);
    Ok(headers)
}

/// 1,000 APIs of 20 resources, with limits at every level that are counted but never reached.
fn changes(key: &token::SigningKey) -> Vec<Change> {
    let tenant = TenantId::SUPER;
    let application = ApplicationId::derived(&["bench"]);
    let plenty = Limit { quota: Quota::Requests(2_000_000_000), unit_time: 1, time_unit: TimeUnit::Minute };
    let burst = Some(model::Burst { count: 8_000_000, unit: TimeUnit::Second });
    let mut changes = vec![
        Change::PutIssuer(Issuer {
            tenant,
            issuer: "https://localhost:9443/oauth2/token".to_owned(),
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
        api.endpoints = Endpoints::http(Some("http://127.0.0.1:9"), None);
        api.max_tps.production = Some(2_000_000_000);
        let operation = |path: String, auth| Operation { policy: "10KPerMin".to_owned(), auth, ..Operation::new("GET", &path) };
        let closed = (0..10).map(|m| operation(format!("/closed{m}/{{id}}"), AuthType::Any));
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
