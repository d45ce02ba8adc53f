//! `call-template`: a sequence with parameters of its own, which its expressions read as `$func:name`.

use std::sync::Arc;

use crate::compile::Work;
use crate::expression::{Means, Text};
use crate::failure::Failure;
use crate::message::{Message, Value};
use crate::program::{Action, BlockId};
use crate::xml::{self, Element};

/// Most parameters of one template.
const MAX_PARAMETERS: usize = 100;

/// A call of a template.
#[derive(Debug)]
pub(crate) struct CallTemplate {
    pub(crate) block: BlockId,
    pub(crate) parameters: Vec<(String, Text)>,
}

/// A compiled template, known by its name.
#[derive(Debug, Clone)]
pub(crate) struct Template {
    block: BlockId,
    /// Parameters it declares, and their value where the caller gives none.
    parameters: Arc<[(String, Option<String>)]>,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let target = work.needed(element, "target")?.trim().to_owned();
    let template = named(work, element, &target)?;
    let mut given = Vec::new();
    for parameter in element.elements().filter(|e| e.name == "with-param") {
        let (name, value) = (work.needed(parameter, "name")?.trim(), parameter.attribute("value").unwrap_or_default());
        if value.trim().starts_with("{{") {
            let reason = "The parameter's expression is to be evaluated inside the template, each time it is read.";
            work.obstacle(parameter, value, reason, "Write it in single braces: it is then evaluated where the template is called.");
            return None;
        }
        given.push((name.to_owned(), work.text(parameter, value)?));
    }
    // What a template does not declare it cannot read.
    let parameters = template.parameters.iter().filter_map(|(name, otherwise)| {
        let value = given.iter().rfind(|(own, _)| own == name).map(|(_, value)| value.clone());
        Some((name.clone(), value.or_else(|| otherwise.clone().map(Text::Fixed))?))
    });
    Some(Action::Template(CallTemplate { block: template.block, parameters: parameters.collect() }))
}

fn named(work: &mut Work<'_>, element: &Element, target: &str) -> Option<Template> {
    if let Some(known) = work.templates.get(target) {
        return Some(known.clone());
    }
    let Some(source) = work.library.template(target).cloned() else {
        work.obstacle(element, target, "No template of this name was found.", "Add the template, or write its mediators as a sequence.");
        return None;
    };
    let root = xml::read(&source.text).ok().filter(|root| root.name == "template");
    let sequence = root.as_ref().and_then(|root| root.elements().find(|e| e.name == "sequence"));
    let (Some(root), Some(sequence)) = (root.as_ref(), sequence) else {
        work.obstacle(element, target, "The template's document is not a template of a sequence.", "Mend the document.");
        return None;
    };
    let declared = root.elements().filter(|e| e.name == "parameter").take(MAX_PARAMETERS);
    let parameters =
        declared.filter_map(|e| Some((e.attribute("name")?.trim().to_owned(), e.attribute("defaultValue").map(str::to_owned))));
    let parameters = parameters.collect();
    let templates = |block| Template { block, parameters };
    let template = work.in_file(&source, |work, block| {
        // Named before it is filled, so that one which calls itself ends here; how deep it goes is bounded when it runs.
        let template = templates(block);
        work.templates.insert(target.to_owned(), template.clone());
        work.fill(block, sequence);
        template
    });
    Some(template)
}

impl CallTemplate {
    pub(crate) fn reads_body(&self) -> bool {
        self.parameters.iter().any(|(_, value)| value.reads_body())
    }

    /// Gives the template its parameters; whoever ends it takes them away.
    pub(crate) fn enter(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let mut values = std::collections::BTreeMap::new();
        for (name, value) in &self.parameters {
            values.insert(name.clone(), Value::Text(value.text(message, means)?));
        }
        message.properties.enter_template(values);
        if message.properties.bytes() > means.limits.body_bytes.saturating_mul(2) {
            message.properties.leave_template();
            return Err(Failure::new("The properties of the message hold too much"));
        }
        Ok(())
    }
}
