//! Keys of applications.

use db::origins::Shelf;
use db::{Result, Tx, key_mappings};
use model::{Application, KeyMapping, OAuthClient, Timestamp};

use super::{Around, Noun, Standing, handle};

impl Noun for KeyMapping {
    const KIND: &'static str = "keys";
    const SHELF: Option<Shelf> = Some(Shelf::KeyMappings);

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn needs(&self) -> Vec<String> {
        let mut needs = vec![handle(Application::KIND, &self.application.to_string())];
        needs.extend(self.consumer_key.as_deref().map(|key| handle(OAuthClient::KIND, key)));
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        key_mappings::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        key_mappings::find(tx, id).await
    }

    /// Whoever changes an application's keys holds the application.
    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        db::applications::lock(tx, self.application).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_place = key_mappings::find_for(tx, self.application, self.key_type, &self.key_manager).await?;
        let by_client = match &self.consumer_key {
            Some(key) => key_mappings::find_by_consumer_key(tx, key).await?,
            None => None,
        };
        let taken = || Standing::Taken(format!("a {} key of application {} is already there", self.key_type.name(), self.application));
        Ok(by_place.or(by_client).map_or(Standing::Free, |_| taken()))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        key_mappings::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        key_mappings::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        key_mappings::delete(tx, self.id).await
    }
}
