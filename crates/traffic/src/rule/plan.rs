//! Queries chained: what a call must be, by which key it counts, and how many of one key may pass.

use super::query::{Expr, Is, Query, Span, Window};
use super::term::{Desk, Kind, Meaning, Scope, Term, Value};
use super::{Asked, Attribute, Place, Property, RuleFault, RuleLimit};
use crate::Quota;
use crate::condition::Compile;

const SOURCE: &str = "RequestStream";
const SINK: &str = "ResultStream";

/// What the old gateway waits for in the sink.
const KEY: &str = "throttleKey";
const SPENT: &str = "isThrottled";
const EXPIRY: &str = "expiryTimeStamp";

/// A stream that a query filled.
struct Stream {
    name: String,
    scope: Scope,
    /// What calls in it are.
    eligible: Term,
}

/// The limits that queries come to.
pub(super) fn limits(queries: &[Query], compile: &Compile<'_>) -> Result<Vec<RuleLimit>, RuleFault> {
    let mut streams = vec![Stream { name: SOURCE.to_owned(), scope: Scope::of_calls(), eligible: Term::Bool(true) }];
    let mut limits = Vec::new();
    for query in queries {
        let (name, place) = &query.from;
        let Some(stream) = streams.iter().find(|stream| stream.name == *name) else {
            let known: Vec<&str> = streams.iter().map(|stream| stream.name.as_str()).collect();
            return Err(RuleFault::at(*place, format!("no query before this one fills '{name}'; there is {}", known.join(", "))));
        };
        let desk = Desk { scope: &stream.scope, compile };
        let mut eligible = stream.eligible.clone();
        for filter in &query.filters {
            eligible = match (eligible, desk.condition(filter)?) {
                (Term::Bool(true), only) => only,
                (before, more) => Term::And(Box::new(before), Box::new(more)),
            };
        }
        let (into, place) = &query.into;
        match &query.window {
            Some(window) => limits.push(limit(query, window, &desk, eligible)?),
            None if into == SINK => {
                return Err(RuleFault::at(*place, format!("nothing is counted before {SINK}: #throttler:timeBatch(…) is missing")));
            }
            None if streams.iter().any(|stream| stream.name == *into) => {
                return Err(RuleFault::at(*place, format!("'{into}' is filled already")));
            }
            None => {
                let scope = selected(query, &desk)?;
                streams.push(Stream { name: into.clone(), scope, eligible });
            }
        }
    }
    match limits.is_empty() {
        true => Err(RuleFault::at(queries.last().map_or(Place { line: 1, column: 1 }, |q| q.into.1), format!("no query fills {SINK}"))),
        false => Ok(limits),
    }
}

/// The attributes that a query without a window hands on.
fn selected(query: &Query, desk: &Desk<'_>) -> Result<Scope, RuleFault> {
    if let Some((_, place)) = query.group_by.first() {
        return Err(RuleFault::at(*place, "groups without a window are not enforced here"));
    }
    let Some(select) = &query.select else { return Ok(desk.scope.clone()) };
    let mut scope = Vec::new();
    for item in select {
        let meaning = match &item.what.is {
            Is::Name(name) => desk.scope.get(name).cloned().ok_or_else(|| desk.scope.unknown(name, item.what.place))?,
            _ => Meaning::Term(desk.term(&item.what)?.0),
        };
        scope.push((item.named.clone(), meaning));
    }
    Ok(Scope(scope))
}

/// What `#throttler:timeBatch(…) SELECT throttleKey, (count(…) >= n) AS isThrottled, expiryTimeStamp GROUP BY throttleKey` limits.
fn limit(query: &Query, window: &Window, desk: &Desk<'_>, eligible: Term) -> Result<RuleLimit, RuleFault> {
    let (into, into_place) = &query.into;
    if into != SINK {
        return Err(RuleFault::at(*into_place, format!("what is counted must go into {SINK}")));
    }
    let length_ms = length(window)?;
    let select = query.select.as_deref().unwrap_or_default();
    let item = |name: &str| select.iter().find(|item| item.named == name);
    let missing = |name: &str| RuleFault::at(query.from.1, format!("this query does not select {name}, without which nothing is limited"));
    let key = item(KEY).ok_or_else(|| missing(KEY))?;
    let spent = item(SPENT).ok_or_else(|| missing(SPENT))?;
    item(EXPIRY).filter(|item| matches!(&item.what.is, Is::Name(name) if name == EXPIRY)).ok_or_else(|| missing(EXPIRY))?;
    if let Some(other) = select.iter().find(|item| ![KEY, SPENT, EXPIRY].contains(&item.named.as_str())) {
        return Err(RuleFault::at(other.place, format!("{SINK} takes {KEY}, {SPENT} and {EXPIRY}, and not '{}'", other.named)));
    }
    let Is::Name(keyed) = &key.what.is else {
        return Err(RuleFault::at(key.what.place, "the key must be an attribute of the stream, which calls are grouped by"));
    };
    match query.group_by.as_slice() {
        [(name, _)] if name == keyed => {}
        [(_, place), ..] => return Err(RuleFault::at(*place, format!("calls must be grouped by '{keyed}' alone"))),
        [] => return Err(RuleFault::at(key.place, format!("'group by {keyed}' is missing: all calls would be counted together"))),
    }
    let (key, kind) = desk.term(&key.what)?;
    if kind != Kind::Text {
        return Err(RuleFault::at(query.from.1, format!("'{keyed}' must be a text")));
    }
    Ok(RuleLimit { eligible, key, quota: quota(&spent.what, desk, length_ms)? })
}

