//! Which revision of an API runs in which environment.

use model::{ApiId, Deployment, RevisionId};

use crate::outbox::{Thing, changed};
use crate::sql::{Row, args};
use crate::{Result, Tx};

/// Deploys a revision, in place of the one that ran in that environment.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API or revision.
pub async fn put(tx: &mut Tx, deployment: &Deployment) -> Result<()> {
    let d = deployment;
    let sql = "INSERT INTO deployment (api, environment, revision, vhost, display_on_portal, deployed_at) VALUES ($1, $2, $3, $4, $5, $6) \
               ON CONFLICT (api, environment) DO UPDATE SET revision = excluded.revision, vhost = excluded.vhost, \
               display_on_portal = excluded.display_on_portal, deployed_at = excluded.deployed_at";
    tx.run(sql, args![d.api, &d.environment, d.revision, &d.vhost, d.display_on_portal, d.deployed_at]).await?;
    changed(tx, Thing::Deployment, d.api);
    Ok(())
}

/// Takes the API out of an environment; whether it was there.
pub async fn remove(tx: &mut Tx, api: ApiId, environment: &str) -> Result<bool> {
    let done = tx.run("DELETE FROM deployment WHERE api = $1 AND environment = $2", args![api, environment]).await?;
    changed(tx, Thing::Deployment, api);
    Ok(done > 0)
}

/// Where the API runs, by environment.
pub async fn list(tx: &mut Tx, api: ApiId) -> Result<Vec<Deployment>> {
    tx.rows("SELECT * FROM deployment WHERE api = $1 ORDER BY environment", args![api]).await?.iter().map(read).collect()
}

/// Everything that runs anywhere.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<Deployment>> {
    tx.rows("SELECT * FROM deployment ORDER BY api, environment", args![]).await?.iter().map(read).collect()
}

/// Where one revision runs, by environment.
pub async fn of_revision(tx: &mut Tx, revision: RevisionId) -> Result<Vec<Deployment>> {
    tx.rows("SELECT * FROM deployment WHERE revision = $1 ORDER BY environment", args![revision]).await?.iter().map(read).collect()
}

fn read(row: &Row) -> Result<Deployment> {
    Ok(Deployment {
        api: row.id("api")?,
        environment: row.text("environment")?,
        revision: row.id("revision")?,
        vhost: row.text("vhost")?,
        display_on_portal: row.bool("display_on_portal")?,
        deployed_at: row.time("deployed_at")?,
    })
}
