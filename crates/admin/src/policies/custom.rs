//! Custom rules: limits that a site writes in the old engine's query language. They hold for every tenant's APIs, so they are the super
//! tenant's alone. A rule that could not be enforced is refused with the place of what is in the way; one that an old installation brought
//! is kept all the same, and `isDeployed` says whether it limits anything.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::{CustomRule as Rule, PolicyId, TenantId};
use rest::{Body, Caller, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::condition::compile;
use crate::{Room, entry, policies};

const TYPE: &str = "CustomRule";

/// `CustomRule`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct CustomRule {
    policy_id: Option<String>,
    policy_name: Option<String>,
    display_name: Option<String>,
    description: Option<String>,
    is_deployed: Option<bool>,
    #[serde(rename = "type")]
    kind: Option<String>,
    siddhi_query: Option<String>,
    key_template: Option<String>,
}

pub(super) async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    super_tenant_only(&caller)?;
    let found = db::policies::custom::list(&mut room.db.read().await?, caller.tenant).await?;
    let list: Vec<CustomRule> = found.iter().map(CustomRule::show).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

pub(super) async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<CustomRule>) -> Result<Response, Refusal> {
    super_tenant_only(&caller)?;
    let rule = sent.make(caller.tenant)?;
    let mut tx = room.db.write().await?;
    match db::policies::custom::insert(&mut tx, &rule).await {
        Err(db::Error::Duplicate { .. }) => return Err(policies::taken("custom", &rule.name)),
        done => done?,
    }
    tx.commit().await?;
    let location = format!("{}/throttling/policies/custom/{}", crate::BASE, rule.id);
    Ok(rest::created(&location, CustomRule::show(&rule)))
}

pub(super) async fn get(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<CustomRule>, Refusal> {
    let rule = find(&mut room.db.read().await?, &caller, &id).await?;
    Ok(Json(CustomRule::show(&rule)))
}

pub(super) async fn update(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<CustomRule>,
) -> Result<Json<CustomRule>, Refusal> {
    let mut tx = room.db.write().await?;
    let stored = find(&mut tx, &caller, &id).await?;
    let rule = sent.change(stored)?;
    db::policies::custom::update(&mut tx, &rule).await?;
    tx.commit().await?;
    Ok(Json(CustomRule::show(&rule)))
}

pub(super) async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let rule = find(&mut tx, &caller, &id).await?;
    db::policies::custom::delete(&mut tx, rule.id).await?;
    Ok(tx.commit().await?)
}

async fn find(tx: &mut db::Tx, caller: &Caller, id: &str) -> Result<Rule, Refusal> {
    super_tenant_only(caller)?;
    let found = match policies::id(id) {
        Some(id) => db::policies::custom::find(tx, caller.tenant, id).await?,
        None => None,
    };
    found.ok_or_else(|| policies::unknown(id))
}

fn super_tenant_only(caller: &Caller) -> Result<(), Refusal> {
    match caller.tenant == TenantId::SUPER {
        true => Ok(()),
        false => Err(Refusal::Forbidden("Custom rules hold for all tenants: only the super tenant's administrators have them.".to_owned())),
    }
}

impl CustomRule {
    fn make(mut self, tenant: TenantId) -> Result<Rule, Refusal> {
        let name = policies::new_name(self.policy_name.take())?;
        let (description, key_template, query) = (None, String::new(), String::new());
        self.change(Rule { id: PolicyId::random(), tenant, name, description, key_template, query, deployed: true })
    }

    /// Whoever writes a rule wants it in force, whatever an old installation left it at.
    fn change(self, stored: Rule) -> Result<Rule, Refusal> {
        policies::check_type(self.kind.as_deref(), &[TYPE])?;
        Refusal::of(policies::words(self.display_name.as_deref(), self.description.as_deref()))?;
        let query = policies::required(self.siddhi_query, "siddhiQuery")?;
        let key_template = policies::required(self.key_template, "keyTemplate")?;
        if let Err(fault) = traffic::Rule::compile(&key_template, &query, &compile) {
            let words = match &fault {
                traffic::RuleFault::Query { .. } => format!("siddhiQuery, {fault}"),
                traffic::RuleFault::Template(_) => fault.to_string(),
            };
            return Err(entry::LIMIT_INVALID.with(words));
        }
        Ok(Rule { description: self.description, key_template, query, deployed: true, ..stored })
    }

    fn show(rule: &Rule) -> Self {
        let in_force = rule.deployed && traffic::Rule::compile(&rule.key_template, &rule.query, &compile).is_ok();
        Self {
            policy_id: Some(rule.id.to_string()),
            policy_name: Some(rule.name.clone()),
            display_name: Some(rule.name.clone()),
            description: rule.description.clone(),
            is_deployed: Some(in_force),
            kind: Some(TYPE.to_owned()),
            siddhi_query: Some(rule.query.clone()),
            key_template: Some(rule.key_template.clone()),
        }
    }
}
