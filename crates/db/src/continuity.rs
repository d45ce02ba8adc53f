//! What tenants, and single APIs, keep of an old installation's ways.

use model::{
    ApiContinuity, ApiId, BackendJwt, Continuity, DEFAULT_BACKEND_JWT_HEADER, DEFAULT_CLAIM_DIALECT, ErrorFormat, JwtEncoding, JwtForm,
    TenantId,
};

use crate::outbox::{Thing, changed};
use crate::sql::{Row, args};
use crate::{Error, Result, Tx};

/// Puts a tenant's, in place of what it had.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such tenant.
pub async fn put(tx: &mut Tx, continuity: &Continuity) -> Result<()> {
    let sql = "INSERT INTO continuity (tenant, error_format, token_paths, domain_restriction, domain_header, jwt_form, jwt_header, jwt_dialect, jwt_signed, \
               jwt_encoding, jwt_lifetime, jwt_user_claims, token_kinds) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13) \
               ON CONFLICT (tenant) DO UPDATE SET error_format = excluded.error_format, token_paths = excluded.token_paths, \
               domain_restriction = excluded.domain_restriction, domain_header = excluded.domain_header, jwt_form = excluded.jwt_form, jwt_header = excluded.jwt_header, \
               jwt_dialect = excluded.jwt_dialect, jwt_signed = excluded.jwt_signed, jwt_encoding = excluded.jwt_encoding, \
               jwt_lifetime = excluded.jwt_lifetime, jwt_user_claims = excluded.jwt_user_claims, token_kinds = excluded.token_kinds";
    let c = continuity;
    let jwt = c.backend_jwt.as_ref();
    let values = args![
        c.tenant,
        c.error_format.name(),
        c.token_paths,
        c.domain_restriction,
        &c.domain_header,
        jwt.map(|j| j.form.name()),
        jwt.map_or(DEFAULT_BACKEND_JWT_HEADER, |j| &j.header),
        jwt.map_or(DEFAULT_CLAIM_DIALECT, |j| &j.dialect),
        jwt.is_none_or(|j| j.signed),
        jwt.map_or(JwtEncoding::Base64, |j| j.encoding).name(),
        jwt.map_or(0, |j| j.lifetime_secs),
        jwt.is_some_and(|j| j.user_claims),
        c.token_kinds,
    ];
    tx.run(sql, values).await?;
    changed(tx, Thing::Continuity, c.tenant);
    Ok(())
}

/// A tenant's, if it has any.
pub async fn find(tx: &mut Tx, tenant: TenantId) -> Result<Option<Continuity>> {
    tx.row("SELECT * FROM continuity WHERE tenant = $1", args![tenant]).await?.as_ref().map(read).transpose()
}

/// Every tenant's.
pub async fn list(tx: &mut Tx) -> Result<Vec<Continuity>> {
    tx.rows("SELECT * FROM continuity ORDER BY tenant", args![]).await?.iter().map(read).collect()
}

/// Leaves a tenant without any; whether it had some.
pub async fn delete(tx: &mut Tx, tenant: TenantId) -> Result<bool> {
    let done = tx.run("DELETE FROM continuity WHERE tenant = $1", args![tenant]).await?;
    changed(tx, Thing::Continuity, tenant);
    Ok(done > 0)
}

/// Puts where an API differs from its tenant. One that differs nowhere has no row.
///
/// # Errors
/// [`crate::Error::Reference`] when there is no such API.
pub async fn put_api(tx: &mut Tx, continuity: &ApiContinuity) -> Result<()> {
    let c = continuity;
    if c.is_none() {
        return delete_api(tx, c.api).await.map(drop);
    }
    let sql = "INSERT INTO api_continuity (api, error_format, domain_restriction, backend_jwt, token_kinds) VALUES ($1, $2, $3, $4, $5) \
               ON CONFLICT (api) DO UPDATE SET error_format = excluded.error_format, domain_restriction = excluded.domain_restriction, \
               backend_jwt = excluded.backend_jwt, token_kinds = excluded.token_kinds";
    let number = |yes: Option<bool>| yes.map(i64::from);
    let switches = [c.domain_restriction, c.backend_jwt, c.token_kinds].map(number);
    let [domain_restriction, backend_jwt, token_kinds] = switches;
    tx.run(sql, args![c.api, c.error_format.map(ErrorFormat::name), domain_restriction, backend_jwt, token_kinds]).await?;
    changed(tx, Thing::ApiContinuity, c.api);
    Ok(())
}

/// Where an API differs from its tenant, if it does.
pub async fn find_api(tx: &mut Tx, api: ApiId) -> Result<Option<ApiContinuity>> {
    tx.row("SELECT * FROM api_continuity WHERE api = $1", args![api]).await?.as_ref().map(read_api).transpose()
}

/// Every API that differs from its tenant.
pub async fn list_apis(tx: &mut Tx) -> Result<Vec<ApiContinuity>> {
    tx.rows("SELECT * FROM api_continuity ORDER BY api", args![]).await?.iter().map(read_api).collect()
}

/// Lets an API follow its tenant; whether it differed.
pub async fn delete_api(tx: &mut Tx, api: ApiId) -> Result<bool> {
    let done = tx.run("DELETE FROM api_continuity WHERE api = $1", args![api]).await?;
    changed(tx, Thing::ApiContinuity, api);
    Ok(done > 0)
}

fn read(row: &Row) -> Result<Continuity> {
    let backend_jwt = match row.opt_text("jwt_form")? {
        None => None,
        Some(_) => Some(BackendJwt {
            form: row.word("jwt_form", JwtForm::parse)?,
            header: row.text("jwt_header")?,
            dialect: row.text("jwt_dialect")?,
            signed: row.bool("jwt_signed")?,
            encoding: row.word("jwt_encoding", JwtEncoding::parse)?,
            lifetime_secs: row.int("jwt_lifetime")?,
            user_claims: row.bool("jwt_user_claims")?,
        }),
    };
    Ok(Continuity {
        tenant: row.tenant("tenant")?,
        error_format: row.word("error_format", ErrorFormat::parse)?,
        token_paths: row.bool("token_paths")?,
        domain_restriction: row.bool("domain_restriction")?,
        token_kinds: row.bool("token_kinds")?,
        domain_header: row.opt_text("domain_header")?,
        backend_jwt,
    })
}

fn read_api(row: &Row) -> Result<ApiContinuity> {
    let yes = |column| {
        row.opt_int(column)?
            .map(|number| match number {
                0 => Ok(false),
                1 => Ok(true),
                _ => Err(Error::corrupt(column, "it is neither yes nor no")),
            })
            .transpose()
    };
    Ok(ApiContinuity {
        api: row.id("api")?,
        error_format: match row.opt_text("error_format")? {
            None => None,
            Some(_) => Some(row.word("error_format", ErrorFormat::parse)?),
        },
        domain_restriction: yes("domain_restriction")?,
        token_kinds: yes("token_kinds")?,
        backend_jwt: yes("backend_jwt")?,
    })
}
