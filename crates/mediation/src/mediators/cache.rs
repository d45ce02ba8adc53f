//! `cache`: answers kept in this node's memory for the requests they fit. The mediator in the request sequence looks for one; the collector
//! in the answer sequence keeps the answer that came.
//!
//! The old product told requests apart by address, body and the headers that a sequence named, so that one user's answer could reach
//! another. Here the caller and what a client is let in by are always part of it, unless the sequence takes `Authorization`, or every
//! header, out by name (`headersToExcludeInHash`). An answer that says it is not to be stored, that sets a cookie, or that differs by a
//! header which is not looked at, is not kept.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest::{Context, SHA256};
use bytes::Bytes;
use quick_cache::Weighter;
use quick_cache::sync::Cache as Shelf;

use crate::compile::Work;
use crate::expression::Means;
use crate::failure::Failure;
use crate::message::{Direction, Headers, Message, Payload, Scope};
use crate::pattern::Pattern;
use crate::program::{Action, BlockId};
use crate::xml::Element;

/// Most bytes of one cache.
const MAX_BYTES: u64 = 16 * 1024 * 1024;
/// Most bytes of one answer.
const MAX_ANSWER: usize = 1024 * 1024;
/// Answers kept when a sequence does not say how many.
const ANSWERS: u64 = 1000;
const MAX_ANSWERS: u64 = 10_000;
/// What an answer takes beside its body and headers.
const OVERHEAD: u64 = 256;
/// As the old product had it.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5000);

/// Headers that let a client in, or that answers usually differ by.
const ALWAYS: [&str; 10] = [
    "authorization",
    "proxy-authorization",
    "cookie",
    "apikey",
    "api-key",
    "x-api-key",
    "internal-key",
    "accept",
    "accept-encoding",
    "accept-language",
];

/// Headers of the answer that are of its connection or its time.
const NOT_KEPT: [&str; 9] =
    ["connection", "keep-alive", "transfer-encoding", "content-length", "te", "trailer", "upgrade", "age", "activityid"];

#[derive(Debug)]
pub(crate) enum Cache {
    /// Looks for an answer.
    Finder(Box<Finder>),
    /// Keeps one.
    Collector,
}

#[derive(Debug)]
pub(crate) struct Finder {
    answers: Arc<Answers>,
    headers: Told,
    /// Runs with a kept answer; without one it is the answer.
    pub(crate) on_hit: Option<BlockId>,
}

/// Headers that tell requests apart, beside those that always do.
#[derive(Debug)]
enum Told {
    These(Vec<String>),
    AllBut(Vec<String>),
    All,
    None,
}

/// A cache and what it keeps.
struct Answers {
    shelf: Shelf<[u8; 32], Arc<Kept>, Weight>,
    timeout: Duration,
    longest: usize,
    methods: Vec<String>,
    statuses: Option<Pattern>,
    /// `max-age` and `no-cache` are looked at.
    controlled: bool,
    tells_age: bool,
    /// The caller is no part of what tells requests apart.
    shared: bool,
}

impl fmt::Debug for Answers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answers").field("kept", &self.shelf.len()).finish_non_exhaustive()
    }
}

#[derive(Clone)]
struct Weight {
    least: u64,
}

impl Weighter<[u8; 32], Arc<Kept>> for Weight {
    fn weight(&self, _key: &[u8; 32], kept: &Arc<Kept>) -> u64 {
        let headers: usize = kept.headers.iter().map(|(name, value)| name.len() + value.len()).sum();
        (kept.body.len() as u64 + headers as u64 + OVERHEAD).max(self.least)
    }
}

struct Kept {
    status: u16,
    headers: Headers,
    body: Bytes,
    since: Duration,
    until: Duration,
}

/// A request whose answer a cache waits for.
pub(crate) struct Awaited {
    answers: Arc<Answers>,
    key: [u8; 32],
    /// Headers that told it apart, in small letters; `None` for all.
    told: Option<Vec<String>>,
}

