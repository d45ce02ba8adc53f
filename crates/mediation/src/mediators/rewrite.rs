//! `rewrite`: changes the parts of an address by rules.

use super::address::{Fragment, Fragments};
use super::evaluator::Evaluator;
use crate::compile::Work;
use crate::expression::{Expression, Means};
use crate::failure::Failure;
use crate::message::{Message, Scope};
use crate::pattern::Pattern;
use crate::program::Action;
use crate::xml::Element;

#[derive(Debug)]
pub(crate) struct Rewrite {
    rules: Vec<Rule>,
    /// Property that holds the address; without one it is the message's own.
    from: Option<String>,
    to: Option<String>,
}

#[derive(Debug)]
struct Rule {
    condition: Option<Evaluator>,
    deeds: Vec<Deed>,
}

#[derive(Debug)]
struct Deed {
    value: Value,
    /// None is all of the address.
    fragment: Option<Fragment>,
    kind: Kind,
    /// Names in braces become the properties of these names.
    resolves: bool,
}

#[derive(Debug)]
enum Value {
    None,
    Fixed(String),
    Made(Expression),
}

#[derive(Debug)]
enum Kind {
    Set,
    Append,
    Prepend,
    Replace(Pattern),
    Remove,
    RemoveParameter,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let mut rules = Vec::new();
    for rule in element.elements().filter(|e| e.name == "rewriterule") {
        let condition = match rule.elements().find(|e| e.name == "condition" && e.elements().next().is_some()) {
            Some(condition) => Some(Evaluator::of_condition(work, condition)?),
            None => None,
        };
        let deeds: Vec<Option<Deed>> = rule.elements().filter(|e| e.name == "action").map(|action| deed(work, action)).collect();
        rules.push(Rule { condition, deeds: deeds.into_iter().collect::<Option<Vec<_>>>()? });
    }
    let named = |name: &str| element.attribute(name).map(|name| name.trim().to_owned()).filter(|name| !name.is_empty());
    Some(Action::Rewrite(Box::new(Rewrite { rules, from: named("inProperty"), to: named("outProperty") })))
}

fn deed(work: &mut Work<'_>, action: &Element) -> Option<Deed> {
    let value = match (action.attribute("xpath"), action.attribute("value")) {
        (Some(text), _) => Value::Made(work.expression(action, text)?),
        (None, Some(text)) => Value::Fixed(text.to_owned()),
        (None, None) => Value::None,
    };
    let fragment = match action.attribute("fragment").map(str::trim) {
        None | Some("full") => None,
        Some(name) => match Fragment::named(name) {
            Some(fragment) => Some(fragment),
            None => {
                let suggestion = "Use protocol, user, host, port, path, query, ref or full.";
                work.obstacle(action, name, "An address has no such part.", suggestion);
                return None;
            }
        },
    };
    let kind = match action.attribute("type").map_or("set", str::trim) {
        "set" => Kind::Set,
        "append" => Kind::Append,
        "prepend" => Kind::Prepend,
        "replace" => {
            let regex = work.needed(action, "regex")?;
            match Pattern::inside(regex) {
                Ok(pattern) => Kind::Replace(pattern),
                Err(why) => {
                    work.obstacle(action, regex, &format!("The regular expression cannot be run: {why}."), "Write it another way.");
                    return None;
                }
            }
        }
        "remove" => Kind::Remove,
        "remove-query-param" if fragment == Some(Fragment::Query) => Kind::RemoveParameter,
        other => {
            work.obstacle(
                action,
                other,
                "A rule does no such thing.",
                "Use set, append, prepend, replace, remove or, in a query, remove-query-param.",
            );
            return None;
        }
    };
    if matches!((&value, &kind), (Value::None, kind) if !matches!(kind, Kind::Remove)) {
        work.obstacle(action, "", "The action has neither a value nor an xpath.", "Write one; the old product refused the sequence too.");
        return None;
    }
    let resolves = action.attribute("resolve").is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
    Some(Deed { value, fragment, kind, resolves })
}

impl Rewrite {
    pub(crate) fn reads_body(&self) -> bool {
        self.rules.iter().any(|rule| {
            rule.condition.as_ref().is_some_and(Evaluator::reads_body)
                || rule.deeds.iter().any(|deed| matches!(&deed.value, Value::Made(expression) if expression.reads_body()))
        })
    }

