//! Faults that real sites hold, put into the rows after they are built.

use crate::Databases;
use crate::rows::{Rows, Value, row};
use crate::schema::Table;
use crate::seed;
use crate::site::{SUPER_TENANT, Site};
use crate::users;

/// One fault. Each is meant for the sample site (or one generated from it) and names the record it spoils.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Dirt {
    /// API 7 (Draft) has no artifact in the registry.
    ApiWithoutArtifact,
    /// API 8 (Preview) has an artifact and no AM_API row.
    ArtifactWithoutApi,
    /// A mapping of API 1 (`GET /*`) exists twice, the second with `None` as its scheme.
    DuplicateUrlMapping,
    /// The mappings of API 3 have no tier.
    UrlMappingWithoutTier,
    /// The mappings of API 4 name a tier nobody knows.
    UrlMappingUnknownTier,
    /// The mappings of API 6 have no scheme.
    UrlMappingWithoutAuth,
    /// Subscription 1 names a tier nobody knows.
    SubscriptionUnknownTier,
    /// Application 1 and a new one of the same subscriber differ in case only.
    ApplicationsDifferInCase,
    /// `hank` subscribes and has no user.
    SubscriberWithoutUser,
    /// Application 1 has a PRODUCTION key whose client is unknown (CREATE_MODE MAPPED).
    KeyMappingWithoutClient,
    /// The console's client belongs to a user who is gone.
    ClientOwnerGone,
    /// Tokens with users spelled ` @`, empty, and without tenant.
    TokenOddUser,
    /// A token of a client that is gone.
    TokenOfDeletedClient,
    /// Two ACTIVE tokens of the same client and scope.
    TwoActiveTokens,
    /// The scope `order_delete` exists twice with other roles.
    ScopeTwice,
    /// A scope with an empty key and no name, and blanks around the roles of `invoice_read`.
    ScopeOddRows,
    /// The resources of `invoice_read` are bound under the 1.8 spelling too.
    ResourceScopeBothSpellings,
    /// A resource scope of an API that is gone.
    ResourceScopeOfDeletedApi,
    /// A rating of a subscriber that is gone.
    RatingOfDeletedSubscriber,
    /// A workflow that waits for an application that is gone.
    WorkflowOfDeletedApplication,
    /// The inline document of API 1 has no body.
    DocumentWithoutBody,
    /// The uploaded file of API 1 (`reference sheet.pdf`) is not there.
    FileOfDocumentMissing,
    /// The content of API 10's document is not there, though its resource is.
    ContentWithoutBytes,
    /// API 1 names a thumbnail that is not there.
    ThumbnailMissing,
    /// The artifact of API 10 names no thumbnail; the picture is there.
    ThumbnailUnnamed,
    /// API 3 has fields of the site's own, one of them longer than a property may be.
    OwnFields,
    /// AM_API_COMMENTS and AM_API_RATINGS hold rows of an API that is gone, and a rating of 9 stars.
    FeedbackOfDeletedApi,
    /// The endpointConfig of API 3 has single quotes and a trailing comma.
    EndpointConfigMalformed,
    /// API 2 has only a legacy endpointURL.
    EndpointConfigAbsent,
    /// swagger.json of API 5 is no JSON.
    SwaggerInvalid,
    /// swagger.json of API 12 lacks `info`, and its responses are bare.
    SwaggerWithoutInfo,
    /// API 1 was made on the zero date, and application 2 too.
    ZeroDate,
    /// A UI permission exists twice.
    PermissionTwice,
    /// A role nobody knows holds a permission.
    PermissionOfUnknownRole,
    /// A user of a store that is gone holds an internal role.
    RoleHolderOfUnknownStore,
    /// Tenant 7 is inactive and has no registry.
    InactiveTenant,
    /// Tags and properties of versions that are gone.
    OrphanTagLink,
    /// API 4 has no lifecycle history.
    NoLifecycleHistory,
    /// API 3 has a second artifact, in a folder whose name differs in case.
    ArtifactsDifferInCase,
    /// Two clients of two users go by one application name, `a_b_c`.
    ClientNamesCollide,
    /// The console's client secret is cipher text of a key that is gone.
    SecretThatNothingOpens,
    /// A comment of a user who is gone.
    CommentOfDeletedUser,
    /// A workflow waits for application 1, which is approved already.
    WorkflowAlreadyDone,
    /// The endpointConfig of API 3 is the word `null`, and there is no legacy endpointURL.
    EndpointConfigNull,
    /// The endpoint of API 3 has a control character in its URL.
    EndpointUrlOdd,
    /// swagger.json of API 5 is empty.
    SwaggerEmpty,
    /// swagger.json of API 12 is YAML, and its path lacks the leading slash.
    SwaggerYaml,
    /// API 1 was made in the year 1, application 2 in the year 9999.
    OddDates,
    /// The administrator of tenant 1 is called otherwise, and its settings are of an older form.
    AdminRenamed,
    /// Users whose names hold a slash, an at sign, and capitals, and an e-mail address as a name.
    OddUserNames,
    /// The definition of API 1 is larger than 64 KiB.
    BigDefinition,
    /// API 4's history jumps from a state it was never in.
    LifecycleGap,
    /// API 1 has its definition of 1.8 only, as on a site whose upgrade stopped half-way.
    DefinitionOfBefore19,
    /// The resources of `order_delete` are bound under the 1.8 spelling only.
    ScopeSpelledBefore19,
    /// Permissions of registry resources name the path a mount leads to.
    PermissionsOfMountedPath,
    /// The artifact of API 4 starts with a byte order mark; the document of API 10 is Latin-1.
    OddEncodings,
}

