//! Faults of logs.

use std::collections::HashMap;
use std::sync::Mutex;

use async_trait::async_trait;
use storage_core::*;

use crate::frame::Fault;

/// Appends again what stands there already.
#[derive(Debug, Default)]
struct RepeatsAreAppended;

#[async_trait]
impl Fault for RepeatsAreAppended {
    async fn append(&self, memory: &Memory, log: &Name, mut request: AppendRequest) -> Result<Appended> {
        request.expected = None;
        memory.append(log, request).await
    }
}

/// Takes anything at a number that is taken for a repeat.
#[derive(Debug, Default)]
struct OtherBytesAreARepeat;

#[async_trait]
impl Fault for OtherBytesAreARepeat {
    async fn append(&self, memory: &Memory, log: &Name, request: AppendRequest) -> Result<Appended> {
        let (expected, count) = (request.expected, request.entries.len() as u64);
        let end = memory.read_log(log, u64::MAX, 1).await?.end;
        match (memory.append(log, request).await, expected) {
            (Err(error), Some(first)) if error.kind() == ErrorKind::PreconditionFailed && first < end => {
                Ok(Appended {
                    first,
                    next: first + count,
                })
            }
            (result, _) => result,
        }
    }
}

/// Counts from one on every page but the first.
#[derive(Debug, Default)]
struct LaterPagesAreShifted;

#[async_trait]
impl Fault for LaterPagesAreShifted {
    async fn read_log(&self, memory: &Memory, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        let mut page = memory.read_log(log, from, limit).await?;
        for entry in page.entries.iter_mut().filter(|_| from > 0) {
            entry.sequence += 1;
        }
        Ok(page)
    }
}

/// Appends one entry after the other.
#[derive(Debug, Default)]
struct AppendsOneByOne;

#[async_trait]
impl Fault for AppendsOneByOne {
    async fn append(&self, memory: &Memory, log: &Name, request: AppendRequest) -> Result<Appended> {
        if request.expected.is_some() || request.entries.is_empty() {
            return memory.append(log, request).await;
        }
        let (mut first, mut next) = (None, 0);
        for entry in request.entries {
            let appended = memory.append(log, AppendRequest::new(vec![entry])).await?;
            first = first.or(Some(appended.first));
            next = appended.next;
            tokio::task::yield_now().await;
        }
        Ok(Appended {
            first: first.unwrap_or(next),
            next,
        })
    }
}

/// Looks whether the log is closed, and appends then, to a log that has been closed meanwhile.
#[derive(Debug, Default)]
struct CloseIsOnlyAMark(Mutex<HashMap<Name, bool>>);

#[async_trait]
impl Fault for CloseIsOnlyAMark {
    async fn append(&self, memory: &Memory, log: &Name, request: AppendRequest) -> Result<Appended> {
        if self.0.lock().unwrap().contains_key(log) {
            return Err(Error::new(ErrorKind::LogClosed, "the log is closed"));
        }
        tokio::task::yield_now().await;
        memory.append(log, request).await
    }

    async fn close_log(&self, _memory: &Memory, log: &Name) -> Result<()> {
        self.0.lock().unwrap().insert(log.clone(), true);
        Ok(())
    }

    async fn read_log(&self, memory: &Memory, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        let mut page = memory.read_log(log, from, limit).await?;
        page.closed = self.0.lock().unwrap().contains_key(log);
        Ok(page)
    }
}

/// Keeps the incarnation over a delete.
#[derive(Debug, Default)]
struct DeleteKeepsTheIncarnation;

#[async_trait]
impl Fault for DeleteKeepsTheIncarnation {
    async fn read_log(&self, memory: &Memory, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        let mut page = memory.read_log(log, from, limit).await?;
        page.incarnation = page.incarnation.map(|_| Version::from_u128(1));
        Ok(page)
    }
}

/// Cuts entries at their first line break.
#[derive(Debug, Default)]
struct EntriesAreLines;

#[async_trait]
impl Fault for EntriesAreLines {
    async fn append(&self, memory: &Memory, log: &Name, mut request: AppendRequest) -> Result<Appended> {
        for entry in &mut request.entries {
            let end = entry
                .iter()
                .position(|byte| *byte == b'\n')
                .unwrap_or(entry.len());
            entry.truncate(end);
        }
        memory.append(log, request).await
    }
}

crate::found! {
    RepeatsAreAppended: 1,
    LaterPagesAreShifted: 3,
    DeleteKeepsTheIncarnation: 4,
    EntriesAreLines: 1,
}

mod killed {
    crate::kills! {
        RepeatsAreAppended: "log.expected-number-is-idempotent", "log.expected-number-race-has-one-winner";
        OtherBytesAreARepeat: "log.expected-number-is-idempotent", "log.expected-number-race-has-one-winner";
        LaterPagesAreShifted: "log.reading-in-pages", "log-follow.begins-where-asked";
        AppendsOneByOne: "log.two-appenders-share-the-numbers";
        CloseIsOnlyAMark: "log.close-race-loses-no-entry";
        DeleteKeepsTheIncarnation: "log.deleted-log-begins-anew", "log-follow.fails-when-deleted";
        EntriesAreLines: "log.any-bytes-come-back";
    }
}