    pub(crate) fn run(&self, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let address = match &self.from {
            Some(name) => message.property(Scope::Default, name).map(|value| value.to_string()),
            None => message.to.clone(),
        };
        let mut fragments = Fragments::read(&address.unwrap_or_default());
        for rule in &self.rules {
            if let Some(condition) = &rule.condition
                && !condition.holds(&fragments.written()?, message, means)?
            {
                continue;
            }
            for deed in &rule.deeds {
                deed.run(&mut fragments, message, means)?;
            }
        }
        let made = fragments.written()?;
        match &self.to {
            Some(name) => message.set_property(Scope::Default, name, made.into())?,
            None => message.to = Some(made),
        }
        Ok(())
    }
}

impl Deed {
    fn run(&self, fragments: &mut Fragments, message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
        let value = match &self.value {
            Value::None => None,
            Value::Fixed(text) => Some(text.clone()),
            Value::Made(expression) => expression.text(message, means)?,
        };
        let Some(fragment) = self.fragment else {
            *fragments = Fragments::read(&value.unwrap_or_default());
            return Ok(());
        };
        if fragment == Fragment::Port {
            return fragments.set(fragment, value);
        }
        let now = fragments.now(fragment);
        let between = if fragment == Fragment::Query && !now.is_empty() { "&" } else { "" };
        let made = match (&self.kind, value) {
            (Kind::Remove, _) => None,
            (Kind::Set, value) => value,
            (_, None) => Some(String::new()),
            (Kind::Append, Some(value)) => Some(format!("{now}{between}{value}")),
            (Kind::Prepend, Some(value)) => Some(format!("{value}{between}{now}")),
            (Kind::Replace(pattern), Some(value)) => Some(pattern.replaced(&now, &value)?),
            (Kind::RemoveParameter, Some(name)) => Some(without(&now, &name)),
        };
        let made = made.map(|made| if self.resolves { resolved(&made, message) } else { made });
        fragments.set(fragment, made)
    }
}

/// A query without its first parameter of a name.
fn without(query: &str, name: &str) -> String {
    let mut gone = false;
    let mut kept = Vec::new();
    for pair in query.split('&') {
        if !gone && pair.split_once('=').is_some_and(|(own, _)| own.ends_with(name)) {
            gone = true;
        } else {
            kept.push(pair);
        }
    }
    kept.join("&")
}

