//! Searching APIs. Filters look at columns and words only; bodies are read for the page that is answered.

use model::{Api, LifecycleState, TenantId};

use super::read;
use crate::sql::{Sql, anywhere, fold};
use crate::{Page, Result, Tx};

/// What to list. The default lists everything of every tenant, 25 at most.
#[derive(Debug, Clone)]
pub struct ApiQuery {
    /// Only this tenant's.
    pub tenant: Option<TenantId>,
    /// All must match.
    pub terms: Vec<Term>,
    /// Only these states.
    pub states: Option<Vec<LifecycleState>>,
    /// Only what this viewer may see in the developer portal.
    pub visible_to: Option<Viewer>,
    /// Only what a publisher with one of these roles may see; `None` does not look at access control.
    pub access_roles: Option<Vec<String>>,
    /// At most this many.
    pub limit: u32,
    /// Leaving out this many first.
    pub offset: u32,
}

impl Default for ApiQuery {
    fn default() -> Self {
        Self { tenant: None, terms: Vec::new(), states: None, visible_to: None, access_roles: None, limit: 25, offset: 0 }
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Term {
    /// Where to look.
    pub field: Field,
    /// For what.
    pub value: String,
    /// The whole value with its letter case, rather than any part of it in any letter case. Tags and categories always match as a whole.
    pub exact: bool,
}

/// Where a term looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Field {
    /// Name.
    Name,
    /// Version.
    Version,
    /// Context, version included.
    Context,
    /// Provider.
    Provider,
    /// Description.
    Description,
    /// Lifecycle state, in any letter case, as a whole.
    State,
    /// Kind (`HTTP`), in any letter case, as a whole.
    Kind,
    /// `true` or `false`: shown in the developer portal.
    EnableStore,
    /// Tag.
    Tag,
    /// Category.
    Category,
    /// Additional property of this name.
    Property(String),
    /// Any of name, version, context, provider, description, tags and properties.
    Any,
}

/// Who looks at the developer portal.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Viewer {
    /// Their roles.
    pub roles: Vec<String>,
    /// Not signed in.
    pub anonymous: bool,
    /// Their tenant; for anonymous viewers, the portal's.
    pub tenant: TenantId,
}

/// APIs that match, by name, provider and version.
pub async fn list(tx: &mut Tx, query: &ApiQuery) -> Result<Page<Api>> {
    let filter = filter(query);
    let mut counting = Sql::new("SELECT COUNT(*) AS n FROM api a WHERE ");
    counting.append(&filter);
    let total = tx.count_sql(counting).await?;
    let mut page = Sql::new("SELECT b.body FROM (SELECT a.id, a.name, a.provider, a.version FROM api a WHERE ");
    page.append(&filter).push(" ORDER BY a.name, a.provider, a.version, a.id LIMIT ").bind(query.limit).push(" OFFSET ").bind(query.offset);
    page.push(") f JOIN api_body b ON b.api = f.id ORDER BY f.name, f.provider, f.version, f.id");
    let rows = tx.rows_sql(page).await?;
    let items = rows.iter().map(|row| read(&tx.sealer, row)).collect::<Result<_>>()?;
    Ok(Page { items, total })
}

/// Tags of the APIs that match, with how many of these have them, by tag; of all pages.
pub async fn tags(tx: &mut Tx, query: &ApiQuery) -> Result<Vec<(String, u64)>> {
    let mut sql = Sql::new("SELECT t.word, COUNT(*) AS n FROM api_word t JOIN api a ON a.id = t.api WHERE t.kind = 'tag' AND ");
    sql.append(&filter(query)).push(" GROUP BY t.word ORDER BY t.word");
    tx.rows_sql(sql).await?.iter().map(|row| Ok((row.text("word")?, row.count("n")?))).collect()
}

fn filter(query: &ApiQuery) -> Sql {
    let mut sql = Sql::new("1 = 1");
    if let Some(tenant) = query.tenant {
        sql.push(" AND a.tenant = ").bind(tenant);
    }
    if let Some(states) = &query.states {
        of_states(&mut sql, states);
    }
    if let Some(viewer) = &query.visible_to {
        visible(&mut sql, viewer);
    }
    if let Some(roles) = &query.access_roles {
        sql.push(" AND (a.access_control = 'NONE'");
        or_has_role(&mut sql, "access_role", roles);
        sql.push(")");
    }
    for term in &query.terms {
        matching(&mut sql, term);
    }
    sql
}