impl fmt::Debug for Awaited {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Awaited")
    }
}

/// What a cache did with a message.
pub(crate) enum Outcome {
    GoesOn,
    /// The message is a kept answer now.
    Answered,
}

pub(crate) fn compile(work: &mut Work<'_>, element: &Element) -> Option<Action> {
    let is_true = |value: Option<&str>| value.is_some_and(|v| v.trim().eq_ignore_ascii_case("true"));
    if is_true(element.attribute("collector")) {
        return Some(Action::Cache(Cache::Collector));
    }
    let part = |name: &str| element.elements().find(|e| e.name == name);
    let protocol = part("protocol");
    let of_protocol = |name: &str| {
        protocol
            .and_then(|protocol| protocol.elements().find(|e| e.name == name))
            .map(|e| e.text().trim().to_owned())
            .filter(|t| !t.is_empty())
    };
    let generator = of_protocol("hashGenerator").or_else(|| element.attribute("hashGenerator").map(str::to_owned));
    let told = told(work, element, generator.as_deref(), of_protocol("headersToIncludeInHash"), of_protocol("headersToExcludeInHash"))?;
    let shared = match &told {
        Told::None => true,
        Told::AllBut(names) => names.iter().any(|name| name == "authorization"),
        Told::These(_) | Told::All => false,
    };
    let number = |work: &mut Work<'_>, holder: Option<&Element>, name: &str| match holder.and_then(|e| e.attribute(name)).map(str::trim) {
        None | Some("" | "-1") => Some(None),
        Some(text) => match text.parse::<u64>() {
            Ok(number) => Some(Some(number)),
            Err(_) => {
                work.obstacle(element, text, &format!("The cache's {name} is no whole number."), "Write a number.");
                None
            }
        },
    };
    let timeout = number(work, Some(element), "timeout")?.map_or(DEFAULT_TIMEOUT, Duration::from_secs);
    let longest = number(work, Some(element), "maxMessageSize")?.and_then(|size| usize::try_from(size).ok());
    let most = number(work, part("implementation"), "maxSize")?.unwrap_or(ANSWERS).clamp(1, MAX_ANSWERS);
    let statuses = match of_protocol("responseCodes") {
        Some(pattern) => Some(work.pattern(element, &pattern)?),
        None => None,
    };
    let methods = of_protocol("methods").unwrap_or_else(|| "*".to_owned());
    let on_hit = match part("onCacheHit") {
        Some(hit) if hit.attribute("sequence").is_some() || hit.elements().next().is_some() => Some(work.branch(hit)?),
        _ => None,
    };
    work.note(
        element,
        "Each node and each API keeps answers for itself, at most 16 MiB; they are told apart by caller as well, and one that forbids it (no-store, Set-Cookie, Vary) is not kept.",
    );
    let most_items = usize::try_from(most).unwrap_or(usize::MAX);
    let answers = Answers {
        shelf: Shelf::with_weighter(most_items, MAX_BYTES, Weight { least: MAX_BYTES / most }),
        timeout,
        longest: longest.unwrap_or(MAX_ANSWER).min(MAX_ANSWER),
        methods: methods.split(',').map(|method| method.trim().to_ascii_uppercase()).collect(),
        statuses,
        controlled: is_true(of_protocol("enableCacheControl").as_deref()),
        tells_age: is_true(of_protocol("includeAgeHeader").as_deref()),
        shared,
    };
    Some(Action::Cache(Cache::Finder(Box::new(Finder { answers: Arc::new(answers), headers: told, on_hit }))))
}

