//! `class`: Java code. It never runs here; but the old product's own classes are known by name, and what they did is either done or not
//! needed.

use percent_encoding::percent_decode_str;

use crate::compile::Work;
use crate::expression::Means;
use crate::failure::Failure;
use crate::json::Json;
use crate::message::{Format, Message, Scope, mime};
use crate::pattern::Pattern;
use crate::program::{Action, BlockId};
use crate::tree::{NodeId, Tree};
use crate::xml::Element;

/// What one of the old product's own classes did.
#[derive(Debug)]
pub(crate) struct Own {
    guard: Guard,
    /// The sequence that answers when it finds something.
    found: Option<BlockId>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Guard {
    Json,
    Xml,
    Pattern,
}

const PRODUCT: &str = "org.wso2.carbon.apimgt.";

/// Recording of calls for analytics, under all its packages.
const RECORDING: [&str; 8] = [
    "APIMgtFaultHandler",
    "APIMgtResponseHandler",
    "APIMgtThrottleUsageHandler",
    "APIMgtUsageHandler",
    "APIMgtGoogleAnalyticsTrackingHandler",
    "APIMgtCommonExecutionPublisher",
    "AlertTypesPublisher",
    "APIMgtLatencyStatsHandler",
];

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let name = work.needed(element, "name")?.trim();
    let simple = name.rsplit('.').next().unwrap_or(name);
    if name.starts_with(PRODUCT) {
        if RECORDING.contains(&simple) {
            work.note(element, &format!("{simple} recorded calls for analytics; Tidegate records every call by itself."));
            return Some(Action::Nothing);
        }
        let guard = match simple {
            "JsonSchemaValidator" => Some(Guard::Json),
            "XMLSchemaValidator" => Some(Guard::Xml),
            "RegularExpressionProtector" => Some(Guard::Pattern),
            _ => None,
        };
        if let Some(guard) = guard {
            if guard == Guard::Xml {
                work.note(
                    element,
                    "The bounds of the XML are checked; with a schema named by xsdURL the request fails, since none is fetched.",
                );
            }
            let found = if work.library.sequence("_threat_fault_").is_some() { work.by_name(element, "_threat_fault_") } else { None };
            return Some(Action::Own(Own { guard, found }));
        }
        let done = match simple {
            "DigestAuthMediator" => {
                Some("Tidegate answers a backend's digest challenge by itself when the API's endpoint security says so.")
            }
            "TokenExchangeMediator" | "OAuthRequestMediator" | "OAuthResponseMediator" | "OAuthMediator" => {
                Some("Tidegate gets the backend's OAuth tokens by itself when the API's endpoint security says so.")
            }
            "DeliveryStatusUpdater" => {
                Some("The class noted deliveries to webhook subscribers in the old product's database; there is none to note them in.")
            }
            _ => None,
        };
        if let Some(done) = done {
            work.note(element, done);
            return Some(Action::Nothing);
        }
    }
    let suggestion = if name.starts_with("org.wso2.") || name.starts_with("org.apache.") {
        "Look for what the class does among the API's settings (security, throttling, transformation), or write it as a <script>."
    } else {
        "Write what the class does as mediators or a <script>, or move it into a service that the sequence calls with <call>."
    };
    work.obstacle(element, name, "The mediator is Java code, which does not run here.", suggestion);
    None
}

impl Own {
    pub(crate) fn reads_body(&self) -> bool {
        true
    }

    /// Looks at the message. `Some` is the sequence to run because something was found.
    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<Option<BlockId>, Failure> {
        let found = match self.guard {
            Guard::Json => json_threat(message, means)?,
            Guard::Xml => xml_threat(message, means)?,
            Guard::Pattern => pattern_threat(message, means)?,
        };
        let Some(found) = found else { return Ok(None) };
        message.properties.set(Scope::Default, "THREAT_FOUND", true);
        message.properties.set(Scope::Default, "THREAT_CODE", "400");
        message.properties.set(Scope::Default, "THREAT_MSG", "Bad Request");
        message.properties.set(Scope::Default, "THREAT_DESC", found.as_str());
        match self.found {
            Some(block) => Ok(Some(block)),
            None => Err(Failure { code: 400, detail: found.clone(), ..Failure::new(&found) }),
        }
    }
}

const WRONG_TYPE: &str = "Neither request method nor content type is matched with the mediator";

fn is_media(message: &Message, types: &[&str]) -> bool {
    message.method != "GET" && types.contains(&mime(message.content_type().unwrap_or_default()).as_str())
}

/// A bound from a property; one that is missing or no number fails the mediator, as it did.
fn bound(message: &Message, name: &str) -> Result<usize, Failure> {
    let value = message.property(Scope::Default, name).ok_or_else(|| Failure::new(&format!("The property {name} is missing")))?;
    let number: i64 = value.to_string().trim().parse().map_err(|_| Failure::new(&format!("The property {name} is not a number")))?;
    Ok(usize::try_from(number).unwrap_or(0))
}

fn flag(message: &Message, name: &str) -> bool {
    message.property(Scope::Default, name).is_some_and(|v| v.to_string().eq_ignore_ascii_case("true"))
}

struct JsonBounds {
    properties: usize,
    string: usize,
    array: usize,
    key: usize,
    depth: usize,
}

