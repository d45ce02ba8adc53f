//! A stream of rows from any engine: a producer fills bounded batches on a channel, the reader takes one row at a time.
//!
//! The end of a table is said, not inferred: a producer that dies without saying `Done` makes an error, because a scan that
//! stops early must never look like a short table.

use tokio::sync::mpsc;

use super::{Row, SourceError};

/// Rows in one batch at most.
const BATCH_ROWS: usize = 256;
/// Bytes of cells after which a batch is sent although it is not full.
const BATCH_BYTES: usize = 1024 * 1024;
/// Batches waiting at most.
const BATCHES_WAITING: usize = 2;

enum Message {
    Batch(Vec<Row>),
    Failed(SourceError),
    Done,
}

/// The rows of one scan.
#[derive(Debug)]
pub struct Rows {
    table: String,
    messages: Option<mpsc::Receiver<Message>>,
    batch: std::vec::IntoIter<Row>,
}

impl std::fmt::Debug for Message {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Batch(rows) => write!(f, "Batch({} rows)", rows.len()),
            Self::Failed(error) => write!(f, "Failed({error})"),
            Self::Done => f.write_str("Done"),
        }
    }
}

/// The producing end. Both `push` forms answer `false` when nobody listens any more and the producer may stop.
pub(crate) struct Filling {
    messages: mpsc::Sender<Message>,
    batch: Vec<Row>,
    bytes: usize,
}

impl Rows {
    /// No rows at all, as of an absent table.
    pub fn empty(table: &str) -> Self {
        Self { table: table.to_owned(), messages: None, batch: Vec::new().into_iter() }
    }

    pub(crate) fn channel(table: &str) -> (Filling, Self) {
        let (sender, receiver) = mpsc::channel(BATCHES_WAITING);
        let filling = Filling { messages: sender, batch: Vec::new(), bytes: 0 };
        (filling, Self { table: table.to_owned(), messages: Some(receiver), batch: Vec::new().into_iter() })
    }

    /// The next row, or `None` after the last.
    ///
    /// # Errors
    ///
    /// What the engine met; after an error the stream is over.
    pub async fn next(&mut self) -> Result<Option<Row>, SourceError> {
        loop {
            if let Some(row) = self.batch.next() {
                return Ok(Some(row));
            }
            let Some(messages) = &mut self.messages else { return Ok(None) };
            match messages.recv().await {
                Some(Message::Batch(rows)) => self.batch = rows.into_iter(),
                Some(Message::Done) => self.messages = None,
                Some(Message::Failed(error)) => {
                    self.messages = None;
                    return Err(error);
                }
                None => {
                    self.messages = None;
                    return Err(SourceError::Interrupted { table: self.table.clone() });
                }
            }
        }
    }

    /// Reads all rows into memory; for tables known to be small.
    ///
    /// # Errors
    ///
    /// As [`Rows::next`].
    pub async fn all(mut self) -> Result<Vec<Row>, SourceError> {
        let mut rows = Vec::new();
        while let Some(row) = self.next().await? {
            rows.push(row);
        }
        Ok(rows)
    }
}

impl Filling {
    pub(crate) async fn push(&mut self, row: Row) -> bool {
        self.keep(row);
        if !self.is_full() {
            return true;
        }
        let batch = self.take();
        self.messages.send(Message::Batch(batch)).await.is_ok()
    }

    pub(crate) fn push_blocking(&mut self, row: Row) -> bool {
        self.keep(row);
        if !self.is_full() {
            return true;
        }
        let batch = self.take();
        self.messages.blocking_send(Message::Batch(batch)).is_ok()
    }

    // A closed channel below means the reader has left: there is nobody to tell.
    pub(crate) async fn finish(mut self, outcome: Result<(), SourceError>) {
        let batch = self.take();
        if !batch.is_empty() && self.messages.send(Message::Batch(batch)).await.is_err() {
            return;
        }
        let last = outcome.map_or_else(Message::Failed, |()| Message::Done);
        if self.messages.send(last).await.is_err() {
            tracing::trace!("a scan's reader left before its end");
        }
    }

    pub(crate) fn finish_blocking(mut self, outcome: Result<(), SourceError>) {
        let batch = self.take();
        if !batch.is_empty() && self.messages.blocking_send(Message::Batch(batch)).is_err() {
            return;
        }
        let last = outcome.map_or_else(Message::Failed, |()| Message::Done);
        if self.messages.blocking_send(last).is_err() {
            tracing::trace!("a scan's reader left before its end");
        }
    }

    fn keep(&mut self, row: Row) {
        self.bytes += row.weight();
        self.batch.push(row);
    }

    fn is_full(&self) -> bool {
        self.batch.len() >= BATCH_ROWS || self.bytes >= BATCH_BYTES
    }

    fn take(&mut self) -> Vec<Row> {
        self.bytes = 0;
        std::mem::take(&mut self.batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_producer_that_dies_is_an_error_and_not_an_end() {
        let (filling, mut rows) = Rows::channel("AM_API");
        drop(filling);
        assert!(matches!(rows.next().await, Err(SourceError::Interrupted { table }) if table == "AM_API"));
        let (filling, mut rows) = Rows::channel("AM_API");
        filling.finish(Ok(())).await;
        assert!(rows.next().await.unwrap().is_none());
    }
}
