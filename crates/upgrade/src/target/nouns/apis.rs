//! APIs with their definition and history, deployed where they ran.

use std::sync::Arc;

use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::origins::Shelf;
use db::{Result, Tx, apis, deployments, lifecycle_events, revisions};
use model::{AdvancedPolicy, ApiId, Deployment, MAX_REVISIONS, Revision, RevisionId, SubscriptionPolicy, Tenant, Timestamp};
use serde_json::Value;

use super::{Around, Noun, Standing, handle, user_handles};
use crate::packed::Squeezed;
use crate::translate::{CarriedApi, Role, SharedScope};

/// Where a backend's passwords stand in `endpointConfig`.
const BACKEND_SECRETS: [&str; 2] = ["/endpoint_security/production/password", "/endpoint_security/sandbox/password"];

/// The description of revisions that are carried.
pub(crate) const CARRIED_OVER: &str = "Carried over from the old installation";

impl Noun for CarriedApi {
    const KIND: &'static str = "APIs";
    const SHELF: Option<Shelf> = Some(Shelf::Apis);

    fn id(&self) -> String {
        self.api.id.to_string()
    }

    fn label(&self) -> String {
        format!("{} {} ({})", self.api.name, self.api.version, self.api.context)
    }

    fn secrets(&self) -> Vec<String> {
        let config = &self.api.endpoints.0;
        BACKEND_SECRETS.iter().map(|at| config.pointer(at).and_then(Value::as_str).unwrap_or_default().to_owned()).collect()
    }

    fn shown(&self) -> String {
        let mut shown = self.clone();
        for at in BACKEND_SECRETS {
            if let Some(secret) = shown.api.endpoints.0.pointer_mut(at) {
                *secret = Value::from("(secret)");
            }
        }
        format!("{shown:#?}")
    }

    fn needs(&self) -> Vec<String> {
        let api = &self.api;
        let of = |kind: &str, name: &str| handle(kind, &format!("{}/{name}", api.tenant));
        let mut needs = user_handles(&api.provider);
        needs.push(handle(Tenant::KIND, &api.tenant.to_string()));
        needs.extend(api.plans.iter().map(|plan| of(SubscriptionPolicy::KIND, plan)));
        needs.extend(api.api_policy.iter().map(|policy| of(AdvancedPolicy::KIND, policy)));
        needs.extend(api.operations.iter().map(|operation| of(AdvancedPolicy::KIND, &operation.policy)));
        needs.extend(api.scopes.iter().filter(|s| s.shared).map(|scope| of(SharedScope::KIND, &scope.name)));
        let roles = api.scopes.iter().flat_map(|s| &s.roles).chain(&api.visible_roles).chain(&api.access_control_roles);
        needs.extend(roles.map(|role| of(Role::KIND, role)));
        needs
    }

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        stored(tx, self.api.id).await
    }

    async fn at(tx: &mut Tx, id: &str) -> Result<Option<Self>> {
        let Ok(id) = id.parse() else { return Ok(None) };
        stored(tx, id).await
    }

    /// As whoever takes the next number of a revision over REST does.
    async fn lock(&self, tx: &mut Tx) -> Result<()> {
        apis::lock(tx, self.api.id).await
    }

    async fn standing(&self, tx: &mut Tx) -> Result<Standing> {
        let api = &self.api;
        if let Some(other) = apis::find(tx, api.id).await? {
            return Ok(Standing::Taken(format!("API {} {} has the same id", other.name, other.version)));
        }
        if apis::find_by_name_version(tx, api.tenant, &api.name, &api.version).await?.is_some() {
            return Ok(Standing::Taken(format!("API {} {} is already there", api.name, api.version)));
        }
        // Versions share a template; only the very address must be free.
        Ok(match apis::find_by_context(tx, &api.context).await? {
            Some(other) => Standing::Taken(format!("API {} {} already answers at {}", other.name, other.version, api.context)),
            None => Standing::Free,
        })
    }

    async fn insert(tx: &mut Tx, records: &[Self], around: &Around) -> Result<()> {
        for record in records {
            apis::insert(tx, &record.api).await?;
            apis::set_definition(tx, record.api.id, &record.definition.open()).await?;
            record.history(tx, 0).await?;
            record.deploy(tx, around).await?;
        }
        Ok(())
    }

    async fn additions(&self, tx: &mut Tx) -> Result<Option<String>> {
        let revisions = revisions::list(tx, self.api.id).await?;
        let made_here = revisions.iter().find(|r| r.description.as_deref() != Some(CARRIED_OVER));
        Ok(made_here.map(|revision| format!("revision {} was made here", revision.number)))
    }

    async fn remove(&self, tx: &mut Tx, _: Timestamp) -> Result<bool> {
        apis::delete(tx, self.api.id).await
    }

    async fn update(&self, tx: &mut Tx, around: &Around) -> Result<bool> {
        // Its next revision must not be another's, and its history not grow meanwhile.
        apis::lock(tx, self.api.id).await?;
        if !apis::update(tx, &self.api).await? {
            return Ok(false);
        }
        apis::set_definition(tx, self.api.id, &self.definition.open()).await?;
        let known = lifecycle_events::list(tx, self.api.id).await?.len();
        self.history(tx, known).await?;
        match self.deployed {
            true => self.deploy(tx, around).await?,
            false => {
                deployments::remove(tx, self.api.id, DEFAULT_ENVIRONMENT).await?;
            }
        }
        Ok(true)
    }
}

async fn stored(tx: &mut Tx, id: ApiId) -> Result<Option<CarriedApi>> {
    let Some(api) = apis::find(tx, id).await? else { return Ok(None) };
    let Some(definition) = apis::definition(tx, id).await? else { return Ok(None) };
    let events = lifecycle_events::list(tx, id).await?;
    let deployed = deployments::list(tx, id).await?.iter().any(|d| d.environment == DEFAULT_ENVIRONMENT);
    Ok(Some(CarriedApi { api, definition: Squeezed::new(&definition), events, deployed }))
}

impl CarriedApi {
    async fn history(&self, tx: &mut Tx, known: usize) -> Result<()> {
        for event in self.events.iter().skip(known) {
            lifecycle_events::append(tx, self.api.id, event.from, event.to, &event.user, event.at).await?;
        }
        Ok(())
    }

    /// Freezes the API as its next revision and runs that. The oldest revision that runs nowhere makes room.
    async fn deploy(&self, tx: &mut Tx, around: &Around) -> Result<()> {
        if !self.deployed {
            return Ok(());
        }
        let api = &self.api;
        let number = revisions::next_number(tx, api.id).await?;
        let revision = Revision {
            id: RevisionId::derived(&[&api.id.to_string(), &number.to_string()]),
            api: api.id,
            number,
            description: Some(CARRIED_OVER.to_owned()),
            content: Arc::new(api.clone()),
            definition: Some(self.definition.open()),
            created_at: api.updated_at,
        };
        let older = revisions::list(tx, api.id).await?;
        revisions::insert(tx, &revision).await?;
        let deployment = Deployment {
            api: api.id,
            environment: DEFAULT_ENVIRONMENT.to_owned(),
            revision: revision.id,
            vhost: around.vhost.clone(),
            display_on_portal: true,
            deployed_at: api.updated_at,
        };
        deployments::put(tx, &deployment).await?;
        for old in older.iter().take((older.len() + 1).saturating_sub(MAX_REVISIONS)) {
            if deployments::of_revision(tx, old.id).await?.is_empty() {
                revisions::delete(tx, old.id).await?;
            }
        }
        Ok(())
    }
}
