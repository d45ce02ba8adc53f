//! What a site's own error sequences make of refused calls.

use std::sync::Arc;
use std::time::Duration;

use mediation::{Dialect, Library, Source};
use model::{Continuity, Denial, DenyPolicy, Endpoints, ErrorFormat, ErrorHandler, Generation, KeyType, PolicyId, Tenant, TenantId};
use tidegate_gateway::{Change, Config, HandlerForm, HandlerText, Handlers, Sequences, Snapshot, Uncompilable};

use crate::support::*;

const ACME: TenantId = TenantId(7);

fn sequence(body: &str) -> Source {
    Source::new("handler.xml", format!("<sequence xmlns=\"http://ws.apache.org/ns/synapse\" name=\"s\">{body}</sequence>"))
}

fn of_tenant(tenant: TenantId, all: &[(ErrorHandler, HandlerForm, &str)]) -> Change {
    let sequences =
        all.iter().map(|(handler, form, body)| HandlerText { handler: *handler, form: *form, source: sequence(body) }).collect();
    Change::PutHandlers(Handlers { tenant, sequences, library: Arc::new(Library::new()) })
}

fn whole(handler: ErrorHandler, body: &str) -> Change {
    of_tenant(TenantId::SUPER, &[(handler, HandlerForm::Whole, body)])
}

fn added(handler: ErrorHandler, body: &str) -> Change {
    of_tenant(TenantId::SUPER, &[(handler, HandlerForm::Additions, body)])
}

fn format(error_format: ErrorFormat) -> Change {
    Change::PutContinuity(Continuity { error_format, ..Continuity::none(TenantId::SUPER) })
}

/// Makes an answer of what it is told, as sites do: an element, a status, `send`.
const SAYS: &str = "<payloadFactory media-type=\"xml\"><format><error xmlns=\"\"><code>$1</code><words>$2</words><more>$3</more>\
                    <api>$4</api></error></format><args><arg expression=\"$ctx:ERROR_CODE\"/><arg expression=\"$ctx:ERROR_MESSAGE\"/>\
                    <arg expression=\"$ctx:ERROR_DETAIL\"/><arg expression=\"$ctx:API_NAME\"/></args></payloadFactory>\
                    <property name=\"HTTP_SC\" value=\"418\" scope=\"axis2\"/><property name=\"X-Help\" value=\"https://help.example/\" scope=\"transport\"/>\
                    <property name=\"messageType\" value=\"application/xml\" scope=\"axis2\"/><property name=\"RESPONSE\" value=\"true\"/>\
                    <property name=\"ContentType\" scope=\"axis2\" action=\"remove\"/><header name=\"To\" action=\"remove\"/><property name=\"Authorization\" scope=\"transport\" action=\"remove\"/><send/><drop/>";

fn denied() -> Change {
    Change::PutDenyPolicy(DenyPolicy {
        id: PolicyId::derived(&["deny"]),
        tenant: TenantId::SUPER,
        refused: Denial::Api("/shop/1.0.0".to_owned()),
        enabled: true,
    })
}

async fn of_shop(backend: &Backend) -> Running {
    shop(api(&backend.url(), &[("GET", "/*"), ("POST", "/*")])).await
}