fn told(
    work: &mut Work<'_>,
    element: &Element,
    generator: Option<&str>,
    included: Option<String>,
    excluded: Option<String>,
) -> Option<Told> {
    let names =
        |text: &str| text.split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect::<Vec<_>>();
    let class = generator.map(|name| name.trim().rsplit('.').next().unwrap_or_default());
    match (class, included, excluded) {
        (None | Some("" | "HttpRequestHashGenerator"), included, Some(excluded)) if included.is_none() => {
            Some(if excluded == "*" { Told::None } else { Told::AllBut(names(&excluded)) })
        }
        (None | Some("" | "HttpRequestHashGenerator"), Some(included), _) => {
            Some(if included == "*" { Told::All } else { Told::These(names(&included)) })
        }
        (None | Some("" | "HttpRequestHashGenerator" | "DOMHASHGenerator"), ..) => Some(Told::These(Vec::new())),
        (Some("REQUESTHASHGenerator"), ..) => Some(Told::All),
        (Some(_), ..) => {
            work.obstacle(
                element,
                generator.unwrap_or_default(),
                "The class that tells requests apart is the site's own, and Java code does not run here.",
                "Take the hashGenerator out, and name headers in headersToIncludeInHash if answers differ by them.",
            );
            None
        }
    }
}

impl Finder {
    /// Takes a kept answer, or remembers that one is awaited.
    pub(crate) fn look(&self, message: &mut Message, means: &mut Means<'_>) -> Result<Outcome, Failure> {
        if message.direction == Direction::Response {
            return Err(Failure::new("Response messages cannot be handled in a non collector cache"));
        }
        let method_kept = self.answers.methods.iter().any(|method| method == "*" || *method == message.method.to_ascii_uppercase());
        if !method_kept || says(&message.headers, "cache-control", "no-store") {
            message.held.awaited = None;
            return Ok(Outcome::GoesOn);
        }
        message.close_body(means.limits)?;
        message.payload.require()?;
        let (key, told) = self.key(message);
        let anew = says(&message.headers, "cache-control", "no-cache") || says(&message.headers, "pragma", "no-cache");
        let kept = self.answers.shelf.get(&key).filter(|kept| kept.until > message.now && !anew);
        let Some(kept) = kept else {
            message.held.awaited = Some(Arc::new(Awaited { answers: Arc::clone(&self.answers), key, told }));
            return Ok(Outcome::GoesOn);
        };
        message.direction = Direction::Response;
        message.status = Some(kept.status);
        message.headers = kept.headers.clone();
        if self.answers.tells_age {
            message.headers.set("Age", message.now.saturating_sub(kept.since).as_secs().to_string());
        }
        for name in ["messageType", "ContentType", "NO_ENTITY_BODY"] {
            message.properties.remove(Scope::Axis2, name);
        }
        let content_type = message.content_type().unwrap_or_default().to_owned();
        message.payload = Payload::replaced(kept.body.clone(), Some(&content_type));
        Ok(Outcome::Answered)
    }

    /// What tells a request apart, as a digest, and the headers that went into it.
    fn key(&self, message: &Message) -> ([u8; 32], Option<Vec<String>>) {
        let mut context = Context::new(&SHA256);
        // Each part goes in with its length, so that no two requests are the same bytes.
        let mut add = |part: &[u8]| {
            context.update(&(part.len() as u64).to_be_bytes());
            context.update(part);
        };
        add(message.method.as_bytes());
        add(message.to.as_deref().unwrap_or_default().as_bytes());
        add(message.url_postfix.as_bytes());
        if !self.answers.shared {
            for name in ["api.ut.userId", "api.ut.application.id", "AM_KEY_TYPE"] {
                add(message.properties.get(Scope::Default, name).map(ToString::to_string).unwrap_or_default().as_bytes());
            }
        }
        let goes_in = |name: &str| {
            let always = ALWAYS.contains(&name) && !(self.answers.shared && name != "accept" && name != "accept-encoding");
            always
                || match &self.headers {
                    Told::These(names) => names.iter().any(|own| own == name),
                    Told::AllBut(names) => !names.iter().any(|own| own == name) && !NOT_KEPT.contains(&name),
                    Told::All => !NOT_KEPT.contains(&name),
                    Told::None => false,
                }
        };
        let mut headers: Vec<(String, &str)> =
            message.headers.iter().map(|(name, value)| (name.to_ascii_lowercase(), value)).filter(|(name, _)| goes_in(name)).collect();
        // Values of one name keep their order.
        headers.sort_by(|(a, _), (b, _)| a.cmp(b));
        for (name, value) in &headers {
            add(name.as_bytes());
            add(value.as_bytes());
        }
        add(b"");
        add(&message.payload.bytes().unwrap_or_default());
        let told = match &self.headers {
            Told::All => None,
            Told::AllBut(_) => None,
            Told::These(names) => Some(names.iter().cloned().chain(ALWAYS.iter().map(|name| (*name).to_owned())).collect()),
            Told::None => Some(vec!["accept".to_owned(), "accept-encoding".to_owned()]),
        };
        let mut key = [0; 32];
        key.copy_from_slice(context.finish().as_ref());
        (key, told)
    }
}

