//! What a data directory gets the first time it is opened: an encryption key, a database with the super tenant and its defaults, an
//! administrator, a signing key. Each only where it is missing, so every start runs the same road.

use std::path::Path;

use db::home::DataDir;
use db::{Db, Sealer};
use model::{Secret, Tenant, Timestamp, Vhost};

use crate::StartFault;
use crate::options::Options;

/// An opened installation.
pub(crate) struct Installation {
    pub(crate) db: Db,
    pub(crate) data_dir: DataDir,
}

/// Opens the data directory and its database, and fills in what every installation has.
pub(crate) async fn open(options: &Options, data_dir: &Path, now: Timestamp) -> Result<Installation, StartFault> {
    // The address first: a mistyped one should not leave a directory behind.
    let given = options.database_url.as_ref().map(|url| db::DbUrl::parse(url.expose())).transpose()?;
    let data_dir = DataDir::open_or_create(data_dir)?;
    let url = given.unwrap_or_else(|| data_dir.default_url());
    let key = data_dir.encryption_key(encryption_key_from_environment().as_ref())?;
    let db = Db::open(&url, Sealer::new(*key.expose())).await.map_err(|source| StartFault::Open { shown: url.shown(), source })?;
    let mut tx = db.write().await?;
    db::bootstrap::tenant(&mut tx, &Tenant::super_tenant(now)).await?;
    db::bootstrap::environment(&mut tx, &vhost(options)).await?;
    tx.commit().await?;
    Ok(Installation { db, data_dir })
}

/// Host and ports of this process's gateway, as portals show them.
fn vhost(options: &Options) -> Vhost {
    let port = |port: u16| port.saturating_add(options.port_offset);
    Vhost {
        host: options.hostname.clone(),
        http_context: String::new(),
        http_port: port(options.gateway_http_port),
        https_port: port(options.gateway_https_port),
        ws_port: port(9099),
        wss_port: port(8099),
    }
}

/// `TIDEGATE_ENCRYPTION_KEY` (Base64), for installations that keep the key out of the data directory.
fn encryption_key_from_environment() -> Option<Secret<String>> {
    std::env::var("TIDEGATE_ENCRYPTION_KEY").ok().filter(|key| !key.is_empty()).map(Secret::new)
}

/// `TIDEGATE_ADMIN_PASSWORD`, when it is set and not empty.
#[must_use]
pub fn admin_password_from_environment() -> Option<Secret<String>> {
    std::env::var("TIDEGATE_ADMIN_PASSWORD").ok().filter(|password| !password.is_empty()).map(Secret::new)
}