fn json_threat(message: &mut Message, means: &Means<'_>) -> Result<Option<String>, Failure> {
    if !is_media(message, &["application/json", "text/json"]) {
        return Ok(Some(WRONG_TYPE.to_owned()));
    }
    let bounds = JsonBounds {
        properties: bound(message, "maxPropertyCount")?,
        string: bound(message, "maxStringLength")?,
        array: bound(message, "maxArrayElementCount")?,
        key: bound(message, "maxKeyLength")?,
        depth: bound(message, "maxJsonDepth")?,
    };
    let prefix = "Request is failed due to a JSON schema validation failure: ";
    Ok(match message.payload.json(means.limits) {
        Err(_) => Some(format!("{prefix}Error occurred while parsing the JSON payload")),
        Ok(None) => None,
        Ok(Some(json)) => json_over(&json, &bounds, 1).map(|what| format!("{prefix}{what}")),
    })
}

fn json_over(json: &Json, bounds: &JsonBounds, depth: usize) -> Option<String> {
    match json {
        Json::Text(text) if text.chars().count() > bounds.string => Some(format!("Max String Length [{}] Reached", bounds.string)),
        Json::Array(_) | Json::Object(_) if depth > bounds.depth => Some(format!("Depth Limit [{}] Reached", bounds.depth)),
        Json::Array(items) if items.len() > bounds.array => Some(format!("Max Array Length [{}] Reached", bounds.array)),
        Json::Array(items) => items.iter().find_map(|item| json_over(item, bounds, depth + 1)),
        Json::Object(members) if members.len() > bounds.properties => Some(format!("Max Property Count [{}] Reached", bounds.properties)),
        Json::Object(members) => members.iter().find_map(|(name, value)| {
            if name.chars().count() > bounds.key {
                return Some(format!("Max Key Length [{}] Reached", bounds.key));
            }
            json_over(value, bounds, depth + 1)
        }),
        _ => None,
    }
}

struct XmlBounds {
    depth: usize,
    elements: usize,
    attributes: usize,
    attribute: usize,
    children: usize,
}

fn xml_threat(message: &mut Message, means: &Means<'_>) -> Result<Option<String>, Failure> {
    if !is_media(message, &["application/xml", "text/xml"]) {
        return Ok(Some(WRONG_TYPE.to_owned()));
    }
    if flag(message, "schemaValidation") && message.property(Scope::Default, "xsdURL").is_some_and(|v| !v.to_string().trim().is_empty()) {
        return Err(Failure::new("The XML schema named by the property xsdURL cannot be checked"));
    }
    if !flag(message, "xmlValidation") {
        return Ok(None);
    }
    let bounds = XmlBounds {
        depth: bound(message, "maxXMLDepth")?,
        elements: bound(message, "maxElementCount")?,
        attributes: bound(message, "maxAttributeCount")?,
        attribute: bound(message, "maxAttributeLength")?,
        children: bound(message, "maxChildrenPerElement")?,
    };
    Ok(match message.payload.xml(means.limits) {
        Err(failure) => Some(format!("XML Validation Failed: due to {}", failure.detail)),
        Ok(envelope) => {
            // The document that came is looked at; an envelope of ours is not.
            let root = if envelope.format == Format::Pox { envelope.content() } else { envelope.tree.root() };
            let mut elements = 0;
            root.and_then(|root| xml_over(&envelope.tree, root, &bounds, 1, &mut elements))
                .map(|what| format!("XML Validation Failed: due to {what}"))
        }
    })
}

fn xml_over(tree: &Tree, id: NodeId, bounds: &XmlBounds, depth: usize, elements: &mut usize) -> Option<String> {
    *elements += 1;
    let tag = tree.tag(id)?;
    if depth > bounds.depth {
        return Some(format!("Maximum Element Depth limit ({}) Exceeded", bounds.depth));
    }
    if *elements > bounds.elements {
        return Some(format!("Maximum Element Count limit ({}) Exceeded", bounds.elements));
    }
    if tag.attributes.len() > bounds.attributes {
        return Some(format!("Attribute limit ({}) Exceeded", bounds.attributes));
    }
    if tag.attributes.iter().any(|a| a.value.chars().count() > bounds.attribute) {
        return Some(format!("Maximum attribute size limit ({}) Exceeded", bounds.attribute));
    }
    if tree.elements(id).count() > bounds.children {
        return Some(format!("Maximum Number of Child Elements limit ({}) Exceeded", bounds.children));
    }
    tree.elements(id).find_map(|child| xml_over(tree, child, bounds, depth + 1, elements))
}

fn pattern_threat(message: &mut Message, means: &Means<'_>) -> Result<Option<String>, Failure> {
    let Some(regex) = message.property(Scope::Default, "regex") else {
        return Ok(Some("Threat detection key words are missing".to_owned()));
    };
    // The pattern is a property, so it is only known now.
    let pattern = Pattern::anywhere(&regex.to_string())
        .map_err(|why| Failure { detail: why, ..Failure::new("The regular expression cannot be run") })?;
    let kind = message.property(Scope::Default, "threatType").map_or_else(|| "null".to_owned(), |v| v.to_string());
    let body = message.property(Scope::Default, "enabledCheckBody").is_none_or(|v| v.to_string().eq_ignore_ascii_case("true"));
    if body {
        let envelope = message.payload.xml(means.limits)?;
        if let Some(content) = envelope.content()
            && pattern.matches(&envelope.tree.text(content))?
        {
            return Ok(Some(format!("{kind} Threat detected in Payload")));
        }
    }
    if flag(message, "enabledCheckHeaders") {
        for (name, value) in message.headers.iter() {
            if pattern.matches(&format!("{name}={value}"))? {
                return Ok(Some(format!("{kind} Threat detected in HTTP Headers")));
            }
        }
    }
    if flag(message, "enabledCheckPathParams") {
        let decoded = percent_decode_str(&message.url_postfix.replace('+', " ")).decode_utf8_lossy().into_owned();
        if pattern.matches(&decoded)? {
            return Ok(Some(format!("{kind} Threat detected in Query Parameters")));
        }
    }
    Ok(None)
}
