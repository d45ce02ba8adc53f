//! A door: routes, each with the scopes it asks for.
//!
//! An operation's handler and its access rule are declared in one call, so that no route can be open because somebody forgot a table.
//! [`Door::operations`] gives the table to tests that walk it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{DefaultBodyLimit, Request, State};
use axum::handler::Handler;
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{MethodFilter, on};
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};

use crate::caller::{Authenticate, ClientAddress, Denied};
use crate::{Caller, Problem};

/// Second half of a web application's token; its value is appended to the bearer value of the header (4.0.0's portals split it so).
const TOKEN_TAIL_COOKIE: &str = "AM_ACC_TOKEN_DEFAULT_P2";

/// Longest credential that is looked at, in bytes.
const CREDENTIAL_MAX_BYTES: usize = 16 * 1024;

/// Who may use an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Anybody; a caller who shows credentials is still identified, and refused when they are bad.
    Anybody,
    /// Any signed-in user.
    SignedIn,
    /// A caller with any one of these scopes.
    Scopes(&'static [&'static str]),
    /// A user with name and password; tokens are not taken (client registration, internal data, gateway).
    PasswordOnly,
}

/// An operation as declared.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DoorOperation {
    /// Verb.
    pub method: Method,
    /// Path below the door's base, with `{parameters}`.
    pub path: &'static str,
    /// Who may use it.
    pub access: Access,
}

/// Routes under construction.
pub struct Door<S> {
    router: Router<S>,
    authenticate: Arc<dyn Authenticate>,
    operations: Vec<DoorOperation>,
}

impl<S: Clone + Send + Sync + 'static> Door<S> {
    /// A door without operations.
    pub fn new(authenticate: Arc<dyn Authenticate>) -> Self {
        Self { router: Router::new(), authenticate, operations: Vec::new() }
    }

    /// Adds an operation. `method` is one of GET, POST, PUT, PATCH, DELETE, HEAD; a GET also answers HEAD unless HEAD is declared.
    #[must_use]
    pub fn on<H, T>(mut self, method: Method, path: &'static str, access: Access, handler: H) -> Self
    where
        H: Handler<T, S>,
        T: 'static,
        S: Clone + Send + Sync + 'static,
    {
        let filter = MethodFilter::try_from(method.clone()).unwrap_or(MethodFilter::GET);
        let guard = Guard { authenticate: Arc::clone(&self.authenticate), access };
        let route = on(filter, handler).route_layer(middleware::from_fn_with_state(guard, watch));
        self.router = self.router.route(path, route);
        self.operations.push(DoorOperation { method, path, access });
        self
    }

    /// What was declared.
    #[must_use]
    pub fn operations(&self) -> &[DoorOperation] {
        &self.operations
    }

    /// The finished routes: unknown paths answer 404, known ones under another verb 405, all with the common body and headers.
    pub fn finish(self, state: S) -> Router {
        self.router
            .fallback(|| async { Problem::with_code(StatusCode::NOT_FOUND, 404, "Not Found", "The requested resource is not available.") })
            .method_not_allowed_fallback(|| async {
                Problem::with_code(StatusCode::METHOD_NOT_ALLOWED, 405, "Method Not Allowed", "HTTP 405 Method Not Allowed")
            })
            // The extractors of this crate set their own bound, which is the interface documents'.
            .layer(DefaultBodyLimit::disable())
            .layer(middleware::map_response(with_common_headers))
            .with_state(state)
    }
}

#[derive(Clone)]
struct Guard {
    authenticate: Arc<dyn Authenticate>,
    access: Access,
}

/// Lets a request in, with its [`Caller`] as an extension, or answers it.
async fn watch(State(guard): State<Guard>, mut request: Request, next: Next) -> Response {
    let from = request.extensions().get::<ClientAddress>().copied();
    let caller = match identify(&*guard.authenticate, request.headers(), from, guard.access).await {
        Ok(caller) => caller,
        Err(Denied::Unknown) => return Problem::unauthenticated().into_response(),
        Err(Denied::Unavailable) => return Problem::internal(&CheckFailed).into_response(),
    };
    let admitted = match (guard.access, &caller) {
        (Access::Anybody, _) | (Access::SignedIn | Access::PasswordOnly, Some(_)) => true,
        (Access::Scopes(wanted), Some(caller)) => wanted.iter().any(|scope| caller.has_scope(scope)),
        (_, None) => false,
    };
    if !admitted {
        return Problem::unauthenticated().into_response();
    }
    if let Some(caller) = caller {
        request.extensions_mut().insert(caller);
    }
    next.run(request).await
}

#[derive(Debug, thiserror::Error)]
#[error("the caller's credentials could not be checked")]
struct CheckFailed;