/// Keeps the answer that came, if a cache waits for it and it may be kept.
pub(crate) fn collect(message: &mut Message, means: &mut Means<'_>) -> Result<(), Failure> {
    if message.direction == Direction::Request {
        return Err(Failure::new("Request messages cannot be handled in a collector cache"));
    }
    let Some(awaited) = message.held.awaited.take() else { return Ok(()) };
    let answers = &awaited.answers;
    let status = message.status.unwrap_or(200);
    let Some(lasts) = lasts(answers, awaited.told.as_deref(), &message.headers) else { return Ok(()) };
    let status_kept = match &answers.statuses {
        Some(pattern) => pattern.matches(&status.to_string())?,
        None => true,
    };
    if status == 304 || !status_kept {
        return Ok(());
    }
    message.close_body(means.limits)?;
    let body = message.payload.bytes().unwrap_or_default();
    if body.len() > answers.longest {
        return Ok(());
    }
    let headers: Headers = message.headers.iter().filter(|(name, _)| !NOT_KEPT.iter().any(|own| own.eq_ignore_ascii_case(name))).collect();
    let kept = Kept { status, headers, body, since: message.now, until: message.now.saturating_add(lasts) };
    answers.shelf.insert(awaited.key, Arc::new(kept));
    Ok(())
}

/// How long an answer with these headers may be kept; `None` when it may not.
fn lasts(answers: &Answers, told: Option<&[String]>, headers: &Headers) -> Option<Duration> {
    let control = |word: &str| says(headers, "cache-control", word);
    if control("no-store") || (answers.shared && control("private")) || headers.get("Set-Cookie").is_some() {
        return None;
    }
    let mut lasts = answers.timeout;
    if answers.controlled {
        if control("no-cache") {
            return None;
        }
        let most = words(headers, "cache-control").find_map(|word| word.strip_prefix("max-age=")?.trim_matches('"').parse().ok());
        lasts = most.map_or(lasts, |seconds| lasts.min(Duration::from_secs(seconds)));
    }
    let differs = words(headers, "vary").any(|name| name == "*" || told.is_some_and(|told| !told.contains(&name)));
    Some(lasts).filter(|lasts| !differs && !lasts.is_zero())
}

/// The words of a header's values, in small letters.
fn words<'h>(headers: &'h Headers, name: &'h str) -> impl Iterator<Item = String> + 'h {
    headers
        .iter()
        .filter(move |(own, _)| own.eq_ignore_ascii_case(name))
        .flat_map(|(_, value)| value.split(','))
        .map(|word| word.trim().to_ascii_lowercase())
}

