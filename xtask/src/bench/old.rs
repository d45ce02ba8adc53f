//! A large installation by way of the upgrade: an old one is made up, and the product takes it over. Making as many APIs over REST would take
//! an hour and measure something else.

use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::Context as _;
use oldsite::{Dialect, Links, Resource, Site, Size, Status};

use super::machine;
use super::product::{self, Installation};

/// What the made-up site ran on.
const MYSQL: Dialect = Dialect::MySql(oldsite::mysql::Blobs::Hex);

/// Resources of each API.
const RESOURCES: usize = 10;

/// A path and a token of the old site that must work.
pub(crate) struct WayIn {
    pub(crate) path: String,
    pub(crate) token: String,
}

/// Makes an old installation of `apis` published APIs and takes it over into the installation's data directory.
pub(crate) fn fill(installation: &Installation, folder: &Path, apis: u32, backend: u16) -> anyhow::Result<WayIn> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).context("the clock stands before 1970")?;
    let size = Size { users: 100, apis, applications: 100, subscriptions_each: 20, tokens: 1_000 };
    let backend = format!("http://{}", machine::local(backend));
    let mut site = Site::generated(size, 1, &backend, i64::try_from(now.as_millis())?);
    for api in site.apis.iter_mut().filter(|api| api.name.starts_with("Generated")) {
        api.status = Status::Published;
        let one = |n: usize| Resource {
            verb: "GET".to_owned(),
            pattern: format!("/part{n}/{{id}}"),
            auth: "Any".to_owned(),
            tier: "Unlimited".to_owned(),
            scope: None,
            script: None,
        };
        api.resources = (0..RESOURCES).map(one).collect();
    }
    let credentials = site.credentials();
    let old = site.write(&folder.join("old"), MYSQL, &Links::unreachable(MYSQL))?;
    let sources = [
        ("--source", old.home.display().to_string()),
        ("--am-db", format!("dump:{}", old.am_sql.display())),
        ("--user-db", format!("dump:{}", old.user_sql.display())),
        ("--registry-db", format!("dump:{}", old.registry_sql.display())),
    ];
    product::upgrade(installation, &sources)?;
    Ok(WayIn { path: credentials.path, token: credentials.token })
}
