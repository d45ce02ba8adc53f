//! The core function library and what sequences have beside it.

use std::fmt::Write as _;

use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use super::evaluate::{At, Context, Item, Run, Stopped, instruction, string_value, truth};
use super::{Expression, Function, names};
use crate::tree::Kind;

/// What Java's `URLEncoder` leaves as it is.
const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'*').remove(b' ');

pub(super) fn call(run: &Run<'_>, function: Function, arguments: &[Expression], context: &Context) -> Result<Item, Stopped> {
    let value = |i: usize| match arguments.get(i) {
        Some(argument) => run.evaluate(argument, context),
        None => Ok(Item::Nodes(vec![context.at])),
    };
    let text = |i: usize| run.text(&value(i)?);
    let number = |i: usize| run.number(&value(i)?);
    Ok(match function {
        Function::Last => Item::Number(context.size as f64),
        Function::Position => Item::Number(context.position as f64),
        Function::Count => match value(0)? {
            Item::Nodes(nodes) => Item::Number(nodes.len() as f64),
            // A value that is no node set counts as one, what is not set as none.
            Item::Nothing => Item::Number(0.0),
            _ => Item::Number(1.0),
        },
        Function::LocalName | Function::Name | Function::NamespaceUri => match value(0)? {
            Item::Nodes(nodes) => Item::Text(nodes.first().map(|at| name(run, function, *at)).unwrap_or_default()),
            Item::Nothing => Item::Text(String::new()),
            _ => return Err(Stopped::Wrong("only nodes have names")),
        },
        Function::String => Item::Text(text(0)?),
        Function::Concat => {
            let mut out = String::new();
            for i in 0..arguments.len() {
                out.push_str(&text(i)?);
            }
            run.pay(out.len() / 64)?;
            Item::Text(out)
        }
        Function::StartsWith => Item::Bool(text(0)?.starts_with(&text(1)?)),
        Function::EndsWith => Item::Bool(text(0)?.ends_with(&text(1)?)),
        Function::Contains => Item::Bool(text(0)?.contains(&text(1)?)),
        Function::SubstringBefore => Item::Text(text(0)?.split_once(&text(1)?).map(|(before, _)| before.to_owned()).unwrap_or_default()),
        Function::SubstringAfter => Item::Text(text(0)?.split_once(&text(1)?).map(|(_, after)| after.to_owned()).unwrap_or_default()),
        Function::Substring => {
            let from = round(number(1)?);
            let to = if arguments.len() > 2 { from + round(number(2)?) } else { f64::INFINITY };
            let within = |i: usize| (i + 1) as f64 >= from && ((i + 1) as f64) < to;
            Item::Text(text(0)?.chars().enumerate().filter(|(i, _)| within(*i)).map(|(_, c)| c).collect())
        }
        Function::StringLength => Item::Number(text(0)?.chars().count() as f64),
        Function::NormalizeSpace => {
            Item::Text(text(0)?.split([' ', '\t', '\r', '\n']).filter(|w| !w.is_empty()).collect::<Vec<_>>().join(" "))
        }
        Function::Translate => {
            let (from, to): (Vec<char>, Vec<char>) = (text(1)?.chars().collect(), text(2)?.chars().collect());
            let subject = text(0)?;
            run.pay(subject.len().saturating_mul(from.len()) / 64)?;
            Item::Text(subject.chars().filter_map(|c| from.iter().position(|f| *f == c).map_or(Some(c), |i| to.get(i).copied())).collect())
        }
        Function::UpperCase => Item::Text(text(0)?.to_uppercase()),
        Function::LowerCase => Item::Text(text(0)?.to_lowercase()),
        Function::Boolean => Item::Bool(truth(&value(0)?)),
        Function::Not => Item::Bool(!truth(&value(0)?)),
        Function::True => Item::Bool(true),
        Function::False => Item::Bool(false),
        Function::Lang => Item::Bool(lang(run, context.at, &text(0)?)),
        Function::Number => Item::Number(number(0)?),
        Function::Sum => match value(0)? {
            Item::Nodes(nodes) => {
                let mut sum = 0.0;
                for at in nodes {
                    run.pay(1)?;
                    sum += run.number(&Item::Text(string_value(&run.tree(at), at)))?;
                }
                Item::Number(sum)
            }
            Item::Nothing => Item::Number(0.0),
            _ => return Err(Stopped::Wrong("sum() adds nodes only")),
        },
        Function::Floor => Item::Number(number(0)?.floor()),
        Function::Ceiling => Item::Number(number(0)?.ceil()),
        Function::Round => Item::Number(round(number(0)?)),
        Function::GetProperty => {
            let (first, second) = (text(0)?, if arguments.len() > 1 { Some(text(1)?) } else { None });
            let third = if arguments.len() > 2 { Some(text(2)?) } else { None };
            run.item(match (second, third) {
                (None, _) => run.host.get_property("default", &first, None),
                (Some(second), None) if !is_scope(&first) => run.host.get_property("default", &first, Some(&second)),
                (Some(second), third) => run.host.get_property(&first, &second, third.as_deref()),
            })?
        }
        Function::Base64Encode => Item::Text(STANDARD.encode(text(0)?)),
        Function::Base64Decode => {
            let plain: String = text(0)?.chars().filter(|c| !c.is_whitespace()).collect();
            // What is not base64 was decoded to nothing.
            Item::Text(STANDARD.decode(plain).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).unwrap_or_default())
        }
        Function::UrlEncode => Item::Text(utf8_percent_encode(&text(0)?, KEPT).to_string().replace(' ', "+")),
        Function::HmacGenerate => {
            let algorithm = match if arguments.len() > 2 { text(2)? } else { "HmacSHA1".to_owned() }.as_str() {
                "HmacSHA1" => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
                "HmacSHA256" => hmac::HMAC_SHA256,
                "HmacSHA384" => hmac::HMAC_SHA384,
                "HmacSHA512" => hmac::HMAC_SHA512,
                _ => return Err(Stopped::Wrong("hmac-generate() knows HmacSHA1, HmacSHA256, HmacSHA384 and HmacSHA512")),
            };
            let tag = hmac::sign(&hmac::Key::new(algorithm, text(1)?.as_bytes()), text(0)?.as_bytes());
            Item::Text(tag.as_ref().iter().fold(String::new(), |mut hex, byte| {
                // Writing to a String cannot fail.
                let _ = write!(hex, "{byte:02x}");
                hex
            }))
        }
        Function::Current => Item::Nodes(vec![run.host.current()?]),
        Function::Key => {
            let key = text(0)?;
            let values = match value(1)? {
                Item::Nodes(nodes) => nodes.into_iter().map(|at| string_value(&run.tree(at), at)).collect(),
                other => vec![run.text(&other)?],
            };
            let mut found = Vec::new();
            for value in values {
                found.extend(run.host.keyed(run, &key, &value, context.at.tree)?);
                run.pay(found.len() / 16)?;
            }
            Item::Nodes(run.sorted(found)?)
        }
        Function::FormatNumber => {
            let format = if arguments.len() > 2 { Some(text(2)?) } else { None };
            Item::Text(run.host.formatted(number(0)?, &text(1)?, format.as_deref())?)
        }
        Function::GenerateId => match value(0)? {
            Item::Nodes(nodes) => Item::Text(nodes.first().map(|at| identity(*at)).unwrap_or_default()),
            _ => return Err(Stopped::Wrong("only nodes have an identity")),
        },
        // What a stylesheet makes is a node set already.
        Function::NodeSet => value(0)?,
        Function::SystemProperty => match text(0)?.split_once(':').map(|(_, name)| name.to_owned()).as_deref() {
            Some("version") => Item::Number(1.0),
            Some("vendor") => Item::Text("Tidegate".to_owned()),
            _ => Item::Text(String::new()),
        },
        Function::KnowsElement => {
            let name = text(0)?;
            Item::Bool(name.split_once(':').is_some_and(|(_, name)| crate::xslt::INSTRUCTIONS.contains(&name)))
        }
        Function::KnowsCall => Item::Bool(names::has_function(&text(0)?)),
        // Without a document type there are neither entities nor identities.
        Function::UnparsedEntity => Item::Text(String::new()),
        Function::Id => Item::Nodes(Vec::new()),
        Function::UrlDecode => Item::Text(percent_decode_str(&text(0)?.replace('+', " ")).decode_utf8_lossy().into_owned()),
    })
}