#[tokio::test]
async fn each_refusal_is_answered_by_its_own_handler() {
    let backend = Backend::echo().await;
    let auth = bearer();
    let token = [("Authorization", auth.as_str()), ("X-Mine", "secret"), ("Cookie", "c=1")];
    let closed = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let mut no_production = api(&backend.url(), &[("GET", "/*")]);
    no_production.endpoints = Endpoints::http(None, Some(&backend.url()));
    let mut no_sandbox = api(&backend.url(), &[("GET", "/*")]);
    no_sandbox.endpoints = Endpoints::http(Some(&backend.url()), None);
    let sandbox_key = Change::PutKeyMapping(key_mapping(KeyType::Sandbox));
    let production_key = Change::PutKeyMapping(key_mapping(KeyType::Production));
    let plain = api(&backend.url(), &[("GET", "/*")]);
    for (handler, changes, request, code, words) in [
        (ErrorHandler::AuthFailure, vec![], ("GET", "/shop/1.0.0/x", &token[1..]), "900902", "Missing Credentials"),
        (ErrorHandler::ThrottleOut, vec![denied()], ("GET", "/shop/1.0.0/x", &token[..]), "900805", "Message blocked"),
        (
            ErrorHandler::ResourceMismatch,
            vec![],
            ("DELETE", "/shop/1.0.0/x", &token[..]),
            "405",
            "Method not allowed for given API resource",
        ),
        (
            ErrorHandler::ProductionKey,
            vec![put(no_production)],
            ("GET", "/shop/1.0.0/x", &token[..]),
            "900901",
            "Production key offered to the API with no production endpoint",
        ),
        (
            ErrorHandler::SandboxKey,
            vec![put(no_sandbox), sandbox_key],
            ("GET", "/shop/1.0.0/x", &token[..]),
            "900901",
            "Sandbox key offered to the API with no sandbox endpoint",
        ),
        (
            ErrorHandler::Fault,
            vec![put(api(&closed.url(), &[("GET", "/*")])), production_key],
            ("GET", "/shop/1.0.0/x", &token[..]),
            "101505",
            "Error in Sender",
        ),
    ] {
        let gateway = of_shop(&backend).await;
        gateway.change(&[put(plain.clone())]);
        gateway.change(&changes);
        let (method, path, headers) = request;
        let before = gateway.ask(method, path, headers, "").await;
        assert!(before.status >= 400 && before.status != 418, "{handler:?}: {before:?}");
        gateway.change(&[whole(handler, SAYS)]);
        let answer = gateway.ask(method, path, headers, "").await;
        let head = (answer.status, answer.header("x-help"), answer.header("content-type"));
        assert_eq!(head, (418, Some("https://help.example/"), Some("application/xml; charset=UTF-8")), "{handler:?}: {answer:?}");
        assert!(
            answer.body.contains(&format!("<code>{code}</code><words>{words}</words>")) && answer.body.contains("<api>Shop</api>"),
            "{handler:?}: {}",
            answer.body
        );
        // What the client sent does not come back, and cross-origin headers are there as on every answer.
        assert_eq!((answer.header("x-mine"), answer.header("cookie"), answer.header("authorization")), (None, None, None));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(backend.got().is_empty(), "{handler:?}");
        // Without it everything is as it was, and no other handler has to do with it.
        gateway.change(&[Change::RemoveHandlers(TenantId::SUPER)]);
        assert_eq!(gateway.ask(method, path, headers, "").await.body, before.body, "{handler:?}");
        let other = if handler == ErrorHandler::AuthFailure { ErrorHandler::ThrottleOut } else { ErrorHandler::AuthFailure };
        gateway.change(&[whole(other, SAYS)]);
        assert_eq!(gateway.ask(method, path, headers, "").await.body, before.body, "{handler:?}");
    }
}

#[tokio::test]
async fn a_call_that_no_api_takes_meets_main() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    let main = "<in><filter source=\"get-property('To')\" regex=\"/old/.*\"><then><property name=\"HTTP_SC\" value=\"301\" scope=\"axis2\"/>\
                <property name=\"Location\" expression=\"fn:concat('https://new.example/', $axis2:REST_URL_POSTFIX)\" scope=\"transport\"/><respond/></then></filter>\
                <filter source=\"$ctx:TRANSPORT_DENIED\" regex=\"true\"><then><payloadFactory media-type=\"json\"><format>{\"not over\": \"$1\"}</format>\
                <args><arg expression=\"$ctx:IN_TRANSPORT\"/></args></payloadFactory><property name=\"HTTP_SC\" value=\"403\" scope=\"axis2\"/><send/><drop/></then></filter>\
                </in><out><log level=\"full\"/><drop/></out>";
    gateway.change(&[whole(ErrorHandler::Main, main)]);
    let moved = gateway.get("/old/place?a=1", &[]).await;
    assert_eq!((moved.status, moved.header("location")), (301, Some("https://new.example/old/place?a=1")), "{moved:?}");
    // Nothing said: as it would be without.
    assert_eq!(gateway.get("/elsewhere", &[]).await.code(), "404");
    assert_eq!(gateway.get("/", &[]).await.code(), "404");
    assert_eq!(gateway.get("/healthz", &[]).await.status, 200);
    let mut secure = api(&backend.url(), &[("GET", "/*")]);
    secure.transports = vec!["https".to_owned()];
    gateway.change(&[put(secure)]);
    let denied = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((denied.status, denied.body.contains("\"not over\": \"http\"")), (403, true), "{denied:?}");
}

