//! Whether tenants, users, applications and tokens are found by what they are called: a record that is whole and filed under another name
//! is as good as lost.

use db::Tx;

use super::Verification;
use super::straight::Question;

pub(super) async fn compare(done: &mut Verification, tx: &mut Tx) -> db::Result<()> {
    const OUGHT: &str = "as its record says";
    let found = db::filed::look(tx).await?;
    let mut question = Question::new("what tenants, users, applications and tokens are found by");
    let wrong = u64::try_from(found.misfiled.len()).unwrap_or(u64::MAX);
    question.held(found.rows.saturating_sub(wrong));
    for row in &found.misfiled {
        question.ask(&format!("{} {}", row.table, row.id), row.column, OUGHT, Some("another"));
    }
    question.close(done);
    Ok(())
}
