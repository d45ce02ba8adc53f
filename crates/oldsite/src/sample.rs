//! The sample site: small enough to read on one screen, wide enough to show every kind of record.

use chrono::{FixedOffset, Offset, Utc};

use crate::seed;
use crate::site::{
    Api, Application, Balance, Client, Comment, DAY_MS, Document, DocumentSource, Endpoint, HOUR_MS, Key, Resource, Role, SUPER_DOMAIN,
    SUPER_TENANT, Scope, Site, Status, Subscription, Tenant, Tier, Token, TokenKind, User, Workflow,
};

/// The sample tenant's number.
pub(crate) const ACME: i32 = 1;
/// The grants of a key made in the store, `application_token` included, which is no real grant.
const STORE_GRANTS: &str =
    "urn:ietf:params:oauth:grant-type:saml2-bearer refresh_token iwa:ntlm client_credentials password application_token";
/// A scope every application token carries from 1.9 on.
const APPLICATION_SCOPE: &str = "am_application_scope default";

impl Site {
    /// The sample. The same arguments make the same site. `now_ms` is Unix milliseconds; `backend_url` has no
    /// trailing slash.
    pub fn sample(backend_url: &str, now_ms: i64) -> Self {
        let mut site = Self {
            version: crate::Version::V1_9_1,
            backend_url: backend_url.trim_end_matches('/').to_owned(),
            now_ms,
            utc_offset: Utc.fix(),
            mysql_dump_in_utc: true,
            seed: 1,
            host: "am.old.example".to_owned(),
            tenants: vec![Tenant { id: ACME, domain: "acme.com".to_owned(), admin: "admin".to_owned(), active: true }],
            roles: Vec::new(),
            users: Vec::new(),
            tiers: tiers(),
            apis: Vec::new(),
            applications: Vec::new(),
            loose_clients: Vec::new(),
            subscriptions: Vec::new(),
            tokens: Vec::new(),
            workflows: Vec::new(),
            ratings: vec![
                (1, "dave".to_owned(), 4),
                (2, "dave".to_owned(), 5),
                (3, "erin".to_owned(), 3),
                (10, "tina@acme.com".to_owned(), 5),
            ],
            comments: vec![
                comment(1, "dave", "Works well. It's the \"order\" call we use most."),
                comment(1, "erin", "Could the list be paged?\nTen at a time would do."),
                comment(10, "tina@acme.com", "Très utile – merci!"),
            ],
            user_stores: Vec::new(),
            dirt: Vec::new(),
        };
        site.roles = roles();
        site.users = users();
        site.apis = apis(&site);
        site.applications = applications(&site);
        site.loose_clients = vec![Client {
            key: seed::key(site.seed, "console:key"),
            secret: seed::key(site.seed, "console:secret"),
            owner: "admin".to_owned(),
            tenant: SUPER_TENANT,
            name: "console_client".to_owned(),
            callback_url: Some("https://console.example/callback".to_owned()),
            grants: "authorization_code implicit refresh_token".to_owned(),
        }];
        site.subscriptions = subscriptions();
        site.tokens = tokens(&site);
        site.workflows = workflows();
        site
    }

    /// The same site as an old server in another time zone would have stored it.
    #[must_use]
    pub fn in_time_zone(mut self, utc_offset: FixedOffset) -> Self {
        self.utc_offset = utc_offset;
        self
    }

    /// The same site, dumped by `mysqldump --skip-tz-utc`.
    #[must_use]
    pub fn dumped_as_stored(mut self) -> Self {
        self.mysql_dump_in_utc = false;
        self
    }

    /// The same site with faults in its rows.
    #[must_use]
    pub fn with_dirt(mut self, dirt: &[crate::Dirt]) -> Self {
        self.dirt.extend_from_slice(dirt);
        self
    }
}

fn comment(api: i32, user: &str, text: &str) -> Comment {
    Comment { api, user: user.to_owned(), text: text.to_owned() }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|w| (*w).to_owned()).collect()
}

