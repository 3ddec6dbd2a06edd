//! [`Waiting`]: appends that wait for their turn, so that whoever has it writes them all and syncs once.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use storage_core::{AppendRequest, Appended, Applied, Error, ErrorKind, Name, Result};
use tokio::sync::oneshot;

/// How many bytes of entries are written together at most, unless one append has more.
const MAX_BYTES: usize = 4 * 1024 * 1024;

/// The appends of all logs that nobody has begun with.
#[derive(Debug, Default)]
pub(super) struct Waiting(Mutex<Queues>);

#[derive(Debug, Default)]
struct Queues {
    logs: HashMap<Name, VecDeque<Append>>,
    begun: u64,
}

/// An append, and whom to tell.
#[derive(Debug)]
pub(super) struct Append {
    number: u64,
    pub(super) request: AppendRequest,
    outcome: oneshot::Sender<Result<Appended>>,
}

/// The place of an append in the queue of its log. Dropped, it takes an append back that nobody has begun with.
#[derive(Debug)]
pub(crate) struct Ticket {
    waiting: Arc<Waiting>,
    log: Name,
    number: u64,
    outcome: oneshot::Receiver<Result<Appended>>,
}

impl Append {
    /// Whether it goes wherever the end is.
    fn is_plain(&self) -> bool {
        self.request.expected.is_none() && !self.request.entries.is_empty()
    }

    fn bytes(&self) -> usize {
        self.request.entries.iter().map(|entry| entry.len()).sum()
    }

    pub(super) fn tell(self, outcome: Result<Appended>) {
        // Whoever gave up waiting does not want to know.
        let _ = self.outcome.send(outcome);
    }
}

impl Waiting {
    pub(super) fn push(self: &Arc<Self>, log: &Name, request: AppendRequest) -> Ticket {
        let (sender, outcome) = oneshot::channel();
        let mut queues = self.lock();
        queues.begun += 1;
        let number = queues.begun;
        queues.logs.entry(log.clone()).or_default().push_back(Append {
            number,
            request,
            outcome: sender,
        });
        Ticket {
            waiting: Arc::clone(self),
            log: log.clone(),
            number,
            outcome,
        }
    }

    /// The first append that waits, and those behind it that can be written with it.
    pub(super) fn take(&self, log: &Name) -> Vec<Append> {
        let mut queues = self.lock();
        let mut taken = Vec::new();
        let Some(queue) = queues.logs.get_mut(log) else {
            return taken;
        };
        let mut bytes = 0;
        while let Some(next) = queue.front() {
            bytes += next.bytes();
            let fits = next.is_plain() && taken.iter().all(Append::is_plain) && bytes <= MAX_BYTES;
            if !taken.is_empty() && !fits {
                break;
            }
            taken.extend(queue.pop_front());
        }
        if queue.is_empty() {
            queues.logs.remove(log);
        }
        taken
    }

    /// Has appends wait again, before all others.
    pub(super) fn give_back(&self, log: &Name, appends: Vec<Append>) {
        if appends.is_empty() {
            return;
        }
        let mut queues = self.lock();
        let queue = queues.logs.entry(log.clone()).or_default();
        for append in appends.into_iter().rev() {
            // Taken back while it was not here.
            if !append.outcome.is_closed() {
                queue.push_front(append);
            }
        }
        if queue.is_empty() {
            queues.logs.remove(log);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Queues> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ticket {
    /// What came of the append, as soon as somebody did it.
    pub(crate) async fn outcome(&mut self) -> Result<Appended> {
        (&mut self.outcome).await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Internal, "the append was cut short").with_applied(Applied::Unknown))
        })
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        self.outcome.close();
        let mut queues = self.waiting.lock();
        if let Some(queue) = queues.logs.get_mut(&self.log) {
            queue.retain(|append| append.number != self.number);
            if queue.is_empty() {
                queues.logs.remove(&self.log);
            }
        }
    }
}
