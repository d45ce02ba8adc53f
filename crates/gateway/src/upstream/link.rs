//! One connection to a backend and the exchange on it.
//!
//! Whoever makes the call drives the link; it is no task of its own. Request and answer flow independently of each other: while an answer is
//! read, the rest of the request is still sent.

use std::io::{self, Write as _};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use bytes::{Bytes, BytesMut};
use http_body::Body;

use super::coding::{Decoder, Piece};
use super::head::{self, AnswerHead, BadHead};
use super::wire::Wire;
use crate::body::{BodyFault, RequestBody};
use crate::snapshot::Authority;

/// Room made for a read at first; doubled whenever a read fills it.
const READ_MIN: usize = 8 << 10;
const READ_MAX: usize = 64 << 10;
/// With less room than this a short answer would often take two reads.
const READ_LEAST: usize = 4 << 10;
/// Pieces of a request's body up to this size are gathered up with what goes before them; larger ones are written from where they are.
const COPY_MAX: usize = 4 << 10;
/// No more of a body is asked for while so much lies unsent.
const OUTBOX_MAX: usize = 16 << 10;
/// Interim answers passed over before one answer.
const INTERIM_MAX: usize = 16;

pub(crate) struct Link {
    wire: Wire,
    /// What was read and not used yet.
    inbox: BytesMut,
    room: usize,
    /// What is to be written, from `written` on, and behind it a large piece of the body.
    outbox: Vec<u8>,
    written: usize,
    bulk: Bytes,
    /// What ends the chunk whose data is in `bulk`.
    behind_bulk: &'static [u8],
    unflushed: bool,
    sending: Option<Sending>,
    exchange: Exchange,
    pub(super) authority: Arc<Authority>,
    pub(super) idle_since: Instant,
    /// It has carried an exchange before, so it may have gone stale.
    pub(crate) used: bool,
}

/// A request's body on its way.
struct Sending {
    body: RequestBody,
    /// Bytes still promised; `None` with chunks.
    left: Option<u64>,
}

/// How far the exchange has come, and whether there may be another.
#[derive(Default)]
struct Exchange {
    begun: bool,
    /// Bytes that may have reached the backend.
    sent: u64,
    /// Something of the request's body has been taken, so it cannot be sent again.
    taken: bool,
    interim: usize,
    /// Why the request could not be sent to its end. The backend may have answered all the same.
    broken: Option<io::Error>,
    /// The backend keeps the connection open, and nothing was out of order.
    keeps_open: bool,
}

