//! From an old installation to a call: `tidegate upgrade`, then serve, then everything an old client does.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::Method;
use oldsite::{Credentials, Dialect, Links, Site, mysql::Blobs};
use serde_json::{Value, json};
use server::{Options, Timestamp};
use sqlx::ConnectOptions as _;
use sqlx::sqlite::SqliteConnectOptions;
use tempfile::TempDir;
use testkit::{Answer, Backend, Caller, Client, House, Place, Process, Rest, Setup};

use crate::binary;

const MYSQL: Dialect = Dialect::MySql(Blobs::Hex);

/// An old installation taken over into `data`.
struct Taken {
    folder: TempDir,
    data: PathBuf,
    site: Site,
    old: Credentials,
    backend: Backend,
    sources: Vec<String>,
}

/// What one step of `tidegate upgrade` left.
pub(crate) struct Step {
    pub(crate) done: bool,
    said: String,
    pub(crate) report: Value,
}

/// A step as an operator types it; `apply` after the `plan` that it follows.
pub(crate) fn step(step: &str, data: &Path, sources: &[String]) -> Step {
    let report = data.with_extension(format!("{step}.json"));
    let plan = data.with_extension("plan");
    if step == "apply" {
        let planned = self::step("plan", data, sources);
        if !planned.done {
            return planned;
        }
    }
    let mut command = Command::new(binary());
    command.args(["upgrade", step, "--data-dir"]).arg(data).arg("--json").arg(&report).args(sources);
    match step {
        "plan" => drop(command.arg("--out").arg(&plan)),
        "apply" => drop(command.arg(&plan)),
        _ => {}
    }
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&report).unwrap_or_default();
    Step {
        done: output.status.success(),
        said: String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned(),
        report: serde_json::from_str(&text).unwrap_or(Value::Null),
    }
}

pub(crate) fn expect(name: &str, data: &Path, sources: &[String]) -> Value {
    let step = step(name, data, sources);
    assert!(step.done, "upgrade {name}: {}", step.said);
    step.report
}

impl Taken {
    async fn over() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend::start().await;
        let site = Site::sample(&backend.url(), server::clock::now().0);
        let written = site.write(&folder.path().join("old"), MYSQL, &Links::unreachable(MYSQL)).unwrap();
        let dump = |path: &Path| format!("dump:{}", path.display());
        let sources = [
            ("--source", written.home.display().to_string()),
            ("--am-db", dump(&written.am_sql)),
            ("--user-db", dump(&written.user_sql)),
            ("--registry-db", dump(&written.registry_sql)),
        ]
        .into_iter()
        .flat_map(|(flag, value)| [flag.to_owned(), value])
        .collect::<Vec<_>>();
        let data = folder.path().join("data");
        expect("apply", &data, &sources);
        Self { old: site.credentials(), folder, data, site, backend, sources }
    }

    /// A server on what was taken over, whose clock stands at the beginning of a minute.
    async fn served(&self) -> House {
        let now = server::clock::now().0;
        House::with(&self.data, Options::default(), Some(Timestamp(now - now.rem_euclid(60_000)))).await
    }

    /// An old token, by its place in the sample's list.
    fn token(&self, place: OldToken) -> &str {
        &self.site.tokens[place as usize].access
    }

    /// The client of an application's production key.
    fn client(&self, application: &str) -> Client {
        let application = self.site.applications.iter().find(|a| a.name == application && !a.keys.is_empty()).unwrap();
        let client = application.keys.iter().find(|key| key.kind == "PRODUCTION").and_then(|key| key.client.as_ref()).unwrap();
        Client { id: client.key.clone(), secret: client.secret.clone() }
    }
}

/// Places in [`Site::sample`]'s list of tokens.
#[derive(Clone, Copy)]
enum OldToken {
    Shop,
    ShopSandbox,
    Erin,
    Dave,
    Alice,
    Jobs,
    JobsUser,
    Pets,
    ErinLate,
    Expired,
    ExpiredToo,
    Revoked,
    Inactive,
}

