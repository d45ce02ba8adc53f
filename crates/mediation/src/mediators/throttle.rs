//! `throttle`: lets calls through by a policy of the WS-Policy form, so many in a time for each group of callers, so many at once.
//!
//! As in the old product all callers that one `ID` of the policy means are counted together, `other` being all the rest; a time begins with
//! the first call. Counts are this node's and this API's, and begin anew when the sequence is deployed again.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::compile::Work;
use crate::message::{Direction, Message, Permit};
use crate::program::{Action, BlockId};
use crate::xml::{self, Element};

/// Most groups of callers in a policy.
const MAX_GROUPS: usize = 1000;

#[derive(Debug)]
pub(crate) struct Throttle {
    groups: Vec<Group>,
    at_once: Option<AtOnce>,
    /// Without one the message goes on.
    pub(crate) accepted: Option<BlockId>,
    /// Without one nothing more happens to the message.
    pub(crate) rejected: Option<BlockId>,
}

/// Callers that are counted together.
#[derive(Debug)]
struct Group {
    who: Who,
    access: Access,
}

#[derive(Debug, PartialEq, Eq)]
enum Who {
    Address(String),
    /// Addresses of one network, by their last part.
    Range(Ipv4Addr, Ipv4Addr),
    Domain(String),
    OtherAddress,
    OtherDomain,
}

#[derive(Debug)]
enum Access {
    Allowed,
    Denied,
    Counted(Limit, Mutex<Spent>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Limit {
    most: u64,
    unit: Duration,
    /// How long a group that had too much is kept out; zero: until its time is over.
    prohibited: Duration,
}

/// What a group has used.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Spent {
    count: u64,
    began: Option<Duration>,
    kept_out_until: Option<Duration>,
}

#[derive(Debug)]
struct AtOnce {
    most: u32,
    now: Arc<AtomicU32>,
}

/// What is to happen to a message.
pub(crate) enum Verdict {
    Accepted,
    Rejected,
    /// An answer: nothing is counted.
    Passed,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    work.needed(element, "id")?;
    let part = |name: &str| element.elements().find(|e| e.name == name);
    let policy = match part("policy") {
        Some(policy) => read_policy(work, element, policy),
        None => {
            work.obstacle(element, "", "A throttle needs a policy.", "Write a <policy> into it, or name one by key.");
            None
        }
    };
    let way = |work: &mut Work<'_>, name: &str| match (element.attribute(name), part(name)) {
        (Some(key), _) => work.by_name(element, key.trim()).map(Some),
        (None, Some(inner)) => Some(Some(work.block(inner))),
        (None, None) => Some(None),
    };
    let (accepted, rejected) = (way(work, "onAccept"), way(work, "onReject"));
    let (groups, at_once) = policy?;
    let at_once = at_once.map(|most| AtOnce { most, now: Arc::default() });
    work.note(element, "Calls are counted by each node and each API for itself, and anew when the sequence is deployed again.");
    Some(Action::Throttle(Box::new(Throttle { groups, at_once, accepted: accepted?, rejected: rejected? })))
}

type Policy = (Vec<Group>, Option<u32>);

fn read_policy(work: &mut Work<'_>, element: &Element, policy: &Element) -> Option<Policy> {
    let Some(key) = policy.attribute("key").map(str::trim).filter(|key| !key.is_empty()) else {
        return groups_of(work, element, policy);
    };
    let Some(source) = work.library.entry(key).cloned() else {
        work.obstacle(element, key, "No policy of this name was found.", "Add it to the registry or as a local entry.");
        return None;
    };
    match xml::read(&source.text) {
        Ok(root) => {
            let outer = work.enter(&source.file);
            let made = groups_of(work, &root, &root);
            work.enter(&outer);
            made
        }
        Err(fault) => {
            work.obstacle(element, key, &format!("The policy is not XML: {fault}."), "Mend the policy.");
            None
        }
    }
}

