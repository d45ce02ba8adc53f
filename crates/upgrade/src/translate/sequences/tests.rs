use model::{ApiId, LifecycleState, Timestamp};

use super::*;
use crate::old::apis::ApiRow;
use crate::old::{Installation, TenantFiles};
use crate::source::files::SynapseFile;
use crate::translate::policies::bare;
use crate::translate::{Finding, Severity};

const SYNAPSE: &str = "http://ws.apache.org/ns/synapse";

fn text(name: &str, body: &str) -> Vec<u8> {
    format!("<sequence xmlns=\"{SYNAPSE}\" name=\"{name}\">{body}</sequence>").into_bytes()
}

fn resource(direction: &str, file: &str, bytes: Vec<u8>) -> SequenceResource {
    SequenceResource { direction: direction.to_owned(), file: file.to_owned(), uuid: None, bytes }
}

fn deployed(kind: &str, name: &str, bytes: Vec<u8>) -> SynapseFile {
    SynapseFile { tenant_id: -1234, kind: kind.to_owned(), name: name.to_owned(), bytes: crate::packed::Squeezed::new(&bytes) }
}

/// Flow, name, and whether it is a shared one.
type Reference = (String, String, bool);

/// An installation with one API, Weather 1.0 of `ann`, that names these sequences.
struct Site {
    old: Installation,
    synapse: Vec<SynapseFile>,
}

impl Site {
    fn new(named: &[(&str, &str)]) -> Self {
        let mut old = bare::installation();
        let fields = named.iter().map(|(flow, name)| (format!("overview_{flow}Sequence"), (*name).to_owned())).collect();
        let artifact =
            Artifact { path: String::new(), fields, fault: None, properties: Vec::new(), creator: None, created: None, updated: None };
        old.apis = vec![OldApi { row: Some(row()), artifact: Some(artifact), tenant_id: -1234, ..OldApi::default() }];
        Self { old, synapse: Vec::new() }
    }

    fn shared(mut self, direction: &str, file: &str, bytes: Vec<u8>) -> Self {
        if self.old.tenant_files.is_empty() {
            self.old.tenant_files = vec![TenantFiles { tenant_id: -1234, ..TenantFiles::default() }];
        }
        self.old.tenant_files[0].sequences.push(resource(direction, file, bytes));
        self
    }

    fn on_gateway(mut self, kind: &str, name: &str, bytes: Vec<u8>) -> Self {
        self.synapse.push(deployed(kind, name, bytes));
        self
    }

    /// What is carried, what the API refers to, and what is told.
    fn carried(&self) -> (Vec<StoredSequence>, Vec<Reference>, Vec<Finding>) {
        let done = bare::with_gateway(&self.old, &self.synapse, |desk| {
            let mut all = read(desk);
            let id = ApiId::derived(&["weather"]);
            let mut api = Api::new(id, TenantId::SUPER, "ann", "Weather", "1.0", "/weather/{version}", Timestamp(0));
            api.state = LifecycleState::Published;
            let old = &desk.old.apis[0];
            all.attach(desk, old, old.artifact.as_ref(), &mut api, "AM_API 1");
            let refs = api.mediation_policies.iter().map(|p| (p.flow.clone(), p.name.clone(), p.shared)).collect::<Vec<_>>();
            (all.finish(desk).into_iter().map(|c| c.value).collect::<Vec<_>>(), refs)
        });
        (done.value.0, done.value.1, done.findings)
    }
}

fn row() -> ApiRow {
    ApiRow {
        id: 1,
        provider: "ann".to_owned(),
        name: "Weather".to_owned(),
        version: "1.0".to_owned(),
        context: None,
        context_template: None,
        created_by: None,
        created: None,
        updated_by: None,
        updated: None,
        tier: None,
    }
}

fn is_at(place: SequencePlace) -> &'static str {
    match place {
        SequencePlace::Api(..) => "api",
        SequencePlace::Shared(_) => "shared",
        SequencePlace::Gateway => "gateway",
        SequencePlace::LocalEntry => "entry",
        SequencePlace::Endpoint => "endpoint",
    }
}

fn shown(carried: &[StoredSequence]) -> Vec<(&'static str, &str)> {
    carried.iter().map(|s| (is_at(s.place), s.file.as_str())).collect()
}

