//! Who is calling, and how a door finds out.

use std::future::Future;
use std::net::IpAddr;
use std::pin::Pin;

use axum::extract::{FromRequestParts, OptionalFromRequestParts};
use http::request::Parts;
use model::{EVERYONE, TenantId, UserName};

use crate::Problem;

/// A boxed future, so that [`Authenticate`] can be a trait object.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// A signed-in user of a REST interface. As an extractor it answers 401 when nobody is signed in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Who.
    pub user: UserName,
    /// Their tenant.
    pub tenant: TenantId,
    /// Its domain.
    pub tenant_domain: String,
    /// Their roles, `Internal/everyone` included.
    pub roles: Vec<String>,
    /// Scopes of the token, or those that the roles give under Basic authentication.
    pub scopes: Vec<String>,
}

impl Caller {
    /// `user`, or `user@tenant` outside the super tenant: how providers and owners are written.
    #[must_use]
    pub fn name(&self) -> String {
        self.user.to_string()
    }

    /// Whether a scope is held.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|s| s == scope)
    }

    /// Whether a role is held; letter case does not matter.
    #[must_use]
    pub fn has_role(&self, role: &str) -> bool {
        role.eq_ignore_ascii_case(EVERYONE) || self.roles.iter().any(|r| r.eq_ignore_ascii_case(role))
    }

    /// Whether this is an administrator of the tenant. Which things somebody gets to see goes by who they are, as in 4.0.0.
    #[must_use]
    pub fn is_admin(&self) -> bool {
        self.has_role("admin") || self.acts_as_admin()
    }

    /// Whether this is an administrator who acts as one: a token that was taken for less may do no more, whoever holds it.
    #[must_use]
    pub fn acts_as_admin(&self) -> bool {
        self.has_scope("apim:admin")
    }
}

/// Where a request comes from. The hall puts it among the request's extensions; whoever counts wrong passwords wants to know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ClientAddress(pub IpAddr);

/// Nobody, or a caller: for operations that may be read anonymously.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MaybeCaller(pub Option<Caller>);

impl<S: Send + Sync> FromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts.extensions.get::<Self>().cloned().ok_or_else(Problem::unauthenticated)
    }
}

impl<S: Send + Sync> OptionalFromRequestParts<S> for Caller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Option<Self>, Problem> {
        Ok(parts.extensions.get::<Self>().cloned())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for MaybeCaller {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self(parts.extensions.get::<Caller>().cloned()))
    }
}

/// Why somebody was not let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denied {
    /// The token or password is not good. Nothing more is said, so that nothing can be learned from it.
    Unknown,
    /// It could not be checked. The answer is 500, never admission.
    Unavailable,
}

/// Turns credentials into a caller. Implemented by the hall, over users and issued tokens.
pub trait Authenticate: Send + Sync {
    /// Checks an access token.
    fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>>;

    /// Checks a user's name (`[STORE/]user[@tenant]`) and password.
    fn basic<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<Caller, Denied>>;

    /// As [`Authenticate::basic`], told where the request comes from. Who counts no wrong passwords need not know.
    fn basic_from<'a>(&'a self, user: &'a str, password: &'a str, _: Option<ClientAddress>) -> BoxFuture<'a, Result<Caller, Denied>> {
        self.basic(user, password)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_administrator_with_a_lesser_token_sees_all_but_may_not_do_all() {
        let mut caller = Caller {
            user: UserName::primary("admin", "carbon.super"),
            tenant: TenantId::SUPER,
            tenant_domain: "carbon.super".to_owned(),
            roles: vec!["admin".to_owned()],
            scopes: vec!["apim:api_view".to_owned()],
        };
        assert!(caller.is_admin() && !caller.acts_as_admin());
        caller.scopes.push("apim:admin".to_owned());
        assert!(caller.is_admin() && caller.acts_as_admin());
    }
}