fn groups_of(work: &mut Work<'_>, element: &Element, policy: &Element) -> Option<Policy> {
    let mut found = Found { groups: Vec::new(), at_once: None };
    if let Err((at, reason)) = found.look(policy) {
        work.obstacle(at, &at.text(), &format!("The throttling policy does not read: {reason}."), "Mend the policy.");
        return None;
    }
    if found.groups.is_empty() && found.at_once.is_none() {
        work.obstacle(element, "", "The throttling policy limits nothing.", "Write a MediatorThrottleAssertion with an ID and a Control.");
        return None;
    }
    Some((found.groups, found.at_once))
}

struct Found {
    groups: Vec<Group>,
    at_once: Option<u32>,
}

type Wrong<'e> = (&'e Element, &'static str);

impl Found {
    /// Depth is bounded by the reader.
    fn look<'e>(&mut self, element: &'e Element) -> Result<(), Wrong<'e>> {
        if let Some(id) = element.elements().find(|e| e.name == "ID") {
            if self.groups.len() >= MAX_GROUPS {
                return Err((id, "it has too many groups of callers"));
            }
            self.groups.push(Group { who: who(id)?, access: access(element, id)? });
            return Ok(());
        }
        for inner in element.elements() {
            if inner.name == "MaximumConcurrentAccess" {
                let most: u32 = inner.text().trim().parse().map_err(|_| (inner, "it is no whole number"))?;
                self.at_once = Some(most).filter(|most| *most > 0);
            } else {
                self.look(inner)?;
            }
        }
        Ok(())
    }
}

fn who(id: &Element) -> Result<Who, Wrong<'_>> {
    let text = id.text().trim().to_owned();
    let wrong = |reason| Err((id, reason));
    if text.is_empty() {
        return wrong("an ID is empty");
    }
    match id.attributes.iter().find(|a| a.name == "type").map(|a| a.value.trim().to_ascii_uppercase()).as_deref() {
        Some("IP") if text == "other" => Ok(Who::OtherAddress),
        Some("IP") => match text.split_once('-') {
            None => Ok(Who::Address(text)),
            Some((first, last)) => match (first.trim().parse(), last.trim().parse()) {
                (Ok(first), Ok(last)) => Ok(Who::Range(first, last)),
                _ => wrong("a range has to be of two IPv4 addresses"),
            },
        },
        Some("DOMAIN") if text == "other" => Ok(Who::OtherDomain),
        Some("DOMAIN") => Ok(Who::Domain(text)),
        _ => wrong("the type of an ID is IP or DOMAIN"),
    }
}

fn access<'e>(holder: &'e Element, id: &'e Element) -> Result<Access, Wrong<'e>> {
    let mut parts = Vec::new();
    gather(holder, &mut parts);
    let part = |name: &str| parts.iter().find(|e| e.name == name);
    let is = |name: &str, value: &str| part(name).is_some_and(|e| e.text().trim().eq_ignore_ascii_case(value));
    if is("IsAllow", "true") || part("Allow").is_some() {
        return Ok(Access::Allowed);
    }
    if is("IsAllow", "false") || part("Deny").is_some() {
        return Ok(Access::Denied);
    }
    let number = |name: &str| match part(name) {
        Some(part) => part.text().trim().parse::<u64>().map(Some).map_err(|_| (*part, "it is no whole number")),
        None => Ok(None),
    };
    let (most, unit, prohibited) =
        (number("MaximumCount")?, number("UnitTime")?.filter(|ms| *ms > 0), prohibited(part("ProhibitTimePeriod"))?);
    match (most, unit) {
        (Some(most), Some(unit)) => {
            let limit = Limit { most, unit: Duration::from_millis(unit), prohibited: Duration::from_millis(prohibited) };
            Ok(Access::Counted(limit, Mutex::default()))
        }
        _ => Err((id, "an ID needs MaximumCount and UnitTime, or IsAllow")),
    }
}

