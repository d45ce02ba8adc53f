//! Settings of tenants.

use db::{Result, Tx, tenant_settings};
use model::{SettingKind, Tenant, TenantId, TenantSetting, Timestamp};

use super::{Around, Noun, Standing, handle};

impl Noun for TenantSetting {
    const KIND: &'static str = "tenant settings";

    fn id(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.kind.name(), self.name)
    }

    fn secrets(&self) -> Vec<String> {
        self.secret.iter().map(|s| s.expose().clone()).collect()
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(Tenant::KIND, &self.tenant.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        tenant_settings::find(tx, self.tenant, self.kind, &self.name).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let mut parts = id.splitn(3, '/');
        let tenant = parts.next().and_then(|t| t.parse().ok()).map(TenantId);
        let kind = parts.next().and_then(SettingKind::parse);
        match (tenant, kind, parts.next()) {
            (Some(tenant), Some(kind), Some(name)) => tenant_settings::find(tx, tenant, kind, name).await,
            _ => Ok(None),
        }
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let found = tenant_settings::find(tx, self.tenant, self.kind, &self.name).await?;
        let words = || format!("a setting {} {} of tenant {} is already there", self.kind.name(), self.name, self.tenant);
        Ok(found.map_or(Standing::Free, |_| Standing::Taken(words())))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        tenant_settings::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        tenant_settings::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        tenant_settings::delete(tx, self.tenant, self.kind, &self.name).await
    }
}
