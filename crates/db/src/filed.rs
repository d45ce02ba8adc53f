//! Columns that say again, folded or hashed, what another column says, so that rows are found by them. The verbs write both together; where
//! they disagree somebody wrote past them, and a row that looks whole is not found. What APIs are found by is told by
//! [`crate::apis::misfiled`].

use model::{Timestamp, TokenState};

use crate::codec::from_json;
use crate::sql::{Row, args, fold};
use crate::{Result, Tx, tokens};

/// Rows read at a time.
const PAGE: i64 = 5_000;

/// A row that is filed wrongly.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Misfiled {
    /// Its table.
    pub table: &'static str,
    /// Its id.
    pub id: String,
    /// The column that is wrong.
    pub column: &'static str,
}

/// What was looked through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filed {
    /// Rows.
    pub rows: u64,
    /// Of them, those that are filed wrongly.
    pub misfiled: Vec<Misfiled>,
}

const TENANTS: &str = "SELECT CAST(id AS TEXT) AS id, domain AS plain, domain_fold AS folded FROM tenant \
                       WHERE CAST(id AS TEXT) > $1 ORDER BY CAST(id AS TEXT) LIMIT $2";
const USER_STORES: &str = "SELECT CAST(tenant AS TEXT) || '/' || domain_fold AS id, domain AS plain, domain_fold AS folded FROM user_store \
                           WHERE CAST(tenant AS TEXT) || '/' || domain_fold > $1 ORDER BY CAST(tenant AS TEXT) || '/' || domain_fold LIMIT $2";
const ACCOUNTS: &str = "SELECT id, name AS plain, name_fold AS folded FROM account WHERE id > $1 ORDER BY id LIMIT $2";
const APPLICATIONS: &str = "SELECT id, name AS plain, name_fold AS folded FROM application WHERE id > $1 ORDER BY id LIMIT $2";
const TOKENS: &str = "SELECT id, scopes, scope_hash, state, ended_at, access_hash FROM token WHERE id > $1 ORDER BY id LIMIT $2";

/// Looks through tenants, user stores, users, applications and tokens.
///
/// # Errors
/// As any verb.
pub async fn look(tx: &mut Tx) -> Result<Filed> {
    let mut done = Filed::default();
    for (sql, table, column) in [
        (TENANTS, "tenant", "domain_fold"),
        (USER_STORES, "user_store", "domain_fold"),
        (ACCOUNTS, "account", "name_fold"),
        (APPLICATIONS, "application", "name_fold"),
    ] {
        let folded = |row: &Row| Ok((row.text("folded")? != fold(&row.text("plain")?)).then_some(column));
        pages(tx, &mut done, sql, table, folded).await?;
    }
    pages(tx, &mut done, TOKENS, "token", token).await?;
    Ok(done)
}

async fn pages(
    tx: &mut Tx,
    done: &mut Filed,
    sql: &'static str,
    table: &'static str,
    wrong: impl Fn(&Row) -> Result<Option<&'static str>>,
) -> Result<()> {
    let mut after = String::new();
    loop {
        let rows = tx.rows(sql, args![&after, PAGE]).await?;
        let Some(last) = rows.last() else { return Ok(()) };
        after = last.text("id")?;
        done.rows += rows.len() as u64;
        for row in &rows {
            if let Some(column) = wrong(row)? {
                done.misfiled.push(Misfiled { table, id: row.text("id")?, column });
            }
        }
    }
}

/// An active token has no end, and one that was taken back or renewed has the time of it.
fn token(row: &Row) -> Result<Option<&'static str>> {
    let scopes: Vec<String> = from_json("token.scopes", &row.text("scopes")?)?;
    if row.text("scope_hash")? != tokens::scope_hash(&scopes) {
        return Ok(Some("scope_hash"));
    }
    let active = row.word("state", TokenState::parse)? == TokenState::Active;
    let ended: Option<Timestamp> = row.opt_time("ended_at")?;
    // A JWT that was unknown when it was taken back is noted without that time.
    let must_have_ended = !active && row.opt_text("access_hash")?.is_some();
    Ok(((active && ended.is_some()) || (must_have_ended && ended.is_none())).then_some("ended_at"))
}
