//! Where a message is sent other than to the API's own backend.

mod address;
mod wsdl;

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use address::{Piece, append_postfix, expanded, template};

use crate::compile::Work;
use crate::failure::Failure;
use crate::message::Message;
use crate::xml::{self, Element};

/// Most addresses under one endpoint, those of groups within groups counted.
const MAX_PLACES: usize = 32;

/// How deep endpoints may lie in each other, by name or written out; one that names itself ends here.
const MAX_GROUPS: usize = 6;

/// A place to send to, with the placeholders of its address filled in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Absolute address.
    pub uri: String,
    /// Verb it demands; otherwise the message's.
    pub method: Option<String>,
    /// How long it may take.
    pub timeout: Option<Duration>,
    /// Name of the endpoint, for logs; empty for one without.
    pub name: String,
    /// Places to try in this order when no connection to the first can be made: of a failover or load balance endpoint.
    pub others: Vec<StandIn>,
}

/// A place that stands in for another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandIn {
    /// Absolute address.
    pub uri: String,
    /// How long it may take.
    pub timeout: Option<Duration>,
}

/// A compiled `<endpoint>`.
#[derive(Debug, Clone)]
pub(crate) struct Endpoint {
    name: String,
    place: Place,
}

#[derive(Debug, Clone)]
enum Place {
    /// The message's own `To`.
    Default(Option<Duration>),
    One(One),
    /// The first that can be reached.
    Failover(Vec<Endpoint>),
    Balanced(Balanced),
}

/// One address.
#[derive(Debug, Clone)]
struct One {
    uri: Vec<Piece>,
    method: Option<String>,
    /// The rest of the request's path is not put behind the address: so it is where an HTTP endpoint names a verb.
    whole: bool,
    /// Values are decoded, and keep what an address may hold.
    legacy: bool,
    timeout: Option<Duration>,
}

/// Members that take turns.
#[derive(Debug, Clone)]
struct Balanced {
    members: Vec<Endpoint>,
    /// Whose turn it is. Shared by all runs of the program, and the one thing in it that changes.
    turn: Arc<AtomicUsize>,
    /// The others stand in where the one whose turn it is cannot be reached.
    stands_in: bool,
}

impl Endpoint {
    /// Compiles the `<endpoint>` under a mediator; `None` after an obstacle was noted.
    pub(crate) fn compile(work: &mut Work<'_>, mediator: &Element, endpoint: &Element) -> Option<Self> {
        let made = Self::nested(work, mediator, endpoint, 0)?;
        if made.places() > MAX_PLACES {
            let reason = format!("The endpoint has more than {MAX_PLACES} addresses.");
            work.obstacle(mediator, &made.name, &reason, "Put a load balancer in front of them and send to that.");
            return None;
        }
        Some(made)
    }

    /// The endpoint of a name; `None` after an obstacle was noted.
    pub(crate) fn by_key(work: &mut Work<'_>, mediator: &Element, key: &str) -> Option<Self> {
        Self::named(work, mediator, key, 0)
    }

    fn nested(work: &mut Work<'_>, mediator: &Element, endpoint: &Element, depth: usize) -> Option<Self> {
        if depth > MAX_GROUPS {
            work.obstacle(mediator, "", "Endpoints lie too deep in each other, or one names itself.", "Name the addresses in one group.");
            return None;
        }
        if let Some(key) = endpoint.attribute("key").map(str::trim) {
            return Self::named(work, mediator, key, depth);
        }
        if let Some(key) = endpoint.attribute("key-expression") {
            chosen(work, mediator, key);
            return None;
        }
        let name = endpoint.attribute("name").unwrap_or_default().to_owned();
        let kinds = ["http", "address", "default", "wsdl", "failover", "loadbalance", "recipientlist"];
        let Some(kind) = endpoint.elements().find(|e| kinds.contains(&e.name.as_str())) else {
            work.obstacle(mediator, &name, "The endpoint has no address.", "Write an <address> or <http> endpoint.");
            return None;
        };
        if endpoint.elements().any(|e| e.name == "session") {
            work.note(mediator, "Clients are not kept at one member of the group: sessions of endpoints are not read.");
        }
        let place = match kind.name.as_str() {
            "default" if depth > 0 => {
                work.obstacle(mediator, &name, "A group holds a <default> endpoint.", "Write the addresses of its members.");
                return None;
            }
            "default" => Place::Default(timeout(kind)),
            "failover" => Place::Failover(members(work, mediator, kind, depth)?),
            "loadbalance" => Place::Balanced(balanced(work, mediator, kind, depth)?),
            "wsdl" => Place::One(One::plain(&wsdl::address(work, mediator, kind)?, timeout(kind))),
            "recipientlist" => {
                work.obstacle(
                    mediator,
                    &name,
                    "A <recipientlist> endpoint sends copies to all its members, which does not run here.",
                    "Use <clone> with a target and a <call> for each of them.",
                );
                return None;
            }
            _ => Place::One(one(work, mediator, &name, kind)?),
        };
        Some(Self { name, place })
    }