impl Dirt {
    /// Every fault but [`Dirt::SecretThatNothingOpens`], which stops an upgrade until it is told to go on without.
    pub const ALL: [Self; 55] = [
        Self::ApiWithoutArtifact,
        Self::ArtifactWithoutApi,
        Self::DuplicateUrlMapping,
        Self::UrlMappingWithoutTier,
        Self::UrlMappingUnknownTier,
        Self::UrlMappingWithoutAuth,
        Self::SubscriptionUnknownTier,
        Self::ApplicationsDifferInCase,
        Self::SubscriberWithoutUser,
        Self::KeyMappingWithoutClient,
        Self::ClientOwnerGone,
        Self::TokenOddUser,
        Self::TokenOfDeletedClient,
        Self::TwoActiveTokens,
        Self::ScopeTwice,
        Self::ScopeOddRows,
        Self::ResourceScopeBothSpellings,
        Self::ResourceScopeOfDeletedApi,
        Self::RatingOfDeletedSubscriber,
        Self::WorkflowOfDeletedApplication,
        Self::DocumentWithoutBody,
        Self::FileOfDocumentMissing,
        Self::ContentWithoutBytes,
        Self::ThumbnailMissing,
        Self::ThumbnailUnnamed,
        Self::OwnFields,
        Self::FeedbackOfDeletedApi,
        Self::EndpointConfigMalformed,
        Self::EndpointConfigAbsent,
        Self::SwaggerInvalid,
        Self::SwaggerWithoutInfo,
        Self::ZeroDate,
        Self::PermissionTwice,
        Self::PermissionOfUnknownRole,
        Self::RoleHolderOfUnknownStore,
        Self::InactiveTenant,
        Self::OrphanTagLink,
        Self::NoLifecycleHistory,
        Self::ArtifactsDifferInCase,
        Self::ClientNamesCollide,
        Self::CommentOfDeletedUser,
        Self::WorkflowAlreadyDone,
        Self::EndpointConfigNull,
        Self::EndpointUrlOdd,
        Self::SwaggerEmpty,
        Self::SwaggerYaml,
        Self::OddDates,
        Self::AdminRenamed,
        Self::OddUserNames,
        Self::BigDefinition,
        Self::LifecycleGap,
        Self::DefinitionOfBefore19,
        Self::ScopeSpelledBefore19,
        Self::PermissionsOfMountedPath,
        Self::OddEncodings,
    ];