/// Names that a first argument of two can have to be a scope.
fn is_scope(name: &str) -> bool {
    matches!(
        name,
        "axis2" | "operation" | "default" | "transport" | "registry" | "func" | "system" | "env" | "file" | "synapse" | "axis2-client"
    )
}

/// A name for a node that no other of the same transformation has.
fn identity(at: At) -> String {
    let attribute = at.attribute.map(|number| format!("a{number}")).unwrap_or_default();
    format!("n{}x{}{attribute}", at.tree, at.id.place())
}

fn round(number: f64) -> f64 {
    (number + 0.5).floor()
}

fn name(run: &Run<'_>, function: Function, at: At) -> String {
    let tree = run.tree(at);
    let tag = match tree.kind(at.id) {
        Kind::Element(tag) => tag,
        Kind::Instruction(text) if !matches!(function, Function::NamespaceUri) => return instruction(text).0.to_owned(),
        _ => return String::new(),
    };
    let (prefix, name, namespace) = match at.attribute {
        None => (&tag.prefix, &tag.name, &tag.namespace),
        Some(number) => match tag.attributes.get(usize::from(number)) {
            Some(attribute) => (&attribute.prefix, &attribute.name, &attribute.namespace),
            None => return String::new(),
        },
    };
    match (function, prefix) {
        (Function::NamespaceUri, _) => namespace.as_deref().unwrap_or_default().to_owned(),
        (Function::Name, Some(prefix)) if !prefix.is_empty() => format!("{prefix}:{name}"),
        _ => name.to_string(),
    }
}

fn lang(run: &Run<'_>, at: At, wanted: &str) -> bool {
    let tree = run.tree(at);
    let mut id = Some(at.id);
    while let Some(here) = id {
        let own = tree.tag(here).and_then(|tag| tag.attributes.iter().find(|a| a.prefix.as_deref() == Some("xml") && &*a.name == "lang"));
        if let Some(own) = own {
            let (value, wanted) = (own.value.to_ascii_lowercase(), wanted.to_ascii_lowercase());
            return value == wanted || value.strip_prefix(&wanted).is_some_and(|rest| rest.starts_with('-'));
        }
        id = tree.parent(here);
    }
    false
}
