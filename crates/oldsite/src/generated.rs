//! Larger sites for tests of scale: the sample, plus as many more as asked.

use crate::sample::{api, completed_key, resource};
use crate::seed;
use crate::site::{Application, DAY_MS, Role, SUPER_DOMAIN, SUPER_TENANT, Site, Status, Subscription, Token, TokenKind, User};

/// How much to add to the sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Size {
    pub users: u32,
    pub apis: u32,
    /// Spread over the users.
    pub applications: u32,
    /// Subscriptions of each application (fewer when there are fewer APIs).
    pub subscriptions_each: u32,
    /// Spread over the applications.
    pub tokens: u32,
}

/// Ids of generated records start here, clear of the sample's.
const FIRST: i32 = 1000;

impl Site {
    /// The sample enlarged by `size`. The same arguments make the same site.
    pub fn generated(size: Size, seed: u64, backend_url: &str, now_ms: i64) -> Self {
        let mut site = Self { seed, ..Self::sample(backend_url, now_ms) };
        site.roles.push(Role { name: "generated".to_owned(), tenant: SUPER_TENANT, internal: true, permissions: Vec::new() });
        for n in 0..size.users.max(1) {
            site.users.push(User {
                name: format!("user{n}"),
                tenant: SUPER_TENANT,
                password: format!("password-{n}"),
                roles: vec!["Internal/subscriber".to_owned(), "Internal/everyone".to_owned(), "Internal/generated".to_owned()],
                attributes: vec![("mail".to_owned(), format!("user{n}@mail.example"))],
            });
        }
        for (id, n) in (FIRST..).zip(0..size.apis) {
            const STATES: [Status; 5] = [Status::Published, Status::Published, Status::Published, Status::Deprecated, Status::Created];
            let status = STATES.get(seed::below(seed, &format!("status:{n}"), STATES.len())).copied().unwrap_or(Status::Published);
            let mut made = api(&site, id, "alice", &format!("Generated{n}"), "1.0.0", &format!("/generated/{n}"), status);
            for r in 0..seed::below(seed, &format!("resources:{n}"), 6) {
                made.resources.push(resource("GET", &format!("/part{r}/{{id}}"), "Any", None));
                made.resources.push(resource("POST", &format!("/part{r}"), "Any", None));
            }
            made.tags = vec![format!("tag{}", n % 10)];
            site.apis.push(made);
        }
        applications(&mut site, size);
        tokens(&mut site, size.tokens);
        site
    }
}

fn applications(site: &mut Site, size: Size) {
    let mut subscription = FIRST;
    for (id, n) in (FIRST..).zip(0..size.applications) {
        let owner = format!("user{}", n % size.users.max(1));
        let name = format!("Application {n}");
        let keys = vec![completed_key(site, "PRODUCTION", &owner, &name, None)];
        let tier = "Unlimited".to_owned();
        site.applications.push(Application {
            id,
            name,
            owner,
            tenant: SUPER_TENANT,
            tier,
            status: "APPROVED".to_owned(),
            group: String::new(),
            callback_url: None,
            description: format!("Made to test size, number {n}"),
            keys,
        });
        let first = seed::below(site.seed, &format!("subscription:{n}"), usize::try_from(size.apis).unwrap_or(0));
        for step in 0..size.subscriptions_each.min(size.apis) {
            let at = (u32::try_from(first).unwrap_or(0) + step) % size.apis;
            site.subscriptions.push(Subscription {
                id: subscription,
                application: id,
                api: FIRST.saturating_add_unsigned(at),
                tier: "Unlimited".to_owned(),
                status: "UNBLOCKED".to_owned(),
                create_state: "SUBSCRIBE".to_owned(),
            });
            subscription += 1;
        }
    }
}

fn tokens(site: &mut Site, count: u32) {
    let clients: Vec<(String, String)> = site
        .applications
        .iter()
        .filter(|a| a.id >= FIRST)
        .flat_map(|a| &a.keys)
        .filter_map(|k| k.client.as_ref())
        .map(|c| (c.key.clone(), c.owner.clone()))
        .collect();
    for (n, (consumer_key, owner)) in (0..count).zip(clients.iter().cycle()) {
        site.tokens.push(Token {
            access: seed::key(site.seed, &format!("generated-token:{n}")),
            refresh: Some(seed::key(site.seed, &format!("generated-refresh:{n}"))),
            consumer_key: consumer_key.clone(),
            user: format!("{owner}@{SUPER_DOMAIN}"),
            kind: if n % 3 == 0 { TokenKind::User } else { TokenKind::Application },
            created_ms: site.now_ms - i64::from(n % 1000) * 1000,
            validity_ms: 30 * DAY_MS,
            scopes: if n % 3 == 0 { format!("default device_{n}") } else { "am_application_scope default".to_owned() },
            state: "ACTIVE".to_owned(),
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_add_to_the_sample_and_repeat() {
        let size = Size { users: 3, apis: 7, applications: 11, subscriptions_each: 4, tokens: 50 };
        let sample = Site::sample("http://b", 0);
        let site = Site::generated(size, 9, "http://b", 0);
        assert_eq!(site.apis.len() - sample.apis.len(), 7);
        assert_eq!(site.subscriptions.len() - sample.subscriptions.len(), 44);
        assert_eq!(site.tokens.len() - sample.tokens.len(), 50);
        let again = Site::generated(size, 9, "http://b", 0);
        assert_eq!(
            crate::databases(&site).am.values("IDN_OAUTH2_ACCESS_TOKEN", "ACCESS_TOKEN"),
            crate::databases(&again).am.values("IDN_OAUTH2_ACCESS_TOKEN", "ACCESS_TOKEN")
        );
    }
}