    /// Puts the fault into the rows.
    pub(crate) fn soil(self, site: &Site, to: &mut Databases) {
        let Databases { am, user, registry } = to;
        match self {
            Self::ApiWithoutArtifact => drop_resource(site, registry, 7, "/api"),
            Self::ArtifactWithoutApi => {
                for table in ["AM_API", "AM_API_URL_MAPPING", "AM_API_LC_EVENT"] {
                    am.drop(table, "API_ID", &Value::Int(8));
                }
            }
            Self::DuplicateUrlMapping => {
                let id = am.next("AM_API_URL_MAPPING", "URL_MAPPING_ID");
                row!(am, "AM_API_URL_MAPPING"; URL_MAPPING_ID = id, API_ID = 1, HTTP_METHOD = "GET", AUTH_SCHEME = "None", URL_PATTERN = "/*", THROTTLING_TIER = "Unlimited");
            }
            Self::UrlMappingWithoutTier => set(am, "AM_API_URL_MAPPING", "API_ID", 3, "THROTTLING_TIER", Value::Null),
            Self::UrlMappingUnknownTier => set(am, "AM_API_URL_MAPPING", "API_ID", 4, "THROTTLING_TIER", "Platinum-2012".into()),
            Self::UrlMappingWithoutAuth => set(am, "AM_API_URL_MAPPING", "API_ID", 6, "AUTH_SCHEME", Value::Null),
            Self::SubscriptionUnknownTier => set(am, "AM_SUBSCRIPTION", "SUBSCRIPTION_ID", 1, "TIER_ID", "Diamond".into()),
            Self::ApplicationsDifferInCase => {
                row!(am, "AM_APPLICATION"; APPLICATION_ID = am.next("AM_APPLICATION", "APPLICATION_ID"), NAME = "defaultapplication", SUBSCRIBER_ID = 1,
                    APPLICATION_TIER = "Unlimited", APPLICATION_STATUS = "APPROVED", GROUP_ID = "", CREATED_TIME = site.local(site.now_ms), UPDATED_TIME = Value::ZeroDate);
            }
            Self::SubscriberWithoutUser => {
                user.drop("UM_USER", "UM_USER_NAME", &"hank".into());
            }
            Self::KeyMappingWithoutClient => {
                row!(am, "AM_APPLICATION_KEY_MAPPING"; APPLICATION_ID = 1, CONSUMER_KEY = seed::key(site.seed, "mapped elsewhere"), KEY_TYPE = "PRODUCTION",
                    STATE = "COMPLETED", CREATE_MODE = "MAPPED");
            }
            Self::ClientOwnerGone => set(am, "IDN_OAUTH_CONSUMER_APPS", "APP_NAME", "console_client", "USERNAME", "nobody".into()),
            Self::TokenOddUser => {
                for (n, odd) in ["dave @carbon.super", "", "dave"].into_iter().enumerate() {
                    token(site, am, first_key(site), odd, &format!("odd user {n}"), &format!("odd_{n}"));
                }
            }
            Self::TokenOfDeletedClient => {
                token(site, am, seed::key(site.seed, "client that is gone"), "dave@carbon.super", "deleted client", "default")
            }
            Self::TwoActiveTokens => token(site, am, first_key(site), "dave@carbon.super", "twice", "am_application_scope default"),
            Self::ScopeTwice => {
                row!(am, "IDN_OAUTH2_SCOPE"; SCOPE_ID = am.next("IDN_OAUTH2_SCOPE", "SCOPE_ID"), SCOPE_KEY = "order_delete", NAME = "Delete orders again",
                    TENANT_ID = SUPER_TENANT, ROLES = "hr");
            }
            Self::ScopeOddRows => {
                row!(am, "IDN_OAUTH2_SCOPE"; SCOPE_ID = am.next("IDN_OAUTH2_SCOPE", "SCOPE_ID"), SCOPE_KEY = "", TENANT_ID = SUPER_TENANT);
                set(am, "IDN_OAUTH2_SCOPE", "SCOPE_KEY", "invoice_read", "ROLES", " Internal/accountant , Internal/subscriber ".into());
            }
            Self::ResourceScopeBothSpellings => {
                let scopes = am.values("IDN_OAUTH2_SCOPE", "SCOPE_KEY");
                if let Some(at) = scopes.iter().position(|k| *k == "invoice_read".into()) {
                    let id = i64::try_from(at).unwrap_or(0) + 1;
                    row!(am, "IDN_OAUTH2_RESOURCE_SCOPE"; RESOURCE_PATH = "/finance/invoices/1.0/invoice/{id}:GET", SCOPE_ID = id);
                }
            }
            Self::ResourceScopeOfDeletedApi => {
                row!(am, "IDN_OAUTH2_RESOURCE_SCOPE"; RESOURCE_PATH = "/gone/1.0.0/1.0.0/*:GET", SCOPE_ID = 1);
            }
            Self::RatingOfDeletedSubscriber => {
                row!(am, "AM_API_RATINGS"; RATING_ID = am.next("AM_API_RATINGS", "RATING_ID"), API_ID = 1, RATING = 1, SUBSCRIBER_ID = 9999);
            }
            Self::WorkflowOfDeletedApplication => {
                row!(am, "AM_WORKFLOWS"; WF_ID = am.next("AM_WORKFLOWS", "WF_ID"), WF_REFERENCE = "9999", WF_TYPE = "AM_APPLICATION_CREATION", WF_STATUS = "CREATED",
                    WF_CREATED_TIME = site.local(site.now_ms), WF_UPDATED_TIME = site.local(site.now_ms), TENANT_ID = SUPER_TENANT, TENANT_DOMAIN = "carbon.super",
                    WF_EXTERNAL_REFERENCE = seed::uuid(site.seed, "stale workflow"));
            }
            Self::DocumentWithoutBody => drop_resource(site, registry, 1, "/documentation/contents/Getting Started"),
            Self::FileOfDocumentMissing => drop_resource(site, registry, 1, "/documentation/files/reference sheet.pdf"),
            Self::ContentWithoutBytes => {
                let found = path_of(site, 10, "/documentation/contents/Care")
                    .and_then(|(path, tenant)| Some((locate(registry, &path, tenant)?, tenant)));
                if let Some(((content, _), tenant)) = found {
                    registry.retain("REG_CONTENT", |table, row| {
                        let is = |column: &str, n: i64| table.position(column).and_then(|at| row.get(at)) == Some(&Value::Int(n));
                        !(is("REG_CONTENT_ID", content) && is("REG_TENANT_ID", tenant.into()))
                    });
                }
            }
            Self::ThumbnailUnnamed => artifact_field(site, registry, 10, "thumbnail", ""),
            Self::OwnFields => {
                rewrite(site, registry, 3, "/api", |bytes| {
                    let own = format!(
                        "<costCentre>4711</costCentre><remarks>{}</remarks></overview><audit><owner>eve</owner></audit>",
                        "long ".repeat(300)
                    );
                    String::from_utf8_lossy(bytes).replacen("</overview>", &own, 1).into_bytes()
                });
            }
            Self::FeedbackOfDeletedApi => {
                row!(am, "AM_API_COMMENTS"; COMMENT_ID = am.next("AM_API_COMMENTS", "COMMENT_ID"), COMMENT_TEXT = "gone", COMMENTED_USER = "dave",
                    DATE_COMMENTED = Site::utc(site.now_ms), API_ID = 9999);
                row!(am, "AM_API_RATINGS"; RATING_ID = am.next("AM_API_RATINGS", "RATING_ID"), API_ID = 9999, RATING = 1, SUBSCRIBER_ID = 1);
                row!(am, "AM_API_RATINGS"; RATING_ID = am.next("AM_API_RATINGS", "RATING_ID"), API_ID = 4, RATING = 9, SUBSCRIBER_ID = 1);
            }
            Self::ThumbnailMissing => {
                drop_path(registry, "/_system/governance/apimgt/applicationdata/icons/alice/Orders/1.0.0/icon", SUPER_TENANT)
            }
            Self::EndpointConfigMalformed => {
                let bad =
                    format!("{{'production_endpoints':{{'url':'{}/weather','config':null,}},'endpoint_type':'http'}}", site.backend_url);
                artifact_field(site, registry, 3, "endpointConfig", &bad);
            }
            Self::EndpointConfigAbsent => {
                artifact_field(site, registry, 2, "endpointConfig", "");
                artifact_field(site, registry, 2, "endpointURL", &format!("{}/orders", site.backend_url));
            }
            Self::SwaggerInvalid => rewrite(site, registry, 5, "/swagger.json", |_| b"{\"swagger\":\"2.0\",".to_vec()),
            Self::SwaggerWithoutInfo => {
                rewrite(site, registry, 12, "/swagger.json", |_| {
                    br#"{"swagger":"2.0","paths":{"*":{"get":{"responses":{"200":{}}}}}}"#.to_vec()
                });
            }
            Self::ZeroDate => {
                set(am, "AM_API", "API_ID", 1, "CREATED_TIME", Value::ZeroDate);
                set(am, "AM_APPLICATION", "APPLICATION_ID", 2, "CREATED_TIME", Value::ZeroDate);
            }
            Self::PermissionTwice => {
                let id = user.next("UM_PERMISSION", "UM_ID");
                row!(user, "UM_PERMISSION"; UM_ID = id, UM_RESOURCE_ID = "/permission/admin/manage/api/create", UM_ACTION = "ui.execute", UM_TENANT_ID = SUPER_TENANT, UM_MODULE_ID = 0);
                role_permission(user, id, "creator", users::PRIMARY);
            }
            Self::PermissionOfUnknownRole => role_permission(user, 1, "ghosts", users::INTERNAL),
            Self::RoleHolderOfUnknownStore => {
                row!(user, "UM_HYBRID_USER_ROLE"; UM_ID = user.next("UM_HYBRID_USER_ROLE", "UM_ID"), UM_USER_NAME = "oldie", UM_ROLE_ID = 1, UM_TENANT_ID = SUPER_TENANT, UM_DOMAIN_ID = 42);
            }
            Self::InactiveTenant => {
                row!(user, "UM_TENANT"; UM_ID = 7, UM_DOMAIN_NAME = "closed.example", UM_EMAIL = "admin@closed.example", UM_ACTIVE = false,
                    UM_CREATED_DATE = site.local(site.now_ms));
            }
            Self::OrphanTagLink => {
                row!(registry, "REG_RESOURCE_TAG"; REG_TAG_ID = 1, REG_VERSION = 999_999, REG_TENANT_ID = SUPER_TENANT);
                row!(registry, "REG_RESOURCE_PROPERTY"; REG_PROPERTY_ID = 1, REG_VERSION = 999_999, REG_TENANT_ID = SUPER_TENANT);
            }
            Self::NoLifecycleHistory => {
                am.drop("AM_API_LC_EVENT", "API_ID", &Value::Int(4));
            }
            Self::ArtifactsDifferInCase => {
                let Some((path, tenant)) = path_of(site, 3, "/api") else { return };
                let mut content = Vec::new();
                rewrite(site, registry, 3, "/api", |bytes| {
                    content = bytes.to_vec();
                    content.clone()
                });
                let shouted =
                    String::from_utf8_lossy(&content).replace("<name>Weather<", "<name>WEATHER<").replace(">/weather", ">/WEATHER");
                let (id, version) = (registry.next("REG_PATH", "REG_PATH_ID"), registry.next("REG_RESOURCE", "REG_VERSION"));
                let body = registry.next("REG_CONTENT", "REG_CONTENT_ID");
                row!(registry, "REG_CONTENT"; REG_CONTENT_ID = body, REG_CONTENT_DATA = shouted.into_bytes(), REG_TENANT_ID = tenant);
                let folder = path.trim_end_matches("/api").replace("/Weather/", "/WEATHER/");
                row!(registry, "REG_PATH"; REG_PATH_ID = id, REG_PATH_VALUE = folder, REG_PATH_PARENT_ID = 1, REG_TENANT_ID = tenant);
                row!(registry, "REG_RESOURCE"; REG_PATH_ID = id, REG_NAME = "api", REG_VERSION = version, REG_MEDIA_TYPE = "application/vnd.wso2-api+xml",
                    REG_CREATOR = "alice", REG_CREATED_TIME = site.local(site.now_ms), REG_LAST_UPDATOR = "alice",
                    REG_LAST_UPDATED_TIME = site.local(site.now_ms), REG_CONTENT_ID = body, REG_TENANT_ID = tenant,
                    REG_UUID = seed::uuid(site.seed, "the other case"));
            }
            Self::ClientNamesCollide => {
                for (owner, label) in [("dave", "collides 1"), ("erin", "collides 2")] {
                    row!(am, "IDN_OAUTH_CONSUMER_APPS"; CONSUMER_KEY = seed::key(site.seed, label), CONSUMER_SECRET = seed::key(site.seed, &format!("secret of {label}")),
                        USERNAME = owner, TENANT_ID = SUPER_TENANT, APP_NAME = "a_b_c", OAUTH_VERSION = "OAuth-2.0", CALLBACK_URL = "",
                        GRANT_TYPES = "client_credentials");
                }
            }
            Self::SecretThatNothingOpens => {
                let cipher = format!("{}Ab0=", "Ab1/".repeat(42));
                set(am, "IDN_OAUTH_CONSUMER_APPS", "APP_NAME", "console_client", "CONSUMER_SECRET", cipher.into());
            }
            Self::CommentOfDeletedUser => {
                row!(am, "AM_API_COMMENTS"; COMMENT_ID = am.next("AM_API_COMMENTS", "COMMENT_ID"), COMMENT_TEXT = "I have left",
                    COMMENTED_USER = "goneaway", DATE_COMMENTED = Site::utc(site.now_ms), API_ID = 1);
            }
            Self::WorkflowAlreadyDone => {
                row!(am, "AM_WORKFLOWS"; WF_ID = am.next("AM_WORKFLOWS", "WF_ID"), WF_REFERENCE = "1", WF_TYPE = "AM_APPLICATION_CREATION", WF_STATUS = "CREATED",
                    WF_CREATED_TIME = site.local(site.now_ms), WF_UPDATED_TIME = site.local(site.now_ms), TENANT_ID = SUPER_TENANT, TENANT_DOMAIN = "carbon.super",
                    WF_EXTERNAL_REFERENCE = seed::uuid(site.seed, "workflow done already"));
            }
            Self::EndpointConfigNull => artifact_field(site, registry, 3, "endpointConfig", "null"),
            Self::EndpointUrlOdd => {
                let odd = format!(
                    "{{\"production_endpoints\":{{\"url\":\"{}/wea\\u0001ther \\t\",\"config\":null}},\"endpoint_type\":\"http\"}}",
                    site.backend_url
                );
                artifact_field(site, registry, 3, "endpointConfig", &odd);
            }
            Self::SwaggerEmpty => rewrite(site, registry, 5, "/swagger.json", |_| Vec::new()),
            Self::SwaggerYaml => {
                rewrite(site, registry, 12, "/swagger.json", |_| {
                    b"swagger: '2.0'\ninfo:\n  title: Yaml\n  version: '1'\npaths:\n  things:\n    get:\n      responses:\n        '200':\n          description: Done\n".to_vec()
                });
            }
            Self::OddDates => {
                set(am, "AM_API", "API_ID", 1, "CREATED_TIME", far(1));
                set(am, "AM_APPLICATION", "APPLICATION_ID", 2, "CREATED_TIME", far(9999));
            }
            Self::AdminRenamed => {
                let old_form = b"<RealmConfiguration><Configuration><AdminUser><UserName>boss</UserName></AdminUser></Configuration></RealmConfiguration>";
                set(user, "UM_TENANT", "UM_ID", 1, "UM_USER_CONFIG", Value::Bytes(old_form.to_vec()));
                set(user, "UM_TENANT", "UM_ID", 1, "UM_EMAIL", "boss@acme.com".into());
            }
            Self::OddUserNames => {
                for name in ["CORP/mike", "mary@home", "UPPER", "zoe@mail.example"] {
                    let salt = seed::salt(site.seed, name);
                    row!(user, "UM_USER"; UM_ID = user.next("UM_USER", "UM_ID"), UM_USER_NAME = name, UM_USER_PASSWORD = seed::password_digest("odd-old-1", &salt),
                        UM_SALT_VALUE = salt, UM_REQUIRE_CHANGE = false, UM_CHANGED_TIME = site.local(site.now_ms), UM_TENANT_ID = SUPER_TENANT);
                    let subscriber = am.next("AM_SUBSCRIBER", "SUBSCRIBER_ID");
                    row!(am, "AM_SUBSCRIBER"; SUBSCRIBER_ID = subscriber, USER_ID = name, TENANT_ID = SUPER_TENANT, EMAIL_ADDRESS = "", DATE_SUBSCRIBED = site.local(site.now_ms),
                        CREATED_TIME = site.local(site.now_ms), UPDATED_TIME = Value::ZeroDate);
                    row!(am, "AM_APPLICATION"; APPLICATION_ID = am.next("AM_APPLICATION", "APPLICATION_ID"), NAME = "DefaultApplication", SUBSCRIBER_ID = subscriber,
                        APPLICATION_TIER = "Unlimited", APPLICATION_STATUS = "APPROVED", GROUP_ID = "", CREATED_TIME = site.local(site.now_ms), UPDATED_TIME = Value::ZeroDate);
                }
            }
            Self::BigDefinition => rewrite(site, registry, 1, "/swagger.json", |text| {
                let long = format!("{{\"x-padding\":\"{}\",", "0123456789abcdef".repeat(20_000));
                String::from_utf8_lossy(text).replacen('{', &long, 1).into_bytes()
            }),
            Self::LifecycleGap => set(am, "AM_API_LC_EVENT", "API_ID", 4, "PREVIOUS_STATE", "BLOCKED".into()),
            Self::DefinitionOfBefore19 => drop_resource(site, registry, 1, "/swagger.json"),
            Self::ScopeSpelledBefore19 => am.each("IDN_OAUTH2_RESOURCE_SCOPE", |table, row| {
                if let Some(Value::Text(path)) = table.position("RESOURCE_PATH").and_then(|at| row.get_mut(at)) {
                    *path = path.replace("/orders/1.0.0/1.0.0/", "/orders/1.0.0/").replace("/orders/2.0.0/2.0.0/", "/orders/2.0.0/");
                }
            }),
            Self::PermissionsOfMountedPath => user.each("UM_PERMISSION", |table, row| {
                if let Some(Value::Text(path)) = table.position("UM_RESOURCE_ID").and_then(|at| row.get_mut(at)) {
                    *path = path.replace("/_system/governance/", "/_system/shared/gov/");
                }
            }),
            Self::OddEncodings => {
                rewrite(site, registry, 4, "/api", |text| [b"\xef\xbb\xbf", text].concat());
                rewrite(site, registry, 10, "/documentation/contents/Care", |_| b"<p>Caf\xe9 twice a day.</p>".to_vec());
            }
        }
    }
}

