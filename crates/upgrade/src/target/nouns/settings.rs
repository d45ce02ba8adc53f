//! Settings of tenants.

use db::{Result, Tx, tenant_settings};
use model::TenantSetting;

use super::{Around, Noun, Standing};

impl Noun for TenantSetting {
    const KIND: &'static str = "tenant settings";

    fn id(&self) -> String {
        format!("{}/{}/{}", self.tenant, self.kind.name(), self.name)
    }

    fn secrets(&self) -> Vec<String> {
        self.secret.iter().map(|s| s.expose().clone()).collect()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        tenant_settings::find(tx, self.tenant, self.kind, &self.name).await
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
}