#[tokio::test]
async fn a_key_desk_that_does_not_answer_is_answered_for_by_its_own() {
    let closed = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let config = Config { token_paths: Some(true), key_desk_url: Some(closed.url()), ..Config::default() };
    let gateway = Running::start(config, &[Change::PutTenant(Tenant::super_tenant(NOW))]).await;
    let form = [("Content-Type", "application/x-www-form-urlencoded")];
    let ask = async || gateway.ask("POST", "/token", &form, "grant_type=client_credentials").await;
    assert_eq!(ask().await.code(), "101505");
    gateway.change(&[whole(ErrorHandler::Fault, SAYS)]);
    assert_eq!(ask().await.code(), "101505", "no API failed");
    gateway.change(&[whole(ErrorHandler::TokenFault, SAYS)]);
    let answer = ask().await;
    assert_eq!((answer.status, answer.header("x-help")), (418, Some("https://help.example/")), "{answer:?}");
    assert!(answer.body.contains("<code>101505</code><words>Error in Sender</words>"), "{}", answer.body);
}

#[tokio::test]
async fn handlers_of_resources_and_keys_end_in_fault() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    let fault = "<payloadFactory media-type=\"json\"><format>{\"fault\": \"$1\", \"status\": \"$2\"}</format><args><arg expression=\"$ctx:ERROR_MESSAGE\"/>\
                 <arg expression=\"$ctx:CUSTOM_HTTP_SC\"/></args></payloadFactory><property name=\"HTTP_SC\" expression=\"$ctx:CUSTOM_HTTP_SC\" scope=\"axis2\"/>\
                 <property name=\"RESPONSE\" value=\"true\"/><send/>";
    let mismatch = "<property name=\"X-Mismatch\" value=\"yes\" scope=\"transport\"/>";
    gateway.change(&[of_tenant(
        TenantId::SUPER,
        &[(ErrorHandler::Fault, HandlerForm::Whole, fault), (ErrorHandler::ResourceMismatch, HandlerForm::Additions, mismatch)],
    )]);
    let answer = gateway.ask("DELETE", "/shop/1.0.0/x", &[], "").await;
    assert_eq!((answer.status, answer.header("x-mismatch")), (405, Some("yes")), "{answer:?}");
    let body: serde_json::Value = serde_json::from_str(&answer.body).unwrap();
    assert_eq!(body, serde_json::json!({"fault": "Method not allowed for given API resource", "status": "405"}));
    // Authentication has nothing to do with it.
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.code(), "900902");
}