/// How to read the answer.
pub(crate) struct Expectation {
    /// The request's method is HEAD.
    pub(crate) no_body: bool,
    /// Longest head taken, in bytes.
    pub(crate) head_max: usize,
    /// Which headers are wanted, by name.
    pub(crate) goes_on: fn(&[u8]) -> bool,
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Fault {
    /// The connection had ended before anything was sent; here is the body back.
    #[error("the connection had been closed")]
    NotSent(RequestBody),
    /// The connection ended without a byte of an answer.
    #[error("the backend closed the connection without an answer")]
    Unanswered(#[source] Option<io::Error>),
    /// The connection ended amid the answer's head.
    #[error("the backend closed the connection amid its answer's head")]
    BrokeOff(#[source] Option<io::Error>),
    /// The client's body broke off.
    #[error("the client's body broke off")]
    ClientBody(#[source] BodyFault),
    #[error("the backend's answer cannot be read")]
    Head(#[from] BadHead),
}

impl Link {
    pub(super) fn new(wire: Wire, authority: Arc<Authority>) -> Self {
        Self {
            wire,
            inbox: BytesMut::new(),
            room: READ_MIN,
            outbox: Vec::with_capacity(1 << 10),
            written: 0,
            bulk: Bytes::new(),
            behind_bulk: b"",
            unflushed: false,
            sending: None,
            exchange: Exchange::default(),
            authority,
            idle_since: Instant::now(),
            used: false,
        }
    }

    /// Begins an exchange: `write` writes the request's head.
    pub(crate) fn begin<E>(&mut self, write: impl FnOnce(&mut Vec<u8>) -> Result<(), E>) -> Result<(), E> {
        self.exchange = Exchange::default();
        self.outbox.clear();
        self.written = 0;
        write(&mut self.outbox)
    }

    /// Gives the body to send behind the head, which must have said the same of it: `length` bytes, or chunks.
    pub(crate) fn send(&mut self, body: RequestBody, length: Option<u64>) {
        self.sending = (!body.is_empty()).then_some(Sending { body, left: length });
    }

    /// Sends, and reads the answer's head.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>, expect: &Expectation) -> Poll<Result<AnswerHead, Fault>> {
        if !self.exchange.begun {
            self.exchange.begun = true;
            // An idle connection has nothing to say: what can be read now is its end, or an answer to a question nobody asked.
            if self.used && self.poll_read(cx).is_ready() {
                return Poll::Ready(Err(self.not_sent()));
            }
        }
        if let Poll::Ready(Err(fault)) = self.poll_send(cx) {
            return Poll::Ready(Err(fault));
        }
        loop {
            if !self.inbox.is_empty()
                && let Some(head) = head::read(&mut self.inbox, expect.no_body, expect.head_max, expect.goes_on)?
            {
                if !head::is_interim(&head) {
                    self.exchange.keeps_open = head.keeps_open && self.exchange.broken.is_none();
                    return Poll::Ready(Ok(head));
                }
                self.exchange.interim += 1;
                if self.exchange.interim > INTERIM_MAX {
                    return Poll::Ready(Err(BadHead::Interim.into()));
                }
                continue;
            }
            let fault = match ready!(self.poll_read(cx)) {
                Ok(0) => self.exchange.broken.take(),
                Ok(_) => continue,
                Err(error) => Some(self.exchange.broken.take().unwrap_or(error)),
            };
            let unanswered = self.inbox.is_empty() && self.exchange.interim == 0;
            return Poll::Ready(Err(if unanswered { Fault::Unanswered(fault) } else { Fault::BrokeOff(fault) }));
        }
    }

    /// Bytes of the request sent so far.
    pub(crate) fn sent(&self) -> u64 {
        self.exchange.sent
    }

    /// Whether the rest of the request is the client's to send.
    pub(crate) fn awaits_client(&self) -> bool {
        self.sending.is_some() && self.is_all_written()
    }

    /// The next piece of an answer's body; the rest of the request is sent meanwhile.
    pub(crate) fn poll_piece(&mut self, cx: &mut Context<'_>, decoder: &mut Decoder) -> Poll<Result<Piece, BodyFault>> {
        let polled = self.poll_piece_or_fault(cx, decoder);
        if let Poll::Ready(Err(_)) = polled {
            self.exchange.keeps_open = false;
        }
        polled
    }

    fn poll_piece_or_fault(&mut self, cx: &mut Context<'_>, decoder: &mut Decoder) -> Poll<Result<Piece, BodyFault>> {
        loop {
            match decoder.take(&mut self.inbox).map_err(BodyFault::Coding)? {
                Piece::More => {}
                piece => return Poll::Ready(Ok(piece)),
            }
            if let Poll::Ready(Err(Fault::ClientBody(fault))) = self.poll_send(cx) {
                return Poll::Ready(Err(fault));
            }
            match ready!(self.poll_read(cx)) {
                Ok(0) if decoder.ends_with_connection() => return Poll::Ready(Ok(Piece::End)),
                Ok(0) => return Poll::Ready(Err(BodyFault::CutOff(None))),
                Ok(_) => {}
                Err(error) => return Poll::Ready(Err(BodyFault::CutOff(Some(error)))),
            }
        }
    }

    /// The whole body, if it has been read already.
    pub(crate) fn whole(&mut self, decoder: &mut Decoder) -> Option<Bytes> {
        let length = usize::try_from(decoder.left()?).ok().filter(|length| *length <= self.inbox.len())?;
        if length == 0 {
            return Some(Bytes::new());
        }
        *decoder = Decoder::Length(0);
        Some(self.inbox.split_to(length).freeze())
    }

    /// Whether another exchange may begin: the last one is over both ways, and nothing was out of order. Its answer's body must have been
    /// taken to the end.
    pub(super) fn is_idle(&self) -> bool {
        self.exchange.keeps_open && self.sending.is_none() && self.is_all_written() && !self.unflushed && self.inbox.is_empty()
    }

    /// Lets go of what an idle link needs no more.
    pub(super) fn rest(&mut self) {
        self.used = true;
        self.idle_since = Instant::now();
        if self.room > READ_MIN {
            self.room = READ_MIN;
            self.inbox = BytesMut::new();
        }
        if self.outbox.capacity() > OUTBOX_MAX {
            self.outbox = Vec::new();
        }
    }

    fn not_sent(&mut self) -> Fault {
        Fault::NotSent(self.sending.take().map_or(RequestBody::Empty, |sending| sending.body))
    }

    fn is_all_written(&self) -> bool {
        self.written == self.outbox.len() && self.bulk.is_empty()
    }

    /// Reads once into the inbox.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.inbox.capacity() - self.inbox.len() < READ_LEAST {
            self.inbox.reserve(self.room);
        }
        let room = self.inbox.capacity() - self.inbox.len();
        let read = ready!(self.wire.poll_read(cx, &mut self.inbox))?;
        if read == room {
            self.room = (self.room * 2).min(READ_MAX);
        }
        Poll::Ready(Ok(read))
    }

    /// Sends what can be sent. Ready when all is, or when no more will be. Of faults there are only those that end the call.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Fault>> {
        if self.exchange.broken.is_some() {
            return Poll::Ready(Ok(()));
        }
        loop {
            self.gather(cx).map_err(Fault::ClientBody)?;
            if self.is_all_written() {
                return self.poll_flush(cx).map(Ok);
            }
            let head = self.outbox.get(self.written..).unwrap_or_default();
            let wrote = ready!(self.wire.poll_write(cx, head, &self.bulk));
            match wrote {
                Ok(0) => self.broke(io::ErrorKind::WriteZero.into()),
                Ok(wrote) => self.was_written(wrote),
                // The body is whole too, so the request can go elsewhere.
                Err(_) if self.used && self.exchange.sent == 0 && !self.exchange.taken => return Poll::Ready(Err(self.not_sent())),
                Err(error) => self.broke(error),
            }
            if self.exchange.broken.is_some() {
                return Poll::Ready(Ok(()));
            }
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.unflushed {
            match ready!(self.wire.poll_flush(cx)) {
                Ok(()) => self.unflushed = false,
                Err(error) => self.broke(error),
            }
        }
        // What is still to be sent waits for the client, whom `gather` has asked.
        if self.sending.is_some() { Poll::Pending } else { Poll::Ready(()) }
    }

    /// Nothing more is sent; what was answered up to now is still read.
    fn broke(&mut self, error: io::Error) {
        self.exchange.broken = Some(error);
        self.exchange.keeps_open = false;
        self.sending = None;
        self.bulk = Bytes::new();
    }

    fn was_written(&mut self, count: usize) {
        self.exchange.sent += count as u64;
        self.unflushed = true;
        let of_outbox = count.min(self.outbox.len() - self.written);
        self.written += of_outbox;
        if self.written == self.outbox.len() {
            self.outbox.clear();
            self.written = 0;
        }
        if count > of_outbox {
            let _ = self.bulk.split_to(count - of_outbox);
        }
        if self.bulk.is_empty() && self.outbox.is_empty() {
            self.outbox.extend_from_slice(std::mem::take(&mut self.behind_bulk));
        }
    }

    /// Takes over what the client has sent of the body.
    fn gather(&mut self, cx: &mut Context<'_>) -> Result<(), BodyFault> {
        while self.bulk.is_empty() && self.outbox.len() < OUTBOX_MAX {
            let Some(sending) = &mut self.sending else { break };
            let Poll::Ready(frame) = Pin::new(&mut sending.body).poll_frame(cx) else { break };
            self.exchange.taken = true;
            let data = match frame.transpose()?.map(http_body::Frame::into_data) {
                Some(Ok(data)) => data,
                // Trailers of a request: the backend was not told of any.
                Some(Err(_)) => continue,
                None => {
                    match sending.left {
                        None => self.outbox.extend_from_slice(b"0\r\n\r\n"),
                        Some(0) => {}
                        Some(_) => return Err(BodyFault::CutOff(None)),
                    }
                    self.sending = None;
                    break;
                }
            };
            if data.is_empty() {
                continue;
            }
            let behind: &'static [u8] = match &mut sending.left {
                None => {
                    // Writing to a Vec does not fail.
                    let _ = write!(self.outbox, "{:x}\r\n", data.len());
                    b"\r\n"
                }
                Some(left) => {
                    *left = left.checked_sub(data.len() as u64).ok_or(BodyFault::CutOff(None))?;
                    b""
                }
            };
            if sending.left == Some(0) && sending.body.is_end_stream() {
                self.sending = None;
            }
            if data.len() <= COPY_MAX {
                self.outbox.extend_from_slice(&data);
                self.outbox.extend_from_slice(behind);
            } else {
                (self.bulk, self.behind_bulk) = (data, behind);
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, TcpStream};

    use super::*;

    const EXPECT: Expectation = Expectation { no_body: false, head_max: 4096, goes_on: |_| true };

    async fn pair() -> (Link, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
        let authority = Arc::new(Authority { tls: false, host: "b".into(), port: 1 });
        (Link::new(Wire::Plain(near.unwrap()), authority), far.unwrap().0)
    }

    async fn ask(link: &mut Link) -> Result<AnswerHead, Fault> {
        link.begin(|out| {
            out.extend_from_slice(b"GET / HTTP/1.1\r\n\r\n");
            Ok::<_, ()>(())
        })
        .unwrap();
        poll_fn(|cx| link.poll_answer(cx, &EXPECT)).await
    }

    #[tokio::test]
    async fn an_answer_read_with_its_head_leaves_the_link_idle() {
        let (mut link, mut far) = pair().await;
        for turn in 0..3 {
            far.write_all(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            // The answer lies there before the question is asked: well for a fresh link, not for one that was idle.
            if let Wire::Plain(stream) = &link.wire {
                stream.readable().await.unwrap();
            }
            let answer = ask(&mut link).await;
            if turn == 0 {
                let mut head = answer.unwrap();
                assert_eq!(link.whole(&mut head.body).as_deref(), Some(&b"ok"[..]));
                assert!(link.is_idle() && head.body.is_done());
                link.rest();
            } else {
                assert!(matches!(answer, Err(Fault::NotSent(RequestBody::Empty))), "{turn}");
                return;
            }
        }
    }

    #[tokio::test]
    async fn bytes_behind_an_answer_end_the_link() {
        let (mut link, mut far) = pair().await;
        far.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok!").await.unwrap();
        let mut head = ask(&mut link).await.unwrap();
        assert_eq!(link.whole(&mut head.body).as_deref(), Some(&b"ok"[..]));
        assert!(!link.is_idle());
    }

    #[tokio::test]
    async fn an_end_before_between_and_amid_answers_is_told_apart() {
        for (text, kind) in [("", 0), ("HTTP/1.1 100 Continue\r\n\r\n", 1), ("HTTP/1.1 200 OK\r\n", 1)] {
            let (mut link, mut far) = pair().await;
            far.write_all(text.as_bytes()).await.unwrap();
            far.shutdown().await.unwrap();
            let fault = ask(&mut link).await.unwrap_err();
            assert!(
                if kind == 0 { matches!(fault, Fault::Unanswered(None)) } else { matches!(fault, Fault::BrokeOff(None)) },
                "{text} {fault:?}"
            );
        }
        let (mut link, far) = pair().await;
        drop(far);
        link.used = true;
        if let Wire::Plain(stream) = &link.wire {
            stream.readable().await.unwrap();
        }
        assert!(matches!(ask(&mut link).await, Err(Fault::NotSent(RequestBody::Empty))));
    }

    #[tokio::test]
    async fn interim_answers_are_bounded() {
        let (mut link, mut far) = pair().await;
        far.write_all("HTTP/1.1 102 Processing\r\n\r\n".repeat(100).as_bytes()).await.unwrap();
        assert!(matches!(ask(&mut link).await, Err(Fault::Head(BadHead::Interim))));
    }

    #[tokio::test]
    async fn a_body_until_the_close_is_taken_whole_and_a_promised_one_must_come() {
        for (length, whole) in [("", true), ("Content-Length: 9\r\n", false)] {
            let (mut link, mut far) = pair().await;
            far.write_all(format!("HTTP/1.1 200 OK\r\n{length}\r\nsome").as_bytes()).await.unwrap();
            far.shutdown().await.unwrap();
            let mut head = ask(&mut link).await.unwrap();
            let mut next = async || poll_fn(|cx| link.poll_piece(cx, &mut head.body)).await;
            assert!(matches!(next().await, Ok(Piece::Data(data)) if data == "some"));
            let end = next().await;
            assert!(if whole { matches!(end, Ok(Piece::End)) } else { matches!(end, Err(BodyFault::CutOff(None))) }, "{end:?}");
            assert!(!link.is_idle());
            let _ = far.read(&mut [0; 64]).await;
        }
    }
}
