//! OAuth clients.

use db::origins::Shelf;
use db::{Result, Tx, clients};
use model::{OAuthClient, Tenant, Timestamp};

use super::{Around, Noun, Standing, handle, user_handles};

impl Noun for OAuthClient {
    const KIND: &'static str = "OAuth clients";
    const SHELF: Option<Shelf> = Some(Shelf::Clients);

    fn id(&self) -> String {
        self.id.clone()
    }

    fn label(&self) -> String {
        format!("{} ({})", self.name, self.id)
    }

    fn secrets(&self) -> Vec<String> {
        vec![self.secret.expose().clone()]
    }

    fn needs(&self) -> Vec<String> {
        let mut needs = user_handles(&self.owner);
        needs.push(handle(Tenant::KIND, &self.tenant.to_string()));
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        clients::find(tx, &self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        clients::find(tx, id).await
    }

    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        clients::lock(tx, &self.id).await
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

    /// Its tokens end with it, those issued here included.
    async fn remove(&self, tx: &mut Tx, now: Timestamp) -> Result<bool> {
        clients::delete(tx, &self.id, now).await
    }
}
