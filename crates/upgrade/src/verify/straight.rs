//! Old cells against the target, past the translation: what a caller or a developer would notice. Deliberately few and plain.

use std::collections::{HashMap, HashSet};

use db::{Db, Tx, apis, applications, clients, tokens, users};
use model::{ApiId, PRIMARY_STORE, StoredPassword, TenantId};

use super::{Compared, Difference, TOLD, Verification, deployed, filed, readable, rows, sequences};
use crate::old::oauth::Tokens;
use crate::plan::{PlanError, TOKEN_BATCH};
use crate::source::Site;
use crate::translate::{Input, Translation};

/// Asks one question of many records.
pub(super) struct Question {
    compared: Compared,
    found: Vec<Difference>,
    /// Further differences, which are only counted.
    more: u64,
}

impl Question {
    pub(super) fn new(kind: &'static str) -> Self {
        Self { compared: Compared { kind, ..Compared::default() }, found: Vec::new(), more: 0 }
    }

    /// `is` is `None` when there is no record.
    pub(super) fn ask(&mut self, key: &str, field: &str, ought: &str, is: Option<&str>) {
        self.compared.source += 1;
        let at = format!("{key}\0{field}");
        self.compared.source_checksum.add(&at, ought);
        if let Some(is) = is {
            self.compared.target_checksum.add(&at, is);
        }
        match is {
            None => self.compared.missing += 1,
            Some(is) => {
                self.compared.target += 1;
                if is == ought {
                    self.compared.equal += 1;
                    return;
                }
                self.compared.different += 1;
            }
        }
        if self.found.len() >= TOLD {
            self.more += 1;
            return;
        }
        let (source, target) = (ought.to_owned(), is.unwrap_or("missing").to_owned());
        self.found.push(Difference { kind: self.compared.kind, key: key.to_owned(), field: field.to_owned(), source, target });
    }

    /// So many more were found as they ought to be, without being told one by one.
    pub(super) fn held(&mut self, count: u64) {
        self.compared.source += count;
        self.compared.target += count;
        self.compared.equal += count;
    }

    pub(super) fn close(self, done: &mut Verification) {
        self.found.into_iter().for_each(|d| done.differ(d));
        done.differing += self.more;
        done.straight.push(self.compared);
    }
}

pub(super) async fn compare(
    done: &mut Verification,
    translation: &Translation,
    input: &Input<'_>,
    site: &Site,
    db: &Db,
) -> Result<(), PlanError> {
    let mut tx = db.read().await?;
    let read = passwords(done, input, &mut tx).await;
    readable(done, "stored passwords of users", read)?;
    let read = user_stores(done, input, &mut tx).await;
    readable(done, "user stores", read)?;
    let read = roles_of_users_elsewhere(done, input, &mut tx).await;
    readable(done, "roles of users elsewhere", read)?;
    let read = addresses(done, translation, input, &mut tx).await;
    readable(done, "addresses of APIs", read)?;
    let read = secrets(done, translation, input, &mut tx).await;
    readable(done, "keys and secrets of OAuth clients", read)?;
    let read = application_numbers(done, translation, input, &mut tx).await;
    readable(done, "numbers and names of applications", read)?;
    let read = answers(done, input, &mut tx).await;
    readable(done, "answers and backend tokens of tenants", read)?;
    let read = apis_filed(done, translation, &mut tx).await;
    readable(done, "what APIs are found by", read)?;
    let read = filed::compare(done, &mut tx).await;
    readable(done, "what tenants, users, applications and tokens are found by", read)?;
    let read = deployed::compare(done, translation, input, &mut tx).await;
    readable(done, "what gateways run", read)?;
    let read = rows::compare(done, translation, input, site, &mut tx).await;
    readable(done, "old rows", read)?;
    let read = sequences::compare(done, translation, input, &mut tx).await;
    readable(done, "sequences that APIs run", read)?;
    drop(tx);
    let read = token_texts(done, translation, input, site, db).await;
    readable(done, "live tokens by their text", read)
}