#[test]
fn an_api_runs_the_sequence_its_artifact_names_by_the_name_inside() {
    let site = Site::new(&[("in", "stamp"), ("out", "gone"), ("fault", "None")])
        .shared("in", "file-of-another-name.xml", text("stamp", "<log/>"))
        .shared("out", "stamp.xml", text("stamp", "<drop/>"));
    let (carried, refs, findings) = site.carried();
    assert_eq!(shown(&carried), [("shared", "file-of-another-name.xml"), ("shared", "stamp.xml")]);
    assert_eq!(refs, [("in".into(), "stamp".into(), true)]);
    assert!(findings.iter().any(|f| f.severity == Severity::Warning && f.words == "Weather 1.0 names the out sequence gone"));
}

#[test]
fn an_apis_own_sequence_counts_before_a_shared_one() {
    let mut site = Site::new(&[("in", "stamp")]).shared("in", "stamp.xml", text("stamp", "<drop/>"));
    site.old.apis[0].sequences.push(resource("in", "stamp.xml", text("stamp", "<log/>")));
    let (carried, refs, _) = site.carried();
    assert_eq!(shown(&carried), [("shared", "stamp.xml"), ("api", "stamp.xml")]);
    assert_eq!(refs, [("in".into(), "stamp".into(), false)]);
}

#[test]
fn what_ran_on_the_gateway_counts_before_what_the_registry_says() {
    let named = Site::new(&[("in", "stamp")]).shared("in", "stamp.xml", text("stamp", "<log/>"));
    // The gateway's copy has another name and another spelling, and is the same.
    let same = named.on_gateway("sequences", "ann--Weather_v1.0--In", text("ann--Weather:v1.0--In", "\n  <log></log>\n"));
    let (carried, refs, findings) = same.carried();
    assert_eq!((shown(&carried), refs[0].2), (vec![("shared", "stamp.xml")], true));
    assert!(findings.is_empty(), "{findings:?}");
    let edited = Site::new(&[("in", "stamp")])
        .shared("in", "stamp.xml", text("stamp", "<log/>"))
        .on_gateway("sequences", "x", text("ann--Weather:v1.0--In", "<log level=\"full\"/>"))
        .on_gateway("sequences", "y", text("Weather:v1.0--Out", "<log/>"))
        .on_gateway("sequences", "z", text("bob--Gone:v1--Out", "<log/>"));
    let (carried, refs, findings) = edited.carried();
    assert_eq!(shown(&carried), [("shared", "stamp.xml"), ("api", "x.xml"), ("api", "y.xml")]);
    assert_eq!(refs.iter().map(|r| (r.0.as_str(), r.2)).collect::<Vec<_>>(), [("in", false), ("out", false)]);
    assert!(findings.iter().any(|f| f.words.starts_with("the gateway's copy x.xml differs")));
    assert!(findings.iter().any(|f| f.words == "sequence bob--Gone:v1--Out of tenant -1234 belongs to no API"));
}

#[test]
fn named_sequences_of_a_site_are_carried_with_what_they_refer_to() {
    let site = Site::new(&[])
        .on_gateway("sequences", "WSO2AM--Ext--In", text("WSO2AM--Ext--In", "<sequence key=\"audit\"/>"))
        .on_gateway("sequences", "audit", text("audit", "<send><endpoint key='auditor'/></send>"))
        .on_gateway(
            "endpoints",
            "auditor",
            format!("<endpoint xmlns=\"{SYNAPSE}\" name=\"auditor\"><address uri=\"http://audit:1/\"/></endpoint>").into_bytes(),
        )
        .on_gateway(
            "endpoints",
            "ann--Weather_APIproductionEndpoint_0",
            format!("<endpoint xmlns=\"{SYNAPSE}\" name=\"ann--Weather_0\"/>").into_bytes(),
        )
        .on_gateway("local-entries", "unused", format!("<localEntry xmlns=\"{SYNAPSE}\" key=\"unused\">x</localEntry>").into_bytes())
        .on_gateway("tasks", "nightly", Vec::new())
        .on_gateway("proxy-services", "WorkflowCallbackService", Vec::new());
    let (carried, _, findings) = site.carried();
    assert_eq!(shown(&carried), [("gateway", "WSO2AM--Ext--In.xml"), ("gateway", "audit.xml"), ("endpoint", "auditor.xml")]);
    let origins: Vec<_> = findings.iter().filter(|f| f.severity == Severity::Warning).map(|f| f.origin.as_str()).collect();
    assert_eq!(origins, ["synapse-configs tasks/nightly of tenant -1234"]);
}

