//! [`AuditLog`]: the same log, written by whoever knows better than a layer what was done.

use std::sync::Arc;

use storage_core::{Clock, Name, Result, StorageAdapter, SystemClock};

use super::entry::{AuditPhase, Draft};
use super::journal::Journal;
use super::{ACTOR, AuditKey, AuditTrail};
use crate::outcome::outcome;

/// An audit log that a store writes by itself: what was done to its own things, under their own names. The entries, the chain and what
/// [verifies](AuditTrail::verify) them are those of [`Audit`](super::Audit).
#[derive(Debug, Clone)]
pub struct AuditLog {
    journal: Arc<Journal>,
    actor: Arc<str>,
}

/// A change that was recorded and is under way.
#[derive(Debug)]
#[must_use = "what came of it is to be recorded too"]
pub struct AuditCall(Draft);

impl AuditLog {
    /// The log of this name. Who acts is `actor`, where nobody says [`acting_as`](super::acting_as).
    ///
    /// # Errors
    /// `InvalidName`; `Corrupt` when the log is not what its head says; those of the storage.
    pub async fn open(
        place: Arc<dyn StorageAdapter>,
        log: &str,
        actor: &str,
        key: Option<AuditKey>,
    ) -> Result<Self> {
        Ok(Self {
            journal: Arc::new(Journal::open(place, Name::new(log)?, key).await?),
            actor: actor.into(),
        })
    }

    /// Records a change before it begins. Where that cannot be done the change must not be made.
    ///
    /// # Errors
    /// Those of the storage; `Corrupt` for a log that was cut.
    pub async fn begin(&self, operation: &'static str, kind: &'static str, key: &str) -> Result<AuditCall> {
        let draft = self.draft(operation, kind, key, AuditPhase::Began);
        self.journal.record(vec![draft.clone()]).await?;
        Ok(AuditCall(draft))
    }

    /// Records what came of a change.
    ///
    /// # Errors
    /// As [`begin`](Self::begin). The change was made, or refused, all the same, and the log shows that its end is missing.
    pub async fn end<R: Sync>(&self, call: AuditCall, result: &Result<R>) -> Result<()> {
        let ended = call.0.ended(SystemClock::default().now(), outcome(result));
        self.journal.record(vec![ended]).await
    }

    /// Records a read, which is over.
    ///
    /// # Errors
    /// As [`begin`](Self::begin).
    pub async fn did<R: Sync>(
        &self,
        operation: &'static str,
        kind: &'static str,
        key: &str,
        result: &Result<R>,
    ) -> Result<()> {
        let draft = self.draft(operation, kind, key, AuditPhase::Did);
        self.journal
            .record(vec![draft.with_outcome(outcome(result))])
            .await
    }

    /// What was recorded so far.
    pub fn trail(&self) -> AuditTrail {
        self.journal.trail()
    }

    fn draft(&self, operation: &'static str, kind: &'static str, key: &str, phase: AuditPhase) -> Draft {
        let actor = ACTOR
            .try_with(Arc::clone)
            .unwrap_or_else(|_| Arc::clone(&self.actor));
        Draft::of(
            actor,
            operation,
            kind,
            key.to_owned(),
            phase,
            SystemClock::default().now(),
        )
    }
}