#[tokio::test]
async fn old_tokens_call_as_they_did() {
    let taken = Taken::over().await;
    let house = taken.served().await;
    let caller = Caller::new(&house);
    let get = async |path: &str, token: OldToken| caller.get(path, taken.token(token)).await;
    assert_eq!(get(&taken.old.path, OldToken::Shop).await.expect(200)["path"], "/orders/order/42");
    assert_eq!(get(&taken.old.path, OldToken::ShopSandbox).await.expect(200)["path"], "/orders-sandbox/order/42");
    // The ledger's key is good for calls from two sites only, named by the header the old gateway looked at.
    let ledger = Caller::new(&house).saying("referer", "books.example");
    let erin = taken.token(OldToken::Erin);
    assert_eq!(ledger.get(&taken.old.scoped_path, erin).await.expect(200)["path"], "/invoices/invoice/42");
    ledger.call(Method::POST, "/finance/invoices/1.0/invoice", erin).await.expect(200);
    caller.get(&taken.old.scoped_path, erin).await.refused_as_a_fault(401, 0);
    assert_eq!(get(&taken.old.tenant_path, OldToken::Pets).await.expect(200)["path"], "/pets/pet/42");
    get("/orders/1.0.0/order/1", OldToken::Jobs).await.expect(200);
    get("/orders/1.0.0/order/1", OldToken::JobsUser).await.expect(200);
    // Its sequence tells the backend the channel, as it did on the old gateway.
    let seen = caller.get(&taken.old.open_path, "").await.expect(200);
    assert_eq!(seen["headers"]["x-channel"], "partner", "{seen}");
    let delete = async |token| caller.call(Method::DELETE, "/orders/1.0.0/order/1", taken.token(token)).await;
    delete(OldToken::Alice).await.expect(200);
    delete(OldToken::Dave).await.refused_as_a_fault(403, 900_910);
    caller.get(&taken.old.path, "").await.refused_as_a_fault(401, 900_902);
    for token in [OldToken::ErinLate, OldToken::Expired, OldToken::ExpiredToo, OldToken::Revoked, OldToken::Inactive] {
        get("/finance/invoices/1.0/health", token).await.refused_as_a_fault(401, 900_901);
    }
}

