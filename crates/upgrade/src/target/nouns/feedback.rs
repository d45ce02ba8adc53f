//! Comments and ratings of APIs.

use db::{Result, Tx, apis, comments, ratings};
use model::{Comment, Rating, Timestamp};

use super::{Around, Noun, Standing, handle};
use crate::translate::CarriedApi;

impl Noun for Comment {
    const KIND: &'static str = "comments";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(CarriedApi::KIND, &self.api.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        comments::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        comments::find(tx, id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        Ok(self.find(tx).await?.map_or(Standing::Free, |c| Standing::Taken(format!("a comment of {} has the same id", c.author))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        let mut there = Vec::new();
        for record in records {
            // As with documents: an API that was deleted here takes nothing new.
            if apis::find(tx, record.api).await?.is_some() {
                there.push(record.clone());
            }
        }
        comments::insert_many(tx, &there).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        comments::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        comments::delete(tx, self.id).await
    }
}

impl Noun for Rating {
    const KIND: &'static str = "ratings";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(CarriedApi::KIND, &self.api.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        ratings::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        ratings::find(tx, id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let there = ratings::find_of(tx, self.api, &self.user).await?;
        Ok(there.map_or(Standing::Free, |_| Standing::Taken(format!("{} has rated API {} here", self.user, self.api))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        let mut there = Vec::new();
        for record in records {
            if apis::find(tx, record.api).await?.is_some() {
                there.push(record.clone());
            }
        }
        ratings::insert_many(tx, &there).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        ratings::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        ratings::delete(tx, self.api, &self.user).await
    }
}
