//! A gateway with 1,000 APIs of 20 resources, for measuring what a call costs.
//!
//! `bench_gateway PORT BACKEND_URL [--workers N] [--multi]` prints a token and serves `/api<n>/v1/res<m>/<id>`. Workers are threads with
//! a runtime each; `--multi` is one multi-threaded runtime instead. Ends at end of input or by signal.

use std::sync::Arc;

use model::{
    Api, ApiId, Application, ApplicationId, ApplicationStatus, ApplicationTokenType, Endpoints, KeyMapping, KeyMappingId, KeyMappingMode,
    KeyState, KeyType, LifecycleState, Limit, Operation, Quota, Subscription, SubscriptionId, SubscriptionState, TenantId, TimeUnit,
    Timestamp,
};
use tidegate_gateway::{Change, Config, Deployed, Door, Gateway, Issuer, NoOpaqueTokens, Snapshot};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const NOW: Timestamp = Timestamp(1_700_000_000_000);

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (Some(port), Some(backend)) = (arguments.first().and_then(|p| p.parse::<u16>().ok()), arguments.get(1)) else {
        return Err("usage: bench_gateway PORT BACKEND_URL [--workers N] [--multi]".into());
    };
    let after = |flag: &str| arguments.iter().position(|a| a == flag).and_then(|at| arguments.get(at + 1));
    let workers: usize = after("--workers").map_or(Ok(1), |n| n.parse())?;
    let multi = arguments.iter().any(|a| a == "--multi");
    let key = token::SigningKey::generate()?;
    let claims = serde_json::json!({
        "iss": "https://localhost:9443/oauth2/token", "sub": "bench", "azp": "bench-client", "aud": "bench-client", "aut": "APPLICATION",
        "scope": "default", "exp": 4_000_000_000_i64, "iat": 1_600_000_000, "nbf": 1_600_000_000, "jti": "b8a1c5c0-0000-4000-8000-000000000000",
    });
    let token = key.sign(&token::Header::access_token(), &claims)?;
    let gateway = Gateway::new(Config::default(), Arc::new(NoOpaqueTokens))?;
    let started = std::time::Instant::now();
    gateway.swap(Snapshot::empty().apply(&changes(backend, &key)).map_err(|faults| format!("{faults:?}"))?);
    {
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        writeln!(out, "{token}")?;
        writeln!(out, "snapshot made in {:?}", started.elapsed())?;
        out.flush()?;
    }
    let address = std::net::SocketAddr::from(([127, 0, 0, 1], port));
    let (_stop, stopped) = tokio::sync::watch::channel(false);
    if multi {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
        return runtime.block_on(async {
            let listener = tokio::net::TcpListener::bind(address).await?;
            tokio::spawn(gateway.serve(listener, None, stopped)).await?;
            Ok(())
        });
    }
    gateway.run(&[Door { address, tls: None }], workers, &stopped)?;
    Ok(())
}

fn changes(backend: &str, key: &token::SigningKey) -> Vec<Change> {
    let tenant = TenantId::SUPER;
    let application = ApplicationId::derived(&["bench"]);
    let plenty = Limit { quota: Quota::Requests(2_000_000_000), unit_time: 1, time_unit: TimeUnit::Minute };
    let mut changes = vec![
        Change::PutIssuer(Issuer {
            tenant,
            issuer: "https://localhost:9443/oauth2/token".to_owned(),
            key_manager: "Resident Key Manager".to_owned(),
            keys: vec![(key.kid().to_owned(), key.public().clone())],
            consumer_key_claim: None,
            scopes_claim: None,
            says_aut: false,
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
    // Limits of each level that are counted but never reached.
    changes.extend(
        model::default_subscription_policies(tenant)
            .into_iter()
            .map(|p| Change::PutSubscriptionPolicy(model::SubscriptionPolicy { limit: plenty, ..p })),
    );
    changes.extend(
        model::default_application_policies(tenant)
            .into_iter()
            .map(|p| Change::PutApplicationPolicy(model::ApplicationPolicy { limit: plenty, ..p })),
    );
    changes.extend(
        model::default_advanced_policies(tenant)
            .into_iter()
            .map(|p| Change::PutAdvancedPolicy(model::AdvancedPolicy { limit: plenty, ..p })),
    );
    for n in 0..1_000 {
        let id = ApiId::derived(&["bench", &n.to_string()]);
        let mut api = Api::new(id, tenant, "admin", &format!("Api{n}"), "v1", &format!("/api{n}/{{version}}"), NOW);
        api.state = LifecycleState::Published;
        api.endpoints = Endpoints::http(Some(backend), None);
        api.operations =
            (0..20).map(|m| Operation { policy: "10KPerMin".to_owned(), ..Operation::new("GET", &format!("/res{m}/{{id}}")) }).collect();
        changes.push(Change::PutApi(Arc::new(Deployed {
            api: Arc::new(api),
            revision: model::RevisionId::derived(&["bench"]),
            environment: "Default".to_owned(),
        })));
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
