//! Tenants.

use db::origins::Shelf;
use db::{Result, Tx, tenants};
use model::{Tenant, TenantId, Timestamp};

use super::{Around, Noun, Standing};

impl Noun for Tenant {
    const KIND: &'static str = "tenants";
    const SHELF: Option<Shelf> = Some(Shelf::Tenants);

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn label(&self) -> String {
        format!("{} ({})", self.domain, self.id)
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        tenants::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse().map(TenantId) else { return Ok(None) };
        tenants::find(tx, id).await
    }

    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        tenants::lock(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_id = tenants::find(tx, self.id).await?;
        let by_domain = tenants::find_by_domain(tx, &self.domain).await?;
        Ok(match by_id.or(by_domain) {
            None => Standing::Free,
            Some(other) => Standing::Taken(format!("tenant {} {} is already there", other.id, other.domain)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for tenant in records {
            db::bootstrap::tenant(tx, tenant).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        tenants::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        tenants::delete(tx, self.id).await
    }
}
