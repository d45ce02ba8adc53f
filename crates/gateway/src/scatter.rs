//! Copies of a request that its sequence sent off, and their answers: sent at the same time, taken through the answer sequences together.

use std::sync::Arc;

use bytes::Bytes;
use futures_util::StreamExt as _;
use futures_util::future::join;
use futures_util::stream;
use mediation::{End, Fault, Headers, Message, Payload, Program, Sent};

use crate::body::{Content, RequestBody};
use crate::call::Call;
use crate::mediated::{Answered, Ended, Way, nothing};
use crate::respond::Refusal;

/// Copies of one request under way at the same time.
const AT_ONCE: usize = 16;

impl Way<'_> {
    /// What becomes of a request of which copies were sent off: it goes on beside them, or they are all that is left of it.
    pub(crate) async fn with_copies(
        &self,
        call: &mut Call,
        message: Message,
        original: &Headers,
        ended: Ended,
        sent: Vec<Sent>,
        body: (RequestBody, Option<Bytes>),
    ) -> Result<Answered, Refusal> {
        if !matches!(ended, Ended::Drop) {
            return join(self.beside(sent), self.onward(call, message, original, ended, body)).await.1;
        }
        match self.scatter(sent).await {
            Ok(answers) => self.gather(call, answers).await,
            Err(fault) => self.faulted(call, message, original, fault).await,
        }
    }

    /// Sends copies whose answers nobody waits for but to know that they came.
    pub(crate) async fn beside(&self, sent: Vec<Sent>) {
        if let Err(fault) = self.scatter(sent).await {
            let api = &*self.api.name;
            tracing::warn!(target: "mediation", api, code = fault.code, detail = fault.detail, "a copy of a message failed: {}", fault.message);
        }
    }

    /// Sends copies and gives the answers that matter, in the order of the copies.
    async fn scatter(&self, sent: Vec<Sent>) -> Result<Vec<Message>, Fault> {
        let mut coming = stream::iter(sent)
            .map(|Sent { request, mut message, awaited }| async move {
                let answer = self.runner.call_out(request).await?;
                message.begin_answer(answer.status, answer.headers, Payload::whole(answer.body));
                Ok((message, awaited))
            })
            .buffered(AT_ONCE);
        let mut answers = Vec::new();
        let mut bytes = 0;
        while let Some(answer) = coming.next().await {
            let (message, awaited) = answer?;
            if !awaited {
                continue;
            }
            // All are held until the last has come.
            bytes += message.payload.bytes().map_or(0, |body| body.len());
            if bytes > self.runner.limits.body_bytes {
                return Err(Fault {
                    code: 0,
                    message: "The answers to the copies of a message are too long together".to_owned(),
                    detail: format!("more than {} bytes", self.runner.limits.body_bytes),
                });
            }
            answers.push(message);
        }
        Ok(answers)
    }

    /// Takes answers through the answer sequences together; one of these may make one of them. Without that the first is the answer, as
    /// the first to come was.
    async fn gather(&self, call: &mut Call, mut answers: Vec<Message>) -> Result<Answered, Refusal> {
        for (i, program) in self.programs.response.iter().enumerate() {
            let Some(first) = answers.first() else { return Ok(nothing()) };
            let mut message = first.clone();
            message.now = self.runner.now();
            let mut ran = program.gather(answers, &mut message, &self.runner.limits);
            let rest = self.programs.response.get(i + 1..).unwrap_or_default();
            answers = loop {
                self.runner.log(&ran.log);
                match ran.end {
                    End::Call(wanted) => {
                        let answer = Box::pin(self.runner.call_out(wanted.request)).await;
                        message.now = self.runner.now();
                        ran = wanted.resume.resume(&mut message, answer);
                    }
                    End::Several(left) => break left,
                    End::Continue => return self.whole_answer(call, rest, message).await,
                    End::Respond | End::Send(_) | End::SendToBackend | End::Loopback => return self.whole_answer(call, &[], message).await,
                    End::Drop => return Ok(nothing()),
                    End::Fault(fault) => return self.faulted(call, message, &Headers::new(), fault).await,
                }
            };
        }
        match answers.into_iter().next() {
            Some(first) => self.whole_answer(call, &[], first).await,
            None => Ok(nothing()),
        }
    }

    async fn whole_answer(&self, call: &mut Call, programs: &[Arc<Program>], message: Message) -> Result<Answered, Refusal> {
        let content = message.payload.bytes().map_or(Content::Empty, Content::Text);
        self.answer_through(call, programs, message, content, None).await
    }
}
