//! Throttling policies over REST: the four families, each list, create, read, change, remove.
//!
//! A family's file says how its JSON becomes the model's policy and back; what all families do alike is here. Counting is the gateway's.

mod advanced;
mod application;
mod condition;
mod custom;
mod limit;
mod subscription;

use http::Method;
use model::{PolicyId, TenantId};
use rest::{Access, Door, FieldFault, Refusal};

use crate::{Room, entry};

const VIEW: Access = Access::Scopes(&["apim:admin", "apim:tier_view"]);
const MANAGE: Access = Access::Scopes(&["apim:admin", "apim:tier_manage"]);

/// Generates one family's handlers over the verbs of its `db` module. `$wire` is the family's JSON, `$row` the JSON of its list items.
macro_rules! handlers {
    ($family:ident, $wire:ty, $row:ty) => {
        pub(super) async fn list(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
            let found = db::policies::$family::list(&mut room.db.read().await?, caller.tenant).await?;
            let list: Vec<$row> = found.iter().map(<$row>::show).collect();
            Ok(Json(json!({ "count": list.len(), "list": list })))
        }

        pub(super) async fn create(State(room): State<Room>, caller: Caller, Body(sent): Body<$wire>) -> Result<Response, Refusal> {
            let policy = sent.make(caller.tenant)?;
            let mut tx = room.db.write().await?;
            policies::refuse_unknown_roles(&mut tx, caller.tenant, policies::Roles::roles(&policy)).await?;
            if db::policies::$family::find_by_name(&mut tx, caller.tenant, &policy.name).await?.is_some() {
                return Err(policies::taken(stringify!($family), &policy.name));
            }
            match db::policies::$family::insert(&mut tx, &policy).await {
                Err(db::Error::Duplicate { .. }) => return Err(policies::taken(stringify!($family), &policy.name)),
                done => done?,
            }
            tx.commit().await?;
            let location = format!("{}/throttling/policies/{}/{}", crate::BASE, stringify!($family), policy.id);
            Ok(rest::created(&location, <$wire>::show(&policy)))
        }

        pub(super) async fn get(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<$wire>, Refusal> {
            let policy = find(&mut room.db.read().await?, &caller, &id).await?;
            Ok(Json(<$wire>::show(&policy)))
        }

        pub(super) async fn update(
            State(room): State<Room>,
            caller: Caller,
            Named(id): Named<String>,
            Body(sent): Body<$wire>,
        ) -> Result<Json<$wire>, Refusal> {
            let mut tx = room.db.write().await?;
            let stored = find(&mut tx, &caller, &id).await?;
            let policy = sent.change(stored)?;
            policies::refuse_unknown_roles(&mut tx, caller.tenant, policies::Roles::roles(&policy)).await?;
            db::policies::$family::update(&mut tx, &policy).await?;
            tx.commit().await?;
            Ok(Json(<$wire>::show(&policy)))
        }

        pub(super) async fn delete(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
            let mut tx = room.db.write().await?;
            let policy = find(&mut tx, &caller, &id).await?;
            if db::policies::$family::in_use(&mut tx, caller.tenant, &policy.name).await? {
                return Err(policies::in_use(stringify!($family), &policy.name));
            }
            db::policies::$family::delete(&mut tx, policy.id).await?;
            Ok(tx.commit().await?)
        }

        async fn find(tx: &mut db::Tx, caller: &Caller, id: &str) -> Result<Policy, Refusal> {
            let found = match policies::id(id) {
                Some(id) => db::policies::$family::find(tx, caller.tenant, id).await?,
                None => None,
            };
            found.ok_or_else(|| policies::unknown(id))
        }
    };
}
use handlers;

/// The policies' operations.
pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/throttling/policies/advanced", VIEW, advanced::list)
        .on(Method::POST, "/throttling/policies/advanced", MANAGE, advanced::create)
        .on(Method::GET, "/throttling/policies/advanced/{policyId}", VIEW, advanced::get)
        .on(Method::PUT, "/throttling/policies/advanced/{policyId}", MANAGE, advanced::update)
        .on(Method::DELETE, "/throttling/policies/advanced/{policyId}", MANAGE, advanced::delete)
        .on(Method::GET, "/throttling/policies/application", VIEW, application::list)
        .on(Method::POST, "/throttling/policies/application", MANAGE, application::create)
        .on(Method::GET, "/throttling/policies/application/{policyId}", VIEW, application::get)
        .on(Method::PUT, "/throttling/policies/application/{policyId}", MANAGE, application::update)
        .on(Method::DELETE, "/throttling/policies/application/{policyId}", MANAGE, application::delete)
        .on(Method::GET, "/throttling/policies/custom", VIEW, custom::list)
        .on(Method::POST, "/throttling/policies/custom", MANAGE, custom::create)
        .on(Method::GET, "/throttling/policies/custom/{ruleId}", VIEW, custom::get)
        .on(Method::PUT, "/throttling/policies/custom/{ruleId}", MANAGE, custom::update)
        .on(Method::DELETE, "/throttling/policies/custom/{ruleId}", MANAGE, custom::delete)
        .on(Method::GET, "/throttling/policies/subscription", VIEW, subscription::list)
        .on(Method::POST, "/throttling/policies/subscription", MANAGE, subscription::create)
        .on(Method::GET, "/throttling/policies/subscription/{policyId}", VIEW, subscription::get)
        .on(Method::PUT, "/throttling/policies/subscription/{policyId}", MANAGE, subscription::update)
        .on(Method::DELETE, "/throttling/policies/subscription/{policyId}", MANAGE, subscription::delete)
}