fn length(window: &Window) -> Result<i64, RuleFault> {
    let fault = |reason: String| Err(RuleFault::at(window.place, reason));
    if !window.name.eq_ignore_ascii_case("throttler:timeBatch") {
        let reason = "is not enforced here, and without its expiryTimeStamp the old engine limited nothing either";
        return fault(format!("#{} {reason}; #throttler:timeBatch(…) is", window.name));
    }
    match window.arguments.as_slice() {
        [Span { ms, .. }] | [Span { ms, .. }, Span { ms: 0, .. }] if *ms > 0 => Ok(*ms),
        [Span { ms, place }, Span { ms: start, .. }] if *ms > 0 => match start % ms {
            0 => Ok(*ms),
            _ => Err(RuleFault::at(*place, "windows begin at whole multiples of their length; another beginning is not enforced here")),
        },
        _ => fault("timeBatch takes a time, and perhaps 0 for its beginning".to_owned()),
    }
}

/// `count(…) >= n`, `n <= count(…)`, or the same of `sum(messageSize)`; `>` lets one more pass.
fn quota(spent: &Expr, desk: &Desk<'_>, length_ms: i64) -> Result<Quota, RuleFault> {
    let place = spent.place;
    let shape = || RuleFault::at(place, "isThrottled must be 'count(…) >= number' or 'sum(messageSize) >= number' to be enforced");
    let Is::Compare(sign, left, right) = &spent.is else { return Err(shape()) };
    let (measure, bound, more) = match *sign {
        ">=" => (left, right, 0),
        ">" => (left, right, 1),
        "<=" => (right, left, 0),
        "<" => (right, left, 1),
        _ => return Err(shape()),
    };
    let Is::Call(function, arguments) = &measure.is else { return Err(shape()) };
    let by_bytes = match (function.to_ascii_lowercase().as_str(), arguments.as_slice()) {
        ("count", []) => false,
        ("count", [Expr { is: Is::Name(name), place }]) => match desk.scope.get(name) {
            Some(_) => false,
            None => return Err(desk.scope.unknown(name, *place)),
        },
        ("count", [any]) => desk.term(any).map(|_| false)?,
        ("sum" | "throttler:sum", [size]) => match desk.term(size)? {
            (Term::MessageSize, _) => true,
            _ => return Err(RuleFault::at(size.place, "a sum is enforced of map:get(propertiesMap, 'messageSize') alone")),
        },
        _ => return Err(shape()),
    };
    let (bound_term, kind) = desk.term(bound)?;
    if bound_term.any(&|part| matches!(part, Term::Attribute(_) | Term::Property(_) | Term::MessageSize)) {
        return Err(RuleFault::at(bound.place, "the bound must be a number that does not depend on the call"));
    }
    let number = match (kind, bound_term.value(&Nothing)) {
        (Kind::Int, Value::Int(number)) => number.checked_add(more).and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0),
        _ => None,
    };
    let number = number.ok_or_else(|| RuleFault::at(bound.place, "the bound must be a whole number above nothing"))?;
    Ok(if by_bytes { Quota::bytes(number, length_ms) } else { Quota::calls(number, length_ms) })
}

/// No call: constants do not look at any.
struct Nothing;

impl Asked for Nothing {
    fn attribute(&self, _: Attribute) -> std::borrow::Cow<'_, str> {
        "".into()
    }

    fn property(&self, _: &str) -> Option<Property<'_>> {
        None
    }

    fn client_ip(&self) -> std::borrow::Cow<'_, str> {
        "".into()
    }
}