#[tokio::test]
async fn what_was_added_runs_over_the_tenants_own_answer() {
    let backend = Backend::echo().await;
    let closed = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let gateway = shop(open_api(&closed.url(), &[("GET", "/*")])).await;
    let add =
        "<property name=\"X-Help\" value=\"here\" scope=\"transport\"/><property name=\"HTTP_SC\" value=\"502\" scope=\"axis2\"/><drop/>";
    let plain = gateway.get("/shop/1.0.0/x", &[]).await;
    gateway.change(&[added(ErrorHandler::Fault, add)]);
    for form in [ErrorFormat::Json40, ErrorFormat::Xml1(Generation::V1_9), ErrorFormat::Accept(Generation::V2_6)] {
        gateway.change(&[format(form)]);
        let answer = gateway.get("/shop/1.0.0/x", &[]).await;
        assert_eq!((answer.status, answer.header("x-help")), (502, Some("here")), "{form:?}: {answer:?}");
        assert_eq!(answer.body.starts_with("<am:fault"), form != ErrorFormat::Json40, "{form:?}: {}", answer.body);
        if form == ErrorFormat::Json40 {
            assert_eq!((&answer.body, answer.header("content-type")), (&plain.body, plain.header("content-type")));
        }
    }
    // They see the answer's body, and may make another of it.
    gateway.change(&[
        format(ErrorFormat::Xml1(Generation::V1_9)),
        added(
            ErrorHandler::Fault,
            "<payloadFactory media-type=\"json\"><format>{\"was\": \"$1\"}</format><args><arg xmlns:am=\"http://wso2.org/apimanager\" expression=\"//am:code\"/></args>\
             </payloadFactory><property name=\"messageType\" value=\"application/json\" scope=\"axis2\"/>",
        ),
    ]);
    let answer = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((answer.status, answer.body.replace(' ', "").as_str()), (500, "{\"was\":\"101505\"}"), "{answer:?}");
    assert!(answer.header("content-type").unwrap().starts_with("application/json"), "{answer:?}");
    // Stock, come along because another calls it, is nothing of the site's.
    gateway.change(&[format(ErrorFormat::Json40), added(ErrorHandler::Fault, "")]);
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.body, plain.body);
    assert!(backend.got().is_empty());
}

#[tokio::test]
async fn authentication_and_limits_build_their_answer_behind_a_sequence_that_lets_through() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    gateway.change(&[format(ErrorFormat::Xml1(Generation::V1_9))]);
    let stock = gateway.get("/shop/1.0.0/x", &[]).await;
    // As in the old product, neither a status nor a body counts that was not sent.
    let site = "<property name=\"error_message_type\" value=\"application/json\"/><property name=\"X-Help\" value=\"keys\" scope=\"transport\"/>\
                <property name=\"HTTP_SC\" value=\"200\" scope=\"axis2\"/><payloadFactory media-type=\"xml\"><format><x/></format><args/></payloadFactory>";
    for form in [HandlerForm::Whole, HandlerForm::Additions] {
        gateway.change(&[of_tenant(TenantId::SUPER, &[(ErrorHandler::AuthFailure, form, site), (ErrorHandler::ThrottleOut, form, site)])]);
        let answer = gateway.get("/shop/1.0.0/x", &[]).await;
        assert_eq!((answer.status, answer.header("x-help")), (401, Some("keys")), "{form:?}: {answer:?}");
        assert_eq!(answer.header("www-authenticate"), stock.header("www-authenticate"));
        assert_eq!(answer.header("content-type"), Some("application/json; charset=UTF-8"));
        assert!(answer.body.starts_with("{\"fault\":{\"code\":900902,"), "{}", answer.body);
        gateway.change(&[denied()]);
        let limited = gateway.get("/shop/1.0.0/x", &[("Authorization", &bearer())]).await;
        assert_eq!((limited.status, limited.header("x-help")), (403, Some("keys")), "{form:?}: {limited:?}");
        assert!(limited.body.starts_with("{\"fault\":{\"code\":900805,"), "{}", limited.body);
        gateway.change(&[Change::RemoveDenyPolicy(PolicyId::derived(&["deny"]))]);
    }
    // The type that stock names changes nothing.
    gateway.change(&[whole(ErrorHandler::AuthFailure, "<property name=\"error_message_type\" value=\"application/xml\"/>")]);
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.body, stock.body);
}

#[tokio::test]
async fn each_tenant_has_its_own() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    let acme = Tenant { id: ACME, domain: "acme.com".to_owned(), ..Tenant::super_tenant(NOW) };
    let own = "<property name=\"HTTP_SC\" value=\"410\" scope=\"axis2\"/><respond/>";
    gateway.change(&[Change::PutTenant(acme), of_tenant(ACME, &[(ErrorHandler::Main, HandlerForm::Whole, own)])]);
    let statuses = async || (gateway.get("/t/acme.com/none", &[]).await.status, gateway.get("/none", &[]).await.status);
    assert_eq!(statuses().await, (410, 404));
    gateway.change(&[whole(ErrorHandler::Main, own), Change::RemoveHandlers(ACME)]);
    assert_eq!(statuses().await, (404, 410));
}