    fn named(work: &mut Work<'_>, mediator: &Element, key: &str, depth: usize) -> Option<Self> {
        if key.starts_with('{') {
            chosen(work, mediator, key);
            return None;
        }
        let Some(source) = work.library.endpoint(key).cloned() else {
            let suggestion = "Add the endpoint, or write its address into the sequence.";
            work.obstacle(mediator, key, "No endpoint of this name was found.", suggestion);
            return None;
        };
        match xml::read(&source.text) {
            Ok(root) if root.name == "endpoint" && root.attribute("key").is_none() => {
                let mut own = Self::nested(work, mediator, &root, depth + 1)?;
                if own.name.is_empty() {
                    key.clone_into(&mut own.name);
                }
                Some(own)
            }
            _ => {
                work.obstacle(mediator, key, "The endpoint's document is not an endpoint.", "Mend the document.");
                None
            }
        }
    }

    pub(crate) fn to(uri: &str) -> Self {
        Self { name: String::new(), place: Place::One(One::plain(uri, None)) }
    }

    fn places(&self) -> usize {
        match &self.place {
            Place::Default(_) | Place::One(_) => 1,
            Place::Failover(members) | Place::Balanced(Balanced { members, .. }) => members.iter().map(Self::places).sum(),
        }
    }

    /// The place for one message; `None` for the API's own backend.
    pub(crate) fn target(&self, message: &Message) -> Result<Option<Target>, Failure> {
        let mut found = Vec::new();
        self.gather(message, &mut found)?;
        let mut found = found.into_iter();
        let Some(mut first) = found.next() else { return Ok(None) };
        if first.name.is_empty() {
            first.name.clone_from(&self.name);
        }
        first.others = found.map(|target| StandIn { uri: target.uri, timeout: target.timeout }).collect();
        Ok(Some(first))
    }

    /// Adds the places to try, in order.
    fn gather(&self, message: &Message, found: &mut Vec<Target>) -> Result<(), Failure> {
        match &self.place {
            Place::Default(timeout) => {
                if let Some(to) = absolute_to(message) {
                    found.push(target(to.to_owned(), false, message, None, *timeout, &self.name)?);
                }
            }
            Place::One(one) => {
                let uri = expanded(&one.uri, one.legacy, message);
                found.push(target(uri, one.whole, message, one.method.clone(), one.timeout, &self.name)?);
            }
            Place::Failover(members) => members.iter().try_for_each(|member| member.gather(message, found))?,
            Place::Balanced(Balanced { members, turn, stands_in }) => {
                // The members of a group are never none.
                let first = turn.fetch_add(1, Ordering::Relaxed) % members.len().max(1);
                let (before, from) = members.split_at(first);
                let asked = if *stands_in { members.len() } else { 1 };
                from.iter().chain(before).take(asked).try_for_each(|member| member.gather(message, found))?;
            }
        }
        Ok(())
    }
}

impl One {
    fn plain(uri: &str, timeout: Option<Duration>) -> Self {
        Self { uri: vec![Piece::Plain(uri.to_owned())], method: None, whole: false, legacy: false, timeout }
    }
}

fn chosen(work: &mut Work<'_>, mediator: &Element, key: &str) {
    work.obstacle(
        mediator,
        key,
        "The endpoint is chosen while the message runs.",
        "Name the endpoint in the sequence, by a <switch> if there are several.",
    );
}