fn tiers() -> Vec<Tier> {
    let tier = |name: &str, count, unit_ms, plan: &str, stop_on_quota, description: &str, attributes: &[(&str, &str)]| Tier {
        name: name.to_owned(),
        count,
        unit_ms,
        billing_plan: plan.to_owned(),
        stop_on_quota,
        description: description.to_owned(),
        attributes: attributes.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect(),
    };
    vec![
        tier("Gold", 20, 60_000, "FREE", true, "Allows 20 requests per minute", &[]),
        tier("Silver", 5, 60_000, "FREE", true, "Allows 5 requests per minute", &[]),
        tier("Bronze", 1, 60_000, "FREE", true, "Allows 1 request per minute", &[]),
        tier("Unauthenticated", 60, 60_000, "FREE", true, "Allows 60 requests per minute", &[]),
        tier("TenPerSecond", 10, 1_000, "COMMERCIAL", true, "Ten calls in any second", &[]),
        tier("Partner Plan", 1_000, 86_400_000, "COMMERCIAL", false, "A thousand a day, then a word with Sales", &[("region", "EU & UK")]),
        tier("NinetySeconds", 30, 90_000, "FREE", true, "Thirty in a minute and a half", &[]),
    ]
}

fn roles() -> Vec<Role> {
    const LOGIN: &str = "/permission/admin/login";
    const CREATE: &str = "/permission/admin/manage/api/create";
    const PUBLISH: &str = "/permission/admin/manage/api/publish";
    const SUBSCRIBE: &str = "/permission/admin/manage/api/subscribe";
    const TIERS: &str = "/permission/admin/manage/manage_tiers";
    const WORKFLOWS: &str = "/permission/admin/manage/workflowadmin";
    let role = |name: &str, tenant, internal, permissions: &[&str]| Role {
        name: name.to_owned(),
        tenant,
        internal,
        permissions: owned(permissions),
    };
    let mut roles = Vec::new();
    for tenant in [SUPER_TENANT, ACME] {
        roles.push(role("admin", tenant, false, &["/permission/admin", "/permission/protected"]));
        roles.push(role("everyone", tenant, true, &[LOGIN]));
        roles.push(role("subscriber", tenant, true, &[LOGIN, SUBSCRIBE]));
        roles.push(role("creator", tenant, false, &[LOGIN, CREATE, "/permission/admin/configure/governance"]));
        roles.push(role("publisher", tenant, false, &[LOGIN, PUBLISH]));
    }
    roles.push(role("API-Team", SUPER_TENANT, false, &[LOGIN, "/permission/admin/manage/api"]));
    roles.push(role("tier-keepers", SUPER_TENANT, true, &[LOGIN, TIERS, WORKFLOWS]));
    roles.push(role("accountant", SUPER_TENANT, true, &[]));
    roles.push(role("hr", SUPER_TENANT, false, &[]));
    roles
}

fn users() -> Vec<User> {
    let user = |name: &str, tenant, password: &str, roles: &[&str]| User {
        name: name.to_owned(),
        tenant,
        password: password.to_owned(),
        roles: owned(roles),
        attributes: vec![
            ("mail".to_owned(), format!("{name}@mail.example")),
            ("givenName".to_owned(), {
                let mut letters = name.chars();
                letters.next().map(|c| c.to_uppercase().chain(letters).collect()).unwrap_or_default()
            }),
            ("sn".to_owned(), "Example".to_owned()),
        ],
    };
    vec![
        user("admin", SUPER_TENANT, "admin", &["admin", "Internal/everyone", "Internal/subscriber"]),
        user("alice", SUPER_TENANT, "alice-old-1", &["creator", "publisher", "Internal/everyone"]),
        user("paula", SUPER_TENANT, "paula-old-1", &["publisher", "Internal/tier-keepers", "Internal/everyone"]),
        user("theo", SUPER_TENANT, "theo-old-1", &["API-Team", "Internal/everyone"]),
        user("dave", SUPER_TENANT, "dave-old-1", &["Internal/subscriber", "Internal/everyone"]),
        user("erin", SUPER_TENANT, "erin-old-1", &["Internal/subscriber", "Internal/accountant", "Internal/everyone"]),
        user("hank", SUPER_TENANT, "hank-old-1", &["Internal/subscriber", "hr", "Internal/everyone"]),
        user("frank", SUPER_TENANT, "frank-old-1", &["Internal/subscriber", "Internal/everyone"]),
        user("admin", ACME, "acme-old-1", &["admin", "Internal/everyone", "Internal/subscriber"]),
        user("carol", ACME, "carol-old-1", &["creator", "publisher", "Internal/everyone"]),
        user("tina", ACME, "tina-old-1", &["Internal/subscriber", "Internal/everyone"]),
    ]
}

