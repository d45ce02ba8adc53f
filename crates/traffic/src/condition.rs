//! Which of an advanced policy's groups a call belongs to.
//!
//! A group is met when all its conditions are. 4.0.0 counts a call in every group it meets and in the default only when it meets none
//! ([`Group::is_met`] for each); [`first_match`] is for who needs the one whose limit is reported.

use std::borrow::Cow;
use std::net::IpAddr;
use std::sync::Arc;

use model::{Condition, ConditionKind, ConditionalGroup};

use crate::{IpFault, IpRange};

/// What can be seen of a call.
pub trait Seen {
    /// Value of a request header, by name in any letter case.
    fn header(&self, name: &str) -> Option<Cow<'_, str>>;
    /// Decoded value of a query parameter.
    fn query(&self, name: &str) -> Option<Cow<'_, str>>;
    /// Value of a token claim, as text.
    fn claim(&self, name: &str) -> Option<Cow<'_, str>>;
    /// Client's address.
    fn ip(&self) -> IpAddr;
}

/// A compiled expression. It is *searched* for: a match anywhere in the text suffices.
pub trait Matcher: Send + Sync {
    /// Whether it occurs in `text`.
    fn found_in(&self, text: &str) -> bool;
}

impl<F: Fn(&str) -> bool + Send + Sync> Matcher for F {
    fn found_in(&self, text: &str) -> bool {
        self(text)
    }
}

/// Turns an expression into a [`Matcher`], or says why it cannot.
pub type Compile<'a> = dyn Fn(&str) -> Result<Arc<dyn Matcher>, String> + 'a;

/// A condition cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ConditionFault {
    /// An address or range is none.
    #[error(transparent)]
    Ip(#[from] IpFault),
    /// An expression does not compile.
    #[error("the expression '{expression}' is not valid: {reason}")]
    Expression {
        /// The expression.
        expression: String,
        /// What the compiler says.
        reason: String,
    },
}

/// A group's conditions, ready to be asked.
#[derive(Clone)]
pub struct Group(Vec<Test>);

#[derive(Clone)]
struct Test {
    inverted: bool,
    kind: Kind,
}

#[derive(Clone)]
enum Kind {
    Header(String, Arc<dyn Matcher>),
    Query(String, Arc<dyn Matcher>),
    Claim(String, Arc<dyn Matcher>),
    Ip(IpRange),
}

impl Group {
    /// Makes a group ready.
    ///
    /// # Errors
    /// The first [`ConditionFault`].
    pub fn of(group: &ConditionalGroup, compile: &Compile<'_>) -> Result<Self, ConditionFault> {
        group.conditions.iter().map(|condition| Test::of(condition, compile)).collect::<Result<_, _>>().map(Self)
    }

    /// Whether the call meets every condition. A group without conditions is met by none: it would silently replace the default.
    #[must_use]
    pub fn is_met(&self, call: &impl Seen) -> bool {
        !self.0.is_empty() && self.0.iter().all(|test| test.is_met(call))
    }
}

impl std::fmt::Debug for Group {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Group").field("conditions", &self.0.len()).finish()
    }
}

/// Position of the first group that the call meets.
#[must_use]
pub fn first_match(groups: &[Group], call: &impl Seen) -> Option<usize> {
    groups.iter().position(|group| group.is_met(call))
}

impl Test {
    fn of(condition: &Condition, compile: &Compile<'_>) -> Result<Self, ConditionFault> {
        let matcher = |expression: &String| {
            compile(expression).map_err(|reason| ConditionFault::Expression { expression: expression.clone(), reason })
        };
        let kind = match &condition.kind {
            ConditionKind::Header { name, value } => Kind::Header(name.clone(), matcher(value)?),
            ConditionKind::Query { name, value } => Kind::Query(name.clone(), matcher(value)?),
            ConditionKind::JwtClaim { claim, value } => Kind::Claim(claim.clone(), matcher(value)?),
            ConditionKind::Ip(address) => Kind::Ip(IpRange::parse(address)?),
            ConditionKind::IpRange { start, end } => Kind::Ip(IpRange::between(start, end)?),
        };
        Ok(Self { inverted: condition.inverted, kind })
    }