#[tokio::test]
async fn every_state_and_subscription_is_what_it_was() {
    let taken = Taken::over().await;
    let house = taken.served().await;
    let caller = Caller::new(&house);
    let get = async |path: &str, token: OldToken| caller.get(path, taken.token(token)).await;
    get("/legacy/1.0.0/x", OldToken::Jobs).await.refused_in_xml(503, 700_700);
    caller.get("/preview/0.1.0/x", "").await.expect(200);
    get("/draft/0.1.0/x", OldToken::Jobs).await.refused_in_xml(404, 404);
    get("/fax/1.0.0/x", OldToken::Shop).await.refused_in_xml(404, 404);
    get("/maps/1.0.0/x", OldToken::Jobs).await.refused_as_a_fault(401, 900_907);
    get("/orders/1.0.0/order/1", OldToken::Erin).await.refused_as_a_fault(401, 900_907);
    get("/weather/1.0.0/forecast/x", OldToken::Erin).await.refused_as_a_fault(401, 900_909);
    get("/payroll/1.0.0/x", OldToken::Shop).await.refused_as_a_fault(403, 900_908);
    get("/orders/2.0.0/order/1", OldToken::Jobs).await.refused_as_a_fault(403, 900_908);
    // A default version answers without a version in the path.
    get("/orders/order/1", OldToken::Shop).await.expect(200);
    let mut turns = Vec::new();
    for _ in 0..4 {
        turns.push(get("/stock/1.0.0/x", OldToken::Shop).await.expect(200)["path"].as_str().unwrap().to_owned());
    }
    turns.sort();
    assert_eq!(turns, ["/stock-a/x", "/stock-a/x", "/stock-b/x", "/stock-b/x"]);

    let names = async |answer: Value| {
        let list = answer["list"].as_array().unwrap().clone();
        list.iter().map(|api| api["name"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let anonymous = Answer::of(caller.at_rest(Method::GET, "/api/am/devportal/v2/apis?limit=100").send().await.unwrap()).await.expect(200);
    let seen = names(anonymous).await;
    assert!(seen.contains(&"Orders".to_owned()) && !seen.contains(&"Payroll".to_owned()), "{seen:?}");
    for (user, password, may) in [("hank", "hank-old-1", true), ("dave", "dave-old-1", false)] {
        let portal = Rest::sign_in(&house, user, password).await;
        let seen = names(portal.get("devportal/v2/apis?limit=100").await).await;
        assert_eq!(seen.contains(&"Payroll".to_owned()), may, "{user}: {seen:?}");
        assert!(!seen.contains(&"Draft".to_owned()) && !seen.contains(&"Fax".to_owned()), "{user}: {seen:?}");
    }

    // Payroll's backend wants the password that the old gateway knew.
    let hank = Rest::sign_in(&house, "hank", "hank-old-1").await;
    let payroll = hank.get("devportal/v2/apis?query=name:Payroll").await["list"][0]["id"].as_str().unwrap().to_owned();
    let keys = hank.become_subscriber("Wages", &payroll, "Unlimited").await;
    // The old installation had subscriptions approved, so new ones wait here too.
    caller.get("/payroll/1.0.0/x", &keys.token).await.refused_as_a_fault(401, 900_909);
    Rest::sign_in(&house, &taken.old.admin, &taken.old.admin_password).await.approve_all().await;
    let seen = caller.get("/payroll/1.0.0/x", &keys.token).await.expect(200);
    assert_eq!(seen["headers"]["authorization"], "Basic cGF5cm9sbDpwQHkmcm9sbA==", "{seen}");
}

#[tokio::test]
async fn old_passwords_and_keys_get_new_tokens() {
    let taken = Taken::over().await;
    let house = taken.served().await;
    let caller = Caller::new(&house);
    let shop = taken.client("Shop Front");
    let granted = caller.password_grant(&shop, &taken.old.user, &taken.old.password, "default").await;
    caller.get(&taken.old.path, granted["access_token"].as_str().unwrap()).await.expect(200);
    // Once more: the old digest has been replaced by a new one in between.
    caller.password_grant(&shop, &taken.old.user, &taken.old.password, "default").await;
    let wrong = [("grant_type", "password"), ("username", taken.old.user.as_str()), ("password", "wrong")];
    assert_eq!(caller.oauth2("token", &shop, &wrong).await.expect(400)["error"], "invalid_grant");

    let jobs = taken.client("Night Jobs");
    caller.get("/orders/1.0.0/order/1", &caller.token(&jobs, "").await).await.expect(200);

    let ledger = Client { id: taken.old.refresh_consumer_key.clone(), secret: taken.old.refresh_consumer_secret.clone() };
    let form = [("grant_type", "refresh_token"), ("refresh_token", taken.old.refresh_token.as_str())];
    let renewed = caller.oauth2("token", &ledger, &form).await.expect(200);
    let from_there = Caller::new(&house).saying("referer", "ledger.example");
    from_there.get(&taken.old.scoped_path, renewed["access_token"].as_str().unwrap()).await.expect(200);
    from_there.get(&taken.old.scoped_path, taken.token(OldToken::Erin)).await.refused_as_a_fault(401, 900_901);

    let tenant = taken.client("Pet Shop");
    caller.get(&taken.old.tenant_path, &caller.token(&tenant, "").await).await.expect(200);

    // Publishers and administrators sign in at the doors, each to their tenant.
    let alice = Rest::sign_in(&house, &taken.old.publisher, &taken.old.publisher_password).await;
    assert!(alice.get("publisher/v2/apis?query=name:Orders").await["count"].as_u64().unwrap() == 2);
    let carol = Rest::sign_in(&house, "carol@acme.com", "carol-old-1").await;
    let theirs = carol.get("publisher/v2/apis").await;
    assert_eq!((&theirs["count"], &theirs["list"][0]["name"]), (&json!(1), &json!("Pets")));
    let admin = Rest::sign_in(&house, &taken.old.admin, &taken.old.admin_password).await;
    assert!(admin.get("admin/v2/throttling/policies/subscription").await["count"].as_u64().unwrap() >= 7);
}

#[tokio::test]
async fn a_restricted_key_is_checked_by_the_header_the_old_gateway_looked_at() {
    let taken = Taken::over().await;
    let options = Options { client_domain_header: "x-site".to_owned(), ..Options::default() };
    let house = House::with(&taken.data, options, None).await;
    let call = async |header: &'static str| {
        Caller::new(&house).saying(header, "ledger.example").get(&taken.old.scoped_path, taken.token(OldToken::Erin)).await
    };
    call("x-site").await.expect(200);
    call("referer").await.refused_as_a_fault(401, 0);
}

#[tokio::test]
async fn an_old_limit_counts_as_it_did() {
    let taken = Taken::over().await;
    let house = taken.served().await;
    let caller = Caller::new(&house);
    for call in 0..20 {
        let answer = caller.get(&taken.old.path, &taken.old.token).await;
        assert_eq!(answer.status, 200, "call {call}: {}", answer.text);
    }
    let answer = caller.get(&taken.old.path, &taken.old.token).await;
    answer.refused_in_xml(503, 900_800);
    assert!(answer.header("retry-after").is_none());
    assert_eq!(taken.backend.requests(), 20);
    // Another application's calls are its own.
    caller.get(&taken.old.path, taken.token(OldToken::Jobs)).await.expect(200);
}

#[tokio::test]
async fn old_clients_and_backends_find_what_they_know() {
    let taken = Taken::over().await;
    let plan = expect("plan", &taken.data, &taken.sources);
    let told = plan["findings"].to_string();
    for words in ["errors of 1.9.1: xml-1.9", "header X-JWT-Assertion, dialect http://wso2.org/claims, signed", "APIs of its own"] {
        assert!(told.contains(words), "{words}: {told}");
    }
    let house = taken.served().await;
    let caller = Caller::new(&house);

    // The key desk is where the old gateway had it, and answers as at its own door.
    let shop = taken.client("Shop Front");
    let form = [("grant_type", "password"), ("username", taken.old.user.as_str()), ("password", taken.old.password.as_str())];
    let granted = caller.at_gateway("token", &shop, &form).await.expect(200);
    let fresh = granted["access_token"].as_str().unwrap();
    caller.get(&taken.old.path, fresh).await.expect(200);
    let wrong = Client { secret: "wrong".to_owned(), ..shop.clone() };
    let (here, there) = (caller.at_gateway("token", &wrong, &form).await, caller.oauth2("token", &wrong, &form).await);
    assert_eq!((here.status, &here.text), (there.status, &there.text));
    assert_eq!(here.header("www-authenticate"), there.header("www-authenticate"));
    assert_eq!(caller.at_gateway("revoke", &shop, &[("token", fresh)]).await.status, 200);
    caller.get(&taken.old.path, fresh).await.refused_as_a_fault(401, 900_901);

    // The old token is opaque; a new application's is signed; both call the same API, which nobody published anew.
    let opaque = taken.token(OldToken::Jobs);
    assert!(!opaque.contains('.'));
    let hank = Rest::sign_in(&house, "hank", "hank-old-1").await;
    let orders = hank.get("devportal/v2/apis?query=name:Orders version:1.0.0").await["list"][0]["id"].as_str().unwrap().to_owned();
    let keys = hank.become_subscriber("Newcomer", &orders, "Unlimited").await;
    // The old installation had subscriptions approved, so new ones wait here too.
    caller.get("/orders/1.0.0/order/1", &keys.token).await.refused_as_a_fault(401, 900_909);
    Rest::sign_in(&house, &taken.old.admin, &taken.old.admin_password).await.approve_all().await;
    assert_eq!(keys.token.split('.').count(), 3);
    let claims = async |token: &str| {
        let seen = caller.get("/orders/1.0.0/order/1", token).await.expect(200);
        let assertion = seen["headers"]["x-jwt-assertion"].as_str().unwrap().to_owned();
        let body = assertion.split('.').nth(1).unwrap().to_owned();
        serde_json::from_slice::<Value>(&BASE64_STANDARD.decode(body).unwrap()).unwrap()
    };
    let (old, new) = (claims(opaque).await, claims(&keys.token).await);
    for (claims, application) in [(&old, "Night Jobs"), (&new, "Newcomer")] {
        assert_eq!(claims["http://wso2.org/claims/applicationname"], application);
        assert_eq!(claims["http://wso2.org/claims/apicontext"], "/orders/1.0.0");
        assert!(claims["exp"].as_i64().unwrap() > 1_000_000_000_000, "milliseconds, as then");
    }
}

#[tokio::test]
async fn a_second_run_changes_nothing_and_a_changed_row_is_found() {
    let taken = Taken::over().await;
    let again = expect("apply", &taken.data, &taken.sources);
    assert_eq!(again["written"]["batches"], 0, "{}", again["written"]);
    expect("verify", &taken.data, &taken.sources);
    let database = taken.data.join("tidegate.db");
    for (change, undo) in [
        (
            "UPDATE api_body SET body = replace(body, '/forecast/', '/forecasts/')",
            "UPDATE api_body SET body = replace(body, '/forecasts/', '/forecast/')",
        ),
        (
            "UPDATE subscription SET plan = 'Bronze' WHERE plan = 'TenPerSecond'",
            "UPDATE subscription SET plan = 'TenPerSecond' WHERE plan = 'Bronze'",
        ),
        (
            "UPDATE continuity SET error_format = 'json-4.0' WHERE tenant = -1234",
            "UPDATE continuity SET error_format = 'xml-1.9' WHERE tenant = -1234",
        ),
        ("UPDATE continuity SET domain_restriction = 0 WHERE tenant = 1", "UPDATE continuity SET domain_restriction = 1 WHERE tenant = 1"),
        (
            "UPDATE application SET policy = 'Unlimited' WHERE name = 'Shop Front'",
            "UPDATE application SET policy = 'Gold' WHERE name = 'Shop Front'",
        ),
    ] {
        behind_its_back(&database, change).await;
        let found = step("verify", &taken.data, &taken.sources);
        assert!(!found.done, "not found: {change}\n{}", found.said);
        behind_its_back(&database, undo).await;
        expect("verify", &taken.data, &taken.sources);
    }
    // A record that is missing altogether.
    behind_its_back(&database, "DELETE FROM token WHERE id = (SELECT id FROM token LIMIT 1)").await;
    assert!(!step("verify", &taken.data, &taken.sources).done);
}

/// Changes one row at least.
async fn behind_its_back(database: &Path, sql: &'static str) {
    let mut connection = SqliteConnectOptions::new().filename(database).connect().await.unwrap();
    let done = sqlx::query(sql).execute(&mut connection).await.unwrap();
    assert!(done.rows_affected() > 0, "{sql}");
    sqlx::Connection::close(connection).await.unwrap();
}

#[tokio::test]
async fn a_source_that_cannot_be_read_leaves_no_target() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data");
    let failed = step("apply", &data, &["--source".to_owned(), folder.path().join("nothing").display().to_string()]);
    assert!(!failed.done && failed.said.contains("nothing"), "{}", failed.said);
    assert!(!data.join("tidegate.db").exists());
}

#[tokio::test]
async fn the_binary_serves_what_the_binary_took_over() {
    let taken = Taken::over().await;
    let mut process = Process::start(&Setup { with_password: false, ..Setup::new(binary(), &taken.data) }).unwrap();
    Caller::new(&process).get(&taken.old.path, &taken.old.token).await.expect(200);
    process.terminate();
    assert!(process.wait().await.success());
    assert!(!process.printed().contains("sign in as"), "an installation that has its administrators got another: {}", process.printed());
    for secret in [&taken.old.token, &taken.old.consumer_secret] {
        assert!(!process.log().contains(secret.as_str()));
    }
    assert!(taken.folder.path().exists());
}

/// A real old installation's folder; `None`, saying so, when there are none here.
fn real(name: &str) -> Option<PathBuf> {
    let Ok(samples) = std::env::var("TIDEGATE_SAMPLES") else {
        println!("SKIPPED: TIDEGATE_SAMPLES does not name the folder of sample installations");
        return None;
    };
    Some(PathBuf::from(samples).join(name))
}

fn words(source: &Path) -> Vec<String> {
    vec!["--source".to_owned(), source.display().to_string(), "--source-timezone".to_owned(), "UTC".to_owned()]
}

#[tokio::test]
async fn installations_that_were_never_used_become_empty_servers_that_work() {
    for name in ["wso2am-1.8.0-empty", "wso2am-1.9.0-empty"] {
        let Some(source) = real(name) else { return };
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().join("data");
        expect("apply", &data, &words(&source));
        expect("verify", &data, &words(&source));
        let house = House::on(&data).await;
        let backend = Backend::start().await;
        let rest = Rest::admin(&house).await;
        assert_eq!(rest.get("publisher/v2/apis").await["count"], 0);
        let id = rest.publish(&testkit::api("Pizza", &backend.url())).await;
        let keys = rest.become_subscriber("Eater", &id, "Unlimited").await;
        rest.caller.get("/pizza/1.0.0/x", &keys.token).await.expect(200);
    }
}

#[tokio::test]
async fn a_real_2_6_0_is_called_with_its_own_keys_and_token() {
    let Some(source) = real("wso2am-2.6.0-small") else { return };
    let folder = tempfile::tempdir().unwrap();
    let place = upgrade::Place { home: Some(source.clone()), zone: Some("UTC".parse().unwrap()), ..upgrade::Place::default() };
    let old = upgrade::Old::read(&place).await.unwrap();
    let mut tokens = upgrade::old::oauth::Tokens::open(&old.site).await.unwrap();
    let token = tokens.next_batch(10).await.unwrap().into_iter().find(|token| token.state.as_deref() == Some("ACTIVE")).unwrap();
    let issued = token.created.unwrap().and_utc() + chrono::TimeDelta::minutes(1);
    let key = old.installation.key_mappings.get(0).unwrap().consumer_key.unwrap();
    let stored = old.installation.oauth_clients.iter().find(|client| client.key == key).unwrap();
    let client = Client { id: key.clone(), secret: stored.secret.as_ref().unwrap().expose().clone() };

    // Every address of the old backends goes to ours.
    let backend = Backend::start().await;
    let map = folder.path().join("endpoints");
    std::fs::write(&map, format!("http:// {0}/\nhttps:// {0}/\n", backend.url())).unwrap();
    let mut sources = words(&source);
    sources.extend(["--endpoint-map".to_owned(), map.display().to_string()]);
    sources.extend(["--rehearse-at".to_owned(), issued.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)]);
    let data = folder.path().join("data");
    expect("apply", &data, &sources);
    expect("verify", &data, &sources);

    let rehearsal = House::with(&data, Options::default(), Some(Timestamp(issued.timestamp_millis()))).await;
    let rest = Rest::sign_in(&rehearsal, "admin", "admin").await;
    let api = rest.get("publisher/v2/apis").await["list"][0].clone();
    let full = rest.get(&format!("publisher/v2/apis/{}", api["id"].as_str().unwrap())).await;
    let operation = full["operations"].as_array().unwrap().iter().find(|operation| operation["verb"] == "GET").unwrap().clone();
    let resource = operation["target"]
        .as_str()
        .unwrap()
        .split('/')
        .map(|part| if part.starts_with('{') || part == "*" { "1" } else { part })
        .collect::<Vec<_>>()
        .join("/");
    let context = api["context"].as_str().unwrap();
    let path = match context.ends_with(api["version"].as_str().unwrap()) {
        true => format!("{context}{resource}"),
        false => format!("{context}/{}{resource}", api["version"].as_str().unwrap()),
    };
    let caller = Caller::new(&rehearsal);
    caller.get(&path, token.access_token.expose()).await.expect(200);
    caller.get(&path, &caller.token(&client, "").await).await.expect(200);
    caller.get(&path, "").await.refused_in_xml(401, 900_902);
    rehearsal.stop().await;

    // Today the old token is long over, and the old keys still get new ones.
    let house = House::on(&data).await;
    let caller = Caller::new(&house);
    caller.get(&path, token.access_token.expose()).await.refused_in_xml(401, 900_901);
    caller.get(&path, &caller.token(&client, "").await).await.expect(200);
    assert!(house.rest("").starts_with("https://"));
}

