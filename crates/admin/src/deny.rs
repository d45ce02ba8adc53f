//! Deny policies over REST: what is refused outright, seen, made, switched and lifted. Refusing is the gateway's.
//!
//! The value's shape goes by the kind: a text, or an object for addresses. What no call could ever meet (a context nobody has, an application
//! that is not there, an address that is none) is refused here, while somebody is there to correct it.

use axum::Json;
use axum::extract::State;
use axum::response::Response;
use http::Method;
use model::{Denial, DenyPolicy, PolicyId};
use rest::{Access, Body, Caller, Door, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use traffic::IpRange;

use crate::{Room, entry};

const VIEW: Access = Access::Scopes(&["apim:admin", "apim:bl_view"]);
const MANAGE: Access = Access::Scopes(&["apim:admin", "apim:bl_manage"]);

/// Longest text a value may be.
const VALUE_MAX: usize = 1_024;

/// `BlockingCondition`.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlockingCondition {
    condition_id: Option<String>,
    condition_type: Option<String>,
    condition_value: Option<Value>,
    condition_status: Option<bool>,
}

/// `BlockingConditionStatus`.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct BlockingConditionStatus {
    #[serde(rename = "conditionId")]
    _condition_id: Option<String>,
    condition_status: Option<bool>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct FixedIp {
    fixed_ip: String,
    #[serde(default)]
    invert: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct IpBounds {
    starting_ip: String,
    ending_ip: String,
    #[serde(default)]
    invert: bool,
}

/// The deny policies' operations.
pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/throttling/deny-policies", VIEW, list)
        .on(Method::POST, "/throttling/deny-policies", MANAGE, create)
        .on(Method::GET, "/throttling/deny-policy/{conditionId}", VIEW, get)
        .on(Method::PATCH, "/throttling/deny-policy/{conditionId}", MANAGE, switch)
        .on(Method::DELETE, "/throttling/deny-policy/{conditionId}", MANAGE, delete)
}

async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let found = db::deny_policies::list(&mut room.db.read().await?, caller.tenant).await?;
    let list: Vec<BlockingCondition> = found.iter().map(BlockingCondition::show).collect();
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<BlockingCondition>) -> Result<Response, Refusal> {
    let enabled = sent.condition_status.unwrap_or(true);
    let refused = sent.read()?;
    let mut tx = room.db.write().await?;
    let refused = match refused {
        Denial::User(name) => Denial::User(with_domain(&mut tx, name, &caller).await?),
        other => other,
    };
    refuse_unmet(&mut tx, &caller, &refused).await?;
    if db::deny_policies::find_same(&mut tx, caller.tenant, &refused).await?.is_some() {
        return Err(taken(&refused));
    }
    let policy = DenyPolicy { id: PolicyId::random(), tenant: caller.tenant, refused, enabled };
    db::deny_policies::insert(&mut tx, &policy).await?;
    tx.commit().await?;
    let location = format!("{}/throttling/deny-policy/{}", crate::BASE, policy.id);
    Ok(rest::created(&location, BlockingCondition::show(&policy)))
}

async fn get(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<BlockingCondition>, Refusal> {
    let policy = find(&mut room.db.read().await?, &caller, &id).await?;
    Ok(Json(BlockingCondition::show(&policy)))
}

async fn switch(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<BlockingConditionStatus>,
) -> Result<Json<BlockingCondition>, Refusal> {
    let enabled = sent.condition_status.ok_or_else(|| Refusal::field("conditionStatus", "must not be null"))?;
    let mut tx = room.db.write().await?;
    let policy = DenyPolicy { enabled, ..find(&mut tx, &caller, &id).await? };
    db::deny_policies::update(&mut tx, &policy).await?;
    tx.commit().await?;
    Ok(Json(BlockingCondition::show(&policy)))
}

async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let policy = find(&mut tx, &caller, &id).await?;
    db::deny_policies::delete(&mut tx, policy.id).await?;
    Ok(tx.commit().await?)
}

async fn find(tx: &mut db::Tx, caller: &Caller, id: &str) -> Result<DenyPolicy, Refusal> {
    let found = match id.parse::<PolicyId>() {
        Ok(id) => db::deny_policies::find(tx, caller.tenant, id).await?,
        Err(_) => None,
    };
    found.ok_or_else(|| Refusal::NotFound { what: "Block Condition", id: id.to_owned() })
}

fn taken(refused: &Denial) -> Refusal {
    entry::DENIAL_EXISTS.with(format!("A deny policy of type {} for this value exists already.", refused.kind()))
}

