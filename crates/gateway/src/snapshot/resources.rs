//! An API's resources and which of them a path and verb mean.
//!
//! Verbs are looked at first: only resources that have the verb compete. Two orders exist, see [`Precedence`]. Matching works on the
//! normalised path below the context, without one trailing slash.

use std::cmp::{Ordering, Reverse};
use std::sync::Arc;

use super::PolicyKey;
use crate::config::Precedence;
use crate::counters::Key;
use crate::path;

/// A verb a resource can have. A byte, because a large installation holds hundreds of thousands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Verb {
    Get,
    Post,
    Put,
    Delete,
    Patch,
    Head,
    Options,
}

impl Verb {
    pub(crate) const ALL: [Self; 7] = [Self::Get, Self::Post, Self::Put, Self::Delete, Self::Patch, Self::Head, Self::Options];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
            Self::Delete => "DELETE",
            Self::Patch => "PATCH",
            Self::Head => "HEAD",
            Self::Options => "OPTIONS",
        }
    }

    pub(crate) fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|v| v.name() == name)
    }

    pub(crate) fn of(method: &http::Method) -> Option<Self> {
        Self::parse(method.as_str())
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

/// A set of verbs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Verbs(pub(crate) u8);

impl Verbs {
    pub(crate) fn with(self, verb: Verb) -> Self {
        Self(self.0 | verb.bit())
    }

    pub(crate) fn has(self, verb: Verb) -> bool {
        self.0 & verb.bit() != 0
    }

    pub(crate) fn and(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}

/// One verb on one template.
#[derive(Debug)]
pub(crate) struct Operation {
    pub(crate) verb: Verb,
    /// No credentials asked for.
    pub(crate) open: bool,
    /// The kind of token it names, `true` for applications' and `false` for users'; asked for only where [`super::Snapshot`] keeps that way.
    pub(crate) wants_application: Option<bool>,
    /// The advanced policy and what counts for it; `None` counts nothing.
    pub(crate) policy: Option<(PolicyKey, Key)>,
    /// Any one suffices; empty asks for none.
    pub(crate) scopes: Box<[Arc<str>]>,
}

/// One path template with its verbs.
#[derive(Debug)]
pub(crate) struct Resource {
    /// As declared; appears in answers and counter keys.
    pub(crate) template: Arc<str>,
    pub(crate) verbs: Verbs,
    pub(crate) operations: Box<[Operation]>,
    segments: Box<[Segment]>,
    /// Position among the API's templates as declared.
    declared: u32,
}

impl Resource {
    pub(crate) fn operation(&self, verb: Verb) -> Option<&Operation> {
        self.operations.iter().find(|o| o.verb == verb)
    }
}

#[derive(Debug, PartialEq, Eq)]
enum Segment {
    Literal(Box<str>),
    /// Literal parts around parameters: `{a}-{b}.json` is `["", "-", ".json"]`.
    Mixed(Box<[Box<str>]>),
    /// One whole segment, not empty.
    Param,
    /// Everything that follows, perhaps nothing. Always last.
    Rest,
}

/// Outcome of a look-up.
#[derive(Debug)]
pub(crate) enum Found<'a> {
    Resource(&'a Resource),
    /// The path is known under other verbs only.
    OtherVerb,
    Nothing,
}

/// All resources of an API, the most specific first.
#[derive(Debug, Default)]
pub(crate) struct Resources {
    list: Box<[Resource]>,
    /// How many at the head of `list` are exact paths; these are sorted by their segments.
    exact: usize,
}

impl Resources {
    /// From templates in declared order. A template given twice is merged; its first operation of a verb wins.
    pub(crate) fn new(declared: Vec<(Arc<str>, Vec<Operation>)>) -> Self {
        let mut list: Vec<(Resource, Vec<Operation>)> = Vec::with_capacity(declared.len());
        for (template, operations) in declared {
            let position = match list.iter().position(|(known, _)| known.template == template) {
                Some(position) => position,
                None => {
                    let declared = u32::try_from(list.len()).unwrap_or(u32::MAX);
                    let segments = parse(&template);
                    let resource = Resource { template, verbs: Verbs::default(), operations: Box::default(), segments, declared };
                    list.push((resource, Vec::new()));
                    list.len() - 1
                }
            };
            let Some((resource, known)) = list.get_mut(position) else { continue };
            for operation in operations {
                if !resource.verbs.has(operation.verb) {
                    resource.verbs = resource.verbs.with(operation.verb);
                    known.push(operation);
                }
            }
        }
        let mut list: Vec<Resource> =
            list.into_iter().map(|(resource, operations)| Resource { operations: operations.into(), ..resource }).collect();
        list.sort_by(specific_first);
        let exact = list.iter().take_while(|r| class(&r.segments) == 0).count();
        Self { list: list.into(), exact }
    }

    /// The resource that `rest` (path below the context: empty or starting with `/`) means under `verb`.
    pub(crate) fn find(&self, rest: &str, verb: Option<Verb>, precedence: Precedence) -> Found<'_> {
        let rest = rest.strip_suffix('/').unwrap_or(rest);
        let rest = rest.strip_prefix('/').unwrap_or(rest);
        let path = Segments::of(rest);
        let found = match precedence {
            Precedence::Specific => self.specific(&path, verb),
            Precedence::Legacy => self.legacy(&path, verb),
        };
        match found {
            Some(resource) => Found::Resource(resource),
            None if self.list.iter().any(|r| matches(&r.segments, path.as_slice())) => Found::OtherVerb,
            None => Found::Nothing,
        }
    }

    fn specific(&self, path: &Segments<'_>, verb: Option<Verb>) -> Option<&Resource> {
        let verb = verb?;
        let (exact, patterns) = self.list.split_at_checked(self.exact)?;
        let path = path.as_slice();
        if let Ok(position) = exact.binary_search_by(|r| compare_exact(&r.segments, path)) {
            // Equal paths sit side by side when templates differ only in how they were written.
            let first = exact.get(..position).map_or(position, |head| {
                head.iter().rposition(|r| compare_exact(&r.segments, path) != Ordering::Equal).map_or(0, |p| p + 1)
            });
            let same = exact.get(first..).unwrap_or_default().iter().take_while(|r| compare_exact(&r.segments, path) == Ordering::Equal);
            if let Some(found) = same.into_iter().find(|r| r.verbs.has(verb)) {
                return Some(found);
            }
        }
        patterns.iter().find(|r| r.verbs.has(verb) && matches(&r.segments, path))
    }

    /// Synapse's order: mappings (no parameter; `*` at most as the final segment) before templates, see the module head.
    fn legacy(&self, path: &Segments<'_>, verb: Option<Verb>) -> Option<&Resource> {
        let verb = verb?;
        let path = path.as_slice();
        let with_verb = || self.list.iter().filter(|r| r.verbs.has(verb));
        let is_prefix = |r: &&Resource| matches!(r.segments.split_last(), Some((Segment::Rest, head)) if head.iter().all(|s| matches!(s, Segment::Literal(_))));
        with_verb()
            .find(|r| class(&r.segments) == 0 && matches(&r.segments, path))
            .or_else(|| {
                // `/*` counts as long as `/a/*`; among equals the one declared first.
                with_verb()
                    .filter(is_prefix)
                    .filter(|r| matches(&r.segments, path))
                    .min_by_key(|r| (Reverse(r.segments.len().max(2)), r.declared))
            })
            .or_else(|| with_verb().filter(|r| !is_prefix(r) && matches(&r.segments, path)).min_by_key(|r| r.declared))
    }
}

/// A path's segments, on the stack unless there are very many.
// It lives for one look-up; boxing the large variant would be the allocation it exists to avoid.
#[allow(clippy::large_enum_variant)]
enum Segments<'a> {
    Few([&'a str; 16], usize),
    Many(Vec<&'a str>),
}

impl<'a> Segments<'a> {
    fn of(rest: &'a str) -> Self {
        if rest.is_empty() {
            return Self::Few([""; 16], 0);
        }
        let mut few = [""; 16];
        let mut used = 0;
        for segment in rest.split('/') {
            match few.get_mut(used) {
                Some(slot) => *slot = without_parameters(segment),
                None => return Self::Many(rest.split('/').map(without_parameters).collect()),
            }
            used += 1;
        }
        Self::Few(few, used)
    }

    fn as_slice(&self) -> &[&'a str] {
        match self {
            Self::Few(few, used) => few.get(..*used).unwrap_or_default(),
            Self::Many(many) => many,
        }
    }
}

fn matches(segments: &[Segment], path: &[&str]) -> bool {
    let mut path = path.iter();
    for segment in segments {
        let text = match segment {
            Segment::Rest => return true,
            _ => path.next(),
        };
        let Some(text) = text else { return false };
        let fits = match segment {
            Segment::Literal(literal) => **literal == **text,
            Segment::Mixed(parts) => fits_parts(parts, text),
            Segment::Param => !text.is_empty(),
            Segment::Rest => true,
        };
        if !fits {
            return false;
        }
    }
    path.next().is_none()
}

/// A segment up to its path parameters. Many backends take `/admin;x=1` for `/admin`, so the rules of `/admin` must hold for it here too.
fn without_parameters(segment: &str) -> &str {
    segment.split_once(';').map_or(segment, |(name, _)| name)
}

/// Whether `text` is the parts with at least one character between each two.
fn fits_parts(parts: &[Box<str>], text: &str) -> bool {
    let Some((first, others)) = parts.split_first() else { return text.is_empty() };
    let Some(mut text) = text.strip_prefix(&**first) else { return false };
    let Some((last, middle)) = others.split_last() else { return text.is_empty() };
    for part in middle {
        // The leftmost place is enough: it leaves the most for what follows.
        let Some(skipped) = text.chars().next().map(char::len_utf8) else { return false };
        let Some(at) = text.get(skipped..).and_then(|t| t.find(&**part)) else { return false };
        text = text.get(skipped + at + part.len()..).unwrap_or_default();
    }
    text.strip_suffix(&**last).is_some_and(|between| !between.is_empty())
}

/// Reads a template. `*` ends a template wherever it stands as a whole segment; `/a*` is a literal `a` followed by anything in the segment.
fn parse(template: &str) -> Box<[Segment]> {
    let rest = template.strip_suffix('/').unwrap_or(template);
    let rest = rest.strip_prefix('/').unwrap_or(rest);
    let mut segments = Vec::new();
    if rest.is_empty() {
        return segments.into();
    }
    for text in rest.split('/') {
        let segment = parse_segment(without_parameters(text));
        let is_last = segment == Segment::Rest;
        segments.push(segment);
        if is_last {
            break;
        }
    }
    segments.into()
}

fn parse_segment(text: &str) -> Segment {
    if text == "*" || (text.starts_with("{+") && text.ends_with('}')) || (text.starts_with('{') && text.ends_with("*}")) {
        return Segment::Rest;
    }
    let mut parts: Vec<Box<str>> = Vec::new();
    let mut rest = text;
    loop {
        let (literal, after) = match rest.find(['{', '*']) {
            Some(at) => {
                let (literal, found) = rest.split_at(at);
                // A brace that is never closed is a literal one.
                match if found.starts_with('*') { Some(0) } else { found.find('}') } {
                    Some(end) => (literal, found.get(end + 1..)),
                    None => (rest, None),
                }
            }
            None => (rest, None),
        };
        parts.push(path::literal(literal).into());
        match after {
            Some(after) => rest = after,
            None => break,
        }
    }
    match parts.as_slice() {
        [only] => Segment::Literal(only.clone()),
        [first, last] if first.is_empty() && last.is_empty() => Segment::Param,
        _ => Segment::Mixed(parts.into()),
    }
}

/// 0 exact, 1 template, 2 wildcard.
fn class(segments: &[Segment]) -> u8 {
    match segments.last() {
        Some(Segment::Rest) => 2,
        _ if segments.iter().all(|s| matches!(s, Segment::Literal(_))) => 0,
        _ => 1,
    }
}

fn specific_first(a: &Resource, b: &Resource) -> Ordering {
    class(&a.segments)
        .cmp(&class(&b.segments))
        .then_with(|| {
            if class(&a.segments) == 0 {
                return compare_literals(&a.segments, &b.segments);
            }
            for (a, b) in a.segments.iter().zip(&b.segments) {
                let order = rank(a).cmp(&rank(b));
                if order != Ordering::Equal {
                    return order;
                }
            }
            b.segments.len().cmp(&a.segments.len())
        })
        .then(a.declared.cmp(&b.declared))
}

/// Literals first, then segments with more literal text, then parameters, then the rest.
fn rank(segment: &Segment) -> (u8, Reverse<usize>) {
    match segment {
        Segment::Literal(_) => (0, Reverse(0)),
        Segment::Mixed(parts) => (1, Reverse(parts.iter().map(|p| p.len()).sum())),
        Segment::Param => (2, Reverse(0)),
        Segment::Rest => (3, Reverse(0)),
    }
}

fn text_of(segment: &Segment) -> &str {
    match segment {
        Segment::Literal(text) => text,
        _ => "",
    }
}

fn compare_literals(a: &[Segment], b: &[Segment]) -> Ordering {
    a.iter().map(text_of).cmp(b.iter().map(text_of))
}

fn compare_exact(a: &[Segment], path: &[&str]) -> Ordering {
    a.iter().map(text_of).cmp(path.iter().copied())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn resources(declared: &[(&str, &str)]) -> Resources {
        Resources::new(
            declared
                .iter()
                .map(|(verb, template)| {
                    let verb = Verb::parse(verb).unwrap();
                    (
                        Arc::from(*template),
                        vec![Operation { verb, open: false, wants_application: None, policy: None, scopes: Box::default() }],
                    )
                })
                .collect(),
        )
    }

    fn find(resources: &Resources, verb: &str, rest: &str, precedence: Precedence) -> String {
        match resources.find(rest, Verb::parse(verb), precedence) {
            Found::Resource(resource) => resource.template.to_string(),
            Found::OtherVerb => "405".to_owned(),
            Found::Nothing => "404".to_owned(),
        }
    }

    #[test]
    fn the_most_specific_resource_wins_whatever_the_order() {
        let all = resources(&[
            ("GET", "/*"),
            ("GET", "/order/*"),
            ("GET", "/order/{id}"),
            ("GET", "/order/{id}.json"),
            ("GET", "/order/{id}/items"),
            ("GET", "/order/latest"),
            ("GET", "/{any}/items/{x}"),
        ]);
        for (path, template) in [
            ("/order/latest", "/order/latest"),
            ("/order/latest/", "/order/latest"),
            ("/order/5", "/order/{id}"),
            ("/order/5.json", "/order/{id}.json"),
            ("/order/5/items", "/order/{id}/items"),
            ("/order/5/items/6", "/order/*"),
            ("/order", "/order/*"),
            ("/pie/items/2", "/{any}/items/{x}"),
            ("", "/*"),
            ("/", "/*"),
            ("/a/b/c", "/*"),
        ] {
            assert_eq!(find(&all, "GET", path, Precedence::Specific), template, "{path}");
        }
    }

    #[test]
    fn legacy_order_lets_a_wildcard_steal_from_templates() {
        let all = resources(&[("GET", "/order/{id}"), ("GET", "/*"), ("GET", "/order/latest"), ("GET", "/a/b/*")]);
        assert_eq!(find(&all, "GET", "/order/5", Precedence::Legacy), "/*");
        assert_eq!(find(&all, "GET", "/order/latest", Precedence::Legacy), "/order/latest");
        assert_eq!(find(&all, "GET", "/a/b/c", Precedence::Legacy), "/a/b/*");
        // One segment or none: `/*` and `/a/*` tie, and the first declared wins.
        let tie = resources(&[("GET", "/*"), ("GET", "/a/*")]);
        assert_eq!(find(&tie, "GET", "/a/x", Precedence::Legacy), "/*");
        assert_eq!(find(&tie, "GET", "/a/x", Precedence::Specific), "/a/*");
        // Templates go in declared order, without regard to how specific they are.
        let templates = resources(&[("GET", "/{x}"), ("GET", "/{x}.json")]);
        assert_eq!(find(&templates, "GET", "/a.json", Precedence::Legacy), "/{x}");
        assert_eq!(find(&templates, "GET", "/a.json", Precedence::Specific), "/{x}.json");
    }

    #[test]
    fn verbs_are_looked_at_first_and_nothing_is_implied() {
        let all = resources(&[("GET", "/a/{x}"), ("POST", "/a/b"), ("PUT", "/a/b")]);
        assert_eq!(find(&all, "GET", "/a/b", Precedence::Specific), "/a/{x}");
        assert_eq!(find(&all, "POST", "/a/b", Precedence::Specific), "/a/b");
        assert_eq!(find(&all, "HEAD", "/a/b", Precedence::Specific), "405");
        assert_eq!(find(&all, "GET", "/b", Precedence::Specific), "404");
        assert!(matches!(all.find("/a/b", None, Precedence::Specific), Found::OtherVerb));
    }

    #[test]
    fn path_parameters_do_not_lead_around_a_resources_rules() {
        let all = resources(&[("GET", "/*"), ("GET", "/admin"), ("GET", "/admin/{x}.json")]);
        assert_eq!(find(&all, "GET", "/admin;x=1", Precedence::Specific), "/admin");
        assert_eq!(find(&all, "GET", "/admin;a/5.json;b=2", Precedence::Specific), "/admin/{x}.json");
        assert_eq!(find(&all, "GET", "/administrator;x", Precedence::Specific), "/*");
    }

    #[test]
    fn a_parameter_takes_one_whole_segment_with_any_character() {
        let all = resources(&[("GET", "/a/{x}"), ("GET", "/m/{lat},{lon}")]);
        for path in ["/a/x:y,(z)@w", "/a/p%2Fq", "/a/...", "/m/1.5,-2"] {
            assert_ne!(find(&all, "GET", path, Precedence::Specific), "404", "{path}");
        }
        for path in ["/a/x/y", "/a/", "/a", "/m/,2", "/m/1", "/m/1,"] {
            assert_eq!(find(&all, "GET", path, Precedence::Specific), "404", "{path}");
        }
    }

    #[test]
    fn a_template_declared_twice_is_one_resource() {
        let all = resources(&[("GET", "/a"), ("POST", "/a"), ("GET", "/a/")]);
        assert_eq!(all.list.len(), 2);
        assert_eq!(find(&all, "POST", "/a", Precedence::Specific), "/a");
    }

    #[test]
    fn very_long_paths_match_too() {
        let all = resources(&[("GET", "/a/*")]);
        let path = format!("/a{}", "/x".repeat(500));
        assert_eq!(find(&all, "GET", &path, Precedence::Specific), "/a/*");
    }

    proptest! {
        /// The sorted look-up agrees with asking every resource, whatever is declared.
        #[test]
        fn something_is_found_exactly_when_something_matches(
            templates in proptest::collection::vec("(/([ab]|\\{x\\}|a\\{x\\})){0,3}(/\\*)?", 1..8),
            path in "(/[abc]{1,2}){0,4}",
        ) {
            let declared: Vec<_> = templates.iter().map(|t| ("GET", t.as_str())).collect();
            let all = resources(&declared);
            let trimmed = path.strip_prefix('/').unwrap_or(&path);
            let segments: Vec<&str> = if trimmed.is_empty() { Vec::new() } else { trimmed.split('/').collect() };
            let any = templates.iter().any(|t| matches(&parse(t), &segments));
            for precedence in [Precedence::Specific, Precedence::Legacy] {
                let found = find(&all, "GET", &path, precedence);
                prop_assert_eq!(found != "404", any);
                if any {
                    prop_assert!(matches(&parse(&found), &segments));
                }
            }
        }
    }
}
