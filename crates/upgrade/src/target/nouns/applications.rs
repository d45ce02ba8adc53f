//! Applications.

use db::{Result, Tx, applications};
use model::Application;

use super::{Around, Noun, Standing};

impl Noun for Application {
    const KIND: &'static str = "applications";

    fn id(&self) -> String {
        self.id.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        applications::find(tx, self.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let by_name = applications::find_by_owner_and_name(tx, self.tenant, &self.owner, &self.name).await?;
        Ok(match by_name.or(applications::find(tx, self.id).await?) {
            None => Standing::Free,
            Some(other) => Standing::Taken(format!("application {} of {} is already there", other.name, other.owner)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        applications::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        applications::update(tx, self).await
    }
}
