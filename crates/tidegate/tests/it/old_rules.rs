//! What an old gateway decides on a call, written here a second time from the old product's rules: it knows the made-up installation, and
//! neither our database nor our gateway.

use http::Method;
use oldsite::{Api, Credentials, Resource, Site, Status, Subscription, Token, TokenKind, Version};

/// A call with who makes it.
pub(crate) struct OldCall<'a> {
    pub(crate) api: &'a Api,
    pub(crate) resource: &'a Resource,
    pub(crate) token: Option<&'a Token>,
}

/// Status and, of a refusal, the code in its body.
pub(crate) type Decision = (u16, Option<&'static str>);

const PASSES: Decision = (200, None);

impl OldCall<'_> {
    pub(crate) fn verb(&self) -> Method {
        self.resource.verb.parse().unwrap()
    }

    pub(crate) fn path(&self) -> String {
        let pattern = self.resource.pattern.replace('*', "1");
        let mut path = String::new();
        let mut inside = false;
        for c in pattern.chars() {
            match c {
                '{' => inside = true,
                '}' => {
                    inside = false;
                    path.push('1');
                }
                c if !inside => path.push(c),
                _ => {}
            }
        }
        format!("{}{path}", self.api.versioned_context())
    }

    /// As a gateway of `version` would have answered at this moment a caller who names no site.
    pub(crate) fn decided(&self, site: &Site, now_ms: i64) -> Decision {
        match self.api.status {
            Status::Created | Status::Retired => return (404, None),
            Status::Blocked => return (503, Some("700700")),
            Status::Prototyped => return PASSES,
            Status::Published | Status::Deprecated => {}
        }
        if self.resource.auth == "None" {
            return PASSES;
        }
        let Some(token) = self.token else { return (401, Some("900902")) };
        // The column says ACTIVE, and its time is not over: negative and the greatest number never end.
        let lives = token.validity_ms < 0 || token.validity_ms == i64::MAX || token.created_ms + token.validity_ms > now_ms;
        if token.state != "ACTIVE" || !lives {
            return (401, Some("900901"));
        }
        let wrong = match self.resource.auth.as_str() {
            "Application" => token.kind == TokenKind::User,
            "Application_User" => token.kind == TokenKind::Application,
            _ => false,
        };
        if wrong {
            return (401, Some("900905"));
        }
        let owned = site.applications.iter().flat_map(|a| a.keys.iter().map(move |k| (a, k)));
        let key = owned.into_iter().find(|(_, k)| k.client.as_ref().is_some_and(|c| c.key == token.consumer_key));
        let Some((application, key)) = key else { return (403, Some("900908")) };
        let held = site.subscriptions.iter().filter(|s| s.application == application.id && s.api == self.api.id);
        let held = held.filter(|s| s.create_state == "SUBSCRIBE").min_by_key(|s| s.id);
        match held.map(|s| s.status.as_str()) {
            None => return (403, Some("900908")),
            Some("UNBLOCKED") => {}
            Some("PROD_ONLY_BLOCKED") if key.kind == "SANDBOX" => {}
            Some("BLOCKED" | "PROD_ONLY_BLOCKED") => return (401, Some("900907")),
            Some(_) => return (401, Some("900909")),
        }
        // Asked for until 2.0, and nobody names a site here.
        if site.version < Version::V2_0_0 && !key.domains.iter().any(|domain| domain == "ALL") {
            return (401, Some("\"code\":0,"));
        }
        let lacks = self.resource.scope.as_ref().is_some_and(|scope| !token.scopes.split(' ').any(|s| s == scope));
        if lacks { (403, Some("900910")) } else { PASSES }
    }

    /// Whether nothing but who calls decides: there is a backend for this kind of key, and no script in its place.
    pub(crate) fn is_plain(&self, site: &Site) -> bool {
        let sandbox = self.token.is_some_and(|t| {
            let keys = site.applications.iter().flat_map(|a| &a.keys);
            keys.filter(|k| k.kind == "SANDBOX").any(|k| k.client.as_ref().is_some_and(|c| c.key == t.consumer_key))
        });
        let has_backend = !(if sandbox { &self.api.endpoint.sandbox } else { &self.api.endpoint.production }).is_empty();
        !self.api.endpoint.inline && has_backend
    }
}

