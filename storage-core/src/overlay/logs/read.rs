//! Reading a log: from the newest object back to the one that is asked for.

use futures::future::BoxFuture;

use super::frame::Frame;
use super::open;
use crate::adapter::{LogEntry, LogPage};
use crate::backend::Listing;
use crate::error::{Error, Result};
use crate::name::Name;
use crate::overlay::backoff::Backoff;
use crate::overlay::engine::{Engine, in_parallel};
use crate::overlay::layout;
use crate::overlay::medium::MAX_NAMES;
use crate::version::Version;

/// How many bytes of entries one page holds at most, unless a single append is larger: as much as one append may have.
const MAX_PAGE_BYTES: usize = 8 * 1024 * 1024;

/// How many objects of a page are read at once: each may be as large as the page.
const READ_AHEAD: usize = 4;

impl Engine {
    /// # Errors
    /// As [`StorageAdapter::read_log`](crate::StorageAdapter::read_log).
    pub(in crate::overlay) async fn read_log(&self, log: &Name, from: u64, limit: usize) -> Result<LogPage> {
        let mut backoff = Backoff::new();
        loop {
            let head = self.head(log).await?;
            let Some(open) = open(head.as_ref()) else {
                return Ok(LogPage::default());
            };
            let page = self.try_read(log, &open.head.incarnation, from, limit).await;
            if self.is_current(log, head.as_ref()).await? {
                return page;
            }
            backoff.pause().await?;
        }
    }

    async fn try_read(&self, log: &Name, incarnation: &Version, from: u64, limit: usize) -> Result<LogPage> {
        let mut page = LogPage::default();
        let Some(newest) = self.newest(log, incarnation).await? else {
            return Ok(page);
        };
        page.end = newest.next();
        page.closed = newest.closes;
        page.incarnation = Some(incarnation.clone());
        page.entries = if from >= page.end || limit == 0 {
            Vec::new()
        } else if newest.first <= from {
            slice(&newest, from, limit)
        } else {
            self.entries_from(log, incarnation, from, limit).await?
        };
        // What was appended since the end was looked up.
        page.end = page
            .end
            .max(page.entries.last().map_or(0, |last| last.sequence + 1));
        Ok(page)
    }

    /// The last object of an incarnation.
    pub(super) async fn newest(&self, log: &Name, incarnation: &Version) -> Result<Option<Frame>> {
        let prefix = layout::log_incarnation(log, &incarnation.to_string());
        let Some(key) = self.medium.first(&prefix).await? else {
            return Ok(None);
        };
        self.frame(log, incarnation, layout::log_sequence(&prefix, key.as_str())?)
            .await
    }

    pub(super) async fn frame(&self, log: &Name, incarnation: &Version, first: u64) -> Result<Option<Frame>> {
        let key = layout::log_object(log, &incarnation.to_string(), first)?;
        let Some((bytes, _)) = self.medium.read(&key).await? else {
            return Ok(None);
        };
        let frame = Frame::decode(key.as_str(), &bytes)?;
        if frame.first != first {
            return Err(Error::corrupt(
                key.as_str(),
                "the entries of the log are in the wrong place",
            ));
        }
        Ok(Some(frame))
    }

    /// Entries from a number on that exists, up to `limit` or as many as fit a page.
    pub(super) async fn entries_from(
        &self,
        log: &Name,
        incarnation: &Version,
        from: u64,
        limit: usize,
    ) -> Result<Vec<LogEntry>> {
        let mut entries: Vec<LogEntry> = Vec::new();
        let mut bytes = 0;
        let firsts = self.firsts(log, incarnation, from, limit).await?;
        for firsts in firsts.chunks(READ_AHEAD) {
            let frames = in_parallel(firsts.iter().map(|first| {
                let frame: BoxFuture<'_, Result<Option<Frame>>> =
                    Box::pin(self.frame(log, incarnation, *first));
                frame
            }));
            for (frame, first) in frames.await.into_iter().zip(firsts) {
                let at = from + entries.len() as u64;
                let Some(frame) = frame?.filter(|frame| frame.first <= at) else {
                    let missing = layout::log_object(log, &incarnation.to_string(), *first)?;
                    return Err(Error::corrupt(missing.as_str(), "entries of the log are missing"));
                };
                if !frame.entries.is_empty() && frame.next() <= at {
                    return Err(Error::corrupt(
                        log.as_str(),
                        format!("entry {at} of the log is missing"),
                    ));
                }
                for entry in slice(&frame, at, limit - entries.len()) {
                    bytes += entry.bytes.len();
                    entries.push(entry);
                }
                if entries.len() == limit || bytes >= MAX_PAGE_BYTES {
                    return Ok(entries);
                }
            }
        }
        Ok(entries)
    }

    /// The first numbers of the objects that hold the entries from `from` on, ascending.
    async fn firsts(&self, log: &Name, incarnation: &Version, from: u64, limit: usize) -> Result<Vec<u64>> {
        let incarnation = incarnation.to_string();
        let prefix = layout::log_incarnation(log, &incarnation);
        let behind = layout::log_object(log, &incarnation, from.saturating_add(limit as u64))?;
        let listing = Listing::new();
        let mut start_after = Some(behind.as_str().to_owned());
        let mut firsts = Vec::new();
        loop {
            let (objects, next) = self
                .medium
                .page(listing, &prefix, start_after, limit.clamp(1, MAX_NAMES), false)
                .await?;
            for (key, _) in objects {
                let first = layout::log_sequence(&prefix, key.as_str())?;
                firsts.push(first);
                if first <= from {
                    firsts.reverse();
                    return Ok(firsts);
                }
            }
            if next.is_none() {
                return Err(Error::corrupt(
                    log.as_str(),
                    format!("entry {from} of the log is missing"),
                ));
            }
            start_after = next;
        }
    }
}

/// The entries of an object from a number on.
fn slice(frame: &Frame, from: u64, limit: usize) -> Vec<LogEntry> {
    let numbered = (frame.first..).zip(&frame.entries);
    numbered
        .filter(|(sequence, _)| *sequence >= from)
        .take(limit)
        .map(|(sequence, bytes)| LogEntry {
            sequence,
            bytes: bytes.clone(),
        })
        .collect()
}