/// It may be left empty.
fn prohibited<'e>(part: Option<&&'e Element>) -> Result<u64, Wrong<'e>> {
    match part.map(|part| (part, part.text())) {
        Some((part, text)) if !text.trim().is_empty() => text.trim().parse().map_err(|_| (*part, "it is no whole number")),
        _ => Ok(0),
    }
}

fn gather<'e>(element: &'e Element, found: &mut Vec<&'e Element>) {
    for inner in element.elements() {
        found.push(inner);
        gather(inner, found);
    }
}

impl Throttle {
    /// Counts a message.
    pub(crate) fn admit(&self, message: &mut Message) -> Verdict {
        if message.direction == Direction::Response {
            return Verdict::Passed;
        }
        let permit = match &self.at_once {
            Some(at_once) => match at_once.enter() {
                Some(permit) => Some(permit),
                None => return Verdict::Rejected,
            },
            None => None,
        };
        if !self.within_rate(message) {
            return Verdict::Rejected;
        }
        // Held by the message until its answer is made.
        message.held.permits.extend(permit);
        Verdict::Accepted
    }

    fn within_rate(&self, message: &Message) -> bool {
        let domain = message.headers.get("X-Forwarded-Host").unwrap_or(&message.client_address).trim();
        let group = self.by_domain(domain).or_else(|| self.by_address(message.client_address.trim()));
        match group.map(|group| &group.access) {
            None | Some(Access::Allowed) => true,
            Some(Access::Denied) => false,
            // A count that a thread left behind in the middle is a count all the same.
            Some(Access::Counted(limit, spent)) => spent.lock().unwrap_or_else(PoisonError::into_inner).admit(limit, message.now),
        }
    }

    fn group(&self, is: impl Fn(&Who) -> bool) -> Option<&Group> {
        self.groups.iter().find(|group| is(&group.who))
    }

    /// The group of a domain: its own, else that of the nearest domain around it (`*.acme.com`, `acme.com`).
    fn by_domain(&self, domain: &str) -> Option<&Group> {
        let named = |name: &str| self.group(|who| matches!(who, Who::Domain(own) if own.eq_ignore_ascii_case(name)));
        let mut at = domain;
        loop {
            if let Some(group) = named(at) {
                return Some(group);
            }
            let around = at.split_once('.').map(|(_, around)| around);
            let ending = format!("*.{}", around.unwrap_or(at)).to_ascii_lowercase();
            let within = |who: &Who| matches!(who, Who::Domain(own) if own.to_ascii_lowercase().ends_with(&ending));
            if let Some(group) = self.group(within) {
                return Some(group);
            }
            match around {
                Some(around) if !around.is_empty() => at = around,
                _ => return self.group(|who| *who == Who::OtherDomain),
            }
        }
    }

    fn by_address(&self, address: &str) -> Option<&Group> {
        if let Some(group) = self.group(|who| matches!(who, Who::Address(own) if own == address)) {
            return Some(group);
        }
        let parsed = address.parse::<Ipv4Addr>().ok();
        let in_range = |who: &Who| matches!((who, parsed), (Who::Range(first, last), Some(own)) if (*first..=*last).contains(&own));
        let network = address.rsplit_once('.').map(|(network, _)| format!("{network}.*"));
        let in_network = |who: &Who| matches!((who, &network), (Who::Address(own), Some(network)) if own == network);
        self.group(in_range).or_else(|| self.group(in_network)).or_else(|| self.group(|who| *who == Who::OtherAddress))
    }
}

impl AtOnce {
    fn enter(&self) -> Option<Arc<Permit>> {
        let one_more = |now: u32| (now < self.most).then_some(now + 1);
        self.now.fetch_update(Ordering::AcqRel, Ordering::Acquire, one_more).ok()?;
        Some(Arc::new(Permit::new(Arc::clone(&self.now))))
    }
}

