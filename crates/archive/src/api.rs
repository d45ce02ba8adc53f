//! An API's project: its files, and what each says.

use model::{Definition, DefinitionFormat, DocumentSource, Flow};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::shape::{Api, Document};
use crate::{ArchiveError, Folder, Format, envelope};

const KIND: &str = "api";
const DEPLOYMENTS: &str = "deployment_environments";
const SWAGGER: &str = "Definitions/swagger";
const ASYNCAPI: &str = "Definitions/asyncapi";
const GRAPHQL: &str = "Definitions/schema.graphql";

/// Fields of [`Api`] that say where and when an API stands rather than what it is; another installation gives its own.
const OF_THIS_PLACE: [&str; 9] =
    ["id", "createdTime", "lastUpdatedTime", "isRevision", "revisionedApiId", "revisionId", "hasThumbnail", "wsdlInfo", "workflowStatus"];

/// Folders and files of a project that are known and hold nothing an API of ours could keep.
const TOOLING: [&str; 6] = ["api_meta", "README.md", "intermediate_params", "Deployment/", "Interceptors/", "libs/"];

/// An API with all that belongs to it.
// No `Debug`: endpoints and sequences may hold passwords.
#[derive(Clone, Default)]
pub struct ApiProject {
    /// The API.
    pub api: Api,
    /// Its definition, as its author wrote it or turned into the archive's format.
    pub definition: Option<Definition>,
    /// Where it is to run; empty for an API that runs nowhere.
    pub deployments: Vec<Deployment>,
    /// Its picture.
    pub icon: Option<Attachment>,
    /// Its documents.
    pub documents: Vec<ProjectDocument>,
    /// Its WSDL, or an archive of several.
    pub wsdl: Option<Attachment>,
    /// Its mediation sequences.
    pub sequences: Vec<ProjectSequence>,
    /// Files that are in the archive and were not read: certificates, and what nobody knows.
    pub left: Vec<String>,
}

/// An environment to run in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Deployment {
    /// Shown in the developer portal.
    #[serde(default = "yes")]
    pub display_on_devportal: bool,
    /// Its name.
    pub deployment_environment: String,
    /// Host name; the environment's first one when absent, as exports leave it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deployment_vhost: Option<String>,
}

fn yes() -> bool {
    true
}

/// A file whose name is its extension alone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attachment {
    /// Without a dot.
    pub extension: String,
    /// Content.
    pub bytes: Vec<u8>,
}

/// A document and its content.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectDocument {
    /// What describes it.
    pub document: Document,
    /// Its content; none for one that is an address, or that nobody has filled yet.
    pub content: Option<Vec<u8>>,
}

/// A mediation sequence.
#[derive(Clone, PartialEq, Eq)]
pub struct ProjectSequence {
    /// Where it runs.
    pub flow: Flow,
    /// The API's own (`Custom`) rather than one that the tenant's APIs share.
    pub own: bool,
    /// Name by which the API says it, without `.xml`.
    pub name: String,
    /// The author's XML.
    pub content: Vec<u8>,
}

impl ApiProject {
    /// `<name>-<version>`, which the archive's one folder is called.
    #[must_use]
    pub fn root(&self) -> String {
        let part = |text: &Option<String>| file_name(text.as_deref().unwrap_or_default());
        format!("{}-{}", part(&self.api.name), part(&self.api.version))
    }

    /// The project's files.
    #[must_use]
    pub fn folder(&self, format: Format) -> Folder {
        let mut folder = Folder::default();
        envelope::put(&mut folder, KIND, KIND, shown(&self.api), format);
        if let Some(definition) = &self.definition {
            let (file, text) = match definition.format {
                DefinitionFormat::GraphQl => (GRAPHQL.to_owned(), definition.text.clone()),
                DefinitionFormat::AsyncApi => (format!("{ASYNCAPI}.{}", format.extension()), in_format(&definition.text, format)),
                _ => (format!("{SWAGGER}.{}", format.extension()), in_format(&definition.text, format)),
            };
            folder.put(file, text);
        }
        if !self.deployments.is_empty() {
            envelope::put(&mut folder, DEPLOYMENTS, DEPLOYMENTS, json!(self.deployments), format);
        }
        if let Some(icon) = &self.icon {
            folder.put(format!("Image/icon.{}", icon.extension), icon.bytes.clone());
        }
        if let Some(wsdl) = &self.wsdl {
            folder.put(format!("WSDL/{}.{}", self.root(), wsdl.extension), wsdl.bytes.clone());
        }
        for sequence in &self.sequences {
            let own = if sequence.own { "/Custom" } else { "" };
            let path = format!("Sequences/{}-sequence{own}/{}.xml", sequence.flow.name(), file_name(&sequence.name));
            folder.put(path, sequence.content.clone());
        }
        self.put_documents(&mut folder, format);
        folder
    }

