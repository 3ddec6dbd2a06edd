//! One entry, as it lies in the log: a line of JSON. Its bytes are what the next one's hash is of.

use std::sync::Arc;

use bytes::Bytes;
use serde::{Deserialize, Serialize};
use storage_core::{Area, Error, ErrorKind, Result, Timestamp, random_u128};

use super::AuditKey;
use crate::call::{Call, Target};

const FORMAT: u32 = 1;

/// One entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct AuditEntry {
    /// The format of the entry.
    pub format: u32,
    /// Its number in the log: 0, 1, 2, …
    pub number: u64,
    /// When, in milliseconds since 1970 by the writer's clock.
    pub at_ms: i64,
    /// Ties the two entries of one change together.
    pub call: String,
    /// Which of them this is.
    pub phase: AuditPhase,
    /// Who.
    pub actor: String,
    /// What: the name of an operation, such as `write`.
    pub operation: String,
    /// What it was done to: `object`, `document`, `collection`, `log`, `storage`, or `overlay` for a backend's own.
    pub kind: String,
    /// Its key, or `collection/id`, or the name of the collection or log.
    pub key: String,
    /// `ok`, or the kind of the error; only where it is over.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<String>,
    /// The hash of the entry before, in hexadecimal.
    pub previous: String,
}

/// Where in the course of a call an entry was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[non_exhaustive]
pub enum AuditPhase {
    /// A change is about to be tried.
    Began,
    /// This came of it.
    Ended,
    /// A read, which is over.
    Did,
}

/// An entry that has no place in the log yet.
#[derive(Debug, Clone)]
pub(super) struct Draft {
    at: Timestamp,
    call: String,
    phase: AuditPhase,
    actor: Arc<str>,
    operation: &'static str,
    kind: &'static str,
    key: String,
    outcome: Option<&'static str>,
}

impl Draft {
    pub(super) fn new(actor: Arc<str>, call: &Call, phase: AuditPhase, at: Timestamp) -> Self {
        let kind = match call.target {
            Target::Collection(_) => "collection",
            Target::Document(..) => "document",
            Target::Log(_) => "log",
            Target::Nothing => "storage",
            Target::Object(Area::Objects, _) => "object",
            Target::Object(Area::Overlay, _) => "overlay",
        };
        Self::of(
            actor,
            call.operation.as_str(),
            kind,
            call.target.to_string(),
            phase,
            at,
        )
    }

    pub(super) fn of(
        actor: Arc<str>,
        operation: &'static str,
        kind: &'static str,
        key: String,
        phase: AuditPhase,
        at: Timestamp,
    ) -> Self {
        Self {
            at,
            call: format!("{:032x}", random_u128()),
            phase,
            actor,
            operation,
            kind,
            key,
            outcome: None,
        }
    }

    pub(super) fn ended(self, at: Timestamp, outcome: &'static str) -> Self {
        let phase = AuditPhase::Ended;
        Self { at, phase, ..self }.with_outcome(outcome)
    }

    pub(super) fn with_outcome(self, outcome: &'static str) -> Self {
        Self {
            outcome: Some(outcome),
            ..self
        }
    }

    pub(super) fn call(&self) -> &str {
        &self.call
    }

    pub(super) const fn phase(&self) -> AuditPhase {
        self.phase
    }

    /// The entry with its place in the chain.
    pub(super) fn place(&self, number: u64, previous: &Hash) -> Result<Bytes> {
        let entry = AuditEntry {
            format: FORMAT,
            number,
            at_ms: self.at.as_millis(),
            call: self.call.clone(),
            phase: self.phase,
            actor: self.actor.to_string(),
            operation: self.operation.to_owned(),
            kind: self.kind.to_owned(),
            key: self.key.clone(),
            outcome: self.outcome.map(str::to_owned),
            previous: previous.to_hex(),
        };
        let failed =
            |error| Error::new(ErrorKind::Internal, "an audit entry cannot be encoded").with_source(error);
        serde_json::to_vec(&entry).map(Bytes::from).map_err(failed)
    }
}

impl AuditEntry {
    pub(super) fn read(bytes: &[u8]) -> Option<Self> {
        serde_json::from_slice(bytes)
            .ok()
            .filter(|entry: &Self| entry.format == FORMAT)
    }
}

/// The hash of an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Hash(blake3::Hash);

impl Hash {
    /// What the first entry of a log builds on.
    pub(super) fn first(log: &str, key: Option<&AuditKey>) -> Self {
        Self::of(format!("storage audit log {log}").as_bytes(), key)
    }

    pub(super) fn of(entry: &[u8], key: Option<&AuditKey>) -> Self {
        Self(match key {
            Some(key) => blake3::keyed_hash(&key.0, entry),
            None => blake3::hash(entry),
        })
    }

    pub(super) fn to_hex(self) -> String {
        self.0.to_hex().to_string()
    }

    pub(super) fn from_hex(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(Self)
    }
}