/// A plain API to change from.
pub(crate) fn api(site: &Site, id: i32, provider: &str, name: &str, version: &str, context: &str, status: Status) -> Api {
    let (_, tenant) = site.unqualified(provider);
    let backend = format!("{}/{}", site.backend_url, name.to_lowercase());
    Api {
        id,
        uuid: seed::uuid(site.seed, &format!("api:{provider}:{name}:{version}")),
        provider: provider.to_owned(),
        tenant,
        name: name.to_owned(),
        version: version.to_owned(),
        context: context.to_owned(),
        status,
        description: format!("The {name} API"),
        visibility: "public".to_owned(),
        visible_roles: Vec::new(),
        tiers: owned(&["Gold", "Silver", "Unlimited"]),
        resources: vec![resource("GET", "/*", "Any", None)],
        scopes: Vec::new(),
        endpoint: Endpoint {
            production: vec![backend.clone()],
            sandbox: vec![format!("{backend}-sandbox")],
            balance: Balance::Single,
            credentials: None,
            inline: false,
        },
        tags: Vec::new(),
        documents: Vec::new(),
        icon: None,
        wsdl: None,
        swagger_12: Vec::new(),
        default_version: false,
        latest: true,
        in_sequence: None,
        out_sequence: None,
        cache_s: None,
        age_days: 120 - i64::from(id % 100),
    }
}

pub(crate) fn resource(verb: &str, pattern: &str, auth: &str, scope: Option<&str>) -> Resource {
    Resource {
        verb: verb.to_owned(),
        pattern: pattern.to_owned(),
        auth: auth.to_owned(),
        tier: "Unlimited".to_owned(),
        scope: scope.map(str::to_owned),
        script: None,
    }
}

fn scope(key: &str, name: &str, roles: &[&str]) -> Scope {
    Scope { key: key.to_owned(), name: name.to_owned(), description: format!("May {}", name.to_lowercase()), roles: owned(roles) }
}

fn sheet(name: &str, bytes: &[u8]) -> DocumentSource {
    DocumentSource::File { name: name.to_owned(), media_type: "application/vnd.ms-excel".to_owned(), bytes: bytes.to_vec() }
}

fn document(name: &str, kind: &str, source: DocumentSource) -> Document {
    Document {
        name: name.to_owned(),
        kind: kind.to_owned(),
        summary: format!("{name} in short"),
        source,
        visibility: "API_LEVEL".to_owned(),
    }
}

/// A picture of one grey point.
const ICON: &[u8] = b"\
    \x89\x50\x4e\x47\x0d\x0a\x1a\x0a\x00\x00\x00\x0d\x49\x48\x44\x52\x00\x00\x00\x01\x00\x00\x00\x01\x08\x00\x00\x00\x00\x3a\
    \x7e\x9b\x55\x00\x00\x00\x0a\x49\x44\x41\x54\x78\x9c\x63\x68\x00\x00\x00\x82\x00\x81\x77\xcd\x72\xb6\x00\x00\x00\x00\x49\
    \x45\x4e\x44\xae\x42\x60\x82";