/// 4.0.0 answers 500 where the catalogue has 400; the catalogue is followed.
async fn refuse_unmet(tx: &mut db::Tx, caller: &Caller, refused: &Denial) -> Result<(), Refusal> {
    match refused {
        Denial::Api(context) => match db::apis::find_by_context(tx, context).await? {
            // A template with the version's place in it is no context a call can have.
            Some(api) if api.tenant == caller.tenant && !context.contains('{') => Ok(()),
            _ => Err(entry::DENIAL_OF_NO_API.with(format!("No API of this tenant has the context '{context}', with its version."))),
        },
        Denial::Application { owner, name } => {
            let owner = model::without_super_domain(owner);
            match db::applications::find_by_owner_and_name(tx, caller.tenant, owner, name).await? {
                Some(_) => Ok(()),
                None => Err(entry::DENIAL_OF_NO_APPLICATION.with(format!("'{owner}' has no application '{name}'."))),
            }
        }
        _ => Ok(()),
    }
}

impl BlockingCondition {
    fn show(policy: &DenyPolicy) -> Self {
        let value = match policy.refused.clone() {
            Denial::Api(text) | Denial::User(text) | Denial::Subscription(text) => Value::String(text),
            Denial::Application { owner, name } => Value::String(format!("{owner}:{name}")),
            Denial::Ip { address, inverted } => json!({ "fixedIp": address, "invert": inverted }),
            Denial::IpRange { start, end, inverted } => json!({ "startingIp": start, "endingIp": end, "invert": inverted }),
        };
        Self {
            condition_id: Some(policy.id.to_string()),
            condition_type: Some(policy.refused.kind().to_owned()),
            condition_value: Some(value),
            condition_status: Some(policy.enabled),
        }
    }

    fn read(self) -> Result<Denial, Refusal> {
        let kind = self.condition_type.filter(|k| !k.is_empty()).ok_or_else(|| Refusal::field("conditionType", "must not be null"))?;
        let value = self.condition_value.ok_or_else(|| Refusal::field("conditionValue", "must not be null"))?;
        let bad_address = |fault: traffic::IpFault| Refusal::field("conditionValue", fault.to_string());
        Ok(match kind.as_str() {
            "API" => Denial::Api(text(value)?),
            "APPLICATION" => Denial::application(&text(value)?)
                .ok_or_else(|| entry::DENIAL_OF_NO_APPLICATION.with("The value must be 'owner:application name'."))?,
            "USER" => Denial::User(text(value)?),
            "IP" => {
                let FixedIp { fixed_ip, invert } = object(value, "{\"fixedIp\", \"invert\"}")?;
                IpRange::parse(&fixed_ip).map_err(bad_address)?;
                Denial::Ip { address: fixed_ip.trim().to_owned(), inverted: invert }
            }
            "IPRANGE" => {
                let IpBounds { starting_ip, ending_ip, invert } = object(value, "{\"startingIp\", \"endingIp\", \"invert\"}")?;
                IpRange::between(&starting_ip, &ending_ip).map_err(bad_address)?;
                Denial::IpRange { start: starting_ip.trim().to_owned(), end: ending_ip.trim().to_owned(), inverted: invert }
            }
            other => {
                let words = format!("'{other}' is none of API, APPLICATION, IP, IPRANGE, USER.");
                return Err(entry::CONDITION_UNSUPPORTED.with(words));
            }
        })
    }
}

fn text(value: Value) -> Result<String, Refusal> {
    match value {
        Value::String(text) if text.len() > VALUE_MAX => {
            Err(Refusal::field("conditionValue", format!("must have at most {VALUE_MAX} bytes")))
        }
        Value::String(text) if !text.trim().is_empty() => Ok(text.trim().to_owned()),
        _ => Err(Refusal::field("conditionValue", "must be a text that is not blank")),
    }
}

fn object<T: serde::de::DeserializeOwned>(value: Value, members: &str) -> Result<T, Refusal> {
    serde_json::from_value(value).map_err(|_| Refusal::field("conditionValue", format!("must be an object of {members}")))
}

/// The user with the domain, as 4.0.0 keeps it. Another tenant's users are not this administrator's to refuse.
async fn with_domain(tx: &mut db::Tx, name: String, caller: &Caller) -> Result<String, Refusal> {
    let own = &caller.tenant_domain;
    if let Some((before, domain)) = name.rsplit_once('@') {
        if domain.eq_ignore_ascii_case(own) {
            return Ok(format!("{before}@{own}"));
        }
        if db::tenants::find_by_domain(tx, domain).await?.is_some() {
            return Err(entry::TENANT_MISMATCH.with(format!("'{name}' is no user of {own}.")));
        }
    }
    // What follows the '@' of an e-mail address is no tenant.
    Ok(format!("{name}@{own}"))
}
