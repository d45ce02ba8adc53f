//! A site that answers for refused calls in its own words, taken over and served: the words are still there.

use oldsite::Site;
use server::{Options, Timestamp};
use testkit::{Backend, Caller, House};

use crate::upgrade_road::{Old, Said};

const JSON_ANSWER: &str = "    <property name=\"RESPONSE\" value=\"true\"/>\n    <header name=\"To\" action=\"remove\"/>\n    \
                           <property name=\"NO_ENTITY_BODY\" scope=\"axis2\" action=\"remove\"/>\n    <property name=\"ContentType\" scope=\"axis2\" action=\"remove\"/>\n    \
                           <property name=\"messageType\" value=\"application/json\" scope=\"axis2\"/>\n    <send/>\n    <drop/>";

/// A body in the site's words, which tells what the gateway said.
fn words(kind: &str, status: u16) -> String {
    format!(
        "    <payloadFactory media-type=\"json\">\n        <format>{{\"kind\": \"{kind}\", \"code\": \"$1\", \"why\": \"$2\", \"api\": \"$3\"}}</format>\n        \
         <args><arg expression=\"$ctx:ERROR_CODE\"/><arg expression=\"$ctx:ERROR_MESSAGE\"/><arg expression=\"$ctx:REST_API_CONTEXT\"/></args>\n    \
         </payloadFactory>\n    <property name=\"messageType\" value=\"application/json\" scope=\"axis2\"/>\n    \
         <property name=\"HTTP_SC\" value=\"{status}\" scope=\"axis2\"/>\n    <property name=\"X-Desk\" value=\"desk 7\" scope=\"transport\"/>\n{JSON_ANSWER}"
    )
}

#[tokio::test]
async fn a_sites_own_answers_are_given_after_the_upgrade() {
    let backend = Backend::start().await;
    let now = server::clock::now().0;
    let mut site = Site::sample(&backend.url(), now);
    site.tiers.iter_mut().for_each(|tier| tier.count = 2);
    let weather = site.apis.iter_mut().find(|api| api.name == "Weather").unwrap();
    // A port that was free a moment ago: nothing listens there.
    let free = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    weather.endpoint.production = vec![format!("http://{free}/weather")];
    let shown = site.credentials();
    let old = Old::of(site);
    old.put_sequence("_auth_failure_handler_", &words("key", 401));
    old.put_sequence("_throttle_out_handler_", &words("limit", 429));
    old.put_sequence("fault", &words("fault", 502));
    let assessed = old.fine(&["assess"], "data");
    assert!(assessed.contains("It runs as the site wrote it"), "{assessed}");
    let mut apply = old.command(&["apply", "--unplanned"], "data");
    let said = Said::of(apply.env_remove("TIDEGATE_ENCRYPTION_KEY").output().unwrap());
    assert!(said.fine, "{}", said.text);

    let house = House::with(&old.at("data"), Options::default(), Some(Timestamp(now - now.rem_euclid(60_000)))).await;
    let caller = Caller::new(&house);
    let answered = async |path: &str, token: &str, status: u16| {
        let answer = caller.get(path, token).await;
        let body = answer.expect(status);
        assert_eq!(answer.header("x-desk"), Some("desk 7"), "{body}");
        assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{body}");
        (body["kind"].as_str().unwrap().to_owned(), body["code"].to_string().replace('"', ""), body["why"].as_str().unwrap().to_owned())
    };
    let told = |kind: &str, code: &str, why: &str| (kind.to_owned(), code.to_owned(), why.to_owned());
    for token in ["", "wrong"] {
        let (code, why) = if token.is_empty() { ("900902", "Missing Credentials") } else { ("900901", "Invalid Credentials") };
        assert_eq!(answered(&shown.path, token, 401).await, told("key", code, why));
    }
    for _ in 0..2 {
        caller.get(&shown.path, &shown.token).await.expect(200);
    }
    assert_eq!(answered(&shown.path, &shown.token, 429).await, told("limit", "900800", "Message Throttled Out"));
    assert_eq!(answered(&shown.open_path, "", 502).await, told("fault", "101503", "Error connecting to the back end"));
    assert_eq!(backend.requests(), 2);
    // The other tenant's gateway had sequences of its own: the one of the sample, which names a type and a help page.
    let theirs = caller.get(&shown.tenant_path, "").await;
    theirs.refused_as_a_fault(401, 900_902);
    assert_eq!((theirs.header("x-help"), theirs.header("x-desk")), (Some("https://help.old.example/keys"), None));
    // A path of no API meets `main`, which the site left as it was.
    caller.get("/nowhere", "").await.refused_in_xml(404, 404);
}