fn apis(site: &Site) -> Vec<Api> {
    let make = |id, provider, name, version, context, status| api(site, id, provider, name, version, context, status);
    let order_scopes = vec![scope("order_delete", "Delete orders", &["admin", "creator"])];
    let orders = Api {
        description: "Orders: list, read, place and cancel them".to_owned(),
        resources: vec![
            resource("GET", "/*", "Any", None),
            resource("GET", "/order/{id}", "Any", None),
            Resource { tier: "Gold".to_owned(), ..resource("POST", "/order", "Any", None) },
            resource("DELETE", "/order/{id}", "Any", Some("order_delete")),
        ],
        scopes: order_scopes.clone(),
        tags: owned(&["sales", "orders"]),
        documents: vec![
            document("Getting Started", "How To", DocumentSource::Inline("<p>Ask for an order: <code>GET /order/42</code></p>".to_owned())),
            document("Home page", "Other", DocumentSource::Url("https://orders.example/docs?a=1&b=2".to_owned())),
            document(
                "Reference",
                "Samples",
                DocumentSource::File {
                    name: "reference sheet.pdf".to_owned(),
                    media_type: "application/pdf".to_owned(),
                    bytes: b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n%%EOF\n".to_vec(),
                },
            ),
            // Two documents of one file name: the old product let the later upload win.
            Document {
                visibility: "PRIVATE".to_owned(),
                ..document("Größen & Preise", "Samples & SDK", sheet("Größe und Preis 2014.xls", &[0, 1, 2, 253, 254, 255]))
            },
            Document {
                visibility: "OWNER_ONLY".to_owned(),
                ..document("Drafts", "Swagger API Definition", sheet("Größe und Preis 2014.xls", &[0, 1, 2, 253, 254, 255]))
            },
        ],
        icon: Some(ICON.to_vec()),
        wsdl: Some(b"<definitions xmlns=\"http://schemas.xmlsoap.org/wsdl/\" name=\"Orders\"/>\n".to_vec()),
        swagger_12: vec![
            ("api-doc".to_owned(), "{\"swaggerVersion\":\"1.2\",\"apis\":[{\"path\":\"/order\"}]}".to_owned()),
            ("order".to_owned(), "{\"swaggerVersion\":\"1.2\",\"resourcePath\":\"/order\",\"apis\":[]}".to_owned()),
        ],
        latest: false,
        ..make(1, "alice", "Orders", "1.0.0", "/orders", Status::Published)
    };
    let orders_2 = Api {
        resources: vec![
            resource("GET", "/*", "Any", None),
            resource("GET", "/order/{id}", "Any", None),
            resource("PUT", "/order/{id}", "Application_User", Some("order_delete")),
        ],
        scopes: order_scopes,
        tags: owned(&["sales", "orders"]),
        default_version: true,
        ..make(2, "alice", "Orders", "2.0.0", "/orders", Status::Published)
    };
    let weather = Api {
        description: "Forecasts; /ping is open to all".to_owned(),
        tiers: owned(&["TenPerSecond", "Partner Plan", "NinetySeconds", "Unlimited"]),
        resources: vec![
            resource("GET", "/forecast/{city}", "Any", None),
            Resource { tier: "Unauthenticated".to_owned(), ..resource("GET", "/ping", "None", None) },
        ],
        tags: owned(&["open", "météo"]),
        in_sequence: Some("add_channel".to_owned()),
        out_sequence: Some("hide_server".to_owned()),
        ..make(3, "alice", "Weather", "1.0.0", "/weather", Status::Published)
    };
    let invoices = Api {
        resources: vec![
            resource("GET", "/invoice/{id}", "Any", Some("invoice_read")),
            resource("POST", "/invoice", "Application_User", Some("invoice_write")),
            resource("GET", "/health", "Application", None),
        ],
        scopes: vec![
            scope("invoice_read", "Read invoices", &["Internal/accountant", "Internal/subscriber"]),
            scope("invoice_write", "Write invoices", &["Internal/accountant"]),
        ],
        cache_s: Some(60),
        ..make(4, "alice", "Invoices", "1.0", "/finance/invoices", Status::Published)
    };
    let payroll = Api {
        visibility: "restricted".to_owned(),
        visible_roles: owned(&["hr", "admin"]),
        endpoint: Endpoint {
            credentials: Some(("payroll".to_owned(), "p@y&roll".to_owned())),
            ..make(5, "theo", "Payroll", "1.0.0", "/payroll", Status::Published).endpoint
        },
        ..make(5, "theo", "Payroll", "1.0.0", "/payroll", Status::Published)
    };
    let stock = Api {
        visibility: "private".to_owned(),
        endpoint: Endpoint {
            production: vec![format!("{}/stock-a", site.backend_url), format!("{}/stock-b", site.backend_url)],
            sandbox: Vec::new(),
            balance: Balance::RoundRobin,
            credentials: None,
            inline: false,
        },
        ..make(12, "alice", "Stock", "1.0.0", "/stock", Status::Published)
    };
    let maps = Api {
        endpoint: Endpoint {
            production: vec![format!("{}/maps", site.backend_url), format!("{}/maps-spare", site.backend_url)],
            sandbox: vec![format!("{}/maps-sandbox", site.backend_url)],
            balance: Balance::Failover,
            credentials: None,
            inline: false,
        },
        ..make(11, "alice", "Maps", "1.0.0", "/maps", Status::Deprecated)
    };
    let mock = Api {
        resources: vec![Resource {
            script: Some("mc.setProperty('CONTENT_TYPE', 'application/json');\nmc.setPayloadJSON('{ \"hello\" : \"world\" }');".to_owned()),
            ..resource("GET", "/hello", "None", None)
        }],
        endpoint: Endpoint { production: Vec::new(), sandbox: Vec::new(), balance: Balance::Single, credentials: None, inline: true },
        ..make(13, "alice", "Mock", "0.1.0", "/mock", Status::Prototyped)
    };
    let pets = Api {
        resources: vec![resource("GET", "/pet/{name}", "Any", None), resource("POST", "/pet", "Any", None)],
        tags: owned(&["animals"]),
        documents: vec![document("Care", "How To", DocumentSource::Inline("<p>Feed twice a day.</p>".to_owned()))],
        icon: Some(ICON.to_vec()),
        ..make(10, "carol@acme.com", "Pets", "1.0.0", "/t/acme.com/pets", Status::Published)
    };
    let preview = Api {
        resources: vec![resource("GET", "/*", "None", None)],
        ..make(8, "alice", "Preview", "0.1.0", "/preview", Status::Prototyped)
    };
    vec![
        orders,
        orders_2,
        weather,
        invoices,
        payroll,
        make(6, "alice", "Legacy", "1.0.0", "/legacy", Status::Blocked),
        make(7, "theo", "Draft", "0.1.0", "/draft", Status::Created),
        preview,
        make(9, "alice", "Fax", "1.0.0", "/fax", Status::Retired),
        pets,
        maps,
        stock,
        mock,
    ]
}

