//! Applications.

use db::origins::Shelf;
use db::{Result, Tx, applications};
use model::{Application, ApplicationPolicy, Tenant, Timestamp};

use super::{Around, Noun, Standing, handle, user_handles};

impl Noun for Application {
    const KIND: &'static str = "applications";
    const SHELF: Option<Shelf> = Some(Shelf::Applications);

    fn id(&self) -> String {
        self.id.to_string()
    }

    fn label(&self) -> String {
        format!("{} of {}", self.name, self.owner)
    }

    fn needs(&self) -> Vec<String> {
        let mut needs = user_handles(&self.owner);
        needs.push(handle(Tenant::KIND, &self.tenant.to_string()));
        needs.push(handle(ApplicationPolicy::KIND, &format!("{}/{}", self.tenant, self.policy)));
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        applications::find(tx, self.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        applications::find(tx, id).await
    }

    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        applications::lock(tx, self.id).await
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

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        applications::delete(tx, self.id).await
    }
}