#[test]
fn a_changed_stock_sequence_is_told_for_what_was_changed() {
    let handler = "<property name=\"error_message_type\" value=\"application/xml\"/><sequence key=\"_cors_request_handler_\"/>";
    let own = |body: &str| Site::new(&[]).on_gateway("sequences", "_auth_failure_handler_", text("_auth_failure_handler_", body)).carried();
    let (carried, _, findings) = own(handler);
    assert_eq!((carried.len(), findings.len()), (0, 0), "this is stock to the letter, and needs not be carried");
    let (carried, _, findings) = own(&format!("<log/>{handler}"));
    assert_eq!(findings[0].words, "_auth_failure_handler_ is stock of 1.9.0, 1.10.0 to 3.2.0 with 1 mediator(s) added");
    let additions = carried[0].additions.as_ref().unwrap().expose().clone();
    assert!(additions.contains("<log/>") && !additions.contains("error_message_type"));
    let (carried, _, findings) = own(&handler.replace("application/xml", "application/json"));
    assert!(carried[0].additions.is_none());
    assert!(findings[0].words.ends_with("changed: - stock's property (mediator 1 of 2); + line 1: property"), "{}", findings[0].words);
    assert!(findings[0].consequence.starts_with("It runs as the site wrote it"), "{}", findings[0].consequence);
}

#[test]
fn what_of_an_error_sequence_has_no_meaning_here_is_told_by_line() {
    let site = Site::new(&[]).on_gateway(
        "sequences",
        "main",
        text("main", "<in>\n<send><endpoint><address uri='http://legacy/'/></endpoint></send>\n<call/>\n<class name='com.acme.Own'/></in>"),
    );
    let told = |site: &Site| {
        let (_, _, findings) = site.carried();
        let warned = findings.into_iter().filter(|f| f.severity == Severity::Warning);
        warned.map(|f| (f.words, f.consequence)).collect::<Vec<_>>()
    };
    let cannot = told(&site);
    assert!(cannot.len() == 1 && cannot[0].1 == HANDLER_CANNOT_RUN, "{cannot:?}");
    assert!(cannot[0].0.starts_with("sequence main, main.xml line 4, <class com.acme.Own>:"), "{cannot:?}");
    let site = Site::new(&[]).on_gateway(
        "sequences",
        "main",
        text("main", "<in>\n<send><endpoint><address uri='http://legacy/'/></endpoint></send>\n<call/></in>\n<out><send/></out>"),
    );
    assert!(site.carried().2.iter().any(|f| f.words == "sequence main, main.xml line 4, <out>" && f.severity == Severity::Note));
    let mut left = told(&site);
    left.sort();
    assert_eq!(
        left.iter().map(|(words, _)| words.as_str()).collect::<Vec<_>>(),
        ["sequence main, main.xml line 2, <send>", "sequence main, main.xml line 3, <call>"]
    );
    assert!(left[0].1.contains("sent nowhere") && left[1].1.contains("never reaches the API's backend"), "{left:?}");
}

#[test]
fn stock_that_another_sequence_calls_comes_along_and_adds_nothing() {
    let cors = "<filter source='x' regex='y'/>";
    let fault = "<sequence key='_auth_failure_handler_'/>";
    let handler = "<property name=\"error_message_type\" value=\"application/xml\"/><sequence key=\"_cors_request_handler_\"/>";
    let site = Site::new(&[])
        .on_gateway("sequences", "fault", text("fault", fault))
        .on_gateway("sequences", "_cors_request_handler_", text("_cors_request_handler_", cors))
        .on_gateway("sequences", "_auth_failure_handler_", text("_auth_failure_handler_", handler));
    let (carried, _, _) = site.carried();
    let of = |name: &str| carried.iter().find(|s| s.name == name).unwrap();
    let stock = of("_auth_failure_handler_").additions.as_ref().unwrap();
    assert!(Pieces::of(stock.expose()).unwrap().parts.is_empty());
    assert!(of("fault").additions.is_none() && of("_cors_request_handler_").additions.is_none());
}

#[test]
fn what_cannot_run_or_read_is_named_and_kept() {
    let site = Site::new(&[("in", "own"), ("out", "torn")])
        .shared("in", "own.xml", text("own", "\n<class name=\"com.acme.Own\"/>"))
        .shared("out", "torn.xml", b"<sequence name='torn'".to_vec());
    let (carried, refs, findings) = site.carried();
    assert_eq!((carried.len(), refs.len()), (2, 2));
    let words: Vec<_> = findings.iter().map(|f| f.words.as_str()).collect();
    assert!(words.iter().any(|w| w.contains("own.xml line 2, <class com.acme.Own>")), "{words:?}");
    assert!(words.contains(&"Weather 1.0 runs the out sequence torn"), "{words:?}");
}

