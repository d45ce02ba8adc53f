//! One call from its head to its answer: route, cross-origin, authenticate, authorize, throttle, rewrite, forward, respond, record.
//!
//! All decisions are made in one go against one snapshot. The only waiting is for an opaque token's look-up, before the decisions that need
//! it (then against the snapshot of that later moment), and for the backend.

use std::sync::Arc;

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body::Body as _;
use hyper::body::Incoming;
use mediation::Limits;
use model::{ErrorHandler, KeyType, Timestamp};
use token::Jwt;

use crate::body::{AnswerBody, BackendBody, Content, Meter, RequestBody};
use crate::call::Call;
use crate::errors::{self, Errors};
use crate::gateway::Gateway;
use crate::listener::Peer;
use crate::mediated::{self, Reach, Runner};
use crate::record::{CallEnd, CallRecord};
use crate::respond::{Answer, AuthRefusal, Refusal};
use crate::snapshot::{ApiEntry, CorsRules, Programs, Snapshot, TenantHandlers, Verb};
use crate::steps::authenticate::{self, Verified};
use crate::steps::authorize;
use crate::steps::tell::{Passing, Told};
use crate::steps::throttle::{self, Counted, View};
use crate::steps::{cors, forward, rewrite, route, sign_in};
use crate::token_paths::{self, DeskPath};
use crate::upstream::{AnswerHead, Link};
use crate::user_claims::{self, Claims};

/// A call that may pass: everything the backend step needs.
pub(crate) struct Plan {
    api: Arc<ApiEntry>,
    key_type: KeyType,
    /// Start of the rest of the path in the normalised path.
    path: String,
    rest_at: usize,
    /// Limits that the body's bytes are yet to be counted against.
    owed: throttle::Owed,
    /// What the backend is told of the caller.
    told: Option<Box<Told>>,
    /// Mediation sequences on its way.
    programs: Option<Arc<Programs>>,
}

/// How the first half of the decisions ended.
pub(crate) enum Start {
    Answer(Answer),
    /// What another site may ask is answered.
    Preflight,
    Pass(Plan),
    /// The token must be looked up before the rest can be decided.
    Opaque(Box<str>),
    /// So must what is known of the user.
    Claims(Box<user_claims::Asked>),
    /// It is the key desk's.
    Desk(DeskPath),
}

/// What was looked up since a call was first looked at.
#[derive(Clone, Copy, Default)]
pub(crate) struct Looked<'f> {
    /// The outcome for an opaque token.
    #[allow(clippy::option_option)]
    pub(crate) token: Option<Option<&'f crate::opaque::Found>>,
    /// What is known of the user.
    pub(crate) claims: Option<&'f Claims>,
}

/// Answers one request. `alone` says that its connection carries one call at a time.
pub(crate) async fn answer(peer: Arc<Peer>, request: Request<Incoming>, alone: bool) -> Response<AnswerBody> {
    let gateway = &*peer.gateway;
    let now = gateway.clock.now();
    peer.call_started();
    let (parts, body) = request.into_parts();
    let mut call = Call::new(now, gateway.correlation(&parts.headers));
    let started = CallRecord::begun(&peer, &call, &parts);
    let outcome = run(gateway, &peer, &mut call, &parts, body, alone).await;
    let (mut response, content) = match outcome {
        Ok(answered) => answered,
        Err(refusal) => {
            let answer = match Errors::of(&peer, &call, &parts, &refusal) {
                None => errors::plain(gateway, &call, &parts, &refusal, None),
                Some(errors) => Box::pin(errors.answer()).await,
            };
            own_answer(answer, &mut call)
        }
    };
    if let Some(rules) = call.api.as_ref().and_then(|api| gateway.cors_rules(api)) {
        cors::decorate(response.headers_mut(), rules, call.verbs, &call.asked, &gateway.method_lists, &gateway.expose_headers);
    }
    let record = started.map(|record| record.known(&call));
    let end = CallEnd::new(Arc::clone(&peer), now.instant, response.status().as_u16(), record);
    response.map(|()| AnswerBody::new(content, end))
}

