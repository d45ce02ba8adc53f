//! Subscriptions.

use db::{Result, Tx, subscriptions};
use model::Subscription;

use super::{Around, Noun, Standing};

impl Noun for Subscription {
    const KIND: &'static str = "subscriptions";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        subscriptions::find(tx, self.id).await
    }

    async fn find_many(tx: &mut Tx, records: &[&Self]) -> Result<Vec<Option<Self>>> {
        subscriptions::find_many(tx, &records.iter().map(|s| s.id).collect::<Vec<_>>()).await
    }

    async fn has_none(tx: &mut Tx) -> Result<bool> {
        subscriptions::is_empty(tx).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_place = subscriptions::find_for(tx, self.application, self.api).await?;
        let taken = || Standing::Taken(format!("application {} already subscribes to API {}", self.application, self.api));
        Ok(by_place.or(subscriptions::find(tx, self.id).await?).map_or(Standing::Free, |_| taken()))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        subscriptions::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        subscriptions::update(tx, self).await
    }
}
