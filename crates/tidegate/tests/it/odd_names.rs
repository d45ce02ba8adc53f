//! Users whose names read in two ways sign in as they did, or do not as they did not: an at sign that names no tenant is part of the name, a
//! slash that names no store is nobody, to the old product too.

use oldsite::{Dirt, Site};
use testkit::{Caller, Client, House};

use crate::upgrade_road::{Old, Said};

#[tokio::test]
async fn users_with_odd_names_sign_in_with_their_old_passwords() {
    let mut site = Site::sample("http://127.0.0.1:9", server::clock::now().0);
    site.dirt = vec![Dirt::OddUserNames];
    let old = Old::of(site);
    let mut apply = old.command(&["apply", "--unplanned"], "data");
    // The server in this process has no key but the one beside its database.
    let said = Said::of(apply.env_remove("TIDEGATE_ENCRYPTION_KEY").output().unwrap());
    assert!(said.fine, "{}", said.text);
    let house = House::on(&old.at("data")).await;
    let caller = Caller::new(&house);
    let credentials = old.site.credentials();
    let client = Client { id: credentials.consumer_key, secret: credentials.consumer_secret };
    for name in ["UPPER", "mary@home@carbon.super", "zoe@mail.example@carbon.super"] {
        let granted = caller.password_grant(&client, name, "odd-old-1", "").await;
        assert!(granted["access_token"].is_string(), "{name}: {granted}");
        // Once more, with the form the first sign-in gave the password.
        caller.password_grant(&client, name, "odd-old-1", "").await;
        let form = [("grant_type", "password"), ("username", name), ("password", "odd-old-2")];
        assert!(caller.oauth2("token", &client, &form).await.status.is_client_error(), "{name} signs in with any password");
    }
    for name in ["CORP/mike", "mike"] {
        let form = [("grant_type", "password"), ("username", name), ("password", "odd-old-1")];
        assert_eq!(caller.oauth2("token", &client, &form).await.expect(400)["error"], "invalid_grant", "{name}");
    }
}
