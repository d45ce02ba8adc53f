//! Who looks at which tenant's portal, and what they may see there.

use axum::extract::FromRequestParts;
use db::Tx;
use db::apis::Viewer;
use http::request::Parts;
use model::{Api, ApiId, LifecycleState, Tenant, TenantId, Visibility};
use rest::{Caller, Refusal};

use crate::{Room, entry};

/// The header that picks a tenant's portal.
const TENANT_HEADER: &str = "x-wso2-tenant";

/// Somebody at a tenant's portal: the one the header names, else the caller's own, else the super tenant's.
#[derive(Debug, Clone)]
pub(crate) struct Visitor {
    /// Whose portal.
    pub(crate) portal: Tenant,
    /// Who, when signed in.
    pub(crate) caller: Option<Caller>,
}

impl FromRequestParts<Room> for Visitor {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, room: &Room) -> Result<Self, Refusal> {
        let caller = parts.extensions.get::<Caller>().cloned();
        if caller.is_none() && !room.config.anonymous {
            return Err(Refusal::Unauthenticated);
        }
        let asked =
            parts.headers.get(TENANT_HEADER).and_then(|value| value.to_str().ok()).map(str::trim).filter(|domain| !domain.is_empty());
        let own = caller.as_ref().map(|caller| caller.tenant_domain.as_str());
        let domain = asked.or(own).unwrap_or(model::SUPER_TENANT_DOMAIN);
        let found = db::tenants::find_by_domain(&mut room.db.read().await?, domain).await?;
        let portal = found.filter(|tenant| tenant.active);
        let portal = portal.ok_or_else(|| entry::TENANT_UNKNOWN.with(format!("There is no tenant '{domain}'.")))?;
        Ok(Self { portal, caller })
    }
}

impl Visitor {
    /// The caller as a visitor of their own tenant's portal, or of the one that `domain` names.
    pub(crate) fn viewer(&self) -> Viewer {
        Viewer {
            roles: self.roles().to_vec(),
            anonymous: self.caller.is_none(),
            tenant: self.caller.as_ref().map_or(self.portal.id, |caller| caller.tenant),
        }
    }

    pub(crate) fn roles(&self) -> &[String] {
        self.caller.as_ref().map_or(&[], |caller| &caller.roles)
    }

    fn tenant(&self) -> Option<TenantId> {
        self.caller.as_ref().map(|caller| caller.tenant)
    }

    /// The API of that id, if it is in this portal and shown to this visitor. What may not be seen is answered like what is not there.
    pub(crate) async fn find(&self, tx: &mut Tx, id: &str) -> Result<Api, Refusal> {
        let known = match id.parse::<ApiId>() {
            Ok(id) => db::apis::find(tx, id).await?,
            Err(_) => None,
        };
        known.filter(|api| self.sees(api)).ok_or_else(|| Refusal::not_found("API", id))
    }

    /// Whether `api` is shown: the same rule as the list's, which the database applies, but by id deprecated APIs are shown too.
    pub(crate) fn sees(&self, api: &Api) -> bool {
        let state = matches!(api.state, LifecycleState::Published | LifecycleState::Prototyped | LifecycleState::Deprecated);
        let own = self.tenant() == Some(api.tenant);
        let visible = match api.visibility {
            Visibility::Public => true,
            Visibility::Private => own,
            Visibility::Restricted => own && self.caller.as_ref().is_some_and(|c| api.visible_roles.iter().any(|role| c.has_role(role))),
        };
        api.tenant == self.portal.id && api.enable_store && state && visible
    }
}