fn set(rows: &mut Rows, table: &str, when: &str, is: impl Into<Value>, column: &str, to: Value) {
    rows.set(table, when, &is.into(), column, &to);
}

/// New year of a year no server was meant to see.
fn far(year: i32) -> Value {
    chrono::NaiveDate::from_ymd_opt(year, 1, 2).and_then(|day| day.and_hms_opt(3, 4, 5)).map_or(Value::Null, Value::Time)
}

fn first_key(site: &Site) -> String {
    site.clients().next().map(|c| c.key.clone()).unwrap_or_default()
}

fn token(site: &Site, am: &mut Rows, consumer_key: String, user: &str, label: &str, scopes: &str) {
    row!(am, "IDN_OAUTH2_ACCESS_TOKEN"; ACCESS_TOKEN = seed::key(site.seed, &format!("dirt:{label}")), CONSUMER_KEY = consumer_key, AUTHZ_USER = user,
        USER_TYPE = "APPLICATION_USER", TIME_CREATED = Site::utc(site.now_ms), VALIDITY_PERIOD = -1, TOKEN_SCOPE = scopes, TOKEN_STATE = "ACTIVE", TOKEN_STATE_ID = "NONE");
}

fn role_permission(user: &mut Rows, permission: i64, role: &str, domain: i64) {
    row!(user, "UM_ROLE_PERMISSION"; UM_ID = user.next("UM_ROLE_PERMISSION", "UM_ID"), UM_PERMISSION_ID = permission, UM_ROLE_NAME = role, UM_IS_ALLOWED = 1,
        UM_TENANT_ID = SUPER_TENANT, UM_DOMAIN_ID = domain);
}