    fn put_documents(&self, folder: &mut Folder, format: Format) {
        let mut taken: Vec<String> = Vec::new();
        for ProjectDocument { document, content } in &self.documents {
            let name = document.name.as_deref().unwrap_or_default();
            let clean = file_safe(name);
            let mut at = clean.clone();
            let mut more = 2;
            while taken.contains(&at) {
                at = format!("{clean}_{more}");
                more += 1;
            }
            let description = Document { document_id: None, created_time: None, last_updated_time: None, ..document.clone() };
            let data = envelope::without_nulls(json!(description));
            envelope::put(folder, &format!("Docs/{at}/document"), "document", data, format);
            if let Some(content) = content {
                folder.put(format!("Docs/{at}/{}", content_name(document, &at)), content.clone());
            }
            taken.push(at);
        }
    }

    /// Reads a project's files.
    ///
    /// # Errors
    /// [`ArchiveError`] when `api.yaml` (or `.json`) is missing, or a file is of another kind or version, or does not read.
    pub fn read(folder: &Folder) -> Result<Self, ArchiveError> {
        let api = envelope::read(folder, KIND, KIND)?.ok_or(ArchiveError::Missing("api.yaml or api.json"))?;
        let mut project = Self { api, ..Self::default() };
        project.keep_text(folder)?;
        let deployments: Option<Vec<Deployment>> = envelope::read(folder, DEPLOYMENTS, DEPLOYMENTS)?;
        project.deployments = deployments.unwrap_or_default();
        project.definition = definition(folder)?;
        project.documents = documents(folder)?;
        for path in folder.paths() {
            let parts: Vec<&str> = path.split('/').collect();
            let bytes = || folder.get(path).unwrap_or_default().to_vec();
            match parts.as_slice() {
                ["Image", file] if file.starts_with("icon.") && project.icon.is_none() => {
                    project.icon = Some(Attachment { extension: extension(file), bytes: bytes() });
                }
                ["WSDL", file] if matches!(extension(file).as_str(), "wsdl" | "zip") && project.wsdl.is_none() => {
                    project.wsdl = Some(Attachment { extension: extension(file), bytes: bytes() });
                }
                ["Sequences", flow, file] if is_sequence(flow, file) => project.add_sequence(flow, file, false, bytes()),
                ["Sequences", flow, "Common", file] if is_sequence(flow, file) => project.add_sequence(flow, file, false, bytes()),
                ["Sequences", flow, "Custom", file] if is_sequence(flow, file) => project.add_sequence(flow, file, true, bytes()),
                ["Docs", ..] => {}
                [file] if is_known_file(file) => {}
                ["Definitions", file] if ["swagger", "asyncapi", "schema"].iter().any(|stem| file.starts_with(stem)) => {}
                _ if TOOLING.iter().any(|known| path.starts_with(known)) => {}
                _ => project.left.push(path.to_owned()),
            }
        }
        Ok(project)
    }

    fn add_sequence(&mut self, flow: &str, file: &str, own: bool, content: Vec<u8>) {
        if let Some(flow) = flow.strip_suffix("-sequence").and_then(Flow::parse) {
            let name = file.strip_suffix(".xml").unwrap_or(file).to_owned();
            self.sequences.push(ProjectSequence { flow, own, name, content });
        }
    }

    /// Values that YAML takes for numbers are text where a text must stand, and the author's digits are kept.
    fn keep_text(&mut self, folder: &Folder) -> Result<(), ArchiveError> {
        #[derive(Deserialize)]
        #[serde(rename_all = "camelCase")]
        struct Data {
            additional_properties: Vec<PropertyText>,
        }
        #[derive(Deserialize, Serialize)]
        struct PropertyText {
            name: String,
            value: String,
            #[serde(default)]
            display: bool,
        }
        if matches!(self.api.additional_properties, Some(Value::Array(_)))
            && let Ok(Some(data)) = envelope::read::<Data>(folder, KIND, KIND)
        {
            self.api.additional_properties = Some(json!(data.additional_properties));
        }
        let security = self.api.endpoint_config.as_mut().and_then(|config| config.get_mut("endpoint_security"));
        for environment in security.and_then(Value::as_object_mut).into_iter().flat_map(|security| security.values_mut()) {
            for (field, value) in environment.as_object_mut().into_iter().flatten() {
                if field != "enabled" && value.is_number() {
                    *value = Value::String(value.to_string());
                }
            }
        }
        Ok(())
    }
}

fn is_known_file(file: &str) -> bool {
    [KIND, DEPLOYMENTS].iter().any(|stem| file.strip_prefix(stem).is_some_and(|rest| matches!(rest, ".yaml" | ".json")))
}

fn is_sequence(flow: &str, file: &str) -> bool {
    flow.strip_suffix("-sequence").and_then(Flow::parse).is_some() && file.ends_with(".xml")
}