async fn run(
    gateway: &Gateway,
    peer: &Peer,
    call: &mut Call,
    parts: &Parts,
    body: Incoming,
    alone: bool,
) -> Result<(Response<()>, Content), Refusal> {
    let bytes = body.size_hint().exact();
    let start = begin(gateway, peer, call, parts, bytes, Looked::default())?;
    let start = match start {
        Start::Opaque(_) | Start::Claims(_) => Box::pin(look_up(gateway, peer, call, parts, bytes, start)).await?,
        other => other,
    };
    let mut plan = match start {
        Start::Pass(plan) => plan,
        Start::Answer(answer) => return Ok(own_answer(answer, call)),
        Start::Preflight => {
            let answer = match Errors::of_preflight(peer, call, parts) {
                None => empty_answer(),
                Some(errors) => Box::pin(errors.answer()).await,
            };
            return Ok(own_answer(answer, call));
        }
        Start::Opaque(_) | Start::Claims(_) => return Err(Refusal::Auth(AuthRefusal::Undecided)),
        Start::Desk(at) => return Box::pin(token_paths::ask(gateway, peer, call, parts, body, at)).await,
    };
    let backends = plan.api.backends(plan.key_type).ok_or(Refusal::NoBackend(plan.key_type))?;
    if !rewrite::is_plainly_coded(&parts.headers) {
        return Err(Refusal::TransferCoding);
    }
    let meter = (!plan.owed.is_empty())
        .then(|| Box::new(Meter { gateway: Arc::clone(&peer.gateway), owed: std::mem::take(&mut plan.owed), bytes: 0 }));
    let body = RequestBody::new(body, gateway.config.stall_timeout, meter);
    let config = &gateway.config;
    if let Some(programs) = &plan.programs {
        let rest = plan.path.get(plan.rest_at..).unwrap_or_default();
        let reach = Reach::Backend(backends);
        let way = mediated::Way {
            runner: Runner { gateway, peer, parts, owner: &plan.api.name, reach, limits: Limits::default() },
            api: &plan.api,
            programs,
            backends,
            key_type: plan.key_type,
            rest,
            told: plan.told.as_deref(),
        };
        return Box::pin(way.walk(call, body)).await;
    }
    let request = forward::Request {
        method: &parts.method,
        rest: plan.path.get(plan.rest_at..).unwrap_or_default(),
        query: parts.uri.query(),
        says_length: parts.headers.contains_key(CONTENT_LENGTH),
        headers: rewrite::Outgoing {
            headers: &parts.headers,
            peer,
            authority: parts.uri.authority(),
            correlation: (&gateway.correlation_header, &call.correlation),
            bearer: (!plan.api.prototype && !config.forward_authorization).then(|| gateway.token_header(&plan.api).0),
            authorization: None,
            told: plan.told.as_deref(),
        },
    };
    let bounds =
        forward::Bounds { answer: config.response_timeout, head_max: config.backend_head_max_bytes, watched: alone.then_some(peer) };
    let before = gateway.recorder.is_on().then(std::time::Instant::now);
    let forwarded = sign_in::forward(&gateway.pool, backends, &request, body, &bounds).await;
    call.backend_latency = before.map(|b| b.elapsed());
    let (head, link) = forwarded.map_err(Refusal::Backend)?;
    Ok(passed_on(gateway, call, head, link))
}