fn applications(site: &Site) -> Vec<Application> {
    let plain = |id, name: &str, owner: &str| Application {
        id,
        name: name.to_owned(),
        owner: owner.to_owned(),
        tenant: site.unqualified(owner).1,
        tier: "Unlimited".to_owned(),
        status: "APPROVED".to_owned(),
        group: String::new(),
        callback_url: None,
        description: String::new(),
        keys: Vec::new(),
    };
    let key = |kind: &str, owner: &str, application: &str, callback: Option<&str>| completed_key(site, kind, owner, application, callback);
    let shop = Application {
        tier: "Gold".to_owned(),
        callback_url: Some("https://shop.example/callback".to_owned()),
        description: "The shop's web pages".to_owned(),
        keys: vec![
            key("PRODUCTION", "dave", "Shop Front", Some("https://shop.example/callback")),
            key("SANDBOX", "dave", "Shop Front", None),
        ],
        ..plain(2, "Shop Front", "dave")
    };
    let jobs = Application {
        group: "night-shift".to_owned(),
        keys: vec![Key { validity_s: -1, ..key("PRODUCTION", "dave", "Night Jobs", None) }],
        ..plain(3, "Night Jobs", "dave")
    };
    let ledger = Application {
        tier: "Silver".to_owned(),
        keys: vec![
            Key {
                domains: owned(&["ledger.example", "books.example"]),
                ..key("PRODUCTION", "erin", "Ledger", Some("https://ledger.example/cb"))
            },
            Key { kind: "SANDBOX".to_owned(), state: "CREATED".to_owned(), client: None, domains: owned(&["ALL"]), validity_s: 3600 },
        ],
        ..plain(5, "Ledger", "erin")
    };
    vec![
        plain(1, "DefaultApplication", "dave"),
        shop,
        jobs,
        plain(4, "DefaultApplication", "erin"),
        ledger,
        Application { status: "CREATED".to_owned(), ..plain(6, "Waiting", "erin") },
        plain(7, "DefaultApplication", "tina@acme.com"),
        Application { keys: vec![key("PRODUCTION", "tina@acme.com", "Pet Shop", None)], ..plain(8, "Pet Shop", "tina@acme.com") },
        Application { status: "REJECTED".to_owned(), ..plain(9, "Refused", "hank") },
    ]
}

