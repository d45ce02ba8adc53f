//! Which of the scopes asked for are granted.
//!
//! A scope is granted when nothing binds it to roles, or when the holder has one of its roles. Scopes of our own REST interfaces are bound
//! by the holder's tenant; scopes of APIs by the tenants of client and holder. A role of one tenant opens nothing in another, so a scope that a
//! third tenant binds to roles is not granted, if the client may call an API that asks for it, or if nobody nearer declares the word.
//!
//! 4.0.0 grants any unknown word; here that ends at names reserved for our own interfaces, so that a forgotten binding never opens an
//! administrator's operation.

use db::scopes::ForeignBinding;
use model::OAuthClient;
use users::Account;

/// What a token holds to which nothing else was granted.
pub const DEFAULT_SCOPE: &str = "default";

/// Marks the token the portal makes for an application.
pub(crate) const APPLICATION_SCOPE: &str = "am_application_scope";

const RESERVED: [&str; 3] = ["apim:", "apim_analytics:", "service_catalog:"];

/// Bounds on one request's scopes; beyond them it is nonsense or an attack.
const SCOPES_MAX: usize = 256;
const SCOPE_MAX_BYTES: usize = 512;

/// Takes the parameter `scope` apart: sorted, each once.
///
/// # Errors
/// When a word holds characters RFC 6749, 3.3 forbids, or there are too many.
pub(crate) fn parse(text: &str) -> Result<Vec<String>, &'static str> {
    tidy(text.split_ascii_whitespace().map(str::to_owned).collect())
}

/// As [`parse`], for words already apart.
pub(crate) fn tidy(mut words: Vec<String>) -> Result<Vec<String>, &'static str> {
    let is_word = |word: &String| {
        !word.is_empty()
            && word.len() <= SCOPE_MAX_BYTES
            && !word.chars().any(|c| c.is_control() || c.is_whitespace() || c == '"' || c == '\\')
    };
    if words.len() > SCOPES_MAX {
        return Err("Too many scopes are requested.");
    }
    if !words.iter().all(is_word) {
        return Err("A requested scope is malformed.");
    }
    words.sort_unstable();
    words.dedup();
    Ok(words)
}

/// Those of `asked` that `holder` may have through `client`; `default` when that is none. A client whose owner is gone holds no roles.
pub(crate) async fn grant(
    tx: &mut db::Tx,
    client: &OAuthClient,
    holder: Option<&Account>,
    asked: &[String],
) -> Result<Vec<String>, db::Error> {
    let mut granted = Vec::new();
    if !asked.is_empty() {
        let bindings = Bindings::read(tx, client, holder, asked).await?;
        granted = asked.iter().filter(|scope| bindings.allow(scope, holder)).cloned().collect();
    }
    if granted.is_empty() {
        granted.push(DEFAULT_SCOPE.to_owned());
    }
    Ok(granted)
}

/// Which roles open which scope, for one holder.
struct Bindings {
    /// Of our own interfaces: scope and roles. Being listed binds, even to no role.
    rest: Vec<(String, Vec<String>)>,
    /// Of APIs: scope, roles, and whether the holder's roles are of the tenant that binds.
    api: Vec<(String, Vec<String>, bool)>,
    /// Of APIs of third tenants that bind them to roles.
    foreign: Vec<ForeignBinding>,
}

impl Bindings {
    async fn read(tx: &mut db::Tx, client: &OAuthClient, holder: Option<&Account>, asked: &[String]) -> Result<Self, db::Error> {
        let own = holder.map_or(client.tenant, |account| account.tenant.id);
        let rest = db::rest_scopes::list(tx, own).await?.into_iter().map(|binding| (binding.scope, binding.roles)).collect();
        let names: Vec<&str> = asked.iter().map(String::as_str).collect();
        let mut api = Vec::new();
        let tenants = if own == client.tenant { vec![own] } else { vec![client.tenant, own] };
        for tenant in tenants.iter().copied() {
            let found = db::scopes::bindings(tx, tenant, &names).await?;
            api.extend(found.into_iter().map(|binding| (binding.scope, binding.roles, tenant == own)));
        }
        let foreign = db::scopes::bound_elsewhere(tx, &tenants, &client.id, &names).await?;
        Ok(Self { rest, api, foreign })
    }