/// Looks up what decisions wait for, each thing once, and decides.
async fn look_up(
    gateway: &Gateway,
    peer: &Peer,
    call: &mut Call,
    parts: &Parts,
    bytes: Option<u64>,
    mut start: Start,
) -> Result<Start, Refusal> {
    let now = Timestamp(call.now.wall_ms);
    let refused = |unavailable: &(dyn std::error::Error + 'static)| {
        tracing::error!(error = unavailable, "a call was refused");
        Refusal::Auth(AuthRefusal::Undecided)
    };
    let (mut token, mut claims) = (None, None);
    loop {
        match start {
            Start::Opaque(text) if token.is_none() => {
                token = Some(gateway.opaque.find(&text, now).await.map_err(|unavailable| refused(&unavailable))?);
            }
            Start::Claims(asked) if claims.is_none() => {
                claims = Some(gateway.user_claims.find(*asked, now).await.map_err(|unavailable| refused(&unavailable))?);
            }
            decided => return Ok(decided),
        }
        let looked = Looked { token: token.as_ref().map(Option::as_deref), claims: claims.as_ref() };
        start = begin(gateway, peer, call, parts, bytes, looked)?;
    }
}

/// A backend's answer, as the client gets it.
pub(crate) fn passed_on(gateway: &Gateway, call: &Call, head: AnswerHead, link: Box<Link>) -> (Response<()>, Content) {
    let (mut response, content) = held_back(gateway, head, link);
    response.headers_mut().insert(&gateway.correlation_header, call.correlation.clone());
    (response, content)
}

/// A backend's answer with its body, as it comes.
pub(crate) fn held_back(gateway: &Gateway, head: AnswerHead, mut link: Box<Link>) -> (Response<()>, Content) {
    let mut decoder = head.body;
    let mut response = Response::new(());
    *response.status_mut() = head.status;
    *response.headers_mut() = head.headers;
    // Most answers are short and came with their heads: then the link is free for the next call before this one is answered.
    let content = match link.whole(&mut decoder) {
        Some(text) => {
            gateway.pool.keep(link);
            if text.is_empty() { Content::Empty } else { Content::Text(text) }
        }
        None => Content::Backend(Box::new(BackendBody::new(decoder, link, Arc::clone(&gateway.pool), gateway.config.body_idle_timeout))),
    };
    (response, content)
}

