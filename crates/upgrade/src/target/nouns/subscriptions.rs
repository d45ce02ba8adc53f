//! Subscriptions.

use db::origins::Shelf;
use db::{Result, Tx, applications, subscriptions};
use model::{Application, Subscription, SubscriptionPolicy, Timestamp};

use super::{Around, Noun, Standing, handle};
use crate::translate::CarriedApi;

impl Noun for Subscription {
    const KIND: &'static str = "subscriptions";
    const SHELF: Option<Shelf> = Some(Shelf::Subscriptions);

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn needs(&self) -> Vec<String> {
        let mut needs = vec![
            handle(Application::KIND, &self.application.to_string()),
            handle(CarriedApi::KIND, &self.api.to_string()),
            // The plan is of the API's tenant, which is not told here.
            handle(SubscriptionPolicy::KIND, &self.plan),
        ];
        needs.extend(self.requested_plan.as_deref().map(|plan| handle(SubscriptionPolicy::KIND, plan)));
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        subscriptions::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        subscriptions::find(tx, id).await
    }

    /// Whoever changes an application's subscriptions holds the application.
    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        applications::lock(tx, self.application).await
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

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        subscriptions::delete(tx, self.id).await
    }
}
