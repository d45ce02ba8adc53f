//! What a tenant, and each API that differs from it, keeps of an old installation's ways: form of errors, the key desk's paths on the ports
//! of API traffic, sites of keys, the token that tells backends who calls. The upgrade sets these switches; here they are seen and turned.

use axum::Json;
use axum::extract::State;
use http::{HeaderName, Method};
use model::{
    ApiContinuity, ApiId, BackendJwt, Continuity, DEFAULT_BACKEND_JWT_HEADER, DEFAULT_CLAIM_DIALECT, ErrorFormat, Generation, JwtEncoding,
    JwtForm, TenantId,
};
use rest::{Access, Body, Caller, Door, Named, Refusal};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::Room;

const MANAGE: Access = Access::Scopes(&["apim:admin"]);

/// Longest life of a token for backends.
const LIFETIME_MAX_SECS: i64 = 30 * 24 * 3_600;

/// Longest name of a header or dialect.
const NAME_MAX: usize = 255;

/// Headers that frame or route a call; no token can stand in them.
const NO_PLACE: [&str; 9] =
    ["authorization", "connection", "content-length", "content-type", "cookie", "expect", "host", "te", "transfer-encoding"];

pub(crate) fn routes(door: Door<Room>) -> Door<Room> {
    door.on(Method::GET, "/continuity", MANAGE, get)
        .on(Method::PUT, "/continuity", MANAGE, put)
        .on(Method::DELETE, "/continuity", MANAGE, delete)
        .on(Method::GET, "/continuity/apis", MANAGE, list_apis)
        .on(Method::GET, "/continuity/apis/{apiId}", MANAGE, get_api)
        .on(Method::PUT, "/continuity/apis/{apiId}", MANAGE, put_api)
        .on(Method::DELETE, "/continuity/apis/{apiId}", MANAGE, delete_api)
}

/// A tenant's switches. What a body leaves out is as in a new installation.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Switches {
    error_format: Option<String>,
    token_paths: Option<bool>,
    domain_restriction: Option<bool>,
    domain_header: Option<String>,
    token_kinds: Option<bool>,
    backend_jwt: Option<JwtBody>,
}

/// The token for backends. What a body leaves out is as 4.0.0 sends it.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct JwtBody {
    form: Option<String>,
    header: Option<String>,
    dialect: Option<String>,
    signed: Option<bool>,
    encoding: Option<String>,
    lifetime_seconds: Option<i64>,
    user_claims: Option<bool>,
}

/// Where an API differs; `null` follows the tenant.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ApiSwitches {
    api_id: Option<String>,
    error_format: Option<String>,
    domain_restriction: Option<bool>,
    token_kinds: Option<bool>,
    backend_jwt: Option<bool>,
}

async fn get(State(room): State<Room>, caller: Caller) -> Result<Json<Switches>, Refusal> {
    let found = db::continuity::find(&mut room.db.read().await?, caller.tenant).await?;
    Ok(Json(Switches::show(&found.unwrap_or_else(|| Continuity::none(caller.tenant)))))
}

async fn put(State(room): State<Room>, caller: Caller, Body(sent): Body<Switches>) -> Result<Json<Switches>, Refusal> {
    let continuity = sent.read(caller.tenant)?;
    let mut tx = room.db.write().await?;
    db::continuity::put(&mut tx, &continuity).await?;
    tx.commit().await?;
    Ok(Json(Switches::show(&continuity)))
}

/// Everything as in a new installation.
async fn delete(State(room): State<Room>, caller: Caller) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    db::continuity::delete(&mut tx, caller.tenant).await?;
    Ok(tx.commit().await?)
}

async fn list_apis(State(room): State<Room>, caller: Caller) -> Result<Json<Value>, Refusal> {
    let mut tx = room.db.read().await?;
    let mut list = Vec::new();
    for own in db::continuity::list_apis(&mut tx).await? {
        if db::apis::find(&mut tx, own.api).await?.is_some_and(|api| api.tenant == caller.tenant) {
            list.push(ApiSwitches::show(&own));
        }
    }
    Ok(Json(json!({ "count": list.len(), "list": list })))
}

