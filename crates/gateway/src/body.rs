//! Message bodies on their way through. Nothing is gathered up: a frame goes on before the next one is asked for.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use model::Timestamp;
use tokio::time::Sleep;
use traffic::Cost;

use crate::gateway::Gateway;
use crate::record::CallEnd;
use crate::steps::throttle::Owed;
use crate::upstream::{BadCoding, Decoder, Link, Piece, Pool};

/// A body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BodyFault {
    #[error("the client's message could not be read to its end")]
    Client(#[source] hyper::Error),
    #[error("the message ended before its end")]
    CutOff(#[source] Option<io::Error>),
    #[error("the backend's message cannot be read")]
    Coding(#[source] BadCoding),
    #[error("nothing more came for too long")]
    Stalled,
}

/// A client's body on its way to a backend.
#[derive(Default)]
pub(crate) enum RequestBody {
    #[default]
    Empty,
    /// All of it, made or held by a mediation sequence; never empty until it is sent.
    Whole(Bytes),
    Client {
        incoming: Incoming,
        stall: Stall,
        meter: Option<Box<Meter>>,
    },
}

impl std::fmt::Debug for RequestBody {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(if self.is_empty() { "no body" } else { "a body" })
    }
}

/// Counts a body of unknown size against limits by bytes once it has passed.
pub(crate) struct Meter {
    pub(crate) gateway: Arc<Gateway>,
    pub(crate) owed: Owed,
    pub(crate) bytes: u64,
}

impl Drop for Meter {
    fn drop(&mut self) {
        let now = Timestamp(self.gateway.clock.now().wall_ms);
        for (key, quota) in &self.owed {
            // A limit that was reached meanwhile stays reached; there is nobody left to refuse.
            let _ = self.gateway.counters.admit(*key, *quota, now, Cost { bytes: self.bytes });
        }
    }
}

impl RequestBody {
    pub(crate) fn new(incoming: Incoming, stall: Duration, meter: Option<Box<Meter>>) -> Self {
        if incoming.is_end_stream() { Self::Empty } else { Self::Client { incoming, stall: Stall::new(stall), meter } }
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(self, Self::Empty)
    }

    /// The length in bytes, where it is known beforehand.
    pub(crate) fn length(&self) -> Option<u64> {
        self.size_hint().exact()
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Whole(bytes) if bytes.is_empty() => Poll::Ready(None),
            Self::Whole(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Self::Client { incoming, stall, meter } => match Pin::new(incoming).poll_frame(cx) {
                Poll::Ready(frame) => {
                    stall.over();
                    if let (Some(meter), Some(Ok(frame))) = (meter, &frame) {
                        meter.bytes += frame.data_ref().map_or(0, |data| data.len() as u64);
                    }
                    Poll::Ready(frame.map(|f| f.map_err(BodyFault::Client)))
                }
                Poll::Pending => stall.poll(cx).map(|()| Some(Err(BodyFault::Stalled))),
            },
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Whole(bytes) => bytes.is_empty(),
            Self::Client { incoming, .. } => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Whole(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Client { incoming, .. } => incoming.size_hint(),
        }
    }
}

/// A backend's body on its way to the client, with the link it comes over.
pub(crate) struct BackendBody {
    decoder: Decoder,
    /// `None` once the link went back or was closed.
    link: Option<Box<Link>>,
    pool: Arc<Pool>,
    stall: Stall,
}

impl BackendBody {
    pub(crate) fn new(decoder: Decoder, link: Box<Link>, pool: Arc<Pool>, stall: Duration) -> Self {
        Self { decoder, link: Some(link), pool, stall: Stall::new(stall) }
    }

    fn finish(&mut self) {
        if let Some(link) = self.link.take() {
            self.pool.keep(link);
        }
    }
}

impl Body for BackendBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = self.get_mut();
        let Some(link) = &mut this.link else { return Poll::Ready(None) };
        let polled = match link.poll_piece(cx, &mut this.decoder) {
            Poll::Ready(piece) => piece,
            Poll::Pending => {
                ready!(this.stall.poll(cx));
                Err(BodyFault::Stalled)
            }
        };
        this.stall.over();
        let frame = match polled {
            Ok(Piece::Data(data)) => Ok(Frame::data(data)),
            Ok(Piece::Trailers(trailers)) => Ok(Frame::trailers(trailers)),
            Ok(Piece::End | Piece::More) => {
                this.finish();
                return Poll::Ready(None);
            }
            Err(fault) => {
                this.link = None;
                Err(fault)
            }
        };
        if this.decoder.is_done() {
            this.finish();
        }
        Poll::Ready(Some(frame))
    }

    fn is_end_stream(&self) -> bool {
        self.link.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.decoder.left().map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

/// What a client gets as a body.
pub(crate) enum Content {
    Empty,
    Text(Bytes),
    Backend(Box<BackendBody>),
}

/// An answer's body; dropping it ends the call.
pub(crate) struct AnswerBody {
    content: Content,
    end: CallEnd,
}

impl AnswerBody {
    pub(crate) fn new(content: Content, end: CallEnd) -> Self {
        Self { content, end }
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BodyFault;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyFault>>> {
        let this = self.get_mut();
        let polled = match &mut this.content {
            Content::Empty => Poll::Ready(None),
            Content::Text(text) if text.is_empty() => Poll::Ready(None),
            Content::Text(text) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(text))))),
            Content::Backend(body) => Pin::new(&mut **body).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => this.end.sent(frame.data_ref().map_or(0, Bytes::len)),
            Poll::Ready(Some(Err(fault))) => this.end.broke_off(fault),
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Empty => true,
            Content::Text(text) => text.is_empty(),
            Content::Backend(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Empty => SizeHint::with_exact(0),
            Content::Text(text) => SizeHint::with_exact(text.len() as u64),
            Content::Backend(body) => body.size_hint(),
        }
    }
}

/// A limit on silence. No timer exists until there is a silence.
pub(crate) struct Stall {
    limit: Duration,
    timer: Option<Pin<Box<Sleep>>>,
}

impl Stall {
    fn new(limit: Duration) -> Self {
        Self { limit, timer: None }
    }

    /// Ready when the silence has lasted too long.
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.limit;
        self.timer.get_or_insert_with(|| Box::pin(tokio::time::sleep(limit))).as_mut().poll(cx)
    }

    fn over(&mut self) {
        self.timer = None;
    }
}