/// What a sequence might do to make a pass of a refusal, or to keep the client from being refused.
fn hostile(backend: &str) -> Vec<String> {
    let own = |body: &str| format!("<endpoint><address uri=\"{body}/x\"/></endpoint>");
    let (at, named) = (own(backend), own(&backend.replace("127.0.0.1", "localhost")));
    let mut all = vec![
        "<send/>".to_owned(),
        "<loopback/>".to_owned(),
        "<drop/>".to_owned(),
        "<respond/>".to_owned(),
        "<call/>".to_owned(),
        "<send receive=\"none\"/>".to_owned(),
        format!("<send>{at}</send>"),
        format!("<call>{at}</call><respond/>"),
        format!("<call>{named}</call><respond/>"),
        format!("<call><endpoint><failover><endpoint><address uri=\"http://127.0.0.1:1/\"/></endpoint>{at}</failover></endpoint></call><respond/>"),
        format!("<callout serviceURL=\"{backend}/x\"><target key=\"k\"/></callout><respond/>"),
        format!("<header name=\"To\" value=\"{backend}/x\"/><send/>"),
        format!("<header name=\"To\" value=\"{backend}/x\"/><call/>"),
        format!("<clone><target><sequence><call>{at}</call></sequence></target><target><sequence><call/></sequence></target></clone>"),
        // Copies that are sent off go from the gateway's own hands for a call that passes; for a refused one they stay.
        format!("<clone><target><sequence><send>{at}</send></sequence></target><target><sequence><send/></sequence></target></clone>"),
        format!("<clone continueParent=\"true\"><target>{at}</target></clone><respond/>"),
        format!("<clone><target><endpoint><address uri=\"{backend}/x\"/></endpoint></target></clone><loopback/>"),
        format!("<iterate expression=\"//*\"><target><sequence><send>{at}</send></sequence></target></iterate>"),
        format!("<iterate continueParent=\"true\" expression=\"//*\"><target><sequence><send/></sequence></target></iterate><respond/>"),
        "<property name=\"OUT_ONLY\" value=\"true\"/><send/>".to_owned(),
        "<cache id=\"k\" timeout=\"60\" collector=\"false\"><onCacheHit><send/></onCacheHit></cache><send/>".to_owned(),
        "<property name=\"RESPONSE\" value=\"false\"/><property name=\"REST_URL_POSTFIX\" value=\"/x\" scope=\"axis2\"/><send/>".to_owned(),
        "<script language=\"js\">while (true) {}</script>".to_owned(),
        "<script language=\"js\">throw 'no';</script>".to_owned(),
        "<property name=\"X\" expression=\"json-eval($.a.b)\"/><sequence key=\"none\"/>".to_owned(),
        "<class name=\"com.acme.Own\"/>".to_owned(),
        "<property name=\"Bad Header\" value=\"x\" scope=\"transport\"/><respond/>".to_owned(),
        "<property name=\"X-Bad\" value=\"\u{20ac}\" scope=\"transport\"/><respond/>".to_owned(),
        "<property name=\"Transfer-Encoding\" value=\"chunked\" scope=\"transport\"/><property name=\"Content-Length\" value=\"7\" scope=\"transport\"/><respond/>"
            .to_owned(),
        "<not-closed>".to_owned(),
        String::new(),
    ];
    let long = "x".repeat(64 << 10);
    let doubled =
        "<payloadFactory media-type=\"xml\"><format><a>$1$1</a></format><args><arg expression=\"$body\"/></args></payloadFactory>";
    all.push(format!(
        "<payloadFactory media-type=\"xml\"><format><a>{long}</a></format><args/></payloadFactory>{}<respond/>",
        doubled.repeat(8)
    ));
    all
}