/// An `<http>` or `<address>` endpoint.
fn one(work: &mut Work<'_>, mediator: &Element, name: &str, kind: &Element) -> Option<One> {
    let http = kind.name == "http";
    let uri = if http { kind.attribute("uri-template").or_else(|| kind.attribute("uri")) } else { kind.attribute("uri") };
    let method = if http { kind.attribute("method") } else { None };
    let Some(uri) = uri.map(str::trim).filter(|uri| !uri.is_empty()) else {
        work.obstacle(mediator, name, "The endpoint has no address.", "Write its address.");
        return None;
    };
    let (legacy, uri) = uri.strip_prefix("legacy-encoding:").map_or((false, uri), |uri| (true, uri));
    let pieces = if http { template(uri) } else { Some(vec![Piece::Plain(uri.to_owned())]) };
    let Some(uri) = pieces else {
        work.obstacle(mediator, uri, "The address template cannot be read.", "Close every brace, and use names in them only.");
        return None;
    };
    Some(One { uri, method: method.map(|m| m.trim().to_ascii_uppercase()), whole: method.is_some(), legacy, timeout: timeout(kind) })
}

fn balanced(work: &mut Work<'_>, mediator: &Element, kind: &Element, depth: usize) -> Option<Balanced> {
    if kind.attribute("algorithm").is_some_and(|name| !name.ends_with(".RoundRobin")) {
        work.note(mediator, "The members of the load balance endpoint take turns, whatever algorithm it names.");
    }
    let stands_in = kind.attribute("failover").is_none_or(|value| !value.trim().eq_ignore_ascii_case("false"));
    Some(Balanced { members: members(work, mediator, kind, depth)?, turn: Arc::default(), stands_in })
}

/// What a group holds.
fn members(work: &mut Work<'_>, mediator: &Element, group: &Element, depth: usize) -> Option<Vec<Endpoint>> {
    let inner: Vec<&Element> = group.elements().filter(|e| e.name == "endpoint").collect();
    if inner.is_empty() || inner.len() > MAX_PLACES {
        let reason = format!("A group has to hold one to {MAX_PLACES} <endpoint>s.");
        work.obstacle(mediator, &group.name, &reason, "Write an <endpoint> for each address.");
        return None;
    }
    // All are compiled, so that what is wrong in each is named.
    let made: Vec<Option<Endpoint>> = inner.into_iter().map(|e| Endpoint::nested(work, mediator, e, depth + 1)).collect();
    let made = made.into_iter().collect::<Option<Vec<_>>>()?;
    if methods(&made).windows(2).any(|pair| pair.first() != pair.last()) {
        work.obstacle(mediator, &group.name, "The members of the group demand different verbs.", "Give all the same method, or none.");
        return None;
    }
    Some(made)
}

fn methods(members: &[Endpoint]) -> Vec<Option<&str>> {
    let mut all = Vec::new();
    for member in members {
        match &member.place {
            Place::Default(_) => all.push(None),
            Place::One(one) => all.push(one.method.as_deref()),
            Place::Failover(inner) | Place::Balanced(Balanced { members: inner, .. }) => all.extend(methods(inner)),
        }
    }
    all
}

fn target(
    mut uri: String,
    whole: bool,
    message: &Message,
    method: Option<String>,
    timeout: Option<Duration>,
    name: &str,
) -> Result<Target, Failure> {
    if !is_absolute(&uri) {
        return Err(Failure { code: 0, detail: uri, ..Failure::new("Unexpected error during sending message out") });
    }
    if !whole {
        append_postfix(&mut uri, &message.url_postfix);
    }
    Ok(Target { uri, method, timeout, name: name.to_owned(), others: Vec::new() })
}

/// The message's `To`, if a sequence made it a place.
pub(crate) fn absolute_to(message: &Message) -> Option<&str> {
    message.to.as_deref().filter(|to| is_absolute(to))
}

fn is_absolute(uri: &str) -> bool {
    let has = |scheme: &str| uri.get(..scheme.len()).is_some_and(|start| start.eq_ignore_ascii_case(scheme));
    (has("http://") || has("https://")) && !uri.chars().any(|c| c.is_control() || c == ' ')
}

fn timeout(kind: &Element) -> Option<Duration> {
    let timeout = kind.elements().find(|e| e.name == "timeout")?;
    let duration = timeout.elements().find(|e| e.name == "duration")?;
    duration.text().trim().parse().ok().filter(|ms| *ms > 0).map(Duration::from_millis)
}

#[cfg(test)]
mod tests;