/// Every file below a folder, one after the other.
fn everything_below(folder: &Path) -> Vec<u8> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        all.extend(if path.is_dir() { everything_below(&path) } else { std::fs::read(&path).unwrap() });
    }
    all
}

/// Secrets planted everywhere in a source are in nothing the binary prints or writes, however loud its log, and even when it fails.
#[test]
fn the_binary_never_says_a_secret_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let site = Site::sample("http://127.0.0.1:9000", server::clock::now().0);
    let (written, planted) = site.write_with_canaries(&folder.path().join("old")).unwrap();
    let (data, out) = (folder.path().join("new/data"), folder.path().join("new"));
    std::fs::create_dir_all(&out).unwrap();
    let source = |am: &Path| {
        let dump = |path: &Path| format!("dump:{}", path.display());
        let home = written.home.display().to_string();
        let words =
            ["--source", &home, "--am-db", &dump(am), "--user-db", &dump(&written.user_sql), "--registry-db", &dump(&written.registry_sql)];
        words.map(str::to_owned).to_vec()
    };
    let mut said = Vec::new();
    let plan = out.join("upgrade-plan.json");
    let mut run = |step: &str, words: Vec<String>, wanted: bool| {
        let [report, page] = ["json", "html"].map(|kind| out.join(format!("{step}-{}.{kind}", said.len())));
        let mut command = Command::new(binary());
        command.env("RUST_LOG", "trace").args(["upgrade", step, "--data-dir"]).arg(&data).arg("--json").arg(&report).args(words);
        command.arg("--html").arg(&page);
        match step {
            "plan" => drop(command.arg("--out").arg(&plan)),
            "apply" => drop(command.arg(&plan)),
            _ => {}
        }
        let output = command.output().unwrap();
        let text = [output.stdout, output.stderr].concat();
        assert_eq!(output.status.success(), wanted, "{step}: {}", String::from_utf8_lossy(&text));
        said.extend(text);
    };
    let whole = source(&written.am_sql);
    let strictly = |mut words: Vec<String>| {
        words.push("--strict".to_owned());
        words
    };
    run("assess", whole.clone(), true);
    run("plan", whole.clone(), true);
    // The sample holds what is not carried yet, which a strict run does not let pass, and then writes nothing.
    run("assess", strictly(whole.clone()), false);
    run("apply", strictly(whole.clone()), false);
    assert!(!data.join("tidegate.db").exists());
    run("apply", whole.clone(), true);
    run("verify", whole.clone(), true);
    let secret = &planted[0].text;
    let away = ["--db".to_owned(), format!("postgres://upgrade:{secret}@127.0.0.1:1/none")];
    run("apply", [whole.clone(), away.to_vec()].concat(), false);
    let torn = folder.path().join("torn.sql");
    let bytes = std::fs::read(&written.am_sql).unwrap();
    for part in [3, 5, 7] {
        std::fs::write(&torn, &bytes[..bytes.len() * part / 8]).unwrap();
        let mut command = Command::new(binary());
        let output = command.env("RUST_LOG", "trace").args(["upgrade", "assess"]).args(source(&torn)).output().unwrap();
        said.extend([output.stdout, output.stderr].concat());
    }
    // A wrong password of a keystore that is there, a database behind an address with a password, words that are none, a torn configuration.
    let key_store = written.home.join("repository/resources/security/wso2carbon.jks");
    std::fs::create_dir_all(key_store.parent().unwrap()).unwrap();
    std::fs::write(&key_store, [&0xfeed_feed_u32.to_be_bytes()[..], &[0; 60]].concat()).unwrap();
    let wrong = |words: &[String]| {
        let mut command = Command::new(binary());
        command.env("RUST_LOG", "trace").env("TIDEGATE_SOURCE_KEYSTORE_PASSWORD", secret).args(["upgrade", "assess"]).args(words);
        let output = command.output().unwrap();
        [output.stdout, output.stderr].concat()
    };
    let told = wrong(&whole);
    assert!(String::from_utf8_lossy(&told).contains("does not open the keystore"), "{}", String::from_utf8_lossy(&told));
    said.extend(told);
    let mut behind = whole.clone();
    let addresses = [
        format!("mysql://root:{secret}@127.0.0.1:1/x"),
        format!("oracle://root:{secret}@h/x"),
        format!("mysql:root:{secret}"),
        secret.clone(),
    ];
    for address in addresses {
        behind[3].clone_from(&address);
        said.extend(wrong(&behind));
    }
    said.extend(wrong(&whole[..2]));
    for file in ["carbon.xml", "user-mgt.xml", "api-manager.xml", "datasources/master-datasources.xml"] {
        let file = written.home.join("repository/conf").join(file);
        let bytes = std::fs::read(&file).unwrap();
        for part in [4, 6, 7] {
            std::fs::write(&file, &bytes[..bytes.len() * part / 8]).unwrap();
            said.extend(wrong(&whole));
        }
        std::fs::write(&file, bytes).unwrap();
    }
    for entry in std::fs::read_dir(&out).unwrap().map(|entry| entry.unwrap().path()).filter(|path| path.is_file()) {
        said.extend(std::fs::read(entry).unwrap());
    }
    let shown = |text: &[u8], canary: &str| text.windows(canary.len()).any(|part| part == canary.as_bytes());
    assert!(said.len() > 100_000 && planted.len() > 50);
    let kept = everything_below(&data);
    for canary in &planted {
        assert!(!shown(&said, &canary.text), "said: {}", canary.place);
        assert!(canary.is_kept || !shown(&kept, &canary.text), "in the new database: {}", canary.place);
    }
}