async fn identify(
    authenticate: &dyn Authenticate,
    headers: &HeaderMap,
    from: Option<ClientAddress>,
    access: Access,
) -> Result<Option<Caller>, Denied> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    if value.len() > CREDENTIAL_MAX_BYTES {
        return Err(Denied::Unknown);
    }
    let value = value.to_str().map_err(|_| Denied::Unknown)?;
    let (scheme, rest) = value.split_once(' ').ok_or(Denied::Unknown)?;
    if scheme.eq_ignore_ascii_case("Basic") {
        let decoded = BASE64_STANDARD.decode(rest.trim()).map_err(|_| Denied::Unknown)?;
        let text = String::from_utf8(decoded).map_err(|_| Denied::Unknown)?;
        let (user, password) = text.split_once(':').ok_or(Denied::Unknown)?;
        return authenticate.basic_from(user, password, from).await.map(Some);
    }
    if scheme.eq_ignore_ascii_case("Bearer") && access != Access::PasswordOnly {
        let mut token = rest.trim().to_owned();
        if let Some(tail) = cookie(headers, TOKEN_TAIL_COOKIE) {
            token.push_str(tail);
        }
        return authenticate.bearer(&token).await.map(Some);
    }
    Err(Denied::Unknown)
}

fn cookie<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(key, value)| (key == name).then_some(value))
}

async fn with_common_headers(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_XSS_PROTECTION, HeaderValue::from_static("1; mode=block"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use axum::body::Body;
    use model::UserName;
    use tower::ServiceExt as _;

    use super::*;
    use crate::BoxFuture;

    struct Two;

    impl Authenticate for Two {
        fn bearer<'a>(&'a self, token: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
            Box::pin(async move {
                match token {
                    "good" => Ok(caller(&["apim:api_view"])),
                    "broken" => Err(Denied::Unavailable),
                    _ => Err(Denied::Unknown),
                }
            })
        }

        fn basic<'a>(&'a self, user: &'a str, password: &'a str) -> BoxFuture<'a, Result<Caller, Denied>> {
            Box::pin(
                async move { if (user, password) == ("admin", "a:b") { Ok(caller(&["apim:api_view"])) } else { Err(Denied::Unknown) } },
            )
        }
    }

    fn caller(scopes: &[&str]) -> Caller {
        Caller {
            user: UserName::primary("admin", "carbon.super"),
            tenant: TenantIdAlias::SUPER,
            tenant_domain: "carbon.super".to_owned(),
            roles: vec!["admin".to_owned()],
            scopes: scopes.iter().map(|s| (*s).to_owned()).collect(),
        }
    }

    use model::TenantId as TenantIdAlias;

    fn door() -> Router {
        Door::new(Arc::new(Two))
            .on(Method::GET, "/apis", Access::Scopes(&["apim:api_view"]), || async { "apis" })
            .on(Method::POST, "/apis", Access::Scopes(&["apim:api_create"]), || async { "made" })
            .on(Method::GET, "/settings", Access::Anybody, |who: crate::MaybeCaller| async move { format!("{}", who.0.is_some()) })
            .on(Method::POST, "/register", Access::PasswordOnly, || async { "registered" })
            .finish(())
    }

    async fn status(method: &str, path: &str, headers: &[(&str, &str)]) -> u16 {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        door().oneshot(request.body(Body::empty()).unwrap()).await.unwrap().status().as_u16()
    }

    #[tokio::test]
    async fn scopes_decide() {
        assert_eq!(status("GET", "/apis", &[("authorization", "Bearer good")]).await, 200);
        assert_eq!(status("POST", "/apis", &[("authorization", "Bearer good")]).await, 401);
        assert_eq!(status("GET", "/apis", &[]).await, 401);
        assert_eq!(status("GET", "/apis", &[("authorization", "Bearer bad")]).await, 401);
        assert_eq!(status("PUT", "/apis", &[("authorization", "Bearer good")]).await, 405);
        assert_eq!(status("GET", "/nothing", &[("authorization", "Bearer good")]).await, 404);
    }

    #[tokio::test]
    async fn what_cannot_be_checked_is_not_let_in() {
        assert_eq!(status("GET", "/apis", &[("authorization", "Bearer broken")]).await, 500);
        assert_eq!(status("GET", "/settings", &[("authorization", "Bearer broken")]).await, 500);
    }

    #[tokio::test]
    async fn a_password_may_hold_a_colon_and_a_token_may_come_in_halves() {
        let basic = format!("Basic {}", BASE64_STANDARD.encode("admin:a:b"));
        assert_eq!(status("POST", "/register", &[("authorization", &basic)]).await, 200);
        assert_eq!(status("POST", "/register", &[("authorization", "Bearer good")]).await, 401);
        let halves = [("authorization", "Bearer go"), ("cookie", "x=1; AM_ACC_TOKEN_DEFAULT_P2=od")];
        assert_eq!(status("GET", "/apis", &halves).await, 200);
    }

    #[tokio::test]
    async fn an_open_operation_knows_its_caller() {
        assert_eq!(status("GET", "/settings", &[]).await, 200);
        assert_eq!(status("GET", "/settings", &[("authorization", "Bearer bad")]).await, 401);
    }
}