/// How errors look, whether keys' sites count and in which header backends find their token: told by the version's number and the settings.
async fn answers(done: &mut Verification, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("answers and backend tokens of tenants");
    let version = input.old.version.as_str();
    let negotiates = version.starts_with("2.");
    let jwt = input.settings.map(|s| &s.backend_jwt).filter(|jwt| jwt.enabled);
    let header = jwt.map_or("none", |jwt| jwt.header.as_deref().map(str::trim).filter(|h| !h.is_empty()).unwrap_or("X-JWT-Assertion"));
    let others = input.old.tenants.iter().filter_map(|t| i32::try_from(t.id).ok().map(TenantId));
    for tenant in std::iter::once(TenantId::SUPER).chain(others) {
        if db::tenants::find(tx, tenant).await?.is_none() {
            continue;
        }
        let found = db::continuity::find(tx, tenant).await?;
        let format = found.as_ref().map(|f| f.error_format.name());
        let is = format.as_deref().map(|name| match name.split_once('-') {
            Some(("xml", of)) if version.starts_with(of) => "XML of the version",
            Some(("accept", of)) if of.starts_with("2.") => "by Accept, as 2.x",
            _ => name,
        });
        let key = tenant.to_string();
        question.ask(&key, "form of errors", if negotiates { "by Accept, as 2.x" } else { "XML of the version" }, is);
        let asked = found.as_ref().map(|f| if f.domain_restriction { "asked for" } else { "not asked for" });
        question.ask(&key, "sites of keys", if negotiates { "not asked for" } else { "asked for" }, asked);
        // All versions that are taken over asked for them.
        let kinds = found.as_ref().map(|f| if f.token_kinds { "asked for" } else { "not asked for" });
        question.ask(&key, "kinds of tokens", "asked for", kinds);
        let told = found.as_ref().map(|f| f.backend_jwt.as_ref().map_or("none", |jwt| jwt.header.as_str()));
        question.ask(&key, "header of the backend token", header, told);
    }
    question.close(done);
    Ok(())
}

async fn passwords(done: &mut Verification, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("stored passwords of users");
    for old in &input.old.users {
        let Some(tenant) = i32::try_from(old.tenant_id).ok().map(TenantId) else { continue };
        let is_elsewhere = db::user_stores::find(tx, tenant, PRIMARY_STORE).await?.is_some();
        if is_elsewhere || db::tenants::find(tx, tenant).await?.is_none() {
            continue;
        }
        let found = users::find(tx, tenant, PRIMARY_STORE, &old.name).await?;
        let is = found.map(|user| match user.password {
            // Renewed by a sign-in, which only the old one allows.
            Some(StoredPassword::Argon2id(_)) => "as it was",
            Some(StoredPassword::Legacy { hash, salt, .. }) => {
                let same = old.password.as_ref().is_some_and(|p| p.expose() == hash.expose())
                    && old.salt.as_ref().map(|s| s.expose().as_str()).filter(|s| !s.is_empty()) == salt.as_deref();
                if same { "as it was" } else { "another" }
            }
            None if old.password.as_ref().is_none_or(|p| p.expose().is_empty()) => "as it was",
            None => "none",
        });
        question.ask(&format!("UM_USER {}", old.id), "password", "as it was", is);
    }
    question.close(done);
    Ok(())
}

/// Every definition of the old product's own classes, by its files and realms.
async fn user_stores(done: &mut Verification, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("user stores by their definitions");
    let mut seen: HashSet<(i64, String)> = HashSet::new();
    for old in input.stores {
        let Some(tenant) = i32::try_from(old.tenant_id).ok().map(model::TenantId) else { continue };
        if db::tenants::find(tx, tenant).await?.is_none() || !old.class.starts_with("org.wso2.carbon.user.core.") {
            continue;
        }
        let domain = if old.is_primary { PRIMARY_STORE } else { old.property("DomainName").unwrap_or_default() };
        let is_in_tables = old.is_primary && old.class.ends_with("JDBCUserStoreManager");
        if domain.is_empty() || is_in_tables || !seen.insert((old.tenant_id, domain.to_uppercase())) {
            continue;
        }
        let found = db::user_stores::find(tx, tenant, domain).await?;
        let place = old.property("ConnectionURL").or_else(|| old.property("url")).unwrap_or_default();
        let state = if old.property("Disabled") == Some("true") { "disabled" } else { "enabled" };
        let is = found.as_ref().map(|store| {
            let place = store.property("ConnectionURL").or_else(|| store.property("url")).unwrap_or_default();
            format!("{} at {place}, {}", store.domain, if store.disabled { "disabled" } else { "enabled" })
        });
        question.ask(&old.origin, "name, place and state", &format!("{domain} at {place}, {state}"), is.as_deref());
        for (name, hidden) in &old.hidden {
            let crate::old::stores::Hidden::Known(old_secret) = hidden else { continue };
            let is = found.as_ref().map(|store| if store.secret(name) == Some(old_secret) { "as it was" } else { "another" });
            question.ask(&old.origin, name, "as it was", is);
        }
    }
    question.close(done);
    Ok(())
}

