//! Requests for approval.

use db::{Result, Tx, workflows};
use model::{Application, KeyMapping, Subscription, Tenant, Timestamp, Workflow, WorkflowKind, WorkflowStatus};

use super::{Around, Noun, Standing, handle, user_handles};

impl Noun for Workflow {
    const KIND: &'static str = "approvals";

    fn id(&self) -> String {
        self.reference.clone()
    }

    /// It was decided here.
    fn has_lived_on(&self, here: &Self) -> bool {
        self.is_pending() && here.status != WorkflowStatus::Created
    }

    fn needs(&self) -> Vec<String> {
        use WorkflowKind as Kind;
        let mut needs = vec![handle(Tenant::KIND, &self.tenant.to_string())];
        match self.kind {
            Kind::ApplicationCreation | Kind::ApplicationDeletion => needs.push(handle(Application::KIND, &self.subject)),
            Kind::SubscriptionCreation | Kind::SubscriptionUpdate | Kind::SubscriptionDeletion => {
                needs.push(handle(Subscription::KIND, &self.subject));
            }
            Kind::ProductionRegistration | Kind::SandboxRegistration => needs.push(handle(KeyMapping::KIND, &self.subject)),
            Kind::UserSignUp => needs.extend(user_handles(&self.subject)),
            Kind::ApiState => {}
        }
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        workflows::find(tx, &self.reference).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        workflows::find(tx, id).await
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

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        workflows::delete(tx, &self.reference).await
    }
}
