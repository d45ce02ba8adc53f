//! Scopes that several APIs share.

use db::{Result, Tx, scopes};

use super::{Around, Noun, Standing};
use crate::translate::SharedScope;

impl Noun for SharedScope {
    const KIND: &'static str = "shared scopes";

    fn id(&self) -> String {
        self.id.clone()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let scope = scopes::find_shared(tx, self.tenant, &self.id).await?;
        Ok(scope.map(|scope| Self { scope, ..self.clone() }))
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
}
