//! Which APIs a caller may reach in the publisher: those of their tenant that access control does not keep from them.

use db::Tx;
use model::{AccessControl, Api, ApiId, Revision, RevisionId};
use rest::{Caller, Entry, Refusal};

use crate::entry;

/// What the caller means to do with an API.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Intent {
    /// See it.
    Read,
    /// Change it or what belongs to it.
    Update,
    /// Remove it.
    Delete,
}

impl Intent {
    fn refusal(self) -> Entry {
        match self {
            Self::Read => entry::NO_READ,
            Self::Update => entry::NO_UPDATE,
            Self::Delete => entry::NO_DELETE,
        }
    }
}

/// The API of that id.
///
/// # Errors
/// 404 when there is none in the caller's tenant, 403 when access control names none of their roles.
pub(crate) async fn reach(tx: &mut Tx, caller: &Caller, id: &str, intent: Intent) -> Result<Api, Refusal> {
    let known = match id.parse::<ApiId>() {
        Ok(id) => {
            if intent != Intent::Read {
                db::apis::lock(tx, id).await?;
            }
            db::apis::find(tx, id).await?
        }
        Err(_) => None,
    };
    let api = known.filter(|api| api.tenant == caller.tenant).ok_or_else(|| Refusal::not_found("API", id))?;
    admit(caller, &api, intent)?;
    Ok(api)
}

/// The revision of that id, whichever API it is of.
///
/// # Errors
/// As [`reach`].
pub(crate) async fn reach_revision(tx: &mut Tx, caller: &Caller, id: &str) -> Result<Revision, Refusal> {
    let known = match id.parse::<RevisionId>() {
        Ok(id) => db::revisions::find(tx, id).await?,
        Err(_) => None,
    };
    let revision = known.ok_or_else(|| Refusal::not_found("API", id))?;
    // The API's present access control counts, not the one that the revision froze.
    reach(tx, caller, &revision.api.to_string(), Intent::Read).await.map_err(|refusal| match refusal {
        Refusal::NotFound { .. } => Refusal::not_found("API", id),
        other => other,
    })?;
    Ok(revision)
}

fn admit(caller: &Caller, api: &Api, intent: Intent) -> Result<(), Refusal> {
    let open = api.access_control == AccessControl::None || caller.is_admin();
    if open || api.access_control_roles.iter().any(|role| caller.has_role(role)) {
        return Ok(());
    }
    Err(intent.refusal().with("The user holds none of the roles that the API's access control lists."))
}

/// Roles to filter lists by; `None` for administrators, who see all.
pub(crate) fn listing_roles(caller: &Caller) -> Option<Vec<String>> {
    (!caller.is_admin()).then(|| caller.roles.clone())
}
