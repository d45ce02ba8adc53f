//! Finding APIs and looking at one.

use model::{LifecycleState, Property, Visibility};
use portal::Config;
use serde_json::{Value, json};

use crate::setting::{ACME, ACME_DOMAIN, Setting, on_postgresql};

fn names(list: &Value) -> Vec<&str> {
    list["list"].as_array().unwrap().iter().map(|api| api["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn each_sees_what_is_meant_for_them() {
    each_sees_what_is_meant_for_them_on(Setting::new().await).await;
}

#[tokio::test]
async fn each_sees_what_is_meant_for_them_on_postgresql() {
    on_postgresql(each_sees_what_is_meant_for_them_on).await;
}

async fn each_sees_what_is_meant_for_them_on(setting: Setting) {
    setting.api("Public", |_| {}).await;
    let private = setting.api("Private", |api| api.visibility = Visibility::Private).await;
    let restricted = |api: &mut model::Api| {
        api.visibility = Visibility::Restricted;
        api.visible_roles = vec!["Gold-Partner".to_owned()];
    };
    let restricted = setting.api("Restricted", restricted).await;
    let hidden = setting.api("Hidden", |api| api.enable_store = false).await;
    let created = setting.api("Created", |api| api.state = LifecycleState::Created).await;
    let deprecated = setting.api("Deprecated", |api| api.state = LifecycleState::Deprecated).await;
    let theirs = |api: &mut model::Api| {
        api.tenant = ACME;
        api.context = "/t/acme.com/theirs/1.0".to_owned();
        api.context_template = "/t/acme.com/theirs/{version}".to_owned();
    };
    let theirs = setting.api("Theirs", theirs).await;

    assert_eq!(names(&setting.get("", "/apis").await.body), ["Public"]);
    assert_eq!(names(&setting.get("other", "/apis").await.body), ["Private", "Public"]);
    assert_eq!(names(&setting.get("dev", "/apis").await.body), ["Private", "Public", "Restricted"]);
    assert_eq!(names(&setting.get("acme", "/apis").await.body), ["Theirs"]);
    let visiting = setting.ask_as("acme", Some("carbon.super"), "GET", "/apis", None).await;
    assert_eq!(names(&visiting.body), ["Public"], "guests from another tenant see what is public");
    let visiting = setting.ask_as("", Some(ACME_DOMAIN), "GET", "/apis", None).await;
    assert_eq!(names(&visiting.body), ["Theirs"]);
    assert_eq!(setting.ask_as("", Some("nobody.com"), "GET", "/apis", None).await.status, 404);

    for (api, seen_by) in [
        (&private, vec!["dev", "other"]),
        (&restricted, vec!["dev"]),
        (&hidden, vec![]),
        (&created, vec![]),
        (&deprecated, vec!["", "dev", "other"]),
        (&theirs, vec!["acme"]),
    ] {
        for token in ["", "dev", "other", "acme"] {
            for tail in ["", "/swagger", "/subscription-policies"] {
                let status = setting.get(token, &format!("/apis/{}{tail}", api.id)).await.status;
                assert_eq!(status, if seen_by.contains(&token) { 200 } else { 404 }, "{token} {}{tail}", api.name);
            }
        }
    }
    assert_eq!(setting.get("", "/apis/no-uuid").await.status, 404);
}

#[tokio::test]
async fn deprecated_apis_are_listed_where_that_is_wanted() {
    let setting = Setting::with(Config { list_deprecated: true, ..Config::default() }).await;
    setting.api("Old", |api| api.state = LifecycleState::Deprecated).await;
    assert_eq!(names(&setting.get("", "/apis").await.body), ["Old"]);
}

#[tokio::test]
async fn a_search_narrows_and_a_page_cuts() {
    let setting = Setting::new().await;
    setting.api("Pizza", |api| api.tags = vec!["food".to_owned()]).await;
    setting.api("PizzaShack", |api| api.description = Some("Cheese for everybody".to_owned())).await;
    setting.api("Weather", |_| {}).await;
    assert_eq!(names(&setting.get("", "/apis?query=pizza").await.body), ["Pizza", "PizzaShack"]);
    assert_eq!(names(&setting.get("", "/apis?query=name:%22Pizza%22").await.body), ["Pizza"]);
    assert_eq!(names(&setting.get("", "/apis?query=tags:food").await.body), ["Pizza"]);
    assert_eq!(names(&setting.get("", "/search?query=cheese").await.body), ["PizzaShack"]);
    assert_eq!(setting.get("", "/search?query=cheese").await.body["list"][0]["type"], "API");
    assert_eq!(setting.get("", "/apis?query=type:%22APIProduct%22").await.body["count"], 0);
    assert_eq!(setting.get("", "/apis?query=name:").await.status, 400);
    for path in ["/apis/%FF", "/apis?query=a&query=b"] {
        let broken = setting.get("", path).await;
        assert_eq!((broken.status, &broken.body["code"]), (400, &json!(400)), "{path}: {}", broken.body);
    }
    let page = setting.get("", "/apis?limit=1&offset=1").await.body;
    assert_eq!(names(&page), ["PizzaShack"]);
    assert_eq!((&page["count"], &page["pagination"]["total"]), (&json!(1), &json!(3)));
    assert_eq!(page["pagination"]["next"], "/apis?limit=1&offset=2&query=");
    assert_eq!(setting.get("", "/tags").await.body["list"], json!([{"value": "food", "count": 1}]));
}

#[tokio::test]
async fn tags_tell_of_nothing_that_is_hidden() {
    let setting = Setting::new().await;
    let tagged = |tags: &'static [&'static str], change: fn(&mut model::Api)| {
        move |api: &mut model::Api| {
            api.tags = tags.iter().map(|tag| (*tag).to_owned()).collect();
            change(api);
        }
    };
    let restrict = |api: &mut model::Api| {
        api.visibility = Visibility::Restricted;
        api.visible_roles = vec!["gold-partner".to_owned()];
    };
    setting.api("Public", tagged(&["food"], |_| {})).await;
    setting.api("Private", tagged(&["food", "inner"], |api| api.visibility = Visibility::Private)).await;
    setting.api("Restricted", tagged(&["food", "merger"], restrict)).await;
    setting.api("Hidden", tagged(&["unshown"], |api| api.enable_store = false)).await;
    setting.api("Created", tagged(&["draft"], |api| api.state = LifecycleState::Created)).await;
    let tag = |value: &str, count: u32| json!({"value": value, "count": count});
    for (token, tags) in [
        ("", vec![tag("food", 1)]),
        ("other", vec![tag("food", 2), tag("inner", 1)]),
        ("dev", vec![tag("food", 3), tag("inner", 1), tag("merger", 1)]),
        ("acme", vec![]),
    ] {
        assert_eq!(setting.get(token, "/tags").await.body["list"], json!(tags), "{token}");
    }
    let visiting = setting.ask_as("acme", Some("carbon.super"), "GET", "/tags", None).await;
    assert_eq!(visiting.body["list"], json!([tag("food", 1)]));
}

#[tokio::test]
async fn one_api_is_shown_with_its_addresses_and_plans() {
    let setting = Setting::new().await;
    let change = |api: &mut model::Api| {
        api.is_default_version = true;
        api.plans.push("Nobody-made-this".to_owned());
        let property = |name: &str, display| Property { name: name.to_owned(), value: "v".to_owned(), display };
        api.properties = vec![property("shown", true), property("kept", false)];
        api.endpoints = model::Endpoints::http(Some("http://backend"), None);
    };
    let api = setting.api("Pizza", change).await;
    let path = format!("/apis/{}", api.id);
    let bare = setting.get("", &path).await.body;
    assert_eq!((&bare["endpointURLs"], &bare["environmentList"]), (&json!([]), &json!([])), "it is not deployed yet");
    setting.deploy(&api).await;
    let shown = setting.get("", &path).await.body;
    let expected = json!([{
        "environmentName": "Default",
        "environmentDisplayName": "Default",
        "environmentType": "hybrid",
        "URLs": {"http": "http://gw.example.com:8280/pizza/1.0", "https": "https://gw.example.com/pizza/1.0", "ws": null, "wss": null},
        "defaultVersionURLs": {"http": "http://gw.example.com:8280/pizza", "https": "https://gw.example.com/pizza", "ws": null, "wss": null},
    }]);
    assert_eq!(shown["endpointURLs"], expected);
    let tiers: Vec<&Value> = shown["tiers"].as_array().unwrap().iter().map(|tier| &tier["tierName"]).collect();
    assert_eq!(tiers, ["Gold", "Unlimited"]);
    assert_eq!(shown["additionalProperties"], json!([{"name": "shown", "value": "v", "display": true}]));
    assert_eq!(shown["lastUpdatedTime"], "1700000000000");
    assert!(!shown.to_string().contains("backend"), "backends are nobody's business");
    let swagger = setting.get("", &format!("{path}/swagger?environmentName=Default")).await.body;
    let servers = json!([{"url": "https://gw.example.com/pizza/1.0"}, {"url": "http://gw.example.com:8280/pizza/1.0"}]);
    assert_eq!(swagger["servers"], servers);
    assert_eq!(setting.get("", &format!("{path}/swagger?environmentName=Moon")).await.status, 404);
}

#[tokio::test]
async fn plans_are_offered_by_role() {
    let setting = Setting::new().await;
    let api = setting.api("Pizza", |_| {}).await;
    let mut tx = setting.db.write().await.unwrap();
    let mut gold = db::policies::subscription::find_by_name(&mut tx, api.tenant, "Gold").await.unwrap().unwrap();
    gold.permission = Some(model::PlanPermission { allow: true, roles: vec!["gold-partner".to_owned()] });
    db::policies::subscription::update(&mut tx, &gold).await.unwrap();
    tx.commit().await.unwrap();
    let path = format!("/apis/{}/subscription-policies", api.id);
    let offered = async |token: &str| setting.get(token, &path).await.body.as_array().unwrap().len();
    assert_eq!((offered("dev").await, offered("other").await, offered("").await), (2, 1, 1));
    assert_eq!(setting.get("other", "/throttling-policies/subscription/Gold").await.status, 404);
    let gold = setting.get("dev", "/throttling-policies/subscription/Gold").await.body;
    assert_eq!((&gold["requestCount"], &gold["timeUnit"], &gold["quotaPolicyType"]), (&json!(5000), &json!("min"), &json!("REQUESTCOUNT")));
    assert_eq!(setting.get("", "/throttling-policies/application").await.body["pagination"]["total"], 4);
    assert_eq!(setting.get("", "/throttling-policies/advanced").await.body["code"], 900_968);
}
