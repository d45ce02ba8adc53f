//! Key templates: `$userId:$apiContext`.

use super::{Asked, Attribute, RuleFault};

/// Longest template kept.
const MAX_BYTES: usize = 512;

/// What a template may name; longer names first, so that none is read as another's beginning.
const NAMES: [(&str, Option<Attribute>); 8] = [
    ("resourceKey", Some(Attribute::ResourceKey)),
    ("apiContext", Some(Attribute::ApiContext)),
    ("apiVersion", Some(Attribute::ApiVersion)),
    ("appTenant", Some(Attribute::AppTenant)),
    ("apiTenant", Some(Attribute::ApiTenant)),
    ("clientIp", None),
    ("userId", Some(Attribute::UserId)),
    ("appId", Some(Attribute::AppId)),
];

/// A template, taken apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Template(Vec<Part>);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    Attribute(Attribute),
    ClientIp,
}

impl Template {
    pub(super) fn read(text: &str) -> Result<Self, RuleFault> {
        let text = text.trim();
        if text.is_empty() {
            return Err(RuleFault::Template("it is empty".to_owned()));
        }
        if text.len() > MAX_BYTES {
            return Err(RuleFault::Template(format!("it has more than {MAX_BYTES} bytes")));
        }
        let mut parts = Vec::new();
        let mut rest = text;
        while !rest.is_empty() {
            let literal = rest.find('$').unwrap_or(rest.len());
            let (before, after) = rest.split_at(literal);
            if !before.is_empty() {
                parts.push(Part::Literal(before.to_owned()));
            }
            let Some(named) = after.strip_prefix('$') else { break };
            let Some((name, attribute)) = NAMES.iter().find(|(name, _)| named.starts_with(name)) else {
                let end = named.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(named.len());
                let name = named.get(..end).unwrap_or_default();
                let known: Vec<String> = NAMES.iter().map(|(name, _)| format!("${name}")).collect();
                return Err(RuleFault::Template(format!("it names '${name}', which is none of {}", known.join(", "))));
            };
            parts.push(attribute.map_or(Part::ClientIp, Part::Attribute));
            rest = named.strip_prefix(name).unwrap_or_default();
        }
        Ok(Self(parts))
    }

    pub(super) fn fill(&self, call: &impl Asked) -> String {
        let mut key = String::new();
        for part in &self.0 {
            match part {
                Part::Literal(text) => key.push_str(text),
                Part::Attribute(attribute) => key.push_str(&call.attribute(*attribute)),
                Part::ClientIp => key.push_str(&call.client_ip()),
            }
        }
        key
    }

    /// Whether it names an attribute that `wanted` holds for, or (`client_ip`) the address.
    pub(super) fn any(&self, wanted: impl Fn(Attribute) -> bool, client_ip: bool) -> bool {
        self.0.iter().any(|part| match part {
            Part::Literal(_) => false,
            Part::Attribute(attribute) => wanted(*attribute),
            Part::ClientIp => client_ip,
        })
    }
}
