//! The message as a script's `mc` reaches it.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use rquickjs::{Ctx, Exception, Function, Object};

use crate::expression::ADDRESSING;
use crate::failure::Failure;
use crate::json::Json;
use crate::limits::Limits;
use crate::log::LogLevel;
use crate::message::{Direction, Envelope, Message, Scope, Value, Xml, bounds, soap_format};
use crate::tree::Tree;

/// The message while a script has it.
pub(super) struct Lent {
    pub(super) message: Message,
    pub(super) limits: Limits,
    pub(super) lines: Vec<(LogLevel, String)>,
    pub(super) log_bytes: usize,
    /// A failure of ours that the script only sees as an error.
    pub(super) failure: Option<Failure>,
}

pub(super) type Shared = Rc<RefCell<Lent>>;

impl Lent {
    /// Makes a script's error of a failure, and keeps the failure.
    fn failed(&mut self, ctx: &Ctx<'_>, failure: Failure) -> rquickjs::Error {
        let error = Exception::throw_message(ctx, &failure.message);
        self.failure = Some(failure);
        error
    }
}

pub(super) fn host<'js>(ctx: &Ctx<'js>, shared: &Shared) -> Result<Object<'js>, rquickjs::Error> {
    let host = Object::new(ctx.clone())?;
    let own = || Rc::clone(shared);
    let lent = own();
    host.set(
        "get",
        Function::new(ctx.clone(), move |name: String, scope: String| -> Option<String> {
            let lent = lent.borrow();
            let scope = Scope::named(&scope)?;
            let value = lent.message.property(scope, &name)?;
            Some(match &value {
                Value::Integer(_) | Value::Double(_) => format!("n{value}"),
                Value::Bool(_) => format!("b{value}"),
                Value::Xml(_) => format!("x{value}"),
                Value::Json(json) => format!("j{json}"),
                Value::Text(text) => format!("s{text}"),
            })
        })?,
    )?;
    let lent = own();
    host.set(
        "set",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, name: String, text: String, scope: String| -> Result<(), rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let Some(scope) = Scope::named(&scope) else { return Err(Exception::throw_message(&ctx, "there is no such scope")) };
            if text.len() > lent.limits.body_bytes {
                return Err(Exception::throw_message(&ctx, "the value is too long"));
            }
            let (kind, text) = text.split_at(1);
            let nesting = lent.limits.nesting;
            let value = match kind {
                "n" => match text.parse::<f64>() {
                    // Whole numbers read as such, whatever the engine keeps them in.
                    Ok(number) if number.fract() == 0.0 && number.abs() < 9e15 => Value::Integer(number as i64),
                    Ok(number) => Value::Double(number),
                    Err(_) => Value::Text(text.to_owned()),
                },
                "b" => Value::Bool(text == "true"),
                "x" => match Tree::read(text, &bounds(&lent.limits)) {
                    Ok(tree) => Value::Xml(Xml(Arc::new(tree))),
                    Err(_) => Value::Text(text.to_owned()),
                },
                "j" => Json::parse(text, nesting).map_or_else(|_| Value::Text(text.to_owned()), Value::Json),
                _ => Value::Text(text.to_owned()),
            };
            lent.message.set_property(scope, &name, value).map_err(|failure| lent.failed(&ctx, failure))?;
            Ok(())
        })?,
    )?;
    let lent = own();
    host.set(
        "remove",
        Function::new(ctx.clone(), move |name: String, scope: String| {
            if let Some(scope) = Scope::named(&scope) {
                lent.borrow_mut().message.remove_property(scope, &name);
            }
        })?,
    )?;
    let lent = own();
    host.set(
        "names",
        Function::new(ctx.clone(), move || -> String {
            let lent = lent.borrow();
            Json::Array(lent.message.properties.iter(Scope::Default).map(|(name, _)| Json::Text(name.to_owned())).collect()).to_string()
        })?,
    )?;
    let lent = own();
    host.set(
        "json",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>| -> Result<Option<String>, rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let limits = lent.limits.clone();
            let text = lent.message.payload.json(&limits).map(|json| json.map(|json| json.to_string()));
            text.map_err(|failure| lent.failed(&ctx, failure))
        })?,
    )?;
    let lent = own();
    host.set(
        "setJson",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, text: String| -> Result<(), rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            if text.len() > lent.limits.body_bytes {
                return Err(Exception::throw_message(&ctx, "the body is too long"));
            }
            let Ok(json) = Json::parse(&text, lent.limits.nesting) else {
                return Err(Exception::throw_message(&ctx, "the payload is not JSON"));
            };
            lent.message.payload.set_json(json);
            Ok(())
        })?,
    )?;
    let lent = own();
    host.set(
        "xml",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>| -> Result<String, rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let limits = lent.limits.clone();
            let text = lent.message.payload.xml(&limits).map(|envelope| {
                envelope.content().map(|content| {
                    let cut = envelope.tree.cut(&[content]);
                    cut.text(cut.document())
                })
            });
            text.map(Option::unwrap_or_default).map_err(|failure| lent.failed(&ctx, failure))
        })?,
    )?;
    let lent = own();
    host.set(
        "setXml",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, text: String| -> Result<(), rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let limits = lent.limits.clone();
            let Ok(tree) = Tree::read(&text, &bounds(&limits)) else {
                return Err(Exception::throw_message(&ctx, "the payload is not XML"));
            };
            let done = match tree.root().and_then(|root| soap_format(&tree, root)) {
                Some(format) => {
                    lent.message.payload.set_envelope(Envelope { tree: Arc::new(tree), format });
                    Ok(())
                }
                None => lent.message.payload.set_xml(&tree, &limits),
            };
            done.map_err(|failure| lent.failed(&ctx, failure))
        })?,
    )?;
    let lent = own();
    host.set(
        "envelope",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>| -> Result<String, rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let limits = lent.limits.clone();
            let text = lent.message.payload.xml(&limits).map(|envelope| envelope.tree.text(envelope.tree.document()));
            text.map_err(|failure| lent.failed(&ctx, failure))
        })?,
    )?;
    let lent = own();
    host.set(
        "text",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>| -> Result<String, rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let limits = lent.limits.clone();
            let is_json = lent.message.payload.is_json();
            let text = if is_json {
                lent.message.payload.shown(&limits)
            } else {
                lent.message
                    .payload
                    .xml(&limits)
                    .map(|envelope| envelope.content().map(|c| envelope.tree.string_value(c)).unwrap_or_default())
            };
            text.map_err(|failure| lent.failed(&ctx, failure))
        })?,
    )?;
    let lent = own();
    host.set(
        "header",
        Function::new(ctx.clone(), move |ctx: Ctx<'js>, must: bool, text: String| -> Result<(), rquickjs::Error> {
            let mut lent = lent.borrow_mut();
            let limits = lent.limits.clone();
            let Ok(block) = Tree::read(&text, &bounds(&limits)) else {
                return Err(Exception::throw_message(&ctx, "the header is not XML"));
            };
            let added = lent.message.payload.xml_mut(&limits).map(|envelope| {
                let namespace = envelope.tree.root().and_then(|root| envelope.tree.tag(root)).and_then(|tag| tag.namespace.clone());
                if let (Some(header), Some(root)) = (envelope.make_header(), block.root()) {
                    let tree = envelope.tree_mut();
                    let copy = tree.graft(&block, root);
                    if must && let Some(tag) = tree.tag_mut(copy) {
                        tag.attributes.push(crate::tree::TagAttribute {
                            prefix: Some(Arc::from("soapenv")),
                            name: Arc::from("mustUnderstand"),
                            namespace,
                            value: "1".to_owned(),
                        });
                    }
                    tree.append(header, copy);
                }
            });
            added.map_err(|failure| lent.failed(&ctx, failure))
        })?,
    )?;
    let lent = own();
    host.set(
        "address",
        Function::new(ctx.clone(), move |name: String| -> Option<String> {
            let lent = lent.borrow();
            match name.as_str() {
                "To" => lent.message.to.clone(),
                "MessageID" => Some(lent.message.message_id.clone()),
                name => lent.message.property(Scope::Default, &format!("{ADDRESSING}{name}")).map(|v| v.to_string()),
            }
        })?,
    )?;
    let lent = own();
    host.set(
        "setAddress",
        Function::new(ctx.clone(), move |name: String, value: Option<String>| {
            let mut lent = lent.borrow_mut();
            match (name.as_str(), value) {
                ("To", value) => lent.message.to = value,
                ("MessageID", value) => lent.message.message_id = value.unwrap_or_default(),
                (name, Some(value)) => lent.message.properties.set(Scope::Default, format!("{ADDRESSING}{name}"), value),
                (name, None) => lent.message.properties.remove(Scope::Default, &format!("{ADDRESSING}{name}")),
            }
        })?,
    )?;
    let lent = own();
    host.set("isResponse", Function::new(ctx.clone(), move || lent.borrow().message.direction == Direction::Response)?)?;
    let lent = own();
    host.set(
        "setResponse",
        Function::new(ctx.clone(), move |is: bool| {
            lent.borrow_mut().message.direction = if is { Direction::Response } else { Direction::Request };
        })?,
    )?;
    let lent = own();
    host.set("protocol", Function::new(ctx.clone(), move || lent.borrow().message.payload.protocol())?)?;
    let lent = own();
    host.set(
        "log",
        Function::new(ctx.clone(), move |level: u32, text: String| {
            let mut lent = lent.borrow_mut();
            let level = match level {
                0 => LogLevel::Trace,
                1 => LogLevel::Debug,
                2 => LogLevel::Info,
                3 => LogLevel::Warn,
                _ => LogLevel::Error,
            };
            // What is over would not be kept anyway.
            if lent.log_bytes > 0 {
                lent.log_bytes = lent.log_bytes.saturating_sub(text.len() + 64);
                lent.lines.push((level, text));
            }
        })?,
    )?;
    Ok(host)
}
