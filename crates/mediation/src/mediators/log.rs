//! `log`: a line for the log, put together as the old product did, so that who searches the logs finds the same words.

use crate::compile::Work;
use crate::expression::{ADDRESSING, Expression, Means};
use crate::failure::Failure;
use crate::log::{Log, LogLevel};
use crate::message::{Direction, Message, Scope};
use crate::program::Action;
use crate::xml::Element;

/// What to say.
#[derive(Debug)]
pub(crate) struct SaySo {
    extent: Extent,
    level: LogLevel,
    separator: String,
    properties: Vec<(String, Said)>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Extent {
    Simple,
    Headers,
    Full,
    Custom,
}

#[derive(Debug)]
enum Said {
    Fixed(String),
    Made(Expression),
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let extent = match element.attribute("level").unwrap_or("simple").trim() {
        "simple" => Extent::Simple,
        "headers" => Extent::Headers,
        "full" => Extent::Full,
        "custom" => Extent::Custom,
        other => {
            work.obstacle(element, other, "There is no such log level.", "Use simple, headers, full or custom.");
            return None;
        }
    };
    let level = match element.attribute("category").unwrap_or("INFO").trim().to_ascii_uppercase().as_str() {
        "TRACE" => LogLevel::Trace,
        "DEBUG" => LogLevel::Debug,
        "WARN" => LogLevel::Warn,
        "ERROR" | "FATAL" => LogLevel::Error,
        _ => LogLevel::Info,
    };
    let separator = element.attribute("separator").unwrap_or(", ").replace("\\n", "\n").replace("\\t", "\t");
    let mut properties = Vec::new();
    for property in element.elements().filter(|e| e.name == "property") {
        let name = work.needed(property, "name")?.to_owned();
        let said = if let Some(value) = property.attribute("value") {
            Said::Fixed(value.to_owned())
        } else {
            let expression = work.needed(property, "expression")?;
            Said::Made(work.expression(property, expression)?)
        };
        properties.push((name, said));
    }
    Some(Action::Log(SaySo { extent, level, separator, properties }))
}

impl SaySo {
    pub(crate) fn reads_body(&self) -> bool {
        matches!(self.extent, Extent::Full | Extent::Headers)
            || self.properties.iter().any(|(_, said)| matches!(said, Said::Made(expression) if expression.reads_body()))
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>, log: &mut Log) -> Result<(), Failure> {
        let mut parts: Vec<String> = Vec::new();
        if matches!(self.extent, Extent::Simple | Extent::Full) {
            parts.push(format!("To: {}", message.to.as_deref().unwrap_or_default()));
            for (name, key) in [("From", "From"), ("WSAction", "Action"), ("SOAPAction", "Action"), ("ReplyTo", "ReplyTo")] {
                if let Some(value) = message.property(Scope::Default, &format!("{ADDRESSING}{key}")) {
                    parts.push(format!("{name}: {value}"));
                }
            }
            if !message.message_id.is_empty() {
                parts.push(format!("MessageID: {}", message.message_id));
            }
            parts.push(format!("Direction: {}", if message.direction == Direction::Response { "response" } else { "request" }));
        }
        if self.extent == Extent::Headers {
            let envelope = message.payload.xml(means.limits)?;
            if let Some(header) = envelope.header() {
                for block in envelope.tree.elements(header) {
                    if let Some(tag) = envelope.tree.tag(block) {
                        parts.push(format!("{} : {}", tag.name, envelope.tree.own_text(block)));
                    }
                }
            }
        }
        for (name, said) in &self.properties {
            let value = match said {
                Said::Fixed(value) => value.clone(),
                // What is not set was printed so.
                Said::Made(expression) => expression.text(message, means)?.unwrap_or_else(|| "null".to_owned()),
            };
            parts.push(format!("{name} = {value}"));
        }
        if self.extent == Extent::Full {
            let name = if message.payload.is_json() { "Payload" } else { "Envelope" };
            parts.push(format!("{name}: {}", message.payload.shown(means.limits)?));
        }
        log.add(self.level, parts.join(&self.separator), message);
        Ok(())
    }
}
