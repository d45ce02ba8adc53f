//! Throttling policies, a submodule per family; names are unique in a family and tenant.

use model::{PolicyId, TenantId};

use crate::sql::{Row, args};
use crate::{Result, Tx};

/// The verbs that are the same for every family.
macro_rules! family {
    ($model:ident, $body:ident, $name:literal, $thing:ident) => {
        use model::{PolicyId, TenantId, $model};

        use crate::codec::{decode, encode, $body};
        use crate::outbox::{Thing, changed};
        use crate::sql::args;
        use crate::{Result, Tx};

        const FAMILY: &str = $name;
        const BODY: &str = "policy.body";

        /// Adds a policy.
        ///
        /// # Errors
        /// [`crate::Error::Duplicate`] `policy(family, tenant, name)`.
        pub async fn insert(tx: &mut Tx, policy: &$model) -> Result<()> {
            insert_many(tx, std::slice::from_ref(policy)).await
        }

        /// As [`insert`], for many.
        pub async fn insert_many(tx: &mut Tx, policies: &[$model]) -> Result<()> {
            let mut rows = Vec::with_capacity(policies.len());
            for p in policies {
                rows.push(args![p.id, FAMILY, p.tenant, &p.name, encode::<$model, $body>(BODY, p)?]);
                changed(tx, Thing::$thing, p.id);
            }
            tx.insert_rows("INSERT INTO policy (id, family, tenant, name, body)", rows).await.map(drop)
        }

        /// By id, within the tenant.
        pub async fn find(tx: &mut Tx, tenant: TenantId, id: PolicyId) -> Result<Option<$model>> {
            super::by_id(tx, FAMILY, tenant, id).await?.map(|body| decode::<$model, $body>(BODY, &body)).transpose()
        }

        /// By name, with its letter case.
        pub async fn find_by_name(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<Option<$model>> {
            super::by_name(tx, FAMILY, tenant, name).await?.map(|body| decode::<$model, $body>(BODY, &body)).transpose()
        }

        /// The tenant's, by name.
        pub async fn list(tx: &mut Tx, tenant: TenantId) -> Result<Vec<$model>> {
            let bodies = super::of_tenant(tx, FAMILY, tenant).await?;
            bodies.iter().map(|body| decode::<$model, $body>(BODY, body)).collect()
        }

        /// Every tenant's.
        pub async fn list_all(tx: &mut Tx) -> Result<Vec<$model>> {
            let bodies = super::of_all(tx, FAMILY).await?;
            bodies.iter().map(|body| decode::<$model, $body>(BODY, body)).collect()
        }

        /// Writes everything but id, tenant and name, which never change; whether there was such a policy.
        pub async fn update(tx: &mut Tx, policy: &$model) -> Result<bool> {
            let sql = "UPDATE policy SET body = $5 WHERE id = $1 AND family = $2 AND tenant = $3 AND name = $4";
            let body = encode::<$model, $body>(BODY, policy)?;
            let done = tx.run(sql, args![policy.id, FAMILY, policy.tenant, &policy.name, body]).await?;
            changed(tx, Thing::$thing, policy.id);
            Ok(done > 0)
        }

        /// Removes a policy; whether there was one. Whether it is in use is the caller's question ([`in_use`]).
        pub async fn delete(tx: &mut Tx, id: PolicyId) -> Result<bool> {
            let done = tx.run("DELETE FROM policy WHERE id = $1 AND family = $2", args![id, FAMILY]).await?;
            changed(tx, Thing::$thing, id);
            Ok(done > 0)
        }
    };
}

/// Business plans.
pub mod subscription {
    family!(SubscriptionPolicy, SubscriptionBody, "subscription", SubscriptionPolicy);

    /// Whether a subscription to one of the tenant's APIs has, or asks for, the plan.
    pub async fn in_use(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
        let sql = "SELECT s.id FROM subscription s JOIN api a ON a.id = s.api \
                   WHERE a.tenant = $1 AND (s.plan = $2 OR s.requested_plan = $2) LIMIT 1";
        Ok(tx.row(sql, args![tenant, name]).await?.is_some())
    }
}

/// What an application may call altogether.
pub mod application {
    family!(ApplicationPolicy, ApplicationBody, "application", ApplicationPolicy);

    /// Whether one of the tenant's applications has the policy.
    pub async fn in_use(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
        let sql = "SELECT id FROM application WHERE tenant = $1 AND policy = $2 LIMIT 1";
        Ok(tx.row(sql, args![tenant, name]).await?.is_some())
    }
}

/// What an API or operation takes.
pub mod advanced {
    family!(AdvancedPolicy, AdvancedBody, "advanced", AdvancedPolicy);

    /// Whether one of the tenant's APIs, or a revision of one, names the policy.
    pub async fn in_use(tx: &mut Tx, tenant: TenantId, name: &str) -> Result<bool> {
        let sql = "SELECT holder FROM advanced_policy_use WHERE tenant = $1 AND policy = $2 LIMIT 1";
        Ok(tx.row(sql, args![tenant, name]).await?.is_some())
    }
}

/// Rules of a site's own.
pub mod custom {
    family!(CustomRule, CustomBody, "custom", CustomRule);
}

async fn by_id(tx: &mut Tx, family: &str, tenant: TenantId, id: PolicyId) -> Result<Option<String>> {
    let sql = "SELECT body FROM policy WHERE id = $1 AND family = $2 AND tenant = $3";
    tx.row(sql, args![id, family, tenant]).await?.as_ref().map(body).transpose()
}

async fn by_name(tx: &mut Tx, family: &str, tenant: TenantId, name: &str) -> Result<Option<String>> {
    let sql = "SELECT body FROM policy WHERE family = $1 AND tenant = $2 AND name = $3";
    tx.row(sql, args![family, tenant, name]).await?.as_ref().map(body).transpose()
}

async fn of_tenant(tx: &mut Tx, family: &str, tenant: TenantId) -> Result<Vec<String>> {
    let sql = "SELECT body FROM policy WHERE family = $1 AND tenant = $2 ORDER BY name";
    tx.rows(sql, args![family, tenant]).await?.iter().map(body).collect()
}

async fn of_all(tx: &mut Tx, family: &str) -> Result<Vec<String>> {
    tx.rows("SELECT body FROM policy WHERE family = $1 ORDER BY tenant, name", args![family]).await?.iter().map(body).collect()
}

fn body(row: &Row) -> Result<String> {
    row.text("body")
}