impl Spent {
    /// Counts one call at `now`, the time since the Unix epoch.
    fn admit(&mut self, limit: &Limit, now: Duration) -> bool {
        if limit.most == 0 {
            return false;
        }
        let began = *self.began.get_or_insert(now);
        let free_again = self.kept_out_until.is_none_or(|until| until <= now);
        if now < began + limit.unit {
            if self.count < limit.most {
                self.count += 1;
                return true;
            }
            if self.kept_out_until.is_none() {
                let until = if limit.prohibited.is_zero() { began + limit.unit } else { now + limit.prohibited };
                self.kept_out_until = Some(until);
                return false;
            }
        }
        // A time that is over begins anew; so does one whose group was kept out long enough.
        if self.count >= limit.most && !free_again {
            return false;
        }
        *self = Self { count: 1, began: Some(now), kept_out_until: None };
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Library, Limits, Source};

    fn policy(inner: &str) -> String {
        format!(
            "<wsp:Policy xmlns:wsp='http://schemas.xmlsoap.org/ws/2004/09/policy' xmlns:throttle='http://www.wso2.org/products/wso2commons/throttle'>\
             <throttle:MediatorThrottleAssertion>{inner}</throttle:MediatorThrottleAssertion></wsp:Policy>"
        )
    }

    fn counted(kind: &str, id: &str, most: u32, unit: u32, prohibited: &str) -> String {
        format!(
            "<wsp:Policy><throttle:ID throttle:type='{kind}'>{id}</throttle:ID><wsp:Policy><throttle:Control><wsp:Policy>\
             <throttle:MaximumCount>{most}</throttle:MaximumCount><throttle:UnitTime>{unit}</throttle:UnitTime>\
             <throttle:ProhibitTimePeriod wsp:Optional='true'>{prohibited}</throttle:ProhibitTimePeriod></wsp:Policy></throttle:Control></wsp:Policy></wsp:Policy>"
        )
    }

    fn denied(kind: &str, id: &str) -> String {
        format!(
            "<wsp:Policy><throttle:ID throttle:type='{kind}'>{id}</throttle:ID><wsp:Policy><throttle:IsAllow>false</throttle:IsAllow></wsp:Policy></wsp:Policy>"
        )
    }

    fn program(inner: &str) -> Arc<crate::Program> {
        let text = format!(
            "<sequence><throttle id='t'><policy>{}</policy><onReject><property name='out' value='no'/></onReject><onAccept><property name='out' value='yes'/></onAccept></throttle></sequence>",
            policy(inner)
        );
        Arc::new(crate::compile(&Source::new("s", text), &Library::new()).map_err(|o| o[0].to_string()).unwrap())
    }

    fn call(program: &Arc<crate::Program>, from: &str, at: u64) -> (String, Message) {
        let mut message = Message::request("GET", "/");
        message.client_address = from.to_owned();
        message.now = Duration::from_millis(at);
        program.run(&mut message, &Limits::default());
        (message.property(crate::Scope::Default, "out").unwrap().to_string(), message)
    }

    #[test]
    fn calls_are_counted_and_let_in_again() {
        let program = program(&counted("IP", "other", 2, 1000, ""));
        let seen: Vec<String> = [0, 10, 20, 999, 1000, 1010, 1020].into_iter().map(|at| call(&program, "10.0.0.1", 5000 + at).0).collect();
        assert_eq!(seen, ["yes", "yes", "no", "no", "yes", "yes", "no"]);
        let long = self::program(&counted("IP", "other", 1, 1000, "5000"));
        let seen: Vec<String> = [0, 10, 1500, 5009, 5010].into_iter().map(|at| call(&long, "10.0.0.1", 5000 + at).0).collect();
        assert_eq!(seen, ["yes", "no", "no", "no", "yes"]);
    }

