//! Mediation sequences.

use db::origins::Shelf;
use db::{Result, Tx, sequences};
use model::{SequencePlace, StoredSequence, Tenant, Timestamp};

use super::{Around, Noun, Standing, handle};
use crate::digests::hex;
use crate::translate::CarriedApi;

impl Noun for StoredSequence {
    const KIND: &'static str = "sequences";
    const SHELF: Option<Shelf> = Some(Shelf::Sequences);

    fn id(&self) -> String {
        self.id.clone()
    }

    fn label(&self) -> String {
        format!("{} ({})", self.name, self.file)
    }

    fn secrets(&self) -> Vec<String> {
        vec![hex(self.content.expose()), self.additions.as_ref().map(|a| a.expose().clone()).unwrap_or_default()]
    }

    fn needs(&self) -> Vec<String> {
        let mut needs = vec![handle(Tenant::KIND, &self.tenant.to_string())];
        if let SequencePlace::Api(api, _) = self.place {
            needs.push(handle(CarriedApi::KIND, &api.to_string()));
        }
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        sequences::find(tx, &self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        sequences::find(tx, id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_file = sequences::find_by_file(tx, self.tenant, self.place, &self.file).await?;
        let taken = || Standing::Taken(format!("a sequence {} is already there under {}", self.name, self.file));
        Ok(by_file.or(sequences::find(tx, &self.id).await?).map_or(Standing::Free, |_| taken()))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        sequences::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        sequences::update(tx, self).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        sequences::delete(tx, &self.id).await
    }
}
