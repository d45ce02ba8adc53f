//! Asks a backend that wants to know who asks. One that does not costs nothing here.
//!
//! A call that a challenge or an old token held up is repeated once, if its body is at hand: none, one that a sequence made, or one short
//! enough to hold. For a longer one a digest's challenge is fetched by a request without a body first, so that the body is sent once and
//! only to who may have it.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::Arc;

use bytes::BytesMut;
use http::{Method, StatusCode};
use http_body::Body as _;

use crate::body::RequestBody;
use crate::respond::BackendFailure;
use crate::sign_in::digest::{Challenge, Digest};
use crate::sign_in::oauth::OAuth;
use crate::sign_in::{Authorization, SignIn};
use crate::snapshot::{Backends, Target};
use crate::steps::forward::{self, Bounds, Request, ask};
use crate::upstream::{AnswerHead, Link, Pool};

/// Bodies up to this many bytes are held for a repetition.
const HELD_BYTES_MAX: u64 = 256 << 10;

type Answer = (AnswerHead, Box<Link>);

/// As [`forward::forward`], signed in as the endpoint's configuration says.
pub(crate) async fn forward(
    pool: &Arc<Pool>,
    backends: &Backends,
    request: &Request<'_>,
    body: RequestBody,
    bounds: &Bounds<'_>,
) -> Result<Answer, BackendFailure> {
    match &backends.sign_in {
        None => forward::forward(pool, backends, request, body, bounds).await,
        Some(SignIn::Basic(value)) => forward::forward(pool, backends, &request.saying(Authorization::Value(value)), body, bounds).await,
        // Boxed, so that the many calls that need neither do not carry the room.
        Some(SignIn::Digest(digest)) => Box::pin(by_digest(pool, backends, digest, request, body, bounds)).await,
        Some(SignIn::OAuth(oauth)) => Box::pin(by_token(pool, backends, oauth, request, body, bounds)).await,
    }
}

async fn by_token(
    pool: &Arc<Pool>,
    backends: &Backends,
    oauth: &Arc<OAuth>,
    request: &Request<'_>,
    body: RequestBody,
    bounds: &Bounds<'_>,
) -> Result<Answer, BackendFailure> {
    let mut token = oauth.token(pool).await.map_err(|_| BackendFailure::NoToken)?;
    let (mut body, mut again) = doubled(held(body).await?);
    loop {
        let (head, link, _) = ask(pool, backends.in_turn(), &request.saying(Authorization::Value(&token)), body, bounds).await?;
        if head.status != StatusCode::UNAUTHORIZED {
            return Ok((head, link));
        }
        release(pool, head, link);
        oauth.forget(&token);
        body = again.take().ok_or(BackendFailure::NoToken)?;
        token = oauth.token(pool).await.map_err(|_| BackendFailure::NoToken)?;
    }
}

async fn by_digest(
    pool: &Arc<Pool>,
    backends: &Backends,
    digest: &Digest,
    request: &Request<'_>,
    body: RequestBody,
    bounds: &Bounds<'_>,
) -> Result<Answer, BackendFailure> {
    let signed = request.saying(Authorization::Digest(digest));
    let (body, copy) = doubled(held(body).await?);
    let Some(copy) = copy else {
        let asking = Request { method: &Method::HEAD, says_length: false, ..request.saying(Authorization::Withheld) };
        let (head, link, target) = ask(pool, backends.in_turn(), &asking, RequestBody::Empty, bounds).await?;
        if head.status == StatusCode::UNAUTHORIZED {
            challenged(pool, target, head, link)?;
        } else {
            release(pool, head, link);
        }
        let (head, link, target) = ask(pool, std::iter::once(target), &signed, body, bounds).await?;
        return settled(pool, target, head, link);
    };
    let (head, link, target) = ask(pool, backends.in_turn(), &signed, body, bounds).await?;
    if head.status != StatusCode::UNAUTHORIZED {
        return settled(pool, target, head, link);
    }
    challenged(pool, target, head, link)?;
    let (head, link, target) = ask(pool, std::iter::once(target), &signed, copy, bounds).await?;
    settled(pool, target, head, link)
}

/// Takes in what a backend asks.
fn challenged(pool: &Pool, target: &Target, head: AnswerHead, link: Box<Link>) -> Result<(), BackendFailure> {
    let challenge = Challenge::of(&head.headers);
    release(pool, head, link);
    let Some(challenge) = challenge else {
        tracing::warn!(host = %target.authority.host, "a backend refuses, and asks for no digest that can be answered");
        return Err(BackendFailure::Unauthenticated);
    };
    target.challenge.store(Some(Arc::new(challenge)));
    Ok(())
}

/// What becomes of an answer that the digest was part of asking for.
fn settled(pool: &Pool, target: &Target, head: AnswerHead, link: Box<Link>) -> Result<Answer, BackendFailure> {
    if head.status == StatusCode::UNAUTHORIZED {
        // The next call begins without, so that a wrong password is tried once a call and not twice.
        target.challenge.store(None);
        release(pool, head, link);
        tracing::warn!(host = %target.authority.host, "a backend refuses the user or password of the API's endpoint security");
        return Err(BackendFailure::Unauthenticated);
    }
    if let Some(next) = target.challenge.load().as_ref().and_then(|current| current.next(&head.headers)) {
        target.challenge.store(Some(Arc::new(next)));
    }
    Ok((head, link))
}

/// Gives a link back whose answer nobody wants, if all of it has come; closes it otherwise.
fn release(pool: &Pool, head: AnswerHead, mut link: Box<Link>) {
    let mut decoder = head.body;
    if link.whole(&mut decoder).is_some() {
        pool.keep(link);
    }
}

/// The body, and again the same where that costs nothing.
fn doubled(body: RequestBody) -> (RequestBody, Option<RequestBody>) {
    let copy = match &body {
        RequestBody::Empty => Some(RequestBody::Empty),
        RequestBody::Whole(bytes) => Some(RequestBody::Whole(bytes.clone())),
        RequestBody::Client { .. } => None,
    };
    (body, copy)
}

/// The body, whole if it says that it is short.
async fn held(mut body: RequestBody) -> Result<RequestBody, BackendFailure> {
    let is_coming = matches!(body, RequestBody::Client { .. });
    let Some(length) = body.length().filter(|length| is_coming && *length <= HELD_BYTES_MAX) else { return Ok(body) };
    let mut whole = BytesMut::with_capacity(usize::try_from(length).unwrap_or_default());
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
        let frame = frame.map_err(|_| BackendFailure::ClientBody)?;
        if let Some(data) = frame.data_ref() {
            whole.extend_from_slice(data);
        }
    }
    Ok(if whole.is_empty() { RequestBody::Empty } else { RequestBody::Whole(whole.freeze()) })
}