/// Every token, and nobody, on every resource.
pub(crate) fn all_calls(site: &Site) -> Vec<OldCall<'_>> {
    let resources = site.apis.iter().flat_map(|api| api.resources.iter().map(move |resource| (api, resource)));
    let callers: Vec<Option<&Token>> = std::iter::once(None).chain(site.tokens.iter().map(Some)).collect();
    let calls = resources.flat_map(|(api, resource)| {
        let of = callers.clone();
        of.into_iter().map(move |token| OldCall { api, resource, token })
    });
    calls.filter(|call| call.is_plain(site)).collect()
}

/// A site with callers of every sort: kinds of tokens for every key, resources that ask for a kind in two tenants, subscriptions of every
/// state; and limits that nobody reaches, because how often is another question.
pub(crate) fn busy_site(backend_url: &str, now_ms: i64) -> (Site, Credentials) {
    let mut site = Site::sample(backend_url, now_ms);
    let old = site.credentials();
    site.tiers.iter_mut().for_each(|tier| tier.count = 1_000_000);
    for name in ["Orders", "Weather", "Pets"] {
        let api = site.apis.iter_mut().find(|a| a.name == name && a.version.starts_with('1')).unwrap();
        let like = api.resources[0].clone();
        for (pattern, auth) in [("/for-applications/{id}", "Application"), ("/for-users/{id}", "Application_User"), ("/for-both", "Any")] {
            api.resources.push(Resource {
                verb: "GET".to_owned(),
                pattern: pattern.to_owned(),
                auth: auth.to_owned(),
                tier: "Unlimited".to_owned(),
                scope: None,
                ..like.clone()
            });
        }
    }
    let like = site.subscriptions[0].clone();
    for (n, (application, api, status)) in
        [(2, 11, "UNBLOCKED"), (5, 12, "PROD_ONLY_BLOCKED"), (3, 3, "BLOCKED"), (3, 4, "REJECTED"), (8, 1, "UNBLOCKED"), (8, 3, "ON_HOLD")]
            .into_iter()
            .enumerate()
    {
        let id = 500 + i32::try_from(n).unwrap();
        let place = (application, api);
        if site.subscriptions.iter().all(|s| (s.application, s.api) != place) {
            site.subscriptions.push(Subscription { id, application, api, status: status.to_owned(), ..like.clone() });
        }
    }
    // For each key a token of its application and one of a user, with a scope and without, one that never ends and one whose time is over.
    let keys: Vec<(String, String)> = site
        .applications
        .iter()
        .flat_map(|a| a.keys.iter().filter_map(|k| Some((k.client.as_ref()?.key.clone(), a.owner.clone()))))
        .collect();
    let (application, user) = (site.tokens[0].clone(), site.tokens[3].clone());
    for (n, (key, owner)) in keys.iter().enumerate() {
        let user_name = if owner.contains('@') { owner.clone() } else { format!("{owner}@carbon.super") };
        let mut add = |like: &Token, label: &str, change: &dyn Fn(&mut Token)| {
            let mut token = Token {
                access: format!("made{n}{label}0123456789abcdef"),
                refresh: Some(format!("renews{n}{label}0123456789abcdef")),
                consumer_key: key.clone(),
                user: user_name.clone(),
                ..like.clone()
            };
            change(&mut token);
            site.tokens.push(token);
        };
        add(&application, "app", &|_| {});
        add(&user, "user", &|_| {});
        add(&user, "scoped", &|t| t.scopes = "invoice_read order_delete".to_owned());
        add(&user, "never", &|t| t.validity_ms = -1);
        add(&user, "over", &|t| (t.created_ms, t.validity_ms) = (t.created_ms - 7_200_000, 3_600_000));
        add(&application, "revoked", &|t| t.state = "REVOKED".to_owned());
    }
    (site, old)
}