#[tokio::test]
async fn a_refusal_never_becomes_a_pass() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    let auth = bearer();
    let token = [("Authorization", auth.as_str())];
    let calls = [
        (ErrorHandler::AuthFailure, "POST", &token[..0], 401),
        (ErrorHandler::ThrottleOut, "POST", &token[..], 403),
        (ErrorHandler::ResourceMismatch, "DELETE", &token[..], 405),
    ];
    gateway.change(&[denied()]);
    for (handler, method, headers, status) in calls {
        for body in hostile(&backend.url()) {
            for form in [HandlerForm::Whole, HandlerForm::Additions] {
                let change = of_tenant(TenantId::SUPER, &[(handler, form, &body)]);
                gateway.gateway.swap(gateway.gateway.snapshot().apply_sound(&[change]).0);
                let answer = gateway.ask(method, "/shop/1.0.0/x", headers, "{\"a\":1}").await;
                assert_eq!(answer.status, status, "{handler:?} {form:?} {body}: {answer:?}");
            }
        }
    }
    assert!(backend.got().is_empty(), "{:?}", backend.got());
    // A status that a sequence sets is the status, and no more than that.
    let fine = "<property name=\"HTTP_SC\" value=\"200\" scope=\"axis2\"/><respond/>";
    gateway.change(&[whole(ErrorHandler::AuthFailure, fine)]);
    let answer = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((answer.status, answer.body.as_str()), (200, ""));
    assert!(backend.got().is_empty());
}

#[tokio::test]
async fn a_call_outside_may_help_and_one_that_hangs_does_not_keep_the_client() {
    let backend = Backend::echo().await;
    let words = Backend::start(|_, _, turn| if turn == 0 { ok("{\"words\":\"ask for a key\"}") } else { Deed::Hang }).await;
    let mut changes = subscriber(api("", &[]).id);
    changes.push(put(api(&backend.url(), &[("GET", "/*")])));
    let patience = Duration::from_millis(300);
    let gateway = Running::start(Config { error_sequence_timeout: patience, ..Config::default() }, &changes).await;
    let ask = format!(
        "<call><endpoint><address uri=\"{}/words\"/></endpoint></call><property name=\"HTTP_SC\" value=\"401\" scope=\"axis2\"/><respond/>",
        words.url()
    );
    gateway.change(&[whole(ErrorHandler::AuthFailure, &ask)]);
    let helped = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((helped.status, helped.body.contains("ask for a key")), (401, true), "{helped:?}");
    let late = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((late.status, late.code().as_str()), (401, "900902"), "{late:?}");
    assert!(words.got().len() == 2 && backend.got().is_empty());
}

#[tokio::test]
async fn an_apis_own_fault_sequence_comes_before_fault_and_what_its_sequences_set_is_seen() {
    let backend = Backend::echo().await;
    let gateway = shop(open_api(&backend.url(), &[("GET", "/*")])).await;
    let says = "<payloadFactory media-type=\"json\"><format>{\"who\": \"$1\", \"code\": \"$2\"}</format><args><arg expression=\"$ctx:who\"/>\
                <arg expression=\"$ctx:ERROR_CODE\"/></args></payloadFactory><property name=\"RESPONSE\" value=\"true\"/><send/>";
    let of_api = |fault: Option<&str>| {
        let request = "<property name=\"who\" value=\"set on the way in\"/><property name=\"NO_ENTITY_BODY\" value=\"true\" scope=\"axis2\"/>\
                       <script language=\"js\">throw 'no';</script>";
        Change::PutSequences(Sequences {
            api: api("", &[]).id,
            request: vec![sequence(request)],
            response: Vec::new(),
            fault: fault.map(sequence),
            library: Arc::new(Library::new()),
        })
    };
    let body = async || gateway.get("/shop/1.0.0/x", &[]).await.body.replace(' ', "");
    gateway.change(&[of_api(None), whole(ErrorHandler::Fault, says)]);
    assert_eq!(body().await, "{\"who\":\"setonthewayin\",\"code\":\"0\"}");
    gateway.change(&[added(ErrorHandler::Fault, "<property name=\"X-Who\" expression=\"$ctx:who\" scope=\"transport\"/>")]);
    let answer = gateway.get("/shop/1.0.0/x", &[]).await;
    assert_eq!((answer.header("x-who"), answer.code().as_str()), (Some("set on the way in"), "0"), "{answer:?}");
    gateway.change(&[whole(ErrorHandler::Fault, says)]);
    let own = "<payloadFactory media-type=\"json\"><format>{\"own\": true}</format><args/></payloadFactory><property name=\"RESPONSE\" value=\"true\"/><send/>";
    gateway.change(&[of_api(Some(own))]);
    assert_eq!(body().await, "{\"own\":true}");
    // One that says nothing is answered for by the gateway, not by another.
    gateway.change(&[of_api(Some("<log/>"))]);
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.code(), "0");
    assert!(backend.got().is_empty());
}