    #[test]
    fn each_group_has_its_own_count() {
        let inner = [
            counted("IP", "10.0.0.1", 1, 1000, "0"),
            counted("IP", "10.0.1.5-10.0.1.9", 1, 1000, "0"),
            denied("IP", "10.0.2.*"),
            counted("IP", "other", 1, 1000, "0"),
        ];
        let program = program(&inner.concat());
        for (from, out) in [
            ("10.0.0.1", "yes"),
            ("10.0.0.1", "no"),
            ("10.0.1.5", "yes"),
            ("10.0.1.7", "no"),
            ("10.0.2.3", "no"),
            ("192.168.0.1", "yes"),
            ("192.168.9.9", "no"),
            ("::1", "no"),
        ] {
            assert_eq!(call(&program, from, 5000).0, out, "{from}");
        }
    }

    #[test]
    fn domains_come_before_addresses() {
        let program = program(
            &[counted("DOMAIN", "*.acme.com", 1, 1000, "0"), denied("DOMAIN", "evil.org"), counted("IP", "other", 1, 1000, "0")].concat(),
        );
        let from = |host: &str| {
            let mut message = Message::request("GET", "/");
            message.headers.set("X-Forwarded-Host", host);
            message.client_address = "10.0.0.1".to_owned();
            program.run(&mut message, &Limits::default());
            message.property(crate::Scope::Default, "out").unwrap().to_string()
        };
        let seen: Vec<String> = ["a.acme.com", "b.acme.com", "evil.org", "x.evil.org", "other.net", "other.net"].map(from).into();
        assert_eq!(seen, ["yes", "no", "no", "no", "yes", "no"]);
    }

    #[test]
    fn so_many_at_once() {
        let program = program("<throttle:MaximumConcurrentAccess>2</throttle:MaximumConcurrentAccess>");
        let (first, one) = call(&program, "10.0.0.1", 0);
        let copy = one.clone();
        let (second, _two) = call(&program, "10.0.0.1", 0);
        assert_eq!((first.as_str(), second.as_str(), call(&program, "10.0.0.1", 0).0.as_str()), ("yes", "yes", "no"));
        drop(one);
        assert_eq!(call(&program, "10.0.0.1", 0).0, "no", "a copy holds its message's place");
        drop(copy);
        assert_eq!(call(&program, "10.0.0.1", 0).0, "yes");
    }

    #[test]
    fn policies_by_key_and_what_is_wrong_with_them() {
        let compile = |sequence: &str, entry: &str| {
            let library = Library::new().with_entry("gov:/p.xml", Source::new("p.xml", entry));
            let source = Source::new("s", format!("<sequence>{sequence}</sequence>"));
            crate::compile(&source, &library).map(drop).map_err(|o| o[0].to_string())
        };
        let by_key = "<throttle id='t'><policy key='gov:/p.xml'/></throttle>";
        assert_eq!(compile(by_key, &policy(&counted("IP", "other", 1, 1, "0"))), Ok(()));
        for (sequence, entry, why) in [
            (by_key, "<a>", "is not XML"),
            (by_key, "<a/>", "limits nothing"),
            (
                by_key,
                &*policy(&counted("ROLE", "x", 1, 1, "0")),
                "p.xml:1: <ID x>: The throttling policy does not read: the type of an ID is IP or DOMAIN",
            ),
            (by_key, &*policy(&counted("IP", "other", 1, 0, "0")), "needs MaximumCount and UnitTime"),
            (by_key, &*policy(&counted("IP", "a-b", 1, 1, "0")), "two IPv4 addresses"),
            ("<throttle id='t'><policy key='gov:/q.xml'/></throttle>", "", "No policy"),
            ("<throttle id='t'/>", "", "needs a policy"),
            ("<throttle><policy key='gov:/p.xml'/></throttle>", "<a/>", "'id' is missing"),
        ] {
            let found = compile(sequence, entry).unwrap_err();
            assert!(found.contains(why), "{found}");
        }
    }
}