/// Every decision up to the backend, about a call whose body has so many `bytes`, if that is known. `looked` is what was looked up, if
/// anything was.
pub(crate) fn begin(
    gateway: &Gateway,
    peer: &Peer,
    call: &mut Call,
    parts: &Parts,
    bytes: Option<u64>,
    looked: Looked<'_>,
) -> Result<Start, Refusal> {
    let snapshot = gateway.current.load();
    let snapshot: &Snapshot = &snapshot;
    let target = route::read(&parts.uri)?;
    let (api, rest) = match route::api(snapshot, &target.path) {
        Ok(found) => found,
        Err(refusal) => {
            if let Some(at) = token_paths::desk_path(gateway, snapshot, &parts.method, &target.path)? {
                return Ok(Start::Desk(at));
            }
            // What a site's own main sequence says of the root is said before the welcome page; probes are ours.
            let main = |handlers: &Arc<TenantHandlers>| handlers.contains_key(&ErrorHandler::Main);
            if target.path == "/" && snapshot.handlers(None, &target.path).is_some_and(main) {
                return Err(refusal);
            }
            return gateway.own_page(&parts.method, &target.path).map(Start::Answer).ok_or(refusal);
        }
    };
    route::transport(api, peer.tls)?;
    let precedence = gateway.config.precedence;
    let rules = gateway.cors_rules(api);
    call.api = Some(Arc::clone(api));
    call.asked = cors::Asked::of(&parts.headers, rules);
    if parts.method == Method::OPTIONS
        && rules.is_some()
        && let Some(verbs) = cors::preflight(api, rest, &parts.headers, precedence)?
    {
        call.verbs = verbs;
        return Ok(Start::Preflight);
    }
    let resource = route::resource(api, rest, &parts.method, precedence)?;
    call.verbs = resource.verbs;
    call.template = Some(Arc::clone(&resource.template));
    let operation = Verb::of(&parts.method).and_then(|verb| resource.operation(verb)).ok_or(Refusal::WrongVerb)?;
    if api.blocked {
        return Err(Refusal::Blocked);
    }
    let now = Timestamp(call.now.wall_ms);
    let mut verified = None;
    let mut text = None;
    if !api.prototype && !operation.open {
        let (header, shown) = gateway.token_header(api);
        let token = authenticate::bearer(&parts.headers, header, shown).map_err(Refusal::Auth)?;
        let believed: Arc<Verified> = if Jwt::looks_like_one(token) {
            gateway.verifier.signed(token, api, snapshot, now)
        } else {
            match looked.token {
                None => return Ok(Start::Opaque(token.into())),
                Some(found) => gateway.verifier.opaque(found, api, snapshot, now),
            }
        }
        .map_err(Refusal::Auth)?;
        let caller = authorize::authorize(snapshot, api, &resource.template, operation, &believed, &parts.headers, &gateway.site_header)
            .map_err(Refusal::Auth)?;
        call.caller = Some(caller);
        verified = Some(believed);
        text = Some(token);
    }
    // Before anything is counted, since the call comes here again.
    let mut claims = None;
    if let Some((rules, caller)) = snapshot.assertion_of_users(api).zip(call.caller.as_ref()) {
        let (tenant, user, dialect) = (caller.application.tenant, &caller.user, &rules.settings.dialect);
        claims = looked.claims.cloned().or_else(|| gateway.user_claims.get(tenant, user, dialect, now));
        if claims.is_none() {
            let asked = user_claims::Asked { tenant, user: Arc::clone(user), dialect: dialect.as_str().into() };
            return Ok(Start::Claims(Box::new(asked)));
        }
    }
    let mut owed = throttle::Owed::new();
    if !api.prototype {
        let config = &gateway.config;
        let client = rewrite::client_address(&parts.headers, peer, &config.trusted_proxies);
        let counted = Counted { api, operation, template: &resource.template, caller: call.caller.as_ref(), client, now, bytes };
        let view = View {
            headers: config.header_conditions.then_some(&parts.headers),
            query: parts.uri.query().filter(|_| config.query_conditions),
            claims: verified.as_ref().and_then(|v| v.claims.as_ref()),
            client,
        };
        owed = throttle::admit(&counted, &view, snapshot, &gateway.counters).map_err(Refusal::Throttle)?;
    }
    let told = match snapshot.asserts() {
        true => {
            let caller = verified.as_ref().zip(call.caller.as_ref());
            let told = gateway.assertions.tell(&Passing { snapshot, api, caller, text, claims: claims.as_ref(), now });
            told.map_err(Refusal::Auth)?.map(Box::new)
        }
        false => None,
    };
    let rest_at = target.path.len() - rest.len();
    Ok(Start::Pass(Plan {
        api: Arc::clone(api),
        key_type: call.caller.as_ref().map_or(KeyType::Production, |c| c.key_type),
        rest_at,
        owed,
        told,
        programs: snapshot.programs(api).cloned(),
        path: target.path.into_owned(),
    }))
}

pub(crate) fn own_answer(answer: Answer, call: &mut Call) -> (Response<()>, Content) {
    call.code = answer.code;
    let mut response = Response::new(());
    *response.status_mut() = answer.status;
    *response.headers_mut() = answer.headers;
    (response, if answer.text.is_empty() { Content::Empty } else { Content::Text(answer.text) })
}

pub(crate) fn empty_answer() -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    Answer { status: StatusCode::OK, headers, text: Bytes::new(), code: None }
}

/// A page of the gateway itself.
pub(crate) fn page(status: StatusCode, content_type: &'static str, text: String) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
    Answer { status, headers, text: text.into(), code: None }
}

impl Gateway {
    /// CORS settings that apply to an API's answers: its own, or the gateway's, if any are on.
    pub(crate) fn cors_rules<'a>(&'a self, api: &'a ApiEntry) -> Option<&'a CorsRules> {
        api.cors.as_deref().or(self.cors.as_ref())
    }
}
