//! Logs: one object per append, named so that the newest is listed first.
//!
//! An append commits by creating the object at the next sequence number; two that want the same number meet there. Nothing is
//! ever removed from the incarnation that counts, so its objects have no gaps, and closing is an object that takes the next number.
//! Deleting swaps the head to another incarnation. Whoever lists an incarnation therefore looks at the head once more before
//! it trusts what it saw: the objects may have been going away under it.

mod frame;
mod head;
mod read;

use bytes::Bytes;
use futures::future::BoxFuture;

pub(super) use self::frame::FRAME_OVERHEAD;
use self::frame::Frame;
pub(super) use self::head::{Head, HeadState, LoadedHead};
use super::backoff::Backoff;
use super::engine::{Engine, in_parallel};
use super::layout;
use super::medium::{MAX_NAMES, Swap};
use crate::adapter::{AppendRequest, Appended};
use crate::error::{Applied, Error, ErrorKind, Result};
use crate::name::{Key, Name};
use crate::version::Version;

impl Engine {
    /// # Errors
    /// As [`StorageAdapter::append`](crate::StorageAdapter::append).
    pub(super) async fn append(&self, log: &Name, request: &AppendRequest) -> Result<Appended> {
        let mut backoff = Backoff::new();
        loop {
            if let Some(appended) = self.try_append(log, request).await? {
                return Ok(appended);
            }
            backoff.pause().await?;
        }
    }

    /// `None` when somebody else came between.
    async fn try_append(&self, log: &Name, request: &AppendRequest) -> Result<Option<Appended>> {
        let AppendRequest { entries, expected } = request;
        let head = self.head(log).await?;
        let newest = match open(head.as_ref()) {
            Some(head) => self.newest(log, &head.head.incarnation).await?,
            None => None,
        };
        let end = newest.as_ref().map_or(0, Frame::next);
        let closed = newest.as_ref().is_some_and(|newest| newest.closes);
        let at_end = expected.is_none_or(|expected| expected == end);
        if !at_end || closed || entries.is_empty() {
            let answer = match (expected, open(head.as_ref())) {
                (Some(expected), Some(head)) if !at_end => {
                    self.standing(log, head, *expected, entries, end).await
                }
                (Some(expected), _) if !at_end => Err(Error::log_moved(*expected, end)),
                // Nothing, at the end, stands there already.
                (Some(_), _) if closed && entries.is_empty() => Ok(Appended {
                    first: end,
                    next: end,
                }),
                _ if closed => Err(closed_error()),
                _ => Ok(Appended {
                    first: end,
                    next: end,
                }),
            };
            return if self.is_current(log, head.as_ref()).await? {
                answer.map(Some)
            } else {
                Ok(None)
            };
        }
        let Some(head) = self
            .opened(log, head)
            .await
            .map_err(|error| error.with_applied(Applied::No))?
        else {
            return Ok(None);
        };
        let frame = Frame::new(end, entries.clone(), false);
        let key = layout::log_object(log, &head.head.incarnation.to_string(), end)?;
        // The list that showed the end is behind us, so the head may be looked at while the object is created.
        let created = self.medium.create(&key, frame.encode()?);
        let (created, current) = futures::join!(created, self.is_current(log, Some(&head)));
        let appended = Appended {
            first: end,
            next: frame.next(),
        };
        match created {
            Swap::Done(_) => match current {
                Ok(current) => Ok(current.then_some(appended)),
                Err(error) => Err(error.with_applied(Applied::Unknown)),
            },
            Swap::Lost => Ok(None),
            Swap::Failed(error) if error.applied() == Applied::No => Err(error),
            Swap::Failed(error) => match self.frame(log, &head.head.incarnation, end).await {
                Ok(Some(standing)) if standing.nonce == frame.nonce && matches!(current, Ok(true)) => {
                    if self.frame_stays(&key, &frame).await {
                        Ok(Some(appended))
                    } else {
                        Err(error)
                    }
                }
                // Another append has the place, so this one can never get it.
                Ok(Some(standing)) if standing.nonce != frame.nonce => Ok(None),
                _ => Err(error),
            },
        }
    }

    /// Whether a frame that is seen after an unknown outcome is there to stay.
    async fn frame_stays(&self, key: &Key, frame: &Frame) -> bool {
        let (Ok(bytes), Ok(Some((standing, seen)))) = (frame.encode(), self.medium.read(key).await) else {
            return false;
        };
        standing == bytes && self.medium.confirm(key, &seen, bytes).await
    }

    /// Whether exactly these entries already stand where they were expected.
    async fn standing(
        &self,
        log: &Name,
        head: &LoadedHead,
        expected: u64,
        entries: &[Bytes],
        end: u64,
    ) -> Result<Appended> {
        let next = expected.saturating_add(entries.len() as u64);
        if next > end {
            return Err(Error::log_moved(expected, end));
        }
        let mut at = expected;
        let mut rest = entries;
        while !rest.is_empty() {
            let standing = self
                .entries_from(log, &head.head.incarnation, at, rest.len())
                .await?;
            let equal = standing
                .iter()
                .zip(rest)
                .all(|(standing, entry)| standing.bytes == *entry);
            if standing.is_empty() || !equal {
                return Err(Error::log_moved(expected, end));
            }
            at += standing.len() as u64;
            rest = &rest[standing.len().min(rest.len())..];
        }
        Ok(Appended {
            first: expected,
            next,
        })
    }

