//! What a demo prints about the sample so that a visitor can try it: old tokens, keys and passwords.

use crate::site::{Site, Status, TokenKind};

/// Things of the old site that must still work after an upgrade. Clear text on purpose: the site is made up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Credentials {
    /// A live application token.
    pub token: String,
    /// Path and query below the gateway's address that `token` may GET.
    pub path: String,
    /// The client `token` belongs to.
    pub consumer_key: String,
    pub consumer_secret: String,
    /// A live user token and a path that asks for one of its scopes.
    pub scoped_token: String,
    pub scoped_path: String,
    /// The refresh token of `scoped_token`, and that one's client.
    pub refresh_token: String,
    pub refresh_consumer_key: String,
    pub refresh_consumer_secret: String,
    /// A live application token of the tenant and a path it may GET.
    pub tenant_token: String,
    pub tenant_path: String,
    /// A path that needs no token.
    pub open_path: String,
    /// A developer and the old password.
    pub user: String,
    pub password: String,
    /// The API whose path this is, and its publisher.
    pub publisher: String,
    pub publisher_password: String,
    pub admin: String,
    pub admin_password: String,
}

impl Site {
    /// Finds, in this site, one of each thing a visitor wants to try. A site that lacks one gets an empty string.
    pub fn credentials(&self) -> Credentials {
        let token = |found: Option<&crate::site::Token>| {
            found.map(|t| (t.access.clone(), t.consumer_key.clone(), t.refresh.clone().unwrap_or_default())).unwrap_or_default()
        };
        let live = |kind, tenant: Option<i32>| {
            let live = self.tokens.iter().filter(move |t| t.state == "ACTIVE" && t.kind == kind);
            live.filter(move |t| tenant.is_none_or(|id| self.client_tenant(&t.consumer_key) == Some(id)))
        };
        let secret = |key: &str| self.clients().find(|c| c.key == key).map(|c| c.secret.clone()).unwrap_or_default();
        let password = |name: &str, tenant: i32| {
            self.users.iter().find(|u| u.name == name && u.tenant == tenant).map(|u| u.password.clone()).unwrap_or_default()
        };
        let home = crate::site::SUPER_TENANT;

        let plain = live(TokenKind::Application, Some(home)).next();
        let (access, consumer_key, _) = token(plain);
        let scoped = live(TokenKind::User, Some(home)).find(|t| self.reach(&t.consumer_key, Some(&t.scopes)).is_some());
        let (scoped_token, refresh_consumer_key, refresh_token) = token(scoped);
        let tenant = live(TokenKind::Application, None).find(|t| self.client_tenant(&t.consumer_key).is_some_and(|id| id != home));
        let reach = |found: Option<&crate::site::Token>, scoped: bool| {
            found.and_then(|t| self.reach(&t.consumer_key, scoped.then_some(t.scopes.as_str()))).unwrap_or_default()
        };
        let developer = self
            .applications
            .iter()
            .find(|a| a.keys.iter().any(|k| k.client.as_ref().is_some_and(|c| c.key == consumer_key)))
            .map(|a| a.owner.clone())
            .unwrap_or_default();
        let publisher = self.apis.iter().find(|a| a.tenant == home).map(|a| a.provider.clone()).unwrap_or_default();
        Credentials {
            path: reach(plain, false),
            scoped_path: reach(scoped, true),
            tenant_path: reach(tenant, false),
            token: access,
            consumer_secret: secret(&consumer_key),
            consumer_key,
            scoped_token,
            refresh_token,
            refresh_consumer_secret: secret(&refresh_consumer_key),
            refresh_consumer_key,
            tenant_token: token(tenant).0,
            open_path: self.open_path().unwrap_or_default(),
            password: password(&developer, home),
            user: developer,
            publisher_password: password(&publisher, home),
            publisher,
            admin: "admin".to_owned(),
            admin_password: password("admin", home),
        }
    }

    fn client_tenant(&self, consumer_key: &str) -> Option<i32> {
        self.clients().find(|c| c.key == consumer_key).map(|c| c.tenant)
    }

    /// A GET path of a published API that the client's application is subscribed to. With `scopes`, one that asks
    /// for a scope among them; without, one that asks for none.
    fn reach(&self, consumer_key: &str, scopes: Option<&str>) -> Option<String> {
        let owns = |key: &crate::site::Key| key.client.as_ref().is_some_and(|c| c.key == consumer_key);
        let application = self.applications.iter().find(|a| a.keys.iter().any(owns))?;
        let usable = self
            .subscriptions
            .iter()
            .filter(|s| s.application == application.id && s.status == "UNBLOCKED" && s.create_state == "SUBSCRIBE");
        usable.filter_map(|s| self.apis.iter().find(|a| a.id == s.api && a.status == Status::Published)).find_map(|api| {
            let fits = |r: &&crate::site::Resource| match (scopes, &r.scope) {
                (None, None) => r.auth == "Any",
                (Some(have), Some(want)) => have.split(' ').any(|s| s == want),
                _ => false,
            };
            // A pattern with a name in it makes a more telling example than a bare star.
            let gets = || api.resources.iter().filter(|r| r.verb == "GET").filter(fits);
            let chosen = gets().find(|r| r.pattern.contains('{')).or_else(|| gets().next())?;
            Some(format!("{}{}", api.versioned_context(), example(&chosen.pattern)))
        })
    }

    fn open_path(&self) -> Option<String> {
        self.apis.iter().filter(|a| a.status == Status::Published).find_map(|api| {
            let open = api.resources.iter().find(|r| r.auth == "None" && r.verb == "GET")?;
            Some(format!("{}{}", api.versioned_context(), example(&open.pattern)))
        })
    }
}

/// A path that matches `pattern`.
fn example(pattern: &str) -> String {
    pattern
        .split('/')
        .map(|s| {
            if s.starts_with('{') {
                "42"
            } else if s == "*" {
                "all"
            } else {
                s
            }
        })
        .collect::<Vec<_>>()
        .join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_sample_has_one_of_everything() {
        let shown = Site::sample("http://127.0.0.1:9000", 1_700_000_000_000).credentials();
        assert_eq!(shown.path, "/orders/1.0.0/order/42");
        assert_eq!(shown.scoped_path, "/finance/invoices/1.0/invoice/42");
        assert_eq!(shown.tenant_path, "/t/acme.com/pets/1.0.0/pet/42");
        assert_eq!(shown.open_path, "/weather/1.0.0/ping");
        assert_eq!((shown.user.as_str(), shown.password.as_str()), ("dave", "dave-old-1"));
        assert_eq!((shown.publisher.as_str(), shown.publisher_password.as_str()), ("alice", "alice-old-1"));
        assert_eq!((shown.admin.as_str(), shown.admin_password.as_str()), ("admin", "admin"));
        for word in
            [&shown.token, &shown.consumer_key, &shown.consumer_secret, &shown.scoped_token, &shown.refresh_token, &shown.tenant_token]
        {
            assert_eq!(word.len(), 28);
        }
    }
}