async fn get_api(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<Json<ApiSwitches>, Refusal> {
    let mut tx = room.db.read().await?;
    let api = api(&mut tx, &caller, &id).await?;
    let found = db::continuity::find_api(&mut tx, api).await?;
    Ok(Json(ApiSwitches::show(&found.unwrap_or_else(|| ApiContinuity::none(api)))))
}

async fn put_api(
    State(room): State<Room>,
    caller: Caller,
    Named(id): Named<String>,
    Body(sent): Body<ApiSwitches>,
) -> Result<Json<ApiSwitches>, Refusal> {
    let mut tx = room.db.write().await?;
    let api = api(&mut tx, &caller, &id).await?;
    if sent.api_id.as_ref().is_some_and(|sent| *sent != api.to_string()) {
        return Err(Refusal::field("apiId", "must be the API that the path names"));
    }
    let error_format = sent.error_format.as_deref().map(error_format).transpose()?;
    let own = ApiContinuity {
        api,
        error_format,
        domain_restriction: sent.domain_restriction,
        token_kinds: sent.token_kinds,
        backend_jwt: sent.backend_jwt,
    };
    db::continuity::put_api(&mut tx, &own).await?;
    tx.commit().await?;
    Ok(Json(ApiSwitches::show(&own)))
}

async fn delete_api(State(room): State<Room>, caller: Caller, Named(id): Named<String>) -> Result<(), Refusal> {
    let mut tx = room.db.write().await?;
    let api = api(&mut tx, &caller, &id).await?;
    db::continuity::delete_api(&mut tx, api).await?;
    Ok(tx.commit().await?)
}

/// Another tenant's API is as good as none.
async fn api(tx: &mut db::Tx, caller: &Caller, id: &str) -> Result<ApiId, Refusal> {
    let found = match id.parse::<ApiId>() {
        Ok(id) => db::apis::find(tx, id).await?,
        Err(_) => None,
    };
    found.filter(|api| api.tenant == caller.tenant).map(|api| api.id).ok_or_else(|| Refusal::NotFound { what: "API", id: id.to_owned() })
}

fn generations() -> String {
    Generation::ALL.map(Generation::name).join(", ")
}

fn error_format(text: &str) -> Result<ErrorFormat, Refusal> {
    ErrorFormat::parse(text).ok_or_else(|| {
        Refusal::field("errorFormat", format!("must be json-4.0, or xml- or accept- with one of {}, such as xml-1.9", generations()))
    })
}

/// A header's name, as it was written.
fn header(path: &str, name: String) -> Result<String, Refusal> {
    let known = HeaderName::try_from(&name).ok().filter(|_| name.len() <= NAME_MAX);
    match known {
        Some(known) if !NO_PLACE.contains(&known.as_str()) => Ok(name),
        Some(_) => Err(Refusal::field(path, format!("must not be {name}, which frames or routes the call"))),
        None => Err(Refusal::field(path, format!("must be the name of a header, of at most {NAME_MAX} characters"))),
    }
}

impl Switches {
    fn read(self, tenant: TenantId) -> Result<Continuity, Refusal> {
        let new = Continuity::none(tenant);
        let token_paths = self.token_paths.unwrap_or(new.token_paths);
        if token_paths && tenant != TenantId::SUPER {
            return Err(Refusal::field(
                "tokenPaths",
                "must be false: these paths name no tenant, and the super tenant's switch speaks for all",
            ));
        }
        // It is only read, so what no token can stand in can name a site all the same.
        let domain_header = match self.domain_header {
            Some(name) if HeaderName::try_from(&name).is_err() || name.len() > NAME_MAX => {
                return Err(Refusal::field("domainHeader", format!("must be the name of a header, of at most {NAME_MAX} characters")));
            }
            other => other,
        };
        Ok(Continuity {
            tenant,
            error_format: self.error_format.as_deref().map(error_format).transpose()?.unwrap_or(new.error_format),
            token_paths,
            domain_restriction: self.domain_restriction.unwrap_or(new.domain_restriction),
            domain_header,
            token_kinds: self.token_kinds.unwrap_or(new.token_kinds),
            backend_jwt: self.backend_jwt.map(JwtBody::read).transpose()?,
        })
    }

    fn show(continuity: &Continuity) -> Self {
        Self {
            error_format: Some(continuity.error_format.name()),
            token_paths: Some(continuity.token_paths),
            domain_restriction: Some(continuity.domain_restriction),
            domain_header: continuity.domain_header.clone(),
            token_kinds: Some(continuity.token_kinds),
            backend_jwt: continuity.backend_jwt.as_ref().map(JwtBody::show),
        }
    }
}

impl JwtBody {
    fn read(self) -> Result<BackendJwt, Refusal> {
        let new = BackendJwt::of_4_0();
        let form = match self.form.as_deref() {
            None => new.form,
            Some(text) => {
                JwtForm::parse(text).ok_or_else(|| Refusal::field("backendJwt.form", format!("must be 4.0 or one of {}", generations())))?
            }
        };
        let encoding = match self.encoding.as_deref() {
            None => new.encoding,
            Some(text) => JwtEncoding::parse(text)
                .ok_or_else(|| Refusal::field("backendJwt.encoding", "must be base64, base64url-padded or base64url"))?,
        };
        let dialect = self.dialect.unwrap_or_else(|| DEFAULT_CLAIM_DIALECT.to_owned());
        if dialect.trim().is_empty() || dialect.len() > NAME_MAX || dialect.chars().any(char::is_control) {
            return Err(Refusal::field(
                "backendJwt.dialect",
                format!("must have 1 to {NAME_MAX} characters, none of them a control character"),
            ));
        }
        let lifetime_secs = self.lifetime_seconds.unwrap_or(new.lifetime_secs);
        if !(1..=LIFETIME_MAX_SECS).contains(&lifetime_secs) {
            return Err(Refusal::field("backendJwt.lifetimeSeconds", format!("must be 1 to {LIFETIME_MAX_SECS}")));
        }
        Ok(BackendJwt {
            form,
            header: header("backendJwt.header", self.header.unwrap_or_else(|| DEFAULT_BACKEND_JWT_HEADER.to_owned()))?,
            dialect,
            signed: self.signed.unwrap_or(new.signed),
            encoding,
            lifetime_secs,
            user_claims: self.user_claims.unwrap_or(new.user_claims),
        })
    }

    fn show(jwt: &BackendJwt) -> Self {
        Self {
            form: Some(jwt.form.name().to_owned()),
            header: Some(jwt.header.clone()),
            dialect: Some(jwt.dialect.clone()),
            signed: Some(jwt.signed),
            encoding: Some(jwt.encoding.name().to_owned()),
            lifetime_seconds: Some(jwt.lifetime_secs),
            user_claims: Some(jwt.user_claims),
        }
    }
}

impl ApiSwitches {
    fn show(own: &ApiContinuity) -> Self {
        Self {
            api_id: Some(own.api.to_string()),
            error_format: own.error_format.map(ErrorFormat::name),
            domain_restriction: own.domain_restriction,
            token_kinds: own.token_kinds,
            backend_jwt: own.backend_jwt,
        }
    }
}