    /// # Errors
    /// Those of the medium.
    pub(super) async fn close_log(&self, log: &Name) -> Result<()> {
        let mut backoff = Backoff::new();
        loop {
            let head = self.head(log).await?;
            if let Some(head) = self.opened(log, head).await?
                && self.try_close(log, &head).await?
            {
                return Ok(());
            }
            backoff.pause().await?;
        }
    }

    async fn try_close(&self, log: &Name, head: &LoadedHead) -> Result<bool> {
        let incarnation = &head.head.incarnation;
        let newest = self.newest(log, incarnation).await?;
        if newest.as_ref().is_some_and(|newest| newest.closes) {
            return self.is_current(log, Some(head)).await;
        }
        let frame = Frame::new(newest.map_or(0, |newest| newest.next()), Vec::new(), true);
        let key = layout::log_object(log, &incarnation.to_string(), frame.first)?;
        match self.medium.create(&key, frame.encode()?).await {
            Swap::Done(_) => {}
            Swap::Lost => return Ok(false),
            Swap::Failed(error) => match self.frame(log, incarnation, frame.first).await {
                Ok(Some(standing)) if standing.closes && self.frame_stays(&key, &standing).await => {}
                _ => return Err(error),
            },
        }
        // From here on the log is closed, unless it is deleted meanwhile.
        let current = self.is_current(log, Some(head)).await;
        if !current.map_err(|error| error.with_applied(Applied::Unknown))? {
            return Ok(false);
        }
        // That its head says so too saves later appends a look. What fails here changes nothing.
        let closed = Head::new(incarnation.clone(), HeadState::Closed);
        if let Err(error) = self.swap_head(log, Some(head), closed).await {
            tracing::debug!(%error, log = log.as_str(), "a closed log's head does not say so");
        }
        Ok(true)
    }

    /// # Errors
    /// Those of the medium.
    pub(super) async fn delete_log(&self, log: &Name) -> Result<()> {
        let mut backoff = Backoff::new();
        loop {
            let Some(base) = self.head(log).await? else {
                return Ok(());
            };
            if base.head.state == HeadState::Deleted {
                return Ok(());
            }
            let deleted = Head::new(Version::random(), HeadState::Deleted);
            if let Some(standing) = self.swap_head(log, Some(&base), deleted).await? {
                let old = layout::log_incarnation(log, &base.head.incarnation.to_string());
                if let Err(error) = self.medium.remove_prefix(&old).await {
                    tracing::debug!(%error, log = log.as_str(), "left a deleted log to the next sweep");
                } else if let Err(error) = self
                    .medium
                    .remove_version(&layout::log_head(log)?, standing.medium)
                    .await
                {
                    tracing::debug!(%error, log = log.as_str(), "left the head of a deleted log to the next sweep");
                }
                return Ok(());
            }
            backoff.pause().await?;
        }
    }

    /// # Errors
    /// Those of the medium.
    pub(super) async fn logs(&self, after: Option<&Name>, limit: usize) -> Result<Vec<Name>> {
        let mut names = Vec::new();
        let mut start_after = after.map(layout::log);
        while names.len() < limit {
            let asked = (limit - names.len()).min(MAX_NAMES);
            let found = self.medium.children(layout::LOGS, start_after, asked).await?;
            let logs: Vec<Name> = found.iter().filter_map(|prefix| name_of(prefix)).collect();
            let exist = in_parallel(logs.iter().map(|log| {
                let exists: BoxFuture<'_, Result<bool>> = Box::pin(self.log_exists(log));
                exists
            }));
            for (log, exists) in logs.iter().zip(exist.await) {
                if exists? {
                    names.push(log.clone());
                }
            }
            if found.len() < asked {
                break;
            }
            start_after = found.into_iter().next_back();
        }
        Ok(names)
    }

    /// A log whose head cannot be read is there all the same.
    async fn log_exists(&self, log: &Name) -> Result<bool> {
        let head = match self.head(log).await {
            Err(error) if error.kind() == ErrorKind::Corrupt => return Ok(true),
            head => head?,
        };
        match open(head.as_ref()) {
            Some(head) => {
                let objects = layout::log_incarnation(log, &head.head.incarnation.to_string());
                Ok(self.medium.first(&objects).await?.is_some())
            }
            None => Ok(false),
        }
    }

    /// A head that can be appended under; `None` when somebody else changed it at this moment.
    async fn opened(&self, log: &Name, head: Option<LoadedHead>) -> Result<Option<LoadedHead>> {
        match head {
            Some(head) if head.head.state != HeadState::Deleted => Ok(Some(head)),
            base => {
                let fresh = Head::new(Version::random(), HeadState::Open);
                self.swap_head(log, base.as_ref(), fresh).await
            }
        }
    }

    /// Whether the head is still the same life of the log.
    async fn is_current(&self, log: &Name, seen: Option<&LoadedHead>) -> Result<bool> {
        let key = layout::log_head(log)?;
        if let Some(seen) = seen
            && self.medium.is_still(&key, &seen.medium).await?
        {
            return Ok(true);
        }
        let now = self.head(log).await?;
        Ok(now.map(|now| now.head.incarnation) == seen.map(|seen| seen.head.incarnation.clone()))
    }
}

/// The head, unless it says that there is no log.
fn open(head: Option<&LoadedHead>) -> Option<&LoadedHead> {
    head.filter(|head| head.head.state != HeadState::Deleted)
}

fn closed_error() -> Error {
    Error::new(ErrorKind::LogClosed, "the log is closed")
}

pub(super) fn name_of(prefix: &str) -> Option<Name> {
    Name::new(layout::text(layout::last_segment(layout::LOGS, prefix)?)?).ok()
}
