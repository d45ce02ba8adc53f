//! Requests for approval.

use db::{Result, Tx, workflows};
use model::{Workflow, WorkflowStatus};

use super::{Around, Noun, Standing};

impl Noun for Workflow {
    const KIND: &'static str = "approvals";

    fn id(&self) -> String {
        self.reference.clone()
    }

    /// It was decided here.
    fn has_lived_on(&self, here: &Self) -> bool {
        self.is_pending() && here.status != WorkflowStatus::Created
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        workflows::find(tx, &self.reference).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let found = workflows::find(tx, &self.reference).await?;
        Ok(found.map_or(Standing::Free, |_| Standing::Taken(format!("a request {} is already there", self.reference))))
    }

    async fn insert(tx: &mut Tx, records: &[Self], _: &Around) -> Result<()> {
        workflows::insert_many(tx, records).await
    }

    async fn update(&self, tx: &mut Tx, _: &Around) -> Result<bool> {
        workflows::update(tx, self).await
    }
}
