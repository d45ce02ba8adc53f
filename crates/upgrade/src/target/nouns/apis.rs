//! APIs with their definition and history, deployed where they ran.

use std::sync::Arc;

use db::bootstrap::DEFAULT_ENVIRONMENT;
use db::{Result, Tx, apis, deployments, lifecycle_events, revisions};
use model::{Deployment, MAX_REVISIONS, Revision, RevisionId};
use serde_json::Value;

use super::{Around, Noun, Standing};
use crate::translate::CarriedApi;

/// Where a backend's passwords stand in `endpointConfig`.
const BACKEND_SECRETS: [&str; 2] = ["/endpoint_security/production/password", "/endpoint_security/sandbox/password"];

impl Noun for CarriedApi {
    const KIND: &'static str = "APIs";

    fn id(&self) -> String {
        self.api.id.to_string()
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

    async fn find(&self, tx: &mut Tx) -> Result<Option<Self>> {
        let id = self.api.id;
        let Some(api) = apis::find(tx, id).await? else { return Ok(None) };
        let Some(definition) = apis::definition(tx, id).await? else { return Ok(None) };
        let events = lifecycle_events::list(tx, id).await?;
        let deployed = deployments::list(tx, id).await?.iter().any(|d| d.environment == DEFAULT_ENVIRONMENT);
        Ok(Some(Self { api, definition, events, deployed }))
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
            apis::set_definition(tx, record.api.id, &record.definition).await?;
            record.history(tx, 0).await?;
            record.deploy(tx, around).await?;
        }
        Ok(())
    }

    async fn update(&self, tx: &mut Tx, around: &Around) -> Result<bool> {
        if !apis::update(tx, &self.api).await? {
            return Ok(false);
        }
        apis::set_definition(tx, self.api.id, &self.definition).await?;
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
            description: Some("Carried over from the old installation".to_owned()),
            content: Arc::new(api.clone()),
            definition: Some(self.definition.clone()),
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
