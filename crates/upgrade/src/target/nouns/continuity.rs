//! What tenants keep of the old installation's ways.

use db::{Result, Tx, continuity};
use model::{Continuity, Tenant, TenantId, Timestamp};

use super::{Around, Noun, Standing, handle};

impl Noun for Continuity {
    const KIND: &'static str = "continuity switches";

    fn id(&self) -> String {
        self.tenant.to_string()
    }

    fn label(&self) -> String {
        format!("tenant {}", self.tenant)
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(Tenant::KIND, &self.tenant.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        continuity::find(tx, self.tenant).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(tenant) = id.parse().map(TenantId) else { return Ok(None) };
        continuity::find(tx, tenant).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        Ok(match continuity::find(tx, self.tenant).await? {
            None => Standing::Free,
            Some(_) => Standing::Taken(format!("tenant {} has continuity switches of its own", self.tenant)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for record in records {
            continuity::put(tx, record).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        if continuity::find(tx, self.tenant).await?.is_none() {
            return Ok(false);
        }
        continuity::put(tx, self).await?;
        Ok(true)
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        continuity::delete(tx, self.tenant).await
    }
}
