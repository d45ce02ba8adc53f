//! Stars that users give APIs, one rating a user and API.

use std::collections::HashMap;

use model::{ApiId, Rating, RatingId};

use crate::sql::{Row, Sql, args};
use crate::{Error, Page, Result, Tx};

/// Adds ratings.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API; [`crate::Error::Duplicate`] when the user has rated it.
pub async fn insert_many(tx: &mut Tx, ratings: &[Rating]) -> Result<()> {
    let rows = ratings.iter().map(|r| args![r.id, r.api, &r.user, i64::from(r.stars)]).collect();
    tx.insert_rows("INSERT INTO rating (id, api, who, stars)", rows).await.map(drop)
}

/// Rates, over the user's older rating of the API, which keeps its id.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API.
pub async fn put(tx: &mut Tx, rating: &Rating) -> Result<()> {
    let sql =
        "INSERT INTO rating (id, api, who, stars) VALUES ($1, $2, $3, $4) ON CONFLICT (api, who) DO UPDATE SET stars = excluded.stars";
    tx.run(sql, args![rating.id, rating.api, &rating.user, i64::from(rating.stars)]).await.map(drop)
}

/// By id.
pub async fn find(tx: &mut Tx, id: RatingId) -> Result<Option<Rating>> {
    tx.row("SELECT * FROM rating WHERE id = $1", args![id]).await?.as_ref().map(read).transpose()
}

/// A user's rating of an API.
pub async fn find_of(tx: &mut Tx, api: ApiId, user: &str) -> Result<Option<Rating>> {
    tx.row("SELECT * FROM rating WHERE api = $1 AND who = $2", args![api, user]).await?.as_ref().map(read).transpose()
}

/// One page of an API's ratings by user.
pub async fn list(tx: &mut Tx, api: ApiId, limit: u32, offset: u32) -> Result<Page<Rating>> {
    let total = tx.count("SELECT COUNT(*) AS n FROM rating WHERE api = $1", args![api]).await?;
    let sql = "SELECT * FROM rating WHERE api = $1 ORDER BY who LIMIT $2 OFFSET $3";
    let items = tx.rows(sql, args![api, limit, offset]).await?.iter().map(read).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// Sum and number of the stars of those of these APIs that anybody rated.
pub async fn sums(tx: &mut Tx, apis: &[ApiId]) -> Result<HashMap<ApiId, (u64, u64)>> {
    let mut found = HashMap::new();
    for some in apis.chunks(crate::sql::rows_per_statement(1)) {
        let mut sql = Sql::new("SELECT api, CAST(SUM(stars) AS BIGINT) AS stars, COUNT(*) AS n FROM rating WHERE api IN ");
        sql.list(some.iter().copied()).push(" GROUP BY api");
        for row in tx.rows_sql(sql).await? {
            found.insert(row.id("api")?, (row.count("stars")?, row.count("n")?));
        }
    }
    Ok(found)
}

/// Writes user and stars; whether it was there.
pub async fn update(tx: &mut Tx, rating: &Rating) -> Result<bool> {
    let sql = "UPDATE rating SET who = $2, stars = $3 WHERE id = $1";
    Ok(tx.run(sql, args![rating.id, &rating.user, i64::from(rating.stars)]).await? > 0)
}

/// Takes back a user's rating of an API; whether there was one.
pub async fn delete(tx: &mut Tx, api: ApiId, user: &str) -> Result<bool> {
    Ok(tx.run("DELETE FROM rating WHERE api = $1 AND who = $2", args![api, user]).await? > 0)
}

fn read(row: &Row) -> Result<Rating> {
    let stars = u8::try_from(row.int("stars")?).map_err(|_| Error::corrupt("rating", "its stars are no small number"))?;
    Ok(Rating { id: row.id("id")?, api: row.id("api")?, user: row.text("who")?, stars })
}
