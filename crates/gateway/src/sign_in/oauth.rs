//! A token that somebody else gives, shown to an API's backend: client credentials or password grant (RFC 6749, 4.4 and 4.3), kept until it
//! ends, and asked for once however many calls wait for it.
//!
//! Whoever finds no token starts a task that asks, and all who come meanwhile wait for its outcome: a caller who gives up takes nothing
//! from the others. The token lives with the deployment; a new revision of the API asks anew.

use std::future::poll_fn;
use std::io::Write as _;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, StatusCode};
use http_body::Body as _;
use model::Secret;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::body::{BackendBody, BodyFault, RequestBody};
use crate::snapshot::{AddressFault, Target};
use crate::steps::rewrite::line;
use crate::upstream::{ConnectFault, Expectation, Fault, Pool};

/// Longest answer of a token endpoint, and longest head of one, in bytes.
const ANSWER_BYTES_MAX: usize = 64 << 10;
/// How long a token endpoint may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// A token is not shown any more so long before it ends, as 4.0.0 had it.
const MARGIN: Duration = Duration::from_secs(1);
/// What stands in a form as it is.
const ESCAPED: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// What is given for a token, beside the client's own credentials.
#[derive(Debug)]
pub(crate) enum Grant {
    Client,
    Password { user: String, password: Secret<String> },
}

/// Where tokens come from, and the one at hand.
#[derive(Debug)]
pub(crate) struct OAuth {
    endpoint: Target,
    /// `Basic …`, sensitive.
    client: HeaderValue,
    grant: Grant,
    custom: Vec<(String, Secret<String>)>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    phase: Phase,
    refresh: Option<Secret<String>>,
}

#[derive(Default)]
enum Phase {
    #[default]
    Nothing,
    Held {
        /// The value of `Authorization`, sensitive.
        token: HeaderValue,
        /// `None`: until the backend refuses it.
        until: Option<Instant>,
    },
    Asking(watch::Receiver<Outcome>),
}

/// `None` while it is open; then the token, if there is one.
type Outcome = Option<Option<HeaderValue>>;

impl std::fmt::Debug for State {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self.phase {
            Phase::Nothing => "no token",
            Phase::Held { .. } => "a token",
            Phase::Asking(_) => "a token on its way",
        })
    }
}

/// There is no token; why is in the log.
#[derive(Debug)]
pub(crate) struct NoToken;

