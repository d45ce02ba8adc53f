//! Documents of APIs; their content goes with the files.

use db::{Result, Tx, apis, documents};
use model::{Document, Timestamp};

use super::{Around, Noun, Standing, handle};
use crate::translate::CarriedApi;

impl Noun for Document {
    const KIND: &'static str = "documents";

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn label(&self) -> String {
        format!("{} of API {}", self.name, self.api)
    }

    fn needs(&self) -> Vec<String> {
        vec![handle(CarriedApi::KIND, &self.api.to_string())]
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        documents::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        documents::find(tx, id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let taken = |d: Self| Standing::Taken(format!("document {} of API {} has the same id", d.name, d.api));
        Ok(self.find(tx).await?.map_or(Standing::Free, taken))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        let mut there = Vec::new();
        for record in records {
            // An API that was deleted here takes nothing new; verify tells that it is missing.
            if apis::find(tx, record.api).await?.is_some() {
                there.push(record.clone());
            }
        }
        documents::insert_many(tx, &there).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        documents::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        documents::delete(tx, self.id).await
    }
}
