//! Keys of applications.

use db::{Result, Tx, key_mappings};
use model::KeyMapping;

use super::{Around, Noun, Standing};

impl Noun for KeyMapping {
    const KIND: &'static str = "keys";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        key_mappings::find(tx, self.id).await
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
}