/// The registry path of something of an API.
fn path_of(site: &Site, api: i32, below: &str) -> Option<(String, i32)> {
    let api = site.apis.iter().find(|a| a.id == api)?;
    Some((format!("{}{below}", crate::artifacts::api_folder(api)), api.tenant))
}

fn drop_resource(site: &Site, registry: &mut Rows, api: i32, below: &str) {
    if let Some((path, tenant)) = path_of(site, api, below) {
        drop_path(registry, &path, tenant);
    }
}

/// Removes the resource row of a file; its path, content and links stay, as after a delete that failed half-way.
fn drop_path(registry: &mut Rows, path: &str, tenant: i32) {
    if let Some((_, version)) = locate(registry, path, tenant) {
        registry.retain("REG_RESOURCE", |table, row| {
            let is = |column: &str, n: i64| table.position(column).and_then(|at| row.get(at)) == Some(&Value::Int(n));
            !(is("REG_VERSION", version) && is("REG_TENANT_ID", tenant.into()))
        });
    }
}

/// (content id, version) of a file.
fn locate(registry: &mut Rows, path: &str, tenant: i32) -> Option<(i64, i64)> {
    let (folder, name) = path.rsplit_once('/')?;
    let int = |table: &Table, row: &[Value], column: &str| match table.position(column).and_then(|at| row.get(at)) {
        Some(Value::Int(n)) => Some(*n),
        _ => None,
    };
    let text = |table: &Table, row: &[Value], column: &str, is: &str| matches!(table.position(column).and_then(|at| row.get(at)), Some(Value::Text(t)) if t == is);
    let mut folder_id = None;
    registry.each("REG_PATH", |table, row| {
        if int(table, row, "REG_TENANT_ID") == Some(tenant.into()) && text(table, row, "REG_PATH_VALUE", folder) {
            folder_id = int(table, row, "REG_PATH_ID");
        }
    });
    let folder_id = folder_id?;
    let mut found = None;
    registry.each("REG_RESOURCE", |table, row| {
        if int(table, row, "REG_TENANT_ID") == Some(tenant.into())
            && int(table, row, "REG_PATH_ID") == Some(folder_id)
            && text(table, row, "REG_NAME", name)
        {
            found = int(table, row, "REG_CONTENT_ID").zip(int(table, row, "REG_VERSION"));
        }
    });
    found
}