fn extension(file: &str) -> String {
    file.rsplit_once('.').map(|(_, extension)| extension.to_ascii_lowercase()).unwrap_or_default()
}

/// What of the API an archive says.
fn shown(api: &Api) -> Value {
    let config = api.endpoint_config.clone();
    let mut value = envelope::without_nulls(json!(api));
    if let Value::Object(members) = &mut value {
        members.retain(|name, _| !OF_THIS_PLACE.contains(&name.as_str()));
        // What stands in the open object is its author's, `null` or not.
        if let (Some(place), Some(config)) = (members.get_mut("endpointConfig"), config) {
            *place = config;
        }
        for policy in members.get_mut("mediationPolicies").and_then(Value::as_array_mut).into_iter().flatten() {
            policy.as_object_mut().into_iter().for_each(|policy| drop(policy.shift_remove("id")));
        }
    }
    value
}

/// The text as it is where it is of that language, else turned into it.
fn in_format(text: &str, format: Format) -> String {
    let from_json: Option<Value> = serde_json::from_str(text).ok();
    match (format, from_json) {
        (Format::Yaml, Some(value)) => Format::Yaml.text(&value),
        (Format::Json, None) => serde_norway::from_str::<Value>(text).map_or_else(|_| text.to_owned(), |value| Format::Json.text(&value)),
        _ => text.to_owned(),
    }
}

fn definition(folder: &Folder) -> Result<Option<Definition>, ArchiveError> {
    let text = |file: &str, bytes: &[u8]| {
        let words = || "it is not UTF-8 text".to_owned();
        String::from_utf8(bytes.to_vec()).map_err(|_| ArchiveError::Unreadable { file: file.to_owned(), words: words() })
    };
    if let Some((file, bytes)) = envelope::find(folder, SWAGGER) {
        let text = text(&file, bytes)?;
        let head: Value = envelope::parse(&file, bytes)?;
        let format = if head.get("swagger").is_some() { DefinitionFormat::OpenApi2 } else { DefinitionFormat::OpenApi3 };
        return Ok(Some(Definition { format, text }));
    }
    if let Some((file, bytes)) = envelope::find(folder, ASYNCAPI) {
        return Ok(Some(Definition { format: DefinitionFormat::AsyncApi, text: text(&file, bytes)? }));
    }
    match folder.get(GRAPHQL) {
        Some(bytes) => Ok(Some(Definition { format: DefinitionFormat::GraphQl, text: text(GRAPHQL, bytes)? })),
        None => Ok(None),
    }
}

fn documents(folder: &Folder) -> Result<Vec<ProjectDocument>, ArchiveError> {
    let mut folders: Vec<&str> = folder.below("Docs").filter_map(|(path, _)| path.split_once('/')).map(|(at, _)| at).collect();
    folders.dedup();
    let mut found = Vec::new();
    for name in folders {
        let at = format!("Docs/{name}");
        let Some(document) = envelope::read::<Document>(folder, &format!("{at}/document"), "document")? else {
            return Err(ArchiveError::Unreadable { file: at, words: "it has no document.yaml or document.json".to_owned() });
        };
        let named = [content_name(&document, name), document.name.clone().unwrap_or_default()];
        let is_other = |path: &str| !path.contains('/') && !matches!(path, "document.yaml" | "document.json");
        let content = named
            .iter()
            .find_map(|name| folder.get(&format!("{at}/{name}")))
            .or_else(|| folder.below(&at).find(|(path, _)| is_other(path)).map(|(_, bytes)| bytes));
        found.push(ProjectDocument { document, content: content.map(<[u8]>::to_vec) });
    }
    Ok(found)
}

/// The name of a document's content beside its description. 4.0.0 writes text under the document's name and looks for it under the
/// folder's, which differ where a name holds a blank; the folder's is what it finds.
fn content_name(document: &Document, folder: &str) -> String {
    let source = document.source_type.as_deref().and_then(DocumentSource::parse);
    let file = document.file_name.as_deref().filter(|_| source == Some(DocumentSource::File));
    let name = file.map_or_else(|| folder.to_owned(), file_name);
    if matches!(name.as_str(), "document.yaml" | "document.json") { format!("content-{name}") } else { name }
}

/// A folder's name as 4.0.0 makes it: letters, digits, dots and hyphens stay.
#[must_use]
pub fn file_safe(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '.' | '-') { c } else { '_' }).collect();
    if matches!(clean.as_str(), "" | "." | "..") { "_".to_owned() } else { clean }
}

/// A file's name with only what no system could write taken out.
fn file_name(name: &str) -> String {
    let clean: String = name.chars().map(|c| if c.is_control() || matches!(c, '/' | '\\' | ':') { '_' } else { c }).take(120).collect();
    if matches!(clean.as_str(), "" | "." | "..") { "_".to_owned() } else { clean }
}

#[cfg(test)]
mod tests;