/// A key of an application with the client the store made for it.
pub(crate) fn completed_key(site: &Site, kind: &str, owner: &str, application: &str, callback: Option<&str>) -> Key {
    let (name, tenant) = site.unqualified(owner);
    let label = format!("client:{owner}:{application}:{kind}");
    Key {
        kind: kind.to_owned(),
        state: "COMPLETED".to_owned(),
        client: Some(Client {
            key: seed::key(site.seed, &label),
            secret: seed::key(site.seed, &format!("{label}:secret")),
            owner: name.to_owned(),
            tenant,
            name: format!("{name}_{application}_{kind}"),
            callback_url: callback.map(str::to_owned),
            grants: if callback.is_some() { format!("{STORE_GRANTS} authorization_code implicit") } else { STORE_GRANTS.to_owned() },
        }),
        domains: owned(&["ALL"]),
        validity_s: 3600,
    }
}

fn subscriptions() -> Vec<Subscription> {
    let list: [(i32, i32, &str, &str, &str); 15] = [
        (2, 1, "Gold", "UNBLOCKED", "SUBSCRIBE"),
        (2, 2, "Unlimited", "UNBLOCKED", "SUBSCRIBE"),
        (2, 3, "TenPerSecond", "UNBLOCKED", "SUBSCRIBE"),
        (2, 12, "Gold", "UNBLOCKED", "SUBSCRIBE"),
        (3, 1, "Unlimited", "UNBLOCKED", "SUBSCRIBE"),
        (3, 6, "Unlimited", "UNBLOCKED", "SUBSCRIBE"),
        (3, 11, "Silver", "PROD_ONLY_BLOCKED", "SUBSCRIBE"),
        (5, 4, "Silver", "UNBLOCKED", "SUBSCRIBE"),
        (5, 1, "Gold", "BLOCKED", "SUBSCRIBE"),
        (5, 3, "Partner Plan", "ON_HOLD", "SUBSCRIBE"),
        (6, 1, "Gold", "REJECTED", "SUBSCRIBE"),
        (1, 9, "Gold", "UNBLOCKED", "SUBSCRIBE"),
        (3, 2, "Gold", "UNBLOCKED", "UN_SUBSCRIBE"),
        (8, 10, "Unlimited", "UNBLOCKED", "SUBSCRIBE"),
        (7, 10, "Gold", "UNBLOCKED", "SUBSCRIBE"),
    ];
    (1..)
        .zip(list)
        .map(|(id, (application, api, tier, status, create_state))| Subscription {
            id,
            application,
            api,
            tier: tier.to_owned(),
            status: status.to_owned(),
            create_state: create_state.to_owned(),
        })
        .collect()
}

