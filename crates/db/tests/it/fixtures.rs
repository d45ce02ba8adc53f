//! Nouns with every field filled in, so that a codec that loses one is found out.

use std::sync::Arc;

use db::Db;
use model::*;
use serde_json::json;

pub(crate) const NOW: Timestamp = Timestamp(1_700_000_000_123);
pub(crate) const ACME: TenantId = TenantId(1);

pub(crate) fn texts(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

/// Two tenants: the super tenant and `Acme.com`.
pub(crate) async fn tenants(db: &Db) {
    let mut tx = db.write().await.unwrap();
    db::tenants::insert(&mut tx, &Tenant::super_tenant(NOW)).await.unwrap();
    db::tenants::insert(&mut tx, &acme()).await.unwrap();
    tx.commit().await.unwrap();
}

pub(crate) fn acme() -> Tenant {
    Tenant { id: ACME, domain: "Acme.com".to_owned(), email: Some("ops@acme.com".to_owned()), active: true, created_at: NOW }
}

pub(crate) fn plain_api(name: &str, version: &str) -> Api {
    let template = format!("/{name}/{{version}}");
    Api::new(ApiId::random(), TenantId::SUPER, "admin", name, version, &template, NOW)
}

pub(crate) fn full_api() -> Api {
    let mut api = plain_api("Pizza", "1.0.0");
    api.kind = ApiKind::SoapToRest;
    api.state = LifecycleState::Published;
    api.is_default_version = true;
    api.description = Some("Ünïcode description: 50% off_".to_owned());
    api.tags = texts(&["food", "Ärger"]);
    api.categories = texts(&["Retail"]);
    api.plans = texts(&["Gold", "Unlimited"]);
    api.api_policy = Some("50KPerMin".to_owned());
    api.authorization_header = Some("X-Auth".to_owned());
    api.max_tps = MaxTps { production: Some(10), sandbox: None };
    api.visibility = Visibility::Restricted;
    api.visible_roles = texts(&["Internal/Chef"]);
    api.visible_tenants = texts(&["acme.com"]);
    api.access_control = AccessControl::Restricted;
    api.access_control_roles = texts(&["internal/cooks"]);
    api.subscription_availability = SubscriptionAvailability::SpecificTenants;
    api.subscription_available_tenants = texts(&["acme.com"]);
    api.properties = vec![Property { name: "Region".to_owned(), value: "North West".to_owned(), display: true }];
    api.monetization = Some(json!({"enabled": true, "properties": {"a": 1}}));
    api.business = BusinessInformation {
        business_owner: Some("B".to_owned()),
        business_owner_email: Some("b@x".to_owned()),
        technical_owner: Some("T".to_owned()),
        technical_owner_email: None,
    };
    api.cors = Some(Cors::default());
    api.websub = Some(json!({"secret": "", "enable": false}));
    api.mediation_policies =
        vec![MediationPolicyRef { id: Some("m1".to_owned()), name: "log".to_owned(), flow: "in".to_owned(), shared: true }];
    api.endpoints = Endpoints::http(Some("http://b:1/x"), Some("http://s:1/x"));
    api.implementation = EndpointImplementation::Inline;
    api.scopes = vec![scope("order_pizza", &["admin", "Internal/Chef"], false), scope("shared_read", &[], true)];
    let mut operation = Operation::new("get", "/order/{id}");
    operation.auth = AuthType::ApplicationUser;
    operation.policy = "10KPerMin".to_owned();
    operation.scopes = texts(&["order_pizza"]);
    operation.script = Some("mc.setProperty('x', 1);".to_owned());
    api.operations = vec![operation, Operation::new("POST", "/*")];
    api.key_managers = texts(&["Resident Key Manager"]);
    api.advertise =
        Advertise { advertised: true, original_portal_url: Some("http://p".to_owned()), owner: None, vendor: Some("AWS".to_owned()) };
    api.service_info = Some(json!({"key": "s"}));
    api.wsdl_url = Some("http://w?wsdl".to_owned());
    api.response_caching = true;
    api.cache_timeout_secs = 60;
    api.schema_validation = true;
    api.threat_protection = Some(json!({"list": []}));
    api
}

pub(crate) fn scope(name: &str, roles: &[&str], shared: bool) -> ApiScope {
    ApiScope { name: name.to_owned(), display_name: format!("The {name}"), description: Some("d".to_owned()), roles: texts(roles), shared }
}

pub(crate) fn revision(api: &Api, number: u32) -> Revision {
    Revision {
        id: RevisionId::random(),
        api: api.id,
        number,
        description: Some(format!("number {number}")),
        content: Arc::new(api.clone()),
        definition: Some(definition("openapi: 3.0.1")),
        created_at: NOW,
    }
}

pub(crate) fn definition(text: &str) -> Definition {
    Definition { format: DefinitionFormat::OpenApi3, text: text.to_owned() }
}

pub(crate) fn deployment(revision: &Revision, environment: &str) -> Deployment {
    Deployment {
        api: revision.api,
        environment: environment.to_owned(),
        revision: revision.id,
        vhost: "gw.example".to_owned(),
        display_on_portal: true,
        deployed_at: NOW,
    }
}

pub(crate) fn application(owner: &str, name: &str) -> Application {
    Application {
        id: ApplicationId::random(),
        number: 0,
        tenant: TenantId::SUPER,
        owner: owner.to_owned(),
        name: name.to_owned(),
        policy: "10PerMin".to_owned(),
        description: Some("mine".to_owned()),
        token_type: ApplicationTokenType::OAuth,
        status: ApplicationStatus::Approved,
        groups: texts(&["team-b", "team-a"]),
        attributes: vec![("cost".to_owned(), "9".to_owned())],
        callback_url: Some("http://c".to_owned()),
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn subscription(application: &Application, api: &Api) -> Subscription {
    Subscription {
        id: SubscriptionId::random(),
        application: application.id,
        api: api.id,
        plan: "Gold".to_owned(),
        requested_plan: Some("Bronze".to_owned()),
        state: SubscriptionState::TierUpdatePending,
        created_at: NOW,
        updated_at: NOW,
    }
}

pub(crate) fn key_mapping(application: &Application, key_type: KeyType, consumer_key: Option<&str>) -> KeyMapping {
    KeyMapping {
        id: KeyMappingId::random(),
        application: application.id,
        key_type,
        key_manager: "Resident Key Manager".to_owned(),
        consumer_key: consumer_key.map(str::to_owned),
        state: KeyState::Completed,
        mode: KeyMappingMode::Mapped,
        allowed_domains: texts(&["example.com"]),
    }
}

pub(crate) fn client(id: &str) -> OAuthClient {
    OAuthClient {
        id: id.to_owned(),
        secret: Secret::new(format!("secret-of-{id}")),
        name: format!("app-{id}"),
        owner: "admin".to_owned(),
        tenant: TenantId::SUPER,
        grants: texts(&["client_credentials", "password"]),
        callback_url: Some("regexp=(a|b)".to_owned()),
        token_format: TokenFormat::Opaque,
        origin: ClientOrigin::Carried,
        lifetimes: Lifetimes { application_secs: Some(-1), user_secs: None, refresh_secs: Some(86_400), id_token_secs: Some(5) },
        active: true,
        created_at: NOW,
    }
}

pub(crate) fn opaque_token(client: &str, text: &str) -> IssuedToken {
    IssuedToken {
        id: TokenId::random(),
        client: client.to_owned(),
        tenant: TenantId::SUPER,
        holder: TokenHolder::User { user: "bob".to_owned() },
        scopes: texts(&["b", "a"]),
        grant: Some("password".to_owned()),
        access: TokenText::Opaque(Secret::new(text.to_owned())),
        issued_at: NOW,
        expires_at: Some(NOW.plus_secs(3600)),
        refresh: Some(Secret::new(format!("refresh-{text}"))),
        refresh_expires_at: Some(NOW.plus_secs(86_400)),
        state: TokenState::Active,
    }
}

pub(crate) fn jwt(client: &str, jti: &str) -> IssuedToken {
    IssuedToken {
        holder: TokenHolder::Application { owner: "admin".to_owned() },
        access: TokenText::Jti(jti.to_owned()),
        refresh: None,
        refresh_expires_at: None,
        grant: None,
        ..opaque_token(client, "")
    }
}

pub(crate) fn user(name: &str) -> User {
    User {
        id: UserId::random(),
        tenant: TenantId::SUPER,
        store: PRIMARY_STORE.to_owned(),
        name: name.to_owned(),
        password: Some(StoredPassword::Legacy {
            digest: LegacyDigest::Sha256,
            hash: Secret::new("h4sh".to_owned()),
            salt: Some("c2FsdA==".to_owned()),
        }),
        roles: texts(&["admin", "Internal/creator"]),
        attributes: vec![("mail".to_owned(), "a@b".to_owned()), ("givenName".to_owned(), "Bö".to_owned())],
        locked: true,
        must_change_password: true,
        password_changed_at: NOW,
        created_at: NOW,
    }
}

pub(crate) fn vhost() -> Vhost {
    Vhost { host: "localhost".to_owned(), http_context: String::new(), http_port: 8280, https_port: 8243, ws_port: 9099, wss_port: 8099 }
}
