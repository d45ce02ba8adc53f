//! Subscriptions of applications to APIs.

use std::collections::HashMap;

use model::{ApiId, ApplicationId, Subscription, SubscriptionId, SubscriptionState};

use crate::outbox::{Thing, changed};
use crate::sql::{Row, Sql, Value, args, evenly, rows_per_statement};
use crate::{Page, Result, Tx};

const HEAD: &str = "INSERT INTO subscription (id, application, api, plan, requested_plan, state, updated_at, created_at)";

/// Adds a subscription.
///
/// # Errors
/// [`crate::Error::Duplicate`] `subscription(application, api)`, [`crate::Error::Reference`] when application or API do not exist.
pub async fn insert(tx: &mut Tx, subscription: &Subscription) -> Result<()> {
    insert_many(tx, std::slice::from_ref(subscription)).await
}

/// As [`insert`], for many.
pub async fn insert_many(tx: &mut Tx, subscriptions: &[Subscription]) -> Result<()> {
    let rows = subscriptions.iter().map(|s| [columns(s), args![s.created_at]].concat()).collect();
    tx.insert_rows(HEAD, rows).await?;
    subscriptions.iter().for_each(|s| changed(tx, Thing::Subscription, s.id));
    Ok(())
}

/// By id.
pub async fn find(tx: &mut Tx, id: SubscriptionId) -> Result<Option<Subscription>> {
    tx.row("SELECT * FROM subscription WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// An application's subscription to one API.
pub async fn find_for(tx: &mut Tx, application: ApplicationId, api: ApiId) -> Result<Option<Subscription>> {
    let sql = "SELECT * FROM subscription WHERE application = $1 AND api = $2";
    tx.row(sql, args![application, api]).await?.as_ref().map(read).transpose()
}

/// As [`find`], for many at once: in the order of the ids, those that are not there left open.
pub async fn find_many(tx: &mut Tx, ids: &[SubscriptionId]) -> Result<Vec<Option<Subscription>>> {
    let mut found = HashMap::with_capacity(ids.len());
    for some in evenly(ids, rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT * FROM subscription WHERE id IN ");
        sql.list(some.iter().copied());
        for row in tx.rows_sql(sql).await? {
            let subscription = read(&row)?;
            found.insert(subscription.id, subscription);
        }
    }
    Ok(ids.iter().map(|id| found.get(id).cloned()).collect())
}

/// As [`find_for`], for many applications and APIs at once.
pub async fn find_many_for(tx: &mut Tx, places: &[(ApplicationId, ApiId)]) -> Result<Vec<Option<Subscription>>> {
    let mut found = HashMap::with_capacity(places.len());
    for some in evenly(places, rows_per_statement(2)) {
        let mut sql = Sql::new("SELECT * FROM subscription WHERE (application, api) IN (VALUES ");
        for (n, (application, api)) in some.iter().enumerate() {
            if n > 0 {
                sql.push(", ");
            }
            sql.list(args![*application, *api]);
        }
        sql.push(")");
        for row in tx.rows_sql(sql).await? {
            let subscription = read(&row)?;
            found.insert((subscription.application, subscription.api), subscription);
        }
    }
    Ok(places.iter().map(|place| found.get(place).cloned()).collect())
}

/// Whether there is none.
pub async fn is_empty(tx: &mut Tx) -> Result<bool> {
    Ok(tx.row("SELECT id FROM subscription LIMIT 1", args![]).await?.is_none())
}

/// An application's subscriptions, oldest first.
pub async fn list_of_application(tx: &mut Tx, application: ApplicationId, limit: u32, offset: u32) -> Result<Page<Subscription>> {
    let total = tx.count("SELECT COUNT(*) AS n FROM subscription WHERE application = $1", args![application]).await?;
    let sql = "SELECT * FROM subscription WHERE application = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3";
    let items = tx.rows(sql, args![application, limit, offset]).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// An API's subscriptions, oldest first.
pub async fn list_of_api(tx: &mut Tx, api: ApiId, limit: u32, offset: u32) -> Result<Page<Subscription>> {
    let total = count_of_api(tx, api).await?;
    let sql = "SELECT * FROM subscription WHERE api = $1 ORDER BY created_at, id LIMIT $2 OFFSET $3";
    let items = tx.rows(sql, args![api, limit, offset]).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// Every subscription.
pub async fn list_all(tx: &mut Tx) -> Result<Vec<Subscription>> {
    tx.rows("SELECT * FROM subscription ORDER BY id", args![]).await?.iter().map(read).collect()
}

/// Writes plans and state; whether there was such a subscription.
pub async fn update(tx: &mut Tx, subscription: &Subscription) -> Result<bool> {
    let sql = "UPDATE subscription SET plan = $4, requested_plan = $5, state = $6, updated_at = $7 \
               WHERE id = $1 AND application = $2 AND api = $3";
    let done = tx.run(sql, columns(subscription)).await?;
    changed(tx, Thing::Subscription, subscription.id);
    Ok(done > 0)
}

/// Removes a subscription; whether there was one.
pub async fn delete(tx: &mut Tx, id: SubscriptionId) -> Result<bool> {
    let done = tx.run("DELETE FROM subscription WHERE id = $1", args![id]).await?;
    changed(tx, Thing::Subscription, id);
    Ok(done > 0)
}

/// How many subscriptions the API has.
pub async fn count_of_api(tx: &mut Tx, api: ApiId) -> Result<u64> {
    tx.count("SELECT COUNT(*) AS n FROM subscription WHERE api = $1", args![api]).await
}

/// The columns of [`insert`] and [`update`] up to `updated_at`, in their order.
fn columns(subscription: &Subscription) -> Vec<Value> {
    let s = subscription;
    args![s.id, s.application, s.api, &s.plan, &s.requested_plan, s.state.name(), s.updated_at]
}

fn read(row: &Row) -> Result<Subscription> {
    Ok(Subscription {
        id: row.id("id")?,
        application: row.id("application")?,
        api: row.id("api")?,
        plan: row.text("plan")?,
        requested_plan: row.opt_text("requested_plan")?,
        state: row.word("state", SubscriptionState::parse)?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
    })
}