fn rewrite(site: &Site, registry: &mut Rows, api: i32, below: &str, mut change: impl FnMut(&[u8]) -> Vec<u8>) {
    let Some((path, tenant)) = path_of(site, api, below) else { return };
    let Some((content, _)) = locate(registry, &path, tenant) else { return };
    registry.each("REG_CONTENT", |table, row| {
        let is = |column: &str, n: i64| table.position(column).and_then(|at| row.get(at)) == Some(&Value::Int(n));
        if is("REG_CONTENT_ID", content)
            && is("REG_TENANT_ID", tenant.into())
            && let Some(Value::Bytes(bytes)) = table.position("REG_CONTENT_DATA").and_then(|at| row.get_mut(at))
        {
            *bytes = change(bytes);
        }
    });
}

/// Sets a field of an API's artifact.
fn artifact_field(site: &Site, registry: &mut Rows, api: i32, field: &str, to: &str) {
    rewrite(site, registry, api, "/api", |bytes| {
        let text = String::from_utf8_lossy(bytes);
        let element = if to.is_empty() { format!("<{field}/>") } else { format!("<{field}>{}</{field}>", crate::artifacts::xml(to)) };
        let (open, close, empty) = (format!("<{field}>"), format!("</{field}>"), format!("<{field}/>"));
        match (text.split_once(&open), text.split_once(&close)) {
            (Some((before, _)), Some((_, after))) => format!("{before}{element}{after}").into_bytes(),
            _ => text.replacen(&empty, &element, 1).into_bytes(),
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn printed(site: &Site) -> [Vec<u8>; 3] {
        let built = crate::databases(site);
        [
            crate::mysql::dump(crate::Database::Am, "am", &built.am, crate::mysql::Blobs::Escaped, crate::mysql::Clock::AsWritten),
            crate::mysql::dump(crate::Database::User, "user", &built.user, crate::mysql::Blobs::Escaped, crate::mysql::Clock::AsWritten),
            crate::mysql::dump(
                crate::Database::Registry,
                "reg",
                &built.registry,
                crate::mysql::Blobs::Escaped,
                crate::mysql::Clock::AsWritten,
            ),
        ]
    }

    /// A fault that changes nothing tests nothing.
    #[test]
    fn every_fault_leaves_a_mark() {
        let site = Site::sample("http://b", 1_700_000_000_000);
        let clean = printed(&site);
        for dirt in Dirt::ALL {
            assert_ne!(printed(&site.clone().with_dirt(&[dirt])), clean, "{dirt:?}");
        }
    }
}
