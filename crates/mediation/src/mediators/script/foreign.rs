//! What scripts of the old engines have that does not run here: Java, XML as code (E4X), the old product's own objects.

use crate::pattern::Pattern;

/// Java, reached for in the ways the old engines knew.
const JAVA: &str = concat!(
    r"\b(importPackage|importClass|JavaImporter|JavaAdapter|Packages|loadClass)\b|\bJava\.(type|extend|from|to|super)\b|",
    r"\bnew\s+(java|javax|org|com|net)\.|\b(java|javax)\.[a-z]+\.|\borg\.(apache|wso2|json|mozilla)\."
);

/// XML as code, in ways that would pass for JavaScript.
const E4X: &str = concat!(
    r"\bnew\s+XML(List)?\s*\(|\bdefault\s+xml\s+namespace\b|::\w|getPayloadXML\s*\(\s*\)\s*",
    r"(\.\.|\.@|\.\*|\.(?!toString|toXMLString|replace|indexOf|split|substring|match|trim|length|valueOf)[A-Za-z_])"
);

/// What stands on `mc`, and nothing else.
const METHODS: [&str; 37] = [
    "addHeader",
    "getEnvelopeXML",
    "getFaultTo",
    "getFrom",
    "getJsonText",
    "getMessageID",
    "getPayloadJSON",
    "getPayloadText",
    "getPayloadXML",
    "getProperty",
    "getPropertyKeySet",
    "getReplyTo",
    "getServiceLog",
    "getSoapAction",
    "getTo",
    "getWSAAction",
    "isDoingGET",
    "isDoingPOX",
    "isFaultResponse",
    "isResponse",
    "isSOAP11",
    "jsonObject",
    "removeProperty",
    "setDoingPOX",
    "setFaultResponse",
    "setFaultTo",
    "setFrom",
    "setJsonObject",
    "setJsonText",
    "setMessageID",
    "setPayloadJSON",
    "setPayloadXML",
    "setProperty",
    "setReplyTo",
    "setResponse",
    "setTo",
    "setWSAAction",
];

/// The text of a script without its comments and quoted texts, so that words in them mean nothing.
fn code_only(source: &str) -> String {
    let mut out = String::with_capacity(source.len());
    let mut letters = source.chars().peekable();
    while let Some(c) = letters.next() {
        match c {
            '/' if letters.peek() == Some(&'/') => {
                letters.by_ref().take_while(|c| *c != '\n').for_each(drop);
                out.push('\n');
            }
            '/' if letters.peek() == Some(&'*') => {
                letters.next();
                let mut before = ' ';
                out.push(' ');
                for inner in letters.by_ref() {
                    if before == '*' && inner == '/' {
                        break;
                    }
                    // Lines are counted below.
                    if inner == '\n' {
                        out.push('\n');
                    }
                    before = inner;
                }
            }
            '"' | '\'' => {
                out.push(c);
                while let Some(inner) = letters.next() {
                    if inner == '\\' {
                        letters.next();
                    } else if inner == c || inner == '\n' {
                        break;
                    }
                }
                out.push(c);
            }
            c => out.push(c),
        }
    }
    out
}

/// What the script asks for that is not here.
pub(super) fn foreign(source: &str) -> Option<(String, &'static str)> {
    let code = code_only(source);
    let has = |pattern: &str| {
        let pattern = Pattern::anywhere(pattern).ok()?;
        let is_in = |text: &str| pattern.matches(text).unwrap_or(false);
        // One that lies over several lines has no line of its own.
        is_in(&code).then(|| code.lines().position(is_in).map_or(String::new(), |line| format!(" (line {} of the script)", line + 1)))
    };
    if let Some(line) = has(JAVA) {
        return Some((
            format!("The script uses Java classes, which do not run here{line}."),
            "Use JavaScript's own: JSON, Date, RegExp, encodeURIComponent; log with mc.getServiceLog().",
        ));
    }
    if let Some(line) = has(E4X) {
        return Some((
            format!("The script walks through XML as code (E4X), which only the old engine knew{line}."),
            "Read values with <property expression=…> first, or convert to JSON and use mc.getPayloadJSON().",
        ));
    }
    if let Some(line) = has(r"\.(length|getBytes|toCharArray)\s*\(\s*\)") {
        return Some((
            format!("The script asks a text for its length or letters as Java does{line}."),
            "Write .length without parentheses, and .charAt(i) for a letter.",
        ));
    }
    let mut rest = code.as_str();
    while let Some(at) = rest.find("mc.") {
        let before = rest.get(..at).and_then(|before| before.chars().next_back());
        rest = rest.get(at + 3..).unwrap_or_default();
        if before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '_' | '$' | '.')) {
            continue;
        }
        let name: String = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        if !name.is_empty() && !METHODS.contains(&name.as_str()) {
            return Some((
                format!("The script calls mc.{name}, which reaches into the old product."),
                "Use the message's properties and body only: mc.getProperty, mc.setProperty, mc.getPayloadJSON, mc.setPayloadJSON.",
            ));
        }
    }
    None
}

pub(super) fn looks_like_e4x(source: &str) -> bool {
    let code = code_only(source);
    Pattern::anywhere(r"[=(,:]\s*<[A-Za-z{]|\.@|\.\.\w|\bfor\s+each\b").is_ok_and(|p| p.matches(&code).unwrap_or(false))
}