#[tokio::test]
async fn preflights_and_refusals_meet_a_sites_cross_origin_sequence() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    let cors = "<filter source=\"$ctx:CORSConfiguration.Enabled\" regex=\"true\"><then>\
                <property name=\"Access-Control-Allow-Headers\" expression=\"fn:concat($ctx:Access-Control-Allow-Headers, ',x-own')\" scope=\"transport\"/>\
                <property name=\"Access-Control-Max-Age\" value=\"600\" scope=\"transport\"/></then></filter>";
    let own = "<property name=\"HTTP_SC\" value=\"410\" scope=\"axis2\"/><respond/>";
    for form in [HandlerForm::Whole, HandlerForm::Additions] {
        gateway.change(&[of_tenant(
            TenantId::SUPER,
            &[(ErrorHandler::Cors, form, cors), (ErrorHandler::ThrottleOut, HandlerForm::Whole, own)],
        )]);
        let asks = [("Origin", "https://a.example"), ("Access-Control-Request-Method", "GET")];
        let preflight = gateway.ask("OPTIONS", "/shop/1.0.0/x", &asks, "").await;
        assert_eq!((preflight.status, preflight.header("access-control-max-age")), (200, Some("600")), "{form:?}: {preflight:?}");
        assert!(preflight.header("access-control-allow-headers").unwrap().ends_with(",x-own"), "{preflight:?}");
        let refused = gateway.get("/shop/1.0.0/x", &[]).await;
        assert_eq!((refused.status, refused.header("access-control-max-age")), (401, Some("600")), "{form:?}: {refused:?}");
    }
    assert!(gateway.get("/shop/1.0.0/x", &[("Authorization", &bearer())]).await.header("access-control-max-age").is_none());
}

#[tokio::test]
async fn a_sequence_that_cannot_run_is_told_and_answered_for() {
    let backend = Backend::echo().await;
    let gateway = of_shop(&backend).await;
    let both = of_tenant(
        TenantId::SUPER,
        &[
            (ErrorHandler::AuthFailure, HandlerForm::Whole, "<class name=\"com.acme.Own\"/>"),
            (ErrorHandler::Main, HandlerForm::Whole, "<property name=\"HTTP_SC\" value=\"410\" scope=\"axis2\"/><respond/>"),
        ],
    );
    let (snapshot, faults) = gateway.gateway.snapshot().apply_sound(&[both]);
    assert!(faults[0].to_string().contains("handler.xml:1: <class com.acme.Own>"), "{faults:?}");
    gateway.gateway.swap(snapshot);
    assert_eq!(gateway.get("/shop/1.0.0/x", &[]).await.code(), "900902");
    assert_eq!(gateway.get("/none", &[]).await.status, 410);
}

#[tokio::test]
async fn calls_may_pass_without_a_sequence_that_cannot_run_where_the_gateway_is_told_so() {
    let backend = Backend::echo().await;
    let id = api("", &[]).id;
    let broken = Change::PutSequences(Sequences {
        api: id,
        request: vec![sequence("<class name=\"com.acme.Own\"/>"), sequence("<property name=\"X-Ran\" value=\"1\" scope=\"transport\"/>")],
        response: Vec::new(),
        fault: None,
        library: Arc::new(Library::new()),
    });
    for (uncompilable_sequences, status) in [(Uncompilable::Refuse, 500), (Uncompilable::Pass, 200)] {
        let mut changes = subscriber(id);
        changes.push(put(open_api(&backend.url(), &[("GET", "/*")])));
        let gateway = Running::start(Config { uncompilable_sequences, ..Config::default() }, &changes).await;
        gateway.gateway.swap(Snapshot::apply_sound(&gateway.gateway.snapshot(), std::slice::from_ref(&broken)).0);
        let answer = gateway.get("/shop/1.0.0/x", &[]).await;
        assert_eq!(answer.status, status, "{answer:?}");
        assert_eq!(answer.body.to_lowercase().contains("x-ran: 1"), status == 200);
    }
}