/// Names in braces as the properties of these names; one that is not set leaves nothing, as it did.
fn resolved(text: &str, message: &Message) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else { break };
        let value = message.property(Scope::Default, name).map(|value| value.to_string()).filter(|value| !value.is_empty());
        let Some(value) = value else { return String::new() };
        out.push_str(before);
        out.push_str(&value);
        rest = after;
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{End, Library, Limits, Source};

    /// What rules make of an address.
    fn made(rules: &str, address: &str) -> String {
        let text = format!("<sequence><rewrite>{rules}</rewrite></sequence>");
        let program = Arc::new(crate::compile(&Source::new("s", text), &Library::new()).map_err(|o| o[0].to_string()).unwrap());
        assert!(!program.body_use().reads);
        let mut message = Message::request("GET", address);
        message.headers.set("X-Site", "blue");
        message.properties.set(Scope::Default, "region", "eu");
        match program.run(&mut message, &Limits::default()).end {
            End::Continue => message.to.unwrap(),
            End::Fault(fault) => format!("fault: {}", fault.message),
            other => panic!("{other:?}"),
        }
    }

    fn rule(actions: &str) -> String {
        format!("<rewriterule>{actions}</rewriterule>")
    }

    #[test]
    fn parts_of_an_address_are_changed() {
        let address = "http://h.org:80/a/b?c=1&d=2#e";
        for (actions, expected) in [
            ("<action value='https' fragment='protocol'/>", "https://h.org:80/a/b?c=1&d=2#e"),
            ("<action value='x.net' fragment='host'/><action value='9' fragment='port'/>", "http://x.net:9/a/b?c=1&d=2#e"),
            ("<action type='remove' fragment='port'/>", "http://h.org/a/b?c=1&d=2#e"),
            ("<action value='u' fragment='user'/>", "http://u@h.org:80/a/b?c=1&d=2#e"),
            ("<action value='/z' type='append' fragment='path'/>", "http://h.org:80/a/b/z?c=1&d=2#e"),
            ("<action value='/z' type='prepend' fragment='path'/>", "http://h.org:80/z/a/b?c=1&d=2#e"),
            ("<action value='/x/$1 y' type='replace' regex='/([a-z])/b' fragment='path'/>", "http://h.org:80/x/a%20y?c=1&d=2#e"),
            ("<action value='f=3' type='append' fragment='query'/>", "http://h.org:80/a/b?c=1&d=2&f=3#e"),
            ("<action value='c' type='remove-query-param' fragment='query'/>", "http://h.org:80/a/b?d=2#e"),
            ("<action type='remove' fragment='query'/><action type='remove' fragment='ref'/>", "http://h.org:80/a/b"),
            ("<action value='http://other/p'/>", "http://other/p"),
            ("<action xpath=\"concat('/', $ctx:region)\" fragment='path'/>", "http://h.org:80/eu?c=1&d=2#e"),
            ("<action value='/in/{region}' resolve='true' fragment='path'/>", "http://h.org:80/in/eu?c=1&d=2#e"),
            ("<action value='z' fragment='path'/>", "fault: Error while constructing a URI from the fragments"),
            ("<action value='z' fragment='port'/>", "fault: The port of an address is no number"),
            ("<action value='a/b' fragment='host'/>", "fault: Error while constructing a URI from the fragments"),
        ] {
            assert_eq!(made(&rule(actions), address), expected, "{actions}");
        }
    }

    #[test]
    fn rules_hold_under_their_conditions() {
        let under = |condition: &str| rule(&format!("<condition>{condition}</condition><action value='yes' fragment='host'/>"));
        for (condition, holds) in [
            ("<equal type='url' source='host' value='h.org'/>", true),
            ("<equal type='url' source='port' value='-1'/>", true),
            ("<match type='url' regex='http://.*'/>", true),
            ("<equal type='header' source='X-Site' value='blue'/>", true),
            ("<equal source='X-Site' value='red'/>", false),
            ("<equal type='param' source='c' value='1 2'/>", true),
            ("<match type='property' source='region' regex='e.'/>", true),
            ("<not><equal type='property' source='none' value='x'/></not>", true),
            ("<and><equal type='param' source='c' value='1 2'/><equal source='X-Site' value='red'/></and>", false),
            ("<or><equal type='param' source='c' value='1 2'/><equal source='X-Site' value='red'/></or>", true),
        ] {
            let host = made(&under(condition), "http://h.org/a?c=1+2");
            assert_eq!(host.contains("//yes/"), holds, "{condition}: {host}");
        }
        // Each rule sees what those before it made.
        let two = rule("<action value='/x' fragment='path'/>")
            + &rule("<condition><equal type='url' source='path' value='/x'/></condition><action value='q' fragment='query'/>");
        assert_eq!(made(&two, "/a"), "/x?q");
    }

    #[test]
    fn addresses_lie_in_properties_too() {
        let text = "<sequence><property name='a' value='http://h/x'/><rewrite inProperty='a' outProperty='b'><rewriterule><action value='i' fragment='host'/></rewriterule></rewrite></sequence>";
        let program = Arc::new(crate::compile(&Source::new("s", text), &Library::new()).unwrap());
        let mut message = Message::request("GET", "/y");
        program.run(&mut message, &Limits::default());
        assert_eq!(message.properties.get(Scope::Default, "b").unwrap().to_string(), "http://i/x");
        assert_eq!(message.to.as_deref(), Some("/y"));
    }

    #[test]
    fn what_is_no_rule_is_named() {
        for (rules, why) in [
            ("<action value='a' fragment='x'/>", "An address has no such part"),
            ("<action value='a' type='x'/>", "A rule does no such thing"),
            ("<action fragment='host'/>", "neither a value nor an xpath"),
            ("<action value='a' type='replace' fragment='host'/>", "'regex' is missing"),
            ("<action value='a' type='replace' regex='(' fragment='host'/>", "regular expression"),
            ("<condition><x/></condition><action value='a'/>", "A condition has no such part"),
            ("<condition><equal type='y' value='a'/></condition><action value='a'/>", "takes no text from there"),
        ] {
            let text = format!("<sequence><rewrite>{}</rewrite></sequence>", rule(rules));
            let found = crate::compile(&Source::new("s", text), &Library::new()).unwrap_err();
            assert!(found[0].to_string().contains(why), "{}", found[0]);
        }
    }
}
