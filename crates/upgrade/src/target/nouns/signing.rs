//! Keys that tokens are signed with.

use db::signing_keys::{self, StoredKey};
use db::{Result, Tx};
use model::{Tenant, Timestamp};

use super::{Around, Noun, Standing, handle};
use crate::digests::hex;

impl Noun for StoredKey {
    const KIND: &'static str = "signing keys";

    fn id(&self) -> String {
        format!("{}/{}", self.tenant, self.kid)
    }

    fn secrets(&self) -> Vec<String> {
        vec![hex(self.pkcs8.expose())]
    }

    /// Another key signs here by now.
    fn has_lived_on(&self, here: &Self) -> bool {
        self.active && !here.active
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(Tenant::KIND, &self.tenant.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        Ok(signing_keys::list(tx, self.tenant).await?.into_iter().find(|key| key.kid == self.kid))
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        Ok(signing_keys::list_all(tx).await?.into_iter().find(|key| key.id() == id))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let found = self.find(tx).await?;
        Ok(found.map_or(Standing::Free, |_| Standing::Taken(format!("the signing key {} is already there", self.kid))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for key in records {
            signing_keys::insert(tx, key).await?;
        }
        Ok(())
    }

    /// Key and certificate make the id, so there is nothing else to write.
    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        Ok(self.find(tx).await?.is_some())
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        signing_keys::delete(tx, self.tenant, &self.kid).await
    }
}
