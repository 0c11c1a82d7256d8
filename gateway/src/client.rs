//! The sending side of one WebSocket client: a queue bounded in bytes.

use axum::extract::ws::Utf8Bytes;
use serde::Serialize;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::sync::{Notify, mpsc};

/// What a queued message costs beside its text.
const OVERHEAD: usize = 64;

/// Where messages for a client go. Never blocks: a client that does not keep up is closed.
pub(crate) struct Client {
    pub id: u64,
    queue: mpsc::UnboundedSender<Utf8Bytes>,
    queued: AtomicUsize,
    limit: usize,
    overflown: AtomicBool,
    /// Notified once the queue is over its limit.
    pub overflow: Notify,
}

impl Client {
    pub(crate) fn new(id: u64, limit: usize) -> (Self, mpsc::UnboundedReceiver<Utf8Bytes>) {
        let (queue, messages) = mpsc::unbounded_channel();
        let client = Self {
            id,
            queue,
            queued: AtomicUsize::new(0),
            limit,
            overflown: AtomicBool::new(false),
            overflow: Notify::new(),
        };
        (client, messages)
    }

    /// Queues a message, unless more than the limit already waits.
    pub(crate) fn push(&self, message: Utf8Bytes) {
        // Nothing may follow a message that was left out.
        if self.overflown.load(Ordering::Relaxed) {
            return;
        }
        let len = message.len() + OVERHEAD;
        if self.queued.fetch_add(len, Ordering::Relaxed) > self.limit {
            self.queued.fetch_sub(len, Ordering::Relaxed);
            self.overflown.store(true, Ordering::Relaxed);
            self.overflow.notify_one();
            return;
        }
        // Fails when the client has gone, which the feed hears of in a moment.
        let _ = self.queue.send(message);
    }

    /// Queues a value as JSON.
    pub(crate) fn send(&self, message: &impl Serialize) {
        self.push(text(message));
    }

    /// A message of this length has left the queue.
    pub(crate) fn sent(&self, len: usize) {
        self.queued.fetch_sub(len + OVERHEAD, Ordering::Relaxed);
    }
}

/// JSON text that many clients share.
pub(crate) fn text(message: &impl Serialize) -> Utf8Bytes {
    // Values with string keys only always have a JSON form.
    serde_json::to_string(message).unwrap_or_default().into()
}
