//! Deny policies.

use db::{Result, Tx, deny_policies};
use model::{DenyPolicy, Tenant, Timestamp};

use super::{Around, Noun, Standing, handle};

impl Noun for DenyPolicy {
    const KIND: &'static str = "deny policies";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(Tenant::KIND, &self.tenant.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        deny_policies::find(tx, self.tenant, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        match id.parse() {
            Ok(id) => db::served::deny_policy(tx, id).await,
            Err(_) => Ok(None),
        }
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let same = deny_policies::find_same(tx, self.tenant, &self.refused).await?;
        Ok(match same.or(deny_policies::find(tx, self.tenant, self.id).await?) {
            None => Standing::Free,
            Some(other) => Standing::Taken(format!("a deny policy of kind {} for the same is already there", other.refused.kind())),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        deny_policies::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        deny_policies::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        deny_policies::delete(tx, self.id).await
    }
}