/// Who is known to another server and was given a role of ours, still has it.
async fn roles_of_users_elsewhere(done: &mut Verification, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("our roles of users of other stores");
    let stores: HashMap<(i64, i64), &str> = input.old.user_domains.iter().map(|d| ((d.tenant_id, d.id), d.name.as_str())).collect();
    let roles: HashMap<(i64, i64), &str> = input.old.hybrid_roles.iter().map(|r| ((r.tenant_id, r.id), r.name.as_str())).collect();
    for old in &input.old.hybrid_assignments {
        let Some(store) = old.domain_id.and_then(|id| stores.get(&(old.tenant_id, id)).copied()) else { continue };
        let Some(role) = roles.get(&(old.tenant_id, old.role_id)).filter(|role| !role.eq_ignore_ascii_case("everyone")) else { continue };
        let Some(tenant) = i32::try_from(old.tenant_id).ok().map(model::TenantId) else { continue };
        if store.eq_ignore_ascii_case(PRIMARY_STORE) || db::user_stores::find(tx, tenant, store).await?.is_none() {
            continue;
        }
        // Roles of single clients and those under other names are the translation's to tell.
        let ought = format!("Internal/{role}");
        if role.contains('/') || !db::roles::exists(tx, tenant, &ought).await? {
            continue;
        }
        let found = users::find(tx, tenant, &store.to_uppercase(), &old.user_name).await?;
        let is = found.map(|user| if user.roles.contains(&ought) { ought.as_str() } else { "not held" });
        question.ask(&format!("UM_HYBRID_USER_ROLE {store}/{}", old.user_name), "role", &ought, is);
    }
    question.close(done);
    Ok(())
}

async fn addresses(done: &mut Verification, translation: &Translation, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("addresses of APIs");
    let carried: HashMap<&str, ApiId> = translation.apis.iter().map(|a| (a.key.as_str(), a.value.api.id)).collect();
    for old in &input.old.apis {
        let Some(row) = &old.row else { continue };
        // The artifact's identifier where there is one, without asking the translation.
        let id = old.uuid.as_deref().and_then(|u| u.parse().ok()).or_else(|| carried.get(row.id.to_string().as_str()).copied());
        let Some(id) = id else { continue };
        let found = apis::find(tx, id).await?;
        let key = format!("AM_API {}", row.id);
        question.ask(
            &key,
            "name and version",
            &format!("{} {}", row.name, row.version),
            found.as_ref().map(|a| format!("{} {}", a.name, a.version)).as_deref(),
        );
        let stored = row.context.as_deref().unwrap_or_default();
        let ends = stored.rsplit('/').next() == Some(row.version.as_str());
        let ought = if input.old.version.context_has_version() || ends { stored.to_owned() } else { format!("{stored}/{}", row.version) };
        question.ask(&key, "context", &ought, found.as_ref().map(|a| a.context.as_str()));
        let verbs: HashSet<(String, String)> = old
            .url_mappings
            .iter()
            .filter_map(|m| Some((m.verb.as_deref()?.trim().to_ascii_uppercase(), m.pattern.as_deref()?.trim().to_owned())))
            .collect();
        if !verbs.is_empty() {
            question.ask(
                &key,
                "number of operations",
                &verbs.len().to_string(),
                found.as_ref().map(|a| a.operations.len().to_string()).as_deref(),
            );
        }
    }
    question.close(done);
    Ok(())
}

