//! OAuth clients.

use db::{Result, Tx, clients};
use model::OAuthClient;

use super::{Around, Noun, Standing};

impl Noun for OAuthClient {
    const KIND: &'static str = "OAuth clients";

    fn id(&self) -> String {
        self.id.clone()
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.expose().clone()]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        clients::find(tx, &self.id).await
    }

    async fn has_none(tx: &mut Tx) -> Result<bool> {
        clients::is_empty(tx).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let found = clients::find(tx, &self.id).await?;
        Ok(found.map_or(Standing::Free, |c| Standing::Taken(format!("OAuth client {} is already there", c.name))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        clients::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        clients::update(tx, self).await
    }
}