/// Why a token endpoint gave none. Shows nothing of what was sent or answered.
#[derive(Debug, thiserror::Error)]
enum TokenFault {
    #[error("the token endpoint cannot be reached")]
    Connect(#[source] ConnectFault),
    #[error("the token endpoint gave no answer")]
    Exchange(#[source] Fault),
    #[error("the token endpoint's answer broke off")]
    Body(#[source] BodyFault),
    #[error("the token endpoint took longer than {} s", PATIENCE.as_secs())]
    Late,
    #[error("the token endpoint refused with status {0}; look at the client's credentials and the grant in the API's endpoint security")]
    Refused(StatusCode),
    #[error("the token endpoint's answer is longer than {ANSWER_BYTES_MAX} bytes, or no JSON with an access_token")]
    Answer,
}

/// What a token endpoint gave.
struct Given {
    token: HeaderValue,
    lasts: Option<Duration>,
    refresh: Option<Secret<String>>,
}

impl OAuth {
    /// # Errors
    /// The token endpoint is no address that can be called.
    pub(crate) fn new(url: &str, client: HeaderValue, grant: Grant, custom: Vec<(String, Secret<String>)>) -> Result<Self, AddressFault> {
        Ok(Self { endpoint: Target::parse(url, None)?, client, grant, custom, state: Mutex::default() })
    }

    /// The token to show now.
    ///
    /// # Errors
    /// [`NoToken`].
    pub(crate) async fn token(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<HeaderValue, NoToken> {
        let mut outcome = match self.at_hand(pool) {
            Ok(token) => return Ok(token),
            Err(outcome) => outcome,
        };
        let told = outcome.wait_for(Option::is_some).await.map_err(|_| NoToken)?;
        told.clone().flatten().ok_or(NoToken)
    }

    /// Lets go of a token that the backend refused.
    pub(crate) fn forget(&self, refused: &HeaderValue) {
        let mut state = self.state();
        if matches!(&state.phase, Phase::Held { token, .. } if token == refused) {
            *state = State::default();
        }
    }

    /// The token, or where to wait for it; asks where nobody does.
    fn at_hand(self: &Arc<Self>, pool: &Arc<Pool>) -> Result<HeaderValue, watch::Receiver<Outcome>> {
        let mut state = self.state();
        match &state.phase {
            Phase::Held { token, until } if until.is_none_or(|until| Instant::now() < until) => return Ok(token.clone()),
            // A task that ended without an outcome has been stopped.
            Phase::Asking(outcome) if outcome.has_changed().is_ok() => return Err(outcome.clone()),
            _ => {}
        }
        let (tell, outcome) = watch::channel(None);
        state.phase = Phase::Asking(outcome.clone());
        let refresh = state.refresh.take();
        drop(state);
        let (this, pool) = (Arc::clone(self), Arc::clone(pool));
        tokio::spawn(async move {
            let given = this.ask(&pool, refresh).await;
            let token = given.as_ref().map(|given| given.token.clone());
            this.keep(given);
            // Everybody who waited may have left.
            let _ = tell.send(Some(token));
        });
        Err(outcome)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // It is replaced in one step, so it is whole even if a thread panicked.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn keep(&self, given: Option<Given>) {
        let mut state = self.state();
        *state = given.map_or_else(State::default, |given| {
            let until = given.lasts.and_then(|lasts| Instant::now().checked_add(lasts.saturating_sub(MARGIN)));
            State { phase: Phase::Held { token: given.token, until }, refresh: given.refresh }
        });
    }

    async fn ask(&self, pool: &Arc<Pool>, refresh: Option<Secret<String>>) -> Option<Given> {
        let mut forms = Vec::new();
        if let Some(refresh) = &refresh {
            forms.push(self.form(&[("grant_type", "refresh_token"), ("refresh_token", refresh.expose())]));
        }
        forms.push(match &self.grant {
            Grant::Client => self.form(&[("grant_type", "client_credentials")]),
            Grant::Password { user, password } => {
                self.form(&[("grant_type", "password"), ("username", user), ("password", password.expose())])
            }
        });
        for form in forms {
            let asked = tokio::time::timeout(PATIENCE, self.exchange(pool, form)).await.unwrap_or(Err(TokenFault::Late));
            match asked {
                Ok(given) => return Some(given),
                Err(fault) => {
                    let host = &*self.endpoint.authority.host;
                    tracing::warn!(host, error = &fault as &dyn std::error::Error, "no token for a backend");
                }
            }
        }
        None
    }

    fn form(&self, members: &[(&str, &str)]) -> Bytes {
        let custom = self.custom.iter().map(|(name, value)| (name.as_str(), value.expose().as_str()));
        let escaped = |text| utf8_percent_encode(text, ESCAPED);
        let pairs = members.iter().copied().chain(custom).map(|(name, value)| format!("{}={}", escaped(name), escaped(value)));
        Bytes::from(pairs.collect::<Vec<_>>().join("&"))
    }

    /// Always on a fresh connection: it is rare, and a request that may have been granted is not repeated.
    async fn exchange(&self, pool: &Arc<Pool>, form: Bytes) -> Result<Given, TokenFault> {
        let endpoint = &self.endpoint;
        let mut link = pool.connect(&endpoint.authority).await.map_err(TokenFault::Connect)?;
        let length = form.len();
        let written: Result<(), std::convert::Infallible> = link.begin(|out| {
            out.extend_from_slice(b"POST ");
            endpoint.push_path("", out);
            if let Some(query) = &endpoint.query {
                out.push(b'?');
                out.extend_from_slice(query.as_bytes());
            }
            out.extend_from_slice(b" HTTP/1.1\r\n");
            line(out, "host", endpoint.host_header.as_bytes());
            line(out, "authorization", self.client.as_bytes());
            line(out, "accept", b"application/json");
            line(out, "content-type", b"application/x-www-form-urlencoded");
            // Writing to a Vec does not fail.
            drop(write!(out, "content-length: {length}\r\n\r\n"));
            Ok(())
        });
        let Ok(()) = written;
        link.send(RequestBody::Whole(form), Some(length as u64));
        let expect = Expectation { no_body: false, head_max: ANSWER_BYTES_MAX, goes_on: |_| false };
        let head = poll_fn(|cx| link.poll_answer(cx, &expect)).await.map_err(TokenFault::Exchange)?;
        if head.status != StatusCode::OK {
            return Err(TokenFault::Refused(head.status));
        }
        let mut body = BackendBody::new(head.body, link, Arc::clone(pool), PATIENCE);
        let mut whole = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| Pin::new(&mut body).poll_frame(cx)).await {
            if let Some(data) = frame.map_err(TokenFault::Body)?.data_ref() {
                if whole.len() + data.len() > ANSWER_BYTES_MAX {
                    return Err(TokenFault::Answer);
                }
                whole.extend_from_slice(data);
            }
        }
        given(&whole).ok_or(TokenFault::Answer)
    }
}

fn given(answer: &[u8]) -> Option<Given> {
    let answer: Value = serde_json::from_slice(answer).ok()?;
    let text = |name: &str| answer.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
    let mut token = HeaderValue::try_from(format!("Bearer {}", text("access_token")?)).ok()?;
    // Keeps it out of whatever prints headers.
    token.set_sensitive(true);
    // Some servers write the number as text.
    let seconds = answer.get("expires_in").and_then(|v| v.as_u64().or_else(|| v.as_str()?.parse().ok()));
    Some(Given { token, lasts: seconds.map(Duration::from_secs), refresh: text("refresh_token").map(|t| Secret::new(t.to_owned())) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_as_servers_write_them() {
        let found = given(br#"{"access_token":"t-1","token_type":"bearer","expires_in":"60","refresh_token":"r"}"#).unwrap();
        assert_eq!((found.token.to_str().unwrap(), found.lasts), ("Bearer t-1", Some(Duration::from_secs(60))));
        assert!(found.token.is_sensitive() && found.refresh.is_some());
        assert_eq!(given(br#"{"access_token":"t","expires_in":-1}"#).unwrap().lasts, None);
        for bad in [&b"token=t"[..], br#"{"access_token":""}"#, br#"{"access_token":"a\nb"}"#, br#"{"error":"invalid_client"}"#] {
            assert!(given(bad).is_none());
        }
    }
}