async fn secrets(done: &mut Verification, translation: &Translation, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("keys and secrets of OAuth clients");
    let carried: HashSet<String> = translation.clients.iter().map(|c| c.key).collect();
    for old in input.old.oauth_clients.iter().filter(|c| carried.contains(&c.key)) {
        let Some(secret) = old.secret.as_ref().filter(|s| !s.expose().is_empty()) else { continue };
        let found = clients::find(tx, &old.key).await?;
        let is = found.map(|client| if client.secret == *secret { "as it was" } else { "another" });
        question.ask(&old.key, "secret", "as it was", is);
    }
    question.close(done);
    Ok(())
}

async fn application_numbers(done: &mut Verification, translation: &Translation, input: &Input<'_>, tx: &mut Tx) -> db::Result<()> {
    let names: HashMap<i64, String> = applications::names_by_number(tx).await?.into_iter().collect();
    let mut question = Question::new("numbers and names of applications");
    let carried: HashSet<i64> = translation.applications.iter().map(|a| a.value.number).collect();
    for old in input.old.applications.iter().filter(|a| carried.contains(&a.id)) {
        question.ask(&format!("AM_APPLICATION {}", old.id), "name", &old.name, names.get(&old.id).map(String::as_str));
    }
    question.close(done);
    Ok(())
}

/// What APIs are found by against what is found.
async fn apis_filed(done: &mut Verification, translation: &Translation, tx: &mut Tx) -> db::Result<()> {
    let mut question = Question::new("what APIs are found by");
    for carried in &translation.apis {
        if let Some(wrong) = apis::misfiled(tx, carried.value.api.id).await? {
            let is = if wrong.is_empty() { "as its record says".to_owned() } else { format!("another {}", wrong.join(", ")) };
            question.ask(&carried.key, "index", "as its record says", Some(&is));
        }
    }
    question.close(done);
    Ok(())
}

/// Every token that is alive by the old row alone is found by its text, for the same client, until the same moment.
async fn token_texts(done: &mut Verification, translation: &Translation, input: &Input<'_>, site: &Site, db: &Db) -> Result<(), PlanError> {
    let mut question = Question::new("live tokens by their text");
    let known: HashSet<String> = translation.clients.iter().map(|c| c.key).collect();
    let by_number = input.old.consumer_keys();
    let mut stream = Tokens::open(site).await?;
    loop {
        let batch = stream.next_batch(TOKEN_BATCH).await?;
        if batch.is_empty() {
            break;
        }
        let mut tx = db.read().await?;
        let mut alive: Vec<(&str, String)> = Vec::new();
        for old in &batch {
            let client = old.consumer_key.as_deref().or_else(|| old.consumer_key_id.and_then(|id| by_number.get(&id).map(|key| &**key)));
            let Some(client) = client.filter(|c| known.contains(*c)) else { continue };
            let (Some("ACTIVE"), Some(validity), Some(created)) = (old.state.as_deref(), old.validity_ms, old.created) else { continue };
            let until = match validity {
                i64::MIN..0 | i64::MAX => None,
                ms => Some(created.and_utc().timestamp_millis().saturating_add(ms)),
            };
            if until.is_some_and(|u| u <= input.as_of.0) {
                continue;
            }
            let ought = format!("of {client}, until {}", until.map_or_else(|| "for ever".to_owned(), |u| u.to_string()));
            alive.push((old.access_token.expose(), ought));
        }
        let found = tokens::find_many_by_access(&mut tx, &alive.iter().map(|(text, _)| *text).collect::<Vec<_>>()).await?;
        for ((text, ought), found) in alive.into_iter().zip(found) {
            let is = found.map(|t| {
                let until = t.expires_at.map_or_else(|| "for ever".to_owned(), |u| u.0.to_string());
                format!("of {}, until {until}", t.client)
            });
            let key: String = crate::digests::sha256(text).chars().take(12).collect();
            question.ask(&key, "token", &ought, is.as_deref());
        }
    }
    done.misread(stream.unreadable().len());
    question.close(done);
    Ok(())
}
