//! Names of axes, variables and functions, and how many arguments each function takes.

use super::{Axis, Expression, Function, Variable};
use crate::message::Scope;

pub(super) fn axis(name: &str) -> Result<Axis, String> {
    Ok(match name {
        "child" => Axis::Child,
        "descendant" => Axis::Descendant,
        "descendant-or-self" => Axis::DescendantOrSelf,
        "parent" => Axis::Parent,
        "ancestor" => Axis::Ancestor,
        "ancestor-or-self" => Axis::AncestorOrSelf,
        "following" => Axis::Following,
        "following-sibling" => Axis::FollowingSibling,
        "preceding" => Axis::Preceding,
        "preceding-sibling" => Axis::PrecedingSibling,
        "attribute" => Axis::Attribute,
        "self" => Axis::Itself,
        _ => return Err(format!("the axis '{name}' is not known")),
    })
}

pub(super) fn variable(prefix: Option<&str>, name: String) -> Result<Variable, String> {
    Ok(match prefix {
        None => match name.as_str() {
            "body" => Variable::Body,
            "header" => Variable::Header,
            "env" => Variable::Envelope,
            _ => return Err(format!("the variable '${name}' is not known")),
        },
        Some("ctx") => Variable::Property(Scope::Default, name),
        Some("axis2") => Variable::Property(Scope::Axis2, name),
        Some("trp") => Variable::Property(Scope::Transport, name),
        Some("operation") => Variable::Property(Scope::Operation, name),
        Some("func") => Variable::Property(Scope::Template, name),
        Some("url") => Variable::Query(name),
        Some("system" | "env" | "file") => Variable::Nothing,
        Some(prefix) => return Err(format!("the variable '${prefix}:{name}' is not known")),
    })
}

pub(super) fn function(name: &str) -> Result<Function, String> {
    Ok(match name {
        "last" => Function::Last,
        "position" => Function::Position,
        "count" => Function::Count,
        "local-name" => Function::LocalName,
        "namespace-uri" => Function::NamespaceUri,
        "name" => Function::Name,
        "string" => Function::String,
        "concat" => Function::Concat,
        "starts-with" => Function::StartsWith,
        "ends-with" => Function::EndsWith,
        "contains" => Function::Contains,
        "substring-before" => Function::SubstringBefore,
        "substring-after" => Function::SubstringAfter,
        "substring" => Function::Substring,
        "string-length" => Function::StringLength,
        "normalize-space" => Function::NormalizeSpace,
        "translate" => Function::Translate,
        "upper-case" => Function::UpperCase,
        "lower-case" => Function::LowerCase,
        "boolean" => Function::Boolean,
        "not" => Function::Not,
        "true" => Function::True,
        "false" => Function::False,
        "lang" => Function::Lang,
        "number" => Function::Number,
        "sum" => Function::Sum,
        "floor" => Function::Floor,
        "ceiling" => Function::Ceiling,
        "round" => Function::Round,
        "get-property" => Function::GetProperty,
        "base64Encode" => Function::Base64Encode,
        "base64Decode" => Function::Base64Decode,
        "url-encode" => Function::UrlEncode,
        "url-decode" => Function::UrlDecode,
        "hmac-generate" => Function::HmacGenerate,
        _ => return Err(format!("the function '{name}' is not known")),
    })
}

/// Whether a stylesheet has a function of this name.
pub(super) fn has_function(name: &str) -> bool {
    let (prefix, name) = name.split_once(':').map_or((None, name), |(prefix, name)| (Some(prefix), name));
    function_of_stylesheet(prefix, name).is_ok()
}

pub(super) fn function_of_stylesheet(prefix: Option<&str>, name: &str) -> Result<Function, String> {
    Ok(match (prefix, name) {
        (Some(_), "node-set" | "nodeset" | "nodeSet") => Function::NodeSet,
        (Some(prefix), _) => return Err(format!("the extension function '{prefix}:{name}' does not run here")),
        (None, "current") => Function::Current,
        (None, "key") => Function::Key,
        (None, "format-number") => Function::FormatNumber,
        (None, "generate-id") => Function::GenerateId,
        (None, "system-property") => Function::SystemProperty,
        (None, "element-available") => Function::KnowsElement,
        (None, "function-available") => Function::KnowsCall,
        (None, "unparsed-entity-uri") => Function::UnparsedEntity,
        (None, "id") => Function::Id,
        (None, "document") => return Err("document() would read from elsewhere, which a stylesheet here cannot".to_owned()),
        (None, name) => match function(name)? {
            Function::EndsWith
            | Function::UpperCase
            | Function::LowerCase
            | Function::GetProperty
            | Function::Base64Encode
            | Function::Base64Decode
            | Function::UrlEncode
            | Function::UrlDecode
            | Function::HmacGenerate => return Err(format!("XSLT 1.0 has no function '{name}'")),
            function => function,
        },
    })
}

pub(super) fn check_arguments(function: Function, name: &str, arguments: &[Expression]) -> Result<(), String> {
    let (least, most) = match function {
        Function::Last | Function::Position | Function::True | Function::False => (0, 0),
        Function::LocalName
        | Function::NamespaceUri
        | Function::Name
        | Function::String
        | Function::StringLength
        | Function::NormalizeSpace
        | Function::Number => (0, 1),
        Function::Count
        | Function::Boolean
        | Function::Not
        | Function::Lang
        | Function::Sum
        | Function::Floor
        | Function::Ceiling
        | Function::Round => (1, 1),
        // The further one is a character set or a locale.
        Function::Base64Encode
        | Function::Base64Decode
        | Function::UrlEncode
        | Function::UrlDecode
        | Function::UpperCase
        | Function::LowerCase => (1, 2),
        Function::Concat => (2, usize::MAX),
        Function::StartsWith | Function::EndsWith | Function::Contains | Function::SubstringBefore | Function::SubstringAfter => (2, 2),
        Function::Substring | Function::HmacGenerate => (2, 3),
        Function::Translate => (3, 3),
        Function::GetProperty => (1, 3),
        Function::Current => (0, 0),
        Function::GenerateId => (0, 1),
        Function::NodeSet
        | Function::SystemProperty
        | Function::KnowsElement
        | Function::KnowsCall
        | Function::UnparsedEntity
        | Function::Id => (1, 1),
        Function::Key => (2, 2),
        Function::FormatNumber => (2, 3),
    };
    if (least..=most).contains(&arguments.len()) { Ok(()) } else { Err(format!("the function '{name}' has the wrong number of arguments")) }
}