#[test]
fn resources_of_the_registry_that_a_sequence_names_come_along() {
    let mut site = Site::new(&[("in", "own")]).shared(
        "in",
        "own.xml",
        text("own", "<payloadFactory media-type=\"json\"><format key=\"gov:/apimgt/formats/f.json\"/><args/></payloadFactory><sequence key=\"gov:/gone.xml\"/>"),
    );
    site.old.registry.put(-1234, "/_system/governance/apimgt/formats/f.json", b"{\"a\": 1}");
    let (carried, _, findings) = site.carried();
    assert_eq!(shown(&carried), [("shared", "own.xml"), ("entry", "/_system/governance/apimgt/formats/f.json")]);
    assert_eq!(carried[1].name, "gov:/apimgt/formats/f.json");
    assert!(findings.iter().any(|f| f.words == "gov:/gone.xml"), "{findings:?}");
}

#[test]
fn stylesheets_bring_along_what_they_import() {
    let mut site = Site::new(&[("in", "own")]).shared("in", "own.xml", text("own", "<xslt key=\"gov:/apimgt/xsl/main.xsl\"/>"));
    let sheet =
        |inner: &str| format!("<xsl:stylesheet version='1.0' xmlns:xsl='http://www.w3.org/1999/XSL/Transform'>{inner}</xsl:stylesheet>");
    let main = sheet("<xsl:import href='../lib/base.xsl'/><xsl:template match='/'><r/></xsl:template>");
    site.old.registry.put(-1234, "/_system/governance/apimgt/xsl/main.xsl", main.as_bytes());
    site.old.registry.put(-1234, "/_system/governance/apimgt/lib/base.xsl", sheet("").as_bytes());
    let (carried, _, findings) = site.carried();
    let names: Vec<_> = carried.iter().skip(1).map(|c| c.name.as_str()).collect();
    assert_eq!(names, ["gov:/apimgt/xsl/main.xsl", "gov:/apimgt/lib/base.xsl"]);
    assert!(findings.iter().all(|f| f.severity != Severity::Warning), "{findings:?}");
}

#[test]
fn handlers_and_apis_of_a_sites_own_are_told() {
    let api = |name: &str, handler: &str| {
        format!("<api xmlns=\"{SYNAPSE}\" name=\"{name}\" context=\"/x\"><handlers><handler class=\"{handler}\"/></handlers></api>")
            .into_bytes()
    };
    const OURS: &str = "org.wso2.carbon.apimgt.gateway.handlers.security.APIAuthenticationHandler";
    let site = Site::new(&[])
        .on_gateway("api", "a", api("ann--Weather:v1.0", "com.acme.Audit"))
        .on_gateway("api", "b", api("ann--Weather", OURS))
        .on_gateway("api", "c", api("_WSO2AMTokenAPI_", OURS))
        .on_gateway("api", "d", api("handmade", OURS));
    let (_, _, findings) = site.carried();
    let words: Vec<_> = findings.iter().map(|f| f.words.as_str()).collect();
    assert_eq!(words, ["ann--Weather:v1.0 has the handler com.acme.Audit", "the API handmade at /x"]);
}

#[test]
fn templates_are_carried_where_a_sequence_calls_them() {
    let template = |name: &str| {
        format!("<template xmlns=\"{SYNAPSE}\" name=\"{name}\"><parameter name=\"p\"/><sequence><log/></sequence></template>").into_bytes()
    };
    let call = "<call-template target=\"say\"><with-param name=\"p\" value=\"1\"/></call-template>";
    let site = Site::new(&[("in", "own")])
        .shared("in", "own.xml", text("own", call))
        .on_gateway("local-entries", "say", format!("<localEntry xmlns=\"{SYNAPSE}\" key=\"other\">x</localEntry>").into_bytes())
        .on_gateway("templates", "say", template("say"))
        .on_gateway("templates", "unused", template("unused"));
    let (carried, _, findings) = site.carried();
    assert!(shown(&carried).contains(&("entry", "say.xml")), "{:?}", shown(&carried));
    assert!(!shown(&carried).contains(&("entry", "unused.xml")), "{:?}", shown(&carried));
    let warned: Vec<_> = findings.iter().filter(|f| f.severity != Severity::Note).map(|f| f.words.as_str()).collect();
    assert!(warned.is_empty(), "{warned:?}");
}
