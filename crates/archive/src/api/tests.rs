use model::{ApiId, MediationPolicyRef, Property, TenantId, Timestamp};

use super::*;
use crate::shape::Shown;

fn project() -> ApiProject {
    let mut api = model::Api::new(ApiId::derived(&["x"]), TenantId::SUPER, "admin", "Pizza", "1.10", "/pizza/{version}", Timestamp(1));
    api.properties = vec![Property { name: "build".to_owned(), value: "1.20".to_owned(), display: true }];
    api.endpoints = model::Endpoints(json!({ "endpoint_type": "http", "production_endpoints": { "url": "http://b", "config": null } }));
    api.mediation_policies =
        vec![MediationPolicyRef { id: Some("17".to_owned()), name: "log".to_owned(), flow: "in".to_owned(), shared: false }];
    let document = |name: &str, source: &str, file: Option<&str>| Document {
        name: Some(name.to_owned()),
        kind: Some("HOWTO".to_owned()),
        source_type: Some(source.to_owned()),
        visibility: Some("API_LEVEL".to_owned()),
        file_name: file.map(str::to_owned),
        ..Document::default()
    };
    ApiProject {
        api: Api::show(&api, Shown::WorkingCopy),
        definition: Some(Definition { format: DefinitionFormat::OpenApi3, text: "{\"openapi\":\"3.0.1\",\"paths\":{}}".to_owned() }),
        deployments: vec![Deployment { display_on_devportal: true, deployment_environment: "Default".to_owned(), deployment_vhost: None }],
        icon: Some(Attachment { extension: "png".to_owned(), bytes: b"\x89PNG".to_vec() }),
        documents: vec![
            ProjectDocument { document: document("How to", "INLINE", None), content: Some(b"<p>so</p>".to_vec()) },
            ProjectDocument { document: document("How_to", "FILE", Some("a b.pdf")), content: Some(b"%PDF".to_vec()) },
            ProjectDocument { document: document("empty", "MARKDOWN", None), content: None },
        ],
        wsdl: Some(Attachment { extension: "wsdl".to_owned(), bytes: b"<wsdl/>".to_vec() }),
        sequences: vec![
            ProjectSequence { flow: Flow::In, own: true, name: "log".to_owned(), content: b"<sequence name='log'/>".to_vec() },
            ProjectSequence { flow: Flow::Fault, own: false, name: "all".to_owned(), content: b"<sequence name='all'/>".to_vec() },
        ],
        left: Vec::new(),
    }
}

#[test]
fn a_project_reads_as_it_was_written() {
    for format in [Format::Yaml, Format::Json] {
        let wrote = project().folder(format);
        let bytes = wrote.zip(&project().root()).unwrap();
        let read = ApiProject::read(&Folder::unzip(&bytes).unwrap()).unwrap();
        assert_eq!(read.left, Vec::<String>::new());
        let (mut again, mut first): (Vec<_>, Vec<_>) =
            (read.folder(format).paths().map(str::to_owned).collect(), wrote.paths().map(str::to_owned).collect());
        again.sort();
        first.sort();
        assert_eq!(again, first);
        for path in &first {
            let text = |folder: &Folder| String::from_utf8_lossy(folder.get(path).unwrap()).into_owned();
            assert_eq!(text(&read.folder(format)), text(&wrote), "{path}");
        }
    }
}

#[test]
fn the_layout_is_that_of_4_0_0() {
    let folder = project().folder(Format::Yaml);
    let paths: Vec<&str> = folder.paths().collect();
    assert_eq!(
        paths,
        [
            "Definitions/swagger.yaml",
            "Docs/How_to/How_to",
            "Docs/How_to/document.yaml",
            "Docs/How_to_2/a b.pdf",
            "Docs/How_to_2/document.yaml",
            "Docs/empty/document.yaml",
            "Image/icon.png",
            "Sequences/fault-sequence/all.xml",
            "Sequences/in-sequence/Custom/log.xml",
            "WSDL/Pizza-1.10.wsdl",
            "api.yaml",
            "deployment_environments.yaml",
        ]
    );
    let api: Value = serde_norway::from_slice(folder.get("api.yaml").unwrap()).unwrap();
    assert_eq!((&api["type"], &api["version"]), (&json!("api"), &json!("v4.0.0")));
    assert_eq!(api["data"]["version"], "1.10");
    assert_eq!(api["data"]["endpointConfig"]["production_endpoints"]["config"], Value::Null);
    for gone in OF_THIS_PLACE {
        assert!(api["data"].get(gone).is_none(), "{gone}");
    }
    let deployments = String::from_utf8(folder.get("deployment_environments.yaml").unwrap().to_vec()).unwrap();
    assert_eq!(
        deployments,
        "type: deployment_environments\nversion: v4.0.0\ndata:\n- displayOnDevportal: true\n  deploymentEnvironment: Default\n"
    );
}

#[test]
fn versions_and_properties_without_quotes_keep_their_digits() {
    let mut folder = Folder::default();
    folder.put(
        "api.yaml",
        "type: api\nversion: v4.0.0\ndata:\n  name: Pizza\n  version: 1.10\n  additionalProperties:\n   \
         - name: build\n     value: 1.20\n     display: true\n  \
         endpointConfig:\n    endpoint_security:\n      production: {enabled: true, password: 4711}\n",
    );
    let api = ApiProject::read(&folder).unwrap().api;
    assert_eq!(api.version.as_deref(), Some("1.10"));
    assert_eq!(api.additional_properties, Some(json!([{ "name": "build", "value": "1.20", "display": true }])));
    assert_eq!(api.endpoint_config.unwrap()["endpoint_security"]["production"]["password"], "4711");
}

#[test]
fn what_is_not_read_is_named() {
    let mut folder = project().folder(Format::Yaml);
    folder.put("Client-certificates/bob.crt", "x");
    folder.put("Something/else", "x");
    folder.put("api_meta.yaml", "name: Pizza");
    assert_eq!(ApiProject::read(&folder).unwrap().left, ["Client-certificates/bob.crt", "Something/else"]);
}

#[test]
fn what_is_missing_or_unknown_is_refused() {
    assert_eq!(ApiProject::read(&Folder::default()).err(), Some(ArchiveError::Missing("api.yaml or api.json")));
    let mut folder = project().folder(Format::Yaml);
    folder.put("api.yaml", "type: api\nversion: v4.0.0\ndata: {name: x, flavour: sweet}");
    assert!(matches!(ApiProject::read(&folder).err(), Some(ArchiveError::Unreadable { words, .. }) if words.contains("flavour")));
}
