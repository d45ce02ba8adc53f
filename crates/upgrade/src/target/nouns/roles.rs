//! Roles, and which of them hold the scopes of the REST interfaces.

use db::{Result, Tx, rest_scopes, roles};
use model::default_rest_scopes;

use super::{Around, Noun, Standing};
use crate::translate::{RestScopes, Role};

impl Noun for Role {
    const KIND: &'static str = "roles";

    fn id(&self) -> String {
        format!("{}/{}", self.tenant, self.name)
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        Ok(roles::exists(tx, self.tenant, &self.name).await?.then(|| self.clone()))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        // A role is no more than its name.
        Ok(if roles::exists(tx, self.tenant, &self.name).await? { Standing::Default } else { Standing::Free })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for role in records {
            roles::ensure(tx, role.tenant, &role.name).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        roles::ensure(tx, self.tenant, &self.name).await?;
        Ok(true)
    }
}

impl Noun for RestScopes {
    const KIND: &'static str = "rest scopes";

    fn id(&self) -> String {
        self.tenant.to_string()
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let bindings = rest_scopes::list(tx, self.tenant).await?;
        Ok((!bindings.is_empty()).then_some(Self { tenant: self.tenant, bindings }))
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let now = rest_scopes::list(tx, self.tenant).await?;
        let untouched = || {
            let default = default_rest_scopes();
            let like = |(b, d): (&model::ScopeBinding, &model::RestScope)| b.scope == d.name && b.roles.iter().skip(1).eq(d.roles.iter());
            now.len() == default.len() && now.iter().zip(&default).all(like)
        };
        Ok(match now.is_empty() || untouched() {
            true => Standing::Default,
            false => Standing::Taken(format!("the roles of REST scopes in tenant {} were changed here", self.tenant)),
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        for scopes in records {
            rest_scopes::replace(tx, scopes.tenant, &scopes.bindings).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        rest_scopes::replace(tx, self.tenant, &self.bindings).await?;
        Ok(true)
    }
}