/// Roles that a policy names; only business plans do.
trait Roles {
    fn roles(&self) -> &[String] {
        &[]
    }
}

fn id(text: &str) -> Option<PolicyId> {
    text.parse().ok()
}

fn unknown(id: &str) -> Refusal {
    Refusal::NotFound { what: "Throttle Policy", id: id.to_owned() }
}

fn taken(family: &str, name: &str) -> Refusal {
    Refusal::Conflict(format!("There is already a throttling policy of type {family} with the name '{name}'."))
}

/// 4.0.0 answers 500 here; the conflict is what it means to say.
fn in_use(family: &str, name: &str) -> Refusal {
    Refusal::Conflict(format!("The throttling policy '{name}' of type {family} is in use, so it cannot be deleted."))
}

async fn refuse_unknown_roles(tx: &mut db::Tx, tenant: TenantId, roles: &[String]) -> Result<(), Refusal> {
    if roles.is_empty() {
        return Ok(());
    }
    let known = db::roles::list(tx, tenant).await?;
    let is_known = |role: &String| role.eq_ignore_ascii_case(model::EVERYONE) || known.iter().any(|k| k.eq_ignore_ascii_case(role));
    match roles.iter().find(|role| !is_known(role)) {
        None => Ok(()),
        Some(role) => Err(entry::ROLE_UNKNOWN.with(format!("There is no role '{role}'."))),
    }
}

/// The name of a new policy.
fn new_name(name: Option<String>) -> Result<String, Refusal> {
    let name = name.unwrap_or_default();
    if name.trim().is_empty() {
        return Err(entry::BLANK.with("policyName must not be blank"));
    }
    let mut faults = Vec::new();
    FieldFault::bounded(&mut faults, "policyName", Some(&name), 60);
    Refusal::of(faults)?;
    model::policy_name(&name).map_err(|fault| entry::SPECIAL_CHARACTERS.with(fault.to_string()))?;
    Ok(name)
}

/// Length faults of the words about a policy.
fn words(display_name: Option<&str>, description: Option<&str>) -> Vec<FieldFault> {
    let mut faults = Vec::new();
    FieldFault::bounded(&mut faults, "displayName", display_name, 512);
    FieldFault::bounded(&mut faults, "description", description, 1024);
    faults
}

/// `type` tells families apart; a body of another family at this address is a mistake.
fn check_type(sent: Option<&str>, allowed: &[&str]) -> Result<(), Refusal> {
    match sent {
        Some(word) if !word.is_empty() && !allowed.contains(&word) => {
            Err(Refusal::Bad("One or more request body parameters contain disallowed values.".to_owned()))
        }
        _ => Ok(()),
    }
}

fn required<T>(value: Option<T>, path: &str) -> Result<T, Refusal> {
    value.ok_or_else(|| Refusal::field(path, "must not be null"))
}