fn says(headers: &Headers, name: &str, word: &str) -> bool {
    words(headers, name).any(|own| own == word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{End, Library, Limits, Program, Source};

    fn programs(attributes: &str, inner: &str) -> (Arc<Program>, Arc<Program>) {
        let compile =
            |text: String| Arc::new(crate::compile(&Source::new("s", text), &Library::new()).map_err(|o| o[0].to_string()).unwrap());
        let finder = format!("<sequence><cache id='c' collector='false' {attributes}>{inner}</cache></sequence>");
        (compile(finder), compile("<sequence><cache id='c' collector='true'/></sequence>".to_owned()))
    }

    struct Call {
        method: &'static str,
        path: &'static str,
        user: &'static str,
        headers: Vec<(&'static str, &'static str)>,
        body: &'static str,
        at: u64,
        answer: (u16, Vec<(&'static str, &'static str)>),
    }

    fn get(path: &'static str) -> Call {
        Call { method: "GET", path, user: "ann", headers: vec![], body: "", at: 0, answer: (200, vec![]) }
    }

    /// Makes calls whose backend answers with their number; gives what each was answered.
    fn made((finder, collector): &(Arc<Program>, Arc<Program>), calls: Vec<Call>) -> Vec<String> {
        let mut answers = Vec::new();
        for (number, call) in calls.into_iter().enumerate() {
            let mut message = Message::request(call.method, call.path);
            message.now = Duration::from_secs(1000 + call.at);
            message.properties.set(Scope::Default, "api.ut.userId", call.user);
            call.headers.iter().for_each(|(name, value)| message.headers.append(*name, *value));
            message.set_body(call.body.into());
            let ran = finder.run(&mut message, &Limits::default());
            if !matches!(ran.end, End::Respond) {
                assert!(matches!(ran.end, End::Continue), "{:?}", ran.end);
                let headers = call.answer.1.into_iter().chain([("Content-Type", "text/plain")]).collect();
                message.begin_answer(call.answer.0, headers, Payload::whole(number.to_string().into()));
                assert!(matches!(collector.run(&mut message, &Limits::default()).end, End::Continue));
            }
            let age = message.headers.get("Age").map(|age| format!(" aged {age}")).unwrap_or_default();
            answers.push(format!("{}{age}", String::from_utf8(message.payload.bytes().unwrap().to_vec()).unwrap()));
        }
        answers
    }

    #[test]
    fn an_answer_is_kept_for_the_requests_it_fits() {
        let cache = programs("timeout='60'", "");
        let calls = vec![
            get("/a"),
            get("/a"),
            get("/b"),
            Call { method: "POST", body: "x", ..get("/a") },
            Call { method: "POST", body: "x", ..get("/a") },
            Call { method: "POST", body: "y", ..get("/a") },
            Call { at: 59, ..get("/a") },
            Call { at: 60, ..get("/a") },
            Call { at: 60, headers: vec![("Accept", "text/html")], ..get("/a") },
            Call { at: 61, headers: vec![("Cache-Control", "no-cache")], ..get("/a") },
            Call { at: 62, ..get("/a") },
        ];
        assert_eq!(made(&cache, calls), ["0", "0", "2", "3", "3", "5", "0", "7", "8", "9", "9"]);
    }

    #[test]
    fn no_user_gets_what_another_was_answered() {
        let cookie = |value| Call { headers: vec![("Cookie", value)], ..get("/a") };
        let calls = || vec![get("/a"), Call { user: "bob", ..get("/a") }, cookie("s=1"), cookie("s=2"), get("/a")];
        assert_eq!(made(&programs("", ""), calls()), ["0", "1", "2", "3", "0"]);
        let old = programs("hashGenerator='org.wso2.carbon.mediator.cache.digest.DOMHASHGenerator'", "");
        assert_eq!(made(&old, calls()), ["0", "1", "2", "3", "0"]);
        let shared = programs("", "<protocol type='HTTP'><headersToExcludeInHash>*</headersToExcludeInHash></protocol>");
        assert_eq!(made(&shared, calls()), ["0", "0", "0", "0", "0"], "the author said so by name");
    }

    #[test]
    fn an_answer_that_forbids_it_is_not_kept() {
        let cache = programs("", "");
        for (headers, kept) in [
            (vec![("Cache-Control", "max-age=5, No-Store")], false),
            (vec![("Set-Cookie", "a=b")], false),
            (vec![("Vary", "*")], false),
            (vec![("Vary", "Accept, X-Own")], false),
            (vec![("Vary", "Accept, Authorization")], true),
            (vec![("Cache-Control", "private")], true),
        ] {
            let first = Call { answer: (200, headers.clone()), ..get("/a") };
            let seen = made(&programs("", ""), vec![first, get("/a")]);
            assert_eq!(seen[1] == "0", kept, "{headers:?}");
        }
        let asked = Call { headers: vec![("Cache-Control", "no-store")], ..get("/a") };
        assert_eq!(made(&cache, vec![asked, get("/a")]), ["0", "1"]);
        let shared = programs("", "<protocol type='HTTP'><headersToExcludeInHash>Authorization</headersToExcludeInHash></protocol>");
        let private = Call { answer: (200, vec![("Cache-Control", "private")]), ..get("/a") };
        assert_eq!(made(&shared, vec![private, get("/a")]), ["0", "1"]);
    }

    #[test]
    fn the_later_forms_settings_hold() {
        let protocol = "<protocol type='HTTP'><methods>GET</methods><responseCodes>2\\d\\d</responseCodes><enableCacheControl>true</enableCacheControl>\
                        <includeAgeHeader>true</includeAgeHeader><headersToIncludeInHash>X-Site</headersToIncludeInHash></protocol><implementation maxSize='100'/>";
        let cache = programs("timeout='100'", protocol);
        let calls = vec![
            Call { answer: (404, vec![]), ..get("/gone") },
            get("/gone"),
            Call { method: "POST", ..get("/p") },
            Call { method: "POST", ..get("/p") },
            Call { answer: (200, vec![("Cache-Control", "max-age=10")]), ..get("/m") },
            Call { at: 9, ..get("/m") },
            Call { at: 10, ..get("/m") },
            Call { headers: vec![("X-Site", "a")], ..get("/s") },
            Call { headers: vec![("X-Site", "b")], ..get("/s") },
            Call { headers: vec![("X-Site", "a"), ("X-Other", "1")], at: 3, ..get("/s") },
        ];
        assert_eq!(made(&cache, calls), ["0", "1", "2", "3", "4", "4 aged 9", "6", "7", "8", "7 aged 3"]);
    }

    #[test]
    fn it_is_bounded() {
        let cache = programs("maxMessageSize='1'", "<implementation maxSize='4'/>");
        let calls: Vec<Call> = (0..10).map(|_| get("/a")).collect();
        assert_eq!(made(&cache, calls).last().unwrap(), "0");
        let long: Vec<String> = (0..200).map(|i| format!("/{i}")).collect();
        let calls = long.iter().map(|path| get(Box::leak(path.clone().into_boxed_str()))).collect();
        made(&cache, calls);
        let Action::Cache(Cache::Finder(finder)) = &cache.0.block(cache.0.entry).unwrap().steps[0].action else { panic!() };
        assert!(finder.answers.shelf.len() <= 4 && finder.answers.shelf.weight() <= MAX_BYTES, "{:?}", finder.answers);
    }

    #[test]
    fn mediators_may_run_with_a_kept_answer() {
        let inner = "<onCacheHit><property name='X-Hit' value='1' scope='transport'/><respond/></onCacheHit>";
        let (finder, collector) = programs("", inner);
        let run = || {
            let mut message = Message::request("GET", "/");
            let ran = finder.run(&mut message, &Limits::default());
            (message, ran.end)
        };
        let (mut message, _) = run();
        message.begin_answer(200, Headers::new(), Payload::whole("x".into()));
        collector.run(&mut message, &Limits::default());
        let (message, end) = run();
        assert!(matches!(end, End::Respond));
        assert_eq!((message.headers.get("X-Hit"), message.payload.bytes().unwrap()), (Some("1"), Bytes::from("x")));
        let source = Source::new("s", "<sequence><cache collector='false' hashGenerator='com.acme.Own'/></sequence>");
        assert!(crate::compile(&source, &Library::new()).unwrap_err()[0].reason.contains("site's own"));
    }
}
