//! Installations by way of the upgrade: an old one is made up, and the product takes it over.
//!
//! Two things only come that way. Opaque application tokens: new applications get JWTs, but those of an old installation go on working.
//! And ten thousand APIs in reasonable time: making them over REST would take an hour and measure something else.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context as _, ensure};
use oldsite::{Dialect, Links, Resource, Site, Size, Status, Tier, TokenKind};

use super::machine;
use super::product::{self, Installation};

/// What the made-up site ran on.
const MYSQL: Dialect = Dialect::MySql(oldsite::mysql::Blobs::Hex);

/// Tiers of the made-up site: one that is never reached, and one of a single call a minute.
const PLENTY: &str = "BenchPlenty";
const ONCE: &str = "BenchOnce";

/// A path and a token of the old site that must work.
pub(crate) struct WayIn {
    pub(crate) path: String,
    pub(crate) token: String,
}

/// Takes over an old installation of `apis` published APIs with ten resources each.
pub(crate) fn many(installation: &Installation, folder: &Path, apis: u32, backend: u16) -> anyhow::Result<WayIn> {
    let size = Size { users: 100, apis, applications: 100, subscriptions_each: 20, tokens: 1_000 };
    let mut site = generated(size, backend)?;
    for api in site.apis.iter_mut().filter(|api| api.name.starts_with("Generated")) {
        api.status = Status::Published;
        api.resources = (0..10).map(|n| resource(&format!("/part{n}/{{id}}"), "Unlimited")).collect();
    }
    let credentials = site.credentials();
    take_over(installation, folder, &site)?;
    Ok(WayIn { path: credentials.path, token: credentials.token })
}

/// Takes over an old installation with the bench's API, at the same path and with limits on the same levels as [`product::Product`] has.
/// Starts it once to show that its subscriptions' limits count.
pub(crate) fn bench(installation: &Installation, folder: &Path, backend: u16) -> anyhow::Result<String> {
    let size = Size { users: 1, apis: 1, applications: 2, subscriptions_each: 1, tokens: 3 };
    let mut site = generated(size, backend)?;
    for (name, count) in [(PLENTY, 2_000_000_000), (ONCE, 1)] {
        site.tiers.push(Tier {
            name: name.to_owned(),
            count,
            unit_ms: 60_000,
            billing_plan: "FREE".to_owned(),
            stop_on_quota: true,
            description: String::new(),
            attributes: Vec::new(),
        });
    }
    let api = site.apis.iter_mut().find(|api| api.name == "Generated0").context("no API was made up")?;
    api.status = Status::Published;
    "/bench".clone_into(&mut api.context);
    api.tiers = vec![PLENTY.to_owned(), ONCE.to_owned()];
    api.resources = (0..20).map(|n| resource(&format!("/res{n}/{{id}}"), PLENTY)).collect();
    let api = api.id;
    let mut tokens = Vec::new();
    for (name, tier) in [("Application 0", PLENTY), ("Application 1", ONCE)] {
        let application = site.applications.iter_mut().find(|a| a.name == name).context("no application was made up")?;
        PLENTY.clone_into(&mut application.tier);
        let (id, client) = (application.id, application.keys.iter().find_map(|key| key.client.as_ref()).context("it has no keys")?);
        let token = site.tokens.iter().find(|t| t.consumer_key == client.key && t.kind == TokenKind::Application);
        tokens.push(token.context("it has no token")?.access.clone());
        let subscription = site.subscriptions.iter_mut().find(|s| s.application == id && s.api == api);
        tier.clone_into(&mut subscription.context("it has no subscription")?.tier);
    }
    take_over(installation, folder, &site)?;
    let mut tokens = tokens.into_iter();
    let (token, once) = tokens.next().zip(tokens.next()).context("two tokens were made up")?;
    ensure!(!token.contains('.'), "an old token is opaque");
    let mut process = installation.serve()?;
    installation.wait_until_ready(&mut process)?;
    product::must_run_out("subscription", installation.ports.gateway, product::PATH, &once)?;
    Ok(token)
}

fn generated(size: Size, backend: u16) -> anyhow::Result<Site> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    let backend = format!("http://{}", machine::local(backend));
    Ok(Site::generated(size, 1, &backend, i64::try_from(now.as_millis())?))
}

fn resource(pattern: &str, tier: &str) -> Resource {
    Resource {
        verb: "GET".to_owned(),
        pattern: pattern.to_owned(),
        auth: "Any".to_owned(),
        tier: tier.to_owned(),
        scope: None,
        script: None,
    }
}

fn take_over(installation: &Installation, folder: &Path, site: &Site) -> anyhow::Result<()> {
    let old = site.write(&folder.join("old"), MYSQL, &Links::unreachable(MYSQL))?;
    let sources = [
        ("--source", old.home.display().to_string()),
        ("--am-db", format!("dump:{}", old.am_sql.display())),
        ("--user-db", format!("dump:{}", old.user_sql.display())),
        ("--registry-db", format!("dump:{}", old.registry_sql.display())),
    ];
    installation.take_over(&sources)
}