fn tokens(site: &Site) -> Vec<Token> {
    let client = |application: i32, kind: &str| {
        let found =
            site.applications.iter().find(|a| a.id == application).and_then(|a| a.keys.iter().find(|k| k.kind == kind)?.client.as_ref());
        found.map(|c| (c.key.clone(), format!("{}@{}", c.owner, site.domain(c.tenant)))).unwrap_or_default()
    };
    let application_token = |application, kind: &str, label: &str| {
        let (consumer_key, user) = client(application, kind);
        Token {
            access: seed::key(site.seed, &format!("token:{label}")),
            refresh: Some(seed::key(site.seed, &format!("refresh:{label}"))),
            consumer_key,
            user,
            kind: TokenKind::Application,
            created_ms: site.now_ms - HOUR_MS / 2,
            // A month: the token a visitor of the demo is handed must outlive the visit.
            validity_ms: 30 * DAY_MS,
            scopes: APPLICATION_SCOPE.to_owned(),
            state: "ACTIVE".to_owned(),
        }
    };
    let user_token = |application, user: &str, scopes: &str, label: &str| Token {
        user: format!("{user}@{SUPER_DOMAIN}"),
        kind: TokenKind::User,
        scopes: scopes.to_owned(),
        ..application_token(application, "PRODUCTION", label)
    };
    let ended = |state: &str, label: &str| Token {
        state: state.to_owned(),
        created_ms: site.now_ms - 2 * DAY_MS,
        validity_ms: HOUR_MS,
        ..application_token(2, "PRODUCTION", label)
    };
    vec![
        application_token(2, "PRODUCTION", "shop"),
        application_token(2, "SANDBOX", "shop-sandbox"),
        user_token(5, "erin", "invoice_read invoice_write", "erin"),
        user_token(2, "dave", "default", "dave"),
        user_token(2, "alice", "order_delete", "alice"),
        // The two spellings of "never" that 1.9 sites hold.
        Token { validity_ms: i64::MAX, refresh: None, created_ms: site.now_ms - 60 * DAY_MS, ..application_token(3, "PRODUCTION", "jobs") },
        Token { validity_ms: -2000, created_ms: site.now_ms - 40 * DAY_MS, ..user_token(3, "dave", "default", "jobs-user") },
        application_token(8, "PRODUCTION", "pets"),
        // ACTIVE in the table, but its hour is over: expiry is a matter of time, not of state.
        Token { created_ms: site.now_ms - 5 * HOUR_MS, validity_ms: HOUR_MS, ..user_token(5, "erin", "default", "erin-late") },
        ended("EXPIRED", "old-1"),
        ended("EXPIRED", "old-2"),
        ended("REVOKED", "old-3"),
        ended("INACTIVE", "old-4"),
    ]
}

fn workflows() -> Vec<Workflow> {
    let workflow = |kind: &str, reference: &str, status: &str, tenant| Workflow {
        kind: kind.to_owned(),
        reference: reference.to_owned(),
        status: status.to_owned(),
        tenant,
    };
    vec![
        workflow("AM_APPLICATION_CREATION", "2", "APPROVED", SUPER_TENANT),
        workflow("AM_APPLICATION_CREATION", "6", "CREATED", SUPER_TENANT),
        workflow("AM_APPLICATION_CREATION", "9", "REJECTED", SUPER_TENANT),
        workflow("AM_SUBSCRIPTION_CREATION", "1", "APPROVED", SUPER_TENANT),
        workflow("AM_SUBSCRIPTION_CREATION", "10", "CREATED", SUPER_TENANT),
        workflow("AM_USER_SIGNUP", "frank", "APPROVED", SUPER_TENANT),
        workflow("AM_APPLICATION_REGISTRATION_SANDBOX", &seed::uuid(1, "registration:5:SANDBOX"), "CREATED", SUPER_TENANT),
        workflow("AM_APPLICATION_CREATION", "8", "APPROVED", ACME),
    ]
}
