//! Definitions of user stores.

use db::{Result, Tx, user_stores};
use model::{Tenant, TenantId, Timestamp, UserStore};

use super::{Around, Noun, Standing, handle};

impl Noun for UserStore {
    const KIND: &'static str = "user stores";

    fn id(&self) -> String {
        format!("{}/{}", self.tenant, self.name())
    }

    fn secrets(&self) -> Vec<String> {
        let clear = self.properties.iter().map(|(_, value)| value.clone());
        clear.chain(self.secrets.iter().map(|(_, secret)| secret.expose().clone())).collect()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        user_stores::find(tx, self.tenant, &self.domain).await
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(Tenant::KIND, &self.tenant.to_string())]
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Some((tenant, domain)) = id.split_once('/') else { return Ok(None) };
        let Ok(tenant) = tenant.parse().map(TenantId) else { return Ok(None) };
        user_stores::find(tx, tenant, domain).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let taken = || Standing::Taken(format!("user store {} of tenant {} is already there", self.domain, self.tenant));
        Ok(self.find(tx).await?.map_or(Standing::Free, |_| taken()))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        user_stores::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        user_stores::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        user_stores::delete(tx, self.tenant, &self.domain).await
    }
}
