//! Scopes that several APIs share.

use db::origins::Shelf;
use db::{Result, Tx, scopes, tenants};
use model::{Tenant, Timestamp};

use super::{Around, Noun, Standing, handle};
use crate::translate::{Role, SharedScope};

impl Noun for SharedScope {
    const KIND: &'static str = "shared scopes";
    const SHELF: Option<Shelf> = Some(Shelf::SharedScopes);

    fn id(&self) -> String {
        self.id.clone()
    }

    fn label(&self) -> String {
        format!("{} of tenant {}", self.scope.name, self.tenant)
    }

    fn handles(&self) -> Vec<String> {
        vec![handle(Self::KIND, &format!("{}/{}", self.tenant, self.scope.name))]
    }

    fn needs(&self) -> Vec<String> {
        let roles = self.scope.roles.iter().map(|role| handle(Role::KIND, &format!("{}/{role}", self.tenant)));
        roles.chain([handle(Tenant::KIND, &self.tenant.to_string())]).collect()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let scope = scopes::find_shared(tx, self.tenant, &self.id).await?;
        Ok(scope.map(|scope| Self { scope, ..self.clone() }))
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        for tenant in tenants::list(tx).await? {
            if let Some(scope) = scopes::find_shared(tx, tenant.id, id).await? {
                return Ok(Some(Self { id: id.to_owned(), tenant: tenant.id, scope }));
            }
        }
        Ok(None)
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        Ok(match scopes::find_shared_by_name(tx, self.tenant, &self.scope.name).await? {
            None => Standing::Free,
            Some(_) => Standing::Taken(format!("shared scope {} is already there", self.scope.name)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for shared in records {
            scopes::insert_shared(tx, shared.tenant, &shared.id, &shared.scope).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        scopes::update_shared(tx, self.tenant, &self.id, &self.scope).await
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        scopes::delete_shared(tx, self.tenant, &self.id).await
    }
}
