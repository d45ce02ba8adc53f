//! What is left of a call: numbers for metrics and, if someone listens, a record.
//!
//! Records go through a bounded queue. When it is full a record is dropped and counted; a call never waits for its bookkeeping. Metric
//! labels are bounded: status classes and error codes, never names of APIs or callers. The metric handles are made when the gateway is
//! made, so a recorder must be installed before that.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http::header::USER_AGENT;
use http::request::Parts;
use model::{ApiId, ApplicationId, KeyType, Timestamp};
use tokio::sync::mpsc;

use crate::body::BodyFault;
use crate::call::Call;
use crate::listener::Peer;
use crate::steps::rewrite;

/// One finished call.
#[derive(Debug, Clone)]
pub struct CallRecord {
    /// When it came.
    pub at: Timestamp,
    /// Correlation id.
    pub correlation: String,
    /// Request method.
    pub method: http::Method,
    /// Status answered.
    pub status: u16,
    /// Error code of the answer, when the gateway made it (`900901`).
    pub code: Option<&'static str>,
    /// API, where one was found.
    pub api: Option<CalledApi>,
    /// Application, once credentials were accepted.
    pub application: Option<CallingApplication>,
    /// Client's address.
    pub client: IpAddr,
    /// `User-Agent`, at most 256 bytes of it.
    pub user_agent: Option<String>,
    /// From the request's head to the answer's last byte.
    pub latency: Duration,
    /// From sending the request to the answer's head, where a backend was asked.
    pub backend_latency: Option<Duration>,
    /// Bytes of the answer's body.
    pub bytes_sent: u64,
    /// Whether the answer broke off before its end.
    pub broke_off: bool,
}

const USER_AGENT_MAX: usize = 256;

impl CallRecord {
    /// What a request's head says of it, if anyone listens.
    pub(crate) fn begun(peer: &Peer, call: &Call, parts: &Parts) -> Option<Box<Self>> {
        if !peer.gateway.recorder.is_on() {
            return None;
        }
        let user_agent = parts.headers.get(USER_AGENT).and_then(|v| v.to_str().ok()).map(|v| v.chars().take(USER_AGENT_MAX).collect());
        Some(Box::new(Self {
            at: Timestamp(call.now.wall_ms),
            correlation: call.correlation.to_str().unwrap_or_default().to_owned(),
            method: parts.method.clone(),
            status: 0,
            code: None,
            api: None,
            application: None,
            client: rewrite::client_address(&parts.headers, peer, &peer.gateway.config.trusted_proxies),
            user_agent,
            latency: Duration::ZERO,
            backend_latency: None,
            bytes_sent: 0,
            broke_off: false,
        }))
    }

    /// What became known of the call since.
    pub(crate) fn known(mut self: Box<Self>, call: &Call) -> Box<Self> {
        self.code = call.code;
        self.backend_latency = call.backend_latency;
        self.api = call.api.as_ref().map(|api| CalledApi {
            id: api.id,
            name: Arc::clone(&api.name),
            version: Arc::clone(&api.version),
            template: call.template.clone(),
        });
        self.application = call.caller.as_ref().map(|caller| CallingApplication {
            id: caller.application.id,
            name: Arc::clone(&caller.application.name),
            owner: Arc::clone(&caller.application.owner),
            key_type: caller.key_type,
            user: Arc::clone(&caller.user),
        });
        self
    }
}

/// The API of a call.
#[derive(Debug, Clone)]
pub struct CalledApi {
    /// Its id.
    pub id: ApiId,
    /// Its name.
    pub name: Arc<str>,
    /// Its version.
    pub version: Arc<str>,
    /// Template of the resource; absent when none matched.
    pub template: Option<Arc<str>>,
}

/// Who called.
#[derive(Debug, Clone)]
pub struct CallingApplication {
    /// Application.
    pub id: ApplicationId,
    /// Its name.
    pub name: Arc<str>,
    /// Its owner.
    pub owner: Arc<str>,
    /// Kind of key.
    pub key_type: KeyType,
    /// User, as the token names him.
    pub user: Arc<str>,
}

/// Where finished calls go.
pub(crate) struct Recorder {
    queue: Option<mpsc::Sender<CallRecord>>,
    dropped: metrics::Counter,
    /// By hundreds of the status: 1xx first.
    calls: [metrics::Counter; 5],
    seconds: metrics::Histogram,
    broken: metrics::Counter,
}

impl Recorder {
    pub(crate) fn new(capacity: usize) -> (Self, Option<mpsc::Receiver<CallRecord>>) {
        let (sender, receiver) = if capacity > 0 {
            let (sender, receiver) = mpsc::channel(capacity);
            (Some(sender), Some(receiver))
        } else {
            (None, None)
        };
        let calls = ["1xx", "2xx", "3xx", "4xx", "5xx"].map(|class| metrics::counter!("gateway_calls_total", "status" => class));
        let recorder = Self {
            queue: sender,
            dropped: metrics::counter!("gateway_records_dropped_total"),
            calls,
            seconds: metrics::histogram!("gateway_call_seconds"),
            broken: metrics::counter!("gateway_answers_broken_off_total"),
        };
        (recorder, receiver)
    }

    /// Whether records are wanted at all.
    pub(crate) fn is_on(&self) -> bool {
        self.queue.is_some()
    }
}

/// Held by an answer's body; closes the call's books when dropped.
pub(crate) struct CallEnd {
    peer: Arc<Peer>,
    started: Instant,
    status: u16,
    bytes: u64,
    broke_off: bool,
    record: Option<Box<CallRecord>>,
}

impl CallEnd {
    pub(crate) fn new(peer: Arc<Peer>, started: Instant, status: u16, record: Option<Box<CallRecord>>) -> Self {
        Self { peer, started, status, bytes: 0, broke_off: false, record }
    }

    pub(crate) fn sent(&mut self, bytes: usize) {
        self.bytes += bytes as u64;
    }

    pub(crate) fn broke_off(&mut self, fault: &BodyFault) {
        self.broke_off = true;
        tracing::debug!(error = fault as &dyn std::error::Error, "an answer broke off");
    }
}

impl Drop for CallEnd {
    fn drop(&mut self) {
        self.peer.call_ended();
        let recorder = &self.peer.gateway.recorder;
        let latency = self.started.elapsed();
        if let Some(counter) = recorder.calls.get(usize::from(self.status / 100).saturating_sub(1)) {
            counter.increment(1);
        }
        recorder.seconds.record(latency);
        if self.broke_off {
            recorder.broken.increment(1);
        }
        if let (Some(queue), Some(mut record)) = (&recorder.queue, self.record.take()) {
            record.latency = latency;
            record.bytes_sent = self.bytes;
            record.broke_off = self.broke_off;
            record.status = self.status;
            if queue.try_send(*record).is_err() {
                recorder.dropped.increment(1);
            }
        }
    }
}