    /// What is absent does not match, and therefore meets an inverted condition.
    fn is_met(&self, call: &impl Seen) -> bool {
        let matches = match &self.kind {
            Kind::Header(name, matcher) => call.header(name).is_some_and(|v| matcher.found_in(&v)),
            Kind::Query(name, matcher) => call.query(name).is_some_and(|v| matcher.found_in(&v)),
            Kind::Claim(name, matcher) => call.claim(name).is_some_and(|v| matcher.found_in(&v)),
            Kind::Ip(range) => range.contains(call.ip()),
        };
        matches != self.inverted
    }
}

#[cfg(test)]
mod tests {
    use model::Limit;

    use super::*;

    struct Call;

    impl Seen for Call {
        fn header(&self, name: &str) -> Option<Cow<'_, str>> {
            name.eq_ignore_ascii_case("user-agent").then_some("curl/8.0".into())
        }

        fn query(&self, name: &str) -> Option<Cow<'_, str>> {
            (name == "q").then(|| "tide table".to_owned().into())
        }

        fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
            (name == "sub").then_some("ann".into())
        }

        fn ip(&self) -> IpAddr {
            "10.1.2.3".parse().unwrap()
        }
    }

    /// Plain search stands for an expression engine.
    fn compile(expression: &str) -> Result<Arc<dyn Matcher>, String> {
        if expression == "(" {
            return Err("unclosed group".to_owned());
        }
        let wanted = expression.to_owned();
        Ok(Arc::new(move |text: &str| text.contains(&wanted)))
    }

    fn group(conditions: Vec<(bool, ConditionKind)>) -> Result<Group, ConditionFault> {
        let conditions = conditions.into_iter().map(|(inverted, kind)| Condition { inverted, kind }).collect();
        Group::of(&ConditionalGroup { description: None, conditions, limit: Limit::per_minute(1) }, &compile)
    }

    fn header(name: &str, value: &str) -> ConditionKind {
        ConditionKind::Header { name: name.to_owned(), value: value.to_owned() }
    }

    #[test]
    fn all_conditions_must_be_met() {
        let query = || ConditionKind::Query { name: "q".to_owned(), value: "tide".to_owned() };
        let claim = || ConditionKind::JwtClaim { claim: "sub".to_owned(), value: "ann".to_owned() };
        assert!(group(vec![(false, header("User-Agent", "curl")), (false, query()), (false, claim())]).unwrap().is_met(&Call));
        assert!(!group(vec![(false, header("User-Agent", "wget")), (false, query())]).unwrap().is_met(&Call));
        assert!(!group(vec![]).unwrap().is_met(&Call));
    }

    #[test]
    fn an_absent_value_meets_only_the_inverted_condition() {
        assert!(!group(vec![(false, header("X-None", ""))]).unwrap().is_met(&Call));
        assert!(group(vec![(true, header("X-None", ""))]).unwrap().is_met(&Call));
    }

    #[test]
    fn addresses_are_matched_inclusively() {
        let range = |start: &str, end: &str| ConditionKind::IpRange { start: start.to_owned(), end: end.to_owned() };
        assert!(group(vec![(false, range("10.1.2.3", "10.1.2.9"))]).unwrap().is_met(&Call));
        assert!(!group(vec![(true, ConditionKind::Ip("10.1.2.3".to_owned()))]).unwrap().is_met(&Call));
    }

    #[test]
    fn the_first_group_met_is_named() {
        let groups =
            [group(vec![(false, header("User-Agent", "wget"))]).unwrap(), group(vec![(false, header("User-Agent", "curl"))]).unwrap()];
        assert_eq!(first_match(&groups, &Call), Some(1));
    }

    #[test]
    fn what_does_not_compile_is_named() {
        let fault = group(vec![(false, header("a", "("))]).unwrap_err();
        assert_eq!(fault.to_string(), "the expression '(' is not valid: unclosed group");
        assert!(matches!(group(vec![(false, ConditionKind::Ip("x".to_owned()))]), Err(ConditionFault::Ip(_))));
    }
}