/// The sequences of real old gateways, run as if the site had changed them, say what the gateway says without: both are held against what the
/// old product answered, and so against each other.
#[tokio::test]
async fn stock_sequences_answer_as_the_gateway_does_without_them() {
    let Some(samples) = std::env::var_os("TIDEGATE_SAMPLES").map(std::path::PathBuf::from) else {
        println!("skipped: TIDEGATE_SAMPLES names no folder of old installations");
        return;
    };
    let closed = Backend::start(|_, _, _| Deed::SendAndClose(Vec::new())).await;
    let auth = bearer();
    let mut compared = 0;
    for (folder, generation, dialect) in [
        ("wso2am-1.8.0-empty", Generation::V1_8, Dialect::V1),
        ("wso2am-1.9.0-empty", Generation::V1_9, Dialect::V1),
        ("wso2am-2.1.0-small", Generation::V2_1, Dialect::V2),
        ("wso2am-2.6.0-small", Generation::V2_6, Dialect::V2),
    ] {
        let sequences = samples.join(folder).join("repository/deployment/server/synapse-configs/default/sequences");
        let text = |name: &str| {
            std::fs::read_to_string(sequences.join(format!("{name}.xml"))).map(|text| Source::new(format!("{name}.xml"), text))
        };
        let mut library = Library::new().with_dialect(dialect);
        let mut stock = Vec::new();
        for handler in ErrorHandler::ALL {
            let Ok(source) = text(handler.name()) else { continue };
            library = library.with_sequence(handler.name(), source.clone());
            stock.push(HandlerText { handler, form: HandlerForm::Whole, source });
        }
        assert!(stock.len() >= 8, "{folder}");
        let gateway = shop(api(&closed.url(), &[("GET", "/*"), ("POST", "/*")])).await;
        let with = Change::PutHandlers(Handlers { tenant: TenantId::SUPER, sequences: stock, library: Arc::new(library) });
        for form in [ErrorFormat::Xml1(generation), ErrorFormat::Accept(generation)] {
            for (method, path, token) in [
                ("GET", "/shop/1.0.0/x", ""),
                ("POST", "/shop/1.0.0/x", ""),
                ("GET", "/shop/1.0.0/x", auth.as_str()),
                ("POST", "/shop/1.0.0/x", auth.as_str()),
                ("DELETE", "/shop/1.0.0/x", auth.as_str()),
                ("GET", "/none/such?a=1", ""),
            ] {
                // Of a JSON request to a 2.x that chose by `Accept`, the gateway answers in JSON what the sequence, whose payloadFactory names
                // its type since then, answers in XML.
                if method == "POST" && !token.is_empty() && form == ErrorFormat::Accept(generation) && dialect == Dialect::V2 {
                    continue;
                }
                let headers = [("Authorization", token), ("Content-Type", "application/json"), ("X-Mine", "1")];
                let headers = if token.is_empty() { &headers[1..] } else { &headers[..] };
                let shown = async || {
                    let answer = gateway.ask(method, path, headers, if method == "POST" { "{}" } else { "" }).await;
                    let heads = ["content-type", "www-authenticate", "x-mine", "access-control-allow-origin"];
                    (answer.status, heads.map(|name| answer.header(name).map(str::to_owned)), answer.body)
                };
                gateway.change(&[format(form), Change::RemoveHandlers(TenantId::SUPER)]);
                let without = shown().await;
                gateway.change(std::slice::from_ref(&with));
                assert_eq!(shown().await, without, "{folder} {form:?} {method} {path} {token}");
                compared += 1;
            }
        }
    }
    println!("{compared} refusals compared");
}

#[test]
fn texts_are_not_shown() {
    let shown = format!("{:?}", whole(ErrorHandler::Main, "<property name=\"password\" value=\"tell-nobody\"/>"));
    assert!(shown.contains("handler.xml") && !shown.contains("tell-nobody"), "{shown}");
}
