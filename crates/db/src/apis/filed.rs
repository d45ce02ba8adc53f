//! Holds what APIs are found by against what they say of themselves. The verbs write both together, so where the two disagree somebody wrote
//! past them, and a search, a quota or a gateway would meet another API than its page shows.

use std::collections::BTreeSet;

use model::Api;

use super::{description_fold, policy_uses, properties, words};
use crate::codec::to_json;
use crate::sql::{Value, args};
use crate::{Result, Tx, revisions};

/// Tables and columns beside its row that do not say what the API says.
pub(super) async fn strays(tx: &mut Tx, api: &Api) -> Result<Vec<&'static str>> {
    let mut wrong = Vec::new();
    let mut hold = |name: &'static str, ought: Vec<Vec<Value>>, is: Vec<Vec<Value>>| {
        let (ought, is): (BTreeSet<_>, BTreeSet<_>) = (ought.into_iter().collect(), is.into_iter().collect());
        if ought != is {
            wrong.push(name);
        }
    };
    let rows = tx.rows("SELECT description_fold FROM api_body WHERE api = $1", args![api.id]).await?;
    let is = rows.iter().map(|r| Ok(args![r.text("description_fold")?])).collect::<Result<_>>()?;
    hold("description_fold", vec![args![description_fold(api)]], is);

    let rows = tx.rows("SELECT kind, fold, word FROM api_word WHERE api = $1", args![api.id]).await?;
    let is = rows.iter().map(|r| Ok(args![api.id, r.text("kind")?, r.text("fold")?, r.text("word")?])).collect::<Result<_>>()?;
    hold("api_word", words(api), is);

    let rows = tx.rows("SELECT name_fold, value, value_fold FROM api_property WHERE api = $1", args![api.id]).await?;
    let is = rows.iter().map(|r| Ok(args![api.id, r.text("name_fold")?, r.text("value")?, r.text("value_fold")?]));
    let is = is.collect::<Result<_>>()?;
    hold("api_property", properties(api), is);

    let rows = tx.rows("SELECT tenant, name, shared, roles FROM api_scope WHERE api = $1", args![api.id]).await?;
    let is = rows.iter().map(|r| Ok(args![r.tenant("tenant")?, r.text("name")?, r.bool("shared")?, r.text("roles")?]));
    let is = is.collect::<Result<_>>()?;
    let ought = api.scopes.iter().map(|s| Ok(args![api.tenant, &s.name, s.shared, to_json("api_scope.roles", &s.roles)?]));
    let ought = ought.collect::<Result<_>>()?;
    hold("api_scope", ought, is);

    let frozen = revisions::list(tx, api.id).await?;
    let mut ought = policy_uses(&api.id.to_string(), api);
    ought.extend(frozen.iter().flat_map(|r| policy_uses(&r.id.to_string(), &r.content)));
    let rows = tx.rows("SELECT holder, tenant, policy FROM advanced_policy_use WHERE api = $1", args![api.id]).await?;
    let is = rows.iter().map(|r| Ok(args![r.text("holder")?, api.id, r.tenant("tenant")?, r.text("policy")?])).collect::<Result<_>>()?;
    hold("advanced_policy_use", ought, is);

    let row = tx.row("SELECT last_revision, created_at FROM api WHERE id = $1", args![api.id]).await?;
    if let Some(row) = row {
        // Revisions may have been removed since; their numbers are never given again.
        if row.int("last_revision")? < frozen.iter().map(|r| i64::from(r.number)).max().unwrap_or(0) {
            wrong.push("last_revision");
        }
        if row.time("created_at")? != api.created_at {
            wrong.push("created_at");
        }
    }
    // A document's file goes with its document, by a column of its own.
    let sql = "SELECT COUNT(*) AS n FROM api_file WHERE api = $1 AND \
               CASE WHEN document IS NULL THEN place LIKE 'document/%' ELSE place <> 'document/' || document END";
    if tx.count(sql, args![api.id]).await? > 0 {
        wrong.push("api_file.document");
    }
    Ok(wrong)
}