    fn allow(&self, scope: &str, holder: Option<&Account>) -> bool {
        let has_any = |roles: &[String]| holder.is_some_and(|account| roles.iter().any(|role| account.has_role(role)));
        if let Some((_, roles)) = self.rest.iter().find(|(name, _)| name == scope) {
            return has_any(roles) || holder.is_some_and(|account| account.has_role("admin"));
        }
        if RESERVED.iter().any(|prefix| scope.starts_with(prefix)) {
            return false;
        }
        let mut near = self.api.iter().filter(|(name, ..)| name == scope).peekable();
        let is_declared_near = near.peek().is_some() || is_everybodys(scope);
        if self.foreign.iter().any(|binding| binding.scope == scope && (binding.callable || !is_declared_near)) {
            return false;
        }
        // Bound twice, both must open: the same word may guard APIs of either tenant.
        near.all(|(_, roles, own)| roles.is_empty() || (*own && has_any(roles)))
    }
}

/// Words with a meaning of their own. A tenant that binds one to its roles takes it away from no other.
fn is_everybodys(scope: &str) -> bool {
    ["openid", "profile", "email", "phone", "address", DEFAULT_SCOPE, APPLICATION_SCOPE].contains(&scope) || scope.starts_with("device_")
}

/// The scopes of our own interfaces that an account's roles give, as under Basic authentication.
pub(crate) async fn rest_scopes_of(tx: &mut db::Tx, account: &Account) -> Result<Vec<String>, db::Error> {
    let bindings = db::rest_scopes::list(tx, account.tenant.id).await?;
    let admin = account.has_role("admin");
    let held = bindings.into_iter().filter(|binding| admin || binding.roles.iter().any(|role| account.has_role(role)));
    Ok(held.map(|binding| binding.scope).collect())
}

#[cfg(test)]
mod tests {
    use model::{Tenant, TenantId, Timestamp, User, UserId};

    use super::*;

    fn account(roles: &[&str]) -> Account {
        let roles: Vec<String> = roles.iter().map(|r| (*r).to_owned()).collect();
        Account {
            user: User {
                id: UserId::random(),
                tenant: TenantId::SUPER,
                store: "PRIMARY".to_owned(),
                name: "ann".to_owned(),
                password: None,
                roles: roles.clone(),
                attributes: Vec::new(),
                locked: false,
                must_change_password: false,
                password_changed_at: Timestamp(0),
                created_at: Timestamp(0),
            },
            tenant: Tenant::super_tenant(Timestamp(0)),
            roles,
        }
    }

    fn bindings() -> Bindings {
        let roles = |names: &[&str]| names.iter().map(|r| (*r).to_owned()).collect::<Vec<_>>();
        Bindings {
            rest: vec![("apim:api_create".to_owned(), roles(&["Internal/creator"])), ("apim:admin".to_owned(), Vec::new())],
            api: vec![
                ("orders:read".to_owned(), roles(&["clerk"]), true),
                ("open".to_owned(), Vec::new(), true),
                ("theirs".to_owned(), roles(&["admin"]), false),
                ("far:open".to_owned(), Vec::new(), true),
            ],
            foreign: [("far:read", false), ("open", false), ("openid", false), ("device_x", false), ("far:open", true)]
                .map(|(scope, callable)| ForeignBinding { scope: scope.to_owned(), callable })
                .to_vec(),
        }
    }

    #[test]
    fn roles_open_scopes() {
        let allows = |scope: &str, roles: &[&str]| bindings().allow(scope, Some(&account(roles)));
        assert!(allows("apim:api_create", &["internal/CREATOR"]));
        assert!(!allows("apim:api_create", &["clerk"]));
        assert!(allows("apim:admin", &["admin"]) && !allows("apim:admin", &["Internal/creator"]));
        assert!(allows("orders:read", &["Clerk"]));
        assert!(!allows("orders:read", &["admin"]), "an administrator holds REST scopes, not every API's");
        assert!(allows("open", &[]) && allows("device_x", &[]) && allows("whatever", &[]));
        assert!(!allows("apim:not_bound", &["admin"]), "reserved words need a binding");
        assert!(!allows("theirs", &["admin"]), "a role of one tenant opens nothing in another");
        assert!(!allows("far:read", &["admin"]), "nor in a third");
        assert!(!allows("far:open", &["admin"]), "a word of one's own does not open an API of others that the client may call");
        assert!(allows("openid", &[]), "words of everybody cannot be taken away");
        assert!(!bindings().allow("orders:read", None) && bindings().allow("open", None));
    }

    #[test]
    fn scopes_are_sorted_and_bounded() {
        assert_eq!(parse("b  a b").unwrap(), ["a", "b"]);
        assert!(parse("").unwrap().is_empty());
        assert!(parse("a\"b").is_err() && parse("a\\b").is_err() && parse("a\u{7f}").is_err());
        assert!(parse(&"x ".repeat(300)).is_err() && parse(&"x".repeat(600)).is_err());
    }
}