fn of_states(sql: &mut Sql, states: &[LifecycleState]) {
    if states.is_empty() {
        sql.push(" AND 1 = 0");
    } else {
        sql.push(" AND a.state IN ").list(states.iter().map(|s| s.name()));
    }
}

fn visible(sql: &mut Sql, viewer: &Viewer) {
    sql.push(" AND a.enable_store AND (a.visibility = 'PUBLIC'");
    if !viewer.anonymous {
        sql.push(" OR (a.tenant = ").bind(viewer.tenant).push(" AND (a.visibility = 'PRIVATE' OR (a.visibility = 'RESTRICTED' AND (1 = 0");
        or_has_role(sql, "role", &viewer.roles);
        sql.push("))))");
    }
    sql.push(")");
}

fn or_has_role(sql: &mut Sql, kind: &'static str, roles: &[String]) {
    if !roles.is_empty() {
        sql.push(" OR EXISTS (SELECT 1 FROM api_word w WHERE w.api = a.id AND w.kind = ").bind(kind);
        sql.push(" AND w.fold IN ").list(roles.iter().map(|r| fold(r))).push(")");
    }
}

fn matching(sql: &mut Sql, term: &Term) {
    sql.push(" AND (");
    match &term.field {
        Field::Name => column(sql, "a.name", "a.name_fold", term),
        Field::Version => column(sql, "a.version", "a.version_fold", term),
        Field::Context => column(sql, "a.context", "a.context_fold", term),
        Field::Provider => column(sql, "a.provider", "a.provider_fold", term),
        Field::Description => described(sql, term),
        Field::State => whole(sql, "a.state", &term.value),
        Field::Kind => whole(sql, "a.kind", &term.value),
        Field::EnableStore => {
            sql.push("a.enable_store = ").bind(term.value.eq_ignore_ascii_case("true"));
        }
        Field::Tag => has_word(sql, "tag", &term.value),
        Field::Category => has_word(sql, "category", &term.value),
        Field::Property(name) => has_property(sql, name, term),
        Field::Any => anything(sql, term),
    }
    sql.push(")");
}

fn column(sql: &mut Sql, plain: &'static str, folded: &'static str, term: &Term) {
    if term.exact {
        sql.push(plain).push(" = ").bind(&term.value);
    } else {
        sql.push(folded).push(" LIKE ").bind(anywhere(&term.value)).push(" ESCAPE '\\'");
    }
}

fn whole(sql: &mut Sql, column: &'static str, value: &str) {
    sql.push(column).push(" = ").bind(value.to_uppercase());
}

fn described(sql: &mut Sql, term: &Term) {
    sql.push("EXISTS (SELECT 1 FROM api_body d WHERE d.api = a.id AND d.description_fold ");
    if term.exact {
        sql.push("= ").bind(fold(&term.value)).push(")");
    } else {
        sql.push("LIKE ").bind(anywhere(&term.value)).push(" ESCAPE '\\')");
    }
}

fn has_word(sql: &mut Sql, kind: &'static str, value: &str) {
    sql.push("a.id IN (SELECT w.api FROM api_word w WHERE w.kind = ").bind(kind);
    sql.push(" AND w.fold = ").bind(fold(value)).push(")");
}

fn has_property(sql: &mut Sql, name: &str, term: &Term) {
    sql.push("a.id IN (SELECT p.api FROM api_property p WHERE p.name_fold = ").bind(fold(name)).push(" AND ");
    column(sql, "p.value", "p.value_fold", term);
    sql.push(")");
}

fn anything(sql: &mut Sql, term: &Term) {
    for (plain, folded) in [("a.name", "a.name_fold"), ("a.version", "a.version_fold"), ("a.context", "a.context_fold")] {
        column(sql, plain, folded, term);
        sql.push(" OR ");
    }
    column(sql, "a.provider", "a.provider_fold", term);
    sql.push(" OR ");
    described(sql, term);
    // Whole lists, not EXISTS per API: SQLite would walk the index of all tags anew for each of them (50 s for 10,000 APIs).
    sql.push(" OR a.id IN (SELECT w.api FROM api_word w WHERE w.kind = 'tag' AND ");
    column(sql, "w.word", "w.fold", term);
    sql.push(") OR a.id IN (SELECT p.api FROM api_property p WHERE ");
    column(sql, "p.value", "p.value_fold", term);
    sql.push(")");
}
