//! Naming every mediator of a sequence, for the report of an upgrade.

use crate::{Mediator, Sequence};

/// Mediators that WSO2's shipped sequences use or that are common in the field. Known means that its meaning is known, not that it is run here.
pub const KNOWN_MEDIATORS: [&str; 31] = [
    "aggregate",
    "builder",
    "cache",
    "call",
    "callout",
    "class",
    "clone",
    "datamapper",
    "dblookup",
    "drop",
    "enrich",
    "filter",
    "header",
    "in",
    "iterate",
    "jsontransform",
    "log",
    "loopback",
    "makefault",
    "out",
    "payloadFactory",
    "property",
    "propertyGroup",
    "respond",
    "script",
    "send",
    "sequence",
    "switch",
    "throttle",
    "validate",
    "xslt",
];

/// One mediator of a sequence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Its name.
    pub mediator: String,
    /// Line of its start tag in the file, counted from 1.
    pub line: u32,
    /// Whether it is known.
    pub standing: Standing,
}

/// Whether a mediator is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Standing {
    /// In [`KNOWN_MEDIATORS`].
    Known,
    /// A `class` mediator, whose Java code cannot run here; with the class named, empty when it names none.
    JavaClass(String),
    /// Not in the list.
    Unknown,
}

/// Every mediator, those inside branches included, in the order of the file.
#[must_use]
pub fn findings(sequence: &Sequence) -> Vec<Finding> {
    let mut found = Vec::new();
    sequence.mediators.iter().for_each(|mediator| add(mediator, &mut found));
    found
}

fn add(mediator: &Mediator, found: &mut Vec<Finding>) {
    let standing = match mediator.name.as_str() {
        "class" => Standing::JavaClass(mediator.attribute("name").unwrap_or_default().trim().to_owned()),
        name if KNOWN_MEDIATORS.contains(&name) => Standing::Known,
        _ => Standing::Unknown,
    };
    found.push(Finding { mediator: mediator.name.clone(), line: mediator.line, standing });
    mediator.branches.iter().flat_map(|b| &b.mediators).for_each(|inner| add(inner, found));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mediator_is_named_with_its_line() {
        let sequence = crate::parse(
            "<sequence>\n<log/>\n<filter><then>\n<class name='com.acme.Own'/></then><else><publishEvent/></else></filter>\n</sequence>",
        )
        .unwrap();
        let seen: Vec<_> = findings(&sequence).into_iter().map(|f| (f.mediator, f.line, f.standing)).collect();
        let is = |name: &str, line, standing| (name.to_owned(), line, standing);
        assert_eq!(
            seen,
            [
                is("log", 2, Standing::Known),
                is("filter", 3, Standing::Known),
                is("class", 4, Standing::JavaClass("com.acme.Own".to_owned())),
                is("publishEvent", 4, Standing::Unknown),
            ]
        );
    }

    #[test]
    fn the_list_is_sorted() {
        assert!(KNOWN_MEDIATORS.is_sorted());
    }
}
